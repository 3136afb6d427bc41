//! Slack, or AWS, is not well.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{asked, click, newest, push, say, stack_changed};
use crate::emulator::fake_slack::{Message, Mood};
use crate::emulator::fault::{At, Fault, Until};
use crate::emulator::image::Image;
use crate::emulator::journey::for_each;
use crate::emulator::slack_request::Click;
use crate::emulator::world::{COMMIT, OLDER_COMMIT, World};

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
    // A click needs six calls one after the other until the decision is written. At 200 ms they take
    // less than half of Slack's time: the rest is for a machine that runs other tests meanwhile.
    let troubles = [
        (200, Mood::Well, &annotated),
        (0, Mood::Hangs, &annotated),
        (200, Mood::Hangs, &annotated),
        (200, Mood::Well, &labelled),
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
