//! Looks at one app: observes, decides and applies, again from the start where something got in
//! between, until it is done or out of rounds. Knows no HTTP.

mod carry_out;

use std::borrow::Cow;

use jiff::Timestamp;
use tracing::{Instrument, info, info_span, warn};

use crate::decide::{Plan, Stages, Step, Trigger, decide};
use crate::error::Error;
use crate::model::answer::Answer;
use crate::model::config::{App, ConfigError};
use crate::model::ecs::Service;
use crate::model::report::Reply;
use crate::world::action::Action;
use crate::world::snapshot::{Learned, Question, ServicesWanted, Snapshot, Subject};
use crate::world::{NotUpdated, World};
use carry_out::{CarriedOut, Interruption, carry_out};

/// How often one invocation looks at an app before it leaves the rest to the next.
const ROUNDS: u32 = 12;
/// How many further reads one decision may ask for: far more than any needs. A decision that asked
/// without end would fail.
const MOST_READS: u32 = 200;
/// How often one invocation looks at an app for somebody who may only look.
const LOOKS_WITHOUT_WRITES: u32 = 3;
/// How many lost answers make a look fail.
const LOST_ANSWERS: u32 = 3;

/// Looks at one app until what was decided is carried out, and answers.
pub async fn look<W: World>(
    world: &W,
    app: &App,
    trigger: &Trigger,
    subject: &Subject,
) -> Result<Reply, Error> {
    let span = info_span!("look", repository = %app.name);
    async {
        let mut look = Look::at(app);
        for round in 0..ROUNDS {
            if round > 0 {
                world.pause(round).await;
            }
            if let Some(reply) = look.round(world, trigger, subject, round).await? {
                return Ok(reply);
            }
        }
        Err(Error::Contended { repository: app.name.to_string(), rounds: ROUNDS })
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
        Err(Error::Unverified { reply, problem }) => {
            warn!(%problem, "ECS could not be asked");
            Ok(*reply)
        }
        looked => looked,
    }
}

/// Looks for somebody who may only look: nothing is written. Returns `None` if the answer would
/// need a write first.
pub async fn look_only<W: World>(
    world: &W,
    app: &App,
    trigger: &Trigger,
    subject: &Subject,
) -> Result<Option<Reply>, Error> {
    let mut look = Look::at(app);
    for round in 0..LOOKS_WITHOUT_WRITES {
        if round > 0 {
            world.pause(round).await;
        }
        let mut seen = world.observe(&look.app, subject).await?;
        seen.identity = subject.identity.clone();
        match look.decision(world, trigger, &mut seen).await? {
            Decision { reply: Some(reply), .. } => return Ok(Some(reply?)),
            Decision { stages, reply: None, .. } if stages.is_empty() => {}
            Decision { .. } => return Ok(None),
        }
    }
    Ok(None)
}

/// What one look keeps from round to round.
struct Look<'a> {
    app: Cow<'a, App>,
    learned: Learned,
    lost_answers: u32,
    services: Option<ServicesRead>,
}

/// Services that an earlier round read. They are kept, as a search is: the read may take longer
/// than the time for which the other reads of a look are valid, and an update would never go out.
struct ServicesRead {
    with_deployments: bool,
    /// Another update of the stack means another deployment.
    stack_updated_at: Option<Timestamp>,
    list: Vec<Service>,
}

/// What one round carries out.
struct Decision {
    stages: Stages,
    /// The answer once that is done; without one, another look follows.
    reply: Option<Result<Reply, ConfigError>>,
    /// Why something could not be read, if the invocation is to fail with that.
    unread: Option<String>,
}

impl Decision {
    /// Only looks again.
    const LOOK_AGAIN: Self = Self { stages: Vec::new(), reply: None, unread: None };
}

impl<'a> Look<'a> {
    fn at(app: &'a App) -> Self {
        Self {
            app: Cow::Borrowed(app),
            learned: Learned::default(),
            lost_answers: 0,
            services: None,
        }
    }

