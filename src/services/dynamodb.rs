//! The state table. Reads are strongly consistent; each write of the state carries a new nonce and
//! is conditional on the nonce that was read, so that of two writers one wins. A failed condition
//! may be the writer's own first try, whose answer was lost: then the item carries its nonce.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, KeysAndAttributes, Put,
    ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures_util::future::try_join_all;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::clients::Clients;
use super::failure::failed;
use crate::error::Error;
use crate::model::approval::{ApprovalRequest, RequestIndex};
use crate::model::known_apps::{KnownApps, Trouble, Unfinished};
use crate::model::promotion::Ended;
use crate::model::session::Session;
use crate::model::state::{CommandRecord, State};
use crate::model::{Repository, RequestId, SessionId};
use crate::world::action::Records;
use crate::world::snapshot::Version;
use crate::world::{Applied, World};

type Item = HashMap<String, AttributeValue>;

const STATE: &str = "state";
/// Partition and item of the roster: no repository can have such a name.
const ROSTER: &str = "#roster";
/// The largest size of one item of the roster, as DynamoDB counts it. DynamoDB takes up to 400 KB.
const ROSTER_BYTES: usize = 300_000;
/// What an entry takes besides its name, at most: DynamoDB's overhead and the value.
const ROSTER_ENTRY: usize = 20;
/// How often the roster is read again because somebody wrote it during the read.
const ROSTER_ROUNDS: u32 = 3;
/// Partition and item that say where the next look goes on, if the last one ran out of time.
const UNFINISHED: &str = "#unfinished";
/// `history` tells at least this many promotions.
const HISTORY: usize = 100;
/// How many items one `BatchGetItem` may ask for.
const BATCH: usize = 100;
/// How often what a batch left out is asked for.
const BATCH_ROUNDS: u32 = 6;
/// The item that says what a request is about.
const ASKED: &str = "request";
/// The item that says who may use a board.
const SESSION: &str = "session";
/// For how long after its time a request can still be found.
const ASKED_DAYS: i64 = 90;
/// How long a command's id is kept: SNS tries for at most 23 days.
const COMMAND_DAYS: i64 = 30;

/// One item of the roster. It holds the whole roster, unless there are thousands of apps.
#[derive(Serialize, Deserialize)]
struct Part {
    apps: BTreeMap<Repository, Option<Trouble>>,
    /// How many items the roster has. Only the first item says it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    parts: usize,
}

fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_one(parts: &usize) -> bool {
    *parts == 1
}

fn roster_part(n: usize) -> String {
    format!("{ROSTER}/{n}")
}

/// Splits the roster into items that DynamoDB takes.
fn parts(roster: &KnownApps) -> (Part, Vec<Part>) {
    let new = || Part { apps: BTreeMap::new(), parts: 1 };
    let (mut first, mut further, mut size) = (new(), Vec::new(), 0);
    for (name, trouble) in &roster.apps {
        let entry = name.as_str().len() + ROSTER_ENTRY;
        if size + entry > ROSTER_BYTES {
            further.push(new());
            size = 0;
        }
        size += entry;
        further.last_mut().unwrap_or(&mut first).apps.insert(name.clone(), trouble.clone());
    }
    first.parts += further.len();
    (first, further)
}

impl Clients {
    /// An app's state, and what its next write is conditional on.
    pub(super) async fn versioned_state(
        &self,
        repository: &Repository,
    ) -> Result<(Option<State>, Version), Error> {
        let (state, version) = self.versioned(repository.as_str(), STATE).await?.unzip();
        Ok((state, version.unwrap_or_default()))
    }

    /// The states of these apps: 100 a call, which is all that the service takes.
    pub(super) async fn read_states(
        &self,
        repositories: &[Repository],
    ) -> Result<BTreeMap<Repository, Result<State, Error>>, Error> {
        let reads = repositories.chunks(BATCH).map(|batch| self.batch(batch));
        Ok(try_join_all(reads).await?.into_iter().flatten().collect())
    }

