//! One invocation: parse, and for each app observe, decide, apply; again from the start where something got in between.

mod approve;
mod board;
mod slack;
mod web;

use std::borrow::Cow;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tracing::{Instrument, info, info_span};

use crate::answer::{Answer, Reply};
use crate::config::{App, ConfigError};
use crate::decide::{Step, Trigger, decide};
use crate::error::Error;
use crate::event::{Event, Invocation, NotUnderstood, parse};
use crate::link::BoardLink;
use crate::model::{Repository, RequestId, Tag, Token};
use crate::request::Posted;
use crate::schedule::{self, SIDE_BY_SIDE};
use crate::state::ChangeSet;
use crate::web::Request;
use crate::world::{Action, Applied, NotUpdated, Snapshot, Subject, Tried, Update, World};

/// How often one invocation looks at an app before it leaves the rest to the next.
const ROUNDS: u32 = 12;
/// How often an update is sent whose answer was lost.
const LOST_ANSWERS: u32 = 3;
/// How old the reads may be on which an update rests: `UpdateStack` itself cannot be made conditional.
const FENCE: SignedDuration = SignedDuration::from_secs(8);

/// Handles one payload.
pub async fn handle<W: World>(world: &W, raw: &Value, invocation: &Invocation) -> Result<Value, Error> {
    if Request::is_one(raw) {
        // On the heap, as the looks below it: futures inside futures make a large one, which every invocation would carry.
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

async fn on_event<W: World>(world: &W, event: Result<Event, NotUnderstood>, deadline: Option<Timestamp>) -> Result<Reply, Error> {
    match event? {
        Event::Ignored { repository, reason } => {
            info!(%reason, "ignored");
            Ok(Answer::ignored(repository, reason).into())
        }
        Event::ImagePushed { repository, digest, tag } => match world.app(&repository).await? {
            None => ignored(repository, "the repository has no configuration".to_owned()),
            Some(app) if app.config.source_tag != tag => {
                ignored(repository, format!("the tag `{tag}` is not the source tag `{}`", app.config.source_tag))
            }
            Some(app) => {
                let subject = Subject { digest: Some(digest.clone()), ..Subject::default() };
                look(world, &app, &Trigger::Pushed(digest), &subject).await
            }
        },
        Event::StackChanged { stack_id } => {
            // A configuration that cannot be read is the schedule's matter: nobody knows which stack it means.
            let apps = world.known_apps().await?.into_iter().filter_map(|(_, app)| app.ok());
            let concerned: Vec<App> = apps.filter(|app| app.is_about(&stack_id)).collect();
            match concerned.as_slice() {
                [] => Ok(Answer::ignored(None, format!("no app is configured for {stack_id}")).into()),
                [app] => look(world, app, &Trigger::Due("change of the stack"), &Subject::default()).await,
                _ => schedule::look_at_several(world, concerned, deadline, routine(world, "change of the stack")).await,
            }
        }
        Event::Due { only_open_work } => schedule::look_at_configured(world, only_open_work, deadline, routine(world, "schedule")).await,
        Event::Board { by } => board::link(world, BoardLink { by: by.unwrap_or_default(), slack: None }).await,
        Event::Command(command) => {
            let Some(app) = world.app(&command.repository).await? else {
                let place = format!("Parameter Store {}", world.source(&command.repository));
                let problem = format!("there is no such parameter: the repository `{}` is not configured", command.repository);
                return Err(ConfigError { place, key: None, problem }.into());
            };
            let subject = Subject::of(&command);
            look(world, &app, &Trigger::Command(command), &subject).await
        }
    }
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
async fn look<W: World>(world: &W, app: &App, trigger: &Trigger, subject: &Subject) -> Result<Reply, Error> {
    let span = info_span!("look", repository = %app.repository);
    async {
        let mut tried = Tried::default();
        let mut lost_answers = 0;
        for round in 0..ROUNDS {
            if round > 0 {
                world.pause(round).await;
            }
            let mut seen = world.observe(app, subject).await?;
            seen.tried = tried.clone();
            seen.matches.clone_from(&tried.matches);
            let (stages, reply) = loop {
                match decide(app, trigger, &seen) {
                    Step::Read(question) => world.read(app, &question, &mut seen).await?,
                    Step::LookAgain => break (Vec::new(), None),
                    Step::Prepare(stages) => break (stages, None),
                    Step::Misconfigured(error, stages) => {
                        carry_out(world, app, &stages, &seen).await?;
                        return Err(error.into());
                    }
                    Step::Do(plan) => break (plan.stages, Some(plan.reply)),
                }
            };
            tried.matches.clone_from(&seen.matches);
            log(&stages, reply.as_ref(), round);
            match carry_out(world, app, &stages, &seen).await? {
                None => {
                    if let Some(reply) = reply {
                        return Ok(reply);
                    }
                }
                Some(Hitch::Overtaken) => {}
                Some(Hitch::TagTaken(tag)) => {
                    tried.taken.insert(tag);
                }
                Some(Hitch::NotUpdated(call, token, why)) => {
                    info!(call, %token, ?why, "not updated");
                    match why {
                        NotUpdated::NothingToDo => tried.no_updates = Some(token),
                        NotUpdated::Refused(reason) => tried.refused = Some((token, reason)),
                        NotUpdated::Contested => {}
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

fn log(stages: &[Vec<Action>], reply: Option<&Reply>, round: u32) {
    let actions: Vec<&str> = stages.iter().flatten().map(Action::name).collect();
    match reply {
        Some(Reply::Answer(answer)) => info!(outcome = %answer.outcome, reason = %answer.reason, ?actions, round, "decided"),
        Some(Reply::Report(_)) => info!(?actions, "reported"),
        None => info!(?actions, round, "looks again"),
    }
}

/// What got in between a decision and its end.
enum Hitch {
    Overtaken,
    TagTaken(Tag),
    /// CloudFormation did not take this call.
    NotUpdated(&'static str, Token, NotUpdated),
}

/// Carries out the stages in order, until something gets in between.
async fn carry_out<W: World>(world: &W, app: &App, stages: &[Vec<Action>], seen: &Snapshot) -> Result<Option<Hitch>, Error> {
    let mut version = seen.version.clone();
    let (mut put_off, mut shown) = (Vec::new(), Vec::new());
    for stage in stages {
        let sends = |a: &Action| matches!(a, Action::UpdateStack(_) | Action::ExecuteChangeSet(_) | Action::CancelUpdate(_));
        if stage.iter().any(sends) && world.now().duration_since(seen.at) > FENCE {
            return Ok(Some(Hitch::Overtaken));
        }
        let stage: Vec<Cow<'_, Action>> = stage.iter().map(|action| as_it_came_out(action, &put_off, &shown, seen.at)).collect();
        let results = join_all(stage.iter().map(|action| world.apply(app, action, &version))).await;
        let mut saved = None;
        for (action, result) in stage.iter().zip(results) {
            match (action.as_ref(), result?) {
                (_, Applied::Done) => {}
                (_, Applied::Saved(version)) => saved = Some(version),
                (Action::Mark(_), Applied::Conflict) => {}
                (_, Applied::Conflict) => return Ok(Some(Hitch::Overtaken)),
                (Action::PutTag { tag, .. }, Applied::TagTaken) => return Ok(Some(Hitch::TagTaken(tag.clone()))),
                (Action::DeleteChangeSet(token), Applied::PutOff) => put_off.push(token.clone()),
                (Action::Show(request), Applied::Shown(posted)) => shown.push((request.id.clone(), posted)),
                // It is not marked as shown, and so tried again at the next look.
                (Action::Show(_), Applied::PutOff) => {}
                (Action::UpdateStack(Update { token, .. }), Applied::NotUpdated(why)) => {
                    return Ok(Some(Hitch::NotUpdated("cloudformation:UpdateStack", token.clone(), why)));
                }
                (Action::CreateChangeSet(Update { token, .. }), Applied::NotUpdated(why)) => {
                    return Ok(Some(Hitch::NotUpdated("cloudformation:CreateChangeSet", token.clone(), why)));
                }
                (Action::ExecuteChangeSet(token), Applied::NotUpdated(why)) => {
                    return Ok(Some(Hitch::NotUpdated("cloudformation:ExecuteChangeSet", token.clone(), why)));
                }
                (Action::CancelUpdate(token), Applied::NotUpdated(why)) => {
                    return Ok(Some(Hitch::NotUpdated("cloudformation:CancelUpdateStack", token.clone(), why)));
                }
                (action, Applied::TagTaken | Applied::PutOff | Applied::Shown(_) | Applied::NotUpdated(_)) => {
                    return Err(Error::Unexpected {
                        resource: action.name().to_owned(),
                        problem: "an answer to something else".to_owned(),
                    });
                }
            }
        }
        version = saved.unwrap_or(version);
    }
    Ok(None)
}

/// What a mark says was done, less what could not be done yet, and where people can see it.
fn as_it_came_out<'a>(action: &'a Action, put_off: &[Token], shown: &[(RequestId, Posted)], at: Timestamp) -> Cow<'a, Action> {
    let Action::Mark(records) = action else { return Cow::Borrowed(action) };
    let mut records = records.clone();
    if let Some(state) = &mut records.state {
        state.change_sets.retain(|own| !put_off.contains(&own.token));
        state.change_sets.extend(put_off.iter().map(|token| ChangeSet { token: token.clone(), at, is_removed: false }));
        shown.iter().for_each(|(id, posted)| state.shown(id, posted));
    }
    Cow::Owned(Action::Mark(records))
}
