//! The pieces of which messages are made, within Slack's limits.
//! <https://docs.slack.dev/reference/block-kit/blocks/>

use jiff::Timestamp;
use serde_json::{Value, json};

use super::escape::escape;
use super::interaction::Button;
use crate::model::{Commit, Digest, RequestId};
use crate::notification::image_name;
use crate::text::plain;

/// The longest text of a section, with room for the number of what is left out. Slack takes 3,000
/// characters.
const BLOCK: usize = 2_900;
/// The longest name in a dialogue.
pub(super) const NAME: usize = 80;

/// A text in which Slack reads no formatting.
pub(super) fn plain_text(text: &str, most: usize) -> Value {
    json!({ "type": "plain_text", "text": escape(text, most), "emoji": false })
}

/// A section of a text in which Slack reads no formatting; its lines are escaped already.
pub(super) fn plain_section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "plain_text", "text": text, "emoji": false } })
}

/// A text with formatting of our own.
pub(super) fn marked(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

/// A time, which Slack shows in each reader's own time zone.
pub(super) fn when(at: Timestamp) -> String {
    format!("<!date^{}^{{date_short_pretty}} {{time}}|{at}>", at.as_second())
}

/// Mentions people, by ids that Slack proved or the configuration lists.
pub(super) fn mentions<'a>(users: impl IntoIterator<Item = &'a str>, most: usize) -> String {
    fitting(users.into_iter().map(|user| format!("<@{user}>")), ", ", most)
}

/// Joins as many items as fit, and says how many more there are. `plan` and `status` list them all.
pub(super) fn fitting(items: impl Iterator<Item = String>, between: &str, most: usize) -> String {
    let mut items = items.peekable();
    let mut text = String::new();
    while let Some(item) = items.next_if(|item| text.len() + item.len() <= most) {
        if !text.is_empty() {
            text.push_str(between);
        }
        text.push_str(&item);
    }
    match items.count() {
        0 => text,
        more => format!("{text}{between}and {more} more"),
    }
}

/// Spreads escaped lines over at most so many sections. `more` lines are left out already.
pub(super) fn sections(lines: Vec<String>, more: usize, most: usize) -> Vec<Value> {
    let length = |text: &str| text.encode_utf16().count();
    let mut texts: Vec<String> = Vec::new();
    let mut lines = lines.into_iter().peekable();
    while let Some(line) = lines.next_if(|line| {
        texts.len() < most || texts.last().is_some_and(|text| length(text) + length(line) < BLOCK)
    }) {
        match texts.last_mut().filter(|text| length(text) + length(&line) < BLOCK) {
            Some(text) => *text += &format!("\n{line}"),
            None => texts.push(line),
        }
    }
    if let (Some(text), left @ 1..) = (texts.last_mut(), more + lines.count()) {
        *text += &format!("\nand {left} more");
    }
    texts.iter().map(|text| plain_section(text)).collect()
}

/// What a dialogue asks before a button acts.
pub(super) struct Confirm {
    pub(super) title: String,
    pub(super) text: String,
    pub(super) yes: &'static str,
    pub(super) style: &'static str,
}

/// A button.
pub(super) fn button(
    button: Button,
    label: &str,
    style: Option<&str>,
    value: &str,
    confirm: Option<Confirm>,
) -> Value {
    let mut json = json!({
        "type": "button",
        "action_id": button.action_id(),
        "text": plain_text(label, 75),
        "value": value,
    });
    if let Some(style) = style {
        json["style"] = style.into();
    }
    if let Some(Confirm { title, text, yes, style }) = confirm {
        json["confirm"] = json!({
            "title": plain_text(&title, 100),
            "text": plain_text(&text, 300),
            "confirm": plain_text(yes, 30),
            "deny": plain_text("Not now", 30),
            "style": style,
        });
    }
    json
}

/// The button that asks for approval again.
pub(super) fn ask_again(request: &RequestId) -> Value {
    button(Button::AskAgain, "Ask again", None, request.as_str(), None)
}

/// A rollback that a button offers.
pub(super) struct RollBack<'a> {
    pub(super) app: &'a str,
    pub(super) environment: &'a str,
    pub(super) request: &'a RequestId,
    pub(super) from: &'a str,
    pub(super) to: Option<&'a Digest>,
    pub(super) to_commit: Option<&'a Commit>,
}

/// The button that rolls back. It is bound to the image that its dialogue names.
pub(super) fn roll_back(way: &RollBack<'_>) -> Value {
    let (name, from) = (plain(way.app, NAME), way.from);
    let to = way.to.and_then(|digest| image_name(way.to_commit, Some(digest)));
    let goes = match &to {
        Some(to) => format!("goes back from {from} to {to}"),
        None => format!("goes back from {from} to the image before"),
    };
    let text = format!(
        "{name} {goes} in {}. From then on pushes ask for approval, until somebody resumes.",
        way.environment
    );
    let value = match way.to {
        Some(digest) => format!("{} {digest}", way.request),
        None => way.request.to_string(),
    };
    let confirm =
        Confirm { title: "Roll back?".to_owned(), text, yes: "Roll back", style: "danger" };
    button(Button::RollBack, "Roll back", Some("danger"), &value, Some(confirm))
}
