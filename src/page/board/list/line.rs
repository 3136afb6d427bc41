//! One line of the list: an app by itself, or a stage of a group.

use maud::{Markup, html};

use crate::model::AppName;
use crate::model::stack::Phase;
use crate::page::board::Viewer;
use crate::page::board::row::Row;
use crate::page::commits::Named;
use crate::page::condition::{Condition, Kind};
use crate::page::moment::age;
use crate::page::words::{SHORT, prose};
use crate::text::plain;

/// What the other lines of a group mean for one of them.
#[derive(Clone, Copy, Default)]
pub(super) struct Among<'a> {
    /// What the group's name says of the app's name: hidden from the eye.
    pub(super) prefix: &'a str,
    /// The newest image of the group.
    pub(super) lead: Option<&'a Named>,
    /// The app that this one comes after, where that does not stand before it.
    pub(super) after: Option<&'a AppName>,
}

pub(super) fn line(
    viewer: &Viewer<'_>,
    row: &Row,
    condition: &Condition,
    among: Among<'_>,
) -> Markup {
    html! {
        li class={ "row " (condition.kind.tone().class()) } {
            (condition.kind.symbol().draw())
            div class="l1" {
                a class="name" href=(viewer.app(&row.name)) {
                    (shortened(&row.name, among.prefix))
                } " "
                span class="st" { (condition.draw(viewer.now)) }
            }
            " " div class="l2" {
                span class="what" {
                    @if let Some(after) = among.after {
                        "after " (shortened(after, among.prefix)) " · "
                    }
                    (what(condition, among.lead)) (progress(row))
                } " "
                @match condition.since {
                    Some(since) => (age(since, viewer.now)),
                    None if condition.kind == Kind::Unseen => span { "new" },
                    None => span {},
                }
            }
        }
    }
}

/// A name whose beginning is only read out, since the group's name shows it.
fn shortened(name: &AppName, prefix: &str) -> Markup {
    let rest = name.as_str().strip_prefix(prefix).filter(|_| !prefix.is_empty());
    html! {
        @match rest {
            Some(rest) => { span class="vh" { (prefix) } (rest) }
            None => (name),
        }
    }
}

/// What a person must know beside the word.
fn what(condition: &Condition, lead: Option<&Named>) -> Markup {
    let Condition { kind, reason, runs, next, .. } = condition;
    let reason = reason.as_deref().map(|reason| prose(reason, SHORT));
    match kind {
        Kind::Failed => html! {
            (at_rest(next.as_ref(), None, None)) ": " (reason.unwrap_or_default())
            @if let Some(runs) = runs.as_ref().filter(|runs| Some(*runs) != next.as_ref()) {
                ". " (runs.chip_beside(lead)) " still runs"
            }
        },
        Kind::Alarm => {
            html! { (reason.unwrap_or_default()) ". " (at_rest(runs.as_ref(), None, lead)) }
        }
        Kind::Blocked | Kind::Unusable | Kind::Elsewhere | Kind::Unseen => {
            html! { (reason.unwrap_or_default()) }
        }
        Kind::Waits
        | Kind::Expired
        | Kind::Updating
        | Kind::Verifying
        | Kind::Queued
        | Kind::Soaking => html! {
            @if let Some(runs) = runs {
                span class="wide" { (runs.chip_beside(lead)) @if next.is_none() { " ·" } " " }
            }
            @if next.is_some() { "→ " (at_rest(next.as_ref(), reason, lead)) }
            @else if let Some(reason) = reason { (reason) }
        },
        Kind::Baking | Kind::Running => at_rest(runs.as_ref(), reason, lead),
        Kind::Held => html! {
            @if let Some(reason) = reason { "“" (reason) "”" }
            @if let Some(runs) = runs { " · " (runs.chip_beside(lead)) " runs" }
            @if let Some(next) = next { ", " (next.chip_beside(lead)) " soaks" }
        },
        Kind::RolledBack => html! {
            @if let Some(runs) = runs {
                (runs.chip_beside(lead)) " runs again"
                @if reason.is_none() && let Some(subject) = runs.subject() { " · " (subject) }
            }
            @if let Some(reason) = reason { ". “" (reason) "”" }
        },
    }
}

/// A commit with its subject, and what else there is to say.
fn at_rest(image: Option<&Named>, reason: Option<Markup>, lead: Option<&Named>) -> Markup {
    html! {
        @if let Some(image) = image {
            (image.chip_beside(lead))
            @if let Some(subject) = image.subject() { " " (subject) }
        }
        @if let Some(reason) = reason { " · " (reason) }
    }
}

/// How far CloudFormation is.
fn progress(row: &Row) -> Markup {
    match &row.stack {
        None => html! {},
        Some(Err(trouble)) => html! { " · " (plain(trouble, SHORT)) },
        Some(Ok((None, _))) => html! { " · the stack does not exist" },
        Some(Ok((Some(stack), events))) => {
            let counts = events.progress().filter(|(begun, _)| *begun > 0);
            let is_busy = stack.phase() == Phase::Busy;
            html! {
                @if is_busy { " · CloudFormation" }
                @if let Some((begun, done)) = counts.filter(|_| is_busy) {
                    ", " (done) " of " (begun) " resources"
                }
            }
        }
    }
}
