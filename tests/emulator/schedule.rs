//! The schedule: cheap where there is nothing to do, stopped by nothing, and whole even where one
//! app is broken or there are more apps than there is time for.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};

use super::cloud::{Call, lock};
use super::cloudformation::{Parameter, Stack};
use super::fault::{At, Fault, Until, When};
use super::image::Image;
use super::large::Fleet;
use super::world::{FIRST_TAG, World};

const APPS: usize = 201;
/// The look reads the stacks of at least so many apps side by side.
const SIDE_BY_SIDE: usize = 5;

/// A configured app with a repository and a stack of its own, where the image of the stack's tag is
/// the newest too.
async fn add_app(world: &World, name: &str) {
    world.cloud.registry.create(name, "MUTABLE").await;
    world.cloud.registry.push(name, &Image::docker(name, None), &["latest", FIRST_TAG]).await;
    world.configure(name, &json!({ "stack": name, "mode": "auto" })).await;
    world.add_stack(Stack::new(name, vec![Parameter::new("ProductionTag", FIRST_TAG)]));
}

/// The app that a call is about.
fn app_of(call: &Call) -> Option<&str> {
    let body = &call.body;
    [&body["repositoryName"], &body["StackName"], &body["Key"]["app"]["S"]]
        .into_iter()
        .find_map(Value::as_str)
}

#[tokio::test]
async fn a_look_at_many_apps_with_nothing_to_do_is_short_and_writes_nothing() {
    let Some(world) = World::new().await else { return };
    let names: Vec<String> = (1..APPS).map(|n| format!("web-{n:03}")).collect();
    futures_util::stream::iter(&names).for_each_concurrent(16, |name| add_app(&world, name)).await;
    let adopted = world.answer(&world.event("scheduled.json")).await;
    assert_eq!(adopted["results"].as_array().map(Vec::len), Some(APPS));
    // This look finds out which services the stacks have, and keeps that.
    world.answer(&world.event("scheduled.json")).await;
    world.cloud.forget_calls();
    // No stack of a group is answered before all of the group are asked for: a look at fewer apps
    // at a time would run out of time.
    let op = "cloudformation:DescribeStacks";
    for nth in 1..=APPS / SIDE_BY_SIDE * SIDE_BY_SIDE {
        let last = nth.next_multiple_of(SIDE_BY_SIDE);
        let all = Until::Arrived(op.to_owned(), last);
        world.cloud.fault(At::Nth(op.to_owned(), nth), Fault::Held(all));
    }

    let answer = world.answer(&world.event("scheduled.json")).await;

    let results = answer["results"].as_array().expect("a list");
    assert_eq!(results.len(), APPS);
    assert!(results.iter().all(|result| result["outcome"] == "unchanged"), "{answer}");
    let calls = world.cloud.calls();
    let pages = world.cloud.count("ssm:GetParametersByPath");
    assert_eq!(pages, APPS.div_ceil(10), "10 configurations a page");
    for name in names.iter().map(String::as_str).chain(["web"]) {
        let own: Vec<&str> = calls
            .iter()
            .filter(|call| app_of(call) == Some(name))
            .map(|call| call.op.as_str())
            .collect();
        assert!((1..=4).contains(&own.len()), "{name}: {own:?}");
    }
    assert!(calls.len() <= 4 * APPS + pages + 1, "{} calls", calls.len());
    let writes = [
        "PutItem",
        "TransactWriteItems",
        "UpdateItem",
        "PutImage",
        "UpdateStack",
        "CreateChangeSet",
        "Publish",
    ];
    let wrote: Vec<&Call> =
        calls.iter().filter(|call| writes.iter().any(|write| call.op.ends_with(write))).collect();
    assert!(wrote.is_empty(), "{wrote:?}");
    assert_eq!(world.cloud.count(op), APPS, "each stack is read once");
}

#[tokio::test]
async fn a_look_that_is_throttled_here_and_there_ends_well() {
    let Some(world) = World::new().await else { return };
    for n in 0..12 {
        add_app(&world, &format!("web-{n:02}")).await;
    }
    world.answer(&world.event("scheduled.json")).await;
    world.cloud.forget_calls();
    let operations = ["cloudformation:DescribeStacks", "dynamodb:GetItem", "ecr:BatchGetImage"];
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
    assert_eq!(
        outcomes.iter().filter(|outcome| *outcome == "blocked").count(),
        3,
        "each is told once: {outcomes:?}"
    );
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

    let told: Vec<String> = world
        .told()
        .iter()
        .map(Value::to_string)
        .filter(|told| told.contains("/ecr-promoter/apps/gone"))
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(world.stack_named("gone", |stack| stack.updates.len()), 0);
}

// Many apps, at AWS's rates

const MB: u64 = 1024 * 1024;

/// How often each app of the fleet was looked at.
fn looked_at(world: &World) -> Vec<usize> {
    let apps = lock(&world.cloud.fleet).apps;
    let mut times = vec![0; apps];
    for call in world
        .cloud
        .calls()
        .iter()
        .filter(|call| call.op == "cloudformation:DescribeStacks" && call.carried_out)
    {
        let name = call.body["StackName"].as_str().unwrap_or_default();
        if let Some(number) =
            name.strip_prefix("fleet-").and_then(|number| number.parse::<usize>().ok())
        {
            times[number] += 1;
        }
    }
    times
}

