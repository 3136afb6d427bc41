//! The steps that most stories are made of.

use ecr_promoter::model::Digest;
use ecr_promoter::model::state::State;
use serde_json::Value;

use super::payloads::{event, push_event, sns, stack_changed, tag};
use super::world::Memory;

/// Delivers a payload, whose answer has this outcome.
#[track_caller]
pub(crate) fn answers(world: &Memory, payload: &Value, want: &str) -> Value {
    let answer = world.invoke(payload, "request").expect("an answer");
    assert_eq!(answer["outcome"], want, "{answer:#}");
    answer
}

pub(crate) fn state(world: &Memory) -> State {
    world.get().state.as_ref().expect("a state").0.clone()
}

/// A command on the approval topic, whose answer has this outcome.
#[track_caller]
pub(crate) fn command(world: &Memory, words: &str, want: &str) -> Value {
    let id = format!("message-{}", world.get().calls.len());
    let message = sns(words, &id, world.get().now);
    answers(world, &message, want)
}

pub(crate) fn tick(world: &Memory) -> Value {
    world.invoke(&event("scheduled"), "tick").expect("a look")
}

/// CloudFormation goes through with what is under way, and its event comes.
pub(crate) fn finish(world: &Memory) {
    world.finish_update();
    world.invoke(&stack_changed(), "stack event").expect("a look");
}

/// The same, where the update fails.
pub(crate) fn fail(world: &Memory) {
    world.fail_update("it did not stabilize");
    world.invoke(&stack_changed(), "stack event").expect("a look");
}

/// The image that the stack's value is on: what runs, unless a tag was moved.
pub(crate) fn runs(world: &Memory) -> Digest {
    world.get().tags[&tag(&world.value())].clone()
}

/// An image of this commit is pushed, and the answer to its event has this outcome.
#[track_caller]
pub(crate) fn push(world: &Memory, commit: &str, want: &str) -> Digest {
    let digest = world.push(commit);
    answers(world, &push_event(&digest), want);
    digest
}

/// An image of this commit is pushed and deployed; where people are asked, by a command.
#[track_caller]
pub(crate) fn deploy(world: &Memory, commit: &str) -> Digest {
    let digest = world.push(commit);
    world.invoke(&push_event(&digest), "push").expect("an answer");
    if world.get().in_flight.is_none() {
        command(world, "promote web", "promoted");
    }
    world.finish_update();
    answers(world, &stack_changed(), "deployed");
    digest
}

/// `aaaaaaa`, then `bbbbbbb` were deployed; the second runs.
#[track_caller]
pub(crate) fn two_deployed(world: &Memory) -> (Digest, Digest) {
    (deploy(world, "aaaaaaa"), deploy(world, "bbbbbbb"))
}

#[track_caller]
pub(crate) fn assert_runs(world: &Memory, digest: &Digest, commit: &str) {
    let production = format!("production_{commit}");
    assert_eq!(world.value(), production);
    assert_eq!(world.get().tags.get(&tag(&production)), Some(digest));
}
