//! What takes a minute by the function's own clock. These tests come first by name, so they begin
//! first and the others run meanwhile.

use std::time::Duration;

use serde_json::json;

use super::door::{HOST, asked_by_link, http, status};
use super::fault::{At, Fault, When};
use super::faults::{fail, operations};
use super::image::Image;
use super::journey::{TRIGGERS, at_once};
use super::slack::asked;
use super::slack_request::{signed_with, slash_body};
use super::world::{COMMIT, SIGNING_SECRET, World};

/// A secret may be changed while the process lives: it reads it again, at most once a minute.
#[tokio::test]
async fn a_changed_signing_secret_is_known_within_a_minute_without_a_restart() {
    let Some((world, _)) = asked(json!({})).await else { return };
    let help = |key: &str| {
        signed_with(&world, "/slack/commands", &slash_body(&world, "UALICE", "help"), key)
    };
    assert_eq!(world.answer(&help(SIGNING_SECRET)).await["statusCode"], 200);
    world
        .put_parameter("/ecr-promoter/slack/signing-secret", "SecureString", "the-next-secret")
        .await;
    world.cloud.forget_calls();
    assert_eq!(world.answer(&help("the-next-secret")).await["statusCode"], 401);
    assert_eq!(world.cloud.ops(), [""; 0], "it was read less than a minute ago");

    // Not a wait for something to happen: the minute is the process's own clock.
    tokio::time::sleep(Duration::from_secs(61)).await;

    assert_eq!(world.answer(&help("a guess")).await["statusCode"], 401);
    assert_eq!(world.answer(&help("the-next-secret")).await["statusCode"], 200);
    for _ in 0..5 {
        assert_eq!(world.answer(&help(SIGNING_SECRET)).await["statusCode"], 401, "the old one");
    }
    assert_eq!(world.cloud.count("ssm:GetParameter"), 1, "one further read a minute");
}

/// Requests from strangers keep no old secret alive.
#[tokio::test]
async fn a_minute_after_they_were_replaced_or_deleted_secrets_are_dead_used_or_not() {
    let Some(world) = World::new().await else { return };
    let link = asked_by_link(&world, &Image::oci("new", COMMIT)).await;
    let board = world.answer(&json!({ "action": "board" })).await["url"]
        .as_str()
        .expect("a link")
        .to_owned();
    let board =
        board.strip_prefix(&format!("https://{HOST}")).expect("at the public address").to_owned();
    let help = |world: &World, key: &str| {
        signed_with(world, "/slack/commands", &slash_body(world, "UALICE", "help"), key)
    };
    assert_eq!(status(&world, &help(&world, SIGNING_SECRET)).await, 200);
    assert_eq!(status(&world, &http("GET", &board, "", false)).await, 200);
    world
        .put_parameter("/ecr-promoter/slack/signing-secret", "SecureString", "the-next-secret")
        .await;
    world.delete_parameter("/ecr-promoter/link-secret").await;

    // Not a wait for something to happen: the minute is the process's own clock. Strangers keep it
    // busy meanwhile.
    for _ in 0..6 {
        status(&world, &help(&world, "a guess")).await;
        status(&world, &http("GET", &board, "", false)).await;
        tokio::time::sleep(Duration::from_millis(10_050)).await;
    }

    assert_eq!(status(&world, &help(&world, SIGNING_SECRET)).await, 401);
    assert_eq!(status(&world, &help(&world, "the-next-secret")).await, 200);
    for path in [&board, &link] {
        assert_eq!(status(&world, &http("GET", path, "", false)).await, 404);
    }
}

/// The function repeats a throttled call until shortly before its time is over. Lambda's retry
/// carries on.
#[tokio::test]
async fn an_operation_that_is_throttled_for_a_whole_invocation_stops_nothing() {
    let mut cases = vec![];
    for trigger in TRIGGERS {
        let Some(ops) = operations(trigger).await else { return };
        for op in ops {
            for when in [When::Before, When::After] {
                cases.push((trigger, At::Every(op.clone()), Fault::Throttled(when)));
            }
        }
    }
    at_once(cases, async |(trigger, at, fault)| fail(trigger, at, fault).await).await;
}
