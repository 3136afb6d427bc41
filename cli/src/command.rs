//! The JSON commands that the function gets. No I/O here.

use serde_json::{Map, Value, json};

use crate::words::Named;

/// The version of the form of a command.
pub const VERSION: u32 = 1;

/// A command to the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The action word.
    pub action: &'static str,
    entries: Map<String, Value>,
}

impl Command {
    /// A command without an app.
    pub fn new(action: &'static str) -> Self {
        let mut entries = Map::new();
        entries.insert("action".to_owned(), json!(action));
        entries.insert("version".to_owned(), json!(VERSION));
        Self { action, entries }
    }

    /// Adds a key where there is a value.
    pub fn with(mut self, key: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.entries.insert(key.to_owned(), json!(value));
        }
        self
    }

    /// Adds where the page begins, as the function said.
    pub fn after(mut self, cursor: Option<&Value>) -> Self {
        if let Some(cursor) = cursor {
            self.entries.insert("after".to_owned(), cursor.clone());
        }
        self
    }

    /// Adds the image or the request.
    pub fn naming(self, named: Option<&Named>) -> Self {
        match named.map(Named::entry) {
            Some((key, value)) => self.with(key, Some(value)),
            None => self,
        }
    }

    /// The app that it is about.
    pub fn app(&self) -> Option<&str> {
        self.entries.get("app")?.as_str()
    }

    /// The bytes to send.
    pub fn payload(&self) -> Vec<u8> {
        Value::Object(self.entries.clone()).to_string().into_bytes()
    }

    /// The words as a person types them, without who asks and why.
    pub fn words(&self) -> String {
        let keys = ["app", "request", "digest", "commit", "tag"];
        let words = keys.iter().filter_map(|key| self.entries.get(*key)?.as_str());
        std::iter::once(self.action).chain(words).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_no_key_without_a_value() {
        let named = "9fceb02".parse().expect("a commit");
        let command = Command::new("approve").with("app", Some("web")).naming(Some(&named));
        let command = command.with("by", None).with("id", Some("1"));
        let sent: Value = serde_json::from_slice(&command.payload()).expect("JSON");
        let expected = json!({
            "action": "approve", "version": 1, "app": "web", "commit": "9fceb02", "id": "1"
        });
        assert_eq!(sent, expected);
        assert_eq!(command.words(), "approve web 9fceb02");
        assert_eq!(command.app(), Some("web"));
    }
}
