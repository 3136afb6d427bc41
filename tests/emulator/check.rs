//! `check`: it reads with the function's own rights, writes nothing, and names what will not work.

use serde_json::{Value, json};

use super::cloudformation::Template;
use super::fake_slack::CHANNEL;
use super::fault::{At, Fault};
use super::image::Image;
use super::world::{COMMIT, World};

/// What a check may call.
const READS: [&str; 13] = [
    "cloudformation:DescribeStacks",
    "cloudformation:GetTemplate",
    "cloudformation:GetTemplateSummary",
    "cloudformation:ListStackResources",
    "cloudwatch:DescribeAlarms",
    "ecr:BatchGetImage",
    "ecr:DescribeRepositories",
    "ecr:GetLifecyclePolicy",
    "ecs:DescribeServices",
    "ssm:GetParameter",
    "ssm:GetParametersByPath",
    "sts:AssumeRole",
    "ecr:DescribeImages",
];
const ROLE: &str = "arn:aws:iam::012345678912:role/cloudformation";

/// An app in good order, with Slack and links.
async fn good() -> Option<World> {
    let world = World::with_repository("IMMUTABLE_WITH_EXCLUSION").await?;
    world.configure_slack(json!({})).await;
    let secret = "0123456789abcdef".repeat(2);
    world.put_parameter("/ecr-promoter/slack/signing-secret", "SecureString", &secret).await;
    world.put_parameter("/ecr-promoter/link-secret", "SecureString", &secret).await;
    world.put_parameter("/ecr-promoter/public-url", "String", "https://promoter.example/").await;
    world.push(&Image::oci("new", COMMIT), &["latest"]).await;
    let pattern = "Parameters: {ProductionTag: {AllowedPattern: 'production_[0-9a-f-]+|none'}}";
    world.stack(|stack| {
        stack.role = Some(ROLE.to_owned());
        stack.template = Template { text: pattern.to_owned(), ..Template::default() };
    });
    Some(world)
}

async fn check(world: &World) -> Value {
    world.answer(&json!({ "action": "check", "app": "web", "version": 1 })).await
}

fn of_level<'a>(checkup: &'a Value, level: &str) -> Vec<&'a Value> {
    let findings = checkup["findings"].as_array().expect("findings");
    findings.iter().filter(|finding| finding["level"] == level).collect()
}

#[tokio::test]
async fn a_good_app_has_no_problem_and_a_check_writes_nothing() {
    let Some(world) = good().await else { return };
    world.cloud.forget_calls();

    let checkup = check(&world).await;

    assert_eq!((&checkup["action"], &checkup["app"]), (&json!("check"), &json!("web")));
    assert_eq!(checkup["problems"], 0, "{checkup:#}");
    // No service of the stack runs the repository: the stack has none.
    assert_eq!(of_level(&checkup, "warning").len(), 1, "{checkup:#}");
    let written: Vec<String> =
        world.cloud.ops().into_iter().filter(|op| !READS.contains(&op.as_str())).collect();
    assert!(written.is_empty(), "{written:?}");
    let asked: Vec<String> = world.slack.said().into_iter().map(|said| said.method).collect();
    assert_eq!(asked, ["conversations.info"]);
    assert!(world.told().is_empty());

    let all = world.answer(&json!({ "action": "check" })).await;
    assert_eq!(all["results"][0]["problems"], 0, "{all:#}");
    assert_eq!(all["next"], Value::Null);
}

