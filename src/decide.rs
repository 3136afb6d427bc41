//! The decision: what a trigger leads to, given what was just seen. Pure and total: no I/O, no
//! clock, no AWS types.
//!
//! Every look goes the same way: *settle* what ended since the last one, then go on with what a
//! person wanted, then with the newest image. What is missing for a decision is asked for
//! ([`Step::Read`]) and the decision is made anew.

mod approval;
mod change_set;
mod draft;
pub mod known_apps;
mod orders;
mod promotion;
mod report;
mod rights;
mod rollback;
mod settle;

pub use self::approval::{identity_objection, slack_objection};
use self::draft::{Draft, tell_and_mark};
use self::promotion::Wanted;
use std::collections::BTreeSet;

use crate::model::answer::{Answer, Outcome, Reply};
use crate::model::command::{Act, Choice, Command, ImageRef, Via};
use crate::model::config::{App, ConfigError};
use crate::model::image::Tags;
use crate::model::limits::kept_reason;
use crate::model::stack::{Phase, Stack};
use crate::model::state::CommandRecord;
use crate::model::{Commit, Digest};
use crate::text::nearest::did_you_mean;
use crate::world::action::Action;
use crate::world::snapshot::{Matches, Question, Snapshot};

/// How many images a refusal lists at most.
const MOST_LISTED: usize = 10;

/// Why an app is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// This image got the source tag.
    Pushed(Digest),
    /// Its stack changed, or it is time to look: this caused it.
    Due(&'static str),
    /// Somebody wants something.
    Command(Command),
}

/// What DescribeStacks answers in place of the value of a `NoEcho` parameter.
const NO_ECHO: &str = "****";

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// This must be read first.
    Read(Question),
    /// What was seen does not fit together (it changed between two reads): look anew.
    LookAgain,
    /// Carry this out, and then look anew.
    Prepare(Vec<Vec<Action>>),
    /// Carry this out.
    Do(Plan),
    /// The configuration cannot be used: say so, and fail.
    Misconfigured(ConfigError, Vec<Vec<Action>>),
}

/// What to do, and what to answer once it is done.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Actions in order; those of one stage run side by side.
    pub stages: Vec<Vec<Action>>,
    /// The answer.
    pub reply: Reply,
}

/// Decides.
pub fn decide(app: &App, trigger: &Trigger, seen: &Snapshot) -> Step {
    steps(app, trigger, seen).unwrap_or_else(|step| step)
}

/// `Err` ends a decision early: `?` reads as "unless something comes first".
type Decided<T = Step> = Result<T, Step>;

