//! Links whose bearer has a right. A link says what it is for, at which address and until when, and
//! is signed with HMAC-SHA256. It is a secret, so it is never logged. Several keys may be valid at
//! once: the secret can be changed while links are in use. No I/O here.
//!
//! The secret holds one key a line. The first one signs, and each of them verifies. The public
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

/// Why a link is refused. The words tell its bearer nothing that could help with a forgery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Made up, changed, of another deployment, or signed with a key that is no longer valid.
    #[error("this link is not valid")]
    Forged,
    /// Its time is over.
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

/// Makes the links of one deployment, and verifies them.
#[derive(Debug)]
pub struct Signer {
    keys: Vec<SecretString>,
    audience: PublicUrl,
}

/// A line of the secret that is too short. The words name the line, and show none of it.
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
    /// A signer with the keys that the secret holds, for links to this address.
    pub fn new(secret: &SecretString, audience: PublicUrl) -> Result<Self, WeakKey> {
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
        Ok(Self { keys: keys.collect::<Result<_, _>>()?, audience })
    }

    /// A link's token, valid until then; `None` without a key.
    pub fn mint<P: Purpose>(&self, purpose: &P, until: Timestamp) -> Option<Token> {
        let key = self.keys.first()?;
        let what = URL_SAFE_NO_PAD.encode(serde_json::to_vec(purpose).ok()?);
        let signed = format!("{}.{}.{what}", key_id(key), until.as_second());
        let mac = URL_SAFE_NO_PAD.encode(self.mac::<P>(key, &signed)?.finalize().into_bytes());
        Some(Token(format!("{signed}.{mac}")))
    }

    /// The whole address of a link; a secret as its token is.
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

/// A claim has the token in it.
impl<P> fmt::Debug for Claim<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").finish_non_exhaustive()
    }
}

impl<'a, P: Purpose> Claim<'a, P> {
    /// Reads a token, without a key. A malformed or expired one is refused at once, so that it
    /// costs no call.
    pub fn parse(token: &'a str, now: Timestamp) -> Result<Self, Invalid> {
        let claim = Self::of_form(token).ok_or(Invalid::Forged)?;
        if now >= claim.until { Err(Invalid::Expired) } else { Ok(claim) }
    }

    fn of_form(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.').filter(|_| token.len() <= LONGEST)?;
        let mut parts = signed.split('.');
        let (key_id, until, what) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || !until.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        // Strict: without padding, and without bits that mean nothing, so that no other text is the
        // same token.
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
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use serde::Deserialize;

    use super::*;
    use crate::model::{Digest, Proof, SessionId};

    const NOW: &str = "2026-03-17T09:41:30Z";
    const ONE: &str = "one-0123456789abcdef0123456789abcdef";
    const TWO: &str = "two-0123456789abcdef0123456789abcdef";
    const HERE: &str = "https://here.lambda-url.us-east-1.on.aws/";

    fn now() -> Timestamp {
        NOW.parse().expect("a time")
    }

    fn until() -> Timestamp {
        "2026-03-20T09:41:30Z".parse().expect("a time")
    }

    fn at(address: &str, keys: &str) -> Signer {
        Signer::new(&SecretString::from(keys), address.parse().expect("an address")).expect("keys")
    }

    fn signer(keys: &str) -> Signer {
        at(HERE, keys)
    }

    fn link() -> ApprovalLink {
        ApprovalLink {
            request: format!("req-{}", "a".repeat(32)).parse().expect("an id"),
            digest: Digest::of(b"x"),
        }
    }

    fn token(keys: &str) -> String {
        signer(keys).mint(&link(), until()).expect("a key").expose().to_owned()
    }

    fn verify<P: Purpose>(
        token: &str,
        now: Timestamp,
        signer: &Signer,
    ) -> Result<(P, Timestamp), Invalid> {
        Claim::parse(token, now)?.verify(signer)
    }

    #[test]
    fn a_link_is_what_was_signed_until_its_time() {
        let token = token(ONE);
        assert_eq!(verify(&token, now(), &signer(ONE)), Ok((link(), until())));
        assert_eq!(verify::<ApprovalLink>(&token, until(), &signer(ONE)), Err(Invalid::Expired));
        assert_eq!(verify::<ApprovalLink>(&token, now(), &signer(TWO)), Err(Invalid::Forged));
        assert_eq!(verify::<ApprovalLink>(&token, now(), &signer("\n")), Err(Invalid::Forged));
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "{token}");
        assert_eq!(signer(ONE).address(&link(), until()), Some(format!("{HERE}approve/{token}")));
    }

    #[test]
    fn two_keys_are_valid_at_once_and_the_first_one_signs() {
        let both = format!("{TWO}\n{ONE}\n");
        assert!(verify::<ApprovalLink>(&token(ONE), now(), &signer(&both)).is_ok());
        assert!(verify::<ApprovalLink>(&token(&both), now(), &signer(TWO)).is_ok());
        assert!(
            signer(" \n").mint(&link(), until()).is_none(),
            "an empty key is one that everybody knows"
        );
    }

    #[test]
    fn a_link_of_another_deployment_with_the_same_key_is_none_here() {
        let token = token(ONE);
        for there in [
            "https://there.lambda-url.us-east-1.on.aws/",
            "https://here.lambda-url.us-east-1.on.aws/x/",
        ] {
            assert_eq!(
                verify::<ApprovalLink>(&token, now(), &at(there, ONE)),
                Err(Invalid::Forged),
                "{there}"
            );
        }
        assert!(
            verify::<ApprovalLink>(
                &token,
                now(),
                &at("https://HERE.lambda-url.us-east-1.on.aws", ONE)
            )
            .is_ok(),
            "the same"
        );
    }

