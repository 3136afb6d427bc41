//! Who a session is for, and how long it is kept.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    assert_assumed_right, assert_credentials, assumed, configure, identities, push, stack,
    stack_changed, target, updates, world_elsewhere,
};
use crate::emulator::cloud::lock;
use crate::emulator::door::{asked_by_link_about, http, status};
use crate::emulator::fake_slack::CHANNEL;
use crate::emulator::image::Image;
use crate::emulator::slack_request::{Click, slash};
use crate::emulator::world::{COMMIT, OLDER_COMMIT, World};

const UPDATE: &str = "cloudformation:UpdateStack";

fn slack() -> Value {
    json!({ "mode": "approval", "approval": { "slack_channel": CHANNEL } })
}

/// The app is asked about in Slack, and an image waits for approval.
async fn asked() -> Option<(World, Image)> {
    let world = world_elsewhere(slack()).await?;
    world.connect_slack().await;
    let image = Image::oci("new", COMMIT);
    assert_eq!(push(&world, &image).await["outcome"], "approval_requested");
    Some((world, image))
}

async fn approve(world: &World, user: &str) {
    let question = world.slack.messages().pop().expect("a question");
    let click = Click::new(world, user, "approve", &question.button("approve")).event(world);
    assert_eq!(world.answer(&click).await["statusCode"], 200);
}

fn who(name: &str) -> Vec<Option<String>> {
    vec![Some(name.to_owned())]
}

#[tokio::test]
async fn one_session_is_assumed_for_each_identity_of_a_warm_process() {
    let Some(world) = world_elsewhere(json!({})).await else { return };
    let first = Image::oci("first", OLDER_COMMIT);
    push(&world, &first).await;
    assert_eq!(identities(&world, UPDATE), who("ecr-promoter"));
    stack(&world, |stack| stack.finish_update());
    for _ in 0..3 {
        world.answer(&stack_changed(&world)).await;
        world.answer(&world.event("scheduled.json")).await;
    }
    assert_eq!(assumed(&world).len(), 1, "pushes, events and the schedule share one");
    for message in ["hold web", "resume web", "rollback web"] {
        world.answer(&world.sns(message)).await;
    }
    world.answer(&json!({ "action": "reconcile", "app": "web" })).await;
    let assumed = assumed(&world);
    for (call, identity) in assumed.iter().zip(["ecr-promoter", "sns", "direct"]) {
        assert_assumed_right(call, identity);
    }
    assert_eq!(assumed.len(), 3);
    assert_eq!(identities(&world, UPDATE).pop(), Some(Some("sns".to_owned())), "the rollback");
    assert_credentials(&world);
    world.restart().await;
    world.answer(&world.event("scheduled.json")).await;
    assert_eq!(super::assumed(&world).len(), 4, "a cold process knows none");
}

#[tokio::test]
async fn apps_with_the_same_role_share_a_session() {
    let Some(world) = world_elsewhere(json!({})).await else { return };
    for name in ["web-b", "web-c"] {
        let config =
            json!({ "repository": "web", "stack": "web", "mode": "auto", "target": target() });
        world.configure(name, &config).await;
    }
    world.answer(&world.event("scheduled.json")).await;
    assert_eq!(assumed(&world).len(), 1);
}

#[tokio::test]
async fn an_expired_session_is_replaced() {
    let Some(world) = world_elsewhere(json!({})).await else { return };
    // It is used until five minutes before its end.
    lock(&world.cloud.sts).lifetime = Duration::from_secs(5 * 60 + 3);
    world.answer(&world.event("scheduled.json")).await;
    let before = assumed(&world).len();
    tokio::time::sleep(Duration::from_secs(4)).await;
    push(&world, &Image::oci("new", COMMIT)).await;
    assert!(assumed(&world).len() > before);
    assert_eq!(updates(&world), 1);
    assert_credentials(&world);
}

#[tokio::test]
async fn a_click_in_slack_is_sent_with_that_persons_session() {
    let Some((world, _)) = asked().await else { return };
    approve(&world, "UALICE").await;
    assert_eq!(identities(&world, UPDATE), who("UALICE"));
    assert_assumed_right(assumed(&world).last().expect("a session"), "UALICE");
    assert_credentials(&world);
}

#[tokio::test]
async fn a_slash_command_is_sent_with_its_writers_session() {
    let Some((world, _)) = asked().await else { return };
    let answer = world.answer(&slash(&world, "UBOB", "web")).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(identities(&world, UPDATE), who("UBOB"));
}

#[tokio::test]
async fn an_approval_that_waited_behind_a_busy_stack_is_still_that_persons() {
    let Some((world, _)) = asked().await else { return };
    stack(&world, |stack| stack.start_foreign_update());
    approve(&world, "UALICE").await;
    assert_eq!(world.cloud.count(UPDATE), 0);
    stack(&world, |stack| stack.finish_update());
    // Another process, which has seen no click.
    world.restart().await;
    world.cloud.forget_calls();
    let answer = world.answer(&stack_changed(&world)).await;
    assert_eq!(answer["outcome"], "promoted", "{answer}");
    assert_eq!(identities(&world, UPDATE), who("UALICE"));
    assert_eq!(
        identities(&world, "cloudformation:DescribeStacks")[0].as_deref(),
        Some("ecr-promoter")
    );
    assert_credentials(&world);
}

#[tokio::test]
async fn a_person_whose_session_is_refused_later_changes_nothing() {
    let Some((world, _)) = asked().await else { return };
    stack(&world, |stack| stack.start_foreign_update());
    approve(&world, "UALICE").await;
    stack(&world, |stack| stack.finish_update());
    world.restart().await;
    lock(&world.cloud.sts).denied.insert("UALICE".to_owned());
    world.cloud.forget_calls();
    let error = world.invoke(&stack_changed(&world)).await.expect_err("denied").message;
    assert!(error.contains(super::ROLE) && error.contains("sts:SetSourceIdentity"), "{error}");
    for op in ["dynamodb:PutItem", "dynamodb:TransactWriteItems", "ecr:PutImage", UPDATE] {
        assert_eq!(world.cloud.count(op), 0, "{op}");
    }
    lock(&world.cloud.sts).denied.clear();
    world.restart().await;
    assert_eq!(world.answer(&stack_changed(&world)).await["outcome"], "promoted");
    assert_eq!(identities(&world, UPDATE), who("UALICE"));
}

#[tokio::test]
async fn a_link_is_nobodys_session_in_particular() {
    let Some(world) = world_elsewhere(json!({ "mode": "approval" })).await else { return };
    let image = Image::oci("new", COMMIT);
    let link = asked_by_link_about(&world, &image).await;
    let decide = http("POST", &link, "decision=approve&name=Alice", false);
    assert_eq!(status(&world, &decide).await, 200);
    assert_eq!(identities(&world, UPDATE), who("link"));
    assert_credentials(&world);
}

#[tokio::test]
async fn a_changed_target_is_told_once() {
    let Some(world) = world_elsewhere(json!({})).await else { return };
    world.answer(&world.event("scheduled.json")).await;
    configure(&world, json!({ "target": super::registry::target() })).await;
    world.restart().await;
    for _ in 0..3 {
        world.answer(&world.event("scheduled.json")).await;
    }
    let told: Vec<String> = world.told().iter().map(Value::to_string).collect();
    let changed = told.iter().filter(|told| told.contains("called with: ")).count();
    assert_eq!(changed, 1, "{told:#?}");
}
