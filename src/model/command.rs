//! Commands: the action, who asks for it, and the way that it came. No I/O here.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::{AppName, Commit, Digest, RequestId, Tag};
use crate::text::{brief, claimed};

/// One command, valid in itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its id. It is kept before the command acts, so that the command acts once.
    pub id: String,
    /// The action.
    pub act: Act,
    /// The app.
    pub app: AppName,
    /// Whether the sender named the app's repository, as was done before an app had a name of its
    /// own.
    pub names_repository: bool,
    /// Who asks. A name in the message is only claimed.
    pub by: String,
    /// The way that it came.
    pub via: Via,
    /// Who asks and where, as Slack's signature proves it.
    pub slack: Option<Box<SlackOrigin>>,
    /// When it was sent, where the sender's service says so.
    pub sent_at: Option<Timestamp>,
    /// The sender's network address and user agent, where the command came by a link.
    pub trace: Option<Trace>,
}

/// Where a decision by a link came from. Lambda saw the address; the user agent is only claimed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Trace {
    /// The network address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The user agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// The action of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Promote this image, or the newest.
    Promote(Option<ImageRef>),
    /// Report what `promote` would do.
    Plan(Option<ImageRef>),
    /// Report what `rollback` would do.
    PlanRollback(Option<ImageRef>),
    /// Report what runs and what waits.
    Status,
    /// Report past promotions: the last ones, or those before the one with this number.
    History(Option<u64>),
    /// Go back, for this reason if the person gave one.
    Rollback(RollbackTo, Option<String>),
    /// Cancel the update that is under way.
    Cancel,
    /// Let pushes ask for approval instead of deploying, for this reason.
    Hold(String),
    /// End a hold.
    Resume,
    /// Look at the app, and continue with what was missed.
    Reconcile,
    /// Approve the candidate for production.
    Approve(Choice),
    /// Reject the candidate.
    Reject(Choice),
    /// Ask people about the candidate, again if they were asked before.
    Ask,
    /// Ask again, from the message of a request: only if the candidate is still this image.
    AskAgain(Digest),
}

/// The image that a rollback goes back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RollbackTo {
    /// The image that ran before the present one.
    Previous,
    /// This image.
    Image(ImageRef),
    /// The image that a message or a page named, beside the one that it leaves.
    Shown(Box<RollbackStep>),
}

/// A rollback as a person saw it before pressing the button. If it would be another one by then,
/// it is not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackStep {
    /// The image that runs, or is being deployed.
    pub from: Digest,
    /// The image to go back to. An older message does not name it.
    pub to: Option<Digest>,
    /// Whether the person chose `to`, where the default may be another one.
    pub is_chosen: bool,
}

impl fmt::Display for Act {
    /// Writes the action as a person would type it, without the app.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = |f: &mut fmt::Formatter<'_>, word: &str, image: &Option<ImageRef>| match image {
            Some(image) => write!(f, "{word} {image}"),
            None => f.write_str(word),
        };
        match self {
            Act::Promote(image) => with(f, "promote", image),
            Act::Plan(image) => with(f, "plan", image),
            Act::Rollback(to, why) => {
                write!(f, "rollback{to}")?;
                why.as_ref().map_or(Ok(()), |why| write!(f, ", because {why}"))
            }
            Act::Status => f.write_str("status"),
            Act::History(_) => f.write_str("history"),
            Act::Cancel => f.write_str("cancel"),
            Act::Hold(reason) => write!(f, "hold {reason}"),
            Act::Resume => f.write_str("resume"),
            Act::Reconcile => f.write_str("reconcile"),
            Act::Approve(choice) => write!(f, "approve {choice}"),
            Act::Reject(choice) => write!(f, "reject {choice}"),
            Act::Ask => f.write_str("ask"),
            Act::AskAgain(digest) => write!(f, "ask digest {digest}"),
            Act::PlanRollback(image) => with(f, "plan rollback", image),
        }
    }
}

impl Act {
    /// The person's reason for a rollback, if one was given.
    pub fn why_back(&self) -> Option<&str> {
        if let Act::Rollback(_, why) = self { why.as_deref() } else { None }
    }
}

impl fmt::Display for RollbackTo {
    /// Writes what follows the word `rollback`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RollbackTo::Previous => Ok(()),
            RollbackTo::Image(image) => write!(f, " {image}"),
            RollbackTo::Shown(step) => {
                write!(f, " from digest {}", step.from)?;
                step.to.as_ref().map_or(Ok(()), |to| write!(f, " to digest {to}"))
            }
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Choice::Image(image) => image.fmt(f),
            Choice::Request(request) => write!(f, "request {request}"),
        }
    }
}

