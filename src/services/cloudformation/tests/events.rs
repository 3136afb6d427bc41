use jiff::Timestamp;

use crate::error::Error;
use crate::model::Token;
use crate::model::stack::{EventsWanted, StackEvent, StackEvents, UpdateEnd};
use crate::samples::STACK_ID;
use crate::services::samples::TOKEN;
use crate::services::wire::cloudformation::{answered, ask, denied_answer, element};
use crate::services::wire::{Recording, denied, replay};

/// An event on `resource`: its logical id, its type and its physical id.
pub(super) fn event(at: &str, resource: (&str, &str, &str), status: &str, more: &str) -> String {
    let (logical, kind, physical) = resource;
    let parts = [
        element("StackId", STACK_ID),
        element("StackName", "web"),
        element("EventId", at),
        element("Timestamp", at),
        element("LogicalResourceId", logical),
        element("PhysicalResourceId", physical),
        element("ResourceType", kind),
        element("ResourceStatus", status),
    ];
    element("member", &(parts.concat() + more))
}

/// An event on the stack itself.
pub(super) fn stack_event(at: &str, status: &str, more: &str) -> String {
    event(at, ("web", "AWS::CloudFormation::Stack", STACK_ID), status, more)
}

fn own_event(at: &str) -> String {
    stack_event(at, "UPDATE_COMPLETE", "")
}

pub(super) fn page(number: u32, events: &[String]) -> Recording {
    let token = format!("page {number}");
    let mut asked = vec![("StackName", "web")];
    if number > 1 {
        asked.push(("NextToken", &token));
    }
    let next = element("NextToken", &format!("page {}", number + 1));
    let result = element("StackEvents", &events.concat()) + &next;
    (ask("DescribeStackEvents", &asked), answered("DescribeStackEvents", &result))
}

async fn events(recordings: Vec<Recording>, since: Option<&str>) -> Result<Vec<StackEvent>, Error> {
    let since = since.map(|text| text.parse::<Timestamp>().expect("a time"));
    let starts_of = since.map(|_| TOKEN.parse().expect("a token")).into_iter().collect();
    let wanted = EventsWanted { starts_of, since };
    replay(recordings, async |clients| clients.home_site().stack_events("web", &wanted).await)
        .await
        .map(|events| events.list)
}

#[tokio::test]
async fn an_event_has_its_token_and_says_whether_it_is_the_stacks_own() {
    let token = element("ClientRequestToken", TOKEN);
    let nested = (
        "Nested",
        "AWS::CloudFormation::Stack",
        "arn:aws:cloudformation:us-east-1:012345678912:stack/web-Nested/1",
    );
    let service = ("Service", "AWS::ECS::Service", "x");
    let reason = element("ResourceStatusReason", "circuit breaker");
    let answered = [
        stack_event("2026-03-17T09:45:02.250Z", "UPDATE_COMPLETE", &token),
        event("2026-03-17T09:45:01Z", nested, "UPDATE_COMPLETE", &token),
        event("2026-03-17T09:45:00Z", service, "UPDATE_FAILED", &reason),
    ];
    let complete = |at: &str, is_stack: bool, resource: &str| StackEvent {
        at: at.parse().expect("a time"),
        token: Some(TOKEN.to_owned()),
        is_stack,
        resource: resource.to_owned(),
        status: "UPDATE_COMPLETE".to_owned(),
        reason: None,
    };
    let expected = [
        complete("2026-03-17T09:45:02.250Z", true, "web (AWS::CloudFormation::Stack)"),
        complete("2026-03-17T09:45:01Z", false, "Nested (AWS::CloudFormation::Stack)"),
        StackEvent {
            token: None,
            status: "UPDATE_FAILED".to_owned(),
            reason: Some("circuit breaker".to_owned()),
            ..complete("2026-03-17T09:45:00Z", false, "Service (AWS::ECS::Service)")
        },
    ];
    assert_eq!(events(vec![page(1, &answered)], None).await.expect("read"), expected);
}

