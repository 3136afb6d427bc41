//! `rollback`: goes back to what was deployed before, or to the image that is named. It holds the
//! app, so that automation does not undo it.

use std::ops::ControlFlow;
use std::ops::ControlFlow::{Break, Continue};

use super::cancel::{mark_cancelled, send_cancel};
use super::cause::Cause;
use super::draft::Draft;
use super::intent::{intend, tag_for};
use super::named::named;
use super::plan::{Decided, First, MayEnd, Plan};
use super::promote::promote;
use super::request::withdraw;
use super::rights::{Permit, objection_to, permit};
use crate::model::answer::Outcome;
use crate::model::command::{Command, ImageRef, RollbackStep, RollbackTo, Via};
use crate::model::promotion::{Basis, End, Ended, Promotion};
use crate::model::report::Reply;
use crate::model::state::Hold;
use crate::model::way_back::WayBack;
use crate::model::{Commit, Digest, Tag};
use crate::world::snapshot::Question;

/// The image to go back to.
struct Target {
    digest: Digest,
    tag: Option<Tag>,
}

/// Where a rollback leads.
struct Aim {
    target: Target,
    /// Our own update, which is cancelled first.
    under_way: Option<Promotion>,
    /// Whether a person named the target.
    is_named: bool,
}

/// Carries the command out.
pub(super) fn rollback(draft: Draft<'_>, command: &Command, to: &RollbackTo) -> Decided {
    match to {
        RollbackTo::Previous => roll_back(draft, command, None),
        RollbackTo::Image(image) => roll_back(draft, command, Some(image)),
        RollbackTo::Shown(step) => roll_back_as_shown(draft, command, step),
    }
}

fn roll_back(draft: Draft<'_>, command: &Command, image: Option<&ImageRef>) -> Decided {
    match aim(&draft, image)? {
        Ok(aim) => go_back(draft, command, aim),
        Err(reason) => Ok(draft.refused(&reason)),
    }
}

/// Works out what the command would do, and where it would lead.
pub(super) fn plan(
    draft: Draft<'_>,
    command: &Command,
    image: Option<&ImageRef>,
) -> Decided<(Option<WayBack>, Plan)> {
    let aim = match aim(&draft, image)? {
        Ok(aim) => aim,
        Err(reason) => return Ok((None, draft.refused(&reason))),
    };
    let way = WayBack::new(draft.state.running.as_ref(), &aim.target.digest, &draft.deployed()?);
    Ok((Some(way), go_back(draft, command, aim)?))
}

fn aim(draft: &Draft<'_>, image: Option<&ImageRef>) -> Decided<Result<Aim, String>> {
    let under_way = draft.under_way_now()?;
    let target = match (image, &under_way) {
        (Some(image), _) => named_before(draft, image)?,
        // An alarm has begun to roll back: that is what a person means too.
        (None, Some(open)) if open.via == Via::Alarm => {
            let (digest, tag) = (open.digest.clone(), Some(open.tag.clone()));
            return Ok(Ok(Aim { target: Target { digest, tag }, under_way, is_named: true }));
        }
        // What the stack returns to when the update is cancelled.
        (None, Some(_)) => present(draft),
        (None, None) => last_deployed(draft)?,
    };
    Ok(target.map(|target| Aim { target, under_way, is_named: image.is_some() }))
}

fn go_back(mut draft: Draft<'_>, command: &Command, aim: Aim) -> Decided {
    let Aim { target, under_way, is_named } = aim;
    let why = command.act.why_back().map(str::to_owned);
    let going_back = Cause { basis: Basis::GoingBack, why, ..Cause::by_command(command) };
    let permit = match may_go_back(&mut draft, &target, &going_back)? {
        Continue(permit) => permit,
        Break(plan) => return Ok(plan),
    };
    if is_named && under_way.as_ref().is_some_and(|open| open.digest == target.digest) {
        // Its update is under way: a cancel would lead away from it.
        let reason = format!("{} was gone back to on purpose", target.digest.short());
        let reason = with_why(reason, &going_back);
        draft.state.hold.get_or_insert(Hold { by: command.by.clone(), at: draft.now, reason });
        return promote(draft, &target.digest, &going_back);
    }
    let cause = leave(&mut draft, &target, under_way.as_ref(), going_back)?;
    match under_way {
        Some(under_way) => cancel_for(draft, command, &permit, &under_way, &cause),
        None => promote(draft, &target.digest, &cause),
    }
}

