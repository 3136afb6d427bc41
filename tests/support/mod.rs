//! An AWS in memory behind the [`World`] port: an image repository, a stack that takes updates one at a time, a table with
//! conditional writes, a topic. Every call can fail before or after it took effect, and every call is a point where another
//! handler may run.

#![allow(dead_code, reason = "each test crate uses a part of it")]

pub(crate) mod slack;

use std::cell::{Ref, RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ecr_promoter::answer::Outcome;
use ecr_promoter::config::App;
use ecr_promoter::error::Error;
use ecr_promoter::event::Invocation;
use ecr_promoter::handle::handle;
use ecr_promoter::image::{Image, MEDIA_TYPES, Tags};
use ecr_promoter::model::{Digest, Repository, RequestId, Tag, Token};
use ecr_promoter::request::{Posted, Progress, Request};
use ecr_promoter::review::{Change, Changes, Review};
use ecr_promoter::roster::{Roster, Unfinished};
use ecr_promoter::stack::{Parameter, Stack, StackEvent, StackEvents};
use ecr_promoter::state::{CommandRecord, Ended, Notice, State, Via};
use ecr_promoter::world::{
    Action, Applied, Asked, Listener, Matches, NotUpdated, Question, Secret, Snapshot, Subject, Tried, Update, Version, World,
};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::{Value, json};

pub(crate) const STACK_ID: &str = "arn:aws:cloudformation:us-east-1:012345678912:stack/web/1";

/// What the handlers' own time limits need to be there. Nothing turns it, so none of them is ever reached.
static CLOCK: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a clock"));

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It never reached AWS.
    Before,
    /// It took effect, and its answer was lost.
    After,
    /// It took effect, and the sandbox died.
    Death,
}

/// What the function and Slack know of each other.
#[derive(Debug, Clone)]
pub(crate) struct SecretsOfSlack {
    pub(crate) signing: Option<String>,
    pub(crate) token: Option<String>,
}

/// The world that the handlers share.
#[derive(Clone)]
pub(crate) struct Memory(Rc<RefCell<Inner>>);

#[derive(Clone)]
pub(crate) struct Inner {
    pub(crate) now: Timestamp,
    pub(crate) config: Value,
    pub(crate) tags: BTreeMap<Tag, Digest>,
    pub(crate) images: BTreeMap<Digest, Image>,
    pub(crate) is_immutable: bool,
    pub(crate) status: String,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) events: Vec<StackEvent>,
    pub(crate) in_flight: Option<(String, String)>,
    pub(crate) state: Option<(State, String)>,
    pub(crate) history: BTreeMap<u64, Ended>,
    pub(crate) roster: Option<(Roster, String)>,
    pub(crate) unfinished: Option<(Unfinished, String)>,
    pub(crate) commands: BTreeMap<String, CommandRecord>,
    pub(crate) told: Vec<Notice>,
    /// How long the topic takes for a notice.
    pub(crate) told_in: SignedDuration,
    pub(crate) archived: BTreeSet<Digest>,
    /// How long a search by commit takes, and how many images it leaves unread.
    pub(crate) search: (SignedDuration, usize),
    pub(crate) cancels: usize,
    pub(crate) secrets: SecretsOfSlack,
    pub(crate) link_secret: Option<String>,
    pub(crate) public_url: Option<String>,
    /// Further apps, which nobody pushes to: their configuration and their state.
    pub(crate) others: BTreeMap<Repository, (Value, Option<State>)>,
    pub(crate) list_never_ends: bool,
    /// What each request is about.
    pub(crate) asked: BTreeMap<RequestId, Asked>,
    /// The messages in Slack, by their time, as they are now.
    pub(crate) slack: BTreeMap<String, Request>,
    pub(crate) slack_is_down: bool,
    pub(crate) whispered: Vec<String>,
    /// The stack's change sets; `None` is somebody else's.
    pub(crate) change_sets: BTreeMap<String, Option<ChangeSet>>,
    /// What an update would touch beside nothing at all.
    pub(crate) would_change: Changes,
    /// How many looks a new change set takes.
    pub(crate) looks_of_a_review: usize,
    /// Of the SSM-typed parameters, what each is now.
    pub(crate) resolved: BTreeMap<String, String>,
    /// The updates that the stack took: token and tag.
    pub(crate) updates: Vec<(String, String)>,
    /// What CloudFormation answers instead of taking the next update.
    pub(crate) next_update: Option<NotUpdated>,
    pub(crate) finishes_at_once: bool,
    /// What a repeated request token does is not documented: refused, or an update like any other.
    pub(crate) takes_known_tokens: bool,
    pub(crate) calls: Vec<String>,
    pub(crate) fault: Option<(usize, Fault)>,
    nonces: u64,
}

