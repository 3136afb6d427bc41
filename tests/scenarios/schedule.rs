//! The schedule: what it makes good, what it costs, what it tells.

use ecr_promoter::model::answer::Outcome;
use serde_json::{Value, json};

use crate::support::payloads::{event, push_event, tag};
use crate::support::steps::{answers, assert_runs, two_deployed};
use crate::support::world::Memory;

#[test]
fn the_schedule_only_adopts_at_first_and_makes_good_what_was_missed_later() {
    let world = Memory::new("auto");
    let there = world.push("aaaaaaa");
    for _ in 0..3 {
        let looked = world.invoke(&event("scheduled"), "request").expect("an answer");
        assert_eq!(looked["results"][0]["outcome"], "unchanged", "{looked:#}");
    }
    assert_eq!(world.updates(), 0, "what was there before is not promoted");
    let missed = world.push("bbbbbbb");
    let looked = world.invoke(&event("scheduled"), "request").expect("an answer");
    assert_eq!(looked["results"][0]["outcome"], "promoted");
    assert_runs(&world, &missed, "bbbbbbb");
    assert_eq!(world.get().tags.get(&tag("production_aaaaaaa")), None, "{there}");
    world.finish_update();
    let looked = world.invoke(&event("scheduled"), "request").expect("an answer");
    assert_eq!(looked["results"][0]["outcome"], "deployed", "a stack event that never came");
}

#[test]
fn the_frequent_look_reads_the_states_of_all_apps_at_once() {
    let world = Memory::new("auto");
    let digest = world.push("aaaaaaa");
    let often = json!({"action": "reconcile", "only_open_work": true});
    assert_eq!(world.invoke(&often, "request").expect("an answer"), json!({"results": []}));
    assert_eq!(world.get().calls, ["GetItem unfinished", "GetParametersByPath", "BatchGetItem"]);
    answers(&world, &push_event(&digest), "promoted");
    world.finish_update();
    let looked = world.invoke(&often, "request").expect("an answer");
    assert_eq!(looked["results"][0]["outcome"], "deployed");
}

#[test]
fn an_app_with_nothing_to_do_costs_three_calls_and_no_writes() {
    let world = Memory::new("auto");
    two_deployed(&world);
    world.invoke(&event("scheduled"), "request").expect("an answer");
    let before = world.get().calls.len();
    world.invoke(&event("scheduled"), "request").expect("an answer");
    let calls = world.get().calls[before..].to_vec();
    insta::assert_snapshot!(calls.join("\n"), @r"
    GetItem unfinished
    GetParametersByPath
    GetItem roster
    GetItem state
    DescribeStacks
    BatchGetImage
    ");
}

#[test]
fn a_missing_parameter_is_told_once_by_the_schedule_and_fails_each_time() {
    let world = Memory::new("auto");
    world.get_mut().config["parameter"] = "Nope".into();
    for _ in 0..3 {
        let error =
            world.invoke(&event("scheduled"), "request").expect_err("a function error").to_string();
        assert!(error.contains("`web`") && error.contains("`Nope`"), "{error}");
    }
    assert_eq!(world.told(), [Outcome::Blocked]);

    // Mended, it is seen for the first time: what was there before is not promoted.
    world.get_mut().config["parameter"] = "ProductionTag".into();
    world.push("aaaaaaa");
    for _ in 0..2 {
        let looked = world.invoke(&event("scheduled"), "request").expect("an answer");
        assert_eq!(looked["results"][0]["outcome"], "unchanged", "{looked:#}");
    }
}

#[test]
fn a_configuration_that_does_not_parse_or_was_deleted_is_told_once() {
    let world = Memory::new("auto");
    let good = world.get().config.clone();
    world.invoke(&event("scheduled"), "request").expect("an answer");
    world.get_mut().config["stak"] = "web".into();
    for _ in 0..3 {
        let error =
            world.invoke(&event("scheduled"), "request").expect_err("a function error").to_string();
        assert!(error.contains("/ecr-promoter/apps/web") && error.contains("`stak`"), "{error}");
    }
    assert_eq!(world.told(), [Outcome::Blocked]);
    assert!(world.get().told[0].reason.contains("`stak`"));
    world.get_mut().config = good;
    world.invoke(&event("scheduled"), "request").expect("an answer");
    world.get_mut().config = Value::Null;
    for _ in 0..3 {
        world.invoke(&event("scheduled"), "request").expect("an answer");
    }
    assert_eq!(world.told(), [Outcome::Blocked, Outcome::Ignored]);
    assert!(world.get().told[1].reason.contains("/ecr-promoter/apps/web, was deleted"));
}
