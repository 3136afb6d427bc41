//! Asks people, and keeps what they say. Of two decisions, the one that is written first stands:
//! each is a conditional write of the state. The configuration says who may decide, and Slack's
//! signature proves who somebody is.

use jiff::SignedDuration;

use super::change_set::mark_of;
use super::draft::Draft;
use super::promotion::Wanted;
use super::{Decided, Step, named};
use crate::model::answer::Outcome;
use crate::model::approval::{ApprovalRequest, Progress, Vote};
use crate::model::change_set::ChangeSet;
use crate::model::command::{Choice, Command, ImageRef, SlackOrigin, Standing, Via};
use crate::model::config::{App, Policy};
use crate::model::image::production_tag;
use crate::model::notice::Notice;
use crate::model::promotion::{Basis, End, Promotion};
use crate::model::stack::Phase;
use crate::model::{Digest, RequestId, Token};

impl<'a> Draft<'a> {
    /// Ends the request that nobody decided on in time, or whose candidate is the newest image no
    /// more.
    pub(super) fn retire_request(&mut self) -> Decided<()> {
        // A question of another app's that somebody put here decides nothing.
        let is_foreign = |request: &ApprovalRequest| {
            request.repository.as_ref().is_some_and(|its| *its != self.app.repository)
        };
        if self.state.request.as_ref().is_some_and(is_foreign) {
            self.state.request = None;
        }
        self.recount_votes()?;
        let channel = &self.app.config.approval.slack_channel;
        if let Some(unseen) = self
            .state
            .request
            .as_mut()
            .filter(|request| request.posted.is_none() && !request.progress.is_final())
        {
            // The channel may have been misspelt, or not there yet, when people were asked.
            unseen.channel.clone_from(channel);
        }
        let Some(request) = self.state.request.clone() else { return Ok(()) };
        // State and tags are read side by side: where people were asked after this look began, the
        // tags may be older.
        if Some(&request.digest) != self.seen.newest.as_ref() && request.at > self.now {
            self.look_again()?;
        }
        if request.has_expired(self.now) {
            let reason = format!(
                "nobody decided on it until {:.0}: `ask {}` asks again",
                request.expires_at, self.app.repository
            );
            let notice = self.notice_of(&request, Outcome::Expired, reason, "schedule");
            self.announce(notice);
        }
        // It got there another way: by hand, or promoted before people had decided.
        let is_begun = self.state.open.iter().any(|open| open.digest == request.digest);
        if self.runs(&request.digest)
            && !is_begun
            && let Some(request) =
                self.state.request_mut(&request.id).filter(|request| !request.progress.is_final())
        {
            request.progress = Progress::Deployed(None);
        }
        if Some(&request.digest) != self.seen.newest.as_ref() {
            self.replace_request(None);
        }
        Ok(())
    }

    /// Takes an approval back if the policy has become stricter since and votes are missing now,
    /// unless CloudFormation has begun the update.
    fn recount_votes(&mut self) -> Decided<()> {
        let Some(request) = self.state.request.clone().filter(ApprovalRequest::may_go) else {
            return Ok(());
        };
        let policy = self.policy(Some(&request));
        if request.approvers(&policy).len() >= policy.required as usize {
            return Ok(());
        }
        let own = |open: &&Promotion| {
            open.request.as_ref() == Some(&request.id) && open.basis() == Basis::Votes
        };
        for open in self.state.open.clone().iter().filter(own) {
            if self.stack.phase() == Phase::Busy && self.is_accepted(open)? {
                return Ok(());
            }
        }
        if let Some(request) = self.state.request.as_mut() {
            request.is_approved = false;
            request.progress = Progress::Pending;
        }
        Ok(())
    }

