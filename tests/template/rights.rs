//! What the roles of the templates may do.

use serde_json::{Value, json};

use super::reading::Deployment;

/// The statements of the function's role, inside it and beside it.
pub(super) fn statements_in(deployment: &Deployment) -> Vec<Value> {
    let mut policies = role_policies(deployment, "FunctionRole");
    for (name, policy) in deployment.resources("AWS::IAM::ManagedPolicy") {
        assert_eq!(policy["Roles"], json!([{ "Ref": "FunctionRole" }]), "{name}");
        policies.push(deployment.resolve(&policy));
    }
    policies.iter().flat_map(statements_of).collect()
}

/// The policies inside a role.
pub(super) fn role_policies(deployment: &Deployment, role: &str) -> Vec<Value> {
    let role = deployment.resources("AWS::IAM::Role").remove(role).expect("a role");
    deployment.resolve(&role["Policies"]).as_array().expect("policies").clone()
}

pub(super) fn statements_of(policy: &Value) -> Vec<Value> {
    policy["PolicyDocument"]["Statement"].as_array().expect("statements").clone()
}

/// One thing that a role may do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Right {
    pub(super) action: String,
    pub(super) resource: String,
    /// Under which condition, as JSON.
    pub(super) condition: String,
}

/// The rights that these statements give, each as often as it is given.
pub(super) fn rights(statements: &[Value]) -> Vec<Right> {
    let rights = statements.iter().flat_map(|statement| {
        let resources = texts(&statement["Resource"]);
        texts(&statement["Action"]).into_iter().flat_map(move |action| {
            let right = |resource: &String| Right {
                action: action.clone(),
                resource: resource.clone(),
                condition: statement["Condition"].to_string(),
            };
            resources.iter().map(right).collect::<Vec<_>>()
        })
    });
    rights.collect()
}

/// A text, or a list of texts; what refers to a resource is its JSON.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            vec![value.to_string()]
        }
    }
}
