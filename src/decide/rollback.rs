//! `rollback`: back to what was deployed before, or to what is named. It holds the app, so that
//! automation does not undo it.

use super::draft::Draft;
use super::promotion::Wanted;
use super::{Decided, Step, named};
use crate::model::command::{Command, ImageRef};
use crate::model::promotion::{Basis, End, Ended};
use crate::model::state::Hold;
use crate::model::{Commit, Digest, Tag};
use crate::world::snapshot::Question;

/// What is gone back to.
struct Target {
    digest: Digest,
    tag: Option<Tag>,
}

pub(super) fn rollback(
    mut draft: Draft<'_>,
    command: &Command,
    image: Option<&ImageRef>,
) -> Decided {
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
    let going_back = Wanted { basis: Basis::GoingBack, ..Wanted::by_command(command) };
    draft.permit(&target.digest, &going_back)?;
    if image.is_some() && under_way.as_ref().is_some_and(|open| open.digest == target.digest) {
        // It is on its way: to cancel it would lead away from it.
        let reason = format!("{} was gone back to on purpose", target.digest.short());
        draft.state.hold.get_or_insert(Hold { by: command.by.clone(), at: draft.now, reason });
        return draft.go(&target.digest, &going_back);
    }
    let from =
        under_way.as_ref().map_or_else(|| draft.value().to_owned(), |open| open.tag.to_string());
    let turned_away =
        under_way.as_ref().map(|open| open.digest.clone()).or_else(|| draft.running_digest());
    if draft.state.passed_over.as_ref() == Some(&target.digest) {
        draft.state.passed_over = None;
    }
    if turned_away == draft.seen.newest && turned_away.as_ref() != Some(&target.digest) {
        draft.state.passed_over.clone_from(&turned_away);
    }
    let reason = format!("rolled back from `{from}`");
    draft.state.hold = Some(Hold { by: command.by.clone(), at: draft.now, reason });
    if draft.state.request.as_ref().is_some_and(|request| request.digest != target.digest) {
        draft.withdraw(&format!("{} rolled back instead", command.by), &command.by)?;
    }
    let (tag, avoid) = match target.tag {
        Some(tag) if draft.holder(&tag)? == Some(&target.digest) => (Some(tag), None),
        lost => (None, lost),
    };
    let wanted =
        Wanted { tag, avoid, rolls_back: Some(from), rolls_back_digest: turned_away, ..going_back };
    let Some(under_way) = under_way else { return draft.go(&target.digest, &wanted) };
    // What the stack returns to is queued behind the cancel all the same: the update may end before
    // it can be cancelled.
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
    let runs =
        draft.state.running.as_ref().and_then(|running| running.digest.as_ref()) == Some(digest);
    if runs || draft.under_way_now()?.is_some_and(|open| open.digest == *digest) {
        return rollback(draft, command, None);
    }
    let reason =
        format!("{} does not run any more: there is nothing to roll back from", digest.short());
    Ok(draft.refused(&reason))
}

/// What ran before the update that is under way: what the stack returns to. The image is meant,
/// also where its tag moves.
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
/// compared, as the history recorded them: what a tag is on now says nothing of what it was on
/// then.
fn last_deployed(draft: &Draft<'_>) -> Decided<Result<Target, String>> {
    let deployed = deployed(draft)?;
    // What an older version wrote names some images by their tags alone.
    let of_tag = |tag: &str| -> Decided<Option<Digest>> {
        if let Some(ended) = deployed.iter().find(|ended| ended.promotion.tag.as_str() == tag) {
            return Ok(Some(ended.promotion.digest.clone()));
        }
        Ok(match draft.as_production_tag(tag) {
            Some(tag) => draft.holder(&tag)?.cloned(),
            None => None,
        })
    };
    let present = if draft.is_stray { of_tag(draft.value())? } else { draft.running_digest() };
    let mut left_behind: Vec<Digest> = Vec::new();
    let mut redeployed: Vec<&Digest> = Vec::new();
    for Ended { promotion, .. } in &deployed {
        let from = match (&promotion.rolls_back_digest, &promotion.rolls_back) {
            (None, Some(from)) => of_tag(from)?,
            (known, _) => known.clone(),
        };
        left_behind.extend(from.filter(|from| !redeployed.contains(&from)));
        redeployed.push(&promotion.digest);
    }
    let first = deployed
        .iter()
        .position(|ended| Some(&ended.promotion.digest) == present.as_ref())
        .unwrap_or(0);
    for Ended { promotion, .. } in &deployed[first..] {
        let own = (promotion.tag.as_str(), Some(promotion.digest.clone()));
        for (tag, digest) in
            [own, (promotion.previous_tag.as_str(), promotion.previous_digest.clone())]
        {
            let digest = match digest {
                None => of_tag(tag)?,
                known => known,
            };
            match digest {
                Some(digest)
                    if Some(&digest) == present.as_ref() || left_behind.contains(&digest) => {}
                // What somebody set by hand is nothing that one person may go back to where
                // identities count.
                Some(digest) if draft.objection(&digest, Basis::GoingBack, None)?.is_some() => {}
                Some(digest) => {
                    return Ok(Ok(Target { digest, tag: draft.as_production_tag(tag) }));
                }
                None if tag == draft.value() => {}
                None => {
                    return Ok(Err(format!(
                        "what was deployed before, `{tag}`, is on no image that is known: name an \
                         image"
                    )));
                }
            }
        }
    }
    Ok(Err("nothing was deployed before what runs now: name an image".to_owned()))
}

/// An image that a person names: by its tag, or as the history knows its commit, or as the
/// repository does.
fn named_before(draft: &Draft<'_>, image: &ImageRef) -> Decided<Result<Target, String>> {
    let deployed_as = |is_it: &dyn Fn(&Ended) -> bool| -> Decided<Option<Target>> {
        let known = deployed(draft)?.into_iter().find(|ended| is_it(ended));
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
        // Any other tag moves: it says which image is meant, and is no name to run under.
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

/// What was deployed, newest first: what this look found ended, and what the history tells.
pub(super) fn deployed<'a>(draft: &'a Draft<'_>) -> Decided<Vec<&'a Ended>> {
    let history = draft.seen.history.as_deref().ok_or(Step::Read(Question::History))?;
    Ok(draft.ended.iter().rev().chain(history).filter(|ended| ended.end == End::Deployed).collect())
}
