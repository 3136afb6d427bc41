//! How a verification ends well.

use ecr_promoter::model::Digest;
use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::approval::Progress;
use ecr_promoter::model::image::ConfigLocation;
use ecr_promoter::model::promotion::End;

use super::steps::{
    deploy, ecs_finishes, goes_through, history, minutes_pass, reaches_ecs, says, world,
};
use crate::support::ecs::workload;
use crate::support::payloads::{service_changed, stack_changed};
use crate::support::steps::{answers, command, finish, push, state, tick};
use crate::support::world::Memory;

#[test]
fn a_promotion_is_deployed_once_when_all_tasks_run_the_image() {
    let world = world();
    push(&world, "aaaaaaa", "promoted");
    world.finish_update();
    let answer = answers(&world, &stack_changed(), "promoted");
    says(answer["reason"].as_str().expect("a reason"), &["IN_PROGRESS", "0 of 2 tasks"]);
    assert_eq!(answer["commit"], "aaaaaaa");

    world.ecs_is_halfway();
    let answer = answers(&world, &service_changed(), "promoted");
    says(answer["reason"].as_str().expect("a reason"), &["1 of 2 tasks"]);
    assert_eq!(world.told(), [Outcome::Promoted]);

    let answer = ecs_finishes(&world);
    says(answer["reason"].as_str().expect("a reason"), &["ECS runs it", "2 tasks"]);
    answers(&world, &service_changed(), "ignored");
    for _ in 0..2 {
        answers(&world, &stack_changed(), "unchanged");
        tick(&world);
    }
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Deployed]);
    assert_eq!(world.updates(), 1);
    assert_eq!(history(&world), [("aaaaaaa".to_owned(), End::Deployed)]);
}

#[test]
fn the_tick_verifies_where_every_event_of_ecs_is_lost() {
    let world = world();
    reaches_ecs(&world, "aaaaaaa");
    minutes_pass(&world, 5);
    tick(&world);
    assert!(state(&world).has_open_work(), "the five-minute look comes");
    world.ecs_is_done();
    minutes_pass(&world, 5);
    tick(&world);
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Deployed]);
    assert!(!state(&world).has_open_work());
}

#[test]
fn a_second_push_of_what_is_verified_is_answered_with_its_stage() {
    let world = world();
    let digest = reaches_ecs(&world, "aaaaaaa");
    let again = crate::support::payloads::push_event(&digest);
    let answer = answers(&world, &again, "promoted");
    says(answer["reason"].as_str().expect("a reason"), &["IN_PROGRESS"]);
    assert_eq!(world.updates(), 1);
    ecs_finishes(&world);
    answers(&world, &again, "unchanged");
}

#[test]
fn the_next_task_uses_it_where_the_stack_has_no_service() {
    let world = Memory::new("auto");
    push(&world, "aaaaaaa", "promoted");
    world.finish_update();
    let answer = answers(&world, &stack_changed(), "deployed");
    says(answer["reason"].as_str().expect("a reason"), &["the next task uses it"]);
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Deployed]);
}

#[test]
fn the_next_task_uses_it_where_a_service_wants_no_task() {
    let world = world();
    world.in_ecs(|service| {
        service.desired = 0;
        service.workloads[0].tasks = 0;
    });
    push(&world, "aaaaaaa", "promoted");
    world.finish_update();
    let answer = answers(&world, &stack_changed(), "deployed");
    says(answer["reason"].as_str().expect("a reason"), &["the next task uses it"]);
}

#[test]
fn without_verify_cloudformations_word_counts_and_ecs_is_not_asked() {
    let world = world();
    world.get_mut().config["verify"] = false.into();
    push(&world, "aaaaaaa", "promoted");
    world.finish_update();
    let answer = answers(&world, &stack_changed(), "deployed");
    assert_eq!(answer["reason"], "CloudFormation finished the update");
    tick(&world);
    let asked = world.get().calls.iter().filter(|call| *call == "DescribeServices").count();
    assert_eq!(asked, 0, "{:?}", world.get().calls);
}

#[test]
fn verify_that_is_switched_off_meanwhile_ends_the_wait() {
    let world = world();
    reaches_ecs(&world, "aaaaaaa");
    world.get_mut().config["verify"] = false.into();
    tick(&world);
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Deployed]);
}

#[test]
fn the_digest_of_an_indexs_image_is_that_of_the_index() {
    let world = world();
    let index = push(&world, "aaaaaaa", "promoted");
    let child = Digest::of(b"its image for arm64");
    world.get_mut().images.get_mut(&index).expect("an image").config =
        ConfigLocation::Platforms(vec![Digest::of(b"for amd64"), child.clone()]);
    world.finish_update();
    let target = workload(&child, "production_aaaaaaa", 2);
    world.in_ecs(|service| {
        service.deployment.as_mut().expect("a deployment").target = target;
    });
    answers(&world, &stack_changed(), "promoted");
    ecs_finishes(&world);
    for _ in 0..2 {
        minutes_pass(&world, 60);
        tick(&world);
    }
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Deployed], "and the hourly look agrees");
}

#[test]
fn an_hour_of_ecs_own_bake_does_not_count() {
    let world = world();
    reaches_ecs(&world, "aaaaaaa");
    let stage = |stage: &str| {
        world.in_ecs(|service| {
            let deployment = service.deployment.as_mut().expect("a deployment");
            deployment.stage = Some(stage.to_owned());
            deployment.traffic = Some(100);
        });
    };
    for shifting in ["PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME"] {
        stage(shifting);
        for _ in 0..12 {
            let answer = tick(&world);
            says(&answer.to_string(), &[shifting, "100 % of the traffic"]);
            minutes_pass(&world, 5);
        }
    }
    stage("CLEAN_UP");
    tick(&world);
    assert_eq!(world.told(), [Outcome::Promoted]);
    ecs_finishes(&world);
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Deployed]);
}

#[test]
fn a_bake_of_ecs_that_lasts_more_than_a_day_has_failed() {
    let world = world();
    reaches_ecs(&world, "aaaaaaa");
    world.in_ecs(|service| {
        let deployment = service.deployment.as_mut().expect("a deployment");
        deployment.stage = Some("BAKE_TIME".to_owned());
    });
    for _ in 0..23 {
        tick(&world);
        minutes_pass(&world, 60);
    }
    tick(&world);
    assert_eq!(world.told(), [Outcome::Promoted]);
    minutes_pass(&world, 60);
    tick(&world);
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Failed]);
}

#[test]
fn the_question_shows_how_far_ecs_has_come() {
    let world = Memory::new("approval").with_service();
    world.get_mut().ecs_follows = true;
    let digest = push(&world, "aaaaaaa", "approval_requested");
    command(&world, &format!("approve web {digest}"), "promoted");
    finish(&world);
    let shown = || state(&world).request.expect("a request").progress;
    assert!(matches!(shown(), Progress::Verifying(_)), "{:?}", shown());
    ecs_finishes(&world);
    assert!(matches!(shown(), Progress::Deployed(_)), "{:?}", shown());
}

#[test]
fn a_rollback_is_verified_too() {
    let world = world();
    deploy(&world, "aaaaaaa");
    deploy(&world, "bbbbbbb");
    let before = world.told().len();
    command(&world, "rollback web", "promoted");
    let answer = goes_through(&world);
    assert_eq!(answer["tag"], "production_aaaaaaa");
    assert_eq!(world.told()[before..], [Outcome::Promoted, Outcome::Deployed]);
}
