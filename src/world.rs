//! The one port between the decision and everything outside: what can be seen ([`Snapshot`],
//! [`Question`]) and what can be done ([`Action`]). The real one is `aws`; the tests have one in
//! memory.

use std::collections::{BTreeMap, BTreeSet};

use std::time::Duration;

use futures_util::future::try_join;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::config::{App, ConfigError, Rollback};
use crate::error::Error;
use crate::event::command::{Act, Choice, Command, ImageRef};
use crate::link::{PublicUrl, Signer};
use crate::model::approval::{Posted, Request};
use crate::model::change_set::Review;
use crate::model::image::{Image, TagMutability, Tags};
use crate::model::known_apps::{Roster, Unfinished};
use crate::model::session::Session;
use crate::model::stack::{EventsWanted, Stack, StackEvents};
use crate::model::state::{CommandRecord, Ended, Notice, State};
use crate::model::{Commit, Digest, Repository, RequestId, SessionId, Tag, Token};
use crate::nearest::did_you_mean;
use crate::slack::team::Installation;

/// Everything outside, for one sandbox.
#[expect(
    async_fn_in_trait,
    reason = "lambda_runtime::run has no Send bound on its handler's future"
)]
pub trait World {
    /// The time.
    fn now(&self) -> Timestamp;
    /// The Parameter Store name under which an app's configuration is, or would be.
    fn source(&self, repository: &Repository) -> String;
    /// The Parameter Store name of a secret.
    fn secret_source(&self, secret: Secret) -> String;
    /// The Parameter Store name of the function's own address.
    fn public_url_source(&self) -> String;
    /// An app's configuration, at most 60 s old; `None` where the repository has none.
    async fn app(&self, repository: &Repository) -> Result<Option<App>, Error>;
    /// The same, read just now.
    async fn app_now(&self, repository: &Repository) -> Result<Option<App>, Error>;
    /// Every configured app, or why its configuration cannot be used: read anew.
    async fn apps(&self) -> Result<Vec<(Repository, Result<App, Error>)>, Error>;
    /// The same, at most 60 s old: for those who look again every few seconds.
    async fn known_apps(&self) -> Result<Vec<(Repository, Result<App, Error>)>, Error>;
    /// The names of the apps, to suggest one for a misspelt name; empty if they cannot be read
    /// quickly.
    async fn app_names(&self) -> Vec<String> {
        let apps = self.known_apps().await.unwrap_or_default();
        apps.into_iter().map(|(repository, _)| repository.to_string()).collect()
    }
    /// Ends a sentence about an app that is not configured: names the app, or one of these words,
    /// that may have been meant.
    async fn did_you_mean(&self, repository: &Repository, words: &[&str]) -> String {
        let apps = self.app_names().await;
        let known = words.iter().copied().chain(apps.iter().map(String::as_str));
        did_you_mean(repository.as_str(), known)
    }
    /// A secret, at most 60 s old; `None` where there is none.
    async fn secret(&self, secret: Secret) -> Result<Option<SecretString>, Error>;
    /// Where the Slack app is installed, as Slack says; `None` without Slack's answer, and then
    /// nobody in Slack may vote or command.
    async fn installation(&self) -> Option<Installation>;
    /// A board's session by its id.
    async fn session(&self, id: &SessionId) -> Result<Option<Session>, Error>;
    /// Writes a session, unless there is one of this id.
    async fn open_session(&self, session: &Session) -> Result<Applied, Error>;
    /// What a request is about; `None` if there never was one, or it ended long ago.
    async fn request(&self, id: &RequestId) -> Result<Option<Asked>, Error>;
    /// Whether an address that a payload names is Slack's own.
    fn is_response_url(&self, url: &str) -> bool;
    /// Says something to one person in Slack, if that can be done in time.
    async fn whisper(&self, to: &Listener, text: &str, within: Duration);
    /// The apps that there were at the schedule's last full look, and what its next write is
    /// conditional on.
    async fn roster(&self) -> Result<(Roster, Version), Error>;
    /// Remembers the apps that there are, if nobody else did since.
    async fn keep_roster(&self, roster: &Roster, version: &Version) -> Result<Applied, Error>;
    /// Where the next look goes on, if the last one ran out of time, and what its next write is
    /// conditional on.
    async fn unfinished(&self) -> Result<(Unfinished, Version), Error>;
    /// Writes where the next look goes on, if nobody else did since.
    async fn keep_unfinished(
        &self,
        unfinished: &Unfinished,
        version: &Version,
    ) -> Result<Applied, Error>;
    /// An app's state alone: one read.
    async fn state(&self, repository: &Repository) -> Result<Option<State>, Error>;
    /// The states of these apps, as few reads as possible. One that cannot be read hides no other.
    async fn states(
        &self,
        repositories: &[Repository],
    ) -> Result<BTreeMap<Repository, Result<State, Error>>, Error>;
    /// An app's stack and its events, read back until they tell what is wanted.
    async fn watch(
        &self,
        app: &App,
        wanted: &EventsWanted,
    ) -> Result<(Option<Stack>, StackEvents), Error>;
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
    /// The reads that every look needs, side by side: one round trip.
    async fn observe(&self, app: &App, subject: &Subject) -> Result<Snapshot, Error>;
    /// One further read that a decision asked for, into the snapshot.
    async fn read(&self, app: &App, question: &Question, seen: &mut Snapshot) -> Result<(), Error>;
    /// One write. Those of the state are conditional on `version`.
    async fn apply(&self, app: &App, action: &Action, version: &Version) -> Result<Applied, Error>;
    /// Lets others go first before looking again.
    async fn pause(&self, round: u32);
}

