//! Reads JSON that people write into a type, and describes mistakes in the users' words, not in
//! Rust's. No I/O here.

mod problem;

use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{
    self, Deserialize, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Number, Value};

use problem::{Problem, cut, listed, shown};

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

/// A mistake in a JSON text, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The key, as a path (`approval.required`); `None` where the mistake has no key, or the text
    /// is not valid JSON.
    pub key: Option<String>,
    /// Sentences with the value that was found, the value that was expected, and the nearest right
    /// word.
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

/// Explains why a text is not valid JSON, with line and column.
pub fn syntax(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let words = error.to_string();
    let why =
        match words.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&words) {
            "key must be a string" => "a key must be in double quotes",
            "trailing comma" => "there is nothing after a comma",
            "trailing characters" => "there is more text after the end",
            "recursion limit exceeded" => "too many nested brackets",
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

/// Shows the value as in an error.
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
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Problem> for &'de Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests;
