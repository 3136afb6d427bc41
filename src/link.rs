//! Links that give their bearer a right. A link says what it is for and until when, and it is
//! signed with HMAC-SHA256. It is a secret, so it is never logged. Several keys may be valid at
//! once, so that the secret can be changed while links are in use. No I/O here.
//!
//! The secret holds one key per line. The first one signs, and each of them verifies. The public
//! address is a link's *audience*: another deployment with the same key refuses this one's links.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::address::Address;
use crate::model::approval::ApprovalLink;
use crate::model::session::BoardLink;

/// The longest token, in bytes. No real one is longer, and longer ones are refused before they are
/// read.
const LONGEST: usize = 1_000;
/// The shortest key, in characters. Whoever has a link could find a shorter key by trying, without
/// asking the function.
const SHORTEST_KEY: usize = 32;
/// The length of a key's id, in bytes.
const KEY_ID: usize = 6;

/// What a link can be for. A link of one kind is never accepted as one of another kind.
pub trait Purpose: Serialize + DeserializeOwned {
    /// Its name in what is signed, and in the address.
    const NAME: &'static str;
}

impl Purpose for ApprovalLink {
    const NAME: &'static str = "approve";
}

impl Purpose for BoardLink {
    const NAME: &'static str = "board";
}

/// Why a link is refused. The words reveal nothing that helps to forge one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Made up, changed, of another deployment, or signed with a key that is no longer valid.
    #[error("this link is not valid")]
    Forged,
    /// It was valid until a time that has passed.
    #[error("this link is too old")]
    Expired,
}

/// The function's own address: one host over HTTPS, with a `/` at its end. HTTP is accepted for
/// this machine only, to try out pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// The address as text; ends with `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The error for a text that is not the address of one site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected one line with the function's own address, such as \
     `https://….lambda-url.<region>.on.aws/`"
)]
pub struct NotPublic;

impl FromStr for PublicUrl {
    type Err = NotPublic;

    fn from_str(text: &str) -> Result<Self, NotPublic> {
        // A file that was put into the parameter ends with a line break.
        let text = text.trim();
        let is_plain = text.bytes().all(|b| b.is_ascii_graphic())
            && !text.contains(['?', '#', '@', '\\', '"', '<', '>']);
        let address = Address::parse(text).filter(|_| is_plain).ok_or(NotPublic)?;
        let host = address.host();
        let is_ip = host.starts_with('[') && host.ends_with(']');
        let is_host = is_ip
            || host.split('.').all(|label| {
                !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            });
        let is_this_machine = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
        if !is_host || !(address.is_https() || is_this_machine) {
            return Err(NotPublic);
        }
        let path = address.path().trim_end_matches('/');
        Ok(Self(format!("{}://{}{path}/", address.scheme(), address.authority())))
    }
}

/// The signed part of a link. It cannot be printed by accident.
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

/// Makes the links of one deployment, and verifies them.
#[derive(Debug)]
pub struct Signer {
    keys: Vec<SecretString>,
    audience: PublicUrl,
}

/// The error for a line of the secret that is too short. The words name the line and do not show
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line} has fewer than {SHORTEST_KEY} characters: each line is a key that links are \
     signed with, and a short one can be guessed"
)]
pub struct WeakKey {
    /// The line, from 1.
    pub line: usize,
}

impl Signer {
    /// Makes a signer with the keys in the secret, for links to this address.
    pub fn new(secret: &SecretString, audience: PublicUrl) -> Result<Self, WeakKey> {
        Ok(Self { keys: Self::keys(secret)?, audience })
    }

    /// Reads the keys of the secret, and checks that none can be guessed.
    pub fn keys(secret: &SecretString) -> Result<Vec<SecretString>, WeakKey> {
        let lines = secret
            .expose_secret()
            .lines()
            .map(str::trim)
            .enumerate()
            .filter(|(_, key)| !key.is_empty());
        let keys = lines.map(|(at, key)| {
            let is_long = key.chars().count() >= SHORTEST_KEY;
            if is_long { Ok(SecretString::from(key)) } else { Err(WeakKey { line: at + 1 }) }
        });
        keys.collect()
    }

    /// Makes a link's token, valid until this time; `None` without a key.
    pub fn mint<P: Purpose>(&self, purpose: &P, until: Timestamp) -> Option<Token> {
        let key = self.keys.first()?;
        let what = URL_SAFE_NO_PAD.encode(serde_json::to_vec(purpose).ok()?);
        let signed = format!("{}.{}.{what}", key_id(key), until.as_second());
        let mac = URL_SAFE_NO_PAD.encode(self.mac::<P>(key, &signed)?.finalize().into_bytes());
        Some(Token(format!("{signed}.{mac}")))
    }

    /// Makes the whole address of a link. It is as secret as the token.
    pub fn address<P: Purpose>(&self, purpose: &P, until: Timestamp) -> Option<String> {
        Some(format!("{}{}/{}", self.audience.0, P::NAME, self.mint(purpose, until)?.expose()))
    }

    fn mac<P: Purpose>(&self, key: &SecretString, signed: &str) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes()).ok()?;
        // None of these parts contains a line break, so they cannot run into each other.
        for part in ["ecr-promoter link", P::NAME, self.audience.as_str(), signed] {
            mac.update(part.as_bytes());
            mac.update(b"\n");
        }
        Some(mac)
    }
}

/// A well-formed token that is not verified yet. Anybody may have made it up.
#[derive(Clone, PartialEq, Eq)]
pub struct Claim<'a, P> {
    key_id: &'a str,
    signed: &'a str,
    signature: [u8; 32],
    until: Timestamp,
    what: P,
}

/// Leaves out the token, which the claim contains.
impl<P> fmt::Debug for Claim<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").finish_non_exhaustive()
    }
}

impl<'a, P: Purpose> Claim<'a, P> {
    /// Reads a token, without a key. A malformed or expired one is refused at once, so that it
    /// costs no call.
    pub fn parse(token: &'a str, now: Timestamp) -> Result<Self, Invalid> {
        let claim = Self::well_formed(token).ok_or(Invalid::Forged)?;
        if now >= claim.until { Err(Invalid::Expired) } else { Ok(claim) }
    }

    fn well_formed(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.').filter(|_| token.len() <= LONGEST)?;
        let mut parts = signed.split('.');
        let (key_id, until, what) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || !until.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        // Strict: no padding and no unused bits, so that each token has only one spelling.
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        bytes(key_id).filter(|id| id.len() == KEY_ID)?;
        let signature = bytes(signature)?.try_into().ok()?;
        let until = Timestamp::from_second(until.parse().ok()?).ok()?;
        let what = serde_json::from_slice(&bytes(what)?).ok()?;
        Some(Self { key_id, signed, signature, until, what })
    }

    /// Returns what the link is for and until when, if this signer made it.
    pub fn verify(self, signer: &Signer) -> Result<(P, Timestamp), Invalid> {
        let key =
            signer.keys.iter().find(|key| key_id(key) == self.key_id).ok_or(Invalid::Forged)?;
        let mac = signer.mac::<P>(key, self.signed).ok_or(Invalid::Forged)?;
        mac.verify_slice(&self.signature).map_err(|_| Invalid::Forged)?;
        Ok((self.what, self.until))
    }
}

/// The id of a key, which reveals nothing about the key.
fn key_id(key: &SecretString) -> String {
    let hash = Sha256::digest([b"ecr-promoter key id", key.expose_secret().as_bytes()].concat());
    URL_SAFE_NO_PAD.encode(&hash[..KEY_ID])
}

#[cfg(test)]
mod tests;
