//! Reports: they change nothing.

use serde_json::json;

use crate::support::payloads::{event, push_event};
use crate::support::steps::{answers, push};
use crate::support::world::Memory;

#[test]
fn reports_change_nothing() {
    let world = Memory::new("approval");
    let digest = world.push("abc1234");
    let plan = world.invoke(&event("command-plan"), "request").expect("a plan");
    assert_eq!(
        (&plan["would"], &plan["tag"], &plan["digest"]),
        (&json!("promoted"), &json!("production_abc1234"), &json!(digest))
    );
    let status = world.invoke(&event("command-status"), "request").expect("a status");
    assert_eq!(
        (&status["running"]["tag"], &status["newest"]["digest"]),
        (&json!("production_old"), &json!(digest))
    );
    let history = world.invoke(&event("command-history"), "request").expect("a history");
    assert_eq!(history["promotions"], json!([]));
    let inner = world.get();
    assert!(
        inner.state.is_none()
            && inner.commands.is_empty()
            && inner.updates.is_empty()
            && inner.told.is_empty()
    );
}

#[test]
fn history_tells_what_by_whom_and_how_it_ended() {
    let world = Memory::new("auto");
    for commit in ["aaaaaaa", "bbbbbbb"] {
        let digest = push(&world, commit, "promoted");
        world.finish_update();
        answers(&world, &push_event(&digest), "unchanged");
    }
    push(&world, "ccccccc", "promoted");
    let history = world.invoke(&event("command-history"), "request").expect("a history");
    let told: Vec<String> = history["promotions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|p| {
            format!(
                "{} {} by {}",
                p["commit"].as_str().expect("a commit"),
                p["outcome"].as_str().expect("an outcome"),
                p["by"]
            )
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    ccccccc promoted by "push of `latest`"
    bbbbbbb deployed by "push of `latest`"
    aaaaaaa deployed by "push of `latest`"
    "#);
}
