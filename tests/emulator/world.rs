//! The world of one test: an account of its own with the app `web` in `auto` mode, its repository,
//! its stack, the state table and the notification topic, and the function in it. What must hold in
//! every test is checked when the world ends.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::backend::{Emulator, REGION, unused_account};
use super::cloud::{Call, Cloud, lock};
use super::cloudformation::{Parameter, Stack};
use super::ecr::{LAYER_SIGNATURE, Stored};
use super::ecs::Service;
use super::fake_slack::{BOT_TOKEN, CHANNEL, FakeSlack, RESPONSE_SECRET};
use super::image::Image;
use super::lambda::{FunctionError, Logs, Sandbox};
use super::role;
use super::sts::SESSION_SECRETS;

/// What runs before the test begins.
pub(crate) const FIRST_TAG: &str = "production_0000001a";
pub(crate) const COMMIT: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";
pub(crate) const OLDER_COMMIT: &str = "e83c5163316f89bfbde7d9ab23ca2e25604af290";

/// The account in the files of events/.
const EVENTS_ACCOUNT: &str = "012345678912";
/// What Slack signs with, until a test changes it.
pub(crate) const SIGNING_SECRET: &str = "slack-signing-secret-5d20";
/// Part of every trigger of a click or a slash command: whoever has one can open a dialogue.
pub(crate) const TRIGGER_SECRET: &str = "trigger-secret-5f3c";
/// What the function is given or could come by, and must never show.
const SECRETS: [&str; 8] = [
    "secret-access-key-b0e1",
    "session-token-77aa",
    "database-password-19c3",
    SIGNING_SECRET,
    BOT_TOKEN,
    RESPONSE_SECRET,
    TRIGGER_SECRET,
    LAYER_SIGNATURE,
];

pub(crate) struct World {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) logs: Logs,
    pub(crate) slack: FakeSlack,
    pub(super) emulator: Emulator,
    topic: String,
    sandbox: tokio::sync::Mutex<Option<Arc<Sandbox>>>,
    numbers: AtomicU64,
    /// How long an invocation may take, where that is not Lambda's minute.
    timeout: Option<Duration>,
}

impl World {
    /// Nothing where there is no emulator; that has been said then.
    pub(crate) async fn new() -> Option<World> {
        World::with_repository("MUTABLE").await
    }

    pub(crate) async fn with_repository(mutability: &str) -> Option<World> {
        let account = unused_account();
        let emulator = Emulator::from_env(&account)?;
        let cloud = Cloud::new(&account, emulator.clone());
        let topic = emulator.create_topic("notifications").await;
        let slack = FakeSlack::start().await;
        let world = World {
            cloud,
            logs: Logs::default(),
            slack,
            emulator,
            topic,
            sandbox: tokio::sync::Mutex::default(),
            numbers: AtomicU64::new(0),
            timeout: None,
        };
        let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
        let text = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
        let table = json!({
            "TableName": "state",
            "KeySchema": [key("app", "HASH"), key("item", "RANGE")],
            "AttributeDefinitions": [text("app"), text("item")],
            "BillingMode": "PAY_PER_REQUEST",
        });
        world.emulator.must("dynamodb:CreateTable", &table).await;
        world
            .put_parameter("/ecr-promoter/slack/signing-secret", "SecureString", SIGNING_SECRET)
            .await;
        world.configure("web", &json!({ "stack": "web", "mode": "auto" })).await;
        world.cloud.registry.create("web", mutability).await;
        world.push(&Image::docker("what runs before", None), &[FIRST_TAG]).await;
        world.add_stack(Stack::new("web", parameters()));
        Some(world)
    }

