//! The audit: what was decided about production in a span of time, by whom, and by what proof. No
//! I/O here.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::model::AppName;
use crate::model::answer::Outcome;
use crate::model::command::Via;
use crate::model::promotion::{Basis, Ended};
use crate::model::state::CommandRecord;

/// A question for the audit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditWanted {
    /// The app; `None` for all.
    pub app: Option<AppName>,
    /// The start of the span; `None` for [`DEFAULT_DAYS`] ago.
    pub from: Option<Timestamp>,
    /// The end of the span; `None` for now.
    pub to: Option<Timestamp>,
    /// Where the page before ended.
    pub after: Option<Cursor>,
}

/// The span in days, where none is named.
pub const DEFAULT_DAYS: i64 = 30;

/// A place in the records of all apps: an app, and the key of one of its items. Its text is the
/// app's name, a space and the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The app.
    pub app: AppName,
    /// The key of the last item that was read; empty before the first.
    pub item: String,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.app, self.item)
    }
}

impl std::str::FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(' ');
        let cursor = parts
            .and_then(|(app, item)| Some(Self { app: app.parse().ok()?, item: item.to_owned() }));
        let is_key = |item: &str| item.is_empty() || PREFIXES.iter().any(|p| item.starts_with(p));
        cursor
            .filter(|cursor| is_key(&cursor.item))
            .ok_or_else(|| "`after` is not the `next` of an earlier answer to `audit`".to_owned())
    }
}

/// The prefixes of the keys of an app's records, in the order of their keys.
pub const PREFIXES: [&str; 2] = ["command#", "history#"];

/// One record of an app, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Past {
    /// A command.
    Command(Box<CommandRecord>),
    /// A promotion that ended.
    Promotion(Box<Ended>),
}

/// Some records of one app, in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PastPage {
    /// The records.
    pub records: Vec<Past>,
    /// The key after which the next page begins; `None` at the end.
    pub next: Option<String>,
}

impl Past {
    /// Whether the audit lists it: it lies in the span, and no other record tells of it. A command
    /// that led to a promotion is told by the promotion.
    pub fn is_within(&self, from: Timestamp, to: Timestamp) -> bool {
        match self {
            Past::Command(command) => (from..=to).contains(&command.at) && !command.is_in_history(),
            Past::Promotion(ended) => (from..=to).contains(&ended.ended_at),
        }
    }

    /// Writes the record as one line of the audit.
    pub fn to_line(&self, app: &AppName) -> serde_json::Result<Value> {
        match self {
            Past::Command(command) => serde_json::to_value(CommandLine::of(app, command)),
            Past::Promotion(ended) => {
                let promotion = &ended.promotion;
                let mut line = serde_json::to_value(PromotionLine {
                    kind: "promotion",
                    app,
                    outcome: ended.end.outcome(),
                    basis: promotion.basis(),
                    proof: Proof::of(promotion.via),
                    ended,
                })?;
                for (vote, own) in votes(&mut line).iter_mut().zip(&promotion.votes) {
                    vote["proof"] = serde_json::to_value(Proof::of(own.via))?;
                }
                Ok(line)
            }
        }
    }
}

fn votes(line: &mut Value) -> &mut [Value] {
    line.get_mut("votes").and_then(Value::as_array_mut).map_or(&mut [], Vec::as_mut_slice)
}

#[derive(Serialize)]
struct PromotionLine<'a> {
    kind: &'static str,
    app: &'a AppName,
    outcome: Outcome,
    basis: Basis,
    proof: Proof,
    #[serde(flatten)]
    ended: &'a Ended,
}

#[derive(Serialize)]
struct CommandLine<'a> {
    kind: &'static str,
    app: &'a AppName,
    /// Absent where the process died before it had an answer.
    outcome: Option<Outcome>,
    reason: Option<&'a str>,
    proof: Option<Proof>,
    #[serde(flatten)]
    command: &'a CommandRecord,
}

impl<'a> CommandLine<'a> {
    fn of(app: &'a AppName, command: &'a CommandRecord) -> Self {
        let answer = command.answer.as_ref();
        Self {
            kind: "command",
            app,
            outcome: answer.map(|answer| answer.outcome),
            reason: answer.map(|answer| answer.reason.as_str()),
            proof: command.via.map(Proof::of),
            command,
        }
    }
}

/// What proves who somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Slack's signature proves the user id.
    SlackSignature,
    /// Whoever had the signed link. The name is only claimed.
    SignedLink,
    /// IAM let somebody publish or invoke. The name is only claimed; CloudTrail knows the caller.
    Iam,
    /// Nobody: a push, the schedule or an alarm.
    Automation,
}

impl Proof {
    /// The proof that comes with each way.
    pub fn of(via: Via) -> Self {
        match via {
            Via::Slack => Proof::SlackSignature,
            Via::Link => Proof::SignedLink,
            Via::Sns | Via::Direct => Proof::Iam,
            Via::Push | Via::Schedule | Via::Alarm => Proof::Automation,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_nothing_else_is_one() {
        for text in ["web ", "tools/web history#0000000012", "web command#sns#1 2"] {
            let cursor: Cursor = text.parse().expect("a cursor");
            assert_eq!(cursor.to_string(), text);
        }
        for text in ["", "web", "Web history#1", "web state", " history#1", "#roster #roster"] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_command_that_led_to_a_promotion_is_not_listed_beside_it() {
        let at: Timestamp = "2026-10-05T10:00:00Z".parse().expect("a time");
        let record = |json: Value| -> Past {
            Past::Command(Box::new(serde_json::from_value(json).expect("a record")))
        };
        let (from, to) = (at, at);
        let hold = record(json!({ "id": "id#1", "at": at, "what": "hold freeze" }));
        assert!(hold.is_within(from, to));
        let promote = record(json!({ "id": "id#2", "at": at, "token": "ecr-promoter-1" }));
        assert!(!promote.is_within(from, to));
        let early = Timestamp::UNIX_EPOCH;
        assert!(!hold.is_within(early, early));
    }
}
