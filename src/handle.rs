//! One invocation: parse, and for each app observe, decide, apply; again from the start where
//! something got in between.

mod approve;
mod board;
mod slack;
mod web;

use std::borrow::Cow;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tracing::{Instrument, info, info_span, warn};

use crate::answer::{Answer, Reply};
use crate::config::{App, ConfigError};
use crate::decide::{Step, Trigger, decide};
use crate::error::Error;
use crate::event::{Event, Invocation, NotUnderstood, parse};
use crate::model::{Repository, RequestId, Tag, Token};
use crate::nearest::did_you_mean;
use crate::request::Posted;
use crate::schedule::{self, SIDE_BY_SIDE};
use crate::state::{ChangeSet, Notice};
use crate::web::Request;
use crate::world::{
    Action, Applied, NotUpdated, Question, Snapshot, Subject, Tried, Update, World,
};

/// How often one invocation looks at an app before it leaves the rest to the next.
const ROUNDS: u32 = 12;
/// How often an update is sent whose answer was lost.
const LOST_ANSWERS: u32 = 3;
/// How old the reads may be on which an update rests: `UpdateStack` itself cannot be made
/// conditional.
const FENCE: SignedDuration = SignedDuration::from_secs(8);

/// Handles one payload.
pub async fn handle<W: World>(
    world: &W,
    raw: &Value,
    invocation: &Invocation,
) -> Result<Value, Error> {
    if Request::is_one(raw) {
        // On the heap, as the looks below it: futures inside futures make a large one, which every
        // invocation would carry.
        return Ok(Box::pin(web::answer(world, raw, invocation.now)).await.into_payload());
    }
    let events = parse(raw, invocation)?;
    let mut replies = Vec::new();
    let mut errors = Vec::new();
    let all = events.len();
    for event in events {
        match Box::pin(on_event(world, event, invocation.deadline)).await {
            Ok(reply) => replies.push(json!(reply)),
            Err(error) => errors.push(error),
        }
    }
    if all == 1 {
        return match errors.pop() {
            Some(error) => Err(error),
            None => Ok(replies.pop().unwrap_or(Value::Null)),
        };
    }
    if errors.is_empty() {
        return Ok(json!({ "results": replies }));
    }
    let messages = errors.iter().map(Error::to_string).collect::<Vec<_>>().join("; ");
    Err(Error::Several { failed: errors.len(), all, messages })
}

async fn on_event<W: World>(
    world: &W,
    event: Result<Event, NotUnderstood>,
    deadline: Option<Timestamp>,
) -> Result<Reply, Error> {
    match event? {
        Event::Ignored { repository, reason } => {
            info!(%reason, "ignored");
            Ok(Answer::ignored(repository, reason).into())
        }
        Event::ImagePushed { repository, digest, tag } => match world.app(&repository).await? {
            None => ignored(repository, "the repository has no configuration".to_owned()),
            Some(app) if app.config.source_tag != tag => ignored(
                repository,
                format!("the tag `{tag}` is not the source tag `{}`", app.config.source_tag),
            ),
            Some(app) => {
                let subject = Subject { digest: Some(digest.clone()), ..Subject::default() };
                look(world, &app, &Trigger::Pushed(digest), &subject).await
            }
        },
        Event::StackChanged { stack_id } => {
            // A configuration that cannot be read names no stack. The schedule reports it.
            let apps = world.known_apps().await?.into_iter().filter_map(|(_, app)| app.ok());
            let concerned: Vec<App> = apps.filter(|app| app.is_about(&stack_id)).collect();
            match concerned.as_slice() {
                [] => {
                    Ok(Answer::ignored(None, format!("no app is configured for {stack_id}")).into())
                }
                [app] => {
                    look(world, app, &Trigger::Due("change of the stack"), &Subject::default())
                        .await
                }
                _ => {
                    schedule::look_at_several(
                        world,
                        concerned,
                        deadline,
                        routine(world, "change of the stack"),
                    )
                    .await
                }
            }
        }
        Event::Due { only_open_work } => {
            schedule::look_at_configured(
                world,
                only_open_work,
                deadline,
                routine(world, "schedule"),
            )
            .await
        }
        Event::Board { by } => board::link(world, board::Asker::Invoker(by)).await,
        Event::Command(command) => {
            let Some(app) = world.app(&command.repository).await? else {
                let place = format!("Parameter Store {}", world.source(&command.repository));
                let meant = meant(world, &command.repository, &[]).await;
                let problem = format!(
                    "there is no such parameter: the repository `{}` is not configured{meant}",
                    command.repository
                );
                return Err(ConfigError { place, key: None, problem }.into());
            };
            let subject = Subject::of(&command);
            look(world, &app, &Trigger::Command(command), &subject).await
        }
    }
}

