//! How the function is found, and what a person reads where it is not.

use super::cloud::{Around, Cloud, Said};
use super::samples::{OLD, status};

fn nothing() -> Said {
    Said::Json(status("production_old", OLD))
}

#[tokio::test]
async fn the_function_is_named_or_found_in_the_stack() {
    let cloud = Cloud::new(|_| nothing()).await;
    cloud.run(&["status", "web"]).await.exits(0);
    cloud.run(&["status", "web", "--function", "mine"]).await.exits(0);
    let mut by_variable = cloud.command(&["status", "web"]);
    by_variable.env("ECR_PROMOTER_FUNCTION", "theirs");
    assert!(by_variable.output().await.expect("it runs").status.success());
    let mut empty = cloud.command(&["status", "web"]);
    empty.env("ECR_PROMOTER_FUNCTION", "").env("AWS_PROFILE", "");
    assert!(empty.output().await.expect("it runs").status.success());
    assert_eq!(cloud.functions(), ["promoter", "mine", "theirs", "promoter"]);
}

#[tokio::test]
async fn a_named_function_needs_no_right_to_cloudformation() {
    let outputs = Err(("AccessDenied", "not authorized"));
    let around = Around { outputs, ..Around::default() };
    let cloud = Cloud::with(around, |_| nothing()).await;
    let ran = cloud.run(&["status", "web"]).await;
    ran.exits(1).says("you need the right `cloudformation:DescribeStacks`").says("--function");
    cloud.run(&["status", "web", "--function", "mine"]).await.exits(0);
}

#[tokio::test]
async fn no_stack_and_no_output_say_what_to_give() {
    for (outputs, words) in [
        (
            Err(("ValidationError", "Stack with id ecr-promoter does not exist")),
            "There is no stack `ecr-promoter` in eu-central-1. Give --stack",
        ),
        (Ok(vec![("Other", "x")]), "has no output `FunctionName`"),
    ] {
        let cloud = Cloud::with(Around { outputs, ..Around::default() }, |_| nothing()).await;
        cloud.run(&["status"]).await.exits(1).prints("").says(words);
    }
}

#[tokio::test]
async fn a_function_that_is_not_there_is_named() {
    let cloud = Cloud::new(|_| {
        let message = "Function not found: arn:aws:lambda:eu-central-1:1:function:promoter";
        Said::Refused(404, "ResourceNotFoundException", message.to_owned())
    })
    .await;
    let ran = cloud.run(&["status"]).await;
    ran.exits(1).says("There is no function `promoter` in eu-central-1");
}

#[tokio::test]
async fn a_denied_invocation_names_the_right() {
    let cloud = Cloud::new(|_| {
        Said::Refused(403, "AccessDeniedException", "not authorized to perform".to_owned())
    })
    .await;
    cloud.run(&["status"]).await.exits(1).says("you need the right `lambda:InvokeFunction`");
}

#[tokio::test]
async fn without_credentials_it_says_how_to_get_some() {
    let cloud = Cloud::new(|_| nothing()).await;
    let mut command = cloud.command(&["status"]);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    let ran = super::cloud::Ran::from(command.output().await.expect("it runs"));
    ran.exits(1).says("There are no valid AWS credentials").says("Give --profile");
}

#[tokio::test]
async fn an_expired_session_says_how_to_sign_in() {
    let cloud = Cloud::new(|_| {
        Said::Refused(403, "ExpiredTokenException", "The security token is expired".to_owned())
    })
    .await;
    let mut command = cloud.command(&["status"]);
    command.env("AWS_PROFILE", "prod");
    let ran = super::cloud::Ran::from(command.output().await.expect("it runs"));
    ran.exits(1).says("run `aws sso login --profile prod`");
}

#[tokio::test]
async fn an_expired_sso_session_names_its_profile() {
    let home = std::env::temp_dir().join(format!("promote-sso-{}", std::process::id()));
    let aws = home.join(".aws");
    std::fs::create_dir_all(&aws).expect("a folder");
    let profile = "[profile prod]\nregion = eu-west-1\nsso_session = acme\n\
        sso_account_id = 012345678912\nsso_role_name = Admin\n[sso-session acme]\n\
        sso_region = eu-west-1\nsso_start_url = https://acme.awsapps.com/start\n";
    std::fs::write(aws.join("config"), profile).expect("a file");
    let cloud = Cloud::new(|_| nothing()).await;
    let mut command = cloud.command(&["status", "--profile", "prod"]);
    command.env("HOME", &home).env_remove("AWS_REGION");
    let ran = super::cloud::Ran::from(command.output().await.expect("it runs"));
    std::fs::remove_dir_all(&home).expect("the folder goes");
    ran.exits(1).says("run `aws sso login --profile prod`");
    assert!(cloud.commands().is_empty(), "the keys of the environment were used instead");
}

#[tokio::test]
async fn without_a_region_it_asks_for_one() {
    let cloud = Cloud::new(|_| nothing()).await;
    let mut command = cloud.command(&["status"]);
    command.env("AWS_REGION", "");
    let ran = super::cloud::Ran::from(command.output().await.expect("it runs"));
    ran.exits(2).says("There is no AWS region: give --region, or set AWS_REGION");
}

#[tokio::test]
async fn without_a_network_it_says_so() {
    let cloud = Cloud::new(|_| nothing()).await;
    let mut command = cloud.command(&["status", "--function", "mine"]);
    // Nothing listens on the port of TCP's multiplexer.
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    let ran = super::cloud::Ran::from(command.output().await.expect("it runs"));
    ran.exits(1).says("AWS cannot be reached");
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_the_same_id() {
    use std::sync::atomic::{AtomicU32, Ordering};
    let calls = AtomicU32::new(0);
    let cloud = Cloud::new(move |_| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => Said::Lost,
        _ => Said::Json(super::samples::answer("promoted", "yes")),
    })
    .await;
    cloud.run(&["promote", "web", "--yes"]).await.exits(0);
    let sent = cloud.whole_commands();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0], sent[1]);
}
