use std::future::pending;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::test_util::{ReplayEvent, StaticReplayClient};
use aws_smithy_runtime_api::client::http::HttpConnectorFuture;
use aws_smithy_runtime_api::client::result::ConnectorError;
use http::{Request, Response};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const BASE: &str = "https://slack.com/api/";
const RESPONSE_URL: &str = "https://hooks.slack.com/actions/A1/1/secret";
const TOKEN: &str = "xoxb-secret";
const LONG: Duration = Duration::from_secs(20);

fn message() -> Value {
    json!({ "channel": "C1", "text": "message-secret" })
}

/// The request that a call makes.
fn posted(url: &str, token: Option<&str>) -> Request<SdkBody> {
    let mut request = Request::post(url).header("content-type", "application/json; charset=utf-8");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(SdkBody::from(message().to_string())).expect("a request")
}

fn answer(status: u16, body: impl Into<SdkBody>) -> Response<SdkBody> {
    Response::builder().status(status).body(body.into()).expect("a response")
}

fn limited(retry_after: &str) -> Response<SdkBody> {
    let response = Response::builder().status(429).header("Retry-After", retry_after);
    response.body(SdkBody::from(r#"{"ok":false,"error":"ratelimited"}"#)).expect("a response")
}

fn fine() -> Response<SdkBody> {
    answer(200, r#"{"ok":true,"ts":"1548261231.000200"}"#)
}

/// Makes a call that gets exactly these answers.
async fn call(
    answers: impl IntoIterator<Item = Response<SdkBody>>,
    within: Duration,
) -> Result<Value, Failure> {
    let request = || posted("https://slack.com/api/chat.postMessage", Some(TOKEN));
    let wire = StaticReplayClient::new(
        answers.into_iter().map(|answer| ReplayEvent::new(request(), answer)).collect(),
    );
    let api = Api::new(SharedHttpConnector::new(wire.clone()), BASE);
    let result = api.call("chat.postMessage", &TOKEN.into(), &message(), within).await;
    wire.assert_requests_match(&[]);
    if let Err(failure) = &result {
        let words = format!("{failure} {failure:?}");
        assert!(!words.contains("secret"), "{words}");
    }
    result
}

/// The same for an answer to a click.
async fn respond(answers: impl IntoIterator<Item = Response<SdkBody>>) -> Result<(), Failure> {
    let wire = StaticReplayClient::new(
        answers
            .into_iter()
            .map(|answer| ReplayEvent::new(posted(RESPONSE_URL, None), answer))
            .collect(),
    );
    let api = Api::new(SharedHttpConnector::new(wire.clone()), BASE);
    let result = api.respond(RESPONSE_URL, &message(), LONG).await;
    wire.assert_requests_match(&[]);
    result
}

/// A connector that returns the future of this function instead of calling.
#[derive(Debug)]
struct Wire(fn() -> HttpConnectorFuture);

impl HttpConnector for Wire {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        (self.0)()
    }
}

fn api_on(wire: fn() -> HttpConnectorFuture) -> Api {
    Api::new(SharedHttpConnector::new(Wire(wire)), BASE)
}

#[tokio::test]
async fn a_call_is_the_bots_and_answers_what_slack_answers() {
    assert_eq!(call([fine()], LONG).await, Ok(json!({ "ok": true, "ts": "1548261231.000200" })));
}

#[test]
fn the_address_ends_with_a_slash() {
    for base in ["http://127.0.0.1:1/api", "http://127.0.0.1:1/api/"] {
        let api = Api::new(SharedHttpConnector::new(StaticReplayClient::new(vec![])), base);
        assert_eq!(api.base(), "http://127.0.0.1:1/api/");
    }
}

#[tokio::test]
async fn a_refusal_carries_slacks_code_and_is_not_repeated() {
    let refused = |error: &str| Err(Failure::Refused(error.to_owned()));
    assert_eq!(
        call([answer(200, r#"{"ok":false,"error":"channel_not_found"}"#)], LONG).await,
        refused("channel_not_found")
    );
    assert_eq!(call([answer(200, r#"{"ok":false}"#)], LONG).await, refused("no reason given"));
    assert_eq!(call([answer(200, r#"{"ok":false,"error":"a\nb"}"#)], LONG).await, refused("a b"));
    assert_eq!(
        call([answer(200, r#"{"ok":false,"error":"ratelimited"}"#)], LONG).await,
        Err(Failure::RateLimited)
    );
}

#[tokio::test]
async fn an_invalid_answer_is_a_failure() {
    for body in ["", "<html>", "[]", "{}", r#"{"ok":"true"}"#] {
        assert_eq!(call([answer(200, body)], LONG).await, Err(Failure::Unreadable), "{body}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_404_not_repeated() {
    let redirect = Response::builder()
        .status(302)
        .header("Location", "https://evil.example/")
        .body(SdkBody::empty())
        .expect("a response");
    assert_eq!(call([redirect], LONG).await, Err(Failure::Answered(302)));
    assert_eq!(call([answer(404, "")], LONG).await, Err(Failure::Answered(404)));
}

#[tokio::test]
async fn a_5xx_is_tried_again_twice() {
    assert_eq!(
        call([answer(500, ""), answer(503, ""), fine()], LONG)
            .await
            .map(|answer| answer["ok"] == true),
        Ok(true)
    );
    assert_eq!(
        call([answer(500, ""), answer(500, ""), answer(502, "")], LONG).await,
        Err(Failure::Answered(502))
    );
}

#[tokio::test]
async fn a_requested_pause_is_made_if_there_is_time() {
    assert!(
        call([limited("0"), limited("0"), limited("0"), limited("1"), fine()], LONG).await.is_ok()
    );
    let started = Instant::now();
    assert!(call([limited("1"), fine()], LONG).await.is_ok());
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_requested_pause_is_not_made_if_there_is_no_time() {
    let started = Instant::now();
    assert_eq!(call([limited("30")], LONG).await, Err(Failure::RateLimited));
    assert_eq!(call([limited("18446744073709551615")], LONG).await, Err(Failure::RateLimited));
    assert_eq!(
        call([limited("tomorrow")], Duration::from_millis(900)).await,
        Err(Failure::RateLimited)
    );
    assert!(started.elapsed() < Duration::from_millis(900));
}

#[tokio::test]
async fn more_than_1_mb_are_not_read() {
    let large = || answer(200, vec![b' '; MOST_BYTES + 1]);
    assert_eq!(call([large(), large(), large()], LONG).await, Err(Failure::Unreadable));
    let just = [r#"{"ok":true}"#.as_bytes(), &vec![b' '; MOST_BYTES - 11]].concat();
    assert!(call([answer(200, just)], LONG).await.is_ok());
}

#[tokio::test]
async fn a_silent_slack_takes_no_longer_than_allowed() {
    let started = Instant::now();
    let api = api_on(|| HttpConnectorFuture::new(pending()));
    let result =
        api.call("chat.postMessage", &TOKEN.into(), &message(), Duration::from_millis(50)).await;
    assert_eq!(result, Err(Failure::TimedOut));
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn without_a_connection_slack_is_unreachable() {
    let api = api_on(|| HttpConnectorFuture::ready(Err(ConnectorError::io("xoxb-secret".into()))));
    let failure = api
        .call("chat.postMessage", &TOKEN.into(), &message(), LONG)
        .await
        .expect_err("nobody is there");
    assert_eq!(
        (failure.to_string().as_str(), failure),
        ("Slack cannot be reached", Failure::Unreachable)
    );
}

#[tokio::test]
async fn a_token_that_cannot_be_sent_is_not_sent() {
    let api = api_on(|| panic!("nothing is to be sent"));
    let failure = api
        .call("chat.postMessage", &"xoxb-secret\n".into(), &message(), LONG)
        .await
        .expect_err("not sent");
    assert_eq!(failure.to_string(), "the bot's token is not valid");
}

#[tokio::test]
async fn a_click_is_answered_without_the_token() {
    assert_eq!(respond([answer(200, "ok")]).await, Ok(()));
    assert_eq!(respond([answer(200, r#"{"ok":true}"#)]).await, Ok(()));
    assert_eq!(respond([answer(500, ""), answer(200, "")]).await, Ok(()));
    assert_eq!(
        respond([answer(404, r#"{"ok":false,"error":"expired_url"}"#)]).await,
        Err(Failure::Answered(404))
    );
    assert_eq!(
        respond([answer(200, r#"{"ok":false,"error":"used_url"}"#)]).await,
        Err(Failure::Refused("used_url".to_owned()))
    );
}

#[tokio::test]
async fn a_hostile_address_is_not_answered() {
    let api = api_on(|| panic!("nothing is to be sent"));
    for url in ["https://evil.example/secret", "http://169.254.169.254/latest/meta-data", ""] {
        let failure = api.respond(url, &message(), LONG).await.expect_err("not Slack's");
        assert_eq!(failure.to_string(), "the response URL is not Slack's");
    }
}

/// One answer over a real socket: the request as it came.
async fn over_a_socket(answer: &'static str) -> (Result<Value, Failure>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}/api", listener.local_addr().expect("an address"));
    let api = Api::new(SharedHttpConnector::new(Connector::builder().build_http()), &base);
    let server = async {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        let (mut request, body) = (Vec::new(), message().to_string());
        while !request.ends_with(body.as_bytes()) {
            assert_ne!(socket.read_buf(&mut request).await.expect("readable"), 0, "it hung up");
        }
        socket.write_all(answer.as_bytes()).await.expect("writable");
        String::from_utf8(request).expect("text").to_ascii_lowercase()
    };
    let (token, body) = (TOKEN.into(), message());
    tokio::join!(api.call("chat.update", &token, &body, LONG), server)
}

#[tokio::test]
async fn over_a_real_socket_a_call_is_a_plain_post() {
    let (result, request) =
        over_a_socket("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"ok\":true}").await;
    assert_eq!(result, Ok(json!({ "ok": true })));
    assert!(request.starts_with("post /api/chat.update http/1.1\r\n"), "{request}");
    let length = format!("\r\ncontent-length: {}\r\n", message().to_string().len());
    for header in [
        "\r\nauthorization: bearer xoxb-secret\r\n",
        "\r\ncontent-type: application/json; charset=utf-8\r\n",
        &length,
    ] {
        assert!(request.contains(header), "{header:?} in {request}");
    }
}

#[tokio::test]
async fn over_a_real_socket_a_redirect_is_not_followed() {
    let (result, _) = over_a_socket(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: /evil\r\ncontent-length: 0\r\n\r\n",
    )
    .await;
    assert_eq!(result, Err(Failure::Answered(307)));
}
