//! The key `after` of a configuration: the app in which an image must have run first.

use serde::Deserialize;

use super::check::{Wrong, ensure};
use crate::model::AppName;

/// The earlier stage of an app.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// The app that deploys an image before this one may.
    pub app: AppName,
    /// How many minutes an image must have run there, 0-10080.
    #[serde(default)]
    pub soak_minutes: u32,
}

impl After {
    pub(super) fn check(&self) -> Result<(), Wrong> {
        ensure(self.soak_minutes <= 10_080, "after.soak_minutes", "expected 0-10080 minutes")
    }
}
