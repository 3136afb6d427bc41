//! Answers in words, for somebody who asked in Slack.

use crate::model::answer::{Answer, Outcome};
use crate::model::approval::{ApprovalRequest, Progress};
use crate::model::ecs::known::KnownService;
use crate::model::promotion::Promotion;
use crate::model::report::{BoardLink, History, Places, PromotionPlan, Reply, Report, Status};
use crate::model::whereabouts::Presence;
use crate::model::{AppName, Digest, Tag};
use crate::notification::image_name;

/// The answer to `help`.
pub const HELP: &str = "\
`/promote <app>` promotes the newest image; `/promote <app> <commit>` promotes the image of that \
commit.
`/promote approve <app> <digest or commit>` and `/promote reject <app> <digest or commit>` decide \
on the candidate.
`/promote rollback <app>` goes back to the previous image; `/promote rollback <app> <commit>` goes \
back to the image of that commit. From then on pushes ask for approval.
`/promote cancel <app>` cancels what is under way. `/promote ask <app>` asks for approval of the \
newest image again.
`/promote hold <app> <reason>` makes pushes ask for approval instead of deploying; \
`/promote resume <app>` ends that.
`/promote where <digest or commit>` says which apps have that image.
`/promote board` gives you a link to a page of all apps. It has your rights, for 15 minutes.
`/promote status <app>`, `/promote history <app>` and `/promote plan <app> [<commit>]` show how \
things are and change nothing.";

/// Says the answer to a command in words.
pub fn words(reply: &Reply) -> String {
    match reply {
        Reply::Answer(answer) => of_answer(answer),
        Reply::Report(Report::Status(status)) => of_status(status),
        Reply::Report(Report::History(history)) => of_history(history),
        Reply::Report(Report::Plan(plan)) => of_plan(plan),
        Reply::Report(Report::Board(link)) => of_board(link),
        Reply::Report(Report::Where(places)) => of_places(places),
        Reply::Report(Report::Audit(_) | Report::Check(_) | Report::Checks(_)) => {
            TOO_LONG.to_owned()
        }
        Reply::Report(Report::Looks(looks)) => {
            looks.results.iter().map(words).collect::<Vec<_>>().join("\n")
        }
    }
}

/// The same for somebody who may look but not command: what runs and what is pending, without a
/// word from AWS.
pub fn words_for_outsiders(reply: &Reply) -> String {
    match reply {
        Reply::Report(Report::Status(status)) => status_for_outsiders(status),
        Reply::Report(Report::History(history)) => of_history(history),
        Reply::Report(Report::Plan(plan)) => {
            format!("{}. Only people who may command the app can see why.", would_answer(plan))
        }
        Reply::Report(Report::Board(_) | Report::Looks(_) | Report::Where(_))
        | Reply::Report(Report::Audit(_) | Report::Check(_) | Report::Checks(_))
        | Reply::Answer(_) => NOT_SHOWN.to_owned(),
    }
}

const TOO_LONG: &str = "That is too long for Slack: type it in a terminal.";
const NOT_SHOWN: &str = "Only people who may command the app can see that.";
const UNKNOWN: &str = "unknown";

fn of_answer(answer: &Answer) -> String {
    let app = answer.app.as_ref().map(ToString::to_string).unwrap_or_default();
    let what = image_name(answer.commit.as_ref(), answer.digest.as_ref())
        .map(|name| format!(" {name}"))
        .unwrap_or_default();
    let outcome = outcome(answer.outcome, answer.rolls_back.is_some());
    let mut lines = vec![format!("{app}{what}: {outcome}. {}", answer.reason)];
    lines.extend(answer.changes.iter().map(|change| format!("• {change}")));
    lines.join("\n")
}

/// What an answer came to, as people call it: a rollback that has begun is no promotion to them.
fn outcome(outcome: Outcome, goes_back: bool) -> String {
    if goes_back && outcome == Outcome::Promoted {
        "rolling back".to_owned()
    } else if goes_back && outcome == Outcome::Deployed {
        "rolled back".to_owned()
    } else {
        outcome.to_string()
    }
}

/// What runs, and since when, if that is known.
fn what_runs(status: &Status) -> Vec<String> {
    let running = status.running.as_ref();
    let tag = running.map_or(UNKNOWN, |running| running.tag.as_str());
    let mut lines = vec![format!("{} runs {tag} (mode {})", status.app, status.mode)];
    lines.extend(
        running
            .and_then(|running| Some(format!("• since {:.0}, by {}", running.since?, running.by))),
    );
    lines
}

fn pending(status: &Status) -> Option<&ApprovalRequest> {
    status.request.as_ref().filter(|request| request.progress == Progress::Pending)
}