    /// Observes, decides and applies once. Returns `None` if another round is needed.
    async fn round<W: World>(
        &mut self,
        world: &W,
        trigger: &Trigger,
        subject: &Subject,
        round: u32,
    ) -> Result<Option<Reply>, Error> {
        let mut seen = world.observe(&self.app, subject).await?;
        seen.identity = subject.identity.clone();
        seen.learned = self.learned.clone();
        seen.matches.clone_from(&self.learned.matches);
        seen.notes.clone_from(&self.learned.notes);
        let Decision { stages, reply, unread } = self.decision(world, trigger, &mut seen).await?;
        let reply = match reply.transpose() {
            Ok(reply) => reply,
            Err(error) => {
                carry_out(world, &self.app, &stages, &seen).await?;
                return Err(error.into());
            }
        };
        self.learn_from(&seen);
        log(&stages, reply.as_ref(), round);
        match (carry_out(world, &self.app, &stages, &seen).await?, reply) {
            (CarriedOut::Whole, Some(reply)) => {
                return match unread {
                    None => Ok(Some(reply)),
                    Some(problem) => Err(Error::Unverified { reply: Box::new(reply), problem }),
                };
            }
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
                Step::Read(Question::Configuration) => match world.app_now(&self.app.name).await? {
                    Some(now) if now == *self.app => seen.is_configuration_newer = true,
                    Some(now) => {
                        self.app = Cow::Owned(now);
                        return Ok(Decision::LOOK_AGAIN);
                    }
                    None => return Ok(self.deleted()),
                },
                Step::Read(Question::Services(wanted)) => {
                    self.read_services(world, wanted, seen).await?
                }
                Step::Read(question) => world.read(&self.app, &question, seen).await?,
                Step::LookAgain(stages) => {
                    self.learned.vain_looks += u32::from(stages.is_empty());
                    return Ok(Decision { stages, ..Decision::LOOK_AGAIN });
                }
                Step::Finish(Plan { stages, reply, unread }) => {
                    return Ok(Decision { stages, reply: Some(reply), unread });
                }
            }
        }
        Err(Error::Unexpected {
            resource: format!("the decision about `{}`", self.app.name),
            problem: format!("it asked for more than {MOST_READS} reads"),
        })
    }

    /// Reads the stack's services, if no earlier round did.
    async fn read_services<W: World>(
        &mut self,
        world: &W,
        wanted: ServicesWanted,
        seen: &mut Snapshot,
    ) -> Result<(), Error> {
        let with_deployments = wanted.with_deployments;
        let stack_updated_at = seen.stack.as_ref().and_then(|stack| stack.updated_at);
        let is_same = |read: &&ServicesRead| {
            read.with_deployments == with_deployments && read.stack_updated_at == stack_updated_at
        };
        if let Some(read) = self.services.as_ref().filter(is_same) {
            seen.services = Some(Ok(read.list.clone()));
            return Ok(());
        }
        world.read(&self.app, &Question::Services(wanted), seen).await?;
        if let Some(Ok(list)) = &seen.services {
            let list = list.clone();
            self.services = Some(ServicesRead { with_deployments, stack_updated_at, list });
        }
        Ok(())
    }

    /// Answers about an app whose configuration was deleted in the meantime.
    fn deleted(&self) -> Decision {
        let answer = Answer::ignored("its configuration was deleted").about(&self.app);
        Decision { reply: Some(Ok(answer.into())), ..Decision::LOOK_AGAIN }
    }

    /// Remembers what took long to read, or could not be read, for the next round.
    fn learn_from(&mut self, seen: &Snapshot) {
        self.learned.matches.clone_from(&seen.matches);
        self.learned.notes.clone_from(&seen.notes);
        if let Some(Err(unread)) = &seen.services {
            self.learned.unread_services = Some(unread.clone());
        }
        if let Some(Err(unread)) = &seen.alarms {
            self.learned.unread_alarms = Some(unread.clone());
        }
    }

    /// Remembers an interruption for the next round. Fails if an answer was lost too often.
    fn learn(&mut self, interruption: Interruption) -> Result<(), Error> {
        let (call, token, change_set, why) = match interruption {
            Interruption::Overtaken => return Ok(()),
            Interruption::TagTaken(tag) => {
                self.learned.taken.insert(tag);
                return Ok(());
            }
            Interruption::NotReplicated(tag, found) => {
                self.learned.replicas.insert(tag, found);
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