/// What only the function and one other side know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secret {
    /// What Slack signs its requests with.
    SlackSigningSecret,
    /// What the function calls Slack with.
    SlackBotToken,
    /// What links are signed with.
    Links,
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

/// What a request is about: how it is found by its id alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The app.
    pub repository: Repository,
    /// The image.
    pub digest: Digest,
}

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
    pub reviews: BTreeMap<String, Review>,
    /// Random hex digits from the operating system, for names that nobody can guess.
    pub nonce: String,
    /// What this invocation's own calls were answered.
    pub tried: Tried,
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
            reviews: BTreeMap::new(),
            nonce,
            tried: Tried::default(),
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
pub struct Tried {
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
    Review(String),
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

/// A write, complete in itself and repeatable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Writes the records, all or none, if nobody wrote the state since it was read.
    Save(Box<Records>),
    /// The same, where only what was told is lost if somebody else wrote first: then it may be told
    /// again.
    Mark(Box<Records>),
    /// Looks whether each tag is on its image or on none, where PutImage would take it from
    /// another.
    CheckTags(Vec<(Tag, Digest)>),
    /// Puts a tag on an image.
    PutTag {
        /// The image, its manifest included.
        image: Box<Image>,
        /// The tag.
        tag: Tag,
    },
    /// Sends the one update of a promotion.
    UpdateStack(Update),
    /// Has CloudFormation work out what this update would change. Nothing that runs changes.
    CreateChangeSet {
        /// The update.
        update: Update,
        /// The change set's name.
        name: String,
    },
    /// Sends the one update of this promotion, which was reviewed.
    ExecuteChangeSet {
        /// The promotion.
        token: Token,
        /// Its change set.
        arn: String,
    },
    /// Removes a change set that is not needed any more, by its ARN, or by its name where that is
    /// not known.
    DeleteChangeSet(String),
    /// Cancels the update of this promotion, which is under way.
    CancelUpdate(Token),
    /// Notifies people.
    Tell(Notice),
    /// Shows people in Slack what a request has come to.
    Show(Box<Request>),
    /// Keeps a command's answer, now that it is known.
    KeepAnswer(Box<CommandRecord>),
}

impl Action {
    /// Whether this asks CloudFormation to do something. CloudFormation does not know the state, so
    /// the reads must be recent.
    pub fn rests_on_reads(&self) -> bool {
        match self {
            Action::UpdateStack(_)
            | Action::CreateChangeSet { .. }
            | Action::ExecuteChangeSet { .. }
            | Action::CancelUpdate(_) => true,
            Action::Save(_)
            | Action::Mark(_)
            | Action::PutTag { .. }
            | Action::DeleteChangeSet(_) => false,
            Action::CheckTags(_) | Action::Tell(_) | Action::Show(_) | Action::KeepAnswer(_) => {
                false
            }
        }
    }

    /// Its name, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Action::Save(_) => "Save",
            Action::Mark(_) => "Mark",
            Action::CheckTags(_) => "CheckTags",
            Action::PutTag { .. } => "PutTag",
            Action::UpdateStack(_) => "UpdateStack",
            Action::CreateChangeSet { .. } => "CreateChangeSet",
            Action::ExecuteChangeSet { .. } => "ExecuteChangeSet",
            Action::DeleteChangeSet(_) => "DeleteChangeSet",
            Action::CancelUpdate(_) => "CancelUpdate",
            Action::Tell(_) => "Tell",
            Action::Show(_) => "Show",
            Action::KeepAnswer(_) => "KeepAnswer",
        }
    }
}

/// What one conditional write writes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Records {
    /// The state; `None` leaves it.
    pub state: Option<State>,
    /// The state's request, if it is a new one: it is to be found by its id.
    pub request: Option<Request>,
    /// Promotions that ended.
    pub history: Vec<Ended>,
    /// A command that is carried out by this write.
    pub command: Option<CommandRecord>,
}

/// One update that changes one parameter: by `UpdateStack`, or by a change set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Its `ClientRequestToken`.
    pub token: Token,
    /// The parameter's new value.
    pub tag: Tag,
    /// All other parameters, which keep their values.
    pub others: Vec<String>,
    /// Capabilities to send back.
    pub capabilities: Vec<String>,
    /// The `RollbackConfiguration`; `None` leaves the stack's own.
    pub rollback: Option<Rollback>,
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
