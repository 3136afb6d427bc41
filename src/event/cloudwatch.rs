//! Events of Amazon CloudWatch's alarms, as EventBridge delivers them. They only say when to look.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html>

use serde::Deserialize;
use serde_json::Value;

use super::envelope::Envelope;
use super::{Event, NotUnderstood};
use crate::json::{self, Node};
use crate::text::brief;

/// The `detail` of a `CloudWatch Alarm State Change`: only the alarm. Its state may be outdated by
/// now.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AlarmStateChange {
    alarm_name: String,
}

pub(super) fn parse(raw: &Value) -> Result<Event, NotUnderstood> {
    let event = Envelope::read(raw)?;
    let ignored = |reason: String| Ok(Event::Ignored { repository: None, reason });
    if event.detail_type != "CloudWatch Alarm State Change" {
        return ignored(format!(
            "`{}` is not a change of an alarm's state",
            brief(event.detail_type)
        ));
    }
    let AlarmStateChange { alarm_name } =
        json::read(&Node::from(event.detail)).map_err(|mistake| {
            NotUnderstood::new(format!(
                "a `CloudWatch Alarm State Change` did not parse: {mistake}"
            ))
        })?;
    Ok(Event::AlarmChanged { alarm: alarm_name, at: event.at })
}
