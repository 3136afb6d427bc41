use aws_smithy_types::body::SdkBody;
use http::Request;
use serde_json::{Value, json};

use crate::model::approval::RequestIndex;
use crate::model::command::{SlackOrigin, Standing};
use crate::model::session::Session;
use crate::samples::{DIGEST, REQUEST, web};
use crate::services::clients::Clients;
use crate::services::wire::dynamodb::{
    OTHER_NONCE, ask, condition_failed, get_item, put_item, request_item, text,
};
use crate::services::wire::{nonce, ok_json, replay};
use crate::world::Applied;

fn session() -> Session {
    Session {
        id: "0123456789abcdef0123456789abcdef".parse().expect("an id"),
        proof: "fedcba9876543210fedcba9876543210".parse().expect("a proof"),
        by: "alice".to_owned(),
        slack: Some(SlackOrigin {
            user: "UALICE".to_owned(),
            standing: Standing::Team,
            channel: Some("C1".to_owned()),
        }),
        since: "2026-03-17T09:41:30Z".parse().expect("a time"),
        until: "2026-03-17T09:56:30Z".parse().expect("a time"),
    }
}

fn session_item(nonce: &str) -> Value {
    json!({
        "app": text("#session-0123456789abcdef0123456789abcdef"),
        "item": text("session"),
        "nonce": text(nonce),
        "id": text("0123456789abcdef0123456789abcdef"),
        "proof": text("fedcba9876543210fedcba9876543210"),
        "by": text("alice"),
        "slack": {
            "M": { "user": text("UALICE"), "standing": text("team"), "channel": text("C1") },
        },
        "since": text("2026-03-17T09:41:30Z"),
        "until": text("2026-03-17T09:56:30Z"),
        "expires_at": { "N": "1773741390" },
    })
}

fn opens_session() -> Request<SdkBody> {
    let put = put_item(&session_item(&nonce()), "attribute_not_exists(app)", &json!({}));
    ask("PutItem", &put)
}

#[tokio::test]
async fn a_session_is_written_once_until_its_end() {
    let open = async |answer| {
        replay([(opens_session(), answer)], async |clients| clients.write_session(&session()).await)
            .await
    };
    assert_eq!(open(ok_json(&json!({}))).await.expect("written"), Applied::Done);
    let others = condition_failed(&session_item(OTHER_NONCE));
    assert_eq!(open(others).await.expect("not an error"), Applied::Conflict);
    // The first try arrived, and only its answer was lost.
    let own = condition_failed(&session_item(&nonce()));
    assert_eq!(open(own).await.expect("written"), Applied::Done);
}

#[tokio::test]
async fn a_session_is_read_strongly_consistent() {
    let asked = || get_item("#session-0123456789abcdef0123456789abcdef", "session");
    let item = ok_json(&json!({ "Item": session_item(OTHER_NONCE) }));
    let found =
        replay([(asked(), item)], async |clients| clients.read_session(&session().id).await).await;
    assert_eq!(found.expect("read"), Some(session()));
    let found = replay([(asked(), ok_json(&json!({})))], async |clients| {
        clients.read_session(&session().id).await
    })
    .await;
    assert_eq!(found.expect("not an error"), None);
}

#[tokio::test]
async fn what_a_request_is_about_is_found_by_its_id_alone() {
    let get = || get_item(&format!("#{REQUEST}"), "request");
    let look_for = async |clients: &Clients| clients.asked(&REQUEST.parse().expect("an id")).await;
    let found = replay([(get(), ok_json(&json!({ "Item": request_item(OTHER_NONCE) })))], look_for)
        .await
        .expect("read");
    assert_eq!(found, Some(RequestIndex { app: web(), digest: DIGEST.parse().expect("a digest") }));
    assert_eq!(replay([(get(), ok_json(&json!({})))], look_for).await.expect("read"), None);
}
