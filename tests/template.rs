//! `template.yaml` agrees with the code: the environment that the code reads, the events that the rule lets through, the
//! permissions of the calls, and what the state relies on.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use ecr_promoter::config::{App, DEFAULT_PREFIX, Settings};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// What AWS does in the function's name, and no code of ours: its log, and handing on what failed for good.
const BY_LAMBDA: [&str; 3] = ["logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage"];
/// What the role has beyond the calls that the code makes.
const AHEAD: [&str; 2] = ["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem"];

// Reading

/// The template as JSON; a short tag is its long form without `Fn::`: `!GetAtt Queue.Arn` is `{"GetAtt": "Queue.Arn"}`.
fn template() -> Value {
    let text = fs::read_to_string(root().join("template.yaml")).expect("template.yaml");
    let documents = Yaml::load_from_str(&text).expect("YAML");
    to_json(&documents[0])
}

fn to_json(node: &Yaml<'_>) -> Value {
    match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(boolean)) => json!(boolean),
        Yaml::Value(Scalar::Integer(number)) => json!(number),
        Yaml::Value(Scalar::FloatingPoint(number)) => json!(number.into_inner()),
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Sequence(items) => items.iter().map(to_json).collect(),
        Yaml::Mapping(members) => {
            members.iter().map(|(key, value)| (key.as_str().expect("a text key").to_owned(), to_json(value))).collect()
        }
        Yaml::Tagged(tag, tagged) => Map::from_iter([(tag.suffix.clone(), to_json(tagged))]).into(),
        other @ (Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue) => panic!("not in a template: {other:?}"),
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn resource(name: &str) -> Value {
    let resource = template()["Resources"][name].take();
    assert!(resource.is_object(), "the template has no {name}");
    resource
}

fn function() -> Value {
    resource("EcrPromoterFunction")["Properties"].take()
}

fn default_of(parameter: &str) -> Value {
    template()["Parameters"][parameter]["Default"].take()
}

/// Each `!Ref` of a parameter replaced by that parameter's default.
fn with_defaults(value: &Value) -> Value {
    match value {
        Value::Object(members) if members.contains_key("Ref") => default_of(value["Ref"].as_str().expect("a name")),
        Value::Object(members) => members.iter().map(|(key, value)| (key.clone(), with_defaults(value))).collect(),
        Value::Array(items) => items.iter().map(with_defaults).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// A `!Sub` with each `${Parameter}` replaced.
fn substituted(text: &str, parameters: &[(&str, &str)]) -> String {
    let text = parameters.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value));
    assert!(!text.contains("${"), "a parameter is missing here: {text}");
    text
}

// Environment and configuration

#[test]
fn the_function_has_the_environment_that_the_code_reads() {
    let read = RefCell::new(BTreeSet::new());
    let var = |name: &str| {
        read.borrow_mut().insert(name.to_owned());
        Some("/x".to_owned())
    };
    Settings::from_vars(var).expect("settings");
    let function = function();
    let set: BTreeSet<String> = function["Environment"]["Variables"].as_object().expect("variables").keys().cloned().collect();
    assert_eq!(set, read.into_inner());
}

