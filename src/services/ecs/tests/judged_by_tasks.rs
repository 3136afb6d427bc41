//! Services of which only the tasks say what they run, and tasks that stopped.

use serde_json::{Value, json};

use super::{
    glance, image, known, other, own, read, resources, task_arn, task_page, updated_stack, verify,
};
use crate::model::ecs::known::KnownServices;
use crate::model::ecs::{StoppedContainer, StoppedTask, Workload};
use crate::samples::{DIGEST, at};
use crate::services::samples::web_app;
use crate::services::wire::ecs::{
    arn, ask, deployments, describe_deployments, describe_revisions, describe_services, revision,
    revision_arn, revisions, service, service_arn, services,
};
use crate::services::wire::{Recording, denied, json_denied, json_error, ok_json, replay};
use crate::world::snapshot::ServicesWanted;

fn list_tasks(status: &str, token: Option<&str>) -> http::Request<aws_smithy_types::body::SdkBody> {
    let mut asked =
        json!({ "cluster": "production", "serviceName": "web", "desiredStatus": status });
    if let Some(token) = token {
        asked["nextToken"] = json!(token);
    }
    ask("ListTasks", &asked)
}

fn describe_tasks(names: &[&str]) -> http::Request<aws_smithy_types::body::SdkBody> {
    let arns = names.iter().map(|name| task_arn(name)).collect::<Vec<_>>();
    ask("DescribeTasks", &json!({ "cluster": "production", "tasks": arns }))
}

/// A task with these containers: name, image, digest.
fn task(status: &str, containers: &[(&str, &str, Option<&str>)]) -> Value {
    let containers = containers.iter().map(|(name, image, digest)| {
        json!({ "name": name, "image": image, "imageDigest": digest, "lastStatus": status })
    });
    json!({ "lastStatus": status, "containers": containers.collect::<Vec<_>>() })
}

/// A service of an external or CodeDeploy controller: neither deployments nor revisions.
fn without_revisions() -> Value {
    let mut row = service("web", &[]);
    row.as_object_mut().expect("an object").remove("currentServiceDeployment");
    row
}

/// A look at such a service, which is known, and what is read of its tasks.
async fn by_tasks(tasks: Vec<Recording>) -> Vec<Workload> {
    let mut recordings =
        vec![(describe_services("production", &["web"]), services(&[without_revisions()]))];
    recordings.extend(tasks);
    glance(known(&["web"]), recordings).await.pop().map(|web| web.workloads).unwrap_or_default()
}

#[tokio::test]
async fn a_service_without_revisions_is_judged_by_its_running_tasks() {
    let (app, log) = (own("production_1"), "public.ecr.aws/docker/library/busybox:1");
    let ours = [("app", app.as_str(), Some(DIGEST)), ("log", log, None)];
    let other = other();
    let theirs = [("app", app.as_str(), Some(other.as_str()))];
    let workloads = by_tasks(vec![
        (list_tasks("RUNNING", None), ok_json(&task_page(&["1", "2"], Some("more")))),
        (
            describe_tasks(&["1", "2"]),
            ok_json(&json!({ "tasks": [task("RUNNING", &ours), task("PENDING", &ours)] })),
        ),
        (list_tasks("RUNNING", Some("more")), ok_json(&task_page(&["3", "4"], None))),
        (
            describe_tasks(&["3", "4"]),
            ok_json(&json!({ "tasks": [task("RUNNING", &ours), task("RUNNING", &theirs)] })),
        ),
    ])
    .await;
    let of = |digest: &str, tasks| Workload {
        revision: None,
        tasks,
        images: vec![image("app", Some("production_1"), Some(digest))],
    };
    let mut wanted = [of(DIGEST, 2), of(other.as_str(), 1)];
    wanted.sort_by_key(|workload| workload.digest().map(ToString::to_string));
    assert_eq!(workloads, wanted, "one that has not started does not count");
}

