//! Judges an app by its configuration and its state.

use jiff::Timestamp;

use super::kind::{Condition, Kind};
use crate::model::answer::Outcome;
use crate::model::approval::Progress;
use crate::model::config::App;
use crate::model::ecs::known::{KnownService, KnownServices};
use crate::model::ecs::name_of;
use crate::model::promotion::{End, Promotion};
use crate::model::soaking::Soaking;
use crate::model::state::State;
use crate::page::commits::Named;
use crate::page::moment::{clock, long};

/// What an app is judged by.
struct Case<'a> {
    app: &'a App,
    state: &'a State,
    now: Timestamp,
}

/// Judges an app. Of several conditions it has the one that needs somebody most. `Err` says why the
/// configuration cannot be used, or why the state cannot be read.
pub(in crate::page) fn of(
    app: Result<&App, &str>,
    state: Result<Option<&State>, &str>,
    now: Timestamp,
) -> Condition {
    let (app, state) = match (app, state) {
        (Err(problem), _) => return unusable("Configuration error", problem),
        (Ok(_), Err(problem)) => return unusable("Cannot be read", problem),
        (Ok(app), Ok(state)) => (app, state),
    };
    let Some(state) = state else { return unseen() };
    let case = Case { app, state, now };
    let guards = [
        Case::failed,
        Case::alarm,
        Case::blocked,
        Case::trouble,
        Case::elsewhere,
        Case::asked,
        Case::updating,
        Case::verifying,
        Case::baking,
        Case::queued,
        Case::held,
        Case::soaking,
        Case::running,
    ];
    guards.iter().find_map(|guard| guard(&case)).unwrap_or_else(unseen)
}

/// The image that runs. While a promotion is verified, the one before it counts: the new one is
/// still on its way.
pub(in crate::page) fn runs(state: &State) -> Option<Named> {
    let note = |digest| state.candidates.of(digest).map(|candidate| &candidate.note);
    if let Some(verifying) = &state.verifying {
        let own = &verifying.promotion;
        let digest = own.previous_digest.as_ref();
        let note = digest.and_then(note);
        return Some(Named::new(own.previous_commit.as_ref(), digest, &own.previous_tag, note));
    }
    let running = state.running.as_ref()?;
    let digest = running.digest.as_ref();
    let note = running.note.as_ref().or_else(|| digest.and_then(note));
    Some(Named::new(running.commit.as_ref(), digest, &running.tag, note))
}

/// The image that must run in the stage before for longer. What runs here already does not count,
/// nor does a stage that is no longer configured.
pub(in crate::page) fn soaks<'a>(app: &App, state: &'a State) -> Option<&'a Soaking> {
    let after = app.config.after.as_ref()?;
    let stage = state.stage.as_ref().filter(|stage| stage.after == after.app)?;
    let soaking = stage.soaking.as_ref()?;
    let runs = state.running.as_ref().and_then(|running| running.digest.as_ref());
    (runs != Some(&soaking.digest)).then_some(soaking)
}

fn soaked(soaking: &Soaking) -> Named {
    Named::new(soaking.commit.as_ref(), Some(&soaking.digest), "", None)
}

fn unusable(words: &str, problem: &str) -> Condition {
    Condition {
        reason: Some(problem.to_owned()),
        ..Condition::new(Kind::Unusable, words.to_owned())
    }
}

fn unseen() -> Condition {
    let reason = "The first look comes within an hour".to_owned();
    let words = "Never looked at".to_owned();
    Condition { reason: Some(reason), ..Condition::new(Kind::Unseen, words) }
}

impl Condition {
    fn new(kind: Kind, words: String) -> Self {
        Self { kind, words, reason: None, runs: None, next: None, since: None, until: None }
    }
}

