//! Commits on pages: an image's name, the commits that a promotion brings or takes away, and an
//! image's names in full.

use jiff::Timestamp;
use maud::{Markup, html};

use super::moment::short;
use super::words::{SHORT, count};
use crate::model::notes::{ChangeNotes, CommitNote, Direction};
use crate::model::{Commit, Digest};
use crate::text::plain;

/// An image as people know it: by its commit, else by its digest, else by its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    short: String,
    full: String,
    is_commit: bool,
    note: Option<CommitNote>,
}

impl Named {
    /// Names an image by what is known about it.
    pub(super) fn new(
        commit: Option<&Commit>,
        digest: Option<&Digest>,
        tag: &str,
        note: Option<&CommitNote>,
    ) -> Self {
        let (short, full) = match (commit, digest) {
            (Some(commit), _) => (commit.short().to_owned(), commit.to_string()),
            (None, Some(digest)) => (digest.short().to_owned(), digest.to_string()),
            (None, None) => (plain(tag, SHORT), plain(tag, SHORT)),
        };
        let note = note.filter(|note| note.is_telling()).cloned();
        Self { short, full, is_commit: commit.is_some(), note }
    }

    /// Its short name, for titles and buttons.
    pub(super) fn short(&self) -> &str {
        &self.short
    }

    /// Its name in a sentence.
    pub(super) fn words(&self) -> String {
        if self.is_commit { self.short.clone() } else { format!("image {}", self.short) }
    }

    /// Its short name, with the full one as title.
    pub(super) fn chip(&self) -> Markup {
        html! { code title=(self.full) { (self.short) } }
    }

    /// The same; filled for the newest image of a group, so that it can be followed.
    pub(super) fn chip_beside(&self, lead: Option<&Named>) -> Markup {
        match lead {
            Some(lead) if lead.is_same(self) => {
                html! { code class="lead" title=(self.full) { (self.short) } }
            }
            Some(_) | None => self.chip(),
        }
    }

    /// Whether both name the same image. A commit may be written short or in full.
    pub(super) fn is_same(&self, other: &Named) -> bool {
        let (own, its) = (&self.full, &other.full);
        let is_either = self.is_commit && other.is_commit;
        own == its || is_either && (own.starts_with(its) || its.starts_with(own))
    }

    /// Takes over what another app knows about the commit of the same image.
    pub(super) fn learn(&mut self, other: &Named) {
        if self.note.is_none() && self.is_same(other) {
            self.note.clone_from(&other.note);
        }
    }

    /// The first line of its commit's message.
    pub(super) fn subject(&self) -> Option<String> {
        self.note.as_ref()?.subject.as_deref().map(|subject| plain(subject, SHORT))
    }

    /// Who wrote its commit.
    pub(super) fn author(&self) -> Option<String> {
        self.note.as_ref()?.author.as_deref().map(|author| plain(author, SHORT))
    }

    /// The subject as the title of a card, or the short name where there is none.
    pub(super) fn title(&self) -> Markup {
        html! {
            p class="subj" {
                @match self.subject() { Some(subject) => (subject), None => (self.words()) }
            }
        }
    }

    /// Its short name, and who wrote it: `c7d2e10 by alice`.
    pub(super) fn by_line(&self) -> Markup {
        html! { (self.chip()) @if let Some(author) = self.author() { " by " (author) } }
    }

    /// Everything that it can be found by.
    pub(super) fn searched(&self) -> String {
        let note = [self.subject(), self.author()].into_iter().flatten();
        [self.full.clone()].into_iter().chain(note).collect::<Vec<_>>().join("\n")
    }
}

/// A link to the page of the CI run that built an image, where there is one.
pub(super) fn ci(page: Option<&str>) -> Option<Markup> {
    page.map(|url| html! { a href=(url) rel="noreferrer" { "CI" } })
}

/// The commits of a promotion: the first `shown`, and the others in a part that opens. `compare`
/// shows those that are not listed.
pub(super) fn notes(
    notes: &ChangeNotes,
    shown: usize,
    compare: Option<&str>,
    now: Timestamp,
) -> Markup {
    let (first, rest) = notes.commits.split_at(notes.commits.len().min(shown));
    let is_gone = notes.direction == Direction::Back;
    let more = notes.count() - first.len();
    html! {
        (some_notes(first, is_gone, now))
        @if !rest.is_empty() {
            details {
                summary { "and " (more) " more" }
                (some_notes(rest, is_gone, now))
                @if notes.more > 0 { p class="meta" { (unlisted(notes.more, compare)) } }
            }
        } @else if notes.more > 0 {
            p class="meta" { (unlisted(notes.more, compare)) }
        }
    }
}

fn unlisted(more: usize, compare: Option<&str>) -> Markup {
    let words = format!("and {} that are not listed", count(more, "more commit"));
    html! {
        @match compare {
            Some(url) => a href=(url) rel="noreferrer" { (words) },
            None => (words),
        }
    }
}

fn some_notes(commits: &[CommitNote], is_gone: bool, now: Timestamp) -> Markup {
    html! {
        ol class=(if is_gone { "notes gone" } else { "notes" }) {
            @for commit in commits { (one_note(commit, now)) }
        }
    }
}

