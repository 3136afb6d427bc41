//! The form for people: the subject says it all, the text says what it means and what to do next.

use super::machine::{CHANGES, compare};
use super::next_step::next_step;
use super::page::Page;
use super::words::{REASON, capitalized, commit_line, distance, headline, moment, note_of};
use crate::model::answer::Outcome;
use crate::model::config::App;
use crate::model::notes::ChangeNotes;
use crate::model::notice::Notice;
use crate::text::plain;

/// The longest subject, in characters. SNS refuses a longer one, and one that is not plain ASCII.
/// <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
pub(super) const SUBJECT: usize = 100;
/// The longest name of the place in a subject, so that the outcome has room.
const PLACE: usize = 20;
/// The shortest piece of a commit's subject that is worth showing.
const PIECE: usize = 12;

/// The subject: place, app and outcome, and as much of the commit's subject as there is room for.
pub(super) fn subject(app: &App, notice: &Notice, environment: &str) -> String {
    let place = ascii(environment, PLACE);
    let outcome = format!(": {}", ascii(&headline(notice, &place), SUBJECT));
    let around = place.len() + "[] ".len() + outcome.len();
    let name = ascii(app.name.as_str(), SUBJECT.saturating_sub(around));
    let subject = ascii(&format!("[{place}] {name}{outcome}"), SUBJECT);
    let room = SUBJECT - subject.len();
    subject + &commit_within(notice, room)
}

/// What the image says about its commit, in so many characters: first its author is left out, then
/// its subject is cut.
fn commit_within(notice: &Notice, room: usize) -> String {
    let Some(note) = note_of(notice) else { return String::new() };
    let author = note.author.as_ref().map(|name| format!(" ({})", ascii(name, 20)));
    let author = author.unwrap_or_default();
    let Some(words) = &note.subject else {
        return Some(author).filter(|author| author.len() <= room).unwrap_or_default();
    };
    let words = ascii(words, 200).replace('"', "'");
    let quoted = |words: &str, author: &str| format!(": \"{words}\"{author}");
    let around = |author: &str| quoted("", author).len();
    for author in [author.as_str(), ""] {
        let left = room.saturating_sub(around(author));
        if words.len() <= left || left >= PIECE {
            return quoted(&ascii(&words, left), author);
        }
    }
    String::new()
}

/// One line in plain ASCII; three dots show that there was more.
pub(super) fn ascii(text: &str, most: usize) -> String {
    const DOTS: &str = "...";
    let text: String = plain(text, 1_000)
        .chars()
        .map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' })
        .collect();
    if text.len() <= most {
        return text;
    }
    let kept = text[..most.saturating_sub(DOTS.len())].trim_end();
    format!("{kept}{DOTS}").chars().take(most).collect()
}

