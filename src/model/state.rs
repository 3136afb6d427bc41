//! What is remembered of an app between invocations: the `state` item of the table, one `history#…`
//! item for each promotion that ended and one `command#…` item for each command that acted. Written
//! by conditional writes only. No I/O here.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::config::Mode;
use crate::model::answer::{Answer, Closed, Outcome};
use crate::model::approval::{Posted, Progress, Request, Vote};
use crate::model::{Commit, Digest, RequestId, Tag, Token};

mod limits;

pub use self::limits::kept_reason;

/// How many ended promotions the state itself remembers by token; the rest is in the history items.
const RECENT: usize = 20;
/// How many failed images automation remembers not to retry.
const FAILED: usize = 50;
/// How many times a notice is tried at each look, before the tries become rarer. Lambda delivers a
/// failed event three times, and the schedule looks every five minutes.
const QUICK_TRIES: u32 = 12;
/// The first pause after that. Each further one is twice as long.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(5);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(6);
/// The age at which a notice that could not be sent is given up.
const GIVEN_UP: SignedDuration = SignedDuration::from_hours(72);
/// Well above the function's own time limit.
const LONGEST_STALL: SignedDuration = SignedDuration::from_mins(2);

/// The state of one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The configured stack that this is about, as the configuration writes it. Another stack is a
    /// first sight.
    pub stack: String,
    /// The stack's id. Unlike its name, it tells whether the stack was deleted and made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_id: Option<String>,
    /// The configured parameter that this is about.
    pub parameter: String,
    /// How many promotions have ended; makes each token another one.
    pub ended: u64,
    /// What runs; `None` until the stack was seen at rest.
    pub running: Option<Running>,
    /// The image that ran when the app was first seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_ran: Option<Digest>,
    /// The tag that ran when the app was first seen, until it is known which image that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_tag: Option<String>,
    /// Who decided when the app was last looked at: a change is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Set while the running tag is not on the image that was promoted. People were told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_tag: Option<MovedTag>,
    /// Promotions that have not ended: at most one that CloudFormation is at, and one that waits
    /// behind it.
    #[serde(default)]
    pub open: Vec<Promotion>,
    /// The last ones that ended.
    #[serde(default)]
    pub recent: Vec<Recent>,
    /// Images whose promotion failed: automation does not try them again.
    #[serde(default)]
    pub failed: Vec<Digest>,
    /// A candidate that a person turned away from, by a cancel or a rollback: automation waits for
    /// a newer one.
    #[serde(default)]
    pub passed_over: Option<Digest>,
    /// The candidate that was there when the schedule first saw the app: only its own push promotes
    /// it.
    #[serde(default)]
    pub first_seen: Option<Digest>,
    /// While set, automation asks instead of acting.
    #[serde(default)]
    pub hold: Option<Hold>,
    /// What people are, or were, asked about the present candidate.
    #[serde(default)]
    pub request: Option<Request>,
    /// Earlier requests whose message in Slack does not yet say what became of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier_requests: Vec<Request>,
    /// How many requests there were; makes each id another one.
    #[serde(default)]
    pub requests: u64,
    /// Since when automation waits for the stack or for a person to mend it.
    #[serde(default)]
    pub waiting: Option<Waiting>,
    /// Why the app cannot be looked at, once that was told.
    #[serde(default)]
    pub trouble: Option<String>,
    /// Notices that have not been sent yet.
    #[serde(default)]
    pub untold: Vec<Notice>,
    /// Change sets that may be on the stack, to be removed when they are not needed any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub change_sets: Vec<ChangeSet>,
}

/// A change set that may be on the stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeSet {
    /// The promotion that it is for.
    pub token: Token,
    /// Its random name. An older version did not write it, and named the change set by the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its ARN, as CreateChangeSet answered it. Only the change set with this ARN is the one that
    /// was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// When it was last to be made.
    pub at: Timestamp,
    /// It was removed, but a sandbox that had stalled may have made it after that.
    #[serde(default)]
    pub is_removed: bool,
}

