//! Alarms after a promotion.

use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::approval::Progress;
use jiff::SignedDuration;
use serde_json::json;

use super::steps::{
    baking, deploy, ecs_finishes, ecs_gives_up, goes_through, minutes_pass, only_notice, says,
};
use crate::support::payloads::{alarm_changed, event, sns, stack_changed, tag};
use crate::support::slack::{ALICE, BOB};
use crate::support::steps::{answers, command, push, state, tick};
use crate::support::world::{Fault, Memory};

const ALARM: &str = "web-5xx";

/// `aaaaaaa` and then `bbbbbbb` were deployed; the second one bakes.
fn two_deployed(on_alarm: &str) -> Memory {
    let world = baking(on_alarm);
    deploy(&world, "aaaaaaa");
    deploy(&world, "bbbbbbb");
    assert!(state(&world).bake.is_some());
    world
}

/// The alarm goes off, and its event has this answer.
#[track_caller]
fn goes_off(world: &Memory, want: &str) {
    world.alarm(ALARM, "ALARM");
    answers(world, &alarm_changed(ALARM), want);
}

/// Hours in which the alarm stays as it is.
fn hours_pass(world: &Memory) {
    for _ in 0..3 {
        answers_anything(world);
        minutes_pass(world, 60);
        tick(world);
    }
}

fn answers_anything(world: &Memory) {
    world.invoke(&alarm_changed(ALARM), "again").expect("an answer");
}

#[test]
fn an_alarm_in_the_bake_is_one_rollback_a_hold_and_one_message() {
    let world = two_deployed("rollback");
    let before = world.told().len();
    world.alarm(ALARM, "ALARM");
    let answer = answers(&world, &alarm_changed(ALARM), "promoted");
    assert_eq!(answer["tag"], "production_aaaaaaa");
    let words = [
        "alarm `web-5xx` went off: Threshold Crossed: web-5xx",
        "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#alarmsV2:alarm/\
         web-5xx",
    ];
    only_notice(&world, before, Outcome::Promoted, &words);
    let notice = world.get().told[before].clone();
    assert_eq!(notice.rolls_back.as_deref(), Some("production_bbbbbbb"));
    assert_eq!(notice.by, "alarm `web-5xx`");
    assert_eq!(state(&world).hold.expect("a hold").by, "alarm `web-5xx`");

    goes_through(&world);
    hours_pass(&world);
    assert_eq!(world.told()[before..], [Outcome::Promoted, Outcome::Deployed], "it stays red");
    assert_eq!((world.updates(), world.value().as_str()), (3, "production_aaaaaaa"));
    push(&world, "ccccccc", "approval_requested");
}

#[test]
fn a_rollback_has_no_bake_so_that_no_rollback_is_rolled_back() {
    let world = two_deployed("rollback");
    command(&world, "rollback web", "promoted");
    goes_through(&world);
    assert_eq!(state(&world).bake, None);
    goes_off(&world, "ignored");
    hours_pass(&world);
    assert_eq!(world.updates(), 3);
}

#[test]
fn the_tick_finds_what_no_event_told_also_after_the_bake() {
    for late in [5, 90] {
        let world = two_deployed("rollback");
        minutes_pass(&world, 5);
        world.alarm(ALARM, "ALARM");
        minutes_pass(&world, late);
        tick(&world);
        assert_eq!(world.updates(), 3, "{late} minutes later");
    }
}

#[test]
fn an_alarm_after_the_bake_counts_for_nothing() {
    let world = two_deployed("rollback");
    minutes_pass(&world, 61);
    goes_off(&world, "unchanged");
    goes_off(&world, "ignored");
    assert_eq!((world.updates(), state(&world).hold), (2, None));
}

#[test]
fn an_alarm_that_was_red_before_is_told_once_and_nothing_is_done() {
    let world = baking("rollback");
    world.get_mut().config["bake"]["alarms"] = json!([ALARM, "web-slow"]);
    world.alarm("web-slow", "OK");
    world.alarm(ALARM, "ALARM");
    // CloudWatch may report whole seconds.
    world.get_mut().now += SignedDuration::from_secs(1);
    deploy(&world, "aaaaaaa");
    hours_pass_in_the_bake(&world);
    let told = world.told();
    assert_eq!(told, [Outcome::Promoted, Outcome::Deployed, Outcome::Unchanged]);
    says(&world.get().told[2].reason, &["`web-5xx` was in ALARM before"]);
    let updates = world.updates();

    world.alarm("web-slow", "ALARM");
    answers(&world, &alarm_changed("web-slow"), "promoted");
    assert_eq!(world.updates(), updates + 1, "the other alarm counts");
}

fn hours_pass_in_the_bake(world: &Memory) {
    for _ in 0..5 {
        answers_anything(world);
        minutes_pass(world, 5);
        tick(world);
    }
}

