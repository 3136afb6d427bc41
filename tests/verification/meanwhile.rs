//! What happens while a promotion is being verified.

use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::approval::Progress;
use ecr_promoter::model::promotion::End;

use super::steps::{
    deploy, ecs_finishes, ecs_gives_up, goes_through, history, minutes_pass, reaches_ecs, says,
    told_since, world,
};
use crate::support::payloads::{event, service_changed, stack_changed};
use crate::support::slack::CHANNEL;
use crate::support::steps::{answers, command, push, state, tick};
use crate::support::world::{Memory, STACK_ID};

/// A world whose promotions people approve, and whose service follows the stack later.
fn world_of_approvals() -> Memory {
    let world = Memory::new("approval").with_service();
    world.get_mut().ecs_follows = true;
    world
}

/// Pushes and approves the image of this commit. The stack names it, and ECS does not run it yet.
#[track_caller]
fn approved_reaches_ecs(world: &Memory, commit: &str) {
    let digest = push(world, commit, "approval_requested");
    command(world, &format!("approve web {digest}"), "promoted");
    world.finish_update();
    answers(world, &stack_changed(), "promoted");
}

#[test]
fn a_newer_promotion_does_not_wait_and_the_verified_one_ends_superseded_and_untold() {
    let world = world();
    reaches_ecs(&world, "aaaaaaa");
    push(&world, "bbbbbbb", "promoted");
    assert_eq!(world.updates(), 2, "the stack is at rest");
    world.finish_update();
    answers(&world, &stack_changed(), "promoted");
    ecs_finishes(&world);
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Promoted, Outcome::Deployed]);
    assert!(world.get().told[2].commit.as_ref().is_some_and(|its| its.to_string() == "bbbbbbb"));
    let ends = [("aaaaaaa".to_owned(), End::Superseded), ("bbbbbbb".to_owned(), End::Deployed)];
    assert_eq!(history(&world), ends);
}

#[test]
fn a_rollback_passes_over_what_was_replaced_before_ecs_was_seen_to_run_it() {
    let world = world();
    deploy(&world, "aaaaaaa");
    reaches_ecs(&world, "bbbbbbb");
    deploy(&world, "ccccccc");
    let answer = command(&world, "rollback web", "promoted");
    assert_eq!(answer["tag"], "production_aaaaaaa");
}

#[test]
fn a_newer_promotion_that_cloudformation_rolls_back_lets_the_verified_one_go_on() {
    let world = world();
    reaches_ecs(&world, "aaaaaaa");
    push(&world, "bbbbbbb", "promoted");
    world.fail_update("no capacity");
    answers(&world, &stack_changed(), "failed");
    ecs_finishes(&world);
    let ends = [("bbbbbbb".to_owned(), End::Failed), ("aaaaaaa".to_owned(), End::Deployed)];
    assert_eq!(history(&world), ends);
}

#[test]
fn cancel_of_what_is_verified_is_refused_and_names_rollback() {
    for mode in ["auto", "approval"] {
        let world = Memory::new(mode).with_service();
        world.get_mut().ecs_follows = true;
        world.push("aaaaaaa");
        tick(&world);
        command(&world, "promote web", "promoted");
        world.finish_update();
        answers(&world, &stack_changed(), "promoted");
        let answer = command(&world, "cancel web", "refused");
        says(answer["reason"].as_str().expect("a reason"), &["`rollback web` goes back"]);
        assert!(state(&world).verifying.is_some(), "{mode}: it goes on");
        ecs_finishes(&world);
    }
}

#[test]
fn cancel_of_what_people_approved_and_is_verified_is_refused_too() {
    let world = world_of_approvals();
    approved_reaches_ecs(&world, "aaaaaaa");
    command(&world, "cancel web", "refused");
    ecs_finishes(&world);
    assert_eq!(state(&world).passed_over, None);
}

#[test]
fn what_people_approved_and_is_verified_is_not_told_as_cancelled_by_another_choice() {
    for choice in ["rollback web", "promote web aaaaaaa"] {
        let world = world_of_approvals();
        for commit in ["aaaaaaa", "bbbbbbb"] {
            approved_reaches_ecs(&world, commit);
            if commit == "aaaaaaa" {
                ecs_finishes(&world);
            }
        }
        let before = world.told().len();
        let answer = command(&world, choice, "promoted");
        assert_eq!(answer["tag"], "production_aaaaaaa", "{choice}");
        // ECS's events come while the stack is busy.
        world.invoke(&service_changed(), "request").expect("an answer");
        tick(&world);
        world.finish_update();
        world.invoke(&stack_changed(), "request").expect("an answer");
        tick(&world);
        let told = told_since(&world, before);
        let is_wrong = |one: &Outcome| *one == Outcome::Cancelled || *one == Outcome::Superseded;
        let told: Vec<Outcome> = told.iter().map(|one| one.outcome).collect();
        assert!(!told.iter().any(is_wrong), "{choice}: {told:?}");
        assert_eq!(history(&world)[1], ("bbbbbbb".to_owned(), End::Superseded));
        // What a person rolled back from is not asked about again; a newer one than a choice is.
        let request = state(&world).request.expect("a request");
        let want = if choice == "rollback web" { Progress::Superseded } else { Progress::Pending };
        assert_eq!(request.progress, want, "{choice}");
    }
}

