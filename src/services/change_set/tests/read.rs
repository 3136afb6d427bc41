mod nested;
mod status;

use aws_smithy_types::body::SdkBody;
use http::{Request, Response};

use super::CHANGE_SET_ID;
use crate::error::Error;
use crate::model::Digest;
use crate::model::change_set::{Change, ChangeSet, Changes, Replacement};
use crate::samples::STACK_ID;
use crate::services::samples::{TOKEN, web_app};
use crate::services::wire::cloudformation::{answered, ask, element, parameter_member};
use crate::services::wire::{Recording, ok, replay};

fn describe() -> Request<SdkBody> {
    describe_by_id(CHANGE_SET_ID, None)
}

/// A further page, or a change set of a nested stack: an ARN says which stack it is on.
fn describe_by_id(id: &str, page: Option<&str>) -> Request<SdkBody> {
    let page = page.map(|page| ("NextToken", page));
    ask("DescribeChangeSet", &[("ChangeSetName", id)].into_iter().chain(page).collect::<Vec<_>>())
}

fn list(page: Option<&str>) -> Request<SdkBody> {
    ask(
        "ListChangeSets",
        &[("StackName", "web")]
            .into_iter()
            .chain(page.map(|page| ("NextToken", page)))
            .collect::<Vec<_>>(),
    )
}

fn listed(names: &[&str], next: &str) -> Response<SdkBody> {
    let summaries: String = names
        .iter()
        .map(|name| element("ChangeSetName", name) + "<Status>CREATE_COMPLETE</Status>")
        .map(|summary| element("member", &summary))
        .collect();
    answered("ListChangeSets", &format!("<Summaries>{summaries}</Summaries>{next}"))
}

/// The stack has no change sets but the promotion's.
fn alone() -> Recording {
    (list(None), listed(&[TOKEN], ""))
}

fn described(id: &str, status: &str, execution: &str, more: &str) -> Response<SdkBody> {
    let parts = [
        element("ChangeSetId", id),
        element("StackId", STACK_ID),
        element("StackName", "web"),
        element("Status", status),
        element("ExecutionStatus", execution),
        element("IncludeNestedStacks", "true"),
    ];
    answered("DescribeChangeSet", &(parts.concat() + more))
}

fn ready(id: &str, more: &str) -> Response<SdkBody> {
    described(id, "CREATE_COMPLETE", "AVAILABLE", more)
}

fn changes(members: &[String]) -> String {
    format!("<Changes>{}</Changes>", members.concat())
}

fn change(action: &str, kind: &str, resource: &str, more: &str) -> String {
    let parts = [
        element("Action", action),
        element("LogicalResourceId", resource),
        element("ResourceType", kind),
    ];
    let change = element("ResourceChange", &(parts.concat() + more));
    element("member", &(element("Type", "Resource") + &change))
}

fn replacement(word: &str) -> String {
    format!("<Replacement>{word}</Replacement>")
}

fn expected(
    action: &str,
    kind: &str,
    resource: &str,
    within: Option<&str>,
    replacement: Replacement,
) -> Change {
    Change {
        action: action.to_owned(),
        kind: kind.to_owned(),
        resource: resource.to_owned(),
        within: within.map(str::to_owned),
        replacement,
    }
}

async fn review(recordings: impl IntoIterator<Item = Recording>) -> Result<ChangeSet, Error> {
    replay(recordings, async |clients| {
        clients.home_site().change_set(&web_app(), CHANGE_SET_ID).await
    })
    .await
}

async fn read_changes(recordings: impl IntoIterator<Item = Recording>) -> Changes {
    let read = review(recordings).await.expect("read");
    let ChangeSet::Ready(changes) = &read else { panic!("not ready: {read:?}") };
    changes.clone()
}

#[tokio::test]
async fn a_change_set_names_the_change_of_each_resource() {
    let parameters = element(
        "Parameters",
        &[
            parameter_member("ProductionTag", "production_9fceb02", ""),
            parameter_member("Ami", "/aws/ami", "<ResolvedValue>ami-1</ResolvedValue>"),
        ]
        .concat(),
    );
    let (task, queue) = ("AWS::ECS::TaskDefinition", "AWS::SQS::Queue");
    let members = [
        change("Modify", task, "Task", &replacement("True")),
        change("Modify", "AWS::ECS::Service", "Service", &replacement("False")),
        change("Modify", "AWS::RDS::DBInstance", "Database", &replacement("Conditional")),
        change("Modify", queue, "Mails", &replacement("WordOfTomorrow")),
        change("Add", queue, "New", ""),
        change("Remove", queue, "Old", "<PolicyAction>Delete</PolicyAction>"),
        change("Dynamic", queue, "Maybe", ""),
        change("Import", queue, "Found", ""),
        "<member><Type>Hook</Type></member>".to_owned(),
    ];
    let read = read_changes([
        (describe(), ready(CHANGE_SET_ID, &format!("{parameters}{}", changes(&members)))),
        alone(),
    ])
    .await;
    let list = vec![
        expected("Modify", task, "Task", None, Replacement::Yes),
        expected("Modify", "AWS::ECS::Service", "Service", None, Replacement::No),
        expected("Modify", "AWS::RDS::DBInstance", "Database", None, Replacement::Conditional),
        expected("Modify", queue, "Mails", None, Replacement::Conditional),
        expected("Add", queue, "New", None, Replacement::No),
        expected("Remove", queue, "Old", None, Replacement::No),
        expected("Dynamic", queue, "Maybe", None, Replacement::No),
        expected("Import", queue, "Found", None, Replacement::No),
    ];
    let sent = |key: &str, value: &str| (key.to_owned(), Some(Digest::of(value.as_bytes())));
    let parameters = vec![sent("ProductionTag", "production_9fceb02"), sent("Ami", "/aws/ami")];
    let resolved = vec![("Ami".to_owned(), "ami-1".to_owned())];
    assert_eq!(read, Changes { list, resolved, parameters, ..Changes::default() });
}

