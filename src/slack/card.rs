//! The message about a request. There is one for each request, and it is updated until the request
//! ends. People approve what they read there; the buttons carry only the request's id. Sentences
//! from outside are `plain_text` and identifiers are code, as `escape` explains.
//! <https://docs.slack.dev/block-kit/>

use jiff::Timestamp;
use serde_json::{Value, json};

use super::escape::{code, escape};
use super::interaction::Button;
use crate::model::approval::{ApprovalRequest, Progress, Vote};
use crate::model::config::App;
use crate::notification::{after, image_name};
use crate::text::plain;

/// The longest sentence. A section takes 3,000 characters, and CloudFormation's reasons can be very
/// long.
const SENTENCE: usize = 500;
/// The longest list, after escaping. Its block takes 3,000 characters.
const LIST: usize = 1_400;
/// The longest name. A header takes 150 characters, and the state must fit after the name.
const NAME: usize = 80;

/// The message's `text`, for notifications and screen readers, and its `blocks`.
pub fn card(app: &App, request: &ApprovalRequest) -> (String, Value) {
    let headline = headline(app, request);
    let mut blocks =
        vec![json!({ "type": "header", "text": plain_text(&headline, 150) }), facts(app, request)];
    if !request.changes.is_empty() {
        blocks.push(changes(request));
    }
    blocks
        .push(json!({ "type": "section", "text": plain_text(&standing(app, request), SENTENCE) }));
    let votes = votes(app, request);
    if !votes.is_empty() {
        blocks.push(json!({
            "type": "context",
            "elements": [{ "type": "mrkdwn", "text": votes, "verbatim": true }],
        }));
    }
    let buttons = buttons(app, request);
    if !buttons.is_empty() {
        blocks.push(json!({ "type": "actions", "elements": buttons }));
    }
    (escape(&headline, SENTENCE), Value::Array(blocks))
}

fn headline(app: &App, request: &ApprovalRequest) -> String {
    let name = plain(app.repository.as_str(), NAME);
    let what = image_name(request.commit.as_ref(), Some(&request.digest)).unwrap_or_default();
    match &request.progress {
        Progress::Pending => format!("{name}: {what} waits for approval"),
        Progress::Rejected => format!("{name}: {what} was rejected"),
        Progress::Approved => format!("{name}: {what} was approved"),
        Progress::Waiting(_) => format!("{name}: {what} was approved and is waiting"),
        Progress::Deploying => format!("{name}: {what} is on its way to production"),
        Progress::Verifying(_) => format!("{name}: {what} is on its way in ECS"),
        Progress::Baking(_) => format!("{name}: {what} is in production and bakes"),
        Progress::Deployed(took) => {
            format!("{name}: {what} is in production{}", took.map(after).unwrap_or_default())
        }
        Progress::Failed(_) => format!("{name}: {what} did not reach production"),
        Progress::Cancelled(_) => format!("{name}: the promotion of {what} was cancelled"),
        Progress::Superseded => format!("{name}: {what} was superseded"),
        Progress::Expired => format!("{name}: nobody decided on {what} in time"),
    }
}

fn facts(app: &App, request: &ApprovalRequest) -> Value {
    let mut fields = Vec::new();
    let mut fact = |label: &str, value: String| {
        fields.push(
            json!({ "type": "mrkdwn", "text": format!("*{label}*\n{value}"), "verbatim": true }),
        )
    };
    let commit = match &request.commit {
        None => "unknown: build with `--label org.opencontainers.image.revision=<commit>`"
            .replace('<', "&lt;")
            .replace('>', "&gt;"),
        Some(commit) => code(commit.as_str(), 40),
    };
    // An address that was cut off would lead somewhere else.
    let compare = app
        .compare_url(request.running_commit.as_ref(), request.commit.as_ref())
        .map(|url| escape(&url, url.len()))
        .filter(|url| url.len() <= LIST);
    fact("Commit", compare.map_or(commit.clone(), |url| format!("{commit} (<{url}|compare>)")));
    fact("Digest", code(request.digest.as_str(), 80));
    let since = request.running_since.map(|at| format!(" since {}", when(at))).unwrap_or_default();
    let before = if request.progress == Progress::Pending { "Runs now" } else { "Ran before" };
    fact(
        before,
        format!("{}{since}", code(request.running_tag.as_deref().unwrap_or("unknown"), 130)),
    );
    fact(
        "Stack",
        format!("{} ({})", code(&app.config.stack, 200), code(&app.config.parameter, 255)),
    );
    if request.progress == Progress::Pending {
        fact("Can be approved until", when(request.expires_at));
    }
    json!({ "type": "section", "fields": fields })
}

fn changes(request: &ApprovalRequest) -> Value {
    let lines = request.changes.iter().map(|change| format!("• {}", escape(change, 150)));
    let text = format!("What it would change in the stack:\n{}", fitting(lines, "\n", 2 * LIST));
    json!({ "type": "section", "text": { "type": "plain_text", "text": text, "emoji": false } })
}

/// Joins as many items as fit, and says how many more there are. `plan` and `status` list them all.
fn fitting(items: impl Iterator<Item = String>, between: &str, most: usize) -> String {
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

fn buttons(app: &App, request: &ApprovalRequest) -> Vec<Value> {
    let name = plain(app.repository.as_str(), NAME);
    match &request.progress {
        Progress::Pending => vec![
            button(request, Button::Approve, "Approve", Some("primary"), None),
            button(
                request,
                Button::Reject,
                "Reject",
                Some("danger"),
                Some((
                    "Reject it?",
                    format!("{name} stays as it is, and nobody is asked about this image again."),
                    "Reject",
                )),
            ),
        ],
        Progress::Expired => vec![button(request, Button::AskAgain, "Ask again", None, None)],
        Progress::Deployed(_) | Progress::Baking(_) => {
            let what = format!(
                "{name} goes back to the previous image, and pushes ask for approval until \
                 somebody resumes."
            );
            vec![button(
                request,
                Button::RollBack,
                "Roll back",
                Some("danger"),
                Some(("Roll back?", what, "Roll back")),
            )]
        }
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

fn button(
    request: &ApprovalRequest,
    button: Button,
    label: &str,
    style: Option<&str>,
    confirm: Option<(&str, String, &str)>,
) -> Value {
    let mut json = json!({
        "type": "button",
        "action_id": button.action_id(),
        "text": plain_text(label, 75),
        "value": request.id,
    });
    if let Some(style) = style {
        json["style"] = style.into();
    }
    if let Some((title, text, yes)) = confirm {
        json["confirm"] = json!({
            "title": plain_text(title, 100),
            "text": plain_text(&text, 300),
            "confirm": plain_text(yes, 30),
            "deny": plain_text("Not now", 30),
            "style": "danger",
        });
    }
    json
}

fn plain_text(text: &str, most: usize) -> Value {
    json!({ "type": "plain_text", "text": escape(text, most), "emoji": false })
}

/// A time, which Slack shows in each reader's own time zone.
fn when(at: Timestamp) -> String {
    format!("<!date^{}^{{date_short_pretty}} {{time}}|{at}>", at.as_second())
}

#[cfg(test)]
mod tests;
