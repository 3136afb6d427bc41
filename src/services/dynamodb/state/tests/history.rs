use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use serde_json::{Value, json};

use super::{ended, ended_item};
use crate::model::promotion::Ended;
use crate::samples::web;
use crate::services::wire::dynamodb::{OTHER_NONCE, ask, text};
use crate::services::wire::{Recording, ok_json, replay};

fn query(start: Option<u64>) -> Request<SdkBody> {
    let mut asked = json!({
        "TableName": "state-table",
        "KeyConditionExpression": "app = :app AND begins_with(#item, :history)",
        "ExpressionAttributeNames": { "#item": "item" },
        "ExpressionAttributeValues": { ":app": text("web"), ":history": text("history#") },
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
    replay(recordings, async |clients| clients.history(&web()).await).await.expect("read")
}

#[tokio::test]
async fn the_history_is_read_newest_first_until_it_ends() {
    let recordings = vec![
        (query(None), page([2, 1].into_iter(), Some(1))),
        (query(Some(1)), page([0].into_iter(), None)),
    ];
    assert_eq!(history(recordings).await, [ended(2), ended(1), ended(0)]);
}

#[tokio::test]
async fn a_hundred_promotions_of_the_history_are_enough() {
    let recordings = vec![(query(None), page((50..150).rev(), Some(50)))];
    assert_eq!(history(recordings).await.len(), 100);
}
