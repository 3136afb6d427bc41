//! A small AWS STS, and what its sessions lead to: stacks, services and alarms of other accounts and
//! regions, and the registries that ECR replicates images to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::cloudformation::CloudFormation;
use super::cloudwatch::CloudWatch;
use super::ecs::Ecs;
use super::fault::{denied, json_error, xml_error};
use super::http::Response;

/// Part of the secret key and of the token of each session.
pub(crate) const SESSION_SECRETS: [&str; 2] = ["target-secret-9d1f", "target-token-44c0"];

/// What is in one account and region.
pub(crate) struct Elsewhere {
    pub(crate) cloudformation: CloudFormation,
    pub(crate) cloudwatch: CloudWatch,
    pub(crate) ecs: Ecs,
    /// The digest of each tag, by repository and tag; a repository that is not here does not exist.
    pub(crate) images: BTreeMap<String, BTreeMap<String, String>>,
}

/// A session of a role.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Session {
    pub(crate) key: String,
    pub(crate) role: String,
    pub(crate) identity: String,
    expires_at: jiff::Timestamp,
}

impl Session {
    /// The account that it leads to.
    fn account(&self) -> &str {
        self.role.split(':').nth(4).unwrap_or_default()
    }
}

/// The sessions, and where they lead.
pub(crate) struct Sts {
    home: (String, String),
    pub(crate) sessions: Vec<Session>,
    /// How long a session lasts.
    pub(crate) lifetime: Duration,
    /// The roles that nobody may assume, and the identities that may assume none.
    pub(crate) denied: BTreeSet<String>,
    places: BTreeMap<(String, String), Elsewhere>,
    wrong: Vec<String>,
}

impl Sts {
    pub(crate) fn new(account: &str, region: &str) -> Sts {
        Sts {
            home: (account.to_owned(), region.to_owned()),
            sessions: vec![],
            lifetime: Duration::from_secs(3600),
            denied: BTreeSet::new(),
            places: BTreeMap::new(),
            wrong: vec![],
        }
    }

    /// What is in that account and region.
    pub(crate) fn place(&mut self, account: &str, region: &str) -> &mut Elsewhere {
        let home = self.home.0.clone();
        let new = || Elsewhere {
            cloudformation: CloudFormation::in_region(account, region),
            cloudwatch: CloudWatch::new(account),
            ecs: Ecs::in_region(account, region).that_pulls_from(&home),
            images: BTreeMap::new(),
        };
        self.places.entry((account.to_owned(), region.to_owned())).or_insert_with(new)
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.wrong.clone()
    }

    /// Answers a call with these credentials in this region; `None` for a call at home.
    pub(crate) fn answer(
        &mut self,
        op: &str,
        body: &Value,
        (key, region): (&str, &str),
    ) -> Option<Response> {
        if op == "sts:AssumeRole" {
            return Some(self.assume(body));
        }
        // The address of a layer is signed, not the request.
        if op == "layer:Get" {
            return None;
        }
        let own = self.sessions.iter().find(|session| session.key == key).cloned();
        if let Some(session) = &own
            && session.expires_at <= jiff::Timestamp::now()
        {
            self.wrong.push(format!("{op} with an expired session"));
            return Some(json_error(403, "ExpiredTokenException", "The token has expired"));
        }
        let account =
            own.as_ref().map_or(self.home.0.clone(), |session| session.account().to_owned());
        let (service, action) = op.split_once(':').unwrap_or_default();
        let registry = body["registryId"].as_str().filter(|_| service == "ecr");
        let place = (registry.unwrap_or(&account).to_owned(), region.to_owned());
        if place == self.home && own.is_none() {
            return None;
        }
        let is_allowed = match service {
            "cloudformation" | "cloudwatch" | "ecs" => true,
            "ecr" => op == "ecr:BatchGetImage" && registry.is_some(),
            _ => false,
        };
        if !is_allowed {
            self.wrong.push(format!("{op} is made with {key} in {region}: {body}"));
            return None;
        }
        let it = self.place(&place.0, &place.1);
        Some(match service {
            "cloudformation" => it.cloudformation.answer(action, body),
            "cloudwatch" => it.cloudwatch.answer(action, body),
            "ecs" => it.ecs.answer(action, body),
            _ => it.replica(body),
        })
    }

    fn assume(&mut self, form: &Value) -> Response {
        let field = |name: &str| form[name].as_str().unwrap_or_default().to_owned();
        let (role, identity) = (field("RoleArn"), field("SourceIdentity"));
        if self.denied.contains(&role) || self.denied.contains(&identity) {
            return denied("sts:AssumeRole", &self.home.0);
        }
        if field("ExternalId").starts_with("wrong") {
            return xml_error(403, "AccessDenied", "is not authorized to perform: sts:AssumeRole");
        }
        let number = self.sessions.len();
        let key = format!("ASIATARGET{number:06}");
        let expires_at = jiff::Timestamp::now() + self.lifetime;
        self.sessions.push(Session { key: key.clone(), role, identity, expires_at });
        let [secret, token] = SESSION_SECRETS;
        let body = format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <AssumeRoleResult><Credentials><AccessKeyId>{key}</AccessKeyId>\
             <SecretAccessKey>{secret}-{number}</SecretAccessKey>\
             <SessionToken>{token}-{number}</SessionToken>\
             <Expiration>{expires_at:.0}</Expiration></Credentials>\
             </AssumeRoleResult></AssumeRoleResponse>"
        );
        Response::new(200, "text/xml", body)
    }
}

impl Elsewhere {
    /// Puts a tag on an image there, as ECR's replication does.
    pub(crate) fn replicate(&mut self, repository: &str, tag: &str, digest: &str) {
        let images = self.images.entry(repository.to_owned()).or_default();
        images.insert(tag.to_owned(), digest.to_owned());
    }

    fn replica(&self, body: &Value) -> Response {
        let repository = body["repositoryName"].as_str().unwrap_or_default();
        let Some(images) = self.images.get(repository) else {
            return json_error(400, "RepositoryNotFoundException", "it does not exist");
        };
        let ids = body["imageIds"].as_array().cloned().unwrap_or_default();
        let (mut found, mut failures) = (vec![], vec![]);
        for id in ids {
            match images.get(id["imageTag"].as_str().unwrap_or_default()) {
                Some(digest) => found.push(json!({
                    "repositoryName": repository, "imageManifest": "{}",
                    "imageId": { "imageTag": id["imageTag"], "imageDigest": digest },
                })),
                None => failures.push(json!({
                    "imageId": id, "failureCode": "ImageNotFound", "failureReason": "not found",
                })),
            }
        }
        let answer = json!({ "images": found, "failures": failures }).to_string();
        Response::new(200, "application/x-amz-json-1.1", answer)
    }
}
