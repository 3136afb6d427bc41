//! Looks at many apps, several at the same time, while there is time. The next look continues where
//! the last one stopped. A notice about a wrong configuration is sent once.
//!
//! A round through 5,000 apps takes 500 to 1,000 seconds, at 5 to 10 DescribeStacks a second (see
//! `services::patience`), and one invocation has 45 seconds. The hourly look begins a round, and
//! each look at open work, every five minutes, continues it. At 5 a second that is 225 apps a look,
//! and all apps within two hours.

pub mod audit;
pub mod check;
pub mod overview;
mod time;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use tracing::info;

use crate::decide::known_apps::{told, untold};
use crate::error::Error;
use crate::model::AppName;
use crate::model::config::App;
use crate::model::identity::SourceIdentity;
use crate::model::known_apps::Unfinished;
use crate::model::measure::Measure;
use crate::model::notice::Notice;
use crate::model::report::{ManyLooks, Reply, Report};
use crate::model::soaking::SeenStage;
use crate::model::state::State;
use crate::world::action::Action;
use crate::world::snapshot::Version;
use crate::world::{Applied, Apps};
use time::Time;

/// The most looks at the same time. AWS would throttle more calls.
pub const SIDE_BY_SIDE: usize = 16;
/// The number of states that one read asks for.
const STATES: usize = 100;
/// The most such reads at the same time.
const READS: usize = 2;
/// The most failures that one error lists.
const MOST_TOLD: usize = 20;
/// The most tries to write the place to continue, if other invocations write it at the same time.
const ROUNDS: u32 = 4;

/// An app to look at. `None`: its configuration is read when its turn comes.
type Due = (AppName, Option<Result<App, Error>>);

/// The results of looks at several apps.
#[derive(Default)]
struct Looks {
    /// The answer of each app; `None` for an app that is no longer configured.
    done: Vec<(AppName, Result<Option<Reply>, Error>)>,
    /// The apps that there was no time for, in the order of their turns.
    left: Vec<AppName>,
    /// Failures that concern several apps.
    failures: Vec<Error>,
}

/// The scheduled look, at all configured apps or at those with open work. Both also continue an
/// unfinished round through all apps.
pub async fn look_at_configured<W: Apps>(
    world: &W,
    only_open_work: bool,
    deadline: Option<Timestamp>,
    look: impl AsyncFn(&App) -> Result<Reply, Error>,
) -> Result<Reply, Error> {
    let time = Time::until(deadline, world.now());
    let (seen, version) = world.unfinished().await?;
    let (after, mut looks) = if only_open_work {
        look_often(world, &seen, time, &look).await
    } else {
        look_at_all(world, &seen, time, &look).await
    };
    if after != seen {
        looks.push(keep(world, after, version).await.map(|()| Looks::default()));
    }
    report(looks)
}

/// The place where the next look continues, and the results of this look's parts.
type Parts = (Unfinished, Vec<Result<Looks, Error>>);

/// The look at open work. If a round through all apps is unfinished, it gets half of the
/// simultaneous looks.
async fn look_often<W: Apps>(
    world: &W,
    seen: &Unfinished,
    time: Time,
    look: &impl AsyncFn(&App) -> Result<Reply, Error>,
) -> Parts {
    let side_by_side = if seen.is_due() { SIDE_BY_SIDE / 2 } else { SIDE_BY_SIDE };
    let round = async {
        if seen.is_due() { Some(round(world, seen, side_by_side, time, look).await) } else { None }
    };
    let (round, open) =
        join(round, look_at_open(world, seen.open.as_ref(), side_by_side, time, look)).await;
    let mut after = match &round {
        Some(Ok(round)) => seen.after(round.left.first()),
        Some(Err(_)) | None => seen.clone(),
    };
    if let Ok(open) = &open {
        after.open = open.left.first().cloned();
    }
    (after, round.into_iter().chain([open]).collect())
}

