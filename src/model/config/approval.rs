//! The key `approval` of a configuration.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::check::{Wrong, ensure};

/// The people who approve, and how they are asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Approval {
    /// The id of the Slack channel to ask in.
    pub slack_channel: Option<String>,
    /// Slack user ids that may decide and command; empty = anyone in the channel.
    pub approvers: Vec<String>,
    /// How many different people must approve.
    pub required: u32,
    /// The hours after which a request can no longer be approved.
    pub expires_hours: u32,
    /// Whether a mail link may decide; absent = yes, unless `approvers` or `required` asks for
    /// identities.
    pub links: Option<bool>,
}

impl Approval {
    /// Whether only people whose identity Slack's signature proves may decide.
    pub fn needs_identity(&self) -> bool {
        !self.approvers.is_empty() || self.required > 1
    }

    /// Checks that these approvals can be given, and that people can be asked.
    pub(super) fn check(&self) -> Result<(), Wrong> {
        ensure(self.required >= 1, "approval.required", "expected a number of people, at least 1")?;
        self.check_approvers()?;
        ensure(
            self.slack_channel.as_deref().is_none_or(is_channel),
            "approval.slack_channel",
            "expected the channel's id (`C…` or `G…`), not its name: Slack does not show the \
             names of private channels. In Slack, open the channel and click on its name: the id \
             is at the end of the tab *About*",
        )?;
        ensure(
            !self.needs_identity() || self.slack_channel.is_some(),
            "approval.slack_channel",
            "expected a channel's id, such as `C024BE91L`: with `approval.approvers`, or \
             `approval.required` above 1, people decide in Slack only, and without a channel \
             nobody is asked there",
        )?;
        ensure(
            (1..=8760).contains(&self.expires_hours),
            "approval.expires_hours",
            "expected 1-8760 hours",
        )
    }

    fn check_approvers(&self) -> Result<(), Wrong> {
        ensure(
            self.approvers.is_empty() || self.required as usize <= self.approvers.len(),
            "approval.required",
            "expected no more people than `approval.approvers` lists, or nothing could ever be \
             approved",
        )?;
        ensure(
            self.approvers.iter().all(|id| is_user(id)),
            "approval.approvers",
            "expected Slack user ids, such as `U024BE7LH`",
        )?;
        ensure(
            self.approvers.iter().collect::<BTreeSet<_>>().len() == self.approvers.len(),
            "approval.approvers",
            "expected each person once: a person who is listed twice still has one vote",
        )
    }
}

impl Default for Approval {
    fn default() -> Self {
        Self {
            slack_channel: None,
            approvers: Vec::new(),
            required: 1,
            expires_hours: 72,
            links: None,
        }
    }
}

/// Whether this is a channel's id: `C…`, or `G…` for an older private channel. Names of channels
/// have no capital letters in Slack.
fn is_channel(text: &str) -> bool {
    (2..=64).contains(&text.len())
        && text.starts_with(['C', 'G'])
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

fn is_user(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric())
}
