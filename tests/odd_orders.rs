//! Odd orders of commands, upgrades in the middle of things, and configurations that move: what
//! ends in the right place all the same. Over the AWS in memory.

mod support;

use ecr_promoter::model::Digest;
use ecr_promoter::model::answer::Outcome;
use serde_json::{Value, json};
use support::slack::{ALICE, BOB, MALLORY};
use support::steps::{command, fail, finish, runs, state, tick};
use support::{Memory, answers, change, event, push_event, sns, survives_every_fault, tag};

/// Until nothing is under way any more.
fn come_to_rest(world: &Memory) {
    for _ in 0..6 {
        if world.get().in_flight.is_some() {
            let is_going_back = world.get().status.contains("ROLLBACK");
            if is_going_back { fail(world) } else { finish(world) }
        }
        tick(world);
    }
    assert!(world.get().in_flight.is_none());
}

fn deploy(world: &Memory, commit: &str) -> Digest {
    let digest = world.push(commit);
    world.invoke(&push_event(&digest), "push").expect("an answer");
    if world.get().in_flight.is_none() {
        command(world, "promote web", "promoted");
    }
    finish(world);
    digest
}

/// What the version before wrote: it did not know these.
fn downgrade(world: &Memory) {
    fn strip(value: &mut Value) {
        const NEW: [&str; 13] = [
            "stack_id",
            "first_ran",
            "policy",
            "moved_tag",
            "previous_digest",
            "basis",
            "sent_at",
            "rolls_back_digest",
            "shown_changes",
            "name",
            "arn",
            "tries",
            "tried_at",
        ];
        match value {
            Value::Object(members) => {
                members.retain(|key, _| !NEW.contains(&key.as_str()));
                if members.contains_key("previous_tag") {
                    members.remove("votes");
                }
                members.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut inner = world.get_mut();
    if let Some((state, _)) = inner.state.as_mut() {
        let mut value = json!(state);
        strip(&mut value);
        *state = serde_json::from_value(value).expect("an older state");
    }
    for ended in inner.history.values_mut() {
        let mut value = json!(ended);
        strip(&mut value);
        *ended = serde_json::from_value(value).expect("an older end");
    }
}

fn two_people(world: Memory) -> Memory {
    world.in_slack(&json!({ "approvers": [ALICE, BOB], "required": 2 }))
}

/// Each of them clicks on Approve below the newest message.
fn both_approve(world: &Memory) {
    for user in [ALICE, BOB] {
        world.clicks(user, &world.newest_message().button("approve"), user);
    }
}

#[test]
fn an_upgrade_while_what_two_people_approved_waits_lets_it_go() {
    let world = two_people(Memory::new("approval"));
    tick(&world);
    let digest = world.push("aaaaaaa");
    answers(&world, &push_event(&digest), "approval_requested");
    world.foreign_update("production_old");
    both_approve(&world);
    assert_eq!(state(&world).open.len(), 1);
    downgrade(&world);
    finish(&world);
    assert_eq!(world.value(), "production_aaaaaaa", "{:#?}", world.get().told);
}

#[test]
fn what_was_approved_without_a_channel_stays_what_follows_after_a_newer_push() {
    let world = Memory::new("approval");
    let digest = world.push("aaaaaaa");
    answers(&world, &push_event(&digest), "approval_requested");
    world.foreign_update("production_old");
    command(&world, &format!("approve web {digest}"), "queued");
    let newer = world.push("bbbbbbb");
    answers(&world, &push_event(&newer), "approval_requested");
    finish(&world);
    assert_eq!(world.value(), "production_aaaaaaa", "{:#?}", world.get().told);
    finish(&world);
    answers(&world, &push_event(&newer), "approval_requested");
}

#[test]
fn what_six_people_approved_stays_what_follows_after_a_newer_push() {
    let people = ["UA", "UB", "UC", "UD", "UE", "UF"];
    let world = Memory::new("approval").in_slack(&json!({ "approvers": people, "required": 6 }));
    let digest = world.push("aaaaaaa");
    answers(&world, &push_event(&digest), "approval_requested");
    world.foreign_update("production_old");
    for user in people {
        world.clicks(user, &world.newest_message().button("approve"), user);
    }
    let newer = world.push("bbbbbbb");
    answers(&world, &push_event(&newer), "approval_requested");
    finish(&world);
    assert_eq!(world.value(), "production_aaaaaaa", "{:#?}", world.get().told);
}

#[test]
fn after_an_upgrade_one_person_goes_back_to_what_ran_when_the_app_was_first_seen() {
    let world = Memory::new("auto").in_slack(&json!({ "approvers": [ALICE] }));
    let old = world.get().tags[&tag("production_old")].clone();
    tick(&world);
    deploy(&world, "aaaaaaa");
    downgrade(&world);
    world.writes(ALICE, "rollback web", "one");
    finish(&world);
    assert_eq!(runs(&world), old);
}

#[test]
fn after_an_upgrade_before_anything_was_deployed_one_person_goes_back_to_what_ran_first() {
    let world = Memory::new("auto").in_slack(&json!({ "approvers": [ALICE] }));
    let old = world.get().tags[&tag("production_old")].clone();
    tick(&world);
    downgrade(&world);
    deploy(&world, "aaaaaaa");
    world.writes(ALICE, "rollback web", "one");
    finish(&world);
    assert_eq!(runs(&world), old);
}

#[test]
fn where_identities_count_the_default_rollback_goes_past_what_somebody_set_by_hand() {
    let world = Memory::new("auto").in_slack(&json!({ "approvers": [ALICE] }));
    tick(&world);
    let first = deploy(&world, "aaaaaaa");
    let foreign = world.image("fffffff");
    world.get_mut().tags.insert(tag("production_fffffff"), foreign);
    world.foreign_update("production_fffffff");
    finish(&world);
    deploy(&world, "bbbbbbb");
    let said = world.writes(ALICE, "rollback web", "one");
    assert!(world.get().in_flight.is_some(), "{said}");
    finish(&world);
    assert_eq!(runs(&world), first);
}

#[test]
fn a_command_at_the_first_sight_of_an_app_lets_the_schedule_promote_nothing_that_was_there_before()
{
    for words in
        ["ask web", "hold web freeze", "promote web 0ddba11", "cancel web", "reject web aaaaaaa"]
    {
        let world = Memory::new("auto");
        world.push("aaaaaaa");
        let message = sns(words, "first", world.get().now);
        world.invoke(&message, "first").expect("an answer");
        if words.starts_with("hold") {
            command(&world, "resume web", "resumed");
        }
        for _ in 0..3 {
            tick(&world);
        }
        assert_eq!(world.value(), "production_old", "{words}");
    }
}

#[test]
fn a_rollback_to_the_image_that_is_on_its_way_does_not_cancel_it() {
    let world = Memory::new("auto");
    tick(&world);
    let first = deploy(&world, "aaaaaaa");
    deploy(&world, "bbbbbbb");
    command(&world, &format!("rollback web {first}"), "promoted");
    command(&world, "rollback web aaaaaaa", "promoted");
    come_to_rest(&world);
    assert_eq!(runs(&world), first);
}

#[test]
fn what_a_person_queued_goes_though_latest_is_gone() {
    for words in ["promote web 0ddba11", "rollback web", "promote web"] {
        let world = Memory::new("auto");
        tick(&world);
        deploy(&world, "aaaaaaa");
        let newest = world.push("bbbbbbb");
        if words == "rollback web" || words.contains("0ddba11") {
            answers(&world, &push_event(&newest), "promoted");
            finish(&world);
        }
        let value = world.value();
        world.foreign_update(&value);
        command(&world, words, "queued");
        world.move_tag("latest", None);
        finish(&world);
        let updates = world.updates();
        come_to_rest(&world);
        assert_eq!(state(&world).open, [], "{words} {updates}");
        assert_ne!(world.value(), value, "{words}");
    }
}

#[test]
fn a_cancel_whose_sandbox_died_goes_on_though_latest_is_gone() {
    let world = Memory::new("auto");
    let digest = world.push("aaaaaaa");
    answers(&world, &push_event(&digest), "promoted");
    let (mut state, nonce) = world.get().state.clone().expect("a state");
    state.open[0].cancelled_by = Some("alice".to_owned());
    world.get_mut().state = Some((state, nonce));
    world.move_tag("latest", None);
    tick(&world);
    assert_eq!(world.get().cancels, 1);
}

#[test]
fn what_waits_and_is_gone_with_its_tag_waits_no_more() {
    let world = Memory::new("auto");
    deploy(&world, "aaaaaaa");
    let digest = world.push("bbbbbbb");
    world.foreign_update("production_aaaaaaa");
    answers(&world, &push_event(&digest), "queued");
    world.move_tag("latest", None);
    finish(&world);
    tick(&world);
    assert_eq!(state(&world).waiting, None);
}

#[test]
fn what_is_promoted_again_while_its_cancelled_update_goes_back_follows() {
    for (mode, first) in [
        ("approval", "cancel web"),
        ("auto", "cancel web"),
        ("approval", "rollback web"),
        ("auto", "rollback web"),
    ] {
        let world = Memory::new(mode);
        tick(&world);
        let digest = world.push("aaaaaaa");
        command(&world, "promote web", "promoted");
        command(&world, first, "cancelled");
        command(&world, "promote web", "queued");
        come_to_rest(&world);
        assert_eq!(runs(&world), digest, "{mode} {first}");
        assert_eq!(state(&world).open, []);
        assert_eq!(state(&world).hold, None);
    }
}

#[test]
fn a_resume_waits_for_nothing_where_the_newest_was_there_before() {
    let world = Memory::new("auto");
    world.push("aaaaaaa");
    tick(&world);
    command(&world, "hold web freeze", "held");
    command(&world, "resume web", "resumed");
    tick(&world);
    assert_eq!((state(&world).waiting, world.updates()), (None, 0));
}

#[test]
fn what_was_approved_and_would_change_more_by_now_is_not_sent_after_a_newer_push_either() {
    let world = Memory::new("approval").in_slack(&json!({}));
    world.get_mut().config["guard"] = json!({
        "allowed_changes": [
            "AWS::ECS::TaskDefinition:Replacement", "AWS::RDS::DBInstance:Replacement",
        ],
    });
    world.get_mut().would_change.list = vec![change("AWS::ECS::TaskDefinition", "Task")];
    let digest = world.push("aaaaaaa");
    answers(&world, &push_event(&digest), "approval_requested");
    world.foreign_update("production_old");
    command(&world, &format!("approve web {digest}"), "queued");
    let newer = world.push("bbbbbbb");
    answers(&world, &push_event(&newer), "approval_requested");
    world.get_mut().would_change.list.push(change("AWS::RDS::DBInstance", "Database"));
    finish(&world);
    tick(&world);
    assert_eq!(world.updates(), 0, "{:#?}", world.get().told);
    assert_eq!(state(&world).open, []);
}

#[test]
fn an_upgrade_while_a_change_set_is_made_goes_on_and_leaves_none_behind() {
    let world = Memory::new("auto");
    world.get_mut().config["guard"] =
        json!({ "allowed_changes": ["AWS::ECS::TaskDefinition:Replacement"] });
    world.get_mut().would_change.list = vec![change("AWS::ECS::TaskDefinition", "Task")];
    world.get_mut().looks_of_a_review = 3;
    tick(&world);
    let digest = world.push("aaaaaaa");
    answers(&world, &push_event(&digest), "queued");
    // The version before named it by the token.
    let own = state(&world).change_sets[0].clone();
    let made = world.get_mut().change_sets.remove(own.name()).expect("it was made");
    world.get_mut().change_sets.insert(own.token.to_string(), made);
    downgrade(&world);
    for _ in 0..6 {
        tick(&world);
    }
    come_to_rest(&world);
    assert_eq!(runs(&world), digest);
    world.get_mut().now += jiff::SignedDuration::from_mins(20);
    tick(&world);
    assert_eq!(world.get().change_sets.len(), 0);
    assert!(world.told().contains(&Outcome::Deployed));
}

#[test]
fn an_upgrade_in_the_middle_of_anything_goes_on() {
    // While an update runs.
    let world = Memory::new("auto");
    tick(&world);
    let digest = world.push("aaaaaaa");
    answers(&world, &push_event(&digest), "promoted");
    downgrade(&world);
    finish(&world);
    assert_eq!(runs(&world), digest);
    assert_eq!(state(&world).hold, None);
    // While a rollback waits behind a cancel.
    let next = world.push("bbbbbbb");
    answers(&world, &push_event(&next), "promoted");
    command(&world, "rollback web", "cancelled");
    downgrade(&world);
    come_to_rest(&world);
    assert_eq!(runs(&world), digest);
    // While people are asked.
    let world = Memory::new("approval");
    let digest = world.push("aaaaaaa");
    answers(&world, &push_event(&digest), "approval_requested");
    downgrade(&world);
    answers(&world, &push_event(&digest), "approval_requested");
    command(&world, &format!("approve web {digest}"), "promoted");
    assert_eq!(
        world.told().iter().filter(|outcome| **outcome == Outcome::ApprovalRequested).count(),
        1
    );
}

#[test]
fn a_configuration_that_cannot_be_used_is_told_when_the_topic_is_back() {
    let world = Memory::new("auto");
    tick(&world);
    world.get_mut().config["parameter"] = "Nope".into();
    world.get_mut().topic_is_down = true;
    for _ in 0..2 {
        let _ = world.invoke(&event("scheduled"), "tick");
    }
    world.get_mut().topic_is_down = false;
    for _ in 0..2 {
        let _ = world.invoke(&event("scheduled"), "tick");
    }
    assert_eq!(world.told(), [Outcome::Blocked]);
}

#[test]
fn what_ended_before_the_configuration_broke_is_told_although_it_is_broken() {
    let world = Memory::new("auto");
    tick(&world);
    world.get_mut().topic_is_down = true;
    let message = sns("hold web freeze", "hold", world.get().now);
    let _ = world.invoke(&message, "hold");
    world.get_mut().topic_is_down = false;
    world.get_mut().config["parameter"] = "Nope".into();
    for _ in 0..2 {
        let _ = world.invoke(&event("scheduled"), "tick");
    }
    assert_eq!(world.told().len(), 2, "{:?}", world.told());
}

#[test]
fn another_prefix_while_something_is_under_way_and_something_waits_ends_right() {
    let world = Memory::new("auto");
    tick(&world);
    let first = world.push("aaaaaaa");
    answers(&world, &push_event(&first), "promoted");
    let second = world.push("bbbbbbb");
    command(&world, "promote web", "queued");
    world.get_mut().config["tag_prefix"] = "production_eu_".into();
    come_to_rest(&world);
    assert_eq!((world.value().as_str(), runs(&world)), ("production_eu_bbbbbbb", second));
    assert_eq!(state(&world).open, []);
    command(&world, "rollback web", "promoted");
    finish(&world);
    assert_eq!((world.value().as_str(), runs(&world)), ("production_eu_aaaaaaa", first));
}

#[test]
fn a_channel_that_is_taken_away_while_people_are_asked_loses_no_approval() {
    let world = Memory::new("approval").in_slack(&json!({}));
    tick(&world);
    let digest = world.push("aaaaaaa");
    answers(&world, &push_event(&digest), "approval_requested");
    world.get_mut().config["approval"] = json!({});
    tick(&world);
    world.foreign_update("production_old");
    command(&world, &format!("approve web {digest}"), "queued");
    let newer = world.push("bbbbbbb");
    answers(&world, &push_event(&newer), "approval_requested");
    finish(&world);
    finish(&world);
    assert_eq!(runs(&world), digest);
}

#[test]
fn a_rollback_and_a_change_of_mind_while_an_update_goes_back_by_itself_follow() {
    // It fails by itself, and somebody wants it once more; or what ran before.
    let world = Memory::new("auto");
    tick(&world);
    let first = deploy(&world, "aaaaaaa");
    let second = world.push("bbbbbbb");
    answers(&world, &push_event(&second), "promoted");
    world.cancel_in_the_console(None);
    command(&world, "promote web", "queued");
    let told = world.get().told.last().cloned().expect("a notice");
    assert_eq!(told.outcome, Outcome::Queued);
    assert!(world.get().told.iter().any(
        |notice| notice.outcome == Outcome::Failed && notice.reason.contains("User Initiated")
    ));
    come_to_rest(&world);
    assert_eq!(runs(&world), second);
    command(&world, "rollback web", "promoted");
    world.cancel_in_the_console(Some("Console-1"));
    command(&world, "rollback web aaaaaaa", "queued");
    come_to_rest(&world);
    assert_eq!(runs(&world), first);
    assert_eq!(state(&world).open, []);
}

#[test]
fn people_in_slack_who_promote_again_while_their_cancelled_update_goes_back_are_obeyed() {
    let world = two_people(Memory::new("approval"));
    tick(&world);
    let digest = world.push("aaaaaaa");
    answers(&world, &push_event(&digest), "approval_requested");
    both_approve(&world);
    assert!(world.get().in_flight.is_some());
    world.writes(ALICE, "cancel web", "cancel");
    // One person alone changes nothing of that.
    world.writes(ALICE, "promote web", "again-1");
    assert!(world.get().in_flight.is_some());
    world.writes(BOB, "promote web", "again-2");
    come_to_rest(&world);
    assert_eq!(runs(&world), digest, "{:#?}", world.headlines());
    assert_eq!(state(&world).open, []);
}

#[test]
fn one_person_who_promotes_again_after_a_cancel_does_not_stand_for_two() {
    let world = two_people(Memory::new("approval"));
    tick(&world);
    let digest = world.push("aaaaaaa");
    answers(&world, &push_event(&digest), "approval_requested");
    both_approve(&world);
    world.writes(ALICE, "cancel web", "cancel");
    world.writes(ALICE, "promote web", "again-1");
    come_to_rest(&world);
    assert_eq!(world.value(), "production_old");
    assert_eq!(state(&world).open, []);
}

#[test]
fn where_the_list_is_emptied_only_the_questions_own_people_decide_on_it() {
    let world = two_people(Memory::new("approval"));
    tick(&world);
    let digest = world.push("aaaaaaa");
    answers(&world, &push_event(&digest), "approval_requested");
    let message = world.newest_message();
    world.get_mut().config["approval"] = json!({ "slack_channel": "C1" });
    for button in ["approve", "reject"] {
        let said = world.clicks(MALLORY, &message.button(button), button);
        assert!(said.as_ref().is_some_and(|said| said.contains("approvers")), "{said:?}");
    }
    world.writes(MALLORY, "promote web", "promote");
    let request = state(&world).request.expect("a request");
    assert_eq!(
        (request.votes.len(), request.progress),
        (0, ecr_promoter::model::approval::Progress::Pending)
    );
    for user in [ALICE, BOB] {
        world.clicks(user, &message.button("approve"), user);
    }
    come_to_rest(&world);
    assert_eq!(runs(&world), digest);
}

#[test]
fn what_a_person_queued_and_another_person_replaced_is_told() {
    let world = Memory::new("auto");
    tick(&world);
    let first = deploy(&world, "aaaaaaa");
    deploy(&world, "bbbbbbb");
    world.foreign_update("production_bbbbbbb");
    command(&world, &format!("promote web {first}"), "queued");
    world.push("ccccccc");
    command(&world, "promote web", "queued");
    let told = world
        .get()
        .told
        .iter()
        .filter(|notice| notice.outcome == Outcome::Superseded)
        .map(|notice| notice.digest.clone())
        .collect::<Vec<_>>();
    assert_eq!(told, [Some(first)]);
    come_to_rest(&world);
    assert_eq!(world.value(), "production_ccccccc");
}

#[test]
fn a_change_of_mind_while_an_update_goes_back_survives_every_fault() {
    for words in ["promote web", "rollback web aaaaaaa"] {
        survives_every_fault(
            || {
                let world = Memory::new("approval");
                tick(&world);
                let digest = world.push("aaaaaaa");
                command(&world, "promote web", "promoted");
                command(&world, "cancel web", "cancelled");
                (world, digest)
            },
            |_, _| sns(words, "again", "2026-03-17T09:41:30Z".parse().expect("a time")),
            |world, digest| {
                come_to_rest(world);
                assert_eq!((runs(world), state(world).open), (digest.clone(), vec![]), "{words}");
                assert_eq!(world.updates(), 2, "{words}");
            },
        );
    }
}
