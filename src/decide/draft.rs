//! A plan in the making: the state as it is to be, what led there, and what is answered and told of
//! it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Decided, Plan, Step};
use crate::model::answer::{Answer, Outcome};
use crate::model::config::{App, names_stack};
use crate::model::image::Tags;
use crate::model::notice::Notice;
use crate::model::promotion::{End, Ended, Promotion};
use crate::model::stack::{EventsWanted, Phase, Stack, StackEvents};
use crate::model::state::{CommandRecord, KnownChangeSet, Running, State};
use crate::model::{Commit, Digest, RequestId, Tag, Token};
use crate::world::action::{Action, Records};
use crate::world::snapshot::{Question, Snapshot, TagsWanted};

/// How often an app is looked at again because two reads did not fit together. With the pauses this
/// takes about 2 s.
const VAIN_LOOKS: u32 = 6;

/// What an answer is about.
#[derive(Default)]
pub(super) struct About {
    pub(super) digest: Option<Digest>,
    pub(super) commit: Option<Commit>,
    pub(super) tag: Option<Tag>,
    pub(super) previous_tag: Option<String>,
    pub(super) token: Option<Token>,
    pub(super) changes: Vec<String>,
    pub(super) request: Option<RequestId>,
}

/// A plan in the making: the state as it is to be, and what led there.
pub(super) struct Draft<'a> {
    pub(super) app: &'a App,
    pub(super) seen: &'a Snapshot,
    pub(super) stack: &'a Stack,
    pub(super) tags: &'a Tags,
    pub(super) now: Timestamp,
    pub(super) state: State,
    pub(super) ended: Vec<Ended>,
    pub(super) command: Option<CommandRecord>,
    pub(super) subject: About,
    /// An image was pushed: if it goes out, it goes soon.
    pub(super) is_push: bool,
    /// Nobody's image caused this look: its answer is what it found ended.
    pub(super) is_look: bool,
    /// An update of ours, overtaken by a newer promotion, arrived after all: it is undone.
    pub(super) is_stray: bool,
    /// The state says nothing about this app as it is configured now: there is none, or it is about
    /// another stack or parameter, or it only says that the app could not be looked at.
    pub(super) is_first_sight: bool,
    /// The state that was read is about another stack or parameter.
    pub(super) has_moved: bool,
    /// The state is written although it says nothing that could not be seen.
    pub(super) is_worth_keeping: bool,
    /// Nothing of this is carried out: it is only said.
    pub(super) is_plan: bool,
    /// The promotion whose change set is still needed.
    pub(super) in_review: Option<Token>,
    /// Change sets, by name, that cannot be used any more although their promotion waits: they are
    /// made anew.
    pub(super) discarded: Vec<String>,
    /// Change sets of this app's prefix, by ARN, that the state does not know.
    pub(super) stray_change_sets: Vec<String>,
}

/// Whether a state is about the stack and the parameter that the configuration names. The stack's
/// id tells; a state that an older version wrote has none.
pub(super) fn is_about(state: &State, app: &App, stack: &Stack) -> bool {
    let is_same_stack = match &state.stack_id {
        Some(id) => *id == stack.id,
        None => state.stack == app.config.stack || names_stack(&state.stack, &stack.id),
    };
    is_same_stack && state.parameter == app.config.parameter
}

impl<'a> Draft<'a> {
    pub(super) fn new(app: &'a App, seen: &'a Snapshot, stack: &'a Stack, tags: &'a Tags) -> Self {
        let config = &app.config;
        let known = seen.state.clone();
        let is_first_sight = known
            .as_ref()
            .is_none_or(|state| !is_about(state, app, stack) || !state.has_been_seen());
        let (left_behind, state) = match known {
            None => (None, State::new(&config.stack, &config.parameter)),
            Some(state) if is_about(&state, app, stack) => (None, state),
            Some(other) => (Some(other.clone()), other.elsewhere(&config.stack, &config.parameter)),
        };
        let mut draft = Self {
            app,
            seen,
            stack,
            tags,
            now: seen.at,
            state: State { stack_id: Some(stack.id.clone()), trouble: None, ..state },
            ended: Vec::new(),
            command: None,
            subject: About::default(),
            is_push: false,
            is_look: false,
            is_stray: false,
            is_first_sight,
            has_moved: left_behind.is_some(),
            is_worth_keeping: false,
            is_plan: false,
            in_review: None,
            discarded: Vec::new(),
            stray_change_sets: Vec::new(),
        };
        if let Some(other) = left_behind {
            draft.leave(other);
        }
        draft
    }

    /// Ends the promotions that were begun on the stack or parameter before.
    fn leave(&mut self, other: State) {
        let reason = format!(
            "the app's configuration names `{}` of stack `{}` now: the events of stack `{}` tell \
             what became of this update",
            self.app.config.parameter, self.stack.name, other.stack
        );
        for open in &other.open {
            self.end(open, End::Superseded, reason.clone());
            self.announce(open.notice(Outcome::Superseded, reason.clone(), self.now));
        }
        self.state.request = other.request;
        self.replace_request(None);
    }

