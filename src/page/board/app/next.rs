//! The candidate: the newest image, if it neither runs nor is on its way.

use maud::{Markup, html};

use super::before::traced;
use super::sight::{Part, Sight, acts};
use crate::model::Digest;
use crate::model::approval::{ApprovalRequest, Progress, Vote};
use crate::model::promotion::End;
use crate::page::board::verb::Verb;
use crate::page::board::{commit_of, named, objection, running};
use crate::page::commits::{Named, heading, in_full, notes};
use crate::page::condition;
use crate::page::moment::{ago, at};
use crate::page::symbol::{Symbol, Tone};
use crate::page::words::{LONG, SHORT, prose};
use crate::text::plain;

/// How many commits are shown at once.
const SHOWN: usize = 8;

/// The card of the candidate, if there is one.
pub(super) fn part(sight: &Sight<'_>) -> Option<Part> {
    let seen = sight.seen;
    let digest = seen.newest.as_ref().filter(|newest| running(seen) != Some(newest))?;
    let state = seen.state.as_ref();
    let is_on_its_way =
        state.is_some_and(|state| state.open.iter().any(|open| open.digest == *digest));
    let has_failed = state
        .and_then(|state| state.recent.last())
        .is_some_and(|last| last.end == End::Failed && last.digest == *digest);
    let request =
        state.and_then(|state| state.request.as_ref()).filter(|request| request.digest == *digest);
    let is_pending = request.is_some_and(|request| request.progress == Progress::Pending);
    if is_on_its_way || has_failed && !is_pending {
        return None;
    }
    let image = named(sight.app, seen, digest);
    let (tone, words) = standing(sight, request, digest);
    let symbol = if tone == Tone::Ask { Symbol::Ask } else { Symbol::None };
    Some(Part {
        tone,
        symbol: symbol.draw(),
        glance: ("Next", html! { (image.chip()) " " (prose(&words, SHORT)) }),
        heading: (html! { "Next: " (prose(&words, LONG)) }, times(sight, request)),
        card: card(sight, request, digest, &image),
    })
}

/// What the candidate waits for.
fn standing(
    sight: &Sight<'_>,
    request: Option<&ApprovalRequest>,
    digest: &Digest,
) -> (Tone, String) {
    let state = sight.state();
    let is_it = |other: Option<&Digest>| other == Some(digest);
    match request.map(|request| (&request.progress, request)) {
        Some((Progress::Pending, request)) => {
            let policy = request.policy(sight.app.policy());
            let words = match policy.required {
                ..=1 => "waits for approval".to_owned(),
                need => {
                    format!("waits for approval, {} of {need}", request.approvers(&policy).len())
                }
            };
            (Tone::Ask, words)
        }
        Some((Progress::Expired, _)) => (Tone::Ask, "nobody decided in time".to_owned()),
        Some((Progress::Rejected, request)) => {
            (Tone::None, format!("rejected by {}", request.who(false)))
        }
        Some((Progress::Approved | Progress::Waiting(_), request)) => {
            (Tone::Ask, format!("approved by {}, waits for its turn", request.who(true)))
        }
        Some(_) | None if is_it(state.and_then(|state| state.passed_over.as_ref())) => {
            (Tone::None, "passed over, since a person cancelled it or went back".to_owned())
        }
        Some(_) | None if is_it(state.and_then(|state| state.first_seen.as_ref())) => {
            (Tone::None, "was there before the first look, so only a person promotes it".to_owned())
        }
        Some(_) | None => (Tone::None, "the newest image".to_owned()),
    }
}

fn times(sight: &Sight<'_>, request: Option<&ApprovalRequest>) -> Markup {
    let now = sight.viewer.now;
    html! {
        @if let Some(request) = request {
            "asked " (ago(request.at, now))
            @if request.progress == Progress::Pending {
                ", open until " (at(request.expires_at, now))
            }
        }
    }
}

