use super::*;
use crate::model::bake::Bake;
use crate::model::notes::{Candidate, CommitNote};
use crate::model::state::Running;
use crate::samples::{app, at, promotion};

/// An image, by a letter.
fn image(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

/// A promotion of the earlier app that was deployed at this minute of the day.
fn deployed(name: &str, minute: i64) -> Ended {
    let ended_at = noon() + SignedDuration::from_mins(minute);
    let promotion = Promotion {
        digest: image(name),
        commit: None,
        sent_at: Some(ended_at - SignedDuration::from_mins(2)),
        ..promotion()
    };
    Ended { number: 0, promotion, end: End::Deployed, reason: String::new(), ended_at }
}

/// The same, as a rollback from another image.
fn back(name: &str, from: &str, minute: i64) -> Ended {
    let mut ended = deployed(name, minute);
    ended.promotion.rolls_back = Some("production_x".to_owned());
    ended.promotion.rolls_back_digest = Some(image(from));
    ended
}

fn noon() -> Timestamp {
    at("2026-03-17T12:00:00Z")
}

/// What an app sees that waits an hour, at this minute after noon.
fn seen(history: &[Ended], minute: i64) -> Stage {
    seen_with(history, minute, |_| {}, None)
}

fn seen_with(
    history: &[Ended],
    minute: i64,
    change: impl FnOnce(&mut State),
    own: Option<&State>,
) -> Stage {
    let mut state = State::new("web-staging", "ProductionTag");
    change(&mut state);
    let history = history.iter().rev().cloned().collect();
    let after = After { app: "web-staging".parse().expect("a name"), soak_minutes: 60 };
    let earlier = Earlier { state: Some(state), history };
    Stage::of(&after, &earlier, own, noon() + SignedDuration::from_mins(minute))
}

#[track_caller]
fn check(stage: &Stage, candidate: Option<&str>, soaking: Option<&str>) {
    let found = stage.candidate.as_ref().map(|soaked| soaked.digest.clone());
    assert_eq!(found, candidate.map(image), "the candidate");
    let found = stage.soaking.as_ref().map(|soaking| soaking.digest.clone());
    assert_eq!(found, soaking.map(image), "what soaks");
}

#[test]
fn an_image_is_a_candidate_once_it_has_run_for_long_enough() {
    let history = [deployed("a", 0)];
    check(&seen(&history, 59), None, Some("a"));
    check(&seen(&history, 60), Some("a"), None);
    check(&seen(&[], 60), None, None);
    let words = seen(&history, 10).why_none();
    assert!(words.ends_with("soaks in `web-staging` until 2026-03-17T13:00:00Z"), "{words}");
}

#[test]
fn what_replaces_an_image_ends_only_a_soak_that_goes_on() {
    let (a, b) = (deployed("a", 0), deployed("b", 70));
    check(&seen(&[a.clone(), b], 80), Some("a"), Some("b"));
    let b = deployed("b", 40);
    check(&seen(&[a.clone(), b.clone()], 80), None, Some("b"));
    check(&seen(&[a, b], 100), Some("b"), None);
    let open = Promotion { sent_at: Some(noon()), ..deployed("c", 0).promotion };
    let busy = |state: &mut State| state.open.push(open);
    check(&seen_with(&[deployed("b", 0)], 100, busy, None), None, None);
}

#[test]
fn a_change_from_outside_ends_a_soak_that_goes_on() {
    let outside = |minute: i64| {
        move |state: &mut State| {
            state.running = Some(Running {
                tag: "by-hand".to_owned(),
                digest: None,
                commit: None,
                note: None,
                since: Some(noon() + SignedDuration::from_mins(minute)),
                by: "somebody outside ecr-promoter".to_owned(),
            });
        }
    };
    let history = [deployed("a", 0)];
    check(&seen_with(&history, 80, outside(30), None), None, None);
    check(&seen_with(&history, 80, outside(70), None), Some("a"), None);
}

#[test]
fn a_rollback_a_failure_and_an_alarm_end_it() {
    let a = deployed("a", 0);
    check(&seen(&[a.clone(), back("old", "a", 70)], 80), None, None);
    let failed = Ended { end: End::Failed, ..deployed("a", 70) };
    check(&seen(&[a.clone(), failed], 80), None, None);
    let alarmed = |state: &mut State| state.alarmed.push(image("a"));
    check(&seen_with(std::slice::from_ref(&a), 80, alarmed, None), None, None);
    let goes_back = |state: &mut State| state.open.push(back("old", "a", 70).promotion);
    check(&seen_with(std::slice::from_ref(&a), 80, goes_back, None), None, None);
    // It comes back when somebody deploys it once more, and the soak begins anew.
    let again = [a.clone(), back("old", "a", 70), deployed("a", 90)];
    check(&seen(&again, 100), None, Some("a"));
    check(&seen(&again, 150), Some("a"), None);
    // A rollback that was not carried out leaves it.
    let cancelled = Ended { end: End::Cancelled, ..back("old", "a", 70) };
    check(&seen(&[a, cancelled], 80), Some("a"), None);
}

#[test]
fn an_image_that_a_rollback_brought_back_does_not_follow() {
    let history = [deployed("a", -500), deployed("b", 0), back("a", "b", 10)];
    // It ran long enough before, and this app has never had the one after it.
    check(&seen(&history, 300), Some("a"), None);
    let had = |name: &str| {
        let mut own = State::new("web", "ProductionTag");
        let note = CommitNote { commit: None, subject: None, author: None, at: None, url: None };
        own.candidates.see(Candidate { digest: image(name), note });
        own
    };
    check(&seen_with(&history, 300, |_| {}, Some(&had("b"))), None, None);
    let running = Running {
        tag: "production_b".to_owned(),
        digest: Some(image("b")),
        commit: None,
        note: None,
        since: None,
        by: String::new(),
    };
    let own = State { running: Some(running), ..State::new("web", "ProductionTag") };
    check(&seen_with(&history, 300, |_| {}, Some(&own)), None, None);
}

#[test]
fn an_image_that_bakes_is_no_candidate_yet() {
    let a = deployed("a", 0);
    let bake = Bake::begin(&a.promotion, 90, noon());
    let baking = |state: &mut State| state.bake = Some(bake);
    let stage = seen_with(&[a], 80, baking, None);
    check(&stage, None, Some("a"));
    assert!(stage.why_none().contains("bakes in `web-staging`"), "{}", stage.why_none());
}

#[test]
fn the_schedule_looks_again_when_something_changed_or_has_soaked() {
    let seen = seen(&[deployed("a", 0)], 10).seen();
    let at = |minute| noon() + SignedDuration::from_mins(minute);
    assert!(!seen.is_due(Some(0), at(59)) && !seen.is_due(None, at(59)));
    assert!(seen.is_due(Some(0), at(60)) && seen.is_due(Some(1), at(20)));
}

#[test]
fn stages_that_cannot_be_followed_are_refused() {
    let named = |name: &str, json: &str| {
        App::parse(&name.parse().expect("a name"), "x", json).expect("a configuration")
    };
    let web = app(r#"{"stack": "web", "after": {"app": "bb"}}"#);
    let b = named("bb", r#"{"stack": "b", "repository": "web", "after": {"app": "web"}}"#);
    let other = named("bb", r#"{"stack": "b"}"#);
    let fine = named("bb", r#"{"stack": "b", "repository": "web"}"#);
    let problem = |b: Option<Option<&App>>| {
        check_chain(&web, |name| b.filter(|_| name.as_str() == "bb")).err()
    };
    assert_eq!(problem(Some(Some(&fine))), None);
    assert_eq!(problem(Some(None)), None, "its own error says what is wrong with it");
    let circle = problem(Some(Some(&b))).expect("a circle");
    assert!(circle.contains("`web` comes after `bb`, which comes after `web`"), "{circle}");
    let none = problem(None).expect("no such app");
    assert!(none.contains("`bb` is not configured"), "{none}");
    let repository = problem(Some(Some(&other))).expect("another repository");
    assert!(repository.contains("promotes the repository `bb`"), "{repository}");
}
