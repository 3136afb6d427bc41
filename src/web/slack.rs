//! Slack's two addresses: clicks and slash commands. Each is checked in this order: did Slack sign
//! it within the last minutes, does its sender belong to the installed team or organisation, and
//! may the sender command this app. Only then is anything decided. Slack waits for 3 s: the
//! decision is written first, and the schedule finishes what there is no time for.
//! <https://docs.slack.dev/interactivity/handling-user-interaction/#acknowledgment_response>

use std::time::{Duration, Instant};

use futures_util::future::join;
use http::Method;
use jiff::Timestamp;
use serde_json::json;
use tracing::error;

use crate::decide::{Step, Trigger, decide, slack_objection};
use crate::error::Error;
use crate::event::command::{ACTIONS, Sender, from_slash};
use crate::function_url::{Request, Response};
use crate::model::RequestId;
use crate::model::answer::{Answer, Outcome};
use crate::model::command::{Act, Choice, Command, SlackOrigin, Standing};
use crate::model::config::App;
use crate::model::report::Reply;
use crate::reconcile::look_for_a_person;
use crate::settings::Secret;
use crate::slack::escape::escape_lines;
use crate::slack::interaction::{self, Button, Click};
use crate::slack::reply::{HELP, words, words_for_outsiders};
use crate::slack::signature::signed;
use crate::slack::slash::{self, SlashCommand};
use crate::slack::team;
use crate::web::board_link::{self, Asker};
use crate::world::snapshot::Subject;
use crate::world::{Listener, Web};

/// How long the function works before it answers Slack. The rest of the 3 s is for the network.
const BUDGET: Duration = Duration::from_millis(2_250);
/// How long a message to one person may take where the time is up.
const LAST_WORD: Duration = Duration::from_millis(300);
/// How often an app is looked at for somebody who may only look, if two reads did not fit together.
const LOOKS: u32 = 3;
/// The longest form of a certificate check, which has two short fields.
const LONGEST_CHECK: usize = 4 * 1024;
const LATER: &str = "It takes longer than Slack waits. If it was heard, it goes on by itself \
                     within five minutes; `status` tells.";
const NOT_HEARD: &str = "Nothing was done: Slack did not say in time in which team this app is \
                         installed, and without that nobody counts. \
                         Try again in a few seconds; if it stays so, the function's log says why.";
const TRY_AGAIN: &str = "It takes longer than Slack waits: try again.";
const LOG_SAYS: &str = "That failed, and nothing was changed; the function's log says why.";

/// Whether this is Slack's check of the certificate. It has no signature, and expects only a 200.
/// <https://docs.slack.dev/interactivity/implementing-slash-commands/>
pub(super) fn is_ssl_check(request: &Request) -> bool {
    let is_check = |form: &[u8]| {
        let mut checks = form_urlencoded::parse(form).filter(|(name, _)| name == "ssl_check");
        form.len() <= LONGEST_CHECK
            && checks.next().is_some_and(|(_, value)| value == "1")
            && checks.next().is_none()
    };
    match request.method {
        Method::POST => is_check(&request.body),
        Method::GET | Method::HEAD => is_check(request.query.as_bytes()),
        _ => false,
    }
}

/// A click on a button of ours.
pub(super) async fn interaction<W: Web>(world: &W, request: &Request, now: Timestamp) -> Response {
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
        // The message itself says what became of it.
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

/// Checks that the clicker belongs to the installation, and finds what the click means.
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
        return Err(not_heard());
    };
    let standing = match standing {
        Ok(standing) => standing,
        Err(Stranger::Foreign) => return Err(foreign()),
        Err(Stranger::Unknown) => {
            answer_privately(world, click, NOT_HEARD, began).await;
            return Err(not_heard());
        }
    };
    let (app, act) = found.map_err(|failure| failed(&failure))?.ok_or_else(|| {
        let words = "This button belongs to no request, or to one that ended long ago.";
        Response::text(404, words).because("the button belongs to no request")
    })?;
    if counts(&app, standing, &click.user.id) { Ok((app, act, standing)) } else { Err(foreign()) }
}

/// Carries out what the click means, if whoever clicked may command.
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
        app.repository.clone(),
        &origin,
        &click.user.name,
    );
    match slack_objection(app, &origin, &command.by) {
        Some(objection) => Ok(Some(refusal(app, objection))),
        None => act_in_time(world, app, command, began).await,
    }
}

