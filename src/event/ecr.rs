//! Events of Amazon ECR, as EventBridge delivers them: best effort, at least once, in any order.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html>

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use serde::Deserialize;
use serde_json::Value;

use super::{Event, Invocation, NotUnderstood, cut, is_elsewhere};

/// The `detail` of an `ECR Image Action`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ImageAction {
    action_type: String,
    result: String,
    repository_name: String,
    image_digest: String,
    /// Absent or empty for an untagged image: a platform of an index, an attestation, a pull by digest.
    image_tag: Option<String>,
}

pub(super) fn parse(raw: &Value, invocation: &Invocation) -> Result<Event, NotUnderstood> {
    let wrong =
        |error: &dyn std::fmt::Display| NotUnderstood::new(format!("an event of aws.ecr did not parse: {}", cut(&error.to_string())));
    let event = EventBridgeEvent::<Value>::deserialize(raw).map_err(|e| wrong(&e))?;
    let ignored = |reason: String| Ok(Event::Ignored { repository: None, reason });
    if event.detail_type != "ECR Image Action" {
        return ignored(format!("`{}` is no push", cut(&event.detail_type)));
    }
    if let Some(reason) = is_elsewhere(invocation, event.account.as_deref(), event.region.as_deref()) {
        return ignored(reason);
    }
    let detail = ImageAction::deserialize(&event.detail).map_err(|e| wrong(&e))?;
    let repository = detail.repository_name.parse().map_err(|e| wrong(&e))?;
    let ignored = |reason: String| Ok(Event::Ignored { repository: Some(detail.repository_name.parse().map_err(|e| wrong(&e))?), reason });
    if detail.action_type != "PUSH" || detail.result != "SUCCESS" {
        return ignored(format!("{} {} is no successful push", cut(&detail.action_type), cut(&detail.result)));
    }
    match detail.image_tag.as_deref() {
        None | Some("") => ignored("an untagged image is no candidate".to_owned()),
        Some(tag) => Ok(Event::ImagePushed {
            repository,
            digest: detail.image_digest.parse().map_err(|e| wrong(&e))?,
            tag: tag.parse().map_err(|e| wrong(&e))?,
        }),
    }
}
