//! An image runs in one stage for a while before the next one may have it.

use serde_json::json;

use super::steps::{
    ask, command, finish, in_both, in_staging, reconcile, state, tick, two_stages, updates, value,
    wait,
};

#[test]
fn the_next_stage_asks_after_the_soak_and_not_before() {
    let world = two_stages("approval");
    in_staging(&world, "aaaaaaa");
    wait(&world, 58);
    tick(&world);
    assert!(state(&world, "web-us").request.is_none());
    wait(&world, 5);
    tick(&world);
    let request = state(&world, "web-us").request.expect("people are asked");
    assert_eq!(request.commit.as_ref().map(|commit| commit.as_str()), Some("aaaaaaa"));
    assert!(request.why.contains("it has run in `web` since 2026-03-17T09:41:"), "{}", request.why);
    assert_eq!(updates(&world, "web-us"), 0);
    let answer = command(&world, "approve web-us aaaaaaa");
    assert_eq!(answer["outcome"], "promoted", "{answer}");
    assert_eq!(value(&world, "web-us"), "production_aaaaaaa");
}

#[test]
fn what_soaks_is_said_until_when() {
    let world = two_stages("auto");
    in_staging(&world, "aaaaaaa");
    let until = "soaks in `web` until 2026-03-17T10:41:";
    let look = reconcile(&world, "web-us");
    assert_eq!(look["outcome"], "queued", "{look}");
    assert!(look["reason"].as_str().is_some_and(|reason| reason.contains(until)), "{look}");
    let status = ask(&world, "status", "web-us");
    assert_eq!(
        (&status["after"], &status["soaking"]["commit"]),
        (&json!("web"), &json!("aaaaaaa"))
    );
    let plan = ask(&world, "plan", "web-us");
    assert_eq!(plan["would"], "refused", "{plan}");
    assert!(plan["reason"].as_str().is_some_and(|reason| reason.contains(until)), "{plan}");
    let refused = command(&world, "promote web-us");
    assert_eq!(refused["outcome"], "refused", "{refused}");
    assert!(refused["reason"].as_str().is_some_and(|reason| reason.contains(until)), "{refused}");
    assert_eq!(updates(&world, "web-us"), 0);
}

#[test]
fn whoever_means_the_newest_means_what_soaks() {
    let world = two_stages("auto");
    in_both(&world, "aaaaaaa");
    in_staging(&world, "bbbbbbb");
    let refused = command(&world, "promote web-us");
    assert_eq!(refused["outcome"], "refused", "{refused}");
    assert!(refused["reason"].as_str().is_some_and(|it| it.starts_with("bbbbbbb soaks in `web`")));
    let named = command(&world, "promote web-us aaaaaaa");
    assert_eq!(named["outcome"], "unchanged", "{named}");
    let look = reconcile(&world, "web-us");
    assert_eq!(look["outcome"], "queued", "{look}");
}

#[test]
fn what_had_soaked_before_the_first_look_is_passed_over_until_it_is_named() {
    let world = super::support::world::Memory::new("auto");
    in_staging(&world, "aaaaaaa");
    wait(&world, 120);
    super::steps::add(&world, "web-us", "auto", "web", 60);
    tick(&world);
    reconcile(&world, "web-us");
    assert_eq!(updates(&world, "web-us"), 0);
    in_staging(&world, "bbbbbbb");
    wait(&world, 61);
    tick(&world);
    assert_eq!(value(&world, "web-us"), "production_bbbbbbb");
}

#[test]
fn what_replaces_an_image_later_does_not_end_its_candidacy() {
    let world = two_stages("approval");
    let first = in_staging(&world, "aaaaaaa");
    wait(&world, 61);
    in_staging(&world, "bbbbbbb");
    let request = state(&world, "web-us").request.expect("people are asked");
    assert_eq!(request.digest, first);
    let answer = reconcile(&world, "web-us");
    assert_eq!(answer["outcome"], "approval_requested", "{answer}");
}

#[test]
fn a_stage_that_is_pushed_to_more_often_than_it_soaks_lets_nothing_through() {
    let world = two_stages("auto");
    for commit in ["aaaaaaa", "bbbbbbb", "ccccccc"] {
        in_staging(&world, commit);
        wait(&world, 30);
        tick(&world);
    }
    assert_eq!(updates(&world, "web-us"), 0);
    wait(&world, 31);
    tick(&world);
    assert_eq!(value(&world, "web-us"), "production_ccccccc");
    finish(&world, "web-us");
    assert_eq!(updates(&world, "web-us"), 1);
}

#[test]
fn a_lost_event_of_the_stage_before_is_made_good_by_the_ticks() {
    let world = two_stages("auto");
    super::steps::push(&world, "aaaaaaa");
    world.at("web").finish_update();
    wait(&world, 5);
    tick(&world);
    wait(&world, 60);
    tick(&world);
    tick(&world);
    assert_eq!(value(&world, "web-us"), "production_aaaaaaa");
}
