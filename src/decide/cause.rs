//! Who or what asks for a promotion, and how that waits, fails and gives way to another.

use std::borrow::Cow;

use super::draft::Draft;
use super::plan::{Decided, Plan};
use crate::model::answer::Outcome;
use crate::model::approval::ApprovalRequest;
use crate::model::command::{Command, Via};
use crate::model::limits::kept_reason;
use crate::model::notice::Notice;
use crate::model::promotion::{Basis, End, Promotion};
use crate::model::stack::Phase;
use crate::model::state::{State, Waiting};
use crate::model::{Digest, RequestId, Tag};

/// What CloudFormation's *no updates* means if the value differs.
pub(super) const NO_UPDATES: &str = "CloudFormation says that no updates are to be performed \
                                     although the value differs: the template \
     does not use the parameter, or a transform keeps it from being seen \
     (AWS::LanguageExtensions); deploy the template once by hand";

/// Who or what asks for the promotion of an image.
pub(super) struct Cause<'a> {
    pub(super) by: Cow<'a, str>,
    pub(super) via: Via,
    /// The right that it rests on.
    pub(super) basis: Basis,
    pub(super) command: Option<&'a str>,
    /// Whether a person chooses this image now: that holds the app, or ends a hold.
    pub(super) is_choice: bool,
    /// The tag that it is to have, if that is on it or on nothing.
    pub(super) tag: Option<Tag>,
    /// A tag that it is not to get again.
    pub(super) avoid: Option<Tag>,
    /// The tag that it rolls back from.
    pub(super) rolls_back: Option<String>,
    /// The image that it rolls back from.
    pub(super) rolls_back_digest: Option<Digest>,
    /// Why, where that is not plain from who asks: an alarm's reason, or a person's.
    pub(super) why: Option<String>,
    /// The request whose approval it rests on.
    pub(super) request: Option<RequestId>,
}

impl<'a> Cause<'a> {
    pub(super) fn by_command(command: &'a Command) -> Self {
        let command_id = Some(command.id.as_str());
        let basis = if command.slack.is_some() { Basis::Person } else { Basis::BreakGlass };
        Self { command: command_id, basis, ..Self::by_automation(&command.by, command.via) }
    }

    pub(super) fn by_automation(by: &'a str, via: Via) -> Self {
        Self {
            by: by.into(),
            via,
            basis: Basis::Automation,
            command: None,
            is_choice: false,
            tag: None,
            avoid: None,
            rolls_back: None,
            rolls_back_digest: None,
            why: None,
            request: None,
        }
    }

    /// The cause of a promotion that was begun, for a retry.
    pub(super) fn again(open: &'a Promotion) -> Self {
        Self {
            by: open.by.as_str().into(),
            via: open.via,
            basis: open.basis(),
            command: open.command.as_deref(),
            is_choice: false,
            tag: Some(open.tag.clone()),
            avoid: None,
            rolls_back: open.rolls_back.clone(),
            rolls_back_digest: open.rolls_back_digest.clone(),
            why: open.why.clone(),
            request: open.request.clone(),
        }
    }

    /// The people who approved a request. The promotion is theirs, and goes out as soon as it can.
    pub(super) fn by_approval(
        request: &ApprovalRequest,
        via: Via,
        command: Option<&'a str>,
    ) -> Self {
        Self {
            by: request.who(true).into(),
            via,
            basis: Basis::Votes,
            command,
            is_choice: false,
            // People were asked about this tag too.
            tag: request.tag.clone(),
            avoid: None,
            rolls_back: None,
            rolls_back_digest: None,
            why: None,
            request: Some(request.id.clone()),
        }
    }

    /// Whether the approval that it rests on is already written, and not only decided just now.
    pub(super) fn is_verdict_written(&self, draft: &Draft<'_>) -> bool {
        let may_go = |state: &State, id: &RequestId| {
            state.all_requests().any(|request| request.id == *id && request.may_go())
        };
        let is_new = |id: &RequestId| {
            may_go(&draft.state, id)
                && !draft.seen.state.as_ref().is_some_and(|seen| may_go(seen, id))
        };
        !self.request.as_ref().is_some_and(is_new)
    }

