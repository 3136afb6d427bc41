//! The message about a request. There is one for each request, and it is updated until the request
//! ends. People approve what they read there; the buttons carry only the request's id and, for a
//! rollback, the image to go back to. Sentences from outside are `plain_text` and identifiers are
//! code, as `escape` explains.
//! <https://docs.slack.dev/block-kit/>

use jiff::Timestamp;
use serde_json::{Value, json};

use super::blocks::{
    Confirm, NAME, RollBack, ask_again, button, fitting, marked, mentions, plain_section,
    plain_text, roll_back, sections, when,
};
use super::escape::{code, escape};
use super::interaction::Button;
use crate::model::Commit;
use crate::model::approval::{ApprovalRequest, Progress, Vote};
use crate::model::config::App;
use crate::model::console::stack_page;
use crate::model::notes::{ChangeNotes, Direction};
use crate::notification::{after, capitalized, commit_line, image_name};
use crate::text::plain;

/// The longest sentence. A section takes 3,000 characters, and CloudFormation's reasons can be very
/// long.
const SENTENCE: usize = 500;
/// The longest list, after escaping. Its block takes 3,000 characters.
const LIST: usize = 1_400;
/// The longest header.
const HEADER: usize = 150;
/// The longest subject of a commit, so that 20 commits fit.
const SUBJECT: usize = 100;
/// The most sections of commits.
const SECTIONS: usize = 2;

/// The message's `text`, for notifications and screen readers, and its `blocks`. `environment` is
/// what people call the place.
pub fn card(app: &App, request: &ApprovalRequest, environment: &str) -> (String, Value) {
    let headline = headline(app, request, environment);
    let mut blocks = vec![json!({ "type": "header", "text": plain_text(&headline, HEADER) })];
    blocks.extend(notes(request));
    blocks.push(facts(app, request));
    if !request.changes.is_empty() {
        blocks.push(changes(request));
    }
    blocks
        .push(json!({ "type": "section", "text": plain_text(&standing(app, request), SENTENCE) }));
    blocks.extend(question(app, request));
    let votes = votes(app, request);
    if !votes.is_empty() {
        blocks.push(json!({ "type": "context", "elements": [marked(&votes)] }));
    }
    let buttons = buttons(app, request, environment);
    if !buttons.is_empty() {
        blocks.push(json!({ "type": "actions", "elements": buttons }));
    }
    blocks.push(identity(app, request));
    (escape(&headline, SENTENCE), Value::Array(blocks))
}

/// What and where. A long name is cut, so that the rest fits into a header.
fn headline(app: &App, request: &ApprovalRequest, environment: &str) -> String {
    let rest = format!(" → {environment}: {}", what_happens(request, environment));
    let room = HEADER.saturating_sub(rest.chars().count());
    format!("{}{rest}", plain(app.name.as_str(), room.min(NAME)))
}

fn name_of(request: &ApprovalRequest) -> String {
    image_name(request.commit.as_ref(), Some(&request.digest)).unwrap_or_default()
}

fn what_happens(request: &ApprovalRequest, environment: &str) -> String {
    let what = name_of(request);
    match &request.progress {
        Progress::Pending => format!("{what} waits for approval"),
        Progress::Rejected => format!("{what} was rejected"),
        Progress::Approved => format!("{what} was approved"),
        Progress::Waiting(_) => format!("{what} was approved and is waiting"),
        Progress::Deploying => format!("{what} is on its way to {environment}"),
        Progress::Verifying(_) => format!("{what} is on its way in ECS"),
        Progress::Baking(_) => format!("{what} is in {environment} and bakes"),
        Progress::Deployed(took) => {
            format!("{what} is in {environment}{}", took.map(after).unwrap_or_default())
        }
        Progress::Failed(_) => format!("{what} did not reach {environment}"),
        Progress::Cancelled(_) => format!("the promotion of {what} was cancelled"),
        Progress::Superseded => format!("{what} was superseded"),
        Progress::Expired => format!("nobody decided on {what} in time"),
    }
}

