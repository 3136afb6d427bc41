//! What others do, in the console and in the registry, while promotions are under way: every input
//! that once ended in the wrong place. Over the AWS in memory.

mod support;

use ecr_promoter::model::Digest;
use ecr_promoter::model::answer::Outcome;
use jiff::SignedDuration;
use serde_json::{Value, json};
use support::steps::{command, fail, finish, runs, state, tick};
use support::{
    Fault, Memory, answers, event, every_interleaving, push_event, sns, survives_every_fault, tag,
};

/// A stack that the old script left at `latest`, which CI moves, with `aaaaaaa` running.
fn adopted_at_latest(mode: &str) -> (Memory, Digest) {
    let world = Memory::new(mode);
    world.get_mut().parameters.insert("ProductionTag".to_owned(), "latest".to_owned());
    let digest = world.push("aaaaaaa");
    (world, digest)
}

/// `commit` is pushed and deployed, in mode `auto`.
fn deploy(world: &Memory, commit: &str) -> Digest {
    let digest = world.push(commit);
    answers(world, &push_event(&digest), "promoted");
    finish(world);
    digest
}

// A tag is a name, a digest is an image

#[test]
fn what_runs_by_a_tag_that_moves_is_pinned_by_the_first_push_or_command() {
    let (world, _) = adopted_at_latest("auto");
    tick(&world);
    assert_eq!(
        (world.value().as_str(), world.updates()),
        ("latest", 0),
        "the schedule leaves it alone"
    );
    let newest = world.get().tags[&tag("latest")].clone();
    answers(&world, &push_event(&newest), "promoted");
    assert_eq!(world.value(), "production_aaaaaaa");

    let (world, digest) = adopted_at_latest("approval");
    answers(&world, &push_event(&digest), "approval_requested");
    command(&world, "promote web", "promoted");
    assert_eq!(world.value(), "production_aaaaaaa");
    finish(&world);
    command(&world, "promote web", "unchanged");
}

#[test]
fn a_look_leaves_what_runs_by_a_tag_that_moves_alone_and_a_newer_push_goes_all_the_same() {
    let (world, _) = adopted_at_latest("auto");
    for _ in 0..3 {
        tick(&world);
    }
    assert_eq!(world.updates(), 0);
    let next = world.push("bbbbbbb");
    answers(&world, &push_event(&next), "promoted");
    assert_eq!(world.value(), "production_bbbbbbb");
}

#[test]
fn a_rollback_to_what_ran_by_a_tag_that_moves_goes_to_the_image_that_ran() {
    let (world, first) = adopted_at_latest("approval");
    tick(&world);
    let second = world.push("bbbbbbb");
    command(&world, "promote web", "promoted");
    finish(&world);
    let third = world.push("ccccccc");
    answers(&world, &push_event(&third), "approval_requested");
    command(&world, "rollback web", "promoted");
    finish(&world);
    assert_eq!((world.value().as_str(), runs(&world)), ("production_aaaaaaa", first));
    assert_ne!(runs(&world), second);
}

#[test]
fn a_rollback_while_the_update_from_a_tag_that_moves_runs_ends_at_the_image_that_ran() {
    let (world, first) = adopted_at_latest("approval");
    tick(&world);
    world.push("bbbbbbb");
    command(&world, "promote web", "promoted");
    command(&world, "rollback web", "cancelled");
    world.push("ccccccc");
    fail(&world);
    finish(&world);
    assert_eq!((world.value().as_str(), runs(&world)), ("production_aaaaaaa", first));
    assert!(state(&world).open.is_empty());
}

#[test]
fn a_tag_that_moves_names_an_image_and_production_gets_its_production_tag() {
    for words in ["rollback web staging", "promote web staging"] {
        let world = Memory::new("auto");
        let first = deploy(&world, "aaaaaaa");
        deploy(&world, "bbbbbbb");
        world.move_tag("staging", Some(&first));
        command(&world, words, "promoted");
        assert_eq!(world.value(), "production_aaaaaaa", "{words}");
    }
}

