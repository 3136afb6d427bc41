//! What ECS answers.

use serde_json::{Value, json};

use super::{Controller, Ecs, Revision, Service};
use crate::emulator::backend::REGION;
use crate::emulator::fault::json_error;
use crate::emulator::http::Response;

/// How many tasks a page lists.
const PAGE: usize = 100;

impl Ecs {
    pub(crate) fn answer(&self, action: &str, body: &Value) -> Response {
        match action {
            "DescribeServices" => self.describe_services(body),
            "DescribeServiceDeployments" => {
                let rows = self.named(&body["serviceDeploymentArns"], |service, arn| {
                    (self.arn("service-deployment", service, "/newest") == arn)
                        .then(|| self.deployment(service))
                });
                ok(&json!({ "serviceDeployments": rows, "failures": [] }))
            }
            "DescribeServiceRevisions" => {
                let rows = self.named(&body["serviceRevisionArns"], |service, arn| {
                    let mut all = service.revisions.iter().enumerate();
                    let found = all.find(|(number, _)| self.revision_arn(service, *number) == arn);
                    found.map(|(_, revision)| self.revision(arn, revision))
                });
                ok(&json!({ "serviceRevisions": rows, "failures": [] }))
            }
            "ListTasks" => self.list_tasks(body),
            "DescribeTasks" => {
                let rows = self.named(&body["tasks"], |service, arn| self.task(service, arn));
                ok(&json!({ "tasks": rows, "failures": [] }))
            }
            other => json_error(
                400,
                "UnknownOperationException",
                &format!("the function has no business with ecs:{other}"),
            ),
        }
    }

    /// What is found of each of these ARNs.
    fn named(&self, arns: &Value, find: impl Fn(&Service, &str) -> Option<Value>) -> Vec<Value> {
        let arns = arns.as_array().into_iter().flatten().filter_map(Value::as_str);
        arns.filter_map(|arn| self.services.iter().find_map(|service| find(service, arn))).collect()
    }

    fn describe_services(&self, body: &Value) -> Response {
        let in_cluster = |service: &Service| body["cluster"] == service.cluster;
        if !self.services.iter().any(in_cluster) {
            return json_error(400, "ClusterNotFoundException", "Cluster not found.");
        }
        let rows = self.named(&body["services"], |service, arn| {
            (in_cluster(service) && self.service_arn(service) == arn).then(|| self.row(service))
        });
        ok(&json!({ "services": rows, "failures": [] }))
    }

    fn revision_arn(&self, service: &Service, number: usize) -> String {
        self.arn("service-revision", service, &format!("/{number:019}"))
    }

    fn row(&self, service: &Service) -> Value {
        let mut row = json!({
            "serviceArn": self.service_arn(service),
            "serviceName": service.name,
            "status": "ACTIVE",
            "desiredCount": service.desired,
            "runningCount": service.tasks().count(),
        });
        if service.controller == Controller::Ecs {
            let newest = service.revisions.len() - 1;
            let current = service.revisions.iter().enumerate();
            // A revision without tasks stays current as long as it is the newest.
            let current = current.filter(|(number, it)| it.tasks > 0 || *number == newest);
            let current = current.map(|(number, revision)| {
                json!({
                    "arn": self.revision_arn(service, number),
                    "runningTaskCount": revision.tasks,
                })
            });
            row["currentServiceRevisions"] = current.collect();
            row["currentServiceDeployment"] =
                json!(self.arn("service-deployment", service, "/newest"));
        }
        row
    }

