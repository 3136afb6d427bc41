//! `approve`, `reject`, and `promote` by a person in Slack: keeps what people say about the
//! candidate, and promotes it once enough of them said yes. What was decided first stands.

use std::ops::ControlFlow::{Break, Continue};

use super::cause::{Cause, supersede_others};
use super::draft::Draft;
use super::named::named;
use super::plan::{Decided, MayEnd};
use super::promote::{promote, promote_for, promote_named};
use super::request::{expired, new_request, no_candidate, not_the_candidate, rejected};
use super::rights::identity_objection;
use crate::model::answer::Outcome;
use crate::model::approval::{ApprovalRequest, Progress, Vote};
use crate::model::command::{Act, Choice, Command, ImageRef, SlackOrigin};
use crate::model::{Digest, RequestId};

/// `promote` by a person in Slack: a vote for the newest. Another image is one person's choice,
/// where one person may choose.
pub(super) fn vote(draft: Draft<'_>, command: &Command, image: Option<&ImageRef>) -> Decided {
    if !is_candidate(&draft, image)? {
        return promote_named(draft, command, image);
    }
    let Some(newest) = draft.seen.newest.clone() else {
        return Ok(draft.refused("there is no candidate"));
    };
    if let Some(objection) = objection(&draft, command) {
        return Ok(draft.refused(objection));
    }
    approve(draft, command, &newest, true)
}

/// `approve` and `reject`.
pub(super) fn decide_on(mut draft: Draft<'_>, command: &Command, choice: &Choice) -> Decided {
    if let Some(objection) = objection(&draft, command) {
        return Ok(draft.refused(objection));
    }
    let digest = match chosen(&mut draft, command, choice)? {
        Continue(digest) => digest,
        Break(plan) => return Ok(plan),
    };
    if matches!(command.act, Act::Reject(_)) {
        reject(draft, command, &digest)
    } else {
        approve(draft, command, &digest, false)
    }
}

/// `approve`, and a vote by `promote` in Slack. With `is_explicit` it also counts if the request
/// was rejected or has expired.
fn approve(mut draft: Draft<'_>, command: &Command, digest: &Digest, is_explicit: bool) -> Decided {
    if draft.runs(digest) && !draft.state.runs_elsewhere() {
        return promote_for(draft, command, digest);
    }
    let begun = draft.state.open.iter().find(|open| is_explicit && open.digest == *digest);
    let is_taken_back = begun.map_or(Ok(None), |open| draft.goes_back(open))?.is_some();
    let is_over = |request: &ApprovalRequest| {
        is_explicit && (request.progress.is_final() || request.may_go() && is_taken_back)
    };
    if draft.state.request.as_ref().is_none_or(is_over) {
        let why = format!("{} approved it without being asked", command.by);
        let request = match new_request(&mut draft, digest, why)? {
            Continue(request) => request,
            Break(plan) => return Ok(plan),
        };
        draft.replace_request(Some(request));
    }
    let Some(request) = draft.state.request.clone() else { return Ok(no_candidate(&draft)) };
    draft.about(&request);
    match decided_before(draft, command, digest, &request)? {
        Continue(draft) => count(draft, command, digest, request),
        Break(plan) => Ok(plan),
    }
}