/// One of our change sets. What it would do is settled when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChangeSet {
    update: Update,
    changes: Changes,
    /// How often it is still said to be in the making.
    pub(crate) looks: usize,
    /// The stack has changed since it was made.
    is_outdated: bool,
}

impl Memory {
    /// An app `web` in this mode, with nothing pushed and a stack that runs `production_old`.
    pub(crate) fn new(mode: &str) -> Self {
        let parameters = [("AppName", "web"), ("ProductionTag", "production_old"), ("Secret", "****")];
        let world = Self(Rc::new(RefCell::new(Inner {
            now: "2026-03-17T09:41:30Z".parse().expect("a time"),
            config: json!({ "stack": "web", "mode": mode, "commit_from": ["tag", "annotation"] }),
            tags: BTreeMap::new(),
            images: BTreeMap::new(),
            is_immutable: true,
            status: "UPDATE_COMPLETE".to_owned(),
            parameters: parameters.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            events: Vec::new(),
            in_flight: None,
            state: None,
            history: BTreeMap::new(),
            roster: None,
            unfinished: None,
            commands: BTreeMap::new(),
            told: Vec::new(),
            told_in: SignedDuration::ZERO,
            archived: BTreeSet::new(),
            search: (SignedDuration::ZERO, 0),
            cancels: 0,
            secrets: SecretsOfSlack { signing: Some("signing-secret".to_owned()), token: Some("xoxb-1".to_owned()) },
            link_secret: Some("link-secret".to_owned()),
            public_url: Some("https://example.lambda-url.us-east-1.on.aws/".to_owned()),
            others: BTreeMap::new(),
            list_never_ends: false,
            asked: BTreeMap::new(),
            slack: BTreeMap::new(),
            slack_is_down: false,
            whispered: Vec::new(),
            change_sets: BTreeMap::new(),
            would_change: Changes::default(),
            looks_of_a_review: 0,
            resolved: BTreeMap::new(),
            updates: Vec::new(),
            next_update: None,
            finishes_at_once: false,
            takes_known_tokens: false,
            calls: Vec::new(),
            fault: None,
            nonces: 0,
        })));
        let old = world.image("0ddba11");
        world.get_mut().tags.insert(tag("production_old"), old);
        world
    }

    pub(crate) fn get(&self) -> Ref<'_, Inner> {
        self.0.borrow()
    }

    pub(crate) fn get_mut(&self) -> RefMut<'_, Inner> {
        self.0.borrow_mut()
    }

    /// A copy that goes its own way.
    pub(crate) fn fork(&self) -> Self {
        Self(Rc::new(RefCell::new(self.get().clone())))
    }

    /// Builds an image of this commit, without a tag.
    pub(crate) fn image(&self, commit: &str) -> Digest {
        let mut inner = self.get_mut();
        let build = inner.images.len();
        let manifest = format!(r#"{{"build":{build},"annotations":{{"org.opencontainers.image.revision":"{commit}"}}}}"#);
        let digest = Digest::of(manifest.as_bytes());
        let image = Image::parse(&digest, manifest, Some(MEDIA_TYPES[2].to_owned())).expect("an image");
        inner.images.insert(digest.clone(), image);
        digest
    }

    /// CI pushes an image of this commit as `latest`.
    pub(crate) fn push(&self, commit: &str) -> Digest {
        let digest = self.image(commit);
        self.get_mut().tags.insert(tag("latest"), digest.clone());
        digest
    }

    /// Delivers a payload to a new sandbox.
    pub(crate) fn invoke(&self, payload: &Value, request_id: &str) -> Result<Value, Error> {
        run(self.handler(payload.clone(), request_id)).expect("the sandbox lives")
    }

    /// What a handler sees of it.
    pub(crate) fn sandbox(&self) -> impl World + use<> {
        Sandbox { world: self.clone(), died: RefCell::new(false) }
    }

    /// A handler's future; `Ready(None)` if its sandbox died.
    pub(crate) fn handler(&self, payload: Value, request_id: &str) -> impl Future<Output = Option<Result<Value, Error>>> + use<> {
        let world = self.clone();
        let request_id = request_id.to_owned();
        async move {
            let sandbox = Sandbox { world: world.clone(), died: RefCell::new(false) };
            let invocation = Invocation::new(request_id, "arn:aws:lambda:us-east-1:012345678912:function:promoter", world.get().now);
            let mut handled = pin!(handle(&sandbox, &payload, &invocation));
            poll_fn(|context| {
                let _clock = CLOCK.enter();
                match handled.as_mut().poll(context) {
                    _ if *sandbox.died.borrow() => Poll::Ready(None),
                    Poll::Ready(result) => Poll::Ready(Some(result)),
                    Poll::Pending => Poll::Pending,
                }
            })
            .await
        }
    }

    /// The stack's update goes through.
    pub(crate) fn finish_update(&self) {
        let mut inner = self.get_mut();
        let (token, _) = inner.in_flight.take().expect("an update is under way");
        inner.status = "UPDATE_COMPLETE".to_owned();
        inner.stack_event(&token, "UPDATE_COMPLETE", None);
    }

    /// The stack's update fails and is rolled back.
    pub(crate) fn fail_update(&self, reason: &str) {
        let mut inner = self.get_mut();
        let (token, before) = inner.in_flight.take().expect("an update is under way");
        // The rollback of a cancelled update carries the cancel's token.
        let token = inner.events[0].token.clone().filter(|newest| newest.ends_with("-cancel")).unwrap_or(token);
        inner.parameters.insert("ProductionTag".to_owned(), before);
        inner.status = "UPDATE_ROLLBACK_COMPLETE".to_owned();
        inner.stack_event(&token, "UPDATE_ROLLBACK_IN_PROGRESS", Some(reason));
        inner.stack_event(&token, "UPDATE_ROLLBACK_COMPLETE", None);
    }

    /// Somebody else updates the stack to this value; it is under way until it is finished.
    pub(crate) fn foreign_update(&self, value: &str) {
        let mut inner = self.get_mut();
        let before = inner.parameters.insert("ProductionTag".to_owned(), value.to_owned()).expect("a value");
        inner.status = "UPDATE_IN_PROGRESS".to_owned();
        inner.in_flight = Some(("Console-1".to_owned(), before));
        inner.outdate_change_sets();
        inner.stack_event("Console-1", "UPDATE_IN_PROGRESS", Some("User Initiated"));
    }

    /// What the stack runs, or is about to.
    pub(crate) fn value(&self) -> String {
        self.get().parameters["ProductionTag"].clone()
    }

    pub(crate) fn told(&self) -> Vec<Outcome> {
        self.get().told.iter().map(|notice| notice.outcome).collect()
    }

    /// How many updates the stack took.
    pub(crate) fn updates(&self) -> usize {
        self.get().updates.len()
    }
}

