//! One sandbox of the function over the AWS in memory: every call is a point where another handler
//! may run, and where a fault may come.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::LazyLock;
use std::task::Poll;
use std::time::Duration;

use ecr_promoter::error::Error;
use ecr_promoter::event::Invocation;
use ecr_promoter::handle::handle;
use ecr_promoter::link::PublicUrl;
use ecr_promoter::model::approval::RequestIndex;
use ecr_promoter::model::audit::{Past, PastPage};
use ecr_promoter::model::checkup::facts::{Facts, LinkFacts};
use ecr_promoter::model::config::{App, ConfigError};
use ecr_promoter::model::identity::SourceIdentity;
use ecr_promoter::model::image::TagMutability;
use ecr_promoter::model::known_apps::{KnownApps, Unfinished};
use ecr_promoter::model::measure::Measure;
use ecr_promoter::model::place::Place;
use ecr_promoter::model::session::Session;
use ecr_promoter::model::stack::{EventsWanted, Stack, StackEvents};
use ecr_promoter::model::state::State;
use ecr_promoter::model::unread::Unread;
use ecr_promoter::model::{AppName, Repository, RequestId, SessionId};
use ecr_promoter::settings::Secret;
use ecr_promoter::slack::team::Installation;
use ecr_promoter::world::action::Action;
use ecr_promoter::world::snapshot::{Question, Snapshot, Subject, Version};
use ecr_promoter::world::{Applied, Apps, Listener, NotUpdated, Web, World};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::Value;

use super::interleave::{run, yield_now};
use super::table::keep;
use super::world::{Fault, Inner, Memory, SecretsOfSlack};

/// What the handlers' own time limits need to be there. Nothing turns it, so none of them is ever
/// reached.
static CLOCK: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a clock")
});

impl Memory {
    /// Delivers a payload to a new sandbox.
    pub(crate) fn invoke(&self, payload: &Value, request_id: &str) -> Result<Value, Error> {
        run(self.handler(payload.clone(), request_id)).expect("the sandbox lives")
    }

    /// Delivers a payload to a new sandbox, which may die of a fault.
    pub(crate) fn invoke_or_die(&self, payload: &Value) -> Option<Result<Value, Error>> {
        run(self.handler(payload.clone(), "request"))
    }

    /// What a handler sees of it.
    pub(crate) fn sandbox(&self) -> impl Web + use<> {
        Sandbox::new(self.clone())
    }

    /// A handler's future; `Ready(None)` if its sandbox died.
    pub(crate) fn handler(
        &self,
        payload: Value,
        request_id: &str,
    ) -> impl Future<Output = Option<Result<Value, Error>>> + use<> {
        let world = self.clone();
        let request_id = request_id.to_owned();
        async move {
            let sandbox = Sandbox::new(world.clone());
            let invocation = Invocation::new(
                request_id,
                "arn:aws:lambda:us-east-1:012345678912:function:promoter",
                world.get().now,
            );
            let mut handled = pin!(handle(&sandbox, &payload, &invocation));
            poll_fn(|context| {
                let _clock = CLOCK.enter();
                match handled.as_mut().poll(context) {
                    _ if sandbox.died.get() => Poll::Ready(None),
                    Poll::Ready(result) => Poll::Ready(Some(result)),
                    Poll::Pending => Poll::Pending,
                }
            })
            .await
        }
    }
}

/// One sandbox of the function: what [`World`] is to its handler.
pub(super) struct Sandbox {
    pub(super) world: Memory,
    died: Rc<Cell<bool>>,
    /// The app that the calls are about.
    app: Option<AppName>,
}

impl Sandbox {
    fn new(world: Memory) -> Self {
        Self { world, died: Rc::default(), app: None }
    }

    /// The same sandbox, whose calls are about this app.
    pub(super) fn of(&self, app: &AppName) -> Self {
        Self { world: self.world.clone(), died: self.died.clone(), app: Some(app.clone()) }
    }
}