fn steps(app: &App, trigger: &Trigger, seen: &Snapshot) -> Decided {
    if let Trigger::Command(Command { act: Act::History, .. }) = trigger {
        return report::history(app, seen);
    }
    // Somebody who may not command an app changes nothing of it. Even a look could change
    // something.
    if let Trigger::Command(command) = trigger
        && let Some(objection) =
            command.slack.as_ref().and_then(|origin| slack_objection(app, origin, &command.by))
        && !matches!(command.act, Act::Status | Act::Plan(_) | Act::Reconcile)
    {
        let answer = Answer {
            outcome: Outcome::Refused,
            ..Answer::ignored(Some(app.repository.clone()), objection)
        };
        return Ok(Step::Do(Plan { stages: Vec::new(), reply: answer.into() }));
    }
    let (stack, tags) = usable(app, seen).map_err(|error| {
        Step::Misconfigured(error.clone(), orders::told_once(app, trigger, seen, &error))
    })?;
    // The sandbox's configuration may be a minute old. Only a newer read tells whether the app has
    // really moved.
    if seen.state.as_ref().is_some_and(|state| !draft::is_about(state, app, stack))
        && !seen.is_configuration_newer
    {
        return Err(Step::Read(Question::Configuration));
    }
    match trigger {
        Trigger::Pushed(digest) if seen.newest.as_ref() != Some(digest) => {
            // Nothing is even looked at: the newer push has its own event.
            let mut draft = Draft::new(app, seen, stack, tags);
            let newest =
                seen.newest.as_ref().map_or("nothing".to_owned(), |d| d.short().to_owned());
            let reason = format!(
                "`{}` is on {newest} now, not on {}",
                app.config.source_tag,
                digest.short()
            );
            draft.subject.digest = Some(digest.clone());
            Ok(draft.nothing(Outcome::Superseded, reason))
        }
        Trigger::Pushed(digest) => {
            let by = format!("push of `{}`", app.config.source_tag);
            let mut draft = settle::settle(app, seen, stack, tags, true)?;
            draft.state.first_seen = None;
            draft.go_on(digest, &by, Via::Push)
        }
        Trigger::Due(cause) => look(settle::settle(app, seen, stack, tags, false)?, cause),
        Trigger::Command(command) => {
            let draft = || settle::settle(app, seen, stack, tags, false);
            match &command.act {
                Act::Status => return report::status(&draft()?),
                Act::History => return report::history(app, seen),
                Act::Reconcile => return look(draft()?, &command.by),
                Act::Plan(image) => {
                    let draft = Draft { is_plan: true, ..draft()? };
                    return report::plan(
                        app,
                        seen,
                        promote(draft, command, image.as_ref()).unwrap_or_else(|step| step),
                    );
                }
                Act::Promote(_) | Act::Rollback(_) | Act::Cancel | Act::Hold(_) | Act::Resume => {}
                Act::Approve(_)
                | Act::Reject(_)
                | Act::Ask
                | Act::AskAgain(_)
                | Act::RollBackFrom(_) => {}
            }
            if let Some(other) = seen
                .command
                .as_ref()
                .and_then(|record| record.what.as_ref())
                .filter(|its| **its != what(command))
            {
                let reason = format!(
                    "the id `{}` was given to another command before: `{other}`. Give each \
                     command its own",
                    command.id
                );
                return Ok(draft()?.refused(&reason));
            }
            if let Some(record) = &seen.command {
                return carried_out_before(draft()?, record);
            }
            let draft = new_command(draft()?, command)?;
            match &command.act {
                Act::Promote(image) if command.slack.is_some() => {
                    vote(draft, command, image.as_ref())
                }
                Act::Promote(image) => promote(draft, command, image.as_ref()),
                Act::Approve(choice) | Act::Reject(choice) => decide_on(draft, command, choice),
                Act::Ask => draft.ask_on_purpose(command),
                Act::AskAgain(digest) => draft.ask_again(command, digest),
                Act::RollBackFrom(digest) => rollback::rollback_from(draft, command, digest),
                Act::Rollback(image) => rollback::rollback(draft, command, image.as_ref()),
                Act::Cancel => orders::cancel(draft, command),
                Act::Hold(reason) => Ok(orders::hold(draft, command, reason)),
                Act::Resume => Ok(orders::resume(draft, command)),
                Act::Status | Act::History | Act::Reconcile | Act::Plan(_) => {
                    Ok(draft.refused("it changes nothing"))
                }
            }
        }
    }
}

/// A look that nobody's image caused: what ended is closed, and the newest image is considered. At
/// the first sight of an app only what runs is taken note of: what was there before may have been
/// left out of production on purpose.
fn look(mut draft: Draft<'_>, by: &str) -> Decided {
    draft.is_look = true;
    let newest = draft.seen.newest.clone();
    if draft.is_first_sight {
        draft.state.first_seen = newest;
        draft.is_worth_keeping = true;
        return Ok(draft.nothing(
            Outcome::Unchanged,
            "seen for the first time: what runs is taken note of, and nothing is promoted"
                .to_owned(),
        ));
    }
    match newest {
        Some(newest) => draft.go_on(&newest, by, Via::Schedule),
        None => {
            // What was begun needs no candidate.
            let mut draft = draft.carry_on()?;
            if draft.is_stray {
                return draft.undo();
            }
            draft.state.waiting = None;
            Ok(draft.nothing(
                Outcome::Unchanged,
                format!("no image has the tag `{}`", draft.app.config.source_tag),
            ))
        }
    }
}

/// A command that has not been carried out: from here on, each answer is kept with its id.
fn new_command<'a>(mut draft: Draft<'a>, command: &Command) -> Decided<Draft<'a>> {
    draft.command = Some(CommandRecord {
        id: command.id.clone(),
        at: draft.now,
        what: Some(what(command)),
        token: None,
        answer: None,
    });
    if draft.is_first_sight {
        // The schedule leaves alone what was there before, whoever looked first.
        draft.state.first_seen.clone_from(&draft.seen.newest);
    }
    if command.is_stale(draft.now) {
        return Err(draft.refused(
            "it was sent more than 15 minutes ago and names no image: what it means may be \
             another by now. Send it again, or name the commit",
        ));
    }
    Ok(draft)
}

