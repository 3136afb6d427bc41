use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use serde_json::json;

use super::super::wire::cloudformation::{STACK_ID, ask, not_authorized};
use super::super::wire::{Recording, answer, app, denied, form_error, ok, replay};
use crate::error::Error;
use crate::model::change_set::{Change, ChangeSet, Changes, Replacement};
use crate::model::promotion::Update;
use crate::model::{Digest, Token};
use crate::world::{Applied, NotUpdated};

/// Its name: nobody can guess it.
const NAME: &str = "ecr-promoter-8f2c1e5d-00112233445566778899aabbccddeeff";
/// The token of its promotion.
const TOKEN: &str = "ecr-promoter-0f4d7c2b91e65a38d0c7be54f1a29386";
const CHANGE_SET_ID: &str = "arn:aws:cloudformation:us-east-1:012345678912:changeSet/ecr-promoter-0f4d7c2b91e65a38d0c7be54f1a29386/1";
const SERVICE_ID: &str =
    "arn:aws:cloudformation:us-east-1:012345678912:changeSet/ecr-promoter-0f4d7c2b91-Service/2";
const SIDECAR_ID: &str =
    "arn:aws:cloudformation:us-east-1:012345678912:changeSet/ecr-promoter-0f4d7c2b91-Sidecar/3";
/// What a `NoEcho` parameter holds: DescribeStacks masks it, and a change set may still show where
/// it goes.
const SECRET: &str = "correct-horse-battery-staple";

fn not_found() -> Response<SdkBody> {
    form_error(404, "ChangeSetNotFound", &format!("ChangeSet [{TOKEN}] does not exist"))
}

fn token() -> Token {
    TOKEN.parse().expect("a token")
}

fn answered(action: &str, result: &str) -> Response<SdkBody> {
    let result = format!("<{action}Result>{result}</{action}Result>");
    ok(format!(
        r#"<{action}Response xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">{result}</{action}Response>"#
    ))
}

// Its making

/// What every change set of the tests is made with, and nothing else: no tags, topics, role or
/// policy.
const UPDATE: [(&str, &str); 8] = [
    ("StackName", "web"),
    ("UsePreviousTemplate", "true"),
    ("Parameters.member.1.ParameterKey", "ProductionTag"),
    ("Parameters.member.1.ParameterValue", "production_9fceb02"),
    ("Parameters.member.2.ParameterKey", "AppName"),
    ("Parameters.member.2.UsePreviousValue", "true"),
    ("Parameters.member.3.ParameterKey", "Secret"),
    ("Parameters.member.3.UsePreviousValue", "true"),
];
const NAMED: [(&str, &str); 4] = [
    ("ChangeSetName", NAME),
    ("Description", "ecr-promoter: ProductionTag to production_9fceb02"),
    ("ChangeSetType", "UPDATE"),
    ("IncludeNestedStacks", "true"),
];

fn update() -> Update {
    Update {
        token: token(),
        tag: "production_9fceb02".parse().expect("a tag"),
        others: vec!["AppName".to_owned(), "Secret".to_owned()],
        capabilities: vec![],
        rollback: None,
    }
}

async fn create(answer: Response<SdkBody>) -> Result<Applied, Error> {
    create_with((ask("CreateChangeSet", &[&UPDATE[..], &NAMED].concat()), answer), update()).await
}

async fn create_with(recording: Recording, update: Update) -> Result<Applied, Error> {
    replay([recording], async |clients| {
        clients.create_change_set(&app(&json!({ "stack": "web" })), &update, NAME).await
    })
    .await
}

fn created() -> Response<SdkBody> {
    answered("CreateChangeSet", &format!("<Id>{CHANGE_SET_ID}</Id><StackId>{STACK_ID}</StackId>"))
}

#[tokio::test]
async fn a_change_set_is_asked_for_by_its_name_with_what_is_nested_and_known_by_its_arn() {
    assert_eq!(create(created()).await.expect("made"), Applied::Created(CHANGE_SET_ID.to_owned()));
}

