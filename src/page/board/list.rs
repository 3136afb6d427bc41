//! The list of all apps: one row each, in the section of its state. Those that need somebody come
//! first.

use maud::{Markup, html};

use super::filter::{Filter, LONGEST_TEXT, STATE, TEXT};
use super::{STILL, Viewer, is_under_way};
use crate::function_url::Response;
use crate::model::AppName;
use crate::model::config::App;
use crate::model::stack::{Phase, Stack, StackEvents};
use crate::model::state::State;
use crate::page::commits::Named;
use crate::page::condition::{self, Condition, Group, Kind, worst};
use crate::page::frame::{Frame, Place, Width};
use crate::page::moment::age;
use crate::page::symbol::{Symbol, Tone};
use crate::page::words::{LONG, SHORT, count, name, prose};
use crate::text::plain;

mod empty;

/// One app of the list.
pub struct Row {
    /// Its name.
    pub repository: AppName,
    /// Its configuration, or why it cannot be used.
    pub app: Result<App, String>,
    /// What is remembered about it, or why that cannot be read.
    pub state: Result<Option<State>, String>,
    /// Its stack with its events, or why these cannot be read; `None` if nothing is under way.
    pub stack: Option<Result<(Option<Stack>, StackEvents), String>>,
}

impl Row {
    fn state(&self) -> Option<&State> {
        self.state.as_ref().ok()?.as_ref()
    }

    /// Everything that the row can be found by.
    fn searched(&self, condition: &Condition) -> String {
        let images = [&condition.runs, &condition.next].into_iter().flatten().map(Named::searched);
        let state = self.state();
        let running = state.and_then(|state| state.running.as_ref()).map(|it| it.by.clone());
        let request = state.and_then(|state| state.request.as_ref());
        let voters = request.into_iter().flat_map(|request| &request.votes);
        let open = state.into_iter().flat_map(|state| &state.open).map(|open| open.by.clone());
        let words = [self.repository.to_string(), condition.words.clone()].into_iter();
        let people = running.into_iter().chain(voters.map(|vote| vote.by.clone())).chain(open);
        let all = words.chain(condition.reason.clone()).chain(images).chain(people);
        all.map(|words| plain(&words, LONG)).collect::<Vec<_>>().join("\n")
    }
}

/// The page with all apps. `configure` is the Parameter Store name of the first app's
/// configuration, for those who have none yet.
pub fn list(
    viewer: &Viewer<'_>,
    place: &Place,
    filter: &Filter,
    rows: &[Row],
    configure: &str,
) -> Response {
    if rows.is_empty() {
        return empty::page(viewer, place, configure);
    }
    let judge = |row: &Row| {
        let app = row.app.as_ref().map_err(String::as_str);
        let state = row.state.as_ref().map(Option::as_ref).map_err(String::as_str);
        condition::of(app, state, viewer.now)
    };
    let all: Vec<(&Row, Condition)> = rows.iter().map(|row| (row, judge(row))).collect();
    let mut shown: Vec<&(&Row, Condition)> = all
        .iter()
        .filter(|(row, condition)| filter.takes(&row.searched(condition), condition.kind.group()))
        .collect();
    shown.sort_by(|(a, one), (b, other)| {
        (one.rank(), &a.repository).cmp(&(other.rank(), &b.repository))
    });
    let is_under_way = rows.iter().any(|row| row.state().is_some_and(is_under_way));
    let content = html! {
        (head(viewer, filter, &all, is_under_way))
        @if filter.is_set() { (found(viewer, filter, shown.len(), all.len())) }
        @else { (tally(viewer, &all)) }
        @for group in Group::ALL { (section(viewer, group, &shown)) }
    };
    let frame = Frame {
        worst: worst(shown.iter().map(|(_, condition)| condition)),
        refresh: viewer.refresh(is_under_way),
        ..viewer.frame(place, Width::Wide)
    };
    frame.page(200, &title(&shown), &content)
}

fn title(shown: &[&(&Row, Condition)]) -> String {
    let of = |group: Group| shown.iter().filter(|(_, its)| its.kind.group() == group).count();
    match (of(Group::Needs), of(Group::Moving)) {
        (0, 0) => "Nobody is needed".to_owned(),
        (0, moving) => format!("{moving} moving"),
        (1, _) => "1 needs somebody".to_owned(),
        (needs, _) => format!("{needs} need somebody"),
    }
}

fn head(
    viewer: &Viewer<'_>,
    filter: &Filter,
    all: &[(&Row, Condition)],
    is_under_way: bool,
) -> Markup {
    let (going, still) = (filter.query(false), filter.query(true));
    let own = viewer.list();
    html! {
        div class="head two" {
            div {
                h1 { "Board" }
                p class="meta" {
                    (count(all.len(), "app")) ". "
                    (viewer.pause(is_under_way, &format!("{own}{going}"), &format!("{own}{still}")))
                }
            }
            form class="filter" method="get" action=(own) {
                div {
                    label for="q" { "Find" span class="wide" { " an app, commit or person" } }
                    input type="search" id="q" name=(TEXT) maxlength=(LONGEST_TEXT)
                        autocomplete="off" spellcheck="false" value=(filter.text);
                }
                div {
                    label for="state" { "State" }
                    select id="state" name=(STATE) {
                        option value="" { "All" }
                        @for group in Group::ALL {
                            option value=(group.name()) selected[filter.group == Some(group)] {
                                (heading(group))
                            }
                        }
                    }
                }
                @if viewer.is_still { input type="hidden" name=(STILL) value=""; }
                button type="submit" { "Filter" }
            }
        }
    }
}

