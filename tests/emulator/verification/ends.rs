//! How a verification ends.

use serde_json::json;

use super::counts::own_calls;
use super::{
    cloudformation_is_done, deploy, let_the_time_pass, often, only_result, reason, times_told,
    world_with_service,
};
use crate::emulator::ecs::{Controller, Service};
use crate::emulator::fault::{At, Fault};
use crate::emulator::image::Image;
use crate::emulator::table::is_write;
use crate::emulator::world::{COMMIT, World};

const BREAKER: &str = "Service deployment rolled back because the circuit breaker threshold was \
                       exceeded.";

#[tokio::test]
async fn tasks_that_move_over_are_not_yet_and_then_deployed_once() {
    let Some(world) = world_with_service().await else { return };
    let image = Image::build(0);
    cloudformation_is_done(&world, &image).await;

    for (tasks, words) in [(0, "SCALE_UP, 0 of 2 tasks"), (1, "SCALE_UP, 1 of 2 tasks")] {
        world.service("web", |service| service.move_tasks(tasks));
        let moving = world.answer(&world.stack_changed("web")).await;
        assert_eq!(moving["outcome"], "promoted", "{moving}");
        assert!(reason(&moving).contains(words), "{moving}");
        let status = world.answer(&json!({ "action": "status", "repository": "web" })).await;
        assert!(status.to_string().contains(words), "{status}");
    }
    assert_eq!(times_told(&world, "deployed"), 0);

    world.service("web", Service::complete);
    let done = world.answer(&world.service_changed("web")).await;
    assert_eq!(done["outcome"], "deployed", "{done}");
    assert_eq!(done["digest"], image.digest());
    assert!(reason(&done).contains("2 tasks of ECS service `web`"), "{done}");
    for late in [world.stack_changed("web"), world.event("scheduled.json"), often()] {
        world.answer(&late).await;
    }
    assert_eq!(times_told(&world, "deployed"), 1);
    assert_eq!(world.updates(), 1);
}

#[tokio::test]
async fn a_stack_without_services_is_deployed_and_the_next_task_uses_it() {
    let Some(world) = World::new().await else { return };
    world.push(&Image::build(0), &["latest"]).await;
    world.answer(&world.pushed(&Image::build(0))).await;
    assert!(world.finish());

    let answer = world.answer(&world.stack_changed("web")).await;

    assert_eq!(answer["outcome"], "deployed", "{answer}");
    assert!(reason(&answer).contains("the next task uses it"), "{answer}");
}

#[tokio::test]
async fn a_service_that_should_have_no_task_is_deployed_and_the_next_task_uses_it() {
    let Some(world) = world_with_service().await else { return };
    world.service("web", |service| service.desired = 0);
    let answer = deploy(&world, &Image::build(0)).await;
    assert!(reason(&answer).contains("the next task uses it"), "{answer}");
}

#[tokio::test]
async fn where_ecs_is_not_to_be_asked_it_is_not() {
    let Some(world) = world_with_service().await else { return };
    world.configure("web", &json!({ "stack": "web", "mode": "auto", "verify": false })).await;
    cloudformation_is_done(&world, &Image::build(0)).await;

    let answer = world.answer(&world.stack_changed("web")).await;

    assert_eq!(answer["outcome"], "deployed", "{answer}");
    world.answer(&world.event("scheduled.json")).await;
    let asked = world.cloud.ops();
    assert!(!asked.iter().any(|op| op.starts_with("ecs:") || op.ends_with("Resources")));
}

