//! What goes next: first what people began, then the newest image. [`GUARDS`] lists what can speak
//! for or against the newest image, in order.

use std::ops::ControlFlow::{Break, Continue};

use super::adopt::adopt;
use super::bake;
use super::cancel::{send_cancel, unfinished_cancel};
use super::cause::{Cause, busy, supersede_others};
use super::draft::{About, Draft};
use super::plan::{Decided, First, MayEnd, Plan};
use super::promote::promote;
use super::request::ask;
use super::rights::objection_to;
use crate::model::Digest;
use crate::model::answer::Outcome;
use crate::model::approval::{ApprovalRequest, Progress};
use crate::model::command::Via;
use crate::model::promotion::{Basis, Promotion};
use crate::model::report::Reply;
use crate::model::stack::Phase;
use crate::world::snapshot::Question;

/// The newest image, and what made us look at it.
struct Candidate<'c> {
    newest: &'c Digest,
    by: &'c str,
    via: Via,
}

/// Ends the decision, or leaves it to the next guard.
type Guard = for<'a> fn(Draft<'a>, &Candidate<'_>) -> MayEnd<Draft<'a>>;

/// Tried in order. If none of them ends the decision, the newest image is promoted where automation
/// may do that, and people are asked where it may not.
const GUARDS: [Guard; 8] = [
    |draft, _| carry_on(draft),
    undo_an_overtaken_update,
    leave_what_failed,
    go_on_with_what_is_in_hand,
    send_what_people_approved,
    keep_a_verdict,
    leave_what_was_there_before,
    leave_what_a_person_turned_away_from,
];

/// Decides what goes next, once the draft has caught up.
pub(super) fn proceed<'a>(mut draft: Draft<'a>, newest: &Digest, by: &str, via: Via) -> Decided {
    let candidate = Candidate { newest, by, via };
    for guard in GUARDS {
        draft = match guard(draft, &candidate)? {
            Continue(draft) => draft,
            Break(plan) => return Ok(plan),
        };
    }
    if candidate.is_free(&draft)? { candidate.promote(draft) } else { ask(draft, newest) }
}

/// A look that no push and no command for an image caused. At the first sight of an app it only
/// records what runs: what was there before may have been left out of production on purpose.
pub(super) fn look(mut draft: Draft<'_>, by: &str) -> Decided {
    draft.is_look = true;
    let newest = draft.seen.newest.clone();
    if draft.is_first_sight {
        draft.state.first_seen = newest;
        draft.is_worth_keeping = true;
        return Ok(draft.nothing(
            Outcome::Unchanged,
            "seen for the first time: what runs is recorded, and nothing is promoted".to_owned(),
        ));
    }
    let mut draft = match bake::watch(draft)? {
        Continue(draft) => draft,
        Break(plan) => return Ok(plan),
    };
    draft.subject = About::default();
    let soaking = draft.soaking().map(|_| draft.no_candidate());
    if let Some(newest) = newest {
        let plan = proceed(draft, &newest, by, Via::Schedule)?;
        return Ok(or_soaks(plan, soaking));
    }
    // What was begun needs no candidate.
    let mut draft = match carry_on(draft)? {
        Continue(draft) => draft,
        Break(plan) => return Ok(plan),
    };
    if draft.is_stray {
        return undo(draft);
    }
    draft.state.waiting = None;
    if let Some(ended) = ended_candidacy(&draft) {
        draft.about(&ended);
        let reason =
            format!("{} is no candidate any more: {}", ended.digest.short(), draft.no_candidate());
        return Ok(draft.nothing(Outcome::Superseded, reason));
    }
    let reason = draft.no_candidate();
    Ok(or_soaks(draft.nothing(Outcome::Unchanged, reason), soaking))
}

/// The request that this look ended, since the earlier app turned away from its image.
fn ended_candidacy(draft: &Draft<'_>) -> Option<ApprovalRequest> {
    let before = draft.seen.state.as_ref()?.request.as_ref()?;
    let is_over = draft.state.request.is_none() && !before.progress.is_final();
    (is_over && draft.is_out(&before.digest)).then(|| before.clone())
}

