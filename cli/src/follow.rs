//! `--watch`: asks for the status again and again, until a promotion has ended.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub mod judge;
pub mod live;
pub mod target;

use crate::answer::{History, Said, Status};
use crate::cloud::function::Function;
use crate::command::Command;
use crate::exit::Exit;
use crate::exit::failure::Failure;
use crate::mismatch;
use live::Live;
use target::{End, Look, Stage, Target};

/// The time between two looks, at first and later.
const SOON: Duration = Duration::from_secs(2);
const LATER: Duration = Duration::from_secs(5);
/// For how long it looks that often.
const OFTEN: Duration = Duration::from_secs(60);
/// How often the live line is written.
const TICK: Duration = Duration::from_secs(1);
/// How many looks in a row may fail.
const FAILED_LOOKS: u32 = 10;

/// What was followed, and how it ended.
pub struct Followed {
    /// The end.
    pub end: End,
    /// The promotion, as far as it became known.
    pub target: Target,
    /// The last stage that was seen.
    pub stage: &'static str,
    /// The last status.
    pub status: Value,
}

/// Follows a promotion of an app.
pub async fn follow(
    function: &Function<'_>,
    app: &str,
    mut target: Target,
    timeout: SignedDuration,
) -> Result<Followed, Failure> {
    let began = Instant::now();
    let timeout = Duration::try_from(timeout).unwrap_or(Duration::MAX);
    let mut live = Live::new();
    let (mut failed, mut status, mut stage) = (0, Value::Null, "waiting");
    let mut words = format!("looks at {app}");
    loop {
        live.show(&words, began.elapsed());
        let left = timeout.saturating_sub(began.elapsed());
        let Ok(looked) = tokio::time::timeout(left, look(function, app, &mut target)).await else {
            let end = timed_out(&target, app, &words, timeout);
            return Ok(Followed { end, target, stage, status });
        };
        match looked {
            Ok((seen, Look::Ended(end))) => {
                return Ok(Followed { end, target, stage, status: seen });
            }
            Ok((seen, Look::GoesOn(Stage { word, words: now }))) => {
                (failed, status, stage) = (0, seen, word);
                let tag = target.tag.as_deref().map(crate::show::short_tag).unwrap_or_default();
                words = format!("{app} {tag}  {now}");
            }
            Ok((seen, Look::NeedsHistory)) => status = seen,
            Err(failure) => {
                failed += 1;
                if !failure.may_pass {
                    return Err(failure);
                }
                if failed >= FAILED_LOOKS {
                    let words = format!("{failure}. The promotion goes on: {}", again(app));
                    return Err(Failure { words, ..failure });
                }
                words = format!("{app}: tries again: {failure}");
            }
        }
        pause(&mut live, &words, began, timeout).await;
    }
}

/// Says how to follow it again.
pub fn again(app: &str) -> String {
    format!("promote status {app} --watch")
}

/// Waits for the next look, while the live line goes on.
async fn pause(live: &mut Live, words: &str, began: Instant, timeout: Duration) {
    let between = if began.elapsed() < OFTEN { SOON } else { LATER };
    // Many who follow at once do not look at the same moment.
    let between = between.mul_f64(fastrand::f64().mul_add(0.4, 0.8));
    let until = Instant::now() + between.min(timeout.saturating_sub(began.elapsed()));
    live.show(words, began.elapsed());
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(if live.ticks() { left.min(TICK) } else { left }).await;
        if live.ticks() {
            live.show(words, began.elapsed());
        }
    }
}

/// Looks once: at the status, and at the history if that does not show the promotion.
async fn look(
    function: &Function<'_>,
    app: &str,
    target: &mut Target,
) -> Result<(Value, Look), Failure> {
    let command = Command::new("status").with("app", Some(app));
    let bytes = function.invoke(&command).await?;
    let (raw, status): (Value, Status) = read("status", &bytes)?;
    let now = Timestamp::now();
    let look = judge::by_status(target, &status, now);
    if look != Look::NeedsHistory {
        return Ok((raw, look));
    }
    let command = Command::new("history").with("app", Some(app));
    let bytes = function.invoke(&command).await?;
    let (_, history): (Value, History) = read("history", &bytes)?;
    Ok((raw, judge::by_history(target, &status, &history.promotions, now)))
}

/// Reads a report, as it is and as far as it is known.
fn read<T: serde::de::DeserializeOwned>(action: &str, bytes: &[u8]) -> Result<(Value, T), Failure> {
    let unreadable = |error: serde_json::Error| mismatch::unreadable(action, &error.to_string());
    let raw: Value = serde_json::from_slice(bytes).map_err(unreadable)?;
    match serde_json::from_value(raw.clone()).map_err(unreadable)? {
        Said::Report(report) => Ok((raw, report)),
        Said::Answer(answer) => {
            Err(Failure::passing(format!("`{action}` was {}: {}", answer.outcome, answer.reason)))
        }
    }
}

fn timed_out(target: &Target, app: &str, last: &str, timeout: Duration) -> End {
    let time =
        SignedDuration::try_from(timeout).map(crate::text::moment::length).unwrap_or_default();
    let what = target.tag.as_deref().map(crate::show::short_tag);
    let what = what.unwrap_or_else(|| "the promotion".to_owned());
    End {
        exit: Exit::TimedOut,
        outcome: "timed_out".to_owned(),
        words: format!(
            "timed out: {what} has not ended after {time} ({last}). It goes on. Follow it: {}",
            again(app)
        ),
        took: None,
    }
}

impl Followed {
    /// The object that `--json --watch` prints.
    pub fn json(&self, app: &str) -> Value {
        json!({
            "action": "watch",
            "app": app,
            "outcome": self.end.outcome,
            "exit": self.end.exit.code(),
            "words": self.end.words,
            "stage": self.stage,
            "token": self.target.token,
            "digest": self.target.digest,
            "tag": self.target.tag,
            "took_seconds": self.end.took.map(|took| took.as_secs()),
            "status": self.status,
        })
    }
}
