//! Requests expire.

use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::approval::Progress;
use jiff::SignedDuration;

use super::steps::{
    actions, asking, assert_nothing_was_promoted, button, clicks, hours, look, pushed, request,
    tick,
};
use crate::support::payloads::{event, push_event, stack_changed};
use crate::support::slack::{ALICE, BOB};
use crate::support::steps::{answers, assert_runs, command};

#[test]
fn four_days_later_it_has_expired_and_asked_again_it_can_be_approved() {
    let world = asking();
    let digest = pushed(&world, "abc1234");
    let approve = button(&world, "approve");
    world.get_mut().now += hours(96);
    let said = world.clicks(ALICE, &approve, "1").expect("the clicker is told");
    assert!(said.contains("expired"), "{said}");
    command(&world, &format!("approve web {digest}"), "expired");
    for payload in [push_event(&digest), tick(), event("scheduled"), event("scheduled")] {
        world.invoke(&payload, "request").expect("an answer");
    }
    assert_eq!(world.told(), [Outcome::ApprovalRequested, Outcome::Expired], "told once");
    assert_eq!(world.headlines(), ["web → production: nobody decided on abc1234 in time"]);
    assert_eq!(actions(&world), ["ask_again"]);
    assert_nothing_was_promoted(&world);

    let again = button(&world, "ask_again");
    assert_eq!(world.clicks(ALICE, &again, "2"), None);
    world.clicks(BOB, &again, "3");
    assert_eq!(world.told()[2..], [Outcome::ApprovalRequested], "two clicks are one question");
    assert_eq!(
        world.headlines(),
        [
            "web → production: nobody decided on abc1234 in time",
            "web → production: abc1234 waits for approval"
        ]
    );
    assert!(
        world.clicks(ALICE, &approve, "4").is_some_and(|said| said.contains(digest.as_str())),
        "the old button stays old"
    );
    assert_nothing_was_promoted(&world);
    assert_eq!(clicks(&world, ALICE, "approve"), None);
    assert_runs(&world, &digest, "abc1234");
}

#[test]
fn a_request_expires_after_the_hours_that_are_configured_and_not_before() {
    let world = asking();
    world.get_mut().config["approval"]["expires_hours"] = 2.into();
    pushed(&world, "abc1234");
    world.get_mut().now += hours(2) - SignedDuration::from_secs(60);
    assert_eq!(look(&world, &event("scheduled")).as_deref(), Some("approval_requested"));
    world.get_mut().now += SignedDuration::from_secs(60);
    assert_eq!(look(&world, &event("scheduled")).as_deref(), Some("expired"));
    command(&world, "ask web", "approval_requested");
    assert_eq!(request(&world).progress, Progress::Pending);
}

#[test]
fn an_old_ask_again_asks_for_nothing_but_its_own_image() {
    let world = asking();
    pushed(&world, "aaaaaaa");
    world.get_mut().now += hours(96);
    look(&world, &event("scheduled"));
    let again = button(&world, "ask_again");
    let newer = pushed(&world, "bbbbbbb");
    assert!(world.clicks(ALICE, &again, "1").is_some_and(|said| said.contains(newer.as_str())));
    assert_eq!(world.headlines().len(), 2);
}

#[test]
fn an_approval_does_not_expire() {
    let world = asking();
    let digest = pushed(&world, "abc1234");
    world.foreign_update("production_old");
    clicks(&world, ALICE, "approve");
    world.get_mut().now += hours(96);
    world.finish_update();
    answers(&world, &stack_changed(), "promoted");
    assert_runs(&world, &digest, "abc1234");
}
