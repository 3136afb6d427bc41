//! The images of tags, and the only write: `PutImage` of the same bytes under another tag.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-retag.html>

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecr::types::{ImageFailureCode, ImageIdentifier};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::error::Error;
use crate::model::image::Image;
use crate::model::{Digest, Repository, Tag};
use crate::services::clients::Clients;
use crate::services::failure::failed;
use crate::world::Applied;

/// The most calls for single tags at the same time.
const IN_FLIGHT: usize = 8;

impl Clients {
    /// Reads the image of each of these tags, of any kind; `None` for a tag on no image.
    pub(in super::super) async fn tags_named(
        &self,
        repository: &Repository,
        tags: &BTreeSet<Tag>,
    ) -> Result<BTreeMap<Tag, Option<Digest>>, Error> {
        if tags.is_empty() {
            return Ok(BTreeMap::new());
        }
        Ok(self.tags_if_there(repository, tags).await?.unwrap_or_default())
    }

    /// Reads the image of one tag.
    pub(in super::super) async fn tag_named(
        &self,
        repository: &Repository,
        tag: &Tag,
    ) -> Result<Option<Digest>, Error> {
        Ok(self.tags_named(repository, &[tag.clone()].into()).await?.remove(tag).flatten())
    }

    /// Reads the images of these tags; `None` if there is no such repository.
    pub(in super::super) async fn tags_if_there(
        &self,
        repository: &Repository,
        tags: &BTreeSet<Tag>,
    ) -> Result<Option<BTreeMap<Tag, Option<Digest>>>, Error> {
        let ids = tags
            .iter()
            .map(|tag| ImageIdentifier::builder().image_tag(tag.as_str()).build())
            .collect();
        let Some((rows, failures)) = self.batch_get_image(repository, ids).await? else {
            return Ok(None);
        };
        let mut known = BTreeMap::new();
        for id in rows.into_iter().filter_map(|row| row.image_id) {
            let digest: Option<Digest> = id.image_digest.and_then(|digest| digest.parse().ok());
            let by_name = id
                .image_tag
                .and_then(|tag| tag.parse::<Tag>().ok())
                .filter(|tag| tags.contains(tag));
            let only_one = tags.first().filter(|_| tags.len() == 1).cloned();
            known.extend(by_name.or(only_one).zip(digest.map(Some)));
        }
        for failure in failures
            .iter()
            .filter(|failure| failure.failure_code == Some(ImageFailureCode::ImageNotFound))
        {
            let tag = failure
                .image_id
                .as_ref()
                .and_then(|id| id.image_tag())
                .and_then(|tag| tag.parse().ok());
            known.extend(tag.map(|tag| (tag, None)));
        }
        // BatchGetImage does not return other artifacts, such as Helm charts. They have tags too.
        let holder = async |tag: &Tag| {
            let id = ImageIdentifier::builder().image_tag(tag.as_str()).build();
            let detail = self.describe(repository, id).await?;
            Ok::<_, Error>((
                tag.clone(),
                detail.and_then(|detail| detail.image_digest?.parse().ok()),
            ))
        };
        let unknown: Vec<&Tag> = tags.iter().filter(|tag| !known.contains_key(*tag)).collect();
        let others: Vec<_> =
            stream::iter(unknown).map(holder).buffer_unordered(IN_FLIGHT).try_collect().await?;
        Ok(Some(known.into_iter().chain(others).collect()))
    }

    /// Checks that each tag is on its image, or on none.
    pub(in super::super) async fn check_tags(
        &self,
        repository: &Repository,
        tags: &[(Tag, Digest)],
    ) -> Result<Applied, Error> {
        let holders =
            self.tags_named(repository, &tags.iter().map(|(tag, _)| tag.clone()).collect()).await?;
        let is_taken = |(tag, digest): &&(Tag, Digest)| {
            holders.get(tag).is_some_and(|on| on.as_ref().is_some_and(|on| on != digest))
        };
        Ok(tags
            .iter()
            .find(is_taken)
            .map_or(Applied::Done, |(tag, _)| Applied::TagTaken(tag.clone())))
    }

    /// Reads all tags of one image; `None` if there is no such image.
    pub(in super::super) async fn tags_of(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<BTreeSet<Tag>>, Error> {
        let id = ImageIdentifier::builder().image_digest(digest.as_str()).build();
        let Some(detail) = self.describe(repository, id).await? else { return Ok(None) };
        Ok(Some(
            detail
                .image_tags
                .unwrap_or_default()
                .iter()
                .filter_map(|tag| tag.parse().ok())
                .collect(),
        ))
    }

    /// Puts a tag on an image: the same bytes and digest get one more name.
    pub(in super::super) async fn put_tag(
        &self,
        repository: &Repository,
        image: &Image,
        tag: &Tag,
    ) -> Result<Applied, Error> {
        let request = self
            .ecr
            .put_image()
            .repository_name(repository.as_str())
            .image_manifest(&image.manifest)
            .image_manifest_media_type(&image.media_type)
            .image_digest(image.digest.as_str())
            .image_tag(tag.as_str());
        let Err(error) = self.patiently("ecr:PutImage", || request.clone().send()).await else {
            return Ok(Applied::Done);
        };
        match error.as_service_error() {
            Some(e) if e.is_image_already_exists_exception() => Ok(Applied::Done),
            Some(e) if e.is_image_tag_already_exists_exception() => {
                self.who_holds(repository, image, tag).await
            }
            _ => Err(failed("ecr:PutImage", format!("`{repository}:{tag}`"), &error)),
        }
    }

    /// Reads which image has an immutable tag: ours, if the answer to the first try was lost, or
    /// another one.
    async fn who_holds(
        &self,
        repository: &Repository,
        image: &Image,
        tag: &Tag,
    ) -> Result<Applied, Error> {
        let id = ImageIdentifier::builder().image_tag(tag.as_str()).build();
        let (rows, _) = self.batch_get_image(repository, vec![id]).await?.unwrap_or_default();
        let is_ours = rows.iter().any(|row| {
            row.image_id.as_ref().and_then(|id| id.image_digest.as_deref())
                == Some(image.digest.as_str())
        });
        Ok(if is_ours { Applied::Done } else { Applied::TagTaken(tag.clone()) })
    }
}

#[cfg(test)]
mod tests;
