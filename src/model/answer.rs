//! Answers of the function: one JSON object for each app that was looked at. No I/O here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::config::App;
use crate::model::{AppName, Commit, Digest, Repository, RequestId, Tag, Token};

/// The outcome of a look at an app: a closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// CloudFormation accepted the update.
    Promoted,
    /// CloudFormation finished it.
    Deployed,
    /// Rolled back, or refused by CloudFormation for good.
    Failed,
    /// The stack is busy; it continues by itself.
    Queued,
    /// People are asked.
    ApprovalRequested,
    /// Approved, and more approvals are needed.
    Approved,
    /// A person rejected it.
    Rejected,
    /// Something newer took its place.
    Superseded,
    /// It runs already.
    Unchanged,
    /// The app is held: automation asks for approval instead of deploying.
    Held,
    /// A guard, a gate or a person must act first.
    Blocked,
    /// The request is too old to be approved.
    Expired,
    /// Not for this function.
    Ignored,
    /// Not allowed or not possible.
    Refused,
    /// A hold was lifted.
    Resumed,
    /// An update of ours was cancelled.
    Cancelled,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Promoted => "promoted",
            Outcome::Deployed => "deployed",
            Outcome::Failed => "failed",
            Outcome::Queued => "queued",
            Outcome::ApprovalRequested => "approval_requested",
            Outcome::Approved => "approved",
            Outcome::Rejected => "rejected",
            Outcome::Superseded => "superseded",
            Outcome::Unchanged => "unchanged",
            Outcome::Held => "held",
            Outcome::Blocked => "blocked",
            Outcome::Expired => "expired",
            Outcome::Ignored => "ignored",
            Outcome::Refused => "refused",
            Outcome::Resumed => "resumed",
            Outcome::Cancelled => "cancelled",
        })
    }
}

/// The answer for one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// How it ended.
    pub outcome: Outcome,
    /// The app; `None` where the event named none. An older version did not store it.
    #[serde(default)]
    pub app: Option<AppName>,
    /// The app's repository, or the one that the event named.
    pub repository: Option<Repository>,
    /// The image that this is about.
    pub digest: Option<Digest>,
    /// The commit it was built from, where it says so.
    pub commit: Option<Commit>,
    /// Its production tag.
    pub tag: Option<Tag>,
    /// The stack parameter's value before.
    pub previous_tag: Option<String>,
    /// The stack.
    pub stack: Option<String>,
    /// Why, in a sentence for people.
    pub reason: String,
    /// The request token of the update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
    /// The tag that it rolls back from, if it is a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolls_back: Option<String>,
    /// The request that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// The changes in the stack that it makes or would make, where they were looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
    /// The promotions that this look found ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<Closed>,
}

/// A promotion that a look found ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// `deployed`, `failed`, `superseded`, `cancelled` or `blocked`.
    pub outcome: Outcome,
    /// Its image.
    pub digest: Digest,
    /// Its commit.
    pub commit: Option<Commit>,
    /// Its tag.
    pub tag: Tag,
    /// Why.
    pub reason: String,
}

impl Answer {
    /// Makes the answer to an event that is not for this function.
    pub fn ignored(reason: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Ignored,
            app: None,
            repository: None,
            digest: None,
            commit: None,
            tag: None,
            previous_tag: None,
            stack: None,
            reason: reason.into(),
            token: None,
            rolls_back: None,
            request: None,
            changes: Vec::new(),
            closed: Vec::new(),
        }
    }

    /// Says which app it is about.
    pub fn about(self, app: &App) -> Self {
        let (name, repository) = (app.name.clone(), app.repository.clone());
        Self { app: Some(name), repository: Some(repository), ..self }
    }
}
