//! A plan in the making: the state as it is to be, and what led there. The base of every decision;
//! it asks for nothing and ends nothing.

use jiff::Timestamp;
use std::collections::BTreeSet;

use crate::model::answer::Outcome;
use crate::model::approval::{ApprovalRequest, Progress};
use crate::model::config::policy::Policy;
use crate::model::config::{App, names_stack};
use crate::model::image::Tags;
use crate::model::known_change_set::KnownChangeSet;
use crate::model::notice::Notice;
use crate::model::promotion::{End, Ended, Promotion};
use crate::model::soaking::Soaking;
use crate::model::stack::{Phase, Stack};
use crate::model::stage::Stage;
use crate::model::state::{CommandRecord, Running, State};
use crate::model::{Commit, Digest, RequestId, Tag, Token};
use crate::world::snapshot::Snapshot;
use jiff::SignedDuration;

/// How often an app is looked at again because two reads did not fit together. With the pauses this
/// takes about 2 s.
const VAIN_LOOKS: u32 = 6;
/// How long a change set may be without its ARN in the state: its maker writes the ARN as soon as
/// it is answered.
const MAKING: SignedDuration = SignedDuration::from_secs(30);

/// The image and the promotion that an answer is about.
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

/// How much a look may read before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// An image was pushed: nothing that can wait delays its update.
    Push,
    /// A person in Slack or on a page waits for the answer.
    Person,
    /// A script or an operator waits: ECS is asked about what is being verified.
    Script,
    /// Nobody waits: what the services and the alarms show is looked at too.
    Routine,
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
    /// How much the look may read.
    pub(super) pace: Pace,
    /// No push and no command for an image caused this look: it answers with what it found ended.
    pub(super) is_look: bool,
    /// One of our updates arrived although a newer promotion had replaced it: it is undone.
    pub(super) is_stray: bool,
    /// The state says nothing about this app as it is configured now: there is none, or it is about
    /// another stack or parameter, or it only says that the app could not be looked at.
    pub(super) is_first_sight: bool,
    /// The state that was read is about another stack or parameter.
    pub(super) has_moved: bool,
    /// The state is written even if it holds only what the next look would see by itself.
    pub(super) is_worth_keeping: bool,
    /// The draft is for `plan`: it is reported and not carried out.
    pub(super) is_plan: bool,
    /// The promotion whose change set is still needed.
    pub(super) in_review: Option<Token>,
    /// Whoever commands hears nothing but notices: the command came by SNS.
    pub(super) is_told: bool,
    /// Why ECS could not be read, where that is news.
    pub(super) unread: Option<String>,
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
            pace: Pace::Person,
            is_told: false,
            unread: None,
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
        if let Some(Ok(stage)) = &seen.stage {
            draft.state.stage = Some(stage.seen());
        }
        if let Some(other) = left_behind {
            draft.leave(other);
        }
        draft
    }

    /// Ends the promotions that were begun on the stack or parameter before.
    fn leave(&mut self, other: State) {
        let reason = format!(
            "the app's configuration names `{}` of stack `{}` now: the events of stack `{}` show \
             how this update ended",
            self.app.config.parameter, self.stack.name, other.stack
        );
        for open in other.open.iter().chain(other.verifying.iter().map(|it| &it.promotion)) {
            self.end(open, End::Superseded, reason.clone());
            self.announce(open.notice(Outcome::Superseded, reason.clone(), self.now));
        }
        self.state.request = other.request;
        self.replace_request(None);
    }

    /// What the earlier app says, where there is one.
    pub(super) fn stage(&self) -> Option<&'a Stage> {
        self.seen.stage.as_ref()?.as_ref().ok()
    }

    /// The image that must run in the earlier app for longer.
    pub(super) fn soaking(&self) -> Option<&'a Soaking> {
        self.stage()?.soaking.as_ref()
    }

    /// Whether the earlier app failed to run this image, or went back from it.
    pub(super) fn is_out(&self, digest: &Digest) -> bool {
        self.stage().is_some_and(|stage| stage.out.contains(digest))
    }

    /// Says why there is no candidate, or none that is newer than what runs.
    pub(super) fn no_candidate(&self) -> String {
        match (&self.seen.stage, self.app.candidate_tag()) {
            (Some(Ok(stage)), _) => stage.why_none(),
            (Some(Err(problem)), _) => format!("it comes after another app, and {problem}"),
            (None, Some(tag)) => {
                format!("no image of `{}` has the tag `{tag}`", self.app.repository)
            }
            (None, None) => "it is not known what the app before it runs".to_owned(),
        }
    }

    /// What the newest image is the newest of.
    pub(super) fn newest_of(&self) -> String {
        match &self.app.config.after {
            Some(after) => format!("image that has run in `{}`", after.app),
            None => format!("`{}`", self.app.config.source_tag),
        }
    }

    /// The parameter's value: what runs, if the stack is at rest.
    pub(super) fn value(&self) -> &'a str {
        self.stack.value(&self.app.config.parameter).unwrap_or_default()
    }

    /// Ends a promotion, and keeps its end for the history.
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

    /// Whether another look may show reads that fit together. After some looks in vain the decision
    /// is made with what was seen, so that no app waits for ever.
    pub(super) fn may_look_again(&self) -> bool {
        self.seen.learned.vain_looks < VAIN_LOOKS
    }

    /// The change set to use for a promotion: the newest whose ARN is known, or will be known in a
    /// moment.
    pub(super) fn change_set_of(&self, token: &Token) -> Option<&KnownChangeSet> {
        let is_known = |own: &KnownChangeSet| own.arn.is_some();
        // Another sandbox may be about to write the ARN. If it has died, another change set is
        // made.
        let is_in_the_making = |own: &KnownChangeSet| {
            let is_lost = self.seen.learned.lost_change_sets.contains(own.name());
            own.name.is_some()
                && self.now.duration_since(own.at) < MAKING
                && !is_lost
                && self.may_look_again()
        };
        let own = self
            .state
            .change_sets
            .iter()
            .rev()
            .filter(|own| own.token == *token && !own.is_removed);
        own.into_iter().find(|own| {
            !self.discarded.contains(&own.name().to_owned())
                && (is_known(own) || is_in_the_making(own))
        })
    }

    /// The policy for a question: the stricter of the policy that it was asked under and the
    /// present one. Without a question, the present one.
    pub(super) fn policy(&self, request: Option<&ApprovalRequest>) -> Policy {
        let now = self.app.policy();
        request.map_or_else(|| now.clone(), |request| request.policy(now.clone()))
    }

    /// Replaces the present request by another one, or by none. A replaced request is kept until
    /// its message shows that.
    pub(super) fn replace_request(&mut self, new: Option<ApprovalRequest>) {
        let Some(mut old) = std::mem::replace(&mut self.state.request, new) else { return };
        let verifying = self.state.verifying.iter().map(|verifying| &verifying.promotion);
        let mut begun = self.state.open.iter().chain(verifying);
        let is_begun = begun.any(|open| open.request.as_ref() == Some(&old.id));
        if !old.progress.is_final() && !is_begun {
            old.progress = Progress::Superseded;
        }
        self.state
            .earlier_requests
            .retain(|request| request.is_unshown() || !request.progress.is_final());
        // Nobody saw the question, so no message needs to say that it has ended.
        let is_unseen = old.posted.is_none() && old.progress == Progress::Superseded;
        let is_to_be_shown =
            old.channel.is_some() && !is_unseen && (old.is_unshown() || !old.progress.is_final());
        // What people approved, and were shown, counts until that has ended.
        if is_to_be_shown || is_begun && old.may_go() {
            self.state.earlier_requests.push(old);
        }
    }

    /// Makes the answer about this request.
    pub(super) fn about(&mut self, request: &ApprovalRequest) {
        self.subject.digest = Some(request.digest.clone());
        self.subject.commit.clone_from(&request.commit);
        self.subject.tag.clone_from(&request.tag);
        self.subject.request = Some(request.id.clone());
        self.subject.changes.clone_from(&request.changes);
    }

    /// A notice about the image that this look is about.
    pub(super) fn notice(&self, outcome: Outcome, reason: &str, by: &str) -> Notice {
        let running = self.state.running.as_ref();
        Notice {
            digest: self.subject.digest.clone(),
            commit: self.subject.commit.clone(),
            tag: self.subject.tag.clone(),
            previous_tag: running.map(|running| running.tag.clone()),
            previous_commit: running.and_then(|running| running.commit.clone()),
            changes: self.subject.changes.clone(),
            note: self.subject.digest.as_ref().and_then(|digest| self.note_of_image(digest)),
            request: self.subject.request.clone(),
            ..Notice::new(outcome, by, reason, self.now)
        }
    }

    /// A notice about this request.
    pub(super) fn notice_of(
        &self,
        request: &ApprovalRequest,
        outcome: Outcome,
        reason: String,
        by: &str,
    ) -> Notice {
        let mut notice = self.notice(outcome, &reason, by);
        notice.digest = Some(request.digest.clone());
        notice.commit.clone_from(&request.commit);
        notice.tag.clone_from(&request.tag);
        notice.request = Some(request.id.clone());
        notice.expires_at = Some(request.expires_at);
        notice.changes = Vec::new();
        notice.note.clone_from(&request.note);
        notice.notes.clone_from(&request.notes);
        notice
    }

    /// Queues a notice, which is sent once the state is written. The request that it is about shows
    /// the same.
    pub(super) fn announce(&mut self, mut notice: Notice) {
        self.state.note(&notice);
        let runs = notice.digest.as_ref().is_some_and(|digest| self.runs(digest));
        let about = notice.request.as_ref();
        let request = self.state.all_requests().find(|request| Some(&request.id) == about);
        notice.thread =
            request.and_then(|request| request.thread(notice.outcome, runs)).map(Box::new);
        self.state.untold.push(notice);
    }
}
