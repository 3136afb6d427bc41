//! The board's addresses. GET and HEAD show and change nothing; a POST does what its page asked
//! about, once, as whoever the link is for: a Slack user with that user's rights, or else somebody
//! whom IAM lets in.
//!
//! ```text
//! /board/<token>                              all apps
//! /board/<token>/app/<repository>             one app
//! /board/<token>/act/<act>/<repository>       asks once more, and acts
//! ```

use futures_util::{StreamExt, stream};
use http::Method;
use jiff::Timestamp;
use tracing::warn;

use crate::decide::{Trigger, identity_objection, slack_objection};
use crate::error::Error;
use crate::function_url::{Request, Response};
use crate::link::Invalid;
use crate::model::answer::{Answer, Outcome};
use crate::model::command::{Act, Choice, Command, ImageRef};
use crate::model::config::App;
use crate::model::report::Reply;
use crate::model::session::{BoardLink, Session};
use crate::model::stack::{EventsWanted, Phase};
use crate::model::state::State;
use crate::model::{Digest, Repository};
use crate::page::board::act::{self, IMAGE, LONGEST_REASON, Names, ONCE, REASON, Rights, Verb};
use crate::page::board::{self, Row, STILL, Viewer};
use crate::page::notice;
use crate::reconcile::look_for_a_person;
use crate::schedule::SIDE_BY_SIDE;
use crate::text::plain;
use crate::web::access::{self, BUDGET, failed};
use crate::world::Web;
use crate::world::snapshot::{Question, Snapshot, Subject};

/// What people read where only the log has the details.
const UNREADABLE: &str = "it could not be read just now; the function's log says why";

/// An address under `/board/`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route<'a> {
    token: &'a str,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    List,
    App(Repository),
    Act(Verb, Repository),
}

impl<'a> Route<'a> {
    /// Reads what follows `/board/`; `None` if there is no such address. Nothing is unescaped,
    /// since a repository's name needs no escapes.
    pub(super) fn parse(rest: &'a str) -> Option<Self> {
        let (token, place) = match rest.split_once('/') {
            None => (rest, Place::List),
            Some((token, place)) => (token, Place::parse(place)?),
        };
        (!token.is_empty()).then_some(Self { token, place })
    }

    /// Whether this address takes the method.
    pub(super) fn takes(&self, method: &Method) -> bool {
        matches!(*method, Method::GET | Method::HEAD)
            || *method == Method::POST && matches!(self.place, Place::Act(..))
    }

    /// The methods that this address takes.
    pub(super) fn methods(&self) -> &'static str {
        match self.place {
            Place::List | Place::App(_) => "GET, HEAD",
            Place::Act(..) => "GET, HEAD, POST",
        }
    }
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once('/')?;
        match kind {
            "app" => Some(Place::App(rest.parse().ok()?)),
            "act" => {
                let (verb, repository) = rest.split_once('/')?;
                let verb = Verb::ALL.into_iter().find(|known| known.name() == verb)?;
                Some(Place::Act(verb, repository.parse().ok()?))
            }
            _ => None,
        }
    }
}

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
            let words = "This board is too old. `/promote board` in Slack, or the command \
                         `board`, gives another one.";
            return notice(410, "Too old", words).because("the link is too old");
        }
        Err(failure) => return failed(&failure),
    };
    let viewer = Viewer { token: route.token, session: &session, is_still: request.query == STILL };
    let answered = match &route.place {
        Place::List | Place::App(_) if !request.query.is_empty() && !viewer.is_still => {
            Ok(bad("This address has a query that means nothing."))
        }
        Place::List => list(world, &viewer).await,
        Place::App(repository) => show(world, &viewer, repository).await,
        Place::Act(verb, repository) => match image(*verb, &request.query) {
            None => Ok(bad("This address does not say, or not rightly, which image it is about.")),
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
    notice(400, "That cannot be read", words)
}

/// Reads the image that the query of an act must or may name; `None` if the query is anything else.
fn image(verb: Verb, query: &str) -> Option<Option<Digest>> {
    let named = || query.strip_prefix(IMAGE)?.strip_prefix('=')?.parse().ok();
    match (verb.names(), query.is_empty()) {
        (Names::Nothing | Names::Perhaps, true) => Some(None),
        (Names::Image | Names::Perhaps, false) => named().map(Some),
        (Names::Nothing, false) | (Names::Image, true) => None,
    }
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
    Ok(board::list(viewer, stream::iter(rows).buffer_unordered(SIDE_BY_SIDE).collect().await))
}

/// Drops a state that is about another stack or parameter than the configured one.
fn of_this_stack(app: &App, state: Option<State>) -> Option<State> {
    let is_same = |state: &State| {
        state.stack == app.config.stack
            || state.stack_id.as_ref().is_some_and(|id| app.is_about(id))
    };
    state.filter(|state| is_same(state) && state.parameter == app.config.parameter)
}

/// Says why something cannot be shown. Everybody may read a configuration's own errors, and no
/// others.
fn words(repository: &Repository, error: &Error) -> String {
    match error {
        Error::Config(error) => error.to_string(),
        Error::NotUnderstood(_)
        | Error::Denied { .. }
        | Error::Aws { .. }
        | Error::Unexpected { .. }
        | Error::Contended { .. }
        | Error::Untold { .. }
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
        Ok(None) => Err(notice(404, "Not found", "There is no app of this name.")),
        Err(Error::Config(error)) => {
            Err(board::app::unusable(viewer, repository, &error.to_string()))
        }
        Err(error) => return Err(error),
    })
}

