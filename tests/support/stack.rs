//! The stack of the AWS in memory: it takes one update at a time, and asserts what must hold of each.

use std::collections::{BTreeMap, BTreeSet};

use ecr_promoter::model::Token;
use ecr_promoter::model::approval::Progress;
use ecr_promoter::model::command::Via;
use ecr_promoter::model::promotion::{Promotion, Update};
use ecr_promoter::model::stack::{Parameter, Stack, StackEvent};
use ecr_promoter::world::{Applied, NotUpdated};
use serde_json::Value;

use super::change_sets::MadeChangeSet;
use super::world::{Inner, Memory};

/// A stack that nobody looks at.
#[derive(Clone, PartialEq)]
pub(super) struct OtherStack {
    config: Value,
    id: String,
    status: String,
    parameters: BTreeMap<String, String>,
    events: Vec<StackEvent>,
    in_flight: Option<(String, String)>,
    change_sets: BTreeMap<String, Option<MadeChangeSet>>,
}

impl Memory {
    /// The stack's update goes through.
    pub(crate) fn finish_update(&self) {
        let mut inner = self.get_mut();
        let (token, _) = inner.in_flight.take().expect("an update is under way");
        inner.status = "UPDATE_COMPLETE".to_owned();
        inner.stack_event(&token, "UPDATE_COMPLETE", None);
        if inner.ecs_follows {
            inner.ecs_begins();
        }
    }

    /// The stack's update fails and is rolled back.
    pub(crate) fn fail_update(&self, reason: &str) {
        let mut inner = self.get_mut();
        let (token, before) = inner.in_flight.take().expect("an update is under way");
        inner.parameters.insert("ProductionTag".to_owned(), before);
        if inner.status != "UPDATE_ROLLBACK_IN_PROGRESS" {
            inner.stack_event(&token, "UPDATE_ROLLBACK_IN_PROGRESS", Some(reason));
        }
        inner.status = "UPDATE_ROLLBACK_COMPLETE".to_owned();
        // The rollback of a cancelled update carries the cancel's token.
        let token = inner.events[0].token.clone();
        inner.stack_event_by(token.as_deref(), "UPDATE_ROLLBACK_COMPLETE", None);
    }

    /// Somebody else updates the stack to this value; it is under way until it is finished.
    pub(crate) fn foreign_update(&self, value: &str) {
        let mut inner = self.get_mut();
        let before =
            inner.parameters.insert("ProductionTag".to_owned(), value.to_owned()).expect("a value");
        inner.status = "UPDATE_IN_PROGRESS".to_owned();
        inner.in_flight = Some(("Console-1".to_owned(), before));
        inner.alarm_has_acted = false;
        inner.outdate_change_sets();
        inner.stack_event("Console-1", "UPDATE_IN_PROGRESS", Some("User Initiated"));
    }

    /// Somebody cancels the update that is under way in the console, whose events carry a token of
    /// the console's, or none.
    pub(crate) fn cancel_in_the_console(&self, token: Option<&str>) {
        let mut inner = self.get_mut();
        inner.status = "UPDATE_ROLLBACK_IN_PROGRESS".to_owned();
        inner.stack_event_by(token, "UPDATE_ROLLBACK_IN_PROGRESS", Some("User Initiated"));
    }

    /// The app's configuration names another stack from now on, or the first one again. What is
    /// under way goes on unseen.
    pub(crate) fn move_to_the_other_stack(&self) {
        let mut inner = self.get_mut();
        let new = inner.other_stack.take().unwrap_or_else(|| OtherStack {
            config: "other".into(),
            id: "arn:aws:cloudformation:us-east-1:012345678912:stack/other/2".to_owned(),
            status: "UPDATE_COMPLETE".to_owned(),
            parameters: inner.parameters.clone(),
            events: Vec::new(),
            in_flight: None,
            change_sets: BTreeMap::new(),
        });
        inner.other_stack = Some(OtherStack {
            config: std::mem::replace(&mut inner.config["stack"], new.config),
            id: std::mem::replace(&mut inner.stack_id, new.id),
            status: std::mem::replace(&mut inner.status, new.status),
            parameters: std::mem::replace(&mut inner.parameters, new.parameters),
            events: std::mem::replace(&mut inner.events, new.events),
            in_flight: std::mem::replace(&mut inner.in_flight, new.in_flight),
            change_sets: std::mem::replace(&mut inner.change_sets, new.change_sets),
        });
    }
}

impl Inner {
    fn stack_event(&mut self, token: &str, status: &str, reason: Option<&str>) {
        self.stack_event_by(Some(token), status, reason);
    }

    fn stack_event_by(&mut self, token: Option<&str>, status: &str, reason: Option<&str>) {
        let event = StackEvent {
            at: self.now,
            token: token.map(str::to_owned),
            is_stack: true,
            resource: "web (AWS::CloudFormation::Stack)".to_owned(),
            status: status.to_owned(),
            reason: reason.map(str::to_owned),
        };
        self.events.insert(0, event);
    }

