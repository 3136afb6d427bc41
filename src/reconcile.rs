//! Looks at one app: observes, decides and applies, again from the start where something got in
//! between, until it is done or out of rounds. Knows no HTTP.

use std::borrow::Cow;

use futures_util::future::join_all;
use jiff::SignedDuration;
use tracing::{Instrument, info, info_span, warn};

use crate::decide::{Plan, Stages, Step, Trigger, decide};
use crate::error::Error;
use crate::model::answer::Answer;
use crate::model::approval::Posted;
use crate::model::config::{App, ConfigError};
use crate::model::notice::Notice;
use crate::model::promotion::Update;
use crate::model::report::Reply;
use crate::model::state::KnownChangeSet;
use crate::model::{RequestId, Tag, Token};
use crate::world::action::Action;
use crate::world::snapshot::{Learned, Question, Snapshot, Subject, Version};
use crate::world::{Applied, NotUpdated, World};

/// How often one invocation looks at an app before it leaves the rest to the next.
const ROUNDS: u32 = 12;
/// How many further reads one decision may ask for. The longest one known asks for some twenty.
const MOST_READS: u32 = 200;
/// How many lost answers make a look fail.
const LOST_ANSWERS: u32 = 3;
/// How old the reads may be on which an update rests: `UpdateStack` itself cannot be made
/// conditional.
const FENCE: SignedDuration = SignedDuration::from_secs(8);

/// Looks at one app until what was decided is carried out, and answers.
pub async fn look<W: World>(
    world: &W,
    app: &App,
    trigger: &Trigger,
    subject: &Subject,
) -> Result<Reply, Error> {
    let span = info_span!("look", repository = %app.repository);
    async {
        let mut look =
            Look { app: Cow::Borrowed(app), learned: Learned::default(), lost_answers: 0 };
        for round in 0..ROUNDS {
            if round > 0 {
                world.pause(round).await;
            }
            if let Some(reply) = look.round(world, trigger, subject, round).await? {
                return Ok(reply);
            }
        }
        Err(Error::Contended { repository: app.repository.to_string(), rounds: ROUNDS })
    }
    .instrument(span)
    .await
}

/// Looks for a person who waits for the answer. It succeeds even if others could not be told.
pub async fn look_for_a_person<W: World>(
    world: &W,
    app: &App,
    trigger: &Trigger,
    subject: &Subject,
) -> Result<Reply, Error> {
    match look(world, app, trigger, subject).await {
        Err(Error::Untold { reply, cause }) => {
            warn!(%cause, "people were not told yet");
            Ok(*reply)
        }
        looked => looked,
    }
}

/// What one look keeps from round to round.
struct Look<'a> {
    app: Cow<'a, App>,
    learned: Learned,
    lost_answers: u32,
}

/// What one round carries out.
struct Decision {
    stages: Stages,
    /// The answer once that is done; without one, another look follows.
    reply: Option<Result<Reply, ConfigError>>,
}

impl Decision {
    /// Only looks again.
    const LOOK_AGAIN: Self = Self { stages: Vec::new(), reply: None };
}

