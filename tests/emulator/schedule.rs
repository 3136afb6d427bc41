//! The schedule: cheap where there is nothing to do, stopped by nothing, and whole even where one app is broken.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::{Value, json};

use super::cloud::Call;
use super::cloudformation::{Parameter, Stack};
use super::fault::{At, Fault, When};
use super::image::Image;
use super::world::{FIRST_TAG, World};

const APPS: usize = 201;
const CALL: Duration = Duration::from_millis(20);

/// A configured app with a repository and a stack of its own, where the image of the stack's tag is the newest too.
async fn add_app(world: &World, name: &str) {
    world.cloud.registry.create(name, "MUTABLE").await;
    world.cloud.registry.push(name, &Image::docker(name, None), &["latest", FIRST_TAG]).await;
    world.configure(name, &json!({ "stack": name, "mode": "auto" })).await;
    world.add_stack(Stack::new(name, vec![Parameter::new("ProductionTag", FIRST_TAG)]));
}

/// The app that a call is about.
fn app_of(call: &Call) -> Option<&str> {
    let body = &call.body;
    [&body["repositoryName"], &body["StackName"], &body["Key"]["app"]["S"]].into_iter().find_map(Value::as_str)
}

#[tokio::test]
async fn a_look_at_many_apps_with_nothing_to_do_is_short_and_writes_nothing() {
    let Some(world) = World::new().await else { return };
    let names: Vec<String> = (1..APPS).map(|n| format!("web-{n:03}")).collect();
    futures_util::stream::iter(&names).for_each_concurrent(16, |name| add_app(&world, name)).await;
    let adopted = world.answer(&world.event("scheduled.json")).await;
    assert_eq!(adopted["results"].as_array().map(Vec::len), Some(APPS));
    world.cloud.forget_calls();
    world.cloud.slow_down(CALL);

    let start = Instant::now();
    let answer = world.answer(&world.event("scheduled.json")).await;
    let took = start.elapsed();

    let results = answer["results"].as_array().expect("a list");
    assert_eq!(results.len(), APPS);
    assert!(results.iter().all(|result| result["outcome"] == "unchanged"), "{answer}");
    let calls = world.cloud.calls();
    let pages = world.cloud.count("ssm:GetParametersByPath");
    assert_eq!(pages, APPS.div_ceil(10), "10 configurations a page");
    for name in names.iter().map(String::as_str).chain(["web"]) {
        let own: Vec<&str> = calls.iter().filter(|call| app_of(call) == Some(name)).map(|call| call.op.as_str()).collect();
        assert!((1..=4).contains(&own.len()), "{name}: {own:?}");
    }
    assert!(calls.len() <= 4 * APPS + pages + 1, "{} calls", calls.len());
    let writes = ["PutItem", "TransactWriteItems", "UpdateItem", "PutImage", "UpdateStack", "CreateChangeSet", "Publish"];
    let wrote: Vec<&Call> = calls.iter().filter(|call| writes.iter().any(|write| call.op.ends_with(write))).collect();
    assert!(wrote.is_empty(), "{wrote:?}");
    let stacks: Vec<&Call> = calls.iter().filter(|call| call.op == "cloudformation:DescribeStacks").collect();
    let beside = |call: &&&Call| stacks.iter().filter(|other| other.overlaps(call)).count() >= 4;
    assert!(stacks.iter().filter(beside).count() > APPS / 2, "the apps are looked at side by side");
    assert!(took < CALL * APPS as u32, "one app after another: {took:?}");
}

#[tokio::test]
async fn a_look_that_is_throttled_here_and_there_ends_well() {
    let Some(world) = World::new().await else { return };
    for n in 0..12 {
        add_app(&world, &format!("web-{n:02}")).await;
    }
    world.answer(&world.event("scheduled.json")).await;
    world.cloud.forget_calls();
    let operations = ["cloudformation:DescribeStacks", "dynamodb:GetItem", "ecr:ListImages"];
    for op in operations {
        for nth in [1, 4, 9] {
            world.cloud.fault(At::Nth(op.to_owned(), nth), Fault::Throttled(When::Before));
        }
    }
    world.cloud.fault(At::first("ssm:GetParametersByPath"), Fault::Throttled(When::Before));

    let answer = world.answer(&world.event("scheduled.json")).await;

    assert_eq!(world.cloud.fired(), 3 * operations.len() + 1);
    let results = answer["results"].as_array().expect("a list");
    assert_eq!(results.len(), 13);
    assert!(results.iter().all(|result| result["outcome"] == "unchanged"), "{answer}");
}

/// The push's own event never came.
#[tokio::test]
async fn a_look_makes_good_a_push_that_was_missed() {
    let Some(world) = World::new().await else { return };
    world.answer(&world.event("scheduled.json")).await;
    let image = Image::build(0);
    world.push(&image, &["latest"]).await;

    let answer = world.answer(&world.event("scheduled.json")).await;

    assert_eq!(answer["results"][0]["outcome"], "promoted", "{answer}");
    world.assert_runs(&image, "the tick").await;
}

#[tokio::test]
async fn an_app_that_is_broken_fails_in_its_place_and_stops_no_other() {
    let Some(world) = World::new().await else { return };
    for name in ["a-without-stack", "b-without-repository", "c-misspelt", "z-last"] {
        add_app(&world, name).await;
    }
    world.answer(&world.event("scheduled.json")).await;
    let image = Image::build(0);
    world.push(&image, &["latest"]).await;
    world.cloud.registry.push("z-last", &image, &["latest"]).await;
    world.stack_named("a-without-stack", |stack| stack.name = "elsewhere".to_owned());
    world.cloud.registry.delete("b-without-repository").await;
    world.configure("c-misspelt", &json!({ "stak": "c-misspelt" })).await;
    let told = world.told().len();

    for look in ["first", "second"] {
        let error = world.invoke(&world.event("scheduled.json")).await.expect_err("it is seen");
        for word in ["a-without-stack", "b-without-repository", "c-misspelt", "stak"] {
            assert!(error.message.contains(word), "{look}: {word:?} is not in: {}", error.message);
        }
        assert!(!error.message.contains("z-last"), "{look}: {}", error.message);
    }

    world.assert_runs(&image, "an app between them").await;
    assert_eq!(world.stack_named("z-last", |stack| stack.updates.len()), 1, "the last app");
    let outcomes = &world.told_outcomes()[told..];
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "blocked").count(), 3, "each is told once: {outcomes:?}");
}

#[tokio::test]
async fn a_configuration_that_was_deleted_is_told_once_and_its_app_left_alone() {
    let Some(world) = World::new().await else { return };
    add_app(&world, "gone").await;
    world.answer(&world.event("scheduled.json")).await;
    world.delete_parameter("/ecr-promoter/apps/gone").await;
    world.cloud.registry.push("gone", &Image::build(0), &["latest"]).await;

    for _ in 0..2 {
        let looked = world.answer(&world.event("scheduled.json")).await;
        assert_eq!(looked["results"].as_array().map(Vec::len), Some(1), "{looked}");
    }

    let told: Vec<String> = world.told().iter().map(Value::to_string).filter(|told| told.contains("/ecr-promoter/apps/gone")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(world.stack_named("gone", |stack| stack.updates.len()), 0);
}
