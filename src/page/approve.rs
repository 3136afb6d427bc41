//! The page of an approval link: what would go to production, and the form that decides.

use maud::{Markup, html};

use super::{image, page, prose, time};
use crate::function_url::Response;
use crate::model::approval::{ApprovalRequest, Progress};
use crate::model::config::App;
use crate::text::plain;

/// What a link lets its bearer do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Approve or reject.
    Decide,
    /// Only look: the decision needs an identity that a link cannot prove.
    Look,
}

/// The form's field that carries the decision.
pub const DECISION: &str = "decision";
/// The form's field for the name. It is stored as claimed.
pub const NAME: &str = "name";
/// The value of [`DECISION`] that approves.
pub const APPROVE: &str = "approve";
/// The value of [`DECISION`] that rejects.
pub const REJECT: &str = "reject";

/// The page of a request. `said` is the result of a decision that was just made.
pub fn request(
    status: u16,
    app: &App,
    request: &ApprovalRequest,
    right: Right,
    said: Option<&str>,
) -> Response {
    let title = format!("{}: {}", app.repository, name(request));
    let content = html! {
        h1 { "Promote " (app.repository) "?" }
        @if let Some(said) = said {
            section role="status" { p { strong { (prose(said)) } } }
        }
        section aria-labelledby="what" {
            h2 id="what" { (name(request)) " " (state(request)) }
            (facts(app, request))
        }
        @if !request.changes.is_empty() {
            section aria-labelledby="changes" {
                h2 id="changes" { "What it would change in the stack" }
                ul { @for change in &request.changes { li { (plain(change, 300)) } } }
            }
        }
        section aria-labelledby="decision" {
            h2 id="decision" { "Decision" }
            (decision(app, request, right))
        }
    };
    page(status, &title, None, &content)
}

/// The page of a request that the app has replaced and no longer remembers.
pub fn gone(status: u16, app: &App) -> Response {
    let title = format!("{}: superseded", app.repository);
    let words = "A newer image took its place, or the request ended long ago, so this link was \
                 superseded. The message about the newer image has its own link.";
    super::notice(status, &title, words)
}

fn name(request: &ApprovalRequest) -> String {
    image(request.commit.as_ref(), &request.digest)
}

fn state(request: &ApprovalRequest) -> Markup {
    let (class, words) = match &request.progress {
        Progress::Pending => ("wait", "waits for approval"),
        Progress::Rejected => ("stop", "rejected"),
        Progress::Approved => ("go", "approved"),
        Progress::Waiting(_) => ("wait", "approved, waiting"),
        Progress::Deploying => ("go", "on its way"),
        Progress::Verifying(_) => ("go", "on its way in ECS"),
        Progress::Baking(_) => ("go", "in production, baking"),
        Progress::Deployed(_) => ("go", "in production"),
        Progress::Failed(_) => ("stop", "failed"),
        Progress::Cancelled(_) => ("stop", "cancelled"),
        Progress::Superseded => ("wait", "superseded"),
        Progress::Expired => ("wait", "expired"),
    };
    html! { span class={ "state " (class) } { (words) } }
}

fn facts(app: &App, request: &ApprovalRequest) -> Markup {
    let compare = app.compare_url(request.running_commit.as_ref(), request.commit.as_ref());
    html! {
        dl {
            dt { "App" } dd { (app.repository) }
            dt { "Commit" }
            dd {
                @match &request.commit {
                    Some(commit) => code { (commit) },
                    None => "The image does not say which commit it was built from.",
                }
                @if let Some(url) = compare {
                    " (" a href=(url) rel="noreferrer" { "compare with what runs" } ")"
                }
            }
            dt { "Digest" } dd { code { (request.digest) } }
            dt { "Runs now" }
            dd {
                code { (plain(request.running_tag.as_deref().unwrap_or("unknown"), 300)) }
                @if let Some(since) = request.running_since { " since " (time(since)) }
            }
            dt { "Stack" } dd { (app.config.stack) " (" (app.config.parameter) ")" }
            dt { "Asked" } dd { (time(request.at)) ", because " (prose(&request.why)) }
            @if request.progress == Progress::Pending {
                dt { "Open until" } dd { (time(request.expires_at)) }
            }
        }
    }
}

fn decision(app: &App, request: &ApprovalRequest, right: Right) -> Markup {
    let decided = |words: &str| html! { p { (prose(words)) } };
    match (&request.progress, right) {
        (Progress::Pending, Right::Decide) => form(),
        (Progress::Pending, Right::Look) => {
            let need = request.policy(app.policy()).required;
            let people = if need > 1 {
                format!("{need} people decide")
            } else {
                "the app's approvers decide".to_owned()
            };
            decided(&format!(
                "This link cannot decide, it only shows the request: {people} in Slack, which \
                 knows who they are."
            ))
        }
        (Progress::Rejected, _) => {
            decided(&format!("Rejected by {}. Nothing was promoted.", request.who(false)))
        }
        (Progress::Approved, _) => {
            decided(&format!("Approved by {}. The deployment starts now.", request.who(true)))
        }
        (Progress::Waiting(reason), _) => {
            decided(&format!("Approved by {}. It is waiting: {reason}.", request.who(true)))
        }
        (Progress::Deploying, _) => {
            decided(&format!("{}CloudFormation is updating the stack.", by(request)))
        }
        (Progress::Verifying(how) | Progress::Baking(how), _) => {
            decided(&format!("{}{how}.", by(request)))
        }
        (Progress::Deployed(_), _) => decided(&format!("{}It is in production.", by(request))),
        (Progress::Failed(reason), _) => {
            decided(&format!("{}It did not reach production: {reason}", by(request)))
        }
        (Progress::Cancelled(reason), _) => decided(&format!("{}{reason}.", by(request))),
        (Progress::Superseded, _) => decided(
            "It was superseded: a newer image took its place. The message about the newer image \
             has its own link.",
        ),
        (Progress::Expired, _) => {
            decided("It expired, because nobody decided in time. Approval can be requested again.")
        }
    }
}

fn form() -> Markup {
    html! {
        form method="post" {
            // The Enter key presses the form's first button. Typing a name must not approve.
            button type="submit" disabled hidden { "Nothing" }
            label for="name" { "Your name" }
            input type="text" id="name" name=(NAME) maxlength="80"
                autocomplete="name" required aria-describedby="claimed";
            p id="claimed" class="hint" {
                "Stored and shown as “claimed”: a link cannot prove who you are."
            }
            div class="acts" {
                button type="submit" class="go" name=(DECISION) value=(APPROVE) { "Approve" }
                button type="submit" class="stop" name=(DECISION) value=(REJECT) { "Reject" }
            }
        }
    }
}

fn by(request: &ApprovalRequest) -> String {
    let who = request.who(true);
    if who.is_empty() { String::new() } else { format!("Approved by {who}. ") }
}
