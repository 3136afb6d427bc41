//! The door: what Slack did not sign, or signed for somebody else, changes nothing; nor does any other
//! request.

use serde_json::{Value, json};

use super::steps::{asked, asking, assert_nothing_was_promoted, button, command_by, pushed};
use crate::support::payloads::{push_event, sns};
use crate::support::signature::{form, signature};
use crate::support::slack::{
    ALICE, Button, CHANNEL, SIGNING_SECRET, TEAM, click, http, interaction, signed, slash,
};
use crate::support::steps::answers;
use crate::support::world::Memory;

/// Refused, with nothing changed and nothing called but reads.
#[track_caller]
pub(super) fn is_refused(world: &Memory, payload: &Value, what: &str) {
    let before = world.fork();
    let calls = world.get().calls.len();
    let answer = world.invoke(payload, "http").expect("an answer, not a function error");
    let status = answer["statusCode"].as_u64().expect("a status");
    assert!((400..500).contains(&status), "{what}: {answer:#}");
    for call in &world.get().calls[calls..] {
        assert!(
            ["GetParameter", "GetItem", "Slack auth.test"]
                .iter()
                .any(|read| call.starts_with(read)),
            "{what}: {call}"
        );
    }
    let (before, after) = (before.get(), world.get());
    assert_eq!(
        (&before.state, &before.commands, &before.updates),
        (&after.state, &after.commands, &after.updates),
        "{what}"
    );
    assert_eq!(
        (before.told.len(), &before.slack, &before.whispered),
        (after.told.len(), &after.slack, &after.whispered),
        "{what}"
    );
    assert_eq!(
        (&before.tags, &before.history, &before.asked),
        (&after.tags, &after.history, &after.asked),
        "{what}"
    );
}

#[test]
fn what_is_not_signed_by_slack_now_is_refused() {
    let (world, _) = asked(asking());
    let payload =
        form(&[("payload", &interaction(ALICE, &button(&world, "approve"), "1").to_string())]);
    let words = form(&command_by(ALICE, TEAM, "promote web"));
    for (path, body) in [("/slack/interactions", &payload), ("/slack/commands", &words)] {
        is_refused_unless_signed(&world, path, body);
        is_refused_at_other_times(&world, path, body);
    }
    assert_nothing_was_promoted(&world);
}

fn is_refused_unless_signed(world: &Memory, path: &str, body: &str) {
    let at = world.get().now.as_second().to_string();
    let right = signature(SIGNING_SECRET, &at, body);
    let with = |signature: &str| http(path, body, &at, signature);
    let mut unsigned = with(&right);
    unsigned["headers"].as_object_mut().expect("headers").remove("x-slack-signature");
    is_refused(world, &unsigned, "without a signature");
    let one_more = format!("{right}0");
    for wrong in
        ["", "v0=", "v0=zz", &right[3..], &right.to_uppercase(), &one_more, &right[..60], "☃"]
    {
        is_refused(world, &with(wrong), wrong);
    }
    for secret in ["", "another-secret", "xoxb-1"] {
        is_refused(world, &with(&signature(secret, &at, body)), secret);
    }
    let longer = http(path, &format!("{body}&x=1"), &at, &right);
    is_refused(world, &longer, "another body than was signed");
    for missing in [None, Some(String::new())] {
        let unset = world.fork();
        unset.get_mut().secrets.signing = missing;
        is_refused(&unset, &with(&right), "no secret is configured");
        is_refused(&unset, &with(&signature("", &at, body)), "an empty secret");
    }
}

fn is_refused_at_other_times(world: &Memory, path: &str, body: &str) {
    let at = world.get().now.as_second();
    let signed_at = |time: &str| http(path, body, time, &signature(SIGNING_SECRET, time, body));
    for other in [at - 600, at + 600, at - 301, at + 301, 0, i64::MAX] {
        is_refused(world, &signed_at(&other.to_string()), "at another time");
    }
    is_refused(world, &signed_at("now"), "no time");
    let right = signature(SIGNING_SECRET, &at.to_string(), body);
    let moved = http(path, body, &(at - 1).to_string(), &right);
    is_refused(world, &moved, "another time than was signed");
    let mut untimed = signed_at(&at.to_string());
    untimed["headers"].as_object_mut().expect("headers").remove("x-slack-request-timestamp");
    is_refused(world, &untimed, "without a time");
}

#[test]
fn what_slack_signed_and_is_not_for_us_is_refused() {
    let (world, _) = asked(asking());
    let right = interaction(ALICE, &button(&world, "approve"), "1");
    let now = world.get().now;
    let posted = |interaction: &Value| {
        signed("/slack/interactions", &form(&[("payload", &interaction.to_string())]), now)
    };
    let with = |pointer: &str, value: Value| {
        let mut changed = right.clone();
        *changed.pointer_mut(pointer).expect(pointer) = value;
        posted(&changed)
    };
    for made_up in
        ["", "1", "req-", "req-00000000000000000000000000000000", "web", "../web", "{\"digest\":1}"]
    {
        is_refused(&world, &with("/actions/0/value", made_up.into()), made_up);
    }
    is_refused(&world, &with("/user/team_id", "T2".into()), "a guest of another team");
    for hostile in [
        "https://evil.example/x",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "https://hooks.slack.com.evil.example/",
    ] {
        is_refused(&world, &with("/response_url", hostile.into()), hostile);
    }
    is_refused(&world, &with("/user", Value::Null), "nobody");
    is_refused(&world, &with("/trigger_id", Value::Null), "no trigger");
    for body in [
        "",
        "payload",
        "payload={",
        "payload=%7B%7D",
        "{\"action\":\"promote\",\"repository\":\"web\"}",
    ] {
        is_refused(&world, &signed("/slack/interactions", body, now), body);
        is_refused(&world, &signed("/slack/commands", body, now), body);
    }
    let mut hostile = slash(&world, CHANNEL, ALICE, "promote web", "1");
    hostile["body"] = Value::Null;
    is_refused(&world, &hostile, "no body");
    let hostile = form(
        &[
            &command_by(ALICE, TEAM, "promote web")[..],
            &[("response_url", "https://evil.example/x")],
        ]
        .concat(),
    );
    is_refused(&world, &signed("/slack/commands", &hostile, now), "a hostile address");
    assert_nothing_was_promoted(&world);
}

