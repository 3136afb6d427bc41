//! The role: a statement for each call, and none for anything else.

use std::collections::BTreeSet;
use std::fs;

use ecr_promoter::settings::{DEFAULT_PREFIX, Secret, Settings};
use serde_json::{Value, json};

use super::reading::{Deployment, deployed, property, root};

/// What AWS does in the function's name, and no code of ours: its log, and handing on what failed
/// for good.
const BY_LAMBDA: [&str; 3] = ["logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage"];

/// With every feature.
fn whole() -> Deployment {
    deployed([("VerifyServices", "true"), ("WatchAlarms", "true")])
}

/// The statements of the function's role, with every feature.
fn statements() -> Vec<Value> {
    statements_in(&whole())
}

fn statements_in(deployment: &Deployment) -> Vec<Value> {
    let mut statements = statements_inside();
    for (name, policy) in deployment.resources("AWS::IAM::ManagedPolicy") {
        assert_eq!(policy["Roles"], json!([{ "Ref": "FunctionRole" }]), "{name}");
        statements.extend(statements_of(&policy));
    }
    statements
}

/// The statements of the policies inside the role.
fn statements_inside() -> Vec<Value> {
    let policies = property("FunctionRole", "Policies");
    policies.as_array().expect("policies").iter().flat_map(statements_of).collect()
}

