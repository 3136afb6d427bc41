//! The outcomes. No I/O here.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The outcome of a command, or how a promotion ended.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "String", into = "String")]
pub enum Outcome {
    /// CloudFormation accepted the update.
    Promoted,
    /// It runs.
    Deployed,
    /// It does not run, and is not tried again.
    Failed,
    /// It goes on by itself.
    Queued,
    /// People are asked.
    ApprovalRequested,
    /// Approved, and more people must approve.
    Approved,
    /// A person said no.
    Rejected,
    /// Something newer took its place.
    Superseded,
    /// There is nothing to do.
    Unchanged,
    /// Pushes ask for approval.
    Held,
    /// A person must repair something first.
    Blocked,
    /// Nobody decided in time.
    Expired,
    /// Not for the function.
    Ignored,
    /// Not possible.
    Refused,
    /// A hold was lifted.
    Resumed,
    /// An update was cancelled.
    Cancelled,
    /// An outcome that this version does not know.
    Unknown(String),
}

/// The outcomes and their words.
const OUTCOMES: [(&str, Outcome); 16] = [
    ("promoted", Outcome::Promoted),
    ("deployed", Outcome::Deployed),
    ("failed", Outcome::Failed),
    ("queued", Outcome::Queued),
    ("approval_requested", Outcome::ApprovalRequested),
    ("approved", Outcome::Approved),
    ("rejected", Outcome::Rejected),
    ("superseded", Outcome::Superseded),
    ("unchanged", Outcome::Unchanged),
    ("held", Outcome::Held),
    ("blocked", Outcome::Blocked),
    ("expired", Outcome::Expired),
    ("ignored", Outcome::Ignored),
    ("refused", Outcome::Refused),
    ("resumed", Outcome::Resumed),
    ("cancelled", Outcome::Cancelled),
];

impl From<String> for Outcome {
    fn from(word: String) -> Self {
        let known = OUTCOMES.iter().find(|(known, _)| *known == word);
        known.map_or(Self::Unknown(word), |(_, outcome)| outcome.clone())
    }
}

impl From<Outcome> for String {
    fn from(outcome: Outcome) -> Self {
        outcome.to_string()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Unknown(word) = self {
            return f.write_str(word);
        }
        let known = OUTCOMES.iter().find(|(_, outcome)| outcome == self);
        f.write_str(known.map_or("", |(word, _)| word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_that_is_not_known_keeps_its_word() {
        for (word, outcome) in OUTCOMES {
            assert_eq!(Outcome::from(word.to_owned()), outcome);
            assert_eq!(outcome.to_string(), word);
        }
        let newer = Outcome::from("canary".to_owned());
        assert_eq!(newer, Outcome::Unknown("canary".to_owned()));
        assert_eq!(newer.to_string(), "canary");
    }
}
