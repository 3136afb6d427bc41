//! Commands in odd orders.

use ecr_promoter::model::answer::Outcome;
use serde_json::json;

use super::steps::come_to_rest;
use crate::support::faults::survives_every_fault;
use crate::support::payloads::{push_event, sns, tag};
use crate::support::slack::ALICE;
use crate::support::steps::{answers, command, deploy, finish, push, runs, state, tick};
use crate::support::world::Memory;

#[test]
fn where_identities_count_the_default_rollback_goes_past_what_somebody_set_by_hand() {
    let world = Memory::new("auto").in_slack(&json!({ "approvers": [ALICE] }));
    tick(&world);
    let first = deploy(&world, "aaaaaaa");
    let foreign = world.image("fffffff");
    world.get_mut().tags.insert(tag("production_fffffff"), foreign);
    world.foreign_update("production_fffffff");
    finish(&world);
    deploy(&world, "bbbbbbb");
    let said = world.writes(ALICE, "rollback web", "one");
    assert!(world.get().in_flight.is_some(), "{said}");
    finish(&world);
    assert_eq!(runs(&world), first);
}

#[test]
fn a_command_at_the_first_sight_of_an_app_lets_the_schedule_promote_nothing_that_was_there_before()
{
    for words in
        ["ask web", "hold web freeze", "promote web 0ddba11", "cancel web", "reject web aaaaaaa"]
    {
        let world = Memory::new("auto");
        world.push("aaaaaaa");
        let message = sns(words, "first", world.get().now);
        world.invoke(&message, "first").expect("an answer");
        if words.starts_with("hold") {
            command(&world, "resume web", "resumed");
        }
        for _ in 0..3 {
            tick(&world);
        }
        assert_eq!(world.value(), "production_old", "{words}");
    }
}

#[test]
fn a_rollback_to_the_image_that_is_on_its_way_does_not_cancel_it() {
    let world = Memory::new("auto");
    tick(&world);
    let first = deploy(&world, "aaaaaaa");
    deploy(&world, "bbbbbbb");
    command(&world, &format!("rollback web {first}"), "promoted");
    command(&world, "rollback web aaaaaaa", "promoted");
    come_to_rest(&world);
    assert_eq!(runs(&world), first);
}

#[test]
fn what_a_person_queued_goes_though_latest_is_gone() {
    for words in ["promote web 0ddba11", "rollback web", "promote web"] {
        let world = Memory::new("auto");
        tick(&world);
        deploy(&world, "aaaaaaa");
        let newest = world.push("bbbbbbb");
        if words == "rollback web" || words.contains("0ddba11") {
            answers(&world, &push_event(&newest), "promoted");
            finish(&world);
        }
        let value = world.value();
        world.foreign_update(&value);
        command(&world, words, "queued");
        world.move_tag("latest", None);
        finish(&world);
        let updates = world.updates();
        come_to_rest(&world);
        assert_eq!(state(&world).open, [], "{words} {updates}");
        assert_ne!(world.value(), value, "{words}");
    }
}

#[test]
fn a_cancel_whose_sandbox_died_goes_on_though_latest_is_gone() {
    let world = Memory::new("auto");
    push(&world, "aaaaaaa", "promoted");
    let (mut state, nonce) = world.get().state.clone().expect("a state");
    state.open[0].cancelled_by = Some("alice".to_owned());
    world.get_mut().state = Some((state, nonce));
    world.move_tag("latest", None);
    tick(&world);
    assert_eq!(world.get().cancels, 1);
}

#[test]
fn what_waits_and_is_gone_with_its_tag_waits_no_more() {
    let world = Memory::new("auto");
    deploy(&world, "aaaaaaa");
    let digest = world.push("bbbbbbb");
    world.foreign_update("production_aaaaaaa");
    answers(&world, &push_event(&digest), "queued");
    world.move_tag("latest", None);
    finish(&world);
    tick(&world);
    assert_eq!(state(&world).waiting, None);
}

#[test]
fn what_is_promoted_again_while_its_cancelled_update_goes_back_follows() {
    for (mode, first) in [
        ("approval", "cancel web"),
        ("auto", "cancel web"),
        ("approval", "rollback web"),
        ("auto", "rollback web"),
    ] {
        let world = Memory::new(mode);
        tick(&world);
        let digest = world.push("aaaaaaa");
        command(&world, "promote web", "promoted");
        command(&world, first, "cancelled");
        command(&world, "promote web", "queued");
        come_to_rest(&world);
        assert_eq!(runs(&world), digest, "{mode} {first}");
        assert_eq!(state(&world).open, []);
        assert_eq!(state(&world).hold, None);
    }
}

#[test]
fn a_resume_waits_for_nothing_where_the_newest_was_there_before() {
    let world = Memory::new("auto");
    world.push("aaaaaaa");
    tick(&world);
    command(&world, "hold web freeze", "held");
    command(&world, "resume web", "resumed");
    tick(&world);
    assert_eq!((state(&world).waiting, world.updates()), (None, 0));
}

#[test]
fn a_rollback_and_a_change_of_mind_while_an_update_goes_back_by_itself_follow() {
    // It fails by itself, and somebody wants it once more; or what ran before.
    let world = Memory::new("auto");
    tick(&world);
    let first = deploy(&world, "aaaaaaa");
    let second = push(&world, "bbbbbbb", "promoted");
    world.cancel_in_the_console(None);
    command(&world, "promote web", "queued");
    let told = world.get().told.last().cloned().expect("a notice");
    assert_eq!(told.outcome, Outcome::Queued);
    assert!(world.get().told.iter().any(
        |notice| notice.outcome == Outcome::Failed && notice.reason.contains("User Initiated")
    ));
    come_to_rest(&world);
    assert_eq!(runs(&world), second);
    command(&world, "rollback web", "promoted");
    world.cancel_in_the_console(Some("Console-1"));
    command(&world, "rollback web aaaaaaa", "queued");
    come_to_rest(&world);
    assert_eq!(runs(&world), first);
    assert_eq!(state(&world).open, []);
}

#[test]
fn what_a_person_queued_and_another_person_replaced_is_told() {
    let world = Memory::new("auto");
    tick(&world);
    let first = deploy(&world, "aaaaaaa");
    deploy(&world, "bbbbbbb");
    world.foreign_update("production_bbbbbbb");
    command(&world, &format!("promote web {first}"), "queued");
    world.push("ccccccc");
    command(&world, "promote web", "queued");
    let told = world
        .get()
        .told
        .iter()
        .filter(|notice| notice.outcome == Outcome::Superseded)
        .map(|notice| notice.digest.clone())
        .collect::<Vec<_>>();
    assert_eq!(told, [Some(first)]);
    come_to_rest(&world);
    assert_eq!(world.value(), "production_ccccccc");
}

#[test]
fn a_change_of_mind_while_an_update_goes_back_survives_every_fault() {
    for words in ["promote web", "rollback web aaaaaaa"] {
        survives_every_fault(
            || {
                let world = Memory::new("approval");
                tick(&world);
                let digest = world.push("aaaaaaa");
                command(&world, "promote web", "promoted");
                command(&world, "cancel web", "cancelled");
                (world, digest)
            },
            |_, _| sns(words, "again", "2026-03-17T09:41:30Z".parse().expect("a time")),
            |world, digest| {
                come_to_rest(world);
                assert_eq!((runs(world), state(world).open), (digest.clone(), vec![]), "{words}");
                assert_eq!(world.updates(), 2, "{words}");
            },
        );
    }
}
