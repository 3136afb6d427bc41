use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use serde_json::json;

use super::{
    answered_item, command, command_item, ended, ended_item, put_command, put_next_state, save,
    state, state_item,
};
use crate::error::Error;
use crate::services::wire::dynamodb::{
    LATER_NONCE, OTHER_NONCE, cancelled, check_failed, read_version, reason, saved, transact,
};
use crate::services::wire::{json_error, nonce, ok_json};
use crate::world::Applied;
use crate::world::action::Records;

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
    transact(&[put_next_state(), history, put_command()])
}

async fn save_everything(answer: Response<SdkBody>) -> Result<Applied, Error> {
    save(vec![(transact_write_items(), answer)], everything(), read_version()).await
}

#[tokio::test]
async fn state_history_and_command_are_written_together() {
    assert_eq!(save_everything(ok_json(&json!({}))).await.expect("written"), saved());
}

#[tokio::test]
async fn a_transaction_is_lost_to_another_writer() {
    let other_state = check_failed(&state_item(LATER_NONCE));
    let other_command = check_failed(&answered_item(OTHER_NONCE));
    for reasons in [
        [other_state.clone(), reason("None"), reason("None")],
        [reason("None"), reason("None"), other_command.clone()],
        [other_state, reason("None"), other_command],
        [reason("TransactionConflict"), reason("None"), reason("None")],
        [reason("TransactionConflict"), reason("None"), check_failed(&command_item(&nonce()))],
    ] {
        assert_eq!(
            save_everything(cancelled(&reasons)).await.expect("not an error"),
            Applied::Conflict
        );
    }
}

#[tokio::test]
async fn an_own_transaction_that_is_still_running_is_a_conflict() {
    // The SDK tries three times by itself.
    let under_way = || {
        json_error(
            "TransactionInProgressException",
            "The transaction is already in progress",
            &json!({}),
        )
    };
    let recordings = [(); 3].map(|()| (transact_write_items(), under_way()));
    let version = read_version();
    assert_eq!(
        save(recordings.into(), everything(), version).await.expect("not an error"),
        Applied::Conflict
    );
}

#[tokio::test]
async fn a_transaction_that_fails_on_the_own_write_is_a_success() {
    let own = [
        check_failed(&state_item(&nonce())),
        reason("None"),
        check_failed(&command_item(&nonce())),
    ];
    assert_eq!(save_everything(cancelled(&own)).await.expect("written"), saved());
}

#[tokio::test]
async fn a_transaction_that_failed_for_another_cause_is_an_error() {
    let result =
        save_everything(cancelled(&[reason("ValidationError"), reason("None"), reason("None")]))
            .await;
    let error = result.expect_err("it failed").to_string();
    assert!(
        error.contains("dynamodb:PutItem") && error.contains("TransactionCanceledException"),
        "{error}"
    );
}
