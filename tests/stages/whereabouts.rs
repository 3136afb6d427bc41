//! Reports about all apps: `status` without an app, and `where`.

use serde_json::{Value, json};

use super::steps::{in_staging, three_stages, tick, wait};
use super::support::world::Memory;

fn asked(world: &Memory, payload: &Value) -> Value {
    let writes =
        |world: &Memory| world.get().calls.iter().filter(|call| *call == "SaveState").count();
    let before = writes(world);
    let answer = world.invoke(payload, "request").expect("an answer");
    assert_eq!(writes(world), before, "it only looks");
    answer
}

#[test]
fn where_follows_a_commit_through_its_stages() {
    let world = three_stages();
    let digest = in_staging(&world, "aaaaaaa");
    let found = |world: &Memory, payload: Value| {
        let answer = asked(world, &payload);
        let results = answer["results"].as_array().expect("a list").clone();
        let line = |one: &Value| {
            format!(
                "{} {}",
                one["app"].as_str().expect("a name"),
                one["stage"].as_str().expect("how")
            )
        };
        results.iter().map(line).collect::<Vec<_>>()
    };
    let by_commit = || json!({ "action": "where", "commit": "aaaaaaa" });
    assert_eq!(found(&world, by_commit()), ["web running", "web-us soaking"]);
    let by_digest = json!({ "action": "where", "digest": digest.as_str() });
    assert_eq!(found(&world, by_digest), ["web running", "web-us soaking"]);
    wait(&world, 65);
    tick(&world);
    assert_eq!(found(&world, "where aaaaaaa".into()), ["web running", "web-us deploying"]);
    assert_eq!(found(&world, "where bbbbbbb".into()), [""; 0]);
}

#[test]
fn a_status_without_an_app_lists_all_of_them() {
    let world = three_stages();
    in_staging(&world, "aaaaaaa");
    let broken = json!({ "repository": "web", "stack": "web-x", "after": { "app": "web-x" } });
    world.add_app("web-x", &super::steps::stack_id("web-x"), broken);
    for payload in [json!({ "action": "status" }), json!("status")] {
        let answer = asked(&world, &payload);
        let results = answer["results"].as_array().expect("a list");
        let apps: Vec<&Value> = results.iter().map(|one| &one["app"]).collect();
        assert_eq!(apps, ["web", "web-eu", "web-us", "web-x"]);
        assert_eq!(results[0]["running"]["commit"], "aaaaaaa", "{answer:#}");
        assert_eq!(results[2]["soaking"]["commit"], "aaaaaaa", "{answer:#}");
        assert_eq!(results[3]["outcome"], "refused");
        let reason = results[3]["reason"].as_str().expect("a reason");
        assert!(reason.contains("`after.app`"), "{reason}");
    }
}
