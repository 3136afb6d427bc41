//! Settling: before anything new is decided, what became of the promotions that were begun, and
//! whether somebody else changed the parameter. CONTRACT: parameters are judged only at rest, and
//! whose update it was only its token says.

use super::draft::Draft;
use super::{Decided, Step};
use crate::model::answer::Outcome;
use crate::model::config::App;
use crate::model::image::{Tags, commit_in};
use crate::model::notice::Notice;
use crate::model::promotion::{Basis, End, Promotion};
use crate::model::stack::{Phase, Stack, UpdateEnd};
use crate::model::state::{Hold, MovedTag, Recent, Running};
use crate::model::{Digest, Tag};
use crate::world::snapshot::{Question, Snapshot};

/// Who set what ran when the app was first seen.
const BEFORE: &str = "before ecr-promoter";
/// Who changed what ecr-promoter did not change.
const OUTSIDE: &str = "somebody outside ecr-promoter";

/// The state as this look finds it.
pub(super) fn settle<'a>(
    app: &'a App,
    seen: &'a Snapshot,
    stack: &'a Stack,
    tags: &'a Tags,
    is_push: bool,
) -> Decided<Draft<'a>> {
    let mut draft = Draft { is_push, ..Draft::new(app, seen, stack, tags) };
    draft.tell_of_policy()?;
    match stack.phase() {
        Phase::AtRest => {
            draft.close_ended()?;
            draft.recognize_value()?;
            draft.close_hopeless()?;
        }
        Phase::Broken => draft.close_ended()?,
        Phase::Busy | Phase::Leaving | Phase::Gone => {}
    }
    draft.note_what_ran_first()?;
    draft.check_running_tag()?;
    draft.retire_request()?;
    Ok(draft)
}

