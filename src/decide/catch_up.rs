//! Catches up with what happened since the last look, before anything new is decided: how the
//! promotions that were begun have ended, and whether somebody else changed the parameter.
//! CONTRACT: parameters are judged only at rest, and whose update it was only its token says.

use super::adopt::{BEFORE, adopt, found, hold_for_outsiders, is_urgent};
use super::cause::{end_as_failed, failed};
use super::draft::{Draft, Pace};
use super::plan::{Decided, First};
use super::request::retire_request;
use super::rights::objection_to;
use super::verify::{compare, finished, reason_of_failure, say_why, verify};
use crate::model::answer::Outcome;
use crate::model::config::App;
use crate::model::image::Tags;
use crate::model::notice::Notice;
use crate::model::promotion::{Basis, End, Promotion};
use crate::model::stack::{Phase, Stack, UpdateEnd};
use crate::model::state::{MovedTag, Recent, Running};
use crate::model::{Digest, Tag};
use crate::text::plain;
use crate::world::snapshot::{Question, Snapshot};

/// The longest description of a target, in characters.
const TARGET: usize = 400;

/// The state as this look finds it.
pub(super) fn catch_up<'a>(
    app: &'a App,
    seen: &'a Snapshot,
    stack: &'a Stack,
    tags: &'a Tags,
    pace: Pace,
) -> Decided<Draft<'a>> {
    let mut draft = Draft { pace, ..Draft::new(app, seen, stack, tags) };
    tell_of_policy(&mut draft)?;
    match stack.phase() {
        Phase::AtRest => {
            close_ended(&mut draft)?;
            recognize_value(&mut draft)?;
            close_hopeless(&mut draft)?;
            verify(&mut draft)?;
            compare(&mut draft)?;
        }
        Phase::Broken => close_ended(&mut draft)?,
        Phase::Busy | Phase::Leaving | Phase::Gone => {}
    }
    note_what_ran_first(&mut draft)?;
    check_running_tag(&mut draft)?;
    retire_request(&mut draft)?;
    Ok(draft)
}

/// Notifies people once if the configuration has changed who decides, or which stack is updated:
/// whoever may write the configuration controls both.
fn tell_of_policy(draft: &mut Draft<'_>) -> Decided<()> {
    let now = draft.app.policy();
    let (parameter, stack) = (&draft.app.config.parameter, &draft.stack.name);
    let seen = draft.seen.state.as_ref();
    let target = seen
        .map(|before| (before.parameter.clone(), before.stack.clone()))
        .filter(|_| draft.has_moved);
    let mut changes = Vec::new();
    if let Some((old_parameter, old_stack)) = target {
        changes.push(format!(
            "target: `{old_parameter}` of stack `{old_stack}` before, \
                              `{parameter}` of stack `{stack}` now"
        ));
    }
    let target = draft.app.config.target.as_ref().map(|target| plain(&target.to_string(), TARGET));
    if let Some(before) = draft.state.policy.as_ref() {
        let is_called_otherwise = draft.state.target != target;
        // A sandbox may go on with a configuration that is a minute old.
        if (*before != now || is_called_otherwise) && !draft.seen.is_configuration_newer {
            return Err(First::Read(Question::Configuration));
        }
        if is_called_otherwise {
            let home = "the function's own account and region";
            let before = draft.state.target.as_deref().unwrap_or(home);
            let now = target.as_deref().unwrap_or(home);
            changes.push(format!("called with: {before} before, {now} now"));
        }
        changes.extend(now.changes_since(before));
    }
    draft.state.target = target;
    if !changes.is_empty() {
        let reason = format!(
            "the configuration in Parameter Store {} has changed; {}",
            draft.app.source,
            changes.join("; ")
        );
        let by = "whoever may write that parameter";
        let notice = Notice::new(Outcome::Unchanged, by, reason, draft.now);
        draft.announce(notice.about("its configuration has changed"));
    }
    draft.state.policy = Some(now);
    Ok(())
}

