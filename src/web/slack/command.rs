//! Slash commands.

use std::time::Instant;

use jiff::Timestamp;
use serde_json::json;
use tracing::error;

use super::admission::{
    Stranger, UNKNOWN_TEAM, authenticate, check_response_url, counts, failed, foreign, standing,
    unreadable,
};
use super::{LATER, act_in_time, in_time, refusal};
use crate::decide::{Trigger, slack_objection};
use crate::error::Error;
use crate::event::command::{ACTIONS, Sender, from_slash};
use crate::event::{Event, overview};
use crate::function_url::{Request, Response};
use crate::model::AppName;
use crate::model::command::{Act, Command, ImageRef, SlackOrigin, Standing};
use crate::model::config::App;
use crate::model::report::Reply;
use crate::reconcile::look_only;
use crate::slack::escape::escape_lines;
use crate::slack::reply::{HELP, words, words_for_outsiders};
use crate::slack::slash::{self, SlashCommand};
use crate::slack::team;
use crate::web::board_link::{self, Asker};
use crate::web::places;
use crate::world::Web;
use crate::world::snapshot::Subject;

const TRY_AGAIN: &str = "This takes longer than Slack waits. Try again.";
const LOG_SAYS: &str = "That failed, and nothing was changed; the function's log says why.";

/// Answers a slash command. Its text is a command; the word `promote` may be left out.
pub(crate) async fn answer<W: Web>(world: &W, request: &Request, now: Timestamp) -> Response {
    let began = Instant::now();
    if let Err(refused) = authenticate(world, request, now).await {
        return refused;
    }
    let slash = match slash::parse(&request.body) {
        Ok(slash) => slash,
        Err(problem) => return unreadable(&problem.to_string()),
    };
    if let Err(refused) = check_response_url(world, slash.response_url.as_deref()) {
        return refused;
    }
    let text = slash.text.trim();
    if text.is_empty() || text.eq_ignore_ascii_case("help") {
        return Response::json(
            200,
            &json!({ "response_type": "ephemeral", "text": escape_lines(HELP, 3_000) }),
        );
    }
    let sender = team::Sender {
        team: Some(&slash.team),
        own_team: slash.user.team.as_deref(),
        organisation: slash.organisation.as_deref(),
    };
    let known = in_time(began, standing(world, sender)).await;
    let standing = match known.unwrap_or(Err(Stranger::Unknown)) {
        Ok(standing) => standing,
        Err(Stranger::Foreign) => return foreign(),
        Err(Stranger::Unknown) => return ephemeral(UNKNOWN_TEAM),
    };
    let origin =
        SlackOrigin { user: slash.user.id.clone(), standing, channel: Some(slash.channel.clone()) };
    if text.eq_ignore_ascii_case("board") {
        board(world, slash, origin, began).await
    } else if let Some(Ok(Event::Where(image))) = overview::from_words(text) {
        find_places(world, image, &origin, began).await
    } else {
        order(world, &slash, text, origin, began).await
    }
}

/// Answers `/promote where`: anyone of the team may look.
async fn find_places<W: Web>(
    world: &W,
    image: ImageRef,
    origin: &SlackOrigin,
    began: Instant,
) -> Response {
    let found = async {
        let is_guest = origin.standing == Standing::Organisation;
        if is_guest && !is_listed_anywhere(world, &origin.user).await? {
            return Ok(None);
        }
        places::places(world, image).await.map(Some)
    };
    match in_time(began, found).await {
        None => ephemeral(TRY_AGAIN),
        Some(Ok(None)) => foreign(),
        Some(Ok(Some(reply))) => ephemeral(&words(&reply)),
        Some(Err(failure)) => {
            error!(%failure, "a slash command failed");
            ephemeral(LOG_SAYS)
        }
    }
}

