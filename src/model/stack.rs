//! A CloudFormation stack as it was just read, and how each update ended by its events. No I/O
//! here.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::Token;

/// The part of `DescribeStacks`' answer that a promotion needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// The stack's ARN.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `StackStatus`, as CloudFormation writes it.
    pub status: String,
    /// When it was last created or updated; its resources are the same until then.
    pub updated_at: Option<Timestamp>,
    /// The stack this one is nested in.
    pub parent: Option<String>,
    /// The service role that CloudFormation updates it with.
    pub role: Option<String>,
    /// All parameters, in the order they came. NoEcho ones read `****`.
    pub parameters: Vec<Parameter>,
    /// Capabilities it was last updated with.
    pub capabilities: Vec<String>,
}

/// One parameter of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in the template.
    pub key: String,
    /// What it was set to.
    pub value: String,
    /// The value that an SSM-typed one resolved to; `None` for every other type.
    pub resolved: Option<String>,
}

/// The state of a stack, by what can be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// An update may be sent, and the parameters are those that run.
    AtRest,
    /// An operation is under way and ends by itself.
    Busy,
    /// At rest, but a person must first repair the stack or finish making it.
    Broken,
    /// It is under review or being deleted. Waiting for it is useless.
    Leaving,
    /// Deleted.
    Gone,
}

impl Stack {
    /// The value of a parameter, `None` where the stack has no such parameter.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.parameters.iter().find(|p| p.key == key).map(|p| p.value.as_str())
    }

    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html>
    pub fn phase(&self) -> Phase {
        match self.status.as_str() {
            "CREATE_COMPLETE"
            | "UPDATE_COMPLETE"
            | "UPDATE_ROLLBACK_COMPLETE"
            | "IMPORT_COMPLETE"
            | "IMPORT_ROLLBACK_COMPLETE" => Phase::AtRest,
            "REVIEW_IN_PROGRESS" | "DELETE_IN_PROGRESS" => Phase::Leaving,
            "DELETE_COMPLETE" => Phase::Gone,
            status if status.ends_with("_IN_PROGRESS") => Phase::Busy,
            _ => Phase::Broken,
        }
    }
}

/// One row of `DescribeStackEvents`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackEvent {
    /// When.
    pub at: Timestamp,
    /// The token of the operation that caused it; absent where the caller sent none.
    pub token: Option<String>,
    /// Whether it is about the stack itself and not about one of its resources.
    pub is_stack: bool,
    /// The resource's logical name and type, for messages.
    pub resource: String,
    /// `ResourceStatus`.
    pub status: String,
    /// `ResourceStatusReason`.
    pub reason: Option<String>,
}

impl StackEvent {
    /// Whether its token has the form of those of ecr-promoter.
    pub fn may_be_ours(&self) -> bool {
        self.token.as_deref().is_some_and(|token| token.starts_with(Token::PREFIX))
    }

    /// Whether this update, or the call that cancelled it, caused the event.
    pub fn is_of(&self, token: &Token) -> bool {
        self.token
            .as_deref()
            .is_some_and(|its| its == token.as_str() || its == token.of_cancel().as_str())
    }
}

/// The end of one update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateEnd {
    /// CloudFormation accepted it, and no event says that it has ended.
    Running,
    /// It succeeded.
    Complete,
    /// It failed, and the stack was rolled back or is stuck; with CloudFormation's first reason.
    Failed(String),
    /// The events that were read do not reach back to the update, so they do not show whether
    /// CloudFormation accepted it.
    Unknown,
}

/// The goal of reading a stack's events, which are read from the newest back until it is reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventsWanted {
    /// Updates whose first event is looked for.
    pub starts_of: Vec<Token>,
    /// Events older than this are not needed for that; `None` where no update is looked for.
    pub since: Option<Timestamp>,
}

/// A stack's events, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StackEvents {
    /// The events.
    pub list: Vec<StackEvent>,
    /// Whether reading stopped before its goal: older events may say more.
    pub is_cut: bool,
}

impl From<Vec<StackEvent>> for StackEvents {
    fn from(list: Vec<StackEvent>) -> Self {
        Self { list, is_cut: false }
    }
}

