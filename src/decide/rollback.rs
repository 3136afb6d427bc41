//! `rollback`: back to what was deployed before, or to what is named. It holds the app, so that automation does not undo it.

use super::draft::Draft;
use super::promotion::Wanted;
use super::{Decided, Step, named};
use crate::event::command::{Command, ImageRef};
use crate::model::{Commit, Digest, Tag};
use crate::state::{End, Ended, Hold};
use crate::world::Question;

/// What is gone back to.
struct Target {
    digest: Digest,
    tag: Option<Tag>,
}

pub(super) fn rollback(mut draft: Draft<'_>, command: &Command, image: Option<&ImageRef>) -> Decided {
    let under_way = draft.under_way_now()?;
    let target = match (image, &under_way) {
        (Some(image), _) => named_before(&draft, image)?,
        // What the stack returns to when the update is cancelled.
        (None, Some(_)) => present(&draft),
        (None, None) => last_deployed(&draft)?,
    };
    let target = match target {
        Ok(target) => target,
        Err(reason) => return Ok(draft.refused(&reason)),
    };
    draft.image(&target.digest)?;
    match draft.seen.unavailable.get(&target.digest) {
        None => return Err(Step::Read(Question::Availability(target.digest))),
        Some(Some(reason)) => return Ok(draft.refused(reason)),
        Some(None) => {}
    }
    let from = under_way.as_ref().map_or_else(|| draft.value().to_owned(), |open| open.tag.to_string());
    let turned_away = match &under_way {
        Some(open) => Some(open.digest.clone()),
        None => draft.state.running.as_ref().and_then(|running| running.digest.clone()),
    };
    if draft.state.passed_over.as_ref() == Some(&target.digest) {
        draft.state.passed_over = None;
    }
    if turned_away == draft.seen.newest && turned_away.as_ref() != Some(&target.digest) {
        draft.state.passed_over = turned_away;
    }
    let reason = format!("rolled back from `{from}`");
    draft.state.hold = Some(Hold { by: command.by.clone(), at: draft.now, reason });
    if draft.state.request.as_ref().is_some_and(|request| request.digest != target.digest) {
        draft.withdraw(&format!("{} rolled back instead", command.by), &command.by)?;
    }
    let is_still_its = |tag: &Tag| draft.tags.digest(tag) == Some(&target.digest);
    let (tag, avoid) = match target.tag {
        Some(tag) if is_still_its(&tag) => (Some(tag), None),
        lost => (None, lost),
    };
    let wanted = Wanted { tag, avoid, rolls_back: Some(from), ..Wanted::by_command(command) };
    let Some(under_way) = under_way else { return draft.go(&target.digest, &wanted) };
    // What the stack returns to is queued behind the cancel all the same: the update may end before it can be cancelled.
    let (_, commit) = draft.image(&target.digest)?;
    let Some(tag) = draft.tag_for(&target.digest, commit.as_ref(), &wanted) else {
        return Ok(draft.refused("every production tag that it could get is on another image"));
    };
    draft.promotion(None, &target.digest, commit, tag, &wanted)?;
    let turned_away = draft.state.passed_over.clone();
    draft.mark_cancelled(&under_way, &command.by);
    draft.state.passed_over = turned_away;
    Ok(draft.send_cancel(&under_way))
}

/// `rollback` by the button of a message: only from the image that the message is about.
pub(super) fn rollback_from(draft: Draft<'_>, command: &Command, digest: &Digest) -> Decided {
    let runs = draft.state.running.as_ref().and_then(|running| running.digest.as_ref()) == Some(digest);
    if runs || draft.under_way_now()?.is_some_and(|open| open.digest == *digest) {
        return rollback(draft, command, None);
    }
    let reason = format!("{} does not run any more: there is nothing to roll back from", digest.short());
    Ok(draft.refused(&reason))
}

/// What runs, as far as it is known.
fn present(draft: &Draft<'_>) -> Result<Target, String> {
    let running = draft.state.running.as_ref().ok_or("it is not known what ran before the update that is under way: name an image")?;
    let digest = running.digest.clone().ok_or_else(|| format!("what ran before, `{}`, is on no image", running.tag))?;
    Ok(Target { digest, tag: running.tag.parse().ok() })
}

/// The last deployed image before the present one that was not itself rolled back from.
fn last_deployed(draft: &Draft<'_>) -> Decided<Result<Target, String>> {
    let history = read_history(draft)?;
    let present = draft.value();
    let deployed: Vec<&Ended> = history.iter().filter(|ended| ended.end == End::Deployed).collect();
    let mut left_behind: Vec<&str> = Vec::new();
    let mut redeployed: Vec<&str> = Vec::new();
    let first = deployed.iter().position(|ended| ended.promotion.tag.as_str() == present).unwrap_or(0);
    for ended in &deployed {
        if let Some(from) = ended.promotion.rolls_back.as_deref().filter(|from| !redeployed.contains(from)) {
            left_behind.push(from);
        }
        redeployed.push(ended.promotion.tag.as_str());
    }
    for ended in &deployed[first..] {
        let own = (ended.promotion.tag.as_str(), Some(ended.promotion.digest.clone()));
        let before = ended.promotion.previous_tag.as_str();
        // The history knows what that tag was on; the repository only what it is on now.
        let promoted = deployed.iter().find(|other| other.promotion.tag.as_str() == before).map(|other| other.promotion.digest.clone());
        let before = (before, promoted.or_else(|| before.parse().ok().and_then(|tag| draft.tags.digest(&tag).cloned())));
        for (tag, digest) in [own, before] {
            if tag != present && !left_behind.contains(&tag) {
                return Ok(digest
                    .map(|digest| Target { digest, tag: tag.parse().ok() })
                    .ok_or_else(|| format!("what was deployed before, `{tag}`, is on no image any more: name one")));
            }
        }
    }
    Ok(Err("nothing was deployed before what runs now: name an image".to_owned()))
}

/// An image that a person names: by its tag, or as the history knows its commit, or as the repository does.
fn named_before(draft: &Draft<'_>, image: &ImageRef) -> Decided<Result<Target, String>> {
    if let ImageRef::Commit(commit) = image {
        let of_commit = |its: &Option<Commit>| its.as_ref().is_some_and(|its| its.agrees_with(commit));
        let known = read_history(draft)?.iter().find(|ended| ended.end == End::Deployed && of_commit(&ended.promotion.commit));
        if let Some(ended) = known {
            return Ok(Ok(Target { digest: ended.promotion.digest.clone(), tag: Some(ended.promotion.tag.clone()) }));
        }
    }
    let tag = if let ImageRef::Tag(tag) = image { Some(tag.clone()) } else { None };
    // The source tag moves: it is no name to run under.
    let tag = tag.filter(|tag| *tag != draft.app.config.source_tag);
    Ok(match (named(draft, Some(image))?, &tag) {
        (Ok(digest), _) => Ok(Target { digest, tag }),
        // The tag is gone from the repository; the history still knows what it was on.
        (Err(reason), Some(gone)) => {
            let known = read_history(draft)?.iter().find(|ended| ended.end == End::Deployed && ended.promotion.tag == *gone);
            known.map(|ended| Target { digest: ended.promotion.digest.clone(), tag: tag.clone() }).ok_or(reason)
        }
        (Err(reason), None) => Err(reason),
    })
}

fn read_history<'a>(draft: &Draft<'a>) -> Decided<&'a [Ended]> {
    draft.seen.history.as_deref().ok_or(Step::Read(Question::History))
}
