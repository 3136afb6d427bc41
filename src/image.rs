//! An image: its manifest as ECR stores it, the commit it says it was built from, and the tag it gets in production.
//! CONTRACT: the manifest's bytes are never changed, since one changed byte is another image. No I/O here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wildmatch::WildMatch;

use crate::config::{CommitSource, Config};
use crate::model::{Commit, Digest, Tag};

/// The media types of all manifests that are promoted: without them named, ECR may convert or leave out an image.
pub const MEDIA_TYPES: [&str; 4] = [
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
];

/// The annotation and label that name the commit.
/// <https://specs.opencontainers.org/image-spec/annotations/>
pub const REVISION: &str = "org.opencontainers.image.revision";

/// A manifest or index, its bytes verified against its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// sha256 of `manifest`.
    pub digest: Digest,
    /// The bytes, as ECR gave them.
    pub manifest: String,
    /// What ECR calls them; an OCI manifest need not say so itself.
    pub media_type: String,
    /// The revision annotation, if it is a commit.
    pub annotation: Option<Commit>,
    /// Where the image config (and so the labels) is to be found.
    pub config: ConfigLocation,
}

/// Where an image's labels are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigLocation {
    /// A single image: the digest of its config blob.
    Blob(Digest),
    /// An index: the digests of its platform images, attestations left out.
    Platforms(Vec<Digest>),
    /// Nothing that could carry a label.
    Nowhere,
}

impl Image {
    /// Reads a manifest; `Err` says why it is not what its digest or format promises.
    pub fn parse(digest: &Digest, manifest: String, media_type: Option<String>) -> Result<Self, String> {
        let actual = Digest::of(manifest.as_bytes());
        if actual != *digest {
            return Err(format!("the manifest's sha256 is {actual}, not {digest}: ECR answered another or a converted manifest"));
        }
        let body: Value = serde_json::from_str(&manifest).map_err(|e| format!("the manifest of {digest} is not JSON: {e}"))?;
        let media_type = media_type
            .or_else(|| body["mediaType"].as_str().map(str::to_owned))
            .ok_or_else(|| format!("neither ECR nor the manifest of {digest} says its media type"))?;
        if !MEDIA_TYPES.contains(&media_type.as_str()) {
            return Err(format!("{digest} is a `{media_type}`, which cannot be promoted; expected one of {}", MEDIA_TYPES.join(", ")));
        }
        let annotation = body["annotations"][REVISION].as_str().and_then(|text| text.parse().ok());
        let config = match (&body["manifests"], &body["config"]) {
            (Value::Array(children), _) => ConfigLocation::Platforms(children.iter().filter_map(platform).collect()),
            (_, config) => match config["digest"].as_str().and_then(|text| text.parse().ok()) {
                Some(blob) => ConfigLocation::Blob(blob),
                None => ConfigLocation::Nowhere,
            },
        };
        Ok(Self { digest: digest.clone(), manifest, media_type, annotation, config })
    }
}

/// The child's digest unless it is an attestation (`unknown/unknown`).
fn platform(child: &Value) -> Option<Digest> {
    let is_unknown = |key: &str| child["platform"][key] == "unknown";
    let is_attestation = is_unknown("os") || is_unknown("architecture") || child["annotations"]["vnd.docker.reference.type"].is_string();
    if is_attestation { None } else { child["digest"].as_str()?.parse().ok() }
}

/// The commit in an image config's labels.
pub fn label(config: &[u8]) -> Option<Commit> {
    let config: Value = serde_json::from_slice(config).ok()?;
    config["config"]["Labels"][REVISION].as_str()?.parse().ok()
}

/// The one commit on which all of these agree: a missing or another one means none.
pub fn agreed(commits: impl IntoIterator<Item = Option<Commit>>) -> Option<Commit> {
    let mut all = commits.into_iter();
    let first = all.next()??;
    all.all(|other| other.as_ref() == Some(&first)).then_some(first)
}

/// Which of a repository's tags can be put on another image.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html>
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagMutability {
    /// Whether the repository's tags are immutable.
    pub is_immutable: bool,
    /// For which tags, by name with `*` for any characters, the opposite holds.
    pub exclusions: Vec<String>,
}

