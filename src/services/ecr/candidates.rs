//! The image that an event names, and the image that the source tag is on.

use std::collections::BTreeMap;

use aws_sdk_ecr::types::ImageIdentifier;
use futures_util::future::try_join;

use crate::error::Error;
use crate::model::Digest;
use crate::model::config::App;
use crate::model::image::{Image, Tags, VerifiedManifest};
use crate::services::clients::Clients;

/// What a look reads of its images.
#[derive(Debug, Default)]
pub(in super::super) struct Candidates {
    /// The images, by digest; `Err` says why one cannot be pulled.
    pub(in super::super) found: BTreeMap<Digest, Result<Image, String>>,
    /// The image that the source tag is on.
    pub(in super::super) newest: Option<Digest>,
    /// The tags that were read; `None` if there is no such repository.
    pub(in super::super) tags: Option<Tags>,
}

impl Clients {
    /// Reads the image that an event names, and says which one the source tag is on. Without an
    /// event, the image that the source tag is on is read.
    pub(in super::super) async fn candidates(
        &self,
        app: &App,
        digest: Option<&Digest>,
    ) -> Result<Candidates, Error> {
        let mut candidates = match digest {
            Some(digest) => self.of_event(app, digest).await?,
            None => self.of_source_tag(app).await?,
        };
        if let Some(tags) = &mut candidates.tags {
            tags.insert(app.config.source_tag.clone(), candidates.newest.clone());
        }
        Ok(candidates)
    }

    /// Reads an image and its tags. Most often the source tag is one of them, and need not be asked
    /// for.
    async fn of_event(&self, app: &App, digest: &Digest) -> Result<Candidates, Error> {
        let (repository, source_tag) = (&app.repository, &app.config.source_tag);
        let image = self.image_if_there(repository, digest);
        let (image, its_tags) = try_join(image, self.tags_of(repository, digest)).await?;
        let Some(image) = image else { return Ok(Candidates::default()) };
        let its_tags = its_tags.unwrap_or_default();
        let newest = if its_tags.contains(source_tag) {
            Some(digest.clone())
        } else {
            self.tag_named(repository, source_tag).await?
        };
        let mut tags = Tags::default();
        tags.insert_all_of(digest, its_tags);
        Ok(Candidates { found: [(digest.clone(), image)].into(), newest, tags: Some(tags) })
    }

    async fn of_source_tag(&self, app: &App) -> Result<Candidates, Error> {
        let id = ImageIdentifier::builder().image_tag(app.config.source_tag.as_str()).build();
        let Some((rows, _)) = self.batch_get_image(&app.repository, vec![id]).await? else {
            return Ok(Candidates::default());
        };
        let mut candidates = Candidates { tags: Some(Tags::default()), ..Candidates::default() };
        for row in rows {
            let digest = row.image_id.and_then(|id| id.image_digest?.parse::<Digest>().ok());
            let Some((digest, manifest)) = digest.zip(row.image_manifest) else { continue };
            // ECR may convert a manifest that is asked for by tag. If the bytes have another
            // digest, the image is read again, by digest.
            if let Ok(verified) = VerifiedManifest::of(&digest, manifest) {
                let image = Image::read(verified, row.image_manifest_media_type);
                candidates.found.insert(digest.clone(), image);
            }
            candidates.newest = Some(digest);
        }
        Ok(candidates)
    }
}

#[cfg(test)]
mod tests;
