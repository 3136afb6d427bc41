//! Bytes through the whole edge: the function URL, Slack's signature, a click, a slash command, and
//! what is done with their words. Nothing may panic, and nobody but the fuzzer's luck knows the
//! secret.
#![no_main]

use ecr_promoter::function_url::Request;
use ecr_promoter::slack::response_url::is_response_url;
use ecr_promoter::slack::{escape, interaction, signature, slash};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;
use serde_json::json;

/// A secret of which no signature is in the corpus.
const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";

// The lines before an empty one are headers, the rest is the body, as in HTTP itself.
fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    let (head, body) = text.split_once("\n\n").unwrap_or(("", &text));
    let headers: serde_json::Map<_, _> =
        head.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_owned(), value.trim().into())).collect();
    for is_base64 in [false, true] {
        let raw = json!({
            "version": "2.0",
            "rawPath": head,
            "headers": headers,
            "requestContext": { "http": { "method": "POST" } },
            "body": body,
            "isBase64Encoded": is_base64,
        });
        assert!(Request::is_one(&raw));
        match Request::parse(&raw) {
            Ok(request) => edge(&request),
            Err(response) => assert!(matches!(response.status, 400 | 413 | 414 | 431)),
        }
    }
    // The body without the detour over text.
    words(interaction::parse(input).ok().flatten().map(|click| (click.user.name, click.response_url)));
    words(slash::parse(input).ok().map(|command| (command.text, command.response_url)));
});

fn edge(request: &Request) {
    if let Ok(signed) = signature::signed(request, Timestamp::UNIX_EPOCH) {
        assert!(!signed.is_by(&SecretString::from(SECRET)));
        assert!(!signed.is_by(&SecretString::from("")));
    }
    words(interaction::parse(&request.body).ok().flatten().map(|click| (click.user.name, click.response_url)));
    words(slash::parse(&request.body).ok().map(|command| (command.text, command.response_url)));
}

fn words(words: Option<(String, Option<String>)>) {
    let Some((text, url)) = words else { return };
    assert!(!escape::escape(&text, 100).contains(['<', '>']));
    assert!(matches!(escape::code(&text, 100).matches('`').count(), 0 | 2));
    if let Some(url) = url
        && is_response_url(&url, "https://slack.com/api/")
    {
        assert!(url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")));
    }
}