impl ChangeSet {
    /// Its name.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.token.as_str())
    }

    /// Identifies it for a removal: its ARN, or its name where the ARN is not known.
    pub fn id(&self) -> &str {
        self.arn.as_deref().unwrap_or(self.name())
    }

    /// Whether it is so old that no stalled sandbox can still make it.
    pub fn is_settled(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) > LONGEST_STALL
    }
}

/// What a stack runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The parameter's value. Any text: people set it by hand.
    pub tag: String,
    /// The image that the tag is on.
    pub digest: Option<Digest>,
    /// Its commit, where known.
    pub commit: Option<Commit>,
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

/// Through what a promotion came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// A push, in `auto` mode.
    Push,
    /// A look that made good what was missed.
    Schedule,
    /// A message on the approval topic.
    Sns,
    /// A direct invocation.
    Direct,
    /// A person in Slack.
    Slack,
    /// An approval link.
    Link,
}

impl Via {
    /// Whether automation caused it, and no person.
    pub fn is_automation(self) -> bool {
        match self {
            Via::Push | Via::Schedule => true,
            Via::Sns | Via::Direct | Via::Slack | Via::Link => false,
        }
    }
}

/// What a promotion rests on: the right by which it goes into production.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Nobody in particular: a push or the schedule.
    Automation,
    /// `promote` by somebody whom IAM allows to publish or invoke.
    BreakGlass,
    /// One person's command in Slack.
    Person,
    /// People's votes on the request about it.
    Votes,
    /// `rollback`: an image that ran before.
    GoingBack,
    /// Takes back an update of ours that arrived although a newer promotion had replaced it.
    Undoing,
}

/// Who decides about an app, as its configuration says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Whether people are asked.
    pub mode: Mode,
    /// Slack user ids of those who may decide; empty = anyone of the installed team in the app's
    /// channel.
    pub approvers: Vec<String>,
    /// How many different people must approve.
    pub required: u32,
    /// Whether a mail link may decide.
    pub links: bool,
}

impl Policy {
    /// Whether only people whose identity Slack's signature proves may decide.
    pub fn needs_identity(&self) -> bool {
        !self.approvers.is_empty() || self.required > 1
    }

    /// Lists what has changed, each with the value before and now.
    pub fn changes_since(&self, before: &Policy) -> Vec<String> {
        let list = |approvers: &[String]| {
            if approvers.is_empty() {
                "anyone in the channel".to_owned()
            } else {
                approvers.join(", ")
            }
        };
        let may = |links: bool| if links { "may decide" } else { "may not decide" };
        let mode = |mode: Mode| format!("`{mode}`");
        let all = [
            ("mode", mode(before.mode), mode(self.mode)),
            ("approvers", list(&before.approvers), list(&self.approvers)),
            ("people who must approve", before.required.to_string(), self.required.to_string()),
            ("links", may(before.links).to_owned(), may(self.links).to_owned()),
        ];
        let changed = all.into_iter().filter(|(_, before, now)| before != now);
        changed.map(|(what, before, now)| format!("{what}: {before} before, {now} now")).collect()
    }

    /// The stricter of this policy and the one that a question was asked under. The present list of
    /// people counts; where it is empty, the question's own list.
    pub fn or_stricter(self, asked: &Policy) -> Policy {
        Policy {
            mode: if asked.mode == Mode::Approval { Mode::Approval } else { self.mode },
            approvers: if self.approvers.is_empty() {
                asked.approvers.clone()
            } else {
                self.approvers
            },
            required: self.required.max(asked.required),
            links: self.links && asked.links,
        }
    }
}