#[tokio::test]
async fn a_service_with_another_task_definition_is_not_replaced() {
    let detail = |name: &str| {
        format!(
            "<member><Target><Attribute>Properties</Attribute><Name>{name}</Name></Target></member>"
        )
    };
    let service = |resource: &str, names: &[&str]| {
        let details: String = names.iter().map(|name| detail(name)).collect();
        change(
            "Modify",
            "AWS::ECS::Service",
            resource,
            &format!("{}<Details>{details}</Details>", replacement("Conditional")),
        )
    };
    let members = [
        service("A", &["TaskDefinition"]),
        service("B", &["TaskDefinition", "LaunchType"]),
        service("C", &[]),
        change(
            "Modify",
            "AWS::RDS::DBInstance",
            "D",
            &format!(
                "{}<Details>{}</Details>",
                replacement("Conditional"),
                detail("TaskDefinition")
            ),
        ),
    ];
    let read =
        read_changes([(describe(), ready(CHANGE_SET_ID, &changes(&members))), alone()]).await;
    let replacements: Vec<Replacement> =
        by_resource(read).into_iter().map(|change| change.replacement).collect();
    assert_eq!(
        replacements,
        [
            Replacement::No,
            Replacement::Conditional,
            Replacement::Conditional,
            Replacement::Conditional
        ]
    );
}

/// The changes in the order of their resources. Pages may be read in any order.
fn by_resource(changes: Changes) -> Vec<Change> {
    let mut list = changes.list;
    list.sort_by(|a, b| a.resource.cmp(&b.resource));
    list
}

#[tokio::test]
async fn all_pages_of_changes_are_read() {
    let queue = "AWS::SQS::Queue";
    let page = |resource: &str, next: &str| {
        ready(CHANGE_SET_ID, &format!("{}{next}", changes(&[change("Add", queue, resource, "")])))
    };
    let read = read_changes([
        (describe(), page("A", "<NextToken>page 2</NextToken>")),
        alone(),
        (describe_by_id(CHANGE_SET_ID, Some("page 2")), page("B", "<NextToken>page 3</NextToken>")),
        (describe_by_id(CHANGE_SET_ID, Some("page 3")), page("C", "")),
    ])
    .await;
    assert_eq!(
        by_resource(read),
        ["A", "B", "C"].map(|resource| expected("Add", queue, resource, None, Replacement::No))
    );
}

#[tokio::test]
async fn change_sets_of_others_are_listed_from_all_pages() {
    let read = read_changes([
        (describe(), ready(CHANGE_SET_ID, "")),
        (list(None), listed(&["by-hand", TOKEN], "<NextToken>page 2</NextToken>")),
        (
            list(Some("page 2")),
            listed(&["ecr-promoter-ffffffffffffffffffffffffffffffff", "pipeline-7"], ""),
        ),
    ])
    .await;
    assert_eq!(
        read,
        Changes {
            others: vec!["by-hand".to_owned(), "pipeline-7".to_owned()],
            ..Changes::default()
        }
    );
}

/// The value of a `NoEcho` parameter. DescribeStacks masks it, but a change set may show it.
const SECRET: &str = "correct-horse-battery-staple";

#[tokio::test]
async fn a_secret_in_a_change_set_is_not_read() {
    let parameters = element("Parameters", &parameter_member("Secret", SECRET, ""));
    let target = [
        element("Attribute", "Properties"),
        element("Name", "Environment"),
        element("AfterValue", SECRET),
    ];
    let detail = element("member", &element("Target", &target.concat()));
    let more = [
        element("BeforeContext", SECRET),
        element("AfterContext", SECRET),
        element("Details", &detail),
        replacement("True"),
    ];
    let task = change("Modify", "AWS::ECS::TaskDefinition", "Task", &more.concat());
    let body = format!("{parameters}{}", changes(&[task]));

    let review_of =
        review([(describe(), ready(CHANGE_SET_ID, &body)), alone()]).await.expect("read");
    assert!(!format!("{review_of:?}").contains(SECRET), "{review_of:?}");

    let unreadable = format!(
        "<DescribeChangeSetResponse><DescribeChangeSetResult>{parameters}\
         <CreationTime>noon</CreationTime>"
    );
    let error = review([(describe(), ok(unreadable))]).await.expect_err("it is not understood");
    assert!(!format!("{error} {error:?}").contains(SECRET), "{error}");
}
