//! Clicks on the buttons of this function's messages.

use std::time::{Duration, Instant};

use futures_util::future::join;
use jiff::Timestamp;
use tracing::error;

use super::admission::{
    Stranger, UNKNOWN_TEAM, authenticate, check_response_url, counts, failed, foreign, standing,
    unknown_team, unreadable,
};
use super::{LATER, act_in_time, in_time, left, refusal};
use crate::decide::slack_objection;
use crate::error::Error;
use crate::function_url::{Request, Response};
use crate::model::RequestId;
use crate::model::answer::Outcome;
use crate::model::command::{
    Act, Choice, Command, RollbackStep, RollbackTo, SlackOrigin, Standing,
};
use crate::model::config::App;
use crate::model::report::Reply;
use crate::slack::interaction::{self, Button, Click};
use crate::slack::reply::words;
use crate::slack::team;
use crate::world::{Listener, Web};

/// How long a message to one person may take when the time is up.
const LAST_WORD: Duration = Duration::from_millis(300);

/// Answers a click on a button.
pub(crate) async fn answer<W: Web>(world: &W, request: &Request, now: Timestamp) -> Response {
    let began = Instant::now();
    if let Err(refused) = authenticate(world, request, now).await {
        return refused;
    }
    let click = match interaction::parse(&request.body) {
        Ok(Some(click)) => click,
        Ok(None) => return Response::ok(),
        Err(problem) => return unreadable(&problem.to_string()),
    };
    if let Err(refused) = check_response_url(world, click.response_url.as_deref()) {
        return refused;
    }
    let (app, act, standing) = match admit(world, &click, began).await {
        Ok(admitted) => admitted,
        Err(refused) => return refused,
    };
    let said = match answer_click(world, &app, act, standing, &click, began).await {
        // The message itself shows the result.
        Ok(Some(Reply::Answer(answer)))
            if is_what_was_clicked(click.button, answer.outcome) && answer.closed.is_empty() =>
        {
            return Response::ok();
        }
        Ok(Some(reply)) => words(&reply),
        Ok(None) => LATER.to_owned(),
        Err(failure) => {
            error!(%failure, "a click failed");
            format!("That failed: {failure}")
        }
    };
    answer_privately(world, &click, &said, began).await;
    Response::ok()
}

/// Checks that whoever clicked belongs to the installation, and finds out what the click means.
async fn admit<W: Web>(
    world: &W,
    click: &Click,
    began: Instant,
) -> Result<(App, Act, Standing), Response> {
    // Both reads at the same time, since time is short. Neither changes anything.
    let sender = team::Sender {
        team: click.team.as_deref(),
        own_team: click.user.team.as_deref(),
        organisation: click.organisation.as_deref(),
    };
    let read = join(standing(world, sender), find(world, click));
    let Some((standing, found)) = in_time(began, read).await else {
        return Err(unknown_team());
    };
    let standing = match standing {
        Ok(standing) => standing,
        Err(Stranger::Foreign) => return Err(foreign()),
        Err(Stranger::Unknown) => {
            answer_privately(world, click, UNKNOWN_TEAM, began).await;
            return Err(unknown_team());
        }
    };
    let (app, act) = found.map_err(|failure| failed(&failure))?.ok_or_else(|| {
        let words = "The request of this button is not known, or it ended long ago.";
        Response::text(404, words).because("the request of the button is not known")
    })?;
    if counts(&app, standing, &click.user.id) { Ok((app, act, standing)) } else { Err(foreign()) }
}

/// Carries out what the click means, if whoever clicked may command this app.
async fn answer_click<W: Web>(
    world: &W,
    app: &App,
    act: Act,
    standing: Standing,
    click: &Click,
    began: Instant,
) -> Result<Option<Reply>, Error> {
    let origin =
        SlackOrigin { user: click.user.id.clone(), standing, channel: click.channel.clone() };
    let command = Command::from_slack(
        format!("slack#{}", click.trigger_id),
        act,
        app.name.clone(),
        &origin,
        &click.user.name,
    );
    match slack_objection(app, &origin, &command.by) {
        Some(objection) => Ok(Some(refusal(app, objection))),
        None => act_in_time(world, app, command, began).await,
    }
}

/// Returns the app of the button's request and what the click means; `None` if there is no such
/// request or app.
async fn find<W: Web>(world: &W, click: &Click) -> Result<Option<(App, Act)>, Error> {
    // The button of a rollback names the image that its message shows as the one to go back to.
    let (id, to) = match click.value.split_once(' ') {
        Some((id, to)) => (id, to.parse().ok()),
        None => (click.value.as_str(), None),
    };
    let Ok(id) = id.parse::<RequestId>() else { return Ok(None) };
    let Some(asked) = world.request(&id).await? else { return Ok(None) };
    let Some(app) = world.app(&asked.app).await? else { return Ok(None) };
    let act = match click.button {
        Button::Approve => Act::Approve(Choice::Request(id)),
        Button::Reject => Act::Reject(Choice::Request(id)),
        Button::AskAgain => Act::AskAgain(asked.digest),
        Button::RollBack => {
            let step = RollbackStep { from: asked.digest, to, is_chosen: false };
            Act::Rollback(RollbackTo::Shown(Box::new(step)), None)
        }
    };
    Ok(Some((app, act)))
}

/// Whether the outcome is what the click was for. Every other outcome is told to whoever clicked:
/// an approval may come after a rejection, for example.
fn is_what_was_clicked(button: Button, outcome: Outcome) -> bool {
    let wanted = match button {
        Button::Approve | Button::RollBack => Outcome::Promoted,
        Button::Reject => Outcome::Rejected,
        Button::AskAgain => Outcome::ApprovalRequested,
    };
    outcome == wanted
}

/// Sends an answer that only whoever clicked can see.
async fn answer_privately<W: Web>(world: &W, click: &Click, text: &str, began: Instant) {
    let to = Listener {
        response_url: click.response_url.clone(),
        channel: click.channel.clone(),
        user: click.user.id.clone(),
    };
    world.answer_privately(&to, text, LAST_WORD.max(left(began))).await;
}
