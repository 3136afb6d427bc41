//! People in Slack: asked once, decide by a click that is signed, and see in the same message how
//! it ended. Whoever else calls the function URL gets a 4xx and changes nothing.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::fake_slack::{CHANNEL, Message, Mood};
use super::fault::{At, Fault, Until};
use super::image::Image;
use super::journey::for_each;
use super::slack_request::{Click, post, signature, signed, signed_with, slash, slash_body};
use super::world::{COMMIT, FIRST_TAG, OLDER_COMMIT, SIGNING_SECRET, World};

const INTERACTIONS: &str = "/slack/interactions";

/// An image waits for approval, and people were asked in Slack; `approval` is merged into the
/// configuration.
async fn asked(approval: Value) -> Option<(World, Image)> {
    let world = World::new().await?;
    world.configure_slack(approval).await;
    let image = Image::oci("new", COMMIT);
    push(&world, &image).await;
    Some((world, image))
}

/// Pushed, and its event delivered.
async fn push(world: &World, image: &Image) -> Value {
    world.push(image, &["latest"]).await;
    world.answer(&world.pushed(image)).await
}

/// The newest message in the channel.
fn newest(world: &World) -> Message {
    world.slack.messages().pop().expect("a message in the channel")
}

/// A click on that button of that message; the status that Slack gets.
async fn click(world: &World, user: &str, button: &str, message: &Message) -> Value {
    let event = Click::new(world, user, button, &message.button(button)).event(world);
    world.answer(&event).await["statusCode"].clone()
}

/// A click on a button that the message had.
async fn click_on(world: &World, user: &str, button: &str, request: &str) -> Value {
    world.answer(&Click::new(world, user, button, request).event(world)).await["statusCode"].clone()
}

/// What a slash command answers to whoever wrote it.
async fn say(world: &World, user: &str, text: &str) -> String {
    let answer = world.answer(&slash(world, user, text)).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let body: Value =
        serde_json::from_str(answer["body"].as_str().unwrap_or_default()).expect("JSON");
    assert_eq!(body["response_type"], "ephemeral");
    body["text"].as_str().unwrap_or_default().to_owned()
}

/// The stack's event.
async fn stack_changed(world: &World) -> Value {
    world.answer(&world.event("cfn-update-complete.json")).await
}

// What people see

#[tokio::test]
async fn a_push_asks_once_a_click_promotes_and_the_message_says_who_and_how_it_ended() {
    let Some((world, image)) = asked(json!({})).await else { return };
    let question = newest(&world);
    assert_eq!((question.channel.as_str(), question.buttons().len()), (CHANNEL, 2));
    assert_eq!(question.button("approve"), question.button("reject"));
    for said in ["web", COMMIT, &image.digest(), FIRST_TAG, "waits for approval"] {
        assert!(question.text().contains(said), "the question names {said}: {}", question.text());
    }
    world.answer(&world.pushed(&image)).await;
    assert_eq!(world.slack.messages().len(), 1, "the same push does not ask again");
    assert_eq!(world.updates(), 0);

    assert_eq!(click(&world, "UALICE", "approve", &question).await, 200);
    assert_eq!(world.updates(), 1);
    let deploying = newest(&world);
    assert!(
        deploying.text().contains("<@UALICE>") && deploying.text().contains("on its way"),
        "{}",
        deploying.text()
    );
    assert!(deploying.buttons().is_empty());

    let before = world.production().await;
    assert_eq!(click_on(&world, "UBOB", "approve", &question.button("approve")).await, 200);
    assert_eq!(click_on(&world, "UBOB", "reject", &question.button("reject")).await, 200);
    assert_eq!(world.production().await, before, "it was decided");

    world.finish();
    assert_eq!(stack_changed(&world).await["outcome"], "deployed");
    world.assert_runs(&image, "approved").await;
    let deployed = newest(&world);
    assert!(
        deployed.text().contains("<@UALICE>") && deployed.text().contains("is in production after"),
        "{}",
        deployed.text()
    );
    assert_eq!(deployed.buttons().len(), 1, "Roll back");
    assert_eq!(deployed.button("roll_back"), question.button("approve"));
    assert_eq!(
        world.slack.count("chat.postMessage"),
        1,
        "one message from the question to the end"
    );
    assert_eq!(world.told_outcomes(), ["approval_requested", "promoted", "deployed"]);
}

