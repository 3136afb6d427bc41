//! A stack that pulls from another registry: its update waits until ECR has replicated the image.

use ecr_promoter::model::Digest;
use ecr_promoter::model::answer::Outcome;
use serde_json::{Value, json};

use super::steps::{ask, command, push, stack_changed, state, tick, updates, value, wait};
use super::support::guard::{allowed, guarded};
use super::support::payloads::{event, push_event, tag};
use super::support::world::{Fault, Memory};

const TAG: &str = "production_aaaaaaa";

/// The app's stack pulls from the registry in Ireland.
fn elsewhere(mode: &str) -> Memory {
    let world = Memory::new(mode);
    let registry = "012345678912.dkr.ecr.eu-west-1.amazonaws.com";
    world.get_mut().config["target"] = json!({ "registry": registry });
    super::steps::reconcile(&world, "web");
    world
}

/// ECR puts what is at home there too.
fn replicate(world: &Memory) {
    let mut inner = world.get_mut();
    let tags = inner.tags.clone();
    inner.replica.extend(tags);
}

/// ECR's event there.
fn arrived(digest: &Digest, region: &str, name: &str) -> Value {
    let mut event = event("ecr-push-production-tag");
    event["region"] = region.into();
    event["detail"]["image-digest"] = digest.as_str().into();
    event["detail"]["image-tag"] = name.into();
    event
}

fn waits(world: &Memory) -> bool {
    state(world, "web").open.iter().any(|open| open.replica.is_some() && open.sent_at.is_none())
}

#[test]
fn an_update_waits_until_the_tag_is_there_and_then_goes_once() {
    let world = elsewhere("auto");
    let (digest, answer) = push(&world, "aaaaaaa");
    assert_eq!((&answer["outcome"], &answer["tag"]), (&json!("queued"), &json!(TAG)));
    let reason = answer["reason"].as_str().expect("a reason");
    assert!(reason.contains("waits for replication to 012345678912.dkr.ecr.eu-west-1"), "{reason}");
    assert_eq!(world.get().tags[&tag(TAG)], digest, "the tag is at home");
    for _ in 0..3 {
        wait(&world, 5);
        let looked = tick(&world);
        assert_eq!(looked["results"][0]["outcome"], "queued", "{looked}");
        world.invoke(&push_event(&digest), "again").expect("an answer");
        world.invoke(&event("scheduled"), "hour").expect("an answer");
        world.invoke(&arrived(&digest, "eu-west-1", TAG), "early").expect("an answer");
    }
    assert!(waits(&world) && updates(&world, "web") == 0);
    replicate(&world);
    let answer = world.invoke(&arrived(&digest, "eu-west-1", TAG), "event").expect("an answer");
    assert_eq!(answer["outcome"], "promoted", "{answer}");
    assert!(state(&world, "web").open[0].replica.is_none(), "it waits no more");
    for _ in 0..2 {
        world.invoke(&arrived(&digest, "eu-west-1", TAG), "event").expect("an answer");
        tick(&world);
    }
    world.finish_update();
    world.invoke(&stack_changed("web"), "end").expect("an answer");
    assert_eq!((updates(&world, "web"), value(&world, "web")), (1, TAG.into()));
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Deployed]);
}

#[test]
fn the_tick_goes_on_where_the_event_is_lost() {
    let world = elsewhere("auto");
    push(&world, "aaaaaaa");
    replicate(&world);
    wait(&world, 5);
    assert_eq!(tick(&world)["results"][0]["outcome"], "promoted");
    assert_eq!(updates(&world, "web"), 1);
}

#[test]
fn what_is_there_before_goes_at_once() {
    let world = elsewhere("auto");
    let digest = world.push("aaaaaaa");
    world.get_mut().replica.insert(tag(TAG), digest.clone());
    let answer = world.invoke(&push_event(&digest), "push").expect("an answer");
    assert_eq!(answer["outcome"], "promoted", "{answer}");
    assert_eq!(updates(&world, "web"), 1);
}

#[test]
fn another_image_under_the_tag_is_waited_for_and_named() {
    let world = elsewhere("auto");
    let other = world.image("0ddba11");
    world.get_mut().replica.insert(tag(TAG), other.clone());
    let (_, answer) = push(&world, "aaaaaaa");
    assert_eq!(answer["outcome"], "queued");
    let reason = answer["reason"].as_str().expect("a reason");
    assert!(reason.contains("another image there") && reason.contains(other.short()), "{reason}");
    tick(&world);
    assert_eq!(updates(&world, "web"), 0);
}

#[test]
fn events_of_other_registries_and_other_tags_are_ignored() {
    let world = elsewhere("auto");
    let (digest, _) = push(&world, "aaaaaaa");
    let mut foreign = arrived(&digest, "eu-west-1", TAG);
    foreign["account"] = "999999999999".into();
    for event in [
        arrived(&digest, "eu-central-1", TAG),
        arrived(&digest, "eu-west-1", "latest"),
        arrived(&digest, "eu-west-1", "production_bbbbbbb"),
        arrived(&digest, "us-east-1", TAG),
        foreign,
    ] {
        replicate(&world);
        let answer = world.invoke(&event, "event").expect("an answer");
        assert_eq!(answer["outcome"], "ignored", "{event}: {answer}");
    }
    assert_eq!(updates(&world, "web"), 0);
}

