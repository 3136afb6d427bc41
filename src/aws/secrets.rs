//! Secrets: SecureStrings of Parameter Store, in a type that cannot be printed. A sandbox keeps what it has read; what a
//! signature does not fit is read again, so that a secret can be changed without a deployment.

use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::result::SdkError;
use secrecy::SecretString;

use super::{Aws, failed};
use crate::error::Error;

/// How often a secret is read again at most: strangers can send wrong signatures as fast as they like.
const READ_AGAIN: Duration = Duration::from_secs(60);

/// What is known of one secret.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// When it was read last, or tried to.
    pub(super) read_at: Instant,
    /// `None` where there is none.
    secret: Option<SecretString>,
}

impl Aws {
    /// A secret by its parameter's name, read once; `None` if there is none, or an empty one. A secret that was missing is
    /// looked for again.
    pub(crate) async fn secret(&self, name: &str) -> Result<Option<SecretString>, Error> {
        match self.known_secret(name) {
            Some(Known { secret: Some(secret), .. }) => Ok(Some(secret)),
            Some(_) => self.secret_again(name).await,
            None => self.read_secret(name).await,
        }
    }

    /// The same, read again unless that was less than a minute ago.
    pub(crate) async fn secret_again(&self, name: &str) -> Result<Option<SecretString>, Error> {
        if let Some(known) = self.known_secret(name) {
            if known.read_at.elapsed() < READ_AGAIN {
                return Ok(known.secret);
            }
            // Noted before it is read: a read that fails is not tried for every wrong signature either.
            self.know_secret(name, known.secret);
        }
        self.read_secret(name).await
    }

