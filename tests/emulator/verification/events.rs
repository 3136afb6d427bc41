//! Events of ECS and of alarms: which of them lead to a look, and what the others cost.

use serde_json::{Value, json};

use super::{cloudformation_is_done, deploy, world_with_service};
use crate::emulator::cloud::lock;
use crate::emulator::cloudwatch::Alarm;
use crate::emulator::ecs::Service;
use crate::emulator::image::Image;
use crate::emulator::world::{FIRST_TAG, World};

/// A process of its own, whose configuration is not cached yet, ignores the event after these
/// calls.
async fn assert_ignored(world: &World, what: &str, event: &Value, calls: &[&str]) {
    world.cloud.forget_calls();
    let outcome =
        world.start().await.invoke(event.to_string().as_bytes(), &world.unused_id()).await;
    let answer = outcome.unwrap_or_else(|e| panic!("{what}: {}", e.message));
    assert_eq!(answer["outcome"], "ignored", "{what}: {answer}");
    assert_eq!(world.cloud.ops(), calls, "{what}");
}

const CONFIGURATION: &str = "ssm:GetParametersByPath";
const STATE: &str = "dynamodb:BatchGetItem";

fn alarm_changed(world: &World, name: &str) -> Value {
    lock(&world.cloud.cloudwatch).event(name)
}

#[tokio::test]
async fn an_event_of_a_service_leads_to_a_look_only_while_it_is_verified() {
    let Some(world) = world_with_service().await else { return };
    let before = Image::docker("what runs before", None);
    let mut stranger = Service::new("stranger", FIRST_TAG, &before);
    stranger.cluster = "elsewhere";
    lock(&world.cloud.ecs).services.push(stranger);
    let event = world.service_changed("web");
    assert_ignored(&world, "nothing is verified", &event, &[CONFIGURATION, STATE]).await;
    deploy(&world, &Image::build(0)).await;
    assert_ignored(&world, "nothing any more", &event, &[CONFIGURATION, STATE]).await;

    cloudformation_is_done(&world, &Image::build(1)).await;
    world.answer(&world.stack_changed("web")).await;
    let other = world.service_changed("stranger");
    assert_ignored(&world, "another service", &other, &[CONFIGURATION, STATE]).await;
    world.service("web", Service::complete);
    for kind in ["ECS Service Action", "ECS Deployment State Change"] {
        let mut event = event.clone();
        event["detail-type"] = json!(kind);
        let answer = world.answer(&event).await;
        let wanted = if kind == "ECS Service Action" { "deployed" } else { "ignored" };
        assert_eq!(answer["outcome"], wanted, "{kind}: {answer}");
    }
}

#[tokio::test]
async fn other_events_of_ecs_cost_nothing() {
    let Some(world) = world_with_service().await else { return };
    cloudformation_is_done(&world, &Image::build(0)).await;
    world.answer(&world.stack_changed("web")).await;
    let event = world.service_changed("web");
    for (member, value) in [
        ("detail-type", "ECS Task State Change"),
        ("detail-type", "ECS Container Instance State Change"),
    ] {
        let mut other = event.clone();
        other[member] = json!(value);
        assert_ignored(&world, value, &other, &[]).await;
    }
    // An app's target may be there: only the configuration says.
    for (member, value) in [("account", "999999999999"), ("region", "eu-west-1")] {
        let mut other = event.clone();
        other[member] = json!(value);
        assert_ignored(&world, value, &other, &[CONFIGURATION]).await;
    }
}

#[tokio::test]
async fn an_event_of_an_alarm_leads_to_a_look_only_while_it_is_watched() {
    let Some(world) = world_with_service().await else { return };
    lock(&world.cloud.cloudwatch).alarms.push(Alarm::new("web-5xx"));
    let own = alarm_changed(&world, "web-5xx");
    assert_ignored(&world, "no app bakes", &own, &[CONFIGURATION]).await;
    let bake = json!({ "minutes": 60, "alarms": ["web-5xx"] });
    world.configure("web", &json!({ "stack": "web", "mode": "auto", "bake": bake })).await;
    world.restart().await;
    assert_ignored(&world, "nothing bakes yet", &own, &[CONFIGURATION, STATE]).await;
    deploy(&world, &Image::build(0)).await;
    let other = alarm_changed(&world, "worker-5xx");
    assert_ignored(&world, "another alarm", &other, &[CONFIGURATION]).await;
    let mut elsewhere = own.clone();
    elsewhere["region"] = json!("eu-west-1");
    assert_ignored(&world, "another region", &elsewhere, &[CONFIGURATION]).await;

    world.cloud.forget_calls();
    let answer = world.answer(&own).await;

    assert_eq!(answer["outcome"], "unchanged", "{answer}");
    assert_eq!(world.cloud.count("cloudwatch:DescribeAlarms"), 1);
}
