//! What the function replies: an answer, or the report of a command that changes nothing. Types for
//! the JSON, which is made once at the edge. No I/O here.

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::model::answer::{Answer, Outcome};
use crate::model::approval::ApprovalRequest;
use crate::model::bake::Bake;
use crate::model::checkup::Checkup;
use crate::model::config::policy::Mode;
use crate::model::ecs::known::KnownService;
use crate::model::promotion::{Ended, Promotion};
use crate::model::soaking::Soaking;
use crate::model::state::{Hold, Running, Waiting};
use crate::model::verification::Verification;
use crate::model::way_back::WayBack;
use crate::model::whereabouts::Whereabouts;
use crate::model::{AppName, Commit, Digest, Repository, Tag};

/// What one trigger answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// The outcome of a look.
    Answer(Box<Answer>),
    /// The report of a command that changes nothing.
    Report(Report),
}

impl Reply {
    /// The outcome, where it has one.
    pub fn outcome(&self) -> String {
        match self {
            Reply::Answer(answer) => answer.outcome.to_string(),
            Reply::Report(_) => "reported".to_owned(),
        }
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Reply::Answer(Box::new(answer))
    }
}

/// A report, told apart by its `action`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Report {
    /// `status`.
    #[serde(serialize_with = "to_the_second")]
    Status(Box<Status>),
    /// `history`.
    #[serde(serialize_with = "to_the_second")]
    History(History),
    /// `plan`.
    Plan(Box<PromotionPlan>),
    /// `board`.
    Board(BoardLink),
    /// `audit`.
    Audit(Audit),
    /// `check` of one app.
    Check(Checkup),
    /// `where`.
    #[serde(serialize_with = "to_the_second")]
    Where(Places),
    /// `check` of all apps.
    #[serde(rename = "check")]
    Checks(Checkups),
    /// The schedule's report about all apps. It has no `action`.
    #[serde(untagged)]
    Looks(ManyLooks),
}

/// What runs, what is newest, what waits and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// The app.
    pub app: AppName,
    /// Its repository.
    pub repository: Repository,
    /// What a push leads to.
    pub mode: Mode,
    /// The stack.
    pub stack: StackStatus,
    /// The app in which an image must have run first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<AppName>,
    /// The image that must run there for longer, and until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soaking: Option<Soaking>,
    /// The stack's parameter.
    pub parameter: String,
    /// The parameter's value.
    pub value: String,
    /// What runs; `None` until the stack was seen at rest.
    pub running: Option<Running>,
    /// The newest image.
    pub newest: Newest,
    /// Promotions that have not ended.
    pub open: Vec<Promotion>,
    /// The promotion that CloudFormation has finished, while ECS is asked if it runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verifying: Option<Verification>,
    /// The promotion that bakes, and its alarms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bake: Option<Bake>,
    /// The ECS services that run the app's images.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<KnownService>,
    /// Why pushes ask for approval.
    pub hold: Option<Hold>,
    /// The request about the present candidate.
    pub request: Option<ApprovalRequest>,
    /// What automation waits for.
    pub waiting: Option<Waiting>,
    /// Images whose promotion failed.
    pub failed: Vec<Digest>,
    /// The candidate that a person cancelled or rolled back from.
    pub passed_over: Option<Digest>,
}

/// A stack and its status.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StackStatus {
    /// Its name.
    pub name: String,
    /// What CloudFormation calls its status.
    pub status: String,
}

/// The newest image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Newest {
    /// The source tag.
    pub tag: Tag,
    /// The image that the tag is on.
    pub digest: Option<Digest>,
}

/// The last promotions of an app, newest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct History {
    /// The app.
    pub app: AppName,
    /// Its repository.
    pub repository: Repository,
    /// What is under way, then what ended.
    pub promotions: Vec<HistoryEntry>,
    /// Where older ones follow: the `after` of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// A promotion and its outcome so far.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryEntry {
    #[serde(flatten)]
    promotion: AnyPromotion,
    /// How it ended, or how far it has come.
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
enum AnyPromotion {
    Open(Box<Promotion>),
    Ended(Box<Ended>),
}

