//! Who is turned away.

use serde_json::json;

use super::{INTERACTIONS, asked, newest};
use crate::emulator::fake_slack::CHANNEL;
use crate::emulator::image::Image;
use crate::emulator::slack_request::{Click, post, signed, signed_with};
use crate::emulator::world::{COMMIT, SIGNING_SECRET, World};
use crate::signature::signature;

#[tokio::test]
async fn what_slack_did_not_sign_just_now_is_refused_without_a_call() {
    let Some((world, _)) = asked(json!({})).await else { return };
    let question = newest(&world);
    let approve = Click::new(&world, "UALICE", "approve", &question.button("approve"));
    let body = approve.body();
    let now = jiff::Timestamp::now().as_second();
    let present = now.to_string();
    let right = signature(SIGNING_SECRET, &present, &body);
    let cases = not_signed_now(now, &body);
    let before = world.production().await;
    world.restart().await;
    world.cloud.forget_calls();
    let said = world.slack.said().len();
    for (case, timestamp, signature) in &cases {
        let answer = world
            .answer(&post(&world, INTERACTIONS, &body, timestamp.as_deref(), signature.as_deref()))
            .await;
        assert_eq!(answer["statusCode"], 401, "{case}: {answer}");
    }
    for file in ["slack-approve.json", "slack-command.json"] {
        assert_eq!(world.answer(&world.event(file)).await["statusCode"], 401, "events/{file}");
    }
    assert_eq!(world.cloud.ops(), [""; 0], "not even the secret is read");

    let by = |body: &str, time: &str| post(&world, INTERACTIONS, body, Some(time), Some(&right));
    let wrong = [
        ("another secret", signed_with(&world, INTERACTIONS, &body, "a guess")),
        ("an empty secret", signed_with(&world, INTERACTIONS, &body, "")),
        ("another body", by(&format!("{body}&a=b"), &present)),
        ("another time", by(&body, &(now - 1).to_string())),
        ("one more digit", by(&body, &format!("0{present}"))),
    ];
    for (case, event) in &wrong {
        let answer = world.answer(event).await;
        assert_eq!(answer["statusCode"], 401, "{case}: {answer}");
    }
    assert_eq!(
        world.cloud.ops(),
        ["ssm:GetParameter"],
        "the secret is read once, however many guess"
    );
    assert_eq!((world.production().await, world.slack.said().len()), (before, said));
    assert_eq!(
        world.answer(&approve.event(&world)).await["statusCode"],
        200,
        "the right one is still taken"
    );
    assert_eq!(world.updates(), 1);
}

/// Timestamps and signatures of this body that cannot be right, whatever the secret is.
fn not_signed_now(now: i64, body: &str) -> Vec<(&'static str, Option<String>, Option<String>)> {
    let at = |time: &str| (Some(time.to_owned()), signature(SIGNING_SECRET, time, body));
    let (present, right) = at(&now.to_string());
    let half = right[..right.len() / 2].to_owned();
    let mut cases = vec![
        ("no timestamp", None, Some(right.clone())),
        ("neither", None, None),
        ("no signature", present.clone(), None),
        ("a garbled timestamp", Some("now".to_owned()), Some(right.clone())),
    ];
    for (case, signature) in [
        ("an empty signature", String::new()),
        ("only its version", "v0=".to_owned()),
        ("another version", right.replace("v0=", "v1=")),
        ("capital digits", right.to_uppercase()),
        ("half of it", half),
        ("twice", format!("{right},{right}")),
        ("not even digits", format!("v0={}", "é".repeat(32))),
    ] {
        cases.push((case, present.clone(), Some(signature)));
    }
    for (case, time) in [
        ("a signed timestamp", format!("+{now}")),
        ("10 minutes old", (now - 600).to_string()),
        ("10 minutes ahead", (now + 600).to_string()),
    ] {
        let (time, signature) = at(&time);
        cases.push((case, time, Some(signature)));
    }
    cases
}

#[tokio::test]
async fn without_a_signing_secret_the_door_is_closed() {
    let Some((world, _)) = asked(json!({})).await else { return };
    let approve = Click::new(&world, "UALICE", "approve", &newest(&world).button("approve"));
    let before = world.production().await;
    for secret in [None, Some(" ")] {
        world.delete_parameter("/ecr-promoter/slack/signing-secret").await;
        if let Some(secret) = secret {
            world.put_parameter("/ecr-promoter/slack/signing-secret", "SecureString", secret).await;
        }
        world.restart().await;
        world.cloud.forget_calls();
        for key in ["", " ", SIGNING_SECRET] {
            let event = signed_with(&world, INTERACTIONS, &approve.body(), key);
            assert_eq!(
                world.answer(&event).await["statusCode"],
                401,
                "{secret:?}, signed with {key:?}"
            );
        }
        assert_eq!(world.cloud.ops(), ["ssm:GetParameter"], "{secret:?}");
        if secret.is_none() {
            world.put_parameter("/ecr-promoter/slack/signing-secret", "SecureString", "x").await;
        }
    }
    assert_eq!(world.production().await, before);
}

