//! Slack's two addresses: [`click`] for buttons and [`command`] for slash commands. Each request is
//! checked in this order, by [`admission`]: did Slack sign it within the last minutes, does its
//! sender belong to the installed team or organisation, and may the sender command this app? Only
//! then is anything decided. Slack waits 3 s for an answer: the decision is written first, and the
//! schedule finishes what takes longer.
//! <https://docs.slack.dev/interactivity/handling-user-interaction/#acknowledgment_response>
//!
//! This file: what both have in common once the sender is known.

pub(super) mod admission;
pub(super) mod click;
pub(super) mod command;

use std::time::{Duration, Instant};

use crate::decide::Trigger;
use crate::error::Error;
use crate::model::answer::{Answer, Outcome};
use crate::model::command::Command;
use crate::model::config::App;
use crate::model::report::Reply;
use crate::reconcile::look_for_a_person;
use crate::world::Web;
use crate::world::snapshot::Subject;

/// How long the function works before it answers Slack. The rest of the 3 s is for the network.
const BUDGET: Duration = Duration::from_millis(2_250);
/// The answer when the time is up and the command may have been recorded.
const LATER: &str = "This takes longer than Slack waits. If the command was recorded, it \
                     continues by itself within five minutes; `status` shows how it stands.";

/// Carries out a command while there is time; `None` if the time was too short. To stop half-way is
/// as safe as a crash.
async fn act_in_time<W: Web>(
    world: &W,
    app: &App,
    command: Command,
    began: Instant,
) -> Result<Option<Reply>, Error> {
    let subject = Subject::of(&command);
    let trigger = Trigger::Command(command);
    let looked = look_for_a_person(world, app, &trigger, &subject);
    in_time(began, looked).await.transpose()
}

/// Runs a future while Slack waits; `None` if it did not end in time.
async fn in_time<T>(began: Instant, what: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(left(began), what).await.ok()
}

/// The rest of the time that the function works before it answers Slack.
fn left(began: Instant) -> Duration {
    BUDGET.saturating_sub(began.elapsed())
}

/// The answer to somebody who may not command. Nothing is recorded, and the app is not looked at.
fn refusal(app: &App, objection: String) -> Reply {
    Answer { outcome: Outcome::Refused, ..Answer::ignored(objection).about(app) }.into()
}
