//! CloudFormation: the stack, its events, and the update of a promotion.

mod operation;
mod template;

use aws_config::retry::RetryConfig;
use aws_sdk_cloudformation::primitives::DateTime;
use aws_sdk_cloudformation::types::{self as cfn, RollbackConfiguration, RollbackTrigger};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jiff::{SignedDuration, Timestamp};

use super::failure::failed;
use super::site::Site;
use crate::error::Error;
use crate::model::Token;
use crate::model::config::{App, Rollback};
use crate::model::promotion::Update;
use crate::model::stack::{EventsWanted, Parameter, Stack, StackEvent, StackEvents};
use crate::world::{Applied, NotUpdated};

/// The largest assumed difference between the clocks of two services.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);
/// The most pages of events that a look reads. A page has 100 events.
const EVENT_PAGES: usize = 10;

impl Site<'_> {
    /// Reads a stack by its name or ARN; `None` if there is no such stack.
    pub(super) async fn stack(&self, name: &str) -> Result<Option<Stack>, Error> {
        let request = self.cloudformation.describe_stacks().stack_name(name);
        match self
            .clients
            .patiently("cloudformation:DescribeStacks", || request.clone().send())
            .await
        {
            Ok(output) => Ok(output.stacks.unwrap_or_default().into_iter().next().map(stack)),
            // CloudFormation answers ValidationError for a missing stack and for other problems.
            // Only the message differs.
            Err(error) if error.message().is_some_and(|words| words.contains("does not exist")) => {
                Ok(None)
            }
            Err(error) => {
                Err(failed("cloudformation:DescribeStacks", format!("stack `{name}`"), &error))
            }
        }
    }

    /// Reads the stack's events, newest first and as far back as they are wanted.
    pub(super) async fn stack_events(
        &self,
        name: &str,
        wanted: &EventsWanted,
    ) -> Result<StackEvents, Error> {
        let wanted =
            EventsWanted { since: wanted.since.map(|at| at - CLOCK_SKEW), ..wanted.clone() };
        let mut events = StackEvents::default();
        let mut pages =
            self.cloudformation.describe_stack_events().stack_name(name).into_paginator().send();
        for _ in 0..EVENT_PAGES {
            let Some(page) = pages.next().await else { return Ok(events) };
            let page = page.map_err(|error| {
                failed("cloudformation:DescribeStackEvents", format!("stack `{name}`"), &error)
            })?;
            events.list.extend(page.stack_events.unwrap_or_default().iter().map(event));
            if events.tell(&wanted) {
                return Ok(events);
            }
        }
        Ok(self.with_operations(name, &wanted, StackEvents { is_cut: true, ..events }).await)
    }

    /// Sends the update of a promotion. The template and all other parameters keep their values.
    /// Tags, topics, role and policy are not sent, since an empty value would delete them.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStack.html>
    pub(super) async fn update_stack(&self, app: &App, update: &Update) -> Result<Applied, Error> {
        let capabilities: Vec<_> =
            update.capabilities.iter().map(|name| cfn::Capability::from(name.as_str())).collect();
        let request = self
            .cloudformation
            .update_stack()
            .stack_name(&app.config.stack)
            .use_previous_template(true)
            .set_parameters(Some(parameters(app, update)))
            .set_capabilities(Some(capabilities).filter(|names| !names.is_empty()))
            .set_rollback_configuration(update.rollback.as_ref().map(rollback_configuration))
            .client_request_token(update.token.as_str())
            .customize()
            .config_override(without_retries());
        // On the heap: the future of a call is large.
        let Err(error) = Box::pin(request.send()).await else { return Ok(Applied::Done) };
        refusal("cloudformation:UpdateStack", &app.config.stack, &error)
    }

    /// Cancels the stack's update, if it is this promotion's. A cancel names only the stack, so the
    /// token of the running update is read just before. The events of the rollback have the token
    /// of the cancel, which contains the token of the update.
    pub(super) async fn cancel_update(&self, app: &App, token: &Token) -> Result<Applied, Error> {
        let stack = &app.config.stack;
        let wanted = EventsWanted::default();
        if !self
            .stack_events(stack, &wanted)
            .await?
            .under_way()
            .is_some_and(|start| start.is_of(token))
        {
            return Ok(Applied::NotUpdated(NotUpdated::Contested));
        }
        let sent = self
            .cloudformation
            .cancel_update_stack()
            .stack_name(stack)
            .client_request_token(token.of_cancel().as_str())
            .send()
            .await;
        let Err(error) = sent else { return Ok(Applied::Done) };
        match error.message() {
            // The update has ended, or its rollback has begun.
            Some(words) if words.contains("cannot be called from current stack status") => {
                Ok(Applied::NotUpdated(NotUpdated::Contested))
            }
            _ if error.code() == Some("TokenAlreadyExistsException") => Ok(Applied::Done),
            _ => {
                Err(failed("cloudformation:CancelUpdateStack", format!("stack `{stack}`"), &error))
            }
        }
    }
}

/// Sends a call once. The reads would be too old for a retry, so the caller reads again instead.
pub(super) fn without_retries() -> aws_sdk_cloudformation::config::Builder {
    aws_sdk_cloudformation::config::Config::builder().retry_config(RetryConfig::disabled())
}

