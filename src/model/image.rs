//! An image: its manifest as ECR stores it, the commit it says it was built from, and the tag it
//! gets in production. CONTRACT: the manifest's bytes are never changed, since one changed byte
//! makes another image. No I/O here.

mod verified;

use std::collections::{BTreeMap, BTreeSet};

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use wildmatch::WildMatch;

pub use self::verified::VerifiedManifest;
use crate::model::config::{CommitSource, Config};
use crate::model::limits::ADDRESS;
use crate::model::{Commit, Digest, Tag};

/// The media types of manifests that can be promoted. A request to ECR names them all, since ECR
/// may convert or leave out an image of another type.
pub const MEDIA_TYPES: [&str; 4] = [
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
];

/// The media types of an image's config. A Helm chart, a signature or any other artifact has
/// another one.
const CONFIG_TYPES: [&str; 2] =
    ["application/vnd.docker.container.image.v1+json", "application/vnd.oci.image.config.v1+json"];

/// The most platforms of an index that are looked at. An index is foreign data, and each platform
/// costs three calls.
pub const MOST_PLATFORMS: usize = 32;

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
    /// The media type that ECR reports. An OCI manifest may leave it out.
    pub media_type: String,
    /// The revision annotation, if it is a commit.
    pub annotation: Option<Commit>,
    /// The annotation that describes the build: the subject of its commit.
    pub description: Option<String>,
    /// The annotation with the authors.
    pub authors: Option<String>,
    /// The annotation with the address of the CI run.
    pub url: Option<String>,
    /// The place of the image config, which contains the labels.
    pub config: ConfigLocation,
}

/// The place of an image's labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigLocation {
    /// A single image: the digest of its config blob.
    Blob(Digest),
    /// An index: the digests of its platform images, each once, and no more than
    /// [`MOST_PLATFORMS`].
    Platforms(Vec<Digest>),
    /// No place: nothing can have a label.
    Nowhere,
    /// No container image, so never a candidate: its type, such as that of a Helm chart or a
    /// signature.
    Artifact(String),
}

impl Image {
    /// Verifies and reads a manifest. The error says how it contradicts its digest or its format.
    pub fn parse(
        digest: &Digest,
        manifest: String,
        media_type: Option<String>,
    ) -> Result<Self, String> {
        let verified = VerifiedManifest::of(digest, manifest).map_err(|actual| {
            format!(
                "the manifest's sha256 is {actual}, not {digest}: ECR returned another manifest, \
                 or converted it"
            )
        })?;
        Self::read(verified, media_type)
    }

    /// Reads a manifest. The error says how it contradicts its format.
    pub fn read(manifest: VerifiedManifest, media_type: Option<String>) -> Result<Self, String> {
        let (digest, manifest) = manifest.into_parts();
        let body: Manifest = serde_json::from_str(&manifest)
            .map_err(|e| format!("the manifest of {digest} cannot be read: {e}"))?;
        let media_type = media_type.or(body.media_type).ok_or_else(|| {
            format!("neither ECR nor the manifest of {digest} says its media type")
        })?;
        if !MEDIA_TYPES.contains(&media_type.as_str()) {
            return Err(format!(
                "{digest} is a `{media_type}`, which cannot be promoted; expected one of {}",
                MEDIA_TYPES.join(", ")
            ));
        }
        let config =
            location(body.artifact_type, body.manifests, body.config).ok_or_else(|| {
                format!("{digest} is an image and an index at once, which cannot be promoted")
            })?;
        let BuildLabels { revision: annotation, description, authors, url } =
            body.annotations.map(BuildLabels::from).unwrap_or_default();
        Ok(Self { digest, manifest, media_type, annotation, description, authors, url, config })
    }
}

/// Finds where the labels are. `None` for a manifest that is an image and an index at once: two
/// tools may read such a manifest differently, and run different things.
fn location(
    artifact_type: Option<String>,
    manifests: Option<Platforms>,
    config: Option<Descriptor>,
) -> Option<ConfigLocation> {
    Some(match (artifact_type.filter(|kind| !kind.is_empty()), manifests, config) {
        (_, Some(_), Some(_)) => return None,
        (Some(kind), _, _) => ConfigLocation::Artifact(kind),
        (None, Some(Platforms(platforms)), None) if platforms.is_empty() => {
            ConfigLocation::Artifact("an index without an image".to_owned())
        }
        (None, Some(Platforms(platforms)), None) => ConfigLocation::Platforms(platforms),
        (None, None, Some(config)) => match config.media_type {
            Some(kind) if !CONFIG_TYPES.contains(&kind.as_str()) => ConfigLocation::Artifact(kind),
            Some(_) | None => config
                .digest
                .and_then(|text| text.parse().ok())
                .map_or(ConfigLocation::Nowhere, ConfigLocation::Blob),
        },
        (None, None, None) => ConfigLocation::Nowhere,
    })
}

/// A manifest or an index. Only these fields are kept, so that foreign data takes no memory.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    manifests: Option<Platforms>,
    annotations: Option<Labels>,
}

