//! Whose operation it was, and what became of the app's stack.

use ecr_promoter::model::answer::Outcome;

use crate::support::payloads::{event, push_event};
use crate::support::steps::{answers, command, deploy, finish, push, runs, state, tick};
use crate::support::world::{Memory, STACK_ID};

#[test]
fn an_update_that_somebody_cancels_in_the_console_has_failed_and_the_app_goes_on() {
    for token in [None, Some("Console-CancelUpdateStack-1")] {
        let world = Memory::new("auto");
        let first = push(&world, "aaaaaaa", "promoted");
        world.cancel_in_the_console(token);
        command(&world, "hold web freeze", "held");
        command(&world, "resume web", "resumed");
        world.fail_update("cancelled");
        tick(&world);
        world.invoke(&event("command-status"), "request").expect("a status");
        assert_eq!(
            world.told().iter().filter(|outcome| **outcome == Outcome::Failed).count(),
            1,
            "{token:?}: {:?}",
            world.told()
        );
        assert!(state(&world).open.is_empty());
        answers(&world, &push_event(&first), "failed");
        let next = push(&world, "bbbbbbb", "promoted");
        finish(&world);
        assert_eq!(runs(&world), next);
    }
}

#[test]
fn an_update_whose_end_no_event_tells_is_told_held_and_left() {
    let world = Memory::new("auto");
    push(&world, "aaaaaaa", "promoted");
    world.fail_update("it did not stabilize");
    // The events of its end are gone.
    world.get_mut().events.retain(|event| event.status == "UPDATE_IN_PROGRESS");
    tick(&world);
    tick(&world);
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Failed, Outcome::Held]);
    assert!(state(&world).open.is_empty() && state(&world).hold.is_some());
    world.invoke(&event("command-status"), "request").expect("a status");
    command(&world, "promote web", "promoted");
}

#[test]
fn a_promotion_that_the_configuration_leaves_behind_is_told_and_in_the_history() {
    let world = Memory::new("auto");
    push(&world, "aaaaaaa", "promoted");
    // The same stack, but another parameter of it.
    world.get_mut().config["parameter"] = "AppName".into();
    tick(&world);
    assert!(world.told().contains(&Outcome::Superseded), "{:?}", world.told());
    let inner = world.get();
    assert_eq!(
        inner.history.values().map(|ended| ended.end.outcome()).collect::<Vec<_>>(),
        [Outcome::Superseded]
    );
    assert!(
        inner.told.iter().any(|notice| notice.reason.contains("`AppName`")),
        "{:?}",
        inner.told
    );
}

#[test]
fn a_hold_outlives_another_name_of_its_stack_and_another_stack() {
    for stack in [STACK_ID, "other"] {
        let world = Memory::new("auto");
        deploy(&world, "aaaaaaa");
        command(&world, "hold web freeze", "held");
        world.get_mut().config["stack"] = stack.into();
        if stack == "other" {
            world.get_mut().stack_id =
                "arn:aws:cloudformation:us-east-1:012345678912:stack/other/2".to_owned();
        }
        push(&world, "bbbbbbb", "approval_requested");
        assert_eq!(
            (world.updates(), state(&world).hold.map(|hold| hold.reason)),
            (1, Some("freeze".to_owned()))
        );
    }
}

#[test]
fn a_no_echo_parameter_is_a_configuration_error() {
    let world = Memory::new("auto");
    world.get_mut().config["parameter"] = "Secret".into();
    let digest = world.push("aaaaaaa");
    let error = world.invoke(&push_event(&digest), "request").expect_err("an error").to_string();
    for words in ["/ecr-promoter/apps/web", "key `parameter`", "NoEcho"] {
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(world.updates(), 0);
}

#[test]
fn a_token_that_cloudformation_knows_from_before_the_state_was_lost_blocks_nothing() {
    let world = Memory::new("auto");
    let digest = deploy(&world, "aaaaaaa");
    let token = world.get().updates[0].0.clone();
    // The table is new, and so are the stack's events; the stack runs what it ran at first.
    world.get_mut().state = None;
    world.get_mut().history.clear();
    world.get_mut().events.clear();
    world.get_mut().parameters.insert("ProductionTag".to_owned(), "production_old".to_owned());
    answers(&world, &push_event(&digest), "promoted");
    assert_eq!(world.value(), "production_aaaaaaa");
    assert_ne!(world.get().updates[1].0, token);
}

#[test]
fn a_rollback_right_after_an_update_that_nobody_has_looked_at_goes_back() {
    let world = Memory::new("auto");
    push(&world, "aaaaaaa", "promoted");
    world.finish_update();
    command(&world, "rollback web", "promoted");
    assert_eq!(world.value(), "production_old");
}