#[test]
fn a_check_of_the_certificate_is_answered_and_does_nothing() {
    let world = asking();
    let now = world.get().now;
    let body = form(&[("ssl_check", "1"), ("token", "x")]);
    let commanding =
        form(&[&[("ssl_check", "1")], &command_by(ALICE, TEAM, "hold web x")[..]].concat());
    for path in ["/slack/commands", "/slack/interactions"] {
        for request in [
            http(path, &body, "", ""),
            http(path, &body, "1", "v0=0"),
            signed(path, &body, now),
            signed(path, &commanding, now),
        ] {
            assert_eq!(world.invoke(&request, "check").expect("an answer")["statusCode"], 200);
        }
        for other in ["ssl_check=0", "ssl_check", "ssl_check=1&ssl_check=1", "x=ssl_check%3D1"] {
            is_refused(&world, &http(path, other, "", ""), other);
        }
        is_refused(
            &world,
            &http(path, &format!("ssl_check=1&x={}", "x".repeat(5_000)), "", ""),
            "a large one",
        );
    }
    assert_eq!(
        (world.get().calls.len(), world.get().state.is_none()),
        (0, true),
        "nothing was even read"
    );
}

#[test]
fn a_button_that_is_not_ours_is_heard_and_does_nothing() {
    let (world, _) = asked(asking());
    let before = world.get().state.clone();
    let calls = world.get().calls.len();
    let other = Button { action_id: "destroy".to_owned(), ..button(&world, "approve") };
    assert_eq!(world.clicks(ALICE, &other, "1"), None);
    assert_eq!(world.get().calls[calls..], ["GetParameter secret"]);
    assert_eq!(world.get().state, before);
}

#[test]
fn no_path_method_or_body_is_a_command() {
    let (world, digest) = asked(asking());
    let command = json!({ "action": "promote", "repository": "web", "digest": digest }).to_string();
    let now = world.get().now;
    for path in [
        "",
        "/",
        "/promote",
        "/slack",
        "/slack/interactions/",
        "/slack//commands",
        "/SLACK/commands",
        "/approve/web",
        "/../slack/commands",
    ] {
        is_refused(&world, &signed(path, &command, now), path);
        is_refused(&world, &signed(path, "promote web", now), path);
    }
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "post", "", "P OST"] {
        for path in ["/slack/interactions", "/slack/commands", "/"] {
            let mut payload = click(&world, ALICE, &button(&world, "approve"), "1");
            payload["rawPath"] = path.into();
            payload["requestContext"]["http"]["method"] = method.into();
            is_refused(&world, &payload, method);
        }
    }
    // Whatever else the payload looks like, as long as it is an HTTP request.
    let mut both = signed("/", "", now);
    both.as_object_mut().expect("an object").extend(
        json!({ "action": "promote", "repository": "web" }).as_object().expect("an object").clone(),
    );
    is_refused(&world, &both, "a command beside it");
    let mut sns_too = signed("/", "", now);
    sns_too["Records"] = sns("promote web", "1", now)["Records"].clone();
    is_refused(&world, &sns_too, "a record beside it");
    let mut event_too = signed("/slack/commands", "", now);
    event_too
        .as_object_mut()
        .expect("an object")
        .extend(push_event(&digest).as_object().expect("an object").clone());
    event_too["version"] = "2.0".into();
    is_refused(&world, &event_too, "an event beside it");
    let mut broken = signed("/slack/commands", "x", now);
    broken["body"] = "%%%".into();
    is_refused(&world, &broken, "a body that is not the base64 that it is said to be");
    assert_nothing_was_promoted(&world);
}

#[test]
fn words_from_outside_are_shown_as_they_are_and_to_nobody_as_markup() {
    let world = Memory::new("auto").in_slack(&json!({}));
    let hostile = "<!channel> <script>alert(1)</script> \u{1b}[31m \u{202e}x & <@U1>";
    answers(
        &world,
        &json!({
            "action": "hold", "repository": "web", "reason": hostile, "by": hostile, "id": "1",
        }),
        "held",
    );
    pushed(&world, "abc1234");
    for said in [world.newest_message().words(), world.writes(ALICE, "status web", "1")] {
        assert!(said.contains("&lt;!channel&gt; &lt;script&gt;alert(1)&lt;/script&gt;"), "{said}");
        assert!(
            !said.contains("<!channel") && !said.contains("<script") && !said.contains("<@U1"),
            "{said}"
        );
        assert!(!said.contains(['\u{1b}', '\u{202e}']) && !said.contains("u001b"), "{said}");
    }
}
