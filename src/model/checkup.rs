//! A check of an app before it is needed: what was read about it, and what will not work, each with
//! its mend. Judged without I/O.

mod lifecycle;
mod people;
pub mod reach;
mod repository;
mod stack;
pub mod template;

use serde::Serialize;

use crate::model::bake::Alarm;
use crate::model::config::App;
use crate::model::image::TagMutability;
use crate::model::place::Place;
use crate::model::stack::Stack;
use crate::model::unread::Unread;
use crate::model::{AppName, Digest, Repository};
use template::Template;

/// A question for a check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckWanted {
    /// The app; `None` for all.
    pub app: Option<AppName>,
    /// The app with which the page before ended.
    pub after: Option<AppName>,
}

/// The result of the check of one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checkup {
    /// The app.
    pub app: AppName,
    /// Its repository; absent where its configuration cannot be used.
    pub repository: Option<Repository>,
    /// How many findings are problems.
    pub problems: usize,
    /// How many are warnings.
    pub warnings: usize,
    /// The findings, problems first.
    pub findings: Vec<Finding>,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its weight.
    pub level: Level,
    /// What it is about, in one word.
    pub about: &'static str,
    /// What was found.
    pub says: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

/// The weight of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A promotion, or what the configuration asks for, will not work.
    Problem,
    /// It may not work, or it works less well than it could.
    Warning,
    /// It is fine.
    Ok,
}

impl Finding {
    fn ok(about: &'static str, says: impl Into<String>) -> Self {
        Self { level: Level::Ok, about, says: says.into(), mend: None }
    }

    fn warning(about: &'static str, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { level: Level::Warning, about, says: says.into(), mend: Some(mend.into()) }
    }

    fn problem(about: &'static str, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { level: Level::Problem, about, says: says.into(), mend: Some(mend.into()) }
    }

    /// What a read that failed leaves unknown.
    fn unread(about: &'static str, what: &str, error: &Unread) -> Self {
        let says = format!("{what} cannot be checked: {}", error.words);
        let mend = if error.is_denied {
            "give the role that right; the template of this version does, unless a parameter of it \
             says otherwise"
        } else {
            "check again; if it stays so, the message says what to look at"
        };
        Self::warning(about, says, mend)
    }
}

/// A read of a check: a failed one ends nothing.
pub type Read<T> = Result<T, Unread>;

/// What was read about one app. `None`: the configuration does not ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The account and region of the function.
    pub home: Place,
    /// The stack; the inner `None`: there is none.
    pub stack: Read<Option<Stack>>,
    /// What the stack's template says.
    pub template: Option<Read<Template>>,
    /// The repository; the inner `None`: there is none.
    pub repository: Read<Option<TagMutability>>,
    /// The image that the source tag is on.
    pub newest: Option<Read<Option<Digest>>>,
    /// The repository's lifecycle policy, as JSON; the inner `None`: there is none.
    pub lifecycle: Read<Option<String>>,
    /// What the app before this one is: an error in words.
    pub earlier: Option<Read<Result<(), String>>>,
    /// How many ECS services of the stack run the repository.
    pub services: Option<Read<usize>>,
    /// The alarms that are named by the configuration and exist.
    pub alarms: Option<Read<Vec<Alarm>>>,
    /// The image that the running tag is on in the registry that the stack pulls from.
    pub replica: Option<Read<Option<Digest>>>,
    /// Whether notices have a topic.
    pub has_topic: bool,
    /// What Slack says.
    pub slack: Option<SlackFacts>,
    /// What links need.
    pub links: LinkFacts,
    /// What GitHub says of the token.
    pub git: Option<GitFacts>,
}

/// What Slack says about the bot and its channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlackFacts {
    /// The length of the signing secret; the inner `None`: there is none.
    pub signing_secret: Read<Option<usize>>,
    /// The answer to `auth.test`; the inner `None`: there is no bot token.
    pub bot: Read<Option<Bot>>,
    /// The answer about the channel, where the bot is known.
    pub channel: Option<Channel>,
}

/// The bot, as Slack knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bot {
    /// The scopes of its token, where Slack lists them.
    pub scopes: Option<Vec<String>>,
}

/// Slack's answer about a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Channel {
    /// The bot sees it.
    Seen {
        /// Whether the bot is a member.
        is_member: bool,
        /// Whether it is archived.
        is_archived: bool,
    },
    /// Slack refused the question, with this error code.
    Refused(String),
    /// Slack did not answer.
    Unknown(String),
}

/// What links need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkFacts {
    /// Whether there is a key; the error says why it cannot be used.
    pub key: Read<bool>,
    /// Whether the function knows its own address.
    pub address: Read<bool>,
}

/// What GitHub says of the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GitFacts {
    /// There is no token: change notes come from the candidates that were seen.
    NoToken,
    /// The token cannot be read.
    Unread(Unread),
    /// GitHub refused it, or did not answer.
    Refused(String),
    /// It reads the repository.
    Reads {
        /// Whether it can also write.
        can_write: bool,
    },
}

impl Checkup {
    /// Judges what was read about an app.
    pub fn of(app: &App, facts: &Facts) -> Self {
        let mut findings = vec![Finding::ok("configuration", format!("{} is valid", app.source))];
        findings.extend(stack::judge(app, facts));
        findings.extend(repository::judge(app, facts));
        findings.extend(reach::judge(app, facts));
        findings.extend(people::judge(app, facts));
        Self::with(&app.name, Some(app.repository.clone()), findings)
    }

    /// The check of an app whose configuration cannot be used.
    pub fn unusable(app: &AppName, error: &str) -> Self {
        let mend = "correct that parameter; nothing of this app works until then";
        Self::with(app, None, vec![Finding::problem("configuration", error, mend)])
    }

    fn with(app: &AppName, repository: Option<Repository>, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.level);
        let count = |level| findings.iter().filter(|finding| finding.level == level).count();
        Self {
            app: app.clone(),
            repository,
            problems: count(Level::Problem),
            warnings: count(Level::Warning),
            findings,
        }
    }
}

#[cfg(test)]
mod tests;
