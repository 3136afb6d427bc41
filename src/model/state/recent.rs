//! What the state itself remembers of promotions that ended. The history has all of them, and more
//! about each.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::promotion::{End, Promotion};
use crate::model::{Commit, Digest, Tag, Token};

/// A promotion that ended, as the state itself remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// Its token.
    pub token: Token,
    /// Its tag.
    pub tag: Tag,
    /// Its image.
    pub digest: Digest,
    /// Its commit.
    pub commit: Option<Commit>,
    /// What ran before it.
    pub previous_tag: String,
    /// How it ended.
    pub end: End,
    /// Why.
    pub reason: String,
    /// When that was seen; only of the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

impl Recent {
    /// What is remembered of a promotion that ended.
    pub fn new(promotion: &Promotion, end: End, reason: String) -> Self {
        Self {
            token: promotion.token.clone(),
            tag: promotion.tag.clone(),
            digest: promotion.digest.clone(),
            commit: promotion.commit.clone(),
            previous_tag: promotion.previous_tag.clone(),
            end,
            reason,
            at: None,
        }
    }
}
