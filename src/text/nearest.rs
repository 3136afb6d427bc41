//! Finds the right word for a misspelt one, for "did you mean". No I/O here.

use strsim::osa_distance;

/// The longest word that is compared. Comparing takes time, and a longer word is not a misspelt
/// one.
const LONGEST: usize = 100;

/// Returns the candidate that a misspelt word most likely means. It is close enough if one of the
/// two begins with the other, or if at most a third of the letters differ. `None` where no
/// candidate is close: a wrong guess helps nobody.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let length = word.chars().count();
    if length == 0 || length > LONGEST {
        return None;
    }
    let close = candidates
        .into_iter()
        .filter_map(|candidate| Some((distance(&word, length, candidate)?, candidate)));
    close.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// Ends a sentence about an unknown word with the nearest candidate, if one is close.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates)
        .map_or_else(|| ".".to_owned(), |candidate| format!(": did you mean `{candidate}`?"))
}

/// Counts the edits between two words; `None` if there are too many.
fn distance(word: &str, length: usize, candidate: &str) -> Option<usize> {
    let lower = candidate.to_lowercase();
    let (shorter, longer) = (length.min(lower.chars().count()), length.max(lower.chars().count()));
    let is_beginning = shorter >= 3 && (lower.starts_with(word) || word.starts_with(&lower));
    let most = if is_beginning { longer } else { (longer / 3).max(1) };
    // Two single letters have nothing in common.
    if longer - shorter > most || shorter < 2 {
        return None;
    }
    Some(osa_distance(word, &lower)).filter(|distance| *distance <= most && *distance < longer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMANDS: [&str; 6] = ["promote", "approve", "reject", "rollback", "hold", "status"];

    #[test]
    fn a_slip_of_the_fingers_is_understood() {
        for (word, meant) in [
            ("prmote", "promote"),
            ("Promte", "promote"),
            ("PROMOTE", "promote"),
            ("aprove", "approve"),
            ("rollbak", "rollback"),
            ("roll", "rollback"),
            ("statsu", "status"),
            ("hodl", "hold"),
        ] {
            assert_eq!(nearest(word, COMMANDS), Some(meant), "{word}");
        }
        assert_eq!(nearest("automatic", ["approval", "auto"]), Some("auto"));
        assert_eq!(nearest("stak", ["stack", "source_tag"]), Some("stack"));
        assert_eq!(nearest("wbe", ["api", "web"]), Some("web"));
    }

    #[test]
    fn an_unlike_word_has_no_nearest_one() {
        for word in ["", "x", "lorem", "deploy", "9fceb02", "web", "日本語", &"promote".repeat(100)]
        {
            assert_eq!(nearest(word, COMMANDS), None, "{word}");
        }
        assert_eq!(nearest("web", []), None);
        assert_eq!(nearest("a", ["b"]), None);
    }

    #[test]
    fn the_closest_of_several_is_meant() {
        assert_eq!(
            nearest("web-stagin", ["web", "web-staging", "web-staging-2"]),
            Some("web-staging")
        );
        assert_eq!(did_you_mean("prmote", COMMANDS), ": did you mean `promote`?");
        assert_eq!(did_you_mean("lorem", COMMANDS), ".");
    }
}
