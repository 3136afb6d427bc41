//! The board: [`list`] shows all apps at a glance, [`app`] shows one in full, and [`act`] asks
//! before it does anything. Looking changes nothing. This file: what these pages share.

pub mod verb;

pub mod act;
pub mod app;
pub mod list;

use maud::{Markup, html};

use self::verb::Verb;
use super::{image, readable, time};
use crate::model::answer::Outcome;
use crate::model::approval::{ApprovalRequest, Progress};
use crate::model::config::{App, CommitSource};
use crate::model::ecs::known::{KnownService, KnownServices};
use crate::model::session::Session;
use crate::model::stack::{Phase, Stack, StackEvents};
use crate::model::state::State;
use crate::model::{Commit, Digest, Repository};
use crate::text::plain;
use crate::world::snapshot::Snapshot;

/// How often a page refreshes while something is under way, in seconds.
const REFRESH: u32 = 5;
/// The query of a page that does not refresh: people must be able to stop what moves by itself.
pub const STILL: &str = "still";
/// The longest text outside a list, in characters. CloudFormation's reasons can be very long.
const LONG: usize = 1_000;
/// The longest text in a list, in characters.
const SHORT: usize = 200;

/// Who looks at the board, and how.
#[derive(Clone, Copy)]
pub struct Viewer<'a> {
    /// The token in the board's addresses.
    pub token: &'a str,
    /// Who looks, and until when.
    pub session: &'a Session,
    /// Whether refreshing is paused.
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
                "You are viewing this as " (self.name()) ", until " (time(self.session.until))
                ". Anyone with this address can act as you."
            }
            @if is_under_way && self.is_still {
                p class="hint" {
                    "Something is under way. "
                    a href=(own) { "Refresh this page every " (REFRESH) " seconds" }
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

/// The head of a table.
fn head<const N: usize>(columns: [&str; N]) -> Markup {
    html! { thead { tr { @for column in columns { th scope="col" { (column) } } } } }
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

/// Something pending or under way: a word with its colour, and a sentence.
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

/// Everything that is pending for an app.
fn waits(state: &State) -> Vec<Wait> {
    let wait = |class, name, words: String| Wait { class, name, words };
    let mut waits = Vec::new();
    if let Some(trouble) = &state.trouble {
        waits.push(wait("stop", "cannot be checked", trouble.clone()));
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
    if let Some(verifying) = &state.verifying {
        let what = image(verifying.promotion.commit.as_ref(), &verifying.promotion.digest);
        waits.push(wait("go", "verifying", format!("{what}: {}", verifying.words())));
    }
    if state.runs_elsewhere() {
        let elsewhere = state.services.iter().flat_map(KnownServices::elsewhere);
        let words = elsewhere.map(KnownService::words).collect::<Vec<_>>().join(", ");
        waits.push(wait("stop", "another image runs", words));
    }
    if let Some(bake) = &state.bake {
        waits.push(wait("go", "baking", bake.words()));
    }
    if let Some(request) = &state.request {
        waits.extend(waits_for_people(request));
    }
    if let Some(hold) = &state.hold {
        waits.push(wait("wait", "held", format!("by {}: {}", hold.by, hold.reason)));
    }
    waits
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
        // The open promotion shows how this goes on.
        Progress::Approved
        | Progress::Waiting(_)
        | Progress::Deploying
        | Progress::Verifying(_)
        | Progress::Baking(_)
        | Progress::Deployed(_)
        | Progress::Failed(_)
        | Progress::Cancelled(_)
        | Progress::Superseded => return None,
    };
    Some(Wait { class, name, words })
}

/// Whether something goes on by itself, so that refreshing the page makes sense.
pub fn is_under_way(state: &State) -> bool {
    !state.open.is_empty()
        || state.verifying.is_some()
        || state.waiting.as_ref().is_some_and(|waiting| waiting.outcome == Outcome::Queued)
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

/// A word with a colour. The word says it all; the colour only helps.
fn pill(class: &str, words: &str) -> Markup {
    html! {
        span class={ "state " (class) } {
            @for (at, part) in words.split('_').enumerate() {
                // CloudFormation's statuses are long words. A narrow window may break them here.
                @if at > 0 { "_" wbr; }
                (part)
            }
        }
    }
}

/// Links back to the list and to an app's page.
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

/// The commit that an image was built from, as far as it is known without reading the image's
/// config.
fn commit_of(app: &App, seen: &Snapshot, digest: &Digest) -> Option<Commit> {
    let state = seen.state.as_ref();
    let asked =
        state.into_iter().flat_map(State::all_requests).find(|request| request.digest == *digest);
    let verifying =
        state.into_iter().flat_map(|state| &state.verifying).map(|verifying| &verifying.promotion);
    let open = state.into_iter().flat_map(|state| &state.open).chain(verifying);
    let open = open.into_iter().find(|open| open.digest == *digest);
    let ended = seen.history.iter().flatten().find(|ended| ended.promotion.digest == *digest);
    let known = asked
        .map(|request| &request.commit)
        .or(open.map(|open| &open.commit))
        .or(ended.map(|ended| &ended.promotion.commit));
    if let Some(known) = known {
        return known.clone();
    }
    app.config.commit_from.iter().find_map(|source| match source {
        CommitSource::Tag => seen.tags.as_ref()?.commit(digest, &app.config).flatten(),
        CommitSource::Annotation => seen.images.get(digest)?.as_ref().ok()?.annotation.clone(),
        CommitSource::Label | CommitSource::Digest => None,
    })
}

/// The digest of the image that runs.
fn running(seen: &Snapshot) -> Option<&Digest> {
    seen.state.as_ref()?.running.as_ref()?.digest.as_ref()
}

/// The text with a capital letter at its start.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
