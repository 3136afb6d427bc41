//! Whole invocations over an AWS in memory: a payload in, everything that came of it out. The main
//! ones are tried with a fault at every call, and delivered again as Lambda would.

mod support;

use std::task::{Context, Waker};

use ecr_promoter::model::Digest;
use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::change_set::{Change, Replacement};
use ecr_promoter::world::NotUpdated;
use jiff::SignedDuration;
use serde_json::{Value, json};
use support::{Fault, Memory, answers, event, interleave, push_event, sns, stack_changed, tag};

#[track_caller]
fn assert_runs(world: &Memory, digest: &Digest, commit: &str) {
    let production = format!("production_{commit}");
    assert_eq!(world.value(), production);
    assert_eq!(world.get().tags.get(&tag(&production)), Some(digest));
}

#[test]
fn a_push_is_promoted_in_three_round_trips() {
    let world = Memory::new("auto");
    let digest = world.push("abc1234");
    let answer = answers(&world, &push_event(&digest), "promoted");
    assert_eq!(answer["digest"], digest.as_str());
    assert_eq!(answer["commit"], "abc1234");
    assert_eq!(answer["tag"], "production_abc1234");
    assert_eq!(answer["previous_tag"], "production_old");
    assert_eq!(answer["stack"], "web");
    // The reads run side by side, then the state beside the tag, then the update; telling comes
    // after the fact.
    insta::assert_snapshot!(world.get().calls.join("\n"), @r"
    GetParameter
    GetItem state
    BatchGetImage
    DescribeImages
    DescribeStacks
    Save
    PutImage
    UpdateStack
    Publish
    Mark
    ");
    assert_runs(&world, &digest, "abc1234");
}

#[test]
fn the_same_push_three_times_is_one_update() {
    let world = Memory::new("auto");
    let digest = world.push("abc1234");
    answers(&world, &push_event(&digest), "promoted");
    answers(&world, &push_event(&digest), "promoted");
    world.finish_update();
    let answer = answers(&world, &push_event(&digest), "unchanged");
    assert_eq!(answer["closed"][0]["outcome"], "deployed");
    answers(&world, &push_event(&digest), "unchanged");
    assert_eq!(world.updates(), 1);
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Deployed]);
}

#[test]
fn an_older_push_is_superseded_and_changes_nothing() {
    let world = Memory::new("auto");
    let older = world.push("aaaaaaa");
    let newer = world.push("bbbbbbb");
    answers(&world, &push_event(&newer), "promoted");
    let before = world.get().state.clone();
    answers(&world, &push_event(&older), "superseded");
    assert_eq!((world.updates(), &world.get().state), (1, &before));
    assert_eq!(world.get().tags.get(&tag("production_aaaaaaa")), None);
}

#[test]
fn an_ignored_event_reads_at_most_the_configuration() {
    let world = Memory::new("auto");
    for name in [
        "ecr-delete",
        "ecr-push-failure",
        "ecr-push-untagged",
        "ecr-push-other-account",
        "ecr-image-scan",
        "sns-notification",
    ] {
        answers(&world, &event(name), "ignored");
    }
    assert!(world.get().calls.is_empty());
    for name in [
        "ecr-push-production-tag",
        "ecr-push-signature",
        "ecr-push-other-tag",
        "ecr-push-unknown-repository",
    ] {
        answers(&world, &event(name), "ignored");
    }
    assert!(world.get().calls.iter().all(|call| call == "GetParameter"), "{:?}", world.get().calls);
}

#[test]
fn in_approval_mode_people_are_asked_once_and_nothing_else_is_touched() {
    let world = Memory::new("approval");
    let digest = world.push("abc1234");
    for _ in 0..3 {
        answers(&world, &push_event(&digest), "approval_requested");
    }
    assert_eq!(world.told(), [Outcome::ApprovalRequested]);
    let notice = world.get().told[0].clone();
    assert_eq!(
        (notice.digest, notice.previous_tag.as_deref()),
        (Some(digest.clone()), Some("production_old"))
    );
    assert_eq!((world.updates(), world.value().as_str()), (0, "production_old"));
    assert_eq!(world.get().tags.get(&tag("production_abc1234")), None);
    answers(&world, &event("command-promote"), "promoted");
    assert_runs(&world, &digest, "abc1234");
}

#[test]
fn a_busy_stack_is_waited_for_without_waiting() {
    let world = Memory::new("auto");
    world.foreign_update("production_old");
    let digest = world.push("abc1234");
    answers(&world, &push_event(&digest), "queued");
    answers(&world, &push_event(&digest), "queued");
    assert_eq!(world.told(), [Outcome::Queued]);
    assert!(world.get().state.as_ref().expect("kept").0.waiting.is_some());
    world.finish_update();
    answers(&world, &push_event(&digest), "promoted");
    assert_runs(&world, &digest, "abc1234");
}

#[test]
fn a_stack_that_a_person_must_mend_blocks() {
    for status in
        ["UPDATE_ROLLBACK_FAILED", "ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS", "DELETE_IN_PROGRESS"]
    {
        let world = Memory::new("auto");
        world.get_mut().status = status.to_owned();
        let digest = world.push("abc1234");
        let answer = answers(&world, &push_event(&digest), "blocked");
        assert!(answer["reason"].as_str().expect("a reason").contains(status));
        assert_eq!(world.updates(), 0);
    }
}