#[test]
fn a_running_tag_that_somebody_moves_is_told_once_and_holds_the_app() {
    let world = Memory::new("auto");
    world.get_mut().is_immutable = false;
    let first = deploy(&world, "aaaaaaa");
    let other = world.image("fffffff");
    world.move_tag("production_aaaaaaa", Some(&other));
    tick(&world);
    tick(&world);
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Deployed, Outcome::Held]);
    assert!(world.get().told[2].reason.contains(other.as_str()), "{:?}", world.get().told[2]);
    // What was promoted counts as what runs, until a person says otherwise.
    answers(&world, &push_event(&first), "unchanged");
    assert_eq!(world.updates(), 1);
    command(&world, "promote web", "promoted");
    finish(&world);
    assert_eq!(
        (world.value(), runs(&world)),
        (format!("production_aaaaaaa-{}", first.short()), first)
    );
    assert_eq!(state(&world).hold, None);
}

#[test]
fn tags_that_were_read_before_a_promotion_accuse_nobody() {
    let start = Memory::new("auto");
    let first = start.push("aaaaaaa");
    let looks = every_interleaving_of_a_promotion_and_a_look(&start, &first);
    assert!(looks > 50, "{looks}");
}

/// A look that runs beside a whole promotion, of which its reads may each see a part.
fn every_interleaving_of_a_promotion_and_a_look(start: &Memory, digest: &Digest) -> usize {
    start.get_mut().finishes_at_once = true;
    every_interleaving(start, &[push_event(digest), event("command-reconcile")], |world| {
        tick(world);
        assert_eq!(state(world).hold, None, "{:?}", world.get().told);
        assert_eq!((world.value().as_str(), world.updates()), ("production_aaaaaaa", 1));
    })
}

#[test]
fn of_two_builds_of_a_commit_none_takes_the_others_tag() {
    for is_immutable in [true, false] {
        let start = Memory::new("auto");
        start.get_mut().is_immutable = is_immutable;
        let older = start.push("abc1234");
        let newer = start.push("abc1234");
        // The world itself asserts that no tag is moved.
        every_interleaving(&start, &[push_event(&older), push_event(&newer)], |world| {
            for _ in 0..3 {
                if world.get().in_flight.is_some() {
                    world.finish_update();
                }
                tick(world);
            }
            assert_eq!(
                (runs(world), state(world).running.and_then(|running| running.digest)),
                (newer.clone(), Some(newer.clone()))
            );
        });
    }
}

#[test]
fn two_pushes_of_one_commit_at_the_same_moment_run_the_newer() {
    // Each handler reads `latest` while it is on its own image: the older build's handler is as far
    // as any step when the newer comes.
    for steps in 0..12 {
        let world = Memory::new("auto");
        world.get_mut().is_immutable = false;
        let older = world.push("abc1234");
        let mut handler = Box::pin(world.handler(push_event(&older), "older"));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let is_done = (0..steps).any(|_| handler.as_mut().poll(&mut context).is_ready());
        let newer = world.push("abc1234");
        world.invoke(&push_event(&newer), "newer").expect("an answer");
        if !is_done {
            support::run(handler).expect("the sandbox lives").expect("an answer");
        }
        for _ in 0..3 {
            if world.get().in_flight.is_some() {
                world.finish_update();
            }
            tick(&world);
        }
        assert_eq!(runs(&world), newer, "{steps} steps");
    }
}

