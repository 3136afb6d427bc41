//! The session of a role in another account.

use std::time::{Duration, SystemTime};

use aws_sdk_sts::config::Credentials;

use crate::model::identity::SourceIdentity;

/// A session is not used any more when it has less time than this: an invocation takes a minute.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// The identity of a session: for one role, region and person.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SessionKey {
    pub(super) role: String,
    pub(super) external_id: Option<String>,
    pub(super) region: Option<String>,
    pub(super) identity: SourceIdentity,
}

/// A role's credentials, and when they expire.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) credentials: Credentials,
    pub(super) expires_at: SystemTime,
}

impl Session {
    /// Whether it can still be used, by the wall clock: a sandbox may have been frozen.
    pub(super) fn is_good(&self) -> bool {
        SystemTime::now() + MARGIN < self.expires_at
    }
}
