//! Commands: what people and scripts ask for, in JSON or in words, over SNS or by a direct
//! invocation.

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{NotUnderstood, cut};
use crate::json::{self, Node};
use crate::model::state::Via;
use crate::model::{Commit, Digest, Repository, RequestId, Tag};
use crate::nearest::{did_you_mean, nearest};
use crate::slack::team::Standing;
use crate::text::claimed;

/// A relative command that SNS delivered later than this would act on another image than its sender
/// saw.
const RELATIVE_COMMANDS_EXPIRE: SignedDuration = SignedDuration::from_mins(15);

/// The words that a command begins with.
pub const ACTIONS: [&str; 13] = [
    "promote",
    "approve",
    "reject",
    "ask",
    "rollback",
    "cancel",
    "hold",
    "resume",
    "reconcile",
    "plan",
    "status",
    "history",
    "board",
];

/// One command, valid in itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What makes it act once: kept before it acts.
    pub id: String,
    /// What to do.
    pub act: Act,
    /// With which app.
    pub repository: Repository,
    /// Who asks, as far as that is known: a name in the message is only claimed.
    pub by: String,
    /// Through what it came.
    pub via: Via,
    /// Who asks and where, as Slack's signature proves it.
    pub slack: Option<Box<SlackOrigin>>,
    /// When it was sent, where the sender's service says so.
    pub sent_at: Option<Timestamp>,
    /// The sender's network address and user agent, where the command came by a link.
    pub trace: Option<Trace>,
}

/// Where a decision by a link came from. The address is what Lambda saw; the user agent is what the
/// sender said of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Trace {
    /// The network address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The user agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// What a command does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Promote this image, or the newest.
    Promote(Option<ImageRef>),
    /// Say what `promote` would do.
    Plan(Option<ImageRef>),
    /// Say what runs and what waits.
    Status,
    /// Say what was promoted.
    History,
    /// Go back to this image, or to the one that was deployed before the present one.
    Rollback(Option<ImageRef>),
    /// Cancel the update that is under way.
    Cancel,
    /// Let pushes ask for approval instead of deploying, for this reason.
    Hold(String),
    /// End a hold.
    Resume,
    /// Look, and go on with what was missed.
    Reconcile,
    /// Let the candidate go to production.
    Approve(Choice),
    /// Do not let it.
    Reject(Choice),
    /// Ask people about the candidate, anew if they were asked before.
    Ask,
    /// The same, from the message of a request: only if it was about this image.
    AskAgain(Digest),
    /// Roll back, from the message of a request: only if its image still runs, or is on its way.
    RollBackFrom(Digest),
}

impl std::fmt::Display for Act {
    /// As a person would type it, without the app.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let with =
            |f: &mut std::fmt::Formatter<'_>, word: &str, image: &Option<ImageRef>| match image {
                Some(image) => write!(f, "{word} {image}"),
                None => f.write_str(word),
            };
        match self {
            Act::Promote(image) => with(f, "promote", image),
            Act::Plan(image) => with(f, "plan", image),
            Act::Rollback(image) => with(f, "rollback", image),
            Act::Status => f.write_str("status"),
            Act::History => f.write_str("history"),
            Act::Cancel => f.write_str("cancel"),
            Act::Hold(reason) => write!(f, "hold {reason}"),
            Act::Resume => f.write_str("resume"),
            Act::Reconcile => f.write_str("reconcile"),
            Act::Approve(choice) => write!(f, "approve {choice}"),
            Act::Reject(choice) => write!(f, "reject {choice}"),
            Act::Ask => f.write_str("ask"),
            Act::AskAgain(digest) => write!(f, "ask digest {digest}"),
            Act::RollBackFrom(digest) => write!(f, "rollback from digest {digest}"),
        }
    }
}

impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Choice::Image(image) => image.fmt(f),
            Choice::Request(request) => write!(f, "request {request}"),
        }
    }
}

/// What is approved or rejected: always something in particular, since the candidate changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The candidate, if it is this image.
    Image(ImageRef),
    /// What this request is about.
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

