//! What is on its way, what has failed, and what blocks the app.

use maud::{Markup, html};

use super::sight::{Part, Sight, acts};
use crate::model::answer::Outcome;
use crate::model::promotion::{End, Ended, Promotion};
use crate::model::stack::{Phase, StackEvents};
use crate::model::state::{State, Waiting};
use crate::page::board::named;
use crate::page::board::verb::Verb;
use crate::page::commits::{Named, in_full};
use crate::page::moment::{ago, at, since};
use crate::page::steps::{Reached, of_promotion, progress, steps};
use crate::page::symbol::{Symbol, Tone};
use crate::page::words::{LONG, count, prose};

/// The cards, the latest step first.
pub(super) fn parts(sight: &Sight<'_>) -> Vec<Part> {
    let Some(state) = sight.state() else { return trouble_and_others(sight, None) };
    let open = state.open.iter().rev().map(|open| under_way(sight, state, open));
    let failed = failed(sight, state);
    let blocked = state.waiting.as_ref().filter(|_| state.open.is_empty());
    let blocked = blocked.map(|waiting| waits(sight, waiting));
    let mut parts: Vec<Part> = open.chain(verifying(sight, state)).collect();
    parts.extend(failed);
    parts.extend(blocked);
    parts.extend(trouble_and_others(sight, Some(state)));
    parts
}

/// The card of a promotion that has not ended.
fn under_way(sight: &Sight<'_>, state: &State, open: &Promotion) -> Part {
    let now = sight.viewer.now;
    let is_sent = open.sent_at.is_some() || open.accepted_at.is_some();
    let waiting = state.waiting.as_ref();
    let is_blocked = waiting.is_some_and(|waiting| waiting.outcome == Outcome::Blocked);
    let word = match (&open.cancelled_by, &open.rolls_back) {
        (Some(_), _) => "is being cancelled",
        (None, Some(_)) if is_sent => "rolling back",
        (None, None) if is_sent => "updating",
        (None, _) if is_blocked => "blocked",
        (None, _) => "not sent yet",
    };
    let reached = if is_sent {
        let bar = progress(sight.seen.stack.as_ref(), sight.seen.events.as_ref());
        Reached::Stack(open.sent_at, bar)
    } else {
        Reached::Waits(waiting.map(|waiting| waiting.reason.as_str()))
    };
    let cancel = format!("Cancel {}", named(sight.app, sight.seen, &open.digest).words());
    let links = acts(&[sight.act(Verb::Cancel, None, &cancel, "btn"), sight.roll_back()]);
    let card = card(sight, open, &reached, &links);
    let tone = if is_blocked && !is_sent { Tone::Bad } else { Tone::Move };
    let symbol = match (is_sent, tone) {
        (true, _) => Symbol::Move.spin(),
        (false, Tone::Bad) => Symbol::Stop.draw(),
        (false, _) => Symbol::Queue.draw(),
    };
    let from = open.sent_at.unwrap_or(open.at);
    part(sight, (tone, symbol), ("On its way", open), word, (since(from, now), card))
}

/// The card of the promotion that ECS is asked about.
fn verifying(sight: &Sight<'_>, state: &State) -> Option<Part> {
    let verifying = state.verifying.as_ref()?;
    let own = &verifying.promotion;
    let word = match verifying.tasks() {
        Some((done, all)) => format!("verifying, {done} of {all} tasks"),
        None => "verifying".to_owned(),
    };
    let card = card(sight, own, &Reached::Ecs(verifying), &acts(&[sight.roll_back()]));
    let from = own.sent_at.unwrap_or(own.at);
    let mark = (Tone::Move, Symbol::Move.spin());
    let times = since(from, sight.viewer.now);
    Some(part(sight, mark, ("On its way", own), &word, (times, card)))
}

/// The card of the last promotion, if it failed and nothing took its place.
fn failed(sight: &Sight<'_>, state: &State) -> Option<Part> {
    let last = state.recent.last().filter(|last| last.end == End::Failed)?;
    if !state.open.is_empty() || state.verifying.is_some() {
        return None;
    }
    let ended = sight
        .seen
        .history
        .iter()
        .flatten()
        .find(|ended| ended.end == End::Failed && ended.promotion.token == last.token)?;
    let Ended { promotion, reason, ended_at, .. } = ended;
    let is_named = state.running.as_ref().and_then(|running| running.digest.as_ref())
        == Some(&promotion.digest);
    let again = format!("Try {} again", named(sight.app, sight.seen, &promotion.digest).words());
    let is_newest = sight.seen.newest.as_ref() == Some(&promotion.digest);
    let links = if is_newest {
        acts(&[sight.act(Verb::Promote, Some(&promotion.digest), &again, "btn")])
    } else {
        html! {}
    };
    let links = html! {
        p class="meta" { "It is not tried again by itself. The next push asks as usual." }
        (links)
    };
    let reached = Reached::Failed(Some(*ended_at), reason, is_named);
    let card = card(sight, promotion, &reached, &links);
    let now = sight.viewer.now;
    let times = html! { (at(*ended_at, now)) ", " (ago(*ended_at, now)) };
    let mark = (Tone::Bad, Symbol::Bad.draw());
    Some(part(sight, mark, ("Failed", promotion), "failed", (times, card)))
}

