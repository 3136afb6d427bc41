//! Keeps a value in the sandbox for a while. A failed read is remembered for some seconds too:
//! otherwise strangers could cause as many reads as they send requests.
//!
//! The age counts from the start of the read, by the monotonic clock or the wall clock, whichever
//! shows the greater age: while a sandbox is frozen, its monotonic clock may stop.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Mutex;

use crate::error::Error;

/// The time for which a failed read is remembered, unless the cache was made with another one.
pub(super) const FAILURE_AGE: Duration = Duration::from_secs(10);

/// A value that is read on first use. Callers that need it at the same time share one read.
#[derive(Debug)]
pub(super) struct Cache<T> {
    known: Mutex<Option<Known<T>>>,
    failure_age: Duration,
}

#[derive(Debug)]
struct Known<T> {
    since: Since,
    outcome: Result<T, Error>,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self::that_forgets_failures_after(FAILURE_AGE)
    }
}

impl<T> Cache<T> {
    /// Makes a cache that remembers a failed read for this long.
    pub(super) fn that_forgets_failures_after(failure_age: Duration) -> Self {
        Self { known: Mutex::new(None), failure_age }
    }
}

impl<T: Clone> Cache<T> {
    /// Returns the known value if `is_good` accepts the value and its age. Otherwise calls `read`.
    pub(super) async fn get(
        &self,
        is_good: impl FnOnce(&T, Duration) -> bool,
        read: impl AsyncFnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut known = self.known.lock().await;
        if let Some(Known { since, outcome }) = &*known
            && let Some(age) = since.age()
        {
            let is_usable = match outcome {
                Ok(value) => is_good(value, age),
                Err(_) => age < self.failure_age,
            };
            if is_usable {
                return outcome.clone();
            }
        }
        let since = Since::now();
        let outcome = read().await;
        *known = Some(Known { since, outcome: outcome.clone() });
        outcome
    }

    /// Makes the value older.
    #[cfg(test)]
    pub(super) async fn grow_older(&self, by: Duration) {
        if let Some(known) = &mut *self.known.lock().await {
            known.since.wall -= by;
        }
    }
}

/// One cache for each key.
#[derive(Debug)]
pub(super) struct Caches<K, T>(std::sync::Mutex<HashMap<K, Arc<Cache<T>>>>);

impl<K, T> Default for Caches<K, T> {
    fn default() -> Self {
        Self(std::sync::Mutex::default())
    }
}

impl<K: Hash + Eq, T: Clone> Caches<K, T> {
    pub(super) fn of(&self, key: K) -> Arc<Cache<T>> {
        Arc::clone(locked(&self.0).entry(key).or_default())
    }

    /// Forgets the values that are of no use any more, and old failures. What is being read or used
    /// stays.
    pub(super) fn forget(&self, is_useless: impl Fn(&T) -> bool) {
        locked(&self.0).retain(|_, cache| {
            if Arc::strong_count(cache) > 1 {
                return true;
            }
            let Ok(known) = cache.known.try_lock() else { return true };
            known.as_ref().is_some_and(|known| match &known.outcome {
                Ok(value) => !is_useless(value),
                Err(_) => known.since.age().is_some_and(|age| age < cache.failure_age),
            })
        });
    }

    /// Forgets a value.
    pub(super) fn remove(&self, key: &K) {
        locked(&self.0).remove(key);
    }

    /// The number of caches.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        locked(&self.0).len()
    }

    /// Makes all values older.
    #[cfg(test)]
    pub(super) async fn grow_older(&self, by: Duration) {
        let caches: Vec<_> = locked(&self.0).values().cloned().collect();
        for cache in caches {
            cache.grow_older(by).await;
        }
    }
}

/// A moment by two clocks.
#[derive(Debug)]
struct Since {
    monotonic: Instant,
    wall: SystemTime,
}

impl Since {
    fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }

    /// The time since then; `None` if the wall clock was set back, since the age is then unknown.
    fn age(&self) -> Option<Duration> {
        Some(self.wall.elapsed().ok()?.max(self.monotonic.elapsed()))
    }
}

/// Locks a mutex, even if a thread panicked while it held the lock. That is safe here: each write
/// under such a lock is a single assignment or insertion.
pub(super) fn locked<T>(mutex: &std::sync::Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const AGE: Duration = Duration::from_secs(60);

    async fn get(
        cache: &Cache<u32>,
        reads: &Cell<u32>,
        answer: Result<u32, Error>,
    ) -> Result<u32, Error> {
        let read = async || {
            reads.set(reads.get() + 1);
            answer
        };
        cache.get(|_, age| age < AGE, read).await
    }

    fn broken() -> Error {
        Error::Unexpected { resource: "it".to_owned(), problem: "it is broken".to_owned() }
    }

    #[tokio::test]
    async fn a_value_that_is_too_old_is_read_again_even_if_it_was_used() {
        let (cache, reads) = (Cache::default(), Cell::new(0));
        assert_eq!(get(&cache, &reads, Ok(1)).await.expect("read"), 1);
        cache.grow_older(AGE - Duration::from_secs(5)).await;
        assert_eq!(get(&cache, &reads, Ok(2)).await.expect("known"), 1);
        cache.grow_older(Duration::from_secs(5)).await;
        assert_eq!(get(&cache, &reads, Ok(3)).await.expect("read"), 3);
        assert_eq!(reads.get(), 2);
    }

    #[tokio::test]
    async fn a_failure_replaces_the_old_value_for_some_seconds() {
        let (cache, reads) = (Cache::default(), Cell::new(0));
        get(&cache, &reads, Ok(1)).await.expect("read");
        cache.grow_older(AGE).await;
        for _ in 0..10 {
            get(&cache, &reads, Err(broken())).await.expect_err("the old value is too old");
        }
        assert_eq!(reads.get(), 2);
        cache.grow_older(FAILURE_AGE).await;
        assert_eq!(get(&cache, &reads, Ok(2)).await.expect("read"), 2);
    }

    #[tokio::test]
    async fn a_clock_that_was_set_back_makes_nothing_younger() {
        let (cache, reads) = (Cache::default(), Cell::new(0));
        get(&cache, &reads, Ok(1)).await.expect("read");
        if let Some(known) = &mut *cache.known.lock().await {
            known.since.wall += AGE * 2;
        }
        assert_eq!(get(&cache, &reads, Ok(2)).await.expect("read"), 2);
    }

    #[tokio::test]
    async fn concurrent_callers_share_one_read() {
        let (cache, reads) = (Cache::default(), Cell::new(0));
        let slow = async || {
            let read = async || {
                reads.set(reads.get() + 1);
                tokio::task::yield_now().await;
                Ok(1)
            };
            cache.get(|_, age| age < AGE, read).await.expect("read")
        };
        assert_eq!(futures_util::future::join_all((0..8).map(|_| slow())).await, [1; 8]);
        assert_eq!(reads.get(), 1);
    }
}