/// The commits, newest first, as people were shown them when they were asked.
fn notes(request: &ApprovalRequest) -> Vec<Value> {
    let own = request.note.clone().filter(|note| note.is_telling());
    let known =
        request.notes.clone().filter(|notes| notes.count() > 0 || notes.summary().is_some());
    let Some(notes) = known.or_else(|| Some(ChangeNotes::new([own?], Direction::Forward))) else {
        return Vec::new();
    };
    let mut lines: Vec<String> = notes
        .summary()
        .map(|words| format!("{}:", escape(&capitalized(&words), 300)))
        .into_iter()
        .collect();
    lines.extend(notes.commits.iter().map(|note| {
        let line = commit_line(note, note.at.map(day), SUBJECT);
        format!("• {}", escape(&line, 300))
    }));
    sections(lines, notes.more, SECTIONS)
}

/// A time for plain text, in which Slack reads no dates.
fn day(at: Timestamp) -> String {
    at.strftime("%-d %b %H:%M UTC").to_string()
}

/// What runs, and until when people can decide.
fn facts(app: &App, request: &ApprovalRequest) -> Value {
    let mut fields = Vec::new();
    let mut fact = |label: &str, value: String| fields.push(marked(&format!("*{label}*\n{value}")));
    let since = request.running_since.map(|at| format!(" since {}", when(at))).unwrap_or_default();
    let before = if request.progress == Progress::Pending { "Runs now" } else { "Ran before" };
    fact(
        before,
        format!("{}{since}", code(request.running_tag.as_deref().unwrap_or("unknown"), 130)),
    );
    // An address that was cut off would lead somewhere else.
    let compare = app
        .compare_url(request.running_commit.as_ref(), request.commit.as_ref())
        .map(|url| escape(&url, url.len()))
        .filter(|url| url.len() <= LIST);
    if let Some(url) = compare {
        fact("All changes", format!("<{url}|compare>"));
    }
    if request.commit.is_none() {
        let words = "unknown: build with `--label org.opencontainers.image.revision=<commit>`";
        fact("Commit", words.replace('<', "&lt;").replace('>', "&gt;"));
    }
    if request.progress == Progress::Pending {
        fact("Can be approved until", when(request.expires_at));
    }
    json!({ "type": "section", "fields": fields })
}

/// What exactly it is about: the names that machines use.
fn identity(app: &App, request: &ApprovalRequest) -> Value {
    let commit = request.commit.as_ref().map(|commit| code(commit.as_str(), 40));
    let tag = request.tag.as_ref().map(|tag| code(tag.as_str(), 130));
    let (stack, parameter) = (code(&app.config.stack, 200), code(&app.config.parameter, 255));
    let page = request.stack_id.as_deref().and_then(stack_page);
    let word =
        page.map_or("stack".to_owned(), |url| format!("<{}|stack>", escape(&url, url.len())));
    let ci = app.build_page(request.note.as_ref());
    let names = [
        commit,
        tag,
        Some(code(request.digest.as_str(), 80)),
        Some(format!("{word} {stack} ({parameter})")),
        ci.map(|url| format!("<{}|CI>", escape(url, url.len()))),
        Some("the board: `/promote board`".to_owned()),
    ];
    let names = names.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    json!({ "type": "context", "elements": [marked(&names)] })
}

fn changes(request: &ApprovalRequest) -> Value {
    let lines = request.changes.iter().map(|change| format!("• {}", escape(change, 150)));
    let lines = fitting(lines, "\n", 2 * LIST);
    plain_section(&format!("What it would change in the stack:\n{lines}"))
}

/// Mentions the approvers, once: when they are asked. An update of the message mentions nobody.
fn question(app: &App, request: &ApprovalRequest) -> Option<Value> {
    let is_new = request.progress == Progress::Pending && request.posted.is_none();
    let policy = request.policy(app.policy());
    let people = mentions(policy.approvers.iter().map(String::as_str), LIST);
    let text = marked(&format!("{people}: please approve or reject it."));
    (is_new && !people.is_empty()).then(|| json!({ "type": "section", "text": text }))
}

