//! Apps whose stacks are in other accounts and regions: whose credentials each call has, and what
//! happens where a role cannot be assumed.

mod events;
mod identities;
pub(super) mod registry;
mod trouble;

use serde_json::{Value, json};

use super::cloud::{Call, lock};
use super::cloudformation::Stack;
use super::cloudwatch::Alarm;
use super::ecs::Service;
use super::image::Image;
use super::sts::Elsewhere;
use super::world::{COMMIT, FIRST_TAG, World};

const ACCOUNT: &str = "222222222222";
const REGION: &str = "eu-west-1";
const ROLE: &str = "arn:aws:iam::222222222222:role/ecr-promoter-target";
const EXTERNAL_ID: &str = "acme-7f3a";

/// The app `web` deploys to Ireland, in another account; `more` is merged into its configuration.
pub(super) async fn world_elsewhere(more: Value) -> Option<World> {
    let world = World::new().await?;
    let stack = world.stack(|stack| stack.clone());
    place(&world, |it| it.cloudformation.stacks.push(stack));
    // A call that goes to the stack at home shows.
    world.stack(|stack| stack.name = "web-at-home".to_owned());
    configure(&world, more).await;
    Some(world)
}

pub(super) fn target() -> Value {
    json!({ "role": ROLE, "external_id": EXTERNAL_ID, "region": REGION })
}

async fn configure(world: &World, more: Value) {
    let mut config = json!({ "stack": "web", "mode": "auto", "target": target() });
    let keys = config.as_object_mut().expect("an object");
    keys.extend(more.as_object().cloned().unwrap_or_default());
    world.configure("web", &config).await;
}

pub(super) fn place<T>(world: &World, use_it: impl FnOnce(&mut Elsewhere) -> T) -> T {
    use_it(lock(&world.cloud.sts).place(ACCOUNT, REGION))
}

/// Reads or changes the app's stack.
pub(super) fn stack<T>(world: &World, use_it: impl FnOnce(&mut Stack) -> T) -> T {
    place(world, |it| use_it(&mut it.cloudformation.stacks[0]))
}

fn updates(world: &World) -> usize {
    stack(world, |stack| stack.updates.len())
}

/// An event of events/, as if it came from the target.
fn event_there(world: &World, file: &str) -> Value {
    let text = world.event_text(file).replace(&world.cloud.account, ACCOUNT);
    serde_json::from_str(&text.replace("us-east-1", REGION)).expect("JSON")
}

fn stack_changed(world: &World) -> Value {
    event_there(world, "cfn-update-complete.json")
}

async fn push(world: &World, image: &Image) -> Value {
    world.push(image, &["latest"]).await;
    world.answer(&world.pushed(image)).await
}

/// Whose session a call is made with; `None` for the function's own credentials.
fn identity_of(world: &World, call: &Call) -> Option<String> {
    let sts = lock(&world.cloud.sts);
    let session = sts.sessions.iter().find(|session| session.key == call.key);
    session.map(|session| session.identity.clone())
}

/// The identities of all calls of this operation.
fn identities(world: &World, op: &str) -> Vec<Option<String>> {
    let calls = world.cloud.calls().into_iter().filter(|call| call.op == op);
    calls.map(|call| identity_of(world, &call)).collect()
}

/// Calls about the target have a session's key and the target's region, and no other call has.
fn assert_credentials(world: &World) {
    for call in world.cloud.calls().iter().filter(|call| call.op != "layer:Get") {
        let service = call.op.split(':').next().unwrap_or_default();
        let is_there = ["cloudformation", "ecs", "cloudwatch"].contains(&service);
        let is_replica = call.body["registryId"].is_string();
        let identity = identity_of(world, call);
        assert_eq!(identity.is_some(), is_there || is_replica, "{}: {identity:?}", call.op);
        if identity.is_none() {
            assert_eq!(call.key, world.cloud.account, "{}", call.op);
        }
        let region = if is_there { REGION } else { "us-east-1" };
        if !is_replica {
            assert_eq!(call.region, region, "{}", call.op);
        }
    }
}

fn field<'a>(call: &'a Call, name: &str) -> &'a str {
    call.body[name].as_str().unwrap_or_default()
}

fn assert_assumed_right(call: &Call, identity: &str) {
    assert_eq!(field(call, "RoleArn"), ROLE);
    assert_eq!(field(call, "RoleSessionName"), "ecr-promoter");
    assert_eq!(field(call, "ExternalId"), EXTERNAL_ID);
    assert_eq!(field(call, "SourceIdentity"), identity);
    let seconds: u32 = field(call, "DurationSeconds").parse().expect("a number");
    assert!((900..=3600).contains(&seconds), "{seconds}");
}

