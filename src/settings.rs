//! The function's environment variables, and the names of its parameters in Parameter Store. No I/O
//! here.

use crate::model::AppName;
use crate::model::config::ConfigError;

/// The root of the configuration in Parameter Store, unless `PARAMETER_PREFIX` says otherwise.
pub const DEFAULT_PREFIX: &str = "/ecr-promoter";

/// Slack's Web API, unless `SLACK_API_URL` says otherwise.
pub const DEFAULT_SLACK_API: &str = "https://slack.com/api/";

/// GitHub's API, unless `GITHUB_API_URL` says otherwise.
pub const DEFAULT_GITHUB_API: &str = "https://api.github.com/";

/// The function's name, where Lambda does not say it.
const DEFAULT_NAME: &str = "ecr-promoter";

/// The longest name of an environment, in characters.
const ENVIRONMENT: usize = 40;

/// The function's environment variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `STATE_TABLE`: the DynamoDB table of all records.
    pub state_table: String,
    /// `PARAMETER_PREFIX`: the root of the configuration in Parameter Store, without a trailing
    /// slash.
    pub parameter_prefix: String,
    /// `NOTIFICATION_TOPIC_ARN`: the SNS topic for notices; `None` when empty or unset.
    pub notification_topic: Option<String>,
    /// `SLACK_API_URL`: the address of Slack's Web API.
    pub slack_api_url: String,
    /// `GITHUB_API_URL`: the address of GitHub's API.
    pub github_api_url: String,
    /// `ENVIRONMENT_NAME`: what pages and messages call the place; `None` for the app's own word.
    pub environment: Option<String>,
    /// `AWS_LAMBDA_FUNCTION_NAME`: the function's own name, which its metrics have.
    pub function_name: String,
    /// `AWS_ENDPOINT_URL`: the address of an emulator, from which image configs may be fetched too.
    pub endpoint_url: Option<String>,
}

impl Settings {
    /// Reads the settings through `var`, which answers like `std::env::var(..).ok()`.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let set = |name: &str| var(name).filter(|value| !value.is_empty());
        let prefix = set("PARAMETER_PREFIX").unwrap_or_else(|| DEFAULT_PREFIX.to_owned());
        let wrong = |name: &str, expected: &str| ConfigError {
            place: "the function's environment".to_owned(),
            key: Some(name.to_owned()),
            problem: expected.to_owned(),
        };
        if !prefix.starts_with('/') {
            return Err(wrong(
                "PARAMETER_PREFIX",
                "expected a name that starts with `/`, such as `/ecr-promoter`",
            ));
        }
        Ok(Self {
            state_table: set("STATE_TABLE").ok_or_else(|| {
                wrong(
                    "STATE_TABLE",
                    "it is not set; expected the name of the \
                    DynamoDB table that template.yaml creates",
                )
            })?,
            parameter_prefix: prefix.trim_end_matches('/').to_owned(),
            notification_topic: set("NOTIFICATION_TOPIC_ARN"),
            slack_api_url: set("SLACK_API_URL").unwrap_or_else(|| DEFAULT_SLACK_API.to_owned()),
            github_api_url: set("GITHUB_API_URL").unwrap_or_else(|| DEFAULT_GITHUB_API.to_owned()),
            environment: set("ENVIRONMENT_NAME")
                .map(|name| name.chars().take(ENVIRONMENT).collect()),
            function_name: set("AWS_LAMBDA_FUNCTION_NAME")
                .unwrap_or_else(|| DEFAULT_NAME.to_owned()),
            endpoint_url: set("AWS_ENDPOINT_URL"),
        })
    }

    /// The Parameter Store path of all apps' configurations.
    pub fn apps_path(&self) -> String {
        format!("{}/apps/", self.parameter_prefix)
    }

    /// The Parameter Store name of the function's own address.
    pub fn public_url_parameter(&self) -> String {
        format!("{}/public-url", self.parameter_prefix)
    }

    /// The Parameter Store name of a secret.
    pub fn secret_parameter(&self, secret: Secret) -> String {
        let name = match secret {
            Secret::SlackSigningSecret => "slack/signing-secret",
            Secret::SlackBotToken => "slack/bot-token",
            Secret::Links => "link-secret",
            Secret::GitToken => "git-token",
        };
        format!("{}/{name}", self.parameter_prefix)
    }

    /// The Parameter Store name of an app's configuration.
    pub fn app_parameter(&self, app: &AppName) -> String {
        format!("{}{app}", self.apps_path())
    }
}

/// A secret that is stored in Parameter Store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secret {
    /// The key with which Slack signs its requests.
    SlackSigningSecret,
    /// The token with which the function calls Slack.
    SlackBotToken,
    /// The keys with which links are signed.
    Links,
    /// The token with which GitHub is asked for commits. It only needs to read.
    GitToken,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_variable_is_named() {
        let vars = |name: &str| (name == "STATE_TABLE").then(|| "table".to_owned());
        let settings = Settings::from_vars(vars).expect("valid");
        assert_eq!(
            settings.app_parameter(&"team/web".parse().expect("valid")),
            "/ecr-promoter/apps/team/web"
        );
        assert_eq!(settings.notification_topic, None);
        let error = Settings::from_vars(|_| None).expect_err("refused").to_string();
        assert!(error.contains("STATE_TABLE"), "{error}");
    }
}
