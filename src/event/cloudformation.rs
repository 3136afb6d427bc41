//! Events from CloudFormation, as EventBridge delivers them.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/eventbridge-events-details.html>

use serde::Deserialize;
use serde_json::Value;

use super::envelope::Envelope;
use super::{Event, NotUnderstood};
use crate::json::{self, Node};
use crate::text::brief;

/// The `detail` of a `CloudFormation Stack Status Change`: only the stack. Its status may be
/// outdated by now.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct StackStatusChange {
    stack_id: String,
}

pub(super) fn parse(raw: &Value) -> Result<Event, NotUnderstood> {
    let event = Envelope::read(raw)?;
    let ignored = |reason: String| Ok(Event::Ignored { repository: None, reason });
    if event.detail_type != "CloudFormation Stack Status Change" {
        return ignored(format!(
            "`{}` is not a change of a stack's status",
            brief(event.detail_type)
        ));
    }
    let StackStatusChange { stack_id } =
        json::read(&Node::from(event.detail)).map_err(|mistake| {
            NotUnderstood::new(format!(
                "a `CloudFormation Stack Status Change` did not parse: {mistake}"
            ))
        })?;
    Ok(Event::StackChanged { stack_id, at: event.at })
}
