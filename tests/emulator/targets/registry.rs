//! A stack that pulls from a registry that ECR replicates to.

use serde_json::{Value, json};

use super::{
    ACCOUNT, EXTERNAL_ID, REGION, ROLE, assert_credentials, event_there, identities, place, push,
    updates, world_elsewhere,
};
use crate::emulator::cloud::Call;
use crate::emulator::image::Image;
use crate::emulator::world::{COMMIT, World};

const REGISTRY: &str = "222222222222.dkr.ecr.eu-west-1.amazonaws.com";

pub(in crate::emulator) fn target() -> Value {
    json!({ "role": ROLE, "external_id": EXTERNAL_ID, "region": REGION, "registry": REGISTRY })
}

fn looked_there(world: &World) -> Vec<Call> {
    let calls = world.cloud.calls().into_iter();
    calls.filter(|call| call.body["registryId"].is_string()).collect()
}

/// ECR's event for the production tag in the other registry.
fn arrived(world: &World, image: &Image) -> Value {
    let mut event = event_there(world, "ecr-push-production-tag.json");
    event["detail"]["image-digest"] = json!(image.digest());
    event["detail"]["image-tag"] = json!(format!("production_{COMMIT}"));
    event
}

#[tokio::test]
async fn an_update_waits_for_the_replica_which_is_read_with_the_roles_credentials() {
    let Some(world) = world_elsewhere(json!({ "target": target() })).await else { return };
    let image = Image::oci("new", COMMIT);
    let answer = push(&world, &image).await;
    assert_eq!(answer["outcome"], "queued", "no such repository yet: {answer}");
    let other = format!("sha256:{}", "0".repeat(64));
    let tag = format!("production_{COMMIT}");
    place(&world, |it| it.replicate("web", &tag, &other));
    for _ in 0..2 {
        let often = json!({ "action": "reconcile", "only_open_work": true });
        let looked = world.answer(&often).await;
        let reason = looked["results"][0]["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("another image there"), "{looked}");
    }
    assert_eq!(updates(&world), 0);
    place(&world, |it| it.replicate("web", &tag, &image.digest()));
    let answer = world.answer(&arrived(&world, &image)).await;
    assert_eq!(answer["outcome"], "promoted", "{answer}");
    world.answer(&arrived(&world, &image)).await;
    assert_eq!(updates(&world), 1);
    let looked = looked_there(&world);
    assert!(looked.len() >= 4, "{looked:#?}");
    for call in &looked {
        assert_eq!(
            (call.body["registryId"].as_str(), call.region.as_str()),
            (Some(ACCOUNT), REGION)
        );
        assert_eq!(call.body["imageIds"], json!([{ "imageTag": tag }]));
    }
    assert_credentials(&world);
    assert_eq!(identities(&world, "cloudformation:UpdateStack").len(), 1);
    assert_eq!(world.told_outcomes(), ["promoted"]);
}

#[tokio::test]
async fn the_functions_own_registry_is_not_waited_for() {
    let Some(world) = world_elsewhere(json!({})).await else { return };
    let mut target = target();
    target["registry"] = json!(format!("{}.dkr.ecr.us-east-1.amazonaws.com", world.cloud.account));
    super::configure(&world, json!({ "target": target })).await;
    let answer = push(&world, &Image::oci("new", COMMIT)).await;
    assert_eq!(answer["outcome"], "promoted", "{answer}");
    assert_eq!(looked_there(&world).len(), 0);
}

#[tokio::test]
async fn a_plan_puts_no_tag_and_writes_nothing() {
    let Some(world) = world_elsewhere(json!({ "mode": "approval", "target": target() })).await
    else {
        return;
    };
    push(&world, &Image::oci("new", COMMIT)).await;
    world.cloud.forget_calls();
    let plan = world.answer(&json!({ "action": "plan", "app": "web" })).await;
    assert_eq!(plan["would"], "promoted", "{plan}");
    for op in ["dynamodb:PutItem", "dynamodb:TransactWriteItems", "ecr:PutImage"] {
        assert_eq!(world.cloud.count(op), 0, "{op}");
    }
}