/// A reference to a config, or to a child of an index.
/// <https://specs.opencontainers.org/image-spec/descriptor/>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: Option<String>,
    digest: Option<String>,
    artifact_type: Option<String>,
    platform: Option<Platform>,
    annotations: Option<Reference>,
}

#[derive(Deserialize)]
struct Platform {
    os: Option<String>,
    architecture: Option<String>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "vnd.docker.reference.type")]
    kind: Option<IgnoredAny>,
}

impl Descriptor {
    /// The child's digest, if it is the image for a platform. `None` for an attestation, a
    /// signature or a SOCI index.
    fn image(self) -> Option<Digest> {
        let is_image = self.media_type.is_none_or(|kind| MEDIA_TYPES.contains(&kind.as_str()));
        let is_artifact = self.artifact_type.is_some_and(|kind| !kind.is_empty());
        let is_unknown = self.platform.is_some_and(|p| {
            [p.os, p.architecture].iter().any(|part| part.as_deref() == Some("unknown"))
        });
        let is_attestation =
            is_unknown || self.annotations.is_some_and(|annotations| annotations.kind.is_some());
        self.digest.filter(|_| is_image && !is_artifact && !is_attestation)?.parse().ok()
    }
}

/// The platform images of an index.
struct Platforms(Vec<Digest>);

impl<'de> Deserialize<'de> for Platforms {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Children;
        impl<'de> Visitor<'de> for Children {
            type Value = Platforms;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the list of an index's children")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut children: A) -> Result<Platforms, A::Error> {
                let mut platforms = Vec::new();
                while let Some(child) = children.next_element::<Descriptor>()? {
                    let new = child.image().filter(|digest| {
                        platforms.len() < MOST_PLATFORMS && !platforms.contains(digest)
                    });
                    platforms.extend(new);
                }
                Ok(Platforms(platforms))
            }
        }
        json.deserialize_seq(Children)
    }
}

/// The labels of an image config, or the annotations of a manifest.
#[derive(Deserialize)]
struct Labels {
    #[serde(rename = "org.opencontainers.image.revision")]
    revision: Option<String>,
    #[serde(rename = "org.opencontainers.image.description")]
    description: Option<String>,
    #[serde(rename = "org.opencontainers.image.authors")]
    authors: Option<String>,
    #[serde(rename = "org.opencontainers.image.url")]
    url: Option<String>,
}

/// What a build says about itself. The description is the subject of its commit, where CI sets it
/// so. Foreign text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BuildLabels {
    /// The commit.
    pub revision: Option<Commit>,
    /// The description.
    pub description: Option<String>,
    /// The authors.
    pub authors: Option<String>,
    /// The address of the CI run.
    pub url: Option<String>,
}

impl From<Labels> for BuildLabels {
    fn from(labels: Labels) -> Self {
        // A description may be a whole page. What is kept of it is one line.
        let short = |text: String| text.chars().take(LONGEST_TEXT).collect();
        Self {
            revision: labels.revision.and_then(|text| text.parse().ok()),
            description: labels.description.map(short),
            authors: labels.authors.map(short),
            // A cut address would lead elsewhere.
            url: labels.url.filter(|url| url.len() <= ADDRESS),
        }
    }
}

/// The most characters of a description that are read.
const LONGEST_TEXT: usize = 1_000;

/// The labels in an image config.
pub fn labels(config: &[u8]) -> Option<BuildLabels> {
    #[derive(Deserialize)]
    struct ImageConfig {
        config: Option<Container>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Container {
        labels: Option<Labels>,
    }
    serde_json::from_slice::<ImageConfig>(config).ok()?.config?.labels.map(BuildLabels::from)
}

/// A repository's rules for which tags can be moved to another image.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html>
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagMutability {
    /// Whether the repository's tags are immutable.
    pub is_immutable: bool,
    /// Tags for which the opposite is true, by name with `*` for any characters.
    pub exclusions: Vec<String>,
}

impl TagMutability {
    /// Whether this tag can be moved.
    pub fn can_move(&self, tag: &Tag) -> bool {
        let is_excluded =
            self.exclusions.iter().any(|filter| WildMatch::new(filter).matches(tag.as_str()));
        self.is_immutable == is_excluded
    }
}

/// The tags that were read, with their images. A repository may have 100,000 tags, and a look needs
/// a few of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tags {
    /// The image of each tag; `None` for a tag that no image has.
    holders: BTreeMap<Tag, Option<Digest>>,
    /// Images whose tags are all known.
    whole: BTreeSet<Digest>,
    /// Whether these are all tags of the repository.
    are_all: bool,
}

/// Collects all tags of a repository.
impl FromIterator<(Tag, Digest)> for Tags {
    fn from_iter<T: IntoIterator<Item = (Tag, Digest)>>(pairs: T) -> Self {
        let holders = pairs.into_iter().map(|(tag, digest)| (tag, Some(digest))).collect();
        Self { holders, whole: BTreeSet::new(), are_all: true }
    }
}

