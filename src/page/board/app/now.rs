//! What runs now.

use maud::{Markup, html};

use super::before::traced;
use super::sight::{Part, Sight};
use crate::model::ecs::known::{KnownService, KnownServices};
use crate::model::promotion::{End, Ended};
use crate::model::state::{Running, State};
use crate::page::board::verb::Verb;
use crate::page::commits::{Named, in_full};
use crate::page::condition;
use crate::page::moment::{at, since};
use crate::page::steps::{alarms, who_approved};
use crate::page::symbol::{Symbol, Tone};
use crate::page::words::{LONG, SHORT, prose};
use crate::text::plain;

/// The card of what runs.
pub(super) fn part(sight: &Sight<'_>) -> Part {
    let state = sight.state();
    let runs = state.and_then(condition::runs);
    let Some((state, runs)) = state.zip(runs) else { return unseen(sight) };
    let is_elsewhere = state.runs_elsewhere();
    let word = match (&state.bake, &state.verifying) {
        _ if is_elsewhere => "another image runs",
        (_, Some(_)) => "being replaced",
        (Some(_), None) => "running, and baking",
        (None, None) => "running",
    };
    let subject = runs.subject().unwrap_or_else(|| word.to_owned());
    Part {
        tone: if is_elsewhere { Tone::Bad } else { Tone::Ok },
        symbol: if is_elsewhere { Symbol::Error.draw() } else { Symbol::Ok.draw() },
        glance: ("Now", html! { (runs.chip()) " " (subject) }),
        heading: (html! { "Now: " (word) }, times(sight, state)),
        card: card(sight, state, &runs),
    }
}

fn times(sight: &Sight<'_>, state: &State) -> Markup {
    let running = state.running.as_ref().filter(|_| state.verifying.is_none());
    match running.and_then(|running| running.since) {
        Some(from) => since(from, sight.viewer.now),
        None => html! {},
    }
}

fn card(sight: &Sight<'_>, state: &State, runs: &Named) -> Markup {
    let running = state.running.as_ref().filter(|_| state.verifying.is_none());
    let previous = state.verifying.as_ref().map(|verifying| &verifying.promotion);
    let (commit, tag, digest) = match (running, previous) {
        (Some(Running { commit, tag, digest, .. }), _) => {
            (commit.as_ref(), Some(tag.as_str()), digest.as_ref())
        }
        (None, Some(own)) => (
            own.previous_commit.as_ref(),
            Some(own.previous_tag.as_str()),
            own.previous_digest.as_ref(),
        ),
        (None, None) => (None, None, None),
    };
    html! {
        div class="card now" {
            (runs.title())
            p class="meta" {
                (runs.by_line()) (promoted_by(sight, running))
                @if let Some(ci) = digest.and_then(|digest| sight.ci(digest)) { " · " (ci) }
            }
            (elsewhere(state))
            (bake(sight, state))
            (held(sight, state))
            (links(sight, state))
            (in_full(commit, tag, digest, &facts(sight)))
        }
    }
}

/// Who promoted it, and who approved that.
fn promoted_by(sight: &Sight<'_>, running: Option<&Running>) -> Markup {
    let Some(running) = running else {
        return html! { ". Tasks of it run until the new ones have taken over." };
    };
    let is_it = |ended: &&Ended| {
        ended.end == End::Deployed && Some(&ended.promotion.digest) == running.digest.as_ref()
    };
    let ended = sight.seen.history.iter().flatten().find(is_it);
    let approved = ended.and_then(|ended| who_approved(&ended.promotion.votes));
    html! {
        @match approved {
            Some(who) => {
                ", approved by " (prose(&who, LONG))
                @for vote in ended.iter().flat_map(|ended| &ended.promotion.votes) {
                    (traced(vote))
                }
            }
            None => @if !running.by.is_empty() { ", promoted by " (prose(&running.by, LONG)) },
        }
        "."
    }
}