impl Inner {
    fn stack_event(&mut self, token: &str, status: &str, reason: Option<&str>) {
        let event = StackEvent {
            at: self.now,
            token: Some(token.to_owned()),
            is_stack: true,
            resource: "web (AWS::CloudFormation::Stack)".to_owned(),
            status: status.to_owned(),
            reason: reason.map(str::to_owned),
        };
        self.events.insert(0, event);
    }

    /// Sent straight to the stack: only where nothing must be reviewed.
    fn update_stack(&mut self, update: &Update) -> Applied {
        assert!(self.config["guard"].is_null() && self.resolved.is_empty(), "an update goes past the guard");
        let applied = self.update(update);
        if applied == Applied::Done {
            self.outdate_change_sets();
        }
        applied
    }

    fn update(&mut self, update: &Update) -> Applied {
        if let Some(answer) = self.next_update.take() {
            return Applied::NotUpdated(answer);
        }
        let is_known = self.updates.iter().any(|(token, _)| token == update.token.as_str());
        if self.in_flight.is_some() || is_known && !self.takes_known_tokens {
            return Applied::NotUpdated(NotUpdated::Contested);
        }
        let (state, _) = self.state.as_ref().expect("an update is sent that no state knows");
        let is_known =
            state.open.iter().any(|open| open.token == update.token) || state.recent.iter().any(|ended| ended.token == update.token);
        assert!(is_known, "an update is sent whose token is not in the state");
        if let Some(open) = state.open.iter().find(|open| open.token == update.token) {
            let is_undone = open.by.contains("undoing");
            let is_permitted = self.config["mode"] == "auto" || !open.via.is_automation() || is_undone;
            assert!(is_permitted, "nobody permitted what is sent: {open:#?}");
            let rests_on = open.request.as_ref().and_then(|id| state.all_requests().find(|request| request.id == *id));
            let is_rejected = rests_on.is_some_and(|request| request.progress == Progress::Rejected && open.via != Via::Sns);
            assert!(!is_rejected, "what was rejected is sent: {open:#?}");
        }
        let others: BTreeSet<&String> = self.parameters.keys().filter(|key| *key != "ProductionTag").collect();
        assert_eq!(others, update.others.iter().collect(), "every other parameter is named, or it falls to its default");
        assert!(self.tags.contains_key(&update.tag), "the stack is sent to a tag that no image has");
        let before = self.parameters["ProductionTag"].clone();
        if before == update.tag.as_str() {
            return Applied::NotUpdated(NotUpdated::NothingToDo);
        }
        self.parameters.insert("ProductionTag".to_owned(), update.tag.to_string());
        self.updates.push((update.token.to_string(), update.tag.to_string()));
        self.stack_event(update.token.as_str(), "UPDATE_IN_PROGRESS", Some("User Initiated"));
        if self.finishes_at_once {
            self.stack_event(update.token.as_str(), "UPDATE_COMPLETE", None);
        } else {
            self.status = "UPDATE_IN_PROGRESS".to_owned();
            self.in_flight = Some((update.token.to_string(), before));
        }
        Applied::Done
    }

