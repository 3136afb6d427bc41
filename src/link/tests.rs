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
fn a_link_of_another_deployment_with_the_same_key_is_refused() {
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
        verify::<ApprovalLink>(&token, now(), &at("https://HERE.lambda-url.us-east-1.on.aws", ONE))
            .is_ok(),
        "the same"
    );
}

#[test]
fn one_kind_of_link_is_not_taken_for_another() {
    let board = BoardLink { session: SessionId::of("1"), proof: Proof::of([1; 16]) };
    let token = signer(ONE).mint(&board, until()).expect("a key");
    assert_eq!(verify(token.expose(), now(), &signer(ONE)), Ok((board.clone(), until())));
    assert_eq!(verify::<ApprovalLink>(token.expose(), now(), &signer(ONE)), Err(Invalid::Forged));
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
fn a_short_key_is_refused() {
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
fn a_malformed_token_is_refused_without_a_key() {
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
    assert_eq!(Claim::<ApprovalLink>::parse(&with(1, "1"), now()).err(), Some(Invalid::Expired));
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
    fn a_changed_link_is_forged(at in 0_usize..1_000, other in "[A-Za-z0-9._-]") {
        let token = token(ONE);
        let at = at % token.len();
        let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
        prop_assume!(changed != token);
        prop_assert!(verify::<ApprovalLink>(&changed, now(), &signer(ONE)).is_err());
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,300}") {
        prop_assert!(verify::<ApprovalLink>(&text, now(), &signer(ONE)).is_err());
    }

    #[test]
    fn an_address_is_one_plain_line(
        text in r"(https?://)?[a-z0-9.:/@\[\]\\ -]{0,30}\PC{0,3}",
    ) {
        if let Ok(PublicUrl(url)) = text.parse() {
            let is_plain = url.bytes().all(|b| b.is_ascii_graphic());
            prop_assert!(url.ends_with('/') && is_plain, "{}", url);
            prop_assert_eq!(url.parse::<PublicUrl>(), Ok(PublicUrl(url.clone())));
        }
    }
}
