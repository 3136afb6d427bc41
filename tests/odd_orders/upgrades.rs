//! An upgrade in the middle of things: the state that the version before wrote.

use ecr_promoter::model::answer::Outcome;
use serde_json::{Value, json};

use super::steps::{both_approve, come_to_rest, two_people};
use crate::support::guard::change;
use crate::support::payloads::{push_event, tag};
use crate::support::slack::ALICE;
use crate::support::steps::{answers, command, deploy, finish, push, runs, state, tick};
use crate::support::world::Memory;

/// What the version before wrote: it did not know these.
fn downgrade(world: &Memory) {
    fn strip(value: &mut Value) {
        const NEW: [&str; 13] = [
            "stack_id",
            "first_ran",
            "policy",
            "moved_tag",
            "previous_digest",
            "basis",
            "sent_at",
            "rolls_back_digest",
            "shown_changes",
            "name",
            "arn",
            "tries",
            "tried_at",
        ];
        match value {
            Value::Object(members) => {
                members.retain(|key, _| !NEW.contains(&key.as_str()));
                if members.contains_key("previous_tag") {
                    members.remove("votes");
                }
                members.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut inner = world.get_mut();
    if let Some((state, _)) = inner.state.as_mut() {
        let mut value = json!(state);
        strip(&mut value);
        *state = serde_json::from_value(value).expect("an older state");
    }
    for ended in inner.history.values_mut() {
        let mut value = json!(ended);
        strip(&mut value);
        *ended = serde_json::from_value(value).expect("an older end");
    }
}

#[test]
fn an_upgrade_while_what_two_people_approved_waits_lets_it_go() {
    let world = two_people(Memory::new("approval"));
    tick(&world);
    push(&world, "aaaaaaa", "approval_requested");
    world.foreign_update("production_old");
    both_approve(&world);
    assert_eq!(state(&world).open.len(), 1);
    downgrade(&world);
    finish(&world);
    assert_eq!(world.value(), "production_aaaaaaa", "{:#?}", world.get().told);
}

#[test]
fn an_upgrade_while_a_change_set_is_made_goes_on_and_leaves_none_behind() {
    let world = Memory::new("auto");
    world.get_mut().config["guard"] =
        json!({ "allowed_changes": ["AWS::ECS::TaskDefinition:Replacement"] });
    world.get_mut().would_change.list = vec![change("AWS::ECS::TaskDefinition", "Task")];
    world.get_mut().looks_of_a_review = 3;
    tick(&world);
    let digest = push(&world, "aaaaaaa", "queued");
    // The version before named it by the token.
    let own = state(&world).change_sets[0].clone();
    let made = world.get_mut().change_sets.remove(own.name()).expect("it was made");
    world.get_mut().change_sets.insert(own.token.to_string(), made);
    downgrade(&world);
    for _ in 0..6 {
        tick(&world);
    }
    come_to_rest(&world);
    assert_eq!(runs(&world), digest);
    world.get_mut().now += jiff::SignedDuration::from_mins(20);
    tick(&world);
    assert_eq!(world.get().change_sets.len(), 0);
    assert!(world.told().contains(&Outcome::Deployed));
}

#[test]
fn an_upgrade_in_the_middle_of_anything_goes_on() {
    // While an update runs.
    let world = Memory::new("auto");
    tick(&world);
    let digest = push(&world, "aaaaaaa", "promoted");
    downgrade(&world);
    finish(&world);
    assert_eq!(runs(&world), digest);
    assert_eq!(state(&world).hold, None);
    // While a rollback waits behind a cancel.
    push(&world, "bbbbbbb", "promoted");
    command(&world, "rollback web", "cancelled");
    downgrade(&world);
    come_to_rest(&world);
    assert_eq!(runs(&world), digest);
    // While people are asked.
    let world = Memory::new("approval");
    let digest = push(&world, "aaaaaaa", "approval_requested");
    downgrade(&world);
    answers(&world, &push_event(&digest), "approval_requested");
    command(&world, &format!("approve web {digest}"), "promoted");
    assert_eq!(
        world.told().iter().filter(|outcome| **outcome == Outcome::ApprovalRequested).count(),
        1
    );
}

#[test]
fn after_an_upgrade_one_person_goes_back_to_what_ran_when_the_app_was_first_seen() {
    let world = Memory::new("auto").in_slack(&json!({ "approvers": [ALICE] }));
    let old = world.get().tags[&tag("production_old")].clone();
    tick(&world);
    deploy(&world, "aaaaaaa");
    downgrade(&world);
    world.writes(ALICE, "rollback web", "one");
    finish(&world);
    assert_eq!(runs(&world), old);
}

#[test]
fn after_an_upgrade_before_anything_was_deployed_one_person_goes_back_to_what_ran_first() {
    let world = Memory::new("auto").in_slack(&json!({ "approvers": [ALICE] }));
    let old = world.get().tags[&tag("production_old")].clone();
    tick(&world);
    downgrade(&world);
    deploy(&world, "aaaaaaa");
    world.writes(ALICE, "rollback web", "one");
    finish(&world);
    assert_eq!(runs(&world), old);
}
