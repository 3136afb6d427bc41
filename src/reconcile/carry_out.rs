//! Carries out what was decided, stage by stage, and says what got in between.

use std::borrow::Cow;

use futures_util::future::join_all;
use jiff::SignedDuration;

use crate::error::Error;
use crate::model::approval::Posted;
use crate::model::config::App;
use crate::model::known_change_set::KnownChangeSet;
use crate::model::measure::Measure;
use crate::model::notice::Notice;
use crate::model::promotion::Update;
use crate::model::{Digest, RequestId, Tag, Token};
use crate::world::action::Action;
use crate::world::snapshot::{Snapshot, Version};
use crate::world::{Applied, NotUpdated, World};

/// How old the reads may be on which an update rests: `UpdateStack` itself cannot be made
/// conditional.
const FENCE: SignedDuration = SignedDuration::from_secs(8);

/// How far the stages were carried out.
pub(super) enum CarriedOut {
    /// All of it.
    Whole,
    /// Something got in between.
    Interrupted(Interruption),
    /// All of it, but people could not be told or a change set could not be removed. The next look
    /// does that.
    Untold(Error),
}

/// What got in between a decision and its end.
pub(super) enum Interruption {
    /// Somebody else wrote the state first, or the reads are too old.
    Overtaken,
    /// This tag is on another image.
    TagTaken(Tag),
    /// In the registry that the stack pulls from, this tag is on another image, or on none.
    NotReplicated(Tag, Option<Digest>),
    /// CloudFormation did not accept this call.
    NotUpdated {
        call: &'static str,
        token: Token,
        /// The name of the change set that was to be made.
        change_set: Option<String>,
        why: NotUpdated,
    },
}

/// Carries out the stages in order, until something gets in between. A notice that could not be
/// sent and a change set that could not be removed do not stop it: they stay in the state, and the
/// invocation fails at its end.
pub(super) async fn carry_out<W: World>(
    world: &W,
    app: &App,
    stages: &[Vec<Action>],
    seen: &Snapshot,
) -> Result<CarriedOut, Error> {
    for identity in stages.iter().flatten().filter_map(Action::identity) {
        world.reach(app, identity).await?;
    }
    let mut version = seen.version.clone();
    let mut left = Left::default();
    for stage in stages {
        if stage.iter().any(Action::rests_on_reads) && world.now().duration_since(seen.at) > FENCE {
            return Ok(CarriedOut::Interrupted(Interruption::Overtaken));
        }
        let stage: Vec<Cow<'_, Action>> =
            stage.iter().map(|action| left.as_it_came_out(action, seen)).collect();
        let results =
            join_all(stage.iter().map(|action| world.apply(app, action, &version, &seen.identity)))
                .await;
        let mut came_out = StageResult::default();
        for (action, result) in stage.iter().zip(results) {
            measure(world, app, action);
            match result {
                Ok(applied) => came_out.applied(action, applied, &mut left),
                Err(error) => came_out.failed(action, error, &mut left, seen),
            }
        }
        // If somebody else came first, another look decides what to do with the rest.
        match (came_out.interruption, came_out.failure) {
            (Some(interruption), _) => return Ok(CarriedOut::Interrupted(interruption)),
            (None, Some(error)) => return Err(error),
            (None, None) => version = came_out.saved.unwrap_or(version),
        }
    }
    Ok(left.error.map_or(CarriedOut::Whole, CarriedOut::Untold))
}

/// Measures what people are told of, when it is first tried: each change of an app's outcome is
/// told once.
fn measure<W: World>(world: &W, app: &App, action: &Action) {
    if let Action::Tell(notice) = action {
        Measure::of_notice(&app.name, notice).iter().for_each(|own| world.measure(own));
    }
}

/// The results of one stage. Only the first interruption and the first failure count.
#[derive(Default)]
struct StageResult {
    saved: Option<Version>,
    interruption: Option<Interruption>,
    failure: Option<Error>,
}

impl StageResult {
    fn applied(&mut self, action: &Action, applied: Applied, left: &mut Left) {
        match (action, applied) {
            (_, Applied::Done) => {}
            (_, Applied::Saved(version)) => self.saved = Some(version),
            (Action::MarkTold(_), Applied::Conflict) => {}
            (_, Applied::Conflict) => self.interrupt(Interruption::Overtaken),
            (Action::PutTag { .. } | Action::CheckTags(_), Applied::TagTaken(tag)) => {
                self.interrupt(Interruption::TagTaken(tag));
            }
            (Action::CheckReplica { tag, .. }, Applied::NotReplicated(found)) => {
                self.interrupt(Interruption::NotReplicated(tag.clone(), found));
            }
            (Action::DeleteChangeSet(id), Applied::PutOff) => left.put_off.push(id.clone()),
            (Action::CreateChangeSet { name, .. }, Applied::Created(arn)) => {
                left.created.push((name.clone(), arn));
            }
            (Action::Show(request), Applied::Shown(posted)) => {
                left.shown.push((request.id.clone(), posted));
            }
            // It is not marked as shown, and so tried again at the next look.
            (Action::Show(_), Applied::PutOff) => {}
            (action, Applied::NotUpdated(why)) => {
                if let Some(interruption) = not_updated(action, why) {
                    self.interrupt(interruption);
                }
            }
            (
                action,
                Applied::TagTaken(_)
                | Applied::NotReplicated(_)
                | Applied::PutOff
                | Applied::Shown(_)
                | Applied::Created(_),
            ) => {
                let resource = action.name().to_owned();
                let problem = "an answer to something else".to_owned();
                self.failure.get_or_insert(Error::Unexpected { resource, problem });
            }
        }
    }