    /// Puts another request, or none, in the place of the present one, whose message is yet to say
    /// so.
    pub(super) fn replace_request(&mut self, new: Option<ApprovalRequest>) {
        let Some(mut old) = std::mem::replace(&mut self.state.request, new) else { return };
        let is_begun = self.state.open.iter().any(|open| open.request.as_ref() == Some(&old.id));
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

    /// Takes back what people approved, unless CloudFormation has it already: a person wants
    /// something else, or nothing.
    pub(super) fn withdraw(&mut self, reason: &str, by: &str) -> Decided<Option<ApprovalRequest>> {
        let Some(request) = self.state.request.clone().filter(ApprovalRequest::may_go) else {
            return Ok(None);
        };
        for open in
            self.state.open.clone().iter().filter(|open| open.request.as_ref() == Some(&request.id))
        {
            if self.stack.phase() == Phase::Busy && self.is_accepted(open)? {
                return Ok(None);
            }
            self.end(open, End::Cancelled, reason);
        }
        let notice = self.notice_of(&request, Outcome::Cancelled, reason.to_owned(), by);
        self.announce(notice);
        self.state.passed_over = Some(request.digest.clone());
        self.state.waiting = None;
        Ok(Some(request))
    }

    /// What the present candidate's request has come to, if that ends a look: it waits, or somebody
    /// said no.
    pub(super) fn verdict(&mut self) -> Option<Step> {
        let request = self.state.request.clone()?;
        self.about(&request);
        match &request.progress {
            Progress::Pending => Some(self.nothing(
                Outcome::ApprovalRequested,
                format!("{}: {}", request.why, self.how_to_approve(&request)),
            )),
            Progress::Rejected => Some(self.nothing(Outcome::Rejected, rejected(&request))),
            Progress::Expired => Some(self.nothing(Outcome::Expired, self.expired())),
            Progress::Approved
            | Progress::Waiting(_)
            | Progress::Deploying
            | Progress::Deployed(_)
            | Progress::Failed(_)
            | Progress::Cancelled(_)
            | Progress::Superseded => None,
        }
    }

    /// Asks people, once for each candidacy.
    pub(super) fn ask(mut self, digest: &Digest) -> Decided {
        self.supersede_others(None, false)?;
        // Nothing waits for the stack: it waits for people.
        self.state.waiting = None;
        if let Some(verdict) = self.verdict() {
            return Ok(verdict);
        }
        let why = match &self.state.hold {
            Some(hold) => format!("the app is held by {} ({})", hold.by, hold.reason),
            None => "the app's mode is `approval`".to_owned(),
        };
        self.ask_anew(digest, why, "push")
    }

    /// `ask`: a new request for the candidate, whatever became of the one before.
    pub(super) fn ask_on_purpose(mut self, command: &Command) -> Decided {
        let Some(newest) = self.seen.newest.clone() else { return Ok(self.no_candidate()) };
        if self.runs(&newest) || self.state.request.as_ref().is_some_and(ApprovalRequest::may_go) {
            return self.go_on(&newest, &command.by, command.via);
        }
        let is_its = |request: &&ApprovalRequest| {
            request.digest == newest && request.progress == Progress::Pending
        };
        if let Some(request) = self.state.request.clone().as_ref().filter(is_its) {
            // The votes so far still count: only the question is repeated.
            self.about(request);
            let reason =
                format!("{} asks again: nothing is promoted until somebody says so", command.by);
            let mut notice =
                self.notice_of(request, Outcome::ApprovalRequested, reason.clone(), &command.by);
            notice.changes.clone_from(&request.changes);
            self.announce(notice);
            return Ok(self.nothing(Outcome::ApprovalRequested, reason));
        }
        let why = format!("{} asks", command.by);
        self.ask_anew(&newest, why, &command.by)
    }

    /// The same by the button of a message, which is about this image.
    pub(super) fn ask_again(mut self, command: &Command, digest: &Digest) -> Decided {
        if self.seen.newest.as_ref() != Some(digest) {
            return Ok(self.not_the_candidate());
        }
        if self.state.request.as_ref().is_some_and(|request| request.progress == Progress::Pending)
            && let Some(verdict) = self.verdict()
        {
            return Ok(verdict);
        }
        self.ask_on_purpose(command)
    }

    fn ask_anew(mut self, digest: &Digest, why: String, by: &str) -> Decided {
        let mut request = self.new_request(digest, why)?;
        if self.app.config.guard.is_some() {
            let mut shown = None;
            request.changes = self.preview(&request, &mut shown)?;
            request.shown_changes = shown;
        }
        self.about(&request);
        let reason = format!("{}: nothing is promoted until somebody says so", request.why);
        let mut notice = self.notice_of(&request, Outcome::ApprovalRequested, reason.clone(), by);
        notice.changes.clone_from(&request.changes);
        self.replace_request(Some(request));
        self.announce(notice);
        Ok(self.nothing(Outcome::ApprovalRequested, reason))
    }

    /// Asks people again about an image that they approved, for a new reason.
    pub(super) fn ask_once_more(mut self, digest: &Digest, why: String) -> Decided {
        // The question before is over, and its approval no longer counts.
        if let Some(request) = &mut self.state.request {
            request.is_approved = false;
            request.progress = Progress::Superseded;
        }
        self.ask_anew(digest, why, "ecr-promoter")
    }

    fn new_request(&mut self, digest: &Digest, why: String) -> Decided<ApprovalRequest> {
        let (image, commit) = self.image(digest)?;
        let tag = production_tag(
            &image.digest,
            commit.as_ref(),
            self.tags,
            &self.taken_from(digest),
            &self.app.config,
        );
        // People are told which tag it would get: it has to be free.
        if let Some(tag) = &tag {
            self.holder(tag)?;
        }
        let running = self.state.running.clone();
        let approval = &self.app.config.approval;
        let id = RequestId::of(
            &self.app.repository,
            &self.app.config.stack,
            digest,
            self.state.requests,
        );
        self.state.requests += 1;
        Ok(ApprovalRequest {
            id,
            repository: Some(self.app.repository.clone()),
            digest: digest.clone(),
            commit,
            tag,
            running_tag: running.as_ref().map(|running| running.tag.clone()),
            running_commit: running.as_ref().and_then(|running| running.commit.clone()),
            running_since: running.and_then(|running| running.since),
            at: self.now,
            expires_at: self.now + SignedDuration::from_hours(approval.expires_hours.into()),
            why,
            changes: Vec::new(),
            shown_changes: None,
            policy: Some(self.app.policy()),
            votes: Vec::new(),
            promoted_by: None,
            is_approved: false,
            progress: Progress::Pending,
            channel: approval.slack_channel.clone(),
            posted: None,
            shown: None,
        })
    }

    /// What the promotion would change, by the change set that it would go out as. While the stack
    /// is busy nobody can say.
    fn preview(
        &mut self,
        request: &ApprovalRequest,
        shown: &mut Option<Vec<String>>,
    ) -> Decided<Vec<String>> {
        let Some(tag) = request.tag.clone().filter(|_| self.stack.phase() == Phase::AtRest) else {
            return Ok(Vec::new());
        };
        let token = Token::of(
            &self.app.repository,
            &self.app.config.stack,
            &request.digest,
            &tag,
            self.state.ended,
        );
        let id = self.change_set_of(&token).map(|own| own.id().to_owned()).unwrap_or_default();
        Ok(match self.review_of(&token)? {
            ChangeSet::Absent => return Err(self.ask_for_preview(&self.update(token, tag))),
            ChangeSet::Outdated => return Err(self.make_anew(&id)),
            ChangeSet::Executing => {
                self.look_again()?;
                vec![
                    "CloudFormation is executing another change set: `plan` tells later".to_owned(),
                ]
            }
            ChangeSet::Pending => {
                vec!["CloudFormation is still working that out: `plan` tells".to_owned()]
            }
            ChangeSet::Empty => vec!["nothing, says CloudFormation".to_owned()],
            ChangeSet::Failed(reason) | ChangeSet::Unsure(reason) => {
                vec![format!("CloudFormation cannot say: {reason}")]
            }
            ChangeSet::Ready(changes) => {
                self.note_strays(&changes);
                *shown = Some(changes.lines().iter().map(|line| mark_of(line)).collect());
                changes.lines()
            }
        })
    }

    /// `approve`, and a vote by `promote` in Slack: `is_explicit` then also counts where the
    /// request was rejected or is too old.
    pub(super) fn approve(
        mut self,
        command: &Command,
        digest: &Digest,
        is_explicit: bool,
    ) -> Decided {
        if self.runs(digest) {
            return self.go(digest, &Wanted { is_choice: true, ..Wanted::by_command(command) });
        }
        let begun = self.state.open.iter().find(|open| is_explicit && open.digest == *digest);
        let is_taken_back = begun.map_or(Ok(None), |open| self.goes_back(open))?.is_some();
        let is_over = |request: &ApprovalRequest| {
            is_explicit && (request.progress.is_final() || request.may_go() && is_taken_back)
        };
        if self.state.request.as_ref().is_none_or(is_over) {
            let request =
                self.new_request(digest, format!("{} approved it unasked", command.by))?;
            self.replace_request(Some(request));
        }
        let Some(mut request) = self.state.request.clone() else { return Ok(self.no_candidate()) };
        self.about(&request);
        match &request.progress {
            Progress::Pending => {}
            Progress::Approved | Progress::Waiting(_) | Progress::Deploying if request.may_go() => {
                return self
                    .go(digest, &Wanted::by_approval(&request, command.via, Some(&command.id)));
            }
            Progress::Approved | Progress::Waiting(_) | Progress::Deploying => {
                // Somebody promoted it before people had decided.
                if let Some(open) =
                    self.state.open.iter().find(|open| open.digest == *digest).cloned()
                {
                    return self.go(digest, &Wanted::again(&open));
                }
            }
            Progress::Rejected => return Ok(self.nothing(Outcome::Rejected, rejected(&request))),
            Progress::Expired => return Ok(self.nothing(Outcome::Expired, self.expired())),
            Progress::Deployed(_) => {
                return Ok(self.nothing(
                    Outcome::Unchanged,
                    "it was approved and deployed before".to_owned(),
                ));
            }
            Progress::Failed(reason) => {
                let reason = format!(
                    "it was approved before and failed ({reason}): `promote` tries it again on \
                     purpose"
                );
                return Ok(self.nothing(Outcome::Failed, reason));
            }
            Progress::Cancelled(reason) => {
                let reason = format!(
                    "it was approved before and turned away from ({reason}): `promote` it on \
                     purpose, or `ask` again"
                );
                return Ok(self.nothing(Outcome::Held, reason));
            }
            Progress::Superseded => return Ok(self.not_the_candidate()),
        }
        let vote = self.vote(command, true);
        let has_voted = request.votes.iter().any(|earlier| earlier.is_of_the_same(&vote));
        if !has_voted {
            request.votes.push(vote);
        }
        let policy = self.policy(Some(&request));
        let (have, need) = (request.approvers(&policy).len(), policy.required as usize);
        if have < need {
            let reason = format!("approved by {}: {have} of {need} people", request.who(true));
            self.state.request = Some(request.clone());
            if !has_voted {
                let notice =
                    self.notice_of(&request, Outcome::Approved, reason.clone(), &command.by);
                self.announce(notice);
            }
            return Ok(self.nothing(Outcome::Approved, reason));
        }
        (request.is_approved, request.progress) = (true, Progress::Approved);
        self.state.request = Some(request.clone());
        self.go(
            digest,
            &Wanted {
                is_choice: true,
                ..Wanted::by_approval(&request, command.via, Some(&command.id))
            },
        )
    }

    /// `reject`. What was decided before stands.
    pub(super) fn reject(mut self, command: &Command, digest: &Digest) -> Decided {
        if self.runs(digest) {
            return Ok(self.refused("it runs already: `rollback` goes back"));
        }
        if self.state.request.is_none() {
            let request =
                self.new_request(digest, format!("{} rejected it unasked", command.by))?;
            self.replace_request(Some(request));
        }
        let Some(mut request) = self.state.request.clone() else { return Ok(self.no_candidate()) };
        self.about(&request);
        match &request.progress {
            Progress::Pending | Progress::Expired => {}
            Progress::Rejected => return Ok(self.nothing(Outcome::Rejected, rejected(&request))),
            Progress::Superseded => return Ok(self.not_the_candidate()),
            Progress::Approved | Progress::Waiting(_) | Progress::Deploying => {
                let reason = format!("{} approved it before: `cancel` stops it", request.who(true));
                return Ok(self.nothing(Outcome::Unchanged, reason));
            }
            Progress::Deployed(_) | Progress::Failed(_) | Progress::Cancelled(_) => {
                return Ok(self.nothing(
                    Outcome::Unchanged,
                    "it was decided on before, and that has ended".to_owned(),
                ));
            }
        }
        request.votes.push(self.vote(command, false));
        self.state.request = Some(request.clone());
        let reason = rejected(&request);
        let notice = self.notice_of(&request, Outcome::Rejected, reason.clone(), &command.by);
        self.announce(notice);
        self.supersede_others(None, false)?;
        Ok(self.nothing(Outcome::Rejected, reason))
    }

    /// The candidate, if it is what is named; else the decision ends here.
    pub(super) fn chosen(&mut self, command: &Command, choice: &Choice) -> Decided<Digest> {
        let Some(newest) = self.seen.newest.clone() else { return Err(self.no_candidate()) };
        match choice {
            Choice::Request(id)
                if self.state.request.as_ref().is_some_and(|request| request.id == *id) =>
            {
                Ok(newest)
            }
            // For a click, the request's existence was checked before.
            Choice::Request(id)
                if command.slack.is_some()
                    || self.state.all_requests().any(|request| request.id == *id) =>
            {
                Err(self.not_the_candidate())
            }
            Choice::Request(id) => {
                Err(self.refused(&format!("there is no request {id}, or it ended long ago")))
            }
            Choice::Image(image) => match named(self, Some(image))? {
                Ok(digest) if digest == newest => Ok(newest),
                Ok(digest) => {
                    self.subject.digest = Some(digest);
                    Err(self.not_the_candidate())
                }
                Err(reason) => Err(self.refused(&reason)),
            },
        }
    }

    /// Whether a person in Slack names the candidate, or nothing and so means it.
    pub(super) fn is_candidate(&self, image: Option<&ImageRef>) -> Decided<bool> {
        Ok(match named(self, image)? {
            Ok(digest) => Some(&digest) == self.seen.newest.as_ref(),
            Err(_) => false,
        })
    }

    /// Why SNS, a direct invocation, a link or this person may not decide here, if that is so.
    /// Where nobody is listed now, those count whom the question's own policy lists.
    pub(super) fn identity_objection(&self, command: &Command) -> Option<&'static str> {
        let policy = self.policy(self.state.request.as_ref());
        let is_unlisted = |origin: &SlackOrigin| {
            !policy.approvers.is_empty() && !policy.approvers.contains(&origin.user)
        };
        if command.slack.as_deref().is_some_and(is_unlisted) {
            return Some(
                "the question was asked while `approval.approvers` listed others: they decide on \
                 it",
            );
        }
        identity_objection(&policy, command.slack.as_deref())
    }