/// The app as it is now, for a page about it.
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
        return Ok(bad("The form is not the one of this page."));
    };
    let app = match find(world, viewer, repository).await? {
        Ok(app) => app,
        Err(page) => return Ok(Response { status: 409, ..page }),
    };
    let unfinished =
        |status: u16, words: &str| Ok(act::unfinished(viewer, status, repository, verb, words));
    // Whoever may not command causes no look.
    if let Some(objection) = rights(viewer, &app, None).no_commands {
        return unfinished(409, &format!("{}: {objection}", Outcome::Refused));
    }
    let command = command.with_trace(access::trace(request));
    let (subject, trigger) = (Subject::of(&command), Trigger::Command(command));
    match tokio::time::timeout(BUDGET, look_for_a_person(world, &app, &trigger, &subject)).await {
        Err(_) => unfinished(
            200,
            "It takes longer than a page can wait. If it was written down, it goes on by itself \
             within five minutes.",
        ),
        Ok(Err(Error::Config(error))) => unfinished(409, &error.to_string()),
        Ok(Err(failure)) => Err(failure),
        Ok(Ok(Reply::Answer(answer))) => {
            Ok(act::result(viewer, status(verb, &answer), &answer, repository, verb))
        }
        Ok(Ok(Reply::Report(_))) => unfinished(500, "That was answered with something else."),
    }
}

/// What the form of a confirming page carries: these fields, once each, and nothing else.
struct Form {
    once: String,
    reason: Option<String>,
}

impl Form {
    fn parse(fields: &[(String, String)], verb: Verb) -> Option<Self> {
        let (mut once, mut reason) = (None, None);
        for (name, value) in fields {
            let field = match name.as_str() {
                ONCE => &mut once,
                REASON if verb == Verb::Hold => &mut reason,
                _ => return None,
            };
            if field.replace(value.clone()).is_some() {
                return None;
            }
        }
        let is_id = |text: &String| {
            text.len() == 32
                && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let reason = reason
            .map(|reason| plain(reason.trim(), LONGEST_REASON))
            .filter(|reason| !reason.is_empty());
        Some(Self { once: once.filter(is_id)?, reason })
    }
}

/// What the form orders; `None` if it leaves out what it must name.
fn command(
    viewer: &Viewer<'_>,
    repository: &Repository,
    verb: Verb,
    image: Option<Digest>,
    form: Form,
) -> Option<Command> {
    let image = image.map(ImageRef::Digest);
    let act = match verb {
        Verb::Approve => Act::Approve(Choice::Image(image?)),
        Verb::Reject => Act::Reject(Choice::Image(image?)),
        Verb::Promote => Act::Promote(Some(image?)),
        Verb::RollBack => Act::Rollback(image),
        Verb::Hold => Act::Hold(form.reason?),
        Verb::Resume => Act::Resume,
        Verb::Cancel => Act::Cancel,
    };
    let id = format!("board#{}", form.once);
    Some(match &viewer.session.slack {
        Some(origin) => {
            Command::from_slack(id, act, repository.clone(), origin, &viewer.session.by)
        }
        None => Command::from_board(id, act, repository.clone(), &viewer.session.by),
    })
}

/// Whether what was wanted is so, or will be.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_place_or_nothing() {
        let place =
            |rest: &str| Route::parse(rest).map(|route| (route.token.to_owned(), route.place));
        let web = || "team/web".parse::<Repository>().expect("a name");
        assert_eq!(place("t"), Some(("t".to_owned(), Place::List)));
        assert_eq!(place("t/app/team/web"), Some(("t".to_owned(), Place::App(web()))));
        for verb in Verb::ALL {
            assert_eq!(
                place(&format!("t/act/{}/team/web", verb.name())),
                Some(("t".to_owned(), Place::Act(verb, web())))
            );
        }
        for nowhere in [
            "",
            "/",
            "t/",
            "/app/web",
            "t/app",
            "t/app/",
            "t/app/Web",
            "t/app/../web",
            "t/act/hold",
            "t/act/fly/web",
            "t/x/web",
        ] {
            assert_eq!(place(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn a_query_names_an_image_where_one_is_meant_and_only_there() {
        let digest = Digest::of(b"x");
        let named = format!("image={digest}");
        assert_eq!(image(Verb::Approve, &named), Some(Some(digest.clone())));
        assert_eq!(image(Verb::RollBack, &named), Some(Some(digest)));
        assert_eq!((image(Verb::RollBack, ""), image(Verb::Hold, "")), (Some(None), Some(None)));
        assert_eq!((image(Verb::Approve, ""), image(Verb::Hold, &named)), (None, None));
        for bad in [
            "image",
            "image=",
            "image=latest",
            "Image=x",
            &format!("{named}&{named}"),
            &format!("x&{named}"),
            &format!("{named}%20"),
        ] {
            assert_eq!(image(Verb::Promote, bad), None, "{bad}");
        }
    }
}
