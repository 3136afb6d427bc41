//! The image that an event names, and the image that the source tag is on.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecr::types::ImageIdentifier;

use super::gone;
use crate::error::Error;
use crate::model::config::App;
use crate::model::image::{Image, VerifiedManifest};
use crate::model::{Digest, Tag};
use crate::services::clients::Clients;

/// The answer to one BatchGetImage that asks for an image by its digest and by the source tag.
pub(in super::super) struct Candidates {
    /// The images, by digest; `Err` says why one cannot be pulled.
    pub(in super::super) found: BTreeMap<Digest, Result<Image, String>>,
    by_tag_failed: bool,
    tagged: BTreeSet<(Digest, String)>,
    rows: usize,
    /// Whether the repository exists.
    pub(in super::super) is_there: bool,
}

/// The image that the source tag is on, as far as one answer tells.
#[derive(Debug, PartialEq)]
pub(in super::super) enum Newest {
    /// The tag is on this image, or on none.
    Known(Option<Digest>),
    /// The answer has one row, which may belong to either id.
    Ambiguous,
}

impl Candidates {
    /// The image that the source tag is on. A row names its image, but not the id that asked for
    /// it.
    pub(in super::super) fn newest(&self, asked: Option<&Digest>, source_tag: &Tag) -> Newest {
        if self.by_tag_failed {
            return Newest::Known(None);
        }
        let others =
            || self.tagged.iter().map(|(digest, _)| digest).filter(|digest| Some(*digest) != asked);
        let by_name = self
            .tagged
            .iter()
            .find(|(_, tag)| tag == source_tag.as_str())
            .map(|(digest, _)| digest);
        let both_on_asked = asked.filter(|_| self.rows > 1);
        match others().next().or(by_name).or(both_on_asked) {
            Some(newest) => Newest::Known(Some(newest.clone())),
            None if self.rows == 0 => Newest::Known(None),
            None => Newest::Ambiguous,
        }
    }
}

impl Clients {
    /// Reads the image that the source tag is on, and the image that an event names.
    pub(in super::super) async fn candidates(
        &self,
        app: &App,
        digest: Option<&Digest>,
    ) -> Result<Candidates, Error> {
        let source_tag = app.config.source_tag.as_str();
        let by_digest =
            digest.map(|digest| ImageIdentifier::builder().image_digest(digest.as_str()).build());
        let by_tag = ImageIdentifier::builder().image_tag(source_tag).build();
        let answered = self
            .batch_get_image(&app.repository, by_digest.into_iter().chain([by_tag]).collect())
            .await?;
        let is_there = answered.is_some();
        let (rows, failures) = answered.unwrap_or_default();
        let by_tag_failed = failures.iter().any(|f| {
            f.image_id.as_ref().is_some_and(|id| id.image_tag.as_deref() == Some(source_tag))
        });
        let mut candidates = Candidates {
            found: BTreeMap::new(),
            by_tag_failed,
            tagged: BTreeSet::new(),
            rows: 0,
            is_there,
        };
        for row in rows {
            let Some((id, manifest)) = row.image_id.zip(row.image_manifest) else { continue };
            let Some(found) = id.image_digest.and_then(|text| text.parse::<Digest>().ok()) else {
                continue;
            };
            candidates.rows += 1;
            candidates.tagged.insert((found.clone(), id.image_tag.unwrap_or_default()));
            // One image has a row for the digest and one for the tag.
            let Entry::Vacant(place) = candidates.found.entry(found) else { continue };
            // ECR may convert a manifest that is asked for by tag. If the bytes have another
            // digest, the image is read again, by digest.
            if let Ok(verified) = VerifiedManifest::of(place.key(), manifest) {
                place.insert(Image::read(verified, row.image_manifest_media_type));
            }
        }
        if let Some(digest) = digest
            && !candidates.tagged.iter().any(|(found, _)| found == digest)
        {
            candidates.found.insert(digest.clone(), Err(gone(digest, &failures)));
        }
        Ok(candidates)
    }
}

#[cfg(test)]
mod tests;
