//! The nouns of the domain as types: parsed once, valid from then on. No I/O here.

pub mod answer;
pub mod approval;
pub mod audit;
pub mod bake;
pub mod build_page;
pub mod change_set;
pub mod checkup;
pub mod command;
pub mod config;
pub mod console;
pub mod ecs;
pub mod identity;
pub mod image;
pub mod known_apps;
pub mod known_change_set;
pub mod limits;
pub mod measure;
pub mod notes;
pub mod notice;
pub mod numbers;
pub mod place;
pub mod promotion;
pub mod report;
pub mod session;
pub mod soaking;
pub mod stack;
pub mod stage;
pub mod state;
pub mod unread;
pub mod verification;
pub mod way_back;
pub mod whereabouts;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A value that its type does not accept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not {expected}")]
pub struct Invalid {
    /// The value, cut to a length that fits a message.
    pub value: String,
    /// The values that the type accepts.
    pub expected: &'static str,
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// The value as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(Invalid { value: text.chars().take(300).collect(), expected: $expected })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text!(
    /// The name of an app: its Parameter Store parameter's name without the path.
    AppName,
    "the name of an app (1-256 characters: lower-case letters, digits, `.`, `_`, `-`, `/`)",
    |text| is_name(text, 1)
);

text!(
    /// An ECR repository's name, slashes and all.
    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>
    Repository,
    "an ECR repository name (2-256 characters: lower-case letters, digits, `.`, `_`, `-`, `/`)",
    |text| is_name(text, 2)
);

impl AppName {
    /// The repository of this name, which an app promotes by default; `None` if no repository can
    /// have it.
    pub fn repository(&self) -> Option<Repository> {
        self.0.parse().ok()
    }
}

impl From<Repository> for AppName {
    fn from(repository: Repository) -> Self {
        Self(repository.0)
    }
}

/// Whether this is a name as ECR's repositories have it, of at least so many characters.
fn is_name(text: &str, least: usize) -> bool {
    let is_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (least..=256).contains(&text.len())
        && text.split('/').all(|part| {
            part.starts_with(is_end)
                && part.ends_with(is_end)
                && part.chars().all(|c| is_end(c) || "._-".contains(c))
        })
}

text!(
    /// The digest of a manifest or blob.
    Digest,
    "a digest (`sha256:` and 64 lower-case hex digits)",
    |text| text.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && is_lower_hex(hex))
);

text!(
    /// An image tag that ECR accepts.
    Tag,
    "an image tag (1-128 characters: letters, digits, `_`, `.`, `-`, not starting with `.` or `-`)",
    |text| {
        (1..=128).contains(&text.len())
            && !text.starts_with(['.', '-'])
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    }
);

text!(
    /// A git commit, whole or abbreviated.
    Commit,
    "a commit (7-40 lower-case hex digits)",
    |text| (7..=40).contains(&text.len()) && is_lower_hex(text)
);

text!(
    /// A CloudFormation `ClientRequestToken`. Each promotion has its own.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStack.html>
    Token,
    "a ClientRequestToken (1-128 characters: letters, digits and `-`, not starting with `-`)",
    |text| {
        (1..=128).contains(&text.len())
            && !text.starts_with('-')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    }
);

text!(
    /// The id of an approval request. It does not show which app or image the request is for.
    RequestId,
    "the id of a request (`req-` and 32 lower-case hex digits)",
    |text| text.strip_prefix("req-").is_some_and(|hex| hex.len() == 32 && is_lower_hex(hex))
);

text!(
    /// The id of a board's session.
    SessionId,
    "the id of a session (32 lower-case hex digits)",
    |text| text.len() == 32 && is_lower_hex(text)
);

