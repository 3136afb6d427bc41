//! Roles that cannot be assumed, and rights that they lack.

use serde_json::json;

use super::{ROLE, assumed, configure, push, updates, world_elsewhere};
use crate::emulator::cloud::{Call, lock};
use crate::emulator::cloudformation::{Parameter, Stack};
use crate::emulator::fault::{At, Fault};
use crate::emulator::image::Image;
use crate::emulator::world::{COMMIT, FIRST_TAG, World};

/// The writes of the state of `web`.
fn writes(world: &World) -> Vec<Call> {
    let is_write = |call: &Call| {
        call.op.starts_with("dynamodb:")
            && !["dynamodb:GetItem", "dynamodb:Query", "dynamodb:BatchGetItem"]
                .contains(&call.op.as_str())
    };
    let is_its = |call: &Call| {
        call.body["Item"]["app"]["S"] == "web" || call.body["TransactItems"].is_array()
    };
    world.cloud.calls().into_iter().filter(|call| is_write(call) && is_its(call)).collect()
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_fails_its_app_alone_and_writes_nothing() {
    let Some(world) = world_elsewhere(json!({})).await else { return };
    world.cloud.registry.create("shop", "MUTABLE").await;
    let shop = Image::docker("shop", None);
    world.cloud.registry.push("shop", &shop, &["latest", FIRST_TAG]).await;
    world.configure("shop", &json!({ "stack": "shop", "mode": "auto" })).await;
    world.add_stack(Stack::new("shop", vec![Parameter::new("ProductionTag", FIRST_TAG)]));
    lock(&world.cloud.sts).denied.insert(ROLE.to_owned());

    let error = world.invoke(&world.event("scheduled.json")).await.expect_err("denied").message;

    for words in ["sts:AssumeRole", ROLE, "external id", "sts:SetSourceIdentity", "TargetRoles"] {
        assert!(error.contains(words), "{words}: {error}");
    }
    assert!(error.starts_with("1 of 2 failed"), "{error}");
    assert_eq!(writes(&world).len(), 0, "{:#?}", writes(&world));
    let status = world.answer(&json!({ "action": "status", "app": "shop" })).await;
    assert_eq!(status["running"]["tag"], FIRST_TAG, "{status}");
    let image = Image::oci("new", COMMIT);
    world.push(&image, &["latest"]).await;
    let error = world.invoke(&world.pushed(&image)).await.expect_err("denied").message;
    assert!(error.contains(ROLE), "{error}");
    assert_eq!((world.cloud.count("ecr:PutImage"), updates(&world)), (0, 0));
    assert_eq!(writes(&world).len(), 0);
    // Mended, the retry goes on.
    lock(&world.cloud.sts).denied.clear();
    world.restart().await;
    assert_eq!(world.answer(&world.pushed(&image)).await["outcome"], "promoted");
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_is_not_asked_for_again_at_once() {
    let Some(world) = world_elsewhere(json!({})).await else { return };
    for name in ["web-b", "web-c"] {
        let config = json!({ "repository": "web", "stack": "web", "target": super::target() });
        world.configure(name, &config).await;
    }
    lock(&world.cloud.sts).denied.insert(ROLE.to_owned());
    let error = world.invoke(&world.event("scheduled.json")).await.expect_err("denied").message;
    assert!(error.starts_with("3 of 3 failed"), "{error}");
    assert_eq!(assumed(&world).len(), 1);
}

#[tokio::test]
async fn a_wrong_external_id_says_what_to_look_at() {
    let Some(world) = world_elsewhere(json!({})).await else { return };
    let mut target = super::target();
    target["external_id"] = json!("wrong-7f3a");
    configure(&world, json!({ "target": target })).await;
    let error = world.invoke(&world.event("scheduled.json")).await.expect_err("denied").message;
    assert!(error.contains(ROLE) && error.contains("external id of the configuration"), "{error}");
    assert!(!error.contains("wrong-7f3a"), "{error}");
}

#[tokio::test]
async fn a_right_that_the_targets_role_lacks_is_named_as_its_own() {
    let Some(world) = world_elsewhere(json!({})).await else { return };
    let image = Image::oci("new", COMMIT);
    world.push(&image, &["latest"]).await;
    for op in ["cloudformation:UpdateStack", "cloudformation:DescribeStacks"] {
        world.cloud.fault(At::Every(op.to_owned()), Fault::Denied);
        let error = world.invoke(&world.pushed(&image)).await.expect_err("denied").message;
        let words = format!("give the target's role `{ROLE}` `{op}`");
        assert!(error.contains(&words), "{error}");
        world.cloud.clear_faults();
    }
    world.cloud.fault(At::first("ecr:BatchGetImage"), Fault::Denied);
    world.cloud.forget_calls();
    let error = world.invoke(&world.event("scheduled.json")).await.expect_err("denied").message;
    assert!(error.contains("give the function's role `ecr:BatchGetImage`"), "{error}");
}

#[tokio::test]
async fn whoever_asks_about_an_app_whose_role_cannot_be_assumed_hears_why() {
    let Some(world) = world_elsewhere(json!({})).await else { return };
    push(&world, &Image::oci("new", COMMIT)).await;
    lock(&world.cloud.sts).denied.insert(ROLE.to_owned());
    world.restart().await;
    for action in ["history", "status"] {
        let asked = world.invoke(&json!({ "action": action, "app": "web" })).await;
        let error = asked.expect_err("denied").message;
        assert!(error.contains(ROLE) && error.contains("sts:AssumeRole"), "{action}: {error}");
    }
    let all = world.answer(&json!({ "action": "status" })).await;
    assert!(all.to_string().contains(ROLE), "{all}");
}
