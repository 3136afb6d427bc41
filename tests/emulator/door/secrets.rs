//! Secrets: weak ones, and ones that were replaced.

use std::time::Duration;

use serde_json::json;

use super::{HOST, LINK_SECRET, asked_by_link, http, status};
use crate::emulator::image::Image;
use crate::emulator::slack_request::{signed_with, slash, slash_body};
use crate::emulator::world::{COMMIT, SIGNING_SECRET, World};

#[tokio::test]
async fn a_secret_in_plain_text_or_a_short_key_closes_the_door_and_the_error_says_the_mend() {
    let Some(world) = World::new().await else { return };
    let link = asked_by_link(&world, &Image::oci("new", COMMIT)).await;
    let board = json!({ "action": "board" });
    assert!(world.answer(&board).await["url"].is_string());

    world.delete_parameter("/ecr-promoter/link-secret").await;
    world.put_parameter("/ecr-promoter/link-secret", "String", LINK_SECRET).await;
    world.restart().await;
    let error = world.invoke(&board).await.expect_err("no link").message;
    for words in ["/ecr-promoter/link-secret", "SecureString", "aws ssm delete-parameter"] {
        assert!(error.contains(words), "{words} is not in {error}");
    }
    assert_eq!(
        status(&world, &http("POST", &link, "decision=approve&name=Alice", false)).await,
        500
    );

    world.delete_parameter("/ecr-promoter/link-secret").await;
    world
        .put_parameter(
            "/ecr-promoter/link-secret",
            "SecureString",
            &format!("{LINK_SECRET}\nshort"),
        )
        .await;
    world.restart().await;
    let error = world.invoke(&board).await.expect_err("no link").message;
    for words in
        ["/ecr-promoter/link-secret", "line 2", "fewer than 32 characters", "openssl rand -hex 32"]
    {
        assert!(error.contains(words), "{words} is not in {error}");
    }
    assert_eq!(
        status(&world, &http("POST", &link, "decision=approve&name=Alice", false)).await,
        500
    );

    world.delete_parameter("/ecr-promoter/slack/signing-secret").await;
    world.put_parameter("/ecr-promoter/slack/signing-secret", "String", SIGNING_SECRET).await;
    world.restart().await;
    assert_eq!(status(&world, &slash(&world, "UALICE", "help")).await, 500);
    assert!(
        world.logs.text().contains(
            "Parameter Store /ecr-promoter/slack/signing-secret: expected a SecureString"
        )
    );
    assert_eq!(world.updates(), 0);
}

/// 135 s after both were replaced the old signature and the old board still worked, while strangers
/// kept knocking.
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
