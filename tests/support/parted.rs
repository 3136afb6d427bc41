//! Several apps in one AWS in memory: each has a configuration, a stack and a state of its own. The
//! image repository, the topic, Slack and the clock are everybody's.

use std::collections::BTreeMap;

use ecr_promoter::model::bake::Alarm;
use ecr_promoter::model::change_set::Changes;
use ecr_promoter::model::ecs::{Service, StoppedTask};
use ecr_promoter::model::promotion::Ended;
use ecr_promoter::model::stack::StackEvent;
use ecr_promoter::model::state::{CommandRecord, State};
use ecr_promoter::model::{AppName, Digest};
use serde_json::Value;

use super::change_sets::MadeChangeSet;
use super::world::{Inner, Memory};

/// What is one app's own.
#[derive(Clone, PartialEq, Default)]
pub(super) struct Part {
    config: Value,
    stack_id: String,
    status: String,
    parameters: BTreeMap<String, String>,
    events: Vec<StackEvent>,
    in_flight: Option<(String, String)>,
    services: Vec<Service>,
    stopped: Vec<(String, Vec<StoppedTask>)>,
    alarms: Vec<Alarm>,
    state: Option<(State, String)>,
    history: BTreeMap<u64, Ended>,
    commands: BTreeMap<String, CommandRecord>,
    change_sets: BTreeMap<String, Option<MadeChangeSet>>,
    would_change: Changes,
    ran: Vec<Digest>,
    updates: Vec<(String, String)>,
    replica: BTreeMap<ecr_promoter::model::Tag, Digest>,
}

impl Part {
    /// The app's configuration.
    pub(super) fn config(&self) -> &Value {
        &self.config
    }

    /// The app's state.
    pub(super) fn state(&self) -> Option<&State> {
        self.state.as_ref().map(|(state, _)| state)
    }
}

impl Inner {
    /// Makes the fields of the world those of this app.
    pub(super) fn turn_to(&mut self, name: &AppName) {
        if self.turned_to.as_deref().unwrap_or("web") == name.as_str() {
            return;
        }
        let Some(mut part) = self.parts.remove(name) else { return };
        self.swap(&mut part);
        let before = self.turned_to.replace(name.to_string());
        let before = before.unwrap_or_else(|| "web".to_owned());
        self.parts.insert(before.parse().expect("a name"), part);
    }

    /// The app that the fields are of.
    pub(super) fn turned_to(&self) -> AppName {
        self.turned_to.as_deref().unwrap_or("web").parse().expect("a name")
    }

    fn swap(&mut self, part: &mut Part) {
        use std::mem::swap;
        swap(&mut self.config, &mut part.config);
        swap(&mut self.stack_id, &mut part.stack_id);
        swap(&mut self.status, &mut part.status);
        swap(&mut self.parameters, &mut part.parameters);
        swap(&mut self.events, &mut part.events);
        swap(&mut self.in_flight, &mut part.in_flight);
        swap(&mut self.services, &mut part.services);
        swap(&mut self.stopped, &mut part.stopped);
        swap(&mut self.alarms, &mut part.alarms);
        swap(&mut self.state, &mut part.state);
        swap(&mut self.history, &mut part.history);
        swap(&mut self.commands, &mut part.commands);
        swap(&mut self.change_sets, &mut part.change_sets);
        swap(&mut self.would_change, &mut part.would_change);
        swap(&mut self.ran, &mut part.ran);
        swap(&mut self.updates, &mut part.updates);
        swap(&mut self.replica, &mut part.replica);
    }
}

impl Memory {
    /// Adds an app with a stack of its own, which runs what `web`'s does.
    pub(crate) fn add_app(&self, name: &str, stack_id: &str, config: Value) {
        let mut inner = self.get_mut();
        let parameters = inner.parameters.clone();
        let part = Part {
            config,
            stack_id: stack_id.to_owned(),
            status: "UPDATE_COMPLETE".to_owned(),
            parameters,
            ran: inner.ran.clone(),
            ..Part::default()
        };
        inner.parts.insert(name.parse().expect("a name"), part);
    }

    /// Turns to an app: what is read and done here is its from now on.
    pub(crate) fn at(&self, name: &str) -> &Self {
        self.get_mut().turn_to(&name.parse().expect("a name"));
        self
    }
}
