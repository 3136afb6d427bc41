//! Commands by SNS and by direct invoke: each form does the same, acts once, and nonsense is told
//! what would be understood.

use serde_json::{Value, json};

use super::image::Image;
use super::world::{COMMIT, OLDER_COMMIT, World};

/// In `approval` mode: the older image and the newest are there, and nothing is promoted without a
/// command.
async fn world_with_two_images() -> Option<(World, Image, Image)> {
    let world = World::new().await?;
    world.configure("web", &json!({ "stack": "web" })).await;
    let (older, newest) = (Image::oci("older", OLDER_COMMIT), Image::oci("newest", COMMIT));
    world.push(&older, &["latest", OLDER_COMMIT]).await;
    world.push(&newest, &["latest", COMMIT]).await;
    Some((world, older, newest))
}

#[tokio::test]
async fn promote_without_more_promotes_the_newest_image() {
    let forms: [fn(&World) -> Value; 5] = [
        |world| world.event("command-promote.json"),
        |world| world.sns("promote web"),
        |world| world.sns("  Promote   web\n"),
        |world| world.sns(r#"{"action":"promote","repository":"web"}"#),
        |world| world.sns("{\n  \"repository\": \"web\",\n  \"action\": \"promote\"\n}\n"),
    ];
    for form in forms {
        let Some((world, _, newest)) = world_with_two_images().await else { return };
        let command = form(&world);
        let answer = world.answer(&command).await;
        assert_eq!(
            (&answer["outcome"], &answer["digest"]),
            (&json!("promoted"), &json!(newest.digest())),
            "{command}"
        );
        world.assert_runs(&newest, &command.to_string()).await;
    }
}

#[tokio::test]
async fn promote_of_an_older_image_is_a_choice_and_is_obeyed() {
    let forms: [fn(&World, &Image) -> Value; 7] = [
        |_, _| json!({ "action": "promote", "repository": "web", "commit": OLDER_COMMIT }),
        |_, _| json!({ "action": "promote", "repository": "web", "commit": OLDER_COMMIT[..7] }),
        |_, older| json!({ "action": "promote", "repository": "web", "digest": older.digest() }),
        |_, _| json!({ "action": "promote", "repository": "web", "tag": OLDER_COMMIT }),
        |world, _| world.sns(&format!("promote web {OLDER_COMMIT}")),
        |world, _| world.sns(&format!("promote web {}", &OLDER_COMMIT[..7])),
        |world, _| {
            world.sns(&format!(
                r#"{{"action":"promote","repository":"web","commit":"{OLDER_COMMIT}"}}"#
            ))
        },
    ];
    for form in forms {
        let Some((world, older, _)) = world_with_two_images().await else { return };
        let command = form(&world, &older);
        let answer = world.answer(&command).await;
        assert_eq!(
            (&answer["outcome"], &answer["digest"]),
            (&json!("promoted"), &json!(older.digest())),
            "{command}"
        );
        world.assert_runs(&older, &command.to_string()).await;
    }
}

#[tokio::test]
async fn the_same_sns_message_acts_once() {
    let Some((world, _, newest)) = world_with_two_images().await else { return };
    let message = world.sns("promote web");
    let first = world.answer(&message).await;
    world.assert_runs(&newest, "the message").await;
    let newer_still = Image::oci("newer still", "c0ffee0c0ffee0c0ffee0c0ffee0c0ffee0c0ffe");
    world.push(&newer_still, &["latest"]).await;

    let second = world.answer(&message).await;

    assert_eq!(second, first, "the answer that was given");
    world.assert_runs(&newest, "the message again").await;
}

#[tokio::test]
async fn a_direct_command_that_lambda_retries_acts_once() {
    let Some((world, _, newest)) = world_with_two_images().await else { return };
    let command = world.event("command-promote.json");
    let first = world.invoke_as("one-request", &command).await.expect("promoted");
    world.assert_runs(&newest, "the command").await;
    let newer_still = Image::oci("newer still", "c0ffee0c0ffee0c0ffee0c0ffee0c0ffee0c0ffe");
    world.push(&newer_still, &["latest"]).await;

    assert_eq!(world.invoke_as("one-request", &command).await.expect("known"), first);
    world.assert_runs(&newest, "the command again").await;
}

#[tokio::test]
async fn an_old_message_that_names_no_image_is_refused() {
    let Some((world, ..)) = world_with_two_images().await else { return };
    let before = world.production().await;
    let mut message = world.sns("promote web");
    message["Records"][0]["Sns"]["Timestamp"] = json!("2026-03-17T09:55:06.248Z");
    assert_eq!(world.answer(&message).await["outcome"], "refused");
    assert_eq!(world.production().await, before);
}

#[tokio::test]
async fn several_sns_records_answer_one_by_one() {
    let Some((world, _, newest)) = world_with_two_images().await else { return };
    let mut both = world.sns("promote web");
    let status = world.sns("status web")["Records"][0].clone();
    both["Records"].as_array_mut().expect("records").push(status);
    let answer = world.answer(&both).await;
    assert_eq!(answer["results"].as_array().map(Vec::len), Some(2), "{answer}");
    world.assert_runs(&newest, "two records").await;
}

#[tokio::test]
async fn plan_says_what_promote_would_do_and_does_nothing() {
    let Some((world, _, newest)) = world_with_two_images().await else { return };
    let before = world.production().await;
    let plan = world.answer(&world.event("command-plan.json")).await.to_string();
    for said in [newest.digest(), format!("production_{COMMIT}")] {
        assert!(plan.contains(&said), "{said} is not in {plan}");
    }
    assert_eq!(world.production().await, before);
}

#[tokio::test]
async fn status_and_history_show_the_promotion() {
    let Some((world, _, newest)) = world_with_two_images().await else { return };
    world.answer(&world.sns("promote web")).await;
    world.assert_runs(&newest, "promoted").await;
    world.answer(&world.pushed(&newest)).await; // a look at the stack at rest
    for command in ["command-status.json", "command-history.json"] {
        let answer = world.answer(&world.event(command)).await.to_string();
        assert!(answer.contains(&newest.digest()), "{command}: {answer}");
    }
}

#[tokio::test]
async fn nonsense_is_an_error_that_says_what_is_understood() {
    let Some((world, ..)) = world_with_two_images().await else { return };
    let before = world.production().await;
    let nonsense = [
        (world.sns(""), "promote"),
        (world.sns("hello"), "promote"),
        (world.sns("promot web"), "promote"),
        (world.sns("promote"), "repository"),
        (world.sns("promote web 9fceb02 and more"), "promote"),
        (world.sns(r#"{"action":"promote","repository":"web""#), "promote"),
        (world.sns(r#"{"action":"promote"}"#), "repository"),
        (world.sns(r#"["promote","web"]"#), "promote"),
        (world.sns("promote unconfigured"), "unconfigured"),
        (json!({ "action": "promot", "repository": "web" }), "promote"),
        (json!({ "action": "promote" }), "repository"),
        (json!({ "action": "promote", "repository": 7 }), "repository"),
        (json!({ "action": "promote", "repository": "web", "commit": "NOT-A-COMMIT" }), "commit"),
        (json!({ "action": "promote", "repository": "web", "comit": OLDER_COMMIT }), "comit"),
        (json!({ "action": "promote", "repository": "web", "digest": "sha256:abc" }), "digest"),
        (json!({ "action": "promote", "repository": "unconfigured" }), "unconfigured"),
        (json!({}), "promote"),
        (json!([]), "promote"),
        (json!(42), "promote"),
        (json!(null), "promote"),
        (json!("promot web"), "promote"),
        (json!({ "Records": [] }), "promote"),
        (json!({ "Records": [{ "eventSource": "aws:sqs", "body": "promote web" }] }), "promote"),
    ];
    for (event, said) in nonsense {
        match world.invoke(&event).await {
            Ok(answer) => panic!("{event} was understood: {answer}"),
            Err(error) => assert!(
                error.message.contains(said),
                "{event}: {said:?} is not in: {}",
                error.message
            ),
        }
        assert_eq!(world.production().await, before, "{event}");
    }
}

#[tokio::test]
async fn an_image_that_is_not_there_cannot_be_promoted() {
    let Some((world, ..)) = world_with_two_images().await else { return };
    let before = world.production().await;
    let absent = Image::docker("never pushed", None).digest();
    for command in [
        json!({ "action": "promote", "repository": "web", "commit": "abcdef0123" }),
        json!({ "action": "promote", "repository": "web", "digest": absent }),
        json!({ "action": "promote", "repository": "web", "tag": "absent" }),
        world.sns("promote web abcdef0123"),
        world.sns("promote web neither-tag-nor-commit"),
    ] {
        match world.invoke(&command).await {
            Ok(answer) => assert_eq!(answer["outcome"], "refused", "{command}: {answer}"),
            Err(error) => assert!(!error.message.is_empty(), "{command}"),
        }
        assert_eq!(world.production().await, before, "{command}");
    }
}

/// The files of events/ about approvals, where nobody was asked before.
#[tokio::test]
async fn what_nobody_was_asked_about_can_be_approved_rejected_and_asked() {
    let expected = [
        ("command-approve", "promoted"),
        ("sns-approve", "promoted"),
        ("command-reject", "rejected"),
        ("command-ask", "approval_requested"),
    ];
    for (file, outcome) in expected {
        let Some(world) = World::new().await else { return };
        let image = Image::oci_without_media_type("new", COMMIT);
        world.push(&image, &["latest"]).await;
        let sample = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let payload = world.event_text(&format!("{file}.json")).replace(sample, &image.digest());

        let answer = world.answer(&serde_json::from_str(&payload).expect("JSON")).await;

        assert_eq!(
            (&answer["outcome"], &answer["digest"]),
            (&json!(outcome), &json!(image.digest())),
            "{file}: {answer}"
        );
        assert_eq!(world.updates(), usize::from(outcome == "promoted"), "{file}");
        assert_eq!(world.told_outcomes(), [outcome], "{file}");
    }
}