/// The stack and the repository, if the one can be promoted to and the other exists.
fn usable<'a>(app: &App, seen: &'a Snapshot) -> Result<(&'a Stack, &'a Tags), ConfigError> {
    let config = &app.config;
    let Some(tags) = &seen.tags else {
        return Err(app.whole(format!(
            "the ECR repository `{}` does not exist in this account and region",
            app.repository
        )));
    };
    let Some(stack) = seen.stack.as_ref().filter(|stack| stack.phase() != Phase::Gone) else {
        return Err(app.error(
            "stack",
            format!("stack `{}` does not exist in this account and region", config.stack),
        ));
    };
    if let Some(parent) = &stack.parent {
        return Err(app.error(
            "stack",
            format!(
                "`{}` is a nested stack; expected its root stack (it is part of {parent})",
                config.stack
            ),
        ));
    }
    if stack.value(&config.parameter) == Some(NO_ECHO) {
        let problem = format!(
            "`{}` of stack `{}` has `NoEcho: true`, so that nobody can see what runs; expected a \
             parameter whose value can be read: \
             remove `NoEcho` from it in the template",
            config.parameter, config.stack
        );
        return Err(app.error("parameter", problem));
    }
    if stack.value(&config.parameter).is_none() {
        let has = stack.parameters.iter().map(|p| p.key.as_str()).collect::<Vec<_>>().join(", ");
        let problem = format!(
            "stack `{}` has no parameter `{}`; expected one of those it has: {has}",
            config.stack, config.parameter
        );
        return Err(app.error("parameter", problem));
    }
    Ok((stack, tags))
}

/// `promote`: the break-glass. Whoever may publish or invoke may do this, in every mode.
fn promote(draft: Draft<'_>, command: &Command, image: Option<&ImageRef>) -> Decided {
    match named(&draft, image)? {
        Ok(digest) => draft.go(&digest, &Wanted { is_choice: true, ..Wanted::by_command(command) }),
        Err(reason) => Ok(draft.refused(&reason)),
    }
}

/// `promote` by a person in Slack: a vote for the newest. Another image is one person's choice,
/// where one person may choose.
fn vote(draft: Draft<'_>, command: &Command, image: Option<&ImageRef>) -> Decided {
    if draft.is_candidate(image)? {
        let Some(newest) = draft.seen.newest.clone() else {
            return Ok(draft.refused("there is no candidate"));
        };
        if let Some(objection) = draft.identity_objection(command) {
            return Ok(draft.refused(objection));
        }
        return draft.approve(command, &newest, true);
    }
    promote(draft, command, image)
}

/// `approve` and `reject`.
fn decide_on(mut draft: Draft<'_>, command: &Command, choice: &Choice) -> Decided {
    if let Some(objection) = draft.identity_objection(command) {
        return Ok(draft.refused(objection));
    }
    let digest = draft.chosen(command, choice)?;
    if matches!(command.act, Act::Reject(_)) {
        draft.reject(command, &digest)
    } else {
        draft.approve(command, &digest, false)
    }
}

/// The image that a command names; the inner `Err` says why there is none.
fn named(draft: &Draft<'_>, image: Option<&ImageRef>) -> Decided<Result<Digest, String>> {
    let (repository, source_tag) = (&draft.app.repository, &draft.app.config.source_tag);
    let newest = || {
        draft
            .seen
            .newest
            .clone()
            .ok_or_else(|| format!("no image of `{repository}` has the tag `{source_tag}`"))
    };
    Ok(match image {
        None => newest(),
        Some(ImageRef::Tag(tag)) if tag == source_tag => newest(),
        // A production tag means the image that it was made for, even if somebody has moved it
        // since.
        Some(ImageRef::Tag(tag)) => {
            let digest = match draft.recorded(tag).cloned() {
                Some(recorded) => Some(recorded),
                None => draft.holder(tag)?.cloned(),
            };
            digest.ok_or_else(|| {
                let known = draft.state.recorded().map(|(tag, _)| tag).chain([source_tag.as_str()]);
                format!(
                    "no image of `{repository}` has the tag `{tag}`{}",
                    did_you_mean(tag.as_str(), known).trim_end_matches('.')
                )
            })
        }
        Some(ImageRef::Digest(digest)) => Ok(digest.clone()),
        Some(ImageRef::Commit(commit)) => {
            let matches = draft
                .seen
                .matches
                .get(commit)
                .ok_or_else(|| Step::Read(Question::Matches(commit.clone())))?;
            match known_by_commit(draft, commit, matches)? {
                Some(known) => Ok(known),
                None => only_one(draft, commit, matches),
            }
        }
    })
}

