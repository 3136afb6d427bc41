//! What ends a candidacy, and crashes in between.

use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::approval::Progress;

use super::steps::{
    command, finish, in_both, in_staging, push, reconcile, stack_changed, state, three_stages,
    tick, two_stages, updates, value, wait,
};
use super::support::payloads::push_event;
use super::support::world::{Fault, Memory};

#[test]
fn a_rollback_of_the_stage_before_ends_the_question_and_moves_nothing() {
    let world = two_stages("approval");
    in_staging(&world, "aaaaaaa");
    wait(&world, 61);
    in_staging(&world, "bbbbbbb");
    wait(&world, 61);
    tick(&world);
    let asked = state(&world, "web-us").request.expect("people are asked");
    assert_eq!(asked.commit.as_ref().map(|commit| commit.as_str()), Some("bbbbbbb"));
    assert_eq!(command(&world, "rollback web")["outcome"], "promoted");
    let after = state(&world, "web-us");
    assert!(after.request.is_none_or(|request| request.progress == Progress::Superseded));
    let told = world.get().told.iter().any(|notice| {
        notice.outcome == Outcome::Superseded && notice.reason.contains("rolled back from in `web`")
    });
    assert!(told, "{:#?}", world.get().told);
    finish(&world, "web");
    wait(&world, 200);
    tick(&world);
    reconcile(&world, "web-us");
    assert_eq!(updates(&world, "web-us"), 0);
    let late = command(&world, "approve web-us bbbbbbb");
    assert_eq!(late["outcome"], "superseded", "{late}");
}

#[test]
fn a_rollback_during_the_soak_lets_nothing_through() {
    let world = two_stages("auto");
    in_both(&world, "aaaaaaa");
    in_staging(&world, "bbbbbbb");
    wait(&world, 20);
    command(&world, "rollback web");
    finish(&world, "web");
    wait(&world, 120);
    tick(&world);
    reconcile(&world, "web-us");
    assert_eq!(
        (updates(&world, "web-us"), value(&world, "web-us")),
        (1, "production_aaaaaaa".into())
    );
}

#[test]
fn a_rollback_after_this_stage_has_the_image_leaves_it_there() {
    let world = two_stages("auto");
    for commit in ["aaaaaaa", "bbbbbbb"] {
        in_both(&world, commit);
    }
    command(&world, "rollback web");
    finish(&world, "web");
    for _ in 0..3 {
        wait(&world, 100);
        tick(&world);
        reconcile(&world, "web-us");
    }
    assert_eq!(
        (updates(&world, "web-us"), value(&world, "web-us")),
        (2, "production_bbbbbbb".into())
    );
}

#[test]
fn what_fails_in_one_stage_never_reaches_the_next() {
    let world = two_stages("auto");
    push(&world, "aaaaaaa");
    world.at("web").fail_update("it did not stabilize");
    world.invoke(&stack_changed("web"), "stack event").expect("a look");
    wait(&world, 120);
    tick(&world);
    reconcile(&world, "web-us");
    assert_eq!(updates(&world, "web-us"), 0);
}

/// From the push to the end of the second stage, with the schedule at the end.
fn journey(world: &Memory) {
    // Lambda tries an event again that failed.
    let deliver = |payload: &serde_json::Value| {
        let mut tries = (0..3).map(|_| world.invoke_or_die(payload));
        let _ = tries.find(|result| matches!(result, Some(Ok(_))));
    };
    let digest = world.push("aaaaaaa");
    deliver(&push_event(&digest));
    finish_what_is_under_way(world);
    deliver(&stack_changed("web"));
    wait(world, 61);
    for _ in 0..6 {
        deliver(&super::support::payloads::event("scheduled"));
        finish_what_is_under_way(world);
        deliver(&serde_json::json!({ "action": "reconcile", "only_open_work": true }));
        wait(world, 61);
    }
}

fn finish_what_is_under_way(world: &Memory) {
    for name in ["web", "web-us"] {
        if world.at(name).get().in_flight.is_some() {
            world.at(name).finish_update();
        }
    }
    world.at("web");
}

#[test]
fn a_crash_at_any_call_of_two_stages_ends_right_with_one_update_each() {
    let calls = {
        let world = two_stages("auto");
        let before = world.get().calls.len();
        journey(&world);
        world.get().calls.len() - before
    };
    assert!(calls > 20, "{calls}");
    for fault in [Fault::Before, Fault::After, Fault::Death] {
        for at in 0..calls {
            let world = two_stages("auto");
            let before = world.get().calls.len();
            world.get_mut().fault = Some((before + at, fault));
            journey(&world);
            for name in ["web", "web-us"] {
                let words = format!("{name}, {fault:?} at call {at}");
                assert_eq!(value(&world, name), "production_aaaaaaa", "{words}");
                assert_eq!(updates(&world, name), 1, "{words}");
            }
        }
    }
}

#[test]
fn shuffled_and_doubled_events_of_three_stages_end_right() {
    for seed in 0..24_u64 {
        let world = three_stages();
        let digest = world.push("aaaaaaa");
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..24 {
            let payload = match random.u8(..5) {
                0 => push_event(&digest),
                1 => stack_changed("web"),
                2 => stack_changed("web-us"),
                3 => stack_changed("web-eu"),
                _ => serde_json::json!({ "action": "reconcile", "only_open_work": true }),
            };
            world.invoke(&payload, "event").expect("a look");
            world.invoke(&payload, "event").expect("a look");
            for name in ["web", "web-us", "web-eu"] {
                if random.bool() && world.at(name).get().in_flight.is_some() {
                    world.at(name).finish_update();
                }
            }
            wait(&world, 20);
        }
        for _ in 0..8 {
            for name in ["web", "web-us", "web-eu"] {
                if world.at(name).get().in_flight.is_some() {
                    world.at(name).finish_update();
                }
                world.invoke(&stack_changed(name), "event").expect("a look");
            }
            world.invoke(&push_event(&digest), "event").expect("a look");
            wait(&world, 65);
            tick(&world);
        }
        for name in ["web", "web-us", "web-eu"] {
            let (runs, count) = (value(&world, name), updates(&world, name));
            assert_eq!((runs.as_str(), count), ("production_aaaaaaa", 1), "{name}, seed {seed}");
        }
    }
}
