//! The one port between the decision and everything outside: what can be seen ([`Snapshot`], [`Question`]) and what can be
//! done ([`Action`]). The real one is `aws`; the tests have one in memory.

use std::collections::{BTreeMap, BTreeSet};

use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::config::{App, Rollback};
use crate::error::Error;
use crate::event::command::{Act, Choice, Command, ImageRef};
use crate::image::{Image, Tags};
use crate::model::{Commit, Digest, Repository, RequestId, Tag, Token};
use crate::request::{Posted, Request};
use crate::review::Review;
use crate::roster::{Roster, Unfinished};
use crate::stack::{Stack, StackEvents};
use crate::state::{CommandRecord, Ended, Notice, State};

/// Everything outside, for one sandbox.
#[expect(async_fn_in_trait, reason = "lambda_runtime::run has no Send bound on its handler's future")]
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
    /// Every configured app, or why its configuration cannot be used: read anew.
    async fn apps(&self) -> Result<Vec<(Repository, Result<App, Error>)>, Error>;
    /// The same, at most 60 s old: for those who look again every few seconds.
    async fn known_apps(&self) -> Result<Vec<(Repository, Result<App, Error>)>, Error>;
    /// A secret; `again` where the known one may be out of date: it is then read anew, at most once a minute.
    async fn secret(&self, secret: Secret, again: bool) -> Result<Option<SecretString>, Error>;
    /// What a request is about; `None` if there never was one, or it ended long ago.
    async fn request(&self, id: &RequestId) -> Result<Option<Asked>, Error>;
    /// Whether an address that a payload names is Slack's own.
    fn is_response_url(&self, url: &str) -> bool;
    /// Says something to one person in Slack, if that can be done in time.
    async fn whisper(&self, to: &Listener, text: &str, within: Duration);
    /// The apps that there were at the schedule's last full look, and what its next write is conditional on.
    async fn roster(&self) -> Result<(Roster, Version), Error>;
    /// Remembers the apps that there are, if nobody else did since.
    async fn keep_roster(&self, roster: &Roster, version: &Version) -> Result<Applied, Error>;
    /// Where looks go on that ran out of time, and what its next write is conditional on.
    async fn unfinished(&self) -> Result<(Unfinished, Version), Error>;
    /// Remembers where looks go on, if nobody else did since.
    async fn keep_unfinished(&self, unfinished: &Unfinished, version: &Version) -> Result<Applied, Error>;
    /// An app's state alone: one read.
    async fn state(&self, repository: &Repository) -> Result<Option<State>, Error>;
    /// The states of these apps, as few reads as possible. One that cannot be read hides no other.
    async fn states(&self, repositories: &[Repository]) -> Result<BTreeMap<Repository, Result<State, Error>>, Error>;
    /// An app's stack and its events, back to this time.
    async fn watch(&self, app: &App, since: Option<Timestamp>) -> Result<(Option<Stack>, StackEvents), Error>;
    /// The function's own address, which ends with `/`; `None` where nobody wrote it down.
    async fn public_url(&self) -> Result<Option<String>, Error>;
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
    /// Most likely nothing is to be done: an image is then read only when it is asked for.
    pub is_routine: bool,
}

impl Subject {
    /// What a command is about.
    pub fn of(command: &Command) -> Self {
        let (image, acts) = match &command.act {
            Act::Promote(image) | Act::Rollback(image) => (image.as_ref(), true),
            Act::Plan(image) => (image.as_ref(), false),
            Act::Approve(Choice::Image(image)) | Act::Reject(Choice::Image(image)) => (Some(image), true),
            Act::Approve(Choice::Request(_)) | Act::Reject(Choice::Request(_)) => (None, true),
            Act::Cancel | Act::Hold(_) | Act::Resume | Act::Ask | Act::AskAgain(_) | Act::RollBackFrom(_) => (None, true),
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
    /// Who holds which tag; `None` if the repository does not exist.
    pub tags: Option<Tags>,
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
    /// What promotions would change in the stack, where that was looked at.
    pub reviews: BTreeMap<Token, Review>,
    /// What this invocation's own calls were answered.
    pub tried: Tried,
}

/// The images of a commit, as far as the repository could be searched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matches {
    /// Those that say so.
    pub digests: Vec<Digest>,
    /// How many other images may say so too and were not read: they were too many for the time there is. 0: all were read.
    pub unread: usize,
}

/// The nonce of a state's last writer; `None` before the first write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Version(pub Option<String>);

/// What earlier rounds of the same invocation learned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tried {
    /// Tags that ECR said are on another digest.
    pub taken: BTreeSet<Tag>,
    /// Searches by commit, which may take longer than a decision may rest on its reads.
    pub matches: BTreeMap<Commit, Matches>,
    /// An update that CloudFormation called "no updates".
    pub no_updates: Option<Token>,
    /// An update that CloudFormation refused for good, with its words.
    pub refused: Option<(Token, String)>,
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
    /// The stack and its events, back to this time.
    Events(Option<Timestamp>),
    /// The images built from this commit.
    Matches(Commit),
    /// What this promotion's change set would change; waited for, but not for long.
    Review(Token),
    /// What was promoted before.
    History,
}

/// A write, complete in itself and repeatable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Writes the records, all or none, if nobody wrote the state since it was read.
    Save(Box<Records>),
    /// The same, where only what was told is lost if somebody else wrote first: then it may be told again.
    Mark(Box<Records>),
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
    CreateChangeSet(Update),
    /// Sends the one update of this promotion, which was reviewed.
    ExecuteChangeSet(Token),
    /// Removes a change set that is not needed any more.
    DeleteChangeSet(Token),
    /// Cancels the update of this promotion, which is under way.
    CancelUpdate(Token),
    /// Tells people what has become so.
    Tell(Notice),
    /// Shows people in Slack what a request has come to.
    Show(Box<Request>),
    /// Keeps a command's answer, now that it is known.
    KeepAnswer(Box<CommandRecord>),
}

impl Action {
    /// Its name, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Action::Save(_) => "Save",
            Action::Mark(_) => "Mark",
            Action::PutTag { .. } => "PutTag",
            Action::UpdateStack(_) => "UpdateStack",
            Action::CreateChangeSet(_) => "CreateChangeSet",
            Action::ExecuteChangeSet(_) => "ExecuteChangeSet",
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

/// One update that changes one parameter: by `UpdateStack`, or by a change set of the token's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Its `ClientRequestToken`, and the name of its change set.
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
    /// Somebody else wrote the state (or carried out the command) first.
    Conflict,
    /// The tag is on another digest.
    TagTaken,
    /// It cannot be done yet, and is not forgotten.
    PutOff,
    /// CloudFormation did not take the update.
    NotUpdated(NotUpdated),
}

/// Why CloudFormation did not take an update, or may not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotUpdated {
    /// The stack is busy, or this token is known.
    Contested,
    /// *No updates are to be performed.*
    NothingToDo,
    /// Refused for good, in CloudFormation's words.
    Refused(String),
    /// The answer was lost, or it could not be taken just now.
    Unsure(String),
}
