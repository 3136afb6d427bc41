//! The audit: reads what was decided about production in a span of time, a page at a time. Nothing
//! is written.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::time::Time;
use crate::error::Error;
use crate::model::AppName;
use crate::model::audit::{AuditWanted, Cursor, DEFAULT_DAYS};
use crate::model::report::{Audit, Reply, Report};
use crate::world::Apps;

/// The size in bytes at which an answer ends. Lambda takes 6 MB; one page of records more may have
/// up to 3 MB.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const MOST_BYTES: usize = 1_000_000;

/// Reports what was decided, from where the page before ended, until the answer is large enough or
/// the time is up.
pub async fn audit<W: Apps>(
    world: &W,
    wanted: &AuditWanted,
    deadline: Option<Timestamp>,
) -> Result<Reply, Error> {
    let now = world.now();
    let time = Time::until(deadline, now);
    let mut page = Page { records: Vec::new(), bytes: 0 };
    let mut next = wanted.after.clone();
    let (from, to) = match &next {
        // All pages are about the span of the first one.
        Some(cursor) => (cursor.from, cursor.to),
        None => {
            let to = wanted.to.unwrap_or(now);
            let month = SignedDuration::from_hours(24 * DEFAULT_DAYS);
            (wanted.from.unwrap_or(to - month), to)
        }
    };
    let is_first = next.is_none();
    let apps = match &wanted.app {
        Some(app) => BTreeSet::from([app.clone()]),
        None => all_apps(world).await?,
    };
    let begin = next.as_ref().map(|cursor| cursor.app.clone());
    for app in apps.into_iter().filter(|app| begin.as_ref().is_none_or(|begin| app >= begin)) {
        let own = next.take().filter(|cursor| cursor.app == app).map(|cursor| cursor.item);
        let mut item = own.filter(|item| !item.is_empty());
        loop {
            if page.bytes >= MOST_BYTES || world.now() >= time.last_start {
                let next = Cursor { from, to, app, item: item.unwrap_or_default() };
                return Ok(page.reply(from, to, Some(next.to_string())));
            }
            let past = world.past(&app, item.as_deref()).await?;
            if wanted.app.is_some() && is_first && past.records.is_empty() && item.is_none() {
                must_be_configured(world, &app).await?;
            }
            for record in past.records.iter().filter(|record| record.is_within(from, to)) {
                page.add(record.to_line(&app), &app)?;
            }
            item = past.next;
            if item.is_none() {
                break;
            }
        }
    }
    Ok(page.reply(from, to, None))
}

/// The apps that are configured, and those that the schedule remembers, also if their configuration
/// was deleted.
async fn all_apps<W: Apps>(world: &W) -> Result<BTreeSet<AppName>, Error> {
    let configured = world.known_apps().await?.into_iter().map(|(name, _)| name);
    let (known, _) = world.remembered_apps().await?;
    Ok(configured.chain(known.apps.into_keys()).chain(known.gone).collect())
}

/// An app without a record may be a misspelt name.
async fn must_be_configured<W: Apps>(world: &W, app: &AppName) -> Result<(), Error> {
    if world.app(app).await.is_ok_and(|app| app.is_none()) {
        return Err(world.not_configured(app).await.into());
    }
    Ok(())
}

struct Page {
    records: Vec<Value>,
    bytes: usize,
}

impl Page {
    fn add(&mut self, line: serde_json::Result<Value>, app: &AppName) -> Result<(), Error> {
        let line = line.map_err(|error| Error::Unexpected {
            resource: format!("a record of `{app}`"),
            problem: format!("it cannot be written as JSON: {error}"),
        })?;
        self.bytes += line.to_string().len();
        self.records.push(line);
        Ok(())
    }

    fn reply(self, from: Timestamp, to: Timestamp, next: Option<String>) -> Reply {
        Reply::Report(Report::Audit(Audit { from, to, records: self.records, next }))
    }
}