#[test]
fn a_promotion_that_rolled_back_is_told_once_and_only_people_try_it_again() {
    let world = Memory::new("auto");
    let digest = world.push("abc1234");
    answers(&world, &push_event(&digest), "promoted");
    world.fail_update("the service did not stabilize");
    let answer = answers(&world, &push_event(&digest), "failed");
    assert!(
        answer["closed"][0]["reason"].as_str().expect("a reason").contains("did not stabilize")
    );
    answers(&world, &push_event(&digest), "failed");
    assert_eq!((world.updates(), world.told()), (1, vec![Outcome::Promoted, Outcome::Failed]));
    answers(&world, &event("command-promote"), "promoted");
    assert_runs(&world, &digest, "abc1234");
    let tokens: Vec<String> = world.get().updates.iter().map(|(token, _)| token.clone()).collect();
    assert_ne!(tokens[0], tokens[1], "another promotion is another request");
}

#[test]
fn an_older_commit_can_be_promoted_on_purpose_and_then_pushes_ask() {
    let world = Memory::new("auto");
    let older = world.push("aaaaaaa");
    world.push("bbbbbbb");
    answers(
        &world,
        &json!({"action": "promote", "repository": "web", "commit": "aaaaaaa"}),
        "promoted",
    );
    world.finish_update();
    let newest = world.push("ccccccc");
    answers(&world, &push_event(&newest), "approval_requested");
    assert_runs(&world, &older, "aaaaaaa");
    answers(&world, &json!({"action": "promote", "repository": "web", "id": "2"}), "promoted");
    world.finish_update();
    let next = world.push("ddddddd");
    answers(&world, &push_event(&next), "promoted");
    assert_runs(&world, &next, "ddddddd");
}

#[test]
fn a_command_acts_once() {
    let world = Memory::new("approval");
    let now = world.get().now;
    let first = world.push("aaaaaaa");
    let message = sns("promote web", "message-1", now);
    let answer = answers(&world, &message, "promoted");
    world.finish_update();
    let second = world.push("bbbbbbb");
    assert_eq!(
        world.invoke(&message, "another request").expect("an answer"),
        answer,
        "it answers what it answered"
    );
    assert_eq!(world.updates(), 1);
    assert_runs(&world, &first, "aaaaaaa");
    answers(&world, &sns("promote web", "message-2", now), "promoted");
    assert_runs(&world, &second, "bbbbbbb");
}

#[test]
fn a_relative_command_that_comes_late_is_refused_and_a_named_one_is_not() {
    let world = Memory::new("approval");
    let digest = world.push("aaaaaaa");
    let long_ago = world.get().now - jiff::SignedDuration::from_mins(16);
    answers(&world, &sns("promote web", "1", long_ago), "refused");
    assert_eq!(world.updates(), 0);
    answers(&world, &sns("promote web aaaaaaa", "2", long_ago), "promoted");
    assert_runs(&world, &digest, "aaaaaaa");
}

#[test]
fn what_cannot_be_found_is_refused_in_words() {
    let world = Memory::new("approval");
    world.push("aaaaaaa");
    world.image("aaaaaab");
    world.image("aaaaaab");
    for (image, words) in [
        (json!({"commit": "fffffff"}), "no image of `web` was built from a commit fffffff"),
        (json!({"commit": "aaaaaab"}), "2 images of `web`"),
        (json!({"tag": "v9"}), "has the tag `v9`"),
        (json!({"digest": Digest::of(b"gone")}), "cannot be pulled"),
    ] {
        let mut command =
            json!({"action": "promote", "repository": "web", "id": image.to_string()});
        command
            .as_object_mut()
            .expect("an object")
            .extend(image.as_object().expect("an object").clone());
        let answer = answers(&world, &command, "refused");
        assert!(answer["reason"].as_str().expect("a reason").contains(words), "{answer:#}");
    }
    assert_eq!((world.updates(), world.value().as_str()), (0, "production_old"));
    assert!(world.get().state.is_none(), "nothing but the commands' ids is kept");
}

#[test]
fn somebody_elses_change_is_adopted_told_and_holds() {
    let world = Memory::new("auto");
    let first = world.push("aaaaaaa");
    answers(&world, &push_event(&first), "promoted");
    world.finish_update();
    answers(&world, &push_event(&first), "unchanged");
    world.foreign_update("production_old");
    world.finish_update();
    let second = world.push("bbbbbbb");
    answers(&world, &push_event(&second), "approval_requested");
    assert_eq!(world.value(), "production_old");
    assert_eq!(world.told()[2..], [Outcome::Held, Outcome::ApprovalRequested]);
    answers(&world, &json!({"action": "promote", "repository": "web"}), "promoted");
    assert_runs(&world, &second, "bbbbbbb");
}

#[test]
fn no_updates_although_the_value_differs_is_a_failure_with_its_cause() {
    let world = Memory::new("auto");
    world.get_mut().next_update = Some(NotUpdated::NothingToDo);
    let digest = world.push("abc1234");
    let answer = answers(&world, &push_event(&digest), "failed");
    assert!(
        answer["reason"].as_str().expect("a reason").contains("AWS::LanguageExtensions"),
        "{answer:#}"
    );
    assert_eq!(world.told(), [Outcome::Failed]);
    answers(&world, &push_event(&digest), "failed");
    assert_eq!(world.updates(), 0);
}

#[test]
fn what_cloudformation_refuses_for_good_has_failed() {
    let world = Memory::new("auto");
    world.get_mut().next_update = Some(NotUpdated::Refused(
        "ValidationError: Parameter ProductionTag failed to satisfy".to_owned(),
    ));
    let digest = world.push("abc1234");
    let answer = answers(&world, &push_event(&digest), "failed");
    assert!(answer["reason"].as_str().expect("a reason").contains("failed to satisfy"));
    answers(&world, &push_event(&digest), "failed");
    assert_eq!((world.updates(), world.told()), (0, vec![Outcome::Failed]));
}

