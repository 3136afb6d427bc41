//! The role of template.yaml: what it allows, and what rights a request needs. The actions and
//! resources of a request are those that IAM checks.
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::Value;

use super::cloud::{Call, Cloud};
use crate::reading::Deployment;
use crate::rights::statements_in;

/// The account that the template is deployed in here.
const HOME: &str = "012345678912";
pub(crate) const ROLE: &str = "arn:aws:iam::222222222222:role/ecr-promoter-target";
const KEY: &str = "arn:aws:kms:us-east-1:012345678912:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// Every optional feature.
pub(crate) const EVERYTHING: [(&str, &str); 6] = [
    ("PublicUrl", "on"),
    ("SlackChannel", "C024BE91L"),
    ("WatchAlarms", "true"),
    ("TargetRoles", ROLE),
    ("TargetRegions", "eu-west-1"),
    ("KmsKeyArn", KEY),
];

/// A right that a call needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Used {
    pub(crate) action: String,
    pub(crate) resource: String,
    /// The change set that the call names.
    pub(crate) change_set: Option<String>,
    pub(crate) region: String,
}

/// The rights that the function needed so far. What it did with another role's session is that
/// role's matter.
pub(crate) fn used(cloud: &Cloud) -> BTreeSet<Used> {
    let calls = cloud.calls();
    let made: Vec<&Call> =
        calls.iter().filter(|call| call.op == "cloudformation:CreateChangeSet").collect();
    let own = calls.iter().filter(|call| call.key == cloud.account);
    own.flat_map(|call| rights(call, &made, &cloud.account)).collect()
}

