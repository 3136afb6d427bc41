//! Events of CloudFormation, as EventBridge delivers them.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/eventbridge-events-details.html>

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use serde::Deserialize;
use serde_json::Value;

use super::{Event, Invocation, NotUnderstood, cut, is_elsewhere};

/// The `detail` of a `CloudFormation Stack Status Change`: only which stack. Its status may be an old one by now.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct StackStatusChange {
    stack_id: String,
}

pub(super) fn parse(raw: &Value, invocation: &Invocation) -> Result<Event, NotUnderstood> {
    let wrong = |error: &dyn std::fmt::Display| {
        NotUnderstood::new(format!("an event of aws.cloudformation did not parse: {}", cut(&error.to_string())))
    };
    let event = EventBridgeEvent::<Value>::deserialize(raw).map_err(|e| wrong(&e))?;
    let ignored = |reason: String| Ok(Event::Ignored { repository: None, reason });
    if event.detail_type != "CloudFormation Stack Status Change" {
        return ignored(format!("`{}` is no change of a stack's status", cut(&event.detail_type)));
    }
    if let Some(reason) = is_elsewhere(invocation, event.account.as_deref(), event.region.as_deref()) {
        return ignored(reason);
    }
    let StackStatusChange { stack_id } = StackStatusChange::deserialize(&event.detail).map_err(|e| wrong(&e))?;
    Ok(Event::StackChanged { stack_id })
}