/// Ends the open promotions that CloudFormation has ended.
fn close_ended(draft: &mut Draft<'_>) -> Decided<()> {
    for open in draft.state.open.clone() {
        if !draft.state.open.iter().any(|own| own.token == open.token) {
            continue;
        }
        if draft.stack.phase() == Phase::AtRest && draft.value() == open.tag.as_str() {
            finished(draft, &open);
            continue;
        }
        match draft.events()?.end_of(&open.token) {
            // CloudFormation never accepted it: it is sent (again) when its turn comes, with the
            // same token.
            None => {}
            // The events are newer than the stack's status: look at the stack again.
            Some(UpdateEnd::Running) => {
                draft.look_again()?;
                lose_sight_of(draft, &open, "its events do not say that the update has ended");
            }
            Some(UpdateEnd::Complete) => finished(draft, &open),
            Some(UpdateEnd::Failed(reason)) => {
                let reason = reason_of_failure(draft, &open, &reason)?;
                say_why(draft, &open);
                failed(draft, &open, &reason);
            }
            Some(UpdateEnd::Unknown) if open.sent_at.is_none() && open.accepted_at.is_none() => {}
            Some(UpdateEnd::Unknown) => lose_sight_of(
                draft,
                &open,
                "so much has happened on it since then that its newest events do not show how the \
                 update ended",
            ),
        }
    }
    Ok(())
}

/// Ends a promotion whose tag the stack does not have, although it is at rest, for an unknown
/// reason. A person has to look: the app is held.
fn lose_sight_of(draft: &mut Draft<'_>, open: &Promotion, why: &str) {
    let reason = format!(
        "stack `{}` is at rest and does not run `{}`, and {why}: look at the stack's events, \
         then promote what should run",
        draft.stack.name, open.tag
    );
    end_as_failed(draft, open, &reason);
    hold_for_outsiders(draft, reason);
}

/// Compares the parameter of a stack at rest with the state: one of our updates set its value, or
/// somebody else did.
fn recognize_value(draft: &mut Draft<'_>) -> Decided<()> {
    let value = draft.value();
    // An older version did not keep it in a field of its own.
    let first = draft
        .state
        .running
        .as_ref()
        .filter(|running| running.by == BEFORE)
        .and_then(|running| running.digest.clone());
    draft.state.first_ran = draft.state.first_ran.take().or(first);
    match &draft.state.running {
        None => {
            let found = found(draft)?;
            draft.state.first_ran.clone_from(&found.digest);
            draft.state.first_tag = found.digest.is_none().then(|| found.tag.clone());
            draft.state.running = Some(found);
        }
        // Its tag was not there yet, or was not asked for.
        Some(running) if running.tag == value && running.digest.is_none() => {
            let found = found(draft)?;
            draft.state.running =
                Some(Running { digest: found.digest, commit: found.commit, ..running.clone() });
        }
        Some(running) if running.tag == value => {}
        Some(running) => {
            let running = running.clone();
            recognize_change(draft, &running)?;
        }
    }
    Ok(())
}

/// The parameter has another value than the state explains: one of our own updates made it, which
/// the state or the stack does not show yet, or somebody else did. State and stack are read side by
/// side, so only the events, which are read after both, tell the two apart.
fn recognize_change(draft: &mut Draft<'_>, running: &Running) -> Decided<()> {
    let events = draft.events()?;
    let ours = match events.newest_complete().filter(|event| event.may_be_ours()) {
        Some(made_it) => draft.ended_with(|token| made_it.is_of(token))?,
        None => None,
    };
    let mut recent = draft.state.recent.iter().rev();
    let last_deployed = recent.find(|recent| recent.end == End::Deployed);
    let has_arrived = |ours: &Recent| {
        events.end_of(&ours.token) == Some(UpdateEnd::Complete) && last_deployed != Some(ours)
    };
    match &ours {
        // A newer promotion had replaced it, and yet it arrived (again): its sandbox had stalled.
        Some(ours) if has_arrived(ours) && running.digest.is_some() => {
            draft.is_stray = true;
            return Ok(());
        }
        Some(Recent { end: End::Deployed | End::Failed | End::Cancelled, .. }) => {
            draft.look_again()?
        }
        Some(Recent { end: End::Superseded | End::Blocked, .. }) | None => {}
    }
    if running.digest.is_some() && running.digest == draft.seen.newest {
        draft.state.passed_over = running.digest.clone();
    }
    let name = &draft.app.name;
    let reason = format!(
        "{} was changed from `{}` to `{}` outside ecr-promoter, and stays so. To go on: `promote \
         {name}` for what should run, or `resume {name}` to let pushes deploy again",
        draft.app.config.parameter,
        running.tag,
        draft.value()
    );
    adopt(draft, reason)
}