impl Tags {
    /// Adds a tag that was read, with its image.
    pub fn insert(&mut self, tag: Tag, holder: Option<Digest>) {
        self.holders.insert(tag, holder);
    }

    /// Adds all tags of an image.
    pub fn insert_all_of(&mut self, digest: &Digest, tags: impl IntoIterator<Item = Tag>) {
        self.holders.extend(tags.into_iter().map(|tag| (tag, Some(digest.clone()))));
        self.whole.insert(digest.clone());
    }

    /// The image of a tag. The outer `None`: the tag was not read; the inner one: no image has it.
    pub fn holder(&self, tag: &Tag) -> Option<Option<&Digest>> {
        match self.holders.get(tag) {
            Some(holder) => Some(holder.as_ref()),
            None => self.are_all.then_some(None),
        }
    }

    /// Whether a tag is known to be on this image.
    pub fn is_on(&self, tag: &Tag, digest: &Digest) -> bool {
        self.holder(tag).flatten() == Some(digest)
    }

    /// The commit that an image's tags name. The outer `None`: its tags were not read; the inner
    /// one: they name no commit, or several.
    pub fn commit(&self, digest: &Digest, config: &Config) -> Option<Option<Commit>> {
        if !self.are_all && !self.whole.contains(digest) {
            return None;
        }
        let own = format!("{}{}", config.tag_prefix, digest.short());
        let tags =
            self.holders.iter().filter(|(_, on)| on.as_ref() == Some(digest)).map(|(tag, _)| tag);
        let named: BTreeSet<Commit> = tags
            .filter(|tag| tag.as_str() != own && **tag != config.source_tag)
            .filter_map(commit_in)
            .collect();
        let longest = named.iter().max_by_key(|commit| commit.as_str().len());
        Some(
            longest
                .filter(|longest| named.iter().all(|commit| longest.agrees_with(commit)))
                .cloned(),
        )
    }
}

/// The commit that a tag names, if it does: 40 hex digits, or 7-39 with a letter among them, alone
/// or after `<word>_`. A number of seven digits is more likely a build number or a date.
pub fn commit_in(tag: &Tag) -> Option<Commit> {
    let text = tag.as_str();
    let last = match text.rsplit_once('_') {
        Some(("", _)) => return None,
        Some((_, last)) => last,
        None => text,
    };
    let commit: Commit = last.parse().ok()?;
    (last.len() == 40 || last.bytes().any(|b| b.is_ascii_alphabetic())).then_some(commit)
}

/// The commit of an image, or what must be read to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitOf {
    /// The commit; `None` if the image names none.
    Known(Option<Commit>),
    /// The order reaches `label`, which has not been read.
    NeedsLabel,
    /// The order reaches `tag`, and the image's tags have not been read.
    NeedsTags,
}

/// Looks for the commit in the configured order; `labels` are those of the image config, once it
/// was read.
pub fn commit_of(
    image: &Image,
    tags: &Tags,
    labels: Option<&BuildLabels>,
    config: &Config,
) -> CommitOf {
    if matches!(image.config, ConfigLocation::Artifact(_)) {
        return CommitOf::Known(None);
    }
    for source in &config.commit_from {
        let found = match source {
            CommitSource::Tag => match tags.commit(&image.digest, config) {
                Some(found) => found,
                None => return CommitOf::NeedsTags,
            },
            CommitSource::Annotation => image.annotation.clone(),
            CommitSource::Label => match (labels, &image.config) {
                (_, ConfigLocation::Nowhere | ConfigLocation::Artifact(_)) => None,
                (Some(labels), _) => labels.revision.clone(),
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

/// The tag that this image has, or is to get, in production. A tag is never moved. So if the plain
/// tag is on another digest (the commit was built twice), the digest becomes part of the tag, and
/// then a number. `taken` are tags that the image must not get. A tag that was not read counts as
/// free: the call that puts it finds out.
pub fn production_tag(
    digest: &Digest,
    commit: Option<&Commit>,
    tags: &Tags,
    taken: &BTreeSet<Tag>,
    config: &Config,
) -> Option<Tag> {
    let prefix = &config.tag_prefix;
    let names = match commit {
        Some(commit) => {
            vec![format!("{prefix}{commit}"), format!("{prefix}{commit}-{}", digest.short())]
        }
        None => vec![
            format!("{prefix}{}", digest.short()),
            format!("{prefix}{}", &digest.as_str()["sha256:".len()..]),
        ],
    };
    // Somebody may have put all of these on other images. A number then makes a free one.
    let more: Vec<String> =
        (2..=9).filter_map(|number| Some(format!("{}-{number}", names.last()?))).collect();
    let names = names.iter().chain(&more).filter_map(|name| name.parse().ok());
    let names: Vec<Tag> = names.filter(|tag| !taken.contains(tag)).collect();
    let has = names.iter().find(|tag| tags.is_on(tag, digest));
    has.or_else(|| names.iter().find(|tag| tags.holder(tag).flatten().is_none())).cloned()
}

#[cfg(test)]
mod tests;
