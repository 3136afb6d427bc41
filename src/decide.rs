//! The decision: what a trigger leads to, given what was just seen. Pure and total: no I/O, no
//! clock, no AWS types.
//!
//! Every look goes the same way: it *catches up* with what ended since the last one, then goes on
//! with what people began, then with the newest image. Where something must be read first, the
//! decision asks for it ([`Step::Read`]) and is made again.
//!
//! Each file uses only those before it: `plan`, `draft`, `finish`, `lookup`, `named`, `cause`,
//! `rights`, `change_set`, `request`, `review`, `intent`, `replica`, `send`, `promote`, `adopt`,
//! `cancel`, `hold`, `rollback`, `bake`, `next`, `ask`, `approve`, `repeated`, `verify`,
//! `catch_up`, `report`, `trouble`. The methods of `Draft` stand in `draft`, `finish` and `lookup`;
//! everything above is functions.

mod adopt;
mod approve;
mod ask;
mod bake;
mod cancel;
mod catch_up;
mod cause;
mod change_set;
mod draft;
mod finish;
mod hold;
mod intent;
pub mod known_apps;
mod lookup;
mod named;
mod next;
mod plan;
mod promote;
mod repeated;
mod replica;
mod report;
mod request;
mod review;
mod rights;
mod rollback;
mod send;
mod trouble;
mod verify;

pub use self::plan::{Plan, Stages, Step, Trigger};
pub use self::rights::{identity_objection, slack_objection};

use self::catch_up::catch_up;
use self::draft::{Draft, Pace, is_about};
use self::plan::{Decided, First};
use crate::model::Digest;
use crate::model::answer::{Answer, Outcome};
use crate::model::command::{Act, Command, Via};
use crate::model::config::App;
use crate::model::limits::{BY, cut};
use crate::model::state::CommandRecord;
use crate::world::snapshot::{Question, Snapshot};

/// Decides.
pub fn decide(app: &App, trigger: &Trigger, seen: &Snapshot) -> Step {
    decided(app, trigger, seen).into()
}

fn decided(app: &App, trigger: &Trigger, seen: &Snapshot) -> Decided {
    if let Trigger::Command(command) = trigger {
        if let Act::History(before) = command.act {
            return report::history(app, seen, before);
        }
        if let Some(answer) = refused_stranger(app, command) {
            return Ok(Plan::new(Vec::new(), answer));
        }
    }
    let (stack, tags) = match trouble::usable(app, seen) {
        Ok(usable) => usable,
        Err(error) => {
            let stages = trouble::told_once(app, trigger, seen, &error);
            return Ok(Plan { stages, reply: Err(error), unread: None });
        }
    };
    if let Some(plan) = unusable_stage(app, trigger, seen)? {
        return Ok(plan);
    }
    // The sandbox's configuration may be a minute old. Only a newer read shows whether the app has
    // really moved.
    if seen.state.as_ref().is_some_and(|state| !is_about(state, app, stack))
        && !seen.is_configuration_newer
    {
        return Err(First::Read(Question::Configuration));
    }
    match trigger {
        Trigger::Pushed(digest) if seen.newest.as_ref() != Some(digest) => {
            Ok(overtaken_push(Draft::new(app, seen, stack, tags), digest))
        }
        Trigger::Pushed(digest) => {
            let by = format!("push of `{}`", app.config.source_tag);
            let mut draft = catch_up(app, seen, stack, tags, Pace::Push)?;
            draft.state.first_seen = None;
            next::proceed(draft, digest, &by, Via::Push)
        }
        Trigger::Due(cause) => next::look(catch_up(app, seen, stack, tags, Pace::Routine)?, cause),
        Trigger::Command(command) => {
            // Slack waits three seconds for an answer, and somebody with a link looks at a page.
            let is_patient = command.slack.is_none() && command.via != Via::Link;
            let pace = if is_patient { Pace::Script } else { Pace::Person };
            carry_out(catch_up(app, seen, stack, tags, pace)?, command)
        }
    }
}

/// Asks for what the app before this one runs. Ends a look if there can be no such app; a person's
/// command goes on without.
fn unusable_stage(app: &App, trigger: &Trigger, seen: &Snapshot) -> Decided<Option<Plan>> {
    let Some(after) = &app.config.after else { return Ok(None) };
    match &seen.stage {
        None => Err(First::Read(Question::Earlier(after.clone()))),
        Some(Err(problem)) if matches!(trigger, Trigger::Due(_)) => {
            let error = app.error("after.app", problem);
            let stages = trouble::told_once(app, trigger, seen, &error);
            Ok(Some(Plan { stages, reply: Err(error), unread: None }))
        }
        Some(_) => Ok(None),
    }
}

