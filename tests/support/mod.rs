//! An AWS in memory behind the [`World`] port: an image repository, a stack that takes updates one
//! at a time, a table with conditional writes, a topic. Every call can fail before or after it took
//! effect, and every call is a point where another handler may run.

#![allow(dead_code, reason = "each test crate uses a part of it")]

pub(crate) mod slack;
pub(crate) mod steps;

use std::cell::{Ref, RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ecr_promoter::error::Error;
use ecr_promoter::event::Invocation;
use ecr_promoter::handle::handle;
use ecr_promoter::link::PublicUrl;
use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::approval::{ApprovalRequest, Posted, Progress, RequestIndex};
use ecr_promoter::model::change_set::{Change, ChangeSet, Changes, Replacement};
use ecr_promoter::model::command::Via;
use ecr_promoter::model::config::App;
use ecr_promoter::model::image::{Image, MEDIA_TYPES, TagMutability, Tags};
use ecr_promoter::model::known_apps::{KnownApps, Unfinished};
use ecr_promoter::model::notice::Notice;
use ecr_promoter::model::promotion::{Ended, Update};
use ecr_promoter::model::session::Session;
use ecr_promoter::model::stack::{EventsWanted, Parameter, Stack, StackEvent, StackEvents};
use ecr_promoter::model::state::{CommandRecord, State};
use ecr_promoter::model::{Digest, Repository, RequestId, SessionId, Tag, Token};
use ecr_promoter::settings::Secret;
use ecr_promoter::slack::team::Installation;
use ecr_promoter::world::action::Action;
use ecr_promoter::world::snapshot::{Matches, Question, Snapshot, Subject, TagsWanted, Version};
use ecr_promoter::world::{Applied, Apps, Listener, NotUpdated, Web, World};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::{Value, json};

pub(crate) const STACK_ID: &str = "arn:aws:cloudformation:us-east-1:012345678912:stack/web/1";

/// What links are signed with, and where they lead.
pub(crate) const LINK_SECRET: &str = "link-secret-0123456789abcdef0123456789abcdef";
pub(crate) const PUBLIC_URL: &str = "https://example.lambda-url.us-east-1.on.aws/";

/// What the handlers' own time limits need to be there. Nothing turns it, so none of them is ever
/// reached.
static CLOCK: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a clock")
});

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
    /// Tags that somebody else has moved: these may be moved back.
    pub(crate) moved_by_others: BTreeSet<Tag>,
    pub(crate) stack_id: String,
    /// The stack that the configuration does not name now, once it has named another.
    other_stack: Option<OtherStack>,
    pub(crate) status: String,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) events: Vec<StackEvent>,
    pub(crate) in_flight: Option<(String, String)>,
    pub(crate) state: Option<(State, String)>,
    pub(crate) history: BTreeMap<u64, Ended>,
    pub(crate) roster: Option<(KnownApps, String)>,
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
    /// Where Slack says that the app is installed, if it answers.
    pub(crate) installation: Option<Installation>,
    pub(crate) link_secret: Option<String>,
    pub(crate) public_url: Option<String>,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    /// Further apps, which nobody pushes to: their configuration and their state.
    pub(crate) others: BTreeMap<Repository, (Value, Option<State>)>,
    pub(crate) list_never_ends: bool,
    /// What each request is about.
    pub(crate) asked: BTreeMap<RequestId, RequestIndex>,
    /// The messages in Slack, by their time, as they are now.
    pub(crate) slack: BTreeMap<String, ApprovalRequest>,
    pub(crate) slack_is_down: bool,
    pub(crate) topic_is_down: bool,
    pub(crate) whispered: Vec<String>,
    /// The stack's change sets; `None` is somebody else's.
    pub(crate) change_sets: BTreeMap<String, Option<KnownChangeSet>>,
    /// The last change set that was executed, by its ARN.
    executed: Option<String>,
    /// What an update would touch beside nothing at all.
    pub(crate) would_change: Changes,
    /// How many looks a new change set takes.
    pub(crate) looks_of_a_review: usize,
    /// Of the SSM-typed parameters, what each is now.
    pub(crate) resolved: BTreeMap<String, String>,
    /// The images that the stack was sent to, or ran at the start, oldest first.
    pub(crate) ran: Vec<Digest>,
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
pub(crate) struct KnownChangeSet {
    update: Update,
    changes: Changes,
    /// How often it is still said to be in the making.
    pub(crate) looks: usize,
    /// The stack has changed since it was made.
    is_outdated: bool,
}