#[tokio::test]
async fn the_same_click_delivered_again_acts_once() {
    let Some((world, image)) = asked(json!({})).await else { return };
    let event =
        Click::new(&world, "UALICE", "approve", &newest(&world).button("approve")).event(&world);
    for _ in 0..3 {
        assert_eq!(world.answer(&event).await["statusCode"], 200);
    }
    assert_eq!(world.cloud.count("ecr:PutImage"), 1);
    world.assert_runs(&image, "three deliveries").await;
}

#[tokio::test]
async fn the_message_of_an_update_that_rolled_back_says_why() {
    let Some((world, _)) = asked(json!({})).await else { return };
    click(&world, "UALICE", "approve", &newest(&world)).await;
    world.stack(|stack| {
        stack.fail_update("the service did not become stable: <!channel> & <script>")
    });

    assert_eq!(stack_changed(&world).await["outcome"], "failed");

    let failed = newest(&world);
    for said in [
        "did not reach production",
        "the service did not become stable: &lt;!channel&gt; &amp; &lt;script&gt;",
        "<@UALICE>",
    ] {
        assert!(failed.text().contains(said), "{said}: {}", failed.text());
    }
    assert!(failed.buttons().is_empty());
}

#[tokio::test]
async fn a_rejection_stands_against_approvals_and_pushes() {
    let Some((world, image)) = asked(json!({})).await else { return };
    let question = newest(&world);
    let before = world.production().await;

    assert_eq!(click(&world, "UALICE", "reject", &question).await, 200);
    assert!(newest(&world).text().contains("was rejected") && newest(&world).buttons().is_empty());

    assert_eq!(click_on(&world, "UBOB", "approve", &question.button("approve")).await, 200);
    for event in [
        world.pushed(&image),
        world.event("scheduled.json"),
        world.sns(&format!("approve web {}", image.digest())),
    ] {
        world.answer(&event).await;
    }
    assert_eq!(world.production().await, before);
    assert_eq!(world.slack.messages().len(), 1, "a rejected image is not asked about again");
}

#[tokio::test]
async fn an_older_requests_button_does_nothing_and_its_clicker_is_told_which_one_to_approve() {
    let Some((world, _)) = asked(json!({})).await else { return };
    let older = newest(&world);
    let newer = Image::oci("newer", OLDER_COMMIT);
    assert_eq!(push(&world, &newer).await["outcome"], "approval_requested");
    assert_eq!(world.slack.messages().len(), 2, "a question for each candidate");
    let superseded = &world.slack.messages()[0];
    assert!(
        superseded.text().contains("was superseded") && superseded.buttons().is_empty(),
        "{}",
        superseded.text()
    );
    let before = world.production().await;

    for button in ["approve", "reject"] {
        assert_eq!(click(&world, "UALICE", button, &older).await, 200);
        let told = world.slack.whispers().pop().expect("the clicker is told");
        assert!(told.contains(OLDER_COMMIT) && told.contains(&newer.digest()), "{told}");
    }

    assert_eq!(world.production().await, before);
    assert_eq!(newest(&world).buttons().len(), 2, "the newer question still stands");
    assert_eq!(click(&world, "UALICE", "approve", &newest(&world)).await, 200);
    world.assert_runs(&newer, "the newer one").await;
}

#[tokio::test]
async fn an_approval_is_for_one_digest_in_one_candidacy() {
    let Some((world, first)) = asked(json!({})).await else { return };
    let first_question = newest(&world);
    let rebuilt = Image::oci("the same commit, built again", COMMIT);
    assert_eq!(push(&world, &rebuilt).await["outcome"], "approval_requested");
    click(&world, "UALICE", "approve", &first_question).await;
    assert_eq!(world.updates(), 0, "the first build's approval does not carry over");

    // A revert: the earlier digest is the newest once more.
    assert_eq!(push(&world, &first).await["outcome"], "approval_requested");
    assert_eq!(world.slack.messages().len(), 3);
    click(&world, "UALICE", "approve", &first_question).await;
    assert_eq!(world.updates(), 0, "nor does one of an earlier candidacy");
    click(&world, "UALICE", "approve", &newest(&world)).await;
    world.assert_runs(&first, "asked again and approved").await;
}