#[tokio::test]
async fn a_service_without_tasks_is_listed_and_not_described() {
    let none = vec![(list_tasks("RUNNING", None), ok_json(&task_page(&[], None)))];
    assert_eq!(by_tasks(none).await, []);
}

/// Nothing else shows whose service it is.
#[tokio::test]
async fn a_service_whose_tasks_have_all_stopped_counts_where_it_is_known() {
    for (before, counts) in [(known(&["web"]), 1), (known(&["worker"]), 0)] {
        let before = KnownServices { as_of: None, ..before };
        let seen = glance(
            before,
            vec![
                resources(&[service_arn("web")]),
                (describe_services("production", &["web"]), services(&[without_revisions()])),
                (list_tasks("RUNNING", None), ok_json(&task_page(&[], None))),
            ],
        )
        .await;
        assert_eq!(seen.len(), counts);
        assert!(seen.iter().all(|web| web.workloads.is_empty()), "{seen:?}");
    }
}

#[tokio::test]
async fn a_task_that_has_not_started_shows_whose_service_it_is_and_is_not_counted() {
    let app = own("production_1");
    let pending = task("PROVISIONING", &[("app", &app, None)]);
    let workloads = by_tasks(vec![
        (list_tasks("RUNNING", None), ok_json(&task_page(&["1"], None))),
        (describe_tasks(&["1"]), ok_json(&json!({ "tasks": [pending] }))),
    ])
    .await;
    let images = vec![image("app", Some("production_1"), None)];
    assert_eq!(workloads, [Workload { revision: None, tasks: 0, images }]);
}

#[tokio::test]
async fn a_revision_without_a_digest_is_judged_by_its_tasks() {
    let app = own("production_1");
    let first = revision_arn("web", 1);
    let seen = glance(
        KnownServices::default(),
        vec![
            resources(&[service_arn("web")]),
            (
                describe_services("production", &["web"]),
                services(&[service("web", &[(first.clone(), 2)])]),
            ),
            (
                describe_revisions(std::slice::from_ref(&first)),
                revisions(&[revision(&first, &[("app", &app, None)])]),
            ),
            (list_tasks("RUNNING", None), ok_json(&task_page(&["1"], None))),
            (
                describe_tasks(&["1"]),
                ok_json(&json!({ "tasks": [task("RUNNING", &[("app", &app, Some(DIGEST))])] })),
            ),
        ],
    )
    .await;
    assert_eq!(seen[0].workloads.len(), 1);
    assert_eq!(seen[0].workloads[0].digest(), Some(&DIGEST.parse().expect("a digest")));
    assert_eq!(seen[0].workloads[0].tasks, 1);
}

#[tokio::test]
async fn denied_reads_of_tasks_name_the_action() {
    let app = own("production_1");
    let none = task("RUNNING", &[("app", &app, None)]);
    for action in ["ecs:ListTasks", "ecs:DescribeTasks"] {
        let mut recordings = vec![
            (describe_services("production", &["web"]), services(&[without_revisions()])),
            (list_tasks("RUNNING", None), ok_json(&task_page(&["1"], None))),
            (describe_tasks(&["1"]), ok_json(&json!({ "tasks": [none] }))),
        ];
        recordings.truncate(if action == "ecs:ListTasks" { 2 } else { 3 });
        recordings.last_mut().expect("a call").1 = json_denied(action);
        let wanted = ServicesWanted { known: known(&["web"]), with_deployments: false };
        let result = read(wanted, recordings).await;
        assert_eq!(denied(result), (action.to_owned(), "ECS service `web`".to_owned()));
    }
}

