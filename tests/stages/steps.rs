//! The steps that stories of stages are made of.

use ecr_promoter::model::Digest;
use ecr_promoter::model::state::State;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::support::payloads::{event, push_event, sns};
use super::support::world::Memory;

/// The staging app `web`, and `web-us` after it, which asks after an hour.
pub(super) fn two_stages(mode: &str) -> Memory {
    let world = Memory::new("auto");
    add(&world, "web-us", mode, "web", 60);
    world
}

/// `web`, `web-us` an hour after it, and `web-eu` half an hour after that. All deploy by themselves.
pub(super) fn three_stages() -> Memory {
    let world = two_stages("auto");
    add(&world, "web-eu", "auto", "web-us", 30);
    world
}

/// Adds a stage, and lets it see what runs.
pub(super) fn add(world: &Memory, name: &str, mode: &str, after: &str, soak_minutes: u32) {
    let config = json!({
        "repository": "web", "stack": name, "mode": mode,
        "commit_from": ["tag", "annotation"],
        "after": { "app": after, "soak_minutes": soak_minutes },
    });
    world.add_app(name, &stack_id(name), config);
    reconcile(world, name);
}

pub(super) fn stack_id(name: &str) -> String {
    format!("arn:aws:cloudformation:us-east-1:012345678912:stack/{name}/1")
}

/// CI pushes an image of this commit, and its event comes.
pub(super) fn push(world: &Memory, commit: &str) -> (Digest, Value) {
    let digest = world.push(commit);
    let answer = world.invoke(&push_event(&digest), "push").expect("an answer");
    (digest, answer)
}

/// CloudFormation finishes the app's update, and its event comes.
pub(super) fn finish(world: &Memory, name: &str) -> Value {
    world.at(name).finish_update();
    world.invoke(&stack_changed(name), "stack event").expect("a look")
}

pub(super) fn stack_changed(name: &str) -> Value {
    let mut changed = event("cfn-update-complete");
    changed["detail"]["stack-id"] = match name {
        "web" => super::support::world::STACK_ID.into(),
        other => stack_id(other).into(),
    };
    changed
}

pub(super) fn wait(world: &Memory, minutes: i64) {
    world.get_mut().now += SignedDuration::from_mins(minutes);
}

/// The look at open work, every five minutes.
pub(super) fn tick(world: &Memory) -> Value {
    let payload = json!({ "action": "reconcile", "only_open_work": true });
    world.invoke(&payload, "tick").expect("a look")
}

/// A look at this app alone.
pub(super) fn reconcile(world: &Memory, name: &str) -> Value {
    let payload = json!({ "action": "reconcile", "app": name });
    world.invoke(&payload, "reconcile").expect("a look")
}

/// A command by SNS.
pub(super) fn command(world: &Memory, words: &str) -> Value {
    let id = format!("message-{}", world.get().calls.len());
    let message = sns(words, &id, world.get().now);
    world.invoke(&message, "request").expect("an answer")
}

/// A command that changes nothing.
pub(super) fn ask(world: &Memory, action: &str, name: &str) -> Value {
    world.invoke(&json!({ "action": action, "app": name }), "request").expect("an answer")
}

pub(super) fn value(world: &Memory, name: &str) -> String {
    world.at(name).value()
}

pub(super) fn updates(world: &Memory, name: &str) -> usize {
    world.at(name).updates()
}

pub(super) fn state(world: &Memory, name: &str) -> State {
    world.at(name).get().state.as_ref().expect("a state").0.clone()
}

/// The image of this commit is deployed in staging, soaks there, and is deployed in `web-us`.
pub(super) fn in_both(world: &Memory, commit: &str) {
    in_staging(world, commit);
    wait(world, 61);
    tick(world);
    finish(world, "web-us");
}

/// The image of this commit is deployed in staging.
pub(super) fn in_staging(world: &Memory, commit: &str) -> Digest {
    let (digest, _) = push(world, commit);
    finish(world, "web");
    digest
}