/// The full look: begins a round through all apps. If a round is unfinished, it continues that
/// round, and another round follows.
async fn look_at_all<W: Apps>(
    world: &W,
    seen: &Unfinished,
    time: Time,
    look: &impl AsyncFn(&App) -> Result<Reply, Error>,
) -> Parts {
    if seen.is_due() {
        let due = Unfinished { again: true, ..seen.clone() };
        let (round, told) =
            join(round(world, &due, SIDE_BY_SIDE, time, look), list_and_tell(world, time)).await;
        let after = round.as_ref().map_or(due.clone(), |round| due.after(round.left.first()));
        return (after, vec![round, told.map(|()| Looks::default())]);
    }
    let mut apps = match time.list(world.now(), world.apps()).await {
        Ok(apps) => apps,
        // The next looks can still use the stored list of known apps.
        Err(error) => return (Unfinished { again: true, ..seen.clone() }, vec![Err(error)]),
    };
    apps.sort_by(|(a, _), (b, _)| a.cmp(b));
    let words = words(&apps);
    let due = apps.into_iter().map(|(name, app)| (name, Some(app))).collect();
    let (told, all) =
        join(tell(world, &words, time), each(world, due, SIDE_BY_SIDE, time, look)).await;
    let after = all.left.first().map_or(seen.clone(), |left| seen.after(Some(left)));
    (after, vec![told.map(|()| Looks::default()), Ok(all)])
}

/// Looks at the apps that one event concerns. If there is no time for some of them, it fails, so
/// that Lambda tries again.
pub async fn look_at_several<W: Apps>(
    world: &W,
    apps: Vec<(AppName, Result<App, Error>)>,
    deadline: Option<Timestamp>,
    look: impl AsyncFn(&App) -> Result<Reply, Error>,
) -> Result<Reply, Error> {
    let time = Time::until(deadline, world.now());
    let due = apps.into_iter().map(|(name, app)| (name, Some(app))).collect();
    let mut looks = each(world, due, SIDE_BY_SIDE, time, &look).await;
    looks.done.extend(looks.left.drain(..).map(|name| (name, Err(out_of_time()))));
    report(vec![Ok(looks)])
}

/// Continues the round through all apps. It uses the stored list of known apps, since reading
/// thousands of configurations takes long.
async fn round<W: Apps>(
    world: &W,
    unfinished: &Unfinished,
    side_by_side: usize,
    time: Time,
    look: &impl AsyncFn(&App) -> Result<Reply, Error>,
) -> Result<Looks, Error> {
    let (known, _) = world.remembered_apps().await?;
    let mut names: Vec<AppName> = known.apps.into_keys().collect();
    if names.is_empty() {
        names = world.known_apps().await?.into_iter().map(|(name, _)| name).collect();
    }
    let due = unfinished.due(names).into_iter().map(|name| (name, None)).collect();
    Ok(each(world, due, side_by_side, time, look).await)
}

/// Looks at the apps with open work, beginning with `from`.
async fn look_at_open<W: Apps>(
    world: &W,
    from: Option<&AppName>,
    side_by_side: usize,
    time: Time,
    look: &impl AsyncFn(&App) -> Result<Reply, Error>,
) -> Result<Looks, Error> {
    let list = async {
        // The full look reports unusable configurations, once an hour. This look skips them.
        let usable =
            world.known_apps().await?.into_iter().filter_map(|(name, app)| Some((name, app.ok()?)));
        let (mut apps, earlier): (Vec<_>, Vec<_>) =
            usable.partition(|(name, _)| from.is_none_or(|from| name >= from));
        apps.extend(earlier);
        let names: Vec<AppName> = apps.iter().map(|(name, _)| name.clone()).collect();
        Ok((apps, open_work(world, &names).await))
    };
    let (mut apps, mut found) = time.list(world.now(), list).await?;
    found.open_stages(world.now());
    apps.retain(|(name, _)| found.open.contains(name));
    let due = apps.into_iter().map(|(name, app)| (name, Some(Ok(app)))).collect();
    let mut looks = each(world, due, side_by_side, time, look).await;
    looks.done.append(&mut found.unreadable);
    looks.failures = found.failures;
    Ok(looks)
}