#[test]
fn where_tags_can_be_moved_the_state_is_written_before_the_tag() {
    let world = Memory::new("auto");
    world.get_mut().is_immutable = false;
    let digest = world.push("abc1234");
    answers(&world, &push_event(&digest), "promoted");
    insta::assert_snapshot!(world.get().calls.join("\n"), @r"
    GetParameter
    GetItem state
    BatchGetImage
    DescribeImages
    DescribeStacks
    Save
    CheckTags
    PutImage
    UpdateStack
    Publish
    Mark
    ");
    survives_every_fault(
        || {
            let world = Memory::new("auto");
            world.get_mut().is_immutable = false;
            let digest = world.push("abc1234");
            (world, digest)
        },
        |_, digest| push_event(digest),
        |world, _| assert_eq!((world.updates(), world.value().as_str()), (1, "production_abc1234")),
    );
}

#[test]
fn what_ran_before_is_what_ran_when_the_update_was_sent() {
    let world = Memory::new("auto");
    deploy(&world, "aaaaaaa");
    let second = world.push("bbbbbbb");
    answers(&world, &push_event(&second), "promoted");
    // Approved while `bbbbbbb` is on its way: it follows.
    world.push("ccccccc");
    command(&world, "promote web", "queued");
    finish(&world);
    finish(&world);
    assert_eq!(world.value(), "production_ccccccc");
    let history = world.invoke(&event("command-history"), "request").expect("a history");
    assert_eq!(history["promotions"][0]["previous_tag"], "production_bbbbbbb");
    command(&world, "rollback web", "promoted");
    assert_eq!(world.value(), "production_bbbbbbb");
}

#[test]
fn a_tag_that_an_image_gets_after_the_question_does_not_rename_the_promotion() {
    let world = Memory::new("approval");
    let digest = world.push("abc1234");
    answers(&world, &push_event(&digest), "approval_requested");
    world.move_tag("fedcba9", Some(&digest));
    let answer = command(&world, &format!("approve web {digest}"), "promoted");
    assert_eq!(
        (answer["commit"].as_str(), answer["tag"].as_str()),
        (Some("abc1234"), Some("production_abc1234"))
    );
}

// Whose operation it was

#[test]
fn an_update_that_somebody_cancels_in_the_console_has_failed_and_the_app_goes_on() {
    for token in [None, Some("Console-CancelUpdateStack-1")] {
        let world = Memory::new("auto");
        let first = world.push("aaaaaaa");
        answers(&world, &push_event(&first), "promoted");
        world.cancel_in_the_console(token);
        command(&world, "hold web freeze", "held");
        command(&world, "resume web", "resumed");
        world.fail_update("cancelled");
        tick(&world);
        world.invoke(&event("command-status"), "request").expect("a status");
        assert_eq!(
            world.told().iter().filter(|outcome| **outcome == Outcome::Failed).count(),
            1,
            "{token:?}: {:?}",
            world.told()
        );
        assert!(state(&world).open.is_empty());
        answers(&world, &push_event(&first), "failed");
        let next = world.push("bbbbbbb");
        answers(&world, &push_event(&next), "promoted");
        finish(&world);
        assert_eq!(runs(&world), next);
    }
}

#[test]
fn an_update_whose_end_no_event_tells_is_told_held_and_left() {
    let world = Memory::new("auto");
    let digest = world.push("aaaaaaa");
    answers(&world, &push_event(&digest), "promoted");
    world.fail_update("it did not stabilize");
    // The events of its end are gone.
    world.get_mut().events.retain(|event| event.status == "UPDATE_IN_PROGRESS");
    tick(&world);
    tick(&world);
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Failed, Outcome::Held]);
    assert!(state(&world).open.is_empty() && state(&world).hold.is_some());
    world.invoke(&event("command-status"), "request").expect("a status");
    command(&world, "promote web", "promoted");
}

#[test]
fn a_promotion_that_the_configuration_leaves_behind_is_told_and_in_the_history() {
    let world = Memory::new("auto");
    let digest = world.push("aaaaaaa");
    answers(&world, &push_event(&digest), "promoted");
    // The same stack, but another parameter of it.
    world.get_mut().config["parameter"] = "AppName".into();
    tick(&world);
    assert!(world.told().contains(&Outcome::Superseded), "{:?}", world.told());
    let inner = world.get();
    assert_eq!(
        inner.history.values().map(|ended| ended.end.outcome()).collect::<Vec<_>>(),
        [Outcome::Superseded]
    );
    assert!(
        inner.told.iter().any(|notice| notice.reason.contains("`AppName`")),
        "{:?}",
        inner.told
    );
}

#[test]
fn a_hold_outlives_another_name_of_its_stack_and_another_stack() {
    for stack in [support::STACK_ID, "other"] {
        let world = Memory::new("auto");
        deploy(&world, "aaaaaaa");
        command(&world, "hold web freeze", "held");
        world.get_mut().config["stack"] = stack.into();
        if stack == "other" {
            world.get_mut().stack_id =
                "arn:aws:cloudformation:us-east-1:012345678912:stack/other/2".to_owned();
        }
        let next = world.push("bbbbbbb");
        answers(&world, &push_event(&next), "approval_requested");
        assert_eq!(
            (world.updates(), state(&world).hold.map(|hold| hold.reason)),
            (1, Some("freeze".to_owned()))
        );
    }
}

