//! How a draft becomes a plan: what is written, who is told, and what is answered.

use jiff::Timestamp;

use super::draft::Draft;
use super::plan::{Plan, Stages};
use crate::model::answer::{Answer, Outcome};
use crate::model::approval::ApprovalRequest;
use crate::model::known_change_set::KnownChangeSet;
use crate::model::notice::{COMMANDER, Notice};
use crate::model::promotion::{End, Ended};
use crate::model::state::{CommandRecord, State};
use crate::model::{RequestId, Token};
use crate::world::action::{Action, Records};

impl Draft<'_> {
    pub(super) fn refused(&self, reason: &str) -> Plan {
        self.nothing(Outcome::Refused, reason.to_owned())
    }

    /// Plans no update: saves what changed, notifies people and answers.
    pub(super) fn nothing(&self, outcome: Outcome, reason: String) -> Plan {
        let answer = self.answer(outcome, reason);
        let command = self
            .command
            .clone()
            .map(|record| CommandRecord { answer: Some(answer.clone()), ..record });
        let mut state = self.state.clone();
        state.untold.extend(self.answer_to_commander(&answer));
        let save = self.save_as(state.clone(), command);
        let mut stages: Stages = save.map(|save| vec![save]).into_iter().collect();
        stages.extend(tell_and_mark(state, &self.spent_change_sets(), self.now));
        Plan { unread: self.unread.clone(), ..Plan::new(stages, answer) }
    }

    /// The notice to whoever commanded by SNS and got nothing for it. What was carried out is told
    /// anyway.
    fn answer_to_commander(&self, answer: &Answer) -> Option<Notice> {
        let came_to_nothing = matches!(answer.outcome, Outcome::Refused | Outcome::Unchanged);
        if !self.is_told || !came_to_nothing || self.is_plan {
            return None;
        }
        Some(Notice {
            digest: answer.digest.clone(),
            commit: answer.commit.clone(),
            tag: answer.tag.clone(),
            previous_tag: answer.previous_tag.clone(),
            ..Notice::new(answer.outcome, COMMANDER, answer.reason.clone(), self.now)
        })
    }

    /// Change sets that no promotion needs any more, and that exist or may exist again.
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

    /// The write that must come before everything else; `None` if there is nothing to write.
    pub(super) fn save(&self, command: Option<CommandRecord>) -> Option<Action> {
        self.save_as(self.state.clone(), command)
    }

    fn save_as(&self, state: State, command: Option<CommandRecord>) -> Option<Action> {
        let state = state.within_limits();
        let is_new = self.seen.state.as_ref() != Some(&state)
            && (self.seen.state.is_some() || self.is_worth_keeping || has_substance(&state));
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

    /// The last stage of a command whose answer is known only now; `None` if no command asked.
    pub(super) fn keep_answer(&self, answer: &Answer) -> Option<Vec<Action>> {
        let record = CommandRecord { answer: Some(answer.clone()), ..self.command.clone()? };
        Some(vec![Action::KeepAnswer(Box::new(record))])
    }

    pub(super) fn answer(&self, outcome: Outcome, reason: String) -> Answer {
        let answer = self.found_or_started(outcome, reason);
        let rolls_back = answer.token.as_ref().and_then(|token| self.rolls_back(token));
        Answer { rolls_back, ..answer }
    }

    /// The answer with what the look started, or else with what it found.
    fn found_or_started(&self, outcome: Outcome, reason: String) -> Answer {
        let running = self.state.running.as_ref().map(|running| running.tag.clone());
        let mut answer = Answer {
            outcome,
            digest: self.subject.digest.clone(),
            commit: self.subject.commit.clone(),
            tag: self.subject.tag.clone(),
            previous_tag: self.subject.previous_tag.clone().or(running),
            stack: Some(self.stack.name.clone()),
            token: self.subject.token.clone(),
            request: self.subject.request.clone(),
            changes: self.subject.changes.clone(),
            closed: self.ended.iter().map(Ended::closed).collect(),
            ..Answer::ignored(reason).about(self.app)
        };
        // A look that started nothing answers with what it found ended.
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
        } else if let Some(verifying) =
            self.state.verifying.as_ref().filter(|_| self.is_look && started_nothing)
        {
            let promotion = &verifying.promotion;
            answer.outcome = Outcome::Promoted;
            answer.digest = Some(promotion.digest.clone());
            answer.commit = promotion.commit.clone();
            answer.tag = Some(promotion.tag.clone());
            answer.previous_tag = Some(promotion.previous_tag.clone());
            answer.token = Some(promotion.token.clone());
            answer.reason = verifying.words();
        } else if self.is_look
            && outcome == Outcome::Unchanged
            && let Some(hold) = self.state.hold.as_ref().filter(|hold| hold.at == self.now)
        {
            answer.outcome = Outcome::Held;
            answer.reason = hold.reason.clone();
        }
        answer
    }

    /// The tag that the promotion with this token rolls back from.
    fn rolls_back(&self, token: &Token) -> Option<String> {
        let verifying = self.state.verifying.iter().map(|verifying| &verifying.promotion);
        let ended = self.ended.iter().map(|ended| &ended.promotion);
        let mut all = self.state.open.iter().chain(verifying).chain(ended);
        all.find(|promotion| promotion.token == *token)?.rolls_back.clone()
    }
}

/// Whether a first state holds more than the next look would see by itself.
fn has_substance(state: &State) -> bool {
    state.has_open_work()
        || state.waiting.is_some()
        || state.hold.is_some()
        || state.request.is_some()
        || state.ended > 0
}

/// Notifies people, updates Slack and removes what is spent, then remembers that. At least once: a
/// crash may repeat a notice, never lose one. What fails is put back into the mark when it is
/// carried out.
pub(super) fn tell_and_mark(state: State, spent: &[String], now: Timestamp) -> Stages {
    let unshown = state.all_requests().filter(|request| request.is_unshown());
    let unshown: Vec<ApprovalRequest> = unshown.cloned().collect();
    let all = state.untold.len();
    let (due, later): (Vec<_>, Vec<_>) = state
        .untold
        .into_iter()
        .filter(|notice| !notice.is_given_up(now))
        .partition(|n| n.is_due(now));
    let is_given_up = due.len() + later.len() < all;
    if due.is_empty() && !is_given_up && spent.is_empty() && unshown.is_empty() {
        return Vec::new();
    }
    let mut told = State { untold: later, ..state };
    let is_spent = |own: &KnownChangeSet| spent.iter().any(|id| id == own.id());
    told.change_sets.retain(|own| !is_spent(own) || !own.is_settled(now));
    for own in told.change_sets.iter_mut().filter(|own| is_spent(own)) {
        own.is_removed = true;
    }
    let tells = due.into_iter().map(|notice| Action::Tell(Box::new(notice)));
    let shows = unshown.into_iter().map(|request| Action::Show(Box::new(request)));
    let stage: Vec<Action> =
        tells.chain(shows).chain(spent.iter().cloned().map(Action::DeleteChangeSet)).collect();
    [stage, vec![mark(told)]].into_iter().filter(|stage| !stage.is_empty()).collect()
}

/// Writes the state without the notices that were sent.
pub(super) fn mark(told: State) -> Action {
    Action::MarkTold(Box::new(Records { state: Some(told.within_limits()), ..Records::default() }))
}
