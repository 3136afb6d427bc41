//! Whether ECS runs what was promoted, after CloudFormation has finished.

mod counts;
mod ends;
mod events;
mod trouble;

use serde_json::{Value, json};

use super::ecs::Service;
use super::image::Image;
use super::world::{FIRST_TAG, World};

/// The stack has the service `web`, whose tasks run what is there before.
pub(super) async fn world_with_service() -> Option<World> {
    let world = World::new().await?;
    let before = Image::docker("what runs before", None);
    world.add_service(Service::new("web", FIRST_TAG, &before));
    Some(world)
}

/// The image was pushed and promoted, CloudFormation has finished, and ECS begins to deploy it.
/// Nobody knows yet.
pub(super) async fn cloudformation_is_done(world: &World, image: &Image) -> String {
    world.push(image, &["latest"]).await;
    let answer = world.answer(&world.pushed(image)).await;
    assert_eq!(answer["outcome"], "promoted", "{answer}");
    let tag = answer["tag"].as_str().expect("a tag").to_owned();
    assert!(world.finish());
    world.service("web", |service| service.deploy(&tag, &image.digest()));
    tag
}

/// Promoted, and ECS runs it.
pub(super) async fn deploy(world: &World, image: &Image) -> Value {
    cloudformation_is_done(world, image).await;
    world.service("web", Service::complete);
    let answer = world.answer(&world.stack_changed("web")).await;
    assert_eq!(answer["outcome"], "deployed", "{answer}");
    answer
}

/// As if ECS had had its time: the process has no clock but the machine's.
async fn let_the_time_pass(world: &World) {
    let then = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(1);
    world.set_time("verifying", "until", then).await;
}

/// How often people were told this outcome.
pub(super) fn times_told(world: &World, outcome: &str) -> usize {
    world.told_outcomes().iter().filter(|told| *told == outcome).count()
}

/// The look of every five minutes.
fn often() -> Value {
    json!({ "action": "reconcile", "only_open_work": true })
}

/// The answer about `web` of a look at all apps.
pub(super) fn only_result(answer: &Value) -> &Value {
    assert_eq!(answer["results"].as_array().map(Vec::len), Some(1), "{answer}");
    &answer["results"][0]
}

/// The reason of an answer.
pub(super) fn reason(answer: &Value) -> &str {
    answer["reason"].as_str().unwrap_or_default()
}
