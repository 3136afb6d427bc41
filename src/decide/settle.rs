//! Settling: before anything new is decided, what became of the promotions that were begun, and whether somebody else
//! changed the parameter. CONTRACT: parameters are judged only at rest, and whose update it was only its token says.

use super::draft::Draft;
use super::{Decided, Step};
use crate::answer::Outcome;
use crate::config::App;
use crate::image::Tags;
use crate::stack::{Phase, Stack, UpdateEnd};
use crate::state::{End, Hold, Promotion, Recent, Running};
use crate::world::{Question, Snapshot};

/// Who changed what ecr-promoter did not change.
const OUTSIDE: &str = "somebody outside ecr-promoter";

/// The state as this look finds it.
pub(super) fn settle<'a>(app: &'a App, seen: &'a Snapshot, stack: &'a Stack, tags: &'a Tags) -> Decided<Draft<'a>> {
    let mut draft = Draft::new(app, seen, stack, tags);
    match stack.phase() {
        Phase::AtRest => {
            draft.close_ended()?;
            draft.recognize_value()?;
        }
        Phase::Broken => draft.close_ended()?,
        Phase::Busy | Phase::Leaving | Phase::Gone => {}
    }
    draft.retire_request()?;
    Ok(draft)
}

impl Draft<'_> {
    /// Ends the open promotions that CloudFormation has ended.
    fn close_ended(&mut self) -> Decided<()> {
        for open in self.state.open.clone() {
            if self.stack.phase() == Phase::AtRest && self.value() == open.tag.as_str() {
                self.deployed(&open);
                continue;
            }
            let events = self.seen.events.as_ref().ok_or(Step::Read(Question::Events(Some(open.at))))?;
            match events.end_of(&open.token) {
                // Never taken: it is sent (again) when its turn comes, under the same token.
                None => {}
                // The events are newer than the stack's status: look at the stack again.
                Some(UpdateEnd::Running) => return Err(Step::LookAgain),
                Some(UpdateEnd::Complete) => self.deployed(&open),
                Some(UpdateEnd::Failed(reason)) => self.failed(&open, &reason),
            }
        }
        Ok(())
    }

    fn deployed(&mut self, open: &Promotion) {
        self.end(open, End::Deployed, "CloudFormation finished the update");
        let mut notice = open.notice(Outcome::Deployed, "CloudFormation finished the update", self.now);
        notice.took_seconds = Some(self.now.duration_since(open.at).as_secs());
        self.announce(notice);
        if self.tags.digest(&open.tag) != Some(&open.digest) {
            let on = self.tags.digest(&open.tag).map_or("no image".to_owned(), |digest| digest.to_string());
            self.hold(format!(
                "the tag `{}` was put on {} and is now on {on}: what runs may not be what was promoted",
                open.tag, open.digest
            ));
        }
    }

    fn failed(&mut self, open: &Promotion, reason: &str) {
        match &open.cancelled_by {
            Some(by) => {
                let reason = format!("cancelled by {by}");
                self.end(open, End::Cancelled, reason.clone());
                self.announce(open.notice(Outcome::Cancelled, reason, self.now));
            }
            None => {
                self.end(open, End::Failed, reason);
                self.announce(open.notice(Outcome::Failed, reason, self.now));
            }
        }
    }

    /// At rest: the parameter has the value that the state explains, or somebody else set it.
    fn recognize_value(&mut self) -> Decided<()> {
        let value = self.value();
        let found = || found_running(value, self.tags, self.app);
        match &self.state.running {
            None => self.state.running = Some(found()),
            Some(running) if running.tag == value => {}
            Some(running) => {
                // State and stack are read side by side, so one of them may be older: only the events, read after both,
                // tell a change by somebody else from one of ours that the other read has not seen.
                let events = self.seen.events.as_ref().ok_or(Step::Read(Question::Events(running.since)))?;
                let made_it = events.newest_complete();
                let ours = self.state.recent.iter().find(|recent| made_it.is_some_and(|event| event.is_of(&recent.token)));
                let last_deployed = self.state.recent.iter().rev().find(|recent| recent.end == End::Deployed);
                let has_arrived = |ours: &Recent| events.end_of(&ours.token) == Some(UpdateEnd::Complete) && last_deployed != Some(ours);
                match ours {
                    // It had given way to something newer, and yet it arrived (again): its sandbox had stalled.
                    Some(ours) if has_arrived(ours) && running.digest.is_some() => {
                        self.is_stray = true;
                        return Ok(());
                    }
                    Some(Recent { end: End::Deployed | End::Failed | End::Cancelled, .. }) => return Err(Step::LookAgain),
                    Some(Recent { end: End::Superseded | End::Blocked, .. }) | None => {}
                }
                if running.digest.is_some() && running.digest == self.seen.newest {
                    self.state.passed_over = running.digest.clone();
                }
                let was = running.tag.clone();
                self.state.running = Some(Running { by: OUTSIDE.to_owned(), since: Some(self.now), ..found() });
                self.hold(format!("{} was changed from `{was}` to `{value}` outside ecr-promoter", self.app.config.parameter));
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

/// What a value that was found says of what runs.
fn found_running(value: &str, tags: &Tags, app: &App) -> Running {
    let digest = value.parse().ok().and_then(|tag| tags.digest(&tag).cloned());
    let commit = digest.as_ref().and_then(|digest| tags.commit(digest, &app.config));
    Running { tag: value.to_owned(), digest, commit, since: None, by: "before ecr-promoter".to_owned() }
}
