//! The steps that most stories are made of.

use ecr_promoter::model::Digest;
use ecr_promoter::model::state::State;
use serde_json::Value;

use super::{Memory, answers, event, sns, stack_changed, tag};

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
