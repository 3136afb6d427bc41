//! What is said to Slack: its Web API as the bot, and the address that an interaction says to
//! answer at. On the connector that the AWS clients share, which follows no redirect. A token, an
//! address to answer at and a message are in no error and no log.
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

/// Slack answers in well under a second; a click is to be answered within 3 s.
const ATTEMPT: Duration = Duration::from_secs(3);
/// How often a call is made of which Slack, or the way there, made a mess.
const MOST_TRIES: u32 = 3;
/// The most that is waited after the first mess; after the second, twice that.
const BACK_OFF_MILLISECONDS: u64 = 200;
/// Where Slack wants a pause and does not say how long.
const DEFAULT_WAIT: Duration = Duration::from_secs(1);
/// A pause of 0 s, again and again, would be no pause.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// An answer repeats the message, which is at most some 100 KB.
const MOST_BYTES: usize = 1024 * 1024;
/// Slack's error codes are words such as `channel_not_found`.
const LONGEST_ERROR: usize = 100;

/// Slack's Web API.
#[derive(Debug, Clone)]
pub struct Api {
    http: SharedHttpConnector,
    base: String,
}

/// Why a call did not get through.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Slack understood it and says no.
    #[error("Slack refused it: {0}")]
    Refused(String),
    /// Slack wants a longer pause than there is time.
    #[error("Slack wants a pause, and there is no time for it")]
    RateLimited,
    /// Slack answered something else than 200.
    #[error("Slack answered {0}")]
    Answered(u16),
    /// An answer that is none.
    #[error("Slack's answer cannot be read")]
    Unreadable,
    /// No answer.
    #[error("Slack cannot be reached")]
    Unreachable,
    /// No answer in time.
    #[error("Slack did not answer in time")]
    TimedOut,
    /// A token that cannot be sent, or an address that is not Slack's: nothing was sent.
    #[error("{0}")]
    NotSent(&'static str),
}

/// Whether another try may do better.
enum Again {
    No,
    /// Slack says when.
    After(Duration),
    /// Perhaps soon.
    BackOff,
}

impl Api {
    /// The API at this address, whose last `/` may be missing.
    pub fn new(http: SharedHttpConnector, base_url: &str) -> Self {
        Self { http, base: format!("{}/", base_url.trim_end_matches('/')) }
    }

    /// The API's address; ends with `/`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Calls a method as the bot; answers what Slack answered with `"ok": true`. A call whose
    /// answer was lost is made again, so a message may be posted twice and is never lost in
    /// silence.
    pub async fn call(
        &self,
        method: &str,
        token: &SecretString,
        body: &Value,
        within: Duration,
    ) -> Result<Value, Failure> {
        let url = format!("{}{method}", self.base);
        let answer = self.post(method, &url, Some(token), body, within).await?;
        let answer: Value = serde_json::from_slice(&answer).map_err(|_| Failure::Unreadable)?;
        refusal(&answer).map_or_else(
            || if answer["ok"] == true { Ok(answer) } else { Err(Failure::Unreadable) },
            Err,
        )
    }

    /// Answers a click or a slash command at the address that came with it.
    pub async fn respond(
        &self,
        response_url: &str,
        body: &Value,
        within: Duration,
    ) -> Result<(), Failure> {
        if !is_response_url(response_url, &self.base) {
            return Err(Failure::NotSent("the address to answer at is not Slack's"));
        }
        let answer = self.post("response_url", response_url, None, body, within).await?;
        // The answer is JSON or the word `ok`.
        serde_json::from_slice(&answer).ok().as_ref().and_then(refusal).map_or(Ok(()), Err)
    }

    /// Posts until it got through, cannot, or the time is up. `what` names the call in logs, where
    /// no address may be.
    async fn post(
        &self,
        what: &str,
        url: &str,
        token: Option<&SecretString>,
        body: &Value,
        within: Duration,
    ) -> Result<Vec<u8>, Failure> {
        let (started, body) = (Instant::now(), body.to_string());
        let mut tries = 0;
        loop {
            let left = within.saturating_sub(started.elapsed());
            let attempt = timeout(left.min(ATTEMPT), self.post_once(url, token, &body));
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
            tracing::info!("Slack's `{what}`: {failure}; it is tried again");
            sleep(wait).await;
        }
    }

    async fn post_once(
        &self,
        url: &str,
        token: Option<&SecretString>,
        body: &str,
    ) -> Result<Vec<u8>, (Failure, Again)> {
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
        match Limited::new(response.into_body(), MOST_BYTES).collect().await {
            Ok(body) => Ok(body.to_bytes().to_vec()),
            // It may have broken off; of one that is too large the same would come again, three
            // times at worst.
            Err(_) => Err((Failure::Unreadable, Again::BackOff)),
        }
    }
}

fn request(url: &str, token: Option<&SecretString>, body: &str) -> Result<HttpRequest, Failure> {
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST").map_err(|_| Failure::NotSent("POST is no method"))?;
    request.set_uri(url).map_err(|_| Failure::NotSent("Slack's address is not valid"))?;
    let mut header = |name: &'static str, value: String| {
        request
            .headers_mut()
            .try_insert(name, value)
            .map(|_| ())
            .map_err(|_| Failure::NotSent("the bot's token is not valid"))
    };
    header("content-type", "application/json; charset=utf-8".to_owned())?;
    if let Some(token) = token {
        header("authorization", format!("Bearer {}", token.expose_secret()))?;
    }
    Ok(request)
}

/// What Slack says no with. `{"ok":false,"error":"ratelimited"}` is how a few methods say it with a
/// 200.
fn refusal(answer: &Value) -> Option<Failure> {
    if answer["ok"] != false {
        return None;
    }
    Some(match answer["error"].as_str() {
        Some("ratelimited" | "rate_limited") => Failure::RateLimited,
        error => Failure::Refused(plain(error.unwrap_or("it does not say why"), LONGEST_ERROR)),
    })
}

#[cfg(test)]
mod tests;