/// The text: link, reason, commits, facts and the next step.
pub(super) fn text(app: &App, notice: &Notice, environment: &str, page: &Page) -> String {
    let parts = [
        vec![title(app, notice, environment)],
        link(page),
        vec![plain(&notice.reason, REASON)],
        notice.notes.as_ref().map(|notes| commits(notes, notice)).unwrap_or_default(),
        facts(app, notice),
        changes(notice),
        label(notice),
        next_step(app, notice),
        way_to_links(page),
    ];
    let parts = parts.iter().map(|lines| lines.join("\n"));
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// The subject again, as long as it is.
fn title(app: &App, notice: &Notice, environment: &str) -> String {
    let note = note_of(notice).map_or_else(String::new, |note| {
        let subject = note.subject.as_deref().map(|words| format!(": \"{}\"", plain(words, 200)));
        let author = note.author.as_deref().map(|name| format!(" ({})", plain(name, 60)));
        subject.unwrap_or_default() + &author.unwrap_or_default()
    });
    let outcome = headline(notice, environment);
    plain(&format!("[{environment}] {}: {outcome}{note}", app.name), 700)
}

fn link(page: &Page) -> Vec<String> {
    let Page::At(address) = page else { return Vec::new() };
    let words = "The page of this request. Anyone who has the address can use it, so do not share \
                 it:";
    vec![words.to_owned(), address.clone()]
}

/// How mails get links, where they cannot have any.
fn way_to_links(page: &Page) -> Vec<String> {
    if *page != Page::NeedsAddress {
        return Vec::new();
    }
    let words = "This mail has no link to decide by, because the function has no public address. \
                 The template's parameter PublicUrl=on gives it one.";
    vec![words.to_owned()]
}

/// The commits, newest first, with their age.
fn commits(notes: &ChangeNotes, notice: &Notice) -> Vec<String> {
    let count = notes.count();
    let mut lines = match notes.summary() {
        None if count == 0 => return Vec::new(),
        None => vec![format!(
            "What is new ({count} {}, newest first):",
            if count == 1 { "commit" } else { "commits" }
        )],
        Some(summary) if count == 0 => vec![format!("{}.", capitalized(&summary))],
        Some(summary) => vec![format!("{}:", capitalized(&summary))],
    };
    let now = notice.tried_at.unwrap_or(notice.at);
    lines.extend(notes.commits.iter().map(|note| {
        format!("- {}", commit_line(note, note.at.map(|at| distance(at, now)), usize::MAX))
    }));
    if notes.more > 0 {
        lines.push(format!("- and {} more", notes.more));
    }
    lines
}

/// One line for each known fact, with the labels aligned.
fn facts(app: &App, notice: &Notice) -> Vec<String> {
    let mut lines = Vec::new();
    let mut fact = |label: &str, value: Option<String>| {
        if let Some(value) = value {
            lines.push(format!("{label:<9} {}", plain(&value, 300)));
        }
    };
    // A notice is told again until it arrives.
    let now = notice.tried_at.unwrap_or(notice.at);
    let is_known = !app.config.stack.is_empty();
    fact("stack", is_known.then(|| format!("{} ({})", app.config.stack, app.config.parameter)));
    fact("commit", notice.commit.as_ref().map(ToString::to_string));
    fact("digest", notice.digest.as_ref().map(ToString::to_string));
    fact("tag", notice.tag.as_ref().map(ToString::to_string));
    fact(before(notice.outcome), notice.previous_tag.clone());
    fact("changes", compare(app, notice));
    fact("CI", app.build_page(notice.note.as_ref()).map(str::to_owned));
    fact("until", notice.expires_at.map(|at| moment(at, now)));
    fact("at", Some(moment(notice.at, now)));
    fact("by", Some(notice.by.clone()));
    lines
}

/// What the previous tag is to the outcome.
fn before(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::ApprovalRequested
        | Outcome::Approved
        | Outcome::Rejected
        | Outcome::Expired
        | Outcome::Queued
        | Outcome::Blocked => "runs now",
        Outcome::Promoted
        | Outcome::Deployed
        | Outcome::Failed
        | Outcome::Superseded
        | Outcome::Unchanged
        | Outcome::Held
        | Outcome::Ignored
        | Outcome::Refused
        | Outcome::Resumed
        | Outcome::Cancelled => "before",
    }
}

/// The changes in the stack, one a line and at most [`CHANGES`]; empty if they are not known.
fn changes(notice: &Notice) -> Vec<String> {
    if notice.changes.is_empty() {
        return Vec::new();
    }
    let mut lines = vec!["Changes in the stack:".to_owned()];
    let listed = notice.changes.iter().take(CHANGES);
    lines.extend(listed.map(|change| format!("- {}", plain(change, 300))));
    if let Some(more @ 1..) = notice.changes.len().checked_sub(CHANGES) {
        lines.push(format!("- and {more} more"));
    }
    lines
}

/// Says how an image names its commit, if this one does not.
fn label(notice: &Notice) -> Vec<String> {
    let asks = matches!(notice.outcome, Outcome::ApprovalRequested | Outcome::Promoted);
    if !asks || notice.commit.is_some() || notice.digest.is_none() {
        return Vec::new();
    }
    vec![
        "The image does not name the commit it was built from, so its tag is made from its digest. \
         Build it with \
         `docker build --label org.opencontainers.image.revision=$(git rev-parse HEAD)`."
            .to_owned(),
    ]
}
