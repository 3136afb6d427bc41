//! The time limits of looks at many apps within one invocation.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::error::Error;

/// With less time than this left, no further look begins and no further notice is sent.
const LAST_START: SignedDuration = SignedDuration::from_secs(15);
/// With less time than this left, running looks are cut off, which is as safe as a crash. The rest
/// of the time is for writing where to continue.
const CUT_OFF: SignedDuration = SignedDuration::from_secs(5);

/// The time limits of looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time {
    /// A look that began before this and was cut off counts as failed. The round continues with the
    /// other apps.
    pub(super) first_half: Timestamp,
    /// No look begins and no notice is sent after this.
    pub(super) last_start: Timestamp,
    /// Looks that are still running at this time are cut off.
    cut_off: Timestamp,
}

impl Time {
    /// The limits of an invocation that ends at `deadline`; without a deadline there are no limits.
    pub(super) fn until(deadline: Option<Timestamp>, now: Timestamp) -> Self {
        let Some(deadline) = deadline else {
            return Self {
                first_half: Timestamp::MAX,
                last_start: Timestamp::MAX,
                cut_off: Timestamp::MAX,
            };
        };
        let whole = deadline.duration_since(now);
        // A short invocation keeps back a share of its time instead.
        let before = |margin: SignedDuration, share: i32| deadline - margin.min(whole / share);
        Self {
            first_half: now + whole / 2,
            last_start: before(LAST_START, 3),
            cut_off: before(CUT_OFF, 6),
        }
    }

    /// Runs `what` until looks are cut off; `None` if it did not finish in time.
    pub(super) async fn limit<T>(self, now: Timestamp, what: impl Future<Output = T>) -> Option<T> {
        if self.cut_off == Timestamp::MAX {
            return Some(what.await);
        }
        let left = Duration::try_from(self.cut_off.duration_since(now)).unwrap_or_default();
        tokio::time::timeout(left, what).await.ok()
    }

    /// Reads a list that looks need, until looks are cut off.
    pub(super) async fn list<T>(
        self,
        now: Timestamp,
        list: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let out_of_time = || Error::OutOfTime {
            what: "reading the list of apps".to_owned(),
            next: "the next looks continue with the known apps",
        };
        self.limit(now, list).await.unwrap_or_else(|| Err(out_of_time()))
    }
}
