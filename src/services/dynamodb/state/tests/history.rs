use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use serde_json::{Value, json};

use super::{command, command_item, ended, ended_item};
use crate::model::audit::Past;
use crate::model::promotion::Ended;
use crate::samples::web;
use crate::services::wire::dynamodb::{OTHER_NONCE, ask, text};
use crate::services::wire::{Recording, ok_json, replay};

fn query(start: Option<u64>) -> Request<SdkBody> {
    query_to("history#}", start)
}

fn query_to(last: &str, start: Option<u64>) -> Request<SdkBody> {
    let mut asked = json!({
        "TableName": "state-table",
        "KeyConditionExpression": "app = :app AND #item BETWEEN :first AND :last",
        "ExpressionAttributeNames": { "#item": "item" },
        "ExpressionAttributeValues": {
            ":app": text("web"), ":first": text("history#"), ":last": text(last),
        },
        "ScanIndexForward": false,
        "ConsistentRead": true,
        "Limit": 100,
    });
    if let Some(number) = start {
        asked["ExclusiveStartKey"] = last_key(number);
    }
    ask("Query", &asked)
}

fn last_key(number: u64) -> Value {
    json!({ "app": text("web"), "item": text(&format!("history#{number:010}")) })
}

fn page(numbers: impl Iterator<Item = u64>, last: Option<u64>) -> Response<SdkBody> {
    let items: Vec<Value> = numbers.map(|number| ended_item(number, OTHER_NONCE)).collect();
    let mut page = json!({ "Count": items.len(), "ScannedCount": items.len(), "Items": items });
    if let Some(number) = last {
        page["LastEvaluatedKey"] = last_key(number);
    }
    ok_json(&page)
}

async fn history(recordings: Vec<Recording>) -> Vec<Ended> {
    replay(recordings, async |clients| clients.history(&web(), None).await).await.expect("read")
}

#[tokio::test]
async fn the_history_is_read_newest_first_until_it_ends() {
    let recordings = vec![
        (query(None), page([2, 1].into_iter(), Some(1))),
        (query(Some(1)), page([0].into_iter(), None)),
    ];
    assert_eq!(history(recordings).await, [ended(2), ended(1), ended(0)]);
}

/// As older versions wrote it.
#[tokio::test]
async fn an_attribute_that_is_null_reads_as_an_absent_one() {
    let mut item = ended_item(0, OTHER_NONCE);
    for name in ["commit", "previous_commit", "accepted_at", "command", "rolls_back"] {
        item[name] = json!({ "NULL": true });
    }
    let page = json!({ "Count": 1, "ScannedCount": 1, "Items": [item] });
    assert_eq!(history(vec![(query(None), ok_json(&page))]).await, [ended(0)]);
}

#[tokio::test]
async fn a_hundred_promotions_of_the_history_are_enough() {
    let recordings = vec![(query(None), page((50..150).rev(), Some(50)))];
    assert_eq!(history(recordings).await.len(), 100);
}

#[tokio::test]
async fn older_promotions_are_read_before_a_number() {
    let recordings = vec![(query_to("history#0000000041", None), page([41, 40].into_iter(), None))];
    let read = replay(recordings, async |clients| clients.history(&web(), Some(42)).await).await;
    assert_eq!(read.expect("read"), [ended(41), ended(40)]);
    let read = replay([], async |clients| clients.history(&web(), Some(0)).await).await;
    assert_eq!(read.expect("read"), []);
}

#[tokio::test]
async fn commands_and_promotions_are_read_in_the_order_of_their_keys() {
    let mut asked = json!({
        "TableName": "state-table",
        "KeyConditionExpression": "app = :app AND #item BETWEEN :first AND :last",
        "ExpressionAttributeNames": { "#item": "item" },
        "ExpressionAttributeValues": {
            ":app": text("web"), ":first": text("command#"), ":last": text("history#}"),
        },
        "ConsistentRead": true,
        "Limit": 100,
    });
    asked["ExclusiveStartKey"] = json!({ "app": text("web"), "item": text("command#id#1") });
    let items = json!([command_item(OTHER_NONCE), ended_item(0, OTHER_NONCE)]);
    let page = ok_json(&json!({ "Items": items, "LastEvaluatedKey": last_key(0) }));
    let recordings = vec![(ask("Query", &asked), page)];
    let past =
        replay(recordings, async |clients| clients.read_past(&web(), Some("command#id#1")).await);
    let past = past.await.expect("read");
    assert_eq!(past.next.as_deref(), Some("history#0000000000"));
    let expected = [Past::Command(Box::new(command())), Past::Promotion(Box::new(ended(0)))];
    assert_eq!(past.records, expected);
}
