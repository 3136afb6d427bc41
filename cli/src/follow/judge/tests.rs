//! Tables: what a status and a history mean for whoever follows.

use serde_json::{Value, json};

use super::*;

const OLD: &str = "sha256:aaaaaaaaaaaaaaaaaaaa";
const NEW: &str = "sha256:bbbbbbbbbbbbbbbbbbbb";

fn now() -> Timestamp {
    "2026-10-01T12:00:00Z".parse().expect("a time")
}

fn promotion(keys: Value) -> Value {
    let mut promotion = json!({
        "token": "t", "digest": NEW, "tag": "production_new", "by": "alice", "via": "direct",
        "at": "2026-10-01T11:59:00Z"
    });
    merge(&mut promotion, keys);
    promotion
}

fn merge(to: &mut Value, keys: Value) {
    let keys = keys.as_object().expect("an object").clone();
    to.as_object_mut().expect("an object").extend(keys);
}

fn status(keys: Value) -> Status {
    let mut status = json!({
        "app": "web", "mode": "auto", "stack": {"name": "web", "status": "UPDATE_COMPLETE"},
        "parameter": "ProductionTag", "value": "production_old",
        "running": {"tag": "production_old", "digest": OLD},
        "newest": {"tag": "latest", "digest": NEW}, "open": []
    });
    merge(&mut status, keys);
    serde_json::from_value(status).expect("a status")
}

fn history(entries: &[(&str, Value)]) -> Vec<Entry> {
    let entry = |(outcome, promotion): &(&str, Value)| {
        let mut entry = promotion.clone();
        merge(
            &mut entry,
            json!({"outcome": outcome, "reason": "why", "ended_at": "2026-10-01T12:00:00Z"}),
        );
        serde_json::from_value(entry).expect("an entry")
    };
    entries.iter().map(entry).collect()
}

fn target(aim: Aim) -> Target {
    let token = Some("t".to_owned());
    Target { aim, token, digest: Some(NEW.to_owned()), ..Target::whatever() }
}

#[test]
fn each_status_of_a_promotion_is_a_stage() {
    let busy = json!({"name": "web", "status": "UPDATE_IN_PROGRESS"});
    let sent = promotion(json!({"accepted_at": "2026-10-01T11:59:30Z"}));
    let cancelled = promotion(json!({"cancelled_by": "bob"}));
    let waiting = json!({"since": "2026-10-01T11:00:00Z", "outcome": "queued", "reason": "busy"});
    for (keys, word, words) in [
        (
            json!({"open": [promotion(json!({}))], "stack": busy}),
            "queued",
            "queued: stack web is in UPDATE_IN_PROGRESS",
        ),
        (json!({"open": [promotion(json!({}))], "waiting": waiting}), "queued", "queued: busy"),
        (json!({"open": [promotion(json!({}))]}), "sending", "tagged; the update is sent next"),
        (
            json!({"open": [sent.clone()], "stack": busy}),
            "updating",
            "CloudFormation UPDATE_IN_PROGRESS",
        ),
        (
            json!({"open": [sent, promotion(json!({"token": "later"}))], "stack": busy}),
            "updating",
            "CloudFormation UPDATE_IN_PROGRESS",
        ),
        (
            json!({"open": [cancelled], "stack": busy}),
            "cancelling",
            "being cancelled: CloudFormation UPDATE_IN_PROGRESS",
        ),
        (
            json!({"verifying": {"promotion": promotion(json!({})), "progress": "1 of 2 tasks"}}),
            "verifying",
            "ECS: 1 of 2 tasks",
        ),
        (
            json!({"verifying": {"promotion": promotion(json!({})), "problem": "denied"}}),
            "verifying",
            "ECS cannot be asked: denied",
        ),
        (
            json!({"bake": {"token": "t", "digest": NEW, "tag": "x",
                "until": "2026-10-01T12:10:00Z", "alarms": [{"name": "a", "state": "OK"}]}}),
            "baking",
            "runs and bakes until 12:10 UTC (in 10 min): a OK",
        ),
    ] {
        let look = by_status(&mut target(Aim::Deployed), &status(keys), now());
        let expected = Look::GoesOn(Stage { word, words: words.to_owned() });
        assert_eq!(look, expected);
    }
}

