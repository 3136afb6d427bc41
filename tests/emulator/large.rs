//! More apps and images than an emulator could be filled with in the time of a test: they are
//! answered here. None of the apps has anything to do.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::cloud::lock;
use super::fault::json_error;
use super::http::Response;
use super::image::{OCI_MANIFEST, sha256};
use super::world::FIRST_TAG;

/// When the stacks of the fleet were made. They have no services.
const CREATED: &str = "2026-01-05T08:00:00Z";

/// Apps `fleet-0000` and so on, with a repository and a stack each, whose newest image runs.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    pub(crate) apps: usize,
}

impl Fleet {
    pub(crate) fn name(n: usize) -> String {
        format!("fleet-{n:04}")
    }

    fn has(&self, name: &Value) -> bool {
        let number =
            name.as_str().and_then(|name| name.strip_prefix("fleet-")?.parse::<usize>().ok());
        number.is_some_and(|number| number < self.apps)
    }

    fn digest(name: &str) -> String {
        sha256(name)
    }

    /// The answer to a call about one or all of these apps.
    pub(crate) fn answer(&self, op: &str, body: &Value) -> Option<Response> {
        if self.apps == 0 {
            return None;
        }
        match op {
            "ssm:GetParametersByPath" => Some(self.configurations(body)),
            "ssm:GetParameter" => {
                let name = body["Name"].as_str()?.strip_prefix("/ecr-promoter/apps/")?;
                self.has(&json!(name)).then(|| ok(&json!({ "Parameter": parameter(name) })))
            }
            "dynamodb:GetItem" if body["Key"]["item"]["S"] == "state" => {
                let name = &body["Key"]["app"]["S"];
                self.has(name)
                    .then(|| ok(&json!({ "Item": state(name.as_str().unwrap_or_default()) })))
            }
            "dynamodb:BatchGetItem" => {
                let keys = body["RequestItems"]["state"]["Keys"].as_array()?;
                assert!(keys.len() <= 100, "BatchGetItem takes 100 keys");
                let own = keys
                    .iter()
                    .filter_map(|key| key["app"]["S"].as_str())
                    .filter(|name| self.has(&json!(name)));
                Some(ok(
                    &json!({ "Responses": { "state": own.map(state).collect::<Vec<_>>() }, "UnprocessedKeys": {} }),
                ))
            }
            "ecr:BatchGetImage" => {
                let name = body["repositoryName"].as_str().filter(|name| self.has(&json!(name)))?;
                let row = |id: &Value| {
                    let id =
                        json!({ "imageDigest": Fleet::digest(name), "imageTag": id["imageTag"] });
                    json!({
                        "repositoryName": name, "imageId": id, "imageManifest": name,
                        "imageManifestMediaType": OCI_MANIFEST,
                    })
                };
                let rows: Vec<Value> = body["imageIds"].as_array()?.iter().map(row).collect();
                Some(ok(&json!({ "images": rows, "failures": [] })))
            }
            "cloudformation:DescribeStacks" => self
                .has(&body["StackName"])
                .then(|| stack(body["StackName"].as_str().unwrap_or_default())),
            _ => None,
        }
    }

    /// Ten a page.
    fn configurations(&self, body: &Value) -> Response {
        let from: usize =
            body["NextToken"].as_str().map_or(0, |token| token.parse().expect("our own token"));
        let to = self.apps.min(from + 10);
        let mut page = json!({ "Parameters": (from..to).map(|n| parameter(&Fleet::name(n))).collect::<Vec<_>>() });
        if to < self.apps {
            page["NextToken"] = json!(to.to_string());
        }
        ok(&page)
    }
}

fn parameter(name: &str) -> Value {
    let configuration = json!({ "stack": name, "mode": "auto" }).to_string();
    json!({
        "Name": format!("/ecr-promoter/apps/{name}"), "Type": "String", "Value": configuration,
        "Version": 1,
    })
}

/// As the function would have written it at its first looks.
fn state(name: &str) -> Value {
    let text = |text: &str| json!({ "S": text });
    let running = json!({
        "tag": text(FIRST_TAG),
        "digest": text(&Fleet::digest(name)),
        "commit": { "NULL": true },
        "since": { "NULL": true },
        "by": text("before ecr-promoter"),
    });
    json!({
        "app": text(name),
        "item": text("state"),
        "nonce": text("0123456789abcdef0123456789abcdef"),
        "stack": text(name),
        "parameter": text("ProductionTag"),
        "ended": { "N": "0" },
        "stack_id": text(&stack_id(name)),
        "policy": {
            "M": {
                "mode": text("auto"), "approvers": { "L": [] }, "required": { "N": "1" },
                "links": { "BOOL": true },
            },
        },
        "running": { "M": running },
        "services": { "M": { "as_of": text(CREATED), "list": { "L": [] } } },
        "first_ran": text(&Fleet::digest(name)),
        "first_seen": text(&Fleet::digest(name)),
    })
}

fn stack_id(name: &str) -> String {
    format!(
        "arn:aws:cloudformation:us-east-1:012345678912:stack/{name}/6a1f4e30-b3f8-11f0-9d2c-0e7a5c2f9b41"
    )
}

