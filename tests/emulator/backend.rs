//! The AWS emulator at `EMULATOR_URL`: it keeps images, items, parameters and topics. A
//! twelve-digit access key is an account of its own there, so every world has one to itself and
//! tests run side by side with the same names.

use std::io::Write;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::http::{Client, Request, Response};
use super::image::sha256;

pub(crate) const REGION: &str = "us-east-1";

#[derive(Debug, Clone)]
pub(crate) struct Emulator {
    client: Client,
    url: String,
    account: String,
}

impl Emulator {
    /// Nothing, said loudly, where no emulator is given: a test that was left out must not look
    /// like one that passed.
    pub(crate) fn from_env(account: &str) -> Option<Emulator> {
        let url = std::env::var("EMULATOR_URL").unwrap_or_default();
        if url.is_empty() {
            let name = std::thread::current().name().unwrap_or("a test").to_owned();
            let said =
                format!("LEFT OUT: {name} needs an AWS emulator, and EMULATOR_URL is not set\n");
            // Not eprintln!: the test harness would swallow it.
            let _ = std::io::stderr().write_all(said.as_bytes());
            return None;
        }
        let url = url.trim_end_matches('/').to_owned();
        Some(Emulator { client: Client::new(&url), url, account: account.to_owned() })
    }

    /// Its address, without a slash at the end.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) async fn forward(&self, request: &Request) -> Response {
        self.client.send(request).await
    }

    /// A call of a JSON service, named as in an IAM policy, for example `ecr:PutImage`.
    pub(crate) async fn json(&self, op: &str, body: &Value) -> Response {
        let (service, action) = op.split_once(':').expect("service:Action");
        let (prefix, version) = match service {
            "ecr" => ("AmazonEC2ContainerRegistry_V20150921", "1.1"),
            "dynamodb" => ("DynamoDB_20120810", "1.0"),
            "ssm" => ("AmazonSSM", "1.1"),
            other => panic!("{other} does not speak JSON"),
        };
        let target = ("x-amz-target", format!("{prefix}.{action}"));
        let content_type = ("content-type", format!("application/x-amz-json-{version}"));
        self.forward(&self.request(service, &[target, content_type], body.to_string())).await
    }

    /// The same where anything but success is a broken test.
    pub(crate) async fn must(&self, op: &str, body: &Value) -> Value {
        let answer = self.json(op, body).await;
        assert!(
            answer.status.is_success(),
            "{op} {body}: {}",
            String::from_utf8_lossy(&answer.body)
        );
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    pub(crate) async fn create_topic(&self, name: &str) -> String {
        let body = format!("Action=CreateTopic&Version=2010-03-31&Name={name}");
        let content_type = ("content-type", "application/x-www-form-urlencoded".to_owned());
        let answer = self.forward(&self.request("sns", &[content_type], body)).await;
        assert!(
            answer.status.is_success(),
            "CreateTopic: {}",
            String::from_utf8_lossy(&answer.body)
        );
        format!("arn:aws:sns:{REGION}:{}:{name}", self.account)
    }

    /// A layer or an image config in one request, as registries take it.
    pub(crate) async fn upload_blob(&self, repository: &str, blob: &str) {
        let digest = sha256(blob);
        let registry = format!("{}.dkr.ecr.{REGION}.amazonaws.com", self.account);
        let request = Request {
            method: hyper::Method::POST,
            path: format!("/v2/{repository}/blobs/uploads/?digest={digest}&ns={registry}"),
            headers: HeaderMap::new(),
            body: blob.to_owned().into(),
        };
        let answer = self.forward(&request).await;
        assert_eq!(answer.status, 201, "{digest}: {}", String::from_utf8_lossy(&answer.body));
    }

    fn request(&self, service: &str, headers: &[(&'static str, String)], body: String) -> Request {
        // The emulator reads account, region and service here and does not check the signature.
        let scope = format!("{}/20260101/{REGION}/{service}/aws4_request", self.account);
        let signature =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        let mut all = HeaderMap::new();
        for (name, value) in headers.iter().chain(&[("authorization", signature)]) {
            all.insert(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).expect("a header value"),
            );
        }
        Request {
            method: hyper::Method::POST,
            path: "/".to_owned(),
            headers: all,
            body: body.into(),
        }
    }
}

/// Not used before, by this process or an earlier one in the same emulator.
pub(crate) fn unused_account() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // One start for all tests of the process: two that read the clock themselves could end at the
    // same number.
    static START: LazyLock<u64> = LazyLock::new(|| {
        let now =
            SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros() as u64;
        now / 10 + u64::from(std::process::id()) * 1_000_000_000
    });
    let number = *START + COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{:012}", number % 1_000_000_000_000)
}
