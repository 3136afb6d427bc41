//! What is followed, and how it ends. No I/O here.

use jiff::SignedDuration;

use crate::answer::{Answer, Outcome};
use crate::exit::Exit;

/// What the person who follows wants to see done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// The promotion runs.
    Deployed,
    /// The promotion is cancelled.
    Cancelled,
    /// The promotion is cancelled, and what ran before runs again.
    WentBack,
    /// The hold has ended, and what then goes out runs.
    Resumed,
    /// Whatever is under way has ended.
    AtRest,
}

/// The promotion that is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What is to come of it.
    pub aim: Aim,
    /// Its token, once known.
    pub token: Option<String>,
    /// Its image, once known.
    pub digest: Option<String>,
    /// Its tag, once known.
    pub tag: Option<String>,
    /// Why it was gone back from, where an alarm did that.
    pub alarm: Option<String>,
    /// How many looks in a row did not find it.
    pub unseen: u32,
}

impl Target {
    /// Follows whatever is under way.
    pub fn whatever() -> Self {
        let (token, digest, tag) = (None, None, None);
        Self { aim: Aim::AtRest, token, digest, tag, alarm: None, unseen: 0 }
    }

    /// Follows what a command has started. `None` where there is nothing to follow.
    pub fn of(action: &str, answer: &Answer) -> Option<Self> {
        let aim = match (&answer.outcome, action) {
            (Outcome::Cancelled, "rollback") => Aim::WentBack,
            (Outcome::Cancelled, _) => Aim::Cancelled,
            (Outcome::Resumed, _) => Aim::Resumed,
            (Outcome::Promoted | Outcome::Queued | Outcome::Deployed, _) => Aim::Deployed,
            (
                Outcome::Failed
                | Outcome::ApprovalRequested
                | Outcome::Approved
                | Outcome::Rejected
                | Outcome::Superseded
                | Outcome::Unchanged
                | Outcome::Held
                | Outcome::Blocked
                | Outcome::Expired
                | Outcome::Ignored
                | Outcome::Refused
                | Outcome::Unknown(_),
                _,
            ) => return None,
        };
        let is_known = aim != Aim::Resumed;
        let known = |value: &Option<String>| value.clone().filter(|_| is_known);
        Some(Self {
            aim,
            token: known(&answer.token),
            digest: known(&answer.digest),
            tag: known(&answer.tag),
            ..Self::whatever()
        })
    }
}

/// How far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// One word for scripts: `queued`, `sending`, `updating`, `cancelling`, `verifying`, `baking`,
    /// `soaking`, `waiting`.
    pub word: &'static str,
    /// The same for people.
    pub words: String,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The exit code.
    pub exit: Exit,
    /// The outcome: of the promotion, or of the command.
    pub outcome: String,
    /// The last line.
    pub words: String,
    /// How long the promotion took, where known.
    pub took: Option<SignedDuration>,
}

/// What one look came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// It goes on.
    GoesOn(Stage),
    /// The status does not show it: the history says how it ended.
    NeedsHistory,
    /// It has ended.
    Ended(End),
}
