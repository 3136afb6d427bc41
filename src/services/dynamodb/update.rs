//! Writes a state over the one that this sandbox has just written, and sends only what changed:
//! once people were told, that is a time in one of many attributes.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html>

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::{Item, STATE, is_own};
use crate::error::Error;
use crate::model::AppName;
use crate::model::state::State;
use crate::services::cache::locked;
use crate::services::clients::Clients;
use crate::services::failure::failed;
use crate::services::written::Written;
use crate::world::action::Records;
use crate::world::snapshot::Version;

/// What an update says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Changes {
    set: Vec<String>,
    remove: Vec<String>,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Changes {
    /// What is different after than before.
    fn between(before: &Item, after: Item) -> Self {
        let mut changes = Self::default();
        changes.of_attributes("", before, after);
        changes
    }

    fn of_attributes(&mut self, of: &str, before: &Item, mut after: Item) {
        let mut gone: Vec<&String> =
            before.keys().filter(|name| !after.contains_key(*name)).collect();
        gone.sort();
        after.retain(|name, value| before.get(name) != Some(value));
        let mut changed: Vec<(String, AttributeValue)> = after.into_iter().collect();
        changed.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (name, after) in changed {
            let path = self.path(of, &name);
            self.of_value(path, before.get(&name), after);
        }
        for name in gone {
            let path = self.path(of, name);
            self.remove.push(path);
        }
    }

    fn path(&mut self, of: &str, name: &str) -> String {
        let placeholder = format!("#{name}");
        let path = if of.is_empty() { placeholder.clone() } else { format!("{of}.{placeholder}") };
        self.names.insert(placeholder, name.to_owned());
        path
    }

    /// Elements of lists that are as long as before, and attributes of maps, are set alone.
    fn of_value(&mut self, path: String, before: Option<&AttributeValue>, after: AttributeValue) {
        match (before, after) {
            (Some(AttributeValue::M(before)), AttributeValue::M(after)) => {
                self.of_attributes(&path, before, after);
            }
            (Some(AttributeValue::L(before)), AttributeValue::L(after))
                if before.len() == after.len() =>
            {
                for (n, (before, after)) in before.iter().zip(after).enumerate() {
                    if *before != after {
                        self.of_value(format!("{path}[{n}]"), Some(before), after);
                    }
                }
            }
            (_, after) => {
                let value = format!(":{}", self.values.len());
                self.set.push(format!("{path} = {value}"));
                self.values.insert(value, after);
            }
        }
    }

    /// The update expression.
    fn expression(&self) -> String {
        let clauses = [("SET", &self.set), ("REMOVE", &self.remove)];
        let clauses = clauses.into_iter().filter(|(_, parts)| !parts.is_empty());
        let clauses = clauses.map(|(clause, parts)| format!("{clause} {}", parts.join(", ")));
        clauses.collect::<Vec<_>>().join(" ")
    }
}

/// Leaves out of both states what is large and the same in both: it need not be made into
/// attributes to be compared.
fn leave_out_same(before: &mut State, after: &mut State) {
    fn leave_out<T: PartialEq + Default>(before: &mut T, after: &mut T) {
        if before == after {
            (*before, *after) = (T::default(), T::default());
        }
    }
    leave_out(&mut before.candidates, &mut after.candidates);
    leave_out(&mut before.recent, &mut after.recent);
    leave_out(&mut before.running, &mut after.running);
    leave_out(&mut before.verifying, &mut after.verifying);
}

impl Clients {
    /// Remembers what was written.
    pub(super) fn remember_written(&self, app: &AppName, state: State, version: Version) {
        *locked(&self.written) = Some(Written { app: app.clone(), version, state });
    }

    /// Forgets what was written: what is read counts from now on, and somebody may have edited it.
    pub(super) fn forget_written(&self) {
        *locked(&self.written) = None;
    }

    /// What this sandbox wrote last, if it is this app's and of this version.
    fn take_written(&self, app: &AppName, version: &Version) -> Option<State> {
        let is_it = |last: &mut Written| last.app == *app && last.version == *version;
        locked(&self.written).take_if(is_it).map(|last| last.state)
    }

    /// What these records change in the state that this sandbox wrote last. `None` if there is
    /// none of this version, or if they are not the state alone.
    pub(super) fn changes(
        &self,
        app: &AppName,
        records: &Records,
        version: &Version,
        nonce: &str,
    ) -> Result<Option<Changes>, Error> {
        let before = self.take_written(app, version);
        let (Some(mut before), Some(after), true) =
            (before, &records.state, records.is_state_alone())
        else {
            return Ok(None);
        };
        let mut after = after.clone();
        leave_out_same(&mut before, &mut after);
        let read = version.0.as_deref().unwrap_or_default();
        let before = self.lean_item_of(app, STATE, &before, read)?;
        let after = self.lean_item_of(app, STATE, &after, nonce)?;
        Ok(Some(Changes::between(&before, after)))
    }

