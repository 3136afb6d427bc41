//! Past promotions as a table. No I/O here.

use jiff::Timestamp;

use super::{head, short_digest, short_tag};
use crate::answer::Entry;
use crate::out::style;
use crate::text::moment;
use crate::text::table::{Cell, aligned};

/// A page of promotions, newest first; with the names of the columns on the first page.
pub fn page(entries: &[Entry], is_first: bool, now: Timestamp) -> String {
    let mut rows = Vec::new();
    if is_first {
        rows.push(head(&["when", "outcome", "tag", "digest", "took", "by", "why"]));
    }
    for entry in entries {
        let promotion = &entry.promotion;
        let took = entry.ended_at.map(|ended| moment::length(ended.duration_since(promotion.at)));
        let reason = match (&promotion.rolls_back, entry.reason.is_empty()) {
            (Some(from), _) => format!("back from {}. {}", short_tag(from), entry.reason),
            (None, _) => entry.reason.clone(),
        };
        rows.push(vec![
            Cell::from(moment::with_age(entry.ended_at.unwrap_or(promotion.at), now)),
            Cell::styled(&entry.outcome.to_string(), style(&entry.outcome)),
            Cell::from(short_tag(&promotion.tag)),
            Cell::from(short_digest(&promotion.digest)),
            Cell::from(took.unwrap_or_default()),
            Cell::from(&promotion.by),
            Cell::from(reason.trim_end()),
        ]);
    }
    aligned(&rows)
}
