//! Crowds: several sandboxes at once, in any order, with duplicates, losses, deaths, and people in
//! between. Deterministic: a schedule is a list of choices, and a seed that fails is printed and
//! can be run again with `SIMULATION_SEED=<seed>`.
//!
//! The world itself asserts at every call what must always hold: a tag is never moved, an update's
//! token is in the state before it is sent, every other parameter is named, nobody else's update is
//! cancelled. At rest, the rest is asserted.

mod support;

use std::collections::BTreeSet;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use ecr_promoter::error::Error;
use ecr_promoter::model::Digest;
use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::approval::Progress;
use ecr_promoter::model::change_set::Change;
use ecr_promoter::model::promotion::End;
use ecr_promoter::model::state::State;
use jiff::SignedDuration;
use serde_json::{Value, json};
use support::{Fault, Memory, STACK_ID, change, event, push_event, sns, tag};

/// Lets CloudFormation finish and delivers its events and the schedule's, until nothing changes any
/// more.
fn settle(world: &Memory) {
    // What the guard blocks has its change set made at each look: the time of that is no change,
    // and a slow one has no rest.
    world.get_mut().looks_of_a_review = 0;
    let state = || {
        world
            .get()
            .state
            .as_ref()
            .map(|(state, _)| State { change_sets: Vec::new(), ..state.clone() })
    };
    let look =
        || (state(), world.updates(), world.get().told.len(), world.get().change_sets.clone());
    for _ in 0..30 {
        let before = look();
        if world.get().in_flight.is_some() {
            if world.get().status == "UPDATE_ROLLBACK_IN_PROGRESS" {
                world.fail_update("cancelled")
            } else {
                world.finish_update()
            }
        }
        for name in ["cfn-update-complete", "scheduled"] {
            world
                .invoke(&event(name), "look")
                .unwrap_or_else(|error| panic!("{name}: {error}\n{}", describe(world)));
        }
        if world.get().in_flight.is_none() && before == look() {
            return;
        }
    }
    panic!("it does not come to rest: {}", describe(world));
}

/// What a failing seed shows.
fn describe(world: &Memory) -> String {
    let inner = world.get();
    let events: Vec<String> =
        inner.events.iter().take(8).map(|e| format!("{:?} {}", e.token, e.status)).collect();
    let state = inner.state.as_ref().map(|(state, _)| state);
    format!(
        "{} {}\nupdates {:#?}\nevents {events:#?}\nstate {state:#?}",
        inner.status, inner.parameters["ProductionTag"], inner.updates
    )
}

/// What must hold whenever everything has come to rest.
fn assert_at_rest(world: &Memory) {
    let inner = world.get();
    let (state, _) = inner.state.as_ref().expect("a state");
    assert_eq!(state.open, [], "nothing is left open");
    assert_eq!(state.untold, [], "nothing is left untold");
    assert!(
        inner.change_sets.values().all(Option::is_none),
        "no change set of ours is left: {:?}",
        inner.change_sets
    );
    let running = state.running.as_ref().expect("something runs");
    // What the guard blocks may be the way back from an update that was overtaken.
    let is_forbidden = !inner.config["guard"].is_null() && inner.would_change.list == forbidden();
    let is_blocked = is_forbidden
        && state.waiting.as_ref().is_some_and(|waiting| waiting.outcome == Outcome::Blocked);
    assert!(
        is_blocked || running.tag == inner.parameters["ProductionTag"],
        "the state knows what runs: {}",
        describe(world)
    );
    let is_as_promoted = inner.tags.get(&tag(&running.tag)) == running.digest.as_ref();
    let is_moved = inner.moved_by_others.contains(&tag(&running.tag));
    let is_pinned = running.tag.starts_with("production_");
    assert!(
        is_as_promoted || is_moved || !is_pinned,
        "the tag is on what was promoted: {}",
        describe(world)
    );
    let is_known_as_moved = state.moved_tag.as_ref().is_some_and(|moved| moved.tag == running.tag);
    let must_be_known = !is_as_promoted && running.digest.is_some() && is_pinned;
    assert_eq!(is_known_as_moved, must_be_known, "a moved tag is told: {}", describe(world));
    let tokens: BTreeSet<&String> = inner.updates.iter().map(|(token, _)| token).collect();
    assert!(
        inner.takes_known_tokens || tokens.len() == inner.updates.len(),
        "one promotion is one update"
    );
    let numbers: Vec<u64> = inner.history.keys().copied().collect();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>(), "the history has no gap");
    for ended in inner.history.values().filter(|ended| ended.end != End::Superseded) {
        let is_told = inner.told.iter().any(|notice| {
            notice.outcome == ended.end.outcome()
                && notice.tag.as_ref() == Some(&ended.promotion.tag)
        });
        assert!(is_told, "{:?} of {} was told", ended.end, ended.promotion.tag);
    }
    for request in state.all_requests() {
        assert!(!request.is_unshown(), "Slack shows what became of it: {request:#?}");
    }
    let Some(newest) = inner.tags.get(&tag("latest")) else { return };
    let is_asked = state.request.as_ref().is_some_and(|request| {
        request.digest == *newest
            && (inner.config["mode"] == "approval" || request.progress == Progress::Rejected)
    });
    let is_set_aside = state.failed.contains(newest)
        || [&state.passed_over, &state.first_seen].contains(&&Some(newest.clone()));
    let may_wait = state.hold.is_some() || is_asked || is_set_aside || is_blocked;
    assert!(
        may_wait || running.digest.as_ref() == Some(newest),
        "the newest permitted image runs: {}",
        describe(world)
    );
}

