//! Pages of a few sentences: a link that has expired, an address that means nothing, a failure.
//! They say nothing about any app.

use jiff::Timestamp;
use maud::{Markup, html};

use super::frame::{Frame, Place, to_the_second};
use super::symbol::{Symbol, Tone};
use super::words::{LONG, prose};
use crate::function_url::Response;

/// Where a reader can go from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WayOn {
    /// To a fresh link.
    FreshLink,
    /// Back, and again.
    TryAgain,
}

/// The page with this title and these words.
pub fn notice(
    status: u16,
    place: &Place,
    now: Timestamp,
    (title, words): (&str, &str),
    way_on: WayOn,
) -> Response {
    let symbol = if status == 410 { Symbol::Time } else { Symbol::None };
    let content = html! {
        div class="head" {
            div {
                p class="tag none" { (symbol.draw()) "Nothing was changed" }
                h1 { (title) }
                p class="lead-in" { (prose(words, LONG)) }
            }
        }
        @if way_on == WayOn::FreshLink { (fresh_link()) }
    };
    let worst = Some(if status >= 500 { Tone::Bad } else { Tone::Ask });
    let foot = html! { "Asked at " (to_the_second(now)) "." };
    Frame { worst, foot, ..Frame::slim(place, now) }.page(status, title, &content)
}

fn fresh_link() -> Markup {
    let ways = [
        "In Slack: `/promote board`",
        "In a terminal: `promote board`",
        "To approve: open the newest mail about the app",
    ];
    html! {
        section class="card" aria-labelledby="fresh" {
            h2 id="fresh" { "Get a fresh one" }
            ul class="facts" {
                @for way in ways { li { (Symbol::Was.draw()) span { (prose(way, LONG)) } } }
            }
        }
    }
}
