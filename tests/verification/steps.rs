//! The steps of these stories.

use ecr_promoter::model::Digest;
use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::notice::Notice;
use ecr_promoter::model::promotion::End;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::payloads::{service_changed, stack_changed};
use crate::support::steps::{answers, push};
use crate::support::world::Memory;

/// An app in mode `auto`, whose stack has a service that runs `production_old`.
pub(super) fn world() -> Memory {
    let world = Memory::new("auto").with_service();
    world.get_mut().ecs_follows = true;
    world
}

/// The same, which bakes for an hour on the alarm `web-5xx`.
pub(super) fn baking(on_alarm: &str) -> Memory {
    let world = world();
    world.get_mut().config["bake"] =
        json!({ "minutes": 60, "alarms": ["web-5xx"], "on_alarm": on_alarm });
    world.alarm("web-5xx", "OK");
    world
}

/// An image of this commit is pushed, and CloudFormation has finished its update.
#[track_caller]
pub(super) fn reaches_ecs(world: &Memory, commit: &str) -> Digest {
    let digest = push(world, commit, "promoted");
    world.finish_update();
    answers(world, &stack_changed(), "promoted");
    digest
}

/// ECS is done with what CloudFormation brought, and its event comes.
#[track_caller]
pub(super) fn ecs_finishes(world: &Memory) -> Value {
    world.ecs_is_done();
    answers(world, &service_changed(), "deployed")
}

/// ECS gives up what CloudFormation brought, and its event comes.
#[track_caller]
pub(super) fn ecs_gives_up(world: &Memory) -> Value {
    world.ecs_goes_back();
    answers(world, &service_changed(), "failed")
}

/// An image of this commit is pushed, and ECS runs it in the end.
#[track_caller]
pub(super) fn deploy(world: &Memory, commit: &str) -> Digest {
    let digest = reaches_ecs(world, commit);
    ecs_finishes(world);
    digest
}

/// CloudFormation and ECS go through with an update that is under way.
#[track_caller]
pub(super) fn goes_through(world: &Memory) -> Value {
    world.finish_update();
    answers(world, &stack_changed(), "promoted");
    ecs_finishes(world)
}

pub(super) fn minutes_pass(world: &Memory, minutes: i64) {
    world.get_mut().now += SignedDuration::from_mins(minutes);
}

/// What people were told since so many notices.
pub(super) fn told_since(world: &Memory, before: usize) -> Vec<Notice> {
    world.get().told[before..].to_vec()
}

pub(super) fn outcomes(notices: &[Notice]) -> Vec<Outcome> {
    notices.iter().map(|notice| notice.outcome).collect()
}

/// The only notice since so many, which says all of these words.
#[track_caller]
pub(super) fn only_notice(world: &Memory, before: usize, outcome: Outcome, words: &[&str]) {
    let told = told_since(world, before);
    assert_eq!(outcomes(&told), [outcome], "{told:#?}");
    says(&told[0].reason, words);
}

#[track_caller]
pub(super) fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{text:?} does not say {word:?}");
    }
}

/// The commits in the history and how each ended, oldest first.
pub(super) fn history(world: &Memory) -> Vec<(String, End)> {
    let commit = |commit: &ecr_promoter::model::Commit| commit.to_string();
    let inner = world.get();
    let ended = inner.history.values();
    ended
        .map(|one| (one.promotion.commit.as_ref().map_or_else(String::new, commit), one.end))
        .collect()
}