/// Statuses of the stack with which an operation begins. A rollback is part of the operation that
/// it undoes.
const STARTS: [&str; 5] = [
    "CREATE_IN_PROGRESS",
    "UPDATE_IN_PROGRESS",
    "IMPORT_IN_PROGRESS",
    "DELETE_IN_PROGRESS",
    "REVIEW_IN_PROGRESS",
];
/// Statuses of the stack with which an operation ends that succeeded.
const COMPLETE: [&str; 3] = ["UPDATE_COMPLETE", "CREATE_COMPLETE", "IMPORT_COMPLETE"];

impl StackEvent {
    fn is_start(&self) -> bool {
        self.is_stack && STARTS.contains(&self.status.as_str())
    }

    fn is_end(&self) -> bool {
        self.is_stack && !self.status.ends_with("_IN_PROGRESS")
    }
}

impl StackEvents {
    /// Returns how the update with this token ended; `None` if CloudFormation never accepted it. A
    /// stack runs one operation at a time, so the first end after the update's start is its end.
    /// That event may have another token: a cancel in the console has its own, or none.
    pub fn end_of(&self, token: &Token) -> Option<UpdateEnd> {
        let Some(start) = self.list.iter().position(|event| event.is_start() && event.is_of(token))
        else {
            return self.end_without_start(token);
        };
        let newer = &self.list[..start];
        let oldest_first = |wanted: fn(&StackEvent) -> bool| newer.iter().rposition(wanted);
        let end = oldest_first(StackEvent::is_end)
            .filter(|end| oldest_first(StackEvent::is_start).is_none_or(|other| *end > other));
        Some(end.map_or(UpdateEnd::Running, |end| self.judge(end, start)))
    }

    /// Says why CloudFormation is rolling back the update with this token; `None` if it is not.
    pub fn goes_back(&self, token: &Token) -> Option<String> {
        self.under_way().filter(|start| start.is_of(token))?;
        let start = self.list.iter().position(StackEvent::is_start)?;
        let is_taken_back = self.list[..start]
            .iter()
            .any(|event| event.is_stack && event.status.contains("ROLLBACK"));
        is_taken_back.then(|| first_failure(&self.list[..=start]))
    }

    /// Returns how an update ended whose first event was not found.
    fn end_without_start(&self, token: &Token) -> Option<UpdateEnd> {
        let Some(oldest) = self.list.iter().rposition(|event| event.is_of(token)) else {
            return self.is_cut.then_some(UpdateEnd::Unknown);
        };
        let end = self.list[..=oldest].iter().rposition(StackEvent::is_end);
        Some(end.map_or(UpdateEnd::Running, |end| self.judge(end, oldest)))
    }

    fn judge(&self, end: usize, start: usize) -> UpdateEnd {
        if COMPLETE.contains(&self.list[end].status.as_str()) {
            UpdateEnd::Complete
        } else {
            UpdateEnd::Failed(first_failure(&self.list[end..=start]))
        }
    }

    /// The start of the operation that is under way; `None` where the newest operation has ended.
    pub fn under_way(&self) -> Option<&StackEvent> {
        let newest = self.list.iter().find(|event| event.is_start() || event.is_end())?;
        newest.is_start().then_some(newest)
    }

    /// The newest operation that succeeded. The parameters at rest come from it.
    pub fn newest_complete(&self) -> Option<&StackEvent> {
        self.list.iter().find(|event| event.is_stack && COMPLETE.contains(&event.status.as_str()))
    }

    /// Whether these events are enough, so that no older ones are needed.
    pub fn tell(&self, wanted: &EventsWanted) -> bool {
        let tells_what_runs =
            match self.list.iter().find(|event| event.is_start() || event.is_end()) {
                None => false,
                Some(event) if event.is_start() => true,
                Some(_) => self.newest_complete().is_some(),
            };
        let is_old_enough = wanted
            .since
            .is_some_and(|since| self.list.last().is_some_and(|oldest| oldest.at < since));
        let has_start_of =
            |token: &Token| self.list.iter().any(|event| event.is_start() && event.is_of(token));
        tells_what_runs && (is_old_enough || wanted.starts_of.iter().all(has_start_of))
    }

    /// The progress of the present operation: how many resources it has started with, and how many
    /// of them are done.
    pub fn progress(&self) -> Option<(usize, usize)> {
        self.under_way()?;
        let start = self.list.iter().position(StackEvent::is_start)?;
        let mut newest = BTreeMap::new();
        for event in self.list[..start].iter().filter(|event| !event.is_stack) {
            newest.entry(event.resource.as_str()).or_insert(event.status.as_str());
        }
        Some((newest.len(), newest.values().filter(|status| status.ends_with("_COMPLETE")).count()))
    }
}

