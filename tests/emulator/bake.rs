//! The time after a promotion in which alarms are watched.

use serde_json::{Value, json};

use super::cloud::{Call, lock};
use super::cloudwatch::Alarm;
use super::ecs::Service;
use super::fault::{At, Fault, Until, When};
use super::image::Image;
use super::journey::at_once;
use super::verification::{deploy, only_result, reason, world_with_service};
use super::world::World;

const DESCRIBE: &str = "cloudwatch:DescribeAlarms";

/// Two images are deployed, and the newer one bakes on a metric alarm and a composite one.
async fn world_that_bakes(on_alarm: &str) -> Option<(World, Image, Image)> {
    let world = world_with_service().await?;
    lock(&world.cloud.cloudwatch).alarms = vec![Alarm::new("web-5xx"), Alarm::composite("web-any")];
    let arn = format!("arn:aws:cloudwatch:us-east-1:{}:alarm:web-any", world.cloud.account);
    let bake = json!({ "minutes": 60, "alarms": ["web-5xx", arn], "on_alarm": on_alarm });
    world.configure("web", &json!({ "stack": "web", "mode": "auto", "bake": bake })).await;
    let (older, newer) = (Image::build(0), Image::build(1));
    deploy(&world, &older).await;
    deploy(&world, &newer).await;
    Some((world, older, newer))
}

/// The alarm's state becomes this one; CloudWatch's event.
fn enter(world: &World, name: &str, state: &'static str) -> Value {
    let mut cloudwatch = lock(&world.cloud.cloudwatch);
    let found = cloudwatch.alarms.iter_mut().find(|alarm| alarm.name == name);
    found.expect("an alarm of that name").enter(state);
    cloudwatch.event(name)
}

/// CloudWatch's event for an alarm.
fn alarm_changed(world: &World, name: &str) -> Value {
    lock(&world.cloud.cloudwatch).event(name)
}

/// What happens later, in some order, and again.
async fn let_everything_happen(world: &World, alarm: &str) {
    for _ in 0..2 {
        for event in [
            alarm_changed(world, alarm),
            world.service_changed("web"),
            world.stack_changed("web"),
            world.event("scheduled.json"),
            json!({ "action": "reconcile", "only_open_work": true }),
        ] {
            world.answer(&event).await;
        }
    }
}

#[tokio::test]
async fn an_alarm_that_goes_off_is_one_rollback_and_a_hold() {
    for name in ["web-5xx", "web-any"] {
        let Some((world, older, newer)) = world_that_bakes("rollback").await else { return };
        let event = enter(&world, name, "ALARM");

        let answer = world.answer(&event).await;

        assert_eq!(
            (&answer["outcome"], &answer["digest"]),
            (&json!("promoted"), &json!(older.digest()))
        );
        assert_eq!(world.updates(), 3, "{name}");
        world.answer(&event).await;
        assert!(world.finish());
        let tag = answer["tag"].as_str().expect("a tag").to_owned();
        world.service("web", |service| {
            service.deploy(&tag, &older.digest());
            service.complete();
        });
        let ended = world.answer(&world.stack_changed("web")).await;
        assert_eq!(ended["outcome"], "deployed", "{ended}");
        // The alarm stays red, and goes off again.
        let_everything_happen(&world, name).await;
        enter(&world, name, "OK");
        enter(&world, name, "ALARM");
        let_everything_happen(&world, name).await;
        world.answer(&world.pushed(&newer)).await;
        world.assert_in_production(&older).await;
        assert_eq!(world.updates(), 3, "{name}: never a second rollback");
        let words = format!("Threshold Crossed: {name} is ALARM");
        let told: Vec<String> = world.told().iter().map(Value::to_string).collect();
        let about = told.iter().filter(|told| told.contains(&words)).count();
        assert_eq!(about, 1, "{name}: one message with the alarm's reason: {told:#?}");
        let status = world.answer(&json!({ "action": "status", "repository": "web" })).await;
        assert!(!status["hold"].is_null(), "{status}");
    }
}

#[tokio::test]
async fn the_schedule_sees_an_alarm_whose_event_never_came() {
    let Some((world, older, _)) = world_that_bakes("rollback").await else { return };
    let often = json!({ "action": "reconcile", "only_open_work": true });
    let quiet = world.answer(&often).await;
    assert_eq!(only_result(&quiet)["outcome"], "unchanged", "{quiet}");
    enter(&world, "web-any", "ALARM");
    let answer = world.answer(&often).await;
    assert_eq!(only_result(&answer)["digest"], older.digest(), "{answer}");
    assert_eq!(world.updates(), 3);
}

#[tokio::test]
async fn an_alarm_that_only_holds_or_tells_changes_nothing_in_production() {
    for (on_alarm, holds) in [("hold", true), ("tell", false)] {
        let Some((world, _, newer)) = world_that_bakes(on_alarm).await else { return };
        let told = world.told().len();
        let event = enter(&world, "web-5xx", "ALARM");
        world.answer(&event).await;
        let_everything_happen(&world, "web-5xx").await;
        assert_eq!(world.told().len(), told + 1, "{on_alarm}: told once");
        let status = world.answer(&json!({ "action": "status", "repository": "web" })).await;
        assert_eq!(!status["hold"].is_null(), holds, "{on_alarm}: {status}");
        world.assert_in_production(&newer).await;
        assert_eq!(world.updates(), 2, "{on_alarm}");
    }
}

