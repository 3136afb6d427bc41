//! People: which teams, channels and lists count.

use serde_json::{Value, json};

use super::status;
use crate::emulator::fake_slack::{CHANNEL, Mood, TEAM};
use crate::emulator::fault::{At, Fault};
use crate::emulator::image::Image;
use crate::emulator::slack_request::{Click, signed, slash, slash_body};
use crate::emulator::world::{COMMIT, FIRST_TAG, World};

/// An image waits, people were asked in Slack, and the process is a new one.
async fn asked(approval: Value) -> Option<(World, Image, String)> {
    let world = World::new().await?;
    world.configure_slack(approval).await;
    let image = Image::oci("new", COMMIT);
    world.push(&image, &["latest"]).await;
    world.answer(&world.pushed(&image)).await;
    let button = world.slack.messages().pop().expect("a question").button("approve");
    world.restart().await;
    Some((world, image, button))
}

#[tokio::test]
async fn where_the_app_is_installed_is_asked_of_slack_once_and_without_an_answer_nobody_counts() {
    let Some((world, image, button)) = asked(json!({})).await else { return };
    let before = world.production().await;
    let asked_before = world.slack.asked();
    for mood in [Mood::Refuses("invalid_auth"), Mood::Answers(500)] {
        world.restart().await;
        world.slack.is(mood.clone());
        for _ in 0..3 {
            let click = Click::new(&world, "UALICE", "approve", &button).event(&world);
            assert_eq!(status(&world, &click).await, 503, "{mood:?}");
            let told = world.answer(&slash(&world, "UALICE", "web")).await;
            assert!(
                told["body"].as_str().is_some_and(|body| body.contains("Nothing was done")),
                "{told}"
            );
        }
    }
    world.slack.is(Mood::Well);
    assert_eq!(world.production().await, before);
    assert!(
        world.slack.asked() - asked_before <= 4,
        "a failure is remembered: {}",
        world.slack.asked() - asked_before
    );

    world.restart().await;
    let asked_before = world.slack.asked();
    for trigger in 0..3 {
        let elsewhere =
            Click::new(&world, "UEVE", "approve", &button).with("/user/team_id", json!("T0OTHER"));
        assert_eq!(status(&world, &elsewhere.event(&world)).await, 403, "{trigger}");
        let both =
            Click::new(&world, "UEVE", "approve", &button).with("/user/team_id", json!("T0OTHER"));
        assert_eq!(
            status(&world, &both.with("/team/id", json!("T0OTHER")).event(&world)).await,
            403,
            "{trigger}"
        );
    }
    assert_eq!(
        status(&world, &Click::new(&world, "UALICE", "approve", &button).event(&world)).await,
        200
    );
    assert_eq!(world.slack.asked() - asked_before, 1, "once a process");
    world.assert_runs(&image, "by one of the team").await;
}

#[tokio::test]
async fn in_an_organisation_people_of_other_teams_count_where_they_are_listed() {
    let Some((world, image, button)) = asked(json!({ "approvers": ["UALICE"] })).await else {
        return;
    };
    world.slack.is_installed_in(TEAM, Some("E0ACME"));
    let of = |user: &str, organisation: Value| {
        let mut click =
            Click::new(&world, user, "approve", &button).with("/user/team_id", json!("T0SALES"));
        click.payload["enterprise"] = json!({ "id": organisation, "name": "Acme" });
        click
    };
    let before = world.production().await;
    assert_eq!(
        status(&world, &of("UMALLORY", json!("E0ACME")).event(&world)).await,
        403,
        "not listed"
    );
    assert_eq!(
        status(&world, &of("UALICE", json!("E0OTHER")).event(&world)).await,
        403,
        "another organisation"
    );
    assert_eq!(world.production().await, before);
    // An app of the whole organisation names no team.
    let mut click = of("UALICE", json!("E0ACME"));
    click.payload["team"] = Value::Null;
    assert_eq!(status(&world, &click.event(&world)).await, 200);
    world.assert_runs(&image, "by a listed colleague").await;
}

#[tokio::test]
async fn a_private_channel_commands_by_its_id_and_a_name_is_an_error() {
    let Some((world, image, _)) = asked(json!({ "slack_channel": "G0PRIVATE" })).await else {
        return;
    };
    let body = slash_body(&world, "UALICE", "web");
    let there = body
        .replace(CHANNEL, "G0PRIVATE")
        .replace("channel_name=releases", "channel_name=privategroup");
    let said = world.answer(&signed(&world, "/slack/commands", &body)).await;
    assert!(
        said["body"]
            .as_str()
            .is_some_and(|body| body.contains("refused") && body.contains("G0PRIVATE")),
        "{said}"
    );
    let said = world.answer(&signed(&world, "/slack/commands", &there)).await;
    assert!(said["body"].as_str().is_some_and(|body| body.contains("promoted")), "{said}");
    world.assert_runs(&image, "in a private channel").await;

    world
        .configure("web", &json!({ "stack": "web", "approval": { "slack_channel": "#releases" } }))
        .await;
    world.restart().await;
    let error = world.invoke(&world.pushed(&image)).await.expect_err("it cannot be used").message;
    for words in ["/ecr-promoter/apps/web", "approval.slack_channel", "`C…` or `G…`"] {
        assert!(error.contains(words), "{words} is not in {error}");
    }
}

#[tokio::test]
async fn who_may_not_command_makes_no_change_set_writes_nothing_and_hears_no_names() {
    let Some((world, _, _)) = asked(json!({ "approvers": ["UALICE"] })).await else { return };
    let approval = json!({ "slack_channel": CHANNEL, "approvers": ["UALICE"] });
    let guard = json!({ "allowed_changes": ["AWS::ECS::TaskDefinition:Replacement"] });
    world.configure("web", &json!({ "stack": "web", "approval": approval, "guard": guard })).await;
    world.restart().await;
    let (before, said) = (world.production().await, world.slack.said().len());
    let ask = async |text: &str| {
        let answer = world.answer(&slash(&world, "UMALLORY", text)).await;
        answer["body"].as_str().expect("a body").to_owned()
    };
    world.cloud.forget_calls();
    for text in ["plan web", "reconcile web", "status web", "history web"] {
        let told = ask(text).await;
        assert!(!told.contains("arn:") && !told.contains("UPDATE_"), "{text}: {told}");
    }
    assert!(ask("status web").await.contains(FIRST_TAG));
    let writes = ["Put", "Update", "Create", "Delete", "Execute", "Transact", "Publish"];
    for op in world.cloud.ops() {
        assert!(!writes.iter().any(|write| op.contains(write)), "{op}");
    }
    assert_eq!((world.production().await, world.slack.said().len()), (before, said));

    for op in ["dynamodb:GetItem", "ecr:BatchGetImage", "cloudformation:DescribeStacks"] {
        world.cloud.fault(At::Every(op.to_owned()), Fault::Denied);
        for text in ["plan web", "status web"] {
            let told = ask(text).await;
            for secret in ["arn:", "table", "denied", op, "not authorized"] {
                assert!(!told.contains(secret), "{op}, {text}: {told}");
            }
            assert!(told.contains("log says why"), "{op}, {text}: {told}");
        }
        world.cloud.clear_faults();
    }
}
