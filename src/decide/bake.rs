//! The bake: for some time after a promotion, alarms are watched. One that goes off takes the
//! promotion back, holds the app or is told, once. CONTRACT: 6.17.

use std::ops::ControlFlow::{Break, Continue};

use super::draft::Draft;
use super::plan::{Decided, First, MayEnd, Plan};
use super::promote::promote;
use super::rollback::rollback_for_alarm;
use crate::model::Digest;
use crate::model::answer::Outcome;
use crate::model::approval::Progress;
use crate::model::bake::{Alarm, Bake, WatchedAlarm, alarm_name};
use crate::model::config::after::{BakeRule, OnAlarm};
use crate::model::limits::{VALUE, cut};
use crate::model::promotion::Promotion;
use crate::model::stack::Phase;
use crate::model::state::Hold;
use crate::model::unread::Unread;
use crate::world::snapshot::Question;

/// After how many looks that could not read the alarms people are told.
const FAILED_READS: u32 = 3;

/// Watches the alarms. Ends the decision if one of them takes the promotion back.
pub(super) fn watch(mut draft: Draft<'_>) -> MayEnd<Draft<'_>> {
    let Some(bake) = draft.state.bake.clone() else { return Ok(Continue(draft)) };
    draft.subject.digest = Some(bake.digest.clone());
    draft.subject.tag = Some(bake.tag.clone());
    let Some(rule) = draft.app.config.bake.clone() else {
        draft.state.end_bake();
        return Ok(Continue(draft));
    };
    // What a person promotes next ends the bake, and what a person cancels is cancelled first.
    // While CloudFormation is at work, an alarm may go back to OK.
    let is_at_rest = draft.stack.phase() == Phase::AtRest;
    let is_a_persons = |open: &Promotion| !open.via.is_automation() || open.cancelled_by.is_some();
    if draft.state.open.iter().any(is_a_persons) {
        return Ok(Continue(draft));
    }
    if is_at_rest && !is_baking(&draft, &bake) {
        draft.state.end_bake();
        return Ok(Continue(draft));
    }
    let alarms = match alarms(&draft, &rule)? {
        Ok(alarms) => alarms,
        Err(unread) => {
            note_failed_read(&mut draft, bake, unread);
            return Ok(Continue(draft));
        }
    };
    if !is_at_rest {
        return Ok(match bake.tripped(alarms).filter(|_| draft.stack.phase() == Phase::Busy) {
            Some(alarm) => Break(wait_for_the_stack(draft, alarm)),
            None => Continue(draft),
        });
    }
    note_alarms(&mut draft, &bake, &rule, alarms);
    if let Some(alarm) = bake.tripped(alarms) {
        draft.state.end_bake();
        return act(draft, &rule, alarm);
    }
    if draft.now >= bake.until {
        draft.state.end_bake();
    }
    Ok(Continue(draft))
}

/// Whether the stack still runs the promotion that bakes.
fn is_baking(draft: &Draft<'_>, bake: &Bake) -> bool {
    draft.value() == bake.tag.as_str() && draft.running_digest().as_ref() == Some(&bake.digest)
}

/// The alarms of the configuration; asks for them if they were not read.
fn alarms<'a>(draft: &Draft<'a>, rule: &BakeRule) -> Decided<Result<&'a [Alarm], &'a Unread>> {
    if let Some(unread) = &draft.seen.learned.unread_alarms {
        return Ok(Err(unread));
    }
    match &draft.seen.alarms {
        Some(alarms) => Ok(alarms.as_deref()),
        None => {
            let names = rule.alarms.iter().map(|alarm| alarm_name(alarm).to_owned()).collect();
            Err(First::Read(Question::Alarms(names)))
        }
    }
}

/// Alarms that cannot be read roll nothing back. A missing right is told at once, another failure
/// once it lasts.
fn note_failed_read(draft: &mut Draft<'_>, mut bake: Bake, unread: &Unread) {
    bake.failed_reads += 1;
    let lasts = bake.failed_reads >= FAILED_READS;
    draft.state.bake = Some(bake.clone());
    if unread.is_denied || lasts {
        let words = format!("the alarms of the bake cannot be read: {}", unread.words);
        // The words of a failure differ from call to call.
        let what = if unread.is_denied { "denied" } else { "failing" };
        tell_once(draft, what, &words);
    }
    if lasts && draft.now >= bake.until {
        draft.state.end_bake();
    }
}

