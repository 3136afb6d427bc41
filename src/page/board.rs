//! The board: what runs, what waits and what is under way, of all apps at a glance and of one in
//! full, and what the bearer of the link may do about it. Looking changes nothing; each act has a
//! page of its own that asks once more.

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
use crate::model::session::Session;
use crate::model::stack::{Phase, Stack, StackEvents};
use crate::model::state::State;
use crate::model::{Commit, Digest, Repository};
use crate::text::plain;
use crate::world::snapshot::Snapshot;

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

/// The commit that an image was built from, as far as that can be said without a look into its
/// config.
fn commit_of(app: &App, seen: &Snapshot, digest: &Digest) -> Option<Commit> {
    let state = seen.state.as_ref();
    let asked =
        state.into_iter().flat_map(State::all_requests).find(|request| request.digest == *digest);
    let open = state.into_iter().flat_map(|state| &state.open).find(|open| open.digest == *digest);
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

fn running(seen: &Snapshot) -> Option<&Digest> {
    seen.state.as_ref()?.running.as_ref()?.digest.as_ref()
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