#[test]
fn an_image_that_soaks_is_found_without_a_token() {
    let soaking = json!({
        "after": "staging",
        "soaking": {"digest": NEW, "commit": null, "until": "2026-10-01T13:00:00Z"}
    });
    let mut target = Target { token: None, ..target(Aim::Deployed) };
    let look = by_status(&mut target, &status(soaking), now());
    let words = "soaks in staging until 13:00 UTC (in 1 h)".to_owned();
    assert_eq!(look, Look::GoesOn(Stage { word: "soaking", words }));
    let open = json!({"open": [promotion(json!({}))]});
    by_status(&mut target, &status(open), now());
    assert_eq!(target.token.as_deref(), Some("t"), "from now on it is followed by its token");
}

#[test]
fn a_person_must_act_where_the_stack_is_blocked() {
    let waiting =
        json!({"since": "2026-10-01T11:00:00Z", "outcome": "blocked", "reason": "repair it"});
    for aim in [Aim::Deployed, Aim::Resumed, Aim::AtRest] {
        let open = if aim == Aim::Deployed { json!([promotion(json!({}))]) } else { json!([]) };
        let mut target = match aim {
            Aim::Deployed => target(aim),
            Aim::Cancelled | Aim::WentBack | Aim::Resumed | Aim::AtRest => {
                Target { aim, ..Target::whatever() }
            }
        };
        let seen = status(json!({"open": open, "waiting": waiting}));
        let Look::Ended(end) = by_status(&mut target, &seen, now()) else { panic!("{aim:?}") };
        assert_eq!(end.exit, Exit::Waits);
        assert!(end.words.starts_with("blocked: repair it. production_old ("), "{}", end.words);
    }
}

#[test]
fn each_end_of_the_history_has_an_exit_code() {
    let runs_new = json!({"running": {"tag": "production_new", "digest": NEW}});
    for (aim, outcome, running, exit, said) in [
        (Aim::Deployed, "deployed", runs_new.clone(), Exit::Done, "deployed"),
        (Aim::Deployed, "deployed", json!({}), Exit::Refused, "superseded"),
        (Aim::Deployed, "failed", json!({}), Exit::Failed, "failed"),
        (Aim::Deployed, "blocked", json!({}), Exit::Failed, "blocked"),
        (Aim::Deployed, "superseded", json!({}), Exit::Refused, "superseded"),
        (Aim::Deployed, "superseded", runs_new, Exit::Done, "superseded"),
        (Aim::Deployed, "cancelled", json!({}), Exit::Failed, "cancelled"),
        (Aim::Cancelled, "cancelled", json!({}), Exit::Done, "cancelled"),
        (Aim::WentBack, "cancelled", json!({}), Exit::Done, "cancelled"),
        (Aim::Deployed, "canary", json!({}), Exit::Failed, "canary"),
    ] {
        let seen = status(running);
        let look = by_history(
            &mut target(aim),
            &seen,
            &history(&[(outcome, promotion(json!({})))]),
            now(),
        );
        let Look::Ended(end) = look else { panic!("{outcome}: {look:?}") };
        assert_eq!((end.exit, end.outcome.as_str()), (exit, said), "{aim:?} {outcome}");
        assert!(end.words.contains(" runs in web"), "{}", end.words);
    }
}

