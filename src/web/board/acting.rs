//! An act on the board: the page that asks about it, and what its form does.

use crate::decide::Trigger;
use crate::error::Error;
use crate::function_url::{Request, Response};
use crate::model::answer::{Answer, Outcome};
use crate::model::config::App;
use crate::model::notes::{ChangeNotes, Direction};
use crate::model::report::Reply;
use crate::model::way_back::WayBack;
use crate::model::{AppName, Digest};
use crate::page::board::act::{self, Question};
use crate::page::board::result::{result, unfinished};
use crate::page::board::rollback::{self, Lead};
use crate::page::board::verb::Verb;
use crate::page::board::{Viewer, commit_of};
use crate::page::frame::Place;
use crate::reconcile::look_for_a_person;
use crate::web::access::{self, BUDGET, bad};
use crate::web::board::form::{Form, command, once};
use crate::web::board::reads::{find, observe, place, plan_rollback, rights};
use crate::web::notes::notes_between;
use crate::world::Web;
use crate::world::snapshot::{Snapshot, Subject};

/// The page that asks about an act.
pub(super) async fn confirm<W: Web>(
    world: &W,
    viewer: &Viewer<'_>,
    (repository, verb): (&AppName, Verb),
    image: Option<&Digest>,
) -> Result<Response, Error> {
    let app = match find(world, viewer, repository).await? {
        Ok(app) => app,
        Err(page) => return Ok(page),
    };
    let mut seen = observe(world, &app).await?;
    let rights = rights(viewer, &app, seen.state.as_ref());
    let once = once();
    let place = place(world, &app, &seen);
    if verb != Verb::RollBack || rights.objection(verb).is_some() {
        let (app, seen, rights, once) = (&app, &seen, &rights, once.as_str());
        let question = Question { viewer, place: &place, app, seen, rights, once };
        return Ok(act::confirm(&question, verb, image));
    }
    let plan = plan_rollback(world, viewer, &app, image).await;
    let way = plan.as_ref().and_then(|plan| plan.way_back.as_ref());
    let gone = match way {
        Some(way) => what_goes(world, &app, &mut seen, way).await,
        None => None,
    };
    let lead = match (&plan, way) {
        (Some(plan), Some(way)) if is_possible(plan.would) => Lead::To(way, gone.as_ref()),
        (Some(plan), _) => Lead::Nowhere(&plan.reason),
        (None, _) if image.is_some() => Lead::Nowhere("it could not be worked out just now"),
        (None, _) => Lead::Unknown,
    };
    let (app, seen, rights, once) = (&app, &seen, &rights, once.as_str());
    let question = Question { viewer, place: &place, app, seen, rights, once };
    Ok(rollback::confirm(&question, &lead))
}

/// Whether a rollback with this outcome does, or will do, anything.
fn is_possible(would: Outcome) -> bool {
    match would {
        Outcome::Promoted | Outcome::Queued | Outcome::Cancelled => true,
        Outcome::Refused | Outcome::Unchanged | Outcome::Superseded | Outcome::Blocked => false,
        Outcome::Deployed | Outcome::Failed | Outcome::ApprovalRequested => false,
        Outcome::Approved | Outcome::Rejected | Outcome::Held | Outcome::Expired => false,
        Outcome::Ignored | Outcome::Resumed => false,
    }
}

/// The commits that go away with a rollback.
async fn what_goes<W: Web>(
    world: &W,
    app: &App,
    seen: &mut Snapshot,
    way: &WayBack,
) -> Option<ChangeNotes> {
    let from = way.from.clone()?;
    let commits = (commit_of(app, seen, &way.to), commit_of(app, seen, &from));
    let asked = match (&commits.0, &commits.1) {
        (Some(to), Some(from)) => notes_between(world, app, seen, to, from).await,
        _ => None,
    };
    let known = || Some(seen.state.as_ref()?.candidates.between(Some(&way.to), &from));
    let goes = asked.or_else(known).filter(|goes| goes.count() > 0)?;
    (goes.direction == Direction::Forward).then(|| goes.reversed())
}

/// Carries out the act of a form.
pub(super) async fn act<W: Web>(
    world: &W,
    request: &Request,
    viewer: &Viewer<'_>,
    about: (&AppName, Verb),
    image: Option<Digest>,
) -> Result<Response, Error> {
    let (repository, verb) = about;
    if !access::is_own_form(world, request).await? {
        return Ok(access::foreign_form(world));
    }
    let form = Form::parse(&request.form(), verb);
    let Some(command) = form.and_then(|form| command(viewer, repository, verb, image, form)) else {
        return Ok(bad(world, "This form does not belong to this page."));
    };
    let app = match find(world, viewer, repository).await? {
        Ok(app) => app,
        Err(page) => return Ok(Response { status: 409, ..page }),
    };
    let place = Place::of(world.environment().as_deref(), [&app], None);
    let not_done = |status: u16, words: &str| Ok(unfinished(viewer, &place, status, about, words));
    // The app is not looked at for somebody who may not command it.
    if let Some(objection) = rights(viewer, &app, None).no_commands {
        return not_done(409, &format!("{}: {objection}", Outcome::Refused));
    }
    let command = command.with_trace(access::trace(request));
    let (subject, trigger) = (Subject::of(&command), Trigger::Command(command));
    match tokio::time::timeout(BUDGET, look_for_a_person(world, &app, &trigger, &subject)).await {
        Err(_) => not_done(
            200,
            "This takes longer than a page can wait. If the command was recorded, it continues by \
             itself within five minutes.",
        ),
        Ok(Err(Error::Config(error))) => not_done(409, &error.to_string()),
        Ok(Err(failure)) => Err(failure),
        Ok(Ok(Reply::Answer(answer))) => {
            Ok(result(viewer, &place, status(verb, &answer), &answer, about))
        }
        Ok(Ok(Reply::Report(_))) => not_done(500, "The function gave an unexpected answer."),
    }
}

/// 200 if the act is done or will be, 409 if not. A look is done, whatever it finds.
fn status(verb: Verb, answer: &Answer) -> u16 {
    match answer.outcome {
        _ if verb == Verb::Look => 200,
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