    async fn batch(
        &self,
        repositories: &[Repository],
    ) -> Result<Vec<(Repository, Result<State, Error>)>, Error> {
        let resource = || format!("items `{STATE}` in table `{}`", self.settings.state_table);
        let keys = repositories.iter().map(|repository| {
            let key = [("app", repository.to_string()), ("item", STATE.to_owned())];
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
                    .and_then(|app| app.parse::<Repository>().ok());
                let app = app.ok_or_else(|| unreadable(resource(), &"an item has no app"))?;
                let state = read(app.as_str(), STATE, item);
                states.push((app, state));
            }
            // More than 16 MB at once, or more than the table can give just now.
            left = output.unprocessed_keys.unwrap_or_default();
            if left.is_empty() {
                return Ok(states);
            }
        }
        Err(unreadable(resource(), &"dynamodb:BatchGetItem left some out again and again"))
    }

    /// The apps that there were, and what the next write is conditional on.
    pub(super) async fn read_roster(&self) -> Result<(KnownApps, Version), Error> {
        for _ in 0..ROSTER_ROUNDS {
            let Some((first, version)) = self.versioned(ROSTER, ROSTER).await? else {
                return Ok(Default::default());
            };
            let Part { mut apps, parts } = first;
            let names: Vec<String> = (1..parts).map(roster_part).collect();
            let further = try_join_all(names.iter().map(|name| self.item(ROSTER, name))).await?;
            let is_whole = further
                .iter()
                .all(|item| item.as_ref().is_some_and(|item| nonce_of(item) == version.0));
            if is_whole {
                for (name, item) in names.iter().zip(further.into_iter().flatten()) {
                    apps.extend(read::<Part>(ROSTER, name, item)?.apps);
                }
                return Ok((KnownApps { apps }, version));
            }
            // Somebody wrote it between two of these reads: read again.
        }
        Err(unreadable(self.resource(ROSTER, ROSTER), &"it kept changing while it was read"))
    }

    /// Writes the configured apps: one item, or several items in one transaction.
    pub(super) async fn write_roster(
        &self,
        roster: &KnownApps,
        version: &Version,
    ) -> Result<Applied, Error> {
        let nonce = (self.nonce)()?;
        let resource = self.resource(ROSTER, ROSTER);
        let (first, further) = parts(roster);
        let mut puts = vec![if_unchanged(self.put(ROSTER, ROSTER, &first, &nonce)?, version)];
        for (n, part) in (1..).zip(&further) {
            puts.push(self.put(ROSTER, &roster_part(n), part, &nonce)?);
        }
        let is_written = self.write(puts, &nonce, &resource).await?;
        Ok(if is_written { Applied::Saved(Version(Some(nonce))) } else { Applied::Conflict })
    }

    /// Reads where the next look goes on, and what the next write is conditional on.
    pub(super) async fn read_unfinished(&self) -> Result<(Unfinished, Version), Error> {
        Ok(self.versioned(UNFINISHED, UNFINISHED).await?.unwrap_or_default())
    }

    /// Writes where the next look goes on.
    pub(super) async fn write_unfinished(
        &self,
        unfinished: &Unfinished,
        version: &Version,
    ) -> Result<Applied, Error> {
        let nonce = (self.nonce)()?;
        let resource = self.resource(UNFINISHED, UNFINISHED);
        let put = if_unchanged(self.put(UNFINISHED, UNFINISHED, unfinished, &nonce)?, version);
        let is_written = self.write(vec![put], &nonce, &resource).await?;
        Ok(if is_written { Applied::Saved(Version(Some(nonce))) } else { Applied::Conflict })
    }

    /// What a request is about, by its id alone.
    pub(super) async fn asked(&self, id: &RequestId) -> Result<Option<RequestIndex>, Error> {
        self.record(&asked_partition(id), ASKED).await
    }

    /// How a request is found by its id. Kept longer than it can be approved: an old button is
    /// still told what became of it.
    fn put_asked(
        &self,
        repository: &Repository,
        request: &ApprovalRequest,
        nonce: &str,
    ) -> Result<PutBuilder, Error> {
        let asked = RequestIndex { repository: repository.clone(), digest: request.digest.clone() };
        let expires_at = request.expires_at.as_second() + ASKED_DAYS * 24 * 60 * 60;
        let put = self.put(&asked_partition(&request.id), ASKED, &asked, nonce)?;
        Ok(put.item("expires_at", AttributeValue::N(expires_at.to_string())))
    }

