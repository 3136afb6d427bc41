//! The AWS SDK: the profile, the region, who calls, and what its errors mean for a person.

use std::error::Error;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::config::ProvideCredentials;
use aws_sdk_lambda::config::SharedCredentialsProvider;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};

use crate::args::Connection;
use crate::exit::failure::Failure;

/// How long a call may take that answers at once.
const SHORT: Duration = Duration::from_secs(10);
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How often a call is made at most.
const ATTEMPTS: u32 = 3;

/// The set-up, and the profile that a message names.
pub struct Aws {
    /// The SDK's set-up.
    pub config: SdkConfig,
    profile: Option<String>,
}

/// An environment variable; an empty one counts as unset.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Aws {
    /// Reads profile, region and credentials.
    pub async fn new(connection: &Connection) -> Result<Self, Failure> {
        let own = connection.profile.clone().filter(|profile| !profile.is_empty());
        let profile = own.clone().or_else(|| variable("AWS_PROFILE"));
        let region = region(connection, profile.as_deref()).await.ok_or_else(|| {
            Failure::misuse("There is no AWS region: give --region, or set AWS_REGION")
        })?;
        let credentials = credentials(&region, own.as_deref(), profile.as_deref()).await;
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT).operation_timeout(SHORT).build();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .profile_name(profile.as_deref().unwrap_or("default"))
            .region(region)
            .credentials_provider(credentials)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .load()
            .await;
        let aws = Self { config, profile };
        aws.check_credentials().await?;
        Ok(aws)
    }

    /// Finds the credentials before the first call, so that the error is about them.
    async fn check_credentials(&self) -> Result<(), Failure> {
        let Some(provider) = self.config.credentials_provider() else {
            return Err(self.no_credentials("none are configured"));
        };
        let found = provider.provide_credentials().await;
        found.map(|_| ()).map_err(|error| self.no_credentials(&chain(&error)))
    }

    /// Explains that nobody is signed in.
    fn no_credentials(&self, cause: &str) -> Failure {
        Failure::failed(no_credentials(self.profile.as_deref(), cause))
    }

    /// The ARN of the caller.
    pub async fn caller(&self) -> Result<String, Failure> {
        let sts = aws_sdk_sts::Client::new(&self.config);
        let answer = sts.get_caller_identity().send().await;
        let answer = answer.map_err(|error| self.explain(&error, "sts:GetCallerIdentity", ""))?;
        answer.arn.ok_or_else(|| Failure::failed("sts:GetCallerIdentity answered no ARN"))
    }

    /// Explains a failed call: which IAM action is missing, or what else is wrong.
    pub fn explain<E, R>(&self, error: &SdkError<E, R>, action: &str, on: &str) -> Failure
    where
        E: ProvideErrorMetadata + Error + 'static,
        R: std::fmt::Debug,
    {
        let on = if on.is_empty() { String::new() } else { format!(" on {on}") };
        #[expect(clippy::wildcard_enum_match_arm, reason = "the SDK's enum may grow")]
        match error {
            SdkError::ServiceError(answer) => {
                let answer = answer.err();
                let code = answer.code().unwrap_or("an unknown error");
                let message = answer.message().unwrap_or("without a message");
                self.service_error(code, message, action, &on)
            }
            SdkError::TimeoutError(_) => {
                Failure::passing(format!("{action}{on} did not answer in time"))
            }
            SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
                let cause = error.source().map(chain).unwrap_or_default();
                Failure::passing(format!("{action}{on}: AWS cannot be reached ({cause})"))
            }
            other => {
                let cause = other.source().map(chain).unwrap_or_default();
                Failure::failed(format!("{action}{on} cannot be called: {cause}"))
            }
        }
    }

    fn service_error(&self, code: &str, message: &str, action: &str, on: &str) -> Failure {
        match code {
            "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => Failure::failed(
                format!("{action}{on} was denied: you need the right `{action}` ({message})"),
            ),
            "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch" => self.no_credentials(&format!("{code}: {message}")),
            "TooManyRequestsException"
            | "Throttling"
            | "ThrottlingException"
            | "ServiceException" => {
                Failure::passing(format!("{action}{on} failed: {code}: {message}"))
            }
            _ => Failure::failed(format!("{action}{on} failed: {code}: {message}")),
        }
    }
}

/// The region: what is typed, the environment, the profile, the machine that this runs on.
async fn region(connection: &Connection, profile: Option<&str>) -> Option<Region> {
    let typed = connection.region.clone().filter(|region| !region.is_empty());
    let known = typed.or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION"));
    if let Some(region) = known {
        return Some(Region::new(region));
    }
    use aws_config::meta::region::ProvideRegion;
    let of_profile =
        ProfileFileRegionProvider::builder().profile_name(profile.unwrap_or("default")).build();
    match of_profile.region().await {
        Some(region) => Some(region),
        None => aws_config::imds::region::ImdsRegionProvider::builder().build().region().await,
    }
}

/// The credentials. A profile that was typed goes before keys in the environment, as in the AWS
/// CLI.
async fn credentials(
    region: &Region,
    typed: Option<&str>,
    profile: Option<&str>,
) -> SharedCredentialsProvider {
    let settings = ProviderConfig::default().with_region(Some(region.clone()));
    match typed {
        Some(typed) => SharedCredentialsProvider::new(
            ProfileFileCredentialsProvider::builder()
                .configure(&settings)
                .profile_name(typed)
                .build(),
        ),
        None => SharedCredentialsProvider::new(
            DefaultCredentialsChain::builder()
                .region(region.clone())
                .profile_name(profile.unwrap_or("default"))
                .build()
                .await,
        ),
    }
}

/// An error with all its causes.
fn chain(error: &dyn Error) -> String {
    let mut words = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(one) = cause {
        let text = one.to_string();
        if !words.contains(&text) {
            words.push(text);
        }
        cause = one.source();
    }
    words.join(": ")
}

/// Says how to sign in.
fn no_credentials(profile: Option<&str>, cause: &str) -> String {
    let is_sso = cause.to_lowercase().contains("sso");
    let option = profile.map(|profile| format!(" --profile {profile}")).unwrap_or_default();
    let next = if is_sso || cause.contains("Expired") {
        format!("If you sign in by SSO, run `aws sso login{option}`; else renew your keys")
    } else {
        "Give --profile, or set AWS_PROFILE or AWS_ACCESS_KEY_ID; `aws configure sso` makes a \
         profile"
            .to_owned()
    };
    format!("There are no valid AWS credentials ({cause}). {next}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expired_session_says_how_to_sign_in() {
        let words = no_credentials(Some("prod"), "the SSO session has expired or is invalid");
        assert!(words.ends_with("run `aws sso login --profile prod`; else renew your keys"));
        let words = no_credentials(None, "no providers in chain provided credentials");
        assert!(words.contains("Give --profile"), "{words}");
    }
}