/// The parameters to send: the promotion's parameter with its value, and all others unchanged.
pub(super) fn parameters(app: &App, update: &Update) -> Vec<cfn::Parameter> {
    let wanted = cfn::Parameter::builder()
        .parameter_key(&app.config.parameter)
        .parameter_value(update.tag.as_str())
        .build();
    let others = update
        .others
        .iter()
        .map(|key| cfn::Parameter::builder().parameter_key(key).use_previous_value(true).build());
    std::iter::once(wanted).chain(others).collect()
}

/// Sorts an unsuccessful write. Only a denied call is an error.
pub(super) fn refusal<E>(
    action: &'static str,
    stack: &str,
    error: &SdkError<E, HttpResponse>,
) -> Result<Applied, Error>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let denied_or_not = failed(action, format!("stack `{stack}`"), error);
    let Error::Aws { message, .. } = &denied_or_not else { return Err(denied_or_not) };
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let refusal = error
        .as_service_error()
        .and_then(|service| Some((service.code()?, service.message().unwrap_or_default())));
    Ok(Applied::NotUpdated(match refusal {
        Some((code, words)) => not_updated(code, words, status),
        // Without a code the answer broke off, or it came from a server on the way.
        None => NotUpdated::Unsure(message.clone()),
    }))
}

/// Sorts CloudFormation's error: busy, nothing to do, refused, or worth another try. Most errors
/// have the code `ValidationError`, so their messages must be compared.
fn not_updated(code: &str, words: &str, status: u16) -> NotUpdated {
    // 403 concerns the caller (expired credentials, a wrong clock) and not the update. Denied calls
    // were handled before.
    let is_transient =
        status >= 500 || status == 403 || status == 429 || is_passing(code) || is_passing(words);
    if code == "TokenAlreadyExistsException" {
        NotUpdated::KnownToken
    } else if words.contains("_IN_PROGRESS") {
        NotUpdated::Contested
    } else if words.contains("No updates are to be performed") {
        NotUpdated::NothingToDo
    } else if is_transient {
        NotUpdated::Unsure(format!("{code}: {words}"))
    } else {
        NotUpdated::Refused(format!("{code}: {words}"))
    }
}

/// Whether a code or message of CloudFormation names a temporary failure.
pub(super) fn is_passing(words: &str) -> bool {
    let plain: String =
        words.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
    [
        "throttl",
        "limitexceeded",
        "rateexceeded",
        "serviceunavailable",
        "internalfailure",
        "internalerror",
        "timedout",
    ]
    .iter()
    .any(|passing| plain.contains(passing))
}

fn stack(stack: cfn::Stack) -> Stack {
    let parameters = stack.parameters.unwrap_or_default().into_iter().map(|p| Parameter {
        key: p.parameter_key.unwrap_or_default(),
        value: p.parameter_value.unwrap_or_default(),
        resolved: p.resolved_value,
    });
    let changed_at = stack.last_updated_time.or(stack.creation_time);
    Stack {
        updated_at: changed_at.as_ref().and_then(timestamp),
        id: stack.stack_id.unwrap_or_default(),
        name: stack.stack_name.unwrap_or_default(),
        status: stack.stack_status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
        parent: stack.parent_id.filter(|id| !id.is_empty()),
        role: stack.role_arn.filter(|arn| !arn.is_empty()),
        parameters: parameters.collect(),
        capabilities: stack
            .capabilities
            .unwrap_or_default()
            .iter()
            .map(|c| c.as_str().to_owned())
            .collect(),
    }
}

fn event(event: &cfn::StackEvent) -> StackEvent {
    event_of(
        event.timestamp.as_ref(),
        event.client_request_token.clone(),
        (event.resource_type(), event.logical_resource_id()),
        event.physical_resource_id == event.stack_id,
        event.resource_status(),
        event.resource_status_reason.clone(),
    )
}

/// Reads an event. `is_itself` says that it is about the stack whose events these are: a nested
/// stack has the same resource type but another physical id.
fn event_of(
    at: Option<&DateTime>,
    token: Option<String>,
    (kind, logical): (Option<&str>, Option<&str>),
    is_itself: bool,
    status: Option<&cfn::ResourceStatus>,
    reason: Option<String>,
) -> StackEvent {
    let (kind, logical) = (kind.unwrap_or_default(), logical.unwrap_or_default());
    StackEvent {
        at: at.and_then(timestamp).unwrap_or(Timestamp::UNIX_EPOCH),
        token,
        is_stack: kind == "AWS::CloudFormation::Stack" && is_itself,
        resource: format!("{logical} ({kind})"),
        status: status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
        reason,
    }
}

pub(super) fn timestamp(at: &DateTime) -> Option<Timestamp> {
    Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()
}

pub(super) fn rollback_configuration(rollback: &Rollback) -> RollbackConfiguration {
    let alarms = rollback.alarms.iter().filter_map(|arn| {
        RollbackTrigger::builder().arn(arn).r#type("AWS::CloudWatch::Alarm").build().into()
    });
    RollbackConfiguration::builder()
        .set_rollback_triggers(Some(alarms.collect()))
        .set_monitoring_time_in_minutes(
            rollback.monitor_minutes.and_then(|minutes| i32::try_from(minutes).ok()),
        )
        .build()
}

#[cfg(test)]
mod tests;
