//! Change sets: CloudFormation says what an update would change before it is executed. Nested
//! stacks are included, and all pages are read.

use std::time::{Duration, Instant};

use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{self as cfn, ChangeSetStatus, ExecutionStatus};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::cloudformation::{
    is_passing, parameters, refusal, rollback_configuration, timestamp, without_retries,
};
use super::failure::failed;
use super::site::Site;
use crate::error::Error;
use crate::model::change_set::{Change, ChangeSet, Changes, Listed, Replacement, name_prefix};
use crate::model::config::App;
use crate::model::promotion::Update;
use crate::model::{Digest, Token};
use crate::world::{Applied, NotUpdated};

/// The longest time that one look waits for CloudFormation to create a change set. After that, the
/// schedule looks again.
const WAIT: Duration = Duration::from_secs(20);
/// The first and the longest pause between two reads.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));
/// The prefix of the names of all change sets of ecr-promoter, in this and in other installations.
/// Change sets with other names may be the work of a person.
const OWN: &str = "ecr-promoter-";

impl Site<'_> {
    /// Creates a change set. It changes nothing in the stack.
    pub(super) async fn create_change_set(
        &self,
        app: &App,
        update: &Update,
        name: &str,
    ) -> Result<Applied, Error> {
        let stack = &app.config.stack;
        let capabilities: Vec<_> =
            update.capabilities.iter().map(|name| cfn::Capability::from(name.as_str())).collect();
        let sent = self
            .cloudformation
            .create_change_set()
            .stack_name(stack)
            .change_set_name(name)
            .change_set_type(cfn::ChangeSetType::Update)
            .description(format!("ecr-promoter: {} to {}", app.config.parameter, update.tag))
            .include_nested_stacks(true)
            .use_previous_template(true)
            .set_parameters(Some(parameters(app, update)))
            .set_capabilities(Some(capabilities).filter(|names| !names.is_empty()))
            .set_rollback_configuration(update.rollback.as_ref().map(rollback_configuration))
            .send()
            .await;
        let error = match sent.map(|output| output.id) {
            Ok(Some(arn)) => return Ok(Applied::Created(arn)),
            Ok(None) => {
                return Ok(Applied::NotUpdated(NotUpdated::Unsure(
                    "CloudFormation's answer has no ARN".to_owned(),
                )));
            }
            Err(error) => error,
        };
        // Probably our first try created it and its answer was lost. But somebody else may have
        // created it: its ARN is not known.
        if error.as_service_error().is_some_and(|e| e.is_already_exists_exception()) {
            return Ok(Applied::NotUpdated(NotUpdated::Contested));
        }
        refusal("cloudformation:CreateChangeSet", stack, &error)
    }

    /// Reads a change set. Waits up to [`WAIT`] until CloudFormation has created it.
    pub(super) async fn change_set(&self, app: &App, arn: &str) -> Result<ChangeSet, Error> {
        let began = Instant::now();
        let mut pause = PAUSE.0;
        loop {
            let Some(first) = self.described(app, arn, None).await? else {
                return Ok(ChangeSet::Absent);
            };
            match (&first.status, &first.execution_status) {
                (Some(ChangeSetStatus::CreateComplete), Some(ExecutionStatus::Available)) => {
                    return Ok(ChangeSet::Ready(self.changes(app, first).await?));
                }
                (
                    Some(ChangeSetStatus::CreateComplete),
                    Some(ExecutionStatus::ExecuteInProgress | ExecutionStatus::ExecuteComplete),
                ) => {
                    return Ok(ChangeSet::Executing);
                }
                (Some(ChangeSetStatus::CreateComplete), _) => return Ok(ChangeSet::Outdated),
                (Some(ChangeSetStatus::DeleteComplete), _) => return Ok(ChangeSet::Absent),
                (Some(ChangeSetStatus::Failed | ChangeSetStatus::DeleteFailed), _) => {
                    let reason = first.status_reason.unwrap_or_default();
                    let is_empty = reason.contains("didn't contain changes")
                        || reason.contains("No updates are to be performed");
                    return Ok(match reason {
                        _ if is_empty => ChangeSet::Empty,
                        reason if is_passing(&reason) => ChangeSet::Unsure(reason),
                        reason => ChangeSet::Failed(reason),
                    });
                }
                // It is being created or deleted, or this version does not know the status.
                (Some(_) | None, _) if began.elapsed() + pause > WAIT => {
                    return Ok(ChangeSet::Pending);
                }
                (Some(_) | None, _) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// Reads one page of a change set, by its name or ARN; `None` if there is no such change set.
    async fn described(
        &self,
        app: &App,
        name: &str,
        page: Option<String>,
    ) -> Result<Option<DescribeChangeSetOutput>, Error> {
        let of_stack = Some(app.config.stack.clone()).filter(|_| !is_arn(name));
        let request = self
            .cloudformation
            .describe_change_set()
            .set_stack_name(of_stack)
            .change_set_name(name)
            .set_next_token(page);
        match request.send().await {
            Ok(output) => Ok(Some(output)),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_change_set_not_found_exception()) =>
            {
                Ok(None)
            }
            Err(error) => {
                let resource = format!("change set `{name}` of stack `{}`", app.config.stack);
                Err(failed("cloudformation:DescribeChangeSet", resource, &error))
            }
        }
    }

    /// Reads all changes, but none of the values that change: some of them may be secret.
    async fn changes(&self, app: &App, first: DescribeChangeSetOutput) -> Result<Changes, Error> {
        let (others, own) = self.listed_change_sets(app).await?;
        let mut changes = Changes {
            list: Vec::new(),
            resolved: resolved(&first),
            causes: Vec::new(),
            others,
            own,
            parameters: sent_parameters(&first),
        };
        let mut unread = vec![(None, first)];
        while let Some((within, page)) = unread.pop() {
            let name = page.change_set_id.clone().unwrap_or_default();
            if let Some(token) = page.next_token.clone() {
                let next = self.described_still(app, &name, Some(token)).await?;
                unread.push((within.clone(), next));
            }
            let all = page.changes.unwrap_or_default();
            for change in all.into_iter().filter_map(|change| change.resource_change) {
                // A nested stack has its own parameters. A changed value that is passed to one of
                // them is a change of the nested stack in its parent.
                if within.is_none() {
                    let causes =
                        change.details().iter().filter_map(|detail| detail.causing_entity());
                    changes.causes.extend(causes.map(str::to_owned));
                }
                // A nested stack that stays is judged by the changes in it.
                match change.change_set_id.as_deref().filter(|id| !id.is_empty() && stays(&change))
                {
                    Some(nested) => {
                        let first = self.described_still(app, nested, None).await?;
                        unread.push((Some(path(within.as_deref(), &change)), first));
                    }
                    None => changes.list.push(read(&change, within.clone())),
                }
            }
        }
        Ok(changes)
    }

    /// Reads one page of a change set that existed a moment ago.
    async fn described_still(
        &self,
        app: &App,
        name: &str,
        page: Option<String>,
    ) -> Result<DescribeChangeSetOutput, Error> {
        self.described(app, name, page).await?.ok_or_else(|| Error::Unexpected {
            resource: format!("change set `{name}` of stack `{}`", app.config.stack),
            problem: "it was deleted while it was read".to_owned(),
        })
    }

    /// Lists the stack's change sets: the names of those that people made, and this app's own.
    async fn listed_change_sets(&self, app: &App) -> Result<(Vec<String>, Vec<Listed>), Error> {
        let stack = &app.config.stack;
        let prefix = name_prefix(&app.name);
        let mut pages = self
            .cloudformation
            .list_change_sets()
            .stack_name(stack)
            .into_paginator()
            .items()
            .send();
        let (mut others, mut own) = (Vec::new(), Vec::new());
        while let Some(summary) = pages.next().await {
            let summary = summary.map_err(|error| {
                failed("cloudformation:ListChangeSets", format!("stack `{stack}`"), &error)
            })?;
            let Some(name) = summary.change_set_name else { continue };
            if name.starts_with(&prefix) {
                let at = summary.creation_time.as_ref().and_then(timestamp);
                own.extend(summary.change_set_id.zip(at).map(|(arn, at)| Listed { name, arn, at }));
            } else if !name.starts_with(OWN) {
                others.push(name);
            }
        }
        Ok((others, own))
    }

    /// Executes a change set, with the promotion's token.
    pub(super) async fn execute_change_set(
        &self,
        app: &App,
        token: &Token,
        arn: &str,
    ) -> Result<Applied, Error> {
        let stack = &app.config.stack;
        let sent = self
            .cloudformation
            .execute_change_set()
            .stack_name(stack)
            .change_set_name(arn)
            .client_request_token(token.as_str())
            .customize()
            .config_override(without_retries())
            .send()
            .await;
        let Err(error) = sent else { return Ok(Applied::Done) };
        let is_gone =
            |e: &aws_sdk_cloudformation::operation::execute_change_set::ExecuteChangeSetError| {
                e.is_change_set_not_found_exception() || e.is_invalid_change_set_status_exception()
            };
        if error.as_service_error().is_some_and(is_gone) {
            return Ok(Applied::NotUpdated(NotUpdated::Contested));
        }
        refusal("cloudformation:ExecuteChangeSet", stack, &error)
    }

    /// Deletes a change set by its ARN, or by its name if the ARN is not known.
    pub(super) async fn delete_change_set(&self, app: &App, id: &str) -> Result<Applied, Error> {
        let stack = &app.config.stack;
        // An ARN also names the stack. The app may have another stack now.
        let of_stack = Some(stack.clone()).filter(|_| !is_arn(id));
        let sent = self
            .cloudformation
            .delete_change_set()
            .set_stack_name(of_stack)
            .change_set_name(id)
            .send()
            .await;
        let Err(error) = sent else { return Ok(Applied::Done) };
        match error.code() {
            Some("ChangeSetNotFound" | "ChangeSetNotFoundException") => Ok(Applied::Done),
            // It is still being created. The next look deletes it.
            Some("InvalidChangeSetStatus" | "InvalidChangeSetStatusException") => {
                Ok(Applied::PutOff)
            }
            // Its stack was deleted, and the change set with it.
            Some("ValidationError")
                if error.message().is_some_and(|words| words.contains("does not exist")) =>
            {
                Ok(Applied::Done)
            }
            _ => Err(failed(
                "cloudformation:DeleteChangeSet",
                format!("change set `{id}` of stack `{stack}`"),
                &error,
            )),
        }
    }
}

/// Whether an id is an ARN, which also names the stack.
fn is_arn(id: &str) -> bool {
    id.starts_with("arn:")
}

/// The values of parameters that CloudFormation looks up elsewhere, by the parameter's key.
fn resolved(first: &DescribeChangeSetOutput) -> Vec<(String, String)> {
    let resolved = |p: &cfn::Parameter| Some((p.parameter_key.clone()?, p.resolved_value.clone()?));
    first.parameters().iter().filter_map(resolved).collect()
}

/// The parameters of the change set, each with a digest of its value if the value was sent.
fn sent_parameters(first: &DescribeChangeSetOutput) -> Vec<(String, Option<Digest>)> {
    let sent = |p: &cfn::Parameter| {
        let value = p.parameter_value().filter(|_| p.use_previous_value != Some(true));
        Some((p.parameter_key.clone()?, value.map(|value| Digest::of(value.as_bytes()))))
    };
    first.parameters().iter().filter_map(sent).collect()
}

/// Whether a resource is modified and neither added, removed nor replaced.
fn stays(change: &cfn::ResourceChange) -> bool {
    matches!(change.action, Some(cfn::ChangeAction::Modify)) && !is_replaced(change)
}

/// The path of a nested stack, such as `Service/Sidecar`.
fn path(within: Option<&str>, change: &cfn::ResourceChange) -> String {
    let logical = change.logical_resource_id.as_deref().unwrap_or_default();
    within.map_or_else(|| logical.to_owned(), |within| format!("{within}/{logical}"))
}

/// Whether an ECS service gets another task definition and nothing else, as in every promotion.
/// Such an update never replaces the service: `TaskDefinition` updates without interruption. But
/// CloudFormation may say `Conditional`, since the task definition itself is replaced.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/>, AWS::ECS::Service
fn is_new_task_definition(change: &cfn::ResourceChange) -> bool {
    let targets: Vec<Option<&str>> = change
        .details()
        .iter()
        .map(|detail| detail.target().and_then(|target| target.name()))
        .collect();
    change.resource_type() == Some("AWS::ECS::Service")
        && !targets.is_empty()
        && targets.iter().all(|name| *name == Some("TaskDefinition"))
}

fn is_replaced(change: &cfn::ResourceChange) -> bool {
    matches!(change.replacement, Some(cfn::Replacement::True | cfn::Replacement::Conditional))
}

fn read(change: &cfn::ResourceChange, within: Option<String>) -> Change {
    Change {
        action: change.action.as_ref().map(|action| action.as_str().to_owned()).unwrap_or_default(),
        kind: change.resource_type.clone().unwrap_or_default(),
        resource: change.logical_resource_id.clone().unwrap_or_default(),
        within,
        replacement: match &change.replacement {
            Some(cfn::Replacement::False) | None => Replacement::No,
            Some(cfn::Replacement::True) => Replacement::Yes,
            Some(cfn::Replacement::Conditional) if is_new_task_definition(change) => {
                Replacement::No
            }
            // A value that this version does not know counts as `Conditional`, never as `No`.
            Some(_) => Replacement::Conditional,
        },
    }
}

#[cfg(test)]
mod tests;