/// Keeps what the alarms show, and tells once of each that does not count.
fn note_alarms(draft: &mut Draft<'_>, bake: &Bake, rule: &BakeRule, alarms: &[Alarm]) {
    let watched = rule.alarms.iter().map(|alarm| {
        let name = alarm_name(alarm);
        let state = alarms.iter().find(|alarm| alarm.name == name).map(|alarm| alarm.state.clone());
        WatchedAlarm { name: name.to_owned(), state }
    });
    let watched: Vec<WatchedAlarm> = watched.collect();
    if let Some(bake) = &mut draft.state.bake {
        bake.alarms.clone_from(&watched);
        bake.failed_reads = 0;
    }
    show(draft, &bake.digest);
    for missing in watched.iter().filter(|alarm| alarm.state.is_none()) {
        let words = format!(
            "the bake cannot watch the alarm `{}`, since it does not exist in the stack's account \
             and region",
            missing.name
        );
        tell_once(draft, &missing.name, &words);
    }
    let before: Vec<&Alarm> = bake.on_before(alarms).collect();
    for alarm in before {
        let words = format!(
            "the alarm `{}` was in ALARM before the promotion was deployed, so the bake does not \
             count it: {}",
            alarm.name, alarm.reason
        );
        tell_once(draft, &alarm.name, &words);
    }
}

/// Shows in the message of its request how the promotion bakes.
fn show(draft: &mut Draft<'_>, digest: &Digest) {
    let Some(bake) = &draft.state.bake else { return };
    let words = format!("Baking {}.", bake.words());
    let request = draft.state.request.as_mut().filter(|request| request.digest == *digest);
    if let Some(request) = request
        && matches!(request.progress, Progress::Deployed(_) | Progress::Baking(_))
    {
        request.progress = Progress::Baking(words);
    }
}

/// Notifies people of something about this bake, unless they were told of `what` before.
fn tell_once(draft: &mut Draft<'_>, what: &str, words: &str) {
    let what = cut(what, VALUE);
    let Some(bake) = &mut draft.state.bake else { return };
    if bake.told.contains(&what) {
        return;
    }
    bake.told.push(what);
    let notice = draft.notice(Outcome::Unchanged, words, "bake");
    let notice = notice.about("an alarm of the bake does not count");
    draft.announce(notice);
}

/// Acts on an alarm that went off.
fn act<'a>(mut draft: Draft<'a>, rule: &BakeRule, alarm: &Alarm) -> MayEnd<Draft<'a>> {
    draft.state.alarmed.extend(draft.subject.digest.clone());
    let by = format!("alarm `{}`", alarm.name);
    let link = alarm.console_url().map_or_else(String::new, |url| format!(" {url}"));
    let why = format!("alarm `{}` went off: {}{link}", alarm.name, alarm.reason);
    match rule.on_alarm {
        OnAlarm::Rollback => match rollback_for_alarm(&mut draft, &by, &why)? {
            Continue((digest, cause)) => promote(draft, &digest, &cause).map(Break),
            Break(problem) => {
                hold(&mut draft, &by, &format!("{why}. It cannot be rolled back: {problem}"));
                Ok(Continue(draft))
            }
        },
        OnAlarm::Hold => {
            hold(&mut draft, &by, &why);
            Ok(Continue(draft))
        }
        OnAlarm::Tell => {
            let notice = draft.notice(Outcome::Unchanged, &why, &by);
            draft.announce(notice.about("an alarm went off"));
            Ok(Continue(draft))
        }
    }
}

fn hold(draft: &mut Draft<'_>, by: &str, reason: &str) {
    let notice = draft.notice(Outcome::Held, reason, by);
    draft.announce(notice);
    draft.state.hold = Some(Hold { by: by.to_owned(), at: draft.now, reason: reason.to_owned() });
}

/// The stack is busy: the alarm is judged again when it is at rest.
fn wait_for_the_stack(draft: Draft<'_>, alarm: &Alarm) -> Plan {
    let reason = format!(
        "alarm `{}` went off while stack `{}` is in {}: it is judged again at rest",
        alarm.name, draft.stack.name, draft.stack.status
    );
    draft.nothing(Outcome::Queued, reason)
}
