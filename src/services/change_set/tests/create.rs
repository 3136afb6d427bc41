use aws_smithy_types::body::SdkBody;
use http::Response;
use serde_json::json;

use super::CHANGE_SET_ID;
use crate::error::Error;
use crate::model::promotion::Update;
use crate::samples::STACK_ID;
use crate::services::samples::{app, update, web_app};
use crate::services::wire::cloudformation::{UPDATE, answered, ask, denied_answer};
use crate::services::wire::{Recording, answer, denied, form_error, replay};
use crate::world::{Applied, NotUpdated};

/// The change set's name, which nobody can guess.
const NAME: &str = "ecr-promoter-8f2c1e5d-00112233445566778899aabbccddeeff";

const NAMED: [(&str, &str); 4] = [
    ("ChangeSetName", NAME),
    ("Description", "ecr-promoter: ProductionTag to production_9fceb02"),
    ("ChangeSetType", "UPDATE"),
    ("IncludeNestedStacks", "true"),
];

async fn create(answer: Response<SdkBody>) -> Result<Applied, Error> {
    create_with((ask("CreateChangeSet", &[&UPDATE[..], &NAMED].concat()), answer), update()).await
}

async fn create_with(recording: Recording, update: Update) -> Result<Applied, Error> {
    replay([recording], async |clients| {
        clients.home_site().create_change_set(&web_app(), &update, NAME).await
    })
    .await
}

fn created() -> Response<SdkBody> {
    answered("CreateChangeSet", &format!("<Id>{CHANGE_SET_ID}</Id><StackId>{STACK_ID}</StackId>"))
}

#[tokio::test]
async fn a_change_set_includes_nested_stacks_and_is_known_by_its_arn() {
    assert_eq!(create(created()).await.expect("made"), Applied::Created(CHANGE_SET_ID.to_owned()));
}

#[tokio::test]
async fn capabilities_and_rollback_configuration_are_sent() {
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
async fn a_change_set_that_exists_already_is_contested() {
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
    // The SDK makes three tries.
    let recordings = [(); 3].map(|()| (asked(), full()));
    let applied = replay(recordings, async |clients| {
        clients.home_site().create_change_set(&web_app(), &update(), NAME).await
    })
    .await;
    let words = "LimitExceededException: ChangeSet limit exceeded for stack web".to_owned();
    assert_eq!(applied.expect("told apart"), Applied::NotUpdated(NotUpdated::Unsure(words)));
}

#[tokio::test]
async fn a_change_set_whose_first_answer_was_lost_is_contested() {
    let asked = || ask("CreateChangeSet", &[&UPDATE[..], &NAMED].concat());
    let exists =
        form_error(400, "AlreadyExistsException", &format!("ChangeSet {NAME} already exists"));
    let recordings = [(asked(), answer(500, "")), (asked(), exists)];
    let applied = replay(recordings, async |clients| {
        clients.home_site().create_change_set(&web_app(), &update(), NAME).await
    })
    .await;
    assert_eq!(applied.expect("not an error"), Applied::NotUpdated(NotUpdated::Contested));
}

#[tokio::test]
async fn a_denied_change_set_names_the_missing_action() {
    for action in ["cloudformation:CreateChangeSet", "ssm:GetParameters"] {
        assert_eq!(
            denied(create(denied_answer(action)).await),
            (action.to_owned(), "stack `web`".to_owned())
        );
    }
}
