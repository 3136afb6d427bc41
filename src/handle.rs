//! One invocation: passes an HTTP request, the schedule or an event on to the code that answers it.
//! Decides nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::info;

use crate::decide::Trigger;
use crate::error::Error;
use crate::event::payload::parse;
use crate::event::{Event, Invocation, NotUnderstood};
use crate::function_url::Request;
use crate::model::answer::Answer;
use crate::model::bake::alarm_name;
use crate::model::command::{Command, Via};
use crate::model::config::{App, ConfigError};
use crate::model::ecs::known::KnownServices;
use crate::model::report::Reply;
use crate::model::state::State;
use crate::model::{Digest, Repository, Tag};
use crate::reconcile::look;
use crate::schedule;
use crate::text::brief;
use crate::web::{self, board_link};
use crate::world::Web;
use crate::world::snapshot::Subject;

/// Handles one payload.
pub async fn handle<W: Web>(
    world: &W,
    raw: &Value,
    invocation: &Invocation,
) -> Result<Value, Error> {
    if Request::is_one(raw) {
        // On the heap, like the looks below: nested futures make one large future, which every
        // invocation would have to carry.
        return Ok(Box::pin(web::answer(world, raw, invocation.now)).await.into_payload());
    }
    let events = parse(raw, invocation)?;
    let mut replies = Vec::new();
    let mut errors = Vec::new();
    let all = events.len();
    for event in events {
        match Box::pin(on_event(world, event, invocation.deadline)).await {
            Ok(reply) => replies.push(with_app(json!(reply))),
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

/// Adds the app's name to each answer. `repository` is its older name.
fn with_app(mut reply: Value) -> Value {
    if let Some(results) = reply.get_mut("results").and_then(Value::as_array_mut) {
        results.iter_mut().for_each(|result| *result = with_app(result.take()));
    }
    if let Some(answer) = reply.as_object_mut()
        && let Some(app) = answer.get("repository").cloned()
    {
        answer.entry("app").or_insert(app);
    }
    reply
}

async fn on_event<W: Web>(
    world: &W,
    event: Result<Event, NotUnderstood>,
    deadline: Option<Timestamp>,
) -> Result<Reply, Error> {
    let event = match event {
        Ok(event) => event,
        Err(problem) => {
            if let Some(message) = &problem.message {
                world.answer_commander(message, &problem.to_string()).await;
            }
            return Err(problem.into());
        }
    };
    match event {
        Event::Ignored { repository, reason } => {
            info!(%reason, "ignored");
            Ok(Answer::ignored(repository, reason).into())
        }
        Event::ImagePushed { repository, digest, tag } => {
            on_push(world, repository, digest, &tag).await
        }
        Event::StackChanged { stack_id } => on_stack(world, &stack_id, deadline).await,
        Event::ServiceChanged { service } => on_service(world, &service, deadline).await,
        Event::AlarmChanged { alarm } => on_alarm(world, &alarm, deadline).await,
        Event::Due { only_open_work } => {
            let look = routine(world, "schedule");
            schedule::look_at_configured(world, only_open_work, deadline, look).await
        }
        Event::Board { by } => board_link::link(world, board_link::Asker::Invoker(by)).await,
        Event::Command(command) => on_command(world, command).await,
    }
}

async fn on_push<W: Web>(
    world: &W,
    repository: Repository,
    digest: Digest,
    tag: &Tag,
) -> Result<Reply, Error> {
    let ignored = |reason: String| {
        info!(%repository, %reason, "ignored");
        Ok(Answer::ignored(Some(repository.clone()), reason).into())
    };
    match world.app(&repository).await? {
        None => ignored("the repository has no configuration".to_owned()),
        Some(app) if app.config.source_tag != *tag => {
            let source_tag = &app.config.source_tag;
            ignored(format!("the tag `{tag}` is not the source tag `{source_tag}`"))
        }
        Some(app) => {
            let subject = Subject { digest: Some(digest.clone()), ..Subject::default() };
            look(world, &app, &Trigger::Pushed(digest), &subject).await
        }
    }
}

async fn on_stack<W: Web>(
    world: &W,
    stack_id: &str,
    deadline: Option<Timestamp>,
) -> Result<Reply, Error> {
    // An unreadable configuration names no stack. The schedule reports it.
    let apps = world.known_apps().await?.into_iter().filter_map(|(_, app)| app.ok());
    let concerned: Vec<App> = apps.filter(|app| app.is_about(stack_id)).collect();
    if concerned.is_empty() {
        return Ok(Answer::ignored(None, format!("no app is configured for {stack_id}")).into());
    }
    look_at_these(world, concerned, "change of the stack", deadline).await
}

async fn look_at_these<W: Web>(
    world: &W,
    apps: Vec<App>,
    cause: &'static str,
    deadline: Option<Timestamp>,
) -> Result<Reply, Error> {
    match apps.as_slice() {
        [app] => look(world, app, &Trigger::Due(cause), &Subject::default()).await,
        _ => schedule::look_at_several(world, apps, deadline, routine(world, cause)).await,
    }
}

/// Looks at the apps whose promotion is being verified on this ECS service. A service that nobody
/// knows yet may be of any app that is being verified.
async fn on_service<W: Web>(
    world: &W,
    service: &str,
    deadline: Option<Timestamp>,
) -> Result<Reply, Error> {
    let is_verified = |app: &App| app.config.verify.minutes.is_some();
    let waits_for_it = |state: &State| {
        let is_it = |known: &KnownServices| known.may_have(service);
        state.verifying.is_some() && state.services.as_ref().is_none_or(is_it)
    };
    let nothing = format!("no promotion is being verified on {}", brief(service));
    let cause = "change of the ECS service";
    on_change(world, is_verified, waits_for_it, cause, nothing, deadline).await
}

/// Looks at the apps that bake on this alarm.
async fn on_alarm<W: Web>(
    world: &W,
    alarm: &str,
    deadline: Option<Timestamp>,
) -> Result<Reply, Error> {
    let watches_it = |app: &App| {
        let alarms = app.config.bake.iter().flat_map(|rule| &rule.alarms);
        alarms.into_iter().any(|watched| alarm_name(watched) == alarm)
    };
    let bakes = |state: &State| state.bake.is_some();
    let nothing = format!("no promotion bakes on the alarm `{}`", brief(alarm));
    on_change(world, watches_it, bakes, "change of an alarm", nothing, deadline).await
}

/// Looks at the apps of which the configuration and then the state say that they wait for a change.
async fn on_change<W: Web>(
    world: &W,
    may_wait: impl Fn(&App) -> bool,
    waits: impl Fn(&State) -> bool,
    cause: &'static str,
    nothing: String,
    deadline: Option<Timestamp>,
) -> Result<Reply, Error> {
    // An unreadable configuration waits for nothing. The schedule reports it.
    let apps = world.known_apps().await?.into_iter().filter_map(|(_, app)| app.ok());
    let mut concerned: Vec<App> = apps.filter(may_wait).collect();
    let names: Vec<Repository> = concerned.iter().map(|app| app.repository.clone()).collect();
    let mut states = BTreeMap::new();
    if !names.is_empty() {
        states = world.states(&names).await?;
    }
    concerned.retain(|app| {
        // If a state cannot be read, the look says why.
        states.get(&app.repository).is_some_and(|state| state.as_ref().map_or(true, &waits))
    });
    if concerned.is_empty() {
        info!(reason = %nothing, "ignored");
        return Ok(Answer::ignored(None, nothing).into());
    }
    look_at_these(world, concerned, cause, deadline).await
}

async fn on_command<W: Web>(world: &W, command: Command) -> Result<Reply, Error> {
    let repository = &command.repository;
    let Some(app) = world.app(repository).await? else {
        let place = format!("Parameter Store {}", world.source(repository));
        let meant = world.did_you_mean(repository, &[]).await;
        let problem = format!(
            "there is no such parameter: the repository `{repository}` is not configured{meant}"
        );
        if command.via == Via::Sns {
            let reason = format!("`{} {repository}`: {problem}", command.act);
            world.answer_commander(&command.id, &reason).await;
        }
        return Err(ConfigError { place, key: None, problem }.into());
    };
    let subject = Subject::of(&command);
    look(world, &app, &Trigger::Command(command), &subject).await
}

/// A look at one of many apps. Most likely there is nothing to do.
fn routine<W: Web>(world: &W, cause: &'static str) -> impl AsyncFn(&App) -> Result<Reply, Error> {
    async move |app: &App| {
        let subject = Subject { is_routine: true, ..Subject::default() };
        look(world, app, &Trigger::Due(cause), &subject).await
    }
}