#[tokio::test]
async fn an_alarm_that_is_ok_again_or_was_red_before_counts_for_nothing() {
    let Some((world, _, newer)) = world_that_bakes("rollback").await else { return };
    let late = enter(&world, "web-5xx", "ALARM");
    enter(&world, "web-5xx", "OK");
    enter(&world, "web-any", "INSUFFICIENT_DATA");
    assert_eq!(world.answer(&late).await["outcome"], "unchanged");
    enter(&world, "web-any", "OK");
    // The alarm goes off before the next image is deployed.
    let image = Image::build(2);
    super::verification::cloudformation_is_done(&world, &image).await;
    enter(&world, "web-5xx", "ALARM");
    world.service("web", Service::complete);
    let told = world.told().len();
    world.answer(&world.stack_changed("web")).await;
    let_everything_happen(&world, "web-5xx").await;
    world.assert_in_production(&image).await;
    assert_eq!(world.updates(), 3, "and {} is not back", newer.digest());
    let new: Vec<String> = world.told()[told..].iter().map(Value::to_string).collect();
    let about = new.iter().filter(|told| told.contains("does not count")).count();
    assert_eq!(about, 1, "{new:#?}");
}

#[tokio::test]
async fn alarms_that_cannot_be_read_are_told_and_roll_nothing_back() {
    let faults = [
        (Fault::Denied, 1),
        (Fault::Throttled(When::Before), 3),
        (Fault::ServerError(When::Before), 3),
        (Fault::Held(Until::Never), 3),
    ];
    at_once(faults.to_vec(), async |(fault, looks): (Fault, usize)| {
        let case = format!("{fault:?}");
        let Some((world, older, newer)) = world_that_bakes("rollback").await else { return };
        enter(&world, "web-5xx", "ALARM");
        world.cloud.fault(At::Every(DESCRIBE.to_owned()), fault);
        let before = world.told().len();
        for look in 1..=looks + 1 {
            // Whether a look that could not read something is an error does not matter here.
            let _ = world.invoke(&world.stack_changed("web")).await;
            let told = world.told().len() - before;
            assert_eq!(told, usize::from(look >= looks), "{case}, after look {look}");
        }
        let told = world.told().pop().expect("it was told").to_string();
        assert!(told.contains(DESCRIBE), "{case}: {told}");
        assert_eq!(world.updates(), 2, "{case}");
        world.assert_in_production(&newer).await;

        world.cloud.clear_faults();
        let answer = world.answer(&world.stack_changed("web")).await;
        assert_eq!(answer["digest"], older.digest(), "{case}: {answer}");
        assert_eq!(world.updates(), 3, "{case}");
    })
    .await;
}

#[tokio::test]
async fn an_alarm_that_does_not_exist_is_told_once() {
    let Some((world, ..)) = world_that_bakes("rollback").await else { return };
    lock(&world.cloud.cloudwatch).alarms.pop();
    let_everything_happen(&world, "web-5xx").await;
    let told: Vec<String> = world.told().iter().map(Value::to_string).collect();
    assert_eq!(told.iter().filter(|told| told.contains("web-any")).count(), 1, "{told:#?}");
    assert_eq!(world.updates(), 2);
}

#[tokio::test]
async fn a_process_that_dies_while_an_alarm_takes_a_promotion_back_makes_one_rollback() {
    let Some((untouched, ..)) = world_that_bakes("rollback").await else { return };
    let event = enter(&untouched, "web-5xx", "ALARM");
    untouched.cloud.forget_calls();
    untouched.answer(&event).await;
    let calls = untouched.cloud.calls();
    assert!(calls.iter().any(|call| call.op == "cloudformation:UpdateStack"));
    at_once(calls, async |Call { op, nth, .. }: Call| {
        let Some((world, older, _)) = world_that_bakes("rollback").await else { return };
        let event = enter(&world, "web-5xx", "ALARM");
        world.cloud.forget_calls();
        world.cloud.fault(At::Nth(op.clone(), nth), Fault::Killed);
        let request_id = world.unused_id();
        let first = world.invoke_as(&request_id, &event).await;
        assert!(first.is_err_and(|error| error.died), "{op}: it did not die");
        world.cloud.clear_faults();
        world
            .invoke_as(&request_id, &event)
            .await
            .unwrap_or_else(|e| panic!("{op}: {}", e.message));
        let_everything_happen(&world, "web-5xx").await;
        world.finish();
        let_everything_happen(&world, "web-5xx").await;
        world.assert_in_production(&older).await;
        assert_eq!(world.updates(), 3, "{op}: one rollback");
        let told = world.told().iter().map(Value::to_string).collect::<Vec<_>>();
        let told = told.iter().filter(|told| told.contains("Threshold Crossed")).count();
        assert!((1..=2).contains(&told), "{op}: told {told} times");
    })
    .await;
}

#[tokio::test]
async fn the_status_shows_until_when_it_bakes_and_what_each_alarm_shows() {
    let Some((world, ..)) = world_that_bakes("rollback").await else { return };
    let answer = world.answer(&world.stack_changed("web")).await;
    assert!(reason(&answer).starts_with("it runs already"), "{answer}");
    let status = world.answer(&json!({ "action": "status", "repository": "web" })).await;
    let alarms = status["bake"]["alarms"].to_string();
    for words in ["web-5xx", "web-any", "OK"] {
        assert!(alarms.contains(words), "{words} is not in {status}");
    }
}
