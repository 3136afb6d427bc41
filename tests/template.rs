//! `template.yaml` agrees with the code: the environment that the code reads, the events that the
//! rule lets through, the permissions of the calls, and what the state relies on.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use ecr_promoter::event::payload::parse;
use ecr_promoter::event::{Event, Invocation};
use ecr_promoter::function_url::Request;
use ecr_promoter::model::config::App;
use ecr_promoter::settings::{DEFAULT_PREFIX, Secret, Settings};
use ecr_promoter::slack::signature::{TIMESTAMP, signed};
use ecr_promoter::slack::{interaction, slash};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

/// What AWS does in the function's name, and no code of ours: its log, and handing on what failed
/// for good.
const BY_LAMBDA: [&str; 3] = ["logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage"];
// Reading

/// The template as JSON; a short tag is its long form without `Fn::`: `!GetAtt Queue.Arn` is
/// `{"GetAtt": "Queue.Arn"}`.
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
        Yaml::Mapping(members) => members
            .iter()
            .map(|(key, value)| (key.as_str().expect("a text key").to_owned(), to_json(value)))
            .collect(),
        Yaml::Tagged(tag, tagged) => Map::from_iter([(tag.suffix.clone(), to_json(tagged))]).into(),
        other @ (Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue) => {
            panic!("not in a template: {other:?}")
        }
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

fn property(name: &str, property: &str) -> Value {
    resource(name)["Properties"][property].take()
}

fn function() -> Value {
    resource("EcrPromoterFunction")["Properties"].take()
}

/// The template as it is deployed with these parameters; all others have their defaults.
struct Deployment {
    template: Value,
    parameters: BTreeMap<&'static str, &'static str>,
}

fn deployed<const N: usize>(parameters: [(&'static str, &'static str); N]) -> Deployment {
    Deployment { template: template(), parameters: BTreeMap::from(parameters) }
}

impl Deployment {
    /// A parameter's value, as text.
    fn parameter(&self, name: &str) -> String {
        let default = || &self.template["Parameters"][name]["Default"];
        match (name, self.parameters.get(name)) {
            (_, Some(value)) => (*value).to_owned(),
            ("AWS::Partition", _) => "aws".to_owned(),
            ("AWS::Region", _) => "us-east-1".to_owned(),
            ("AWS::AccountId", _) => "012345678912".to_owned(),
            _ => default()
                .as_str()
                .unwrap_or_else(|| panic!("{name} is no parameter with a text default"))
                .to_owned(),
        }
    }

    /// What CloudFormation makes of a value, as far as the values that are looked at here go.
    fn resolve(&self, value: &Value) -> Value {
        match value {
            Value::Object(members) => match members
                .iter()
                .next()
                .map(|(key, argument)| (key.as_str(), argument))
            {
                Some(("Ref", name)) => self.parameter(name.as_str().expect("a name")).into(),
                Some(("Sub", text)) => self.substitute(text.as_str().expect("a text")).into(),
                Some(("If", branches)) => {
                    let name = branches[0].as_str().expect("a condition");
                    self.resolve(
                        &branches
                            [if self.holds(&self.template["Conditions"][name]) { 1 } else { 2 }],
                    )
                }
                _ => {
                    members.iter().map(|(key, value)| (key.clone(), self.resolve(value))).collect()
                }
            },
            Value::Array(items) => items.iter().map(|item| self.resolve(item)).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }

    fn holds(&self, condition: &Value) -> bool {
        match (&condition["Equals"], &condition["Not"]) {
            (Value::Array(pair), _) => self.resolve(&pair[0]) == self.resolve(&pair[1]),
            (_, Value::Array(negated)) => !self.holds(&negated[0]),
            _ => panic!("this test does not know the condition {condition}"),
        }
    }

    fn substitute(&self, text: &str) -> String {
        let mut parts = text.split("${");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |done, part| {
            let (name, rest) = part.split_once('}').expect("a closing brace");
            done + &self.parameter(name) + rest
        })
    }
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
    let set: BTreeSet<String> = function["Environment"]["Variables"]
        .as_object()
        .expect("variables")
        .keys()
        .cloned()
        .collect();
    assert_eq!(set, read.into_inner());
}