#[tokio::test]
async fn where_people_are_named_only_they_count_and_each_of_them_once() {
    let Some((world, image)) =
        asked(json!({ "approvers": ["UALICE", "UBOB"], "required": 2 })).await
    else {
        return;
    };
    let question = newest(&world);
    let before = world.production().await;

    assert_eq!(click(&world, "UMALLORY", "approve", &question).await, 200);
    assert!(
        world.slack.whispers().pop().expect("told").contains("not one of"),
        "{:?}",
        world.slack.whispers()
    );
    assert_eq!(click(&world, "UMALLORY", "reject", &question).await, 200);
    let refused = say(&world, "UMALLORY", "web").await;
    assert!(refused.contains("refused"), "{refused}");
    for by in ["UALICE", "UBOB"] {
        let message =
            json!({ "action": "approve", "repository": "web", "digest": image.digest(), "by": by });
        assert_eq!(
            world.answer(&world.sns(&message.to_string())).await["outcome"],
            "refused",
            "by SNS"
        );
        assert_eq!(world.answer(&message).await["outcome"], "refused", "by a direct invocation");
    }
    assert_eq!(newest(&world).buttons().len(), 2, "the question still stands");
    for _ in 0..2 {
        assert_eq!(click(&world, "UALICE", "approve", &question).await, 200);
    }
    assert!(newest(&world).text().contains("<@UALICE> (1 of 2)"), "{}", newest(&world).text());
    assert_eq!(world.production().await, before);

    assert_eq!(click(&world, "UBOB", "approve", &question).await, 200);
    world.assert_runs(&image, "both approved").await;
    let both = newest(&world).text();
    assert!(both.contains("<@UALICE>") && both.contains("<@UBOB>"), "{both}");
}

#[tokio::test]
async fn a_request_that_nobody_decided_on_expires_and_can_be_asked_again() {
    let Some((world, image)) = asked(json!({})).await else { return };
    let question = newest(&world);
    world.age_request().await;
    let before = world.production().await;

    assert_eq!(click(&world, "UALICE", "approve", &question).await, 200);

    assert_eq!(world.production().await, before);
    let expired = newest(&world);
    assert!(expired.text().contains("nobody decided"), "{}", expired.text());
    assert_eq!(click(&world, "UALICE", "ask_again", &expired).await, 200);
    assert_eq!(world.slack.messages().len(), 2);
    assert_eq!(click(&world, "UALICE", "approve", &newest(&world)).await, 200);
    world.assert_runs(&image, "asked again and approved").await;
}

#[tokio::test]
async fn the_roll_back_button_goes_back_to_the_image_before() {
    let Some(world) = World::new().await else { return };
    let (first, second) = (Image::build(0), Image::build(1));
    world.deploy(&first).await;
    world.configure_slack(json!({})).await;
    // The process keeps its configuration for a minute.
    world.restart().await;
    push(&world, &second).await;
    click(&world, "UALICE", "approve", &newest(&world)).await;
    world.settle().await;
    world.assert_in_production(&second).await;

    assert_eq!(click(&world, "UBOB", "roll_back", &newest(&world)).await, 200);

    world.settle().await;
    world.assert_in_production(&first).await;
    let status = world.answer(&json!({ "action": "status", "repository": "web" })).await;
    assert!(status["hold"]["by"].as_str().is_some_and(|by| by.contains("UBOB")), "{status}");
}

#[tokio::test]
async fn slash_commands_answer_their_writer_and_act_in_the_channel() {
    let Some((world, image)) = asked(json!({})).await else { return };
    assert!(say(&world, "UALICE", "help").await.contains("/promote rollback"));
    assert!(say(&world, "UALICE", "").await.contains("/promote rollback"));
    assert!(say(&world, "UALICE", "status web").await.contains(FIRST_TAG));
    assert!(say(&world, "UALICE", "frobnicate nothing at all").await.contains("help"));
    assert!(say(&world, "UALICE", "absent").await.contains("not configured"));
    let told = world.slack.messages().len();

    let reason = "<!channel> <script>alert(1)</script> \u{202e} & *bold*";
    assert!(
        say(&world, "UALICE", &format!("hold web {reason}")).await.contains("&lt;!channel&gt;")
    );
    assert_eq!(world.slack.messages().len(), told + 1, "a hold is everybody's business");
    assert!(
        newest(&world).text().contains("&lt;!channel&gt; &lt;script&gt;"),
        "{}",
        newest(&world).text()
    );
    assert!(say(&world, "UALICE", "resume web").await.contains("resumed"));

    assert!(say(&world, "UALICE", "web").await.contains("promoted"));
    world.assert_runs(&image, "by a slash command").await;
}

