//! How an app's deployments went in the last thirty days: the four numbers that the DORA research
//! compares teams by, from the history. <https://dora.dev/guides/dora-metrics-four-keys/>
//! No I/O here.

use jiff::{SignedDuration, Timestamp};

use crate::model::promotion::{Basis, End, Ended};

/// The span that is counted.
pub const DAYS: i64 = 30;

/// The numbers of one app.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Numbers {
    /// How many promotions were deployed, rollbacks aside.
    pub deployed: usize,
    /// How many failed, or were rolled back from afterwards.
    pub failed: usize,
    /// How many there were in all: deployed ones, and failed ones that were never deployed.
    pub tried: usize,
    /// The median time from the first sight of an image, right after its push, until it ran.
    pub lead: Option<SignedDuration>,
    /// The median time from a deployment that was rolled back from until the image before it ran
    /// again.
    pub restored: Option<SignedDuration>,
    /// Whether the history that was read does not reach back so far.
    pub is_cut: bool,
}

impl Numbers {
    /// Counts a history, newest first. `is_whole` says that nothing ended before its oldest entry.
    pub fn of(history: &[Ended], is_whole: bool, now: Timestamp) -> Self {
        let from = now - SignedDuration::from_hours(24 * DAYS);
        let is_recent = |ended: &&Ended| ended.ended_at >= from;
        let recent = history.iter().take_while(is_recent).count();
        let mut numbers = Self { is_cut: !is_whole && recent == history.len(), ..Self::default() };
        let (mut lead, mut restored) = (Vec::new(), Vec::new());
        for ended in history[..recent].iter().filter(|ended| goes_forward(ended)) {
            match ended.end {
                End::Deployed => {
                    numbers.deployed += 1;
                    let pushed = ended.promotion.pushed_at;
                    lead.extend(pushed.map(|at| ended.ended_at.duration_since(at)));
                }
                End::Failed => numbers.failed += 1,
                End::Superseded | End::Cancelled | End::Blocked => continue,
            }
            numbers.tried += 1;
            if ended.end == End::Deployed
                && let Some(back) = way_back(history, ended)
            {
                numbers.failed += 1;
                restored.push(back.ended_at.duration_since(ended.ended_at));
            }
        }
        Self { lead: median(lead), restored: median(restored), ..numbers }
    }

    /// How many of a hundred changes failed; `None` where there were none.
    pub fn failure_percent(&self) -> Option<usize> {
        (self.tried > 0).then(|| (100 * self.failed + self.tried / 2) / self.tried)
    }
}

fn goes_forward(ended: &Ended) -> bool {
    let promotion = &ended.promotion;
    promotion.rolls_back.is_none()
        && !matches!(promotion.basis(), Basis::GoingBack | Basis::Undoing)
}

/// The rollback that went back from a deployment, if the next one that was deployed is one.
fn way_back<'a>(history: &'a [Ended], bad: &Ended) -> Option<&'a Ended> {
    let is_next = |ended: &&Ended| ended.number > bad.number && ended.end == End::Deployed;
    let next = history.iter().rfind(is_next)?;
    let is_back = next.promotion.rolls_back_digest.as_ref() == Some(&bad.promotion.digest);
    is_back.then_some(next)
}

/// The middle of several times; of an even number, the lower of the two.
fn median(mut times: Vec<SignedDuration>) -> Option<SignedDuration> {
    times.sort();
    times.get(times.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Digest;
    use crate::model::promotion::Promotion;
    use crate::samples::{at, promotion};

    /// The `number`-th promotion, which ended so many hours before the end of the span.
    fn ended(number: u64, hours_ago: i64, end: End, image: &str) -> Ended {
        let ended_at = now() - SignedDuration::from_hours(hours_ago);
        let promotion = Promotion {
            digest: Digest::of(image.as_bytes()),
            pushed_at: Some(ended_at - SignedDuration::from_mins(10 * (number as i64 + 1))),
            ..promotion()
        };
        Ended { number, promotion, end, reason: String::new(), ended_at }
    }

    fn now() -> Timestamp {
        at("2026-03-17T12:00:00Z")
    }

    fn back(number: u64, hours_ago: i64, from: &str, to: &str) -> Ended {
        let mut ended = ended(number, hours_ago, End::Deployed, to);
        ended.promotion.rolls_back = Some("production_bad".to_owned());
        ended.promotion.rolls_back_digest = Some(Digest::of(from.as_bytes()));
        ended.promotion.pushed_at = None;
        ended
    }

    #[test]
    fn deployments_failures_and_medians_are_counted() {
        let history = [
            ended(5, 1, End::Deployed, "d"),
            ended(4, 2, End::Superseded, "c2"),
            back(3, 9, "b", "a"),
            ended(2, 10, End::Deployed, "b"),
            ended(1, 20, End::Failed, "x"),
            ended(0, 30, End::Deployed, "a"),
        ];
        let numbers = Numbers::of(&history, true, now());
        let expected = Numbers {
            deployed: 3,
            failed: 2,
            tried: 4,
            lead: Some(SignedDuration::from_mins(30)),
            restored: Some(SignedDuration::from_hours(1)),
            is_cut: false,
        };
        assert_eq!(numbers, expected);
        assert_eq!(numbers.failure_percent(), Some(50));
    }

    #[test]
    fn what_is_older_than_the_span_does_not_count() {
        let history = [ended(1, 1, End::Deployed, "b"), ended(0, 24 * 31, End::Failed, "a")];
        let numbers = Numbers::of(&history, false, now());
        assert_eq!((numbers.deployed, numbers.failed, numbers.is_cut), (1, 0, false));
        assert!(Numbers::of(&history[..1], false, now()).is_cut);
        let none = Numbers::of(&[], true, now());
        assert_eq!((none, none_percent()), (Numbers::default(), None));
    }

    fn none_percent() -> Option<usize> {
        Numbers::default().failure_percent()
    }
}