/// Answers `/promote board` with a link for whoever asks.
async fn board<W: Web>(
    world: &W,
    slash: SlashCommand,
    origin: SlackOrigin,
    began: Instant,
) -> Response {
    let link = async {
        if origin.standing == Standing::Organisation
            && !is_listed_anywhere(world, &origin.user).await?
        {
            return Ok(None);
        }
        let asker = Asker::Person { origin, name: slash.user.name, trigger_id: slash.trigger_id };
        board_link::link(world, asker).await.map(Some)
    };
    match in_time(began, link).await {
        None => ephemeral(TRY_AGAIN),
        Some(Ok(None)) => foreign(),
        Some(Ok(Some(Reply::Answer(answer)))) => ephemeral(&answer.reason),
        Some(Ok(Some(reply @ Reply::Report(_)))) => ephemeral(&words(&reply)),
        Some(Err(failure)) => {
            error!(%failure, "a slash command failed");
            // Whoever asks may not be allowed to command any app. A configuration's own error
            // reveals nothing else.
            let is_theirs = matches!(failure, Error::Config(_));
            ephemeral(&if is_theirs {
                format!("That failed: {failure}")
            } else {
                LOG_SAYS.to_owned()
            })
        }
    }
}

/// Whether any app lists this person of another team.
async fn is_listed_anywhere<W: Web>(world: &W, user: &str) -> Result<bool, Error> {
    let apps = world.known_apps().await?;
    Ok(apps
        .iter()
        .any(|(_, app)| app.as_ref().is_ok_and(|app| counts(app, Standing::Organisation, user))))
}

/// Answers every other slash command. It is about one app.
async fn order<W: Web>(
    world: &W,
    slash: &SlashCommand,
    text: &str,
    origin: SlackOrigin,
    began: Instant,
) -> Response {
    let sender =
        Sender::Slack { trigger_id: &slash.trigger_id, origin: &origin, name: &slash.user.name };
    let command = match from_slash(text, sender) {
        Ok(command) => command,
        Err(problem) => {
            return ephemeral(&format!("{} `help` lists the commands.", problem.problem));
        }
    };
    let app = match world.app(&command.app).await {
        Ok(Some(app)) => app,
        Ok(None) => return not_configured(world, text, &command.app).await,
        Err(failure) => return failed(&failure),
    };
    if !counts(&app, origin.standing, &origin.user) {
        return foreign();
    }
    if let Some(objection) = slack_objection(&app, &origin, &command.by) {
        return match command.act {
            Act::Status | Act::History(_) | Act::Plan(_) | Act::PlanRollback(_) => {
                show(world, &app, command, began).await
            }
            Act::Promote(_)
            | Act::Rollback(..)
            | Act::Cancel
            | Act::Hold(_)
            | Act::Resume
            | Act::Reconcile
            | Act::Approve(_)
            | Act::Reject(_)
            | Act::Ask
            | Act::AskAgain(_) => ephemeral(&words(&refusal(&app, objection))),
        };
    }
    match act_in_time(world, &app, command, began).await {
        Ok(Some(reply)) => ephemeral(&words(&reply)),
        Ok(None) => ephemeral(LATER),
        Err(failure) => {
            error!(%failure, "a slash command failed");
            ephemeral(&format!("That failed: {failure}"))
        }
    }
}

/// Answers a command about an app that is not configured.
async fn not_configured<W: Web>(world: &W, text: &str, app: &AppName) -> Response {
    // A text without a command is a `promote`. Its first word may be a misspelt command.
    let is_first_word = text.split_whitespace().next() == Some(app.as_str());
    let words: &[&str] = if is_first_word { &ACTIONS } else { &[] };
    ephemeral(&world.no_such_app(app, words).await)
}

/// Answers somebody who may only look. Nothing is written, and no change set is made.
async fn show<W: Web>(world: &W, app: &App, command: Command, began: Instant) -> Response {
    let subject = Subject::of(&command);
    let trigger = Trigger::Command(command);
    let looked = look_only(world, app, &trigger, &subject);
    match in_time(began, looked).await {
        None => ephemeral(TRY_AGAIN),
        Some(Ok(Some(reply))) => ephemeral(&words_for_outsiders(&reply)),
        Some(Ok(None)) => {
            ephemeral("Only people who may command the app can see what this would do.")
        }
        Some(Err(failure)) => {
            error!(%failure, "a slash command from somebody who may not command failed");
            ephemeral(LOG_SAYS)
        }
    }
}

/// An answer that only whoever wrote the command can see.
fn ephemeral(text: &str) -> Response {
    Response::json(
        200,
        &json!({
            "response_type": "ephemeral", "mrkdwn": false, "text": escape_lines(text, 3_000),
        }),
    )
}