    fn vote(&self, command: &Command, approves: bool) -> Vote {
        Vote {
            by: command.by.clone(),
            user: command.slack.as_ref().map(|origin| origin.user.clone()),
            via: command.via,
            approves,
            at: self.now,
            trace: command.trace.clone(),
        }
    }

    pub(super) fn about(&mut self, request: &ApprovalRequest) {
        self.subject.digest = Some(request.digest.clone());
        self.subject.commit.clone_from(&request.commit);
        self.subject.tag.clone_from(&request.tag);
        self.subject.request = Some(request.id.clone());
        self.subject.changes.clone_from(&request.changes);
    }

    fn notice_of(
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
        notice
    }

    fn how_to_approve(&self, request: &ApprovalRequest) -> String {
        if self.policy(Some(request)).needs_identity() {
            return "it waits for people in Slack".to_owned();
        }
        format!(
            "nothing is promoted until somebody says so (`approve {} {}`)",
            self.app.repository, request.digest
        )
    }

    fn expired(&self) -> String {
        format!("nobody decided on it in time: `ask {}` asks again", self.app.repository)
    }

    fn no_candidate(&self) -> Step {
        self.refused(&format!(
            "no image of `{}` has the tag `{}`",
            self.app.repository, self.app.config.source_tag
        ))
    }