/// A look that found nothing to do, while an image soaks, answers until when.
fn or_soaks(mut plan: Plan, soaking: Option<String>) -> Plan {
    if let (Some(words), Ok(Reply::Answer(answer))) = (soaking, &mut plan.reply)
        && answer.outcome == Outcome::Unchanged
    {
        answer.outcome = Outcome::Queued;
        answer.reason = words;
    }
    plan
}

impl Candidate<'_> {
    /// Whether automation may promote it.
    fn is_free(&self, draft: &Draft<'_>) -> Decided<bool> {
        Ok(objection_to(draft, self.newest, Basis::Automation, None)?.is_none())
    }

    fn open<'d>(&self, draft: &'d Draft<'_>) -> Option<&'d Promotion> {
        draft.state.open.iter().find(|open| open.digest == *self.newest)
    }

    /// Whether its promotion failed, and neither a promotion nor a new approval goes on.
    fn has_failed(&self, draft: &Draft<'_>) -> bool {
        let is_approved = draft.state.request.as_ref().is_some_and(ApprovalRequest::may_go);
        self.open(draft).is_none() && draft.state.failed.contains(self.newest) && !is_approved
    }

    /// Whether it was there before ecr-promoter. An image that runs under a tag that moves, too, is
    /// left alone until it is pushed or named.
    fn was_there_before(&self, draft: &Draft<'_>) -> bool {
        let is_adopted = !draft.is_pinned()
            && draft.running_digest().as_ref() == Some(self.newest)
            && draft.state.waiting.is_none();
        let is_first_seen = draft.state.first_seen.as_ref() == Some(self.newest);
        self.via == Via::Schedule && (is_first_seen || is_adopted)
    }

    fn promote(&self, draft: Draft<'_>) -> Decided {
        promote(draft, self.newest, &Cause::by_automation(self.by, self.via))
    }
}

/// Goes on with what people began, whatever is newest: a cancel that was not sent, and what a
/// person promoted.
fn carry_on(draft: Draft<'_>) -> MayEnd<Draft<'_>> {
    if let Some(under_way) = unfinished_cancel(&draft)? {
        return Ok(Break(send_cancel(draft, &under_way)));
    }
    let waiting = draft.state.open.iter().find(|open| !open.via.is_automation()).cloned();
    let Some(open) = waiting else { return Ok(Continue(draft)) };
    let goes_on = match draft.stack.phase() {
        Phase::AtRest => true,
        // Nobody repeats what an alarm began: this look tells that CloudFormation has accepted it.
        Phase::Busy => {
            open.via == Via::Alarm && open.accepted_at.is_none() && draft.is_accepted(&open)?
        }
        Phase::Broken | Phase::Leaving | Phase::Gone => false,
    };
    if !goes_on {
        return Ok(Continue(draft));
    }
    promote(draft, &open.digest, &Cause::again(&open)).map(Break)
}

/// An update that a newer promotion had replaced arrived after all. The newest image replaces it;
/// where that is not promoted now, what ran before comes back.
fn undo_an_overtaken_update<'a>(
    mut draft: Draft<'a>,
    candidate: &Candidate<'_>,
) -> MayEnd<Draft<'a>> {
    if draft.is_stray {
        let request = draft.state.request.as_ref();
        let is_rejected = request.is_some_and(|request| request.progress == Progress::Rejected);
        let replaces_it = candidate.is_free(&draft)?
            && !candidate.has_failed(&draft)
            && !candidate.was_there_before(&draft)
            && !is_rejected;
        if !replaces_it {
            return undo(draft).map(Break);
        }
    }
    draft.subject.digest = Some(candidate.newest.clone());
    Ok(Continue(draft))
}

fn leave_what_failed<'a>(mut draft: Draft<'a>, candidate: &Candidate<'_>) -> MayEnd<Draft<'a>> {
    if !candidate.has_failed(&draft) {
        return Ok(Continue(draft));
    }
    draft.state.waiting = None;
    Ok(Break(
        draft.nothing(
            Outcome::Failed,
            "its promotion failed before and is not tried again by itself: push a new image, or \
         `promote` it on purpose"
                .to_owned(),
        ),
    ))
}

