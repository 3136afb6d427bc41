//! ECR's wire.

use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use serde_json::{Value, json};

use super::{json_request, ok_json};
use crate::model::Digest;
use crate::model::image::{Image, MEDIA_TYPES};

pub(in crate::services) const OCI: &str = "application/vnd.oci.image.manifest.v1+json";

pub(in crate::services) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A request with this body.
pub(in crate::services) fn ask(operation: &str, body: &Value) -> Request<SdkBody> {
    json_request(&format!("AmazonEC2ContainerRegistry_V20150921.{operation}"), body)
}

/// The request for the images with these ids, in every form that the function understands.
pub(in crate::services) fn batch_get_image(ids: &Value) -> Request<SdkBody> {
    let asked =
        json!({ "repositoryName": "web", "imageIds": ids, "acceptedMediaTypes": MEDIA_TYPES });
    ask("BatchGetImage", &asked)
}

/// The request for what ECR knows about one image, by digest or tag.
pub(in crate::services) fn describe_images(id: &Value) -> Request<SdkBody> {
    ask("DescribeImages", &json!({ "repositoryName": "web", "imageIds": [id] }))
}

/// The answer with these images, and with these failures.
pub(in crate::services) fn images(rows: &[Value], failures: &[Value]) -> Response<SdkBody> {
    ok_json(&json!({ "images": rows, "failures": failures }))
}

/// One image as BatchGetImage answers it.
pub(in crate::services) fn row(
    digest: &Digest,
    tag: Option<&str>,
    manifest: &str,
    media_type: &str,
) -> Value {
    let mut id = json!({ "imageDigest": digest });
    if let Some(tag) = tag {
        id["imageTag"] = tag.into();
    }
    json!({
        "registryId": "012345678912", "repositoryName": "web", "imageId": id,
        "imageManifest": manifest, "imageManifestMediaType": media_type,
    })
}

/// The answer when there is no such repository.
pub(in crate::services) fn no_repository() -> Response<SdkBody> {
    let words = "The repository with name 'web' does not exist";
    super::json_error("RepositoryNotFoundException", words, &json!({}))
}

/// As `docker push` writes it: the blanks and line breaks count.
pub(in crate::services) const MANIFEST: &str = "{\n   \"schemaVersion\": 2,\n   \"config\": {}\n}";

/// The type of [`MANIFEST`].
pub(in crate::services) const MEDIA_TYPE: &str =
    "application/vnd.docker.distribution.manifest.v2+json";

/// The manifest of another image.
pub(in crate::services) const OLD_MANIFEST: &str = r#"{"schemaVersion":2}"#;

/// The image with [`MANIFEST`].
pub(in crate::services) fn image() -> Image {
    Image::parse(&Digest::of(MANIFEST.as_bytes()), MANIFEST.to_owned(), Some(MEDIA_TYPE.to_owned()))
        .expect("a manifest")
}