/// The app that a click is about and what it means, by what its button's request is about.
async fn find<W: Web>(world: &W, click: &Click) -> Result<Option<(App, Act)>, Error> {
    let Ok(id) = click.value.parse::<RequestId>() else { return Ok(None) };
    let Some(asked) = world.request(&id).await? else { return Ok(None) };
    let Some(app) = world.app(&asked.repository).await? else { return Ok(None) };
    let act = match click.button {
        Button::Approve => Act::Approve(Choice::Request(id)),
        Button::Reject => Act::Reject(Choice::Request(id)),
        Button::AskAgain => Act::AskAgain(asked.digest),
        Button::RollBack => Act::RollBackFrom(asked.digest),
    };
    Ok(Some((app, act)))
}

/// Whether the outcome is what the clicker wanted. Any other one is told: an approval may come
/// after a rejection, for example.
fn is_what_was_clicked(button: Button, outcome: Outcome) -> bool {
    let wanted = match button {
        Button::Approve | Button::RollBack => Outcome::Promoted,
        Button::Reject => Outcome::Rejected,
        Button::AskAgain => Outcome::ApprovalRequested,
    };
    outcome == wanted
}

async fn answer_privately<W: Web>(world: &W, click: &Click, text: &str, began: Instant) {
    let to = Listener {
        response_url: click.response_url.clone(),
        channel: click.channel.clone(),
        user: click.user.id.clone(),
    };
    world.answer_privately(&to, text, LAST_WORD.max(left(began))).await;
}

/// A slash command: the words of a command. The word `promote` may be left out.
pub(super) async fn command<W: Web>(world: &W, request: &Request, now: Timestamp) -> Response {
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
        Err(Stranger::Unknown) => return ephemeral(NOT_HEARD),
    };
    let origin =
        SlackOrigin { user: slash.user.id.clone(), standing, channel: Some(slash.channel.clone()) };
    if text.eq_ignore_ascii_case("board") {
        board(world, slash, origin, began).await
    } else {
        order(world, &slash, text, origin, began).await
    }
}

/// `/promote board`: a link for whoever asks.
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

