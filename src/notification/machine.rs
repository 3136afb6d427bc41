//! The form for machines.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::words::{REASON, note_of};
use crate::model::answer::Outcome;
use crate::model::config::App;
use crate::model::notes::CommitNote;
use crate::model::notice::Notice;
use crate::text::plain;

/// The most changes that one message lists. SNS takes 256 KB for all forms together, and a stack
/// has at most 500 resources.
pub(super) const CHANGES: usize = 100;

/// Writes the JSON. It always has all keys; unknown values are `null`.
pub(super) fn machine(app: &App, notice: &Notice) -> Value {
    let changes = notice.changes.iter().take(CHANGES).map(|change| plain(change, 300));
    json!({
        "outcome": notice.outcome,
        "app": app.name,
        "repository": app.repository,
        "digest": notice.digest,
        "commit": notice.commit,
        "tag": notice.tag,
        "previous_tag": notice.previous_tag.as_deref().map(|tag| plain(tag, 300)),
        "previous_commit": notice.previous_commit,
        "stack": app.config.stack,
        "parameter": app.config.parameter,
        "reason": plain(&notice.reason, REASON),
        "about": notice.about.as_deref().map(|about| plain(about, 300)),
        "by": plain(&notice.by, 300),
        "at": notice.at,
        "took_seconds": notice.took_seconds,
        "rolls_back": notice.rolls_back.as_deref().map(|tag| plain(tag, 300)),
        "compare_url": compare(app, notice),
        "request": notice.request,
        "expires_at": notice.expires_at,
        "changes": changes.collect::<Vec<_>>(),
        "commits": commits(notice),
    })
}

/// Writes the JSON of a message that is about no app: the same keys, most of them `null`.
pub(super) fn of_no_app(outcome: Outcome, reason: &str, at: Timestamp) -> Value {
    json!({
        "outcome": outcome,
        "app": null,
        "repository": null,
        "digest": null,
        "commit": null,
        "tag": null,
        "previous_tag": null,
        "previous_commit": null,
        "stack": null,
        "parameter": null,
        "reason": reason,
        "about": null,
        "by": null,
        "at": at,
        "took_seconds": null,
        "rolls_back": null,
        "compare_url": null,
        "request": null,
        "expires_at": null,
        "changes": [],
        "commits": [],
    })
}

/// The commits that the promotion brings or takes away, newest first; empty if nothing is known.
fn commits(notice: &Notice) -> Vec<Value> {
    let own = || note_of(notice).filter(|_| notice.rolls_back.is_none());
    let known: Vec<&CommitNote> = match &notice.notes {
        Some(notes) => notes.commits.iter().collect(),
        None => own().into_iter().collect(),
    };
    let commit = |note: &&CommitNote| {
        json!({
            "commit": note.commit,
            "subject": note.subject.as_deref().map(|subject| plain(subject, 200)),
            "author": note.author.as_deref().map(|author| plain(author, 60)),
            "at": note.at,
        })
    };
    known.iter().map(commit).collect()
}

/// The address of a page that compares the commits.
pub(super) fn compare(app: &App, notice: &Notice) -> Option<String> {
    app.compare_url(notice.previous_commit.as_ref(), notice.commit.as_ref())
}
