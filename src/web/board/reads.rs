//! What the board's pages read, and what their readers may do.

use tracing::warn;

use crate::decide::{Trigger, identity_objection, slack_objection};
use crate::error::Error;
use crate::function_url::Response;
use crate::model::command::{Act, Command, ImageRef};
use crate::model::config::{App, ConfigError};
use crate::model::report::{PromotionPlan, Reply, Report};
use crate::model::stack::{EventsWanted, Phase};
use crate::model::state::State;
use crate::model::{AppName, Digest};
use crate::page::board::row::Row;
use crate::page::board::stages::families;
use crate::page::board::verb::Rights;
use crate::page::board::{self, Viewer};
use crate::page::frame::Place;
use crate::page::notice::WayOn;
use crate::reconcile::look_only;
use crate::web::access::notice;
use crate::world::Web;
use crate::world::snapshot::{Question, Snapshot, Subject};

/// What people read when only the log has the details.
const UNREADABLE: &str = "it could not be read just now; the function's log says why";

/// Drops a state that is about another stack or parameter than the configured one.
pub(super) fn of_this_stack(app: &App, state: Option<State>) -> Option<State> {
    let is_same = |state: &State| {
        state.stack == app.config.stack
            || state
                .stack_id
                .as_ref()
                .is_some_and(|id| app.is_about(id, &crate::model::place::Place::default()))
    };
    state.filter(|state| is_same(state) && state.parameter == app.config.parameter)
}

/// Says why something cannot be shown. Everybody may read the errors of a configuration; the log
/// has all others.
pub(super) fn words(repository: &AppName, error: &Error) -> String {
    match error {
        Error::Config(error) => mistake(error),
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

/// Says what is wrong with a configuration. The key comes first: a narrow list shows only that.
pub(super) fn mistake(ConfigError { place, key, problem }: &ConfigError) -> String {
    match key {
        Some(key) => format!("Key `{key}`: {problem} (in {place})"),
        None => format!("{problem} (in {place})"),
    }
}

/// Returns the app, or the page that says why it cannot be used.
pub(super) async fn find<W: Web>(
    world: &W,
    viewer: &Viewer<'_>,
    repository: &AppName,
) -> Result<Result<App, Response>, Error> {
    Ok(match world.app(repository).await {
        Ok(Some(app)) => Ok(app),
        Ok(None) => {
            let words = ("Not found", "There is no app with this name.");
            Err(notice(world, 404, words, WayOn::TryAgain))
        }
        Err(Error::Config(error)) => {
            let place = Place::without_account(world.environment().as_deref());
            Err(board::app::unusable(viewer, &place, repository, &mistake(&error)))
        }
        Err(error) => return Err(error),
    })
}

/// Returns the app as it is now, for a page about it.
pub(super) async fn observe<W: Web>(world: &W, app: &App) -> Result<Snapshot, Error> {
    let mut seen = world.observe(app, &Subject::default()).await?;
    seen.state = of_this_stack(app, seen.state);
    world.read(app, &Question::History(None), &mut seen).await?;
    if let Some(after) = &app.config.after {
        // Without the earlier stage the page shows less, and says so.
        let asked = world.read(app, &Question::Earlier(after.clone()), &mut seen).await;
        if let Err(error) = asked {
            warn!(app = %app.name, %error, "the earlier stage could not be read");
        }
    }
    if seen.stack.as_ref().is_some_and(|stack| stack.phase() == Phase::Busy) {
        world.read(app, &Question::Events(EventsWanted::default()), &mut seen).await?;
    }
    Ok(seen)
}

/// The apps of this app's repository, if there are several and they can be read. Without them the
/// page shows less.
pub(super) async fn stages<W: Web>(world: &W, app: &App) -> Vec<Row> {
    let read = async {
        let rows = world.known_apps().await?.into_iter().map(|(name, its)| {
            let its = its.map_err(|error| words(&name, &error));
            Row { name, app: its, state: Ok(None), stack: None }
        });
        let rows: Vec<Row> = rows.collect();
        let family = families(&rows).into_iter().find(|family| family.has(&app.name));
        let names: Vec<AppName> = family.map(|family| family.names()).unwrap_or_default();
        if names.len() < 2 {
            return Ok(Vec::new());
        }
        let mut states = world.states(&names).await?;
        let its = rows.into_iter().filter(|row| names.contains(&row.name));
        let with_state = its.map(|row| {
            let state = states.remove(&row.name).transpose();
            let state = state.map_err(|error| words(&row.name, &error));
            let app = row.app.as_ref();
            let state = state.map(|state| app.map_or(None, |app| of_this_stack(app, state)));
            Row { state, ..row }
        });
        Ok::<_, Error>(with_state.collect())
    };
    read.await.unwrap_or_else(|error| {
        warn!(app = %app.name, %error, "the other apps of the repository could not be read");
        Vec::new()
    })
}

/// The place of a page about this app.
pub(super) fn place<W: Web>(world: &W, app: &App, seen: &Snapshot) -> Place {
    let stack = seen.stack.as_ref().map(|stack| stack.id.as_str());
    Place::of(world.environment().as_deref(), [app], stack)
}

pub(super) fn rights(viewer: &Viewer<'_>, app: &App, state: Option<&State>) -> Rights {
    let origin = viewer.session.slack.as_ref();
    let asked = state.and_then(|state| state.request.as_ref());
    let policy = asked.map_or_else(|| app.policy(), |request| request.policy(app.policy()));
    Rights {
        no_commands: origin.and_then(|origin| slack_objection(app, origin, &origin.user)),
        no_decisions: identity_objection(&policy, origin).map(str::to_owned),
    }
}

/// Works out what a rollback would do, without changing anything. `None` if that is not possible:
/// the function's log says why.
pub(super) async fn plan_rollback<W: Web>(
    world: &W,
    viewer: &Viewer<'_>,
    app: &App,
    chosen: Option<&Digest>,
) -> Option<PromotionPlan> {
    // Where a rollback leads does not depend on what it would change in the stack. To ask
    // CloudFormation about that would make a change set.
    let mut app = app.clone();
    app.config.guard = None;
    let act = Act::PlanRollback(chosen.cloned().map(ImageRef::Digest));
    let by = &viewer.session.by;
    let command = Command::from_board(String::new(), act, app.name.clone(), by);
    let (subject, trigger) = (Subject::of(&command), Trigger::Command(command));
    match look_only(world, &app, &trigger, &subject).await {
        Ok(Some(Reply::Report(Report::Plan(plan)))) => Some(*plan),
        Ok(_) => None,
        Err(error) => {
            warn!(%error, "where a rollback leads could not be worked out");
            None
        }
    }
}