/// One promotion, from its intent to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// The `ClientRequestToken` of its one update.
    pub token: Token,
    /// The image.
    pub digest: Digest,
    /// Its commit, where it says so.
    pub commit: Option<Commit>,
    /// Its production tag.
    pub tag: Tag,
    /// What ran before. It is written again when the update is sent.
    pub previous_tag: String,
    /// The commit of what ran before, where known.
    pub previous_commit: Option<Commit>,
    /// The image that ran before, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_digest: Option<Digest>,
    /// The stack that it updates.
    pub stack: String,
    /// Who wanted it.
    pub by: String,
    /// Through what.
    pub via: Via,
    /// By what right. An older version did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// When it was decided.
    pub at: Timestamp,
    /// When its update was first about to be sent; absent while it waits for its turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// When CloudFormation was known to have accepted it, and people were told.
    #[serde(default)]
    pub accepted_at: Option<Timestamp>,
    /// The command that asked for it.
    #[serde(default)]
    pub command: Option<String>,
    /// What it rolls back from.
    #[serde(default)]
    pub rolls_back: Option<String>,
    /// The image of that, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolls_back_digest: Option<Digest>,
    /// Who cancelled it.
    #[serde(default)]
    pub cancelled_by: Option<String>,
    /// The request whose approval it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// What people said of the request when it was decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<Vote>,
    /// Change sets of others on its stack, which executing its own deletes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deletes_change_sets: Vec<String>,
}

/// How a promotion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// It runs, or ran.
    Deployed,
    /// CloudFormation rolled it back or refused it.
    Failed,
    /// Something else took its place before it was sent.
    Superseded,
    /// A person cancelled it.
    Cancelled,
    /// It would have touched what it may not touch.
    Blocked,
}

impl End {
    /// The outcome that says so.
    pub fn outcome(self) -> Outcome {
        match self {
            End::Deployed => Outcome::Deployed,
            End::Failed => Outcome::Failed,
            End::Superseded => Outcome::Superseded,
            End::Cancelled => Outcome::Cancelled,
            End::Blocked => Outcome::Blocked,
        }
    }
}

/// A promotion that ended: a `history#…` item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Its number: promotions of this app that ended before it.
    pub number: u64,
    /// What was wanted.
    #[serde(flatten)]
    pub promotion: Promotion,
    /// How it ended.
    pub end: End,
    /// Why, in words.
    pub reason: String,
    /// When that was seen.
    pub ended_at: Timestamp,
}

impl Ended {
    /// Its place in an answer.
    pub fn closed(&self) -> Closed {
        Closed {
            outcome: self.end.outcome(),
            digest: self.promotion.digest.clone(),
            commit: self.promotion.commit.clone(),
            tag: self.promotion.tag.clone(),
            reason: self.reason.clone(),
        }
    }
}

/// What the state itself remembers of a promotion that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// Its token.
    pub token: Token,
    /// Its tag.
    pub tag: Tag,
    /// Its image.
    pub digest: Digest,
    /// Its commit.
    pub commit: Option<Commit>,
    /// What ran before it.
    pub previous_tag: String,
    /// How it ended.
    pub end: End,
    /// Why.
    pub reason: String,
}

/// A person's word that automation must not act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Who.
    pub by: String,
    /// Since when.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// Automation waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Since when.
    pub since: Timestamp,
    /// `queued` behind the stack, or `blocked` until a person mends it.
    pub outcome: Outcome,
    /// Why, as it was told.
    #[serde(default)]
    pub reason: String,
}

/// Something that people are to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The outcome that people are told.
    pub outcome: Outcome,
    /// The image.
    pub digest: Option<Digest>,
    /// Its commit.
    pub commit: Option<Commit>,
    /// Its tag.
    pub tag: Option<Tag>,
    /// What ran before, or runs now.
    pub previous_tag: Option<String>,
    /// The commit of that, where known.
    pub previous_commit: Option<Commit>,
    /// Who or what caused it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When it became so.
    pub at: Timestamp,
    /// How long the promotion took, in seconds.
    #[serde(default)]
    pub took_seconds: Option<i64>,
    /// The tag that a rollback goes back from.
    #[serde(default)]
    pub rolls_back: Option<String>,
    /// What it would change in the stack, where that was looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
    /// The request that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// Until when that can be approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// How often sending it to the notification topic has failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tries: u32,
    /// When it was last tried. The app's Slack channel was told at the first try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried_at: Option<Timestamp>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
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
    /// The promotion that it asked for.
    #[serde(default)]
    pub token: Option<Token>,
    /// What it answered; absent while that is not known, as the table's conditions expect it (a
    /// null would be there).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

