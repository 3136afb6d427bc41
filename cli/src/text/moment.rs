//! Times as people read them. No I/O here.

use jiff::{SignedDuration, Timestamp};

/// How long ago, in one unit: `3 min ago`; a time in the future: `in 3 min`.
pub fn age(at: Timestamp, now: Timestamp) -> String {
    let length = now.duration_since(at);
    let seconds = length.as_secs().unsigned_abs();
    let (number, unit) = match seconds {
        0..60 => (seconds, "s"),
        60..3_600 => (seconds / 60, "min"),
        3_600..172_800 => (seconds / 3_600, "h"),
        _ => (seconds / 86_400, "days"),
    };
    match (length.is_negative(), seconds) {
        (_, 0) => "now".to_owned(),
        (true, _) => format!("in {number} {unit}"),
        (false, _) => format!("{number} {unit} ago"),
    }
}

/// The time in UTC with its age: `2026-10-01 03:12 UTC (3 min ago)`.
pub fn with_age(at: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", at.strftime("%Y-%m-%d %H:%M UTC"), age(at, now))
}

/// A length of time: `40 s`, `2 m 10 s`, `1 h 5 m`.
pub fn length(length: SignedDuration) -> String {
    let seconds = length.as_secs().max(0);
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest} s"),
        (0, _) => format!("{minutes} m {rest} s"),
        _ => format!("{hours} h {minutes} m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_one_unit() {
        let now: Timestamp = "2026-10-01T12:00:00Z".parse().expect("a time");
        for (seconds, expected) in [
            (0, "now"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (3_599, "59 min ago"),
            (3_600, "1 h ago"),
            (172_799, "47 h ago"),
            (172_800, "2 days ago"),
            (-900, "in 15 min"),
        ] {
            assert_eq!(age(now - SignedDuration::from_secs(seconds), now), expected);
        }
        let at = now - SignedDuration::from_mins(3);
        assert_eq!(with_age(at, now), "2026-10-01 11:57 UTC (3 min ago)");
    }

    #[test]
    fn lengths_have_two_units() {
        for (seconds, expected) in
            [(-1, "0 s"), (40, "40 s"), (130, "2 m 10 s"), (3_900, "1 h 5 m")]
        {
            assert_eq!(length(SignedDuration::from_secs(seconds)), expected);
        }
    }
}
