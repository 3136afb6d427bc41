//! Who decides: policies that change, and people who may not.

use ecr_promoter::model::answer::Outcome;
use serde_json::{Value, json};

use crate::support::payloads::{push_event, tag};
use crate::support::steps::{answers, command, deploy, finish, push, runs, state, tick};
use crate::support::world::Memory;

fn configure(world: &Memory, approval: Value) {
    world.get_mut().config["approval"] = approval;
}

#[test]
fn a_policy_that_changes_is_told_once_with_before_and_after() {
    let world = Memory::new("auto");
    deploy(&world, "aaaaaaa");
    let before = world.told().len();
    world.get_mut().config["mode"] = "approval".into();
    configure(
        &world,
        json!({ "slack_channel": "C1", "approvers": ["UALICE", "UBOB"], "required": 2 }),
    );
    for _ in 0..3 {
        tick(&world);
    }
    let told = world.get().told[before..].to_vec();
    assert_eq!(told.len(), 1, "{told:?}");
    for words in [
        "mode: `auto` before, `approval` now",
        "approvers: anyone in the channel before, UALICE, UBOB now",
        "1 before, 2 now",
    ] {
        assert!(told[0].reason.contains(words), "{words}: {}", told[0].reason);
    }
    // Removed in silence, that is.
    configure(&world, json!({ "slack_channel": "C1" }));
    tick(&world);
    assert!(
        world
            .get()
            .told
            .last()
            .expect("told")
            .reason
            .contains("UALICE, UBOB before, anyone in the channel now")
    );
}

#[test]
fn a_question_keeps_the_stricter_policy_of_those_it_was_asked_and_is_decided_under() {
    let strict = json!({ "slack_channel": "C1", "approvers": ["UALICE", "UBOB"], "required": 2 });
    let world = Memory::new("approval");
    configure(&world, strict.clone());
    let digest = push(&world, "aaaaaaa", "approval_requested");
    // Somebody who may write the configuration, and not decide.
    configure(&world, json!({}));
    command(&world, &format!("approve web {digest}"), "refused");
    world.get_mut().config["mode"] = "auto".into();
    tick(&world);
    answers(&world, &push_event(&digest), "approval_requested");
    assert_eq!(world.updates(), 0);

    // What one person approved waits behind the stack, and then needs two.
    let world = Memory::new("approval");
    let digest = push(&world, "aaaaaaa", "approval_requested");
    world.foreign_update("production_old");
    command(&world, &format!("approve web {digest}"), "queued");
    configure(&world, strict);
    finish(&world);
    tick(&world);
    assert_eq!((world.updates(), state(&world).open.len()), (0, 0));
    answers(&world, &push_event(&digest), "approval_requested");
}

#[test]
fn a_rollback_goes_only_to_what_ran_before_where_identities_count() {
    let world = Memory::new("approval");
    let old = world.get().tags[&tag("production_old")].clone();
    tick(&world);
    world.push("aaaaaaa");
    command(&world, "promote web", "promoted");
    finish(&world);
    configure(
        &world,
        json!({ "slack_channel": "C1", "approvers": ["UALICE", "UBOB"], "required": 2 }),
    );
    let unapproved = world.push("bbbbbbb");
    world.move_tag("v2", Some(&unapproved));
    for image in [unapproved.as_str(), "bbbbbbb", "latest", "v2"] {
        let answer = command(&world, &format!("rollback web {image}"), "refused");
        assert!(
            answer["reason"].as_str().expect("a reason").contains("never ran here"),
            "{image}: {answer:#}"
        );
    }
    assert_eq!(
        (world.updates(), state(&world).hold),
        (1, None),
        "a refused rollback leaves no trace"
    );
    // What ran when the app was first seen, and what was deployed, can be gone back to.
    command(&world, "rollback web", "promoted");
    finish(&world);
    assert_eq!(runs(&world), old);
    command(&world, "rollback web aaaaaaa", "promoted");
    finish(&world);
    assert_eq!(world.value(), "production_aaaaaaa");
}

#[test]
fn a_request_has_an_id_of_its_own_though_the_stack_changed_and_changed_back() {
    let world = Memory::new("approval");
    let digest = world.push("aaaaaaa");
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..4 {
        let answer = answers(&world, &push_event(&digest), "approval_requested");
        ids.insert(answer["request"].as_str().expect("an id").to_owned());
        world.move_to_the_other_stack();
    }
    assert_eq!(ids.len(), 4, "{ids:?}");
}

#[test]
fn a_misspelt_commit_or_tag_is_answered_with_the_one_that_may_have_been_meant() {
    let world = Memory::new("auto");
    deploy(&world, "abc1234");
    for (words, meant) in [
        ("promote web abc1243", "abc1234"),
        ("promote web production_abc1243", "production_abc1234"),
        ("promote web lates", "latest"),
    ] {
        let answer = command(&world, words, "refused");
        let reason = answer["reason"].as_str().expect("a reason");
        assert!(reason.contains(&format!("did you mean `{meant}`?")), "{words}: {reason}");
    }
}

#[test]
fn an_id_answers_only_the_command_that_it_was_kept_with() {
    let world = Memory::new("approval");
    world.push("aaaaaaa");
    let with_id = |action: &str| json!({ "action": action, "repository": "web", "id": "deploy-7", "reason": "freeze" });
    let hold = with_id("hold");
    answers(&world, &hold, "held");
    answers(&world, &hold, "held");
    let promote = json!({ "action": "promote", "repository": "web", "id": "deploy-7" });
    let answer = answers(&world, &promote, "refused");
    assert!(answer["reason"].as_str().expect("a reason").contains("`hold freeze`"), "{answer:#}");
    assert_eq!(world.updates(), 0);
}

#[test]
fn to_ask_again_keeps_what_people_have_said() {
    let world = Memory::new("approval");
    configure(
        &world,
        json!({ "slack_channel": "C1", "approvers": ["UALICE", "UBOB"], "required": 2 }),
    );
    push(&world, "aaaaaaa", "approval_requested");
    let before = state(&world).request.expect("a request");
    let answer = command(&world, "ask web", "approval_requested");
    assert_eq!(answer["request"], json!(before.id));
    assert_eq!(world.told(), [Outcome::ApprovalRequested, Outcome::ApprovalRequested]);
}