#[test]
fn the_first_apps_configuration_is_where_the_code_looks_and_what_it_understands() {
    let settings = Settings::from_vars(|name| (name == "STATE_TABLE").then(|| "x".to_owned()))
        .expect("settings");
    let repository = "tools/web".parse().expect("a repository");
    let configuration = |deployment: Deployment| {
        let parameter = deployment.resolve(&resource("AppConfiguration")["Properties"]);
        let (name, json) = (
            parameter["Name"].as_str().expect("a name"),
            parameter["Value"].as_str().expect("a value"),
        );
        assert_eq!(name, settings.app_parameter(&repository));
        App::parse(&repository, name, json).expect("a configuration").config
    };
    let plain = App::parse(&repository, "", r#"{"stack":"web"}"#).expect("a configuration").config;
    assert_eq!(
        configuration(deployed([("Repository", "tools/web")])),
        plain,
        "the template's defaults are those of the code"
    );

    let extra = r#""capabilities":["CAPABILITY_AUTO_EXPAND"],"repository_url":"https://github.com/acme/web""#;
    let config = configuration(deployed([
        ("Repository", "tools/web"),
        ("Mode", "auto"),
        ("ExtraConfiguration", extra),
    ]));
    assert_eq!(
        (config.capabilities.len(), config.repository_url.as_deref()),
        (1, Some("https://github.com/acme/web"))
    );
    assert_eq!(deployed([]).parameter("ParameterPrefix"), DEFAULT_PREFIX);
}

// Events

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

fn events() -> BTreeMap<String, Value> {
    let files = fs::read_dir(root().join("events"))
        .expect("events/")
        .map(|file| file.expect("a file").path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let text = fs::read_to_string(&path).expect("readable");
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, serde_json::from_str(&text).expect("JSON"))
        })
        .collect()
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

// Permissions

/// The statements of the function's role.
fn statements() -> Vec<Value> {
    let role = resource("FunctionRole");
    let policies = role["Properties"]["Policies"].as_array().expect("policies").clone();
    policies
        .iter()
        .flat_map(|policy| {
            policy["PolicyDocument"]["Statement"].as_array().expect("statements").clone()
        })
        .collect()
}

