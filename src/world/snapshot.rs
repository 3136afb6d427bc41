//! The snapshot of an app, and the further questions that a decision can ask. Types only.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::bake::Alarm;
use crate::model::change_set::ChangeSet;
use crate::model::command::{Act, Choice, Command, ImageRef, RollbackTo};
use crate::model::config::stage::After;
use crate::model::ecs::known::KnownServices;
use crate::model::ecs::{Service, StoppedTask};
use crate::model::identity::SourceIdentity;
use crate::model::image::{BuildLabels, Image, TagMutability, Tags};
use crate::model::notes::ChangeNotes;
use crate::model::place::Place;
use crate::model::promotion::Ended;
use crate::model::stack::{EventsWanted, Stack, StackEvents};
use crate::model::stage::{Earlier, Stage};
use crate::model::state::{CommandRecord, State};
use crate::model::unread::Unread;
use crate::model::{Commit, Digest, Tag, Token};

/// The image and the command that a look is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subject {
    /// The image that the event or command names by digest.
    pub digest: Option<Digest>,
    /// The id of the command, to find its earlier answer.
    pub command: Option<String>,
    /// Who calls to another account are made for.
    pub identity: SourceIdentity,
    /// Most likely there is nothing to do. What only a promotion needs is then read on request.
    pub is_routine: bool,
}

impl Subject {
    /// The subject of a command.
    pub fn of(command: &Command) -> Self {
        let (image, acts) = match &command.act {
            Act::Promote(image) => (image.as_ref(), true),
            Act::Rollback(RollbackTo::Image(image), _) => (Some(image), true),
            Act::Rollback(RollbackTo::Previous | RollbackTo::Shown(_), _) => (None, true),
            Act::Plan(image) | Act::PlanRollback(image) => (image.as_ref(), false),
            Act::Approve(Choice::Image(image)) | Act::Reject(Choice::Image(image)) => {
                (Some(image), true)
            }
            Act::Approve(Choice::Request(_)) | Act::Reject(Choice::Request(_)) => (None, true),
            Act::Cancel | Act::Hold(_) | Act::Resume | Act::Ask | Act::AskAgain(_) => (None, true),
            Act::Status | Act::History(_) | Act::Reconcile => (None, false),
        };
        let digest = match image {
            Some(ImageRef::Digest(digest)) => Some(digest.clone()),
            Some(ImageRef::Commit(_) | ImageRef::Tag(_)) | None => None,
        };
        Self {
            digest,
            command: acts.then(|| command.id.clone()),
            identity: SourceIdentity::of(command),
            is_routine: false,
        }
    }
}

/// The results of the reads of one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The time when the reads began.
    pub at: Timestamp,
    /// Who calls to another account are made for.
    pub identity: SourceIdentity,
    /// The account and region of the function, as far as they are known.
    pub home: Place,
    /// The app's state; `None` before the first write.
    pub state: Option<State>,
    /// The version of the state, on which the next write is conditional.
    pub version: Version,
    /// The record of the command, if it was carried out before.
    pub command: Option<CommandRecord>,
    /// The stack; `None` if it does not exist.
    pub stack: Option<Stack>,
    /// The tags that were read, and their images; `None` if the repository does not exist.
    pub tags: Option<Tags>,
    /// Tags that were read by name after the state and the stack. Only these prove that somebody
    /// moved or deleted a tag.
    pub asked_tags: BTreeSet<Tag>,
    /// Whether the configuration was read again, after the state.
    pub is_configuration_newer: bool,
    /// The tags that can be moved, if they were read.
    pub mutability: Option<TagMutability>,
    /// The image that the source tag is on.
    pub newest: Option<Digest>,
    /// Images that were read; `Err` says why one cannot be pulled.
    pub images: BTreeMap<Digest, Result<Image, String>>,
    /// The reason why an existing image cannot be pulled, for images that were checked.
    pub unavailable: BTreeMap<Digest, Option<String>>,
    /// The labels of image configs that were read.
    pub labels: BTreeMap<Digest, BuildLabels>,
    /// The stack's events, if they were read. They are read after `state`, and `stack` with them
    /// once more.
    pub events: Option<StackEvents>,
    /// The images of a commit, if they were searched for.
    pub matches: BTreeMap<Commit, Matches>,
    /// The last promotions that ended, newest first, if they were read.
    pub history: Option<Vec<Ended>>,
    /// The change sets that were read, by ARN.
    pub change_sets_read: BTreeMap<String, ChangeSet>,
    /// The stack's services that run the app's images, if they were read.
    pub services: Option<Result<Vec<Service>, Unread>>,
    /// The stopped tasks of these services, by the service's ARN, if they were read.
    pub stopped: Option<Vec<(String, Vec<StoppedTask>)>>,
    /// The alarms that were asked for, if they were read. One that does not exist is missing.
    pub alarms: Option<Result<Vec<Alarm>, Unread>>,
    /// Change notes of the Git host between two commits; `None` where it knows nothing.
    pub notes: BTreeMap<(Commit, Commit), Option<ChangeNotes>>,
    /// The image that a tag is on in the registry that the stack pulls from, if that was read.
    pub replicas: BTreeMap<Tag, Option<Digest>>,
    /// What the earlier app says, for an app with one; `Err` says why its configuration does not
    /// fit this one's.
    pub stage: Option<Result<Stage, String>>,
    /// Random hex digits from the operating system, for names that nobody can guess.
    pub nonce: String,
    /// Answers to earlier rounds of this invocation.
    pub learned: Learned,
}

