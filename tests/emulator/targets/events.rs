//! Events from the target count, and the same ones from elsewhere are ignored.

use serde_json::{Value, json};

use super::{
    ACCOUNT, add_service, deploy, event_there, place, push, stack, stack_changed, updates,
    world_elsewhere,
};
use crate::emulator::image::Image;
use crate::emulator::world::{COMMIT, World};

/// The same event from other places than the target.
fn from_elsewhere(world: &World, event: &Value) -> Vec<Value> {
    let text = event.to_string();
    let other = |from: &str, to: &str| {
        serde_json::from_str::<Value>(&text.replace(from, to)).expect("JSON")
    };
    let home = text.replace(ACCOUNT, &world.cloud.account).replace(super::REGION, "us-east-1");
    vec![
        other(ACCOUNT, "333333333333"),
        other(super::REGION, "eu-central-1"),
        other(ACCOUNT, &world.cloud.account),
        other(super::REGION, "us-east-1"),
        serde_json::from_str(&home).expect("JSON"),
    ]
}

async fn assert_ignored(world: &World, event: &Value) {
    for event in from_elsewhere(world, event) {
        world.cloud.forget_calls();
        let answer = world.answer(&event).await;
        assert_eq!(answer["outcome"], "ignored", "{event}: {answer}");
        let ops = world.cloud.ops();
        assert!(!ops.iter().any(|op| op.starts_with("cloudformation:")), "{ops:?}");
    }
}

#[tokio::test]
async fn stack_events_count_from_the_target_only() {
    let Some(world) = world_elsewhere(json!({})).await else { return };
    push(&world, &Image::oci("new", COMMIT)).await;
    stack(&world, |stack| stack.finish_update());
    assert_ignored(&world, &stack_changed(&world)).await;
    let answer = world.answer(&stack_changed(&world)).await;
    assert_eq!(answer["outcome"], "deployed", "{answer}");
}

#[tokio::test]
async fn events_of_services_and_alarms_count_from_the_target_only() {
    let bake = json!({ "minutes": 60, "alarms": ["web-5xx"], "on_alarm": "rollback" });
    let Some(world) = world_elsewhere(json!({ "bake": bake })).await else { return };
    add_service(&world);
    deploy(&world, &Image::build(0)).await;
    let image = Image::build(1);
    let tag = push(&world, &image).await["tag"].as_str().expect("a tag").to_owned();
    place(&world, |it| {
        it.cloudformation.stacks[0].finish_update();
        it.ecs.services[0].deploy(&tag, &image.digest());
    });
    world.answer(&stack_changed(&world)).await;
    let service_changed = place(&world, |it| it.ecs.event(&it.ecs.services[0]));
    assert_ignored(&world, &service_changed).await;
    place(&world, |it| it.ecs.services[0].complete());
    let answer = world.answer(&service_changed).await;
    assert_eq!(answer["outcome"], "deployed", "{answer}");

    place(&world, |it| it.cloudwatch.alarms[0].enter("ALARM"));
    let mut alarm = event_there(&world, "alarm-state-change.json");
    alarm["detail"]["alarmName"] = json!("web-5xx");
    assert_ignored(&world, &alarm).await;
    assert_eq!(updates(&world), 2);
    let answer = world.answer(&alarm).await;
    assert!(!answer["rolls_back"].is_null(), "{answer}");
    assert_eq!(updates(&world), 3);
}

#[tokio::test]
async fn a_push_of_the_source_tag_elsewhere_is_ignored() {
    let Some(world) = world_elsewhere(json!({ "target": super::registry::target() })).await else {
        return;
    };
    let image = Image::oci("new", COMMIT);
    world.push(&image, &["latest"]).await;
    let mut event = event_there(&world, "ecr-push.json");
    event["detail"]["image-digest"] = json!(image.digest());
    for event in from_elsewhere(&world, &event).into_iter().take(4).chain([event]) {
        assert_eq!(world.answer(&event).await["outcome"], "ignored", "{event}");
    }
    assert_eq!(updates(&world), 0);
}
