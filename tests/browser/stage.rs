//! What a test of pages plays on: the world of the process tests with links set up, its function
//! URL, and a browser.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use ecr_promoter::link::{Claim, Signer};
use ecr_promoter::model::approval::ApprovalLink;
use futures_util::FutureExt;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::checks::{check_headers, check_html};
use super::chromium::Browser;
use super::gateway::Gateway;
use crate::emulator::fake_slack::BOT_TOKEN;
use crate::emulator::http::{Client, Request};
use crate::emulator::image::Image;
use crate::emulator::world::World;

/// What links are signed with.
const LINK_SECRET: &str = "link-secret-3e9a5c-0123456789abcdef";

pub(crate) struct Stage {
    pub(crate) world: Arc<World>,
    pub(crate) gateway: Gateway,
    pub(crate) browser: Browser,
}

/// Runs a test, and checks besides what must hold of all pages that it came by. The browser ends
/// with it, also where it fails.
pub(crate) async fn on_stage(test: impl AsyncFnOnce(&Stage)) {
    let Some(world) = World::new().await else { return };
    let Some(browser) = Browser::start().await else { return };
    let world = Arc::new(world);
    let gateway = Gateway::start(Arc::downgrade(&world)).await;
    let stage = Stage { world, gateway, browser };
    stage.world.put_parameter("/ecr-promoter/public-url", "String", &stage.gateway.url()).await;
    stage.world.put_parameter("/ecr-promoter/link-secret", "SecureString", LINK_SECRET).await;
    stage.world.put_parameter("/ecr-promoter/slack/bot-token", "SecureString", BOT_TOKEN).await;

    let outcome = AssertUnwindSafe(test(&stage)).catch_unwind().await;

    let Stage { world, gateway, browser } = stage;
    if outcome.is_err() {
        eprintln!("the page at the end:\n{}", browser.client.source().await.unwrap_or_default());
    }
    browser.close().await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
    let exchanges = gateway.exchanges();
    check_headers(&exchanges);
    check_html(&exchanges).await;
    let logs = world.logs.text();
    // The stage notes in the same place what was answered, which may well name a link.
    let is_log = |line: &&str| {
        serde_json::from_str::<Value>(line).map_or(true, |line| line.get("level").is_some())
    };
    let logged = logs.lines().filter(is_log).collect::<String>();
    assert!(!logged.is_empty(), "there is a log");
    assert!(!logged.contains(LINK_SECRET), "the link secret is in the logs");
    for token in exchanges
        .iter()
        .filter_map(|exchange| exchange.path.split('/').nth(2))
        .filter(|token| token.contains('.'))
    {
        assert!(!logged.contains(token), "a link is in the logs");
    }
}

impl Stage {
    /// In mode `approval`, with links unless the configuration says otherwise.
    pub(crate) async fn configure(&self, approval: Value) {
        let configuration = json!({
            "stack": "web", "repository_url": "https://github.com/acme/web", "approval": approval,
        });
        self.world.configure("web", &configuration).await;
    }

    /// The image is pushed, and people are asked; the address that they are sent.
    pub(crate) async fn ask(&self, image: &Image) -> String {
        self.world.push(image, &["latest"]).await;
        let answer = self.world.answer(&self.world.pushed(image)).await;
        assert_eq!(answer["outcome"], "approval_requested", "{answer}");
        let sent = self.world.told().pop().expect("people are told");
        let message: Value = serde_json::from_str(sent["Message"].as_str().expect("a message"))
            .expect("forms of it");
        let link = |form: &str| {
            let text = message[form].as_str().expect("text");
            text.lines()
                .find(|line| line.starts_with(&self.gateway.url()))
                .unwrap_or_else(|| panic!("no link in {text}"))
                .to_owned()
        };
        assert_eq!(link("email"), link("default"));
        for machine in ["sqs", "lambda", "https"] {
            assert!(!message[machine].to_string().contains("/approve/"), "no machine gets a link");
        }
        link("email")
    }

    /// What a link says.
    pub(crate) fn read(&self, link: &str) -> ApprovalLink {
        let token = link.rsplit('/').next().expect("a token");
        Claim::parse(token, Timestamp::now())
            .and_then(|claim| claim.verify(&self.signer()))
            .expect("a link of ours")
            .0
    }

    /// What makes the links of this stage.
    pub(crate) fn signer(&self) -> Signer {
        Signer::new(
            &SecretString::from(LINK_SECRET),
            self.gateway.url().parse().expect("an address"),
        )
        .expect("a key")
    }

    /// A request without a browser, as a mail scanner or an attacker sends it: status and body.
    pub(crate) async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> (u16, String) {
        let path = format!(
            "/{}",
            url.strip_prefix(&self.gateway.url()).expect("an address of the gateway")
        );
        let method = method.parse().expect("a method");
        let headers = headers
            .iter()
            .map(|(name, value)| {
                ((*name).parse().expect("a name"), value.parse().expect("a value"))
            })
            .collect();
        let request = Request { method, path, headers, body: body.to_owned().into() };
        let answer = Client::new(&self.gateway.url()).send(&request).await;
        (answer.status.as_u16(), String::from_utf8_lossy(&answer.body).into_owned())
    }
}