#[test]
fn a_commit_that_was_built_twice_gets_a_tag_of_its_own() {
    let world = Memory::new("auto");
    let first = world.push("abc1234");
    answers(&world, &push_event(&first), "promoted");
    world.finish_update();
    let second = world.push("abc1234");
    let answer = answers(&world, &push_event(&second), "promoted");
    let suffixed = format!("production_abc1234-{}", second.short());
    assert_eq!(answer["tag"], suffixed);
    assert_eq!(
        world.get().tags.get(&tag("production_abc1234")),
        Some(&first),
        "a tag never changes its meaning"
    );
    assert_eq!(world.value(), suffixed);
}

#[test]
fn a_tag_that_was_moved_behind_our_back_holds_the_app() {
    let world = Memory::new("auto");
    let digest = world.push("abc1234");
    answers(&world, &push_event(&digest), "promoted");
    let other = world.image("fffffff");
    world.get_mut().tags.insert(tag("production_abc1234"), other);
    world.finish_update();
    answers(&world, &push_event(&digest), "unchanged");
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Deployed, Outcome::Held]);
    assert!(world.get().state.as_ref().expect("kept").0.hold.is_some());
}

#[test]
fn reports_change_nothing() {
    let world = Memory::new("approval");
    let digest = world.push("abc1234");
    let plan = world.invoke(&event("command-plan"), "request").expect("a plan");
    assert_eq!(
        (&plan["would"], &plan["tag"], &plan["digest"]),
        (&json!("promoted"), &json!("production_abc1234"), &json!(digest))
    );
    let status = world.invoke(&event("command-status"), "request").expect("a status");
    assert_eq!(
        (&status["running"]["tag"], &status["newest"]["digest"]),
        (&json!("production_old"), &json!(digest))
    );
    let history = world.invoke(&event("command-history"), "request").expect("a history");
    assert_eq!(history["promotions"], json!([]));
    let inner = world.get();
    assert!(
        inner.state.is_none()
            && inner.commands.is_empty()
            && inner.updates.is_empty()
            && inner.told.is_empty()
    );
}

#[test]
fn history_tells_what_by_whom_and_how_it_ended() {
    let world = Memory::new("auto");
    for commit in ["aaaaaaa", "bbbbbbb"] {
        let digest = world.push(commit);
        answers(&world, &push_event(&digest), "promoted");
        world.finish_update();
        answers(&world, &push_event(&digest), "unchanged");
    }
    let third = world.push("ccccccc");
    answers(&world, &push_event(&third), "promoted");
    let history = world.invoke(&event("command-history"), "request").expect("a history");
    let told: Vec<String> = history["promotions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|p| {
            format!(
                "{} {} by {}",
                p["commit"].as_str().expect("a commit"),
                p["outcome"].as_str().expect("an outcome"),
                p["by"]
            )
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    ccccccc promoted by "push of `latest`"
    bbbbbbb deployed by "push of `latest`"
    aaaaaaa deployed by "push of `latest`"
    "#);
}

/// A story's world, its payload, and what must be so in the end.
struct Story {
    mode: &'static str,
    payload: fn(&Memory, &Digest) -> Value,
    finishes_at_once: bool,
    end: fn(&Memory, &Digest),
}

fn promoted_once(world: &Memory, digest: &Digest) {
    assert_runs(world, digest, "abc1234");
    assert_eq!(world.updates(), 1, "one update");
    assert!(!world.told().is_empty(), "people were told");
    assert_eq!(
        world.get().tags.values().filter(|on| *on == digest).count(),
        2,
        "`latest` and one production tag"
    );
}

fn asked(world: &Memory, digest: &Digest) {
    let times = world.told().len();
    assert!((1..=2).contains(&times), "the question is asked, twice at worst: {:?}", world.told());
    assert_eq!(world.get().told[0].digest.as_ref(), Some(digest));
    assert_eq!((world.updates(), world.value().as_str()), (0, "production_old"));
}

/// Runs the story once for each call that it makes and each fault.
fn survives_every_fault(story: &Story) {
    let world = || {
        let world = Memory::new(story.mode);
        world.get_mut().finishes_at_once = story.finishes_at_once;
        world
    };
    survives_every_fault_in(world, story.payload, story.end);
}

/// The same in a world of its own, in which `abc1234` was just pushed.
fn survives_every_fault_in(
    new: impl Fn() -> Memory,
    payload: fn(&Memory, &Digest) -> Value,
    end: impl Fn(&Memory, &Digest),
) {
    let pushed = || {
        let world = new();
        let digest = world.push("abc1234");
        (world, digest)
    };
    support::survives_every_fault(pushed, payload, end);
}

#[test]
fn a_push_survives_every_fault_at_every_call() {
    for finishes_at_once in [true, false] {
        survives_every_fault(&Story {
            mode: "auto",
            payload: |_, digest| push_event(digest),
            finishes_at_once,
            end: promoted_once,
        });
    }
}

#[test]
fn a_question_survives_every_fault_at_every_call() {
    survives_every_fault(&Story {
        mode: "approval",
        payload: |_, digest| push_event(digest),
        finishes_at_once: false,
        end: asked,
    });
}

#[test]
fn a_command_survives_every_fault_at_every_call() {
    for finishes_at_once in [true, false] {
        let payload = |world: &Memory, _: &Digest| sns("promote web", "message-1", world.get().now);
        survives_every_fault(&Story {
            mode: "approval",
            payload,
            finishes_at_once,
            end: promoted_once,
        });
    }
}

#[test]
fn duplicates_at_the_same_time_are_one_update() {
    for seed in 0..2_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let world = Memory::new("auto");
        world.get_mut().finishes_at_once = seed % 2 == 0;
        let digest = world.push("abc1234");
        let handlers = (0..3).map(|i| world.handler(push_event(&digest), &format!("request-{i}")));
        for result in interleave(handlers, |left| random.usize(..left.len())) {
            result.expect("no sandbox died").unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        }
        assert_eq!(world.updates(), 1, "seed {seed}");
        assert_runs(&world, &digest, "abc1234");
    }
}

