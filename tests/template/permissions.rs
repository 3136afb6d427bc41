//! The role: a right for each call, and none for anything else.

use std::collections::BTreeSet;
use std::fs;

use ecr_promoter::settings::{DEFAULT_PREFIX, Secret, Settings};
use serde_json::{Value, json};

use super::reading::{Deployment, deployed, root};
use super::rights::{Right, rights, statements_in};

/// What AWS does in the function's name, and no code of ours: its log, and handing on what failed
/// for good.
const BY_LAMBDA: [&str; 3] = ["logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage"];

/// What SNS, SQS, DynamoDB and Lambda do with a key of the owner's in the function's name.
const WITH_A_KEY: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];

/// What `sts:AssumeRole` needs beside itself where it sets a source identity.
const FOR_TARGETS: [&str; 2] = ["sts:AssumeRole", "sts:SetSourceIdentity"];

const KEY: &str = "arn:aws:kms:us-east-1:012345678912:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const TARGET_ROLE: &str = "arn:aws:iam::222222222222:role/ecr-promoter-target";

/// With every feature.
fn whole() -> Deployment {
    deployed([
        ("VerifyServices", "true"),
        ("WatchAlarms", "true"),
        ("TargetRoles", TARGET_ROLE),
        ("PublicUrl", "on"),
        ("SlackChannel", "C024BE91L"),
        ("KmsKeyArn", KEY),
    ])
}

fn actions(rights: &[Right]) -> BTreeSet<String> {
    rights.iter().map(|right| right.action.clone()).collect()
}

/// The resources that an action is allowed on.
fn resources(rights: &[Right], action: &str) -> Vec<String> {
    let of_action = rights.iter().filter(|right| right.action == action);
    of_action.map(|right| right.resource.clone()).collect()
}

