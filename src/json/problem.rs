//! Explains a mistake in a value in the users' words.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use crate::text::nearest::did_you_mean;

/// The most characters of a value that an error shows.
const SHOWN: usize = 100;

/// A mistake whose place is not known yet.
#[derive(Debug)]
pub struct Problem {
    /// The member that is missing or repeated, which the path does not include.
    pub(super) member: Option<&'static str>,
    /// A sentence without the place.
    pub(super) words: String,
}

impl Problem {
    pub(super) fn new(words: String) -> Self {
        Self { member: None, words }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl std::error::Error for Problem {}

impl de::Error for Problem {
    fn custom<T: fmt::Display>(words: T) -> Self {
        Self::new(format!("{words}."))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("found {}; expected {}.", shown(found), in_words(expected)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(word: &str, words: &'static [&'static str]) -> Self {
        let end = did_you_mean(word, words.iter().copied());
        Self::new(format!(
            "found {}; expected {}{end}",
            shown(Unexpected::Str(word)),
            listed(words)
        ))
    }

    fn unknown_field(key: &str, keys: &'static [&'static str]) -> Self {
        let end = did_you_mean(key, keys.iter().copied());
        Self::new(format!("there is no such key{end} The keys are {}.", listed(keys)))
    }

    fn missing_field(key: &'static str) -> Self {
        Self { member: Some(key), words: "it is missing, but required.".to_owned() }
    }

    fn duplicate_field(key: &'static str) -> Self {
        Self { member: Some(key), words: "it appears twice; expected once.".to_owned() }
    }
}

/// Shows a value as people write it.
pub(super) fn shown(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(number) => format!("`{number}`"),
        Unexpected::Signed(number) => format!("`{number}`"),
        Unexpected::Float(number) => format!("`{number}`"),
        Unexpected::Str("") => "an empty text".to_owned(),
        Unexpected::Str(text) => format!("the text `{}`", cut(text)),
        Unexpected::Unit | Unexpected::Option => "`null`".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "an object".to_owned(),
        // These come from other formats than JSON.
        Unexpected::Char(_) | Unexpected::Bytes(_) | Unexpected::Enum | Unexpected::Other(_) => {
            found.to_string()
        }
        Unexpected::NewtypeStruct | Unexpected::UnitVariant | Unexpected::NewtypeVariant => {
            found.to_string()
        }
        Unexpected::TupleVariant | Unexpected::StructVariant => found.to_string(),
    }
}

/// Replaces serde's name for an expected type by the users' words.
fn in_words(expected: &dyn Expected) -> String {
    let expected = expected.to_string();
    match expected.as_str() {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, without quotes".to_owned(),
        "a string" => "a text in quotes".to_owned(),
        "a boolean" => "`true` or `false`, without quotes".to_owned(),
        "a sequence" => "a list in brackets".to_owned(),
        rust if rust.starts_with("struct ") => "an object in braces".to_owned(),
        _ => expected,
    }
}

pub(super) fn listed(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match words.as_slice() {
        [first, second] => format!("{first} or {second}"),
        several => several.join(", "),
    }
}

pub(super) fn cut(text: &str) -> String {
    let plain: String =
        text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().count() > SHOWN { plain + "…" } else { plain }
}
