//! Secrets: SecureString parameters of Parameter Store, in a type that cannot be printed. A sandbox
//! keeps a secret for one minute, even while it is used. So a replaced or deleted secret is refused
//! after at most a minute, without a deployment.

use std::time::Duration;

use aws_sdk_ssm::types::ParameterType;
use aws_smithy_runtime_api::client::result::SdkError;
use secrecy::SecretString;

use super::cache::FAILURE_AGE;
use super::clients::Clients;
use super::failure::failed;
use crate::error::Error;
use crate::model::config::ConfigError;

/// The age up to which a sandbox uses a secret.
const SECRET_AGE: Duration = Duration::from_secs(60);

impl Clients {
    /// Returns a secret by its parameter's name; `None` if it is missing or empty. A missing secret
    /// is remembered for some seconds only, since somebody may be adding it.
    pub(crate) async fn secret_named(&self, name: &str) -> Result<Option<SecretString>, Error> {
        let is_good = |secret: &Option<SecretString>, age| {
            age < if secret.is_some() { SECRET_AGE } else { FAILURE_AGE }
        };
        self.secrets.of(name.to_owned()).get(is_good, async || self.read_secret(name).await).await
    }

    async fn read_secret(&self, name: &str) -> Result<Option<SecretString>, Error> {
        let resource = format!("parameter `{name}`");
        let parameter = match self.ssm.get_parameter().name(name).with_decryption(true).send().await
        {
            Ok(output) => output.parameter,
            Err(error) if error.as_service_error().is_some_and(|e| e.is_parameter_not_found()) => {
                None
            }
            // The SDK's error quotes the answer, which contains the secret.
            Err(SdkError::ResponseError(_)) => {
                return Err(Error::Unexpected {
                    resource,
                    problem: "the answer of ssm:GetParameter cannot be read".to_owned(),
                });
            }
            Err(error) => return Err(failed("ssm:GetParameter", resource, &error)),
        };
        let Some(parameter) = parameter else { return Ok(None) };
        if parameter.r#type != Some(ParameterType::SecureString) {
            return Err(not_secure(name).into());
        }
        // A file that was stored in the parameter ends with a line break. No secret does.
        let secret = parameter.value.as_deref().map(str::trim).filter(|secret| !secret.is_empty());
        Ok(secret.map(SecretString::from))
    }
}

