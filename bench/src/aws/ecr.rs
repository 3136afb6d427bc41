//! ECR: repositories whose tags are immutable, except for `latest`.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{ACCOUNT, Answer, REGION};

pub(crate) const MEDIA_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

#[derive(Debug, Default)]
pub(crate) struct Repository {
    /// Manifests by digest.
    images: HashMap<String, String>,
    tags: BTreeMap<String, String>,
    /// The tags that a call has tried to move from one image to another.
    pub(crate) moved: Vec<String>,
}

impl Repository {
    pub(crate) fn push(&mut self, app: &str, commit: &str, tag: &str) -> String {
        let manifest = manifest(app, commit);
        let digest = sha256(&manifest);
        self.images.insert(digest.clone(), manifest);
        self.tag(tag, &digest);
        digest
    }

    pub(crate) fn tag(&mut self, tag: &str, digest: &str) {
        self.tags.insert(tag.to_owned(), digest.to_owned());
    }

    pub(crate) fn digest_of(&self, tag: &str) -> Option<&str> {
        self.tags.get(tag).map(String::as_str)
    }

    /// The digest and the manifest that an id of a request means.
    fn find(&self, id: &Value) -> Option<(&str, &str)> {
        let digest = match id["imageTag"].as_str() {
            Some(tag) => self.tags.get(tag)?.as_str(),
            None => id["imageDigest"].as_str()?,
        };
        let (digest, manifest) = self.images.get_key_value(digest)?;
        Some((digest.as_str(), manifest.as_str()))
    }

    fn batch_get(&self, name: &str, body: &Value) -> Answer {
        let (mut images, mut failures) = (Vec::new(), Vec::new());
        for id in body["imageIds"].as_array().into_iter().flatten() {
            let Some((digest, manifest)) = self.find(id) else {
                failures.push(json!({
                    "imageId": id, "failureCode": "ImageNotFound", "failureReason": "not there",
                }));
                continue;
            };
            let mut its = json!({ "imageDigest": digest });
            if let Some(tag) = id.get("imageTag") {
                its["imageTag"] = tag.clone();
            }
            images.push(json!({
                "registryId": ACCOUNT, "repositoryName": name, "imageId": its,
                "imageManifest": manifest, "imageManifestMediaType": MEDIA_TYPE,
            }));
        }
        Answer::json(&json!({ "images": images, "failures": failures }))
    }

    fn describe_images(&self, name: &str, body: &Value) -> Answer {
        let ids = body["imageIds"].as_array().cloned().unwrap_or_default();
        let mut details = Vec::new();
        for id in &ids {
            let Some((digest, manifest)) = self.find(id) else {
                return Answer::json_error("ImageNotFoundException", "The image does not exist");
            };
            let on = self.tags.iter().filter(|(_, on)| *on == digest);
            let tags: Vec<&String> = on.map(|(tag, _)| tag).collect();
            details.push(json!({
                "registryId": ACCOUNT, "repositoryName": name, "imageDigest": digest,
                "imageTags": tags, "imageSizeInBytes": manifest.len(), "imageStatus": "ACTIVE",
                "imageManifestMediaType": MEDIA_TYPE,
            }));
        }
        Answer::json(&json!({ "imageDetails": details }))
    }

    fn put_image(&mut self, name: &str, body: &Value) -> Answer {
        let manifest = body["imageManifest"].as_str().unwrap_or_default();
        let tag = body["imageTag"].as_str().unwrap_or_default();
        let digest = sha256(manifest);
        if !self.images.contains_key(&digest) {
            return Answer::json_error("LayersNotFoundException", "nobody pushed this manifest");
        }
        match self.tags.get(tag) {
            Some(on) if *on == digest => {
                return Answer::json_error("ImageAlreadyExistsException", "it exists already");
            }
            Some(_) if tag != "latest" => {
                self.moved.push(tag.to_owned());
                let why = "The tag is immutable and on another image";
                return Answer::json_error("ImageTagAlreadyExistsException", why);
            }
            Some(_) | None => {}
        }
        self.tag(tag, &digest);
        Answer::json(&json!({ "image": {
            "registryId": ACCOUNT, "repositoryName": name, "imageManifest": manifest,
            "imageId": { "imageDigest": digest, "imageTag": tag },
        } }))
    }
}

pub(super) fn answer(
    repositories: &mut BTreeMap<String, Repository>,
    action: &str,
    body: &Value,
) -> Answer {
    let name = body["repositoryName"].as_str().or_else(|| body["repositoryNames"][0].as_str());
    let name = name.unwrap_or_default();
    let Some(repository) = repositories.get_mut(name) else {
        return Answer::json_error("RepositoryNotFoundException", "no such repository");
    };
    match action {
        "BatchGetImage" => repository.batch_get(name, body),
        "DescribeImages" => repository.describe_images(name, body),
        "PutImage" => repository.put_image(name, body),
        "DescribeRepositories" => Answer::json(&json!({ "repositories": [{
            "registryId": ACCOUNT, "repositoryName": name,
            "repositoryArn": format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}"),
            "repositoryUri": format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{name}"),
            "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
            "imageTagMutabilityExclusionFilters": [
                { "filterType": "WILDCARD", "filter": "latest" },
            ],
        }] })),
        _ => Answer::json_error("InvalidAction", action),
    }
}

/// The manifest of a Python application's image: a config and ten layers, some 2 KB.
fn manifest(app: &str, commit: &str) -> String {
    let layer = |n: usize| {
        json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": sha256(&format!("{app} layer {n}")), "size": 4_000_000 + n,
        })
    };
    json!({
        "schemaVersion": 2,
        "mediaType": MEDIA_TYPE,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": sha256(&format!("{app} config {commit}")), "size": 7023,
        },
        "layers": (0..10).map(layer).collect::<Vec<_>>(),
        "annotations": { "org.opencontainers.image.revision": commit },
    })
    .to_string()
}

fn sha256(text: &str) -> String {
    let mut digest = "sha256:".to_owned();
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(digest, "{byte:02x}");
    }
    digest
}
