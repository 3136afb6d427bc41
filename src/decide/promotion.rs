//! Promoting: what goes next, and how far the stack lets it go now.

use std::borrow::Cow;

use super::change_set::NO_UPDATES;
use super::draft::{Draft, tell_and_mark};
use super::{Decided, Plan, Step};
use crate::model::answer::Outcome;
use crate::model::approval::{ApprovalRequest, Progress};
use crate::model::command::{Command, Via};
use crate::model::config::Config;
use crate::model::image::{CommitOf, ConfigLocation, Image, commit_of, production_tag};
use crate::model::limits::kept_reason;
use crate::model::notice::Notice;
use crate::model::promotion::{Basis, End, Promotion, Update};
use crate::model::stack::{Phase, UpdateEnd};
use crate::model::state::{Hold, Running, State, Waiting};
use crate::model::{Commit, Digest, RequestId, Tag, Token};
use crate::text::brief;
use crate::world::action::Action;
use crate::world::snapshot::Question;

/// How often CloudFormation says that it knows a token before that is believed although no event
/// tells of it.
const KNOWN_TOKEN: u32 = 3;

const ACCEPTED: &str = "CloudFormation accepted the update";

fn accepted(promotion: &Promotion, config: &Config) -> String {
    let mut words = ACCEPTED.to_owned();
    let plain = promotion.commit.as_ref().map(|commit| format!("{}{commit}", config.tag_prefix));
    if let Some(plain) =
        plain.filter(|plain| *plain != promotion.tag.as_str() && promotion.rolls_back.is_none())
    {
        words += &format!(
            "; its tag is `{}`, since `{plain}` is, or was, on another image",
            promotion.tag
        );
    }
    if !promotion.deletes_change_sets.is_empty() {
        words += &format!(
            "; executing its change set deleted the stack's others: {}",
            promotion.deletes_change_sets.join(", ")
        );
    }
    words
}

/// Who wants an image promoted.
pub(super) struct Wanted<'a> {
    pub(super) by: Cow<'a, str>,
    pub(super) via: Via,
    /// By what right.
    pub(super) basis: Basis,
    pub(super) command: Option<&'a str>,
    /// Whether a person chooses this image now: that holds the app, or ends a hold.
    pub(super) is_choice: bool,
    /// The tag that it is to have, if that is on it or on nothing.
    pub(super) tag: Option<Tag>,
    /// A tag that it is not to get again.
    pub(super) avoid: Option<Tag>,
    /// What it rolls back from.
    pub(super) rolls_back: Option<String>,
    /// The image of that.
    pub(super) rolls_back_digest: Option<Digest>,
    /// The request whose approval it rests on.
    pub(super) request: Option<RequestId>,
}

impl<'a> Wanted<'a> {
    pub(super) fn by_command(command: &'a Command) -> Self {
        let command_id = Some(command.id.as_str());
        let basis = if command.slack.is_some() { Basis::Person } else { Basis::BreakGlass };
        Self { command: command_id, basis, ..Self::by_automation(&command.by, command.via) }
    }

    pub(super) fn by_automation(by: &'a str, via: Via) -> Self {
        Self {
            by: by.into(),
            via,
            basis: Basis::Automation,
            command: None,
            is_choice: false,
            tag: None,
            avoid: None,
            rolls_back: None,
            rolls_back_digest: None,
            request: None,
        }
    }

    /// The same promotion once more.
    pub(super) fn again(open: &'a Promotion) -> Self {
        Self {
            by: open.by.as_str().into(),
            via: open.via,
            basis: open.basis(),
            command: open.command.as_deref(),
            is_choice: false,
            tag: Some(open.tag.clone()),
            avoid: None,
            rolls_back: open.rolls_back.clone(),
            rolls_back_digest: open.rolls_back_digest.clone(),
            request: open.request.clone(),
        }
    }
}

