//! The shapes that stand beside words. A page carries only those that it uses, in one sprite.

use maud::{Markup, PreEscaped, html};

/// The tone of a state. It sets a colour; a shape and a word always say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// It runs, or is done.
    Ok,
    /// A person must decide.
    Ask,
    /// It goes on by itself.
    Move,
    /// It is broken.
    Bad,
    /// A person stopped it.
    Held,
    /// Nothing is known, or nothing happens.
    None,
}

impl Tone {
    /// Its class in the style.
    pub(super) fn class(self) -> &'static str {
        match self {
            Tone::Ok => "ok",
            Tone::Ask => "ask",
            Tone::Move => "move",
            Tone::Bad => "bad",
            Tone::Held => "held",
            Tone::None => "none",
        }
    }
}

/// A shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbol {
    /// A filled diamond with a question mark: a person decides.
    Ask,
    /// An arrow back: rolled back.
    Back,
    /// An octagon with a cross: failed.
    Bad,
    /// A bell: alarms are watched.
    Bake,
    /// A triangle with an exclamation mark: something is wrong.
    Error,
    /// A filled square with two bars: held.
    Held,
    /// The mark of ecr-promoter.
    Logo,
    /// A half-filled circle: under way.
    Move,
    /// A dashed circle: nothing yet.
    None,
    /// A thin circle with a tick: runs, or done.
    Ok,
    /// A circle with three dots: waits for its turn.
    Queue,
    /// An octagon with a bar: blocked.
    Stop,
    /// A clock: a time.
    Time,
    /// A small ring: a step to come.
    ToDo,
    /// A small dot: ran before.
    Was,
}

/// All shapes, in the order of their names.
const ALL: [Symbol; 15] = [
    Symbol::Ask,
    Symbol::Back,
    Symbol::Bad,
    Symbol::Bake,
    Symbol::Error,
    Symbol::Held,
    Symbol::Logo,
    Symbol::Move,
    Symbol::None,
    Symbol::Ok,
    Symbol::Queue,
    Symbol::Stop,
    Symbol::Time,
    Symbol::ToDo,
    Symbol::Was,
];

/// The circle around several shapes.
macro_rules! circle {
    ($($rest:literal),+ $(,)?) => {
        concat!(
            r#"<circle cx="8" cy="8" r="6.5" fill="none" stroke="currentColor" "#,
            r#"stroke-width="1.5""#,
            $($rest),+
        )
    };
}

/// The octagon around two shapes.
macro_rules! octagon {
    ($rest:literal) => {
        concat!(
            r#"<path d="M4.7 0h6.6L16 4.7v6.6L11.3 16H4.7L0 11.3V4.7z" fill="currentColor"/>"#,
            $rest
        )
    };
}

