//! What an app remembers of the stage before it: the image that must run there for longer. No I/O
//! here.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{AppName, Commit, Digest};

/// An image that has not yet run long enough in the earlier app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Soaking {
    /// The image.
    pub digest: Digest,
    /// Its commit, where known.
    pub commit: Option<Commit>,
    /// When it has run long enough, if nothing replaces it before.
    pub until: Timestamp,
    /// Whether the earlier app still watches alarms for it.
    #[serde(default)]
    pub is_baking: bool,
}

/// What a state remembers of the earlier app, so that the schedule knows when to look again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenStage {
    /// The earlier app.
    pub after: AppName,
    /// How many of its promotions had ended.
    pub ended: u64,
    /// The image that soaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soaking: Option<Soaking>,
}

impl Soaking {
    /// Says what soaks, where and until when.
    pub fn words(&self, after: &AppName) -> String {
        let name = self.commit.as_ref().map_or(self.digest.short(), |commit| commit.short());
        let what = if self.is_baking { "bakes" } else { "soaks" };
        format!("{name} {what} in `{after}` until {:.0}", self.until)
    }
}

impl SeenStage {
    /// Whether the earlier app has changed since, or what soaked there has soaked by now.
    pub fn is_due(&self, earlier_ended: Option<u64>, now: Timestamp) -> bool {
        earlier_ended.is_some_and(|ended| ended != self.ended)
            || self.soaking.as_ref().is_some_and(|soaking| soaking.until <= now)
    }
}
