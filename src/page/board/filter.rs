//! Which apps of the board are shown: those that a text is found in, and those in a state.

use crate::page::condition::Group;

use super::STILL;

/// The query's name for the text.
pub const TEXT: &str = "q";
/// The query's name for the state.
pub const STATE: &str = "state";
/// The longest text, in characters.
pub const LONGEST_TEXT: usize = 100;

/// Which apps are shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// The text to find: in a name, a commit, a subject or a person. Empty: everything.
    pub text: String,
    /// The state.
    pub group: Option<Group>,
}

impl Filter {
    /// Whether it leaves anything out.
    pub fn is_set(&self) -> bool {
        !self.text.is_empty() || self.group.is_some()
    }

    /// Whether an app with these words and in this state is shown.
    pub(super) fn takes(&self, words: &str, group: Group) -> bool {
        self.group.is_none_or(|wanted| wanted == group)
            && words.to_lowercase().contains(&self.text.to_lowercase())
    }

    /// The query of the same list, paused or not.
    pub(super) fn query(&self, is_still: bool) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !self.text.is_empty() {
            query.append_pair(TEXT, &self.text);
        }
        if let Some(group) = self.group {
            query.append_pair(STATE, group.name());
        }
        let query = query.finish();
        match (query.is_empty(), is_still) {
            (true, false) => String::new(),
            (true, true) => format!("?{STILL}"),
            (false, false) => format!("?{query}"),
            (false, true) => format!("?{query}&{STILL}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_finds_text_in_any_case_and_keeps_itself_in_the_address() {
        let filter = Filter { text: "WeB & <co>".to_owned(), group: Some(Group::Held) };
        assert!(filter.takes("a web & <CO>", Group::Held));
        assert!(!filter.takes("a web & <CO>", Group::Fine));
        assert!(!filter.takes("web", Group::Held));
        assert_eq!(filter.query(true), "?q=WeB+%26+%3Cco%3E&state=held&still");
        assert_eq!(Filter::default().query(true), "?still");
        assert_eq!(Filter::default().query(false), "");
        assert!(Filter::default().takes("anything", Group::New) && !Filter::default().is_set());
    }
}
