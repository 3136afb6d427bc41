//! Shows the function's answers to people, as text with styles. No I/O here.

use jiff::Timestamp;

use crate::answer::{Answer, Board, Checked, Outcome, Places, Plan};
use crate::out::{BOLD, DIM, GREEN, RED, YELLOW, style};
use crate::text::moment;
use crate::text::table::{Cell, aligned, plain};

pub mod history;
pub mod status;

/// The hex digits of a digest that people read.
const SHORT: usize = 12;
/// The length of a commit in a tag, and how much of it people read.
const COMMIT: usize = 40;
const SHORT_COMMIT: usize = 7;

/// A digest, shortened: `sha256:d47965fdf4d8…`.
pub fn short_digest(digest: &str) -> String {
    match digest.split_once(':') {
        Some((kind, hex)) if hex.len() > SHORT => {
            format!("{kind}:{}…", hex.chars().take(SHORT).collect::<String>())
        }
        Some(_) | None => plain(digest),
    }
}

/// A production tag with its commit shortened: `production_9fceb02`.
pub fn short_tag(tag: &str) -> String {
    let is_commit =
        |part: &&str| part.len() == COMMIT && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let commit = tag.split(['_', '-', '.']).find(is_commit);
    match commit {
        Some(commit) => plain(&tag.replace(commit, &commit[..SHORT_COMMIT])),
        None => plain(tag),
    }
}

/// A commit, shortened.
pub fn short_commit(commit: &str) -> String {
    commit.chars().take(SHORT_COMMIT).collect()
}

/// What an image is called: its commit, or else its digest.
pub fn image(commit: Option<&str>, digest: Option<&str>) -> String {
    let commit = commit.map(short_commit);
    commit.or_else(|| digest.map(short_digest)).unwrap_or_default()
}

/// The answer of a command: the outcome, the app, what it is about and why.
pub fn answer(answer: &Answer) -> String {
    let style = style(&answer.outcome);
    let app = answer.app.as_deref().unwrap_or("-");
    let what = answer.tag.as_deref().map(short_tag);
    let image = image(answer.commit.as_deref(), answer.digest.as_deref());
    let what = what.or_else(|| Some(image).filter(|image| !image.is_empty()));
    let what = what.map(|what| format!(" {what}")).unwrap_or_default();
    let outcome = &answer.outcome;
    let mut text = format!(
        "{style}{}{style:#}: {}{}: {}\n",
        plain(&outcome.to_string()),
        plain(app),
        plain(&what),
        plain(&answer.reason)
    );
    for change in &answer.changes {
        text.push_str(&format!("  {}\n", plain(change)));
    }
    if let Some(next) = next(answer) {
        text.push_str(&format!("{DIM}{next}{DIM:#}\n"));
    }
    text
}

/// What to type next.
fn next(answer: &Answer) -> Option<String> {
    let app = plain(answer.app.as_deref()?);
    match &answer.outcome {
        Outcome::Promoted | Outcome::Queued => {
            Some(format!("Follow it: promote status {app} --watch"))
        }
        Outcome::ApprovalRequested => Some(format!("Decide: promote approve {app}")),
        Outcome::Failed | Outcome::Blocked => Some(format!("Look: promote status {app}")),
        Outcome::Deployed
        | Outcome::Approved
        | Outcome::Rejected
        | Outcome::Superseded
        | Outcome::Unchanged
        | Outcome::Held
        | Outcome::Expired
        | Outcome::Ignored
        | Outcome::Refused
        | Outcome::Resumed
        | Outcome::Cancelled
        | Outcome::Unknown(_) => None,
    }
}

/// What a command would do.
pub fn plan(app: &str, command: &str, plan: &Plan) -> String {
    let style = style(&plan.would);
    let image = image(plan.commit.as_deref(), plan.digest.as_deref());
    let mut rows = vec![vec![Cell::from("would"), Cell::styled(&plan.would.to_string(), style)]];
    let mut row = |name: &str, value: Option<String>| {
        let value = value.filter(|value| !value.is_empty());
        rows.extend(value.map(|value| vec![Cell::styled(name, DIM), Cell::from(value)]));
    };
    row("why", Some(plan.reason.clone()));
    row("image", Some(image));
    row("digest", plan.digest.clone());
    row("tag", plan.tag.clone());
    row("runs now", plan.previous_tag.clone());
    row("stack", plan.stack.as_ref().map(|stack| format!("{stack}, {}", plan.parameter)));
    match plan.changes.as_deref() {
        Some([]) => row("changes", Some("nothing in the stack".to_owned())),
        Some(changes) => changes.iter().for_each(|it| row("change", Some(it.clone()))),
        None => {}
    }
    let mut text = format!("{BOLD}{command} {app}{BOLD:#}\n{}", aligned(&rows));
    for warning in &plan.warnings {
        text.push_str(&format!("{YELLOW}warning{YELLOW:#}: {}\n", plain(warning)));
    }
    text
}

/// The apps that have an image.
pub fn places(places: &Places, now: Timestamp) -> String {
    if places.results.is_empty() && places.unread.is_empty() {
        return format!("no app has {}\n", plain(&places.image));
    }
    let mut rows = vec![head(&["app", "stage", "tag", "digest", "since"])];
    for place in &places.results {
        rows.push(vec![
            Cell::from(&place.app),
            Cell::from(&place.stage),
            Cell::from(short_tag(place.tag.as_deref().unwrap_or(""))),
            Cell::from(short_digest(place.digest.as_deref().unwrap_or(""))),
            Cell::from(place.since.map(|at| moment::with_age(at, now)).unwrap_or_default()),
        ]);
    }
    let mut text = if places.results.is_empty() { String::new() } else { aligned(&rows) };
    if !places.unread.is_empty() {
        let unread = places.unread.join(", ");
        text.push_str(&format!("{RED}not read{RED:#}: {}\n", plain(&unread)));
    }
    text
}

/// What a check of an app found. One line each, and below it what to do.
pub fn checked(checked: &Checked) -> String {
    let Checked { app, findings, .. } = checked;
    let rows = findings.iter().map(|finding| {
        let style = match finding.level.as_str() {
            "ok" => GREEN,
            "warning" => YELLOW,
            _ => RED,
        };
        let level = Cell::styled(&finding.level, style);
        vec![level, Cell::from(&finding.about), Cell::from(&finding.says)]
    });
    let table = aligned(&rows.collect::<Vec<_>>());
    let mut text = format!("{BOLD}{}{BOLD:#}\n", plain(app));
    for (line, finding) in table.lines().zip(findings) {
        text.push_str(&format!("{line}\n"));
        if let Some(mend) = &finding.mend {
            text.push_str(&format!("         {}\n", plain(mend)));
        }
    }
    text
}

/// For how long a link to the board works.
pub fn board_holds(board: &Board, now: Timestamp) -> String {
    let until = board.expires_at.strftime("%H:%M UTC");
    let left = moment::age(board.expires_at, now);
    format!("The link works until {until} ({left}), for whoever has it.")
}

/// The first row of a table.
fn head(names: &[&str]) -> Vec<Cell> {
    names.iter().map(|name| Cell::styled(name, DIM)).collect()
}

#[cfg(test)]
mod tests;
