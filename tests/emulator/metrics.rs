//! Metrics: lines in CloudWatch's embedded metric format on standard output, and no call.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use serde_json::{Value, json};

use super::door::http;
use super::image::Image;
use super::world::{COMMIT, World};

/// The lines of metrics of one process so far, each valid. A refused request comes last: once its
/// line is there, all earlier ones are.
async fn metrics(world: &World) -> Vec<Value> {
    world.answer(&http("GET", "/nothing-here", "", false)).await;
    world.logs.wait_for("\"RefusedRequests\":1").await;
    let text = world.logs.text();
    let lines = text.lines().filter(|line| line.contains("\"_aws\""));
    lines
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("a line of JSON");
            assert_is_embedded_format(&line);
            line
        })
        .collect()
}

/// The schema of the format.
fn assert_is_embedded_format(line: &Value) {
    let aws = &line["_aws"];
    let now = jiff::Timestamp::now().as_millisecond();
    let at = aws["Timestamp"].as_i64().expect("milliseconds");
    assert!((now - at).abs() < 3_600_000, "{line}");
    for directive in aws["CloudWatchMetrics"].as_array().expect("directives") {
        let namespace = directive["Namespace"].as_str().expect("a namespace");
        assert!((1..=1024).contains(&namespace.len()) && !namespace.starts_with(':'));
        for set in directive["Dimensions"].as_array().expect("sets") {
            let set = set.as_array().expect("a set");
            assert!(set.len() <= 30);
            for name in set {
                let name = name.as_str().expect("a name");
                let value = line[name].as_str().expect("a member of the root");
                assert!((1..=1024).contains(&value.len()) && value.is_ascii(), "{line}");
            }
        }
        let metrics = directive["Metrics"].as_array().expect("metrics");
        assert!((1..=100).contains(&metrics.len()));
        for metric in metrics {
            let name = metric["Name"].as_str().expect("a name");
            assert!(line[name].is_number(), "{line}");
            assert!(["Count", "Seconds"].contains(&metric["Unit"].as_str().expect("a unit")));
        }
    }
}

/// The values of a metric, each with its outcome where it has one.
fn values<'a>(metrics: &'a [Value], name: &str) -> Vec<(&'a Value, &'a Value)> {
    let own = metrics
        .iter()
        .filter(|line| line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"] == name);
    own.map(|line| (&line["outcome"], &line[name])).collect()
}

#[tokio::test]
async fn a_promotion_is_measured_from_its_push_until_it_runs() {
    let Some(world) = World::new().await else { return };
    world.deploy(&Image::oci("new", COMMIT)).await;

    let metrics = metrics(&world).await;

    let outcomes = values(&metrics, "Outcome");
    assert_eq!(
        outcomes,
        [(&json!("promoted"), &json!(1)), (&json!("deployed"), &json!(1))],
        "{metrics:?}"
    );
    assert!(metrics.iter().all(|line| line["function"] == "ecr-promoter"), "{metrics:?}");
    assert_eq!(values(&metrics, "PushToPromoted").len(), 1);
    assert_eq!(values(&metrics, "PromotedToDeployed").len(), 1);
}

#[tokio::test]
async fn an_ignored_event_and_a_look_with_nothing_to_do_are_not_measured() {
    let Some(world) = World::new().await else { return };
    assert_eq!(world.answer(&world.event("ecr-delete.json")).await["outcome"], "ignored");
    assert_eq!(world.answer(&world.event("ecr-push-other-tag.json")).await["outcome"], "ignored");
    world.answer(&json!({ "action": "reconcile", "only_open_work": true })).await;
    let metrics = metrics(&world).await;
    assert_eq!((metrics.len(), values(&metrics, "RefusedRequests").len()), (1, 1), "{metrics:?}");
}

#[tokio::test]
async fn what_waits_is_measured_at_each_look_and_a_refused_request_at_once() {
    let Some(world) = World::new().await else { return };
    world.configure("web", &json!({ "stack": "web", "mode": "approval" })).await;
    let image = Image::oci("new", COMMIT);
    world.push(&image, &["latest"]).await;
    assert_eq!(world.answer(&world.pushed(&image)).await["outcome"], "approval_requested");
    let then = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(30);
    world.set_time("request", "at", then).await;
    world.answer(&json!({ "action": "reconcile", "only_open_work": true })).await;

    let metrics = metrics(&world).await;

    let waited = values(&metrics, "WaitingForPeople");
    assert_eq!(waited.len(), 1, "{metrics:?}");
    assert!(waited[0].1.as_i64().expect("seconds") >= 30 * 3600);
    assert_eq!(values(&metrics, "RefusedRequests").len(), 1);
    assert_eq!(values(&metrics, "Outcome"), [(&json!("approval_requested"), &json!(1))]);
}
