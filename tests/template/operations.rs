//! Alarms and dashboard, keys and boundaries.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::reading::{Deployment, deployed, function, root};
use super::rights::statements_in;

const KEY: &str = "arn:aws:kms:us-east-1:012345678912:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const ALARM: &str = "AWS::CloudWatch::Alarm";

fn alarms(deployment: &Deployment) -> Vec<(String, Value)> {
    let alarms = deployment.resources(ALARM).into_iter();
    alarms.map(|(name, alarm)| (name, deployment.resolve(&alarm))).collect()
}

fn names(deployment: &Deployment) -> Vec<String> {
    alarms(deployment).into_iter().map(|(name, _)| name).collect()
}

/// A machine that subscribes to notifications gets JSON of one form.
#[test]
fn alarms_have_a_topic_of_their_own_and_no_other_news() {
    let operations = json!([{ "Ref": "OperationsTopic" }]);
    for (name, alarm) in alarms(&deployed([("PublicUrl", "on")])) {
        assert_eq!(alarm["AlarmActions"], operations, "{name}");
        assert!(alarm["OKActions"].is_null() || alarm["OKActions"] == operations, "{name}");
        // Without events there is no metric, and all is well.
        assert_eq!(alarm["TreatMissingData"], "notBreaching", "{name}");
    }
    let environment = &function()["Environment"]["Variables"];
    assert_eq!(environment["NOTIFICATION_TOPIC_ARN"], json!({ "Ref": "NotificationTopic" }));
    let queue = &deployed([]).resources(ALARM)["OnFailureAlarm"];
    assert_eq!(queue["OKActions"], operations, "people hear that the queue is empty again");
}

#[test]
fn each_alarm_is_there_where_it_can_go_off_and_none_where_nobody_wants_them() {
    let always = [
        "ErrorsAlarm",
        "FailedPromotionsAlarm",
        "OnFailureAlarm",
        "QueuedAlarm",
        "ThrottlesAlarm",
        "UnansweredAlarm",
    ];
    assert_eq!(names(&deployed([])), always);
    let open: BTreeSet<String> = names(&deployed([("PublicUrl", "on")])).into_iter().collect();
    let closed = always.map(str::to_owned).into();
    assert_eq!(open.difference(&closed).collect::<Vec<_>>(), ["UrlFloodAlarm"]);
    assert_eq!(names(&deployed([("Alarms", "off"), ("PublicUrl", "on")])), [""; 0]);
}

#[test]
fn an_alarm_about_the_functions_own_metrics_is_about_this_function() {
    let own = json!({ "Ref": "EcrPromoterFunction" });
    let mut metrics = BTreeSet::new();
    for (name, alarm) in alarms(&deployed([])) {
        if alarm["Namespace"] == "ecr-promoter" {
            let function = json!({ "Name": "function", "Value": own });
            assert_eq!(alarm["Dimensions"][0], function, "{name}");
            metrics.insert(alarm["MetricName"].as_str().expect("a name").to_owned());
        }
    }
    assert_eq!(metrics, ["Outcome", "Queued", "WaitingForPeople"].map(str::to_owned).into());
}

#[test]
fn hours_are_those_of_the_parameters() {
    for (name, parameter) in
        [("UnansweredAlarm", "UnansweredHours"), ("QueuedAlarm", "QueuedHours")]
    {
        let allowed = &deployed([]).template["Parameters"][parameter]["AllowedValues"];
        for hours in allowed.as_array().expect("hours").iter().filter_map(Value::as_u64) {
            let deployment = Deployment::of("template.yaml", &[(parameter, &hours.to_string())]);
            let alarm = deployment.resolve(&deployment.resources(ALARM)[name]);
            assert_eq!(alarm["Threshold"], hours * 3_600, "{name}, {hours} h");
        }
    }
}

#[test]
fn whoever_gives_one_address_hears_of_alarms_too() {
    let address = |parameters: &[(&str, &str)]| {
        let deployment = Deployment::of("template.yaml", parameters);
        let all = deployment.resources("AWS::SNS::Subscription");
        let subscription = all.get("OperationsEmailSubscription")?;
        deployment.resolve(&subscription["Endpoint"]).as_str().map(str::to_owned)
    };
    let (team, operators) = ("team@example.com", "operators@example.com");
    assert_eq!(address(&[]), None);
    assert_eq!(address(&[("NotificationEmail", team)]).as_deref(), Some(team));
    let both = [("NotificationEmail", team), ("OperationsEmail", operators)];
    assert_eq!(address(&both).as_deref(), Some(operators));
}

