use serde_json::json;

use super::*;
use crate::model::Digest;
use crate::model::notes::{ChangeNotes, CommitNote, Direction};
use crate::samples::{at, wrapped};

mod ci;
mod limits;

fn app_with(more: &str) -> App {
    let json =
        format!(r#"{{"stack":"web","repository_url":"https://github.com/acme/web/"{more}}}"#);
    App::parse(&"web".parse().expect("valid"), "/ecr-promoter/apps/web", &json).expect("valid")
}

fn app() -> App {
    app_with("")
}

fn commit(id: &str, subject: &str, author: &str) -> CommitNote {
    CommitNote {
        commit: Some(id.parse().expect("a commit")),
        subject: Some(subject.to_owned()),
        author: Some(author.to_owned()),
        at: Some(at("2026-03-17T06:41:30Z")),
        url: None,
    }
}

fn fix() -> CommitNote {
    commit("9fceb02", "Fix checkout rounding", "alice")
}

fn notice(outcome: Outcome, reason: &str) -> Notice {
    Notice {
        digest: Some(Digest::of(b"x")),
        commit: Some("9fceb02".parse().expect("valid")),
        tag: Some("production_9fceb02".parse().expect("valid")),
        previous_tag: Some("production_e83c516".to_owned()),
        previous_commit: Some("e83c516".parse().expect("valid")),
        took_seconds: Some(130),
        note: Some(fix()),
        ..Notice::new(outcome, "push of `latest`", reason, at("2026-03-17T09:41:30Z"))
    }
}

fn asked() -> Notice {
    Notice {
        request: Some("req-0123456789abcdef0123456789abcdef".parse().expect("an id")),
        expires_at: Some(at("2026-03-20T09:41:30Z")),
        took_seconds: None,
        notes: Some(ChangeNotes::new(
            [fix(), commit("1234567", "Add tax", "bob")],
            Direction::Forward,
        )),
        ..notice(Outcome::ApprovalRequested, "the app's mode is `approval`")
    }
}

fn sent(app: &App, notice: &Notice) -> Message {
    message(app, notice, "production", &Page::None)
}

#[test]
fn a_question_says_it_all_in_a_mail() {
    let link = "https://x.example/approve/t.1-_a";
    let page = Page::At(link.to_owned());
    let message = message(&app(), &asked(), "production", &page);
    let text = message.text.replace(Digest::of(b"x").as_str(), "sha256:2d71…");
    insta::assert_snapshot!(wrapped(&format!("{}\n\n{text}", message.subject)), @r#"
    [production] web: 9fceb02 waits for approval: "Fix checkout rounding" (alice)

    [production] web: 9fceb02 waits for approval: "Fix checkout rounding" (alice)

    The page of this request. Anyone who has the address can use it, so do not share it:
    https://x.example/approve/t.1-_a

    the app's mode is `approval`

    What is new (2 commits, newest first):
    - 9fceb02 Fix checkout rounding (alice, 3 hours ago)
    - 1234567 Add tax (bob, 3 hours ago)

    stack     web (ProductionTag)
    commit    9fceb02
    digest    sha256:2d71…
    tag       production_9fceb02
    runs now  production_e83c516
    changes   https://github.com/acme/web/compare/e83c516...9fceb02
    until     2026-03-20 09:41 UTC (in 3 days)
    at        2026-03-17 09:41 UTC (just now)
    by        push of `latest`

    Nothing is deployed until somebody approves it. To decide, publish one of these to
        the approval topic:
      approve web sha256:2d71…
      reject web sha256:2d71…
    "#);
    assert!(!message.json.to_string().contains(link), "the link is for people only");
}

/// All outcomes.
const ALL: [Outcome; 16] = [
    Outcome::Promoted,
    Outcome::Deployed,
    Outcome::Failed,
    Outcome::Queued,
    Outcome::ApprovalRequested,
    Outcome::Approved,
    Outcome::Rejected,
    Outcome::Superseded,
    Outcome::Unchanged,
    Outcome::Held,
    Outcome::Blocked,
    Outcome::Expired,
    Outcome::Ignored,
    Outcome::Refused,
    Outcome::Resumed,
    Outcome::Cancelled,
];

/// The subject of a mail, and its end.
fn ends(message: &Message) -> String {
    let end = message.text.rsplit("\n\n").next().unwrap_or_default();
    format!("{}\n{}", message.subject, end.replace(Digest::of(b"x").as_str(), "sha256:2d71…"))
}

#[test]
fn what_goes_on_has_a_subject_and_a_next_step() {
    let all = ALL[..6].iter().map(|outcome| ends(&sent(&app(), &notice(*outcome, "why"))));
    insta::assert_snapshot!(wrapped(&all.collect::<Vec<_>>().join("\n\n")), @r#"
    [production] web: 9fceb02 is on its way to production: "Fix checkout rounding"
        (alice)
    Nothing to do: you will be told how it ends. To stop it while the stack is updated,
        publish this to the approval topic:
      cancel web

    [production] web: 9fceb02 is in production after 2 m 10 s: "Fix checkout rounding"
        (alice)
    Nothing to do. To go back to what ran before, publish this to the approval topic:
      rollback web

    [production] web: 9fceb02 did not reach production: "Fix checkout rounding" (alice)
    It is not retried automatically. Push a fixed image; to try this one again, publish
        this to the approval topic:
      promote web sha256:2d71…

    [production] web: 9fceb02 waits for the stack: "Fix checkout rounding" (alice)
    Nothing to do: it goes on by itself. To give it up, publish this to the approval
        topic:
      cancel web

    [production] web: 9fceb02 waits for approval: "Fix checkout rounding" (alice)
    Nothing is deployed until somebody approves it. To decide, publish one of these to
        the approval topic:
      approve web sha256:2d71…
      reject web sha256:2d71…

    [production] web: 9fceb02 was approved, and needs more approvals: "Fix checkout
        rounding" (alice)
    It still needs other people's approval, in Slack. To see who approved, publish this
        to the approval topic:
      status web
    "#);
}

#[test]
fn decisions_have_a_subject_and_a_next_step() {
    let all = ALL[6..11].iter().map(|outcome| ends(&sent(&app(), &notice(*outcome, "why"))));
    insta::assert_snapshot!(wrapped(&all.collect::<Vec<_>>().join("\n\n")), @r#"
    [production] web: 9fceb02 was rejected: "Fix checkout rounding" (alice)
    Nobody is asked about this image again. To deploy it all the same, publish this to
        the approval topic:
      promote web sha256:2d71…

    [production] web: 9fceb02 was superseded: "Fix checkout rounding" (alice)
    Nothing to do: another promotion or request has its place. To see which, publish
        this to the approval topic:
      status web

    [production] web: a command changed nothing: "Fix checkout rounding" (alice)
    ecr-promoter has changed nothing. To see what runs and what waits, publish this to
        the approval topic:
      status web

    [production] web: held: "Fix checkout rounding" (alice)
    Pushes ask for approval instead of deploying. To end it, publish this to the
        approval topic:
      resume web

    [production] web: 9fceb02 is blocked: "Fix checkout rounding" (alice)
    Once that is mended, it goes on by itself; a command that a person gave must be
        given again. To see how it stands, publish this to the approval topic:
      status web
    "#);
}

#[test]
fn ends_have_a_subject_and_a_next_step() {
    let all = ALL[11..].iter().map(|outcome| ends(&sent(&app(), &notice(*outcome, "why"))));
    insta::assert_snapshot!(wrapped(&all.collect::<Vec<_>>().join("\n\n")), @r#"
    [production] web: nobody decided on 9fceb02 in time: "Fix checkout rounding" (alice)
    Nothing was deployed. To be asked again, publish this to the approval topic:
      ask web

    [production] web: no longer configured: "Fix checkout rounding" (alice)
    ecr-promoter does nothing for this app any more. To have it back, write its
        configuration to Parameter Store again:
    aws ssm put-parameter --type String --name /ecr-promoter/apps/web --value '{"stack":
        "…"}'

    [production] web: a command was refused: "Fix checkout rounding" (alice)
    ecr-promoter has changed nothing. To see what runs and what waits, publish this to
        the approval topic:
      status web

    [production] web: resumed: "Fix checkout rounding" (alice)
    Pushes do what the app's mode says again. To see how it stands, publish this to the
        approval topic:
      status web

    [production] web: the promotion of 9fceb02 was cancelled: "Fix checkout rounding"
        (alice)
    It is not tried again by itself. To deploy it after all, publish this to the
        approval topic:
      promote web sha256:2d71…
    "#);
}

/// A notice about a rollback.
fn back(outcome: Outcome) -> Notice {
    Notice { rolls_back: Some("production_bad".to_owned()), ..notice(outcome, "why") }
}

#[test]
fn a_rollback_is_never_told_as_a_promotion() {
    let outcomes = [Outcome::Promoted, Outcome::Deployed, Outcome::Failed];
    let all = outcomes.map(|outcome| ends(&sent(&app(), &back(outcome)))).join("\n\n");
    assert!(!all.contains("promoted"));
    assert_eq!(sent(&app(), &back(Outcome::Promoted)).json["rolls_back"], "production_bad");
    insta::assert_snapshot!(wrapped(&all), @r#"
    [production] web: rolling back to 9fceb02: "Fix checkout rounding" (alice)
    Nothing to do: you will be told how it ends. To stop it while the stack is updated,
        publish this to the approval topic:
      cancel web

    [production] web: rolled back to 9fceb02 after 2 m 10 s: "Fix checkout rounding"
        (alice)
    Pushes ask for approval until somebody ends the hold. When a fix is there, publish
        this to the approval topic:
      resume web

    [production] web: the rollback to 9fceb02 failed: "Fix checkout rounding" (alice)
    It is not retried automatically. Look at the stack's events; to try again, publish
        this to the approval topic:
      rollback web
    "#);
}

#[test]
fn a_rollback_that_waits_or_ends_is_told_as_one() {
    let outcomes = [Outcome::Queued, Outcome::Superseded, Outcome::Blocked, Outcome::Cancelled];
    let all = outcomes.map(|outcome| ends(&sent(&app(), &back(outcome)))).join("\n\n");
    assert!(!all.contains("promoted"));
    insta::assert_snapshot!(wrapped(&all), @r#"
    [production] web: the rollback to 9fceb02 waits for the stack: "Fix checkout
        rounding" (alice)
    Nothing to do: it goes on by itself. To give it up, publish this to the approval
        topic:
      cancel web

    [production] web: the rollback to 9fceb02 was superseded: "Fix checkout rounding"
        (alice)
    Nothing to do: another promotion or request has its place. To see which, publish
        this to the approval topic:
      status web

    [production] web: the rollback to 9fceb02 is blocked: "Fix checkout rounding"
        (alice)
    Once that is mended, it goes on by itself; a command that a person gave must be
        given again. To see how it stands, publish this to the approval topic:
      status web

    [production] web: the rollback to 9fceb02 was cancelled: "Fix checkout rounding"
        (alice)
    It is not tried again by itself. To deploy it after all, publish this to the
        approval topic:
      promote web sha256:2d71…
    "#);
}

#[test]
fn what_concerns_no_image_says_what_it_is_about() {
    let about = |outcome, about: Option<&str>| Notice {
        about: about.map(str::to_owned),
        ..Notice::new(outcome, "schedule", "why", at("2026-03-17T09:41:30Z"))
    };
    let all = [
        about(Outcome::Unchanged, Some("its configuration has changed")),
        about(Outcome::Unchanged, Some("ECS runs another image than the stack names")),
        about(Outcome::Unchanged, None),
        about(Outcome::Refused, None),
        about(Outcome::Blocked, None),
    ];
    let all = all.map(|notice| ends(&sent(&app(), &notice))).join("\n\n");
    insta::assert_snapshot!(wrapped(&all), @r"
    [production] web: its configuration has changed
    ecr-promoter has changed nothing. To see what runs and what waits, publish this to
        the approval topic:
      status web

    [production] web: ECS runs another image than the stack names
    ecr-promoter has changed nothing. To see what runs and what waits, publish this to
        the approval topic:
      status web

    [production] web: a command changed nothing
    ecr-promoter has changed nothing. To see what runs and what waits, publish this to
        the approval topic:
      status web

    [production] web: a command was refused
    ecr-promoter has changed nothing. To see what runs and what waits, publish this to
        the approval topic:
      status web

    [production] web: the app is blocked
    Nothing happens to this app until that is mended. To see how it stands, publish this
        to the approval topic:
      status web
    ");
}

#[test]
fn it_tells_who_may_decide_and_only_words_that_work() {
    let app = |approval: &str| app_with(&format!(r#","approval":{approval}"#));
    let anybody = sent(&app("{}"), &asked());
    for words in ["approve web sha256:", "reject web sha256:"] {
        assert!(anybody.text.contains(words), "{words:?} is not in {}", anybody.text);
    }
    assert_eq!(anybody.json["request"], "req-0123456789abcdef0123456789abcdef");
    assert_eq!(anybody.json["expires_at"], "2026-03-20T09:41:30Z");
    let listed = sent(&app(r#"{"slack_channel":"C1","approvers":["UALICE"]}"#), &asked()).text;
    assert!(listed.contains("approval from one of the app's approvers in Slack"), "{listed}");
    let several = sent(&app(r#"{"slack_channel":"C1","required":2}"#), &asked()).text;
    assert!(several.contains("approval from 2 people in Slack"), "{several}");
    assert!(
        !listed.contains("approve web") && !several.contains("approve web"),
        "that would be refused"
    );
}

#[test]
fn a_subject_keeps_place_app_and_outcome_whatever_is_long() {
    let subject = |name: &str, environment: &str, subject: &str, author: &str| {
        let json = r#"{"stack":"web"}"#;
        let app = App::parse(&name.parse().expect("a name"), "test", json).expect("valid");
        let note = Some(commit("9fceb02", subject, author));
        let subject = message(&app, &Notice { note, ..asked() }, environment, &Page::None).subject;
        assert!(subject.len() <= 100 && subject.is_ascii(), "{subject}");
        subject
    };
    let long = "Make it possible to round all of the checkout's amounts in the customer's currency";
    let name = "n".repeat(256);
    let all = [
        subject("web", "production", long, "alice"),
        subject("web", "production", long, &"a".repeat(60)),
        subject("team/payments/checkout-web-frontend", "production", long, "alice"),
        subject(&name, &"e".repeat(40), long, "alice"),
        subject("web", "Prüfung", "Zoë's \"fix\"", "Łukasz"),
    ];
    insta::assert_snapshot!(wrapped(&all.join("\n")), @r#"
    [production] web: 9fceb02 waits for approval: "Make it possible to round all of the
        chec..." (alice)
    [production] web: 9fceb02 waits for approval: "Make it possible to round..."
        (aaaaaaaaaaaaaaaaa...)
    [production] team/payments/checkout-web-frontend: 9fceb02 waits for approval: "Make
        it p..." (alice)
    [eeeeeeeeeeeeeeeee...] nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...: 9fceb02
        waits for approval
    [Pr?fung] web: 9fceb02 waits for approval: "Zo?'s 'fix'" (?ukasz)
    "#);
    let unlabelled = Notice { commit: None, note: None, ..asked() };
    let text = sent(&app(), &unlabelled);
    let name = Digest::of(b"x").short().to_owned();
    assert_eq!(text.subject, format!("[production] web: image {name} waits for approval"));
}

#[test]
fn the_commits_are_listed_with_their_age() {
    let list = |notes: ChangeNotes| {
        let told = sent(&app(), &Notice { notes: Some(notes), ..asked() });
        let part = told.text.split("\n\n").nth(2).unwrap_or_default().to_owned();
        (part, told.json["commits"].as_array().map_or(0, Vec::len))
    };
    let many = (0..32).map(|n| commit(&format!("{n:07x}"), "x", "alice"));
    let (all, count) = list(ChangeNotes::new(many, Direction::Forward));
    assert_eq!(count, 20);
    assert!(
        all.starts_with("What is new (32 commits, newest first):\n- 0000000 x (alice, 3 hours")
    );
    assert!(all.ends_with("\n- 0000013 x (alice, 3 hours ago)\n- and 12 more"), "{all}");
    let bare = CommitNote { subject: None, author: None, at: None, ..fix() };
    let ways = [
        list(ChangeNotes::new([bare], Direction::Forward)),
        list(ChangeNotes::new([fix()], Direction::Back)),
        list(ChangeNotes::new([fix()], Direction::Diverged(2))),
        list(ChangeNotes::new([], Direction::Diverged(2))),
    ];
    insta::assert_snapshot!(ways.map(|(part, _)| part).join("\n\n"), @r"
    What is new (1 commit, newest first):
    - 9fceb02

    Goes back 1 commit:
    - 9fceb02 Fix checkout rounding (alice, 3 hours ago)

    Diverged (another branch, or a force push): brings 1 commit, takes away 2 commits:
    - 9fceb02 Fix checkout rounding (alice, 3 hours ago)

    Diverged (another branch, or a force push): brings 0 commits, takes away 2 commits.
    ");
}

#[test]
fn machines_get_the_commits_newest_first() {
    let all = sent(&app(), &asked()).json;
    assert_eq!((&all["app"], &all["repository"]), (&json!("web"), &json!("web")));
    assert_eq!(
        all["commits"][1],
        json!({
            "commit": "1234567", "subject": "Add tax", "author": "bob",
            "at": "2026-03-17T06:41:30Z",
        })
    );
    let alone = sent(&app(), &Notice { notes: None, ..asked() }).json;
    assert_eq!(alone["commits"][0]["subject"], "Fix checkout rounding");
    let nothing = sent(&app(), &Notice { notes: None, note: None, ..asked() }).json;
    assert_eq!(nothing["commits"], json!([]));
}

#[test]
fn an_answer_about_no_app_has_the_same_keys_and_names_none() {
    let said = answer_to_commander("did you mean `web`?", at("2026-03-17T09:41:30Z"), None);
    insta::assert_snapshot!(format!("{}\n\n{}", said.subject, said.text), @r"
    a command was not understood

    a command was not understood

    did you mean `web`?

    Nothing was done. To see all apps, publish this to the approval topic:
      status
    Other commands name the app, for example:
      promote web 9fceb02
      rollback web
    ");
    let keys = |json: &Value| json.as_object().expect("an object").keys().cloned().collect();
    let (own, all): (Vec<String>, Vec<String>) =
        (keys(&said.json), keys(&sent(&app(), &asked()).json));
    assert_eq!(own, all);
    assert_eq!((&said.json["app"], &said.json["repository"]), (&Value::Null, &Value::Null));
    assert_eq!((said.app, said.outcome), (None, Outcome::Refused));
    let hostile = format!("a\r\nSubject: x\u{202e}{}", "y".repeat(5_000));
    let said = answer_to_commander(&hostile, at("2026-03-17T09:41:30Z"), Some("staging"));
    assert_eq!(said.subject, "[staging] a command was not understood");
    assert!(!said.text.contains("\nSubject") && said.text.len() < 3_000);
}

#[test]
fn changes_are_listed_one_a_line_up_to_a_limit() {
    let changes: Vec<String> =
        (0..102).map(|n| format!("Modify AWS::RDS::DBInstance Database{n}, replacement")).collect();
    let sent = sent(&app(), &Notice { changes, ..notice(Outcome::Blocked, "") });
    assert!(
        sent.text.contains("\n- Modify AWS::RDS::DBInstance Database0, replacement\n"),
        "{}",
        sent.text
    );
    assert!(sent.text.contains("Database99, replacement\n- and 2 more\n\n"), "{}", sent.text);
    assert_eq!(sent.json["changes"].as_array().map(Vec::len), Some(100));
}

#[test]
fn an_image_without_a_commit_tells_how_to_add_the_label() {
    let unlabelled = Notice { commit: None, ..notice(Outcome::ApprovalRequested, "") };
    let text = sent(&app(), &unlabelled).text;
    assert!(text.contains("--label org.opencontainers.image.revision="));
    let text = sent(&app(), &notice(Outcome::ApprovalRequested, "")).text;
    assert!(!text.contains("--label"));
}

#[test]
fn a_late_notice_says_how_long_ago_it_was() {
    let late = Notice { tried_at: Some(at("2026-03-17T11:50:00Z")), ..asked() };
    let text = sent(&app(), &late).text;
    assert!(text.contains("\nat        2026-03-17 09:41 UTC (2 hours ago)\n"), "{text}");
}
