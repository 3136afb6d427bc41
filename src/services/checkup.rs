//! Reads what a check of an app judges. Nothing is written, and a read that fails ends nothing.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpConnector;
use futures_util::future::{OptionFuture, join, join3, join4};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::clients::Clients;
use super::git_host::{repository, request};
use super::port::around::unread;
use super::site::Site;
use super::slack_api::Failure;
use crate::error::Error;
use crate::link::Signer;
use crate::model::Tag;
use crate::model::bake::alarm_name;
use crate::model::checkup::facts::{
    Bot, Channel, Facts, GitFacts, LinkFacts, Read, SlackFacts, Writes,
};
use crate::model::checkup::reach::named_alarms;
use crate::model::config::App;
use crate::model::config::target::Target;
use crate::model::identity::SourceIdentity;
use crate::model::stack::Stack;
use crate::settings::Secret;
use crate::world::snapshot::ServicesWanted;

/// The longest time for a question to Slack or GitHub.
const WITHIN: Duration = Duration::from_secs(5);

impl Clients {
    /// Reads all that a check of this app needs.
    pub(super) async fn read_facts(&self, app: &App) -> Facts {
        let site = self.site(app, &SourceIdentity::default()).await;
        let stack = async {
            match &site {
                Ok(site) => site.made_here(site.stack(&app.config.stack).await).map_err(unread),
                Err(error) => Err(unread(error.clone())),
            }
        };
        let own = join4(
            async { self.repository(&app.repository).await.map_err(unread) },
            async { self.lifecycle(&app.repository).await.map_err(unread) },
            OptionFuture::from(app.candidate_tag().map(|tag| self.on_source_tag(app, tag))),
            OptionFuture::from(app.config.after.as_ref().map(async |after| {
                let earlier = self.earlier(app, after).await.map_err(unread)?;
                Ok(earlier.map(drop))
            })),
        );
        let channel = app.config.approval.slack_channel.as_deref();
        let people = join(
            async {
                let address = self.read_public_url().await.map(|its| its.is_some());
                let has_address = address.as_ref().is_ok_and(|is_there| *is_there);
                let slack = channel.map(|own| self.slack_facts(own, has_address));
                let key = has_address.then(|| self.link_key());
                let (slack, key) = join(OptionFuture::from(slack), OptionFuture::from(key)).await;
                let key_name = self.settings.secret_parameter(Secret::Links);
                (slack, LinkFacts { key_name, key, address: address.map_err(unread) })
            },
            OptionFuture::from(
                repository(app, &self.settings.github_api_url).map(|own| self.git_facts(own)),
            ),
        );
        let (stack, (repository, lifecycle, newest, earlier), ((slack, links), git)) =
            join3(stack, own, people).await;
        let there = stack.as_ref().ok().and_then(Option::as_ref).zip(site.as_ref().ok());
        let around = OptionFuture::from(there.map(|(stack, site)| site.around(app, stack))).await;
        let Around { template, services, alarms, replica } = around.unwrap_or_default();
        let home = self.home();
        let has_topic = self.settings.notification_topic.is_some();
        Facts {
            home,
            stack,
            template,
            repository,
            newest,
            lifecycle,
            earlier,
            services,
            alarms,
            replica,
            has_topic,
            slack,
            links,
            git,
        }
    }

    async fn on_source_tag(&self, app: &App, tag: &Tag) -> Read<Option<crate::model::Digest>> {
        self.tag_named(&app.repository, tag).await.map_err(unread)
    }

    async fn secret_of(&self, secret: Secret) -> Read<Option<SecretString>> {
        self.secret_named(&self.settings.secret_parameter(secret)).await.map_err(unread)
    }

    async fn slack_facts(&self, channel: &str, has_address: bool) -> SlackFacts {
        let signing = has_address.then(|| self.secret_of(Secret::SlackSigningSecret));
        let (signing, token) =
            join(OptionFuture::from(signing), self.secret_of(Secret::SlackBotToken)).await;
        let length = |secret: SecretString| secret.expose_secret().chars().count();
        let signing_secret = signing.map(|secret| secret.map(|secret| secret.map(length)));
        let token = match token {
            Ok(Some(token)) => token,
            Ok(None) => return SlackFacts { signing_secret, bot: Ok(None), channel: None },
            Err(error) => return SlackFacts { signing_secret, bot: Err(error), channel: None },
        };
        let nothing = json!({});
        let (bot, channel) = join(
            self.slack.call_with_scopes("auth.test", &token, &nothing, WITHIN),
            self.channel(channel, &token),
        )
        .await;
        match bot {
            Ok((_, scopes)) => {
                let list =
                    |scopes: String| scopes.split(',').map(|it| it.trim().to_owned()).collect();
                let bot = Bot::Known(scopes.map(list));
                SlackFacts { signing_secret, bot: Ok(Some(bot)), channel: Some(channel) }
            }
            Err(failure) => {
                let words = failure.to_string();
                let bot = if let Failure::Refused(code) = failure {
                    Bot::Refused(code)
                } else {
                    Bot::Unknown(words)
                };
                SlackFacts { signing_secret, bot: Ok(Some(bot)), channel: None }
            }
        }
    }