impl Draft<'_> {
    /// People are told once when it changes who decides, or where to: whoever may write the
    /// configuration decides that in the end.
    fn tell_of_policy(&mut self) -> Decided<()> {
        let now = self.app.policy();
        let (parameter, stack) = (&self.app.config.parameter, &self.stack.name);
        let seen = self.seen.state.as_ref();
        let target = seen
            .map(|before| (before.parameter.clone(), before.stack.clone()))
            .filter(|_| self.has_moved);
        let mut changes = Vec::new();
        if let Some((old_parameter, old_stack)) = target {
            changes.push(format!(
                "target: `{old_parameter}` of stack `{old_stack}` before, \
                                  `{parameter}` of stack `{stack}` now"
            ));
        }
        if let Some(before) = self.state.policy.as_ref().filter(|before| **before != now) {
            // A sandbox may go on with a configuration that is a minute old.
            if !self.seen.is_configuration_newer {
                return Err(Step::Read(Question::Configuration));
            }
            changes.extend(now.changes_since(before));
        }
        if !changes.is_empty() {
            let reason = format!(
                "the configuration in Parameter Store {} has changed; {}",
                self.app.source,
                changes.join("; ")
            );
            self.announce(Notice::new(
                Outcome::Unchanged,
                "whoever may write that parameter",
                reason,
                self.now,
            ));
        }
        self.state.policy = Some(now);
        Ok(())
    }

    /// Ends the open promotions that CloudFormation has ended.
    fn close_ended(&mut self) -> Decided<()> {
        for open in self.state.open.clone() {
            if self.stack.phase() == Phase::AtRest && self.value() == open.tag.as_str() {
                self.deployed(&open);
                continue;
            }
            match self.events()?.end_of(&open.token) {
                // Never taken: it is sent (again) when its turn comes, under the same token.
                None => {}
                // The events are newer than the stack's status: look at the stack again.
                Some(UpdateEnd::Running) => {
                    self.look_again()?;
                    self.lose_sight_of(&open, "its events do not say that the update has ended");
                }
                Some(UpdateEnd::Complete) => self.deployed(&open),
                Some(UpdateEnd::Failed(reason)) => self.failed(&open, &reason),
                Some(UpdateEnd::Unknown)
                    if open.sent_at.is_none() && open.accepted_at.is_none() => {}
                Some(UpdateEnd::Unknown) => self.lose_sight_of(
                    &open,
                    "so much has happened on it since that its newest events do not tell",
                ),
            }
        }
        Ok(())
    }

    fn deployed(&mut self, open: &Promotion) {
        self.end(open, End::Deployed, "CloudFormation finished the update");
        let mut notice =
            open.notice(Outcome::Deployed, "CloudFormation finished the update", self.now);
        notice.took_seconds = Some(self.now.duration_since(open.at).as_secs());
        self.announce(notice);
    }

    pub(super) fn failed(&mut self, open: &Promotion, reason: &str) {
        match &open.cancelled_by {
            Some(by) => {
                let reason = format!("cancelled by {by}");
                self.end(open, End::Cancelled, reason.clone());
                self.announce(open.notice(Outcome::Cancelled, reason, self.now));
            }
            None => self.end_as_failed(open, reason),
        }
    }

    fn end_as_failed(&mut self, open: &Promotion, reason: &str) {
        self.end(open, End::Failed, reason);
        self.announce(open.notice(Outcome::Failed, reason, self.now));
    }

    /// The stack is at rest without the promotion's tag, and nothing says why. A person has to
    /// look: automation stays away.
    fn lose_sight_of(&mut self, open: &Promotion, why: &str) {
        let reason = format!(
            "stack `{}` is at rest and does not run `{}`, and {why}: look at the stack's events, \
             then promote what should run",
            self.stack.name, open.tag
        );
        self.end_as_failed(open, &reason);
        self.hold(reason);
    }

    /// At rest: the parameter has the value that the state explains, or somebody else set it.
    fn recognize_value(&mut self) -> Decided<()> {
        let value = self.value();
        // An older version did not keep it apart.
        let first = self
            .state
            .running
            .as_ref()
            .filter(|running| running.by == BEFORE)
            .and_then(|running| running.digest.clone());
        self.state.first_ran = self.state.first_ran.take().or(first);
        match &self.state.running {
            None => {
                let found = self.found()?;
                self.state.first_ran.clone_from(&found.digest);
                self.state.first_tag = found.digest.is_none().then(|| found.tag.clone());
                self.state.running = Some(found);
            }
            // Its tag was not there yet, or was not asked for.
            Some(running) if running.tag == value && running.digest.is_none() => {
                let found = self.found()?;
                self.state.running =
                    Some(Running { digest: found.digest, commit: found.commit, ..running.clone() });
            }
            Some(running) if running.tag == value => {}
            Some(running) => {
                // State and stack are read side by side, so one of them may be older: only the
                // events, read after both, tell a change by somebody else from one of ours that the
                // other read has not seen.
                let events = self.events()?;
                let made_it = events.newest_complete();
                let ours = self
                    .state
                    .recent
                    .iter()
                    .find(|recent| made_it.is_some_and(|event| event.is_of(&recent.token)));
                let last_deployed =
                    self.state.recent.iter().rev().find(|recent| recent.end == End::Deployed);
                let has_arrived = |ours: &Recent| {
                    events.end_of(&ours.token) == Some(UpdateEnd::Complete)
                        && last_deployed != Some(ours)
                };
                match ours {
                    // It had given way to something newer, and yet it arrived (again): its sandbox
                    // had stalled.
                    Some(ours) if has_arrived(ours) && running.digest.is_some() => {
                        self.is_stray = true;
                        return Ok(());
                    }
                    Some(Recent { end: End::Deployed | End::Failed | End::Cancelled, .. }) => {
                        self.look_again()?
                    }
                    Some(Recent { end: End::Superseded | End::Blocked, .. }) | None => {}
                }
                if running.digest.is_some() && running.digest == self.seen.newest {
                    self.state.passed_over = running.digest.clone();
                }
                let was = running.tag.clone();
                self.adopt(format!(
                    "{} was changed from `{was}` to `{value}` outside ecr-promoter",
                    self.app.config.parameter
                ))?;
            }
        }
        Ok(())
    }

    /// Takes what the stack has for what runs, tells people why, and holds the app.
    pub(super) fn adopt(&mut self, reason: String) -> Decided<()> {
        let tag: Option<Tag> = self.value().parse().ok();
        if let Some(tag) = &tag {
            self.holder(tag)?;
        }
        let recorded = tag.and_then(|tag| self.recorded(&tag).cloned());
        let found = self.found()?;
        let digest = recorded.or(found.digest);
        self.state.running =
            Some(Running { by: OUTSIDE.to_owned(), since: Some(self.now), digest, ..found });
        self.hold(reason);
        Ok(())
    }

    /// What the parameter's value says of what runs.
    fn found(&self) -> Decided<Running> {
        let tag: Option<Tag> = self.value().parse().ok();
        let digest = match &tag {
            Some(tag) if self.is_urgent()? => self.tags.holder(tag).flatten().cloned(),
            Some(tag) => self.holder(tag)?.cloned(),
            None => None,
        };
        let by_tags =
            digest.as_ref().and_then(|digest| self.tags.commit(digest, &self.app.config)).flatten();
        let commit = by_tags.or_else(|| tag.as_ref().and_then(commit_in));
        Ok(Running {
            tag: self.value().to_owned(),
            digest,
            commit,
            since: None,
            by: BEFORE.to_owned(),
        })
    }

    /// Whether a push is about to go out: what another look can find out as well does not hold it
    /// up.
    fn is_urgent(&self) -> Decided<bool> {
        let Some(newest) = self.seen.newest.as_ref().filter(|_| self.is_push) else {
            return Ok(false);
        };
        let is_new = self.running_digest().as_ref() != Some(newest);
        Ok(is_new
            && self.stack.phase() == Phase::AtRest
            && self.objection(newest, Basis::Automation, None)?.is_none())
    }

    /// Finds out which image ran when the app was first seen, where a push did not wait for that.
    fn note_what_ran_first(&mut self) -> Decided<()> {
        let is_urgent = self.is_urgent()?;
        let Some(tag) = self.state.first_tag.as_ref().filter(|_| !is_urgent) else { return Ok(()) };
        if let Some(tag) = self.as_production_tag(tag) {
            self.state.first_ran = self.holder(&tag)?.cloned();
        }
        self.state.first_tag = None;
        Ok(())
    }

    /// A production tag means the image that it was made for. Where somebody has put the running
    /// one on another image, what starts next is not what was promoted: people are told, once, and
    /// automation stays away.
    fn check_running_tag(&mut self) -> Decided<()> {
        let Some(Running { tag, digest: Some(digest), .. }) =
            self.state.running.clone().filter(|_| self.is_pinned())
        else {
            self.state.moved_tag = None;
            return Ok(());
        };
        let Ok(name) = tag.parse::<Tag>() else { return Ok(()) };
        // Tags that show it on its image may be as old as they like. A push that goes out asks
        // about it beside its first write.
        let is_suspect = self.seen.learned.taken.contains(&name);
        let to = match self.tags.holder(&name) {
            None if !is_suspect && self.is_urgent()? => return Ok(()),
            None => self.holder(&name)?,
            Some(to) => to,
        };
        if to == Some(&digest) {
            self.state.moved_tag = None;
            return Ok(());
        }
        let moved = MovedTag { tag, to: to.cloned() };
        if self.state.moved_tag.as_ref() == Some(&moved) {
            return Ok(());
        }
        // The tags may have been read before the promotion that the state tells of.
        if !self.seen.asked_tags.contains(&name) {
            return Err(self.ask_about_tags([name], []));
        }
        let on = moved.to.as_ref().map_or("no image".to_owned(), Digest::to_string);
        self.hold(format!(
            "the tag `{}` was put on {digest} and is now on {on}: what starts next \
                           is not what was promoted",
            moved.tag
        ));
        self.state.moved_tag = Some(moved);
        Ok(())
    }

    /// Ends what waits at rest and cannot go any more: the image of what a person wanted is gone,
    /// or the policy forbids it now, or automation's own is the newest no more.
    fn close_hopeless(&mut self) -> Decided<()> {
        for open in self.state.open.clone() {
            let is_way_back = self.is_stray && self.running_digest().as_ref() == Some(&open.digest);
            if open.via.is_automation()
                && (is_way_back || self.seen.newest.as_ref() == Some(&open.digest))
            {
                continue;
            }
            if open.via.is_automation() {
                // What is newest may have been read before the state that tells of this promotion.
                if !self.seen.asked_tags.contains(&self.app.config.source_tag) {
                    return Err(self.ask_about_tags([self.app.config.source_tag.clone()], []));
                }
                self.end(
                    &open,
                    End::Superseded,
                    format!("`{}` is on another image now", self.app.config.source_tag),
                );
                continue;
            }
            let problem =
                match (self.seen.images.get(&open.digest), self.seen.unavailable.get(&open.digest))
                {
                    (None, _) => return Err(Step::Read(Question::Image(open.digest))),
                    (Some(Err(problem)), _) => Some(problem),
                    (Some(Ok(_)), None) => {
                        return Err(Step::Read(Question::Availability(open.digest)));
                    }
                    (Some(Ok(_)), Some(problem)) => problem.as_ref(),
                };
            if let Some(problem) = problem {
                self.end_as_failed(&open, problem);
            } else if let Some(objection) =
                self.objection(&open.digest, open.basis(), open.request.as_ref())?
            {
                // It might go when it was queued, and may not any more.
                self.end(&open, End::Superseded, objection.clone());
                self.announce(open.notice(Outcome::Superseded, objection, self.now));
            }
        }
        Ok(())
    }

    /// Holds the app for something that nobody told us of, and tells people.
    fn hold(&mut self, reason: String) {
        let notice = self.notice(Outcome::Held, &reason, OUTSIDE);
        self.announce(notice);
        self.state.hold = Some(Hold { by: OUTSIDE.to_owned(), at: self.now, reason });
    }
}
