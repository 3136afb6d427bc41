//! Amazon ECR as strict as AWS's. The emulator keeps the images; it lists one row an image instead
//! of one a tag, leaves a moved tag in the row of the image that lost it, and takes every PutImage.

use std::collections::HashMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::backend::Emulator;
use super::cloud::lock;
use super::fault::json_error;
use super::http::Response;
use super::image::{Image, sha256};

pub(crate) struct Registry {
    emulator: Emulator,
    /// Layers and image configs by digest, as the bucket behind ECR has them.
    layers: Mutex<HashMap<String, String>>,
    /// Looking who has a tag and giving it away is one step.
    putting: tokio::sync::Mutex<()>,
}

/// An image as the emulator keeps it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) digest: String,
    pub(crate) tags: Vec<String>,
    pub(crate) media_type: String,
    pub(crate) manifest: String,
}

/// What the address of a layer is signed with; whoever has it can read the layer.
pub(crate) const LAYER_SIGNATURE: &str = "6e5f1d0cafe-layer-signature-2a7b";

/// Which tags are not as the repository's others, for each kind of repository that has such.
const EXCLUDED: [(&str, &str); 2] =
    [("IMMUTABLE_WITH_EXCLUSION", "latest"), ("MUTABLE_WITH_EXCLUSION", "production_*")];

impl Registry {
    pub(crate) fn new(emulator: Emulator) -> Registry {
        Registry { emulator, layers: Mutex::default(), putting: tokio::sync::Mutex::default() }
    }

    pub(crate) async fn create(&self, repository: &str, mutability: &str) {
        let mut body = json!({ "repositoryName": repository, "imageTagMutability": mutability });
        if let Some(filter) =
            EXCLUDED.iter().find_map(|(kind, filter)| (*kind == mutability).then_some(filter))
        {
            body["imageTagMutabilityExclusionFilters"] =
                json!([{ "filterType": "WILDCARD", "filter": filter }]);
        }
        self.emulator.must("ecr:CreateRepository", &body).await;
    }

    pub(crate) async fn delete(&self, repository: &str) {
        self.emulator
            .must("ecr:DeleteRepository", &json!({ "repositoryName": repository, "force": true }))
            .await;
    }

    /// `docker push`: the children of an index first, then the image under each of the tags, which
    /// move to it.
    pub(crate) async fn push(&self, repository: &str, image: &Image, tags: &[&str]) {
        lock(&self.layers).extend(image.blobs.iter().map(|blob| (sha256(blob), blob.clone())));
        let children = image.children.iter().map(|child| (child, None));
        let tagged = tags.iter().map(|tag| (image, Some(*tag)));
        for (image, tag) in children.chain(tagged) {
            lock(&self.layers).extend(image.blobs.iter().map(|blob| (sha256(blob), blob.clone())));
            let mut body = json!({
                "repositoryName": repository,
                "imageManifest": image.manifest,
                "imageManifestMediaType": image.media_type,
            });
            if let Some(tag) = tag {
                body["imageTag"] = json!(tag);
            }
            self.emulator.must("ecr:PutImage", &body).await;
        }
    }

    /// Every image of the repository, by digest.
    pub(crate) async fn images(&self, repository: &str) -> Vec<Stored> {
        self.stored(repository)
            .await
            .unwrap_or_else(|answer| panic!("{}", String::from_utf8_lossy(&answer.body)))
    }

    pub(crate) fn layer(&self, path: &str) -> Response {
        let digest = path.trim_start_matches("/layers/").split('?').next().unwrap_or_default();
        match lock(&self.layers).get(digest) {
            Some(blob) if path.ends_with(LAYER_SIGNATURE) => {
                Response::new(200, "application/octet-stream", blob.clone())
            }
            _ => Response::new(403, "application/xml", "<Error><Code>AccessDenied</Code></Error>"),
        }
    }

