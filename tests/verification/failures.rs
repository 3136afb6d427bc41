//! ECS does not come to run the image.

use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::promotion::End;

use super::steps::{
    deploy, ecs_finishes, ecs_gives_up, history, minutes_pass, only_notice, reaches_ecs, says,
    world,
};
use crate::support::payloads::{push_event, service_changed, stack_changed};
use crate::support::steps::{answers, assert_runs, command, push, state, tick};
use crate::support::world::Memory;

/// `bbbbbbb` was deployed, and ECS gives up `ccccccc`.
fn one_given_up() -> Memory {
    let world = world();
    deploy(&world, "bbbbbbb");
    reaches_ecs(&world, "ccccccc");
    ecs_gives_up(&world);
    world
}

#[test]
fn what_the_circuit_breaker_stopped_has_failed_with_the_words_of_ecs_and_is_told_once() {
    let world = world();
    deploy(&world, "bbbbbbb");
    let digest = reaches_ecs(&world, "ccccccc");
    world.a_task_stopped(&digest, "production_ccccccc");
    let before = world.told().len();
    ecs_gives_up(&world);
    let words = [
        "CloudFormation finished the update",
        "ROLLBACK_SUCCESSFUL",
        "circuit breaker: tasks failed to start",
        "container `app` exited with 1: Essential container in task exited",
        "The stack still names `production_ccccccc`",
        "`rollback web`",
    ];
    only_notice(&world, before, Outcome::Failed, &words);
    for payload in [push_event(&digest), stack_changed(), service_changed()] {
        world.invoke(&payload, "again").expect("an answer");
        minutes_pass(&world, 60);
        tick(&world);
    }
    only_notice(&world, before, Outcome::Failed, &[]);
    assert_eq!(world.updates(), 2, "it is not tried again by itself");
    assert_eq!(history(&world)[1], ("ccccccc".to_owned(), End::Failed));
}

#[test]
fn a_rollback_of_what_ecs_gave_up_goes_to_what_ran_before() {
    let world = one_given_up();
    let answer = command(&world, "rollback web", "promoted");
    assert_eq!(answer["tag"], "production_bbbbbbb");
    // ECS has gone back to it already.
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    assert_eq!(state(&world).running.expect("it runs").tag, "production_bbbbbbb");
}

#[test]
fn a_rollback_of_the_very_first_promotion_goes_to_what_ran_when_the_app_was_first_seen() {
    let world = world();
    reaches_ecs(&world, "aaaaaaa");
    ecs_gives_up(&world);
    let answer = command(&world, "rollback web", "promoted");
    assert_eq!(answer["tag"], "production_old");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    command(&world, "rollback web", "refused");
}

/// What ran before `ddddddd` is not what the stack named before it.
#[test]
fn a_rollback_passes_over_what_ecs_gave_up() {
    let world = one_given_up();
    deploy(&world, "ddddddd");
    let answer = command(&world, "rollback web", "promoted");
    assert_eq!(answer["tag"], "production_bbbbbbb");
}

#[test]
fn a_rollback_passes_over_a_first_promotion_that_ecs_gave_up() {
    let world = world();
    for commit in ["aaaaaaa", "bbbbbbb"] {
        reaches_ecs(&world, commit);
        ecs_gives_up(&world);
    }
    deploy(&world, "ccccccc");
    let answer = command(&world, "rollback web", "promoted");
    assert_eq!(answer["tag"], "production_old");
}

#[test]
fn the_next_push_after_a_failure_goes_out() {
    let world = one_given_up();
    let digest = deploy(&world, "ddddddd");
    assert_runs(&world, &digest, "ddddddd");
}

#[test]
fn tasks_that_are_half_moved_have_failed_once_the_time_is_over() {
    let world = world();
    let digest = reaches_ecs(&world, "aaaaaaa");
    world.ecs_is_halfway();
    minutes_pass(&world, 29);
    answers(&world, &service_changed(), "promoted");
    minutes_pass(&world, 2);
    world.a_task_stopped(&digest, "production_aaaaaaa");
    tick(&world);
    let words = ["after 31 minutes", "1 of 2 tasks", "exited with 1"];
    only_notice(&world, 1, Outcome::Failed, &words);
}

#[test]
fn verify_minutes_is_the_limit() {
    let world = world();
    world.get_mut().config["verify"] = serde_json::json!({ "minutes": 120 });
    reaches_ecs(&world, "aaaaaaa");
    minutes_pass(&world, 119);
    tick(&world);
    assert_eq!(world.told(), [Outcome::Promoted]);
    minutes_pass(&world, 2);
    tick(&world);
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Failed]);
}

