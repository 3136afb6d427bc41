//! What strangers can cause at the function URL, which is open to everybody: next to nothing. And
//! what of a secret, a link or a person counts there.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::fake_slack::{BOT_TOKEN, CHANNEL, Mood, TEAM};
use super::fault::{At, Fault, When};
use super::image::Image;
use super::slack_request::{Click, post, signature, signed, signed_with, slash, slash_body};
use super::world::{COMMIT, FIRST_TAG, SIGNING_SECRET, World};

const LINK_SECRET: &str = "link-secret-7d14-0123456789abcdef0123456789";
const HOST: &str = "promoter.example";
/// Lambda's smallest function has twice as much.
const MOST_MEMORY: u64 = 64 * 1024 * 1024;

/// A request to the function URL, as whoever it is sends it.
fn http(method: &str, path: &str, body: &str, is_base64: bool) -> Value {
    json!({
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": { "host": HOST, "content-type": "application/x-www-form-urlencoded" },
        "requestContext": {
            "http": {
                "method": method, "path": path, "sourceIp": "198.51.100.23",
                "userAgent": "curl/8.5.0",
            },
        },
        "body": body,
        "isBase64Encoded": is_base64,
    })
}

async fn status(world: &World, event: &Value) -> u64 {
    world.answer(event).await["statusCode"].as_u64().expect("a status")
}

/// People are asked in a mail with a link; its path.
async fn asked_by_link(world: &World, image: &Image) -> String {
    world.put_parameter("/ecr-promoter/link-secret", "SecureString", LINK_SECRET).await;
    // Written by hand, without its last slash.
    world.put_parameter("/ecr-promoter/public-url", "String", &format!("https://{HOST}\n")).await;
    world.configure("web", &json!({ "stack": "web" })).await;
    world.push(image, &["latest"]).await;
    assert_eq!(world.answer(&world.pushed(image)).await["outcome"], "approval_requested");
    let told = world.told().pop().expect("people are told");
    let forms: Value =
        serde_json::from_str(told["Message"].as_str().expect("a message")).expect("forms");
    let mail = forms["email"].as_str().expect("a mail");
    let link = mail
        .lines()
        .find_map(|line| line.strip_prefix(&format!("https://{HOST}/")))
        .unwrap_or_else(|| panic!("no link in {mail}"));
    format!("/{link}")
}

/// The lines of the log that say what was refused.
fn refusals(world: &World) -> Vec<Value> {
    let lines = world.logs.text();
    let events = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.filter(|event| event["message"] == "refused an HTTP request").collect()
}

