//! What people do with the function, each journey in a world of its own. Together they make every
//! call that the function can make with a feature.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::emulator::cloud::lock;
use crate::emulator::cloudformation::{Change, Stack};
use crate::emulator::cloudwatch::Alarm;
use crate::emulator::door;
use crate::emulator::ecs::Controller;
use crate::emulator::image::Image;
use crate::emulator::role::{Used, used};
use crate::emulator::slack_request::{Click, slash};
use crate::emulator::world::{COMMIT, World};
use crate::emulator::{targets, verification};

/// The rights that a journey needs.
pub(super) async fn of(name: &str) -> Option<BTreeSet<Used>> {
    let world = match name {
        "push" => push().await,
        "question" => question().await,
        "change set" => change_set().await,
        "nested changes" => nested_changes().await,
        "long update" => long_update().await,
        "services" => services().await,
        "tasks" => tasks().await,
        "only posts" => only_posts().await,
        "links and board" => links_and_board().await,
        "Slack" => slack().await,
        "alarms" => alarms().await,
        "another account" => another_account().await,
        other => panic!("there is no journey `{other}`"),
    }?;
    Some(used(&world.cloud))
}

/// A world whose app is not verified; `more` is merged into its configuration.
async fn unverified(more: Value) -> Option<World> {
    let world = World::with_repository("IMMUTABLE_WITH_EXCLUSION").await?;
    configure(&world, more).await;
    Some(world)
}

async fn configure(world: &World, more: Value) {
    let mut config = json!({ "stack": "web", "mode": "auto", "verify": false });
    let keys = config.as_object_mut().expect("an object");
    keys.extend(more.as_object().cloned().unwrap_or_default());
    world.configure("web", &config).await;
}

async fn command(world: &World, words: &str) -> Value {
    world.answer(&world.sns(words)).await
}

/// An image that says its commit in its label only is pushed, promoted, cancelled, and another one
/// sent back; people look at all of it.
async fn push() -> Option<World> {
    let world = unverified(json!({})).await?;
    world.deploy(&Image::docker("labelled", Some(COMMIT))).await;
    let newer = Image::build(1);
    world.push(&newer, &["latest"]).await;
    assert_eq!(world.answer(&world.pushed(&newer)).await["outcome"], "promoted");
    assert_eq!(command(&world, "cancel web").await["outcome"], "cancelled");
    world.stack(Stack::finish_cancel);
    world.answer(&world.stack_changed("web")).await;
    let by_commit = command(&world, &format!("promote web {}", &COMMIT[..12])).await;
    assert_eq!(by_commit["outcome"], "unchanged", "{by_commit}");
    for action in ["status", "history", "plan", "check", "audit"] {
        world.answer(&json!({ "action": action, "app": "web" })).await;
    }
    world.answer(&world.event("scheduled.json")).await;
    world.answer(&json!({ "action": "reconcile", "only_open_work": true })).await;
    Some(world)
}

/// People are asked by mail, with the commits of a Git host, and approve in words.
async fn question() -> Option<World> {
    let mode = json!({ "mode": "approval", "repository_url": "https://github.com/acme/web" });
    let world = unverified(mode).await?;
    let image = Image::oci("new", COMMIT);
    world.push(&image, &["latest"]).await;
    assert_eq!(world.answer(&world.pushed(&image)).await["outcome"], "approval_requested");
    assert_eq!(command(&world, &format!("approve web {COMMIT}")).await["outcome"], "promoted");
    Some(world)
}

fn guard() -> Value {
    json!({ "allowed_changes": ["AWS::ECS::TaskDefinition:Replacement", "AWS::ECS::Service"] })
}

/// A guarded app: what would change is shown first, and then executed.
async fn change_set() -> Option<World> {
    let world = unverified(json!({ "guard": guard() })).await?;
    let image = Image::oci("new", COMMIT);
    world.push(&image, &["latest"]).await;
    world.answer(&json!({ "action": "plan", "app": "web" })).await;
    assert_eq!(world.answer(&world.pushed(&image)).await["outcome"], "promoted");
    Some(world)
}

/// The changes are in a nested stack, whose change set is read too.
async fn nested_changes() -> Option<World> {
    let world = unverified(json!({ "guard": guard() })).await?;
    world.stack(|stack| {
        stack.would_change = vec![Change::nested_stack("Services", stack.would_change.clone())];
    });
    let image = Image::oci("new", COMMIT);
    world.push(&image, &["latest"]).await;
    assert_eq!(world.answer(&world.pushed(&image)).await["outcome"], "promoted");
    Some(world)
}

