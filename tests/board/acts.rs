//! Acts: by those who may, once.

use ecr_promoter::model::Digest;
use serde_json::json;

use super::steps::{
    board_by_invocation, board_in_slack, does, everything, forces, pushed, sends, with_approvers,
};
use crate::support::browser::{HOST, browse, get, post};
use crate::support::payloads::event;
use crate::support::steps::two_deployed;
use crate::support::world::Memory;

#[test]
fn a_listed_user_approves_and_rejects() {
    for (act, want) in [("approve", "On its way"), ("reject", "Rejected")] {
        let world = with_approvers("approval");
        let digest = pushed(&world, "abc1234");
        let app = get(&world, &format!("{}/app/web", board_in_slack(&world, "UALICE")));
        let before = everything(&world);
        let address = app.link(&format!("/act/{act}/"));
        for method in ["GET", "HEAD", "GET"] {
            assert_eq!(browse(&world, method, &address, &json!({ "host": HOST }), "").status, 200);
        }
        assert_eq!(everything(&world), before, "looking changes nothing");
        let page = does(&world, &address, &[]);
        assert_eq!(page.status, 200);
        page.says(want);
        let state = world.get().state.clone().expect("kept").0;
        let votes = state.request.as_ref().expect("a request").votes.clone();
        assert_eq!(
            votes.iter().map(|vote| vote.user.as_deref()).collect::<Vec<_>>(),
            [Some("UALICE")]
        );
        let sent: Vec<&Digest> = state.open.iter().map(|open| &open.digest).collect();
        assert_eq!(sent, if act == "approve" { vec![&digest] } else { vec![] });
        assert_eq!(world.updates(), sent.len());
    }
}

#[test]
fn a_listed_user_promotes_rolls_back_holds_resumes_and_cancels() {
    let world = with_approvers("auto");
    let (first, _) = two_deployed(&world);
    let board = board_in_slack(&world, "UALICE");
    let app = format!("{board}/app/web");

    let held = does(&world, &get(&world, &app).link("/act/hold/"), &[("reason", "release freeze")]);
    held.says("Held");
    get(&world, &app).says("release freeze").says("someone (Slack, UALICE)");
    does(&world, &get(&world, &app).link("/act/resume/"), &[]).says("Resumed");

    let back =
        does(&world, &get(&world, &app).link(&format!("/act/rollback/web?image={first}")), &[]);
    back.says("Rolling back");
    assert_eq!(world.value(), "production_aaaaaaa");
    does(&world, &get(&world, &app).link("/act/cancel/"), &[]).says("Cancelled");
    world.fail_update("User Initiated rollback");
    world.invoke(&event("scheduled"), "tick").expect("an answer");
    assert_eq!(world.value(), "production_bbbbbbb");

    does(&world, &get(&world, &app).link("/act/rollback/web"), &[]).says("Rolling back");
    assert_eq!(world.value(), "production_aaaaaaa");
}

#[test]
fn a_rollback_that_names_nothing_goes_to_what_was_deployed_before() {
    let world = with_approvers("auto");
    let (_, second) = two_deployed(&world);
    let board = board_in_slack(&world, "UBOB");
    assert_eq!(does(&world, &format!("{board}/act/rollback/web"), &[]).status, 200);
    assert_eq!(world.value(), "production_aaaaaaa");
    world.finish_update();
    world.invoke(&event("scheduled"), "tick").expect("an answer");
    let again = does(&world, &get(&world, &format!("{board}/app/web")).link("/act/promote/"), &[]);
    again.says("On its way");
    assert_eq!(world.get().state.clone().expect("kept").0.open[0].digest, second);
}

#[test]
fn another_ones_board_shows_and_cannot_act() {
    let world = with_approvers("approval");
    let (first, second) = {
        world.get_mut().config["mode"] = json!("auto");
        two_deployed(&world)
    };
    world.get_mut().config["mode"] = json!("approval");
    let digest = pushed(&world, "abc1234");
    let board = board_in_slack(&world, "UMALLORY");
    let app = get(&world, &format!("{board}/app/web"));
    assert_eq!(app.status, 200);
    app.says("abc1234").says(
        "You can look, but not change anything: UMALLORY is not one of the app's `approval.approvers`.",
    );
    assert_eq!((app.acts(), app.buttons()), (Vec::new(), Vec::new()));
    let before = everything(&world);
    let acts = [
        format!("approve/web?image={digest}"),
        format!("reject/web?image={digest}"),
        format!("promote/web?image={digest}"),
        format!("promote/web?image={first}"),
        format!("rollback/web?image={first}"),
        "rollback/web".to_owned(),
        "hold/web".to_owned(),
        "resume/web".to_owned(),
        "cancel/web".to_owned(),
        "look/web".to_owned(),
        format!("ask/web?image={digest}"),
    ];
    for act in acts {
        let address = format!("{board}/act/{act}");
        let page = get(&world, &address);
        assert_eq!(page.status, 403, "{act}");
        page.says("You are not allowed to do this");
        assert!(!page.body.contains("<form"), "{act}");
        let more: &[(&str, &str)] = match act.split_once('/').expect("an app").0 {
            "hold" => &[("reason", "x")],
            "rollback" => &[("from", second.as_str()), ("to", first.as_str())],
            _ => &[],
        };
        let forced = forces(&world, &address, more);
        assert_eq!(forced.status, 409, "{act}");
        forced.says("refused");
        assert_eq!(everything(&world), before, "{act}");
    }
}

