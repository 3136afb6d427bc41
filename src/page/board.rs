//! The board: what runs, what waits and what is under way, of all apps at a glance and of one in
//! full, and what the bearer of the link may do about it. Looking changes nothing; each act has a
//! page of its own that asks once more.

pub mod act;
pub mod app;

use maud::{Markup, html};

use self::act::Verb;
use super::{image, page, prose, readable, time};
use crate::function_url::Response;
use crate::model::answer::Outcome;
use crate::model::approval::{ApprovalRequest, Progress};
use crate::model::config::App;
use crate::model::promotion::Promotion;
use crate::model::session::Session;
use crate::model::stack::{Phase, Stack, StackEvents};
use crate::model::state::State;
use crate::model::{Commit, Digest, Repository};
use crate::text::plain;

/// How often a page refreshes while something is under way.
const REFRESH: u32 = 5;
/// The query of a page that does not: what moves by itself must be stoppable.
pub const STILL: &str = "still";
/// CloudFormation's reasons can run to pages.
const LONG: usize = 1_000;
/// What fits into a list.
const SHORT: usize = 200;

/// Whose board this is.
#[derive(Clone, Copy)]
pub struct Viewer<'a> {
    /// The token in its addresses.
    pub token: &'a str,
    /// Who looks, and until when.
    pub session: &'a Session,
    /// Whether the page is to stay as it is.
    pub is_still: bool,
}

impl Viewer<'_> {
    fn list(&self) -> String {
        format!("/board/{}", self.token)
    }

    fn app(&self, repository: &Repository) -> String {
        format!("/board/{}/app/{repository}", self.token)
    }

    fn act(&self, verb: Verb, repository: &Repository, image: Option<&Digest>) -> String {
        let image = image.map(|digest| format!("?image={digest}")).unwrap_or_default();
        format!("/board/{}/act/{}/{repository}{image}", self.token, verb.name())
    }

    fn name(&self) -> String {
        match (&self.session.slack, self.session.by.as_str()) {
            (Some(origin), "") => format!("{} in Slack", origin.user),
            (Some(origin), name) => format!("{} ({}) in Slack", plain(name, SHORT), origin.user),
            (None, "") => "somebody who may invoke the function".to_owned(),
            (None, name) => {
                format!("{} (claimed), who may invoke the function", plain(name, SHORT))
            }
        }
    }

    /// Who looks, for how long, and whether the page refreshes.
    fn introduction(&self, own: &str, is_under_way: bool) -> Markup {
        html! {
            p class="hint" {
                "You look as " (self.name()) ", until " (time(self.session.until))
                ". Whoever has this address acts as you."
            }
            @if is_under_way && self.is_still {
                p class="hint" {
                    "Something is under way. "
                    a href=(own) { "Load this page anew every " (REFRESH) " seconds" }
                }
            } @else if is_under_way {
                p class="hint" {
                    "Something is under way: this page refreshes every " (REFRESH) " seconds. "
                    a href={ (own) "?" (STILL) } { "Pause refreshing" }
                }
            }
        }
    }

    fn refresh(&self, is_under_way: bool) -> Option<u32> {
        (is_under_way && !self.is_still).then_some(REFRESH)
    }
}

/// One app of the list.
pub struct Row {
    /// Its name.
    pub repository: Repository,
    /// Its configuration, or why it cannot be used.
    pub app: Result<App, String>,
    /// What is remembered of it, or why that cannot be read.
    pub state: Result<Option<State>, String>,
    /// Its stack and its events, where something is under way, or why these cannot be read.
    pub stack: Option<Result<(Option<Stack>, StackEvents), String>>,
}

