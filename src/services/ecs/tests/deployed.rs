//! How a deployment is read.

use serde_json::{Value, json};

use super::{own_revision, resources, verify, workload};
use crate::model::ecs::{Deployment, DeploymentStatus, Workload};
use crate::services::wire::Recording;
use crate::services::wire::ecs::{
    deployment_arn, deployments, describe_deployments, describe_revisions, describe_services,
    revision_arn, revisions, service, service_arn, services,
};

/// A deployment of the second revision, with these members besides.
fn row(more: &Value) -> Value {
    let mut row = json!({
        "serviceDeploymentArn": deployment_arn("web"),
        "serviceArn": service_arn("web"),
        "status": "IN_PROGRESS",
        "sourceServiceRevisions": [{ "arn": revision_arn("web", 1), "runningTaskCount": 2 }],
        "targetServiceRevision": {
            "arn": revision_arn("web", 2), "requestedTaskCount": 2, "runningTaskCount": 1,
        },
    });
    let members = row.as_object_mut().expect("an object");
    members.extend(more.as_object().cloned().expect("an object"));
    row
}

/// The deployment of a service whose tasks run both revisions, and what is asked for.
async fn deployment(row: Value) -> Deployment {
    let current = [(revision_arn("web", 1), 1), (revision_arn("web", 2), 1)];
    let both = [revision_arn("web", 1), revision_arn("web", 2)];
    let rows = [own_revision("web", 1), own_revision("web", 2)];
    let recordings: Vec<Recording> = vec![
        resources(&[service_arn("web")]),
        (describe_services("production", &["web"]), services(&[service("web", &current)])),
        (describe_deployments(&["web"]), deployments(&[row])),
        (describe_revisions(&both), revisions(&rows)),
    ];
    let mut seen = verify(recordings).await;
    let web = seen.pop().expect("a service");
    assert_eq!(web.workloads, [workload("web", 1, 1), workload("web", 2, 1)]);
    web.deployment.expect("a deployment")
}

/// What is read of a deployment under way.
fn under_way() -> Deployment {
    Deployment {
        status: DeploymentStatus::UnderWay,
        status_word: "IN_PROGRESS".to_owned(),
        stage: None,
        target: workload("web", 2, 1),
        requested: 2,
        traffic: None,
        back_to: None,
        is_tripped: false,
        reasons: vec![],
    }
}

#[tokio::test]
async fn a_deployment_is_read_with_its_stage_tasks_and_traffic() {
    let mut shifting = row(&json!({ "lifecycleStage": "PRODUCTION_TRAFFIC_SHIFT" }));
    shifting["targetServiceRevision"]["requestedProductionTrafficWeight"] = json!(12.5);
    let wanted = Deployment {
        stage: Some("PRODUCTION_TRAFFIC_SHIFT".to_owned()),
        traffic: Some(13),
        ..under_way()
    };
    assert_eq!(deployment(shifting).await, wanted);
    assert_eq!(deployment(row(&json!({}))).await, under_way());
}

#[tokio::test]
async fn each_status_of_ecs_is_understood_and_one_of_tomorrow_is_under_way() {
    use DeploymentStatus::{GoingBack, Stopped, Successful, UnderWay, WentBack};
    for (word, status) in [
        ("PENDING", UnderWay),
        ("IN_PROGRESS", UnderWay),
        ("STOP_REQUESTED", UnderWay),
        ("SUCCESSFUL", Successful),
        ("STOPPED", Stopped),
        ("ROLLBACK_REQUESTED", GoingBack),
        ("ROLLBACK_IN_PROGRESS", GoingBack),
        ("ROLLBACK_SUCCESSFUL", WentBack),
        ("ROLLBACK_FAILED", WentBack),
        ("STATUS_OF_TOMORROW", UnderWay),
    ] {
        let read = deployment(row(&json!({ "status": word }))).await;
        assert_eq!((read.status, read.status_word.as_str()), (status, word));
    }
}

#[tokio::test]
async fn a_rollback_by_the_circuit_breaker_is_read_with_ecss_words_each_once() {
    let why = "Service deployment rolled back because the circuit breaker threshold was exceeded.";
    let read = deployment(row(&json!({
        "status": "ROLLBACK_SUCCESSFUL",
        "statusReason": why,
        "rollback": { "reason": why, "serviceRevisionArn": revision_arn("web", 1) },
        "deploymentCircuitBreaker": { "status": "TRIGGERED", "failureCount": 3, "threshold": 3 },
        "alarms": { "status": "MONITORING", "alarmNames": ["web-5xx"] },
    })))
    .await;
    let wanted = Deployment {
        status: DeploymentStatus::WentBack,
        status_word: "ROLLBACK_SUCCESSFUL".to_owned(),
        // ECS does not count the tasks of the revision that it goes back to.
        back_to: Some(Workload { tasks: 0, ..workload("web", 1, 0) }),
        is_tripped: true,
        reasons: vec![why.to_owned()],
        ..under_way()
    };
    assert_eq!(read, wanted);
}

#[tokio::test]
async fn alarms_that_stopped_a_deployment_are_named() {
    let read = deployment(row(&json!({
        "status": "STOPPED",
        "statusReason": "",
        "deploymentCircuitBreaker": { "status": "MONITORING" },
        "alarms": {
            "status": "TRIGGERED",
            "alarmNames": ["web-5xx", "web-slow", "web-any"],
            "triggeredAlarmNames": ["web-5xx", "web-any"],
        },
    })))
    .await;
    assert!(read.is_tripped);
    assert_eq!(read.reasons, ["triggered alarms: web-5xx, web-any"]);
}

/// The deployment's target, and what it went back to, may have no tasks and so be no current
/// revision.
#[tokio::test]
async fn revisions_that_only_the_deployment_names_are_described_too() {
    let back = json!({
        "status": "ROLLBACK_SUCCESSFUL",
        "rollback": { "serviceRevisionArn": revision_arn("web", 3) },
    });
    let current = [(revision_arn("web", 1), 2)];
    let mut seen = verify(vec![
        resources(&[service_arn("web")]),
        (describe_services("production", &["web"]), services(&[service("web", &current)])),
        (describe_deployments(&["web"]), deployments(&[row(&back)])),
        (describe_revisions(&[revision_arn("web", 1)]), revisions(&[own_revision("web", 1)])),
        (
            describe_revisions(&[revision_arn("web", 2), revision_arn("web", 3)]),
            revisions(&[own_revision("web", 2), own_revision("web", 3)]),
        ),
    ])
    .await;
    let deployment = seen.pop().and_then(|web| web.deployment).expect("a deployment");
    assert_eq!(deployment.target, workload("web", 2, 1));
    assert_eq!(deployment.back_to, Some(workload("web", 3, 0)));
}
