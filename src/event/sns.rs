//! SNS records: each message is a command, in JSON or in words.
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html>

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::command::{Sender, from_json, from_words};
use super::{Event, NotUnderstood};
use crate::json::{self, Node};
use crate::text::brief;

/// Only the fields that are used: a crate's struct would refuse a message because of a field that
/// nobody reads.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Records {
    records: Vec<Record>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    event_source: String,
    sns: Message,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    message_id: String,
    message: String,
    timestamp: Timestamp,
}

pub(super) fn parse(raw: &Value) -> Result<Vec<Result<Event, NotUnderstood>>, NotUnderstood> {
    let records = json::read::<Records>(&Node::from(raw))
        .map_err(|mistake| {
            NotUnderstood::new(format!("`Records` did not parse as SNS records: {mistake}"))
        })?
        .records;
    if records.is_empty() {
        return Err(NotUnderstood::new("`Records` is empty"));
    }
    if let Some(other) = records.iter().find(|record| record.event_source != "aws:sns") {
        return Err(NotUnderstood::new(format!(
            "a record from `{}` was not expected",
            brief(&other.event_source)
        )));
    }
    Ok(records
        .iter()
        .map(|record| {
            let message = Some(record.sns.message_id.clone());
            parse_message(&record.sns).map_err(|problem| NotUnderstood { message, ..problem })
        })
        .collect())
}

fn parse_message(sns: &Message) -> Result<Event, NotUnderstood> {
    let sender = Sender::Sns { message_id: &sns.message_id, sent_at: sns.timestamp };
    let text = sns.message.trim();
    if !text.starts_with('{') {
        return from_words(text, sender).map(Event::Command);
    }
    let message: Value = serde_json::from_str(text).map_err(|e| {
        NotUnderstood::new(format!("an SNS message starts like JSON, and {}", json::syntax(&e)))
    })?;
    if message.get("outcome").is_some() && message.get("action").is_none() {
        return Ok(Event::Ignored {
            repository: message["repository"].as_str().and_then(|name| name.parse().ok()),
            reason: "it is a notification from this function".to_owned(),
        });
    }
    from_json(&message, sender).map(Event::Command)
}