impl<'a> Draft<'a> {
    /// What people began goes on, whatever is newest: a cancel that was not sent, and what a person
    /// wanted.
    pub(super) fn carry_on(self) -> Decided<Self> {
        if let Some(under_way) = self.unfinished_cancel()? {
            return Err(self.send_cancel(&under_way));
        }
        let waiting = self.state.open.iter().find(|open| !open.via.is_automation()).cloned();
        match waiting.filter(|_| self.stack.phase() == Phase::AtRest) {
            Some(open) => Err(self.go(&open.digest, &Wanted::again(&open))?),
            None => Ok(self),
        }
    }

    /// After settling: what a person wanted goes first, then the newest image.
    pub(super) fn go_on(self, newest: &Digest, by: &str, via: Via) -> Decided {
        self.carry_on()?.consider(newest, by, via)
    }

    /// Whether the newest image is promoted, asked about or left alone.
    fn consider(mut self, newest: &Digest, by: &str, via: Via) -> Decided {
        let is_at_rest = self.stack.phase() == Phase::AtRest;
        let is_passed_over = self.state.passed_over.as_ref() == Some(newest);
        let is_free = self.objection(newest, Basis::Automation, None)?.is_none();
        let open = self.state.open.iter().find(|open| open.digest == *newest).cloned();
        // What people approved since then is tried again.
        let is_approved = self.state.request.as_ref().is_some_and(ApprovalRequest::may_go);
        let has_failed = open.is_none() && self.state.failed.contains(newest) && !is_approved;
        // Under a tag that moves, too, it is left alone until it is pushed or named.
        let is_adopted = !self.is_pinned()
            && self.running_digest().as_ref() == Some(newest)
            && self.state.waiting.is_none();
        let was_there_before =
            via == Via::Schedule && (self.state.first_seen.as_ref() == Some(newest) || is_adopted);
        let is_rejected = self
            .state
            .request
            .as_ref()
            .is_some_and(|request| request.progress == Progress::Rejected);
        if self.is_stray && !(is_free && !has_failed && !was_there_before && !is_rejected) {
            return self.undo();
        }
        self.subject.digest = Some(newest.clone());
        if has_failed {
            self.state.waiting = None;
            return Ok(self.nothing(
                Outcome::Failed,
                "its promotion failed before and is not tried again by itself: push a new image, \
                 or `promote` it on purpose"
                    .to_owned(),
            ));
        }
        let is_in_hand = open.as_ref().is_some_and(|open| !open.via.is_automation() || !is_at_rest);
        if is_in_hand || self.runs(newest) {
            return self.go(newest, &Wanted::by_automation(by, via));
        }
        let request = self.state.request.clone();
        if let Some(request) = request.as_ref().filter(|request| request.may_go()) {
            let via = request.votes.last().map_or(via, |vote| vote.via);
            return self.go(newest, &Wanted::by_approval(request, via, None));
        }
        let has_verdict = request.as_ref().is_some_and(|request| match request.progress {
            // A no holds in every mode, a question only where automation may not act.
            Progress::Rejected => true,
            Progress::Pending => !is_free,
            Progress::Approved
            | Progress::Waiting(_)
            | Progress::Deploying
            | Progress::Deployed(_) => false,
            Progress::Failed(_)
            | Progress::Cancelled(_)
            | Progress::Superseded
            | Progress::Expired => false,
        });
        if has_verdict {
            return self.ask(newest);
        }
        if was_there_before {
            self.state.waiting = None;
            return Ok(self.nothing(
                Outcome::Unchanged,
                "it was there before ecr-promoter: only its own push promotes it".to_owned(),
            ));
        }
        if is_passed_over {
            self.supersede_others(None, false)?;
            self.state.waiting = None;
            return Ok(self.nothing(
                Outcome::Held,
                "a person turned away from it: push a newer image, or `promote` it on purpose"
                    .to_owned(),
            ));
        }
        if is_free { self.go(newest, &Wanted::by_automation(by, via)) } else { self.ask(newest) }
    }

