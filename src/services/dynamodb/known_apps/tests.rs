use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use serde_json::{Value, json};

use super::{Part, parts, roster_part};
use crate::error::Error;
use crate::model::known_apps::{KnownApps, Trouble, Unfinished};
use crate::samples::web;
use crate::services::wire::dynamodb::{
    LATER_NONCE, OTHER_NONCE, ask, cancelled, check_failed, condition_failed, get_item, put_item,
    put_over_read, read_version, reason, saved, text, transact,
};
use crate::services::wire::{
    Recording, answer, connect, denied, json_denied, nonce, ok_json, replay,
};
use crate::world::Applied;
use crate::world::snapshot::Version;

const TROUBLE: &str = "Parameter Store /ecr-promoter/apps/shop: key `stak`";

fn roster() -> KnownApps {
    KnownApps {
        gone: ["old".parse().expect("a repository")].into(),
        apps: [(web(), None), ("shop".parse().expect("a repository"), Some(Trouble::of(TROUBLE)))]
            .into(),
    }
}

/// The roster's item, under a name that no repository can have.
fn roster_item(nonce: &str) -> Value {
    let apps = json!({ "M": { "web": { "NULL": true }, "shop": text("#58142d69b70f") } });
    json!({
        "app": text("#roster"), "item": text("#roster"), "nonce": text(nonce), "apps": apps,
        "gone": { "L": [text("old")] },
    })
}

async fn read_roster(answer: Response<SdkBody>) -> Result<(KnownApps, Version), Error> {
    replay([(get_part("#roster"), answer)], async |clients| clients.read_roster().await).await
}

fn put_roster(condition: &str, more: &Value) -> Request<SdkBody> {
    ask("PutItem", &put_item(&roster_item(&nonce()), condition, more))
}

fn put_next_roster() -> Request<SdkBody> {
    ask("PutItem", &put_over_read(&roster_item(&nonce())))
}

async fn write_roster(recordings: Vec<Recording>, version: Version) -> Result<Applied, Error> {
    replay(recordings, async |clients| clients.write_roster(&roster(), &version).await).await
}

#[tokio::test]
async fn before_the_first_full_look_the_roster_is_empty() {
    assert_eq!(
        read_roster(ok_json(&json!({}))).await.expect("read"),
        (KnownApps::default(), Version(None))
    );
}

#[tokio::test]
async fn the_roster_is_read_with_the_nonce_of_its_writer() {
    let read =
        read_roster(ok_json(&json!({ "Item": roster_item(OTHER_NONCE) }))).await.expect("read");
    assert_eq!(read, (roster(), read_version()));
}

#[tokio::test]
async fn a_roster_with_the_words_of_each_trouble_is_the_same() {
    let mut earlier = roster_item(OTHER_NONCE);
    earlier["apps"]["M"]["shop"] = text(TROUBLE);
    let read = read_roster(ok_json(&json!({ "Item": earlier }))).await.expect("read");
    assert_eq!(read, (roster(), read_version()));
}

/// 5,000 apps with the longest possible names, each with a trouble.
fn large_roster() -> KnownApps {
    let name = |n: usize| format!("{n:04}-{}", "a".repeat(251)).parse().expect("a repository");
    KnownApps {
        gone: std::collections::BTreeSet::new(),
        apps: (0..5_000).map(|n| (name(n), Some(Trouble::of(&format!("trouble {n}"))))).collect(),
    }
}

/// The size of an attribute as DynamoDB counts it: names and texts, 3 bytes for each map, and 1 for
/// each entry and value.
fn size(value: &Value) -> usize {
    let Some((kind, value)) = value.as_object().and_then(|value| value.iter().next()) else {
        panic!("no attribute: {value}")
    };
    match (kind.as_str(), value) {
        ("S", Value::String(text)) => 1 + text.len(),
        ("M", Value::Object(entries)) => {
            3 + entries.iter().map(|(name, value)| name.len() + 1 + size(value)).sum::<usize>()
        }
        ("N", Value::String(number)) => 1 + number.len(),
        ("NULL" | "BOOL", _) => 1,
        _ => panic!("{kind}"),
    }
}

