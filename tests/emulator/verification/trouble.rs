//! Calls to ECS that are denied, throttled, fail or hang: no promotion is lost, an error names the
//! action, and nothing is sent twice.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{cloudformation_is_done, deploy, times_told, world_with_service};
use crate::emulator::ecs::{Controller, Service};
use crate::emulator::fault::{At, Fault, PASSING, Until, When};
use crate::emulator::image::Image;
use crate::emulator::journey::{at_once, for_each};
use crate::emulator::world::World;

const LIST: &str = "cloudformation:ListStackResources";
/// The calls of a verification; the last two only where tasks are asked.
const CALLS: [&str; 6] = [
    LIST,
    "ecs:DescribeServices",
    "ecs:DescribeServiceDeployments",
    "ecs:DescribeServiceRevisions",
    "ecs:ListTasks",
    "ecs:DescribeTasks",
];

/// ECS runs what CloudFormation has finished, and nobody knows yet.
async fn world_to_verify(op: &str) -> Option<World> {
    let world = world_with_service().await?;
    if op.ends_with("Tasks") {
        world.service("web", |service| service.controller = Controller::External);
    }
    cloudformation_is_done(&world, &Image::build(0)).await;
    world.service("web", Service::complete);
    Some(world)
}

#[tokio::test]
async fn a_call_of_a_verification_that_fails_for_a_whole_invocation_loses_nothing() {
    let faults = [
        Fault::Denied,
        Fault::Throttled(When::Before),
        Fault::ServerError(When::Before),
        Fault::ConnectionReset(When::After),
    ];
    let cases = CALLS.into_iter().flat_map(|op| faults.clone().map(|fault| (op, fault))).collect();
    for_each(cases, async |(op, fault): (&str, Fault)| fail(op, fault).await).await;
}

#[tokio::test]
async fn a_call_of_a_verification_that_is_never_answered_loses_nothing() {
    let cases = CALLS.map(|op| (op, Fault::Held(Until::Never))).to_vec();
    at_once(cases, async |(op, fault): (&str, Fault)| fail(op, fault).await).await;
}

async fn fail(op: &str, fault: Fault) {
    let case = format!("{op} {fault:?}");
    let Some(world) = world_to_verify(op).await else { return };
    world.cloud.fault(At::Every(op.to_owned()), fault);

    let began = Instant::now();
    let error = world.invoke(&world.stack_changed("web")).await.expect_err(&case);

    assert!(began.elapsed() < Duration::from_secs(40), "{case}: {:?}", began.elapsed());
    assert!(!error.died && error.message.contains(op), "{case}: {}", error.message);
    assert!(error.message.contains("promoted"), "{case}: {}", error.message);
    world.cloud.clear_faults();
    let answer = world.answer(&world.stack_changed("web")).await;
    assert_eq!(answer["outcome"], "deployed", "{case}: {answer}");
    assert_eq!((world.updates(), times_told(&world, "deployed")), (1, 1), "{case}");
}

#[tokio::test]
async fn a_call_of_a_verification_that_fails_once_is_not_noticed() {
    let cases = CALLS.into_iter().flat_map(|op| PASSING.map(|fault| (op, fault))).collect();
    for_each(cases, async |(op, fault): (&str, Fault)| {
        let case = format!("{op} {fault:?}");
        let Some(world) = world_to_verify(op).await else { return };
        world.cloud.fault(At::first(op), fault);
        let answer = world.answer(&world.stack_changed("web")).await;
        assert_eq!(world.cloud.fired(), 1, "{case}");
        assert_eq!(answer["outcome"], "deployed", "{case}: {answer}");
        assert_eq!((world.updates(), times_told(&world, "deployed")), (1, 1), "{case}");
    })
    .await;
}

#[tokio::test]
async fn a_process_that_dies_at_any_call_of_a_verification_loses_nothing() {
    let writes = ["dynamodb:TransactWriteItems", "dynamodb:UpdateItem", "sns:Publish"];
    let cases = CALLS.into_iter().chain(writes).collect();
    for_each(cases, async |op: &str| {
        let Some(world) = world_to_verify(op).await else { return };
        world.cloud.forget_calls();
        world.cloud.fault(At::first(op), Fault::Killed);
        let event = world.stack_changed("web");
        let request_id = world.unused_id();
        let first = world.invoke_as(&request_id, &event).await;
        assert!(first.is_err_and(|error| error.died), "{op}: it did not die");
        world.cloud.clear_faults();
        world
            .invoke_as(&request_id, &event)
            .await
            .unwrap_or_else(|e| panic!("{op}: {}", e.message));
        world.answer(&world.event("scheduled.json")).await;
        let status = world.answer(&json!({ "action": "status", "repository": "web" })).await;
        assert!(status["verifying"].is_null(), "{op}: {status}");
        let told = times_told(&world, "deployed");
        assert!((1..=2).contains(&told), "{op}: told {told} times");
        assert_eq!(world.updates(), 1, "{op}");
    })
    .await;
}

