//! Slack as the people in it use it: they see messages, click on the buttons that they see, and
//! write slash commands. What they do reaches the function signed, as a request to its URL.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ecr_promoter::model::config::App;
use ecr_promoter::slack::card::card;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::signature::{form, signature};
use super::world::Memory;

/// The team that the app is installed in.
pub(crate) const TEAM: &str = "T1";
/// The app's channel, as its messages are in it.
pub(crate) const CHANNEL: &str = "C1";
pub(crate) const ALICE: &str = "UALICE";
pub(crate) const BOB: &str = "UBOB";
pub(crate) const MALLORY: &str = "UMALLORY";
/// What the world's Slack signs with.
pub(crate) const SIGNING_SECRET: &str = "signing-secret";
const RESPONSE_URL: &str = "https://hooks.slack.com/actions/T1/1/1";

/// A button as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Button {
    pub(crate) action_id: String,
    pub(crate) value: String,
}

/// A message as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shown {
    pub(crate) headline: String,
    pub(crate) blocks: Value,
}

impl Shown {
    pub(crate) fn buttons(&self) -> Vec<Button> {
        let elements = self
            .blocks
            .as_array()
            .expect("a list")
            .iter()
            .filter(|block| block["type"] == "actions");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        elements
            .flat_map(|block| block["elements"].as_array().expect("a list"))
            .map(|button| Button {
                action_id: text(&button["action_id"]),
                value: text(&button["value"]),
            })
            .collect()
    }

    #[track_caller]
    pub(crate) fn button(&self, action_id: &str) -> Button {
        let found = self.buttons().into_iter().find(|button| button.action_id == action_id);
        found.unwrap_or_else(|| panic!("no button {action_id} on {self:#?}"))
    }

    /// Everything that it says, buttons aside.
    pub(crate) fn words(&self) -> String {
        let blocks = self
            .blocks
            .as_array()
            .expect("a list")
            .iter()
            .filter(|block| block["type"] != "actions");
        blocks.map(Value::to_string).collect()
    }
}

impl Memory {
    /// The app asks in Slack; `more` is what its `approval` says beside the channel.
    pub(crate) fn in_slack(self, more: &Value) -> Self {
        let mut approval = json!({ "slack_channel": CHANNEL });
        approval
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        self.get_mut().config["approval"] = approval;
        self
    }

    pub(crate) fn app(&self) -> App {
        let config = self.get().config.to_string();
        App::parse(&"web".parse().expect("a name"), "/ecr-promoter/apps/web", &config)
            .expect("a configuration")
    }

    /// The messages in the channel, oldest first, as they are now.
    pub(crate) fn messages(&self) -> Vec<Shown> {
        let app = self.app();
        let environment = app.environment(None);
        let mut requests: Vec<_> = self.get().slack.clone().into_iter().collect();
        requests.sort_by_key(|(ts, _)| ts.parse::<u64>().expect("a message's time"));
        let shown = |request| {
            let (headline, blocks) = card(&app, request, &environment);
            Shown { headline, blocks }
        };
        requests.iter().map(|(_, request)| shown(request)).collect()
    }

    /// What the messages say, a line each.
    pub(crate) fn headlines(&self) -> Vec<String> {
        self.messages().into_iter().map(|message| message.headline).collect()
    }

    #[track_caller]
    pub(crate) fn newest_message(&self) -> Shown {
        self.messages().pop().expect("a message in Slack")
    }

    /// Somebody clicks on this button; what only they are told in answer, if anything.
    #[track_caller]
    pub(crate) fn clicks(&self, user: &str, button: &Button, trigger: &str) -> Option<String> {
        let before = self.get().whispered.len();
        let answer = self.invoke(&click(self, user, button, trigger), trigger).expect("an answer");
        assert_eq!(
            (&answer["statusCode"], &answer["body"]),
            (&json!(200), &json!("")),
            "{answer:#}"
        );
        let said = self.get().whispered[before..].to_vec();
        assert!(said.len() <= 1, "{said:?}");
        said.into_iter().next()
    }

    /// Somebody writes `/promote` and this; the answer, which only they see.
    #[track_caller]
    pub(crate) fn writes(&self, user: &str, text: &str, trigger: &str) -> String {
        self.writes_in(CHANNEL, user, text, trigger)
    }

    #[track_caller]
    pub(crate) fn writes_in(&self, channel: &str, user: &str, text: &str, trigger: &str) -> String {
        let trigger = &trigger.replace(char::is_whitespace, "-");
        let answer =
            self.invoke(&slash(self, channel, user, text, trigger), trigger).expect("an answer");
        assert_eq!(answer["statusCode"], 200, "{answer:#}");
        let body: Value =
            serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON");
        assert_eq!(body["response_type"], "ephemeral");
        body["text"].as_str().expect("a text").to_owned()
    }
}

/// What Slack says of a click.
pub(crate) fn interaction(user: &str, button: &Button, trigger: &str) -> Value {
    json!({
        "type": "block_actions",
        "team": { "id": TEAM, "domain": "acme" },
        "user": { "id": user, "username": name(user), "team_id": TEAM },
        "container": { "type": "message", "message_ts": "1", "channel_id": CHANNEL },
        "channel": { "id": CHANNEL, "name": "releases" },
        "trigger_id": trigger,
        "response_url": RESPONSE_URL,
        "actions": [{ "type": "button", "action_id": button.action_id, "value": button.value }],
    })
}

/// A click, signed now.
pub(crate) fn click(world: &Memory, user: &str, button: &Button, trigger: &str) -> Value {
    signed(
        "/slack/interactions",
        &form(&[("payload", &interaction(user, button, trigger).to_string())]),
        world.get().now,
    )
}

/// A slash command, signed now.
pub(crate) fn slash(world: &Memory, channel: &str, user: &str, text: &str, trigger: &str) -> Value {
    let body = form(&[
        ("team_id", TEAM),
        ("channel_id", channel),
        // What Slack calls every private channel.
        ("channel_name", "privategroup"),
        ("user_id", user),
        ("user_name", &name(user)),
        ("command", "/promote"),
        ("text", text),
        ("response_url", RESPONSE_URL),
        ("trigger_id", trigger),
    ]);
    signed("/slack/commands", &body, world.get().now)
}

fn name(user: &str) -> String {
    user.trim_start_matches('U').to_ascii_lowercase()
}

/// A request to the function URL as Slack signs it at this time.
pub(crate) fn signed(path: &str, body: &str, at: Timestamp) -> Value {
    let timestamp = at.as_second().to_string();
    http(path, body, &timestamp, &signature(SIGNING_SECRET, &timestamp, body))
}

/// A request to the function URL as Lambda delivers it.
pub(crate) fn http(path: &str, body: &str, timestamp: &str, signature: &str) -> Value {
    json!({
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "content-type": "application/x-www-form-urlencoded",
            "x-slack-request-timestamp": timestamp,
            "x-slack-signature": signature,
        },
        "requestContext": { "http": { "method": "POST", "path": path, "sourceIp": "203.0.113.1" } },
        "body": STANDARD.encode(body),
        "isBase64Encoded": true,
    })
}
