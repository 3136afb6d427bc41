//! The state table. Reads are strongly consistent. Each write of the state carries a new nonce and
//! is conditional on the nonce that was read, so one of two writers wins. If the answer to a write
//! was lost, the SDK's second try fails on its condition: the item then carries the writer's own
//! nonce, and the write counts as done.

mod by_id;
mod known_apps;
mod state;
mod update;

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::clients::Clients;
use super::failure::failed;
use crate::error::Error;
use crate::model::AppName;
use crate::world::snapshot::Version;

type Item = HashMap<String, AttributeValue>;

/// The key of an app's state.
const STATE: &str = "state";

impl Clients {
    async fn record<T: DeserializeOwned>(
        &self,
        partition: &str,
        key: &str,
    ) -> Result<Option<T>, Error> {
        Ok(self.versioned(partition, key).await?.map(|(record, _)| record))
    }

    /// Reads a record and its version.
    async fn versioned<T: DeserializeOwned>(
        &self,
        partition: &str,
        key: &str,
    ) -> Result<Option<(T, Version)>, Error> {
        let Some(item) = self.item(partition, key).await? else { return Ok(None) };
        let version = Version(nonce_of(&item));
        Ok(Some((read(partition, key, item)?, version)))
    }

    async fn item(&self, partition: &str, key: &str) -> Result<Option<Item>, Error> {
        let request = self
            .dynamodb
            .get_item()
            .table_name(&self.settings.state_table)
            .key("app", AttributeValue::S(partition.to_owned()))
            .key("item", AttributeValue::S(key.to_owned()))
            .consistent_read(true);
        let output = self.patiently("dynamodb:GetItem", || request.clone().send()).await;
        Ok(output
            .map_err(|error| failed("dynamodb:GetItem", self.resource(partition, key), &error))?
            .item)
    }

    /// Writes all items or none. Returns whether they were written.
    async fn write(
        &self,
        puts: Vec<PutBuilder>,
        nonce: &str,
        resource: &str,
    ) -> Result<bool, Error> {
        let puts: Vec<Put> = puts
            .into_iter()
            .map(PutBuilder::build)
            .collect::<Result<_, _>>()
            .map_err(|e| incomplete(resource, &e))?;
        match <[Put; 1]>::try_from(puts) {
            Ok([put]) => self.put_one(put, nonce, resource).await,
            Err(puts) => self.put_all(puts, nonce, resource).await,
        }
    }

    /// Writes one item. Returns whether it was written.
    async fn put_one(&self, put: Put, nonce: &str, resource: &str) -> Result<bool, Error> {
        let request = self
            .dynamodb
            .put_item()
            .table_name(put.table_name)
            .set_item(Some(put.item))
            .set_condition_expression(put.condition_expression)
            .set_expression_attribute_values(put.expression_attribute_values)
            .set_return_values_on_condition_check_failure(
                put.return_values_on_condition_check_failure,
            );
        let Err(error) = self.patiently("dynamodb:PutItem", || request.clone().send()).await else {
            return Ok(true);
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failure)) => {
                Ok(failure.item.as_ref().is_some_and(|item| is_own(item, nonce)))
            }
            // Another writer's transaction includes the same item.
            Some(e) if e.code() == Some("TransactionConflictException") => Ok(false),
            _ => Err(failed("dynamodb:PutItem", resource, &error)),
        }
    }

    /// Writes several items, all or none. Returns whether they were written.
    async fn put_all(&self, puts: Vec<Put>, nonce: &str, resource: &str) -> Result<bool, Error> {
        let items = puts.into_iter().map(|put| TransactWriteItem::builder().put(put).build());
        let request = self.dynamodb.transact_write_items();
        let request = request.set_transact_items(Some(items.collect()));
        // On the heap: the future of a call is large.
        let Err(error) = Box::pin(request.send()).await else { return Ok(true) };
        let is_written = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                is_written_before(cancelled.cancellation_reasons(), nonce)
            }
            Some(e) if e.is_transaction_in_progress_exception() => Some(false),
            _ => None,
        };
        is_written.ok_or_else(|| failed("dynamodb:PutItem", resource, &error))
    }

    fn put(
        &self,
        partition: &str,
        key: &str,
        record: &impl Serialize,
        nonce: &str,
    ) -> Result<PutBuilder, Error> {
        Ok(self.put_of(self.item_of(partition, key, record, nonce)?))
    }

    fn put_of(&self, item: Item) -> PutBuilder {
        Put::builder().table_name(&self.settings.state_table).set_item(Some(item))
    }

    /// The item of a record.
    fn item_of(
        &self,
        partition: &str,
        key: &str,
        record: &impl Serialize,
        nonce: &str,
    ) -> Result<Item, Error> {
        let mut item: Item = serde_dynamo::to_item(record)
            .map_err(|e| incomplete(&self.resource(partition, key), &e))?;
        item.extend(
            [("app", partition), ("item", key), ("nonce", nonce)]
                .map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned()))),
        );
        Ok(item)
    }

    /// The item of one of an app's records, without the attributes that are null. An absent one
    /// reads the same, and each promotion sends several promotions over the wire. The list of all
    /// apps is not written so: there, null is an app without trouble.
    fn lean_item_of(
        &self,
        app: &AppName,
        key: &str,
        record: &impl Serialize,
        nonce: &str,
    ) -> Result<Item, Error> {
        let mut item = self.item_of(app.as_str(), key, record, nonce)?;
        leave_nulls_out(&mut item);
        Ok(item)
    }

    fn resource(&self, partition: &str, key: &str) -> String {
        format!("item `{key}` of `{partition}` in table `{}`", self.settings.state_table)
    }
}

