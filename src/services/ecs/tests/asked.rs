//! How few calls are made, and in which batches.

use serde_json::{Value, json};

use super::{glance, known, own, own_revision, read, resources, updated_stack, verify, workload};
use crate::model::ecs::known::KnownServices;
use crate::samples::DIGEST;
use crate::services::wire::ecs::{
    arn, ask, deployment_arn, deployments, describe_deployments, describe_revisions,
    describe_services, revision, revision_arn, revisions, service, service_arn, services,
};
use crate::services::wire::{Recording, denied, json_denied, json_error, ok_json};
use crate::world::snapshot::ServicesWanted;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("web-{n:02}")).collect()
}

/// A service whose two tasks run its first revision.
fn at_rest(name: &str) -> Value {
    service(name, &[(revision_arn(name, 1), 2)])
}

#[tokio::test]
async fn a_routine_look_that_knows_everything_asks_one_question() {
    let seen = glance(
        known(&["web"]),
        vec![(describe_services("production", &["web"]), services(&[at_rest("web")]))],
    )
    .await;
    let [only] = seen.as_slice() else { panic!("one service: {seen:?}") };
    assert_eq!(only.arn, service_arn("web"));
    assert_eq!((only.desired, &only.deployment), (2, &None));
    assert!(known(&["web"]).has_seen(only), "{only:?}");
}

#[tokio::test]
async fn services_are_described_ten_at_a_time_for_each_cluster() {
    let names = names(12);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut all = known(&names);
    let elsewhere = arn("service/another/web");
    all.list[3].arn.clone_from(&elsewhere);
    let ten: Vec<&str> = names.iter().copied().filter(|name| *name != names[3]).take(10).collect();
    let of_other = json!({ "cluster": "another", "services": [elsewhere] });
    let rows: Vec<Value> = ten.iter().map(|name| at_rest(name)).collect();
    let mut moved = at_rest(names[3]);
    moved["serviceArn"] = json!(elsewhere);
    let seen = glance(
        all,
        vec![
            (ask("DescribeServices", &of_other), services(&[moved])),
            (describe_services("production", &ten), services(&rows)),
            (describe_services("production", &names[11..]), services(&[at_rest(names[11])])),
        ],
    )
    .await;
    assert_eq!(seen.len(), 12);
}

/// ECS assumes the cluster `default` where the request names none.
#[tokio::test]
async fn a_service_with_an_arn_in_the_old_format_is_asked_for_without_a_cluster() {
    let old = arn("service/web");
    let mut all = known(&["web"]);
    all.list[0].arn.clone_from(&old);
    let mut row = at_rest("web");
    row["serviceArn"] = json!(old);
    let asked = ask("DescribeServices", &json!({ "services": [old] }));
    let seen = glance(all, vec![(asked, services(&[row]))]).await;
    assert_eq!(seen[0].arn, old);
    assert_eq!(seen[0].name(), "web");
}

#[tokio::test]
async fn the_resources_are_listed_again_after_an_update_of_the_stack() {
    let before = KnownServices {
        as_of: Some(crate::samples::at("2026-03-17T09:00:00Z")),
        ..known(&["web"])
    };
    let seen = glance(
        before,
        vec![
            resources(&[service_arn("web"), service_arn("worker")]),
            (
                describe_services("production", &["web", "worker"]),
                services(&[at_rest("web"), at_rest("worker")]),
            ),
            // What the first revision of `web` runs is known.
            (
                describe_revisions(&[revision_arn("worker", 1)]),
                revisions(&[own_revision("worker", 1)]),
            ),
        ],
    )
    .await;
    let workers = seen.iter().find(|service| service.name() == "worker").expect("it is there");
    assert_eq!(workers.workloads, [workload("worker", 1, 2)]);
    assert_eq!(seen.len(), 2);
}

#[tokio::test]
async fn a_stack_without_services_asks_ecs_nothing() {
    assert_eq!(glance(KnownServices::default(), vec![resources(&[])]).await, []);
    assert_eq!(verify(vec![resources(&[])]).await, []);
    let none = KnownServices { as_of: updated_stack().updated_at, list: vec![], has_failed: false };
    assert_eq!(glance(none, vec![]).await, [], "and no list of resources where that is known");
}

#[tokio::test]
async fn only_revisions_that_are_not_known_are_described() {
    let seen = glance(
        known(&["web"]),
        vec![
            (
                describe_services("production", &["web"]),
                services(&[service(
                    "web",
                    &[(revision_arn("web", 1), 1), (revision_arn("web", 2), 1)],
                )]),
            ),
            (describe_revisions(&[revision_arn("web", 2)]), revisions(&[own_revision("web", 2)])),
        ],
    )
    .await;
    assert_eq!(seen[0].workloads[1], workload("web", 2, 1));
    assert_eq!(seen[0].workloads[0].digest(), Some(&DIGEST.parse().expect("a digest")));
}

