//! Secrets are in no log line. What becomes of changed ones is in `a_minute`.

use serde_json::{Value, json};

use super::{asked, newest};
use crate::emulator::fake_slack::Mood;
use crate::emulator::fault::{At, Fault};
use crate::emulator::slack_request::{Click, slash};

/// What each test checks when its world ends, with the level set the other way and each kind of
/// trouble.
#[tokio::test]
async fn no_secret_is_in_any_log_line() {
    let Some((world, _)) = asked(json!({})).await else { return };
    let question = newest(&world);
    let sandbox = world.start_with(&[("RUST_LOG", "trace")]).await;
    let invoke = async |event: Value| {
        let id = world.unused_id();
        sandbox.invoke(event.to_string().as_bytes(), &id).await.expect("no function error")
    };
    // What Slack says of where the app is installed is asked once.
    invoke(slash(&world, "UALICE", "status web")).await;
    for mood in [Mood::Refuses("invalid_auth"), Mood::Answers(404), Mood::Answers(500), Mood::Well]
    {
        world.slack.is(mood);
        invoke(
            Click::new(&world, "UALICE", "approve", "req-00000000000000000000000000000000")
                .event(&world),
        )
        .await;
        invoke(
            Click::new(&world, "UALICE", "approve", &question.button("approve"))
                .with("/channel/id", json!("C0OTHER"))
                .event(&world),
        )
        .await;
        invoke(slash(&world, "UALICE", "hold web because")).await;
    }
    world.cloud.fault(At::Every("dynamodb:GetItem".to_owned()), Fault::Denied);
    invoke(Click::new(&world, "UALICE", "approve", &question.button("approve")).event(&world))
        .await;
    world.cloud.clear_faults();
    world.cloud.fault(At::Every("ssm:GetParameter".to_owned()), Fault::Denied);
    let cold = world.start_with(&[("RUST_LOG", "trace")]).await;
    let event = Click::new(&world, "UALICE", "approve", &question.button("approve")).event(&world);
    assert_eq!(
        cold.invoke(event.to_string().as_bytes(), "denied").await.expect("no function error")["statusCode"],
        500
    );

    let logs = world.logs.text();
    assert!(
        logs.contains("ssm:GetParameter") && logs.contains("the call to Slack failed"),
        "what went wrong is in the log: {logs}"
    );
    assert!(
        !logs.contains(&event["body"].as_str().unwrap_or_default()[..40]) && !logs.contains("v0="),
        "{logs}"
    );
}
