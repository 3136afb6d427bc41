//! A notice in the forms that SNS delivers: a mail for people, JSON for machines. Text from outside
//! (commits, names, CloudFormation's reasons) becomes one plain line of limited length. No I/O
//! here.

mod machine;
mod mail;
mod next_step;
mod page;
mod words;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::answer::Outcome;
use crate::model::config::App;
use crate::model::notice::Notice;
use crate::model::{AppName, Repository};
use crate::text::plain;

pub use page::Page;
pub(crate) use words::{after, capitalized, commit_line, headline, image_name, note_of};

/// A notice in the forms that SNS delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The app that it is about; `None` where no app is known.
    pub app: Option<AppName>,
    /// The app's repository.
    pub repository: Option<Repository>,
    /// The outcome that it tells.
    pub outcome: Outcome,
    /// The subject of the mail.
    pub subject: String,
    /// The text of the mail.
    pub text: String,
    /// The notice for machines.
    pub json: Value,
}

/// Writes a notice in all forms. `environment` is what people call the place.
pub fn message(app: &App, notice: &Notice, environment: &str, page: &Page) -> Message {
    Message {
        app: Some(app.name.clone()),
        repository: Some(app.repository.clone()),
        outcome: notice.outcome,
        subject: mail::subject(app, notice, environment),
        text: mail::text(app, notice, environment, page),
        json: machine::machine(app, notice),
    }
}

/// Answers whoever sent a command that was not understood. No app is known, so `app` and
/// `repository` are null.
pub fn answer_to_commander(reason: &str, at: Timestamp, environment: Option<&str>) -> Message {
    let place = environment.map(|name| format!("[{}] ", plain(name, 40))).unwrap_or_default();
    let headline = format!("{place}a command was not understood");
    let reason = plain(reason, words::REASON);
    let next_step = next_step::of_unknown_command().join("\n");
    let text = [headline.clone(), reason.clone(), next_step];
    Message {
        app: None,
        repository: None,
        outcome: Outcome::Refused,
        subject: mail::ascii(&headline, mail::SUBJECT),
        text: text.join("\n\n"),
        json: machine::of_no_app(Outcome::Refused, &reason, at),
    }
}

#[cfg(test)]
mod tests;