/// The one image of a commit that the state, the history or its production tag knows, where the
/// repository has too many images to search them all.
fn known_by_commit(
    draft: &Draft<'_>,
    commit: &Commit,
    matches: &Matches,
) -> Decided<Option<Digest>> {
    if matches.unread == 0 {
        return Ok(None);
    }
    let state = &draft.state;
    let asked = state.all_requests().map(|request| (&request.commit, &request.digest));
    let open = state.open.iter().map(|open| (&open.commit, &open.digest));
    let recent = state.recent.iter().map(|recent| (&recent.commit, &recent.digest));
    let running = state
        .running
        .iter()
        .filter_map(|running| Some((&running.commit, running.digest.as_ref()?)));
    let deployed = rollback::deployed(draft)?;
    let earlier = deployed.iter().map(|ended| (&ended.promotion.commit, &ended.promotion.digest));
    let of_commit = |its: &Option<Commit>| its.as_ref().is_some_and(|its| its.agrees_with(commit));
    let known = asked
        .chain(open)
        .chain(recent)
        .chain(running)
        .chain(earlier)
        .filter(|(its, _)| of_commit(its));
    let mut known: BTreeSet<Digest> = known.map(|(_, digest)| digest.clone()).collect();
    if let Some(tag) = draft.as_production_tag(&format!("{}{commit}", draft.app.config.tag_prefix))
    {
        known.extend(draft.holder(&tag)?.cloned());
    }
    // One match of a search that is not whole is no more than that.
    let is_only_one = |one: &Digest| matches.digests.iter().all(|found| found == one);
    Ok(known.pop_first().filter(|one| known.is_empty() && is_only_one(one)))
}

/// The one image of a commit; else what to name instead.
fn only_one(draft: &Draft<'_>, commit: &Commit, matches: &Matches) -> Result<Digest, String> {
    let app = draft.app;
    let repository = &app.repository;
    let listed = || {
        let shown: Vec<&str> =
            matches.digests.iter().take(MOST_LISTED).map(Digest::as_str).collect();
        let more = matches.digests.len() - shown.len();
        shown.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
    };
    match (matches.digests.as_slice(), matches.unread) {
        ([digest], 0) => Ok(digest.clone()),
        ([], 0) => {
            let state = &draft.state;
            let asked = state.all_requests().filter_map(|request| request.commit.as_ref());
            let lately = state.recent.iter().rev().filter_map(|recent| recent.commit.as_ref());
            let running = state.running.iter().filter_map(|running| running.commit.as_ref());
            let known: Vec<&str> = asked.chain(running).chain(lately).map(Commit::as_str).collect();
            let as_typed =
                known.iter().map(|known| &known[..known.len().min(commit.as_str().len())]);
            let meant = did_you_mean(commit.as_str(), as_typed);
            Err(format!(
                "no image of `{repository}` was built from a commit {commit}{}",
                meant.trim_end_matches('.')
            ))
        }
        (several, 0) => Err(format!(
            "{} images of `{repository}` were built from a commit {commit}: {}. Name the digest",
            several.len(),
            listed()
        )),
        (found, unread) => {
            let found = if found.is_empty() {
                String::new()
            } else {
                format!("; found so far: {}", listed())
            };
            let prefix = &app.config.tag_prefix;
            Err(format!(
                "`{repository}` has too many images to search all of them for commit {commit} \
                 ({unread} were not read){found}. \
                 Name the image by its digest (`sha256:…`), or by its production tag \
                 (`{prefix}…`) if it has one"
            ))
        }
    }
}

/// The words of a command, which are kept with its id: the id of another command is refused.
fn what(command: &Command) -> String {
    kept_reason(&command.act.to_string())
}

/// A command whose id is known: it answers what it answered, or goes on where it was interrupted.
/// It never acts anew.
fn carried_out_before(mut draft: Draft<'_>, record: &CommandRecord) -> Decided {
    if let Some(answer) = &record.answer {
        // What could not be told when it was carried out is told now.
        let stages = draft
            .seen
            .state
            .as_ref()
            .map(|state| tell_and_mark(state, &[], draft.now))
            .unwrap_or_default();
        return Ok(Step::Do(Plan { stages, reply: answer.clone().into() }));
    }
    draft.command = Some(record.clone());
    if let Some(under_way) = draft.unfinished_cancel()? {
        return Ok(draft.send_cancel(&under_way));
    }
    // The cancel arrived, and only its answer was lost.
    if let Some(going_back) = draft.going_back(record.token.as_ref()) {
        return Ok(draft.send_cancel(&going_back));
    }
    if let Some(open) =
        draft.state.open.iter().find(|open| Some(&open.token) == record.token.as_ref()).cloned()
    {
        return draft.go(&open.digest, &Wanted::again(&open));
    }
    let ended = draft
        .state
        .recent
        .iter()
        .rev()
        .find(|recent| Some(&recent.token) == record.token.as_ref())
        .cloned();
    Ok(match ended {
        Some(ended) => {
            draft.subject.digest = Some(ended.digest);
            draft.subject.commit = ended.commit;
            draft.subject.previous_tag = Some(ended.previous_tag);
            draft.subject.tag = Some(ended.tag);
            draft.subject.token = Some(ended.token);
            draft.nothing(ended.end.outcome(), ended.reason)
        }
        None => draft.nothing(
            Outcome::Superseded,
            "this command was carried out before; `history` tells how it ended".to_owned(),
        ),
    })
}

#[cfg(test)]
mod tests;
