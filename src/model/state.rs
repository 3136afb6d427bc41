//! The state of an app between invocations: the `state` item of the table, one `history#…` item for
//! each promotion that ended and one `command#…` item for each command that was carried out. Only
//! conditional writes change it. No I/O here.

mod end;
mod recent;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::recent::Recent;

use crate::model::answer::{Answer, Outcome};
use crate::model::approval::{ApprovalRequest, Posted};
use crate::model::bake::Bake;
use crate::model::command::{Trace, Via};
use crate::model::config::policy::Policy;
use crate::model::ecs::known::KnownServices;
use crate::model::known_change_set::KnownChangeSet;
use crate::model::limits::{
    BY, CHANGE_SETS, EARLIER, TOLD_OF_ALARMS, UNTOLD, UNTOLD_WITH_NOTES, VALUE, VOTES,
    VOTES_OF_AN_EARLIER_REQUEST, cut, keep_newest, kept_reason,
};
use crate::model::notes::{Candidates, CommitNote};
use crate::model::notice::Notice;
use crate::model::promotion::Promotion;
use crate::model::soaking::SeenStage;
use crate::model::verification::Verification;
use crate::model::{Commit, Digest, RequestId, Token};

/// The most images with an alarm that the state remembers.
const ALARMED: usize = 20;
/// The state of one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The stack, as the configuration writes it. With another stack, the app counts as new.
    pub stack: String,
    /// The stack's id. Unlike its name, it changes when the stack is deleted and made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_id: Option<String>,
    /// The configured stack parameter.
    pub parameter: String,
    /// The number of promotions that have ended. It makes each token different.
    pub ended: u64,
    /// The tag and image that run; `None` until the stack was seen at rest.
    pub running: Option<Running>,
    /// The image that ran when the app was first seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_ran: Option<Digest>,
    /// The tag that ran when the app was first seen, until it is known which image that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_tag: Option<String>,
    /// The policy at the last look. People are notified when it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// The account, region and registry at the last look, where they are not the function's own.
    /// People are notified when they change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Set while the running tag is not on the image that was promoted. People were told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_tag: Option<MovedTag>,
    /// Promotions that have not ended: at most one that CloudFormation is carrying out, and one
    /// that waits behind it.
    #[serde(default)]
    pub open: Vec<Promotion>,
    /// The promotion that CloudFormation has finished, while it is verified that ECS runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifying: Option<Verification>,
    /// The stack's services that run the app's images, and what they were last seen running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<KnownServices>,
    /// The promotion that was deployed, while alarms are watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bake: Option<Bake>,
    /// Images for which an alarm went off in their bake. No later stage follows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarmed: Vec<Digest>,
    /// The earlier stage, as this app last saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<SeenStage>,
    /// The last candidates, with what they say about their commits.
    #[serde(default, skip_serializing_if = "Candidates::is_empty")]
    pub candidates: Candidates,
    /// The last ones that ended. Earlier ones are in the history alone.
    #[serde(default)]
    pub recent: Vec<Recent>,
    /// Images whose promotion failed: automation does not try them again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Digest>,
    /// A candidate that a person cancelled or rolled back: automation waits for a newer one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed_over: Option<Digest>,
    /// The candidate that was there when the schedule first saw the app: only its own push promotes
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Digest>,
    /// While set, automation asks for approval instead of deploying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// The request about the present candidate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<ApprovalRequest>,
    /// Earlier requests whose message in Slack does not yet show how they ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier_requests: Vec<ApprovalRequest>,
    /// The number of requests so far. It makes each id different.
    #[serde(default)]
    pub requests: u64,
    /// Set while automation waits for the stack, or for a person to repair it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// Why the app cannot be looked at, once people were notified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// Notices that have not been sent yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untold: Vec<Notice>,
    /// Change sets that may be on the stack, to be removed when they are no longer needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub change_sets: Vec<KnownChangeSet>,
}

/// The tag and image that a stack runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The parameter's value. It can be any text, since people may set it by hand.
    pub tag: String,
    /// The image that the tag is on.
    pub digest: Option<Digest>,
    /// Its commit, where known.
    pub commit: Option<Commit>,
    /// What it says about its commit, where that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<CommitNote>,
    /// Since when, where known.
    pub since: Option<Timestamp>,
    /// Who promoted it.
    pub by: String,
}

/// A running production tag that somebody put on another image, or took away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedTag {
    /// The tag.
    pub tag: String,
    /// The image that it was found on.
    pub to: Option<Digest>,
}

/// A person's order that automation must not deploy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Who.
    pub by: String,
    /// Since when.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