#[test]
fn votes_that_a_stricter_policy_misses_take_nothing_back_from_ecs() {
    let world = world_of_approvals();
    approved_reaches_ecs(&world, "aaaaaaa");
    world.get_mut().config["approval"] = serde_json::json!({
        "slack_channel": CHANNEL, "required": 2,
    });
    tick(&world);
    let shown = state(&world).request.expect("a request").progress;
    assert!(matches!(shown, Progress::Verifying(_)), "{shown:?}");
    ecs_finishes(&world);
}

#[test]
fn rollback_of_what_is_verified_goes_to_what_ran_before() {
    let world = world();
    deploy(&world, "aaaaaaa");
    reaches_ecs(&world, "bbbbbbb");
    let before = world.told().len();
    let answer = command(&world, "rollback web", "promoted");
    assert_eq!(answer["tag"], "production_aaaaaaa");
    // The service runs it still: nothing was replaced.
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    let told: Vec<Outcome> = told_since(&world, before).iter().map(|one| one.outcome).collect();
    assert_eq!(told, [Outcome::Promoted, Outcome::Deployed]);
    let ends = [End::Deployed, End::Superseded, End::Deployed];
    assert_eq!(history(&world).into_iter().map(|(_, end)| end).collect::<Vec<_>>(), ends);
}

#[test]
fn the_stack_set_by_hand_ends_the_verification_and_is_told_as_such() {
    let world = world();
    reaches_ecs(&world, "aaaaaaa");
    world.foreign_update("production_old");
    world.finish_update();
    tick(&world);
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Held]);
    assert_eq!(history(&world), [("aaaaaaa".to_owned(), End::Superseded)]);
    assert_eq!(state(&world).verifying, None);
}

#[test]
fn while_the_stack_is_busy_nothing_is_judged() {
    let world = world();
    reaches_ecs(&world, "aaaaaaa");
    world.foreign_update("production_aaaaaaa");
    let before = world.get().services.clone();
    world.ecs_goes_back();
    tick(&world);
    assert!(state(&world).verifying.is_some(), "{:?}", world.told());
    world.get_mut().services = before;
    world.finish_update();
    world.ecs_is_done();
    tick(&world);
    assert!(!world.told().contains(&Outcome::Failed), "{:?}", world.told());
    assert_eq!(world.told().last(), Some(&Outcome::Deployed));
}

#[test]
fn a_service_that_no_promotion_waits_for_costs_one_read_of_the_state() {
    let world = world();
    deploy(&world, "aaaaaaa");
    let before = world.get().calls.len();
    answers(&world, &service_changed(), "ignored");
    assert_eq!(world.get().calls[before..], ["GetParametersByPath", "BatchGetItem"]);
    world.get_mut().config["verify"] = false.into();
    let before = world.get().calls.len();
    answers(&world, &service_changed(), "ignored");
    assert_eq!(world.get().calls[before..], ["GetParametersByPath"]);
}

#[test]
fn a_service_of_somebody_else_is_ignored_once_the_apps_own_are_known() {
    let world = world();
    let mut other = service_changed();
    other["resources"] =
        serde_json::json!(["arn:aws:ecs:us-east-1:012345678912:service/main/somebody-elses"]);
    reaches_ecs(&world, "aaaaaaa");
    answers(&world, &other, "ignored");
    ecs_finishes(&world);
}

#[test]
fn status_and_history_show_what_is_verified() {
    let world = world();
    reaches_ecs(&world, "aaaaaaa");
    world.ecs_is_halfway();
    let status = world.invoke(&event("command-status"), "status").expect("a status");
    says(&status["verifying"].to_string(), &["1 of 2 tasks", "production_aaaaaaa"]);
    let history = world.invoke(&event("command-history"), "history").expect("a history");
    assert_eq!(history["promotions"].as_array().expect("a list").len(), 1, "{history:#}");
    ecs_finishes(&world);
    let status = world.invoke(&event("command-status"), "status").expect("a status");
    assert!(status["verifying"].is_null(), "{status:#}");
}

#[test]
fn an_app_that_moves_to_another_stack_ends_what_was_verified_on_the_first() {
    let world = world();
    reaches_ecs(&world, "aaaaaaa");
    world.move_to_the_other_stack();
    assert_ne!(world.get().stack_id, STACK_ID);
    tick(&world);
    assert_eq!(state(&world).verifying, None);
    assert_eq!(history(&world), [("aaaaaaa".to_owned(), End::Superseded)]);
    assert!(world.told().contains(&Outcome::Superseded), "{:?}", world.told());
}

#[test]
fn a_failure_seen_late_is_a_failure_though_a_newer_push_came() {
    let world = world();
    reaches_ecs(&world, "aaaaaaa");
    ecs_gives_up(&world);
    minutes_pass(&world, 1);
    push(&world, "bbbbbbb", "promoted");
    goes_through(&world);
    let ends = [("aaaaaaa".to_owned(), End::Failed), ("bbbbbbb".to_owned(), End::Deployed)];
    assert_eq!(history(&world), ends);
}
