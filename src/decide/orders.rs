//! Commands that promote nothing: `cancel`, `hold`, `resume`. Also the notice that an app's
//! configuration cannot be used, told once.

use super::draft::{Draft, tell_and_mark};
use super::{Decided, Plan, Step, Trigger};
use crate::model::Token;
use crate::model::answer::Outcome;
use crate::model::command::Command;
use crate::model::config::{App, ConfigError, Mode};
use crate::model::limits::kept_reason;
use crate::model::notice::Notice;
use crate::model::promotion::{End, Promotion};
use crate::model::stack::Phase;
use crate::model::state::{Hold, State, Waiting};
use crate::world::action::Action;
use crate::world::snapshot::Snapshot;

/// `cancel`: our own update, if it is under way, or what waits to be sent. Another's update is
/// never cancelled.
pub(super) fn cancel(mut draft: Draft<'_>, command: &Command) -> Decided {
    if let Some(under_way) = draft.under_way_now()? {
        draft.mark_cancelled(&under_way, &command.by);
        return Ok(draft.send_cancel(&under_way));
    }
    let mut waiting = Vec::new();
    for open in draft.state.open.clone() {
        if draft.stack.phase() != Phase::Busy || !draft.is_accepted(&open)? {
            waiting.push(open);
        }
    }
    let reason = format!("cancelled by {}", command.by);
    let Some(last) = waiting.last().cloned() else {
        if let Some(request) = draft.withdraw(&reason, &command.by)? {
            draft.about(&request);
            return Ok(draft.nothing(Outcome::Cancelled, reason));
        }
        let under_way = if draft.stack.phase() == Phase::Busy {
            "the stack is busy with an operation that is not ecr-promoter's, or that cannot be \
             cancelled any more"
        } else {
            "nothing is under way"
        };
        return Ok(draft.refused(under_way));
    };
    for open in waiting {
        draft.end(&open, End::Cancelled, reason.clone());
        let notice = open.notice(Outcome::Cancelled, reason.clone(), draft.now);
        draft.announce(notice);
    }
    draft.subject.digest = Some(last.digest.clone());
    draft.subject.commit = last.commit.clone();
    draft.subject.tag = Some(last.tag.clone());
    draft.state.passed_over = Some(last.digest);
    Ok(draft.nothing(Outcome::Cancelled, reason))
}

/// `hold`: from now on automation asks.
pub(super) fn hold(mut draft: Draft<'_>, command: &Command, reason: &str) -> Step {
    draft.state.hold =
        Some(Hold { by: command.by.clone(), at: draft.now, reason: reason.to_owned() });
    let notice = draft.notice(Outcome::Held, reason, &command.by);
    draft.announce(notice);
    draft.nothing(
        Outcome::Held,
        format!(
            "pushes ask for approval, until somebody promotes the \
        newest image or resumes ({reason})"
        ),
    )
}

/// `resume`: automation acts again, at the schedule's next look.
pub(super) fn resume(mut draft: Draft<'_>, command: &Command) -> Step {
    let was = draft.state.hold.take();
    let turned_away = draft.state.passed_over.take();
    if was.is_none() && turned_away.is_none() {
        return draft.nothing(Outcome::Resumed, "it was not held".to_owned());
    }
    let is_behind =
        draft.state.running.as_ref().is_none_or(|running| running.digest != draft.seen.newest);
    if draft.app.config.mode == Mode::Auto && is_behind && draft.state.waiting.is_none() {
        draft.state.waiting =
            Some(Waiting { since: draft.now, outcome: Outcome::Queued, reason: String::new() });
    }
    let reason = match was {
        Some(hold) => format!("the hold by {} ({}) was lifted", hold.by, hold.reason),
        None => "the newest image is a candidate again".to_owned(),
    };
    let notice = draft.notice(Outcome::Resumed, &reason, &command.by);
    draft.announce(notice);
    draft.nothing(Outcome::Resumed, reason)
}

