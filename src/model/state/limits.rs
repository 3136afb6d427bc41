//! Limits the size of the state, since a DynamoDB item holds at most 400 KB. Reasons, names and
//! lists of changes come from outside and are cut before they are kept. What is sent to people at
//! once is cut only where a message needs it.

use super::{Hold, Notice, Promotion, Recent, State};
use crate::model::approval::{Progress, Request};

/// The most bytes of a reason, in CloudFormation's words or a person's.
const REASON: usize = 600;
/// The most bytes of the name of whoever did something.
const BY: usize = 300;
/// The most bytes of a stack parameter's value.
const VALUE: usize = 256;
/// The most bytes of one line of changes.
const CHANGE: usize = 200;
/// The most lines of changes in a notice.
const CHANGES_OF_A_NOTICE: usize = 10;
/// The most lines of changes in a request, which pages show for days.
const CHANGES_OF_A_REQUEST: usize = 20;
/// The most votes of the present request, and of an earlier one whose Slack message is still to be
/// updated.
const VOTES: usize = 60;
const VOTES_OF_AN_EARLIER_REQUEST: usize = 5;
/// The most votes that a promotion carries into the history.
const VOTES_OF_A_PROMOTION: usize = 20;
/// The most earlier requests whose Slack messages are still to be updated.
const EARLIER: usize = 10;
/// The most notices that have not been sent yet.
const UNTOLD: usize = 15;
/// The most change sets that may have to be removed.
const CHANGE_SETS: usize = 30;
/// The most names of other people's change sets that executing ours deletes.
const DELETED: usize = 20;

/// Cuts a reason as it is kept. A reason that is compared with a kept one must be cut in the same
/// way.
pub fn kept_reason(reason: &str) -> String {
    cut(reason, REASON)
}

/// Cuts a text to at most so many bytes. Cutting it twice changes nothing more.
fn cut(text: &str, most: usize) -> String {
    const MARK: &str = "…";
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most - MARK.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{MARK}", &text[..end])
}

fn cut_changes(changes: &mut Vec<String>, most: usize) {
    // The line that says how many are missing is one of them.
    if changes.len() > most {
        let missing = changes.len() - (most - 1);
        changes.truncate(most - 1);
        changes.push(format!("and {missing} more"));
    }
    changes.iter_mut().for_each(|change| *change = cut(change, CHANGE));
}

fn keep_newest<T>(list: &mut Vec<T>, most: usize) {
    let surplus = list.len().saturating_sub(most);
    list.drain(..surplus);
}

impl State {
    /// The same, cut to what may be kept.
    pub fn within_limits(mut self) -> Self {
        keep_newest(&mut self.untold, UNTOLD);
        self.untold = self.untold.into_iter().map(Notice::within_limits).collect();
        keep_newest(&mut self.earlier_requests, EARLIER);
        // What was approved and waits, at most one, is compared with what people were shown.
        let waiting = self.earlier_requests.iter().rposition(Request::may_go);
        for (n, request) in self.earlier_requests.iter_mut().enumerate() {
            request.changes.clear();
            request.policy = None;
            request.shown_changes = request.shown_changes.take().filter(|_| waiting == Some(n));
            keep_newest(&mut request.votes, VOTES_OF_AN_EARLIER_REQUEST);
            limit_request(request);
        }
        if let Some(request) = &mut self.request {
            keep_newest(&mut request.votes, VOTES);
            limit_request(request);
        }
        keep_newest(&mut self.change_sets, CHANGE_SETS);
        self.open = self.open.into_iter().map(Promotion::within_limits).collect();
        for Recent { previous_tag, reason, .. } in &mut self.recent {
            *previous_tag = cut(previous_tag, VALUE);
            *reason = kept_reason(reason);
        }
        if let Some(running) = &mut self.running {
            running.by = cut(&running.by, BY);
        }
        if let Some(Hold { by, reason, .. }) = &mut self.hold {
            *by = cut(by, BY);
            *reason = kept_reason(reason);
        }
        if let Some(waiting) = &mut self.waiting {
            waiting.reason = kept_reason(&waiting.reason);
        }
        self.trouble = self.trouble.as_deref().map(kept_reason);
        self
    }
}

impl Promotion {
    /// The same, cut to what may be kept.
    pub fn within_limits(mut self) -> Self {
        self.by = cut(&self.by, BY);
        self.previous_tag = cut(&self.previous_tag, VALUE);
        self.rolls_back = self.rolls_back.as_deref().map(|from| cut(from, VALUE));
        self.cancelled_by = self.cancelled_by.as_deref().map(|by| cut(by, BY));
        keep_newest(&mut self.votes, VOTES_OF_A_PROMOTION);
        self.votes.iter_mut().for_each(|vote| vote.by = cut(&vote.by, BY));
        self.deletes_change_sets.truncate(DELETED);
        self.deletes_change_sets.iter_mut().for_each(|name| *name = cut(name, VALUE));
        self
    }
}

impl Notice {
    /// The same, cut to what may be kept.
    pub fn within_limits(mut self) -> Self {
        self.by = cut(&self.by, BY);
        self.reason = kept_reason(&self.reason);
        self.previous_tag = self.previous_tag.as_deref().map(|tag| cut(tag, VALUE));
        self.rolls_back = self.rolls_back.as_deref().map(|from| cut(from, VALUE));
        cut_changes(&mut self.changes, CHANGES_OF_A_NOTICE);
        self
    }
}

fn limit_request(request: &mut Request) {
    request.running_tag = request.running_tag.as_deref().map(|tag| cut(tag, VALUE));
    request.why = kept_reason(&request.why);
    request.promoted_by = request.promoted_by.as_deref().map(|by| cut(by, BY));
    request.votes.iter_mut().for_each(|vote| vote.by = cut(&vote.by, BY));
    cut_changes(&mut request.changes, CHANGES_OF_A_REQUEST);
    if let Progress::Waiting(reason) | Progress::Failed(reason) | Progress::Cancelled(reason) =
        &mut request.progress
    {
        *reason = kept_reason(reason);
    }
}

#[cfg(test)]
mod tests;