/// Checks that the image can be pulled and may run again.
fn may_go_back(draft: &mut Draft<'_>, target: &Target, cause: &Cause<'_>) -> MayEnd<Permit> {
    if let Break(plan) = draft.image(&target.digest)? {
        return Ok(Break(plan));
    }
    match draft.seen.unavailable.get(&target.digest) {
        None => Err(First::Read(Question::Availability(target.digest.clone()))),
        Some(Some(reason)) => Ok(Break(draft.refused(reason))),
        Some(None) => permit(draft, &target.digest, cause),
    }
}

/// Holds the app, and keeps automation from the image that is rolled back from. Returns the cause
/// of the promotion to the target.
fn leave<'c>(
    draft: &mut Draft<'_>,
    target: &Target,
    under_way: Option<&Promotion>,
    going_back: Cause<'c>,
) -> Decided<Cause<'c>> {
    let from = under_way.map_or_else(|| draft.value().to_owned(), |open| open.tag.to_string());
    let turned_away = under_way.map(|open| open.digest.clone()).or_else(|| draft.running_digest());
    if draft.state.passed_over.as_ref() == Some(&target.digest) {
        draft.state.passed_over = None;
    }
    if turned_away == draft.seen.newest && turned_away.as_ref() != Some(&target.digest) {
        draft.state.passed_over.clone_from(&turned_away);
    }
    let reason = with_why(format!("rolled back from `{from}`"), &going_back);
    let by = going_back.by.to_string();
    draft.state.hold = Some(Hold { by: by.clone(), at: draft.now, reason });
    if draft.state.request.as_ref().is_some_and(|request| request.digest != target.digest) {
        withdraw(draft, &format!("{by} rolled back instead"), &by)?;
    }
    let (tag, avoid) = match &target.tag {
        Some(tag) if draft.holder(tag)? == Some(&target.digest) => (Some(tag.clone()), None),
        lost => (None, lost.clone()),
    };
    let rolls_back = Some(from);
    Ok(Cause { tag, avoid, rolls_back, rolls_back_digest: turned_away, ..going_back })
}

/// Adds a person's reason. An alarm's stands with the promotion alone: the hold names the alarm.
fn with_why(words: String, cause: &Cause<'_>) -> String {
    match cause.why.as_deref().filter(|_| cause.via != Via::Alarm) {
        Some(why) => format!("{words}: {why}"),
        None => words,
    }
}

/// Cancels the update that is under way. What the stack returns to is queued behind the cancel all
/// the same: the update may end before it can be cancelled.
fn cancel_for(
    mut draft: Draft<'_>,
    command: &Command,
    permit: &Permit,
    under_way: &Promotion,
    cause: &Cause<'_>,
) -> Decided {
    let (_, commit) = match draft.image(permit.digest())? {
        Continue(found) => found,
        Break(plan) => return Ok(plan),
    };
    let Some(tag) = tag_for(&draft, permit.digest(), commit.as_ref(), cause)? else {
        return Ok(draft.refused("every production tag that it could get is on another image"));
    };
    intend(&mut draft, permit, None, commit, tag, cause)?;
    let turned_away = draft.state.passed_over.clone();
    mark_cancelled(&mut draft, under_way, &command.by);
    draft.state.passed_over = turned_away;
    Ok(send_cancel(draft, under_way))
}

/// `rollback` by a button whose reader saw from what to what it leads. If that is not so any more,
/// nothing is done.
fn roll_back_as_shown(draft: Draft<'_>, command: &Command, step: &RollbackStep) -> Decided {
    let under_way = draft.under_way_now()?;
    let is_from = draft.running_digest().as_ref() == Some(&step.from)
        || under_way.is_some_and(|open| open.digest == step.from);
    if !is_from {
        let reason = format!(
            "{} does not run any more, so nothing was rolled back: look again",
            step.from.short()
        );
        return Ok(draft.nothing(Outcome::Superseded, reason));
    }
    let Some(to) = &step.to else { return roll_back(draft, command, None) };
    if step.is_chosen {
        return roll_back(draft, command, Some(&ImageRef::Digest(to.clone())));
    }
    match aim(&draft, None)? {
        Ok(aim) if aim.target.digest == *to => go_back(draft, command, aim),
        Ok(aim) => {
            let reason = format!(
                "a rollback would go to {} now, and not to {}, so nothing was rolled back: look \
                 again",
                aim.target.digest.short(),
                to.short()
            );
            Ok(draft.nothing(Outcome::Superseded, reason))
        }
        Err(reason) => Ok(draft.refused(&reason)),
    }
}