    pub(crate) async fn answer(&self, action: &str, body: &Value, host: &str) -> Response {
        if action == "DescribeRepositories" {
            return self.emulator.json("ecr:DescribeRepositories", body).await;
        }
        let repository = body["repositoryName"].as_str().unwrap_or_default();
        let stored = match self.stored(repository).await {
            Ok(stored) => stored,
            Err(answer) => return answer,
        };
        match action {
            "ListImages" => page("imageIds", &list_images(&stored, body), body),
            "DescribeImages" => match describe_images(&stored, body) {
                Ok(details) => page("imageDetails", &details, body),
                Err(answer) => answer,
            },
            "BatchGetImage" => batch_get_image(&stored, body),
            "PutImage" => {
                let _turn = self.putting.lock().await;
                match self.check_put(repository, body).await {
                    Ok(()) => self.emulator.json("ecr:PutImage", body).await,
                    Err(answer) => answer,
                }
            }
            "GetDownloadUrlForLayer" => {
                let digest = body["layerDigest"].as_str().unwrap_or_default();
                if !lock(&self.layers).contains_key(digest) {
                    return json_error(
                        400,
                        "LayersNotFoundException",
                        "The specified layers could not be found",
                    );
                }
                let url =
                    format!("http://{host}/layers/{digest}?X-Amz-Signature={LAYER_SIGNATURE}");
                ok(&json!({ "downloadUrl": url, "layerDigest": digest }))
            }
            other => json_error(
                400,
                "InvalidAction",
                &format!("the function has no business with ecr:{other}"),
            ),
        }
    }

    async fn stored(&self, repository: &str) -> Result<Vec<Stored>, Response> {
        let answer = self
            .emulator
            .json("ecr:DescribeImages", &json!({ "repositoryName": repository }))
            .await;
        if !answer.status.is_success() {
            return Err(answer);
        }
        let described: Value =
            serde_json::from_slice(&answer.body).expect("the emulator answers JSON");
        let details = described["imageDetails"].as_array().cloned().unwrap_or_default();
        let ids: Vec<Value> =
            details.iter().map(|d| json!({ "imageDigest": d["imageDigest"] })).collect();
        let got = self
            .emulator
            .must("ecr:BatchGetImage", &json!({ "repositoryName": repository, "imageIds": ids }))
            .await;
        let mut images: Vec<Stored> = details
            .iter()
            .zip(got["images"].as_array().expect("a row for each image"))
            .map(|(detail, row)| Stored {
                digest: detail["imageDigest"].as_str().unwrap_or_default().to_owned(),
                tags: serde_json::from_value(detail["imageTags"].clone()).unwrap_or_default(),
                media_type: row["imageManifestMediaType"].as_str().unwrap_or_default().to_owned(),
                manifest: row["imageManifest"].as_str().unwrap_or_default().to_owned(),
            })
            .collect();
        images.sort_by(|a, b| a.digest.cmp(&b.digest));
        Ok(images)
    }

    /// What AWS checks and the emulator does not.
    async fn check_put(&self, repository: &str, body: &Value) -> Result<(), Response> {
        let manifest = body["imageManifest"].as_str().unwrap_or_default();
        let digest = sha256(manifest);
        let invalid = |why: &str| json_error(400, "InvalidParameterException", why);

        if body["imageDigest"].as_str().is_some_and(|named| named != digest) {
            return Err(json_error(
                400,
                "ImageDigestDoesNotMatchException",
                "The digest does not match the manifest",
            ));
        }
        let own: Value =
            serde_json::from_str(manifest).map_err(|_| invalid("Invalid image manifest"))?;
        match (own["mediaType"].as_str(), body["imageManifestMediaType"].as_str()) {
            (None, None) => {
                return Err(invalid(
                    "The manifest has no media type: imageManifestMediaType is needed",
                ));
            }
            (Some(own), Some(named)) if own != named => {
                return Err(invalid("imageManifestMediaType is not the manifest's"));
            }
            _ => {}
        }
        let images = self.stored(repository).await?;
        let Some(image) = images.iter().find(|image| image.digest == digest) else {
            return Err(json_error(
                400,
                "LayersNotFoundException",
                "The layers of this manifest are not there",
            ));
        };
        if body["imageManifestMediaType"].as_str().is_some_and(|named| named != image.media_type) {
            return Err(invalid("imageManifestMediaType is not the one the image was pushed with"));
        }
        let Some(tag) = body["imageTag"].as_str() else { return Ok(()) };
        let whose = format!(
            "Image with digest '{digest}' and tag '{tag}' in the '{repository}' repository"
        );
        match images.iter().find(|image| image.tags.iter().any(|t| t == tag)) {
            Some(holder) if holder.digest == digest => Err(json_error(
                400,
                "ImageAlreadyExistsException",
                &format!("{whose} already exists"),
            )),
            Some(_) if self.is_immutable(repository, tag).await => Err(json_error(
                400,
                "ImageTagAlreadyExistsException",
                &format!("{whose}: the tag is immutable"),
            )),
            _ => Ok(()),
        }
    }