/// The images of a commit that a search has found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matches {
    /// The images that name the commit.
    pub digests: Vec<Digest>,
    /// The number of images that there was no time to read.
    pub unread: usize,
}

impl Snapshot {
    /// An empty snapshot, before the first read.
    pub fn at(at: Timestamp, nonce: String) -> Self {
        Self {
            at,
            identity: SourceIdentity::default(),
            home: Place::default(),
            state: None,
            version: Version::default(),
            command: None,
            stack: None,
            tags: None,
            asked_tags: BTreeSet::new(),
            is_configuration_newer: false,
            mutability: None,
            newest: None,
            images: BTreeMap::new(),
            unavailable: BTreeMap::new(),
            labels: BTreeMap::new(),
            events: None,
            matches: BTreeMap::new(),
            history: None,
            change_sets_read: BTreeMap::new(),
            services: None,
            stopped: None,
            alarms: None,
            notes: BTreeMap::new(),
            replicas: BTreeMap::new(),
            stage: None,
            nonce,
            learned: Learned::default(),
        }
    }

    /// Adds what the earlier app says. Its image that has run long enough is this app's candidate.
    pub fn note_earlier(&mut self, after: &After, earlier: Result<Earlier, String>) {
        let own = self.state.as_ref();
        let stage = earlier.map(|earlier| Stage::of(after, &earlier, own, self.at));
        let candidate = stage.as_ref().ok().and_then(|stage| stage.candidate.as_ref());
        self.newest = candidate.map(|candidate| candidate.digest.clone());
        self.stage = Some(stage);
    }

    /// Adds the images of tags, and the tags of images, that were just read. The image that
    /// `source_tag` is on is the newest; `None` where no tag says which image comes next.
    pub fn note_tags(
        &mut self,
        source_tag: Option<&Tag>,
        named: impl IntoIterator<Item = (Tag, Option<Digest>)>,
        of: impl IntoIterator<Item = (Digest, BTreeSet<Tag>)>,
    ) {
        let tags = self.tags.get_or_insert_default();
        for (digest, its) in of {
            tags.insert_all_of(&digest, its);
        }
        for (tag, holder) in named {
            if Some(&tag) == source_tag {
                self.newest.clone_from(&holder);
            }
            tags.insert(tag.clone(), holder);
            self.asked_tags.insert(tag);
        }
    }
}

/// The nonce of a state's last writer; `None` before the first write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Version(pub Option<String>);

/// Answers to earlier rounds of the same invocation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Learned {
    /// Tags that are on another image, as ECR said.
    pub taken: BTreeSet<Tag>,
    /// Where these tags are in the registry that the stack pulls from: not on their images.
    pub replicas: BTreeMap<Tag, Option<Digest>>,
    /// The results of searches, by commit. They are kept: a search may take longer than the time
    /// for which the other reads of a look are valid.
    pub matches: BTreeMap<Commit, Matches>,
    /// The update for which CloudFormation said "no updates".
    pub no_updates: Option<Token>,
    /// The update that CloudFormation refused, with its message.
    pub refused: Option<(Token, String)>,
    /// The number of rounds in which two reads contradicted each other.
    pub vain_looks: u32,
    /// What the Git host has answered, which may have taken two seconds.
    pub notes: BTreeMap<(Commit, Commit), Option<ChangeNotes>>,
    /// Why ECS could not be read: another try would take as long again.
    pub unread_services: Option<Unread>,
    /// Why the alarms could not be read.
    pub unread_alarms: Option<Unread>,
    /// The names of change sets that may exist, and that somebody else may have made.
    pub lost_change_sets: BTreeSet<String>,
    /// The update whose token CloudFormation knew already, and how often it said so.
    pub known_token: Option<(Token, u32)>,
}

/// A read that only some decisions need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// This image's manifest, by digest.
    Image(Digest),
    /// Whether this image can be pulled now. An archived one cannot.
    Availability(Digest),
    /// The commit label in this image's config.
    Label(Digest),
    /// The stack and its events, as far back as they are wanted.
    Events(EventsWanted),
    /// The images of these tags, and all tags of these images.
    Tags(TagsWanted),
    /// The tags that can be moved.
    Mutability,
    /// The app's configuration, read again. If it has changed, the look starts again with it.
    Configuration,
    /// The images built from this commit.
    Matches(Commit),
    /// The changes in the change set with this ARN. The read waits some seconds for CloudFormation
    /// to create it.
    ChangeSet(String),
    /// The image that this tag is on in the registry that the stack pulls from.
    Replica(Tag),
    /// The promotions that ended: the last ones, or those before the one with this number.
    History(Option<u64>),
    /// The app before this one, in its present state: always read after this app's own state.
    Earlier(After),
    /// The stack's services that run the app's images.
    Services(ServicesWanted),
    /// The stopped tasks of these services, which say why a deployment failed.
    StoppedTasks(Vec<String>),
    /// The commits from the first to the second, as the Git host lists them.
    Notes(Commit, Commit),
    /// The alarms of these names.
    Alarms(Vec<String>),
}

/// A question about a stack's services.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServicesWanted {
    /// What is known, so that it need not be read again.
    pub known: KnownServices,
    /// Whether their deployments are wanted too.
    pub with_deployments: bool,
}

/// Questions about tags that are read in one round trip.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagsWanted {
    /// Tags whose image is wanted.
    pub named: BTreeSet<Tag>,
    /// Images whose tags are wanted.
    pub of: BTreeSet<Digest>,
}
