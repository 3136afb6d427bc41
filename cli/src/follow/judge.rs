//! Judges from a status and the history how far a promotion has come, and how it ended. No I/O
//! here.

use jiff::Timestamp;

use super::target::{Aim, End, Look, Stage, Target};
use crate::answer::{Bake, Entry, Outcome, Promotion, Status};
use crate::exit::Exit;
use crate::show::{image, short_digest, short_tag};
use crate::text::moment;

/// How many looks in a row may not find the promotion.
const UNSEEN: u32 = 5;

/// Judges the status.
pub fn by_status(target: &mut Target, status: &Status, now: Timestamp) -> Look {
    if target.token.is_none() && matches!(target.aim, Aim::AtRest | Aim::Resumed) {
        match under_way(status) {
            Some((token, digest, tag)) => {
                target.token = Some(token);
                target.digest = Some(digest);
                target.tag = Some(tag);
            }
            None => return at_rest(target, status),
        }
    }
    if target.token.is_none() && target.aim == Aim::Cancelled {
        return Look::Ended(cancelled(target, status));
    }
    match stage(target, status, now) {
        Some(look) => {
            target.unseen = 0;
            look
        }
        None => Look::NeedsHistory,
    }
}

/// What is under way: the token, the image and the tag.
fn under_way(status: &Status) -> Option<(String, String, String)> {
    let named = |it: &Promotion| (it.token.clone(), it.digest.clone(), it.tag.clone());
    let open = status.open.last().map(named);
    let verifying = || status.verifying.as_ref().map(|it| named(&it.promotion));
    let baking = |it: &Bake| (it.token.clone(), it.digest.clone(), it.tag.clone());
    open.or_else(verifying).or_else(|| status.bake.as_ref().map(baking))
}

/// Whether a promotion is the one that is followed. The first look may know the image alone.
fn is_it(target: &Target, promotion: &Promotion) -> bool {
    is_its(target, &promotion.token, &promotion.digest)
}

fn is_its(target: &Target, token: &str, digest: &str) -> bool {
    match &target.token {
        Some(own) => own == token,
        None => target.digest.as_deref() == Some(digest),
    }
}

/// How far the promotion has come, if the status shows it.
fn stage(target: &mut Target, status: &Status, now: Timestamp) -> Option<Look> {
    let goes_on = |word, words: String| Some(Look::GoesOn(Stage { word, words }));
    if let Some(open) = status.open.iter().rev().find(|open| is_it(target, open)) {
        target.token = Some(open.token.clone());
        target.tag = Some(open.tag.clone());
        return Some(of_open(open, status));
    }
    let verifying = status.verifying.as_ref().filter(|it| is_it(target, &it.promotion));
    if let Some(verifying) = verifying {
        target.token = Some(verifying.promotion.token.clone());
        target.tag = Some(verifying.promotion.tag.clone());
        let words = match &verifying.problem {
            Some(problem) => format!("ECS cannot be asked: {problem}"),
            None => format!("ECS: {}", verifying.progress),
        };
        return goes_on("verifying", words);
    }
    let baking = status.bake.as_ref().filter(|bake| is_its(target, &bake.token, &bake.digest));
    if let Some(bake) = baking {
        return goes_on("baking", of_bake(bake, now));
    }
    let soaking = status.soaking.as_ref().filter(|_| target.token.is_none());
    let soaking = soaking.filter(|it| target.digest.as_ref() == Some(&it.digest))?;
    let after = status.after.as_deref().unwrap_or("the app before");
    let until = soaking.until.strftime("%H:%M UTC");
    let left = moment::age(soaking.until, now);
    goes_on("soaking", format!("soaks in {after} until {until} ({left})"))
}

