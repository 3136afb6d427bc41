//! What was approved, and then comes something else.

use serde_json::json;

use super::steps::{both_approve, come_to_rest, two_people};
use crate::support::guard::change;
use crate::support::payloads::push_event;
use crate::support::slack::{ALICE, BOB, MALLORY};
use crate::support::steps::{answers, command, finish, push, runs, state, tick};
use crate::support::world::Memory;

#[test]
fn what_was_approved_without_a_channel_stays_what_follows_after_a_newer_push() {
    let world = Memory::new("approval");
    let digest = push(&world, "aaaaaaa", "approval_requested");
    world.foreign_update("production_old");
    command(&world, &format!("approve web {digest}"), "queued");
    let newer = push(&world, "bbbbbbb", "approval_requested");
    finish(&world);
    assert_eq!(world.value(), "production_aaaaaaa", "{:#?}", world.get().told);
    finish(&world);
    answers(&world, &push_event(&newer), "approval_requested");
}

#[test]
fn what_six_people_approved_stays_what_follows_after_a_newer_push() {
    let people = ["UA", "UB", "UC", "UD", "UE", "UF"];
    let world = Memory::new("approval").in_slack(&json!({ "approvers": people, "required": 6 }));
    push(&world, "aaaaaaa", "approval_requested");
    world.foreign_update("production_old");
    for user in people {
        world.clicks(user, &world.newest_message().button("approve"), user);
    }
    push(&world, "bbbbbbb", "approval_requested");
    finish(&world);
    assert_eq!(world.value(), "production_aaaaaaa", "{:#?}", world.get().told);
}

#[test]
fn what_was_approved_and_would_change_more_by_now_is_not_sent_after_a_newer_push_either() {
    let world = Memory::new("approval").in_slack(&json!({}));
    world.get_mut().config["guard"] = json!({
        "allowed_changes": [
            "AWS::ECS::TaskDefinition:Replacement", "AWS::RDS::DBInstance:Replacement",
        ],
    });
    world.get_mut().would_change.list = vec![change("AWS::ECS::TaskDefinition", "Task")];
    let digest = push(&world, "aaaaaaa", "approval_requested");
    world.foreign_update("production_old");
    command(&world, &format!("approve web {digest}"), "queued");
    push(&world, "bbbbbbb", "approval_requested");
    world.get_mut().would_change.list.push(change("AWS::RDS::DBInstance", "Database"));
    finish(&world);
    tick(&world);
    assert_eq!(world.updates(), 0, "{:#?}", world.get().told);
    assert_eq!(state(&world).open, []);
}

#[test]
fn a_channel_that_is_taken_away_while_people_are_asked_loses_no_approval() {
    let world = Memory::new("approval").in_slack(&json!({}));
    tick(&world);
    let digest = push(&world, "aaaaaaa", "approval_requested");
    world.get_mut().config["approval"] = json!({});
    tick(&world);
    world.foreign_update("production_old");
    command(&world, &format!("approve web {digest}"), "queued");
    push(&world, "bbbbbbb", "approval_requested");
    finish(&world);
    finish(&world);
    assert_eq!(runs(&world), digest);
}

#[test]
fn people_in_slack_who_promote_again_while_their_cancelled_update_goes_back_are_obeyed() {
    let world = two_people(Memory::new("approval"));
    tick(&world);
    let digest = push(&world, "aaaaaaa", "approval_requested");
    both_approve(&world);
    assert!(world.get().in_flight.is_some());
    world.writes(ALICE, "cancel web", "cancel");
    // One person alone changes nothing of that.
    world.writes(ALICE, "promote web", "again-1");
    assert!(world.get().in_flight.is_some());
    world.writes(BOB, "promote web", "again-2");
    come_to_rest(&world);
    assert_eq!(runs(&world), digest, "{:#?}", world.headlines());
    assert_eq!(state(&world).open, []);
}

#[test]
fn one_person_who_promotes_again_after_a_cancel_does_not_stand_for_two() {
    let world = two_people(Memory::new("approval"));
    tick(&world);
    push(&world, "aaaaaaa", "approval_requested");
    both_approve(&world);
    world.writes(ALICE, "cancel web", "cancel");
    world.writes(ALICE, "promote web", "again-1");
    come_to_rest(&world);
    assert_eq!(world.value(), "production_old");
    assert_eq!(state(&world).open, []);
}

#[test]
fn where_the_list_is_emptied_only_the_questions_own_people_decide_on_it() {
    let world = two_people(Memory::new("approval"));
    tick(&world);
    let digest = push(&world, "aaaaaaa", "approval_requested");
    let message = world.newest_message();
    world.get_mut().config["approval"] = json!({ "slack_channel": "C1" });
    for button in ["approve", "reject"] {
        let said = world.clicks(MALLORY, &message.button(button), button);
        assert!(said.as_ref().is_some_and(|said| said.contains("approvers")), "{said:?}");
    }
    world.writes(MALLORY, "promote web", "promote");
    let request = state(&world).request.expect("a request");
    assert_eq!(
        (request.votes.len(), request.progress),
        (0, ecr_promoter::model::approval::Progress::Pending)
    );
    for user in [ALICE, BOB] {
        world.clicks(user, &message.button("approve"), user);
    }
    come_to_rest(&world);
    assert_eq!(runs(&world), digest);
}