// Cost

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

    let logged = refusals(&world);
    assert_eq!(logged.len(), tokens.len() * 4 + 1 + 5 + 5, "one line each");
    let (first, last) = (&logged[0], &logged[logged.len() - 1]);
    assert_eq!(
        (&first["level"], &first["address"], &first["status"]),
        (&json!("WARN"), &json!("198.51.100.23"), &json!(404))
    );
    assert_eq!(last["refused"], json!(logged.len()), "they are counted");
    for line in &logged {
        let line = line.to_string();
        assert!(
            !line.contains(&token[30..60])
                && !line.contains("v0=")
                && !line.contains("Eve")
                && !line.contains("curl"),
            "{line}"
        );
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

// Secrets

#[tokio::test]
async fn a_secret_in_plain_text_or_a_short_key_closes_the_door_and_the_error_says_the_mend() {
    let Some(world) = World::new().await else { return };
    let link = asked_by_link(&world, &Image::oci("new", COMMIT)).await;
    let board = json!({ "action": "board" });
    assert!(world.answer(&board).await["url"].is_string());

    world.delete_parameter("/ecr-promoter/link-secret").await;
    world.put_parameter("/ecr-promoter/link-secret", "String", LINK_SECRET).await;
    world.restart().await;
    let error = world.invoke(&board).await.expect_err("no link").message;
    for words in ["/ecr-promoter/link-secret", "SecureString", "aws ssm delete-parameter"] {
        assert!(error.contains(words), "{words} is not in {error}");
    }
    assert_eq!(
        status(&world, &http("POST", &link, "decision=approve&name=Alice", false)).await,
        500
    );

    world.delete_parameter("/ecr-promoter/link-secret").await;
    world
        .put_parameter(
            "/ecr-promoter/link-secret",
            "SecureString",
            &format!("{LINK_SECRET}\nshort"),
        )
        .await;
    world.restart().await;
    let error = world.invoke(&board).await.expect_err("no link").message;
    for words in
        ["/ecr-promoter/link-secret", "line 2", "fewer than 32 characters", "openssl rand -hex 32"]
    {
        assert!(error.contains(words), "{words} is not in {error}");
    }
    assert_eq!(
        status(&world, &http("POST", &link, "decision=approve&name=Alice", false)).await,
        500
    );

    world.delete_parameter("/ecr-promoter/slack/signing-secret").await;
    world.put_parameter("/ecr-promoter/slack/signing-secret", "String", SIGNING_SECRET).await;
    world.restart().await;
    assert_eq!(status(&world, &slash(&world, "UALICE", "help")).await, 500);
    assert!(
        world.logs.text().contains(
            "Parameter Store /ecr-promoter/slack/signing-secret: expected a SecureString"
        )
    );
    assert_eq!(world.updates(), 0);
}

/// 135 s after both were replaced the old signature and the old board still worked, while strangers
/// kept knocking.
#[tokio::test]
async fn a_minute_after_they_were_replaced_or_deleted_secrets_are_dead_used_or_not() {
    let Some(world) = World::new().await else { return };
    let link = asked_by_link(&world, &Image::oci("new", COMMIT)).await;
    let board = world.answer(&json!({ "action": "board" })).await["url"]
        .as_str()
        .expect("a link")
        .to_owned();
    let board =
        board.strip_prefix(&format!("https://{HOST}")).expect("at the public address").to_owned();
    let help = |world: &World, key: &str| {
        signed_with(world, "/slack/commands", &slash_body(world, "UALICE", "help"), key)
    };
    assert_eq!(status(&world, &help(&world, SIGNING_SECRET)).await, 200);
    assert_eq!(status(&world, &http("GET", &board, "", false)).await, 200);
    world
        .put_parameter("/ecr-promoter/slack/signing-secret", "SecureString", "the-next-secret")
        .await;
    world.delete_parameter("/ecr-promoter/link-secret").await;

    // Not a wait for something to happen: the minute is the process's own clock. Strangers keep it
    // busy meanwhile.
    for _ in 0..6 {
        status(&world, &help(&world, "a guess")).await;
        status(&world, &http("GET", &board, "", false)).await;
        tokio::time::sleep(Duration::from_millis(10_050)).await;
    }

    assert_eq!(status(&world, &help(&world, SIGNING_SECRET)).await, 401);
    assert_eq!(status(&world, &help(&world, "the-next-secret")).await, 200);
    for path in [&board, &link] {
        assert_eq!(status(&world, &http("GET", path, "", false)).await, 404);
    }
}

// Links

#[tokio::test]
async fn a_link_decides_at_its_own_address_once_and_keeps_where_it_was_used() {
    let Some(world) = World::new().await else { return };
    let image = Image::oci("new", COMMIT);
    let link = asked_by_link(&world, &image).await;
    let decide = |name: &str| http("POST", &link, &format!("decision=approve&name={name}"), false);
    for name in ["", "%20", "%E2%80%8B"] {
        assert_eq!(status(&world, &decide(name)).await, 400, "{name:?}");
    }
    // Another deployment with the same key.
    world.put_parameter("/ecr-promoter/public-url", "String", "https://another.example/").await;
    world.restart().await;
    assert_eq!(status(&world, &decide("Alice")).await, 404);
    assert_eq!(world.updates(), 0);
    world.put_parameter("/ecr-promoter/public-url", "String", &format!("https://{HOST}/")).await;
    world.restart().await;

    let name = format!("Alice%E2%80%AE{}", "x".repeat(3_000));
    assert_eq!(status(&world, &decide(&name)).await, 200);

    world.assert_runs(&image, "by a link").await;
    let report = world.answer(&json!({ "action": "status", "repository": "web" })).await;
    let vote = &report["request"]["votes"][0];
    assert!(
        vote["by"].as_str().is_some_and(|by| by.ends_with("… (claimed, by the approval link)")),
        "{vote}"
    );
    assert_eq!(vote["trace"], json!({ "address": "198.51.100.23", "agent": "curl/8.5.0" }));
    world.answer(&world.event("cfn-update-complete.json")).await;
    let history = world.answer(&json!({ "action": "history", "repository": "web" })).await;
    assert_eq!(history["promotions"][0]["votes"][0]["trace"]["address"], "198.51.100.23");
    let mail = world
        .told()
        .iter()
        .map(|told| told["Message"].as_str().unwrap_or_default().to_owned())
        .collect::<String>();
    assert!(
        mail.contains("(claimed, by the approval link)") && !mail.contains('\u{202e}'),
        "{mail}"
    );
    assert!(!world.logs.text().contains('\u{202e}'));
    let board = world.answer(&json!({ "action": "board" })).await["url"]
        .as_str()
        .expect("a link")
        .to_owned();
    let page = world
        .answer(&http(
            "GET",
            &format!("{}/app/web", &board[format!("https://{HOST}").len()..]),
            "",
            false,
        ))
        .await;
    let page = page["body"].as_str().expect("a page");
    assert!(
        page.contains("198.51.100.23") && page.contains("curl/8.5.0") && !page.contains('\u{202e}'),
        "{page}"
    );
}

#[tokio::test]
async fn a_replayed_command_gets_no_second_board_and_a_session_that_is_gone_ends_its_board() {
    let Some(world) = World::new().await else { return };
    asked_by_link(&world, &Image::oci("new", COMMIT)).await;
    world.put_parameter("/ecr-promoter/slack/bot-token", "SecureString", BOT_TOKEN).await;
    let command = slash(&world, "UALICE", "board");
    let first = world.answer(&command).await["body"].as_str().expect("a body").to_owned();
    let path = first
        .split_once(&format!("https://{HOST}"))
        .expect("a link")
        .1
        .trim_end_matches(['"', '}']);
    let path = path.split('"').next().expect("a path").to_owned();
    for fresh in [false, true] {
        if fresh {
            world.restart().await;
        }
        let again = world.answer(&command).await["body"].as_str().expect("a body").to_owned();
        assert!(again.contains("it gives only one") && !again.contains("/board/"), "{again}");
    }
    let page = world.answer(&http("GET", &path, "", false)).await;
    assert!(page["body"].as_str().is_some_and(|body| body.contains("UALICE")), "{page}");

    world.forget_sessions().await;

    assert_eq!(status(&world, &http("GET", &path, "", false)).await, 404);
}

// People

/// An image waits, people were asked in Slack, and the process is a new one.
async fn asked(approval: Value) -> Option<(World, Image, String)> {
    let world = World::new().await?;
    world.configure_slack(approval).await;
    let image = Image::oci("new", COMMIT);
    world.push(&image, &["latest"]).await;
    world.answer(&world.pushed(&image)).await;
    let button = world.slack.messages().pop().expect("a question").button("approve");
    world.restart().await;
    Some((world, image, button))
}

#[tokio::test]
async fn where_the_app_is_installed_is_asked_of_slack_once_and_without_an_answer_nobody_counts() {
    let Some((world, image, button)) = asked(json!({})).await else { return };
    let before = world.production().await;
    let asked_before = world.slack.asked();
    for mood in [Mood::Refuses("invalid_auth"), Mood::Answers(500)] {
        world.restart().await;
        world.slack.is(mood.clone());
        for _ in 0..3 {
            let click = Click::new(&world, "UALICE", "approve", &button).event(&world);
            assert_eq!(status(&world, &click).await, 503, "{mood:?}");
            let told = world.answer(&slash(&world, "UALICE", "web")).await;
            assert!(
                told["body"].as_str().is_some_and(|body| body.contains("Nothing was done")),
                "{told}"
            );
        }
    }
    world.slack.is(Mood::Well);
    assert_eq!(world.production().await, before);
    assert!(
        world.slack.asked() - asked_before <= 4,
        "a failure is remembered: {}",
        world.slack.asked() - asked_before
    );

    world.restart().await;
    let asked_before = world.slack.asked();
    for trigger in 0..3 {
        let elsewhere =
            Click::new(&world, "UEVE", "approve", &button).with("/user/team_id", json!("T0OTHER"));
        assert_eq!(status(&world, &elsewhere.event(&world)).await, 403, "{trigger}");
        let both =
            Click::new(&world, "UEVE", "approve", &button).with("/user/team_id", json!("T0OTHER"));
        assert_eq!(
            status(&world, &both.with("/team/id", json!("T0OTHER")).event(&world)).await,
            403,
            "{trigger}"
        );
    }
    assert_eq!(
        status(&world, &Click::new(&world, "UALICE", "approve", &button).event(&world)).await,
        200
    );
    assert_eq!(world.slack.asked() - asked_before, 1, "once a process");
    world.assert_runs(&image, "by one of the team").await;
}

#[tokio::test]
async fn in_an_organisation_people_of_other_teams_count_where_they_are_listed() {
    let Some((world, image, button)) = asked(json!({ "approvers": ["UALICE"] })).await else {
        return;
    };
    world.slack.is_installed_in(TEAM, Some("E0ACME"));
    let of = |user: &str, organisation: Value| {
        let mut click =
            Click::new(&world, user, "approve", &button).with("/user/team_id", json!("T0SALES"));
        click.payload["enterprise"] = json!({ "id": organisation, "name": "Acme" });
        click
    };
    let before = world.production().await;
    assert_eq!(
        status(&world, &of("UMALLORY", json!("E0ACME")).event(&world)).await,
        403,
        "not listed"
    );
    assert_eq!(
        status(&world, &of("UALICE", json!("E0OTHER")).event(&world)).await,
        403,
        "another organisation"
    );
    assert_eq!(world.production().await, before);
    // An app of the whole organisation names no team.
    let mut click = of("UALICE", json!("E0ACME"));
    click.payload["team"] = Value::Null;
    assert_eq!(status(&world, &click.event(&world)).await, 200);
    world.assert_runs(&image, "by a listed colleague").await;
}

#[tokio::test]
async fn a_private_channel_commands_by_its_id_and_a_name_is_an_error() {
    let Some((world, image, _)) = asked(json!({ "slack_channel": "G0PRIVATE" })).await else {
        return;
    };
    let body = slash_body(&world, "UALICE", "web");
    let there = body
        .replace(CHANNEL, "G0PRIVATE")
        .replace("channel_name=releases", "channel_name=privategroup");
    let said = world.answer(&signed(&world, "/slack/commands", &body)).await;
    assert!(
        said["body"]
            .as_str()
            .is_some_and(|body| body.contains("refused") && body.contains("G0PRIVATE")),
        "{said}"
    );
    let said = world.answer(&signed(&world, "/slack/commands", &there)).await;
    assert!(said["body"].as_str().is_some_and(|body| body.contains("promoted")), "{said}");
    world.assert_runs(&image, "in a private channel").await;

    world
        .configure("web", &json!({ "stack": "web", "approval": { "slack_channel": "#releases" } }))
        .await;
    world.restart().await;
    let error = world.invoke(&world.pushed(&image)).await.expect_err("it cannot be used").message;
    for words in ["/ecr-promoter/apps/web", "approval.slack_channel", "`C…` or `G…`"] {
        assert!(error.contains(words), "{words} is not in {error}");
    }
}

#[tokio::test]
async fn who_may_not_command_makes_no_change_set_writes_nothing_and_hears_no_names() {
    let Some((world, _, _)) = asked(json!({ "approvers": ["UALICE"] })).await else { return };
    let approval = json!({ "slack_channel": CHANNEL, "approvers": ["UALICE"] });
    let guard = json!({ "allowed_changes": ["AWS::ECS::TaskDefinition:Replacement"] });
    world.configure("web", &json!({ "stack": "web", "approval": approval, "guard": guard })).await;
    world.restart().await;
    let (before, said) = (world.production().await, world.slack.said().len());
    let ask = async |text: &str| {
        let answer = world.answer(&slash(&world, "UMALLORY", text)).await;
        answer["body"].as_str().expect("a body").to_owned()
    };
    world.cloud.forget_calls();
    for text in ["plan web", "reconcile web", "status web", "history web"] {
        let told = ask(text).await;
        assert!(!told.contains("arn:") && !told.contains("UPDATE_"), "{text}: {told}");
    }
    assert!(ask("status web").await.contains(FIRST_TAG));
    let writes = ["Put", "Update", "Create", "Delete", "Execute", "Transact", "Publish"];
    for op in world.cloud.ops() {
        assert!(!writes.iter().any(|write| op.contains(write)), "{op}");
    }
    assert_eq!((world.production().await, world.slack.said().len()), (before, said));

    for op in ["dynamodb:GetItem", "ecr:BatchGetImage", "cloudformation:DescribeStacks"] {
        world.cloud.fault(At::Every(op.to_owned()), Fault::Denied);
        for text in ["plan web", "status web"] {
            let told = ask(text).await;
            for secret in ["arn:", "table", "denied", op, "not authorized"] {
                assert!(!told.contains(secret), "{op}, {text}: {told}");
            }
            assert!(told.contains("log says why"), "{op}, {text}: {told}");
        }
        world.cloud.clear_faults();
    }
}
