//! The function, its state and its failures.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::reading::{Deployment, deployed, function, property, resource};

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
    for (verify, watch, sources) in
        [("true", "true", "222222222222"), ("true", "false", ""), ("false", "false", "")]
    {
        let deployment = deployed([
            ("VerifyServices", verify),
            ("WatchAlarms", watch),
            ("EventSourceAccounts", sources),
        ]);
        assert_eq!(allowed_senders(&deployment), senders(&deployment), "who may send to the queue");
    }
}

/// What hands the function's events on, each to the queue where it cannot.
fn senders(deployment: &Deployment) -> BTreeSet<String> {
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
    for (name, rule) in deployment.resources("AWS::Events::Rule") {
        let arn = json!({ "GetAtt": format!("{name}.Arn") });
        let function = json!({ "GetAtt": "EcrPromoterFunction.Arn" });
        let targets = rule["Targets"].as_array().expect("targets");
        let [target] = targets.as_slice() else { panic!("{name} has one target: {targets:?}") };
        assert_eq!((&target["Arn"], &target["DeadLetterConfig"]["Arn"]), (&function, &queue));
        let permissions = deployment.resources("AWS::Lambda::Permission");
        let may_invoke = permissions.values().filter(|permission| permission["SourceArn"] == arn);
        assert_eq!(may_invoke.count(), 1, "{name} may invoke the function");
        senders.insert(arn.to_string());
    }
    senders
}

fn allowed_senders(deployment: &Deployment) -> BTreeSet<String> {
    let policy = property("OnFailureQueuePolicy", "PolicyDocument");
    let sources = policy["Statement"]
        .as_array()
        .expect("statements")
        .iter()
        .map(|s| s["Condition"]["ArnEquals"]["aws:SourceArn"].clone());
    let each = |source: Value| {
        if source.is_array() { deployment.chosen(&source) } else { vec![source] }
    };
    sources.flat_map(each).map(|source| source.to_string()).collect()
}

#[test]
fn the_table_has_the_keys_that_the_code_writes_and_survives() {
    assert_eq!(deployed([("StateTable", "restored")]).resources("AWS::DynamoDB::Table").len(), 0);
    let table = resource("OwnStateTable");
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
