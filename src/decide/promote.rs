//! Promotes an image, as far as the stack lets it now.

use std::ops::ControlFlow::{Break, Continue};

use super::cause::{Cause, busy, failed, supersede_others, wait};
use super::draft::Draft;
use super::intent::{intend, note_choice, tag_for};
use super::named::named;
use super::plan::{Decided, MayEnd, Plan};
use super::rights::permit;
use super::send::{accepted, send};
use crate::model::answer::Outcome;
use crate::model::approval::Progress;
use crate::model::command::{Command, ImageRef};
use crate::model::image::Image;
use crate::model::notice::Notice;
use crate::model::promotion::{Basis, End, Promotion};
use crate::model::stack::Phase;
use crate::model::state::Running;
use crate::model::verification::Verification;
use crate::model::{Commit, Digest, Tag};

/// How often CloudFormation says that it knows a token before that is believed although no event
/// tells of it.
const KNOWN_TOKEN: u32 = 3;

/// `promote`: the break-glass. Whoever may publish or invoke may do this, in every mode.
pub(super) fn promote_named(
    draft: Draft<'_>,
    command: &Command,
    image: Option<&ImageRef>,
) -> Decided {
    match named(&draft, image)? {
        Ok(digest) => promote_for(draft, command, &digest),
        Err(reason) => Ok(draft.refused(&reason)),
    }
}

/// Promotes the image that the command's sender chose.
pub(super) fn promote_for(draft: Draft<'_>, command: &Command, digest: &Digest) -> Decided {
    promote(draft, digest, &Cause { is_choice: true, ..Cause::by_command(command) })
}

/// Promotes this image, as far as the stack lets it now.
pub(super) fn promote(mut draft: Draft<'_>, digest: &Digest, cause: &Cause<'_>) -> Decided {
    draft.subject.request.clone_from(&cause.request);
    // Where its tag was put on another image, or taken away, a person's choice gives it a tag of
    // its own.
    let is_moved = draft.state.moved_tag.is_some() && cause.is_choice;
    if draft.runs(digest) && !is_moved && !draft.runs_elsewhere_for(cause) {
        return runs_already(draft, digest, cause);
    }
    if is_verified_while_busy(&draft, digest, cause)
        && let Some(verifying) = draft.state.verifying.clone()
    {
        return Ok(is_being_verified(draft, verifying));
    }
    let (image, commit) = match draft.image(digest)? {
        Continue(found) => found,
        Break(plan) => return Ok(plan),
    };
    close_what_goes_back(&mut draft, digest, cause)?;
    let open = draft.state.open.iter().find(|open| open.digest == *digest).cloned();
    if let Some(open) = &open
        && draft.stack.phase() == Phase::Busy
        && draft.is_accepted(open)?
    {
        note_choice(&mut draft, digest, cause)?;
        return Ok(under_way(draft, open, cause));
    }
    let Some(tag) = tag_for(&draft, digest, commit.as_ref(), cause)? else {
        return Ok(draft.refused("every production tag that it could get is on another image"));
    };
    draft.subject.tag = Some(tag.clone());
    match draft.stack.phase() {
        Phase::AtRest if draft.value() == tag.as_str() => {
            is_there_already(draft, digest, commit, &tag, cause)
        }
        Phase::AtRest => send_now(draft, image, open.as_ref(), commit, tag, cause),
        Phase::Busy if cause.via.is_automation() => Ok(wait_its_turn(draft, open.as_ref(), cause)),
        Phase::Busy => queue(draft, digest, open.as_ref(), commit, tag, cause),
        Phase::Broken | Phase::Leaving | Phase::Gone => {
            let reason = format!(
                "stack `{}` is in {}: a person must repair it first",
                draft.stack.name, draft.stack.status
            );
            Ok(wait(draft, Outcome::Blocked, reason, cause))
        }
    }
}

