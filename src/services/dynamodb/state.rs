//! The records of one app: its state, its commands, and the promotions that ended.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, ReturnValuesOnConditionCheckFailure,
};
use futures_util::future::try_join_all;
use tracing::warn;

use super::{Item, STATE, if_unchanged, read, unreadable};
use crate::error::Error;
use crate::model::AppName;
use crate::model::audit::{PREFIXES, Past, PastPage};
use crate::model::limits::HISTORY;
use crate::model::promotion::Ended;
use crate::model::stage::Earlier;
use crate::model::state::{CommandRecord, State};
use crate::services::clients::Clients;
use crate::services::failure::failed;
use crate::world::action::Records;
use crate::world::snapshot::Version;
use crate::world::{Applied, World};

/// The number of records that one page of the audit reads.
const PAST_PAGE: i32 = 100;
/// The most items that one `BatchGetItem` may ask for.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>
const BATCH: usize = 100;
/// The most calls for one batch, if answers leave items out.
const BATCH_ROUNDS: u32 = 6;
/// The number of days for which a command is kept: SNS retries a delivery for at most 23 days, and
/// the audit of a year has holds, rejections and refusals.
const COMMAND_DAYS: i64 = 400;

impl Clients {
    /// Reads an app's state and its version.
    pub(in super::super) async fn versioned_state(
        &self,
        app: &AppName,
    ) -> Result<(Option<State>, Version), Error> {
        self.forget_written();
        let (state, version) = self.versioned(app.as_str(), STATE).await?.unzip();
        Ok((state, version.unwrap_or_default()))
    }

    /// Reads the states of these apps, 100 in one call.
    pub(in super::super) async fn read_states(
        &self,
        apps: &[AppName],
    ) -> Result<BTreeMap<AppName, Result<State, Error>>, Error> {
        let reads = apps.chunks(BATCH).map(|batch| self.batch(batch));
        Ok(try_join_all(reads).await?.into_iter().flatten().collect())
    }

    async fn batch(&self, apps: &[AppName]) -> Result<Vec<(AppName, Result<State, Error>)>, Error> {
        let resource = || format!("items `{STATE}` in table `{}`", self.settings.state_table);
        let keys = apps.iter().map(|app| {
            let key = [("app", app.to_string()), ("item", STATE.to_owned())];
            key.map(|(name, value)| (name.to_owned(), AttributeValue::S(value))).into()
        });
        let asked =
            KeysAndAttributes::builder().set_keys(Some(keys.collect())).consistent_read(true);
        let asked = asked.build().map_err(|error| unreadable(resource(), &error))?;
        let mut left = HashMap::from([(self.settings.state_table.clone(), asked)]);
        let mut states = Vec::new();
        for round in 0..BATCH_ROUNDS {
            if round > 0 {
                self.pause(round).await;
            }
            let request = self.dynamodb.batch_get_item().set_request_items(Some(left));
            let output = self.patiently("dynamodb:BatchGetItem", || request.clone().send()).await;
            let output =
                output.map_err(|error| failed("dynamodb:BatchGetItem", resource(), &error))?;
            for item in output.responses.unwrap_or_default().into_values().flatten() {
                let app = item
                    .get("app")
                    .and_then(|app| app.as_s().ok())
                    .and_then(|app| app.parse::<AppName>().ok());
                let app = app.ok_or_else(|| unreadable(resource(), &"an item has no app"))?;
                let state = read(app.as_str(), STATE, item);
                states.push((app, state));
            }
            // An answer has at most 16 MB, and the table may be throttled.
            left = output.unprocessed_keys.unwrap_or_default();
            if left.is_empty() {
                return Ok(states);
            }
        }
        Err(unreadable(resource(), &"dynamodb:BatchGetItem kept leaving items out"))
    }

    /// Reads the record of a command that was carried out before.
    pub(in super::super) async fn command(
        &self,
        app: &AppName,
        id: Option<&str>,
    ) -> Result<Option<CommandRecord>, Error> {
        let Some(id) = id else { return Ok(None) };
        self.record(app.as_str(), &command_key(id)).await
    }

    /// Reads an app's state and its last promotions that ended, newest first, in one call: the sort
    /// key `state` comes right after the keys of the history.
    pub(in super::super) async fn state_and_history(
        &self,
        app: &AppName,
    ) -> Result<Earlier, Error> {
        let resource = || self.resource(app.as_str(), "history#");
        let query = self
            .records_between(app, "history#", STATE)
            .scan_index_forward(false)
            .limit(1 + HISTORY as i32);
        let answer = self.patiently("dynamodb:Query", || query.clone().send()).await;
        let answer = answer.map_err(|error| failed("dynamodb:Query", resource(), &error))?;
        let mut earlier = Earlier { state: None, history: Vec::new() };
        for item in answer.items.unwrap_or_default() {
            match item_key(&item) {
                Some(STATE) => earlier.state = Some(read(app.as_str(), STATE, item)?),
                Some(key) if key.starts_with("history#") => {
                    earlier.history.push(read(app.as_str(), "history#", item)?);
                }
                Some(_) | None => {}
            }
        }
        Ok(earlier)
    }

