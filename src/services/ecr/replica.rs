//! The registry that a stack pulls from, where it is another than the function's own.

use aws_sdk_ecr::types::ImageIdentifier;

use crate::error::Error;
use crate::model::config::App;
use crate::model::image::MEDIA_TYPES;
use crate::model::{Digest, Tag};
use crate::services::failure::failed;
use crate::services::site::Site;
use crate::world::Applied;

impl Site<'_> {
    /// Checks that a tag is on this image in the app's other registry.
    pub(in crate::services) async fn check_replica(
        &self,
        app: &App,
        tag: &Tag,
        digest: &Digest,
    ) -> Result<Applied, Error> {
        let found = self.replica(app, tag).await?;
        let is_there = found.as_ref() == Some(digest);
        Ok(if is_there { Applied::Done } else { Applied::NotReplicated(found) })
    }

    /// Reads the image that a tag is on in the app's other registry, with the credentials of the
    /// app's target; `None` if it is on none, or if there is no such repository yet.
    pub(in crate::services) async fn replica(
        &self,
        app: &App,
        tag: &Tag,
    ) -> Result<Option<Digest>, Error> {
        let target = app.config.target.as_ref();
        let Some(registry) = target.and_then(|target| target.registry_place()) else {
            return Ok(None);
        };
        let ecr = self.ecr_of(&registry);
        let id = ImageIdentifier::builder().image_tag(tag.as_str()).build();
        let mut request = ecr
            .batch_get_image()
            .set_registry_id(registry.account.clone())
            .repository_name(app.repository.as_str())
            .image_ids(id);
        for media_type in MEDIA_TYPES {
            request = request.accepted_media_types(media_type);
        }
        match self.clients.patiently("ecr:BatchGetImage", || request.clone().send()).await {
            Ok(output) => {
                let images = output.images.unwrap_or_default().into_iter();
                let mut ids = images.filter_map(|image| image.image_id);
                let its = ids.find(|id| id.image_tag.as_deref() == Some(tag.as_str()));
                Ok(its.and_then(|id| id.image_digest?.parse().ok()))
            }
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_repository_not_found_exception()) =>
            {
                Ok(None)
            }
            Err(error) => {
                let host = target.and_then(|target| target.registry.as_deref());
                let resource =
                    format!("repository `{}` of {}", app.repository, host.unwrap_or_default());
                Err(failed("ecr:BatchGetImage", resource, &error))
            }
        }
    }
}