    /// The parameter's value: what runs, if the stack is at rest.
    pub(super) fn value(&self) -> &'a str {
        self.stack.value(&self.app.config.parameter).unwrap_or_default()
    }

    /// Ends a promotion, and keeps that for the history.
    pub(super) fn end(&mut self, promotion: &Promotion, end: End, reason: impl Into<String>) {
        let ended = self.state.end(promotion, end, reason, self.now);
        self.ended.push(ended);
    }

    /// Whether this image runs, as far as is known. Only a production tag proves it, since any
    /// other tag may have moved.
    pub(super) fn runs(&self, digest: &Digest) -> bool {
        let is = |running: &Running| {
            running.digest.as_ref() == Some(digest) && running.tag == self.value()
        };
        self.stack.phase() == Phase::AtRest
            && self.is_pinned()
            && self.state.running.as_ref().is_some_and(is)
    }

    /// Whether what runs has a production tag.
    pub(super) fn is_pinned(&self) -> bool {
        self.state
            .running
            .as_ref()
            .is_some_and(|running| self.app.config.is_production_tag(&running.tag))
    }

    /// The recorded image that runs.
    pub(super) fn running_digest(&self) -> Option<Digest> {
        self.state.running.as_ref().and_then(|running| running.digest.clone())
    }

    /// Reads a text as a production tag; `None` for any other tag, since that may move.
    pub(super) fn as_production_tag(&self, text: &str) -> Option<Tag> {
        self.app.config.is_production_tag(text).then(|| text.parse().ok()).flatten()
    }

    /// The image that this production tag was made for, where that is remembered.
    pub(super) fn recorded(&self, tag: &Tag) -> Option<&Digest> {
        self.as_production_tag(tag.as_str())?;
        self.state.recorded().find(|(its, _)| *its == tag.as_str()).map(|(_, digest)| digest)
    }

    /// Tags that this image must not get: the state records them for another image, or ECR has just
    /// refused them.
    pub(super) fn taken_from(&self, digest: &Digest) -> BTreeSet<Tag> {
        let of_others = self
            .state
            .recorded()
            .filter(|(_, on)| *on != digest)
            .filter_map(|(tag, _)| tag.parse().ok());
        of_others.chain(self.seen.learned.taken.iter().cloned()).collect()
    }

    /// Asks for another look, since something changed between two reads. After some looks in vain
    /// it returns `Ok`: the decision is then made with what was seen, so that no app waits for
    /// ever.
    pub(super) fn look_again(&self) -> Decided<()> {
        if self.seen.learned.vain_looks < VAIN_LOOKS { Err(Step::LookAgain) } else { Ok(()) }
    }

    /// What a tag is on.
    pub(super) fn holder(&self, tag: &Tag) -> Decided<Option<&'a Digest>> {
        self.tags.holder(tag).ok_or_else(|| self.ask_about_tags([tag.clone()], []))
    }

    /// Asks what tags are on, and which tags images have. What a look needs besides is asked along,
    /// which costs no more time.
    pub(super) fn ask_about_tags(
        &self,
        named: impl IntoIterator<Item = Tag>,
        of: impl IntoIterator<Item = Digest>,
    ) -> Step {
        let is_unknown = |tag: &Tag| self.tags.holder(tag).is_none();
        let running =
            self.state.running.as_ref().and_then(|running| self.as_production_tag(&running.tag));
        let along = running
            .into_iter()
            .chain(self.value().parse().ok())
            .chain(self.state.open.iter().map(|open| open.tag.clone()));
        let named = named.into_iter().chain(along.filter(is_unknown)).collect();
        Step::Read(Question::Tags(TagsWanted { named, of: of.into_iter().collect() }))
    }

    /// The stack's events, read back to the oldest update that has not ended.
    pub(super) fn events(&self) -> Decided<&'a StackEvents> {
        self.seen.events.as_ref().ok_or_else(|| {
            let starts_of = self.state.open.iter().map(|open| open.token.clone()).collect();
            Step::Read(Question::Events(EventsWanted {
                starts_of,
                since: self.state.open.iter().map(|open| open.at).min(),
            }))
        })
    }

    pub(super) fn refused(&self, reason: &str) -> Step {
        self.nothing(Outcome::Refused, reason.to_owned())
    }

    /// Plans no update: saves what changed, notifies people and answers.
    pub(super) fn nothing(&self, outcome: Outcome, reason: String) -> Step {
        let answer = self.answer(outcome, reason);
        let command = self
            .command
            .clone()
            .map(|record| CommandRecord { answer: Some(answer.clone()), ..record });
        let mut stages: Vec<Vec<Action>> =
            self.save(command).map(|save| vec![save]).into_iter().collect();
        stages.extend(tell_and_mark(&self.state, &self.spent_change_sets(), self.now));
        Step::Do(Plan { stages, reply: answer.into() })
    }

    /// Change sets that nothing waits for any more, and that are there or may have come back.
    fn spent_change_sets(&self) -> Vec<String> {
        let is_needed = |token: &Token| {
            self.in_review.as_ref() == Some(token)
                || self.state.open.iter().any(|open| open.token == *token)
        };
        let counts = |own: &KnownChangeSet| {
            is_needed(&own.token) && self.change_set_of(&own.token) == Some(own)
        };
        let is_spent =
            |own: &&KnownChangeSet| !counts(own) && (!own.is_removed || own.is_settled(self.now));
        let spent = self.state.change_sets.iter().filter(is_spent).map(|own| own.id().to_owned());
        spent.chain(self.stray_change_sets.iter().cloned()).collect()
    }

    /// The write that everything after it rests on; `None` where nothing is to be written.
    pub(super) fn save(&self, command: Option<CommandRecord>) -> Option<Action> {
        let state = self.state.clone().within_limits();
        let is_new = self.seen.state.as_ref() != Some(&state)
            && (self.seen.state.is_some() || self.is_worth_keeping || self.has_substance());
        let known = |id: &RequestId| {
            self.seen
                .state
                .as_ref()
                .and_then(|state| state.request.as_ref())
                .is_some_and(|known| known.id == *id)
        };
        let records = Records {
            request: state.request.clone().filter(|request| is_new && !known(&request.id)),
            state: is_new.then_some(state),
            history: self.ended.clone(),
            command: command.filter(|record| Some(record) != self.seen.command.as_ref()),
        };
        (records != Records::default()).then(|| Action::SaveState(Box::new(records)))
    }

    /// The last stage of a command that was begun without its answer; none where no command asked.
    pub(super) fn keep_answer(&self, answer: &Answer) -> Option<Vec<Action>> {
        let record = CommandRecord { answer: Some(answer.clone()), ..self.command.clone()? };
        Some(vec![Action::KeepAnswer(Box::new(record))])
    }

    /// Whether a first state holds more than what the next look would see by itself.
    pub(super) fn has_substance(&self) -> bool {
        let s = &self.state;
        s.has_open_work()
            || s.waiting.is_some()
            || s.hold.is_some()
            || s.request.is_some()
            || s.ended > 0
    }

    pub(super) fn answer(&self, outcome: Outcome, reason: String) -> Answer {
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
            request: self.subject.request.clone(),
            changes: self.subject.changes.clone(),
            closed: self.ended.iter().map(Ended::closed).collect(),
        };
        // A look that started nothing answers what it found ended.
        let started_nothing = matches!(
            outcome,
            Outcome::Unchanged | Outcome::Failed | Outcome::Held | Outcome::Ignored
        );
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
    pub(super) fn notice(&self, outcome: Outcome, reason: &str, by: &str) -> Notice {
        let running = self.state.running.as_ref();
        Notice {
            digest: self.subject.digest.clone(),
            commit: self.subject.commit.clone(),
            tag: self.subject.tag.clone(),
            previous_tag: running.map(|running| running.tag.clone()),
            previous_commit: running.and_then(|running| running.commit.clone()),
            changes: self.subject.changes.clone(),
            request: self.subject.request.clone(),
            ..Notice::new(outcome, by, reason, self.now)
        }
    }

    /// Has people told, once it is written; a request that this is about says so too.
    pub(super) fn announce(&mut self, notice: Notice) {
        self.state.note(&notice);
        self.state.untold.push(notice);
    }
}

