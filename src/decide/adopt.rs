//! Accepts the stack's value as what runs, and holds the app, since somebody else set it.

use super::draft::{Draft, Pace};
use super::plan::Decided;
use super::rights::objection_to;
use crate::model::Tag;
use crate::model::answer::Outcome;
use crate::model::image::commit_in;
use crate::model::promotion::Basis;
use crate::model::stack::Phase;
use crate::model::state::{Hold, Running};

/// Who set what ran when the app was first seen.
pub(super) const BEFORE: &str = "before ecr-promoter";
/// Who changed what ecr-promoter did not change.
const OUTSIDE: &str = "somebody outside ecr-promoter";

/// Accepts the stack's value as what runs, notifies people of the reason, and holds the app.
pub(super) fn adopt(draft: &mut Draft<'_>, reason: String) -> Decided<()> {
    let tag: Option<Tag> = draft.value().parse().ok();
    let recorded = match &tag {
        Some(tag) => {
            draft.holder(tag)?;
            draft.recorded(tag)?
        }
        None => None,
    };
    let found = found(draft)?;
    let digest = recorded.or(found.digest);
    draft.state.running =
        Some(Running { by: OUTSIDE.to_owned(), since: Some(draft.now), digest, ..found });
    // What ECS runs is compared with another image from now on.
    draft.state.services = None;
    hold_for_outsiders(draft, reason);
    Ok(())
}

/// Works out from the parameter's value what runs.
pub(super) fn found(draft: &Draft<'_>) -> Decided<Running> {
    let tag: Option<Tag> = draft.value().parse().ok();
    let digest = match &tag {
        Some(tag) if is_urgent(draft)? => draft.tags.holder(tag).flatten().cloned(),
        Some(tag) => draft.holder(tag)?.cloned(),
        None => None,
    };
    let by_tags =
        digest.as_ref().and_then(|digest| draft.tags.commit(digest, &draft.app.config)).flatten();
    let commit = by_tags.or_else(|| tag.as_ref().and_then(commit_in));
    let note = digest.as_ref().and_then(|digest| draft.note_of_image(digest));
    Ok(Running {
        tag: draft.value().to_owned(),
        digest,
        commit,
        note,
        since: None,
        by: BEFORE.to_owned(),
    })
}

/// Whether a push is about to go out: it does not wait for what a later look can find out as well.
pub(super) fn is_urgent(draft: &Draft<'_>) -> Decided<bool> {
    let Some(newest) = draft.seen.newest.as_ref().filter(|_| draft.pace == Pace::Push) else {
        return Ok(false);
    };
    let is_new = draft.running_digest().as_ref() != Some(newest);
    Ok(is_new
        && draft.stack.phase() == Phase::AtRest
        && objection_to(draft, newest, Basis::Automation, None)?.is_none())
}

/// Holds the app because of somebody else's change, and notifies people.
pub(super) fn hold_for_outsiders(draft: &mut Draft<'_>, reason: String) {
    let notice = draft.notice(Outcome::Held, &reason, OUTSIDE);
    draft.announce(notice);
    draft.state.hold = Some(Hold { by: OUTSIDE.to_owned(), at: draft.now, reason });
}
