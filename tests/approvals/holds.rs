//! An app that is held asks, also in auto mode.

use serde_json::json;

use super::steps::{assert_nothing_was_promoted, clicks, look, pushed, tick};
use crate::support::payloads::{event, stack_changed};
use crate::support::slack::{ALICE, BOB};
use crate::support::steps::{answers, assert_runs, command, push, state};
use crate::support::world::Memory;

#[test]
fn a_held_app_asks_in_auto_mode_and_an_approval_lifts_the_hold() {
    let world = Memory::new("auto").in_slack(&json!({}));
    command(&world, "hold web freeze <!channel> <script>", "held");
    let digest = pushed(&world, "abc1234");
    let message = world.newest_message();
    assert!(message.words().contains("freeze &lt;!channel&gt; &lt;script&gt;"), "{message:#?}");
    assert_eq!(world.clicks(ALICE, &message.button("approve"), "1"), None);
    assert_runs(&world, &digest, "abc1234");
    assert_eq!(state(&world).hold, None);
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    push(&world, "bbbbbbb", "promoted");
}

#[test]
fn a_resume_lets_the_pending_candidate_out_and_a_rejected_one_not() {
    for is_rejected in [false, true] {
        let world = Memory::new("auto").in_slack(&json!({}));
        command(&world, "hold web freeze", "held");
        let digest = pushed(&world, "abc1234");
        if is_rejected {
            clicks(&world, ALICE, "reject");
        }
        assert!(world.writes(BOB, "resume web", "1").contains("resumed"));
        for _ in 0..2 {
            look(&world, &tick());
        }
        if is_rejected {
            assert_nothing_was_promoted(&world);
            assert_eq!(look(&world, &event("scheduled")).as_deref(), Some("rejected"));
        } else {
            assert_runs(&world, &digest, "abc1234");
            assert_eq!(
                world.headlines(),
                ["web → production: abc1234 is on its way to production"]
            );
        }
    }
}

#[test]
fn what_waited_in_auto_mode_is_no_open_work_once_people_are_asked() {
    let world = Memory::new("auto").in_slack(&json!({}));
    world.foreign_update("production_old");
    push(&world, "abc1234", "queued");
    command(&world, "hold web freeze", "held");
    world.finish_update();
    answers(&world, &stack_changed(), "approval_requested");
    assert_eq!(state(&world).waiting, None);
    assert_eq!(look(&world, &tick()), None);
}