/// Returns CloudFormation's reason for the first failure in an operation, whose events come newest
/// first. It skips a resource that only failed because another one failed.
fn first_failure(operation: &[StackEvent]) -> String {
    let telling = |event: &&StackEvent| {
        event.reason.as_deref().is_some_and(|r| !r.is_empty() && !r.contains("update cancelled"))
    };
    let oldest_first = || operation.iter().rev().filter(telling);
    let failure = oldest_first().find(|event| !event.is_stack && event.status.ends_with("_FAILED"));
    let on_stack = || {
        oldest_first().find(|event| {
            event.is_stack
                && (event.status.contains("ROLLBACK") || event.status.ends_with("_FAILED"))
        })
    };
    match failure.or_else(on_stack) {
        Some(event) if event.is_stack => event.reason.clone().unwrap_or_default(),
        Some(event) => {
            format!("{}: {}", event.resource, event.reason.as_deref().unwrap_or_default())
        }
        None => "CloudFormation gave no reason; see the stack's events".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn event(token: &str, resource: &str, status: &str, reason: &str) -> StackEvent {
        StackEvent {
            at: Timestamp::UNIX_EPOCH,
            token: Some(token.to_owned()),
            is_stack: resource == "web",
            resource: resource.to_owned(),
            status: status.to_owned(),
            reason: (!reason.is_empty()).then(|| reason.to_owned()),
        }
    }

    fn newest_first(mut events: Vec<StackEvent>) -> StackEvents {
        events.reverse();
        events.into()
    }

    fn token(text: &str) -> Token {
        text.parse().expect("valid")
    }

    #[test]
    fn an_update_without_events_was_never_taken() {
        let events = newest_first(vec![event("theirs", "web", "UPDATE_COMPLETE", "")]);
        assert_eq!(events.end_of(&token("ours")), None);
        assert_eq!(events.end_of(&token("theirs")), Some(UpdateEnd::Complete));
    }

    #[test]
    fn clean_up_is_not_the_end() {
        let events = newest_first(vec![
            event("ours", "web", "UPDATE_IN_PROGRESS", "User Initiated"),
            event("ours", "web", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", ""),
        ]);
        assert_eq!(events.end_of(&token("ours")), Some(UpdateEnd::Running));
    }

    #[test]
    fn a_rollback_tells_the_first_failure_and_not_its_echo() {
        let events = newest_first(vec![
            event("ours", "web", "UPDATE_IN_PROGRESS", "User Initiated"),
            event(
                "ours",
                "Alarm (AWS::CloudWatch::Alarm)",
                "UPDATE_FAILED",
                "Resource update cancelled",
            ),
            event("ours", "Service (AWS::ECS::Service)", "UPDATE_FAILED", "circuit breaker"),
            event(
                "ours",
                "web",
                "UPDATE_ROLLBACK_IN_PROGRESS",
                "The following resource(s) failed to update: [Service].",
            ),
            event("ours", "web", "UPDATE_ROLLBACK_COMPLETE", ""),
        ]);
        assert_eq!(
            events.end_of(&token("ours")),
            Some(UpdateEnd::Failed("Service (AWS::ECS::Service): circuit breaker".to_owned()))
        );
    }

    #[test]
    fn an_alarm_or_a_cancel_is_told_in_the_words_on_the_stack() {
        let events = newest_first(vec![
            event("ours", "web", "UPDATE_IN_PROGRESS", "User Initiated"),
            event("ours", "web", "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated rollback"),
            event("ours", "web", "UPDATE_ROLLBACK_COMPLETE", ""),
        ]);
        assert_eq!(
            events.end_of(&token("ours")),
            Some(UpdateEnd::Failed("User Initiated rollback".to_owned()))
        );
    }

    fn by(token: Option<&str>, status: &str, reason: &str) -> StackEvent {
        StackEvent { token: token.map(str::to_owned), ..event("", "web", status, reason) }
    }

    #[test]
    fn the_first_end_after_its_start_ends_the_update() {
        for cancels in [None, Some("Console-CancelUpdateStack-1")] {
            let mut events = vec![
                by(Some("ours"), "UPDATE_IN_PROGRESS", "User Initiated"),
                event("ours", "Service (AWS::ECS::Service)", "UPDATE_IN_PROGRESS", ""),
                by(cancels, "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated"),
            ];
            assert_eq!(
                newest_first(events.clone()).end_of(&token("ours")),
                Some(UpdateEnd::Running)
            );
            events.push(by(cancels, "UPDATE_ROLLBACK_COMPLETE", ""));
            let failed = Some(UpdateEnd::Failed("User Initiated".to_owned()));
            assert_eq!(newest_first(events.clone()).end_of(&token("ours")), failed);
            // Later events belong to another operation.
            events.extend([
                by(None, "UPDATE_IN_PROGRESS", "User Initiated"),
                by(None, "UPDATE_COMPLETE", ""),
            ]);
            assert_eq!(newest_first(events.clone()).end_of(&token("ours")), failed);
            assert_eq!(newest_first(events).newest_complete().expect("one").token, None);
        }
    }

    #[test]
    fn events_that_do_not_reach_back_to_an_update_do_not_deny_it() {
        let theirs = vec![by(Some("theirs"), "UPDATE_COMPLETE", "")];
        let cut = StackEvents { list: theirs.clone(), is_cut: true };
        assert_eq!(cut.end_of(&token("ours")), Some(UpdateEnd::Unknown));
        assert_eq!(cut.end_of(&token("theirs")), Some(UpdateEnd::Complete));
        assert_eq!(StackEvents::from(theirs).end_of(&token("ours")), None);
    }

    #[test]
    fn events_are_read_back_until_they_tell_what_runs_and_what_is_looked_for() {
        let wanted = |starts: &[&str]| EventsWanted {
            starts_of: starts.iter().map(|text| token(text)).collect(),
            since: None,
        };
        let mut events = newest_first(vec![event(
            "ours",
            "Service (AWS::ECS::Service)",
            "UPDATE_IN_PROGRESS",
            "",
        )]);
        assert!(!events.tell(&wanted(&[])), "resources alone tell nothing of the stack");
        events.list.push(by(Some("ours"), "UPDATE_IN_PROGRESS", ""));
        assert!(events.tell(&wanted(&["ours"])) && !events.tell(&wanted(&["ours", "older"])));
        let later = EventsWanted {
            since: Some(Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(1)),
            ..wanted(&["older"])
        };
        assert!(events.tell(&later), "nothing older than that is needed");
        let went_back = newest_first(vec![
            by(Some("ours"), "UPDATE_IN_PROGRESS", ""),
            by(None, "UPDATE_ROLLBACK_COMPLETE", ""),
        ]);
        assert!(!went_back.tell(&wanted(&["ours"])), "what runs comes from an older operation");
        assert!(went_back.under_way().is_none() && events.under_way().is_some());
    }

    #[test]
    fn progress_counts_the_resources_of_the_newest_operation() {
        let events = newest_first(vec![
            event("before", "Queue (AWS::SQS::Queue)", "UPDATE_COMPLETE", ""),
            event("ours", "web", "UPDATE_IN_PROGRESS", "User Initiated"),
            event("ours", "Task (AWS::ECS::TaskDefinition)", "UPDATE_IN_PROGRESS", ""),
            event("ours", "Task (AWS::ECS::TaskDefinition)", "UPDATE_COMPLETE", ""),
            event("ours", "Service (AWS::ECS::Service)", "UPDATE_IN_PROGRESS", ""),
        ]);
        assert_eq!(events.progress(), Some((2, 1)));
        assert_eq!(StackEvents::default().progress(), None);
    }

    #[test]
    fn only_five_states_take_an_update() {
        let phase = |status: &str| samples::stack(status).phase();
        assert_eq!(phase("UPDATE_ROLLBACK_COMPLETE"), Phase::AtRest);
        assert_eq!(phase("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), Phase::Busy);
        assert_eq!(phase("ROLLBACK_COMPLETE"), Phase::Broken);
        assert_eq!(phase("UPDATE_ROLLBACK_FAILED"), Phase::Broken);
        assert_eq!(phase("REVIEW_IN_PROGRESS"), Phase::Leaving);
        assert_eq!(phase("DELETE_COMPLETE"), Phase::Gone);
    }
}
