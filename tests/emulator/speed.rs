//! How many calls wait for one another on the way to UpdateStack: three where the process is warm,
//! one more where it is cold, and one more where the production tag can be moved, so that the state
//! has to be written before it is put. A promotion that is being verified adds none.

use serde_json::json;

use super::cloud::{Call, lock};
use super::ecs::Service;
use super::image::Image;
use super::journey::DELAY;
use super::targets;
use super::world::{COMMIT, FIRST_TAG, OLDER_COMMIT, World};

#[tokio::test]
async fn a_push_takes_three_round_trips_warm_and_four_cold() {
    for (mutability, more) in
        [("IMMUTABLE_WITH_EXCLUSION", 0), ("MUTABLE_WITH_EXCLUSION", 0), ("MUTABLE", 1)]
    {
        takes_at_most(mutability, 3 + more).await;
    }
}

async fn takes_at_most(mutability: &str, warm: usize) {
    let Some(world) = World::with_repository(mutability).await else { return };
    world.cloud.slow_down(DELAY);
    for (start, commit, most) in [("cold", OLDER_COMMIT, warm + 1), ("warm", COMMIT, warm)] {
        let image = Image::oci(start, commit);
        world.push(&image, &["latest"]).await;
        world.cloud.forget_calls();

        assert_eq!(world.answer(&world.pushed(&image)).await["outcome"], "promoted", "{start}");

        let calls = world.cloud.calls();
        assert_eq!(
            world.cloud.count("ecr:ListImages"),
            0,
            "no look lists the tags of a repository"
        );
        let depth = round_trips(&calls, "cloudformation:UpdateStack");
        assert!(
            depth <= most,
            "{mutability}, {start}: {depth} round trips of {:?}",
            world.cloud.ops()
        );
        world.stack(super::cloudformation::Stack::finish_update);
    }
}

/// What ECS does with the promotion before is not read on the way to the next update.
#[tokio::test]
async fn a_promotion_that_is_being_verified_delays_no_push() {
    let Some(world) = World::with_repository("IMMUTABLE_WITH_EXCLUSION").await else { return };
    world.add_service(Service::new("web", FIRST_TAG, &Image::docker("what runs before", None)));
    world.cloud.slow_down(DELAY);
    for (number, most) in [(0, 4), (1, 3), (2, 3)] {
        let image = Image::build(number);
        world.push(&image, &["latest"]).await;
        world.cloud.forget_calls();

        let answer = world.answer(&world.pushed(&image)).await;
        assert_eq!(answer["outcome"], "promoted", "{number}: {answer}");

        let calls = world.cloud.calls();
        let depth = round_trips(&calls, "cloudformation:UpdateStack");
        assert!(depth <= most, "{number}: {depth} round trips of {:?}", world.cloud.ops());
        let is_update = |call: &&Call| call.op == "cloudformation:UpdateStack";
        let is_about_services =
            |call: &Call| call.op.starts_with("ecs:") || call.op.ends_with(":ListStackResources");
        let early =
            calls.iter().take_while(|call| !is_update(call)).find(|it| is_about_services(it));
        assert!(early.is_none(), "{number}: {early:?} came before the update");

        assert!(world.finish());
        let tag = answer["tag"].as_str().expect("a tag");
        world.service("web", |service| service.deploy(tag, &image.digest()));
        let verifying = world.answer(&world.stack_changed("web")).await;
        assert_eq!(verifying["outcome"], "promoted", "{number}: {verifying}");
    }
}

#[tokio::test]
async fn a_target_adds_one_round_trip_for_its_first_session_and_one_for_a_registry() {
    for (target, more) in [(targets::target(), 0), (targets::registry::target(), 1)] {
        let Some(world) = targets::world_elsewhere(json!({ "target": target })).await else {
            return;
        };
        world.cloud.slow_down(DELAY);
        for (start, commit, most) in [("cold", OLDER_COMMIT, 6), ("warm", COMMIT, 4)] {
            let image = Image::oci(start, commit);
            world.push(&image, &["latest"]).await;
            let tag = format!("production_{commit}");
            targets::place(&world, |it| it.replicate("web", &tag, &image.digest()));
            world.cloud.forget_calls();

            assert_eq!(world.answer(&world.pushed(&image)).await["outcome"], "promoted", "{start}");

            let depth = round_trips(&world.cloud.calls(), "cloudformation:UpdateStack");
            // The repository of these worlds is mutable: one more.
            assert!(depth <= most + more, "{start}: {depth} of {:?}", world.cloud.ops());
            targets::stack(&world, super::cloudformation::Stack::finish_update);
        }
        assert_eq!(lock(&world.cloud.sts).sessions.len(), 1);
    }
}

/// The longest chain of calls each of which came after the answer to the one before, up to the
/// operation.
fn round_trips(calls: &[Call], op: &str) -> usize {
    let mut depths: Vec<usize> = vec![];
    for call in calls {
        let earlier = calls
            .iter()
            .zip(&depths)
            .filter(|(other, _)| other.answered.is_some_and(|end| end < call.arrived));
        let depth = 1 + earlier.map(|(_, depth)| *depth).max().unwrap_or(0);
        depths.push(depth);
        if call.op == op {
            return depth;
        }
    }
    panic!("{op} was not called");
}
