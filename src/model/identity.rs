//! Who a call to another account is made for, as CloudTrail shows it there. No I/O here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::command::{Command, Via};

/// The longest source identity, in characters.
const LONGEST: usize = 64;

/// The source identity of a session: 2-64 characters of `[\w+=,.@-]`. It is fixed for the session,
/// and CloudTrail shows it with each call.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceIdentity(String);

impl SourceIdentity {
    /// The identity for a person in Slack: the user's id.
    pub fn of_slack(user: &str) -> Self {
        let is_allowed = |c: &char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(*c);
        let user: String = user.chars().filter(is_allowed).take(LONGEST).collect();
        Self(if user.len() < 2 { "slack".to_owned() } else { user })
    }

    /// The identity for what came this way, where nobody's identity is proved.
    pub fn of_way(via: Via) -> Self {
        match via {
            Via::Sns => Self("sns".to_owned()),
            Via::Direct => Self("direct".to_owned()),
            Via::Link => Self("link".to_owned()),
            Via::Slack => Self("slack".to_owned()),
            Via::Push | Via::Schedule | Via::Alarm => Self::default(),
        }
    }

    /// The identity for a command.
    pub fn of(command: &Command) -> Self {
        match &command.slack {
            Some(origin) => Self::of_slack(&origin.user),
            None => Self::of_way(command.via),
        }
    }

    /// The value as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The identity for looks, which nobody asked for.
impl Default for SourceIdentity {
    fn default() -> Self {
        Self("ecr-promoter".to_owned())
    }
}

impl fmt::Display for SourceIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_has_only_the_characters_that_sts_takes() {
        assert_eq!(SourceIdentity::of_slack("U024BE7LH").as_str(), "U024BE7LH");
        assert_eq!(SourceIdentity::of_slack("U 0\n2").as_str(), "U02");
        assert_eq!(SourceIdentity::of_slack("é").as_str(), "slack");
        assert_eq!(SourceIdentity::of_slack(&"U".repeat(99)).as_str().len(), 64);
        assert_eq!(SourceIdentity::of_way(Via::Link).as_str(), "link");
        assert_eq!(SourceIdentity::of_way(Via::Push), SourceIdentity::default());
    }
}
