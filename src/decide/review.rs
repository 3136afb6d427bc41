//! Reviews an update by its change set before it goes out: `Continue` only if its changes were read
//! and are allowed.

use std::ops::ControlFlow::{Break, Continue};

use super::cause::{Cause, NO_UPDATES, fail, wait};
use super::change_set::{ask_for_review, discard, make_anew, mark_of, note_strays, review_of};
use super::draft::Draft;
use super::plan::{Decided, First, MayEnd, Plan};
use super::request::ask_once_more;
use crate::model::answer::Outcome;
use crate::model::approval::ApprovalRequest;
use crate::model::change_set::{ChangeSet, Changes};
use crate::model::promotion::{Basis, End, Promotion, Update};

/// Returns the promotion and the ARN of its change set, if its changes were read and are allowed;
/// otherwise ends the decision.
pub(super) fn reviewed<'a>(
    mut draft: Draft<'a>,
    promotion: Promotion,
    update: &Update,
    cause: &Cause<'_>,
) -> MayEnd<(Draft<'a>, Promotion, String)> {
    let token = &promotion.token;
    // A click has no time for a review: the decision is written first, and the next look carries
    // it out.
    if !draft.is_plan && !cause.is_verdict_written(&draft) {
        let save = draft.save(draft.command.clone());
        return Err(First::LookAgain(save.map(|save| vec![save]).into_iter().collect()));
    }
    let arn = draft.change_set_of(token).map(|own| own.id().to_owned()).unwrap_or_default();
    Ok(match review_of(&draft, token)? {
        ChangeSet::Absent => return Err(ask_for_review(draft, update)),
        ChangeSet::Outdated => return Err(make_anew(&arn)),
        ChangeSet::Executing => {
            draft.look_again()?;
            let reason = "CloudFormation is executing the change set, and the stack does not show \
                          it yet"
                .to_owned();
            draft.in_review = Some(token.clone());
            Break(wait(draft, Outcome::Queued, reason, cause))
        }
        ChangeSet::Unsure(reason) => {
            // The failure says nothing about the image, so another change set is made.
            discard(&mut draft, token);
            let reason = format!(
                "CloudFormation could not work out what the update would change ({reason}): it is \
                 tried again"
            );
            Break(wait(draft, Outcome::Queued, reason, cause))
        }
        ChangeSet::Pending => Break(wait_for_the_change_set(draft, &promotion, cause)),
        ChangeSet::Empty => Break(fail(draft, &promotion, NO_UPDATES.to_owned())),
        ChangeSet::Failed(reason) => Break(fail(draft, &promotion, reason)),
        ChangeSet::Ready(changes) => {
            return Ok(match allowed(draft, promotion, update, &changes, cause)? {
                Continue((draft, promotion)) => Continue((draft, promotion, arn)),
                Break(plan) => Break(plan),
            });
        }
    })
}

fn wait_for_the_change_set(mut draft: Draft<'_>, promotion: &Promotion, cause: &Cause<'_>) -> Plan {
    draft.in_review = Some(promotion.token.clone());
    let reason = "CloudFormation is still working out what the update would change: it goes on by \
                  itself"
        .to_owned();
    // A blocked promotion gets a new change set at each look. People are told only when the result
    // is a different one.
    let was_blocked =
        draft.state.waiting.as_ref().is_some_and(|before| before.outcome == Outcome::Blocked);
    if cause.is_standing(&draft) && was_blocked {
        return draft.nothing(Outcome::Queued, reason);
    }
    wait(draft, Outcome::Queued, reason, cause)
}

/// Checks the changes: the parameters are those that were sent, people were shown as much, and the
/// guard allows them.
fn allowed<'a>(
    mut draft: Draft<'a>,
    promotion: Promotion,
    update: &Update,
    changes: &Changes,
    cause: &Cause<'_>,
) -> MayEnd<(Draft<'a>, Promotion)> {
    draft.subject.changes = changes.lines();
    note_strays(&mut draft, changes);
    let foreign =
        changes.foreign_parameters(update, &draft.app.config.parameter, draft.stack).join("`, `");
    if !foreign.is_empty() {
        discard(&mut draft, &promotion.token);
        if !cause.is_standing(&draft) {
            let reason = format!("its change set has other parameters: `{foreign}`");
            draft.end(&promotion, End::Blocked, reason);
        }
        let reason = format!(
            "the change set does not have the parameters that were sent: `{foreign}`. It is not \
             executed"
        );
        return Ok(Break(wait(draft, Outcome::Blocked, reason, cause)));
    }
    if let Some(more) = more_than_shown(&draft, changes, cause) {
        return more_needs_approval(draft, &promotion, more).map(Break);
    }
    let is_way_back = draft.is_stray || cause.rolls_back.is_some();
    let guard = draft.app.config.guard.as_ref();
    if let Some(objection) = changes.objection(guard, draft.stack, is_way_back) {
        if cause.is_standing(&draft) {
            draft.state.open.retain(|open| open.token != promotion.token);
        } else {
            draft.end(&promotion, End::Blocked, objection.clone());
        }
        return Ok(Break(wait(draft, Outcome::Blocked, objection, cause)));
    }
    let promotion = Promotion { deletes_change_sets: changes.others.clone(), ..promotion };
    for own in draft.state.open.iter_mut().filter(|own| own.token == promotion.token) {
        own.deletes_change_sets.clone_from(&promotion.deletes_change_sets);
    }
    Ok(Continue((draft, promotion)))
}

/// Why people must be asked again, if the update would change more than they were shown when they
/// approved it.
fn more_than_shown(draft: &Draft<'_>, changes: &Changes, cause: &Cause<'_>) -> Option<String> {
    let is_its = |request: &&ApprovalRequest| {
        cause.basis == Basis::Votes && Some(&request.id) == cause.request.as_ref()
    };
    let shown = draft.state.all_requests().find(is_its)?.shown_changes.as_ref()?;
    let more: Vec<String> =
        changes.lines().into_iter().filter(|line| !shown.contains(&mark_of(line))).collect();
    (!more.is_empty()).then(|| {
        format!("the update would change more than what people were shown: {}", more.join("; "))
    })
}

/// Asks people again about the newest image. They are not asked about an older one: they are told.
fn more_needs_approval(mut draft: Draft<'_>, promotion: &Promotion, more: String) -> Decided {
    draft.end(promotion, End::Superseded, more.clone());
    if draft.seen.newest.as_ref() == Some(&promotion.digest) {
        return ask_once_more(draft, &promotion.digest, more);
    }
    draft.announce(promotion.notice(Outcome::Superseded, more.clone(), draft.now));
    Ok(draft.nothing(Outcome::Superseded, more))
}
