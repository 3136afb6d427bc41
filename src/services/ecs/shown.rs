//! How ECS's answers are read.

use std::collections::BTreeMap;

use aws_sdk_ecs::types as ecs;

use crate::model::ecs::{ContainerImage, Deployment, DeploymentStatus, Source, Workload};

/// The images of the app's repository in each revision, by the revision's ARN.
pub(super) type Revisions = BTreeMap<String, Vec<ContainerImage>>;

/// The images of the app's repository in a revision.
pub(super) fn images_of(
    source: &Source<'_>,
    revision: &ecs::ServiceRevision,
) -> Option<(String, Vec<ContainerImage>)> {
    let images = revision.container_images().iter().filter_map(|container| {
        let name = container.container_name().unwrap_or_default();
        source.image(name, container.image()?, container.image_digest())
    });
    Some((revision.service_revision_arn.clone()?, images.collect()))
}

/// The tasks of a revision.
pub(super) fn workload_of(arn: Option<&str>, running: i32, revisions: &Revisions) -> Workload {
    Workload {
        revision: arn.map(str::to_owned),
        tasks: running.try_into().unwrap_or_default(),
        images: arn.and_then(|arn| revisions.get(arn)).cloned().unwrap_or_default(),
    }
}

/// The revisions that a deployment leads to, or went back to.
pub(super) fn revisions_of(deployment: &ecs::ServiceDeployment) -> impl Iterator<Item = &str> {
    let target = deployment.target_service_revision().and_then(|target| target.arn());
    let back_to = deployment.rollback().and_then(|rollback| rollback.service_revision_arn());
    target.into_iter().chain(back_to)
}

pub(super) fn deployment_of(
    deployment: &ecs::ServiceDeployment,
    revisions: &Revisions,
) -> Deployment {
    let status_word = deployment.status().map_or("PENDING", |status| status.as_str());
    let target = deployment.target_service_revision();
    let (running, requested) =
        target.map_or((0, 0), |target| (target.running_task_count, target.requested_task_count));
    let back_to = deployment.rollback().and_then(|rollback| rollback.service_revision_arn());
    Deployment {
        status: DeploymentStatus::of(status_word),
        status_word: status_word.to_owned(),
        stage: deployment.lifecycle_stage().map(|stage| stage.as_str().to_owned()),
        target: workload_of(target.and_then(|target| target.arn()), running, revisions),
        requested: requested.try_into().unwrap_or_default(),
        traffic: target.and_then(|it| it.requested_production_traffic_weight()).map(percent),
        // ECS does not count the tasks of the revision that it goes back to.
        back_to: back_to.map(|arn| workload_of(Some(arn), 0, revisions)),
        is_tripped: is_tripped(deployment),
        reasons: reasons(deployment),
    }
}

/// Whether the circuit breaker or an alarm stopped the deployment.
fn is_tripped(deployment: &ecs::ServiceDeployment) -> bool {
    let breaker = deployment.deployment_circuit_breaker().and_then(|breaker| breaker.status());
    let alarms = deployment.alarms().and_then(|alarms| alarms.status());
    let triggered = &ecs::ServiceDeploymentRollbackMonitorsStatus::Triggered;
    breaker == Some(triggered) || alarms == Some(triggered)
}

/// ECS's own words: each once.
fn reasons(deployment: &ecs::ServiceDeployment) -> Vec<String> {
    let status = deployment.status_reason().map(str::to_owned);
    let rollback = deployment.rollback().and_then(|it| it.reason()).map(str::to_owned);
    let alarms = deployment.alarms().map(|alarms| alarms.triggered_alarm_names());
    let alarms = alarms.filter(|names| !names.is_empty());
    let alarms = alarms.map(|names| format!("triggered alarms: {}", names.join(", ")));
    let mut reasons: Vec<String> = Vec::new();
    for reason in [status, rollback, alarms].into_iter().flatten().filter(|it| !it.is_empty()) {
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    reasons
}

/// A share of the traffic, in whole percent.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within 0-100")]
fn percent(weight: f64) -> u8 {
    weight.clamp(0.0, 100.0).round() as u8
}