fn found(viewer: &Viewer<'_>, filter: &Filter, shown: usize, all: usize) -> Markup {
    let verb = if shown == 1 { "matches" } else { "match" };
    html! {
        p class="found" role="status" {
            span {
                (shown) " of " (count(all, "app")) " " (verb)
                @if !filter.text.is_empty() { " " b { "“" (plain(&filter.text, SHORT)) "”" } }
                @if let Some(group) = filter.group {
                    @if !filter.text.is_empty() { " in" } " " b { (heading(group)) }
                }
                "."
            }
            " " a href={ (viewer.list()) (Filter::default().query(viewer.is_still)) } { "Show all" }
        }
    }
}

fn tally(viewer: &Viewer<'_>, all: &[(&Row, Condition)]) -> Markup {
    let tiles = [
        (Group::Needs, Tone::Bad, Symbol::Error, "need somebody"),
        (Group::Moving, Tone::Move, Symbol::Move, "moving"),
        (Group::Held, Tone::Held, Symbol::Held, "held"),
        (Group::Fine, Tone::Ok, Symbol::Ok, "running fine"),
    ];
    let link = |group| {
        let filter = Filter { group: Some(group), ..Filter::default() };
        format!("{}{}", viewer.list(), filter.query(viewer.is_still))
    };
    html! {
        nav aria-label="By state" {
            ul class="tally" {
                @for (group, tone, symbol, words) in tiles {
                    @let number = all.iter().filter(|(_, its)| its.kind.group() == group).count();
                                        li class=(tone.class()) {
                        a href=(link(group)) {
                            b { (symbol.draw()) (number) } " "
                            @if number == 1 && group == Group::Needs { "needs somebody" }
                            @else { (words) }
                        }
                    }
                }
            }
        }
    }
}

fn heading(group: Group) -> &'static str {
    match group {
        Group::Needs => "Needs somebody",
        Group::Moving => "Moving by itself",
        Group::Held => "Held by a person",
        Group::Fine => "Running fine",
        Group::New => "Never looked at",
    }
}

fn section(viewer: &Viewer<'_>, group: Group, shown: &[&(&Row, Condition)]) -> Markup {
    let its: Vec<_> = shown.iter().filter(|(_, its)| its.kind.group() == group).collect();
    if its.is_empty() {
        return html! {};
    }
    html! {
        section class="sec" aria-labelledby=(group.name()) {
            h2 id=(group.name()) { (heading(group)) " " span class="n" { (its.len()) } }
            ul class=(if group == Group::Needs { "list hot" } else { "list" }) {
                @for (row, condition) in its { (line(viewer, row, condition)) }
            }
        }
    }
}

fn line(viewer: &Viewer<'_>, row: &Row, condition: &Condition) -> Markup {
    html! {
        li class={ "row " (condition.kind.tone().class()) } {
            (condition.kind.symbol().draw())
            div class="l1" {
                a class="name" href=(viewer.app(&row.repository)) { (row.repository) } " "
                span class="st" { (name(&condition.words)) }
            }
            " " div class="l2" {
                span class="what" { (what(condition)) (progress(row)) } " "
                @match condition.since {
                    Some(since) => (age(since, viewer.now)),
                    None if condition.kind == Kind::Unseen => span { "new" },
                    None => span {},
                }
            }
        }
    }
}

/// What a person must know beside the word.
fn what(condition: &Condition) -> Markup {
    let Condition { kind, reason, runs, next, .. } = condition;
    let reason = reason.as_deref().map(|reason| prose(reason, SHORT));
    match kind {
        Kind::Failed => html! {
            (at_rest(next.as_ref(), None)) ": " (reason.unwrap_or_default())
            @if let Some(runs) = runs.as_ref().filter(|runs| Some(*runs) != next.as_ref()) {
                ". " (runs.chip()) " still runs"
            }
        },
        Kind::Alarm => html! { (reason.unwrap_or_default()) ". " (at_rest(runs.as_ref(), None)) },
        Kind::Blocked | Kind::Unusable | Kind::Elsewhere | Kind::Unseen => {
            html! { (reason.unwrap_or_default()) }
        }
        Kind::Waits | Kind::Expired | Kind::Updating | Kind::Verifying | Kind::Queued => html! {
            @if let Some(runs) = runs {
                span class="wide" { (runs.chip()) @if next.is_none() { " ·" } " " }
            }
            @if next.is_some() { "→ " (at_rest(next.as_ref(), reason)) }
            @else if let Some(reason) = reason { (reason) }
        },
        Kind::Baking | Kind::Running => at_rest(runs.as_ref(), reason),
        Kind::Held => html! {
            @if let Some(reason) = reason { "“" (reason) "”" }
            @if let Some(runs) = runs { " · " (runs.chip()) " runs" }
        },
        Kind::RolledBack => html! {
            @if let Some(runs) = runs {
                (runs.chip()) " runs again"
                @if reason.is_none() && let Some(subject) = runs.subject() { " · " (subject) }
            }
            @if let Some(reason) = reason { ". “" (reason) "”" }
        },
    }
}

/// A commit with its subject, and what else there is to say.
fn at_rest(image: Option<&Named>, reason: Option<Markup>) -> Markup {
    html! {
        @if let Some(image) = image {
            (image.chip())
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
