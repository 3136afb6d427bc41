//! A request asks people whether the candidate may go to production. It is made once for each
//! candidacy and bound to the digest. It is kept with the state, so of two decisions the one that
//! is written first counts. No I/O here.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::answer::Outcome;
use crate::model::command::{Trace, Via};
use crate::model::config::policy::Policy;
use crate::model::limits::{
    APPROVERS_OF_A_NOTICE, BY, CHANGES_OF_A_REQUEST, VALUE, cut, cut_changes, kept_reason,
};
use crate::model::notes::{ChangeNotes, CommitNote};
use crate::model::notice::{Notice, Thread};
use crate::model::{AppName, Commit, Digest, RequestId, Tag};

/// A question to people, with their votes and its progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRequest {
    /// Its id.
    pub id: RequestId,
    /// The app that it is about; absent in what an older version wrote.
    #[serde(default, rename = "repository", skip_serializing_if = "Option::is_none")]
    pub app: Option<AppName>,
    /// The candidate.
    pub digest: Digest,
    /// Its commit, where it names one.
    pub commit: Option<Commit>,
    /// What it says about its commit, where that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<CommitNote>,
    /// The commits that it would bring or take away. They stay as people were shown them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<ChangeNotes>,
    /// What a rollback of it would go back to, once it is deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way_back: Option<Digest>,
    /// Its commit, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way_back_commit: Option<Commit>,
    /// The production tag that it would get.
    pub tag: Option<Tag>,
    /// The ARN of the stack, for a link to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_id: Option<String>,
    /// The tag that ran when people were asked.
    pub running_tag: Option<String>,
    /// Its commit, where known.
    pub running_commit: Option<Commit>,
    /// Since when it ran, where known.
    pub running_since: Option<Timestamp>,
    /// When people were asked.
    pub at: Timestamp,
    /// When it becomes too old to be approved.
    pub expires_at: Timestamp,
    /// Why people are asked.
    pub why: String,
    /// The changes that it would make in the stack, if a guard asked for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
    /// Short hashes of the lines that people were shown. If the update would change more later,
    /// they are asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_changes: Option<Vec<String>>,
    /// The policy that people were asked under; absent in what an older version wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// The votes, one of each person.
    #[serde(default)]
    pub votes: Vec<Vote>,
    /// Who promoted it before people had decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted_by: Option<String>,
    /// Whether enough people approved.
    #[serde(default)]
    pub is_approved: bool,
    /// How far it has come.
    pub progress: Progress,
    /// The Slack channel it is to be shown in.
    #[serde(default)]
    pub channel: Option<String>,
    /// Its message there.
    #[serde(default)]
    pub posted: Option<Posted>,
    /// The progress and votes that the message shows.
    #[serde(default)]
    pub shown: Option<Shown>,
}

/// One person's vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who, for people to read.
    pub by: String,
    /// The Slack user id, where Slack's signature proves it.
    pub user: Option<String>,
    /// The way that it came.
    pub via: Via,
    /// For or against.
    pub approves: bool,
    /// When.
    pub at: Timestamp,
    /// Where it came from, if it came by a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
}

/// The people who approved and may decide by this policy, each once.
pub fn approvers<'a>(votes: &'a [Vote], policy: &Policy) -> BTreeSet<&'a str> {
    let counts = |user: &Option<String>| match user {
        Some(user) => policy.approvers.is_empty() || policy.approvers.contains(user),
        None => !policy.needs_identity(),
    };
    let yes = votes.iter().filter(|vote| vote.approves && counts(&vote.user));
    yes.map(|vote| vote.user.as_deref().unwrap_or(&vote.by)).collect()
}

/// How far a request has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Nobody, or not enough people, have decided.
    Pending,
    /// A person rejected it.
    Rejected,
    /// It is approved, and is promoted as soon as possible.
    Approved,
    /// It is approved, and waits for this reason.
    Waiting(String),
    /// CloudFormation is updating the stack.
    Deploying,
    /// CloudFormation is done, and ECS is getting there: how far it has come.
    Verifying(String),
    /// It runs; the promotion took this many seconds.
    Deployed(Option<i64>),
    /// It runs, and alarms are watched: until when, and what they show.
    Baking(String),
    /// It failed, for this reason.
    Failed(String),
    /// A person cancelled it.
    Cancelled(String),
    /// A newer candidate took its place.
    Superseded,
    /// Nobody decided in time.
    Expired,
}

impl Progress {
    /// Cuts its words to the limits of what is kept.
    fn limit(&mut self) {
        if let Progress::Waiting(reason)
        | Progress::Verifying(reason)
        | Progress::Baking(reason)
        | Progress::Failed(reason)
        | Progress::Cancelled(reason) = self
        {
            *reason = kept_reason(reason);
        }
    }

    /// Whether it has ended for good.
    pub fn is_final(&self) -> bool {
        match self {
            Progress::Pending | Progress::Approved | Progress::Waiting(_) => false,
            Progress::Deploying | Progress::Verifying(_) => false,
            Progress::Rejected
            | Progress::Deployed(_)
            | Progress::Baking(_)
            | Progress::Failed(_)
            | Progress::Cancelled(_)
            | Progress::Superseded
            | Progress::Expired => true,
        }
    }
}

