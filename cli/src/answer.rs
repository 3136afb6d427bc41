//! What the function answers, as far as this command shows it. A key that is not known here is
//! left alone, so a newer function may say more. No I/O here.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

mod outcome;
mod status;

pub use outcome::Outcome;
pub use status::{
    Alarm, Bake, Hold, Newest, Promotion, Request, Running, Service, Soaking, Stack, Status,
    Verifying, Vote, Waiting,
};

/// The answer of one app.
#[derive(Debug, Clone, Deserialize)]
pub struct Answer {
    /// The outcome.
    pub outcome: Outcome,
    /// The app.
    pub app: Option<String>,
    /// The image.
    pub digest: Option<String>,
    /// Its commit.
    pub commit: Option<String>,
    /// Its production tag.
    pub tag: Option<String>,
    /// What ran before.
    pub previous_tag: Option<String>,
    /// Why, in a sentence.
    #[serde(default)]
    pub reason: String,
    /// The token of the promotion.
    pub token: Option<String>,
    /// The tag that a rollback goes back from.
    pub rolls_back: Option<String>,
    /// The request that people are asked.
    pub request: Option<String>,
    /// What it changes in the stack.
    #[serde(default)]
    pub changes: Vec<String>,
}

/// The answer to `history`.
#[derive(Debug, Clone, Deserialize)]
pub struct History {
    /// The promotions, newest first.
    pub promotions: Vec<Entry>,
    /// Where the next page begins: the `after` of the next command, whatever it is.
    pub next: Option<Value>,
}

/// A promotion and how it ended.
#[derive(Debug, Clone, Deserialize)]
pub struct Entry {
    /// The promotion.
    #[serde(flatten)]
    pub promotion: Promotion,
    /// How it ended, or how far it is.
    pub outcome: Outcome,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// When that was seen.
    pub ended_at: Option<Timestamp>,
}

/// The answer to `plan`.
#[derive(Debug, Clone, Deserialize)]
pub struct Plan {
    /// The outcome that the command would have.
    pub would: Outcome,
    /// The image.
    pub digest: Option<String>,
    /// Its commit.
    pub commit: Option<String>,
    /// Its production tag.
    pub tag: Option<String>,
    /// What runs now.
    pub previous_tag: Option<String>,
    /// The stack.
    pub stack: Option<String>,
    /// The stack's parameter.
    pub parameter: String,
    /// Why, in a sentence.
    pub reason: String,
    /// What would change in the stack.
    pub changes: Option<Vec<String>>,
    /// What is unusual.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// The answer to `board`.
#[derive(Debug, Clone, Deserialize)]
pub struct Board {
    /// The link.
    pub url: String,
    /// Until when it works.
    pub expires_at: Timestamp,
}

/// The answer to `where`.
#[derive(Debug, Clone, Deserialize)]
pub struct Places {
    /// The image, as it was named.
    pub image: String,
    /// The apps that have it.
    pub results: Vec<Place>,
    /// The apps that could not be read.
    #[serde(default)]
    pub unread: Vec<String>,
}

/// An app that has an image.
#[derive(Debug, Clone, Deserialize)]
pub struct Place {
    /// The app.
    pub app: String,
    /// How it has the image.
    pub stage: String,
    /// The image.
    pub digest: Option<String>,
    /// Its tag there.
    pub tag: Option<String>,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// One app's answer to `check`.
#[derive(Debug, Clone, Deserialize)]
pub struct Checked {
    /// The app.
    pub app: String,
    /// How many findings are problems.
    pub problems: u64,
    /// All findings.
    pub findings: Vec<Finding>,
}

/// One finding.
#[derive(Debug, Clone, Deserialize)]
pub struct Finding {
    /// `ok`, `warning` or `problem`.
    pub level: String,
    /// What it is about.
    pub about: String,
    /// What it says.
    pub says: String,
    /// What to do.
    pub mend: Option<String>,
}

/// Answers of several apps.
#[derive(Debug, Clone, Deserialize)]
pub struct Several<T> {
    /// One for each app.
    pub results: Vec<T>,
    /// Where the next page begins: the `after` of the next command, whatever it is.
    pub next: Option<Value>,
    /// How many apps were not looked at.
    pub left: Option<u64>,
}

/// One page of `audit`.
#[derive(Debug, Clone, Deserialize)]
pub struct Audit {
    /// The records.
    pub records: Vec<Box<serde_json::value::RawValue>>,
    /// Where the next page begins: the `after` of the next command, whatever it is.
    pub next: Option<Value>,
}

/// The report that was asked for, or an answer instead of it.
#[derive(Debug, Clone)]
pub enum Said<T> {
    /// The report.
    Report(T),
    /// For example a refusal.
    Answer(Box<Answer>),
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Said<T> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let json = Value::deserialize(from)?;
        let is_answer = json.get("outcome").is_some();
        let read = if is_answer {
            serde_json::from_value(json).map(|answer| Self::Answer(Box::new(answer)))
        } else {
            serde_json::from_value(json).map(Self::Report)
        };
        read.map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_may_come_instead_of_a_report() {
        let board =
            r#"{"action": "board", "url": "https://x", "expires_at": "2026-10-01T00:00:00Z"}"#;
        assert!(matches!(serde_json::from_str::<Said<Board>>(board), Ok(Said::Report(_))));
        let refused = r#"{"outcome": "refused", "app": null, "reason": "no", "newer": 1}"#;
        assert!(matches!(serde_json::from_str::<Said<Board>>(refused), Ok(Said::Answer(_))));
        assert!(serde_json::from_str::<Said<Board>>("{}").is_err());
    }
}
