use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use serde_json::{Value, json};

use super::super::clients::Clients;
use super::super::wire::{
    Recording, denied, json_error, json_request, nonce, ok_json, replay, web,
};
use super::BATCH_ROUNDS;
use crate::error::Error;
use crate::model::Repository;
use crate::model::answer::Answer;
use crate::model::approval::RequestIndex;
use crate::model::command::{SlackOrigin, Standing, Via};
use crate::model::known_apps::{KnownApps, Trouble, Unfinished};
use crate::model::promotion::{End, Ended, Promotion};
use crate::model::session::Session;
use crate::model::state::{CommandRecord, Running, State};
use crate::world::Applied;
use crate::world::action::Records;
use crate::world::snapshot::Version;

const DIGEST: &str = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
/// What somebody else wrote, or what was read.
const OTHER_NONCE: &str = "0123456789abcdef0123456789abcdef";

fn ask(operation: &str, body: &Value) -> Request<SdkBody> {
    json_request(&format!("DynamoDB_20120810.{operation}"), body)
}

fn text(value: &str) -> Value {
    json!({ "S": value })
}

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
        tag: "production_9fceb02".to_owned(),
        digest: Some(DIGEST.parse().expect("a digest")),
        commit: None,
        since: Some("2026-03-17T09:41:30Z".parse().expect("a time")),
        by: "push of `latest`".to_owned(),
    };
    State { running: Some(running), ended: 7, ..State::new("web", "ProductionTag") }
}

/// Native attributes: readable in the console.
fn state_item(nonce: &str) -> Value {
    let (none, empty) = (json!({ "NULL": true }), json!({ "L": [] }));
    let running = json!({
        "tag": text("production_9fceb02"),
        "digest": text(DIGEST),
        "commit": none,
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
        "failed": empty,
        "passed_over": none,
        "first_seen": none,
        "hold": none,
        "request": none,
        "requests": { "N": "0" },
        "waiting": none,
        "trouble": none,
        "untold": empty,
    });
    item("state", nonce, &attributes)
}

fn command() -> CommandRecord {
    CommandRecord {
        id: "7d3b".to_owned(),
        at: "2026-03-17T09:41:30Z".parse().expect("a time"),
        what: None,
        token: None,
        answer: None,
    }
}

/// It goes 30 days after the command came: 1773740490 + 30 * 86400.
fn command_item(nonce: &str) -> Value {
    let attributes = json!({
        "id": text("7d3b"),
        "at": text("2026-03-17T09:41:30Z"),
        "token": { "NULL": true },
        "expires_at": { "N": "1776332490" },
    });
    item("command#7d3b", nonce, &attributes)
}