    /// Goes back from an overtaken update of ours to what ran before it, under the very tag that it
    /// had. Where that is on no image any more, what runs now stays: people are told, and
    /// automation stays away.
    pub(super) fn undo(mut self) -> Decided {
        let running = self.state.running.clone();
        let before = running.as_ref().map_or("", |running| running.tag.as_str()).to_owned();
        let problem = match running.and_then(|running| running.digest) {
            None => "it is on no image".to_owned(),
            Some(digest) => match self.seen.images.get(&digest) {
                None => return Err(Step::Read(Question::Image(digest))),
                Some(Err(problem)) => problem.clone(),
                Some(Ok(_)) => {
                    let by = "ecr-promoter, undoing an overtaken update";
                    let undoing = Wanted {
                        basis: Basis::Undoing,
                        ..Wanted::by_automation(by, Via::Schedule)
                    };
                    return self.go(&digest, &Wanted { tag: before.parse().ok(), ..undoing });
                }
            },
        };
        let reason = format!(
            "an overtaken update to `{}` arrived and cannot be undone: of `{before}`, {problem}",
            self.value()
        );
        self.adopt(reason.clone())?;
        Ok(self.nothing(Outcome::Held, reason))
    }

    /// Promotes this image, as far as the stack lets it now.
    pub(super) fn go(mut self, digest: &Digest, wanted: &Wanted<'_>) -> Decided {
        self.subject.request.clone_from(&wanted.request);
        // Where its tag was put on another image, or taken away, a person's word gives it a tag of
        // its own.
        let is_moved = self.state.moved_tag.is_some() && wanted.is_choice;
        if self.runs(digest) && !is_moved {
            self.subject.digest = Some(digest.clone());
            self.close_what_runs(digest);
            let running = self.state.running.clone();
            self.subject.commit = running.as_ref().and_then(|running| running.commit.clone());
            self.subject.tag = running.and_then(|running| running.tag.parse().ok());
            self.state.waiting = None;
            self.note_choice(digest, wanted)?;
            self.supersede_others(None, wanted.is_choice)?;
            return Ok(self.nothing(Outcome::Unchanged, "it runs already".to_owned()));
        }
        let (image, commit) = self.image(digest)?;
        self.close_what_goes_back(digest, wanted)?;
        let open = self.state.open.iter().find(|open| open.digest == *digest).cloned();
        if let Some(open) = &open
            && self.stack.phase() == Phase::Busy
            && self.is_accepted(open)?
        {
            self.note_choice(digest, wanted)?;
            return Ok(self.under_way(open, wanted));
        }
        let Some(tag) = self.tag_for(digest, commit.as_ref(), wanted) else {
            return Ok(self.refused("every production tag that it could get is on another image"));
        };
        self.subject.tag = Some(tag.clone());
        match self.stack.phase() {
            Phase::AtRest if self.value() == tag.as_str() => {
                self.state.waiting = None;
                // Known by its tag alone so far, or an overtaken update that turns out to be what
                // is wanted.
                let since = self
                    .state
                    .running
                    .as_ref()
                    .filter(|running| running.tag == tag.as_str())
                    .and_then(|running| running.since);
                let by = self
                    .state
                    .running
                    .as_ref()
                    .map_or_else(|| wanted.by.to_string(), |running| running.by.clone());
                self.state.running = Some(Running {
                    tag: tag.to_string(),
                    digest: Some(digest.clone()),
                    commit,
                    since,
                    by,
                });
                self.note_choice(digest, wanted)?;
                Ok(self.nothing(Outcome::Unchanged, "it runs already".to_owned()))
            }
            Phase::AtRest => {
                self.permit(digest, wanted)?;
                self.note_choice(digest, wanted)?;
                let promotion = self.promotion(open.as_ref(), digest, commit, tag, wanted)?;
                self.send(promotion, image, wanted)
            }
            Phase::Busy if wanted.via.is_automation() => {
                let reason = self.busy();
                // That a person's own waits has been told.
                let is_in_hand = open.is_some_and(|open| !open.via.is_automation());
                Ok(if is_in_hand {
                    self.nothing(Outcome::Queued, reason)
                } else {
                    self.wait(Outcome::Queued, reason, wanted)
                })
            }
            Phase::Busy => {
                self.permit(digest, wanted)?;
                self.note_choice(digest, wanted)?;
                let is_told =
                    open.as_ref().is_some_and(|open| open.tag == tag && !open.via.is_automation());
                self.promotion(open.as_ref(), digest, commit, tag, wanted)?;
                let reason = self.busy();
                let notice = self.notice(Outcome::Queued, &reason, &wanted.by);
                if is_told {
                    self.state.note(&notice)
                } else {
                    self.announce(notice)
                }
                Ok(self.nothing(Outcome::Queued, reason))
            }
            Phase::Broken | Phase::Leaving | Phase::Gone => {
                let reason = format!(
                    "stack `{}` is in {}: a person must mend it first",
                    self.stack.name, self.stack.status
                );
                Ok(self.wait(Outcome::Blocked, reason, wanted))
            }
        }
    }

