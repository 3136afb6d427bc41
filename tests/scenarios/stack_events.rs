//! The stack's own events.

use ecr_promoter::model::answer::Outcome;
use serde_json::json;

use crate::support::payloads::{event, push_event, stack_changed};
use crate::support::steps::{answers, assert_runs, push};
use crate::support::world::Memory;

#[test]
fn the_stacks_event_ends_a_promotion_and_tells_how_long_it_took() {
    let world = Memory::new("auto");
    push(&world, "abc1234", "promoted");
    world.get_mut().now += jiff::SignedDuration::from_secs(130);
    world.finish_update();
    let answer = answers(&world, &stack_changed(), "deployed");
    assert_eq!(
        (&answer["commit"], &answer["closed"][0]["outcome"]),
        (&json!("abc1234"), &json!("deployed"))
    );
    assert!((130..140).contains(&world.get().told[1].took_seconds.expect("a time")));
    answers(&world, &stack_changed(), "unchanged");
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Deployed]);
}

#[test]
fn a_stack_of_no_app_is_ignored() {
    let world = Memory::new("auto");
    let mut foreign = stack_changed();
    foreign["detail"]["stack-id"] =
        "arn:aws:cloudformation:us-east-1:012345678912:stack/web-other/1".into();
    answers(&world, &foreign, "ignored");
}

#[test]
fn a_rollback_by_cloudformation_is_told_once_with_its_reason_and_the_next_push_goes_out() {
    let world = Memory::new("auto");
    let first = push(&world, "aaaaaaa", "promoted");
    world.fail_update("the service did not stabilize");
    let answer = answers(&world, &stack_changed(), "failed");
    assert_eq!(answer["reason"], "the service did not stabilize");
    for payload in [stack_changed(), push_event(&first)] {
        world.invoke(&payload, "request").expect("an answer");
    }
    world.invoke(&event("scheduled"), "request").expect("an answer");
    assert_eq!((world.updates(), world.told()), (1, vec![Outcome::Promoted, Outcome::Failed]));
    let second = push(&world, "bbbbbbb", "promoted");
    assert_runs(&world, &second, "bbbbbbb");
}
