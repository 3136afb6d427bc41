//! The list of all apps. Those that need somebody come first.

use maud::{Markup, html};

use super::{
    LONG, SHORT, Viewer, Wait, head, is_under_way, outcome, pill, progress, status, waits,
};
use crate::function_url::Response;
use crate::model::config::App;
use crate::model::promotion::Promotion;
use crate::model::stack::{Stack, StackEvents};
use crate::model::state::State;
use crate::model::{Commit, Repository};
use crate::page::{image, page, prose, time};
use crate::text::plain;

/// One app of the list.
pub struct Row {
    /// Its name.
    pub repository: Repository,
    /// Its configuration, or why it cannot be used.
    pub app: Result<App, String>,
    /// What is remembered about it, or why that cannot be read.
    pub state: Result<Option<State>, String>,
    /// Its stack with its events, or why these cannot be read; `None` if nothing is under way.
    pub stack: Option<Result<(Option<Stack>, StackEvents), String>>,
}

/// The page with all apps.
pub fn list(viewer: &Viewer<'_>, mut rows: Vec<Row>) -> Response {
    rows.sort_by(|a, b| (rank(a), &a.repository).cmp(&(rank(b), &b.repository)));
    let is_under_way = rows
        .iter()
        .any(|row| row.state.as_ref().is_ok_and(|state| state.as_ref().is_some_and(is_under_way)));
    let content = html! {
        h1 { "The board" }
        (viewer.introduction(&viewer.list(), is_under_way))
        section aria-labelledby="apps" {
            h2 id="apps" { "Apps" }
            @if rows.is_empty() {
                p { "No app is configured." }
            } @else {
                table class="stack" {
                    caption {
                        (rows.len()) " " (if rows.len() == 1 { "app" } else { "apps" })
                        "; those that need somebody come first"
                    }
                    (head(["App", "Runs", "Pending", "Stack", "Last promotion"]))
                    tbody { @for row in &rows { (line(viewer, row)) } }
                }
            }
        }
    };
    page(200, "The board", viewer.refresh(is_under_way), &content)
}

fn line(viewer: &Viewer<'_>, row: &Row) -> Markup {
    let name =
        html! { th scope="row" { a href=(viewer.app(&row.repository)) { (row.repository) } } };
    let (app, state) = match (&row.app, &row.state) {
        (Ok(app), Ok(state)) => (app, state),
        (Err(trouble), _) | (Ok(_), Err(trouble)) => {
            return html! {
                tr {
                    (name)
                    td colspan="4" {
                        (pill("stop", "cannot be used")) " " (prose(&plain(trouble, LONG)))
                    }
                }
            };
        }
    };
    let waits = state.as_ref().map(waits_and_works).unwrap_or_default();
    html! {
        tr {
            (name)
            td data-label="Runs" { (runs(state.as_ref())) }
            td data-label="Pending" {
                @if waits.is_empty() { "nothing" }
                @for wait in &waits { p { (wait.pill()) " " (prose(&plain(&wait.words, SHORT))) } }
            }
            td data-label="Stack" {
                (app.config.stack) @if let Some(stack) = &row.stack { " " (at_work(stack)) }
            }
            td data-label="Last promotion" {
                @match state.as_ref().and_then(|state| state.recent.last()) {
                    Some(last) => {
                        (outcome(last.end.outcome())) " "
                        code { (last.commit.as_ref().map_or(last.tag.as_str(), Commit::short)) }
                    }
                    None => "none yet",
                }
            }
        }
    }
}

fn runs(state: Option<&State>) -> Markup {
    let Some(running) = state.and_then(|state| state.running.as_ref()) else {
        return html! { "not looked at yet" };
    };
    html! {
        code { (running.commit.as_ref().map_or(running.tag.as_str(), Commit::short)) }
        @if let Some(since) = running.since { " since " (time(since)) }
        @if !running.by.is_empty() { " (" (plain(&running.by, SHORT)) ")" }
    }
}

fn at_work(stack: &Result<(Option<Stack>, StackEvents), String>) -> Markup {
    match stack {
        Err(trouble) => html! { (plain(trouble, SHORT)) },
        Ok((None, _)) => pill("stop", "does not exist"),
        Ok((Some(stack), events)) => html! { (status(stack)) " " (progress(stack, Some(events))) },
    }
}

/// Everything that is under way for an app.
fn works(state: &State) -> Vec<Wait> {
    let wait = |class, name, words: String| Wait { class, name, words };
    let work = |open: &Promotion| {
        let words = format!("{} by {}", image(open.commit.as_ref(), &open.digest), open.by);
        match open {
            Promotion { cancelled_by: Some(_), .. } => wait("wait", "being cancelled", words),
            Promotion { accepted_at: Some(_), .. } => wait("go", "on its way", words),
            Promotion { accepted_at: None, .. } => wait("wait", "not sent yet", words),
        }
    };
    state.open.iter().map(work).collect()
}

/// Everything that is pending or under way.
fn waits_and_works(state: &State) -> Vec<Wait> {
    waits(state).into_iter().chain(works(state)).collect()
}

/// The place in the list: a smaller number comes first.
fn rank(row: &Row) -> u8 {
    let (Ok(_), Ok(state)) = (&row.app, &row.state) else { return 0 };
    let waits = state.as_ref().map(waits_and_works).unwrap_or_default();
    waits
        .iter()
        .map(|wait| match (wait.class, wait.name) {
            ("stop", "blocked" | "cannot be checked") => 0,
            (_, "waits for approval") => 1,
            ("go", _) => 2,
            _ => 3,
        })
        .min()
        .unwrap_or(4)
}
