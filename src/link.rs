//! Links that carry their own right: what a link is for and until when, under HMAC-SHA256. A link is a secret: it is in no log.
//! Several keys may be valid at once, so that the secret can be changed while links are under way. No I/O here.
//!
//! The secret holds one key a line. The first one signs, each of them verifies.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::event::command::SlackOrigin;
use crate::model::{Digest, RequestId};

/// Nobody's link is longer, and a parser should not work for strangers.
const LONGEST: usize = 2_000;

/// The right to see a request, and perhaps to decide on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalLink {
    /// The request.
    pub request: RequestId,
    /// The image that it is about.
    pub digest: Digest,
}

/// The right to see the board, as somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoardLink {
    /// Who asked for it, for people to read.
    pub by: String,
    /// Who that is in Slack; `None` where IAM let them in.
    pub slack: Option<SlackOrigin>,
}

/// What a link can be for. One kind's link is never taken for another's.
pub trait Purpose: Serialize + DeserializeOwned {
    /// Its name in what is signed.
    const NAME: &'static str;
}

impl Purpose for ApprovalLink {
    const NAME: &'static str = "approve";
}

impl Purpose for BoardLink {
    const NAME: &'static str = "board";
}

/// Why a link gives no right. The words say nothing that its bearer could use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Made up, changed, or signed with a key that is no longer valid.
    #[error("this link is not valid")]
    Forged,
    /// Its time is over.
    #[error("this link is too old")]
    Expired,
}

/// A token, which nobody prints by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// The text that goes into the address.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// A link for this, valid until then; `None` without a key.
pub fn mint<P: Purpose>(purpose: &P, until: Timestamp, secret: &SecretString) -> Option<Token> {
    let key = keys(secret).next()?;
    let what = URL_SAFE_NO_PAD.encode(serde_json::to_vec(purpose).ok()?);
    let signed = format!("{}.{}.{what}", key_id(key), until.as_second());
    let mac = URL_SAFE_NO_PAD.encode(mac::<P>(key, &signed)?.finalize().into_bytes());
    Some(Token(format!("{signed}.{mac}")))
}

/// What a link is for, and until when: the signature first, then the time, then what it says.
pub fn verify<P: Purpose>(token: &str, now: Timestamp, secret: &SecretString) -> Result<(P, Timestamp), Invalid> {
    if token.len() > LONGEST {
        return Err(Invalid::Forged);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Invalid::Forged)?;
    let [id, until, what] = signed.split('.').collect::<Vec<_>>()[..] else { return Err(Invalid::Forged) };
    // Strict: without padding, and without bits that mean nothing, so that no other text is the same token.
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Invalid::Forged)?;
    let key = keys(secret).find(|key| key_id(key) == id).ok_or(Invalid::Forged)?;
    mac::<P>(key, signed).ok_or(Invalid::Forged)?.verify_slice(&signature).map_err(|_| Invalid::Forged)?;
    let until = until.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok()).ok_or(Invalid::Forged)?;
    if now >= until {
        return Err(Invalid::Expired);
    }
    let what = URL_SAFE_NO_PAD.decode(what).map_err(|_| Invalid::Forged)?;
    Ok((serde_json::from_slice(&what).map_err(|_| Invalid::Forged)?, until))
}

fn keys(secret: &SecretString) -> impl Iterator<Item = &str> {
    secret.expose_secret().lines().map(str::trim).filter(|key| !key.is_empty())
}

/// Says which key it was, and nothing about the key.
fn key_id(key: &str) -> String {
    let hash = Sha256::digest([b"ecr-promoter key id", key.as_bytes()].concat());
    URL_SAFE_NO_PAD.encode(&hash[..6])
}

fn mac<P: Purpose>(key: &str, signed: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    mac.update(b"ecr-promoter ");
    mac.update(P::NAME.as_bytes());
    mac.update(b":");
    mac.update(signed.as_bytes());
    Some(mac)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    const NOW: &str = "2026-03-17T09:41:30Z";

    fn now() -> Timestamp {
        NOW.parse().expect("a time")
    }

    fn until() -> Timestamp {
        "2026-03-20T09:41:30Z".parse().expect("a time")
    }

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    fn link() -> ApprovalLink {
        ApprovalLink { request: format!("req-{}", "a".repeat(32)).parse().expect("an id"), digest: Digest::of(b"x") }
    }

    fn token(keys: &str) -> String {
        mint(&link(), until(), &secret(keys)).expect("a key").expose().to_owned()
    }

    #[test]
    fn a_link_is_what_was_signed_until_its_time() {
        let token = token("one");
        assert_eq!(verify(&token, now(), &secret("one")), Ok((link(), until())));
        assert_eq!(verify::<ApprovalLink>(&token, until(), &secret("one")), Err(Invalid::Expired));
        assert_eq!(verify::<ApprovalLink>(&token, now(), &secret("two")), Err(Invalid::Forged));
        assert_eq!(verify::<ApprovalLink>(&token, now(), &secret("\n")), Err(Invalid::Forged));
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "{token}");
    }

    #[test]
    fn two_keys_are_valid_at_once_and_the_first_one_signs() {
        let old = token("old");
        assert!(verify::<ApprovalLink>(&old, now(), &secret("new\nold")).is_ok());
        assert!(verify::<ApprovalLink>(&token("new\nold"), now(), &secret("new")).is_ok());
        assert!(mint(&link(), until(), &secret(" \n")).is_none(), "an empty key is one that everybody knows");
    }

    #[test]
    fn one_kind_of_link_is_not_taken_for_another() {
        let board = BoardLink { by: "alice".to_owned(), slack: None };
        let token = mint(&board, until(), &secret("one")).expect("a key");
        assert_eq!(verify(token.expose(), now(), &secret("one")), Ok((board, until())));
        assert_eq!(verify::<ApprovalLink>(token.expose(), now(), &secret("one")), Err(Invalid::Forged));
        assert_eq!(format!("{token:?}"), "Token");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_link_with_another_character_is_forged(at in 0_usize..1_000, other in "[A-Za-z0-9._-]") {
            let token = token("one");
            let at = at % token.len();
            let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
            prop_assume!(changed != token);
            prop_assert!(verify::<ApprovalLink>(&changed, now(), &secret("one")).is_err());
        }

        #[test]
        fn whatever_is_given_for_a_link_is_no_panic(text in "\\PC{0,300}") {
            prop_assert!(verify::<ApprovalLink>(&text, now(), &secret("one")).is_err());
        }
    }
}
