use aws_smithy_types::body::SdkBody;
use http::Response;
use serde_json::{Value, json};

use crate::error::Error;
use crate::model::bake::Alarm;
use crate::samples::at;
use crate::services::wire::cloudwatch::{answered, denied_answer, describe_alarms};
use crate::services::wire::{answer, denied, replay};

/// 2026-03-17T09:41:30Z.
const WENT_OFF: i64 = 1_773_740_490;

fn arn(name: &str) -> String {
    format!("arn:aws:cloudwatch:us-east-1:012345678912:alarm:{name}")
}

/// An alarm as CloudWatch answers it, with members that the function does not read.
fn row(name: &str, state: &str) -> Value {
    json!({
        "AlarmName": name,
        "AlarmArn": arn(name),
        "ActionsEnabled": true,
        "AlarmActions": [],
        "StateValue": state,
        "StateReason": "Threshold Crossed: 3 datapoints",
        "StateUpdatedTimestamp": WENT_OFF + 600,
        "StateTransitionedTimestamp": WENT_OFF,
    })
}

fn alarm(name: &str, state: &str) -> Alarm {
    Alarm {
        name: name.to_owned(),
        arn: arn(name),
        state: state.to_owned(),
        reason: "Threshold Crossed: 3 datapoints".to_owned(),
        since: Some(at("2026-03-17T09:41:30Z")),
    }
}

async fn alarms(names: &[&str], answer: Response<SdkBody>) -> Result<Vec<Alarm>, Error> {
    let asked: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    replay([(describe_alarms(names), answer)], async |clients| {
        clients.home_site().alarms(&asked).await
    })
    .await
}

#[tokio::test]
async fn metric_and_composite_alarms_are_read_with_the_time_of_their_last_transition() {
    let found = answered(
        200,
        &json!({
            "MetricAlarms": [row("web-5xx", "ALARM"), row("web-slow", "INSUFFICIENT_DATA")],
            "CompositeAlarms": [row("web-any", "OK")],
        }),
    );
    let read = alarms(&["web-5xx", "web-slow", "web-any"], found).await.expect("read");
    let wanted =
        [alarm("web-5xx", "ALARM"), alarm("web-slow", "INSUFFICIENT_DATA"), alarm("web-any", "OK")];
    assert_eq!(read, wanted);
}

#[tokio::test]
async fn an_alarm_that_does_not_exist_is_missing() {
    let found = answered(200, &json!({ "MetricAlarms": [], "CompositeAlarms": [] }));
    assert_eq!(alarms(&["web-5xx"], found).await.expect("read"), []);
    assert_eq!(alarms(&["web-5xx"], answered(200, &json!({}))).await.expect("read"), []);
}

/// `StateUpdatedTimestamp` moves without a change of the state.
#[tokio::test]
async fn an_alarm_without_a_transition_has_no_time() {
    let mut never = row("web-5xx", "ALARM");
    never.as_object_mut().expect("an object").remove("StateTransitionedTimestamp");
    let found = answered(200, &json!({ "MetricAlarms": [never] }));
    let read = alarms(&["web-5xx"], found).await.expect("read");
    assert_eq!(read, [Alarm { since: None, ..alarm("web-5xx", "ALARM") }]);
}

#[tokio::test]
async fn a_denied_read_of_alarms_names_the_action() {
    let result = alarms(&["web-5xx", "web-any"], denied_answer()).await;
    let resource = "alarm `web-5xx`, `web-any`".to_owned();
    assert_eq!(denied(result), ("cloudwatch:DescribeAlarms".to_owned(), resource));
}

#[tokio::test]
async fn an_answer_that_is_no_cbor_is_an_error_that_names_the_action() {
    let error = alarms(&["web-5xx"], answer(200, "<html>")).await.expect_err("no CBOR");
    let words = error.to_string();
    assert!(words.starts_with("cloudwatch:DescribeAlarms on alarm `web-5xx` failed: "), "{words}");
}
