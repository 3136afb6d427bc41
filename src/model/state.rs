//! What is remembered of an app between invocations: the `state` item of the table, one `history#…`
//! item for each promotion that ended and one `command#…` item for each command that acted. Written
//! by conditional writes only. No I/O here.

mod end;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::answer::{Answer, Outcome};
use crate::model::approval::{ApprovalRequest, Posted};
use crate::model::config::Policy;
use crate::model::limits::{
    BY, CHANGE_SETS, EARLIER, UNTOLD, VALUE, VOTES, VOTES_OF_AN_EARLIER_REQUEST, cut, keep_newest,
    kept_reason,
};
use crate::model::notice::Notice;
use crate::model::promotion::{End, Promotion};
use crate::model::{Commit, Digest, RequestId, Tag, Token};

/// Well above the function's own time limit.
const LONGEST_STALL: SignedDuration = SignedDuration::from_mins(2);

/// The state of one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The configured stack that this is about, as the configuration writes it. Another stack is a
    /// first sight.
    pub stack: String,
    /// The stack's id. Unlike its name, it tells whether the stack was deleted and made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_id: Option<String>,
    /// The configured parameter that this is about.
    pub parameter: String,
    /// How many promotions have ended; makes each token another one.
    pub ended: u64,
    /// What runs; `None` until the stack was seen at rest.
    pub running: Option<Running>,
    /// The image that ran when the app was first seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_ran: Option<Digest>,
    /// The tag that ran when the app was first seen, until it is known which image that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_tag: Option<String>,
    /// Who decided when the app was last looked at: a change is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Set while the running tag is not on the image that was promoted. People were told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_tag: Option<MovedTag>,
    /// Promotions that have not ended: at most one that CloudFormation is at, and one that waits
    /// behind it.
    #[serde(default)]
    pub open: Vec<Promotion>,
    /// The last ones that ended.
    #[serde(default)]
    pub recent: Vec<Recent>,
    /// Images whose promotion failed: automation does not try them again.
    #[serde(default)]
    pub failed: Vec<Digest>,
    /// A candidate that a person turned away from, by a cancel or a rollback: automation waits for
    /// a newer one.
    #[serde(default)]
    pub passed_over: Option<Digest>,
    /// The candidate that was there when the schedule first saw the app: only its own push promotes
    /// it.
    #[serde(default)]
    pub first_seen: Option<Digest>,
    /// While set, automation asks instead of acting.
    #[serde(default)]
    pub hold: Option<Hold>,
    /// What people are, or were, asked about the present candidate.
    #[serde(default)]
    pub request: Option<ApprovalRequest>,
    /// Earlier requests whose message in Slack does not yet say what became of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier_requests: Vec<ApprovalRequest>,
    /// How many requests there were; makes each id another one.
    #[serde(default)]
    pub requests: u64,
    /// Since when automation waits for the stack or for a person to mend it.
    #[serde(default)]
    pub waiting: Option<Waiting>,
    /// Why the app cannot be looked at, once that was told.
    #[serde(default)]
    pub trouble: Option<String>,
    /// Notices that have not been sent yet.
    #[serde(default)]
    pub untold: Vec<Notice>,
    /// Change sets that may be on the stack, to be removed when they are not needed any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub change_sets: Vec<KnownChangeSet>,
}

/// A change set that may be on the stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownChangeSet {
    /// The promotion that it is for.
    pub token: Token,
    /// Its random name. An older version did not write it, and named the change set by the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its ARN, as CreateChangeSet answered it. Only the change set with this ARN is the one that
    /// was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// When it was last to be made.
    pub at: Timestamp,
    /// It was removed, but a sandbox that had stalled may have made it after that.
    #[serde(default)]
    pub is_removed: bool,
}

impl KnownChangeSet {
    /// Its name.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.token.as_str())
    }

    /// Identifies it for a removal: its ARN, or its name where the ARN is not known.
    pub fn id(&self) -> &str {
        self.arn.as_deref().unwrap_or(self.name())
    }

    /// Whether it is so old that no stalled sandbox can still make it.
    pub fn is_settled(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) > LONGEST_STALL
    }
}

/// What a stack runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The parameter's value. Any text: people set it by hand.
    pub tag: String,
    /// The image that the tag is on.
    pub digest: Option<Digest>,
    /// Its commit, where known.
    pub commit: Option<Commit>,
    /// Since when, where known.
    pub since: Option<Timestamp>,
    /// Who promoted it.
    pub by: String,
}

/// A running production tag that somebody put on another image, or took away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedTag {
    /// The tag.
    pub tag: String,
    /// The image that it was found on.
    pub to: Option<Digest>,
}

/// What the state itself remembers of a promotion that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// Its token.
    pub token: Token,
    /// Its tag.
    pub tag: Tag,
    /// Its image.
    pub digest: Digest,
    /// Its commit.
    pub commit: Option<Commit>,
    /// What ran before it.
    pub previous_tag: String,
    /// How it ended.
    pub end: End,
    /// Why.
    pub reason: String,
}

/// A person's word that automation must not act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Who.
    pub by: String,
    /// Since when.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// Automation waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Since when.
    pub since: Timestamp,
    /// `queued` behind the stack, or `blocked` until a person mends it.
    pub outcome: Outcome,
    /// Why, as it was told.
    #[serde(default)]
    pub reason: String,
}