    /// Sent straight to the stack: only where nothing must be reviewed.
    pub(super) fn update_stack(&mut self, update: &Update) -> Applied {
        assert!(
            self.config["guard"].is_null() && self.resolved.is_empty(),
            "an update goes past the guard"
        );
        let applied = self.update(update);
        if applied == Applied::Done {
            self.outdate_change_sets();
        }
        applied
    }

    pub(super) fn update(&mut self, update: &Update) -> Applied {
        if let Some(answer) = self.next_update.take() {
            return Applied::NotUpdated(answer);
        }
        let is_known = self.updates.iter().any(|(token, _)| token == update.token.as_str());
        if self.in_flight.is_some() {
            return Applied::NotUpdated(NotUpdated::Contested);
        }
        if is_known && !self.takes_known_tokens {
            return Applied::NotUpdated(NotUpdated::KnownToken);
        }
        self.assert_known_and_permitted(update);
        self.assert_complete(update);
        let is_alarms = self.open(update).is_some_and(|open| open.via == Via::Alarm);
        if is_alarms && !is_known {
            assert!(!self.alarm_has_acted, "two rollbacks by alarms, and no person in between");
            self.alarm_has_acted = true;
        }
        self.ran.extend(self.open(update).map(|open| open.digest.clone()));
        let before = self.parameters["ProductionTag"].clone();
        if before == update.tag.as_str() {
            return Applied::NotUpdated(NotUpdated::NothingToDo);
        }
        self.parameters.insert("ProductionTag".to_owned(), update.tag.to_string());
        self.updates.push((update.token.to_string(), update.tag.to_string()));
        self.stack_event(update.token.as_str(), "UPDATE_IN_PROGRESS", Some("User Initiated"));
        if self.finishes_at_once {
            self.stack_event(update.token.as_str(), "UPDATE_COMPLETE", None);
            if self.ecs_follows {
                self.ecs_begins();
            }
        } else {
            self.status = "UPDATE_IN_PROGRESS".to_owned();
            self.in_flight = Some((update.token.to_string(), before));
        }
        Applied::Done
    }

    /// The promotion that sends this update, unless it has ended.
    fn open(&self, update: &Update) -> Option<&Promotion> {
        let (state, _) = self.state.as_ref().expect("an update is sent that no state knows");
        state.open.iter().find(|open| open.token == update.token)
    }

    fn assert_known_and_permitted(&self, update: &Update) {
        let open = self.open(update);
        let (state, _) = self.state.as_ref().expect("a state");
        let is_known =
            open.is_some() || state.recent.iter().any(|ended| ended.token == update.token);
        assert!(is_known, "an update is sent whose token is not in the state");
        let Some(open) = open else { return };
        let is_undone = open.by.contains("undoing");
        let is_permitted = self.config["mode"] == "auto" || !open.via.is_automation() || is_undone;
        assert!(is_permitted, "nobody permitted what is sent: {open:#?}");
        let rests_on = open
            .request
            .as_ref()
            .and_then(|id| state.all_requests().find(|request| request.id == *id));
        let is_rejected = rests_on
            .is_some_and(|request| request.progress == Progress::Rejected && open.via != Via::Sns);
        assert!(!is_rejected, "what was rejected is sent: {open:#?}");
    }

    fn assert_complete(&self, update: &Update) {
        let others: BTreeSet<&String> =
            self.parameters.keys().filter(|key| *key != "ProductionTag").collect();
        assert_eq!(
            others,
            update.others.iter().collect(),
            "every other parameter is named, or it falls to its default"
        );
        let was_moved = self.moved_by_others.contains(&update.tag);
        assert!(
            was_moved || self.tags.contains_key(&update.tag),
            "the stack is sent to a tag that no image has"
        );
        assert!(update.tag.as_str().starts_with("production_"), "production gets `{}`", update.tag);
        if let Some(open) = self.open(update) {
            let on = self.tags.get(&update.tag);
            assert!(
                was_moved || on == Some(&open.digest),
                "the tag of what is sent is on {on:?}: {open:#?}"
            );
        }
    }

    pub(super) fn cancel(&mut self, token: &Token) -> Applied {
        if self.status != "UPDATE_IN_PROGRESS" {
            return Applied::NotUpdated(NotUpdated::Contested);
        }
        // The real call looks whose update it is right before it cancels.
        if self.in_flight.as_ref().is_none_or(|(under_way, _)| under_way != token.as_str()) {
            return Applied::NotUpdated(NotUpdated::Contested);
        }
        self.status = "UPDATE_ROLLBACK_IN_PROGRESS".to_owned();
        self.stack_event(
            token.of_cancel().as_str(),
            "UPDATE_ROLLBACK_IN_PROGRESS",
            Some("User Initiated"),
        );
        self.cancels += 1;
        Applied::Done
    }

    pub(super) fn stack(&self) -> Stack {
        Stack {
            id: self.stack_id.clone(),
            name: "web".to_owned(),
            status: self.status.clone(),
            updated_at: None,
            parent: None,
            role: None,
            parameters: self
                .parameters
                .iter()
                .map(|(key, value)| Parameter {
                    key: key.clone(),
                    value: value.clone(),
                    resolved: self.resolved.get(key).cloned(),
                })
                .collect(),
            capabilities: vec!["CAPABILITY_IAM".to_owned()],
        }
    }
}
