//! A CloudFormation stack as it was just seen, and what its events say of each update. No I/O here.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::Token;

/// What `DescribeStacks` answers, as far as a promotion needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// The stack's ARN.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `StackStatus`, as CloudFormation writes it.
    pub status: String,
    /// The stack this one is nested in.
    pub parent: Option<String>,
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
    /// What an SSM-typed one resolved to; `None` for every other type.
    pub resolved: Option<String>,
}

/// What can be done with a stack now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// An update may be sent, and the parameters are those that run.
    AtRest,
    /// An operation is under way and ends by itself.
    Busy,
    /// A person must mend (or finish making) the stack first; at rest.
    Broken,
    /// It is under review or being deleted: nothing will follow by itself.
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
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE" | "IMPORT_COMPLETE" | "IMPORT_ROLLBACK_COMPLETE" => {
                Phase::AtRest
            }
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
    /// Whether this update, or its cancel, caused it.
    pub fn is_of(&self, token: &Token) -> bool {
        self.token.as_deref().is_some_and(|its| its == token.as_str() || its == token.of_cancel().as_str())
    }
}

/// What became of one update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateEnd {
    /// CloudFormation took it and is still at it.
    Running,
    /// It went through.
    Complete,
    /// It did not, and the stack went back or is stuck; with CloudFormation's first reason.
    Failed(String),
}

/// A stack's events, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StackEvents(pub Vec<StackEvent>);

impl StackEvents {
    /// How the update with this token ended; `None` if CloudFormation never took it.
    pub fn end_of(&self, token: &Token) -> Option<UpdateEnd> {
        let mut own = self.0.iter().filter(|event| event.is_of(token));
        let newest = own.clone().find(|event| event.is_stack);
        own.next()?;
        Some(match newest.map(|event| event.status.as_str()) {
            Some("UPDATE_COMPLETE") => UpdateEnd::Complete,
            Some("UPDATE_ROLLBACK_COMPLETE" | "UPDATE_ROLLBACK_FAILED" | "UPDATE_FAILED") => UpdateEnd::Failed(self.first_failure(token)),
            Some(_) | None => UpdateEnd::Running,
        })
    }

    /// The newest operation on the stack: its token, if it had one.
    pub fn newest(&self) -> Option<&StackEvent> {
        self.0.iter().find(|event| event.is_stack)
    }

    /// The newest operation that went through: the one that the parameters at rest come from.
    pub fn newest_complete(&self) -> Option<&StackEvent> {
        let went_through = ["UPDATE_COMPLETE", "CREATE_COMPLETE", "IMPORT_COMPLETE"];
        self.0.iter().find(|event| event.is_stack && went_through.contains(&event.status.as_str()))
    }

    /// How far the newest operation is: how many resources it has begun with, and how many of them are done.
    pub fn progress(&self) -> Option<(usize, usize)> {
        let token = self.newest()?.token.as_ref()?;
        let mut newest = BTreeMap::new();
        for event in self.0.iter().filter(|event| !event.is_stack && event.token.as_ref() == Some(token)) {
            newest.entry(event.resource.as_str()).or_insert(event.status.as_str());
        }
        Some((newest.len(), newest.values().filter(|status| status.ends_with("_COMPLETE")).count()))
    }

    /// CloudFormation's own words for what went wrong first. What failed because another thing failed says nothing.
    fn first_failure(&self, token: &Token) -> String {
        let own = || self.0.iter().rev().filter(|event| event.is_of(token));
        let telling = |event: &&StackEvent| event.reason.as_deref().is_some_and(|r| !r.is_empty() && !r.contains("update cancelled"));
        let failure = own().filter(telling).find(|event| !event.is_stack && event.status.ends_with("_FAILED"));
        let on_stack = || {
            own().filter(telling).find(|event| event.is_stack && (event.status.contains("ROLLBACK") || event.status.ends_with("_FAILED")))
        };
        match failure.or_else(on_stack) {
            Some(event) if event.is_stack => event.reason.clone().unwrap_or_default(),
            Some(event) => format!("{}: {}", event.resource, event.reason.as_deref().unwrap_or_default()),
            None => "CloudFormation gave no reason; see the stack's events".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        StackEvents(events)
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
            event("ours", "Alarm (AWS::CloudWatch::Alarm)", "UPDATE_FAILED", "Resource update cancelled"),
            event("ours", "Service (AWS::ECS::Service)", "UPDATE_FAILED", "circuit breaker"),
            event("ours", "web", "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update: [Service]."),
            event("ours", "web", "UPDATE_ROLLBACK_COMPLETE", ""),
        ]);
        assert_eq!(events.end_of(&token("ours")), Some(UpdateEnd::Failed("Service (AWS::ECS::Service): circuit breaker".to_owned())));
    }

    #[test]
    fn an_alarm_or_a_cancel_is_told_in_the_words_on_the_stack() {
        let events = newest_first(vec![
            event("ours", "web", "UPDATE_IN_PROGRESS", "User Initiated"),
            event("ours", "web", "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated rollback"),
            event("ours", "web", "UPDATE_ROLLBACK_COMPLETE", ""),
        ]);
        assert_eq!(events.end_of(&token("ours")), Some(UpdateEnd::Failed("User Initiated rollback".to_owned())));
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
        let phase = |status: &str| {
            Stack {
                id: String::new(),
                name: String::new(),
                status: status.to_owned(),
                parent: None,
                parameters: vec![],
                capabilities: vec![],
            }
            .phase()
        };
        assert_eq!(phase("UPDATE_ROLLBACK_COMPLETE"), Phase::AtRest);
        assert_eq!(phase("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), Phase::Busy);
        assert_eq!(phase("ROLLBACK_COMPLETE"), Phase::Broken);
        assert_eq!(phase("UPDATE_ROLLBACK_FAILED"), Phase::Broken);
        assert_eq!(phase("REVIEW_IN_PROGRESS"), Phase::Leaving);
        assert_eq!(phase("DELETE_COMPLETE"), Phase::Gone);
    }
}