fn part(
    sight: &Sight<'_>,
    (tone, symbol): (Tone, Markup),
    (name, own): (&'static str, &Promotion),
    word: &str,
    (times, card): (Markup, Markup),
) -> Part {
    let image = named(sight.app, sight.seen, &own.digest);
    let heading = match name {
        "Failed" => html! { "Failed: " (image.words()) },
        _ => html! { (name) ": " (word) },
    };
    Part {
        tone,
        symbol,
        glance: (name, html! { (image.chip()) " " (word) }),
        heading: (heading, times),
        card,
    }
}

/// The card of one promotion with its steps.
fn card(sight: &Sight<'_>, own: &Promotion, reached: &Reached<'_>, below: &Markup) -> Markup {
    let Sight { app, seen, viewer, .. } = sight;
    let image = named(app, seen, &own.digest);
    let previous = (own.previous_commit.as_ref(), own.previous_digest.as_ref());
    let previous = Named::new(previous.0, previous.1, &own.previous_tag, None);
    let notes = own.notes.as_ref().filter(|notes| notes.count() > 0);
    let compare = app.compare_url(own.previous_commit.as_ref(), own.commit.as_ref());
    html! {
        div class="card" {
            (image.title())
            p class="meta" {
                (image.by_line())
                @if let Some(notes) = notes {
                    @match notes.summary() {
                        Some(summary) => { ", " (summary) }
                        None => {
                            ", " (count(notes.count(), "commit")) " on top of "
                            (previous.words())
                        }
                    }
                } @else { ", after " (previous.words()) }
                @if let Some(url) = &compare {
                    " · " a href=(url) rel="noreferrer" { "compare" }
                }
                @if let Some(ci) = sight.ci(&own.digest) { " · " (ci) }
            }
            @if let Some(why) = &own.why { p class="meta" { (prose(why, LONG)) } }
            @if let Some(by) = &own.cancelled_by {
                p class="meta" { "Cancelled by " (prose(by, LONG)) "." }
            }
            div class="box" role="status" {
                (steps(&of_promotion(app, own, reached, viewer.now)))
            }
            (below)
            (in_full(own.commit.as_ref(), Some(own.tag.as_str()), Some(&own.digest), &[]))
        }
    }
}

/// The card of an app that waits for its stack, or for a person to mend it.
fn waits(sight: &Sight<'_>, waiting: &Waiting) -> Part {
    let is_blocked = waiting.outcome == Outcome::Blocked;
    let (name, tone, symbol, then) = if is_blocked {
        ("Blocked", Tone::Bad, Symbol::Stop, "It goes on once a person has mended this.")
    } else {
        ("Queued", Tone::Move, Symbol::Queue, "It goes on by itself.")
    };
    let words = if waiting.reason.is_empty() { "waits for the next look" } else { &waiting.reason };
    Part {
        tone,
        symbol: symbol.draw(),
        glance: (name, prose(words, LONG)),
        heading: (html! { (name) }, since(waiting.since, sight.viewer.now)),
        card: html! { div class="card" { p { (prose(words, LONG)) } p class="meta" { (then) } } },
    }
}

/// What keeps the app from being looked at, and what somebody else does to its stack.
fn trouble_and_others(sight: &Sight<'_>, state: Option<&State>) -> Vec<Part> {
    let seen = sight.seen;
    let bad = |words: Markup| Part {
        tone: Tone::Bad,
        symbol: Symbol::Error.draw(),
        glance: ("Trouble", words.clone()),
        heading: (html! { "Cannot be checked" }, html! {}),
        card: html! { div class="card" { p { (words) } } },
    };
    let trouble = state.and_then(|state| state.trouble.as_ref());
    let mut parts: Vec<Part> = trouble.map(|words| bad(prose(words, LONG))).into_iter().collect();
    let is_ours = state.is_some_and(|state| !state.open.is_empty());
    match &seen.stack {
        None => {
            let words = format!("The stack `{}` does not exist.", sight.app.config.stack);
            parts.push(bad(prose(&words, LONG)));
        }
        Some(stack) if stack.phase() == Phase::Busy && !is_ours => {
            let begun = seen.events.as_ref().and_then(StackEvents::under_way);
            let times = begun.map(|begun| since(begun.at, sight.viewer.now)).unwrap_or_default();
            let bar = progress(Some(stack), seen.events.as_ref()).unwrap_or_default();
            let words = "Somebody else started this operation.";
            parts.push(Part {
                tone: Tone::Move,
                symbol: Symbol::Move.spin(),
                glance: ("Stack", html! { "is being updated by somebody else" }),
                heading: (html! { "CloudFormation is updating the stack" }, times),
                card: html! { div class="card" { p { (words) } p role="status" { (bar) } } },
            });
        }
        Some(_) => {}
    }
    parts
}
