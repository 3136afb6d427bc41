//! The function URL: a [`Request`] as it came in Lambda's payload format 2.0, and the [`Response`]
//! that goes out. What a path means is not known here. No I/O here.
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html>

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::address::Address;
use crate::text::plain;

/// The largest body. Slack never sends as much.
pub const MOST_BODY_BYTES: usize = 256 * 1024;
/// The largest form that is read. Our own have some hundred bytes, and many empty fields take forty
/// times the memory of their form.
const MOST_FORM_BYTES: usize = 16 * 1024;
/// The longest address. Our longest link, with its query, has a tenth of this.
const MOST_ADDRESS_BYTES: usize = 8 * 1024;
/// The largest headers. The servers before Lambda let as much through.
const MOST_HEADER_BYTES: usize = 64 * 1024;
/// The longest user agent that is kept. A browser's has some hundred characters.
const LONGEST_AGENT: usize = 200;

/// Headers of every response: no caching, framing, sniffing or referrer.
const EVERYWHERE: [(&str, &str); 4] = [
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    (
        "content-security-policy",
        "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
];

/// One HTTP request.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, still percent-encoded.
    pub path: String,
    /// The query, without its question mark.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, to the byte as it was sent.
    pub body: Vec<u8>,
    /// The network address that it came from, as Lambda saw it.
    pub address: Option<IpAddr>,
    /// The user agent, one plain line of what the sender says of itself.
    pub agent: Option<String>,
}

/// Neither a path (it may carry a link's token) nor headers or a body (signatures, what people
/// wrote) belong in a log.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The parts of the payload that are used. A crate's struct would refuse a request for an odd field
/// that nobody reads, such as the time, and would not say which header is wrong.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    #[serde(borrow)]
    raw_path: Option<&'a str>,
    raw_query_string: Option<&'a str>,
    headers: Option<HashMap<&'a str, &'a str>>,
    request_context: Context<'a>,
    body: Option<&'a str>,
    is_base64_encoded: Option<bool>,
}

#[derive(Deserialize)]
struct Context<'a> {
    #[serde(borrow)]
    http: Http<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: &'a str,
    source_ip: Option<&'a str>,
    user_agent: Option<&'a str>,
}

impl Request {
    /// Whether a payload is an HTTP request, whatever else it looks like: its body is never a
    /// command.
    pub fn is_one(raw: &Value) -> bool {
        raw.get("version").is_some_and(|version| version == "2.0")
            && raw.get("requestContext").is_some_and(|context| context.get("http").is_some())
    }

    /// Reads a payload; the `Err` is the answer to one that cannot be read. Nothing is copied
    /// before its size is checked, since Lambda takes 6 MB from anybody.
    pub fn parse(raw: &Value) -> Result<Self, Response> {
        let bad = |problem: &'static str| Response::text(400, problem).because(problem);
        let large =
            |status: u16, problem: &'static str| Response::text(status, problem).because(problem);
        // The words of the parser would quote what a stranger sent.
        let payload = Payload::deserialize(raw).map_err(|_| bad("This is not an HTTP request."))?;
        let http = payload.request_context.http;
        let method = Method::from_bytes(http.method.as_bytes())
            .map_err(|_| bad("This is not an HTTP method."))?;
        let (path, query) =
            (payload.raw_path.unwrap_or_default(), payload.raw_query_string.unwrap_or_default());
        if path.len() + query.len() > MOST_ADDRESS_BYTES {
            return Err(large(414, "This address is too long."));
        }
        let sent = payload.headers.unwrap_or_default();
        if sent.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
            > MOST_HEADER_BYTES
        {
            return Err(large(431, "These HTTP headers are too large."));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            let name: HeaderName = name.parse().map_err(|_| bad("This is not an HTTP header."))?;
            let value = HeaderValue::from_bytes(value.as_bytes())
                .map_err(|_| bad("This is not an HTTP header."))?;
            // Names that differ in case only are one header with two values. A map takes no more
            // than 32,768 of them.
            headers.try_append(name, value).map_err(|_| bad("There are too many HTTP headers."))?;
        }
        let (body, is_base64) =
            (payload.body.unwrap_or_default(), payload.is_base64_encoded.unwrap_or(false));
        let most = if is_base64 { MOST_BODY_BYTES.div_ceil(3) * 4 } else { MOST_BODY_BYTES };
        if body.len() > most {
            return Err(large(413, "The body is larger than 256 KiB."));
        }
        let body = if is_base64 {
            STANDARD.decode(body).map_err(|_| bad("The body is not valid base64."))?
        } else {
            body.as_bytes().to_vec()
        };
        let agent = http
            .user_agent
            .map(|agent| plain(agent.trim(), LONGEST_AGENT))
            .filter(|agent| !agent.is_empty());
        let address = http.source_ip.and_then(|address| address.parse().ok());
        Ok(Self {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body,
            address,
            agent,
        })
    }