#[tokio::test]
async fn capabilities_and_the_rollback_configuration_are_sent_as_with_an_update() {
    let alarm = "arn:aws:cloudwatch:us-east-1:012345678912:alarm:web-5xx";
    let more = [
        ("Capabilities.member.1", "CAPABILITY_AUTO_EXPAND"),
        ("RollbackConfiguration.RollbackTriggers.member.1.Arn", alarm),
        ("RollbackConfiguration.RollbackTriggers.member.1.Type", "AWS::CloudWatch::Alarm"),
        ("RollbackConfiguration.MonitoringTimeInMinutes", "10"),
    ];
    let rollback =
        app(&json!({ "stack": "web", "rollback": { "alarms": [alarm], "monitor_minutes": 10 } }))
            .config
            .rollback;
    let update =
        Update { capabilities: vec!["CAPABILITY_AUTO_EXPAND".to_owned()], rollback, ..update() };
    let asked = ask("CreateChangeSet", &[&UPDATE[..], &more, &NAMED].concat());
    assert_eq!(
        create_with((asked, created()), update).await.expect("made"),
        Applied::Created(CHANGE_SET_ID.to_owned())
    );
}

#[tokio::test]
async fn a_change_set_of_that_name_that_is_there_already_is_nobodys() {
    let exists =
        form_error(400, "AlreadyExistsException", &format!("ChangeSet {NAME} already exists"));
    assert_eq!(
        create(exists).await.expect("not an error"),
        Applied::NotUpdated(NotUpdated::Contested)
    );
}

#[tokio::test]
async fn why_a_change_set_cannot_be_made_is_told_apart() {
    let refused = |words: &str| NotUpdated::Refused(words.to_owned());
    for (code, words, expected) in [
        (
            "ValidationError",
            &*format!("Stack:{STACK_ID} is in UPDATE_IN_PROGRESS state and can not be updated."),
            NotUpdated::Contested,
        ),
        (
            "InsufficientCapabilitiesException",
            "Requires capabilities : [CAPABILITY_NAMED_IAM]",
            refused(
                "InsufficientCapabilitiesException: Requires capabilities : [CAPABILITY_NAMED_IAM]",
            ),
        ),
        (
            "ValidationError",
            "Parameters: [ProductionTag] do not exist in the template",
            refused("ValidationError: Parameters: [ProductionTag] do not exist in the template"),
        ),
    ] {
        let applied = create(form_error(400, code, words)).await.expect("told apart");
        assert_eq!(applied, Applied::NotUpdated(expected), "{code}: {words}");
    }
}

#[tokio::test]
async fn a_stack_with_too_many_change_sets_is_tried_again_later() {
    let asked = || ask("CreateChangeSet", &[&UPDATE[..], &NAMED].concat());
    let full =
        || form_error(400, "LimitExceededException", "ChangeSet limit exceeded for stack web");
    // The SDK tries three times by itself.
    let recordings = [(); 3].map(|()| (asked(), full()));
    let applied = replay(recordings, async |clients| {
        clients.create_change_set(&app(&json!({ "stack": "web" })), &update(), NAME).await
    })
    .await;
    let words = "LimitExceededException: ChangeSet limit exceeded for stack web".to_owned();
    assert_eq!(applied.expect("told apart"), Applied::NotUpdated(NotUpdated::Unsure(words)));
}

#[tokio::test]
async fn a_change_set_whose_first_answer_was_lost_is_not_gone_by() {
    let asked = || ask("CreateChangeSet", &[&UPDATE[..], &NAMED].concat());
    let exists =
        form_error(400, "AlreadyExistsException", &format!("ChangeSet {NAME} already exists"));
    let recordings = [(asked(), answer(500, "")), (asked(), exists)];
    let applied = replay(recordings, async |clients| {
        clients.create_change_set(&app(&json!({ "stack": "web" })), &update(), NAME).await
    })
    .await;
    assert_eq!(applied.expect("not an error"), Applied::NotUpdated(NotUpdated::Contested));
}

#[tokio::test]
async fn a_change_set_that_may_not_be_made_names_the_action_that_is_missing() {
    for action in ["cloudformation:CreateChangeSet", "ssm:GetParameters"] {
        assert_eq!(
            denied(create(not_authorized(action)).await),
            (action.to_owned(), "stack `web`".to_owned())
        );
    }
}

// Its reading

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
        .map(|name| format!("<member><ChangeSetName>{name}</ChangeSetName><Status>CREATE_COMPLETE</Status></member>"))
        .collect();
    answered("ListChangeSets", &format!("<Summaries>{summaries}</Summaries>{next}"))
}

/// No change sets but its own.
fn alone() -> Recording {
    (list(None), listed(&[TOKEN], ""))
}

fn described(id: &str, status: &str, execution: &str, more: &str) -> Response<SdkBody> {
    let its = format!(
        "<ChangeSetId>{id}</ChangeSetId><StackId>{STACK_ID}</StackId><StackName>web</StackName>"
    );
    let status = format!("<Status>{status}</Status><ExecutionStatus>{execution}</ExecutionStatus>");
    answered(
        "DescribeChangeSet",
        &format!("{its}{status}<IncludeNestedStacks>true</IncludeNestedStacks>{more}"),
    )
}

