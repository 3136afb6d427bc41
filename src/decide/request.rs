//! Asks people about the candidate, and says what their request has come to. Of two decisions, the
//! one that is written first stands: each is a conditional write of the state.

use std::ops::ControlFlow::{Break, Continue};

use jiff::SignedDuration;

use super::cause::supersede_others;
use super::change_set::{ask_for_preview, make_anew, mark_of, note_strays, review_of, update};
use super::draft::Draft;
use super::plan::{Decided, MayEnd, Plan};
use crate::model::answer::Outcome;
use crate::model::approval::{ApprovalRequest, Progress};
use crate::model::change_set::ChangeSet;
use crate::model::image::production_tag;
use crate::model::promotion::{Basis, End, Promotion};
use crate::model::stack::Phase;
use crate::model::{Digest, RequestId, Token};

/// Asks people once about each newest image.
pub(super) fn ask(mut draft: Draft<'_>, digest: &Digest) -> Decided {
    supersede_others(&mut draft, None, false)?;
    // It does not wait for the stack but for people.
    draft.state.waiting = None;
    if let Some(verdict) = verdict(&mut draft) {
        return Ok(verdict);
    }
    let why = match &draft.state.hold {
        Some(hold) => format!("the app is held by {} ({})", hold.by, hold.reason),
        None => "the app's mode is `approval`".to_owned(),
    };
    let why = match draft.stage().and_then(|stage| Some((stage, stage.candidate.as_ref()?))) {
        Some((stage, soaked)) if soaked.digest == *digest => {
            format!("{why}; it has run in `{}` since {:.0}", stage.after, soaked.since)
        }
        Some(_) | None => why,
    };
    ask_anew(draft, digest, why, "push")
}

pub(super) fn ask_anew(mut draft: Draft<'_>, digest: &Digest, why: String, by: &str) -> Decided {
    let mut request = match new_request(&mut draft, digest, why)? {
        Continue(request) => request,
        Break(plan) => return Ok(plan),
    };
    request.notes = draft.notes(digest, request.commit.as_ref())?;
    if draft.app.config.guard.is_some() {
        let mut shown = None;
        request.changes = preview(&mut draft, &request, &mut shown)?;
        request.shown_changes = shown;
    }
    draft.about(&request);
    let reason = format!("{}: nothing is promoted until somebody approves it", request.why);
    let mut notice = draft.notice_of(&request, Outcome::ApprovalRequested, reason.clone(), by);
    notice.changes.clone_from(&request.changes);
    draft.replace_request(Some(request));
    draft.announce(notice);
    Ok(draft.nothing(Outcome::ApprovalRequested, reason))
}

/// Asks people again about an image that they approved, for a new reason.
pub(super) fn ask_once_more(mut draft: Draft<'_>, digest: &Digest, why: String) -> Decided {
    // The question before is over, and its approval no longer counts.
    if let Some(request) = &mut draft.state.request {
        request.is_approved = false;
        request.progress = Progress::Superseded;
    }
    ask_anew(draft, digest, why, "ecr-promoter")
}

pub(super) fn new_request(
    draft: &mut Draft<'_>,
    digest: &Digest,
    why: String,
) -> MayEnd<ApprovalRequest> {
    let (image, commit) = match draft.image(digest)? {
        Continue(found) => found,
        Break(plan) => return Ok(Break(plan)),
    };
    let tag = production_tag(
        &image.digest,
        commit.as_ref(),
        draft.tags,
        &draft.taken_from(digest),
        &draft.app.config,
    );
    // People are told which tag it would get: it has to be free.
    if let Some(tag) = &tag {
        draft.holder(tag)?;
    }
    let running = draft.state.running.clone();
    let approval = &draft.app.config.approval;
    let id = RequestId::of(&draft.app.name, &draft.app.config.stack, digest, draft.state.requests);
    draft.state.requests += 1;
    let note = draft.note_of_image(digest);
    Ok(Continue(ApprovalRequest {
        id,
        note,
        notes: None,
        way_back: None,
        stack_id: Some(draft.stack.id.clone()),
        way_back_commit: None,
        app: Some(draft.app.name.clone()),
        digest: digest.clone(),
        commit,
        tag,
        running_tag: running.as_ref().map(|running| running.tag.clone()),
        running_commit: running.as_ref().and_then(|running| running.commit.clone()),
        running_since: running.and_then(|running| running.since),
        at: draft.now,
        expires_at: draft.now + SignedDuration::from_hours(approval.expires_hours.into()),
        why,
        changes: Vec::new(),
        shown_changes: None,
        policy: Some(draft.app.policy()),
        votes: Vec::new(),
        promoted_by: None,
        is_approved: false,
        progress: Progress::Pending,
        channel: approval.slack_channel.clone(),
        posted: None,
        shown: None,
    }))
}

