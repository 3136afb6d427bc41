use serde::Deserialize;
use serde_json::json;

use super::*;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Approval,
    Auto,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct People {
    required: u32,
    links: Option<bool>,
    names: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct App {
    #[serde(rename = "stack")]
    _stack: String,
    mode: Option<Mode>,
    #[serde(default)]
    people: People,
}

fn mistake(text: &str) -> String {
    parse(text).and_then(|node| read::<App>(&node).map(|_| ())).expect_err(text).to_string()
}

#[test]
fn right_json_is_read() {
    let node = parse(
        r#"{"stack": "web", "mode": "auto",
            "people": {"required": 2, "links": null, "names": ["a"]}}"#,
    )
    .expect("JSON");
    let app: App = read(&node).expect("an app");
    assert!(matches!(app.mode, Some(Mode::Auto)));
    assert_eq!((app.people.required, app.people.links, app.people.names.len()), (2, None, 1));
    assert_eq!(
        Node::from(&json!({"a": [1, -1, 1.5, true, null, "x"]})),
        parse(r#"{"a":[1,-1,1.5,true,null,"x"]}"#).expect("JSON")
    );
}

#[test]
fn a_mistake_says_what_was_found_and_what_was_expected() {
    let all = [
        r#"{"stack": "web", "mode": "automatic"}"#,
        r#"{"stack": "web", "mode": "never"}"#,
        r#"{"stack": "web", "mode": 1}"#,
        r#"{"stak": "web"}"#,
        r#"{"mode": "auto"}"#,
        r#"{"stack": "web", "stack": "api"}"#,
        r#"{"stack": ["web"]}"#,
        r#"{"stack": null}"#,
        r#"{"stack": "web", "people": {"required": "2"}}"#,
        r#"{"stack": "web", "people": {"required": -1}}"#,
        r#"{"stack": "web", "people": {"required": 1.5}}"#,
        r#"{"stack": "web", "people": {"links": "yes"}}"#,
        r#"{"stack": "web", "people": {"names": ["a", 5]}}"#,
        r#"{"stack": "web", "people": {"names": ""}}"#,
        r#"{"stack": "web", "people": [1, true, []]}"#,
    ];
    insta::assert_snapshot!(all.map(mistake).join("\n"), @r"
    key `mode`: found the text `automatic`; expected `approval` or `auto`: did you mean `auto`?
    key `mode`: found the text `never`; expected `approval` or `auto`.
    key `mode`: found `1`; expected `approval` or `auto`.
    key `stak`: there is no such key: did you mean `stack`? The keys are `stack`, `mode`, `people`.
    key `stack`: it is missing, but required.
    key `stack`: it appears twice; expected once.
    key `stack`: found a list; expected a text in quotes.
    key `stack`: found `null`; expected a text in quotes.
    key `people.required`: found the text `2`; expected a whole number, without quotes.
    key `people.required`: found `-1`; expected a whole number, without quotes.
    key `people.required`: found `1.5`; expected a whole number, without quotes.
    key `people.links`: found the text `yes`; expected `true` or `false`, without quotes.
    key `people.names[1]`: found `5`; expected a text in quotes.
    key `people.names`: found an empty text; expected a list in brackets.
    key `people`: found a list; expected an object in braces.
    ");
    assert_eq!(
        mistake(r#"{"stack": "web", "people": {"link": true}}"#),
        "key `people.link`: there is no such key: did you mean `links`? The keys are `required`, \
         `links`, `names`."
    );
}

#[test]
fn invalid_json_is_named_by_line_and_column() {
    let all = [
        "",
        "{",
        "{\"stack\": \"web\",\n}",
        "{\"stack\": \"web\"\n \"mode\": \"auto\"}",
        "{'stack': 'web'}",
        "{} {}",
        "{\"stack\": \"we",
    ];
    insta::assert_snapshot!(all.map(mistake).join("\n"), @r"
    it is not valid JSON: it ends too early, at line 1, column 0.
    it is not valid JSON: it ends too early, at line 1, column 1.
    it is not valid JSON: there is nothing after a comma, at line 2, column 1.
    it is not valid JSON: expected `,` or `}`, at line 2, column 2.
    it is not valid JSON: a key must be in double quotes, at line 1, column 2.
    it is not valid JSON: there is more text after the end, at line 1, column 4.
    it is not valid JSON: it ends too early, at line 1, column 13.
    ");
    let deep = "[".repeat(100_000);
    assert!(mistake(&deep).contains("nested brackets"), "it ends");
}

#[test]
fn a_path_finds_its_value() {
    let node = parse(r#"{"people": {"names": ["a", "b"]}, "n": 5}"#).expect("JSON");
    assert_eq!(node.at("people.names[1]").map(Node::to_string).as_deref(), Some("the text `b`"));
    assert_eq!(node.at("people.names").map(Node::to_string).as_deref(), Some("a list of `a`, `b`"));
    assert_eq!(node.at("n").map(Node::to_string).as_deref(), Some("`5`"));
    for path in ["people.nobody", "people.names[2]", "n.m", ""] {
        assert_eq!(node.at(path), None, "{path}");
    }
}

#[test]
fn foreign_text_stays_on_one_line_and_is_cut() {
    let words =
        mistake(&json!({ "stack": "web", "mode": format!("a\nb{}", "x".repeat(500)) }).to_string());
    assert!(!words.contains('\n') && words.len() < 300, "{words}");
    let words = mistake(&json!({ "k".repeat(500): 1 }).to_string());
    assert!(words.len() < 500, "{words}");
}
