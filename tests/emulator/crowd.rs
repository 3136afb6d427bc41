//! The reconciler in real processes: a crowd of pushes with the stack's events in between, and a
//! rollback at 3 am.

use serde_json::{Value, json};

use super::image::Image;
use super::world::World;

#[tokio::test]
async fn a_crowd_of_eight_processes_ends_with_the_newest_image() {
    let Some(world) = World::new().await else { return };
    let mut random = fastrand::Rng::with_seed(24);
    let mut sandboxes = Vec::new();
    for _ in 0..8 {
        sandboxes.push(world.start().await);
    }
    let mut newest = None;
    for batch in 0..6_u32 {
        // Four builds, each event twice, shuffled, while the stack's own event of the update before
        // comes too.
        let mut payloads = Vec::new();
        for build in 0..4 {
            let number = batch * 4 + build;
            let image = Image::build(number);
            world.push(&image, &["latest"]).await;
            payloads.extend(std::iter::repeat_n(world.pushed(&image), 2));
            newest = Some(image);
        }
        random.shuffle(&mut payloads);
        world.finish();
        payloads[0] = world.event("cfn-update-complete.json");
        let deliveries = sandboxes.iter().zip(&payloads).map(async |(sandbox, payload)| {
            let id = world.unused_id();
            sandbox
                .invoke(payload.to_string().as_bytes(), &id)
                .await
                .unwrap_or_else(|e| panic!("batch {batch}: {}", e.message))
        });
        futures_util::future::join_all(deliveries).await;
    }
    let newest = newest.expect("an image");
    world.answer(&world.pushed(&newest)).await;
    world.settle().await;

    world.assert_in_production(&newest).await;
    let updates = world.stack(|stack| stack.updates.clone());
    assert!(updates.len() <= 7, "one update a batch at most, and one to end with: {updates:?}");
}

#[tokio::test]
async fn a_rollback_goes_back_holds_and_is_ended_by_promoting_the_newest() {
    let Some(world) = World::new().await else { return };
    let images: Vec<Image> = (0..3).map(Image::build).collect();
    for image in &images[..2] {
        world.deploy(image).await;
    }

    assert_eq!(world.answer(&world.sns("rollback web")).await["outcome"], "promoted");
    world.settle().await;
    world.assert_in_production(&images[0]).await;

    assert_eq!(world.answer(&world.pushed(&images[1])).await["outcome"], "held");
    world.push(&images[2], &["latest"]).await;
    assert_eq!(world.answer(&world.pushed(&images[2])).await["outcome"], "approval_requested");
    let looked = world.answer(&world.event("scheduled.json")).await;
    assert_eq!(looked["results"].as_array().map(Vec::len), Some(1), "{looked}");
    world.assert_in_production(&images[0]).await;
    let status = world.answer(&json!({"action": "status", "repository": "web"})).await;
    assert_eq!(status["hold"]["by"], "SNS");

    assert_eq!(world.answer(&world.sns("promote web")).await["outcome"], "promoted");
    world.settle().await;
    world.assert_in_production(&images[2]).await;
    let history = world.answer(&json!({"action": "history", "repository": "web"})).await;
    let told: Vec<&Value> =
        history["promotions"].as_array().expect("a list").iter().map(|p| &p["outcome"]).collect();
    assert_eq!(told, ["deployed"; 4]);
}
