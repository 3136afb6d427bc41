//! Every interleaving of two handlers.

use serde_json::Value;

use super::at_rest::{assert_at_rest, settle};
use crate::support::interleave::{self, goes_on, random_interleavings, run};
use crate::support::payloads::{alarm_changed, event, push_event, service_changed, sns};
use crate::support::world::Memory;

/// Every interleaving of what `start` makes, each to its rest.
fn every_interleaving((start, payloads): (Memory, Vec<Value>), check: impl Fn(&Memory)) -> usize {
    interleave::every_interleaving(&start, &payloads, |world| {
        settle(world);
        assert_at_rest(world);
        check(world);
    })
}

/// `aaaaaaa` was deployed, and then `bbbbbbb`.
fn two_deployed() -> Memory {
    let world = Memory::new("auto");
    for commit in ["aaaaaaa", "bbbbbbb"] {
        let digest = world.push(commit);
        world.invoke(&push_event(&digest), "request").expect("an answer");
        settle(&world);
    }
    world
}

#[test]
fn every_interleaving_of_two_deliveries_of_a_push_is_one_update() {
    let start = {
        let world = Memory::new("auto");
        let digest = world.push("abc1234");
        (world, vec![push_event(&digest), push_event(&digest)])
    };
    let runs = every_interleaving(start, |world| {
        assert_eq!((world.updates(), world.value().as_str()), (1, "production_abc1234"))
    });
    assert!(runs > 500, "{runs} interleavings");
}

#[test]
fn every_interleaving_of_an_older_and_a_newer_push_runs_the_newer() {
    let start = {
        let world = Memory::new("auto");
        let older = world.push("aaaaaaa");
        let newer = world.push("bbbbbbb");
        (world, vec![push_event(&older), push_event(&newer)])
    };
    every_interleaving(start, |world| assert_eq!(world.value(), "production_bbbbbbb"));
}

#[test]
fn every_interleaving_of_a_push_and_a_rollback_is_rolled_back_or_was_pushed_after() {
    let start = {
        let world = two_deployed();
        let digest = world.push("ccccccc");
        let rollback = sns("rollback web", "rollback", world.get().now);
        (world, vec![push_event(&digest), rollback])
    };
    every_interleaving(start, |world| {
        // Before the push: to `a`. During its update: back to `b`.
        assert!(
            ["production_aaaaaaa", "production_bbbbbbb"].contains(&world.value().as_str()),
            "{}",
            world.value()
        );
        assert!(world.get().state.as_ref().expect("a state").0.hold.is_some());
    });
}

#[test]
fn every_interleaving_of_a_push_and_an_older_commit_named_by_a_person_runs_what_the_person_named() {
    let start = {
        let world = two_deployed();
        let digest = world.push("ccccccc");
        let promote = sns("promote web aaaaaaa", "promote", world.get().now);
        (world, vec![push_event(&digest), promote])
    };
    every_interleaving(start, |world| assert_eq!(world.value(), "production_aaaaaaa"));
}

#[test]
fn every_interleaving_of_one_command_delivered_twice_acts_once() {
    let start = {
        let world = Memory::new("approval");
        world.push("abc1234");
        let promote = sns("promote web", "promote", world.get().now);
        (world, vec![promote.clone(), promote])
    };
    every_interleaving(start, |world| {
        assert_eq!((world.updates(), world.value().as_str()), (1, "production_abc1234"))
    });
}

#[test]
fn every_interleaving_of_the_stacks_event_and_a_tick_tells_and_goes_on() {
    let start = {
        let world = two_deployed();
        let first = world.push("ccccccc");
        world.invoke(&push_event(&first), "request").expect("an answer");
        world.push("ddddddd");
        world.finish_update();
        (world, vec![event("cfn-update-complete"), event("scheduled")])
    };
    every_interleaving(start, |world| {
        assert_eq!((world.updates(), world.value().as_str()), (4, "production_ddddddd"))
    });
}