    fn show(&mut self, request: &Request) -> Applied {
        if self.slack_is_down {
            return Applied::PutOff;
        }
        let posted = request.posted.clone().unwrap_or_else(|| {
            self.nonces += 1;
            Posted { channel: "C1".to_owned(), ts: self.nonces.to_string(), team: None }
        });
        self.slack.insert(posted.ts.clone(), request.clone());
        Applied::Shown(posted)
    }

    fn outdate_change_sets(&mut self) {
        for own in self.change_sets.values_mut().flatten() {
            own.is_outdated = true;
        }
    }

    fn create_change_set(&mut self, update: &Update) -> Applied {
        if self.in_flight.is_some() {
            return Applied::NotUpdated(NotUpdated::Contested);
        }
        let (state, _) = self.state.as_ref().expect("a change set is made that no state knows");
        assert!(state.change_sets.iter().any(|own| own.token == update.token), "a change set is made that nobody would remove");
        let new =
            ChangeSet { update: update.clone(), changes: self.would_change.clone(), looks: self.looks_of_a_review, is_outdated: false };
        self.change_sets.entry(update.token.to_string()).or_insert(Some(new));
        Applied::Done
    }

    fn review(&mut self, token: &Token) -> Review {
        let is_under_way = self.in_flight.as_ref().is_some_and(|(under_way, _)| under_way == token.as_str());
        let others = self.change_sets.iter().filter(|(_, own)| own.is_none()).map(|(name, _)| name.clone()).collect();
        match self.change_sets.get_mut(token.as_str()) {
            None if is_under_way => Review::Executing,
            None => Review::Absent,
            Some(None) => panic!("somebody else's change set has our token"),
            Some(Some(own)) if own.looks > 0 => {
                own.looks -= 1;
                Review::Pending
            }
            Some(Some(ChangeSet { is_outdated: true, .. })) => Review::Outdated,
            Some(Some(own)) => Review::Ready(Changes { others, ..own.changes.clone() }),
        }
    }

    fn execute_change_set(&mut self, token: &Token) -> Applied {
        let Some(Some(ChangeSet { update, changes, looks: 0, is_outdated: false })) = self.change_sets.get(token.as_str()).cloned() else {
            return Applied::NotUpdated(NotUpdated::Contested);
        };
        let applied = self.update(&update);
        if applied == Applied::Done {
            self.assert_guarded(&changes);
            self.change_sets.clear();
        }
        applied
    }

    /// What a change set did was allowed. Deliberately not the function's own judgement: here replacements are all there is.
    fn assert_guarded(&self, changes: &Changes) {
        if let Some(allowed) = self.config["guard"]["allowed_changes"].as_array() {
            let is_allowed = |change: &Change| allowed.contains(&json!(format!("{}:Replacement", change.kind)));
            assert!(changes.list.iter().all(is_allowed), "the guard forbids what was executed: {:?}", changes.list);
        }
        for (key, value) in &self.resolved {
            assert!(changes.resolved.contains(&(key.clone(), value.clone())), "`{key}` was resolved anew: {:?}", changes.resolved);
        }
    }

    fn delete_change_set(&mut self, token: &Token) -> Applied {
        match self.change_sets.get_mut(token.as_str()) {
            Some(Some(own)) if own.looks > 0 => {
                own.looks -= 1;
                Applied::PutOff
            }
            Some(Some(_)) => {
                self.change_sets.remove(token.as_str());
                Applied::Done
            }
            Some(None) => panic!("somebody else's change set has our token"),
            None => Applied::Done,
        }
    }

    fn cancel(&mut self, token: &Token) -> Applied {
        if self.status != "UPDATE_IN_PROGRESS" {
            return Applied::NotUpdated(NotUpdated::Contested);
        }
        // The real call looks whose update it is right before it cancels.
        if self.in_flight.as_ref().is_none_or(|(under_way, _)| under_way != token.as_str()) {
            return Applied::NotUpdated(NotUpdated::Contested);
        }
        self.status = "UPDATE_ROLLBACK_IN_PROGRESS".to_owned();
        self.stack_event(token.of_cancel().as_str(), "UPDATE_ROLLBACK_IN_PROGRESS", Some("User Initiated"));
        self.cancels += 1;
        Applied::Done
    }

    fn put_tag(&mut self, image: &Image, tag: &Tag) -> Applied {
        match self.tags.get(tag) {
            Some(on) if *on != image.digest && self.is_immutable => return Applied::TagTaken,
            Some(on) => assert_eq!(*on, image.digest, "a tag was moved"),
            None => {}
        }
        self.tags.insert(tag.clone(), image.digest.clone());
        Applied::Done
    }

