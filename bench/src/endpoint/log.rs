//! What the endpoint has noted, and what it says about the order of calls.

use std::time::{Duration, Instant};

#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) op: String,
    pub(crate) arrived: Instant,
    pub(crate) answered: Instant,
    pub(crate) is_throttled: bool,
    /// What an unsuccessful call was answered.
    pub(crate) problem: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    /// In the order of their answers.
    pub(crate) calls: Vec<Call>,
    pub(crate) connections: usize,
    /// What went over the wire, in both directions, with the TLS around it.
    pub(crate) bytes: u64,
    /// The part of it that went to the registry and came from there.
    pub(crate) registry_bytes: u64,
}

/// The longest chain of calls up to one of them, each of which came after the answer to the one
/// before.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Chain {
    pub(crate) calls: usize,
    /// How long its calls took, from the last byte of a request to its answer.
    pub(crate) held: Duration,
}

impl Log {
    /// The longest chain of calls that ends with this operation.
    pub(crate) fn chain(&self, op: &str) -> Option<Chain> {
        let mut calls: Vec<&Call> = self.calls.iter().collect();
        calls.sort_by_key(|call| call.arrived);
        let mut chains: Vec<Chain> = Vec::new();
        for call in &calls {
            let earlier =
                calls.iter().zip(&chains).filter(|(other, _)| other.answered < call.arrived);
            // Of calls that ran side by side, the last answer is the one that was waited for.
            let last = earlier.max_by_key(|(other, chain)| (chain.calls, other.answered));
            let before = last.map(|(_, chain)| *chain).unwrap_or_default();
            chains.push(Chain {
                calls: before.calls + 1,
                held: before.held + call.answered.saturating_duration_since(call.arrived),
            });
        }
        calls.iter().zip(chains).find(|(call, _)| call.op == op).map(|(_, chain)| chain)
    }

    /// How long after this moment the operation was answered.
    pub(crate) fn answered_after(&self, start: Instant, op: &str) -> Option<Duration> {
        let call = self.calls.iter().find(|call| call.op == op && call.problem.is_none())?;
        Some(call.answered.saturating_duration_since(start))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Call, Log};

    fn log(calls: &[(&str, u64, u64)]) -> Log {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let call = |(op, arrived, answered): &(&str, u64, u64)| Call {
            op: (*op).to_owned(),
            arrived: at(*arrived),
            answered: at(*answered),
            is_throttled: false,
            problem: None,
        };
        Log { calls: calls.iter().map(call).collect(), ..Log::default() }
    }

    #[test]
    fn calls_that_overlap_are_one_round_trip() {
        let log = log(&[("a", 0, 20), ("b", 1, 21), ("c", 22, 42), ("d", 43, 60)]);
        let chain = |op| log.chain(op).map(|chain| (chain.calls, chain.held.as_millis()));
        assert_eq!(chain("c"), Some((2, 40)));
        assert_eq!(chain("d"), Some((3, 57)));
        assert_eq!(chain("e"), None);
    }

    #[test]
    fn of_calls_side_by_side_the_last_answer_was_waited_for() {
        let log = log(&[("long", 0, 22), ("late", 3, 23), ("after", 24, 44)]);
        let chain = log.chain("after").map(|chain| (chain.calls, chain.held.as_millis()));
        assert_eq!(chain, Some((2, 40)));
    }
}
