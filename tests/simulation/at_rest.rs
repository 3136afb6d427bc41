//! What must hold at rest, whatever happened before.

use std::collections::BTreeSet;

use ecr_promoter::model::Digest;
use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::approval::Progress;
use ecr_promoter::model::promotion::End;
use ecr_promoter::model::state::State;
use jiff::SignedDuration;
use serde_json::Value;

use crate::support::guard::forbidden;
use crate::support::payloads::{event, sns, tag};
use crate::support::world::{Inner, Memory};

/// Lets CloudFormation finish and delivers its events and the schedule's, until nothing changes any
/// more.
pub(super) fn settle(world: &Memory) {
    // What the guard blocks has its change set made at each look: the time of that is no change,
    // and a slow one has no rest.
    world.get_mut().looks_of_a_review = 0;
    let state = || {
        world
            .get()
            .state
            .as_ref()
            .map(|(state, _)| State { change_sets: Vec::new(), ..state.clone() })
    };
    let look =
        || (state(), world.updates(), world.get().told.len(), world.get().change_sets.clone());
    for _ in 0..30 {
        let before = look();
        if world.get().in_flight.is_some() {
            if world.get().status == "UPDATE_ROLLBACK_IN_PROGRESS" {
                world.fail_update("cancelled")
            } else {
                world.finish_update()
            }
        }
        world.ecs_is_done();
        for name in ["cfn-update-complete", "scheduled"] {
            world
                .invoke(&event(name), "look")
                .unwrap_or_else(|error| panic!("{name}: {error}\n{}", describe(world)));
        }
        if is_verifying(world) {
            // A tag that somebody moved, say: ECS has had its time.
            world.get_mut().now += SignedDuration::from_mins(31);
        } else if world.get().in_flight.is_none() && before == look() {
            return;
        }
    }
    panic!("it does not come to rest: {}", describe(world));
}

fn is_verifying(world: &Memory) -> bool {
    world.get().state.as_ref().is_some_and(|(state, _)| state.verifying.is_some())
}

/// What a failing seed shows.
pub(super) fn describe(world: &Memory) -> String {
    let inner = world.get();
    let events: Vec<String> =
        inner.events.iter().take(8).map(|e| format!("{:?} {}", e.token, e.status)).collect();
    let state = inner.state.as_ref().map(|(state, _)| state);
    format!(
        "{} {}\nupdates {:#?}\nevents {events:#?}\nstate {state:#?}",
        inner.status, inner.parameters["ProductionTag"], inner.updates
    )
}

/// What must hold whenever everything has come to rest.
pub(super) fn assert_at_rest(world: &Memory) {
    let inner = world.get();
    let (state, _) = inner.state.as_ref().expect("a state");
    assert_eq!(state.open, [], "nothing is left open: {}", describe(world));
    assert_eq!(state.untold, [], "nothing is left untold");
    assert_eq!(state.verifying, None, "nothing is left unverified");
    assert!(
        inner.change_sets.values().all(Option::is_none),
        "no change set of ours is left: {:?}",
        inner.change_sets
    );
    let tokens: BTreeSet<&String> = inner.updates.iter().map(|(token, _)| token).collect();
    assert!(
        inner.takes_known_tokens || tokens.len() == inner.updates.len(),
        "one promotion is one update"
    );
    assert_what_runs_is_known(world, &inner, state);
    assert_everything_is_told(&inner, state);
    assert_the_newest_runs(world, &inner, state);
}

/// What the guard blocks may be the way back from an update that was overtaken.
fn is_blocked(inner: &Inner, state: &State) -> bool {
    let is_forbidden = !inner.config["guard"].is_null() && inner.would_change.list == forbidden();
    is_forbidden
        && state.waiting.as_ref().is_some_and(|waiting| waiting.outcome == Outcome::Blocked)
}

