//! What wakes the function: the payloads of `events/`, and commands.

use std::cell::RefCell;
use std::collections::BTreeMap;

use ecr_promoter::model::{Digest, Tag};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::ecs::SERVICE;

/// The stack's own event that an operation has ended.
pub(crate) fn stack_changed() -> Value {
    event("cfn-update-complete")
}

/// ECS has done something with the service.
pub(crate) fn service_changed() -> Value {
    from("aws.ecs", "ECS Deployment State Change", SERVICE, &json!({}))
}

/// The alarm has another state.
pub(crate) fn alarm_changed(name: &str) -> Value {
    let arn = format!("arn:aws:cloudwatch:us-east-1:012345678912:alarm:{name}");
    let detail = json!({ "alarmName": name, "state": { "value": "ALARM" } });
    from("aws.cloudwatch", "CloudWatch Alarm State Change", &arn, &detail)
}

fn from(source: &str, detail_type: &str, resource: &str, detail: &Value) -> Value {
    json!({
        "source": source, "detail-type": detail_type, "account": "012345678912",
        "region": "us-east-1", "resources": [resource], "detail": detail,
    })
}

/// A payload from `events/`, about this image.
pub(crate) fn push_event(digest: &Digest) -> Value {
    let mut event = event("ecr-push");
    event["detail"]["image-digest"] = digest.as_str().into();
    event
}

/// A payload from `events/`.
pub(crate) fn event(name: &str) -> Value {
    thread_local! {
        // The simulations ask for the same files a million times.
        static READ: RefCell<BTreeMap<String, Value>> = const { RefCell::new(BTreeMap::new()) };
    }
    let read = || {
        let path = format!("{}/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(&path).expect(&path)).expect(&path)
    };
    READ.with_borrow_mut(|events| events.entry(name.to_owned()).or_insert_with(read).clone())
}

/// A command on the approval topic.
pub(crate) fn sns(message: &str, message_id: &str, sent_at: Timestamp) -> Value {
    let mut event = event("sns-promote");
    let sns = &mut event["Records"][0]["Sns"];
    sns["Message"] = message.into();
    sns["MessageId"] = message_id.into();
    sns["Timestamp"] = sent_at.to_string().into();
    event
}

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}
