//! DynamoDB: one table with the key `app` and `item`, and the conditions that the function writes
//! under.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Answer;

/// The partition and the sort key of an item.
type Key = (String, String);

#[derive(Debug, Default)]
pub(crate) struct Table {
    items: BTreeMap<Key, Value>,
}

fn key_of(item: &Value) -> Key {
    let text = |name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
    (text("app"), text("item"))
}

/// Carries out `SET #a = :a, #b = :b REMOVE #c, #d`, the one form that the function writes.
fn change(item: &mut Map<String, Value>, update: &Value) {
    let expression = update["UpdateExpression"].as_str().unwrap_or_default();
    let (set, remove) = expression.split_once("REMOVE ").unwrap_or((expression, ""));
    let name = |word: &str| update["ExpressionAttributeNames"][word].as_str().map(str::to_owned);
    for part in set.trim_start_matches("SET ").split(',') {
        if let Some((left, right)) = part.split_once('=')
            && let Some(name) = name(left.trim())
        {
            item.insert(name, update["ExpressionAttributeValues"][right.trim()].clone());
        }
    }
    for name in remove.split(',').filter_map(|part| name(part.trim())) {
        item.remove(&name);
    }
}

impl Table {
    pub(crate) fn answer(&mut self, action: &str, body: &Value) -> Answer {
        match action {
            "GetItem" => Answer::json(&match self.items.get(&key_of(&body["Key"])) {
                Some(item) => json!({ "Item": item }),
                None => json!({}),
            }),
            "BatchGetItem" => self.batch_get(body),
            "PutItem" => self.put_item(body),
            "UpdateItem" => self.update_item(body),
            "TransactWriteItems" => self.transact(body),
            "Query" => self.query(body),
            _ => Answer::json_error("InvalidAction", action),
        }
    }

    fn batch_get(&self, body: &Value) -> Answer {
        let mut responses = json!({});
        for (table, wanted) in body["RequestItems"].as_object().into_iter().flatten() {
            let keys = wanted["Keys"].as_array().into_iter().flatten();
            let items: Vec<&Value> = keys.filter_map(|key| self.items.get(&key_of(key))).collect();
            responses[table] = json!(items);
        }
        Answer::json(&json!({ "Responses": responses, "UnprocessedKeys": {} }))
    }

    fn put_item(&mut self, body: &Value) -> Answer {
        let key = key_of(&body["Item"]);
        match self.holds(body, &key) {
            Err(problem) => Answer::json_error("ValidationException", &problem),
            Ok(false) => self.condition_failed(&key),
            Ok(true) => {
                self.items.insert(key, body["Item"].clone());
                Answer::json(&json!({}))
            }
        }
    }

    fn update_item(&mut self, body: &Value) -> Answer {
        let key = key_of(&body["Key"]);
        match self.holds(body, &key) {
            Err(problem) => Answer::json_error("ValidationException", &problem),
            Ok(false) => self.condition_failed(&key),
            Ok(true) => {
                let item = self.items.entry(key).or_insert_with(|| body["Key"].clone());
                if let Some(item) = item.as_object_mut() {
                    change(item, body);
                }
                Answer::json(&json!({}))
            }
        }
    }

    fn condition_failed(&self, key: &Key) -> Answer {
        Answer::json_failure(&json!({
            "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
            "message": "The conditional request failed",
            "Item": self.items.get(key),
        }))
    }

    fn transact(&mut self, body: &Value) -> Answer {
        let puts: Vec<&Value> =
            body["TransactItems"].as_array().into_iter().flatten().map(|it| &it["Put"]).collect();
        let mut reasons = Vec::new();
        for put in &puts {
            match self.holds(put, &key_of(&put["Item"])) {
                Err(problem) => return Answer::json_error("ValidationException", &problem),
                Ok(true) => reasons.push(json!({ "Code": "None" })),
                Ok(false) => reasons.push(json!({
                    "Code": "ConditionalCheckFailed",
                    "Message": "The conditional request failed",
                    "Item": self.items.get(&key_of(&put["Item"])),
                })),
            }
        }
        if reasons.iter().any(|reason| reason["Code"] != "None") {
            return Answer::json_failure(&json!({
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "message": "Transaction cancelled",
                "CancellationReasons": reasons,
            }));
        }
        for put in puts {
            self.items.insert(key_of(&put["Item"]), put["Item"].clone());
        }
        Answer::json(&json!({}))
    }

    /// Whether the condition of a write holds. One that the benchmark does not know is an error.
    fn holds(&self, write: &Value, key: &Key) -> Result<bool, String> {
        let old = self.items.get(key);
        match write["ConditionExpression"].as_str() {
            None => Ok(true),
            Some("attribute_not_exists(app)") => Ok(old.is_none()),
            Some("attribute_not_exists(app) OR attribute_not_exists(answer)") => {
                Ok(old.is_none_or(|old| old.get("answer").is_none()))
            }
            Some("nonce = :read") => {
                let read = &write["ExpressionAttributeValues"][":read"];
                Ok(old.is_some_and(|old| old["nonce"] == *read))
            }
            Some(other) => Err(format!("the benchmark does not know the condition {other}")),
        }
    }

    /// The items of a partition between two sort keys, both included.
    fn query(&self, body: &Value) -> Answer {
        let value = |name: &str| {
            body["ExpressionAttributeValues"][name]["S"].as_str().unwrap_or_default().to_owned()
        };
        let range = (value(":app"), value(":first"))..=(value(":app"), value(":last"));
        let mut items: Vec<&Value> = self.items.range(range).map(|(_, item)| item).collect();
        if body["ScanIndexForward"] == false {
            items.reverse();
        }
        if let Some(limit) = body["Limit"].as_u64() {
            items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        }
        Answer::json(&json!({ "Items": items, "Count": items.len() }))
    }
}
