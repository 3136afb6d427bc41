//! The messages about what happened that are no questions: a hold, a rollback, a promotion in mode
//! `auto`, and the bad ends of a request. A bad end is posted in the thread of the request's
//! message and to the channel too, and mentions who approved: an update of a message mentions
//! nobody.

use serde_json::{Value, json};

use super::blocks::{RollBack, ask_again, marked, mentions, plain_section, plain_text, roll_back};
use super::escape::escape;
use crate::model::answer::Outcome;
use crate::model::config::App;
use crate::model::notice::{Notice, Thread};
use crate::notification::{commit_line, headline, image_name, note_of};
use crate::text::plain;

/// The longest name, so that the outcome is not cut off.
const NAME: usize = 80;
/// The longest list of people.
const PEOPLE: usize = 1_400;
/// The longest subject of a commit.
const SUBJECT: usize = 100;

/// The body of `chat.postMessage`; `None` if nothing is to be posted: the app has no channel, or
/// the message of the request says it.
pub fn post(app: &App, notice: &Notice, environment: &str) -> Option<Value> {
    let channel = match (&notice.request, &notice.thread) {
        (None, _) => app.config.approval.slack_channel.as_ref()?,
        (Some(_), thread) => &thread.as_ref()?.channel,
    };
    let name = plain(app.name.as_str(), NAME);
    let headline =
        escape(&format!("{name} → {environment}: {}", headline(notice, environment)), 300);
    let note = note_of(notice).map(|note| escape(&commit_line(note, None, SUBJECT), 300));
    let lines = [Some(headline.clone()), note, Some(escape(&notice.reason, 400))];
    let text = lines.into_iter().flatten().filter(|line| !line.is_empty()).collect::<Vec<_>>();
    let mut blocks = vec![plain_section(&text.join("\n"))];
    let mut body = json!({ "channel": channel, "text": headline });
    let by = json!({
        "type": "context", "elements": [plain_text(&format!("by {}", notice.by), 300)],
    });
    match &notice.thread {
        Some(thread) if notice.request.is_some() => {
            body["thread_ts"] = json!(thread.ts);
            body["reply_broadcast"] = json!(true);
            blocks.extend(approvers(thread));
            blocks.push(by);
            blocks.extend(buttons(app, notice, thread, environment));
        }
        _ => blocks.push(by),
    }
    body["blocks"] = Value::Array(blocks);
    Some(body)
}

fn approvers(thread: &Thread) -> Option<Value> {
    let people = mentions(thread.approvers.iter().map(String::as_str), PEOPLE);
    let text = marked(&format!("{people} approved it."));
    (!people.is_empty()).then(|| json!({ "type": "section", "text": text }))
}

/// The buttons that make sense now: what runs can be rolled back, what does not can be asked for
/// again.
fn buttons(app: &App, notice: &Notice, thread: &Thread, environment: &str) -> Option<Value> {
    let request = notice.request.as_ref()?;
    let from = image_name(notice.commit.as_ref(), notice.digest.as_ref()).unwrap_or_default();
    let way = RollBack {
        app: app.name.as_str(),
        environment,
        request,
        from: &from,
        to: thread.way_back.as_ref(),
        to_commit: thread.way_back_commit.as_ref(),
    };
    let button = if notice.outcome == Outcome::Failed && thread.runs {
        roll_back(&way)
    } else if matches!(notice.outcome, Outcome::Failed | Outcome::Expired) {
        ask_again(request)
    } else {
        return None;
    };
    Some(json!({ "type": "actions", "elements": [button] }))
}

#[cfg(test)]
mod tests;
