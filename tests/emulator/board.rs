//! The board of the real process: a hundred apps in a second, by few calls, and its link in no log.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::{Value, json};

use super::cloudformation::{Parameter, Stack};
use super::image::Image;
use super::world::{FIRST_TAG, World};

const APPS: usize = 100;

async fn add_app(world: &World, name: &str) {
    world.cloud.registry.create(name, "MUTABLE").await;
    world.cloud.registry.push(name, &Image::docker(name, None), &["latest", FIRST_TAG]).await;
    world.configure(name, &json!({ "stack": name, "mode": "auto" })).await;
    world.add_stack(Stack::new(name, vec![Parameter::new("ProductionTag", FIRST_TAG)]));
}

/// A world with what links need, and the path of a board in it.
async fn with_board(world: &World) -> String {
    world
        .put_parameter(
            "/ecr-promoter/link-secret",
            "SecureString",
            "link-secret-0c7e-0123456789abcdef0123",
        )
        .await;
    world.put_parameter("/ecr-promoter/public-url", "String", "https://promoter.example/").await;
    let answer = world.answer(&json!({ "action": "board" })).await;
    let url = answer["url"].as_str().unwrap_or_else(|| panic!("no link: {answer}"));
    url.strip_prefix("https://promoter.example").expect("at the public address").to_owned()
}

async fn get(world: &World, path: &str) -> Value {
    let context = json!({ "http": { "method": "GET" } });
    world
        .answer(&json!({
            "version": "2.0", "rawPath": path, "rawQueryString": "", "requestContext": context,
        }))
        .await
}

#[tokio::test]
async fn a_hundred_apps_are_listed_in_a_second_and_by_few_calls() {
    let Some(world) = World::new().await else { return };
    let names: Vec<String> = (1..APPS).map(|n| format!("web-{n:03}")).collect();
    futures_util::stream::iter(&names).for_each_concurrent(16, |name| add_app(&world, name)).await;
    world.answer(&world.event("scheduled.json")).await;
    // One of them is at work.
    let image = Image::build(0);
    world.push(&image, &["latest"]).await;
    world.answer(&world.pushed(&image)).await;
    let board = with_board(&world).await;

    let mut fastest = Duration::MAX;
    for load in 0..3 {
        world.cloud.forget_calls();
        let began = Instant::now();
        let page = get(&world, &board).await;
        fastest = fastest.min(began.elapsed());
        assert_eq!(page["statusCode"], 200);
        let body = page["body"].as_str().expect("a page");
        assert!(names.iter().all(|name| body.contains(&format!("/app/{name}\""))), "{body}");
        assert!(body.contains("Updating"), "{body}");
        let lists = if load == 0 { APPS / 10 } else { 0 };
        let count = |op: &str| world.cloud.count(op);
        assert_eq!(
            (count("dynamodb:BatchGetItem"), count("cloudformation:DescribeStacks")),
            (1, 1),
            "load {load}"
        );
        assert!(
            count("ssm:GetParametersByPath") <= lists + 1,
            "load {load}: {:?}",
            world.cloud.ops()
        );
        assert!(world.cloud.ops().len() <= lists + 4, "load {load}: {:?}", world.cloud.ops());
    }
    assert!(fastest < Duration::from_secs(1), "{fastest:?}");
}

/// The hidden fields of a page's form, as a browser sends them.
fn hidden_fields(page: &str) -> String {
    let field = |input: &str| {
        let (name, rest) = input.split_once('"').expect("a name");
        let value = rest.split_once("value=\"").and_then(|(_, rest)| rest.split_once('"'));
        format!("{name}={}", value.expect("a value").0)
    };
    let inputs = page.split("<input type=\"hidden\" name=\"").skip(1);
    inputs.map(field).collect::<Vec<_>>().join("&")
}

#[tokio::test]
async fn a_board_rolls_back_and_its_link_is_in_no_log() {
    let Some(world) = World::new().await else { return };
    for build in 0..2 {
        world.deploy(&Image::build(build)).await;
    }
    let board = with_board(&world).await;
    let act = format!("{board}/act/rollback/web");
    let page = get(&world, &act).await;
    let fields = hidden_fields(page["body"].as_str().expect("a page"));
    let form = json!({
        "version": "2.0",
        "rawPath": act,
        "rawQueryString": "",
        "headers": {
            "host": "promoter.example", "origin": "https://promoter.example",
            "sec-fetch-site": "same-origin",
        },
        "requestContext": { "http": { "method": "POST" } },
        "body": fields,
    });
    for _ in 0..2 {
        assert_eq!(world.answer(&form).await["statusCode"], 200);
    }
    world.settle().await;
    world.assert_in_production(&Image::build(0)).await;
    assert_eq!(world.updates(), 3, "the form that was sent twice is one update");
    let token = board.rsplit('/').next().expect("a token");
    // The answers, which carry it, are noted there too; a line of the log itself has a time.
    let logs = world.logs.text();
    let mut lines = logs.lines().filter(|line| line.contains(r#""timestamp":"#)).peekable();
    assert!(lines.peek().is_some());
    assert!(
        lines
            .all(|line| !line.contains(token)
                && !line.contains("link-secret-0c7e-0123456789abcdef0123")),
        "the link is in the log: {logs}"
    );
}
