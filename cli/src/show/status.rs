//! What an app does, and all apps in a table. No I/O here.

use jiff::Timestamp;

use super::{head, image, short_digest, short_tag};
use crate::answer::{Answer, Outcome, Promotion, Said, Status};
use crate::out::{BLUE, BOLD, DIM, GREEN, RED, YELLOW};
use crate::text::moment;
use crate::text::table::{Cell, aligned};

/// One app, a line for each thing that there is to say.
pub fn one(status: &Status, now: Timestamp) -> String {
    let mut rows = vec![vec![Cell::styled(&status.app, BOLD), what(status, now)]];
    let mut row = |name: &str, value: String| {
        rows.push(vec![Cell::styled(name, DIM), Cell::from(value)]);
    };
    running(status, now, &mut row);
    if let Some(digest) = &status.newest.digest {
        let is_running = status.running.as_ref().and_then(|it| it.digest.as_ref()) == Some(digest);
        let same = if is_running { ", which runs" } else { "" };
        row("newest", format!("{} is {}{same}", status.newest.tag, short_digest(digest)));
    }
    row("mode", status.mode.clone());
    row("stack", format!("{}, {}", status.stack.name, status.stack.status));
    row("parameter", format!("{} = {}", status.parameter, status.value));
    under_way(status, now, &mut row);
    people(status, now, &mut row);
    for failed in &status.failed {
        row("failed", format!("{}: only people try it again", short_digest(failed)));
    }
    if let Some(passed) = &status.passed_over {
        row("passed over", format!("{}: a person turned away from it", short_digest(passed)));
    }
    aligned(&rows)
}

fn running(status: &Status, now: Timestamp, row: &mut impl FnMut(&str, String)) {
    let Some(running) = &status.running else {
        return row("runs", "not known yet".to_owned());
    };
    row("runs", running.tag.clone());
    if let Some(digest) = &running.digest {
        row("digest", digest.clone());
    }
    if let Some(since) = running.since {
        row("since", moment::with_age(since, now));
    }
    if !running.by.is_empty() {
        row("by", running.by.clone());
    }
    for service in &status.services {
        let name = service.arn.rsplit('/').next().unwrap_or(&service.arn);
        let runs = match (&service.digest, service.is_promoted) {
            (Some(digest), true) => format!("runs {}, which the stack names", short_digest(digest)),
            (Some(digest), false) => {
                format!("runs {}: NOT what the stack names", short_digest(digest))
            }
            (None, _) => "runs no image, or several".to_owned(),
        };
        row("service", format!("{name} {runs}"));
    }
}

fn under_way(status: &Status, now: Timestamp, row: &mut impl FnMut(&str, String)) {
    let by = |it: &Promotion| format!("by {}, {}", it.by, moment::age(it.at, now));
    for open in &status.open {
        let how = match (&open.cancelled_by, open.accepted_at) {
            (Some(who), _) => format!("is being cancelled by {who}"),
            (None, Some(_)) => format!("CloudFormation {}", status.stack.status),
            (None, None) => "waits for its turn".to_owned(),
        };
        row("under way", format!("{} {how}; {}", short_tag(&open.tag), by(open)));
    }
    if let Some(verifying) = &status.verifying {
        let tag = short_tag(&verifying.promotion.tag);
        let how = verifying.problem.as_ref().unwrap_or(&verifying.progress);
        row("verifying", format!("{tag}: {how}; {}", by(&verifying.promotion)));
    }
    if let Some(bake) = &status.bake {
        let alarms = bake.alarms.iter().map(|alarm| {
            format!("{} {}", alarm.name, alarm.state.as_deref().unwrap_or("does not exist"))
        });
        let alarms = alarms.collect::<Vec<_>>().join(", ");
        let until = moment::with_age(bake.until, now);
        row("bakes", format!("{} until {until} {alarms}", short_tag(&bake.tag)));
    }
    if let Some(waiting) = &status.waiting {
        let since = moment::age(waiting.since, now);
        row(&waiting.outcome.to_string(), format!("{} (since {since})", waiting.reason));
    }
    if let Some(after) = &status.after {
        row("after", after.clone());
    }
    if let Some(soaking) = &status.soaking {
        let name = image(soaking.commit.as_deref(), Some(&soaking.digest));
        row("soaks", format!("{name} until {}", moment::with_age(soaking.until, now)));
    }
}

fn people(status: &Status, now: Timestamp, row: &mut impl FnMut(&str, String)) {
    if let Some(hold) = &status.hold {
        row("held by", format!("{}, {}: {}", hold.by, moment::age(hold.at, now), hold.reason));
    }
    if let Some(request) = status.request.as_ref().filter(|request| request.is_open()) {
        let name = image(request.commit.as_deref(), Some(&request.digest));
        row("asked", format!("{name}: {}", request.why));
        row("", format!("{}, until {}", request.id, moment::with_age(request.expires_at, now)));
        for vote in &request.votes {
            let word = if vote.approves { "approved" } else { "rejected" };
            row("", format!("{word} by {}", vote.by));
        }
    }
}

/// All apps.
pub fn all(apps: &[Said<Status>], now: Timestamp) -> String {
    if apps.is_empty() {
        return "no app is configured\n".to_owned();
    }
    let mut rows = vec![head(&["app", "now", "runs", "since", "mode"])];
    for app in apps {
        rows.push(match app {
            Said::Report(status) => of_app(status, now),
            Said::Answer(answer) => unread(answer),
        });
    }
    aligned(&rows)
}

fn of_app(status: &Status, now: Timestamp) -> Vec<Cell> {
    let running = status.running.as_ref();
    let since = running.and_then(|running| running.since);
    vec![
        Cell::styled(&status.app, BOLD),
        what(status, now),
        Cell::from(short_tag(running.map_or("", |running| &running.tag))),
        Cell::from(since.map(|since| moment::age(since, now)).unwrap_or_default()),
        Cell::from(&status.mode),
    ]
}

fn unread(answer: &Answer) -> Vec<Cell> {
    let app = answer.app.as_deref().unwrap_or("-");
    vec![Cell::styled(app, BOLD), Cell::styled(&format!("not read: {}", answer.reason), RED)]
}

/// What the app does now, in a few words: what needs people first.
fn what(status: &Status, now: Timestamp) -> Cell {
    let blocked = status.waiting.as_ref().filter(|it| it.outcome == Outcome::Blocked);
    if blocked.is_some() {
        return Cell::styled("blocked", RED);
    }
    if let Some(request) = status.request.as_ref().filter(|request| request.is_open()) {
        let name = image(request.commit.as_deref(), Some(&request.digest));
        return Cell::styled(&format!("asks about {name}"), YELLOW);
    }
    if let Some(open) = status.open.last() {
        let word = if open.accepted_at.is_some() { "promotes" } else { "queued" };
        return Cell::styled(&format!("{word} {}", short_tag(&open.tag)), BLUE);
    }
    if status.verifying.is_some() {
        return Cell::styled("verifies", BLUE);
    }
    if let Some(hold) = &status.hold {
        return Cell::styled(&format!("held {}", moment::age(hold.at, now)), YELLOW);
    }
    match (&status.bake, &status.waiting, &status.soaking) {
        (Some(_), _, _) => Cell::styled("bakes", BLUE),
        (None, Some(_), _) => Cell::styled("queued", BLUE),
        (None, None, Some(soaking)) => {
            Cell::styled(&format!("soaks until {}", soaking.until.strftime("%H:%M UTC")), DIM)
        }
        (None, None, None) => Cell::styled("runs", GREEN),
    }
}
