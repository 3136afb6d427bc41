//! The image config: a blob that ECR hands out by a presigned URL. CONTRACT: only from AWS (or the
//! emulator that `AWS_ENDPOINT_URL` names), no redirect, at most 4 MB, and only if its sha256 is
//! the one that the manifest names.

use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use futures_util::{StreamExt, TryStreamExt, stream};
use http_body_util::BodyExt;
use tracing::warn;

use super::clients::{ATTEMPT, Clients, SIDE_BY_SIDE};
use super::failure::failed;
use crate::address::Address;
use crate::error::Error;
use crate::model::image::{ConfigLocation, Image, label};
use crate::model::{Commit, Digest, Repository};

/// An image config of this size would already be absurd.
const MOST_BYTES: usize = 4 * 1024 * 1024;

impl Clients {
    /// The commit that the labels of an image name; of an index, the one that all of its platforms
    /// agree on.
    pub(super) async fn label(
        &self,
        repository: &Repository,
        image: &Image,
    ) -> Result<Option<Commit>, Error> {
        match &image.config {
            ConfigLocation::Nowhere | ConfigLocation::Artifact(_) => Ok(None),
            ConfigLocation::Blob(blob) => self.blob_label(repository, blob).await,
            ConfigLocation::Platforms(platforms) => {
                let labels = stream::iter(platforms).map(async |platform| {
                    match self.image(repository, platform).await? {
                        Ok(Image { config: ConfigLocation::Blob(blob), .. }) => {
                            self.blob_label(repository, &blob).await
                        }
                        Ok(_) | Err(_) => Ok(None),
                    }
                });
                let mut labels = labels.buffered(SIDE_BY_SIDE);
                let mut agreed = None;
                while let Some(label) = labels.try_next().await? {
                    // A platform without the label, or with another commit: the index names no
                    // commit.
                    if label.is_none()
                        || agreed.as_ref().is_some_and(|agreed| label.as_ref() != Some(agreed))
                    {
                        return Ok(None);
                    }
                    agreed = label;
                }
                Ok(agreed)
            }
        }
    }

    async fn blob_label(
        &self,
        repository: &Repository,
        blob: &Digest,
    ) -> Result<Option<Commit>, Error> {
        // The limit is for the whole sandbox, not for one image: all configs that are being read
        // must fit into its memory.
        let _turn = self.blobs.acquire().await;
        Ok(self.blob(repository, blob).await?.and_then(|config| label(&config)))
    }

    /// An image config; `None` where it is too large to be one.
    async fn blob(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<Vec<u8>>, Error> {
        let resource = format!("image config {digest} of `{repository}`");
        let output = self
            .ecr
            .get_download_url_for_layer()
            .repository_name(repository.as_str())
            .layer_digest(digest.as_str())
            .send()
            .await
            .map_err(|error| failed("ecr:GetDownloadUrlForLayer", resource.clone(), &error))?;
        let unexpected = |problem: &str| Error::Unexpected {
            resource: resource.clone(),
            problem: problem.to_owned(),
        };
        // The URL is a credential: it is in no error and no log.
        let url = output.download_url.unwrap_or_default();
        if !is_trusted(&url, self.settings.endpoint_url.as_deref()) {
            return Err(unexpected("ECR named a download address that is not of AWS"));
        }
        let request = HttpRequest::get(url)
            .map_err(|_| unexpected("ECR named a download address that is not valid"))?;
        let download = async {
            let response =
                self.http.call(request).await.map_err(|_| unexpected("the download failed"))?;
            if response.status().as_u16() != 200 {
                return Err(unexpected(&format!(
                    "the download was answered {}",
                    response.status()
                )));
            }
            let length =
                response.headers().get("content-length").and_then(|length| length.parse().ok());
            read(response.into_body(), length.unwrap_or_default())
                .await
                .map_err(|_| unexpected("the download broke off"))
        };
        let bytes = tokio::time::timeout(ATTEMPT, download)
            .await
            .map_err(|_| unexpected("the download timed out"))??;
        let Some(bytes) = bytes else {
            warn!(%repository, %digest, "an image config of more than 4 MB is not read: its image \
                counts as one without a label");
            return Ok(None);
        };
        if Digest::of(&bytes) != *digest {
            return Err(unexpected("what was downloaded has another sha256"));
        }
        Ok(Some(bytes))
    }
}

/// Reads a whole body; `None` if it is too large. Where its length is known, the memory is
/// allocated once.
async fn read(
    mut body: SdkBody,
    length: usize,
) -> Result<Option<Vec<u8>>, aws_smithy_types::body::Error> {
    if length > MOST_BYTES {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(length);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if bytes.len() + data.len() > MOST_BYTES {
            return Ok(None);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Some(bytes))
}

/// The endings of AWS's own host names, in each of its partitions.
const AWS_HOSTS: [&str; 7] = [
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    ".c2s.ic.gov",
    ".sc2s.sgov.gov",
    ".cloud.adc-e.uk",
    ".csp.hci.ic.gov",
];

/// Whether an image config may be fetched from `url`: by HTTPS from AWS, or from the host of the
/// emulator by HTTPS or the emulator's own scheme.
fn is_trusted(url: &str, endpoint: Option<&str>) -> bool {
    let Some(url) = Address::parse(url) else { return false };
    let is_aws = url.is_https() && AWS_HOSTS.iter().any(|end| url.host().ends_with(end));
    is_aws || endpoint.and_then(Address::parse).is_some_and(|own| url.is_on_host_of(&own))
}

#[cfg(test)]
mod tests;