#[tokio::test]
async fn what_is_signed_and_still_not_for_us_is_refused() {
    let Some((world, _)) = asked(json!({})).await else { return };
    let cases = not_for_us(&world, &newest(&world).button("approve"));
    let before = world.production().await;
    let said = world.slack.said().len();
    for (status, case, click) in cases {
        let answer = world.answer(&click.event(&world)).await;
        assert_eq!(answer["statusCode"], status, "{case}: {answer}");
    }
    for body in [
        "",
        "payload",
        "payload=%7B",
        "{}",
        r#"{"action":"promote","repository":"web"}"#,
        "payload=1&payload=2",
    ] {
        for path in [INTERACTIONS, "/slack/commands"] {
            let answer = world.answer(&signed(&world, path, body)).await;
            assert_eq!(answer["statusCode"], 400, "{path} {body}: {answer}");
        }
    }
    assert_eq!(
        (world.production().await, world.slack.said().len()),
        (before, said),
        "nothing changed, nobody told"
    );
    assert_eq!(newest(&world).buttons().len(), 2, "the question still stands");
}

/// Clicks on a message with this button that Slack signed: the status that each gets, and why.
fn not_for_us(world: &World, request: &str) -> Vec<(u64, &'static str, Click)> {
    let click = |value: &str| Click::new(world, "UALICE", "approve", value);
    let approve = || click(request);
    let mut cases = vec![
        (403, "another team's user", approve().with("/user/team_id", json!("T0OTHER"))),
        (404, "a made-up button value", click("req-00000000000000000000000000000000")),
        (404, "a digest as value", click(&Image::oci("new", COMMIT).digest())),
        (404, "a command as value", click(r#"{"action":"promote","repository":"web"}"#)),
        (404, "an empty value", click("")),
        (400, "an id that is none", approve().with("/user/id", json!("<!channel>"))),
        (400, "no user", approve().with("/user", json!(null))),
    ];
    for url in [
        "https://evil.example/actions/T0ACME/x",
        "http://hooks.slack.com/actions/T0ACME/x",
        "https://hooks.slack.com.evil.example/x",
        "https://hooks.slack.com@evil.example/x",
        "http://169.254.169.254/latest/meta-data/",
        "//hooks.slack.com/x",
    ] {
        cases.push((400, url, approve().with("/response_url", json!(url))));
    }
    cases
}

#[tokio::test]
async fn a_click_of_another_team_counts_for_nothing_even_if_it_names_that_team_as_its_own() {
    let Some((world, _)) = asked(json!({})).await else { return };
    let before = world.production().await;
    let click = Click::new(&world, "UEVE", "approve", &newest(&world).button("approve"));
    let event = click
        .with("/user/team_id", json!("T0OTHER"))
        .with("/team/id", json!("T0OTHER"))
        .event(&world);

    world.answer(&event).await;

    assert_eq!(world.production().await, before, "the message was posted in another team");
    assert_eq!(newest(&world).buttons().len(), 2, "the question still stands");
}

#[tokio::test]
async fn a_click_in_another_channel_counts_for_nothing() {
    let Some((world, _)) = asked(json!({})).await else { return };
    let before = world.production().await;
    let click = Click::new(&world, "UEVE", "approve", &newest(&world).button("approve"));
    let event = click
        .with("/channel/id", json!("C0OTHER"))
        .with("/container/channel_id", json!("C0OTHER"))
        .event(&world);

    assert_eq!(world.answer(&event).await["statusCode"], 200);

    assert_eq!(world.production().await, before);
    assert!(world.slack.whispers().pop().expect("told").contains(CHANNEL));
}

#[tokio::test]
async fn an_http_body_is_never_a_command() {
    let Some((world, _)) = asked(json!({})).await else { return };
    let command = r#"{"action":"promote","repository":"web"}"#;
    let before = world.production().await;
    world.cloud.forget_calls();
    for path in [
        "/",
        "",
        "/promote",
        "/slack",
        "/slack/interactions/",
        "/slack/Commands",
        "/approve/x",
        "/%73lack/commands",
    ] {
        let answer = world.answer(&signed(&world, path, command)).await;
        assert_eq!(answer["statusCode"], 404, "{path}: {answer}");
    }
    for (method, path) in [("GET", INTERACTIONS), ("PUT", "/slack/commands"), ("GET", "/")] {
        let mut event = signed(&world, path, command);
        event["requestContext"]["http"]["method"] = json!(method);
        let status = world.answer(&event).await["statusCode"].as_u64().unwrap_or_default();
        assert!((400..500).contains(&status), "{method} {path}: {status}");
    }
    // The keys of a command beside those of a request.
    let mut both = signed(&world, "/", command);
    both["action"] = json!("promote");
    both["repository"] = json!("web");
    assert_eq!(world.answer(&both).await["statusCode"], 404);
    let mut sns = signed(&world, "/", command);
    sns["Records"] = world.sns("promote web")["Records"].clone();
    assert_eq!(world.answer(&sns).await["statusCode"], 404);
    assert_eq!(world.cloud.ops(), [""; 0]);
    assert_eq!(world.production().await, before);
}
