//! A rollback names its target before anybody presses, and is bound to it.

use ecr_promoter::model::Digest;
use ecr_promoter::model::notes::{ChangeNotes, CommitNote, Direction};
use serde_json::json;

use super::steps::{board_by_invocation, board_in_slack, does, everything, sends, with_approvers};
use crate::support::browser::{Page, get, post};
use crate::support::payloads::{event, push_event};
use crate::support::steps::two_deployed;
use crate::support::world::Memory;

/// Deploys one more image.
fn deployed(world: &Memory, commit: &str) -> Digest {
    let digest = world.push(commit);
    world.invoke(&push_event(&digest), "push").expect("an answer");
    world.finish_update();
    world.invoke(&event("scheduled"), "tick").expect("an answer");
    digest
}

fn bound_to(page: &Page) -> (Option<String>, Option<String>) {
    (page.hidden("from"), page.hidden("to"))
}

#[test]
fn the_page_names_both_images_and_its_form_carries_them() {
    let world = Memory::new("auto");
    let (first, second) = two_deployed(&world);
    let board = board_by_invocation(&world);
    get(&world, &format!("{board}/app/web")).says("Roll back to aaaaaaa");
    let before = everything(&world);
    let page = get(&world, &format!("{board}/act/rollback/web"));
    assert_eq!(everything(&world), before, "looking changes nothing");
    assert_eq!(bound_to(&page), (Some(second.to_string()), Some(first.to_string())));
    assert!(page.body.contains("<title>Roll back web to aaaaaaa? · "), "{}", page.body);
    page.says("Production goes from bbbbbbb back").says("Runs now").says("Will run");
    page.says("Roll back to aaaaaaa").says("Keep bbbbbbb");
    page.says("The image is still there and can be pulled");
}

#[test]
fn the_reason_of_a_rollback_is_shown_wherever_it_is_told_of() {
    let world = Memory::new("auto");
    two_deployed(&world);
    let board = board_by_invocation(&world);
    let address = format!("{board}/act/rollback/web");
    get(&world, &address).says("Why? Optional, shown to everybody");
    let reason = "<b>carts</b> came\u{202e} up \nempty";
    does(&world, &address, &[("why", reason)]).says("Rolling back");
    let state = world.get().state.clone().expect("kept").0;
    let hold = state.hold.expect("a hold");
    assert_eq!(hold.reason, "rolled back from `production_bbbbbbb`: <b>carts</b> came  up  empty");
    assert!(hold.is_way_back());
    assert_eq!(state.open[0].why.as_deref(), Some("<b>carts</b> came  up  empty"));
    let shown = "&lt;b&gt;carts&lt;/b&gt; came  up  empty";
    get(&world, &format!("{board}/app/web")).says(shown);
    let told = world.get().told.last().expect("a notice").reason.clone();
    assert!(told.ends_with("; <b>carts</b> came  up  empty"), "{told}");

    world.finish_update();
    world.invoke(&event("scheduled"), "tick").expect("an answer");
    get(&world, &format!("{board}/app/web")).says(&format!(": “{shown}”"));
    let list = get(&world, &board);
    list.says("Rolled back by carol (claimed, by the board)");
    list.says(&format!("aaaaaaa runs again. “{shown}”"));
    let history = json!({ "action": "history", "repository": "web" });
    let history = world.invoke(&history, "history").expect("an answer");
    assert_eq!(history["promotions"][0]["why"], "<b>carts</b> came  up  empty");
}

#[test]
fn without_a_reason_a_rollback_says_only_from_what() {
    let world = Memory::new("auto");
    two_deployed(&world);
    let address = format!("{}/act/rollback/web", board_by_invocation(&world));
    does(&world, &address, &[("why", " \u{200b} ")]).says("Rolling back");
    let state = world.get().state.clone().expect("kept").0;
    assert_eq!(state.hold.expect("a hold").reason, "rolled back from `production_bbbbbbb`");
    assert_eq!(state.open[0].why, None);
}

#[test]
fn the_longest_reason_is_kept() {
    let world = Memory::new("auto");
    two_deployed(&world);
    let address = format!("{}/act/rollback/web", board_by_invocation(&world));
    let longest = "é".repeat(200);
    does(&world, &address, &[("why", &longest)]).says("Rolling back");
    let state = world.get().state.clone().expect("kept").0;
    assert_eq!(state.open[0].why.as_deref(), Some(longest.as_str()));
    assert!(state.hold.expect("a hold").reason.ends_with(&longest));
}

#[test]
fn after_a_newer_deployment_it_is_superseded() {
    let world = Memory::new("auto");
    two_deployed(&world);
    let address = format!("{}/act/rollback/web", board_by_invocation(&world));
    let page = get(&world, &address);
    deployed(&world, "ccccccc");
    let (value, updates) = (world.value(), world.updates());
    let late = sends(&world, &address, &page, &[]);
    assert_eq!(late.status, 409);
    late.says("Superseded").says("does not run any more").says("look again");
    assert_eq!((world.value(), world.updates()), (value, updates));
    let page = get(&world, &address);
    page.says("Production goes from ccccccc back");
    sends(&world, &address, &page, &[]).says("Rolling back");
    assert_eq!(world.value(), "production_bbbbbbb");
}

