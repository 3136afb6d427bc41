//! The kinds of conditions, with their words, shapes and sections.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::page::commits::Named;
use crate::page::moment::{at, clock};
use crate::page::symbol::{Symbol, Tone};
use crate::page::words::name;

/// The kinds of conditions. The first ones need somebody most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::page) enum Kind {
    /// The last promotion failed.
    Failed,
    /// An alarm went off in the bake.
    Alarm,
    /// A person must first mend the stack, or allow a change.
    Blocked,
    /// The configuration cannot be used, or the app cannot be read.
    Unusable,
    /// ECS runs another image than the stack names.
    Elsewhere,
    /// People are asked.
    Waits,
    /// Nobody decided in time.
    Expired,
    /// CloudFormation updates the stack.
    Updating,
    /// ECS is getting there.
    Verifying,
    /// Alarms are watched.
    Baking,
    /// It waits for its turn.
    Queued,
    /// An image runs in the stage before, and must do so for longer.
    Soaking,
    /// A person stopped it.
    Held,
    /// A person, or an alarm, went back.
    RolledBack,
    /// It runs, and nothing is to be done.
    Running,
    /// Nothing is known yet.
    Unseen,
}

/// The sections of the board, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Somebody must act.
    Needs,
    /// It goes on by itself.
    Moving,
    /// A person stopped it.
    Held,
    /// It runs.
    Fine,
    /// It was never looked at.
    New,
}

impl Group {
    /// All of them.
    pub const ALL: [Group; 5] = [Group::Needs, Group::Moving, Group::Held, Group::Fine, Group::New];

    /// Its name in an address.
    pub fn name(self) -> &'static str {
        match self {
            Group::Needs => "needs",
            Group::Moving => "moving",
            Group::Held => "held",
            Group::Fine => "fine",
            Group::New => "new",
        }
    }
}

impl Kind {
    /// The tone of its colour.
    pub(in crate::page) fn tone(self) -> Tone {
        match self {
            Kind::Failed | Kind::Alarm | Kind::Blocked | Kind::Unusable | Kind::Elsewhere => {
                Tone::Bad
            }
            Kind::Waits | Kind::Expired => Tone::Ask,
            Kind::Updating | Kind::Verifying => Tone::Move,
            Kind::Baking | Kind::Queued | Kind::Soaking => Tone::Move,
            Kind::Held | Kind::RolledBack => Tone::Held,
            Kind::Running => Tone::Ok,
            Kind::Unseen => Tone::None,
        }
    }

    /// Its shape.
    pub(in crate::page) fn symbol(self) -> Symbol {
        match self {
            Kind::Failed => Symbol::Bad,
            Kind::Alarm | Kind::Baking => Symbol::Bake,
            Kind::Blocked => Symbol::Stop,
            Kind::Unusable | Kind::Elsewhere => Symbol::Error,
            Kind::Waits | Kind::Expired => Symbol::Ask,
            Kind::Updating | Kind::Verifying => Symbol::Move,
            Kind::Queued => Symbol::Queue,
            Kind::Soaking => Symbol::Time,
            Kind::Held => Symbol::Held,
            Kind::RolledBack => Symbol::Back,
            Kind::Running => Symbol::Ok,
            Kind::Unseen => Symbol::None,
        }
    }

    /// The section of the board that it stands in.
    pub(in crate::page) fn group(self) -> Group {
        match self {
            Kind::Failed | Kind::Alarm | Kind::Blocked | Kind::Unusable | Kind::Elsewhere => {
                Group::Needs
            }
            Kind::Waits | Kind::Expired => Group::Needs,
            Kind::Updating | Kind::Verifying => Group::Moving,
            Kind::Baking | Kind::Queued | Kind::Soaking => Group::Moving,
            Kind::Held | Kind::RolledBack => Group::Held,
            Kind::Running => Group::Fine,
            Kind::Unseen => Group::New,
        }
    }

    /// Its place within the section. Kinds with the same number stand side by side.
    fn rank(self) -> u8 {
        match self {
            Kind::Failed => 1,
            Kind::Alarm => 2,
            Kind::Blocked => 3,
            Kind::Unusable | Kind::Elsewhere => 4,
            Kind::Waits | Kind::Expired => 5,
            Kind::Updating | Kind::Verifying => 6,
            Kind::Baking | Kind::Queued | Kind::Soaking => 7,
            Kind::Held | Kind::RolledBack => 8,
            Kind::Running => 9,
            Kind::Unseen => 10,
        }
    }
}

/// The condition of one app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::page) struct Condition {
    /// The kind.
    pub(in crate::page) kind: Kind,
    /// The words beside the shape.
    pub(in crate::page) words: String,
    /// Why, or what else to know. Text from outside.
    pub(in crate::page) reason: Option<String>,
    /// The image that runs.
    pub(in crate::page) runs: Option<Named>,
    /// The image that would run, or is on its way.
    pub(in crate::page) next: Option<Named>,
    /// Since when, where known.
    pub(in crate::page) since: Option<Timestamp>,
    /// The time that the words end with, if they do.
    pub(in crate::page) until: Option<Timestamp>,
}

impl Condition {
    /// The place on the board: the smaller one comes first. What waits for people longest comes
    /// first of those that wait.
    pub(in crate::page) fn rank(&self) -> (u8, Option<Timestamp>) {
        let asked = self.since.filter(|_| matches!(self.kind, Kind::Waits | Kind::Expired));
        (self.kind.rank(), asked)
    }

    /// The words, with the exact time behind the one that they end with.
    pub(in crate::page) fn draw(&self, now: Timestamp) -> Markup {
        let split = self.until.and_then(|until| {
            let words = self.words.strip_suffix(&clock(until, now))?;
            Some((words.trim_end(), until))
        });
        match split {
            Some((words, until)) => html! { (name(words)) " " (at(until, now)) },
            None => name(&self.words),
        }
    }
}

/// The worst tone of these conditions, for the picture of the tab.
pub(in crate::page) fn worst<'a>(
    conditions: impl IntoIterator<Item = &'a Condition>,
) -> Option<Tone> {
    let worst = conditions.into_iter().map(|condition| condition.kind).min();
    worst.map(Kind::tone)
}
