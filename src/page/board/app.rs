//! One app on the board, as a timeline: what may come next, what is on its way, what runs now, and
//! what ran before. Each act stands beside what it is about.

mod before;
mod next;
mod now;
mod way;

use maud::{Markup, html};

use super::verb::{Rights, Verb};
use super::{Viewer, is_under_way, objection};
use crate::function_url::Response;
use crate::model::Digest;
use crate::model::Repository;
use crate::model::config::App;
use crate::model::notes::ChangeNotes;
use crate::model::stack::Phase;
use crate::model::state::State;
use crate::model::way_back::WayBack;
use crate::page::condition::{self, Condition, Kind, worst};
use crate::page::frame::{Frame, Place, Width};
use crate::page::symbol::{Symbol, Tone};
use crate::page::words::{LONG, prose};
use crate::world::snapshot::Snapshot;

/// An app as somebody sees it.
pub struct Sight<'a> {
    /// Who looks.
    pub viewer: &'a Viewer<'a>,
    /// The place.
    pub place: &'a Place,
    /// The app.
    pub app: &'a App,
    /// What was read, with the history and, while the stack is busy, its events.
    pub seen: &'a Snapshot,
    /// What the viewer may do.
    pub rights: &'a Rights,
    /// The commits that the candidate would bring.
    pub notes: Option<&'a ChangeNotes>,
    /// Where a rollback would lead, if that could be worked out.
    pub way_back: Option<&'a WayBack>,
}

/// One card of the timeline.
struct Part {
    tone: Tone,
    symbol: Markup,
    /// Its name in the summary at the top, and what stands there beside it.
    glance: (&'static str, Markup),
    /// The heading, and what stands there at the right.
    heading: (Markup, Markup),
    card: Markup,
}

/// The page of an app whose configuration cannot be used.
pub fn unusable(
    viewer: &Viewer<'_>,
    place: &Place,
    repository: &Repository,
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
    let (next, way, now) = (next::part(sight), way::parts(sight), now::part(sight));
    let own = viewer.app(&app.repository);
    let content = html! {
        div class="head" {
            div {
                (viewer.crumb(None))
                h1 { (app.repository) }
                p class="meta" {
                    (viewer.pause(is_under_way, &own, &format!("{own}?{}", super::STILL)))
                }
            }
            @if let Some(words) = &rights.no_commands {
                (objection(&format!("You can look, but not change anything: {words}.")))
            }
            ul class="list glance" {
                (now.glance("now"))
                @if let Some(way) = way.first() { (way.glance("way")) }
                @if let Some(next) = &next { (next.glance("next")) }
            }
        }
        ol class="tl" {
            @if let Some(next) = &next { (next.draw("soon", Some("next"))) }
            @for (at, way) in way.iter().enumerate() {
                (way.draw("soon", (at == 0).then_some("way")))
            }
            (now.draw("", Some("now")))
            (before::part(sight))
        }
    };
    let frame = Frame {
        worst: worst([&condition]),
        refresh: viewer.refresh(is_under_way),
        ..viewer.frame(place, Width::Middle)
    };
    frame.page(200, &title(&app.repository, &condition), &content)
}

fn title(repository: &Repository, condition: &Condition) -> String {
    let word = match condition.kind {
        // The seconds and the names stand on the page.
        Kind::Updating => condition.words.split(',').next().unwrap_or_default(),
        Kind::Held => "held",
        Kind::RolledBack => "rolled back",
        _ => &condition.words,
    };
    format!("{repository}: {}", in_a_sentence(word))
}

/// The words with a small letter at the start.
fn in_a_sentence(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

impl Sight<'_> {
    fn state(&self) -> Option<&State> {
        self.seen.state.as_ref()
    }

    fn condition(&self) -> Condition {
        condition::of(Ok(self.app), Ok(self.state()), self.viewer.now)
    }

    /// Whether the viewer may do this.
    fn may(&self, verb: Verb) -> bool {
        self.rights.objection(verb).is_none()
    }

    /// A link to the page that asks about an act, if the viewer may do it.
    fn act(&self, verb: Verb, image: Option<&Digest>, words: &str, class: &str) -> Markup {
        let symbol = match verb {
            Verb::RollBack => Some(Symbol::Back),
            Verb::Hold => Some(Symbol::Held),
            _ => None,
        };
        html! {
            @if self.may(verb) {
                a class=(class) href=(self.viewer.act(verb, &self.app.repository, image)) {
                    @if let Some(symbol) = symbol { (symbol.draw()) }
                    (words) "…"
                }
            }
        }
    }

    /// The link to a rollback: it names the image, where it is known which one that is.
    fn roll_back(&self) -> Markup {
        let state = self.state();
        let is_open = state.is_some_and(|state| !state.open.is_empty());
        let has_history = self.seen.history.as_ref().is_some_and(|history| !history.is_empty());
        if !is_open && !has_history {
            return html! {};
        }
        let words = match self.way_back {
            Some(way) => {
                format!("Roll back to {}", super::named(self.app, self.seen, &way.to).words())
            }
            None => "Roll back".to_owned(),
        };
        self.act(Verb::RollBack, None, &words, "btn")
    }
}

impl Part {
    /// Its line in the summary at the top.
    fn glance(&self, id: &str) -> Markup {
        let (name, words) = &self.glance;
        html! {
            li class=(self.tone.class()) {
                a href={ "#" (id) } { (self.symbol) span { b { (name) } " " span { (words) } } }
            }
        }
    }

    /// The card.
    fn draw(&self, class: &str, id: Option<&str>) -> Markup {
        let (heading, beside) = &self.heading;
        let class = format!("{class} {}", self.tone.class());
        html! {
            li class=(class.trim_start()) id=[id] {
                (self.symbol)
                div {
                    h2 class="k2" { span { (heading) } " " span class="dim" { (beside) } }
                    (self.card)
                }
            }
        }
    }
}

/// The links of a card; nothing if there are none.
fn acts(links: &[Markup]) -> Markup {
    let has_any = links.iter().any(|link| !link.0.is_empty());
    html! { @if has_any { div class="acts" { @for link in links { (link) } } } }
}