#[test]
fn insufficient_data_counts_for_nothing() {
    let world = two_deployed("rollback");
    world.alarm(ALARM, "INSUFFICIENT_DATA");
    let before = world.told().len();
    hours_pass_in_the_bake(&world);
    assert_eq!((world.updates(), world.told().len()), (2, before));
    goes_off(&world, "promoted");
}

#[test]
fn an_alarm_that_is_ok_again_by_the_look_counts_for_nothing_and_one_that_flaps_acts_once() {
    let world = two_deployed("rollback");
    let before = world.told().len();
    for _ in 0..3 {
        world.alarm(ALARM, "ALARM");
        world.alarm(ALARM, "OK");
        answers(&world, &alarm_changed(ALARM), "unchanged");
    }
    assert_eq!((world.updates(), world.told().len()), (2, before));
    goes_off(&world, "promoted");
    for state in ["OK", "ALARM", "OK", "ALARM"] {
        minutes_pass(&world, 1);
        world.alarm(ALARM, state);
        answers_anything(&world);
        tick(&world);
    }
    goes_through(&world);
    hours_pass(&world);
    assert_eq!(world.updates(), 3);
}

#[test]
fn while_the_stack_is_busy_an_alarm_is_queued_and_judged_again_at_rest() {
    for is_still_red in [true, false] {
        let world = two_deployed("rollback");
        let before = world.told().len();
        world.foreign_update("production_bbbbbbb");
        goes_off(&world, "queued");
        tick(&world);
        assert_eq!((world.updates(), world.told().len()), (2, before));
        if !is_still_red {
            world.alarm(ALARM, "OK");
        }
        world.finish_update();
        let want = if is_still_red { "promoted" } else { "unchanged" };
        answers(&world, &stack_changed(), want);
        assert_eq!(world.updates(), if is_still_red { 3 } else { 2 });
    }
}

#[test]
fn hold_holds_the_app_and_tells_once() {
    let world = two_deployed("hold");
    let before = world.told().len();
    goes_off(&world, "held");
    hours_pass(&world);
    let words = ["alarm `web-5xx` went off", "https://"];
    only_notice(&world, before, Outcome::Held, &words);
    assert_eq!((world.updates(), world.value().as_str()), (2, "production_bbbbbbb"));
    push(&world, "ccccccc", "approval_requested");
}

#[test]
fn tell_tells_once_and_does_nothing() {
    let world = two_deployed("tell");
    let before = world.told().len();
    goes_off(&world, "unchanged");
    hours_pass(&world);
    only_notice(&world, before, Outcome::Unchanged, &["alarm `web-5xx` went off", "https://"]);
    assert_eq!((world.updates(), state(&world).hold), (2, None));
    push(&world, "ccccccc", "promoted");
}

#[test]
fn a_newer_promotion_ends_the_bake() {
    let world = two_deployed("rollback");
    push(&world, "ccccccc", "promoted");
    goes_off(&world, "queued");
    world.finish_update();
    answers(&world, &stack_changed(), "promoted");
    ecs_finishes(&world);
    hours_pass(&world);
    assert_eq!((world.updates(), world.value().as_str()), (3, "production_ccccccc"));
    let last = world.get().told.last().cloned().expect("a notice");
    says(&last.reason, &["was in ALARM before"]);
}

#[test]
fn a_newer_promotion_that_cloudformation_rolls_back_lets_the_bake_go_on() {
    let world = two_deployed("rollback");
    push(&world, "ccccccc", "promoted");
    world.fail_update("no capacity");
    answers(&world, &stack_changed(), "failed");
    goes_off(&world, "promoted");
    assert_eq!(world.value(), "production_aaaaaaa");
}

#[test]
fn what_people_set_by_hand_ends_the_bake() {
    let world = two_deployed("rollback");
    world.foreign_update("production_old");
    world.finish_update();
    tick(&world);
    assert_eq!(state(&world).bake, None);
    goes_off(&world, "ignored");
}

#[test]
fn the_first_promotion_is_taken_back_to_what_ran_when_the_app_was_first_seen() {
    let world = baking("rollback");
    deploy(&world, "aaaaaaa");
    goes_off(&world, "promoted");
    assert_eq!(world.value(), "production_old");
}

#[test]
fn where_nothing_can_come_back_the_app_is_held_and_people_are_told() {
    let world = baking("rollback");
    let old = world.get().tags[&tag("production_old")].clone();
    deploy(&world, "aaaaaaa");
    world.delete_image(&old);
    let before = world.told().len();
    goes_off(&world, "held");
    let words = ["alarm `web-5xx` went off", "It cannot be rolled back"];
    only_notice(&world, before, Outcome::Held, &words);
    hours_pass(&world);
    assert_eq!((world.updates(), world.told().len()), (1, before + 1));
}

