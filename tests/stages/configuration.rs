//! Configurations of stages that cannot be.

use serde_json::json;

use super::steps::{add, stack_id, two_stages};
use super::support::payloads::event;
use super::support::world::Memory;

#[track_caller]
fn fails_with(world: &Memory, words: &[&str]) {
    let error = world.invoke(&event("scheduled"), "tick").expect_err("a wrong configuration");
    let error = error.to_string();
    for word in words {
        assert!(error.contains(word), "{word}: {error}");
    }
}

#[test]
fn a_circle_names_both() {
    let world = Memory::new("auto");
    for (name, after) in [("web-a", "web-b"), ("web-b", "web-a")] {
        let config = json!({ "repository": "web", "stack": name, "after": { "app": after } });
        world.add_app(name, &stack_id(name), config);
    }
    fails_with(&world, &["`after.app`", "`web-a`", "`web-b`", "no circle"]);
}

#[test]
fn an_app_that_is_not_configured_is_named() {
    let world = Memory::new("auto");
    let config =
        json!({ "repository": "web", "stack": "web-us", "after": { "app": "web-stagin" } });
    world.add_app("web-us", &stack_id("web-us"), config);
    fails_with(
        &world,
        &["/ecr-promoter/apps/web-us", "`after.app`", "`web-stagin` is not configured"],
    );
}

#[test]
fn people_are_told_once_and_break_the_glass_all_the_same() {
    let world = two_stages("auto");
    let broken = json!({
        "repository": "web", "stack": "web-us", "after": { "app": "nobody" },
        "commit_from": ["annotation"],
    });
    world.at("web-us").get_mut().config = broken;
    for _ in 0..2 {
        fails_with(&world, &["nobody"]);
    }
    let told = world.get().told.iter().filter(|notice| notice.reason.contains("nobody")).count();
    assert_eq!(told, 1);
    let digest = world.push("aaaaaaa");
    let answer = super::steps::command(&world, &format!("promote web-us {digest}"));
    assert_eq!(answer["outcome"], "promoted", "{answer}");
}

#[test]
fn a_stage_of_another_repository_is_refused() {
    let world = Memory::new("auto");
    let other = json!({ "stack": "shop" });
    world.add_app("shop", &stack_id("shop"), other);
    let config = json!({ "repository": "web", "stack": "web-us", "after": { "app": "shop" } });
    world.add_app("web-us", &stack_id("web-us"), config);
    fails_with(&world, &["promotes the repository `shop`"]);
    add(&world, "web-eu", "auto", "web", 0);
}