    /// Where CloudFormation takes the image's update back, that one has ended: a person who wants
    /// it now means another one.
    fn close_what_goes_back(&mut self, digest: &Digest, wanted: &Wanted<'_>) -> Decided<()> {
        for open in self.state.open.clone().iter().filter(|open| open.digest == *digest) {
            let is_another =
                wanted.basis == Basis::GoingBack && wanted.command != open.command.as_deref();
            if (wanted.is_choice || is_another)
                && let Some(reason) = self.goes_back(open)?
            {
                self.failed(open, &reason);
            }
        }
        Ok(())
    }

    /// Why CloudFormation takes this update back, if that is what it does just now.
    pub(super) fn goes_back(&self, open: &Promotion) -> Decided<Option<String>> {
        let is_going_back =
            self.stack.phase() == Phase::Busy && self.stack.status.contains("ROLLBACK");
        if is_going_back { Ok(self.events()?.goes_back(&open.token)) } else { Ok(None) }
    }

    /// What waits to be promoted and runs already, under another tag, needs no update.
    fn close_what_runs(&mut self, digest: &Digest) {
        for open in self.state.open.clone().into_iter().filter(|open| open.digest == *digest) {
            let reason = format!("it runs already, as `{}`", self.value());
            self.end(&open, End::Superseded, reason.clone());
            let notice =
                Notice { request: None, ..open.notice(Outcome::Superseded, reason, self.now) };
            self.announce(notice);
            if let Some(request) = open.request.as_ref().and_then(|id| self.state.request_mut(id)) {
                request.progress = Progress::Deployed(None);
            }
        }
    }

    /// Promoting anything but the newest is a choice that automation must not undo; promoting the
    /// newest ends it.
    pub(super) fn note_choice(&mut self, digest: &Digest, wanted: &Wanted<'_>) -> Decided<()> {
        if !wanted.is_choice {
            return Ok(());
        }
        self.state.passed_over = None;
        self.state.hold = if self.seen.newest.as_ref() == Some(digest) {
            None
        } else {
            self.withdraw(&format!("{} promoted another image on purpose", wanted.by), &wanted.by)?;
            let reason = format!(
                "{} was promoted on purpose, and is not the newest `{}`",
                digest.short(),
                self.app.config.source_tag
            );
            Some(Hold { by: wanted.by.to_string(), at: self.now, reason })
        };
        Ok(())
    }

    /// The tag that the image has or gets: the wanted one where nothing speaks against it.
    pub(super) fn tag_for(
        &self,
        digest: &Digest,
        commit: Option<&Commit>,
        wanted: &Wanted<'_>,
    ) -> Option<Tag> {
        let mut taken = self.taken_from(digest);
        // What was moved is not gone back to: CloudFormation would see no change, and ECS would not
        // pull it anew.
        taken.extend(self.state.moved_tag.iter().filter_map(|moved| moved.tag.parse().ok()));
        let is_production = |tag: &&Tag| self.app.config.is_production_tag(tag.as_str());
        let is_free = |tag: &&Tag| {
            self.tags.holder(tag).flatten().is_none_or(|on| on == digest) && !taken.contains(*tag)
        };
        if let Some(tag) = wanted.tag.as_ref().filter(is_production).filter(is_free) {
            return Some(tag.clone());
        }
        taken.extend(wanted.avoid.clone());
        production_tag(digest, commit, self.tags, &taken, &self.app.config)
    }