#[test]
fn the_dashboard_is_json_about_this_function_and_its_log() {
    let deployment = deployed([]);
    let dashboard = &deployment.resources("AWS::CloudWatch::Dashboard")["PromotionsDashboard"];
    let text = dashboard["DashboardBody"]["Sub"].as_str().expect("a text");
    let body: Value = serde_json::from_str(text).expect("JSON");
    let widgets = body["widgets"].as_array().expect("widgets");
    assert!(widgets.iter().any(|widget| widget["type"] == "log"));
    for widget in widgets {
        assert_eq!(widget["properties"]["region"], "${AWS::Region}", "{widget}");
    }
    let off = deployed([("Dashboard", "off")]);
    assert_eq!(off.resources("AWS::CloudWatch::Dashboard").len(), 0);
    assert_eq!(off.resources("AWS::Logs::QueryDefinition").len(), 0);
}

/// A saved query that looks for words which the function does not log finds nothing, in silence.
#[test]
fn saved_queries_look_for_what_the_function_logs() {
    let deployment = deployed([]);
    let queries = deployment.resources("AWS::Logs::QueryDefinition");
    assert_eq!(queries.len(), 3);
    let sources = ["src/reconcile.rs", "src/web.rs"]
        .map(|file| fs::read_to_string(root().join(file)).expect("readable"))
        .concat();
    for (name, query) in queries {
        assert_eq!(query["LogGroupNames"], json!([{ "Ref": "FunctionLogGroup" }]), "{name}");
        let text = query["QueryString"].as_str().expect("a query");
        let words = text.lines().filter(|line| line.contains("message"));
        let words = words.flat_map(|line| line.split("message").skip(1));
        let words: Vec<&str> = words.filter_map(|rest| rest.split('"').nth(1)).collect();
        for word in words.iter().filter(|word| !["WARN", "ERROR"].contains(word)) {
            assert!(sources.contains(&format!("\"{word}\")")), "{name}: nothing logs {word}");
        }
    }
}

#[test]
fn a_key_of_the_owners_encrypts_all_that_is_kept() {
    for (key, given) in [(json!(KEY), KEY), (Value::Null, "")] {
        let deployment = deployed([("KmsKeyArn", given)]);
        let property = |kind: &str, pointer: &str| {
            let all = deployment.resources(kind).into_values();
            let all = all.map(|its| deployment.resolve(&its));
            all.map(|its| its.pointer(pointer).cloned().unwrap_or_default()).collect::<Vec<_>>()
        };
        let topics = property("AWS::SNS::Topic", "/KmsMasterKeyId");
        assert_eq!(topics, [key.clone(), key.clone(), key.clone()]);
        for (kind, pointer) in [
            ("AWS::SQS::Queue", "/KmsMasterKeyId"),
            ("AWS::DynamoDB::Table", "/SSESpecification/KMSMasterKeyId"),
            ("AWS::Logs::LogGroup", "/KmsKeyId"),
            ("AWS::Serverless::Function", "/KmsKeyArn"),
        ] {
            assert_eq!(property(kind, pointer), std::slice::from_ref(&key), "{kind}");
        }
        // SQS takes one of the two.
        let managed = property("AWS::SQS::Queue", "/SqsManagedSseEnabled");
        assert_eq!(managed, [if given.is_empty() { json!(true) } else { Value::Null }]);
        let statements = statements_in(&deployment).into_iter();
        let on_key =
            statements.filter(|its| its["Sid"] == "UseKey").map(|its| its["Resource"].clone());
        assert_eq!(on_key.collect::<Vec<_>>(), Vec::from_iter((!key.is_null()).then_some(key)));
    }
}

#[test]
fn the_function_uses_the_table_that_is_named() {
    let deployment = deployed([("StateTable", "restored")]);
    let environment = deployment.resolve(&function()["Environment"]["Variables"]);
    assert_eq!(environment["STATE_TABLE"], "restored");
    let statements = statements_in(&deployment).into_iter();
    let on_table = statements.filter(|its| its["Sid"] == "ReadAndWriteState");
    let resources: Vec<Value> = on_table.map(|its| its["Resource"].clone()).collect();
    assert_eq!(resources, ["arn:aws:dynamodb:us-east-1:012345678912:table/restored"]);
}

#[test]
fn the_role_has_the_boundary_that_the_account_asks_for() {
    let boundary = |given: &str| {
        let deployment = deployed([("PermissionsBoundaryArn", given)]);
        let role = deployment.resources("AWS::IAM::Role").remove("FunctionRole").expect("a role");
        deployment.resolve(&role)["PermissionsBoundary"].clone()
    };
    let arn = "arn:aws:iam::012345678912:policy/boundary";
    assert_eq!((boundary(arn), boundary("")), (json!(arn), Value::Null));
    // Roles that the template does not make are none of its business.
    assert_eq!(deployed([]).resources("AWS::IAM::Role").len(), 1);
}
