//! The events of one operation, for updates that are so long that the stack's newest events do not
//! reach back to their start.

use aws_sdk_cloudformation::types::{self as cfn, OperationType};
use tracing::warn;

use super::{EVENT_PAGES, event_of};
use crate::model::stack::{EventsWanted, StackEvent, StackEvents};
use crate::services::failure::failed;
use crate::services::site::Site;

/// The most operations that are looked at. A stack runs one at a time, and few after another come
/// between two looks.
const OPERATIONS: usize = 3;

impl Site<'_> {
    /// Adds the events of the stack's last updates, back to the start of the wanted ones. Where
    /// they cannot be read, the end of an update stays unknown, so a failure is no error.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeEvents.html>
    pub(super) async fn with_operations(
        &self,
        name: &str,
        wanted: &EventsWanted,
        mut events: StackEvents,
    ) -> StackEvents {
        let oldest = events.list.last().map(|event| event.at);
        for operation in self.last_updates(name).await {
            let own = self.events_of(name, &operation).await;
            let is_wanted =
                |event: &StackEvent| wanted.starts_of.iter().any(|its| event.is_of(its));
            if !own.iter().any(is_wanted) {
                continue;
            }
            let is_older = |event: &StackEvent| oldest.is_none_or(|oldest| event.at < oldest);
            events.list.extend(own.into_iter().filter(is_older));
        }
        events.list.sort_by_key(|event| std::cmp::Reverse(event.at));
        events.is_cut = !events.tell(wanted);
        events
    }

    /// The ids of the stack's last updates.
    async fn last_updates(&self, name: &str) -> Vec<String> {
        let described = self.cloudformation.describe_stacks().stack_name(name).send().await;
        let stacks = match described {
            Ok(output) => output.stacks.unwrap_or_default(),
            Err(error) => {
                warn!(%error, "the stack's last operations are not known");
                return Vec::new();
            }
        };
        let operations =
            stacks.into_iter().flat_map(|stack| stack.last_operations.unwrap_or_default());
        let updates =
            operations.filter(|it| it.operation_type() == Some(&OperationType::UpdateStack));
        updates.filter_map(|it| it.operation_id).take(OPERATIONS).collect()
    }

    async fn events_of(&self, name: &str, operation: &str) -> Vec<StackEvent> {
        let mut events = Vec::new();
        let call = self.cloudformation.describe_events().stack_name(name).operation_id(operation);
        let mut pages = call.into_paginator().send();
        for _ in 0..EVENT_PAGES {
            match pages.next().await {
                Some(Ok(page)) => {
                    events.extend(page.operation_events.unwrap_or_default().iter().map(event));
                }
                Some(Err(error)) => {
                    let resource = format!("operation `{operation}` of stack `{name}`");
                    let error = failed("cloudformation:DescribeEvents", resource, &error);
                    warn!(%error, "the start of a long update is not known");
                    break;
                }
                None => break,
            }
        }
        events
    }
}

fn event(event: &cfn::OperationEvent) -> StackEvent {
    event_of(
        event.timestamp.as_ref().or(event.start_time.as_ref()),
        event.client_request_token.clone(),
        (event.resource_type(), event.logical_resource_id()),
        event.physical_resource_id == event.stack_id,
        event.resource_status(),
        event.resource_status_reason.clone(),
    )
}
