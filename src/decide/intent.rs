//! The promotion that is written down before anything is sent: its tag, its token, what it rests
//! on. Also what it means for the app that a person chose an image.

use jiff::Timestamp;

use super::cause::{Cause, supersede_others};
use super::draft::Draft;
use super::plan::Decided;
use super::request::withdraw;
use super::rights::Permit;
use crate::model::approval::Vote;
use crate::model::identity::SourceIdentity;
use crate::model::image::production_tag;
use crate::model::notes::ChangeNotes;
use crate::model::promotion::{End, Promotion};
use crate::model::stack::Phase;
use crate::model::state::{Hold, Recent};
use crate::model::{Commit, Digest, RequestId, Tag, Token};

/// The tag that the image has or gets: the wanted one if it is free.
pub(super) fn tag_for(
    draft: &Draft<'_>,
    digest: &Digest,
    commit: Option<&Commit>,
    cause: &Cause<'_>,
) -> Decided<Option<Tag>> {
    // ECR may have refused the tag under which this image was tried before.
    let was_replaced = |recent: &&Recent| recent.end == End::Superseded && recent.digest == *digest;
    for recent in draft.state.recent.iter().filter(was_replaced) {
        draft.holder(&recent.tag)?;
    }
    let mut taken = draft.taken_from(digest);
    // A tag that was moved is not used again: CloudFormation would see no change, and ECS would not
    // pull the image anew.
    taken.extend(draft.state.moved_tag.iter().filter_map(|moved| moved.tag.parse().ok()));
    // Nor is the tag that the stack names, where ECS runs another image.
    if draft.runs_elsewhere_for(cause) {
        taken.extend(draft.as_production_tag(draft.value()));
    }
    let is_production = |tag: &&Tag| draft.app.config.is_production_tag(tag.as_str());
    let is_free = |tag: &&Tag| {
        draft.tags.holder(tag).flatten().is_none_or(|on| on == digest) && !taken.contains(*tag)
    };
    if let Some(tag) = cause.tag.as_ref().filter(is_production).filter(is_free) {
        return Ok(Some(tag.clone()));
    }
    taken.extend(cause.avoid.clone());
    Ok(production_tag(digest, commit, draft.tags, &taken, &draft.app.config))
}

/// Notes what a person's choice means. Automation must not undo the choice of an older image, so
/// it holds the app; the choice of the newest image ends a hold.
pub(super) fn note_choice(
    draft: &mut Draft<'_>,
    digest: &Digest,
    cause: &Cause<'_>,
) -> Decided<()> {
    if !cause.is_choice {
        return Ok(());
    }
    draft.state.passed_over = None;
    draft.state.hold = if draft.seen.newest.as_ref() == Some(digest) {
        None
    } else {
        let reason = format!("{} promoted another image on purpose", cause.by);
        withdraw(draft, &reason, &cause.by)?;
        let reason = format!(
            "{} was promoted on purpose, and is not the newest {}",
            digest.short(),
            draft.newest_of()
        );
        Some(Hold { by: cause.by.to_string(), at: draft.now, reason })
    };
    Ok(())
}

/// Writes down the promotion that gets this image this tag: the open one, so that every retry sends
/// the same token, or a new one.
pub(super) fn intend(
    draft: &mut Draft<'_>,
    permit: &Permit,
    open: Option<&Promotion>,
    commit: Option<Commit>,
    tag: Tag,
    cause: &Cause<'_>,
) -> Decided<Promotion> {
    let same = open.filter(|open| open.tag == tag);
    supersede_others(draft, same, !cause.via.is_automation())?;
    let new = new_promotion(draft, permit.digest(), commit, tag, cause);
    let promotion = match same {
        // A person who wants what automation had begun makes it theirs: it then waits for no one.
        Some(open) if open.via.is_automation() && !cause.via.is_automation() => Promotion {
            by: cause.by.to_string(),
            via: cause.via,
            identity: new.identity.clone(),
            basis: Some(cause.basis),
            command: cause.command.map(str::to_owned),
            request: cause.request.clone().or_else(|| open.request.clone()),
            ..open.clone()
        },
        Some(open) => Promotion {
            request: open.request.clone().or_else(|| cause.request.clone()),
            ..open.clone()
        },
        None => new.clone(),
    };
    let promotion = if draft.stack.phase() == Phase::AtRest {
        // It goes now. What ran before is what runs now, not what ran when it was queued.
        Promotion {
            previous_tag: new.previous_tag,
            previous_commit: new.previous_commit,
            previous_digest: new.previous_digest,
            sent_at: promotion.sent_at.or(Some(draft.now)),
            ..promotion
        }
    } else {
        promotion
    };
    let promotion = with_votes(draft, promotion);
    draft.state.open.retain(|open| open.token != promotion.token);
    draft.state.open.push(promotion.clone());
    draft.subject.token = Some(promotion.token.clone());
    if let Some(command) = &mut draft.command {
        command.token = Some(promotion.token.clone());
        command.began = promotion.command.as_ref() == Some(&command.id);
    }
    Ok(promotion)
}

