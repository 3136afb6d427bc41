//! Reviewing: where a guard or an SSM-typed parameter asks for it, an update goes out only as a
//! change set that was read.

use jiff::{SignedDuration, Timestamp};

use super::draft::{Draft, mark};
use super::promotion::Wanted;
use super::{Decided, Step};
use crate::model::answer::Outcome;
use crate::model::approval::ApprovalRequest;
use crate::model::change_set::{ChangeSet, Changes, Listed, name_prefix};
use crate::model::promotion::{Basis, End, Promotion, Update};
use crate::model::state::{KnownChangeSet, State};
use crate::model::{Digest, Token};
use crate::world::action::{Action, Records};
use crate::world::snapshot::Question;

/// How long a change set may be without its ARN in the state: its maker writes the ARN as soon as
/// it is answered.
const MAKING: SignedDuration = SignedDuration::from_secs(30);
/// The age at which a change set with this app's prefix counts as a stray: no sandbox can be about
/// to write it into the state any more.
const STRAY: SignedDuration = SignedDuration::from_mins(10);

/// What CloudFormation's *no updates* means where the value differs.
pub(super) const NO_UPDATES: &str = "CloudFormation says that no updates are to be performed \
                                     although the value differs: the template \
     does not use the parameter, or a transform keeps it from being seen \
     (AWS::LanguageExtensions); deploy the template once by hand";

impl<'a> Draft<'a> {
    /// Whether an update of this stack must be reviewed before it is sent.
    pub(super) fn needs_review(&self) -> bool {
        self.app.config.guard.is_some() || self.stack.has_ssm_parameters()
    }

    /// The change set to use for a promotion: the newest whose ARN is known, or will be known in a
    /// moment.
    pub(super) fn change_set_of(&self, token: &Token) -> Option<&KnownChangeSet> {
        let is_known = |own: &KnownChangeSet| own.arn.is_some();
        // Another sandbox may be about to write the ARN. If it has died, another change set is
        // made.
        let is_in_the_making = |own: &KnownChangeSet| {
            let is_lost = self.seen.learned.lost_change_sets.contains(own.name());
            own.name.is_some()
                && self.now.duration_since(own.at) < MAKING
                && !is_lost
                && self.look_again().is_err()
        };
        let own = self
            .state
            .change_sets
            .iter()
            .rev()
            .filter(|own| own.token == *token && !own.is_removed);
        own.into_iter().find(|own| {
            !self.discarded.contains(&own.name().to_owned())
                && (is_known(own) || is_in_the_making(own))
        })
    }

    /// What the promotion's change set would change, as far as that is known.
    pub(super) fn review_of(&self, token: &Token) -> Decided<ChangeSet> {
        let Some(own) = self.change_set_of(token) else { return Ok(ChangeSet::Absent) };
        match &own.arn {
            None => Err(Step::LookAgain),
            Some(arn) => self
                .seen
                .change_sets_read
                .get(arn)
                .cloned()
                .ok_or_else(|| Step::Read(Question::ChangeSet(arn.clone()))),
        }
    }

    /// Returns the promotion and the ARN of its change set, if its changes were read and are
    /// allowed; otherwise ends the decision.
    pub(super) fn reviewed(
        mut self,
        promotion: Promotion,
        update: &Update,
        wanted: &Wanted<'_>,
    ) -> Decided<(Draft<'a>, Promotion, String)> {
        let token = &promotion.token;
        // A click has no time for a review: the decision is written first, and the next look
        // carries it out.
        if !self.is_plan && !self.is_verdict_written(wanted) {
            let save = self.save(self.command.clone());
            return Err(Step::Prepare(save.map(|save| vec![save]).into_iter().collect()));
        }
        let arn = self.change_set_of(token).map(|own| own.id().to_owned()).unwrap_or_default();
        match self.review_of(token)? {
            ChangeSet::Absent => Err(self.ask_for_review(update)),
            ChangeSet::Outdated => Err(self.make_anew(&arn)),
            ChangeSet::Executing => {
                self.look_again()?;
                let reason = "CloudFormation is executing the change set, and the stack does not \
                              show it yet"
                    .to_owned();
                self.in_review = Some(token.clone());
                Err(self.wait(Outcome::Queued, reason, wanted))
            }
            ChangeSet::Unsure(reason) => {
                // The failure says nothing about the image, so another change set is made.
                self.discard(token);
                let reason = format!(
                    "CloudFormation could not work out what the update would change ({reason}): \
                     it is tried again"
                );
                Err(self.wait(Outcome::Queued, reason, wanted))
            }
            ChangeSet::Pending => {
                self.in_review = Some(token.clone());
                let reason = "CloudFormation is still working out what the update would change: \
                              it goes on by itself"
                    .to_owned();
                // A blocked promotion gets a new change set at each look. Nobody is told of that,
                // only of a different result.
                if self.is_standing(wanted)
                    && self
                        .state
                        .waiting
                        .as_ref()
                        .is_some_and(|before| before.outcome == Outcome::Blocked)
                {
                    return Err(self.nothing(Outcome::Queued, reason));
                }
                Err(self.wait(Outcome::Queued, reason, wanted))
            }
            ChangeSet::Empty => Err(self.fail(&promotion, NO_UPDATES.to_owned())),
            ChangeSet::Failed(reason) => Err(self.fail(&promotion, reason)),
            ChangeSet::Ready(changes) => {
                self.subject.changes = changes.lines();
                self.note_strays(&changes);
                let foreign = changes
                    .foreign_parameters(update, &self.app.config.parameter, self.stack)
                    .join("`, `");
                if !foreign.is_empty() {
                    self.discard(token);
                    if !self.is_standing(wanted) {
                        self.end(
                            &promotion,
                            End::Blocked,
                            format!("its change set has other parameters: `{foreign}`"),
                        );
                    }
                    let reason = format!(
                        "the change set does not have the parameters that were sent: `{foreign}`. \
                         It is not executed"
                    );
                    return Err(self.wait(Outcome::Blocked, reason, wanted));
                }
                if let Some(more) = self.more_than_shown(&changes, wanted) {
                    self.end(&promotion, End::Superseded, more.clone());
                    if self.seen.newest.as_ref() != Some(&promotion.digest) {
                        // People are asked about the newest only: they are told, and that one is
                        // the candidate.
                        self.announce(promotion.notice(
                            Outcome::Superseded,
                            more.clone(),
                            self.now,
                        ));
                        return Err(self.nothing(Outcome::Superseded, more));
                    }
                    return Err(self.ask_once_more(&promotion.digest, more)?);
                }
                if let Some(objection) = changes.objection(
                    self.app.config.guard.as_ref(),
                    self.stack,
                    self.is_stray || wanted.rolls_back.is_some(),
                ) {
                    if self.is_standing(wanted) {
                        self.state.open.retain(|open| open.token != *token);
                    } else {
                        self.end(&promotion, End::Blocked, objection.clone());
                    }
                    return Err(self.wait(Outcome::Blocked, objection, wanted));
                }
                let promotion =
                    Promotion { deletes_change_sets: changes.others.clone(), ..promotion };
                for own in self.state.open.iter_mut().filter(|own| own.token == promotion.token) {
                    own.deletes_change_sets.clone_from(&promotion.deletes_change_sets);
                }
                Ok((self, promotion, arn))
            }
        }
    }

