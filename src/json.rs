//! Reads JSON that people write into a type, and tells mistakes in the users' words instead of
//! Rust's. No I/O here.

use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{
    self, Deserialize, Deserializer, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Number, Value};

use crate::nearest::did_you_mean;

/// How much of a value an error shows.
const SHOWN: usize = 100;

/// A JSON value as it was written. An object keeps both entries of a repeated key, so that this is
/// an error.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Node>),
    /// An object's members, in their order.
    Object(Vec<(String, Node)>),
}

/// What is wrong with a JSON text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The key, as a path (`approval.required`); `None` where the whole is wrong, or is not valid
    /// JSON.
    pub key: Option<String>,
    /// Sentences that say what was found, what was expected, and the nearest right word.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.iter().try_for_each(|key| write!(f, "key `{key}`: "))?;
        f.write_str(&self.problem)
    }
}

/// Reads a text as JSON. The error names the line and column where it is not valid.
pub fn parse(text: &str) -> Result<Node, Mistake> {
    serde_json::from_str(text).map_err(|error| Mistake { key: None, problem: syntax(&error) })
}

/// Why a text is not valid JSON, and at which line and column.
pub fn syntax(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let words = error.to_string();
    let why =
        match words.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&words) {
            "key must be a string" => "a key must be in double quotes",
            "trailing comma" => "nothing follows a comma",
            "trailing characters" => "more follows where it should end",
            "recursion limit exceeded" => "too many brackets within each other",
            why if why.starts_with("EOF") => "it ends too early",
            why => why,
        };
    format!("it is not valid JSON: {why}, at line {line}, column {column}.")
}

/// Reads a value into a type.
pub fn read<'a, T: Deserialize<'a>>(node: &'a Node) -> Result<T, Mistake> {
    serde_path_to_error::deserialize(node).map_err(|error| {
        let path = Some(error.path().to_string()).filter(|path| path != ".");
        let Problem { member, words } = error.into_inner();
        let key = match (path, member) {
            (Some(path), Some(member)) => Some(format!("{path}.{member}")),
            (path, member) => path.or(member.map(str::to_owned)),
        };
        Mistake { key: key.as_deref().map(cut), problem: words }
    })
}

impl Node {
    /// The value at this path, as errors write it: `approval.approvers[0]`.
    pub fn at(&self, path: &str) -> Option<&Node> {
        path.split(['.', '[']).try_fold(self, |node, step| match node {
            Node::Object(members) => {
                members.iter().find(|(key, _)| key == step).map(|(_, value)| value)
            }
            Node::List(items) => items.get(step.strip_suffix(']')?.parse::<usize>().ok()?),
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) => None,
        })
    }

    fn as_text(&self) -> Option<&str> {
        if let Node::Text(text) = self { Some(text) } else { None }
    }

    fn found(&self) -> Unexpected<'_> {
        match self {
            Node::Null => Unexpected::Unit,
            Node::Bool(value) => Unexpected::Bool(*value),
            Node::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => Unexpected::Unsigned(number),
                (None, Some(number)) => Unexpected::Signed(number),
                (None, None) => Unexpected::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Node::Text(text) => Unexpected::Str(text),
            Node::List(_) => Unexpected::Seq,
            Node::Object(_) => Unexpected::Map,
        }
    }
}

/// The value as an error shows it.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::List(items) => {
                let items: Vec<String> = items
                    .iter()
                    .map(|item| item.as_text().map_or_else(|| item.to_string(), str::to_owned))
                    .collect();
                write!(f, "a list of `{}`", cut(&items.join("`, `")))
            }
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::Object(_) => {
                f.write_str(&shown(self.found()))
            }
        }
    }
}

impl From<&Value> for Node {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Node::Null,
            Value::Bool(value) => Node::Bool(*value),
            Value::Number(number) => Node::Number(number.clone()),
            Value::String(text) => Node::Text(text.clone()),
            Value::Array(items) => Node::List(items.iter().map(Node::from).collect()),
            Value::Object(members) => Node::Object(
                members.iter().map(|(key, value)| (key.clone(), Node::from(value))).collect(),
            ),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(AsNode)
    }
}

