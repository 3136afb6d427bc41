//! A fault at every call of a verification and of a bake, then Lambda's retries, then the schedule.

use std::collections::BTreeSet;

use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::promotion::End;
use serde_json::Value;

use super::steps::{baking, deploy, history, minutes_pass, reaches_ecs, world};
use crate::support::interleave::run;
use crate::support::payloads::{alarm_changed, event, service_changed, stack_changed};
use crate::support::steps::{push, state, tick};
use crate::support::world::{Fault, Memory};

/// A world, what comes in, and what people are told of in the end.
struct Story {
    new: fn() -> Memory,
    payload: fn() -> Value,
    /// What ECS does after that.
    then: fn(&Memory),
    told: &'static [Outcome],
    end: fn(&Memory),
}

/// Runs the story without a fault, and once for each of its calls and each fault.
fn survives_every_fault(story: &Story) {
    let world = (story.new)();
    let calls = world.get().calls.len();
    world.invoke(&(story.payload)(), "request").expect("an answer");
    let calls = calls..world.get().calls.len();
    assert!(calls.len() > 4, "it looks: {calls:?}");
    ends(story, &world, (story.new)().told().len(), None);
    for at in calls {
        for fault in [Fault::Before, Fault::After, Fault::Death] {
            let world = (story.new)();
            let before = world.told().len();
            world.get_mut().fault = Some((at, fault));
            for _ in 0..3 {
                if let Some(Ok(_)) = run(world.handler((story.payload)(), "request")) {
                    break;
                }
            }
            world.get_mut().fault = None;
            eprintln!("fault {fault:?} at call {at}: {:?}", world.get().calls.get(at));
            ends(story, &world, before, Some(fault));
        }
    }
}

/// The schedule looks until all is at rest.
fn ends(story: &Story, world: &Memory, before: usize, fault: Option<Fault>) {
    (story.then)(world);
    for _ in 0..4 {
        minutes_pass(world, 5);
        if world.get().in_flight.is_some() {
            world.finish_update();
        }
        tick(world);
        (story.then)(world);
    }
    let told = world.told()[before..].to_vec();
    for outcome in story.told {
        let times = told.iter().filter(|its| *its == outcome).count();
        // What was sent before that was written down may be sent again.
        let most = if fault.is_none() { 1 } else { 2 };
        assert!((1..=most).contains(&times), "{fault:?}: {outcome:?} in {told:?}");
    }
    assert!(told.iter().all(|its| story.told.contains(its)), "{told:?}");
    let tokens: BTreeSet<String> =
        world.get().updates.iter().map(|(token, _)| token.clone()).collect();
    assert_eq!(tokens.len(), world.updates(), "no update is sent twice");
    let state = state(world);
    assert_eq!((state.open.len(), state.untold.len()), (0, 0));
    assert_eq!(state.verifying, None);
    (story.end)(world);
}

/// CloudFormation has finished `bbbbbbb`, and nobody has looked yet.
fn finished() -> Memory {
    let world = world();
    deploy(&world, "aaaaaaa");
    push(&world, "bbbbbbb", "promoted");
    world.finish_update();
    world
}

fn runs_the_second(world: &Memory) {
    let ends = [("aaaaaaa".to_owned(), End::Deployed), ("bbbbbbb".to_owned(), End::Deployed)];
    assert_eq!(history(world), ends);
    assert_eq!(world.updates(), 2);
}

#[test]
fn the_beginning_of_a_verification_survives_every_fault_at_every_call() {
    survives_every_fault(&Story {
        new: finished,
        payload: stack_changed,
        then: Memory::ecs_is_done,
        told: &[Outcome::Deployed],
        end: runs_the_second,
    });
}

#[test]
fn the_end_of_a_verification_survives_every_fault_at_every_call() {
    survives_every_fault(&Story {
        new: || {
            let world = world();
            deploy(&world, "aaaaaaa");
            reaches_ecs(&world, "bbbbbbb");
            world.ecs_is_done();
            world
        },
        payload: service_changed,
        then: |_| {},
        told: &[Outcome::Deployed],
        end: runs_the_second,
    });
}

