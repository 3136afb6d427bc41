//! What the function calls against what the role of template.yaml allows: nothing is missing, and
//! nothing is there that no call needs. The calls are those of real runs; their actions and
//! resources are read off the requests.

mod journeys;

use std::collections::BTreeSet;

use serde_json::Value;

use super::role::{EVERYTHING, ROLE, Used, allows, covers, missing, texts};
use crate::reading::Deployment;
use crate::rights::statements_in;

/// The journeys of a configuration that has no optional feature at all.
const BASIC: [&str; 5] = ["push", "question", "change set", "long update", "nested changes"];

/// Statements, or parts of them, that no request shows, and why they are needed all the same.
const UNSEEN: [(&str, &str, &str); 6] = [
    ("KeepWhatFailed", "", "Lambda hands on what failed for good"),
    ("WriteLog", "", "Lambda writes the function's log"),
    ("UseKey", "", "SNS, SQS, DynamoDB, Lambda and Parameter Store use the key for the caller"),
    (
        "OwnChangeSetsOfNestedStacks",
        "",
        "CloudFormation makes and removes the change sets of nested stacks with their root's, and \
         checks the template's transforms, both with the caller's rights",
    ),
    (
        "ListApps",
        "parameter/ecr-promoter/apps",
        "Parameter Store checks the path as it was sent, which a newer SDK may trim",
    ),
    ("FindServices", "stack/web-*/*", "stacks that are nested in the app's, named after it"),
];

/// One configuration of the template, and the journeys that people can make with it.
struct Configuration {
    name: &'static str,
    parameters: Vec<(&'static str, &'static str)>,
    journeys: Vec<&'static str>,
}

fn configurations() -> Vec<Configuration> {
    let with = |name, parameters: &[(&'static str, &'static str)], more: &[&'static str]| {
        let journeys = BASIC.iter().chain(more).copied().collect();
        Configuration { name, parameters: parameters.to_vec(), journeys }
    };
    let verifies = ["services", "tasks"];
    let links = ["links and board", "Slack", "services", "tasks"];
    let all: Vec<&str> = links.iter().chain(&["alarms", "another account"]).copied().collect();
    vec![
        with("every parameter at its default", &[], &verifies),
        with("without verification", &[("VerifyServices", "false")], &[]),
        with(
            "messages into Slack",
            &[("SlackChannel", "C024BE91L")],
            &["services", "tasks", "only posts"],
        ),
        with("a public address", &[("PublicUrl", "on")], &links),
        with("alarms", &[("WatchAlarms", "true")], &["services", "tasks", "alarms"]),
        with("targets", &[("TargetRoles", ROLE)], &["services", "tasks", "another account"]),
        with("every feature", &EVERYTHING, &all),
    ]
}

#[tokio::test]
async fn the_role_has_what_each_configuration_uses_and_nothing_else() {
    for configuration in configurations() {
        let mut calls = BTreeSet::new();
        for journey in &configuration.journeys {
            let Some(used) = journeys::of(journey).await else { return };
            assert!(!used.is_empty(), "the journey `{journey}` called nothing");
            calls.extend(used);
        }
        let deployment = Deployment::of("template.yaml", &configuration.parameters);
        let statements = statements_in(&deployment);
        assert_eq!(missing(&statements, &calls), [""; 0], "missing: {}", configuration.name);
        assert_eq!(extra(&statements, &calls), [""; 0], "not used: {}", configuration.name);
        assert_eq!(seen(&statements, &calls), [""; 0], "no exceptions: {}", configuration.name);
    }
}

/// What is listed as unseen must be there.
#[test]
fn each_exception_is_about_the_template() {
    let statements = statements_in(&Deployment::of("template.yaml", &EVERYTHING));
    for (sid, part, why) in UNSEEN {
        let statement = statements.iter().find(|statement| statement["Sid"] == sid);
        let statement = statement.unwrap_or_else(|| panic!("{sid} ({why}) is no statement"));
        let parts = texts(&statement["Resource"]);
        assert!(part.is_empty() || parts.iter().any(|its| its.ends_with(part)), "{sid}: {part}");
    }
}

/// A role that allowed less, or more, would be found.
#[test]
fn a_missing_and_a_needless_right_are_found() {
    let statements = statements_in(&Deployment::of("template.yaml", &[]));
    let call = |action: &str, resource: &str| Used {
        action: action.to_owned(),
        resource: resource.to_owned(),
        change_set: None,
        region: "us-east-1".to_owned(),
    };
    let topic = r#"{"Ref":"NotificationTopic"}"#;
    let cases = [
        (call("sns:Publish", topic), true),
        (call("sns:Publish", r#"{"Ref":"ApprovalTopic"}"#), false),
        (call("ecr:DeleteRepository", "arn:aws:ecr:us-east-1:012345678912:repository/web"), false),
        (call("ecr:PutImage", "arn:aws:ecr:us-east-1:012345678912:repository/web"), true),
        (call("ecr:PutImage", "arn:aws:ecr:us-east-1:012345678912:repository/web-2"), false),
    ];
    for (call, is_allowed) in cases {
        let calls = BTreeSet::from([call]);
        assert_eq!(missing(&statements, &calls).is_empty(), is_allowed, "{calls:?}");
        assert!(extra(&statements, &calls).iter().any(|its| its.contains("UpdateStack")));
    }
}

/// The actions and resources of statements that no call needs. A statement holds for each of its
/// actions on each of its resources, so each must be used with some of the others.
fn extra(statements: &[Value], calls: &BTreeSet<Used>) -> Vec<String> {
    let mut extra = Vec::new();
    for statement in statements {
        let sid = statement["Sid"].as_str().unwrap_or_default();
        let of_statement: Vec<&Used> = calls.iter().filter(|it| allows(statement, it)).collect();
        let is_unseen = |part: &str| {
            UNSEEN.iter().any(|(of, end, _)| *of == sid && (end.is_empty() || part.ends_with(end)))
        };
        for action in texts(&statement["Action"]) {
            if !is_unseen(&action) && !of_statement.iter().any(|call| call.action == action) {
                extra.push(format!("{sid}: {action}"));
            }
        }
        for resource in texts(&statement["Resource"]) {
            let is_used = || of_statement.iter().any(|call| covers(&resource, &call.resource));
            if !is_unseen(&resource) && !is_used() {
                extra.push(format!("{sid}: {resource}"));
            }
        }
    }
    extra
}

/// The exceptions that requests show all the same.
fn seen(statements: &[Value], calls: &BTreeSet<Used>) -> Vec<&'static str> {
    let is_seen = |sid: &str, part: &str| {
        let of_sid = statements.iter().filter(|statement| statement["Sid"] == sid);
        of_sid.flat_map(|statement| calls.iter().map(move |call| (statement, call))).any(
            |(statement, call)| {
                let resources = texts(&statement["Resource"]);
                let mut parts = resources.iter().filter(|resource| resource.ends_with(part));
                allows(statement, call) && parts.any(|resource| covers(resource, &call.resource))
            },
        )
    };
    UNSEEN.iter().filter(|(sid, part, _)| is_seen(sid, part)).map(|(sid, ..)| *sid).collect()
}
