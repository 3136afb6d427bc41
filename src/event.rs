//! The only router of raw payloads: what came becomes an [`Event`], or an error that says what would be understood.
//! Each sender has a file of its own; their wire formats stop here. No I/O here.

mod cloudformation;
pub mod command;
mod ecr;
mod sns;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::{Digest, Repository, Tag};
use command::Command;

/// What happened, or what somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Valid, and not for this function.
    Ignored {
        /// The repository it names, if it names one.
        repository: Option<Repository>,
        /// Why it is not.
        reason: String,
    },
    /// An image was pushed, or tagged.
    ImagePushed {
        /// The repository.
        repository: Repository,
        /// The image.
        digest: Digest,
        /// The tag it got.
        tag: Tag,
    },
    /// A stack changed its status.
    StackChanged {
        /// The stack's ARN.
        stack_id: String,
    },
    /// It is time to look at the configured apps.
    Due {
        /// Only those that have something to go on with.
        only_open_work: bool,
    },
    /// Somebody wants something.
    Command(Command),
    /// Somebody wants a link to the board.
    Board {
        /// Who that is, as far as IAM lets anybody say so: a name that is only claimed.
        by: Option<String>,
    },
}

/// What Lambda says of this invocation, beside the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The request id; the same when an asynchronous invocation is tried again.
    pub request_id: String,
    /// The function's own account, where the ARN it was invoked by says so.
    pub account: Option<String>,
    /// The function's own region, likewise.
    pub region: Option<String>,
    /// Now.
    pub now: Timestamp,
    /// When Lambda ends it, where that is known.
    pub deadline: Option<Timestamp>,
}

impl Invocation {
    /// Reads account and region off the function's ARN, `arn:aws:lambda:<region>:<account>:function:<name>`. A tool that runs
    /// the function locally may have none, and then there is nothing to compare an event with.
    pub fn new(request_id: String, function_arn: &str, now: Timestamp) -> Self {
        let parts: Vec<&str> = function_arn.split(':').collect();
        let part = |at: usize| (parts.len() >= 7 && parts[2] == "lambda").then(|| parts[at].to_owned());
        Self { request_id, account: part(4), region: part(3), now, deadline: None }
    }
}

/// A payload that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}. Understood are: {}", UNDERSTOOD)]
pub struct NotUnderstood {
    /// What is wrong with it.
    pub problem: String,
}

const UNDERSTOOD: &str = "an EventBridge event of aws.ecr or aws.cloudformation, or a Scheduled Event; SNS records whose message is \
     a command; a command itself, in JSON ({\"action\": \"promote\", \"repository\": \"web\"}, with an optional digest, commit or tag) \
     or in words (`promote web 9fceb02`). Commands: promote, approve, reject, ask, rollback, cancel, hold, resume, \
     reconcile, plan, status, history; and board, which names no repository";

impl NotUnderstood {
    fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into() }
    }
}

/// Reads a payload: one event, or one for each SNS record, each understood or not on its own.
pub fn parse(raw: &Value, invocation: &Invocation) -> Result<Vec<Result<Event, NotUnderstood>>, NotUnderstood> {
    let Value::Object(fields) = raw else {
        return Err(NotUnderstood::new("the payload is not a JSON object"));
    };
    if let Some(source) = fields.get("source").and_then(Value::as_str) {
        return match source {
            "aws.ecr" => Ok(vec![ecr::parse(raw, invocation)]),
            "aws.cloudformation" => Ok(vec![cloudformation::parse(raw, invocation)]),
            // EventBridge's own schedule, by a rule or by the Scheduler.
            "aws.events" | "aws.scheduler" if raw["detail-type"] == "Scheduled Event" => Ok(vec![Ok(Event::Due { only_open_work: false })]),
            other => Err(NotUnderstood::new(format!("an event of source `{}` was not expected", cut(other)))),
        };
    }
    if fields.contains_key("Records") {
        return sns::parse(raw);
    }
    if fields.get("action").is_some_and(|action| action == "reconcile") && !fields.contains_key("repository") {
        return Ok(vec![command::due(raw)]);
    }
    if fields.get("action").is_some_and(|action| action == "board") {
        return Ok(vec![command::board(raw)]);
    }
    if fields.contains_key("action") {
        return Ok(vec![Command::from_json(raw, command::Sender::Direct { request_id: &invocation.request_id }).map(Event::Command)]);
    }
    Err(NotUnderstood::new(format!(
        "a payload with the keys {} was not expected",
        if fields.is_empty() { "(none)".to_owned() } else { cut(&fields.keys().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ")) }
    )))
}

/// Why an event is of another account or region than the function, if it is.
fn is_elsewhere(invocation: &Invocation, account: Option<&str>, region: Option<&str>) -> Option<String> {
    let differs = |own: &Option<String>, its: Option<&str>| own.is_some() && own.as_deref() != its;
    let other = |name: &str, its: Option<&str>| format!("it is of another {name}: {}", cut(its.unwrap_or("none")));
    if differs(&invocation.account, account) {
        return Some(other("account", account));
    }
    differs(&invocation.region, region).then(|| other("region", region))
}

/// What a stranger wrote, short enough and plain enough for an error.
fn cut(text: &str) -> String {
    let plain: String = text.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().count() > 200 { plain + "…" } else { plain }
}

#[cfg(test)]
mod tests;
