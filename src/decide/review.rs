//! Reviewing: where a guard or an SSM-typed parameter asks for it, an update goes out only as a change set that was read.

use jiff::Timestamp;

use super::draft::Draft;
use super::promotion::Wanted;
use super::{Decided, Step};
use crate::answer::Outcome;
use crate::review::Review;
use crate::state::{ChangeSet, End, Promotion, State};
use crate::world::{Action, Question, Records, Update};

/// What CloudFormation's *no updates* means where the value differs.
pub(super) const NO_UPDATES: &str = "CloudFormation says that no updates are to be performed although the value differs: the template \
     does not use the parameter, or a transform keeps it from being seen (AWS::LanguageExtensions); deploy the template once by hand";

impl<'a> Draft<'a> {
    /// Whether an update of this stack must be reviewed before it is sent.
    pub(super) fn needs_review(&self) -> bool {
        self.app.config.guard.is_some() || self.stack.has_ssm_parameters()
    }

    /// Lets a promotion through whose changes were read and are allowed; everything else ends the decision here.
    pub(super) fn reviewed(mut self, promotion: Promotion, update: &Update, wanted: &Wanted<'_>) -> Decided<(Draft<'a>, Promotion)> {
        let token = &promotion.token;
        match self.seen.reviews.get(token) {
            // A click has no time for that: what people decided is written first, and carried out by whoever comes next.
            None if !self.is_plan && !self.is_verdict_written(wanted) => {
                let save = self.save(self.command.clone());
                Err(Step::Prepare(save.map(|save| vec![save]).into_iter().collect()))
            }
            None => Err(Step::Read(Question::Review(token.clone()))),
            Some(Review::Absent) => Err(self.ask_for_review(update)),
            Some(Review::Outdated) => Err(Step::Prepare(vec![vec![Action::DeleteChangeSet(token.clone())]])),
            Some(Review::Executing) => {
                self.look_again()?;
                let reason = "CloudFormation is executing the change set, and the stack does not show it yet".to_owned();
                self.in_review = Some(token.clone());
                Err(self.wait(Outcome::Queued, reason, wanted))
            }
            Some(Review::Unsure(reason)) => {
                // What CloudFormation could not work out just now says nothing of the image.
                self.discarded.push(token.clone());
                let reason = format!("CloudFormation could not work out what the update would change ({reason}): it is tried again");
                Err(self.wait(Outcome::Queued, reason, wanted))
            }
            Some(Review::Pending) => {
                self.in_review = Some(token.clone());
                let reason = "CloudFormation is still working out what the update would change: it goes on by itself".to_owned();
                // Each look makes what was blocked wait for a new change set: that is no news, and a change of it will be told.
                if self.is_standing(wanted) && self.state.waiting.as_ref().is_some_and(|before| before.outcome == Outcome::Blocked) {
                    return Err(self.nothing(Outcome::Queued, reason));
                }
                Err(self.wait(Outcome::Queued, reason, wanted))
            }
            Some(Review::Empty) => Err(self.fail(&promotion, NO_UPDATES.to_owned())),
            Some(Review::Failed(reason)) => Err(self.fail(&promotion, reason.clone())),
            Some(Review::Ready(changes)) => {
                self.subject.changes = changes.lines();
                if let Some(objection) =
                    changes.objection(self.app.config.guard.as_ref(), self.stack, self.is_stray || wanted.rolls_back.is_some())
                {
                    if self.is_standing(wanted) {
                        self.state.open.retain(|open| open.token != *token);
                    } else {
                        self.end(&promotion, End::Blocked, objection.clone());
                    }
                    return Err(self.wait(Outcome::Blocked, objection, wanted));
                }
                let promotion = Promotion { deletes_change_sets: changes.others.clone(), ..promotion };
                for own in self.state.open.iter_mut().filter(|own| own.token == promotion.token) {
                    own.deletes_change_sets.clone_from(&promotion.deletes_change_sets);
                }
                Ok((self, promotion))
            }
        }
    }

    /// Has the change set made. That there may be one is remembered first, so that none is left behind.
    fn ask_for_review(mut self, update: &Update) -> Step {
        if self.is_plan {
            return self.ask_for_preview(update);
        }
        remember(&mut self.state, update, self.now);
        Step::Prepare(stages(self.save(self.command.clone()), update))
    }

    /// The same for what is not (yet) to be carried out: it leaves no trace but its change set, and that only until it was read.
    pub(super) fn ask_for_preview(&self, update: &Update) -> Step {
        let config = &self.app.config;
        let mut state = self.seen.state.clone().unwrap_or_else(|| State::new(&config.stack, &config.parameter));
        remember(&mut state, update, self.now);
        let is_new = self.seen.state.as_ref() != Some(&state);
        let save = is_new.then(|| Action::Save(Box::new(Records { state: Some(state), ..Records::default() })));
        Step::Prepare(stages(save, update))
    }
}

fn remember(state: &mut State, update: &Update, now: Timestamp) {
    state.change_sets.retain(|own| own.token != update.token);
    state.change_sets.push(ChangeSet { token: update.token.clone(), at: now, is_removed: false });
}

fn stages(save: Option<Action>, update: &Update) -> Vec<Vec<Action>> {
    save.map(|save| vec![save]).into_iter().chain([vec![Action::CreateChangeSet(update.clone())]]).collect()
}