fn one_note(commit: &CommitNote, now: Timestamp) -> Markup {
    let age = commit.at.map(|at| format!("{} ago", short(now.duration_since(at))));
    let author = commit.author.as_deref().map(|author| plain(author, SHORT));
    let about: Vec<String> = author.into_iter().chain(age).collect();
    html! {
        li {
            span class="s" {
                @if let Some(commit) = &commit.commit {
                    code title=(commit) { (commit.short()) } " "
                }
                @if let Some(subject) = &commit.subject { (plain(subject, SHORT)) }
            }
            " " small { (about.join(" · ")) }
        }
    }
}

/// Says how many commits there are, and on top of what: `3 commits on top of 4be91c2`.
pub(super) fn heading(notes: &ChangeNotes, runs: Option<&Named>) -> String {
    let runs = runs.map_or_else(|| "what runs".to_owned(), Named::words);
    match (notes.summary(), notes.direction) {
        (Some(summary), Direction::Back | Direction::Diverged(_)) => {
            super::words::sentence(&summary)
        }
        (_, _) => format!("{} on top of {runs}", count(notes.count(), "commit")),
    }
}

/// An image's names in full, each selected by one click.
pub(super) fn in_full(
    commit: Option<&Commit>,
    tag: Option<&str>,
    digest: Option<&Digest>,
    more: &[(&str, Markup)],
) -> Markup {
    html! {
        details {
            summary { "Commit, tag and digest in full" }
            dl class="full" {
                dt { "Commit" }
                dd {
                    @match commit {
                        Some(commit) => code { (commit) },
                        None => "The image does not say which commit it was built from.",
                    }
                }
                @if let Some(tag) = tag { dt { "Tag" } dd { code { (plain(tag, SHORT)) } } }
                @if let Some(digest) = digest { dt { "Digest" } dd { code { (digest) } } }
                @for (name, value) in more { dt { (name) } dd { (value) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(number: usize) -> CommitNote {
        CommitNote {
            commit: format!("{number:07x}").parse().ok(),
            subject: Some(format!("<b>change</b> \u{202e}{number}")),
            author: Some("alice".to_owned()),
            at: Some(Timestamp::UNIX_EPOCH),
            url: None,
        }
    }

    #[test]
    fn the_first_commits_are_shown_and_the_others_open() {
        let all = ChangeNotes::new((0..25).map(note), Direction::Forward);
        let page = notes(&all, 8, Some("https://x.test/c"), Timestamp::UNIX_EPOCH).into_string();
        let (first, rest) = page.split_once("<details>").expect("a part that opens");
        assert_eq!((first.matches("<li>").count(), rest.matches("<li>").count()), (8, 12));
        assert!(rest.contains("and 17 more</summary>"), "{rest}");
        assert!(rest.contains(">and 5 more commits that are not listed</a>"), "{rest}");
        assert!(!page.contains("<b>") && !page.contains('\u{202e}'), "{page}");

        let few = ChangeNotes::new((0..2).map(note), Direction::Back);
        let page = notes(&few, 8, None, Timestamp::UNIX_EPOCH).into_string();
        assert!(page.starts_with("<ol class=\"notes gone\">") && !page.contains("details"));
        assert_eq!(heading(&few, None), "Goes back 2 commits");
    }

    #[test]
    fn the_newest_image_of_a_group_is_filled_and_its_subject_is_known_to_all() {
        let (commit, whole) = ("9fceb02".parse().ok(), "9fceb02d0ae".parse().ok());
        let mut named = Named::new(commit.as_ref(), None, "", None);
        let known = Named::new(whole.as_ref(), None, "", Some(&note(3)));
        let drawn = named.chip_beside(Some(&known)).into_string();
        assert_eq!(drawn, "<code class=\"lead\" title=\"9fceb02\">9fceb02</code>");
        assert_eq!(named.chip_beside(None).into_string(), named.chip().into_string());
        named.learn(&Named::new(None, None, "t", Some(&note(1))));
        assert_eq!(named.subject(), None, "it is about another image");
        named.learn(&known);
        assert_eq!(named.subject(), known.subject());
    }

    #[test]
    fn an_image_is_named_by_its_commit_else_its_digest_else_its_tag() {
        let (commit, digest): (Commit, _) =
            ("9fceb02d0ae".parse().expect("a commit"), Digest::of(b"x"));
        let named = Named::new(Some(&commit), Some(&digest), "t", None);
        assert_eq!(named.words(), "9fceb02");
        assert_eq!(named.chip().into_string(), "<code title=\"9fceb02d0ae\">9fceb02</code>");
        let named = Named::new(None, Some(&digest), "t", None);
        assert_eq!(named.words(), format!("image {}", digest.short()));
        assert!(!named.is_same(&Named::new(Some(&commit), None, "", None)));
        assert_eq!(
            Named::new(None, None, "<t>", None).chip().into_string(),
            "<code title=\"&lt;t&gt;\">&lt;t&gt;</code>"
        );
    }
}