fn stack(name: &str) -> Response {
    let id = stack_id(name);
    let parameter = format!(
        "<member><ParameterKey>ProductionTag</ParameterKey><ParameterValue>{FIRST_TAG}</ParameterValue></member>"
    );
    let stack = format!(
        "<StackId>{id}</StackId><StackName>{name}</StackName><StackStatus>UPDATE_COMPLETE</StackStatus>\
         <CreationTime>{CREATED}</CreationTime><Parameters>{parameter}</Parameters>",
    );
    let result = format!(
        "<DescribeStacksResult><Stacks><member>{stack}</member></Stacks></DescribeStacksResult>"
    );
    Response::new(
        200,
        "text/xml",
        format!("<DescribeStacksResponse>{result}</DescribeStacksResponse>"),
    )
}

/// A repository of very many images, each of a commit of its own, which the manifest's annotation
/// names.
#[derive(Debug)]
pub(crate) struct LargeRepository {
    name: String,
    /// Digest and manifest.
    images: BTreeMap<String, String>,
    tags: Mutex<BTreeMap<String, String>>,
}

impl LargeRepository {
    pub(crate) fn new(name: &str, images: usize) -> LargeRepository {
        let image = |n: usize| {
            let layers: Vec<Value> = (0..12)
                .map(|layer| json!({ "digest": sha256(&format!("{n} {layer}")), "size": 1 }))
                .collect();
            let annotations =
                json!({ "org.opencontainers.image.revision": LargeRepository::commit(n) });
            let manifest = json!({
                "schemaVersion": 2, "mediaType": OCI_MANIFEST, "annotations": annotations,
                "layers": layers,
            });
            let manifest = manifest.to_string();
            (sha256(&manifest), manifest)
        };
        let images: BTreeMap<String, String> = (0..images).map(image).collect();
        let tags =
            images.keys().take(1).map(|digest| ("latest".to_owned(), digest.clone())).collect();
        LargeRepository { name: name.to_owned(), images, tags: Mutex::new(tags) }
    }

    pub(crate) fn commit(n: usize) -> String {
        sha256(&format!("commit {n}"))["sha256:".len()..][..40].to_owned()
    }

    pub(crate) fn tag(&self, tag: &str) -> Option<String> {
        lock(&self.tags).get(tag).cloned()
    }

    pub(crate) fn manifest(&self, digest: &str) -> &str {
        &self.images[digest]
    }

    /// The answer to a call about this repository.
    pub(crate) fn answer(&self, op: &str, body: &Value) -> Option<Response> {
        if body["repositoryName"] != self.name.as_str() {
            return None;
        }
        Some(match op {
            "ecr:ListImages" => self.list(body),
            "ecr:BatchGetImage" => self.batch_get(body),
            "ecr:DescribeImages" => self.describe(body),
            "ecr:PutImage" => {
                let digest = sha256(body["imageManifest"].as_str().unwrap_or_default());
                lock(&self.tags)
                    .insert(body["imageTag"].as_str().unwrap_or_default().to_owned(), digest);
                ok(&json!({ "image": {} }))
            }
            other => json_error(400, "InvalidAction", &format!("no {other} here")),
        })
    }

    fn list(&self, body: &Value) -> Response {
        let tags = lock(&self.tags).clone();
        let mut ids: Vec<Value> = tags
            .iter()
            .map(|(tag, digest)| json!({ "imageDigest": digest, "imageTag": tag }))
            .collect();
        if body["filter"]["tagStatus"] != "TAGGED" {
            let untagged =
                self.images.keys().filter(|digest| !tags.values().any(|tagged| tagged == *digest));
            ids.extend(untagged.map(|digest| json!({ "imageDigest": digest })));
        }
        let from: usize =
            body["nextToken"].as_str().map_or(0, |token| token.parse().expect("our own token"));
        let to = ids.len().min(from + body["maxResults"].as_u64().unwrap_or(100) as usize);
        let mut page = json!({ "imageIds": ids[from..to] });
        if to < ids.len() {
            page["nextToken"] = json!(to.to_string());
        }
        ok(&page)
    }

    /// One image by its digest, with its tags.
    fn describe(&self, body: &Value) -> Response {
        let digest = body["imageIds"][0]["imageDigest"].as_str().unwrap_or_default();
        if !self.images.contains_key(digest) {
            return json_error(400, "ImageNotFoundException", "The image does not exist");
        }
        let tags: Vec<String> = lock(&self.tags)
            .iter()
            .filter(|(_, on)| *on == digest)
            .map(|(tag, _)| tag.clone())
            .collect();
        ok(&json!({
            "imageDetails": [{
                "imageDigest": digest, "imageTags": tags, "imageStatus": "ACTIVE",
            }],
        }))
    }

    fn batch_get(&self, body: &Value) -> Response {
        let (mut images, mut failures) = (Vec::new(), Vec::new());
        for id in body["imageIds"].as_array().into_iter().flatten() {
            let digest = match id["imageTag"].as_str() {
                Some(tag) => self.tag(tag),
                None => id["imageDigest"].as_str().map(str::to_owned),
            };
            match digest.and_then(|digest| self.images.get_key_value(&digest)) {
                Some((digest, manifest)) => images.push(json!({
                    "imageId": { "imageDigest": digest, "imageTag": id["imageTag"] },
                    "imageManifest": manifest,
                    "imageManifestMediaType": OCI_MANIFEST,
                })),
                None => failures.push(json!({
                    "imageId": id, "failureCode": "ImageNotFound", "failureReason": "not there",
                })),
            }
        }
        ok(&json!({ "images": images, "failures": failures }))
    }
}

fn ok(answer: &Value) -> Response {
    Response::new(200, "application/x-amz-json-1.1", answer.to_string())
}
