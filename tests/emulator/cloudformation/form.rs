//! A request: what is sent, and what is wrong with it whatever comes of it.

use std::collections::HashSet;

use serde_json::Value;

use super::changes::create_violations;

/// What is wrong with a request whatever comes of it.
pub(crate) fn violations(action: &str, form: &Value) -> Vec<String> {
    let mut found = match action {
        "UpdateStack" => update_violations(action, form),
        "CreateChangeSet" => [update_violations(action, form), create_violations(form)].concat(),
        _ => vec![],
    };
    let needs_token = ["UpdateStack", "CancelUpdateStack", "ExecuteChangeSet"].contains(&action);
    let token = field(form, "ClientRequestToken").unwrap_or_default();
    let letters =
        token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !token.starts_with('-');
    if needs_token && (token.is_empty() || token.len() > 128 || !letters) {
        found.push(format!("{action} with ClientRequestToken {token:?}"));
    }
    found
}

/// One parameter changes, the others keep their values, and nothing else about the stack is
/// touched.
fn update_violations(action: &str, form: &Value) -> Vec<String> {
    let mut found = vec![];
    if field(form, "UsePreviousTemplate") != Some("true") {
        found.push(format!("{action} without UsePreviousTemplate"));
    }
    let sent = |prefix: &str| {
        form.as_object().into_iter().flatten().any(|(key, _)| key.starts_with(prefix))
    };
    let untouched = [
        "Tags",
        "NotificationARNs",
        "RoleARN",
        "StackPolicy",
        "ResourceTypes",
        "TemplateURL",
        "TemplateBody",
    ];
    found.extend(
        untouched.iter().filter(|field| sent(field)).map(|field| format!("{action} sends {field}")),
    );

    let parameters = sent_parameters(form);
    let keys: HashSet<&str> = parameters.iter().map(|(key, ..)| *key).collect();
    if keys.len() != parameters.len() {
        found.push(format!("{action} names a parameter twice"));
    }
    let changed = parameters.iter().filter(|(_, value, _)| value.is_some()).count();
    if changed != 1 {
        found.push(format!("{action} gives {changed} parameters a value"));
    }
    found
}

/// Key, value where one is given, `UsePreviousValue`.
pub(super) fn sent_parameters(form: &Value) -> Vec<(&str, Option<&str>, bool)> {
    (1..)
        .map_while(|n| {
            let key = field(form, &format!("Parameters.member.{n}.ParameterKey"))?;
            let value = field(form, &format!("Parameters.member.{n}.ParameterValue"));
            Some((
                key,
                value,
                field(form, &format!("Parameters.member.{n}.UsePreviousValue")) == Some("true"),
            ))
        })
        .collect()
}

pub(super) fn members<'a>(form: &'a Value, prefix: &str) -> Vec<&'a str> {
    (1..).map_while(|n| field(form, &format!("{prefix}{n}"))).collect()
}

pub(super) fn field<'a>(form: &'a Value, name: &str) -> Option<&'a str> {
    form.get(name).and_then(Value::as_str)
}
