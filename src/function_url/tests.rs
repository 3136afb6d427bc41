use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

/// A payload with only the fields that the function needs.
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
fn optional_parts_may_be_missing() {
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
fn a_malformed_request_is_refused() {
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
fn a_large_request_is_refused_before_it_is_decoded() {
    let status = |raw: &Value| Request::parse(raw).map_or_else(|refused| refused.status, |_| 200);
    for (bytes, want) in [(MOST_BODY_BYTES, 200), (MOST_BODY_BYTES + 1, 413), (6_000_000, 413)] {
        assert_eq!(status(&payload(&"a".repeat(bytes), false)), want, "{bytes}");
    }
    for (bytes, want) in [(MOST_BODY_BYTES, 200), (MOST_BODY_BYTES + 3, 413), (4_500_000, 413)] {
        assert_eq!(status(&payload(&STANDARD.encode(vec![b'a'; bytes]), true)), want, "{bytes}");
    }
    // Refused by its length, although it is not base64.
    assert_eq!(status(&payload(&"!".repeat(400_000), true)), 413);
    let mut raw = payload("", false);
    raw["rawPath"] = format!("/approve/{}", "a".repeat(9_000)).into();
    assert_eq!(status(&raw), 414);
    let mut raw = payload("", false);
    raw["headers"]["x-large"] = "a".repeat(70_000).into();
    assert_eq!(status(&raw), 431);
}

#[test]
fn the_sender_is_an_address_and_one_plain_line() {
    let mut raw = payload("", false);
    let of = |raw: &Value| {
        let request = Request::parse(raw).expect("read");
        (request.address.map(|address| address.to_string()), request.agent)
    };
    assert_eq!(of(&raw), (None, None));
    raw["requestContext"]["http"]["sourceIp"] = "2001:db8::1".into();
    raw["requestContext"]["http"]["userAgent"] = format!(" a\u{202e}b{}", "c".repeat(300)).into();
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
    assert_eq!(header(&raw, "content-type"), Some("application/x-www-form-urlencoded".to_owned()));
    assert_eq!(header(&raw, "x-other"), None);
    raw["headers"]["X-Slack-Signature"] = "v0=1".into();
    assert_eq!(header(&raw, "x-slack-signature"), None);
}

#[test]
fn every_answer_forbids_caching_and_framing() {
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
    page.headers
        .push(("content-security-policy", "default-src 'none'; style-src 'sha256-x'".to_owned()));
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
