//! Commands: each acts once, and is refused in words.

use ecr_promoter::model::Digest;
use serde_json::json;

use crate::support::payloads::{event, sns, stack_changed};
use crate::support::steps::{answers, assert_runs, command, deploy, push, two_deployed};
use crate::support::world::Memory;

#[test]
fn an_older_commit_can_be_promoted_on_purpose_and_then_pushes_ask() {
    let world = Memory::new("auto");
    let older = world.push("aaaaaaa");
    world.push("bbbbbbb");
    answers(
        &world,
        &json!({"action": "promote", "repository": "web", "commit": "aaaaaaa"}),
        "promoted",
    );
    world.finish_update();
    push(&world, "ccccccc", "approval_requested");
    assert_runs(&world, &older, "aaaaaaa");
    answers(&world, &json!({"action": "promote", "repository": "web", "id": "2"}), "promoted");
    world.finish_update();
    let next = push(&world, "ddddddd", "promoted");
    assert_runs(&world, &next, "ddddddd");
}

#[test]
fn a_command_acts_once() {
    let world = Memory::new("approval");
    let now = world.get().now;
    let first = world.push("aaaaaaa");
    let message = sns("promote web", "message-1", now);
    let answer = answers(&world, &message, "promoted");
    world.finish_update();
    let second = world.push("bbbbbbb");
    assert_eq!(
        world.invoke(&message, "another request").expect("an answer"),
        answer,
        "it answers what it answered"
    );
    assert_eq!(world.updates(), 1);
    assert_runs(&world, &first, "aaaaaaa");
    answers(&world, &sns("promote web", "message-2", now), "promoted");
    assert_runs(&world, &second, "bbbbbbb");
}

#[test]
fn a_relative_command_that_comes_late_is_refused_and_a_named_one_is_not() {
    let world = Memory::new("approval");
    let digest = world.push("aaaaaaa");
    let long_ago = world.get().now - jiff::SignedDuration::from_mins(16);
    answers(&world, &sns("promote web", "1", long_ago), "refused");
    assert_eq!(world.updates(), 0);
    answers(&world, &sns("promote web aaaaaaa", "2", long_ago), "promoted");
    assert_runs(&world, &digest, "aaaaaaa");
}

#[test]
fn what_cannot_be_found_is_refused_in_words() {
    let world = Memory::new("approval");
    world.push("aaaaaaa");
    world.image("aaaaaab");
    world.image("aaaaaab");
    for (image, words) in [
        (json!({"commit": "fffffff"}), "no image of `web` was built from a commit fffffff"),
        (json!({"commit": "aaaaaab"}), "2 images of `web`"),
        (json!({"tag": "v9"}), "has the tag `v9`"),
        (json!({"digest": Digest::of(b"gone")}), "cannot be pulled"),
    ] {
        let mut command =
            json!({"action": "promote", "repository": "web", "id": image.to_string()});
        command
            .as_object_mut()
            .expect("an object")
            .extend(image.as_object().expect("an object").clone());
        let answer = answers(&world, &command, "refused");
        assert!(answer["reason"].as_str().expect("a reason").contains(words), "{answer:#}");
    }
    assert_eq!((world.updates(), world.value().as_str()), (0, "production_old"));
    assert!(world.get().state.is_none(), "nothing but the commands' ids is kept");
}

#[test]
fn hold_asks_and_resume_acts_at_the_next_look() {
    let world = Memory::new("auto");
    two_deployed(&world);
    command(&world, "hold web release freeze", "held");
    let third = push(&world, "ccccccc", "approval_requested");
    let status = world.invoke(&event("command-status"), "request").expect("a status");
    assert_eq!(
        (&status["hold"]["reason"], &status["hold"]["by"]),
        (&json!("release freeze"), &json!("SNS"))
    );
    command(&world, "resume web", "resumed");
    let looked = world
        .invoke(&json!({"action": "reconcile", "only_open_work": true}), "request")
        .expect("an answer");
    assert_eq!(looked["results"][0]["outcome"], "promoted");
    assert_runs(&world, &third, "ccccccc");
}

#[test]
fn an_older_commit_that_was_promoted_on_purpose_survives_looks() {
    let world = Memory::new("auto");
    let (first, _) = two_deployed(&world);
    command(&world, "promote web aaaaaaa", "promoted");
    world.finish_update();
    for payload in
        [stack_changed(), event("scheduled"), event("scheduled"), event("command-reconcile")]
    {
        world.invoke(&payload, "request").expect("an answer");
    }
    assert_runs(&world, &first, "aaaaaaa");
    assert_eq!(world.updates(), 3);
}

#[test]
fn whoever_commands_by_sns_hears_that_nothing_came_of_it_once() {
    let world = Memory::new("auto");
    deploy(&world, "aaaaaaa");
    let now = world.get().now;
    for (words, want) in [("promote web", "unchanged"), ("rollback web eeeeeee", "refused")] {
        let told = world.told().len();
        let message = sns(words, &format!("message of {words}"), now);
        for _ in 0..3 {
            let answer = answers(&world, &message, want);
            assert_eq!(answer["outcome"], want);
        }
        let notices = world.get().told[told..].to_vec();
        assert_eq!(notices.len(), 1, "{words}: {notices:?}");
        assert_eq!(notices[0].outcome.to_string(), want);
    }
    let told = world.told().len();
    answers(&world, &json!({"action": "promote", "repository": "web"}), "unchanged");
    assert_eq!(world.told().len(), told, "whoever invokes has the answer");
}

#[test]
fn whoever_misspells_a_command_or_an_app_by_sns_hears_what_may_have_been_meant() {
    let world = Memory::new("auto");
    let now = world.get().now;
    let tells = |words: &str, id: &str, meant: &str| {
        for attempt in 0..3 {
            let error = world.invoke(&sns(words, id, now), &format!("attempt {attempt}"));
            assert!(error.is_err(), "{words}: it is an error besides");
        }
        let answered = world.get().answered.values().cloned().collect::<Vec<_>>();
        let own: Vec<_> = answered.iter().filter(|reason| reason.contains(meant)).collect();
        assert_eq!(own.len(), 1, "{answered:?}");
    };
    tells("rollback wbe", "1", "did you mean `web`?");
    tells("rolback web", "2", "did you mean `rollback`?");
    assert_eq!(world.get().answered.len(), 2);
}