/// A verified service of an external controller has no deployment to read.
#[tokio::test]
async fn a_service_of_another_controller_has_no_deployment() {
    let app = own("production_1");
    let seen = verify(vec![
        resources(&[service_arn("web"), service_arn("worker")]),
        (
            describe_services("production", &["web", "worker"]),
            services(&[without_revisions(), service("worker", &[(revision_arn("worker", 1), 2)])]),
        ),
        (describe_deployments(&["worker"]), deployments(&[])),
        (
            describe_revisions(&[revision_arn("worker", 1)]),
            revisions(&[super::own_revision("worker", 1)]),
        ),
        (list_tasks("RUNNING", None), ok_json(&task_page(&["1"], None))),
        (
            describe_tasks(&["1"]),
            ok_json(&json!({ "tasks": [task("RUNNING", &[("app", &app, Some(DIGEST))])] })),
        ),
    ])
    .await;
    assert_eq!(seen.iter().filter(|service| service.deployment.is_none()).count(), 2);
    assert_eq!(seen[0].workloads[0].tasks, 1);
}

async fn stopped(recordings: Vec<Recording>) -> Vec<(String, Vec<StoppedTask>)> {
    let (app, stack) = (web_app(), updated_stack());
    let wanted = [service_arn("web")];
    replay(recordings, async |clients| {
        clients.home_site().stopped_tasks(&app, &stack, &wanted).await
    })
    .await
}

#[tokio::test]
async fn a_stopped_task_is_read_with_its_reason_and_its_containers_exit_codes() {
    let row = json!({
        "taskArn": task_arn("1"),
        "lastStatus": "STOPPED",
        "stoppedAt": 1_773_740_490,
        "stoppedReason": "Essential container in task exited",
        "containers": [
            {
                "name": "app", "image": own("production_1"), "imageDigest": DIGEST, "exitCode": 1,
                "reason": "",
            },
            { "name": "log", "image": "busybox:1", "reason": "CannotPullContainerError: no" },
        ],
    });
    let read = stopped(vec![
        (list_tasks("STOPPED", None), ok_json(&task_page(&["1"], Some("more")))),
        (describe_tasks(&["1"]), ok_json(&json!({ "tasks": [row] }))),
    ])
    .await;
    let app = StoppedContainer {
        name: "app".to_owned(),
        image: Some(image("app", Some("production_1"), Some(DIGEST))),
        exit_code: Some(1),
        reason: None,
    };
    let log = StoppedContainer {
        name: "log".to_owned(),
        image: None,
        exit_code: None,
        reason: Some("CannotPullContainerError: no".to_owned()),
    };
    let task = StoppedTask {
        at: Some(at("2026-03-17T09:41:30Z")),
        reason: Some("Essential container in task exited".to_owned()),
        containers: vec![app, log],
    };
    assert_eq!(read, [(service_arn("web"), vec![task])], "one page is enough");
}

/// They only explain a failure.
#[tokio::test]
async fn stopped_tasks_that_cannot_be_read_are_none() {
    let gone = json_error("ServiceNotFoundException", "Service not found.", &json!({}));
    for answer in [json_denied("ecs:ListTasks"), gone] {
        let read = stopped(vec![(list_tasks("STOPPED", None), answer)]).await;
        assert_eq!(read, [(service_arn("web"), vec![])]);
    }
}

/// Without a cluster ECS assumes `default`, as in an ARN in the old format.
#[tokio::test]
async fn tasks_of_a_service_with_an_arn_in_the_old_format_are_asked_for_without_a_cluster() {
    let old = arn("service/web");
    let mut all = known(&["web"]);
    all.list[0].arn.clone_from(&old);
    let mut row = without_revisions();
    row["serviceArn"] = json!(old);
    let asked = json!({ "serviceName": "web", "desiredStatus": "RUNNING" });
    let seen = glance(
        all,
        vec![
            (ask("DescribeServices", &json!({ "services": [old] })), services(&[row])),
            (ask("ListTasks", &asked), ok_json(&task_page(&[], None))),
        ],
    )
    .await;
    let [web] = seen.as_slice() else { panic!("one service: {seen:?}") };
    assert_eq!(web.arn, old);
}
