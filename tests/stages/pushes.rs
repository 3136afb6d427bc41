//! One push, and several apps of its repository.

use serde_json::json;

use super::steps::{add, command, finish, push, three_stages, two_stages, updates, value};
use super::support::world::Memory;

#[test]
fn a_push_means_nothing_to_an_app_that_comes_after_another() {
    let world = two_stages("auto");
    let (_, answer) = push(&world, "aaaaaaa");
    assert_eq!((&answer["outcome"], &answer["app"]), (&json!("promoted"), &json!("web")));
    assert_eq!(answer["repository"], "web");
    assert_eq!((updates(&world, "web"), updates(&world, "web-us")), (1, 0));
}

#[test]
fn a_push_of_apps_side_by_side_is_one_look_at_each() {
    let world = Memory::new("auto");
    for name in ["web-b", "web-c"] {
        let config = json!({
            "repository": "web", "stack": name, "mode": "auto", "commit_from": ["annotation"],
        });
        world.add_app(name, &super::steps::stack_id(name), config);
    }
    let (_, answer) = push(&world, "aaaaaaa");
    let results = answer["results"].as_array().expect("several");
    let apps: Vec<_> = results.iter().map(|one| one["app"].as_str().expect("a name")).collect();
    assert_eq!(apps, ["web", "web-b", "web-c"]);
    assert!(results.iter().all(|one| one["outcome"] == "promoted" && one["repository"] == "web"));
    for name in apps {
        assert_eq!((updates(&world, name), value(&world, name)), (1, "production_aaaaaaa".into()));
    }
}

#[test]
fn an_app_that_fails_stops_no_other() {
    let world = Memory::new("auto");
    let broken = json!({ "repository": "web", "stack": "web-b", "parameter": "Missing" });
    world.add_app("web-b", &super::steps::stack_id("web-b"), broken);
    let digest = world.push("aaaaaaa");
    let error = world
        .invoke(&super::support::payloads::push_event(&digest), "push")
        .expect_err("one of them fails")
        .to_string();
    assert!(error.contains("`web-b`") && error.contains("Missing"), "{error}");
    assert_eq!(value(&world, "web"), "production_aaaaaaa");
}

#[test]
fn the_repository_is_the_older_name_of_its_only_app() {
    let world = Memory::new("auto");
    let of = |world: &Memory, name: &str| {
        let payload = json!({ "action": "status", "repository": name });
        world.invoke(&payload, "request")
    };
    let config = json!({ "repository": "shop", "stack": "shop" });
    world.add_app("shop-us", &super::steps::stack_id("shop"), config.clone());
    assert_eq!(of(&world, "shop").expect("an answer")["app"], "shop-us");
    world.add_app("shop-eu", &super::steps::stack_id("shop"), config);
    let error = of(&world, "shop").expect_err("two apps").to_string();
    assert!(error.contains("`shop-eu`, `shop-us`"), "{error}");
    // An app of that name comes first.
    add(&world, "web-us", "auto", "web", 0);
    assert_eq!(of(&world, "web").expect("an answer")["app"], "web");
    let both = json!({ "action": "status", "app": "web", "repository": "shop" });
    let answer = world.invoke(&both, "request").expect("an answer");
    assert_eq!(answer["outcome"], "refused", "{answer}");
}

#[test]
fn one_push_goes_through_three_stages() {
    let world = three_stages();
    push(&world, "aaaaaaa");
    finish(&world, "web");
    for (name, minutes) in [("web-us", 65), ("web-eu", 35)] {
        super::steps::wait(&world, minutes);
        super::steps::tick(&world);
        assert_eq!(value(&world, name), "production_aaaaaaa", "{name}");
        finish(&world, name);
    }
    for name in ["web", "web-us", "web-eu"] {
        assert_eq!(updates(&world, name), 1, "{name}");
    }
}

#[test]
fn a_named_image_goes_past_the_stages() {
    let world = two_stages("approval");
    let digest = world.push("aaaaaaa");
    let answer = command(&world, &format!("promote web-us {digest}"));
    assert_eq!(answer["outcome"], "promoted", "{answer}");
    let held = super::steps::state(&world, "web-us").hold.expect("a hold");
    assert!(held.reason.contains("is not the newest image that has run in `web`"), "{held:?}");
}