#[tokio::test]
async fn the_circuit_breaker_is_a_failure_in_ecss_words_told_once_and_not_tried_again() {
    let Some(world) = world_with_service().await else { return };
    let (good, bad) = (Image::build(0), Image::build(1));
    deploy(&world, &good).await;
    let tag = cloudformation_is_done(&world, &bad).await;
    assert_eq!(world.answer(&world.stack_changed("web")).await["outcome"], "promoted");
    world.service("web", |service| service.trip(BREAKER));

    let failed = world.answer(&world.service_changed("web")).await;

    assert_eq!(failed["outcome"], "failed", "{failed}");
    for words in [
        BREAKER,
        "ROLLBACK_SUCCESSFUL",
        "container `app` exited with 1: Essential container in task exited",
        &format!("The stack still names `{tag}`"),
        "`rollback web`",
    ] {
        assert!(reason(&failed).contains(words), "{words:?} is not in {failed}");
    }
    for late in
        [world.stack_changed("web"), world.event("scheduled.json"), often(), world.pushed(&bad)]
    {
        world.answer(&late).await;
    }
    assert_eq!((world.updates(), times_told(&world, "failed")), (2, 1));

    let back = world.answer(&world.sns("rollback web")).await;
    assert_eq!(back["outcome"], "promoted", "{back}");
    assert_eq!(back["digest"], good.digest());
    assert!(world.finish());
    let tag = back["tag"].as_str().expect("a tag").to_owned();
    world.service("web", |service| {
        service.deploy(&tag, &good.digest());
        service.complete();
    });
    let ended = world.answer(&world.stack_changed("web")).await;
    assert_eq!(ended["outcome"], "deployed", "{ended}");
    world.assert_in_production(&good).await;
}

/// The stack names its tag already, so under that CloudFormation would see no change.
#[tokio::test]
async fn an_image_that_ecs_failed_is_promoted_again_under_its_other_tag_and_back() {
    let Some(world) = world_with_service().await else { return };
    let image = Image::build(0);
    let first = cloudformation_is_done(&world, &image).await;
    let other = format!("{first}-{}", &image.digest()["sha256:".len()..][..12]);
    assert_eq!(world.answer(&world.stack_changed("web")).await["outcome"], "promoted");
    for (times, next) in [&other, &first].into_iter().enumerate() {
        world.service("web", |service| service.trip(BREAKER));
        let failed = world.answer(&world.service_changed("web")).await;
        assert_eq!(failed["outcome"], "failed", "{failed}");

        let again = world.answer(&world.sns("promote web")).await;

        assert_eq!((&again["outcome"], &again["tag"]), (&json!("promoted"), &json!(next)));
        assert_eq!(world.updates(), times + 2);
        assert!(world.finish());
        world.service("web", |service| service.deploy(next, &image.digest()));
        let verifying = world.answer(&world.stack_changed("web")).await;
        assert_eq!(verifying["outcome"], "promoted", "{verifying}");
    }
    world.service("web", Service::complete);
    assert_eq!(world.answer(&world.service_changed("web")).await["outcome"], "deployed");
}

#[tokio::test]
async fn the_digest_of_an_index_and_that_of_its_image_are_both_the_image() {
    let index = Image::index("new", COMMIT);
    for shown in [index.digest(), index.children[1].digest()] {
        let Some(world) = world_with_service().await else { return };
        let tag = cloudformation_is_done(&world, &index).await;
        world.service("web", |service| {
            service.deploy(&tag, &shown);
            service.complete();
        });

        let answer = world.answer(&world.stack_changed("web")).await;

        assert_eq!(
            (&answer["outcome"], &answer["digest"]),
            (&json!("deployed"), &json!(index.digest()))
        );
        world.cloud.forget_calls();
        let looked = world.answer(&world.event("scheduled.json")).await;
        assert_eq!(only_result(&looked)["outcome"], "unchanged", "{looked}");
        assert_eq!(world.told_outcomes(), [""; 0], "{shown} is the image");
        let own = own_calls(&world);
        assert!(!own.iter().any(|op| is_write(op)), "{own:?}");
    }
}