#[test]
fn an_image_that_was_chosen_is_the_one_in_the_form() {
    let world = with_approvers("auto");
    let (first, second) = two_deployed(&world);
    let third = deployed(&world, "ccccccc");
    let board = board_in_slack(&world, "UALICE");
    let address =
        get(&world, &format!("{board}/app/web")).link(&format!("/act/rollback/web?image={first}"));
    let page = get(&world, &address);
    assert_eq!(bound_to(&page), (Some(third.to_string()), Some(first.to_string())));
    let once = page.once();
    for (from, to) in [(&third, &second), (&third, &third)] {
        let fields = [("from", from.as_str()), ("to", to.as_str()), ("once", once.as_str())];
        assert_eq!(post(&world, &address, &fields).status, 400, "not what the address says");
    }
    for fields in [&[("once", once.as_str())][..], &[("from", "x"), ("once", &once)]] {
        assert_eq!(post(&world, &address, fields).status, 400, "{fields:?}");
    }
    sends(&world, &address, &page, &[]).says("Rolling back");
    assert_eq!(world.value(), "production_aaaaaaa");
}

#[test]
fn what_was_rolled_back_from_is_marked_and_not_offered() {
    let world = with_approvers("auto");
    let (_, second) = two_deployed(&world);
    let board = board_in_slack(&world, "UALICE");
    does(&world, &format!("{board}/act/rollback/web"), &[]).says("Rolling back");
    get(&world, &format!("{board}/app/web")).says("On its way: rolling back");
    world.finish_update();
    world.invoke(&event("scheduled"), "tick").expect("an answer");
    let app = get(&world, &format!("{board}/app/web"));
    app.says("not offered again").says("Rolled back").says("Held by");
    let offered = format!("/act/rollback/web?image={second}");
    assert!(!app.links().iter().any(|link| link.contains(&offered)), "{:?}", app.acts());
    // Whoever asks for it all the same is told before pressing.
    get(&world, &format!("{board}{offered}")).says("It was rolled back from before");
    get(&world, &board).says("Rolled back by").says("runs again");
}

#[test]
fn a_guard_does_not_hide_where_a_rollback_leads() {
    let world = Memory::new("auto");
    let (first, second) = two_deployed(&world);
    world.get_mut().config["guard"] = json!({ "allowed_changes": ["AWS::ECS::Service"] });
    let before = everything(&world);
    let page = get(&world, &format!("{}/act/rollback/web", board_by_invocation(&world)));
    assert_eq!(bound_to(&page), (Some(second.to_string()), Some(first.to_string())));
    assert_eq!(everything(&world), before);
    assert!(world.get().change_sets.is_empty(), "looking makes no change set");
}

#[test]
fn a_rollback_without_a_target_says_so_and_has_no_form() {
    let world = Memory::new("auto");
    deployed(&world, "aaaaaaa");
    let images: Vec<Digest> = world.get().tags.values().cloned().collect();
    world.get_mut().archived.extend(images);
    let page = get(&world, &format!("{}/act/rollback/web", board_by_invocation(&world)));
    page.says("This is not possible");
    assert!(!page.body.contains("<form"), "{}", page.text());
}

#[test]
fn the_commits_that_go_away_are_listed_as_text() {
    let world = Memory::new("auto");
    two_deployed(&world);
    world.get_mut().config["repository_url"] = json!("https://github.com/acme/web");
    let note = |subject: &str| CommitNote {
        commit: "bbbbbbb".parse().ok(),
        subject: Some(subject.to_owned()),
        author: Some("<i>mallory".to_owned()),
        at: None,
        url: None,
    };
    let hostile = "<img src=x onerror=alert(1)> \u{202e}dlo\u{2066} `code`";
    let notes = [note(hostile), note("Bump redis")];
    world.get_mut().git_notes = Some(ChangeNotes::new(notes, Direction::Forward));
    let board = board_by_invocation(&world);
    let page = get(&world, &format!("{board}/act/rollback/web"));
    page.says("2 commits go away").says("Bump redis").says("back 2 commits to");
    assert!(page.body.contains("class=\"notes gone\""), "they are marked as going");
    world.get_mut().config["mode"] = json!("approval");
    super::steps::pushed(&world, "ccccccc");
    let app = get(&world, &format!("{board}/app/web"));
    app.says("2 commits on top of bbbbbbb");
    for body in [&page.body, &app.body] {
        assert!(body.contains("&lt;img src=x"), "it is shown");
        assert!(!body.contains("<img") && !body.contains("<i>"), "{body}");
        assert!(!body.contains('\u{202e}') && !body.contains('\u{2066}'), "no bidi");
    }
}