#[test]
fn the_same_message_in_two_sandboxes_is_one_promotion() {
    for seed in 0..2_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let world = Memory::new("approval");
        let digest = world.push("abc1234");
        let message = sns("promote web", "message-1", world.get().now);
        let handlers = (0..2).map(|i| world.handler(message.clone(), &format!("request-{i}")));
        for result in interleave(handlers, |left| random.usize(..left.len())) {
            result.expect("no sandbox died").unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        }
        assert_eq!(world.updates(), 1, "seed {seed}");
        assert_runs(&world, &digest, "abc1234");
    }
}

fn command(words: &str, id: &str, world: &Memory) -> Value {
    sns(words, id, world.get().now)
}

/// `aaaaaaa`, then `bbbbbbb` were deployed; the second runs.
fn two_deployed(world: &Memory) -> (Digest, Digest) {
    let deploy = |commit| {
        let digest = world.push(commit);
        answers(world, &push_event(&digest), "promoted");
        world.finish_update();
        answers(world, &stack_changed(), "deployed");
        digest
    };
    (deploy("aaaaaaa"), deploy("bbbbbbb"))
}

#[test]
fn the_stacks_event_ends_a_promotion_and_tells_how_long_it_took() {
    let world = Memory::new("auto");
    let digest = world.push("abc1234");
    answers(&world, &push_event(&digest), "promoted");
    world.get_mut().now += jiff::SignedDuration::from_secs(130);
    world.finish_update();
    let answer = answers(&world, &stack_changed(), "deployed");
    assert_eq!(
        (&answer["commit"], &answer["closed"][0]["outcome"]),
        (&json!("abc1234"), &json!("deployed"))
    );
    assert!((130..140).contains(&world.get().told[1].took_seconds.expect("a time")));
    answers(&world, &stack_changed(), "unchanged");
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Deployed]);
}

#[test]
fn a_stack_of_no_app_is_ignored() {
    let world = Memory::new("auto");
    let mut foreign = stack_changed();
    foreign["detail"]["stack-id"] =
        "arn:aws:cloudformation:us-east-1:012345678912:stack/web-other/1".into();
    answers(&world, &foreign, "ignored");
}

#[test]
fn a_rollback_by_cloudformation_is_told_once_with_its_reason_and_the_next_push_goes_out() {
    let world = Memory::new("auto");
    let first = world.push("aaaaaaa");
    answers(&world, &push_event(&first), "promoted");
    world.fail_update("the service did not stabilize");
    let answer = answers(&world, &stack_changed(), "failed");
    assert_eq!(answer["reason"], "the service did not stabilize");
    for payload in [stack_changed(), push_event(&first)] {
        world.invoke(&payload, "request").expect("an answer");
    }
    world.invoke(&event("scheduled"), "request").expect("an answer");
    assert_eq!((world.updates(), world.told()), (1, vec![Outcome::Promoted, Outcome::Failed]));
    let second = world.push("bbbbbbb");
    answers(&world, &push_event(&second), "promoted");
    assert_runs(&world, &second, "bbbbbbb");
}

#[test]
fn thirty_one_pushes_during_an_update_are_two_updates() {
    let world = Memory::new("auto");
    let first = world.push("0000000");
    answers(&world, &push_event(&first), "promoted");
    let mut newest = first;
    for build in 1..=31 {
        newest = world.push(&format!("abcde{build:02}"));
        answers(&world, &push_event(&newest), "queued");
    }
    world.finish_update();
    let answer = answers(&world, &stack_changed(), "promoted");
    assert_eq!(answer["closed"][0]["outcome"], "deployed");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    assert_eq!(world.updates(), 2);
    assert_runs(&world, &newest, "abcde31");
    assert_eq!(
        world.told(),
        [
            Outcome::Promoted,
            Outcome::Queued,
            Outcome::Deployed,
            Outcome::Promoted,
            Outcome::Deployed
        ]
    );
}

#[test]
fn the_schedule_only_adopts_at_first_and_makes_good_what_was_missed_later() {
    let world = Memory::new("auto");
    let there = world.push("aaaaaaa");
    for _ in 0..3 {
        let looked = world.invoke(&event("scheduled"), "request").expect("an answer");
        assert_eq!(looked["results"][0]["outcome"], "unchanged", "{looked:#}");
    }
    assert_eq!(world.updates(), 0, "what was there before is not promoted");
    let missed = world.push("bbbbbbb");
    let looked = world.invoke(&event("scheduled"), "request").expect("an answer");
    assert_eq!(looked["results"][0]["outcome"], "promoted");
    assert_runs(&world, &missed, "bbbbbbb");
    assert_eq!(world.get().tags.get(&tag("production_aaaaaaa")), None, "{there}");
    world.finish_update();
    let looked = world.invoke(&event("scheduled"), "request").expect("an answer");
    assert_eq!(looked["results"][0]["outcome"], "deployed", "a stack event that never came");
}