impl Symbol {
    fn name(self) -> &'static str {
        match self {
            Symbol::Ask => "ask",
            Symbol::Back => "back",
            Symbol::Bad => "bad",
            Symbol::Bake => "bake",
            Symbol::Error => "err",
            Symbol::Held => "held",
            Symbol::Logo => "logo",
            Symbol::Move => "move",
            Symbol::None => "none",
            Symbol::Ok => "ok",
            Symbol::Queue => "queue",
            Symbol::Stop => "stop",
            Symbol::Time => "time",
            Symbol::ToDo => "todo",
            Symbol::Was => "was",
        }
    }

    #[rustfmt::skip]
    fn drawing(self) -> &'static str {
        match self {
            Symbol::Ask => concat!(
                r#"<path d="M8 0l8 8-8 8-8-8z" fill="currentColor"/>"#,
                r#"<path d="M6.1 6.4a1.9 1.9 0 1 1 2.7 1.7q-.8.4-.8 1.2M8 10.7v1.5" class="k" "#,
                r#"fill="none" stroke-width="1.5"/>"#,
            ),
            Symbol::Back => concat!(
                r#"<path d="M6.3 2.5L2.5 6.3l3.8 3.8M3 6.3h6.5a3.6 3.6 0 0 1 0 7.2H7" "#,
                r#"fill="none" stroke="currentColor" stroke-width="1.6"/>"#,
            ),
            Symbol::Bad => octagon!(
                r#"<path d="M5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6" class="k" stroke-width="1.8"/>"#
            ),
            Symbol::Bake => concat!(
                r#"<path d="M8 1.6a4 4 0 0 0-4 4v3L2.5 11.5h11L12 8.6v-3a4 4 0 0 0-4-4z" "#,
                r#"fill="none" stroke="currentColor" stroke-width="1.5" stroke-linejoin="round"/>"#,
                r#"<path d="M6 13.4a2 2 0 0 0 4 0" fill="none" stroke="currentColor" "#,
                r#"stroke-width="1.5"/>"#,
            ),
            Symbol::Error => concat!(
                r#"<path d="M8 .6l8 14.4H0z" fill="currentColor"/>"#,
                r#"<path d="M8 5.8v4.2M8 11.3v1.7" class="k" stroke-width="1.7"/>"#,
            ),
            Symbol::Held => concat!(
                r#"<rect x=".5" y=".5" width="15" height="15" rx="3.5" fill="currentColor"/>"#,
                r#"<path d="M5.9 4.5v7M10.1 4.5v7" class="k" stroke-width="2"/>"#,
            ),
            Symbol::Logo => concat!(
                r#"<rect x=".5" y=".5" width="15" height="15" rx="3.8" fill="currentColor"/>"#,
                r#"<path d="M4.3 9l3.7-3.7L11.7 9M4.3 12h7.4" class="k" fill="none" "#,
                r#"stroke-width="1.7"/>"#,
            ),
            Symbol::Stop => octagon!(r#"<path d="M4 8h8" class="k" stroke-width="2.2"/>"#),
            Symbol::ToDo => concat!(
                r#"<circle cx="8" cy="8" r="4" fill="none" stroke="currentColor" "#,
                r#"stroke-width="1.5"/>"#,
            ),
            Symbol::Was => r#"<circle cx="8" cy="8" r="3" fill="currentColor"/>"#,
            Symbol::Move | Symbol::None | Symbol::Ok | Symbol::Queue | Symbol::Time => {
                self.in_circle()
            }
        }
    }

    /// The shapes that are a circle with something in it.
    #[rustfmt::skip]
    fn in_circle(self) -> &'static str {
        match self {
            Symbol::Move => circle!(
                r#"/><path d="M8 3.6a4.4 4.4 0 0 1 0 8.8z" fill="currentColor"/>"#,
            ),
            Symbol::None => circle!(r#" stroke-dasharray="2.5 2.6"/>"#),
            Symbol::Ok => circle!(
                r#"/><path d="M5 8.3l2.1 2.1L11 6" fill="none" stroke="currentColor" "#,
                r#"stroke-width="1.6"/>"#,
            ),
            Symbol::Queue => circle!(
                r#"/><path d="M4.3 8h1.5M7.25 8h1.5M10.2 8h1.5" stroke="currentColor" "#,
                r#"stroke-width="1.8"/>"#,
            ),
            Symbol::Time => circle!(
                r#"/><path d="M8 4.2V8l2.6 1.7" fill="none" stroke="currentColor" "#,
                r#"stroke-width="1.6"/>"#,
            ),
            Symbol::Ask | Symbol::Back | Symbol::Bad | Symbol::Bake | Symbol::Error => "",
            Symbol::Held | Symbol::Logo | Symbol::Stop | Symbol::ToDo | Symbol::Was => "",
        }
    }

    /// Draws the shape where a word beside it says the same.
    pub(super) fn draw(self) -> Markup {
        self.with_class("i")
    }

    /// Draws the shape of the step that is under way: it pulses, unless that disturbs the reader.
    pub(super) fn spin(self) -> Markup {
        self.with_class("i spin")
    }

    fn with_class(self, class: &str) -> Markup {
        let name = self.name();
        PreEscaped(format!(
            r##"<svg class="{class}" aria-hidden="true"><use href="#i-{name}"/></svg>"##
        ))
    }
}

/// The shapes that this content uses.
pub(super) fn sprite(content: &str) -> Markup {
    let is_used = |symbol: &Symbol| content.contains(&format!("\"#i-{}\"", symbol.name()));
    html! {
        svg class="sprite" width="0" height="0" aria-hidden="true" {
            @for symbol in ALL.into_iter().filter(is_used) {
                symbol id={ "i-" (symbol.name()) } viewBox="0 0 16 16" {
                    (PreEscaped(symbol.drawing()))
                }
            }
        }
    }
}

/// The picture of a browser's tab, as a `data:` address: the mark, with the shape of the worst
/// state. The colours are the same in light and dark tabs.
pub(super) fn tab_picture(worst: Option<Tone>) -> String {
    let shape = match worst {
        Some(Tone::Bad) => "<path d='M20 0h8l4 4v8l-4 4h-8l-4-4V4z' fill='%23ff5148'/>",
        Some(Tone::Ask) => "<path d='M24 0l8 8-8 8-8-8z' fill='%23ffb32c'/>",
        Some(Tone::Move) => "<circle cx='24' cy='8' r='8' fill='%234d8dff'/>",
        Some(Tone::Ok | Tone::Held | Tone::None) | None => "",
    };
    format!(
        "data:image/svg+xml,<svg xmlns='http:%2F%2Fwww.w3.org/2000/svg' viewBox='0 0 32 32'>\
         <rect y='2' width='30' height='30' rx='7' fill='%2326241f'/>\
         <path d='M8 20l7-7 7 7M8 26h14' fill='none' stroke='white' stroke-width='3.5'/>\
         {shape}</svg>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sprite_has_what_the_page_uses_and_nothing_else() {
        let content = html! { (Symbol::Ok.draw()) (Symbol::Move.spin()) "#i-bad" };
        let sprite = sprite(&content.into_string()).into_string();
        for (name, is_there) in [("ok", true), ("move", true), ("bad", false), ("was", false)] {
            assert_eq!(sprite.contains(&format!("id=\"i-{name}\"")), is_there, "{name}: {sprite}");
        }
    }

    #[test]
    fn the_tab_shows_the_worst_state_by_its_shape() {
        let shapes = [
            (Some(Tone::Bad), "ff5148"),
            (Some(Tone::Ask), "ffb32c"),
            (Some(Tone::Move), "4d8dff"),
        ];
        for (worst, colour) in shapes {
            assert!(tab_picture(worst).contains(colour), "{worst:?}");
        }
        assert_eq!(tab_picture(Some(Tone::Held)), tab_picture(None));
    }
}