    fn save(&mut self, records: &ecr_promoter::world::Records, version: &Version) -> Applied {
        if records.state.is_some() && self.state.as_ref().map(|(_, nonce)| nonce) != version.0.as_ref() {
            return Applied::Conflict;
        }
        if let Some(command) = &records.command {
            if self.commands.get(&command.id).is_some_and(|known| known.answer.is_some()) {
                return Applied::Conflict;
            }
            self.commands.insert(command.id.clone(), command.clone());
        }
        for ended in &records.history {
            let before = self.history.insert(ended.number, ended.clone());
            assert!(before.is_none(), "two promotions have the number {}", ended.number);
        }
        let Some(state) = &records.state else { return Applied::Done };
        if let Some(request) = &records.request {
            self.asked.insert(request.id.clone(), Asked { repository: "web".parse().expect("a name"), digest: request.digest.clone() });
        }
        self.nonces += 1;
        let nonce = self.nonces.to_string();
        self.state = Some((state.clone(), nonce.clone()));
        Applied::Saved(Version(Some(nonce)))
    }

    fn stack(&self) -> Stack {
        Stack {
            id: STACK_ID.to_owned(),
            name: "web".to_owned(),
            status: self.status.clone(),
            parent: None,
            parameters: self
                .parameters
                .iter()
                .map(|(key, value)| Parameter { key: key.clone(), value: value.clone(), resolved: self.resolved.get(key).cloned() })
                .collect(),
            capabilities: vec!["CAPABILITY_IAM".to_owned()],
        }
    }

    fn find(&self, digest: &Digest) -> Result<Image, String> {
        self.images.get(digest).cloned().ok_or_else(|| format!("{digest} cannot be pulled: ImageNotFound"))
    }
}

/// One sandbox of the function: what [`World`] is to its handler.
struct Sandbox {
    world: Memory,
    died: RefCell<bool>,
}

impl Sandbox {
    /// One call: others may go before it, and it may go wrong.
    async fn call<T>(&self, name: &str, effect: impl FnOnce(&mut Inner) -> T) -> Result<T, Error> {
        // A configuration does not change here: who reads it first makes no difference, and many interleavings are saved.
        if !name.starts_with("GetParameter") {
            yield_now().await;
        }
        let (fault, result) = {
            let mut inner = self.world.get_mut();
            inner.calls.push(name.to_owned());
            inner.now += SignedDuration::from_millis(20);
            let index = inner.calls.len() - 1;
            let fault = inner.fault.filter(|(at, _)| *at == index).map(|(_, fault)| fault);
            (fault, (fault != Some(Fault::Before)).then(|| effect(&mut inner)))
        };
        match (fault, result) {
            (None, Some(result)) => Ok(result),
            (Some(Fault::Death), _) => {
                *self.died.borrow_mut() = true;
                std::future::pending().await
            }
            (Some(Fault::Before | Fault::After), _) | (None, None) => {
                Err(Error::Aws { action: "test", resource: name.to_owned(), message: "the call failed".to_owned() })
            }
        }
    }
}

impl World for Sandbox {
    fn now(&self) -> Timestamp {
        self.world.get().now
    }

    fn source(&self, repository: &Repository) -> String {
        format!("/ecr-promoter/apps/{repository}")
    }

    async fn app(&self, repository: &Repository) -> Result<Option<App>, Error> {
        let config = self.call("GetParameter", |w| w.config.to_string()).await?;
        if let Some((config, _)) = self.world.get().others.get(repository) {
            return Ok(Some(App::parse(repository, &format!("/ecr-promoter/apps/{repository}"), &config.to_string())?));
        }
        if repository.as_str() != "web" {
            return Ok(None);
        }
        Ok(Some(App::parse(repository, "/ecr-promoter/apps/web", &config)?))
    }

    async fn apps(&self) -> Result<Vec<(Repository, Result<App, Error>)>, Error> {
        let config = self.call("GetParametersByPath", |w| w.config.clone()).await?;
        if self.world.get().list_never_ends {
            std::future::pending().await
        }
        if config.is_null() {
            return Ok(Vec::new());
        }
        let config = config.to_string();
        let web: Repository = "web".parse().expect("a repository");
        let app = App::parse(&web, "/ecr-promoter/apps/web", &config).map_err(Error::from);
        let parse = |(name, (config, _)): (&Repository, &(Value, Option<State>))| {
            let app = App::parse(name, &format!("/ecr-promoter/apps/{name}"), &config.to_string());
            (name.clone(), app.map_err(Error::from))
        };
        let others: Vec<_> = self.world.get().others.iter().map(parse).collect();
        Ok(std::iter::once((web, app)).chain(others).collect())
    }

    async fn known_apps(&self) -> Result<Vec<(Repository, Result<App, Error>)>, Error> {
        self.apps().await
    }

