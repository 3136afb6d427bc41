//! Slack is down.

use ecr_promoter::model::answer::Outcome;
use serde_json::json;

use super::steps::{asking, look, pushed, tick};
use crate::support::payloads::{event, sns, stack_changed};
use crate::support::steps::{answers, assert_runs, command};
use crate::support::world::Memory;

#[test]
fn slack_being_down_stops_no_promotion_and_loses_no_question() {
    let world = asking();
    world.get_mut().slack_is_down = true;
    let digest = pushed(&world, "abc1234");
    assert_eq!(world.told(), [Outcome::ApprovalRequested], "the topic tells");
    assert_eq!(world.headlines(), [""; 0]);
    assert_eq!(
        look(&world, &tick()).as_deref(),
        Some("approval_requested"),
        "a question that was not posted is open work"
    );
    world.get_mut().slack_is_down = false;
    for _ in 0..3 {
        look(&world, &tick());
    }
    assert_eq!(world.headlines(), ["web → production: abc1234 waits for approval"]);
    assert_eq!(look(&world, &tick()), None);

    world.get_mut().slack_is_down = true;
    command(&world, &format!("approve web {digest}"), "promoted");
    assert_runs(&world, &digest, "abc1234");
    assert_eq!(world.headlines(), ["web → production: abc1234 waits for approval"]);
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    assert_eq!(world.told(), [Outcome::ApprovalRequested, Outcome::Promoted, Outcome::Deployed]);
    world.get_mut().slack_is_down = false;
    for _ in 0..3 {
        look(&world, &tick());
    }
    assert_eq!(world.headlines().len(), 1, "no second message");
    assert!(
        world.headlines()[0].starts_with("web → production: abc1234 is in production after"),
        "{:?}",
        world.headlines()
    );
    assert_eq!(look(&world, &tick()), None);
}

#[test]
fn what_was_decided_while_slack_was_down_is_shown_when_it_is_back() {
    for (words, headline) in [
        ("approve web abc1234", "web → production: abc1234 is on its way to production"),
        ("reject web abc1234", "web → production: abc1234 was rejected"),
    ] {
        let world = asking();
        world.get_mut().slack_is_down = true;
        pushed(&world, "abc1234");
        let now = world.get().now;
        world.invoke(&sns(words, "1", now), "1").expect("an answer");
        world.get_mut().slack_is_down = false;
        look(&world, &tick());
        assert_eq!(world.headlines(), [headline]);
    }
}

#[test]
fn a_question_that_nobody_ever_saw_is_not_posted_once_it_is_superseded() {
    let world = asking();
    world.get_mut().slack_is_down = true;
    pushed(&world, "aaaaaaa");
    pushed(&world, "bbbbbbb");
    world.get_mut().slack_is_down = false;
    look(&world, &tick());
    assert_eq!(world.headlines(), ["web → production: bbbbbbb waits for approval"]);
    assert_eq!(look(&world, &tick()), None);
}

#[test]
fn a_question_that_could_not_be_posted_goes_where_the_configuration_says_now() {
    let world = asking();
    world.get_mut().config["approval"]["slack_channel"] = "C0WRONG".into();
    world.get_mut().slack_is_down = true;
    pushed(&world, "abc1234");
    world.get_mut().config["approval"]["slack_channel"] = "C0RIGHT".into();
    world.get_mut().slack_is_down = false;
    look(&world, &tick());
    let shown: Vec<Option<String>> =
        world.get().slack.values().map(|request| request.channel.clone()).collect();
    assert_eq!(shown, [Some("C0RIGHT".to_owned())]);
    // And a question that was asked before there was a channel is shown in the one that there is
    // now.
    let world = Memory::new("approval");
    pushed(&world, "abc1234");
    let world = world.in_slack(&json!({}));
    look(&world, &event("scheduled"));
    assert_eq!(world.headlines(), ["web → production: abc1234 waits for approval"]);
    assert_eq!(world.told(), [Outcome::ApprovalRequested]);
}
