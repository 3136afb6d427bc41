//! The function URL: a [`Request`] as it came in Lambda's payload format 2.0, and the [`Response`] that goes out.
//! What a path means is not known here. No I/O here.
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html>

use std::collections::HashMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// What every answer says: it is nobody's to keep, to frame, to guess the type of, or to name to another site.
const EVERYWHERE: [(&str, &str); 4] = [
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("content-security-policy", "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"),
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
}

/// Neither a path (it may carry a link's token) nor headers or a body (signatures, what people wrote) belong in a log.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", &self.method).field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

/// Only what is used: a crate's struct would refuse a request for a field that nobody reads, such as the time, and for one
/// odd header would not say what is wrong.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    raw_path: Option<String>,
    raw_query_string: Option<String>,
    headers: Option<HashMap<String, String>>,
    request_context: Context,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

#[derive(Deserialize)]
struct Context {
    http: Http,
}

#[derive(Deserialize)]
struct Http {
    method: String,
}

impl Request {
    /// Whether a payload is an HTTP request, whatever else it looks like: its body is never a command.
    pub fn is_one(raw: &Value) -> bool {
        raw.get("version").is_some_and(|version| version == "2.0")
            && raw.get("requestContext").is_some_and(|context| context.get("http").is_some())
    }

    /// Reads a payload; what cannot be read has its answer already.
    pub fn parse(raw: &Value) -> Result<Self, Response> {
        let bad = |problem: &str| Response::text(400, problem);
        // The words of the parser would quote what a stranger sent.
        let payload = Payload::deserialize(raw).map_err(|_| bad("This is no HTTP request."))?;
        let method = Method::from_bytes(payload.request_context.http.method.as_bytes()).map_err(|_| bad("This is no HTTP method."))?;
        let mut headers = HeaderMap::new();
        for (name, value) in payload.headers.unwrap_or_default() {
            let name: HeaderName = name.parse().map_err(|_| bad("This is no HTTP header."))?;
            let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| bad("This is no HTTP header."))?;
            // Names that differ in case only are one header with two values. A map takes no more than 32,768 of them.
            headers.try_append(name, value).map_err(|_| bad("These are too many HTTP headers."))?;
        }
        let body = payload.body.unwrap_or_default();
        let body = if payload.is_base64_encoded.unwrap_or(false) {
            STANDARD.decode(body).map_err(|_| bad("The body is not the base64 that it is said to be."))?
        } else {
            body.into_bytes()
        };
        Ok(Self { method, path: payload.raw_path.unwrap_or_default(), query: payload.raw_query_string.unwrap_or_default(), headers, body })
    }

    /// Whether a form came from this site's own page. A browser says where a form comes from; what is no browser holds no right
    /// but the one it shows, and so cannot be led to use another's.
    ///
    /// The site is the host that the request was sent to, or the one of `public_url`, where something stands in between.
    pub fn is_same_origin(&self, public_url: Option<&str>) -> bool {
        let site = self.header("sec-fetch-site");
        if self.headers.contains_key("sec-fetch-site") && !matches!(site, Some("same-origin" | "none")) {
            return false;
        }
        if !self.headers.contains_key("origin") {
            return true;
        }
        let origin = self.header("origin").and_then(host_of);
        let is_own = origin.is_some() && (origin == self.header("host") || origin == public_url.and_then(host_of));
        // `no-referrer` makes a browser say `null` here, and then `sec-fetch-site` tells.
        is_own || self.header("origin") == Some("null") && site == Some("same-origin")
    }

    /// The fields of a form.
    pub fn form(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// A header that is there once, as text. Of two nobody can say which one was meant.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).into_iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }
}

/// The host, with its port if it names one, of an address or an origin.
fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    Some(rest.split('/').next().unwrap_or_default()).filter(|host| !host.is_empty())
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
}

/// A page may carry a link's token, so a log gets its size.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

impl Response {
    /// Heard, and nothing to say.
    pub fn ok() -> Self {
        Self::text(200, "")
    }