/// A way in which ECS can be left without the image.
type WayToFail = (&'static str, fn(&Memory));

fn ways_to_fail() -> [WayToFail; 5] {
    [
        ("it went back", Memory::ecs_goes_back),
        ("half", Memory::ecs_is_halfway),
        ("nothing happened", |_| {}),
        ("no task runs", |world| world.in_ecs(|service| service.workloads.clear())),
        ("one of two tasks", |world| {
            world.ecs_is_halfway();
            world.in_ecs(|service| drop(service.workloads.remove(0)));
        }),
    ]
}

/// `aaaaaaa` failed in this way.
fn failed_like(fails: fn(&Memory)) -> Memory {
    let world = world();
    reaches_ecs(&world, "aaaaaaa");
    fails(&world);
    minutes_pass(&world, 31);
    tick(&world);
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Failed]);
    world
}

#[test]
fn the_same_image_goes_under_another_tag_and_back_again_after_ecs_failed_it() {
    for (how, fails) in ways_to_fail() {
        let world = failed_like(fails);
        let digest = world.get().tags[&crate::support::payloads::tag("latest")].clone();
        let other = format!("production_aaaaaaa-{}", digest.short());
        for tag in [other.as_str(), "production_aaaaaaa"] {
            let answer = command(&world, "promote web", "promoted");
            assert_eq!((&answer["tag"], &answer["digest"]), (&tag.into(), &digest.as_str().into()));
            world.finish_update();
            // The other tag has another revision, and the service begins anew.
            answers(&world, &stack_changed(), "promoted");
            if tag == other {
                minutes_pass(&world, 31);
                tick(&world);
                assert_eq!(world.told().last(), Some(&Outcome::Failed), "{how}");
            }
        }
        world.ecs_is_done();
        let ends = answers(&world, &service_changed(), "deployed");
        assert_eq!(ends["tag"], "production_aaaaaaa", "{how}");
        command(&world, "promote web", "unchanged");
        let back = command(&world, "rollback web", "promoted");
        assert_eq!(back["tag"], "production_old", "{how}");
    }
}

#[test]
fn a_success_after_the_failure_is_told_once_and_the_history_keeps_the_failure() {
    for (how, fails) in ways_to_fail() {
        let world = failed_like(fails);
        for _ in 0..2 {
            minutes_pass(&world, 60);
            tick(&world);
        }
        assert_eq!(world.told().len(), 2, "{how}: {:#?}", world.get().told);
        world.ecs_begins();
        world.ecs_is_done();
        for _ in 0..2 {
            minutes_pass(&world, 60);
            tick(&world);
        }
        let words = ["ECS has come to run the image of `production_aaaaaaa`", "2 tasks"];
        only_notice(&world, 2, Outcome::Unchanged, &words);
        assert_eq!(history(&world), [("aaaaaaa".to_owned(), End::Failed)], "{how}");
        command(&world, "promote web", "unchanged");
        assert_eq!(world.updates(), 1, "{how}");
    }
}

#[test]
fn cloudformations_own_failure_has_the_words_of_ecs_beside_it() {
    let world = world();
    deploy(&world, "bbbbbbb");
    let digest = push(&world, "ccccccc", "promoted");
    world.a_task_stopped(&digest, "production_ccccccc");
    world.fail_update("Resource handler returned message: did not stabilize");
    let before = world.told().len();
    answers(&world, &stack_changed(), "failed");
    let words = ["did not stabilize. ECS says:", "container `app` exited with 1"];
    only_notice(&world, before, Outcome::Failed, &words);
}

#[test]
fn cloudformations_own_failure_is_told_as_it_is_where_ecs_says_nothing() {
    let world = world();
    deploy(&world, "bbbbbbb");
    push(&world, "ccccccc", "promoted");
    world.fail_update("AMI not found");
    let answer = answers(&world, &stack_changed(), "failed");
    assert_eq!(answer["reason"], "AMI not found");
}

#[test]
fn a_failure_of_one_service_among_several_is_a_failure() {
    let world = world();
    reaches_ecs(&world, "aaaaaaa");
    let mut other = world.get().services[0].clone();
    other.arn = other.arn.replace("/web", "/worker");
    world.ecs_is_done();
    world.get_mut().services.push(other);
    answers(&world, &service_changed(), "promoted");
    world.get_mut().services.swap(0, 1);
    world.in_ecs(|worker| {
        let deployment = worker.deployment.as_mut().expect("a deployment");
        deployment.status = ecr_promoter::model::ecs::DeploymentStatus::WentBack;
        deployment.status_word = "ROLLBACK_FAILED".to_owned();
    });
    let answer = tick(&world);
    says(&answer.to_string(), &["`worker` is in ROLLBACK_FAILED"]);
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Failed]);
    reaches_ecs(&world, "bbbbbbb");
    ecs_finishes(&world);
}
