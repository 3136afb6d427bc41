use aws_smithy_types::body::SdkBody;
use http::{Request as HttpRequest, Response};
use serde_json::{Value, json};

use super::*;
use crate::model::answer::Outcome;
use crate::model::approval::Progress;
use crate::services::clients::SILENCE_AGE;
use crate::services::samples::{self, app, approval_request, web_app};
use crate::services::wire::ssm::{get_parameter, get_secret, parameter, secret};
use crate::services::wire::{Recording, answer, connect, json_denied, json_error};

const TOKEN_PARAMETER: &str = "/ecr-promoter/slack/bot-token";

fn asking() -> App {
    app(&json!({ "stack": "web", "approval": { "slack_channel": "C024BE91L" } }))
}

fn request(posted: Option<Posted>) -> ApprovalRequest {
    ApprovalRequest { channel: Some("C024BE91L".to_owned()), posted, ..approval_request() }
}

fn posted() -> Posted {
    Posted {
        channel: "C024BE91L".to_owned(),
        ts: "1548261231.000200".to_owned(),
        team: Some("T024BE7LD".to_owned()),
    }
}

fn reads_token(answer: Response<SdkBody>) -> Recording {
    (get_secret(TOKEN_PARAMETER), answer)
}

fn token() -> Recording {
    secret(TOKEN_PARAMETER, "xoxb-1")
}

fn no_token() -> Recording {
    reads_token(json_error("ParameterNotFound", "", &json!({})))
}

/// A call as the bot.
fn call(method: &str, body: &Value, answer: Response<SdkBody>) -> Recording {
    let request = HttpRequest::post(format!("https://slack.com/api/{method}"))
        .header("content-type", "application/json; charset=utf-8")
        .header("authorization", "Bearer xoxb-1");
    (request.body(SdkBody::from(body.to_string())).expect("a request"), answer)
}

fn says(body: &Value) -> Response<SdkBody> {
    answer(200, body.to_string())
}

/// The function's public address, which is read where a message has buttons.
fn address() -> Recording {
    (get_parameter("/ecr-promoter/public-url"), parameter("https://promoter.example/"))
}

/// Shows the request with exactly these calls, at a public address.
async fn show(recordings: Vec<Recording>, request: &ApprovalRequest) -> Applied {
    let (_, blocks) = card(&asking(), request, "production");
    let reads_address = has_buttons(&blocks) && request.channel.is_some();
    let first = reads_address.then(address);
    let (clients, wire) = connect(first.into_iter().chain(recordings));
    let applied = clients.show(&asking(), request).await;
    wire.assert_requests_match(&[]);
    applied
}

fn post_body(request: &ApprovalRequest) -> Value {
    let (text, blocks) = card(&asking(), request, "production");
    json!({
        "channel": "C024BE91L", "text": text, "blocks": blocks, "unfurl_links": false,
        "unfurl_media": false,
    })
}

fn update_body(request: &ApprovalRequest) -> Value {
    let (text, blocks) = card(&asking(), request, "production");
    json!({ "channel": "C024BE91L", "ts": "1548261231.000200", "text": text, "blocks": blocks })
}

#[tokio::test]
async fn a_request_is_posted_as_the_bot_and_its_place_is_returned() {
    let answer = json!({
        "ok": true, "channel": "C024BE91L", "ts": "1548261231.000200",
        "message": {
            "type": "message", "bot_id": "B1", "team": "T024BE7LD", "ts": "1548261231.000200",
        },
    });
    let asked = request(None);
    let shown = show(
        vec![
            token(),
            call("chat.postMessage", &post_body(&asked), says(&answer)),
            installed(&acme()),
        ],
        &asked,
    )
    .await;
    assert_eq!(shown, Applied::Shown(posted()));
}

#[tokio::test]
async fn without_a_public_address_a_message_has_no_buttons_and_says_what_is_missing() {
    let asked = request(None);
    let mut body = post_body(&asked);
    assert!(has_buttons(&body["blocks"]));
    replace_buttons(&mut body["blocks"]);
    let missing = json_error("ParameterNotFound", "", &json!({}));
    let no_address = (get_parameter("/ecr-promoter/public-url"), missing);
    let refused = says(&json!({ "ok": false, "error": "channel_not_found" }));
    let posts = call("chat.postMessage", &body, refused);
    let (clients, wire) = connect([no_address, token(), posts]);
    assert_eq!(clients.show(&asking(), &asked).await, Applied::PutOff);
    wire.assert_requests_match(&[]);
}

/// The question where the app is installed.
fn installed(answer: &Value) -> Recording {
    call("auth.test", &json!({}), says(answer))
}

fn acme() -> Value {
    json!({
        "ok": true, "team": "Acme", "team_id": "T024BE7LD", "enterprise_id": "E024BE7LD",
        "user_id": "U1", "bot_id": "B1",
    })
}

#[tokio::test]
async fn the_installation_is_asked_for_once() {
    let (clients, wire) = connect([token(), installed(&acme())]);
    for _ in 0..3 {
        let installation = clients.ask_installation().await.expect("Slack says it");
        assert_eq!(
            (installation.team.as_str(), installation.organisation.as_deref()),
            ("T024BE7LD", Some("E024BE7LD"))
        );
    }
    wire.assert_requests_match(&[]);
}

