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

/// Carries out `SET #a = :0, #b[1].#c = :1 REMOVE #d, #e[0].#f`, the one form that the function
/// writes. `None` if a path leads nowhere.
fn change(item: &mut Value, update: &Value) -> Option<()> {
    let names = &update["ExpressionAttributeNames"];
    let expression = update["UpdateExpression"].as_str()?;
    let (set, remove) = expression.split_once("REMOVE ").unwrap_or((expression, ""));
    for part in set.trim_start_matches("SET ").split(',').filter(|part| !part.trim().is_empty()) {
        let (path, value) = part.split_once('=')?;
        let (attributes, name) = attribute(item, names, path.trim())?;
        attributes.insert(name, update["ExpressionAttributeValues"].get(value.trim())?.clone());
    }
    for path in remove.split(',').filter(|part| !part.trim().is_empty()) {
        let (attributes, name) = attribute(item, names, path.trim())?;
        attributes.remove(&name)?;
    }
    Some(())
}

/// The attributes that the last part of a path is one of, and its name.
fn attribute<'a>(
    item: &'a mut Value,
    names: &Value,
    path: &str,
) -> Option<(&'a mut Map<String, Value>, String)> {
    let name = |part: &str| names[part].as_str().map(str::to_owned);
    let (outer, last) = match path.rsplit_once('.') {
        Some((outer, last)) => (outer.split('.').collect(), last),
        None => (Vec::new(), path),
    };
    let mut attributes = item.as_object_mut()?;
    for part in outer {
        let (part, index) = match part.split_once('[') {
            Some((part, index)) => (part, Some(index.trim_end_matches(']').parse::<usize>().ok()?)),
            None => (part, None),
        };
        let mut value = attributes.get_mut(&name(part)?)?;
        if let Some(index) = index {
            value = value.get_mut("L")?.get_mut(index)?;
        }
        attributes = value.get_mut("M")?.as_object_mut()?;
    }
    Some((attributes, name(last)?))
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
                match change(item, body) {
                    Some(()) => Answer::json(&json!({})),
                    None => Answer::json_error("ValidationException", "the path leads nowhere"),
                }
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
