//! The resources of a stack and of the stacks nested in it.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStackResources.html>

use aws_sdk_cloudformation::types::{ResourceStatus, StackResourceSummary};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::clients::SIDE_BY_SIDE;
use super::failure::failed;
use super::site::Site;
use crate::error::Error;

/// The most nested stacks whose resources are listed.
const STACKS: usize = 200;

impl Site<'_> {
    /// Lists the ARNs of all ECS services of a stack and of its nested stacks, level by level.
    /// `DescribeStackResources` would stop at 100 resources, and `ListStackResources` has pages.
    pub(super) async fn service_arns(&self, stack: &str) -> Result<Vec<String>, Error> {
        let mut services = Vec::new();
        let mut level = vec![stack.to_owned()];
        let mut seen = 0;
        while !level.is_empty() {
            seen += level.len();
            if seen > STACKS {
                return Err(Error::Unexpected {
                    resource: format!("stack `{stack}`"),
                    problem: format!("more than {STACKS} stacks are nested in it"),
                });
            }
            let lists = level.iter().map(|stack| self.resources(stack));
            let lists: Vec<Vec<StackResourceSummary>> =
                stream::iter(lists).buffered(SIDE_BY_SIDE).try_collect().await?;
            let resources: Vec<_> = lists.into_iter().flatten().filter(exists).collect();
            let ids_of = |kind: &'static str| {
                let of_kind = resources.iter().filter(move |it| it.resource_type() == Some(kind));
                of_kind.filter_map(|it| it.physical_resource_id.clone())
            };
            services.extend(ids_of("AWS::ECS::Service"));
            level = ids_of("AWS::CloudFormation::Stack").collect();
        }
        services.sort();
        Ok(services)
    }

    async fn resources(&self, stack: &str) -> Result<Vec<StackResourceSummary>, Error> {
        let pages = self.cloudformation.list_stack_resources().stack_name(stack).into_paginator();
        let resources = pages.items().send().collect::<Result<Vec<_>, _>>().await;
        resources.map_err(|error| {
            failed("cloudformation:ListStackResources", format!("stack `{stack}`"), &error)
        })
    }
}

/// Whether a resource has been made and not been deleted.
fn exists(resource: &StackResourceSummary) -> bool {
    resource.resource_status() != Some(&ResourceStatus::DeleteComplete)
        && resource.physical_resource_id().is_some_and(|id| !id.is_empty())
}

#[cfg(test)]
mod tests;
