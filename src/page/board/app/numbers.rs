//! How the app's deployments went lately: four numbers, with what they mean.

use maud::{Markup, html};

use super::sight::Sight;
use crate::model::limits::HISTORY;
use crate::model::numbers::{DAYS, Numbers};
use crate::page::moment::long;
use crate::page::symbol::Symbol;

const LEAD: &str = "median, from the push of an image until it ran; waiting for people counts";
const RESTORED: &str = "median, from a deployment that was rolled back from until the image before \
                        it ran again";

/// The part with the numbers; nothing before the first promotion has ended.
pub(super) fn part(sight: &Sight<'_>) -> Markup {
    let history = sight.seen.history.as_deref().unwrap_or_default();
    let numbers = Numbers::of(history, history.len() < HISTORY, sight.viewer.now);
    if numbers.tried == 0 {
        return html! {};
    }
    let span = match numbers.is_cut {
        true => format!("the last {HISTORY} promotions"),
        false => format!("last {DAYS} days"),
    };
    let none = || "none".to_owned();
    let percent = numbers.failure_percent().unwrap_or_default();
    let failures = format!("{} of {}, {percent} %", numbers.failed, numbers.tried);
    let rows = [
        ("Deployments", numbers.deployed.to_string(), "rollbacks aside"),
        ("Lead time", numbers.lead.map_or_else(none, long), LEAD),
        ("Change failures", failures, "failed, or rolled back from afterwards"),
        ("Time to restore", numbers.restored.map_or_else(none, long), RESTORED),
    ];
    html! {
        li class="none" {
            (Symbol::None.draw())
            div {
                h2 class="k2" { span { "Numbers" } " " span class="dim" { (span) } }
                dl class="full" {
                    @for (name, value, meaning) in &rows {
                        dt { (name) }
                        dd { span class="num" { (value) } " · " span class="dim" { (meaning) } }
                    }
                }
            }
        }
    }
}
