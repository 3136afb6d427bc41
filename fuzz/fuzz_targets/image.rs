//! Bytes as the manifest and as the config of an image: what a pusher can write. Nothing may panic,
//! and no index has more platforms than are looked at.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ecr_promoter::model::Digest;
use ecr_promoter::model::image::{ConfigLocation, Image, MEDIA_TYPES, MOST_PLATFORMS, labels};

fuzz_target!(|bytes: &[u8]| {
    let _ = labels(bytes);
    let manifest = String::from_utf8_lossy(bytes).into_owned();
    let digest = Digest::of(manifest.as_bytes());
    if let Ok(image) = Image::parse(&digest, manifest, Some(MEDIA_TYPES[3].to_owned()))
        && let ConfigLocation::Platforms(platforms) = image.config
    {
        assert!((1..=MOST_PLATFORMS).contains(&platforms.len()));
    }
});
