//! Slack, as the bot. CONTRACT: Slack being down stops no promotion and loses no request, so
//! nothing here is an error: what could not be shown is tried again at the next look.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use tracing::warn;

use super::clients::{Clients, TokenId};
use crate::error::Error;
use crate::model::approval::{ApprovalRequest, Posted};
use crate::model::config::App;
use crate::model::notice::Notice;
use crate::notification::message;
use crate::services::slack_api::Failure;
use crate::settings::Secret;
use crate::slack::card::card;
use crate::slack::escape::{escape, escape_lines};
use crate::slack::team::Installation;
use crate::world::{Applied, Listener};

/// For one message, its retries included: an invocation has better things to do.
const WITHIN: Duration = Duration::from_secs(5);
/// How long Slack may take to say where the app is installed: a click waits for it, and Slack waits
/// for the click's answer.
const INSTALLATION_WITHIN: Duration = Duration::from_secs(1);
/// What Slack says of a message that is not there any more: nobody will ever see it, and that is
/// final.
const GONE: [&str; 3] = ["message_not_found", "cant_update_message", "is_archived"];

impl Clients {
    /// Posts a request's message, or brings it up to date.
    pub(super) async fn show(&self, app: &App, request: &ApprovalRequest) -> Applied {
        let Some(channel) = &request.channel else { return Applied::PutOff };
        let (text, blocks) = card(app, request);
        let mut body = json!({
            "channel": channel, "text": text, "blocks": blocks, "unfurl_links": false,
            "unfurl_media": false,
        });
        let method = match &request.posted {
            None => "chat.postMessage",
            Some(posted) => {
                body = json!({
                    "channel": posted.channel, "ts": posted.ts, "text": body["text"],
                    "blocks": body["blocks"],
                });
                "chat.update"
            }
        };
        let answer = self.slack_call(app, method, &body).await;
        if let (Some(Ok(_)), None) = (&answer, &request.posted) {
            // Whoever clicks on the message is compared with this. It is read now, since a click
            // has no time for it.
            self.ask_installation().await;
        }
        match (answer, &request.posted) {
            (Some(Ok(_)), Some(posted)) => Applied::Shown(posted.clone()),
            (Some(Err(Failure::Refused(code))), Some(posted)) if GONE.contains(&code.as_str()) => {
                Applied::Shown(posted.clone())
            }
            (Some(Ok(answer)), None) => match (answer["channel"].as_str(), answer["ts"].as_str()) {
                (Some(channel), Some(ts)) => Applied::Shown(Posted {
                    channel: channel.to_owned(),
                    ts: ts.to_owned(),
                    team: answer["message"]["team"].as_str().map(str::to_owned),
                }),
                _ => {
                    warn!(repository = %app.repository, "Slack did not say where it put the \
                        message");
                    Applied::PutOff
                }
            },
            (Some(Err(_)) | None, _) => Applied::PutOff,
        }
    }

    /// Posts what became so without a request (a hold, a rollback, a promotion in mode `auto`) to
    /// the app's channel.
    pub(super) async fn post(&self, app: &App, notice: &Notice) {
        let Some(channel) =
            app.config.approval.slack_channel.as_ref().filter(|_| notice.request.is_none())
        else {
            return;
        };
        let words = message(app, notice, None);
        let text = |text: &str| json!({ "type": "plain_text", "text": text, "emoji": false });
        let by = format!("by {}", notice.by);
        let body = json!({
            "channel": channel,
            "text": escape(&words.subject, 200),
            "blocks": [
                {
                    "type": "section",
                    "text": text(
                        &format!(
                            "{}\n{}", escape(&words.subject, 200), escape(&notice.reason, 1_000),
                        ),
                    ),
                },
                { "type": "context", "elements": [text(&escape(&by, 300))] },
            ],
        });
        // Learned once. Only the notification topic is tried again.
        let _ = self.slack_call(app, "chat.postMessage", &body).await;
    }

    /// `None` where there is no token to call with.
    async fn slack_call(
        &self,
        app: &App,
        method: &str,
        body: &Value,
    ) -> Option<Result<Value, Failure>> {
        let token = self.bot_token(app).await?;
        let answer = self.slack.call(method, &token, body, WITHIN).await;
        if let Err(failure) = &answer {
            warn!(repository = %app.repository, method, %failure, "Slack was not told");
        }
        Some(answer)
    }

    async fn bot_token(&self, app: &App) -> Option<SecretString> {
        let name = self.settings.secret_parameter(Secret::SlackBotToken);
        match self.secret_named(&name).await {
            Ok(Some(token)) => Some(token),
            Ok(None) => {
                warn!(repository = %app.repository, "`approval.slack_channel` is set, and there \
                    is no bot token in Parameter Store {name}");
                None
            }
            Err(error) => {
                warn!(repository = %app.repository, %error, "the bot token cannot be read");
                None
            }
        }
    }

    /// Asks Slack where the app is installed, once for each token: the token of another team's app
    /// needs an answer of its own. `None` without Slack's answer; it is then asked again after some
    /// seconds.
    pub(super) async fn ask_installation(&self) -> Option<Installation> {
        let name = self.settings.secret_parameter(Secret::SlackBotToken);
        let token = match self.secret_named(&name).await {
            Ok(Some(token)) => token,
            Ok(None) => {
                warn!("nobody in Slack counts: there is no bot token in Parameter Store {name}");
                return None;
            }
            Err(error) => {
                warn!(%error, "nobody in Slack counts: the bot token cannot be read");
                return None;
            }
        };
        let id = TokenId::of(&token);
        let ask = async || {
            let answer =
                self.slack.call("auth.test", &token, &json!({}), INSTALLATION_WITHIN).await;
            let asked = answer.map(|answer| Installation::parse(&answer));
            let problem = match asked {
                Ok(Some(installation)) => return Ok((TokenId::of(&token), installation)),
                Ok(None) => "the answer names no team".to_owned(),
                Err(failure) => failure.to_string(),
            };
            Err(Error::Unexpected { resource: "Slack's auth.test".to_owned(), problem })
        };
        match self.installation.get(|(known, _), _| *known == id, ask).await {
            Ok((_, installation)) => Some(installation),
            Err(error) => {
                warn!(%error, "nobody in Slack counts: Slack does not say where the app is \
                               installed");
                None
            }
        }
    }

    /// Says something to one person only.
    pub(super) async fn answer_privately_to(&self, to: &Listener, text: &str, within: Duration) {
        let text = escape_lines(text, 2_000);
        let told = match (&to.response_url, &to.channel) {
            (Some(url), _) => {
                let body = json!({
                    "response_type": "ephemeral", "replace_original": false, "mrkdwn": false,
                    "text": text,
                });
                self.slack.respond(url, &body, within).await
            }
            (None, Some(channel)) => {
                let name = self.settings.secret_parameter(Secret::SlackBotToken);
                let Ok(Some(token)) = self.secret_named(&name).await else { return };
                let body =
                    json!({ "channel": channel, "user": to.user, "mrkdwn": false, "text": text });
                self.slack.call("chat.postEphemeral", &token, &body, within).await.map(drop)
            }
            (None, None) => return,
        };
        if let Err(failure) = told {
            warn!(%failure, "somebody in Slack was not answered");
        }
    }
}

#[cfg(test)]
mod tests;
