//! ECS cannot be asked.

use ecr_promoter::error::Error;
use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::unread::Unread;
use serde_json::Value;

use super::steps::{deploy, ecs_finishes, minutes_pass, only_notice, says, told_since, world};
use crate::support::payloads::{event, service_changed, stack_changed};
use crate::support::steps::{answers, command, push, state, tick};
use crate::support::world::Memory;

fn is_denied(world: &Memory) {
    let words = "ecs:DescribeServices on ECS service `web` was denied: add `ecs:DescribeServices`";
    world.get_mut().unread_services = Some(Unread { words: words.to_owned(), is_denied: true });
}

fn deliver(world: &Memory, payload: &Value) -> Result<Value, Error> {
    world.invoke(payload, "request")
}

/// CloudFormation finished `aaaaaaa`, and the first look could not ask ECS.
fn looked_in_vain() -> Memory {
    let world = world();
    push(&world, "aaaaaaa", "promoted");
    world.finish_update();
    is_denied(&world);
    let error = deliver(&world, &stack_changed()).expect_err("an error that names it").to_string();
    says(&error, &["promoted", "ecs:DescribeServices", "was denied"]);
    world
}

#[test]
fn the_first_look_fails_with_an_error_that_names_the_action_and_the_next_does_not() {
    let world = looked_in_vain();
    for _ in 0..3 {
        answers(&world, &stack_changed(), "promoted");
        minutes_pass(&world, 5);
        tick(&world);
    }
    assert_eq!(world.told(), [Outcome::Promoted], "it is not lost, and not told yet");
    let status = deliver(&world, &event("command-status")).expect("a status");
    says(&status["verifying"].to_string(), &["ecs:DescribeServices"]);
}

#[test]
fn after_its_time_it_is_deployed_and_not_verified_and_that_is_told_once() {
    let world = looked_in_vain();
    minutes_pass(&world, 31);
    for _ in 0..3 {
        tick(&world);
        minutes_pass(&world, 60);
    }
    let words = ["not verified:", "add `ecs:DescribeServices`"];
    only_notice(&world, 1, Outcome::Deployed, &words);
    assert_eq!(world.updates(), 1);
    let next = push(&world, "bbbbbbb", "promoted");
    assert_eq!(state(&world).open[0].digest, next, "nothing is stuck");
}

#[test]
fn a_right_that_is_added_in_time_ends_it_as_if_nothing_had_been() {
    let world = looked_in_vain();
    world.get_mut().unread_services = None;
    answers(&world, &service_changed(), "promoted");
    ecs_finishes(&world);
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Deployed]);
    says(&world.get().told[1].reason, &["ECS runs it"]);
}

#[test]
fn a_right_that_is_lost_again_is_an_error_again() {
    let world = looked_in_vain();
    world.get_mut().unread_services = None;
    tick(&world);
    is_denied(&world);
    deliver(&world, &stack_changed()).expect_err("it is news again");
    answers(&world, &stack_changed(), "promoted");
}

#[test]
fn a_failure_of_cloudformation_is_told_without_the_words_of_ecs() {
    let world = world();
    push(&world, "aaaaaaa", "promoted");
    is_denied(&world);
    world.fail_update("it did not stabilize");
    let answer = answers(&world, &stack_changed(), "failed");
    assert_eq!(answer["reason"], "it did not stabilize");
}

#[test]
fn the_hourly_look_at_what_was_deployed_goes_on_without_ecs() {
    let world = world();
    deploy(&world, "aaaaaaa");
    let before = world.told().len();
    is_denied(&world);
    for _ in 0..2 {
        minutes_pass(&world, 60);
        tick(&world);
    }
    assert_eq!(told_since(&world, before), []);
}

#[test]
fn a_rollback_and_a_push_do_not_wait_for_ecs() {
    let world = world();
    deploy(&world, "aaaaaaa");
    push(&world, "bbbbbbb", "promoted");
    world.finish_update();
    is_denied(&world);
    deliver(&world, &stack_changed()).expect_err("ECS cannot be asked");
    let answer = command(&world, "rollback web", "promoted");
    assert_eq!(answer["tag"], "production_aaaaaaa");
    assert_eq!(world.updates(), 3);
}