impl std::fmt::Display for ImageRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ImageRef::Digest(digest) => write!(f, "digest {digest}"),
            ImageRef::Commit(commit) => write!(f, "commit {commit}"),
            ImageRef::Tag(tag) => write!(f, "tag {tag}"),
        }
    }
}

/// Who delivered a command.
#[derive(Debug, Clone, Copy)]
pub enum Sender<'a> {
    /// SNS, at least once.
    Sns { message_id: &'a str, sent_at: Timestamp },
    /// Whoever may invoke the function.
    Direct { request_id: &'a str },
    /// A person in Slack, with a name to show.
    Slack { trigger_id: &'a str, origin: &'a SlackOrigin, name: &'a str },
}

/// The JSON form. An unknown key is an error: a misspelt `commit` must not promote the newest.
/// So is a `null`: a script whose variable is unset must not promote the newest either.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    action: String,
    #[serde(default, deserialize_with = "not_null")]
    repository: Option<Repository>,
    #[serde(default, deserialize_with = "not_null")]
    digest: Option<Digest>,
    #[serde(default, deserialize_with = "not_null")]
    commit: Option<Commit>,
    #[serde(default, deserialize_with = "not_null")]
    tag: Option<Tag>,
    #[serde(default, deserialize_with = "not_null")]
    request: Option<RequestId>,
    #[serde(default, deserialize_with = "not_null")]
    id: Option<String>,
    #[serde(default, deserialize_with = "not_null")]
    by: Option<String>,
    #[serde(default, deserialize_with = "not_null")]
    reason: Option<String>,
}

/// Checks the first word of a command; the error says which one may have been meant.
fn is_action(word: &str) -> Result<(), NotUnderstood> {
    if ACTIONS.contains(&word) {
        return Ok(());
    }
    Err(NotUnderstood::new(format!("`{}` is no command{}", cut(word), did_you_mean(word, ACTIONS))))
}

/// Reads a command, or says which key of it is wrong.
fn read<T: DeserializeOwned>(raw: &Value) -> Result<T, NotUnderstood> {
    json::read(&Node::from(raw))
        .map_err(|mistake| NotUnderstood::new(format!("the command did not parse: {mistake}")))
}

fn not_null<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    value: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

impl Command {
    /// Whether this names no image, so that it may mean another image later.
    pub fn is_relative(&self) -> bool {
        match &self.act {
            Act::Promote(image) | Act::Rollback(image) => image.is_none(),
            Act::Cancel | Act::Hold(_) | Act::Resume => true,
            Act::Ask => true,
            Act::Approve(_) | Act::Reject(_) | Act::AskAgain(_) | Act::RollBackFrom(_) => false,
            Act::Plan(_) | Act::Status | Act::History | Act::Reconcile => false,
        }
    }

    /// Whether this is too old to mean what its sender meant.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.is_relative()
            && self.sent_at.is_some_and(|sent| now.duration_since(sent) > RELATIVE_COMMANDS_EXPIRE)
    }

    /// A decision by an approval link. Its bearer's name is only claimed; `None` without a name.
    pub fn from_link(id: String, act: Act, repository: Repository, name: &str) -> Option<Self> {
        let by = claimed(name, "claimed, by the approval link")?;
        Some(Self {
            id,
            act,
            repository,
            by,
            via: Via::Link,
            slack: None,
            sent_at: None,
            trace: None,
        })
    }

    /// A command by a board's link that was asked for through IAM. The bearer's name is only
    /// claimed.
    pub fn from_board(id: String, act: Act, repository: Repository, name: &str) -> Self {
        let by = claimed(name, "claimed, by the board").unwrap_or_else(|| "the board".to_owned());
        Self { id, act, repository, by, via: Via::Direct, slack: None, sent_at: None, trace: None }
    }

    /// Adds where the command came from.
    pub fn with_trace(self, trace: Trace) -> Self {
        Self { trace: Some(trace), ..self }
    }

    /// Reads what follows a slash command: `web` alone is `promote web`.
    pub fn from_slash(text: &str, sender: Sender<'_>) -> Result<Self, NotUnderstood> {
        let first = text.split_whitespace().next().unwrap_or_default();
        if ACTIONS.contains(&first.to_ascii_lowercase().as_str()) {
            return Self::from_words(text, sender);
        }
        Self::from_words(&format!("promote {text}"), sender).map_err(|problem| {
            match nearest(first, ACTIONS) {
                Some(meant) => NotUnderstood::new(format!(
                    "`{}` is no command: did you mean `{meant}`?",
                    cut(first)
                )),
                None => problem,
            }
        })
    }

    /// A command by a person in Slack. The user's id says who it is; the name is for people to
    /// read.
    pub fn from_slack(
        id: String,
        act: Act,
        repository: Repository,
        origin: &SlackOrigin,
        name: &str,
    ) -> Self {
        let by = if name.is_empty() {
            format!("{} (Slack)", origin.user)
        } else {
            format!("{} (Slack, {})", cut(name), origin.user)
        };
        Self {
            id,
            act,
            repository,
            by,
            via: Via::Slack,
            slack: Some(Box::new(origin.clone())),
            sent_at: None,
            trace: None,
        }
    }

    pub(super) fn from_json(raw: &Value, sender: Sender<'_>) -> Result<Self, NotUnderstood> {
        read::<Message>(raw)?.into_command(sender)
    }

    /// Reads words such as `promote web 9fceb02`.
    pub fn from_words(text: &str, sender: Sender<'_>) -> Result<Self, NotUnderstood> {
        let mut words = text.split_whitespace();
        let action = words
            .next()
            .ok_or_else(|| NotUnderstood::new("the message is empty"))?
            .to_ascii_lowercase();
        is_action(&action)?;
        let repository = match words.next() {
            None => None,
            Some(word) => Some(word.parse().map_err(|e| {
                let lower = word.to_lowercase();
                let meant = if lower.parse::<Repository>().is_ok() {
                    did_you_mean(word, [lower.as_str()])
                } else {
                    ".".to_owned()
                };
                NotUnderstood::new(format!("`{}`: {e}{meant}", cut(text)))
            })?),
        };
        let mut message = Message {
            action,
            repository,
            digest: None,
            commit: None,
            tag: None,
            request: None,
            id: None,
            by: None,
            reason: None,
        };
        if message.action == "hold" {
            let reason: Vec<&str> = words.by_ref().collect();
            message.reason = (!reason.is_empty()).then(|| reason.join(" "));
        }
        if let Some(word) = words.next() {
            if let Ok(request) = word.parse() {
                message.request = Some(request);
            } else if let Ok(digest) = word.parse() {
                message.digest = Some(digest);
            } else if let Ok(commit) = word.parse() {
                message.commit = Some(commit);
            } else {
                message.tag = Some(word.parse().map_err(|e| {
                    NotUnderstood::new(format!("`{}`: {e}, nor a digest or a commit", cut(text)))
                })?);
            }
        }
        if let Some(word) = words.next() {
            return Err(NotUnderstood::new(format!(
                "`{}`: the word `{}` was not expected",
                cut(text),
                cut(word)
            )));
        }
        message.into_command(sender)
    }
}

