//! Slack's formats and signatures, in and out. Everything that a stranger can send is checked here,
//! and nothing is decided. No HTTP here.
//!
//! The parts, in the order in which a request meets them:
//!
//! * [`signature`]: whether Slack sent it
//! * [`interaction`]: a click on a button
//! * [`slash`]: a slash command
//! * [`response_url`]: whether the address to answer at is Slack's
//! * [`team`]: whether its sender belongs to the installed team
//! * [`escape`]: text from outside in a message
//! * [`card`]: the message about a request
//! * [`post`]: messages about what happened
//! * [`unreachable`]: what stands in place of buttons that Slack could not deliver
//! * [`reply`]: answers to slash commands and clicks

pub mod signature;

pub mod interaction;
pub mod slash;

pub mod response_url;
pub mod team;

pub mod card;
pub mod escape;
pub mod post;
pub mod unreachable;

mod blocks;

pub mod reply;

mod form;

use crate::text::plain;

/// The longest name. Names are only shown; the id says who somebody is.
const LONGEST_NAME: usize = 80;
/// The longest id. Slack's own ids have about ten characters.
const LONGEST_ID: usize = 64;
/// The longest token. A token is what Slack hands out to be sent back: a trigger's id, a message's
/// time.
const LONGEST_TOKEN: usize = 200;

/// Who clicked or wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id. Configurations name people by it.
    pub id: String,
    /// The name, for people to read; empty if there is none.
    pub name: String,
    /// The team of the user, another one for a guest; `None` if Slack does not say.
    pub team: Option<String>,
}

/// The error for a body that is not what Slack sends. The words quote nothing from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is not what Slack sends: {0}")]
pub struct Unreadable(&'static str);

/// Checks the id of a team, user or channel. Ids become part of keys and messages, so only letters
/// and digits are accepted.
fn id(text: String) -> Result<String, Unreadable> {
    let is_id =
        (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    if is_id { Ok(text) } else { Err(Unreadable("an id is not valid")) }
}

/// Checks a token. Tokens are stored, compared and sent back, but never read.
fn token(text: String) -> Result<String, Unreadable> {
    let is_token =
        (1..=LONGEST_TOKEN).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if is_token {
        Ok(text)
    } else {
        Err(Unreadable("a trigger's id or a message's time is not valid"))
    }
}

/// Makes a name fit to be shown.
fn name(text: &str) -> String {
    plain(text.trim(), LONGEST_NAME)
}
