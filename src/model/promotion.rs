//! One promotion, from its intent to its end. No I/O here.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::answer::{Closed, Outcome};
use crate::model::approval::Vote;
use crate::model::command::Via;
use crate::model::config::Rollback;
use crate::model::identity::SourceIdentity;
use crate::model::limits::{
    BY, DELETED, VALUE, VOTES_OF_A_PROMOTION, cut, keep_newest, kept_reason,
};
use crate::model::notes::{ChangeNotes, CommitNote};
use crate::model::notice::Notice;
use crate::model::{Commit, Digest, RequestId, Tag, Token};

/// One promotion, from its intent to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// The `ClientRequestToken` of its one update.
    pub token: Token,
    /// The image.
    pub digest: Digest,
    /// Its commit, where it says so.
    pub commit: Option<Commit>,
    /// What it says about its commit, where that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<CommitNote>,
    /// The commits that it brings or takes away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<ChangeNotes>,
    /// Its production tag.
    pub tag: Tag,
    /// The tag that ran before. It is written again when the update is sent.
    pub previous_tag: String,
    /// The commit that ran before, where known.
    pub previous_commit: Option<Commit>,
    /// The image that ran before, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_digest: Option<Digest>,
    /// The stack that it updates.
    pub stack: String,
    /// Who asked for it.
    pub by: String,
    /// The way that the wish came.
    pub via: Via,
    /// Who its calls to another account are made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<SourceIdentity>,
    /// Since when it waits for its tag in the registry that the stack pulls from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica: Option<ReplicaWait>,
    /// The right by which it is made. An older version did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// When the image was first seen as the candidate; absent for a rollback and for an older image
    /// that somebody named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_at: Option<Timestamp>,
    /// When it was decided.
    pub at: Timestamp,
    /// When its update was first about to be sent; absent while it waits for its turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// When CloudFormation was known to have accepted it, and people were told.
    #[serde(default)]
    pub accepted_at: Option<Timestamp>,
    /// The command that asked for it.
    #[serde(default)]
    pub command: Option<String>,
    /// The tag that it rolls back from.
    #[serde(default)]
    pub rolls_back: Option<String>,
    /// The image of that, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolls_back_digest: Option<Digest>,
    /// Why it is made, where that is not plain from who asked for it: an alarm's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Who cancelled it.
    #[serde(default)]
    pub cancelled_by: Option<String>,
    /// The request whose approval it is based on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// The ARN of the change set that it goes out by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_set: Option<String>,
    /// The votes on the request when the promotion was decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<Vote>,
    /// Other people's change sets on its stack. Executing its own deletes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deletes_change_sets: Vec<String>,
}

/// The wait of a promotion for ECR's replication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaWait {
    /// Since when.
    pub since: Timestamp,
    /// Whether people were told.
    #[serde(default)]
    pub is_told: bool,
}

impl Promotion {
    /// Cuts the promotion to the limits of what is kept.
    pub fn within_limits(mut self) -> Self {
        self.by = cut(&self.by, BY);
        self.previous_tag = cut(&self.previous_tag, VALUE);
        self.rolls_back = self.rolls_back.as_deref().map(|from| cut(from, VALUE));
        self.why = self.why.as_deref().map(kept_reason);
        self.cancelled_by = self.cancelled_by.as_deref().map(|by| cut(by, BY));
        keep_newest(&mut self.votes, VOTES_OF_A_PROMOTION);
        self.votes.iter_mut().for_each(|vote| vote.by = cut(&vote.by, BY));
        self.deletes_change_sets.truncate(DELETED);
        self.deletes_change_sets.iter_mut().for_each(|name| *name = cut(name, VALUE));
        self
    }

    /// The right by which it is made. An older version did not write it; then it follows from the
    /// way that the promotion came.
    pub fn basis(&self) -> Basis {
        let by_its_way = || match self.via {
            Via::Push | Via::Schedule => Basis::Automation,
            Via::Sns | Via::Direct | Via::Link => Basis::BreakGlass,
            Via::Alarm => Basis::GoingBack,
            Via::Slack if self.request.is_some() => Basis::Votes,
            Via::Slack => Basis::Person,
        };
        self.basis.unwrap_or_else(|| {
            if self.rolls_back.is_some() { Basis::GoingBack } else { by_its_way() }
        })
    }

    /// Makes the notice that this promotion has this outcome.
    pub fn notice(&self, outcome: Outcome, reason: impl Into<String>, at: Timestamp) -> Notice {
        Notice {
            digest: Some(self.digest.clone()),
            commit: self.commit.clone(),
            tag: Some(self.tag.clone()),
            previous_tag: Some(self.previous_tag.clone()),
            previous_commit: self.previous_commit.clone(),
            rolls_back: self.rolls_back.clone(),
            note: self.note.clone(),
            notes: self.notes.clone(),
            request: self.request.clone(),
            pushed_at: self.pushed_at,
            ..Notice::new(outcome, self.by.clone(), reason, at)
        }
    }
}

/// The right by which a promotion goes into production.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Automation: a push or the schedule.
    Automation,
    /// `promote` by somebody whom IAM allows to publish to the topic or to invoke the function.
    BreakGlass,
    /// One person's command in Slack.
    Person,
    /// People's votes on the request about it.
    Votes,
    /// `rollback`: an image that ran before.
    GoingBack,
    /// Undoes an update of ours that arrived although a newer promotion had replaced it.
    Undoing,
}

/// How a promotion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// It runs, or ran.
    Deployed,
    /// CloudFormation rolled it back or refused it.
    Failed,
    /// Something else took its place before it was sent.
    Superseded,
    /// A person cancelled it.
    Cancelled,
    /// It would have made a change that is not allowed.
    Blocked,
}

impl End {
    /// The outcome with the same meaning.
    pub fn outcome(self) -> Outcome {
        match self {
            End::Deployed => Outcome::Deployed,
            End::Failed => Outcome::Failed,
            End::Superseded => Outcome::Superseded,
            End::Cancelled => Outcome::Cancelled,
            End::Blocked => Outcome::Blocked,
        }
    }
}

/// A promotion that ended: a `history#…` item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The number of promotions of this app that ended before it.
    pub number: u64,
    /// The promotion.
    #[serde(flatten)]
    pub promotion: Promotion,
    /// How it ended.
    pub end: End,
    /// Why, in words.
    pub reason: String,
    /// When that was seen.
    pub ended_at: Timestamp,
}

impl Ended {
    /// Makes the entry for an answer.
    pub fn closed(&self) -> Closed {
        Closed {
            outcome: self.end.outcome(),
            digest: self.promotion.digest.clone(),
            commit: self.promotion.commit.clone(),
            tag: self.promotion.tag.clone(),
            reason: self.reason.clone(),
        }
    }
}

/// One update that changes one parameter: by `UpdateStack`, or by a change set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Its `ClientRequestToken`.
    pub token: Token,
    /// The parameter's new value.
    pub tag: Tag,
    /// All other parameters, which keep their values.
    pub others: Vec<String>,
    /// Capabilities to send back.
    pub capabilities: Vec<String>,
    /// Who it is sent for.
    pub identity: Option<SourceIdentity>,
    /// The `RollbackConfiguration`; `None` leaves the stack's own.
    pub rollback: Option<Rollback>,
}
