//! What the function answers, as far as this command shows it. A key that is not known here is
//! left alone, so a newer function may say more. No I/O here.

use std::fmt;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The outcome of a command, or how a promotion ended.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "String", into = "String")]
pub enum Outcome {
    /// CloudFormation accepted the update.
    Promoted,
    /// It runs.
    Deployed,
    /// It does not run, and is not tried again.
    Failed,
    /// It goes on by itself.
    Queued,
    /// People are asked.
    ApprovalRequested,
    /// Approved, and more people must approve.
    Approved,
    /// A person said no.
    Rejected,
    /// Something newer took its place.
    Superseded,
    /// There is nothing to do.
    Unchanged,
    /// Pushes ask for approval.
    Held,
    /// A person must repair something first.
    Blocked,
    /// Nobody decided in time.
    Expired,
    /// Not for the function.
    Ignored,
    /// Not possible.
    Refused,
    /// A hold was lifted.
    Resumed,
    /// An update was cancelled.
    Cancelled,
    /// An outcome that this version does not know.
    Unknown(String),
}

/// The outcomes and their words.
const OUTCOMES: [(&str, Outcome); 16] = [
    ("promoted", Outcome::Promoted),
    ("deployed", Outcome::Deployed),
    ("failed", Outcome::Failed),
    ("queued", Outcome::Queued),
    ("approval_requested", Outcome::ApprovalRequested),
    ("approved", Outcome::Approved),
    ("rejected", Outcome::Rejected),
    ("superseded", Outcome::Superseded),
    ("unchanged", Outcome::Unchanged),
    ("held", Outcome::Held),
    ("blocked", Outcome::Blocked),
    ("expired", Outcome::Expired),
    ("ignored", Outcome::Ignored),
    ("refused", Outcome::Refused),
    ("resumed", Outcome::Resumed),
    ("cancelled", Outcome::Cancelled),
];

impl From<String> for Outcome {
    fn from(word: String) -> Self {
        let known = OUTCOMES.iter().find(|(known, _)| *known == word);
        known.map_or(Self::Unknown(word), |(_, outcome)| outcome.clone())
    }
}

impl From<Outcome> for String {
    fn from(outcome: Outcome) -> Self {
        outcome.to_string()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Unknown(word) = self {
            return f.write_str(word);
        }
        let known = OUTCOMES.iter().find(|(_, outcome)| outcome == self);
        f.write_str(known.map_or("", |(word, _)| word))
    }
}

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

/// What one app does: the answer to `status`.
#[derive(Debug, Clone, Deserialize)]
pub struct Status {
    /// The app.
    pub app: String,
    /// `auto` or `approval`.
    pub mode: String,
    /// Its stack.
    pub stack: Stack,
    /// The app that it comes after.
    pub after: Option<String>,
    /// The image that must run there for longer.
    pub soaking: Option<Soaking>,
    /// The stack's parameter.
    pub parameter: String,
    /// Its value.
    pub value: String,
    /// What runs.
    pub running: Option<Running>,
    /// The newest image.
    pub newest: Newest,
    /// Promotions that have not ended.
    pub open: Vec<Promotion>,
    /// The promotion that ECS is asked about.
    pub verifying: Option<Verifying>,
    /// The promotion whose alarms are watched.
    pub bake: Option<Bake>,
    /// The ECS services.
    #[serde(default)]
    pub services: Vec<Service>,
    /// Why pushes ask.
    pub hold: Option<Hold>,
    /// What people are asked.
    pub request: Option<Request>,
    /// What automation waits for.
    pub waiting: Option<Waiting>,
    /// Images whose promotion failed.
    #[serde(default)]
    pub failed: Vec<String>,
    /// The image that a person turned away from.
    pub passed_over: Option<String>,
}

/// A stack.
#[derive(Debug, Clone, Deserialize)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// CloudFormation's word for what it does.
    pub status: String,
}

/// An image that soaks in another app.
#[derive(Debug, Clone, Deserialize)]
pub struct Soaking {
    /// The image.
    pub digest: String,
    /// Its commit.
    pub commit: Option<String>,
    /// Until when.
    pub until: Timestamp,
}

/// What runs.
#[derive(Debug, Clone, Deserialize)]
pub struct Running {
    /// The parameter's value.
    pub tag: String,
    /// The image.
    pub digest: Option<String>,
    /// Its commit.
    pub commit: Option<String>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Who promoted it.
    #[serde(default)]
    pub by: String,
}