    /// Reads a board's session. Strongly consistent, so that a session is found right after it was
    /// written.
    pub(super) async fn read_session(&self, id: &SessionId) -> Result<Option<Session>, Error> {
        self.record(&session_partition(id), SESSION).await
    }

    /// Writes a board's session, unless one with this id exists: a command that is delivered twice
    /// gets one link.
    pub(super) async fn write_session(&self, session: &Session) -> Result<Applied, Error> {
        let nonce = (self.nonce)()?;
        let partition = session_partition(&session.id);
        let resource = self.resource(&partition, SESSION);
        let put = self.put(&partition, SESSION, session, &nonce)?;
        let put = put.item("expires_at", AttributeValue::N(session.until.as_second().to_string()));
        let put = if_unchanged(put, &Version::default());
        Ok(if self.write(vec![put], &nonce, &resource).await? {
            Applied::Done
        } else {
            Applied::Conflict
        })
    }

    /// The record of a command that was carried out before.
    pub(super) async fn command(
        &self,
        repository: &Repository,
        id: Option<&str>,
    ) -> Result<Option<CommandRecord>, Error> {
        let Some(id) = id else { return Ok(None) };
        self.record(repository.as_str(), &command_key(id)).await
    }

    async fn record<T: DeserializeOwned>(
        &self,
        partition: &str,
        key: &str,
    ) -> Result<Option<T>, Error> {
        Ok(self.versioned(partition, key).await?.map(|(record, _)| record))
    }

    /// A record, and what its next write is conditional on.
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

