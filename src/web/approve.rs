//! Approval links. Mail scanners open links, so GET and HEAD only show; only the form's POST
//! decides, and only once.

use http::Method;
use jiff::Timestamp;

use crate::decide::Trigger;
use crate::error::Error;
use crate::function_url::{Request, Response};
use crate::link::Invalid;
use crate::model::answer::Outcome;
use crate::model::approval::{ApprovalLink, ApprovalRequest, Progress};
use crate::model::command::{Act, Choice, Command};
use crate::model::config::App;
use crate::model::report::Reply;
use crate::model::stack::EventsWanted;
use crate::model::state::State;
use crate::page;
use crate::page::approve::{APPROVE, Asked, DECISION, NAME, REJECT, Right, STILL};
use crate::page::frame::Place;
use crate::page::notice::WayOn;
use crate::reconcile::look_for_a_person;
use crate::web::access::{self, BUDGET, bad, failed, link, notice};
use crate::web::notes::notes_of_candidate;
use crate::world::Web;
use crate::world::snapshot::{Snapshot, Subject};

/// Answers a request for `/approve/<token>`.
pub(super) async fn answer<W: Web>(
    world: &W,
    request: &Request,
    token: &str,
    now: Timestamp,
) -> Response {
    let link = match link::<W, ApprovalLink>(world, token, now).await {
        Ok(Ok((link, _))) => link,
        Ok(Err(Invalid::Forged)) => return access::forged(world),
        Ok(Err(Invalid::Expired)) => {
            let words = "This link is too old to decide anything. Approval can be requested again.";
            return access::expired(world, words);
        }
        Err(failure) => return failed(world, &failure),
    };
    let answered = if request.method == Method::POST {
        decide(world, request, &link).await
    } else {
        show(world, request, &link, 200, None).await
    };
    answered.unwrap_or_else(|failure| failed(world, &failure))
}

/// What a link is about.
struct Found {
    app: App,
    /// The state and the request in it, while it is remembered.
    asked: Option<(State, ApprovalRequest)>,
}

/// Returns what a link is about; `None` if the request ended long ago.
async fn find<W: Web>(world: &W, link: &ApprovalLink) -> Result<Option<Found>, Error> {
    let Some(index) =
        world.request(&link.request).await?.filter(|index| index.digest == link.digest)
    else {
        return Ok(None);
    };
    let Some(app) = world.app(&index.app).await? else { return Ok(None) };
    let asked = world.state(&index.app).await?.and_then(|state| {
        let request = state.all_requests().find(|request| request.id == link.request).cloned();
        request.map(|request| (state, request))
    });
    Ok(Some(Found { app, asked }))
}

fn ended_long_ago<W: Web>(world: &W) -> Response {
    let words = ("Not found", "The request of this link ended long ago.");
    notice(world, 404, words, WayOn::FreshLink)
}

fn place<W: Web>(world: &W, app: &App, state: Option<&State>) -> Place {
    let stack = state.and_then(|state| state.stack_id.as_deref());
    Place::of(world.environment().as_deref(), [app], stack)
}

async fn show<W: Web>(
    world: &W,
    http: &Request,
    link: &ApprovalLink,
    status: u16,
    said: Option<&str>,
) -> Result<Response, Error> {
    let Some(Found { app, asked }) = find(world, link).await? else {
        return Ok(ended_long_ago(world));
    };
    let now = world.now();
    let Some((state, request)) = asked else {
        return Ok(page::approve::gone(status, &place(world, &app, None), now, &app));
    };
    let notes = match (&request.notes, &request.progress) {
        (None, Progress::Pending) => {
            let image = (&request.digest, request.commit.as_ref());
            let mut seen = Snapshot::at(now, String::new());
            notes_of_candidate(world, &app, &state, image, &mut seen).await
        }
        (kept, _) => kept.clone(),
    };
    // The page also tells how it goes on if the stack cannot be read.
    let stack = if request.progress == Progress::Deploying {
        world.watch(&app, &EventsWanted::default()).await.ok()
    } else {
        None
    };
    let asked = Asked {
        app: &app,
        state: &state,
        request: &request,
        right: right(&app, &request),
        notes: notes.as_ref(),
        stack: stack.as_ref(),
        place: &place(world, &app, Some(&state)),
        address: &http.path,
        is_still: http.query == STILL,
        now,
    };
    Ok(page::approve::request(status, &asked, said))
}

