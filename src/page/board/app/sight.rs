//! What the cards of an app's page are made from, and what they have in common.

use maud::{Markup, html};

use crate::model::Digest;
use crate::model::config::App;
use crate::model::notes::ChangeNotes;
use crate::model::state::State;
use crate::model::way_back::WayBack;
use crate::page::board::act::ONCE;
use crate::page::board::row::Row;
use crate::page::board::verb::{Rights, Verb};
use crate::page::board::{Viewer, named, note_of};
use crate::page::commits::ci;
use crate::page::condition::{self, Condition};
use crate::page::frame::Place;
use crate::page::symbol::{Symbol, Tone};
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
    /// The apps of the repository, with this one; none if they could not be read.
    pub stages: &'a [Row],
    /// What the viewer may do.
    pub rights: &'a Rights,
    /// The id of the command that a form of this page makes.
    pub once: &'a str,
    /// The commits that the candidate would bring.
    pub notes: Option<&'a ChangeNotes>,
    /// Where a rollback would lead, if that could be worked out.
    pub way_back: Option<&'a WayBack>,
}

/// One card of the timeline.
pub(super) struct Part {
    pub(super) tone: Tone,
    pub(super) symbol: Markup,
    /// Its name in the summary at the top, and what stands there beside it.
    pub(super) glance: (&'static str, Markup),
    /// The heading, and what stands there at the right.
    pub(super) heading: (Markup, Markup),
    pub(super) card: Markup,
}

impl Sight<'_> {
    pub(super) fn state(&self) -> Option<&State> {
        self.seen.state.as_ref()
    }

    pub(super) fn condition(&self) -> Condition {
        condition::of(Ok(self.app), Ok(self.state()), self.viewer.now)
    }

    /// Whether the viewer may do this.
    pub(super) fn may(&self, verb: Verb) -> bool {
        self.rights.objection(verb).is_none()
    }

    /// A link to the page that asks about an act, if the viewer may do it.
    pub(super) fn act(
        &self,
        verb: Verb,
        image: Option<&Digest>,
        words: &str,
        class: &str,
    ) -> Markup {
        let symbol = match verb {
            Verb::RollBack => Some(Symbol::Back),
            Verb::Hold => Some(Symbol::Held),
            Verb::Approve | Verb::Reject | Verb::Promote | Verb::Resume | Verb::Cancel => None,
            Verb::Look | Verb::AskAgain => None,
        };
        html! {
            @if self.may(verb) {
                a class=(class) href=(self.viewer.act(verb, &self.app.name, image)) {
                    @if let Some(symbol) = symbol { (symbol.draw()) }
                    (words) "…"
                }
            }
        }
    }

    /// The link to the CI run that built an image.
    pub(super) fn ci(&self, digest: &Digest) -> Option<Markup> {
        ci(self.app.build_page(note_of(self.seen, digest)))
    }

    /// The links of a card, and beside them a button that acts at once, if the viewer may do that.
    pub(super) fn acts_with_button(
        &self,
        links: &[Markup],
        verb: Verb,
        image: Option<&Digest>,
    ) -> Markup {
        if !self.may(verb) {
            return acts(links);
        }
        let address = self.viewer.act(verb, &self.app.name, image);
        html! {
            " "
            form class="acts" method="post" action=(address) {
                @for link in links { (link) " " }
                input type="hidden" name=(ONCE) value=(self.once);
                button type="submit" { (verb.label()) }
            }
        }
    }

    /// The link to a rollback: it names the image, where it is known which one that is.
    pub(super) fn roll_back(&self) -> Markup {
        let state = self.state();
        let is_open = state.is_some_and(|state| !state.open.is_empty());
        let has_history = self.seen.history.as_ref().is_some_and(|history| !history.is_empty());
        if !is_open && !has_history {
            return html! {};
        }
        let words = match self.way_back {
            Some(way) => {
                format!("Roll back to {}", named(self.app, self.seen, &way.to).words())
            }
            None => "Roll back".to_owned(),
        };
        self.act(Verb::RollBack, None, &words, "btn")
    }
}

impl Part {
    /// Its line in the summary at the top.
    pub(super) fn glance(&self, id: &str) -> Markup {
        let (name, words) = &self.glance;
        html! {
            li class=(self.tone.class()) {
                a href={ "#" (id) } { (self.symbol) span { b { (name) } " " span { (words) } } }
            }
        }
    }

    /// The card.
    pub(super) fn draw(&self, class: &str, id: Option<&str>) -> Markup {
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
pub(super) fn acts(links: &[Markup]) -> Markup {
    let has_any = links.iter().any(|link| !link.0.is_empty());
    html! { @if has_any { " " div class="acts" { @for link in links { (link) " " } } } }
}