impl Case<'_> {
    fn condition(&self, kind: Kind, words: impl Into<String>) -> Condition {
        Condition { runs: runs(self.state), ..Condition::new(kind, words.into()) }
    }

    fn promoted(&self, own: &Promotion) -> Named {
        let seen = self.state.candidates.of(&own.digest).map(|candidate| &candidate.note);
        let note = own.note.as_ref().or(seen);
        Named::new(own.commit.as_ref(), Some(&own.digest), own.tag.as_str(), note)
    }

    /// The last promotion failed, and nothing has taken its place since.
    fn failed(&self) -> Option<Condition> {
        let state = self.state;
        let last = state.recent.last().filter(|last| last.end == End::Failed)?;
        let is_replaced = state.request.as_ref().is_some_and(|request| {
            request.progress == Progress::Pending && request.digest != last.digest
        });
        if is_replaced || !state.open.is_empty() || state.verifying.is_some() {
            return None;
        }
        let seen = state.candidates.of(&last.digest).map(|candidate| &candidate.note);
        let next = Named::new(last.commit.as_ref(), Some(&last.digest), last.tag.as_str(), seen);
        Some(Condition {
            reason: Some(last.reason.clone()),
            next: Some(next),
            since: last.at,
            ..self.condition(Kind::Failed, "Failed")
        })
    }

    /// An alarm holds the app, or is on while the stack is busy.
    fn alarm(&self) -> Option<Condition> {
        let held =
            self.state.hold.as_ref().filter(|hold| hold.is_by_alarm() && !hold.is_way_back());
        let on =
            self.state.bake.iter().flat_map(|bake| bake.counted().map(move |alarm| (bake, alarm)));
        let on = on.into_iter().next();
        let (reason, since) = match (held, on) {
            (Some(hold), _) => (hold.reason.clone(), hold.at),
            (None, Some((bake, alarm))) => (format!("`{}` is on", alarm.name), bake.since),
            (None, None) => return None,
        };
        Some(Condition {
            reason: Some(reason),
            since: Some(since),
            ..self.condition(Kind::Alarm, "Alarm while baking")
        })
    }

    fn blocked(&self) -> Option<Condition> {
        let waiting = self.state.waiting.as_ref();
        let waiting = waiting.filter(|waiting| waiting.outcome == Outcome::Blocked)?;
        Some(Condition {
            reason: Some(waiting.reason.clone()),
            since: Some(waiting.since),
            ..self.condition(Kind::Blocked, "Blocked")
        })
    }

    fn trouble(&self) -> Option<Condition> {
        let reason = Some(self.state.trouble.clone()?);
        Some(Condition { reason, ..self.condition(Kind::Unusable, "Cannot be checked") })
    }

    fn elsewhere(&self) -> Option<Condition> {
        if !self.state.runs_elsewhere() {
            return None;
        }
        let words = |known: &KnownService| {
            let digest = known.digest.as_ref().map_or("none", |digest| digest.short());
            format!("ECS service `{}` runs image `{digest}`", name_of(&known.arn))
        };
        let elsewhere = self.state.services.iter().flat_map(KnownServices::elsewhere);
        let reason = elsewhere.map(words).collect::<Vec<_>>().join(", ");
        let condition = self.condition(Kind::Elsewhere, "Another image runs");
        Some(Condition { reason: Some(reason), ..condition })
    }

    /// People are asked, or were asked and did not decide.
    fn asked(&self) -> Option<Condition> {
        let request = self.state.request.as_ref()?;
        let is_over = request.progress == Progress::Expired || request.has_expired(self.now);
        let (kind, words, since) = if is_over {
            let hours = request.expires_at.duration_since(request.at).as_hours();
            (Kind::Expired, format!("Nobody decided in {hours} h"), request.expires_at)
        } else if request.progress == Progress::Pending {
            let policy = request.policy(self.app.policy());
            let words = match policy.required {
                ..=1 => "Waits for approval".to_owned(),
                need => {
                    format!("Waits for approval, {} of {need}", request.approvers(&policy).len())
                }
            };
            (Kind::Waits, words, request.at)
        } else {
            return None;
        };
        let tag = request.tag.as_ref().map_or("", |tag| tag.as_str());
        let seen = self.state.candidates.of(&request.digest).map(|candidate| &candidate.note);
        let note = request.note.as_ref().or(seen);
        let next = Named::new(request.commit.as_ref(), Some(&request.digest), tag, note);
        let condition = self.condition(kind, words);
        Some(Condition { next: Some(next), since: Some(since), ..condition })
    }

    fn updating(&self) -> Option<Condition> {
        let is_sent = |open: &&Promotion| open.sent_at.is_some() || open.accepted_at.is_some();
        let open = self.state.open.iter().find(is_sent)?;
        let since = open.sent_at.or(open.accepted_at).unwrap_or(open.at);
        let what = match (&open.cancelled_by, &open.rolls_back) {
            (Some(_), _) => "Cancelling",
            (None, Some(_)) => "Rolling back",
            (None, None) => "Updating",
        };
        let words = format!("{what}, {}", long(self.now.duration_since(since)));
        Some(Condition {
            next: Some(self.promoted(open)),
            since: Some(since),
            ..self.condition(Kind::Updating, words)
        })
    }

    fn verifying(&self) -> Option<Condition> {
        let verifying = self.state.verifying.as_ref()?;
        let words = match verifying.tasks() {
            Some((own, all)) => format!("Verifying, {own} of {all} tasks"),
            None => "Verifying".to_owned(),
        };
        Some(Condition {
            next: Some(self.promoted(&verifying.promotion)),
            since: Some(verifying.since),
            ..self.condition(Kind::Verifying, words)
        })
    }

    fn baking(&self) -> Option<Condition> {
        let bake = self.state.bake.as_ref()?;
        let words = format!("Baking until {}", clock(bake.until, self.now));
        let alarms = bake.alarms.iter();
        let quiet = alarms.filter(|alarm| alarm.state.as_deref() == Some("OK")).count();
        let reason = match (quiet, bake.alarms.len()) {
            (_, 0) => None,
            (quiet, all) if quiet == all && all == 1 => Some("1 alarm quiet".to_owned()),
            (quiet, all) if quiet == all => Some(format!("{all} alarms quiet")),
            (quiet, all) => Some(format!("{quiet} of {all} alarms quiet")),
        };
        Some(Condition {
            reason,
            since: Some(bake.since),
            until: Some(bake.until),
            ..self.condition(Kind::Baking, words)
        })
    }

    /// It waits for the stack, or for its turn.
    fn queued(&self) -> Option<Condition> {
        let state = self.state;
        let asked = state.request.as_ref().filter(|request| request.may_go());
        let waiting = state.waiting.as_ref();
        let open = state.open.first();
        let since = match (waiting, open, asked) {
            (Some(waiting), _, _) => waiting.since,
            (None, Some(open), _) => open.at,
            (None, None, Some(request)) => request.votes.last().map_or(request.at, |vote| vote.at),
            (None, None, None) => return None,
        };
        let reason = waiting.map(|waiting| waiting.reason.clone());
        let reason = reason.filter(|reason| !reason.is_empty());
        let next = open.map(|open| self.promoted(open)).or_else(|| {
            let tag = asked?.tag.as_ref().map_or("", |tag| tag.as_str());
            let note = asked?.note.as_ref();
            Some(Named::new(asked?.commit.as_ref(), Some(&asked?.digest), tag, note))
        });
        let condition = self.condition(Kind::Queued, "Queued");
        Some(Condition { reason, next, since: Some(since), ..condition })
    }

    fn held(&self) -> Option<Condition> {
        let hold = self.state.hold.as_ref()?;
        let (kind, words, reason) = if hold.is_way_back() {
            (Kind::RolledBack, format!("Rolled back by {}", hold.by), hold.why_back())
        } else {
            (Kind::Held, format!("Held by {}", hold.by), Some(hold.reason.as_str()))
        };
        Some(Condition {
            reason: reason.map(str::to_owned),
            next: self.soaks().map(soaked),
            since: Some(hold.at),
            ..self.condition(kind, words)
        })
    }

    fn soaks(&self) -> Option<&Soaking> {
        soaks(self.app, self.state)
    }

    /// An image runs in the stage before, and must do so for longer. It goes on by itself, so what
    /// a person stopped is told first.
    fn soaking(&self) -> Option<Condition> {
        let soaking = self.soaks()?;
        let until = clock(soaking.until, self.now);
        let is_over = soaking.until <= self.now;
        let words = match (&self.app.config.after, soaking.is_baking) {
            (Some(after), true) => format!("Bakes in {} until {until}", after.app),
            (_, _) if is_over => "Soaked".to_owned(),
            (_, _) => format!("Soaking until {until}"),
        };
        Some(Condition {
            reason: is_over.then(|| "the next look comes within five minutes".to_owned()),
            next: Some(soaked(soaking)),
            until: Some(soaking.until),
            ..self.condition(Kind::Soaking, words)
        })
    }

    fn running(&self) -> Option<Condition> {
        let running = self.state.running.as_ref()?;
        Some(Condition { since: running.since, ..self.condition(Kind::Running, "Running") })
    }
}

#[cfg(test)]
mod tests;
