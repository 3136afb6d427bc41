//! A state as this sandbox wrote it last.

use crate::model::AppName;
use crate::model::state::State;
use crate::world::snapshot::Version;

/// A state as this sandbox wrote it last.
#[derive(Debug)]
pub(super) struct Written {
    /// The app.
    pub(super) app: AppName,
    /// The version that the write gave it.
    pub(super) version: Version,
    /// What was written.
    pub(super) state: State,
}