/// A rollback goes to an image that ran before, and not to what runs; if there is none that can be
/// pulled, it says so.
fn assert_a_rollback_goes_back(world: &Memory) {
    let before = world
        .get()
        .state
        .as_ref()
        .and_then(|(state, _)| state.running.clone())
        .and_then(|running| running.digest);
    let message = sns("rollback web", "the last rollback", world.get().now);
    let answer = world
        .invoke(&message, "rollback")
        .unwrap_or_else(|error| panic!("rollback: {error}\n{}", describe(world)));
    if !["promoted", "queued"].contains(&answer["outcome"].as_str().expect("an outcome")) {
        assert!(
            ["refused", "blocked", "failed"]
                .contains(&answer["outcome"].as_str().expect("an outcome")),
            "{answer:#}"
        );
        return;
    }
    let target: Digest = answer["digest"].as_str().expect("a digest").parse().expect("a digest");
    assert_ne!(Some(&target), before.as_ref(), "it goes back: {}", describe(world));
    assert!(
        world.get().ran.contains(&target),
        "what is gone back to ran before: {answer:#}\n{}",
        describe(world)
    );
    settle(world);
    assert_at_rest(world);
}

/// Everything again, late: nothing may change.
fn assert_nothing_undoes_it(world: &Memory, payloads: &[Value]) {
    let before = (world.value(), world.updates());
    for payload in payloads {
        world.invoke(payload, "a late duplicate").expect("an answer");
    }
    settle(world);
    // What somebody set to a tag that moves is pinned by the next push.
    let is_pinned = before.0.starts_with("production_");
    assert!(
        !is_pinned || (world.value(), world.updates()) == before,
        "a late duplicate changed what runs: {}",
        describe(world)
    );
}

/// Every interleaving of what `start` makes, each to its rest.
fn every_interleaving((start, payloads): (Memory, Vec<Value>), check: impl Fn(&Memory)) -> usize {
    support::every_interleaving(&start, &payloads, |world| {
        settle(world);
        assert_at_rest(world);
        check(world);
    })
}

/// `aaaaaaa` was deployed, and then `bbbbbbb`.
fn two_deployed() -> Memory {
    let world = Memory::new("auto");
    for commit in ["aaaaaaa", "bbbbbbb"] {
        let digest = world.push(commit);
        world.invoke(&push_event(&digest), "request").expect("an answer");
        settle(&world);
    }
    world
}

#[test]
fn every_interleaving_of_two_deliveries_of_a_push_is_one_update() {
    let start = {
        let world = Memory::new("auto");
        let digest = world.push("abc1234");
        (world, vec![push_event(&digest), push_event(&digest)])
    };
    let runs = every_interleaving(start, |world| {
        assert_eq!((world.updates(), world.value().as_str()), (1, "production_abc1234"))
    });
    assert!(runs > 500, "{runs} interleavings");
}

#[test]
fn every_interleaving_of_an_older_and_a_newer_push_runs_the_newer() {
    let start = {
        let world = Memory::new("auto");
        let older = world.push("aaaaaaa");
        let newer = world.push("bbbbbbb");
        (world, vec![push_event(&older), push_event(&newer)])
    };
    every_interleaving(start, |world| assert_eq!(world.value(), "production_bbbbbbb"));
}

