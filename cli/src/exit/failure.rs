//! Why a command did not come to an answer, in a sentence that says what to do. No I/O here.

use std::fmt;

use crate::exit::Exit;

/// A failure: the sentence, and the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What is wrong, and what to do.
    pub words: String,
    /// Whether another attempt may succeed by itself.
    pub may_pass: bool,
}

impl Failure {
    /// Something failed that no other attempt mends.
    pub fn failed(words: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, words: words.into(), may_pass: false }
    }

    /// Something failed that may succeed later: no network, a throttled call.
    pub fn passing(words: impl Into<String>) -> Self {
        Self { may_pass: true, ..Self::failed(words) }
    }

    /// The command was typed wrongly, or was not understood.
    pub fn misuse(words: impl Into<String>) -> Self {
        Self { exit: Exit::Refused, ..Self::failed(words) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}
