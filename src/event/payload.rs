//! The only router of raw payloads: each becomes an [`Event`], or an error with the nearest right
//! word and an example.

use serde_json::{Map, Value};

use super::envelope::Envelope;
use super::{
    Event, Invocation, NotUnderstood, cloudformation, cloudwatch, command, ecr, ecs, overview, sns,
};
use crate::text::brief;
use crate::text::nearest::nearest;

/// Reads a payload: one event, or one for each SNS record, each understood or not on its own.
pub fn parse(
    raw: &Value,
    invocation: &Invocation,
) -> Result<Vec<Result<Event, NotUnderstood>>, NotUnderstood> {
    let sender = command::Sender::Direct { request_id: &invocation.request_id };
    if let Value::String(words) = raw {
        let about_all = overview::from_words(words);
        let about_one = || command::from_words(words, sender).map(Event::Command);
        return Ok(vec![about_all.unwrap_or_else(about_one)]);
    }
    let Value::Object(fields) = raw else {
        return Err(NotUnderstood::new(
            "the payload is neither a JSON object nor the words of a command",
        ));
    };
    if let Some(source) = fields.get("source").and_then(Value::as_str) {
        return Ok(vec![from_event_bridge(source, raw, invocation)?]);
    }
    if fields.contains_key("Records") {
        return sns::parse(raw);
    }
    if fields.contains_key("action") {
        let about_all = overview::from_json(raw);
        let about_one = || command::from_json(raw, sender).map(Event::Command);
        return Ok(vec![about_all.unwrap_or_else(about_one)]);
    }
    Err(unexpected(fields))
}

/// Reads an event of EventBridge. The outer error: the source was not expected.
fn from_event_bridge(
    source: &str,
    raw: &Value,
    invocation: &Invocation,
) -> Result<Result<Event, NotUnderstood>, NotUnderstood> {
    let event = match source {
        "aws.ecr" => ecr::parse(raw),
        "aws.cloudformation" => cloudformation::parse(raw),
        "aws.ecs" => ecs::parse(raw),
        "aws.cloudwatch" => cloudwatch::parse(raw),
        // EventBridge's own schedule, by a rule or by the Scheduler.
        "aws.events" | "aws.scheduler" if raw["detail-type"] == "Scheduled Event" => {
            return Ok(Ok(Event::Due { only_open_work: false }));
        }
        other => {
            return Err(NotUnderstood::new(format!(
                "an event from source `{}` was not expected",
                brief(other)
            )));
        }
    };
    // What comes from elsewhere need not make sense here.
    let elsewhere = || invocation.home.is_not_at(&Envelope::read(raw).ok()?.at);
    Ok(event.or_else(|problem| match elsewhere() {
        Some(reason) => Ok(Event::Ignored { repository: None, reason }),
        None => Err(problem),
    }))
}

/// An error about a payload with none of the expected keys.
fn unexpected(fields: &Map<String, Value>) -> NotUnderstood {
    let keys: Vec<&str> = fields.keys().map(String::as_str).collect();
    if keys.is_empty() {
        return NotUnderstood::new(
            "the payload is an empty object: expected an event, or a command in `action`",
        );
    }
    let meant = keys
        .iter()
        .find_map(|key| Some((key, nearest(key, ["action", "source", "detail-type", "Records"])?)));
    NotUnderstood::new(match meant {
        Some((key, meant)) => format!(
            "a payload with the key `{}` was not expected: did you mean `{meant}`?",
            brief(key)
        ),
        None => format!(
            "a payload with the keys {} was not expected",
            brief(&format!("`{}`", keys.join("`, `")))
        ),
    })
}
