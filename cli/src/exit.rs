//! How the command ends, as a number for scripts and a sentence for people. No I/O here.

use std::process::ExitCode;

use crate::answer::Outcome;

pub mod failure;

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or it goes on by itself.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// The function refused it, or it was typed wrongly.
    Refused = 2,
    /// People must act.
    Waits = 3,
    /// The time of `--timeout` was over.
    TimedOut = 4,
    /// Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// How a command with this answer ended. `action` is the word of the command.
pub fn of_answer(action: &str, outcome: &Outcome) -> Exit {
    match outcome {
        Outcome::Held if action != "hold" => Exit::Waits,
        Outcome::Rejected if action != "reject" => Exit::Refused,
        Outcome::Promoted
        | Outcome::Deployed
        | Outcome::Unchanged
        | Outcome::Resumed
        | Outcome::Cancelled
        | Outcome::Queued
        | Outcome::Held
        | Outcome::Rejected => Exit::Done,
        Outcome::Failed | Outcome::Blocked | Outcome::Unknown(_) => Exit::Failed,
        Outcome::Refused | Outcome::Ignored | Outcome::Superseded | Outcome::Expired => {
            Exit::Refused
        }
        Outcome::ApprovalRequested | Outcome::Approved => Exit::Waits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_its_exit_code() {
        for (action, outcome, code) in [
            ("promote", "promoted", 0),
            ("promote", "deployed", 0),
            ("promote", "unchanged", 0),
            ("resume", "resumed", 0),
            ("cancel", "cancelled", 0),
            ("promote", "queued", 0),
            ("hold", "held", 0),
            ("reject", "rejected", 0),
            ("promote", "failed", 1),
            ("promote", "blocked", 1),
            ("promote", "made_of_cheese", 1),
            ("promote", "refused", 2),
            ("promote", "ignored", 2),
            ("approve", "superseded", 2),
            ("approve", "expired", 2),
            ("approve", "rejected", 2),
            ("promote", "approval_requested", 3),
            ("ask", "approval_requested", 3),
            ("approve", "approved", 3),
            ("reconcile", "held", 3),
        ] {
            let outcome = Outcome::from(outcome.to_owned());
            assert_eq!(of_answer(action, &outcome).code(), code, "{action}: {outcome}");
        }
    }
}
