//! The bad ends of a request are told in the thread of its message, to whoever approved.

use ecr_promoter::model::answer::Outcome;
use ecr_promoter::slack::post::post;
use serde_json::{Value, json};

use super::steps::{asking, clicks, hours, look, of_two, pushed, request};
use crate::support::payloads::{event, stack_changed};
use crate::support::slack::{ALICE, BOB, CHANNEL};
use crate::support::steps::{answers, command};
use crate::support::world::Memory;

/// What is posted about the notices of this outcome.
fn posts(world: &Memory, outcome: Outcome) -> Vec<Value> {
    let app = world.app();
    let told = world.get().told.clone();
    let of_outcome = told.iter().filter(|notice| notice.outcome == outcome);
    of_outcome.filter_map(|notice| post(&app, notice, "production")).collect()
}

#[track_caller]
fn assert_is_in_the_thread(world: &Memory, post: &Value) {
    let posted = request(world).posted.expect("a message");
    assert_eq!(
        (&post["channel"], &post["thread_ts"], &post["reply_broadcast"]),
        (&json!(CHANNEL), &json!(posted.ts), &json!(true))
    );
}

#[test]
fn a_failure_is_told_once_to_those_who_approved() {
    let world = of_two(2);
    pushed(&world, "abc1234");
    clicks(&world, ALICE, "approve");
    clicks(&world, BOB, "approve");
    world.fail_update("the service did not stabilize");
    answers(&world, &stack_changed(), "failed");
    look(&world, &event("scheduled"));
    let posts = posts(&world, Outcome::Failed);
    assert_eq!(posts.len(), 1);
    assert_is_in_the_thread(&world, &posts[0]);
    let words = posts[0].to_string();
    for said in ["<@UALICE>, <@UBOB> approved it", "did not stabilize", "ask_again"] {
        assert!(words.contains(said), "{said} is not in {words}");
    }
}

#[test]
fn a_claimed_name_is_not_mentioned() {
    let world = asking();
    let digest = pushed(&world, "abc1234");
    let words = format!(
        r#"{{"action":"approve","repository":"web","digest":"{digest}","by":"<@UALICE>"}}"#
    );
    command(&world, &words, "promoted");
    world.fail_update("no");
    answers(&world, &stack_changed(), "failed");
    let posts = posts(&world, Outcome::Failed);
    assert!(!posts[0].to_string().contains("<@UALICE>"), "{posts:#?}");
}

#[test]
fn what_nobody_decided_on_is_told_and_can_be_asked_again() {
    let world = asking();
    pushed(&world, "abc1234");
    world.get_mut().now += hours(96);
    look(&world, &event("scheduled"));
    let posts = posts(&world, Outcome::Expired);
    assert_eq!(posts.len(), 1);
    assert_is_in_the_thread(&world, &posts[0]);
    assert!(posts[0].to_string().contains("ask_again"), "{posts:#?}");
}

#[test]
fn a_good_end_is_told_by_the_message_alone() {
    let world = asking();
    pushed(&world, "abc1234");
    clicks(&world, ALICE, "approve");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    for outcome in [Outcome::ApprovalRequested, Outcome::Promoted, Outcome::Deployed] {
        assert_eq!(posts(&world, outcome), Vec::<Value>::new());
    }
}
