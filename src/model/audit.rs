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
    /// The end of the span, which is not part of it; `None` for now.
    pub to: Option<Timestamp>,
    /// Where the page before ended.
    pub after: Option<Cursor>,
}

/// The span in days, where none is named.
pub const DEFAULT_DAYS: i64 = 30;

/// A place in an audit: its span, an app, and the key of one of the app's items. Its text has these
/// with a space between each two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The start of the span.
    pub from: Timestamp,
    /// The end of the span.
    pub to: Timestamp,
    /// The app.
    pub app: AppName,
    /// The key of the last item that was read; empty before the first.
    pub item: String,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {} {}", self.from, self.to, self.app, self.item)
    }
}

impl std::str::FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(4, ' ');
        let mut part = || parts.next();
        let mut read = || {
            Some(Self {
                from: part()?.parse().ok()?,
                to: part()?.parse().ok()?,
                app: part()?.parse().ok()?,
                item: part()?.to_owned(),
            })
        };
        let cursor = read();
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
            Past::Command(command) => (from..to).contains(&command.at) && !command.is_in_history(),
            Past::Promotion(ended) => (from..to).contains(&ended.ended_at),
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
        const SPAN: &str = "2026-10-01T00:00:00Z 2026-11-01T00:00:00Z";
        for place in ["web ", "tools/web history#0000000012", "web command#sns#1 2"] {
            let text = format!("{SPAN} {place}");
            let cursor: Cursor = text.parse().expect("a cursor");
            assert_eq!(cursor.to_string(), text);
        }
        for place in ["", "web", "Web history#1", "web state", " history#1", "#roster #roster"] {
            assert!(format!("{SPAN} {place}").parse::<Cursor>().is_err(), "{place}");
        }
        assert!("web history#0000000012".parse::<Cursor>().is_err());
    }

    #[test]
    fn a_command_that_led_to_a_promotion_is_not_listed_beside_it() {
        let at: Timestamp = "2026-10-05T10:00:00Z".parse().expect("a time");
        let record = |json: Value| -> Past {
            Past::Command(Box::new(serde_json::from_value(json).expect("a record")))
        };
        let (from, to) = (at, at + jiff::SignedDuration::from_secs(1));
        let hold = record(json!({ "id": "id#1", "at": at, "what": "hold freeze" }));
        assert!(hold.is_within(from, to));
        let promote = record(json!({ "id": "id#2", "at": at, "via": "sns", "began": true }));
        assert!(!promote.is_within(from, to));
        let early = Timestamp::UNIX_EPOCH;
        assert!(!hold.is_within(early, early));
    }
}