/// It runs, or a person promoted it, or its update is under way.
fn go_on_with_what_is_in_hand<'a>(
    draft: Draft<'a>,
    candidate: &Candidate<'_>,
) -> MayEnd<Draft<'a>> {
    let is_at_rest = draft.stack.phase() == Phase::AtRest;
    let open = candidate.open(&draft);
    let is_in_hand = open.is_some_and(|open| !open.via.is_automation() || !is_at_rest);
    if is_in_hand || draft.runs(candidate.newest) {
        return candidate.promote(draft).map(Break);
    }
    // It ran before this operation of the stack, and nobody has to decide on it again.
    let ran = draft.is_pinned() && draft.running_digest().as_ref() == Some(candidate.newest);
    if ran && open.is_none() && draft.stack.phase() == Phase::Busy {
        let reason = busy(&draft);
        return Ok(Break(draft.nothing(Outcome::Queued, reason)));
    }
    Ok(Continue(draft))
}

fn send_what_people_approved<'a>(draft: Draft<'a>, candidate: &Candidate<'_>) -> MayEnd<Draft<'a>> {
    let Some(request) = draft.state.request.clone().filter(ApprovalRequest::may_go) else {
        return Ok(Continue(draft));
    };
    let via = request.votes.last().map_or(candidate.via, |vote| vote.via);
    promote(draft, candidate.newest, &Cause::by_approval(&request, via, None)).map(Break)
}

/// A rejection holds in every mode, a question only where automation may not promote.
fn keep_a_verdict<'a>(draft: Draft<'a>, candidate: &Candidate<'_>) -> MayEnd<Draft<'a>> {
    let is_free = candidate.is_free(&draft)?;
    let has_verdict = draft.state.request.as_ref().is_some_and(|request| match request.progress {
        Progress::Rejected => true,
        Progress::Pending => !is_free,
        Progress::Approved | Progress::Waiting(_) | Progress::Deploying => false,
        Progress::Verifying(_) | Progress::Deployed(_) | Progress::Baking(_) => false,
        Progress::Failed(_) | Progress::Cancelled(_) | Progress::Superseded | Progress::Expired => {
            false
        }
    });
    if has_verdict {
        return ask(draft, candidate.newest).map(Break);
    }
    Ok(Continue(draft))
}

fn leave_what_was_there_before<'a>(
    mut draft: Draft<'a>,
    candidate: &Candidate<'_>,
) -> MayEnd<Draft<'a>> {
    if !candidate.was_there_before(&draft) {
        return Ok(Continue(draft));
    }
    draft.state.waiting = None;
    Ok(Break(draft.nothing(
        Outcome::Unchanged,
        "it was there before ecr-promoter: only its own push promotes it".to_owned(),
    )))
}

fn leave_what_a_person_turned_away_from<'a>(
    mut draft: Draft<'a>,
    candidate: &Candidate<'_>,
) -> MayEnd<Draft<'a>> {
    if draft.state.passed_over.as_ref() != Some(candidate.newest) {
        return Ok(Continue(draft));
    }
    supersede_others(&mut draft, None, false)?;
    draft.state.waiting = None;
    Ok(Break(
        draft.nothing(
            Outcome::Held,
            "a person cancelled it or rolled back from it: push a newer image, or `promote` it on \
         purpose"
                .to_owned(),
        ),
    ))
}

/// Goes back from an update that arrived too late to the image and tag that ran before. If that tag
/// is on no image any more, the present image stays: people are told, and the app is held.
fn undo(mut draft: Draft<'_>) -> Decided {
    let running = draft.state.running.clone();
    let before = running.as_ref().map_or("", |running| running.tag.as_str()).to_owned();
    let problem = match running.and_then(|running| running.digest) {
        None => "it is on no image".to_owned(),
        Some(digest) => match draft.seen.images.get(&digest) {
            None => return Err(First::Read(Question::Image(digest))),
            Some(Err(problem)) => problem.clone(),
            Some(Ok(_)) => {
                let by = "ecr-promoter, undoing an overtaken update";
                let cause = Cause {
                    basis: Basis::Undoing,
                    tag: before.parse().ok(),
                    ..Cause::by_automation(by, Via::Schedule)
                };
                return promote(draft, &digest, &cause);
            }
        },
    };
    let reason = format!(
        "an update that a newer one had replaced, to `{}`, arrived after all and cannot be undone: \
         `{before}` cannot come back, since {problem}",
        draft.value()
    );
    adopt(&mut draft, reason.clone())?;
    Ok(draft.nothing(Outcome::Held, reason))
}
