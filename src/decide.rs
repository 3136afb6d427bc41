//! The decision: what a trigger leads to, given what was just seen. Pure and total: no I/O, no clock, no AWS types.
//!
//! Every look goes the same way: *settle* what ended since the last one, then go on with what a person wanted, then with
//! the newest image. What is missing for a decision is asked for ([`Step::Read`]) and the decision is made anew.

mod orders;
mod report;
mod rollback;
mod settle;

use jiff::Timestamp;

use crate::answer::{Answer, Outcome, Reply};
use crate::config::{App, ConfigError, Mode};
use crate::event::command::{Act, Command, ImageRef};
use crate::image::{CommitOf, Image, Tags, commit_of, production_tag};
use crate::model::{Commit, Digest, Tag, Token};
use crate::stack::{Phase, Stack};
use crate::state::{Asked, CommandRecord, End, Ended, Hold, Notice, Promotion, Running, State, Via, Waiting};
use crate::world::{Action, Question, Records, Snapshot, Update};

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

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// This must be read first.
    Read(Question),
    /// What was seen does not fit together (it changed between two reads): look anew.
    LookAgain,
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
    let (stack, tags) =
        usable(app, seen).map_err(|error| Step::Misconfigured(error.clone(), orders::told_once(app, trigger, seen, &error)))?;
    match trigger {
        Trigger::Pushed(digest) if seen.newest.as_ref() != Some(digest) => {
            // Nothing is even looked at: the newer push has its own event.
            let mut draft = Draft::new(app, seen, stack, tags, None);
            let newest = seen.newest.as_ref().map_or("nothing".to_owned(), |d| d.short().to_owned());
            let reason = format!("`{}` is on {newest} now, not on {}", app.config.source_tag, digest.short());
            draft.subject.digest = Some(digest.clone());
            Ok(draft.nothing(Outcome::Superseded, reason))
        }
        Trigger::Pushed(digest) => {
            let by = format!("push of `{}`", app.config.source_tag);
            let mut draft = settle::settle(app, seen, stack, tags, None)?;
            draft.state.first_seen = None;
            draft.go_on(digest, &by, Via::Push)
        }
        Trigger::Due(cause) => look(settle::settle(app, seen, stack, tags, None)?, cause),
        Trigger::Command(command) => {
            let draft = || settle::settle(app, seen, stack, tags, None);
            match &command.act {
                Act::Status => return report::status(&draft()?),
                Act::History => return report::history(app, seen),
                Act::Reconcile => return look(draft()?, &command.by),
                Act::Plan(image) => return report::plan(&draft()?, promote(draft()?, command, image.as_ref())?),
                Act::Promote(_) | Act::Rollback(_) | Act::Cancel | Act::Hold(_) | Act::Resume => {}
            }
            if let Some(record) = &seen.command {
                return carried_out_before(draft()?, record);
            }
            let draft = new_command(draft()?, command)?;
            match &command.act {
                Act::Promote(image) => promote(draft, command, image.as_ref()),
                Act::Rollback(image) => rollback::rollback(draft, command, image.as_ref()),
                Act::Cancel => orders::cancel(draft, command),
                Act::Hold(reason) => Ok(orders::hold(draft, command, reason)),
                Act::Resume => Ok(orders::resume(draft, command)),
                Act::Status | Act::History | Act::Reconcile | Act::Plan(_) => Ok(draft.refused("it changes nothing")),
            }
        }
    }
}

/// A look that nobody's image caused: what ended is closed, and the newest image is considered. At the first sight of an app
/// only what runs is taken note of: what was there before may have been left out of production on purpose.
fn look(mut draft: Draft<'_>, by: &str) -> Decided {
    draft.is_look = true;
    let newest = draft.seen.newest.clone();
    if draft.is_first_sight() {
        draft.state.first_seen = newest;
        draft.is_worth_keeping = true;
        return Ok(
            draft.nothing(Outcome::Unchanged, "seen for the first time: what runs is taken note of, and nothing is promoted".to_owned())
        );
    }
    match newest {
        Some(newest) => draft.go_on(&newest, by, Via::Schedule),
        None if draft.is_stray => draft.undo(),
        None => Ok(draft.nothing(Outcome::Unchanged, format!("no image has the tag `{}`", draft.app.config.source_tag))),
    }
}

