//! What each report prints, and the exit code of each outcome.

use serde_json::{Value, json};

use super::cloud::{Cloud, Said};
use super::samples::{NEW, OLD, answer, request, status, with};

#[tokio::test]
async fn each_outcome_ends_with_its_exit_code() {
    let outcomes = [
        ("promoted", 0),
        ("deployed", 0),
        ("unchanged", 0),
        ("queued", 0),
        ("cancelled", 0),
        ("failed", 1),
        ("blocked", 1),
        ("refused", 2),
        ("ignored", 2),
        ("superseded", 2),
        ("expired", 2),
        ("approval_requested", 3),
        ("approved", 3),
        ("held", 3),
    ];
    for (outcome, code) in outcomes {
        let cloud = Cloud::new(move |_| Said::Json(answer(outcome, "so it is"))).await;
        let ran = cloud.run(&["promote", "web", "--yes"]).await;
        ran.exits(code);
        let first = format!("{outcome}: web production_new: so it is");
        assert_eq!(ran.stdout.lines().next(), Some(first.as_str()), "{ran:?}");
    }
}

#[tokio::test]
async fn hold_and_reject_are_done_when_it_is_so() {
    for (words, outcome) in [
        (&["hold", "web", "release", "freeze", "--yes"][..], "held"),
        (&["reject", "web", "9fceb02", "--yes"][..], "rejected"),
        (&["resume", "web", "--yes"][..], "resumed"),
    ] {
        let cloud = Cloud::new(move |_| Said::Json(answer(outcome, "so it is"))).await;
        cloud.run(words).await.exits(0);
    }
}

#[tokio::test]
async fn json_is_the_whole_answer_and_nothing_else() {
    let whole = br#"{"outcome":"promoted", "app":"web","newer":{"z":1,"a":2},"reason":"yes"}"#;
    let cloud = Cloud::new(move |_| Said::Bytes(whole.to_vec())).await;
    let ran = cloud.run(&["promote", "web", "--yes", "--json"]).await;
    ran.exits(0).prints(&format!("{}\n", String::from_utf8_lossy(whole)));
    let cloud = Cloud::new(|_| Said::Json(status("production_old", OLD))).await;
    let ran = cloud.run(&["status", "web", "--json"]).await;
    let printed: Value = serde_json::from_str(&ran.exits(0).stdout).expect("one object");
    assert_eq!(printed, status("production_old", OLD));
}

#[tokio::test]
async fn a_command_says_who_sends_it_and_has_an_id_of_its_own() {
    let cloud = Cloud::new(|_| Said::Json(answer("promoted", "yes"))).await;
    for _ in 0..2 {
        cloud.run(&["rollback", "web", "9fceb02", "--yes", "--reason", "bad"]).await.exits(0);
    }
    let sent = cloud.whole_commands();
    assert_eq!(sent[0]["by"], super::cloud::CALLER);
    assert_eq!(sent[0]["version"], 1);
    assert_ne!(sent[0]["id"], sent[1]["id"]);
    let expected = json!({
        "action": "rollback", "app": "web", "commit": "9fceb02", "reason": "bad"
    });
    assert_eq!(cloud.commands()[0], expected);
}

#[tokio::test]
async fn one_app_is_shown_line_by_line() {
    let shown = with(
        status("production_old", OLD),
        json!({
            "hold": {"by": "bob", "at": "2026-10-01T00:00:00Z", "reason": "freeze"},
            "request": request(),
            "services": [{"arn": "arn:aws:ecs:x:1:service/c/web", "digest": NEW}]
        }),
    );
    let cloud = Cloud::new(move |_| Said::Json(shown.clone())).await;
    let ran = cloud.run(&["status", "web"]).await;
    let out = &ran.exits(0).stdout;
    for line in [
        "web          asks about sha256:bbbbbbbbbbbb…",
        "runs         production_old",
        "digest       sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "service      web runs sha256:bbbbbbbbbbbb…: NOT what the stack names",
        "newest       latest is sha256:bbbbbbbbbbbb…",
        "asked        sha256:bbbbbbbbbbbb…: a push in mode `approval`",
    ] {
        assert!(
            out.lines().any(|shown| shown.split_whitespace().eq(line.split_whitespace())),
            "{line:?} is missing:\n{out}"
        );
    }
    assert!(out.contains("2026-10-01 00:00 UTC ("), "{out}");
    assert!(!out.contains('\u{1b}'), "no colour without a terminal: {out}");
}