/// An update fails in a stack with so many resources that its events do not reach back to its start.
async fn long_update() -> Option<World> {
    let world = unverified(json!({})).await?;
    let image = Image::oci("new", COMMIT);
    world.push(&image, &["latest"]).await;
    assert_eq!(world.answer(&world.pushed(&image)).await["outcome"], "promoted");
    world.stack(Stack::fail_long_update);
    assert_eq!(world.answer(&world.stack_changed("web")).await["outcome"], "failed");
    Some(world)
}

/// ECS runs what was promoted.
async fn services() -> Option<World> {
    let world = verification::world_with_service().await?;
    verification::deploy(&world, &Image::build(0)).await;
    world.answer(&world.event("scheduled.json")).await;
    Some(world)
}

/// A service whose tasks say what runs.
async fn tasks() -> Option<World> {
    let world = verification::world_with_service().await?;
    world.service("web", |service| service.controller = Controller::External);
    verification::deploy(&world, &Image::build(0)).await;
    Some(world)
}

/// Messages go to Slack, which cannot reach the function.
async fn only_posts() -> Option<World> {
    let world = World::with_repository("IMMUTABLE_WITH_EXCLUSION").await?;
    world.configure_slack(json!({})).await;
    world.delete_parameter("/ecr-promoter/public-url").await;
    let image = Image::oci("new", COMMIT);
    world.push(&image, &["latest"]).await;
    assert_eq!(world.answer(&world.pushed(&image)).await["outcome"], "approval_requested");
    let message = world.slack.messages().pop().expect("a message");
    assert!(message.buttons().is_empty(), "nobody would hear a click");
    assert!(message.text().contains("PublicUrl=on"), "{}", message.text());
    Some(world)
}

/// A mail's link decides, and the board shows all apps.
async fn links_and_board() -> Option<World> {
    let world = World::with_repository("IMMUTABLE_WITH_EXCLUSION").await?;
    let link = door::asked_by_link(&world, &Image::oci("new", COMMIT)).await;
    let decide = door::http("POST", &link, "decision=approve&name=Alice", false);
    assert_eq!(door::status(&world, &decide).await, 200);
    let board = world.answer(&json!({ "action": "board" })).await;
    let path = board["url"].as_str().expect("a link").split(door::HOST).nth(1).expect("a path");
    assert_eq!(door::status(&world, &door::http("GET", path, "", false)).await, 200);
    Some(world)
}

/// People are asked in Slack, click, and command.
async fn slack() -> Option<World> {
    let world = World::with_repository("IMMUTABLE_WITH_EXCLUSION").await?;
    world.configure_slack(json!({})).await;
    let image = Image::oci("new", COMMIT);
    world.push(&image, &["latest"]).await;
    assert_eq!(world.answer(&world.pushed(&image)).await["outcome"], "approval_requested");
    let message = world.slack.messages().pop().expect("a message");
    let click = Click::new(&world, "U024BE7LH", "approve", &message.button("approve"));
    assert_eq!(world.answer(&click.event(&world)).await["statusCode"], 200);
    assert_eq!(world.answer(&slash(&world, "U024BE7LH", "status web")).await["statusCode"], 200);
    Some(world)
}

/// Alarms are watched after a promotion.
async fn alarms() -> Option<World> {
    let world = verification::world_with_service().await?;
    lock(&world.cloud.cloudwatch).alarms = vec![Alarm::new("web-5xx")];
    let bake = json!({ "minutes": 60, "alarms": ["web-5xx"], "on_alarm": "rollback" });
    world.configure("web", &json!({ "stack": "web", "mode": "auto", "bake": bake })).await;
    verification::deploy(&world, &Image::build(0)).await;
    world.answer(&world.event("scheduled.json")).await;
    Some(world)
}

/// The stack is in another account.
async fn another_account() -> Option<World> {
    let world = targets::world_elsewhere(json!({})).await?;
    let image = Image::oci("new", COMMIT);
    world.push(&image, &["latest"]).await;
    assert_eq!(world.answer(&world.pushed(&image)).await["outcome"], "promoted");
    Some(world)
}