    /// Reads the last promotions that ended, or those before the one with this number, newest
    /// first.
    pub(in super::super) async fn history(
        &self,
        app: &AppName,
        before: Option<u64>,
    ) -> Result<Vec<Ended>, Error> {
        let end = match before.map(|number| number.checked_sub(1)) {
            // `}` comes after every digit.
            None => "history#}".to_owned(),
            Some(Some(newest)) => history_key(newest),
            Some(None) => return Ok(Vec::new()),
        };
        let mut pages = self
            .records_between(app, "history#", &end)
            .scan_index_forward(false)
            .limit(HISTORY as i32)
            .into_paginator()
            .items()
            .send();
        let mut ended = Vec::new();
        while ended.len() < HISTORY
            && let Some(item) = pages.next().await
        {
            let item = item.map_err(|error| {
                failed("dynamodb:Query", self.resource(app.as_str(), "history#"), &error)
            })?;
            ended.push(read(app.as_str(), "history#", item)?);
        }
        Ok(ended)
    }

    /// Reads a page of commands and promotions that ended, in the order of their keys, after this
    /// key.
    pub(in super::super) async fn read_past(
        &self,
        app: &AppName,
        after: Option<&str>,
    ) -> Result<PastPage, Error> {
        let resource = || self.resource(app.as_str(), "history#");
        let start = after.map(|item| {
            let key = [("app", app.as_str()), ("item", item)];
            key.map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned()))).into()
        });
        let query = self
            .records_between(app, PREFIXES[0], "history#}")
            .set_exclusive_start_key(start)
            .limit(PAST_PAGE);
        let page = self.patiently("dynamodb:Query", || query.clone().send()).await;
        let page = page.map_err(|error| failed("dynamodb:Query", resource(), &error))?;
        let mut past = PastPage {
            records: Vec::new(),
            next: page.last_evaluated_key.as_ref().and_then(item_key).map(str::to_owned),
        };
        for item in page.items.unwrap_or_default() {
            match item_key(&item) {
                Some(key) if key.starts_with("command#") => {
                    past.records.push(Past::Command(read(app.as_str(), "command#", item)?));
                }
                Some(key) if key.starts_with("history#") => {
                    past.records.push(Past::Promotion(read(app.as_str(), "history#", item)?));
                }
                Some(_) | None => {}
            }
        }
        Ok(past)
    }

    /// A query for an app's items between two keys, both included.
    fn records_between(&self, app: &AppName, first: &str, last: &str) -> QueryFluentBuilder {
        self.dynamodb
            .query()
            .table_name(&self.settings.state_table)
            .key_condition_expression("app = :app AND #item BETWEEN :first AND :last")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":app", AttributeValue::S(app.to_string()))
            .expression_attribute_values(":first", AttributeValue::S(first.to_owned()))
            .expression_attribute_values(":last", AttributeValue::S(last.to_owned()))
            .consistent_read(true)
    }

    /// Writes all records or none: the state must be as it was read, and the command must not have
    /// been carried out before.
    pub(in super::super) async fn save(
        &self,
        app: &AppName,
        records: &Records,
        version: &Version,
    ) -> Result<Applied, Error> {
        let nonce = (self.nonce)()?;
        if let Some(changes) = self.changes(app, records, version, &nonce)? {
            // Where it fails, the whole item is put on the same condition: the role of an older
            // template may only do that.
            match self.update(app, changes, version, &nonce).await {
                Ok(true) => return Ok(Applied::Saved(Version(Some(nonce)))),
                Ok(false) => return Ok(Applied::Conflict),
                Err(error) => warn!(%error, "the whole state is written instead"),
            }
        }
        let mut puts = Vec::new();
        if let Some(state) = &records.state {
            let item = self.lean_item_of(app, STATE, state, &nonce)?;
            puts.push(if_unchanged(self.put_of(item), version));
        }
        if let Some(request) = &records.request {
            puts.push(self.put_asked(app, request, &nonce)?);
        }
        for ended in &records.history {
            let key = history_key(ended.number);
            puts.push(self.put_of(self.lean_item_of(app, &key, ended, &nonce)?));
        }
        if let Some(command) = &records.command {
            let put = self.put_command(app, command, &nonce)?;
            puts.push(
                put.condition_expression(
                    "attribute_not_exists(app) OR attribute_not_exists(answer)",
                )
                .return_values_on_condition_check_failure(
                    ReturnValuesOnConditionCheckFailure::AllOld,
                ),
            );
        }
        let resource = self.resource(app.as_str(), STATE);
        if !self.write(puts, &nonce, &resource).await? {
            return Ok(Applied::Conflict);
        }
        let Some(state) = &records.state else { return Ok(Applied::Done) };
        let version = Version(Some(nonce));
        self.remember_written(app, state.clone(), version.clone());
        Ok(Applied::Saved(version))
    }

    /// Stores the answer to a command with the command's id.
    pub(in super::super) async fn keep_answer(
        &self,
        app: &AppName,
        record: &CommandRecord,
    ) -> Result<Applied, Error> {
        let nonce = (self.nonce)()?;
        let resource = self.resource(app.as_str(), &command_key(&record.id));
        self.write(vec![self.put_command(app, record, &nonce)?], &nonce, &resource).await?;
        Ok(Applied::Done)
    }

    fn put_command(
        &self,
        app: &AppName,
        command: &CommandRecord,
        nonce: &str,
    ) -> Result<PutBuilder, Error> {
        let expires_at = command.at.as_second() + COMMAND_DAYS * 24 * 60 * 60;
        let put = self.put(app.as_str(), &command_key(&command.id), command, nonce)?;
        Ok(put.item("expires_at", AttributeValue::N(expires_at.to_string())))
    }
}

fn history_key(number: u64) -> String {
    format!("history#{number:010}")
}

fn item_key(item: &Item) -> Option<&str> {
    item.get("item")?.as_s().ok().map(String::as_str)
}

fn command_key(id: &str) -> String {
    format!("command#{id}")
}

#[cfg(test)]
mod tests;