fn leave_nulls_out(attributes: &mut Item) {
    attributes.retain(|_, value| {
        leave_nulls_out_of(value);
        !value.is_null()
    });
}

/// An element of a list stays where it is null: the others are found by their places.
fn leave_nulls_out_of(value: &mut AttributeValue) {
    if let AttributeValue::M(attributes) = value {
        leave_nulls_out(attributes);
    } else if let AttributeValue::L(elements) = value {
        elements.iter_mut().for_each(leave_nulls_out_of);
    }
}

/// Makes a put conditional: the item must be as it was read.
fn if_unchanged(put: PutBuilder, version: &Version) -> PutBuilder {
    let put =
        put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    match &version.0 {
        None => put.condition_expression("attribute_not_exists(app)"),
        Some(read) => put
            .condition_expression("nonce = :read")
            .expression_attribute_values(":read", AttributeValue::S(read.clone())),
    }
}

/// Reads why a transaction was cancelled: `true` if this writer's own first try has written all
/// items, `false` if another writer was first, `None` for any other cause.
fn is_written_before(reasons: &[CancellationReason], nonce: &str) -> Option<bool> {
    let causes: Vec<_> =
        reasons.iter().filter(|reason| !matches!(reason.code(), None | Some("None"))).collect();
    let has_own_item =
        |reason: &&CancellationReason| reason.item().is_some_and(|item| is_own(item, nonce));
    if causes.iter().all(|reason| reason.code() == Some("ConditionalCheckFailed")) {
        return Some(!causes.is_empty() && causes.iter().all(has_own_item));
    }
    let is_race = causes.iter().all(|reason| {
        matches!(reason.code(), Some("ConditionalCheckFailed" | "TransactionConflict"))
    });
    is_race.then_some(false)
}

fn nonce_of(item: &Item) -> Option<String> {
    item.get("nonce").and_then(|nonce| nonce.as_s().ok()).cloned()
}

fn is_own(item: &Item, nonce: &str) -> bool {
    nonce_of(item).is_some_and(|its| its == nonce)
}

fn read<T: DeserializeOwned>(partition: &str, key: &str, item: Item) -> Result<T, Error> {
    serde_dynamo::from_item(item).map_err(|e| Error::Unexpected {
        resource: format!("item `{key}` of `{partition}` in the state table"),
        problem: format!("it was not written by this version of ecr-promoter: {e}"),
    })
}

fn unreadable(resource: String, error: &dyn std::fmt::Display) -> Error {
    Error::Unexpected { resource, problem: format!("cannot be read: {error}") }
}

fn incomplete(resource: &str, error: &dyn std::fmt::Display) -> Error {
    Error::Unexpected {
        resource: resource.to_owned(),
        problem: format!("it cannot be written: {error}"),
    }
}