#[test]
fn an_alarm_takes_back_what_people_approved_and_needs_no_votes() {
    let world = Memory::new("approval").with_service();
    let world = world.in_slack(&json!({ "approvers": [ALICE, BOB], "required": 2 }));
    {
        let mut inner = world.get_mut();
        inner.ecs_follows = true;
        inner.config["bake"] = json!({ "minutes": 60, "alarms": [ALARM] });
    }
    world.alarm(ALARM, "OK");
    tick(&world);
    world.push("aaaaaaa");
    command(&world, "promote web", "promoted");
    goes_through(&world);
    goes_off(&world, "promoted");
    assert_eq!(world.value(), "production_old");
}

#[test]
fn the_question_shows_the_bake_and_its_end() {
    let world = Memory::new("approval").with_service();
    {
        let mut inner = world.get_mut();
        inner.ecs_follows = true;
        inner.config["bake"] = json!({ "minutes": 60, "alarms": [ALARM] });
    }
    world.alarm(ALARM, "OK");
    let digest = push(&world, "aaaaaaa", "approval_requested");
    command(&world, &format!("approve web {digest}"), "promoted");
    goes_through(&world);
    let shown = || state(&world).request.expect("a request").progress;
    let Progress::Baking(words) = shown() else { panic!("{:?}", shown()) };
    says(&words, &["Baking until", "`web-5xx` OK"]);
    let status = world.invoke(&event("command-status"), "status").expect("a status");
    says(&status["bake"].to_string(), &["production_aaaaaaa", "web-5xx"]);
    minutes_pass(&world, 61);
    tick(&world);
    assert!(matches!(shown(), Progress::Deployed(_)), "{:?}", shown());
    assert!(!state(&world).has_open_work());
}

#[test]
fn what_a_person_promotes_goes_before_an_alarm() {
    let world = two_deployed("rollback");
    world.foreign_update("production_bbbbbbb");
    let digest = world.push("ccccccc");
    command(&world, &format!("promote web {digest}"), "queued");
    world.alarm(ALARM, "ALARM");
    world.finish_update();
    answers(&world, &stack_changed(), "promoted");
    assert_eq!(world.value(), "production_ccccccc");
    goes_through(&world);
    hours_pass(&world);
    assert_eq!(world.updates(), 3);
}

#[test]
fn what_a_person_cancels_is_cancelled_though_an_alarm_went_off() {
    let world = two_deployed("rollback");
    push(&world, "ccccccc", "promoted");
    let cancel = sns("cancel web", "cancel-1", world.get().now);
    let calls = world.get().calls.len();
    let at_cancel = (calls..calls + 40).find(|at| {
        let probe = world.fork();
        probe.get_mut().fault = Some((*at, Fault::Before));
        let failed = probe.invoke(&cancel, "probe").is_err();
        failed && probe.get().calls.last().is_some_and(|call| call == "CancelUpdateStack")
    });
    world.get_mut().fault = Some((at_cancel.expect("it cancels"), Fault::Before));
    world.invoke(&cancel, "1").expect_err("the call failed");
    world.alarm(ALARM, "ALARM");
    tick(&world);
    assert_eq!(world.get().cancels, 1);
    world.fail_update("cancelled");
    answers(&world, &stack_changed(), "promoted");
    assert_eq!(world.value(), "production_aaaaaaa", "and then the alarm takes the other one back");
}

#[test]
fn an_alarm_that_is_named_by_its_arn_is_known_by_its_event() {
    let world = two_deployed("rollback");
    let arn = "arn:aws:cloudwatch:us-east-1:012345678912:alarm:web-5xx";
    world.get_mut().config["bake"]["alarms"] = json!([arn]);
    world.alarm("another", "ALARM");
    answers(&world, &alarm_changed("another"), "ignored");
    goes_off(&world, "promoted");
}

#[test]
fn a_rollback_by_an_alarm_that_ecs_gives_up_has_failed_and_no_other_follows() {
    let world = two_deployed("rollback");
    goes_off(&world, "promoted");
    world.finish_update();
    answers(&world, &stack_changed(), "promoted");
    ecs_gives_up(&world);
    hours_pass(&world);
    assert_eq!((world.updates(), world.value().as_str()), (3, "production_aaaaaaa"));
    assert_eq!(state(&world).bake, None);
}

#[test]
fn a_bake_that_the_configuration_does_not_have_any_more_is_over() {
    let world = two_deployed("rollback");
    world.get_mut().config["bake"] = serde_json::Value::Null;
    world.get_mut().config.as_object_mut().expect("an object").remove("bake");
    world.alarm(ALARM, "ALARM");
    answers(&world, &alarm_changed(ALARM), "ignored");
    tick(&world);
    assert_eq!((state(&world).bake, world.updates()), (None, 2));
}

#[test]
fn an_alarm_of_no_bake_costs_at_most_one_read_of_the_state() {
    let world = baking("rollback");
    let before = world.get().calls.len();
    answers(&world, &alarm_changed("another"), "ignored");
    answers(&world, &alarm_changed(ALARM), "ignored");
    let calls = ["GetParametersByPath", "GetParametersByPath", "BatchGetItem"];
    assert_eq!(world.get().calls[before..], calls);
}