/// Answers an approval by what was decided before; leaves it to be counted where that is open.
fn decided_before<'a>(
    draft: Draft<'a>,
    command: &Command,
    digest: &Digest,
    request: &ApprovalRequest,
) -> MayEnd<Draft<'a>> {
    let (outcome, reason) = match &request.progress {
        Progress::Pending => return Ok(Continue(draft)),
        Progress::Approved
        | Progress::Waiting(_)
        | Progress::Deploying
        | Progress::Verifying(_)
            if request.may_go() =>
        {
            let cause = Cause::by_approval(request, command.via, Some(&command.id));
            return promote(draft, digest, &cause).map(Break);
        }
        Progress::Approved
        | Progress::Waiting(_)
        | Progress::Deploying
        | Progress::Verifying(_) => {
            // Somebody promoted it before people had decided.
            let open = draft.state.open.iter().find(|open| open.digest == *digest).cloned();
            return match open {
                Some(open) => promote(draft, digest, &Cause::again(&open)).map(Break),
                None => Ok(Continue(draft)),
            };
        }
        Progress::Rejected => (Outcome::Rejected, rejected(request)),
        Progress::Expired => (Outcome::Expired, expired(&draft)),
        Progress::Deployed(_) | Progress::Baking(_) => {
            (Outcome::Unchanged, "it was approved and deployed before".to_owned())
        }
        Progress::Failed(reason) => {
            let reason = format!(
                "it was approved before and failed ({reason}): `promote` tries it again on purpose"
            );
            (Outcome::Failed, reason)
        }
        Progress::Cancelled(reason) => {
            let reason = format!(
                "it was approved before, and then cancelled ({reason}): `promote` it on purpose, \
                 or `ask` again"
            );
            (Outcome::Held, reason)
        }
        Progress::Superseded => return Ok(Break(not_the_candidate(&draft))),
    };
    Ok(Break(draft.nothing(outcome, reason)))
}

/// Counts a yes, each person once, and promotes the image once there are enough.
fn count(
    mut draft: Draft<'_>,
    command: &Command,
    digest: &Digest,
    mut request: ApprovalRequest,
) -> Decided {
    let vote = vote_of(&draft, command, true);
    let has_voted = request.votes.iter().any(|earlier| earlier.is_of_the_same(&vote));
    if !has_voted {
        request.votes.push(vote);
    }
    let policy = draft.policy(Some(&request));
    let (have, need) = (request.approvers(&policy).len(), policy.required as usize);
    if have < need {
        let reason = format!("approved by {}: {have} of {need} people", request.who(true));
        draft.state.request = Some(request.clone());
        if !has_voted {
            let notice = draft.notice_of(&request, Outcome::Approved, reason.clone(), &command.by);
            draft.announce(notice);
        }
        return Ok(draft.nothing(Outcome::Approved, reason));
    }
    (request.is_approved, request.progress) = (true, Progress::Approved);
    draft.state.request = Some(request.clone());
    let approval = Cause::by_approval(&request, command.via, Some(&command.id));
    promote(draft, digest, &Cause { is_choice: true, ..approval })
}

/// `reject`. What was decided before stands.
fn reject(mut draft: Draft<'_>, command: &Command, digest: &Digest) -> Decided {
    if draft.runs(digest) {
        return Ok(draft.refused("it runs already: `rollback` goes back"));
    }
    if draft.state.request.is_none() {
        let why = format!("{} rejected it without being asked", command.by);
        let request = match new_request(&mut draft, digest, why)? {
            Continue(request) => request,
            Break(plan) => return Ok(plan),
        };
        draft.replace_request(Some(request));
    }
    let Some(mut request) = draft.state.request.clone() else { return Ok(no_candidate(&draft)) };
    draft.about(&request);
    match &request.progress {
        Progress::Pending | Progress::Expired => {}
        Progress::Rejected => return Ok(draft.nothing(Outcome::Rejected, rejected(&request))),
        Progress::Superseded => return Ok(not_the_candidate(&draft)),
        Progress::Approved
        | Progress::Waiting(_)
        | Progress::Deploying
        | Progress::Verifying(_) => {
            let reason = format!("{} approved it before: `cancel` stops it", request.who(true));
            return Ok(draft.nothing(Outcome::Unchanged, reason));
        }
        Progress::Deployed(_)
        | Progress::Baking(_)
        | Progress::Failed(_)
        | Progress::Cancelled(_) => {
            let reason = "it was decided on before, and that has ended".to_owned();
            return Ok(draft.nothing(Outcome::Unchanged, reason));
        }
    }
    request.votes.push(vote_of(&draft, command, false));
    draft.state.request = Some(request.clone());
    let reason = rejected(&request);
    let notice = draft.notice_of(&request, Outcome::Rejected, reason.clone(), &command.by);
    draft.announce(notice);
    supersede_others(&mut draft, None, false)?;
    Ok(draft.nothing(Outcome::Rejected, reason))
}