impl TagMutability {
    /// Whether this tag can be moved.
    pub fn can_move(&self, tag: &Tag) -> bool {
        let is_excluded = self.exclusions.iter().any(|filter| WildMatch::new(filter).matches(tag.as_str()));
        self.is_immutable == is_excluded
    }
}

/// Which tag is on which digest, as `ListImages` answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tags(BTreeMap<Tag, Digest>);

impl FromIterator<(Tag, Digest)> for Tags {
    fn from_iter<T: IntoIterator<Item = (Tag, Digest)>>(pairs: T) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl Tags {
    /// What this tag is on.
    pub fn digest(&self, tag: &Tag) -> Option<&Digest> {
        self.0.get(tag)
    }

    /// The tags on this digest.
    pub fn of<'a>(&'a self, digest: &'a Digest) -> impl Iterator<Item = &'a Tag> {
        self.0.iter().filter(move |(_, on)| *on == digest).map(|(tag, _)| tag)
    }

    /// All pairs, by tag.
    pub fn iter(&self) -> impl Iterator<Item = (&Tag, &Digest)> {
        self.0.iter()
    }

    /// The commit that a digest's tags name; none where they name several.
    pub fn commit(&self, digest: &Digest, config: &Config) -> Option<Commit> {
        let own = format!("{}{}", config.tag_prefix, digest.short());
        let named: BTreeSet<Commit> =
            self.of(digest).filter(|tag| tag.as_str() != own && **tag != config.source_tag).filter_map(commit_in).collect();
        let longest = named.iter().max_by_key(|commit| commit.as_str().len())?;
        named.iter().all(|commit| longest.agrees_with(commit)).then(|| longest.clone())
    }
}

/// The commit in a tag: 40 hex digits, or 7-39 with a letter among them, alone or after `<word>_`. A number of seven
/// digits is more likely a build number or a date.
fn commit_in(tag: &Tag) -> Option<Commit> {
    let text = tag.as_str();
    let last = match text.rsplit_once('_') {
        Some(("", _)) => return None,
        Some((_, last)) => last,
        None => text,
    };
    let commit: Commit = last.parse().ok()?;
    (last.len() == 40 || last.bytes().any(|b| b.is_ascii_alphabetic())).then_some(commit)
}

/// What is known of an image's commit so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitOf {
    /// This one, or for certain none.
    Known(Option<Commit>),
    /// The order reaches `label`, which has not been read.
    NeedsLabel,
}

/// Looks for the commit in the configured order; `label` is what the image config said, once it was read.
pub fn commit_of(image: &Image, tags: &Tags, label: Option<&Option<Commit>>, config: &Config) -> CommitOf {
    for source in &config.commit_from {
        let found = match source {
            CommitSource::Tag => tags.commit(&image.digest, config),
            CommitSource::Annotation => image.annotation.clone(),
            CommitSource::Label => match (label, &image.config) {
                (_, ConfigLocation::Nowhere) => None,
                (Some(label), _) => label.clone(),
                (None, _) => return CommitOf::NeedsLabel,
            },
            CommitSource::Digest => return CommitOf::Known(None),
        };
        if found.is_some() {
            return CommitOf::Known(found);
        }
    }
    CommitOf::Known(None)
}

/// The tag that this image has, or is to get, in production: a tag never changes its meaning, so where the plain one is
/// on another digest (the commit was built twice), the digest becomes part of it. `taken` are tags that it must not get.
pub fn production_tag(digest: &Digest, commit: Option<&Commit>, tags: &Tags, taken: &BTreeSet<Tag>, config: &Config) -> Option<Tag> {
    let prefix = &config.tag_prefix;
    let names = match commit {
        Some(commit) => vec![format!("{prefix}{commit}"), format!("{prefix}{commit}-{}", digest.short())],
        None => vec![format!("{prefix}{}", digest.short()), format!("{prefix}{}", &digest.as_str()["sha256:".len()..])],
    };
    let names: Vec<Tag> = names.iter().filter_map(|name| name.parse().ok()).filter(|tag| !taken.contains(tag)).collect();
    let has = names.iter().find(|tag| tags.digest(tag) == Some(digest));
    has.or_else(|| names.iter().find(|tag| tags.digest(tag).is_none())).cloned()
}

#[cfg(test)]
mod tests;
