//! The change sets of the stack in memory, and the guard's rule about those that are executed.

use ecr_promoter::model::Token;
use ecr_promoter::model::change_set::{Change, ChangeSet, Changes};
use ecr_promoter::model::promotion::Update;
use ecr_promoter::world::{Applied, NotUpdated};
use serde_json::json;

use super::world::Inner;

/// One of our change sets. What it would do is settled when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MadeChangeSet {
    update: Update,
    changes: Changes,
    /// How often it is still said to be in the making.
    pub(crate) looks: usize,
    /// The stack has changed since it was made.
    is_outdated: bool,
}

impl Inner {
    pub(super) fn outdate_change_sets(&mut self) {
        for own in self.change_sets.values_mut().flatten() {
            own.is_outdated = true;
        }
    }

    pub(super) fn create_change_set(&mut self, update: &Update, name: &str) -> Applied {
        if self.in_flight.is_some() {
            return Applied::NotUpdated(NotUpdated::Contested);
        }
        let (state, _) = self.state.as_ref().expect("a change set is made that no state knows");
        assert!(
            state.change_sets.iter().any(|own| own.name() == name),
            "a change set is made that nobody would remove"
        );
        if self.change_sets.contains_key(name) {
            return Applied::NotUpdated(NotUpdated::Contested);
        }
        let new = MadeChangeSet {
            update: update.clone(),
            changes: self.would_change.clone(),
            looks: self.looks_of_a_review,
            is_outdated: false,
        };
        self.change_sets.insert(name.to_owned(), Some(new));
        Applied::Created(arn_of(name))
    }

    pub(super) fn review(&mut self, arn: &str) -> ChangeSet {
        let others = self
            .change_sets
            .iter()
            .filter(|(_, own)| own.is_none())
            .map(|(name, _)| name.clone())
            .collect();
        match self.change_sets.get_mut(name_of(arn)) {
            None if self.executed.as_deref() == Some(arn) && self.in_flight.is_some() => {
                ChangeSet::Executing
            }
            None => ChangeSet::Absent,
            Some(None) => panic!("somebody else's change set has our name"),
            Some(Some(own)) if own.looks > 0 => {
                own.looks -= 1;
                ChangeSet::Pending
            }
            Some(Some(MadeChangeSet { is_outdated: true, .. })) => ChangeSet::Outdated,
            Some(Some(own)) => ChangeSet::Ready(Changes { others, ..own.changes.clone() }),
        }
    }

    pub(super) fn execute_change_set(&mut self, token: &Token, arn: &str) -> Applied {
        let Some(Some(MadeChangeSet { update, changes, looks: 0, is_outdated: false })) =
            self.change_sets.get(name_of(arn)).cloned()
        else {
            return Applied::NotUpdated(NotUpdated::Contested);
        };
        assert_eq!(update.token, *token, "another promotion's change set is executed");
        let applied = self.update(&update);
        if applied == Applied::Done {
            self.assert_guarded(&changes);
            self.change_sets.clear();
            self.executed = Some(arn.to_owned());
        }
        applied
    }

    /// What a change set did was allowed. Deliberately not the function's own judgement: here
    /// replacements are all there is.
    fn assert_guarded(&self, changes: &Changes) {
        if let Some(allowed) = self.config["guard"]["allowed_changes"].as_array() {
            let is_allowed =
                |change: &Change| allowed.contains(&json!(format!("{}:Replacement", change.kind)));
            assert!(
                changes.list.iter().all(is_allowed),
                "the guard forbids what was executed: {:?}",
                changes.list
            );
        }
        for (key, value) in &self.resolved {
            let is_as_it_was = changes.resolved.contains(&(key.clone(), value.clone()))
                || !changes.causes.contains(key);
            assert!(
                is_as_it_was || self.is_rolling_back(),
                "`{key}` was resolved anew: {:?}",
                changes.resolved
            );
        }
    }

    fn is_rolling_back(&self) -> bool {
        let (state, _) = self.state.as_ref().expect("a state");
        let (token, _) = self.updates.last().expect("an update");
        state.open.iter().any(|open| open.token.as_str() == token && open.rolls_back.is_some())
    }

    pub(super) fn delete_change_set(&mut self, id: &str) -> Applied {
        let name = name_of(id);
        match self.change_sets.get_mut(name) {
            Some(Some(own)) if own.looks > 0 => {
                own.looks -= 1;
                Applied::PutOff
            }
            Some(Some(_)) => {
                self.change_sets.remove(name);
                Applied::Done
            }
            Some(None) => panic!("somebody else's change set has our name"),
            None => Applied::Done,
        }
    }
}

fn arn_of(name: &str) -> String {
    format!("arn:aws:cloudformation:us-east-1:012345678912:changeSet/{name}/1")
}

fn name_of(id: &str) -> &str {
    id.split('/').nth(1).unwrap_or(id)
}
