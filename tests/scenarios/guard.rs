//! The guard: changes are reviewed before an update.

use ecr_promoter::model::Digest;
use ecr_promoter::model::answer::Outcome;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::crashes::{promoted_once, survives_every_fault_in};
use crate::support::guard::{allowed, forbidden, guarded};
use crate::support::interleave::{goes_on, run};
use crate::support::payloads::{event, push_event, sns};
use crate::support::steps::{answers, push};
use crate::support::world::{Fault, Memory};

#[test]
fn a_guard_that_holds_is_one_update() {
    let world = guarded(Memory::new("auto"), allowed());
    let digest = world.push("abc1234");
    let answer = answers(&world, &push_event(&digest), "promoted");
    assert_eq!(answer["changes"], json!(["Modify AWS::ECS::TaskDefinition Task, replacement"]));
    answers(&world, &push_event(&digest), "promoted");
    world.finish_update();
    assert_eq!(
        answers(&world, &push_event(&digest), "unchanged")["closed"][0]["outcome"],
        "deployed"
    );
    promoted_once(&world, &digest);
    // The audit names the change set that went out.
    assert!(world.get().history[&0].promotion.change_set.is_some());
    assert!(world.get().change_sets.is_empty());
    assert!(
        !world.get().calls.contains(&"UpdateStack".to_owned()),
        "past the guard: {:?}",
        world.get().calls
    );
}

#[test]
fn a_guard_that_would_be_broken_blocks_with_every_change_and_leaves_nothing_behind() {
    let world = guarded(Memory::new("auto"), forbidden());
    let digest = world.push("abc1234");
    let list = json!([
        "Modify AWS::ECS::TaskDefinition Task, replacement",
        "Modify AWS::RDS::DBInstance Database, replacement"
    ]);
    let promote = sns("promote web", "message-1", world.get().now);
    for payload in [push_event(&digest), push_event(&digest), promote] {
        assert_eq!(answers(&world, &payload, "blocked")["changes"], list);
        assert_eq!((world.updates(), world.get().change_sets.len()), (0, 0));
        assert_eq!(
            world.get().tags.values().filter(|on| **on == digest).count(),
            1,
            "no production tag"
        );
    }
    // Once for the push, however often it comes, and once for the command.
    assert_eq!(world.told(), [Outcome::Blocked, Outcome::Blocked]);
    assert_eq!(json!(world.get().told[0].changes), list);
    // Mended, the hourly look goes on.
    world.get_mut().would_change.list = allowed();
    let looked = world.invoke(&event("scheduled"), "request").expect("an answer");
    assert_eq!(looked["results"][0]["outcome"], "promoted", "{looked:#}");
}

#[test]
fn a_plan_lists_the_same_changes_and_leaves_nothing_behind() {
    for (list, would) in [(allowed(), "promoted"), (forbidden(), "blocked")] {
        let world = guarded(Memory::new("approval"), list);
        world.push("abc1234");
        let plan = world.invoke(&event("command-plan"), "request").expect("a plan");
        assert_eq!(
            (&plan["would"], plan["changes"][0].as_str()),
            (&json!(would), Some("Modify AWS::ECS::TaskDefinition Task, replacement"))
        );
        let inner = world.get();
        assert_eq!((inner.updates.len(), inner.change_sets.len(), inner.told.len()), (0, 0, 0));
        let (state, _) = inner.state.as_ref().expect("the change set was remembered");
        assert!(!state.has_been_seen() && !state.has_open_work(), "{state:?}");
    }
}

#[test]
fn a_slow_review_is_left_to_the_schedule() {
    for by_push in [true, false] {
        let world = guarded(Memory::new("auto"), allowed());
        world.get_mut().looks_of_a_review = 2;
        let digest = world.push("abc1234");
        let promote = sns("promote web", "message-1", world.get().now);
        let payload = if by_push { push_event(&digest) } else { promote };
        answers(&world, &payload, "queued");
        answers(&world, &payload, "queued");
        assert_eq!(world.updates(), 0);
        let tick = json!({ "action": "reconcile", "only_open_work": true });
        let looked = world.invoke(&tick, "tick").expect("an answer");
        let outcomes: Vec<&str> = looked["results"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|r| r["outcome"].as_str())
            .collect();
        if outcomes == ["queued"] {
            world.invoke(&tick, "tick").expect("an answer");
        }
        promoted_once(&world, &digest);
        assert_eq!(world.told(), [Outcome::Queued, Outcome::Promoted], "by push: {by_push}");
    }
}

#[test]
fn what_is_blocked_after_a_slow_review_is_told_once_and_not_at_each_look() {
    let world = guarded(Memory::new("auto"), forbidden());
    world.get_mut().looks_of_a_review = 1;
    push(&world, "abc1234", "queued");
    for _ in 0..6 {
        world.invoke(&event("scheduled"), "tick").expect("an answer");
    }
    assert_eq!(world.told(), [Outcome::Queued, Outcome::Blocked]);
}

