//! What comes in pages: `history`, `check` and `audit`. One page is held at a time.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::answer::{Audit, Checked, Entry, History, Said, Several, Status};
use crate::cloud::function::Function;
use crate::command::Command;
use crate::exit::failure::Failure;
use crate::exit::{self, Exit};
use crate::{mismatch, out, show};

/// Asks for one page, and returns its bytes and what they say.
async fn page<T: DeserializeOwned>(
    function: &Function<'_>,
    command: &Command,
    after: Option<&Value>,
) -> Result<(Vec<u8>, T), Failure> {
    let command = command.clone().after(after);
    let bytes = function.invoke(&command).await?;
    match serde_json::from_slice(&bytes) {
        Ok(page) => Ok((bytes, page)),
        Err(error) => Err(mismatch::unreadable(command.action, &error.to_string())),
    }
}

/// The failure of a report that was answered otherwise: for example a refusal.
fn answered(action: &str, answer: &crate::answer::Answer) -> Failure {
    let mut words = format!("{}: {}", answer.outcome, answer.reason);
    if let Some(more) = mismatch::by_answer(answer) {
        words = format!("{words}. {more}");
    }
    let exit = exit::of_answer(action, &answer.outcome);
    Failure { exit, ..Failure::failed(words) }
}

/// The report, where the function gave one.
pub fn reported<T>(action: &str, said: Said<T>) -> Result<T, Failure> {
    match said {
        Said::Report(report) => Ok(report),
        Said::Answer(answer) => Err(answered(action, &answer)),
    }
}

/// The failure of pages that lead nowhere.
fn stuck() -> Failure {
    Failure::failed("The function's pages do not go on: stopped")
}

/// Writes to stdout. `false` where nobody reads any more.
pub fn write(text: &str) -> Result<bool, Failure> {
    out::result(text).map_err(|error| unwritten(&error))
}

/// Writes bytes to stdout as they are.
pub fn write_raw(bytes: &[u8]) -> Result<bool, Failure> {
    out::raw(bytes).map_err(|error| unwritten(&error))
}

fn unwritten(error: &std::io::Error) -> Failure {
    Failure::failed(format!("stdout cannot be written: {error}"))
}

/// Shows the history: so many promotions, or one page.
pub async fn history(
    function: &Function<'_>,
    command: &Command,
    most: Option<usize>,
    is_json: bool,
) -> Result<Exit, Failure> {
    let (mut after, mut shown): (Option<Value>, usize) = (None, 0);
    loop {
        let (bytes, said) = page(function, command, after.as_ref()).await?;
        let page: History = reported(command.action, said)?;
        let left = most.unwrap_or(usize::MAX).saturating_sub(shown);
        let entries: &[Entry] = &page.promotions[..left.min(page.promotions.len())];
        let is_read = if is_json {
            write_raw(&bytes)?
        } else {
            write(&show::history::page(entries, shown == 0, Timestamp::now()))?
        };
        shown += entries.len();
        let is_enough = most.is_none_or(|most| shown >= most);
        match page.next {
            Some(next) if !is_enough && is_read && after.as_ref() != Some(&next) => {
                after = Some(next);
            }
            Some(_) if most.is_none() && !is_json => {
                out::say("There is more: add --all");
                return Ok(Exit::Done);
            }
            Some(_) | None => return Ok(Exit::Done),
        }
    }
}

/// Reads the status of all apps, in pages; as JSON, it prints them. Also how many apps there was no
/// time for.
pub async fn statuses(
    function: &Function<'_>,
    command: &Command,
    is_json: bool,
) -> Result<(Vec<Said<Status>>, Option<u64>), Failure> {
    let (mut after, mut apps): (Option<Value>, Vec<Said<Status>>) = (None, Vec::new());
    loop {
        let (bytes, said) = page(function, command, after.as_ref()).await?;
        let page: Several<Said<Status>> = reported(command.action, said)?;
        let is_read = !is_json || write_raw(&bytes)?;
        apps.extend(page.results);
        match page.next {
            Some(next) if is_read && after.as_ref() != Some(&next) => after = Some(next),
            Some(_) | None => return Ok((apps, page.left)),
        }
    }
}

/// Shows what `check` finds. A problem is a failure.
pub async fn check(
    function: &Function<'_>,
    command: &Command,
    is_json: bool,
) -> Result<Exit, Failure> {
    let (mut after, mut problems): (Option<Value>, u64) = (None, 0);
    loop {
        let (bytes, said) = page::<Value>(function, command, after.as_ref()).await?;
        let unreadable =
            |error: serde_json::Error| mismatch::unreadable(command.action, &error.to_string());
        let page: Several<Checked> = if said.get("results").is_some() {
            serde_json::from_value(said).map_err(unreadable)?
        } else {
            let one = serde_json::from_value(said).map_err(unreadable)?;
            Several { results: vec![reported(command.action, one)?], next: None, left: None }
        };
        problems += page.results.iter().map(|own| own.problems).sum::<u64>();
        let is_read = if is_json {
            write_raw(&bytes)?
        } else {
            write(&page.results.iter().map(show::checked).collect::<String>())?
        };
        match page.next {
            Some(next) if after.as_ref() == Some(&next) => return Err(stuck()),
            Some(next) if is_read => after = Some(next),
            Some(_) | None => {
                return Ok(if problems == 0 { Exit::Done } else { Exit::Failed });
            }
        }
    }
}

/// Writes the records of an audit as they come.
pub async fn audit(function: &Function<'_>, command: &Command) -> Result<Exit, Failure> {
    let mut after: Option<Value> = None;
    loop {
        let command = command.clone().after(after.as_ref());
        let bytes = function.invoke(&command).await?;
        let page: Audit = match serde_json::from_slice(&bytes) {
            Ok(page) => page,
            Err(error) => match serde_json::from_slice(&bytes) {
                Ok(answer) => return Err(answered(command.action, &answer)),
                Err(_) => return Err(mismatch::unreadable(command.action, &error.to_string())),
            },
        };
        drop(bytes);
        for record in &page.records {
            if !write_raw(record.get().as_bytes())? {
                return Ok(Exit::Done);
            }
        }
        match page.next {
            Some(next) if after.as_ref() == Some(&next) => {
                return Err(stuck());
            }
            Some(next) => after = Some(next),
            None => return Ok(Exit::Done),
        }
    }
}
