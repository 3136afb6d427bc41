//! Parses commands of people and scripts, in JSON or in words.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::NotUnderstood;
use crate::json::{self, Node};
use crate::model::command::{Act, Choice, Command, ImageRef, RollbackTo, SlackOrigin, Via};
use crate::model::{AppName, Commit, Digest, RequestId, Tag};
use crate::text::nearest::{did_you_mean, nearest};
use crate::text::{brief, claimed};

/// The action words, with which each command begins.
pub const ACTIONS: [&str; 16] = [
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
    "where",
    "check",
    "audit",
];

/// The version of the commands' JSON form. It changes only where an older sender's words would mean
/// something else.
pub const VERSION: u64 = 1;

/// The longest id that a sender may give a command, in bytes.
const LONGEST_ID: usize = 200;

/// Who delivered a command.
#[derive(Debug, Clone, Copy)]
pub enum Sender<'a> {
    /// SNS, at least once.
    Sns { message_id: &'a str, sent_at: Timestamp },
    /// A direct invocation, by anyone whom IAM allows it.
    Direct { request_id: &'a str },
    /// A person in Slack, with a name to show.
    Slack { trigger_id: &'a str, origin: &'a SlackOrigin, name: &'a str },
}

/// The JSON form. An unknown key is an error: a misspelt `commit` must not promote the newest.
/// So is a `null`: a script whose variable is unset must not promote the newest either.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    action: String,
    #[serde(default, deserialize_with = "not_null")]
    app: Option<AppName>,
    /// The older name of `app`.
    #[serde(default, deserialize_with = "not_null")]
    repository: Option<AppName>,
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
    /// The number of a promotion: `history` begins with the one before it.
    #[serde(default, deserialize_with = "not_null")]
    after: Option<u64>,
    /// The command that `plan` is about.
    #[serde(default, deserialize_with = "not_null")]
    of: Option<Planned>,
}

/// What can be planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Planned {
    Promote,
    Rollback,
}

/// Checks the first word of a command; the error says which one may have been meant.
fn is_action(word: &str) -> Result<(), NotUnderstood> {
    if ACTIONS.contains(&word) {
        return Ok(());
    }
    Err(NotUnderstood::new(format!(
        "`{}` is not a command{}",
        brief(word),
        did_you_mean(word, ACTIONS)
    )))
}

/// Reads a command, or says which key of it is wrong.
pub(super) fn read<T: DeserializeOwned>(raw: &Value) -> Result<T, NotUnderstood> {
    let raw = without_version(raw)?;
    json::read(&Node::from(&raw))
        .map_err(|mistake| NotUnderstood::new(format!("the command did not parse: {mistake}")))
}

/// Takes the version of the command's form out of a command. A version that this function does not
/// know may mean something else by the same words.
fn without_version(raw: &Value) -> Result<Value, NotUnderstood> {
    let mut raw = raw.clone();
    let Some(version) = raw.as_object_mut().and_then(|members| members.remove("version")) else {
        return Ok(raw);
    };
    if version.as_u64() == Some(VERSION) {
        return Ok(raw);
    }
    let version = brief(&version.to_string());
    let problem = format!(
        "the command has version {version}, and this function understands version {VERSION}. If \
         yours is higher, deploy a newer ecr-promoter; if it is lower, install a newer `promote`"
    );
    Err(NotUnderstood { is_refused: true, ..NotUnderstood::new(problem) })
}

pub(super) fn not_null<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    value: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// Reads what follows a slash command: `web` alone is `promote web`.
pub fn from_slash(text: &str, sender: Sender<'_>) -> Result<Command, NotUnderstood> {
    let first = text.split_whitespace().next().unwrap_or_default();
    if ACTIONS.contains(&first.to_ascii_lowercase().as_str()) {
        return from_words(text, sender);
    }
    from_words(&format!("promote {text}"), sender).map_err(|problem| {
        match nearest(first, ACTIONS) {
            Some(meant) => NotUnderstood::new(format!(
                "`{}` is not a command: did you mean `{meant}`?",
                brief(first)
            )),
            None => problem,
        }
    })
}

/// Reads the JSON form of a command.
pub(super) fn from_json(raw: &Value, sender: Sender<'_>) -> Result<Command, NotUnderstood> {
    read::<Message>(raw)?.into_command(sender)
}

