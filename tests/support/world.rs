//! An AWS in memory: an image repository, a stack that takes updates one at a time, a table with
//! conditional writes, a topic. Every call can fail before or after it took effect.

use std::cell::{Ref, RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::approval::{ApprovalRequest, RequestIndex};
use ecr_promoter::model::bake::Alarm;
use ecr_promoter::model::change_set::Changes;
use ecr_promoter::model::ecs::{Service, StoppedTask};
use ecr_promoter::model::image::Image;
use ecr_promoter::model::known_apps::{KnownApps, Unfinished};
use ecr_promoter::model::measure::Measure;
use ecr_promoter::model::notes::ChangeNotes;
use ecr_promoter::model::notice::Notice;
use ecr_promoter::model::promotion::Ended;
use ecr_promoter::model::session::Session;
use ecr_promoter::model::stack::StackEvent;
use ecr_promoter::model::state::{CommandRecord, State};
use ecr_promoter::model::unread::Unread;
use ecr_promoter::model::{AppName, Digest, RequestId, SessionId, Tag};
use ecr_promoter::slack::team::Installation;
use ecr_promoter::world::NotUpdated;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::change_sets::MadeChangeSet;
use super::parted::Part;
use super::payloads::tag;
use super::slack::{SIGNING_SECRET, TEAM};
use super::stack::OtherStack;

pub(crate) const STACK_ID: &str = "arn:aws:cloudformation:us-east-1:012345678912:stack/web/1";

/// What links are signed with, and where they lead.
pub(crate) const LINK_SECRET: &str = "link-secret-0123456789abcdef0123456789abcdef";
pub(crate) const PUBLIC_URL: &str = "https://example.lambda-url.us-east-1.on.aws/";

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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SecretsOfSlack {
    pub(crate) signing: Option<String>,
    pub(crate) token: Option<String>,
}

/// The world that the handlers share.
#[derive(Clone)]
pub(crate) struct Memory(Rc<RefCell<Inner>>);

/// What is in it.
#[derive(Clone, PartialEq, Default)]
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
    pub(super) other_stack: Option<OtherStack>,
    pub(crate) status: String,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) events: Vec<StackEvent>,
    pub(crate) in_flight: Option<(String, String)>,
    /// The stack's ECS services that run the app's images.
    pub(crate) services: Vec<Service>,
    pub(crate) stopped: Vec<(String, Vec<StoppedTask>)>,
    pub(crate) alarms: Vec<Alarm>,
    /// What the Git host answers to every question.
    pub(crate) git_notes: Option<ChangeNotes>,
    /// Why ECS, or CloudWatch, cannot be read.
    pub(crate) unread_services: Option<Unread>,
    pub(crate) unread_alarms: Option<Unread>,
    /// Whether ECS begins to deploy what an update of the stack brought.
    pub(crate) ecs_follows: bool,
    /// Whether an alarm has taken something back since a person last did something.
    pub(super) alarm_has_acted: bool,
    pub(crate) state: Option<(State, String)>,
    pub(crate) history: BTreeMap<u64, Ended>,
    pub(crate) roster: Option<(KnownApps, String)>,
    pub(crate) unfinished: Option<(Unfinished, String)>,
    pub(crate) commands: BTreeMap<String, CommandRecord>,
    pub(crate) measured: Vec<Measure>,
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
    /// `ENVIRONMENT_NAME`.
    pub(crate) environment: Option<String>,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    /// Further apps, which nobody pushes to: their configuration and their state.
    pub(crate) others: BTreeMap<AppName, (Value, Option<State>)>,
    /// Apps with stacks of their own, and the one of them that the fields are of; `web` at first.
    pub(super) parts: BTreeMap<AppName, Part>,
    pub(super) turned_to: Option<String>,
    /// The tags in the registry that the app's stack pulls from.
    pub(crate) replica: BTreeMap<Tag, Digest>,
    pub(crate) list_never_ends: bool,
    /// What each request is about.
    pub(crate) asked: BTreeMap<RequestId, RequestIndex>,
    /// The messages in Slack, by their time, as they are now.
    pub(crate) slack: BTreeMap<String, ApprovalRequest>,
    pub(crate) slack_is_down: bool,
    pub(crate) topic_is_down: bool,
    /// What the senders of SNS messages were answered, by the message.
    pub(crate) answered: BTreeMap<String, String>,
    pub(crate) whispered: Vec<String>,
    /// The stack's change sets; `None` is somebody else's.
    pub(crate) change_sets: BTreeMap<String, Option<MadeChangeSet>>,
    /// The last change set that was executed, by its ARN.
    pub(super) executed: Option<String>,
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
    pub(super) nonces: u64,
}

impl Memory {
    /// An app `web` in this mode, with nothing pushed and a stack that runs `production_old`.
    pub(crate) fn new(mode: &str) -> Self {
        let parameters =
            [("AppName", "web"), ("ProductionTag", "production_old"), ("Secret", "****")];
        let world = Self(Rc::new(RefCell::new(Inner {
            now: "2026-03-17T09:41:30Z".parse().expect("a time"),
            config: json!({ "stack": "web", "mode": mode, "commit_from": ["tag", "annotation"] }),
            is_immutable: true,
            stack_id: STACK_ID.to_owned(),
            status: "UPDATE_COMPLETE".to_owned(),
            parameters: parameters.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            secrets: SecretsOfSlack {
                signing: Some(SIGNING_SECRET.to_owned()),
                token: Some("xoxb-1".to_owned()),
            },
            installation: Some(Installation { team: TEAM.to_owned(), organisation: None }),
            link_secret: Some(LINK_SECRET.to_owned()),
            public_url: Some(PUBLIC_URL.to_owned()),
            ..Inner::default()
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