    fn secret_source(&self, secret: Secret) -> String {
        match secret {
            Secret::SlackSigningSecret => "/ecr-promoter/slack/signing-secret".to_owned(),
            Secret::SlackBotToken => "/ecr-promoter/slack/bot-token".to_owned(),
            Secret::Links => "/ecr-promoter/link-secret".to_owned(),
        }
    }

    fn public_url_source(&self) -> String {
        "/ecr-promoter/public-url".to_owned()
    }

    async fn secret(&self, secret: Secret, _: bool) -> Result<Option<SecretString>, Error> {
        let SecretsOfSlack { signing, token } = self.call("GetParameter secret", |w| w.secrets.clone()).await?;
        Ok(match secret {
            Secret::SlackSigningSecret => signing.map(SecretString::from),
            Secret::SlackBotToken => token.map(SecretString::from),
            Secret::Links => self.world.get().link_secret.clone().map(SecretString::from),
        })
    }

    async fn request(&self, id: &RequestId) -> Result<Option<Asked>, Error> {
        self.call("GetItem request", |w| w.asked.get(id).cloned()).await
    }

    fn is_response_url(&self, url: &str) -> bool {
        url.starts_with("https://hooks.slack.com/")
    }

    async fn whisper(&self, _: &Listener, text: &str, _: Duration) {
        self.world.get_mut().whispered.push(text.to_owned());
    }

    async fn roster(&self) -> Result<(Roster, Version), Error> {
        let (roster, nonce) = self.call("GetItem roster", |w| w.roster.clone()).await?.unzip();
        Ok((roster.unwrap_or_default(), Version(nonce)))
    }

    async fn keep_roster(&self, roster: &Roster, version: &Version) -> Result<Applied, Error> {
        let keep = |w: &mut Inner| {
            if w.roster.as_ref().map(|(_, nonce)| nonce) != version.0.as_ref() {
                return Applied::Conflict;
            }
            w.nonces += 1;
            w.roster = Some((roster.clone(), w.nonces.to_string()));
            Applied::Saved(Version(Some(w.nonces.to_string())))
        };
        self.call("Save roster", keep).await
    }

    async fn unfinished(&self) -> Result<(Unfinished, Version), Error> {
        let (unfinished, nonce) = self.call("GetItem unfinished", |w| w.unfinished.clone()).await?.unzip();
        Ok((unfinished.unwrap_or_default(), Version(nonce)))
    }

    async fn keep_unfinished(&self, unfinished: &Unfinished, version: &Version) -> Result<Applied, Error> {
        let keep = |w: &mut Inner| {
            if w.unfinished.as_ref().map(|(_, nonce)| nonce) != version.0.as_ref() {
                return Applied::Conflict;
            }
            w.nonces += 1;
            w.unfinished = Some((unfinished.clone(), w.nonces.to_string()));
            Applied::Saved(Version(Some(w.nonces.to_string())))
        };
        self.call("Save unfinished", keep).await
    }

    async fn state(&self, _: &Repository) -> Result<Option<State>, Error> {
        self.call("GetItem state", |w| w.state.as_ref().map(|(state, _)| state.clone())).await
    }

    async fn states(&self, repositories: &[Repository]) -> Result<BTreeMap<Repository, Result<State, Error>>, Error> {
        let read = |w: &mut Inner| {
            let state = |name: &Repository| match w.others.get(name) {
                Some((_, state)) => state.clone(),
                None => w.state.as_ref().filter(|_| name.as_str() == "web").map(|(state, _)| state.clone()),
            };
            repositories.iter().filter_map(|name| Some((name.clone(), Ok(state(name)?)))).collect()
        };
        self.call("BatchGetItem", read).await
    }

    async fn watch(&self, _: &App, _: Option<Timestamp>) -> Result<(Option<Stack>, StackEvents), Error> {
        let stack = self.call("DescribeStacks", |w| w.stack());
        let events = self.call("DescribeStackEvents", |w| StackEvents(w.events.clone()));
        let (stack, events) = futures_util::try_join!(stack, events)?;
        Ok((Some(stack), events))
    }

    async fn public_url(&self) -> Result<Option<String>, Error> {
        Ok(self.world.get().public_url.clone())
    }