/// The services that run another image than the stack names.
fn elsewhere(state: &State) -> Markup {
    if !state.runs_elsewhere() {
        return html! {};
    }
    let services = state.services.iter().flat_map(KnownServices::elsewhere);
    html! {
        div class="box bad" {
            p { b { "Another image runs. " } "This is what the stack names, but:" }
            ul class="facts" {
                @for service in services.map(KnownService::words) {
                    li { (Symbol::Error.draw()) span { (prose(&service, LONG)) } }
                }
            }
        }
    }
}

/// The alarms that are watched, and until when.
fn bake(sight: &Sight<'_>, state: &State) -> Markup {
    let Some(bake) = &state.bake else { return html! {} };
    html! {
        h3 { "Baking until " (at(bake.until, sight.viewer.now)) }
        @if bake.alarms.is_empty() {
            p class="meta" { "The alarms have not been read yet." }
        } @else { (alarms(bake)) }
    }
}

fn held(sight: &Sight<'_>, state: &State) -> Markup {
    let Some(hold) = &state.hold else { return html! {} };
    html! {
        div class="box held" {
            p class="st" { "Held by " (prose(&hold.by, LONG)) }
            p {
                (prose(&hold.reason, LONG)) " (" (since(hold.at, sight.viewer.now))
                "). Pushes ask for approval until somebody promotes the newest image or resumes."
            }
        }
    }
}

fn links(sight: &Sight<'_>, state: &State) -> Markup {
    let is_turned_away = state.passed_over.is_some();
    let hold = match &state.hold {
        None => sight.act(Verb::Hold, None, "Hold", "btn"),
        Some(_) => html! {},
    };
    let resume = match &state.hold {
        Some(_) => sight.act(Verb::Resume, None, "Resume", "btn"),
        None if is_turned_away => sight.act(Verb::Resume, None, "Resume", "btn"),
        None => html! {},
    };
    let is_at_rest = state.open.is_empty() && state.verifying.is_none();
    let back = if is_at_rest {
        sight.roll_back()
    } else {
        html! {}
    };
    sight.acts_with_button(&[back, hold, resume], Verb::Look, None)
}

/// The stack and the mode, for whoever wants to know everything.
fn facts<'f>(sight: &Sight<'_>) -> Vec<(&'f str, Markup)> {
    let config = &sight.app.config;
    let stack = sight.seen.stack.as_ref();
    let value = stack.and_then(|stack| stack.value(&config.parameter));
    let value = html! {
        (config.parameter) ": "
        @match value {
            Some(value) => code { (plain(value, SHORT)) },
            None => "the stack has no such parameter",
        }
    };
    let stack = html! {
        (plain(&config.stack, SHORT)) " "
        @match stack { Some(stack) => (plain(&stack.status, SHORT)), None => "does not exist" }
    };
    vec![("Stack", stack), ("Parameter", value), ("Mode", html! { (config.mode) })]
}

/// The card of an app that was not looked at yet.
fn unseen(sight: &Sight<'_>) -> Part {
    let config = &sight.app.config;
    let stack = sight.seen.stack.as_ref();
    let value = stack.and_then(|stack| stack.value(&config.parameter)).unwrap_or("unknown");
    let hold = match sight.state().and_then(|state| state.hold.as_ref()) {
        Some(_) => sight.act(Verb::Resume, None, "Resume", "btn"),
        None => sight.act(Verb::Hold, None, "Hold", "btn"),
    };
    let words = html! { "The stack names " code { (plain(value, SHORT)) } };
    Part {
        tone: Tone::None,
        symbol: Symbol::None.draw(),
        glance: ("Now", html! { (words) ", never looked at" }),
        heading: (html! { "Never looked at" }, html! {}),
        card: html! {
            div class="card" {
                p { (words) ". The first look comes within an hour." }
                @if let Some(state) = sight.state() { (held(sight, state)) }
                (sight.acts_with_button(&[hold], Verb::Look, None))
                (in_full(None, Some(value), None, &facts(sight)))
            }
        },
    }
}
