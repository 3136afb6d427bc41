//! The board over HTTP. GET and HEAD show and change nothing. A POST carries out the act that its
//! page asked about, once, with the rights of the person that the link was made for: a Slack user,
//! or else somebody who may invoke the function.
//!
//! ```text
//! /board/<token>                              all apps
//! /board/<token>/app/<repository>             one app
//! /board/<token>/act/<act>/<repository>       GET asks people to confirm, POST acts
//! ```
//!
//! Two acts have a button on the app's page, which acts at once: a look, and to ask people again.

mod acting;
mod form;
mod reads;
pub(super) mod route;

use futures_util::future::join;
use futures_util::{StreamExt, stream};
use http::Method;
use jiff::Timestamp;

use crate::error::Error;
use crate::function_url::{Request, Response};
use crate::link::Invalid;
use crate::model::config::App;
use crate::model::notes::ChangeNotes;
use crate::model::session::{BoardLink, Session};
use crate::model::stack::EventsWanted;
use crate::model::state::State;
use crate::model::{AppName, Digest};
use crate::page::board::app::Sight;
use crate::page::board::filter::Filter;
use crate::page::board::row::Row;
use crate::page::board::verb::Verb;
use crate::page::board::{self, STILL, Viewer};
use crate::page::frame::Place;
use crate::schedule::SIDE_BY_SIDE;
use crate::web::access::{self, bad, failed};
use crate::web::board::reads::{
    find, observe, of_this_stack, place, plan_rollback, rights, stages, words,
};
use crate::web::board::route::{Place as At, Route, filter, image};
use crate::web::notes::notes_of_candidate;
use crate::world::Web;
use crate::world::snapshot::Snapshot;

/// The most stacks that the list reads the progress of: it takes at most a second.
const WATCHED: usize = 40;

/// Answers a request for a board.
pub(super) async fn answer<W: Web>(
    world: &W,
    request: &Request,
    route: &Route<'_>,
    now: Timestamp,
) -> Response {
    let session = match session(world, route.token, now).await {
        Ok(Ok(session)) => session,
        Ok(Err(Invalid::Forged)) => return access::forged(world),
        Ok(Err(Invalid::Expired)) => {
            let words = "A board link lives 15 minutes, so that nobody acts with an old one. This \
                         one is too old.";
            return access::expired(world, words);
        }
        Err(failure) => return failed(world, &failure),
    };
    let is_still = request.query == STILL;
    let viewer = Viewer { token: route.token, session: &session, is_still, now };
    let answered = match &route.place {
        At::List => match filter(&request.query) {
            Some((filter, is_still)) => list(world, &Viewer { is_still, ..viewer }, &filter).await,
            None => Ok(bad(world, "The query of this address is not valid.")),
        },
        At::App(_) if !request.query.is_empty() && !is_still => {
            Ok(bad(world, "The query of this address is not valid."))
        }
        At::App(repository) => show(world, &viewer, repository).await,
        At::Act(verb, repository) => match image(*verb, &request.query) {
            None => Ok(bad(world, "The image in this address is missing or not valid.")),
            Some(image) if request.method == Method::POST => {
                acting::act(world, request, &viewer, (repository, *verb), image).await
            }
            Some(image) => {
                acting::confirm(world, &viewer, (repository, *verb), image.as_ref()).await
            }
        },
    };
    answered.unwrap_or_else(|failure| failed(world, &failure))
}

/// Returns the session of a board, if its link is valid and the session has not ended.
async fn session<W: Web>(
    world: &W,
    token: &str,
    now: Timestamp,
) -> Result<Result<Session, Invalid>, Error> {
    let link = match access::link::<W, BoardLink>(world, token, now).await? {
        Ok((link, _)) => link,
        Err(invalid) => return Ok(Err(invalid)),
    };
    let session = world.session(&link.session).await?;
    Ok(session.filter(|session| session.is_of(&link, now)).ok_or(Invalid::Forged))
}