// Who is turned away

#[tokio::test]
async fn what_slack_did_not_sign_just_now_is_refused_without_a_call() {
    let Some((world, _)) = asked(json!({})).await else { return };
    let question = newest(&world);
    let approve = Click::new(&world, "UALICE", "approve", &question.button("approve"));
    let body = approve.body();
    let now = jiff::Timestamp::now().as_second();
    let (present, early, late) =
        (now.to_string(), (now - 600).to_string(), (now + 600).to_string());
    let right = signature(SIGNING_SECRET, &present, &body);
    let plus = format!("+{present}");
    let cases: Vec<(&str, Option<&str>, Option<String>)> = vec![
        ("no signature", Some(&present), None),
        ("no timestamp", None, Some(right.clone())),
        ("neither", None, None),
        ("an empty signature", Some(&present), Some(String::new())),
        ("only its version", Some(&present), Some("v0=".to_owned())),
        ("another version", Some(&present), Some(right.replace("v0=", "v1="))),
        ("capital digits", Some(&present), Some(right.to_uppercase())),
        ("half of it", Some(&present), Some(right[..right.len() / 2].to_owned())),
        ("twice", Some(&present), Some(format!("{right},{right}"))),
        ("not even digits", Some(&present), Some(format!("v0={}", "é".repeat(32)))),
        ("a garbled timestamp", Some("now"), Some(right.clone())),
        ("a signed timestamp", Some(&plus), Some(signature(SIGNING_SECRET, &plus, &body))),
        ("10 minutes old", Some(&early), Some(signature(SIGNING_SECRET, &early, &body))),
        ("10 minutes ahead", Some(&late), Some(signature(SIGNING_SECRET, &late, &body))),
    ];
    let before = world.production().await;
    world.restart().await;
    world.cloud.forget_calls();
    let said = world.slack.said().len();
    for (case, timestamp, signature) in &cases {
        let answer = world
            .answer(&post(&world, INTERACTIONS, &body, *timestamp, signature.as_deref()))
            .await;
        assert_eq!(answer["statusCode"], 401, "{case}: {answer}");
    }
    assert_eq!(
        world.answer(&world.event("slack-approve.json")).await["statusCode"],
        401,
        "the file of events/"
    );
    assert_eq!(
        world.answer(&world.event("slack-command.json")).await["statusCode"],
        401,
        "the file of events/"
    );
    assert_eq!(world.cloud.ops(), [""; 0], "not even the secret is read");

    let wrong = [
        ("another secret", signed_with(&world, INTERACTIONS, &body, "a guess")),
        ("an empty secret", signed_with(&world, INTERACTIONS, &body, "")),
        (
            "another body",
            post(&world, INTERACTIONS, &format!("{body}&a=b"), Some(&present), Some(&right)),
        ),
        (
            "another time",
            post(&world, INTERACTIONS, &body, Some(&(now - 1).to_string()), Some(&right)),
        ),
        (
            "one more digit",
            post(&world, INTERACTIONS, &body, Some(&format!("0{present}")), Some(&right)),
        ),
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
    let request = newest(&world).button("approve");
    let approve = || Click::new(&world, "UALICE", "approve", &request);
    let mut cases = vec![
        (403, "another team's user", approve().with("/user/team_id", json!("T0OTHER"))),
        (
            404,
            "a made-up button value",
            Click::new(&world, "UALICE", "approve", "req-00000000000000000000000000000000"),
        ),
        (
            404,
            "a digest as value",
            Click::new(&world, "UALICE", "approve", &Image::oci("new", COMMIT).digest()),
        ),
        (
            404,
            "a command as value",
            Click::new(&world, "UALICE", "approve", r#"{"action":"promote","repository":"web"}"#),
        ),
        (404, "an empty value", Click::new(&world, "UALICE", "approve", "")),
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

/// A secret may be changed while the process lives: it reads it again, at most once a minute.
#[tokio::test]
async fn a_changed_signing_secret_is_known_within_a_minute_without_a_restart() {
    let Some((world, _)) = asked(json!({})).await else { return };
    let help = |key: &str| {
        signed_with(&world, "/slack/commands", &slash_body(&world, "UALICE", "help"), key)
    };
    assert_eq!(world.answer(&help(SIGNING_SECRET)).await["statusCode"], 200);
    world
        .put_parameter("/ecr-promoter/slack/signing-secret", "SecureString", "the-next-secret")
        .await;
    world.cloud.forget_calls();
    assert_eq!(world.answer(&help("the-next-secret")).await["statusCode"], 401);
    assert_eq!(world.cloud.ops(), [""; 0], "it was read less than a minute ago");

    // Not a wait for something to happen: the minute is the process's own clock.
    tokio::time::sleep(Duration::from_secs(61)).await;

    assert_eq!(world.answer(&help("a guess")).await["statusCode"], 401);
    assert_eq!(world.answer(&help("the-next-secret")).await["statusCode"], 200);
    for _ in 0..5 {
        assert_eq!(world.answer(&help(SIGNING_SECRET)).await["statusCode"], 401, "the old one");
    }
    assert_eq!(world.cloud.count("ssm:GetParameter"), 1, "one further read a minute");
}

// Where Slack, or AWS, is not well

#[tokio::test]
async fn slack_being_down_stops_no_promotion_and_loses_no_question() {
    for mood in [
        Mood::Answers(500),
        Mood::Answers(503),
        Mood::Refuses("fatal_error"),
        Mood::WantsPauses { times: 1_000, seconds: 30 },
    ] {
        let Some(world) = World::new().await else { return };
        world.configure_slack(json!({})).await;
        world.slack.is(mood.clone());
        let (first, second) = (Image::oci("first", OLDER_COMMIT), Image::oci("second", COMMIT));

        assert_eq!(push(&world, &first).await["outcome"], "approval_requested", "{mood:?}");
        assert_eq!(world.told_outcomes(), ["approval_requested"], "{mood:?}: by SNS");
        let approve = world.sns(&format!("approve web {}", first.digest()));
        assert_eq!(world.answer(&approve).await["outcome"], "promoted", "{mood:?}");
        world.finish();
        assert_eq!(stack_changed(&world).await["outcome"], "deployed", "{mood:?}");
        world.assert_in_production(&first).await;
        assert_eq!(push(&world, &second).await["outcome"], "approval_requested", "{mood:?}");
        assert!(world.slack.messages().is_empty(), "{mood:?}");

        world.slack.is(Mood::Well);
        world.answer(&json!({ "action": "reconcile", "only_open_work": true })).await;

        let waits = |message: &Message| {
            message.text().contains("waits for approval") && message.text().contains(COMMIT)
        };
        let question = world
            .slack
            .messages()
            .into_iter()
            .find(waits)
            .unwrap_or_else(|| panic!("{:?}", world.slack.messages()));
        assert_eq!(click(&world, "UALICE", "approve", &question).await, 200);
        world.settle().await;
        world.assert_in_production(&second).await;
    }
}

#[tokio::test]
async fn a_pause_that_slack_wants_is_made() {
    let Some(world) = World::new().await else { return };
    world.configure_slack(json!({})).await;
    world.slack.is(Mood::WantsPauses { times: 2, seconds: 1 });
    let began = Instant::now();

    push(&world, &Image::oci("new", COMMIT)).await;

    assert_eq!(world.slack.messages().len(), 1);
    assert_eq!(world.slack.count("chat.postMessage"), 3);
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
}

/// Slack shows an error to whoever clicked when there is no answer within 3 s.
const SLACK_WAITS: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_click_is_answered_in_time_and_counts_although_every_call_is_slow_and_slack_hangs() {
    let annotated = Image::oci("new", COMMIT);
    let labelled = Image::oci_without_media_type("new", COMMIT);
    let troubles = [
        (300, Mood::Well, &annotated),
        (0, Mood::Hangs, &annotated),
        (300, Mood::Hangs, &annotated),
        (300, Mood::Well, &labelled),
    ];
    for (calls, slack, image) in troubles {
        let case = format!("{calls} ms a call, Slack: {slack:?}, {}", image.media_type);
        let Some(world) = World::new().await else { return };
        world.configure_slack(json!({})).await;
        push(&world, image).await;
        let question = newest(&world);
        world.restart().await;
        if slack == Mood::Hangs {
            // Without Slack's word where the app is installed nobody counts; it is asked once a
            // process.
            say(&world, "UALICE", "status web").await;
        }
        world.cloud.slow_down(Duration::from_millis(calls));
        world.slack.is(slack);

        let began = Instant::now();
        let status = click(&world, "UALICE", "approve", &question).await;
        let took = began.elapsed();

        assert_eq!(status, 200, "{case}");
        assert!(took < SLACK_WAITS, "{case}: {took:?}");
        world.cloud.slow_down(Duration::ZERO);
        world.slack.is(Mood::Well);
        world.answer(&json!({ "action": "reconcile", "only_open_work": true })).await;
        world.assert_runs(image, &case).await;
        let shown = newest(&world).text();
        assert!(shown.contains("<@UALICE>"), "{case}: {shown}");
    }
}

#[tokio::test]
async fn a_question_is_asked_whichever_call_its_process_dies_at() {
    let Some((world, _)) = asked(json!({})).await else { return };
    let calls: Vec<(String, usize)> =
        world.cloud.calls().into_iter().map(|call| (call.op, call.nth)).collect();
    for_each(calls, async |(op, nth)| {
        let case = format!("dies at {op} {nth}");
        let Some(world) = World::new().await else { return };
        world.configure_slack(json!({})).await;
        let image = Image::oci("new", COMMIT);
        world.push(&image, &["latest"]).await;
        world.cloud.fault(At::Nth(op, nth), Fault::Killed);

        let answer = world
            .deliver(&world.pushed(&image))
            .await
            .unwrap_or_else(|e| panic!("{case}: {}", e.message));

        assert_eq!(
            (&answer["outcome"], world.cloud.fired()),
            (&json!("approval_requested"), 1),
            "{case}"
        );
        let questions = world.slack.messages();
        assert!((1..=2).contains(&questions.len()), "{case}: {questions:?}");
        assert_eq!(
            questions.iter().filter(|question| question.buttons().len() == 2).count(),
            questions.len(),
            "{case}"
        );
        assert_eq!(click(&world, "UALICE", "approve", &questions[0]).await, 200, "{case}");
        world.assert_runs(&image, &case).await;
    })
    .await;
}

/// Slack does not send a click again: what was kept of it must suffice, and where nothing was kept
/// a second click must do.
#[tokio::test]
async fn a_click_whose_process_dies_goes_on_by_itself_or_by_a_second_click() {
    let Some((world, _)) = asked(json!({})).await else { return };
    world.restart().await;
    world.cloud.forget_calls();
    click(&world, "UALICE", "approve", &newest(&world)).await;
    let calls = world.cloud.calls();
    let kept = calls
        .iter()
        .position(|call| call.op == "dynamodb:TransactWriteItems")
        .expect("the decision is kept");
    let cases: Vec<(String, usize, bool)> = calls
        .iter()
        .enumerate()
        .map(|(at, call)| (call.op.clone(), call.nth, at >= kept))
        .collect();
    for_each(cases, async |(op, nth, is_kept)| {
        let case = format!("dies at {op} {nth}");
        let Some((world, image)) = asked(json!({})).await else { return };
        let question = newest(&world);
        world.restart().await;
        world.cloud.forget_calls();
        // What is side by side with the decision is carried out after it.
        if op == "ecr:PutImage" {
            let decision = Until::Answered(vec![("dynamodb:TransactWriteItems".to_owned(), 1)]);
            world.cloud.fault(At::Nth(op.clone(), nth), Fault::Held(decision));
        }
        world.cloud.fault(At::Nth(op, nth), Fault::Killed);
        let event =
            Click::new(&world, "UALICE", "approve", &question.button("approve")).event(&world);
        assert!(
            world.invoke(&event).await.is_err_and(|error| error.died),
            "{case}: the process did not die"
        );
        world.cloud.clear_faults();
        world.restart().await;

        if !is_kept {
            assert_eq!(click(&world, "UALICE", "approve", &question).await, 200, "{case}");
        }
        world.answer(&json!({ "action": "reconcile", "only_open_work": true })).await;
        world.assert_runs(&image, &case).await;
        stack_changed(&world).await;
        let shown = newest(&world).text();
        assert!(
            shown.contains("is in production") && shown.contains("<@UALICE>"),
            "{case}: {shown}"
        );
    })
    .await;
}

// Several processes

#[tokio::test]
async fn four_clicks_at_once_in_four_processes_make_one_update() {
    for user in [Some("UALICE"), None] {
        let Some((world, image)) = asked(json!({})).await else { return };
        let request = newest(&world).button("approve");
        let mut sandboxes = Vec::new();
        for _ in 0..4 {
            sandboxes.push(world.start().await);
        }
        world.cloud.forget_calls();
        // All four have read the same before one of them writes.
        world.cloud.fault(
            At::Every("ecr:ListImages".to_owned()),
            Fault::Held(Until::Arrived("ecr:ListImages".to_owned(), 4)),
        );
        let clicks = sandboxes.iter().zip(["UALICE", "UBOB", "UCAROL", "UDAVE"]).map(
            async |(sandbox, own)| {
                let event =
                    Click::new(&world, user.unwrap_or(own), "approve", &request).event(&world);
                let id = world.unused_id();
                sandbox.invoke(event.to_string().as_bytes(), &id).await.expect("no function error")
                    ["statusCode"]
                    .clone()
            },
        );
        assert_eq!(futures_util::future::join_all(clicks).await, [200, 200, 200, 200]);

        world.assert_runs(&image, "four clicks").await;
        let votes = newest(&world).text().matches("<@U").count();
        assert_eq!(votes, 1, "the first one decided: {}", newest(&world).text());
        assert!(world.told_outcomes().contains(&"promoted".to_owned()));
    }
}

#[tokio::test]
async fn an_approval_and_a_rejection_at_once_leave_one_decision() {
    let Some((world, _)) = asked(json!({})).await else { return };
    let request = newest(&world).button("approve");
    let sandboxes = [world.start().await, world.start().await];
    world.cloud.forget_calls();
    world.cloud.fault(
        At::Every("ecr:ListImages".to_owned()),
        Fault::Held(Until::Arrived("ecr:ListImages".to_owned(), 2)),
    );
    let clicks = sandboxes.iter().zip([("UALICE", "approve"), ("UBOB", "reject")]).map(
        async |(sandbox, (user, button))| {
            let event = Click::new(&world, user, button, &request).event(&world);
            sandbox.invoke(event.to_string().as_bytes(), user).await.expect("no function error")
                    ["statusCode"]
                    .clone()
        },
    );
    assert_eq!(futures_util::future::join_all(clicks).await, [200, 200]);

    let outcomes = world.told_outcomes();
    let decided: Vec<&String> = outcomes
        .iter()
        .filter(|outcome| ["promoted", "rejected"].contains(&outcome.as_str()))
        .collect();
    assert_eq!(decided.len(), 1, "{outcomes:?}");
    assert_eq!(world.updates(), usize::from(decided[0] == "promoted"), "{outcomes:?}");
}

/// The click's process stops before any one of its calls, and goes on when the newer push has
/// asked.
#[tokio::test]
async fn a_newer_push_that_overtakes_a_click_is_asked_about_and_never_approved_by_it() {
    let Some((world, _)) = asked(json!({})).await else { return };
    world.restart().await;
    world.cloud.forget_calls();
    click(&world, "UALICE", "approve", &newest(&world)).await;
    let calls = world.cloud.calls();
    let update =
        calls.iter().position(|call| call.op == "cloudformation:UpdateStack").expect("an update");
    let cases: Vec<(String, usize)> =
        calls[..=update].iter().map(|call| (call.op.clone(), call.nth)).collect();
    assert!(cases.iter().any(|(op, _)| op == "dynamodb:TransactWriteItems"), "{cases:?}");
    for_each(cases, async |(op, nth)| overtake(&op, nth).await).await;
}

async fn overtake(op: &str, nth: usize) {
    let case = format!("stopped before {op} {nth}");
    let Some((world, older)) = asked(json!({})).await else { return };
    let question = newest(&world);
    let newer = Image::oci("newer", OLDER_COMMIT);
    let (clicked, pushed) = (world.start().await, world.start().await);
    world.cloud.forget_calls();
    // The push's last call: it remembers what it told.
    let told = ("dynamodb:PutItem".to_owned(), 1);
    world.cloud.fault(At::Nth(op.to_owned(), nth), Fault::Held(Until::Answered(vec![told])));

    let event = Click::new(&world, "UALICE", "approve", &question.button("approve")).event(&world);
    let overtaken = async {
        clicked.invoke(event.to_string().as_bytes(), "click").await.expect("no function error")
    };
    let overtaking = async {
        world.cloud.wait(&Until::Arrived(op.to_owned(), nth)).await;
        world.push(&newer, &["latest"]).await;
        pushed
            .invoke(world.pushed(&newer).to_string().as_bytes(), "push")
            .await
            .expect("no function error")
    };
    let (click, push) = tokio::join!(overtaken, overtaking);

    assert_eq!(click["statusCode"], 200, "{case}");
    world.settle().await;
    // The push may find the approved image on its way, and sees it off: what a person approved goes
    // first.
    let is_older = push["digest"] == older.digest();
    assert!(
        push["outcome"] == "approval_requested" || is_older && push["outcome"] == "promoted",
        "{case}: {push}"
    );
    let running = world.stack(|stack| stack.value("ProductionTag").to_owned());
    assert!(!running.contains(OLDER_COMMIT), "{case}: what nobody approved runs");
    assert!(world.updates() <= 1, "{case}");
    if world.updates() == 1 {
        world.assert_in_production(&older).await;
    }
    let asked = newest(&world);
    assert!(
        asked.text().contains(OLDER_COMMIT) && asked.buttons().len() == 2,
        "{case}: {}",
        asked.text()
    );
}

// Secrets

/// What each test checks when its world ends, with the level set the other way and each kind of
/// trouble.
#[tokio::test]
async fn no_secret_is_in_any_log_line() {
    let Some((world, _)) = asked(json!({})).await else { return };
    let question = newest(&world);
    let sandbox = world.start_with(&[("RUST_LOG", "trace")]).await;
    let invoke = async |event: Value| {
        let id = world.unused_id();
        sandbox.invoke(event.to_string().as_bytes(), &id).await.expect("no function error")
    };
    // What Slack says of where the app is installed is asked once.
    invoke(slash(&world, "UALICE", "status web")).await;
    for mood in [Mood::Refuses("invalid_auth"), Mood::Answers(404), Mood::Answers(500), Mood::Well]
    {
        world.slack.is(mood);
        invoke(
            Click::new(&world, "UALICE", "approve", "req-00000000000000000000000000000000")
                .event(&world),
        )
        .await;
        invoke(
            Click::new(&world, "UALICE", "approve", &question.button("approve"))
                .with("/channel/id", json!("C0OTHER"))
                .event(&world),
        )
        .await;
        invoke(slash(&world, "UALICE", "hold web because")).await;
    }
    world.cloud.fault(At::Every("dynamodb:GetItem".to_owned()), Fault::Denied);
    invoke(Click::new(&world, "UALICE", "approve", &question.button("approve")).event(&world))
        .await;
    world.cloud.clear_faults();
    world.cloud.fault(At::Every("ssm:GetParameter".to_owned()), Fault::Denied);
    let cold = world.start_with(&[("RUST_LOG", "trace")]).await;
    let event = Click::new(&world, "UALICE", "approve", &question.button("approve")).event(&world);
    assert_eq!(
        cold.invoke(event.to_string().as_bytes(), "denied").await.expect("no function error")["statusCode"],
        500
    );

    let logs = world.logs.text();
    assert!(
        logs.contains("ssm:GetParameter") && logs.contains("Slack was not told"),
        "what went wrong is in the log: {logs}"
    );
    assert!(
        !logs.contains(&event["body"].as_str().unwrap_or_default()[..40]) && !logs.contains("v0="),
        "{logs}"
    );
}
