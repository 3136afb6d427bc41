//! Keeps a value in the sandbox for a while, and a failed read for some seconds: otherwise
//! strangers could cause reads as fast as they like.
//!
//! The age counts from the start of the read. Of the monotonic clock and the wall clock, the one
//! that shows the greater age counts: while a sandbox is frozen, its monotonic clock may stand
//! still.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Mutex;

use crate::error::Error;

/// How long a failed read is remembered, unless the cache has a time of its own.
pub(super) const FAILURE_AGE: Duration = Duration::from_secs(10);

/// A value that is read when it is needed. Callers that need it at the same time share one read.
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
    pub(super) fn that_forgets_failures_after(failure_age: Duration) -> Self {
        Self { known: Mutex::new(None), failure_age }
    }
}

impl<T: Clone> Cache<T> {
    /// Returns the known value, if `is_good` accepts it at its age; else reads it by `read`.
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

    /// Lets time pass.
    #[cfg(test)]
    pub(super) async fn grow_older(&self, by: Duration) {
        if let Some(known) = &mut *self.known.lock().await {
            known.since.wall -= by;
        }
    }
}

/// A value for each key, each read when it is needed.
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

    /// Lets time pass for all of them.
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

    /// How long ago it was; `None` where the wall clock was set back, since the age is then
    /// unknown.
    fn age(&self) -> Option<Duration> {
        Some(self.wall.elapsed().ok()?.max(self.monotonic.elapsed()))
    }
}

/// What a mutex guards. No write under one of these stops halfway, so that a panic elsewhere leaves
/// the value whole.
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
    async fn a_value_is_read_again_when_it_is_too_old_used_or_not() {
        let (cache, reads) = (Cache::default(), Cell::new(0));
        assert_eq!(get(&cache, &reads, Ok(1)).await.expect("read"), 1);
        cache.grow_older(AGE - Duration::from_secs(5)).await;
        assert_eq!(get(&cache, &reads, Ok(2)).await.expect("known"), 1);
        cache.grow_older(Duration::from_secs(5)).await;
        assert_eq!(get(&cache, &reads, Ok(3)).await.expect("read"), 3);
        assert_eq!(reads.get(), 2);
    }

    #[tokio::test]
    async fn a_failure_takes_the_place_of_the_old_value_and_is_remembered_for_seconds() {
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
    async fn several_who_need_it_at_once_make_one_read() {
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