/// A promotion that CloudFormation has not finished.
fn of_open(open: &Promotion, status: &Status) -> Look {
    let stack = &status.stack;
    let waiting = status.waiting.as_ref();
    let blocked = waiting.filter(|it| it.outcome == Outcome::Blocked);
    if let Some(blocked) = blocked.filter(|_| open.accepted_at.is_none()) {
        return Look::Ended(End {
            exit: Exit::Waits,
            outcome: Outcome::Blocked.to_string(),
            words: format!("blocked: {}. {}", blocked.reason, what_runs(status)),
            took: None,
        });
    }
    let (word, words) = match (&open.cancelled_by, open.accepted_at) {
        (Some(_), _) => ("cancelling", format!("being cancelled: CloudFormation {}", stack.status)),
        (None, Some(_)) => ("updating", format!("CloudFormation {}", stack.status)),
        (None, None) if is_busy(&stack.status) => {
            ("queued", format!("queued: stack {} is in {}", stack.name, stack.status))
        }
        (None, None) => match waiting.filter(|it| !it.reason.is_empty()) {
            Some(waiting) => ("queued", format!("queued: {}", waiting.reason)),
            None => ("sending", "tagged; the update is sent next".to_owned()),
        },
    };
    Look::GoesOn(Stage { word, words })
}

fn is_busy(status: &str) -> bool {
    status.ends_with("_IN_PROGRESS")
}

fn of_bake(bake: &Bake, now: Timestamp) -> String {
    let alarms = bake.alarms.iter().map(|alarm| {
        format!("{} {}", alarm.name, alarm.state.as_deref().unwrap_or("does not exist"))
    });
    let alarms = alarms.collect::<Vec<_>>().join(", ");
    let until = bake.until.strftime("%H:%M UTC");
    let left = moment::age(bake.until, now);
    let words = format!("runs and bakes until {until} ({left})");
    if alarms.is_empty() { words } else { format!("{words}: {alarms}") }
}

/// Nothing is under way.
fn at_rest(target: &Target, status: &Status) -> Look {
    let end = |exit, outcome: &str, words: String| {
        Look::Ended(End { exit, outcome: outcome.to_owned(), words, took: None })
    };
    let is_resumed = target.aim == Aim::Resumed;
    let runs = what_runs(status);
    if let Some(waiting) = &status.waiting {
        let reason = &waiting.reason;
        if waiting.outcome == Outcome::Blocked {
            return end(Exit::Waits, "blocked", format!("blocked: {reason}. {runs}"));
        }
        let reason =
            if reason.is_empty() { "the next look comes within 5 minutes" } else { reason };
        let words = format!("queued: {reason}");
        return Look::GoesOn(Stage { word: "waiting", words });
    }
    if let Some(request) = status.request.as_ref().filter(|request| request.is_open()) {
        let name = image(request.commit.as_deref(), Some(&request.digest));
        let words = format!("approval_requested: people are asked about {name}. {runs}");
        return end(Exit::Waits, "approval_requested", words);
    }
    match (&status.hold, is_resumed) {
        (Some(hold), true) => {
            end(Exit::Waits, "held", format!("held again by {}: {}. {runs}", hold.by, hold.reason))
        }
        (None, true) => end(Exit::Done, "resumed", format!("resumed: {runs}")),
        (_, false) => end(Exit::Done, "unchanged", format!("nothing is under way: {runs}")),
    }
}

/// Judges by the history, newest first, what became of a promotion that the status does not show.
pub fn by_history(target: &mut Target, status: &Status, history: &[Entry], now: Timestamp) -> Look {
    let found = history.iter().position(|entry| is_it(target, &entry.promotion));
    let Some(at) = found else { return unseen(target, status) };
    let (newer, entry) = (&history[..at], &history[at]);
    target.token = Some(entry.promotion.token.clone());
    target.tag = Some(entry.promotion.tag.clone());
    let went_on = matches!(target.aim, Aim::WentBack)
        && matches!(entry.outcome, Outcome::Cancelled | Outcome::Deployed | Outcome::Failed);
    if went_on && let Some(look) = by_successor(target, status, newer) {
        return look;
    }
    if entry.outcome == Outcome::Deployed
        && let Some(look) = by_alarm(target, status, newer, entry)
    {
        return look;
    }
    if matches!(entry.outcome, Outcome::Promoted | Outcome::Queued) {
        return unrecorded(target, status, entry, now);
    }
    Look::Ended(ended(target, status, entry, &entry.outcome))
}

