//! `ask`: asks people about the newest image, whatever became of the request before.

use super::draft::Draft;
use super::next::proceed;
use super::plan::Decided;
use super::request::{ask_anew, no_candidate, not_the_candidate, verdict};
use crate::model::Digest;
use crate::model::answer::Outcome;
use crate::model::approval::{ApprovalRequest, Progress};
use crate::model::command::Command;

/// Makes a new request for the candidate.
pub(super) fn ask_on_purpose(mut draft: Draft<'_>, command: &Command) -> Decided {
    let Some(newest) = draft.seen.newest.clone() else { return Ok(no_candidate(&draft)) };
    if draft.runs(&newest) || draft.state.request.as_ref().is_some_and(ApprovalRequest::may_go) {
        return proceed(draft, &newest, &command.by, command.via);
    }
    let is_its = |request: &&ApprovalRequest| {
        request.digest == newest && request.progress == Progress::Pending
    };
    if let Some(request) = draft.state.request.clone().as_ref().filter(is_its) {
        // The votes so far still count: only the question is repeated.
        draft.about(request);
        let reason =
            format!("{} asks again: nothing is promoted until somebody approves it", command.by);
        let mut notice =
            draft.notice_of(request, Outcome::ApprovalRequested, reason.clone(), &command.by);
        notice.changes.clone_from(&request.changes);
        draft.announce(notice);
        return Ok(draft.nothing(Outcome::ApprovalRequested, reason));
    }
    let why = format!("{} asks", command.by);
    ask_anew(draft, &newest, why, &command.by)
}

/// `ask` by the button of a message, which is about this image.
pub(super) fn ask_again(mut draft: Draft<'_>, command: &Command, digest: &Digest) -> Decided {
    if draft.seen.newest.as_ref() != Some(digest) {
        return Ok(not_the_candidate(&draft));
    }
    if draft.state.request.as_ref().is_some_and(|request| request.progress == Progress::Pending)
        && let Some(verdict) = verdict(&mut draft)
    {
        return Ok(verdict);
    }
    ask_on_purpose(draft, command)
}
