//! Pages: plain HTML without script. Somebody whom an alarm woke up must be able to read them at
//! once: on a phone or a desk, in light or dark mode, with or without a screen reader. The template
//! engine escapes everything from outside. No I/O here.

pub mod approve;
pub mod board;
mod style;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use crate::function_url::Response;
use crate::model::{Commit, Digest};
use crate::text::plain;
use style::STYLE;

/// The longest sentence, in characters. CloudFormation's reasons can be very long.
const LONGEST: usize = 2_000;

/// A page with this title and content. With `refresh`, it reloads after this many seconds.
pub fn page(status: u16, title: &str, refresh: Option<u32>, content: &Markup) -> Response {
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                @if let Some(seconds) = refresh {
                    meta http-equiv="refresh" content=(seconds);
                }
                title { (title) " · ecr-promoter" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main { (content) }
                footer { p { "ecr-promoter" } }
            }
        }
    };
    Response {
        status,
        headers: vec![
            ("content-type", "text/html; charset=utf-8".to_owned()),
            ("content-security-policy", content_security_policy()),
        ],
        body: document.into_string(),
        why: None,
    }
}

/// A sentence, in which text between backticks becomes code, as in answers and messages. All of it
/// is escaped and on one plain line.
fn prose(text: &str) -> Markup {
    let text = &plain(text, LONGEST);
    let parts: Vec<&str> = text.split('`').collect();
    // One of the backticks has no partner: none of them is read as markup.
    if parts.len().is_multiple_of(2) {
        return html! { (text) };
    }
    html! {
        @for (index, part) in parts.iter().enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// The name of an image for people: its commit, or else its digest.
fn image(commit: Option<&Commit>, digest: &Digest) -> String {
    commit.map_or_else(
        || format!("image {}", digest.short()),
        |commit| format!("commit {}", commit.short()),
    )
}

/// A time with its zone: without script, a page cannot know the reader's time zone.
fn readable(at: Timestamp) -> String {
    let text = at.to_string();
    format!(
        "{} UTC",
        text.split_once('.')
            .map_or(text.trim_end_matches('Z'), |(whole, _)| whole)
            .replace('T', " ")
    )
}

/// A time for people and for machines.
fn time(at: Timestamp) -> Markup {
    html! { time datetime=(at) { (readable(at)) } }
}

/// A page with a title and a sentence only.
pub fn notice(status: u16, title: &str, words: &str) -> Response {
    page(status, title, None, &html! { h1 { (title) } p { (words) } })
}

/// Allows the page's own style and its own forms, and nothing else.
fn content_security_policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; frame-ancestors \
         'none'; base-uri 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_allows_its_own_style_and_nothing_else() {
        let page = notice(200, "Title", "words");
        let (_, policy) = page
            .headers
            .iter()
            .find(|(name, _)| *name == "content-security-policy")
            .expect("a policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        for absent in ["<script", "style=", " on", "http://", "https://"] {
            let body = page.body.replace(STYLE, "");
            assert!(!body.contains(absent), "{absent} is in {body}");
        }
    }

    #[test]
    fn text_between_backticks_is_code_and_is_escaped() {
        assert_eq!(
            prose("mode is `<b>`, `x`").into_string(),
            "mode is <code>&lt;b&gt;</code>, <code>x</code>"
        );
        assert_eq!(prose("a ` alone").into_string(), "a ` alone");
        assert_eq!(prose("a\u{202e}b `c\u{2028}d`").into_string(), "a b <code>c d</code>");
    }

    #[test]
    fn text_from_outside_is_escaped() {
        let page = notice(200, "<script>alert(1)</script>", "<b>\"bold\"</b> & more");
        assert!(
            !page.body.contains("<script>alert") && !page.body.contains("<b>"),
            "{}",
            page.body
        );
    }
}