/// A command that was carried out: a `command#…` item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRecord {
    /// Its id.
    pub id: String,
    /// When it was first seen.
    pub at: Timestamp,
    /// The words of the command. An older version did not write them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// The promotion that it asked for.
    #[serde(default)]
    pub token: Option<Token>,
    /// What it answered; absent while that is not known, as the table's conditions expect it (a
    /// null would be there).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

impl State {
    /// The same, cut to what may be kept.
    pub fn within_limits(mut self) -> Self {
        keep_newest(&mut self.untold, UNTOLD);
        self.untold = self.untold.into_iter().map(Notice::within_limits).collect();
        keep_newest(&mut self.earlier_requests, EARLIER);
        // What was approved and waits, at most one, is compared with what people were shown.
        let waiting = self.earlier_requests.iter().rposition(ApprovalRequest::may_go);
        for (n, request) in self.earlier_requests.iter_mut().enumerate() {
            request.changes.clear();
            request.policy = None;
            request.shown_changes = request.shown_changes.take().filter(|_| waiting == Some(n));
            keep_newest(&mut request.votes, VOTES_OF_AN_EARLIER_REQUEST);
            request.limit();
        }
        if let Some(request) = &mut self.request {
            keep_newest(&mut request.votes, VOTES);
            request.limit();
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

    /// The state of an app about which nothing is known.
    pub fn new(stack: &str, parameter: &str) -> Self {
        Self {
            stack: stack.to_owned(),
            stack_id: None,
            parameter: parameter.to_owned(),
            ended: 0,
            running: None,
            first_ran: None,
            first_tag: None,
            policy: None,
            moved_tag: None,
            open: Vec::new(),
            recent: Vec::new(),
            failed: Vec::new(),
            passed_over: None,
            first_seen: None,
            hold: None,
            request: None,
            earlier_requests: Vec::new(),
            requests: 0,
            waiting: None,
            trouble: None,
            untold: Vec::new(),
            change_sets: Vec::new(),
        }
    }

    /// The state for another stack or parameter in the app's configuration. What ran, failed or
    /// waited on the one before is dropped. What a person decided, and what people are still to be
    /// told, is kept.
    pub fn elsewhere(self, stack: &str, parameter: &str) -> Self {
        Self {
            ended: self.ended,
            requests: self.requests,
            policy: self.policy,
            hold: self.hold,
            passed_over: self.passed_over,
            earlier_requests: self.earlier_requests,
            untold: self.untold,
            change_sets: self.change_sets,
            ..Self::new(stack, parameter)
        }
    }

    /// The production tags that the state remembers, each with its image: of what runs, waits or
    /// has lately ended.
    pub fn recorded(&self) -> impl Iterator<Item = (&str, &Digest)> {
        let running = self
            .running
            .iter()
            .filter_map(|running| Some((running.tag.as_str(), running.digest.as_ref()?)));
        let open = self.open.iter().map(|open| (open.tag.as_str(), &open.digest));
        let recent = self.recent.iter().rev().map(|recent| (recent.tag.as_str(), &recent.digest));
        running.chain(open).chain(recent)
    }

    /// Whether anything but trouble is remembered.
    pub fn has_been_seen(&self) -> bool {
        self.running.is_some()
            || self.first_seen.is_some()
            || self.hold.is_some()
            || self.request.is_some()
            || self.waiting.is_some()
            || !self.open.is_empty()
    }

    /// Whether something is to go on by itself, so that the schedule looks at this app more often.
    /// What is blocked does not: a person must act first, and then the stack's own event comes.
    pub fn has_open_work(&self) -> bool {
        let is_queued =
            self.waiting.as_ref().is_some_and(|waiting| waiting.outcome == Outcome::Queued);
        let is_unshown = self.all_requests().any(ApprovalRequest::is_unshown);
        is_queued
            || is_unshown
            || !self.open.is_empty()
            || !self.untold.is_empty()
            || self.change_sets.iter().any(|own| !own.is_removed)
    }

    /// The present request, then earlier ones.
    pub fn all_requests(&self) -> impl Iterator<Item = &ApprovalRequest> {
        self.request.iter().chain(&self.earlier_requests)
    }

    /// A request by its id, to be changed.
    pub fn request_mut(&mut self, id: &RequestId) -> Option<&mut ApprovalRequest> {
        self.request.iter_mut().chain(&mut self.earlier_requests).find(|request| request.id == *id)
    }

    /// What a notice says of the request that it is about.
    pub fn note(&mut self, notice: &Notice) {
        let Some(request) = notice.request.as_ref().and_then(|id| self.request_mut(id)) else {
            return;
        };
        request.note(notice);
    }

    /// The message of a request shows this now.
    pub fn shown(&mut self, id: &RequestId, posted: &Posted) {
        if let Some(request) = self.request_mut(id) {
            request.posted = Some(posted.clone());
            request.shown = Some(request.to_show());
        }
        self.earlier_requests
            .retain(|request| request.is_unshown() || !request.progress.is_final());
    }
}

#[cfg(test)]
mod tests;
