//! The image config: a blob that ECR offers at a presigned URL. It is fetched only from AWS (or
//! from the emulator at `AWS_ENDPOINT_URL`), without redirects, up to 4 MB, and it is used only if
//! its sha256 is the one in the manifest.
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetDownloadUrlForLayer.html>

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
use crate::model::image::{BuildLabels, ConfigLocation, Image, labels};
use crate::model::{Digest, Repository};

/// The largest image config, in bytes. Real ones have some kilobytes.
const MOST_BYTES: usize = 4 * 1024 * 1024;

impl Clients {
    /// Reads an image's labels. An index has the labels of its platforms if all of them name the
    /// same commit.
    pub(super) async fn labels(
        &self,
        repository: &Repository,
        image: &Image,
    ) -> Result<BuildLabels, Error> {
        match &image.config {
            ConfigLocation::Nowhere | ConfigLocation::Artifact(_) => Ok(BuildLabels::default()),
            ConfigLocation::Blob(blob) => self.blob_labels(repository, blob).await,
            ConfigLocation::Platforms(platforms) => {
                let labels = stream::iter(platforms).map(async |platform| {
                    match self.image(repository, platform).await? {
                        Ok(Image { config: ConfigLocation::Blob(blob), .. }) => {
                            self.blob_labels(repository, &blob).await
                        }
                        Ok(_) | Err(_) => Ok(BuildLabels::default()),
                    }
                });
                let mut labels = labels.buffered(SIDE_BY_SIDE);
                let mut agreed: Option<BuildLabels> = None;
                while let Some(own) = labels.try_next().await? {
                    // A platform without the label, or with another commit: the index names no
                    // commit.
                    let disagrees =
                        agreed.as_ref().is_some_and(|agreed| agreed.revision != own.revision);
                    if own.revision.is_none() || disagrees {
                        return Ok(BuildLabels::default());
                    }
                    agreed.get_or_insert(own);
                }
                Ok(agreed.unwrap_or_default())
            }
        }
    }

    async fn blob_labels(
        &self,
        repository: &Repository,
        blob: &Digest,
    ) -> Result<BuildLabels, Error> {
        // The limit holds for the whole sandbox: all configs that are read at the same time must
        // fit into its memory.
        let _turn = self.blobs.acquire().await;
        let config = self.blob(repository, blob).await?;
        Ok(config.and_then(|config| labels(&config)).unwrap_or_default())
    }

    /// Downloads an image config and verifies its digest; `None` if it is too large.
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
        let unexpected = |problem: String| Error::Unexpected { resource, problem };
        // The URL is a credential, so no error and no log names it.
        let url = output.download_url.unwrap_or_default();
        if !is_trusted(&url, self.settings.endpoint_url.as_deref()) {
            return Err(unexpected("ECR named a download address that is not AWS's".to_owned()));
        }
        let bytes = match tokio::time::timeout(ATTEMPT, self.download(url)).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(problem)) => return Err(unexpected(problem)),
            Err(_) => return Err(unexpected("the download timed out".to_owned())),
        };
        let Some(bytes) = bytes else {
            warn!(%repository, %digest, "an image config of more than 4 MB is not read: its image \
                counts as one without a label");
            return Ok(None);
        };
        if Digest::of(&bytes) != *digest {
            return Err(unexpected("the downloaded bytes have another sha256".to_owned()));
        }
        Ok(Some(bytes))
    }

    /// Downloads at most [`MOST_BYTES`]; `None` if there are more. `Err` says what went wrong.
    async fn download(&self, url: String) -> Result<Option<Vec<u8>>, String> {
        let request = HttpRequest::get(url)
            .map_err(|_| "ECR named a download address that is not valid".to_owned())?;
        let response =
            self.http.call(request).await.map_err(|_| "the download failed".to_owned())?;
        let status = response.status();
        if status.as_u16() != 200 {
            return Err(format!("the download was answered {status}"));
        }
        let length =
            response.headers().get("content-length").and_then(|length| length.parse().ok());
        read(response.into_body(), length.unwrap_or_default())
            .await
            .map_err(|_| "the download broke off".to_owned())
    }
}

/// Reads a whole body; `None` if it has more than [`MOST_BYTES`]. If its length is known, the
/// memory is allocated once.
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

/// The endings of AWS's host names, in each partition.
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