    /// Sends what changed, if the item is still as it was written before. Returns whether it was
    /// written.
    pub(super) async fn update(
        &self,
        app: &AppName,
        changes: Changes,
        version: &Version,
        nonce: &str,
    ) -> Result<bool, Error> {
        let read = AttributeValue::S(version.0.clone().unwrap_or_default());
        let request = self
            .dynamodb
            .update_item()
            .table_name(&self.settings.state_table)
            .key("app", AttributeValue::S(app.to_string()))
            .key("item", AttributeValue::S(STATE.to_owned()))
            .update_expression(changes.expression())
            .condition_expression("nonce = :read")
            .set_expression_attribute_names(Some(changes.names))
            .set_expression_attribute_values(Some(changes.values))
            .expression_attribute_values(":read", read)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let sent = self.patiently("dynamodb:UpdateItem", || request.clone().send()).await;
        let Err(error) = sent else { return Ok(true) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failure)) => {
                Ok(failure.item.as_ref().is_some_and(|item| is_own(item, nonce)))
            }
            Some(e) if e.code() == Some("TransactionConflictException") => Ok(false),
            _ => Err(failed("dynamodb:UpdateItem", self.resource(app.as_str(), STATE), &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::leave_nulls_out;
    use super::*;
    use crate::model::notes::{Candidate, Candidates, CommitNote};
    use crate::model::promotion::End;
    use crate::model::state::{Recent, Running};
    use crate::model::verification::Verification;
    use crate::samples::{at, promotion};

    fn item(attributes: &[(&str, &str)]) -> Item {
        let attribute = |(name, value): &(&str, &str)| {
            ((*name).to_owned(), AttributeValue::S((*value).to_owned()))
        };
        attributes.iter().map(attribute).collect()
    }

    fn text(text: &str) -> AttributeValue {
        AttributeValue::S(text.to_owned())
    }

    #[test]
    fn only_what_changed_is_sent() {
        let before = item(&[("nonce", "1"), ("stack", "web"), ("hold", "dora"), ("stage", "a")]);
        let after = item(&[("nonce", "2"), ("stack", "web"), ("untold", "none")]);
        let changes = Changes::between(&before, after);
        let expression = "SET #nonce = :0, #untold = :1 REMOVE #hold, #stage";
        assert_eq!(changes.expression(), expression);
        assert_eq!(changes.values, item(&[(":0", "2"), (":1", "none")]));
        assert_eq!(changes.names.len(), 4);
        assert_eq!(changes.names["#hold"], "hold");
    }

    #[test]
    fn nothing_is_removed_where_nothing_is_gone() {
        let changes =
            Changes::between(&item(&[("nonce", "1")]), item(&[("nonce", "2"), ("hold", "dora")]));
        assert_eq!(changes.expression(), "SET #hold = :0, #nonce = :1");
    }

    #[test]
    fn what_changed_inside_an_attribute_is_sent_alone() {
        let open = |of: &[&[(&str, &str)]]| -> Item {
            let list = of.iter().map(|attributes| AttributeValue::M(item(attributes)));
            [("open".to_owned(), AttributeValue::L(list.collect()))].into()
        };
        let before = open(&[&[("tag", "a"), ("at", "1")], &[("tag", "b"), ("at", "1")]]);
        let after = open(&[&[("tag", "a"), ("at", "1")], &[("tag", "b"), ("sent", "2")]]);
        let changes = Changes::between(&before, after);
        assert_eq!(changes.expression(), "SET #open[1].#sent = :0 REMOVE #open[1].#at");
        assert_eq!(changes.values, [(":0".to_owned(), text("2"))].into());
        let names = [("#open", "open"), ("#sent", "sent"), ("#at", "at")];
        assert_eq!(changes.names, names.map(|(a, b)| (a.to_owned(), b.to_owned())).into());

        // Elements of a list that has another length have other places.
        let shorter = open(&[&[("tag", "b")]]);
        assert_eq!(Changes::between(&before, shorter).expression(), "SET #open = :0");
    }

    /// A state in which everything is set that may be left out.
    fn state() -> State {
        let (promotion, at) = (promotion(), at("2026-03-17T09:41:30Z"));
        let mut state = State::new("web", "ProductionTag");
        let note = CommitNote {
            commit: promotion.commit.clone(),
            subject: Some("a subject".to_owned()),
            author: None,
            at: Some(at),
            url: None,
        };
        state.candidates.see(Candidate { digest: promotion.digest.clone(), note });
        state.recent.push(Recent::new(&promotion, End::Deployed, "it is there".to_owned()));
        state.running = Some(Running {
            tag: promotion.tag.to_string(),
            digest: Some(promotion.digest.clone()),
            commit: None,
            note: None,
            since: Some(at),
            by: "dora".to_owned(),
        });
        state.verifying = Some(Verification::begin(promotion.clone(), 30, at));
        state.open.push(promotion);
        state
    }

    #[test]
    fn what_is_left_out_changes_no_update() {
        let item = |state: &State| {
            let mut item: Item = serde_dynamo::to_item(state).expect("an item");
            leave_nulls_out(&mut item);
            item
        };
        let changed: [fn(&mut State); 6] = [
            |_| {},
            |state| state.open[0].accepted_at = Some(Timestamp::UNIX_EPOCH),
            |state| state.candidates = Candidates::default(),
            |state| state.recent.clear(),
            |state| state.running = None,
            |state| state.verifying = None,
        ];
        for (n, change) in changed.into_iter().enumerate() {
            let mut after = state();
            change(&mut after);
            for (mut before, mut after) in [(state(), after.clone()), (after, state())] {
                let whole = Changes::between(&item(&before), item(&after));
                leave_out_same(&mut before, &mut after);
                assert_eq!(Changes::between(&item(&before), item(&after)), whole, "case {n}");
            }
        }
        let (mut before, mut after) = (state(), state());
        leave_out_same(&mut before, &mut after);
        assert!(before.candidates.is_empty() && after.candidates.is_empty(), "they are the same");
    }
}