#[tokio::test]
async fn each_of_many_misconfigurations_is_named_with_its_mend() {
    let Some(world) = good().await else { return };
    let wrong = json!({
        "stack": "web", "approval": { "slack_channel": CHANNEL },
        "bake": { "minutes": 5, "alarms": ["errors"] },
    });
    world.configure("web", &wrong).await;
    world.slack.remove_bot();
    for name in ["slack/signing-secret", "link-secret"] {
        world.put_parameter(&format!("/ecr-promoter/{name}"), "SecureString", "short").await;
    }
    let policy = json!({ "rules": [{
        "rulePriority": 1, "action": { "type": "expire" },
        "selection": { "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 5 },
    }] });
    world.cloud.registry.set_lifecycle("web", &policy).await;
    world.stack(|stack| {
        stack.role = None;
        stack.status = "UPDATE_ROLLBACK_FAILED".to_owned();
        stack.template = Template {
            text: "Parameters: {ProductionTag: {AllowedPattern: '[0-9]+', MaxLength: 20}}".into(),
            transforms: vec!["AWS::LanguageExtensions"],
            capabilities: vec!["CAPABILITY_NAMED_IAM"],
            allowed_values: vec!["blue", "green"],
        };
    });

    let checkup = check(&world).await;

    let named = |level| -> Vec<&str> {
        let found = of_level(&checkup, level);
        found.iter().map(|finding| finding["about"].as_str().expect("a word")).collect()
    };
    let problems = named("problem");
    for about in [
        "stack",
        "capabilities",
        "transforms",
        "parameter",
        "lifecycle",
        "alarms",
        "slack-signing-secret",
        "slack-channel",
        "link-secret",
    ] {
        assert!(problems.contains(&about), "{about}: {checkup:#}");
    }
    assert!(named("warning").contains(&"service-role"), "{checkup:#}");
    let without_mend =
        of_level(&checkup, "problem").iter().filter(|it| it["mend"].is_null()).count();
    assert_eq!(without_mend, 0, "{checkup:#}");
}

#[tokio::test]
async fn what_the_role_may_not_read_is_said_and_the_rest_is_checked() {
    let Some(world) = good().await else { return };
    for op in ["ecr:GetLifecyclePolicy", "cloudformation:GetTemplateSummary"] {
        world.cloud.fault(At::Every(op.to_owned()), Fault::Denied);
    }

    let checkup = check(&world).await;

    assert_eq!(checkup["problems"], 0, "{checkup:#}");
    let says: Vec<&str> =
        of_level(&checkup, "warning").iter().filter_map(|it| it["says"].as_str()).collect();
    for action in ["`ecr:GetLifecyclePolicy`", "`cloudformation:GetTemplateSummary`"] {
        assert!(says.iter().any(|says| says.contains(action)), "{action}: {says:?}");
    }
    assert!(world.cloud.fired() >= 2);
}

#[tokio::test]
async fn a_configuration_that_cannot_be_used_is_a_problem_and_no_error() {
    let Some(world) = World::new().await else { return };
    let named = json!({ "stack": "web", "approval": { "slack_channel": "#releases" } });
    world.configure("web", &named).await;

    let checkup = check(&world).await;

    assert_eq!(checkup["problems"], 1);
    let says = checkup["findings"][0]["says"].as_str().expect("words");
    assert!(says.contains("approval.slack_channel"), "{says}");
    let error = world.invoke(&json!({ "action": "check", "app": "api" })).await.expect_err("none");
    assert!(error.message.contains("`api` is not configured"), "{}", error.message);
}

#[tokio::test]
async fn without_an_address_what_it_needs_is_not_read_and_what_needs_it_says_so() {
    let Some(world) = good().await else { return };
    world.delete_parameter("/ecr-promoter/public-url").await;
    world.cloud.forget_calls();

    let checkup = check(&world).await;

    let problems = of_level(&checkup, "problem");
    assert_eq!((problems.len(), &problems[0]["about"]), (1, &json!("public-url")), "{checkup:#}");
    assert!(problems[0]["mend"].as_str().expect("a mend").contains("PublicUrl=on"));
    let calls = world.cloud.calls();
    let asked: Vec<&str> = calls.iter().filter_map(|call| call.body["Name"].as_str()).collect();
    for secret in ["link-secret", "signing-secret"] {
        assert!(!asked.iter().any(|name| name.ends_with(secret)), "{asked:?}");
    }
    world.configure("web", &json!({ "stack": "web" })).await;
    assert_eq!(check(&world).await["problems"], 0);
}
