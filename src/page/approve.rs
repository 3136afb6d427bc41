//! The page of an approval link: what would go to production and the form that decides, and after
//! that how the promotion comes along.

mod after;
mod asked;

use jiff::Timestamp;
use maud::{Markup, html};

use super::commits::{heading, notes};
use super::frame::{Frame, Place};
use super::moment::{ago, at, since};
use super::notice::{WayOn, notice};
use super::symbol::{Symbol, Tone};
use super::words::{LONG, SHORT, prose};
use crate::function_url::Response;
use crate::model::approval::Progress;
use crate::model::config::App;
use crate::text::plain;

pub use asked::{Asked, Right, STILL};

/// The form's field that carries the decision.
pub const DECISION: &str = "decision";
/// The form's field for the name. It is stored as claimed.
pub const NAME: &str = "name";
/// The value of [`DECISION`] that approves.
pub const APPROVE: &str = "approve";
/// The value of [`DECISION`] that rejects.
pub const REJECT: &str = "reject";
/// How many commits are shown at once.
const SHOWN: usize = 4;

/// The page of a request. `said` is the result of a decision that was just made.
pub fn request(status: u16, asked: &Asked<'_>, said: Option<&str>) -> Response {
    if asked.request.progress == Progress::Pending {
        pending(status, asked, said)
    } else {
        after::page(status, asked, said)
    }
}

/// The page of a request that the app has replaced and no longer remembers.
pub fn gone(status: u16, place: &Place, now: Timestamp, app: &App) -> Response {
    let title = format!("{}: superseded", app.name);
    let words = "A newer image took its place, or the request ended long ago, so this link was \
                 superseded. The message about the newer image has its own link.";
    notice(status, place, now, (&title, words), WayOn::TryAgain)
}

fn pending(status: u16, asked: &Asked<'_>, said: Option<&str>) -> Response {
    let Asked { app, request, place, now, .. } = asked;
    let image = asked.named();
    let policy = request.policy(app.policy());
    let have = request.approvers(&policy).len();
    let content = html! {
        div class="head" {
            div {
                p class="tag ask" {
                    (Symbol::Ask.draw())
                    span {
                        "Waits for approval"
                        @if policy.required > 1 { ", " (have) " of " (policy.required) }
                        ", asked " (ago(request.at, *now))
                    }
                }
                h1 { "Put " (app.name) " " (image.words()) " into production?" }
                p class="meta" { (what_it_is(asked)) }
            }
        }
        @if let Some(said) = said {
            div class="box bad" role="status" { p { b { (prose(said, LONG)) } } }
        }
        (what_changes(asked))
        @match asked.right {
            Right::Decide => (form()),
            Right::Look => (only_look(policy.required)),
        }
        (good_to_know(asked))
    };
    let title = format!("Approve {} {}?", app.name, image.words());
    Frame { worst: Some(Tone::Ask), ..Frame::slim(place, *now) }.page(status, &title, &content)
}

/// How many commits on top of what.
fn what_it_is(asked: &Asked<'_>) -> Markup {
    let Asked { request, now, .. } = asked;
    let runs = asked.runs();
    html! {
        @match asked.notes.filter(|notes| notes.count() > 0) {
            Some(notes) => (heading(notes, runs.as_ref())),
            None => @if let Some(runs) = &runs { "Takes the place of " (runs.chip()) },
        }
        @if let Some(from) = request.running_since { ", which runs " (since(from, *now)) }
        ". Asked because " (prose(&request.why, LONG)) "."
    }
}

fn what_changes(asked: &Asked<'_>) -> Markup {
    let Asked { request, now, .. } = asked;
    let (image, compare) = (asked.named(), asked.compare());
    let its = asked.notes.filter(|notes| !notes.commits.is_empty());
    html! {
        section class="card" aria-labelledby="what" {
            h2 id="what" { "What changes" }
            @match its {
                Some(its) => (notes(its, SHOWN, compare.as_deref(), *now)),
                None => {
                    (image.title())
                    p class="meta" { (image.by_line()) }
                }
            }
            @if !request.changes.is_empty() {
                h3 { "In the stack" }
                ul { @for change in &request.changes { li { (plain(change, SHORT)) } } }
            }
        }
    }
}

fn form() -> Markup {
    html! {
        form class="card" method="post" {
            // The Enter key presses the form's first button. Typing a name must not approve.
            button type="submit" disabled hidden { "Nothing" }
            label for="name" { "Your name" }
            input type="text" id="name" name=(NAME) maxlength="80"
                autocomplete="name" required aria-describedby="claimed";
            p id="claimed" class="meta" {
                "Stored and shown as “claimed”: a link cannot prove who you are."
            }
            div class="acts" {
                button type="submit" class="go" name=(DECISION) value=(APPROVE) { "Approve" }
                button type="submit" name=(DECISION) value=(REJECT) { "Reject" }
            }
        }
    }
}

fn only_look(required: u32) -> Markup {
    let people = if required > 1 {
        format!("{required} people decide")
    } else {
        "the app's approvers decide".to_owned()
    };
    html! {
        section class="card" aria-labelledby="look" {
            h2 id="look" { "Who decides" }
            p class="meta" {
                "This link cannot decide, it only shows the request: " (people)
                " in Slack, which knows who they are."
            }
        }
    }
}

fn good_to_know(asked: &Asked<'_>) -> Markup {
    let Asked { request, now, .. } = asked;
    let (compare, ci) = (asked.compare(), asked.ci());
    html! {
        section class="card" aria-labelledby="know" {
            h2 id="know" { "Good to know" }
            ul class="facts" {
                @if asked.right == Right::Decide {
                    li class="move" {
                        (Symbol::Move.draw()) span { "Approve deploys at once." }
                    }
                }
                li class="move" {
                    (Symbol::Time.draw())
                    span {
                        "Open until " (at(request.expires_at, *now))
                        ". A newer image closes it earlier."
                    }
                }
            }
            @if compare.is_some() || ci.is_some() {
                p class="foot" {
                    @if let Some(url) = compare {
                        a href=(url) rel="noreferrer" { "Compare with what runs" }
                    }
                    @if let Some(ci) = ci { " " (ci) }
                }
            }
            (asked.in_full())
        }
    }
}
