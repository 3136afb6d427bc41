use std::collections::BTreeMap;

use aws_smithy_types::body::SdkBody;
use http::Request;
use serde_json::{Value, json};

use super::{command, command_item, item, read_state, state, state_item};
use crate::error::Error;
use crate::model::AppName;
use crate::model::state::State;
use crate::samples::web;
use crate::services::dynamodb::state::BATCH_ROUNDS;
use crate::services::wire::dynamodb::{OTHER_NONCE, ask, get_item, read_version, text};
use crate::services::wire::{Recording, denied, json_denied, json_error, ok_json, replay};
use crate::world::snapshot::Version;

#[tokio::test]
async fn the_state_is_read_consistently_with_its_nonce() {
    let read =
        read_state(ok_json(&json!({ "Item": state_item(OTHER_NONCE) }))).await.expect("read");
    assert_eq!(read, (Some(state()), read_version()));
}

/// As older versions wrote it.
#[tokio::test]
async fn an_attribute_that_is_null_reads_as_an_absent_one() {
    let mut item = state_item(OTHER_NONCE);
    item["hold"] = json!({ "NULL": true });
    item["running"]["M"]["commit"] = json!({ "NULL": true });
    let read = read_state(ok_json(&json!({ "Item": item }))).await.expect("read");
    assert_eq!(read, (Some(state()), read_version()));
}

#[tokio::test]
async fn an_app_that_was_never_seen_has_no_state() {
    assert_eq!(read_state(ok_json(&json!({}))).await.expect("read"), (None, Version(None)));
}

#[tokio::test]
async fn a_state_of_another_version_is_an_error() {
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
    let result = read_state(json_denied("dynamodb:GetItem")).await;
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
async fn a_command_is_read_by_its_id() {
    let answer = ok_json(&json!({ "Item": command_item(OTHER_NONCE) }));
    let found = replay([(get_item("web", "command#7d3b"), answer)], async |clients| {
        clients.command(&web(), Some("7d3b")).await
    })
    .await;
    assert_eq!(found.expect("read"), Some(command()));

    let unknown = [(get_item("web", "command#7d3b"), ok_json(&json!({})))];
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
    let apps: Vec<AppName> = apps.iter().map(|app| app.parse().expect("a repository")).collect();
    let read = replay(recordings, async |clients| clients.read_states(&apps).await).await?;
    Ok(read
        .into_iter()
        .map(|(app, state)| (app.to_string(), state.map_err(|error| error.to_string())))
        .collect())
}

#[tokio::test]
async fn states_are_read_together_and_items_left_out_are_asked_for_again() {
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
async fn a_hundred_states_are_one_call_and_no_states_are_none() {
    let apps: Vec<String> = (0..101).map(|app| format!("app-{app}")).collect();
    let apps: Vec<&str> = apps.iter().map(String::as_str).collect();
    let nothing = || ok_json(&json!({ "Responses": { "state-table": [] } }));
    let recordings =
        vec![(batch_get_item(&apps[..100]), nothing()), (batch_get_item(&apps[100..]), nothing())];
    assert_eq!(states(recordings, &apps).await.expect("read"), BTreeMap::new());
    assert_eq!(states(vec![], &[]).await.expect("no call is made"), BTreeMap::new());
}

#[tokio::test]
async fn a_state_that_cannot_be_read_does_not_hide_others() {
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
async fn states_that_are_denied_or_always_left_out_are_an_error() {
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
    assert!(error.contains("kept leaving items out"), "{error}");
}
