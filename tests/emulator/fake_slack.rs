//! Slack as the function calls it: `auth.test`, `chat.postMessage`, `chat.update` and the address
//! that an interaction says to answer at. It notes every call, keeps the messages as people see
//! them, is as strict as Slack about what it takes, and can be unwell.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::cloud::lock;
use super::http::{self, Request, Reset, Response};

pub(crate) const BOT_TOKEN: &str = "xoxb-bot-token-41aa";
/// The team that the app is installed in.
pub(crate) const TEAM: &str = "T0ACME";
/// The channel that people are asked in.
pub(crate) const CHANNEL: &str = "C0RELEASES";
/// Part of every address to answer at: whoever has one can write to the channel.
pub(crate) const RESPONSE_SECRET: &str = "response-url-secret-9e21";

/// How Slack does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Mood {
    Well,
    /// Every call is answered with this status.
    Answers(u16),
    /// So many calls are answered with 429 and that many seconds, the next one as usual.
    WantsPauses {
        times: u32,
        seconds: u32,
    },
    /// `{"ok": false}` and this.
    Refuses(&'static str),
    /// No call is ever answered.
    Hangs,
}

/// One call, whatever was answered.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    /// `chat.postMessage`, `chat.update`, or `response_url`.
    pub(crate) method: String,
    pub(crate) body: Value,
}

/// A message as people see it now.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) ts: String,
    pub(crate) channel: String,
    pub(crate) body: Value,
}

impl Message {
    /// All that is written on it.
    pub(crate) fn text(&self) -> String {
        format!("{} {}", self.body["text"], self.body["blocks"])
    }

    /// The name of each button, and what it carries.
    pub(crate) fn buttons(&self) -> Vec<(String, String)> {
        let blocks = self.body["blocks"].as_array().into_iter().flatten();
        let elements = blocks
            .filter(|block| block["type"] == "actions")
            .flat_map(|block| block["elements"].as_array().into_iter().flatten());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        elements.map(|button| (text(&button["action_id"]), text(&button["value"]))).collect()
    }

    /// What the button of this name carries.
    pub(crate) fn button(&self, name: &str) -> String {
        let found = self.buttons().into_iter().find(|(action, _)| action == name);
        found.unwrap_or_else(|| panic!("no button `{name}` on {}", self.text())).1
    }
}

pub(crate) struct FakeSlack {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    said: Mutex<Vec<Said>>,
    /// What `auth.test` answers.
    installation: Mutex<Value>,
    asked: AtomicUsize,
    messages: Mutex<Vec<Message>>,
    /// The channels that the bot is a member of.
    member_of: Mutex<Vec<String>>,
    mood: Mutex<Mood>,
    violations: Mutex<Vec<String>>,
}

impl FakeSlack {
    pub(crate) async fn start() -> FakeSlack {
        let state = Arc::new(State {
            said: Mutex::default(),
            installation: Mutex::new(json!({
                "ok": true, "team": "Acme", "team_id": TEAM, "user_id": "U0BOT",
                "bot_id": "B0BOT",
            })),
            asked: AtomicUsize::new(0),
            messages: Mutex::default(),
            member_of: Mutex::new(vec![CHANNEL.to_owned()]),
            mood: Mutex::new(Mood::Well),
            violations: Mutex::default(),
        });
        let served = Arc::clone(&state);
        let address = http::serve(move |request| Arc::clone(&served).answer(request)).await;
        FakeSlack { address, state }
    }

    /// The value of `SLACK_API_URL`.
    pub(crate) fn api_url(&self) -> String {
        format!("http://{}/api/", self.address)
    }

    /// An address to answer at, as it comes with a click.
    pub(crate) fn response_url(&self) -> String {
        format!("http://{}/actions/{TEAM}/{RESPONSE_SECRET}", self.address)
    }

    pub(crate) fn is(&self, mood: Mood) {
        *lock(&self.state.mood) = mood;
    }

    /// The app is installed elsewhere from now on, as Slack says of its token.
    pub(crate) fn is_installed_in(&self, team: &str, organisation: Option<&str>) {
        *lock(&self.state.installation) =
            json!({ "ok": true, "team_id": team, "enterprise_id": organisation });
    }

    /// Somebody removed the bot from all channels.
    pub(crate) fn remove_bot(&self) {
        lock(&self.state.member_of).clear();
    }

    /// How often it was asked where the app is installed.
    pub(crate) fn asked(&self) -> usize {
        self.state.asked.load(Ordering::Relaxed)
    }