    /// The exclusions of both kinds are those of the examples: `latest` moves, `production_…` does
    /// not.
    async fn is_immutable(&self, repository: &str, tag: &str) -> bool {
        let got = self
            .emulator
            .must("ecr:DescribeRepositories", &json!({ "repositoryNames": [repository] }))
            .await;
        match got["repositories"][0]["imageTagMutability"].as_str().unwrap_or_default() {
            "IMMUTABLE" => true,
            "IMMUTABLE_WITH_EXCLUSION" => tag != "latest",
            "MUTABLE_WITH_EXCLUSION" => tag.starts_with("production_"),
            _ => false,
        }
    }
}

/// One row a tag; an image without tags has one without.
fn rows(image: &Stored) -> Vec<Value> {
    if image.tags.is_empty() {
        return vec![json!({ "imageDigest": image.digest })];
    }
    image.tags.iter().map(|tag| json!({ "imageDigest": image.digest, "imageTag": tag })).collect()
}

fn list_images(stored: &[Stored], body: &Value) -> Vec<Value> {
    let wanted = body["filter"]["tagStatus"].as_str().unwrap_or("ANY");
    stored
        .iter()
        .flat_map(rows)
        .filter(|row| match wanted {
            "TAGGED" => row.get("imageTag").is_some(),
            "UNTAGGED" => row.get("imageTag").is_none(),
            _ => true,
        })
        .collect()
}

fn describe_images(stored: &[Stored], body: &Value) -> Result<Vec<Value>, Response> {
    let chosen: Vec<&Stored> = match body["imageIds"].as_array() {
        None => stored.iter().collect(),
        Some(ids) => ids
            .iter()
            .map(|id| {
                find(stored, id).ok_or_else(|| {
                    json_error(400, "ImageNotFoundException", &format!("no image {id}"))
                })
            })
            .collect::<Result<_, _>>()?,
    };
    Ok(chosen
        .into_iter()
        .map(|image| {
            json!({
                "imageDigest": image.digest,
                "imageTags": image.tags,
                "imageManifestMediaType": image.media_type,
                "imagePushedAt": 1_770_000_000,
                "imageStatus": "ACTIVE",
            })
        })
        .collect())
}

fn batch_get_image(stored: &[Stored], body: &Value) -> Response {
    let accepted: Vec<&str> = body["acceptedMediaTypes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for id in body["imageIds"].as_array().into_iter().flatten() {
        match find(stored, id).filter(|image| accepted.contains(&image.media_type.as_str())) {
            Some(image) => {
                let mut asked = rows(image);
                asked.retain(|row| id["imageTag"].is_null() || row["imageTag"] == id["imageTag"]);
                let manifest = |row| json!({ "imageId": row, "imageManifest": image.manifest, "imageManifestMediaType": image.media_type });
                images.extend(asked.into_iter().map(manifest));
            }
            None => failures.push(json!({
                "imageId": id, "failureCode": "ImageNotFound", "failureReason": "Requested image \
                    not found",
            })),
        }
    }
    ok(&json!({ "images": images, "failures": failures }))
}

fn find<'a>(stored: &'a [Stored], id: &Value) -> Option<&'a Stored> {
    stored.iter().find(|image| {
        let digest = id["imageDigest"].as_str().is_none_or(|digest| digest == image.digest);
        digest && id["imageTag"].as_str().is_none_or(|tag| image.tags.iter().any(|t| t == tag))
    })
}

/// A page of at most `maxResults`, which is 100 unless given.
fn page(name: &str, rows: &[Value], body: &Value) -> Response {
    let from: usize =
        body["nextToken"].as_str().map_or(0, |token| token.parse().expect("our own token"));
    let size = body["maxResults"].as_u64().unwrap_or(100) as usize;
    let to = rows.len().min(from + size);
    let mut answer = json!({ name: rows[from..to] });
    if to < rows.len() {
        answer["nextToken"] = json!(to.to_string());
    }
    ok(&answer)
}

fn ok(answer: &Value) -> Response {
    Response::new(200, "application/x-amz-json-1.1", answer.to_string())
}