    /// The image and its commit, unless it cannot be pulled.
    pub(super) fn image(&mut self, digest: &Digest) -> Decided<(&'a Image, Option<Commit>)> {
        self.subject.digest = Some(digest.clone());
        let image = match self.seen.images.get(digest) {
            None => return Err(Step::Read(Question::Image(digest.clone()))),
            Some(Err(reason)) => return Err(self.refused(reason)),
            Some(Ok(image)) => image,
        };
        if let ConfigLocation::Artifact(kind) = &image.config {
            let is_asked_for = self.command.is_some() || self.is_plan;
            let outcome = if is_asked_for { Outcome::Refused } else { Outcome::Ignored };
            return Err(self.nothing(
                outcome,
                format!("{digest} is not a container image but `{}`", brief(kind)),
            ));
        }
        let asked = self
            .state
            .all_requests()
            .find(|request| request.digest == *digest)
            .map(|request| &request.commit);
        let begun =
            || self.state.open.iter().find(|open| open.digest == *digest).map(|open| &open.commit);
        let commit = match asked.or_else(begun) {
            // What people were asked about stays what is promoted, whatever tags the image has got
            // since.
            Some(commit) => commit.clone(),
            None => {
                match commit_of(image, self.tags, self.seen.labels.get(digest), &self.app.config) {
                    CommitOf::Known(commit) => commit,
                    CommitOf::NeedsLabel => {
                        return Err(Step::Read(Question::Label(digest.clone())));
                    }
                    CommitOf::NeedsTags => return Err(self.ask_about_tags([], [digest.clone()])),
                }
            }
        };
        self.subject.commit = commit.clone();
        Ok((image, commit))
    }

    /// Whether CloudFormation is at this promotion now. Only the token in its events says so for
    /// certain; a busy stack whose parameter has this promotion's very own value is enough.
    pub(super) fn is_accepted(&self, open: &Promotion) -> Decided<bool> {
        if open.accepted_at.is_some() || self.value() == open.tag.as_str() {
            return Ok(true);
        }
        Ok(self.events()?.end_of(&open.token).is_some_and(|end| end != UpdateEnd::Unknown))
    }

    /// CloudFormation is at it: what a duplicate finds, or the retry of an invocation that died
    /// after its update.
    pub(super) fn under_way(mut self, open: &Promotion, wanted: &Wanted<'_>) -> Step {
        let reason =
            format!("CloudFormation is at it, since {:.0}", open.accepted_at.unwrap_or(open.at));
        self.subject.tag = Some(open.tag.clone());
        self.subject.token = Some(open.token.clone());
        self.subject.previous_tag = Some(open.previous_tag.clone());
        if open.accepted_at.is_none() {
            self.announce(open.notice(
                Outcome::Promoted,
                accepted(open, &self.app.config),
                self.now,
            ));
        }
        for own in self.state.open.iter_mut().filter(|own| own.token == open.token) {
            own.accepted_at = own.accepted_at.or(Some(self.now));
            own.request = own.request.take().or_else(|| wanted.request.clone());
            if !wanted.via.is_automation() && own.via.is_automation() {
                own.by = wanted.by.to_string();
                own.via = wanted.via;
                own.basis = Some(wanted.basis);
            }
        }
        // What was under way when people approved it was told before: their message says so all the
        // same.
        if let Some(request) = wanted.request.as_ref().and_then(|id| self.state.request_mut(id)) {
            request.progress = Progress::Deploying;
        }
        self.nothing(Outcome::Promoted, reason)
    }