impl State {
    /// The state of an app about which nothing is known.
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
            moved_tag: None,
            open: Vec::new(),
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

    /// The state for another stack or parameter in the app's configuration. What ran, failed or
    /// waited on the one before is dropped. What a person decided, and what people are still to be
    /// told, is kept.
    pub fn elsewhere(self, stack: &str, parameter: &str) -> Self {
        Self {
            ended: self.ended,
            requests: self.requests,
            policy: self.policy,
            hold: self.hold,
            passed_over: self.passed_over,
            earlier_requests: self.earlier_requests,
            untold: self.untold,
            change_sets: self.change_sets,
            ..Self::new(stack, parameter)
        }
    }

    /// The production tags that the state remembers, each with its image: of what runs, waits or
    /// has lately ended.
    pub fn recorded(&self) -> impl Iterator<Item = (&str, &Digest)> {
        let running = self
            .running
            .iter()
            .filter_map(|running| Some((running.tag.as_str(), running.digest.as_ref()?)));
        let open = self.open.iter().map(|open| (open.tag.as_str(), &open.digest));
        let recent = self.recent.iter().rev().map(|recent| (recent.tag.as_str(), &recent.digest));
        running.chain(open).chain(recent)
    }

    /// Whether anything but trouble is remembered.
    pub fn has_been_seen(&self) -> bool {
        self.running.is_some()
            || self.first_seen.is_some()
            || self.hold.is_some()
            || self.request.is_some()
            || self.waiting.is_some()
            || !self.open.is_empty()
    }

    /// Whether something is to go on by itself, so that the schedule looks at this app more often.
    /// What is blocked does not: a person must act first, and then the stack's own event comes.
    pub fn has_open_work(&self) -> bool {
        let is_queued =
            self.waiting.as_ref().is_some_and(|waiting| waiting.outcome == Outcome::Queued);
        let is_unshown = self.all_requests().any(Request::is_unshown);
        is_queued
            || is_unshown
            || !self.open.is_empty()
            || !self.untold.is_empty()
            || self.change_sets.iter().any(|own| !own.is_removed)
    }

    /// The present request, then earlier ones.
    pub fn all_requests(&self) -> impl Iterator<Item = &Request> {
        self.request.iter().chain(&self.earlier_requests)
    }

    /// A request by its id, to be changed.
    pub fn request_mut(&mut self, id: &RequestId) -> Option<&mut Request> {
        self.request.iter_mut().chain(&mut self.earlier_requests).find(|request| request.id == *id)
    }

    /// What a notice says of the request that it is about.
    pub fn note(&mut self, notice: &Notice) {
        let Some(request) = notice.request.as_ref().and_then(|id| self.request_mut(id)) else {
            return;
        };
        request.note(notice);
    }

    /// The message of a request shows this now.
    pub fn shown(&mut self, id: &RequestId, posted: &Posted) {
        if let Some(request) = self.request_mut(id) {
            request.posted = Some(posted.clone());
            request.shown = Some(request.face());
        }
        self.earlier_requests
            .retain(|request| request.is_unshown() || !request.progress.is_final());
    }

