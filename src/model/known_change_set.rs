//! A change set that may be on a stack, as the state remembers it. No I/O here.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::Token;

/// Well above the function's own time limit.
const LONGEST_STALL: SignedDuration = SignedDuration::from_mins(2);

/// A change set that may be on the stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownChangeSet {
    /// The promotion that it is for.
    pub token: Token,
    /// Its random name. An older version did not write it, and named the change set by the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its ARN, as CreateChangeSet answered it. Only the change set with this ARN is ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// When making it was last tried.
    pub at: Timestamp,
    /// It was removed, but a stalled sandbox may have made it after that.
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

    /// Whether it is too old for a stalled sandbox to still make it.
    pub fn is_settled(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) > LONGEST_STALL
    }
}