    /// The promotion that gets this image this tag: the open one, so that every retry sends the
    /// same token, or a new one.
    pub(super) fn promotion(
        &mut self,
        open: Option<&Promotion>,
        digest: &Digest,
        commit: Option<Commit>,
        tag: Tag,
        wanted: &Wanted<'_>,
    ) -> Decided<Promotion> {
        self.permit(digest, wanted)?;
        let running = self.state.running.clone();
        let previous_tag =
            running.as_ref().map_or_else(|| self.value().to_owned(), |running| running.tag.clone());
        let (previous_commit, previous_digest) =
            running.map_or((None, None), |running| (running.commit, running.digest));
        let same = open.filter(|open| open.tag == tag);
        self.supersede_others(same, !wanted.via.is_automation())?;
        let promotion = match same {
            // A person who wants what automation had begun makes it theirs: it then waits for no
            // one.
            Some(open) if open.via.is_automation() && !wanted.via.is_automation() => Promotion {
                by: wanted.by.to_string(),
                via: wanted.via,
                basis: Some(wanted.basis),
                command: wanted.command.map(str::to_owned),
                request: wanted.request.clone().or_else(|| open.request.clone()),
                ..open.clone()
            },
            Some(open) => Promotion {
                request: open.request.clone().or_else(|| wanted.request.clone()),
                ..open.clone()
            },
            None => Promotion {
                token: Token::of(
                    &self.app.repository,
                    &self.app.config.stack,
                    digest,
                    &tag,
                    self.state.ended,
                ),
                digest: digest.clone(),
                commit,
                tag,
                previous_tag: previous_tag.clone(),
                previous_commit: previous_commit.clone(),
                previous_digest: previous_digest.clone(),
                stack: self.app.config.stack.clone(),
                by: wanted.by.to_string(),
                via: wanted.via,
                basis: Some(wanted.basis),
                at: self.now,
                sent_at: None,
                accepted_at: None,
                command: wanted.command.map(str::to_owned),
                rolls_back: wanted.rolls_back.clone(),
                rolls_back_digest: wanted.rolls_back_digest.clone(),
                cancelled_by: None,
                request: wanted.request.clone().or_else(|| self.request_about(digest)),
                votes: Vec::new(),
                deletes_change_sets: Vec::new(),
            },
        };
        let promotion = if self.stack.phase() == Phase::AtRest {
            // It goes now. What ran before is what runs now, not what ran when it was queued.
            let sent_at = promotion.sent_at.or(Some(self.now));
            Promotion { previous_tag, previous_commit, previous_digest, sent_at, ..promotion }
        } else {
            promotion
        };
        let votes = promotion
            .request
            .as_ref()
            .and_then(|id| self.state.request_mut(id))
            .map(|request| request.votes.clone());
        // Of a question that is the present one no more, the state keeps less.
        let votes = votes
            .filter(|votes| votes.len() >= promotion.votes.len())
            .unwrap_or_else(|| promotion.votes.clone());
        let promotion = Promotion { votes, ..promotion };
        self.state.open.retain(|open| open.token != promotion.token);
        self.state.open.push(promotion.clone());
        self.subject.token = Some(promotion.token.clone());
        if let Some(command) = &mut self.command {
            command.token = Some(promotion.token.clone());
        }
        Ok(promotion)
    }

    /// Whether the approval that it rests on, if it rests on one, was read and not only decided
    /// just now.
    pub(super) fn is_verdict_written(&self, wanted: &Wanted<'_>) -> bool {
        let may_go = |state: &State, id: &RequestId| {
            state.all_requests().any(|request| request.id == *id && request.may_go())
        };
        let is_new = |id: &RequestId| {
            may_go(&self.state, id)
                && !self.seen.state.as_ref().is_some_and(|seen| may_go(seen, id))
        };
        !wanted.request.as_ref().is_some_and(is_new)
    }

