//! Times for people: how long ago or how long, with the exact time as title. Without script, a page
//! cannot know the reader's time zone, so all times are in UTC.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A time to the second, with its zone.
pub(super) fn exact(at: Timestamp) -> String {
    at.strftime("%a %-d %b %Y, %H:%M:%S UTC").to_string()
}

/// A duration in its largest unit: `14 min`.
pub(super) fn short(time: SignedDuration) -> String {
    match time.as_secs().max(0) {
        seconds @ ..MINUTE => format!("{seconds} s"),
        seconds @ MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        seconds @ HOUR..DAY => format!("{} h", seconds / HOUR),
        seconds => format!("{} d", seconds / DAY),
    }
}

/// A duration in its two largest units: `1 min 20 s`, `1 d 12 h`.
pub(super) fn long(time: SignedDuration) -> String {
    let seconds = time.as_secs().max(0);
    let two = |large: i64, unit: &str, small: i64, small_unit: &str| match seconds % large / small {
        0 => format!("{} {unit}", seconds / large),
        rest => format!("{} {unit} {rest} {small_unit}", seconds / large),
    };
    match seconds {
        ..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => two(MINUTE, "min", 1, "s"),
        HOUR..DAY => two(HOUR, "h", MINUTE, "min"),
        DAY.. => two(DAY, "d", HOUR, "h"),
    }
}

/// The time of day, with as much of the date as the reader needs: `02:41`, `Tue 02:18`,
/// `10 Nov 02:18`.
pub(super) fn clock(at: Timestamp, now: Timestamp) -> String {
    let days = now.duration_since(at).as_hours().abs() / 24;
    let is_today = at.strftime("%F").to_string() == now.strftime("%F").to_string();
    let is_this_year = at.strftime("%Y").to_string() == now.strftime("%Y").to_string();
    let form = match days {
        0 if is_today => "%H:%M",
        0..6 => "%a %H:%M",
        _ if is_this_year => "%-d %b %H:%M",
        _ => "%-d %b %Y",
    };
    at.strftime(form).to_string()
}

/// These words about a time, with the exact time as title.
pub(super) fn time(at: Timestamp, words: &str) -> Markup {
    html! { time datetime=(format!("{at:.0}")) title=(exact(at)) { (words) } }
}

/// How long ago a time was: `14 min`.
pub(super) fn age(at: Timestamp, now: Timestamp) -> Markup {
    time(at, &short(now.duration_since(at)))
}

/// How long ago a time was, in a sentence: `14 min ago`.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> Markup {
    time(at, &format!("{} ago", short(now.duration_since(at))))
}

/// The time of day.
pub(super) fn at(at: Timestamp, now: Timestamp) -> Markup {
    time(at, &clock(at, now))
}

/// Since when, and for how long: `since 02:18, 2 d`.
pub(super) fn since(from: Timestamp, now: Timestamp) -> Markup {
    html! { "since " (at(from, now)) ", " (short(now.duration_since(from))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        let cases = [
            (-5, "0 s", "0 s"),
            (59, "59 s", "59 s"),
            (80, "1 min", "1 min 20 s"),
            (2 * 60, "2 min", "2 min"),
            (3 * HOUR + 60, "3 h", "3 h 1 min"),
            (36 * HOUR, "1 d", "1 d 12 h"),
            (6 * DAY, "6 d", "6 d"),
        ];
        for (seconds, want_short, want_long) in cases {
            let time = SignedDuration::from_secs(seconds);
            assert_eq!((short(time).as_str(), long(time).as_str()), (want_short, want_long));
        }
    }

    #[test]
    fn a_clock_says_as_much_of_the_date_as_is_needed() {
        let now: Timestamp = "2026-11-26T02:58:11Z".parse().expect("a time");
        let cases = [
            ("2026-11-26T02:41:00Z", "02:41"),
            ("2026-11-25T23:48:00Z", "Wed 23:48"),
            ("2026-11-29T02:47:00Z", "Sun 02:47"),
            ("2026-11-10T02:18:00Z", "10 Nov 02:18"),
            ("2025-11-10T02:18:00Z", "10 Nov 2025"),
        ];
        for (at, want) in cases {
            assert_eq!(clock(at.parse().expect("a time"), now), want);
        }
        let page = age(now - SignedDuration::from_mins(14), now).into_string();
        assert_eq!(
            page,
            "<time datetime=\"2026-11-26T02:44:11Z\" title=\"Thu 26 Nov 2026, 02:44:11 UTC\">14 \
             min</time>"
        );
    }
}
