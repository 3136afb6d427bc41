//! A fault at every call.

use ecr_promoter::model::Digest;
use ecr_promoter::model::approval::Progress;

use super::steps::{
    actions, asked, asking, assert_nothing_was_promoted, button, clicks, look, of_two, request,
    tick,
};
use crate::support::faults::survives_every_fault;
use crate::support::guard::{allowed, guarded};
use crate::support::payloads::{push_event, sns};
use crate::support::slack::{ALICE, BOB, click};
use crate::support::steps::assert_runs;
use crate::support::world::Memory;

#[test]
fn a_question_survives_every_fault_at_every_call() {
    let asked = |world: &Memory, digest: &Digest| {
        for _ in 0..2 {
            look(world, &tick());
        }
        let times = world.told().len();
        assert!(
            (1..=2).contains(&times),
            "the question is asked, twice at worst: {:?}",
            world.told()
        );
        assert_eq!(world.get().told[0].digest.as_ref(), Some(digest));
        assert!((1..=2).contains(&world.headlines().len()), "{:?}", world.headlines());
        assert_eq!(actions(world), ["approve", "reject"]);
        assert_nothing_was_promoted(world);
    };
    let new = |world: Memory| {
        let digest = world.push("abc1234");
        (world, digest)
    };
    survives_every_fault(|| new(asking()), |_, digest| push_event(digest), asked);
    survives_every_fault(
        || new(guarded(asking(), allowed())),
        |_, digest| push_event(digest),
        asked,
    );
}

fn carried_out_once(world: &Memory, digest: &Digest) {
    for _ in 0..2 {
        look(world, &tick());
    }
    // A click that came to nothing is made again.
    if request(world).progress == Progress::Pending {
        assert_nothing_was_promoted(world);
        assert_eq!(request(world).votes, []);
        clicks(world, ALICE, "approve");
    }
    assert_runs(world, digest, "abc1234");
    assert_eq!(world.updates(), 1, "one update");
    assert_eq!(request(world).votes.len(), 1);
    world.finish_update();
    for _ in 0..2 {
        look(world, &tick());
    }
    assert!(
        world
            .headlines()
            .iter()
            .all(|headline| headline.starts_with("web → production: abc1234 is in production")),
        "{:?}",
        world.headlines()
    );
    assert_eq!(look(world, &tick()), None);
}

#[test]
fn an_approval_survives_every_fault_at_every_call() {
    let by_sns = |world: &Memory, digest: &Digest| {
        sns(&format!("approve web {digest}"), "message-1", world.get().now)
    };
    let by_click =
        |world: &Memory, _: &Digest| click(world, ALICE, &button(world, "approve"), "trigger-1");
    survives_every_fault(|| asked(asking()), by_sns, carried_out_once);
    survives_every_fault(|| asked(asking()), by_click, carried_out_once);
    survives_every_fault(|| asked(guarded(asking(), allowed())), by_click, carried_out_once);
}

#[test]
fn a_rejection_survives_every_fault_at_every_call() {
    let by_click =
        |world: &Memory, _: &Digest| click(world, BOB, &button(world, "reject"), "trigger-1");
    survives_every_fault(
        || asked(asking()),
        by_click,
        |world, _| {
            for _ in 0..2 {
                look(world, &tick());
            }
            if request(world).progress == Progress::Pending {
                assert_eq!(request(world).votes, []);
                clicks(world, BOB, "reject");
            }
            assert_eq!(world.headlines(), ["web → production: abc1234 was rejected"]);
            assert_eq!(request(world).votes.len(), 1);
            assert_nothing_was_promoted(world);
            assert_eq!(look(world, &tick()), None);
        },
    );
}

#[test]
fn a_vote_of_two_survives_every_fault_at_every_call() {
    let by_click =
        |world: &Memory, _: &Digest| click(world, ALICE, &button(world, "approve"), "trigger-1");
    survives_every_fault(
        || asked(of_two(2)),
        by_click,
        |world, digest| {
            for _ in 0..2 {
                look(world, &tick());
            }
            clicks(world, ALICE, "approve");
            assert_nothing_was_promoted(world);
            clicks(world, BOB, "approve");
            assert_runs(world, digest, "abc1234");
            assert_eq!(request(world).votes.len(), 2);
        },
    );
}