#[tokio::test]
async fn a_service_of_another_controller_is_judged_by_its_tasks() {
    let Some(world) = world_with_service().await else { return };
    world.service("web", |service| {
        (service.controller, service.desired) = (Controller::External, 7)
    });
    cloudformation_is_done(&world, &Image::build(0)).await;
    for (tasks, outcome) in [(0, "promoted"), (3, "promoted"), (7, "deployed")] {
        world.service("web", |service| service.move_tasks(tasks));
        let answer = world.answer(&world.stack_changed("web")).await;
        assert_eq!(answer["outcome"], outcome, "{tasks} tasks: {answer}");
    }
    assert_eq!(world.cloud.count("ecs:DescribeServiceDeployments"), 0);
    assert_eq!(world.cloud.count("ecs:DescribeServiceRevisions"), 0);
}

#[tokio::test]
async fn a_deployment_that_never_ends_is_a_failure_after_the_limit() {
    let Some(world) = world_with_service().await else { return };
    let image = Image::build(0);
    cloudformation_is_done(&world, &image).await;
    assert_eq!(world.answer(&world.stack_changed("web")).await["outcome"], "promoted");
    let_the_time_pass(&world).await;

    let answer = world.answer(&often()).await;

    let failed = only_result(&answer);
    assert_eq!(failed["outcome"], "failed", "{failed}");
    assert!(reason(failed).contains("0 of 2 tasks"), "{failed}");
    assert_eq!((world.updates(), times_told(&world, "failed")), (1, 1));
}

#[tokio::test]
async fn what_could_not_be_read_until_the_limit_is_deployed_and_not_verified() {
    let Some(world) = world_with_service().await else { return };
    cloudformation_is_done(&world, &Image::build(0)).await;
    world.cloud.fault(At::Every("ecs:DescribeServices".to_owned()), Fault::Denied);
    for news in [true, false] {
        let looked = world.invoke(&world.stack_changed("web")).await;
        assert_eq!(looked.is_err(), news, "an error once, and then it is known");
    }
    let_the_time_pass(&world).await;

    let answer = world.answer(&world.stack_changed("web")).await;

    assert_eq!(answer["outcome"], "deployed", "{answer}");
    assert!(reason(&answer).contains("not verified"), "{answer}");
    assert!(reason(&answer).contains("ecs:DescribeServices"), "{answer}");
    assert_eq!((world.updates(), times_told(&world, "deployed")), (1, 1));
}

#[tokio::test]
async fn another_image_that_somebody_deployed_to_ecs_is_told_once_and_so_is_its_end() {
    let Some(world) = world_with_service().await else { return };
    let image = Image::build(0);
    deploy(&world, &image).await;
    let tag = world.stack(|stack| stack.value("ProductionTag").to_owned());
    let elsewhere = Image::build(7).digest();
    for (digest, words) in [(elsewhere.clone(), elsewhere.as_str()), (image.digest(), tag.as_str())]
    {
        world.service("web", |service| {
            service.deploy("hotfix", &digest);
            service.complete();
        });
        world.cloud.forget_calls();
        for _ in 0..2 {
            world.answer(&world.event("scheduled.json")).await;
        }
        let told = world.told();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].to_string().contains(words), "{words:?} is not in {told:?}");
    }
    assert_eq!(world.updates(), 1);
}

#[tokio::test]
async fn a_newer_push_does_not_wait_and_the_older_one_ends_untold() {
    let Some(world) = world_with_service().await else { return };
    let (older, newer) = (Image::build(0), Image::build(1));
    cloudformation_is_done(&world, &older).await;
    world.answer(&world.stack_changed("web")).await;
    let cancel = world.answer(&world.sns("cancel web")).await;
    assert_eq!(cancel["outcome"], "refused", "{cancel}");
    assert!(reason(&cancel).contains("rollback"), "{cancel}");

    deploy(&world, &newer).await;

    assert_eq!((times_told(&world, "deployed"), times_told(&world, "superseded")), (1, 0));
    assert_eq!(world.updates(), 2);
    let history = world.answer(&json!({ "action": "history", "repository": "web" })).await;
    assert!(history.to_string().contains("superseded"), "{history}");
}
