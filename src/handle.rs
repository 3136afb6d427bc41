//! One invocation: passes an HTTP request, the schedule or an event on to the code that answers it.
//! Decides nothing.

use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::info;

use crate::decide::Trigger;
use crate::error::Error;
use crate::event::payload::parse;
use crate::event::{Event, Invocation, NotUnderstood};
use crate::function_url::Request;
use crate::model::answer::Answer;
use crate::model::command::Command;
use crate::model::config::{App, ConfigError};
use crate::model::report::Reply;
use crate::model::{Digest, Repository, Tag};
use crate::reconcile::look;
use crate::schedule;
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

async fn on_event<W: Web>(
    world: &W,
    event: Result<Event, NotUnderstood>,
    deadline: Option<Timestamp>,
) -> Result<Reply, Error> {
    match event? {
        Event::Ignored { repository, reason } => {
            info!(%reason, "ignored");
            Ok(Answer::ignored(repository, reason).into())
        }
        Event::ImagePushed { repository, digest, tag } => {
            on_push(world, repository, digest, &tag).await
        }
        Event::StackChanged { stack_id } => on_stack(world, &stack_id, deadline).await,
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
    const CAUSE: &str = "change of the stack";
    // An unreadable configuration names no stack. The schedule reports it.
    let apps = world.known_apps().await?.into_iter().filter_map(|(_, app)| app.ok());
    let concerned: Vec<App> = apps.filter(|app| app.is_about(stack_id)).collect();
    match concerned.as_slice() {
        [] => Ok(Answer::ignored(None, format!("no app is configured for {stack_id}")).into()),
        [app] => look(world, app, &Trigger::Due(CAUSE), &Subject::default()).await,
        _ => schedule::look_at_several(world, concerned, deadline, routine(world, CAUSE)).await,
    }
}

async fn on_command<W: Web>(world: &W, command: Command) -> Result<Reply, Error> {
    let repository = &command.repository;
    let Some(app) = world.app(repository).await? else {
        let place = format!("Parameter Store {}", world.source(repository));
        let meant = world.did_you_mean(repository, &[]).await;
        let problem = format!(
            "there is no such parameter: the repository `{repository}` is not configured{meant}"
        );
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
