//! The buttons that act at once: *Look now* and *Ask again*.

use ecr_promoter::model::approval::Progress;
use ecr_promoter::model::{Digest, RequestId};
use jiff::SignedDuration;
use serde_json::json;

use super::steps::{
    ONCE, board_by_invocation, board_in_slack, does, everything, forces, presses, pushed, sends,
    with_approvers,
};
use crate::support::browser::{HOST, Page, browse, get, post};
use crate::support::signature::form;
use crate::support::steps::{state, tick, two_deployed};
use crate::support::world::Memory;

fn look(board: &str) -> String {
    format!("{board}/act/look/web")
}

fn ask(board: &str, digest: &Digest) -> String {
    format!("{board}/act/ask/web?image={digest}")
}

fn app(world: &Memory, board: &str) -> Page {
    get(world, &format!("{board}/app/web"))
}

/// Lets the request about this image expire.
fn nobody_decides(world: &Memory) {
    world.get_mut().now += SignedDuration::from_hours(73);
    tick(world);
    assert_eq!(asked(world).1, Progress::Expired);
}

fn asked(world: &Memory) -> (RequestId, Progress) {
    let request = state(world).request.expect("a request");
    (request.id, request.progress)
}

#[test]
fn look_now_does_what_was_missed() {
    for board in [board_by_invocation, |world: &Memory| board_in_slack(world, "UALICE")] {
        let world = with_approvers("auto");
        two_deployed(&world);
        let digest = world.push("ccccccc");
        let board = board(&world);
        let before = everything(&world);
        let page = app(&world, &board);
        assert_eq!(everything(&world), before, "looking at the page changes nothing");
        let done = presses(&world, &page, &look(&board));
        assert_eq!(done.status, 200);
        done.says("On its way").says("CloudFormation accepted the update").says("Follow web");
        assert_eq!(state(&world).open[0].digest, digest);
        let before = everything(&world);
        assert_eq!(sends(&world, &look(&board), &page, &[]).status, 200);
        assert_eq!(everything(&world), before, "a second look finds nothing more to do");
    }
}

#[test]
fn a_look_that_finds_nothing_to_do_or_a_hold_is_done_all_the_same() {
    let world = Memory::new("auto");
    two_deployed(&world);
    let board = board_by_invocation(&world);
    let done = presses(&world, &app(&world, &board), &look(&board));
    assert_eq!(done.status, 200);
    done.says("Nothing to do");
    does(&world, &format!("{board}/act/rollback/web"), &[]).says("Rolling back");
    world.finish_update();
    tick(&world);
    let done = presses(&world, &app(&world, &board), &look(&board));
    assert_eq!(done.status, 200);
    done.says("Held");
}

#[test]
fn an_app_that_was_never_looked_at_can_be_looked_at_now() {
    let world = Memory::new("auto");
    world.push("aaaaaaa");
    let board = board_by_invocation(&world);
    let page = app(&world, &board);
    page.says("Never looked at");
    presses(&world, &page, &look(&board)).says("Seen for the first time");
    assert_eq!(world.updates(), 0);
    app(&world, &board).says("Now: running");
}

#[test]
fn the_address_of_a_button_asks_before_it_acts() {
    let world = Memory::new("approval");
    let digest = pushed(&world, "abc1234");
    nobody_decides(&world);
    let board = board_by_invocation(&world);
    let before = everything(&world);
    get(&world, &look(&board)).says("Look now at web?").says("does what is due");
    let page = get(&world, &ask(&board, &digest));
    page.says("Ask again about web abc1234?").says("People are asked about abc1234 once more.");
    assert_eq!(everything(&world), before);
    sends(&world, &ask(&board, &digest), &page, &[]).says("Waits for approval");
}

#[test]
fn a_form_of_another_site_or_of_no_page_neither_looks_nor_asks() {
    let world = Memory::new("auto");
    two_deployed(&world);
    let digest = world.push("ccccccc");
    let board = board_by_invocation(&world);
    let before = everything(&world);
    let evil = json!({ "host": HOST, "origin": "https://evil.example" });
    for address in [look(&board), ask(&board, &digest)] {
        let forged = browse(&world, "POST", &address, &evil, &form(&[("once", ONCE)]));
        assert_eq!(forged.status, 403, "{address}");
        for fields in
            [&[][..], &[("once", "x")], &[("once", ONCE), ("once", ONCE)], &[("reason", "x")]]
        {
            assert_eq!(post(&world, &address, fields).status, 400, "{address} {fields:?}");
        }
        assert_eq!(forces(&world, &address, &[("why", "x")]).status, 400, "{address}");
    }
    for address in [
        format!("{}?image={digest}", look(&board)),
        format!("{board}/act/ask/web"),
        format!("{board}/act/ask/web?image=latest"),
    ] {
        assert_eq!(forces(&world, &address, &[]).status, 400, "{address}");
    }
    assert_eq!(everything(&world), before);
}

#[test]
fn who_may_not_command_neither_looks_nor_asks() {
    let world = with_approvers("approval");
    let digest = pushed(&world, "abc1234");
    nobody_decides(&world);
    world.push("def5678");
    let board = board_in_slack(&world, "UMALLORY");
    let page = app(&world, &board);
    assert_eq!(page.buttons(), [""; 0]);
    let before = everything(&world);
    for address in [look(&board), ask(&board, &digest)] {
        let forced = forces(&world, &address, &[]);
        assert_eq!(forced.status, 409, "{address}");
        forced.says("refused").says("approval.approvers");
    }
    assert_eq!(everything(&world), before);
}

#[test]
fn an_expired_request_is_asked_again_once() {
    for board in [board_by_invocation, |world: &Memory| board_in_slack(world, "UALICE")] {
        let world = with_approvers("approval");
        let digest = pushed(&world, "abc1234");
        let address = |page: &Page| page.buttons().into_iter().find(|it| it.contains("/act/ask/"));
        let open = board(&world);
        assert_eq!(address(&app(&world, &open)), None, "nobody has decided yet");
        nobody_decides(&world);
        let (first, _) = asked(&world);
        let board = board(&world);
        let page = app(&world, &board);
        page.says("nobody decided in time").says("Ask again");
        let done = presses(&world, &page, &ask(&board, &digest));
        assert_eq!(done.status, 200);
        done.says("Waits for approval").says("nothing is promoted until somebody approves it");
        let (second, progress) = asked(&world);
        assert_eq!(progress, Progress::Pending);
        assert_ne!(second, first, "it is another request");
        let before = everything(&world);
        assert_eq!(sends(&world, &ask(&board, &digest), &page, &[]).status, 200);
        assert_eq!(everything(&world), before, "the same form asks once");
        assert_eq!(address(&app(&world, &board)), None);
    }
}

#[test]
fn what_was_replaced_meanwhile_is_not_asked_about_again() {
    let world = Memory::new("approval");
    let digest = pushed(&world, "abc1234");
    nobody_decides(&world);
    let board = board_by_invocation(&world);
    let page = app(&world, &board);
    let newer = pushed(&world, "def5678");
    let before = everything(&world);
    let late = presses(&world, &page, &ask(&board, &digest));
    assert_eq!(late.status, 409);
    late.says("Superseded");
    assert_eq!(everything(&world), before);
    assert_eq!(state(&world).request.map(|request| request.digest), Some(newer));
}
