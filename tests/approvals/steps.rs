//! The steps of these stories: people are asked, and click.

use ecr_promoter::model::Digest;
use ecr_promoter::model::approval::ApprovalRequest;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::slack::{ALICE, BOB, Button, CHANNEL};
use crate::support::steps::{push, state};
use crate::support::world::Memory;

/// The look of every five minutes.
pub(super) fn tick() -> Value {
    json!({ "action": "reconcile", "only_open_work": true })
}

#[track_caller]
pub(super) fn look(world: &Memory, payload: &Value) -> Option<String> {
    let looked = world.invoke(payload, "tick").expect("an answer");
    looked["results"][0]["outcome"].as_str().map(str::to_owned)
}

pub(super) fn request(world: &Memory) -> ApprovalRequest {
    state(world).request.expect("a request")
}

pub(super) fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// In approval mode, with a channel; and two people of whom this many must agree.
pub(super) fn asking() -> Memory {
    Memory::new("approval").in_slack(&json!({}))
}

pub(super) fn of_two(required: u32) -> Memory {
    Memory::new("approval").in_slack(&json!({ "approvers": [ALICE, BOB], "required": required }))
}

/// An image of this commit was pushed, and people are asked.
#[track_caller]
pub(super) fn pushed(world: &Memory, commit: &str) -> Digest {
    push(world, commit, "approval_requested")
}

#[track_caller]
pub(super) fn assert_nothing_was_promoted(world: &Memory) {
    assert_eq!((world.updates(), world.value().as_str()), (0, "production_old"));
    assert!(
        !world
            .get()
            .tags
            .keys()
            .any(|tag| tag.as_str().starts_with("production_") && tag.as_str() != "production_old")
    );
}

/// The newest message's button of this name.
#[track_caller]
pub(super) fn button(world: &Memory, action_id: &str) -> Button {
    world.newest_message().button(action_id)
}

/// Somebody clicks on the newest message.
#[track_caller]
pub(super) fn clicks(world: &Memory, user: &str, action_id: &str) -> Option<String> {
    let button = button(world, action_id);
    world.clicks(user, &button, &format!("{user}-{action_id}-{}", world.get().now.as_millisecond()))
}

pub(super) fn actions(world: &Memory) -> Vec<String> {
    world.newest_message().buttons().into_iter().map(|button| button.action_id).collect()
}

/// Somebody was asked about `abc1234`.
pub(super) fn asked(world: Memory) -> (Memory, Digest) {
    let digest = pushed(&world, "abc1234");
    (world, digest)
}

/// The fields of a slash command that tell who writes what.
pub(super) fn command_by<'a>(
    user: &'a str,
    team: &'a str,
    text: &'a str,
) -> [(&'static str, &'a str); 5] {
    [
        ("team_id", team),
        ("channel_id", CHANNEL),
        ("user_id", user),
        ("text", text),
        ("trigger_id", "1"),
    ]
}
