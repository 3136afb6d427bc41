//! Several people, and a push, at the same time.

use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::approval::Progress;
use serde_json::Value;

use super::steps::{asked, asking, assert_nothing_was_promoted, button, request};
use crate::support::interleave::{self, goes_on, random_interleavings, run};
use crate::support::payloads::{event, push_event, sns, stack_changed};
use crate::support::slack::{ALICE, BOB, CHANNEL, MALLORY, click, slash};
use crate::support::world::Memory;

/// Lets CloudFormation finish and delivers its events, until nothing changes any more.
fn settle(world: &Memory) {
    for _ in 0..10 {
        let before = (world.get().state.clone(), world.updates());
        if world.get().in_flight.is_some() {
            world.finish_update();
        }
        for payload in [stack_changed(), event("scheduled")] {
            world.invoke(&payload, "look").expect("an answer");
        }
        if world.get().in_flight.is_none() && before == (world.get().state.clone(), world.updates())
        {
            return;
        }
    }
    panic!("it does not come to rest: {:#?}", world.get().updates);
}

fn every_interleaving(start: &Memory, payloads: &[Value], check: impl Fn(&Memory)) {
    let runs = interleave::every_interleaving(start, payloads, |world| {
        settle(world);
        check(world);
    });
    assert!(runs > 100, "{runs} interleavings");
}

/// Whichever was written first stands, and everything agrees with it.
fn assert_one_verdict(world: &Memory) {
    let request = request(world);
    let (yes, no) = (
        request.votes.iter().filter(|vote| vote.approves).count(),
        request.votes.iter().filter(|vote| !vote.approves).count(),
    );
    let headline = world.newest_message().headline;
    if no == 1 {
        assert_eq!(
            (yes, request.progress, headline.as_str()),
            (0, Progress::Rejected, "web → production: abc1234 was rejected")
        );
        assert_nothing_was_promoted(world);
        assert!(!world.told().contains(&Outcome::Promoted));
    } else {
        assert_eq!(
            (yes, no, world.updates(), world.value().as_str()),
            (1, 0, 1, "production_abc1234")
        );
        assert!(headline.starts_with("web → production: abc1234 is in production"), "{headline}");
        assert!(!world.told().contains(&Outcome::Rejected));
    }
    assert_eq!(world.headlines().len(), 1);
}

#[test]
fn every_interleaving_of_an_approval_and_a_rejection_is_one_verdict() {
    let (world, digest) = asked(asking());
    let now = world.get().now;
    let by_sns = [
        sns(&format!("approve web {digest}"), "1", now),
        sns(&format!("reject web {digest}"), "2", now),
    ];
    every_interleaving(&world, &by_sns, assert_one_verdict);
}

#[test]
fn clicks_at_the_same_time_are_one_verdict() {
    let new = |_| {
        let (world, digest) = asked(asking());
        let (approve, reject) = (button(&world, "approve"), button(&world, "reject"));
        let payloads = vec![
            click(&world, ALICE, &approve, "1"),
            click(&world, BOB, &reject, "2"),
            slash(&world, CHANNEL, MALLORY, &format!("reject web {digest}"), "3"),
            click(&world, ALICE, &approve, "1"),
        ];
        (world, payloads)
    };
    random_interleavings(new, |world| {
        settle(world);
        assert_one_verdict(world);
    });
}

#[test]
fn every_interleaving_of_an_approval_and_a_newer_push_runs_what_was_approved_or_nothing() {
    let (world, approved) = asked(asking());
    let approve = sns(&format!("approve web {approved}"), "1", world.get().now);
    let newer = world.push("bbbbbbb");
    every_interleaving(&world, &[approve, push_event(&newer)], |world| {
        assert!(
            ["production_old", "production_abc1234"].contains(&world.value().as_str()),
            "{}",
            world.value()
        );
        assert_eq!(request(world).digest, newer);
        assert_eq!(request(world).progress, Progress::Pending);
        let first = &world.headlines()[0];
        assert!(
            first == "web → production: abc1234 was superseded"
                || world.value() == "production_abc1234",
            "{first} {}",
            world.value()
        );
    });
}

#[test]
fn a_newer_push_between_any_two_calls_of_an_approval_runs_what_was_approved_or_nothing() {
    for steps in 0.. {
        let (world, approved) = asked(asking());
        let payload = sns(&format!("approve web {approved}"), "1", world.get().now);
        let mut handler = Box::pin(world.handler(payload, "approve"));
        let is_done = goes_on(&mut handler, steps);
        let newer = world.push("bbbbbbb");
        world.invoke(&push_event(&newer), "push").expect("an answer");
        if !is_done {
            run(handler).expect("the sandbox lives").expect("an answer");
        }
        settle(&world);
        assert!(
            ["production_old", "production_abc1234"].contains(&world.value().as_str()),
            "{} after {steps}",
            world.value()
        );
        assert_eq!(request(&world).digest, newer, "after {steps} steps");
        let progress = request(&world).progress;
        assert_eq!(progress, Progress::Pending, "after {steps} steps");
        if is_done {
            assert!(steps > 5, "the handler takes several steps");
            break;
        }
    }
}
