use aws_smithy_types::body::SdkBody;
use http::{Request, Response};

use crate::error::Error;
use crate::samples::STACK_ID;
use crate::services::wire::cloudformation::{answered, ask, denied_answer, element};
use crate::services::wire::ecs::service_arn;
use crate::services::wire::{Recording, denied, replay};

const SERVICE: &str = "AWS::ECS::Service";
const STACK: &str = "AWS::CloudFormation::Stack";

fn list(stack: &str, token: Option<&str>) -> Request<SdkBody> {
    // The SDK writes the token first.
    let token = token.map(|token| ("NextToken", token));
    let pairs: Vec<(&str, &str)> = [("StackName", stack)].into_iter().chain(token).collect();
    ask("ListStackResources", &pairs)
}

/// A page of resources: type, physical id, status.
fn page(resources: &[(&str, &str, &str)], next: Option<&str>) -> Response<SdkBody> {
    let members: String = resources
        .iter()
        .map(|(kind, id, status)| {
            let member = element("LogicalResourceId", "Any")
                + &element("PhysicalResourceId", id)
                + &element("ResourceType", kind)
                + &element("ResourceStatus", status);
            element("member", &member)
        })
        .collect();
    let next = next.map_or_else(String::new, |next| element("NextToken", next));
    answered("ListStackResources", &(element("StackResourceSummaries", &members) + &next))
}

/// The id of a nested stack.
fn nested(name: &str) -> String {
    STACK_ID.replace("stack/web/", &format!("stack/{name}/"))
}

async fn services(recordings: Vec<Recording>) -> Result<Vec<String>, Error> {
    replay(recordings, async |clients| clients.home_site().service_arns(STACK_ID).await).await
}

#[tokio::test]
async fn all_pages_of_a_stacks_resources_are_read() {
    let (web, worker) = (service_arn("web"), service_arn("worker"));
    let first = [
        ("AWS::ECS::TaskDefinition", "web:1", "UPDATE_COMPLETE"),
        (SERVICE, &worker, "UPDATE_COMPLETE"),
    ];
    let read = services(vec![
        (list(STACK_ID, None), page(&first, Some("page-2"))),
        (
            list(STACK_ID, Some("page-2")),
            page(&[(SERVICE, &web, "CREATE_COMPLETE")], Some("page-3")),
        ),
        (list(STACK_ID, Some("page-3")), page(&[], None)),
    ])
    .await;
    assert_eq!(read.expect("read"), [web, worker], "in order");
}

#[tokio::test]
async fn nested_stacks_are_read_level_by_level() {
    let (web, worker, cron) = (service_arn("web"), service_arn("worker"), service_arn("cron"));
    let (a, b, c) = (nested("a"), nested("b"), nested("c"));
    let complete = "UPDATE_COMPLETE";
    let read = services(vec![
        (list(STACK_ID, None), page(&[(STACK, &a, complete), (STACK, &b, complete)], None)),
        (list(&a, None), page(&[(SERVICE, &web, complete), (STACK, &c, complete)], None)),
        (list(&b, None), page(&[(SERVICE, &worker, complete)], None)),
        (list(&c, None), page(&[(SERVICE, &cron, complete)], None)),
    ])
    .await;
    assert_eq!(read.expect("read"), [cron, web, worker]);
}

#[tokio::test]
async fn deleted_resources_and_those_that_were_not_made_do_not_count() {
    let gone = service_arn("gone");
    let read = services(vec![(
        list(STACK_ID, None),
        page(
            &[
                (SERVICE, &gone, "DELETE_COMPLETE"),
                (STACK, &nested("gone"), "DELETE_COMPLETE"),
                (SERVICE, "", "CREATE_FAILED"),
                (STACK, "", "CREATE_IN_PROGRESS"),
            ],
            None,
        ),
    )])
    .await;
    assert_eq!(read.expect("read"), [""; 0]);
}

/// A stack that names another one, which names it back, ends in an error too.
#[tokio::test]
async fn more_nested_stacks_than_are_read_are_an_error() {
    let names: Vec<String> = (0..200).map(|n| nested(&format!("n-{n}"))).collect();
    let all: Vec<(&str, &str, &str)> =
        names.iter().map(|name| (STACK, name.as_str(), "UPDATE_COMPLETE")).collect();
    let error = services(vec![(list(STACK_ID, None), page(&all, None))]).await.expect_err("many");
    assert_eq!(
        error.to_string(),
        format!("stack `{STACK_ID}`: more than 200 stacks are nested in it")
    );
}

#[tokio::test]
async fn a_denied_list_of_resources_names_the_action() {
    let result =
        services(vec![(list(STACK_ID, None), denied_answer("cloudformation:ListStackResources"))])
            .await;
    let action = "cloudformation:ListStackResources".to_owned();
    assert_eq!(denied(result), (action, format!("stack `{STACK_ID}`")));
}
