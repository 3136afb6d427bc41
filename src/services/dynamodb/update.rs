//! Writes a state over the one that this sandbox has just written, and sends only what changed:
//! once people were told, that is two attributes of many.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html>

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::{Item, is_own, nonce_of};
use crate::error::Error;
use crate::model::AppName;
use crate::services::cache::locked;
use crate::services::clients::Clients;
use crate::services::failure::failed;
use crate::services::written::Written;
use crate::world::snapshot::Version;

/// What an update says.
#[derive(Debug, PartialEq)]
struct Changes {
    expression: String,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Changes {
    /// What is different after than before.
    fn between(before: &Item, after: &Item) -> Self {
        let mut changed: Vec<&String> = after
            .iter()
            .filter(|(name, value)| before.get(*name) != Some(value))
            .map(|(name, _)| name)
            .collect();
        let mut gone: Vec<&String> =
            before.keys().filter(|name| !after.contains_key(*name)).collect();
        changed.sort();
        gone.sort();
        let set: Vec<String> = changed.iter().map(|name| format!("#{name} = :{name}")).collect();
        let remove: Vec<String> = gone.iter().map(|name| format!("#{name}")).collect();
        let clauses = [("SET", set), ("REMOVE", remove)]
            .into_iter()
            .filter(|(_, parts)| !parts.is_empty())
            .map(|(clause, parts)| format!("{clause} {}", parts.join(", ")));
        Self {
            expression: clauses.collect::<Vec<_>>().join(" "),
            names: changed
                .iter()
                .chain(&gone)
                .map(|name| (format!("#{name}"), (*name).clone()))
                .collect(),
            values: changed
                .iter()
                .filter_map(|name| Some((format!(":{name}"), after.get(*name)?.clone())))
                .collect(),
        }
    }
}

impl Clients {
    /// Remembers what was written.
    pub(super) fn remember_written(&self, app: &AppName, item: Item) {
        *locked(&self.written) = Some(Written { app: app.clone(), item });
    }

    /// Forgets what was written: what is read counts from now on, and somebody may have edited it.
    pub(super) fn forget_written(&self) {
        *locked(&self.written) = None;
    }

    /// The item that this sandbox wrote last, if it is this app's and of this version.
    pub(super) fn take_written(&self, app: &AppName, version: &Version) -> Option<Item> {
        let is_it = |last: &mut Written| last.app == *app && nonce_of(&last.item) == version.0;
        locked(&self.written).take_if(is_it).map(|last| last.item)
    }

    /// Sends what changed, if the item is still as it was before. Returns whether it was written.
    pub(super) async fn update(
        &self,
        (app, key): (&str, &str),
        before: &Item,
        after: &Item,
        nonce: &str,
    ) -> Result<bool, Error> {
        let Changes { expression, names, values } = Changes::between(before, after);
        let read = AttributeValue::S(nonce_of(before).unwrap_or_default());
        let request = self
            .dynamodb
            .update_item()
            .table_name(&self.settings.state_table)
            .key("app", AttributeValue::S(app.to_owned()))
            .key("item", AttributeValue::S(key.to_owned()))
            .update_expression(expression)
            .condition_expression("nonce = :read")
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .expression_attribute_values(":read", read)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let sent = self.patiently("dynamodb:UpdateItem", || request.clone().send()).await;
        let Err(error) = sent else { return Ok(true) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failure)) => {
                Ok(failure.item.as_ref().is_some_and(|item| is_own(item, nonce)))
            }
            Some(e) if e.code() == Some("TransactionConflictException") => Ok(false),
            _ => Err(failed("dynamodb:UpdateItem", self.resource(app, key), &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(attributes: &[(&str, &str)]) -> Item {
        let attribute = |(name, value): &(&str, &str)| {
            ((*name).to_owned(), AttributeValue::S((*value).to_owned()))
        };
        attributes.iter().map(attribute).collect()
    }

    #[test]
    fn only_what_changed_is_sent() {
        let before = item(&[("nonce", "1"), ("stack", "web"), ("hold", "dora"), ("stage", "a")]);
        let after = item(&[("nonce", "2"), ("stack", "web"), ("untold", "none")]);
        let changes = Changes::between(&before, &after);
        let expression = "SET #nonce = :nonce, #untold = :untold REMOVE #hold, #stage";
        assert_eq!(changes.expression, expression);
        assert_eq!(changes.values, item(&[(":nonce", "2"), (":untold", "none")]));
        assert_eq!(changes.names.len(), 4);
        assert_eq!(changes.names["#hold"], "hold");
    }

    #[test]
    fn nothing_is_removed_where_nothing_is_gone() {
        let changes =
            Changes::between(&item(&[("nonce", "1")]), &item(&[("nonce", "2"), ("hold", "dora")]));
        assert_eq!(changes.expression, "SET #hold = :hold, #nonce = :nonce");
    }
}
