//! The image repository of the AWS in memory: images, and tags that are never moved but by others.

use std::collections::BTreeSet;

use ecr_promoter::model::image::{Image, MEDIA_TYPES, TagMutability};
use ecr_promoter::model::{Digest, Tag};
use ecr_promoter::world::Applied;
use serde_json::{Value, json};

use super::payloads::tag;
use super::world::{Inner, Memory};

impl Memory {
    /// Builds an image of this commit, without a tag.
    pub(crate) fn image(&self, commit: &str) -> Digest {
        self.build(json!({ "org.opencontainers.image.revision": commit }))
    }

    /// CI pushes an image of this commit as `latest`, with its subject and author.
    pub(crate) fn push_with_subject(&self, commit: &str, subject: &str, author: &str) -> Digest {
        let digest = self.build(json!({
            "org.opencontainers.image.revision": commit,
            "org.opencontainers.image.description": subject,
            "org.opencontainers.image.authors": author,
        }));
        self.get_mut().tags.insert(tag("latest"), digest.clone());
        digest
    }

    /// CI pushes an image of this commit as `latest`, with the address of its run.
    pub(crate) fn push_with_run(&self, commit: &str, url: &str) -> Digest {
        let digest = self.build(json!({
            "org.opencontainers.image.revision": commit,
            "org.opencontainers.image.url": url,
        }));
        self.get_mut().tags.insert(tag("latest"), digest.clone());
        digest
    }

    fn build(&self, annotations: Value) -> Digest {
        let mut inner = self.get_mut();
        let build = inner.images.len();
        let manifest = format!(r#"{{"build":{build},"annotations":{annotations}}}"#);
        let digest = Digest::of(manifest.as_bytes());
        let image =
            Image::parse(&digest, manifest, Some(MEDIA_TYPES[2].to_owned())).expect("an image");
        inner.images.insert(digest.clone(), image);
        digest
    }

    /// CI pushes an image of this commit as `latest`.
    pub(crate) fn push(&self, commit: &str) -> Digest {
        let digest = self.image(commit);
        self.get_mut().tags.insert(tag("latest"), digest.clone());
        digest
    }

    /// Somebody puts a tag on an image, or takes it away.
    pub(crate) fn move_tag(&self, name: &str, to: Option<&Digest>) {
        let mut inner = self.get_mut();
        inner.moved_by_others.insert(tag(name));
        match to {
            Some(digest) => inner.tags.insert(tag(name), digest.clone()),
            None => inner.tags.remove(&tag(name)),
        };
    }

    /// Somebody deletes an image, and with it its tags.
    pub(crate) fn delete_image(&self, digest: &Digest) {
        let mut inner = self.get_mut();
        inner.images.remove(digest);
        let gone: Vec<Tag> =
            inner.tags.iter().filter(|(_, on)| *on == digest).map(|(tag, _)| tag.clone()).collect();
        inner.moved_by_others.extend(gone);
        inner.tags.retain(|_, on| on != digest);
    }
}

impl Inner {
    pub(super) fn put_tag(&mut self, image: &Image, tag: &Tag) -> Applied {
        match self.tags.get(tag) {
            Some(on) if *on != image.digest && self.is_immutable => {
                return Applied::TagTaken(tag.clone());
            }
            Some(on) if *on != image.digest => {
                assert!(self.moved_by_others.contains(tag), "the tag {tag} was moved");
            }
            Some(_) | None => {}
        }
        self.tags.insert(tag.clone(), image.digest.clone());
        Applied::Done
    }

    /// The image that each of these tags is on.
    pub(super) fn holders<'a>(
        &self,
        tags: impl IntoIterator<Item = &'a Tag>,
    ) -> Vec<(Tag, Option<Digest>)> {
        tags.into_iter().map(|tag| (tag.clone(), self.tags.get(tag).cloned())).collect()
    }

    pub(super) fn tags_of_each<'a>(
        &self,
        digests: impl IntoIterator<Item = &'a Digest>,
    ) -> Vec<(Digest, BTreeSet<Tag>)> {
        digests.into_iter().map(|digest| (digest.clone(), self.tags_of(digest))).collect()
    }

    pub(super) fn tags_of(&self, digest: &Digest) -> BTreeSet<Tag> {
        self.tags.iter().filter(|(_, on)| *on == digest).map(|(tag, _)| tag.clone()).collect()
    }

    pub(super) fn check_tags(&self, tags: &[(Tag, Digest)]) -> Applied {
        let is_taken =
            |(tag, digest): &&(Tag, Digest)| self.tags.get(tag).is_some_and(|on| on != digest);
        tags.iter().find(is_taken).map_or(Applied::Done, |(tag, _)| Applied::TagTaken(tag.clone()))
    }

    pub(super) fn mutability(&self) -> TagMutability {
        TagMutability { is_immutable: self.is_immutable, exclusions: Vec::new() }
    }

    pub(super) fn find(&self, digest: &Digest) -> Result<Image, String> {
        self.images
            .get(digest)
            .cloned()
            .ok_or_else(|| format!("{digest} cannot be pulled: ImageNotFound"))
    }
}
