//! What is queued ends and is told; who is told, and how often.

use ecr_promoter::model::answer::Outcome;
use jiff::SignedDuration;
use serde_json::json;

use crate::support::guard::change;
use crate::support::payloads::{push_event, sns, tag};
use crate::support::steps::{answers, command, deploy, fail, finish, push, runs, state, tick};
use crate::support::world::{Fault, Memory};

#[test]
fn what_waits_and_cannot_be_pulled_any_more_has_failed_and_newer_pushes_go_on() {
    for is_archived in [true, false] {
        let world = Memory::new("auto");
        deploy(&world, "aaaaaaa");
        let gone = world.push("bbbbbbb");
        world.foreign_update("production_aaaaaaa");
        command(&world, &format!("promote web {gone}"), "queued");
        let newest = world.push("ccccccc");
        if is_archived {
            world.get_mut().archived.insert(gone.clone());
        } else {
            world.delete_image(&gone);
        }
        finish(&world);
        let told = world
            .get()
            .told
            .iter()
            .find(|notice| notice.outcome == Outcome::Failed)
            .cloned()
            .expect("it is told");
        assert_eq!(told.digest, Some(gone));
        world.invoke(&push_event(&newest), "request").expect("an answer");
        if world.get().in_flight.is_some() {
            finish(&world);
        }
        assert_eq!(runs(&world), newest, "archived: {is_archived}");
    }
}

#[test]
fn a_queued_promotion_of_what_runs_already_under_another_tag_ends() {
    let world = Memory::new("auto");
    // Known by the tag that the old script gave it, `production_old`.
    let old = world.get().tags[&tag("production_old")].clone();
    push(&world, "aaaaaaa", "promoted");
    command(&world, &format!("promote web {old}"), "queued");
    fail(&world);
    tick(&world);
    assert_eq!(state(&world).open, []);
    assert_eq!((runs(&world), world.value().as_str()), (old, "production_old"));
    assert!(world.told().contains(&Outcome::Superseded), "{:?}", world.told());
}

#[test]
fn while_the_topic_fails_slack_keeps_one_message_and_the_question_is_told_when_it_is_back() {
    let world = Memory::new("approval");
    world.get_mut().config["approval"] = json!({ "slack_channel": "C1" });
    let digest = world.push("aaaaaaa");
    world.get_mut().topic_is_down = true;
    for _ in 0..12 {
        world.invoke(&push_event(&digest), "request").expect_err("the topic was not told");
    }
    // From then on it is tried more and more seldom.
    answers(&world, &push_event(&digest), "approval_requested");
    assert_eq!((world.get().slack.len(), world.told()), (1, vec![]));
    world.get_mut().topic_is_down = false;
    world.get_mut().now += SignedDuration::from_mins(10);
    tick(&world);
    assert_eq!((world.get().slack.len(), world.told()), (1, vec![Outcome::ApprovalRequested]));
}

#[test]
fn a_notice_that_nobody_takes_for_days_is_tried_seldom_and_then_given_up() {
    let world = Memory::new("approval");
    let digest = world.push("aaaaaaa");
    world.get_mut().topic_is_down = true;
    world.invoke(&push_event(&digest), "request").expect_err("the topic was not told");
    for _ in 0..(5 * 24 * 12) {
        world.get_mut().now += SignedDuration::from_mins(5);
        let _ = world.invoke(&json!({ "action": "reconcile", "only_open_work": true }), "tick");
    }
    let tries = world.get().calls.iter().filter(|call| *call == "Publish").count();
    assert!((10..60).contains(&tries), "{tries} tries");
    // The question expired meanwhile; that one is as old as the expiry.
    assert!(state(&world).untold.len() <= 1, "{:?}", state(&world).untold);
}

#[test]
fn a_command_takes_effect_though_the_topic_cannot_be_reached() {
    let world = Memory::new("auto");
    deploy(&world, "aaaaaaa");
    let message = sns("hold web freeze", "message", world.get().now);
    let at = world.get().calls.len() + 5;
    world.get_mut().fault = Some((at, Fault::Before));
    let told = world.told().len();
    if world.invoke(&message, "request").is_err() {
        answers(&world, &message, "held");
    }
    assert!(state(&world).hold.is_some());
    assert_eq!(world.told().len(), told + 1);
}

#[test]
fn five_hundred_forbidden_changes_leave_the_state_small() {
    let world = Memory::new("auto");
    world.get_mut().config["guard"] = json!({ "allowed_changes": ["AWS::ECS::TaskDefinition"] });
    let change = |n: usize| change("AWS::CloudWatch::Alarm", &format!("{}{n}", "Alarm".repeat(40)));
    world.get_mut().would_change.list = (0..500).map(change).collect();
    for build in 0..20 {
        let digest = world.push(&format!("abc{build:04}"));
        world.get_mut().now += SignedDuration::from_hours(1);
        answers(&world, &push_event(&digest), "blocked");
    }
    let size = json!(world.get().state.as_ref().expect("a state").0).to_string().len();
    assert!(size < 100_000, "{size} bytes");
    let told = world.get().told.last().cloned().expect("a notice");
    assert!(told.changes.len() > 100, "the message has the whole list: {}", told.changes.len());
}
