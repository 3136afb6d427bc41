//! The schedule's memory: the configured apps, and where to continue after a look ran out of time.
//! Each is an item of its own in the table. No I/O here.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::{AppName, Digest};

/// The configured apps, as the schedule last saw them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KnownApps {
    /// Each app, with the problem of its configuration if people were notified about one.
    pub apps: BTreeMap<AppName, Option<Trouble>>,
    /// Apps whose configuration was deleted. Their records stay, and the audit finds them by this.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub gone: BTreeSet<AppName>,
}

/// A problem of a configuration, as a fingerprint of its words. That is enough to notify people
/// once, and short, since one item holds thousands of apps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Trouble(String);

impl Trouble {
    /// Makes the fingerprint of these words.
    pub fn of(words: &str) -> Self {
        Self(format!("#{}", Digest::of(words.as_bytes()).short()))
    }
}

impl From<String> for Trouble {
    /// Earlier versions stored the words themselves.
    fn from(stored: String) -> Self {
        let is_fingerprint = stored
            .strip_prefix('#')
            .is_some_and(|hex| hex.len() == 12 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
        if is_fingerprint { Self(stored) } else { Self::of(&stored) }
    }
}

impl From<Trouble> for String {
    fn from(trouble: Trouble) -> String {
        trouble.0
    }
}

/// The place where the next look continues, if the last one ran out of time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Unfinished {
    /// Counts the rounds through all apps that one invocation could not finish.
    pub round: u64,
    /// The app at which this round continues; `None` once the round is complete.
    pub next: Option<AppName>,
    /// Whether another round is due after this one, since the hourly look came meanwhile.
    pub again: bool,
    /// The app at which the next look at open work begins.
    pub open: Option<AppName>,
}

impl Unfinished {
    /// Whether a round through all apps waits to be finished.
    pub fn is_due(&self) -> bool {
        self.next.is_some() || self.again
    }

