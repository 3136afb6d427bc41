//! What is approved while something is in the way: a busy stack, a guard.

use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::approval::Progress;

use super::steps::{asking, assert_nothing_was_promoted, clicks, look, pushed, request, tick};
use crate::support::guard::{allowed, forbidden, guarded};
use crate::support::payloads::{event, push_event, stack_changed};
use crate::support::slack::{ALICE, BOB, Button};
use crate::support::steps::{answers, assert_runs, command, deploy, state};
use crate::support::world::Memory;

#[test]
fn what_is_approved_while_the_stack_is_busy_goes_next_whatever_is_pushed_meanwhile() {
    let world = asking();
    let approved = pushed(&world, "aaaaaaa");
    world.foreign_update("production_old");
    let said = clicks(&world, ALICE, "approve").expect("the clicker is told");
    assert!(said.contains("queued"), "{said}");
    assert_eq!(world.headlines(), ["web → production: aaaaaaa was approved and is waiting"]);
    clicks_again(&world);
    answers(&world, &push_event(&approved), "queued");
    assert_eq!(world.told(), [Outcome::ApprovalRequested, Outcome::Queued], "told once");
    let newer = pushed(&world, "bbbbbbb");
    assert_eq!(
        world.headlines(),
        [
            "web → production: aaaaaaa was approved and is waiting",
            "web → production: bbbbbbb waits for approval"
        ]
    );
    world.finish_update();
    answers(&world, &stack_changed(), "promoted");
    assert_runs(&world, &approved, "aaaaaaa");
    assert_eq!(
        world.headlines(),
        [
            "web → production: aaaaaaa is on its way to production",
            "web → production: bbbbbbb waits for approval"
        ]
    );
    world.finish_update();
    world.invoke(&stack_changed(), "request").expect("an answer");
    assert!(
        world.headlines()[0].starts_with("web → production: aaaaaaa is in production"),
        "{:?}",
        world.headlines()
    );
    assert_eq!(request(&world).progress, Progress::Pending);
    clicks(&world, ALICE, "approve");
    assert_runs(&world, &newer, "bbbbbbb");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    assert_eq!(state(&world).earlier_requests, []);
}

/// Whoever still sees the buttons clicks on them again.
fn clicks_again(world: &Memory) {
    let approve = Button { action_id: "approve".to_owned(), value: request(world).id.to_string() };
    for (user, trigger) in [(ALICE, "again"), (BOB, "too")] {
        world.clicks(user, &approve, trigger);
    }
}

#[test]
fn of_two_approved_images_the_newer_goes_and_the_olders_message_says_so() {
    let world = asking();
    pushed(&world, "aaaaaaa");
    world.foreign_update("production_old");
    clicks(&world, ALICE, "approve");
    let newer = pushed(&world, "bbbbbbb");
    clicks(&world, ALICE, "approve");
    assert_eq!(
        world.headlines(),
        [
            "web → production: aaaaaaa was superseded",
            "web → production: bbbbbbb was approved and is waiting"
        ]
    );
    world.finish_update();
    answers(&world, &stack_changed(), "promoted");
    assert_runs(&world, &newer, "bbbbbbb");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    assert_eq!(world.updates(), 1);
}

#[test]
fn where_a_guard_is_set_the_question_lists_the_changes_and_leaves_no_change_set() {
    let world = guarded(asking(), forbidden());
    let digest = pushed(&world, "abc1234");
    answers(&world, &push_event(&digest), "approval_requested");
    let list = [
        "Modify AWS::ECS::TaskDefinition Task, replacement",
        "Modify AWS::RDS::DBInstance Database, replacement",
    ];
    assert_eq!(world.get().told[0].changes, list);
    let words = world.newest_message().words();
    assert!(list.iter().all(|change| words.contains(change)), "{words}");
    assert!(world.get().change_sets.is_empty());
    assert_eq!((world.told(), world.headlines().len()), (vec![Outcome::ApprovalRequested], 1));
    assert_nothing_was_promoted(&world);
}

