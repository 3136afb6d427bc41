//! ECS's wire.

use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use serde_json::{Value, json};

use super::{json_request, ok_json};

/// The registry of the app's images.
pub(in crate::services) const REGISTRY: &str = "012345678912.dkr.ecr.us-east-1.amazonaws.com";

/// A request with this body.
pub(in crate::services) fn ask(operation: &str, body: &Value) -> Request<SdkBody> {
    json_request(&format!("AmazonEC2ContainerServiceV20141113.{operation}"), body)
}

/// An ARN of ECS.
pub(in crate::services) fn arn(rest: &str) -> String {
    format!("arn:aws:ecs:us-east-1:012345678912:{rest}")
}

/// The ARN of a service in the cluster `production`.
pub(in crate::services) fn service_arn(name: &str) -> String {
    arn(&format!("service/production/{name}"))
}

/// The ARN of a service's revision.
pub(in crate::services) fn revision_arn(service: &str, number: u32) -> String {
    arn(&format!("service-revision/production/{service}/{number:019}"))
}

/// The ARN of a service's deployment.
pub(in crate::services) fn deployment_arn(service: &str) -> String {
    arn(&format!("service-deployment/production/{service}/AbCdEf"))
}

/// The request for these services of a cluster.
pub(in crate::services) fn describe_services(cluster: &str, names: &[&str]) -> Request<SdkBody> {
    let services: Vec<String> = names.iter().map(|name| service_arn(name)).collect();
    ask("DescribeServices", &json!({ "cluster": cluster, "services": services }))
}

/// A service whose tasks run these revisions.
pub(in crate::services) fn service(name: &str, revisions: &[(String, u32)]) -> Value {
    let current = revisions.iter().map(|(arn, running)| {
        json!({ "arn": arn, "requestedTaskCount": 2, "runningTaskCount": running })
    });
    json!({
        "serviceArn": service_arn(name),
        "serviceName": name,
        "status": "ACTIVE",
        "desiredCount": 2,
        "runningCount": 2,
        "currentServiceDeployment": deployment_arn(name),
        "currentServiceRevisions": current.collect::<Vec<_>>(),
    })
}

/// The answer with these services.
pub(in crate::services) fn services(list: &[Value]) -> Response<SdkBody> {
    ok_json(&json!({ "services": list, "failures": [] }))
}

/// The request for these revisions.
pub(in crate::services) fn describe_revisions(arns: &[String]) -> Request<SdkBody> {
    ask("DescribeServiceRevisions", &json!({ "serviceRevisionArns": arns }))
}

/// A revision whose containers run these images: name, image, digest.
pub(in crate::services) fn revision(arn: &str, containers: &[(&str, &str, Option<&str>)]) -> Value {
    let images = containers.iter().map(|(name, image, digest)| {
        json!({ "containerName": name, "image": image, "imageDigest": digest })
    });
    json!({ "serviceRevisionArn": arn, "containerImages": images.collect::<Vec<_>>() })
}

/// The answer with these revisions.
pub(in crate::services) fn revisions(list: &[Value]) -> Response<SdkBody> {
    ok_json(&json!({ "serviceRevisions": list, "failures": [] }))
}

/// The request for the deployments of these services.
pub(in crate::services) fn describe_deployments(services: &[&str]) -> Request<SdkBody> {
    let arns: Vec<String> = services.iter().map(|service| deployment_arn(service)).collect();
    ask("DescribeServiceDeployments", &json!({ "serviceDeploymentArns": arns }))
}

/// The answer with these deployments.
pub(in crate::services) fn deployments(list: &[Value]) -> Response<SdkBody> {
    ok_json(&json!({ "serviceDeployments": list, "failures": [] }))
}