#[test]
fn every_interleaving_of_a_push_and_a_rollback_is_rolled_back_or_was_pushed_after() {
    let start = {
        let world = two_deployed();
        let digest = world.push("ccccccc");
        let rollback = sns("rollback web", "rollback", world.get().now);
        (world, vec![push_event(&digest), rollback])
    };
    every_interleaving(start, |world| {
        // Before the push: to `a`. During its update: back to `b`.
        assert!(
            ["production_aaaaaaa", "production_bbbbbbb"].contains(&world.value().as_str()),
            "{}",
            world.value()
        );
        assert!(world.get().state.as_ref().expect("a state").0.hold.is_some());
    });
}

#[test]
fn every_interleaving_of_a_push_and_an_older_commit_named_by_a_person_runs_what_the_person_named() {
    let start = {
        let world = two_deployed();
        let digest = world.push("ccccccc");
        let promote = sns("promote web aaaaaaa", "promote", world.get().now);
        (world, vec![push_event(&digest), promote])
    };
    every_interleaving(start, |world| assert_eq!(world.value(), "production_aaaaaaa"));
}

#[test]
fn every_interleaving_of_one_command_delivered_twice_acts_once() {
    let start = {
        let world = Memory::new("approval");
        world.push("abc1234");
        let promote = sns("promote web", "promote", world.get().now);
        (world, vec![promote.clone(), promote])
    };
    every_interleaving(start, |world| {
        assert_eq!((world.updates(), world.value().as_str()), (1, "production_abc1234"))
    });
}

#[test]
fn every_interleaving_of_the_stacks_event_and_a_tick_tells_and_goes_on() {
    let start = {
        let world = two_deployed();
        let first = world.push("ccccccc");
        world.invoke(&push_event(&first), "request").expect("an answer");
        world.push("ddddddd");
        world.finish_update();
        (world, vec![event("cfn-update-complete"), event("scheduled")])
    };
    every_interleaving(start, |world| {
        assert_eq!((world.updates(), world.value().as_str()), (4, "production_ddddddd"))
    });
}

