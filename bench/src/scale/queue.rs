//! Lambda's queue of asynchronous events: each is tried three times in all, with a pause before the
//! second and the third try. What fails three times is given up, as to the on-failure queue.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Notify, watch};

/// An event that waits for a process.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) event: Value,
    /// The same for each try.
    pub(super) request_id: String,
    tries: usize,
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub(super) invocations: u64,
    pub(super) errors: u64,
    pub(super) given_up: u64,
}

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    arrived: Notify,
    /// How many events wait, run, wait for another try or are still to come.
    open: watch::Sender<usize>,
    pauses: [u64; 2],
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    counts: Counts,
    number: u64,
    /// What the last look at open work was answered.
    look: Value,
}

/// An event that is still to come. The queue is not empty before it is dropped.
pub(super) struct Coming(Arc<Queue>);

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.open.send_modify(|open| *open -= 1);
    }
}

impl Queue {
    pub(super) fn new(pauses: [u64; 2]) -> Queue {
        let (arrived, open) = (Notify::new(), watch::Sender::new(0));
        Queue { state: Mutex::default(), arrived, open, pauses }
    }

    pub(super) fn add(&self, event: Value) {
        self.open.send_modify(|open| *open += 1);
        let mut state = self.lock();
        state.number += 1;
        let request_id = format!("5f3c0000-0000-4000-8000-{:012}", state.number);
        state.jobs.push_back(Job { event, request_id, tries: 0 });
        self.arrived.notify_one();
    }

    pub(super) fn expect_one(self: &Arc<Self>) -> Coming {
        self.open.send_modify(|open| *open += 1);
        Coming(Arc::clone(self))
    }

    /// The next event, when there is one.
    pub(super) async fn next(&self) -> Job {
        loop {
            let arrived = self.arrived.notified();
            let job = {
                let mut state = self.lock();
                let job = state.jobs.pop_front();
                if !state.jobs.is_empty() {
                    self.arrived.notify_one();
                }
                job
            };
            match job {
                Some(job) => return job,
                None => arrived.await,
            }
        }
    }

    /// Notes how a try ended: an error is tried again after a pause, or given up.
    pub(super) fn ended(self: &Arc<Self>, mut job: Job, answer: Result<Value, String>) {
        self.lock().counts.invocations += 1;
        match answer {
            Ok(answer) => {
                if job.event["only_open_work"] == true {
                    self.lock().look = answer;
                }
            }
            Err(_) => {
                self.lock().counts.errors += 1;
                if let Some(pause) = self.pauses.get(job.tries).copied() {
                    job.tries += 1;
                    let queue = Arc::clone(self);
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_secs(pause)).await;
                        queue.lock().jobs.push_back(job);
                        queue.arrived.notify_one();
                    });
                    return;
                }
                self.lock().counts.given_up += 1;
            }
        }
        self.open.send_modify(|open| *open -= 1);
    }

    /// Returns when no event waits, runs or is to come.
    pub(super) async fn until_empty(&self) {
        let mut open = self.open.subscribe();
        // The sender lives as long as the queue.
        let _ = open.wait_for(|open| *open == 0).await;
    }

    pub(super) fn counts(&self) -> Counts {
        self.lock().counts
    }

    pub(super) fn open(&self) -> usize {
        *self.open.borrow()
    }

    /// Whether the last look at open work found none.
    pub(super) fn last_look_was_idle(&self) -> bool {
        self.lock().look["results"].as_array().is_some_and(Vec::is_empty)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
