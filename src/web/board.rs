//! The board over HTTP. GET and HEAD show and change nothing. A POST carries out the act that its
//! page asked about, once, with the rights of the person that the link was made for: a Slack user,
//! or else somebody who may invoke the function.
//!
//! ```text
//! /board/<token>                              all apps
//! /board/<token>/app/<repository>             one app
//! /board/<token>/act/<act>/<repository>       GET asks people to confirm, POST acts
//! ```

mod form;
pub(super) mod route;

use futures_util::{StreamExt, stream};
use http::Method;
use jiff::Timestamp;
use tracing::warn;

use crate::decide::{Trigger, identity_objection, slack_objection};
use crate::error::Error;
use crate::function_url::{Request, Response};
use crate::link::Invalid;
use crate::model::answer::{Answer, Outcome};
use crate::model::config::App;
use crate::model::report::Reply;
use crate::model::session::{BoardLink, Session};
use crate::model::stack::{EventsWanted, Phase};
use crate::model::state::State;
use crate::model::{Digest, Repository};
use crate::page::board::list::Row;
use crate::page::board::verb::{Rights, Verb};
use crate::page::board::{self, STILL, Viewer, act};
use crate::page::notice;
use crate::reconcile::look_for_a_person;
use crate::schedule::SIDE_BY_SIDE;
use crate::web::access::{self, BUDGET, failed};
use crate::web::board::form::{Form, command};
use crate::web::board::route::{Place, Route, image};
use crate::world::Web;
use crate::world::snapshot::{Question, Snapshot, Subject};

/// What people read when only the log has the details.
const UNREADABLE: &str = "it could not be read just now; the function's log says why";