async fn list<W: Web>(world: &W, viewer: &Viewer<'_>, filter: &Filter) -> Result<Response, Error> {
    let apps = world.known_apps().await?;
    let usable: Vec<AppName> = apps
        .iter()
        .filter(|(_, app)| app.is_ok())
        .map(|(repository, _)| repository.clone())
        .collect();
    let mut states =
        if usable.is_empty() { Default::default() } else { world.states(&usable).await? };
    let mut watched = 0;
    let rows = apps.into_iter().map(|(repository, app)| {
        let state = states.remove(&repository).transpose();
        let is_sent = |state: &State| state.open.iter().any(|open| open.sent_at.is_some());
        let is_watched = state.as_ref().is_ok_and(|state| state.as_ref().is_some_and(is_sent));
        watched += usize::from(is_watched);
        let is_watched = is_watched && watched <= WATCHED;
        async move {
            let app = app.map_err(|error| words(&repository, &error));
            let state = state
                .map_err(|error| words(&repository, &error))
                .map(|state| app.as_ref().map_or(None, |app| of_this_stack(app, state)));
            let stack = match (&app, &state) {
                (Ok(app), Ok(Some(_))) if is_watched => Some(
                    world
                        .watch(app, &EventsWanted::default())
                        .await
                        .map_err(|error| words(&repository, &error)),
                ),
                (Ok(_) | Err(_), Ok(_) | Err(_)) => None,
            };
            Row { name: repository, app, state, stack }
        }
    });
    let rows: Vec<Row> = stream::iter(rows).buffer_unordered(SIDE_BY_SIDE).collect().await;
    let apps = rows.iter().filter_map(|row| row.app.as_ref().ok());
    let place = Place::of(world.environment().as_deref(), apps, stack_at_home(&rows));
    let example = "web".parse().map_or_else(|_| String::new(), |web| world.source(&web));
    Ok(board::list::list(viewer, &place, filter, &rows, &example))
}

/// A stack in the function's own account.
fn stack_at_home(rows: &[Row]) -> Option<&str> {
    let is_at_home = |row: &&Row| {
        let target = row.app.as_ref().ok().and_then(|app| app.config.target.as_ref());
        target.is_none_or(|target| target.account().is_none())
    };
    let states = rows.iter().filter(is_at_home).filter_map(|row| row.state.as_ref().ok()?.as_ref());
    states.filter_map(|state| state.stack_id.as_deref()).next()
}

async fn show<W: Web>(
    world: &W,
    viewer: &Viewer<'_>,
    repository: &AppName,
) -> Result<Response, Error> {
    let app = match find(world, viewer, repository).await? {
        Ok(app) => app,
        Err(page) => return Ok(page),
    };
    let mut seen = observe(world, &app).await?;
    let rights = rights(viewer, &app, seen.state.as_ref());
    let has_ended = seen.history.as_ref().is_some_and(|history| !history.is_empty());
    let plan = match rights.objection(Verb::RollBack) {
        None if has_ended => plan_rollback(world, viewer, &app, None).await,
        None | Some(_) => None,
    };
    let (notes, stages) = join(notes(world, &app, &mut seen), stages(world, &app)).await;
    let once = form::once();
    let sight = Sight {
        viewer,
        place: &place(world, &app, &seen),
        app: &app,
        seen: &seen,
        stages: &stages,
        rights: &rights,
        once: &once,
        notes: notes.as_ref(),
        way_back: plan.as_ref().and_then(|plan| plan.way_back.as_ref()),
    };
    Ok(board::app::app(&sight))
}

/// The commits that the candidate would bring.
async fn notes<W: Web>(world: &W, app: &App, seen: &mut Snapshot) -> Option<ChangeNotes> {
    let newest = seen.newest.clone()?;
    let state = seen.state.clone()?;
    let is_running = |digest: &Digest| {
        state.running.as_ref().is_some_and(|running| running.digest.as_ref() == Some(digest))
    };
    if is_running(&newest) {
        return None;
    }
    let commit = board::commit_of(app, seen, &newest);
    notes_of_candidate(world, app, &state, (&newest, commit.as_ref()), seen).await
}
