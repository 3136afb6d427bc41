//! The page with the result of an act.

use maud::{Markup, html};

use super::Viewer;
use super::verb::Verb;
use crate::function_url::Response;
use crate::model::AppName;
use crate::model::answer::{Answer, Outcome};
use crate::page::commits::{Named, in_full};
use crate::page::frame::{Frame, Place, Width};
use crate::page::symbol::{Symbol, Tone};
use crate::page::words::{LONG, SHORT, prose, sentence};
use crate::text::plain;

/// The page of an act that has an answer.
pub fn result(
    viewer: &Viewer<'_>,
    place: &Place,
    status: u16,
    answer: &Answer,
    (repository, verb): (&AppName, Verb),
) -> Response {
    let (tone, symbol, words) = outcome(answer.outcome, verb);
    let image = answer.digest.as_ref().map(|digest| {
        let image = Named::new(answer.commit.as_ref(), Some(digest), "", None);
        let tag = answer.tag.as_ref().map(|tag| tag.as_str());
        (image, in_full(answer.commit.as_ref(), tag, Some(digest), &[]))
    });
    let about = image.as_ref().map(|(image, _)| format!(" {}", image.words())).unwrap_or_default();
    let title = format!("{repository}{about}: {words}");
    let content = html! {
        div class="head" {
            div role="status" {
                p class={ "tag " (tone.class()) } { (symbol.draw()) (sentence(words)) }
                h1 { (title) }
                p class="lead-in" { (prose(&sentence(&answer.reason), LONG)) }
            }
        }
        @if !answer.changes.is_empty() {
            section class="card" aria-labelledby="changes" {
                h2 id="changes" { "What it changes in the stack" }
                ul { @for change in &answer.changes { li { (plain(change, SHORT)) } } }
            }
        }
        @if let Some((_, full)) = &image { (full) }
        (way_on(viewer, repository))
    };
    let frame = Frame { worst: Some(tone), ..viewer.frame(place, Width::Slim) };
    frame.page(status, &title, &content)
}

/// The page of an act that was not done, or that nobody knows the result of yet.
pub fn unfinished(
    viewer: &Viewer<'_>,
    place: &Place,
    status: u16,
    (repository, verb): (&AppName, Verb),
    words: &str,
) -> Response {
    let title = format!("{repository}: {}", verb.label());
    let content = html! {
        div class="head" {
            div role="status" {
                h1 { (title) }
                p class="lead-in" { (prose(words, LONG)) }
            }
        }
        (way_on(viewer, repository))
    };
    viewer.frame(place, Width::Slim).page(status, &title, &content)
}

fn way_on(viewer: &Viewer<'_>, repository: &AppName) -> Markup {
    html! {
        p class="acts" {
            a class="btn" href=(viewer.app(repository)) { "Follow " (repository) }
            a class="btn" href=(viewer.list()) { "Board" }
        }
    }
}

/// An outcome in words. Who goes back reads *rolling back*, and not *promoted*.
fn outcome(outcome: Outcome, verb: Verb) -> (Tone, Symbol, &'static str) {
    match outcome {
        Outcome::Promoted if verb == Verb::RollBack => (Tone::Move, Symbol::Move, "rolling back"),
        Outcome::Promoted => (Tone::Move, Symbol::Move, "on its way"),
        Outcome::Deployed => (Tone::Ok, Symbol::Ok, "deployed"),
        Outcome::Failed => (Tone::Bad, Symbol::Bad, "failed"),
        Outcome::Queued => (Tone::Move, Symbol::Queue, "queued"),
        Outcome::ApprovalRequested => (Tone::Ask, Symbol::Ask, "waits for approval"),
        Outcome::Approved => (Tone::Ok, Symbol::Ok, "approved"),
        Outcome::Rejected => (Tone::None, Symbol::None, "rejected"),
        Outcome::Superseded => (Tone::Ask, Symbol::Ask, "superseded"),
        Outcome::Unchanged => (Tone::None, Symbol::None, "nothing to do"),
        Outcome::Held => (Tone::Held, Symbol::Held, "held"),
        Outcome::Blocked => (Tone::Bad, Symbol::Stop, "blocked"),
        Outcome::Expired => (Tone::Ask, Symbol::Ask, "expired"),
        Outcome::Ignored => (Tone::None, Symbol::None, "ignored"),
        Outcome::Refused => (Tone::Bad, Symbol::Stop, "refused"),
        Outcome::Resumed => (Tone::Ok, Symbol::Ok, "resumed"),
        Outcome::Cancelled if verb == Verb::RollBack => (Tone::Move, Symbol::Back, "rolling back"),
        Outcome::Cancelled => (Tone::None, Symbol::None, "cancelled"),
    }
}