/// Reads words such as `promote web 9fceb02`.
pub fn from_words(text: &str, sender: Sender<'_>) -> Result<Command, NotUnderstood> {
    let mut words = text.split_whitespace();
    let action = words
        .next()
        .ok_or_else(|| NotUnderstood::new("the message is empty"))?
        .to_ascii_lowercase();
    is_action(&action)?;
    let mut words = words.peekable();
    let of = (action == "plan" && words.peek() == Some(&"rollback")).then_some(Planned::Rollback);
    if of.is_some() {
        words.next();
    }
    let app = words.next().map(|word| app_name(word, text)).transpose()?;
    let mut message = Message { action, app, of, ..Message::default() };
    if message.action == "hold" {
        let reason: Vec<&str> = words.by_ref().collect();
        message.reason = (!reason.is_empty()).then(|| reason.join(" "));
    }
    if let Some(word) = words.next() {
        message.name_image(word, text)?;
    }
    if let Some(word) = words.next() {
        return Err(NotUnderstood::new(format!(
            "`{}`: the word `{}` was not expected",
            brief(text),
            brief(word)
        )));
    }
    message.into_command(sender)
}

/// Reads the word that names the app. An error suggests the word in lower case, if that is a name.
pub(super) fn app_name(word: &str, text: &str) -> Result<AppName, NotUnderstood> {
    word.parse().map_err(|error| {
        let lower = word.to_lowercase();
        let meant = if lower.parse::<AppName>().is_ok() {
            did_you_mean(word, [lower.as_str()])
        } else {
            ".".to_owned()
        };
        NotUnderstood::new(format!("`{}`: {error}{meant}", brief(text)))
    })
}

impl Message {
    /// Reads a word that names a request or an image.
    fn name_image(&mut self, word: &str, text: &str) -> Result<(), NotUnderstood> {
        if let Ok(request) = word.parse() {
            self.request = Some(request);
        } else if let Ok(digest) = word.parse() {
            self.digest = Some(digest);
        } else if let Ok(commit) = word.parse() {
            self.commit = Some(commit);
        } else {
            self.tag = Some(word.parse().map_err(|error| {
                let words = brief(text);
                NotUnderstood::new(format!("`{words}`: {error}, nor a digest or a commit"))
            })?);
        }
        Ok(())
    }

    fn into_command(self, sender: Sender<'_>) -> Result<Command, NotUnderstood> {
        is_action(&self.action)?;
        if matches!(self.action.as_str(), "board" | "where" | "check" | "audit") {
            return Err(is_no_app_command(&self.action, sender));
        }
        let names_repository = self.app.is_none();
        let app = match (&self.app, &self.repository) {
            (Some(app), Some(other)) if app != other => {
                let problem =
                    format!("`app` is `{app}` and `repository` is `{other}`; one is enough");
                return Err(NotUnderstood { is_refused: true, ..NotUnderstood::new(problem) });
            }
            (Some(app), _) | (None, Some(app)) => app.clone(),
            (None, None) => {
                let problem =
                    format!("the command `{}` names no app and no repository", self.action);
                return Err(NotUnderstood::new(problem));
            }
        };
        let act = self.act()?;
        if self.of.is_some() && self.action != "plan" {
            return Err(NotUnderstood::new(format!("`{}` takes no `of`", self.action)));
        }
        if self.after.is_some() && self.action != "history" {
            return Err(NotUnderstood::new(format!("`{}` takes no `after`", self.action)));
        }
        if self.reason.is_some() && !matches!(act, Act::Hold(_) | Act::Rollback(..)) {
            let problem = format!("`{}` takes no reason", self.action);
            return Err(NotUnderstood::new(problem));
        }
        Ok(Command { names_repository, ..self.sent_by(sender, act, app)? })
    }

