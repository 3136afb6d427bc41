//! Checks apps before they are needed: reads and judges, and writes nothing.

use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use super::sorted_after;
use super::time::Time;
use crate::error::Error;
use crate::model::AppName;
use crate::model::checkup::{CheckWanted, Checkup};
use crate::model::config::App;
use crate::model::report::{Checkups, Reply, Report};
use crate::world::Apps;

/// The most checks at the same time. Each makes some ten calls.
const SIDE_BY_SIDE: usize = 4;
/// The most apps of one answer. Lambda takes 6 MB, and a check has some 5 KB.
const PAGE: usize = 200;

/// Checks one app, or a page of all apps.
pub async fn check<W: Apps>(
    world: &W,
    wanted: &CheckWanted,
    deadline: Option<Timestamp>,
) -> Result<Reply, Error> {
    if let Some(name) = &wanted.app {
        return one(world, name).await.map(|checkup| Reply::Report(Report::Check(checkup)));
    }
    let time = Time::until(deadline, world.now());
    let mut apps = sorted_after(world.apps().await?, wanted.after.as_ref());
    let mut next = apps.get(PAGE - 1).filter(|_| apps.len() > PAGE).map(|(name, _)| name.clone());
    apps.truncate(PAGE);
    let checks = apps.into_iter().map(async |(name, app)| {
        let began = world.now();
        if began >= time.last_start {
            return (name, None);
        }
        let checked = time.limit(began, judged(world, &name, app)).await;
        (name, checked)
    });
    let mut checks = stream::iter(checks).buffered(SIDE_BY_SIDE);
    let mut results: Vec<Checkup> = Vec::new();
    while let Some((name, checked)) = checks.next().await {
        match checked {
            Some(checkup) => results.push(checkup),
            // The next page begins with the first one that there was no time for; one that takes
            // all the time is passed over.
            None => {
                if results.is_empty() {
                    results.push(Checkup::unfinished(&name));
                }
                next = results.last().map(|last| last.app.clone());
                break;
            }
        }
    }
    Ok(Reply::Report(Report::Checks(Checkups { results, next })))
}

async fn one<W: Apps>(world: &W, name: &AppName) -> Result<Checkup, Error> {
    match world.app_now(name).await {
        Ok(Some(app)) => Ok(judged(world, name, Ok(app)).await),
        Ok(None) => Err(world.not_configured(name).await.into()),
        Err(error @ Error::Config(_)) => Ok(judged(world, name, Err(error)).await),
        Err(error) => Err(error),
    }
}

async fn judged<W: Apps>(world: &W, name: &AppName, app: Result<App, Error>) -> Checkup {
    match app {
        Ok(app) => Checkup::of(&app, &world.facts(&app).await),
        Err(error) => Checkup::unusable(name, &error.to_string()),
    }
}