/// The `"service:Action"` strings in src/services, tests apart: each call names its action, for the
/// error when it is denied.
fn actions_in_code() -> BTreeSet<String> {
    let services = root().join("src/services");
    let mut folders = vec![services.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for file in fs::read_dir(folder).expect("a folder") {
            let path = file.expect("a file").path();
            let inside = path.strip_prefix(&services).expect("a path inside");
            let is_for_tests = inside.iter().any(|part| {
                ["tests", "tests.rs", "wire", "wire.rs", "samples.rs"]
                    .iter()
                    .any(|its| part == *its)
            });
            if path.is_dir() {
                folders.push(path);
            } else if !is_for_tests {
                sources.push(path);
            }
        }
    }
    sources
        .into_iter()
        .flat_map(|path| {
            let text = fs::read_to_string(path).expect("readable");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            code.split('"')
                .filter(|literal| is_action(literal))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

fn is_action(literal: &str) -> bool {
    literal.split_once(':').is_some_and(|(service, action)| {
        !service.is_empty()
            && service.bytes().all(|b| b.is_ascii_lowercase())
            && action.starts_with(|c: char| c.is_ascii_uppercase())
            && action.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

#[test]
fn the_role_has_each_right_that_the_code_needs_once_and_no_other() {
    let called = actions_in_code();
    assert!(
        called.contains("ecr:PutImage") && called.contains("cloudformation:UpdateStack"),
        "the code was not read: {called:?}"
    );
    let beside =
        BY_LAMBDA.iter().chain(&FOR_TARGETS).chain(&WITH_A_KEY).map(|action| (*action).to_owned());
    let mut rights = rights(&statements_in(&whole()));
    assert_eq!(actions(&rights), called.into_iter().chain(beside).collect());

    let all = rights.len();
    rights.sort();
    rights.dedup_by(|a, b| (&a.action, &a.resource) == (&b.action, &b.resource));
    assert_eq!(rights.len(), all, "a right is there twice: {rights:#?}");
}

#[test]
fn a_feature_that_is_off_has_no_permission() {
    let services = [
        "cloudformation:ListStackResources",
        "ecs:DescribeServiceDeployments",
        "ecs:DescribeServiceRevisions",
        "ecs:DescribeServices",
        "ecs:DescribeTasks",
        "ecs:ListTasks",
    ];
    let granted = |deployment: &Deployment| actions(&rights(&statements_in(deployment)));
    let missing = |verify, watch, roles| {
        let some = deployed([
            ("VerifyServices", verify),
            ("WatchAlarms", watch),
            ("TargetRoles", roles),
            ("KmsKeyArn", KEY),
        ]);
        granted(&whole()).difference(&granted(&some)).cloned().collect::<Vec<_>>()
    };
    assert_eq!(missing("true", "false", TARGET_ROLE), ["cloudwatch:DescribeAlarms"]);
    assert_eq!(missing("false", "true", TARGET_ROLE), services);
    assert_eq!(missing("true", "true", ""), FOR_TARGETS);
    assert_eq!(deployed([]).parameter("TargetRoles"), "");
    let keyless = deployed([("WatchAlarms", "true"), ("TargetRoles", TARGET_ROLE)]);
    let missing = granted(&whole()).difference(&granted(&keyless)).cloned().collect::<Vec<_>>();
    assert_eq!(missing, WITH_A_KEY);
}

/// An ARN of ECS names the cluster first: those of other clusters are not open.
#[test]
fn services_are_read_in_the_clusters_that_are_named_and_in_no_other() {
    for services in ["*", "production/*"] {
        let rights = rights(&statements_in(&deployed([("EcsServices", services)])));
        let kinds =
            ["service", "service-revision", "service-deployment", "container-instance", "task"];
        let wanted = kinds.map(|kind| format!("arn:aws:ecs:*:012345678912:{kind}/{services}"));
        for action in actions(&rights).iter().filter(|action| action.starts_with("ecs:")) {
            assert_eq!(resources(&rights, action), wanted, "{action}");
        }
    }
}

#[test]
fn every_statement_has_a_name_and_a_resource() {
    let mut names = BTreeSet::new();
    for statement in statements_in(&whole()) {
        let name = statement["Sid"].as_str().expect("a Sid").to_owned();
        assert_eq!(statement["Effect"], "Allow", "{name}");
        assert!(
            !statement["Action"].to_string().contains('*'),
            "{name} allows actions that it does not name"
        );
        // AWS shows no composite alarm to whoever may describe some alarms only.
        // <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>
        let may_be_everything = statement["Action"] == "cloudwatch:DescribeAlarms";
        assert_eq!(
            is_everything(&statement["Resource"]),
            may_be_everything,
            "{name} is for every resource"
        );
        assert!(names.insert(name.clone()), "{name} is there twice");
    }
}

/// Whoever makes a change set of another name, or for another stack, cannot have it executed by
/// this role.
#[test]
fn only_change_sets_of_our_own_are_made_executed_and_removed() {
    let names = json!({ "StringLike": {
        "cloudformation:ChangeSetName": ["ecr-promoter-*", "arn:*:changeSet/ecr-promoter-*/*"],
    } });
    let further = "arn:aws:cloudformation:us-east-1:012345678912:stack/api/*";
    let rights = rights(&statements_in(&deployed([("MoreStackArns", further)])));
    let of_stacks = rights.iter().filter(|right| right.action.starts_with("cloudformation:"));
    for right in of_stacks {
        let is_change = ["Create", "Execute", "Delete"]
            .iter()
            .any(|start| right.action == format!("cloudformation:{start}ChangeSet"));
        let wanted = if is_change { &names } else { &Value::Null };
        assert_eq!(right.condition, wanted.to_string(), "{right:?}");
    }
    let stack = "arn:aws:cloudformation:us-east-1:012345678912:stack/web/*";
    for action in ["UpdateStack", "ExecuteChangeSet", "CancelUpdateStack"] {
        let resources = resources(&rights, &format!("cloudformation:{action}"));
        assert_eq!(resources, [stack, further], "{action}: `web-staging` is another stack");
    }
}

/// A change set of a root stack makes, shows and removes those of its nested stacks.
#[test]
fn the_stacks_that_are_nested_in_the_first_apps_are_reached_where_they_must_be() {
    let rights = rights(&statements_in(&whole()));
    let nested = "arn:aws:cloudformation:us-east-1:012345678912:stack/web-*/*";
    let reached = rights.iter().filter(|right| right.resource == nested);
    let actions: BTreeSet<&str> = reached.map(|right| right.action.as_str()).collect();
    let wanted = ["CreateChangeSet", "DeleteChangeSet", "DescribeChangeSet", "ListStackResources"];
    assert_eq!(
        actions,
        wanted
            .map(|action| format!("cloudformation:{action}"))
            .iter()
            .map(String::as_str)
            .collect()
    );
}

/// Whether a resource is left open, or is `*` in any branch.
fn is_everything(resource: &Value) -> bool {
    match resource {
        Value::Null => true,
        Value::String(text) => text == "*",
        Value::Array(items) => items.iter().any(is_everything),
        Value::Object(members) => members.values().any(is_everything),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The parameters that the code reads one by one: their names are those that the role may read, and
/// no other's.
#[test]
fn the_role_may_read_each_parameter_that_the_code_reads_and_no_other() {
    let settings = Settings::from_vars(|name| (name == "STATE_TABLE").then(|| "x".to_owned()))
        .expect("settings");
    let web = "tools/web".parse().expect("a repository");
    let read = [
        settings.app_parameter(&web),
        settings.secret_parameter(Secret::SlackSigningSecret),
        settings.secret_parameter(Secret::SlackBotToken),
        settings.secret_parameter(Secret::GitToken),
        format!("{DEFAULT_PREFIX}/link-secret"),
        format!("{DEFAULT_PREFIX}/public-url"),
    ];
    let allowed = resources(&rights(&statements_in(&whole())), "ssm:GetParameter");
    let covers = |arn: &str, name: &str| {
        let pattern =
            arn.strip_prefix("arn:aws:ssm:us-east-1:012345678912:parameter").expect("a parameter");
        pattern == name || pattern.strip_suffix('*').is_some_and(|start| name.starts_with(start))
    };
    for name in &read {
        assert!(
            allowed.iter().any(|arn| covers(arn, name)),
            "the role may not read {name}: {allowed:?}"
        );
    }
    for arn in &allowed {
        assert!(read.iter().any(|name| covers(arn, name)), "the code reads nothing of {arn}");
    }
    // What nobody can reach needs no secret, and a message into Slack needs its token alone.
    let secrets = |deployment: &Deployment| {
        let allowed = resources(&rights(&statements_in(deployment)), "ssm:GetParameter");
        let names = read[1..].iter().filter(|name| allowed.iter().any(|arn| covers(arn, name)));
        names.filter_map(|name| name.strip_prefix("/ecr-promoter/")).map(str::to_owned).collect()
    };
    let always = ["git-token", "public-url"].map(str::to_owned);
    let closed: Vec<String> = secrets(&deployed([]));
    assert_eq!(closed, always);
    let posts: Vec<String> = secrets(&deployed([("SlackChannel", "C024BE91L")]));
    assert_eq!(posts, ["slack/bot-token", "git-token", "public-url"]);
    for foreign in [
        "/ecr-promoter/other",
        "/ecr-promoter",
        "/other/slack/bot-token",
        "/ecr-promoter/link-secret-2",
    ] {
        assert!(!allowed.iter().any(|arn| covers(arn, foreign)), "the role may read {foreign}");
    }
}
