//! The frame of every page: head, header and foot, and the headers of the response.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::moment::time;
use super::style::STYLE;
use super::symbol::{Symbol, Tone, sprite, tab_picture};
use crate::function_url::Response;
use crate::model::config::App;
use crate::text::plain;

/// How often a page refreshes while something is under way, in seconds.
pub(super) const REFRESH: u32 = 5;
/// The longest name of an environment, in characters.
const ENVIRONMENT: usize = 40;
/// The name of an environment that nothing names.
const PRODUCTION: &str = "production";

/// The place that pages are about, so that nobody acts in the wrong one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    environment: String,
    account: Option<String>,
}

impl Place {
    /// The place of a page without a valid link: it does not say which account.
    pub fn without_account(environment: Option<&str>) -> Self {
        let environment = plain(environment.unwrap_or(PRODUCTION), ENVIRONMENT);
        Self { environment, account: None }
    }

    /// The place of these apps: the configured environment, else the word before the commit in
    /// the production tags of most apps. The account is that of a stack's ARN.
    pub fn of<'a>(
        environment: Option<&str>,
        apps: impl IntoIterator<Item = &'a App>,
        stack_id: Option<&str>,
    ) -> Self {
        let words =
            apps.into_iter().map(|app| app.config.tag_prefix.trim_end_matches(['_', '-', '.']));
        let mut words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        words.sort_unstable();
        let most = words.chunk_by(PartialEq::eq).max_by_key(|same| same.len());
        let environment = environment.or(most.map(|same| same[0]));
        let account = stack_id.and_then(|id| id.split(':').nth(4)).filter(|id| !id.is_empty());
        Self { account: account.map(in_groups), ..Self::without_account(environment) }
    }

    fn is_production(&self) -> bool {
        matches!(self.environment.to_lowercase().as_str(), "production" | "prod")
    }

    /// A page's title with the place.
    fn title(&self, title: &str) -> String {
        let account = self.account.iter().map(String::as_str);
        let parts: Vec<&str> = [title, &self.environment].into_iter().chain(account).collect();
        parts.join(" · ")
    }
}

/// An account's number in groups of four digits.
pub(super) fn in_groups(account: &str) -> String {
    let digits: Vec<char> = plain(account, 20).chars().collect();
    let groups: Vec<String> = digits.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join("-")
}

/// The widest that a page becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// A list.
    Wide,
    /// A timeline.
    Middle,
    /// A form, or a few sentences.
    Slim,
}

/// What stands around a page's content.
pub(super) struct Frame<'a> {
    /// The place.
    pub(super) place: &'a Place,
    /// The board's address, where the reader has one.
    pub(super) home: Option<String>,
    /// Who looks, and for how long.
    pub(super) who: Option<Markup>,
    /// The width.
    pub(super) width: Width,
    /// The worst state on the page.
    pub(super) worst: Option<Tone>,
    /// Where the page goes after some seconds: its own address, or an empty text for where it is.
    pub(super) refresh: Option<String>,
    /// The beginning of the foot.
    pub(super) foot: Markup,
}

impl<'a> Frame<'a> {
    /// A slim page that nobody is known to look at.
    pub(super) fn slim(place: &'a Place, now: Timestamp) -> Self {
        let foot = html! { "As of " (to_the_second(now)) ". All times in UTC." };
        Self { place, home: None, who: None, width: Width::Slim, worst: None, refresh: None, foot }
    }

    /// The page with this title and content.
    pub(super) fn page(&self, status: u16, title: &str, content: &Markup) -> Response {
        let header = self.header();
        let drawn = html! { (header) (content) };
        let width = match self.width {
            Width::Wide => None,
            Width::Middle => Some("mid"),
            Width::Slim => Some("slim"),
        };
        let document = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex";
                    @if let Some(to) = &self.refresh {
                        meta http-equiv="refresh" content=(refresh(to));
                    }
                    title { (self.place.title(title)) }
                    link rel="icon" href=(tab_picture(self.worst));
                    style { (PreEscaped(STYLE)) }
                }
                body class=[width] {
                    (sprite(&drawn.0))
                    a class="skip" href="#main" { "Skip to content" }
                    (header)
                    main id="main" { (content) }
                    footer { p { (self.foot) " ecr-promoter" } }
                }
            }
        };
        let headers = vec![
            ("content-type", "text/html; charset=utf-8".to_owned()),
            ("content-security-policy", content_security_policy()),
        ];
        Response { status, headers, body: document.into_string(), why: None }
    }

    fn header(&self) -> Markup {
        let place = self.place;
        html! {
            header class="top" {
                @match &self.home {
                    Some(home) => {
                        a class="brand" href=(home) aria-label="Board" { (Symbol::Logo.draw()) }
                    }
                    None => span class="brand" { (Symbol::Logo.draw()) },
                }
                p class=(if place.is_production() { "env" } else { "env other" }) {
                    b { (place.environment) }
                    @if let Some(account) = &place.account { " " span class="num" { (account) } }
                }
                @if let Some(who) = &self.who { p class="who" { (who) } }
            }
        }
    }
}

fn refresh(to: &str) -> String {
    if to.is_empty() { REFRESH.to_string() } else { format!("{REFRESH}; url={to}") }
}

/// A time of day to the second.
pub(super) fn to_the_second(at: Timestamp) -> Markup {
    time(at, &at.strftime("%H:%M:%S UTC").to_string())
}

/// Allows the page's own style, its own forms and the picture of its tab, and nothing else.
fn content_security_policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn a_page_allows_its_own_style_and_nothing_else() {
        let place = Place::without_account(None);
        let page = Frame::slim(&place, NOW).page(200, "Title", &html! { h1 { "words" } });
        let (_, policy) = page
            .headers
            .iter()
            .find(|(name, _)| *name == "content-security-policy")
            .expect("a policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(policy.contains("; img-src data:; form-action 'self'; "), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        for absent in ["<script", "style=", " on", "http://", "https://"] {
            let body = page.body.replace(STYLE, "");
            assert!(!body.contains(absent), "{absent} is in {body}");
        }
    }

    #[test]
    fn text_from_outside_is_escaped() {
        let evil = "<script>alert(1)</script>";
        let place = Place { environment: evil.to_owned(), account: Some(evil.to_owned()) };
        let page = Frame::slim(&place, NOW).page(200, evil, &html! { (evil) });
        assert!(!page.body.contains("<script>"), "{}", page.body);
    }

    #[test]
    fn a_place_has_the_word_of_most_apps_and_the_account_of_a_stack() {
        let app = |prefix: &str| {
            samples::app(&format!("{{\"stack\": \"web\", \"tag_prefix\": \"{prefix}\"}}"))
        };
        let apps = [app("staging-"), app("live_"), app("live_")];
        let place = Place::of(None, &apps, Some(samples::STACK_ID));
        assert_eq!(place.title("web"), "web · live · 0123-4567-8912");
        assert!(!place.is_production());
        let named = Place::of(Some("Production"), &apps, None);
        assert_eq!(named.title("web"), "web · Production");
        assert!(named.is_production());
    }
}