#[test]
fn people_hear_once_of_a_replication_that_takes_long() {
    let world = elsewhere("auto");
    push(&world, "aaaaaaa");
    wait(&world, 29);
    tick(&world);
    assert_eq!(world.told(), []);
    for _ in 0..4 {
        wait(&world, 5);
        tick(&world);
    }
    assert_eq!(world.told(), [Outcome::Queued]);
    assert!(world.get().told[0].reason.contains("for more than 30 minutes"));
}

#[test]
fn a_newer_push_takes_the_place_of_what_waits() {
    let world = elsewhere("auto");
    push(&world, "aaaaaaa");
    let (_, answer) = push(&world, "bbbbbbb");
    assert_eq!(answer["outcome"], "queued", "{answer}");
    replicate(&world);
    tick(&world);
    assert_eq!((updates(&world, "web"), value(&world, "web")), (1, "production_bbbbbbb".into()));
}

#[test]
fn what_waits_can_be_cancelled() {
    let world = elsewhere("auto");
    push(&world, "aaaaaaa");
    let answer = command(&world, "cancel web");
    assert_eq!(answer["outcome"], "cancelled", "{answer}");
    replicate(&world);
    tick(&world);
    world.invoke(&event("scheduled"), "hour").expect("an answer");
    assert_eq!(updates(&world, "web"), 0);
}

#[test]
fn an_approval_waits_for_the_replica_and_says_so() {
    let world = elsewhere("approval");
    push(&world, "aaaaaaa");
    assert_eq!(
        state(&world, "web").request.expect("asked").commit.expect("a commit").as_str(),
        "aaaaaaa"
    );
    let answer = command(&world, "approve web aaaaaaa");
    assert_eq!(answer["outcome"], "queued", "{answer}");
    let progress = state(&world, "web").request.expect("asked").progress;
    assert!(format!("{progress:?}").contains("waits for replication"), "{progress:?}");
    let status = ask(&world, "status", "web");
    assert!(status.to_string().contains("waits for replication"), "{status:#}");
    replicate(&world);
    tick(&world);
    assert_eq!((updates(&world, "web"), value(&world, "web")), (1, TAG.into()));
}

#[test]
fn a_plan_over_a_replica_changes_nothing() {
    let world = elsewhere("approval");
    push(&world, "aaaaaaa");
    let (tags, state) = (world.get().tags.clone(), world.get().state.clone());
    let plan = ask(&world, "plan", "web");
    assert_eq!(plan["would"], "promoted", "{plan}");
    assert_eq!(world.get().tags, tags, "no tag was put");
    assert_eq!(world.get().state, state, "nothing was written");
}

#[test]
fn a_rollback_waits_for_its_replica_too() {
    let world = elsewhere("auto");
    for commit in ["aaaaaaa", "bbbbbbb"] {
        push(&world, commit);
        replicate(&world);
        tick(&world);
        world.finish_update();
        world.invoke(&stack_changed("web"), "end").expect("an answer");
    }
    world.get_mut().replica.remove(&tag(TAG));
    let answer = command(&world, "rollback web");
    assert_eq!(answer["outcome"], "queued", "{answer}");
    wait(&world, 5);
    tick(&world);
    assert_eq!(updates(&world, "web"), 2);
    replicate(&world);
    tick(&world);
    assert_eq!((updates(&world, "web"), value(&world, "web")), (3, TAG.into()));
}

#[test]
fn a_change_set_is_executed_only_when_the_image_is_there() {
    let world = guarded(elsewhere("auto"), allowed());
    let (_, answer) = push(&world, "aaaaaaa");
    assert_eq!(answer["outcome"], "queued", "{answer}");
    tick(&world);
    assert_eq!(updates(&world, "web"), 0);
    replicate(&world);
    for _ in 0..3 {
        tick(&world);
    }
    assert_eq!((updates(&world, "web"), value(&world, "web")), (1, TAG.into()));
    assert!(!world.get().calls.contains(&"UpdateStack".to_owned()));
}

/// From the push to the end, with the replica halfway.
fn journey(world: &Memory) {
    let deliver = |payload: &Value| {
        let mut tries = (0..3).map(|_| world.invoke_or_die(payload));
        let _ = tries.find(|result| matches!(result, Some(Ok(_))));
    };
    let digest = world.push("aaaaaaa");
    deliver(&push_event(&digest));
    replicate(world);
    deliver(&arrived(&digest, "eu-west-1", TAG));
    for _ in 0..4 {
        wait(world, 5);
        replicate(world);
        deliver(&json!({ "action": "reconcile", "only_open_work": true }));
        if world.get().in_flight.is_some() {
            world.finish_update();
        }
        deliver(&stack_changed("web"));
        deliver(&event("scheduled"));
    }
}

#[test]
fn a_crash_at_any_call_around_a_replica_ends_right_with_one_update() {
    for is_guarded in [false, true] {
        let new = || match is_guarded {
            false => elsewhere("auto"),
            true => guarded(elsewhere("auto"), allowed()),
        };
        let calls = {
            let world = new();
            let before = world.get().calls.len();
            journey(&world);
            world.get().calls.len() - before
        };
        assert!(calls > 15, "{calls}");
        for fault in [Fault::Before, Fault::After, Fault::Death] {
            for at in 0..calls {
                let world = new();
                let before = world.get().calls.len();
                world.get_mut().fault = Some((before + at, fault));
                journey(&world);
                let words = format!("{fault:?} at call {at}, guarded: {is_guarded}");
                assert_eq!(value(&world, "web"), TAG, "{words}");
                assert_eq!(updates(&world, "web"), 1, "{words}");
                assert!(state(&world, "web").open.is_empty(), "{words}");
            }
        }
    }
}
