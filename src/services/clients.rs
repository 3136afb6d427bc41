//! One client for each service, all on one HTTP connector, and what a sandbox keeps between
//! invocations.

use std::collections::HashMap;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpConnector, http_client_fn,
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::bounded::Bounded;
use super::cache::{Cache, Caches};
use super::nonce::new_nonce;
use super::session::{Session, SessionKey};
use super::slack_api::Api;
use super::written::Written;
use crate::error::Error;
use crate::link::PublicUrl;
use crate::model::config::{App, ConfigError};
use crate::model::image::TagMutability;
use crate::model::place::Place;
use crate::model::{AppName, Repository};
use crate::settings::Settings;
use crate::slack::team::Installation;

/// The age up to which a sandbox uses a configuration.
pub(super) const CONFIGURATION_AGE: Duration = Duration::from_secs(60);

/// The longest time to connect. This and the next two limits are well below the function's own
/// timeout, so that a slow call can be tried again.
const CONNECT: Duration = Duration::from_secs(2);
/// The longest time of one try.
pub(super) const ATTEMPT: Duration = Duration::from_secs(5);
/// The longest time of a call with all its tries.
const OPERATION: Duration = Duration::from_secs(15);

/// The time for which a failed question to Slack, where the app is installed, is remembered:
/// people who click wait for the answer.
pub(super) const SILENCE_AGE: Duration = Duration::from_secs(3);

/// The most calls of one kind at the same time.
pub(super) const SIDE_BY_SIDE: usize = 4;

/// All apps, sorted by name.
pub(super) type AllApps = Arc<[(AppName, Result<App, ConfigError>)]>;

/// The clients of one sandbox.
#[derive(Debug)]
pub struct Clients {
    pub(super) settings: Settings,
    /// The configuration that all clients share, for those of other accounts and regions.
    pub(super) sdk: SdkConfig,
    /// The sessions of the roles that lead to other accounts.
    pub(super) sessions: Caches<SessionKey, Session>,
    pub(super) http: SharedHttpConnector,
    pub(super) slack: Api,
    pub(super) cloudformation: aws_sdk_cloudformation::Client,
    pub(super) cloudwatch: aws_sdk_cloudwatch::Client,
    pub(super) dynamodb: aws_sdk_dynamodb::Client,
    pub(super) ecr: aws_sdk_ecr::Client,
    pub(super) ecs: aws_sdk_ecs::Client,
    pub(super) sns: aws_sdk_sns::Client,
    pub(super) ssm: aws_sdk_ssm::Client,
    pub(super) apps: Mutex<HashMap<AppName, (Instant, App)>>,
    pub(super) mutability: Caches<Repository, TagMutability>,
    /// All apps, and when the read of them began.
    pub(super) all_apps: Mutex<Option<(Instant, AllApps)>>,
    /// The account and region of the function, as the invocation tells them.
    pub(super) home: Mutex<Place>,
    /// The end of the current invocation.
    pub(super) deadline: Mutex<Option<Deadline>>,
    /// The callers that wait to repeat a throttled call, by action.
    pub(super) lines: Mutex<HashMap<&'static str, Arc<tokio::sync::Mutex<()>>>>,
    pub(super) secrets: Caches<String, Option<SecretString>>,
    pub(super) public_url: Cache<Option<PublicUrl>>,
    pub(super) installation: Cache<(TokenId, Installation)>,
    /// How many throttled calls this invocation has repeated.
    pub(super) retries: AtomicU32,
    /// Limits how many image configs are read at the same time.
    pub(super) blobs: Semaphore,
    /// The state that was written last.
    pub(super) written: Mutex<Option<Written>>,
    /// Draws the nonce of a write.
    pub(super) nonce: fn() -> Result<String, Error>,
}

impl Clients {
    /// Makes the clients from the environment variables that Lambda sets. No call is made.
    pub async fn from_env(settings: Settings) -> Self {
        let connector = Connector::builder()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
            .connector_settings(HttpConnectorSettings::builder().connect_timeout(CONNECT).build())
            .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
            .build();
        let http = SharedHttpConnector::new(connector);
        let shared = http.clone();
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http_client_fn(move |_, _| shared.clone()))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT)
                    .operation_attempt_timeout(ATTEMPT)
                    .operation_timeout(OPERATION)
                    .build(),
            )
            // A try ends after `ATTEMPT`, whole body included, so no body can stall for longer.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .retry_config(
                RetryConfig::standard()
                    .with_initial_backoff(Duration::from_millis(100))
                    .with_max_backoff(Duration::from_secs(2)),
            )
            .load()
            .await;
        Self::new(&sdk, http, settings)
    }

    /// Makes the clients from this SDK configuration.
    pub fn new(sdk: &SdkConfig, http: SharedHttpConnector, settings: Settings) -> Self {
        Self {
            cloudformation: aws_sdk_cloudformation::Client::new(sdk),
            cloudwatch: aws_sdk_cloudwatch::Client::new(sdk),
            dynamodb: aws_sdk_dynamodb::Client::new(sdk),
            ecr: ecr_client(sdk, &http),
            ecs: aws_sdk_ecs::Client::new(sdk),
            sns: aws_sdk_sns::Client::new(sdk),
            ssm: aws_sdk_ssm::Client::new(sdk),
            slack: Api::new(http.clone(), &settings.slack_api_url),
            settings,
            sdk: sdk.clone(),
            sessions: Caches::default(),
            http,
            apps: Mutex::default(),
            mutability: Caches::default(),
            all_apps: Mutex::default(),
            home: Mutex::default(),
            deadline: Mutex::default(),
            lines: Mutex::default(),
            secrets: Caches::default(),
            public_url: Cache::default(),
            installation: Cache::that_forgets_failures_after(SILENCE_AGE),
            retries: AtomicU32::new(0),
            blobs: Semaphore::new(SIDE_BY_SIDE),
            written: Mutex::default(),
            nonce: new_nonce,
        }
    }
}

/// Makes a client of ECR. Its answers may be large, and are read within bounds.
pub(super) fn ecr_client(sdk: &SdkConfig, http: &SharedHttpConnector) -> aws_sdk_ecr::Client {
    let bounded = SharedHttpConnector::new(Bounded(http.clone()));
    let config = aws_sdk_ecr::config::Builder::from(sdk)
        .http_client(http_client_fn(move |_, _| bounded.clone()));
    aws_sdk_ecr::Client::from_conf(config.build())
}

/// The end of an invocation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    pub(super) at: tokio::time::Instant,
    /// The invocation's whole time.
    pub(super) whole: Duration,
}

/// The hash of a token: it recognises the token and does not reveal it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TokenId([u8; 32]);

impl TokenId {
    pub(super) fn of(token: &SecretString) -> Self {
        Self(Sha256::digest(token.expose_secret().as_bytes()).into())
    }
}
