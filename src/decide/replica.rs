//! Where a stack pulls from another registry than the function's own: its update waits until ECR has
//! replicated the tag there.

use jiff::SignedDuration;

use super::draft::Draft;
use super::plan::{Decided, First, MayEnd, Plan, Stages};
use crate::model::answer::Outcome;
use crate::model::promotion::{Promotion, ReplicaWait};
use crate::world::snapshot::Question;
use std::ops::ControlFlow::{Break, Continue};

/// After how long people are told that an image is still not there.
const PATIENCE: SignedDuration = SignedDuration::from_mins(30);

/// Whether the promotion's tag must be looked for in another registry before its update is sent.
pub(super) fn is_elsewhere(draft: &Draft<'_>) -> bool {
    draft.app.config.target.as_ref().is_some_and(|target| target.registry.is_some())
}

/// Goes on once the tag is on the promotion's image in the other registry. `before` records the
/// intent and puts the tag at home, where that has not happened yet.
pub(super) fn wait_for_replica<'a>(
    mut draft: Draft<'a>,
    promotion: &Promotion,
    before: impl FnOnce(&Draft<'a>) -> Decided<Stages>,
) -> MayEnd<(Draft<'a>, Promotion)> {
    let is_at_home = draft.tags.is_on(&promotion.tag, &promotion.digest);
    let since = promotion.replica.as_ref().map_or(draft.now, |wait| wait.since);
    let is_told = promotion.replica.as_ref().is_some_and(|wait| wait.is_told);
    // It has not been sent: its update is not looked for in the stack's events.
    let waiting = Promotion {
        sent_at: None,
        replica: Some(ReplicaWait { since, is_told }),
        ..promotion.clone()
    };
    if !is_at_home {
        keep(&mut draft, waiting);
        let stages = before(&draft)?;
        return Err(First::LookAgain(stages));
    }
    let Some(found) = draft.seen.replicas.get(&promotion.tag) else {
        return Err(First::Read(Question::Replica(promotion.tag.clone())));
    };
    if found.as_ref() == Some(&promotion.digest) {
        return Ok(Continue((draft, Promotion { replica: None, ..promotion.clone() })));
    }
    Ok(Break(put_off(draft, waiting)))
}

fn keep(draft: &mut Draft<'_>, promotion: Promotion) {
    let open = &mut draft.state.open;
    if let Some(own) = open.iter_mut().find(|own| own.token == promotion.token) {
        *own = promotion;
    }
}

/// Waits, and tells people once when that takes long.
fn put_off(mut draft: Draft<'_>, mut promotion: Promotion) -> Plan {
    let target = draft.app.config.target.as_ref();
    let registry = target.and_then(|target| target.registry.as_deref()).unwrap_or_default();
    let tag = &promotion.tag;
    let there = match draft.seen.replicas.get(tag).cloned().flatten() {
        Some(other) => format!("`{tag}` is on another image there, {}", other.short()),
        None => format!("`{tag}` is not there yet"),
    };
    let reason = format!("it waits for replication to {registry}: {there}");
    if let Some(wait) = &mut promotion.replica
        && !wait.is_told
        && draft.now.duration_since(wait.since) >= PATIENCE
    {
        wait.is_told = true;
        let words = format!(
            "{reason}, for more than 30 minutes: see the registry's replication rules, which count \
             by the prefix of the repository"
        );
        draft.announce(promotion.notice(Outcome::Queued, words, draft.now));
    }
    keep(&mut draft, promotion);
    draft.nothing(Outcome::Queued, reason)
}
