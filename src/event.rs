//! The only router of raw payloads: what came becomes an [`Event`], or an error with the nearest
//! right word and an example. Each sender has a file of its own; their wire formats stop here. No
//! I/O here.

mod cloudformation;
pub mod command;
mod ecr;
mod sns;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::{Digest, Repository, Tag};
use crate::nearest::nearest;
use crate::text::plain;
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
    /// Reads account and region off the function's ARN,
    /// `arn:aws:lambda:<region>:<account>:function:<name>`. A tool that runs the function locally
    /// may have none, and then there is nothing to compare an event with.
    pub fn new(request_id: String, function_arn: &str, now: Timestamp) -> Self {
        let parts: Vec<&str> = function_arn.split(':').collect();
        let part =
            |at: usize| (parts.len() >= 7 && parts[2] == "lambda").then(|| parts[at].to_owned());
        Self { request_id, account: part(4), region: part(3), now, deadline: None }
    }
}

/// A payload that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{problem} For example: `promote web 9fceb02`, or in JSON {{\"action\": \"promote\", \
     \"repository\": \"web\", \"commit\": \"9fceb02\"}}"
)]
pub struct NotUnderstood {
    /// A sentence that says what is wrong with it, and the nearest right word.
    pub problem: String,
}

impl NotUnderstood {
    /// `problem` is a sentence; a full stop is added where it is missing.
    fn new(problem: impl Into<String>) -> Self {
        let problem: String = problem.into();
        Self { problem: if problem.ends_with(['.', '?']) { problem } else { problem + "." } }
    }
}

/// The part of an EventBridge event that is read. Its time is not: nothing depends on it, and AWS's
/// samples have impossible times.
struct Envelope<'a> {
    detail_type: &'a str,
    account: Option<&'a str>,
    region: Option<&'a str>,
    detail: &'a Value,
}

impl<'a> Envelope<'a> {
    fn read(raw: &'a Value) -> Result<Self, NotUnderstood> {
        let detail_type = raw["detail-type"]
            .as_str()
            .ok_or_else(|| NotUnderstood::new("an event of EventBridge has no `detail-type`"))?;
        Ok(Self {
            detail_type,
            account: raw["account"].as_str(),
            region: raw["region"].as_str(),
            detail: &raw["detail"],
        })
    }

    /// Why it comes from another account or region than the function's, if it does.
    fn is_elsewhere(&self, invocation: &Invocation) -> Option<String> {
        let differs =
            |own: &Option<String>, its: Option<&str>| own.is_some() && own.as_deref() != its;
        let other = |name: &str, its: Option<&str>| {
            format!("it comes from another {name}: {}", cut(its.unwrap_or("none")))
        };
        if differs(&invocation.account, self.account) {
            return Some(other("account", self.account));
        }
        differs(&invocation.region, self.region).then(|| other("region", self.region))
    }
}

/// Reads a payload: one event, or one for each SNS record, each understood or not on its own.
pub fn parse(
    raw: &Value,
    invocation: &Invocation,
) -> Result<Vec<Result<Event, NotUnderstood>>, NotUnderstood> {
    let Value::Object(fields) = raw else {
        return Err(NotUnderstood::new("the payload is not a JSON object"));
    };
    if let Some(source) = fields.get("source").and_then(Value::as_str) {
        return match source {
            "aws.ecr" => Ok(vec![ecr::parse(raw, invocation)]),
            "aws.cloudformation" => Ok(vec![cloudformation::parse(raw, invocation)]),
            // EventBridge's own schedule, by a rule or by the Scheduler.
            "aws.events" | "aws.scheduler" if raw["detail-type"] == "Scheduled Event" => {
                Ok(vec![Ok(Event::Due { only_open_work: false })])
            }
            other => Err(NotUnderstood::new(format!(
                "an event of source `{}` was not expected",
                cut(other)
            ))),
        };
    }
    if fields.contains_key("Records") {
        return sns::parse(raw);
    }
    if fields.get("action").is_some_and(|action| action == "reconcile")
        && !fields.contains_key("repository")
    {
        return Ok(vec![command::due(raw)]);
    }
    if fields.get("action").is_some_and(|action| action == "board") {
        return Ok(vec![command::board(raw)]);
    }
    if fields.contains_key("action") {
        return Ok(vec![
            Command::from_json(raw, command::Sender::Direct { request_id: &invocation.request_id })
                .map(Event::Command),
        ]);
    }
    let keys: Vec<&str> = fields.keys().map(String::as_str).collect();
    if keys.is_empty() {
        return Err(NotUnderstood::new(
            "the payload is an empty object: expected an event, or a command in `action`",
        ));
    }
    let meant = keys
        .iter()
        .find_map(|key| Some((key, nearest(key, ["action", "source", "detail-type", "Records"])?)));
    Err(NotUnderstood::new(match meant {
        Some((key, meant)) => format!(
            "a payload with the key `{}` was not expected: did you mean `{meant}`?",
            cut(key)
        ),
        None => format!(
            "a payload with the keys {} was not expected",
            cut(&format!("`{}`", keys.join("`, `")))
        ),
    }))
}

/// Cuts a stranger's words to one plain line that fits into an error.
pub(crate) fn cut(text: &str) -> String {
    plain(text, 200)
}

#[cfg(test)]
mod tests;
