//! The events that wake the function.

use std::collections::{BTreeMap, BTreeSet};

use ecr_promoter::event::payload::parse;
use ecr_promoter::event::{Event, Invocation};
use ecr_promoter::function_url::Request;
use ecr_promoter::model::place::Place;
use ecr_promoter::slack::signature::{TIMESTAMP, signed};
use ecr_promoter::slack::{interaction, slash};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::patterns::matches;
use super::reading::{Deployment, deployed, events, function};

/// The files in events/ that the rule of this name lets through: an event of the function, or a
/// rule of its own.
fn through(rule: &str, deployment: &Deployment) -> Vec<String> {
    let pattern = match deployment.resources("AWS::Events::Rule").remove(rule) {
        Some(rule) => deployment.resolve(&rule["EventPattern"]),
        None => deployment.resolve(&function()["Events"][rule]["Properties"]["Pattern"]),
    };
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
fn a_deployment_of_ecs_wakes_the_function_where_it_verifies() {
    let all = [
        "ecs-deployment-completed.json",
        "ecs-deployment-failed.json",
        "ecs-service-steady-state.json",
    ];
    assert_eq!(through("ServiceChangeRule", &deployed([])), all);
    let of_cluster =
        |services| through("ServiceChangeRule", &deployed([("EcsServices", services)]));
    assert_eq!(of_cluster("production/*"), all);
    assert_eq!(of_cluster("prod/*"), [""; 0], "a cluster's name is the whole name");
}

#[test]
fn an_alarm_that_goes_off_wakes_the_function_where_it_watches_alarms() {
    let watches = deployed([("WatchAlarms", "true")]);
    assert_eq!(through("AlarmChangeRule", &watches), ["alarm-state-change.json"]);

    let pattern = &watches.resources("AWS::Events::Rule")["AlarmChangeRule"]["EventPattern"];
    let mut event = events().remove("alarm-state-change.json").expect("a file");
    for (state, wakes) in [("ALARM", true), ("OK", false), ("INSUFFICIENT_DATA", false)] {
        event["detail"]["state"]["value"] = json!(state);
        assert_eq!(matches(pattern, &event), wakes, "{state}");
    }
}

/// Of a service's other actions there may be thousands a day.
#[test]
fn other_events_of_ecs_and_cloudwatch_do_not_wake_the_function() {
    let deployment = deployed([("WatchAlarms", "true")]);
    let rules = deployment.resources("AWS::Events::Rule");
    let patterns: Vec<Value> =
        rules.values().map(|rule| deployment.resolve(&rule["EventPattern"])).collect();
    let base = events().remove("ecs-service-steady-state.json").expect("a file");
    let wakes = |pointer: &str, value: &str| {
        let mut event = base.clone();
        *event.pointer_mut(pointer).expect("a member") = json!(value);
        patterns.iter().any(|pattern| matches(pattern, &event))
    };
    assert!(wakes("/detail/eventName", "SERVICE_STEADY_STATE"));
    for name in ["TASKSET_STEADY_STATE", "SERVICE_TASK_START_IMPAIRED", "TASKS_STOPPED"] {
        assert!(!wakes("/detail/eventName", name), "{name}");
    }
    assert!(!wakes("/detail-type", "ECS Task State Change"));
    assert!(!wakes("/detail-type", "CloudWatch Alarm Configuration Change"));
    let foreign = "arn:aws:ecs:us-east-1:999999999999:service/production/web";
    assert!(!wakes("/resources/0", foreign));
}

#[test]
fn a_feature_that_is_off_has_no_rule() {
    let rules = |verify, watch| {
        let deployment = deployed([("VerifyServices", verify), ("WatchAlarms", watch)]);
        let by_hand = deployment.resources("AWS::Events::Rule").into_keys();
        by_hand.collect::<Vec<String>>()
    };
    assert_eq!(rules("false", "false"), [""; 0]);
    assert_eq!(rules("true", "false"), ["ServiceChangeRule"]);
    assert_eq!(rules("false", "true"), ["AlarmChangeRule"]);
    assert_eq!(deployed([]).parameter("VerifyServices"), "true");
    assert_eq!(deployed([]).parameter("WatchAlarms"), "false");
}

/// Where the events of `events/` come from.
fn home() -> Place {
    Place { account: Some("012345678912".to_owned()), region: Some("us-east-1".to_owned()) }
}

#[test]
fn what_these_rules_let_through_is_understood() {
    let invocation = Invocation::new("request".to_owned(), "", jiff::Timestamp::UNIX_EPOCH);
    let understood = |name: &String| {
        let event = events().remove(name).expect("a file");
        parse(&event, &invocation).expect("understood").remove(0).expect("understood")
    };
    for name in through("ServiceChangeRule", &deployed([])) {
        let service = "arn:aws:ecs:us-east-1:012345678912:service/production/web".to_owned();
        assert_eq!(understood(&name), Event::ServiceChanged { service, at: home() }, "{name}");
    }
    for name in through("AlarmChangeRule", &deployed([("WatchAlarms", "true")])) {
        let alarm = "web-5xx".to_owned();
        assert_eq!(understood(&name), Event::AlarmChanged { alarm, at: home() }, "{name}");
    }
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
