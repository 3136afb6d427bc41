use aws_smithy_types::body::SdkBody;
use http::{Request, Response};

use super::{CHANGE_SET_ID, not_found};
use crate::error::Error;
use crate::samples::STACK_ID;
use crate::services::samples::{TOKEN, web_app};
use crate::services::wire::cloudformation::{answered, ask, denied_answer};
use crate::services::wire::{answer, denied, form_error, replay};
use crate::world::{Applied, NotUpdated};

async fn execute(answer: Response<SdkBody>) -> Result<Applied, Error> {
    let asked = ask(
        "ExecuteChangeSet",
        &[("ChangeSetName", CHANGE_SET_ID), ("StackName", "web"), ("ClientRequestToken", TOKEN)],
    );
    replay([(asked, answer)], async |clients| {
        clients
            .home_site()
            .execute_change_set(&web_app(), &TOKEN.parse().expect("a token"), CHANGE_SET_ID)
            .await
    })
    .await
}

#[tokio::test]
async fn a_change_set_is_executed_with_the_promotions_token() {
    assert_eq!(execute(answered("ExecuteChangeSet", "")).await.expect("sent"), Applied::Done);
}

#[tokio::test]
async fn what_cloudformation_says_to_an_execution_is_told_apart() {
    let unsure = |words: &str| NotUpdated::Unsure(words.to_owned());
    for (status, code, words, expected) in [
        (404, "ChangeSetNotFound", "ChangeSet does not exist", NotUpdated::Contested),
        (
            400,
            "InvalidChangeSetStatus",
            "ChangeSet cannot be executed in its current execution status of [OBSOLETE]",
            NotUpdated::Contested,
        ),
        (
            400,
            "ValidationError",
            &*format!("Stack:{STACK_ID} is in UPDATE_IN_PROGRESS state and can not be updated."),
            NotUpdated::Contested,
        ),
        (400, "TokenAlreadyExistsException", "Token already exists", NotUpdated::KnownToken),
        (
            400,
            "InsufficientCapabilitiesException",
            "Requires capabilities : [CAPABILITY_NAMED_IAM]",
            NotUpdated::Refused(
                "InsufficientCapabilitiesException: Requires capabilities : [CAPABILITY_NAMED_IAM]"
                    .to_owned(),
            ),
        ),
        (400, "Throttling", "Rate exceeded", unsure("Throttling: Rate exceeded")),
        (503, "ServiceUnavailable", "later", unsure("ServiceUnavailable: later")),
    ] {
        // One recording: as an update, it is never sent twice by the client itself.
        let applied = execute(form_error(status, code, words)).await.expect("told apart");
        assert_eq!(applied, Applied::NotUpdated(expected), "{code}: {words}");
    }
    let nameless =
        execute(answer(502, "<html>not CloudFormation</html>")).await.expect("told apart");
    assert!(matches!(nameless, Applied::NotUpdated(NotUpdated::Unsure(_))), "{nameless:?}");
}

#[tokio::test]
async fn a_denied_execution_names_the_action_that_is_missing() {
    for action in ["cloudformation:ExecuteChangeSet", "iam:PassRole"] {
        assert_eq!(
            denied(execute(denied_answer(action)).await),
            (action.to_owned(), "stack `web`".to_owned())
        );
    }
}

fn delete_request() -> Request<SdkBody> {
    ask("DeleteChangeSet", &[("ChangeSetName", CHANGE_SET_ID)])
}

async fn delete(answer: Response<SdkBody>) -> Result<Applied, Error> {
    replay([(delete_request(), answer)], async |clients| {
        clients.home_site().delete_change_set(&web_app(), CHANGE_SET_ID).await
    })
    .await
}

#[tokio::test]
async fn a_change_set_is_deleted_or_was_deleted_before() {
    assert_eq!(delete(answered("DeleteChangeSet", "")).await.expect("removed"), Applied::Done);
    assert_eq!(delete(not_found()).await.expect("not an error"), Applied::Done);
    let with_its_stack = form_error(400, "ValidationError", "Stack [web] does not exist");
    assert_eq!(delete(with_its_stack).await.expect("not an error"), Applied::Done);
}

#[tokio::test]
async fn a_change_set_that_is_still_being_created_is_deleted_later() {
    let words = "ChangeSet cannot be deleted in the current status of [CREATE_IN_PROGRESS]";
    assert_eq!(
        delete(form_error(400, "InvalidChangeSetStatus", words)).await.expect("not an error"),
        Applied::PutOff
    );
}

#[tokio::test]
async fn a_removal_that_is_denied_or_fails_says_so() {
    let action = "cloudformation:DeleteChangeSet";
    assert_eq!(
        denied(delete(denied_answer(action)).await),
        (action.to_owned(), format!("change set `{CHANGE_SET_ID}` of stack `web`"))
    );

    let invalid = form_error(400, "ValidationError", "1 validation error detected");
    let error = delete(invalid).await.expect_err("it failed").to_string();
    let resource = format!("change set `{CHANGE_SET_ID}` of stack `web`");
    assert_eq!(
        error,
        format!("{action} on {resource} failed: ValidationError: 1 validation error detected")
    );
}