/// Answers a request for a board.
pub(super) async fn answer<W: Web>(
    world: &W,
    request: &Request,
    route: &Route<'_>,
    now: Timestamp,
) -> Response {
    let session = match session(world, route.token, now).await {
        Ok(Ok(session)) => session,
        Ok(Err(Invalid::Forged)) => return access::forged(),
        Ok(Err(Invalid::Expired)) => {
            let words = "This link is too old. `/promote board` in Slack, or the command \
                         `board`, gives you a new one.";
            return notice(410, "Too old", words).because("the link is too old");
        }
        Err(failure) => return failed(&failure),
    };
    let viewer = Viewer { token: route.token, session: &session, is_still: request.query == STILL };
    let answered = match &route.place {
        Place::List | Place::App(_) if !request.query.is_empty() && !viewer.is_still => {
            Ok(bad("The query of this address is not valid."))
        }
        Place::List => list(world, &viewer).await,
        Place::App(repository) => show(world, &viewer, repository).await,
        Place::Act(verb, repository) => match image(*verb, &request.query) {
            None => Ok(bad("The image in this address is missing or not valid.")),
            Some(image) if request.method == Method::POST => {
                act(world, request, &viewer, repository, *verb, image).await
            }
            Some(image) => confirm(world, &viewer, repository, *verb, image.as_ref()).await,
        },
    };
    answered.unwrap_or_else(|failure| failed(&failure))
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

fn bad(words: &str) -> Response {
    notice(400, "Not a valid request", words)
}

async fn list<W: Web>(world: &W, viewer: &Viewer<'_>) -> Result<Response, Error> {
    let apps = world.known_apps().await?;
    let usable: Vec<Repository> = apps
        .iter()
        .filter(|(_, app)| app.is_ok())
        .map(|(repository, _)| repository.clone())
        .collect();
    let mut states =
        if usable.is_empty() { Default::default() } else { world.states(&usable).await? };
    let rows = apps.into_iter().map(|(repository, app)| {
        let state = states.remove(&repository).transpose();
        async move {
            let app = app.map_err(|error| words(&repository, &error));
            let state = state
                .map_err(|error| words(&repository, &error))
                .map(|state| app.as_ref().map_or(None, |app| of_this_stack(app, state)));
            let stack = match (&app, &state) {
                (Ok(app), Ok(Some(state))) if board::is_under_way(state) => Some(
                    world
                        .watch(app, &EventsWanted::default())
                        .await
                        .map_err(|error| words(&repository, &error)),
                ),
                (Ok(_) | Err(_), Ok(_) | Err(_)) => None,
            };
            Row { repository, app, state, stack }
        }
    });
    Ok(board::list::list(viewer, stream::iter(rows).buffer_unordered(SIDE_BY_SIDE).collect().await))
}

/// Drops a state that is about another stack or parameter than the configured one.
fn of_this_stack(app: &App, state: Option<State>) -> Option<State> {
    let is_same = |state: &State| {
        state.stack == app.config.stack
            || state.stack_id.as_ref().is_some_and(|id| app.is_about(id))
    };
    state.filter(|state| is_same(state) && state.parameter == app.config.parameter)
}

/// Says why something cannot be shown. Everybody may read the errors of a configuration; the log
/// has all others.
fn words(repository: &Repository, error: &Error) -> String {
    match error {
        Error::Config(error) => error.to_string(),
        Error::NotUnderstood(_)
        | Error::Denied { .. }
        | Error::Aws { .. }
        | Error::Unexpected { .. }
        | Error::Contended { .. }
        | Error::Untold { .. }
        | Error::Unverified { .. }
        | Error::OutOfTime { .. }
        | Error::Several { .. } => {
            warn!(%repository, %error, "the board shows less than there is");
            UNREADABLE.to_owned()
        }
    }
}

/// Returns the app, or the page that says why it cannot be used.
async fn find<W: Web>(
    world: &W,
    viewer: &Viewer<'_>,
    repository: &Repository,
) -> Result<Result<App, Response>, Error> {
    Ok(match world.app(repository).await {
        Ok(Some(app)) => Ok(app),
        Ok(None) => Err(notice(404, "Not found", "There is no app with this name.")),
        Err(Error::Config(error)) => {
            Err(board::app::unusable(viewer, repository, &error.to_string()))
        }
        Err(error) => return Err(error),
    })
}

/// Returns the app as it is now, for a page about it.
async fn observe<W: Web>(world: &W, app: &App) -> Result<Snapshot, Error> {
    let mut seen = world.observe(app, &Subject::default()).await?;
    seen.state = of_this_stack(app, seen.state);
    world.read(app, &Question::History, &mut seen).await?;
    if seen.stack.as_ref().is_some_and(|stack| stack.phase() == Phase::Busy) {
        world.read(app, &Question::Events(EventsWanted::default()), &mut seen).await?;
    }
    Ok(seen)
}

fn rights(viewer: &Viewer<'_>, app: &App, state: Option<&State>) -> Rights {
    let origin = viewer.session.slack.as_ref();
    let asked = state.and_then(|state| state.request.as_ref());
    let policy = asked.map_or_else(|| app.policy(), |request| request.policy(app.policy()));
    Rights {
        no_commands: origin.and_then(|origin| slack_objection(app, origin, &origin.user)),
        no_decisions: identity_objection(&policy, origin).map(str::to_owned),
    }
}

async fn show<W: Web>(
    world: &W,
    viewer: &Viewer<'_>,
    repository: &Repository,
) -> Result<Response, Error> {
    let app = match find(world, viewer, repository).await? {
        Ok(app) => app,
        Err(page) => return Ok(page),
    };
    let seen = observe(world, &app).await?;
    Ok(board::app::app(viewer, &app, &seen, &rights(viewer, &app, seen.state.as_ref())))
}

async fn confirm<W: Web>(
    world: &W,
    viewer: &Viewer<'_>,
    repository: &Repository,
    verb: Verb,
    image: Option<&Digest>,
) -> Result<Response, Error> {
    let app = match find(world, viewer, repository).await? {
        Ok(app) => app,
        Err(page) => return Ok(page),
    };
    let seen = observe(world, &app).await?;
    let rights = rights(viewer, &app, seen.state.as_ref());
    let once = format!("{:032x}", fastrand::u128(..));
    Ok(act::confirm(viewer, &app, &seen, &rights, verb, image, &once))
}

async fn act<W: Web>(
    world: &W,
    request: &Request,
    viewer: &Viewer<'_>,
    repository: &Repository,
    verb: Verb,
    image: Option<Digest>,
) -> Result<Response, Error> {
    if !access::is_own_form(world, request).await? {
        return Ok(access::foreign_form());
    }
    let form = Form::parse(&request.form(), verb);
    let Some(command) = form.and_then(|form| command(viewer, repository, verb, image, form)) else {
        return Ok(bad("This form does not belong to this page."));
    };
    let app = match find(world, viewer, repository).await? {
        Ok(app) => app,
        Err(page) => return Ok(Response { status: 409, ..page }),
    };
    let unfinished =
        |status: u16, words: &str| Ok(act::unfinished(viewer, status, repository, verb, words));
    // The app is not looked at for somebody who may not command it.
    if let Some(objection) = rights(viewer, &app, None).no_commands {
        return unfinished(409, &format!("{}: {objection}", Outcome::Refused));
    }
    let command = command.with_trace(access::trace(request));
    let (subject, trigger) = (Subject::of(&command), Trigger::Command(command));
    match tokio::time::timeout(BUDGET, look_for_a_person(world, &app, &trigger, &subject)).await {
        Err(_) => unfinished(
            200,
            "This takes longer than a page can wait. If the command was recorded, it continues by \
             itself within five minutes.",
        ),
        Ok(Err(Error::Config(error))) => unfinished(409, &error.to_string()),
        Ok(Err(failure)) => Err(failure),
        Ok(Ok(Reply::Answer(answer))) => {
            Ok(act::result(viewer, status(verb, &answer), &answer, repository, verb))
        }
        Ok(Ok(Reply::Report(_))) => unfinished(500, "The function gave an unexpected answer."),
    }
}

/// 200 if the act is done or will be, 409 if not.
fn status(verb: Verb, answer: &Answer) -> u16 {
    match answer.outcome {
        Outcome::Superseded
        | Outcome::Expired
        | Outcome::Refused
        | Outcome::Blocked
        | Outcome::Failed
        | Outcome::Ignored => 409,
        Outcome::Held if verb != Verb::Hold => 409,
        Outcome::Rejected if verb != Verb::Reject => 409,
        Outcome::Promoted
        | Outcome::Deployed
        | Outcome::Queued
        | Outcome::ApprovalRequested
        | Outcome::Approved
        | Outcome::Rejected
        | Outcome::Unchanged
        | Outcome::Held
        | Outcome::Resumed
        | Outcome::Cancelled => 200,
    }
}
