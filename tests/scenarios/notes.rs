//! Change notes: what a candidate would bring, and what a rollback would take away.

use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::notes::{ChangeNotes, CommitNote, Direction};
use ecr_promoter::model::notice::Notice;
use serde_json::json;

use crate::support::payloads::push_event;
use crate::support::steps::{answers, deploy, finish, state};
use crate::support::world::Memory;

/// The subjects and authors of a notice's commits.
fn listed(notice: &Notice) -> Vec<(String, String)> {
    let commits = notice.notes.iter().flat_map(|notes| &notes.commits);
    let words = |text: &Option<String>| text.clone().unwrap_or_default();
    commits.map(|one| (words(&one.subject), words(&one.author))).collect()
}

fn last(world: &Memory) -> Notice {
    world.get().told.last().expect("people were told").clone()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(subject, author)| ((*subject).to_owned(), (*author).to_owned())).collect()
}

#[test]
fn builds_that_were_pushed_in_between_are_listed_with_their_subjects() {
    let world = Memory::new("approval");
    let first = world.push_with_subject("aaaaaaa", "Add carts", "ada");
    answers(&world, &push_event(&first), "approval_requested");
    answers(
        &world,
        &json!({ "action": "promote", "repository": "web", "digest": first }),
        "promoted",
    );
    finish(&world);
    for (commit, subject) in
        [("bbbbbbb", "Fix rounding"), ("ccccccc", "Speed up"), ("ddddddd", "Fix")]
    {
        let digest = world.push_with_subject(commit, subject, "bob");
        answers(&world, &push_event(&digest), "approval_requested");
    }
    let asked = last(&world);
    assert_eq!(asked.outcome, Outcome::ApprovalRequested);
    assert_eq!(
        listed(&asked),
        pairs(&[("Fix", "bob"), ("Speed up", "bob"), ("Fix rounding", "bob")])
    );
    let request = state(&world).request.expect("a request");
    assert_eq!(request.notes, asked.notes, "the card stays as people were shown it");
    assert_eq!(request.note.and_then(|note| note.subject).as_deref(), Some("Fix"));
    let running = state(&world).running.expect("it runs");
    assert_eq!(running.note.and_then(|note| note.subject).as_deref(), Some("Add carts"));
}

#[test]
fn what_the_git_host_says_wins_and_is_asked_once_for_each_question() {
    let world = Memory::new("approval");
    world.get_mut().config["repository_url"] = json!("https://github.com/acme/web");
    deploy(&world, "aaaaaaa");
    let note = CommitNote {
        commit: Some("bbbbbbb".parse().expect("a commit")),
        subject: Some("From the host".to_owned()),
        author: Some("ada".to_owned()),
        at: None,
        url: None,
    };
    world.get_mut().git_notes = Some(ChangeNotes::new([note], Direction::Forward));
    let digest = world.push_with_subject("bbbbbbb", "From the image", "bob");
    for _ in 0..3 {
        answers(&world, &push_event(&digest), "approval_requested");
    }
    assert_eq!(listed(&last(&world)), pairs(&[("From the host", "ada")]));
    let asked = world.get().calls.iter().filter(|call| *call == "Git host").count();
    assert_eq!(asked, 1);
}

#[test]
fn a_git_host_that_knows_nothing_leaves_what_was_seen() {
    let world = Memory::new("approval");
    world.get_mut().config["repository_url"] = json!("https://github.com/acme/web");
    deploy(&world, "aaaaaaa");
    let digest = world.push_with_subject("bbbbbbb", "From the image", "bob");
    answers(&world, &push_event(&digest), "approval_requested");
    assert_eq!(listed(&last(&world)), pairs(&[("From the image", "bob")]));
}

#[test]
fn no_update_waits_for_the_git_host() {
    let world = Memory::new("auto");
    world.get_mut().config["repository_url"] = json!("https://github.com/acme/web");
    deploy(&world, "aaaaaaa");
    let digest = world.push_with_subject("bbbbbbb", "From the image", "bob");
    answers(&world, &push_event(&digest), "promoted");
    assert!(!world.get().calls.iter().any(|call| call == "Git host"));
    assert_eq!(listed(&last(&world)), pairs(&[("From the image", "bob")]));
}

#[test]
fn a_rollback_says_from_what_to_what_before_it_is_made() {
    let world = Memory::new("auto");
    for (commit, subject) in [("aaaaaaa", "Add carts"), ("bbbbbbb", "Fix"), ("ccccccc", "Break")] {
        let digest = world.push_with_subject(commit, subject, "bob");
        answers(&world, &push_event(&digest), "promoted");
        finish(&world);
    }
    let plan = json!({ "action": "plan", "of": "rollback", "repository": "web" });
    let planned = world.invoke(&plan, "request").expect("an answer");
    assert_eq!((&planned["of"], &planned["would"]), (&json!("rollback"), &json!("promoted")));
    assert_eq!(planned["commit"], "bbbbbbb");
    let words = planned["reason"].as_str().expect("words");
    assert!(words.starts_with("ccccccc → bbbbbbb, deployed Tue 17 Mar 09:41 UTC by "), "{words}");
    let updates = world.updates();
    answers(&world, &json!({ "action": "rollback", "repository": "web" }), "promoted");
    assert_eq!((world.updates(), world.value().as_str()), (updates + 1, "production_bbbbbbb"));
    let told = last(&world);
    assert_eq!(listed(&told), pairs(&[("Break", "bob")]));
    let summary = told.notes.and_then(|notes| notes.summary());
    assert_eq!(summary.as_deref(), Some("goes back 1 commit"));
}
