//! Weak secrets. What becomes of replaced ones is in `a_minute`.

use serde_json::json;

use super::{LINK_SECRET, asked_by_link, http, status};
use crate::emulator::image::Image;
use crate::emulator::slack_request::slash;
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
