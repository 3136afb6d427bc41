//! Events of Amazon ECR, as EventBridge delivers them: best effort, at least once, in any order.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html>

use serde::Deserialize;
use serde_json::Value;

use super::envelope::Envelope;
use super::{Event, NotUnderstood};
use crate::json::{self, Node};
use crate::text::brief;

/// The `detail` of an `ECR Image Action`. Fields that only some actions have are checked once the
/// action is known to be a push.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ImageAction {
    action_type: String,
    result: String,
    repository_name: Option<String>,
    image_digest: Option<String>,
    /// Absent or empty for an untagged image: a platform of an index, an attestation, a pull by
    /// digest.
    image_tag: Option<String>,
}

pub(super) fn parse(raw: &Value) -> Result<Event, NotUnderstood> {
    let wrong = |error: &dyn std::fmt::Display| {
        NotUnderstood::new(format!(
            "an `ECR Image Action` did not parse: {}",
            brief(&error.to_string())
        ))
    };
    let event = Envelope::read(raw)?;
    let ignored = |repository, reason: String| Ok(Event::Ignored { repository, reason });
    if event.detail_type != "ECR Image Action" {
        return ignored(None, format!("`{}` is not a push", brief(event.detail_type)));
    }
    let detail: ImageAction =
        json::read(&Node::from(event.detail)).map_err(|mistake| wrong(&mistake))?;
    if detail.action_type != "PUSH" || detail.result != "SUCCESS" {
        let repository = detail.repository_name.and_then(|name| name.parse().ok());
        return ignored(
            repository,
            format!(
                "{} {} is not a successful push",
                brief(&detail.action_type),
                brief(&detail.result)
            ),
        );
    }
    let repository = detail
        .repository_name
        .ok_or_else(|| wrong(&"it names no repository"))?
        .parse()
        .map_err(|e| wrong(&e))?;
    match detail.image_tag.as_deref() {
        None | Some("") => {
            ignored(Some(repository), "an untagged image is not a candidate".to_owned())
        }
        Some(tag) => Ok(Event::ImagePushed {
            repository,
            digest: detail
                .image_digest
                .ok_or_else(|| wrong(&"it names no digest"))?
                .parse()
                .map_err(|e| wrong(&e))?,
            tag: tag.parse().map_err(|e| wrong(&e))?,
            at: event.at,
        }),
    }
}
