use super::*;
use crate::model::Digest;
use crate::model::notes::CommitNote;
use crate::samples::{self, COMMIT, REQUEST, at, wrapped};

fn app() -> App {
    samples::app(r#"{"stack":"web","approval":{"slack_channel":"C1"}}"#)
}

fn thread(runs: bool) -> Thread {
    Thread {
        channel: "C2".to_owned(),
        ts: "1548261231.000200".to_owned(),
        approvers: vec!["UALICE".to_owned(), "UBOB".to_owned()],
        runs,
        way_back: Some(Digest::of(b"b")),
        way_back_commit: Some("bbbbbbb".parse().expect("a commit")),
    }
}

fn of_request(outcome: Outcome, thread: Option<Thread>) -> Notice {
    Notice {
        digest: Some(Digest::of(b"x")),
        commit: Some(COMMIT.parse().expect("a commit")),
        request: Some(REQUEST.parse().expect("an id")),
        thread: thread.map(Box::new),
        ..Notice::new(outcome, "alice (Slack, UALICE)", "why", at("2026-03-17T09:41:30Z"))
    }
}

/// What a reader sees: the texts, a line each, and the buttons.
fn read(notice: &Notice) -> String {
    let body = post(&app(), notice, "production").expect("it is posted");
    let place = format!("{} {} {}", body["channel"], body["thread_ts"], body["reply_broadcast"]);
    let mut lines = vec![place];
    for block in body["blocks"].as_array().expect("a list") {
        match block["type"].as_str().expect("a type") {
            "section" => lines.extend(block["text"]["text"].as_str().map(str::to_owned)),
            "context" => {
                lines.extend(block["elements"][0]["text"].as_str().map(str::to_owned));
            }
            "actions" => {
                let button = &block["elements"][0];
                let confirm = button["confirm"]["text"]["text"].as_str().unwrap_or_default();
                lines.push(format!("[{}] {confirm}", button["action_id"]));
            }
            other => panic!("{other} is no block of ours"),
        }
    }
    lines.join("\n")
}

#[test]
fn bad_ends_are_told_in_the_thread_and_in_the_channel() {
    let nobody = Thread { approvers: Vec::new(), ..thread(false) };
    let all = [
        read(&of_request(Outcome::Failed, Some(thread(false)))),
        read(&of_request(Outcome::Failed, Some(thread(true)))),
        read(&of_request(Outcome::Blocked, Some(thread(false)))),
        read(&of_request(Outcome::Expired, Some(nobody))),
    ];
    insta::assert_snapshot!(wrapped(&all.join("\n\n")), @r#"
    "C2" "1548261231.000200" true
    web → production: 9fceb02 did not reach production
    why
    <@UALICE>, <@UBOB> approved it.
    by alice (Slack, UALICE)
    ["ask_again"] 

    "C2" "1548261231.000200" true
    web → production: 9fceb02 did not reach production
    why
    <@UALICE>, <@UBOB> approved it.
    by alice (Slack, UALICE)
    ["roll_back"] web goes back from 9fceb02 to bbbbbbb in production. From then on
        pushes ask for approval, until somebody resumes.

    "C2" "1548261231.000200" true
    web → production: 9fceb02 is blocked
    why
    <@UALICE>, <@UBOB> approved it.
    by alice (Slack, UALICE)

    "C2" "1548261231.000200" true
    web → production: nobody decided on 9fceb02 in time
    why
    by alice (Slack, UALICE)
    ["ask_again"]
    "#);
}

#[test]
fn what_the_message_of_the_request_says_is_not_posted_besides() {
    for outcome in [Outcome::Deployed, Outcome::ApprovalRequested, Outcome::Failed] {
        assert_eq!(post(&app(), &of_request(outcome, None), "production"), None);
    }
    let nowhere = samples::app(r#"{"stack":"web"}"#);
    let held = Notice { request: None, ..of_request(Outcome::Held, None) };
    assert_eq!(post(&nowhere, &held, "production"), None);
}

#[test]
fn what_belongs_to_no_request_is_told_in_the_channel() {
    let note = |subject: &str| CommitNote {
        commit: Some(COMMIT.parse().expect("a commit")),
        subject: Some(subject.to_owned()),
        author: Some("alice".to_owned()),
        at: None,
        url: None,
    };
    let told = |outcome, subject: &str| Notice {
        request: None,
        note: Some(note(subject)),
        ..of_request(outcome, None)
    };
    let back = Notice {
        rolls_back: Some("production_bad".to_owned()),
        ..told(Outcome::Promoted, "Add tax")
    };
    let all = [
        read(&told(Outcome::Promoted, "Fix checkout rounding")),
        read(&back),
        read(&told(Outcome::Held, "<!channel> <script> & \u{202e}")),
    ];
    insta::assert_snapshot!(all.join("\n\n"), @r#"
    "C1" null null
    web → production: 9fceb02 is on its way to production
    9fceb02 Fix checkout rounding (alice)
    why
    by alice (Slack, UALICE)

    "C1" null null
    web → production: rolling back to 9fceb02
    9fceb02 Add tax (alice)
    why
    by alice (Slack, UALICE)

    "C1" null null
    web → production: held
    9fceb02 &lt;!channel&gt; &lt;script&gt; &amp;   (alice)
    why
    by alice (Slack, UALICE)
    "#);
}

#[test]
fn the_longest_of_everything_is_within_slacks_limits() {
    for c in ["x", "&", "é", "\u{1f600}"] {
        let long = c.repeat(10_000);
        let note = CommitNote {
            commit: None,
            subject: Some(long.clone()),
            author: Some(long.clone()),
            at: None,
            url: None,
        };
        let approvers = vec!["U".repeat(64); 200];
        let notice = Notice {
            by: long.clone(),
            reason: long.clone(),
            note: Some(note),
            thread: Some(Box::new(Thread { approvers, ..thread(true) })),
            ..of_request(Outcome::Failed, None)
        };
        let body = post(&app(), &notice, "production").expect("it is posted");
        for block in body["blocks"].as_array().expect("a list") {
            let texts = [&block["text"]["text"], &block["elements"][0]["text"]];
            for text in texts.into_iter().filter_map(Value::as_str) {
                assert!((1..=3_000).contains(&text.chars().count()), "{}", text.len());
            }
        }
    }
}
