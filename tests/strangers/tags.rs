//! A tag is a name, a digest is an image.

use ecr_promoter::model::Digest;
use ecr_promoter::model::answer::Outcome;

use crate::support::faults::survives_every_fault;
use crate::support::interleave::{every_interleaving, goes_on, run};
use crate::support::payloads::{event, push_event, tag};
use crate::support::steps::{answers, command, deploy, fail, finish, push, runs, state, tick};
use crate::support::world::Memory;

/// A stack that the old script left at `latest`, which CI moves, with `aaaaaaa` running.
fn adopted_at_latest(mode: &str) -> (Memory, Digest) {
    let world = Memory::new(mode);
    world.get_mut().parameters.insert("ProductionTag".to_owned(), "latest".to_owned());
    let digest = world.push("aaaaaaa");
    (world, digest)
}

#[test]
fn what_runs_by_a_tag_that_moves_is_pinned_by_the_first_push_or_command() {
    let (world, _) = adopted_at_latest("auto");
    tick(&world);
    assert_eq!(
        (world.value().as_str(), world.updates()),
        ("latest", 0),
        "the schedule leaves it alone"
    );
    let newest = world.get().tags[&tag("latest")].clone();
    answers(&world, &push_event(&newest), "promoted");
    assert_eq!(world.value(), "production_aaaaaaa");

    let (world, digest) = adopted_at_latest("approval");
    answers(&world, &push_event(&digest), "approval_requested");
    command(&world, "promote web", "promoted");
    assert_eq!(world.value(), "production_aaaaaaa");
    finish(&world);
    command(&world, "promote web", "unchanged");
}

#[test]
fn a_look_leaves_what_runs_by_a_tag_that_moves_alone_and_a_newer_push_goes_all_the_same() {
    let (world, _) = adopted_at_latest("auto");
    for _ in 0..3 {
        tick(&world);
    }
    assert_eq!(world.updates(), 0);
    push(&world, "bbbbbbb", "promoted");
    assert_eq!(world.value(), "production_bbbbbbb");
}

#[test]
fn a_rollback_to_what_ran_by_a_tag_that_moves_goes_to_the_image_that_ran() {
    let (world, first) = adopted_at_latest("approval");
    tick(&world);
    let second = world.push("bbbbbbb");
    command(&world, "promote web", "promoted");
    finish(&world);
    push(&world, "ccccccc", "approval_requested");
    command(&world, "rollback web", "promoted");
    finish(&world);
    assert_eq!((world.value().as_str(), runs(&world)), ("production_aaaaaaa", first));
    assert_ne!(runs(&world), second);
}

#[test]
fn a_rollback_while_the_update_from_a_tag_that_moves_runs_ends_at_the_image_that_ran() {
    let (world, first) = adopted_at_latest("approval");
    tick(&world);
    world.push("bbbbbbb");
    command(&world, "promote web", "promoted");
    command(&world, "rollback web", "cancelled");
    world.push("ccccccc");
    fail(&world);
    finish(&world);
    assert_eq!((world.value().as_str(), runs(&world)), ("production_aaaaaaa", first));
    assert!(state(&world).open.is_empty());
}

#[test]
fn a_tag_that_moves_names_an_image_and_production_gets_its_production_tag() {
    for words in ["rollback web staging", "promote web staging"] {
        let world = Memory::new("auto");
        let first = deploy(&world, "aaaaaaa");
        deploy(&world, "bbbbbbb");
        world.move_tag("staging", Some(&first));
        command(&world, words, "promoted");
        assert_eq!(world.value(), "production_aaaaaaa", "{words}");
    }
}

#[test]
fn a_running_tag_that_somebody_moves_is_told_once_and_holds_the_app() {
    let world = Memory::new("auto");
    world.get_mut().is_immutable = false;
    let first = deploy(&world, "aaaaaaa");
    let other = world.image("fffffff");
    world.move_tag("production_aaaaaaa", Some(&other));
    tick(&world);
    tick(&world);
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Deployed, Outcome::Held]);
    assert!(world.get().told[2].reason.contains(other.as_str()), "{:?}", world.get().told[2]);
    // What was promoted counts as what runs, until a person says otherwise.
    answers(&world, &push_event(&first), "unchanged");
    assert_eq!(world.updates(), 1);
    command(&world, "promote web", "promoted");
    finish(&world);
    assert_eq!(
        (world.value(), runs(&world)),
        (format!("production_aaaaaaa-{}", first.short()), first)
    );
    assert_eq!(state(&world).hold, None);
}

#[test]
fn tags_that_were_read_before_a_promotion_accuse_nobody() {
    let start = Memory::new("auto");
    let first = start.push("aaaaaaa");
    let looks = every_interleaving_of_a_promotion_and_a_look(&start, &first);
    assert!(looks > 50, "{looks}");
}

/// A look that runs beside a whole promotion, of which its reads may each see a part.
fn every_interleaving_of_a_promotion_and_a_look(start: &Memory, digest: &Digest) -> usize {
    start.get_mut().finishes_at_once = true;
    every_interleaving(start, &[push_event(digest), event("command-reconcile")], |world| {
        tick(world);
        assert_eq!(state(world).hold, None, "{:?}", world.get().told);
        assert_eq!((world.value().as_str(), world.updates()), ("production_aaaaaaa", 1));
    })
}