    /// Processes that are started from now on have this long for each invocation.
    pub(crate) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = Some(timeout);
    }

    pub(crate) async fn configure(&self, repository: &str, configuration: &Value) {
        self.put_parameter(
            &format!("/ecr-promoter/apps/{repository}"),
            "String",
            &configuration.to_string(),
        )
        .await;
    }

    pub(crate) async fn put_parameter(&self, name: &str, kind: &str, value: &str) {
        let parameter = json!({ "Name": name, "Type": kind, "Value": value, "Overwrite": true });
        self.emulator.must("ssm:PutParameter", &parameter).await;
    }

    /// The app is asked about in Slack; `more` is merged into `approval`.
    pub(crate) async fn configure_slack(&self, more: Value) {
        let mut approval = json!({ "slack_channel": CHANNEL });
        approval
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().cloned().unwrap_or_default());
        self.connect_slack().await;
        self.configure(
            "web",
            &json!({
                "stack": "web", "repository_url": "https://github.com/acme/web",
                "approval": approval,
            }),
        )
        .await;
    }

    /// What Slack's messages and clicks need. Without an address there are no buttons.
    pub(crate) async fn connect_slack(&self) {
        self.put_parameter("/ecr-promoter/slack/bot-token", "SecureString", BOT_TOKEN).await;
        self.put_parameter("/ecr-promoter/public-url", "String", "https://promoter.example/").await;
    }

    pub(crate) async fn delete_parameter(&self, name: &str) {
        self.emulator.must("ssm:DeleteParameter", &json!({ "Name": name })).await;
    }

    // Stacks and images

    pub(crate) fn add_stack(&self, stack: Stack) {
        lock(&self.cloud.cloudformation).stacks.push(stack);
    }

    /// Reads or changes the app's stack.
    pub(crate) fn stack<T>(&self, use_it: impl FnOnce(&mut Stack) -> T) -> T {
        use_it(&mut lock(&self.cloud.cloudformation).stacks[0])
    }

    /// Reads or changes one of several stacks.
    pub(crate) fn stack_named<T>(&self, name: &str, use_it: impl FnOnce(&mut Stack) -> T) -> T {
        let mut cloudformation = lock(&self.cloud.cloudformation);
        use_it(
            cloudformation
                .stacks
                .iter_mut()
                .find(|stack| stack.name == name)
                .expect("a stack of that name"),
        )
    }

    /// The app's stack has this service too.
    pub(crate) fn add_service(&self, service: Service) {
        let mut ecs = lock(&self.cloud.ecs);
        let arn = ecs.service_arn(&service);
        ecs.services.push(service);
        self.stack(|stack| stack.resources.push(("AWS::ECS::Service", arn)));
    }

    /// Reads or changes a service.
    pub(crate) fn service<T>(&self, name: &str, use_it: impl FnOnce(&mut Service) -> T) -> T {
        let mut ecs = lock(&self.cloud.ecs);
        let found = ecs.services.iter_mut().find(|service| service.name == name);
        use_it(found.expect("a service of that name"))
    }

    /// ECS's event for a change of this service.
    pub(crate) fn service_changed(&self, name: &str) -> Value {
        let ecs = lock(&self.cloud.ecs);
        let found = ecs.services.iter().find(|service| service.name == name);
        ecs.event(found.expect("a service of that name"))
    }

    /// The stack's update, if one is under way, goes through.
    pub(crate) fn finish(&self) -> bool {
        self.stack(|stack| {
            let is_busy = stack.status == "UPDATE_IN_PROGRESS";
            if is_busy {
                stack.finish_update();
            }
            is_busy
        })
    }

    /// CloudFormation finishes, and its events are delivered, until nothing follows any more.
    pub(crate) async fn settle(&self) {
        while self.finish() {
            self.answer(&self.event("cfn-update-complete.json")).await;
        }
    }

    pub(crate) fn updates(&self) -> usize {
        self.stack(|stack| stack.updates.len())
    }

    pub(crate) async fn push(&self, image: &Image, tags: &[&str]) {
        self.cloud.registry.push("web", image, tags).await;
    }

    pub(crate) async fn images(&self) -> Vec<Stored> {
        self.cloud.registry.images("web").await
    }

    pub(crate) async fn tags(&self, image: &Image) -> Vec<String> {
        let images = self.images().await;
        images
            .into_iter()
            .find(|stored| stored.digest == image.digest())
            .expect("the image is there")
            .tags
    }

    /// Everything that a promotion changes.
    pub(crate) async fn production(&self) -> (Vec<Stored>, String, Vec<Parameter>, usize) {
        let images = self.images().await;
        self.stack(|stack| {
            (images, stack.status.clone(), stack.parameters.clone(), stack.updates.len())
        })
    }

    /// The messages that reached people so far, newest last.
    pub(crate) fn told(&self) -> Vec<Value> {
        let sent = |call: &Call| call.op == "sns:Publish" && call.carried_out;
        self.cloud.calls().into_iter().filter(sent).map(|call| call.body).collect()
    }

    /// The outcomes that they reached people with.
    pub(crate) fn told_outcomes(&self) -> Vec<String> {
        let machine = |told: &Value| {
            let forms: Value = serde_json::from_str(told["Message"].as_str()?).ok()?;
            let message: Value = serde_json::from_str(forms["sqs"].as_str()?).ok()?;
            Some(message["outcome"].as_str()?.to_owned())
        };
        self.told()
            .iter()
            .map(|told| machine(told).expect("a message has a form for machines"))
            .collect()
    }

    // Events

    /// A file of events/, in this world's account.
    pub(crate) fn event(&self, file: &str) -> Value {
        serde_json::from_str(&self.event_text(file)).expect("events/ holds JSON")
    }

    pub(crate) fn event_text(&self, file: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("events").join(file);
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        text.replace(EVENTS_ACCOUNT, &self.cloud.account)
    }

    /// ECR's event for a push of the image under `latest`.
    pub(crate) fn pushed(&self, image: &Image) -> Value {
        let mut event = self.event("ecr-push.json");
        event["detail"]["image-digest"] = json!(image.digest());
        event["detail"]["manifest-media-type"] = json!(image.media_type);
        event
    }

    /// CloudFormation's event for a change of this stack.
    pub(crate) fn stack_changed(&self, name: &str) -> Value {
        let text = self
            .event_text("cfn-update-complete.json")
            .replace(":stack/web/", &format!(":stack/{name}/"));
        serde_json::from_str(&text).expect("events/ holds JSON")
    }

    /// A message on the approval topic, sent just now.
    pub(crate) fn sns(&self, message: &str) -> Value {
        let mut event = self.event("sns-promote.json");
        event["Records"][0]["Sns"]["Message"] = json!(message);
        event["Records"][0]["Sns"]["MessageId"] = json!(self.unused_id());
        event["Records"][0]["Sns"]["Timestamp"] = json!(format!("{:.3}", jiff::Timestamp::now()));
        event
    }

    // The function

    /// A new process.
    pub(crate) async fn start(&self) -> Arc<Sandbox> {
        // The most there is: a secret must be in no log at any level.
        self.start_with(&[("AWS_LAMBDA_LOG_LEVEL", "TRACE")]).await
    }

    /// A new process with these variables besides.
    pub(crate) async fn start_with(&self, more: &[(&'static str, &str)]) -> Arc<Sandbox> {
        let kill = Arc::new(Notify::new());
        let process = self.numbers.fetch_add(1, Ordering::Relaxed) as usize;
        let endpoint = self.cloud.endpoint(process, Arc::clone(&kill)).await;
        let mut environment = vec![
            ("AWS_ENDPOINT_URL", format!("http://{endpoint}")),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", self.cloud.account.clone()),
            ("AWS_SECRET_ACCESS_KEY", "secret-access-key-b0e1".to_owned()),
            ("AWS_SESSION_TOKEN", "session-token-77aa".to_owned()),
            ("STATE_TABLE", "state".to_owned()),
            ("NOTIFICATION_TOPIC_ARN", self.topic.clone()),
            ("SLACK_API_URL", self.slack.api_url()),
        ];
        environment.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let arn = format!("arn:aws:lambda:{REGION}:{}:function:ecr-promoter", self.cloud.account);
        Arc::new(Sandbox::start(&arn, &environment, self.timeout, kill, &self.logs).await)
    }

    /// The process that is warm, or a new one where there is none or it died.
    pub(crate) async fn warm(&self) -> Arc<Sandbox> {
        let mut sandbox = self.sandbox.lock().await;
        match &*sandbox {
            Some(warm) if !warm.is_gone() => Arc::clone(warm),
            _ => Arc::clone(sandbox.insert(self.start().await)),
        }
    }

    /// The next invocation finds a cold process.
    pub(crate) async fn restart(&self) {
        self.sandbox.lock().await.take();
    }

    /// One invocation, without Lambda's retries.
    pub(crate) async fn invoke(&self, event: &Value) -> Result<Value, FunctionError> {
        self.invoke_as(&self.unused_id(), event).await
    }

    pub(crate) async fn invoke_as(
        &self,
        request_id: &str,
        event: &Value,
    ) -> Result<Value, FunctionError> {
        self.warm().await.invoke(event.to_string().as_bytes(), request_id).await
    }

    /// An invocation that must not fail.
    pub(crate) async fn answer(&self, event: &Value) -> Value {
        self.invoke(event)
            .await
            .unwrap_or_else(|e| panic!("{event} failed: {}\n{}", e.message, self.logs.text()))
    }

    /// An asynchronous invocation as Lambda makes it: tried again twice, under the same request id.
    pub(crate) async fn deliver(&self, event: &Value) -> Result<Value, FunctionError> {
        let request_id = self.unused_id();
        let mut outcome = self.invoke_as(&request_id, event).await;
        for _ in 0..2 {
            if outcome.is_err() {
                outcome = self.invoke_as(&request_id, event).await;
            }
        }
        outcome
    }

    /// Pushed, promoted and deployed.
    pub(crate) async fn deploy(&self, image: &Image) {
        self.push(image, &["latest"]).await;
        assert_eq!(self.answer(&self.pushed(image)).await["outcome"], "promoted");
        assert!(self.finish());
        assert_eq!(
            self.answer(&self.event("cfn-update-complete.json")).await["outcome"],
            "deployed"
        );
    }

    pub(crate) fn unused_id(&self) -> String {
        format!("8f507cfc-0000-4000-8000-{:012}", self.numbers.fetch_add(1, Ordering::Relaxed))
    }

    // Checks

    /// The stack's parameter is a tag of this image.
    pub(crate) async fn assert_in_production(&self, image: &Image) {
        let tags = self.tags(image).await;
        let running = self.stack(|stack| stack.value("ProductionTag").to_owned());
        assert!(tags.contains(&running), "`{running}` runs, and the image has {tags:?}");
    }

    /// Exactly this image was promoted, by one update, and runs once CloudFormation is done.
    pub(crate) async fn assert_runs(&self, image: &Image, case: &str) {
        let production: Vec<String> = self
            .tags(image)
            .await
            .into_iter()
            .filter(|tag| tag.starts_with("production_"))
            .collect();
        assert_eq!(production.len(), 1, "{case}: one production tag, not {production:?}");
        self.stack(|stack| {
            assert_eq!(stack.updates.len(), 1, "{case}: one update, not {:?}", stack.updates);
            if stack.status == "UPDATE_IN_PROGRESS" {
                stack.finish_update();
            }
            assert_eq!(stack.value("ProductionTag"), production[0], "{case}: what runs");
        });
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "calls: {:#?}\nSlack: {:#?}\nlogs:\n{}",
                self.cloud.ops(),
                self.slack.said(),
                self.logs.text()
            );
            return;
        }
        assert_eq!(
            self.cloud.violations(),
            [""; 0],
            "requests that are wrong whatever comes of them"
        );
        assert_eq!(
            role::not_allowed(&self.cloud),
            [""; 0],
            "calls that the role of template.yaml does not allow with every feature on"
        );
        assert_eq!(self.slack.violations(), [""; 0], "what Slack would refuse, or show to people");
        let told = self.told().iter().map(Value::to_string).collect::<String>();
        for (place, text) in [("the logs", self.logs.text()), ("a message", told)] {
            assert!(!text.contains("panicked at"), "the function panicked:\n{text}");
            for secret in SECRETS.iter().chain(&SESSION_SECRETS) {
                assert!(!text.contains(secret), "{secret} is in {place}");
            }
        }
    }
}

/// The parameters of the example's stack; each but the first would be lost or changed by an update
/// that left it out.
fn parameters() -> Vec<Parameter> {
    let with_default = |key: &str, value: &str, default: &str| Parameter {
        default: Some(default.to_owned()),
        ..Parameter::new(key, value)
    };
    vec![
        with_default("ProductionTag", FIRST_TAG, "none"),
        with_default("AppName", "web", "app"),
        with_default("DesiredCount", "4", "1"),
        Parameter::new("VpcId", "vpc-0a1b2c3d"),
        Parameter {
            no_echo: true,
            ..with_default("DatabasePassword", "database-password-19c3", "change-me")
        },
    ]
}