/// Whether the image is being verified while somebody else, or a rollback, keeps the stack busy. An
/// approval of it was carried out: it asks for nothing more.
fn is_verified_while_busy(draft: &Draft<'_>, digest: &Digest, cause: &Cause<'_>) -> bool {
    let verifying = draft.state.verifying.as_ref();
    let is_its = verifying.is_some_and(|verifying| verifying.promotion.digest == *digest);
    let is_asked_anew = cause.is_choice || cause.basis == Basis::GoingBack;
    draft.stack.phase() == Phase::Busy && is_its && !is_asked_anew
}

/// Answers that the stack names the image, and that ECS does not run it everywhere yet.
fn is_being_verified(mut draft: Draft<'_>, verifying: Verification) -> Plan {
    let words = verifying.words();
    draft.subject.token = Some(verifying.promotion.token);
    draft.nothing(Outcome::Promoted, words)
}

/// Answers that the image runs already.
fn runs_already(mut draft: Draft<'_>, digest: &Digest, cause: &Cause<'_>) -> Decided {
    draft.subject.digest = Some(digest.clone());
    close_what_runs(&mut draft, digest);
    let running = draft.state.running.clone();
    draft.subject.commit = running.as_ref().and_then(|running| running.commit.clone());
    draft.subject.tag = running.and_then(|running| running.tag.parse().ok());
    draft.state.waiting = None;
    note_choice(&mut draft, digest, cause)?;
    supersede_others(&mut draft, None, cause.is_choice)?;
    if let Some(verifying) = draft.state.verifying.clone() {
        return Ok(is_being_verified(draft, verifying));
    }
    Ok(draft.nothing(Outcome::Unchanged, "it runs already".to_owned()))
}

/// The stack has its tag: it was known by its tag alone so far, or an update that a newer promotion
/// had replaced turns out to be what is wanted.
fn is_there_already(
    mut draft: Draft<'_>,
    digest: &Digest,
    commit: Option<Commit>,
    tag: &Tag,
    cause: &Cause<'_>,
) -> Decided {
    draft.state.waiting = None;
    let running = draft.state.running.as_ref();
    let same = running.filter(|running| running.tag == tag.as_str());
    let since = same.and_then(|running| running.since);
    let by = running.map_or_else(|| cause.by.to_string(), |running| running.by.clone());
    let digest_now = Some(digest.clone());
    let note = draft.note_of_image(digest);
    draft.state.running =
        Some(Running { tag: tag.to_string(), digest: digest_now, commit, note, since, by });
    note_choice(&mut draft, digest, cause)?;
    // What was to undo it, for example.
    supersede_others(&mut draft, None, cause.is_choice)?;
    Ok(draft.nothing(Outcome::Unchanged, "it runs already".to_owned()))
}

/// Writes down the promotion of this image, if the rule allows it, and what its cause means.
fn write_down(
    draft: &mut Draft<'_>,
    digest: &Digest,
    open: Option<&Promotion>,
    commit: Option<Commit>,
    tag: Tag,
    cause: &Cause<'_>,
) -> MayEnd<Promotion> {
    let permit = match permit(draft, digest, cause)? {
        Continue(permit) => permit,
        Break(plan) => return Ok(Break(plan)),
    };
    note_choice(draft, digest, cause)?;
    Ok(Continue(intend(draft, &permit, open, commit, tag, cause)?))
}

/// The stack is at rest: the update goes out.
fn send_now(
    mut draft: Draft<'_>,
    image: &Image,
    open: Option<&Promotion>,
    commit: Option<Commit>,
    tag: Tag,
    cause: &Cause<'_>,
) -> Decided {
    let promotion = match write_down(&mut draft, &image.digest, open, commit, tag, cause)? {
        Continue(promotion) => promotion,
        Break(plan) => return Ok(plan),
    };
    let known = draft.seen.learned.known_token.as_ref();
    let is_known =
        known.is_some_and(|(token, times)| *token == promotion.token && *times >= KNOWN_TOKEN);
    if is_known && draft.events()?.end_of(&promotion.token).is_none() {
        // For example, the token of an update that was sent before the state was lost: this
        // promotion needs another.
        draft.end(
            &promotion,
            End::Superseded,
            "CloudFormation knows its request token from before: it is sent with another one",
        );
        return promote(draft, &image.digest, cause);
    }
    send(draft, promotion, image, cause)
}