/// Why tasks stopped only explains a failure.
#[tokio::test]
async fn stopped_tasks_that_cannot_be_read_do_not_hide_the_failure() {
    let faults = [Fault::Denied, Fault::ServerError(When::Before), Fault::Held(Until::Never)];
    let ops = ["ecs:ListTasks", "ecs:DescribeTasks"];
    let cases = ops.into_iter().flat_map(|op| faults.clone().map(|fault| (op, fault))).collect();
    at_once(cases, async |(op, fault): (&str, Fault)| {
        let case = format!("{op} {fault:?}");
        let Some(world) = world_with_service().await else { return };
        cloudformation_is_done(&world, &Image::build(0)).await;
        world.service("web", |service| service.trip("it went back"));
        world.cloud.fault(At::Every(op.to_owned()), fault);
        let answer = world.answer(&world.stack_changed("web")).await;
        assert_eq!(answer["outcome"], "failed", "{case}: {answer}");
        assert!(answer.to_string().contains("it went back"), "{case}: {answer}");
        assert_eq!((world.updates(), times_told(&world, "failed")), (1, 1), "{case}");
    })
    .await;
}

/// All of ECS hangs.
fn hang(world: &World) {
    for op in CALLS {
        world.cloud.fault(At::Every(op.to_owned()), Fault::Held(Until::Never));
    }
}

#[tokio::test]
async fn a_push_goes_out_without_waiting_for_ecs() {
    let Some(world) = world_with_service().await else { return };
    cloudformation_is_done(&world, &Image::build(0)).await;
    hang(&world);
    let newer = Image::build(1);
    world.push(&newer, &["latest"]).await;
    world.cloud.forget_calls();

    let answer = world.answer(&world.pushed(&newer)).await;

    assert_eq!(answer["outcome"], "promoted", "{answer}");
    assert_eq!(world.updates(), 2);
    let asked = world.cloud.ops();
    assert!(!asked.iter().any(|op| CALLS.contains(&op.as_str())), "{asked:?}");
}

/// An update is not sent long after the reads that it rests on, so a slow ECS must be asked once.
#[tokio::test]
async fn what_people_named_goes_out_although_ecs_is_slow() {
    for way in ["command", "tick"] {
        let Some(world) = world_with_service().await else { return };
        cloudformation_is_done(&world, &Image::build(0)).await;
        world.answer(&world.stack_changed("web")).await;
        for op in CALLS {
            world.cloud.slow_down_only(op, Duration::from_secs(3));
        }
        let newest = Image::build(1);
        world.push(&newest, &["latest"]).await;
        world.cloud.forget_calls();

        let event = match way {
            "command" => world.sns("promote web"),
            _ => world.stack_changed("web"),
        };
        let answer = world.answer(&event).await;

        assert_eq!(answer["outcome"], "promoted", "{way}: {answer}");
        assert_eq!(world.updates(), 2, "{way}");
        assert_eq!(world.cloud.count("ecs:DescribeServices"), 1, "{way}");
    }
}

/// By each way in which something goes out while an older promotion is verified.
#[tokio::test]
async fn what_people_approved_or_named_goes_out_although_ecs_hangs() {
    let ways = ["approve", "promote", "promote that waits", "approval that waits"];
    at_once(ways.to_vec(), async |way: &str| {
        let Some(world) = world_with_service().await else { return };
        deploy(&world, &Image::build(0)).await;
        cloudformation_is_done(&world, &Image::build(1)).await;
        world.answer(&world.stack_changed("web")).await;
        world.configure("web", &json!({ "stack": "web" })).await;
        world.restart().await;
        let newest = Image::build(2);
        world.push(&newest, &["latest"]).await;
        let asked = world.answer(&world.pushed(&newest)).await;
        assert_eq!(asked["outcome"], "approval_requested", "{way}: {asked}");
        let act = way.split(' ').next().expect("a word");
        let command = match act {
            "approve" | "approval" => format!("approve web {}", newest.digest()),
            _ => "promote web".to_owned(),
        };
        if way.ends_with("waits") {
            world.stack(crate::emulator::cloudformation::Stack::start_foreign_update);
            let queued = world.answer(&world.sns(&command)).await;
            assert_eq!(queued["outcome"], "queued", "{way}: {queued}");
            assert!(world.finish());
        }
        hang(&world);

        let event =
            if way.ends_with("waits") { world.stack_changed("web") } else { world.sns(&command) };
        let _ = world.deliver(&event).await;

        let digest_runs = world.stack(|stack| stack.value("ProductionTag").to_owned());
        let tags = world.tags(&newest).await;
        assert!(tags.contains(&digest_runs), "{way}: {digest_runs} is not among {tags:?}");
        let foreign = usize::from(way.ends_with("waits"));
        assert_eq!(world.updates(), 3 + foreign, "{way}: one update each");
    })
    .await;
}
