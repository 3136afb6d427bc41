//! The list of all apps: one row each, in the section of its state. The apps of one repository are
//! a group, in the section of its worst app. Those that need somebody come first.

use maud::{Markup, html};

use super::filter::{Filter, LONGEST_TEXT, STATE, TEXT};
use super::row::Row;
use super::{STILL, Viewer, is_under_way};
use crate::function_url::Response;
use crate::page::condition::{Group, worst};
use crate::page::frame::{Frame, Place, Width};
use crate::page::symbol::{Symbol, Tone};
use crate::page::words::{SHORT, count};
use crate::text::plain;
use block::{Block, blocks};

mod block;
mod empty;
mod line;

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
    let all = blocks(rows, filter, viewer.now);
    let is_taken = |block: &&Block<'_>| block.apps.iter().any(|app| app.is_match);
    let shown: Vec<&Block<'_>> = all.iter().filter(is_taken).collect();
    let is_under_way = rows.iter().any(|row| row.state().is_some_and(is_under_way));
    let content = html! {
        (head(viewer, filter, rows.len(), is_under_way))
        @if filter.is_set() { (found(viewer, filter, &shown, rows.len())) }
        @else { (tally(viewer, &all)) }
        @for group in Group::ALL { (section(viewer, filter, group, &shown)) }
    };
    let conditions = shown.iter().flat_map(|block| &block.apps).map(|app| &app.condition);
    let frame = Frame {
        worst: worst(conditions),
        refresh: viewer.refresh(is_under_way),
        ..viewer.frame(place, Width::Wide)
    };
    frame.page(200, &title(&shown), &content)
}

fn title(shown: &[&Block<'_>]) -> String {
    let of = |group: Group| shown.iter().map(|block| block.count(group)).sum::<usize>();
    match (of(Group::Needs), of(Group::Moving)) {
        (0, 0) => "Nobody is needed".to_owned(),
        (0, moving) => format!("{moving} moving"),
        (1, _) => "1 needs somebody".to_owned(),
        (needs, _) => format!("{needs} need somebody"),
    }
}

fn head(viewer: &Viewer<'_>, filter: &Filter, all: usize, is_under_way: bool) -> Markup {
    let (going, still) = (filter.query(false), filter.query(true));
    let own = viewer.list();
    html! {
        div class="head two" {
            div {
                h1 { "Board" }
                p class="meta" {
                    (count(all, "app")) ". "
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

fn found(viewer: &Viewer<'_>, filter: &Filter, shown: &[&Block<'_>], all: usize) -> Markup {
    let apps = || shown.iter().flat_map(|block| &block.apps);
    let found = apps().filter(|app| app.is_match).count();
    let verb = if found == 1 { "matches" } else { "match" };
    html! {
        p class="found" role="status" {
            span {
                (found) " of " (count(all, "app")) " " (verb)
                @if !filter.text.is_empty() { " " b { "“" (plain(&filter.text, SHORT)) "”" } }
                @if let Some(group) = filter.group {
                    @if !filter.text.is_empty() { " in" } " " b { (heading(group)) }
                }
                "."
                @if apps().count() > found { " A group is shown whole." }
            }
            " " a href={ (viewer.list()) (Filter::default().query(viewer.is_still)) } { "Show all" }
        }
    }
}

fn tally(viewer: &Viewer<'_>, all: &[Block<'_>]) -> Markup {
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
                    @let number = all.iter().map(|block| block.count(group)).sum::<usize>();
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

fn section(viewer: &Viewer<'_>, filter: &Filter, group: Group, shown: &[&Block<'_>]) -> Markup {
    let (here, elsewhere): (Vec<&Block<'_>>, Vec<_>) =
        shown.iter().partition(|block| block.section() == group);
    let number = |blocks: &[&Block<'_>]| blocks.iter().map(|its| its.count(group)).sum::<usize>();
    let lines = here.iter().map(|block| block.apps.len()).sum::<usize>();
    let words = numbers(number(&here), number(&elsewhere), lines);
    // A filter shows a group whole, and says so.
    let words = words.filter(|_| !here.is_empty() || !filter.is_set());
    let class = if group == Group::Needs { "list hot" } else { "list" };
    html! {
        @if let Some(words) = words {
            section class="sec" aria-labelledby=(group.name()) {
                h2 id=(group.name()) { (heading(group)) " " span class="n" { (words) } }
                @if !here.is_empty() {
                    ul class=(class) { @for block in here { (block.draw(viewer)) } }
                }
            }
        }
    }
}

/// How many apps are in the state of a section. A group stands whole in the section of its worst
/// app, so the words say which of them stand elsewhere, and which lines are in another state.
fn numbers(here: usize, elsewhere: usize, lines: usize) -> Option<String> {
    let mut words = match (here, elsewhere) {
        (0, 0) => return None,
        (here, 0) => here.to_string(),
        (0, above) => format!("{above} in groups above"),
        (here, above) => format!("{here} here, {above} in groups above"),
    };
    if lines > here {
        words += &format!(", and {} beside them", lines - here);
    }
    Some(words)
}
