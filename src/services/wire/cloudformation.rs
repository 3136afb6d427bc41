//! CloudFormation's wire: requests as forms, answers in XML.

use aws_smithy_types::body::SdkBody;
use http::{Request, Response};

use super::{form_error, form_request, not_authorized, ok};
use crate::samples::STACK_ID;

/// The pairs of every update in the tests, besides its token or its change set's name, and nothing
/// else: no tags, topics, role or policy.
pub(in crate::services) const UPDATE: [(&str, &str); 8] = [
    ("StackName", "web"),
    ("UsePreviousTemplate", "true"),
    ("Parameters.member.1.ParameterKey", "ProductionTag"),
    ("Parameters.member.1.ParameterValue", "production_9fceb02"),
    ("Parameters.member.2.ParameterKey", "AppName"),
    ("Parameters.member.2.UsePreviousValue", "true"),
    ("Parameters.member.3.ParameterKey", "Secret"),
    ("Parameters.member.3.UsePreviousValue", "true"),
];

/// A request with these pairs besides the action's name.
pub(in crate::services) fn ask(action: &str, more: &[(&str, &str)]) -> Request<SdkBody> {
    let named = [("Action", action), ("Version", "2010-05-15")];
    form_request("cloudformation", &[&named, more].concat())
}

/// The answer to a call that went well; `result` is its XML.
pub(in crate::services) fn answered(action: &str, result: &str) -> Response<SdkBody> {
    let result = format!("<{action}Result>{result}</{action}Result>");
    let namespace = "http://cloudformation.amazonaws.com/doc/2010-05-15/";
    ok(format!(r#"<{action}Response xmlns="{namespace}">{result}</{action}Response>"#))
}

/// The refusal of a call that the function's role may not make.
pub(in crate::services) fn denied_answer(action: &str) -> Response<SdkBody> {
    form_error(403, "AccessDenied", &not_authorized(action, STACK_ID))
}

/// One XML element.
pub(in crate::services) fn element(name: &str, content: &str) -> String {
    format!("<{name}>{content}</{name}>")
}

/// One member of a stack's or a change set's parameters; `more` is XML.
pub(in crate::services) fn parameter_member(key: &str, value: &str, more: &str) -> String {
    let pair = element("ParameterKey", key) + &element("ParameterValue", value);
    element("member", &(pair + more))
}