#[test]
fn a_no_echo_parameter_is_a_configuration_error() {
    let world = Memory::new("auto");
    world.get_mut().config["parameter"] = "Secret".into();
    let digest = world.push("aaaaaaa");
    let error = world.invoke(&push_event(&digest), "request").expect_err("an error").to_string();
    for words in ["/ecr-promoter/apps/web", "key `parameter`", "NoEcho"] {
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(world.updates(), 0);
}

// Who decides

fn configure(world: &Memory, approval: Value) {
    world.get_mut().config["approval"] = approval;
}

#[test]
fn a_policy_that_changes_is_told_once_with_before_and_after() {
    let world = Memory::new("auto");
    deploy(&world, "aaaaaaa");
    let before = world.told().len();
    world.get_mut().config["mode"] = "approval".into();
    configure(
        &world,
        json!({ "slack_channel": "C1", "approvers": ["UALICE", "UBOB"], "required": 2 }),
    );
    for _ in 0..3 {
        tick(&world);
    }
    let told = world.get().told[before..].to_vec();
    assert_eq!(told.len(), 1, "{told:?}");
    for words in [
        "mode: `auto` before, `approval` now",
        "approvers: anyone in the channel before, UALICE, UBOB now",
        "1 before, 2 now",
    ] {
        assert!(told[0].reason.contains(words), "{words}: {}", told[0].reason);
    }
    // Removed in silence, that is.
    configure(&world, json!({ "slack_channel": "C1" }));
    tick(&world);
    assert!(
        world
            .get()
            .told
            .last()
            .expect("told")
            .reason
            .contains("UALICE, UBOB before, anyone in the channel now")
    );
}

#[test]
fn a_question_keeps_the_stricter_policy_of_those_it_was_asked_and_is_decided_under() {
    let strict = json!({ "slack_channel": "C1", "approvers": ["UALICE", "UBOB"], "required": 2 });
    let world = Memory::new("approval");
    configure(&world, strict.clone());
    let digest = world.push("aaaaaaa");
    answers(&world, &push_event(&digest), "approval_requested");
    // Somebody who may write the configuration, and not decide.
    configure(&world, json!({}));
    command(&world, &format!("approve web {digest}"), "refused");
    world.get_mut().config["mode"] = "auto".into();
    tick(&world);
    answers(&world, &push_event(&digest), "approval_requested");
    assert_eq!(world.updates(), 0);

    // What one person approved waits behind the stack, and then needs two.
    let world = Memory::new("approval");
    let digest = world.push("aaaaaaa");
    answers(&world, &push_event(&digest), "approval_requested");
    world.foreign_update("production_old");
    command(&world, &format!("approve web {digest}"), "queued");
    configure(&world, strict);
    finish(&world);
    tick(&world);
    assert_eq!((world.updates(), state(&world).open.len()), (0, 0));
    answers(&world, &push_event(&digest), "approval_requested");
}

#[test]
fn a_rollback_goes_only_to_what_ran_before_where_identities_count() {
    let world = Memory::new("approval");
    let old = world.get().tags[&tag("production_old")].clone();
    tick(&world);
    world.push("aaaaaaa");
    command(&world, "promote web", "promoted");
    finish(&world);
    configure(
        &world,
        json!({ "slack_channel": "C1", "approvers": ["UALICE", "UBOB"], "required": 2 }),
    );
    let unapproved = world.push("bbbbbbb");
    world.move_tag("v2", Some(&unapproved));
    for image in [unapproved.as_str(), "bbbbbbb", "latest", "v2"] {
        let answer = command(&world, &format!("rollback web {image}"), "refused");
        assert!(
            answer["reason"].as_str().expect("a reason").contains("never ran here"),
            "{image}: {answer:#}"
        );
    }
    assert_eq!(
        (world.updates(), state(&world).hold),
        (1, None),
        "a refused rollback leaves no trace"
    );
    // What ran when the app was first seen, and what was deployed, can be gone back to.
    command(&world, "rollback web", "promoted");
    finish(&world);
    assert_eq!(runs(&world), old);
    command(&world, "rollback web aaaaaaa", "promoted");
    finish(&world);
    assert_eq!(world.value(), "production_aaaaaaa");
}

#[test]
fn a_request_has_an_id_of_its_own_though_the_stack_changed_and_changed_back() {
    let world = Memory::new("approval");
    let digest = world.push("aaaaaaa");
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..4 {
        let answer = answers(&world, &push_event(&digest), "approval_requested");
        ids.insert(answer["request"].as_str().expect("an id").to_owned());
        world.move_to_the_other_stack();
    }
    assert_eq!(ids.len(), 4, "{ids:?}");
}

// What is queued ends, and is told

#[test]
fn what_waits_and_cannot_be_pulled_any_more_has_failed_and_newer_pushes_go_on() {
    for is_archived in [true, false] {
        let world = Memory::new("auto");
        deploy(&world, "aaaaaaa");
        let gone = world.push("bbbbbbb");
        world.foreign_update("production_aaaaaaa");
        command(&world, &format!("promote web {gone}"), "queued");
        let newest = world.push("ccccccc");
        if is_archived {
            world.get_mut().archived.insert(gone.clone());
        } else {
            world.delete_image(&gone);
        }
        finish(&world);
        let told = world
            .get()
            .told
            .iter()
            .find(|notice| notice.outcome == Outcome::Failed)
            .cloned()
            .expect("it is told");
        assert_eq!(told.digest, Some(gone));
        world.invoke(&push_event(&newest), "request").expect("an answer");
        if world.get().in_flight.is_some() {
            finish(&world);
        }
        assert_eq!(runs(&world), newest, "archived: {is_archived}");
    }
}

#[test]
fn a_queued_promotion_of_what_runs_already_under_another_tag_ends() {
    let world = Memory::new("auto");
    // Known by the tag that the old script gave it, `production_old`.
    let old = world.get().tags[&tag("production_old")].clone();
    let first = world.push("aaaaaaa");
    answers(&world, &push_event(&first), "promoted");
    command(&world, &format!("promote web {old}"), "queued");
    fail(&world);
    tick(&world);
    assert_eq!(state(&world).open, []);
    assert_eq!((runs(&world), world.value().as_str()), (old, "production_old"));
    assert!(world.told().contains(&Outcome::Superseded), "{:?}", world.told());
}

// Who is told, and how often

#[test]
fn while_the_topic_fails_slack_keeps_one_message_and_the_question_is_told_when_it_is_back() {
    let world = Memory::new("approval");
    world.get_mut().config["approval"] = json!({ "slack_channel": "C1" });
    let digest = world.push("aaaaaaa");
    world.get_mut().topic_is_down = true;
    for _ in 0..12 {
        world.invoke(&push_event(&digest), "request").expect_err("the topic was not told");
    }
    // From then on it is tried more and more seldom.
    answers(&world, &push_event(&digest), "approval_requested");
    assert_eq!((world.get().slack.len(), world.told()), (1, vec![]));
    world.get_mut().topic_is_down = false;
    world.get_mut().now += SignedDuration::from_mins(10);
    tick(&world);
    assert_eq!((world.get().slack.len(), world.told()), (1, vec![Outcome::ApprovalRequested]));
}

#[test]
fn a_notice_that_nobody_takes_for_days_is_tried_seldom_and_then_given_up() {
    let world = Memory::new("approval");
    let digest = world.push("aaaaaaa");
    world.get_mut().topic_is_down = true;
    world.invoke(&push_event(&digest), "request").expect_err("the topic was not told");
    for _ in 0..(5 * 24 * 12) {
        world.get_mut().now += SignedDuration::from_mins(5);
        let _ = world.invoke(&json!({ "action": "reconcile", "only_open_work": true }), "tick");
    }
    let tries = world.get().calls.iter().filter(|call| *call == "Publish").count();
    assert!((10..60).contains(&tries), "{tries} tries");
    // The question expired meanwhile; that one is as old as the expiry.
    assert!(state(&world).untold.len() <= 1, "{:?}", state(&world).untold);
}

#[test]
fn a_command_takes_effect_though_the_topic_cannot_be_reached() {
    let world = Memory::new("auto");
    deploy(&world, "aaaaaaa");
    let message = sns("hold web freeze", "message", world.get().now);
    let at = world.get().calls.len() + 5;
    world.get_mut().fault = Some((at, Fault::Before));
    let told = world.told().len();
    if world.invoke(&message, "request").is_err() {
        answers(&world, &message, "held");
    }
    assert!(state(&world).hold.is_some());
    assert_eq!(world.told().len(), told + 1);
}

#[test]
fn five_hundred_forbidden_changes_leave_the_state_small() {
    let world = Memory::new("auto");
    world.get_mut().config["guard"] = json!({ "allowed_changes": ["AWS::ECS::TaskDefinition"] });
    let change =
        |n: usize| support::change("AWS::CloudWatch::Alarm", &format!("{}{n}", "Alarm".repeat(40)));
    world.get_mut().would_change.list = (0..500).map(change).collect();
    for build in 0..20 {
        let digest = world.push(&format!("abc{build:04}"));
        world.get_mut().now += SignedDuration::from_hours(1);
        answers(&world, &push_event(&digest), "blocked");
    }
    let size = json!(world.get().state.as_ref().expect("a state").0).to_string().len();
    assert!(size < 100_000, "{size} bytes");
    let told = world.get().told.last().cloned().expect("a notice");
    assert!(told.changes.len() > 100, "the message has the whole list: {}", told.changes.len());
}

#[test]
fn a_token_that_cloudformation_knows_from_before_the_state_was_lost_blocks_nothing() {
    let world = Memory::new("auto");
    let digest = deploy(&world, "aaaaaaa");
    let token = world.get().updates[0].0.clone();
    // The table is new, and so are the stack's events; the stack runs what it ran at first.
    world.get_mut().state = None;
    world.get_mut().history.clear();
    world.get_mut().events.clear();
    world.get_mut().parameters.insert("ProductionTag".to_owned(), "production_old".to_owned());
    answers(&world, &push_event(&digest), "promoted");
    assert_eq!(world.value(), "production_aaaaaaa");
    assert_ne!(world.get().updates[1].0, token);
}

#[test]
fn a_rollback_right_after_an_update_that_nobody_has_looked_at_goes_back() {
    let world = Memory::new("auto");
    let digest = world.push("aaaaaaa");
    answers(&world, &push_event(&digest), "promoted");
    world.finish_update();
    command(&world, "rollback web", "promoted");
    assert_eq!(world.value(), "production_old");
}

#[test]
fn a_misspelt_commit_or_tag_is_answered_with_the_one_that_may_have_been_meant() {
    let world = Memory::new("auto");
    deploy(&world, "abc1234");
    for (words, meant) in [
        ("promote web abc1243", "abc1234"),
        ("promote web production_abc1243", "production_abc1234"),
        ("promote web lates", "latest"),
    ] {
        let answer = command(&world, words, "refused");
        let reason = answer["reason"].as_str().expect("a reason");
        assert!(reason.contains(&format!("did you mean `{meant}`?")), "{words}: {reason}");
    }
}

#[test]
fn an_id_answers_only_the_command_that_it_was_kept_with() {
    let world = Memory::new("approval");
    world.push("aaaaaaa");
    let with_id = |action: &str| json!({ "action": action, "repository": "web", "id": "deploy-7", "reason": "freeze" });
    let hold = with_id("hold");
    answers(&world, &hold, "held");
    answers(&world, &hold, "held");
    let promote = json!({ "action": "promote", "repository": "web", "id": "deploy-7" });
    let answer = answers(&world, &promote, "refused");
    assert!(answer["reason"].as_str().expect("a reason").contains("`hold freeze`"), "{answer:#}");
    assert_eq!(world.updates(), 0);
}

#[test]
fn to_ask_again_keeps_what_people_have_said() {
    let world = Memory::new("approval");
    configure(
        &world,
        json!({ "slack_channel": "C1", "approvers": ["UALICE", "UBOB"], "required": 2 }),
    );
    let digest = world.push("aaaaaaa");
    answers(&world, &push_event(&digest), "approval_requested");
    let before = state(&world).request.expect("a request");
    let answer = command(&world, "ask web", "approval_requested");
    assert_eq!(answer["request"], json!(before.id));
    assert_eq!(world.told(), [Outcome::ApprovalRequested, Outcome::ApprovalRequested]);
}

#[test]
fn tags_that_a_pusher_squats_block_nobody() {
    let world = Memory::new("auto");
    let other = world.image("fffffff");
    let digest = world.push("abc1234");
    for name in ["production_abc1234".to_owned(), format!("production_abc1234-{}", digest.short())]
    {
        world.get_mut().tags.insert(tag(&name), other.clone());
    }
    let answer = answers(&world, &push_event(&digest), "promoted");
    assert_eq!(answer["tag"], format!("production_abc1234-{}-2", digest.short()));
    assert!(
        answer["reason"]
            .as_str()
            .expect("a reason")
            .contains("`production_abc1234` is, or was, on another image"),
        "{answer:#}"
    );
    assert!(world.get().told[0].reason.contains("on another image"));
}

#[test]
fn a_running_tag_that_somebody_deletes_is_told_and_a_persons_word_gives_the_image_another() {
    let world = Memory::new("auto");
    let first = deploy(&world, "aaaaaaa");
    world.move_tag("production_aaaaaaa", None);
    tick(&world);
    tick(&world);
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Deployed, Outcome::Held]);
    command(&world, "promote web", "promoted");
    finish(&world);
    assert_eq!(
        (world.value(), runs(&world)),
        (format!("production_aaaaaaa-{}", first.short()), first)
    );
}