fn assert_what_runs_is_known(world: &Memory, inner: &Inner, state: &State) {
    let running = state.running.as_ref().expect("something runs");
    assert!(
        is_blocked(inner, state) || running.tag == inner.parameters["ProductionTag"],
        "the state knows what runs: {}",
        describe(world)
    );
    let is_as_promoted = inner.tags.get(&tag(&running.tag)) == running.digest.as_ref();
    let is_moved = inner.moved_by_others.contains(&tag(&running.tag));
    let is_pinned = running.tag.starts_with("production_");
    assert!(
        is_as_promoted || is_moved || !is_pinned,
        "the tag is on what was promoted: {}",
        describe(world)
    );
    let is_known_as_moved = state.moved_tag.as_ref().is_some_and(|moved| moved.tag == running.tag);
    let must_be_known = !is_as_promoted && running.digest.is_some() && is_pinned;
    assert_eq!(is_known_as_moved, must_be_known, "a moved tag is told: {}", describe(world));
}

fn assert_everything_is_told(inner: &Inner, state: &State) {
    let numbers: Vec<u64> = inner.history.keys().copied().collect();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>(), "the history has no gap");
    for ended in inner.history.values().filter(|ended| ended.end != End::Superseded) {
        let is_told = inner.told.iter().any(|notice| {
            notice.outcome == ended.end.outcome()
                && notice.tag.as_ref() == Some(&ended.promotion.tag)
        });
        assert!(is_told, "{:?} of {} was told", ended.end, ended.promotion.tag);
    }
    for request in state.all_requests() {
        assert!(!request.is_unshown(), "Slack shows what became of it: {request:#?}");
    }
}

fn assert_the_newest_runs(world: &Memory, inner: &Inner, state: &State) {
    let Some(newest) = inner.tags.get(&tag("latest")) else { return };
    let is_asked = state.request.as_ref().is_some_and(|request| {
        request.digest == *newest
            && (inner.config["mode"] == "approval" || request.progress == Progress::Rejected)
    });
    let is_set_aside = state.failed.contains(newest)
        || [&state.passed_over, &state.first_seen].contains(&&Some(newest.clone()));
    let may_wait = state.hold.is_some() || is_asked || is_set_aside || is_blocked(inner, state);
    assert!(
        may_wait
            || state.running.as_ref().and_then(|running| running.digest.as_ref()) == Some(newest),
        "the newest permitted image runs: {}",
        describe(world)
    );
}

/// A rollback goes to an image that ran before, and not to what runs; if there is none that can be
/// pulled, it says so.
pub(super) fn assert_a_rollback_goes_back(world: &Memory) {
    let before = world
        .get()
        .state
        .as_ref()
        .and_then(|(state, _)| state.running.clone())
        .and_then(|running| running.digest);
    let message = sns("rollback web", "the last rollback", world.get().now);
    let answer = world
        .invoke(&message, "rollback")
        .unwrap_or_else(|error| panic!("rollback: {error}\n{}", describe(world)));
    if !["promoted", "queued"].contains(&answer["outcome"].as_str().expect("an outcome")) {
        assert!(
            ["refused", "blocked", "failed"]
                .contains(&answer["outcome"].as_str().expect("an outcome")),
            "{answer:#}"
        );
        return;
    }
    let target: Digest = answer["digest"].as_str().expect("a digest").parse().expect("a digest");
    assert_ne!(Some(&target), before.as_ref(), "it goes back: {}", describe(world));
    assert!(
        world.get().ran.contains(&target),
        "what is gone back to ran before: {answer:#}\n{}",
        describe(world)
    );
    settle(world);
    assert_at_rest(world);
}

/// Everything again, late: nothing may change.
pub(super) fn assert_nothing_undoes_it(world: &Memory, payloads: &[Value]) {
    let before = (world.value(), world.updates());
    for payload in payloads {
        world.invoke(payload, "a late duplicate").expect("an answer");
    }
    settle(world);
    // What somebody set to a tag that moves is pinned by the next push.
    let is_pinned = before.0.starts_with("production_");
    assert!(
        !is_pinned || (world.value(), world.updates()) == before,
        "a late duplicate changed what runs: {}",
        describe(world)
    );
}
