//! Events that say that something has changed: finds the apps that it concerns, and looks at them.

use std::collections::BTreeMap;

use tracing::{info, warn};

use crate::decide::Trigger;
use crate::error::Error;
use crate::event::Invocation;
use crate::model::answer::{Answer, Outcome};
use crate::model::bake::alarm_name;
use crate::model::config::App;
use crate::model::ecs::known::KnownServices;
use crate::model::place::Place;
use crate::model::report::Reply;
use crate::model::state::State;
use crate::model::{AppName, Digest, Repository, Tag};
use crate::reconcile::look;
use crate::schedule;
use crate::text::brief;
use crate::world::Web;
use crate::world::snapshot::Subject;

fn ignored(reason: String) -> Reply {
    info!(%reason, "ignored");
    Answer::ignored(reason).into()
}

/// The reason to ignore an event that concerns no app: it comes from elsewhere, or this.
fn nothing(at: &Place, invocation: &Invocation, otherwise: String) -> Reply {
    ignored(invocation.home.is_not_at(at).unwrap_or(otherwise))
}

/// A push of the source tag makes a candidate. A production tag that arrives in another registry
/// is what a promotion may be waiting for.
pub(super) async fn on_push<W: Web>(
    world: &W,
    repository: &Repository,
    (digest, tag): (&Digest, &Tag),
    at: &Place,
    invocation: &Invocation,
) -> Result<Reply, Error> {
    if !invocation.home.is_at(at) {
        return on_replica(world, repository, tag, at, invocation).await;
    }
    let about = |reason: String| {
        info!(%repository, %reason, "ignored");
        let repository = Some(repository.clone());
        Ok(Answer { repository, ..Answer::ignored(reason) }.into())
    };
    let apps = world.apps_of(repository).await?;
    if apps.is_empty() {
        return about("the repository has no configuration".to_owned());
    }
    let usable = apps.iter().filter_map(|(_, app)| app.as_ref().ok());
    let source_tag = usable.filter_map(App::candidate_tag).next().cloned();
    // An app whose configuration cannot be used may be concerned: the error says what is wrong.
    let is_concerned = |(_, app): &(AppName, Result<App, Error>)| {
        app.as_ref().map_or(true, |app| app.candidate_tag() == Some(tag))
    };
    let concerned: Vec<_> = apps.into_iter().filter(is_concerned).collect();
    if concerned.is_empty() {
        return about(match source_tag {
            Some(source_tag) => format!("the tag `{tag}` is not the source tag `{source_tag}`"),
            None => "each of its apps waits for an earlier stage, not for a push".to_owned(),
        });
    }
    let look = async |app: &App| {
        let subject = Subject { digest: Some(digest.clone()), ..Subject::default() };
        look(world, app, &Trigger::Pushed(digest.clone()), &subject).await
    };
    look_at_these(world, concerned, look, invocation).await
}

/// Looks at the apps that wait for this production tag in another registry.
async fn on_replica<W: Web>(
    world: &W,
    repository: &Repository,
    tag: &Tag,
    at: &Place,
    invocation: &Invocation,
) -> Result<Reply, Error> {
    let pulls_there = |app: &App| {
        let target = app.config.target.as_ref();
        let registry = target.and_then(|target| target.registry_place());
        app.repository == *repository
            && app.config.is_production_tag(tag.as_str())
            && registry.is_some_and(|registry| registry.is_at(at))
    };
    let waits = |state: &State| state.open.iter().any(|open| open.tag == *tag);
    let words = format!("no promotion waits for `{tag}` there");
    let looked = look_at_waiting(world, pulls_there, waits, "replication", invocation).await?;
    Ok(looked.unwrap_or_else(|| nothing(at, invocation, words)))
}

pub(super) async fn on_stack<W: Web>(
    world: &W,
    stack_id: &str,
    at: &Place,
    invocation: &Invocation,
) -> Result<Reply, Error> {
    // An unreadable configuration names no stack. The schedule reports it.
    let apps = world.known_apps().await?.into_iter().filter_map(|(_, app)| app.ok());
    let home = &invocation.home;
    let is_its = |app: &App| app.is_about(stack_id, home) && app.place(home).is_at(at);
    let concerned: Vec<App> = apps.filter(is_its).collect();
    if concerned.is_empty() {
        return Ok(nothing(at, invocation, format!("no app is configured for {stack_id}")));
    }
    look_because(world, concerned, "change of the stack", invocation).await
}