/// Works out by a change set what the promotion would change. While the stack is busy that is not
/// possible.
fn preview(
    draft: &mut Draft<'_>,
    request: &ApprovalRequest,
    shown: &mut Option<Vec<String>>,
) -> Decided<Vec<String>> {
    let Some(tag) = request.tag.clone().filter(|_| draft.stack.phase() == Phase::AtRest) else {
        return Ok(Vec::new());
    };
    let token = Token::of(
        &draft.app.name,
        &draft.app.config.stack,
        &request.digest,
        &tag,
        draft.state.ended,
    );
    let id = draft.change_set_of(&token).map(|own| own.id().to_owned()).unwrap_or_default();
    Ok(match review_of(draft, &token)? {
        ChangeSet::Absent => return Err(ask_for_preview(draft, &update(draft, token, tag))),
        ChangeSet::Outdated => return Err(make_anew(&id)),
        ChangeSet::Executing => {
            draft.look_again()?;
            vec![
                "CloudFormation is executing another change set: `plan` shows the changes later"
                    .to_owned(),
            ]
        }
        ChangeSet::Pending => {
            vec![
                "CloudFormation is still working out the changes: `plan` shows them later"
                    .to_owned(),
            ]
        }
        ChangeSet::Empty => vec!["no changes, according to CloudFormation".to_owned()],
        ChangeSet::Failed(reason) | ChangeSet::Unsure(reason) => {
            vec![format!("CloudFormation could not work out the changes: {reason}")]
        }
        ChangeSet::Ready(changes) => {
            note_strays(draft, &changes);
            *shown = Some(changes.lines().iter().map(|line| mark_of(line)).collect());
            changes.lines()
        }
    })
}

/// Answers by the candidate's request if that ends a look: the request is open, rejected or
/// expired.
pub(super) fn verdict(draft: &mut Draft<'_>) -> Option<Plan> {
    let request = draft.state.request.clone()?;
    draft.about(&request);
    match &request.progress {
        Progress::Pending => Some(draft.nothing(
            Outcome::ApprovalRequested,
            format!("{}: {}", request.why, how_to_approve(draft, &request)),
        )),
        Progress::Rejected => Some(draft.nothing(Outcome::Rejected, rejected(&request))),
        Progress::Expired => Some(draft.nothing(Outcome::Expired, expired(draft))),
        Progress::Approved
        | Progress::Waiting(_)
        | Progress::Deploying
        | Progress::Verifying(_)
        | Progress::Baking(_)
        | Progress::Deployed(_)
        | Progress::Failed(_)
        | Progress::Cancelled(_)
        | Progress::Superseded => None,
    }
}

/// Takes back what people approved, unless CloudFormation has accepted it: a person promotes
/// another image, or cancels.
pub(super) fn withdraw(
    draft: &mut Draft<'_>,
    reason: &str,
    by: &str,
) -> Decided<Option<ApprovalRequest>> {
    let Some(request) = draft.state.request.clone().filter(ApprovalRequest::may_go) else {
        return Ok(None);
    };
    if draft.state.is_verifying(&request.id) {
        return Ok(None);
    }
    for open in
        draft.state.open.clone().iter().filter(|open| open.request.as_ref() == Some(&request.id))
    {
        if draft.stack.phase() == Phase::Busy && draft.is_accepted(open)? {
            return Ok(None);
        }
        draft.end(open, End::Cancelled, reason);
    }
    let notice = draft.notice_of(&request, Outcome::Cancelled, reason.to_owned(), by);
    draft.announce(notice);
    draft.state.passed_over = Some(request.digest.clone());
    draft.state.waiting = None;
    Ok(Some(request))
}

fn how_to_approve(draft: &Draft<'_>, request: &ApprovalRequest) -> String {
    if draft.policy(Some(request)).needs_identity() {
        return "it waits for people in Slack".to_owned();
    }
    format!(
        "nothing is promoted until somebody approves it (`approve {} {}`)",
        draft.app.name, request.digest
    )
}

pub(super) fn expired(draft: &Draft<'_>) -> String {
    format!("nobody decided on it in time: `ask {}` asks again", draft.app.name)
}

pub(super) fn rejected(request: &ApprovalRequest) -> String {
    format!("{} rejected it; an explicit `promote` still works", request.who(false))
}