#[test]
fn a_newer_push_between_any_two_calls_of_an_older_pushs_handler_runs_in_the_end() {
    for finishes_at_once in [true, false] {
        for steps in 0.. {
            let world = two_deployed();
            world.get_mut().finishes_at_once = finishes_at_once;
            let older = world.push("ccccccc");
            let mut handler = Box::pin(world.handler(push_event(&older), "older"));
            let is_done = (0..steps)
                .any(|_| handler.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
            let newer = world.push("ddddddd");
            world.invoke(&push_event(&newer), "newer").expect("an answer");
            if !finishes_at_once && steps % 2 == 0 {
                settle(&world); // the newer one is deployed before the older one's sandbox wakes up
            }
            if !is_done {
                support::run(handler).expect("the sandbox lives").expect("an answer");
            }
            settle(&world);
            assert_at_rest(&world);
            assert_eq!(world.value(), "production_ddddddd", "a newer push after {steps} steps");
            if is_done {
                assert!(steps > 5, "the handler takes several steps");
                break;
            }
        }
    }
}

/// What the guard of a story lets through.
fn allowed() -> Vec<Change> {
    vec![change("AWS::ECS::TaskDefinition", "Task")]
}

/// What it does not.
fn forbidden() -> Vec<Change> {
    vec![change("AWS::ECS::TaskDefinition", "Task"), change("AWS::RDS::DBInstance", "Database")]
}

/// What a person says about the candidate, or about one that is it no more.
fn a_word(world: &Memory, random: &mut fastrand::Rng) -> String {
    let inner = world.get();
    let newest = inner.tags.get(&tag("latest")).cloned();
    let older = inner
        .state
        .iter()
        .flat_map(|(state, _)| state.all_requests())
        .map(|request| request.digest.clone())
        .last();
    let digest = if random.u8(..4) > 0 { newest } else { older };
    let Some(digest) = digest else { return "ask web".to_owned() };
    match random.u8(..6) {
        0..=3 => format!("approve web {digest}"),
        4 => format!("reject web {digest}"),
        _ => "ask web".to_owned(),
    }
}

/// Something happens to a guarded story's change sets: how long they take, what they would do, and
/// who makes others.
fn around_the_guard(world: &Memory, random: &mut fastrand::Rng, queue: &mut Vec<Value>) {
    let mut inner = world.get_mut();
    match random.u8(..6) {
        0 => inner.looks_of_a_review = random.usize(..4),
        1..=3 => inner.would_change.list = if random.u8(..3) > 0 { allowed() } else { forbidden() },
        4 => {
            inner.change_sets.insert("by-hand".to_owned(), None);
        }
        _ => queue.push(event("command-plan")),
    }
}

/// What others do in the console and in the registry.
fn a_stranger(world: &Memory, random: &mut fastrand::Rng) {
    let is_under_way = world.get().status == "UPDATE_IN_PROGRESS";
    let production: Vec<String> = world
        .get()
        .tags
        .keys()
        .map(ToString::to_string)
        .filter(|name| name.starts_with("production_"))
        .collect();
    let images: Vec<Digest> = world.get().images.keys().cloned().collect();
    let name = random.choice(&production).cloned();
    let Some(image) = random.choice(&images).cloned() else { return };
    match (random.u8(..8), name) {
        (0..=1, _) if is_under_way => world.cancel_in_the_console(
            random.choice([None, Some("Console-CancelUpdateStack-1")]).flatten(),
        ),
        (2, Some(name)) if !world.get().is_immutable => world.move_tag(&name, Some(&image)),
        (3, Some(name)) => world.move_tag(if random.u8(..6) == 0 { "latest" } else { &name }, None),
        (4, _) => world.delete_image(&image),
        (5, Some(name)) if world.get().in_flight.is_none() => {
            let value = if random.bool() { name.as_str() } else { "latest" };
            world.foreign_update(value);
        }
        (6, _) => {
            let stack = if random.bool() { "web".to_owned() } else { STACK_ID.to_owned() };
            let is_first = world.get().stack_id == STACK_ID;
            if is_first {
                world.get_mut().config["stack"] = stack.into();
            }
        }
        (7, _) if random.u8(..4) == 0 => world.move_to_the_other_stack(),
        _ => {}
    }
}

type Handler = Pin<Box<dyn Future<Output = Option<Result<Value, Error>>>>>;

/// One story of many pushes, commands, stack events, ticks, deaths and faults.
fn story(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let world = Memory::new(if random.u8(..4) == 0 { "approval" } else { "auto" });
    world.get_mut().takes_known_tokens = random.bool();
    if random.bool() {
        world.get_mut().config["approval"] = json!({ "slack_channel": "C1" });
    }
    let has_strangers = random.bool();
    if has_strangers {
        world.get_mut().is_immutable = random.bool();
    }
    let is_guarded = random.u8(..4) == 0;
    if is_guarded {
        world.get_mut().config["guard"] =
            json!({ "allowed_changes": ["AWS::ECS::TaskDefinition:Replacement"] });
        world.get_mut().would_change.list = allowed();
    }
    let mut queue: Vec<Value> = Vec::new();
    let mut delivered: Vec<Value> = Vec::new();
    let mut running: Vec<(Value, u32, Handler)> = Vec::new();
    let mut commits = 0;
    let mut left = 120;
    while left > 0 || !queue.is_empty() || !running.is_empty() {
        left -= i32::from(left > 0);
        match random.u8(..20) {
            0..=1 if left > 0 => {
                commits += 1;
                // now and then a commit is built twice
                let digest = world.push(&format!("abcd{:03}", commits % 12));
                let event = push_event(&digest);
                for _ in 0..random.usize(..4) {
                    queue.push(event.clone()); // lost, or delivered up to three times
                }
            }
            2 if left > 0 => {
                let words = [
                    "promote web",
                    "promote web abcd001",
                    "rollback web",
                    "cancel web",
                    "hold web freeze",
                    "resume web",
                ];
                let message = sns(
                    random.choice(words).expect("a command"),
                    &format!("message-{left}"),
                    world.get().now,
                );
                queue.extend(std::iter::repeat_n(message, random.usize(1..3)));
            }
            3 if left > 0 => queue.push(event("scheduled")),
            4..=5 if world.get().in_flight.is_some() => {
                let is_cancelled = world.get().status == "UPDATE_ROLLBACK_IN_PROGRESS";
                if is_cancelled || random.u8(..4) == 0 {
                    world.fail_update("it did not stabilize")
                } else {
                    world.finish_update()
                }
                if left > 0 && random.u8(..4) > 0 {
                    queue.push(event("cfn-update-complete"));
                }
            }
            6 if left > 0 && world.get().in_flight.is_none() && random.u8(..10) == 0 => {
                world.foreign_update("production_old")
            }
            7 if left > 0 && random.u8(..3) == 0 => {
                let at = world.get().calls.len() + random.usize(..6);
                let fault = *[Fault::Before, Fault::After, Fault::Death]
                    .get(random.usize(..3))
                    .expect("a fault");
                world.get_mut().fault = Some((at, fault));
            }
            11 if left > 0 && random.bool() => {
                let message =
                    sns(&a_word(&world, &mut random), &format!("word-{left}"), world.get().now);
                queue.extend(std::iter::repeat_n(message, random.usize(1..3)));
            }
            12 if left > 0 && random.u8(..4) == 0 => {
                let is_down = world.get().slack_is_down;
                world.get_mut().slack_is_down = !is_down;
            }
            // No sandbox lives that long.
            13 if left > 0 && running.is_empty() && random.u8(..6) == 0 => {
                world.get_mut().now += SignedDuration::from_hours(40)
            }
            14 if left > 0 && has_strangers => a_stranger(&world, &mut random),
            8 if left > 0 && is_guarded => around_the_guard(&world, &mut random, &mut queue),
            8..=10 if !queue.is_empty() && running.len() < 6 => {
                let payload = queue.swap_remove(random.usize(..queue.len()));
                let handler = Box::pin(
                    world.handler(payload.clone(), &format!("request-{left}-{}", queue.len())),
                );
                running.push((payload, 0, handler));
            }
            _ if !running.is_empty() => {
                let at = random.usize(..running.len());
                if let Poll::Ready(result) =
                    running[at].2.as_mut().poll(&mut Context::from_waker(Waker::noop()))
                {
                    let (payload, attempt, _) = running.swap_remove(at);
                    // Lambda tries an asynchronous invocation three times in all.
                    if matches!(result, Some(Ok(_))) {
                        delivered.push(payload);
                    } else if attempt < 2 {
                        let again = Box::pin(world.handler(payload.clone(), "again"));
                        running.push((payload, attempt + 1, again));
                    }
                }
            }
            _ => {}
        }
    }
    world.get_mut().fault = None;
    world.get_mut().slack_is_down = false;
    if world.get().tags.contains_key(&tag("latest")) {
        if is_guarded {
            hours_pass(&world);
        } else {
            settle(&world);
        }
        assert_at_rest(&world);
        // Pushes and commands again, and looks; a question may have been answered by nobody.
        assert_nothing_undoes_it(&world, &delivered);
        assert_at_rest(&world);
        if is_guarded {
            // What it blocked goes on by itself, once that is mended.
            world.get_mut().would_change.list = allowed();
            hours_pass(&world);
            assert_at_rest(&world);
        }
        assert_a_rollback_goes_back(&world);
    } else {
        // What people began needs no candidate.
        settle(&world);
        assert_eq!(
            world.get().state.as_ref().map(|(state, _)| state.open.clone()).unwrap_or_default(),
            [],
            "{}",
            describe(&world)
        );
    }
}

/// Long enough that no sandbox of before can live any more: a change set that one made late is
/// removed, too.
fn hours_pass(world: &Memory) {
    for _ in 0..2 {
        settle(world);
        world.get_mut().now += SignedDuration::from_hours(1);
    }
    settle(world);
}

#[test]
fn thousands_of_random_stories_end_in_the_right_place() {
    let seeds = match std::env::var("SIMULATION_SEED") {
        Ok(seed) => {
            let seed: u64 = seed.parse().expect("SIMULATION_SEED is a number");
            seed..seed + 1
        }
        Err(_) => 0..4_000,
    };
    for seed in seeds {
        if std::panic::catch_unwind(|| story(seed)).is_err() {
            panic!(
                "seed {seed} fails; run it again: SIMULATION_SEED={seed} cargo test --test \
                 simulation thousands"
            );
        }
    }
}

#[test]
fn the_last_one_hundred_promotions_are_told() {
    let world = Memory::new("auto");
    for build in 0..100 {
        let digest = world.push(&format!("abc0{build:03}"));
        world.invoke(&push_event(&digest), "request").expect("an answer");
        settle(&world);
    }
    let history = world
        .invoke(&json!({"action": "history", "repository": "web"}), "request")
        .expect("a history");
    assert_eq!(history["promotions"].as_array().expect("a list").len(), 100);
    assert_eq!(world.told().iter().filter(|outcome| **outcome == Outcome::Deployed).count(), 100);
}