impl Hold {
    /// Cuts it to the limits of what is kept.
    fn limit(&mut self) {
        self.by = cut(&self.by, BY);
        self.reason = kept_reason(&self.reason);
    }

    /// Whether a rollback holds the app, and nobody has held it since.
    pub fn is_way_back(&self) -> bool {
        self.reason.starts_with("rolled back from ")
    }

    /// The person's reason for the rollback that holds the app, if one was given.
    pub fn why_back(&self) -> Option<&str> {
        let (_, why) = self.reason.strip_prefix("rolled back from `")?.split_once("`: ")?;
        Some(why)
    }

    /// Whether an alarm that went off in a bake holds the app.
    pub fn is_by_alarm(&self) -> bool {
        self.by.starts_with("alarm `")
    }
}

/// The wait of automation for a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Since when.
    pub since: Timestamp,
    /// `queued` behind the stack, or `blocked` until a person repairs it.
    pub outcome: Outcome,
    /// Why, in the words that people were notified with.
    #[serde(default)]
    pub reason: String,
}

/// A command that was carried out: a `command#…` item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRecord {
    /// Its id.
    pub id: String,
    /// When it was first seen.
    pub at: Timestamp,
    /// The words of the command. An older version did not write them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// Who sent it. An older version did not write this and the next three.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The way that it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    /// The Slack user id, where Slack's signature proves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where it came from, if it came by a link or a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
    /// The promotion that it asked for.
    #[serde(default)]
    pub token: Option<Token>,
    /// Whether it began that promotion.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub began: bool,
    /// Its answer. Absent, and not null, while it is not known: the table's conditions check
    /// whether it exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

impl CommandRecord {
    /// Whether it began a promotion, which then tells of it.
    pub fn is_in_history(&self) -> bool {
        let is_older = self.via.is_none();
        let cancels = self.what.as_ref().is_some_and(|what| what.starts_with("cancel"));
        self.began || is_older && self.token.is_some() && !cancels
    }
}

impl State {
    /// Cuts the state to the limits of what is kept.
    pub fn within_limits(mut self) -> Self {
        keep_newest(&mut self.untold, UNTOLD);
        self.untold = self.untold.into_iter().map(Notice::within_limits).collect();
        // Where many wait, the topic cannot be reached: the older ones go without their commits,
        // and Slack was told of them.
        for notice in self.untold.iter_mut().rev().skip(UNTOLD_WITH_NOTES) {
            notice.notes = None;
            notice.thread = None;
        }
        keep_newest(&mut self.earlier_requests, EARLIER);
        // The approved request that waits, at most one, keeps the lines that people were shown:
        // they are compared with the update's.
        let waiting = self.earlier_requests.iter().rposition(ApprovalRequest::may_go);
        for (n, request) in self.earlier_requests.iter_mut().enumerate() {
            request.changes.clear();
            request.notes = None;
            request.policy = None;
            request.shown_changes = request.shown_changes.take().filter(|_| waiting == Some(n));
            keep_newest(&mut request.votes, VOTES_OF_AN_EARLIER_REQUEST);
            request.limit();
        }
        if let Some(request) = &mut self.request {
            keep_newest(&mut request.votes, VOTES);
            request.limit();
        }
        keep_newest(&mut self.change_sets, CHANGE_SETS);
        keep_newest(&mut self.alarmed, ALARMED);
        self.open = self.open.into_iter().map(Promotion::within_limits).collect();
        self.verifying = self.verifying.map(Verification::within_limits);
        if let Some(bake) = &mut self.bake {
            keep_newest(&mut bake.told, TOLD_OF_ALARMS);
            bake.told.iter_mut().for_each(|told| *told = cut(told, VALUE));
        }
        for Recent { previous_tag, reason, .. } in &mut self.recent {
            *previous_tag = cut(previous_tag, VALUE);
            *reason = kept_reason(reason);
        }
        if let Some(running) = &mut self.running {
            running.by = cut(&running.by, BY);
            running.digest.iter().for_each(|runs| self.candidates.forget_old(runs));
        }
        self.hold.iter_mut().for_each(Hold::limit);
        if let Some(waiting) = &mut self.waiting {
            waiting.reason = kept_reason(&waiting.reason);
        }
        self.trouble = self.trouble.as_deref().map(kept_reason);
        self
    }