/// The apps with open work, and the problems of finding them.
#[derive(Default)]
struct OpenWork {
    open: BTreeSet<AppName>,
    /// How many promotions of each app have ended.
    ended: BTreeMap<AppName, u64>,
    /// What the stages remember of the app before them.
    stages: Vec<(AppName, SeenStage)>,
    unreadable: Vec<(AppName, Result<Option<Reply>, Error>)>,
    failures: Vec<Error>,
}

impl OpenWork {
    fn note(&mut self, name: AppName, state: State) {
        self.ended.insert(name.clone(), state.ended);
        if state.has_open_work() {
            self.open.insert(name);
        } else if let Some(stage) = state.stage {
            self.stages.push((name, stage));
        }
    }

    /// Adds the stages for which something has changed in the app before them.
    fn open_stages(&mut self, now: Timestamp) {
        let stages = std::mem::take(&mut self.stages).into_iter();
        let due =
            stages.filter(|(_, stage)| stage.is_due(self.ended.get(&stage.after).copied(), now));
        self.open.extend(due.map(|(name, _)| name));
    }
}

/// Reads the states of these apps, a hundred in one call. States may be large, so only the names of
/// the apps with open work are kept.
async fn open_work<W: Apps>(world: &W, names: &[AppName]) -> OpenWork {
    let batches = stream::iter(names.chunks(STATES)).map(async |batch| {
        let mut found = OpenWork::default();
        match world.states(batch).await {
            Ok(states) => {
                for (name, state) in states {
                    match state {
                        Ok(state) => {
                            let waits = Measure::of_waiting(&name, &state, world.now());
                            waits.iter().for_each(|own| world.measure(own));
                            found.note(name, state);
                        }
                        Err(error) => found.unreadable.push((name, Err(error))),
                    }
                }
            }
            Err(error) => found.failures.push(error),
        }
        found
    });
    let and = |mut all: OpenWork, batch: OpenWork| {
        all.open.extend(batch.open);
        all.ended.extend(batch.ended);
        all.stages.extend(batch.stages);
        all.unreadable.extend(batch.unreadable);
        all.failures.extend(batch.failures);
        std::future::ready(all)
    };
    batches.buffered(READS).fold(OpenWork::default(), and).await
}

/// Looks at these apps, `side_by_side` at the same time, until the time is up. A failed look does
/// not stop the others.
async fn each<W: Apps>(
    world: &W,
    due: Vec<Due>,
    side_by_side: usize,
    time: Time,
    look: &impl AsyncFn(&App) -> Result<Reply, Error>,
) -> Looks {
    let looks = due.into_iter().enumerate().map(|(at, (name, app))| async move {
        let began = world.now();
        if began >= time.last_start {
            return (at, name, None);
        }
        let looked = async {
            let app = match app {
                Some(app) => Some(app?),
                None => world.app(&name).await?,
            };
            match app {
                Some(app) => look(&app).await.map(Some),
                None => Ok(None),
            }
        };
        let looked = match time.limit(began, Box::pin(looked)).await {
            None if began < time.first_half => Some(Err(out_of_time())),
            looked => looked,
        };
        (at, name, looked)
    });
    let mut looks: Vec<_> = stream::iter(looks).buffer_unordered(side_by_side).collect().await;
    looks.sort_unstable_by_key(|(at, ..)| *at);
    let mut all = Looks::default();
    for (_, name, looked) in looks {
        match looked {
            Some(looked) => all.done.push((name, looked)),
            None => all.left.push(name),
        }
    }
    all
}

/// The apps with a name after this one, in the order of their names: what a page is cut from.
fn sorted_after<T>(mut apps: Vec<(AppName, T)>, after: Option<&AppName>) -> Vec<(AppName, T)> {
    apps.retain(|(name, _)| after.is_none_or(|after| name > after));
    apps.sort_by(|(a, _), (b, _)| a.cmp(b));
    apps
}

fn out_of_time() -> Error {
    Error::OutOfTime {
        what: "the look".to_owned(),
        next: "the next attempt or the next look continues",
    }
}