    /// Reads the image, which is named in one of three ways.
    fn image(&self) -> Result<Option<ImageRef>, NotUnderstood> {
        Ok(match (&self.digest, &self.commit, &self.tag) {
            (None, None, None) => None,
            (Some(digest), None, None) => Some(ImageRef::Digest(digest.clone())),
            (None, Some(commit), None) => Some(ImageRef::Commit(commit.clone())),
            (None, None, Some(tag)) => Some(ImageRef::Tag(tag.clone())),
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
                let problem = "the command names several of digest, commit and tag; one is enough";
                return Err(NotUnderstood::new(problem));
            }
        })
    }

    /// Reads the action. Each action word takes what it needs and nothing else.
    fn act(&self) -> Result<Act, NotUnderstood> {
        let image = self.image()?;
        let action = self.action.as_str();
        if self.request.is_some() && !matches!(action, "approve" | "reject") {
            return Err(NotUnderstood::new(format!("`{}` takes no request", brief(action))));
        }
        if self.request.is_some() && image.is_some() {
            return Err(NotUnderstood::new(format!(
                "`{action}` names a request and an image; one is enough"
            )));
        }
        let alone = |act: Act| match &image {
            None => Ok(act),
            Some(image) => Err(NotUnderstood::new(format!("`{action}` takes no {image}"))),
        };
        match action {
            "promote" => Ok(Act::Promote(image)),
            "plan" if self.of == Some(Planned::Rollback) => Ok(Act::PlanRollback(image)),
            "plan" => Ok(Act::Plan(image)),
            "rollback" => {
                let to = image.map_or(RollbackTo::Previous, RollbackTo::Image);
                Ok(Act::Rollback(to, self.reason()))
            }
            "approve" => Ok(Act::Approve(self.choice(image)?)),
            "reject" => Ok(Act::Reject(self.choice(image)?)),
            "status" => alone(Act::Status),
            "history" => alone(Act::History(self.after)),
            "cancel" => alone(Act::Cancel),
            "hold" => {
                alone(Act::Hold(self.reason().unwrap_or_else(|| "no reason was given".to_owned())))
            }
            "resume" => alone(Act::Resume),
            "reconcile" => alone(Act::Reconcile),
            "ask" => alone(Act::Ask),
            other => Err(NotUnderstood::new(format!("`{}` is not a command", brief(other)))),
        }
    }

    /// Reads the reason, cut to one short line.
    fn reason(&self) -> Option<String> {
        let reason = self.reason.as_deref().map(|reason| brief(reason.trim()));
        reason.filter(|reason| !reason.is_empty())
    }

    /// Reads what to approve or reject.
    fn choice(&self, image: Option<ImageRef>) -> Result<Choice, NotUnderstood> {
        match (&self.request, image) {
            (Some(request), _) => Ok(Choice::Request(request.clone())),
            (None, Some(image)) => Ok(Choice::Image(image)),
            (None, None) => Err(NotUnderstood::new(format!(
                "`{}` names no digest, commit or request: the candidate may have changed since \
                 you looked",
                brief(&self.action)
            ))),
        }
    }

    /// Adds who sent it, and the id that makes it act once.
    fn sent_by(self, sender: Sender<'_>, act: Act, app: AppName) -> Result<Command, NotUnderstood> {
        let (via, channel, own_id, sent_at) = match sender {
            Sender::Sns { message_id, sent_at } => {
                (Via::Sns, "SNS", format!("sns#{message_id}"), Some(sent_at))
            }
            Sender::Direct { request_id } => {
                (Via::Direct, "a direct invocation", format!("request#{request_id}"), None)
            }
            Sender::Slack { trigger_id, origin, name } => {
                let id = format!("slack#{trigger_id}");
                return Ok(Command::from_slack(id, act, app, origin, name));
            }
        };
        let id = match self.id.as_deref() {
            Some("") => return Err(NotUnderstood::new("`id` is empty")),
            Some(id) if id.len() > LONGEST_ID => {
                let problem = format!("`id` is longer than {LONGEST_ID} characters");
                return Err(NotUnderstood::new(problem));
            }
            Some(id) => format!("id#{id}"),
            None => own_id,
        };
        let mark = format!("claimed, by {channel}");
        let by = self.by.as_deref().and_then(|name| claimed(name, &mark));
        let by = by.unwrap_or_else(|| channel.to_owned());
        Ok(Command { id, by, sent_at, ..Command::unsent(act, app, via) })
    }
}

/// Explains why `board` or `where` with an app is refused, and each report to whom it cannot be
/// answered.
fn is_no_app_command(action: &str, sender: Sender<'_>) -> NotUnderstood {
    let is_long = matches!(action, "check" | "audit");
    NotUnderstood::new(match sender {
        Sender::Sns { .. } | Sender::Slack { .. } if is_long => {
            format!(
                "`{action}` answers a direct invocation only: type `promote {action}` in a terminal"
            )
        }
        Sender::Sns { .. } => {
            format!(
                "`{action}` works with a direct invocation or in Slack only: SNS carries no answer"
            )
        }
        Sender::Direct { .. } | Sender::Slack { .. } => {
            format!("`{action}` is about all apps: it takes no app")
        }
    })
}
