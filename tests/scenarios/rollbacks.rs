//! Rollbacks and cancels.

use ecr_promoter::model::answer::Outcome;

use crate::support::payloads::{event, push_event, sns, stack_changed, tag};
use crate::support::steps::{answers, assert_runs, command, push, two_deployed};
use crate::support::world::{Fault, Memory};

#[test]
fn rollback_goes_back_once_and_holds_against_automation() {
    let world = Memory::new("auto");
    let (first, second) = two_deployed(&world);
    let rollback = sns("rollback web", "rollback-1", world.get().now);
    let answer = answers(&world, &rollback, "promoted");
    assert_eq!(answer["tag"], "production_aaaaaaa");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    assert_runs(&world, &first, "aaaaaaa");

    assert_eq!(world.invoke(&rollback, "again").expect("an answer"), answer);
    answers(&world, &push_event(&second), "held");
    world.invoke(&event("scheduled"), "request").expect("an answer");
    let third = push(&world, "ccccccc", "approval_requested");
    assert_eq!((world.updates(), world.value().as_str()), (3, "production_aaaaaaa"));

    let status = world.invoke(&event("command-status"), "request").expect("a status");
    assert_eq!(status["hold"]["by"], "SNS");
    command(&world, "promote web", "promoted");
    world.finish_update();
    assert_runs(&world, &third, "ccccccc");
    push(&world, "ddddddd", "promoted");
}

#[test]
fn rollback_does_not_toggle() {
    let world = Memory::new("auto");
    let (first, _) = two_deployed(&world);
    command(&world, "rollback web", "promoted");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    assert_runs(&world, &first, "aaaaaaa");
    let answer = command(&world, "rollback web", "promoted");
    assert_eq!(
        answer["tag"], "production_old",
        "further back, to what ran before the first promotion"
    );
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    command(&world, "rollback web", "refused");
}

#[test]
fn promote_then_rollback_then_a_late_duplicate_of_the_promote_stays_rolled_back() {
    let world = Memory::new("auto");
    let (first, _) = two_deployed(&world);
    let newest = world.push("ccccccc");
    let promote = sns("promote web", "promote-1", world.get().now);
    answers(&world, &promote, "promoted");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    command(&world, "rollback web aaaaaaa", "promoted");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    answers(&world, &promote, "promoted");
    answers(&world, &push_event(&newest), "held");
    assert_runs(&world, &first, "aaaaaaa");
    assert_eq!(world.updates(), 4);
}

#[test]
fn rollback_during_our_own_update_cancels_it_at_once() {
    let world = Memory::new("auto");
    let (_, second) = two_deployed(&world);
    let third = push(&world, "ccccccc", "promoted");
    command(&world, "rollback web", "cancelled");
    assert_eq!(
        (world.get().cancels, world.get().status.as_str()),
        (1, "UPDATE_ROLLBACK_IN_PROGRESS")
    );
    world.fail_update("cancelled");
    world.invoke(&stack_changed(), "request").expect("an answer");
    assert_runs(&world, &second, "bbbbbbb");
    answers(&world, &push_event(&third), "held");
    assert_eq!(world.updates(), 3);
    assert!(world.told().ends_with(&[Outcome::Cancelled, Outcome::Deployed]), "{:?}", world.told());
}

#[test]
fn rollback_to_another_image_during_our_update_is_queued_behind_the_cancel() {
    let world = Memory::new("auto");
    let (first, _) = two_deployed(&world);
    push(&world, "ccccccc", "promoted");
    command(&world, "rollback web aaaaaaa", "cancelled");
    world.fail_update("cancelled");
    answers(&world, &stack_changed(), "promoted");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    assert_runs(&world, &first, "aaaaaaa");
}

#[test]
fn a_cancel_that_comes_too_late_is_a_rollback_all_the_same() {
    let world = Memory::new("auto");
    let (_, second) = two_deployed(&world);
    push(&world, "ccccccc", "promoted");
    // The cancel's sandbox dies before its call, and the update goes through.
    let rollback = sns("rollback web", "1", world.get().now);
    let calls = world.get().calls.len();
    let at_cancel = (calls..calls + 40).find(|at| {
        let probe = world.fork();
        probe.get_mut().fault = Some((*at, Fault::Before));
        let failed = probe.invoke(&rollback, "probe").is_err();
        failed && probe.get().calls.last().is_some_and(|call| call == "CancelUpdateStack")
    });
    world.get_mut().fault = Some((at_cancel.expect("it cancels"), Fault::Before));
    world.invoke(&rollback, "1").expect_err("the call failed");
    world.finish_update();
    answers(&world, &rollback, "promoted");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    assert_runs(&world, &second, "bbbbbbb");
}

#[test]
fn anothers_update_is_never_cancelled() {
    let world = Memory::new("auto");
    let (first, _) = two_deployed(&world);
    world.foreign_update("production_bbbbbbb");
    command(&world, "cancel web", "refused");
    command(&world, "rollback web", "queued");
    assert_eq!(world.get().cancels, 0);
    world.finish_update();
    answers(&world, &stack_changed(), "promoted");
    world.finish_update();
    assert_runs(&world, &first, "aaaaaaa");
}

#[test]
fn cancel_turns_away_from_the_candidate_and_the_next_push_goes_out() {
    let world = Memory::new("auto");
    let first = push(&world, "aaaaaaa", "promoted");
    command(&world, "cancel web", "cancelled");
    world.fail_update("cancelled");
    answers(&world, &stack_changed(), "cancelled");
    answers(&world, &push_event(&first), "held");
    command(&world, "cancel web", "refused");
    assert_eq!((world.updates(), world.value().as_str()), (1, "production_old"));
    push(&world, "bbbbbbb", "promoted");
}

#[test]
fn a_rollback_to_what_cannot_be_pulled_is_refused_and_changes_nothing() {
    for is_archived in [true, false] {
        let world = Memory::new("auto");
        let (first, second) = two_deployed(&world);
        if is_archived {
            world.get_mut().archived.insert(first.clone());
        } else {
            world.get_mut().images.remove(&first);
            world.get_mut().tags.retain(|_, on| *on != first);
        }
        let state = || world.get().state.clone().map(|(state, _)| state);
        let before = state();
        command(&world, "rollback web", "refused");
        assert_eq!(state(), before);
        assert_eq!(world.told().last(), Some(&Outcome::Refused), "whoever commanded hears why");
        assert_runs(&world, &second, "bbbbbbb");
    }
}

#[test]
fn a_rollback_to_an_image_that_lost_its_tag_gives_it_one_of_its_own() {
    let world = Memory::new("auto");
    let (first, second) = two_deployed(&world);
    world.get_mut().tags.insert(tag("production_aaaaaaa"), second);
    let answer = command(&world, "rollback web", "promoted");
    assert_eq!(answer["tag"], format!("production_aaaaaaa-{}", first.short()));
    assert_eq!(answer["digest"], first.as_str());
}
