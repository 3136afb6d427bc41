//! Board sessions: who may use a board, since when and until when. A session is written when Slack
//! has confirmed a person, or when somebody who may invoke the function asks for a board. The
//! board's link names the session, so a stolen link secret alone does not let anybody in. No I/O
//! here.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::command::SlackOrigin;
use crate::model::{Proof, SessionId};

/// The right to use a board as the person whom its session names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoardLink {
    /// The session.
    pub session: SessionId,
    /// Proves that the function handed out this link.
    pub proof: Proof,
}

/// One board's session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The secret part of the link. Only who got the link knows it.
    pub proof: Proof,
    /// Who asked for it, for people to read; only claimed where IAM allowed it.
    pub by: String,
    /// The person in Slack; `None` where IAM allowed it.
    pub slack: Option<SlackOrigin>,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

impl Session {
    /// Returns the session's link.
    pub fn link(&self) -> BoardLink {
        BoardLink { session: self.id.clone(), proof: self.proof.clone() }
    }

    /// Tells whether this link belongs to the session, and the session has not ended.
    pub fn is_of(&self, link: &BoardLink, now: Timestamp) -> bool {
        // The link was signed, so nobody can try one proof after another.
        self.link() == *link && now < self.until
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_session_takes_its_own_link_until_its_end() {
        let since: Timestamp = "2026-03-17T09:41:30Z".parse().expect("a time");
        let session = Session {
            id: SessionId::of("slack#1"),
            proof: Proof::of([7; 16]),
            by: "alice".to_owned(),
            slack: None,
            since,
            until: since + SignedDuration::from_mins(15),
        };
        let link = session.link();
        assert!(session.is_of(&link, since) && !session.is_of(&link, session.until));
        assert!(!session.is_of(&BoardLink { proof: Proof::of([8; 16]), ..link.clone() }, since));
        assert!(!session.is_of(&BoardLink { session: SessionId::of("slack#2"), ..link }, since));
    }
}