/// Finds out which image ran when the app was first seen, where a push did not wait for that.
fn note_what_ran_first(draft: &mut Draft<'_>) -> Decided<()> {
    let is_urgent = is_urgent(draft)?;
    let Some(tag) = draft.state.first_tag.as_ref().filter(|_| !is_urgent) else { return Ok(()) };
    if let Some(tag) = draft.as_production_tag(tag) {
        draft.state.first_ran = draft.holder(&tag)?.cloned();
    }
    draft.state.first_tag = None;
    Ok(())
}

/// Checks that the running production tag is still on the image that it was made for. If somebody
/// has put it on another image, new tasks start with that one: people are told once, and the app is
/// held.
fn check_running_tag(draft: &mut Draft<'_>) -> Decided<()> {
    let Some(Running { tag, digest: Some(digest), .. }) =
        draft.state.running.clone().filter(|_| draft.is_pinned())
    else {
        draft.state.moved_tag = None;
        return Ok(());
    };
    let Ok(name) = tag.parse::<Tag>() else { return Ok(()) };
    // If the tags show it on its image, their age does not matter. A push that goes out checks it
    // beside its first write.
    let is_suspect = draft.seen.learned.taken.contains(&name);
    let to = match draft.tags.holder(&name) {
        None if !is_suspect && is_urgent(draft)? => return Ok(()),
        None => draft.holder(&name)?,
        Some(to) => to,
    };
    if to == Some(&digest) {
        draft.state.moved_tag = None;
        return Ok(());
    }
    let moved = MovedTag { tag, to: to.cloned() };
    if draft.state.moved_tag.as_ref() == Some(&moved) {
        return Ok(());
    }
    // The tags may have been read before the promotion that the state has.
    if !draft.seen.asked_tags.contains(&name) {
        return Err(draft.ask_about_tags([name], []));
    }
    let on = moved.to.as_ref().map_or("no image".to_owned(), Digest::to_string);
    hold_for_outsiders(
        draft,
        format!(
            "the tag `{}` was put on {digest} and is now on {on}: what starts next \
                       is not what was promoted",
            moved.tag
        ),
    );
    draft.state.moved_tag = Some(moved);
    Ok(())
}

/// Ends promotions that wait on a stack at rest and cannot go out any more. A person's: its image
/// is gone, or the policy forbids it now. Automation's: its image is not the newest any more.
fn close_hopeless(draft: &mut Draft<'_>) -> Decided<()> {
    for open in draft.state.open.clone() {
        let is_way_back = draft.is_stray && draft.running_digest().as_ref() == Some(&open.digest);
        if open.via.is_automation()
            && (is_way_back || draft.seen.newest.as_ref() == Some(&open.digest))
        {
            continue;
        }
        if open.via.is_automation() {
            // The newest image may have been read before the state that has this promotion. An
            // earlier app is read after it.
            if let Some(tag) = draft.app.candidate_tag()
                && !draft.seen.asked_tags.contains(tag)
            {
                return Err(draft.ask_about_tags([tag.clone()], []));
            }
            let reason = match &draft.app.config.after {
                Some(after) => format!("it is not what comes after `{}` any more", after.app),
                None => format!("`{}` is on another image now", draft.app.config.source_tag),
            };
            draft.end(&open, End::Superseded, reason);
            continue;
        }
        if open.basis() == Basis::Votes && open.sent_at.is_none() && draft.is_out(&open.digest) {
            let reason = "the app before it failed to run it, or went back from it".to_owned();
            draft.end(&open, End::Superseded, reason.clone());
            draft.announce(open.notice(Outcome::Superseded, reason, draft.now));
            continue;
        }
        let problem =
            match (draft.seen.images.get(&open.digest), draft.seen.unavailable.get(&open.digest)) {
                (None, _) => return Err(First::Read(Question::Image(open.digest))),
                (Some(Err(problem)), _) => Some(problem),
                (Some(Ok(_)), None) => {
                    return Err(First::Read(Question::Availability(open.digest)));
                }
                (Some(Ok(_)), Some(problem)) => problem.as_ref(),
            };
        if let Some(problem) = problem {
            end_as_failed(draft, &open, problem);
        } else if let Some(objection) =
            objection_to(draft, &open.digest, open.basis(), open.request.as_ref())?
        {
            // It was allowed when it was queued, and is not any more.
            draft.end(&open, End::Superseded, objection.clone());
            draft.announce(open.notice(Outcome::Superseded, objection, draft.now));
        }
    }
    Ok(())
}
