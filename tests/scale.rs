//! Large and slow: searches among more images than can be read, and looks at more apps than one invocation has time for.

mod support;

use jiff::SignedDuration;
use serde_json::json;
use support::{Memory, answers, sns};

fn command(words: &str, id: &str, world: &Memory) -> serde_json::Value {
    sns(words, id, world.get().now)
}

// Searches by commit

/// An update is never sent on reads that are more than some seconds old: the search itself took longer than that.
#[test]
fn a_search_that_takes_a_while_is_made_once_and_acted_on() {
    let world = Memory::new("auto");
    world.push("abc1234");
    world.get_mut().search.0 = SignedDuration::from_secs(20);
    answers(&world, &command("promote web abc1234", "promote-1", &world), "promoted");
    let calls = world.get().calls.clone();
    assert_eq!(calls.iter().filter(|call| *call == "ListImages").count(), 1 + 2, "one search, and the tags of two looks: {calls:?}");
}

#[test]
fn what_cannot_be_searched_is_refused_with_the_words_that_work() {
    for (words, id) in
        [("approve web 9fceb02", "1"), ("promote web 9fceb02", "2"), ("rollback web 9fceb02", "3"), ("reject web 9fceb02", "4")]
    {
        let world = Memory::new("approval");
        world.push("abc1234");
        world.get_mut().search.1 = 1_200;
        let answer = answers(&world, &command(words, id, &world), "refused");
        assert_eq!(
            answer["reason"],
            "`web` has too many images to search all of them for commit 9fceb02 (1200 were not read). Name the image by its digest \
             (`sha256:…`), or by its production tag (`production_…`) if it has one",
        );
    }
}

#[test]
fn of_a_search_that_is_not_whole_one_match_is_named_and_not_taken() {
    let world = Memory::new("auto");
    let digest = world.push("9fceb02");
    world.get_mut().search.1 = 1_200;
    let answer = answers(&world, &command("promote web 9fceb02", "promote-1", &world), "refused");
    let reason = answer["reason"].as_str().expect("a reason");
    assert!(reason.contains(&format!("found so far: {digest}")), "{reason}");
    let by_digest = json!({ "action": "promote", "repository": "web", "digest": digest }).to_string();
    answers(&world, &command(&by_digest, "promote-2", &world), "promoted");
}

#[test]
fn a_refusal_lists_some_images_and_counts_the_others() {
    let world = Memory::new("auto");
    for _ in 0..25 {
        world.push("9fceb02");
    }
    let answer = answers(&world, &command("promote web 9fceb02", "promote-1", &world), "refused");
    let reason = answer["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("25 images of `web` were built from a commit 9fceb02: sha256:"), "{reason}");
    assert!(reason.ends_with(" and 15 more. Name the digest"), "{reason}");
}
