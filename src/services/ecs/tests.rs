//! What ECS is asked, and how its answers are read.

mod asked;
mod deployed;
mod judged_by_tasks;

use serde_json::{Value, json};

use crate::error::Error;
use crate::model::Digest;
use crate::model::ecs::known::{KnownService, KnownServices};
use crate::model::ecs::{ContainerImage, Service, Workload};
use crate::model::stack::Stack;
use crate::samples::{DIGEST, STACK_ID, at, stack};
use crate::services::samples::web_app;
use crate::services::wire::cloudformation::{answered, ask, element};
use crate::services::wire::ecs::{REGISTRY, revision, revision_arn, service_arn};
use crate::services::wire::{Recording, replay};
use crate::world::snapshot::ServicesWanted;

/// Another image's digest.
fn other() -> Digest {
    Digest::of(b"other")
}

/// The app's image under a tag.
fn own(tag: &str) -> String {
    format!("{REGISTRY}/web:{tag}")
}

/// The stack, updated at ten.
fn updated_stack() -> Stack {
    Stack { updated_at: Some(at("2026-03-17T10:00:00Z")), ..stack("UPDATE_COMPLETE") }
}

/// The list of the stack's resources: these services.
fn resources(services: &[String]) -> Recording {
    let members: String = services
        .iter()
        .map(|arn| {
            let member = element("LogicalResourceId", "Service")
                + &element("PhysicalResourceId", arn)
                + &element("ResourceType", "AWS::ECS::Service")
                + &element("ResourceStatus", "UPDATE_COMPLETE");
            element("member", &member)
        })
        .collect();
    let asked = ask("ListStackResources", &[("StackName", STACK_ID)]);
    (asked, answered("ListStackResources", &element("StackResourceSummaries", &members)))
}

/// What the state keeps of services that run the app's image in their first revision.
fn known(names: &[&str]) -> KnownServices {
    let list = names.iter().map(|name| KnownService {
        arn: service_arn(name),
        revision: Some(revision_arn(name, 1)),
        digest: Some(DIGEST.parse().expect("a digest")),
        is_promoted: true,
    });
    KnownServices { as_of: updated_stack().updated_at, list: list.collect(), has_failed: false }
}

async fn read(wanted: ServicesWanted, recordings: Vec<Recording>) -> Result<Vec<Service>, Error> {
    let (app, stack) = (web_app(), updated_stack());
    replay(recordings, async |clients| clients.home_site().services(&app, &stack, &wanted).await)
        .await
}

/// The look of the schedule.
async fn glance(known: KnownServices, recordings: Vec<Recording>) -> Vec<Service> {
    let wanted = ServicesWanted { known, with_deployments: false };
    read(wanted, recordings).await.expect("read")
}

/// The look at a promotion that is verified, which knows nothing.
async fn verify(recordings: Vec<Recording>) -> Vec<Service> {
    let wanted = ServicesWanted { known: KnownServices::default(), with_deployments: true };
    read(wanted, recordings).await.expect("read")
}

/// A revision whose only container runs the app's image.
fn own_revision(service: &str, number: u32) -> Value {
    let image = own("production_1");
    revision(&revision_arn(service, number), &[("app", &image, Some(DIGEST))])
}

/// Tasks of a revision of the app's image.
fn workload(service: &str, number: u32, tasks: u32) -> Workload {
    Workload {
        revision: Some(revision_arn(service, number)),
        tasks,
        images: vec![image("app", Some("production_1"), Some(DIGEST))],
    }
}

fn image(container: &str, tag: Option<&str>, digest: Option<&str>) -> ContainerImage {
    ContainerImage {
        container: container.to_owned(),
        tag: tag.map(str::to_owned),
        digest: digest.map(|digest| digest.parse().expect("a digest")),
    }
}

/// A page of tasks.
fn task_page(names: &[&str], next: Option<&str>) -> Value {
    let arns = names.iter().map(|name| task_arn(name)).collect::<Vec<_>>();
    json!({ "taskArns": arns, "nextToken": next })
}

fn task_arn(name: &str) -> String {
    crate::services::wire::ecs::arn(&format!("task/production/{name}"))
}
