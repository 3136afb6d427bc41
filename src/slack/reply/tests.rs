use serde_json::json;

use super::*;
use crate::model::Commit;
use crate::model::bake::Bake;
use crate::model::config::policy::Mode;
use crate::model::promotion::{End, Ended};
use crate::model::report::{HistoryEntry, Newest, StackStatus};
use crate::model::state::{Hold, Running, Waiting};
use crate::model::verification::Verification;
use crate::model::way_back::WayBack;
use crate::samples::wrapped;

/// A value of a type that only JSON makes.
fn parsed<T: serde::de::DeserializeOwned>(json: serde_json::Value) -> T {
    serde_json::from_value(json).expect("it parses")
}

/// Words with the digests of [`digest`] cut short.
fn shortened(words: &str) -> String {
    words.replace(&"0".repeat(63), "")
}

fn digest(n: u8) -> Digest {
    format!("sha256:{n:064}").parse().expect("a digest")
}

fn promotion(tag: &str, by: &str, at: &str) -> Promotion {
    parsed(json!({
        "token": "t", "digest": digest(1), "commit": null, "tag": tag, "previous_tag": "x",
        "previous_commit": null, "stack": "web", "by": by, "via": "direct", "at": at,
    }))
}

/// `reason` is the reason of all that has one.
fn status(reason: &str) -> Status {
    let request = json!({
        "id": "req-0123456789abcdef0123456789abcdef", "digest": digest(2), "commit": null,
        "tag": null, "running_tag": null, "running_commit": null, "running_since": null,
        "at": "2026-03-17T10:00:00Z", "expires_at": "2026-03-20T10:00:00.5Z", "why": reason,
        "votes": [], "is_approved": false, "progress": "pending", "channel": null,
        "posted": null, "shown": null,
    });
    let at = "2026-03-17T10:00:00.123Z".parse().expect("a time");
    let running = Running {
        note: None,
        tag: "production_9fceb02".to_owned(),
        digest: Some(digest(1)),
        commit: None,
        since: Some("2026-03-17T09:41:30.9Z".parse().expect("a time")),
        by: "alice".to_owned(),
    };
    Status {
        app: "web".parse().expect("a name"),
        repository: "web".parse().expect("a name"),
        mode: Mode::Auto,
        stack: StackStatus { name: "web".to_owned(), status: "UPDATE_COMPLETE".to_owned() },
        after: None,
        soaking: None,
        parameter: "ProductionTag".to_owned(),
        value: "production_9fceb02".to_owned(),
        running: Some(running),
        newest: Newest { tag: "latest".parse().expect("a tag"), digest: Some(digest(2)) },
        open: Vec::new(),
        verifying: None,
        bake: None,
        services: Vec::new(),
        hold: Some(Hold { by: "bob".to_owned(), at, reason: reason.to_owned() }),
        request: Some(parsed(request)),
        waiting: None,
        failed: Vec::new(),
        passed_over: None,
    }
}

fn plan(reason: &str, changes: &[&str]) -> PromotionPlan {
    PromotionPlan {
        of: None,
        way_back: None,
        would: Outcome::Blocked,
        app: Some("web".parse().expect("a name")),
        repository: Some("web".parse().expect("a name")),
        digest: None,
        commit: None,
        tag: Some("production_9fceb02".parse().expect("a tag")),
        previous_tag: Some("production_e83c516".to_owned()),
        stack: None,
        parameter: "ProductionTag".to_owned(),
        reason: reason.to_owned(),
        changes: Some(changes.iter().map(|change| (*change).to_owned()).collect()),
        warnings: vec!["The image says no commit.".to_owned()],
    }
}

