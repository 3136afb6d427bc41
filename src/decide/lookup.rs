//! Returns what a decision must know about an app, or asks for it if it was not read.

use std::ops::ControlFlow::{Break, Continue};

use super::draft::{Draft, Pace};
use super::plan::{Decided, First, MayEnd, Plan};
use crate::model::answer::Outcome;
use crate::model::image::{BuildLabels, CommitOf, ConfigLocation, Image, commit_of};
use crate::model::notes::{Candidate, ChangeNotes, CommitNote};
use crate::model::promotion::{End, Ended, Promotion};
use crate::model::stack::{EventsWanted, Phase, StackEvents, UpdateEnd};
use crate::model::state::Recent;
use crate::model::{Commit, Digest, Tag, Token};
use crate::text::brief;
use crate::world::snapshot::{Question, TagsWanted};

impl<'a> Draft<'a> {
    /// Asks for another look, since something changed between two reads. After some looks in vain
    /// it returns `Ok`.
    pub(super) fn look_again(&self) -> Decided<()> {
        if self.may_look_again() { Err(First::LookAgain(Vec::new())) } else { Ok(()) }
    }

    /// The image that a tag is on.
    pub(super) fn holder(&self, tag: &Tag) -> Decided<Option<&'a Digest>> {
        self.tags.holder(tag).ok_or_else(|| self.ask_about_tags([tag.clone()], []))
    }

    /// Asks what tags are on, and which tags images have. The other tags that a look needs are
    /// asked for in the same call, which costs no more time.
    pub(super) fn ask_about_tags(
        &self,
        named: impl IntoIterator<Item = Tag>,
        of: impl IntoIterator<Item = Digest>,
    ) -> First {
        let is_unknown = |tag: &Tag| self.tags.holder(tag).is_none();
        let running =
            self.state.running.as_ref().and_then(|running| self.as_production_tag(&running.tag));
        let along = running
            .into_iter()
            .chain(self.value().parse().ok())
            .chain(self.state.open.iter().map(|open| open.tag.clone()));
        let named = named.into_iter().chain(along.filter(is_unknown)).collect();
        First::Read(Question::Tags(TagsWanted { named, of: of.into_iter().collect() }))
    }

    /// The stack's events, read back to the oldest update that has not ended.
    pub(super) fn events(&self) -> Decided<&'a StackEvents> {
        self.seen.events.as_ref().ok_or_else(|| {
            let starts_of = self.state.open.iter().map(|open| open.token.clone()).collect();
            First::Read(Question::Events(EventsWanted {
                starts_of,
                since: self.state.open.iter().map(|open| open.at).min(),
            }))
        })
    }

    /// The image and its commit; ends the decision if the image cannot be promoted.
    pub(super) fn image(&mut self, digest: &Digest) -> MayEnd<(&'a Image, Option<Commit>)> {
        self.subject.digest = Some(digest.clone());
        let image = match self.seen.images.get(digest) {
            None => return Err(First::Read(Question::Image(digest.clone()))),
            Some(Err(reason)) => return Ok(Break(self.refused(reason))),
            Some(Ok(image)) => image,
        };
        if let ConfigLocation::Artifact(kind) = &image.config {
            return Ok(Break(self.is_no_container(digest, kind)));
        }
        let commit = self.commit(image)?;
        self.subject.commit = commit.clone();
        self.see_candidate(image, commit.as_ref());
        Ok(Continue((image, commit)))
    }

    fn is_no_container(&self, digest: &Digest, kind: &str) -> Plan {
        let is_asked_for = self.command.is_some() || self.is_plan;
        let outcome = if is_asked_for { Outcome::Refused } else { Outcome::Ignored };
        let reason = format!("{digest} is not a container image but `{}`", brief(kind));
        self.nothing(outcome, reason)
    }

    /// The commit that an image was built from. The commit that people were asked about stays,
    /// whatever tags the image has got since.
    fn commit(&self, image: &Image) -> Decided<Option<Commit>> {
        let digest = &image.digest;
        let asked = self
            .state
            .all_requests()
            .find(|request| request.digest == *digest)
            .map(|request| &request.commit);
        let begun =
            || self.state.open.iter().find(|open| open.digest == *digest).map(|open| &open.commit);
        if let Some(commit) = asked.or_else(begun) {
            return Ok(commit.clone());
        }
        match commit_of(image, self.tags, self.seen.labels.get(digest), &self.app.config) {
            CommitOf::Known(commit) => Ok(commit),
            CommitOf::NeedsLabel => Err(First::Read(Question::Label(digest.clone()))),
            CommitOf::NeedsTags => Err(self.ask_about_tags([], [digest.clone()])),
        }
    }

    /// Remembers what a candidate says about its commit: later questions list it without a call.
    pub(super) fn see_candidate(&mut self, image: &Image, commit: Option<&Commit>) {
        if self.seen.newest.as_ref() != Some(&image.digest) {
            return;
        }
        let labels = self.seen.labels.get(&image.digest);
        let or_label = |own: &Option<String>, label: fn(&BuildLabels) -> &Option<String>| {
            own.clone().or_else(|| labels.and_then(|labels| label(labels).clone()))
        };
        let note = CommitNote {
            commit: commit.cloned(),
            subject: or_label(&image.description, |labels| &labels.description),
            author: or_label(&image.authors, |labels| &labels.authors),
            at: Some(self.now),
            url: or_label(&image.url, |labels| &labels.url),
        };
        let digest = image.digest.clone();
        self.state.candidates.see(Candidate { digest, note: note.within_limits() });
    }

    /// What an image says about its commit, where that was seen.
    pub(super) fn note_of_image(&self, digest: &Digest) -> Option<CommitNote> {
        let seen = self.state.candidates.of(digest).map(|candidate| candidate.note.clone());
        let running = self.state.running.as_ref().filter(|it| it.digest.as_ref() == Some(digest));
        seen.filter(CommitNote::is_worth_keeping).or_else(|| running.and_then(|it| it.note.clone()))
    }

    /// The commits between what runs and an image: from the Git host where there is time to ask it,
    /// else from the candidates that were seen.
    pub(super) fn notes(
        &self,
        digest: &Digest,
        commit: Option<&Commit>,
    ) -> Decided<Option<ChangeNotes>> {
        let running = self.state.running.as_ref();
        let base = running.and_then(|running| running.commit.as_ref()).zip(commit);
        let is_asked = self.pace != Pace::Person && self.app.config.repository_url.is_some();
        if let Some((base, head)) = base.filter(|(base, head)| is_asked && base != head) {
            let pair = (base.clone(), head.clone());
            match self.seen.notes.get(&pair) {
                None => return Err(First::Read(Question::Notes(pair.0, pair.1))),
                Some(Some(notes)) => return Ok(Some(notes.clone())),
                Some(None) => {}
            }
        }
        Ok(self.notes_of_seen(digest))
    }

    /// The commits between what runs and an image, as far as both were seen.
    pub(super) fn notes_of_seen(&self, digest: &Digest) -> Option<ChangeNotes> {
        let notes = self.state.candidates.between(self.running_digest().as_ref(), digest);
        // The image alone, without a word about it, is nothing that the question does not say.
        let says_more = notes.commits.len() > 1 || notes.commits.iter().any(CommitNote::is_telling);
        says_more.then_some(notes)
    }

    /// Whether CloudFormation has accepted this promotion. The token in its events proves that; a
    /// busy stack whose parameter has this promotion's own tag is enough.
    pub(super) fn is_accepted(&self, open: &Promotion) -> Decided<bool> {
        if open.accepted_at.is_some() || self.value() == open.tag.as_str() {
            return Ok(true);
        }
        Ok(self.events()?.end_of(&open.token).is_some_and(|end| end != UpdateEnd::Unknown))
    }

    /// Why CloudFormation is rolling this update back, if it is.
    pub(super) fn goes_back(&self, open: &Promotion) -> Decided<Option<String>> {
        let is_going_back =
            self.stack.phase() == Phase::Busy && self.stack.status.contains("ROLLBACK");
        if is_going_back { Ok(self.events()?.goes_back(&open.token)) } else { Ok(None) }
    }

    /// Our own promotion, if CloudFormation is updating the stack to it now and the update can
    /// still be cancelled.
    pub(super) fn under_way_now(&self) -> Decided<Option<Promotion>> {
        if self.state.open.is_empty() || self.stack.status != "UPDATE_IN_PROGRESS" {
            return Ok(None);
        }
        let Some(start) = self.events()?.under_way() else { return Ok(None) };
        Ok(self.state.open.iter().find(|open| start.is_of(&open.token)).cloned())
    }

    /// The promotions that were deployed, newest first: those that this look found ended, then the
    /// history.
    pub(super) fn deployed(&self) -> Decided<Vec<&Ended>> {
        let ended = self.ended.iter().rev().chain(self.history()?);
        Ok(ended.filter(|ended| ended.end == End::Deployed).collect())
    }

    /// The promotions that had ended before this look, newest first.
    pub(super) fn history(&self) -> Decided<&'a [Ended]> {
        self.seen.history.as_deref().ok_or(First::Read(Question::History(None)))
    }

    /// How a promotion ended that has such a token. The state remembers the last ones, and the
    /// history those before them.
    pub(super) fn ended_with(&self, is_it: impl Fn(&Token) -> bool) -> Decided<Option<Recent>> {
        let mut recent = self.state.recent.iter().rev();
        if let Some(recent) = recent.find(|recent| is_it(&recent.token)) {
            return Ok(Some(recent.clone()));
        }
        let ended = self.history()?.iter().find(|ended| is_it(&ended.promotion.token));
        Ok(ended.map(|ended| Recent::new(&ended.promotion, ended.end, ended.reason.clone())))
    }

    /// The image that this production tag was made for, where that is recorded: in the state, or in
    /// the history of this stack.
    pub(super) fn recorded(&self, tag: &Tag) -> Decided<Option<Digest>> {
        if self.as_production_tag(tag.as_str()).is_none() {
            return Ok(None);
        }
        let mut known = self.state.recorded();
        if let Some((_, digest)) = known.find(|(its, _)| *its == tag.as_str()) {
            return Ok(Some(digest.clone()));
        }
        let mut ended = self.history()?.iter().map(|ended| &ended.promotion);
        let made = ended.find(|made| made.tag == *tag && made.stack == self.state.stack);
        Ok(made.map(|made| made.digest.clone()))
    }
}