impl Sandbox {
    /// One call: others may go before it, and it may go wrong.
    pub(super) async fn call<T>(
        &self,
        name: &str,
        effect: impl FnOnce(&mut Inner) -> T,
    ) -> Result<T, Error> {
        // A configuration does not change here, nor where the app is installed: who reads it first
        // makes no difference, and many interleavings are saved.
        if !name.starts_with("GetParameter") && name != "Slack auth.test" {
            yield_now().await;
        }
        let (fault, result) = {
            let mut inner = self.world.get_mut();
            inner.calls.push(name.to_owned());
            inner.now += SignedDuration::from_millis(20);
            let index = inner.calls.len() - 1;
            let fault = inner.fault.filter(|(at, _)| *at == index).map(|(_, fault)| fault);
            let before = inner.turned_to();
            inner.turn_to(self.app.as_ref().unwrap_or(&before));
            let result = (fault != Some(Fault::Before)).then(|| effect(&mut inner));
            inner.turn_to(&before);
            (fault, result)
        };
        match (fault, result) {
            (None, Some(result)) => Ok(result),
            (Some(Fault::Death), _) => {
                self.died.set(true);
                std::future::pending().await
            }
            (Some(Fault::Before | Fault::After), _) | (None, None) => Err(Error::Aws {
                action: "test",
                resource: name.to_owned(),
                message: "the call failed".to_owned(),
            }),
        }
    }

    /// A call that may have reached CloudFormation although its answer was lost.
    async fn send(
        &self,
        name: &str,
        effect: impl FnOnce(&mut Inner) -> Applied,
    ) -> Result<Applied, Error> {
        match self.call(name, effect).await {
            Err(Error::Aws { message, .. }) => Ok(Applied::NotUpdated(NotUpdated::Unsure(message))),
            other => other,
        }
    }
}

impl World for Sandbox {
    fn now(&self) -> Timestamp {
        self.world.get().now
    }

    async fn observe(&self, app: &App, subject: &Subject) -> Result<Snapshot, Error> {
        let of = self.of(&app.name);
        if subject.is_routine { of.glance(app).await } else { of.look(app, subject).await }
    }

    async fn read(&self, app: &App, question: &Question, seen: &mut Snapshot) -> Result<(), Error> {
        self.of(&app.name).answer(app, question, seen).await
    }

    async fn app_now(&self, app: &AppName) -> Result<Option<App>, Error> {
        self.app(app).await
    }

    async fn apply(
        &self,
        app: &App,
        action: &Action,
        version: &Version,
        _: &SourceIdentity,
    ) -> Result<Applied, Error> {
        self.of(&app.name).carry_out(action, version).await
    }

    fn measure(&self, measure: &Measure) {
        self.world.get_mut().measured.push(measure.clone());
    }

    async fn pause(&self, _: u32) {
        yield_now().await;
    }
}

impl Sandbox {
    async fn carry_out(&self, action: &Action, version: &Version) -> Result<Applied, Error> {
        match action {
            Action::SaveState(records) | Action::MarkTold(records) => {
                // A condition that failed on one's own first try is a success: the real world knows
                // it by its nonce.
                self.call(action.name(), |w| w.save(records, version)).await
            }
            Action::CheckTags(tags) => self.call("CheckTags", |w| w.check_tags(tags)).await,
            Action::PutTag { image, tag } => self.call("PutImage", |w| w.put_tag(image, tag)).await,
            Action::CheckReplica { tag, digest } => {
                let found = self.call("BatchGetImage replica", |w| w.replica.get(tag).cloned());
                let found = found.await?;
                let is_there = found.as_ref() == Some(digest);
                Ok(if is_there { Applied::Done } else { Applied::NotReplicated(found) })
            }
            Action::UpdateStack(update) => {
                self.send("UpdateStack", |w| w.update_stack(update)).await
            }
            Action::CreateChangeSet { update, name } => {
                self.send("CreateChangeSet", |w| w.create_change_set(update, name)).await
            }
            Action::ExecuteChangeSet { token, arn, .. } => {
                self.send("ExecuteChangeSet", |w| w.execute_change_set(token, arn)).await
            }
            Action::DeleteChangeSet(id) => {
                self.call("DeleteChangeSet", |w| w.delete_change_set(id)).await
            }
            Action::CancelUpdate(token) => {
                self.call("CancelUpdateStack", |w| w.cancel(token)).await
            }
            Action::Show(request) => {
                self.call("Slack", |w| w.show(request)).await.or(Ok(Applied::PutOff))
            }
            Action::Tell(notice) => self.call("Publish", |w| w.tell(notice)).await?,
            Action::KeepAnswer(record) => {
                self.call("PutItem command", |w| {
                    w.commands.insert(record.id.clone(), (**record).clone())
                })
                .await?;
                Ok(Applied::Done)
            }
        }
    }

    /// The app of this name, if it has a configuration.
    fn configured(&self, name: &AppName) -> Option<Result<App, ConfigError>> {
        let world = self.world.get();
        let config = match world.others.get(name) {
            Some((config, _)) => config,
            None if world.turned_to() == *name => &world.config,
            None => world.parts.get(name)?.config(),
        };
        (!config.is_null()).then(|| parsed(name, config))
    }

