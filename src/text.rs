//! Makes foreign words (commits, names, CloudFormation's reasons, whatever a stranger typed) one
//! plain line. Every mail, page, message and log line that shows such words gets them from here. No
//! I/O here.

pub mod nearest;

/// Makes one line of at most `most` characters; an ellipsis shows that there were more. Control
/// characters become spaces, and invisible ones are left out.
pub fn plain(text: &str, most: usize) -> String {
    if text.len() <= most && is_printable(text.as_bytes()) {
        return text.to_owned();
    }
    let mut chars =
        text.chars().filter(|c| !is_invisible(*c)).map(|c| if is_control(c) { ' ' } else { c });
    let mut line: String = chars.by_ref().take(most).collect();
    // The ellipsis takes the place of a character. With `most` 0, there is none to replace.
    if chars.next().is_some() && line.pop().is_some() {
        line.push('…');
    }
    line
}

/// Whether this is printable ASCII, as most texts are: nothing of it needs to be made plain.
pub fn is_printable(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Makes one line that fits into an error.
pub fn brief(text: &str) -> String {
    plain(text, 200)
}

/// Adds a mark to a claimed name, which says how it was claimed. If both together are too long,
/// only the name is cut. `None` if the name has no visible character.
pub fn claimed(name: &str, mark: &str) -> Option<String> {
    let name = plain(name, LONGEST_LOOK).split_whitespace().collect::<Vec<_>>().join(" ");
    let name = plain(&name, LONGEST_CLAIMED.saturating_sub(mark.chars().count()));
    (!name.is_empty()).then(|| format!("{name} ({mark})"))
}

/// The longest name with its mark, in characters. Every place that shows who decided has room for
/// this.
const LONGEST_CLAIMED: usize = 97;
/// The most characters of a name that are read.
const LONGEST_LOOK: usize = 1_000;

/// Whether a character ends a line or reverses the text after it. A reversed commit could look like
/// another one.
pub fn is_control(c: char) -> bool {
    let reverses = matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}');
    let isolates = matches!(c, '\u{2066}'..='\u{206f}');
    let ends_a_line = matches!(c, '\u{2028}' | '\u{2029}');
    c.is_control() || reverses || isolates || ends_a_line
}

/// Whether a character is invisible and no language needs it. Two names that differ only in such
/// characters look the same. The joiners U+200C and U+200D stay, since Persian, Hindi and emoji are
/// written with them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{00ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{feff}')
        || matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    #[test]
    fn line_ends_and_reversals_become_spaces() {
        for c in [
            '\0', '\t', '\n', '\r', '\u{1b}', '\u{7f}', '\u{85}', '\u{61c}', '\u{200e}',
            '\u{200f}', '\u{2028}', '\u{2029}', '\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}',
        ] {
            assert_eq!(plain(&format!("a{c}b"), 10), "a b", "{c:?}");
        }
    }

    #[test]
    fn invisible_characters_are_left_out_and_joiners_stay() {
        assert_eq!(plain("al\u{200b}i\u{ad}ce\u{feff}\u{2060}\u{e0041}", 10), "alice");
        for needed in ["می\u{200c}خواهم", "क्\u{200d}ष", "👩\u{200d}🚀", "é", "日本語"]
        {
            assert_eq!(plain(needed, 20), needed);
        }
    }

    #[test]
    fn long_text_is_cut_by_characters() {
        assert_eq!(
            (plain("abc", 3), plain("abcd", 3), plain("éé", 1)),
            ("abc".to_owned(), "ab…".to_owned(), "…".to_owned())
        );
        assert_eq!(
            (plain("a", 0), plain("", 0), plain("", 5)),
            (String::new(), String::new(), String::new())
        );
        // Nothing visible was cut off.
        assert_eq!(plain("abc\u{200b}", 3), "abc");
    }

    #[test]
    fn a_claimed_name_keeps_its_mark_however_long_or_odd_it_is() {
        assert_eq!(
            claimed(" Alice ", "claimed, by SNS").as_deref(),
            Some("Alice (claimed, by SNS)")
        );
        let long = claimed(&"x".repeat(5_000), "claimed, by the approval link").expect("a name");
        assert!(
            long.ends_with("x… (claimed, by the approval link)") && long.chars().count() <= 100,
            "{long}"
        );
        let spread =
            claimed(&format!("Alice{}Bob", " \u{a0}\n".repeat(40)), "claimed").expect("a name");
        assert_eq!(spread, "Alice Bob (claimed)");
        assert_eq!(claimed("Alice\u{202e}", "claimed").as_deref(), Some("Alice (claimed)"));
        for nobody in ["", " \t", "\u{200b}", "\u{2066}\u{feff}\n"] {
            assert_eq!(claimed(nobody, "claimed"), None, "{nobody:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(6),
            failure_persistence: None,
            ..ProptestConfig::with_cases(2000)
        })]

        #[test]
        fn any_text_becomes_one_plain_line(
            text in proptest::collection::vec(any::<char>(), 0..60),
            most in 0_usize..70,
        ) {
            let text: String = text.into_iter().collect();
            let line = plain(&text, most);
            prop_assert!(!line.contains(|c| is_control(c) || is_invisible(c)), "{:?}", line);
            prop_assert!(line.chars().count() <= most);
            prop_assert_eq!(&plain(&line, most), &line);
            if let Some(name) = claimed(&text, "claimed, by a direct invocation") {
                prop_assert!(name.ends_with(" (claimed, by a direct invocation)"), "{}", name);
                prop_assert!(name.chars().count() <= 100);
            }
        }
    }
}
