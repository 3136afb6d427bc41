//! The reconciler in real processes: a crowd of pushes with the stack's events in between, and a rollback at 3 am.

use serde_json::{Value, json};

use super::image::Image;
use super::world::World;

/// The stack's update, if one is under way, goes through.
fn finish(world: &World) -> bool {
    world.stack(|stack| {
        let is_busy = stack.status == "UPDATE_IN_PROGRESS";
        if is_busy {
            stack.finish_update();
        }
        is_busy
    })
}

/// CloudFormation finishes, and its events are delivered, until nothing follows any more.
async fn settle(world: &World) {
    while finish(world) {
        world.answer(&world.event("cfn-update-complete.json")).await;
    }
}

async fn assert_in_production(world: &World, image: &Image) {
    let tags = world.tags(image).await;
    let running = world.stack(|stack| stack.value("ProductionTag").to_owned());
    assert!(tags.contains(&running), "`{running}` runs, and the image has {tags:?}");
}

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
        // Four builds, each event twice, shuffled, while the stack's own event of the update before comes too.
        let mut payloads = Vec::new();
        for build in 0..4 {
            let number = batch * 4 + build;
            let image = Image::oci(&format!("build {number}"), &format!("{:040x}", 0x00c0_ffee_0000_u64 + u64::from(number)));
            world.push(&image, &["latest"]).await;
            payloads.extend(std::iter::repeat_n(world.pushed(&image), 2));
            newest = Some(image);
        }
        random.shuffle(&mut payloads);
        finish(&world);
        payloads[0] = world.event("cfn-update-complete.json");
        let deliveries = sandboxes.iter().zip(&payloads).map(async |(sandbox, payload)| {
            let id = world.unused_id();
            sandbox.invoke(payload.to_string().as_bytes(), &id).await.unwrap_or_else(|e| panic!("batch {batch}: {}", e.message))
        });
        futures_util::future::join_all(deliveries).await;
    }
    let newest = newest.expect("an image");
    world.answer(&world.pushed(&newest)).await;
    settle(&world).await;

    assert_in_production(&world, &newest).await;
    let updates = world.stack(|stack| stack.updates.clone());
    assert!(updates.len() <= 7, "one update a batch at most, and one to end with: {updates:?}");
}

#[tokio::test]
async fn a_rollback_goes_back_holds_and_is_ended_by_promoting_the_newest() {
    let Some(world) = World::new().await else { return };
    let images: Vec<Image> = (0..3_u64).map(|i| Image::oci(&format!("build {i}"), &format!("{:040x}", 0x00c0_ffee_0000 + i))).collect();
    for image in &images[..2] {
        world.push(image, &["latest"]).await;
        assert_eq!(world.answer(&world.pushed(image)).await["outcome"], "promoted");
        finish(&world);
        assert_eq!(world.answer(&world.event("cfn-update-complete.json")).await["outcome"], "deployed");
    }

    assert_eq!(world.answer(&world.sns("rollback web")).await["outcome"], "promoted");
    settle(&world).await;
    assert_in_production(&world, &images[0]).await;

    assert_eq!(world.answer(&world.pushed(&images[1])).await["outcome"], "held");
    world.push(&images[2], &["latest"]).await;
    assert_eq!(world.answer(&world.pushed(&images[2])).await["outcome"], "approval_requested");
    let looked = world.answer(&world.event("scheduled.json")).await;
    assert_eq!(looked["results"].as_array().map(Vec::len), Some(1), "{looked}");
    assert_in_production(&world, &images[0]).await;
    let status = world.answer(&json!({"action": "status", "repository": "web"})).await;
    assert_eq!(status["hold"]["by"], "SNS");

    assert_eq!(world.answer(&world.sns("promote web")).await["outcome"], "promoted");
    settle(&world).await;
    assert_in_production(&world, &images[2]).await;
    let history = world.answer(&json!({"action": "history", "repository": "web"})).await;
    let told: Vec<&Value> = history["promotions"].as_array().expect("a list").iter().map(|p| &p["outcome"]).collect();
    assert_eq!(told, ["deployed"; 4]);
}
