//! What was seen of an app, and what more can be asked. Types only.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::change_set::ChangeSet;
use crate::model::command::{Act, Choice, Command, ImageRef};
use crate::model::image::{Image, TagMutability, Tags};
use crate::model::promotion::Ended;
use crate::model::stack::{EventsWanted, Stack, StackEvents};
use crate::model::state::{CommandRecord, State};
use crate::model::{Commit, Digest, Tag, Token};

/// What a look is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subject {
    /// The image that the event or command names by digest.
    pub digest: Option<Digest>,
    /// The command, whose earlier answer is looked for.
    pub command: Option<String>,
    /// Most likely nothing is to be done: what only a promotion needs is then read when it is asked
    /// for.
    pub is_routine: bool,
}

impl Subject {
    /// What a command is about.
    pub fn of(command: &Command) -> Self {
        let (image, acts) = match &command.act {
            Act::Promote(image) | Act::Rollback(image) => (image.as_ref(), true),
            Act::Plan(image) => (image.as_ref(), false),
            Act::Approve(Choice::Image(image)) | Act::Reject(Choice::Image(image)) => {
                (Some(image), true)
            }
            Act::Approve(Choice::Request(_)) | Act::Reject(Choice::Request(_)) => (None, true),
            Act::Cancel
            | Act::Hold(_)
            | Act::Resume
            | Act::Ask
            | Act::AskAgain(_)
            | Act::RollBackFrom(_) => (None, true),
            Act::Status | Act::History | Act::Reconcile => (None, false),
        };
        let digest = match image {
            Some(ImageRef::Digest(digest)) => Some(digest.clone()),
            Some(ImageRef::Commit(_) | ImageRef::Tag(_)) | None => None,
        };
        Self { digest, command: acts.then(|| command.id.clone()), is_routine: false }
    }
}

/// What was seen just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// When the reads began.
    pub at: Timestamp,
    /// The app's state; `None` at the first sight.
    pub state: Option<State>,
    /// What the state's next write is conditional on.
    pub version: Version,
    /// The command's record, if it was carried out before.
    pub command: Option<CommandRecord>,
    /// The stack; `None` if it does not exist.
    pub stack: Option<Stack>,
    /// Who holds which tag, as far as it was read; `None` if the repository does not exist.
    pub tags: Option<Tags>,
    /// Tags that were asked for by name, after the state and the stack were read: what is on them
    /// may be held against somebody.
    pub asked_tags: BTreeSet<Tag>,
    /// The configuration was read once more, after the state.
    pub is_configuration_newer: bool,
    /// Which tags can be moved, where that was asked.
    pub mutability: Option<TagMutability>,
    /// What the source tag is on.
    pub newest: Option<Digest>,
    /// Images that were read; `Err` says why one cannot be pulled.
    pub images: BTreeMap<Digest, Result<Image, String>>,
    /// Why an image cannot be pulled although it is there (it is archived), where that was asked.
    pub unavailable: BTreeMap<Digest, Option<String>>,
    /// What image configs said, where they were read.
    pub labels: BTreeMap<Digest, Option<Commit>>,
    /// The stack's events, where they were read; read after `state`, together with `stack` anew.
    pub events: Option<StackEvents>,
    /// The images of a commit, where they were looked for.
    pub matches: BTreeMap<Commit, Matches>,
    /// The last promotions that ended, newest first, where they were read.
    pub history: Option<Vec<Ended>>,
    /// What change sets would change in the stack, by ARN, where they were read.
    pub change_sets_read: BTreeMap<String, ChangeSet>,
    /// Random hex digits from the operating system, for names that nobody can guess.
    pub nonce: String,
    /// What this invocation's own calls were answered.
    pub learned: Learned,
}

/// The images of a commit, as far as the repository could be searched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matches {
    /// Those that say so.
    pub digests: Vec<Digest>,
    /// How many other images were not read, since there was no time. 0: all were read.
    pub unread: usize,
}

impl Snapshot {
    /// Nothing seen yet, by reads that begin now.
    pub fn at(at: Timestamp, nonce: String) -> Self {
        Self {
            at,
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
            nonce,
            learned: Learned::default(),
        }
    }

    /// What tags are on, and which tags images have, as it was asked for just now.
    pub fn note_tags(
        &mut self,
        source_tag: &Tag,
        named: impl IntoIterator<Item = (Tag, Option<Digest>)>,
        of: impl IntoIterator<Item = (Digest, BTreeSet<Tag>)>,
    ) {
        let tags = self.tags.get_or_insert_default();
        for (digest, its) in of {
            tags.insert_all_of(&digest, its);
        }
        for (tag, holder) in named {
            if tag == *source_tag {
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

/// What earlier rounds of the same invocation learned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Learned {
    /// Tags that ECR said are on another digest.
    pub taken: BTreeSet<Tag>,
    /// Searches by commit. They are kept, since one may take longer than the reads of a look may be
    /// old.
    pub matches: BTreeMap<Commit, Matches>,
    /// An update that CloudFormation called "no updates".
    pub no_updates: Option<Token>,
    /// An update that CloudFormation refused for good, with its words.
    pub refused: Option<(Token, String)>,
    /// How often two reads did not fit together.
    pub vain_looks: u32,
    /// Change sets, by name, of which it is not known whether they exist and who made them.
    pub lost_change_sets: BTreeSet<String>,
    /// The update whose token CloudFormation said it knows, and how often.
    pub known_token: Option<(Token, u32)>,
}

/// A read that only some decisions need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// This image's manifest, by digest.
    Image(Digest),
    /// Whether this image can be pulled now, its storage class included.
    Availability(Digest),
    /// The commit label in this image's config.
    Label(Digest),
    /// The stack and its events, back to where they tell this.
    Events(EventsWanted),
    /// What these tags are on, and all tags of these images.
    Tags(TagsWanted),
    /// Which tags can be moved.
    Mutability,
    /// The app's configuration, read anew. Where it has changed, the look begins again with it.
    Configuration,
    /// The images built from this commit.
    Matches(Commit),
    /// What the change set with this ARN would change. The read waits some seconds until
    /// CloudFormation has made it.
    ChangeSet(String),
    /// What was promoted before.
    History,
}

/// What is asked about tags, in one round trip.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagsWanted {
    /// Tags whose image is asked for.
    pub named: BTreeSet<Tag>,
    /// Images whose tags are asked for.
    pub of: BTreeSet<Digest>,
}