    #[test]
    fn one_kind_of_link_is_not_taken_for_another() {
        let board = BoardLink { session: SessionId::of("1"), proof: Proof::of([1; 16]) };
        let token = signer(ONE).mint(&board, until()).expect("a key");
        assert_eq!(verify(token.expose(), now(), &signer(ONE)), Ok((board.clone(), until())));
        assert_eq!(
            verify::<ApprovalLink>(token.expose(), now(), &signer(ONE)),
            Err(Invalid::Forged)
        );
        assert_eq!(
            format!("{token:?} {:?}", Claim::<BoardLink>::parse(token.expose(), now())),
            "Token Ok(Claim { .. })"
        );

        // Two kinds that carry the same are still two kinds.
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Other(BoardLink);
        impl Purpose for Other {
            const NAME: &'static str = "other";
        }
        assert_eq!(verify::<Other>(token.expose(), now(), &signer(ONE)), Err(Invalid::Forged));
    }

    #[test]
    fn a_key_that_can_be_guessed_is_none() {
        let weak = |secret: &str| {
            Signer::new(&SecretString::from(secret), HERE.parse().expect("an address"))
                .map(|_| ())
                .err()
        };
        assert_eq!(weak(&"k".repeat(32)), None);
        assert_eq!(weak(&"k".repeat(31)), Some(WeakKey { line: 1 }));
        assert_eq!(weak(&format!("{ONE}\n\n  short  \n")), Some(WeakKey { line: 3 }));
        assert!(!WeakKey { line: 1 }.to_string().contains("short-key"));
    }

    #[test]
    fn what_has_not_the_form_of_a_token_needs_no_key() {
        let good = token(ONE);
        let parts: Vec<&str> = good.split('.').collect();
        let with = |at: usize, part: &str| {
            let mut parts = parts.clone();
            parts[at] = part;
            parts.join(".")
        };
        let (padded, two_days) = (format!("{}=", parts[3]), format!("+{}", parts[1]));
        let bad = [
            String::new(),
            "x".to_owned(),
            "x.y.z.a".to_owned(),
            "...".to_owned(),
            format!("{good}."),
            format!("{good}A"),
            format!(".{good}"),
            good[1..].to_owned(),
            with(0, "AAAAAAA"),
            with(1, ""),
            with(1, "now"),
            with(1, "-1"),
            with(1, "99999999999999999999"),
            with(1, &two_days),
            with(2, ""),
            with(2, "e30"),
            with(2, &URL_SAFE_NO_PAD.encode(r#"{"request":"req-0","digest":"sha256:0"}"#)),
            with(3, ""),
            with(3, "AAAA"),
            with(3, &padded),
            "A".repeat(1_001),
            "é".repeat(50),
        ];
        for token in &bad {
            assert_eq!(
                Claim::<ApprovalLink>::parse(token, now()).err(),
                Some(Invalid::Forged),
                "{token}"
            );
        }
        assert_eq!(
            Claim::<ApprovalLink>::parse(&with(1, "1"), now()).err(),
            Some(Invalid::Expired)
        );
    }

    #[test]
    fn a_public_address_is_one_site_over_https() {
        let parse = |text: &str| text.parse::<PublicUrl>().map(|url| url.0);
        for (text, url) in [
            (HERE, HERE),
            ("https://here.lambda-url.us-east-1.on.aws", HERE),
            (" https://HERE.lambda-url.us-east-1.on.aws/\n", HERE),
            ("https://promoter.example:8443/tools/", "https://promoter.example:8443/tools/"),
            ("https://promoter.example/tools", "https://promoter.example/tools/"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/"),
            ("http://localhost", "http://localhost/"),
        ] {
            assert_eq!(parse(text), Ok(url.to_owned()), "{text}");
        }
        for text in [
            "",
            "/",
            "promoter.example",
            "//promoter.example/",
            "http://promoter.example/",
            "http://127.0.0.1.example/",
            "ftp://promoter.example/",
            "javascript:alert(1)",
            "https://",
            "https:///x/",
            "https://a.example/ https://b.example/",
            "https://a.example/\nhttps://b.example/",
            "https://a.example,b.example/",
            "https://a..example/",
            "https://user@a.example/",
            "https://a.example@b.example/",
            "https://a.example/?x",
            "https://a.example/#x",
            "https://a.example/\u{202e}",
            "https://a.example/\"><script>",
        ] {
            assert_eq!(parse(text), Err(NotPublic), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 2_000,
            rng_seed: RngSeed::Fixed(7),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_link_with_another_character_is_forged(at in 0_usize..1_000, other in "[A-Za-z0-9._-]") {
            let token = token(ONE);
            let at = at % token.len();
            let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
            prop_assume!(changed != token);
            prop_assert!(verify::<ApprovalLink>(&changed, now(), &signer(ONE)).is_err());
        }

        #[test]
        fn whatever_is_given_for_a_link_is_no_panic(text in "\\PC{0,300}") {
            prop_assert!(verify::<ApprovalLink>(&text, now(), &signer(ONE)).is_err());
        }

        #[test]
        fn whatever_is_given_for_an_address_is_one_line_or_refused(text in "(https?://)?[a-z0-9.:/@\\[\\]\\\\ -]{0,30}\\PC{0,3}") {
            if let Ok(PublicUrl(url)) = text.parse() {
                prop_assert!(url.ends_with('/') && url.bytes().all(|b| b.is_ascii_graphic()), "{}", url);
                prop_assert_eq!(url.parse::<PublicUrl>(), Ok(PublicUrl(url.clone())));
            }
        }
    }
}
