use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use serde_json::{Value, json};

use crate::error::Error;
use crate::model::promotion::Update;
use crate::samples::STACK_ID;
use crate::services::samples::{TOKEN, app, update, web_app};
use crate::services::wire::cloudformation::{UPDATE, answered, ask, denied_answer};
use crate::services::wire::{Recording, answer, denied, form_error, ok, replay};
use crate::world::{Applied, NotUpdated};

fn accepted() -> Response<SdkBody> {
    answered("UpdateStack", &format!("<StackId>{STACK_ID}</StackId>"))
}

async fn update_stack(recordings: Vec<Recording>, update: Update) -> Result<Applied, Error> {
    replay(recordings, async |clients| clients.home_site().update_stack(&web_app(), &update).await)
        .await
}

/// The request for the update.
fn asked() -> Request<SdkBody> {
    asked_with(&[])
}

/// The request for the update with `more` where the form has them: before the token.
fn asked_with(more: &[(&str, &str)]) -> Request<SdkBody> {
    ask("UpdateStack", &[&UPDATE[..], more, &[("ClientRequestToken", TOKEN)]].concat())
}

#[tokio::test]
async fn an_update_changes_one_parameter_and_sends_nothing_else() {
    let applied = update_stack(vec![(asked(), accepted())], update()).await;
    assert_eq!(applied.expect("sent"), Applied::Done);
}

#[tokio::test]
async fn capabilities_are_sent_back() {
    let capabilities = vec!["CAPABILITY_NAMED_IAM".to_owned(), "CAPABILITY_AUTO_EXPAND".to_owned()];
    let asked = asked_with(&[
        ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
        ("Capabilities.member.2", "CAPABILITY_AUTO_EXPAND"),
    ]);
    assert_eq!(
        update_stack(vec![(asked, accepted())], Update { capabilities, ..update() })
            .await
            .expect("sent"),
        Applied::Done
    );
}

#[tokio::test]
async fn a_rollback_configuration_is_sent_as_it_is_configured() {
    let alarm = "arn:aws:cloudwatch:us-east-1:012345678912:alarm:web-5xx";
    let rollback =
        |config: Value| app(&json!({ "stack": "web", "rollback": config })).config.rollback;

    let asked = asked_with(&[
        ("RollbackConfiguration.RollbackTriggers.member.1.Arn", alarm),
        ("RollbackConfiguration.RollbackTriggers.member.1.Type", "AWS::CloudWatch::Alarm"),
        ("RollbackConfiguration.MonitoringTimeInMinutes", "10"),
    ]);
    let configured = Update {
        rollback: rollback(json!({ "alarms": [alarm], "monitor_minutes": 10 })),
        ..update()
    };
    assert_eq!(
        update_stack(vec![(asked, accepted())], configured).await.expect("sent"),
        Applied::Done
    );

    // An empty list removes the stack's own alarms: the configuration replaces them.
    let asked = asked_with(&[("RollbackConfiguration.RollbackTriggers", "")]);
    let configured = Update { rollback: rollback(json!({ "alarms": [] })), ..update() };
    assert_eq!(
        update_stack(vec![(asked, accepted())], configured).await.expect("sent"),
        Applied::Done
    );
}

/// Sends an update that is answered with this error.
async fn update_answered(status: u16, code: &str, words: &str) -> Applied {
    // One recording: the client never sends an update twice by itself.
    let recordings = vec![(asked(), form_error(status, code, words))];
    update_stack(recordings, update()).await.expect("told apart")
}

#[tokio::test]
async fn an_update_that_comes_too_early_or_changes_nothing_is_told_apart() {
    let busy = format!("Stack:{STACK_ID} is in UPDATE_IN_PROGRESS state and can not be updated.");
    let cleanup = "Stack:web is in UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS state and cannot \
                   be updated.";
    for (code, words, expected) in [
        ("ValidationError", &*busy, NotUpdated::Contested),
        ("ValidationError", cleanup, NotUpdated::Contested),
        ("TokenAlreadyExistsException", "Token already exists", NotUpdated::KnownToken),
        ("ValidationError", "No updates are to be performed.", NotUpdated::NothingToDo),
    ] {
        let applied = update_answered(400, code, words).await;
        assert_eq!(applied, Applied::NotUpdated(expected), "{code}: {words}");
    }
}

#[tokio::test]
async fn an_update_that_can_never_succeed_is_refused_with_cloudformations_words() {
    for (code, words) in [
        ("ValidationError", "Stack [web] does not exist"),
        ("ValidationError", "Stack:web is in UPDATE_ROLLBACK_FAILED state and can not be updated."),
        ("ValidationError", "Parameters: [ProductionTag] do not exist in the template"),
        (
            "ValidationError",
            "Parameter ProductionTag failed to satisfy constraint: must match pattern v.*",
        ),
        ("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]"),
    ] {
        let expected = NotUpdated::Refused(format!("{code}: {words}"));
        assert_eq!(update_answered(400, code, words).await, Applied::NotUpdated(expected));
    }
}

#[tokio::test]
async fn an_update_that_may_succeed_later_is_unsure() {
    for (status, code, words) in [
        (400, "Throttling", "Rate exceeded"),
        (400, "RequestLimitExceeded", "Slow down"),
        (500, "InternalFailure", "sorry"),
        (503, "ServiceUnavailable", "later"),
        (403, "ExpiredToken", "The security token included in the request is expired"),
    ] {
        let expected = NotUpdated::Unsure(format!("{code}: {words}"));
        assert_eq!(update_answered(status, code, words).await, Applied::NotUpdated(expected));
    }
}

#[tokio::test]
async fn without_an_answer_the_update_may_or_may_not_be_accepted() {
    let unsure = |applied: Applied| matches!(applied, Applied::NotUpdated(NotUpdated::Unsure(_)));
    assert!(
        unsure(update_stack(vec![], update()).await.expect("told apart")),
        "the connection failed"
    );
    let garbled = vec![(asked(), ok("<UpdateStackRes"))];
    assert!(
        unsure(update_stack(garbled, update()).await.expect("told apart")),
        "the answer broke off"
    );
    for status in [400, 502] {
        let nameless = vec![(asked(), answer(status, "<html>not CloudFormation</html>"))];
        assert!(
            unsure(update_stack(nameless, update()).await.expect("told apart")),
            "something on the way answered"
        );
    }
}

#[tokio::test]
async fn a_denied_update_names_the_action_that_is_missing() {
    for action in ["cloudformation:UpdateStack", "iam:PassRole"] {
        let result = update_stack(vec![(asked(), denied_answer(action))], update()).await;
        assert_eq!(denied(result), (action.to_owned(), "stack `web`".to_owned()));
    }
}
