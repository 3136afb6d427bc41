//! Several apps on one stack, each with a parameter of its own: a change of the stack concerns them
//! all.

use serde_json::{Value, json};

use super::cloudformation::{Parameter, Stack};
use super::image::Image;
use super::world::{FIRST_TAG, World};

const WORKER_TAG: &str = "WorkerTag";

/// `web` and `worker` on the stack `web`, both with something new.
async fn world_of_two() -> Option<(World, Image, Image)> {
    let world = World::new().await?;
    let (web, worker) = (Image::build(0), Image::build(1));
    world.stack(|stack| stack.parameters.push(Parameter::new(WORKER_TAG, FIRST_TAG)));
    world
        .configure("worker", &json!({ "stack": "web", "parameter": WORKER_TAG, "mode": "auto" }))
        .await;
    world.cloud.registry.create("worker", "MUTABLE").await;
    world.cloud.registry.push("worker", &worker, &["latest"]).await;
    world.push(&web, &["latest"]).await;
    Some((world, web, worker))
}

fn pushed_worker(world: &World, image: &Image) -> Value {
    let mut event = world.pushed(image);
    event["detail"]["repository-name"] = json!("worker");
    event
}

fn outcomes(answer: &Value) -> Vec<(&str, &str)> {
    let results = answer["results"].as_array().expect("one for each app");
    results
        .iter()
        .map(|r| {
            (
                r["repository"].as_str().unwrap_or_default(),
                r["outcome"].as_str().unwrap_or_default(),
            )
        })
        .collect()
}

async fn assert_both_run(world: &World, web: &Image, worker: &Image) {
    world.assert_in_production(web).await;
    let running = world.stack(|stack| stack.value(WORKER_TAG).to_owned());
    let images = world.cloud.registry.images("worker").await;
    let holder =
        images.iter().find(|image| image.tags.contains(&running)).expect("what runs has its tag");
    assert_eq!(holder.digest, worker.digest());
    assert_eq!(world.updates(), 2, "one update each");
}

#[tokio::test]
async fn what_waited_behind_the_update_of_the_other_app_goes_out_when_that_has_ended() {
    // By the stack's event, or where that never came by the schedule; a push that waits, or what a
    // person named.
    for (looks, waits) in
        [("event", "push"), ("event", "command"), ("schedule", "push"), ("schedule", "command")]
    {
        let case = format!("{waits}, {looks}");
        let Some((world, web, worker)) = world_of_two().await else { return };
        let look = if looks == "event" {
            world.stack_changed("web")
        } else {
            world.event("scheduled.json")
        };
        assert_eq!(world.answer(&world.pushed(&web)).await["outcome"], "promoted", "{case}");
        let waiting = if waits == "push" {
            pushed_worker(&world, &worker)
        } else {
            world.sns("promote worker")
        };
        assert_eq!(world.answer(&waiting).await["outcome"], "queued", "{case}");
        assert_eq!(world.updates(), 1, "{case}");

        world.stack(Stack::finish_update);
        let ended = world.answer(&look).await;
        assert_eq!(
            outcomes(&ended),
            [("web", "deployed"), ("worker", "promoted")],
            "{case}: {ended}"
        );
        world.stack(Stack::finish_update);
        let ended = world.answer(&look).await;
        assert_eq!(
            outcomes(&ended),
            [("web", "unchanged"), ("worker", "deployed")],
            "{case}: {ended}"
        );

        assert_both_run(&world, &web, &worker).await;
    }
}

#[tokio::test]
async fn the_failure_of_one_app_is_not_the_other_one_s() {
    let Some((world, web, worker)) = world_of_two().await else { return };
    assert_eq!(world.answer(&world.pushed(&web)).await["outcome"], "promoted");
    assert_eq!(world.answer(&pushed_worker(&world, &worker)).await["outcome"], "queued");

    world.stack(|stack| stack.fail_update("the deployment did not become stable"));
    let ended = world.answer(&world.stack_changed("web")).await;

    assert_eq!(outcomes(&ended), [("web", "failed"), ("worker", "promoted")], "{ended}");
    world.stack(Stack::finish_update);
    let ended = world.answer(&world.stack_changed("web")).await;
    assert_eq!(outcomes(&ended), [("web", "failed"), ("worker", "deployed")], "{ended}");
    world.stack(|stack| {
        assert_eq!((stack.value("ProductionTag"), stack.updates.len()), (FIRST_TAG, 2))
    });
}

/// What the one sends leaves the other's parameter as it is, also where both look at once.
#[tokio::test]
async fn two_pushes_at_once_are_two_updates_one_after_the_other() {
    let Some((world, web, worker)) = world_of_two().await else { return };
    let (first, second) = (world.start().await, world.start().await);
    let (web_event, worker_event) =
        (world.pushed(&web).to_string(), pushed_worker(&world, &worker).to_string());

    let answers = tokio::join!(
        first.invoke(web_event.as_bytes(), "web"),
        second.invoke(worker_event.as_bytes(), "worker")
    );

    let mut outcomes = [answers.0, answers.1]
        .map(|answer| answer.expect("no error")["outcome"].as_str().unwrap_or_default().to_owned());
    outcomes.sort();
    assert_eq!(outcomes, ["promoted", "queued"]);
    world.settle().await;
    assert_both_run(&world, &web, &worker).await;
}
