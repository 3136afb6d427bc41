//! A fault at every call, and the same event in several sandboxes.

use ecr_promoter::model::Digest;
use serde_json::Value;

use crate::support::faults;
use crate::support::interleave::random_interleavings;
use crate::support::payloads::{push_event, sns, tag};
use crate::support::steps::assert_runs;
use crate::support::world::Memory;

/// A story's world, its payload, and what must be so in the end.
struct Story {
    mode: &'static str,
    payload: fn(&Memory, &Digest) -> Value,
    finishes_at_once: bool,
    end: fn(&Memory, &Digest),
}

pub(super) fn promoted_once(world: &Memory, digest: &Digest) {
    assert_runs(world, digest, "abc1234");
    assert_eq!(world.updates(), 1, "one update");
    assert!(!world.told().is_empty(), "people were told");
    assert_eq!(
        world.get().tags.values().filter(|on| *on == digest).count(),
        2,
        "`latest` and one production tag"
    );
}

fn asked(world: &Memory, digest: &Digest) {
    let times = world.told().len();
    assert!((1..=2).contains(&times), "the question is asked, twice at worst: {:?}", world.told());
    assert_eq!(world.get().told[0].digest.as_ref(), Some(digest));
    assert_eq!((world.updates(), world.value().as_str()), (0, "production_old"));
}

/// Runs the story once for each call that it makes and each fault.
fn survives_every_fault(story: &Story) {
    let world = || {
        let world = Memory::new(story.mode);
        world.get_mut().finishes_at_once = story.finishes_at_once;
        world
    };
    survives_every_fault_in(world, story.payload, story.end);
}

/// The same in a world of its own, in which `abc1234` was just pushed.
pub(super) fn survives_every_fault_in(
    new: impl Fn() -> Memory,
    payload: fn(&Memory, &Digest) -> Value,
    end: impl Fn(&Memory, &Digest),
) {
    let pushed = || {
        let world = new();
        let digest = world.push("abc1234");
        (world, digest)
    };
    faults::survives_every_fault(pushed, payload, end);
}

#[test]
fn a_push_survives_every_fault_at_every_call() {
    for finishes_at_once in [true, false] {
        survives_every_fault(&Story {
            mode: "auto",
            payload: |_, digest| push_event(digest),
            finishes_at_once,
            end: promoted_once,
        });
    }
}

#[test]
fn a_question_survives_every_fault_at_every_call() {
    survives_every_fault(&Story {
        mode: "approval",
        payload: |_, digest| push_event(digest),
        finishes_at_once: false,
        end: asked,
    });
}

#[test]
fn a_command_survives_every_fault_at_every_call() {
    for finishes_at_once in [true, false] {
        let payload = |world: &Memory, _: &Digest| sns("promote web", "message-1", world.get().now);
        survives_every_fault(&Story {
            mode: "approval",
            payload,
            finishes_at_once,
            end: promoted_once,
        });
    }
}

#[test]
fn duplicates_at_the_same_time_are_one_update() {
    let new = |seed| {
        let world = Memory::new("auto");
        world.get_mut().finishes_at_once = seed % 2 == 0;
        let push = push_event(&world.push("abc1234"));
        (world, vec![push; 3])
    };
    random_interleavings(new, assert_one_update);
}

#[test]
fn the_same_message_in_two_sandboxes_is_one_promotion() {
    let new = |_| {
        let world = Memory::new("approval");
        world.push("abc1234");
        let message = sns("promote web", "message-1", world.get().now);
        (world, vec![message; 2])
    };
    random_interleavings(new, assert_one_update);
}

fn assert_one_update(world: &Memory) {
    let newest = world.get().tags[&tag("latest")].clone();
    assert_eq!(world.updates(), 1);
    assert_runs(world, &newest, "abc1234");
}