fn ready(id: &str, more: &str) -> Response<SdkBody> {
    described(id, "CREATE_COMPLETE", "AVAILABLE", more)
}

fn changes(members: &[String]) -> String {
    format!("<Changes>{}</Changes>", members.concat())
}

fn change(action: &str, kind: &str, resource: &str, more: &str) -> String {
    let its = format!(
        "<Action>{action}</Action><LogicalResourceId>{resource}</LogicalResourceId><ResourceType>{kind}</ResourceType>"
    );
    format!("<member><Type>Resource</Type><ResourceChange>{its}{more}</ResourceChange></member>")
}

fn replacement(word: &str) -> String {
    format!("<Replacement>{word}</Replacement>")
}

/// A nested stack that stays, with what changes in it.
fn nested(resource: &str, id: &str) -> String {
    let more = format!("{}<ChangeSetId>{id}</ChangeSetId>", replacement("False"));
    change("Modify", "AWS::CloudFormation::Stack", resource, &more)
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
        clients.change_set(&app(&json!({ "stack": "web" })), CHANGE_SET_ID).await
    })
    .await
}

async fn read_changes(recordings: impl IntoIterator<Item = Recording>) -> Changes {
    let read = review(recordings).await.expect("read");
    let ChangeSet::Ready(changes) = &read else { panic!("not ready: {read:?}") };
    changes.clone()
}

