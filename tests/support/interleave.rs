//! Handlers at the same time: in a given order, and in every order.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::num::NonZero;
use std::ops::Range;
use std::panic::{RefUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use jiff::Timestamp;
use serde_json::Value;

use super::world::{Inner, Memory};

/// Runs one future to its end; nothing in this world waits for anything but its turn.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result;
        }
    }
}

/// Runs several futures, one step at a time, in the order that `choose` says: it is given those
/// that are left, and answers a place among them.
pub(crate) fn interleave<F: Future>(
    futures: impl IntoIterator<Item = F>,
    mut choose: impl FnMut(&[usize]) -> usize,
) -> Vec<F::Output> {
    let (mut indices, mut left): (Vec<usize>, Vec<Pin<Box<F>>>) =
        futures.into_iter().map(Box::pin).enumerate().unzip();
    let mut results = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    while !left.is_empty() {
        let at = choose(&indices);
        if let Poll::Ready(result) = left[at].as_mut().poll(&mut context) {
            drop(left.remove(at));
            results.push((indices.remove(at), result));
        }
    }
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Runs the handlers of these payloads in thousands of random orders, each in a world of its own.
pub(crate) fn random_interleavings(
    new: impl Fn(u64) -> (Memory, Vec<Value>) + RefUnwindSafe + Sync,
    check: impl Fn(&Memory) + RefUnwindSafe + Sync,
) {
    let failed = first_failure(0..2_000, |seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        let (world, payloads) = new(seed);
        let handlers = payloads
            .into_iter()
            .enumerate()
            .map(|(i, payload)| world.handler(payload, &format!("request-{i}")));
        for result in interleave(handlers, |left| random.usize(..left.len())) {
            result.expect("no sandbox died").unwrap_or_else(|error| panic!("{error}"));
        }
        check(&world);
    });
    assert_eq!(failed, None, "a seed that fails");
}

/// Runs a test with each of these seeds, on all cores, until one fails: which one.
pub(crate) fn first_failure(
    seeds: Range<u64>,
    test: impl Fn(u64) + RefUnwindSafe + Sync,
) -> Option<u64> {
    let next = AtomicU64::new(seeds.start);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return None;
            }
            if catch_unwind(|| test(seed)).is_err() {
                next.store(seeds.end, Ordering::Relaxed);
                return Some(seed);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().find_map(|worker| worker.join().expect("its panics are caught"))
    })
}

/// Lets a handler go on by so many steps; whether it has come to its end.
pub(crate) fn goes_on<F: Future>(handler: &mut Pin<Box<F>>, steps: usize) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    (0..steps).any(|_| handler.as_mut().poll(&mut context).is_ready())
}

/// Lets other handlers go first, once.
pub(crate) async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|context| {
        // Some combinators poll only what was woken.
        context.waker().wake_by_ref();
        if std::mem::replace(&mut has_yielded, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// How often an interleaving turns away from a handler that could go on. Faults need few such
/// turns, mostly two, and the number of interleavings grows with each:
/// <https://www.microsoft.com/en-us/research/publication/iterative-context-bounding-for-systematic-testing-of-multithreaded-programs/>
const TURNS: usize = 5;

/// Tries every interleaving of these payloads' handlers with at most [`TURNS`], each in a world of
/// its own. Answers how many there were. Many end in the same world, but for the order of the calls:
/// `check` is called once for each end.
pub(crate) fn every_interleaving(
    start: &Memory,
    payloads: &[Value],
    check: impl Fn(&Memory),
) -> usize {
    let mut order = Order::default();
    let mut ends: BTreeMap<Timestamp, Vec<Inner>> = BTreeMap::new();
    let mut runs = 0;
    loop {
        let world = start.fork();
        order.run(&world, payloads);
        let end = Inner { calls: Vec::new(), ..world.get().clone() };
        let known = ends.entry(end.now).or_default();
        // Where two ends differ, their states mostly do.
        if !known.iter().any(|other| other.state == end.state && *other == end) {
            known.push(end);
            check(&world);
        }
        runs += 1;
        if !order.advance() {
            let ends: usize = ends.values().map(Vec::len).sum();
            eprintln!("{runs} interleavings, {ends} ends");
            return runs;
        }
    }
}

/// Which handler goes at each step: a place among those that are left, and how many those are. All
/// orders are counted through like the digits of a number.
#[derive(Debug, Default)]
struct Order(Vec<(usize, usize)>);

impl Order {
    /// Runs the handlers in this order; beyond its end, the first goes.
    fn run(&mut self, world: &Memory, payloads: &[Value]) {
        let (mut step, mut turns, mut last) = (0, 0, None);
        let handlers = payloads
            .iter()
            .enumerate()
            .map(|(i, payload)| world.handler(payload.clone(), &format!("request-{i}")));
        let results = interleave(handlers, |left| {
            let goes_on = last.and_then(|last| left.iter().position(|index| *index == last));
            let is_free = goes_on.is_none() || turns < TURNS;
            if step == self.0.len() {
                self.0.push((0, if is_free { left.len() } else { 1 }));
            }
            let place = if is_free { self.0[step].0 } else { goes_on.unwrap_or(0) };
            turns += usize::from(goes_on.is_some_and(|goes_on| goes_on != place));
            last = Some(left[place]);
            step += 1;
            place
        });
        for result in results {
            result
                .expect("no sandbox died")
                .unwrap_or_else(|error| panic!("interleaving {self:?}: {error}"));
        }
        self.0.truncate(step);
    }

    /// The next order, if there is one.
    fn advance(&mut self) -> bool {
        while self.0.last().is_some_and(|(choice, left)| choice + 1 == *left) {
            self.0.pop();
        }
        self.0.last_mut().map(|(choice, _)| *choice += 1).is_some()
    }
}
