//! The ports between the decisions and everything outside: [`World`] for the reconciler, [`Apps`]
//! for code that needs the list of apps, [`Web`] for the function URL. `services` implements them
//! with AWS and Slack; the tests implement them in memory.

pub mod action;
pub mod snapshot;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;

use crate::error::Error;
use crate::link::{PublicUrl, Signer};
use crate::model::approval::{Posted, RequestIndex};
use crate::model::audit::PastPage;
use crate::model::checkup::facts::Facts;
use crate::model::config::{App, ConfigError};
use crate::model::identity::SourceIdentity;
use crate::model::known_apps::{KnownApps, Unfinished};
use crate::model::measure::Measure;
use crate::model::session::Session;
use crate::model::stack::{EventsWanted, Stack, StackEvents};
use crate::model::state::State;
use crate::model::{AppName, Digest, Repository, RequestId, SessionId, Tag};
use crate::settings::Secret;
use crate::slack::team::Installation;
use crate::text::nearest::did_you_mean;
use action::Action;
use snapshot::{Question, Snapshot, Subject, Version};

/// The reads and writes of one app's look.
#[expect(
    async_fn_in_trait,
    reason = "lambda_runtime::run has no Send bound on its handler's future"
)]
pub trait World {
    /// The time.
    fn now(&self) -> Timestamp;
    /// Reads what every look needs, in one round trip.
    async fn observe(&self, app: &App, subject: &Subject) -> Result<Snapshot, Error>;
    /// Reads one more thing that a decision asked for, and adds it to the snapshot.
    async fn read(&self, app: &App, question: &Question, seen: &mut Snapshot) -> Result<(), Error>;
    /// Reads an app's configuration again; `None` if there is none.
    async fn app_now(&self, app: &AppName) -> Result<Option<App>, Error>;
    /// Carries out one action. Writes of the state are conditional on `version`; calls to another
    /// account are made for `identity`, if the action names nobody.
    async fn apply(
        &self,
        app: &App,
        action: &Action,
        version: &Version,
        identity: &SourceIdentity,
    ) -> Result<Applied, Error>;
    /// Makes sure that calls to the app's stack can be made for somebody, before anything is
    /// written.
    async fn reach(&self, _app: &App, _identity: &SourceIdentity) -> Result<(), Error> {
        Ok(())
    }
    /// Measures something, for whoever watches the function.
    fn measure(&self, measure: &Measure);
    /// Waits for a random time before the next round, so that other invocations can finish.
    async fn pause(&self, round: u32);
}

/// The list of apps, and what is stored about all of them.
#[expect(
    async_fn_in_trait,
    reason = "lambda_runtime::run has no Send bound on its handler's future"
)]
pub trait Apps: World {
    /// The Parameter Store name of an app's configuration.
    fn source(&self, app: &AppName) -> String;
    /// Returns an app's configuration, at most 60 s old; `None` if there is none.
    async fn app(&self, app: &AppName) -> Result<Option<App>, Error>;
    /// Reads the configurations of all apps. The inner `Err` says why one cannot be used.
    async fn apps(&self) -> Result<Vec<(AppName, Result<App, Error>)>, Error>;
    /// Returns the same, at most 60 s old, for callers that ask every few seconds.
    async fn known_apps(&self) -> Result<Vec<(AppName, Result<App, Error>)>, Error>;
    /// Returns the names of the apps and their repositories, to suggest one for a misspelt name;
    /// empty if they cannot be read quickly.
    async fn app_names(&self) -> Vec<(AppName, Option<Repository>)> {
        let apps = self.known_apps().await.unwrap_or_default();
        apps.into_iter().map(|(name, app)| (name, app.ok().map(|app| app.repository))).collect()
    }
    /// Returns the apps that promote this repository, at most 60 s old; a repository without one is
    /// looked for again, since somebody may just have configured it. An app whose configuration
    /// cannot be used counts if it has the repository's name.
    async fn apps_of(
        &self,
        repository: &Repository,
    ) -> Result<Vec<(AppName, Result<App, Error>)>, Error>;
    /// Says that there is no such app, and which app, or which of these words, may have been meant.
    async fn no_such_app(&self, name: &AppName, words: &[&str]) -> String {
        let names = self.app_names().await;
        let is_its = |its: &Repository| its.as_str() == name.as_str();
        let own = names.iter().filter(|(_, its)| its.as_ref().is_some_and(is_its));
        let own: Vec<String> = own.map(|(its, _)| format!("`{its}`")).collect();
        if !own.is_empty() {
            let own = own.join(", ");
            return format!("`{name}` is a repository and no app: name one of its apps, {own}");
        }
        let known = words.iter().copied().chain(names.iter().map(|(its, _)| its.as_str()));
        format!("the app `{name}` is not configured{}", did_you_mean(name.as_str(), known))
    }
    /// The error of an app that has no configuration, which says which one may have been meant.
    async fn not_configured(&self, name: &AppName) -> ConfigError {
        let place = format!("Parameter Store {}", self.source(name));
        ConfigError { place, key: None, problem: self.no_such_app(name, &[]).await }
    }
    /// Reads what a check of this app judges. Nothing is written.
    async fn facts(&self, app: &App) -> Facts;
    /// Reads a page of an app's commands and ended promotions, in the order of their keys, after
    /// this key.
    async fn past(&self, app: &AppName, after: Option<&str>) -> Result<PastPage, Error>;
    /// Reads an app's state alone.
    async fn state(&self, app: &AppName) -> Result<Option<State>, Error>;
    /// Reads the states of these apps with as few calls as possible. The inner `Err` says why one
    /// cannot be read.
    async fn states(
        &self,
        apps: &[AppName],
    ) -> Result<BTreeMap<AppName, Result<State, Error>>, Error>;
    /// Reads the known apps, as the last full look of the schedule wrote them.
    async fn remembered_apps(&self) -> Result<(KnownApps, Version), Error>;
    /// Writes the known apps, unless another invocation has written them since.
    async fn remember_apps(&self, apps: &KnownApps, version: &Version) -> Result<Applied, Error>;
    /// Reads where the next look continues, if the last one ran out of time.
    async fn unfinished(&self) -> Result<(Unfinished, Version), Error>;
    /// Writes where the next look continues, unless another invocation has written it since.
    async fn keep_unfinished(
        &self,
        unfinished: &Unfinished,
        version: &Version,
    ) -> Result<Applied, Error>;
}