    /// All apps, by name.
    fn all_configured(&self) -> Vec<(AppName, Result<App, Error>)> {
        let names: BTreeSet<AppName> = {
            let world = self.world.get();
            let names = world.others.keys().chain(world.parts.keys()).cloned();
            names.chain([world.turned_to()]).collect()
        };
        let app = |name: AppName| {
            let app = self.configured(&name)?.map_err(Error::from);
            Some((name, app))
        };
        names.into_iter().filter_map(app).collect()
    }
}

impl Apps for Sandbox {
    fn source(&self, repository: &AppName) -> String {
        format!("/ecr-promoter/apps/{repository}")
    }

    async fn app(&self, name: &AppName) -> Result<Option<App>, Error> {
        self.call("GetParameter", |_| ()).await?;
        Ok(self.configured(name).transpose()?)
    }

    async fn apps(&self) -> Result<Vec<(AppName, Result<App, Error>)>, Error> {
        self.call("GetParametersByPath", |_| ()).await?;
        if self.world.get().list_never_ends {
            std::future::pending().await
        }
        Ok(self.all_configured())
    }

    async fn facts(&self, app: &App) -> Facts {
        let nothing = || Unread { words: "not in memory".to_owned(), is_denied: false };
        let stack = self.call("DescribeStacks", |w| w.stack()).await;
        Facts {
            home: Place::default(),
            stack: stack.map(Some).map_err(|_| nothing()),
            template: None,
            repository: Ok(Some(TagMutability::default())),
            newest: app.candidate_tag().map(|_| Err(nothing())),
            lifecycle: Ok(None),
            earlier: None,
            services: None,
            alarms: None,
            replica: None,
            has_topic: true,
            slack: None,
            links: LinkFacts { key_name: String::new(), key: None, address: Ok(false) },
            git: None,
        }
    }

    /// A few records a page, in the order of their keys.
    async fn past(&self, app: &AppName, after: Option<&str>) -> Result<PastPage, Error> {
        const PAGE: usize = 3;
        let read = |w: &mut Inner| {
            let own = w.turned_to() == *app;
            let commands = w.commands.iter().filter(|_| own).map(|(id, record)| {
                (format!("command#{id}"), Past::Command(Box::new(record.clone())))
            });
            let history = w.history.iter().filter(|_| own).map(|(number, ended)| {
                (format!("history#{number:010}"), Past::Promotion(Box::new(ended.clone())))
            });
            let all: BTreeMap<String, Past> = commands.chain(history).collect();
            let left: Vec<(String, Past)> = all
                .into_iter()
                .filter(|(key, _)| after.is_none_or(|after| key.as_str() > after))
                .collect();
            let next = left.get(PAGE - 1).filter(|_| left.len() > PAGE).map(|(key, _)| key.clone());
            let records = left.into_iter().take(PAGE).map(|(_, past)| past).collect();
            PastPage { records, next }
        };
        self.call("Query", read).await
    }

    async fn apps_of(
        &self,
        repository: &Repository,
    ) -> Result<Vec<(AppName, Result<App, Error>)>, Error> {
        self.call("GetParametersByPath", |_| ()).await?;
        let is_its = |(name, app): &(AppName, Result<App, Error>)| match app {
            Ok(app) => app.repository == *repository,
            Err(_) => name.repository().as_ref() == Some(repository),
        };
        Ok(self.all_configured().into_iter().filter(is_its).collect())
    }

    async fn known_apps(&self) -> Result<Vec<(AppName, Result<App, Error>)>, Error> {
        self.apps().await
    }

    async fn state(&self, name: &AppName) -> Result<Option<State>, Error> {
        let read = |w: &mut Inner| w.state.as_ref().map(|(state, _)| state.clone());
        self.of(name).call("GetItem state", read).await
    }

    async fn states(
        &self,
        names: &[AppName],
    ) -> Result<BTreeMap<AppName, Result<State, Error>>, Error> {
        let read = |w: &mut Inner| {
            let state = |name: &AppName| match w.others.get(name) {
                Some((_, state)) => state.clone(),
                None if w.turned_to() == *name => w.state.as_ref().map(|(state, _)| state.clone()),
                None => w.parts.get(name)?.state().cloned(),
            };
            names.iter().filter_map(|name| Some((name.clone(), Ok(state(name)?)))).collect()
        };
        self.call("BatchGetItem", read).await
    }

    async fn remembered_apps(&self) -> Result<(KnownApps, Version), Error> {
        let (roster, nonce) = self.call("GetItem roster", |w| w.roster.clone()).await?.unzip();
        Ok((roster.unwrap_or_default(), Version(nonce)))
    }