#[tokio::test]
async fn a_change_set_says_of_each_resource_what_would_become_of_it() {
    let parameters = "<Parameters>
          <member><ParameterKey>ProductionTag</ParameterKey><ParameterValue>production_9fceb02</ParameterValue></member>
          <member><ParameterKey>Ami</ParameterKey><ParameterValue>/aws/ami</ParameterValue><ResolvedValue>ami-1</ResolvedValue></member>
        </Parameters>";
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
async fn what_causes_a_change_is_named_for_the_stack_and_not_for_what_is_nested_in_it() {
    let caused_by = |entity: &str| {
        let target = "<Target><Attribute>Properties</Attribute><Name>Image</Name></Target>";
        let source = "<ChangeSource>ParameterReference</ChangeSource>";
        format!(
            "<Details><member>{target}{source}<CausingEntity>{entity}</CausingEntity></member></Details>"
        )
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
async fn a_service_that_only_gets_another_task_definition_is_not_replaced() {
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

/// The same whatever order the pages were read in.
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
async fn nested_stacks_are_judged_by_what_changes_in_them_however_deep() {
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
async fn a_nested_stack_that_comes_goes_or_is_replaced_is_a_change_itself() {
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
async fn the_change_sets_of_others_are_named_from_all_pages() {
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

#[tokio::test]
async fn a_change_set_in_the_making_is_waited_for() {
    let making = |status: &str| (describe(), described(CHANGE_SET_ID, status, "UNAVAILABLE", ""));
    let read = read_changes([
        making("CREATE_PENDING"),
        making("CREATE_IN_PROGRESS"),
        (describe(), ready(CHANGE_SET_ID, "")),
        alone(),
    ])
    .await;
    assert_eq!(read, Changes::default());

    let deleted = review([making("DELETE_IN_PROGRESS"), (describe(), not_found())]).await;
    assert_eq!(deleted.expect("read"), ChangeSet::Absent, "it was being deleted");
}

#[tokio::test]
async fn what_a_change_set_is_fit_for_is_told_apart() {
    let because = |reason: &str| format!("<StatusReason>{reason}</StatusReason>");
    let no_changes = "The submitted information didn't contain changes. Submit different \
                      information to create a change set.";
    for (status, execution, more, is) in [
        ("CREATE_COMPLETE", "EXECUTE_IN_PROGRESS", String::new(), ChangeSet::Executing),
        ("CREATE_COMPLETE", "EXECUTE_COMPLETE", String::new(), ChangeSet::Executing),
        ("CREATE_COMPLETE", "EXECUTE_FAILED", String::new(), ChangeSet::Outdated),
        ("CREATE_COMPLETE", "OBSOLETE", String::new(), ChangeSet::Outdated),
        ("CREATE_COMPLETE", "STATUS_OF_TOMORROW", String::new(), ChangeSet::Outdated),
        ("DELETE_COMPLETE", "UNAVAILABLE", String::new(), ChangeSet::Absent),
        ("FAILED", "UNAVAILABLE", because(no_changes), ChangeSet::Empty),
        ("FAILED", "UNAVAILABLE", because("No updates are to be performed."), ChangeSet::Empty),
        (
            "FAILED",
            "UNAVAILABLE",
            because("Template error: x"),
            ChangeSet::Failed("Template error: x".to_owned()),
        ),
        ("FAILED", "UNAVAILABLE", String::new(), ChangeSet::Failed(String::new())),
        (
            "FAILED",
            "UNAVAILABLE",
            because("Rate exceeded"),
            ChangeSet::Unsure("Rate exceeded".to_owned()),
        ),
        (
            "FAILED",
            "UNAVAILABLE",
            because("Internal Failure"),
            ChangeSet::Unsure("Internal Failure".to_owned()),
        ),
    ] {
        let read = review([(describe(), described(CHANGE_SET_ID, status, execution, &more))]).await;
        assert_eq!(read.expect("read"), is, "{status} {execution} {more}");
    }
}

#[tokio::test]
async fn a_change_set_that_does_not_exist_is_absent() {
    assert_eq!(review([(describe(), not_found())]).await.expect("not an error"), ChangeSet::Absent);
}

#[tokio::test]
async fn a_change_set_that_goes_while_it_is_read_is_an_error_and_not_half_a_list() {
    let root = format!("{}<NextToken>page 2</NextToken>", changes(&[]));
    let recordings = [
        (describe(), ready(CHANGE_SET_ID, &root)),
        alone(),
        (describe_by_id(CHANGE_SET_ID, Some("page 2")), not_found()),
    ];
    let error = review(recordings).await.expect_err("it is gone").to_string();
    assert_eq!(error, format!("change set `{CHANGE_SET_ID}` of stack `web`: it is gone"));

    let root = changes(&[nested("Service", SERVICE_ID)]);
    let recordings = [
        (describe(), ready(CHANGE_SET_ID, &root)),
        alone(),
        (describe_by_id(SERVICE_ID, None), not_found()),
    ];
    let error = review(recordings).await.expect_err("it is gone").to_string();
    assert_eq!(error, format!("change set `{SERVICE_ID}` of stack `web`: it is gone"));
}

#[tokio::test]
async fn a_read_that_is_denied_or_fails_says_so() {
    let action = "cloudformation:DescribeChangeSet";
    let result = review([(describe(), not_authorized(action))]).await;
    assert_eq!(
        denied(result),
        (action.to_owned(), format!("change set `{CHANGE_SET_ID}` of stack `web`"))
    );

    let action = "cloudformation:ListChangeSets";
    let result =
        review([(describe(), ready(CHANGE_SET_ID, "")), (list(None), not_authorized(action))])
            .await;
    assert_eq!(denied(result), (action.to_owned(), "stack `web`".to_owned()));

    let gone = form_error(400, "ValidationError", "Stack [web] does not exist");
    let error = review([(describe(), gone)]).await.expect_err("it failed").to_string();
    let resource = format!("change set `{CHANGE_SET_ID}` of stack `web`");
    assert_eq!(
        error,
        format!(
            "cloudformation:DescribeChangeSet on {resource} failed: ValidationError: Stack [web] \
             does not exist"
        )
    );
}

#[tokio::test]
async fn a_secret_in_a_change_set_stays_there() {
    let parameters = format!(
        "<Parameters><member><ParameterKey>Secret</ParameterKey><ParameterValue>{SECRET}</ParameterValue></member></Parameters>"
    );
    let target = format!(
        "<Target><Attribute>Properties</Attribute><Name>Environment</Name><AfterValue>{SECRET}</AfterValue></Target>"
    );
    let more = format!(
        "<BeforeContext>{SECRET}</BeforeContext><AfterContext>{SECRET}</AfterContext><Details><member>{target}</member></Details>{}",
        replacement("True")
    );
    let body = format!(
        "{parameters}{}",
        changes(&[change("Modify", "AWS::ECS::TaskDefinition", "Task", &more)])
    );

    let review_of =
        review([(describe(), ready(CHANGE_SET_ID, &body)), alone()]).await.expect("read");
    assert!(!format!("{review_of:?}").contains(SECRET), "{review_of:?}");

    let unreadable = format!(
        "<DescribeChangeSetResponse><DescribeChangeSetResult>{parameters}<CreationTime>noon</CreationTime>"
    );
    let error = review([(describe(), ok(unreadable))]).await.expect_err("it is not understood");
    assert!(!format!("{error} {error:?}").contains(SECRET), "{error}");
}

// Its execution

async fn execute(answer: Response<SdkBody>) -> Result<Applied, Error> {
    let asked = ask(
        "ExecuteChangeSet",
        &[("ChangeSetName", CHANGE_SET_ID), ("StackName", "web"), ("ClientRequestToken", TOKEN)],
    );
    replay([(asked, answer)], async |clients| {
        clients.execute_change_set(&app(&json!({ "stack": "web" })), &token(), CHANGE_SET_ID).await
    })
    .await
}

#[tokio::test]
async fn what_was_reviewed_is_executed_under_the_promotions_own_token() {
    assert_eq!(execute(answered("ExecuteChangeSet", "")).await.expect("sent"), Applied::Done);
}

#[tokio::test]
async fn what_cloudformation_says_to_an_execution_is_told_apart() {
    let unsure = |words: &str| NotUpdated::Unsure(words.to_owned());
    for (status, code, words, expected) in [
        (404, "ChangeSetNotFound", "ChangeSet does not exist", NotUpdated::Contested),
        (
            400,
            "InvalidChangeSetStatus",
            "ChangeSet cannot be executed in its current execution status of [OBSOLETE]",
            NotUpdated::Contested,
        ),
        (
            400,
            "ValidationError",
            &*format!("Stack:{STACK_ID} is in UPDATE_IN_PROGRESS state and can not be updated."),
            NotUpdated::Contested,
        ),
        (400, "TokenAlreadyExistsException", "Token already exists", NotUpdated::KnownToken),
        (
            400,
            "InsufficientCapabilitiesException",
            "Requires capabilities : [CAPABILITY_NAMED_IAM]",
            NotUpdated::Refused(
                "InsufficientCapabilitiesException: Requires capabilities : [CAPABILITY_NAMED_IAM]"
                    .to_owned(),
            ),
        ),
        (400, "Throttling", "Rate exceeded", unsure("Throttling: Rate exceeded")),
        (503, "ServiceUnavailable", "later", unsure("ServiceUnavailable: later")),
    ] {
        // One recording: as an update, it is never sent twice by the client itself.
        let applied = execute(form_error(status, code, words)).await.expect("told apart");
        assert_eq!(applied, Applied::NotUpdated(expected), "{code}: {words}");
    }
    let nameless =
        execute(answer(502, "<html>not CloudFormation</html>")).await.expect("told apart");
    assert!(matches!(nameless, Applied::NotUpdated(NotUpdated::Unsure(_))), "{nameless:?}");
}

#[tokio::test]
async fn a_denied_execution_names_the_action_that_is_missing() {
    for action in ["cloudformation:ExecuteChangeSet", "iam:PassRole"] {
        assert_eq!(
            denied(execute(not_authorized(action)).await),
            (action.to_owned(), "stack `web`".to_owned())
        );
    }
}

// Its removal

fn delete_request() -> Request<SdkBody> {
    ask("DeleteChangeSet", &[("ChangeSetName", CHANGE_SET_ID)])
}

async fn delete(answer: Response<SdkBody>) -> Result<Applied, Error> {
    replay([(delete_request(), answer)], async |clients| {
        clients.delete_change_set(&app(&json!({ "stack": "web" })), CHANGE_SET_ID).await
    })
    .await
}

#[tokio::test]
async fn a_change_set_is_removed_or_was_gone_already() {
    assert_eq!(delete(answered("DeleteChangeSet", "")).await.expect("removed"), Applied::Done);
    assert_eq!(delete(not_found()).await.expect("not an error"), Applied::Done);
    let with_its_stack = form_error(400, "ValidationError", "Stack [web] does not exist");
    assert_eq!(delete(with_its_stack).await.expect("not an error"), Applied::Done);
}

#[tokio::test]
async fn a_change_set_that_is_still_being_made_is_removed_later() {
    let words = "ChangeSet cannot be deleted in the current status of [CREATE_IN_PROGRESS]";
    assert_eq!(
        delete(form_error(400, "InvalidChangeSetStatus", words)).await.expect("not an error"),
        Applied::PutOff
    );
}

#[tokio::test]
async fn a_removal_that_is_denied_or_fails_says_so() {
    let action = "cloudformation:DeleteChangeSet";
    assert_eq!(
        denied(delete(not_authorized(action)).await),
        (action.to_owned(), format!("change set `{CHANGE_SET_ID}` of stack `web`"))
    );

    let invalid = form_error(400, "ValidationError", "1 validation error detected");
    let error = delete(invalid).await.expect_err("it failed").to_string();
    let resource = format!("change set `{CHANGE_SET_ID}` of stack `web`");
    assert_eq!(
        error,
        format!("{action} on {resource} failed: ValidationError: 1 validation error detected")
    );
}
