//! What was read about an app for its check. No I/O here.

use super::template::Template;
use crate::model::Digest;
use crate::model::bake::Alarm;
use crate::model::image::TagMutability;
use crate::model::place::Place;
use crate::model::stack::Stack;
use crate::model::unread::Unread;

/// A read of a check: a failed one ends nothing.
pub type Read<T> = Result<T, Unread>;

/// What was read about one app. `None`: the configuration does not ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The account and region of the function.
    pub home: Place,
    /// The stack; the inner `None`: there is none.
    pub stack: Read<Option<Stack>>,
    /// What the stack's template says.
    pub template: Option<Read<Template>>,
    /// The repository; the inner `None`: there is none.
    pub repository: Read<Option<TagMutability>>,
    /// The image that the source tag is on.
    pub newest: Option<Read<Option<Digest>>>,
    /// The repository's lifecycle policy, as JSON; the inner `None`: there is none.
    pub lifecycle: Read<Option<String>>,
    /// What the app before this one is: an error in words.
    pub earlier: Option<Read<Result<(), String>>>,
    /// How many ECS services of the stack run the repository.
    pub services: Option<Read<usize>>,
    /// The alarms that are named by the configuration and exist.
    pub alarms: Option<Read<Vec<Alarm>>>,
    /// The image that the running tag is on in the registry that the stack pulls from.
    pub replica: Option<Read<Option<Digest>>>,
    /// Whether notices have a topic.
    pub has_topic: bool,
    /// What Slack says.
    pub slack: Option<SlackFacts>,
    /// What links need.
    pub links: LinkFacts,
    /// What GitHub says of the token.
    pub git: Option<GitFacts>,
}

/// What Slack says about the bot and its channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlackFacts {
    /// The length of the signing secret; the inner `None`: there is none. It is read only where the
    /// function has an address that Slack can call.
    pub signing_secret: Option<Read<Option<usize>>>,
    /// The bot; the inner `None`: there is no token.
    pub bot: Read<Option<Bot>>,
    /// The answer about the channel, where the bot is known.
    pub channel: Option<Channel>,
}

/// Slack's answer to the bot's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bot {
    /// Slack accepts it, and lists these scopes, if it lists them.
    Known(Option<Vec<String>>),
    /// Slack refused it, with this error code.
    Refused(String),
    /// Slack did not answer.
    Unknown(String),
}

/// Slack's answer about a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Channel {
    /// The bot sees it.
    Seen {
        /// Whether the bot is a member.
        is_member: bool,
        /// Whether it is archived.
        is_archived: bool,
    },
    /// Slack refused the question, with this error code.
    Refused(String),
    /// Slack did not answer.
    Unknown(String),
}

/// What links need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkFacts {
    /// The Parameter Store name of the key.
    pub key_name: String,
    /// Whether there is a key; the error says why it cannot be used. It is read only where the
    /// function has an address.
    pub key: Option<Read<bool>>,
    /// Whether the function knows its own address.
    pub address: Read<bool>,
}

/// What GitHub says of the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GitFacts {
    /// There is no token: change notes come from the candidates that were seen.
    NoToken,
    /// The token cannot be read.
    Unread(Unread),
    /// GitHub refused it.
    Refused(String),
    /// GitHub did not answer.
    Unknown(String),
    /// It reads the repository.
    Reads(Writes),
}

/// Whether a Git token can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// Its owner cannot, so it cannot either.
    No,
    /// Its owner can. What a fine-grained token itself may do, GitHub does not say.
    Perhaps,
    /// Its scopes say so.
    Yes,
}