#[test]
fn a_failure_in_ecs_survives_every_fault_at_every_call() {
    survives_every_fault(&Story {
        new: || {
            let world = world();
            deploy(&world, "aaaaaaa");
            let digest = reaches_ecs(&world, "bbbbbbb");
            world.a_task_stopped(&digest, "production_bbbbbbb");
            world.ecs_goes_back();
            world
        },
        payload: service_changed,
        then: |_| {},
        told: &[Outcome::Failed],
        end: |world| {
            assert_eq!(history(world)[1], ("bbbbbbb".to_owned(), End::Failed));
            assert_eq!(world.updates(), 2);
        },
    });
}

#[test]
fn a_failure_in_cloudformation_with_the_words_of_ecs_survives_every_fault_at_every_call() {
    survives_every_fault(&Story {
        new: || {
            let world = world();
            deploy(&world, "aaaaaaa");
            let digest = push(&world, "bbbbbbb", "promoted");
            world.a_task_stopped(&digest, "production_bbbbbbb");
            world.fail_update("it did not stabilize");
            world
        },
        payload: stack_changed,
        then: |_| {},
        told: &[Outcome::Failed],
        end: |world| {
            assert_eq!((world.updates(), world.value().as_str()), (2, "production_aaaaaaa"))
        },
    });
}

#[test]
fn a_late_success_survives_every_fault_at_every_call() {
    survives_every_fault(&Story {
        new: || {
            let world = world();
            reaches_ecs(&world, "aaaaaaa");
            minutes_pass(&world, 31);
            tick(&world);
            world.ecs_is_done();
            world
        },
        payload: || event("scheduled"),
        then: |_| {},
        told: &[Outcome::Unchanged],
        end: |world| assert_eq!(history(world), [("aaaaaaa".to_owned(), End::Failed)]),
    });
}

/// `bbbbbbb` bakes, and its alarm has gone off.
fn gone_off(on_alarm: &str) -> Memory {
    let world = baking(on_alarm);
    deploy(&world, "aaaaaaa");
    deploy(&world, "bbbbbbb");
    world.alarm("web-5xx", "ALARM");
    world
}

fn went_back_once(world: &Memory) {
    assert_eq!((world.updates(), world.value().as_str()), (3, "production_aaaaaaa"));
    let state = state(world);
    assert_eq!(state.bake, None);
    assert_eq!(state.hold.expect("a hold").by, "alarm `web-5xx`");
}

#[test]
fn a_rollback_by_an_alarm_survives_every_fault_at_every_call() {
    survives_every_fault(&Story {
        new: || gone_off("rollback"),
        payload: || alarm_changed("web-5xx"),
        then: Memory::ecs_is_done,
        told: &[Outcome::Promoted, Outcome::Deployed],
        end: went_back_once,
    });
}

#[test]
fn the_end_of_a_rollback_by_an_alarm_survives_every_fault_at_every_call() {
    survives_every_fault(&Story {
        new: || {
            let world = gone_off("rollback");
            world.invoke(&alarm_changed("web-5xx"), "alarm").expect("an answer");
            world.finish_update();
            world.ecs_is_done();
            world
        },
        payload: stack_changed,
        then: |_| {},
        told: &[Outcome::Deployed],
        end: went_back_once,
    });
}

#[test]
fn a_hold_by_an_alarm_survives_every_fault_at_every_call() {
    survives_every_fault(&Story {
        new: || gone_off("hold"),
        payload: || alarm_changed("web-5xx"),
        then: |_| {},
        told: &[Outcome::Held],
        end: |world| {
            assert_eq!((world.updates(), world.value().as_str()), (2, "production_bbbbbbb"));
            assert!(state(world).hold.is_some());
        },
    });
}

#[test]
fn the_beginning_of_a_bake_survives_every_fault_at_every_call() {
    survives_every_fault(&Story {
        new: || {
            let world = baking("rollback");
            reaches_ecs(&world, "aaaaaaa");
            world.ecs_is_done();
            world
        },
        payload: service_changed,
        then: |_| {},
        told: &[Outcome::Deployed],
        end: |world| {
            let bake = state(world).bake.expect("it bakes");
            assert_eq!(bake.alarms[0].state.as_deref(), Some("OK"));
            assert_eq!(world.updates(), 1);
        },
    });
}