#[test]
fn the_frequent_look_reads_the_states_of_all_apps_at_once() {
    let world = Memory::new("auto");
    let digest = world.push("aaaaaaa");
    let often = json!({"action": "reconcile", "only_open_work": true});
    assert_eq!(world.invoke(&often, "request").expect("an answer"), json!({"results": []}));
    assert_eq!(world.get().calls, ["GetItem unfinished", "GetParametersByPath", "BatchGetItem"]);
    answers(&world, &push_event(&digest), "promoted");
    world.finish_update();
    let looked = world.invoke(&often, "request").expect("an answer");
    assert_eq!(looked["results"][0]["outcome"], "deployed");
}

#[test]
fn an_app_with_nothing_to_do_costs_three_calls_and_no_writes() {
    let world = Memory::new("auto");
    two_deployed(&world);
    world.invoke(&event("scheduled"), "request").expect("an answer");
    let before = world.get().calls.len();
    world.invoke(&event("scheduled"), "request").expect("an answer");
    let calls = world.get().calls[before..].to_vec();
    insta::assert_snapshot!(calls.join("\n"), @r"
    GetItem unfinished
    GetParametersByPath
    GetItem roster
    GetItem state
    DescribeStacks
    BatchGetImage
    ");
}

#[test]
fn a_missing_parameter_is_told_once_by_the_schedule_and_fails_each_time() {
    let world = Memory::new("auto");
    world.get_mut().config["parameter"] = "Nope".into();
    for _ in 0..3 {
        let error =
            world.invoke(&event("scheduled"), "request").expect_err("a function error").to_string();
        assert!(error.contains("`web`") && error.contains("`Nope`"), "{error}");
    }
    assert_eq!(world.told(), [Outcome::Blocked]);

    // Mended, it is seen for the first time: what was there before is not promoted.
    world.get_mut().config["parameter"] = "ProductionTag".into();
    world.push("aaaaaaa");
    for _ in 0..2 {
        let looked = world.invoke(&event("scheduled"), "request").expect("an answer");
        assert_eq!(looked["results"][0]["outcome"], "unchanged", "{looked:#}");
    }
}

#[test]
fn a_configuration_that_does_not_parse_or_was_deleted_is_told_once() {
    let world = Memory::new("auto");
    let good = world.get().config.clone();
    world.invoke(&event("scheduled"), "request").expect("an answer");
    world.get_mut().config["stak"] = "web".into();
    for _ in 0..3 {
        let error =
            world.invoke(&event("scheduled"), "request").expect_err("a function error").to_string();
        assert!(error.contains("/ecr-promoter/apps/web") && error.contains("`stak`"), "{error}");
    }
    assert_eq!(world.told(), [Outcome::Blocked]);
    assert!(world.get().told[0].reason.contains("`stak`"));
    world.get_mut().config = good;
    world.invoke(&event("scheduled"), "request").expect("an answer");
    world.get_mut().config = Value::Null;
    for _ in 0..3 {
        world.invoke(&event("scheduled"), "request").expect("an answer");
    }
    assert_eq!(world.told(), [Outcome::Blocked, Outcome::Ignored]);
    assert!(world.get().told[1].reason.contains("/ecr-promoter/apps/web, was deleted"));
}

#[test]
fn rollback_goes_back_once_and_holds_against_automation() {
    let world = Memory::new("auto");
    let (first, second) = two_deployed(&world);
    let rollback = command("rollback web", "rollback-1", &world);
    let answer = answers(&world, &rollback, "promoted");
    assert_eq!(answer["tag"], "production_aaaaaaa");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    assert_runs(&world, &first, "aaaaaaa");

    assert_eq!(world.invoke(&rollback, "again").expect("an answer"), answer);
    answers(&world, &push_event(&second), "held");
    world.invoke(&event("scheduled"), "request").expect("an answer");
    let third = world.push("ccccccc");
    answers(&world, &push_event(&third), "approval_requested");
    assert_eq!((world.updates(), world.value().as_str()), (3, "production_aaaaaaa"));

    let status = world.invoke(&event("command-status"), "request").expect("a status");
    assert_eq!(status["hold"]["by"], "SNS");
    answers(&world, &command("promote web", "promote-1", &world), "promoted");
    world.finish_update();
    assert_runs(&world, &third, "ccccccc");
    let fourth = world.push("ddddddd");
    answers(&world, &push_event(&fourth), "promoted");
}

#[test]
fn rollback_does_not_toggle() {
    let world = Memory::new("auto");
    let (first, _) = two_deployed(&world);
    answers(&world, &command("rollback web", "1", &world), "promoted");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    assert_runs(&world, &first, "aaaaaaa");
    let answer = answers(&world, &command("rollback web", "2", &world), "promoted");
    assert_eq!(
        answer["tag"], "production_old",
        "further back, to what ran before the first promotion"
    );
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    answers(&world, &command("rollback web", "3", &world), "refused");
}

#[test]
fn promote_then_rollback_then_a_late_duplicate_of_the_promote_stays_rolled_back() {
    let world = Memory::new("auto");
    let (first, _) = two_deployed(&world);
    let newest = world.push("ccccccc");
    let promote = command("promote web", "promote-1", &world);
    answers(&world, &promote, "promoted");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    answers(&world, &command("rollback web aaaaaaa", "rollback-1", &world), "promoted");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    answers(&world, &promote, "promoted");
    answers(&world, &push_event(&newest), "held");
    assert_runs(&world, &first, "aaaaaaa");
    assert_eq!(world.updates(), 4);
}

#[test]
fn rollback_during_our_own_update_cancels_it_at_once() {
    let world = Memory::new("auto");
    let (_, second) = two_deployed(&world);
    let third = world.push("ccccccc");
    answers(&world, &push_event(&third), "promoted");
    answers(&world, &command("rollback web", "1", &world), "cancelled");
    assert_eq!(
        (world.get().cancels, world.get().status.as_str()),
        (1, "UPDATE_ROLLBACK_IN_PROGRESS")
    );
    world.fail_update("cancelled");
    world.invoke(&stack_changed(), "request").expect("an answer");
    assert_runs(&world, &second, "bbbbbbb");
    answers(&world, &push_event(&third), "held");
    assert_eq!(world.updates(), 3);
    assert!(world.told().ends_with(&[Outcome::Cancelled, Outcome::Deployed]), "{:?}", world.told());
}

#[test]
fn rollback_to_another_image_during_our_update_is_queued_behind_the_cancel() {
    let world = Memory::new("auto");
    let (first, _) = two_deployed(&world);
    let third = world.push("ccccccc");
    answers(&world, &push_event(&third), "promoted");
    answers(&world, &command("rollback web aaaaaaa", "1", &world), "cancelled");
    world.fail_update("cancelled");
    answers(&world, &stack_changed(), "promoted");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    assert_runs(&world, &first, "aaaaaaa");
}

#[test]
fn a_cancel_that_comes_too_late_is_a_rollback_all_the_same() {
    let world = Memory::new("auto");
    let (_, second) = two_deployed(&world);
    let third = world.push("ccccccc");
    answers(&world, &push_event(&third), "promoted");
    // The cancel's sandbox dies before its call, and the update goes through.
    let rollback = command("rollback web", "1", &world);
    let calls = world.get().calls.len();
    let at_cancel = (calls..calls + 40).find(|at| {
        let probe = world.fork();
        probe.get_mut().fault = Some((*at, Fault::Before));
        let failed = probe.invoke(&rollback, "probe").is_err();
        failed && probe.get().calls.last().is_some_and(|call| call == "CancelUpdateStack")
    });
    world.get_mut().fault = Some((at_cancel.expect("it cancels"), Fault::Before));
    world.invoke(&rollback, "1").expect_err("the call failed");
    world.finish_update();
    answers(&world, &rollback, "promoted");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    assert_runs(&world, &second, "bbbbbbb");
}

#[test]
fn anothers_update_is_never_cancelled() {
    let world = Memory::new("auto");
    let (first, _) = two_deployed(&world);
    world.foreign_update("production_bbbbbbb");
    answers(&world, &command("cancel web", "1", &world), "refused");
    answers(&world, &command("rollback web", "2", &world), "queued");
    assert_eq!(world.get().cancels, 0);
    world.finish_update();
    answers(&world, &stack_changed(), "promoted");
    world.finish_update();
    assert_runs(&world, &first, "aaaaaaa");
}

#[test]
fn cancel_turns_away_from_the_candidate_and_the_next_push_goes_out() {
    let world = Memory::new("auto");
    let first = world.push("aaaaaaa");
    answers(&world, &push_event(&first), "promoted");
    answers(&world, &command("cancel web", "1", &world), "cancelled");
    world.fail_update("cancelled");
    answers(&world, &stack_changed(), "cancelled");
    answers(&world, &push_event(&first), "held");
    answers(&world, &command("cancel web", "2", &world), "refused");
    assert_eq!((world.updates(), world.value().as_str()), (1, "production_old"));
    let second = world.push("bbbbbbb");
    answers(&world, &push_event(&second), "promoted");
}

#[test]
fn a_rollback_to_what_cannot_be_pulled_is_refused_and_changes_nothing() {
    for is_archived in [true, false] {
        let world = Memory::new("auto");
        let (first, second) = two_deployed(&world);
        if is_archived {
            world.get_mut().archived.insert(first.clone());
        } else {
            world.get_mut().images.remove(&first);
            world.get_mut().tags.retain(|_, on| *on != first);
        }
        let before = world.get().state.clone();
        answers(&world, &command("rollback web", "1", &world), "refused");
        assert_eq!(world.get().state, before);
        assert_runs(&world, &second, "bbbbbbb");
    }
}

#[test]
fn a_rollback_to_an_image_that_lost_its_tag_gives_it_one_of_its_own() {
    let world = Memory::new("auto");
    let (first, second) = two_deployed(&world);
    world.get_mut().tags.insert(tag("production_aaaaaaa"), second);
    let answer = answers(&world, &command("rollback web", "1", &world), "promoted");
    assert_eq!(answer["tag"], format!("production_aaaaaaa-{}", first.short()));
    assert_eq!(answer["digest"], first.as_str());
}

#[test]
fn hold_asks_and_resume_acts_at_the_next_look() {
    let world = Memory::new("auto");
    two_deployed(&world);
    answers(&world, &command("hold web release freeze", "1", &world), "held");
    let third = world.push("ccccccc");
    answers(&world, &push_event(&third), "approval_requested");
    let status = world.invoke(&event("command-status"), "request").expect("a status");
    assert_eq!(
        (&status["hold"]["reason"], &status["hold"]["by"]),
        (&json!("release freeze"), &json!("SNS"))
    );
    answers(&world, &command("resume web", "2", &world), "resumed");
    let looked = world
        .invoke(&json!({"action": "reconcile", "only_open_work": true}), "request")
        .expect("an answer");
    assert_eq!(looked["results"][0]["outcome"], "promoted");
    assert_runs(&world, &third, "ccccccc");
}

#[test]
fn an_older_commit_that_was_promoted_on_purpose_survives_looks() {
    let world = Memory::new("auto");
    let (first, _) = two_deployed(&world);
    answers(&world, &command("promote web aaaaaaa", "1", &world), "promoted");
    world.finish_update();
    for payload in
        [stack_changed(), event("scheduled"), event("scheduled"), event("command-reconcile")]
    {
        world.invoke(&payload, "request").expect("an answer");
    }
    assert_runs(&world, &first, "aaaaaaa");
    assert_eq!(world.updates(), 3);
}

// The guard

const TASK: &str = "AWS::ECS::TaskDefinition";

fn change(kind: &str, resource: &str, replacement: Replacement) -> Change {
    Change {
        action: "Modify".to_owned(),
        kind: kind.to_owned(),
        resource: resource.to_owned(),
        within: None,
        replacement,
    }
}

/// An app whose promotions may replace its task definition, and whose stack's next update would do
/// this.
fn guarded(mode: &str, list: Vec<Change>) -> Memory {
    let world = Memory::new(mode);
    world.get_mut().config["guard"] = json!({ "allowed_changes": [format!("{TASK}:Replacement")] });
    world.get_mut().would_change.list = list;
    world
}

fn allowed() -> Vec<Change> {
    vec![change(TASK, "Task", Replacement::Yes)]
}

fn forbidden() -> Vec<Change> {
    vec![
        change(TASK, "Task", Replacement::Yes),
        change("AWS::RDS::DBInstance", "Database", Replacement::Yes),
    ]
}

#[test]
fn a_guard_that_holds_is_one_update() {
    let world = guarded("auto", allowed());
    let digest = world.push("abc1234");
    let answer = answers(&world, &push_event(&digest), "promoted");
    assert_eq!(answer["changes"], json!(["Modify AWS::ECS::TaskDefinition Task, replacement"]));
    answers(&world, &push_event(&digest), "promoted");
    world.finish_update();
    assert_eq!(
        answers(&world, &push_event(&digest), "unchanged")["closed"][0]["outcome"],
        "deployed"
    );
    promoted_once(&world, &digest);
    assert!(world.get().change_sets.is_empty());
    assert!(
        !world.get().calls.contains(&"UpdateStack".to_owned()),
        "past the guard: {:?}",
        world.get().calls
    );
}

#[test]
fn a_guard_that_would_be_broken_blocks_with_every_change_and_leaves_nothing_behind() {
    let world = guarded("auto", forbidden());
    let digest = world.push("abc1234");
    let list = json!([
        "Modify AWS::ECS::TaskDefinition Task, replacement",
        "Modify AWS::RDS::DBInstance Database, replacement"
    ]);
    let promote = sns("promote web", "message-1", world.get().now);
    for payload in [push_event(&digest), push_event(&digest), promote] {
        assert_eq!(answers(&world, &payload, "blocked")["changes"], list);
        assert_eq!((world.updates(), world.get().change_sets.len()), (0, 0));
        assert_eq!(
            world.get().tags.values().filter(|on| **on == digest).count(),
            1,
            "no production tag"
        );
    }
    // Once for the push, however often it comes, and once for the command.
    assert_eq!(world.told(), [Outcome::Blocked, Outcome::Blocked]);
    assert_eq!(json!(world.get().told[0].changes), list);
    // Mended, the hourly look goes on.
    world.get_mut().would_change.list = allowed();
    let looked = world.invoke(&event("scheduled"), "request").expect("an answer");
    assert_eq!(looked["results"][0]["outcome"], "promoted", "{looked:#}");
}

#[test]
fn a_plan_lists_the_same_changes_and_leaves_nothing_behind() {
    for (list, would) in [(allowed(), "promoted"), (forbidden(), "blocked")] {
        let world = guarded("approval", list);
        world.push("abc1234");
        let plan = world.invoke(&event("command-plan"), "request").expect("a plan");
        assert_eq!(
            (&plan["would"], plan["changes"][0].as_str()),
            (&json!(would), Some("Modify AWS::ECS::TaskDefinition Task, replacement"))
        );
        let inner = world.get();
        assert_eq!((inner.updates.len(), inner.change_sets.len(), inner.told.len()), (0, 0, 0));
        let (state, _) = inner.state.as_ref().expect("the change set was remembered");
        assert!(!state.has_been_seen() && !state.has_open_work(), "{state:?}");
    }
}

#[test]
fn a_slow_review_is_left_to_the_schedule() {
    for by_push in [true, false] {
        let world = guarded("auto", allowed());
        world.get_mut().looks_of_a_review = 2;
        let digest = world.push("abc1234");
        let promote = sns("promote web", "message-1", world.get().now);
        let payload = if by_push { push_event(&digest) } else { promote };
        answers(&world, &payload, "queued");
        answers(&world, &payload, "queued");
        assert_eq!(world.updates(), 0);
        let tick = json!({ "action": "reconcile", "only_open_work": true });
        let looked = world.invoke(&tick, "tick").expect("an answer");
        let outcomes: Vec<&str> = looked["results"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|r| r["outcome"].as_str())
            .collect();
        if outcomes == ["queued"] {
            world.invoke(&tick, "tick").expect("an answer");
        }
        promoted_once(&world, &digest);
        assert_eq!(world.told(), [Outcome::Queued, Outcome::Promoted], "by push: {by_push}");
    }
}

#[test]
fn what_is_blocked_after_a_slow_review_is_told_once_and_not_at_each_look() {
    let world = guarded("auto", forbidden());
    world.get_mut().looks_of_a_review = 1;
    let digest = world.push("abc1234");
    answers(&world, &push_event(&digest), "queued");
    for _ in 0..6 {
        world.invoke(&event("scheduled"), "tick").expect("an answer");
    }
    assert_eq!(world.told(), [Outcome::Queued, Outcome::Blocked]);
}

#[test]
fn a_change_set_that_a_stalled_sandbox_makes_after_it_was_removed_is_removed_again() {
    let world = guarded("auto", allowed());
    let older = world.push("aaaaaaa");
    let mut stalled = Box::pin(world.handler(push_event(&older), "stalled"));
    while world.get().calls.last().is_none_or(|call| call != "Save") {
        assert!(stalled.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let newer = world.push("bbbbbbb");
    world.get_mut().would_change.list = forbidden();
    answers(&world, &push_event(&newer), "blocked");
    // It makes the change set, and dies.
    let next = world.get().calls.len();
    world.get_mut().fault = Some((next, Fault::Death));
    assert!(support::run(stalled).is_none(), "the sandbox died");
    assert_eq!(world.get().calls.last().map(String::as_str), Some("CreateChangeSet"));
    assert_eq!(world.get().change_sets.len(), 1);
    world.get_mut().now += SignedDuration::from_hours(1);
    world.invoke(&event("scheduled"), "tick").expect("an answer");
    assert!(world.get().change_sets.is_empty(), "{:?}", world.get().change_sets);
}

#[test]
fn the_change_set_of_a_push_that_was_superseded_is_removed() {
    let world = guarded("auto", allowed());
    world.get_mut().looks_of_a_review = 2;
    let older = world.push("aaaaaaa");
    answers(&world, &push_event(&older), "queued");
    world.get_mut().looks_of_a_review = 0;
    for own in world.get_mut().change_sets.values_mut().flatten() {
        own.looks = 0;
    }
    let newer = world.push("bbbbbbb");
    world.get_mut().would_change.list = forbidden();
    answers(&world, &push_event(&newer), "blocked");
    assert!(world.get().change_sets.is_empty(), "{:?}", world.get().change_sets);
}

#[test]
fn somebody_elses_change_set_is_named_where_ours_deletes_it() {
    let world = guarded("auto", allowed());
    world.get_mut().change_sets.insert("by-hand".to_owned(), None);
    let digest = world.push("abc1234");
    let answer = answers(&world, &push_event(&digest), "promoted");
    assert!(
        answer["reason"].as_str().is_some_and(|reason| reason.contains("by-hand")),
        "{answer:#}"
    );
    assert!(world.get().told[0].reason.contains("by-hand"));
}

#[test]
fn an_ssm_typed_parameter_that_would_resolve_to_something_new_blocks_without_a_guard() {
    let world = Memory::new("auto");
    world.get_mut().resolved.insert("AppName".to_owned(), "old".to_owned());
    world.get_mut().would_change.resolved = vec![("AppName".to_owned(), "new".to_owned())];
    world.get_mut().would_change.causes = vec!["AppName".to_owned()];
    let digest = world.push("abc1234");
    let answer = answers(&world, &push_event(&digest), "blocked");
    assert!(
        answer["reason"].as_str().is_some_and(|reason| reason.contains("`AppName`")),
        "{answer:#}"
    );
    world.get_mut().would_change.resolved = vec![("AppName".to_owned(), "old".to_owned())];
    answers(&world, &push_event(&digest), "promoted");
}

#[test]
fn a_promotion_of_what_people_were_asked_about_is_reviewed_like_any_other() {
    let world = guarded("approval", allowed());
    let digest = world.push("abc1234");
    answers(&world, &push_event(&digest), "approval_requested");
    world.get_mut().looks_of_a_review = 1;
    let promote = sns("promote web", "message-1", world.get().now);
    answers(&world, &promote, "queued");
    answers(&world, &promote, "queued");
    world.invoke(&event("scheduled"), "tick").expect("an answer");
    assert_eq!((world.updates(), world.value().as_str()), (1, "production_abc1234"));
}

#[test]
fn a_guarded_push_or_command_survives_every_fault_at_every_call() {
    let promoted = |world: &Memory, digest: &Digest| {
        promoted_once(world, digest);
        world.finish_update();
        world.invoke(&event("scheduled"), "tick").expect("an answer");
        assert!(world.get().change_sets.is_empty(), "{:?}", world.get().change_sets);
    };
    let push: fn(&Memory, &Digest) -> Value = |_, digest| push_event(digest);
    let command: fn(&Memory, &Digest) -> Value =
        |world, _| sns("promote web", "message-1", world.get().now);
    for payload in [push, command] {
        survives_every_fault_in(|| guarded("auto", allowed()), payload, promoted);
    }
    let blocked = |world: &Memory, _: &Digest| {
        assert!((1..=2).contains(&world.told().len()), "{:?}", world.told());
        for _ in 0..2 {
            world.invoke(&event("scheduled"), "tick").expect("an answer");
        }
        assert_eq!((world.updates(), world.get().change_sets.len()), (0, 0));
    };
    survives_every_fault_in(|| guarded("auto", forbidden()), push, blocked);
}
