//! The other apps of the repository: which one comes before this one, and which ones after it.

use jiff::SignedDuration;
use maud::{Markup, html};

use super::sight::Sight;
use crate::model::config::stage::After;
use crate::model::{AppName, Repository};
use crate::page::board::row::Row;
use crate::page::board::stages::{Family, families};
use crate::page::frame::in_groups;
use crate::page::moment::long;
use crate::page::words::{LONG, SHORT, count, prose, sentence};
use crate::text::plain;

/// The stages of the repository with their states; nothing where apps stand side by side.
pub(super) fn nav(sight: &Sight<'_>) -> Markup {
    let Some(family) = family(sight).filter(Family::has_stages) else { return html! {} };
    let repository = family.repository.as_ref().map_or("", Repository::as_str);
    html! {
        nav aria-label={ "Stages of " (repository) } {
            ol class="stages" {
                @for row in &family.apps { (stage(sight, row, family.prefix())) }
            }
        }
    }
}

fn stage(sight: &Sight<'_>, row: &Row, prefix: &str) -> Markup {
    let is_own = row.name == sight.app.name;
    let now = sight.viewer.now;
    let condition = if is_own { sight.condition() } else { row.condition(now) };
    let rest = row.name.as_str().strip_prefix(prefix).unwrap_or(row.name.as_str());
    html! {
        li {
            a class=(condition.kind.tone().class()) href=(sight.viewer.app(&row.name))
                aria-current=[is_own.then_some("page")] {
                (condition.kind.symbol().draw())
                (rest) " " span class="dim" { (condition.draw(now)) }
            }
        }
    }
}

/// What the app comes after and what comes after it, and where its stack is.
pub(super) fn lines(sight: &Sight<'_>) -> Markup {
    let followers: Vec<&AppName> = sight
        .stages
        .iter()
        .filter(|row| row.after().is_some_and(|after| after.app == sight.app.name))
        .map(|row| &row.name)
        .collect();
    let verb = if followers.len() == 1 { " comes" } else { " come" };
    html! {
        @if let Some(after) = &sight.app.config.after {
            p class="meta" { (comes_after(sight, after)) }
        }
        @if !followers.is_empty() {
            p class="meta" { (links(sight, &followers)) (verb) " after it." }
        }
        (beside(sight))
        (target(sight))
    }
}

fn comes_after(sight: &Sight<'_>, after: &After) -> Markup {
    let first = match after.soak_minutes {
        0 => "an image must first be deployed there".to_owned(),
        minutes => {
            let soak = long(SignedDuration::from_mins(minutes.into()));
            format!("an image must first run there for {soak}")
        }
    };
    let problem = match &sight.seen.stage {
        Some(Ok(_)) => None,
        Some(Err(problem)) => Some(problem.as_str()),
        None => Some("what runs there could not be read just now"),
    };
    html! {
        "Comes after " a href=(sight.viewer.app(&after.app)) { (after.app) } ": " (first) "."
        @if let Some(problem) = problem { " " b { (prose(&sentence(problem), LONG)) "." } }
    }
}

/// The apps beside this one, where none comes after another.
fn beside(sight: &Sight<'_>) -> Markup {
    let Some(family) = family(sight).filter(|family| !family.has_stages()) else {
        return html! {};
    };
    let others = family.apps.iter().map(|row| &row.name).filter(|name| **name != sight.app.name);
    let others: Vec<&AppName> = others.collect();
    html! {
        p class="meta" {
            "One of " (count(family.apps.len(), "app")) " of the repository "
            (sight.app.repository) ", beside " (links(sight, &others)) "."
        }
    }
}

/// The stack with its account and region, where the configuration names them.
fn target(sight: &Sight<'_>) -> Markup {
    let Some(target) = &sight.app.config.target else { return html! {} };
    let (account, region) = (target.account(), target.region.as_deref());
    html! {
        @if account.is_some() || region.is_some() {
            p class="meta" {
                "Stack " (plain(&sight.app.config.stack, SHORT)) " in"
                @if let Some(account) = account {
                    " account " span class="num" { (in_groups(account)) }
                }
                @if account.is_some() && region.is_some() { "," }
                @if let Some(region) = region { " region " (plain(region, SHORT)) }
                "."
            }
        }
    }
}

fn family<'a>(sight: &'a Sight<'_>) -> Option<Family<'a>> {
    let is_own = |family: &Family<'_>| family.apps.len() > 1 && family.has(&sight.app.name);
    families(sight.stages).into_iter().find(is_own)
}

/// Links to these apps: `a, b and c`.
fn links(sight: &Sight<'_>, names: &[&AppName]) -> Markup {
    let last = names.len().saturating_sub(1);
    html! {
        @for (at, name) in names.iter().enumerate() {
            @if at > 0 { @if at == last { " and " } @else { ", " } }
            a href=(sight.viewer.app(name)) { (name) }
        }
    }
}
