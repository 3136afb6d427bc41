//! A search by commit among more images than fit into memory at once.

use std::sync::Arc;

use serde_json::{Value, json};

use super::cloud::lock;
use super::cloudformation::{Parameter, Stack};
use super::image::Image;
use super::large::LargeRepository;
use super::world::{FIRST_TAG, World};

const MB: u64 = 1024 * 1024;

#[tokio::test]
async fn a_commit_is_found_among_twenty_thousand_images_in_little_memory() {
    let Some(world) = World::new().await else { return };
    let repository = Arc::new(LargeRepository::new("large", 20_000));
    *lock(&world.cloud.large_repository) = Some(Arc::clone(&repository));
    world
        .configure(
            "large",
            &json!({ "stack": "large", "mode": "auto", "commit_from": ["tag", "annotation"] }),
        )
        .await;
    world.add_stack(Stack::new("large", vec![Parameter::new("ProductionTag", FIRST_TAG)]));
    let sandbox = world.start_with(&[("AWS_LAMBDA_LOG_LEVEL", "INFO")]).await;
    let commit = LargeRepository::commit(12_345);

    let event = json!({ "action": "promote", "repository": "large", "commit": commit[..12] });
    let answer = sandbox
        .invoke(event.to_string().as_bytes(), &world.unused_id())
        .await
        .unwrap_or_else(|e| panic!("{}", e.message));

    assert_eq!(
        (&answer["outcome"], &answer["commit"]),
        (&Value::from("promoted"), &Value::from(commit.clone())),
        "{answer}"
    );
    let digest = repository.tag(&format!("production_{commit}")).expect("the tag was put");
    assert!(repository.manifest(&digest).contains(&commit));
    let batches = world
        .cloud
        .calls()
        .iter()
        .filter(|call| {
            call.op == "ecr:BatchGetImage"
                && call.body["imageIds"].as_array().is_some_and(|ids| ids.len() == 100)
        })
        .count();
    assert_eq!(batches, 200, "each image is read once");
    if let Some(peak) = sandbox.peak_memory() {
        assert!(peak < 64 * MB, "{} MB", peak / MB);
    }
}

/// ECR answers a manifest once for each tag of its image: 21 MB of this one.
#[tokio::test]
async fn a_manifest_that_is_answered_once_for_each_tag_costs_its_own_app_an_error_and_no_memory() {
    let Some(world) = World::new().await else { return };
    world.answer(&world.event("scheduled.json")).await;
    let small = Image::build(1);
    let manifest = small.manifest.replacen(
        '{',
        &format!("{{\"padding\":\"{}\",", "x".repeat(3 * MB as usize)),
        1,
    );
    let large = Image { manifest, ..small };
    let tags: Vec<String> = (0..5).map(|n| format!("tag-{n}")).collect();
    world
        .push(&large, &tags.iter().map(String::as_str).chain(["latest"]).collect::<Vec<_>>())
        .await;
    let sandbox = world.start_with(&[("AWS_LAMBDA_LOG_LEVEL", "INFO")]).await;

    let error = sandbox
        .invoke(world.pushed(&large).to_string().as_bytes(), &world.unused_id())
        .await
        .expect_err("too much");

    assert!(
        !error.died && error.message.contains("more than 12 MB of manifests"),
        "{}",
        error.message
    );
    if let Some(peak) = sandbox.peak_memory() {
        assert!(peak < 64 * MB, "{} MB", peak / MB);
    }
}
