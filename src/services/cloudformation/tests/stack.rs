use aws_smithy_types::body::SdkBody;
use http::{Request, Response};

use crate::error::Error;
use crate::model::stack::{Parameter, Stack};
use crate::samples::{STACK_ID, at};
use crate::services::wire::cloudformation::{
    answered, ask, denied_answer, element, parameter_member,
};
use crate::services::wire::{Recording, answer, denied, form_error, ok, replay};

fn describe_stacks() -> Request<SdkBody> {
    ask("DescribeStacks", &[("StackName", "web")])
}

async fn stack(recordings: Vec<Recording>) -> Result<Option<Stack>, Error> {
    replay(recordings, async |clients| clients.home_site().stack("web").await).await
}

fn stacks(member: &str) -> Response<SdkBody> {
    answered("DescribeStacks", &element("Stacks", &element("member", member)))
}

#[tokio::test]
async fn a_stack_is_read_with_its_parameters_and_capabilities() {
    let parameters = [
        parameter_member("ProductionTag", "production_9fceb02", ""),
        parameter_member("Secret", "****", ""),
        parameter_member("Ami", "/aws/ami", "<ResolvedValue>ami-1</ResolvedValue>"),
    ];
    let answer = stacks(
        &[
            element("StackId", STACK_ID),
            element("StackName", "web"),
            element("StackStatus", "UPDATE_ROLLBACK_COMPLETE"),
            element("CreationTime", "2026-01-05T10:00:00.000Z"),
            element("Parameters", &parameters.concat()),
            "<Capabilities><member>CAPABILITY_IAM</member>".to_owned(),
            "<member>CAPABILITY_OF_TOMORROW</member></Capabilities>".to_owned(),
        ]
        .concat(),
    );
    let parameter = |key: &str, value: &str, resolved: Option<&str>| Parameter {
        key: key.to_owned(),
        value: value.to_owned(),
        resolved: resolved.map(str::to_owned),
    };
    let expected = Stack {
        id: STACK_ID.to_owned(),
        name: "web".to_owned(),
        status: "UPDATE_ROLLBACK_COMPLETE".to_owned(),
        updated_at: Some(at("2026-01-05T10:00:00Z")),
        parent: None,
        role: None,
        parameters: vec![
            parameter("ProductionTag", "production_9fceb02", None),
            parameter("Secret", "****", None),
            parameter("Ami", "/aws/ami", Some("ami-1")),
        ],
        capabilities: vec!["CAPABILITY_IAM".to_owned(), "CAPABILITY_OF_TOMORROW".to_owned()],
    };
    assert_eq!(stack(vec![(describe_stacks(), answer)]).await.expect("read"), Some(expected));
}

#[tokio::test]
async fn a_nested_stack_names_its_parent() {
    let nested = |parent: &str| {
        stacks(&format!(
            "<StackName>web</StackName><StackStatus>CREATE_COMPLETE</StackStatus>{parent}"
        ))
    };
    let parent = async |xml: &str| {
        stack(vec![(describe_stacks(), nested(xml))])
            .await
            .expect("read")
            .expect("there is one")
            .parent
    };
    assert_eq!(
        parent("<ParentId>arn:parent</ParentId><RootId>arn:root</RootId>").await,
        Some("arn:parent".to_owned())
    );
    assert_eq!(parent("<ParentId></ParentId>").await, None);
}

#[tokio::test]
async fn a_stack_that_does_not_exist_is_none() {
    let answer = form_error(400, "ValidationError", "Stack with id web does not exist");
    assert_eq!(stack(vec![(describe_stacks(), answer)]).await.expect("not an error"), None);
}

#[tokio::test]
async fn any_other_validation_error_is_an_error() {
    let answer = form_error(
        400,
        "ValidationError",
        "1 validation error detected: Value 'web' at 'stackName' failed to satisfy constraint",
    );
    let error = stack(vec![(describe_stacks(), answer)]).await.expect_err("it failed").to_string();
    assert!(
        error.starts_with(
            "cloudformation:DescribeStacks on stack `web` failed: \
                               ValidationError: 1 validation error"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_denied_read_names_the_action_that_is_missing() {
    let result =
        stack(vec![(describe_stacks(), denied_answer("cloudformation:DescribeStacks"))]).await;
    assert_eq!(
        denied(result),
        ("cloudformation:DescribeStacks".to_owned(), "stack `web`".to_owned())
    );
}

#[tokio::test]
async fn a_read_is_tried_again() {
    let good = stacks("<StackName>web</StackName><StackStatus>CREATE_COMPLETE</StackStatus>");
    for bad in [
        form_error(400, "Throttling", "Rate exceeded"),
        form_error(500, "InternalFailure", "sorry"),
        answer(503, ""),
    ] {
        let recordings = vec![(describe_stacks(), bad), (describe_stacks(), good_again(&good))];
        assert!(stack(recordings).await.expect("read").is_some());
    }
}

fn good_again(response: &Response<SdkBody>) -> Response<SdkBody> {
    ok(response.body().bytes().expect("in memory").to_vec())
}
