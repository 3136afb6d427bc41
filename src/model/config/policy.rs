//! Who decides about an app, and how people hear that this has changed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The effect of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It asks people for approval.
    #[default]
    Approval,
    /// It is promoted at once.
    Auto,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Approval => "approval",
            Mode::Auto => "auto",
        })
    }
}

/// The rules for decisions about an app, from its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Whether a push asks for approval or is promoted.
    pub mode: Mode,
    /// Slack user ids of those who may decide; empty = anyone of the installed team in the app's
    /// channel.
    pub approvers: Vec<String>,
    /// How many different people must approve.
    pub required: u32,
    /// Whether a mail link may decide.
    pub links: bool,
}

impl Policy {
    /// Whether only people whose identity Slack's signature proves may decide.
    pub fn needs_identity(&self) -> bool {
        !self.approvers.is_empty() || self.required > 1
    }

    /// Lists the changes since an earlier policy, each with the value before and now.
    pub fn changes_since(&self, before: &Policy) -> Vec<String> {
        let list = |approvers: &[String]| {
            if approvers.is_empty() {
                "anyone in the channel".to_owned()
            } else {
                approvers.join(", ")
            }
        };
        let may = |links: bool| if links { "may decide" } else { "may not decide" };
        let mode = |mode: Mode| format!("`{mode}`");
        let all = [
            ("mode", mode(before.mode), mode(self.mode)),
            ("approvers", list(&before.approvers), list(&self.approvers)),
            ("people who must approve", before.required.to_string(), self.required.to_string()),
            ("links", may(before.links).to_owned(), may(self.links).to_owned()),
        ];
        let changed = all.into_iter().filter(|(_, before, now)| before != now);
        changed.map(|(what, before, now)| format!("{what}: {before} before, {now} now")).collect()
    }

    /// Combines this policy with the one that a request was made under; the stricter rule counts.
    /// For the list of people, the present one counts, or the request's if the present one is
    /// empty.
    pub fn or_stricter(self, asked: &Policy) -> Policy {
        Policy {
            mode: if asked.mode == Mode::Approval { Mode::Approval } else { self.mode },
            approvers: if self.approvers.is_empty() {
                asked.approvers.clone()
            } else {
                self.approvers
            },
            required: self.required.max(asked.required),
            links: self.links && asked.links,
        }
    }
}
