//! A push: promoted once, asked for, waited for, refused.

use ecr_promoter::model::answer::Outcome;
use ecr_promoter::world::NotUpdated;
use serde_json::json;

use crate::support::payloads::{event, push_event, stack_changed, tag};
use crate::support::steps::{answers, assert_runs, push};
use crate::support::world::Memory;

#[test]
fn a_push_is_promoted_in_three_round_trips() {
    let world = Memory::new("auto");
    let digest = world.push("abc1234");
    let answer = answers(&world, &push_event(&digest), "promoted");
    assert_eq!(answer["digest"], digest.as_str());
    assert_eq!(answer["commit"], "abc1234");
    assert_eq!(answer["tag"], "production_abc1234");
    assert_eq!(answer["previous_tag"], "production_old");
    assert_eq!(answer["stack"], "web");
    // The reads run side by side, then the state beside the tag, then the update; telling comes
    // after the fact.
    insta::assert_snapshot!(world.get().calls.join("\n"), @r"
    GetParametersByPath
    GetItem state
    BatchGetImage
    DescribeImages
    DescribeStacks
    SaveState
    PutImage
    UpdateStack
    Publish
    MarkTold
    ");
    assert_runs(&world, &digest, "abc1234");
}

#[test]
fn the_same_push_three_times_is_one_update() {
    let world = Memory::new("auto");
    let digest = push(&world, "abc1234", "promoted");
    answers(&world, &push_event(&digest), "promoted");
    world.finish_update();
    let answer = answers(&world, &push_event(&digest), "unchanged");
    assert_eq!(answer["closed"][0]["outcome"], "deployed");
    answers(&world, &push_event(&digest), "unchanged");
    assert_eq!(world.updates(), 1);
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Deployed]);
}

#[test]
fn an_older_push_is_superseded_and_changes_nothing() {
    let world = Memory::new("auto");
    let older = world.push("aaaaaaa");
    push(&world, "bbbbbbb", "promoted");
    let before = world.get().state.clone();
    answers(&world, &push_event(&older), "superseded");
    assert_eq!((world.updates(), &world.get().state), (1, &before));
    assert_eq!(world.get().tags.get(&tag("production_aaaaaaa")), None);
}

#[test]
fn an_ignored_event_reads_at_most_the_configuration() {
    let world = Memory::new("auto");
    for name in [
        "ecr-delete",
        "ecr-push-failure",
        "ecr-push-untagged",
        "ecr-image-scan",
        "sns-notification",
    ] {
        answers(&world, &event(name), "ignored");
    }
    assert!(world.get().calls.is_empty());
    for name in [
        "ecr-push-other-account",
        "ecr-push-production-tag",
        "ecr-push-signature",
        "ecr-push-other-tag",
        "ecr-push-unknown-repository",
    ] {
        answers(&world, &event(name), "ignored");
    }
    assert!(
        world.get().calls.iter().all(|call| call == "GetParametersByPath"),
        "{:?}",
        world.get().calls
    );
}

#[test]
fn in_approval_mode_people_are_asked_once_and_nothing_else_is_touched() {
    let world = Memory::new("approval");
    let digest = world.push("abc1234");
    for _ in 0..3 {
        answers(&world, &push_event(&digest), "approval_requested");
    }
    assert_eq!(world.told(), [Outcome::ApprovalRequested]);
    let notice = world.get().told[0].clone();
    assert_eq!(
        (notice.digest, notice.previous_tag.as_deref()),
        (Some(digest.clone()), Some("production_old"))
    );
    assert_eq!((world.updates(), world.value().as_str()), (0, "production_old"));
    assert_eq!(world.get().tags.get(&tag("production_abc1234")), None);
    answers(&world, &event("command-promote"), "promoted");
    assert_runs(&world, &digest, "abc1234");
}

#[test]
fn a_busy_stack_is_waited_for_without_waiting() {
    let world = Memory::new("auto");
    world.foreign_update("production_old");
    let digest = push(&world, "abc1234", "queued");
    answers(&world, &push_event(&digest), "queued");
    assert_eq!(world.told(), [Outcome::Queued]);
    assert!(world.get().state.as_ref().expect("kept").0.waiting.is_some());
    world.finish_update();
    answers(&world, &push_event(&digest), "promoted");
    assert_runs(&world, &digest, "abc1234");
}

#[test]
fn a_stack_that_a_person_must_mend_blocks() {
    for status in
        ["UPDATE_ROLLBACK_FAILED", "ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS", "DELETE_IN_PROGRESS"]
    {
        let world = Memory::new("auto");
        world.get_mut().status = status.to_owned();
        let digest = world.push("abc1234");
        let answer = answers(&world, &push_event(&digest), "blocked");
        assert!(answer["reason"].as_str().expect("a reason").contains(status));
        assert_eq!(world.updates(), 0);
    }
}

