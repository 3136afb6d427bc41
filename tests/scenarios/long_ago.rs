//! What the state has forgotten, the history still knows.

use serde_json::json;

use crate::support::payloads::sns;
use crate::support::steps::{answers, deploy, state, tick};
use crate::support::world::Memory;

/// More promotions than the state itself remembers.
fn deploy_many(world: &Memory) {
    for build in 1..=8 {
        deploy(world, &format!("bbbbbb{build}"));
    }
}

#[test]
fn a_production_tag_names_its_own_image_long_after_somebody_moved_it() {
    let world = Memory::new("auto");
    tick(&world);
    let first = deploy(&world, "aaaaaaa");
    deploy_many(&world);
    assert!(state(&world).recent.iter().all(|recent| recent.digest != first));
    let other = world.image("fffffff");
    world.move_tag("production_aaaaaaa", Some(&other));
    let promote = json!({
        "action": "promote", "repository": "web", "tag": "production_aaaaaaa", "id": "1",
    });
    let answer = answers(&world, &promote, "promoted");
    assert_eq!(answer["digest"], json!(first), "{answer}");
}

#[test]
fn a_command_that_is_repeated_long_after_it_was_carried_out_tells_how_it_ended() {
    let world = Memory::new("approval");
    let sent_at = world.get().now;
    let first = world.push("aaaaaaa");
    let message = sns("promote web", "message-1", sent_at);
    answers(&world, &message, "promoted");
    // The answer was lost with its sandbox.
    for record in world.get_mut().commands.values_mut() {
        record.answer = None;
    }
    world.finish_update();
    tick(&world);
    deploy_many(&world);
    let updates = world.updates();
    let answer = answers(&world, &message, "deployed");
    assert_eq!(answer["digest"], json!(first), "{answer}");
    assert_eq!(world.updates(), updates, "it acts once");
}
