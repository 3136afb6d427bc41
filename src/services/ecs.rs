//! Amazon ECS: the services of a stack, and what they run. Reads only, in batches, side by side.

mod shown;
mod tasks;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types as ecs;
use futures_util::future::try_join;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::clients::SIDE_BY_SIDE;
use super::failure::failed;
use super::site::Site;
use crate::error::Error;
use crate::model::config::App;
use crate::model::ecs::known::KnownServices;
use crate::model::ecs::{Service, Source, Workload};
use crate::model::stack::Stack;
use crate::world::snapshot::ServicesWanted;
use shown::{Revisions, deployment_of, images_of, revisions_of, workload_of};

/// The most services that one call describes.
const SERVICES: usize = 10;
/// The most revisions or deployments that one call describes.
const ARNS: usize = 20;

impl Site<'_> {
    /// Reads the services of a stack that run the app's images.
    pub(super) async fn services(
        &self,
        app: &App,
        stack: &Stack,
        wanted: &ServicesWanted,
    ) -> Result<Vec<Service>, Error> {
        let known = &wanted.known;
        let arns = if known.is_current(stack.updated_at) {
            known.list.iter().map(|service| service.arn.clone()).collect()
        } else {
            self.service_arns(&stack.id).await?
        };
        let mut services = self.describe_services(arns).await?;
        services.retain(is_active);
        // A deployment is judged by its images' tags too, which are not kept.
        let nothing = KnownServices::default();
        let known = if wanted.with_deployments { &nothing } else { known };
        let source = Source::of(app, &self.clients.home(), &stack.id);
        let (deployments, mut revisions) = try_join(
            self.deployments(&services, wanted.with_deployments),
            self.revisions(&source, current_revisions(&services), known),
        )
        .await?;
        let more = deployments.values().flat_map(revisions_of);
        let more = more.filter(|arn| !revisions.contains_key(*arn)).map(str::to_owned).collect();
        revisions.extend(self.revisions(&source, more, known).await?);
        let each = services.iter().map(|service| {
            let newest = service.current_service_deployment();
            let deployment = newest.and_then(|arn| deployments.get(arn));
            self.service(&source, service, deployment, &revisions, &wanted.known)
        });
        let services: Vec<Option<Service>> =
            stream::iter(each).buffered(SIDE_BY_SIDE).try_collect().await?;
        Ok(services.into_iter().flatten().collect())
    }

    /// Puts together what a service runs; `None` if no container runs an image of the app, now or
    /// as far as is known: a service of another controller shows none while it has no task.
    async fn service(
        &self,
        source: &Source<'_>,
        service: &ecs::Service,
        deployment: Option<&ecs::ServiceDeployment>,
        revisions: &Revisions,
        known: &KnownServices,
    ) -> Result<Option<Service>, Error> {
        let deployment = deployment.map(|deployment| deployment_of(deployment, revisions));
        let mut workloads: Vec<Workload> = service
            .current_service_revisions()
            .iter()
            .map(|own| workload_of(own.arn(), own.running_task_count, revisions))
            .collect();
        // ECS knows no images of a revision from before 25 October 2024.
        let is_unknown = |workload: &Workload| {
            let is_described =
                workload.revision.as_ref().is_some_and(|arn| revisions.contains_key(arn));
            !is_described || workload.images.iter().any(|image| image.digest.is_none())
        };
        let tells = deployment.as_ref().is_some_and(|deployment| !is_unknown(&deployment.target));
        if workloads.is_empty() && !tells || workloads.iter().any(is_unknown) {
            workloads = self.running_tasks(source, service).await?;
        }
        workloads.retain(|workload| !workload.images.is_empty());
        let is_deployed = deployment.iter().any(|deployment| {
            let mut both = [&deployment.target].into_iter().chain(&deployment.back_to);
            both.any(|workload| !workload.images.is_empty())
        });
        let arn = service.service_arn().unwrap_or_default();
        let is_known = workloads.is_empty()
            && service.current_service_revisions().is_empty()
            && known.list.iter().any(|known| known.arn == arn);
        Ok((is_deployed || is_known || !workloads.is_empty()).then(|| Service {
            arn: arn.to_owned(),
            desired: service.desired_count.try_into().unwrap_or_default(),
            deployment,
            workloads,
        }))
    }

    async fn describe_services(&self, arns: Vec<String>) -> Result<Vec<ecs::Service>, Error> {
        let mut by_cluster: BTreeMap<Option<String>, Vec<String>> = BTreeMap::new();
        for arn in arns {
            by_cluster.entry(cluster_of(&arn).map(str::to_owned)).or_default().push(arn);
        }
        let batches: Vec<(Option<String>, Vec<String>)> = by_cluster
            .into_iter()
            .flat_map(|(cluster, arns)| {
                arns.chunks(SERVICES).map(|few| (cluster.clone(), few.to_vec())).collect::<Vec<_>>()
            })
            .collect();
        let calls = batches.into_iter().map(|(cluster, arns)| async move {
            let resource = format!("ECS service `{}`", arns.join("`, `"));
            let is_in_a_cluster = cluster.is_some();
            let call =
                self.ecs.describe_services().set_cluster(cluster).set_services(Some(arns)).send();
            match Box::pin(call).await {
                Ok(output) if !is_in_a_cluster && !output.failures().is_empty() => {
                    Err(Error::Unexpected {
                        resource,
                        problem: "it is not in the cluster `default`, and its ARN in the old \
                                  format names no other"
                            .to_owned(),
                    })
                }
                // A service that was deleted by hand is missing: it runs nothing.
                Ok(output) => Ok(output.services.unwrap_or_default()),
                Err(error) => Err(failed("ecs:DescribeServices", resource, &error)),
            }
        });
        let services: Vec<Vec<ecs::Service>> =
            stream::iter(calls).buffered(SIDE_BY_SIDE).try_collect().await?;
        Ok(services.into_iter().flatten().collect())
    }

    /// Reads the newest deployment of each service, by its ARN.
    async fn deployments(
        &self,
        services: &[ecs::Service],
        are_wanted: bool,
    ) -> Result<BTreeMap<String, ecs::ServiceDeployment>, Error> {
        let arns = services.iter().filter_map(ecs::Service::current_service_deployment);
        let arns: Vec<String> = arns.filter(|_| are_wanted).map(str::to_owned).collect();
        let calls = arns.chunks(ARNS).map(|few| async move {
            let call = self
                .ecs
                .describe_service_deployments()
                .set_service_deployment_arns(Some(few.to_vec()));
            match Box::pin(call.send()).await {
                Ok(output) => Ok(output.service_deployments.unwrap_or_default()),
                Err(error) => {
                    let resource = format!("ECS deployment `{}`", few.join("`, `"));
                    Err(failed("ecs:DescribeServiceDeployments", resource, &error))
                }
            }
        });
        let found: Vec<Vec<ecs::ServiceDeployment>> =
            stream::iter(calls).buffered(SIDE_BY_SIDE).try_collect().await?;
        let by_arn = |one: ecs::ServiceDeployment| Some((one.service_deployment_arn.clone()?, one));
        Ok(found.into_iter().flatten().filter_map(by_arn).collect())
    }

    /// Reads the images of these revisions, except those that are known.
    async fn revisions(
        &self,
        source: &Source<'_>,
        arns: BTreeSet<String>,
        known: &KnownServices,
    ) -> Result<Revisions, Error> {
        let mut revisions = Revisions::new();
        let mut unknown = Vec::new();
        for arn in arns {
            match known.images_of(&arn) {
                Some(images) => drop(revisions.insert(arn, images)),
                None => unknown.push(arn),
            }
        }
        let calls = unknown.chunks(ARNS).map(|few| async move {
            let call = self.ecs.describe_service_revisions();
            match Box::pin(call.set_service_revision_arns(Some(few.to_vec())).send()).await {
                Ok(output) => Ok(output.service_revisions.unwrap_or_default()),
                Err(error) => {
                    let resource = format!("ECS revision `{}`", few.join("`, `"));
                    Err(failed("ecs:DescribeServiceRevisions", resource, &error))
                }
            }
        });
        let found: Vec<Vec<ecs::ServiceRevision>> =
            stream::iter(calls).buffered(SIDE_BY_SIDE).try_collect().await?;
        revisions.extend(found.iter().flatten().filter_map(|one| images_of(source, one)));
        Ok(revisions)
    }
}

/// Whether a service has not been deleted.
fn is_active(service: &ecs::Service) -> bool {
    !matches!(service.status(), Some("DRAINING" | "INACTIVE"))
}

/// The cluster in a service's ARN, `…:service/<cluster>/<name>`. An ARN in the old format has none:
/// ECS then assumes the cluster `default`.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html>
fn cluster_of(service: &str) -> Option<&str> {
    let (_, path) = service.split_once(":service/")?;
    path.split_once('/').map(|(cluster, _)| cluster)
}

fn current_revisions(services: &[ecs::Service]) -> BTreeSet<String> {
    let current = services.iter().flat_map(ecs::Service::current_service_revisions);
    current.filter_map(|revision| revision.arn.clone()).collect()
}

#[cfg(test)]
mod tests;
