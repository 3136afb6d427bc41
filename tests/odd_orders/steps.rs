//! The steps of these stories.

use serde_json::json;

use crate::support::slack::{ALICE, BOB};
use crate::support::steps::{fail, finish, tick};
use crate::support::world::Memory;

/// Until nothing is under way any more.
pub(super) fn come_to_rest(world: &Memory) {
    for _ in 0..6 {
        if world.get().in_flight.is_some() {
            let is_going_back = world.get().status.contains("ROLLBACK");
            if is_going_back { fail(world) } else { finish(world) }
        }
        tick(world);
    }
    assert!(world.get().in_flight.is_none());
}

pub(super) fn two_people(world: Memory) -> Memory {
    world.in_slack(&json!({ "approvers": [ALICE, BOB], "required": 2 }))
}

/// Each of them clicks on Approve below the newest message.
pub(super) fn both_approve(world: &Memory) {
    for user in [ALICE, BOB] {
        world.clicks(user, &world.newest_message().button("approve"), user);
    }
}