    async fn observe(&self, _: &App, subject: &Subject) -> Result<Snapshot, Error> {
        let at = self.now();
        let state = self.call("GetItem state", |w| w.state.clone());
        let command = async {
            match &subject.command {
                Some(id) => self.call("GetItem command", |w| w.commands.get(id).cloned()).await,
                None => Ok(None),
            }
        };
        let images = async {
            if subject.is_routine {
                return Ok((None, BTreeMap::new()));
            }
            let both = |w: &mut Inner| {
                let newest = w.tags.get(&tag("latest")).cloned();
                let asked = subject.digest.iter().chain(&newest).map(|digest| (digest.clone(), w.find(digest))).collect();
                (newest, asked)
            };
            self.call("BatchGetImage", both).await
        };
        let tags = self.call("ListImages", |w| w.tags.clone().into_iter().collect::<Tags>());
        let stack = self.call("DescribeStacks", |w| w.stack());
        let (state, command, (newest, images), tags, stack) = futures_util::try_join!(state, command, images, tags, stack)?;
        let newest = if subject.is_routine { tags.digest(&tag("latest")).cloned() } else { newest };
        let (state, nonce) = state.unzip();
        Ok(Snapshot {
            at,
            state,
            version: Version(nonce),
            command,
            stack: Some(stack),
            tags: Some(tags),
            newest,
            images,
            unavailable: BTreeMap::new(),
            labels: BTreeMap::new(),
            events: None,
            matches: BTreeMap::new(),
            history: None,
            reviews: BTreeMap::new(),
            tried: Tried::default(),
        })
    }

    async fn read(&self, app: &App, question: &Question, seen: &mut Snapshot) -> Result<(), Error> {
        match question {
            Question::Image(digest) => {
                let image = self.call("BatchGetImage", |w| w.find(digest)).await?;
                seen.images.insert(digest.clone(), image);
            }
            Question::Availability(digest) => {
                let reason = self.call("DescribeImages", |w| w.archived.contains(digest).then(|| format!("{digest} is ARCHIVED"))).await?;
                seen.unavailable.insert(digest.clone(), reason);
            }
            Question::Label(digest) => {
                seen.labels.insert(digest.clone(), None);
            }
            Question::Events(since) => {
                let (stack, events) = self.watch(app, *since).await?;
                (seen.stack, seen.events) = (stack, Some(events));
            }
            Question::Matches(commit) => {
                let tags = seen.tags.clone().unwrap_or_default();
                let is_of = |image: &Image| tags.commit(&image.digest, &app.config).or(image.annotation.clone());
                let search = |w: &mut Inner| {
                    w.now += w.search.0;
                    (w.images.clone(), w.search.1)
                };
                let (all, unread) = self.call("ListImages", search).await?;
                let found = all.values().filter(|image| is_of(image).is_some_and(|its| its.agrees_with(commit)));
                let digests = found.map(|image| image.digest.clone()).collect();
                seen.matches.insert(commit.clone(), Matches { digests, unread });
            }
            Question::Review(token) => {
                let review = self.call("DescribeChangeSet", |w| w.review(token)).await?;
                seen.reviews.insert(token.clone(), review);
            }
            Question::History => seen.history = Some(self.call("Query", |w| w.history.values().rev().cloned().collect()).await?),
        }
        Ok(())
    }

    async fn apply(&self, _: &App, action: &Action, version: &Version) -> Result<Applied, Error> {
        match action {
            Action::Save(records) | Action::Mark(records) => {
                // A condition that failed on one's own first try is a success: the real world knows it by its nonce.
                self.call(action.name(), |w| w.save(records, version)).await
            }
            Action::PutTag { image, tag } => self.call("PutImage", |w| w.put_tag(image, tag)).await,
            Action::UpdateStack(update) => match self.call("UpdateStack", |w| w.update_stack(update)).await {
                Err(Error::Aws { message, .. }) => Ok(Applied::NotUpdated(NotUpdated::Unsure(message))),
                other => other,
            },
            Action::CreateChangeSet(update) => match self.call("CreateChangeSet", |w| w.create_change_set(update)).await {
                Err(Error::Aws { message, .. }) => Ok(Applied::NotUpdated(NotUpdated::Unsure(message))),
                other => other,
            },
            Action::ExecuteChangeSet(token) => match self.call("ExecuteChangeSet", |w| w.execute_change_set(token)).await {
                Err(Error::Aws { message, .. }) => Ok(Applied::NotUpdated(NotUpdated::Unsure(message))),
                other => other,
            },
            Action::DeleteChangeSet(token) => self.call("DeleteChangeSet", |w| w.delete_change_set(token)).await,
            Action::CancelUpdate(token) => self.call("CancelUpdateStack", |w| w.cancel(token)).await,
            Action::Show(request) => self.call("Slack", |w| w.show(request)).await.or(Ok(Applied::PutOff)),
            Action::Tell(notice) => {
                let tell = |w: &mut Inner| {
                    w.now += w.told_in;
                    w.told.push(notice.clone());
                };
                self.call("Publish", tell).await?;
                Ok(Applied::Done)
            }
            Action::KeepAnswer(record) => {
                self.call("PutItem command", |w| w.commands.insert(record.id.clone(), (**record).clone())).await?;
                Ok(Applied::Done)
            }
        }
    }

    async fn pause(&self, _: u32) {
        yield_now().await;
    }
}