    /// The network address that a payload came from, whatever else is wrong with it.
    pub fn address_of(raw: &Value) -> Option<IpAddr> {
        raw["requestContext"]["http"]["sourceIp"].as_str()?.parse().ok()
    }

    /// Whether a form came from this site's own page. A browser says where a form comes from; what
    /// is no browser holds no right but the one it shows, and so cannot be led to use another's.
    ///
    /// The site is the host that the request was sent to, or the one of `public_url`, where
    /// something stands in between.
    pub fn is_same_origin(&self, public_url: Option<&str>) -> bool {
        let site = self.header("sec-fetch-site");
        if self.headers.contains_key("sec-fetch-site")
            && !matches!(site, Some("same-origin" | "none"))
        {
            return false;
        }
        if !self.headers.contains_key("origin") {
            return true;
        }
        let is_own = self.header("origin").and_then(host_of).is_some_and(|origin| {
            self.header("host").is_some_and(|host| origin.eq_ignore_ascii_case(host))
                || public_url.and_then(host_of).is_some_and(|host| origin == host)
        });
        // `no-referrer` makes a browser say `null` here, and then `sec-fetch-site` tells.
        is_own || self.header("origin") == Some("null") && site == Some("same-origin")
    }

    /// The fields of a form; none if it is larger than any of our forms.
    pub fn form(&self) -> Vec<(String, String)> {
        let form = if self.body.len() > MOST_FORM_BYTES { &[] } else { self.body.as_slice() };
        form_urlencoded::parse(form).into_owned().collect()
    }

    /// A header's text. A repeated header is ambiguous and counts as absent.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).into_iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }
}

/// The host of an address or an origin, with its port if it names one.
fn host_of(url: &str) -> Option<String> {
    Address::parse(url).map(|address| address.authority())
}

/// One HTTP answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Headers beside those that every answer has; of the same name, these count.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
    /// Why the request was refused, for the log: our own words, which quote nothing from it.
    pub why: Option<&'static str>,
}

