//! The events that wake the function.

use std::collections::{BTreeMap, BTreeSet};

use ecr_promoter::event::payload::parse;
use ecr_promoter::event::{Event, Invocation};
use ecr_promoter::function_url::Request;
use ecr_promoter::slack::signature::{TIMESTAMP, signed};
use ecr_promoter::slack::{interaction, slash};
use secrecy::SecretString;
use serde_json::Value;

use super::reading::{Deployment, deployed, events, function};

/// The files in events/ that the rule of this name lets through.
fn through(rule: &str, deployment: &Deployment) -> Vec<String> {
    let pattern = deployment.resolve(&function()["Events"][rule]["Properties"]["Pattern"]);
    assert!(pattern.is_object(), "the function has no rule {rule}");
    events()
        .into_iter()
        .filter(|(_, event)| matches(&pattern, event))
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn a_successful_push_of_the_source_tag_wakes_the_function_and_no_other_event_of_ecr() {
    // A rule cannot know which repositories are configured; an account and a region get only their
    // own events.
    let pushes = [
        "ecr-push-other-account.json",
        "ecr-push-other-region.json",
        "ecr-push-unknown-repository.json",
        "ecr-push.json",
    ];
    assert_eq!(through("ImagePush", &deployed([])), pushes);
    assert_eq!(
        through("ImagePush", &deployed([("SourceTag", "nightly")])),
        ["ecr-push-other-tag.json"]
    );
}

#[test]
fn the_end_of_an_update_of_an_apps_stack_wakes_the_function() {
    let ends = ["cfn-rollback-complete.json", "cfn-update-complete.json"];
    assert_eq!(through("StackChange", &deployed([])), ends);
    assert_eq!(
        through("StackChange", &deployed([("StackName", "we")])),
        [""; 0],
        "a name is the whole name"
    );
    assert_eq!(
        through("StackChange", &deployed([("StackName", "first"), ("StackPrefix", "we")])),
        ends
    );
    assert_eq!(
        through("StackChange", &deployed([("StackName", "first"), ("StackPrefix", "*")])),
        ends
    );
    assert_eq!(through("StackChange", &deployed([("StackPrefix", "tools-")])), [""; 0]);
}

#[test]
fn what_the_schedules_send_is_understood() {
    let invocation = Invocation::new("request".to_owned(), "", jiff::Timestamp::UNIX_EPOCH);
    let function = function();
    let schedules: BTreeMap<_, _> = function["Events"]
        .as_object()
        .expect("events")
        .values()
        .filter(|event| event["Type"] == "Schedule")
        .map(|event| {
            let payload = match event["Properties"]["Input"].as_str() {
                Some(input) => serde_json::from_str(input).expect("JSON"),
                None => events().remove("scheduled.json").expect("a file"),
            };
            let parsed =
                parse(&payload, &invocation).expect("understood").remove(0).expect("understood");
            let Event::Due { only_open_work } = parsed else {
                panic!("not a schedule: {parsed:?}")
            };
            (event["Properties"]["Schedule"].as_str().expect("a rate"), only_open_work)
        })
        .collect();
    assert_eq!(schedules, BTreeMap::from([("rate(1 hour)", false), ("rate(5 minutes)", true)]));
}

/// EventBridge's matching, as far as the patterns use it: every key must be there, with one of the
/// values. <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html>
fn matches(pattern: &Value, event: &Value) -> bool {
    match pattern {
        Value::Object(keys) => keys.iter().all(|(key, pattern)| matches(pattern, &event[key])),
        Value::Array(values) => values.iter().any(|value| match (value, &value["prefix"]) {
            (Value::Object(_), Value::String(prefix)) => {
                event.as_str().is_some_and(|text| text.starts_with(prefix))
            }
            (Value::Object(_), _) => panic!("this test does not know the matcher {value}"),
            _ => value == event,
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            panic!("a pattern's leaf is a list, not {pattern}")
        }
    }
}

/// Those of events/ are what Slack sent long ago: whoever finds them in the repository cannot use
/// them.
#[test]
fn the_requests_of_slack_in_events_are_read_and_too_old() {
    let mut paths = BTreeSet::new();
    for (name, event) in events().into_iter().filter(|(name, _)| name.starts_with("slack-")) {
        assert!(Request::is_one(&event), "{name}");
        let request = Request::parse(&event).unwrap_or_else(|answer| panic!("{name}: {answer:?}"));
        let then: i64 = request.header(TIMESTAMP).expect("a timestamp").parse().expect("seconds");
        let then = jiff::Timestamp::from_second(then).expect("a time");
        let secret = SecretString::from("8f742231b10e8888abcd99yyyzzz85a5");
        assert!(
            signed(&request, then).is_ok_and(|signed| signed.is_by(&secret)),
            "{name} is signed with the secret of Slack's documentation"
        );
        assert!(signed(&request, jiff::Timestamp::now()).is_err(), "{name} is too old");
        let is_understood = match request.path.as_str() {
            "/slack/interactions" => {
                interaction::parse(&request.body).is_ok_and(|click| click.is_some())
            }
            "/slack/commands" => slash::parse(&request.body).is_ok(),
            other => panic!("{name}: {other} is not Slack's"),
        };
        assert!(is_understood, "{name}");
        paths.insert(request.path);
    }
    assert_eq!(paths.len(), 2, "a click and a slash command");
}
