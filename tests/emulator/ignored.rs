//! What is not about a push of the source tag in this account and region: no call but the reading
//! of the configuration.

use serde_json::{Value, json};

use super::image::Image;
use super::world::{COMMIT, World};

#[tokio::test]
async fn events_that_are_none_of_our_business_are_ignored() {
    let files = [
        "ecr-delete.json",
        "ecr-push-failure.json",
        "ecr-push-other-tag.json",
        "ecr-push-empty-tag.json",
        "ecr-push-untagged.json",
        "ecr-push-signature.json",
        "ecr-push-production-tag.json",
        "ecr-push-other-account.json",
        "ecr-push-other-region.json",
        "ecr-push-unknown-repository.json",
        "ecr-pull-through-cache.json",
        "ecr-replication.json",
        "sns-notification.json",
    ];
    let Some(world) = World::new().await else { return };
    // A push of this very image would be promoted, so an event that is taken for one is seen.
    let image = Image::oci("new", COMMIT);
    world.push(&image, &["latest"]).await;
    let before = world.production().await;
    for file in files {
        let mut event = world.event(file);
        if event["detail"]["image-digest"].is_string() {
            event["detail"]["image-digest"] = json!(image.digest());
        }
        assert_ignored(&world, file, &event).await;
    }
    let mut odd_tag = world.pushed(&image);
    odd_tag["detail"]["image-tag"] = Value::Null;
    assert_ignored(&world, "a tag that is null", &odd_tag).await;
    assert_eq!(world.production().await, before);
    assert_eq!(
        world.answer(&world.pushed(&image)).await["outcome"],
        "promoted",
        "the push itself is not ignored"
    );
}

async fn assert_ignored(world: &World, what: &str, event: &Value) {
    world.cloud.forget_calls();
    // A process of its own, whose configuration is not cached yet.
    let outcome =
        world.start().await.invoke(event.to_string().as_bytes(), &world.unused_id()).await;
    let answer = outcome.unwrap_or_else(|e| panic!("{what}: {}", e.message));
    assert_eq!(answer["outcome"], "ignored", "{what}: {answer}");
    let others: Vec<String> =
        world.cloud.ops().into_iter().filter(|op| !op.starts_with("ssm:Get")).collect();
    assert_eq!(others, [""; 0], "{what}: calls beyond the configuration");
}