/// Ends a sentence about an app that is not configured: names the app, or the command, that may
/// have been meant.
async fn meant<W: World>(world: &W, repository: &Repository, commands: &[&str]) -> String {
    let apps = world.app_names().await;
    did_you_mean(
        repository.as_str(),
        commands.iter().copied().chain(apps.iter().map(String::as_str)),
    )
}

fn ignored(repository: Repository, reason: String) -> Result<Reply, Error> {
    info!(%repository, %reason, "ignored");
    Ok(Answer::ignored(Some(repository), reason).into())
}

/// A look at one of many apps: most likely nothing is to be done.
fn routine<W: World>(world: &W, cause: &'static str) -> impl AsyncFn(&App) -> Result<Reply, Error> {
    async move |app: &App| {
        let subject = Subject { is_routine: true, ..Subject::default() };
        look(world, app, &Trigger::Due(cause), &subject).await
    }
}

/// Looks at one app until what was decided is carried out.
async fn look<W: World>(
    world: &W,
    app: &App,
    trigger: &Trigger,
    subject: &Subject,
) -> Result<Reply, Error> {
    let span = info_span!("look", repository = %app.repository);
    async {
        let mut app = Cow::Borrowed(app);
        let mut tried = Tried::default();
        let mut lost_answers = 0;
        for round in 0..ROUNDS {
            if round > 0 {
                world.pause(round).await;
            }
            let mut seen = world.observe(&app, subject).await?;
            seen.tried = tried.clone();
            seen.matches.clone_from(&tried.matches);
            let (stages, reply) = loop {
                match decide(&app, trigger, &seen) {
                    Step::Read(Question::Configuration) => {
                        match world.app_now(&app.repository).await? {
                            Some(now) if now == *app => seen.is_configuration_newer = true,
                            Some(now) => {
                                app = Cow::Owned(now);
                                break (Vec::new(), None);
                            }
                            None => {
                                return ignored(
                                    app.repository.clone(),
                                    "its configuration was deleted".to_owned(),
                                );
                            }
                        }
                    }
                    Step::Read(question) => world.read(&app, &question, &mut seen).await?,
                    Step::LookAgain => {
                        tried.vain_looks += 1;
                        break (Vec::new(), None);
                    }
                    Step::Prepare(stages) => break (stages, None),
                    Step::Misconfigured(error, stages) => {
                        carry_out(world, &app, &stages, &seen).await?;
                        return Err(error.into());
                    }
                    Step::Do(plan) => break (plan.stages, Some(plan.reply)),
                }
            };
            tried.matches.clone_from(&seen.matches);
            log(&stages, reply.as_ref(), round);
            match (carry_out(world, &app, &stages, &seen).await?, reply) {
                (CarriedOut::Whole, Some(reply)) => return Ok(reply),
                (CarriedOut::Untold(cause), Some(reply)) => {
                    return Err(Error::Untold { reply: Box::new(reply), cause: Box::new(cause) });
                }
                // The notices are in the state: the next look sends them.
                (CarriedOut::Whole | CarriedOut::Untold(_), None)
                | (CarriedOut::Interrupted(Hitch::Overtaken), _) => {}
                (CarriedOut::Interrupted(Hitch::TagTaken(tag)), _) => {
                    tried.taken.insert(tag);
                }
                (
                    CarriedOut::Interrupted(Hitch::NotUpdated { call, token, change_set, why }),
                    _,
                ) => {
                    info!(call, %token, ?why, "not updated");
                    // It may exist, but its ARN is not known, so it is not used.
                    tried.lost_change_sets.extend(change_set);
                    match why {
                        NotUpdated::NothingToDo => tried.no_updates = Some(token),
                        NotUpdated::Refused(reason) => tried.refused = Some((token, reason)),
                        NotUpdated::Contested => {}
                        NotUpdated::KnownToken => {
                            let before =
                                tried.known_token.take().filter(|(known, _)| *known == token);
                            tried.known_token =
                                Some((token, before.map_or(1, |(_, times)| times + 1)));
                        }
                        NotUpdated::Unsure(message) => {
                            lost_answers += 1;
                            if lost_answers == LOST_ANSWERS {
                                let resource = format!("stack `{}`", app.config.stack);
                                return Err(Error::Aws { action: call, resource, message });
                            }
                        }
                    }
                }
            }
        }
        Err(Error::Contended { repository: app.repository.to_string(), rounds: ROUNDS })
    }
    .instrument(span)
    .await
}

