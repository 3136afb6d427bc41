//! The function URL: a [`Request`] as it came in Lambda's payload format 2.0, and the [`Response`]
//! that goes out. It does not know what a path means. No I/O here.
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
/// The largest form that is read. This function's own forms have a few hundred bytes, and a form of
/// empty fields takes forty times its size in memory.
const MOST_FORM_BYTES: usize = 16 * 1024;
/// The longest address. This function's longest link, with its query, has a tenth of this.
const MOST_ADDRESS_BYTES: usize = 8 * 1024;
/// The largest headers. The servers in front of Lambda allow this much.
const MOST_HEADER_BYTES: usize = 64 * 1024;
/// The longest user agent that is kept. A browser's has one or two hundred characters.
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
    /// The body, byte for byte as it was sent.
    pub body: Vec<u8>,
    /// The network address that it came from, as Lambda saw it.
    pub address: Option<IpAddr>,
    /// The user agent: one plain line that the sender chose.
    pub agent: Option<String>,
}

/// Leaves out what must not be logged: the path may contain a link's token, the headers a
/// signature, and the body what people wrote.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The parts of the payload that are used. A crate's struct would refuse a request because of a
/// field that nobody reads, such as the time.
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
    /// Whether a payload is an HTTP request. If so, nothing in it is read as a command.
    pub fn is_one(raw: &Value) -> bool {
        raw.get("version").is_some_and(|version| version == "2.0")
            && raw.get("requestContext").is_some_and(|context| context.get("http").is_some())
    }

    /// Reads a payload; the `Err` is the answer to one that cannot be read. Nothing is copied
    /// before its size is checked, since Lambda takes 6 MB from anybody.
    pub fn parse(raw: &Value) -> Result<Self, Response> {
        // The words of the parser would quote what a stranger sent.
        let payload = Payload::deserialize(raw).map_err(|_| bad("This is not an HTTP request."))?;
        let http = payload.request_context.http;
        let method = Method::from_bytes(http.method.as_bytes())
            .map_err(|_| bad("This is not an HTTP method."))?;
        let (path, query) =
            (payload.raw_path.unwrap_or_default(), payload.raw_query_string.unwrap_or_default());
        if path.len() + query.len() > MOST_ADDRESS_BYTES {
            return Err(refused(414, "This address is too long."));
        }
        let headers = read_headers(payload.headers.unwrap_or_default())?;
        let body = read_body(
            payload.body.unwrap_or_default(),
            payload.is_base64_encoded.unwrap_or(false),
        )?;
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

    /// The network address that a payload came from, even if the rest cannot be read.
    pub fn address_of(raw: &Value) -> Option<IpAddr> {
        raw["requestContext"]["http"]["sourceIp"].as_str()?.parse().ok()
    }

    /// Whether a form was sent from this site's own page. A browser says where a form comes from. A
    /// client that says nothing is not a browser: it has no stored rights that another site could
    /// use, so it is accepted.
    ///
    /// The site is the host that the request was sent to, or the host of `public_url`, in case a
    /// proxy stands in between.
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
        // With `no-referrer`, a browser sends `null` here; then `sec-fetch-site` decides.
        is_own || self.header("origin") == Some("null") && site == Some("same-origin")
    }

    /// The fields of a form; none if it is larger than any form of this function.
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

fn bad(problem: &'static str) -> Response {
    refused(400, problem)
}

fn refused(status: u16, problem: &'static str) -> Response {
    Response::text(status, problem).because(problem)
}

fn read_headers(sent: HashMap<&str, &str>) -> Result<HeaderMap, Response> {
    if sent.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > MOST_HEADER_BYTES
    {
        return Err(refused(431, "These HTTP headers are too large."));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in sent {
        let name: HeaderName = name.parse().map_err(|_| bad("This is not an HTTP header."))?;
        let value = HeaderValue::from_bytes(value.as_bytes())
            .map_err(|_| bad("This is not an HTTP header."))?;
        // Names that differ in case only are one header with two values. A map takes no more than
        // 32,768 of them.
        headers.try_append(name, value).map_err(|_| bad("There are too many HTTP headers."))?;
    }
    Ok(headers)
}

fn read_body(body: &str, is_base64: bool) -> Result<Vec<u8>, Response> {
    let most = if is_base64 { MOST_BODY_BYTES.div_ceil(3) * 4 } else { MOST_BODY_BYTES };
    if body.len() > most {
        return Err(refused(413, "The body is larger than 256 KiB."));
    }
    if is_base64 {
        STANDARD.decode(body).map_err(|_| bad("The body is not valid base64."))
    } else {
        Ok(body.as_bytes().to_vec())
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
    /// Headers beside those that every answer has. One of the same name replaces it.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
    /// Why the request was refused, for the log. It quotes nothing from the request.
    pub why: Option<&'static str>,
}

/// Shows the size instead of the body, because a page may contain a link's token.
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

    /// Plain text, for people.
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

    /// Whether the request itself was refused. A decision that came too late (409) does not count.
    pub fn is_refusal(&self) -> bool {
        (400..500).contains(&self.status) && self.status != 409
    }

    /// The answer in Lambda's payload format.
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
mod tests;
