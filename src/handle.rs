//! One invocation: passes an HTTP request, the schedule or an event on to the code that answers it.
//! Decides nothing.

mod change;

use serde_json::{Value, json};
use tracing::info;

use crate::decide::Trigger;
use crate::error::Error;
use crate::event::payload::parse;
use crate::event::{Event, Invocation, NotUnderstood};
use crate::function_url::Request;
use crate::model::answer::{Answer, Outcome};
use crate::model::command::{Act, Command, Via};
use crate::model::config::{App, ConfigError};
use crate::model::report::Reply;
use crate::reconcile::{look, look_only};
use crate::schedule::{self, audit, check, overview};
use crate::web::{self, board_link, places};
use crate::world::Web;
use crate::world::snapshot::Subject;
use change::follow;

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
        match Box::pin(on_event(world, event, invocation)).await {
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
    invocation: &Invocation,
) -> Result<Reply, Error> {
    let event = match event {
        Ok(event) => event,
        Err(problem) => {
            if let Some(message) = &problem.message {
                world.answer_commander(message, &problem.to_string()).await;
            }
            if problem.is_refused {
                let reason = problem.to_string();
                info!(%reason, "refused");
                let answer = Answer { outcome: Outcome::Refused, ..Answer::ignored(reason) };
                return Ok(answer.into());
            }
            return Err(problem.into());
        }
    };
    match event {
        Event::Ignored { repository, reason } => {
            info!(%reason, "ignored");
            Ok(Answer { repository, ..Answer::ignored(reason) }.into())
        }
        Event::ImagePushed { repository, digest, tag, at } => {
            change::on_push(world, &repository, (&digest, &tag), &at, invocation).await
        }
        Event::StackChanged { stack_id, at } => {
            change::on_stack(world, &stack_id, &at, invocation).await
        }
        Event::ServiceChanged { service, at } => {
            change::on_service(world, &service, &at, invocation).await
        }
        Event::AlarmChanged { alarm, at } => change::on_alarm(world, &alarm, &at, invocation).await,
        Event::Due { only_open_work } => {
            let look = routine(world, "schedule");
            schedule::look_at_configured(world, only_open_work, invocation.deadline, look).await
        }
        Event::Statuses { after } => {
            overview::statuses(world, after.as_ref(), invocation.deadline, status(world)).await
        }
        Event::Where(image) => places::places(world, image).await,
        Event::Audit(wanted) => audit::audit(world, &wanted, invocation.deadline).await,
        Event::Check(wanted) => check::check(world, &wanted, invocation.deadline).await,
        Event::Board { by } => board_link::link(world, board_link::Asker::Invoker(by)).await,
        Event::Command(command) => on_command(world, command).await,
    }
}

/// Carries out a command for one app, and looks at the stages after it.
async fn on_command<W: Web>(world: &W, command: Command) -> Result<Reply, Error> {
    let Some(app) = commanded(world, &command).await? else {
        return Err(not_configured(world, &command).await.into());
    };
    let command = Command { app: app.name.clone(), ..command };
    let subject = Subject::of(&command);
    let reply = look(world, &app, &Trigger::Command(command), &subject).await?;
    follow(world, &app, &reply).await;
    Ok(reply)
}

/// The app that a command is for: the one that it names, or the only one of the repository that it
/// names.
async fn commanded<W: Web>(world: &W, command: &Command) -> Result<Option<App>, Error> {
    if let Some(app) = world.app(&command.app).await? {
        return Ok(Some(app));
    }
    if !command.names_repository {
        return Ok(None);
    }
    let Some(repository) = command.app.repository() else { return Ok(None) };
    let mut apps = world.apps_of(&repository).await?;
    if apps.len() > 1 { Ok(None) } else { apps.pop().map(|(_, app)| app).transpose() }
}

/// Says that there is no such app, and which one may have been meant.
async fn not_configured<W: Web>(world: &W, command: &Command) -> ConfigError {
    let name = &command.app;
    let error = world.not_configured(name).await;
    if command.via == Via::Sns {
        let reason = format!("`{} {name}`: {}", command.act, error.problem);
        world.answer_commander(&command.id, &reason).await;
    }
    let problem = format!("there is no such parameter: {}", error.problem);
    ConfigError { problem, ..error }
}

/// Reads the status of one of many apps; `None` if that would need a write first.
fn status<W: Web>(world: &W) -> impl AsyncFn(&App) -> Result<Option<Reply>, Error> {
    async move |app: &App| {
        let command = Command::unsent(Act::Status, app.name.clone(), Via::Direct);
        let subject = Subject { is_routine: true, ..Subject::of(&command) };
        look_only(world, app, &Trigger::Command(command), &subject).await
    }
}

/// A look at one of many apps. Most likely there is nothing to do.
fn routine<W: Web>(world: &W, cause: &'static str) -> impl AsyncFn(&App) -> Result<Reply, Error> {
    async move |app: &App| {
        let subject = Subject { is_routine: true, ..Subject::default() };
        look(world, app, &Trigger::Due(cause), &subject).await
    }
}
