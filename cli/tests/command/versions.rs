//! A function of another version: each side says which one is too old.

use serde_json::json;

use super::cloud::{Cloud, Said};
use super::samples::answer;

async fn fails(kind: &'static str, message: &'static str) -> Cloud {
    Cloud::new(move |_| Said::Failed(kind, message.to_owned())).await
}

#[tokio::test]
async fn a_function_from_before_versions_is_too_old() {
    let message =
        "the command did not parse: key `version`: there is no such key. The keys are `action`.";
    let cloud = fails("NotUnderstood", message).await;
    for words in [&["status"][..], &["promote", "web", "--yes"], &["board"]] {
        let ran = cloud.run(words).await;
        ran.exits(2).says("The function is too old for this promote").says("sam deploy");
    }
}

#[tokio::test]
async fn a_function_that_does_not_know_a_command_is_too_old() {
    let message = "`audit` is not a command: did you mean `ask`?";
    let ran = fails("NotUnderstood", message).await.run(&["audit"]).await;
    ran.exits(2).says("The function is older than this promote").says("sam deploy");
}

#[tokio::test]
async fn a_refused_version_says_how_to_update_both() {
    let reason = "the command has version 1, and this function understands version 2";
    let cloud = Cloud::new(move |_| Said::Json(answer("refused", reason))).await;
    let ran = cloud.run(&["promote", "web", "--yes"]).await;
    ran.exits(2).says("cargo install --path cli --locked");
    assert!(ran.stdout.contains(reason));
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_comes_from_a_newer_function() {
    let cloud = Cloud::new(|_| Said::Json(json!({"action": "status", "apps": []}))).await;
    let ran = cloud.run(&["status", "web"]).await;
    ran.exits(1).prints("").says("the function is newer than this promote");
    let ran = cloud.run(&["status", "web", "--json"]).await;
    ran.exits(1).prints("{\"action\":\"status\",\"apps\":[]}\n");
}

#[tokio::test]
async fn an_unknown_outcome_comes_from_a_newer_function() {
    let cloud = Cloud::new(|_| Said::Json(answer("canary", "10 %"))).await;
    cloud.run(&["promote", "web", "--yes"]).await.exits(1).says("Update promote");
}

#[tokio::test]
async fn a_function_error_is_a_failure_and_a_misunderstanding_is_misuse() {
    let message = "configuration error in Parameter Store /ecr-promoter/apps/web, key stack";
    let ran = fails("Configuration", message).await.run(&["status", "web"]).await;
    ran.exits(1).says(message);
    let ran = fails("NotUnderstood", "`id` is empty").await.run(&["status", "web"]).await;
    ran.exits(2).says("did not understand the command: `id` is empty");
    let late = "2026-10-01 Task timed out after 60.00 seconds";
    let ran = fails("Sandbox.Timedout", late).await.run(&["promote", "web", "--yes"]).await;
    ran.exits(1).says("The command may have acted: look with `promote status`");
}

#[tokio::test]
async fn both_versions_are_said() {
    let cloud = Cloud::new(|_| Said::Lost).await;
    let ran = cloud.run(&["--version"]).await;
    let version = env!("CARGO_PKG_VERSION");
    ran.exits(0).prints(&format!("promote {version} (commands of version 1)\n"));
}