#[tokio::test]
async fn all_apps_are_a_table() {
    let results = json!({"results": [
        status("production_old", OLD),
        {"outcome": "refused", "app": "api", "reason": "there is no stack `api`"},
    ], "left": 3});
    let cloud = Cloud::new(move |_| Said::Json(results.clone())).await;
    let ran = cloud.run(&["status"]).await;
    let lines: Vec<&str> = ran.exits(0).stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert!(lines[0].starts_with("app  now"), "{lines:#?}");
    assert!(lines[1].starts_with("web  runs"), "{lines:#?}");
    assert_eq!(lines[2], "api  not read: there is no stack `api`");
    assert_eq!(lines[3], "and 3 more apps, for which there was no time");
}

#[tokio::test]
async fn a_plan_and_a_plan_of_a_rollback_are_shown() {
    let cloud = Cloud::new(|_| {
        Said::Json(json!({
            "action": "plan", "would": "promoted", "app": "web", "repository": "web",
            "digest": NEW, "commit": null, "tag": "production_new",
            "previous_tag": "production_old", "stack": "web", "parameter": "ProductionTag",
            "reason": "ready to promote", "changes": ["Modify Task"], "warnings": ["no label"]
        }))
    })
    .await;
    let ran = cloud.run(&["plan", "web", "latest"]).await;
    ran.exits(0).prints(&format!(
        "promote web\nwould     promoted\nwhy       ready to promote\n\
         image     sha256:bbbbbbbbbbbb…\ndigest    {NEW}\ntag       production_new\n\
         runs now  production_old\nstack     web, ProductionTag\nchange    Modify Task\n\
         warning: no label\n"
    ));
    cloud.run(&["plan", "web", "--rollback"]).await.exits(0);
    let planned = json!({"action": "plan", "app": "web", "of": "rollback"});
    assert_eq!(cloud.commands()[1], planned);
}

#[tokio::test]
async fn where_lists_the_apps_of_an_image() {
    let cloud = Cloud::new(|command| {
        let results = json!([
            {"app": "web", "repository": "web", "stage": "running", "digest": NEW,
             "commit": null, "tag": "production_new", "since": null}
        ]);
        let found = command["commit"] == "9fceb02";
        let results = if found { results } else { json!([]) };
        Said::Json(json!({"action": "where", "image": command["commit"], "results": results}))
    })
    .await;
    let ran = cloud.run(&["where", "9fceb02"]).await;
    assert!(ran.exits(0).stdout.contains("web  running  production_new  sha256:bbbbbbbbbbbb…"));
    cloud.run(&["where", "1234567"]).await.exits(0).prints("no app has 1234567\n");
}

#[tokio::test]
async fn the_boards_link_is_alone_on_stdout() {
    let cloud = Cloud::new(|_| {
        let url = "https://abc.lambda-url.eu-central-1.on.aws/board?key=1";
        Said::Json(json!({"action": "board", "url": url, "expires_at": "2030-10-01T00:15:00Z"}))
    })
    .await;
    let ran = cloud.run(&["board"]).await;
    ran.exits(0).prints("https://abc.lambda-url.eu-central-1.on.aws/board?key=1\n");
    ran.says("The link works until 00:15 UTC");
    assert_eq!(cloud.whole_commands()[0]["by"], super::cloud::CALLER);
    assert_eq!(cloud.whole_commands()[0].get("id"), None, "`board` takes no id");
}

#[tokio::test]
async fn a_refused_report_says_why() {
    let cloud = Cloud::new(|_| Said::Json(answer("refused", "it is just being changed"))).await;
    let ran = cloud.run(&["status", "web"]).await;
    ran.exits(2).prints("").says("refused: it is just being changed");
}

#[tokio::test]
async fn completions_need_no_aws() {
    let cloud = Cloud::new(|_| Said::Lost).await;
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = cloud.run(&["completions", shell]).await;
        assert!(ran.exits(0).stdout.contains("rollback"), "{shell}");
    }
    assert!(cloud.commands().is_empty());
}