    /// Makes the state of a new app.
    pub fn new(stack: &str, parameter: &str) -> Self {
        Self {
            stack: stack.to_owned(),
            stack_id: None,
            parameter: parameter.to_owned(),
            ended: 0,
            running: None,
            first_ran: None,
            first_tag: None,
            policy: None,
            target: None,
            moved_tag: None,
            open: Vec::new(),
            verifying: None,
            services: None,
            bake: None,
            alarmed: Vec::new(),
            stage: None,
            candidates: Candidates::default(),
            recent: Vec::new(),
            failed: Vec::new(),
            passed_over: None,
            first_seen: None,
            hold: None,
            request: None,
            earlier_requests: Vec::new(),
            requests: 0,
            waiting: None,
            trouble: None,
            untold: Vec::new(),
            change_sets: Vec::new(),
        }
    }

    /// Makes the state for another stack or parameter in the app's configuration. It drops what
    /// ran, failed or waited on the one before. It keeps people's decisions and the notices that
    /// have not been sent.
    pub fn elsewhere(self, stack: &str, parameter: &str) -> Self {
        Self {
            ended: self.ended,
            requests: self.requests,
            policy: self.policy,
            target: self.target,
            hold: self.hold,
            passed_over: self.passed_over,
            candidates: self.candidates,
            earlier_requests: self.earlier_requests,
            untold: self.untold,
            change_sets: self.change_sets,
            ..Self::new(stack, parameter)
        }
    }

    /// The production tags that the state remembers, each with its image: the running one and those
    /// of promotions that wait or ended lately.
    pub fn recorded(&self) -> impl Iterator<Item = (&str, &Digest)> {
        let running = self
            .running
            .iter()
            .filter_map(|running| Some((running.tag.as_str(), running.digest.as_ref()?)));
        let verifying = self.verifying.iter().map(|verifying| &verifying.promotion);
        let open = self.open.iter().chain(verifying);
        let open = open.map(|open| (open.tag.as_str(), &open.digest));
        let recent = self.recent.iter().rev().map(|recent| (recent.tag.as_str(), &recent.digest));
        running.chain(open).chain(recent)
    }

    /// Whether ECS runs another image than the stack names, as far as was last seen. While a
    /// promotion is being verified, that is not known.
    pub fn runs_elsewhere(&self) -> bool {
        self.verifying.is_none()
            && self
                .services
                .as_ref()
                .is_some_and(|known| known.has_failed || known.elsewhere().next().is_some())
    }

    /// Whether CloudFormation has finished the promotion of this request, and ECS has not.
    pub fn is_verifying(&self, request: &RequestId) -> bool {
        let verifying = self.verifying.as_ref();
        verifying.is_some_and(|verifying| verifying.promotion.request.as_ref() == Some(request))
    }

    /// Whether the state remembers anything besides trouble.
    pub fn has_been_seen(&self) -> bool {
        self.running.is_some()
            || self.first_seen.is_some()
            || self.hold.is_some()
            || self.request.is_some()
            || self.waiting.is_some()
            || !self.open.is_empty()
    }

    /// Whether some work continues by itself, so that the schedule looks at this app more often.
    /// Blocked work does not: a person must act first, and then the stack's own event comes.
    pub fn has_open_work(&self) -> bool {
        let is_queued =
            self.waiting.as_ref().is_some_and(|waiting| waiting.outcome == Outcome::Queued);
        let is_unshown = self.all_requests().any(ApprovalRequest::is_unshown);
        is_queued
            || is_unshown
            || !self.open.is_empty()
            || self.verifying.is_some()
            || self.bake.is_some()
            || !self.untold.is_empty()
            || self.change_sets.iter().any(|own| !own.is_removed)
    }

    /// The present request, then earlier ones.
    pub fn all_requests(&self) -> impl Iterator<Item = &ApprovalRequest> {
        self.request.iter().chain(&self.earlier_requests)
    }

    /// A request by its id, to be changed.
    pub fn request_mut(&mut self, id: &RequestId) -> Option<&mut ApprovalRequest> {
        self.request.iter_mut().chain(&mut self.earlier_requests).find(|request| request.id == *id)
    }

    /// Records a notice in the request that it is about.
    pub fn note(&mut self, notice: &Notice) {
        let Some(request) = notice.request.as_ref().and_then(|id| self.request_mut(id)) else {
            return;
        };
        request.note(notice);
    }

    /// Records that the message in Slack shows the request as it is now.
    pub fn shown(&mut self, id: &RequestId, posted: &Posted) {
        if let Some(request) = self.request_mut(id) {
            request.posted = Some(posted.clone());
            request.shown = Some(request.to_show());
        }
        self.earlier_requests
            .retain(|request| request.is_unshown() || !request.progress.is_final());
    }
}

#[cfg(test)]
mod tests;
