//! Text from outside in a message: it is shown as it is and never read as markup.
//!
//! Slack has two kinds of markup. `<…>` mentions a channel, a person or an address; [`escape`]
//! turns it into text by escaping three characters, for every `text` that Slack reads. The other
//! kind (`*bold*`, `_italic_`, `~struck~` and code) exists in `mrkdwn` only, and it cannot be
//! escaped. So text from outside never stands in `mrkdwn` as it is. A sentence (a reason, a name,
//! CloudFormation's words) goes, escaped, into a `plain_text` object, where Slack reads no
//! formatting. An identifier (a commit, a tag, a digest) goes into `mrkdwn` as [`code`], where
//! Slack reads no formatting either.
//! <https://docs.slack.dev/messaging/formatting-message-text/#escaping>

use crate::text::plain;

/// One line of at most `most` characters, without control characters, mentions and links.
pub fn escape(text: &str, most: usize) -> String {
    let plain = plain(text, most);
    let mut escaped = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The same for several lines, which stay separate lines.
pub fn escape_lines(text: &str, most: usize) -> String {
    let text: String = text.chars().take(most).collect();
    text.lines().map(|line| escape(line, most)).collect::<Vec<_>>().join("\n")
}

/// The same as a code span for `mrkdwn`. The backtick is the only markup in a code span, so it
/// becomes an apostrophe. An empty text gives no code span.
pub fn code(text: &str, most: usize) -> String {
    let inner = escape(text.trim(), most).replace('`', "'");
    if inner.is_empty() { inner } else { format!("`{inner}`") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;
    use crate::text::is_control;

    #[test]
    fn mentions_and_links_are_text() {
        assert_eq!(
            escape("<!channel> & <https://evil.example|ok>", 100),
            "&lt;!channel&gt; &amp; &lt;https://evil.example|ok&gt;"
        );
        assert_eq!(escape("<script>", 100), "&lt;script&gt;");
        assert_eq!(escape("&lt;", 100), "&amp;lt;");
    }

    #[test]
    fn control_characters_are_spaces() {
        assert_eq!(escape("a\r\nb\u{0}c\u{1b}[31md\u{202e}e\u{2028}f", 100), "a  b c [31md e f");
    }

    #[test]
    fn a_long_text_is_cut_before_it_is_escaped() {
        assert_eq!(escape("<<<<", 4), "&lt;&lt;&lt;&lt;");
        assert_eq!(escape("<<<<<", 4), "&lt;&lt;&lt;…");
        assert_eq!(
            (escape("é", 1), escape("éé", 1), escape("é", 0)),
            ("é".to_owned(), "…".to_owned(), String::new())
        );
    }

    #[test]
    fn code_is_not_formatted_and_not_left() {
        assert_eq!(code("production_9fceb02", 100), "`production_9fceb02`");
        assert_eq!(code("a` *b* <@U1> `c", 100), "`a' *b* &lt;@U1&gt; 'c`");
        assert_eq!(code(" \n", 100), "");
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(5),
            failure_persistence: None,
            ..ProptestConfig::with_cases(2000)
        })]

        #[test]
        fn nothing_gets_out_of_its_place(
            text in proptest::collection::vec(any::<char>(), 0..60),
            most in 0_usize..70,
        ) {
            let text: String = text.into_iter().chain("<!here>`&\n".chars()).collect();
            let escaped = escape(&text, most);
            let is_special = |c: char| c == '<' || c == '>' || is_control(c);
            prop_assert!(!escaped.contains(is_special), "{}", escaped);
            let shown = escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
            prop_assert!(shown.chars().count() <= most);
            prop_assert_eq!(&shown, &plain(&text, most));
            prop_assert!(matches!(code(&text, most).matches('`').count(), 0 | 2));
        }
    }
}
