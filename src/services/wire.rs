//! Recorded wire: the real clients on a connector that plays answers back. A test writes down each
//! request, to the byte where the protocol is a form, and the answer that AWS gives to it; a
//! request too many or too few fails it.

pub(super) mod cloudformation;
pub(super) mod cloudwatch;
pub(super) mod dynamodb;
pub(super) mod ecr;
pub(super) mod ecs;
pub(super) mod ssm;

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ecr::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::test_util::{ReplayEvent, StaticReplayClient};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use serde_json::{Value, json};

use super::clients::Clients;
use crate::error::Error;
use crate::settings::Settings;

/// The notification topic of the tests.
pub(super) const TOPIC: &str = "arn:aws:sns:us-east-1:012345678912:notifications";

/// One request and its answer.
pub(super) type Recording = (Request<SdkBody>, Response<SdkBody>);

/// Runs `call` with clients that get these answers, in this order, and checks that they asked for
/// exactly these.
pub(super) async fn replay<T>(
    recordings: impl IntoIterator<Item = Recording>,
    call: impl AsyncFnOnce(&Clients) -> T,
) -> T {
    let (clients, wire) = connect(recordings);
    let result = call(&clients).await;
    wire.relaxed_requests_match();
    result
}

/// An SDK configuration with a region and credentials.
pub(super) fn sdk() -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "AKIDEXAMPLE",
            "secret",
            None,
            None,
            "wire tests",
        )))
        .build()
}

/// The clients and their wire, for a test that sets something of its own.
pub(super) fn connect(
    recordings: impl IntoIterator<Item = Recording>,
) -> (Clients, StaticReplayClient) {
    let wire = StaticReplayClient::new(
        recordings
            .into_iter()
            .map(|(request, response)| ReplayEvent::new(request, response))
            .collect(),
    );
    let sdk = sdk()
        .into_builder()
        // As in Lambda, but without the wait between two tries.
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
        .http_client(wire.clone())
        .build();
    let settings = Settings {
        state_table: "state-table".to_owned(),
        parameter_prefix: "/ecr-promoter".to_owned(),
        notification_topic: Some(TOPIC.to_owned()),
        slack_api_url: crate::settings::DEFAULT_SLACK_API.to_owned(),
        github_api_url: crate::settings::DEFAULT_GITHUB_API.to_owned(),
        environment: None,
        function_name: "ecr-promoter".to_owned(),
        endpoint_url: None,
    };
    let mut clients = Clients::new(&sdk, SharedHttpConnector::new(wire.clone()), settings);
    let dynamodb = clients
        .dynamodb
        .config()
        .to_builder()
        .idempotency_token_provider("idempotency-token")
        .build();
    clients.dynamodb = aws_sdk_dynamodb::Client::from_conf(dynamodb);
    clients.nonce = || Ok(nonce());
    (clients, wire)
}

/// The nonce that each write of a replay draws.
pub(super) fn nonce() -> String {
    "7f3a".repeat(8)
}

/// A request of the JSON protocol, by its `X-Amz-Target`.
pub(super) fn json_request(target: &str, body: &Value) -> Request<SdkBody> {
    let host = match target.split_once('.') {
        Some(("AmazonEC2ContainerRegistry_V20150921", _)) => "api.ecr",
        Some(("AmazonEC2ContainerServiceV20141113", _)) => "ecs",
        Some(("AmazonSSM", _)) => "ssm",
        Some(("DynamoDB_20120810", _)) => "dynamodb",
        _ => panic!("no service has the target {target}"),
    };
    let request = Request::post(format!("https://{host}.us-east-1.amazonaws.com/"))
        .header("X-Amz-Target", target);
    request.body(SdkBody::from(body.to_string())).expect("a request")
}

/// A request of the query protocol: a form.
pub(super) fn form_request(host: &str, pairs: &[(&str, &str)]) -> Request<SdkBody> {
    let form: Vec<String> =
        pairs.iter().map(|(key, value)| format!("{key}={}", percent_encoded(value))).collect();
    let request = Request::post(format!("https://{host}.us-east-1.amazonaws.com/"))
        .header("Content-Type", "application/x-www-form-urlencoded");
    request.body(SdkBody::from(form.join("&"))).expect("a request")
}

fn percent_encoded(text: &str) -> String {
    let encode = |b: u8| {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            char::from(b).to_string()
        } else {
            format!("%{b:02X}")
        }
    };
    text.bytes().map(encode).collect()
}

/// The answer to a call that went well.
pub(super) fn ok(body: impl Into<SdkBody>) -> Response<SdkBody> {
    answer(200, body)
}

/// The answer to a call that went well, as JSON.
pub(super) fn ok_json(body: &Value) -> Response<SdkBody> {
    ok(body.to_string())
}

/// An error of the JSON protocol; `more` are its members beside the message.
pub(super) fn json_error(code: &str, message: &str, more: &Value) -> Response<SdkBody> {
    let mut body = json!({ "__type": format!("com.amazonaws#{code}"), "message": message });
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
    }
    answer(400, body.to_string())
}

/// The refusal of a call that the function's role may not make, in the JSON protocol.
pub(super) fn json_denied(action: &str) -> Response<SdkBody> {
    json_error("AccessDeniedException", &not_authorized(action, "x"), &json!({}))
}

/// The sentence by which AWS refuses a call that the function's role may not make.
pub(super) fn not_authorized(action: &str, resource: &str) -> String {
    format!(
        "User: arn:aws:sts::012345678912:assumed-role/r/f is not authorized to perform: {action} \
         on resource: {resource}"
    )
}

/// An error of the query protocol.
pub(super) fn form_error(status: u16, code: &str, message: &str) -> Response<SdkBody> {
    let error = format!(
        "<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    answer(status, format!("<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>"))
}

/// Any answer.
pub(super) fn answer(status: u16, body: impl Into<SdkBody>) -> Response<SdkBody> {
    Response::builder().status(status).body(body.into()).expect("a response")
}

/// The action, resource and words of a denied call.
pub(super) fn denied<T>(result: Result<T, Error>) -> (String, String) {
    match result.err() {
        Some(Error::Denied { action, resource, .. }) => (action, resource),
        other => panic!("not denied: {other:?}"),
    }
}
