//! One app on the board, as a timeline: what may come next, what is on its way, what runs now, what
//! ran before, and how that went in numbers. Each act stands beside what it is about.

mod before;
mod next;
mod now;
mod numbers;
mod sight;
mod soaking;
mod stages;
mod way;

use maud::html;

use super::{STILL, Viewer, is_under_way, objection};
use crate::function_url::Response;
use crate::model::AppName;
use crate::model::stack::Phase;
use crate::page::condition::{self, Condition, Kind, worst};
use crate::page::frame::{Frame, Place, Width};
use crate::page::words::{LONG, prose};

pub use sight::Sight;

/// The page of an app whose configuration cannot be used.
pub fn unusable(
    viewer: &Viewer<'_>,
    place: &Place,
    repository: &AppName,
    trouble: &str,
) -> Response {
    let condition = condition::of(Err(trouble), Ok(None), viewer.now);
    let content = html! {
        div class="head" { div { (viewer.crumb(None)) h1 { (repository) } } }
        section class="card" aria-labelledby="trouble" {
            h2 id="trouble" class="k2 bad" {
                span { (condition.kind.symbol().draw()) " " (condition.words) }
            }
            p { (prose(trouble, LONG)) }
        }
    };
    let title = title(repository, &condition);
    let frame = Frame { worst: worst([&condition]), ..viewer.frame(place, Width::Middle) };
    frame.page(200, &title, &content)
}

/// The page of an app.
pub fn app(sight: &Sight<'_>) -> Response {
    let Sight { viewer, place, app, seen, rights, .. } = sight;
    let state = seen.state.as_ref();
    let is_busy = seen.stack.as_ref().is_some_and(|stack| stack.phase() == Phase::Busy);
    let is_under_way = is_busy || state.is_some_and(is_under_way);
    let condition = sight.condition();
    let (soaking, next) = (soaking::part(sight), next::part(sight));
    let (way, now) = (way::parts(sight), now::part(sight));
    let own = viewer.app(&app.name);
    let content = html! {
        div class="head" {
            div {
                (viewer.crumb(None))
                h1 { (app.name) }
                (stages::lines(sight))
                p class="meta" {
                    (viewer.pause(is_under_way, &own, &format!("{own}?{}", STILL)))
                }
            }
            @if let Some(words) = &rights.no_commands {
                (objection(&format!("You can look, but not change anything: {words}.")))
            }
            (stages::nav(sight))
            ul class="list glance" {
                (now.glance("now"))
                @if let Some(way) = way.first() { (way.glance("way")) }
                @if let Some(next) = &next { (next.glance("next")) }
                @if let Some(soaking) = &soaking { (soaking.glance("soaking")) }
            }
        }
        ol class="tl" {
            @if let Some(soaking) = &soaking { (soaking.draw("soon", Some("soaking"))) }
            @if let Some(next) = &next { (next.draw("soon", Some("next"))) }
            @for (at, way) in way.iter().enumerate() {
                (way.draw("soon", (at == 0).then_some("way")))
            }
            (now.draw("", Some("now")))
            (before::part(sight))
            (numbers::part(sight))
        }
    };
    let frame = Frame {
        worst: worst([&condition]),
        refresh: viewer.refresh(is_under_way),
        ..viewer.frame(place, Width::Middle)
    };
    frame.page(200, &title(&app.name, &condition), &content)
}

fn title(repository: &AppName, condition: &Condition) -> String {
    // The seconds and the names stand on the page.
    let word = match condition.kind {
        Kind::Held => "held",
        Kind::RolledBack => "rolled back",
        Kind::Updating => condition.words.split(',').next().unwrap_or_default(),
        Kind::Failed | Kind::Alarm | Kind::Blocked | Kind::Unusable | Kind::Elsewhere => {
            &condition.words
        }
        Kind::Waits | Kind::Expired | Kind::Verifying => &condition.words,
        Kind::Baking | Kind::Queued | Kind::Soaking => &condition.words,
        Kind::Running | Kind::Unseen => &condition.words,
    };
    format!("{repository}: {}", in_a_sentence(word))
}

/// The words with a small letter at the start.
fn in_a_sentence(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}
