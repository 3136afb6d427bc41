//! A request as the bearer of its link sees it.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::model::approval::ApprovalRequest;
use crate::model::config::App;
use crate::model::notes::{ChangeNotes, CommitNote};
use crate::model::stack::{Stack, StackEvents};
use crate::model::state::State;
use crate::page::commits::{Named, ci, in_full};
use crate::page::frame::Place;
use crate::page::words::SHORT;
use crate::text::plain;

/// The query of a page that does not refresh.
pub const STILL: &str = "still";

/// What a link lets its bearer do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Approve or reject.
    Decide,
    /// Only look: the decision needs an identity that a link cannot prove.
    Look,
}

/// A request as the bearer of its link sees it.
pub struct Asked<'a> {
    /// The app.
    pub app: &'a App,
    /// What is remembered about it.
    pub state: &'a State,
    /// The request.
    pub request: &'a ApprovalRequest,
    /// What the link lets its bearer do.
    pub right: Right,
    /// The commits that it would bring.
    pub notes: Option<&'a ChangeNotes>,
    /// The stack and its events, while it is updated.
    pub stack: Option<&'a (Option<Stack>, StackEvents)>,
    /// The place.
    pub place: &'a Place,
    /// The page's own address, without a query.
    pub address: &'a str,
    /// Whether refreshing is paused.
    pub is_still: bool,
    /// The time.
    pub now: Timestamp,
}

impl Asked<'_> {
    pub(super) fn named(&self) -> Named {
        let request = self.request;
        let tag = request.tag.as_ref().map_or("", |tag| tag.as_str());
        Named::new(request.commit.as_ref(), Some(&request.digest), tag, self.note())
    }

    fn note(&self) -> Option<&CommitNote> {
        let seen = || self.state.candidates.of(&self.request.digest);
        self.request.note.as_ref().or_else(|| seen().map(|candidate| &candidate.note))
    }

    /// The link to the CI run that built the image.
    pub(super) fn ci(&self) -> Option<Markup> {
        ci(self.app.build_page(self.note()))
    }

    pub(super) fn runs(&self) -> Option<Named> {
        let request = self.request;
        let tag = request.running_tag.as_deref()?;
        Some(Named::new(request.running_commit.as_ref(), None, tag, None))
    }

    pub(super) fn compare(&self) -> Option<String> {
        let request = self.request;
        self.app.compare_url(request.running_commit.as_ref(), request.commit.as_ref())
    }

    pub(super) fn in_full(&self) -> Markup {
        let request = self.request;
        let tag = request.tag.as_ref().map(|tag| tag.as_str());
        let config = &self.app.config;
        let runs = request.running_tag.as_deref().unwrap_or("unknown");
        let more = [
            ("Runs now", html! { code { (plain(runs, SHORT)) } }),
            ("Stack", html! { (plain(&config.stack, SHORT)) " (" (config.parameter) ")" }),
        ];
        in_full(request.commit.as_ref(), tag, Some(&request.digest), &more)
    }
}
