//! Links, and boards.

use serde_json::json;

use super::{HOST, asked_by_link, http, status};
use crate::emulator::fake_slack::BOT_TOKEN;
use crate::emulator::image::Image;
use crate::emulator::slack_request::slash;
use crate::emulator::world::{COMMIT, World};

#[tokio::test]
async fn a_link_decides_at_its_own_address_once_and_keeps_where_it_was_used() {
    let Some(world) = World::new().await else { return };
    let image = Image::oci("new", COMMIT);
    let link = asked_by_link(&world, &image).await;
    let decide = |name: &str| http("POST", &link, &format!("decision=approve&name={name}"), false);
    for name in ["", "%20", "%E2%80%8B"] {
        assert_eq!(status(&world, &decide(name)).await, 400, "{name:?}");
    }
    // Another deployment with the same key.
    world.put_parameter("/ecr-promoter/public-url", "String", "https://another.example/").await;
    world.restart().await;
    assert_eq!(status(&world, &decide("Alice")).await, 404);
    assert_eq!(world.updates(), 0);
    world.put_parameter("/ecr-promoter/public-url", "String", &format!("https://{HOST}/")).await;
    world.restart().await;

    let name = format!("Alice%E2%80%AE{}", "x".repeat(3_000));
    assert_eq!(status(&world, &decide(&name)).await, 200);

    world.assert_runs(&image, "by a link").await;
    let report = world.answer(&json!({ "action": "status", "repository": "web" })).await;
    let vote = &report["request"]["votes"][0];
    assert!(
        vote["by"].as_str().is_some_and(|by| by.ends_with("… (claimed, by the approval link)")),
        "{vote}"
    );
    assert_eq!(vote["trace"], json!({ "address": "198.51.100.23", "agent": "curl/8.5.0" }));
    world.answer(&world.event("cfn-update-complete.json")).await;
    let history = world.answer(&json!({ "action": "history", "repository": "web" })).await;
    assert_eq!(history["promotions"][0]["votes"][0]["trace"]["address"], "198.51.100.23");
    let mail = world
        .told()
        .iter()
        .map(|told| told["Message"].as_str().unwrap_or_default().to_owned())
        .collect::<String>();
    assert!(
        mail.contains("(claimed, by the approval link)") && !mail.contains('\u{202e}'),
        "{mail}"
    );
    assert!(!world.logs.text().contains('\u{202e}'));
    let board = world.answer(&json!({ "action": "board" })).await["url"]
        .as_str()
        .expect("a link")
        .to_owned();
    let page = world
        .answer(&http(
            "GET",
            &format!("{}/app/web", &board[format!("https://{HOST}").len()..]),
            "",
            false,
        ))
        .await;
    let page = page["body"].as_str().expect("a page");
    assert!(
        page.contains("198.51.100.23") && page.contains("curl/8.5.0") && !page.contains('\u{202e}'),
        "{page}"
    );
}

#[tokio::test]
async fn a_replayed_command_gets_no_second_board_and_a_session_that_is_gone_ends_its_board() {
    let Some(world) = World::new().await else { return };
    asked_by_link(&world, &Image::oci("new", COMMIT)).await;
    world.put_parameter("/ecr-promoter/slack/bot-token", "SecureString", BOT_TOKEN).await;
    let command = slash(&world, "UALICE", "board");
    let first = world.answer(&command).await["body"].as_str().expect("a body").to_owned();
    let path = first
        .split_once(&format!("https://{HOST}"))
        .expect("a link")
        .1
        .trim_end_matches(['"', '}']);
    let path = path.split('"').next().expect("a path").to_owned();
    for fresh in [false, true] {
        if fresh {
            world.restart().await;
        }
        let again = world.answer(&command).await["body"].as_str().expect("a body").to_owned();
        assert!(again.contains("it gives only one") && !again.contains("/board/"), "{again}");
    }
    let page = world.answer(&http("GET", &path, "", false)).await;
    assert!(page["body"].as_str().is_some_and(|body| body.contains("UALICE")), "{page}");

    world.forget_sessions().await;

    assert_eq!(status(&world, &http("GET", &path, "", false)).await, 404);
}