    /// What was named is not what would go to production: nothing is decided, and which one it
    /// would be is said.
    fn not_the_candidate(&self) -> Step {
        let candidate = match (&self.state.request, &self.seen.newest) {
            (Some(request), _) => {
                let commit = request
                    .commit
                    .as_ref()
                    .map_or_else(String::new, |commit| format!("commit {commit}, "));
                format!("{commit}{}", request.digest)
            }
            (None, Some(newest)) => newest.to_string(),
            (None, None) => "none".to_owned(),
        };
        let reason = format!(
            "something newer took its place: the candidate is {candidate}. Decide on that one"
        );
        self.nothing(Outcome::Superseded, reason)
    }
}

/// Why a person in Slack may not command an app, if that is so. `by` is what the person is called.
pub fn slack_objection(app: &App, origin: &SlackOrigin, by: &str) -> Option<String> {
    let approval = &app.config.approval;
    if !approval.approvers.is_empty() {
        let is_listed = approval.approvers.contains(&origin.user);
        return (!is_listed).then(|| format!("{by} is not one of the app's `approval.approvers`"));
    }
    if origin.standing == Standing::Organisation {
        return Some(format!(
            "{by} is of another team of the organisation: only people whom `approval.approvers` \
             lists count from there"
        ));
    }
    let Some(channel) = &approval.slack_channel else {
        return Some(format!(
            "`{}` has neither `approval.approvers` nor `approval.slack_channel`: nobody in Slack \
             may command it",
            app.repository
        ));
    };
    (origin.channel.as_ref() != Some(channel))
        .then(|| format!("`{}` is commanded from the channel {channel} only", app.repository))
}

