//! The image that must run in the stage before for longer, until it may come here.

use jiff::SignedDuration;
use maud::{Markup, html};

use super::sight::{Part, Sight};
use crate::model::config::policy::Mode;
use crate::model::config::stage::After;
use crate::model::promotion::Promotion;
use crate::model::soaking::Soaking;
use crate::page::board::running;
use crate::page::commits::{Named, in_full};
use crate::page::condition;
use crate::page::moment::{at, long, since, time};
use crate::page::symbol::{Symbol, Tone};

/// The card of the image that soaks, if there is one.
pub(super) fn part(sight: &Sight<'_>) -> Option<Part> {
    let after = sight.app.config.after.as_ref()?;
    let soaking = soaks(sight)?;
    let now = sight.viewer.now;
    let commit = soaking.commit.as_ref();
    let note = sight.stages.iter().find_map(|row| row.note_of(&soaking.digest));
    let image = Named::new(commit, Some(&soaking.digest), "", note);
    let is_over = soaking.until <= now;
    let verb = if soaking.is_baking { "bakes" } else { "soaks" };
    let words = html! {
        @if is_over { "has soaked in " (after.app) }
        @else { (verb) " in " (after.app) " until " (at(soaking.until, now)) }
    };
    let beside = html! {
        @if is_over { "the next look comes within five minutes" }
        @else { "in " (time(soaking.until, &long(soaking.until.duration_since(now)))) }
    };
    Some(Part {
        tone: Tone::Move,
        symbol: Symbol::Time.draw(),
        glance: ("Next", html! { (image.chip()) " " (words) }),
        heading: (html! { "Next: " (words) }, beside),
        card: html! {
            div class="card" {
                (image.title())
                p class="meta" { (image.by_line()) ". " (runs_there(sight, after, soaking)) }
                p class="meta" { (then(sight, after, soaking)) }
                (in_full(commit, None, Some(&soaking.digest), &[]))
            }
        },
    })
}

/// What soaks now, else what soaked at the last look. What runs here or is on its way does not
/// count.
fn soaks<'a>(sight: &'a Sight<'_>) -> Option<&'a Soaking> {
    let state = sight.state();
    let soaking = match &sight.seen.stage {
        Some(Ok(stage)) => stage.soaking.as_ref(),
        Some(Err(_)) => None,
        None => state.and_then(|state| condition::soaks(sight.app, state)),
    };
    let soaking = soaking.filter(|soaking| running(sight.seen) != Some(&soaking.digest))?;
    let verifying = state.iter().flat_map(|state| &state.verifying).map(|it| &it.promotion);
    let mut on_its_way = state.iter().flat_map(|state| &state.open).chain(verifying);
    let is_it = |own: &Promotion| own.digest == soaking.digest;
    (!on_its_way.any(is_it)).then_some(soaking)
}

/// Since when it runs in the stage before, where that is known.
fn runs_there(sight: &Sight<'_>, after: &After, soaking: &Soaking) -> Markup {
    let earlier = sight.stages.iter().find(|row| row.name == after.app);
    let running = earlier.and_then(|row| row.state()?.running.as_ref());
    let running = running.filter(|running| running.digest.as_ref() == Some(&soaking.digest));
    html! {
        "Runs in " a href=(sight.viewer.app(&after.app)) { (after.app) }
        @if let Some(from) = running.and_then(|running| running.since) {
            " " (since(from, sight.viewer.now))
        }
        "."
    }
}

/// What it waits for, and what happens then.
fn then(sight: &Sight<'_>, after: &After, soaking: &Soaking) -> Markup {
    let is_held = sight.state().is_some_and(|state| state.hold.is_some());
    html! {
        @if soaking.is_baking {
            "Alarms are watched there until " (at(soaking.until, sight.viewer.now)) "."
        } @else {
            "It may come here after " (long(SignedDuration::from_mins(after.soak_minutes.into())))
            " there, unless it fails, an alarm goes off or somebody rolls it back."
        }
        @match (sight.app.config.mode, is_held) {
            (Mode::Approval, _) => " Then people are asked.",
            (Mode::Auto, false) => " Then it is promoted by itself.",
            (Mode::Auto, true) => " Then people are asked, since the app is held.",
        }
    }
}