struct AsNode;

impl<'de> Visitor<'de> for AsNode {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        Number::from_f64(value)
            .map(Node::Number)
            .ok_or_else(|| E::custom("the number is too large"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Node::Object(object))
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self {
            Node::Null => visitor.visit_unit(),
            Node::Bool(value) => visitor.visit_bool(*value),
            Node::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (None, Some(number)) => visitor.visit_i64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Node::Text(text) => visitor.visit_borrowed_str(text),
            Node::List(items) => visitor.visit_seq(SeqDeserializer::new(items.iter())),
            Node::Object(members) => visitor.visit_map(MapDeserializer::new(
                members.iter().map(|(key, value)| (key.as_str(), value)),
            )),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        if matches!(self, Node::Null) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    /// Refuses a list: serde would take its items for the members of an object.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        if let Node::Object(_) = self {
            self.deserialize_any(visitor)
        } else {
            Err(de::Error::invalid_type(self.found(), &visitor))
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        match self.as_text() {
            Some(word) => visitor.visit_enum(BorrowedStrDeserializer::new(word)),
            None => Err(Problem::new(format!(
                "found {}; expected {}.",
                shown(self.found()),
                listed(words)
            ))),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Problem> for &'de Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// A mistake whose place is not known yet.
#[derive(Debug)]
pub struct Problem {
    /// The member that is missing or repeated, which the path does not include.
    member: Option<&'static str>,
    words: String,
}

impl Problem {
    fn new(words: String) -> Self {
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
        Self { member: Some(key), words: "it is missing, and required.".to_owned() }
    }

    fn duplicate_field(key: &'static str) -> Self {
        Self { member: Some(key), words: "it is there twice; expected once.".to_owned() }
    }
}

/// Shows a value as people write it.
fn shown(found: Unexpected<'_>) -> String {
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

/// Says what was expected in the users' words, where serde names a Rust type.
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

fn listed(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match words.as_slice() {
        [first, second] => format!("{first} or {second}"),
        several => several.join(", "),
    }
}

fn cut(text: &str) -> String {
    let plain: String =
        text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().count() > SHOWN { plain + "…" } else { plain }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Approval,
        Auto,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct People {
        required: u32,
        links: Option<bool>,
        names: Vec<String>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct App {
        #[serde(rename = "stack")]
        _stack: String,
        mode: Option<Mode>,
        #[serde(default)]
        people: People,
    }

    fn mistake(text: &str) -> String {
        parse(text).and_then(|node| read::<App>(&node).map(|_| ())).expect_err(text).to_string()
    }

    #[test]
    fn what_is_right_is_read() {
        let node = parse(
            r#"{"stack": "web", "mode": "auto", "people": {"required": 2, "links": null, "names": ["a"]}}"#,
        ).expect("JSON");
        let app: App = read(&node).expect("an app");
        assert!(matches!(app.mode, Some(Mode::Auto)));
        assert_eq!((app.people.required, app.people.links, app.people.names.len()), (2, None, 1));
        assert_eq!(
            Node::from(&json!({"a": [1, -1, 1.5, true, null, "x"]})),
            parse(r#"{"a":[1,-1,1.5,true,null,"x"]}"#).expect("JSON")
        );
    }

    #[test]
    fn a_mistake_says_what_was_found_what_was_expected_and_what_may_be_meant() {
        let all = [
            r#"{"stack": "web", "mode": "automatic"}"#,
            r#"{"stack": "web", "mode": "never"}"#,
            r#"{"stack": "web", "mode": 1}"#,
            r#"{"stak": "web"}"#,
            r#"{"mode": "auto"}"#,
            r#"{"stack": "web", "stack": "api"}"#,
            r#"{"stack": ["web"]}"#,
            r#"{"stack": null}"#,
            r#"{"stack": "web", "people": {"required": "2"}}"#,
            r#"{"stack": "web", "people": {"required": -1}}"#,
            r#"{"stack": "web", "people": {"required": 1.5}}"#,
            r#"{"stack": "web", "people": {"links": "yes"}}"#,
            r#"{"stack": "web", "people": {"link": true}}"#,
            r#"{"stack": "web", "people": {"names": ["a", 5]}}"#,
            r#"{"stack": "web", "people": {"names": ""}}"#,
            r#"{"stack": "web", "people": [1, true, []]}"#,
        ];
        insta::assert_snapshot!(all.map(mistake).join("\n"), @r"
        key `mode`: found the text `automatic`; expected `approval` or `auto`: did you mean `auto`?
        key `mode`: found the text `never`; expected `approval` or `auto`.
        key `mode`: found `1`; expected `approval` or `auto`.
        key `stak`: there is no such key: did you mean `stack`? The keys are `stack`, `mode`, `people`.
        key `stack`: it is missing, and required.
        key `stack`: it is there twice; expected once.
        key `stack`: found a list; expected a text in quotes.
        key `stack`: found `null`; expected a text in quotes.
        key `people.required`: found the text `2`; expected a whole number, without quotes.
        key `people.required`: found `-1`; expected a whole number, without quotes.
        key `people.required`: found `1.5`; expected a whole number, without quotes.
        key `people.links`: found the text `yes`; expected `true` or `false`, without quotes.
        key `people.link`: there is no such key: did you mean `links`? The keys are `required`, `links`, `names`.
        key `people.names[1]`: found `5`; expected a text in quotes.
        key `people.names`: found an empty text; expected a list in brackets.
        key `people`: found a list; expected an object in braces.
        ");
    }

    #[test]
    fn what_is_no_json_is_told_with_line_and_column_and_no_key() {
        let all = [
            "",
            "{",
            "{\"stack\": \"web\",\n}",
            "{\"stack\": \"web\"\n \"mode\": \"auto\"}",
            "{'stack': 'web'}",
            "{} {}",
            "{\"stack\": \"we",
        ];
        insta::assert_snapshot!(all.map(mistake).join("\n"), @r"
        it is not valid JSON: it ends too early, at line 1, column 0.
        it is not valid JSON: it ends too early, at line 1, column 1.
        it is not valid JSON: nothing follows a comma, at line 2, column 1.
        it is not valid JSON: expected `,` or `}`, at line 2, column 2.
        it is not valid JSON: a key must be in double quotes, at line 1, column 2.
        it is not valid JSON: more follows where it should end, at line 1, column 4.
        it is not valid JSON: it ends too early, at line 1, column 13.
        ");
        let deep = "[".repeat(100_000);
        assert!(mistake(&deep).contains("brackets within"), "it ends");
    }

    #[test]
    fn a_path_leads_to_what_was_written() {
        let node = parse(r#"{"people": {"names": ["a", "b"]}, "n": 5}"#).expect("JSON");
        assert_eq!(
            node.at("people.names[1]").map(Node::to_string).as_deref(),
            Some("the text `b`")
        );
        assert_eq!(
            node.at("people.names").map(Node::to_string).as_deref(),
            Some("a list of `a`, `b`")
        );
        assert_eq!(node.at("n").map(Node::to_string).as_deref(), Some("`5`"));
        for path in ["people.nobody", "people.names[2]", "n.m", ""] {
            assert_eq!(node.at(path), None, "{path}");
        }
    }

    #[test]
    fn what_strangers_write_stays_on_its_line_and_is_cut() {
        let words = mistake(
            &json!({ "stack": "web", "mode": format!("a\nb{}", "x".repeat(500)) }).to_string(),
        );
        assert!(!words.contains('\n') && words.len() < 300, "{words}");
        let words = mistake(&json!({ "k".repeat(500): 1 }).to_string());
        assert!(words.len() < 500, "{words}");
    }
}