impl HistoryEntry {
    /// A promotion that has not ended.
    pub fn open(open: Promotion) -> Self {
        let is_accepted = open.accepted_at.is_some();
        let outcome = if is_accepted { Outcome::Promoted } else { Outcome::Queued };
        Self { promotion: AnyPromotion::Open(Box::new(open)), outcome }
    }

    /// A promotion that CloudFormation has finished and ECS has not yet.
    pub fn verifying(promotion: Promotion) -> Self {
        Self { promotion: AnyPromotion::Open(Box::new(promotion)), outcome: Outcome::Promoted }
    }

    /// A promotion that ended.
    pub fn ended(ended: Ended) -> Self {
        let outcome = ended.end.outcome();
        Self { promotion: AnyPromotion::Ended(Box::new(ended)), outcome }
    }

    /// The promotion.
    pub fn promotion(&self) -> &Promotion {
        match &self.promotion {
            AnyPromotion::Open(open) => open,
            AnyPromotion::Ended(ended) => &ended.promotion,
        }
    }
}

/// What `promote` would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PromotionPlan {
    /// The outcome that it would answer.
    pub would: Outcome,
    /// The app.
    pub app: Option<AppName>,
    /// Its repository.
    pub repository: Option<Repository>,
    /// The image.
    pub digest: Option<Digest>,
    /// The commit that it was built from.
    pub commit: Option<Commit>,
    /// The tag that it has or would get.
    pub tag: Option<Tag>,
    /// What runs now.
    pub previous_tag: Option<String>,
    /// The stack.
    pub stack: Option<String>,
    /// The stack's parameter.
    pub parameter: String,
    /// Why, in a sentence for people.
    pub reason: String,
    /// What would change in the stack. Empty: nothing would change. `None`: it was not worked out.
    pub changes: Option<Vec<String>>,
    /// What is unusual about the image.
    pub warnings: Vec<String>,
    /// The command that this is about, if it is not `promote`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<&'static str>,
    /// From what to what a rollback would go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way_back: Option<WayBack>,
}

/// The checks of several apps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checkups {
    /// The checks, by app.
    pub results: Vec<Checkup>,
    /// Where more apps follow: the `after` of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<AppName>,
}

/// A page of the audit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Audit {
    /// The start of the span.
    pub from: Timestamp,
    /// The end of the span.
    pub to: Timestamp,
    /// The records, by app.
    pub records: Vec<Value>,
    /// Where more follow: the `after` of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A link to the board.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BoardLink {
    /// The address.
    pub url: String,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// The apps that have an image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Places {
    /// The image, as it was named.
    pub image: String,
    /// The apps that run it, or that it is on its way to.
    pub results: Vec<Whereabouts>,
    /// The apps whose state could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<AppName>,
}

/// What a look at many apps came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ManyLooks {
    /// The answers of the apps that needed one.
    pub results: Vec<Reply>,
    /// How many apps are left to the next look, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<usize>,
    /// The `after` of the next page, if there is one. Only reports have pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<AppName>,
}

/// Cuts each time to the second, for people to read. The state keeps the full time.
fn to_the_second<T: Serialize, S: Serializer>(report: &T, to: S) -> Result<S::Ok, S::Error> {
    let mut json = serde_json::to_value(report).map_err(serde::ser::Error::custom)?;
    cut_times(&mut json);
    json.serialize(to)
}

fn cut_times(json: &mut Value) {
    match json {
        Value::String(text) => {
            if let Some(time) = text.parse::<Timestamp>().ok().filter(|_| text.contains('.')) {
                *text = format!("{time:.0}");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(cut_times),
        Value::Object(members) => members.values_mut().for_each(cut_times),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