#[tokio::test]
async fn revisions_and_deployments_are_described_twenty_at_a_time() {
    let names = names(21);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let arns: Vec<String> = names.iter().map(|name| service_arn(name)).collect();
    let mut recordings = vec![resources(&arns)];
    for few in names.chunks(10) {
        let rows: Vec<Value> = few.iter().map(|name| at_rest(name)).collect();
        recordings.push((describe_services("production", few), services(&rows)));
    }
    for few in names.chunks(20) {
        let rows: Vec<Value> = few.iter().map(|name| successful(name)).collect();
        recordings.push((describe_deployments(few), deployments(&rows)));
    }
    for few in names.chunks(20) {
        let asked: Vec<String> = few.iter().map(|name| revision_arn(name, 1)).collect();
        let rows: Vec<Value> = few.iter().map(|name| own_revision(name, 1)).collect();
        recordings.push((describe_revisions(&asked), revisions(&rows)));
    }
    let seen = verify(recordings).await;
    assert_eq!(seen.len(), 21);
    assert!(seen.iter().all(|service| service.deployment.is_some()));
}

fn successful(name: &str) -> Value {
    json!({
        "serviceDeploymentArn": deployment_arn(name),
        "status": "SUCCESSFUL",
        "targetServiceRevision": { "arn": revision_arn(name, 1), "runningTaskCount": 2 },
    })
}

#[tokio::test]
async fn a_service_that_is_missing_or_being_deleted_does_not_count() {
    for status in ["INACTIVE", "DRAINING"] {
        let mut row = at_rest("web");
        row["status"] = json!(status);
        let seen = verify(vec![
            resources(&[service_arn("web")]),
            (describe_services("production", &["web"]), services(&[row])),
        ])
        .await;
        assert_eq!(seen, [], "{status}");
    }
    let missing = json!({
        "services": [],
        "failures": [{ "arn": service_arn("web"), "reason": "MISSING" }],
    });
    let seen = verify(vec![
        resources(&[service_arn("web")]),
        (describe_services("production", &["web"]), ok_json(&missing)),
    ])
    .await;
    assert_eq!(seen, []);
}

#[tokio::test]
async fn images_of_other_repositories_do_not_count() {
    let sidecars = [
        ("log", "public.ecr.aws/aws-observability/aws-for-fluent-bit:stable", Some(DIGEST)),
        ("proxy", "envoyproxy/envoy:v1", None),
    ];
    let image = own("production_1");
    let app = ("app", image.as_str(), Some(DIGEST));
    let seen = glance(
        KnownServices::default(),
        vec![
            resources(&[service_arn("other"), service_arn("web")]),
            (
                describe_services("production", &["other", "web"]),
                services(&[at_rest("other"), at_rest("web")]),
            ),
            (
                describe_revisions(&[revision_arn("other", 1), revision_arn("web", 1)]),
                revisions(&[
                    revision(&revision_arn("other", 1), &sidecars),
                    revision(&revision_arn("web", 1), &[sidecars[0], app, sidecars[1]]),
                ]),
            ),
        ],
    )
    .await;
    let [only] = seen.as_slice() else { panic!("one service: {seen:?}") };
    assert_eq!(only.arn, service_arn("web"));
    assert_eq!(only.workloads, [workload("web", 1, 2)]);
}

/// What is recorded up to this call, which is refused.
async fn refused(action: &str, before: usize) {
    let asked = |n: usize| -> Recording {
        match n {
            0 => resources(&[service_arn("web")]),
            1 => (describe_services("production", &["web"]), services(&[at_rest("web")])),
            2 => (describe_deployments(&["web"]), deployments(&[successful("web")])),
            _ => (
                describe_revisions(&[revision_arn("web", 1)]),
                revisions(&[own_revision("web", 1)]),
            ),
        }
    };
    let mut recordings: Vec<Recording> = (0..=before).map(asked).collect();
    recordings[before].1 = json_denied(action);
    let wanted = ServicesWanted { known: KnownServices::default(), with_deployments: true };
    let (denied_action, resource) = denied(read(wanted, recordings).await);
    assert_eq!(denied_action, action);
    assert!(resource.contains("web"), "{resource}");
}

#[tokio::test]
async fn a_denied_call_of_ecs_names_the_action_and_the_resource() {
    refused("ecs:DescribeServices", 1).await;
    refused("ecs:DescribeServiceDeployments", 2).await;
    refused("ecs:DescribeServiceRevisions", 3).await;
}

#[tokio::test]
async fn a_cluster_that_does_not_exist_is_an_error_in_words() {
    let gone = json_error("ClusterNotFoundException", "Cluster not found.", &json!({}));
    let wanted = ServicesWanted { known: known(&["web"]), with_deployments: false };
    let recordings = vec![(describe_services("production", &["web"]), gone)];
    let error = read(wanted, recordings).await.expect_err("it is not there").to_string();
    assert_eq!(
        error,
        format!(
            "ecs:DescribeServices on ECS service `{}` failed: ClusterNotFoundException: Cluster \
             not found.",
            service_arn("web")
        )
    );
}