/// The state of the request, in a sentence.
fn standing(app: &App, request: &ApprovalRequest) -> String {
    let policy = request.policy(app.policy());
    let need = policy.required;
    match &request.progress {
        Progress::Pending if need > 1 => {
            format!(
                "Why: {}. {} of {need} people approved it.",
                request.why,
                request.approvers(&policy).len()
            )
        }
        Progress::Pending => format!("Why: {}.", request.why),
        Progress::Rejected => {
            "Nothing was promoted. A promote command still works for this image.".to_owned()
        }
        Progress::Approved => "The deployment starts now.".to_owned(),
        Progress::Waiting(reason)
        | Progress::Verifying(reason)
        | Progress::Baking(reason)
        | Progress::Failed(reason)
        | Progress::Cancelled(reason) => reason.clone(),
        Progress::Deploying => "CloudFormation is updating the stack.".to_owned(),
        Progress::Deployed(_) => "CloudFormation finished the update.".to_owned(),
        Progress::Superseded => "A newer image or a newer request took its place.".to_owned(),
        Progress::Expired => "Approval can be requested again.".to_owned(),
    }
}

fn votes(app: &App, request: &ApprovalRequest) -> String {
    let of = |approves: bool| {
        fitting(
            request.votes.iter().filter(|vote| vote.approves == approves).map(voter),
            ", ",
            LIST,
        )
    };
    let policy = request.policy(app.policy());
    let need = policy.required;
    let (yes, no) = (of(true), of(false));
    let mut lines = Vec::new();
    if !yes.is_empty() {
        let count = if need > 1 {
            format!(" ({} of {need})", request.approvers(&policy).len())
        } else {
            String::new()
        };
        lines.push(format!("Approved by {yes}{count}"));
    }
    if !no.is_empty() {
        lines.push(format!("Rejected by {no}"));
    }
    lines.extend(request.promoted_by.as_ref().map(|by| format!("Promoted by {}", code(by, 100))));
    lines.join(" · ")
}

/// A mention of a person whose identity Slack proved; the claimed name of anybody else.
fn voter(vote: &Vote) -> String {
    match &vote.user {
        Some(user) => format!("<@{user}>"),
        None => code(&vote.by, 100),
    }
}

fn buttons(app: &App, request: &ApprovalRequest, environment: &str) -> Vec<Value> {
    match &request.progress {
        Progress::Pending => vec![approve(app, request, environment), reject(app, request)],
        Progress::Expired => vec![ask_again(&request.id)],
        Progress::Deployed(_) | Progress::Baking(_) => vec![roll_back(&RollBack {
            app: app.name.as_str(),
            environment,
            request: &request.id,
            from: &name_of(request),
            to: request.way_back.as_ref(),
            to_commit: request.way_back_commit.as_ref(),
        })],
        Progress::Rejected
        | Progress::Approved
        | Progress::Waiting(_)
        | Progress::Deploying
        | Progress::Verifying(_)
        | Progress::Failed(_)
        | Progress::Cancelled(_)
        | Progress::Superseded => Vec::new(),
    }
}

fn approve(app: &App, request: &ApprovalRequest, environment: &str) -> Value {
    let name = plain(app.name.as_str(), NAME);
    let commit = request.running_commit.as_ref().map(Commit::short);
    let runs = commit.or(request.running_tag.as_deref()).unwrap_or("an unknown image");
    // Escaped, it may be five times as long.
    let runs = plain(runs, 30);
    let need = request.policy(app.policy()).required;
    let people = if need > 1 { format!(" {need} people must approve.") } else { String::new() };
    let confirm = Confirm {
        title: format!("Deploy {} to {environment}?", name_of(request)),
        text: format!("{name} runs {runs} now.{people}"),
        yes: "Approve",
        style: "primary",
    };
    button(Button::Approve, "Approve", Some("primary"), request.id.as_str(), Some(confirm))
}

fn reject(app: &App, request: &ApprovalRequest) -> Value {
    let name = plain(app.name.as_str(), NAME);
    let confirm = Confirm {
        title: format!("Reject {}?", name_of(request)),
        text: format!("{name} stays as it is, and nobody is asked about this image again."),
        yes: "Reject",
        style: "danger",
    };
    button(Button::Reject, "Reject", Some("danger"), request.id.as_str(), Some(confirm))
}

#[cfg(test)]
mod tests;