/// A page may carry a link's token, so a log gets its size.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Response {
    /// An empty 200.
    pub fn ok() -> Self {
        Self::text(200, "")
    }

    /// JSON, for Slack.
    pub fn json(status: u16, value: &Value) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: value.to_string(),
            why: None,
        }
    }

    /// Words, for people.
    pub fn text(status: u16, words: impl Into<String>) -> Self {
        Self {
            status,
            headers: vec![("content-type", "text/plain; charset=utf-8".to_owned())],
            body: words.into(),
            why: None,
        }
    }

    /// Adds why the request was refused.
    pub fn because(self, why: &'static str) -> Self {
        Self { why: Some(why), ..self }
    }

    /// Whether the request itself was refused. A decision that came too late (409) is not a refused
    /// request.
    pub fn is_refusal(&self) -> bool {
        (400..500).contains(&self.status) && self.status != 409
    }

    /// What the function answers to Lambda.
    pub fn into_payload(self) -> Value {
        let everywhere = EVERYWHERE.map(|(name, value)| (name, value.to_owned()));
        let headers: Map<String, Value> = everywhere
            .into_iter()
            .chain(self.headers)
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        json!({
            "statusCode": self.status, "headers": headers, "body": self.body,
            "isBase64Encoded": false,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    /// As little as a test harness may send.
    fn payload(body: &str, is_base64: bool) -> Value {
        json!({
            "version": "2.0",
            "rawPath": "/slack/interactions",
            "headers": {
                "x-slack-signature": "v0=0", "Content-Type": "application/x-www-form-urlencoded",
            },
            "requestContext": { "http": { "method": "POST", "path": "/slack/interactions" } },
            "body": body,
            "isBase64Encoded": is_base64,
        })
    }

    fn is_bad(raw: &Value, words: &str) {
        let response = Request::parse(raw).expect_err("it cannot be read");
        assert_eq!((response.status, response.body.as_str()), (400, words));
    }

    #[test]
    fn a_request_is_known_by_its_version_and_its_context() {
        assert!(Request::is_one(&payload("", false)));
        let mut with_action = payload("", false);
        with_action["action"] = "promote".into();
        assert!(Request::is_one(&with_action));
        for other in [
            json!({ "action": "promote", "repository": "web" }),
            json!({ "version": "2.0", "action": "promote" }),
            json!({ "version": "1.0", "requestContext": { "http": {} } }),
            json!({ "version": 2.0, "requestContext": { "http": {} } }),
            json!({ "version": "2.0", "requestContext": "http" }),
            json!([]),
            Value::Null,
        ] {
            assert!(!Request::is_one(&other), "{other}");
        }
    }

    #[test]
    fn a_body_is_read_to_the_byte() {
        let plain = Request::parse(&payload("a=%26&b=é", false)).expect("read");
        assert_eq!(
            (plain.method, plain.path.as_str(), plain.query.as_str()),
            (Method::POST, "/slack/interactions", "")
        );
        assert_eq!(plain.body, "a=%26&b=é".as_bytes());
        let encoded = Request::parse(&payload("AP8K", true)).expect("read");
        assert_eq!(encoded.body, [0, 255, 10]);
    }

    #[test]
    fn what_a_function_url_does_not_fill_in_may_be_missing() {
        let raw = json!({
            "version": "2.0", "requestContext": { "http": { "method": "GET" } }, "body": null,
            "headers": null,
        });
        let request = Request::parse(&raw).expect("read");
        assert_eq!(
            (request.path.as_str(), request.body.as_slice(), request.headers.len()),
            ("", &[][..], 0)
        );
    }

    #[test]
    fn what_cannot_be_read_is_answered() {
        is_bad(&payload("not base64!", true), "The body is not valid base64.");
        let mut raw = payload("", false);
        raw["requestContext"]["http"]["method"] = "P OST".into();
        is_bad(&raw, "This is not an HTTP method.");
        raw["requestContext"]["http"] = "POST".into();
        is_bad(&raw, "This is not an HTTP request.");
        let mut raw = payload("", false);
        raw["headers"]["x-slack-signature"] = "v0=\n".into();
        is_bad(&raw, "This is not an HTTP header.");
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_is_decoded() {
        let status =
            |raw: &Value| Request::parse(raw).map_or_else(|refused| refused.status, |_| 200);
        for (bytes, want) in [(MOST_BODY_BYTES, 200), (MOST_BODY_BYTES + 1, 413), (6_000_000, 413)]
        {
            assert_eq!(status(&payload(&"a".repeat(bytes), false)), want, "{bytes}");
        }
        for (bytes, want) in [(MOST_BODY_BYTES, 200), (MOST_BODY_BYTES + 3, 413), (4_500_000, 413)]
        {
            assert_eq!(
                status(&payload(&STANDARD.encode(vec![b'a'; bytes]), true)),
                want,
                "{bytes}"
            );
        }
        // Not even looked at.
        assert_eq!(status(&payload(&"!".repeat(400_000), true)), 413);
        let mut raw = payload("", false);
        raw["rawPath"] = format!("/approve/{}", "a".repeat(9_000)).into();
        assert_eq!(status(&raw), 414);
        let mut raw = payload("", false);
        raw["headers"]["x-large"] = "a".repeat(70_000).into();
        assert_eq!(status(&raw), 431);
    }

    #[test]
    fn where_it_came_from_is_an_address_and_one_plain_line() {
        let mut raw = payload("", false);
        let of = |raw: &Value| {
            let request = Request::parse(raw).expect("read");
            (request.address.map(|address| address.to_string()), request.agent)
        };
        assert_eq!(of(&raw), (None, None));
        raw["requestContext"]["http"]["sourceIp"] = "2001:db8::1".into();
        raw["requestContext"]["http"]["userAgent"] =
            format!(" a\u{202e}b{}", "c".repeat(300)).into();
        let (address, agent) = of(&raw);
        assert_eq!(
            (address.as_deref(), agent.as_ref().map(|agent| agent.chars().count())),
            (Some("2001:db8::1"), Some(200))
        );
        assert!(agent.is_some_and(|agent| agent.starts_with("a bccc") && agent.ends_with('…')));
        raw["requestContext"]["http"]["sourceIp"] = "nowhere\n".into();
        assert_eq!((of(&raw).0, Request::address_of(&raw)), (None, None));
    }

    #[test]
    fn a_header_is_found_in_any_case_and_only_if_there_is_one() {
        let mut raw = payload("", false);
        let header = |raw: &Value, name: &str| {
            Request::parse(raw).expect("read").header(name).map(str::to_owned)
        };
        assert_eq!(header(&raw, "x-slack-signature"), Some("v0=0".to_owned()));
        assert_eq!(
            header(&raw, "content-type"),
            Some("application/x-www-form-urlencoded".to_owned())
        );
        assert_eq!(header(&raw, "x-other"), None);
        raw["headers"]["X-Slack-Signature"] = "v0=1".into();
        assert_eq!(header(&raw, "x-slack-signature"), None);
    }

    #[test]
    fn every_answer_says_that_it_is_nobodys_to_keep_or_frame() {
        let payload = Response::json(403, &json!({ "a": 1 })).into_payload();
        let expected = json!({
            "statusCode": 403,
            "headers": {
                "cache-control": "no-store",
                "content-security-policy": "default-src 'none'; form-action 'self'; \
                    frame-ancestors 'none'; base-uri 'none'",
                "content-type": "application/json",
                "referrer-policy": "no-referrer",
                "x-content-type-options": "nosniff",
            },
            "body": "{\"a\":1}",
            "isBase64Encoded": false,
        });
        assert_eq!(payload, expected);
        assert_eq!(Response::ok().into_payload()["body"], "");
        let mut page = Response::text(200, "words");
        page.headers.push((
            "content-security-policy",
            "default-src 'none'; style-src 'sha256-x'".to_owned(),
        ));
        assert_eq!(
            page.into_payload()["headers"]["content-security-policy"],
            "default-src 'none'; style-src 'sha256-x'"
        );
    }

    #[test]
    fn neither_a_request_nor_an_answer_can_be_printed() {
        let mut raw = payload("body-secret", false);
        raw["rawPath"] = "/approve/token-secret".into();
        raw["headers"]["x-slack-signature"] = "v0=signature-secret".into();
        let request = Request::parse(&raw).expect("read");
        assert_eq!(format!("{request:?}"), "Request { method: POST, bytes: 11, .. }");
        assert_eq!(
            format!("{:?}", Response::text(200, "secret")),
            "Response { status: 200, bytes: 6, .. }"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::with_cases(2000)
        })]

        #[test]
        fn no_request_makes_it_panic(
            method in ".{0,8}",
            path in any::<String>(),
            headers in proptest::collection::hash_map(any::<String>(), any::<String>(), 0..4),
            body in any::<String>(),
            is_base64 in any::<bool>(),
        ) {
            let mut raw = json!({
                "version": "2.0", "rawPath": path, "headers": headers, "body": body,
                "isBase64Encoded": is_base64,
            });
            raw["requestContext"] = json!({ "http": { "method": method } });
            prop_assert!(Request::is_one(&raw));
            if let Ok(request) = Request::parse(&raw) {
                prop_assert!(is_base64 || request.body == body.as_bytes());
                for name in headers.keys() {
                    request.header(name);
                }
            }
        }

        #[test]
        fn a_body_survives_base64(body in any::<Vec<u8>>()) {
            let request = Request::parse(&payload(&STANDARD.encode(&body), true)).expect("read");
            prop_assert_eq!(request.body, body);
        }
    }
}
