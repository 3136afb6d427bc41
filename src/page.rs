//! Pages: plain HTML without script, readable in a second by somebody who was paged, on a phone or
//! a desk, by light or in the dark, with or without eyes. Everything from outside is escaped by the
//! template engine. No I/O here.

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

/// CloudFormation's reasons can run to pages.
const LONGEST: usize = 2_000;

/// A page with this title and content. `refresh` has it load anew after so many seconds.
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

/// A sentence in which what stands between backticks is code, as in answers and messages.
/// Everything is escaped, and one plain line.
fn prose(text: &str) -> Markup {
    let text = &plain(text, LONGEST);
    let parts: Vec<&str> = text.split('`').collect();
    // An odd one out is no pair.
    if parts.len().is_multiple_of(2) {
        return html! { (text) };
    }
    html! {
        @for (index, part) in parts.iter().enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// An image as people call it.
fn image(commit: Option<&Commit>, digest: &Digest) -> String {
    commit.map_or_else(
        || format!("image {}", digest.short()),
        |commit| format!("commit {}", commit.short()),
    )
}

/// Without script nobody knows the reader's time zone, so it is said which one this is.
fn readable(at: Timestamp) -> String {
    let text = at.to_string();
    format!(
        "{} UTC",
        text.split_once('.')
            .map_or(text.trim_end_matches('Z'), |(whole, _)| whole)
            .replace('T', " ")
    )
}

/// For eyes and for machines.
fn time(at: Timestamp) -> Markup {
    html! { time datetime=(at) { (readable(at)) } }
}

/// Something that there is nothing to do about but to read it.
pub fn notice(status: u16, title: &str, words: &str) -> Response {
    page(status, title, None, &html! { h1 { (title) } p { (words) } })
}

/// Nothing but the page's own style, and its own forms.
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
    fn what_stands_between_backticks_is_code_and_still_text() {
        assert_eq!(
            prose("mode is `<b>`, `x`").into_string(),
            "mode is <code>&lt;b&gt;</code>, <code>x</code>"
        );
        assert_eq!(prose("a ` alone").into_string(), "a ` alone");
        assert_eq!(prose("a\u{202e}b `c\u{2028}d`").into_string(), "a b <code>c d</code>");
    }

    #[test]
    fn what_comes_from_outside_is_text() {
        let page = notice(200, "<script>alert(1)</script>", "<b>\"bold\"</b> & more");
        assert!(
            !page.body.contains("<script>alert") && !page.body.contains("<b>"),
            "{}",
            page.body
        );
    }
}
