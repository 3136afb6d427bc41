use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};

use super::*;

/// Where the example's answers go.
const RESPONSE_URL: &str =
    "https://hooks.slack.com/actions/AABA1ABCD/1232321423432/D09sSasdasdAS9091209";

/// The example of Slack's documentation, shortened.
fn payload() -> Value {
    json!({
        "type": "block_actions",
        "team": { "id": "T9TK3CUKW", "domain": "example" },
        "user": {
            "id": "UA8RXUSPL", "username": "jtorrance", "name": "jtorrance",
            "team_id": "T9TK3CUKW",
        },
        "api_app_id": "AABA1ABCD",
        "token": "9s8d9as89d8as9d8as989",
        "container": {
            "type": "message", "message_ts": "1548261231.000200", "channel_id": "CBR2V3XEX",
            "is_ephemeral": false,
        },
        "trigger_id": "12321423423.333649436676.d8c1bb837935619ccad0f624c448ffb3",
        "channel": { "id": "CBR2V3XEX", "name": "review-updates" },
        "message": { "type": "message", "text": "…", "ts": "1548261231.000200" },
        "response_url": RESPONSE_URL,
        "actions": [{
            "action_id": "approve", "block_id": "=qXel", "type": "button", "value": "r-1",
            "action_ts": "1548426417.840180",
        }],
    })
}

fn form(payload: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("payload", payload).finish()
}

fn parse_json(payload: &Value) -> Result<Option<Click>, Unreadable> {
    parse(form(&payload.to_string()).as_bytes())
}

/// The click of the payload with this in place of what is there.
fn with(pointer: &str, value: Value) -> Result<Option<Click>, Unreadable> {
    let mut payload = payload();
    *payload.pointer_mut(pointer).expect(pointer) = value;
    parse_json(&payload)
}

#[test]
fn a_click_says_who_clicked_on_what_and_where() {
    let click = Click {
        trigger_id: "12321423423.333649436676.d8c1bb837935619ccad0f624c448ffb3".to_owned(),
        team: Some("T9TK3CUKW".to_owned()),
        organisation: None,
        user: User {
            id: "UA8RXUSPL".to_owned(),
            name: "jtorrance".to_owned(),
            team: Some("T9TK3CUKW".to_owned()),
        },
        channel: Some("CBR2V3XEX".to_owned()),
        message_ts: Some("1548261231.000200".to_owned()),
        button: Button::Approve,
        value: "r-1".to_owned(),
        response_url: Some(RESPONSE_URL.to_owned()),
    };
    assert_eq!(parse_json(&payload()), Ok(Some(click)));
}

#[test]
fn each_button_is_known_by_its_name() {
    for button in Button::ALL {
        let click =
            with("/actions/0/action_id", button.action_id().into()).expect("read").expect("ours");
        assert_eq!(click.button, button);
    }
}

#[test]
fn other_interactions_are_none() {
    assert_eq!(with("/type", "view_submission".into()), Ok(None));
    assert_eq!(with("/actions/0/action_id", "destroy".into()), Ok(None));
    assert_eq!(with("/actions/0/action_id", "APPROVE".into()), Ok(None));
    assert_eq!(with("/actions/0/action_id", Value::Null), Ok(None));
    assert_eq!(with("/actions", json!([])), Ok(None));
    assert_eq!(with("/actions", Value::Null), Ok(None));
    let two = json!([
        { "action_id": "approve", "value": "1" }, { "action_id": "reject", "value": "1" },
    ]);
    assert_eq!(with("/actions", two), Ok(None));
    assert_eq!(
        parse_json(&json!({ "type": "shortcut", "actions": "none", "team": null })),
        Ok(None)
    );
}

#[test]
fn the_channel_and_the_message_are_found_in_both_places() {
    let found = |pointer: &str, value: Value| {
        let click = with(pointer, value).expect("read").expect("ours");
        (click.channel, click.message_ts)
    };
    let both = (Some("CBR2V3XEX".to_owned()), Some("1548261231.000200".to_owned()));
    assert_eq!(found("/channel", Value::Null), both);
    assert_eq!(found("/container", Value::Null), both);
    assert_eq!(found("/message", Value::Null), both);
    let neither = json!({
        "type": "block_actions", "trigger_id": "1", "team": { "id": "T1" },
        "user": { "id": "U1" }, "actions": [{ "action_id": "roll_back" }],
    });
    let click = parse_json(&neither).expect("read").expect("ours");
    assert_eq!(
        (click.channel, click.message_ts, click.response_url, click.value),
        (None, None, None, String::new())
    );
    assert_eq!(click.user, User { id: "U1".to_owned(), name: String::new(), team: None });
}

#[test]
fn an_invalid_id_makes_it_unreadable() {
    let long = "U".repeat(65);
    for pointer in ["/user/id", "/user/team_id", "/team/id", "/channel/id"] {
        for bad in ["", "U1 ", "U1\n", "<!channel>", "U-1", "Ü1", &long] {
            assert_eq!(
                with(pointer, bad.into()),
                Err(Unreadable("an id is not valid")),
                "{pointer} {bad}"
            );
        }
    }
    for (pointer, bad) in
        [("/trigger_id", "a b"), ("/trigger_id", ""), ("/container/message_ts", "1\n2")]
    {
        assert_eq!(
            with(pointer, bad.into()),
            Err(Unreadable("a trigger's id or a message's time is not valid"))
        );
    }
}