    /// Asks Slack about a channel, by a form: this method takes no JSON.
    /// <https://docs.slack.dev/reference/methods/conversations.info>
    async fn channel(&self, channel: &str, token: &SecretString) -> Channel {
        let form = [("channel", channel)];
        match self.slack.ask("conversations.info", token, &form, WITHIN).await {
            Ok(answer) if answer["channel"].is_object() => Channel::Seen {
                is_member: answer["channel"]["is_member"] == true,
                is_archived: answer["channel"]["is_archived"] == true,
            },
            Ok(_) => Channel::Unknown("Slack's answer says nothing of it".to_owned()),
            Err(Failure::Refused(code)) => Channel::Refused(code),
            Err(failure) => Channel::Unknown(failure.to_string()),
        }
    }

    async fn link_key(&self) -> Read<bool> {
        match self.secret_of(Secret::Links).await?.as_ref().map(Signer::keys) {
            None => Ok(false),
            Some(Ok(_)) => Ok(true),
            Some(Err(weak)) => Err(unread(Error::Unexpected {
                resource: self.settings.secret_parameter(Secret::Links),
                problem: weak.to_string(),
            })),
        }
    }

    /// Asks GitHub what the token may do with the app's repository.
    /// <https://docs.github.com/en/rest/repos/repos#get-a-repository>
    async fn git_facts(&self, repository: String) -> GitFacts {
        let token = match self.secret_of(Secret::GitToken).await {
            Ok(Some(token)) => token,
            Ok(None) => return GitFacts::NoToken,
            Err(error) => return GitFacts::Unread(error),
        };
        let base = self.settings.github_api_url.trim_end_matches('/');
        let url = format!("{base}/repos/{repository}");
        let asked = self.ask_git_host(&url, &token);
        match tokio::time::timeout(WITHIN, asked).await {
            Ok(Ok(writes)) => GitFacts::Reads(writes),
            Ok(Err(Unasked { problem, is_refusal: true })) => GitFacts::Refused(problem),
            Ok(Err(Unasked { problem, .. })) => GitFacts::Unknown(problem),
            Err(_) => GitFacts::Unknown("it did not answer in time".to_owned()),
        }
    }

    /// Whether the token can write to the repository at this address.
    async fn ask_git_host(&self, url: &str, token: &SecretString) -> Result<Writes, Unasked> {
        let silent = |problem: String| Unasked { problem, is_refusal: false };
        let request = request(url, token).map_err(|problem| silent(problem.to_owned()))?;
        let response = self.http.call(request).await;
        let response = response.map_err(|_| silent("it cannot be reached".to_owned()))?;
        let is_refusal = matches!(response.status().as_u16(), 401 | 403 | 404);
        // Only a classic token has scopes, and `repo` cannot be narrowed to reading.
        let scopes = response.headers().get("x-oauth-scopes").unwrap_or_default().to_owned();
        let writes = ["repo", "public_repo"];
        let is_classic = scopes.split(',').any(|scope| writes.contains(&scope.trim()));
        let body = super::git_host::body(response).await;
        let body = body.map_err(|problem| Unasked { problem, is_refusal })?;
        let shown: Shown = serde_json::from_slice(&body).unwrap_or_default();
        // These are the permissions of the token's owner.
        let Permissions { push, maintain, admin } = shown.permissions;
        Ok(match is_classic {
            true => Writes::Yes,
            false if push || maintain || admin => Writes::Perhaps,
            false => Writes::No,
        })
    }
}

/// Why GitHub told nothing of a repository.
struct Unasked {
    problem: String,
    /// Whether GitHub refused the token.
    is_refusal: bool,
}

/// A repository as GitHub shows it.
#[derive(Default, Deserialize)]
struct Shown {
    #[serde(default)]
    permissions: Permissions,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Permissions {
    push: bool,
    maintain: bool,
    admin: bool,
}

/// What lies around a stack that is there.
#[derive(Default)]
struct Around {
    template: Option<Read<crate::model::checkup::template::Template>>,
    services: Option<Read<usize>>,
    alarms: Option<Read<Vec<crate::model::bake::Alarm>>>,
    replica: Option<Read<Option<crate::model::Digest>>>,
}

impl Site<'_> {
    async fn around(&self, app: &App, stack: &Stack) -> Around {
        let config = &app.config;
        let template = async {
            let read = self.template(&stack.id, &config.parameter).await;
            Some(self.made_here(read).map_err(unread))
        };
        let services = OptionFuture::from(config.verify.minutes.map(async |_| {
            let wanted = ServicesWanted::default();
            let read = self.made_here(self.services(app, stack, &wanted).await);
            read.map(|services| services.len()).map_err(unread)
        }));
        let named = named_alarms(app);
        let names: Vec<String> = named.iter().map(|name| alarm_name(name).to_owned()).collect();
        let alarms = OptionFuture::from(
            (!names.is_empty())
                .then(async || self.made_here(self.alarms(&names).await).map_err(unread)),
        );
        let registry = config.target.as_ref().and_then(Target::registry_place);
        let is_elsewhere = registry.is_some_and(|registry| registry != self.clients.home());
        let running = stack.value(&config.parameter).and_then(|value| value.parse::<Tag>().ok());
        let replica = OptionFuture::from(
            running
                .filter(|_| is_elsewhere)
                .map(async |tag| self.made_here(self.replica(app, &tag).await).map_err(unread)),
        );
        let (template, services, alarms, replica) =
            join4(template, services, alarms, replica).await;
        Around { template, services, alarms, replica }
    }
}

#[cfg(test)]
mod tests;