/// A command that has not been carried out: from here on, each answer is kept with its id.
fn new_command<'a>(mut draft: Draft<'a>, command: &Command) -> Decided<Draft<'a>> {
    draft.command = Some(CommandRecord { id: command.id.clone(), at: draft.now, token: None, answer: None });
    if command.is_stale(draft.now) {
        return Err(draft.refused(
            "it was sent more than 15 minutes ago and names no image: what it means may be another by now. Send it again, or name the commit",
        ));
    }
    Ok(draft)
}

/// The stack and the repository, if the one can be promoted to and the other exists.
fn usable<'a>(app: &App, seen: &'a Snapshot) -> Result<(&'a Stack, &'a Tags), ConfigError> {
    let config = &app.config;
    let Some(tags) = &seen.tags else {
        return Err(app.whole(format!("the ECR repository `{}` does not exist in this account and region", app.repository)));
    };
    let Some(stack) = seen.stack.as_ref().filter(|stack| stack.phase() != Phase::Gone) else {
        return Err(app.error("stack", format!("stack `{}` does not exist in this account and region", config.stack)));
    };
    if let Some(parent) = &stack.parent {
        return Err(app.error("stack", format!("`{}` is a nested stack; expected its root stack (it is part of {parent})", config.stack)));
    }
    if stack.value(&config.parameter).is_none() {
        let has = stack.parameters.iter().map(|p| p.key.as_str()).collect::<Vec<_>>().join(", ");
        let problem = format!("stack `{}` has no parameter `{}`; expected one of those it has: {has}", config.stack, config.parameter);
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

/// The image that a command names; the inner `Err` says why there is none.
fn named(draft: &Draft<'_>, image: Option<&ImageRef>) -> Decided<Result<Digest, String>> {
    let (repository, source_tag) = (&draft.app.repository, &draft.app.config.source_tag);
    let newest = || draft.seen.newest.clone().ok_or_else(|| format!("no image of `{repository}` has the tag `{source_tag}`"));
    Ok(match image {
        None => newest(),
        Some(ImageRef::Tag(tag)) if tag == source_tag => newest(),
        Some(ImageRef::Tag(tag)) => {
            draft.tags.digest(tag).cloned().ok_or_else(|| format!("no image of `{repository}` has the tag `{tag}`"))
        }
        Some(ImageRef::Digest(digest)) => Ok(digest.clone()),
        Some(ImageRef::Commit(commit)) => match draft.seen.matches.get(commit).map(Vec::as_slice) {
            None => return Err(Step::Read(Question::Matches(commit.clone()))),
            Some([]) => Err(format!("no image of `{repository}` was built from a commit {commit}")),
            Some([digest]) => Ok(digest.clone()),
            Some(several) => Err(format!(
                "{} images of `{repository}` were built from a commit {commit}: {}. Name the digest",
                several.len(),
                several.iter().map(Digest::as_str).collect::<Vec<_>>().join(", ")
            )),
        },
    })
}

/// A command whose id is known: it answers what it answered, or goes on where it was interrupted. It never acts anew.
fn carried_out_before(mut draft: Draft<'_>, record: &CommandRecord) -> Decided {
    if let Some(answer) = &record.answer {
        // What could not be told when it was carried out is told now.
        let stages = draft.seen.state.as_ref().map(tell).unwrap_or_default();
        return Ok(Step::Do(Plan { stages, reply: answer.clone().into() }));
    }
    draft.command = Some(record.clone());
    if let Some(under_way) = draft.unfinished_cancel()? {
        return Ok(draft.send_cancel(&under_way));
    }
    if let Some(open) = draft.state.open.iter().find(|open| Some(&open.token) == record.token.as_ref()).cloned() {
        return draft.go(&open.digest, &Wanted::again(&open));
    }
    let ended = draft.state.recent.iter().rev().find(|recent| Some(&recent.token) == record.token.as_ref()).cloned();
    Ok(match ended {
        Some(ended) => {
            draft.subject.digest = Some(ended.digest);
            draft.subject.commit = ended.commit;
            draft.subject.previous_tag = Some(ended.previous_tag);
            draft.subject.tag = Some(ended.tag);
            draft.subject.token = Some(ended.token);
            draft.nothing(ended.end.outcome(), ended.reason)
        }
        None => draft.nothing(Outcome::Superseded, "this command was carried out before; `history` tells how it ended".to_owned()),
    })
}

/// Who wants an image promoted.
struct Wanted<'a> {
    by: &'a str,
    via: Via,
    command: Option<&'a str>,
    /// Whether a person chooses this image now: that holds the app, or ends a hold.
    is_choice: bool,
    /// The tag that it is to have, if that is on it or on nothing.
    tag: Option<Tag>,
    /// A tag that it is not to get again.
    avoid: Option<Tag>,
    /// What it rolls back from.
    rolls_back: Option<String>,
}

impl<'a> Wanted<'a> {
    fn by_command(command: &'a Command) -> Self {
        let command_id = Some(command.id.as_str());
        Self { by: &command.by, via: command.via, command: command_id, is_choice: false, tag: None, avoid: None, rolls_back: None }
    }

    fn by_automation(by: &'a str, via: Via) -> Self {
        Self { by, via, command: None, is_choice: false, tag: None, avoid: None, rolls_back: None }
    }

    /// The same promotion once more.
    fn again(open: &'a Promotion) -> Self {
        Self {
            by: &open.by,
            via: open.via,
            command: open.command.as_deref(),
            is_choice: false,
            tag: Some(open.tag.clone()),
            avoid: None,
            rolls_back: open.rolls_back.clone(),
        }
    }
}

/// What an answer is about.
#[derive(Default)]
struct About {
    digest: Option<Digest>,
    commit: Option<Commit>,
    tag: Option<Tag>,
    previous_tag: Option<String>,
    token: Option<Token>,
}

/// A plan in the making: the state as it is to be, and what led there.
struct Draft<'a> {
    app: &'a App,
    seen: &'a Snapshot,
    stack: &'a Stack,
    tags: &'a Tags,
    now: Timestamp,
    state: State,
    ended: Vec<Ended>,
    command: Option<CommandRecord>,
    subject: About,
    /// Nobody's image caused this look: its answer is what it found ended.
    is_look: bool,
    /// An update of ours, overtaken by a newer promotion, arrived after all: it is undone.
    is_stray: bool,
    /// The state is written although it says nothing that could not be seen.
    is_worth_keeping: bool,
}

