//! A small Amazon CloudWatch: alarms, which a test sets off.

use serde_json::{Value, json};

use super::backend::REGION;
use super::cbor;
use super::fault::cbor_error;
use super::http::Response;

#[derive(Debug, Clone)]
pub(crate) struct Alarm {
    pub(crate) name: String,
    is_composite: bool,
    state: &'static str,
    since: jiff::Timestamp,
}

#[derive(Debug)]
pub(crate) struct CloudWatch {
    account: String,
    pub(crate) alarms: Vec<Alarm>,
}

impl Alarm {
    /// It has been OK since long ago.
    pub(crate) fn new(name: &str) -> Alarm {
        let since = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24);
        Alarm { name: name.to_owned(), is_composite: false, state: "OK", since }
    }

    /// The same, of other alarms.
    pub(crate) fn composite(name: &str) -> Alarm {
        Alarm { is_composite: true, ..Alarm::new(name) }
    }

    /// Its state becomes another one now.
    pub(crate) fn enter(&mut self, state: &'static str) {
        (self.state, self.since) = (state, jiff::Timestamp::now());
    }
}

impl CloudWatch {
    pub(crate) fn new(account: &str) -> CloudWatch {
        CloudWatch { account: account.to_owned(), alarms: vec![] }
    }

    pub(crate) fn answer(&self, action: &str, body: &Value) -> Response {
        if action != "DescribeAlarms" {
            let message = format!("the function has no business with cloudwatch:{action}");
            return cbor_error(400, "InvalidAction", &message);
        }
        let list = |key: &str| {
            let list = body[key].as_array().cloned().unwrap_or_default();
            list.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        };
        let (names, mut types) = (list("AlarmNames"), list("AlarmTypes"));
        if types.is_empty() {
            types.push("MetricAlarm".to_owned());
        }
        let rows = |kind: &str, is_composite: bool| {
            let own = self.alarms.iter().filter(|alarm| {
                alarm.is_composite == is_composite
                    && names.contains(&alarm.name)
                    && types.iter().any(|wanted| wanted == kind)
            });
            own.map(|alarm| self.row(alarm)).collect::<Vec<_>>()
        };
        let found = json!({
            "MetricAlarms": rows("MetricAlarm", false),
            "CompositeAlarms": rows("CompositeAlarm", true),
        });
        let mut answer = Response::new(200, "application/cbor", cbor::written(&found));
        answer.headers.push(("smithy-protocol", "rpc-v2-cbor".to_owned()));
        answer
    }

    /// CloudWatch's event for a change of this alarm's state.
    pub(crate) fn event(&self, name: &str) -> Value {
        json!({
            "version": "0",
            "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92",
            "detail-type": "CloudWatch Alarm State Change",
            "source": "aws.cloudwatch",
            "account": self.account,
            "time": "2026-03-17T09:42:00Z",
            "region": REGION,
            "resources": [format!("arn:aws:cloudwatch:{REGION}:{}:alarm:{name}", self.account)],
            "detail": {
                "alarmName": name,
                "state": { "value": "ALARM", "reason": "Threshold Crossed" },
                "previousState": { "value": "OK" },
                "configuration": { "metrics": [] },
            },
        })
    }

    fn row(&self, alarm: &Alarm) -> Value {
        let since = alarm.since.as_duration().as_secs_f64();
        json!({
            "AlarmName": alarm.name,
            "AlarmArn": format!("arn:aws:cloudwatch:{REGION}:{}:alarm:{}", self.account, alarm.name),
            "StateValue": alarm.state,
            "StateReason": format!("Threshold Crossed: {} is {}", alarm.name, alarm.state),
            "StateTransitionedTimestamp": since,
            "StateUpdatedTimestamp": since + 1.0,
        })
    }
}

/// What is wrong with a request whatever comes of it.
pub(crate) fn violations(body: &Value) -> Vec<String> {
    let names = body["AlarmNames"].as_array().map_or(0, Vec::len);
    let is_wrong = names == 0 || names > 100;
    is_wrong.then(|| format!("DescribeAlarms with {names} names")).into_iter().collect()
}