/// Why somebody may not approve or reject, if that is so: who is not known from Slack proves no
/// identity.
pub fn identity_objection(policy: &Policy, slack: Option<&SlackOrigin>) -> Option<&'static str> {
    let is_unproven = policy.needs_identity() && slack.is_none();
    is_unproven.then_some(
        "`approval.approvers` or `approval.required` asks for people whose \
                           identity Slack proves: decide there",
    )
}

impl Vote {
    fn is_of_the_same(&self, other: &Vote) -> bool {
        match (&self.user, &other.user) {
            (Some(user), Some(other)) => user == other,
            (None, None) => self.by == other.by,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

impl Wanted<'_> {
    /// What people approved: it is theirs, and goes as soon as it can.
    pub(super) fn by_approval<'a>(
        request: &ApprovalRequest,
        via: Via,
        command: Option<&'a str>,
    ) -> Wanted<'a> {
        Wanted {
            by: request.who(true).into(),
            via,
            basis: Basis::Votes,
            command,
            is_choice: false,
            // People were asked about this tag too.
            tag: request.tag.clone(),
            avoid: None,
            rolls_back: None,
            rolls_back_digest: None,
            request: Some(request.id.clone()),
        }
    }
}

fn rejected(request: &ApprovalRequest) -> String {
    format!("{} rejected it; an explicit `promote` still works", request.who(false))
}