fn assumed(world: &World) -> Vec<Call> {
    world.cloud.calls().into_iter().filter(|call| call.op == "sts:AssumeRole").collect()
}

/// Adds an ECS service to the stack, and an alarm beside it.
fn add_service(world: &World) {
    let service = Service::new("web", FIRST_TAG, &Image::docker("what runs before", None));
    place(world, |it| {
        let arn = it.ecs.service_arn(&service);
        it.ecs.services.push(service);
        it.cloudformation.stacks[0].resources.push(("AWS::ECS::Service", arn));
        it.cloudwatch.alarms.push(Alarm::new("web-5xx"));
    });
}

/// The image is promoted, CloudFormation has finished, and ECS runs it.
async fn deploy(world: &World, image: &Image) -> Value {
    let answer = push(world, image).await;
    assert_eq!(answer["outcome"], "promoted", "{answer}");
    let tag = answer["tag"].as_str().expect("a tag").to_owned();
    place(world, |it| {
        it.cloudformation.stacks[0].finish_update();
        it.ecs.services[0].deploy(&tag, &image.digest());
        it.ecs.services[0].complete();
    });
    world.answer(&stack_changed(world)).await
}

#[tokio::test]
async fn only_calls_about_the_target_have_the_roles_credentials_and_region() {
    let bake = json!({ "minutes": 60, "alarms": ["web-5xx"], "on_alarm": "rollback" });
    let Some(world) = world_elsewhere(json!({ "bake": bake })).await else { return };
    add_service(&world);
    for number in [0, 1] {
        let answer = deploy(&world, &Image::build(number)).await;
        assert_eq!(answer["outcome"], "deployed", "{answer}");
    }
    world.answer(&world.event("scheduled.json")).await;
    world.answer(&json!({ "action": "status", "app": "web" })).await;
    assert_eq!(push(&world, &Image::build(2)).await["outcome"], "promoted");
    let cancelled = world.answer(&world.sns("cancel web")).await;
    assert_eq!(cancelled["outcome"], "cancelled", "{cancelled}");
    for op in [
        "cloudformation:DescribeStackEvents",
        "cloudformation:UpdateStack",
        "cloudformation:CancelUpdateStack",
        "cloudformation:ListStackResources",
        "ecs:DescribeServices",
        "cloudwatch:DescribeAlarms",
        "sns:Publish",
        "ecr:PutImage",
    ] {
        assert!(world.cloud.count(op) > 0, "{op} was called: {:?}", world.cloud.ops());
    }
    assert_credentials(&world);
    assert_eq!((updates(&world), world.updates()), (3, 0));
    let assumed = assumed(&world);
    assert_eq!(assumed.len(), 3, "for the looks, the status and the cancel");
    for (call, identity) in assumed.iter().zip(["ecr-promoter", "direct", "sns"]) {
        assert_assumed_right(call, identity);
    }
}

#[tokio::test]
async fn change_sets_are_made_with_the_roles_credentials_too() {
    let guard =
        json!({ "allowed_changes": ["AWS::ECS::TaskDefinition:Replacement", "AWS::ECS::Service"] });
    let Some(world) = world_elsewhere(json!({ "guard": guard })).await else { return };
    let answer = push(&world, &Image::oci("new", COMMIT)).await;
    assert_eq!(answer["outcome"], "promoted", "{answer}");
    assert!(world.cloud.count("cloudformation:ExecuteChangeSet") == 1);
    assert_credentials(&world);
    assert_eq!((updates(&world), assumed(&world).len()), (1, 1));
}

#[tokio::test]
async fn a_region_without_a_role_is_called_with_the_functions_own_credentials() {
    let Some(world) = World::new().await else { return };
    let stack = world.stack(|stack| stack.clone());
    let account = world.cloud.account.clone();
    let there = |use_it: &mut dyn FnMut(&mut Elsewhere)| {
        use_it(lock(&world.cloud.sts).place(&account, REGION));
    };
    there(&mut |it| it.cloudformation.stacks.push(stack.clone()));
    configure(&world, json!({ "target": { "region": REGION } })).await;
    let answer = push(&world, &Image::oci("new", COMMIT)).await;
    assert_eq!(answer["outcome"], "promoted", "{answer}");
    assert_eq!((world.cloud.count("sts:AssumeRole"), world.updates()), (0, 0));
    there(&mut |it| assert_eq!(it.cloudformation.stacks[0].updates.len(), 1));
    for call in world.cloud.calls().iter().filter(|call| call.op != "layer:Get") {
        let is_there = call.op.starts_with("cloudformation:");
        let region = if is_there { REGION } else { "us-east-1" };
        assert_eq!((call.key.as_str(), call.region.as_str()), (account.as_str(), region));
    }
}