fn items_of_a_large_roster() -> Vec<Value> {
    let (first, further) = parts(&large_roster());
    let (clients, _) = connect([]);
    let item = |key: &str, part: &Part| {
        let put = clients
            .put("#roster", key, part, OTHER_NONCE)
            .expect("an item")
            .build()
            .expect("a put");
        #[expect(clippy::wildcard_enum_match_arm, reason = "the SDK's enum may grow")]
        let attribute = |value: &AttributeValue| match value {
            AttributeValue::S(text) => json!({ "S": text }),
            AttributeValue::N(number) => json!({ "N": number }),
            AttributeValue::M(map) => {
                let map = map
                    .iter()
                    .map(|(name, value)| (name.clone(), text(value.as_s().expect("a text"))));
                json!({ "M": map.collect::<serde_json::Map<_, _>>() })
            }
            other => panic!("{other:?}"),
        };
        Value::Object(
            put.item.iter().map(|(name, value)| (name.clone(), attribute(value))).collect(),
        )
    };
    let keys = (1..).map(roster_part);
    std::iter::once(item("#roster", &first))
        .chain(keys.zip(&further).map(|(key, part)| item(&key, part)))
        .collect()
}

#[test]
fn no_item_of_a_large_roster_is_too_large() {
    let items = items_of_a_large_roster();
    assert_eq!(items[0]["parts"], json!({ "N": items.len().to_string() }));
    for item in &items {
        let bytes: usize = item
            .as_object()
            .expect("an item")
            .iter()
            .map(|(name, value)| name.len() + size(value))
            .sum();
        assert!(bytes < 310_000, "{bytes}");
    }
    // 5,000 apps with names of ordinary lengths fit into one item.
    let ordinary = |n: usize| {
        (
            format!("payments/service-{n:04}").parse().expect("a repository"),
            Some(Trouble::of(&n.to_string())),
        )
    };
    assert_eq!(
        parts(&KnownApps { apps: (0..5_000).map(ordinary).collect(), ..KnownApps::default() })
            .1
            .len(),
        0
    );
}

/// The request for one item of the roster.
fn get_part(key: &str) -> Request<SdkBody> {
    get_item("#roster", key)
}

#[tokio::test]
async fn a_roster_of_several_items_is_read_whole() {
    let items = items_of_a_large_roster();
    let read = || {
        items.iter().map(|item| {
            (
                get_part(item["item"]["S"].as_str().expect("a key")),
                ok_json(&json!({ "Item": item })),
            )
        })
    };
    let whole = replay(read(), async |clients| clients.read_roster().await).await.expect("read");
    assert_eq!(whole, (large_roster(), read_version()));

    // Another writer wrote all items between the reads of the first and the last one.
    let mut torn: Vec<Recording> = read().collect();
    let last = items.last().expect("an item").clone();
    let mut newer = last.clone();
    newer["nonce"] = text(LATER_NONCE);
    torn.pop();
    torn.push((
        get_part(last["item"]["S"].as_str().expect("a key")),
        ok_json(&json!({ "Item": newer })),
    ));
    let again = replay(torn.into_iter().chain(read()), async |clients| clients.read_roster().await)
        .await
        .expect("read");
    assert_eq!(again.0, large_roster());
}

#[tokio::test]
async fn a_roster_of_several_items_is_written_all_or_none() {
    let mut items = items_of_a_large_roster();
    for item in &mut items {
        item["nonce"] = text(&nonce());
    }
    let (first, further) = items.split_first().expect("an item");
    let further = further.iter().map(|item| json!({ "TableName": "state-table", "Item": item }));
    let puts: Vec<Value> = std::iter::once(put_over_read(first)).chain(further).collect();
    let put = || transact(&puts);
    let write = async |answer: Response<SdkBody>| {
        let version = read_version();
        replay([(put(), answer)], async |clients| {
            clients.write_roster(&large_roster(), &version).await
        })
        .await
        .expect("not an error")
    };
    assert_eq!(write(ok_json(&json!({}))).await, saved());
    let mut reasons = vec![check_failed(&roster_item(LATER_NONCE))];
    reasons.extend(puts[1..].iter().map(|_| reason("None")));
    assert_eq!(write(cancelled(&reasons)).await, Applied::Conflict);
}