    async fn remember_apps(&self, roster: &KnownApps, version: &Version) -> Result<Applied, Error> {
        self.call("Save roster", |w| keep(&mut w.roster, roster, version, &mut w.nonces)).await
    }

    async fn unfinished(&self) -> Result<(Unfinished, Version), Error> {
        let (unfinished, nonce) =
            self.call("GetItem unfinished", |w| w.unfinished.clone()).await?.unzip();
        Ok((unfinished.unwrap_or_default(), Version(nonce)))
    }

    async fn keep_unfinished(
        &self,
        unfinished: &Unfinished,
        version: &Version,
    ) -> Result<Applied, Error> {
        self.call("Save unfinished", |w| {
            keep(&mut w.unfinished, unfinished, version, &mut w.nonces)
        })
        .await
    }
}

impl Web for Sandbox {
    fn environment(&self) -> Option<String> {
        self.world.get().environment.clone()
    }

    fn secret_source(&self, secret: Secret) -> String {
        match secret {
            Secret::SlackSigningSecret => "/ecr-promoter/slack/signing-secret".to_owned(),
            Secret::SlackBotToken => "/ecr-promoter/slack/bot-token".to_owned(),
            Secret::Links => "/ecr-promoter/link-secret".to_owned(),
            Secret::GitToken => "/ecr-promoter/git-token".to_owned(),
        }
    }

    fn public_url_source(&self) -> String {
        "/ecr-promoter/public-url".to_owned()
    }

    async fn installation(&self) -> Option<Installation> {
        self.call("Slack auth.test", |w| w.installation.clone()).await.ok().flatten()
    }

    async fn session(&self, id: &SessionId) -> Result<Option<Session>, Error> {
        self.call("GetItem session", |w| w.sessions.get(id).cloned()).await
    }

    async fn open_session(&self, session: &Session) -> Result<Applied, Error> {
        let open = |w: &mut Inner| match w.sessions.contains_key(&session.id) {
            true => Applied::Conflict,
            false => {
                w.sessions.insert(session.id.clone(), session.clone());
                Applied::Done
            }
        };
        self.call("PutItem session", open).await
    }

    async fn secret(&self, secret: Secret) -> Result<Option<SecretString>, Error> {
        let SecretsOfSlack { signing, token } =
            self.call("GetParameter secret", |w| w.secrets.clone()).await?;
        Ok(match secret {
            Secret::SlackSigningSecret => signing.map(SecretString::from),
            Secret::SlackBotToken => token.map(SecretString::from),
            Secret::Links => self.world.get().link_secret.clone().map(SecretString::from),
            Secret::GitToken => None,
        })
    }

    async fn answer_commander(&self, message: &str, reason: &str) {
        let (message, reason) = (message.to_owned(), reason.to_owned());
        let answer = |w: &mut Inner| {
            w.answered.entry(message).or_insert(reason);
        };
        let _ = self.call("Publish answer", answer).await;
    }

    async fn request(&self, id: &RequestId) -> Result<Option<RequestIndex>, Error> {
        self.call("GetItem request", |w| w.asked.get(id).cloned()).await
    }

    fn is_response_url(&self, url: &str) -> bool {
        url.starts_with("https://hooks.slack.com/")
    }

    async fn answer_privately(&self, _: &Listener, text: &str, _: Duration) {
        self.world.get_mut().whispered.push(text.to_owned());
    }

    async fn watch(
        &self,
        _: &App,
        _: &EventsWanted,
    ) -> Result<(Option<Stack>, StackEvents), Error> {
        let stack = self.call("DescribeStacks", |w| w.stack());
        let events = self.call("DescribeStackEvents", |w| StackEvents::from(w.events.clone()));
        let (stack, events) = futures_util::try_join!(stack, events)?;
        Ok((Some(stack), events))
    }

    async fn public_url(&self) -> Result<Option<PublicUrl>, Error> {
        Ok(self.world.get().public_url.as_ref().map(|url| url.parse().expect("an address")))
    }
}

/// The app of this configuration. The last one is kept: the simulations read the same one a million
/// times.
fn parsed(repository: &AppName, config: &Value) -> Result<App, ConfigError> {
    type Parsed = (AppName, Value, Result<App, ConfigError>);
    thread_local! {
        static LAST: RefCell<Option<Parsed>> = const { RefCell::new(None) };
    }
    LAST.with_borrow_mut(|last| match last {
        Some((its, known, app)) if its == repository && known == config => app.clone(),
        _ => {
            let source = format!("/ecr-promoter/apps/{repository}");
            let app = App::parse(repository, &source, &config.to_string());
            *last = Some((repository.clone(), config.clone(), app.clone()));
            app
        }
    })
}
