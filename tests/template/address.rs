//! The public address: there only where it is asked for, and what uses it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::reading::{Deployment, deployed, function, resource, template};

const ON: (&str, &str) = ("PublicUrl", "on");

/// Everything but the public address.
fn closed() -> Deployment {
    deployed([
        ("VerifyServices", "true"),
        ("WatchAlarms", "true"),
        ("EventSourceAccounts", "222222222222"),
        ("SlackChannel", "C024BE91L"),
    ])
}

#[test]
fn by_default_there_is_no_public_address_and_no_right_to_call_it() {
    assert_eq!(deployed([]).parameter("PublicUrl"), "off");
    // SAM would make a URL and its permissions whatever the parameter says.
    let function = function();
    assert!(function["FunctionUrlConfig"].is_null() && function["AutoPublishAlias"].is_null());
    for deployment in [deployed([]), closed()] {
        assert_eq!(deployment.resources("AWS::Lambda::Url").len(), 0);
        for (name, permission) in deployment.resources("AWS::Lambda::Permission") {
            assert_eq!(permission["Principal"], "events.amazonaws.com", "{name}");
            assert!(permission["SourceArn"].is_object(), "{name} is for every rule");
        }
        let parameters = deployment.resources("AWS::SSM::Parameter");
        assert_eq!(parameters.into_keys().collect::<Vec<_>>(), ["AppConfiguration"]);
    }
    assert_eq!(template()["Outputs"]["PublicUrl"]["Condition"], "HasPublicUrl");
}

#[test]
fn on_request_the_function_has_a_public_address_that_it_can_find() {
    let open = deployed([ON]);
    let function = json!({ "Ref": "EcrPromoterFunction" });
    let urls = open.resources("AWS::Lambda::Url");
    // The name that SAM gave it: another one would be another address.
    let [(name, url)] = &urls.iter().collect::<Vec<_>>()[..] else { panic!("one: {urls:?}") };
    assert_eq!(*name, "EcrPromoterFunctionUrl");
    assert_eq!(**url, json!({ "TargetFunctionArn": function, "AuthType": "NONE" }));

    // AWS asks for both of a public URL.
    let permissions = open.resources("AWS::Lambda::Permission").into_values();
    let public: Vec<Value> = permissions.filter(|it| it["Principal"] == "*").collect();
    let may = |action: &str, by: &str, value: Value| {
        let mut permission = json!({ "Action": action, "FunctionName": function });
        permission["Principal"] = json!("*");
        permission[by] = value;
        permission
    };
    let by_url = may("lambda:InvokeFunction", "InvokedViaFunctionUrl", json!(true));
    let call = may("lambda:InvokeFunctionUrl", "FunctionUrlAuthType", json!("NONE"));
    assert_eq!(public, [by_url, call]);

    let parameter = open.resolve(&open.resources("AWS::SSM::Parameter")["PublicUrlParameter"]);
    let named = ("/ecr-promoter/public-url", "String");
    assert_eq!((&parameter["Name"], &parameter["Type"]), (&json!(named.0), &json!(named.1)));
    let url = json!({ "GetAtt": "EcrPromoterFunctionUrl.FunctionUrl" });
    let output = &open.template["Outputs"]["PublicUrl"]["Value"];
    assert_eq!((&parameter["Value"], output), (&url, &url));
}

#[test]
fn votes_without_slack_or_a_public_address_are_refused_before_anything_is_made() {
    let refuses = |parameters: &[(&str, &str)]| {
        let deployment = Deployment::of("template.yaml", parameters);
        let rule = &deployment.template["Rules"]["VotesNeedSlack"];
        let assertions = rule["Assertions"].as_array().expect("assertions").iter();
        let broken = assertions.filter(|it| !deployment.holds(&it["Assert"])).count();
        if deployment.holds(&rule["RuleCondition"]) { broken } else { 0 }
    };
    let (channel, approvers) = (("SlackChannel", "C024BE91L"), ("Approvers", "U024BE7LH"));
    assert_eq!(refuses(&[]), 0);
    assert_eq!(refuses(&[channel]), 0);
    assert_eq!(refuses(&[approvers]), 2);
    assert_eq!(refuses(&[("RequiredApprovals", "2"), ON]), 1);
    assert_eq!(refuses(&[approvers, channel]), 1);
    assert_eq!(refuses(&[approvers, channel, ON]), 0);
    assert_eq!(refuses(&[approvers, ("ManageConfiguration", "false")]), 0);
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
    let url = resource("PublicUrlParameter");
    assert!(names_in(&url).contains(&"EcrPromoterFunctionUrl".to_owned()), "{url}");
    let urls: Vec<&String> = waits_for
        .iter()
        .filter(|name| name.starts_with("EcrPromoterFunctionUrl") || *name == "PublicUrlParameter")
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