fn new_promotion(
    draft: &Draft<'_>,
    digest: &Digest,
    commit: Option<Commit>,
    tag: Tag,
    cause: &Cause<'_>,
) -> Promotion {
    let config = &draft.app.config;
    let running = draft.state.running.as_ref();
    // One that is being verified has not been counted yet, and has its token.
    let ended = draft.state.ended + u64::from(draft.state.verifying.is_some());
    Promotion {
        token: Token::of(&draft.app.name, &config.stack, digest, &tag, ended),
        digest: digest.clone(),
        note: draft.note_of_image(digest),
        notes: asked_notes(draft, digest).or_else(|| draft.notes_of_seen(digest)),
        commit,
        tag,
        previous_tag: running.map_or_else(|| draft.value().to_owned(), |its| its.tag.clone()),
        previous_commit: running.and_then(|running| running.commit.clone()),
        previous_digest: running.and_then(|running| running.digest.clone()),
        stack: config.stack.clone(),
        by: cause.by.to_string(),
        via: cause.via,
        identity: identity(draft, cause),
        replica: None,
        basis: Some(cause.basis),
        pushed_at: pushed_at(draft, digest, cause),
        at: draft.now,
        sent_at: None,
        accepted_at: None,
        command: cause.command.map(str::to_owned),
        rolls_back: cause.rolls_back.clone(),
        rolls_back_digest: cause.rolls_back_digest.clone(),
        why: cause.why.clone(),
        cancelled_by: None,
        request: cause.request.clone().or_else(|| undecided_request(draft, digest)),
        votes: Vec::new(),
        change_set: None,
        deletes_change_sets: Vec::new(),
    }
}

/// When an image was first seen as the candidate. A rollback, and whoever names an older image,
/// brings what was seen long ago: that measures nothing.
fn pushed_at(draft: &Draft<'_>, digest: &Digest, cause: &Cause<'_>) -> Option<Timestamp> {
    let is_new = cause.rolls_back.is_none() && draft.seen.newest.as_ref() == Some(digest);
    let seen = draft.state.candidates.of(digest).filter(|_| is_new);
    seen.and_then(|candidate| candidate.note.at)
}

/// Who a promotion is sent for in another account: whoever approved or commanded it.
fn identity(draft: &Draft<'_>, cause: &Cause<'_>) -> Option<SourceIdentity> {
    let approved = cause.request.as_ref().and_then(|id| {
        let request = draft.state.all_requests().find(|request| request.id == *id)?;
        request.votes.iter().rfind(|vote| vote.approves)
    });
    let identity = match approved {
        _ if cause.via.is_automation() => SourceIdentity::default(),
        Some(Vote { user: Some(user), .. }) => SourceIdentity::of_slack(user),
        Some(vote) => SourceIdentity::of_way(vote.via),
        None if draft.seen.identity == SourceIdentity::default() => {
            SourceIdentity::of_way(cause.via)
        }
        None => draft.seen.identity.clone(),
    };
    draft.app.config.target.is_some().then_some(identity)
}

/// The notes that people were shown when they were asked about this image.
fn asked_notes(draft: &Draft<'_>, digest: &Digest) -> Option<ChangeNotes> {
    let asked = draft.state.all_requests().find(|request| request.digest == *digest)?;
    asked.notes.clone()
}

/// The undecided request about this image: whoever promotes it, its message says what became of it.
fn undecided_request(draft: &Draft<'_>, digest: &Digest) -> Option<RequestId> {
    let request = draft.state.request.as_ref()?;
    (request.digest == *digest && !request.progress.is_final()).then(|| request.id.clone())
}

/// Keeps with the promotion what people said of its request. The state keeps less of an earlier
/// request, so fewer votes do not replace more.
fn with_votes(draft: &mut Draft<'_>, promotion: Promotion) -> Promotion {
    let request = promotion.request.as_ref().and_then(|id| draft.state.request_mut(id));
    let votes = request
        .map(|request| request.votes.clone())
        .filter(|votes| votes.len() >= promotion.votes.len())
        .unwrap_or_else(|| promotion.votes.clone());
    Promotion { votes, ..promotion }
}
