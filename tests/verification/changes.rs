//! The hourly look: somebody deploys another image to ECS.

use ecr_promoter::model::Digest;
use ecr_promoter::model::answer::Outcome;

use super::steps::{deploy, minutes_pass, only_notice, reaches_ecs, world};
use crate::support::steps::{command, state, tick};
use crate::support::world::Memory;

fn hours_pass(world: &Memory, hours: usize) {
    for _ in 0..hours {
        minutes_pass(world, 60);
        tick(world);
    }
}

#[test]
fn another_image_in_ecs_is_told_once_and_so_is_its_end() {
    let world = world();
    deploy(&world, "aaaaaaa");
    hours_pass(&world, 2);
    let before = world.told().len();
    let other = Digest::of(b"by hand");
    world.ecs_is_set_to(&other);
    hours_pass(&world, 3);
    let words = ["`web` runs", other.as_str(), "`production_aaaaaaa`", "somebody deployed it"];
    only_notice(&world, before, Outcome::Unchanged, &words);
    assert!(state(&world).runs_elsewhere(), "the board shows it");

    let before = world.told().len();
    let own = world.get().tags[&crate::support::payloads::tag("latest")].clone();
    world.ecs_is_set_to(&own);
    hours_pass(&world, 3);
    let words = ["runs the image of `production_aaaaaaa` now"];
    only_notice(&world, before, Outcome::Unchanged, &words);
    assert!(!state(&world).runs_elsewhere());
    assert_eq!(world.updates(), 1, "nothing is done about it");
}

#[test]
fn a_second_other_image_is_told_too() {
    let world = world();
    deploy(&world, "aaaaaaa");
    for image in [b"one", b"two"] {
        let before = world.told().len();
        let digest = Digest::of(image);
        world.ecs_is_set_to(&digest);
        hours_pass(&world, 2);
        only_notice(&world, before, Outcome::Unchanged, &[digest.as_str()]);
    }
}

#[test]
fn tasks_between_two_images_are_not_told() {
    let world = world();
    deploy(&world, "aaaaaaa");
    let before = world.told().len();
    let other = Digest::of(b"by hand");
    world.in_ecs(|service| {
        service.workloads.push(crate::support::ecs::workload(&other, "by-hand", 1));
    });
    hours_pass(&world, 2);
    assert_eq!(world.told().len(), before);
}

#[test]
fn what_was_set_in_ecs_is_replaced_by_a_promotion_under_another_tag() {
    let world = world();
    let digest = deploy(&world, "aaaaaaa");
    world.ecs_is_set_to(&Digest::of(b"by hand"));
    hours_pass(&world, 1);
    let answer = command(&world, "promote web", "promoted");
    assert_eq!(answer["tag"], format!("production_aaaaaaa-{}", digest.short()));
}

#[test]
fn the_look_at_an_app_with_nothing_to_do_costs_one_call_more_with_a_service_and_no_write() {
    let mut costs = Vec::new();
    for has_service in [false, true] {
        let world = if has_service { world() } else { Memory::new("auto") };
        if has_service {
            deploy(&world, "aaaaaaa");
        } else {
            crate::support::steps::deploy(&world, "aaaaaaa");
        }
        hours_pass(&world, 2);
        let (calls, saved) = (world.get().calls.len(), world.get().state.clone());
        hours_pass(&world, 1);
        costs.push(world.get().calls.len() - calls);
        assert_eq!(world.get().state, saved, "no write");
    }
    assert_eq!(costs[1], costs[0] + 1);
}

#[test]
fn while_a_promotion_is_verified_its_service_is_not_compared() {
    let world = world();
    reaches_ecs(&world, "aaaaaaa");
    world.ecs_is_set_to(&Digest::of(b"by hand"));
    for _ in 0..3 {
        minutes_pass(&world, 5);
        tick(&world);
    }
    assert_eq!(world.told(), [Outcome::Promoted], "it has until the limit");
}
