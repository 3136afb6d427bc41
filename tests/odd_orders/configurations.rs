//! Configurations that move or cannot be used.

use ecr_promoter::model::answer::Outcome;

use super::steps::come_to_rest;
use crate::support::payloads::{event, sns};
use crate::support::steps::{command, finish, push, runs, state, tick};
use crate::support::world::Memory;

#[test]
fn a_configuration_that_cannot_be_used_is_told_when_the_topic_is_back() {
    let world = Memory::new("auto");
    tick(&world);
    world.get_mut().config["parameter"] = "Nope".into();
    world.get_mut().topic_is_down = true;
    for _ in 0..2 {
        let _ = world.invoke(&event("scheduled"), "tick");
    }
    world.get_mut().topic_is_down = false;
    for _ in 0..2 {
        let _ = world.invoke(&event("scheduled"), "tick");
    }
    assert_eq!(world.told(), [Outcome::Blocked]);
}

#[test]
fn what_ended_before_the_configuration_broke_is_told_although_it_is_broken() {
    let world = Memory::new("auto");
    tick(&world);
    world.get_mut().topic_is_down = true;
    let message = sns("hold web freeze", "hold", world.get().now);
    let _ = world.invoke(&message, "hold");
    world.get_mut().topic_is_down = false;
    world.get_mut().config["parameter"] = "Nope".into();
    for _ in 0..2 {
        let _ = world.invoke(&event("scheduled"), "tick");
    }
    assert_eq!(world.told().len(), 2, "{:?}", world.told());
}

#[test]
fn another_prefix_while_something_is_under_way_and_something_waits_ends_right() {
    let world = Memory::new("auto");
    tick(&world);
    let first = push(&world, "aaaaaaa", "promoted");
    let second = world.push("bbbbbbb");
    command(&world, "promote web", "queued");
    world.get_mut().config["tag_prefix"] = "production_eu_".into();
    come_to_rest(&world);
    assert_eq!((world.value().as_str(), runs(&world)), ("production_eu_bbbbbbb", second));
    assert_eq!(state(&world).open, []);
    command(&world, "rollback web", "promoted");
    finish(&world);
    assert_eq!((world.value().as_str(), runs(&world)), ("production_eu_aaaaaaa", first));
}
