//! Notices to people, kept until they are sent. No I/O here.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::answer::Outcome;
use crate::model::limits::{ABOUT, BY, CHANGES_OF_A_NOTICE, VALUE, cut, cut_changes, kept_reason};
use crate::model::notes::{ChangeNotes, CommitNote};
use crate::model::{Commit, Digest, RequestId, Tag};

/// A notice to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The outcome that it tells.
    pub outcome: Outcome,
    /// The image.
    pub digest: Option<Digest>,
    /// Its commit.
    pub commit: Option<Commit>,
    /// Its tag.
    pub tag: Option<Tag>,
    /// The tag that ran before, or runs now.
    pub previous_tag: Option<String>,
    /// The commit of that tag, where known.
    pub previous_commit: Option<Commit>,
    /// Who or what caused it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When it happened.
    pub at: Timestamp,
    /// When the image was first seen as the candidate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_at: Option<Timestamp>,
    /// How long the promotion took, in seconds.
    #[serde(default)]
    pub took_seconds: Option<i64>,
    /// The tag that a rollback goes back from.
    #[serde(default)]
    pub rolls_back: Option<String>,
    /// The changes that it would make in the stack, where they were looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
    /// What the image says about its commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<CommitNote>,
    /// The commits that the promotion brings or takes away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<ChangeNotes>,
    /// What it is about, if the outcome and the image do not say it: the end of a headline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The message of its request, where people in Slack are told in a thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Box<Thread>>,
    /// The request that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// Until when the request can be approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// How many times sending it to the notification topic has failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tries: u32,
    /// When it was last tried. The app's Slack channel was told at the first try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried_at: Option<Timestamp>,
}

/// The message of a request in Slack, under which a notice is posted, and what the notice says
/// about the request there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// The channel's id.
    pub channel: String,
    /// The message's time, which is its id there.
    pub ts: String,
    /// The people who approved, by their Slack user ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<String>,
    /// Whether the image runs, as far as the stack names it: it can be rolled back.
    #[serde(default)]
    pub runs: bool,
    /// The image that a rollback would go back to, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way_back: Option<Digest>,
    /// Its commit, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way_back_commit: Option<Commit>,
}

/// Who is answered by a notice: whoever commanded by SNS.
pub const COMMANDER: &str = "SNS";

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Notice {
    /// Cuts the notice to the limits of what is kept.
    pub fn within_limits(mut self) -> Self {
        self.by = cut(&self.by, BY);
        self.reason = kept_reason(&self.reason);
        self.previous_tag = self.previous_tag.as_deref().map(|tag| cut(tag, VALUE));
        self.rolls_back = self.rolls_back.as_deref().map(|from| cut(from, VALUE));
        self.about = self.about.as_deref().map(|about| cut(about, ABOUT));
        cut_changes(&mut self.changes, CHANGES_OF_A_NOTICE);
        self
    }

    /// Makes a notice without an image.
    pub fn new(
        outcome: Outcome,
        by: impl Into<String>,
        reason: impl Into<String>,
        at: Timestamp,
    ) -> Self {
        Self {
            outcome,
            digest: None,
            commit: None,
            tag: None,
            previous_tag: None,
            previous_commit: None,
            by: by.into(),
            reason: reason.into(),
            at,
            pushed_at: None,
            took_seconds: None,
            rolls_back: None,
            changes: Vec::new(),
            note: None,
            notes: None,
            about: None,
            thread: None,
            request: None,
            expires_at: None,
            tries: 0,
            tried_at: None,
        }
    }

    /// Says what it is about.
    pub fn about(self, what: impl Into<String>) -> Self {
        Self { about: Some(what.into()), ..self }
    }

    /// Whether it only answers somebody who commanded by SNS: others have nothing of it.
    pub fn is_answer(&self) -> bool {
        self.by == COMMANDER && matches!(self.outcome, Outcome::Refused | Outcome::Unchanged)
    }

    /// Whether to try sending it now: at each look for the first tries, then more and more rarely.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let Some(tried_at) = self.tried_at.filter(|_| self.tries >= QUICK_TRIES) else {
            return true;
        };
        let pause = FIRST_PAUSE * 2_i32.pow((self.tries - QUICK_TRIES).min(10));
        now.duration_since(tried_at) >= pause.min(LONGEST_PAUSE)
    }

    /// Whether it has been tried long enough and is dropped.
    pub fn is_given_up(&self, now: Timestamp) -> bool {
        self.tries > QUICK_TRIES && now.duration_since(self.at) > GIVEN_UP
    }

    /// Counts another try that failed.
    pub fn tried_in_vain(mut self, now: Timestamp) -> Self {
        self.tries = self.tries.saturating_add(1);
        // Slack was told at the first try.
        self.thread = None;
        self.tried_at = Some(now);
        self
    }
}

/// The number of tries at each look, before they become rarer. Lambda delivers a failed event three
/// times, and the schedule looks every five minutes.
const QUICK_TRIES: u32 = 12;

/// The first pause after that. Each further one is twice as long.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(5);

const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(6);

/// The age at which a notice that could not be sent is dropped.
const GIVEN_UP: SignedDuration = SignedDuration::from_hours(72);