#[test]
fn a_status_reads_at_a_glance() {
    let status = Report::Status(Box::new(status("release freeze")));
    insta::assert_snapshot!(shortened(&words(&Reply::Report(status))), @r"
    web runs production_9fceb02 (mode auto)
    • since 2026-03-17T09:41:30Z, by alice
    • stack web is in UPDATE_COMPLETE
    • newest: sha256:2 (latest)
    • held by bob since 2026-03-17T10:00:00Z: release freeze
    • waits for approval: sha256:2 until 2026-03-20T10:00:00Z
    ");
}

#[test]
fn outsiders_see_what_runs_and_nothing_from_aws() {
    let secret = "arn:aws:ecs:us-east-1:012345678912:service/web did not stabilize";
    let at = "2026-03-17T10:00:00Z".parse().expect("a time");
    let waiting = Waiting { since: at, outcome: Outcome::Blocked, reason: secret.to_owned() };
    let status = Status {
        open: vec![promotion("production_abc1234", "bob", "2026-03-17T10:00:00Z")],
        waiting: Some(waiting),
        ..status(secret)
    };
    let status = Reply::Report(Report::Status(Box::new(status)));
    insta::assert_snapshot!(shortened(&words_for_outsiders(&status)), @r"
    web runs production_9fceb02 (mode auto)
    • since 2026-03-17T09:41:30Z, by alice
    • under way: production_abc1234, since 2026-03-17T10:00:00Z
    • held
    • waits for approval: sha256:2
    • blocked
    ");
    let plan = Report::Plan(Box::new(plan(secret, &[secret])));
    assert_eq!(
        words_for_outsiders(&Reply::Report(plan)),
        "web: promote would answer blocked (production_e83c516 → production_9fceb02). Only \
         people who may command the app can see why."
    );
    let refused = Answer { reason: secret.to_owned(), ..Answer::ignored("") };
    assert!(!words_for_outsiders(&refused.into()).contains("arn:"));
}

#[test]
fn a_board_is_a_link_with_its_time() {
    let expires_at = "2026-03-17T09:56:30Z".parse().expect("a time");
    let link = BoardLink { url: "https://x.example/board/t.1-_a".to_owned(), expires_at };
    assert_eq!(
        words(&Reply::Report(Report::Board(link))),
        "The board, until 2026-03-17T09:56:30Z. Anyone with this address can act as you, so \
         do not share it:\nhttps://x.example/board/t.1-_a"
    );
}

#[test]
fn a_history_and_a_plan_are_lists() {
    let ended = Ended {
        number: 0,
        promotion: promotion("production_9fceb02", "alice", "2026-03-17T09:41:30Z"),
        end: End::Deployed,
        reason: String::new(),
        ended_at: "2026-03-17T09:45:00Z".parse().expect("a time"),
    };
    let (app, repository) = ("web".parse().expect("a name"), "web".parse().expect("a name"));
    let history =
        History { app, repository, promotions: vec![HistoryEntry::ended(ended)], next: None };
    assert_eq!(
        words(&Reply::Report(Report::History(history))),
        "web: the last promotions, newest first\n• production_9fceb02 deployed by alice, \
         2026-03-17T09:41:30Z"
    );
    let plan = plan("the guard", &["Modify AWS::RDS::DBInstance Database, replacement"]);
    assert_eq!(
        words(&Reply::Report(Report::Plan(Box::new(plan)))),
        "web: promote would answer blocked (production_e83c516 → production_9fceb02). the \
         guard\n\
         • Modify AWS::RDS::DBInstance Database, replacement\n\
         • Warning: The image says no commit."
    );
}

/// The way back from `c` to `b`.
fn way() -> WayBack {
    let letter = |c: &str| Some(c.repeat(7).parse::<Commit>().expect("a commit"));
    WayBack {
        from: Some(digest(3)),
        from_commit: letter("c"),
        to: digest(2),
        to_commit: letter("b"),
        deployed_at: Some("2026-03-17T14:02:00Z".parse().expect("a time")),
        deployed_by: Some("alice".to_owned()),
        ran_seconds: Some(3 * 86_400),
    }
}

#[test]
fn a_plan_of_a_rollback_says_from_what_to_what_it_would_go() {
    let planned = |would, reason: &str| PromotionPlan {
        of: Some("rollback"),
        way_back: Some(way()),
        would,
        changes: None,
        warnings: Vec::new(),
        ..plan(reason, &[])
    };
    let all = [
        planned(Outcome::Promoted, &way().words()),
        planned(Outcome::Refused, "there is no such image any more"),
    ];
    let all = all.map(|plan| words(&Reply::Report(Report::Plan(Box::new(plan)))));
    insta::assert_snapshot!(wrapped(&all.join("\n\n")), @r"
    web: rollback would go ccccccc → bbbbbbb, deployed Tue 17 Mar 14:02 UTC by alice,
        ran 3 days.

    web: rollback would answer refused (ccccccc → bbbbbbb, deployed Tue 17 Mar 14:02 UTC
        by alice, ran 3 days). there is no such image any more
    ");
}

#[test]
fn a_rollback_is_called_a_rollback() {
    let back = |it: Promotion| Promotion { rolls_back: Some("production_bad".to_owned()), ..it };
    let own = back(promotion("production_9fceb02", "alice", "2026-03-17T09:41:30Z"));
    let ended = Ended {
        number: 0,
        promotion: own.clone(),
        end: End::Deployed,
        reason: String::new(),
        ended_at: "2026-03-17T09:45:00Z".parse().expect("a time"),
    };
    let history = History {
        app: "web".parse().expect("a name"),
        repository: "web".parse().expect("a name"),
        promotions: vec![HistoryEntry::open(own.clone()), HistoryEntry::ended(ended)],
        next: None,
    };
    let answer = Answer {
        outcome: Outcome::Promoted,
        rolls_back: Some("production_bad".to_owned()),
        app: Some("web".parse().expect("a name")),
        ..Answer::ignored("CloudFormation accepted the update")
    };
    let under_way = Status { open: vec![own], hold: None, request: None, ..status("") };
    let all = [
        words(&Reply::Report(Report::History(history))),
        words(&answer.into()),
        words(&Reply::Report(Report::Status(Box::new(under_way)))),
    ];
    insta::assert_snapshot!(wrapped(&shortened(&all.join("\n\n"))), @r"
    web: the last promotions, newest first
    • production_9fceb02 queued by alice, 2026-03-17T09:41:30Z
    • production_9fceb02 rolled back by alice, 2026-03-17T09:41:30Z

    web: rolling back. CloudFormation accepted the update

    web runs production_9fceb02 (mode auto)
    • since 2026-03-17T09:41:30Z, by alice
    • stack web is in UPDATE_COMPLETE
    • newest: sha256:2 (latest)
    • under way: rolling back from production_bad to production_9fceb02 by alice, since
        2026-03-17T09:41:30Z
    ");
}

#[test]
fn a_status_says_what_ecs_and_the_alarms_show() {
    let at = "2026-03-17T10:00:00Z".parse().expect("a time");
    let own = promotion("production_9fceb02", "alice", "2026-03-17T09:41:30Z");
    let mut verification = Verification::begin(own.clone(), 30, at);
    verification.note("1 of 2 tasks of ECS service `web` run it", false, at);
    let service = KnownService {
        arn: "arn:aws:ecs:us-east-1:012345678912:service/production/web".to_owned(),
        revision: None,
        digest: Some(digest(7)),
        is_promoted: false,
    };
    let quiet = || Status { hold: None, request: None, ..status("") };
    let verifying =
        Status { verifying: Some(verification), services: vec![service.clone()], ..quiet() };
    let baking =
        Status { bake: Some(Bake::begin(&own, 60, at)), services: vec![service], ..quiet() };
    let all = [&verifying, &baking].map(|status| {
        let status = Reply::Report(Report::Status(Box::new(status.clone())));
        [words(&status), words_for_outsiders(&status)].join("\n\n")
    });
    assert!(!all[0].split("\n\n").nth(1).unwrap_or_default().contains("ECS"));
    insta::assert_snapshot!(shortened(&all.join("\n\n")), @r"
    web runs production_9fceb02 (mode auto)
    • since 2026-03-17T09:41:30Z, by alice
    • stack web is in UPDATE_COMPLETE
    • newest: sha256:2 (latest)
    • on its way in ECS: production_9fceb02: 1 of 2 tasks of ECS service `web` run it

    web runs production_9fceb02 (mode auto)
    • since 2026-03-17T09:41:30Z, by alice
    • under way: production_9fceb02, since 2026-03-17T09:41:30Z

    web runs production_9fceb02 (mode auto)
    • since 2026-03-17T09:41:30Z, by alice
    • stack web is in UPDATE_COMPLETE
    • newest: sha256:2 (latest)
    • production_9fceb02 bakes until 11:00 UTC
    • ECS service `web` runs sha256:7, not the image that the stack names

    web runs production_9fceb02 (mode auto)
    • since 2026-03-17T09:41:30Z, by alice
    • production_9fceb02 bakes
    ");
}