#[test]
fn the_first_apps_configuration_is_where_the_code_looks_and_what_it_understands() {
    assert_eq!(default_of("ParameterPrefix"), DEFAULT_PREFIX);
    let parameter = resource("AppConfiguration")["Properties"].take();
    let settings = Settings::from_vars(|name| (name == "STATE_TABLE").then(|| "x".to_owned())).expect("settings");
    let repository = "tools/web".parse().expect("a repository");
    let name = substituted(
        parameter["Name"]["Sub"].as_str().expect("a name"),
        &[("ParameterPrefix", DEFAULT_PREFIX), ("Repository", "tools/web")],
    );
    assert_eq!(name, settings.app_parameter(&repository));

    let extra = r#""capabilities":["CAPABILITY_AUTO_EXPAND"],"repository_url":"https://github.com/acme/web""#;
    let branches = parameter["Value"]["If"].as_array().expect("!If");
    let configs: Vec<_> = branches[1..]
        .iter()
        .map(|branch| {
            let defaults = ["StackName", "ParameterName", "Mode", "SourceTag", "TagPrefix"].map(|name| (name, default_of(name)));
            let mut values: Vec<(&str, &str)> = defaults.iter().map(|(name, value)| (*name, value.as_str().expect("text"))).collect();
            values.push(("ExtraConfiguration", extra));
            let json = substituted(branch["Sub"].as_str().expect("!Sub"), &values);
            App::parse(&repository, &name, &json).expect("a configuration").config
        })
        .collect();
    let plain = App::parse(&repository, &name, r#"{"stack":"web"}"#).expect("a configuration").config;
    assert_eq!(configs[1], plain, "the template's defaults are those of the code");
    assert_eq!((configs[0].capabilities.len(), configs[0].repository_url.as_deref()), (1, Some("https://github.com/acme/web")));
}

// Events

#[test]
fn the_rules_let_through_what_is_for_the_function_and_nothing_else() {
    let function = function();
    let rules: BTreeMap<&str, Value> = function["Events"]
        .as_object()
        .expect("events")
        .iter()
        .filter(|(_, event)| event["Type"] == "EventBridgeRule")
        .map(|(name, event)| (name.as_str(), with_defaults(&event["Properties"]["Pattern"])))
        .collect();
    let through = |pattern: &Value| -> Vec<String> {
        events().into_iter().filter(|(_, event)| matches(pattern, event)).map(|(name, _)| name).collect()
    };
    let through: BTreeMap<&str, Vec<String>> = rules.iter().map(|(name, pattern)| (*name, through(pattern))).collect();
    // A rule cannot know which repositories are configured; an account and a region get only their own events.
    let pushes = ["ecr-push-other-account.json", "ecr-push-other-region.json", "ecr-push-unknown-repository.json", "ecr-push.json"];
    assert_eq!(through, BTreeMap::from([("ImagePush", pushes.map(str::to_owned).to_vec())]));
}

fn events() -> BTreeMap<String, Value> {
    let files = fs::read_dir(root().join("events")).expect("events/").map(|file| file.expect("a file").path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let text = fs::read_to_string(&path).expect("readable");
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, serde_json::from_str(&text).expect("JSON"))
        })
        .collect()
}

