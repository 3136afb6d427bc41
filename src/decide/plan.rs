//! What a decision is made of: its trigger, the step that comes next, the plan. Types only.

use std::ops::ControlFlow;

use crate::model::Digest;
use crate::model::command::Command;
use crate::model::config::ConfigError;
use crate::model::report::Reply;
use crate::world::action::Action;
use crate::world::snapshot::Question;

/// Why an app is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// This image got the source tag.
    Pushed(Digest),
    /// Its stack changed, or it is time to look: this caused it.
    Due(&'static str),
    /// Somebody sent a command.
    Command(Command),
}

/// Actions in order; those of one stage run side by side.
pub type Stages = Vec<Vec<Action>>;

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Read this, and decide again.
    Read(Question),
    /// Carry these stages out, and look again from the start. No stages: two reads did not fit
    /// together, since something changed in between.
    LookAgain(Stages),
    /// Carry this plan out, and answer.
    Finish(Plan),
}

/// What to do, and what to answer once it is done.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What to do.
    pub stages: Stages,
    /// The answer; an error if the configuration cannot be used.
    pub reply: Result<Reply, ConfigError>,
    /// Why something could not be read, where nobody knows that yet. The plan is carried out
    /// without it, and then the invocation fails, so that it is logged and tried again.
    pub unread: Option<String>,
}

impl Plan {
    /// A plan that answers this in the end.
    pub(super) fn new(stages: Stages, reply: impl Into<Reply>) -> Self {
        Self { stages, reply: Ok(reply.into()), unread: None }
    }
}

/// What must happen before the decision can be made.
#[derive(Debug)]
pub(super) enum First {
    /// Read this.
    Read(Question),
    /// Carry these stages out, and look again.
    LookAgain(Stages),
}

/// `Ok` is a decision or a part of one. `Err` says what must come first: `?` reads as "unless
/// something comes first".
pub(super) type Decided<T = Plan> = Result<T, First>;

/// A part of a decision that may end it: `Break` has the plan that it ends with.
pub(super) type MayEnd<T> = Decided<ControlFlow<Plan, T>>;

impl From<Decided> for Step {
    fn from(decided: Decided) -> Self {
        match decided {
            Ok(plan) => Step::Finish(plan),
            Err(First::Read(question)) => Step::Read(question),
            Err(First::LookAgain(stages)) => Step::LookAgain(stages),
        }
    }
}