#[tokio::test]
async fn a_failed_question_about_the_installation_is_remembered() {
    for silence in [
        json!({ "ok": false, "error": "invalid_auth" }),
        json!({ "ok": true }),
        json!({ "ok": true, "team_id": null }),
        json!([]),
    ] {
        let (clients, wire) = connect([token(), installed(&silence), installed(&acme())]);
        for _ in 0..3 {
            assert_eq!(clients.ask_installation().await, None, "{silence}");
        }
        clients.installation.grow_older(SILENCE_AGE).await;
        assert!(clients.ask_installation().await.is_some());
        wire.assert_requests_match(&[]);
    }
    for no_answer in
        [no_token(), reads_token(json_error("InvalidKeyId", "no such key", &json!({})))]
    {
        let (clients, wire) = connect([no_answer]);
        assert_eq!(clients.ask_installation().await, None);
        wire.assert_requests_match(&[]);
    }
}

#[tokio::test]
async fn the_installation_of_another_token_is_asked_for() {
    let other = HttpRequest::post("https://slack.com/api/auth.test")
        .header("content-type", "application/json; charset=utf-8")
        .header("authorization", "Bearer xoxb-2");
    let other = (
        other.body(SdkBody::from("{}")).expect("a request"),
        says(&json!({ "ok": true, "team_id": "T2" })),
    );
    let second = secret(TOKEN_PARAMETER, "xoxb-2");
    let (clients, wire) = connect([token(), installed(&acme()), second, other]);
    assert_eq!(clients.ask_installation().await.map(|it| it.team).as_deref(), Some("T024BE7LD"));
    clients.secrets.grow_older(Duration::from_secs(60)).await;
    assert_eq!(clients.ask_installation().await.map(|it| it.team).as_deref(), Some("T2"));
    wire.assert_requests_match(&[]);
}

#[tokio::test]
async fn a_posted_message_is_updated_in_its_place() {
    let asked = ApprovalRequest { progress: Progress::Rejected, ..request(Some(posted())) };
    let answer = json!({ "ok": true, "channel": "C024BE91L", "ts": "1548261231.000200" });
    let shown =
        show(vec![token(), call("chat.update", &update_body(&asked), says(&answer))], &asked).await;
    assert_eq!(shown, Applied::Shown(posted()));
}

#[tokio::test]
async fn a_message_that_slack_refuses_is_put_off() {
    for answer in [
        json!({ "ok": false, "error": "channel_not_found" }),
        json!({ "ok": true, "channel": "C1" }),
        json!([]),
    ] {
        let asked = request(None);
        let shown = show(
            vec![token(), call("chat.postMessage", &post_body(&asked), says(&answer))],
            &asked,
        )
        .await;
        assert_eq!(shown, Applied::PutOff, "{answer}");
    }
    let asked = request(Some(posted()));
    let down = || call("chat.update", &update_body(&asked), answer(500, ""));
    assert_eq!(show(vec![token(), down(), down(), down()], &asked).await, Applied::PutOff);
}

#[tokio::test]
async fn a_deleted_message_is_not_updated_again() {
    for error in ["message_not_found", "cant_update_message", "is_archived"] {
        let asked = request(Some(posted()));
        let answer = says(&json!({ "ok": false, "error": error }));
        let shown =
            show(vec![token(), call("chat.update", &update_body(&asked), answer)], &asked).await;
        assert_eq!(shown, Applied::Shown(posted()), "{error}");
    }
    // For a new message the same code means that the channel is archived.
    let asked = request(None);
    let answer = says(&json!({ "ok": false, "error": "is_archived" }));
    assert_eq!(
        show(vec![token(), call("chat.postMessage", &post_body(&asked), answer)], &asked).await,
        Applied::PutOff
    );
}

#[tokio::test]
async fn without_a_token_or_a_channel_nothing_is_sent() {
    assert_eq!(show(vec![no_token()], &request(None)).await, Applied::PutOff);
    let denied = reads_token(json_denied("ssm:GetParameter"));
    assert_eq!(show(vec![denied], &request(None)).await, Applied::PutOff);
    assert_eq!(
        show(vec![], &ApprovalRequest { channel: None, ..request(None) }).await,
        Applied::PutOff
    );
}

fn notice() -> Notice {
    samples::notice(Outcome::Held, "<@UMALLORY>", "freeze <!channel> & more")
}

async fn post(recordings: Vec<Recording>, app: &App, notice: &Notice) {
    let (clients, wire) = connect(recordings);
    clients.post(app, notice).await;
    wire.assert_requests_match(&[]);
}

#[tokio::test]
async fn a_notice_without_a_request_is_posted_as_plain_text() {
    let text = |text: &str| json!({ "type": "plain_text", "text": text, "emoji": false });
    let body = json!({
        "channel": "C024BE91L",
        "text": "web → production: held",
        "blocks": [
            {
                "type": "section",
                "text": text("web → production: held\nfreeze &lt;!channel&gt; &amp; more"),
            },
            { "type": "context", "elements": [text("by &lt;@UMALLORY&gt;")] },
        ],
    });
    for answer in [json!({ "ok": true }), json!({ "ok": false, "error": "not_in_channel" })] {
        post(vec![token(), call("chat.postMessage", &body, says(&answer))], &asking(), &notice())
            .await;
    }
}

#[tokio::test]
async fn a_notice_about_a_request_is_not_posted_beside_its_message() {
    let of_request = Notice { request: Some(request(None).id), ..notice() };
    post(vec![], &asking(), &of_request).await;
    post(vec![], &web_app(), &notice()).await;
}