/// A message in Slack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// The channel's id.
    pub channel: String,
    /// The message's time, which is its id there.
    pub ts: String,
    /// The team that it was posted in, where Slack said so.
    #[serde(default)]
    pub team: Option<String>,
}

/// The part of a request that its message shows. If it changes, the message is updated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    progress: Progress,
    votes: usize,
}

impl ApprovalRequest {
    /// Cuts the request to the limits of what is kept.
    pub fn limit(&mut self) {
        self.running_tag = self.running_tag.as_deref().map(|tag| cut(tag, VALUE));
        self.why = kept_reason(&self.why);
        self.promoted_by = self.promoted_by.as_deref().map(|by| cut(by, BY));
        self.votes.iter_mut().for_each(|vote| vote.by = cut(&vote.by, BY));
        cut_changes(&mut self.changes, CHANGES_OF_A_REQUEST);
        self.progress.limit();
        if let Some(shown) = &mut self.shown {
            shown.progress.limit();
        }
    }

    /// Returns what its message should show.
    pub fn to_show(&self) -> Shown {
        Shown { progress: self.progress.clone(), votes: self.votes.len() }
    }

    /// Whether its message is missing or outdated.
    pub fn is_unshown(&self) -> bool {
        self.channel.is_some() && self.shown != Some(self.to_show())
    }

    /// Whether it is too old to be approved.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.progress == Progress::Pending && now >= self.expires_at
    }

    /// Whether it still waits for people.
    pub fn is_undecided(&self, now: Timestamp) -> bool {
        self.progress == Progress::Pending && now < self.expires_at
    }

    /// Whether enough people approved, so that it is promoted by itself as soon as possible.
    pub fn may_go(&self) -> bool {
        self.is_approved && !self.progress.is_final()
    }

    /// Goes back to what people decided, after its promotion ended without a result from
    /// CloudFormation.
    pub(crate) fn step_back(&mut self) {
        if !self.progress.is_final() {
            self.progress = if self.is_approved { Progress::Approved } else { Progress::Pending };
        }
    }

    /// The policy for this request: the stricter of the policy that it was asked under and the
    /// present one.
    pub fn policy(&self, now: Policy) -> Policy {
        match &self.policy {
            Some(asked) => now.or_stricter(asked),
            None => now,
        }
    }

    /// The people who approved and may decide by this policy, each once.
    pub fn approvers(&self, policy: &Policy) -> BTreeSet<&str> {
        approvers(&self.votes, policy)
    }

    /// The names of those who approved, or rejected, for people to read.
    pub fn who(&self, approves: bool) -> String {
        self.votes
            .iter()
            .filter(|vote| vote.approves == approves)
            .map(|vote| vote.by.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Its message in Slack, for a notice of this outcome that is posted under it: the bad ends,
    /// which whoever approved should hear of. `None` for other outcomes, and where there is no
    /// message.
    pub(crate) fn thread(&self, outcome: Outcome, runs: bool) -> Option<Thread> {
        if !matches!(outcome, Outcome::Failed | Outcome::Blocked | Outcome::Expired) {
            return None;
        }
        let posted = self.posted.as_ref()?;
        let proven = self.votes.iter().filter(|vote| vote.approves);
        let approvers = proven.filter_map(|vote| vote.user.clone()).take(APPROVERS_OF_A_NOTICE);
        Some(Thread {
            channel: posted.channel.clone(),
            ts: posted.ts.clone(),
            approvers: approvers.collect(),
            runs,
            way_back: self.way_back.clone(),
            way_back_commit: self.way_back_commit.clone(),
        })
    }

    /// Sets its progress from a notice about its promotion.
    pub(crate) fn note(&mut self, notice: &Notice) {
        let reason = || kept_reason(&notice.reason);
        if notice.outcome == Outcome::Promoted && !self.is_approved {
            self.promoted_by = Some(notice.by.clone());
        }
        self.progress = match notice.outcome {
            Outcome::Promoted => Progress::Deploying,
            Outcome::Deployed => Progress::Deployed(notice.took_seconds),
            Outcome::Failed => Progress::Failed(reason()),
            Outcome::Cancelled => Progress::Cancelled(reason()),
            Outcome::Queued | Outcome::Blocked => Progress::Waiting(reason()),
            Outcome::Superseded => Progress::Superseded,
            Outcome::Expired => Progress::Expired,
            Outcome::Rejected => Progress::Rejected,
            Outcome::Approved
            | Outcome::ApprovalRequested
            | Outcome::Unchanged
            | Outcome::Held
            | Outcome::Ignored
            | Outcome::Refused
            | Outcome::Resumed => return,
        };
    }
}

/// The right to see a request, and perhaps to decide on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalLink {
    /// The request.
    pub request: RequestId,
    /// The image that it is about.
    pub digest: Digest,
}

/// The app and image of a request, kept by its id: it is found by its id alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestIndex {
    /// The app.
    #[serde(rename = "repository")]
    pub app: AppName,
    /// The image.
    pub digest: Digest,
}