    async fn read_secret(&self, name: &str) -> Result<Option<SecretString>, Error> {
        let resource = format!("parameter `{name}`");
        let secret = match self.ssm.get_parameter().name(name).with_decryption(true).send().await {
            Ok(output) => output.parameter.and_then(|parameter| parameter.value),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_parameter_not_found()) => None,
            // The SDK's words for an answer that it cannot read quote the answer, and it was the secret.
            Err(SdkError::ResponseError(_)) => {
                return Err(Error::Unexpected { resource, problem: "the answer of ssm:GetParameter cannot be read".to_owned() });
            }
            Err(error) => return Err(failed("ssm:GetParameter", resource, &error)),
        };
        // A file that was put into the parameter ends with a line break, which is no part of any of these secrets.
        let secret = secret.as_deref().map(str::trim).filter(|secret| !secret.is_empty()).map(SecretString::from);
        self.know_secret(name, secret.clone());
        Ok(secret)
    }

    fn known_secret(&self, name: &str) -> Option<Known> {
        self.secrets.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get(name).cloned()
    }

    fn know_secret(&self, name: &str, secret: Option<SecretString>) {
        let known = Known { read_at: Instant::now(), secret };
        self.secrets.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(name.to_owned(), known);
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;
    use http::Request;
    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::super::wire::{Recording, answer, connect, denied, json_error, json_request, ok, ok_json, replay};
    use super::*;

    const NAME: &str = "/ecr-promoter/slack/bot-token";

    fn asked() -> Request<SdkBody> {
        json_request("AmazonSSM.GetParameter", &json!({ "Name": NAME, "WithDecryption": true }))
    }

    fn is(value: &str) -> Recording {
        (asked(), ok_json(&json!({ "Parameter": { "Name": NAME, "Type": "SecureString", "Value": value, "Version": 1 } })))
    }

    fn missing() -> Recording {
        (asked(), json_error("ParameterNotFound", "", &json!({})))
    }

    fn exposed(secret: Result<Option<SecretString>, Error>) -> Option<String> {
        secret.expect("no error").map(|secret| secret.expose_secret().to_owned())
    }

    /// A minute goes by.
    fn a_minute_later(aws: &Aws) {
        for known in aws.secrets.lock().expect("unpoisoned").values_mut() {
            known.read_at = known.read_at.checked_sub(READ_AGAIN).expect("a machine that has run for a minute");
        }
    }

    #[tokio::test]
    async fn a_secret_is_decrypted_and_read_once() {
        replay([is("xoxb-1")], async |aws| {
            for _ in 0..2 {
                assert_eq!(exposed(aws.secret(NAME).await).as_deref(), Some("xoxb-1"));
            }
            a_minute_later(aws);
            assert_eq!(exposed(aws.secret(NAME).await).as_deref(), Some("xoxb-1"));
        })
        .await;
    }

    #[tokio::test]
    async fn a_secret_is_read_again_at_most_once_a_minute() {
        replay([is("old"), is("new")], async |aws| {
            assert_eq!(exposed(aws.secret(NAME).await).as_deref(), Some("old"));
            assert_eq!(exposed(aws.secret_again(NAME).await).as_deref(), Some("old"));
            a_minute_later(aws);
            assert_eq!(exposed(aws.secret_again(NAME).await).as_deref(), Some("new"));
            assert_eq!(exposed(aws.secret_again(NAME).await).as_deref(), Some("new"));
            assert_eq!(exposed(aws.secret(NAME).await).as_deref(), Some("new"));
        })
        .await;
    }

    #[tokio::test]
    async fn a_read_that_fails_leaves_the_old_secret_for_a_minute() {
        let fails = (asked(), json_error("InvalidKeyId", "no such key", &json!({})));
        replay([is("old"), fails, is("new")], async |aws| {
            assert_eq!(exposed(aws.secret(NAME).await).as_deref(), Some("old"));
            a_minute_later(aws);
            let words = aws.secret_again(NAME).await.expect_err("it failed").to_string();
            assert_eq!(words, "ssm:GetParameter on parameter `/ecr-promoter/slack/bot-token` failed: InvalidKeyId: no such key");
            assert_eq!(exposed(aws.secret_again(NAME).await).as_deref(), Some("old"));
            a_minute_later(aws);
            assert_eq!(exposed(aws.secret_again(NAME).await).as_deref(), Some("new"));
        })
        .await;
    }

    #[tokio::test]
    async fn that_there_is_no_secret_is_remembered_for_a_minute() {
        replay([missing(), is("xoxb-1")], async |aws| {
            assert_eq!(exposed(aws.secret(NAME).await), None);
            assert_eq!(exposed(aws.secret(NAME).await), None);
            assert_eq!(exposed(aws.secret_again(NAME).await), None);
            a_minute_later(aws);
            assert_eq!(exposed(aws.secret(NAME).await).as_deref(), Some("xoxb-1"));
        })
        .await;
    }

    #[tokio::test]
    async fn a_secret_that_was_taken_away_is_gone() {
        replay([is("xoxb-1"), missing()], async |aws| {
            assert_eq!(exposed(aws.secret(NAME).await).as_deref(), Some("xoxb-1"));
            a_minute_later(aws);
            assert_eq!(exposed(aws.secret_again(NAME).await), None);
            assert_eq!(exposed(aws.secret(NAME).await), None);
        })
        .await;
    }

    #[tokio::test]
    async fn an_empty_secret_is_none_and_a_line_break_no_part_of_it() {
        for (value, expected) in [("", None), (" \n", None), ("xoxb-1\n", Some("xoxb-1"))] {
            let secret = replay([is(value)], async |aws| aws.secret(NAME).await).await;
            assert_eq!(exposed(secret).as_deref(), expected);
        }
    }

    #[tokio::test]
    async fn a_denied_call_names_the_action_that_is_missing() {
        let words = "User: arn:aws:sts::012345678912:assumed-role/r/f is not authorized to perform: kms:Decrypt on resource: x";
        let answer = json_error("AccessDeniedException", words, &json!({}));
        let result = replay([(asked(), answer)], async |aws| aws.secret(NAME).await).await;
        assert_eq!(denied(result), ("kms:Decrypt".to_owned(), format!("parameter `{NAME}`")));
    }

    #[tokio::test]
    async fn nothing_prints_a_secret() {
        let (aws, _) = connect([is("xoxb-1")]);
        aws.secret(NAME).await.expect("read").expect("there is one");
        assert!(!format!("{aws:?}").contains("xoxb-1"));
        let cut_off = r#"{"Parameter":{"Value":"xoxb-1","Version":"#;
        let unreadable = [(asked(), ok(cut_off)), (asked(), ok(cut_off)), (asked(), ok(cut_off))];
        let (aws, _) = connect(unreadable);
        let error = aws.secret(NAME).await.expect_err("it cannot be read");
        assert!(!format!("{error} {error:?}").contains("xoxb-1"), "{error:?}");
        let (aws, _) = connect([(asked(), answer(500, "xoxb-1")), (asked(), answer(500, "xoxb-1")), (asked(), answer(500, "xoxb-1"))]);
        let error = aws.secret(NAME).await.expect_err("it cannot be read");
        assert!(!format!("{error} {error:?}").contains("xoxb-1"), "{error:?}");
    }
}