/// The same for a person who waits for the answer. It does not fail because others could not be
/// told.
async fn look_for_a_person<W: World>(
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

/// How far a decision was carried out.
enum CarriedOut {
    Whole,
    /// Something got in between.
    Interrupted(Hitch),
    /// Carried out, but people could not be told or a change set could not be removed. The next
    /// look does that.
    Untold(Error),
}

/// What got in between a decision and its end.
enum Hitch {
    Overtaken,
    TagTaken(Tag),
    /// CloudFormation did not take this call.
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
            return Ok(CarriedOut::Interrupted(Hitch::Overtaken));
        }
        let stage: Vec<Cow<'_, Action>> =
            stage.iter().map(|action| left.as_it_came_out(action, seen)).collect();
        let results = join_all(stage.iter().map(|action| world.apply(app, action, &version))).await;
        let (mut saved, mut hitch, mut failure) = (None, None, None);
        for (action, result) in stage.iter().zip(results) {
            match (action.as_ref(), result) {
                (Action::Tell(notice), Err(error)) => {
                    left.untold.push(notice.clone().tried_in_vain(seen.at).within_limits());
                    left.error.get_or_insert(error);
                }
                (Action::DeleteChangeSet(id), Err(error)) => {
                    left.put_off.push(id.clone());
                    left.error.get_or_insert(error);
                }
                (_, Err(error)) => {
                    failure.get_or_insert(error);
                }
                (_, Ok(Applied::Done)) => {}
                (_, Ok(Applied::Saved(version))) => saved = Some(version),
                (Action::Mark(_), Ok(Applied::Conflict)) => {}
                (_, Ok(Applied::Conflict)) => hitch = hitch.or(Some(Hitch::Overtaken)),
                (Action::PutTag { .. } | Action::CheckTags(_), Ok(Applied::TagTaken(tag))) => {
                    hitch = hitch.or(Some(Hitch::TagTaken(tag)))
                }
                (Action::DeleteChangeSet(id), Ok(Applied::PutOff)) => left.put_off.push(id.clone()),
                (Action::CreateChangeSet { name, .. }, Ok(Applied::Created(arn))) => {
                    left.created.push((name.clone(), arn))
                }
                (Action::Show(request), Ok(Applied::Shown(posted))) => {
                    left.shown.push((request.id.clone(), posted))
                }
                // It is not marked as shown, and so tried again at the next look.
                (Action::Show(_), Ok(Applied::PutOff)) => {}
                (action, Ok(Applied::NotUpdated(why))) => {
                    hitch = hitch.or(not_updated(action, why))
                }
                (
                    action,
                    Ok(
                        Applied::TagTaken(_)
                        | Applied::PutOff
                        | Applied::Shown(_)
                        | Applied::Created(_),
                    ),
                ) => {
                    let (resource, problem) =
                        (action.name().to_owned(), "an answer to something else".to_owned());
                    failure.get_or_insert(Error::Unexpected { resource, problem });
                }
            }
        }
        // If somebody else came first, another look decides what to do with the rest.
        match (hitch, failure) {
            (Some(hitch), _) => return Ok(CarriedOut::Interrupted(hitch)),
            (None, Some(error)) => return Err(error),
            (None, None) => version = saved.unwrap_or(version),
        }
    }
    Ok(left.error.map_or(CarriedOut::Whole, CarriedOut::Untold))
}

/// Says which call CloudFormation did not accept, and of which promotion.
fn not_updated(action: &Action, why: NotUpdated) -> Option<Hitch> {
    let (call, token, change_set) = match action {
        Action::UpdateStack(Update { token, .. }) => ("cloudformation:UpdateStack", token, None),
        Action::CreateChangeSet { update, name } => {
            ("cloudformation:CreateChangeSet", &update.token, Some(name.clone()))
        }
        Action::ExecuteChangeSet { token, .. } => ("cloudformation:ExecuteChangeSet", token, None),
        Action::CancelUpdate(token) => ("cloudformation:CancelUpdateStack", token, None),
        Action::Save(_)
        | Action::Mark(_)
        | Action::CheckTags(_)
        | Action::PutTag { .. }
        | Action::DeleteChangeSet(_) => return None,
        Action::Tell(_) | Action::Show(_) | Action::KeepAnswer(_) => return None,
    };
    Some(Hitch::NotUpdated { call, token: token.clone(), change_set, why })
}

/// What a plan could not do, and the results of what it did: both go into the mark at its end.
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
        let Action::Mark(records) = action else { return Cow::Borrowed(action) };
        let mut records = records.clone();
        if let Some(state) = &mut records.state {
            let is_put_off = |own: &ChangeSet| self.put_off.iter().any(|id| id == own.id());
            let left: Vec<ChangeSet> = seen
                .state
                .iter()
                .flat_map(|state| &state.change_sets)
                .filter(|own| is_put_off(own))
                .cloned()
                .collect();
            state.change_sets.retain(|own| !is_put_off(own));
            state.change_sets.extend(left.into_iter().map(|own| ChangeSet {
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
        Cow::Owned(Action::Mark(records))
    }
}