/// Looks at the apps whose promotion is being verified on this ECS service. A service that nobody
/// knows yet may be of any app that is being verified.
pub(super) async fn on_service<W: Web>(
    world: &W,
    service: &str,
    at: &Place,
    invocation: &Invocation,
) -> Result<Reply, Error> {
    let home = &invocation.home;
    let is_verified = |app: &App| {
        let place = app.place(home);
        app.config.verify.minutes.is_some()
            && place.is_at(at)
            && place.is_at(&Place::of_arn(service))
    };
    let waits_for_it = |state: &State| {
        let is_it = |known: &KnownServices| known.may_have(service);
        state.verifying.is_some() && state.services.as_ref().is_none_or(is_it)
    };
    let cause = "change of the ECS service";
    let looked = look_at_waiting(world, is_verified, waits_for_it, cause, invocation).await?;
    let words = || format!("no promotion is being verified on {}", brief(service));
    Ok(looked.unwrap_or_else(|| nothing(at, invocation, words())))
}

/// Looks at the apps that bake on this alarm.
pub(super) async fn on_alarm<W: Web>(
    world: &W,
    alarm: &str,
    at: &Place,
    invocation: &Invocation,
) -> Result<Reply, Error> {
    let home = &invocation.home;
    let watches_it = |app: &App| {
        let alarms = app.config.bake.iter().flat_map(|rule| &rule.alarms);
        app.place(home).is_at(at) && alarms.into_iter().any(|watched| alarm_name(watched) == alarm)
    };
    let bakes = |state: &State| state.bake.is_some();
    let cause = "change of an alarm";
    let looked = look_at_waiting(world, watches_it, bakes, cause, invocation).await?;
    let words = || format!("no promotion bakes on the alarm `{}`", brief(alarm));
    Ok(looked.unwrap_or_else(|| nothing(at, invocation, words())))
}

/// Looks at the apps of which the configuration and then the state say that they wait for a change;
/// `None` if there is none.
async fn look_at_waiting<W: Web>(
    world: &W,
    may_wait: impl Fn(&App) -> bool,
    waits: impl Fn(&State) -> bool,
    cause: &'static str,
    invocation: &Invocation,
) -> Result<Option<Reply>, Error> {
    // An unreadable configuration waits for nothing. The schedule reports it.
    let apps = world.known_apps().await?.into_iter().filter_map(|(_, app)| app.ok());
    let mut concerned: Vec<App> = apps.filter(may_wait).collect();
    let names: Vec<AppName> = concerned.iter().map(|app| app.name.clone()).collect();
    let mut states = BTreeMap::new();
    if !names.is_empty() {
        states = world.states(&names).await?;
    }
    concerned.retain(|app| {
        let state = states.get(&app.name);
        // If a state cannot be read, the look says why.
        state.is_some_and(|state| state.as_ref().map_or(true, &waits))
    });
    if concerned.is_empty() {
        return Ok(None);
    }
    look_because(world, concerned, cause, invocation).await.map(Some)
}

async fn look_because<W: Web>(
    world: &W,
    apps: Vec<App>,
    cause: &'static str,
    invocation: &Invocation,
) -> Result<Reply, Error> {
    let is_routine = apps.len() > 1;
    let look = async |app: &App| {
        let subject = Subject { is_routine, ..Subject::default() };
        look(world, app, &Trigger::Due(cause), &subject).await
    };
    let apps = apps.into_iter().map(|app| (app.name.clone(), Ok(app))).collect();
    look_at_these(world, apps, look, invocation).await
}

/// Looks at these apps side by side, and at the stages after each.
async fn look_at_these<W: Web>(
    world: &W,
    mut apps: Vec<(AppName, Result<App, Error>)>,
    look: impl AsyncFn(&App) -> Result<Reply, Error>,
    invocation: &Invocation,
) -> Result<Reply, Error> {
    let look = async |app: &App| {
        let reply = look(app).await?;
        follow(world, app, &reply).await;
        Ok(reply)
    };
    match apps.pop() {
        Some((_, app)) if apps.is_empty() => look(&app?).await,
        last => {
            apps.extend(last);
            schedule::look_at_several(world, apps, invocation.deadline, look).await
        }
    }
}

/// Looks at the stages after an app where something ended or began. What fails here is made good by
/// the next look of the schedule.
pub(super) async fn follow<W: Web>(world: &W, app: &App, reply: &Reply) {
    let Reply::Answer(answer) = reply else { return };
    let has_ended = matches!(answer.outcome, Outcome::Deployed | Outcome::Failed)
        || !answer.closed.is_empty()
        || answer.rolls_back.is_some();
    if !has_ended {
        return;
    }
    let apps = match world.known_apps().await {
        Ok(apps) => apps.into_iter().filter_map(|(_, app)| app.ok()),
        Err(error) => return warn!(%error, "the stages after `{}` are looked at later", app.name),
    };
    let comes_after =
        |one: &App| one.config.after.as_ref().is_some_and(|after| after.app == app.name);
    for stage in apps.filter(comes_after) {
        let subject = Subject { is_routine: true, ..Subject::default() };
        let cause = Trigger::Due("change of the stage before");
        match Box::pin(look(world, &stage, &cause, &subject)).await {
            Ok(reply) => info!(app = %stage.name, outcome = reply.outcome(), "looked at"),
            Err(error) => warn!(app = %stage.name, %error, "the stage is looked at later"),
        }
    }
}
