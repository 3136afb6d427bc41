//! ECR: one image by its digest, and the calls that the files of this directory share.

pub(super) mod candidates;
mod lifecycle;
mod mutability;
mod replica;
mod search;
mod tags;

use aws_sdk_ecr::operation::describe_images::DescribeImagesError;
use aws_sdk_ecr::types::{Image as Row, ImageDetail, ImageFailure, ImageIdentifier};

use super::bounded::{MOST_BYTES, is_too_large};
use super::clients::Clients;
use super::failure::failed;
use crate::error::Error;
use crate::model::image::{Image, MEDIA_TYPES, VerifiedManifest};
use crate::model::{Digest, Repository};

/// The most images that one BatchGetImage may ask for.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html>
const BATCH: usize = 100;

/// Images, and why others that were asked for are missing.
type Answered = (Vec<Row>, Vec<ImageFailure>);

impl Clients {
    /// Reads an image by its digest and verifies its bytes. The inner `Err` says why it cannot be
    /// pulled.
    pub(super) async fn image(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Result<Image, String>, Error> {
        let image = self.image_if_there(repository, digest).await?;
        Ok(image.unwrap_or_else(|| Err(gone(digest, &[]))))
    }

    /// Reads the same; `None` if there is no such repository.
    async fn image_if_there(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<Result<Image, String>>, Error> {
        let id = ImageIdentifier::builder().image_digest(digest.as_str()).build();
        let Some((rows, failures)) = self.batch_get_image(repository, vec![id]).await? else {
            return Ok(None);
        };
        let manifest = rows
            .into_iter()
            .find_map(|row| Some((row.image_manifest?, row.image_manifest_media_type)));
        let Some((manifest, media_type)) = manifest else {
            return Ok(Some(Err(gone(digest, &failures))));
        };
        let verified = VerifiedManifest::of(digest, manifest).map_err(|_| Error::Unexpected {
            resource: format!("manifest {digest} of `{repository}`"),
            problem: "ECR answered bytes with another sha256".to_owned(),
        })?;
        Ok(Some(Image::read(verified, media_type)))
    }

    /// Says why an existing image cannot be pulled: it is archived, or it is gone. `None` if it
    /// can.
    pub(super) async fn unavailable(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<String>, Error> {
        let id = ImageIdentifier::builder().image_digest(digest.as_str()).build();
        let Some(detail) = self.describe(repository, id).await? else {
            return Ok(Some(gone(digest, &[])));
        };
        let status = detail.image_status.as_ref().map(|status| status.as_str());
        Ok(status
            .filter(|status| *status != "ACTIVE")
            .map(|status| format!("{digest} cannot be pulled: it is {status}")))
    }

    /// Reads the images with these ids; `None` if there is no such repository.
    async fn batch_get_image(
        &self,
        repository: &Repository,
        ids: Vec<ImageIdentifier>,
    ) -> Result<Option<Answered>, Error> {
        let mut request = self
            .ecr
            .batch_get_image()
            .repository_name(repository.as_str())
            .set_image_ids(Some(ids));
        for media_type in MEDIA_TYPES {
            request = request.accepted_media_types(media_type);
        }
        let output = match self.patiently("ecr:BatchGetImage", || request.clone().send()).await {
            Ok(output) => output,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_repository_not_found_exception()) =>
            {
                return Ok(None);
            }
            Err(error) if is_too_large(&error) => {
                let problem = format!(
                    "ecr:BatchGetImage answers more than {} MB of manifests",
                    MOST_BYTES / 1024 / 1024
                );
                return Err(Error::Unexpected {
                    resource: format!("repository `{repository}`"),
                    problem,
                });
            }
            Err(error) => {
                return Err(failed(
                    "ecr:BatchGetImage",
                    format!("repository `{repository}`"),
                    &error,
                ));
            }
        };
        Ok(Some((output.images.unwrap_or_default(), output.failures.unwrap_or_default())))
    }

    /// Reads what ECR knows about one image, by digest or tag; `None` if there is no such image.
    /// One missing image fails a whole call, so each image has its own call.
    async fn describe(
        &self,
        repository: &Repository,
        id: ImageIdentifier,
    ) -> Result<Option<ImageDetail>, Error> {
        let request = self.ecr.describe_images().repository_name(repository.as_str()).image_ids(id);
        match self.patiently("ecr:DescribeImages", || request.clone().send()).await {
            Ok(output) => Ok(output.image_details.unwrap_or_default().into_iter().next()),
            Err(error) if error.as_service_error().is_some_and(is_not_there) => Ok(None),
            Err(error) => {
                Err(failed("ecr:DescribeImages", format!("repository `{repository}`"), &error))
            }
        }
    }
}

fn is_not_there(error: &DescribeImagesError) -> bool {
    error.is_image_not_found_exception() || error.is_repository_not_found_exception()
}

fn gone(digest: &Digest, failures: &[ImageFailure]) -> String {
    let own = failures.iter().find(|f| {
        f.image_id.as_ref().is_some_and(|id| id.image_digest.as_deref() == Some(digest.as_str()))
    });
    let code =
        own.and_then(|f| f.failure_code.as_ref()).map_or("ImageNotFound", |code| code.as_str());
    let words =
        own.and_then(|f| f.failure_reason.as_deref()).unwrap_or("ECR does not have it any more");
    format!("{digest} cannot be pulled: {code}: {words}")
}

#[cfg(test)]
mod tests;