fn card(
    sight: &Sight<'_>,
    request: Option<&ApprovalRequest>,
    digest: &Digest,
    image: &Named,
) -> Markup {
    let Sight { app, seen, .. } = sight;
    let commit = commit_of(app, seen, digest);
    let tag = request.and_then(|request| request.tag.as_ref()).map(|tag| tag.as_str());
    let asked = request.filter(|request| request.progress == Progress::Pending);
    html! {
        div class="card" {
            (image.title())
            p class="meta" {
                (image.by_line())
                @if let Some(ci) = sight.ci(digest) { " · " (ci) }
                @if let Some(request) = asked { ". Asked because " (prose(&request.why, LONG)) }
            }
            (what_changes(sight, commit.as_ref()))
            @if let Some(request) = request {
                @if !request.changes.is_empty() {
                    h3 { "What it would change in the stack" }
                    ul { @for change in &request.changes { li { (plain(change, SHORT)) } } }
                }
                (votes(sight, request))
            }
            (links(sight, request.map(|request| &request.progress), digest, image))
            (in_full(commit.as_ref(), tag, Some(digest), &[]))
        }
    }
}

/// The commits that it brings, and where to compare them.
fn what_changes(sight: &Sight<'_>, commit: Option<&crate::model::Commit>) -> Markup {
    let Sight { app, seen, .. } = sight;
    let running = seen.state.as_ref().and_then(|state| state.running.as_ref());
    let compare = app.compare_url(running.and_then(|running| running.commit.as_ref()), commit);
    let runs = seen.state.as_ref().and_then(condition::runs);
    let link = html! {
        @if let Some(url) = &compare { a href=(url) rel="noreferrer" { "compare with what runs" } }
    };
    html! {
        @match sight.notes.filter(|notes| !notes.commits.is_empty()) {
            Some(its) => {
                h3 {
                    (heading(its, runs.as_ref()))
                    @if compare.is_some() { " · " (link) }
                }
                (notes(its, SHOWN, compare.as_deref(), sight.viewer.now))
            }
            None => @if compare.is_some() { p class="meta" { (link) } },
        }
    }
}

/// Who voted, and how many more are needed.
fn votes(sight: &Sight<'_>, request: &ApprovalRequest) -> Markup {
    let policy = request.policy(sight.app.policy());
    let have = request.approvers(&policy).len();
    let missing = (policy.required as usize).saturating_sub(have);
    let is_pending = request.progress == Progress::Pending;
    if request.votes.is_empty() && policy.required <= 1 {
        return html! {};
    }
    html! {
        h3 { "Approvals" }
        ul class="votes" {
            @for vote in &request.votes { (one_vote(sight, vote)) }
            @if is_pending && missing > 0 {
                li class="none" {
                    (Symbol::None.draw()) span { (missing) " more" }
                }
            }
        }
    }
}

fn one_vote(sight: &Sight<'_>, vote: &Vote) -> Markup {
    let (tone, symbol, words) = if vote.approves {
        (Tone::Ok, Symbol::Ok, "approved")
    } else {
        (Tone::Bad, Symbol::Bad, "rejected")
    };
    html! {
        li class=(tone.class()) {
            (symbol.draw())
            span { (prose(&vote.by, LONG)) " " (words) (traced(vote)) }
            (ago(vote.at, sight.viewer.now))
        }
    }
}

fn links(sight: &Sight<'_>, progress: Option<&Progress>, digest: &Digest, image: &Named) -> Markup {
    let Sight { rights, .. } = sight;
    let is_asked = progress == Some(&Progress::Pending);
    let decide = |verb, words, class| match is_asked {
        true => sight.act(verb, Some(digest), words, class),
        false => html! {},
    };
    let promote = format!("Promote {}", image.words());
    let links = [
        decide(Verb::Approve, "Approve", "btn go"),
        decide(Verb::Reject, "Reject", "btn"),
        sight.act(Verb::Promote, Some(digest), &promote, "btn"),
    ];
    html! {
        @if rights.no_commands.is_none() && is_asked {
            @if let Some(words) = &rights.no_decisions {
                (objection(&format!("You cannot approve or reject: {words}.")))
            }
        }
        @if progress == Some(&Progress::Expired) {
            (sight.acts_with_button(&links, Verb::AskAgain, Some(digest)))
        } @else { (acts(&links)) }
    }
}