/// The candidate, if the command names it; otherwise ends the decision.
fn chosen(draft: &mut Draft<'_>, command: &Command, choice: &Choice) -> MayEnd<Digest> {
    let newest = match &draft.seen.newest {
        Some(newest) => newest.clone(),
        // What had been a candidate of a later stage may be named here.
        None => return Ok(Break(no_candidate_any_more(draft, choice)?)),
    };
    let is_present =
        |id: &RequestId| draft.state.request.as_ref().is_some_and(|request| request.id == *id);
    let is_known = |id: &RequestId| draft.state.all_requests().any(|request| request.id == *id);
    Ok(match choice {
        Choice::Request(id) if is_present(id) => Continue(newest),
        // For a click, the request's existence was checked before.
        Choice::Request(id) if command.slack.is_some() || is_known(id) => {
            Break(not_the_candidate(draft))
        }
        Choice::Request(id) => {
            Break(draft.refused(&format!("there is no request {id}, or it ended long ago")))
        }
        Choice::Image(image) => match named(draft, Some(image))? {
            Ok(digest) if digest == newest => Continue(newest),
            Ok(digest) => {
                draft.subject.digest = Some(digest);
                Break(not_the_candidate(draft))
            }
            Err(reason) => Break(draft.refused(&reason)),
        },
    })
}

/// Ends a decision while there is no candidate: what the earlier app turned away from was
/// superseded.
fn no_candidate_any_more(draft: &mut Draft<'_>, choice: &Choice) -> Decided {
    let is_out = match choice {
        Choice::Request(_) => draft.stage().is_some(),
        Choice::Image(image) => match named(draft, Some(image))? {
            Ok(digest) => {
                draft.subject.digest = Some(digest.clone());
                draft.is_out(&digest)
            }
            Err(_) => false,
        },
    };
    Ok(if is_out { not_the_candidate(draft) } else { no_candidate(draft) })
}

/// Whether a person in Slack names the candidate, or names no image and so means it.
fn is_candidate(draft: &Draft<'_>, image: Option<&ImageRef>) -> Decided<bool> {
    Ok(match named(draft, image)? {
        Ok(digest) => Some(&digest) == draft.seen.newest.as_ref(),
        Err(_) => false,
    })
}

/// Why SNS, a direct invocation, a link or this person may not decide here, if that is so. Where
/// nobody is listed now, the people count whom the question's own policy lists.
fn objection(draft: &Draft<'_>, command: &Command) -> Option<&'static str> {
    let policy = draft.policy(draft.state.request.as_ref());
    let is_unlisted = |origin: &SlackOrigin| {
        !policy.approvers.is_empty() && !policy.approvers.contains(&origin.user)
    };
    if command.slack.as_deref().is_some_and(is_unlisted) {
        return Some(
            "people were asked while `approval.approvers` listed others: those others decide on it",
        );
    }
    identity_objection(&policy, command.slack.as_deref())
}

fn vote_of(draft: &Draft<'_>, command: &Command, approves: bool) -> Vote {
    Vote {
        by: command.by.clone(),
        user: command.slack.as_ref().map(|origin| origin.user.clone()),
        via: command.via,
        approves,
        at: draft.now,
        trace: command.trace.clone(),
    }
}

impl Vote {
    fn is_of_the_same(&self, other: &Vote) -> bool {
        match (&self.user, &other.user) {
            (Some(user), Some(other)) => user == other,
            (None, None) => self.by == other.by,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}
