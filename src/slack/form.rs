//! The form that Slack posts. A repeated field makes it unreadable, because it is ambiguous.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::Unreadable;
use crate::function_url::MOST_BODY_BYTES;

/// A form's fields.
pub(super) struct Form(HashMap<String, String>);

impl Form {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Unreadable> {
        if body.len() > MOST_BODY_BYTES {
            return Err(Unreadable("it is larger than 256 KiB"));
        }
        let mut fields = HashMap::new();
        for (name, value) in form_urlencoded::parse(body) {
            match fields.entry(name.into_owned()) {
                Entry::Vacant(vacant) => vacant.insert(value.into_owned()),
                Entry::Occupied(_) => return Err(Unreadable("a field is repeated")),
            };
        }
        Ok(Self(fields))
    }

    /// Takes a field's value out of the form.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }
}
