//! A question is about one image: newer pushes, other builds, what runs.

use super::steps::{actions, asking, assert_nothing_was_promoted, button, clicks, pushed, request};
use crate::support::payloads::{push_event, stack_changed, tag};
use crate::support::slack::{ALICE, BOB};
use crate::support::steps::{answers, assert_runs, command, deploy, state};

#[test]
fn an_older_requests_button_does_nothing_and_names_the_candidate() {
    let world = asking();
    let older = pushed(&world, "aaaaaaa");
    let (approve, reject) = (button(&world, "approve"), button(&world, "reject"));
    let newer = pushed(&world, "bbbbbbb");
    assert_eq!(
        world.headlines(),
        [
            "web → production: aaaaaaa was superseded",
            "web → production: bbbbbbb waits for approval"
        ]
    );
    assert!(world.messages()[0].buttons().is_empty());
    for (button, trigger) in [(&approve, "1"), (&reject, "2")] {
        let said = world.clicks(ALICE, button, trigger).expect("the clicker is told");
        assert!(said.contains("bbbbbbb") && said.contains(newer.as_str()), "{said}");
    }
    let answer = command(&world, &format!("approve web {older}"), "superseded");
    assert!(
        answer["reason"].as_str().is_some_and(|reason| reason.contains(newer.as_str())),
        "{answer:#}"
    );
    assert_nothing_was_promoted(&world);
    assert_eq!(request(&world).votes, []);
}

#[test]
fn an_approval_does_not_carry_over_to_another_build_of_the_commit() {
    let world = asking();
    let first = pushed(&world, "abc1234");
    let approve = button(&world, "approve");
    let second = pushed(&world, "abc1234");
    assert!(world.clicks(ALICE, &approve, "1").is_some_and(|said| said.contains(second.as_str())));
    command(&world, &format!("approve web {first}"), "superseded");
    let answer = command(&world, "approve web abc1234", "refused");
    assert!(
        answer["reason"].as_str().is_some_and(|reason| reason.contains("Name the digest")),
        "{answer:#}"
    );
    assert_nothing_was_promoted(&world);

    command(&world, &format!("approve web {second}"), "promoted");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    let third = pushed(&world, "abc1234");
    assert_ne!(
        request(&world).tag.expect("a tag").as_str(),
        "production_abc1234",
        "that is on another image"
    );
    answers(&world, &push_event(&third), "approval_requested");
    assert_eq!(world.updates(), 1);
}

#[test]
fn a_revert_to_an_image_that_ran_before_is_asked_for_again() {
    let world = asking();
    let first = pushed(&world, "aaaaaaa");
    let of_first = button(&world, "approve");
    for commit in ["aaaaaaa", "bbbbbbb"] {
        if commit == "bbbbbbb" {
            pushed(&world, commit);
        }
        clicks(&world, ALICE, "approve");
        world.finish_update();
        answers(&world, &stack_changed(), "deployed");
    }
    world.get_mut().tags.insert(tag("latest"), first.clone());
    answers(&world, &push_event(&first), "approval_requested");
    world.clicks(ALICE, &of_first, "old").expect("the clicker is told");
    assert_eq!(world.updates(), 2, "the first approval is used up");
    clicks(&world, ALICE, "approve");
    assert_runs(&world, &first, "aaaaaaa");
}

#[test]
fn what_came_to_production_another_way_needs_no_decision() {
    let world = asking();
    let digest = pushed(&world, "abc1234");
    let approve = button(&world, "approve");
    command(&world, "promote web", "promoted");
    assert_eq!(world.headlines(), ["web → production: abc1234 is on its way to production"]);
    assert_eq!(world.clicks(ALICE, &approve, "1"), None);
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    assert_eq!((world.updates(), actions(&world)), (1, vec!["roll_back".to_owned()]));
    assert_runs(&world, &digest, "abc1234");

    // By hand: the tag was made and the parameter set outside.
    let byhand = pushed(&world, "bbbbbbb");
    world.get_mut().tags.insert(tag("production_bbbbbbb"), byhand);
    world.foreign_update("production_bbbbbbb");
    world.finish_update();
    world.invoke(&stack_changed(), "request").expect("an answer");
    assert_eq!(world.headlines()[1], "web → production: bbbbbbb is in production");
}

#[test]
fn the_roll_back_button_goes_back_only_from_what_runs() {
    let world = asking();
    let first = deploy(&world, "aaaaaaa");
    pushed(&world, "bbbbbbb");
    clicks(&world, ALICE, "approve");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    let of_second = button(&world, "roll_back");
    let third = pushed(&world, "ccccccc");
    clicks(&world, ALICE, "approve");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    let said = world.clicks(ALICE, &of_second, "1").expect("the clicker is told");
    assert!(said.contains("does not run any more"), "{said}");
    assert_runs(&world, &third, "ccccccc");
    let of_third = button(&world, "roll_back");
    assert_eq!(world.clicks(ALICE, &of_third, "2"), None);
    assert_eq!(world.value(), "production_bbbbbbb");
    world.clicks(ALICE, &of_third, "2");
    world.finish_update();
    answers(&world, &stack_changed(), "deployed");
    world.clicks(BOB, &of_third, "3");
    assert_eq!(
        (world.updates(), world.value().as_str()),
        (4, "production_bbbbbbb"),
        "a second click goes no further"
    );
    assert_ne!(first.as_str(), "");
    let next = pushed(&world, "ddddddd");
    assert!(state(&world).hold.is_some(), "{next}");
}