/// The status looks at the stack, and the history knows only what was recorded: at an event of the
/// stack, or else at a look within 5 minutes. What runs needs no record; why something failed does.
fn unrecorded(target: &mut Target, status: &Status, entry: &Entry, now: Timestamp) -> Look {
    target.unseen = 0;
    let promotion = &entry.promotion;
    let runs = status.running.as_ref().filter(|runs| runs.tag == promotion.tag);
    if runs.is_some_and(|runs| runs.digest.as_ref() == Some(&promotion.digest)) {
        let outcome = Outcome::Deployed;
        let entry = Entry { outcome: outcome.clone(), ended_at: Some(now), ..entry.clone() };
        return Look::Ended(ended(target, status, &entry, &outcome));
    }
    let words = "has ended; the function records it at its next look, within 5 minutes".to_owned();
    Look::GoesOn(Stage { word: "waiting", words })
}

/// The state may change between the two reads, so the next look sees it.
fn unseen(target: &mut Target, status: &Status) -> Look {
    let request = status.request.as_ref().filter(|request| request.is_open());
    if let Some(request) = request.filter(|it| target.digest.as_ref() == Some(&it.digest)) {
        return Look::Ended(End {
            exit: Exit::Waits,
            outcome: Outcome::ApprovalRequested.to_string(),
            words: format!("approval_requested: {}. {}", request.why, what_runs(status)),
            took: None,
        });
    }
    target.unseen += 1;
    if target.unseen <= UNSEEN {
        let words = "waits for the next look".to_owned();
        return Look::GoesOn(Stage { word: "waiting", words });
    }
    Look::Ended(End {
        exit: Exit::Failed,
        outcome: "unknown".to_owned(),
        words: format!(
            "unknown: neither status nor history show this promotion. {}",
            what_runs(status)
        ),
        took: None,
    })
}

/// The rollback that waits behind an update that was cancelled for it.
fn by_successor(target: &mut Target, status: &Status, newer: &[Entry]) -> Option<Look> {
    let tag = target.tag.clone();
    let goes_back = |it: &&Promotion| it.rolls_back.is_some() && it.rolls_back == tag;
    let verifying = status.verifying.iter().map(|it| &it.promotion);
    let next = status.open.iter().chain(verifying).find(goes_back);
    if let Some(next) = next {
        *target = Target {
            aim: Aim::Deployed,
            token: Some(next.token.clone()),
            digest: Some(next.digest.clone()),
            tag: Some(next.tag.clone()),
            ..Target::whatever()
        };
        return Some(Look::GoesOn(Stage {
            word: "queued",
            words: format!("goes back to {}", short_tag(&next.tag)),
        }));
    }
    let next = newer.iter().find(|entry| goes_back(&&entry.promotion))?;
    let is_undone = matches!(next.outcome, Outcome::Failed | Outcome::Blocked);
    is_undone.then(|| Look::Ended(ended(target, status, next, &next.outcome)))
}

/// The rollback that an alarm of the bake began.
fn by_alarm(target: &mut Target, status: &Status, newer: &[Entry], entry: &Entry) -> Option<Look> {
    let digest = &entry.promotion.digest;
    let is_its =
        |it: &Promotion| it.via == "alarm" && it.rolls_back_digest.as_ref() == Some(digest);
    let verifying = status.verifying.iter().map(|it| &it.promotion);
    let under_way = status.open.iter().chain(verifying).find(|it| is_its(it));
    let ended = newer.iter().map(|entry| &entry.promotion).find(|it| is_its(it));
    let back = under_way.or(ended)?;
    let why = back.why.clone().unwrap_or_else(|| "an alarm went off in the bake".to_owned());
    *target = Target {
        aim: Aim::Deployed,
        token: Some(back.token.clone()),
        digest: Some(back.digest.clone()),
        tag: Some(back.tag.clone()),
        alarm: Some(why.clone()),
        unseen: 0,
    };
    Some(Look::GoesOn(Stage { word: "updating", words: format!("goes back: {why}") }))
}