    /// JSON, for Slack.
    pub fn json(status: u16, value: &Value) -> Self {
        Self { status, headers: vec![("content-type", "application/json".to_owned())], body: value.to_string() }
    }

    /// Words, for people.
    pub fn text(status: u16, words: impl Into<String>) -> Self {
        Self { status, headers: vec![("content-type", "text/plain; charset=utf-8".to_owned())], body: words.into() }
    }

    /// What the function answers to Lambda.
    pub fn into_payload(self) -> Value {
        let everywhere = EVERYWHERE.map(|(name, value)| (name, value.to_owned()));
        let headers: Map<String, Value> =
            everywhere.into_iter().chain(self.headers).map(|(name, value)| (name.to_owned(), value.into())).collect();
        json!({ "statusCode": self.status, "headers": headers, "body": self.body, "isBase64Encoded": false })
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
            "headers": { "x-slack-signature": "v0=0", "Content-Type": "application/x-www-form-urlencoded" },
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
        assert_eq!((plain.method, plain.path.as_str(), plain.query.as_str()), (Method::POST, "/slack/interactions", ""));
        assert_eq!(plain.body, "a=%26&b=é".as_bytes());
        let encoded = Request::parse(&payload("AP8K", true)).expect("read");
        assert_eq!(encoded.body, [0, 255, 10]);
    }

    #[test]
    fn what_a_function_url_does_not_fill_in_may_be_missing() {
        let raw = json!({ "version": "2.0", "requestContext": { "http": { "method": "GET" } }, "body": null, "headers": null });
        let request = Request::parse(&raw).expect("read");
        assert_eq!((request.path.as_str(), request.body.as_slice(), request.headers.len()), ("", &[][..], 0));
    }

    #[test]
    fn what_cannot_be_read_is_answered() {
        is_bad(&payload("not base64!", true), "The body is not the base64 that it is said to be.");
        let mut raw = payload("", false);
        raw["requestContext"]["http"]["method"] = "P OST".into();
        is_bad(&raw, "This is no HTTP method.");
        raw["requestContext"]["http"] = "POST".into();
        is_bad(&raw, "This is no HTTP request.");
        let mut raw = payload("", false);
        raw["headers"]["x-slack-signature"] = "v0=\n".into();
        is_bad(&raw, "This is no HTTP header.");
    }

    #[test]
    fn a_header_is_found_in_any_case_and_only_if_there_is_one() {
        let mut raw = payload("", false);
        let header = |raw: &Value, name: &str| Request::parse(raw).expect("read").header(name).map(str::to_owned);
        assert_eq!(header(&raw, "x-slack-signature"), Some("v0=0".to_owned()));
        assert_eq!(header(&raw, "content-type"), Some("application/x-www-form-urlencoded".to_owned()));
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
                "content-security-policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
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
        page.headers.push(("content-security-policy", "default-src 'none'; style-src 'sha256-x'".to_owned()));
        assert_eq!(page.into_payload()["headers"]["content-security-policy"], "default-src 'none'; style-src 'sha256-x'");
    }

    #[test]
    fn neither_a_request_nor_an_answer_can_be_printed() {
        let mut raw = payload("body-secret", false);
        raw["rawPath"] = "/approve/token-secret".into();
        raw["headers"]["x-slack-signature"] = "v0=signature-secret".into();
        let request = Request::parse(&raw).expect("read");
        assert_eq!(format!("{request:?}"), "Request { method: POST, bytes: 11, .. }");
        assert_eq!(format!("{:?}", Response::text(200, "secret")), "Response { status: 200, bytes: 6, .. }");
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

        #[test]
        fn no_request_makes_it_panic(
            method in ".{0,8}",
            path in any::<String>(),
            headers in proptest::collection::hash_map(any::<String>(), any::<String>(), 0..4),
            body in any::<String>(),
            is_base64 in any::<bool>(),
        ) {
            let mut raw = json!({ "version": "2.0", "rawPath": path, "headers": headers, "body": body, "isBase64Encoded": is_base64 });
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