#[test]
fn of_two_builds_of_a_commit_none_takes_the_others_tag() {
    for is_immutable in [true, false] {
        let start = Memory::new("auto");
        start.get_mut().is_immutable = is_immutable;
        let older = start.push("abc1234");
        let newer = start.push("abc1234");
        // The world itself asserts that no tag is moved.
        every_interleaving(&start, &[push_event(&older), push_event(&newer)], |world| {
            for _ in 0..3 {
                if world.get().in_flight.is_some() {
                    world.finish_update();
                }
                tick(world);
            }
            assert_eq!(
                (runs(world), state(world).running.and_then(|running| running.digest)),
                (newer.clone(), Some(newer.clone()))
            );
        });
    }
}

#[test]
fn two_pushes_of_one_commit_at_the_same_moment_run_the_newer() {
    // Each handler reads `latest` while it is on its own image: the older build's handler is as far
    // as any step when the newer comes.
    for steps in 0..12 {
        let world = Memory::new("auto");
        world.get_mut().is_immutable = false;
        let older = world.push("abc1234");
        let mut handler = Box::pin(world.handler(push_event(&older), "older"));
        let is_done = goes_on(&mut handler, steps);
        let newer = world.push("abc1234");
        world.invoke(&push_event(&newer), "newer").expect("an answer");
        if !is_done {
            run(handler).expect("the sandbox lives").expect("an answer");
        }
        for _ in 0..3 {
            if world.get().in_flight.is_some() {
                world.finish_update();
            }
            tick(&world);
        }
        assert_eq!(runs(&world), newer, "{steps} steps");
    }
}

#[test]
fn where_tags_can_be_moved_the_state_is_written_before_the_tag() {
    let world = Memory::new("auto");
    world.get_mut().is_immutable = false;
    push(&world, "abc1234", "promoted");
    insta::assert_snapshot!(world.get().calls.join("\n"), @r"
    GetParametersByPath
    GetItem state
    BatchGetImage
    DescribeImages
    DescribeStacks
    SaveState
    CheckTags
    PutImage
    UpdateStack
    Publish
    MarkTold
    ");
    survives_every_fault(
        || {
            let world = Memory::new("auto");
            world.get_mut().is_immutable = false;
            let digest = world.push("abc1234");
            (world, digest)
        },
        |_, digest| push_event(digest),
        |world, _| assert_eq!((world.updates(), world.value().as_str()), (1, "production_abc1234")),
    );
}

#[test]
fn what_ran_before_is_what_ran_when_the_update_was_sent() {
    let world = Memory::new("auto");
    deploy(&world, "aaaaaaa");
    push(&world, "bbbbbbb", "promoted");
    // Approved while `bbbbbbb` is on its way: it follows.
    world.push("ccccccc");
    command(&world, "promote web", "queued");
    finish(&world);
    finish(&world);
    assert_eq!(world.value(), "production_ccccccc");
    let history = world.invoke(&event("command-history"), "request").expect("a history");
    assert_eq!(history["promotions"][0]["previous_tag"], "production_bbbbbbb");
    command(&world, "rollback web", "promoted");
    assert_eq!(world.value(), "production_bbbbbbb");
}

#[test]
fn a_tag_that_an_image_gets_after_the_question_does_not_rename_the_promotion() {
    let world = Memory::new("approval");
    let digest = push(&world, "abc1234", "approval_requested");
    world.move_tag("fedcba9", Some(&digest));
    let answer = command(&world, &format!("approve web {digest}"), "promoted");
    assert_eq!(
        (answer["commit"].as_str(), answer["tag"].as_str()),
        (Some("abc1234"), Some("production_abc1234"))
    );
}

#[test]
fn tags_that_a_pusher_squats_block_nobody() {
    let world = Memory::new("auto");
    let other = world.image("fffffff");
    let digest = world.push("abc1234");
    for name in ["production_abc1234".to_owned(), format!("production_abc1234-{}", digest.short())]
    {
        world.get_mut().tags.insert(tag(&name), other.clone());
    }
    let answer = answers(&world, &push_event(&digest), "promoted");
    assert_eq!(answer["tag"], format!("production_abc1234-{}-2", digest.short()));
    assert!(
        answer["reason"]
            .as_str()
            .expect("a reason")
            .contains("`production_abc1234` is, or was, on another image"),
        "{answer:#}"
    );
    assert!(world.get().told[0].reason.contains("on another image"));
}

#[test]
fn a_running_tag_that_somebody_deletes_is_told_and_a_persons_word_gives_the_image_another() {
    let world = Memory::new("auto");
    let first = deploy(&world, "aaaaaaa");
    world.move_tag("production_aaaaaaa", None);
    tick(&world);
    tick(&world);
    assert_eq!(world.told(), [Outcome::Promoted, Outcome::Deployed, Outcome::Held]);
    command(&world, "promote web", "promoted");
    finish(&world);
    assert_eq!(
        (world.value(), runs(&world)),
        (format!("production_aaaaaaa-{}", first.short()), first)
    );
}
