//! Approval links. Mail scanners open links, so GET and HEAD only show; only the form's POST
//! decides, and only once.

use http::Method;
use jiff::Timestamp;

use crate::decide::Trigger;
use crate::error::Error;
use crate::function_url::{Request, Response};
use crate::link::Invalid;
use crate::model::answer::Outcome;
use crate::model::approval::{ApprovalLink, ApprovalRequest};
use crate::model::command::{Act, Choice, Command};
use crate::model::config::App;
use crate::model::report::Reply;
use crate::page::approve::{APPROVE, DECISION, NAME, REJECT, Right};
use crate::page::{self, notice};
use crate::reconcile::look_for_a_person;
use crate::web::access::{self, BUDGET, failed, link};
use crate::world::Web;
use crate::world::snapshot::Subject;

/// Answers a request for `/approve/<token>`.
pub(super) async fn answer<W: Web>(
    world: &W,
    request: &Request,
    token: &str,
    now: Timestamp,
) -> Response {
    let link = match link::<W, ApprovalLink>(world, token, now).await {
        Ok(Ok((link, _))) => link,
        Ok(Err(Invalid::Forged)) => return access::forged(),
        Ok(Err(Invalid::Expired)) => {
            let words = "This link is too old to decide anything. Approval can be requested again.";
            return notice(410, "Too old", words).because("the link is too old");
        }
        Err(failure) => return failed(&failure),
    };
    let answered = if request.method == Method::POST {
        decide(world, request, &link).await
    } else {
        show(world, &link, 200, None).await
    };
    answered.unwrap_or_else(|failure| failed(&failure))
}

/// Returns the app of a link and, while it is remembered, the request.
async fn find<W: Web>(
    world: &W,
    link: &ApprovalLink,
) -> Result<Option<(App, Option<ApprovalRequest>)>, Error> {
    let Some(asked) =
        world.request(&link.request).await?.filter(|asked| asked.digest == link.digest)
    else {
        return Ok(None);
    };
    let Some(app) = world.app(&asked.repository).await? else { return Ok(None) };
    let state = world.state(&asked.repository).await?;
    let request = state
        .and_then(|state| state.all_requests().find(|request| request.id == link.request).cloned());
    Ok(Some((app, request)))
}

async fn show<W: Web>(
    world: &W,
    link: &ApprovalLink,
    status: u16,
    said: Option<&str>,
) -> Result<Response, Error> {
    Ok(match find(world, link).await? {
        None => notice(404, "Not found", "The request of this link ended long ago."),
        Some((app, None)) => page::approve::gone(status, &app),
        Some((app, Some(request))) => {
            page::approve::request(status, &app, &request, right(&app, &request), said)
        }
    })
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
        return Ok(access::foreign_form());
    }
    let fields = request.form();
    let field =
        |name: &str| fields.iter().find(|(its, _)| its == name).map(|(_, value)| value.as_str());
    let choice = Choice::Request(link.request.clone());
    let (act, decision) = match field(DECISION) {
        Some(APPROVE) => (Act::Approve(choice), APPROVE),
        Some(REJECT) => (Act::Reject(choice), REJECT),
        _ => return Ok(notice(400, "No decision", "The form must say approve or reject.")),
    };
    let Some((app, asked)) = find(world, link).await? else {
        return Ok(notice(404, "Not found", "The request of this link ended long ago."));
    };
    let Some(asked) = asked else { return Ok(page::approve::gone(409, &app)) };
    if right(&app, &asked) == Right::Look {
        return show(world, link, 403, Some("This link cannot decide, it only shows the request."))
            .await;
    }
    let id = format!("link#{}#{decision}", link.request);
    let name = field(NAME).unwrap_or_default();
    let Some(command) = Command::from_link(id, act, app.repository.clone(), name) else {
        let words = "Nothing was decided, because the name is missing. Enter your name and decide \
                     again.";
        return show(world, link, 400, Some(words)).await;
    };
    let command = command.with_trace(access::trace(request));
    let (subject, trigger) = (Subject::of(&command), Trigger::Command(command));
    let Ok(looked) =
        tokio::time::timeout(BUDGET, look_for_a_person(world, &app, &trigger, &subject)).await
    else {
        let words = "This takes longer than a page can wait. If the decision was recorded, it \
                     continues by itself within five minutes.";
        return show(world, link, 200, Some(words)).await;
    };
    let Reply::Answer(answer) = looked? else {
        return Ok(notice(500, "Something went wrong", "The function gave an unexpected answer."));
    };
    let said = format!("{}: {}", answer.outcome, answer.reason);
    show(world, link, status(decision, answer.outcome), Some(&said)).await
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
