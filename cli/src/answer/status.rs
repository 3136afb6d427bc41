//! The answer to `status`. No I/O here.

use jiff::Timestamp;
use serde::Deserialize;

use super::outcome::Outcome;

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
    pub progress: serde_json::Value,
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