    /// Whether it goes on by itself when what is in the way is gone: automation's, or what people
    /// approved.
    pub(super) fn is_standing(&self, wanted: &Wanted<'_>) -> bool {
        let is_approved = |id: &RequestId| {
            self.state.all_requests().any(|request| request.id == *id && request.is_approved)
        };
        wanted.via.is_automation() || wanted.request.as_ref().is_some_and(is_approved)
    }

    /// The undecided request about this image: whoever promotes it, its message says what became of
    /// it.
    fn request_about(&self, digest: &Digest) -> Option<RequestId> {
        let request = self.state.request.as_ref()?;
        (request.digest == *digest && !request.progress.is_final()).then(|| request.id.clone())
    }

    /// What was begun and never reached CloudFormation gives way to what is wanted now.
    /// What a person wanted gives way only to what a person wants.
    pub(super) fn supersede_others(
        &mut self,
        but: Option<&Promotion>,
        by_person: bool,
    ) -> Decided<()> {
        for other in self.state.open.clone() {
            let is_kept = Some(&other.token) == but.map(|but| &but.token)
                || !by_person && !other.via.is_automation();
            if is_kept || self.stack.phase() == Phase::Busy && self.is_accepted(&other)? {
                continue;
            }
            let reason = "something else was to be promoted before it was sent";
            self.end(&other, End::Superseded, reason);
            // People heard that it waits: they hear that it does so no more.
            let goes_on = self.subject.digest.as_ref() == Some(&other.digest);
            if by_person && !other.via.is_automation() && !goes_on {
                let notice =
                    Notice { request: None, ..other.notice(Outcome::Superseded, reason, self.now) };
                self.announce(notice);
            }
        }
        Ok(())
    }

    /// Records the intent while the tag is put on the image, then sends the update, then tells.
    pub(super) fn send(
        mut self,
        promotion: Promotion,
        image: &Image,
        wanted: &Wanted<'_>,
    ) -> Decided {
        let tried = &self.seen.learned;
        let is_known = tried
            .known_token
            .as_ref()
            .is_some_and(|(token, times)| *token == promotion.token && *times >= KNOWN_TOKEN);
        if is_known && self.events()?.end_of(&promotion.token).is_none() {
            // The token of an update that was sent before the state was lost, for one: this
            // promotion needs another.
            self.end(
                &promotion,
                End::Superseded,
                "CloudFormation knows its request token from before: it goes under another",
            );
            return self.go(&promotion.digest, wanted);
        }
        if tried.no_updates.as_ref() == Some(&promotion.token) {
            return Ok(self.fail(&promotion, NO_UPDATES.to_owned()));
        }
        if let Some((_, reason)) =
            tried.refused.as_ref().filter(|(token, _)| *token == promotion.token)
        {
            return Ok(self.fail(&promotion, reason.clone()));
        }
        let update = self.update(promotion.token.clone(), promotion.tag.clone());
        let (mut draft, promotion, send) = if self.needs_review() {
            let token = promotion.token.clone();
            let (draft, promotion, arn) = self.reviewed(promotion, &update, wanted)?;
            (draft, promotion, Action::ExecuteChangeSet { token, arn })
        } else {
            (self, promotion, Action::UpdateStack(update))
        };
        draft.state.waiting = None;
        let needs_tag = !draft.tags.is_on(&promotion.tag, &promotion.digest);
        let put_tag = needs_tag
            .then(|| Action::PutTag { image: Box::new(image.clone()), tag: promotion.tag.clone() });
        // Where tags can be moved, PutImage would take it from whoever was faster: the state says
        // first whose it is.
        let may_take_it = match &draft.seen.mutability {
            _ if !needs_tag => false,
            None => return Err(Step::Read(Question::Mutability)),
            Some(mutability) => mutability.can_move(&promotion.tag),
        };
        let mut told = draft.state.clone();
        if matches!(send, Action::ExecuteChangeSet { .. }) {
            // Executing a change set deletes all others.
            told.change_sets.iter_mut().for_each(|own| own.is_removed = true);
        }
        for own in told.open.iter_mut().filter(|own| own.token == promotion.token) {
            own.accepted_at = Some(draft.now);
        }
        let promoted =
            promotion.notice(Outcome::Promoted, accepted(&promotion, &draft.app.config), draft.now);
        told.note(&promoted);
        told.untold.push(promoted);
        let answer = draft.answer(Outcome::Promoted, accepted(&promotion, &draft.app.config));
        let save = draft.save(draft.command.clone());
        // An approval is one from the moment that it is written: of two decisions the other one may
        // be the first.
        let mut stages = if may_take_it {
            let check = draft.tags_to_check(&promotion);
            vec![save.into_iter().chain([check]).collect(), put_tag.into_iter().collect()]
        } else if draft.is_verdict_written(wanted) {
            vec![save.into_iter().chain(put_tag).collect()]
        } else {
            vec![save.into_iter().collect(), put_tag.into_iter().collect()]
        };
        stages.retain(|stage: &Vec<Action>| !stage.is_empty());
        stages.push(vec![send]);
        stages.extend(tell_and_mark(&told, &[], draft.now));
        stages.extend(draft.keep_answer(&answer));
        Ok(Step::Do(Plan { stages, reply: answer.into() }))
    }

