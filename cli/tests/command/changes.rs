//! What must be so before something changes, without a terminal.

use super::cloud::{Around, Cloud, Said};
use super::samples::answer;

#[tokio::test]
async fn nothing_changes_without_a_terminal_or_yes() {
    let cloud = Cloud::new(|_| Said::Lost).await;
    for words in [
        &["promote", "web"][..],
        &["rollback", "web", "--watch"],
        &["approve", "web", "9fceb02"],
        &["reject", "web", "9fceb02"],
        &["cancel", "web"],
        &["hold", "web", "freeze"],
        &["resume", "web"],
        &["ask", "web"],
        &["reconcile"],
    ] {
        let ran = cloud.run(words).await;
        ran.exits(2).prints("").says("Nothing was changed").says("--yes");
    }
    assert!(cloud.commands().is_empty());
}

#[tokio::test]
async fn a_decision_names_what_it_is_about() {
    let cloud = Cloud::new(|_| Said::Lost).await;
    for words in
        [&["approve", "web", "--yes"][..], &["reject", "web", "--yes"], &["approve", "web"]]
    {
        cloud.run(words).await.exits(2).says("Name the commit, the digest or the request");
    }
    assert!(cloud.commands().is_empty());
}

#[tokio::test]
async fn what_is_typed_wrongly_is_misuse() {
    let cloud = Cloud::new(|_| Said::Lost).await;
    for words in [
        &[][..],
        &["promot", "web"],
        &["promote"],
        &["promote", "Web", "--yes"],
        &["promote", "web", "sha256:12", "--yes"],
        &["hold", "web", "a", "--reason", "b", "--yes"],
        &["cancel", "web", "9fceb02", "--yes"],
        &["where", "latest"],
        &["audit", "--since", "yesterday"],
        &["status", "--watch"],
        &["rollback", "web", "--watch", "--timeout", "soon"],
        &["rollback", "web", "--yes", "--timeout", "1h"],
    ] {
        cloud.run(words).await.exits(2);
    }
    assert!(cloud.commands().is_empty());
}

#[tokio::test]
async fn the_words_of_slack_say_what_to_type_here() {
    let cloud = Cloud::new(|_| Said::Lost).await;
    let ran = cloud.run(&["web"]).await;
    ran.exits(2).says("To promote the app `web`: promote promote web");
    let misspelt = cloud.run(&["promot", "web"]).await;
    assert!(!misspelt.stderr.contains("To promote the app"), "{misspelt:?}");
}

#[tokio::test]
async fn where_the_answer_is_lost_for_good_the_command_may_have_acted() {
    let cloud = Cloud::new(|_| Said::Lost).await;
    let ran = cloud.run(&["promote", "web", "--yes"]).await;
    ran.exits(1).says("The command may have acted. Look: promote status web");
    assert_eq!(cloud.commands().len(), 3, "three attempts");
}

#[tokio::test]
async fn without_a_name_the_command_goes_on() {
    let around = Around { caller: None, ..Around::default() };
    let cloud = Cloud::with(around, |_| Said::Json(answer("promoted", "yes"))).await;
    let ran = cloud.run(&["promote", "web", "--yes"]).await;
    ran.exits(0).says("Goes on without your name: sts:GetCallerIdentity was denied");
    assert_eq!(cloud.whole_commands()[0].get("by"), None);
}
