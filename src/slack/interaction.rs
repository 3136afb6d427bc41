//! A click on one of this function's buttons.
//! <https://docs.slack.dev/reference/interaction-payloads/block_actions-payload/>

use std::fmt;

use serde::Deserialize;

use super::form::Form;
use super::{Unreadable, User, id, name, token};

/// Slack's own limit for the value of a button.
const LONGEST_VALUE: usize = 2000;

/// A click on a button. Only the button's value can show that this function made its message.
#[derive(Clone, PartialEq, Eq)]
pub struct Click {
    /// Slack's id of the click, so that it acts once.
    pub trigger_id: String,
    /// The team that the app is installed in; `None` if it is installed for a whole organisation.
    pub team: Option<String>,
    /// The organisation, where there is one.
    pub organisation: Option<String>,
    /// Who clicked.
    pub user: User,
    /// The channel of the message.
    pub channel: Option<String>,
    /// The time of the message, which is its id in the channel.
    pub message_ts: Option<String>,
    /// The button.
    pub button: Button,
    /// The value of the button; empty if it has none.
    pub value: String,
    /// Where an answer to whoever clicked goes, for 30 minutes. It is not checked yet. It is never
    /// logged, because anyone who has it can write there.
    pub response_url: Option<String>,
}

/// Leaves out what lets its reader write to the channel.
impl fmt::Debug for Click {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Click")
            .field("team", &self.team)
            .field("user", &self.user)
            .field("button", &self.button)
            .finish_non_exhaustive()
    }
}

/// The buttons of this function's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Button {
    /// Approve a request.
    Approve,
    /// Reject a request.
    Reject,
    /// Ask again for approval, after a request expired.
    AskAgain,
    /// Roll back what was deployed.
    RollBack,
}

impl Button {
    /// All of them.
    pub const ALL: [Button; 4] =
        [Button::Approve, Button::Reject, Button::AskAgain, Button::RollBack];

    /// Its name in a message.
    pub fn action_id(self) -> &'static str {
        match self {
            Button::Approve => "approve",
            Button::Reject => "reject",
            Button::AskAgain => "ask_again",
            Button::RollBack => "roll_back",
        }
    }
}

/// The kind of an interaction. It is read first, because the other fields depend on it.
#[derive(Deserialize)]
struct Kind {
    r#type: String,
}

/// The fields that are used. A repeated key is an error, here as in the form.
#[derive(Deserialize)]
struct Payload {
    trigger_id: Option<String>,
    team: Option<Team>,
    enterprise: Option<Team>,
    user: Option<WireUser>,
    channel: Option<Channel>,
    container: Option<Container>,
    message: Option<Message>,
    actions: Option<Vec<Action>>,
    response_url: Option<String>,
}

#[derive(Deserialize)]
struct Team {
    id: String,
}

#[derive(Deserialize)]
struct WireUser {
    id: String,
    username: Option<String>,
    name: Option<String>,
    team_id: Option<String>,
}

#[derive(Deserialize)]
struct Channel {
    id: Option<String>,
}

#[derive(Deserialize)]
struct Container {
    channel_id: Option<String>,
    message_ts: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    ts: Option<String>,
}

#[derive(Deserialize)]
struct Action {
    action_id: Option<String>,
    value: Option<String>,
}

/// Reads the body of an interaction; `None` if it is valid but not about a button of this function.
pub fn parse(body: &[u8]) -> Result<Option<Click>, Unreadable> {
    let json = Form::parse(body)?.take("payload").ok_or(Unreadable("it has no field `payload`"))?;
    let kind: Kind =
        serde_json::from_str(&json).map_err(|_| Unreadable("`payload` is not an interaction"))?;
    if kind.r#type != "block_actions" {
        return Ok(None);
    }
    let payload: Payload =
        serde_json::from_str(&json).map_err(|_| Unreadable("`payload` is not a block action"))?;
    let Some([action]) = payload.actions.as_deref() else { return Ok(None) };
    let Some(button) = Button::ALL
        .into_iter()
        .find(|button| action.action_id.as_deref() == Some(button.action_id()))
    else {
        return Ok(None);
    };
    let value = action.value.clone().unwrap_or_default();
    if value.len() > LONGEST_VALUE {
        return Err(Unreadable("a button's value is too long"));
    }
    let user = payload.user.ok_or(Unreadable("`payload` has no user"))?;
    if payload.team.is_none() && payload.enterprise.is_none() {
        return Err(Unreadable("`payload` has no team"));
    }
    let container = payload.container.unwrap_or(Container { channel_id: None, message_ts: None });
    let channel = payload.channel.and_then(|channel| channel.id).or(container.channel_id);
    let message_ts =
        container.message_ts.or_else(|| payload.message.and_then(|message| message.ts));
    Ok(Some(Click {
        trigger_id: token(payload.trigger_id.ok_or(Unreadable("`payload` has no trigger"))?)?,
        team: payload.team.map(|team| id(team.id)).transpose()?,
        organisation: payload.enterprise.map(|organisation| id(organisation.id)).transpose()?,
        user: User {
            id: id(user.id)?,
            name: name(user.username.or(user.name).as_deref().unwrap_or_default()),
            team: user.team_id.map(id).transpose()?,
        },
        channel: channel.map(id).transpose()?,
        message_ts: message_ts.map(token).transpose()?,
        button,
        value,
        response_url: payload.response_url,
    }))
}

#[cfg(test)]
mod tests;
