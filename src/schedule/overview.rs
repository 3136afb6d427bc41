//! Reports what each app does. Nothing is written.

use jiff::Timestamp;

use super::time::Time;
use super::{SIDE_BY_SIDE, each};
use crate::error::Error;
use crate::model::AppName;
use crate::model::answer::{Answer, Outcome};
use crate::model::config::App;
use crate::model::report::{ManyLooks, Reply, Report};
use crate::world::Apps;

/// Reports the status of each app, as `look` finds it. An app whose status cannot be read says why.
pub async fn statuses<W: Apps>(
    world: &W,
    deadline: Option<Timestamp>,
    look: impl AsyncFn(&App) -> Result<Option<Reply>, Error>,
) -> Result<Reply, Error> {
    let time = Time::until(deadline, world.now());
    let apps = world.known_apps().await?;
    let due = apps.into_iter().map(|(name, app)| (name, Some(app))).collect();
    let look = async |app: &App| {
        let reply = look(app).await?;
        Ok(reply.unwrap_or_else(|| said(&app.name, "it is just being changed: ask again")))
    };
    let looks = each(world, due, SIDE_BY_SIDE, time, &look).await;
    let left = (!looks.left.is_empty()).then_some(looks.left.len());
    let results = looks.done.into_iter().filter_map(|(name, looked)| match looked {
        Ok(reply) => reply,
        Err(error) => Some(said(&name, &error.to_string())),
    });
    let mut results: Vec<(Option<AppName>, Reply)> =
        results.map(|reply| (name_of(&reply), reply)).collect();
    results.sort_by(|(a, _), (b, _)| a.cmp(b));
    let results = results.into_iter().map(|(_, reply)| reply).collect();
    Ok(Reply::Report(Report::Looks(ManyLooks { results, left })))
}

fn name_of(reply: &Reply) -> Option<AppName> {
    match reply {
        Reply::Answer(answer) => answer.app.clone(),
        Reply::Report(Report::Status(status)) => Some(status.app.clone()),
        Reply::Report(_) => None,
    }
}

/// Why an app has no status.
fn said(name: &AppName, reason: &str) -> Reply {
    let answer = Answer { outcome: Outcome::Refused, ..Answer::ignored(reason) };
    Answer { app: Some(name.clone()), ..answer }.into()
}
