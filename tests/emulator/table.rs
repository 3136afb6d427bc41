//! The state table from outside, for what a test cannot wait for.

use serde_json::{Value, json};

use super::world::World;

/// Whether this call changes the table.
pub(crate) fn is_write(op: &str) -> bool {
    ["PutItem", "UpdateItem", "TransactWriteItems"].iter().any(|write| op.ends_with(write))
}

impl World {
    /// As if people had been asked four days before: the process has no clock but the machine's.
    pub(crate) async fn age_request(&self) {
        let then = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24);
        self.set_time("request", "expires_at", then).await;
    }

    /// Gives a member of the state's member another time.
    pub(crate) async fn set_time(&self, of: &str, member: &str, then: jiff::Timestamp) {
        let update = json!({
            "TableName": "state",
            "Key": { "app": { "S": "web" }, "item": { "S": "state" } },
            "UpdateExpression": "SET #of.#member = :then",
            "ExpressionAttributeNames": { "#of": of, "#member": member },
            "ExpressionAttributeValues": { ":then": { "S": then.to_string() } },
        });
        self.emulator.must("dynamodb:UpdateItem", &update).await;
    }

    /// As if the time of every board's session were over and its item deleted.
    pub(crate) async fn forget_sessions(&self) {
        let items = self.emulator.must("dynamodb:Scan", &json!({ "TableName": "state" })).await;
        for item in items["Items"]
            .as_array()
            .expect("items")
            .iter()
            .filter(|item| item["item"]["S"] == "session")
        {
            let key = json!({ "app": item["app"], "item": item["item"] });
            self.emulator
                .must("dynamodb:DeleteItem", &json!({ "TableName": "state", "Key": key }))
                .await;
        }
    }

    /// An item as the table has it.
    pub(crate) async fn item(&self, app: &str, item: &str) -> Value {
        let key = json!({ "app": { "S": app }, "item": { "S": item } });
        let asked = json!({ "TableName": "state", "Key": key });
        self.emulator.must("dynamodb:GetItem", &asked).await["Item"].clone()
    }

    pub(crate) async fn put_item(&self, item: &Value) {
        let put = json!({ "TableName": "state", "Item": item });
        self.emulator.must("dynamodb:PutItem", &put).await;
    }
}
