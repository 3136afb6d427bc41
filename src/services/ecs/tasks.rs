//! The tasks of a service: what the running ones run, and why others stopped.

use std::collections::BTreeMap;

use aws_sdk_ecs::types as ecs;
use futures_util::{StreamExt, stream};

use crate::error::Error;
use crate::model::config::App;
use crate::model::ecs::{Source, StoppedContainer, StoppedTask, Workload, name_of};
use crate::model::stack::Stack;
use crate::services::clients::SIDE_BY_SIDE;
use crate::services::cloudformation::timestamp;
use crate::services::failure::failed;
use crate::services::site::Site;

/// The most pages of tasks that are read of a service. A page has 100 tasks.
const PAGES: usize = 10;

impl Site<'_> {
    /// Reads what the tasks of a service run, grouped by the images. One that has not started yet
    /// is not counted; its images still show whose service it is.
    pub(in crate::services) async fn running_tasks(
        &self,
        source: &Source<'_>,
        service: &ecs::Service,
    ) -> Result<Vec<Workload>, Error> {
        let arn = service.service_arn().unwrap_or_default();
        let tasks = self.tasks(arn, ecs::DesiredStatus::Running, PAGES).await?;
        let mut workloads: BTreeMap<Vec<(String, Option<String>)>, Workload> = BTreeMap::new();
        for task in &tasks {
            let images: Vec<_> =
                task.containers().iter().filter_map(|container| image(source, container)).collect();
            let key = images.iter().map(|image| {
                (image.container.clone(), image.digest.as_ref().map(ToString::to_string))
            });
            let workload = workloads.entry(key.collect()).or_default();
            workload.tasks += u32::from(task.last_status() == Some("RUNNING"));
            workload.images = images;
        }
        Ok(workloads.into_values().collect())
    }

    /// Reads the stopped tasks of these services. They only explain a failure, so a read that fails
    /// finds none.
    pub(in crate::services) async fn stopped_tasks(
        &self,
        app: &App,
        stack: &Stack,
        services: &[String],
    ) -> Vec<(String, Vec<StoppedTask>)> {
        let source = Source::of(app, &self.clients.home(), &stack.id);
        let each = services.iter().map(async |arn| {
            let tasks = self.tasks(arn, ecs::DesiredStatus::Stopped, 1).await;
            let tasks = tasks.inspect_err(|error| {
                tracing::warn!(%error, "the stopped tasks say nothing");
            });
            let tasks = tasks.unwrap_or_default();
            (arn.clone(), tasks.iter().map(|task| stopped(&source, task)).collect())
        });
        stream::iter(each).buffered(SIDE_BY_SIDE).collect().await
    }

    /// Reads the tasks of a service that should have this status.
    async fn tasks(
        &self,
        service: &str,
        status: ecs::DesiredStatus,
        pages: usize,
    ) -> Result<Vec<ecs::Task>, Error> {
        let resource = || format!("ECS service `{}`", name_of(service));
        let cluster = super::cluster_of(service).map(str::to_owned);
        let mut tasks = Vec::new();
        let list = self
            .ecs
            .list_tasks()
            .set_cluster(cluster.clone())
            .service_name(name_of(service))
            .desired_status(status);
        let mut list = list.into_paginator().send();
        for _ in 0..pages {
            let Some(page) = list.next().await else { break };
            let page = page.map_err(|error| failed("ecs:ListTasks", resource(), &error))?;
            let arns = page.task_arns.unwrap_or_default();
            if arns.is_empty() {
                continue;
            }
            let call =
                self.ecs.describe_tasks().set_cluster(cluster.clone()).set_tasks(Some(arns)).send();
            let described = Box::pin(call)
                .await
                .map_err(|error| failed("ecs:DescribeTasks", resource(), &error))?;
            tasks.extend(described.tasks.unwrap_or_default());
        }
        Ok(tasks)
    }
}

fn image(
    source: &Source<'_>,
    container: &ecs::Container,
) -> Option<crate::model::ecs::ContainerImage> {
    let name = container.name().unwrap_or_default();
    source.image(name, container.image()?, container.image_digest())
}

fn stopped(source: &Source<'_>, task: &ecs::Task) -> StoppedTask {
    let text = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let containers = task.containers().iter().map(|container| StoppedContainer {
        name: container.name().unwrap_or_default().to_owned(),
        image: image(source, container),
        exit_code: container.exit_code(),
        reason: text(container.reason()),
    });
    StoppedTask {
        at: task.stopped_at().and_then(timestamp),
        reason: text(task.stopped_reason()),
        containers: containers.collect(),
    }
}