/// Every other slash command: about one app.
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
    let app = match world.app(&command.repository).await {
        Ok(Some(app)) => app,
        Ok(None) => {
            // A text without a command is a `promote`. Its first word may be a misspelt command.
            let is_first_word = text.split_whitespace().next() == Some(command.repository.as_str());
            let meant = world
                .did_you_mean(&command.repository, if is_first_word { &ACTIONS } else { &[] })
                .await;
            return ephemeral(&format!("`{}` is not configured{meant}", command.repository));
        }
        Err(failure) => return failed(&failure),
    };
    if !counts(&app, origin.standing, &origin.user) {
        return foreign();
    }
    if let Some(objection) = slack_objection(&app, &origin, &command.by) {
        return match command.act {
            Act::Status | Act::History | Act::Plan(_) => show(world, &app, command, began).await,
            Act::Promote(_)
            | Act::Rollback(_)
            | Act::Cancel
            | Act::Hold(_)
            | Act::Resume
            | Act::Reconcile
            | Act::Approve(_)
            | Act::Reject(_)
            | Act::Ask
            | Act::AskAgain(_)
            | Act::RollBackFrom(_) => ephemeral(&words(&refusal(&app, objection))),
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

/// Answers somebody who may only look. Nothing is written, and no change set is made.
async fn show<W: Web>(world: &W, app: &App, command: Command, began: Instant) -> Response {
    let subject = Subject::of(&command);
    let trigger = Trigger::Command(command);
    let looked = look_only(world, app, &trigger, &subject);
    match in_time(began, looked).await {
        None => ephemeral(TRY_AGAIN),
        Some(Ok(Some(reply))) => ephemeral(&words_for_outsiders(&reply)),
        Some(Ok(None)) => {
            ephemeral("What this would do is worked out only for people who may command the app.")
        }
        Some(Err(failure)) => {
            error!(%failure, "a slash command of somebody who may not command failed");
            ephemeral(LOG_SAYS)
        }
    }
}

/// The answer to a trigger, if reads are enough for it; `None` if something would have to be
/// written first.
async fn look_only<W: Web>(
    world: &W,
    app: &App,
    trigger: &Trigger,
    subject: &Subject,
) -> Result<Option<Reply>, Error> {
    for round in 0..LOOKS {
        if round > 0 {
            world.pause(round).await;
        }
        let mut seen = world.observe(app, subject).await?;
        loop {
            match decide(app, trigger, &seen) {
                Step::Read(question) => world.read(app, &question, &mut seen).await?,
                Step::LookAgain(stages) if stages.is_empty() => break,
                Step::LookAgain(_) => return Ok(None),
                Step::Finish(plan) => return Ok(Some(plan.reply?)),
            }
        }
    }
    Ok(None)
}

/// Carries out a command while there is time. Cutting it off is as safe as a crash.
async fn act_in_time<W: Web>(
    world: &W,
    app: &App,
    command: Command,
    began: Instant,
) -> Result<Option<Reply>, Error> {
    let subject = Subject::of(&command);
    let trigger = Trigger::Command(command);
    let looked = look_for_a_person(world, app, &trigger, &subject);
    in_time(began, looked).await.transpose()
}

/// Runs something while Slack waits; `None` if it did not end in time.
async fn in_time<T>(began: Instant, what: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(left(began), what).await.ok()
}

/// The rest of the time that the function works before it answers Slack.
fn left(began: Instant) -> Duration {
    BUDGET.saturating_sub(began.elapsed())
}

/// The answer to somebody who may not command. Nothing is recorded, and the app is not looked at.
fn refusal(app: &App, objection: String) -> Reply {
    Answer { outcome: Outcome::Refused, ..Answer::ignored(Some(app.repository.clone()), objection) }
        .into()
}

/// Whether Slack signed it. The headers are checked first, so that a malformed signature costs no
/// call.
async fn authenticate<W: Web>(
    world: &W,
    request: &Request,
    now: Timestamp,
) -> Result<(), Response> {
    let closed = |why: &'static str| {
        Response::text(401, "This request is not signed as Slack signs.").because(why)
    };
    let signed = signed(request, now).map_err(|unsigned| closed(unsigned.words()))?;
    let secret =
        world.secret(Secret::SlackSigningSecret).await.map_err(|failure| failed(&failure))?;
    let is_slacks = secret.is_some_and(|secret| signed.is_by(&secret));
    if is_slacks {
        Ok(())
    } else {
        Err(closed("the signature is not Slack's, or no signing secret is configured"))
    }
}

/// Refuses a request that names an address for answers which is not Slack's: Slack never sends one.
fn check_response_url<W: Web>(world: &W, url: Option<&str>) -> Result<(), Response> {
    if url.is_none_or(|url| world.is_response_url(url)) {
        return Ok(());
    }
    Err(Response::text(400, "The address to answer at is not Slack's.")
        .because("the address to answer at is not Slack's"))
}

/// Why somebody does not belong to the installation.
enum Stranger {
    /// They belong to another team or organisation.
    Foreign,
    /// Slack does not say where the app is installed.
    Unknown,
}

async fn standing<W: Web>(world: &W, sender: team::Sender<'_>) -> Result<Standing, Stranger> {
    let installation = world.installation().await.ok_or(Stranger::Unknown)?;
    installation.standing(sender).ok_or(Stranger::Foreign)
}

/// Whether a person's votes and commands can count for this app: members of other teams must be
/// listed.
fn counts(app: &App, standing: Standing, user: &str) -> bool {
    match standing {
        Standing::Team => true,
        Standing::Organisation => app.config.approval.approvers.iter().any(|listed| listed == user),
    }
}

fn foreign() -> Response {
    Response::text(403, "Guests of other teams cannot decide here.")
        .because("its sender is of another team")
}

fn not_heard() -> Response {
    Response::text(503, NOT_HEARD)
}

fn unreadable(problem: &str) -> Response {
    Response::text(400, problem).because("the body is not what Slack sends")
}

fn ephemeral(text: &str) -> Response {
    Response::json(
        200,
        &json!({
            "response_type": "ephemeral", "mrkdwn": false, "text": escape_lines(text, 3_000),
        }),
    )
}

fn failed(failure: &Error) -> Response {
    error!(%failure, "an HTTP request failed");
    Response::text(500, "That failed on our side; the function's log says why.")
}