    /// Ends an open promotion: remembered by its token, and returned for the history.
    pub fn end(
        &mut self,
        promotion: &Promotion,
        end: End,
        reason: impl Into<String>,
        now: Timestamp,
    ) -> Ended {
        let reason = kept_reason(&reason.into());
        self.open.retain(|open| open.token != promotion.token);
        if matches!(end, End::Superseded | End::Blocked) {
            // An earlier candidate's approval came to nothing; what people said of the present one
            // still holds.
            let is_its = |request: &&mut Request| {
                promotion.request.as_ref() == Some(&request.id) && !request.progress.is_final()
            };
            for request in self.earlier_requests.iter_mut().filter(is_its) {
                request.progress = Progress::Superseded;
            }
            if let Some(request) = self
                .request
                .as_mut()
                .filter(|request| promotion.request.as_ref() == Some(&request.id))
            {
                request.step_back();
            }
        }
        let ended = Ended {
            number: self.ended,
            promotion: promotion.clone().within_limits(),
            end,
            reason: reason.clone(),
            ended_at: now,
        };
        self.ended += 1;
        self.recent.push(Recent {
            token: promotion.token.clone(),
            tag: promotion.tag.clone(),
            digest: promotion.digest.clone(),
            commit: promotion.commit.clone(),
            previous_tag: promotion.previous_tag.clone(),
            end,
            reason,
        });
        let surplus = self.recent.len().saturating_sub(RECENT);
        self.recent.drain(..surplus);
        match end {
            End::Deployed => {
                self.failed.retain(|digest| *digest != promotion.digest);
                self.running = Some(Running {
                    tag: promotion.tag.to_string(),
                    digest: Some(promotion.digest.clone()),
                    commit: promotion.commit.clone(),
                    since: Some(now),
                    by: promotion.by.clone(),
                });
            }
            End::Failed => {
                self.failed.retain(|digest| *digest != promotion.digest);
                self.failed.push(promotion.digest.clone());
                let surplus = self.failed.len().saturating_sub(FAILED);
                self.failed.drain(..surplus);
            }
            End::Cancelled | End::Superseded | End::Blocked => {}
        }
        ended
    }
}

impl Notice {
    /// A notice that is about no particular image.
    pub fn new(
        outcome: Outcome,
        by: impl Into<String>,
        reason: impl Into<String>,
        at: Timestamp,
    ) -> Self {
        Self {
            outcome,
            digest: None,
            commit: None,
            tag: None,
            previous_tag: None,
            previous_commit: None,
            by: by.into(),
            reason: reason.into(),
            at,
            took_seconds: None,
            rolls_back: None,
            changes: Vec::new(),
            request: None,
            expires_at: None,
            tries: 0,
            tried_at: None,
        }
    }

    /// Whether to try sending it now: at each look for some tries, then more and more rarely.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let Some(tried_at) = self.tried_at.filter(|_| self.tries >= QUICK_TRIES) else {
            return true;
        };
        let pause = FIRST_PAUSE * 2_i32.pow((self.tries - QUICK_TRIES).min(10));
        now.duration_since(tried_at) >= pause.min(LONGEST_PAUSE)
    }

    /// Whether it has been tried long enough, and is given up.
    pub fn is_given_up(&self, now: Timestamp) -> bool {
        self.tries > QUICK_TRIES && now.duration_since(self.at) > GIVEN_UP
    }

    /// The same after another try that failed.
    pub fn tried_in_vain(mut self, now: Timestamp) -> Self {
        self.tries = self.tries.saturating_add(1);
        self.tried_at = Some(now);
        self
    }
}

impl Promotion {
    /// By what right it goes. For a promotion of an older version, which did not write it, the way
    /// it came tells.
    pub fn basis(&self) -> Basis {
        let by_its_way = || match self.via {
            Via::Push | Via::Schedule => Basis::Automation,
            Via::Sns | Via::Direct | Via::Link => Basis::BreakGlass,
            Via::Slack if self.request.is_some() => Basis::Votes,
            Via::Slack => Basis::Person,
        };
        self.basis.unwrap_or_else(|| {
            if self.rolls_back.is_some() { Basis::GoingBack } else { by_its_way() }
        })
    }

    /// The notice that this promotion has this outcome.
    pub fn notice(&self, outcome: Outcome, reason: impl Into<String>, at: Timestamp) -> Notice {
        Notice {
            digest: Some(self.digest.clone()),
            commit: self.commit.clone(),
            tag: Some(self.tag.clone()),
            previous_tag: Some(self.previous_tag.clone()),
            previous_commit: self.previous_commit.clone(),
            rolls_back: self.rolls_back.clone(),
            request: self.request.clone(),
            ..Notice::new(outcome, self.by.clone(), reason, at)
        }
    }
}