#[test]
fn a_promotion_that_rolled_back_is_told_once_and_only_people_try_it_again() {
    let world = Memory::new("auto");
    let digest = push(&world, "abc1234", "promoted");
    world.fail_update("the service did not stabilize");
    let answer = answers(&world, &push_event(&digest), "failed");
    assert!(
        answer["closed"][0]["reason"].as_str().expect("a reason").contains("did not stabilize")
    );
    answers(&world, &push_event(&digest), "failed");
    assert_eq!((world.updates(), world.told()), (1, vec![Outcome::Promoted, Outcome::Failed]));
    answers(&world, &event("command-promote"), "promoted");
    assert_runs(&world, &digest, "abc1234");
    let tokens: Vec<String> = world.get().updates.iter().map(|(token, _)| token.clone()).collect();
    assert_ne!(tokens[0], tokens[1], "another promotion is another request");
}

#[test]
fn somebody_elses_change_is_adopted_told_and_holds() {
    let world = Memory::new("auto");
    let first = push(&world, "aaaaaaa", "promoted");
    world.finish_update();
    answers(&world, &push_event(&first), "unchanged");
    world.foreign_update("production_old");
    world.finish_update();
    let second = push(&world, "bbbbbbb", "approval_requested");
    assert_eq!(world.value(), "production_old");
    assert_eq!(world.told()[2..], [Outcome::Held, Outcome::ApprovalRequested]);
    let said = world.get().told[2].reason.clone();
    assert_eq!(
        said,
        "ProductionTag was changed from `production_aaaaaaa` to `production_old` outside \
         ecr-promoter, and stays so. To go on: `promote web` for what should run, or `resume web` \
         to let pushes deploy again"
    );
    answers(&world, &json!({"action": "promote", "repository": "web"}), "promoted");
    assert_runs(&world, &second, "bbbbbbb");
}

#[test]
fn no_updates_although_the_value_differs_is_a_failure_with_its_cause() {
    let world = Memory::new("auto");
    world.get_mut().next_update = Some(NotUpdated::NothingToDo);
    let digest = world.push("abc1234");
    let answer = answers(&world, &push_event(&digest), "failed");
    assert!(
        answer["reason"].as_str().expect("a reason").contains("AWS::LanguageExtensions"),
        "{answer:#}"
    );
    assert_eq!(world.told(), [Outcome::Failed]);
    answers(&world, &push_event(&digest), "failed");
    assert_eq!(world.updates(), 0);
}

#[test]
fn what_cloudformation_refuses_for_good_has_failed() {
    let world = Memory::new("auto");
    world.get_mut().next_update = Some(NotUpdated::Refused(
        "ValidationError: Parameter ProductionTag failed to satisfy".to_owned(),
    ));
    let digest = world.push("abc1234");
    let answer = answers(&world, &push_event(&digest), "failed");
    assert!(answer["reason"].as_str().expect("a reason").contains("failed to satisfy"));
    answers(&world, &push_event(&digest), "failed");
    assert_eq!((world.updates(), world.told()), (0, vec![Outcome::Failed]));
}

#[test]
fn a_commit_that_was_built_twice_gets_a_tag_of_its_own() {
    let world = Memory::new("auto");
    let first = push(&world, "abc1234", "promoted");
    world.finish_update();
    let second = world.push("abc1234");
    let answer = answers(&world, &push_event(&second), "promoted");
    let suffixed = format!("production_abc1234-{}", second.short());
    assert_eq!(answer["tag"], suffixed);
    assert_eq!(
        world.get().tags.get(&tag("production_abc1234")),
        Some(&first),
        "a tag never changes its meaning"
    );
    assert_eq!(world.value(), suffixed);
}

#[test]
fn a_tag_that_was_moved_behind_our_back_holds_the_app() {
    let world = Memory::new("auto");
    let digest = push(&world, "abc1234", "promoted");
    let other = world.image("fffffff");
    world.get_mut().tags.insert(tag("production_abc1234"), other);
    world.finish_update();
    answers(&world, &push_event(&digest), "unchanged");
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Deployed, Outcome::Held]);
    assert!(world.get().state.as_ref().expect("kept").0.hold.is_some());
}

#[test]
fn thirty_one_pushes_during_an_update_are_two_updates() {
    let world = Memory::new("auto");
    let first = push(&world, "0000000", "promoted");
    let mut newest = first;
    for build in 1..=31 {
        newest = world.push(&format!("abcde{build:02}"));
        answers(&world, &push_event(&newest), "queued");
    }
    world.finish_update();
    let answer = answers(&world, &stack_changed(), "promoted");
    assert_eq!(answer["closed"][0]["outcome"], "deployed");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    assert_eq!(world.updates(), 2);
    assert_runs(&world, &newest, "abcde31");
    assert_eq!(
        world.told(),
        [
            Outcome::Promoted,
            Outcome::Queued,
            Outcome::Deployed,
            Outcome::Promoted,
            Outcome::Deployed
        ]
    );
}