/// Parameter Store takes 40 calls a second, and eight processes each list 300 configurations in 30
/// of them.
#[tokio::test]
async fn eight_stack_events_at_once_among_three_hundred_apps_are_all_answered() {
    let Some(world) = World::new().await else { return };
    lock(&world.cloud.fleet).apps = 300;
    world.cloud.limit(&["ssm:GetParameter", "ssm:GetParametersByPath"], 40);
    let mut sandboxes = Vec::new();
    for _ in 0..8 {
        sandboxes.push(world.start().await);
    }
    let deliveries = sandboxes.iter().enumerate().map(async |(n, sandbox)| {
        let event = world.stack_changed(&Fleet::name(n * 30));
        let answer = sandbox
            .invoke(event.to_string().as_bytes(), &world.unused_id())
            .await
            .unwrap_or_else(|e| panic!("{}", e.message));
        assert_eq!(
            (&answer["outcome"], &answer["repository"]),
            (&json!("unchanged"), &json!(Fleet::name(n * 30))),
            "{answer}"
        );
    });
    futures_util::future::join_all(deliveries).await;
    let throttled = world
        .cloud
        .calls()
        .iter()
        .filter(|call| call.op == "ssm:GetParametersByPath" && !call.carried_out)
        .count();
    assert!(throttled > 0, "nothing was throttled");

    // What was just read serves the next events too.
    world.cloud.forget_calls();
    for n in 0..3 {
        let event = world.stack_changed(&Fleet::name(n));
        sandboxes[0]
            .invoke(event.to_string().as_bytes(), &world.unused_id())
            .await
            .unwrap_or_else(|e| panic!("{}", e.message));
    }
    assert_eq!(world.cloud.count("ssm:GetParametersByPath"), 0);
}

/// An hour in twelve seconds: five times AWS's rates, and a fifth of Lambda's minute.
#[tokio::test]
async fn five_hundred_apps_at_the_rate_of_describe_stacks_are_looked_at_in_several_looks() {
    let Some(mut world) = World::new().await else { return };
    lock(&world.cloud.fleet).apps = 500;
    world.cloud.limit(&["cloudformation:DescribeStacks"], 50);
    world.cloud.limit(&["ssm:GetParameter", "ssm:GetParametersByPath"], 200);
    world.set_timeout(Duration::from_secs(9));
    let (mut looks, mut answer) = (1, world.answer(&world.event("scheduled.json")).await);
    assert!(answer["left"].as_u64().is_some_and(|left| left > 0), "{answer}");
    while !answer["left"].is_null() {
        assert!(looks < 4, "it does not end: {answer}");
        let left = answer["left"].as_u64();
        answer = world.answer(&json!({ "action": "reconcile", "only_open_work": true })).await;
        assert!(answer["left"].as_u64() < left || answer["left"].is_null(), "{answer}");
        looks += 1;
    }
    let times = looked_at(&world);
    assert!(times.iter().all(|times| (1..=2).contains(times)), "{times:?}");
    // Those that were cut off are looked at again, and no others.
    assert!(times.iter().sum::<usize>() <= 500 + 16 * looks, "{times:?}");
    let writes = world
        .cloud
        .calls()
        .into_iter()
        .filter(|call| ["dynamodb:PutItem", "dynamodb:UpdateItem"].contains(&call.op.as_str()))
        .map(|call| call.body["Item"]["app"]["S"].clone());
    let writes: Vec<Value> = writes.collect();
    assert!(
        writes
            .iter()
            .all(|app| ["#roster", "#unfinished"].contains(&app.as_str().unwrap_or_default())),
        "{writes:?}"
    );
}

#[tokio::test]
async fn five_thousand_apps_take_little_memory_and_few_calls_where_nothing_is_open() {
    let Some(world) = World::new().await else { return };
    lock(&world.cloud.fleet).apps = 5_000;
    let sandbox = world.start_with(&[("AWS_LAMBDA_LOG_LEVEL", "INFO")]).await;
    let invoke = async |event: Value| {
        sandbox
            .invoke(event.to_string().as_bytes(), &world.unused_id())
            .await
            .unwrap_or_else(|e| panic!("{}", e.message))
    };
    let often = || json!({ "action": "reconcile", "only_open_work": true });
    assert_eq!(invoke(often()).await, json!({ "results": [] }));
    let calls = world.cloud.ops();
    let count = |op: &str| calls.iter().filter(|call| *call == op).count();
    assert_eq!(
        (
            count("ssm:GetParametersByPath"),
            count("dynamodb:BatchGetItem"),
            count("dynamodb:GetItem")
        ),
        (500, 50, 1)
    );
    assert_eq!(calls.len(), 551);

    let mut left = invoke(world.event("scheduled.json")).await["left"].clone();
    while !left.is_null() {
        left = invoke(often()).await["left"].clone();
    }
    assert!(looked_at(&world).iter().all(|times| *times >= 1));
    if let Some(peak) = sandbox.peak_memory() {
        assert!(peak < 64 * MB, "{} MB", peak / MB);
    }
}