    /// The last promotions that ended, newest first.
    pub(super) async fn history(&self, repository: &Repository) -> Result<Vec<Ended>, Error> {
        let mut pages = self
            .dynamodb
            .query()
            .table_name(&self.settings.state_table)
            .key_condition_expression("app = :app AND begins_with(#item, :history)")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":app", AttributeValue::S(repository.to_string()))
            .expression_attribute_values(":history", AttributeValue::S("history#".to_owned()))
            .scan_index_forward(false)
            .consistent_read(true)
            .limit(HISTORY as i32)
            .into_paginator()
            .items()
            .send();
        let mut ended = Vec::new();
        while ended.len() < HISTORY
            && let Some(item) = pages.next().await
        {
            let item = item.map_err(|error| {
                failed("dynamodb:Query", self.resource(repository.as_str(), "history#"), &error)
            })?;
            ended.push(read(repository.as_str(), "history#", item)?);
        }
        Ok(ended)
    }

    /// Writes all of these or none: the state if it is still as it was read, the command if nobody
    /// carried it out before.
    pub(super) async fn save(
        &self,
        repository: &Repository,
        records: &Records,
        version: &Version,
    ) -> Result<Applied, Error> {
        let nonce = (self.nonce)()?;
        let mut puts = Vec::new();
        if let Some(state) = &records.state {
            puts.push(if_unchanged(self.put(repository.as_str(), STATE, state, &nonce)?, version));
        }
        if let Some(request) = &records.request {
            puts.push(self.put_asked(repository, request, &nonce)?);
        }
        for ended in &records.history {
            puts.push(self.put(
                repository.as_str(),
                &format!("history#{:010}", ended.number),
                ended,
                &nonce,
            )?);
        }
        if let Some(command) = &records.command {
            let put = self.put_command(repository, command, &nonce)?;
            puts.push(
                put.condition_expression(
                    "attribute_not_exists(app) OR attribute_not_exists(answer)",
                )
                .return_values_on_condition_check_failure(
                    ReturnValuesOnConditionCheckFailure::AllOld,
                ),
            );
        }
        let resource = self.resource(repository.as_str(), STATE);
        let written = self.write(puts, &nonce, &resource).await?;
        Ok(match (written, &records.state) {
            (false, _) => Applied::Conflict,
            (true, Some(_)) => Applied::Saved(Version(Some(nonce))),
            (true, None) => Applied::Done,
        })
    }

    /// Keeps a command's answer beside its id.
    pub(super) async fn keep_answer(
        &self,
        repository: &Repository,
        record: &CommandRecord,
    ) -> Result<Applied, Error> {
        let nonce = (self.nonce)()?;
        let resource = self.resource(repository.as_str(), &command_key(&record.id));
        self.write(vec![self.put_command(repository, record, &nonce)?], &nonce, &resource).await?;
        Ok(Applied::Done)
    }

    /// Writes all of these or none. Answers whether they were written.
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

    /// Whether it was written.
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
            Some(
                aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(failure),
            ) => {
                Ok(failure.item.as_ref().is_some_and(|item| is_own(item, nonce)))
            }
            // Somebody's transaction is at the same item.
            Some(e) if e.code() == Some("TransactionConflictException") => Ok(false),
            _ => Err(failed("dynamodb:PutItem", resource, &error)),
        }
    }

    /// Whether all were written.
    async fn put_all(&self, puts: Vec<Put>, nonce: &str, resource: &str) -> Result<bool, Error> {
        let items = puts.into_iter().map(|put| TransactWriteItem::builder().put(put).build());
        let sent = self
            .dynamodb
            .transact_write_items()
            .set_transact_items(Some(items.collect()))
            .send()
            .await;
        let Err(error) = sent else { return Ok(true) };
        match error.as_service_error() {
            Some(
                aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(cancelled),
            ) => {
                let failures: Vec<&CancellationReason> =
                    cancelled.cancellation_reasons().iter().filter(|reason| !matches!(reason.code(), None | Some("None"))).collect();
                let is = |code: &str| failures.iter().all(|reason| reason.code() == Some(code));
                if is("ConditionalCheckFailed") {
                    Ok(!failures.is_empty() && failures.iter().all(|reason| reason.item().is_some_and(|item| is_own(item, nonce))))
                } else if failures.iter().all(|reason| matches!(reason.code(), Some("ConditionalCheckFailed" | "TransactionConflict"))) {
                    Ok(false)
                } else {
                    Err(failed("dynamodb:PutItem", resource, &error))
                }
            }
            Some(e) if e.is_transaction_in_progress_exception() => Ok(false),
            _ => Err(failed("dynamodb:PutItem", resource, &error)),
        }
    }

    fn put(
        &self,
        partition: &str,
        key: &str,
        record: &impl Serialize,
        nonce: &str,
    ) -> Result<PutBuilder, Error> {
        let resource = self.resource(partition, key);
        let item: Item = serde_dynamo::to_item(record).map_err(|e| incomplete(&resource, &e))?;
        Ok(Put::builder()
            .table_name(&self.settings.state_table)
            .set_item(Some(item))
            .item("app", AttributeValue::S(partition.to_owned()))
            .item("item", AttributeValue::S(key.to_owned()))
            .item("nonce", AttributeValue::S(nonce.to_owned())))
    }

    fn put_command(
        &self,
        repository: &Repository,
        command: &CommandRecord,
        nonce: &str,
    ) -> Result<PutBuilder, Error> {
        let expires_at = command.at.as_second() + COMMAND_DAYS * 24 * 60 * 60;
        let put = self.put(repository.as_str(), &command_key(&command.id), command, nonce)?;
        Ok(put.item("expires_at", AttributeValue::N(expires_at.to_string())))
    }

    fn resource(&self, partition: &str, key: &str) -> String {
        format!("item `{key}` of `{partition}` in table `{}`", self.settings.state_table)
    }
}

/// Only if nobody wrote it since it was read.
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

/// No repository can have such a name.
fn session_partition(id: &SessionId) -> String {
    format!("#session-{id}")
}

/// No repository can have such a name.
fn asked_partition(id: &RequestId) -> String {
    format!("#{id}")
}

fn command_key(id: &str) -> String {
    format!("command#{id}")
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

#[cfg(test)]
mod tests;