impl Look<'_> {
    /// Observes, decides and applies once. Returns `None` if another round is needed.
    async fn round<W: World>(
        &mut self,
        world: &W,
        trigger: &Trigger,
        subject: &Subject,
        round: u32,
    ) -> Result<Option<Reply>, Error> {
        let mut seen = world.observe(&self.app, subject).await?;
        seen.learned = self.learned.clone();
        seen.matches.clone_from(&self.learned.matches);
        let Decision { stages, reply } = self.decision(world, trigger, &mut seen).await?;
        let reply = match reply.transpose() {
            Ok(reply) => reply,
            Err(error) => {
                carry_out(world, &self.app, &stages, &seen).await?;
                return Err(error.into());
            }
        };
        self.learned.matches.clone_from(&seen.matches);
        log(&stages, reply.as_ref(), round);
        match (carry_out(world, &self.app, &stages, &seen).await?, reply) {
            (CarriedOut::Whole, Some(reply)) => return Ok(Some(reply)),
            (CarriedOut::Untold(cause), Some(reply)) => {
                return Err(Error::Untold { reply: Box::new(reply), cause: Box::new(cause) });
            }
            // The notices are in the state: the next look sends them.
            (CarriedOut::Whole | CarriedOut::Untold(_), None) => {}
            (CarriedOut::Interrupted(interruption), _) => self.learn(interruption)?,
        }
        Ok(None)
    }

    /// Decides, and reads what the decision asks for until it is made.
    async fn decision<W: World>(
        &mut self,
        world: &W,
        trigger: &Trigger,
        seen: &mut Snapshot,
    ) -> Result<Decision, Error> {
        for _ in 0..MOST_READS {
            match decide(&self.app, trigger, seen) {
                Step::Read(Question::Configuration) => {
                    match world.app_now(&self.app.repository).await? {
                        Some(now) if now == *self.app => seen.is_configuration_newer = true,
                        Some(now) => {
                            self.app = Cow::Owned(now);
                            return Ok(Decision::LOOK_AGAIN);
                        }
                        None => return Ok(self.deleted()),
                    }
                }
                Step::Read(question) => world.read(&self.app, &question, seen).await?,
                Step::LookAgain(stages) => {
                    self.learned.vain_looks += u32::from(stages.is_empty());
                    return Ok(Decision { stages, reply: None });
                }
                Step::Finish(Plan { stages, reply }) => {
                    return Ok(Decision { stages, reply: Some(reply) });
                }
            }
        }
        Err(Error::Unexpected {
            resource: format!("the decision about `{}`", self.app.repository),
            problem: format!("it asked for more than {MOST_READS} reads"),
        })
    }

    /// Answers about an app whose configuration was deleted in the meantime.
    fn deleted(&self) -> Decision {
        let repository = Some(self.app.repository.clone());
        let answer = Answer::ignored(repository, "its configuration was deleted");
        Decision { stages: Vec::new(), reply: Some(Ok(answer.into())) }
    }

    /// Remembers an interruption for the next round. Fails if an answer was lost too often.
    fn learn(&mut self, interruption: Interruption) -> Result<(), Error> {
        let (call, token, change_set, why) = match interruption {
            Interruption::Overtaken => return Ok(()),
            Interruption::TagTaken(tag) => {
                self.learned.taken.insert(tag);
                return Ok(());
            }
            Interruption::NotUpdated { call, token, change_set, why } => {
                (call, token, change_set, why)
            }
        };
        info!(call, %token, ?why, "not updated");
        // It may exist, but its ARN is not known, so it is not used.
        self.learned.lost_change_sets.extend(change_set);
        match why {
            NotUpdated::NothingToDo => self.learned.no_updates = Some(token),
            NotUpdated::Refused(reason) => self.learned.refused = Some((token, reason)),
            NotUpdated::Contested => {}
            NotUpdated::KnownToken => {
                let before = self.learned.known_token.take().filter(|(known, _)| *known == token);
                let times = before.map_or(1, |(_, times)| times + 1);
                self.learned.known_token = Some((token, times));
            }
            NotUpdated::Unsure(message) => {
                self.lost_answers += 1;
                if self.lost_answers == LOST_ANSWERS {
                    let resource = format!("stack `{}`", self.app.config.stack);
                    return Err(Error::Aws { action: call, resource, message });
                }
            }
        }
        Ok(())
    }
}

fn log(stages: &[Vec<Action>], reply: Option<&Reply>, round: u32) {
    let actions: Vec<&str> = stages.iter().flatten().map(Action::name).collect();
    match reply {
        Some(Reply::Answer(answer)) => {
            info!(outcome = %answer.outcome, reason = %answer.reason, ?actions, round, "decided")
        }
        Some(Reply::Report(_)) => info!(?actions, "reported"),
        None => info!(?actions, round, "looks again"),
    }
}

/// How far the stages were carried out.
enum CarriedOut {
    /// All of it.
    Whole,
    /// Something got in between.
    Interrupted(Interruption),
    /// All of it, but people could not be told or a change set could not be removed. The next look
    /// does that.
    Untold(Error),
}

/// What got in between a decision and its end.
enum Interruption {
    /// Somebody else wrote the state first, or the reads are too old.
    Overtaken,
    /// This tag is on another image.
    TagTaken(Tag),
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
async fn carry_out<W: World>(
    world: &W,
    app: &App,
    stages: &[Vec<Action>],
    seen: &Snapshot,
) -> Result<CarriedOut, Error> {
    let mut version = seen.version.clone();
    let mut left = Left::default();
    for stage in stages {
        if stage.iter().any(Action::rests_on_reads) && world.now().duration_since(seen.at) > FENCE {
            return Ok(CarriedOut::Interrupted(Interruption::Overtaken));
        }
        let stage: Vec<Cow<'_, Action>> =
            stage.iter().map(|action| left.as_it_came_out(action, seen)).collect();
        let results = join_all(stage.iter().map(|action| world.apply(app, action, &version))).await;
        let mut came_out = StageResult::default();
        for (action, result) in stage.iter().zip(results) {
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
                Applied::TagTaken(_) | Applied::PutOff | Applied::Shown(_) | Applied::Created(_),
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
                left.untold.push(notice.clone().tried_in_vain(seen.at).within_limits());
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
    /// Adapts a mark to what really happened: without what could not be done, and with the ARNs and
    /// messages that were made.
    fn as_it_came_out<'a>(&self, action: &'a Action, seen: &Snapshot) -> Cow<'a, Action> {
        let Action::MarkTold(records) = action else { return Cow::Borrowed(action) };
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