fn statements_of(policy: &Value) -> Vec<Value> {
    policy["PolicyDocument"]["Statement"].as_array().expect("statements").clone()
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
fn the_role_has_one_statement_for_each_action_and_none_for_anything_else() {
    let called = actions_in_code();
    assert!(
        called.contains("ecr:PutImage") && called.contains("cloudformation:UpdateStack"),
        "the code was not read: {called:?}"
    );
    // Lists, not sets: an action with two statements stands here twice.
    let mut needed: Vec<String> = called.into_iter().chain(BY_LAMBDA.map(str::to_owned)).collect();
    let mut granted: Vec<String> = statements()
        .iter()
        .map(|statement| statement["Action"].as_str().expect("one action").to_owned())
        .collect();
    needed.sort();
    granted.sort();
    assert_eq!(granted, needed);
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
    let missing = |verify, watch| {
        let granted = |deployment: &Deployment| -> BTreeSet<String> {
            let actions = statements_in(deployment).into_iter().map(|it| it["Action"].clone());
            actions.map(|action| action.as_str().expect("one action").to_owned()).collect()
        };
        let some = granted(&deployed([("VerifyServices", verify), ("WatchAlarms", watch)]));
        granted(&whole()).difference(&some).cloned().collect::<Vec<_>>()
    };
    assert_eq!(missing("true", "false"), ["cloudwatch:DescribeAlarms"]);
    assert_eq!(missing("false", "true"), services);
}

/// An ARN of ECS names the cluster first: those of other clusters are not open.
#[test]
fn services_are_read_in_the_clusters_that_are_named_and_in_no_other() {
    for (services, deployment) in
        [("*", deployed([])), ("production/*", deployed([("EcsServices", "production/*")]))]
    {
        for (action, kinds) in [
            ("DescribeServices", &["service"][..]),
            ("DescribeServiceRevisions", &["service", "service-revision"]),
            ("DescribeServiceDeployments", &["service", "service-deployment"]),
            ("ListTasks", &["container-instance"]),
            ("DescribeTasks", &["task"]),
        ] {
            let statement = statements_in(&deployment)
                .into_iter()
                .find(|statement| statement["Action"] == format!("ecs:{action}"))
                .expect("a statement");
            let resource = deployment.resolve(&statement["Resource"]);
            let resources = resource.as_array().cloned().unwrap_or_else(|| vec![resource]);
            let wanted: Vec<Value> = kinds
                .iter()
                .map(|kind| json!(format!("arn:aws:ecs:us-east-1:012345678912:{kind}/{services}")))
                .collect();
            assert_eq!(resources, wanted, "{action}");
        }
    }
}

#[test]
fn every_statement_has_a_name_and_a_resource() {
    let mut names = BTreeSet::new();
    for statement in statements() {
        let name = statement["Sid"].as_str().expect("a Sid").to_owned();
        assert_eq!(statement["Effect"], "Allow", "{name}");
        assert!(
            !statement["Action"].to_string().contains('*'),
            "{name} allows more than one action"
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

/// The statement for this action, and the resources that it resolves to where nothing but the first
/// app is configured.
fn statement_for(action: &str) -> (Value, Vec<String>) {
    let statement = statements()
        .into_iter()
        .find(|statement| statement["Action"] == action)
        .expect("a statement");
    let list = deployed([]).resolve(&statement["Resource"]["Split"][1]);
    let resources = list.as_str().expect("a list").split(',').map(str::to_owned).collect();
    (statement, resources)
}

/// Whoever makes a change set of another name, or for another stack, cannot have it executed by
/// this role.
#[test]
fn only_change_sets_of_our_own_are_made_executed_and_removed() {
    for action in ["CreateChangeSet", "ExecuteChangeSet", "DeleteChangeSet"] {
        let (statement, _) = statement_for(&format!("cloudformation:{action}"));
        let names = json!({
            "cloudformation:ChangeSetName": ["ecr-promoter-*", "arn:*:changeSet/ecr-promoter-*/*"],
        });
        assert_eq!(statement["Condition"], json!({ "StringLike": names }), "{action}");
    }
    let stack = "arn:aws:cloudformation:us-east-1:012345678912:stack/web/*";
    for action in ["UpdateStack", "ExecuteChangeSet", "CancelUpdateStack"] {
        let (_, resources) = statement_for(&format!("cloudformation:{action}"));
        assert_eq!(resources, [stack], "{action}: `web-staging` is another stack than `web`");
    }
}

#[test]
fn the_role_has_room_for_five_further_apps() {
    let apps: Vec<(String, String)> = (0..5)
        .map(|n| {
            let repository = format!("arn:aws:ecr:us-east-1:012345678912:repository/shop-{n}");
            (repository, format!("arn:aws:cloudformation:us-east-1:012345678912:stack/shop-{n}/*"))
        })
        .collect();
    let (repositories, stacks): (Vec<_>, Vec<_>) = apps.into_iter().unzip();
    let deployment = deployed([]);
    let length = |statement: &Value| {
        let more = match statement["Action"].as_str().unwrap_or_default().split_once(':') {
            Some(("ecr", _)) => &repositories,
            Some(("cloudformation", _)) => &stacks,
            // The names that CloudFormation makes are longer than their references.
            _ => return statement.to_string().len() + 60,
        };
        let text = deployment.resolve(&statement["Resource"]).to_string();
        // The list of a `Split`, with quotes and commas, beside the statement without it.
        let rest = Value::from_iter(
            statement
                .as_object()
                .expect("a statement")
                .clone()
                .into_iter()
                .filter(|(key, _)| key != "Resource"),
        );
        rest.to_string().len() + text.len() + more.iter().map(|arn| arn.len() + 3).sum::<usize>()
    };
    let all: usize = statements_inside().iter().map(length).sum();
    assert!(all < 10_240, "IAM takes 10,240 characters of inline policies, and these are {all}");
    for (name, policy) in whole().resources("AWS::IAM::ManagedPolicy") {
        let all: usize = statements_of(&policy).iter().map(length).sum();
        assert!(all < 6_144, "IAM takes 6,144 characters of a policy, and {name} has {all}");
    }
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
    let statement = statements()
        .into_iter()
        .find(|statement| statement["Action"] == "ssm:GetParameter")
        .expect("a statement");
    let allowed: Vec<String> = serde_json::from_value(deployed([]).resolve(&statement["Resource"]))
        .expect("a list of ARNs");
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
    for foreign in [
        "/ecr-promoter/other",
        "/ecr-promoter",
        "/other/slack/bot-token",
        "/ecr-promoter/link-secret-2",
    ] {
        assert!(!allowed.iter().any(|arn| covers(arn, foreign)), "the role may read {foreign}");
    }
}