/// The newest image.
#[derive(Debug, Clone, Deserialize)]
pub struct Newest {
    /// The source tag.
    pub tag: String,
    /// The image that it is on.
    pub digest: Option<String>,
}

/// A promotion, under way or ended.
#[derive(Debug, Clone, Deserialize)]
pub struct Promotion {
    /// The token of its update.
    pub token: String,
    /// The image.
    pub digest: String,
    /// Its commit.
    pub commit: Option<String>,
    /// Its production tag.
    pub tag: String,
    /// Who asked for it.
    #[serde(default)]
    pub by: String,
    /// The way that the wish came.
    #[serde(default)]
    pub via: String,
    /// When it was decided.
    pub at: Timestamp,
    /// When CloudFormation accepted it.
    pub accepted_at: Option<Timestamp>,
    /// The tag that it rolls back from.
    pub rolls_back: Option<String>,
    /// The image of that.
    pub rolls_back_digest: Option<String>,
    /// Why it is made.
    pub why: Option<String>,
    /// Who cancelled it.
    pub cancelled_by: Option<String>,
}

/// A promotion while ECS is asked about it.
#[derive(Debug, Clone, Deserialize)]
pub struct Verifying {
    /// The promotion.
    pub promotion: Promotion,
    /// How far ECS has come.
    #[serde(default)]
    pub progress: String,
    /// Why ECS could not be read.
    pub problem: Option<String>,
}

/// A promotion whose alarms are watched.
#[derive(Debug, Clone, Deserialize)]
pub struct Bake {
    /// The promotion's token.
    pub token: String,
    /// Its image.
    pub digest: String,
    /// Its tag.
    pub tag: String,
    /// Until when.
    pub until: Timestamp,
    /// The alarms.
    #[serde(default)]
    pub alarms: Vec<Alarm>,
}

/// An alarm.
#[derive(Debug, Clone, Deserialize)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// CloudWatch's word for what it shows.
    pub state: Option<String>,
}

/// An ECS service.
#[derive(Debug, Clone, Deserialize)]
pub struct Service {
    /// Its ARN.
    pub arn: String,
    /// The image that its tasks run.
    pub digest: Option<String>,
    /// Whether that is what the stack names.
    #[serde(default)]
    pub is_promoted: bool,
}

/// A hold.
#[derive(Debug, Clone, Deserialize)]
pub struct Hold {
    /// Who.
    pub by: String,
    /// Since when.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

impl Hold {
    /// Whether an alarm of a bake holds the app.
    pub fn is_by_alarm(&self) -> bool {
        self.by.starts_with("alarm `")
    }
}

/// A question to people.
#[derive(Debug, Clone, Deserialize)]
pub struct Request {
    /// Its id.
    pub id: String,
    /// The image.
    pub digest: String,
    /// Its commit.
    pub commit: Option<String>,
    /// Why people are asked.
    #[serde(default)]
    pub why: String,
    /// Until when it can be approved.
    pub expires_at: Timestamp,
    /// How far it has come: a word, or an object with one key.
    pub progress: Value,
    /// The votes.
    #[serde(default)]
    pub votes: Vec<Vote>,
}

impl Request {
    /// Whether people may still decide.
    pub fn is_open(&self) -> bool {
        self.progress == "pending"
    }
}

/// A vote.
#[derive(Debug, Clone, Deserialize)]
pub struct Vote {
    /// Who.
    pub by: String,
    /// For or against.
    pub approves: bool,
}

/// What automation waits for.
#[derive(Debug, Clone, Deserialize)]
pub struct Waiting {
    /// Since when.
    pub since: Timestamp,
    /// `queued` or `blocked`.
    pub outcome: Outcome,
    /// Why.
    #[serde(default)]
    pub reason: String,
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
#[serde(untagged)]
pub enum Checked {
    /// It was checked.
    Findings {
        /// The app.
        app: String,
        /// How many findings are problems.
        problems: u64,
        /// How many are warnings.
        warnings: u64,
        /// All of them.
        findings: Vec<Finding>,
    },
    /// It could not be checked.
    Error {
        /// The app.
        app: String,
        /// Why.
        error: String,
    },
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
    fn an_outcome_that_is_not_known_keeps_its_word() {
        for (word, outcome) in OUTCOMES {
            assert_eq!(Outcome::from(word.to_owned()), outcome);
            assert_eq!(outcome.to_string(), word);
        }
        let newer = Outcome::from("canary".to_owned());
        assert_eq!(newer, Outcome::Unknown("canary".to_owned()));
        assert_eq!(newer.to_string(), "canary");
    }

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