/// Notifies people, updates Slack and removes what is spent, then remembers that. At least once: a
/// crash may repeat a notice, never lose one. What fails is put back into the mark when it is
/// carried out.
pub(super) fn tell_and_mark(state: &State, spent: &[String], now: Timestamp) -> Vec<Vec<Action>> {
    let unshown = || state.all_requests().filter(|request| request.is_unshown());
    let (due, later): (Vec<_>, Vec<_>) = state
        .untold
        .iter()
        .filter(|notice| !notice.is_given_up(now))
        .cloned()
        .partition(|n| n.is_due(now));
    let is_given_up = due.len() + later.len() < state.untold.len();
    if due.is_empty() && !is_given_up && spent.is_empty() && unshown().next().is_none() {
        return Vec::new();
    }
    let mut told = State { untold: later, ..state.clone() };
    let is_spent = |own: &KnownChangeSet| spent.iter().any(|id| id == own.id());
    told.change_sets.retain(|own| !is_spent(own) || !own.is_settled(now));
    for own in told.change_sets.iter_mut().filter(|own| is_spent(own)) {
        own.is_removed = true;
    }
    let tells = due.into_iter().map(Action::Tell);
    let shows = unshown().cloned().map(|request| Action::Show(Box::new(request)));
    let stage: Vec<Action> =
        tells.chain(shows).chain(spent.iter().cloned().map(Action::DeleteChangeSet)).collect();
    [stage, vec![mark(told)]].into_iter().filter(|stage| !stage.is_empty()).collect()
}

/// Remembers what has been told.
pub(super) fn mark(told: State) -> Action {
    Action::MarkTold(Box::new(Records { state: Some(told.within_limits()), ..Records::default() }))
}
