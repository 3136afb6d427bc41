//! Reports what each app does. Nothing is written.

use jiff::Timestamp;

use super::time::Time;
use super::{SIDE_BY_SIDE, each, sorted_after};
use crate::error::Error;
use crate::model::AppName;
use crate::model::answer::{Answer, Outcome};
use crate::model::config::App;
use crate::model::report::{ManyLooks, Reply, Report};
use crate::world::Apps;

/// The most apps of one answer. Lambda takes 6 MB, and a status has at most some 10 KB.
const PAGE: usize = 400;

/// Reports the status of each app after this one, as `look` finds it, for a page of them. An app
/// whose status cannot be read says why.
pub async fn statuses<W: Apps>(
    world: &W,
    after: Option<&AppName>,
    deadline: Option<Timestamp>,
    look: impl AsyncFn(&App) -> Result<Option<Reply>, Error>,
) -> Result<Reply, Error> {
    let time = Time::until(deadline, world.now());
    let apps = sorted_after(world.known_apps().await?, after);
    let all = apps.len();
    let due = apps.into_iter().take(PAGE).map(|(name, app)| (name, Some(app))).collect();
    let look = async |app: &App| {
        let reply = look(app).await?;
        Ok(reply.unwrap_or_else(|| said(&app.name, "it is just being changed: ask again")))
    };
    let looks = each(world, due, SIDE_BY_SIDE, time, &look).await;
    let first_left = looks.left.first();
    let done = looks.done.into_iter().filter(|(name, _)| first_left.is_none_or(|it| name < it));
    let mut results: Vec<Reply> = Vec::new();
    let mut last = None;
    for (name, looked) in done {
        results.extend(match looked {
            Ok(reply) => reply,
            Err(error) => Some(said(&name, &error.to_string())),
        });
        last = Some(name);
    }
    let left = all - results.len();
    let (left, next) = if left > 0 { (Some(left), last) } else { (None, None) };
    Ok(Reply::Report(Report::Looks(ManyLooks { results, left, next })))
}

/// Why an app has no status.
fn said(name: &AppName, reason: &str) -> Reply {
    let answer = Answer { outcome: Outcome::Refused, ..Answer::ignored(reason) };
    Answer { app: Some(name.clone()), ..answer }.into()
}
