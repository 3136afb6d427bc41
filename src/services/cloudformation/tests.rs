use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::wire::cloudformation::{STACK_ID, ask, not_authorized};
use super::super::wire::{Recording, answer, app, denied, form_error, ok, replay};
use crate::error::Error;
use crate::model::Token;
use crate::model::promotion::Update;
use crate::model::stack::{EventsWanted, Parameter, Stack, StackEvent, UpdateEnd};
use crate::world::{Applied, NotUpdated};

const TOKEN: &str = "ecr-promoter-0f4d7c2b91e65a38d0c7be54f1a29386";

// The stack

fn describe_stacks() -> Request<SdkBody> {
    ask("DescribeStacks", &[("StackName", "web")])
}

async fn stack(recordings: Vec<Recording>) -> Result<Option<Stack>, Error> {
    replay(recordings, async |clients| clients.stack("web").await).await
}

fn stacks(member: &str) -> Response<SdkBody> {
    let result = format!(
        "<DescribeStacksResult><Stacks><member>{member}</member></Stacks></DescribeStacksResult>"
    );
    ok(format!(
        r#"<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">{result}</DescribeStacksResponse>"#
    ))
}

#[tokio::test]
async fn a_stack_is_read_with_all_that_an_update_must_send_back() {
    let answer = stacks(&format!(
        "<StackId>{STACK_ID}</StackId><StackName>web</StackName><StackStatus>UPDATE_ROLLBACK_COMPLETE</StackStatus>
        <CreationTime>2026-01-05T10:00:00.000Z</CreationTime>
        <Parameters>
          <member><ParameterKey>ProductionTag</ParameterKey><ParameterValue>production_9fceb02</ParameterValue></member>
          <member><ParameterKey>Secret</ParameterKey><ParameterValue>****</ParameterValue></member>
          <member><ParameterKey>Ami</ParameterKey><ParameterValue>/aws/ami</ParameterValue><ResolvedValue>ami-1</ResolvedValue></member>
        </Parameters>
        <Capabilities><member>CAPABILITY_IAM</member><member>CAPABILITY_OF_TOMORROW</member></Capabilities>"
    ));
    let parameter = |key: &str, value: &str, resolved: Option<&str>| Parameter {
        key: key.to_owned(),
        value: value.to_owned(),
        resolved: resolved.map(str::to_owned),
    };
    let expected = Stack {
        id: STACK_ID.to_owned(),
        name: "web".to_owned(),
        status: "UPDATE_ROLLBACK_COMPLETE".to_owned(),
        parent: None,
        parameters: vec![
            parameter("ProductionTag", "production_9fceb02", None),
            parameter("Secret", "****", None),
            parameter("Ami", "/aws/ami", Some("ami-1")),
        ],
        capabilities: vec!["CAPABILITY_IAM".to_owned(), "CAPABILITY_OF_TOMORROW".to_owned()],
    };
    assert_eq!(stack(vec![(describe_stacks(), answer)]).await.expect("read"), Some(expected));
}

#[tokio::test]
async fn a_nested_stack_names_its_parent() {
    let nested = |parent: &str| {
        stacks(&format!(
            "<StackName>web</StackName><StackStatus>CREATE_COMPLETE</StackStatus>{parent}"
        ))
    };
    let parent = async |xml: &str| {
        stack(vec![(describe_stacks(), nested(xml))])
            .await
            .expect("read")
            .expect("there is one")
            .parent
    };
    assert_eq!(
        parent("<ParentId>arn:parent</ParentId><RootId>arn:root</RootId>").await,
        Some("arn:parent".to_owned())
    );
    assert_eq!(parent("<ParentId></ParentId>").await, None);
}

#[tokio::test]
async fn a_stack_that_does_not_exist_is_none() {
    let answer = form_error(400, "ValidationError", "Stack with id web does not exist");
    assert_eq!(stack(vec![(describe_stacks(), answer)]).await.expect("not an error"), None);
}

