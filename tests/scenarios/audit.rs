//! The audit and the history: each page continues where the one before ended.

use serde_json::{Value, json};

use crate::support::payloads::push_event;
use crate::support::steps::{answers, command, push};
use crate::support::world::Memory;

/// Follows `next` until there is none; the records of all pages.
fn pages(world: &Memory, command: &Value, list: &str) -> (usize, Vec<Value>) {
    let (mut all, mut after, mut count) = (Vec::new(), Value::Null, 0);
    loop {
        let mut payload = command.clone();
        if !after.is_null() {
            payload["after"] = after;
        }
        let page = world.invoke(&payload, "request").expect("a page");
        all.extend(page[list].as_array().expect("a list").clone());
        count += 1;
        after = page["next"].clone();
        if after.is_null() {
            return (count, all);
        }
    }
}

fn deploy(world: &Memory, commit: &str) {
    let digest = push(world, commit, "promoted");
    world.finish_update();
    answers(world, &push_event(&digest), "unchanged");
}

#[test]
fn the_audit_says_who_decided_and_by_what_proof() {
    let world = Memory::new("approval");
    push(&world, "aaaaaaa", "approval_requested");
    command(&world, "hold web release freeze", "held");
    command(&world, "approve web aaaaaaa", "promoted");
    world.finish_update();
    command(&world, "resume web", "resumed");
    let (_, records) = pages(&world, &json!({ "action": "audit", "app": "web" }), "records");
    let kinds: Vec<(&str, &str)> = records
        .iter()
        .map(|record| (record["kind"].as_str().expect("a kind"), text(record, "outcome")))
        .collect();
    let promotions: Vec<&Value> =
        records.iter().filter(|record| record["kind"] == "promotion").collect();
    assert_eq!(promotions.len(), 1, "{kinds:?}");
    let promotion = promotions[0];
    assert_eq!(
        (text(promotion, "outcome"), text(promotion, "basis"), text(promotion, "proof")),
        ("deployed", "votes", "iam"),
    );
    assert_eq!(promotion["votes"][0]["proof"], "iam");
    assert!(kinds.contains(&("command", "held")) && kinds.contains(&("command", "resumed")));
    let hold = records.iter().find(|record| record["outcome"] == "held").expect("the hold");
    assert_eq!((text(hold, "what"), text(hold, "proof")), ("hold release freeze", "iam"));
    assert!(!kinds.contains(&("command", "promoted")), "the promotion tells of its approval");
}

#[test]
fn a_cancel_is_listed_beside_the_promotion_that_it_ended() {
    let world = Memory::new("auto");
    push(&world, "aaaaaaa", "promoted");
    command(&world, "cancel web", "cancelled");
    let (_, records) = pages(&world, &json!({ "action": "audit" }), "records");
    let cancel = records.iter().find(|record| record["kind"] == "command").expect("the cancel");
    assert_eq!((text(cancel, "what"), text(cancel, "outcome")), ("cancel", "cancelled"));
}

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or_else(|| panic!("{key} of {record}"))
}

#[test]
fn the_audit_of_a_span_has_each_promotion_of_it_once() {
    let world = Memory::new("auto");
    let mut times = Vec::new();
    for n in 0..10 {
        deploy(&world, &format!("{n:07x}a"));
        times.push(world.get().now);
        world.get_mut().now += jiff::SignedDuration::from_hours(1);
    }
    let all = json!({ "action": "audit" });
    let (_, records) = pages(&world, &all, "records");
    assert_eq!(digests(&records).len(), 10);
    let span = json!({ "action": "audit", "app": "web", "from": times[3], "to": times[5] });
    let (_, records) = pages(&world, &span, "records");
    assert_eq!(digests(&records).len(), records.len(), "each once");
    assert!((2..=3).contains(&records.len()), "{}", records.len());
    let before =
        json!({ "action": "audit", "from": "2020-01-01T00:00:00Z", "to": "2020-02-01T00:00:00Z" });
    assert_eq!(pages(&world, &before, "records").1.len(), 0);
}

fn digests(records: &[Value]) -> std::collections::BTreeSet<String> {
    records.iter().map(|record| text(record, "digest").to_owned()).collect()
}

#[test]
fn an_app_that_nobody_configured_is_named_with_the_nearest_one() {
    let world = Memory::new("auto");
    for action in ["audit", "check"] {
        let payload = json!({ "action": action, "app": "wbe" });
        let error = world.invoke(&payload, "request").expect_err("no app").to_string();
        assert!(error.contains("did you mean `web`?"), "{action}: {error}");
    }
}

#[test]
fn the_history_goes_on_where_a_page_ended() {
    let world = Memory::new("auto");
    deploy(&world, "abc1234");
    let mut inner = world.get_mut();
    let first = inner.history[&0].clone();
    for number in 1..250 {
        inner.history.insert(number, {
            let mut own = first.clone();
            own.number = number;
            own
        });
    }
    drop(inner);
    let history = json!({ "action": "history", "app": "web" });
    let (count, promotions) = pages(&world, &history, "promotions");
    let numbers: Vec<u64> =
        promotions.iter().map(|one| one["number"].as_u64().expect("a number")).collect();
    assert_eq!((count, numbers.len()), (3, 250));
    assert!(numbers.iter().rev().copied().eq(0..250), "newest first, each once");
}

#[test]
fn a_command_of_another_version_is_refused_and_changes_nothing() {
    let world = Memory::new("auto");
    let digest = world.push("abc1234");
    let promote = json!({ "action": "promote", "app": "web", "digest": digest, "version": 2 });
    let answer = answers(&world, &promote, "refused");
    assert!(text(&answer, "reason").contains("understands version 1"), "{answer}");
    assert_eq!(world.updates(), 0);
    let promote = json!({ "action": "promote", "app": "web", "digest": digest, "version": 1 });
    answers(&world, &promote, "promoted");
}