/// What to approve or reject. It is always named, since the candidate changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The candidate, if it is this image.
    Image(ImageRef),
    /// The image of this request.
    Request(RequestId),
}

/// Who in Slack sent a command, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlackOrigin {
    /// The user's id.
    pub user: String,
    /// How the user belongs to the installed team.
    pub standing: Standing,
    /// The channel's id.
    pub channel: Option<String>,
}

/// An image as people name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageRef {
    /// By its digest.
    Digest(Digest),
    /// By the commit it was built from, whole or abbreviated.
    Commit(Commit),
    /// By a tag.
    Tag(Tag),
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImageRef::Digest(digest) => write!(f, "digest {digest}"),
            ImageRef::Commit(commit) => write!(f, "commit {commit}"),
            ImageRef::Tag(tag) => write!(f, "tag {tag}"),
        }
    }
}

/// The age at which a relative command expires: it might act on another image than its sender saw.
const RELATIVE_COMMANDS_EXPIRE: SignedDuration = SignedDuration::from_mins(15);

/// The way that a promotion or a vote came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// A push, in `auto` mode.
    Push,
    /// A look that found a missed push.
    Schedule,
    /// A message on the approval topic.
    Sns,
    /// A direct invocation.
    Direct,
    /// A person in Slack.
    Slack,
    /// An approval link.
    Link,
    /// A CloudWatch alarm during a bake.
    Alarm,
}

impl Via {
    /// Whether automation caused it, so that a newer image takes its place. A rollback because of
    /// an alarm holds the app as a person's does, and goes out whatever is newest.
    pub fn is_automation(self) -> bool {
        match self {
            Via::Push | Via::Schedule => true,
            Via::Sns | Via::Direct | Via::Slack | Via::Link | Via::Alarm => false,
        }
    }
}

/// The relation of a person to the installation. Nobody else may vote or command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// A member of the team that the app is installed in.
    Team,
    /// A member of another team of the same organisation: counts only for apps that list this
    /// person.
    Organisation,
}

impl Command {
    /// Whether the command depends on the moment: it names no image, so it may mean another one
    /// later.
    pub fn is_relative(&self) -> bool {
        match &self.act {
            Act::Promote(image) => image.is_none(),
            Act::Rollback(to, _) => *to == RollbackTo::Previous,
            Act::Cancel | Act::Hold(_) | Act::Resume => true,
            Act::Ask => true,
            Act::Approve(_) | Act::Reject(_) | Act::AskAgain(_) => false,
            Act::Plan(_)
            | Act::PlanRollback(_)
            | Act::Status
            | Act::History(_)
            | Act::Reconcile => false,
        }
    }

    /// Whether the command is too old to mean what its sender meant.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.is_relative()
            && self.sent_at.is_some_and(|sent| now.duration_since(sent) > RELATIVE_COMMANDS_EXPIRE)
    }

    /// Makes a decision by an approval link. The name is only claimed; `None` without a name.
    pub fn from_link(id: String, act: Act, app: AppName, name: &str) -> Option<Self> {
        let by = claimed(name, "claimed, by the approval link")?;
        Some(Self { id, by, ..Self::unsent(act, app, Via::Link) })
    }

    /// Makes a command from a board whose link was asked for through IAM. The name is only claimed.
    pub fn from_board(id: String, act: Act, app: AppName, name: &str) -> Self {
        let by = claimed(name, "claimed, by the board").unwrap_or_else(|| "the board".to_owned());
        Self { id, by, ..Self::unsent(act, app, Via::Direct) }
    }

    /// Makes a command that nobody sent: it asks for something on behalf of an overview.
    pub fn unsent(act: Act, app: AppName, via: Via) -> Self {
        Self {
            id: String::new(),
            act,
            app,
            names_repository: false,
            by: "an overview".to_owned(),
            via,
            slack: None,
            sent_at: None,
            trace: None,
        }
    }

    /// Adds where the command came from.
    pub fn with_trace(self, trace: Trace) -> Self {
        Self { trace: Some(trace), ..self }
    }

    /// Makes a command by a person in Slack. The user's id identifies the person; the name is for
    /// people to read.
    pub fn from_slack(
        id: String,
        act: Act,
        app: AppName,
        origin: &SlackOrigin,
        name: &str,
    ) -> Self {
        let by = if name.is_empty() {
            format!("{} (Slack)", origin.user)
        } else {
            format!("{} (Slack, {})", brief(name), origin.user)
        };
        let slack = Some(Box::new(origin.clone()));
        Self { id, by, slack, ..Self::unsent(act, app, Via::Slack) }
    }
}
