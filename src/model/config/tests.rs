//! Configurations and the errors about them.

use super::after::OnAlarm;
use super::examples::EXAMPLES;
use super::*;
use crate::samples::{STACK_ID, web};

fn parse(json: &str) -> Result<App, String> {
    App::parse(&web(), "/ecr-promoter/apps/web", json).map_err(|e| e.to_string())
}

#[test]
fn only_the_stack_is_required() {
    let app = parse(r#"{"stack":"web"}"#).expect("valid");
    assert_eq!(app.config.parameter, "ProductionTag");
    assert_eq!(app.config.source_tag.as_str(), "latest");
    assert_eq!(app.config.tag_prefix, "production_");
    assert_eq!(app.config.mode, Mode::Approval);
    assert_eq!(app.config.approval.expires_hours, 72);
}

#[track_caller]
fn refuses(json: &str, words: &[&str]) {
    let error = parse(json).expect_err("refused");
    for word in ["/ecr-promoter/apps/web"].iter().chain(words) {
        assert!(error.contains(word), "{error:?} does not say {word:?}");
    }
}

#[test]
fn an_error_names_the_parameter_the_key_and_what_was_expected() {
    refuses("", &["not valid JSON", "line 1", r#"{"stack": "web"}"#]);
    refuses("[\"web\"]", &["found a list of `web`; expected a JSON object", r#"{"stack": "web"}"#]);
    refuses("{", &["line 1, column 1"]);
    refuses("{}", &["key `stack`", "it is missing", r#""stack": "web""#]);
    refuses(r#"{"stack":"web"} x"#, &["not valid JSON", "column 17"]);
    refuses(
        r#"{"stack":"web","stak":1}"#,
        &["key `stak`", "did you mean `stack`?", "`source_tag`"],
    );
    refuses(
        r#"{"stack":5}"#,
        &["key `stack`", "found `5`; expected a text in quotes", r#""stack": "web""#],
    );
    refuses(
        r#"{"stack":"my stack"}"#,
        &["key `stack`", "found the text `my stack`; expected the name or the ARN"],
    );
    refuses(
        r#"{"stack":"web","mode":"automatic"}"#,
        &["key `mode`", "found the text `automatic`", "did you mean `auto`?"],
    );
    refuses(
        r#"{"stack":"web","source_tag":"a b"}"#,
        &["key `source_tag`", "an image tag", r#""source_tag": "latest""#],
    );
    refuses(r#"{"stack":"web","tag_prefix":"prod/"}"#, &["key `tag_prefix`", "start of a tag"]);
    refuses(
        r#"{"stack":"web","commit_from":["git"]}"#,
        &["key `commit_from[0]`", "`annotation`", r#""commit_from": ["tag""#],
    );
}

#[test]
fn an_error_about_a_nested_key_names_its_path() {
    refuses(
        r#"{"stack":"web","approval":{"required":"2"}}"#,
        &["key `approval.required`", "the text `2`", "a whole number"],
    );
    refuses(
        r#"{"stack":"web","approval":{"required":-1}}"#,
        &["key `approval.required`", "found `-1`", r#""required": 1"#],
    );
    refuses(
        r#"{"stack":"web","approval":{"slack_channel":"C1","approvers":["U1"],"required":2}}"#,
        &["key `approval.required`"],
    );
    refuses(
        r#"{"stack":"web","rollback":{"monitor_minutes":181}}"#,
        &["key `rollback.monitor_minutes`", "found `181`", "0-180"],
    );
    refuses(
        r#"{"stack":"web","guard":{"allowed_changes":["ECS"]}}"#,
        &["key `guard.allowed_changes`", "a list of `ECS`"],
    );
    refuses(r#"{"stack":"web","guard":{}}"#, &["key `guard.allowed_changes`", "it is missing"]);
    refuses(
        r#"{"stack":"web","repository_url":"javascript:x"}"#,
        &["key `repository_url`", "https://"],
    );
    refuses(r#"{"stack":"web","stack":"api"}"#, &["key `stack`", "twice"]);
}

#[test]
fn invalid_json_is_named_by_line_and_column() {
    for json in [
        "{\"stack\": \"web\",\n}",
        "{\"stack\": \"web\"\n \"mode\": \"auto\"}",
        "{\"stack\": \"web\",\n\"approval\": {\"required\": 2",
    ] {
        refuses(json, &["not valid JSON", "at line 2, column "]);
        let error = parse(json).expect_err("refused");
        assert!(!error.contains("key `"), "{error}");
    }
}

#[test]
fn every_key_has_an_example_that_is_right() {
    for (key, value) in EXAMPLES {
        let mut members = key
            .split('.')
            .rev()
            .fold((*value).to_owned(), |inner, member| format!("{{\"{member}\": {inner}}}"));
        if *key != "stack" {
            members = members.replacen('{', r#"{"stack": "web", "#, 1);
        }
        // A bake needs both its time and its alarms.
        let members = match *key {
            "bake.alarms" | "bake.on_alarm" => {
                members.replacen(r#""bake": {"#, r#""bake": {"minutes": 60, "#, 1)
            }
            _ => members,
        };
        let members = match *key {
            "bake.minutes" | "bake.on_alarm" => {
                members.replacen(r#""bake": {"#, r#""bake": {"alarms": ["web-5xx"], "#, 1)
            }
            _ => members,
        };
        let members = match *key {
            "target.external_id" => {
                let role = r#""target": {"role": "arn:aws:iam::222222222222:role/x", "#;
                members.replacen(r#""target": {"#, role, 1)
            }
            "after.soak_minutes" => {
                members.replacen(r#""after": {"#, r#""after": {"app": "web-staging", "#, 1)
            }
            _ => members,
        };
        // Where identities count, people decide in Slack only.
        let members =
            members.replacen(r#""approvers""#, r#""slack_channel": "C024BE91L", "approvers""#, 1);
        parse(&members).unwrap_or_else(|error| panic!("{key}: {error}"));
    }
    let keys = parse(r#"{"stack": "web", "?": 1}"#).expect_err("refused");
    for key in keys.split('`').skip(3).step_by(2) {
        assert!(EXAMPLES.iter().any(|(known, _)| *known == key), "{key} has no example");
    }
}

#[test]
fn a_channel_is_named_by_its_id() {
    let with =
        |channel: &str| format!(r#"{{"stack":"web","approval":{{"slack_channel":"{channel}"}}}}"#);
    for good in ["C024BE91L", "G024BE91L", "C1"] {
        assert!(parse(&with(good)).is_ok(), "{good}");
    }
    for bad in [
        "",
        "C",
        "#releases",
        "releases",
        "C releases",
        "c024be91l",
        "D024BE91L",
        "U024BE7LH",
        "https://acme.slack.com/C024BE91L",
    ] {
        refuses(
            &with(bad),
            &["key `approval.slack_channel`", "the channel's id (`C…` or `G…`)", "*About*"],
        );
    }
}

#[test]
fn approvals_that_can_never_be_given_are_refused() {
    let with = |approval: &str| format!(r#"{{"stack":"web","approval":{approval}}}"#);
    assert!(parse(&with(r#"{"slack_channel":"C1","approvers":["U1","U2"],"required":2}"#)).is_ok());
    assert!(parse(&with(r#"{"slack_channel":"C1","required":2}"#)).is_ok());
    refuses(
        &with(r#"{"slack_channel":"C1","approvers":["U1","U1"]}"#),
        &["key `approval.approvers`", "each person once"],
    );
    refuses(
        &with(r#"{"slack_channel":"C1","approvers":["U1","U2","U1"],"required":3}"#),
        &["key `approval.approvers`"],
    );
    refuses(
        &with(r#"{"slack_channel":"C1","approvers":["U1"],"required":2}"#),
        &["key `approval.required`"],
    );
    refuses(&with(r#"{"slack_channel":"C1","required":0}"#), &["key `approval.required`"]);
    for without in [
        r#"{"approvers":["U1"]}"#,
        r#"{"required":2}"#,
        r#"{"approvers":["U1","U2"],"required":2}"#,
    ] {
        refuses(&with(without), &["key `approval.slack_channel`", "people decide in Slack only"]);
    }
}

#[test]
fn a_stack_may_be_an_arn() {
    assert!(parse(&format!(r#"{{"stack":"{STACK_ID}"}}"#)).is_ok());
    assert!(parse(r#"{"stack":"arn:aws:s3:::web"}"#).is_err());
}

fn verify_minutes(verify: &str) -> Option<u32> {
    let json = format!(r#"{{"stack":"web","verify":{verify}}}"#);
    parse(&json).expect(verify).config.verify.minutes
}

#[test]
fn ecs_is_verified_for_thirty_minutes_unless_the_configuration_says_otherwise() {
    let silent = parse(r#"{"stack":"web"}"#).expect("valid").config;
    assert_eq!((silent.verify.minutes, silent.bake), (Some(30), None));
    assert_eq!(verify_minutes("true"), Some(30));
    assert_eq!(verify_minutes("false"), None);
    for minutes in [1, 1440] {
        assert_eq!(verify_minutes(&format!(r#"{{"minutes":{minutes}}}"#)), Some(minutes));
    }
}

#[test]
fn a_wrong_verify_is_refused_with_its_key_and_what_was_expected() {
    let with = |verify: &str| format!(r#"{{"stack":"web","verify":{verify}}}"#);
    let choice = "`true`, `false` or an object with `minutes`";
    for (wrong, found) in [
        ("30", "found `30`"),
        (r#""true""#, "found the text `true`"),
        ("null", "null"),
        ("[30]", "a list"),
    ] {
        refuses(&with(wrong), &["key `verify`", found, choice]);
    }
    for minutes in ["0", "1441"] {
        let verify = format!(r#"{{"minutes":{minutes}}}"#);
        refuses(&with(&verify), &["key `verify.minutes`", minutes, "1-1440 minutes"]);
    }
    refuses(&with(r#"{"minutes":"30"}"#), &["key `verify.minutes`", "the text `30`"]);
    refuses(&with(r#"{"minutes":-1}"#), &["key `verify.minutes`", "found `-1`"]);
    refuses(&with("{}"), &["key `verify.minutes`", "it is missing"]);
    refuses(&with(r#"{"minuts":30}"#), &["key `verify.minuts`", "did you mean `minutes`?"]);
}

#[test]
fn a_bake_has_its_time_its_alarms_and_what_an_alarm_does() {
    let rule = |bake: &str| {
        let json = format!(r#"{{"stack":"web","bake":{bake}}}"#);
        parse(&json).expect(bake).config.bake.expect("a bake")
    };
    let arn = "arn:aws:cloudwatch:us-east-1:012345678912:alarm:web 5xx: rate";
    let bake = rule(&format!(r#"{{"minutes":1440,"alarms":["web-5xx","{arn}"]}}"#));
    assert_eq!((bake.minutes, bake.on_alarm), (1440, OnAlarm::Rollback));
    assert_eq!(bake.alarms, ["web-5xx", arn]);
    for (word, effect) in
        [("rollback", OnAlarm::Rollback), ("hold", OnAlarm::Hold), ("tell", OnAlarm::Tell)]
    {
        let bake = rule(&format!(r#"{{"minutes":1,"alarms":["a"],"on_alarm":"{word}"}}"#));
        assert_eq!(bake.on_alarm, effect);
    }
}

#[test]
fn a_wrong_bake_is_refused_with_its_key_and_what_was_expected() {
    let with = |bake: &str| format!(r#"{{"stack":"web","bake":{bake}}}"#);
    for (wrong, words) in [
        ("true", ["key `bake`", "`true`"]),
        (r#"{"alarms":["a"]}"#, ["key `bake.minutes`", "it is missing"]),
        (r#"{"minutes":60}"#, ["key `bake.alarms`", "it is missing"]),
        (r#"{"minutes":0,"alarms":["a"]}"#, ["key `bake.minutes`", "1-1440 minutes"]),
        (r#"{"minutes":1441,"alarms":["a"]}"#, ["key `bake.minutes`", "1-1440 minutes"]),
        (r#"{"minutes":60,"alarms":[]}"#, ["key `bake.alarms`", "1-10 alarms"]),
        (r#"{"minutes":60,"alarms":"a"}"#, ["key `bake.alarms`", "the text `a`"]),
        (r#"{"minutes":60,"alarms":[""]}"#, ["key `bake.alarms`", "CloudWatch alarms"]),
        (
            r#"{"minutes":60,"alarms":["arn:aws:sns:us-east-1:012345678912:x"]}"#,
            ["key `bake.alarms`", "CloudWatch alarms"],
        ),
        (
            r#"{"minutes":60,"alarms":["a"],"on_alarm":"roll back"}"#,
            ["key `bake.on_alarm`", "did you mean `rollback`?"],
        ),
        (r#"{"minutes":60,"alarm":["a"]}"#, ["key `bake.alarm`", "did you mean `alarms`?"]),
    ] {
        refuses(&with(wrong), &words);
    }
    let eleven = (0..11).map(|n| format!("\"a{n}\"")).collect::<Vec<_>>().join(",");
    refuses(
        &with(&format!(r#"{{"minutes":60,"alarms":[{eleven}]}}"#)),
        &["key `bake.alarms`", "1-10 alarms"],
    );
}

#[test]
fn the_place_is_called_by_its_name_or_by_the_tags_prefix() {
    let of = |prefix: &str, named: Option<&str>| {
        let json = format!(r#"{{"stack":"web","tag_prefix":"{prefix}"}}"#);
        parse(&json).expect("valid").environment(named)
    };
    assert_eq!(of("production_", None), "production");
    assert_eq!(of("eu-west-", Some("")), "eu-west");
    assert_eq!(of("live", None), "live");
    assert_eq!(of("_", None), "production");
    assert_eq!(of("production_", Some("Production EU <1>")), "Production EU 1");
    assert_eq!(of(&"p".repeat(75), None).chars().count(), 40);
}