#[test]
fn a_rollback_by_an_alarm_is_followed_and_counts_as_failed() {
    let back = promotion(json!({
        "token": "back", "digest": OLD, "tag": "production_old", "via": "alarm",
        "rolls_back_digest": NEW, "why": "alarm `errors` went off"
    }));
    let ours = ("deployed", promotion(json!({})));
    let mut target = target(Aim::Deployed);
    let going = status(json!({"open": [back], "running": {"tag": "x", "digest": NEW}}));
    let look = by_history(&mut target, &going, &history(std::slice::from_ref(&ours)), now());
    assert!(matches!(look, Look::GoesOn(_)), "{look:?}");
    assert_eq!(target.token.as_deref(), Some("back"));
    let ends = history(&[("deployed", back), ours]);
    let Look::Ended(end) = by_history(&mut target, &status(json!({})), &ends, now()) else {
        panic!("{target:?}")
    };
    assert_eq!((end.exit, end.outcome.as_str()), (Exit::Failed, "failed"));
    assert!(end.words.starts_with("failed: alarm `errors` went off. production_old"));
}

#[test]
fn what_neither_shows_is_looked_for_again_and_then_given_up() {
    let mut target = target(Aim::Deployed);
    for _ in 0..UNSEEN {
        let look = by_history(&mut target, &status(json!({})), &[], now());
        assert!(matches!(look, Look::GoesOn(_)), "{look:?}");
    }
    let Look::Ended(end) = by_history(&mut target, &status(json!({})), &[], now()) else {
        panic!("{target:?}")
    };
    assert_eq!(end.exit, Exit::Failed);
    assert!(end.words.starts_with("unknown: neither status nor history"), "{}", end.words);
}

#[test]
fn a_hold_after_a_resume_and_a_new_question_wait_for_people() {
    let hold = json!({"hold": {"by": "bob", "at": "2026-10-01T12:00:00Z", "reason": "freeze"}});
    let request = json!({"request": {"id": "req-1", "digest": NEW, "progress": "pending",
        "expires_at": "2026-10-04T00:00:00Z"}});
    for (keys, exit, words) in [
        (hold.clone(), Exit::Waits, "held again by bob: freeze. "),
        (request, Exit::Waits, "approval_requested: people are asked about sha256:bbbbbbbbbbbb…"),
        (json!({}), Exit::Done, "resumed: production_old"),
    ] {
        let mut target = Target { aim: Aim::Resumed, ..Target::whatever() };
        let Look::Ended(end) = by_status(&mut target, &status(keys), now()) else {
            panic!("{words}")
        };
        assert_eq!(end.exit, exit);
        assert!(end.words.starts_with(words), "{}", end.words);
    }
    let mut target = Target::whatever();
    let Look::Ended(end) = by_status(&mut target, &status(hold), now()) else { panic!("a hold") };
    assert_eq!((end.exit, end.outcome.as_str()), (Exit::Done, "unchanged"));
}

#[test]
fn a_cancel_of_a_mere_question_has_ended_at_once() {
    let mut target = Target { token: None, ..target(Aim::Cancelled) };
    let Look::Ended(end) = by_status(&mut target, &status(json!({})), now()) else {
        panic!("{target:?}")
    };
    assert_eq!(end.exit, Exit::Done);
    assert!(end.words.starts_with("cancelled: nothing waits any more. production_old"));
}

#[test]
fn what_runs_needs_no_record_and_a_failure_does() {
    let recorded = history(&[("promoted", promotion(json!({})))]);
    let runs = status(json!({"running": {"tag": "production_new", "digest": NEW}}));
    let mut followed = target(Aim::Deployed);
    let Look::Ended(end) = by_history(&mut followed, &runs, &recorded, now()) else {
        panic!("it runs")
    };
    assert_eq!((end.exit, end.outcome.as_str()), (Exit::Done, "deployed"));
    assert!(end.words.ends_with(" runs in web, 1 m 0 s"), "{}", end.words);
    // Also where the same image ran before, under another tag.
    let same = status(json!({"running": {"tag": "latest", "digest": NEW}}));
    for seen in [same, status(json!({}))] {
        for _ in 0..=UNSEEN {
            let look = by_history(&mut followed, &seen, &recorded, now());
            assert!(matches!(&look, Look::GoesOn(stage) if stage.words.starts_with("has ended")));
        }
    }
}