    fn failed(&mut self, action: &Action, error: Error, left: &mut Left, seen: &Snapshot) {
        match action {
            Action::Tell(notice) => {
                left.untold.push(Notice::clone(notice).tried_in_vain(seen.at).within_limits());
                left.error.get_or_insert(error);
            }
            Action::DeleteChangeSet(id) => {
                left.put_off.push(id.clone());
                left.error.get_or_insert(error);
            }
            Action::SaveState(_)
            | Action::MarkTold(_)
            | Action::CheckTags(_)
            | Action::PutTag { .. }
            | Action::CheckReplica { .. }
            | Action::UpdateStack(_)
            | Action::CreateChangeSet { .. }
            | Action::ExecuteChangeSet { .. }
            | Action::CancelUpdate(_)
            | Action::Show(_)
            | Action::KeepAnswer(_) => {
                self.failure.get_or_insert(error);
            }
        }
    }

    fn interrupt(&mut self, interruption: Interruption) {
        self.interruption.get_or_insert(interruption);
    }
}

/// Says which call CloudFormation did not accept, and for which promotion.
fn not_updated(action: &Action, why: NotUpdated) -> Option<Interruption> {
    let (call, token, change_set) = match action {
        Action::UpdateStack(Update { token, .. }) => ("cloudformation:UpdateStack", token, None),
        Action::CreateChangeSet { update, name } => {
            ("cloudformation:CreateChangeSet", &update.token, Some(name.clone()))
        }
        Action::ExecuteChangeSet { token, .. } => ("cloudformation:ExecuteChangeSet", token, None),
        Action::CancelUpdate(token) => ("cloudformation:CancelUpdateStack", token, None),
        Action::SaveState(_)
        | Action::MarkTold(_)
        | Action::CheckTags(_)
        | Action::PutTag { .. }
        | Action::CheckReplica { .. }
        | Action::DeleteChangeSet(_)
        | Action::Tell(_)
        | Action::Show(_)
        | Action::KeepAnswer(_) => return None,
    };
    Some(Interruption::NotUpdated { call, token: token.clone(), change_set, why })
}

/// What could not be carried out, and the results of the rest: both go into the mark at the end.
#[derive(Default)]
struct Left {
    put_off: Vec<String>,
    created: Vec<(String, String)>,
    shown: Vec<(RequestId, Posted)>,
    untold: Vec<Notice>,
    error: Option<Error>,
}

impl Left {
    /// Whether everything came out as it was decided.
    fn is_as_decided(&self) -> bool {
        let Self { put_off, created, shown, untold, error: _ } = self;
        put_off.is_empty() && created.is_empty() && shown.is_empty() && untold.is_empty()
    }

    /// Adapts a mark to what really happened: without what could not be done, and with the ARNs and
    /// messages that were made.
    fn as_it_came_out<'a>(&self, action: &'a Action, seen: &Snapshot) -> Cow<'a, Action> {
        let Action::MarkTold(records) = action else { return Cow::Borrowed(action) };
        if self.is_as_decided() {
            return Cow::Borrowed(action);
        }
        let mut records = records.clone();
        if let Some(state) = &mut records.state {
            let is_put_off = |own: &KnownChangeSet| self.put_off.iter().any(|id| id == own.id());
            let left: Vec<KnownChangeSet> = seen
                .state
                .iter()
                .flat_map(|state| &state.change_sets)
                .filter(|own| is_put_off(own))
                .cloned()
                .collect();
            state.change_sets.retain(|own| !is_put_off(own));
            state.change_sets.extend(left.into_iter().map(|own| KnownChangeSet {
                at: seen.at,
                is_removed: false,
                ..own
            }));
            for own in &mut state.change_sets {
                let created = self.created.iter().find(|(name, _)| name == own.name());
                own.arn = own.arn.take().or_else(|| created.map(|(_, arn)| arn.clone()));
            }
            self.shown.iter().for_each(|(id, posted)| state.shown(id, posted));
            state.untold.extend(self.untold.iter().cloned());
        }
        Cow::Owned(Action::MarkTold(records))
    }
}
