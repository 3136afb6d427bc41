//! What strangers cost.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{asked_by_link, http, refusals, status};
use crate::emulator::fault::{At, Fault, When};
use crate::emulator::image::Image;
use crate::emulator::slack_request::{post, signed, signed_with};
use crate::emulator::world::{COMMIT, SIGNING_SECRET, World};
use crate::signature::signature;

/// Lambda's smallest function has twice as much.
const MOST_MEMORY: u64 = 64 * 1024 * 1024;

#[tokio::test]
async fn what_cannot_be_valid_by_its_form_causes_no_call_and_is_logged_by_its_address_alone() {
    let Some(world) = World::new().await else { return };
    let link = asked_by_link(&world, &Image::oci("new", COMMIT)).await;
    let before = world.production().await;
    world.restart().await;
    world.cloud.forget_calls();
    let token = link.rsplit('/').next().expect("a token").to_owned();
    let cut = &token[..token.len() - 1];
    let long = "A".repeat(5_000);
    let tokens = [
        "x",
        "x.y.z.a",
        "AAAAAAAA.99999999999.e30.AAAA",
        cut,
        &token[1..],
        &long,
        &format!("{token}.{token}"),
        "%2e%2e",
    ];
    for token in tokens {
        for (method, path) in
            [("GET", "approve"), ("POST", "approve"), ("GET", "board"), ("HEAD", "board")]
        {
            assert_eq!(
                status(
                    &world,
                    &http(method, &format!("/{path}/{token}"), "decision=approve&name=Eve", false)
                )
                .await,
                404,
                "{token}"
            );
        }
    }
    // A link of one kind has not the form of the other.
    assert_eq!(status(&world, &http("GET", &format!("/board/{token}"), "", false)).await, 404);
    for header in ["", "v0=", "v0=00", "v1=00", &"v0=".repeat(30)] {
        let now = jiff::Timestamp::now().as_second().to_string();
        assert_eq!(
            status(&world, &post(&world, "/slack/commands", "text=web", Some(&now), Some(header)))
                .await,
            401,
            "{header}"
        );
    }
    for path in ["/", "/approve", "/board", "/.env", "/wp-login.php"] {
        assert_eq!(status(&world, &http("GET", path, "", false)).await, 404, "{path}");
    }
    assert_eq!(world.cloud.ops(), [""; 0]);
    assert_eq!((world.production().await, world.slack.asked()), (before, 0));

    assert_logged_by_address(&world, tokens.len() * 4 + 1 + 5 + 5, &token[30..60]);
}

/// One line for each refused request, which has nothing of what was sent.
fn assert_logged_by_address(world: &World, requests: usize, secret: &str) {
    let logged = refusals(world);
    assert_eq!(logged.len(), requests, "one line each");
    let (first, last) = (&logged[0], &logged[logged.len() - 1]);
    assert_eq!(
        (&first["level"], &first["address"], &first["status"]),
        (&json!("WARN"), &json!("198.51.100.23"), &json!(404))
    );
    assert_eq!(last["refused"], json!(logged.len()), "they are counted");
    for line in &logged {
        let line = line.to_string();
        for sent in [secret, "v0=", "Eve", "curl"] {
            assert!(!line.contains(sent), "{line}");
        }
    }
}

#[tokio::test]
async fn forged_requests_make_one_attempt_while_parameter_store_fails() {
    let Some(world) = World::new().await else { return };
    let link = asked_by_link(&world, &Image::oci("new", COMMIT)).await;
    for fault in [Fault::ServerError(When::Before), Fault::Denied] {
        world.restart().await;
        world.cloud.forget_calls();
        world.cloud.fault(At::Every("ssm:GetParameter".to_owned()), fault.clone());
        for n in 0..10 {
            assert_eq!(
                status(
                    &world,
                    &signed_with(&world, "/slack/commands", &format!("text={n}"), "a guess")
                )
                .await,
                500,
                "{fault:?}"
            );
        }
        let attempts = world.cloud.count("ssm:GetParameter");
        assert!(attempts <= 3, "{attempts} calls, {fault:?}");
        for _ in 0..10 {
            assert_eq!(status(&world, &http("GET", &link, "", false)).await, 500, "{fault:?}");
        }
        let attempts = world.cloud.count("ssm:GetParameter") - attempts;
        assert!(attempts <= 6, "{attempts} calls for the key and the address, {fault:?}");
        world.cloud.clear_faults();
    }
}

#[tokio::test]
async fn whatever_is_sent_takes_little_memory() {
    let Some(world) = World::new().await else { return };
    let link = asked_by_link(&world, &Image::oci("new", COMMIT)).await;
    let sandbox = world.start_with(&[]).await;
    let send = async |event: &Value| {
        let answer = sandbox
            .invoke(event.to_string().as_bytes(), &world.unused_id())
            .await
            .expect("no function error");
        answer["statusCode"].as_u64().expect("a status")
    };
    assert_eq!(send(&http("GET", &link, "", false)).await, 200);
    let quiet = sandbox.peak_memory().expect("Linux says it");
    assert!(quiet < MOST_MEMORY, "{quiet} bytes for a page");
    world.cloud.forget_calls();
    let megabytes = |pattern: &str, bytes: usize| pattern.repeat(bytes / pattern.len());
    let now = jiff::Timestamp::now().as_second().to_string();
    for path in ["/slack/commands", "/slack/interactions", &link, "/board/x", "/"] {
        for pattern in ["a&", "a=b&", "%41", "&", "ssl_check=1&", "payload=[[[[", "\u{0}", "é"] {
            let body = megabytes(pattern, 4_400_000);
            let right = signature(SIGNING_SECRET, &now, &body);
            let mut signed = http("POST", path, &STANDARD.encode(&body), true);
            signed["headers"]["x-slack-request-timestamp"] = json!(now);
            signed["headers"]["x-slack-signature"] = json!(right);
            let status = send(&signed).await;
            assert!((400..500).contains(&status), "{path} {pattern:?}: {status}");
        }
        let status = send(&http("POST", path, &megabytes("a&", 5_900_000), false)).await;
        assert!((400..500).contains(&status), "{path}: {status}");
    }
    let mut odd = http("GET", &format!("/approve/{}", megabytes("A.", 5_900_000)), "", false);
    assert_eq!(send(&odd).await, 414);
    odd["rawPath"] = json!("/");
    odd["headers"]["cookie"] = json!(megabytes("a=b;", 5_900_000));
    assert_eq!(send(&odd).await, 431);
    assert_eq!(world.cloud.ops(), [""; 0]);
    let peak = sandbox.peak_memory().expect("Linux says it");
    assert!(peak < MOST_MEMORY, "{} MiB, and {} MiB for a page", peak >> 20, quiet >> 20);
}

#[tokio::test]
async fn a_check_of_the_certificate_gets_200_signed_or_not_and_does_nothing() {
    let Some(world) = World::new().await else { return };
    let before = world.production().await;
    world.cloud.forget_calls();
    for path in ["/slack/commands", "/slack/interactions"] {
        let body = "ssl_check=1&token=x";
        assert_eq!(status(&world, &post(&world, path, body, None, None)).await, 200);
        assert_eq!(status(&world, &signed(&world, path, body)).await, 200);
        assert_eq!(status(&world, &post(&world, path, "ssl_check=0", None, None)).await, 401);
    }
    assert_eq!((world.cloud.ops(), world.production().await), (vec![], before));
}
