//! The steps of a promotion: what is done, what is under way, what is to come, and where it failed.

use jiff::Timestamp;
use maud::{Markup, html};

use super::moment::{at, long, short, time};
use super::symbol::{Symbol, Tone};
use super::words::{LONG, list, prose};
use crate::model::approval::Vote;
use crate::model::bake::{Bake, WatchedAlarm, alarm_name};
use crate::model::config::App;
use crate::model::promotion::Promotion;
use crate::model::stack::{Phase, Stack, StackEvent, StackEvents};
use crate::model::verification::Verification;
use crate::text::plain;

/// How far a promotion has come.
pub(super) enum Reached<'a> {
    /// Its update was not sent: why, where known.
    Waits(Option<&'a str>),
    /// CloudFormation updates the stack: since when, and how far it is.
    Stack(Option<Timestamp>, Option<Markup>),
    /// ECS is asked whether it runs the image.
    Ecs(&'a Verification),
    /// Alarms are watched.
    Bake(&'a Bake),
    /// It runs, and nothing is to come.
    Done,
    /// It failed: when, why, and whether CloudFormation had finished.
    Failed(Option<Timestamp>, &'a str, bool),
}

/// One step.
pub(super) struct Step {
    state: StepState,
    words: Markup,
    when: Option<Markup>,
    more: Option<Markup>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum StepState {
    Done,
    Current,
    Failed,
    ToCome,
}

impl Step {
    fn done(words: Markup, when: Option<Markup>) -> Self {
        Self { state: StepState::Done, words, when, more: None }
    }

    fn current(words: Markup, when: Option<Markup>, more: Option<Markup>) -> Self {
        Self { state: StepState::Current, words, when, more }
    }

    fn to_come(words: Markup) -> Self {
        Self { state: StepState::ToCome, words, when: None, more: None }
    }

    fn draw(&self) -> Markup {
        let (class, symbol) = match self.state {
            StepState::Done => ("ok", Symbol::Ok.draw()),
            StepState::Current => ("cur move", Symbol::Move.spin()),
            StepState::Failed => ("bad", Symbol::Bad.draw()),
            StepState::ToCome => ("todo", Symbol::ToDo.draw()),
        };
        html! {
            li class=(class) {
                (symbol)
                span {
                    @match self.state {
                        StepState::Current => b { (self.words) },
                        StepState::Failed => b class="st" { (self.words) },
                        StepState::Done | StepState::ToCome => (self.words),
                    }
                }
                @if let Some(when) = &self.when { (when) }
                @if let Some(more) = &self.more { span class="more" { (more) } }
            }
        }
    }
}

/// The list of these steps.
pub(super) fn steps(steps: &[Step]) -> Markup {
    html! { ol class="steps" { @for step in steps { (step.draw()) } } }
}

/// The people who approved, in a row.
pub(super) fn who_approved(votes: &[Vote]) -> Option<String> {
    let names: Vec<&str> =
        votes.iter().filter(|vote| vote.approves).map(|vote| vote.by.as_str()).collect();
    (!names.is_empty()).then(|| list(names))
}

/// The step of those who decided.
pub(super) fn approved(votes: &[Vote], by: &str, decided: Timestamp, now: Timestamp) -> Step {
    let last = votes.iter().filter(|vote| vote.approves).map(|vote| vote.at).max();
    let words = match who_approved(votes) {
        Some(who) => format!("Approved by {who}"),
        None => format!("Asked for by {by}"),
    };
    Step::done(prose(&words, LONG), Some(at(last.unwrap_or(decided), now)))
}

/// All steps of a promotion.
pub(super) fn of_promotion(
    app: &App,
    own: &Promotion,
    reached: &Reached<'_>,
    now: Timestamp,
) -> Vec<Step> {
    let mut steps = vec![approved(&own.votes, &own.by, own.at, now)];
    if let Some(sent) = own.sent_at.filter(|_| !matches!(reached, Reached::Waits(_))) {
        steps.push(Step::done(html! { "Tagged, the same digest" }, Some(at(sent, now))));
    }
    steps.extend(rest(app, reached, own.sent_at, own.rolls_back.is_some(), now));
    steps
}

/// The steps after the decision.
pub(super) fn rest(
    app: &App,
    reached: &Reached<'_>,
    sent: Option<Timestamp>,
    is_way_back: bool,
    now: Timestamp,
) -> Vec<Step> {
    let mut steps = vec![cloudformation(reached, sent, now)];
    if app.config.verify.minutes.is_some() {
        steps.extend(ecs(reached, now));
    }
    if !is_way_back {
        steps.extend(bake(app, reached, now));
    }
    steps
}

fn cloudformation(reached: &Reached<'_>, sent: Option<Timestamp>, now: Timestamp) -> Step {
    let elapsed = |from: Timestamp, to: Timestamp| long(to.duration_since(from));
    match reached {
        Reached::Waits(reason) => {
            let more = reason.filter(|reason| !reason.is_empty());
            let more = more.map(|reason| html! { small { (prose(reason, LONG)) } });
            Step::current(html! { "Waits for its turn" }, None, more)
        }
        Reached::Stack(since, progress) => {
            let when = since.map(|since| time(since, &elapsed(since, now)));
            Step::current(html! { "CloudFormation updates the stack" }, when, progress.clone())
        }
        Reached::Ecs(Verification { since: done, .. }) => {
            let words = match sent {
                Some(sent) => format!("CloudFormation finished after {}", elapsed(sent, *done)),
                None => "CloudFormation finished".to_owned(),
            };
            Step::done(html! { (words) }, Some(at(*done, now)))
        }
        Reached::Bake(_) | Reached::Done | Reached::Failed(_, _, true) => {
            Step::done(html! { "CloudFormation finished" }, None)
        }
        Reached::Failed(ended, why, false) => Step {
            state: StepState::Failed,
            words: match sent.zip(*ended) {
                Some((sent, ended)) => {
                    html! { "CloudFormation did not finish it, " (elapsed(sent, ended)) }
                }
                None => html! { "CloudFormation did not finish it" },
            },
            when: ended.map(|ended| at(ended, now)),
            more: Some(prose(why, LONG)),
        },
    }
}

fn ecs(reached: &Reached<'_>, now: Timestamp) -> Option<Step> {
    Some(match reached {
        Reached::Waits(_) | Reached::Stack(..) => Step::to_come(html! { "ECS: all tasks run it" }),
        Reached::Ecs(verification) => verifying(verification, now),
        Reached::Bake(_) | Reached::Done => Step::done(html! { "ECS was asked" }, None),
        Reached::Failed(ended, why, true) => Step {
            state: StepState::Failed,
            words: html! { "ECS did not come to run it" },
            when: ended.map(|ended| at(ended, now)),
            more: Some(prose(why, LONG)),
        },
        Reached::Failed(_, _, false) => Step::to_come(html! { "ECS and bake were not reached" }),
    })
}

/// How far ECS is: tasks, traffic, and until when it may take.
fn verifying(verification: &Verification, now: Timestamp) -> Step {
    let tasks = verification.tasks();
    let words = match tasks {
        Some((own, all)) => format!("ECS: {own} of {all} tasks run it"),
        None => "ECS is getting there".to_owned(),
    };
    let more = html! {
        @if let Some((own, all)) = tasks { (bar(own, all, "Tasks that run it")) }
        small {
            (prose(&verification.words(), LONG)) ". "
            @if verification.lasts_since.is_some() {
                "A traffic shift or a bake of ECS may last."
            } @else {
                "Must be done by " (at(verification.until, now)) ", else it counts as failed."
            }
        }
    };
    let elapsed = short(now.duration_since(verification.since));
    Step::current(html! { (words) }, Some(time(verification.since, &elapsed)), Some(more))
}

fn bake(app: &App, reached: &Reached<'_>, now: Timestamp) -> Option<Step> {
    let rule = app.config.bake.as_ref()?;
    let names: Vec<&str> = rule.alarms.iter().map(|alarm| alarm_name(alarm)).collect();
    let words = format!("Bake {} min, watching {}", rule.minutes, list(names));
    Some(match reached {
        Reached::Waits(_) | Reached::Stack(..) | Reached::Ecs(_) => {
            Step::to_come(prose(&words, LONG))
        }
        Reached::Bake(bake) => {
            let until = html! { "until " (at(bake.until, now)) };
            Step::current(prose(&words, LONG), Some(until), Some(alarm_lines(bake)))
        }
        Reached::Done => Step::done(prose(&words, LONG), None),
        Reached::Failed(_, _, false) => return None,
        Reached::Failed(_, _, true) => Step::to_come(html! { "The bake was not reached" }),
    })
}

/// Each alarm of a bake with its state, as lines of a step.
fn alarm_lines(bake: &Bake) -> Markup {
    html! {
        @for alarm in &bake.alarms {
            @let (tone, symbol, words) = alarm_words(bake, alarm);
            span class=(tone.class()) { (symbol.draw()) } " " (words) br;
        }
    }
}

/// Each alarm of a bake with its state.
pub(super) fn alarms(bake: &Bake) -> Markup {
    html! {
        ul class="facts box" {
            @for alarm in &bake.alarms {
                @let (tone, symbol, words) = alarm_words(bake, alarm);
                li class=(tone.class()) { (symbol.draw()) span { (words) } }
            }
        }
    }
}

fn alarm_words(bake: &Bake, alarm: &WatchedAlarm) -> (Tone, Symbol, Markup) {
    let (tone, symbol, words) = match alarm.state.as_deref() {
        Some("OK") => (Tone::Ok, Symbol::Ok, "quiet"),
        Some("ALARM") if bake.told.contains(&alarm.name) => (
            Tone::None,
            Symbol::Bake,
            "in alarm since before it was deployed, so it does not count",
        ),
        Some("ALARM") => (Tone::Bad, Symbol::Bad, "in alarm"),
        Some(_) => (Tone::None, Symbol::None, "has no data yet"),
        None => (Tone::Bad, Symbol::Error, "does not exist"),
    };
    (tone, symbol, html! { b { (plain(&alarm.name, LONG)) } " " (words) })
}

/// How far CloudFormation is with the resources of a busy stack.
pub(super) fn progress(stack: Option<&Stack>, events: Option<&StackEvents>) -> Option<Markup> {
    let stack = stack.filter(|stack| stack.phase() == Phase::Busy)?;
    let counts = events.and_then(StackEvents::progress).filter(|(begun, _)| *begun > 0);
    let last = events.and_then(|events| events.list.iter().find(|event| !event.is_stack));
    let is_going_back = stack.status.contains("ROLLBACK");
    Some(html! {
        @if let Some((begun, done)) = counts { (bar(done, begun, "Resources done")) }
        small {
            @if is_going_back { "CloudFormation goes back. " }
            @if let Some((begun, done)) = counts {
                (done) " of " (begun) " resources done so far. "
            }
            @if let Some(last) = last { (last_event(last)) }
        }
    })
}

fn last_event(last: &StackEvent) -> Markup {
    let reason = last.reason.as_deref().filter(|reason| !reason.is_empty());
    html! {
        "Last: " (plain(&last.resource, LONG)) ", " (in_words(&last.status))
        @if let Some(reason) = reason { ": " (prose(reason, LONG)) }
        "."
    }
}

/// A status of CloudFormation in small letters: `update in progress`.
fn in_words(status: &str) -> String {
    status.to_lowercase().replace('_', " ")
}

fn bar<N: std::fmt::Display>(value: N, most: N, label: &str) -> Markup {
    html! {
        progress value=(value) max=(most) aria-label=(label) { (value) " of " (most) }
    }
}
