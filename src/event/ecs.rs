//! Events of Amazon ECS, as EventBridge delivers them: a service's deployment, or what a service
//! does. They only say when to look.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html>

use serde_json::Value;

use super::envelope::Envelope;
use super::{Event, NotUnderstood};
use crate::text::brief;

const WANTED: [&str; 2] = ["ECS Deployment State Change", "ECS Service Action"];

pub(super) fn parse(raw: &Value) -> Result<Event, NotUnderstood> {
    let event = Envelope::read(raw)?;
    let ignored = |reason: String| Ok(Event::Ignored { repository: None, reason });
    if !WANTED.contains(&event.detail_type) {
        return ignored(format!("`{}` is not about a service", brief(event.detail_type)));
    }
    let resources = raw["resources"].as_array();
    let mut arns = resources.into_iter().flatten().filter_map(Value::as_str);
    match arns.find(|arn| arn.contains(":service/")) {
        Some(service) => Ok(Event::ServiceChanged { service: service.to_owned(), at: event.at }),
        None => Err(NotUnderstood::new(format!(
            "an `{}` names no service in `resources`",
            event.detail_type
        ))),
    }
}
