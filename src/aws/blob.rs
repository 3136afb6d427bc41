//! The image config: a blob that ECR hands out by a presigned URL. CONTRACT: only from AWS (or the emulator that
//! `AWS_ENDPOINT_URL` names), no redirect, at most 4 MB, and only if its sha256 is the one that the manifest names.

use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use futures_util::future::try_join_all;
use http_body_util::{BodyExt, Limited};

use super::{ATTEMPT, Aws, failed};
use crate::error::Error;
use crate::image::{ConfigLocation, Image, agreed, label};
use crate::model::{Commit, Digest, Repository};

/// An image config of this size would already be absurd.
const MOST_BYTES: usize = 4 * 1024 * 1024;

impl Aws {
    /// The commit that the labels of an image name; of an index, the one that all of its platforms agree on.
    pub(super) async fn label(&self, repository: &Repository, image: &Image) -> Result<Option<Commit>, Error> {
        match &image.config {
            ConfigLocation::Nowhere => Ok(None),
            ConfigLocation::Blob(blob) => self.blob_label(repository, blob).await,
            ConfigLocation::Platforms(platforms) => {
                let commits = try_join_all(platforms.iter().map(async |platform| match self.image(repository, platform).await? {
                    Ok(Image { config: ConfigLocation::Blob(blob), .. }) => self.blob_label(repository, &blob).await,
                    Ok(_) | Err(_) => Ok(None),
                }));
                Ok(agreed(commits.await?))
            }
        }
    }

    async fn blob_label(&self, repository: &Repository, blob: &Digest) -> Result<Option<Commit>, Error> {
        Ok(label(&self.blob(repository, blob).await?))
    }

    async fn blob(&self, repository: &Repository, digest: &Digest) -> Result<Vec<u8>, Error> {
        let resource = format!("image config {digest} of `{repository}`");
        let output = self
            .ecr
            .get_download_url_for_layer()
            .repository_name(repository.as_str())
            .layer_digest(digest.as_str())
            .send()
            .await
            .map_err(|error| failed("ecr:GetDownloadUrlForLayer", resource.clone(), &error))?;
        let unexpected = |problem: &str| Error::Unexpected { resource: resource.clone(), problem: problem.to_owned() };
        // The URL is a credential: it is in no error and no log.
        let url = output.download_url.unwrap_or_default();
        if !is_trusted(&url, self.settings.endpoint_url.as_deref()) {
            return Err(unexpected("ECR named a download address that is not of AWS"));
        }
        let request = HttpRequest::get(url).map_err(|_| unexpected("ECR named a download address that is none"))?;
        let download = async {
            let response = self.http.call(request).await.map_err(|_| unexpected("the download failed"))?;
            if response.status().as_u16() != 200 {
                return Err(unexpected(&format!("the download was answered {}", response.status())));
            }
            let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
            Ok(body.map_err(|_| unexpected("the download broke off, or is larger than 4 MB"))?.to_bytes().to_vec())
        };
        let bytes = tokio::time::timeout(ATTEMPT, download).await.map_err(|_| unexpected("the download timed out"))??;
        if Digest::of(&bytes) != *digest {
            return Err(unexpected("what was downloaded has another sha256"));
        }
        Ok(bytes)
    }
}

/// HTTPS to AWS; or the host of the emulator, with its own scheme.
fn is_trusted(url: &str, endpoint: Option<&str>) -> bool {
    let Some((scheme, host)) = scheme_and_host(url) else { return false };
    let is_aws = scheme == "https" && (host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn"));
    is_aws || endpoint.and_then(scheme_and_host).is_some_and(|(own, own_host)| host == own_host && (scheme == "https" || scheme == own))
}

fn scheme_and_host(url: &str) -> Option<(String, String)> {
    let uri: http::Uri = url.parse().ok()?;
    // A user name before the host is a way to make another host look like this one.
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
    Some((uri.scheme_str()?.to_owned(), authority.host().to_ascii_lowercase()))
}

#[cfg(test)]
mod tests;