/// `aaaaaaa` and then `bbbbbbb` run in ECS, the second one bakes, and its alarm has gone off.
fn gone_off() -> Memory {
    let world = Memory::new("auto").with_service();
    {
        let mut inner = world.get_mut();
        inner.ecs_follows = true;
        inner.config["bake"] = serde_json::json!({ "minutes": 60, "alarms": ["web-5xx"] });
    }
    world.alarm("web-5xx", "OK");
    for commit in ["aaaaaaa", "bbbbbbb"] {
        let digest = world.push(commit);
        world.invoke(&push_event(&digest), "request").expect("an answer");
        settle(&world);
    }
    world.alarm("web-5xx", "ALARM");
    world
}

/// Too many orders to try them all.
#[test]
fn an_alarm_and_a_tick_at_the_same_time_are_one_rollback() {
    let new = |_| (gone_off(), vec![alarm_changed("web-5xx"), event("scheduled")]);
    random_interleavings(new, |world| {
        settle(world);
        assert_at_rest(world);
        assert_eq!((world.updates(), world.value().as_str()), (3, "production_aaaaaaa"));
        assert!(world.get().state.as_ref().expect("a state").0.hold.is_some());
    });
}

#[test]
fn every_interleaving_of_an_alarm_and_a_push_goes_back_or_was_pushed_before() {
    let start = {
        let world = gone_off();
        let digest = world.push("ccccccc");
        (world, vec![push_event(&digest), alarm_changed("web-5xx")])
    };
    every_interleaving(start, |world| {
        let is_held = world.get().state.as_ref().expect("a state").0.hold.is_some();
        let want = if is_held { "production_aaaaaaa" } else { "production_ccccccc" };
        assert_eq!(world.value(), want);
    });
}

#[test]
fn an_alarm_and_a_rollback_at_the_same_time_hold_what_a_person_or_an_alarm_went_back_to() {
    let new = |_| {
        let world = gone_off();
        let rollback = sns("rollback web", "rollback", world.get().now);
        (world, vec![rollback, alarm_changed("web-5xx")])
    };
    random_interleavings(new, |world| {
        settle(world);
        assert_at_rest(world);
        assert!(world.get().state.as_ref().expect("a state").0.hold.is_some());
        // A rollback while the alarm's own is under way cancels that one.
        let is_cancelled = world.get().cancels == 1;
        let want = if is_cancelled { "production_bbbbbbb" } else { "production_aaaaaaa" };
        assert_eq!(world.value(), want);
    });
}

#[test]
fn every_interleaving_of_what_ecs_tells_and_a_newer_push_runs_the_newer() {
    let start = {
        let world = Memory::new("auto").with_service();
        world.get_mut().ecs_follows = true;
        let first = world.push("aaaaaaa");
        world.invoke(&push_event(&first), "request").expect("an answer");
        world.finish_update();
        world.invoke(&event("cfn-update-complete"), "request").expect("an answer");
        world.ecs_is_done();
        let second = world.push("bbbbbbb");
        (world, vec![service_changed(), push_event(&second)])
    };
    every_interleaving(start, |world| {
        assert_eq!((world.updates(), world.value().as_str()), (2, "production_bbbbbbb"));
    });
}

#[test]
fn a_newer_push_between_any_two_calls_of_an_older_pushs_handler_runs_in_the_end() {
    for finishes_at_once in [true, false] {
        for steps in 0.. {
            let world = two_deployed();
            world.get_mut().finishes_at_once = finishes_at_once;
            let older = world.push("ccccccc");
            let mut handler = Box::pin(world.handler(push_event(&older), "older"));
            let is_done = goes_on(&mut handler, steps);
            let newer = world.push("ddddddd");
            world.invoke(&push_event(&newer), "newer").expect("an answer");
            if !finishes_at_once && steps % 2 == 0 {
                settle(&world); // the newer one is deployed before the older one's sandbox wakes up
            }
            if !is_done {
                run(handler).expect("the sandbox lives").expect("an answer");
            }
            settle(&world);
            assert_at_rest(&world);
            assert_eq!(world.value(), "production_ddddddd", "a newer push after {steps} steps");
            if is_done {
                assert!(steps > 5, "the handler takes several steps");
                break;
            }
        }
    }
}