#[test]
fn an_app_of_a_whole_organisation_names_the_organisation() {
    let mut payload = payload();
    payload["team"] = Value::Null;
    payload["enterprise"] = json!({ "id": "E0ACME", "name": "Acme" });
    payload["is_enterprise_install"] = json!(true);
    let click = parse_json(&payload).expect("read").expect("ours");
    assert_eq!((click.team, click.organisation.as_deref()), (None, Some("E0ACME")));
    payload["enterprise"]["id"] = json!("<E>");
    assert_eq!(parse_json(&payload), Err(Unreadable("an id is not valid")));
}

#[test]
fn a_click_without_user_team_or_trigger_is_unreadable() {
    assert_eq!(with("/user", Value::Null), Err(Unreadable("`payload` has no user")));
    assert_eq!(with("/team", Value::Null), Err(Unreadable("`payload` has no team")));
    assert_eq!(with("/trigger_id", Value::Null), Err(Unreadable("`payload` has no trigger")));
    assert_eq!(
        with("/actions/0/value", "1".repeat(2001).into()),
        Err(Unreadable("a button's value is too long"))
    );
}

#[test]
fn a_name_is_cut_and_plain() {
    let name =
        |name: &str| with("/user/username", name.into()).expect("read").expect("ours").user.name;
    assert_eq!(name("a\u{0}b\nc\u{202e}d"), "a b c d");
    assert_eq!(name(&"é".repeat(81)), "é".repeat(79) + "…");
    assert_eq!(
        with("/user/username", Value::Null).expect("read").expect("ours").user.name,
        "jtorrance"
    );
}

#[test]
fn a_body_with_a_repeated_key_is_unreadable() {
    let valid = form(&payload().to_string());
    let twice = Err(Unreadable("a field is repeated"));
    assert_eq!(parse(format!("{valid}&{valid}").as_bytes()), twice);
    assert_eq!(parse(format!("payload=1&{valid}").as_bytes()), twice);
    assert_eq!(parse(format!("{valid}&pay%6Coad=1").as_bytes()), twice);
    let two_users = payload().to_string().replacen('{', r#"{"user":{"id":"U1"},"#, 1);
    assert_eq!(
        parse(form(&two_users).as_bytes()),
        Err(Unreadable("`payload` is not a block action"))
    );
    let two_types = payload().to_string().replacen('{', r#"{"type":"block_actions","#, 1);
    assert_eq!(
        parse(form(&two_types).as_bytes()),
        Err(Unreadable("`payload` is not an interaction"))
    );
}

#[test]
fn any_other_body_is_unreadable() {
    assert_eq!(parse(b""), Err(Unreadable("it has no field `payload`")));
    assert_eq!(
        parse(payload().to_string().as_bytes()),
        Err(Unreadable("it has no field `payload`"))
    );
    for bad in [
        "payload=",
        "payload=%7B",
        "payload=[]",
        "payload=null",
        "payload=%FF",
        "payload={\"type\":1}",
    ] {
        assert_eq!(
            parse(bad.as_bytes()),
            Err(Unreadable("`payload` is not an interaction")),
            "{bad}"
        );
    }
    let deep = format!("payload={}", "[".repeat(100_000));
    assert_eq!(parse(deep.as_bytes()), Err(Unreadable("`payload` is not an interaction")));
    assert_eq!(parse(&vec![b'a'; 256 * 1024 + 1]), Err(Unreadable("it is larger than 256 KiB")));
    assert_eq!(parse(&vec![b'a'; 256 * 1024]), Err(Unreadable("it has no field `payload`")));
}

#[test]
fn a_click_does_not_print_what_lets_its_reader_write() {
    let words = format!("{:?}", parse_json(&payload()));
    assert!(
        words.contains("UA8RXUSPL") && !words.contains("hooks") && !words.contains("12321423423"),
        "{words}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(3),
        failure_persistence: None,
        ..ProptestConfig::with_cases(2000)
    })]

    #[test]
    fn no_body_makes_it_panic(body in any::<Vec<u8>>(), payload in any::<String>()) {
        let user = parse(&body).ok().flatten().map(|click| click.user.id);
        prop_assert_ne!(user, Some(String::new()));
        prop_assert!(parse(form(&payload).as_bytes()).is_err());
    }

    #[test]
    fn the_ids_of_a_changed_body_are_ids(
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut json = payload().to_string().into_bytes();
        for (place, byte) in places {
            let place = place.index(json.len());
            json[place] = byte;
        }
        let body: String = form_urlencoded::byte_serialize(&json).collect();
        if let Ok(Some(click)) = parse(format!("payload={body}").as_bytes()) {
            let is_id = |id: &String| {
                (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric())
            };
            for id in [
                Some(click.user.id), click.team, click.organisation, click.user.team,
                click.channel,
            ].into_iter().flatten() {
                prop_assert!(is_id(&id), "{}", id);
            }
            prop_assert!(!click.user.name.contains(char::is_control));
        }
    }
}