#[test]
fn who_is_let_in_by_iam_may_do_all_but_decide_where_slack_proves_who_decides() {
    let world = with_approvers("approval");
    let digest = pushed(&world, "abc1234");
    let board = board_by_invocation(&world);
    let app = get(&world, &format!("{board}/app/web"));
    app.says("You cannot approve or reject");
    assert!(
        !app.acts().iter().any(|act| act.contains("approve") || act.contains("reject")),
        "{:?}",
        app.acts()
    );
    let before = everything(&world);
    for act in ["approve", "reject"] {
        let address = format!("{board}/act/{act}/web?image={digest}");
        assert_eq!(get(&world, &address).status, 403);
        let forced = forces(&world, &address, &[]);
        assert_eq!(forced.status, 409);
        forced.says("refused");
        world.get_mut().commands.clear();
    }
    assert_eq!(everything(&world), before);
    does(&world, &app.link("/act/promote/"), &[]).says("On its way");
    let open = world.get().state.clone().expect("kept").0.open[0].clone();
    assert_eq!((open.digest, open.by.as_str()), (digest, "carol (claimed, by the board)"));
}

#[test]
fn who_is_let_in_by_iam_approves_where_nobody_asks_for_identities() {
    let world = Memory::new("approval");
    let digest = pushed(&world, "abc1234");
    let app = get(&world, &format!("{}/app/web", board_by_invocation(&world)));
    does(&world, &app.link(&format!("/act/approve/web?image={digest}")), &[]).says("On its way");
    assert_eq!(world.value(), "production_abc1234");
}

#[test]
fn a_vote_on_the_board_is_one_of_several() {
    let world = with_approvers("approval");
    world.get_mut().config["approval"]["required"] = json!(2);
    let digest = pushed(&world, "abc1234");
    let address = |user: &str, act: &str| {
        format!("{}/act/{act}/web?image={digest}", board_in_slack(&world, user))
    };
    get(&world, &address("UALICE", "promote"))
        .says("This is your vote for abc1234: 2 people must approve it.");
    does(&world, &address("UALICE", "approve"), &[]).says("Approved").says("1 of 2 people");
    does(&world, &address("UALICE", "promote"), &[]).says("1 of 2 people");
    assert_eq!(world.updates(), 0);
    does(&world, &address("UBOB", "approve"), &[]).says("On its way");
    assert_eq!(world.updates(), 1);
}

#[test]
fn a_form_that_is_sent_twice_acts_once() {
    let world = Memory::new("auto");
    two_deployed(&world);
    let address = format!("{}/act/rollback/web", board_by_invocation(&world));
    let page = get(&world, &address);
    let once = page.once();
    sends(&world, &address, &page, &[]).says("Rolling back");
    world.finish_update();
    world.invoke(&event("scheduled"), "tick").expect("an answer");
    let before = everything(&world);
    let again = sends(&world, &address, &page, &[]);
    assert_eq!(again.status, 200);
    again.says("Rolling back");
    assert_eq!(everything(&world), before, "it does not go one further back");
    assert_ne!(get(&world, &address).once(), once, "a page that is opened anew is another wish");
}

#[test]
fn an_approval_of_what_was_replaced_meanwhile_is_superseded() {
    let world = Memory::new("approval");
    let older = pushed(&world, "aaaaaaa");
    let address = format!("{}/act/approve/web?image={older}", board_by_invocation(&world));
    let once = get(&world, &address).once();
    pushed(&world, "bbbbbbb");
    get(&world, &address).says("is no longer the candidate");
    let page = post(&world, &address, &[("once", &once)]);
    assert_eq!(page.status, 409);
    page.says("superseded");
    assert_eq!(world.updates(), 0);
}

#[test]
fn a_board_in_slack_is_for_its_reader_alone_and_carries_their_rights() {
    let world = Memory::new("approval");
    world.get_mut().config["approval"] = json!({ "slack_channel": "C9" });
    let digest = pushed(&world, "abc1234");
    let here = board_in_slack(&world, "UANYBODY");
    get(&world, &here).says("someone (UANYBODY) in Slack");
    does(&world, &format!("{here}/act/approve/web?image={digest}"), &[]).says("On its way");

    let elsewhere = Memory::new("approval");
    elsewhere.get_mut().config["approval"] = json!({ "slack_channel": "C2" });
    pushed(&elsewhere, "abc1234");
    let app = get(&elsewhere, &format!("{}/app/web", board_in_slack(&elsewhere, "UANYBODY")));
    app.says("abc1234").says("`web` is commanded from the channel C2 only");
    assert_eq!(app.acts(), [""; 0]);
}
