//! Words that mails and Slack share: what a notice is about, commits, durations and times.

use jiff::{SignedDuration, Timestamp};

use crate::model::answer::Outcome;
use crate::model::notes::CommitNote;
use crate::model::notice::Notice;
use crate::model::way_back::long;
use crate::model::{Commit, Digest};
use crate::text::plain;

/// The longest reason, in characters. CloudFormation's reasons may be several pages long.
pub(super) const REASON: usize = 1_000;
/// The longest subject of a commit and the longest author, in characters.
const COMMIT_SUBJECT: usize = 200;
const COMMIT_AUTHOR: usize = 60;

/// Says what has become of the image or the app, without their place.
pub(crate) fn headline(notice: &Notice, environment: &str) -> String {
    let what = image_name(notice.commit.as_ref(), notice.digest.as_ref())
        .unwrap_or_else(|| "the app".to_owned());
    let goes_back = notice.rolls_back.is_some();
    let subject = if goes_back { format!("the rollback to {what}") } else { what.clone() };
    let took = notice.took_seconds.map(after).unwrap_or_default();
    match notice.outcome {
        Outcome::Promoted if goes_back => format!("rolling back to {what}"),
        Outcome::Promoted => format!("{what} is on its way to {environment}"),
        Outcome::Deployed if goes_back => format!("rolled back to {what}{took}"),
        Outcome::Deployed => format!("{what} is in {environment}{took}"),
        Outcome::Failed if goes_back => format!("{subject} failed"),
        Outcome::Failed => format!("{what} did not reach {environment}"),
        Outcome::Queued => format!("{subject} waits for the stack"),
        Outcome::ApprovalRequested => format!("{what} waits for approval"),
        Outcome::Held => "held".to_owned(),
        Outcome::Resumed => "resumed".to_owned(),
        Outcome::Blocked => format!("{subject} is blocked"),
        Outcome::Cancelled if goes_back => format!("{subject} was cancelled"),
        Outcome::Cancelled => format!("the promotion of {what} was cancelled"),
        Outcome::Superseded => format!("{subject} was superseded"),
        Outcome::Ignored => "no longer configured".to_owned(),
        Outcome::Approved => format!("{what} was approved, and needs more approvals"),
        Outcome::Rejected => format!("{what} was rejected"),
        Outcome::Expired => format!("nobody decided on {what} in time"),
        Outcome::Unchanged => {
            notice.about.clone().unwrap_or_else(|| "a command changed nothing".to_owned())
        }
        Outcome::Refused => {
            notice.about.clone().unwrap_or_else(|| "a command was refused".to_owned())
        }
    }
}

/// What the image of a notice says about its commit.
pub(crate) fn note_of(notice: &Notice) -> Option<&CommitNote> {
    let own = notice.note.as_ref().filter(|note| note.is_telling());
    own.or_else(|| {
        let commit = notice.commit.as_ref()?;
        let mut listed = notice.notes.iter().flat_map(|notes| &notes.commits);
        listed.find(|note| note.commit.as_ref() == Some(commit) && note.is_telling())
    })
}

/// A short name of an image: its abbreviated commit, or `image` and the first digits of its digest.
pub(crate) fn image_name(commit: Option<&Commit>, digest: Option<&Digest>) -> Option<String> {
    commit
        .map(|commit| commit.short().to_owned())
        .or_else(|| digest.map(|digest| format!("image {}", digest.short())))
}

/// A commit in one line: `9fceb02 Fix checkout rounding (alice, 3 hours ago)`. `subject` is the
/// longest subject.
pub(crate) fn commit_line(note: &CommitNote, when: Option<String>, subject: usize) -> String {
    let mut line = note.commit.as_ref().map_or("(no commit)", Commit::short).to_owned();
    if let Some(words) = &note.subject {
        line += &format!(" {}", plain(words, subject.min(COMMIT_SUBJECT)));
    }
    let author = note.author.as_deref().map(|author| plain(author, COMMIT_AUTHOR));
    let about: Vec<String> = author.into_iter().chain(when).collect();
    if about.is_empty() { line } else { format!("{line} ({})", about.join(", ")) }
}

/// A sentence from words that begin with a small letter.
pub(crate) fn capitalized(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// A duration as the end of a sentence: ` after 2 m 10 s`.
pub(crate) fn after(seconds: i64) -> String {
    let took = SignedDuration::from_secs(seconds);
    if took.as_secs() < 60 {
        format!(" after {} s", took.as_secs())
    } else {
        format!(" after {} m {:02} s", took.as_mins(), took.as_secs() % 60)
    }
}

/// How long ago a time is, or how long it is until then.
pub(super) fn distance(at: Timestamp, now: Timestamp) -> String {
    let since = now.duration_since(at);
    match since.as_secs() {
        -59..60 => "just now".to_owned(),
        60.. => format!("{} ago", long(since)),
        _ => format!("in {}", long(since.abs())),
    }
}

/// A time in UTC, with how long ago or until then.
pub(super) fn moment(at: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", at.strftime("%Y-%m-%d %H:%M UTC"), distance(at, now))
}
