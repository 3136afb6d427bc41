//! `audit`: a month with 300 promotions, each once, in little memory.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::image::Image;
use super::world::{OLDER_COMMIT, World};

const PROMOTIONS: usize = 300;
const MOST_MEMORY: u64 = 64 << 20;
/// Lambda's limit for an answer.
const MOST_BYTES: usize = 6 * 1024 * 1024;

/// Copies of one promotion that ended, one for each number, an hour apart, with long votes.
async fn fill(world: &World) {
    world.deploy(&Image::oci("old", OLDER_COMMIT)).await;
    let first = world.item("web", "history#0000000000").await;
    let vote = json!({ "M": {
        "by": { "S": format!("somebody {}", "x".repeat(250)) }, "user": { "S": "UALICE" },
        "via": { "S": "slack" }, "approves": { "BOOL": true },
        "at": { "S": "2026-10-01T00:00:00Z" },
    } });
    let votes = vec![vote; 20];
    let start: jiff::Timestamp = "2026-10-01T00:00:00Z".parse().expect("a time");
    for number in 1..=PROMOTIONS {
        let at = start + jiff::SignedDuration::from_hours(2 * number as i64);
        let mut item = first.clone();
        item["item"] = json!({ "S": format!("history#{number:010}") });
        item["number"] = json!({ "N": number.to_string() });
        item["ended_at"] = json!({ "S": at.to_string() });
        item["votes"] = json!({ "L": votes });
        world.put_item(&item).await;
    }
}

/// The records of all pages of an audit, and how many pages there were.
async fn audit(world: &World) -> (Vec<Value>, usize) {
    let month = json!({
        "action": "audit", "from": "2026-10-01T00:00:00Z", "to": "2026-10-31T00:00:00Z",
    });
    let (mut records, mut after, mut pages) = (Vec::new(), Value::Null, 0);
    loop {
        let mut asked = month.clone();
        if !after.is_null() {
            asked["after"] = after;
        }
        let page = world.answer(&asked).await;
        assert!(page.to_string().len() < MOST_BYTES);
        records.extend(page["records"].as_array().expect("records").clone());
        pages += 1;
        after = page["next"].clone();
        if after.is_null() {
            return (records, pages);
        }
    }
}

#[tokio::test]
async fn a_month_with_300_promotions_is_audited_in_pages_and_little_memory() {
    let Some(world) = World::new().await else { return };
    fill(&world).await;
    world.answer(&world.event("scheduled.json")).await;
    world.restart().await;

    let (records, pages) = audit(&world).await;

    let numbers: BTreeSet<u64> =
        records.iter().map(|record| record["number"].as_u64().expect("a number")).collect();
    assert_eq!((records.len(), numbers.len()), (PROMOTIONS, PROMOTIONS), "each once");
    for record in &records {
        let (kind, outcome) = (&record["kind"], &record["outcome"]);
        assert_eq!((kind, outcome), (&json!("promotion"), &json!("deployed")));
        assert_eq!(record["votes"][0]["proof"], "slack_signature", "{record}");
    }
    assert!(pages > 1, "the answers are paged");
    let peak = world.warm().await.peak_memory().expect("Linux says it");
    assert!(peak < MOST_MEMORY, "{} MiB", peak >> 20);

    // What an app did is known after its configuration was deleted.
    world.delete_parameter("/ecr-promoter/apps/web").await;
    world.restart().await;
    world.answer(&world.event("scheduled.json")).await;
    assert_eq!(audit(&world).await.0.len(), PROMOTIONS);
}