    fn deployment(&self, service: &Service) -> Value {
        let deployment = &service.deployment;
        let mut row = json!({
            "serviceDeploymentArn": self.arn("service-deployment", service, "/newest"),
            "status": deployment.status,
            "targetServiceRevision": {
                "arn": self.revision_arn(service, deployment.target),
                "requestedTaskCount": service.desired,
                "runningTaskCount": service.revisions[deployment.target].tasks,
            },
        });
        if !deployment.stage.is_empty() {
            row["lifecycleStage"] = json!(deployment.stage);
        }
        if let Some(back_to) = deployment.back_to {
            row["statusReason"] = json!(deployment.reason);
            row["rollback"] = json!({
                "reason": deployment.reason,
                "serviceRevisionArn": self.revision_arn(service, back_to),
            });
            row["deploymentCircuitBreaker"] = json!({ "status": "TRIGGERED", "failureCount": 3 });
        }
        row
    }

    fn registry(&self, image: &str) -> String {
        format!("{}.dkr.ecr.{REGION}.amazonaws.com/{image}", self.registry)
    }

    fn revision(&self, arn: &str, revision: &Revision) -> Value {
        let images = revision.containers.iter().map(|container| {
            json!({
                "containerName": container.name,
                "image": self.registry(&container.image),
                "imageDigest": container.digest,
            })
        });
        let sidecar = json!({ "containerName": "log", "image": "public.ecr.aws/x/log:stable" });
        json!({
            "serviceRevisionArn": arn,
            "containerImages": images.chain([sidecar]).collect::<Vec<_>>(),
        })
    }

    fn list_tasks(&self, body: &Value) -> Response {
        let is_it = |service: &&Service| {
            body["serviceName"] == service.name && body["cluster"] == service.cluster
        };
        let Some(service) = self.services.iter().find(is_it) else {
            return json_error(400, "ServiceNotFoundException", "Service not found.");
        };
        let ids: Vec<String> = if body["desiredStatus"] == "STOPPED" {
            (0..service.stopped.len()).map(|n| format!("-stopped-{n}")).collect()
        } else {
            service.tasks().map(|(revision, task)| format!("-{revision}-{task}")).collect()
        };
        let from = body["nextToken"].as_str().map_or(0, |token| token.parse().expect("our own"));
        let page = ids.iter().skip(from).take(PAGE);
        let arns: Vec<String> = page.map(|id| self.arn("task", service, id)).collect();
        let mut answer = json!({ "taskArns": arns });
        if ids.len() > from + PAGE {
            answer["nextToken"] = json!((from + PAGE).to_string());
        }
        ok(&answer)
    }

    fn task(&self, service: &Service, arn: &str) -> Option<Value> {
        let rest = arn.strip_prefix(&self.arn("task", service, "-"))?;
        if let Some(number) = rest.strip_prefix("stopped-") {
            let (revision, reason) = service.stopped.get(number.parse::<usize>().ok()?)?;
            let mut task = self.task_of(arn, &service.revisions[*revision], "STOPPED");
            task["stoppedReason"] = json!(reason);
            task["stoppedAt"] = json!(1_773_740_520);
            task["containers"][0]["exitCode"] = json!(1);
            return Some(task);
        }
        let (revision, _) = rest.split_once('-')?;
        let revision = service.revisions.get(revision.parse::<usize>().ok()?)?;
        Some(self.task_of(arn, revision, "RUNNING"))
    }

    fn task_of(&self, arn: &str, revision: &Revision, status: &str) -> Value {
        let containers = revision.containers.iter().map(|container| {
            json!({
                "name": container.name,
                "image": self.registry(&container.image),
                "imageDigest": container.digest,
                "lastStatus": status,
            })
        });
        // As much as AWS says of a task that nobody asked for.
        let detail = |n: usize| json!({ "name": format!("detail-{n}"), "value": "x".repeat(40) });
        json!({
            "taskArn": arn,
            "lastStatus": status,
            "containers": containers.collect::<Vec<_>>(),
            "attachments": [{
                "type": "ElasticNetworkInterface",
                "details": (0..12).map(detail).collect::<Vec<_>>(),
            }],
        })
    }
}

fn ok(body: &Value) -> Response {
    Response::new(200, "application/x-amz-json-1.1", body.to_string())
}
