//! One app of the board, as it was read.

use jiff::Timestamp;

use crate::model::AppName;
use crate::model::config::App;
use crate::model::notes::CommitNote;
use crate::model::stack::{Stack, StackEvents};
use crate::model::state::State;
use crate::model::{Digest, config::stage::After};
use crate::page::commits::Named;
use crate::page::condition::{self, Condition};
use crate::page::words::LONG;
use crate::text::plain;

/// One app of the board.
pub struct Row {
    /// Its name.
    pub name: AppName,
    /// Its configuration, or why it cannot be used.
    pub app: Result<App, String>,
    /// What is remembered about it, or why that cannot be read.
    pub state: Result<Option<State>, String>,
    /// Its stack with its events, or why these cannot be read; `None` if nothing is under way.
    pub stack: Option<Result<(Option<Stack>, StackEvents), String>>,
}

impl Row {
    pub(super) fn state(&self) -> Option<&State> {
        self.state.as_ref().ok()?.as_ref()
    }

    /// The stage before it.
    pub(super) fn after(&self) -> Option<&After> {
        self.app.as_ref().ok()?.config.after.as_ref()
    }

    pub(super) fn condition(&self, now: Timestamp) -> Condition {
        let app = self.app.as_ref().map_err(String::as_str);
        let state = self.state.as_ref().map(Option::as_ref).map_err(String::as_str);
        condition::of(app, state, now)
    }

    /// What it knows about the commit of an image.
    pub(super) fn note_of(&self, digest: &Digest) -> Option<&CommitNote> {
        let state = self.state()?;
        let running = state.running.as_ref().filter(|it| it.digest.as_ref() == Some(digest));
        let running = running.and_then(|running| running.note.as_ref());
        running.or_else(|| state.candidates.of(digest).map(|candidate| &candidate.note))
    }

    /// Everything that the row can be found by.
    pub(super) fn searched(&self, condition: &Condition) -> String {
        let images = [&condition.runs, &condition.next].into_iter().flatten().map(Named::searched);
        let state = self.state();
        let running = state.and_then(|state| state.running.as_ref()).map(|it| it.by.clone());
        let request = state.and_then(|state| state.request.as_ref());
        let voters = request.into_iter().flat_map(|request| &request.votes);
        let open = state.into_iter().flat_map(|state| &state.open).map(|open| open.by.clone());
        let repository = self.app.as_ref().ok().map(|app| app.repository.to_string());
        let words = [self.name.to_string(), condition.words.clone()].into_iter().chain(repository);
        let people = running.into_iter().chain(voters.map(|vote| vote.by.clone())).chain(open);
        let all = words.chain(condition.reason.clone()).chain(images).chain(people);
        all.map(|words| plain(&words, LONG)).collect::<Vec<_>>().join("\n")
    }
}