#[tokio::test]
async fn any_other_validation_error_is_an_error() {
    let answer = form_error(
        400,
        "ValidationError",
        "1 validation error detected: Value 'web' at 'stackName' failed to satisfy constraint",
    );
    let error = stack(vec![(describe_stacks(), answer)]).await.expect_err("it failed").to_string();
    assert!(
        error.starts_with(
            "cloudformation:DescribeStacks on stack `web` failed: \
                               ValidationError: 1 validation error"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_denied_read_names_the_action_that_is_missing() {
    let result =
        stack(vec![(describe_stacks(), not_authorized("cloudformation:DescribeStacks"))]).await;
    assert_eq!(
        denied(result),
        ("cloudformation:DescribeStacks".to_owned(), "stack `web`".to_owned())
    );
}

#[tokio::test]
async fn a_read_is_tried_again() {
    let good = stacks("<StackName>web</StackName><StackStatus>CREATE_COMPLETE</StackStatus>");
    for bad in [
        form_error(400, "Throttling", "Rate exceeded"),
        form_error(500, "InternalFailure", "sorry"),
        answer(503, ""),
    ] {
        let recordings = vec![(describe_stacks(), bad), (describe_stacks(), good_again(&good))];
        assert!(stack(recordings).await.expect("read").is_some());
    }
}

fn good_again(response: &Response<SdkBody>) -> Response<SdkBody> {
    ok(response.body().bytes().expect("in memory").to_vec())
}

// Its events

/// An event on `resource`: its logical id, its type and its physical id.
fn event(at: &str, resource: (&str, &str, &str), status: &str, more: &str) -> String {
    let (logical, kind, physical) = resource;
    format!(
        "<member><StackId>{STACK_ID}</StackId><StackName>web</StackName><EventId>{at}</EventId><Timestamp>{at}</Timestamp>
        <LogicalResourceId>{logical}</LogicalResourceId><PhysicalResourceId>{physical}</PhysicalResourceId>
        <ResourceType>{kind}</ResourceType><ResourceStatus>{status}</ResourceStatus>{more}</member>"
    )
}

fn own_event(at: &str) -> String {
    event(at, ("web", "AWS::CloudFormation::Stack", STACK_ID), "UPDATE_COMPLETE", "")
}

fn page(number: u32, events: &[String]) -> Recording {
    let token = format!("page {number}");
    let mut asked = vec![("StackName", "web")];
    if number > 1 {
        asked.push(("NextToken", &token));
    }
    let (events, next) = (events.concat(), format!("<NextToken>page {}</NextToken>", number + 1));
    let result = format!(
        "<DescribeStackEventsResult><StackEvents>{events}</StackEvents>{next}</DescribeStackEventsResult>"
    );
    (
        ask("DescribeStackEvents", &asked),
        ok(format!("<DescribeStackEventsResponse>{result}</DescribeStackEventsResponse>")),
    )
}

async fn events(recordings: Vec<Recording>, since: Option<&str>) -> Result<Vec<StackEvent>, Error> {
    let since = since.map(|text| text.parse::<Timestamp>().expect("a time"));
    let starts_of = since.map(|_| TOKEN.parse().expect("a token")).into_iter().collect();
    let wanted = EventsWanted { starts_of, since };
    replay(recordings, async |clients| clients.stack_events("web", &wanted).await)
        .await
        .map(|events| events.list)
}

#[tokio::test]
async fn an_event_tells_whose_update_it_was_and_whether_it_is_the_stacks_own() {
    let token = format!("<ClientRequestToken>{TOKEN}</ClientRequestToken>");
    let reason = "<ResourceStatusReason>circuit breaker</ResourceStatusReason>";
    let nested = (
        "Nested",
        "AWS::CloudFormation::Stack",
        "arn:aws:cloudformation:us-east-1:012345678912:stack/web-Nested/1",
    );
    let answered = [
        event(
            "2026-03-17T09:45:02.250Z",
            ("web", "AWS::CloudFormation::Stack", STACK_ID),
            "UPDATE_COMPLETE",
            &token,
        ),
        event("2026-03-17T09:45:01Z", nested, "UPDATE_COMPLETE", &token),
        event(
            "2026-03-17T09:45:00Z",
            ("Service", "AWS::ECS::Service", "x"),
            "UPDATE_FAILED",
            reason,
        ),
    ];
    let expected = |at: &str,
                    token: Option<&str>,
                    is_stack: bool,
                    resource: &str,
                    status: &str,
                    reason: Option<&str>| StackEvent {
        at: at.parse().expect("a time"),
        token: token.map(str::to_owned),
        is_stack,
        resource: resource.to_owned(),
        status: status.to_owned(),
        reason: reason.map(str::to_owned),
    };
    let stack = "AWS::CloudFormation::Stack";
    assert_eq!(
        events(vec![page(1, &answered)], None).await.expect("read"),
        [
            expected(
                "2026-03-17T09:45:02.250Z",
                Some(TOKEN),
                true,
                &format!("web ({stack})"),
                "UPDATE_COMPLETE",
                None
            ),
            expected(
                "2026-03-17T09:45:01Z",
                Some(TOKEN),
                false,
                &format!("Nested ({stack})"),
                "UPDATE_COMPLETE",
                None
            ),
            expected(
                "2026-03-17T09:45:00Z",
                None,
                false,
                "Service (AWS::ECS::Service)",
                "UPDATE_FAILED",
                Some("circuit breaker")
            ),
        ]
    );
}

#[tokio::test]
async fn events_are_read_back_to_a_little_before_the_time_asked_for() {
    let recordings = vec![
        page(1, &[own_event("2026-03-17T10:00:00Z"), own_event("2026-03-17T09:50:00Z")]),
        // Older than asked for, and not by more than two clocks may differ.
        page(2, &[own_event("2026-03-17T09:38:00Z")]),
        page(3, &[own_event("2026-03-17T09:34:00Z")]),
    ];
    assert_eq!(events(recordings, Some("2026-03-17T09:40:00Z")).await.expect("read").len(), 4);
}

fn of_a_resource(at: &str) -> String {
    event(at, ("Service", "AWS::ECS::Service", "x"), "UPDATE_IN_PROGRESS", "")
}

#[tokio::test]
async fn pages_full_of_resources_are_read_on_to_the_stacks_own_event() {
    let start = event(
        "2026-03-17T09:58:00Z",
        ("web", "AWS::CloudFormation::Stack", STACK_ID),
        "UPDATE_IN_PROGRESS",
        "",
    );
    let resources = || vec![of_a_resource("2026-03-17T10:00:00Z"); 3];
    let recordings = vec![
        page(1, &resources()),
        page(2, &resources()),
        page(3, &[of_a_resource("2026-03-17T09:59:00Z"), start]),
    ];
    assert_eq!(events(recordings, None).await.expect("read").len(), 8);
}

#[tokio::test]
async fn at_most_ten_pages_are_read_and_then_the_events_do_not_deny_an_update() {
    let recordings: Vec<Recording> =
        (1..=10).map(|number| page(number, &[own_event("2026-03-17T10:00:00Z")])).collect();
    let token = TOKEN.parse().expect("a token");
    let wanted = EventsWanted {
        starts_of: vec![token],
        since: Some("2026-03-01T00:00:00Z".parse().expect("a time")),
    };
    let events = replay(recordings, async |clients| clients.stack_events("web", &wanted).await)
        .await
        .expect("read");
    assert!(events.is_cut && events.list.len() == 10);
    assert_eq!(events.end_of(&wanted.starts_of[0]), Some(UpdateEnd::Unknown));
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
async fn events_that_may_not_be_read_name_the_action_that_is_missing() {
    let recordings = vec![(
        ask("DescribeStackEvents", &[("StackName", "web")]),
        not_authorized("cloudformation:DescribeStackEvents"),
    )];
    assert_eq!(
        denied(events(recordings, None).await),
        ("cloudformation:DescribeStackEvents".to_owned(), "stack `web`".to_owned())
    );
}

// The update

/// What every update of the tests sends, and nothing else: no tags, topics, role or policy.
const UPDATE: [(&str, &str); 9] = [
    ("StackName", "web"),
    ("UsePreviousTemplate", "true"),
    ("Parameters.member.1.ParameterKey", "ProductionTag"),
    ("Parameters.member.1.ParameterValue", "production_9fceb02"),
    ("Parameters.member.2.ParameterKey", "AppName"),
    ("Parameters.member.2.UsePreviousValue", "true"),
    ("Parameters.member.3.ParameterKey", "Secret"),
    ("Parameters.member.3.UsePreviousValue", "true"),
    ("ClientRequestToken", TOKEN),
];

fn update() -> Update {
    Update {
        token: TOKEN.parse().expect("a token"),
        tag: "production_9fceb02".parse().expect("a tag"),
        others: vec!["AppName".to_owned(), "Secret".to_owned()],
        capabilities: vec![],
        rollback: None,
    }
}

fn accepted() -> Response<SdkBody> {
    ok(format!(
        "<UpdateStackResponse><UpdateStackResult><StackId>{STACK_ID}</StackId></UpdateStackResult></UpdateStackResponse>"
    ))
}

async fn update_stack(recordings: Vec<Recording>, update: Update) -> Result<Applied, Error> {
    replay(recordings, async |clients| {
        clients.update_stack(&app(&json!({ "stack": "web" })), &update).await
    })
    .await
}

/// The update's pairs with `more` where the form has them: before the token.
fn asked_with(more: &[(&str, &str)]) -> Request<SdkBody> {
    let (token, rest) = UPDATE.split_last().expect("not empty");
    ask("UpdateStack", &[rest, more, &[*token]].concat())
}

#[tokio::test]
async fn an_update_changes_one_parameter_and_sends_nothing_that_it_need_not() {
    let applied = update_stack(vec![(ask("UpdateStack", &UPDATE), accepted())], update()).await;
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

    // An empty list takes the stack's own alarms away: this configuration replaces them.
    let asked = asked_with(&[("RollbackConfiguration.RollbackTriggers", "")]);
    let configured = Update { rollback: rollback(json!({ "alarms": [] })), ..update() };
    assert_eq!(
        update_stack(vec![(asked, accepted())], configured).await.expect("sent"),
        Applied::Done
    );
}

#[tokio::test]
async fn what_cloudformation_says_to_an_update_is_told_apart() {
    let refused = |words: &str| NotUpdated::Refused(words.to_owned());
    let unsure = |words: &str| NotUpdated::Unsure(words.to_owned());
    for (status, code, words, expected) in [
        (
            400,
            "ValidationError",
            &*format!("Stack:{STACK_ID} is in UPDATE_IN_PROGRESS state and can not be updated."),
            NotUpdated::Contested,
        ),
        (
            400,
            "ValidationError",
            "Stack:web is in UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS state and cannot be \
             updated.",
            NotUpdated::Contested,
        ),
        (400, "TokenAlreadyExistsException", "Token already exists", NotUpdated::KnownToken),
        (400, "ValidationError", "No updates are to be performed.", NotUpdated::NothingToDo),
        (
            400,
            "ValidationError",
            "Stack [web] does not exist",
            refused("ValidationError: Stack [web] does not exist"),
        ),
        (
            400,
            "ValidationError",
            "Stack:web is in UPDATE_ROLLBACK_FAILED state and can not be updated.",
            refused(
                "ValidationError: Stack:web is in UPDATE_ROLLBACK_FAILED state and can not be \
                 updated.",
            ),
        ),
        (
            400,
            "ValidationError",
            "Parameters: [ProductionTag] do not exist in the template",
            refused("ValidationError: Parameters: [ProductionTag] do not exist in the template"),
        ),
        (
            400,
            "ValidationError",
            "Parameter ProductionTag failed to satisfy constraint: must match pattern v.*",
            refused(
                "ValidationError: Parameter ProductionTag failed to satisfy constraint: must \
                 match pattern v.*",
            ),
        ),
        (
            400,
            "InsufficientCapabilitiesException",
            "Requires capabilities : [CAPABILITY_NAMED_IAM]",
            refused(
                "InsufficientCapabilitiesException: Requires capabilities : [CAPABILITY_NAMED_IAM]",
            ),
        ),
        (400, "Throttling", "Rate exceeded", unsure("Throttling: Rate exceeded")),
        (400, "RequestLimitExceeded", "Slow down", unsure("RequestLimitExceeded: Slow down")),
        (500, "InternalFailure", "sorry", unsure("InternalFailure: sorry")),
        (503, "ServiceUnavailable", "later", unsure("ServiceUnavailable: later")),
        (
            403,
            "ExpiredToken",
            "The security token included in the request is expired",
            unsure("ExpiredToken: The security token included in the request is expired"),
        ),
    ] {
        // One recording: an update is never sent twice by the client itself.
        let recordings = vec![(ask("UpdateStack", &UPDATE), form_error(status, code, words))];
        let applied = update_stack(recordings, update()).await.expect("told apart");
        assert_eq!(applied, Applied::NotUpdated(expected), "{code}: {words}");
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_leaves_it_open_whether_the_update_was_taken() {
    let unsure = |applied: Applied| matches!(applied, Applied::NotUpdated(NotUpdated::Unsure(_)));
    assert!(
        unsure(update_stack(vec![], update()).await.expect("told apart")),
        "the connection failed"
    );
    let garbled = vec![(ask("UpdateStack", &UPDATE), ok("<UpdateStackRes"))];
    assert!(
        unsure(update_stack(garbled, update()).await.expect("told apart")),
        "the answer broke off"
    );
    for status in [400, 502] {
        let nameless =
            vec![(ask("UpdateStack", &UPDATE), answer(status, "<html>not CloudFormation</html>"))];
        assert!(
            unsure(update_stack(nameless, update()).await.expect("told apart")),
            "something on the way answered"
        );
    }
}

#[tokio::test]
async fn a_denied_update_names_the_action_that_is_missing() {
    for action in ["cloudformation:UpdateStack", "iam:PassRole"] {
        let result =
            update_stack(vec![(ask("UpdateStack", &UPDATE), not_authorized(action))], update())
                .await;
        assert_eq!(denied(result), (action.to_owned(), "stack `web`".to_owned()));
    }
}

// Its cancel

/// Whose update is under way is asked first.
fn under_way(token: &str) -> Recording {
    let token = format!("<ClientRequestToken>{token}</ClientRequestToken>");
    page(
        1,
        &[event(
            "2026-03-17T10:00:00Z",
            ("web", "AWS::CloudFormation::Stack", STACK_ID),
            "UPDATE_IN_PROGRESS",
            &token,
        )],
    )
}

async fn cancel(recordings: Vec<Recording>) -> Result<Applied, Error> {
    let token: Token = TOKEN.parse().expect("a token");
    replay(recordings, async |clients| {
        clients.cancel_update(&app(&json!({ "stack": "web" })), &token).await
    })
    .await
}

async fn cancel_update(answer: Response<SdkBody>) -> Result<Applied, Error> {
    let asked = ask(
        "CancelUpdateStack",
        &[("StackName", "web"), ("ClientRequestToken", &format!("{TOKEN}-cancel"))],
    );
    cancel(vec![under_way(TOKEN), (asked, answer)]).await
}

#[tokio::test]
async fn anothers_update_is_not_cancelled() {
    assert_eq!(
        cancel(vec![under_way("Console-1")]).await.expect("not an error"),
        Applied::NotUpdated(NotUpdated::Contested)
    );
}

#[tokio::test]
async fn a_cancel_has_a_token_that_names_the_update_and_is_done_once() {
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
async fn an_update_behind_a_page_full_of_resources_is_cancelled_all_the_same() {
    let resources = page(1, &vec![of_a_resource("2026-03-17T10:00:00Z"); 100]);
    let token = format!("<ClientRequestToken>{TOKEN}</ClientRequestToken>");
    let start = event(
        "2026-03-17T09:58:00Z",
        ("web", "AWS::CloudFormation::Stack", STACK_ID),
        "UPDATE_IN_PROGRESS",
        &token,
    );
    let asked = ask(
        "CancelUpdateStack",
        &[("StackName", "web"), ("ClientRequestToken", &format!("{TOKEN}-cancel"))],
    );
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
    let result = cancel_update(not_authorized("cloudformation:CancelUpdateStack")).await;
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
