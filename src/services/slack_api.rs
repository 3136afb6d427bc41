//! Calls to Slack: to its Web API as the bot, and to the response URL of a click or slash command.
//! They use the connector of the AWS clients, which follows no redirect. No error and no log
//! contains a token, a response URL or a message.
//! <https://docs.slack.dev/apis/web-api/>, <https://docs.slack.dev/apis/web-api/rate-limits/>

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt, Limited};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::slack::response_url::is_response_url;
use crate::text::plain;

/// The longest time of one try. Slack usually answers in less than a second.
const ATTEMPT: Duration = Duration::from_secs(3);
/// Attempts per call after a 5xx or a network error.
const MOST_TRIES: u32 = 3;
/// The longest pause after the first failed try; twice that after the second.
const BACK_OFF_MILLISECONDS: u64 = 200;
/// The pause if Slack asks for one without saying how long.
const DEFAULT_WAIT: Duration = Duration::from_secs(1);
/// The shortest pause, if Slack asks for one of 0 s.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// The largest answer, in bytes. An answer repeats the message, which has at most some 100 KB.
const MOST_BYTES: usize = 1024 * 1024;
/// The header with the scopes of the token.
const SCOPES: &str = "x-oauth-scopes";
/// The longest error code, in characters. Slack's codes are words such as `channel_not_found`.
const LONGEST_ERROR: usize = 100;

/// Slack's Web API.
#[derive(Debug, Clone)]
pub struct Api {
    http: SharedHttpConnector,
    base: String,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Slack refused the call, with this error code.
    #[error("Slack refused it: {0}")]
    Refused(String),
    /// Slack asks for a pause that is longer than the time left.
    #[error("Slack asks for a pause that is longer than the time left")]
    RateLimited,
    /// Slack answered with another status than 200.
    #[error("Slack answered {0}")]
    Answered(u16),
    /// The answer is not valid, or it is too large.
    #[error("Slack's answer cannot be read")]
    Unreadable,
    /// There is no connection to Slack.
    #[error("Slack cannot be reached")]
    Unreachable,
    /// Slack did not answer in time.
    #[error("Slack did not answer in time")]
    TimedOut,
    /// The token cannot be sent, or the address is not Slack's. Nothing was sent.
    #[error("{0}")]
    NotSent(&'static str),
}

/// An answer of Slack.
struct Answer {
    body: Vec<u8>,
    scopes: Option<String>,
}

/// When to try again.
enum Again {
    No,
    /// After the pause that Slack asks for.
    After(Duration),
    /// After a short random pause.
    BackOff,
}

impl Api {
    /// Makes a client of the API at this address. The `/` at the end may be missing.
    pub fn new(http: SharedHttpConnector, base_url: &str) -> Self {
        Self { http, base: format!("{}/", base_url.trim_end_matches('/')) }
    }

    /// The API's address; ends with `/`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Calls a method as the bot, and returns Slack's answer if it has `"ok": true`. A call whose
    /// answer was lost is made again, so a message may be posted twice.
    pub async fn call(
        &self,
        method: &str,
        token: &SecretString,
        body: &Value,
        within: Duration,
    ) -> Result<Value, Failure> {
        self.call_with_scopes(method, token, body, within).await.map(|(answer, _)| answer)
    }

    /// Calls a method as the bot, and returns Slack's answer with the scopes of the token, where
    /// Slack lists them.
    pub async fn call_with_scopes(
        &self,
        method: &str,
        token: &SecretString,
        body: &Value,
        within: Duration,
    ) -> Result<(Value, Option<String>), Failure> {
        let url = format!("{}{method}", self.base);
        let Answer { body: answer, scopes } =
            self.post(method, &url, Some(token), &Body::json(body), within).await?;
        good(&answer).map(|answer| (answer, scopes))
    }

    /// Calls a method that only reads, and that takes a form and no JSON.
    pub async fn ask(
        &self,
        method: &str,
        token: &SecretString,
        form: &[(&str, &str)],
        within: Duration,
    ) -> Result<Value, Failure> {
        let url = format!("{}{method}", self.base);
        let body = Body::form(form);
        good(&self.post(method, &url, Some(token), &body, within).await?.body)
    }

    /// Answers a click or a slash command at its response URL.
    pub async fn respond(
        &self,
        response_url: &str,
        body: &Value,
        within: Duration,
    ) -> Result<(), Failure> {
        if !is_response_url(response_url, &self.base) {
            return Err(Failure::NotSent("the response URL is not Slack's"));
        }
        let body = Body::json(body);
        let answer = self.post("response_url", response_url, None, &body, within).await?;
        // The answer is JSON or the word `ok`.
        serde_json::from_slice(&answer.body).ok().as_ref().and_then(refusal).map_or(Ok(()), Err)
    }

