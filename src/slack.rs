//! Slack's side of the wire. Everything that a stranger can send is checked here and nothing is
//! decided here.
//!
//! The parts, in the order in which a request meets them:
//!
//! * [`signature`]: whether it is from Slack at all
//! * [`interaction`]: a click on a button
//! * [`slash`]: a slash command
//! * [`response_url`]: whether the address to answer at is Slack's
//! * [`team`]: whether its sender is one of ours
//! * [`escape`]: foreign text in a message
//! * [`card`]: the message of a request
//! * [`reply`]: answers to slash commands and clicks

pub mod signature;

pub mod interaction;
pub mod slash;

pub mod response_url;
pub mod team;

pub mod card;
pub mod escape;

pub mod reply;

mod form;

use crate::text::plain;

/// Names are shown and nothing else: an id says who it is.
const LONGEST_NAME: usize = 80;
/// Slack's own ids have some ten characters.
const LONGEST_ID: usize = 64;
/// What Slack hands out to come back with: a trigger's id, a message's time.
const LONGEST_TOKEN: usize = 200;

/// Who clicked or wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id, which is what configurations name.
    pub id: String,
    /// The name, for people to read; empty if there is none.
    pub name: String,
    /// The team of the user, which is another one for a guest; `None` where Slack does not say it.
    pub team: Option<String>,
}

/// A body that is not what Slack sends. The words quote nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is not what Slack sends: {0}")]
pub struct Unreadable(&'static str);

/// The id of a team, user or channel. It becomes part of keys and messages, so it must be as plain
/// as Slack makes it.
fn id(text: String) -> Result<String, Unreadable> {
    let is_id =
        (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    if is_id { Ok(text) } else { Err(Unreadable("an id is not valid")) }
}

/// What Slack hands out to come back with; kept, compared and sent back, never looked into.
fn token(text: String) -> Result<String, Unreadable> {
    let is_token =
        (1..=LONGEST_TOKEN).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if is_token { Ok(text) } else { Err(Unreadable("a trigger or a message's time is not valid")) }
}

/// A name, for people to read.
fn name(text: &str) -> String {
    plain(text.trim(), LONGEST_NAME)
}