/// What a link lets its bearer do, under the stricter of two policies: the one when people were
/// asked, and the present one.
fn right(app: &App, request: &ApprovalRequest) -> Right {
    let policy = request.policy(app.policy());
    if policy.links && !policy.needs_identity() { Right::Decide } else { Right::Look }
}

async fn decide<W: Web>(
    world: &W,
    request: &Request,
    link: &ApprovalLink,
) -> Result<Response, Error> {
    if !access::is_own_form(world, request).await? {
        return Ok(access::foreign_form(world));
    }
    let fields = request.form();
    let field =
        |name: &str| fields.iter().find(|(its, _)| its == name).map(|(_, value)| value.as_str());
    let choice = Choice::Request(link.request.clone());
    let (act, decision) = match field(DECISION) {
        Some(APPROVE) => (Act::Approve(choice), APPROVE),
        Some(REJECT) => (Act::Reject(choice), REJECT),
        _ => return Ok(bad(world, "The form must say approve or reject.")),
    };
    let Some(Found { app, asked }) = find(world, link).await? else {
        return Ok(ended_long_ago(world));
    };
    let Some((_, asked)) = asked else {
        return Ok(page::approve::gone(409, &place(world, &app, None), world.now(), &app));
    };
    if right(&app, &asked) == Right::Look {
        let words = "This link cannot decide, it only shows the request.";
        return show(world, request, link, 403, Some(words)).await;
    }
    let id = format!("link#{}#{decision}", link.request);
    let name = field(NAME).unwrap_or_default();
    let Some(command) = Command::from_link(id, act, app.name.clone(), name) else {
        let words = "Nothing was decided, because the name is missing. Enter your name and decide \
                     again.";
        return show(world, request, link, 400, Some(words)).await;
    };
    let command = command.with_trace(access::trace(request));
    carry_out(world, request, link, &app, (command, decision)).await
}

/// Carries out a decision, and shows what came of it.
async fn carry_out<W: Web>(
    world: &W,
    request: &Request,
    link: &ApprovalLink,
    app: &App,
    (command, decision): (Command, &str),
) -> Result<Response, Error> {
    let (subject, trigger) = (Subject::of(&command), Trigger::Command(command));
    let Ok(looked) =
        tokio::time::timeout(BUDGET, look_for_a_person(world, app, &trigger, &subject)).await
    else {
        let words = "This takes longer than a page can wait. If the decision was recorded, it \
                     continues by itself within five minutes.";
        return show(world, request, link, 200, Some(words)).await;
    };
    let Reply::Answer(answer) = looked? else {
        let words = ("Something went wrong", "The function gave an unexpected answer.");
        return Ok(notice(world, 500, words, WayOn::TryAgain));
    };
    let status = status(decision, answer.outcome);
    // The page of a decision that counts says how it goes on.
    let said = (status != 200).then(|| format!("{}: {}", answer.outcome, answer.reason));
    show(world, request, link, status, said.as_deref()).await
}

/// 200 if the decision counts, 409 if something else was decided.
fn status(decision: &str, outcome: Outcome) -> u16 {
    match outcome {
        Outcome::Superseded | Outcome::Expired | Outcome::Refused | Outcome::Held => 409,
        Outcome::Rejected if decision == APPROVE => 409,
        Outcome::Unchanged if decision == REJECT => 409,
        Outcome::Promoted
        | Outcome::Deployed
        | Outcome::Failed
        | Outcome::Queued
        | Outcome::ApprovalRequested
        | Outcome::Approved
        | Outcome::Rejected
        | Outcome::Unchanged
        | Outcome::Blocked
        | Outcome::Ignored
        | Outcome::Resumed
        | Outcome::Cancelled => 200,
    }
}
