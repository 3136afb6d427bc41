//! Several sandboxes at once: whatever comes between their calls, one update follows and the newest
//! image runs.

use serde_json::Value;

use super::fault::{At, Fault, Until};
use super::image::Image;
use super::journey::{Journey, TRIGGERS, Trigger, for_each};
use super::lambda::FunctionError;
use super::world::COMMIT;

const UPDATE_STACK: &str = "cloudformation:UpdateStack";

#[tokio::test]
async fn the_same_event_in_three_sandboxes_at_once_has_one_effect() {
    for_each(TRIGGERS.to_vec(), async |trigger| {
        let Some(journey) = Journey::prepare(trigger).await else { return };
        let (world, event) = (&journey.world, journey.event.to_string());
        // All three have read the same before one of them writes.
        let all_have_come = Until::Arrived("ecr:ListImages".to_owned(), 3);
        world.cloud.fault(At::Every("ecr:ListImages".to_owned()), Fault::Held(all_have_come));

        let sandboxes = [world.start().await, world.start().await, world.start().await];
        let deliveries = sandboxes
            .iter()
            .zip(["a", "b", "c"])
            .map(|(sandbox, id)| sandbox.invoke(event.as_bytes(), id));
        let answers: Vec<Result<Value, FunctionError>> =
            futures_util::future::join_all(deliveries).await;

        for answer in answers {
            journey.assert_ended_right(answer, &format!("{trigger:?}")).await;
        }
    })
    .await;
}

/// The older push's process stops before any one of its calls, and goes on when the newer push was
/// promoted.
#[tokio::test]
async fn a_newer_push_that_overtakes_an_older_one_runs() {
    let Some(trace) = Journey::trace(Trigger::Push).await else { return };
    let update = trace.iter().position(|call| call.op == UPDATE_STACK).expect("an update");
    let cases: Vec<(String, usize)> =
        trace[..=update].iter().map(|call| (call.op.clone(), call.nth)).collect();
    for_each(cases, async |(op, nth)| overtake(&op, nth).await).await;
}

async fn overtake(op: &str, nth: usize) {
    let case = format!("stopped before {op} {nth}");
    let Some(journey) = Journey::prepare(Trigger::Push).await else { return };
    let (world, older) = (&journey.world, &journey.event);
    let newer = Image::oci("newer", "c0ffee0c0ffee0c0ffee0c0ffee0c0ffee0c0ffe");
    // If it is the older one's own update that waits, the newer one's is the second.
    let newer_update = (UPDATE_STACK.to_owned(), if op == UPDATE_STACK { 2 } else { 1 });
    world
        .cloud
        .fault(At::Nth(op.to_owned(), nth), Fault::Held(Until::Answered(vec![newer_update])));

    let (first, second) = (world.start().await, world.start().await);
    let overtaken = async { first.invoke(older.to_string().as_bytes(), "older").await };
    let overtaking = async {
        world.cloud.wait(&Until::Arrived(op.to_owned(), nth)).await;
        world.push(&newer, &["latest"]).await;
        second.invoke(world.pushed(&newer).to_string().as_bytes(), "newer").await
    };
    let (older_answer, newer_answer) = tokio::join!(overtaken, overtaking);

    let answered = |answer: Result<Value, FunctionError>| {
        answer.unwrap_or_else(|e| panic!("{case}: {}", e.message))
    };
    assert_eq!(answered(newer_answer)["outcome"], "promoted", "{case}");
    assert_eq!(answered(older_answer)["outcome"], "superseded", "{case}");
    world.assert_runs(&newer, &case).await;
}

/// A command's id is kept before it acts: two deliveries at once act once, even if the newest image
/// changes in between.
#[tokio::test]
async fn a_command_delivered_twice_acts_once_although_the_newest_image_changes() {
    let Some(journey) = Journey::prepare(Trigger::Command).await else { return };
    let world = &journey.world;
    let event = journey.event.to_string();
    let first = world.start().await;
    let newer = Image::oci("newer", "c0ffee0c0ffee0c0ffee0c0ffee0c0ffee0c0ffe");
    world.cloud.fault(At::first(UPDATE_STACK), Fault::Killed);
    first.invoke(event.as_bytes(), "first").await.expect_err("the process dies");
    world.stack(super::cloudformation::Stack::finish_update);
    world.push(&newer, &["latest"]).await;

    let again = world.start().await.invoke(event.as_bytes(), "second").await.expect("no error");

    assert_eq!(
        again["commit"], COMMIT,
        "the image that was newest when the command was given: {again}"
    );
    world.assert_runs(&journey.image, "the command").await;
}