impl<'a> Draft<'a> {
    fn new(app: &'a App, seen: &'a Snapshot, stack: &'a Stack, tags: &'a Tags, command: Option<CommandRecord>) -> Self {
        let config = &app.config;
        let mut state = match &seen.state {
            Some(state) if state.stack == config.stack && state.parameter == config.parameter => state.clone(),
            other => State::first(&config.stack, &config.parameter, other.as_ref().map_or(0, |old| old.ended + old.open.len() as u64)),
        };
        state.trouble = None;
        Self {
            app,
            seen,
            stack,
            tags,
            now: seen.at,
            state,
            ended: Vec::new(),
            command,
            subject: About::default(),
            is_look: false,
            is_stray: false,
            is_worth_keeping: false,
        }
    }

    /// Nothing is remembered of this app, or only of another stack or parameter.
    fn is_first_sight(&self) -> bool {
        let config = &self.app.config;
        self.seen.state.as_ref().is_none_or(|state| state.stack != config.stack || state.parameter != config.parameter)
    }

    /// The parameter's value: what runs, if the stack is at rest.
    fn value(&self) -> &'a str {
        self.stack.value(&self.app.config.parameter).unwrap_or_default()
    }

    /// Ends a promotion, and keeps that for the history.
    fn end(&mut self, promotion: &Promotion, end: End, reason: impl Into<String>) {
        let ended = self.state.end(promotion, end, reason, self.now);
        self.ended.push(ended);
    }

    /// Promoting anything but the newest is a choice that automation must not undo; promoting the newest ends it.
    fn note_choice(&mut self, digest: &Digest, wanted: &Wanted<'_>) {
        if !wanted.is_choice {
            return;
        }
        self.state.passed_over = None;
        self.state.hold = if self.seen.newest.as_ref() == Some(digest) {
            None
        } else {
            let reason = format!("{} was promoted on purpose, and is not the newest `{}`", digest.short(), self.app.config.source_tag);
            Some(Hold { by: wanted.by.to_owned(), at: self.now, reason })
        };
    }

    /// After settling: what a person wanted goes first, then the newest image.
    fn go_on(mut self, newest: &Digest, by: &str, via: Via) -> Decided {
        if let Some(under_way) = self.unfinished_cancel()? {
            return Ok(self.send_cancel(&under_way));
        }
        let is_at_rest = self.stack.phase() == Phase::AtRest;
        let waiting = self.state.open.iter().find(|open| !open.via.is_automation()).cloned();
        if let Some(open) = waiting
            && is_at_rest
        {
            return self.go(&open.digest, &Wanted::again(&open));
        }
        let is_held = self.state.hold.is_some();
        let is_passed_over = self.state.passed_over.as_ref() == Some(newest);
        let is_free = self.app.config.mode == Mode::Auto && !is_held && !is_passed_over;
        let open = self.state.open.iter().find(|open| open.digest == *newest).cloned();
        let has_failed = open.is_none() && self.state.failed.contains(newest);
        let was_there_before = via == Via::Schedule && self.state.first_seen.as_ref() == Some(newest);
        if self.is_stray && !(is_free && !has_failed && !was_there_before) {
            return self.undo();
        }
        self.subject.digest = Some(newest.clone());
        if has_failed {
            return Ok(self.nothing(
                Outcome::Failed,
                "its promotion failed before and is not tried again by itself: push a new image, or `promote` it on purpose".to_owned(),
            ));
        }
        let is_in_hand = open.as_ref().is_some_and(|open| !open.via.is_automation() || !is_at_rest);
        if is_in_hand || self.runs(newest) {
            return self.go(newest, &Wanted::by_automation(by, via));
        }
        if was_there_before {
            return Ok(self.nothing(Outcome::Unchanged, "it was there before ecr-promoter: only its own push promotes it".to_owned()));
        }
        if is_passed_over {
            self.supersede_others(None, false)?;
            return Ok(
                self.nothing(Outcome::Held, "a person turned away from it: push a newer image, or `promote` it on purpose".to_owned())
            );
        }
        if is_free { self.go(newest, &Wanted::by_automation(by, via)) } else { self.ask(newest) }
    }

    /// Goes back from an overtaken update of ours to what ran before it, under the very tag that it had.
    fn undo(self) -> Decided {
        let Some((tag, Some(digest))) = self.state.running.clone().map(|running| (running.tag, running.digest)) else {
            return Ok(self.nothing(
                Outcome::Blocked,
                "an overtaken update of ours must be undone by hand: what ran before is on no image".to_owned(),
            ));
        };
        let by = "ecr-promoter, undoing an overtaken update";
        self.go(&digest, &Wanted { tag: tag.parse().ok(), ..Wanted::by_automation(by, Via::Schedule) })
    }

    /// Whether this image is what runs, for all that is known.
    fn runs(&self, digest: &Digest) -> bool {
        let is = |running: &Running| running.digest.as_ref() == Some(digest) && running.tag == self.value();
        self.stack.phase() == Phase::AtRest && self.state.running.as_ref().is_some_and(is)
    }

    /// Asks people, once for each candidate.
    fn ask(mut self, digest: &Digest) -> Decided {
        let (image, commit) = self.image(digest)?;
        self.subject.tag = production_tag(&image.digest, commit.as_ref(), self.tags, &self.seen.tried.taken, &self.app.config);
        let why = match &self.state.hold {
            Some(hold) => format!("the app is held by {} ({})", hold.by, hold.reason),
            None => "the app's mode is `approval`".to_owned(),
        };
        let reason = format!("{why}: nothing is promoted until somebody says so");
        self.supersede_others(None, false)?;
        if self.state.asked.as_ref().is_none_or(|asked| asked.digest != *digest) {
            self.state.asked = Some(Asked { digest: digest.clone(), at: self.now });
            let notice = self.notice(Outcome::ApprovalRequested, &reason, "push");
            self.state.untold.push(notice);
        }
        Ok(self.nothing(Outcome::ApprovalRequested, reason))
    }

    /// Promotes this image, as far as the stack lets it now.
    fn go(mut self, digest: &Digest, wanted: &Wanted<'_>) -> Decided {
        if self.runs(digest) {
            self.subject.digest = Some(digest.clone());
            let running = self.state.running.clone();
            self.subject.commit = running.as_ref().and_then(|running| running.commit.clone());
            self.subject.tag = running.and_then(|running| running.tag.parse().ok());
            self.state.waiting = None;
            self.note_choice(digest, wanted);
            self.supersede_others(None, wanted.is_choice)?;
            return Ok(self.nothing(Outcome::Unchanged, "it runs already".to_owned()));
        }
        let (image, commit) = self.image(digest)?;
        let open = self.state.open.iter().find(|open| open.digest == *digest).cloned();
        if let Some(open) = &open
            && self.stack.phase() == Phase::Busy
            && self.is_accepted(open)?
        {
            self.note_choice(digest, wanted);
            return Ok(self.under_way(open, wanted));
        }
        let Some(tag) = self.tag_for(digest, commit.as_ref(), wanted) else {
            return Ok(self.refused("every production tag that it could get is on another image"));
        };
        self.subject.tag = Some(tag.clone());
        match self.stack.phase() {
            Phase::AtRest if self.value() == tag.as_str() => {
                self.state.waiting = None;
                // Known by its tag alone so far, or an overtaken update that turns out to be what is wanted.
                let since = self.state.running.as_ref().filter(|running| running.tag == tag.as_str()).and_then(|running| running.since);
                let by = self.state.running.as_ref().map_or_else(|| wanted.by.to_owned(), |running| running.by.clone());
                self.state.running = Some(Running { tag: tag.to_string(), digest: Some(digest.clone()), commit, since, by });
                self.note_choice(digest, wanted);
                Ok(self.nothing(Outcome::Unchanged, "it runs already".to_owned()))
            }
            Phase::AtRest => {
                self.note_choice(digest, wanted);
                self.state.waiting = None;
                let promotion = self.promotion(open.as_ref(), digest, commit, tag, wanted)?;
                Ok(self.send(promotion, image))
            }
            Phase::Busy if wanted.via.is_automation() => Ok(self.wait(Outcome::Queued, wanted)),
            Phase::Busy => {
                self.note_choice(digest, wanted);
                self.promotion(open.as_ref(), digest, commit, tag, wanted)?;
                let reason = self.busy();
                let notice = self.notice(Outcome::Queued, &reason, wanted.by);
                self.state.untold.push(notice);
                Ok(self.nothing(Outcome::Queued, reason))
            }
            Phase::Broken | Phase::Leaving | Phase::Gone => Ok(self.wait(Outcome::Blocked, wanted)),
        }
    }

    /// The tag that the image has or gets: the wanted one where nothing speaks against it.
    fn tag_for(&self, digest: &Digest, commit: Option<&Commit>, wanted: &Wanted<'_>) -> Option<Tag> {
        let mut taken = self.seen.tried.taken.clone();
        let is_usable = |tag: &&Tag| self.tags.digest(tag).is_none_or(|on| on == digest) && !taken.contains(*tag);
        if let Some(tag) = wanted.tag.as_ref().filter(is_usable) {
            return Some(tag.clone());
        }
        taken.extend(wanted.avoid.clone());
        production_tag(digest, commit, self.tags, &taken, &self.app.config)
    }

    /// The image and its commit, unless it cannot be pulled.
    fn image(&mut self, digest: &Digest) -> Decided<(&'a Image, Option<Commit>)> {
        self.subject.digest = Some(digest.clone());
        let image = match self.seen.images.get(digest) {
            None => return Err(Step::Read(Question::Image(digest.clone()))),
            Some(Err(reason)) => return Err(self.refused(reason)),
            Some(Ok(image)) => image,
        };
        let commit = match commit_of(image, self.tags, self.seen.labels.get(digest), &self.app.config) {
            CommitOf::Known(commit) => commit,
            CommitOf::NeedsLabel => return Err(Step::Read(Question::Label(digest.clone()))),
        };
        self.subject.commit = commit.clone();
        Ok((image, commit))
    }

    /// Whether CloudFormation is at this promotion now. Only the token in its events says so for certain; a busy stack
    /// whose parameter has this promotion's very own value is enough.
    fn is_accepted(&self, open: &Promotion) -> Decided<bool> {
        if open.accepted_at.is_some() || self.value() == open.tag.as_str() {
            return Ok(true);
        }
        let events = self.seen.events.as_ref().ok_or(Step::Read(Question::Events(Some(open.at))))?;
        Ok(events.end_of(&open.token).is_some())
    }

    /// CloudFormation is at it: what a duplicate finds, or the retry of an invocation that died after its update.
    fn under_way(mut self, open: &Promotion, wanted: &Wanted<'_>) -> Step {
        let reason = format!("CloudFormation is at it, since {}", open.accepted_at.unwrap_or(open.at));
        self.subject.tag = Some(open.tag.clone());
        self.subject.token = Some(open.token.clone());
        self.subject.previous_tag = Some(open.previous_tag.clone());
        if open.accepted_at.is_none() {
            self.state.untold.push(open.notice(Outcome::Promoted, ACCEPTED, self.now));
        }
        for own in self.state.open.iter_mut().filter(|own| own.token == open.token) {
            own.accepted_at = own.accepted_at.or(Some(self.now));
            if !wanted.via.is_automation() && own.via.is_automation() {
                own.by = wanted.by.to_owned();
                own.via = wanted.via;
            }
        }
        self.nothing(Outcome::Promoted, reason)
    }

    /// The promotion that gets this image this tag: the open one, so that every retry sends the same token, or a new one.
    fn promotion(
        &mut self,
        open: Option<&Promotion>,
        digest: &Digest,
        commit: Option<Commit>,
        tag: Tag,
        wanted: &Wanted<'_>,
    ) -> Decided<Promotion> {
        let running = self.state.running.clone();
        let previous_tag = running.as_ref().map_or_else(|| self.value().to_owned(), |running| running.tag.clone());
        let same = open.filter(|open| open.tag == tag);
        self.supersede_others(same, !wanted.via.is_automation())?;
        let promotion = match same {
            // A person who wants what automation had begun makes it theirs: it then waits for no one.
            Some(open) if open.via.is_automation() && !wanted.via.is_automation() => {
                Promotion { by: wanted.by.to_owned(), via: wanted.via, command: wanted.command.map(str::to_owned), ..open.clone() }
            }
            Some(open) => open.clone(),
            None => Promotion {
                token: Token::of(&self.app.repository, &self.app.config.stack, digest, &tag, self.state.ended),
                digest: digest.clone(),
                commit,
                tag,
                previous_tag,
                previous_commit: running.and_then(|running| running.commit),
                stack: self.app.config.stack.clone(),
                by: wanted.by.to_owned(),
                via: wanted.via,
                at: self.now,
                accepted_at: None,
                command: wanted.command.map(str::to_owned),
                rolls_back: wanted.rolls_back.clone(),
                cancelled_by: None,
            },
        };
        self.state.open.retain(|open| open.token != promotion.token);
        self.state.open.push(promotion.clone());
        self.subject.token = Some(promotion.token.clone());
        if let Some(command) = &mut self.command {
            command.token = Some(promotion.token.clone());
        }
        Ok(promotion)
    }

    /// What was begun and never reached CloudFormation gives way to what is wanted now.
    /// What a person wanted gives way only to what a person wants.
    fn supersede_others(&mut self, but: Option<&Promotion>, by_person: bool) -> Decided<()> {
        for other in self.state.open.clone() {
            let is_kept = Some(&other.token) == but.map(|but| &but.token) || !by_person && !other.via.is_automation();
            if is_kept || self.stack.phase() == Phase::Busy && self.is_accepted(&other)? {
                continue;
            }
            self.end(&other, End::Superseded, "something else was to be promoted before it was sent");
        }
        Ok(())
    }

    /// Records the intent while the tag is put on the image, then sends the update, then tells.
    fn send(mut self, promotion: Promotion, image: &Image) -> Step {
        let failed = match &self.seen.tried {
            tried if tried.no_updates.as_ref() == Some(&promotion.token) => Some(
                "CloudFormation says that no updates are to be performed although the value differs: \
                 the template does not use the parameter, or a transform keeps it from being seen (AWS::LanguageExtensions); \
                 deploy the template once by hand"
                    .to_owned(),
            ),
            tried => tried.refused.as_ref().filter(|(token, _)| *token == promotion.token).map(|(_, reason)| reason.clone()),
        };
        if let Some(reason) = failed {
            self.end(&promotion, End::Failed, reason.clone());
            self.state.untold.push(promotion.notice(Outcome::Failed, reason.clone(), self.now));
            return self.nothing(Outcome::Failed, reason);
        }
        let config = &self.app.config;
        let mut capabilities = self.stack.capabilities.clone();
        capabilities.extend(config.capabilities.iter().map(|capability| capability.as_str().to_owned()));
        capabilities.sort_unstable();
        capabilities.dedup();
        let update = Update {
            token: promotion.token.clone(),
            tag: promotion.tag.clone(),
            others: self.stack.parameters.iter().map(|p| p.key.clone()).filter(|key| *key != config.parameter).collect(),
            capabilities,
            rollback: config.rollback.clone(),
        };
        let needs_tag = self.tags.digest(&promotion.tag) != Some(&promotion.digest);
        let put_tag = needs_tag.then(|| Action::PutTag { image: Box::new(image.clone()), tag: promotion.tag.clone() });
        let mut told = self.state.clone();
        for own in told.open.iter_mut().filter(|own| own.token == promotion.token) {
            own.accepted_at = Some(self.now);
        }
        let promoted = promotion.notice(Outcome::Promoted, ACCEPTED, self.now);
        let answer = self.answer(Outcome::Promoted, ACCEPTED.to_owned());
        let first: Vec<Action> = self.save(self.command.clone()).into_iter().chain(put_tag).collect();
        let mut stages = if first.is_empty() { Vec::new() } else { vec![first] };
        stages.push(vec![Action::UpdateStack(update)]);
        stages.push(told.untold.drain(..).chain([promoted]).map(Action::Tell).collect());
        stages.push(vec![Action::Mark(Box::new(Records { state: Some(told), ..Records::default() }))]);
        if let Some(record) = self.command {
            stages.push(vec![Action::KeepAnswer(Box::new(CommandRecord { answer: Some(answer.clone()), ..record }))]);
        }
        Step::Do(Plan { stages, reply: answer.into() })
    }

    /// Automation waits, and says so once.
    fn wait(mut self, outcome: Outcome, wanted: &Wanted<'_>) -> Step {
        let reason = if outcome == Outcome::Queued {
            self.busy()
        } else {
            format!("stack `{}` is in {}: a person must mend it first", self.stack.name, self.stack.status)
        };
        if self.state.waiting.as_ref().is_none_or(|waiting| waiting.outcome != outcome) {
            self.state.waiting = Some(Waiting { since: self.now, outcome });
            let notice = self.notice(outcome, &reason, wanted.by);
            self.state.untold.push(notice);
        }
        self.nothing(outcome, reason)
    }

    fn busy(&self) -> String {
        format!("stack `{}` is in {}: it goes on by itself when that has ended", self.stack.name, self.stack.status)
    }

    fn refused(&self, reason: &str) -> Step {
        self.nothing(Outcome::Refused, reason.to_owned())
    }

    /// Nothing is sent to CloudFormation: keeps what changed, tells what has become so, and answers.
    fn nothing(&self, outcome: Outcome, reason: String) -> Step {
        let answer = self.answer(outcome, reason);
        let command = self.command.clone().map(|record| CommandRecord { answer: Some(answer.clone()), ..record });
        let mut stages: Vec<Vec<Action>> = self.save(command).map(|save| vec![save]).into_iter().collect();
        stages.extend(tell(&self.state));
        Step::Do(Plan { stages, reply: answer.into() })
    }

    /// The write that everything after it rests on; `None` where nothing is to be written.
    fn save(&self, command: Option<CommandRecord>) -> Option<Action> {
        let is_new =
            self.seen.state.as_ref() != Some(&self.state) && (self.seen.state.is_some() || self.is_worth_keeping || self.has_substance());
        let records = Records {
            state: is_new.then(|| self.state.clone()),
            history: self.ended.clone(),
            command: command.filter(|record| Some(record) != self.seen.command.as_ref()),
        };
        (records != Records::default()).then(|| Action::Save(Box::new(records)))
    }

    /// Whether a first state holds more than what the next look would see by itself.
    fn has_substance(&self) -> bool {
        let s = &self.state;
        !s.open.is_empty() || s.hold.is_some() || s.asked.is_some() || s.waiting.is_some() || !s.untold.is_empty() || s.ended > 0
    }

    fn answer(&self, outcome: Outcome, reason: String) -> Answer {
        let running = self.state.running.as_ref().map(|running| running.tag.clone());
        let mut answer = Answer {
            outcome,
            repository: Some(self.app.repository.clone()),
            digest: self.subject.digest.clone(),
            commit: self.subject.commit.clone(),
            tag: self.subject.tag.clone(),
            previous_tag: self.subject.previous_tag.clone().or(running),
            stack: Some(self.stack.name.clone()),
            reason,
            token: self.subject.token.clone(),
            closed: self.ended.iter().map(Ended::closed).collect(),
        };
        // A look that started nothing answers what it found ended.
        let started_nothing = matches!(outcome, Outcome::Unchanged | Outcome::Failed | Outcome::Held);
        let newest_end = self.ended.iter().rev().find(|ended| ended.end != End::Superseded);
        if let Some(ended) = newest_end.filter(|_| self.is_look && started_nothing) {
            answer.outcome = ended.end.outcome();
            answer.digest = Some(ended.promotion.digest.clone());
            answer.commit = ended.promotion.commit.clone();
            answer.tag = Some(ended.promotion.tag.clone());
            answer.previous_tag = Some(ended.promotion.previous_tag.clone());
            answer.token = Some(ended.promotion.token.clone());
            answer.reason = ended.reason.clone();
        } else if self.is_look
            && outcome == Outcome::Unchanged
            && let Some(hold) = self.state.hold.as_ref().filter(|hold| hold.at == self.now)
        {
            answer.outcome = Outcome::Held;
            answer.reason = hold.reason.clone();
        }
        answer
    }

    /// What is told of the image that this look is about.
    fn notice(&self, outcome: Outcome, reason: &str, by: &str) -> Notice {
        let running = self.state.running.as_ref();
        Notice {
            outcome,
            digest: self.subject.digest.clone(),
            commit: self.subject.commit.clone(),
            tag: self.subject.tag.clone(),
            previous_tag: running.map(|running| running.tag.clone()),
            previous_commit: running.and_then(|running| running.commit.clone()),
            by: by.to_owned(),
            reason: reason.to_owned(),
            at: self.now,
            took_seconds: None,
        }
    }
}

/// Tells what has not been told, then remembers that it was: told twice at worst, never not at all.
fn tell(state: &State) -> Vec<Vec<Action>> {
    if state.untold.is_empty() {
        return Vec::new();
    }
    let told = State { untold: Vec::new(), ..state.clone() };
    let marked = Action::Mark(Box::new(Records { state: Some(told), ..Records::default() }));
    vec![state.untold.iter().cloned().map(Action::Tell).collect(), vec![marked]]
}

const ACCEPTED: &str = "CloudFormation accepted the update";

#[cfg(test)]
mod tests;
