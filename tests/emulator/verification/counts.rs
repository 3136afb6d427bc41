//! What looks cost where there is nothing to do, and how much memory they take.

use serde_json::Value;

use super::{deploy, often, only_result};
use crate::emulator::ecs::{Controller, Service};
use crate::emulator::image::Image;
use crate::emulator::table::is_write;
use crate::emulator::world::{FIRST_TAG, World};

const MOST_MEMORY: u64 = 64 * 1024 * 1024;

/// The calls of a look that are about the app, and not about all apps.
pub(super) fn own_calls(world: &World) -> Vec<String> {
    let calls = world.cloud.calls().into_iter().filter(|call| {
        let is_list = call.op == "ssm:GetParametersByPath";
        let keys = [&call.body["Key"]["app"]["S"], &call.body["Item"]["app"]["S"]];
        let is_of_all = |key: &&Value| key.as_str().is_some_and(|key| key.starts_with('#'));
        !is_list && !keys.iter().any(is_of_all)
    });
    calls.map(|call| call.op).collect()
}

/// The stack has so many services of one cluster, and a deployed image runs in all of them.
async fn world_with_services(count: usize) -> Option<World> {
    let world = World::new().await?;
    let before = Image::docker("what runs before", None);
    let image = Image::build(0);
    for n in 0..count {
        let name = if n == 0 { "web".to_owned() } else { format!("web{n}") };
        let mut service = Service::new(&name, FIRST_TAG, &before);
        if n > 0 {
            service.deploy("any", &image.digest());
            service.complete();
        }
        world.add_service(service);
    }
    if count > 0 {
        drop(deploy(&world, &image).await)
    } else {
        world.deploy(&image).await
    }
    Some(world)
}

#[tokio::test]
async fn the_hourly_look_makes_one_more_call_for_each_ten_services() {
    for (services, most) in [(0, 4), (3, 5), (12, 6)] {
        let Some(world) = world_with_services(services).await else { return };
        for look in ["first", "second"] {
            world.cloud.forget_calls();
            let answer = world.answer(&world.event("scheduled.json")).await;
            assert_eq!(only_result(&answer)["outcome"], "unchanged", "{answer}");
            let own = own_calls(&world);
            assert!(own.len() <= most, "{services} services, {look} look: {own:?}");
            let asked = own.iter().filter(|op| op.starts_with("ecs:")).count();
            assert_eq!(asked, services.div_ceil(10), "{services} services: {own:?}");
            assert!(!own.iter().any(|op| is_write(op)), "{own:?}");
        }
        world.cloud.forget_calls();
        world.answer(&often()).await;
        assert_eq!(own_calls(&world), ["dynamodb:BatchGetItem"], "the look of five minutes");
    }
}

#[tokio::test]
async fn the_hourly_look_makes_two_more_calls_where_tasks_are_asked() {
    let Some(world) = world_with_services(1).await else { return };
    world.service("web", |service| service.controller = Controller::External);
    // ECS shows no revision any more: what was known of it is replaced once.
    world.answer(&world.event("scheduled.json")).await;
    world.cloud.forget_calls();
    let answer = world.answer(&world.event("scheduled.json")).await;
    assert_eq!(only_result(&answer)["outcome"], "unchanged", "{answer}");
    let own = own_calls(&world);
    let asked: Vec<&String> = own.iter().filter(|op| op.starts_with("ecs:")).collect();
    assert_eq!(asked, ["ecs:DescribeServices", "ecs:ListTasks", "ecs:DescribeTasks"]);
    assert_eq!(own.len(), 6, "{own:?}");
}

#[tokio::test]
async fn a_look_at_many_services_and_tasks_takes_little_memory() {
    let Some(world) = world_with_services(40).await else { return };
    for n in 1..5 {
        world.service(&format!("web{n}"), |service| {
            (service.controller, service.desired) = (Controller::External, 1_000);
        });
    }
    let sandbox = world.start_with(&[("AWS_LAMBDA_LOG_LEVEL", "INFO")]).await;
    let image = Image::build(1);
    super::cloudformation_is_done(&world, &image).await;
    for n in 1..40 {
        world.service(&format!("web{n}"), |service| {
            service.deploy("any", &image.digest());
            service.complete();
        });
    }
    world.service("web", Service::complete);
    let events = [world.stack_changed("web"), world.event("scheduled.json")];
    for event in events {
        let looked = sandbox.invoke(event.to_string().as_bytes(), &world.unused_id()).await;
        looked.unwrap_or_else(|error| panic!("{}", error.message));
    }
    assert_eq!(super::times_told(&world, "deployed"), 2);
    let peak = sandbox.peak_memory().expect("Linux says it");
    assert!(peak < MOST_MEMORY, "{} MiB", peak >> 20);
}
