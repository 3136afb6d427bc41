//! What a check found, and what to do about it. No I/O here.

use serde::Serialize;

use crate::model::unread::Unread;

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its weight.
    pub level: Level,
    /// What it is about, in one word.
    pub about: &'static str,
    /// What was found.
    pub says: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

/// The weight of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A promotion, or what the configuration asks for, will not work.
    Problem,
    /// It may not work, or it works less well than it could.
    Warning,
    /// It is fine.
    Ok,
}

impl Finding {
    pub(super) fn ok(about: &'static str, says: impl Into<String>) -> Self {
        Self { level: Level::Ok, about, says: says.into(), mend: None }
    }

    pub(super) fn warning(
        about: &'static str,
        says: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { level: Level::Warning, about, says: says.into(), mend: Some(mend.into()) }
    }

    pub(super) fn problem(
        about: &'static str,
        says: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { level: Level::Problem, about, says: says.into(), mend: Some(mend.into()) }
    }

    /// What a read that failed leaves unknown.
    pub(super) fn unread(about: &'static str, what: &str, error: &Unread) -> Self {
        let says = format!("{what} cannot be checked: {}", error.words);
        let mend = if error.is_denied {
            "give the role that right: deploy template.yaml of this version, with the parameter for \
             it if there is one"
        } else {
            "check again; if it stays so, the message says what to look at"
        };
        Self::warning(about, says, mend)
    }
}
