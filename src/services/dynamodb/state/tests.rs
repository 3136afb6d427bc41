mod history;
mod read;
mod transaction;
mod write;

use aws_smithy_types::body::SdkBody;
use http::Response;
use serde_json::{Value, json};

use crate::error::Error;
use crate::model::promotion::{End, Ended, Promotion};
use crate::model::state::{CommandRecord, Running, State};
use crate::samples::{self, DIGEST, web};
use crate::services::wire::dynamodb::{get_item, put_item, put_over_read, text};
use crate::services::wire::{Recording, nonce, replay};
use crate::world::Applied;
use crate::world::action::Records;
use crate::world::snapshot::Version;

/// The item with these attributes besides its own.
fn item(key: &str, nonce: &str, attributes: &Value) -> Value {
    let mut item = json!({ "app": text("web"), "item": text(key), "nonce": text(nonce) });
    if let (Some(item), Some(attributes)) = (item.as_object_mut(), attributes.as_object()) {
        item.extend(attributes.clone());
    }
    item
}

fn state() -> State {
    let running = Running {
        note: None,
        tag: "production_9fceb02".to_owned(),
        digest: Some(DIGEST.parse().expect("a digest")),
        commit: None,
        since: Some("2026-03-17T09:41:30Z".parse().expect("a time")),
        by: "push of `latest`".to_owned(),
    };
    State { running: Some(running), ended: 7, ..State::new("web", "ProductionTag") }
}

/// The item of the state, as native attributes.
fn state_item(nonce: &str) -> Value {
    let empty = json!({ "L": [] });
    let running = json!({
        "tag": text("production_9fceb02"),
        "digest": text(DIGEST),
        "since": text("2026-03-17T09:41:30Z"),
        "by": text("push of `latest`"),
    });
    let attributes = json!({
        "stack": text("web"),
        "parameter": text("ProductionTag"),
        "ended": { "N": "7" },
        "running": { "M": running },
        "open": empty,
        "recent": empty,
        "requests": { "N": "0" },
    });
    item("state", nonce, &attributes)
}

fn command() -> CommandRecord {
    CommandRecord {
        id: "7d3b".to_owned(),
        at: "2026-03-17T09:41:30Z".parse().expect("a time"),
        what: None,
        by: None,
        via: None,
        user: None,
        trace: None,
        token: None,
        began: false,
        answer: None,
    }
}

/// DynamoDB deletes it 400 days after the command: 1773740490 + 400 * 86400.
fn command_item(nonce: &str) -> Value {
    let attributes = json!({
        "id": text("7d3b"),
        "at": text("2026-03-17T09:41:30Z"),
        "token": { "NULL": true },
        "expires_at": { "N": "1808300490" },
    });
    item("command#7d3b", nonce, &attributes)
}

/// The same with an answer. The condition of a second try checks that there is no such attribute.
fn answered_item(nonce: &str) -> Value {
    let none = json!({ "NULL": true });
    let mut item = command_item(nonce);
    item["answer"] = json!({ "M": {
        "outcome": text("ignored"),
        "app": text("web"),
        "repository": text("web"),
        "digest": none,
        "commit": none,
        "tag": none,
        "previous_tag": none,
        "stack": none,
        "reason": text("why"),
    }});
    item
}

fn ended(number: u64) -> Ended {
    let promotion = Promotion {
        token: "ecr-promoter-1".parse().expect("a token"),
        commit: None,
        tag: "production_9fceb02".parse().expect("a tag"),
        basis: None,
        sent_at: None,
        ..samples::promotion()
    };
    let ended_at = "2026-03-17T09:45:00Z".parse().expect("a time");
    Ended { number, promotion, end: End::Deployed, reason: "UPDATE_COMPLETE".to_owned(), ended_at }
}

fn ended_item(number: u64, nonce: &str) -> Value {
    let attributes = json!({
        "number": { "N": number.to_string() },
        "token": text("ecr-promoter-1"),
        "digest": text(DIGEST),
        "tag": text("production_9fceb02"),
        "previous_tag": text("production_e83c516"),
        "stack": text("web"),
        "by": text("push of `latest`"),
        "via": text("push"),
        "at": text("2026-03-17T09:41:30Z"),
        "end": text("deployed"),
        "reason": text("UPDATE_COMPLETE"),
        "ended_at": text("2026-03-17T09:45:00Z"),
    });
    item(&format!("history#{number:010}"), nonce, &attributes)
}

async fn read_state(answer: Response<SdkBody>) -> Result<(Option<State>, Version), Error> {
    replay([(get_item("web", "state"), answer)], async |clients| {
        clients.versioned_state(&web()).await
    })
    .await
}

fn put_next_state() -> Value {
    put_over_read(&state_item(&nonce()))
}

fn put_command() -> Value {
    let condition = "attribute_not_exists(app) OR attribute_not_exists(answer)";
    put_item(&command_item(&nonce()), condition, &json!({}))
}

async fn save(
    recordings: Vec<Recording>,
    records: Records,
    version: Version,
) -> Result<Applied, Error> {
    replay(recordings, async |clients| clients.save(&web(), &records, &version).await).await
}