    /// Where tags can be moved: the promotion's own tag must be free, and the running one must
    /// still be on its image, or people have to hear of it first.
    fn tags_to_check(&self, promotion: &Promotion) -> Action {
        let own = (promotion.tag.clone(), promotion.digest.clone());
        let running = self.state.running.as_ref().filter(|_| self.state.moved_tag.is_none());
        let running = running.and_then(|running| {
            Some((self.as_production_tag(&running.tag)?, running.digest.clone()?))
        });
        Action::CheckTags([own].into_iter().chain(running).collect())
    }

    pub(super) fn update(&self, token: Token, tag: Tag) -> Update {
        let config = &self.app.config;
        let mut capabilities = self.stack.capabilities.clone();
        capabilities
            .extend(config.capabilities.iter().map(|capability| capability.as_str().to_owned()));
        capabilities.sort_unstable();
        capabilities.dedup();
        Update {
            token,
            tag,
            others: self
                .stack
                .parameters
                .iter()
                .map(|p| p.key.clone())
                .filter(|key| *key != config.parameter)
                .collect(),
            capabilities,
            rollback: config.rollback.clone(),
        }
    }

    /// CloudFormation refused it for good.
    pub(super) fn fail(mut self, promotion: &Promotion, reason: String) -> Step {
        self.state.waiting = None;
        self.end(promotion, End::Failed, reason.clone());
        self.announce(promotion.notice(Outcome::Failed, reason.clone(), self.now));
        self.nothing(Outcome::Failed, reason)
    }

    /// It waits, and says so once. What a person ordered and is blocked waits for nobody: it must
    /// be said again.
    pub(super) fn wait(mut self, outcome: Outcome, reason: String, wanted: &Wanted<'_>) -> Step {
        let is_kept = self.is_standing(wanted) || outcome == Outcome::Queued;
        let before =
            self.seen.state.as_ref().and_then(|state| state.waiting.clone()).filter(|_| is_kept);
        let is_told = before.as_ref().is_some_and(|b| {
            b.outcome == outcome && (outcome == Outcome::Queued || b.reason == kept_reason(&reason))
        });
        let notice = self.notice(outcome, &reason, &wanted.by);
        if is_told {
            self.state.note(&notice)
        } else {
            self.announce(notice)
        }
        if is_kept {
            let now = Waiting { since: self.now, outcome, reason: kept_reason(&reason) };
            self.state.waiting = Some(before.filter(|_| is_told).unwrap_or(now));
        }
        self.nothing(outcome, reason)
    }

    pub(super) fn busy(&self) -> String {
        format!(
            "stack `{}` is in {}: it goes on by itself when that has ended",
            self.stack.name, self.stack.status
        )
    }
}