/// What the schedule does about a configuration that cannot be used: it is told once, and the look
/// fails every time.
pub(super) fn told_once(
    app: &App,
    trigger: &Trigger,
    seen: &Snapshot,
    error: &ConfigError,
) -> Vec<Vec<Action>> {
    let Trigger::Due(cause) = trigger else { return Vec::new() };
    let trouble = Some(kept_reason(&error.to_string()));
    let state =
        seen.state.clone().unwrap_or_else(|| State::new(&app.config.stack, &app.config.parameter));
    let is_news = state.trouble != trouble;
    let previous_tag = state.running.as_ref().map(|running| running.tag.clone());
    let notice = Notice {
        previous_tag,
        ..Notice::new(Outcome::Blocked, *cause, error.to_string(), seen.at)
    };
    let mut known = State { trouble, ..state };
    known.untold.extend(is_news.then_some(notice));
    // What people could not be told before is told now, though nothing can be decided.
    tell_and_mark(&known, &[], seen.at)
}

impl Draft<'_> {
    /// Our own promotion, if it is the operation that CloudFormation is at now and can still be
    /// cancelled.
    pub(super) fn under_way_now(&self) -> Decided<Option<Promotion>> {
        if self.state.open.is_empty() || self.stack.status != "UPDATE_IN_PROGRESS" {
            return Ok(None);
        }
        let Some(start) = self.events()?.under_way() else { return Ok(None) };
        Ok(self.state.open.iter().find(|open| start.is_of(&open.token)).cloned())
    }

    /// A promotion that was to be cancelled and is still under way: its canceller died in between.
    pub(super) fn unfinished_cancel(&self) -> Decided<Option<Promotion>> {
        if self.state.open.iter().all(|open| open.cancelled_by.is_none()) {
            return Ok(None);
        }
        Ok(self.under_way_now()?.filter(|open| open.cancelled_by.is_some()))
    }

    /// What the command of this token cancelled, while CloudFormation takes it back. A rollback's
    /// token is of what waits behind it.
    pub(super) fn going_back(&self, token: Option<&Token>) -> Option<Promotion> {
        let is_going_back =
            self.stack.phase() == Phase::Busy && self.stack.status.contains("ROLLBACK");
        let cancelled =
            self.state.open.iter().find(|open| open.cancelled_by.is_some() && is_going_back)?;
        let rolls_it_back =
            |open: &Promotion| open.rolls_back.as_deref() == Some(cancelled.tag.as_str());
        let is_its = |open: &Promotion| {
            Some(&open.token) == token && (open.token == cancelled.token || rolls_it_back(open))
        };
        self.state.open.iter().any(is_its).then(|| cancelled.clone())
    }

    /// Keeps who cancels what, before it is done.
    pub(super) fn mark_cancelled(&mut self, under_way: &Promotion, by: &str) {
        for own in self.state.open.iter_mut().filter(|own| own.token == under_way.token) {
            own.cancelled_by = Some(by.to_owned());
        }
        self.state.passed_over = Some(under_way.digest.clone());
        if let Some(command) = &mut self.command {
            command.token.get_or_insert(under_way.token.clone());
        }
    }

    /// Cancels at once: nobody waits for ECS at 3 am. What became of it is told when CloudFormation
    /// has ended it.
    pub(super) fn send_cancel(mut self, under_way: &Promotion) -> Step {
        self.subject.digest = Some(under_way.digest.clone());
        self.subject.commit = under_way.commit.clone();
        self.subject.tag = Some(under_way.tag.clone());
        self.subject.token = Some(under_way.token.clone());
        self.subject.previous_tag = Some(under_way.previous_tag.clone());
        let answer = self.answer(
            Outcome::Cancelled,
            format!(
                "the update to `{}` is being cancelled; the stack goes back to `{}`",
                under_way.tag, under_way.previous_tag
            ),
        );
        let mut stages: Vec<Vec<Action>> =
            self.save(self.command.clone()).map(|save| vec![save]).into_iter().collect();
        let is_cancelled = self.stack.status != "UPDATE_IN_PROGRESS";
        if !is_cancelled {
            stages.push(vec![Action::CancelUpdate(under_way.token.clone())]);
        }
        stages.extend(self.keep_answer(&answer));
        Step::Do(Plan { stages, reply: answer.into() })
    }
}
