//! The ports between the decision and everything outside, by who uses them: [`World`] for the
//! reconciler, [`Apps`] for those who must know which apps there are, [`Web`] for the function URL.
//! The real ones are in `services`; the tests have theirs in memory.

pub mod action;
pub mod snapshot;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::try_join;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::error::Error;
use crate::link::{PublicUrl, Signer};
use crate::model::approval::{Posted, RequestIndex};
use crate::model::config::{App, ConfigError};
use crate::model::known_apps::{KnownApps, Unfinished};
use crate::model::session::Session;
use crate::model::stack::{EventsWanted, Stack, StackEvents};
use crate::model::state::State;
use crate::model::{Repository, RequestId, SessionId, Tag};
use crate::nearest::did_you_mean;
use crate::settings::Secret;
use crate::slack::team::Installation;
use action::Action;
use snapshot::{Question, Snapshot, Subject, Version};

/// What one app's look needs.
#[expect(
    async_fn_in_trait,
    reason = "lambda_runtime::run has no Send bound on its handler's future"
)]
pub trait World {
    /// The time.
    fn now(&self) -> Timestamp;
    /// Reads what every look needs, side by side: one round trip.
    async fn observe(&self, app: &App, subject: &Subject) -> Result<Snapshot, Error>;
    /// Reads one thing more that a decision asked for, into the snapshot.
    async fn read(&self, app: &App, question: &Question, seen: &mut Snapshot) -> Result<(), Error>;
    /// Reads an app's configuration anew; `None` where the repository has none.
    async fn app_now(&self, repository: &Repository) -> Result<Option<App>, Error>;
    /// Writes one thing. Writes of the state are conditional on `version`.
    async fn apply(&self, app: &App, action: &Action, version: &Version) -> Result<Applied, Error>;
    /// Lets others go first before looking again.
    async fn pause(&self, round: u32);
}

/// Which apps there are, and what is remembered of them.
#[expect(
    async_fn_in_trait,
    reason = "lambda_runtime::run has no Send bound on its handler's future"
)]
pub trait Apps: World {
    /// The Parameter Store name under which an app's configuration is, or would be.
    fn source(&self, repository: &Repository) -> String;
    /// An app's configuration, at most 60 s old; `None` where the repository has none.
    async fn app(&self, repository: &Repository) -> Result<Option<App>, Error>;
    /// Reads every configured app, or why its configuration cannot be used.
    async fn apps(&self) -> Result<Vec<(Repository, Result<App, Error>)>, Error>;
    /// The same, at most 60 s old: for those who look again every few seconds.
    async fn known_apps(&self) -> Result<Vec<(Repository, Result<App, Error>)>, Error>;
    /// The names of the apps, to suggest one for a misspelt name; empty if they cannot be read
    /// quickly.
    async fn app_names(&self) -> Vec<String> {
        let apps = self.known_apps().await.unwrap_or_default();
        apps.into_iter().map(|(repository, _)| repository.to_string()).collect()
    }
    /// Ends a sentence about an app that is not configured: suggests the app, or one of these
    /// words, that may have been meant.
    async fn did_you_mean(&self, repository: &Repository, words: &[&str]) -> String {
        let apps = self.app_names().await;
        let known = words.iter().copied().chain(apps.iter().map(String::as_str));
        did_you_mean(repository.as_str(), known)
    }
    /// Reads an app's state alone.
    async fn state(&self, repository: &Repository) -> Result<Option<State>, Error>;
    /// Reads the states of these apps by as few calls as possible. One that cannot be read hides no
    /// other.
    async fn states(
        &self,
        repositories: &[Repository],
    ) -> Result<BTreeMap<Repository, Result<State, Error>>, Error>;
    /// The apps that there were at the schedule's last full look, and what its next write is
    /// conditional on.
    async fn remembered_apps(&self) -> Result<(KnownApps, Version), Error>;
    /// Writes the apps that there are, unless somebody else wrote since.
    async fn remember_apps(&self, roster: &KnownApps, version: &Version) -> Result<Applied, Error>;
    /// Where the next look goes on, if the last one ran out of time, and what its next write is
    /// conditional on.
    async fn unfinished(&self) -> Result<(Unfinished, Version), Error>;
    /// Writes where the next look goes on, unless somebody else wrote since.
    async fn keep_unfinished(
        &self,
        unfinished: &Unfinished,
        version: &Version,
    ) -> Result<Applied, Error>;
}

/// What a request over HTTP needs beyond that.
#[expect(
    async_fn_in_trait,
    reason = "lambda_runtime::run has no Send bound on its handler's future"
)]
pub trait Web: Apps {
    /// The Parameter Store name of a secret.
    fn secret_source(&self, secret: Secret) -> String;
    /// The Parameter Store name of the function's own address.
    fn public_url_source(&self) -> String;
    /// A secret, at most 60 s old; `None` where there is none.
    async fn secret(&self, secret: Secret) -> Result<Option<SecretString>, Error>;
    /// The function's own address, at most 60 s old; `None` where nobody wrote it down.
    async fn public_url(&self) -> Result<Option<PublicUrl>, Error>;
    /// Makes links and verifies them; `None` where there is no key or no address.
    async fn signer(&self) -> Result<Option<Signer>, Error> {
        let (secret, url) = try_join(self.secret(Secret::Links), self.public_url()).await?;
        let Some((secret, url)) = secret.zip(url) else { return Ok(None) };
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
    /// A board's session by its id.
    async fn session(&self, id: &SessionId) -> Result<Option<Session>, Error>;
    /// Writes a session, unless there is one with this id.
    async fn open_session(&self, session: &Session) -> Result<Applied, Error>;
    /// What an approval request is about; `None` if there never was one, or it ended long ago.
    async fn request(&self, id: &RequestId) -> Result<Option<RequestIndex>, Error>;
    /// Reads an app's stack, and its events back to where they tell what is wanted.
    async fn watch(
        &self,
        app: &App,
        wanted: &EventsWanted,
    ) -> Result<(Option<Stack>, StackEvents), Error>;
    /// Where the Slack app is installed, as Slack says; `None` without Slack's answer, and then
    /// nobody in Slack may vote or command.
    async fn installation(&self) -> Option<Installation>;
    /// Whether an address that a payload names is Slack's own.
    fn is_response_url(&self, url: &str) -> bool;
    /// Tells one person in Slack something that nobody else sees, if that can be done in time.
    async fn answer_privately(&self, to: &Listener, text: &str, within: Duration);
}

/// One person in Slack, who is told something that nobody else sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Where Slack said to answer, checked to be Slack's.
    pub response_url: Option<String>,
    /// The channel, where Slack did not say that.
    pub channel: Option<String>,
    /// The person.
    pub user: String,
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// It is so.
    Done,
    /// It is written, and this is the state's version now.
    Saved(Version),
    /// It is there for people to see.
    Shown(Posted),
    /// The change set is being made; its ARN.
    Created(String),
    /// Somebody else wrote the state (or carried out the command) first.
    Conflict,
    /// This tag is on another digest.
    TagTaken(Tag),
    /// It cannot be done yet, and is not forgotten.
    PutOff,
    /// CloudFormation did not take the update.
    NotUpdated(NotUpdated),
}

/// Why CloudFormation did not take an update, or may not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotUpdated {
    /// The stack is busy, or this update was taken before.
    Contested,
    /// CloudFormation has seen this token before: with this update, or with one that the state does
    /// not remember.
    KnownToken,
    /// *No updates are to be performed.*
    NothingToDo,
    /// Refused for good, in CloudFormation's words.
    Refused(String),
    /// The answer was lost, or it could not be taken just now.
    Unsure(String),
}