/// EventBridge's matching, as far as the patterns use it: every key must be there, with one of the values.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html>
fn matches(pattern: &Value, event: &Value) -> bool {
    match pattern {
        Value::Object(keys) => keys.iter().all(|(key, pattern)| matches(pattern, &event[key])),
        Value::Array(values) => values.iter().any(|value| {
            assert!(!value.is_object(), "this test does not know the matcher {value}");
            value == event
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => panic!("a pattern's leaf is a list, not {pattern}"),
    }
}

// Permissions

/// The statements of the function's role.
fn statements() -> Vec<Value> {
    let role = resource("FunctionRole");
    let policies = role["Properties"]["Policies"].as_array().expect("policies").clone();
    policies.iter().flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().expect("statements").clone()).collect()
}

/// The `"service:Action"` strings in src/aws, tests apart: each call names its action, for the error when it is denied.
fn actions_in_code() -> BTreeSet<String> {
    let files = fs::read_dir(root().join("src/aws")).expect("src/aws").map(|file| file.expect("a file").path());
    let sources = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("wire.rs"));
    sources
        .flat_map(|path| {
            let text = fs::read_to_string(path).expect("readable");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            code.split('"').filter(|literal| is_action(literal)).map(str::to_owned).collect::<Vec<_>>()
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
    assert!(called.contains("ecr:PutImage") && called.contains("cloudformation:UpdateStack"), "the code was not read: {called:?}");
    // Lists, not sets: an action with two statements stands here twice.
    let mut needed: Vec<String> = called.into_iter().chain(BY_LAMBDA.into_iter().chain(AHEAD).map(str::to_owned)).collect();
    let mut granted: Vec<String> =
        statements().iter().map(|statement| statement["Action"].as_str().expect("one action").to_owned()).collect();
    needed.sort();
    granted.sort();
    assert_eq!(granted, needed);
}

#[test]
fn every_statement_has_a_name_and_a_resource() {
    let mut names = BTreeSet::new();
    for statement in statements() {
        let name = statement["Sid"].as_str().expect("a Sid").to_owned();
        assert_eq!(statement["Effect"], "Allow", "{name}");
        assert!(!statement["Action"].to_string().contains('*'), "{name} allows more than one action");
        assert!(!is_everything(&statement["Resource"]), "{name} is for every resource");
        assert!(names.insert(name.clone()), "{name} is there twice");
    }
}

/// Whether a resource is left open, or is `*` in any branch: none of the actions needs that.
fn is_everything(resource: &Value) -> bool {
    match resource {
        Value::Null => true,
        Value::String(text) => text == "*",
        Value::Array(items) => items.iter().any(is_everything),
        Value::Object(members) => members.values().any(is_everything),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

// The function, its state and its failures

#[test]
fn the_function_is_our_binary_small_and_with_json_logs() {
    let resource = resource("EcrPromoterFunction");
    assert_eq!(resource["Metadata"]["BuildProperties"]["Binary"], env!("CARGO_PKG_NAME"));
    let function = &resource["Properties"];
    assert_eq!((&function["Runtime"], &function["Handler"]), (&json!("provided.al2023"), &json!("bootstrap")));
    assert_eq!((&function["MemorySize"], &function["Timeout"]), (&json!(128), &json!(60)));
    assert_eq!(default_of("Architecture"), "x86_64");
    assert_eq!(function["LoggingConfig"]["LogFormat"], "JSON");
    assert_eq!(function["LoggingConfig"]["LogGroup"], json!({ "Ref": "FunctionLogGroup" }));
    assert!(!resource_property("FunctionLogGroup", "RetentionInDays").is_null());
}

fn resource_property(name: &str, property: &str) -> Value {
    resource(name)["Properties"][property].take()
}

#[test]
fn what_fails_is_tried_three_times_and_then_kept_for_two_weeks() {
    let queue = json!({ "GetAtt": "OnFailureQueue.Arn" });
    let function = function();
    let invoke = &function["EventInvokeConfig"];
    assert_eq!(invoke["MaximumRetryAttempts"], 2);
    assert_eq!(invoke["DestinationConfig"]["OnFailure"], json!({ "Type": "SQS", "Destination": queue }));
    // And what never reaches the function.
    assert_eq!(function["Events"]["ImagePush"]["Properties"]["DeadLetterConfig"]["Arn"], queue);
    assert_eq!(function["Events"]["Approval"]["Properties"]["RedrivePolicy"]["deadLetterTargetArn"], queue);
    assert_eq!(resource_property("OnFailureQueue", "MessageRetentionPeriod"), 14 * 24 * 60 * 60);
}

#[test]
fn the_table_has_the_keys_that_the_code_writes_and_survives() {
    let table = resource("StateTable");
    assert_eq!((&table["DeletionPolicy"], &table["UpdateReplacePolicy"]), (&json!("Retain"), &json!("Retain")));
    let table = &table["Properties"];
    let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
    assert_eq!(table["KeySchema"], json!([key("app", "HASH"), key("item", "RANGE")]));
    let text = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
    assert_eq!(table["AttributeDefinitions"], json!([text("app"), text("item")]));
    assert_eq!(table["TimeToLiveSpecification"], json!({ "AttributeName": "expires_at", "Enabled": true }));
    assert_eq!(table["PointInTimeRecoverySpecification"], json!({ "PointInTimeRecoveryEnabled": true }));
    assert_eq!(table["BillingMode"], "PAY_PER_REQUEST");
}
