//! Commands that look at one app or all of them and answer at length: `audit` and `check`.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::command::{app_name, not_null, read};
use super::{Event, NotUnderstood};
use crate::model::AppName;
use crate::model::audit::AuditWanted;
use crate::model::checkup::CheckWanted;

/// `audit`. Whoever asks and the command's id change nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Audit {
    #[serde(rename = "action")]
    _action: String,
    #[serde(default, deserialize_with = "not_null")]
    app: Option<AppName>,
    #[serde(default, deserialize_with = "not_null")]
    from: Option<Timestamp>,
    #[serde(default, deserialize_with = "not_null")]
    to: Option<Timestamp>,
    #[serde(default, deserialize_with = "not_null")]
    after: Option<String>,
    #[serde(rename = "by", default)]
    _by: Option<String>,
    #[serde(rename = "id", default)]
    _id: Option<String>,
}

/// `check`. Whoever asks and the command's id change nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    #[serde(rename = "action")]
    _action: String,
    #[serde(default, deserialize_with = "not_null")]
    app: Option<AppName>,
    #[serde(default, deserialize_with = "not_null")]
    after: Option<AppName>,
    #[serde(rename = "by", default)]
    _by: Option<String>,
    #[serde(rename = "id", default)]
    _id: Option<String>,
}

pub(super) fn audit(raw: &Value) -> Result<Event, NotUnderstood> {
    let Audit { app, from, to, after, .. } = read(raw)?;
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(NotUnderstood::new("`from` is after `to`"));
    }
    let after = after
        .map(|after| after.parse())
        .transpose()
        .map_err(|problem: String| NotUnderstood::new(problem))?;
    Ok(Event::Audit(AuditWanted { app, from, to, after }))
}

pub(super) fn check(raw: &Value) -> Result<Event, NotUnderstood> {
    let Check { app, after, .. } = read(raw)?;
    Ok(Event::Check(CheckWanted { app, after }))
}

/// Reads the words of a command about the named app, or all.
pub(super) fn named(
    words: &[&str],
    text: &str,
    event: fn(Option<AppName>) -> Event,
) -> Result<Event, NotUnderstood> {
    let app = words.first().map(|word| app_name(word, text)).transpose()?;
    Ok(event(app))
}

pub(super) fn audit_of(app: Option<AppName>) -> Event {
    Event::Audit(AuditWanted { app, ..AuditWanted::default() })
}

pub(super) fn check_of(app: Option<AppName>) -> Event {
    Event::Check(CheckWanted { app, ..CheckWanted::default() })
}