/// The end of a promotion that the history shows.
fn ended(target: &Target, status: &Status, entry: &Entry, outcome: &Outcome) -> End {
    let promotion = &entry.promotion;
    let took = entry.ended_at.map(|ended| ended.duration_since(promotion.at));
    let (tag, reason) = (short_tag(&promotion.tag), &entry.reason);
    let end = |exit, words: String| End { exit, outcome: outcome.to_string(), words, took };
    if let Some(why) = target.alarm.as_ref() {
        let failed = Outcome::Failed.to_string();
        let words = format!("failed: {why}. {}", what_runs(status));
        return End { exit: Exit::Failed, outcome: failed, words, took: None };
    }
    match outcome {
        Outcome::Deployed => deployed(status, entry, took),
        Outcome::Cancelled if matches!(target.aim, Aim::Cancelled | Aim::WentBack) => {
            End { took, ..cancelled(target, status) }
        }
        Outcome::Cancelled => {
            end(Exit::Failed, format!("cancelled: {tag}: {reason}. {}", what_runs(status)))
        }
        Outcome::Superseded if is_running(status, &promotion.digest) => {
            end(Exit::Done, format!("unchanged: {reason}. {}", what_runs(status)))
        }
        Outcome::Superseded => {
            end(Exit::Refused, format!("superseded: {tag}: {reason}. {}", what_runs(status)))
        }
        Outcome::Promoted
        | Outcome::Failed
        | Outcome::Queued
        | Outcome::ApprovalRequested
        | Outcome::Approved
        | Outcome::Rejected
        | Outcome::Unchanged
        | Outcome::Held
        | Outcome::Blocked
        | Outcome::Expired
        | Outcome::Ignored
        | Outcome::Refused
        | Outcome::Resumed
        | Outcome::Unknown(_) => {
            end(Exit::Failed, format!("{outcome}: {tag}: {reason}. {}", what_runs(status)))
        }
    }
}

/// Whether the app runs this image.
fn is_running(status: &Status, digest: &str) -> bool {
    status.running.as_ref().is_some_and(|runs| runs.digest.as_deref() == Some(digest))
}

/// The end of a promotion that was deployed: it runs, or another one runs by now.
fn deployed(status: &Status, entry: &Entry, took: Option<jiff::SignedDuration>) -> End {
    let promotion = &entry.promotion;
    let end =
        |exit, outcome: Outcome, words| End { exit, outcome: outcome.to_string(), words, took };
    if !is_running(status, &promotion.digest) {
        let words = format!(
            "superseded: {} was deployed. {}",
            short_tag(&promotion.tag),
            what_runs(status)
        );
        return end(Exit::Refused, Outcome::Superseded, words);
    }
    let since = entry.ended_at.unwrap_or(promotion.at);
    let hold = status.hold.as_ref().filter(|hold| hold.is_by_alarm() && hold.at >= since);
    if let Some(hold) = hold {
        let words = format!("held: {}. {}", hold.reason, what_runs(status));
        return end(Exit::Waits, Outcome::Held, words);
    }
    let took = took.map(|took| format!(", {}", moment::length(took))).unwrap_or_default();
    let words = format!(
        "deployed: {} ({}) runs in {}{took}",
        short_tag(&promotion.tag),
        short_digest(&promotion.digest),
        status.app
    );
    end(Exit::Done, Outcome::Deployed, words)
}

/// The end of a cancel.
fn cancelled(target: &Target, status: &Status) -> End {
    let what = match &target.tag {
        Some(tag) => format!("{} did not reach production", short_tag(tag)),
        None => "nothing waits any more".to_owned(),
    };
    End {
        exit: Exit::Done,
        outcome: Outcome::Cancelled.to_string(),
        words: format!("cancelled: {what}. {}", what_runs(status)),
        took: None,
    }
}

/// Says what runs: `production_9fceb02 (sha256:…) runs in web`.
pub fn what_runs(status: &Status) -> String {
    let Some(running) = &status.running else {
        return format!("what runs in {} is not known yet", status.app);
    };
    let tag = short_tag(&running.tag);
    match &running.digest {
        Some(digest) => format!("{tag} ({}) runs in {}", short_digest(digest), status.app),
        None => format!("{tag} runs in {}", status.app),
    }
}

#[cfg(test)]
mod tests;