/// The stack is busy, and automation's promotion waits. People were already told of a promotion
/// that a person had queued, and of one that was deployed.
fn wait_its_turn(draft: Draft<'_>, open: Option<&Promotion>, cause: &Cause<'_>) -> Plan {
    let reason = busy(&draft);
    // What the stack named before somebody else's update waits for nothing.
    let is_named = draft.running_digest() == draft.subject.digest;
    if is_named || open.is_some_and(|open| !open.via.is_automation()) {
        return draft.nothing(Outcome::Queued, reason);
    }
    wait(draft, Outcome::Queued, reason, cause)
}

/// The stack is busy, and a person's promotion is written down: it goes out when the stack is at
/// rest.
fn queue(
    mut draft: Draft<'_>,
    digest: &Digest,
    open: Option<&Promotion>,
    commit: Option<Commit>,
    tag: Tag,
    cause: &Cause<'_>,
) -> Decided {
    let is_told = open.is_some_and(|open| open.tag == tag && !open.via.is_automation());
    if let Break(plan) = write_down(&mut draft, digest, open, commit, tag, cause)? {
        return Ok(plan);
    }
    let reason = busy(&draft);
    let notice = draft.notice(Outcome::Queued, &reason, &cause.by);
    if is_told {
        draft.state.note(&notice)
    } else {
        draft.announce(notice)
    }
    Ok(draft.nothing(Outcome::Queued, reason))
}

/// CloudFormation is updating the stack to this image: a duplicate finds that, or the retry of an
/// invocation that died after its update.
fn under_way(mut draft: Draft<'_>, open: &Promotion, cause: &Cause<'_>) -> Plan {
    let since = open.accepted_at.unwrap_or(open.at);
    let reason = format!("CloudFormation has been updating the stack since {since:.0}");
    draft.subject.tag = Some(open.tag.clone());
    draft.subject.token = Some(open.token.clone());
    draft.subject.previous_tag = Some(open.previous_tag.clone());
    if open.accepted_at.is_none() {
        let reason = accepted(open, &draft.app.config);
        draft.announce(open.notice(Outcome::Promoted, reason, draft.now));
    }
    for own in draft.state.open.iter_mut().filter(|own| own.token == open.token) {
        own.accepted_at = own.accepted_at.or(Some(draft.now));
        own.request = own.request.take().or_else(|| cause.request.clone());
        if !cause.via.is_automation() && own.via.is_automation() {
            own.by = cause.by.to_string();
            own.via = cause.via;
            own.basis = Some(cause.basis);
        }
    }
    // An update that was under way when people approved it was announced before. The message of
    // their request says so too.
    if let Some(request) = cause.request.as_ref().and_then(|id| draft.state.request_mut(id)) {
        request.progress = Progress::Deploying;
    }
    draft.nothing(Outcome::Promoted, reason)
}

/// Ends the image's update that CloudFormation is rolling back: a person who wants the image now
/// means another update.
fn close_what_goes_back(draft: &mut Draft<'_>, digest: &Digest, cause: &Cause<'_>) -> Decided<()> {
    for open in draft.state.open.clone().iter().filter(|open| open.digest == *digest) {
        let is_another =
            cause.basis == Basis::GoingBack && cause.command != open.command.as_deref();
        if (cause.is_choice || is_another)
            && let Some(reason) = draft.goes_back(open)?
        {
            failed(draft, open, &reason);
        }
    }
    Ok(())
}

/// Ends what waits to be promoted and runs already, under another tag: it needs no update.
fn close_what_runs(draft: &mut Draft<'_>, digest: &Digest) {
    for open in draft.state.open.clone().into_iter().filter(|open| open.digest == *digest) {
        let reason = format!("it runs already, as `{}`", draft.value());
        draft.end(&open, End::Superseded, reason.clone());
        let notice =
            Notice { request: None, ..open.notice(Outcome::Superseded, reason, draft.now) };
        draft.announce(notice);
        if let Some(request) = open.request.as_ref().and_then(|id| draft.state.request_mut(id)) {
            request.progress = Progress::Deployed(None);
        }
    }
}
