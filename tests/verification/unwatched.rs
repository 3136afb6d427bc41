//! Alarms of a bake that cannot be watched: none of these rolls anything back.

use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::unread::Unread;
use serde_json::json;

use super::steps::{baking, deploy, minutes_pass, only_notice, reaches_ecs, told_since};
use crate::support::payloads::{alarm_changed, service_changed};
use crate::support::steps::{answers, state, tick};
use crate::support::world::Memory;

fn cannot_be_read(world: &Memory, is_denied: bool) {
    let words = "cloudwatch:DescribeAlarms failed".to_owned();
    world.get_mut().unread_alarms = Some(Unread { words, is_denied });
}

fn looks(world: &Memory, times: usize) {
    for _ in 0..times {
        minutes_pass(world, 5);
        tick(world);
    }
}

#[test]
fn an_alarm_that_does_not_exist_is_told_once_and_the_others_are_watched() {
    let world = baking("rollback");
    world.get_mut().config["bake"]["alarms"] = json!(["web-5xx", "misspelt"]);
    reaches_ecs(&world, "aaaaaaa");
    world.ecs_is_done();
    answers(&world, &service_changed(), "deployed");
    looks(&world, 3);
    let told = told_since(&world, 1);
    let told: Vec<Outcome> = told.iter().map(|notice| notice.outcome).collect();
    assert_eq!(told, [Outcome::Deployed, Outcome::Unchanged]);
    let reason = world.get().told[2].reason.clone();
    assert!(reason.contains("`misspelt`") && reason.contains("does not exist"), "{reason}");
    world.alarm("web-5xx", "ALARM");
    answers(&world, &alarm_changed("web-5xx"), "promoted");
}

#[test]
fn a_missing_right_is_told_at_once_and_only_once() {
    let world = baking("rollback");
    reaches_ecs(&world, "aaaaaaa");
    cannot_be_read(&world, true);
    world.ecs_is_done();
    answers(&world, &service_changed(), "deployed");
    assert_eq!(world.told()[1..], [Outcome::Deployed, Outcome::Unchanged]);
    looks(&world, 20);
    only_notice(&world, 2, Outcome::Unchanged, &["cannot be read", "cloudwatch:DescribeAlarms"]);
    assert_eq!((world.updates(), state(&world).bake), (1, None));
    assert!(!state(&world).has_open_work(), "it ends with its time");
}

#[test]
fn reads_that_fail_are_told_after_three_looks() {
    let world = baking("rollback");
    deploy(&world, "aaaaaaa");
    let before = world.told().len();
    cannot_be_read(&world, false);
    looks(&world, 2);
    assert_eq!(world.told().len(), before);
    looks(&world, 20);
    only_notice(&world, before, Outcome::Unchanged, &["cannot be read"]);
    assert_eq!((world.updates(), state(&world).hold), (1, None));
}

#[test]
fn reads_that_fail_until_after_the_bake_are_told_all_the_same() {
    let world = baking("rollback");
    deploy(&world, "aaaaaaa");
    let before = world.told().len();
    cannot_be_read(&world, false);
    minutes_pass(&world, 61);
    looks(&world, 4);
    only_notice(&world, before, Outcome::Unchanged, &["cannot be read"]);
    assert_eq!(state(&world).bake, None);
}

#[test]
fn a_read_that_succeeds_in_between_begins_the_count_anew() {
    let world = baking("rollback");
    deploy(&world, "aaaaaaa");
    let before = world.told().len();
    for _ in 0..3 {
        cannot_be_read(&world, false);
        looks(&world, 2);
        world.get_mut().unread_alarms = None;
        looks(&world, 1);
    }
    assert_eq!(world.told().len(), before);
}

#[test]
fn an_alarm_that_went_off_while_nothing_could_be_read_acts_once_it_can() {
    let world = baking("rollback");
    deploy(&world, "aaaaaaa");
    cannot_be_read(&world, false);
    world.alarm("web-5xx", "ALARM");
    minutes_pass(&world, 59);
    tick(&world);
    minutes_pass(&world, 5);
    tick(&world);
    assert_eq!(world.updates(), 1);
    world.get_mut().unread_alarms = None;
    tick(&world);
    assert_eq!((world.updates(), world.value().as_str()), (2, "production_old"));
}
