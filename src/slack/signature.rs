//! Slack's signature, version 0: HMAC-SHA256 over `v0:<timestamp>:<body>`. [`signed`] checks the
//! headers without the secret, so that a malformed request does not cause a read of it;
//! [`Signed::is_by`] checks the signature.
//! <https://docs.slack.dev/authentication/verifying-requests-from-slack/>

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::function_url::Request;

/// The header with the time of the signature.
pub const TIMESTAMP: &str = "x-slack-request-timestamp";
/// The header with the signature.
pub const SIGNATURE: &str = "x-slack-signature";
/// How far the two clocks may be apart, in both directions.
const MOST_SECONDS: u64 = 5 * 60;

/// A request with a well-formed, recent signature, which is not verified yet.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    timestamp: &'a str,
    signature: [u8; 32],
    body: &'a [u8],
}

/// A signature stays valid for five minutes, so it must not reach a log.
impl fmt::Debug for Signed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed").finish_non_exhaustive()
    }
}

/// Why a request is refused before its signature is verified. The words reveal nothing that its
/// sender could use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.words())]
pub enum Unsigned {
    /// The timestamp is missing, repeated or malformed.
    NoTimestamp,
    /// The timestamp is more than five minutes away from now.
    AnotherTime,
    /// The signature is missing, repeated or malformed.
    NoSignature,
}

impl Unsigned {
    /// The reason in words.
    pub fn words(self) -> &'static str {
        match self {
            Unsigned::NoTimestamp => "the request has no valid timestamp",
            Unsigned::AnotherTime => "the request's timestamp is too old or in the future",
            Unsigned::NoSignature => "the request has no valid signature header",
        }
    }
}

/// Returns the signature of a request, if it is well-formed and recent. This needs no secret.
pub fn signed(request: &Request, now: Timestamp) -> Result<Signed<'_>, Unsigned> {
    // `parse` alone would accept a plus or minus sign.
    let timestamp = request
        .header(TIMESTAMP)
        .filter(|text| text.bytes().all(|b| b.is_ascii_digit()))
        .ok_or(Unsigned::NoTimestamp)?;
    let signed_at: i64 = timestamp.parse().map_err(|_| Unsigned::NoTimestamp)?;
    if now.as_second().abs_diff(signed_at) > MOST_SECONDS {
        return Err(Unsigned::AnotherTime);
    }
    let signature = request
        .header(SIGNATURE)
        .and_then(|text| text.strip_prefix("v0="))
        .and_then(bytes)
        .ok_or(Unsigned::NoSignature)?;
    Ok(Signed { timestamp, signature, body: &request.body })
}

impl Signed<'_> {
    /// Whether it was signed with this secret. A wrong signature takes as long as a right one. An
    /// empty secret never counts, because everybody knows it.
    pub fn is_by(&self, secret: &SecretString) -> bool {
        let key = secret.expose_secret();
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return false };
        mac.update(b"v0:");
        mac.update(self.timestamp.as_bytes());
        mac.update(b":");
        mac.update(self.body);
        mac.verify_slice(&self.signature).is_ok() && !key.is_empty()
    }
}

