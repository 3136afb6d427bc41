//! The public address.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::reading::{deployed, function, resource, template};

#[test]
fn the_function_has_a_public_address_that_it_can_find() {
    let function = function();
    assert_eq!(function["FunctionUrlConfig"], json!({ "AuthType": "NONE" }));
    // SAM makes the URL and both of its permissions; one here would be a second one. Of a function
    // with an alias it would be the alias's URL, under another name.
    assert!(function["AutoPublishAlias"].is_null());
    let template = template();
    let everything = deployed([
        ("VerifyServices", "true"),
        ("WatchAlarms", "true"),
        ("EventSourceAccounts", "222222222222"),
    ]);
    assert_eq!(everything.resources("AWS::Lambda::Url").len(), 0);
    for (name, permission) in everything.resources("AWS::Lambda::Permission") {
        assert_eq!(permission["Principal"], "events.amazonaws.com", "{name}");
        assert!(permission["SourceArn"].is_object(), "{name} is for every rule");
    }
    let url = json!({ "GetAtt": "EcrPromoterFunctionUrl.FunctionUrl" });
    let parameter = deployed([]).resolve(&resource("PublicUrl")["Properties"]);
    assert_eq!(
        (&parameter["Name"], &parameter["Type"]),
        (&json!("/ecr-promoter/public-url"), &json!("String"))
    );
    assert_eq!((&parameter["Value"], &template["Outputs"]["PublicUrl"]["Value"]), (&url, &url));
}

/// What CloudFormation creates the function after must not wait for its URL, which is created after
/// the function.
#[test]
fn nothing_that_the_function_waits_for_waits_for_its_url() {
    let template = template();
    let resources = template["Resources"].as_object().expect("resources");
    let mut waits_for = BTreeSet::from(["EcrPromoterFunction".to_owned()]);
    loop {
        let named: BTreeSet<String> =
            waits_for.iter().filter_map(|name| resources.get(name)).flat_map(names_in).collect();
        let before = waits_for.len();
        waits_for.extend(named);
        if waits_for.len() == before {
            break;
        }
    }
    assert!(
        waits_for.contains("FunctionRole") && waits_for.contains("OnFailureQueue"),
        "the references were not read: {waits_for:?}"
    );
    let urls: Vec<&String> = waits_for
        .iter()
        .filter(|name| name.starts_with("EcrPromoterFunctionUrl") || *name == "PublicUrl")
        .collect();
    assert_eq!(urls, [""; 0]);
}

/// What a value refers to: a resource of ours, one that SAM makes, or a parameter.
fn names_in(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, argument)| match (key.as_str(), argument.as_str()) {
                ("Ref" | "GetAtt", Some(name)) => {
                    vec![name.split('.').next().unwrap_or_default().to_owned()]
                }
                ("Sub", Some(text)) => text
                    .split("${")
                    .skip(1)
                    .filter_map(|part| Some(part.split_once('}')?.0.split('.').next()?.to_owned()))
                    .collect(),
                _ => names_in(argument),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(names_in).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}
