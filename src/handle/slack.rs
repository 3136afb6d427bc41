//! Slack's two addresses: clicks and slash commands. In this order: is it signed, by Slack, now; is it ours; whose is it; and only
//! then is anything read or decided. Slack waits for 3 s: the decision is written first, and what the time does not suffice for,
//! the schedule does.
//! <https://docs.slack.dev/interactivity/handling-user-interaction/#acknowledgment_response>

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;
use tracing::{error, info};

use super::{board, look, meant};
use crate::answer::{Outcome, Reply};
use crate::config::App;
use crate::decide::Trigger;
use crate::error::Error;
use crate::event::command::{ACTIONS, Act, Choice, Command, Sender, SlackOrigin};
use crate::link::BoardLink;
use crate::message::reply::{HELP, words};
use crate::model::RequestId;
use crate::slack::escape::escape_lines;
use crate::slack::interaction::{self, Button, Click};
use crate::slack::signature::{Signed, signed};
use crate::slack::slash;
use crate::web::{Request, Response};
use crate::world::{Listener, Secret, Subject, World};

/// How long is worked before Slack is answered: the rest of its 3 s is for the way there and back.
const BUDGET: Duration = Duration::from_millis(2_250);
/// How long a last word to one person may take.
const LAST_WORD: Duration = Duration::from_millis(300);
const LATER: &str = "It takes longer than Slack waits. If it was heard, it goes on by itself within five minutes; `status` tells.";

/// A click on a button of ours.
pub(super) async fn interaction<W: World>(world: &W, request: &Request, now: Timestamp) -> Response {
    let began = Instant::now();
    if let Err(refused) = authenticate(world, request, now).await {
        return refused;
    }
    let click = match interaction::parse(&request.body) {
        Ok(Some(click)) => click,
        Ok(None) => return Response::ok(),
        Err(problem) => return Response::text(400, problem.to_string()),
    };
    if let Err(refused) = is_from_here(world, click.response_url.as_deref(), &click.team, click.user.team.as_deref()) {
        return refused;
    }
    let found = match click.value.parse::<RequestId>() {
        Ok(id) => of_request(world, &click, id).await,
        Err(_) => Ok(None),
    };
    let (app, command) = match found {
        Ok(Some(found)) => found,
        Ok(None) => return Response::text(404, "This button belongs to no request, or to one that ended long ago."),
        Err(failure) => return failed(&failure),
    };
    let said = match act(world, &app, command, began).await {
        // The message itself says what became of it.
        Ok(Some(Reply::Answer(answer))) if is_what_was_clicked(click.button, answer.outcome) && answer.closed.is_empty() => {
            return Response::ok();
        }
        Ok(Some(reply)) => words(&reply),
        Ok(None) => LATER.to_owned(),
        Err(failure) => {
            error!(%failure, "a click failed");
            format!("That failed: {failure}")
        }
    };
    let to = Listener { response_url: click.response_url, channel: click.channel, user: click.user.id };
    world.whisper(&to, &said, LAST_WORD.max(BUDGET.saturating_sub(began.elapsed()))).await;
    Response::ok()
}

/// A slash command: the words of a command, `promote` being understood.
pub(super) async fn command<W: World>(world: &W, request: &Request, now: Timestamp) -> Response {
    let began = Instant::now();
    if let Err(refused) = authenticate(world, request, now).await {
        return refused;
    }
    let slash = match slash::parse(&request.body) {
        Ok(slash) => slash,
        Err(problem) => return Response::text(400, problem.to_string()),
    };
    if let Err(refused) = is_from_here(world, slash.response_url.as_deref(), &slash.team, slash.user.team.as_deref()) {
        return refused;
    }
    let text = slash.text.trim();
    if text.is_empty() || text.eq_ignore_ascii_case("help") {
        return Response::json(200, &json!({ "response_type": "ephemeral", "text": escape_lines(HELP, 3_000) }));
    }
    let origin = SlackOrigin {
        user: slash.user.id.clone(),
        team: slash.team.clone(),
        channel: Some(slash.channel.clone()),
        channel_name: Some(slash.channel_name.clone()).filter(|name| !name.is_empty()),
    };
    let sender = Sender::Slack { trigger_id: &slash.trigger_id, origin: &origin, name: &slash.user.name };
    if text.eq_ignore_ascii_case("board") {
        let link = board::link(world, BoardLink { by: slash.user.name.clone(), slack: Some(origin) });
        return match tokio::time::timeout(BUDGET.saturating_sub(began.elapsed()), link).await {
            Err(_) => ephemeral("It takes longer than Slack waits: try again."),
            Ok(Ok(reply)) => ephemeral(&words(&reply)),
            Ok(Err(failure)) => {
                error!(%failure, "a slash command failed");
                ephemeral(&format!("That failed: {failure}"))
            }
        };
    }
    let command = match Command::from_slash(text, sender) {
        Ok(command) => command,
        Err(problem) => return ephemeral(&format!("{} `help` lists the commands.", problem.problem)),
    };
    let app = match world.app(&command.repository).await {
        Ok(Some(app)) => app,
        Ok(None) => {
            // Without a command it is `promote`, and the first word may be a misspelt one.
            let is_first_word = text.split_whitespace().next() == Some(command.repository.as_str());
            let meant = meant(world, &command.repository, if is_first_word { &ACTIONS } else { &[] }).await;
            return ephemeral(&format!("`{}` is not configured{meant}", command.repository));
        }
        Err(failure) => return failed(&failure),
    };
    match act(world, &app, command, began).await {
        Ok(Some(reply)) => ephemeral(&words(&reply)),
        Ok(None) => ephemeral(LATER),
        Err(failure) => {
            error!(%failure, "a slash command failed");
            ephemeral(&format!("That failed: {failure}"))
        }
    }
}