/// A stack that nobody looks at.
#[derive(Clone)]
struct OtherStack {
    config: Value,
    id: String,
    status: String,
    parameters: BTreeMap<String, String>,
    events: Vec<StackEvent>,
    in_flight: Option<(String, String)>,
    change_sets: BTreeMap<String, Option<KnownChangeSet>>,
}

impl Memory {
    /// An app `web` in this mode, with nothing pushed and a stack that runs `production_old`.
    pub(crate) fn new(mode: &str) -> Self {
        let parameters =
            [("AppName", "web"), ("ProductionTag", "production_old"), ("Secret", "****")];
        let world = Self(Rc::new(RefCell::new(Inner {
            now: "2026-03-17T09:41:30Z".parse().expect("a time"),
            config: json!({ "stack": "web", "mode": mode, "commit_from": ["tag", "annotation"] }),
            tags: BTreeMap::new(),
            images: BTreeMap::new(),
            is_immutable: true,
            moved_by_others: BTreeSet::new(),
            stack_id: STACK_ID.to_owned(),
            other_stack: None,
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
            secrets: SecretsOfSlack {
                signing: Some("signing-secret".to_owned()),
                token: Some("xoxb-1".to_owned()),
            },
            installation: Some(Installation { team: slack::TEAM.to_owned(), organisation: None }),
            link_secret: Some(LINK_SECRET.to_owned()),
            public_url: Some(PUBLIC_URL.to_owned()),
            sessions: BTreeMap::new(),
            others: BTreeMap::new(),
            list_never_ends: false,
            asked: BTreeMap::new(),
            slack: BTreeMap::new(),
            slack_is_down: false,
            topic_is_down: false,
            whispered: Vec::new(),
            change_sets: BTreeMap::new(),
            executed: None,
            would_change: Changes::default(),
            looks_of_a_review: 0,
            resolved: BTreeMap::new(),
            ran: Vec::new(),
            updates: Vec::new(),
            next_update: None,
            finishes_at_once: false,
            takes_known_tokens: false,
            calls: Vec::new(),
            fault: None,
            nonces: 0,
        })));
        let old = world.image("0ddba11");
        world.get_mut().tags.insert(tag("production_old"), old.clone());
        world.get_mut().ran.push(old);
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
        let manifest = format!(
            r#"{{"build":{build},"annotations":{{"org.opencontainers.image.revision":"{commit}"}}}}"#
        );
        let digest = Digest::of(manifest.as_bytes());
        let image =
            Image::parse(&digest, manifest, Some(MEDIA_TYPES[2].to_owned())).expect("an image");
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
    pub(crate) fn sandbox(&self) -> impl Web + use<> {
        Sandbox { world: self.clone(), died: RefCell::new(false) }
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
            let sandbox = Sandbox { world: world.clone(), died: RefCell::new(false) };
            let invocation = Invocation::new(
                request_id,
                "arn:aws:lambda:us-east-1:012345678912:function:promoter",
                world.get().now,
            );
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
        inner.parameters.insert("ProductionTag".to_owned(), before);
        if inner.status != "UPDATE_ROLLBACK_IN_PROGRESS" {
            inner.stack_event(&token, "UPDATE_ROLLBACK_IN_PROGRESS", Some(reason));
        }
        inner.status = "UPDATE_ROLLBACK_COMPLETE".to_owned();
        // The rollback of a cancelled update carries the cancel's token.
        let token = inner.events[0].token.clone();
        inner.stack_event_by(token.as_deref(), "UPDATE_ROLLBACK_COMPLETE", None);
    }

    /// Somebody else updates the stack to this value; it is under way until it is finished.
    pub(crate) fn foreign_update(&self, value: &str) {
        let mut inner = self.get_mut();
        let before =
            inner.parameters.insert("ProductionTag".to_owned(), value.to_owned()).expect("a value");
        inner.status = "UPDATE_IN_PROGRESS".to_owned();
        inner.in_flight = Some(("Console-1".to_owned(), before));
        inner.outdate_change_sets();
        inner.stack_event("Console-1", "UPDATE_IN_PROGRESS", Some("User Initiated"));
    }

    /// Somebody cancels the update that is under way in the console, whose events carry a token of
    /// the console's, or none.
    pub(crate) fn cancel_in_the_console(&self, token: Option<&str>) {
        let mut inner = self.get_mut();
        inner.status = "UPDATE_ROLLBACK_IN_PROGRESS".to_owned();
        inner.stack_event_by(token, "UPDATE_ROLLBACK_IN_PROGRESS", Some("User Initiated"));
    }

    /// The app's configuration names another stack from now on, or the first one again. What is
    /// under way goes on unseen.
    pub(crate) fn move_to_the_other_stack(&self) {
        let mut inner = self.get_mut();
        let new = inner.other_stack.take().unwrap_or_else(|| OtherStack {
            config: "other".into(),
            id: "arn:aws:cloudformation:us-east-1:012345678912:stack/other/2".to_owned(),
            status: "UPDATE_COMPLETE".to_owned(),
            parameters: inner
                .parameters
                .iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            events: Vec::new(),
            in_flight: None,
            change_sets: BTreeMap::new(),
        });
        inner.other_stack = Some(OtherStack {
            config: std::mem::replace(&mut inner.config["stack"], new.config),
            id: std::mem::replace(&mut inner.stack_id, new.id),
            status: std::mem::replace(&mut inner.status, new.status),
            parameters: std::mem::replace(&mut inner.parameters, new.parameters),
            events: std::mem::replace(&mut inner.events, new.events),
            in_flight: std::mem::replace(&mut inner.in_flight, new.in_flight),
            change_sets: std::mem::replace(&mut inner.change_sets, new.change_sets),
        });
    }

    /// Somebody puts a tag on an image, or takes it away.
    pub(crate) fn move_tag(&self, name: &str, to: Option<&Digest>) {
        let mut inner = self.get_mut();
        inner.moved_by_others.insert(tag(name));
        match to {
            Some(digest) => inner.tags.insert(tag(name), digest.clone()),
            None => inner.tags.remove(&tag(name)),
        };
    }

    /// Somebody deletes an image, and with it its tags.
    pub(crate) fn delete_image(&self, digest: &Digest) {
        let mut inner = self.get_mut();
        inner.images.remove(digest);
        let gone: Vec<Tag> =
            inner.tags.iter().filter(|(_, on)| *on == digest).map(|(tag, _)| tag.clone()).collect();
        inner.moved_by_others.extend(gone);
        inner.tags.retain(|_, on| on != digest);
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
        self.stack_event_by(Some(token), status, reason);
    }

    fn stack_event_by(&mut self, token: Option<&str>, status: &str, reason: Option<&str>) {
        let event = StackEvent {
            at: self.now,
            token: token.map(str::to_owned),
            is_stack: true,
            resource: "web (AWS::CloudFormation::Stack)".to_owned(),
            status: status.to_owned(),
            reason: reason.map(str::to_owned),
        };
        self.events.insert(0, event);
    }

    /// Sent straight to the stack: only where nothing must be reviewed.
    fn update_stack(&mut self, update: &Update) -> Applied {
        assert!(
            self.config["guard"].is_null() && self.resolved.is_empty(),
            "an update goes past the guard"
        );
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
        if self.in_flight.is_some() {
            return Applied::NotUpdated(NotUpdated::Contested);
        }
        if is_known && !self.takes_known_tokens {
            return Applied::NotUpdated(NotUpdated::KnownToken);
        }
        let (state, _) = self.state.as_ref().expect("an update is sent that no state knows");
        let is_known = state.open.iter().any(|open| open.token == update.token)
            || state.recent.iter().any(|ended| ended.token == update.token);
        assert!(is_known, "an update is sent whose token is not in the state");
        if let Some(open) = state.open.iter().find(|open| open.token == update.token) {
            let is_undone = open.by.contains("undoing");
            let is_permitted =
                self.config["mode"] == "auto" || !open.via.is_automation() || is_undone;
            assert!(is_permitted, "nobody permitted what is sent: {open:#?}");
            let rests_on = open
                .request
                .as_ref()
                .and_then(|id| state.all_requests().find(|request| request.id == *id));
            let is_rejected = rests_on.is_some_and(|request| {
                request.progress == Progress::Rejected && open.via != Via::Sns
            });
            assert!(!is_rejected, "what was rejected is sent: {open:#?}");
        }
        let others: BTreeSet<&String> =
            self.parameters.keys().filter(|key| *key != "ProductionTag").collect();
        assert_eq!(
            others,
            update.others.iter().collect(),
            "every other parameter is named, or it falls to its default"
        );
        let was_moved = self.moved_by_others.contains(&update.tag);
        assert!(
            was_moved || self.tags.contains_key(&update.tag),
            "the stack is sent to a tag that no image has"
        );
        assert!(update.tag.as_str().starts_with("production_"), "production gets `{}`", update.tag);
        if let Some(open) = state.open.iter().find(|open| open.token == update.token) {
            let on = self.tags.get(&update.tag);
            assert!(
                was_moved || on == Some(&open.digest),
                "the tag of what is sent is on {on:?}: {open:#?}"
            );
            self.ran.push(open.digest.clone());
        }
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

    fn show(&mut self, request: &ApprovalRequest) -> Applied {
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

    fn create_change_set(&mut self, update: &Update, name: &str) -> Applied {
        if self.in_flight.is_some() {
            return Applied::NotUpdated(NotUpdated::Contested);
        }
        let (state, _) = self.state.as_ref().expect("a change set is made that no state knows");
        assert!(
            state.change_sets.iter().any(|own| own.name() == name),
            "a change set is made that nobody would remove"
        );
        if self.change_sets.contains_key(name) {
            return Applied::NotUpdated(NotUpdated::Contested);
        }
        let new = KnownChangeSet {
            update: update.clone(),
            changes: self.would_change.clone(),
            looks: self.looks_of_a_review,
            is_outdated: false,
        };
        self.change_sets.insert(name.to_owned(), Some(new));
        Applied::Created(arn_of(name))
    }

    fn review(&mut self, arn: &str) -> ChangeSet {
        let others = self
            .change_sets
            .iter()
            .filter(|(_, own)| own.is_none())
            .map(|(name, _)| name.clone())
            .collect();
        match self.change_sets.get_mut(name_of(arn)) {
            None if self.executed.as_deref() == Some(arn) && self.in_flight.is_some() => {
                ChangeSet::Executing
            }
            None => ChangeSet::Absent,
            Some(None) => panic!("somebody else's change set has our name"),
            Some(Some(own)) if own.looks > 0 => {
                own.looks -= 1;
                ChangeSet::Pending
            }
            Some(Some(KnownChangeSet { is_outdated: true, .. })) => ChangeSet::Outdated,
            Some(Some(own)) => ChangeSet::Ready(Changes { others, ..own.changes.clone() }),
        }
    }

    fn execute_change_set(&mut self, token: &Token, arn: &str) -> Applied {
        let Some(Some(KnownChangeSet { update, changes, looks: 0, is_outdated: false })) =
            self.change_sets.get(name_of(arn)).cloned()
        else {
            return Applied::NotUpdated(NotUpdated::Contested);
        };
        assert_eq!(update.token, *token, "another promotion's change set is executed");
        let applied = self.update(&update);
        if applied == Applied::Done {
            self.assert_guarded(&changes);
            self.change_sets.clear();
            self.executed = Some(arn.to_owned());
        }
        applied
    }

    /// What a change set did was allowed. Deliberately not the function's own judgement: here
    /// replacements are all there is.
    fn assert_guarded(&self, changes: &Changes) {
        if let Some(allowed) = self.config["guard"]["allowed_changes"].as_array() {
            let is_allowed =
                |change: &Change| allowed.contains(&json!(format!("{}:Replacement", change.kind)));
            assert!(
                changes.list.iter().all(is_allowed),
                "the guard forbids what was executed: {:?}",
                changes.list
            );
        }
        for (key, value) in &self.resolved {
            let is_as_it_was = changes.resolved.contains(&(key.clone(), value.clone()))
                || !changes.causes.contains(key);
            assert!(
                is_as_it_was || self.is_rolling_back(),
                "`{key}` was resolved anew: {:?}",
                changes.resolved
            );
        }
    }

    fn is_rolling_back(&self) -> bool {
        let (state, _) = self.state.as_ref().expect("a state");
        let (token, _) = self.updates.last().expect("an update");
        state.open.iter().any(|open| open.token.as_str() == token && open.rolls_back.is_some())
    }

    fn delete_change_set(&mut self, id: &str) -> Applied {
        let name = name_of(id);
        match self.change_sets.get_mut(name) {
            Some(Some(own)) if own.looks > 0 => {
                own.looks -= 1;
                Applied::PutOff
            }
            Some(Some(_)) => {
                self.change_sets.remove(name);
                Applied::Done
            }
            Some(None) => panic!("somebody else's change set has our name"),
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
        self.stack_event(
            token.of_cancel().as_str(),
            "UPDATE_ROLLBACK_IN_PROGRESS",
            Some("User Initiated"),
        );
        self.cancels += 1;
        Applied::Done
    }

    fn put_tag(&mut self, image: &Image, tag: &Tag) -> Applied {
        match self.tags.get(tag) {
            Some(on) if *on != image.digest && self.is_immutable => {
                return Applied::TagTaken(tag.clone());
            }
            Some(on) if *on != image.digest => {
                assert!(self.moved_by_others.contains(tag), "the tag {tag} was moved");
            }
            Some(_) | None => {}
        }
        self.tags.insert(tag.clone(), image.digest.clone());
        Applied::Done
    }

    fn save(
        &mut self,
        records: &ecr_promoter::world::action::Records,
        version: &Version,
    ) -> Applied {
        if records.state.is_some()
            && self.state.as_ref().map(|(_, nonce)| nonce) != version.0.as_ref()
        {
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
            self.asked.insert(
                request.id.clone(),
                RequestIndex {
                    repository: "web".parse().expect("a name"),
                    digest: request.digest.clone(),
                },
            );
        }
        self.nonces += 1;
        let nonce = self.nonces.to_string();
        self.state = Some((state.clone(), nonce.clone()));
        Applied::Saved(Version(Some(nonce)))
    }

    fn stack(&self) -> Stack {
        Stack {
            id: self.stack_id.clone(),
            name: "web".to_owned(),
            status: self.status.clone(),
            parent: None,
            parameters: self
                .parameters
                .iter()
                .map(|(key, value)| Parameter {
                    key: key.clone(),
                    value: value.clone(),
                    resolved: self.resolved.get(key).cloned(),
                })
                .collect(),
            capabilities: vec!["CAPABILITY_IAM".to_owned()],
        }
    }

    fn nonce(&mut self) -> String {
        self.nonces += 1;
        format!("{:032x}", self.nonces)
    }

    fn tags_of(&self, digest: &Digest) -> BTreeSet<Tag> {
        self.tags.iter().filter(|(_, on)| *on == digest).map(|(tag, _)| tag.clone()).collect()
    }

    fn check_tags(&self, tags: &[(Tag, Digest)]) -> Applied {
        let is_taken =
            |(tag, digest): &&(Tag, Digest)| self.tags.get(tag).is_some_and(|on| on != digest);
        tags.iter().find(is_taken).map_or(Applied::Done, |(tag, _)| Applied::TagTaken(tag.clone()))
    }

    fn mutability(&self) -> TagMutability {
        TagMutability { is_immutable: self.is_immutable, exclusions: Vec::new() }
    }

    fn find(&self, digest: &Digest) -> Result<Image, String> {
        self.images
            .get(digest)
            .cloned()
            .ok_or_else(|| format!("{digest} cannot be pulled: ImageNotFound"))
    }
}

fn arn_of(name: &str) -> String {
    format!("arn:aws:cloudformation:us-east-1:012345678912:changeSet/{name}/1")
}

fn name_of(id: &str) -> &str {
    id.split('/').nth(1).unwrap_or(id)
}

/// Writes a record if it is still as it was read.
fn keep<T: Clone>(
    kept: &mut Option<(T, String)>,
    record: &T,
    version: &Version,
    nonces: &mut u64,
) -> Applied {
    if kept.as_ref().map(|(_, nonce)| nonce) != version.0.as_ref() {
        return Applied::Conflict;
    }
    *nonces += 1;
    *kept = Some((record.clone(), nonces.to_string()));
    Applied::Saved(Version(Some(nonces.to_string())))
}

/// One sandbox of the function: what [`World`] is to its handler.
struct Sandbox {
    world: Memory,
    died: RefCell<bool>,
}

impl Sandbox {
    /// One call: others may go before it, and it may go wrong.
    async fn call<T>(&self, name: &str, effect: impl FnOnce(&mut Inner) -> T) -> Result<T, Error> {
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
            (fault, (fault != Some(Fault::Before)).then(|| effect(&mut inner)))
        };
        match (fault, result) {
            (None, Some(result)) => Ok(result),
            (Some(Fault::Death), _) => {
                *self.died.borrow_mut() = true;
                std::future::pending().await
            }
            (Some(Fault::Before | Fault::After), _) | (None, None) => Err(Error::Aws {
                action: "test",
                resource: name.to_owned(),
                message: "the call failed".to_owned(),
            }),
        }
    }
}

impl Sandbox {
    /// A look that most likely finds nothing to do: what runs is known before the tags are asked
    /// for.
    async fn glance(&self) -> Result<Snapshot, Error> {
        let at = self.world.get().now;
        let state = self.call("GetItem state", |w| w.state.clone());
        let stack = self.call("DescribeStacks", |w| w.stack());
        let (state, stack) = futures_util::try_join!(state, stack)?;
        let value =
            stack.value("ProductionTag").filter(|value| value.starts_with("production_")).map(tag);
        let named: BTreeSet<Tag> = [tag("latest")].into_iter().chain(value).collect();
        let ask = |w: &mut Inner| {
            named.iter().map(|tag| (tag.clone(), w.tags.get(tag).cloned())).collect::<Vec<_>>()
        };
        let holders = self.call("BatchGetImage", ask).await?;
        let (state, nonce) = state.unzip();
        let nonce_for_names = self.world.get_mut().nonce();
        let mut seen = Snapshot {
            state,
            version: Version(nonce),
            stack: Some(stack),
            ..Snapshot::at(at, nonce_for_names)
        };
        seen.note_tags(&tag("latest"), holders, []);
        Ok(seen)
    }
}

impl World for Sandbox {
    fn now(&self) -> Timestamp {
        self.world.get().now
    }

    async fn observe(&self, _: &App, subject: &Subject) -> Result<Snapshot, Error> {
        if subject.is_routine {
            return self.glance().await;
        }
        let at = self.now();
        let state = self.call("GetItem state", |w| w.state.clone());
        let command = async {
            match &subject.command {
                Some(id) => self.call("GetItem command", |w| w.commands.get(id).cloned()).await,
                None => Ok(None),
            }
        };
        let images = self.call("BatchGetImage", |w| {
            let newest = w.tags.get(&tag("latest")).cloned();
            let asked = subject
                .digest
                .iter()
                .chain(&newest)
                .map(|digest| (digest.clone(), w.find(digest)))
                .collect();
            (newest, asked)
        });
        let tags_of = async {
            match &subject.digest {
                Some(digest) => self
                    .call("DescribeImages", |w| w.tags_of(digest))
                    .await
                    .map(|tags| Some((digest, tags))),
                None => Ok(None),
            }
        };
        let stack = self.call("DescribeStacks", |w| w.stack());
        let (state, command, (newest, images), tags_of, stack) =
            futures_util::try_join!(state, command, images, tags_of, stack)?;
        let mut tags = Tags::default();
        if let Some((digest, its)) = tags_of {
            tags.insert_all_of(digest, its);
        }
        tags.insert(tag("latest"), newest.clone());
        let (state, nonce) = state.unzip();
        let mutability = self.world.get().mutability();
        let seen = Snapshot::at(at, self.world.get_mut().nonce());
        Ok(Snapshot {
            state,
            version: Version(nonce),
            command,
            stack: Some(stack),
            tags: Some(tags),
            mutability: Some(mutability),
            newest,
            images,
            ..seen
        })
    }

    async fn read(&self, app: &App, question: &Question, seen: &mut Snapshot) -> Result<(), Error> {
        match question {
            Question::Image(digest) => {
                let image = self.call("BatchGetImage", |w| w.find(digest)).await?;
                seen.images.insert(digest.clone(), image);
            }
            Question::Availability(digest) => {
                let reason = self
                    .call("DescribeImages", |w| {
                        w.archived.contains(digest).then(|| format!("{digest} is ARCHIVED"))
                    })
                    .await?;
                seen.unavailable.insert(digest.clone(), reason);
            }
            Question::Label(digest) => {
                seen.labels.insert(digest.clone(), None);
            }
            Question::Tags(TagsWanted { named, of }) => {
                let ask = |w: &mut Inner| {
                    let named: Vec<_> =
                        named.iter().map(|tag| (tag.clone(), w.tags.get(tag).cloned())).collect();
                    let of: Vec<_> =
                        of.iter().map(|digest| (digest.clone(), w.tags_of(digest))).collect();
                    (named, of)
                };
                let (named, of) = self.call("Tags", ask).await?;
                seen.note_tags(&tag("latest"), named, of);
            }
            Question::Mutability => {
                seen.mutability = Some(self.call("DescribeRepositories", |w| w.mutability()).await?)
            }
            Question::Configuration => seen.is_configuration_newer = true,
            Question::Events(wanted) => {
                let (stack, events) = self.watch(app, wanted).await?;
                (seen.stack, seen.events) = (stack, Some(events));
            }
            Question::Matches(commit) => {
                let tags: Tags = self.world.get().tags.clone().into_iter().collect();
                let is_of = |image: &Image| {
                    tags.commit(&image.digest, &app.config).flatten().or(image.annotation.clone())
                };
                let search = |w: &mut Inner| {
                    w.now += w.search.0;
                    (w.images.clone(), w.search.1)
                };
                let (all, unread) = self.call("ListImages", search).await?;
                let found = all
                    .values()
                    .filter(|image| is_of(image).is_some_and(|its| its.agrees_with(commit)));
                let digests = found.map(|image| image.digest.clone()).collect();
                seen.matches.insert(commit.clone(), Matches { digests, unread });
            }
            Question::ChangeSet(arn) => {
                let review = self.call("DescribeChangeSet", |w| w.review(arn)).await?;
                seen.change_sets_read.insert(arn.clone(), review);
            }
            Question::History => {
                seen.history =
                    Some(self.call("Query", |w| w.history.values().rev().cloned().collect()).await?)
            }
        }
        Ok(())
    }

    async fn app_now(&self, repository: &Repository) -> Result<Option<App>, Error> {
        self.app(repository).await
    }

    async fn apply(&self, _: &App, action: &Action, version: &Version) -> Result<Applied, Error> {
        match action {
            Action::SaveState(records) | Action::MarkTold(records) => {
                // A condition that failed on one's own first try is a success: the real world knows
                // it by its nonce.
                self.call(action.name(), |w| w.save(records, version)).await
            }
            Action::CheckTags(tags) => self.call("CheckTags", |w| w.check_tags(tags)).await,
            Action::PutTag { image, tag } => self.call("PutImage", |w| w.put_tag(image, tag)).await,
            Action::UpdateStack(update) => {
                match self.call("UpdateStack", |w| w.update_stack(update)).await {
                    Err(Error::Aws { message, .. }) => {
                        Ok(Applied::NotUpdated(NotUpdated::Unsure(message)))
                    }
                    other => other,
                }
            }
            Action::CreateChangeSet { update, name } => {
                match self.call("CreateChangeSet", |w| w.create_change_set(update, name)).await {
                    Err(Error::Aws { message, .. }) => {
                        Ok(Applied::NotUpdated(NotUpdated::Unsure(message)))
                    }
                    other => other,
                }
            }
            Action::ExecuteChangeSet { token, arn } => {
                match self.call("ExecuteChangeSet", |w| w.execute_change_set(token, arn)).await {
                    Err(Error::Aws { message, .. }) => {
                        Ok(Applied::NotUpdated(NotUpdated::Unsure(message)))
                    }
                    other => other,
                }
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
            Action::Tell(notice) => {
                let tell = |w: &mut Inner| {
                    w.now += w.told_in;
                    if w.topic_is_down {
                        let (resource, message) = ("topic".to_owned(), "it is down".to_owned());
                        return Err(Error::Aws { action: "sns:Publish", resource, message });
                    }
                    w.told.push(notice.clone());
                    Ok(Applied::Done)
                };
                self.call("Publish", tell).await?
            }
            Action::KeepAnswer(record) => {
                self.call("PutItem command", |w| {
                    w.commands.insert(record.id.clone(), (**record).clone())
                })
                .await?;
                Ok(Applied::Done)
            }
        }
    }

    async fn pause(&self, _: u32) {
        yield_now().await;
    }
}

impl Apps for Sandbox {
    fn source(&self, repository: &Repository) -> String {
        format!("/ecr-promoter/apps/{repository}")
    }

    async fn app(&self, repository: &Repository) -> Result<Option<App>, Error> {
        let config = self.call("GetParameter", |w| w.config.to_string()).await?;
        if let Some((config, _)) = self.world.get().others.get(repository) {
            return Ok(Some(App::parse(
                repository,
                &format!("/ecr-promoter/apps/{repository}"),
                &config.to_string(),
            )?));
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

    async fn state(&self, _: &Repository) -> Result<Option<State>, Error> {
        self.call("GetItem state", |w| w.state.as_ref().map(|(state, _)| state.clone())).await
    }

    async fn states(
        &self,
        repositories: &[Repository],
    ) -> Result<BTreeMap<Repository, Result<State, Error>>, Error> {
        let read = |w: &mut Inner| {
            let state = |name: &Repository| match w.others.get(name) {
                Some((_, state)) => state.clone(),
                None => w
                    .state
                    .as_ref()
                    .filter(|_| name.as_str() == "web")
                    .map(|(state, _)| state.clone()),
            };
            repositories.iter().filter_map(|name| Some((name.clone(), Ok(state(name)?)))).collect()
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
        })
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

/// Runs `payload` once for each call that it makes and each fault, and delivers it again as Lambda
/// would.
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
                    Some(Err(_)) | None => assert!(
                        attempt < 2,
                        "fault {fault:?} at call {at}: not carried out in three attempts"
                    ),
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

/// How often an interleaving turns away from a handler that could go on. Faults need few such
/// turns, mostly two, and the number of interleavings grows with each:
/// <https://www.microsoft.com/en-us/research/publication/iterative-context-bounding-for-systematic-testing-of-multithreaded-programs/>
const TURNS: usize = 5;

/// Tries every interleaving of these payloads' handlers with at most [`TURNS`], each in a world of
/// its own: choices are counted through like the digits of a number. Answers how many there were.
pub(crate) fn every_interleaving(
    start: &Memory,
    payloads: &[Value],
    check: impl Fn(&Memory),
) -> usize {
    let mut path: Vec<(usize, usize)> = Vec::new();
    let mut runs = 0;
    loop {
        let world = start.fork();
        let (mut step, mut turns, mut last) = (0, 0, None);
        let handlers = payloads
            .iter()
            .enumerate()
            .map(|(i, payload)| world.handler(payload.clone(), &format!("request-{i}")));
        let results = interleave(handlers, |left| {
            let goes_on = last.and_then(|last| left.iter().position(|index| *index == last));
            let is_free = goes_on.is_none() || turns < TURNS;
            if step == path.len() {
                path.push((0, if is_free { left.len() } else { 1 }));
            }
            let place = if is_free { path[step].0 } else { goes_on.unwrap_or(0) };
            turns += usize::from(goes_on.is_some_and(|goes_on| goes_on != place));
            last = Some(left[place]);
            step += 1;
            place
        });
        for result in results {
            result
                .expect("no sandbox died")
                .unwrap_or_else(|error| panic!("interleaving {path:?}: {error}"));
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

/// A resource that an update would replace.
pub(crate) fn change(kind: &str, resource: &str) -> Change {
    let (action, kind, resource) = ("Modify".to_owned(), kind.to_owned(), resource.to_owned());
    Change { action, kind, resource, within: None, replacement: Replacement::Yes }
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

/// Runs several futures, one step at a time, in the order that `choose` says: it is given those
/// that are left, and answers a place among them.
pub(crate) fn interleave<F: Future>(
    futures: impl IntoIterator<Item = F>,
    mut choose: impl FnMut(&[usize]) -> usize,
) -> Vec<F::Output> {
    let (mut indices, mut left): (Vec<usize>, Vec<Pin<Box<F>>>) =
        futures.into_iter().map(Box::pin).enumerate().unzip();
    let mut results = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    while !left.is_empty() {
        let at = choose(&indices);
        if let Poll::Ready(result) = left[at].as_mut().poll(&mut context) {
            drop(left.remove(at));
            results.push((indices.remove(at), result));
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
