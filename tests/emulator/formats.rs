//! What people's tools push beside images, and what strangers may push: read within bounds, and
//! never promoted for what it is not.

use serde_json::json;

use super::image::Image;
use super::world::{COMMIT, FIRST_TAG, World};

/// The most memory that the process may take, whatever an image says: half of what the template
/// gives it.
const MOST_MEMORY: u64 = 64;

#[tokio::test]
async fn a_helm_chart_pushed_as_the_source_tag_is_ignored() {
    let Some(world) = World::new().await else { return };
    let chart = Image::chart("web");
    world.push(&chart, &["latest"]).await;
    let before = world.production().await;

    let answer = world.answer(&world.pushed(&chart)).await;

    assert_eq!(answer["outcome"], "ignored", "{answer}");
    assert!(answer["reason"].as_str().is_some_and(|why| why.contains("helm")), "{answer}");
    assert_eq!(
        world.answer(&json!({ "action": "promote", "repository": "web" })).await["outcome"],
        "refused"
    );
    world.answer(&world.event("scheduled.json")).await;
    assert_eq!(world.production().await, before, "nothing changed");
    assert_eq!(world.told().len(), 0, "nobody is told");
    assert_eq!(world.stack(|stack| stack.value("ProductionTag").to_owned()), FIRST_TAG);
}

#[tokio::test]
async fn an_index_with_artifacts_beside_its_image_has_the_images_commit() {
    let Some(world) = World::new().await else { return };
    for (number, times) in [1, 1_000].into_iter().enumerate() {
        let image = Image::index_with_soci(&format!("build {number}"), COMMIT, times);
        world.push(&image, &["latest"]).await;
        world.cloud.forget_calls();
        let answer = world.answer(&world.pushed(&image)).await;
        assert_eq!(
            (&answer["outcome"], &answer["commit"]),
            (&json!("promoted"), &json!(COMMIT)),
            "{answer}"
        );
        // The image itself, its platform, whether the tag is free, and the platform's config.
        assert_eq!(
            (
                world.cloud.count("ecr:BatchGetImage"),
                world.cloud.count("ecr:GetDownloadUrlForLayer")
            ),
            (3, 1),
            "{times} times"
        );
        world.settle().await;
    }
}

/// A promotion of this image by a new process, and the most memory that it took.
async fn peak_of(image: &Image) -> Option<u64> {
    let world = World::new().await?;
    world.push(image, &["latest"]).await;
    let sandbox = world.start().await;
    let answer = sandbox
        .invoke(world.pushed(image).to_string().as_bytes(), &world.unused_id())
        .await
        .expect("an answer");
    assert_eq!(
        (&answer["outcome"], &answer["commit"]),
        (&json!("promoted"), &json!(COMMIT)),
        "{answer}"
    );
    assert!(world.cloud.count("ecr:GetDownloadUrlForLayer") <= 32);
    sandbox.peak_memory().map(|peak| peak / (1024 * 1024))
}

/// What takes the most memory where it is read into a tree.
fn brackets(bytes: usize) -> String {
    format!("[{}0]", r#"{"":0},"#.repeat(bytes / 7))
}

#[tokio::test]
async fn a_config_made_of_nothing_but_brackets_takes_little_memory() {
    let labels = json!({ "org.opencontainers.image.revision": COMMIT });
    let config = format!(r#"{{"config":{{"Labels":{labels}}},"x":{}}}"#, brackets(4_000_000));
    let Some(peak) = peak_of(&Image::with_config(&config)).await else { return };
    assert!(peak < MOST_MEMORY, "{peak} MB");
}

#[tokio::test]
async fn a_manifest_made_of_nothing_but_brackets_takes_little_memory() {
    let plain = Image::oci("brackets", COMMIT);
    let manifest = format!(
        r#"{},"x":{}}}"#,
        plain.manifest.trim_end().trim_end_matches('}'),
        brackets(2_000_000)
    );
    let Some(peak) = peak_of(&Image { manifest, ..plain }).await else { return };
    assert!(peak < MOST_MEMORY, "{peak} MB");
}

#[tokio::test]
async fn large_configs_of_many_platforms_are_not_in_memory_at_once() {
    let Some(peak) = peak_of(&Image::index_of_large_configs(COMMIT, 36, 2_000_000)).await else {
        return;
    };
    assert!(peak < MOST_MEMORY, "{peak} MB");
}