    /// The apps to look at, in order: from `next` to the last one, and, where another round is due,
    /// then from the first one up to `next`.
    pub fn due(&self, names: impl IntoIterator<Item = AppName>) -> Vec<AppName> {
        let Some(next) = &self.next else {
            return if self.again { names.into_iter().collect() } else { Vec::new() };
        };
        let (mut due, earlier): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| name >= next);
        if self.again {
            due.extend(earlier);
        }
        due
    }

    /// Returns the place after a look that had no time for `left` and the apps after it.
    pub fn after(&self, left: Option<&AppName>) -> Self {
        let open = self.open.clone();
        match left {
            None => Self { next: None, again: false, open, ..*self },
            Some(left) if self.next.as_ref().is_some_and(|next| left >= next) => {
                Self { next: Some(left.clone()), open, ..*self }
            }
            // The next round has begun, or no app of this round was finished.
            Some(left) => {
                Self { round: self.round + 1, next: Some(left.clone()), again: false, open }
            }
        }
    }

    /// Merges what two invocations wrote that began at the same place. The one that came further
    /// counts, and a due round stays due.
    pub fn or_further(self, other: &Self) -> Self {
        // A round without a next app is complete.
        let is_further = (self.round, self.next.is_none(), &self.next)
            >= (other.round, other.next.is_none(), &other.next);
        let again = if self.round == other.round {
            self.again || other.again
        } else if is_further {
            self.again
        } else {
            other.again
        };
        let (round, next) =
            if is_further { (self.round, self.next) } else { (other.round, other.next.clone()) };
        Self { round, next, again, open: self.open }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> AppName {
        text.parse().expect("a name")
    }

    fn names(texts: &[&str]) -> Vec<AppName> {
        texts.iter().map(|text| name(text)).collect()
    }

    fn at(round: u64, next: Option<&str>, again: bool) -> Unfinished {
        Unfinished { round, next: next.map(name), again, open: None }
    }

    const ALL: [&str; 4] = ["aa", "bb", "cc", "dd"];

    #[test]
    fn a_round_goes_on_where_it_stopped_and_ends_at_the_last_app() {
        let stopped = at(7, Some("cc"), false);
        assert_eq!(stopped.due(names(&ALL)), names(&["cc", "dd"]));
        assert_eq!(stopped.after(Some(&name("dd"))), at(7, Some("dd"), false));
        assert_eq!(stopped.after(None), at(7, None, false));
        assert!(!stopped.after(None).is_due());
    }

    #[test]
    fn an_hour_that_began_meanwhile_is_one_more_round_of_all() {
        let stopped = at(7, Some("cc"), true);
        assert_eq!(stopped.due(names(&ALL)), names(&["cc", "dd", "aa", "bb"]));
        assert_eq!(stopped.after(Some(&name("dd"))), at(7, Some("dd"), true));
        // The next round looks at all apps again, so no app is forgotten.
        assert_eq!(stopped.after(Some(&name("bb"))), at(8, Some("bb"), false));
        assert_eq!(stopped.after(None), at(7, None, false));
    }

    #[test]
    fn apps_that_came_or_went_move_nothing() {
        let stopped = at(0, Some("cc"), false);
        assert_eq!(stopped.due(names(&["aa", "bb", "ca", "dd"])), names(&["dd"]));
        assert_eq!(stopped.due(names(&["aa", "bbb", "cd", "dd"])), names(&["cd", "dd"]));
        assert_eq!(stopped.due(names(&["aa"])), names(&[]));
    }

    #[test]
    fn the_further_of_two_looks_counts() {
        for (one, other, both) in [
            (at(0, Some("cc"), false), at(0, Some("bb"), false), at(0, Some("cc"), false)),
            (at(0, Some("bb"), false), at(0, None, false), at(0, None, false)),
            (at(1, Some("aa"), false), at(0, Some("dd"), true), at(1, Some("aa"), false)),
            (at(1, Some("aa"), false), at(0, None, false), at(1, Some("aa"), false)),
            // A round that is due stays due, also where the present one is through.
            (at(0, Some("bb"), true), at(0, Some("cc"), false), at(0, Some("cc"), true)),
            (at(0, Some("bb"), true), at(0, None, false), at(0, None, true)),
        ] {
            assert_eq!(one.clone().or_further(&other), both, "{one:?} {other:?}");
            assert_eq!(other.clone().or_further(&one), both, "{other:?} {one:?}");
        }
        let all = at(0, None, true);
        assert!(all.is_due());
        assert_eq!(all.due(names(&ALL)), names(&ALL));
        assert_eq!(all.after(Some(&name("cc"))), at(1, Some("cc"), false));
    }

    /// Whenever looks stop or overlap, all apps get their turn.
    #[test]
    fn nobody_starves() {
        let all: Vec<AppName> = (0..50).map(|n| name(&format!("app-{n:02}"))).collect();
        let mut random = fastrand::Rng::with_seed(11);
        for _ in 0..200 {
            let mut kept = Unfinished::default();
            let mut looked_at = vec![0_u32; all.len()];
            for tick in 0..60 {
                let mut seen = kept.clone();
                let is_hour = tick % 12 == 0;
                let due = match (is_hour, seen.is_due()) {
                    (false, false) => Vec::new(),
                    (true, false) => all.clone(),
                    (_, true) => {
                        seen.again |= is_hour;
                        seen.due(all.iter().cloned())
                    }
                };
                // Another invocation may begin at the same place and write first.
                let mut writes = Vec::new();
                for _ in 0..=usize::from(random.u8(..4) == 0) {
                    let time_for = random.usize(8..20);
                    due.iter().take(time_for).for_each(|name| {
                        looked_at[all.binary_search(name).expect("one of all")] += 1
                    });
                    writes.push(if due.is_empty() {
                        seen.clone()
                    } else {
                        seen.after(due.get(time_for))
                    });
                }
                kept = writes
                    .into_iter()
                    .reduce(|first, second| second.or_further(&first))
                    .expect("one wrote");
            }
            assert!(looked_at.iter().all(|times| *times >= 5), "{looked_at:?}");
        }
    }

    #[test]
    fn a_trouble_that_an_earlier_version_stored_in_full_is_the_same_trouble() {
        let words = "configuration error in Parameter Store /ecr-promoter/apps/shop, key `stak`: \
                     unknown field";
        let stored: KnownApps =
            serde_json::from_value(serde_json::json!({ "apps": { "web": null, "shop": words } }))
                .expect("read");
        assert_eq!(stored.apps[&name("shop")], Some(Trouble::of(words)));
        let again: KnownApps =
            serde_json::from_value(serde_json::to_value(&stored).expect("written")).expect("read");
        assert_eq!(again, stored);
        assert_ne!(Trouble::of(words), Trouble::of("another"));
        assert_eq!(String::from(Trouble::of(words)).len(), 13);
    }
}