/// All apps: those that need somebody first.
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
                        "; what waits for somebody comes first"
                    }
                    thead {
                        tr {
                            th scope="col" { "App" }
                            th scope="col" { "Runs" }
                            th scope="col" { "Waits" }
                            th scope="col" { "Stack" }
                            th scope="col" { "Last promotion" }
                        }
                    }
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
            td data-label="Waits" {
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

fn status(stack: &Stack) -> Markup {
    let class = match stack.phase() {
        Phase::AtRest => "go",
        Phase::Busy | Phase::Leaving => "wait",
        Phase::Broken | Phase::Gone => "stop",
    };
    pill(class, &stack.status)
}

fn progress(stack: &Stack, events: Option<&StackEvents>) -> Markup {
    match events.and_then(StackEvents::progress).filter(|_| stack.phase() == Phase::Busy) {
        Some((begun @ 1.., done)) => html! { (done) " of " (begun) " resources done so far" },
        Some((0, _)) | None => html! {},
    }
}

/// Something that an app waits for, or is at, in a word and in more.
struct Wait {
    class: &'static str,
    name: &'static str,
    words: String,
}

impl Wait {
    fn pill(&self) -> Markup {
        pill(self.class, self.name)
    }
}

/// What an app waits for.
fn waits(state: &State) -> Vec<Wait> {
    let wait = |class, name, words: String| Wait { class, name, words };
    let mut waits = Vec::new();
    if let Some(trouble) = &state.trouble {
        waits.push(wait("stop", "cannot be looked at", trouble.clone()));
    }
    if let Some(waiting) = &state.waiting {
        let reason = if waiting.reason.is_empty() {
            "for the next look".to_owned()
        } else {
            waiting.reason.clone()
        };
        let is_blocked = waiting.outcome == Outcome::Blocked;
        waits.push(if is_blocked {
            wait("stop", "blocked", reason)
        } else {
            wait("wait", "queued", reason)
        });
    }
    if let Some(request) = &state.request {
        waits.extend(waits_for_people(request));
    }
    if let Some(hold) = &state.hold {
        waits.push(wait("wait", "held", format!("by {}: {}", hold.by, hold.reason)));
    }
    waits
}

/// What an app is at.
fn works(state: &State) -> Vec<Wait> {
    let wait = |class, name, words: String| Wait { class, name, words };
    let work = |open: &Promotion| {
        let words = format!("{} by {}", image(open.commit.as_ref(), &open.digest), open.by);
        match open {
            Promotion { cancelled_by: Some(_), .. } => wait("wait", "being cancelled", words),
            Promotion { accepted_at: Some(_), .. } => wait("go", "on its way", words),
            Promotion { accepted_at: None, .. } => wait("wait", "to be sent", words),
        }
    };
    state.open.iter().map(work).collect()
}

/// Both, for a glance.
fn waits_and_works(state: &State) -> Vec<Wait> {
    waits(state).into_iter().chain(works(state)).collect()
}

fn waits_for_people(request: &ApprovalRequest) -> Option<Wait> {
    let what = image(request.commit.as_ref(), &request.digest);
    let (class, name, words) = match &request.progress {
        Progress::Pending => (
            "wait",
            "waits for approval",
            format!("{what}, until {}", readable(request.expires_at)),
        ),
        Progress::Rejected => ("stop", "rejected", format!("{what}, by {}", request.who(false))),
        Progress::Expired => ("wait", "expired", format!("{what}: nobody decided in time")),
        // What is being done about it is told by what is open.
        Progress::Approved
        | Progress::Waiting(_)
        | Progress::Deploying
        | Progress::Deployed(_)
        | Progress::Failed(_)
        | Progress::Cancelled(_)
        | Progress::Superseded => return None,
    };
    Some(Wait { class, name, words })
}

/// Whether it goes on by itself, so that looking again shows something else.
pub fn is_under_way(state: &State) -> bool {
    !state.open.is_empty()
        || state.waiting.as_ref().is_some_and(|waiting| waiting.outcome == Outcome::Queued)
}

fn rank(row: &Row) -> u8 {
    let (Ok(_), Ok(state)) = (&row.app, &row.state) else { return 0 };
    let waits = state.as_ref().map(waits_and_works).unwrap_or_default();
    waits
        .iter()
        .map(|wait| match (wait.class, wait.name) {
            ("stop", "blocked" | "cannot be looked at") => 0,
            (_, "waits for approval") => 1,
            ("go", _) => 2,
            _ => 3,
        })
        .min()
        .unwrap_or(4)
}

fn outcome(outcome: Outcome) -> Markup {
    let class = match outcome {
        Outcome::Promoted | Outcome::Deployed | Outcome::Approved | Outcome::Resumed => "go",
        Outcome::Failed | Outcome::Blocked | Outcome::Rejected | Outcome::Refused => "stop",
        Outcome::Queued
        | Outcome::ApprovalRequested
        | Outcome::Superseded
        | Outcome::Unchanged
        | Outcome::Held
        | Outcome::Expired
        | Outcome::Ignored
        | Outcome::Cancelled => "wait",
    };
    pill(class, &outcome.to_string().replace('_', " "))
}

/// The words say it; the colour only helps.
fn pill(class: &str, words: &str) -> Markup {
    html! {
        span class={ "state " (class) } {
            @for (at, part) in words.split('_').enumerate() {
                // CloudFormation's statuses are long words, which a narrow window may break here.
                @if at > 0 { "_" wbr; }
                (part)
            }
        }
    }
}

fn way_back(viewer: &Viewer<'_>, repository: Option<&Repository>) -> Markup {
    html! {
        nav aria-label="The board" {
            a href=(viewer.list()) { "All apps" }
            @if let Some(repository) = repository {
                " · " a href=(viewer.app(repository)) { (repository) }
            }
        }
    }
}
