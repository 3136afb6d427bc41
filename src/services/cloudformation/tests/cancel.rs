use aws_smithy_types::body::SdkBody;
use http::{Request, Response};

use super::events::{of_a_resource, page, stack_event};
use crate::error::Error;
use crate::model::Token;
use crate::services::samples::{TOKEN, web_app};
use crate::services::wire::cloudformation::{ask, denied_answer, element};
use crate::services::wire::{Recording, denied, form_error, ok, replay};
use crate::world::{Applied, NotUpdated};

/// The read of the running update, which has this token.
fn under_way(token: &str) -> Recording {
    let token = element("ClientRequestToken", token);
    page(1, &[stack_event("2026-03-17T10:00:00Z", "UPDATE_IN_PROGRESS", &token)])
}

fn cancel_request() -> Request<SdkBody> {
    let token = format!("{TOKEN}-cancel");
    ask("CancelUpdateStack", &[("StackName", "web"), ("ClientRequestToken", &token)])
}

async fn cancel(recordings: Vec<Recording>) -> Result<Applied, Error> {
    let token: Token = TOKEN.parse().expect("a token");
    replay(recordings, async |clients| clients.home_site().cancel_update(&web_app(), &token).await)
        .await
}

async fn cancel_update(answer: Response<SdkBody>) -> Result<Applied, Error> {
    let asked = cancel_request();
    cancel(vec![under_way(TOKEN), (asked, answer)]).await
}

#[tokio::test]
async fn an_update_of_somebody_else_is_not_cancelled() {
    assert_eq!(
        cancel(vec![under_way("Console-1")]).await.expect("not an error"),
        Applied::NotUpdated(NotUpdated::Contested)
    );
}

#[tokio::test]
async fn a_cancel_has_its_own_token_and_is_done_once() {
    assert_eq!(
        cancel_update(ok("<CancelUpdateStackResponse></CancelUpdateStackResponse>"))
            .await
            .expect("sent"),
        Applied::Done
    );
    let again = form_error(400, "TokenAlreadyExistsException", "Token already exists");
    assert_eq!(cancel_update(again).await.expect("not an error"), Applied::Done);
}

#[tokio::test]
async fn an_update_that_began_on_the_second_page_is_cancelled() {
    let resources = page(1, &vec![of_a_resource("2026-03-17T10:00:00Z"); 100]);
    let token = element("ClientRequestToken", TOKEN);
    let start = stack_event("2026-03-17T09:58:00Z", "UPDATE_IN_PROGRESS", &token);
    let asked = cancel_request();
    let recordings = vec![
        resources,
        page(2, &[start]),
        (asked, ok("<CancelUpdateStackResponse></CancelUpdateStackResponse>")),
    ];
    assert_eq!(cancel(recordings).await.expect("sent"), Applied::Done);
}

#[tokio::test]
async fn an_update_that_has_ended_is_not_cancelled() {
    let ended = form_error(
        400,
        "ValidationError",
        "CancelUpdateStack cannot be called from current stack status",
    );
    assert_eq!(
        cancel_update(ended).await.expect("not an error"),
        Applied::NotUpdated(NotUpdated::Contested)
    );
}

#[tokio::test]
async fn a_cancel_that_is_denied_or_fails_says_so() {
    let result = cancel_update(denied_answer("cloudformation:CancelUpdateStack")).await;
    assert_eq!(
        denied(result),
        ("cloudformation:CancelUpdateStack".to_owned(), "stack `web`".to_owned())
    );

    let missing = form_error(400, "ValidationError", "Stack [web] does not exist");
    let error = cancel_update(missing).await.expect_err("it failed").to_string();
    assert_eq!(
        error,
        "cloudformation:CancelUpdateStack on stack `web` failed: ValidationError: Stack [web] \
         does not exist"
    );
}