    /// Posts until a try succeeds, another try cannot help, or the time is up. `what` names the
    /// call in logs, which must not contain the address.
    async fn post(
        &self,
        what: &str,
        url: &str,
        token: Option<&SecretString>,
        body: &Body,
        within: Duration,
    ) -> Result<Answer, Failure> {
        let started = Instant::now();
        let mut tries = 0;
        loop {
            let left = within.saturating_sub(started.elapsed());
            let attempt = timeout(left.min(ATTEMPT), self.post_once(url, token, body));
            let (failure, again) =
                match attempt.await.unwrap_or(Err((Failure::TimedOut, Again::BackOff))) {
                    Ok(answer) => return Ok(answer),
                    Err(failed) => failed,
                };
            let wait = match again {
                Again::No => return Err(failure),
                Again::After(wait) => wait,
                Again::BackOff => {
                    tries += 1;
                    if tries == MOST_TRIES {
                        return Err(failure);
                    }
                    let most = BACK_OFF_MILLISECONDS * u64::from(tries);
                    Duration::from_millis(fastrand::u64(most / 2..=most))
                }
            };
            if within.saturating_sub(started.elapsed()) <= wait {
                return Err(failure);
            }
            tracing::info!("another try of Slack's `{what}` follows: {failure}");
            sleep(wait).await;
        }
    }

    async fn post_once(
        &self,
        url: &str,
        token: Option<&SecretString>,
        body: &Body,
    ) -> Result<Answer, (Failure, Again)> {
        let request = request(url, token, body).map_err(|failure| (failure, Again::No))?;
        let response =
            self.http.call(request).await.map_err(|_| (Failure::Unreachable, Again::BackOff))?;
        let status = response.status().as_u16();
        match status {
            200 => {}
            429 => {
                let seconds =
                    response.headers().get("retry-after").and_then(|seconds| seconds.parse().ok());
                let wait = seconds.map_or(DEFAULT_WAIT, |seconds| {
                    Duration::from_secs(seconds).max(SHORTEST_WAIT)
                });
                return Err((Failure::RateLimited, Again::After(wait)));
            }
            500.. => return Err((Failure::Answered(status), Again::BackOff)),
            _ => return Err((Failure::Answered(status), Again::No)),
        }
        let scopes = response.headers().get(SCOPES).map(str::to_owned);
        match Limited::new(response.into_body(), MOST_BYTES).collect().await {
            Ok(body) => Ok(Answer { body: body.to_bytes().to_vec(), scopes }),
            // The answer broke off or is too large. A too large one comes again, three times at
            // most.
            Err(_) => Err((Failure::Unreadable, Again::BackOff)),
        }
    }
}

/// What is sent.
struct Body {
    text: String,
    kind: &'static str,
}

impl Body {
    fn json(body: &Value) -> Self {
        Self { text: body.to_string(), kind: "application/json; charset=utf-8" }
    }

    fn form(pairs: &[(&str, &str)]) -> Self {
        let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        Self { text, kind: "application/x-www-form-urlencoded" }
    }
}

fn request(url: &str, token: Option<&SecretString>, body: &Body) -> Result<HttpRequest, Failure> {
    let mut request = HttpRequest::new(SdkBody::from(body.text.as_str()));
    request.set_method("POST").map_err(|_| Failure::NotSent("POST is not a valid method"))?;
    request.set_uri(url).map_err(|_| Failure::NotSent("Slack's address is not valid"))?;
    let mut header = |name: &'static str, value: String| {
        request
            .headers_mut()
            .try_insert(name, value)
            .map(|_| ())
            .map_err(|_| Failure::NotSent("the bot's token is not valid"))
    };
    header("content-type", body.kind.to_owned())?;
    if let Some(token) = token {
        header("authorization", format!("Bearer {}", token.expose_secret()))?;
    }
    Ok(request)
}

/// Reads an answer that must have `"ok": true`.
fn good(answer: &[u8]) -> Result<Value, Failure> {
    let answer: Value = serde_json::from_slice(answer).map_err(|_| Failure::Unreadable)?;
    refusal(&answer).map_or_else(
        || if answer["ok"] == true { Ok(answer) } else { Err(Failure::Unreadable) },
        Err,
    )
}

/// Reads a refusal. A few methods answer 200 with `{"ok":false,"error":"ratelimited"}` instead of
/// 429.
fn refusal(answer: &Value) -> Option<Failure> {
    if answer["ok"] != false {
        return None;
    }
    Some(match answer["error"].as_str() {
        Some("ratelimited" | "rate_limited") => Failure::RateLimited,
        error => Failure::Refused(plain(error.unwrap_or("no reason given"), LONGEST_ERROR)),
    })
}

#[cfg(test)]
mod tests;