/// Refuses somebody who may not command an app and wants to change something of it. Not even a look
/// is made for them, since a look could change something.
fn refused_stranger(app: &App, command: &Command) -> Option<Answer> {
    if matches!(command.act, Act::Status | Act::Plan(_) | Act::PlanRollback(_) | Act::Reconcile) {
        return None;
    }
    let objection = slack_objection(app, command.slack.as_ref()?, &command.by)?;
    let answer = Answer::ignored(objection).about(app);
    Some(Answer { outcome: Outcome::Refused, ..answer })
}

/// Answers a push of an image that is not the newest any more: the newer push has its own event.
fn overtaken_push(mut draft: Draft<'_>, digest: &Digest) -> Plan {
    let newest = draft.seen.newest.as_ref().map_or("nothing", Digest::short);
    let reason =
        format!("`{}` is on {newest} now, not on {}", draft.app.config.source_tag, digest.short());
    draft.subject.digest = Some(digest.clone());
    draft.nothing(Outcome::Superseded, reason)
}

fn carry_out(draft: Draft<'_>, command: &Command) -> Decided {
    match &command.act {
        Act::Status => return Ok(report::status(&draft)),
        Act::History(before) => return report::history(draft.app, draft.seen, *before),
        Act::Reconcile => return next::look(draft, &command.by),
        Act::Plan(image) => {
            let (app, seen) = (draft.app, draft.seen);
            let draft = Draft { is_plan: true, ..draft };
            let promoted = promote::promote_named(draft, command, image.as_ref())?;
            return Ok(report::plan(app, seen, promoted));
        }
        Act::PlanRollback(image) => {
            let (app, seen) = (draft.app, draft.seen);
            let draft = Draft { is_plan: true, ..draft };
            let (target, planned) = rollback::plan(draft, command, image.as_ref())?;
            return Ok(report::plan_rollback(app, seen, target, planned));
        }
        Act::Promote(_) | Act::Rollback(..) | Act::Cancel | Act::Hold(_) | Act::Resume => {}
        Act::Approve(_) | Act::Reject(_) => {}
        Act::Ask | Act::AskAgain(_) => {}
    }
    if let Some(record) = &draft.seen.command {
        return repeated::repeat(draft, command, record);
    }
    let draft = Draft { is_told: command.via == Via::Sns, ..new_command(draft, command) };
    if command.is_stale(draft.now) {
        return Ok(draft.refused(
            "it was sent more than 15 minutes ago and names no image: the newest image may \
             be another one by now. Send it again, or name the commit",
        ));
    }
    match &command.act {
        Act::Promote(image) if command.slack.is_some() => {
            approve::vote(draft, command, image.as_ref())
        }
        Act::Promote(image) => promote::promote_named(draft, command, image.as_ref()),
        Act::Approve(choice) | Act::Reject(choice) => approve::decide_on(draft, command, choice),
        Act::Ask => ask::ask_on_purpose(draft, command),
        Act::AskAgain(digest) => ask::ask_again(draft, command, digest),
        Act::Rollback(to, _) => rollback::rollback(draft, command, to),
        Act::Cancel => cancel::cancel(draft, command),
        Act::Hold(reason) => Ok(hold::hold(draft, command, reason)),
        Act::Resume => Ok(hold::resume(draft, command)),
        Act::Status | Act::History(_) | Act::Reconcile => Ok(draft.refused("it changes nothing")),
        Act::Plan(_) | Act::PlanRollback(_) => Ok(draft.refused("it changes nothing")),
    }
}

/// A command that has not been carried out: from here on, each answer is kept with its id.
fn new_command<'a>(mut draft: Draft<'a>, command: &Command) -> Draft<'a> {
    draft.command = Some(CommandRecord {
        id: command.id.clone(),
        at: draft.now,
        what: Some(repeated::what(command)),
        by: Some(cut(&command.by, BY)),
        via: Some(command.via),
        user: command.slack.as_ref().map(|origin| origin.user.clone()),
        trace: command.trace.clone(),
        token: None,
        began: false,
        answer: None,
    });
    if draft.is_first_sight {
        // The schedule leaves alone what was there before, whoever looked first.
        draft.state.first_seen.clone_from(&draft.seen.newest);
    }
    draft
}

#[cfg(test)]
mod tests;