    /// Every call so far that says something to somebody.
    pub(crate) fn said(&self) -> Vec<Said> {
        lock(&self.state.said).clone()
    }

    /// How often a method was called.
    pub(crate) fn count(&self, method: &str) -> usize {
        lock(&self.state.said).iter().filter(|said| said.method == method).count()
    }

    /// What was said to one person only.
    pub(crate) fn whispers(&self) -> Vec<String> {
        let said = lock(&self.state.said);
        said.iter()
            .filter(|said| said.method == "response_url")
            .map(|said| said.body["text"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// The messages in the channel, oldest first.
    pub(crate) fn messages(&self) -> Vec<Message> {
        lock(&self.state.messages).clone()
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        lock(&self.state.violations).clone()
    }
}

impl State {
    async fn answer(self: Arc<State>, request: Request) -> Result<Response, Reset> {
        let body: Value = match request.header("content-type") {
            "application/x-www-form-urlencoded" => form(&request.body),
            _ => serde_json::from_slice(&request.body).unwrap_or_default(),
        };
        let method = request.path.strip_prefix("/api/").unwrap_or("response_url").to_owned();
        lock(&self.violations).extend(violations(&method, &request, &body));
        if method == "auth.test" {
            self.asked.fetch_add(1, Ordering::Relaxed);
        } else {
            lock(&self.said).push(Said { method: method.clone(), body: body.clone() });
        }
        let mood = {
            let mut mood = lock(&self.mood);
            let now = mood.clone();
            if let Mood::WantsPauses { times, .. } = &mut *mood {
                *times = times.saturating_sub(1);
            }
            now
        };
        Ok(match mood {
            Mood::Hangs => std::future::pending().await,
            Mood::Answers(status) => {
                Response::new(status, "text/html", "<html>Slack is unwell</html>")
            }
            Mood::WantsPauses { times: 1.., seconds } => {
                let mut pause = json_response(429, &json!({ "ok": false, "error": "ratelimited" }));
                pause.headers.push(("retry-after", seconds.to_string()));
                pause
            }
            Mood::Refuses(error) => json_response(200, &json!({ "ok": false, "error": error })),
            Mood::Well | Mood::WantsPauses { times: 0, .. } => {
                json_response(200, &self.carry_out(&method, &body))
            }
        })
    }

    fn carry_out(&self, method: &str, body: &Value) -> Value {
        let mut messages = lock(&self.messages);
        match method {
            "auth.test" => lock(&self.installation).clone(),
            "chat.postMessage" => {
                let ts = format!("1773740490.{:06}", messages.len() + 1);
                messages.push(Message {
                    ts: ts.clone(),
                    channel: text(&body["channel"]),
                    body: body.clone(),
                });
                json!({
                    "ok": true, "channel": body["channel"], "ts": ts,
                    "message": { "type": "message", "team": TEAM, "ts": ts },
                })
            }
            "chat.update" => {
                let found = messages
                    .iter_mut()
                    .find(|message| message.ts == body["ts"] && message.channel == body["channel"]);
                match found {
                    Some(message) => {
                        message.body = body.clone();
                        json!({
                            "ok": true, "channel": body["channel"], "ts": body["ts"],
                            "text": body["text"],
                        })
                    }
                    None => json!({ "ok": false, "error": "message_not_found" }),
                }
            }
            "conversations.info" => match lock(&self.member_of).contains(&text(&body["channel"])) {
                true => json!({
                    "ok": true, "channel": { "id": body["channel"], "is_member": true },
                }),
                false => json!({ "ok": false, "error": "channel_not_found" }),
            },
            "response_url" => json!({ "ok": true }),
            _ => json!({ "ok": false, "error": "unknown_method" }),
        }
    }
}

/// The fields of a form.
fn form(body: &[u8]) -> Value {
    let pairs = form_urlencoded::parse(body);
    Value::Object(pairs.map(|(key, value)| (key.into_owned(), json!(value))).collect())
}

fn json_response(status: u16, body: &Value) -> Response {
    Response::new(status, "application/json; charset=utf-8", body.to_string())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What Slack would refuse, or worse, would take and show to people.
fn violations(method: &str, request: &Request, body: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let bearer = request.header("authorization");
    let is_with_token = method != "response_url";
    if is_with_token && bearer != format!("Bearer {BOT_TOKEN}") {
        wrong.push(format!("{method} is not called as the bot"));
    }
    if !is_with_token && !bearer.is_empty() {
        wrong.push("the bot's token went to an address to answer at".to_owned());
    }
    // This method takes no JSON.
    let kind = match method {
        "conversations.info" => "application/x-www-form-urlencoded",
        _ => "application/json; charset=utf-8",
    };
    if request.method != hyper::Method::POST
        || request.header("content-type") != kind
        || !body.is_object()
    {
        wrong.push(format!("{method} is no POST of {kind}"));
    }
    if matches!(method, "auth.test" | "conversations.info") {
        return wrong;
    }
    check_text(&body["text"], 40_000, &mut wrong);
    if body["text"].as_str().is_none_or(str::is_empty) {
        wrong.push(format!("{method} has no text for notifications"));
    }
    let blocks = body["blocks"].as_array().map(Vec::as_slice).unwrap_or_default();
    if blocks.len() > 50 {
        wrong.push(format!("{} blocks", blocks.len()));
    }
    blocks.iter().for_each(|block| check_block(block, &mut wrong));
    wrong
}

/// <https://docs.slack.dev/reference/block-kit/blocks/>
fn check_block(block: &Value, wrong: &mut Vec<String>) {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    match block["type"].as_str().unwrap_or_default() {
        "header" => check_object(&block["text"], 150, &["plain_text"], wrong),
        "section" => {
            let fields = list(&block["fields"]);
            if fields.is_empty() || !block["text"].is_null() {
                check_object(&block["text"], 3_000, &["plain_text", "mrkdwn"], wrong);
            }
            if fields.len() > 10 {
                wrong.push(format!("{} fields", fields.len()));
            }
            fields
                .iter()
                .for_each(|field| check_object(field, 2_000, &["plain_text", "mrkdwn"], wrong));
        }
        "context" => {
            let elements = list(&block["elements"]);
            if elements.is_empty() || elements.len() > 10 {
                wrong.push(format!("{} elements of a context", elements.len()));
            }
            elements
                .iter()
                .for_each(|element| check_object(element, 3_000, &["plain_text", "mrkdwn"], wrong));
        }
        "actions" => {
            let elements = list(&block["elements"]);
            if elements.is_empty() || elements.len() > 25 {
                wrong.push(format!("{} elements of actions", elements.len()));
            }
            elements.iter().for_each(|button| check_button(button, wrong));
        }
        other => wrong.push(format!("a block of type `{other}`")),
    }
}

/// <https://docs.slack.dev/reference/block-kit/block-elements/button-element/>
fn check_button(button: &Value, wrong: &mut Vec<String>) {
    check_object(&button["text"], 75, &["plain_text"], wrong);
    let within = |value: &Value, most: usize| {
        value.as_str().is_some_and(|text| (1..=most).contains(&text.chars().count()))
    };
    if button["type"] != "button"
        || !within(&button["action_id"], 255)
        || !within(&button["value"], 2_000)
    {
        wrong.push(format!("no button: {button}"));
    }
    if !matches!(button["style"].as_str(), None | Some("primary" | "danger")) {
        wrong.push(format!("a style that there is not: {}", button["style"]));
    }
    if let confirm @ Value::Object(_) = &button["confirm"] {
        for (part, most) in [("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)] {
            check_object(&confirm[part], most, &["plain_text"], wrong);
        }
    }
}

fn check_object(object: &Value, most: usize, kinds: &[&str], wrong: &mut Vec<String>) {
    if !object["type"].as_str().is_some_and(|kind| kinds.contains(&kind))
        || object["text"].as_str().is_none_or(str::is_empty)
    {
        wrong.push(format!("no text object of {kinds:?}: {object}"));
    }
    if object["type"] == "plain_text"
        && object["text"].as_str().is_some_and(|text| text.contains('<'))
    {
        wrong.push(format!("markup where there is none: {object}"));
    }
    check_text(&object["text"], most, wrong);
}

/// Nothing in `<…>` but what the function itself puts there: a time, a link, a person whom Slack
/// named.
fn check_text(text: &Value, most: usize, wrong: &mut Vec<String>) {
    let text = text.as_str().unwrap_or_default();
    if text.chars().count() > most {
        wrong.push(format!("longer than {most}: {text}"));
    }
    for (at, _) in text.match_indices('<') {
        let own = ["<!date^", "<https://", "<@U"];
        if !own.iter().any(|start| text[at..].starts_with(start)) {
            wrong.push(format!("unescaped: {text}"));
        }
    }
    if text.contains(|c: char| c.is_control() && c != '\n') {
        wrong.push(format!("control characters: {text:?}"));
    }
}