#[tokio::test]
async fn events_are_read_back_to_shortly_before_the_wanted_time() {
    let recordings = vec![
        page(1, &[own_event("2026-03-17T10:00:00Z"), own_event("2026-03-17T09:50:00Z")]),
        // Older than wanted, but within the possible difference of two clocks.
        page(2, &[own_event("2026-03-17T09:38:00Z")]),
        page(3, &[own_event("2026-03-17T09:34:00Z")]),
    ];
    assert_eq!(events(recordings, Some("2026-03-17T09:40:00Z")).await.expect("read").len(), 4);
}

pub(super) fn of_a_resource(at: &str) -> String {
    event(at, ("Service", "AWS::ECS::Service", "x"), "UPDATE_IN_PROGRESS", "")
}

#[tokio::test]
async fn pages_are_read_back_to_the_stacks_own_event() {
    let start = stack_event("2026-03-17T09:58:00Z", "UPDATE_IN_PROGRESS", "");
    let resources = || vec![of_a_resource("2026-03-17T10:00:00Z"); 3];
    let recordings = vec![
        page(1, &resources()),
        page(2, &resources()),
        page(3, &[of_a_resource("2026-03-17T09:59:00Z"), start]),
    ];
    assert_eq!(events(recordings, None).await.expect("read").len(), 8);
}

#[tokio::test]
async fn after_ten_pages_the_end_of_an_update_is_unknown() {
    let described =
        (ask("DescribeStacks", &[("StackName", "web")]), answered("DescribeStacks", ""));
    let recordings = ten_pages().chain([described]).collect();
    let (events, token) = long_update(recordings).await;
    assert!(events.is_cut && events.list.len() == 10);
    assert_eq!(events.end_of(&token), Some(UpdateEnd::Unknown));
}

/// The events of an operation lead back to its start, however many events there are.
#[tokio::test]
async fn a_long_update_is_found_by_the_events_of_its_operation() {
    let operation = |kind: &str, id: &str| {
        element("member", &(element("OperationType", kind) + &element("OperationId", id)))
    };
    let operations = operation("CREATE_CHANGESET", "op-2") + &operation("UPDATE_STACK", "op-1");
    let stack = element("member", &element("LastOperations", &operations));
    let described = (
        ask("DescribeStacks", &[("StackName", "web")]),
        answered("DescribeStacks", &element("Stacks", &stack)),
    );
    let token = element("ClientRequestToken", TOKEN);
    let own = stack_event("2026-03-16T10:00:00Z", "UPDATE_IN_PROGRESS", &token);
    let asked = [("StackName", "web"), ("OperationId", "op-1")];
    let of_operation = (
        ask("DescribeEvents", &asked),
        answered("DescribeEvents", &element("OperationEvents", &own)),
    );
    let recordings = ten_pages().chain([described, of_operation]).collect();

    let (events, token) = long_update(recordings).await;

    assert!(!events.is_cut);
    assert_eq!(events.end_of(&token), Some(UpdateEnd::Complete));
}

fn ten_pages() -> impl Iterator<Item = Recording> {
    (1..=10).map(|number| page(number, &[own_event("2026-03-17T10:00:00Z")]))
}

/// The events of an update that began long ago.
async fn long_update(recordings: Vec<Recording>) -> (StackEvents, Token) {
    let token: Token = TOKEN.parse().expect("a token");
    let wanted = EventsWanted {
        starts_of: vec![token.clone()],
        since: Some("2026-03-01T00:00:00Z".parse().expect("a time")),
    };
    let events =
        replay(recordings, async |clients| clients.home_site().stack_events("web", &wanted).await)
            .await
            .expect("read");
    (events, token)
}

#[tokio::test]
async fn without_a_time_the_newest_page_is_enough() {
    assert_eq!(
        events(vec![page(1, &[own_event("2026-03-17T10:00:00Z")])], None)
            .await
            .expect("read")
            .len(),
        1
    );
}

#[tokio::test]
async fn a_denied_read_of_events_names_the_missing_action() {
    let recordings = vec![(
        ask("DescribeStackEvents", &[("StackName", "web")]),
        denied_answer("cloudformation:DescribeStackEvents"),
    )];
    assert_eq!(
        denied(events(recordings, None).await),
        ("cloudformation:DescribeStackEvents".to_owned(), "stack `web`".to_owned())
    );
}