fn unfinished() -> Unfinished {
    Unfinished { round: 7, next: Some(web()), again: true, open: None }
}

fn unfinished_item(nonce: &str) -> Value {
    let (round, open) = (json!({ "N": "7" }), json!({ "NULL": true }));
    let own =
        json!({ "app": text("#unfinished"), "item": text("#unfinished"), "nonce": text(nonce) });
    let mut item =
        json!({ "round": round, "next": text("web"), "again": { "BOOL": true }, "open": open });
    item.as_object_mut().expect("an object").extend(own.as_object().expect("an object").clone());
    item
}

#[tokio::test]
async fn the_place_to_continue_is_read_and_written_like_the_roster() {
    let get = || get_item("#unfinished", "#unfinished");
    let read = async |answer| {
        replay([(get(), answer)], async |clients| clients.read_unfinished().await)
            .await
            .expect("read")
    };
    assert_eq!(read(ok_json(&json!({}))).await, (Unfinished::default(), Version(None)));
    let version = read_version();
    assert_eq!(
        read(ok_json(&json!({ "Item": unfinished_item(OTHER_NONCE) }))).await,
        (unfinished(), version.clone())
    );

    let put = || ask("PutItem", &put_over_read(&unfinished_item(&nonce())));
    let write = async |answer| {
        replay([(put(), answer)], async |clients| {
            clients.write_unfinished(&unfinished(), &version).await
        })
        .await
    };
    assert_eq!(write(ok_json(&json!({}))).await.expect("written"), saved());
    let theirs = condition_failed(&unfinished_item(LATER_NONCE));
    assert_eq!(write(theirs).await.expect("not an error"), Applied::Conflict);
}

#[tokio::test]
async fn a_roster_that_is_denied_or_of_another_version_is_an_error() {
    let result = read_roster(json_denied("dynamodb:GetItem")).await;
    assert_eq!(
        denied(result),
        (
            "dynamodb:GetItem".to_owned(),
            "item `#roster` of `#roster` in table `state-table`".to_owned()
        )
    );

    let foreign = json!({ "app": text("#roster"), "item": text("#roster"), "apps": { "N": "1" } });
    let error = read_roster(ok_json(&json!({ "Item": foreign })))
        .await
        .expect_err("not understood")
        .to_string();
    assert!(
        error.starts_with(
            "item `#roster` of `#roster` in the state table: it was not written by this version"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn the_first_roster_is_written_only_if_there_is_none() {
    let recordings =
        vec![(put_roster("attribute_not_exists(app)", &json!({})), ok_json(&json!({})))];
    assert_eq!(write_roster(recordings, Version(None)).await.expect("written"), saved());
}

#[tokio::test]
async fn one_of_two_writers_of_the_roster_wins() {
    let read = || read_version();
    let applied = write_roster(vec![(put_next_roster(), ok_json(&json!({})))], read()).await;
    assert_eq!(applied.expect("written"), saved());

    let somebody_elses = condition_failed(&roster_item(LATER_NONCE));
    let applied = write_roster(vec![(put_next_roster(), somebody_elses)], read()).await;
    assert_eq!(applied.expect("not an error"), Applied::Conflict);
}

#[tokio::test]
async fn a_roster_whose_condition_fails_on_the_own_write_is_a_success() {
    let lost = (put_next_roster(), answer(500, "{}"));
    let again = (put_next_roster(), condition_failed(&roster_item(&nonce())));
    let applied = write_roster(vec![lost, again], read_version()).await;
    assert_eq!(applied.expect("written"), saved());
}