/// The rights of a call. `made` are the calls that made change sets.
fn rights(call: &Call, made: &[&Call], account: &str) -> Vec<Used> {
    let home = |text: &str| text.replace(account, HOME);
    let change_set = call.body["ChangeSetName"].as_str().map(home);
    let pairs = match call.op.split_once(':').unwrap_or_default() {
        ("ecr", _) => of_ecr(call),
        ("cloudformation", _) => vec![(call.op.clone(), stack(call, made))],
        ("cloudwatch", _) => vec![(call.op.clone(), "*".to_owned())],
        ("ecs", action) => of_ecs(call, action),
        ("ssm", _) => of_parameters(call),
        ("dynamodb", action) => of_table(call, action),
        ("sns", _) => vec![(call.op.clone(), r#"{"Ref":"NotificationTopic"}"#.to_owned())],
        ("sts", _) => of_role(call),
        _ => panic!("this test does not know {}", call.op),
    };
    let right = |(action, resource): (String, String)| Used {
        action,
        resource: home(&resource),
        change_set: change_set.clone(),
        region: call.region.clone(),
    };
    pairs.into_iter().map(right).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The texts of a list.
fn list(call: &Call, key: &str) -> Vec<String> {
    let items = call.body[key].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn arn(service: &str, call: &Call, rest: &str) -> String {
    format!("arn:aws:{service}:{}:{HOME}:{rest}", call.region)
}

fn of_ecr(call: &Call) -> Vec<(String, String)> {
    let mut names = list(call, "repositoryNames");
    names.extend(call.body["repositoryName"].as_str().map(str::to_owned));
    let resource = |name: &String| match call.body["registryId"].as_str() {
        Some(registry) => format!("arn:aws:ecr:{}:{registry}:repository/{name}", call.region),
        None => arn("ecr", call, &format!("repository/{name}")),
    };
    names.iter().map(|name| (call.op.clone(), resource(name))).collect()
}

/// The stack, by its ARN, by its name, or by the ARN of its change set: of one that the function
/// made, or else of one of a nested stack, which CloudFormation made with that.
fn stack(call: &Call, made: &[&Call]) -> String {
    let of_change_set = || {
        let name = text(&call.body, "ChangeSetName").split('/').nth(1);
        made.iter().find(|its| Some(text(&its.body, "ChangeSetName")) == name)
    };
    match text(&call.body, "StackName") {
        name if name.starts_with("arn:") => name.to_owned(),
        "" => of_change_set().map_or_else(
            || arn("cloudformation", call, "stack/web-Nested-1ABC/id"),
            |its| stack(its, &[]),
        ),
        name => arn("cloudformation", call, &format!("stack/{name}/id")),
    }
}

fn of_ecs(call: &Call, action: &str) -> Vec<(String, String)> {
    let cluster = text(&call.body, "cluster").rsplit('/').next().unwrap_or_default().to_owned();
    let named = |kind: &str, name: &String| match name.starts_with("arn:") {
        true => name.clone(),
        false => arn("ecs", call, &format!("{kind}/{cluster}/{name}")),
    };
    let resources: Vec<String> = match action {
        "DescribeServices" => {
            list(call, "services").iter().map(|name| named("service", name)).collect()
        }
        "DescribeServiceRevisions" => list(call, "serviceRevisionArns"),
        "DescribeServiceDeployments" => list(call, "serviceDeploymentArns"),
        "DescribeTasks" => list(call, "tasks").iter().map(|name| named("task", name)).collect(),
        "ListTasks" => vec![arn("ecs", call, &format!("container-instance/{cluster}/any"))],
        _ => panic!("this test does not know ecs:{action}"),
    };
    resources.into_iter().map(|resource| (call.op.clone(), resource)).collect()
}

fn of_parameters(call: &Call) -> Vec<(String, String)> {
    let name = call.body["Name"].as_str().or(call.body["Path"].as_str()).unwrap_or_default();
    vec![(call.op.clone(), arn("ssm", call, &format!("parameter{name}")))]
}

/// A transaction has no action of its own: each of its items is checked.
fn of_table(call: &Call, action: &str) -> Vec<(String, String)> {
    let table = r#"{"GetAtt":"OwnStateTable.Arn"}"#.to_owned();
    if action != "TransactWriteItems" {
        return vec![(call.op.clone(), table)];
    }
    let items = call.body["TransactItems"].as_array().expect("items").iter();
    let of_item = |item: &Value| match item.as_object().and_then(|it| it.keys().next()) {
        Some(kind) if kind == "ConditionCheck" => "dynamodb:ConditionCheckItem".to_owned(),
        Some(kind) => format!("dynamodb:{kind}Item"),
        None => panic!("an empty item: {item}"),
    };
    items.map(|item| (of_item(item), table.clone())).collect()
}

fn of_role(call: &Call) -> Vec<(String, String)> {
    let role = text(&call.body, "RoleArn").to_owned();
    let mut rights = vec![("sts:AssumeRole".to_owned(), role.clone())];
    if call.body["SourceIdentity"].is_string() {
        rights.push(("sts:SetSourceIdentity".to_owned(), role));
    }
    rights
}

/// The calls of the function that no statement allows.
pub(crate) fn missing(statements: &[Value], calls: &BTreeSet<Used>) -> Vec<String> {
    let is_allowed = |call: &&Used| statements.iter().any(|statement| allows(statement, call));
    let missing = calls.iter().filter(|call| !is_allowed(call));
    missing.map(|call| format!("{} on {}", call.action, call.resource)).collect()
}

pub(crate) fn allows(statement: &Value, call: &Used) -> bool {
    let has = |key: &str, wanted: &str| texts(&statement[key]).iter().any(|it| covers(it, wanted));
    has("Action", &call.action)
        && has("Resource", &call.resource)
        && is_under_condition(&statement["Condition"], call)
}

fn is_under_condition(condition: &Value, call: &Used) -> bool {
    let Some(operators) = condition.as_object() else { return true };
    operators.iter().all(|(operator, keys)| {
        keys.as_object().expect("keys").iter().all(|(key, values)| {
            let actual = match (operator.as_str(), key.as_str()) {
                ("StringLike", "cloudformation:ChangeSetName") => call.change_set.as_deref(),
                ("StringEquals", "aws:RequestedRegion") => Some(call.region.as_str()),
                _ => panic!("this test does not know the condition {operator} {key}"),
            };
            actual.is_some_and(|actual| texts(values).iter().any(|value| covers(value, actual)))
        })
    })
}

/// Whether a pattern of IAM covers a name.
pub(crate) fn covers(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            let mut ends = ends.filter(|at| name.is_char_boundary(*at));
            ends.any(|at| covers(rest, &name[at..]))
        }),
    }
}

pub(crate) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            vec![value.to_string()]
        }
    }
}

/// The calls of a run that the role does not allow with every feature on, where all apps of this
/// account have been named.
pub(crate) fn not_allowed(cloud: &Cloud) -> Vec<String> {
    static STATEMENTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let all = [
            ("MoreRepositoryArns", "arn:aws:ecr:*:*:repository/*"),
            ("MoreStackArns", "arn:aws:cloudformation:*:*:stack/*"),
            ("TargetRoles", "arn:aws:iam::*:role/*"),
        ];
        statements_in(&Deployment::of("template.yaml", &[&EVERYTHING[..], &all].concat()))
    });
    missing(&STATEMENTS, &used(cloud))
}
