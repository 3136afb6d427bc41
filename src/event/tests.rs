use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use serde_json::Value;

use super::payload::parse;
use super::*;
use crate::model::command::{Act, ImageRef, RollbackTo, SlackOrigin, Standing, Via};
use crate::model::place::Place;
use crate::samples::{COMMIT, DIGEST};

fn invocation() -> Invocation {
    Invocation::new(
        "request-1".to_owned(),
        "arn:aws:lambda:us-east-1:012345678912:function:promoter",
        Timestamp::UNIX_EPOCH,
    )
}

fn file(name: &str) -> Value {
    let path = format!("{}/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).expect(&path)).expect(&path)
}

/// Where the function is.
fn home() -> Place {
    Place { account: Some("012345678912".to_owned()), region: Some("us-east-1".to_owned()) }
}

fn parse_one(raw: &Value) -> Result<Event, String> {
    let mut events = parse(raw, &invocation()).map_err(|e| e.to_string())?;
    assert_eq!(events.len(), 1);
    events.remove(0).map_err(|e| e.to_string())
}

#[test]
fn a_push_names_repository_digest_and_tag() {
    let push = Event::ImagePushed {
        repository: "web".parse().expect("valid"),
        digest: DIGEST.parse().expect("valid"),
        tag: "latest".parse().expect("valid"),
        at: home(),
    };
    assert_eq!(parse_one(&file("ecr-push")), Ok(push));
}

#[track_caller]
fn is_ignored(name: &str, why: &str) {
    match parse_one(&file(name)) {
        Ok(Event::Ignored { reason, .. }) => assert!(reason.contains(why), "{name}: {reason}"),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn foreign_events_and_other_actions_are_ignored() {
    is_ignored("ecr-delete", "DELETE");
    is_ignored("ecr-push-failure", "FAILURE");
    is_ignored("ecr-push-untagged", "untagged");
    is_ignored("ecr-push-empty-tag", "untagged");
    is_ignored("ecr-image-scan", "ECR Image Scan");
    is_ignored("ecr-pull-through-cache", "not a push");
    is_ignored("ecr-pull-through-cache-documented", "not a push");
    is_ignored("ecr-replication", "not a push");
    is_ignored("sns-notification", "from this function");
}

/// Foreign events are ignored whatever they contain. Only the needed fields of a push are read.
#[test]
fn foreign_events_are_ignored_without_reading_more() {
    let mut push = file("ecr-push");
    push["time"] = "2023-02-29T02:36:48Z".into();
    assert!(
        matches!(parse_one(&push), Ok(Event::ImagePushed { .. })),
        "nothing depends on the time"
    );
    let mut odd = serde_json::json!({ "source": "aws.ecr", "detail-type": "ECR Scan Resource \
        Change", "time": 5, "detail": [] });
    assert!(matches!(parse_one(&odd), Ok(Event::Ignored { .. })));
    odd["source"] = "aws.cloudformation".into();
    assert!(matches!(parse_one(&odd), Ok(Event::Ignored { .. })));
    for (key, value) in [("action-type", "DELETE"), ("result", "FAILURE")] {
        let mut other = file("ecr-push");
        other["detail"] = serde_json::json!({
            "action-type": "PUSH", "result": "SUCCESS", "repository-name": "WEB",
        });
        other["detail"][key] = value.into();
        assert!(matches!(parse_one(&other), Ok(Event::Ignored { .. })), "{other}");
    }
    let mut elsewhere = file("ecr-push-other-region");
    elsewhere["detail"] = Value::Null;
    assert!(matches!(parse_one(&elsewhere), Ok(Event::Ignored { .. })));
}

#[test]
fn a_push_that_names_no_image_is_not_understood() {
    for (key, why) in [
        ("repository-name", "no repository"),
        ("image-digest", "no digest"),
        ("action-type", "action-type"),
    ] {
        let mut push = file("ecr-push");
        push["detail"].as_object_mut().expect("an object").remove(key);
        is_not_understood(push, why);
    }
    is_not_understood(serde_json::json!({ "source": "aws.ecr", "detail": {} }), "no `detail-type`");
}

#[test]
fn a_schedule_and_a_change_of_a_stack_are_reasons_to_look() {
    let all = Event::Due { only_open_work: false };
    assert_eq!(parse_one(&file("scheduled")), Ok(all.clone()));
    assert_eq!(parse_one(&serde_json::json!({"action": "reconcile"})), Ok(all));
    let open = serde_json::json!({"action": "reconcile", "only_open_work": true});
    assert_eq!(parse_one(&open), Ok(Event::Due { only_open_work: true }));
    is_not_understood(serde_json::json!({"action": "reconcile", "only_open": true}), "only_open");
    let stack_id =
        file("cfn-update-complete")["detail"]["stack-id"].as_str().expect("an ARN").to_owned();
    assert_eq!(
        parse_one(&file("cfn-update-complete")),
        Ok(Event::StackChanged { stack_id: stack_id.clone(), at: home() })
    );
    let mut elsewhere = file("cfn-update-complete");
    elsewhere["region"] = "eu-west-1".into();
    let at = Place { region: Some("eu-west-1".to_owned()), ..home() };
    assert_eq!(parse_one(&elsewhere), Ok(Event::StackChanged { stack_id, at }));
}

const SERVICE: &str = "arn:aws:ecs:us-east-1:012345678912:service/main/web";

/// An event of ECS about this service.
fn ecs(detail_type: &str, resources: Value) -> Value {
    serde_json::json!({
        "source": "aws.ecs", "detail-type": detail_type, "account": "012345678912",
        "region": "us-east-1", "resources": resources, "detail": {
            "eventType": "INFO", "eventName": "SERVICE_DEPLOYMENT_COMPLETED",
            "deploymentId": "ecs-svc/123", "updatedAt": "2026-03-17T09:45:12Z", "reason": "done",
        },
    })
}

/// The event of an alarm.
fn alarm(detail_type: &str) -> Value {
    serde_json::json!({
        "source": "aws.cloudwatch", "detail-type": detail_type, "account": "012345678912",
        "region": "us-east-1",
        "resources": ["arn:aws:cloudwatch:us-east-1:012345678912:alarm:web-5xx"],
        "detail": {
            "alarmName": "web-5xx", "state": { "value": "ALARM" }, "configuration": { "x": [] },
        },
    })
}

#[test]
fn what_ecs_does_with_a_service_is_a_reason_to_look() {
    let changed = Ok(Event::ServiceChanged { service: SERVICE.to_owned(), at: home() });
    for detail_type in ["ECS Deployment State Change", "ECS Service Action"] {
        assert_eq!(parse_one(&ecs(detail_type, serde_json::json!([SERVICE]))), changed);
        // The service is found among others, and only it is read.
        let cluster = "arn:aws:ecs:us-east-1:012345678912:cluster/main";
        let mut odd = ecs(detail_type, serde_json::json!([5, cluster, SERVICE]));
        odd["detail"] = Value::Null;
        assert_eq!(parse_one(&odd), changed);
        for none in [serde_json::json!([]), serde_json::json!([cluster]), Value::Null] {
            is_not_understood(ecs(detail_type, none), "names no service");
        }
    }
    is_not_understood(serde_json::json!({ "source": "aws.ecs" }), "no `detail-type`");
}

#[test]
fn a_change_of_an_alarms_state_is_a_reason_to_look() {
    let changed = Ok(Event::AlarmChanged { alarm: "web-5xx".to_owned(), at: home() });
    let mut event = alarm("CloudWatch Alarm State Change");
    assert_eq!(parse_one(&event), changed);
    event["detail"]["state"] = Value::Null;
    assert_eq!(parse_one(&event), changed, "the state may be outdated, and is not read");
    for wrong in [Value::Null, serde_json::json!({}), serde_json::json!({ "alarmName": 5 })] {
        event["detail"] = wrong;
        is_not_understood(event.clone(), "a `CloudWatch Alarm State Change` did not parse");
    }
    is_not_understood(serde_json::json!({ "source": "aws.cloudwatch" }), "no `detail-type`");
}

#[test]
fn other_events_of_ecs_and_of_cloudwatch_are_ignored_whatever_they_contain() {
    for other in [
        ecs("ECS Task State Change", serde_json::json!([])),
        ecs("ECS Container Instance State Change", Value::Null),
        alarm("CloudWatch Alarm Configuration Change"),
        serde_json::json!({ "source": "aws.ecs", "detail-type": "x", "detail": 5 }),
        serde_json::json!({ "source": "aws.cloudwatch", "detail-type": "x", "resources": {} }),
    ] {
        assert!(matches!(parse_one(&other), Ok(Event::Ignored { .. })), "{other}");
    }
    for mut event in [
        ecs("ECS Service Action", serde_json::json!([])),
        ecs("ECS Deployment State Change", Value::Null),
        alarm("CloudWatch Alarm State Change"),
    ] {
        for (key, value, why) in [
            ("region", "eu-west-1", "another region: eu-west-1"),
            ("account", "999999999999", "another account: 999999999999"),
        ] {
            event[key] = value.into();
            event["detail"] = Value::Null;
            match parse_one(&event) {
                Ok(Event::Ignored { reason, .. }) => assert!(reason.contains(why), "{reason}"),
                other => panic!("{other:?}"),
            }
        }
    }
}

fn command(raw: &Value) -> Command {
    match parse_one(raw) {
        Ok(Event::Command(command)) => command,
        other => panic!("{other:?}"),
    }
}

#[test]
fn words_and_json_mean_the_same() {
    let (words, json) = (command(&file("sns-promote")), command(&file("sns-promote-json")));
    assert_eq!(words.act, Act::Promote(None));
    assert_eq!((words.act, words.app, words.via), (json.act, json.app, json.via));
    assert_eq!(words.by, "SNS");
    assert!(words.id.starts_with("sns#"), "{}", words.id);
}

#[test]
fn an_image_is_named_by_digest_commit_or_tag() {
    let act = |message: &str| command(&sns(message)).act;
    let commit = || Some(ImageRef::Commit(COMMIT.parse().expect("valid")));
    assert_eq!(act(&format!("promote web {COMMIT}")), Act::Promote(commit()));
    assert_eq!(act(&format!("  Promote\tweb {COMMIT}\n")), Act::Promote(commit()));
    assert_eq!(
        act(&format!("promote web {DIGEST}")),
        Act::Promote(Some(ImageRef::Digest(DIGEST.parse().expect("valid"))))
    );
    assert_eq!(
        act("plan web v1.2"),
        Act::Plan(Some(ImageRef::Tag("v1.2".parse().expect("valid"))))
    );
    assert_eq!(
        act(&format!(r#"{{"action":"promote","repository":"web","commit":"{COMMIT}"}}"#)),
        Act::Promote(commit())
    );
}

#[test]
fn a_rollback_takes_a_reason_in_json() {
    let act = |more: &str| {
        let message = format!(r#"{{"action":"rollback","repository":"web"{more}}}"#);
        command(&sns(&message)).act
    };
    let back = |to, why: Option<&str>| Act::Rollback(to, why.map(str::to_owned));
    let long = "x".repeat(201);
    let cut = format!("{}…", "x".repeat(199));
    for (reason, want) in [
        ("carts came up empty", Some("carts came up empty")),
        (" a\u{202e}b\\nc ", Some("a b c")),
        (long.as_str(), Some(cut.as_str())),
        ("", None),
        (" ", None),
    ] {
        let json = format!(r#","reason":"{reason}""#);
        assert_eq!(act(&json), back(RollbackTo::Previous, want), "{reason}");
    }
    let commit = RollbackTo::Image(ImageRef::Commit(COMMIT.parse().expect("valid")));
    let named = act(&format!(r#","reason":"empty carts","commit":"{COMMIT}""#));
    assert_eq!(named, back(commit, Some("empty carts")));
    assert_eq!(named.to_string(), format!("rollback commit {COMMIT}, because empty carts"));
    assert_eq!(act("").to_string(), "rollback");
}

#[test]
fn a_direct_command_is_known_by_its_id_or_its_request() {
    let by_request = command(&serde_json::json!({"action": "promote", "repository": "web"}));
    assert_eq!((by_request.id.as_str(), by_request.via), ("request#request-1", Via::Direct));
    let by_id = command(&serde_json::json!({
        "action": "promote", "repository": "web", "id": "deploy-7", "by": "alice",
    }));
    assert_eq!(
        (by_id.id.as_str(), by_id.by.as_str()),
        ("id#deploy-7", "alice (claimed, by a direct invocation)")
    );
}

#[test]
fn a_board_is_about_all_apps_and_asked_for_directly() {
    let board = |raw: Value| parse_one(&raw);
    let by = |name: &str| Ok(Event::Board { by: Some(name.to_owned()) });
    assert_eq!(board(serde_json::json!({ "action": "board" })), Ok(Event::Board { by: None }));
    assert_eq!(board(serde_json::json!({ "action": "board", "by": " alice " })), by("alice"));
    assert_eq!(
        board(serde_json::json!({ "action": "board", "by": " " })),
        Ok(Event::Board { by: None })
    );
    assert_eq!(board("board".into()), Ok(Event::Board { by: None }));
    is_not_understood(
        serde_json::json!({ "action": "board", "repository": "web" }),
        "key `repository`: there is no such key",
    );
    is_not_understood(serde_json::json!({ "action": "board", "by": null }), "by");
}

#[test]
fn the_words_of_a_direct_invocation_are_a_command() {
    assert_eq!(parse_one(&"status".into()), Ok(Event::Statuses { after: None }));
    assert_eq!(parse_one(&"reconcile".into()), Ok(Event::Due { only_open_work: false }));
    let one = command(&"status web".into());
    assert_eq!((one.act, one.app.as_str(), one.via), (Act::Status, "web", Via::Direct));
    is_not_understood("promot web".into(), "did you mean `promote`?");
    is_not_understood("".into(), "empty");
}

#[test]
fn where_names_one_commit_or_digest_and_no_app() {
    let commit = Ok(Event::Where(ImageRef::Commit(COMMIT.parse().expect("a commit"))));
    let digest = Ok(Event::Where(ImageRef::Digest(DIGEST.parse().expect("a digest"))));
    assert_eq!(parse_one(&format!("where {COMMIT}").into()), commit);
    assert_eq!(parse_one(&format!("WHERE {DIGEST}").into()), digest);
    let json = |more: Value| {
        let mut raw = serde_json::json!({ "action": "where" });
        raw.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("members"));
        raw
    };
    assert_eq!(parse_one(&json(serde_json::json!({ "commit": COMMIT }))), commit);
    assert_eq!(parse_one(&json(serde_json::json!({ "digest": DIGEST }))), digest);
    is_not_understood(json(serde_json::json!({})), "no commit and no digest");
    is_not_understood(json(serde_json::json!({ "commit": COMMIT, "digest": DIGEST })), "one is");
    is_not_understood(json(serde_json::json!({ "commit": COMMIT, "app": "web" })), "no app");
    is_not_understood("where web".into(), "nor a digest");
    is_not_understood("where".into(), "one commit or digest");
    is_not_understood(sns(&format!("where {COMMIT}")), "SNS carries no answer");
}

#[test]
fn a_status_without_an_app_is_of_all_apps() {
    assert_eq!(
        parse_one(&serde_json::json!({ "action": "status" })),
        Ok(Event::Statuses { after: None })
    );
    is_not_understood(serde_json::json!({ "action": "status", "commit": COMMIT }), "`commit`");
}

#[test]
fn a_relative_command_goes_stale_and_a_named_one_does_not() {
    let late = "2026-03-17T10:11:00Z".parse().expect("a time");
    let in_time = "2026-03-17T10:09:00Z".parse().expect("a time");
    assert!(command(&file("sns-promote")).is_stale(late));
    assert!(!command(&file("sns-promote")).is_stale(in_time));
    assert!(!command(&file("sns-promote-commit")).is_stale(late));
    assert!(!command(&file("command-promote")).is_stale(late));
}

#[track_caller]
fn is_not_understood(raw: Value, why: &str) {
    let error = parse_one(&raw).expect_err("not understood");
    assert!(error.contains(why), "{error}");
    assert!(error.contains("`promote web 9fceb02`"), "{error} does not say what is understood");
}

/// An SNS record with this message.
fn sns(message: &str) -> Value {
    let mut raw = file("sns-promote");
    raw["Records"][0]["Sns"]["Message"] = message.into();
    raw
}

#[test]
fn nonsense_is_answered_with_an_example() {
    is_not_understood(serde_json::json!([]), "neither a JSON object");
    is_not_understood(serde_json::json!({}), "an empty object");
    is_not_understood(serde_json::json!({"actoin": "promote"}), "did you mean `action`?");
    is_not_understood(serde_json::json!({"hello": 1}), "`hello`");
    is_not_understood(serde_json::json!({"source": "aws.s3", "action": "promote"}), "aws.s3");
    is_not_understood(serde_json::json!({"Records": []}), "empty");
    is_not_understood(serde_json::json!({"Records": [{"s3": {}}]}), "SNS records");
    is_not_understood(sns(""), "empty");
    is_not_understood(sns("promote"), "names no app and no repository");
    is_not_understood(sns("promote WEB"), "name of an app");
    is_not_understood(sns("promote web 9fceb02 now"), "`now`");
    is_not_understood(sns("{\"action\":"), "starts like JSON");
    is_not_understood(sns("lorem ipsum dolor"), "`lorem` is not a command.");
}

#[test]
fn a_wrong_command_is_answered_with_an_example() {
    is_not_understood(
        serde_json::json!({"action": "destroy", "repository": "web"}),
        "`destroy` is not a command",
    );
    is_not_understood(serde_json::json!({"action": "promote"}), "names no app and no repository");
    is_not_understood(
        serde_json::json!({"action": "promote", "repository": "web", "comit": COMMIT}),
        "`comit`",
    );
    is_not_understood(
        serde_json::json!({"action": "promote", "repository": "web", "commit": "main"}),
        "a commit",
    );
    is_not_understood(
        serde_json::json!({
            "action": "promote", "repository": "web", "commit": COMMIT, "tag": "v1",
        }),
        "several",
    );
    is_not_understood(
        serde_json::json!({"action": "promote", "repository": "web", "commit": null}),
        "commit",
    );
    is_not_understood(
        serde_json::json!({"action": "hold", "repository": "web", "commit": COMMIT}),
        "takes no commit",
    );
    is_not_understood(
        serde_json::json!({"action": "promote", "repository": "web", "reason": "x"}),
        "takes no reason",
    );
    is_not_understood(
        serde_json::json!({"action": "plan", "of": "rollback", "repository": "web", "reason": "x"}),
        "takes no reason",
    );
    is_not_understood(serde_json::json!({"action": 5}), "action");
}

#[test]
fn a_misspelt_command_is_told_what_may_be_meant() {
    is_not_understood(sns("prmote web"), "`prmote` is not a command: did you mean `promote`?");
    is_not_understood(sns("aprove"), "did you mean `approve`?");
    is_not_understood(sns("Promte WEB"), "did you mean `promote`?");
    is_not_understood(sns("promote Web"), "did you mean `web`?");
    is_not_understood(
        serde_json::json!({"action": "rolback", "repository": "web"}),
        "did you mean `rollback`?",
    );
    is_not_understood(
        serde_json::json!({"action": "promote", "repository": "web", "comit": COMMIT}),
        "did you mean `commit`?",
    );
    let error = parse_one(&sns("lorem ipsum")).expect_err("not understood");
    assert!(error.len() < 200, "short: {error}");
}

#[test]
fn a_misspelt_slash_command_is_told_what_may_be_meant() {
    let origin = SlackOrigin { user: "U1".to_owned(), standing: Standing::Team, channel: None };
    let sender = command::Sender::Slack { trigger_id: "1", origin: &origin, name: "" };
    let problem =
        |text: &str| command::from_slash(text, sender).expect_err("not understood").problem;
    assert_eq!(problem("Prmote web"), "`Prmote` is not a command: did you mean `promote`?");
    assert_eq!(problem("prmote web 9fceb02"), "`prmote` is not a command: did you mean `promote`?");
    assert_eq!(
        problem("web 9fceb02 now"),
        "`promote web 9fceb02 now`: the word `now` was not expected."
    );
    // This may be an app's name: only who knows the apps can tell.
    assert!(command::from_slash("prmote web", sender).is_ok());
}

/// A command word, perhaps in capitals, and up to four more words.
const WORDS: &str = "[ \\t\\n]{0,2}\
    (?i:promote|plan|rollback|hold|status|cancel|resume|history|reconcile|x)\
    ([ \\t]\\PC{0,20}){0,4}";

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(7),
        failure_persistence: None,
        ..ProptestConfig::with_cases(2000)
    })]

    #[test]
    fn no_message_makes_it_panic(
        text in any::<String>(),
        words in WORDS,
        value in any::<String>(),
    ) {
        for message in [
            text, words,
            serde_json::json!({
                "action": "promote", "repository": value, "tag": "v1",
            }).to_string(),
        ] {
            let parsed = parse_one(&sns(&message));
            if let Err(error) = &parsed {
                prop_assert!(!error.contains(char::is_control), "{:?}", error);
            }
            if let Ok(Event::Command(command)) = parsed {
                prop_assert!(command.id.starts_with("sns#"), "{}", command.id);
            }
        }
    }
}