    /// Whether the promotion goes on by itself once nothing blocks it: it is automation's, or
    /// people approved it.
    pub(super) fn is_standing(&self, draft: &Draft<'_>) -> bool {
        let is_approved = |id: &RequestId| {
            draft.state.all_requests().any(|request| request.id == *id && request.is_approved)
        };
        self.via.is_automation() || self.request.as_ref().is_some_and(is_approved)
    }
}

impl Draft<'_> {
    /// Whether ECS runs another image than the stack names, and somebody asks for a promotion all
    /// the same: it then gets another tag, so that CloudFormation sees a change. Automation leaves
    /// that alone.
    pub(super) fn runs_elsewhere_for(&self, cause: &Cause<'_>) -> bool {
        !cause.via.is_automation() && self.state.runs_elsewhere()
    }
}

/// Lets the promotion wait, and notifies people once. If one person's command is blocked, it does
/// not wait: the person must send it again.
pub(super) fn wait(
    mut draft: Draft<'_>,
    outcome: Outcome,
    reason: String,
    cause: &Cause<'_>,
) -> Plan {
    let reason = with_why(cause.why.as_deref(), reason);
    let is_kept = cause.is_standing(&draft) || outcome == Outcome::Queued;
    let before =
        draft.seen.state.as_ref().and_then(|state| state.waiting.clone()).filter(|_| is_kept);
    let is_told = before.as_ref().is_some_and(|b| {
        b.outcome == outcome && (outcome == Outcome::Queued || b.reason == kept_reason(&reason))
    });
    let notice = draft.notice(outcome, &reason, &cause.by);
    if is_told {
        draft.state.note(&notice)
    } else {
        draft.announce(notice)
    }
    if is_kept {
        let now = Waiting { since: draft.now, outcome, reason: kept_reason(&reason) };
        draft.state.waiting = Some(before.filter(|_| is_told).unwrap_or(now));
    }
    draft.nothing(outcome, reason)
}

/// Says beside the reason why the promotion was begun: nobody else has told that.
fn with_why(why: Option<&str>, reason: String) -> String {
    why.map_or(reason.clone(), |why| format!("{why}; {reason}"))
}

pub(super) fn busy(draft: &Draft<'_>) -> String {
    format!(
        "stack `{}` is in {}: it goes on by itself when that has ended",
        draft.stack.name, draft.stack.status
    )
}

/// Ends a promotion that CloudFormation refused for good.
pub(super) fn fail(mut draft: Draft<'_>, promotion: &Promotion, reason: String) -> Plan {
    let reason = with_why(promotion.why.as_deref(), reason);
    draft.state.waiting = None;
    draft.end(promotion, End::Failed, reason.clone());
    draft.announce(promotion.notice(Outcome::Failed, reason.clone(), draft.now));
    draft.nothing(Outcome::Failed, reason)
}

pub(super) fn failed(draft: &mut Draft<'_>, open: &Promotion, reason: &str) {
    match &open.cancelled_by {
        Some(by) => {
            let reason = format!("cancelled by {by}");
            draft.end(open, End::Cancelled, reason.clone());
            draft.announce(open.notice(Outcome::Cancelled, reason, draft.now));
        }
        None => end_as_failed(draft, open, reason),
    }
}

pub(super) fn end_as_failed(draft: &mut Draft<'_>, open: &Promotion, reason: &str) {
    draft.end(open, End::Failed, reason);
    draft.announce(open.notice(Outcome::Failed, reason, draft.now));
}

/// Ends the promotions that were begun and never reached CloudFormation: they give way to another.
/// A person's promotion gives way only to another person's.
pub(super) fn supersede_others(
    draft: &mut Draft<'_>,
    but: Option<&Promotion>,
    by_person: bool,
) -> Decided<()> {
    for other in draft.state.open.clone() {
        let is_kept = Some(&other.token) == but.map(|but| &but.token)
            || !by_person && !other.via.is_automation();
        if is_kept || draft.stack.phase() == Phase::Busy && draft.is_accepted(&other)? {
            continue;
        }
        let reason = "another promotion replaced it before it was sent";
        draft.end(&other, End::Superseded, reason);
        // People were told that it waits: they are told that it does not any more.
        let goes_on = draft.subject.digest.as_ref() == Some(&other.digest);
        if by_person && !other.via.is_automation() && !goes_on {
            let notice =
                Notice { request: None, ..other.notice(Outcome::Superseded, reason, draft.now) };
            draft.announce(notice);
        }
    }
    Ok(())
}
