//! The images of a test, in the embedded ECR. What ECR takes and what it refuses is in
//! scripts/embedded_ecr.py, which the demonstration uses too.

use std::collections::HashSet;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::backend::Emulator;
use super::cloud::lock;
use super::fault::json_error;
use super::http::{Request, Response};
use super::image::{DOCKER_MANIFEST, Image, OCI_INDEX, OCI_MANIFEST, sha256};

/// What scripts/embedded_ecr.py signs the address of a layer with; whoever has it can read the
/// layer.
pub(crate) const LAYER_SIGNATURE: &str = "6e5f1d0cafe-layer-signature-2a7b";

/// The calls of the function: everything else is no business of it.
const ACTIONS: [&str; 7] = [
    "BatchGetImage",
    "DescribeImages",
    "DescribeRepositories",
    "GetDownloadUrlForLayer",
    "GetLifecyclePolicy",
    "ListImages",
    "PutImage",
];

/// Which tags are not as the repository's others, for each kind of repository that has such.
const EXCLUDED: [(&str, &str); 2] =
    [("IMMUTABLE_WITH_EXCLUSION", "latest"), ("MUTABLE_WITH_EXCLUSION", "production_*")];

pub(crate) struct Registry {
    emulator: Emulator,
    /// The digests that tests pushed.
    pushed: Mutex<HashSet<String>>,
    /// What else the function put.
    foreign: Mutex<Vec<String>>,
}

/// An image as the emulator keeps it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) digest: String,
    pub(crate) tags: Vec<String>,
    pub(crate) media_type: String,
    pub(crate) manifest: String,
}

impl Registry {
    pub(crate) fn new(emulator: Emulator) -> Registry {
        Registry { emulator, pushed: Mutex::default(), foreign: Mutex::default() }
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

    pub(crate) async fn set_lifecycle(&self, repository: &str, policy: &Value) {
        let text = policy.to_string();
        let body = json!({ "repositoryName": repository, "lifecyclePolicyText": text });
        self.emulator.must("ecr:PutLifecyclePolicy", &body).await;
    }

    pub(crate) async fn delete(&self, repository: &str) {
        self.emulator
            .must("ecr:DeleteRepository", &json!({ "repositoryName": repository, "force": true }))
            .await;
    }

    /// `docker push`: the children of an index first, then the image under each of the tags, which
    /// move to it. The blobs of each go before its manifest.
    pub(crate) async fn push(&self, repository: &str, image: &Image, tags: &[&str]) {
        for part in image.children.iter().chain([image]) {
            for blob in &part.blobs {
                self.emulator.upload_blob(repository, blob).await;
            }
            lock(&self.pushed).insert(part.digest());
        }
        let children = image.children.iter().map(|child| (child, None));
        let tagged = tags.iter().map(|tag| (image, Some(*tag)));
        for (image, tag) in children.chain(tagged) {
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
        let described = self
            .emulator
            .must("ecr:DescribeImages", &json!({ "repositoryName": repository }))
            .await;
        assert_eq!(described["nextToken"], Value::Null, "more images than a page has");
        let details = described["imageDetails"].as_array().expect("a row for each image");
        let ids: Vec<Value> =
            details.iter().map(|detail| json!({ "imageDigest": detail["imageDigest"] })).collect();
        let wanted = json!({
            "repositoryName": repository,
            "imageIds": ids,
            "acceptedMediaTypes": [DOCKER_MANIFEST, OCI_MANIFEST, OCI_INDEX],
        });
        let got = self.emulator.must("ecr:BatchGetImage", &wanted).await;
        let rows = got["images"].as_array().expect("a row for each tag");
        let mut images: Vec<Stored> = details
            .iter()
            .map(|detail| {
                let digest = &detail["imageDigest"];
                let row = rows.iter().find(|row| row["imageId"]["imageDigest"] == *digest);
                let row = row.unwrap_or_else(|| panic!("no manifest of {digest}: {got}"));
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                Stored {
                    digest: text(digest),
                    tags: serde_json::from_value(detail["imageTags"].clone()).unwrap_or_default(),
                    media_type: text(&row["imageManifestMediaType"]),
                    manifest: text(&row["imageManifest"]),
                }
            })
            .collect();
        images.sort_by(|a, b| a.digest.cmp(&b.digest));
        images
    }

    /// A call of the function.
    pub(crate) async fn answer(&self, action: &str, body: &Value, request: &Request) -> Response {
        if !ACTIONS.contains(&action) {
            let why = format!("the function has no business with ecr:{action}");
            return json_error(400, "InvalidAction", &why);
        }
        if action == "PutImage" {
            let manifest = body["imageManifest"].as_str().unwrap_or_default();
            if !lock(&self.pushed).contains(&sha256(manifest)) {
                lock(&self.foreign).push(format!("PutImage of what nobody pushed: {manifest}"));
            }
        }
        let mut answer = self.emulator.forward(request).await;
        if action == "GetDownloadUrlForLayer" && answer.status.is_success() {
            // The download is a call of the function too: it goes through the proxy.
            let mut body: Value =
                serde_json::from_slice(&answer.body).expect("the emulator answers JSON");
            let url = body["downloadUrl"].as_str().expect("an address");
            let here = format!("http://{}", request.header("host"));
            body["downloadUrl"] = json!(url.replacen(self.emulator.url(), &here, 1));
            answer.body = body.to_string().into();
        }
        answer
    }

    /// What the function put that nobody pushed before: it tags images, and makes none.
    pub(crate) fn violations(&self) -> Vec<String> {
        lock(&self.foreign).clone()
    }
}