#[test]
fn what_is_approved_and_blocked_goes_out_without_another_approval_once_the_way_is_free() {
    let world = guarded(asking(), forbidden());
    let digest = pushed(&world, "abc1234");
    let said = clicks(&world, ALICE, "approve").expect("the clicker is told");
    assert!(said.contains("blocked") && said.contains("AWS::RDS::DBInstance"), "{said}");
    for _ in 0..2 {
        assert_eq!(look(&world, &event("scheduled")).as_deref(), Some("blocked"));
    }
    let message = world.newest_message();
    assert_eq!(
        (message.headline.as_str(), message.buttons()),
        ("web → production: abc1234 was approved and is waiting", vec![])
    );
    assert!(message.words().contains("AWS::RDS::DBInstance"), "{message:#?}");
    assert_eq!(world.told(), [Outcome::ApprovalRequested, Outcome::Blocked], "told once");
    assert_nothing_was_promoted(&world);
    assert!(world.get().change_sets.is_empty());
    world.get_mut().would_change.list = allowed();
    assert_eq!(look(&world, &event("scheduled")).as_deref(), Some("promoted"));
    assert_runs(&world, &digest, "abc1234");
    assert_eq!(world.headlines(), ["web → production: abc1234 is on its way to production"]);
}

#[test]
fn what_blocks_two_images_alike_is_told_of_both() {
    let world = guarded(asking(), forbidden());
    for (commit, told) in [("aaaaaaa", 2), ("bbbbbbb", 4)] {
        pushed(&world, commit);
        clicks(&world, ALICE, "approve");
        assert_eq!(
            world.newest_message().headline,
            format!("web → production: {commit} was approved and is waiting")
        );
        assert_eq!(world.told().len(), told, "{:?}", world.told());
    }
    assert_eq!(world.headlines()[0], "web → production: aaaaaaa was superseded");
}

#[test]
fn what_is_approved_and_blocked_can_be_cancelled() {
    let world = guarded(asking(), forbidden());
    let digest = pushed(&world, "abc1234");
    clicks(&world, ALICE, "approve");
    let answer = command(&world, &format!("reject web {digest}"), "unchanged");
    assert!(
        answer["reason"].as_str().is_some_and(|reason| reason.contains("`cancel`")),
        "{answer:#}"
    );
    assert!(world.writes(BOB, "cancel web", "1").contains("cancelled"));
    assert_eq!(
        world.newest_message().headline,
        "web → production: the promotion of abc1234 was cancelled"
    );
    assert_eq!(world.told().last(), Some(&Outcome::Cancelled));
    world.get_mut().would_change.list = allowed();
    assert_eq!(look(&world, &event("scheduled")).as_deref(), Some("held"));
    assert_nothing_was_promoted(&world);
    assert!(world.writes(BOB, "cancel web", "2").contains("refused"), "only once");
}

#[test]
fn a_rollback_or_an_older_image_turns_away_from_what_was_approved_and_waits() {
    for words in ["rollback web", "promote web aaaaaaa"] {
        for is_busy in [false, true] {
            let world = asking();
            let first = deploy(&world, "aaaaaaa");
            deploy(&world, "bbbbbbb");
            pushed(&world, "ccccccc");
            if is_busy {
                world.foreign_update("production_bbbbbbb");
            } else {
                world.get_mut().status = "UPDATE_ROLLBACK_FAILED".to_owned();
            }
            clicks(&world, ALICE, "approve");
            assert_eq!(
                world.newest_message().headline,
                "web → production: ccccccc was approved and is waiting"
            );
            if is_busy {
                command(&world, words, "queued");
                world.finish_update();
                answers(&world, &stack_changed(), "promoted");
            } else {
                world.get_mut().status = "UPDATE_ROLLBACK_COMPLETE".to_owned();
                command(&world, words, "promoted");
            }
            world.finish_update();
            for payload in [stack_changed(), tick(), event("scheduled")] {
                world.invoke(&payload, "request").expect("an answer");
            }
            assert_runs(&world, &first, "aaaaaaa");
            assert_eq!(
                world.headlines().last().map(String::as_str),
                Some("web → production: the promotion of ccccccc was cancelled"),
                "{words}"
            );
            assert!(state(&world).hold.is_some());
        }
    }
}