fn of_status(status: &Status) -> String {
    let mut lines = what_runs(status);
    lines.push(format!("• stack {} is in {}", status.stack.name, status.stack.status));
    let newest = status.newest.digest.as_ref();
    if newest != status.running.as_ref().and_then(|running| running.digest.as_ref()) {
        let digest = newest.map_or(UNKNOWN, Digest::as_str);
        lines.push(match &status.after {
            Some(after) => format!("• newest that has run in {after}: {digest}"),
            None => format!("• newest: {digest} ({})", status.newest.tag),
        });
    }
    let soaking = status.after.iter().zip(&status.soaking);
    lines.extend(soaking.map(|(after, soaking)| format!("• {}", soaking.words(after))));
    lines.extend(status.open.iter().map(|open| {
        let what = under_way(open);
        format!("• under way: {what} by {}, since {:.0}", open.by, open.at)
    }));
    if let Some(verifying) = &status.verifying {
        let what = under_way(&verifying.promotion);
        lines.push(format!("• on its way in ECS: {what}: {}", verifying.words()));
    }
    lines.extend(status.bake.iter().map(|bake| format!("• {} bakes {}", bake.tag, bake.words())));
    lines.extend(
        elsewhere(status)
            .map(|service| format!("• {}, not the image that the stack names", service.words())),
    );
    if let Some(hold) = &status.hold {
        lines.push(format!("• held by {} since {:.0}: {}", hold.by, hold.at, hold.reason));
    }
    if let Some(request) = pending(status) {
        let (digest, until) = (&request.digest, request.expires_at);
        lines.push(format!("• waits for approval: {digest} until {until:.0}"));
    }
    if let Some(waiting) = &status.waiting {
        lines.push(format!("• {}: {}", waiting.outcome, waiting.reason));
    }
    lines.join("\n")
}

/// What a promotion brings, or takes back.
fn under_way(promotion: &Promotion) -> String {
    match &promotion.rolls_back {
        Some(from) => format!("rolling back from {from} to {}", promotion.tag),
        None => promotion.tag.to_string(),
    }
}

/// The services that run another image than the stack names. While a promotion is on its way in
/// ECS, that is not known.
fn elsewhere(status: &Status) -> impl Iterator<Item = &KnownService> {
    let known = status.services.iter().filter(|_| status.verifying.is_none());
    known.filter(|service| service.digest.is_some() && !service.is_promoted)
}

fn status_for_outsiders(status: &Status) -> String {
    let mut lines = what_runs(status);
    let verifying = status.verifying.iter().map(|verifying| &verifying.promotion);
    let open = status.open.iter().chain(verifying);
    lines.extend(open.map(|it| format!("• under way: {}, since {:.0}", under_way(it), it.at)));
    lines.extend(status.bake.iter().map(|bake| format!("• {} bakes", bake.tag)));
    lines.extend(status.hold.as_ref().map(|_| "• held".to_owned()));
    lines
        .extend(pending(status).map(|request| format!("• waits for approval: {}", request.digest)));
    lines.extend(status.waiting.as_ref().map(|waiting| format!("• {}", waiting.outcome)));
    lines.join("\n")
}

fn of_history(history: &History) -> String {
    const MOST: usize = 10;
    let mut lines = vec![format!("{}: the last promotions, newest first", history.app)];
    lines.extend(history.promotions.iter().take(MOST).map(|entry| {
        let promotion = entry.promotion();
        let (tag, by, at) = (&promotion.tag, &promotion.by, promotion.at);
        let outcome = outcome(entry.outcome, promotion.rolls_back.is_some());
        format!("• {tag} {outcome} by {by}, {at:.0}")
    }));
    lines.join("\n")
}

/// What the command would come to. For a rollback: from what to what it would go.
fn would_answer(plan: &PromotionPlan) -> String {
    let app = plan.app.as_ref().map_or(UNKNOWN, AppName::as_str);
    match &plan.way_back {
        Some(way) if plan.would == Outcome::Promoted => {
            format!("{app}: rollback would go {}", way.words())
        }
        Some(way) => format!("{app}: rollback would answer {} ({})", plan.would, way.words()),
        None => format!(
            "{app}: {} would answer {} ({} → {})",
            plan.of.unwrap_or("promote"),
            plan.would,
            plan.previous_tag.as_deref().unwrap_or(UNKNOWN),
            plan.tag.as_ref().map_or(UNKNOWN, Tag::as_str),
        ),
    }
}

fn of_plan(plan: &PromotionPlan) -> String {
    // The reason of a rollback that goes out is the way itself.
    let is_said = plan.way_back.as_ref().is_some_and(|way| way.words() == plan.reason);
    let reason = if is_said { String::new() } else { format!(" {}", plan.reason) };
    let mut lines = vec![format!("{}.{reason}", would_answer(plan))];
    lines.extend(plan.changes.iter().flatten().map(|change| format!("• {change}")));
    lines.extend(plan.warnings.iter().map(|warning| format!("• Warning: {warning}")));
    lines.join("\n")
}

fn of_board(link: &BoardLink) -> String {
    format!(
        "The board, until {}. Anyone with this address can act as you, so do not share it:\n{}",
        link.expires_at, link.url
    )
}

/// Says which apps have an image.
fn of_places(places: &Places) -> String {
    let mut lines = vec![match places.results.as_slice() {
        [] => format!("No app has the image of {}.", places.image),
        _ => format!("The image of {}:", places.image),
    }];
    lines.extend(places.results.iter().map(|one| {
        let stage = match one.stage {
            Presence::Running => "runs it",
            Presence::Deploying => "is deploying it",
            Presence::Queued => "has it queued",
            Presence::Asked => "waits for approval of it",
            Presence::Soaking => "waits until it has soaked",
        };
        let since = one.since.map(|since| format!(", since {since:.0}")).unwrap_or_default();
        format!("• {} {stage}{since}", one.app)
    }));
    if !places.unread.is_empty() {
        let names: Vec<&str> = places.unread.iter().map(AppName::as_str).collect();
        lines.push(format!("Could not be read: {}", names.join(", ")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests;
