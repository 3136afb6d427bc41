use aws_smithy_types::body::SdkBody;
use http::Response;
use serde_json::{Value, json};

use super::{
    answered_item, command, put_command, put_next_state, read_state, save, state, state_item,
};
use crate::error::Error;
use crate::model::answer::Answer;
use crate::model::state::{CommandRecord, State};
use crate::samples::web;
use crate::services::samples::{approval_request, web_app};
use crate::services::wire::dynamodb::{
    LATER_NONCE, OTHER_NONCE, ask, condition_failed, get_item, native, put_item, put_over_read,
    read_version, request_item, saved, text, transact,
};
use crate::services::wire::{
    Recording, answer, denied, json_denied, json_error, nonce, ok_json, replay,
};
use crate::world::Applied;
use crate::world::action::Records;
use crate::world::snapshot::Version;

fn put_first_state() -> Value {
    put_item(&state_item(&nonce()), "attribute_not_exists(app)", &json!({}))
}

/// Writes the state over the one that was read.
async fn save_state(answer: Response<SdkBody>) -> Result<Applied, Error> {
    let records = Records { state: Some(state()), ..Records::default() };
    save(vec![(ask("PutItem", &put_next_state()), answer)], records, read_version()).await
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
async fn one_of_two_writers_wins() {
    let somebody_elses = condition_failed(&state_item(LATER_NONCE));
    assert_eq!(save_state(somebody_elses).await.expect("not an error"), Applied::Conflict);

    let transaction = json_error(
        "TransactionConflictException",
        "Transaction is ongoing for the item",
        &json!({}),
    );
    assert_eq!(save_state(transaction).await.expect("not an error"), Applied::Conflict);
}

#[tokio::test]
async fn a_condition_that_fails_on_the_own_write_is_a_success() {
    let records = Records { state: Some(state()), ..Records::default() };
    let put = || ask("PutItem", &put_first_state());
    let recordings =
        vec![(put(), answer(500, "{}")), (put(), condition_failed(&state_item(&nonce())))];
    assert_eq!(save(recordings, records, Version(None)).await.expect("written"), saved());
}

#[tokio::test]
async fn a_write_that_is_denied_or_fails_says_so() {
    let result = save_state(json_denied("dynamodb:PutItem")).await;
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
async fn a_command_is_carried_out_once() {
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
    let known =
        CommandRecord { answer: Some(Answer::ignored("why").about(&web_app())), ..command() };
    let asked =
        ask("PutItem", &json!({ "TableName": "state-table", "Item": answered_item(&nonce()) }));
    let applied = replay([(asked, ok_json(&json!({})))], async |clients| {
        clients.keep_answer(&web(), &known).await
    })
    .await;
    assert_eq!(applied.expect("written"), Applied::Done);
}

#[tokio::test]
async fn a_new_request_is_written_with_the_state_and_kept_for_90_days() {
    let asking = State { request: Some(approval_request()), requests: 1, ..state() };
    let records = Records {
        state: Some(asking.clone()),
        request: Some(approval_request()),
        ..Records::default()
    };
    let mut state_put = put_next_state();
    state_put["Item"]["requests"] = json!({ "N": "1" });
    let older = json!(approval_request());
    let mut known = older.clone();
    known.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    state_put["Item"]["request"] = native(&known);
    let request_put = json!({ "TableName": "state-table", "Item": request_item(&nonce()) });
    let sent = transact(&[state_put, request_put]);
    let applied = save(vec![(sent, ok_json(&json!({})))], records, read_version()).await;
    assert_eq!(applied.expect("written"), saved());

    // It is read as it was written, and as older versions wrote it.
    for request in [known, older] {
        let mut item = state_item(OTHER_NONCE);
        (item["requests"], item["request"]) = (json!({ "N": "1" }), native(&request));
        let read = read_state(ok_json(&json!({ "Item": item }))).await.expect("read").0;
        assert_eq!(read, Some(asking.clone()), "{request}");
    }
}

async fn save_again(answered: Response<SdkBody>) -> Result<Applied, Error> {
    save_twice(answered, Vec::new()).await
}

/// Writes the state twice in a row, as it is done once people were told. The second time the update
/// has this answer, and more calls follow.
async fn save_twice(answered: Response<SdkBody>, more: Vec<Recording>) -> Result<Applied, Error> {
    let update = json!({
        "TableName": "state-table",
        "Key": { "app": text("web"), "item": text("state") },
        "UpdateExpression": "SET #ended = :0 REMOVE #policy",
        "ConditionExpression": "nonce = :read",
        "ExpressionAttributeNames": { "#ended": "ended", "#policy": "policy" },
        "ExpressionAttributeValues": { ":0": { "N": "8" }, ":read": text(&nonce()) },
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    });
    let first = State { policy: Some(web_app().policy()), ..state() };
    let mut item = state_item(&nonce());
    item["policy"] = native(&serde_json::to_value(&first.policy).expect("JSON"));
    let mut recordings = vec![
        (ask("PutItem", &put_over_read(&item)), ok_json(&json!({}))),
        (ask("UpdateItem", &update), answered),
    ];
    recordings.extend(more);
    replay(recordings, async |clients| {
        let records = |state: State| Records { state: Some(state), ..Records::default() };
        let written = clients.save(&web(), &records(first), &read_version()).await?;
        assert_eq!(written, saved());
        let after = Version(Some(nonce()));
        clients.save(&web(), &records(State { ended: 8, ..state() }), &after).await
    })
    .await
}

#[tokio::test]
async fn a_state_over_the_own_last_one_sends_only_what_changed() {
    assert_eq!(save_again(ok_json(&json!({}))).await.expect("written"), saved());
}

#[tokio::test]
async fn an_update_says_who_won_as_a_put_does() {
    let somebody_elses = condition_failed(&state_item(LATER_NONCE));
    assert_eq!(save_again(somebody_elses).await.expect("not an error"), Applied::Conflict);
    let own = condition_failed(&state_item(&nonce()));
    assert_eq!(save_again(own).await.expect("written"), saved(), "its answer was lost");
}

#[tokio::test]
async fn where_an_update_is_denied_the_whole_state_is_put() {
    let mut item = state_item(&nonce());
    item["ended"] = json!({ "N": "8" });
    let put = json!({ "ExpressionAttributeValues": { ":read": text(&nonce()) } });
    let put = (ask("PutItem", &put_item(&item, "nonce = :read", &put)), ok_json(&json!({})));
    let written = save_twice(json_denied("dynamodb:UpdateItem"), vec![put]).await;
    assert_eq!(written.expect("written"), saved());
}

#[tokio::test]
async fn what_was_read_since_is_written_as_a_whole() {
    let recordings = [
        (ask("PutItem", &put_next_state()), ok_json(&json!({}))),
        (get_item("web", "state"), ok_json(&json!({ "Item": state_item(OTHER_NONCE) }))),
        (ask("PutItem", &put_next_state()), ok_json(&json!({}))),
    ];
    let records = Records { state: Some(state()), ..Records::default() };
    let written = replay(recordings, async |clients| {
        clients.save(&web(), &records, &read_version()).await?;
        let (_, version) = clients.versioned_state(&web()).await?;
        clients.save(&web(), &records, &version).await
    })
    .await;
    assert_eq!(written.expect("written"), saved());
}
