//! DynamoDB's wire: items as native attributes, so that people can read them in the console.

use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use serde_json::{Value, json};

use super::{json_error, json_request, nonce};
use crate::samples::{DIGEST, REQUEST};
use crate::world::Applied;
use crate::world::snapshot::Version;

/// The nonce of the item that was read.
pub(in crate::services) const OTHER_NONCE: &str = "0123456789abcdef0123456789abcdef";

/// The nonce of an item that somebody else wrote since.
pub(in crate::services) const LATER_NONCE: &str = "fedcba9876543210fedcba9876543210";

/// A request with this body.
pub(in crate::services) fn ask(operation: &str, body: &Value) -> Request<SdkBody> {
    json_request(&format!("DynamoDB_20120810.{operation}"), body)
}

/// A text attribute.
pub(in crate::services) fn text(value: &str) -> Value {
    json!({ "S": value })
}

/// The version that was read.
pub(in crate::services) fn read_version() -> Version {
    Version(Some(OTHER_NONCE.to_owned()))
}

/// The strongly consistent read of one item.
pub(in crate::services) fn get_item(partition: &str, key: &str) -> Request<SdkBody> {
    let key = json!({ "app": text(partition), "item": text(key) });
    ask("GetItem", &json!({ "TableName": "state-table", "Key": key, "ConsistentRead": true }))
}

/// A conditional put of one item; `more` are the condition's values.
pub(in crate::services) fn put_item(item: &Value, condition: &str, more: &Value) -> Value {
    let mut asked = json!({
        "TableName": "state-table",
        "Item": item,
        "ConditionExpression": condition,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    });
    if let (Some(asked), Some(more)) = (asked.as_object_mut(), more.as_object()) {
        asked.extend(more.clone());
    }
    asked
}

/// A put over the item that was read.
pub(in crate::services) fn put_over_read(item: &Value) -> Value {
    let read = json!({ "ExpressionAttributeValues": { ":read": text(OTHER_NONCE) } });
    put_item(item, "nonce = :read", &read)
}

/// The request that puts several items, all or none.
pub(in crate::services) fn transact(puts: &[Value]) -> Request<SdkBody> {
    let puts: Vec<Value> = puts.iter().map(|put| json!({ "Put": put })).collect();
    let asked = json!({ "TransactItems": puts, "ClientRequestToken": "idempotency-token" });
    ask("TransactWriteItems", &asked)
}

/// The result of a write of the state that went well.
pub(in crate::services) fn saved() -> Applied {
    Applied::Saved(Version(Some(nonce())))
}

/// The answer to a condition that failed on this item.
pub(in crate::services) fn condition_failed(found: &Value) -> Response<SdkBody> {
    json_error(
        "ConditionalCheckFailedException",
        "The conditional request failed",
        &json!({ "Item": found }),
    )
}

/// The reasons come in the order of the items; `None` is that of an item that was not the cause.
pub(in crate::services) fn cancelled(reasons: &[Value]) -> Response<SdkBody> {
    let words = "Transaction cancelled, please refer cancellation reasons for specific reasons";
    json_error("TransactionCanceledException", words, &json!({ "CancellationReasons": reasons }))
}

/// The reason of an item in a cancelled transaction.
pub(in crate::services) fn reason(code: &str) -> Value {
    json!({ "Code": code })
}

/// The reason of an item whose condition failed on this item.
pub(in crate::services) fn check_failed(found: &Value) -> Value {
    json!({
        "Code": "ConditionalCheckFailed", "Message": "The conditional request failed",
        "Item": found,
    })
}

/// JSON as DynamoDB writes it.
pub(in crate::services) fn native(value: &Value) -> Value {
    match value {
        Value::Null => json!({ "NULL": true }),
        Value::Bool(is) => json!({ "BOOL": is }),
        Value::Number(number) => json!({ "N": number.to_string() }),
        Value::String(words) => text(words),
        Value::Array(list) => json!({ "L": list.iter().map(native).collect::<Vec<_>>() }),
        Value::Object(map) => {
            let map = map.iter().map(|(key, value)| (key.clone(), native(value)));
            json!({ "M": map.collect::<serde_json::Map<_, _>>() })
        }
    }
}

/// The index entry of the approval request.
/// DynamoDB deletes it 90 days after the request's own end: 1773999690 + 90 * 86400.
pub(in crate::services) fn request_item(nonce: &str) -> Value {
    json!({
        "app": text(&format!("#{REQUEST}")),
        "item": text("request"),
        "nonce": text(nonce),
        "repository": text("web"),
        "digest": text(DIGEST),
        "expires_at": { "N": "1781775690" },
    })
}
