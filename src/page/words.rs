//! Words from outside as parts of a page: one plain line each, and always escaped.

use maud::{Markup, html};

use crate::text::plain;

/// The longest text outside a list, in characters. CloudFormation's reasons can be very long.
pub(super) const LONG: usize = 1_000;
/// The longest text in a list, in characters.
pub(super) const SHORT: usize = 200;

/// A sentence of at most `most` characters, in which text between backticks becomes code, as in
/// answers and messages.
pub(super) fn prose(text: &str, most: usize) -> Markup {
    let text = &plain(text, most);
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

/// A name of a person or of a sender. It has its mark, such as `(claimed)`, at its end, so it is
/// never cut before that.
pub(super) fn name(text: &str) -> Markup {
    prose(text, LONG)
}

/// The text with a capital letter at its start.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// A number with its noun: `1 commit`, `3 commits`.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Names in a row: `alice, bob and carol`.
pub(super) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.into_iter().collect();
    match names.pop() {
        None => String::new(),
        Some(last) if names.is_empty() => last.to_owned(),
        Some(last) => format!("{} and {last}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_between_backticks_is_code_and_is_escaped() {
        assert_eq!(
            prose("mode is `<b>`, `x`", LONG).into_string(),
            "mode is <code>&lt;b&gt;</code>, <code>x</code>"
        );
        assert_eq!(prose("a ` alone", LONG).into_string(), "a ` alone");
        assert_eq!(prose("a\u{202e}b `c\u{2028}d`", LONG).into_string(), "a b <code>c d</code>");
    }

    #[test]
    fn names_stand_in_a_row() {
        assert_eq!(list([]), "");
        assert_eq!(list(["a"]), "a");
        assert_eq!(list(["a", "b", "c"]), "a, b and c");
    }
}