/// Runs `payload` once for each call that it makes and each fault, and delivers it again as Lambda would.
pub(crate) fn survives_every_fault(
    new: impl Fn() -> (Memory, Digest),
    payload: impl Fn(&Memory, &Digest) -> Value,
    end: impl Fn(&Memory, &Digest),
) {
    let calls = {
        let (world, digest) = new();
        let before = world.get().calls.len();
        world.invoke(&payload(&world, &digest), "request").expect("an answer");
        let calls = before..world.get().calls.len();
        end(&world, &digest);
        calls
    };
    for at in calls {
        for fault in [Fault::Before, Fault::After, Fault::Death] {
            let (world, digest) = new();
            world.get_mut().fault = Some((at, fault));
            let payload = payload(&world, &digest);
            for attempt in 0..3 {
                match run(world.handler(payload.clone(), "request")) {
                    Some(Ok(_)) => break,
                    Some(Err(_)) | None => assert!(attempt < 2, "fault {fault:?} at call {at}: not carried out in three attempts"),
                }
            }
            eprintln!("fault {fault:?} at call {at}: {:?}", world.get().calls);
            end(&world, &digest);
        }
    }
}

/// Delivers a payload, whose answer has this outcome.
#[track_caller]
pub(crate) fn answers(world: &Memory, payload: &Value, want: &str) -> Value {
    let answer = world.invoke(payload, "request").expect("an answer");
    assert_eq!(answer["outcome"], want, "{answer:#}");
    answer
}

/// The stack's own event that an operation has ended.
pub(crate) fn stack_changed() -> Value {
    event("cfn-update-complete")
}

/// Tries every interleaving of these payloads' handlers, each in a world of its own: choices are counted through like the digits
/// of a number. Answers how many there were.
pub(crate) fn every_interleaving(start: &Memory, payloads: &[Value], check: impl Fn(&Memory)) -> usize {
    let mut path: Vec<(usize, usize)> = Vec::new();
    let mut runs = 0;
    loop {
        let world = start.fork();
        let mut step = 0;
        let handlers = payloads.iter().enumerate().map(|(i, payload)| world.handler(payload.clone(), &format!("request-{i}")));
        let results = interleave(handlers, |left| {
            if step == path.len() {
                path.push((0, left));
            }
            step += 1;
            path[step - 1].0
        });
        for result in results {
            result.expect("no sandbox died").unwrap_or_else(|error| panic!("interleaving {path:?}: {error}"));
        }
        check(&world);
        runs += 1;
        path.truncate(step);
        while path.last().is_some_and(|(choice, left)| choice + 1 == *left) {
            path.pop();
        }
        match path.last_mut() {
            Some((choice, _)) => *choice += 1,
            None => {
                eprintln!("{runs} interleavings");
                return runs;
            }
        }
    }
}

/// A payload from `events/`, about this image.
pub(crate) fn push_event(digest: &Digest) -> Value {
    let mut event = event("ecr-push");
    event["detail"]["image-digest"] = digest.as_str().into();
    event
}

/// A payload from `events/`.
pub(crate) fn event(name: &str) -> Value {
    thread_local! {
        // The simulations ask for the same files a million times.
        static READ: RefCell<BTreeMap<String, Value>> = const { RefCell::new(BTreeMap::new()) };
    }
    let read = || {
        let path = format!("{}/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(&path).expect(&path)).expect(&path)
    };
    READ.with_borrow_mut(|events| events.entry(name.to_owned()).or_insert_with(read).clone())
}

/// A command on the approval topic.
pub(crate) fn sns(message: &str, message_id: &str, sent_at: Timestamp) -> Value {
    let mut event = event("sns-promote");
    let sns = &mut event["Records"][0]["Sns"];
    sns["Message"] = message.into();
    sns["MessageId"] = message_id.into();
    sns["Timestamp"] = sent_at.to_string().into();
    event
}

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}

/// Runs one future to its end; nothing in this world waits for anything but its turn.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result;
        }
    }
}

/// Runs several futures, one step at a time, in the order that `choose` says: it is given how many are left.
pub(crate) fn interleave<F: Future>(futures: impl IntoIterator<Item = F>, mut choose: impl FnMut(usize) -> usize) -> Vec<F::Output> {
    let mut left: Vec<(usize, Pin<Box<F>>)> = futures.into_iter().map(Box::pin).enumerate().collect();
    let mut results = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    while !left.is_empty() {
        let at = choose(left.len());
        if let Poll::Ready(result) = left[at].1.as_mut().poll(&mut context) {
            let (index, _) = left.remove(at);
            results.push((index, result));
        }
    }
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Lets other handlers go first, once.
pub(crate) async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|context| {
        // Some combinators poll only what was woken.
        context.waker().wake_by_ref();
        if std::mem::replace(&mut has_yielded, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