/// Prepares the rollback of what an alarm speaks against, to what ran before: returns its image and
/// its cause. `Break` says why there is no way back.
pub(super) fn rollback_for_alarm<'c>(
    draft: &mut Draft<'_>,
    by: &'c str,
    why: &str,
) -> Decided<ControlFlow<String, (Digest, Cause<'c>)>> {
    let target = match last_deployed(draft)? {
        Ok(target) => target,
        Err(reason) => return Ok(Break(reason)),
    };
    let going_back = Cause {
        basis: Basis::GoingBack,
        why: Some(why.to_owned()),
        ..Cause::by_automation(by, Via::Alarm)
    };
    if let Break(plan) = may_go_back(draft, &target, &going_back)? {
        let reason = match plan.reply {
            Ok(Reply::Answer(answer)) => answer.reason,
            Ok(Reply::Report(_)) | Err(_) => "it cannot be promoted".to_owned(),
        };
        return Ok(Break(reason));
    }
    let cause = leave(draft, &target, None, going_back)?;
    Ok(Continue((target.digest, cause)))
}

/// The image that ran before the update that is under way. The stack returns to its tag; the image
/// counts, even if that tag has moved.
fn present(draft: &Draft<'_>) -> Result<Target, String> {
    let running = draft
        .state
        .running
        .as_ref()
        .ok_or("it is not known what ran before the update that is under way: name an image")?;
    let digest = running.digest.clone().ok_or_else(|| {
        format!("what ran before, `{}`, is on no image: name an image", running.tag)
    })?;
    Ok(Target { digest, tag: draft.as_production_tag(&running.tag) })
}

/// The last deployed image before the present one that was not itself rolled back from. Images are
/// compared, as the history recorded them: what a tag is on now does not tell what it was on then.
fn last_deployed(draft: &Draft<'_>) -> Decided<Result<Target, String>> {
    let deployed = draft.deployed()?;
    let present = if draft.is_stray {
        of_tag(draft, &deployed, draft.value())?
    } else {
        draft.running_digest()
    };
    let left_behind = left_behind(draft, &deployed)?;
    let unproven = unproven(draft, present.as_ref())?;
    let first = deployed
        .iter()
        .position(|ended| Some(&ended.promotion.digest) == present.as_ref())
        .filter(|_| unproven.is_none())
        .unwrap_or(0);
    let deployed_ones = deployed[first..].iter().map(|ended| &ended.promotion);
    for promotion in unproven.into_iter().chain(deployed_ones) {
        let own = (promotion.tag.as_str(), Some(promotion.digest.clone()));
        let before = ran_before(draft, promotion)?;
        let before = (before.previous_tag.as_str(), before.previous_digest.clone());
        for (tag, digest) in [own, before] {
            let digest = match digest {
                None => of_tag(draft, &deployed, tag)?,
                known => known,
            };
            match digest {
                Some(digest)
                    if Some(&digest) == present.as_ref() || left_behind.contains(&digest) => {}
                // Where identities count, one person may not go back to what somebody set by hand.
                Some(digest) if objection_to(draft, &digest, Basis::GoingBack, None)?.is_some() => {
                }
                Some(digest) => {
                    return Ok(Ok(Target { digest, tag: draft.as_production_tag(tag) }));
                }
                None if tag == draft.value() => {}
                None => {
                    return Ok(Err(format!(
                        "what was deployed before, `{tag}`, is on no known image: name an \
                         image"
                    )));
                }
            }
        }
    }
    Ok(Err("nothing was deployed before what runs now: name an image".to_owned()))
}

