//! `cancel`: cancels our own update, if it is under way, or what waits to be sent. Another's update
//! is never cancelled.

use super::draft::Draft;
use super::plan::{Decided, Plan, Stages};
use super::request::withdraw;
use crate::model::Token;
use crate::model::answer::Outcome;
use crate::model::command::Command;
use crate::model::promotion::{End, Promotion};
use crate::model::stack::Phase;
use crate::world::action::Action;

/// Carries the command out.
pub(super) fn cancel(mut draft: Draft<'_>, command: &Command) -> Decided {
    if let Some(under_way) = draft.under_way_now()? {
        mark_cancelled(&mut draft, &under_way, &command.by);
        return Ok(send_cancel(draft, &under_way));
    }
    let mut waiting = Vec::new();
    for open in draft.state.open.clone() {
        if draft.stack.phase() != Phase::Busy || !draft.is_accepted(&open)? {
            waiting.push(open);
        }
    }
    let reason = format!("cancelled by {}", command.by);
    let Some(last) = waiting.last().cloned() else {
        if let Some(request) = withdraw(&mut draft, &reason, &command.by)? {
            draft.about(&request);
            return Ok(draft.nothing(Outcome::Cancelled, reason));
        }
        if let Some(verifying) = &draft.state.verifying
            && draft.stack.phase() == Phase::AtRest
        {
            let reason = format!(
                "CloudFormation has finished the update to `{}`, so it cannot be cancelled any \
                 more: `rollback {}` goes back",
                verifying.promotion.tag, draft.app.name
            );
            return Ok(draft.refused(&reason));
        }
        let under_way = if draft.stack.phase() == Phase::Busy {
            "the stack is busy with an operation that is not ecr-promoter's, or that cannot be \
             cancelled any more"
        } else {
            "nothing is under way"
        };
        return Ok(draft.refused(under_way));
    };
    for open in waiting {
        draft.end(&open, End::Cancelled, reason.clone());
        let notice = open.notice(Outcome::Cancelled, reason.clone(), draft.now);
        draft.announce(notice);
    }
    draft.subject.digest = Some(last.digest.clone());
    draft.subject.commit = last.commit.clone();
    draft.subject.tag = Some(last.tag.clone());
    draft.state.passed_over = Some(last.digest);
    Ok(draft.nothing(Outcome::Cancelled, reason))
}

/// The promotion under way whose cancel was written and not sent: the invocation died in between.
pub(super) fn unfinished_cancel(draft: &Draft<'_>) -> Decided<Option<Promotion>> {
    if draft.state.open.iter().all(|open| open.cancelled_by.is_none()) {
        return Ok(None);
    }
    Ok(draft.under_way_now()?.filter(|open| open.cancelled_by.is_some()))
}

/// The promotion that a command cancelled and that CloudFormation is rolling back now. `token` is
/// the command's: the token of the cancelled promotion, or of the rollback that waits behind it.
pub(super) fn going_back(draft: &Draft<'_>, token: Option<&Token>) -> Option<Promotion> {
    let is_going_back =
        draft.stack.phase() == Phase::Busy && draft.stack.status.contains("ROLLBACK");
    let cancelled =
        draft.state.open.iter().find(|open| open.cancelled_by.is_some() && is_going_back)?;
    let rolls_it_back =
        |open: &Promotion| open.rolls_back.as_deref() == Some(cancelled.tag.as_str());
    let is_its = |open: &Promotion| {
        Some(&open.token) == token && (open.token == cancelled.token || rolls_it_back(open))
    };
    draft.state.open.iter().any(is_its).then(|| cancelled.clone())
}

/// Notes who cancels the update, before the cancel is sent.
pub(super) fn mark_cancelled(draft: &mut Draft<'_>, under_way: &Promotion, by: &str) {
    for own in draft.state.open.iter_mut().filter(|own| own.token == under_way.token) {
        own.cancelled_by = Some(by.to_owned());
    }
    draft.state.passed_over = Some(under_way.digest.clone());
    if let Some(command) = &mut draft.command {
        command.token.get_or_insert(under_way.token.clone());
    }
}

/// Cancels the update at once, without waiting for ECS. People are told how it ended when
/// CloudFormation has ended it.
pub(super) fn send_cancel(mut draft: Draft<'_>, under_way: &Promotion) -> Plan {
    draft.subject.digest = Some(under_way.digest.clone());
    draft.subject.commit = under_way.commit.clone();
    draft.subject.tag = Some(under_way.tag.clone());
    draft.subject.token = Some(under_way.token.clone());
    draft.subject.previous_tag = Some(under_way.previous_tag.clone());
    let answer = draft.answer(
        Outcome::Cancelled,
        format!(
            "the update to `{}` is being cancelled; the stack goes back to `{}`",
            under_way.tag, under_way.previous_tag
        ),
    );
    let mut stages: Stages =
        draft.save(draft.command.clone()).map(|save| vec![save]).into_iter().collect();
    let is_cancelled = draft.stack.status != "UPDATE_IN_PROGRESS";
    if !is_cancelled {
        stages.push(vec![Action::CancelUpdate(under_way.token.clone())]);
    }
    stages.extend(draft.keep_answer(&answer));
    Plan::new(stages, answer)
}
