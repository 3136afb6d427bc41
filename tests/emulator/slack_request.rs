//! What Slack sends to the function URL, as Lambda hands it on: a form, signed over its bytes, in
//! base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::fake_slack::{CHANNEL, TEAM};
use super::world::{SIGNING_SECRET, TRIGGER_SECRET, World};
use crate::signature::{form, signature};

/// A click on a button of a message.
pub(crate) struct Click {
    /// What a test makes different.
    pub(crate) payload: Value,
}

impl Click {
    pub(crate) fn new(world: &World, user: &str, button: &str, value: &str) -> Click {
        let mut payload = json!({
            "type": "block_actions",
            "user": { "id": user, "username": user.to_lowercase(), "team_id": TEAM },
            "team": { "id": TEAM, "domain": "acme" },
            "container": {
                "type": "message", "message_ts": "1773740490.000001", "channel_id": CHANNEL,
            },
            "channel": { "id": CHANNEL, "name": "releases" },
            "response_url": world.slack.response_url(),
            "actions": [{ "type": "button", "action_id": button, "value": value }],
        });
        payload["trigger_id"] = json!(trigger(world));
        Click { payload }
    }

    pub(crate) fn with(mut self, pointer: &str, value: Value) -> Click {
        *self.payload.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} is not there")) =
            value;
        self
    }

    pub(crate) fn body(&self) -> String {
        form(&[("payload", &self.payload.to_string())])
    }

    /// Signed just now.
    pub(crate) fn event(&self, world: &World) -> Value {
        signed(world, "/slack/interactions", &self.body())
    }
}

/// A slash command, signed just now.
pub(crate) fn slash(world: &World, user: &str, text: &str) -> Value {
    signed(world, "/slack/commands", &slash_body(world, user, text))
}

/// Its form.
pub(crate) fn slash_body(world: &World, user: &str, text: &str) -> String {
    let fields = [
        ("team_id", TEAM),
        ("channel_id", CHANNEL),
        ("channel_name", "releases"),
        ("user_id", user),
        ("user_name", &user.to_lowercase()),
        ("command", "/promote"),
        ("text", text),
        ("response_url", &world.slack.response_url()),
        ("trigger_id", &trigger(world)),
    ];
    form(&fields)
}

pub(crate) fn signed(world: &World, path: &str, body: &str) -> Value {
    signed_with(world, path, body, SIGNING_SECRET)
}

pub(crate) fn signed_with(world: &World, path: &str, body: &str, secret: &str) -> Value {
    let timestamp = jiff::Timestamp::now().as_second().to_string();
    post(world, path, body, Some(&timestamp), Some(&signature(secret, &timestamp, body)))
}

/// The payload of a POST: the file of events/ with another path, body, time and signature.
pub(crate) fn post(
    world: &World,
    path: &str,
    body: &str,
    timestamp: Option<&str>,
    signature: Option<&str>,
) -> Value {
    let mut event = world.event("slack-approve.json");
    event["rawPath"] = json!(path);
    event["requestContext"]["http"]["path"] = json!(path);
    event["body"] = json!(STANDARD.encode(body));
    event["isBase64Encoded"] = json!(true);
    let headers = event["headers"].as_object_mut().expect("headers");
    headers.insert("content-length".to_owned(), json!(body.len().to_string()));
    for (name, value) in
        [("x-slack-request-timestamp", timestamp), ("x-slack-signature", signature)]
    {
        headers.remove(name);
        headers.extend(value.map(|value| (name.to_owned(), json!(value))));
    }
    event
}

/// Slack makes a new one for each click and each command.
fn trigger(world: &World) -> String {
    format!("{}.{TRIGGER_SECRET}", world.unused_id())
}
