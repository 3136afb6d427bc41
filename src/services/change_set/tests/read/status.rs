use super::*;
use crate::services::change_set::tests::not_found;
use crate::services::wire::cloudformation::denied_answer;
use crate::services::wire::{denied, form_error};

#[tokio::test]
async fn a_change_set_in_the_making_is_waited_for() {
    let making = |status: &str| (describe(), described(CHANGE_SET_ID, status, "UNAVAILABLE", ""));
    let read = read_changes([
        making("CREATE_PENDING"),
        making("CREATE_IN_PROGRESS"),
        (describe(), ready(CHANGE_SET_ID, "")),
        alone(),
    ])
    .await;
    assert_eq!(read, Changes::default());

    let deleted = review([making("DELETE_IN_PROGRESS"), (describe(), not_found())]).await;
    assert_eq!(deleted.expect("read"), ChangeSet::Absent, "it was being deleted");
}

#[tokio::test]
async fn each_status_of_a_change_set_is_told_apart() {
    let because = |reason: &str| format!("<StatusReason>{reason}</StatusReason>");
    let no_changes = "The submitted information didn't contain changes. Submit different \
                      information to create a change set.";
    for (status, execution, more, is) in [
        ("CREATE_COMPLETE", "EXECUTE_IN_PROGRESS", String::new(), ChangeSet::Executing),
        ("CREATE_COMPLETE", "EXECUTE_COMPLETE", String::new(), ChangeSet::Executing),
        ("CREATE_COMPLETE", "EXECUTE_FAILED", String::new(), ChangeSet::Outdated),
        ("CREATE_COMPLETE", "OBSOLETE", String::new(), ChangeSet::Outdated),
        ("CREATE_COMPLETE", "STATUS_OF_TOMORROW", String::new(), ChangeSet::Outdated),
        ("DELETE_COMPLETE", "UNAVAILABLE", String::new(), ChangeSet::Absent),
        ("FAILED", "UNAVAILABLE", because(no_changes), ChangeSet::Empty),
        ("FAILED", "UNAVAILABLE", because("No updates are to be performed."), ChangeSet::Empty),
        (
            "FAILED",
            "UNAVAILABLE",
            because("Template error: x"),
            ChangeSet::Failed("Template error: x".to_owned()),
        ),
        ("FAILED", "UNAVAILABLE", String::new(), ChangeSet::Failed(String::new())),
        (
            "FAILED",
            "UNAVAILABLE",
            because("Rate exceeded"),
            ChangeSet::Unsure("Rate exceeded".to_owned()),
        ),
        (
            "FAILED",
            "UNAVAILABLE",
            because("Internal Failure"),
            ChangeSet::Unsure("Internal Failure".to_owned()),
        ),
    ] {
        let read = review([(describe(), described(CHANGE_SET_ID, status, execution, &more))]).await;
        assert_eq!(read.expect("read"), is, "{status} {execution} {more}");
    }
}

#[tokio::test]
async fn a_change_set_that_does_not_exist_is_absent() {
    assert_eq!(review([(describe(), not_found())]).await.expect("not an error"), ChangeSet::Absent);
}

#[tokio::test]
async fn a_read_that_is_denied_or_fails_says_so() {
    let action = "cloudformation:DescribeChangeSet";
    let result = review([(describe(), denied_answer(action))]).await;
    assert_eq!(
        denied(result),
        (action.to_owned(), format!("change set `{CHANGE_SET_ID}` of stack `web`"))
    );

    let action = "cloudformation:ListChangeSets";
    let result =
        review([(describe(), ready(CHANGE_SET_ID, "")), (list(None), denied_answer(action))]).await;
    assert_eq!(denied(result), (action.to_owned(), "stack `web`".to_owned()));

    let gone = form_error(400, "ValidationError", "Stack [web] does not exist");
    let error = review([(describe(), gone)]).await.expect_err("it failed").to_string();
    let resource = format!("change set `{CHANGE_SET_ID}` of stack `web`");
    assert_eq!(
        error,
        format!(
            "cloudformation:DescribeChangeSet on {resource} failed: ValidationError: Stack [web] \
             does not exist"
        )
    );
}
