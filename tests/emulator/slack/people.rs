//! What people see and decide.

use serde_json::json;

use super::{asked, click, click_on, newest, push, say, stack_changed};
use crate::emulator::fake_slack::CHANNEL;
use crate::emulator::image::Image;
use crate::emulator::slack_request::Click;
use crate::emulator::world::{COMMIT, FIRST_TAG, OLDER_COMMIT, World};

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
    let back = deployed.button("roll_back");
    assert!(back.starts_with(&question.button("approve")), "the same request: {back}");
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
    let question = newest(&world);
    click(&world, "UALICE", "approve", &question).await;
    world.stack(|stack| {
        stack.fail_update("the service did not become stable: <!channel> & <script>")
    });

    assert_eq!(stack_changed(&world).await["outcome"], "failed");

    let messages = world.slack.messages();
    assert_eq!(messages.len(), 2, "the question, and the bad end in its thread");
    for failed in &messages {
        for said in [
            "did not reach production",
            "the service did not become stable: &lt;!channel&gt; &amp; &lt;script&gt;",
            "<@UALICE>",
        ] {
            assert!(failed.text().contains(said), "{said}: {}", failed.text());
        }
    }
    assert!(messages[0].buttons().is_empty());
    let told = &messages[1].body;
    assert_eq!((&told["thread_ts"], &told["reply_broadcast"]), (&json!(question.ts), &json!(true)));
    assert_eq!(messages[1].buttons().len(), 1, "Ask again");
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
    assert_eq!(world.slack.messages().len(), 3, "its end is told in its thread too");
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
