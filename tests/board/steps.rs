//! The steps of these stories: how people come to a board, and what they do there.

use ecr_promoter::model::Digest;
use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::state::State;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::browser::{HOST, Page, get, http, post};
use crate::support::payloads::push_event;
use crate::support::signature::{form, signature};
use crate::support::slack::SIGNING_SECRET;
use crate::support::world::Memory;

/// An app in this mode whose approvers are alice and bob.
pub(super) fn with_approvers(mode: &str) -> Memory {
    let world = Memory::new(mode);
    world.get_mut().config["approval"] =
        json!({ "slack_channel": "C1", "approvers": ["UALICE", "UBOB"] });
    world
}

pub(super) fn pushed(world: &Memory, commit: &str) -> Digest {
    let digest = world.push(commit);
    world.invoke(&push_event(&digest), "push").expect("an answer");
    digest
}

/// The path of the board that somebody gets by a direct invocation.
pub(super) fn board_by_invocation(world: &Memory) -> String {
    path(&world.invoke(&json!({ "action": "board", "by": "carol" }), "board").expect("a link"))
}

/// The path of the board that this user gets in Slack.
pub(super) fn board_in_slack(world: &Memory, user: &str) -> String {
    let answer = world.invoke(&slash(world, user, "board"), "slash").expect("an answer");
    let body: Value = serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON");
    assert_eq!(body["response_type"], "ephemeral", "nobody else sees it");
    let text = body["text"].as_str().expect("a text");
    let (_, path) = text.split_once(HOST).unwrap_or_else(|| panic!("no link in {text}"));
    path.trim().to_owned()
}

pub(super) fn path(answer: &Value) -> String {
    assert_eq!(answer["action"], "board");
    let url = answer["url"].as_str().expect("an address");
    url.strip_prefix("https://")
        .and_then(|url| url.strip_prefix(HOST))
        .expect("at the public address")
        .to_owned()
}

/// A slash command, signed now; each is another one.
pub(super) fn slash(world: &Memory, user: &str, text: &str) -> Value {
    let trigger = format!("1.{}", world.get().calls.len());
    let fields = [
        ("team_id", "T1"),
        ("channel_id", "C9"),
        ("user_id", user),
        ("user_name", "someone"),
        ("text", text),
        ("trigger_id", &trigger),
    ];
    let body = form(&fields);
    let timestamp = world.get().now.as_second().to_string();
    let signature = signature(SIGNING_SECRET, &timestamp, &body);
    let headers = json!({ "x-slack-request-timestamp": timestamp, "x-slack-signature": signature });
    http("POST", "/slack/commands", &headers, &body)
}

/// Opens an act's page, and does it.
#[track_caller]
pub(super) fn does(world: &Memory, address: &str, more: &[(&str, &str)]) -> Page {
    let page = get(world, address);
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(!page.is_refreshed(), "a form that goes away while somebody types");
    sends(world, address, &page, more)
}

/// Sends the form of this page.
#[track_caller]
pub(super) fn sends(world: &Memory, address: &str, page: &Page, more: &[(&str, &str)]) -> Page {
    let kept = ["from", "to", "once"].map(|name| (name, page.hidden(name)));
    let kept = kept.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
    let fields: Vec<(&str, &str)> = kept.chain(more.iter().copied()).collect();
    post(world, address, &fields)
}

/// Presses a button of the app's page that acts at once: it leads to this address.
#[track_caller]
pub(super) fn presses(world: &Memory, app: &Page, address: &str) -> Page {
    let buttons = app.buttons();
    assert!(buttons.iter().any(|button| button == address), "{address} is not in {buttons:?}");
    sends(world, address, app, &[])
}

/// What a form is sent once with, as a stranger would make it up.
pub(super) const ONCE: &str = "0123456789abcdef0123456789abcdef";

/// A form that no page offered.
#[track_caller]
pub(super) fn forces(world: &Memory, address: &str, more: &[(&str, &str)]) -> Page {
    let fields: Vec<(&str, &str)> =
        [("once", ONCE)].into_iter().chain(more.iter().copied()).collect();
    post(world, address, &fields)
}

/// Everything that an act can change.
pub(super) fn everything(world: &Memory) -> (Option<State>, String, usize, Vec<Outcome>) {
    let state = world.get().state.clone().map(|(state, _)| state);
    (state, world.value(), world.updates(), world.told())
}

pub(super) fn fifteen_minutes_and_a_second_go_by(world: &Memory) {
    world.get_mut().now += SignedDuration::from_secs(15 * 60 + 1);
}