/// The reads and writes of an HTTP request, besides those of [`Apps`].
#[expect(
    async_fn_in_trait,
    reason = "lambda_runtime::run has no Send bound on its handler's future"
)]
pub trait Web: Apps {
    /// The configured name of the environment, if there is one.
    fn environment(&self) -> Option<String>;
    /// The Parameter Store name of a secret.
    fn secret_source(&self, secret: Secret) -> String;
    /// The Parameter Store name of the function's own address.
    fn public_url_source(&self) -> String;
    /// Returns a secret, at most 60 s old; `None` if it is not set.
    async fn secret(&self, secret: Secret) -> Result<Option<SecretString>, Error>;
    /// Returns the function's own address, at most 60 s old; `None` if it is not set.
    async fn public_url(&self) -> Result<Option<PublicUrl>, Error>;
    /// Returns the signer of links; `None` if the keys or the address are not set. Without an
    /// address the keys are not read: the function then has no right to.
    async fn signer(&self) -> Result<Option<Signer>, Error> {
        let Some(url) = self.public_url().await? else { return Ok(None) };
        let Some(secret) = self.secret(Secret::Links).await? else { return Ok(None) };
        Signer::new(&secret, url).map(Some).map_err(|weak| {
            let name = self.secret_source(Secret::Links);
            let mend = "aws ssm put-parameter --overwrite --type SecureString";
            let problem = format!(
                "{weak}. Make a new one with: {mend} --name {name} --value \
                 \"$(openssl rand -hex 32)\""
            );
            ConfigError { place: format!("Parameter Store {name}"), key: None, problem }.into()
        })
    }
    /// Reads a board's session by its id.
    async fn session(&self, id: &SessionId) -> Result<Option<Session>, Error>;
    /// Writes a session, unless one with this id exists.
    async fn open_session(&self, session: &Session) -> Result<Applied, Error>;
    /// Reads the app and digest of an approval request; `None` if there is no such request
    /// or it ended long ago.
    async fn request(&self, id: &RequestId) -> Result<Option<RequestIndex>, Error>;
    /// Tells whoever sent this SNS message that it was not carried out, once for each message. A
    /// topic that cannot be reached is logged and no error.
    async fn answer_commander(&self, message: &str, reason: &str);
    /// Reads an app's stack, and its events as far back as they are wanted.
    async fn watch(
        &self,
        app: &App,
        wanted: &EventsWanted,
    ) -> Result<(Option<Stack>, StackEvents), Error>;
    /// Asks Slack where the Slack app is installed. `None` without an answer: then nobody in Slack
    /// may vote or give commands.
    async fn installation(&self) -> Option<Installation>;
    /// Whether an address in a payload is Slack's own.
    fn is_response_url(&self, url: &str) -> bool;
    /// Sends a message that only one person in Slack sees. Gives up after `within`.
    async fn answer_privately(&self, to: &Listener, text: &str, within: Duration);
}

/// A person in Slack, and where to answer so that only this person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The address to answer at, verified to be Slack's.
    pub response_url: Option<String>,
    /// The channel, if Slack named no address.
    pub channel: Option<String>,
    /// The person's user id.
    pub user: String,
}

/// The result of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// Carried out, or already so.
    Done,
    /// Written; the state has this version now.
    Saved(Version),
    /// Shown to people in this message.
    Shown(Posted),
    /// CloudFormation is creating the change set with this ARN.
    Created(String),
    /// Another invocation wrote the state, or carried out the command, first.
    Conflict,
    /// This tag is on another digest.
    TagTaken(Tag),
    /// In the other registry, the tag is on this image, or on none.
    NotReplicated(Option<Digest>),
    /// Not possible yet. A later look tries again.
    PutOff,
    /// CloudFormation did not accept the update.
    NotUpdated(NotUpdated),
}

/// The reason why CloudFormation did not accept an update, or may not have accepted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotUpdated {
    /// The stack is busy, or CloudFormation accepted this update before.
    Contested,
    /// CloudFormation knows this token: from this update, or from one that the state does not
    /// contain.
    KnownToken,
    /// CloudFormation says: *No updates are to be performed.*
    NothingToDo,
    /// Refused; another try would be refused too. CloudFormation's message.
    Refused(String),
    /// The answer was lost, or CloudFormation could not accept the update at the moment.
    Unsure(String),
}
