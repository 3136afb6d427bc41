//! Each state of the design, with its words, its section and its place on the board.

use jiff::SignedDuration;

use super::*;
use crate::model::approval::{ApprovalRequest, Progress};
use crate::model::bake::{Bake, WatchedAlarm};
use crate::model::soaking::SeenStage;
use crate::model::state::{Hold, Running, Waiting};
use crate::model::{Commit, Digest};
use crate::page::condition::Group;
use crate::samples::{self, at};

const NOW: &str = "2026-03-17T10:00:00Z";

fn now() -> Timestamp {
    at(NOW)
}

fn ago(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

const STAGE: &str = r#"{"stack": "web", "after": {"app": "web-staging"}}"#;

/// An app that runs `e83c516` since two hours.
fn running() -> State {
    let mut state = State::new("web", "ProductionTag");
    let commit: Commit = samples::OTHER_COMMIT.parse().expect("a commit");
    state.running = Some(Running {
        tag: format!("production_{commit}"),
        digest: Some(Digest::of(b"old")),
        commit: Some(commit),
        note: None,
        since: Some(ago(120)),
        by: "alice".to_owned(),
    });
    state
}

fn asked(progress: Progress, minutes: i64) -> ApprovalRequest {
    ApprovalRequest {
        progress,
        at: ago(minutes),
        expires_at: ago(minutes) + SignedDuration::from_hours(72),
        ..samples::request()
    }
}

fn hold(by: &str, reason: &str) -> Option<Hold> {
    Some(Hold { by: by.to_owned(), at: ago(5), reason: reason.to_owned() })
}

fn waiting(outcome: Outcome, reason: &str) -> Option<Waiting> {
    Some(Waiting { since: ago(6), outcome, reason: reason.to_owned() })
}

fn failed(state: &mut State) {
    state.end(&samples::promotion(), End::Failed, "exited with 1", ago(14));
}

fn verifying(state: &mut State, progress: &str) {
    state.verify(&samples::promotion(), 30, ago(4));
    let verifying = state.verifying.as_mut().expect("it is verified");
    verifying.promotion.previous_commit = samples::OTHER_COMMIT.parse().ok();
    verifying.note(progress, false, ago(4));
}

fn baking(state: &mut State, alarm: &str, is_told: bool) {
    let mut bake = Bake::begin(&samples::promotion(), 30, ago(10));
    bake.alarms = vec![WatchedAlarm { name: "web-5xx".to_owned(), state: Some(alarm.to_owned()) }];
    bake.told = if is_told { vec!["web-5xx".to_owned()] } else { Vec::new() };
    state.bake = Some(bake);
}

fn open(state: &mut State, change: impl Fn(&mut Promotion)) {
    let mut own = samples::promotion();
    own.sent_at = Some(now() - SignedDuration::from_secs(80));
    change(&mut own);
    state.open.push(own);
}

/// This must run in `web-staging` for so many minutes more.
fn soaking(state: &mut State, minutes: i64, is_baking: bool) {
    let soaking = Soaking {
        digest: samples::DIGEST.parse().expect("a digest"),
        commit: samples::COMMIT.parse().ok(),
        until: now() + SignedDuration::from_mins(minutes),
        is_baking,
    };
    let after = "web-staging".parse().expect("a name");
    state.stage = Some(SeenStage { after, ended: 1, soaking: Some(soaking) });
}

fn another_image(state: &mut State) {
    let known = KnownService {
        arn: "arn:aws:ecs:us-east-1:012345678912:service/web/web".to_owned(),
        revision: Some("1".to_owned()),
        digest: Some(Digest::of(b"else")),
        is_promoted: false,
    };
    state.services = Some(KnownServices { as_of: None, list: vec![known], has_failed: false });
}

/// What is done to an app that runs, and the section and words that follow.
type Line = (fn(&mut State), Group, &'static str);

/// From the first on the board to the last.
const TABLE: [Line; 24] = [
    (failed, Group::Needs, "Failed"),
    (
        |state| state.hold = hold("alarm `web-5xx`", "it went off"),
        Group::Needs,
        "Alarm while baking",
    ),
    (|state| baking(state, "ALARM", false), Group::Needs, "Alarm while baking"),
    (|state| state.waiting = waiting(Outcome::Blocked, "mend it"), Group::Needs, "Blocked"),
    (|state| state.trouble = Some("no stack".to_owned()), Group::Needs, "Cannot be checked"),
    (another_image, Group::Needs, "Another image runs"),
    (
        |state| state.request = Some(asked(Progress::Pending, 5_000)),
        Group::Needs,
        "Nobody decided in 72 h",
    ),
    (
        |state| state.request = Some(asked(Progress::Expired, 4_500)),
        Group::Needs,
        "Nobody decided in 72 h",
    ),
    (
        |state| state.request = Some(asked(Progress::Pending, 11)),
        Group::Needs,
        "Waits for approval",
    ),
    (|state| open(state, |_| {}), Group::Moving, "Updating, 1 min 20 s"),
    (
        |state| open(state, |own| own.rolls_back = Some("x".to_owned())),
        Group::Moving,
        "Rolling back, 1 min 20 s",
    ),
    (
        |state| open(state, |own| own.cancelled_by = Some("x".to_owned())),
        Group::Moving,
        "Cancelling, 1 min 20 s",
    ),
    (
        |state| verifying(state, "ECS service `web`: 2 of 3 tasks"),
        Group::Moving,
        "Verifying, 2 of 3 tasks",
    ),
    (|state| verifying(state, "CloudFormation finished"), Group::Moving, "Verifying"),
    (|state| baking(state, "OK", false), Group::Moving, "Baking until 10:20"),
    (|state| baking(state, "ALARM", true), Group::Moving, "Baking until 10:20"),
    (|state| open(state, |own| own.sent_at = None), Group::Moving, "Queued"),
    (|state| state.waiting = waiting(Outcome::Queued, "busy"), Group::Moving, "Queued"),
    (|state| soaking(state, 40, false), Group::Moving, "Soaking until 10:40"),
    (|state| soaking(state, 12, true), Group::Moving, "Bakes in web-staging until 10:12"),
    (|state| soaking(state, 0, false), Group::Moving, "Soaked"),
    (|state| state.hold = hold("dora", "freeze"), Group::Held, "Held by dora"),
    (
        |state| state.hold = hold("linus", "rolled back from `x`"),
        Group::Held,
        "Rolled back by linus",
    ),
    (|_| {}, Group::Fine, "Running"),
];

#[test]
fn each_state_has_its_words_and_its_place() {
    let app = samples::app(STAGE);
    let mut last = 0;
    for (change, group, words) in TABLE {
        let mut state = running();
        change(&mut state);
        let its = of(Ok(&app), Ok(Some(&state)), now());
        assert_eq!((its.kind.group(), its.words.as_str()), (group, words));
        let (rank, _) = its.rank();
        assert!(rank >= last, "{words} stands too late");
        last = rank;
        let runs = its.runs.map(|runs| runs.words());
        assert_eq!(runs.as_deref(), Some("e83c516"), "{words}: what runs is shown");
    }
    let unseen = of(Ok(&app), Ok(None), now());
    assert_eq!((unseen.kind, unseen.kind.group()), (Kind::Unseen, Group::New));
    assert!(unseen.rank().0 > last);
    for (app, state, words) in [
        (Err("key `stac`"), Ok(None), "Configuration error"),
        (Ok(&app), Err("no table"), "Cannot be read"),
    ] {
        let its = of(app, state, now());
        assert_eq!((its.kind, its.words.as_str()), (Kind::Unusable, words));
    }
}

#[test]
fn several_people_are_counted() {
    let app = samples::app(
        r#"{"stack": "web", "approval": {"required": 2, "slack_channel": "C024BE91L"}}"#,
    );
    let mut state = running();
    state.request = Some(asked(Progress::Pending, 41));
    assert_eq!(of(Ok(&app), Ok(Some(&state)), now()).words, "Waits for approval, 1 of 2");
}

#[test]
fn of_two_states_an_app_has_the_one_that_needs_somebody() {
    let app = samples::app("{\"stack\": \"web\"}");
    let kind = |state: &State| of(Ok(&app), Ok(Some(state)), now()).kind;
    let mut state = running();
    state.hold = hold("dora", "freeze");
    state.request = Some(asked(Progress::Pending, 11));
    assert_eq!(kind(&state), Kind::Waits, "held, and people are asked");
    failed(&mut state);
    assert_eq!(kind(&state), Kind::Waits, "a newer image is asked about");
    state.request = None;
    assert_eq!(kind(&state), Kind::Failed);
    open(&mut state, |_| {});
    assert_eq!(kind(&state), Kind::Updating, "it is tried again");
    state.waiting = waiting(Outcome::Blocked, "mend it");
    assert_eq!(kind(&state), Kind::Blocked);
}

#[test]
fn those_who_wait_longest_come_first() {
    let app = samples::app("{\"stack\": \"web\"}");
    let rank = |minutes: i64| {
        let state = State { request: Some(asked(Progress::Pending, minutes)), ..running() };
        of(Ok(&app), Ok(Some(&state)), now()).rank()
    };
    assert!(rank(60) < rank(10));
}

#[test]
fn what_soaks_is_told_where_nothing_is_more_urgent() {
    let app = samples::app(STAGE);
    let next = |its: &Condition| its.next.as_ref().map(Named::words);
    let mut state = running();
    soaking(&mut state, 40, false);
    let its = of(Ok(&app), Ok(Some(&state)), now());
    assert_eq!((its.kind, next(&its).as_deref()), (Kind::Soaking, Some("9fceb02")));
    let page = its.draw(now()).into_string();
    assert!(page.starts_with("Soaking until <time datetime=\"2026-03-17T10:40:00Z\""), "{page}");

    state.hold = hold("dora", "freeze");
    let its = of(Ok(&app), Ok(Some(&state)), now());
    assert_eq!((its.kind, next(&its).as_deref()), (Kind::Held, Some("9fceb02")));
    state.request = Some(asked(Progress::Pending, 11));
    assert_eq!(of(Ok(&app), Ok(Some(&state)), now()).kind, Kind::Waits);
    (state.hold, state.request) = (None, None);

    let kind = |state: &State, app: &str| of(Ok(&samples::app(app)), Ok(Some(state)), now()).kind;
    let other = r#"{"stack": "web", "after": {"app": "another"}}"#;
    assert_eq!(kind(&state, other), Kind::Running, "another stage is configured now");
    assert_eq!(kind(&state, "{\"stack\": \"web\"}"), Kind::Running, "no stage any more");
    state.running.as_mut().expect("it runs").digest = samples::DIGEST.parse().ok();
    assert_eq!(kind(&state, STAGE), Kind::Running, "it runs here already");
}
