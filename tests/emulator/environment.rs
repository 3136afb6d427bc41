//! The environment that the executable is started with. These need no emulator: they run wherever
//! the tests do.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::image::Image;
use super::lambda::{Logs, Sandbox};
use super::world::{COMMIT, World};

/// As `sam local invoke` passes what the template leaves out, and others that the SDK and the
/// function read.
const EMPTY: [&str; 10] = [
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_ECR",
    "AWS_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_MAX_ATTEMPTS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_LAMBDA_LOG_LEVEL",
    "NOTIFICATION_TOPIC_ARN",
    "PARAMETER_PREFIX",
    "SLACK_API_URL",
];

fn event(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("events").join(file);
    serde_json::from_str(&std::fs::read_to_string(path).expect("a file")).expect("JSON")
}

#[tokio::test]
async fn an_empty_variable_counts_as_unset() {
    let mut environment: Vec<(&str, String)> = EMPTY.map(|name| (name, String::new())).into();
    environment.push(("STATE_TABLE", "state".to_owned()));
    // No host of this region exists: no call of this test reaches anybody.
    let set = [
        ("AWS_REGION", "test-nowhere-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    environment.extend(set.map(|(name, value)| (name, value.to_owned())));
    let arn = "arn:aws:lambda:us-east-1:012345678912:function:ecr-promoter";
    let logs = Logs::default();
    let sandbox = Sandbox::start(arn, &environment, None, Arc::new(Notify::new()), &logs).await;
    for file in ["ecr-delete.json", "ecr-pull-through-cache-documented.json"] {
        let answer = sandbox.invoke(event(file).to_string().as_bytes(), file).await;
        let answer =
            answer.unwrap_or_else(|error| panic!("{file}: {}\n{}", error.message, logs.text()));
        assert_eq!(answer["outcome"], "ignored", "{answer}");
    }
    // A call goes to AWS's own address, where an empty one would be no address at all.
    let failure = sandbox
        .invoke(event("command-status.json").to_string().as_bytes(), "status")
        .await
        .expect_err("nobody answers");
    assert!(
        !failure.died && failure.message.contains("the service could not be reached"),
        "{}",
        failure.message
    );
    assert!(!logs.text().contains("panicked"), "{}", logs.text());
}

#[tokio::test]
async fn a_promotion_needs_no_variable_that_is_empty() {
    let Some(world) = World::new().await else { return };
    let image = Image::oci("new", COMMIT);
    world.push(&image, &["latest"]).await;
    // AWS_ENDPOINT_URL says where the emulator is; each empty one stands beside it.
    let empty: Vec<(&str, &str)> = EMPTY[1..]
        .iter()
        .filter(|name| !matches!(**name, "SLACK_API_URL" | "NOTIFICATION_TOPIC_ARN"))
        .map(|name| (*name, ""))
        .collect();
    let sandbox = world.start_with(&empty).await;
    let answer = sandbox
        .invoke(world.pushed(&image).to_string().as_bytes(), &world.unused_id())
        .await
        .expect("promoted");
    assert_eq!(answer["outcome"], json!("promoted"), "{answer}");
}

#[test]
fn what_is_missing_is_said_in_words() {
    let executable = Command::new(env!("CARGO_BIN_EXE_ecr-promoter"))
        .env_clear()
        .env("STATE_TABLE", "")
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&executable.stderr);
    assert!(
        !executable.status.success() && said.contains("key `STATE_TABLE`: it is not set"),
        "{said}"
    );
    assert!(!said.contains("ConfigError"), "{said}");
}