text!(
    /// Proves that a board's link was handed out by the function, and not made by somebody who has
    /// the link secret.
    Proof,
    "a proof (32 lower-case hex digits)",
    |text| text.len() == 32 && is_lower_hex(text)
);

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl Digest {
    /// Computes the digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(format!("sha256:{}", hex(&Sha256::digest(bytes))))
    }

    /// Makes a digest from a sha256.
    pub fn from_bytes(sha256: [u8; 32]) -> Self {
        Self(format!("sha256:{}", hex(&sha256)))
    }

    /// The first 12 hex digits. People compare them, and tags contain them.
    pub fn short(&self) -> &str {
        &self.0["sha256:".len()..][..12]
    }
}

impl Commit {
    /// The first 7 digits, as git shows a commit.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }

    /// Whether one is an abbreviation of the other.
    pub fn agrees_with(&self, other: &Commit) -> bool {
        self.0.starts_with(&other.0) || other.0.starts_with(&self.0)
    }
}

impl RequestId {
    /// The id of the app's n-th request. Derived, not random: two invocations that create the same
    /// request write the same id, and one wins.
    pub fn of(app: &AppName, stack: &str, digest: &Digest, number: u64) -> Self {
        let hash = hash_of(&["request", app.as_str(), stack, digest.as_str(), &number.to_string()]);
        Self(format!("req-{}", &hash[..32]))
    }
}

impl SessionId {
    /// Returns the id of the session that this command asks for. Derived, not random: a command
    /// that is delivered again finds its session, and gets no second one.
    pub fn of(command: &str) -> Self {
        let hash = hash_of(&["session", command]);
        Self(hash[..32].to_owned())
    }
}

impl Proof {
    /// Makes a proof from random bytes.
    pub fn of(random: [u8; 16]) -> Self {
        Self(hex(&random))
    }
}

impl Token {
    /// What each token begins with.
    pub const PREFIX: &'static str = "ecr-promoter-";

    /// Derives the token of a promotion. A retry and a duplicate get the same token. A later
    /// promotion of the same image gets another one, since `ended` has grown by then.
    pub fn of(app: &AppName, stack: &str, digest: &Digest, tag: &Tag, ended: u64) -> Self {
        let hash =
            hash_of(&[app.as_str(), stack, digest.as_str(), tag.as_str(), &ended.to_string()]);
        Self(format!("{}{}", Self::PREFIX, &hash[..40]))
    }

    /// The token for cancelling this promotion's update.
    pub fn of_cancel(&self) -> Self {
        Self(format!("{}-cancel", self.0))
    }
}

/// Hashes several parts, each with its length: `ab`, `c` and `a`, `bc` have different hashes.
fn hash_of(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::web;

    #[test]
    fn names_that_ecr_refuses_do_not_parse() {
        for bad in ["", "a", "Web", "/web", "web/", "we b", "web//api", "-web", "../web", "wéb"] {
            assert!(bad.parse::<Repository>().is_err(), "{bad:?}");
        }
        for good in ["web", "team/web", "a1", "my-app_x.y/z2"] {
            assert!(good.parse::<Repository>().is_ok(), "{good:?}");
        }
        for bad in ["", ".a", "-a", "a b", "a/b", &"a".repeat(129)] {
            assert!(bad.parse::<Tag>().is_err(), "{bad:?}");
        }
        for bad in
            ["", "sha256:", "sha256:zz", &format!("sha256:{}", "A".repeat(64)), &"a".repeat(71)]
        {
            assert!(bad.parse::<Digest>().is_err(), "{bad:?}");
        }
        for bad in ["abcdef", "ABCDEF1", "abcdefg", &"a".repeat(41)] {
            assert!(bad.parse::<Commit>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_digest_is_that_of_the_bytes() {
        assert_eq!(
            Digest::of(b"hello").as_str(),
            "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
        );
        assert_eq!(Digest::of(b"hello").short(), "2cf24dba5fb0");
    }

    #[test]
    fn a_later_promotion_of_the_same_image_has_another_token() {
        let web = web();
        let tag = "production_9fceb02".parse().expect("valid");
        let token = |ended| Token::of(&web, "web", &Digest::of(b"a"), &tag, ended);
        assert_eq!(token(0), token(0));
        assert_ne!(token(0), token(1));
        assert!(token(0).as_str().parse::<Token>().is_ok());
    }
}