#[test]
fn a_change_set_that_a_stalled_sandbox_makes_after_it_was_removed_is_removed_again() {
    let world = guarded(Memory::new("auto"), allowed());
    let older = world.push("aaaaaaa");
    let mut stalled = Box::pin(world.handler(push_event(&older), "stalled"));
    while world.get().calls.last().is_none_or(|call| call != "SaveState") {
        assert!(!goes_on(&mut stalled, 1));
    }
    let newer = world.push("bbbbbbb");
    world.get_mut().would_change.list = forbidden();
    answers(&world, &push_event(&newer), "blocked");
    // It makes the change set, and dies.
    let next = world.get().calls.len();
    world.get_mut().fault = Some((next, Fault::Death));
    assert!(run(stalled).is_none(), "the sandbox died");
    assert_eq!(world.get().calls.last().map(String::as_str), Some("CreateChangeSet"));
    assert_eq!(world.get().change_sets.len(), 1);
    world.get_mut().now += SignedDuration::from_hours(1);
    world.invoke(&event("scheduled"), "tick").expect("an answer");
    assert!(world.get().change_sets.is_empty(), "{:?}", world.get().change_sets);
}

#[test]
fn the_change_set_of_a_push_that_was_superseded_is_removed() {
    let world = guarded(Memory::new("auto"), allowed());
    world.get_mut().looks_of_a_review = 2;
    push(&world, "aaaaaaa", "queued");
    world.get_mut().looks_of_a_review = 0;
    for own in world.get_mut().change_sets.values_mut().flatten() {
        own.looks = 0;
    }
    let newer = world.push("bbbbbbb");
    world.get_mut().would_change.list = forbidden();
    answers(&world, &push_event(&newer), "blocked");
    assert!(world.get().change_sets.is_empty(), "{:?}", world.get().change_sets);
}

#[test]
fn somebody_elses_change_set_is_named_where_ours_deletes_it() {
    let world = guarded(Memory::new("auto"), allowed());
    world.get_mut().change_sets.insert("by-hand".to_owned(), None);
    let digest = world.push("abc1234");
    let answer = answers(&world, &push_event(&digest), "promoted");
    assert!(
        answer["reason"].as_str().is_some_and(|reason| reason.contains("by-hand")),
        "{answer:#}"
    );
    assert!(world.get().told[0].reason.contains("by-hand"));
}

#[test]
fn an_ssm_typed_parameter_that_would_resolve_to_something_new_blocks_without_a_guard() {
    let world = Memory::new("auto");
    world.get_mut().resolved.insert("AppName".to_owned(), "old".to_owned());
    world.get_mut().would_change.resolved = vec![("AppName".to_owned(), "new".to_owned())];
    world.get_mut().would_change.causes = vec!["AppName".to_owned()];
    let digest = world.push("abc1234");
    let answer = answers(&world, &push_event(&digest), "blocked");
    assert!(
        answer["reason"].as_str().is_some_and(|reason| reason.contains("`AppName`")),
        "{answer:#}"
    );
    world.get_mut().would_change.resolved = vec![("AppName".to_owned(), "old".to_owned())];
    answers(&world, &push_event(&digest), "promoted");
}

#[test]
fn a_promotion_of_what_people_were_asked_about_is_reviewed_like_any_other() {
    let world = guarded(Memory::new("approval"), allowed());
    push(&world, "abc1234", "approval_requested");
    world.get_mut().looks_of_a_review = 1;
    let promote = sns("promote web", "message-1", world.get().now);
    answers(&world, &promote, "queued");
    answers(&world, &promote, "queued");
    world.invoke(&event("scheduled"), "tick").expect("an answer");
    assert_eq!((world.updates(), world.value().as_str()), (1, "production_abc1234"));
}

#[test]
fn a_guarded_push_or_command_survives_every_fault_at_every_call() {
    let promoted = |world: &Memory, digest: &Digest| {
        promoted_once(world, digest);
        world.finish_update();
        world.invoke(&event("scheduled"), "tick").expect("an answer");
        assert!(world.get().change_sets.is_empty(), "{:?}", world.get().change_sets);
    };
    let push: fn(&Memory, &Digest) -> Value = |_, digest| push_event(digest);
    let command: fn(&Memory, &Digest) -> Value =
        |world, _| sns("promote web", "message-1", world.get().now);
    for payload in [push, command] {
        survives_every_fault_in(|| guarded(Memory::new("auto"), allowed()), payload, promoted);
    }
    let blocked = |world: &Memory, _: &Digest| {
        assert!((1..=2).contains(&world.told().len()), "{:?}", world.told());
        for _ in 0..2 {
            world.invoke(&event("scheduled"), "tick").expect("an answer");
        }
        assert_eq!((world.updates(), world.get().change_sets.len()), (0, 0));
    };
    survives_every_fault_in(|| guarded(Memory::new("auto"), forbidden()), push, blocked);
}
