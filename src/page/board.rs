//! The board: [`list`] shows all apps at a glance, [`app`] shows one in full, and [`act`] and
//! [`rollback`] ask before anything is done. Looking changes nothing. [`stages`] knows which apps
//! belong together. This file: what these pages share.

pub mod act;
pub mod app;
pub mod filter;
pub mod list;
pub mod result;
pub mod rollback;
pub mod row;
pub mod stages;
pub mod verb;

use jiff::Timestamp;
use maud::{Markup, html};

use self::verb::Verb;
use super::commits::Named;
use super::frame::{Frame, Place, REFRESH, Width};
use super::moment::long;
use super::words::{LONG, SHORT};
use crate::model::answer::Outcome;
use crate::model::approval::ApprovalRequest;
use crate::model::config::{App, CommitSource};
use crate::model::notes::CommitNote;
use crate::model::promotion::Promotion;
use crate::model::session::Session;
use crate::model::state::State;
use crate::model::{AppName, Commit, Digest};
use crate::text::plain;
use crate::world::snapshot::Snapshot;

/// The query of a page that does not refresh: people must be able to stop what moves by itself.
pub const STILL: &str = "still";
/// The query's name for the image that an act is about.
pub const IMAGE: &str = "image";

/// Who looks at the board, when and how.
#[derive(Clone, Copy)]
pub struct Viewer<'a> {
    /// The token in the board's addresses.
    pub token: &'a str,
    /// Who looks, and until when.
    pub session: &'a Session,
    /// Whether refreshing is paused.
    pub is_still: bool,
    /// The time.
    pub now: Timestamp,
}

impl<'a> Viewer<'a> {
    fn list(&self) -> String {
        format!("/board/{}", self.token)
    }

    fn app(&self, repository: &AppName) -> String {
        format!("/board/{}/app/{repository}", self.token)
    }

    fn act(&self, verb: Verb, repository: &AppName, image: Option<&Digest>) -> String {
        let image = image.map(|digest| format!("?{IMAGE}={digest}")).unwrap_or_default();
        format!("/board/{}/act/{}/{repository}{image}", self.token, verb.name())
    }

    fn who(&self) -> Markup {
        let name = plain(&self.session.by, SHORT);
        let left = long(self.session.until.duration_since(self.now));
        let left = left.split(" min").next().unwrap_or(&left);
        html! {
            @match (&self.session.slack, name.as_str()) {
                (Some(origin), "") => { (plain(&origin.user, SHORT)) small { " in Slack" } }
                (Some(origin), name) => {
                    (name) " " small { "(" (plain(&origin.user, SHORT)) ") in Slack" }
                }
                (None, "") => "somebody who may invoke the function",
                (None, name) => { (name) " " small { "(claimed)" } }
            }
            " · " (left) @if !left.ends_with(" s") { " min" } " left"
        }
    }

    /// The frame of a page of the board.
    fn frame<'p>(&self, place: &'p Place, width: Width) -> Frame<'p> {
        let slim = Frame::slim(place, self.now);
        let foot = html! { (slim.foot) " This address acts as you: do not pass it on." };
        Frame { home: Some(self.list()), who: Some(self.who()), width, foot, ..slim }
    }

    /// Where a page refreshes to: itself, if something is under way.
    fn refresh(&self, is_under_way: bool) -> Option<String> {
        (is_under_way && !self.is_still).then(String::new)
    }

    /// Says whether a page refreshes, and links to the other choice.
    fn pause(&self, is_under_way: bool, going: &str, still: &str) -> Markup {
        html! {
            @if is_under_way && self.is_still {
                "Paused. " a href=(going) { "Refresh every " (REFRESH) " s" }
            } @else if is_under_way {
                "Refreshes every " (REFRESH) " s. " a href=(still) { "Pause" }
            }
        }
    }

    /// The way back to the list and to an app's page.
    fn crumb(&self, repository: Option<&AppName>) -> Markup {
        html! {
            p class="crumb" {
                a href=(self.list()) { "Board" }
                @if let Some(repository) = repository {
                    " / " a href=(self.app(repository)) { (repository) }
                }
            }
        }
    }
}

/// Whether something goes on by itself, so that refreshing the page makes sense.
pub fn is_under_way(state: &State) -> bool {
    !state.open.is_empty()
        || state.verifying.is_some()
        || state.waiting.as_ref().is_some_and(|waiting| waiting.outcome == Outcome::Queued)
}

/// The commit that an image was built from, as far as it is known without reading the image's
/// config.
pub fn commit_of(app: &App, seen: &Snapshot, digest: &Digest) -> Option<Commit> {
    let state = seen.state.as_ref();
    let asked =
        state.into_iter().flat_map(State::all_requests).find(|request| request.digest == *digest);
    let promoted = promotions(seen).find(|own| own.digest == *digest);
    let known = asked.map(|request| &request.commit).or(promoted.map(|own| &own.commit));
    if let Some(known) = known {
        return known.clone();
    }
    let running = state.and_then(|state| state.running.as_ref());
    let running = running.filter(|running| running.digest.as_ref() == Some(digest));
    let seen_before = state.and_then(|state| state.candidates.of(digest));
    let kept = running
        .and_then(|running| running.commit.clone())
        .or_else(|| seen_before.and_then(|candidate| candidate.note.commit.clone()));
    kept.or_else(|| {
        app.config.commit_from.iter().find_map(|source| match source {
            CommitSource::Tag => seen.tags.as_ref()?.commit(digest, &app.config).flatten(),
            CommitSource::Annotation => seen.images.get(digest)?.as_ref().ok()?.annotation.clone(),
            CommitSource::Label | CommitSource::Digest => None,
        })
    })
}

/// What an image says about its commit, as far as that was seen.
fn note_of<'a>(seen: &'a Snapshot, digest: &Digest) -> Option<&'a CommitNote> {
    let state = seen.state.as_ref()?;
    let asked = state.all_requests().find(|request| request.digest == *digest);
    let asked = asked.and_then(|request: &ApprovalRequest| request.note.as_ref());
    let candidate = || state.candidates.of(digest).map(|candidate| &candidate.note);
    let promoted =
        || promotions(seen).filter(|own| own.digest == *digest).find_map(|own| own.note.as_ref());
    let running = || {
        let running = state.running.as_ref()?;
        running.note.as_ref().filter(|_| running.digest.as_ref() == Some(digest))
    };
    asked.or_else(candidate).or_else(promoted).or_else(running)
}

/// All promotions that are known, the newest first.
fn promotions(seen: &Snapshot) -> impl Iterator<Item = &Promotion> {
    let state = seen.state.as_ref();
    let open = state.into_iter().flat_map(|state| state.open.iter().rev());
    let verifying = state.into_iter().flat_map(|state| &state.verifying);
    let ended = seen.history.iter().flatten().map(|ended| &ended.promotion);
    open.chain(verifying.map(|verifying| &verifying.promotion)).chain(ended)
}

/// Names an image by what is known about it.
fn named(app: &App, seen: &Snapshot, digest: &Digest) -> Named {
    let commit = commit_of(app, seen, digest);
    Named::new(commit.as_ref(), Some(digest), "", note_of(seen, digest))
}

/// The digest of the image that runs.
fn running(seen: &Snapshot) -> Option<&Digest> {
    seen.state.as_ref()?.running.as_ref()?.digest.as_ref()
}

/// Says why the reader may do nothing.
fn objection(words: &str) -> Markup {
    html! { p class="meta" { (plain(words, LONG)) } }
}