/// The promotion that says what ran before this one: itself, or an earlier one, if what the stack
/// named in between was not deployed. ECS did not come to run that, or was not seen to.
fn ran_before<'d>(draft: &'d Draft<'_>, promotion: &'d Promotion) -> Decided<&'d Promotion> {
    let history = draft.history()?;
    let ended = || draft.ended.iter().rev().chain(history);
    let was_deployed = |digest: &Digest| {
        ended().any(|ended| ended.end == End::Deployed && ended.promotion.digest == *digest)
    };
    // Its own image may have failed before, under another tag.
    let is_no_way_back = |digest: &Digest| *digest == promotion.digest || !was_deployed(digest);
    let mut last = promotion;
    // Newest first: what was before another one comes after it.
    for Ended { promotion: other, .. } in ended().filter(|ended| ended.end != End::Deployed) {
        let is_before = last.previous_digest.as_ref() == Some(&other.digest)
            && last.previous_tag == other.tag.as_str()
            && other.token != last.token;
        if is_before && other.sent_at.is_some() && is_no_way_back(&other.digest) {
            last = other;
        }
    }
    Ok(last)
}

/// The promotion to what the stack names, if it is not among the deployed ones: it is being
/// verified, or ECS did not come to run it.
fn unproven<'d>(draft: &'d Draft<'_>, present: Option<&Digest>) -> Decided<Option<&'d Promotion>> {
    if let Some(verifying) = &draft.state.verifying {
        return Ok(Some(&verifying.promotion));
    }
    let Some(present) = present.filter(|present| draft.state.failed.contains(present)) else {
        return Ok(None);
    };
    let history = draft.history()?;
    let mut ended = draft.ended.iter().rev().chain(history).map(|ended| &ended.promotion);
    Ok(ended.find(|promotion| promotion.digest == *present))
}

/// The image of a tag in the history. An older version recorded some images by their tags alone.
fn of_tag(draft: &Draft<'_>, deployed: &[&Ended], tag: &str) -> Decided<Option<Digest>> {
    if let Some(ended) = deployed.iter().find(|ended| ended.promotion.tag.as_str() == tag) {
        return Ok(Some(ended.promotion.digest.clone()));
    }
    Ok(match draft.as_production_tag(tag) {
        Some(tag) => draft.holder(&tag)?.cloned(),
        None => None,
    })
}

/// The images that were rolled back from and not deployed again since. Whoever rolled back did not
/// want them, also where the rollback failed or another promotion replaced it.
fn left_behind(draft: &Draft<'_>, deployed: &[&Ended]) -> Decided<Vec<Digest>> {
    let mut left_behind: Vec<Digest> = Vec::new();
    let mut redeployed: Vec<&Digest> = Vec::new();
    let history = draft.history()?;
    let ended = draft.ended.iter().rev().chain(history);
    let counts = |ended: &&Ended| {
        let was_sent =
            matches!(ended.end, End::Failed | End::Superseded) && ended.promotion.sent_at.is_some();
        ended.end == End::Deployed || was_sent && ended.promotion.rolls_back_digest.is_some()
    };
    for Ended { promotion, end, .. } in ended.filter(counts) {
        let from = match (&promotion.rolls_back_digest, &promotion.rolls_back) {
            (None, Some(from)) => of_tag(draft, deployed, from)?,
            (known, _) => known.clone(),
        };
        left_behind.extend(from.filter(|from| !redeployed.contains(&from)));
        if *end == End::Deployed {
            redeployed.push(&promotion.digest);
        }
    }
    Ok(left_behind)
}

/// The image that a person names by its tag or digest, or by a commit that the history or the
/// repository knows.
fn named_before(draft: &Draft<'_>, image: &ImageRef) -> Decided<Result<Target, String>> {
    let deployed_as = |is_it: &dyn Fn(&Ended) -> bool| -> Decided<Option<Target>> {
        let known = draft.deployed()?.into_iter().find(|ended| is_it(ended));
        Ok(known.map(|ended| Target {
            digest: ended.promotion.digest.clone(),
            tag: Some(ended.promotion.tag.clone()),
        }))
    };
    let (tag, known) = match image {
        ImageRef::Digest(_) => (None, None),
        ImageRef::Commit(commit) => {
            let of_commit =
                |its: &Option<Commit>| its.as_ref().is_some_and(|its| its.agrees_with(commit));
            (None, deployed_as(&|ended| of_commit(&ended.promotion.commit))?)
        }
        // Any other tag may move: it names the image, but the image does not run with it.
        ImageRef::Tag(tag) => match draft.as_production_tag(tag.as_str()) {
            Some(tag) => (Some(tag.clone()), deployed_as(&|ended| ended.promotion.tag == tag)?),
            None => (None, None),
        },
    };
    if let Some(known) = known {
        return Ok(Ok(known));
    }
    Ok(named(draft, Some(image))?.map(|digest| Target { digest, tag }))
}