/// Whether that is all that its clicker wanted. Whose approval came after a rejection is told.
fn is_what_was_clicked(button: Button, outcome: Outcome) -> bool {
    let wanted = match button {
        Button::Approve | Button::RollBack => Outcome::Promoted,
        Button::Reject => Outcome::Rejected,
        Button::AskAgain => Outcome::ApprovalRequested,
    };
    outcome == wanted
}

/// What a click means, by what its button's request is about.
async fn of_request<W: World>(world: &W, click: &Click, id: RequestId) -> Result<Option<(App, Command)>, Error> {
    let Some(asked) = world.request(&id).await? else { return Ok(None) };
    let Some(app) = world.app(&asked.repository).await? else { return Ok(None) };
    let act = match click.button {
        Button::Approve => Act::Approve(Choice::Request(id)),
        Button::Reject => Act::Reject(Choice::Request(id)),
        Button::AskAgain => Act::AskAgain(asked.digest),
        Button::RollBack => Act::RollBackFrom(asked.digest),
    };
    let origin = SlackOrigin { user: click.user.id.clone(), team: click.team.clone(), channel: click.channel.clone(), channel_name: None };
    let command = Command::from_slack(format!("slack#{}", click.trigger_id), act, asked.repository, &origin, &click.user.name);
    Ok(Some((app, command)))
}

/// Carries a command out, as far as the time suffices: what is cut off is as safe as a sandbox that dies.
async fn act<W: World>(world: &W, app: &App, command: Command, began: Instant) -> Result<Option<Reply>, Error> {
    let subject = Subject::of(&command);
    let trigger = Trigger::Command(command);
    let looked = look(world, app, &trigger, &subject);
    tokio::time::timeout(BUDGET.saturating_sub(began.elapsed()), looked).await.map_or(Ok(None), |reply| reply.map(Some))
}

/// Whether Slack signed it. A signature that does not fit is compared again with the secret as it is now, since that may have
/// been changed; the time is looked at first, so that an old request costs nothing.
async fn authenticate<W: World>(world: &W, request: &Request, now: Timestamp) -> Result<(), Response> {
    let closed = |why: &str| {
        info!(why, "refused");
        Err(Response::text(401, "This request is not signed as Slack signs."))
    };
    let signed = match signed(request, now) {
        Ok(signed) => signed,
        Err(unsigned) => return closed(&unsigned.to_string()),
    };
    let is_by = async |signed: &Signed<'_>, again: bool| {
        let secret = world.secret(Secret::SlackSigningSecret, again).await.map_err(|failure| failed(&failure))?;
        Ok::<_, Response>(secret.is_some_and(|secret| signed.is_by(&secret)))
    };
    if is_by(&signed, false).await? || is_by(&signed, true).await? {
        return Ok(());
    }
    closed("the signature is not Slack's, or no signing secret is configured")
}

/// A guest of another team counts for nothing, and an address that is not Slack's is no work of Slack's.
fn is_from_here<W: World>(world: &W, response_url: Option<&str>, team: &str, users: Option<&str>) -> Result<(), Response> {
    if response_url.is_some_and(|url| !world.is_response_url(url)) {
        info!("refused: the address to answer at is not Slack's");
        return Err(Response::text(400, "The address to answer at is not Slack's."));
    }
    if users.is_some_and(|users| users != team) {
        info!("refused: a guest of another team");
        return Err(Response::text(403, "Guests of other teams cannot decide here."));
    }
    Ok(())
}

fn ephemeral(text: &str) -> Response {
    Response::json(200, &json!({ "response_type": "ephemeral", "mrkdwn": false, "text": escape_lines(text, 3_000) }))
}

fn failed(failure: &Error) -> Response {
    error!(%failure, "an HTTP request failed");
    Response::text(500, "That failed on our side; the function's log says why.")
}
