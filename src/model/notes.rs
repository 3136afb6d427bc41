//! Change notes: the commits that a promotion would bring, or take away. Their words are foreign
//! text: each place that shows them makes them plain. No I/O here.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::limits::{ADDRESS, AUTHOR, COMMITS, SUBJECT, cut, keep_newest};
use crate::model::{Commit, Digest};
use crate::text::plain;

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitNote {
    /// Its id; `None` where an image does not name it.
    pub commit: Option<Commit>,
    /// The first line of its message.
    pub subject: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// When it was written, or when its image was pushed.
    pub at: Option<Timestamp>,
    /// The page of the CI run, as an image names it. Only the note of an image has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// The commits between what runs and an image.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChangeNotes {
    /// The commits, newest first and at most [`COMMITS`].
    pub commits: Vec<CommitNote>,
    /// How many more there are.
    #[serde(default)]
    pub more: usize,
    /// How the two histories lie to each other.
    #[serde(default)]
    pub direction: Direction,
}

/// How the history of an image lies to that of what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The image has these commits besides.
    #[default]
    Forward,
    /// The image lacks these commits: it is older.
    Back,
    /// Each has commits that the other lacks: of two branches, or after a force push. The listed
    /// commits come; the number is of those that go.
    Diverged(usize),
}

impl ChangeNotes {
    /// Makes notes of all these commits, newest first. No list shows the pages of their CI runs.
    pub fn new(commits: impl IntoIterator<Item = CommitNote>, direction: Direction) -> Self {
        let all = commits.into_iter().map(|note| CommitNote { url: None, ..note.within_limits() });
        let all: Vec<CommitNote> = all.collect();
        let more = all.len().saturating_sub(COMMITS);
        let commits = all.into_iter().take(COMMITS).collect();
        Self { commits, more, direction }
    }

    /// The notes of the way back: what came goes.
    pub fn reversed(self) -> Self {
        let direction = match self.direction {
            Direction::Forward => Direction::Back,
            Direction::Back => Direction::Forward,
            diverged @ Direction::Diverged(_) => diverged,
        };
        Self { direction, ..self }
    }

    /// How many commits there are.
    pub fn count(&self) -> usize {
        self.commits.len() + self.more
    }

    /// Says in a few words what kind of change it is; `None` for one that only goes forward.
    pub fn summary(&self) -> Option<String> {
        let commits = |count: usize| {
            if count == 1 { "1 commit".to_owned() } else { format!("{count} commits") }
        };
        match self.direction {
            Direction::Forward => None,
            Direction::Back => Some(format!("goes back {}", commits(self.count()))),
            Direction::Diverged(gone) => Some(format!(
                "diverged (another branch, or a force push): brings {}, \
                 takes away {}",
                commits(self.count()),
                commits(gone)
            )),
        }
    }
}

impl CommitNote {
    /// Whether it says anything that people can read.
    pub fn is_telling(&self) -> bool {
        self.subject.is_some() || self.author.is_some()
    }

    /// Whether it says anything beside the commit.
    pub fn is_worth_keeping(&self) -> bool {
        self.is_telling() || self.url.is_some()
    }

    /// Cuts it to the limits of what is kept. An address is never cut: it would lead elsewhere.
    pub fn within_limits(self) -> Self {
        let short = |text: Option<String>, most: usize| {
            let text = text.map(|text| cut(plain(text.trim(), most).trim(), most));
            text.filter(|text| !text.is_empty())
        };
        let (subject, author) = (short(self.subject, SUBJECT), short(self.author, AUTHOR));
        let url = self.url.filter(|url| url.len() <= ADDRESS);
        Self { subject, author, url, ..self }
    }
}

/// A candidate that was seen, kept so that notes need no call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The image.
    pub digest: Digest,
    /// What it says about its commit. `at` is when it was first seen.
    #[serde(flatten)]
    pub note: CommitNote,
}

/// The candidates that an app has seen, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Candidates(pub Vec<Candidate>);

/// The most candidates that an app remembers.
const CANDIDATES: usize = 30;
/// The most of them that came before what runs. Each write of the state carries them all.
const BEFORE_WHAT_RUNS: usize = 3;

impl Candidates {
    /// Whether none was seen.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Remembers a candidate, once.
    pub fn see(&mut self, candidate: Candidate) {
        match self.0.iter_mut().find(|known| known.digest == candidate.digest) {
            Some(known) if !known.note.is_telling() => {
                let at = known.note.at;
                *known = candidate;
                known.note.at = at;
            }
            Some(_) => {}
            None => self.0.push(candidate),
        }
        keep_newest(&mut self.0, CANDIDATES);
    }

    /// Forgets those that came long before what runs: a push brings only what came after it, and
    /// hardly anybody goes back further.
    pub fn forget_old(&mut self, runs: &Digest) {
        let at = self.0.iter().position(|candidate| candidate.digest == *runs);
        self.0.drain(..at.unwrap_or_default().saturating_sub(BEFORE_WHAT_RUNS));
    }

    /// What was seen of this image.
    pub fn of(&self, digest: &Digest) -> Option<&Candidate> {
        self.0.iter().find(|candidate| candidate.digest == *digest)
    }

    /// The notes from what runs to this image, as far as both were seen. If what runs was not, the
    /// image alone is known.
    pub fn between(&self, runs: Option<&Digest>, to: &Digest) -> ChangeNotes {
        let at = |digest: &Digest| self.0.iter().position(|one| one.digest == *digest);
        let notes = |from: usize, to: usize| {
            self.0[from..=to].iter().rev().map(|candidate| candidate.note.clone())
        };
        match (runs.and_then(at), at(to)) {
            (_, None) => ChangeNotes::default(),
            (None, Some(to)) => ChangeNotes::new(notes(to, to), Direction::Forward),
            (Some(runs), Some(to)) if runs < to => {
                ChangeNotes::new(notes(runs + 1, to), Direction::Forward)
            }
            (Some(runs), Some(to)) if runs > to => {
                ChangeNotes::new(notes(to + 1, runs), Direction::Back)
            }
            (Some(_), Some(_)) => ChangeNotes::default(),
        }
    }
}
