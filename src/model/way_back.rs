//! A rollback as people should see it before they press the button: from what, to what. No I/O
//! here.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::model::promotion::{End, Ended};
use crate::model::state::Running;
use crate::model::{Commit, Digest};

/// From what to what a rollback goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WayBack {
    /// The image that runs, or is being deployed.
    pub from: Option<Digest>,
    /// Its commit.
    pub from_commit: Option<Commit>,
    /// The image to go back to.
    pub to: Digest,
    /// Its commit.
    pub to_commit: Option<Commit>,
    /// When it was deployed last, where the history says so.
    pub deployed_at: Option<Timestamp>,
    /// Who promoted it then.
    pub deployed_by: Option<String>,
    /// For how long it ran, in seconds.
    pub ran_seconds: Option<i64>,
}

impl WayBack {
    /// Looks up in the history, newest first, what the image to go back to was.
    pub fn new(from: Option<&Running>, to: &Digest, history: &[&Ended]) -> Self {
        let deployed = |ended: &&&Ended| ended.end == End::Deployed;
        let at =
            history.iter().position(|one| one.end == End::Deployed && one.promotion.digest == *to);
        let own = at.map(|at| history[at]);
        let next = at.and_then(|at| history[..at].iter().rfind(deployed));
        let ran = own.zip(next).map(|(own, next)| next.ended_at.duration_since(own.ended_at));
        let before = history.iter().find(|one| one.promotion.previous_digest.as_ref() == Some(to));
        Self {
            from: from.and_then(|running| running.digest.clone()),
            from_commit: from.and_then(|running| running.commit.clone()),
            to: to.clone(),
            to_commit: own
                .and_then(|own| own.promotion.commit.clone())
                .or_else(|| before.and_then(|one| one.promotion.previous_commit.clone())),
            deployed_at: own.map(|own| own.ended_at),
            deployed_by: own.map(|own| own.promotion.by.clone()),
            ran_seconds: ran.map(|ran| ran.as_secs()),
        }
    }

    /// Says it in one line: `ccccccc → bbbbbbb, deployed Tue 17 Mar 14:02 UTC by alice, ran 3
    /// days`.
    pub fn words(&self) -> String {
        let name = |commit: Option<&Commit>, digest: Option<&Digest>| {
            let commit = commit.map(|commit| commit.short().to_owned());
            commit.or_else(|| digest.map(|digest| format!("image {}", digest.short())))
        };
        let from = name(self.from_commit.as_ref(), self.from.as_ref());
        let to = name(self.to_commit.as_ref(), Some(&self.to)).unwrap_or_default();
        let mut words = format!("{} → {to}", from.unwrap_or_else(|| "what runs".to_owned()));
        if let Some(at) = self.deployed_at {
            words += &format!(", deployed {}", at.strftime("%a %-d %b %H:%M UTC"));
        }
        if let Some(by) = &self.deployed_by {
            words += &format!(" by {by}");
        }
        if let Some(seconds) = self.ran_seconds {
            words += &format!(", ran {}", long(SignedDuration::from_secs(seconds)));
        }
        words
    }
}

/// A duration in its largest unit: `3 days`.
pub fn long(time: SignedDuration) -> String {
    let (count, unit) = match time.as_secs().max(0) {
        seconds @ ..60 => (seconds, "second"),
        seconds @ 60..3_600 => (seconds / 60, "minute"),
        seconds @ 3_600..172_800 => (seconds / 3_600, "hour"),
        seconds => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{self, at};

    fn ended(number: u64, letter: &str, at_time: &str) -> Ended {
        let mut promotion = samples::promotion();
        promotion.digest = Digest::of(letter.as_bytes());
        promotion.commit = Some(letter.repeat(7).parse().expect("a commit"));
        promotion.by = "alice".to_owned();
        Ended {
            number,
            promotion,
            end: End::Deployed,
            reason: String::new(),
            ended_at: at(at_time),
        }
    }

    #[test]
    fn a_rollback_says_from_what_to_what_and_how_long_that_ran() {
        let (older, newer) =
            (ended(0, "b", "2026-03-17T14:02:00Z"), ended(1, "c", "2026-03-20T15:00:00Z"));
        let running = Running {
            note: None,
            tag: "production_ccccccc".to_owned(),
            digest: Some(Digest::of(b"c")),
            commit: Some("ccccccc".parse().expect("a commit")),
            since: None,
            by: "bob".to_owned(),
        };
        let history = [&newer, &older];
        let way = WayBack::new(Some(&running), &Digest::of(b"b"), &history);
        assert_eq!(
            way.words(),
            "ccccccc → bbbbbbb, deployed Tue 17 Mar 14:02 UTC by alice, ran 3 days"
        );
        let unknown = WayBack::new(None, &Digest::of(b"z"), &history);
        let name = Digest::of(b"z");
        assert_eq!(unknown.words(), format!("what runs → image {}", name.short()));
    }
}