/// Reads 64 lower-case hexadecimal digits as 32 bytes.
fn bytes(hex: &str) -> Option<[u8; 32]> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = hex.as_bytes().as_chunks::<2>() else { return None };
    let pairs: &[[u8; 2]; 32] = pairs.try_into().ok()?;
    let mut bytes = [0; 32];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = (digit(*high)? << 4) | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, Method};
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    // The example of Slack's documentation.
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const AT: i64 = 1_531_420_618;
    const BODY: &str = "\
        token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&\
        channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&\
        command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands\
        %2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&\
        trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SIGNED: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn request(timestamp: &[u8], signature: &[u8], body: &[u8]) -> Option<Request> {
        let mut headers = HeaderMap::new();
        headers.insert(TIMESTAMP, HeaderValue::from_bytes(timestamp).ok()?);
        headers.insert(SIGNATURE, HeaderValue::from_bytes(signature).ok()?);
        Some(Request {
            method: Method::POST,
            path: "/slack/commands".to_owned(),
            query: String::new(),
            headers,
            body: body.to_vec(),
            address: None,
            agent: None,
        })
    }

    /// The example, with another timestamp or signature.
    fn example(timestamp: &str, signature: &str) -> Request {
        request(timestamp.as_bytes(), signature.as_bytes(), BODY.as_bytes()).expect("headers")
    }

    fn signature_of(secret: &str, timestamp: &str, body: &[u8]) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length");
        mac.update(&[format!("v0:{timestamp}:").as_bytes(), body].concat());
        let hex: String =
            mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("v0={hex}")
    }

    /// Whether it passes both checks.
    fn is_from_slack(request: &Request, secret: &str, now: i64) -> bool {
        signed(request, at(now)).is_ok_and(|signed| signed.is_by(&secret.into()))
    }

    #[test]
    fn slacks_own_example_is_right() {
        let request = example(&AT.to_string(), SIGNED);
        assert!(is_from_slack(&request, SECRET, AT));
        assert!(!is_from_slack(&request, "8f742231b10e8888abcd99yyyzzz85a6", AT));
    }

    #[test]
    fn an_empty_secret_is_never_right() {
        let timestamp = AT.to_string();
        let request = example(&timestamp, &signature_of("", &timestamp, BODY.as_bytes()));
        assert!(!is_from_slack(&request, "", AT));
    }

    #[test]
    fn five_minutes_either_way_are_the_present() {
        let request = example(&AT.to_string(), SIGNED);
        for near in [-300, -1, 0, 1, 300] {
            assert!(is_from_slack(&request, SECRET, AT + near), "{near}");
        }
        for far in [-600, -301, 301, 600] {
            assert_eq!(signed(&request, at(AT + far)).err(), Some(Unsigned::AnotherTime), "{far}");
        }
    }

    #[test]
    fn a_timestamp_is_digits() {
        for bad in [
            "",
            " ",
            "now",
            "+1531420618",
            "-1531420618",
            "1531420618.0",
            "1531420618 ",
            "0x5b47",
            "99999999999999999999",
        ] {
            assert_eq!(
                signed(&example(bad, SIGNED), at(AT)).err(),
                Some(Unsigned::NoTimestamp),
                "{bad}"
            );
        }
        assert_eq!(
            signed(&example("9223372036854775807", SIGNED), at(AT)).err(),
            Some(Unsigned::AnotherTime)
        );
        let mut without = example("", SIGNED);
        without.headers.remove(TIMESTAMP);
        assert_eq!(signed(&without, at(AT)).err(), Some(Unsigned::NoTimestamp));
    }

    #[test]
    fn a_signature_is_64_lower_case_digits_and_there_once() {
        let digits = &SIGNED["v0=".len()..];
        let upper = format!("v0={}", digits.to_ascii_uppercase());
        let (short, long, other) =
            (&SIGNED[..SIGNED.len() - 1], format!("{SIGNED}0"), format!("v1={digits}"));
        for bad in [
            "",
            "v0=",
            "v0",
            digits,
            &upper,
            short,
            &long,
            &other,
            &format!("{SIGNED},{SIGNED}"),
            &format!(" {SIGNED}"),
        ] {
            let request = example(&AT.to_string(), bad);
            assert_eq!(signed(&request, at(AT)).err(), Some(Unsigned::NoSignature), "{bad}");
        }
        let mut twice = example(&AT.to_string(), SIGNED);
        twice.headers.append(HeaderName::from_static(SIGNATURE), HeaderValue::from_static(SIGNED));
        assert_eq!(signed(&twice, at(AT)).err(), Some(Unsigned::NoSignature));
    }

    #[test]
    fn a_signature_cannot_be_printed() {
        let request = example(&AT.to_string(), SIGNED);
        assert_eq!(format!("{:?}", signed(&request, at(AT)).expect("signed")), "Signed { .. }");
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(2),
            failure_persistence: None,
            ..ProptestConfig::with_cases(2000)
        })]

        #[test]
        fn nothing_that_a_stranger_sends_is_right(
            timestamp in any::<Vec<u8>>(),
            signature in any::<Vec<u8>>(),
            body in any::<Vec<u8>>(),
        ) {
            for timestamp in [timestamp.as_slice(), AT.to_string().as_bytes()] {
                if let Some(request) = request(timestamp, &signature, &body) {
                    prop_assert!(!is_from_slack(&request, SECRET, AT));
                }
            }
        }

        #[test]
        fn a_guess_of_the_right_form_is_wrong(
            signature in "v0=[0-9a-f]{64}",
            body in any::<Vec<u8>>(),
        ) {
            let timestamp = AT.to_string();
            let request = request(timestamp.as_bytes(), signature.as_bytes(), &body);
            let request = request.expect("headers");
            let signed = signed(&request, at(AT)).expect("the right form");
            prop_assert!(!signed.is_by(&SECRET.into()));
        }

        #[test]
        fn a_signature_is_right_until_any_byte_changes(
            secret in "[ -~]{1,64}",
            body in proptest::collection::vec(any::<u8>(), 1..200),
            which in any::<prop::sample::Index>(),
            mask in 1_u8..,
        ) {
            let timestamp = AT.to_string();
            let signature = signature_of(&secret, &timestamp, &body);
            let parts = [timestamp.as_bytes(), signature.as_bytes(), &body, secret.as_bytes()];
            let is_right = |[timestamp, signature, body, secret]: [&[u8]; 4]| {
                let Ok(secret) = std::str::from_utf8(secret) else { return false };
                request(timestamp, signature, body)
                    .is_some_and(|request| is_from_slack(&request, secret, AT))
            };
            prop_assert!(is_right(parts));
            for part in 0..parts.len() {
                let mut changed = parts[part].to_vec();
                let at = which.index(changed.len());
                changed[at] ^= mask;
                let mut parts = parts;
                parts[part] = &changed;
                prop_assert!(!is_right(parts), "byte {} of part {}", at, part);
            }
        }
    }
}