/// The same once it has been answered: on that attribute a second carrying out fails, so that it is
/// absent before.
fn answered_item(nonce: &str) -> Value {
    let none = json!({ "NULL": true });
    let mut item = command_item(nonce);
    item["answer"] = json!({ "M": {
        "outcome": text("ignored"),
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
        digest: DIGEST.parse().expect("a digest"),
        commit: None,
        tag: "production_9fceb02".parse().expect("a tag"),
        previous_tag: "production_e83c516".to_owned(),
        previous_commit: None,
        previous_digest: None,
        stack: "web".to_owned(),
        by: "push of `latest`".to_owned(),
        via: Via::Push,
        basis: None,
        at: "2026-03-17T09:41:30Z".parse().expect("a time"),
        sent_at: None,
        accepted_at: None,
        command: None,
        rolls_back: None,
        rolls_back_digest: None,
        cancelled_by: None,
        request: None,
        votes: Vec::new(),
        deletes_change_sets: Vec::new(),
    };
    let ended_at = "2026-03-17T09:45:00Z".parse().expect("a time");
    Ended { number, promotion, end: End::Deployed, reason: "UPDATE_COMPLETE".to_owned(), ended_at }
}

fn ended_item(number: u64, nonce: &str) -> Value {
    let none = json!({ "NULL": true });
    let attributes = json!({
        "number": { "N": number.to_string() },
        "token": text("ecr-promoter-1"),
        "digest": text(DIGEST),
        "commit": none,
        "tag": text("production_9fceb02"),
        "previous_tag": text("production_e83c516"),
        "previous_commit": none,
        "stack": text("web"),
        "by": text("push of `latest`"),
        "via": text("push"),
        "at": text("2026-03-17T09:41:30Z"),
        "accepted_at": none,
        "command": none,
        "rolls_back": none,
        "cancelled_by": none,
        "end": text("deployed"),
        "reason": text("UPDATE_COMPLETE"),
        "ended_at": text("2026-03-17T09:45:00Z"),
    });
    item(&format!("history#{number:010}"), nonce, &attributes)
}

// Sessions

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
    let put = json!({
        "TableName": "state-table",
        "Item": session_item(&nonce()),
        "ConditionExpression": "attribute_not_exists(app)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    });
    ask("PutItem", &put)
}

#[tokio::test]
async fn a_session_is_written_once_until_its_end() {
    let open = async |answer| {
        replay([(opens_session(), answer)], async |clients| clients.write_session(&session()).await)
            .await
    };
    assert_eq!(open(ok_json(&json!({}))).await.expect("written"), Applied::Done);
    let others = json!({ "Item": session_item(OTHER_NONCE) });
    let taken =
        json_error("ConditionalCheckFailedException", "The conditional request failed", &others);
    assert_eq!(open(taken).await.expect("not an error"), Applied::Conflict);
    // The first try arrived, and only its answer was lost.
    let own = json!({ "Item": session_item(&nonce()) });
    let taken =
        json_error("ConditionalCheckFailedException", "The conditional request failed", &own);
    assert_eq!(open(taken).await.expect("written"), Applied::Done);
}

#[tokio::test]
async fn a_session_is_read_strongly_consistent() {
    let key = json!({
        "app": text("#session-0123456789abcdef0123456789abcdef"), "item": text("session"),
    });
    let asked = || {
        ask("GetItem", &json!({ "TableName": "state-table", "Key": key, "ConsistentRead": true }))
    };
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

// Reads

fn get_item(key: &str) -> Request<SdkBody> {
    let asked = json!({
        "TableName": "state-table", "Key": { "app": text("web"), "item": text(key) },
        "ConsistentRead": true,
    });
    ask("GetItem", &asked)
}

async fn read_state(answer: Response<SdkBody>) -> Result<(Option<State>, Version), Error> {
    replay([(get_item("state"), answer)], async |clients| clients.versioned_state(&web()).await)
        .await
}

#[tokio::test]
async fn the_state_is_read_strongly_consistent_with_the_nonce_of_its_writer() {
    let read =
        read_state(ok_json(&json!({ "Item": state_item(OTHER_NONCE) }))).await.expect("read");
    assert_eq!(read, (Some(state()), Version(Some(OTHER_NONCE.to_owned()))));
}

#[tokio::test]
async fn an_app_that_was_never_seen_has_no_state() {
    assert_eq!(read_state(ok_json(&json!({}))).await.expect("read"), (None, Version(None)));
}

#[tokio::test]
async fn a_state_that_another_version_wrote_is_an_error_and_not_an_empty_state() {
    let foreign = item("state", OTHER_NONCE, &json!({ "stack": { "N": "1" } }));
    let error = read_state(ok_json(&json!({ "Item": foreign })))
        .await
        .expect_err("not understood")
        .to_string();
    assert!(
        error.starts_with(
            "item `state` of `web` in the state table: it was not written by this version"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_read_that_is_denied_or_fails_says_what_was_read() {
    let words = "User: arn:aws:sts::012345678912:assumed-role/r/f is not authorized to perform: \
                 dynamodb:GetItem on resource: x";
    let result = read_state(json_error("AccessDeniedException", words, &json!({}))).await;
    assert_eq!(
        denied(result),
        ("dynamodb:GetItem".to_owned(), "item `state` of `web` in table `state-table`".to_owned())
    );

    let missing =
        json_error("ResourceNotFoundException", "Requested resource not found", &json!({}));
    let error = read_state(missing).await.expect_err("there is no table").to_string();
    let resource = "item `state` of `web` in table `state-table`";
    assert_eq!(
        error,
        format!(
            "dynamodb:GetItem on {resource} failed: ResourceNotFoundException: Requested resource \
             not found"
        )
    );
}

#[tokio::test]
async fn a_command_is_looked_for_by_its_id() {
    let answer = ok_json(&json!({ "Item": command_item(OTHER_NONCE) }));
    let found = replay([(get_item("command#7d3b"), answer)], async |clients| {
        clients.command(&web(), Some("7d3b")).await
    })
    .await;
    assert_eq!(found.expect("read"), Some(command()));

    let unknown = [(get_item("command#7d3b"), ok_json(&json!({})))];
    assert_eq!(
        replay(unknown, async |clients| clients.command(&web(), Some("7d3b")).await)
            .await
            .expect("read"),
        None
    );

    assert_eq!(
        replay([], async |clients| clients.command(&web(), None).await)
            .await
            .expect("no call is made"),
        None
    );
}

fn batch_get_item(apps: &[&str]) -> Request<SdkBody> {
    let keys: Vec<Value> =
        apps.iter().map(|app| json!({ "app": text(app), "item": text("state") })).collect();
    ask(
        "BatchGetItem",
        &json!({ "RequestItems": { "state-table": { "Keys": keys, "ConsistentRead": true } } }),
    )
}

fn state_of(app: &str) -> Value {
    let mut item = state_item(OTHER_NONCE);
    item["app"] = text(app);
    item
}

async fn states(
    recordings: Vec<Recording>,
    apps: &[&str],
) -> Result<BTreeMap<String, Result<State, String>>, Error> {
    let apps: Vec<Repository> = apps.iter().map(|app| app.parse().expect("a repository")).collect();
    let read = replay(recordings, async |clients| clients.read_states(&apps).await).await?;
    Ok(read
        .into_iter()
        .map(|(app, state)| (app.to_string(), state.map_err(|error| error.to_string())))
        .collect())
}

#[tokio::test]
async fn states_are_read_together_strongly_consistent_and_what_was_left_out_is_asked_for_again() {
    let left = json!({
        "state-table": {
            "Keys": [{ "app": text("two"), "item": text("state") }], "ConsistentRead": true,
        },
    });
    let first =
        json!({ "Responses": { "state-table": [state_of("one")] }, "UnprocessedKeys": left });
    let second =
        json!({ "Responses": { "state-table": [state_of("two")] }, "UnprocessedKeys": {} });
    let recordings = vec![
        (batch_get_item(&["none", "one", "two"]), ok_json(&first)),
        (batch_get_item(&["two"]), ok_json(&second)),
    ];
    let read = states(recordings, &["none", "one", "two"]).await.expect("read");
    assert_eq!(
        read,
        BTreeMap::from([("one".to_owned(), Ok(state())), ("two".to_owned(), Ok(state()))])
    );
}

#[tokio::test]
async fn a_hundred_states_are_one_call_and_none_is_none() {
    let apps: Vec<String> = (0..101).map(|app| format!("app-{app}")).collect();
    let apps: Vec<&str> = apps.iter().map(String::as_str).collect();
    let nothing = || ok_json(&json!({ "Responses": { "state-table": [] } }));
    let recordings =
        vec![(batch_get_item(&apps[..100]), nothing()), (batch_get_item(&apps[100..]), nothing())];
    assert_eq!(states(recordings, &apps).await.expect("read"), BTreeMap::new());
    assert_eq!(states(vec![], &[]).await.expect("no call is made"), BTreeMap::new());
}

#[tokio::test]
async fn a_state_that_cannot_be_read_hides_no_other() {
    let mut foreign = item("state", OTHER_NONCE, &json!({ "stack": { "N": "1" } }));
    foreign["app"] = text("foreign");
    let answer = ok_json(&json!({ "Responses": { "state-table": [foreign, state_of("one")] } }));
    let read = states(vec![(batch_get_item(&["foreign", "one"]), answer)], &["foreign", "one"])
        .await
        .expect("read");
    assert_eq!(read["one"], Ok(state()));
    assert!(
        read["foreign"].as_ref().is_err_and(|error| error.contains("not written by this version")),
        "{read:?}"
    );
}

#[tokio::test]
async fn states_that_are_denied_or_left_out_again_and_again_are_an_error() {
    let asked = || batch_get_item(&["one"]);
    let answer = json_error("AccessDeniedException", "", &json!({}));
    let result = states(vec![(asked(), answer)], &["one"]).await;
    assert_eq!(
        denied(result),
        ("dynamodb:BatchGetItem".to_owned(), "items `state` in table `state-table`".to_owned())
    );

    let left = json!({
        "state-table": {
            "Keys": [{ "app": text("one"), "item": text("state") }], "ConsistentRead": true,
        },
    });
    let recordings = (0..BATCH_ROUNDS)
        .map(|_| (asked(), ok_json(&json!({ "Responses": {}, "UnprocessedKeys": left }))))
        .collect();
    let error = states(recordings, &["one"]).await.expect_err("it is never read").to_string();
    assert!(error.contains("left some out"), "{error}");
}

fn query(start: Option<u64>) -> Request<SdkBody> {
    let mut asked = json!({
        "TableName": "state-table",
        "KeyConditionExpression": "app = :app AND begins_with(#item, :history)",
        "ExpressionAttributeNames": { "#item": "item" },
        "ExpressionAttributeValues": { ":app": text("web"), ":history": text("history#") },
        "ScanIndexForward": false,
        "ConsistentRead": true,
        "Limit": 100,
    });
    if let Some(number) = start {
        asked["ExclusiveStartKey"] = last_key(number);
    }
    ask("Query", &asked)
}

fn last_key(number: u64) -> Value {
    json!({ "app": text("web"), "item": text(&format!("history#{number:010}")) })
}

fn page(numbers: impl Iterator<Item = u64>, last: Option<u64>) -> Response<SdkBody> {
    let items: Vec<Value> = numbers.map(|number| ended_item(number, OTHER_NONCE)).collect();
    let mut page = json!({ "Count": items.len(), "ScannedCount": items.len(), "Items": items });
    if let Some(number) = last {
        page["LastEvaluatedKey"] = last_key(number);
    }
    ok_json(&page)
}

async fn history(recordings: Vec<Recording>) -> Vec<Ended> {
    replay(recordings, async |clients| clients.history(&web()).await).await.expect("read")
}

#[tokio::test]
async fn the_history_is_read_newest_first_until_it_ends() {
    let recordings = vec![
        (query(None), page([2, 1].into_iter(), Some(1))),
        (query(Some(1)), page([0].into_iter(), None)),
    ];
    assert_eq!(history(recordings).await, [ended(2), ended(1), ended(0)]);
}

#[tokio::test]
async fn a_hundred_promotions_of_the_history_are_enough() {
    let recordings = vec![(query(None), page((50..150).rev(), Some(50)))];
    assert_eq!(history(recordings).await.len(), 100);
}

// Requests

const REQUEST: &str = "req-0123456789abcdef0123456789abcdef";

fn request() -> crate::model::approval::ApprovalRequest {
    crate::model::approval::ApprovalRequest {
        id: REQUEST.parse().expect("an id"),
        digest: DIGEST.parse().expect("a digest"),
        commit: None,
        tag: None,
        running_tag: None,
        running_commit: None,
        running_since: None,
        at: "2026-03-17T09:41:30Z".parse().expect("a time"),
        expires_at: "2026-03-20T09:41:30Z".parse().expect("a time"),
        why: "mode".to_owned(),
        changes: Vec::new(),
        repository: None,
        shown_changes: None,
        policy: None,
        votes: Vec::new(),
        promoted_by: None,
        is_approved: false,
        progress: crate::model::approval::Progress::Pending,
        channel: None,
        posted: None,
        shown: None,
    }
}

/// It goes 90 days after the request's own end: 1773999690 + 90 * 86400.
fn asked_item(nonce: &str) -> Value {
    json!({
        "app": text(&format!("#{REQUEST}")),
        "item": text("request"),
        "nonce": text(nonce),
        "repository": text("web"),
        "digest": text(DIGEST),
        "expires_at": { "N": "1781775690" },
    })
}

#[tokio::test]
async fn what_a_request_is_about_is_found_by_its_id_alone() {
    let key = json!({ "app": text(&format!("#{REQUEST}")), "item": text("request") });
    let get = || {
        ask("GetItem", &json!({ "TableName": "state-table", "Key": key, "ConsistentRead": true }))
    };
    let look_for = async |clients: &Clients| clients.asked(&REQUEST.parse().expect("an id")).await;
    let found = replay([(get(), ok_json(&json!({ "Item": asked_item(OTHER_NONCE) })))], look_for)
        .await
        .expect("read");
    assert_eq!(
        found,
        Some(RequestIndex { repository: web(), digest: DIGEST.parse().expect("a digest") })
    );
    assert_eq!(replay([(get(), ok_json(&json!({})))], look_for).await.expect("read"), None);
}

#[tokio::test]
async fn a_new_request_is_written_with_the_state_and_outlives_its_end_by_90_days() {
    let asking = State { request: Some(request()), requests: 1, ..state() };
    let records =
        Records { state: Some(asking.clone()), request: Some(request()), ..Records::default() };
    let mut state_put = put_next_state();
    state_put["Item"]["requests"] = json!({ "N": "1" });
    state_put["Item"]["request"] = native(&json!(request()));
    let asked_put = json!({ "TableName": "state-table", "Item": asked_item(&nonce()) });
    let puts = [state_put, asked_put].map(|put| json!({ "Put": put }));
    let sent = ask(
        "TransactWriteItems",
        &json!({ "TransactItems": puts, "ClientRequestToken": "idempotency-token" }),
    );
    let applied =
        save(vec![(sent, ok_json(&json!({})))], records, Version(Some(OTHER_NONCE.to_owned())))
            .await;
    assert_eq!(applied.expect("written"), saved());

    // And it is read as it was written.
    let mut item = state_item(OTHER_NONCE);
    (item["requests"], item["request"]) = (json!({ "N": "1" }), native(&json!(request())));
    assert_eq!(read_state(ok_json(&json!({ "Item": item }))).await.expect("read").0, Some(asking));
}

/// JSON as DynamoDB writes it.
fn native(value: &Value) -> Value {
    match value {
        Value::Null => json!({ "NULL": true }),
        Value::Bool(is) => json!({ "BOOL": is }),
        Value::Number(number) => json!({ "N": number.to_string() }),
        Value::String(words) => text(words),
        Value::Array(list) => json!({ "L": list.iter().map(native).collect::<Vec<_>>() }),
        Value::Object(map) => {
            json!({ "M": map.iter().map(|(key, value)| (key.clone(), native(value))).collect::<serde_json::Map<_, _>>() })
        }
    }
}

// One write

/// A conditional put of one item; `more` are the condition's values.
fn put_item(item: &Value, condition: &str, more: &Value) -> Value {
    let mut asked = json!({
        "TableName": "state-table",
        "Item": item,
        "ConditionExpression": condition,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    });
    if let (Some(asked), Some(more)) = (asked.as_object_mut(), more.as_object()) {
        asked.extend(more.clone());
    }
    asked
}

fn put_first_state() -> Value {
    put_item(&state_item(&nonce()), "attribute_not_exists(app)", &json!({}))
}

fn put_next_state() -> Value {
    put_item(
        &state_item(&nonce()),
        "nonce = :read",
        &json!({ "ExpressionAttributeValues": { ":read": text(OTHER_NONCE) } }),
    )
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

/// The state alone, over the one that was read.
async fn save_state(answer: Response<SdkBody>) -> Result<Applied, Error> {
    let records = Records { state: Some(state()), ..Records::default() };
    save(
        vec![(ask("PutItem", &put_next_state()), answer)],
        records,
        Version(Some(OTHER_NONCE.to_owned())),
    )
    .await
}

fn saved() -> Applied {
    Applied::Saved(Version(Some(nonce())))
}

fn condition_failed(found: &Value) -> Response<SdkBody> {
    json_error(
        "ConditionalCheckFailedException",
        "The conditional request failed",
        &json!({ "Item": found }),
    )
}

#[tokio::test]
async fn the_first_state_is_written_only_if_there_is_none() {
    let records = Records { state: Some(state()), ..Records::default() };
    let recordings = vec![(ask("PutItem", &put_first_state()), ok_json(&json!({})))];
    assert_eq!(save(recordings, records, Version(None)).await.expect("written"), saved());
}

#[tokio::test]
async fn a_later_state_is_written_only_over_the_one_that_was_read() {
    assert_eq!(save_state(ok_json(&json!({}))).await.expect("written"), saved());
}

#[tokio::test]
async fn of_two_writers_one_wins() {
    let somebody_elses = condition_failed(&state_item("fedcba9876543210fedcba9876543210"));
    assert_eq!(save_state(somebody_elses).await.expect("not an error"), Applied::Conflict);

    let transaction = json_error(
        "TransactionConflictException",
        "Transaction is ongoing for the item",
        &json!({}),
    );
    assert_eq!(save_state(transaction).await.expect("not an error"), Applied::Conflict);
}

#[tokio::test]
async fn a_condition_that_fails_on_ones_own_lost_write_is_a_success() {
    let records = Records { state: Some(state()), ..Records::default() };
    let put = || ask("PutItem", &put_first_state());
    let recordings = vec![
        (put(), super::super::wire::answer(500, "{}")),
        (put(), condition_failed(&state_item(&nonce()))),
    ];
    assert_eq!(save(recordings, records, Version(None)).await.expect("written"), saved());
}

#[tokio::test]
async fn a_write_that_is_denied_or_fails_says_so() {
    let words = "User: arn:aws:sts::012345678912:assumed-role/r/f is not authorized to perform: \
                 dynamodb:PutItem on resource: x";
    let result = save_state(json_error("AccessDeniedException", words, &json!({}))).await;
    assert_eq!(
        denied(result),
        ("dynamodb:PutItem".to_owned(), "item `state` of `web` in table `state-table`".to_owned())
    );

    let too_large = json_error(
        "ValidationException",
        "Item size has exceeded the maximum allowed size",
        &json!({}),
    );
    let error = save_state(too_large).await.expect_err("it failed").to_string();
    assert!(
        error.ends_with(
            "failed: ValidationException: Item size has exceeded the maximum allowed size"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_command_that_was_carried_out_is_not_carried_out_again() {
    let records = || Records { command: Some(command()), ..Records::default() };
    let put = || ask("PutItem", &put_command());
    assert_eq!(
        save(vec![(put(), ok_json(&json!({})))], records(), Version(None)).await.expect("written"),
        Applied::Done
    );
    let answered = condition_failed(&answered_item(OTHER_NONCE));
    assert_eq!(
        save(vec![(put(), answered)], records(), Version(None)).await.expect("not an error"),
        Applied::Conflict
    );
}

#[tokio::test]
async fn an_answer_is_kept_for_30_days_beside_its_command() {
    let known = CommandRecord { answer: Some(Answer::ignored(Some(web()), "why")), ..command() };
    let asked =
        ask("PutItem", &json!({ "TableName": "state-table", "Item": answered_item(&nonce()) }));
    let applied = replay([(asked, ok_json(&json!({})))], async |clients| {
        clients.keep_answer(&web(), &known).await
    })
    .await;
    assert_eq!(applied.expect("written"), Applied::Done);
}

// All or none

fn everything() -> Records {
    Records {
        state: Some(state()),
        history: vec![ended(7)],
        command: Some(command()),
        ..Records::default()
    }
}

fn transact_write_items() -> Request<SdkBody> {
    let history = json!({ "TableName": "state-table", "Item": ended_item(7, &nonce()) });
    let puts = [put_next_state(), history, put_command()].map(|put| json!({ "Put": put }));
    ask(
        "TransactWriteItems",
        &json!({ "TransactItems": puts, "ClientRequestToken": "idempotency-token" }),
    )
}

async fn save_everything(answer: Response<SdkBody>) -> Result<Applied, Error> {
    save(
        vec![(transact_write_items(), answer)],
        everything(),
        Version(Some(OTHER_NONCE.to_owned())),
    )
    .await
}

/// The reasons come in the order of the items; `None` is that of an item that was not the cause.
fn cancelled(reasons: [Value; 3]) -> Response<SdkBody> {
    let words = "Transaction cancelled, please refer cancellation reasons for specific reasons";
    json_error("TransactionCanceledException", words, &json!({ "CancellationReasons": reasons }))
}

fn reason(code: &str) -> Value {
    json!({ "Code": code })
}

fn check_failed(found: &Value) -> Value {
    json!({
        "Code": "ConditionalCheckFailed", "Message": "The conditional request failed",
        "Item": found,
    })
}

#[tokio::test]
async fn state_history_and_command_are_written_together() {
    assert_eq!(save_everything(ok_json(&json!({}))).await.expect("written"), saved());
}

#[tokio::test]
async fn a_transaction_is_lost_to_another_writer() {
    let other_state = check_failed(&state_item("fedcba9876543210fedcba9876543210"));
    let other_command = check_failed(&answered_item(OTHER_NONCE));
    for reasons in [
        [other_state.clone(), reason("None"), reason("None")],
        [reason("None"), reason("None"), other_command.clone()],
        [other_state, reason("None"), other_command],
        [reason("TransactionConflict"), reason("None"), reason("None")],
        [reason("TransactionConflict"), reason("None"), check_failed(&command_item(&nonce()))],
    ] {
        assert_eq!(
            save_everything(cancelled(reasons)).await.expect("not an error"),
            Applied::Conflict
        );
    }
}

#[tokio::test]
async fn a_transaction_of_ones_own_that_is_still_under_way_is_looked_at_again() {
    // The SDK tries three times by itself.
    let under_way = || {
        json_error(
            "TransactionInProgressException",
            "The transaction is already in progress",
            &json!({}),
        )
    };
    let recordings = [(); 3].map(|()| (transact_write_items(), under_way()));
    let version = Version(Some(OTHER_NONCE.to_owned()));
    assert_eq!(
        save(recordings.into(), everything(), version).await.expect("not an error"),
        Applied::Conflict
    );
}

#[tokio::test]
async fn a_transaction_that_finds_its_own_lost_write_is_a_success() {
    let own = [
        check_failed(&state_item(&nonce())),
        reason("None"),
        check_failed(&command_item(&nonce())),
    ];
    assert_eq!(save_everything(cancelled(own)).await.expect("written"), saved());
}

#[tokio::test]
async fn a_transaction_that_failed_for_another_cause_is_an_error() {
    let result =
        save_everything(cancelled([reason("ValidationError"), reason("None"), reason("None")]))
            .await;
    let error = result.expect_err("it failed").to_string();
    assert!(
        error.contains("dynamodb:PutItem") && error.contains("TransactionCanceledException"),
        "{error}"
    );
}

// The roster

const TROUBLE: &str = "Parameter Store /ecr-promoter/apps/shop: key `stak`";

fn roster() -> KnownApps {
    KnownApps {
        apps: [(web(), None), ("shop".parse().expect("a repository"), Some(Trouble::of(TROUBLE)))]
            .into(),
    }
}

/// An item of its own, under a name that no repository can have.
fn roster_item(nonce: &str) -> Value {
    let apps = json!({ "M": { "web": { "NULL": true }, "shop": text("#58142d69b70f") } });
    json!({ "app": text("#roster"), "item": text("#roster"), "nonce": text(nonce), "apps": apps })
}

async fn read_roster(answer: Response<SdkBody>) -> Result<(KnownApps, Version), Error> {
    let key = json!({ "app": text("#roster"), "item": text("#roster") });
    let asked =
        ask("GetItem", &json!({ "TableName": "state-table", "Key": key, "ConsistentRead": true }));
    replay([(asked, answer)], async |clients| clients.read_roster().await).await
}

fn put_roster(condition: &str, more: &Value) -> Request<SdkBody> {
    ask("PutItem", &put_item(&roster_item(&nonce()), condition, more))
}

fn put_next_roster() -> Request<SdkBody> {
    put_roster(
        "nonce = :read",
        &json!({ "ExpressionAttributeValues": { ":read": text(OTHER_NONCE) } }),
    )
}

async fn write_roster(recordings: Vec<Recording>, version: Version) -> Result<Applied, Error> {
    replay(recordings, async |clients| clients.write_roster(&roster(), &version).await).await
}

#[tokio::test]
async fn before_the_first_full_look_the_roster_is_empty() {
    assert_eq!(
        read_roster(ok_json(&json!({}))).await.expect("read"),
        (KnownApps::default(), Version(None))
    );
}

#[tokio::test]
async fn the_roster_is_read_with_the_nonce_of_its_writer() {
    let read =
        read_roster(ok_json(&json!({ "Item": roster_item(OTHER_NONCE) }))).await.expect("read");
    assert_eq!(read, (roster(), Version(Some(OTHER_NONCE.to_owned()))));
}

#[tokio::test]
async fn a_roster_that_an_earlier_version_wrote_with_the_words_of_each_trouble_is_the_same() {
    let mut earlier = roster_item(OTHER_NONCE);
    earlier["apps"]["M"]["shop"] = text(TROUBLE);
    let read = read_roster(ok_json(&json!({ "Item": earlier }))).await.expect("read");
    assert_eq!(read, (roster(), Version(Some(OTHER_NONCE.to_owned()))));
}

/// 5,000 apps with the longest names that there are, each with a trouble.
fn large_roster() -> KnownApps {
    let name = |n: usize| format!("{n:04}-{}", "a".repeat(251)).parse().expect("a repository");
    KnownApps {
        apps: (0..5_000).map(|n| (name(n), Some(Trouble::of(&format!("trouble {n}"))))).collect(),
    }
}

/// As DynamoDB counts: names and texts, 3 bytes for each map, 1 for each entry and value.
fn size(value: &Value) -> usize {
    let Some((kind, value)) = value.as_object().and_then(|value| value.iter().next()) else {
        panic!("no attribute: {value}")
    };
    match (kind.as_str(), value) {
        ("S", Value::String(text)) => 1 + text.len(),
        ("M", Value::Object(entries)) => {
            3 + entries.iter().map(|(name, value)| name.len() + 1 + size(value)).sum::<usize>()
        }
        ("N", Value::String(number)) => 1 + number.len(),
        ("NULL" | "BOOL", _) => 1,
        _ => panic!("{kind}"),
    }
}

fn items_of_a_large_roster() -> Vec<Value> {
    let (first, further) = super::parts(&large_roster());
    let (clients, _) = super::super::wire::connect([]);
    let item = |key: &str, part: &super::Part| {
        let put = clients
            .put("#roster", key, part, OTHER_NONCE)
            .expect("an item")
            .build()
            .expect("a put");
        #[expect(clippy::wildcard_enum_match_arm, reason = "the SDK's enum may grow")]
        let attribute = |value: &AttributeValue| match value {
            AttributeValue::S(text) => json!({ "S": text }),
            AttributeValue::N(number) => json!({ "N": number }),
            AttributeValue::M(map) => {
                json!({ "M": map.iter().map(|(name, value)| (name.clone(), text(value.as_s().expect("a text")))).collect::<serde_json::Map<_, _>>() })
            }
            other => panic!("{other:?}"),
        };
        Value::Object(
            put.item.iter().map(|(name, value)| (name.clone(), attribute(value))).collect(),
        )
    };
    let keys = (1..).map(super::roster_part);
    std::iter::once(item("#roster", &first))
        .chain(keys.zip(&further).map(|(key, part)| item(&key, part)))
        .collect()
}

#[test]
fn however_many_apps_there_are_no_item_of_the_roster_is_too_large() {
    let items = items_of_a_large_roster();
    assert_eq!(items[0]["parts"], json!({ "N": items.len().to_string() }));
    for item in &items {
        let bytes: usize = item
            .as_object()
            .expect("an item")
            .iter()
            .map(|(name, value)| name.len() + size(value))
            .sum();
        assert!(bytes < 310_000, "{bytes}");
    }
    // 5,000 apps with names and troubles of ordinary lengths stand in one.
    let ordinary = |n: usize| {
        (
            format!("payments/service-{n:04}").parse().expect("a repository"),
            Some(Trouble::of(&n.to_string())),
        )
    };
    assert_eq!(super::parts(&KnownApps { apps: (0..5_000).map(ordinary).collect() }).1.len(), 0);
}

/// The request for one item of the roster.
fn get_part(key: &str) -> Request<SdkBody> {
    let key = json!({ "app": text("#roster"), "item": text(key) });
    ask("GetItem", &json!({ "TableName": "state-table", "Key": key, "ConsistentRead": true }))
}

#[tokio::test]
async fn a_roster_of_several_items_is_read_whole_and_not_torn() {
    let items = items_of_a_large_roster();
    let read = || {
        items.iter().map(|item| {
            (
                get_part(item["item"]["S"].as_str().expect("a key")),
                ok_json(&json!({ "Item": item })),
            )
        })
    };
    let whole = replay(read(), async |clients| clients.read_roster().await).await.expect("read");
    assert_eq!(whole, (large_roster(), Version(Some(OTHER_NONCE.to_owned()))));

    // Between the first item and the last, somebody else wrote all of them.
    let mut torn: Vec<Recording> = read().collect();
    let last = items.last().expect("an item").clone();
    let mut newer = last.clone();
    newer["nonce"] = text("fedcba9876543210fedcba9876543210");
    torn.pop();
    torn.push((
        get_part(last["item"]["S"].as_str().expect("a key")),
        ok_json(&json!({ "Item": newer })),
    ));
    let again = replay(torn.into_iter().chain(read()), async |clients| clients.read_roster().await)
        .await
        .expect("read");
    assert_eq!(again.0, large_roster());
}

#[tokio::test]
async fn a_roster_of_several_items_is_written_all_or_none() {
    let mut puts: Vec<Value> = items_of_a_large_roster()
        .into_iter()
        .map(|mut item| {
            item["nonce"] = text(&nonce());
            json!({ "Put": { "TableName": "state-table", "Item": item } })
        })
        .collect();
    puts[0]["Put"]["ConditionExpression"] = "nonce = :read".into();
    puts[0]["Put"]["ExpressionAttributeValues"] = json!({ ":read": text(OTHER_NONCE) });
    puts[0]["Put"]["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD".into();
    let put = || {
        ask(
            "TransactWriteItems",
            &json!({ "TransactItems": puts, "ClientRequestToken": "idempotency-token" }),
        )
    };
    let write = async |answer: Response<SdkBody>| {
        let version = Version(Some(OTHER_NONCE.to_owned()));
        replay([(put(), answer)], async |clients| {
            clients.write_roster(&large_roster(), &version).await
        })
        .await
        .expect("not an error")
    };
    assert_eq!(write(ok_json(&json!({}))).await, saved());
    let mut reasons = vec![check_failed(&roster_item("fedcba9876543210fedcba9876543210"))];
    reasons.extend(puts[1..].iter().map(|_| reason("None")));
    let words = "Transaction cancelled, please refer cancellation reasons for specific reasons";
    let lost = json_error(
        "TransactionCanceledException",
        words,
        &json!({ "CancellationReasons": reasons }),
    );
    assert_eq!(write(lost).await, Applied::Conflict);
}

// Where looks go on

fn unfinished() -> Unfinished {
    Unfinished { round: 7, next: Some(web()), again: true, open: None }
}

fn unfinished_item(nonce: &str) -> Value {
    let (round, open) = (json!({ "N": "7" }), json!({ "NULL": true }));
    let own =
        json!({ "app": text("#unfinished"), "item": text("#unfinished"), "nonce": text(nonce) });
    let mut item =
        json!({ "round": round, "next": text("web"), "again": { "BOOL": true }, "open": open });
    item.as_object_mut().expect("an object").extend(own.as_object().expect("an object").clone());
    item
}

#[tokio::test]
async fn where_looks_go_on_is_read_and_written_like_the_roster() {
    let key = json!({ "app": text("#unfinished"), "item": text("#unfinished") });
    let get = || {
        ask("GetItem", &json!({ "TableName": "state-table", "Key": key, "ConsistentRead": true }))
    };
    let read = async |answer| {
        replay([(get(), answer)], async |clients| clients.read_unfinished().await)
            .await
            .expect("read")
    };
    assert_eq!(read(ok_json(&json!({}))).await, (Unfinished::default(), Version(None)));
    let version = Version(Some(OTHER_NONCE.to_owned()));
    assert_eq!(
        read(ok_json(&json!({ "Item": unfinished_item(OTHER_NONCE) }))).await,
        (unfinished(), version.clone())
    );

    let more = json!({ "ExpressionAttributeValues": { ":read": text(OTHER_NONCE) } });
    let put = || ask("PutItem", &put_item(&unfinished_item(&nonce()), "nonce = :read", &more));
    let write = async |answer| {
        replay([(put(), answer)], async |clients| {
            clients.write_unfinished(&unfinished(), &version).await
        })
        .await
    };
    assert_eq!(write(ok_json(&json!({}))).await.expect("written"), saved());
    let theirs = condition_failed(&unfinished_item("fedcba9876543210fedcba9876543210"));
    assert_eq!(write(theirs).await.expect("not an error"), Applied::Conflict);
}

#[tokio::test]
async fn a_roster_that_may_not_be_read_or_that_another_version_wrote_is_an_error() {
    let words = "User: arn:aws:sts::012345678912:assumed-role/r/f is not authorized to perform: \
                 dynamodb:GetItem on resource: x";
    let result = read_roster(json_error("AccessDeniedException", words, &json!({}))).await;
    assert_eq!(
        denied(result),
        (
            "dynamodb:GetItem".to_owned(),
            "item `#roster` of `#roster` in table `state-table`".to_owned()
        )
    );

    let foreign = json!({ "app": text("#roster"), "item": text("#roster"), "apps": { "N": "1" } });
    let error = read_roster(ok_json(&json!({ "Item": foreign })))
        .await
        .expect_err("not understood")
        .to_string();
    assert!(
        error.starts_with(
            "item `#roster` of `#roster` in the state table: it was not written by this version"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn the_first_roster_is_written_only_if_there_is_none() {
    let recordings =
        vec![(put_roster("attribute_not_exists(app)", &json!({})), ok_json(&json!({})))];
    assert_eq!(write_roster(recordings, Version(None)).await.expect("written"), saved());
}

#[tokio::test]
async fn of_two_writers_of_the_roster_one_wins() {
    let read = || Version(Some(OTHER_NONCE.to_owned()));
    let applied = write_roster(vec![(put_next_roster(), ok_json(&json!({})))], read()).await;
    assert_eq!(applied.expect("written"), saved());

    let somebody_elses = condition_failed(&roster_item("fedcba9876543210fedcba9876543210"));
    let applied = write_roster(vec![(put_next_roster(), somebody_elses)], read()).await;
    assert_eq!(applied.expect("not an error"), Applied::Conflict);
}

#[tokio::test]
async fn a_roster_whose_condition_fails_on_ones_own_lost_write_is_a_success() {
    let lost = (put_next_roster(), super::super::wire::answer(500, "{}"));
    let again = (put_next_roster(), condition_failed(&roster_item(&nonce())));
    let applied = write_roster(vec![lost, again], Version(Some(OTHER_NONCE.to_owned()))).await;
    assert_eq!(applied.expect("written"), saved());
}