impl Message {
    fn into_command(self, sender: Sender<'_>) -> Result<Command, NotUnderstood> {
        let wrong = |problem: String| Err(NotUnderstood::new(problem));
        is_action(&self.action)?;
        if self.action == "board" {
            return wrong(match sender {
                Sender::Sns { .. } => {
                    "`board` is for direct invocations and for Slack: SNS answers nobody".to_owned()
                }
                Sender::Direct { .. } | Sender::Slack { .. } => {
                    "`board` is about all apps: it takes nothing else".to_owned()
                }
            });
        }
        let Some(repository) = self.repository else {
            return wrong(format!("the command `{}` names no repository", self.action));
        };
        let image = match (self.digest, self.commit, self.tag) {
            (None, None, None) => None,
            (Some(digest), None, None) => Some(ImageRef::Digest(digest)),
            (None, Some(commit), None) => Some(ImageRef::Commit(commit)),
            (None, None, Some(tag)) => Some(ImageRef::Tag(tag)),
            _ => {
                return wrong(
                    "the command names several of digest, commit and tag; one is enough".to_owned(),
                );
            }
        };
        if self.request.is_some()
            && (image.is_some() || !matches!(self.action.as_str(), "approve" | "reject"))
        {
            return wrong(format!(
                "`{}` takes no request, or names something else besides",
                cut(&self.action)
            ));
        }
        let choice = |image: Option<ImageRef>| match (self.request, image) {
            (Some(request), _) => Ok(Choice::Request(request)),
            (None, Some(image)) => Ok(Choice::Image(image)),
            (None, None) => Err(NotUnderstood::new(format!(
                "`{}` names no digest, commit or request: what was the candidate a moment ago may \
                 not be it any more",
                cut(&self.action)
            ))),
        };
        let act = match (self.action.as_str(), image) {
            ("promote", image) => Act::Promote(image),
            ("plan", image) => Act::Plan(image),
            ("rollback", image) => Act::Rollback(image),
            ("status", None) => Act::Status,
            ("history", None) => Act::History,
            ("cancel", None) => Act::Cancel,
            ("hold", None) => {
                Act::Hold(self.reason.as_deref().map_or("no reason was given".to_owned(), cut))
            }
            ("resume", None) => Act::Resume,
            ("reconcile", None) => Act::Reconcile,
            ("approve", image) => Act::Approve(choice(image)?),
            ("reject", image) => Act::Reject(choice(image)?),
            ("ask", None) => Act::Ask,
            (
                "ask" | "status" | "history" | "cancel" | "hold" | "resume" | "reconcile",
                Some(image),
            ) => {
                return wrong(format!("`{}` takes no {image}", self.action));
            }
            (other, _) => return wrong(format!("`{}` is no command", cut(other))),
        };
        if self.reason.is_some() && !matches!(act, Act::Hold(_)) {
            return wrong(format!("`{}` takes no reason", self.action));
        }
        let (via, channel, own_id, sent_at) = match sender {
            Sender::Sns { message_id, sent_at } => {
                (Via::Sns, "SNS", format!("sns#{message_id}"), Some(sent_at))
            }
            Sender::Direct { request_id } => {
                (Via::Direct, "a direct invocation", format!("request#{request_id}"), None)
            }
            Sender::Slack { trigger_id, origin, name } => {
                let id = format!("slack#{trigger_id}");
                return Ok(Command::from_slack(id, act, repository, origin, name));
            }
        };
        let id = match self.id.as_deref() {
            Some("") => return wrong("`id` is empty".to_owned()),
            Some(id) if id.len() > 200 => {
                return wrong("`id` is longer than 200 characters".to_owned());
            }
            Some(id) => format!("id#{id}"),
            None => own_id,
        };
        let by =
            self.by.as_deref().and_then(|name| claimed(name, &format!("claimed, by {channel}")));
        let by = by.unwrap_or_else(|| channel.to_owned());
        Ok(Command { id, act, repository, by, via, slack: None, sent_at, trace: None })
    }
}

/// `reconcile` without a repository: all apps, or those with open work.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reconcile {
    #[serde(rename = "action")]
    _action: String,
    #[serde(default)]
    only_open_work: bool,
}

pub(super) fn due(raw: &Value) -> Result<super::Event, NotUnderstood> {
    let Reconcile { only_open_work, .. } = read(raw)?;
    Ok(super::Event::Due { only_open_work })
}

/// `board`: about all apps, so it names none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Board {
    #[serde(rename = "action")]
    _action: String,
    #[serde(default, deserialize_with = "not_null")]
    by: Option<String>,
}

pub(super) fn board(raw: &Value) -> Result<super::Event, NotUnderstood> {
    let Board { by, .. } = read(raw)?;
    Ok(super::Event::Board { by: by.map(|name| cut(name.trim())).filter(|name| !name.is_empty()) })
}
