//! Reads single words of the command line: apps, images, times. No I/O here.

use std::str::FromStr;

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// The longest app name and tag, in characters.
const LONGEST_APP: usize = 256;
const LONGEST_TAG: usize = 128;

/// Reads the name of an app.
pub fn app(word: &str) -> Result<String, String> {
    let is_start = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_rest = |c: char| is_start(c) || "._-/".contains(c);
    let is_name = word.starts_with(is_start) && word.chars().all(is_rest);
    if is_name && word.len() <= LONGEST_APP {
        return Ok(word.to_owned());
    }
    Err("expected the name of an app: lower-case letters, digits and `. _ - /`".to_owned())
}

/// A word that names an image or a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// `req-…`.
    Request(String),
    /// `sha256:…`.
    Digest(String),
    /// 7 to 40 hex digits.
    Commit(String),
    /// Any other tag.
    Tag(String),
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

impl FromStr for Named {
    type Err = String;

    /// Tells the word apart as the function does.
    fn from_str(word: &str) -> Result<Self, String> {
        let is_hex = |hex: &str, length: usize| hex.len() == length && is_lower_hex(hex);
        if word.strip_prefix("req-").is_some_and(|hex| is_hex(hex, 32)) {
            return Ok(Self::Request(word.to_owned()));
        }
        if word.strip_prefix("sha256:").is_some_and(|hex| is_hex(hex, 64)) {
            return Ok(Self::Digest(word.to_owned()));
        }
        if (7..=40).contains(&word.len()) && is_lower_hex(word) {
            return Ok(Self::Commit(word.to_owned()));
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_tag =
            word.starts_with(is_word) && word.chars().all(|c| is_word(c) || ".-".contains(c));
        if is_tag && word.len() <= LONGEST_TAG {
            return Ok(Self::Tag(word.to_owned()));
        }
        Err("expected a commit (7 to 40 hex digits), a digest (`sha256:` and 64) or a tag"
            .to_owned())
    }
}

impl Named {
    /// The key of the JSON command, and its value.
    pub fn entry(&self) -> (&'static str, &str) {
        match self {
            Self::Request(text) => ("request", text),
            Self::Digest(text) => ("digest", text),
            Self::Commit(text) => ("commit", text),
            Self::Tag(text) => ("tag", text),
        }
    }
}

/// Reads the name of an image.
pub fn image(word: &str) -> Result<Named, String> {
    match word.parse()? {
        Named::Request(_) => Err("expected an image, and this is a request".to_owned()),
        named @ (Named::Digest(_) | Named::Commit(_) | Named::Tag(_)) => Ok(named),
    }
}

/// Reads the image of `where`: a commit or a digest.
pub fn commit_or_digest(word: &str) -> Result<Named, String> {
    match word.parse() {
        Ok(named @ (Named::Digest(_) | Named::Commit(_))) => Ok(named),
        Ok(Named::Request(_) | Named::Tag(_)) | Err(_) => {
            Err("expected a commit (7 to 40 hex digits) or a digest (`sha256:` and 64)".to_owned())
        }
    }
}

/// Reads a time to wait: `90s`, `30m`, `1h 30m`.
pub fn duration(word: &str) -> Result<SignedDuration, String> {
    let length = span(word).filter(|length| length.is_positive());
    length.ok_or_else(|| "expected a time such as `90s`, `30m` or `1h 30m`".to_owned())
}

/// Reads a length of time. A day has 24 hours.
fn span(word: &str) -> Option<SignedDuration> {
    let span: Span = word.parse().ok()?;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
}

/// A moment, absolute or as a time before now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// So long ago.
    Ago(SignedDuration),
    /// This time.
    At(Timestamp),
}

impl FromStr for Moment {
    type Err = String;

    /// Reads `30d`, `2026-10-01` (midnight UTC) or `2026-10-01T08:00:00Z`.
    fn from_str(word: &str) -> Result<Self, String> {
        if let Ok(at) = word.parse() {
            return Ok(Self::At(at));
        }
        if let Ok(at) = format!("{word}T00:00:00Z").parse() {
            return Ok(Self::At(at));
        }
        let length = span(word).filter(|length| length.is_positive());
        length.map(Self::Ago).ok_or_else(|| {
            "expected a time such as `30d`, `2026-10-01` or `2026-10-01T08:00:00Z`".to_owned()
        })
    }
}

impl Moment {
    /// The time that is meant.
    pub fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(length) => now.saturating_sub(length).unwrap_or(Timestamp::MIN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_apart_as_the_function_does() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let request = format!("req-{}", "0".repeat(32));
        for (word, key) in [
            (request.as_str(), "request"),
            (digest.as_str(), "digest"),
            ("9fceb02", "commit"),
            ("9fceb0", "tag"),
            ("9FCEB02", "tag"),
            ("latest", "tag"),
            ("production_9fceb02", "tag"),
            ("req-12", "tag"),
        ] {
            let named: Named = word.parse().expect("a name");
            assert_eq!(named.entry(), (key, word));
        }
        for word in ["", "sha256:12", "-x", "a b", "web:latest"] {
            assert!(word.parse::<Named>().is_err(), "{word:?}");
        }
        assert!(image(&request).is_err());
        assert!(commit_or_digest("latest").is_err());
    }

    #[test]
    fn apps_are_lower_case() {
        for good in ["web", "web-us", "team/web.api_2", "7"] {
            assert_eq!(app(good), Ok(good.to_owned()));
        }
        for bad in ["", "Web", "-web", "a b", &"a".repeat(257)] {
            assert!(app(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn times_are_lengths_or_dates() {
        assert_eq!(duration("30m"), Ok(SignedDuration::from_mins(30)));
        assert_eq!(duration("1h 30m"), Ok(SignedDuration::from_mins(90)));
        for bad in ["", "30", "-5m", "0s", "soon", "1 month"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
        let now: Timestamp = "2026-10-31T12:00:00Z".parse().expect("a time");
        let at = |word: &str| word.parse::<Moment>().map(|moment| moment.before(now).to_string());
        assert_eq!(at("30d"), Ok("2026-10-01T12:00:00Z".to_owned()));
        assert_eq!(at("2026-10-01"), Ok("2026-10-01T00:00:00Z".to_owned()));
        assert_eq!(at("2026-10-01T08:00:00+02:00"), Ok("2026-10-01T06:00:00Z".to_owned()));
        assert!(at("yesterday").is_err());
    }
}
