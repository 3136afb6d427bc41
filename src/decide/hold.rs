//! `hold` and `resume`: whether pushes ask for approval.

use super::draft::Draft;
use super::plan::Plan;
use crate::model::answer::Outcome;
use crate::model::command::Command;
use crate::model::config::policy::Mode;
use crate::model::state::{Hold, Waiting};

/// `hold`: from now on, pushes ask for approval instead of deploying.
pub(super) fn hold(mut draft: Draft<'_>, command: &Command, reason: &str) -> Plan {
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

/// `resume`: pushes deploy again, and the newest image at the schedule's next look.
pub(super) fn resume(mut draft: Draft<'_>, command: &Command) -> Plan {
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