    /// Marks a promotion's change set to be removed, so that another one is made later.
    fn discard(&mut self, token: &Token) {
        self.discarded.extend(self.change_set_of(token).map(|own| own.name().to_owned()));
    }

    /// Removes a change set that cannot be executed any more, and looks again, so that another one
    /// is made.
    pub(super) fn make_anew(&self, id: &str) -> Step {
        Step::Prepare(vec![vec![Action::DeleteChangeSet(id.to_owned())]])
    }

    /// Notes change sets to be removed: those with this app's prefix that the state does not know.
    /// Others may have made them. New ones are left alone, since a sandbox may be about to write
    /// them into the state.
    pub(super) fn note_strays(&mut self, changes: &Changes) {
        let is_known = |listed: &Listed| {
            self.state
                .change_sets
                .iter()
                .any(|own| own.id() == listed.arn || own.name() == listed.name)
        };
        let is_old = |listed: &Listed| self.now.duration_since(listed.at) >= STRAY;
        let strays = changes
            .own
            .iter()
            .filter(|listed| is_old(listed) && !is_known(listed))
            .map(|listed| listed.arn.clone());
        let strays: Vec<String> = strays.collect();
        self.stray_change_sets.extend(strays);
    }

    /// Why people must be asked again, if the update would change more than they were shown when
    /// they approved it.
    fn more_than_shown(&self, changes: &Changes, wanted: &Wanted<'_>) -> Option<String> {
        let is_its = |request: &&ApprovalRequest| {
            wanted.basis == Basis::Votes && Some(&request.id) == wanted.request.as_ref()
        };
        let shown = self.state.all_requests().find(is_its)?.shown_changes.as_ref()?;
        let more: Vec<String> =
            changes.lines().into_iter().filter(|line| !shown.contains(&mark_of(line))).collect();
        (!more.is_empty()).then(|| {
            format!("the update would change more than what people were shown: {}", more.join("; "))
        })
    }

    /// Asks CloudFormation to make the change set. Its name is written first, so that it is removed
    /// even after a crash.
    fn ask_for_review(mut self, update: &Update) -> Step {
        if self.is_plan {
            return self.ask_for_preview(update);
        }
        let name = self.remember_change_set(update);
        let told = self.state.clone();
        Step::Prepare(stages(self.save(self.command.clone()), update, name, told))
    }

    fn remember_change_set(&mut self, update: &Update) -> String {
        let name = format!("{}{}", name_prefix(&self.app.repository), self.seen.nonce);
        remember(&mut self.state, update, &name, self.now);
        name
    }

    /// The same for what is not (yet) to be carried out: it leaves no trace but its change set, and
    /// that only until it was read.
    pub(super) fn ask_for_preview(&self, update: &Update) -> Step {
        let config = &self.app.config;
        let mut state =
            self.seen.state.clone().unwrap_or_else(|| State::new(&config.stack, &config.parameter));
        let name = format!("{}{}", name_prefix(&self.app.repository), self.seen.nonce);
        remember(&mut state, update, &name, self.now);
        let save = Action::SaveState(Box::new(Records {
            state: Some(state.clone()),
            ..Records::default()
        }));
        Step::Prepare(stages(Some(save), update, name, state))
    }
}

fn remember(state: &mut State, update: &Update, name: &str, now: Timestamp) {
    let (token, name) = (update.token.clone(), Some(name.to_owned()));
    state.change_sets.push(KnownChangeSet { token, name, arn: None, at: now, is_removed: false });
}

/// Writes the change set's name, makes it, and writes its ARN. The mark gets the ARN when it is
/// carried out.
fn stages(save: Option<Action>, update: &Update, name: String, state: State) -> Vec<Vec<Action>> {
    let create = Action::CreateChangeSet { update: update.clone(), name };
    save.map(|save| vec![save]).into_iter().chain([vec![create], vec![mark(state)]]).collect()
}

/// A short hash of a line of changes. A request keeps these to compare, since a stack can have many
/// lines.
pub(super) fn mark_of(line: &str) -> String {
    Digest::of(line.as_bytes()).short()[..8].to_owned()
}
