use super::*;
use crate::services::change_set::tests::not_found;

const SERVICE_ID: &str =
    "arn:aws:cloudformation:us-east-1:012345678912:changeSet/ecr-promoter-0f4d7c2b91-Service/2";

const SIDECAR_ID: &str =
    "arn:aws:cloudformation:us-east-1:012345678912:changeSet/ecr-promoter-0f4d7c2b91-Sidecar/3";

/// A nested stack that stays, with what changes in it.
fn nested(resource: &str, id: &str) -> String {
    let more = format!("{}<ChangeSetId>{id}</ChangeSetId>", replacement("False"));
    change("Modify", "AWS::CloudFormation::Stack", resource, &more)
}

#[tokio::test]
async fn causes_are_read_for_the_stack_and_not_for_nested_stacks() {
    let caused_by = |entity: &str| {
        let target = "<Target><Attribute>Properties</Attribute><Name>Image</Name></Target>";
        let source = "<ChangeSource>ParameterReference</ChangeSource>";
        let cause = element("CausingEntity", entity);
        element("Details", &element("member", &format!("{target}{source}{cause}")))
    };
    let task = |entity: &str| {
        change(
            "Modify",
            "AWS::ECS::TaskDefinition",
            "Task",
            &format!("{}{}", replacement("True"), caused_by(entity)),
        )
    };
    let nested = change(
        "Modify",
        "AWS::CloudFormation::Stack",
        "Sidecar",
        &format!(
            "{}<ChangeSetId>{SIDECAR_ID}</ChangeSetId>{}",
            replacement("False"),
            caused_by("Ami")
        ),
    );
    let read = read_changes([
        (describe(), ready(CHANGE_SET_ID, &changes(&[task("ProductionTag"), nested]))),
        alone(),
        (
            describe_by_id(SIDECAR_ID, None),
            ready(SIDECAR_ID, &changes(&[task("BootstrapVersion")])),
        ),
    ])
    .await;
    assert_eq!(read.causes, ["ProductionTag", "Ami"]);
}

#[tokio::test]
async fn changes_in_nested_stacks_are_read_at_any_depth() {
    let task = "AWS::ECS::TaskDefinition";
    let second_page =
        format!("{}<NextToken>page 2</NextToken>", changes(&[nested("Sidecar", SIDECAR_ID)]));
    let read = read_changes([
        (
            describe(),
            ready(
                CHANGE_SET_ID,
                &changes(&[nested("Service", SERVICE_ID), change("Add", task, "Own", "")]),
            ),
        ),
        alone(),
        (describe_by_id(SERVICE_ID, None), ready(SERVICE_ID, &second_page)),
        (
            describe_by_id(SERVICE_ID, Some("page 2")),
            ready(SERVICE_ID, &changes(&[change("Add", task, "Late", "")])),
        ),
        (
            describe_by_id(SIDECAR_ID, None),
            ready(SIDECAR_ID, &changes(&[change("Modify", task, "Task", &replacement("True"))])),
        ),
    ])
    .await;
    let list = [
        expected("Add", task, "Late", Some("Service"), Replacement::No),
        expected("Add", task, "Own", None, Replacement::No),
        expected("Modify", task, "Task", Some("Service/Sidecar"), Replacement::Yes),
    ];
    assert_eq!(by_resource(read), list);
}

#[tokio::test]
async fn a_nested_stack_that_is_added_removed_or_replaced_is_a_change() {
    let stack = "AWS::CloudFormation::Stack";
    let its_id = format!("<ChangeSetId>{SERVICE_ID}</ChangeSetId>");
    let members = [
        change("Add", stack, "A", &its_id),
        change("Modify", stack, "B", &format!("{}{its_id}", replacement("True"))),
        change("Modify", stack, "C", &format!("{}{its_id}", replacement("Conditional"))),
        change("Modify", stack, "D", &format!("{}<ChangeSetId/>", replacement("False"))),
        change("Remove", stack, "E", &its_id),
    ];
    let read =
        read_changes([(describe(), ready(CHANGE_SET_ID, &changes(&members))), alone()]).await;
    let list = [
        expected("Add", stack, "A", None, Replacement::No),
        expected("Modify", stack, "B", None, Replacement::Yes),
        expected("Modify", stack, "C", None, Replacement::Conditional),
        expected("Modify", stack, "D", None, Replacement::No),
        expected("Remove", stack, "E", None, Replacement::No),
    ];
    assert_eq!(by_resource(read), list);
}

#[tokio::test]
async fn a_change_set_that_is_deleted_during_the_read_is_an_error() {
    let root = format!("{}<NextToken>page 2</NextToken>", changes(&[]));
    let recordings = [
        (describe(), ready(CHANGE_SET_ID, &root)),
        alone(),
        (describe_by_id(CHANGE_SET_ID, Some("page 2")), not_found()),
    ];
    let error = review(recordings).await.expect_err("it is gone").to_string();
    assert_eq!(
        error,
        format!("change set `{CHANGE_SET_ID}` of stack `web`: it was deleted while it was read")
    );

    let root = changes(&[nested("Service", SERVICE_ID)]);
    let recordings = [
        (describe(), ready(CHANGE_SET_ID, &root)),
        alone(),
        (describe_by_id(SERVICE_ID, None), not_found()),
    ];
    let error = review(recordings).await.expect_err("it is gone").to_string();
    assert_eq!(
        error,
        format!("change set `{SERVICE_ID}` of stack `web`: it was deleted while it was read")
    );
}
