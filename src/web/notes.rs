//! Change notes for a person who looks: what was kept with the question, else what the Git host
//! says within two seconds, else the candidates that were seen.

use crate::error::Error;
use crate::model::config::App;
use crate::model::notes::ChangeNotes;
use crate::model::state::State;
use crate::model::{Commit, Digest};
use crate::world::Web;
use crate::world::snapshot::{Question, Snapshot};

/// The commits that a candidate would bring. Those that people were shown when they were asked
/// count first.
pub(super) async fn notes_of_candidate<W: Web>(
    world: &W,
    app: &App,
    state: &State,
    (digest, commit): (&Digest, Option<&Commit>),
    seen: &mut Snapshot,
) -> Option<ChangeNotes> {
    let asked = state.all_requests().find(|request| request.digest == *digest);
    if let Some(notes) = asked.and_then(|request| request.notes.clone()) {
        return Some(notes);
    }
    let running = state.running.as_ref();
    let base = running.and_then(|running| running.commit.as_ref());
    let told = match base.zip(commit) {
        Some((base, head)) => notes_between(world, app, seen, base, head).await,
        None => None,
    };
    let runs = running.and_then(|running| running.digest.as_ref());
    let known = || state.candidates.between(runs, digest);
    Some(told.unwrap_or_else(known)).filter(|notes| notes.count() > 0)
}

/// The commits between two, from the Git host. `None` if it knows nothing, or does not answer.
pub(super) async fn notes_between<W: Web>(
    world: &W,
    app: &App,
    seen: &mut Snapshot,
    base: &Commit,
    head: &Commit,
) -> Option<ChangeNotes> {
    if app.config.repository_url.is_none() || base == head {
        return None;
    }
    let question = Question::Notes(base.clone(), head.clone());
    let asked: Result<(), Error> = world.read(app, &question, seen).await;
    asked.ok()?;
    seen.notes.get(&(base.clone(), head.clone())).cloned().flatten()
}