/// The `"service:Action"` strings in src/aws, tests apart: each call names its action, for the
/// error when it is denied.
fn actions_in_code() -> BTreeSet<String> {
    let files = fs::read_dir(root().join("src/aws"))
        .expect("src/aws")
        .map(|file| file.expect("a file").path());
    let sources = files.filter(|path| {
        path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("wire.rs")
    });
    sources
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
fn every_statement_has_a_name_and_a_resource() {
    let mut names = BTreeSet::new();
    for statement in statements() {
        let name = statement["Sid"].as_str().expect("a Sid").to_owned();
        assert_eq!(statement["Effect"], "Allow", "{name}");
        assert!(
            !statement["Action"].to_string().contains('*'),
            "{name} allows more than one action"
        );
        assert!(!is_everything(&statement["Resource"]), "{name} is for every resource");
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
    let all: usize = statements().iter().map(length).sum();
    assert!(all < 10_240, "IAM takes 10,240 characters of inline policies, and these are {all}");
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

// The public address

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

#[test]
fn the_function_has_a_public_address_that_it_can_find() {
    let function = function();
    assert_eq!(function["FunctionUrlConfig"], json!({ "AuthType": "NONE" }));
    // SAM makes the URL and both of its permissions; a permission here would be a second one. Of a
    // function with an alias it would be the alias's URL, under another name.
    assert!(function["AutoPublishAlias"].is_null());
    let template = template();
    let resources = template["Resources"].as_object().expect("resources");
    let by_hand =
        |kind: &str| resources.values().filter(|resource| resource["Type"] == kind).count();
    assert_eq!((by_hand("AWS::Lambda::Permission"), by_hand("AWS::Lambda::Url")), (0, 0));
    let url = json!({ "GetAtt": "EcrPromoterFunctionUrl.FunctionUrl" });
    let parameter = deployed([]).resolve(&resource("PublicUrl")["Properties"]);
    assert_eq!(
        (&parameter["Name"], &parameter["Type"]),
        (&json!("/ecr-promoter/public-url"), &json!("String"))
    );
    assert_eq!((&parameter["Value"], &template["Outputs"]["PublicUrl"]["Value"]), (&url, &url));
}

/// What CloudFormation creates the function after must not wait for its URL, which is created after
/// the function.
#[test]
fn nothing_that_the_function_waits_for_waits_for_its_url() {
    let template = template();
    let resources = template["Resources"].as_object().expect("resources");
    let mut waits_for = BTreeSet::from(["EcrPromoterFunction".to_owned()]);
    loop {
        let named: BTreeSet<String> =
            waits_for.iter().filter_map(|name| resources.get(name)).flat_map(names_in).collect();
        let before = waits_for.len();
        waits_for.extend(named);
        if waits_for.len() == before {
            break;
        }
    }
    assert!(
        waits_for.contains("FunctionRole") && waits_for.contains("OnFailureQueue"),
        "the references were not read: {waits_for:?}"
    );
    let urls: Vec<&String> = waits_for
        .iter()
        .filter(|name| name.starts_with("EcrPromoterFunctionUrl") || *name == "PublicUrl")
        .collect();
    assert_eq!(urls, [""; 0]);
}

/// What a value refers to: a resource of ours, one that SAM makes, or a parameter.
fn names_in(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, argument)| match (key.as_str(), argument.as_str()) {
                ("Ref" | "GetAtt", Some(name)) => {
                    vec![name.split('.').next().unwrap_or_default().to_owned()]
                }
                ("Sub", Some(text)) => text
                    .split("${")
                    .skip(1)
                    .filter_map(|part| Some(part.split_once('}')?.0.split('.').next()?.to_owned()))
                    .collect(),
                _ => names_in(argument),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(names_in).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
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

// The function, its state and its failures

#[test]
fn the_function_is_our_binary_small_and_with_json_logs() {
    let resource = resource("EcrPromoterFunction");
    assert_eq!(resource["Metadata"]["BuildProperties"]["Binary"], env!("CARGO_PKG_NAME"));
    let function = &resource["Properties"];
    assert_eq!(
        (&function["Runtime"], &function["Handler"]),
        (&json!("provided.al2023"), &json!("bootstrap"))
    );
    assert_eq!((&function["MemorySize"], &function["Timeout"]), (&json!(128), &json!(60)));
    assert_eq!(deployed([]).parameter("Architecture"), "x86_64");
    assert_eq!(function["LoggingConfig"]["LogFormat"], "JSON");
    assert_eq!(function["LoggingConfig"]["LogGroup"], json!({ "Ref": "FunctionLogGroup" }));
    assert!(!property("FunctionLogGroup", "RetentionInDays").is_null());
}

#[test]
fn how_many_run_at_once_is_bounded_only_where_somebody_says_so() {
    let concurrency = &function()["ReservedConcurrentExecutions"]["If"];
    assert_eq!(
        concurrency,
        &json!([
            "HasReservedConcurrency", { "Ref": "ReservedConcurrency" }, { "Ref": "AWS::NoValue" },
        ])
    );
    let condition = |deployment: &Deployment| {
        deployment.holds(&deployment.template["Conditions"]["HasReservedConcurrency"])
    };
    assert!(!condition(&deployed([])));
    assert!(condition(&deployed([("ReservedConcurrency", "10")])));
}

#[test]
fn what_fails_is_tried_three_times_and_then_kept_for_two_weeks() {
    let function = function();
    let invoke = &function["EventInvokeConfig"];
    assert_eq!(invoke["MaximumRetryAttempts"], 2);
    assert_eq!(
        invoke["DestinationConfig"]["OnFailure"],
        json!({ "Type": "SQS", "Destination": { "GetAtt": "OnFailureQueue.Arn" } })
    );
    assert_eq!(property("OnFailureQueue", "MessageRetentionPeriod"), 14 * 24 * 60 * 60);
}

#[test]
fn what_never_reaches_the_function_is_kept_too() {
    let queue = json!({ "GetAtt": "OnFailureQueue.Arn" });
    let mut senders = BTreeSet::new();
    for (name, event) in function()["Events"].as_object().expect("events") {
        let properties = &event["Properties"];
        if event["Type"] == "SNS" {
            assert_eq!(properties["RedrivePolicy"]["deadLetterTargetArn"], queue, "{name}");
            senders.insert(json!({ "Ref": properties["Topic"]["Ref"] }).to_string());
        } else {
            assert_eq!(properties["DeadLetterConfig"]["Arn"], queue, "{name}");
            // SAM names the rule of an event after the function and the event.
            senders
                .insert(json!({ "GetAtt": format!("EcrPromoterFunction{name}.Arn") }).to_string());
        }
    }
    let policy = property("OnFailureQueuePolicy", "PolicyDocument");
    let sources = policy["Statement"]
        .as_array()
        .expect("statements")
        .iter()
        .map(|s| s["Condition"]["ArnEquals"]["aws:SourceArn"].clone());
    let allowed: BTreeSet<String> = sources
        .flat_map(|source| source.as_array().cloned().unwrap_or_else(|| vec![source]))
        .map(|source| source.to_string())
        .collect();
    assert_eq!(allowed, senders, "who may send to the queue");
}

#[test]
fn the_table_has_the_keys_that_the_code_writes_and_survives() {
    let table = resource("StateTable");
    assert_eq!(
        (&table["DeletionPolicy"], &table["UpdateReplacePolicy"]),
        (&json!("Retain"), &json!("Retain"))
    );
    let table = &table["Properties"];
    let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
    assert_eq!(table["KeySchema"], json!([key("app", "HASH"), key("item", "RANGE")]));
    let text = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
    assert_eq!(table["AttributeDefinitions"], json!([text("app"), text("item")]));
    assert_eq!(
        table["TimeToLiveSpecification"],
        json!({ "AttributeName": "expires_at", "Enabled": true })
    );
    assert_eq!(
        table["PointInTimeRecoverySpecification"],
        json!({ "PointInTimeRecoveryEnabled": true })
    );
    assert_eq!(table["BillingMode"], "PAY_PER_REQUEST");
}