pub(super) fn no_candidate(draft: &Draft<'_>) -> Plan {
    draft.refused(&draft.no_candidate())
}

/// Refuses a decision about an image that is not the candidate, and names the candidate.
pub(super) fn not_the_candidate(draft: &Draft<'_>) -> Plan {
    let candidate = match (&draft.state.request, &draft.seen.newest) {
        (Some(request), _) => {
            let commit = request
                .commit
                .as_ref()
                .map_or_else(String::new, |commit| format!("commit {commit}, "));
            format!("{commit}{}", request.digest)
        }
        (None, Some(newest)) => newest.to_string(),
        (None, None) => {
            let reason = format!("it is no candidate any more: {}", draft.no_candidate());
            return draft.nothing(Outcome::Superseded, reason);
        }
    };
    let reason =
        format!("something newer took its place: the candidate is {candidate}. Decide on that one");
    draft.nothing(Outcome::Superseded, reason)
}

/// Ends the request if nobody decided in time, or if its image is not the newest any more.
pub(super) fn retire_request(draft: &mut Draft<'_>) -> Decided<()> {
    // A request of another app, which somebody copied into this state, is dropped.
    let is_foreign =
        |request: &ApprovalRequest| request.app.as_ref().is_some_and(|its| *its != draft.app.name);
    if draft.state.request.as_ref().is_some_and(is_foreign) {
        draft.state.request = None;
    }
    recount_votes(draft)?;
    let channel = &draft.app.config.approval.slack_channel;
    if let Some(unseen) = draft
        .state
        .request
        .as_mut()
        .filter(|request| request.posted.is_none() && !request.progress.is_final())
    {
        // The channel may have been misspelt, or not there yet, when people were asked.
        unseen.channel.clone_from(channel);
    }
    let Some(request) = draft.state.request.clone() else { return Ok(()) };
    // State and tags are read side by side: where people were asked after this look began, the
    // tags may be older.
    if Some(&request.digest) != draft.seen.newest.as_ref() && request.at > draft.now {
        draft.look_again()?;
    }
    if request.has_expired(draft.now) {
        let reason = format!(
            "nobody decided on it until {:.0}: `ask {}` asks again",
            request.expires_at, draft.app.name
        );
        let notice = draft.notice_of(&request, Outcome::Expired, reason, "schedule");
        draft.announce(notice);
    }
    // It got there another way: by hand, or promoted before people had decided.
    let verifying = draft.state.verifying.iter().map(|verifying| &verifying.promotion);
    let mut begun = draft.state.open.iter().chain(verifying);
    let is_begun = begun.any(|open| open.digest == request.digest);
    if draft.runs(&request.digest)
        && !is_begun
        && let Some(request) =
            draft.state.request_mut(&request.id).filter(|request| !request.progress.is_final())
    {
        request.progress = Progress::Deployed(None);
    }
    if Some(&request.digest) != draft.seen.newest.as_ref() {
        if !request.progress.is_final() && draft.is_out(&request.digest) {
            tell_that_it_is_out(draft, &request);
        }
        draft.replace_request(None);
    }
    Ok(())
}

/// Tells people that the earlier app went back from the image that they were asked about.
fn tell_that_it_is_out(draft: &mut Draft<'_>, request: &ApprovalRequest) {
    let after = draft.stage().map_or(String::new(), |stage| format!(" in `{}`", stage.after));
    let reason = format!("it failed or was rolled back from{after}: nothing is promoted");
    let notice = draft.notice_of(request, Outcome::Superseded, reason, "the stage before");
    draft.announce(notice);
}

/// Takes an approval back if the policy has become stricter since and votes are missing now,
/// unless CloudFormation has begun the update.
fn recount_votes(draft: &mut Draft<'_>) -> Decided<()> {
    let Some(request) = draft.state.request.clone().filter(ApprovalRequest::may_go) else {
        return Ok(());
    };
    let policy = draft.policy(Some(&request));
    if request.approvers(&policy).len() >= policy.required as usize
        || draft.state.is_verifying(&request.id)
    {
        return Ok(());
    }
    let own = |open: &&Promotion| {
        open.request.as_ref() == Some(&request.id) && open.basis() == Basis::Votes
    };
    for open in draft.state.open.clone().iter().filter(own) {
        if draft.stack.phase() == Phase::Busy && draft.is_accepted(open)? {
            return Ok(());
        }
    }
    if let Some(request) = draft.state.request.as_mut() {
        request.is_approved = false;
        request.progress = Progress::Pending;
    }
    Ok(())
}
