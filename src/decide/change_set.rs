//! Change sets: where a guard or an SSM-typed parameter asks for it, an update goes out only as a
//! change set whose changes were read.

use jiff::{SignedDuration, Timestamp};

use super::draft::Draft;
use super::finish::mark;
use super::plan::{Decided, First, Stages};
use crate::model::change_set::{ChangeSet, Changes, Listed, name_prefix};
use crate::model::known_change_set::KnownChangeSet;
use crate::model::promotion::Update;
use crate::model::state::State;
use crate::model::{Digest, Tag, Token};
use crate::world::action::{Action, Records};
use crate::world::snapshot::Question;

/// The age at which a change set with this app's prefix counts as a stray: no sandbox can be about
/// to write it into the state any more.
const STRAY: SignedDuration = SignedDuration::from_mins(10);

/// Whether an update of this stack must be reviewed before it is sent.
pub(super) fn needs_review(draft: &Draft<'_>) -> bool {
    draft.app.config.guard.is_some() || draft.stack.has_ssm_parameters()
}

/// The one update that changes the parameter to this tag.
pub(super) fn update(draft: &Draft<'_>, token: Token, tag: Tag) -> Update {
    let config = &draft.app.config;
    let mut capabilities = draft.stack.capabilities.clone();
    capabilities
        .extend(config.capabilities.iter().map(|capability| capability.as_str().to_owned()));
    capabilities.sort_unstable();
    capabilities.dedup();
    Update {
        token,
        tag,
        others: draft
            .stack
            .parameters
            .iter()
            .map(|p| p.key.clone())
            .filter(|key| *key != config.parameter)
            .collect(),
        capabilities,
        identity: None,
        rollback: config.rollback.clone(),
    }
}

/// What the promotion's change set would change, as far as that is known.
pub(super) fn review_of(draft: &Draft<'_>, token: &Token) -> Decided<ChangeSet> {
    let Some(own) = draft.change_set_of(token) else { return Ok(ChangeSet::Absent) };
    match &own.arn {
        None => Err(First::LookAgain(Vec::new())),
        Some(arn) => draft
            .seen
            .change_sets_read
            .get(arn)
            .cloned()
            .ok_or_else(|| First::Read(Question::ChangeSet(arn.clone()))),
    }
}

/// Marks a promotion's change set to be removed, so that another one is made later.
pub(super) fn discard(draft: &mut Draft<'_>, token: &Token) {
    draft.discarded.extend(draft.change_set_of(token).map(|own| own.name().to_owned()));
}

/// Removes a change set that cannot be executed any more, and looks again, so that another one is
/// made.
pub(super) fn make_anew(id: &str) -> First {
    First::LookAgain(vec![vec![Action::DeleteChangeSet(id.to_owned())]])
}

/// Notes change sets to be removed: those with this app's prefix that the state does not know.
/// Others may have made them. New ones are left alone, since a sandbox may be about to write
/// them into the state.
pub(super) fn note_strays(draft: &mut Draft<'_>, changes: &Changes) {
    let is_known = |listed: &Listed| {
        draft
            .state
            .change_sets
            .iter()
            .any(|own| own.id() == listed.arn || own.name() == listed.name)
    };
    let is_old = |listed: &Listed| draft.now.duration_since(listed.at) >= STRAY;
    let strays = changes
        .own
        .iter()
        .filter(|listed| is_old(listed) && !is_known(listed))
        .map(|listed| listed.arn.clone());
    let strays: Vec<String> = strays.collect();
    draft.stray_change_sets.extend(strays);
}

/// Asks CloudFormation to make the change set. Its name is written first, so that it is removed
/// even after a crash.
pub(super) fn ask_for_review(mut draft: Draft<'_>, update: &Update) -> First {
    if draft.is_plan {
        return ask_for_preview(&draft, update);
    }
    let name = remember_change_set(&mut draft, update);
    let told = draft.state.clone();
    First::LookAgain(stages(draft.save(draft.command.clone()), update, name, told))
}

fn remember_change_set(draft: &mut Draft<'_>, update: &Update) -> String {
    let name = format!("{}{}", name_prefix(&draft.app.name), draft.seen.nonce);
    remember(&mut draft.state, update, &name, draft.now);
    name
}

/// Asks for a change set of an update that is not carried out now. Only the change set is written
/// down, until it was read.
pub(super) fn ask_for_preview(draft: &Draft<'_>, update: &Update) -> First {
    let config = &draft.app.config;
    let mut state =
        draft.seen.state.clone().unwrap_or_else(|| State::new(&config.stack, &config.parameter));
    let name = format!("{}{}", name_prefix(&draft.app.name), draft.seen.nonce);
    remember(&mut state, update, &name, draft.now);
    let save =
        Action::SaveState(Box::new(Records { state: Some(state.clone()), ..Records::default() }));
    First::LookAgain(stages(Some(save), update, name, state))
}

fn remember(state: &mut State, update: &Update, name: &str, now: Timestamp) {
    let (token, name) = (update.token.clone(), Some(name.to_owned()));
    state.change_sets.push(KnownChangeSet { token, name, arn: None, at: now, is_removed: false });
}

/// Writes the change set's name, makes it, and writes its ARN. The mark gets the ARN when it is
/// carried out.
fn stages(save: Option<Action>, update: &Update, name: String, state: State) -> Stages {
    let create = Action::CreateChangeSet { update: update.clone(), name };
    save.map(|save| vec![save]).into_iter().chain([vec![create], vec![mark(state)]]).collect()
}

/// A short hash of a line of changes. A request keeps the hashes to compare them later, since a
/// stack can have many lines.
pub(super) fn mark_of(line: &str) -> String {
    Digest::of(line.as_bytes()).short()[..8].to_owned()
}
