//! Where a stack pulls from another registry than the function's own: its update waits until ECR
//! has replicated the tag there.

use jiff::SignedDuration;

use super::draft::Draft;
use super::plan::{First, MayEnd, Plan};
use crate::model::Digest;
use crate::model::answer::Outcome;
use crate::model::promotion::{Promotion, ReplicaWait};
use crate::world::action::Action;
use crate::world::snapshot::Question;
use std::ops::ControlFlow::{Break, Continue};

/// After how long people are told that an image is still not there.
const PATIENCE: SignedDuration = SignedDuration::from_mins(30);

/// Whether the stack pulls from another registry than the function's own.
fn is_elsewhere(draft: &Draft<'_>) -> bool {
    let registry = draft.app.config.target.as_ref().and_then(|target| target.registry_place());
    registry.is_some_and(|registry| registry != draft.seen.home)
}

/// The check that the promotion's tag is in the other registry, which comes right before its
/// update; `None` where this look has seen the tag there.
pub(super) fn check(draft: &Draft<'_>, promotion: &Promotion) -> Option<Action> {
    let seen = draft.seen.replicas.get(&promotion.tag).and_then(Option::as_ref);
    let is_needed = is_elsewhere(draft) && seen != Some(&promotion.digest);
    let (tag, digest) = (promotion.tag.clone(), promotion.digest.clone());
    is_needed.then_some(Action::CheckReplica { tag, digest })
}

/// Puts the promotion off if its tag was looked for in the other registry and is not there. At the
/// first try, that is seen only after the tag was put at home: see [`check`].
pub(super) fn wait_for_replica(
    mut draft: Draft<'_>,
    promotion: Promotion,
) -> MayEnd<(Draft<'_>, Promotion)> {
    if !is_elsewhere(&draft) {
        return Ok(Continue((draft, promotion)));
    }
    let tag = &promotion.tag;
    let found = match (draft.seen.learned.replicas.get(tag), draft.seen.replicas.get(tag)) {
        (Some(found), _) | (None, Some(found)) => found.clone(),
        (None, None) if promotion.replica.is_none() => return Ok(Continue((draft, promotion))),
        (None, None) => return Err(First::Read(Question::Replica(tag.clone()))),
    };
    if found.as_ref() != Some(&promotion.digest) {
        return Ok(Break(put_off(draft, promotion, found)));
    }
    let promotion = Promotion { replica: None, ..promotion };
    keep(&mut draft, promotion.clone());
    Ok(Continue((draft, promotion)))
}

fn keep(draft: &mut Draft<'_>, promotion: Promotion) {
    let open = &mut draft.state.open;
    if let Some(own) = open.iter_mut().find(|own| own.token == promotion.token) {
        *own = promotion;
    }
}

/// Waits, and tells people once when that takes long.
fn put_off(mut draft: Draft<'_>, promotion: Promotion, found: Option<Digest>) -> Plan {
    let target = draft.app.config.target.as_ref();
    let registry = target.and_then(|target| target.registry.as_deref()).unwrap_or_default();
    let tag = &promotion.tag;
    let there = match found {
        Some(other) => format!("`{tag}` is on another image there, {}", other.short()),
        None => format!("`{tag}` is not there yet"),
    };
    let reason = format!("it waits for replication to {registry}: {there}");
    let new = ReplicaWait { since: draft.now, is_told: false };
    let mut wait = promotion.replica.clone().unwrap_or(new);
    if !wait.is_told && draft.now.duration_since(wait.since) >= PATIENCE {
        wait.is_told = true;
        let words = format!(
            "{reason}, for more than 30 minutes: see the registry's replication rules, which count \
             by the prefix of the repository"
        );
        draft.announce(promotion.notice(Outcome::Queued, words, draft.now));
    } else {
        draft.state.note(&promotion.notice(Outcome::Queued, reason.clone(), draft.now));
    }
    // It has not been sent: its update is not looked for in the stack's events.
    keep(&mut draft, Promotion { sent_at: None, replica: Some(wait), ..promotion });
    draft.nothing(Outcome::Queued, reason)
}
