//! Messages in Slack, sent as the bot. If Slack is down, no promotion stops and no request is lost:
//! a failed call is logged and not an error, and the next look tries again.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use tracing::warn;

use super::clients::{Clients, TokenId};
use crate::error::Error;
use crate::model::approval::{ApprovalRequest, Posted};
use crate::model::config::App;
use crate::model::notice::Notice;
use crate::services::slack_api::Failure;
use crate::settings::Secret;
use crate::slack::card::card;
use crate::slack::escape::escape_lines;
use crate::slack::post::post;
use crate::slack::team::Installation;
use crate::slack::unreachable::{has_buttons, replace_buttons};
use crate::world::{Applied, Listener, Web};

/// The longest time for one message with its retries, so that the rest of the work is not late.
const WITHIN: Duration = Duration::from_secs(5);
/// The longest time to ask where the app is installed. A person who clicked waits for it, and Slack
/// waits for the answer to the click.
const INSTALLATION_WITHIN: Duration = Duration::from_secs(1);
/// Slack's error codes for a message that no longer exists. Another try would fail too.
const GONE: [&str; 3] = ["message_not_found", "cant_update_message", "is_archived"];

impl Clients {
    /// Posts the message of a request, or updates it.
    pub(super) async fn show(&self, app: &App, request: &ApprovalRequest) -> Applied {
        let Some(channel) = &request.channel else { return Applied::PutOff };
        let environment = app.environment(self.settings.environment.as_deref());
        let (text, mut blocks) = card(app, request, &environment);
        self.leave_out_dead_buttons(&mut blocks).await;
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
            // A person who clicks on the message must belong to this installation. It is read now,
            // since a click must be answered quickly.
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
                    warn!(repository = %app.name, "Slack's answer does not say where the \
                        message is");
                    Applied::PutOff
                }
            },
            (Some(Err(_)) | None, _) => Applied::PutOff,
        }
    }

    /// Posts a notice to the app's channel. Of a notice about a request only a bad end is posted,
    /// in the thread of the request's message.
    pub(super) async fn post(&self, app: &App, notice: &Notice) {
        if notice.is_answer() {
            return;
        }
        let environment = app.environment(self.settings.environment.as_deref());
        if let Some(mut body) = post(app, notice, &environment) {
            Box::pin(self.leave_out_dead_buttons(&mut body["blocks"])).await;
            // One try. Only the notification topic is tried again.
            let _ = Box::pin(self.slack_call(app, "chat.postMessage", &body)).await;
        }
    }

    /// Replaces buttons, whose clicks nobody would hear, by how to make them work. An address that
    /// cannot be read may be there.
    async fn leave_out_dead_buttons(&self, blocks: &mut Value) {
        if has_buttons(blocks) && matches!(self.public_url().await, Ok(None)) {
            replace_buttons(blocks);
        }
    }

    /// Calls Slack as the bot; `None` if there is no token.
    async fn slack_call(
        &self,
        app: &App,
        method: &str,
        body: &Value,
    ) -> Option<Result<Value, Failure>> {
        let token = self.bot_token(app).await?;
        let answer = self.slack.call(method, &token, body, WITHIN).await;
        if let Err(failure) = &answer {
            warn!(repository = %app.name, method, %failure, "the call to Slack failed");
        }
        Some(answer)
    }

    async fn bot_token(&self, app: &App) -> Option<SecretString> {
        let name = self.settings.secret_parameter(Secret::SlackBotToken);
        match self.secret_named(&name).await {
            Ok(Some(token)) => Some(token),
            Ok(None) => {
                warn!(repository = %app.name, "`approval.slack_channel` is set, but there \
                    is no bot token in Parameter Store {name}");
                None
            }
            Err(error) => {
                warn!(repository = %app.name, %error, "the bot token cannot be read");
                None
            }
        }
    }

    /// Asks Slack where the app is installed, once for each token, since another token may belong
    /// to another team. `None` without an answer; Slack is then asked again after some seconds.
    pub(super) async fn ask_installation(&self) -> Option<Installation> {
        let name = self.settings.secret_parameter(Secret::SlackBotToken);
        let token = match self.secret_named(&name).await {
            Ok(Some(token)) => token,
            Ok(None) => {
                warn!("nobody in Slack may act: there is no bot token in Parameter Store {name}");
                return None;
            }
            Err(error) => {
                warn!(%error, "nobody in Slack may act: the bot token cannot be read");
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
                warn!(%error, "nobody in Slack may act: Slack does not say where the app \
                               is installed");
                None
            }
        }
    }

    /// Sends a message that only one person sees.
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
            warn!(%failure, "a person in Slack got no answer");
        }
    }
}

#[cfg(test)]
mod tests;