/// The error for a parameter of another type. Everybody who may read parameters could read the
/// secret, so a new one is needed.
fn not_secure(name: &str) -> ConfigError {
    let problem = format!(
        "expected a SecureString: a parameter of another type is stored in plain text, and its \
         value is not secret any more. Replace it \
         with a new value, since the type of a parameter cannot be changed: aws ssm \
         delete-parameter --name {name} && aws ssm \
         put-parameter --type SecureString --name {name} --value \"$NEW_VALUE\""
    );
    ConfigError { place: format!("Parameter Store {name}"), key: None, problem }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::*;
    use crate::services::wire::ssm::{get_secret, secret};
    use crate::services::wire::{
        Recording, answer, connect, denied, json_denied, json_error, ok, ok_json, replay,
    };

    const NAME: &str = "/ecr-promoter/slack/bot-token";

    fn is(value: &str) -> Recording {
        secret(NAME, value)
    }

    fn missing() -> Recording {
        (get_secret(NAME), json_error("ParameterNotFound", "", &json!({})))
    }

    fn exposed(secret: Result<Option<SecretString>, Error>) -> Option<String> {
        secret.expect("no error").map(|secret| secret.expose_secret().to_owned())
    }

    #[tokio::test]
    async fn a_secret_is_decrypted_and_kept_for_one_minute() {
        replay([is("old"), is("new")], async |clients| {
            assert_eq!(exposed(clients.secret_named(NAME).await).as_deref(), Some("old"));
            clients.secrets.grow_older(SECRET_AGE - Duration::from_secs(5)).await;
            assert_eq!(exposed(clients.secret_named(NAME).await).as_deref(), Some("old"));
            clients.secrets.grow_older(Duration::from_secs(5)).await;
            assert_eq!(exposed(clients.secret_named(NAME).await).as_deref(), Some("new"));
            assert_eq!(exposed(clients.secret_named(NAME).await).as_deref(), Some("new"));
        })
        .await;
    }

    #[tokio::test]
    async fn a_failed_read_replaces_the_secret_for_some_seconds() {
        let fails = (get_secret(NAME), json_error("InvalidKeyId", "no such key", &json!({})));
        replay([is("old"), fails, is("new")], async |clients| {
            assert_eq!(exposed(clients.secret_named(NAME).await).as_deref(), Some("old"));
            clients.secrets.grow_older(SECRET_AGE).await;
            for _ in 0..10 {
                let words = clients.secret_named(NAME).await.expect_err("it failed").to_string();
                assert_eq!(
                    words,
                    "ssm:GetParameter on parameter `/ecr-promoter/slack/bot-token` \
                                   failed: InvalidKeyId: no such key"
                );
            }
            clients.secrets.grow_older(FAILURE_AGE).await;
            assert_eq!(exposed(clients.secret_named(NAME).await).as_deref(), Some("new"));
        })
        .await;
    }

    #[tokio::test]
    async fn a_missing_secret_is_remembered_for_some_seconds() {
        replay([missing(), is("xoxb-1")], async |clients| {
            assert_eq!(exposed(clients.secret_named(NAME).await), None);
            assert_eq!(exposed(clients.secret_named(NAME).await), None);
            clients.secrets.grow_older(FAILURE_AGE).await;
            assert_eq!(exposed(clients.secret_named(NAME).await).as_deref(), Some("xoxb-1"));
        })
        .await;
    }

    #[tokio::test]
    async fn a_deleted_secret_is_refused_within_a_minute() {
        replay([is("xoxb-1"), missing()], async |clients| {
            assert_eq!(exposed(clients.secret_named(NAME).await).as_deref(), Some("xoxb-1"));
            clients.secrets.grow_older(SECRET_AGE).await;
            assert_eq!(exposed(clients.secret_named(NAME).await), None);
        })
        .await;
    }

    #[tokio::test]
    async fn a_secret_in_plain_text_is_refused_and_the_error_names_the_remedy() {
        for kind in [json!("String"), json!("StringList"), json!(null)] {
            let parameter = json!({
                "Parameter": { "Name": NAME, "Type": kind, "Value": "xoxb-1", "Version": 1 },
            });
            let error = replay([(get_secret(NAME), ok_json(&parameter))], async |clients| {
                clients.secret_named(NAME).await
            })
            .await
            .expect_err("refused");
            let words = error.to_string();
            for part in [
                NAME,
                "SecureString",
                "aws ssm delete-parameter",
                "aws ssm put-parameter --type SecureString",
            ] {
                assert!(words.contains(part), "{part} is not in {words}");
            }
            assert!(!words.contains("xoxb-1"), "{words}");
        }
    }

    #[tokio::test]
    async fn an_empty_secret_is_none_and_line_breaks_are_removed() {
        for (value, expected) in [("", None), (" \n", None), ("xoxb-1\n", Some("xoxb-1"))] {
            let secret =
                replay([is(value)], async |clients| clients.secret_named(NAME).await).await;
            assert_eq!(exposed(secret).as_deref(), expected);
        }
    }

    #[tokio::test]
    async fn a_denied_call_names_the_action_that_is_missing() {
        let answer = json_denied("kms:Decrypt");
        let result =
            replay([(get_secret(NAME), answer)], async |clients| clients.secret_named(NAME).await)
                .await;
        assert_eq!(denied(result), ("kms:Decrypt".to_owned(), format!("parameter `{NAME}`")));
    }

    #[tokio::test]
    async fn nothing_prints_a_secret() {
        let (clients, _) = connect([is("xoxb-1")]);
        clients.secret_named(NAME).await.expect("read").expect("there is one");
        assert!(!format!("{clients:?}").contains("xoxb-1"));
        let cut_off = r#"{"Parameter":{"Value":"xoxb-1","Version":"#;
        let unreadable = [
            (get_secret(NAME), ok(cut_off)),
            (get_secret(NAME), ok(cut_off)),
            (get_secret(NAME), ok(cut_off)),
        ];
        let (clients, _) = connect(unreadable);
        let error = clients.secret_named(NAME).await.expect_err("it cannot be read");
        assert!(!format!("{error} {error:?}").contains("xoxb-1"), "{error:?}");
        let (clients, _) = connect([
            (get_secret(NAME), answer(500, "xoxb-1")),
            (get_secret(NAME), answer(500, "xoxb-1")),
            (get_secret(NAME), answer(500, "xoxb-1")),
        ]);
        let error = clients.secret_named(NAME).await.expect_err("it cannot be read");
        assert!(!format!("{error} {error:?}").contains("xoxb-1"), "{error:?}");
    }
}