/// Writes where the next look continues. If another invocation has written it meanwhile, the place
/// of the invocation that came further counts.
async fn keep<W: Apps>(
    world: &W,
    mut unfinished: Unfinished,
    mut version: Version,
) -> Result<(), Error> {
    for _ in 0..ROUNDS {
        if world.keep_unfinished(&unfinished, &version).await? != Applied::Conflict {
            return Ok(());
        }
        let (theirs, newer) = world.unfinished().await?;
        unfinished = unfinished.or_further(&theirs);
        if unfinished == theirs {
            return Ok(());
        }
        version = newer;
    }
    // Other invocations wrote it, so no app is left out: they came further, or they continue from
    // where this one began.
    Ok(())
}

/// Reads all configurations, and notifies people of those that cannot be used or were deleted.
async fn list_and_tell<W: Apps>(world: &W, time: Time) -> Result<(), Error> {
    let words = words(&time.list(world.now(), world.apps()).await?);
    tell(world, &words, time).await
}

/// Maps each app to the reason why its configuration cannot be used; `None` if it can.
fn words(apps: &[(AppName, Result<App, Error>)]) -> BTreeMap<AppName, Option<String>> {
    apps.iter()
        .map(|(name, app)| (name.clone(), app.as_ref().err().map(Error::to_string)))
        .collect()
}

/// Notifies people of configurations that cannot be used or were deleted, and stores what people
/// know.
async fn tell<W: Apps>(
    world: &W,
    apps: &BTreeMap<AppName, Option<String>>,
    time: Time,
) -> Result<(), Error> {
    let (before, version) = world.remembered_apps().await?;
    let notices = untold(&before, apps, |name| world.source(name), world.now());
    let tell = async |(app, notice): (App, Notice)| {
        if world.now() >= time.last_start {
            return (app.name, Ok(false));
        }
        let tell = Action::Tell(Box::new(notice));
        let nobody = SourceIdentity::default();
        let told = world.apply(&app, &tell, &Version::default(), &nobody).await;
        (app.name, told.map(|_| true))
    };
    let results: Vec<_> =
        stream::iter(notices.into_iter().map(tell)).buffer_unordered(SIDE_BY_SIDE).collect().await;
    let untold = results
        .iter()
        .filter(|(_, told)| !matches!(told, Ok(true)))
        .map(|(name, _)| name.clone())
        .collect();
    let after = told(&before, apps, &untold);
    if after != before {
        // If this write is refused, another look has sent the same notices and written the list.
        world.remember_apps(&after, &version).await?;
    }
    results.into_iter().find_map(|(_, told)| told.err()).map_or(Ok(()), Err)
}

/// One answer for all looks, or one error if any of them failed.
fn report(looks: Vec<Result<Looks, Error>>) -> Result<Reply, Error> {
    let (mut done, mut left, mut failures) = (Vec::new(), 0, Vec::new());
    for looks in looks {
        match looks {
            Ok(looks) => {
                done.extend(looks.done);
                left += looks.left.len();
                failures.extend(looks.failures);
            }
            Err(error) => failures.push(error),
        }
    }
    done.sort_by(|(a, _), (b, _)| a.cmp(b));
    if left > 0 {
        info!(looked_at = done.len(), left, "out of time: the next look continues");
    }
    let failed = |(name, looked): &(AppName, Result<Option<Reply>, Error>)| {
        Some(format!("`{name}`: {}", looked.as_ref().err()?))
    };
    let messages: Vec<String> = done.iter().filter_map(failed).collect();
    let all = done.len();
    if messages.is_empty() && failures.is_empty() {
        let results = done.into_iter().filter_map(|(_, looked)| looked.ok().flatten()).collect();
        let left = (left > 0).then_some(left);
        return Ok(Reply::Report(Report::Looks(ManyLooks { results, left, next: None })));
    }
    // Failures that concern several apps come first.
    if messages.is_empty() && failures.len() == 1 {
        return Err(failures.remove(0));
    }
    let messages: Vec<String> = failures.iter().map(Error::to_string).chain(messages).collect();
    info!(failed = messages.len(), looked_at = all, left, "some looks failed");
    let more = messages.len().saturating_sub(MOST_TOLD);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let told = messages.iter().take(MOST_TOLD).map(String::as_str).collect::<Vec<_>>().join("; ");
    Err(Error::Several { failed: messages.len(), all, messages: told + &more })
}
