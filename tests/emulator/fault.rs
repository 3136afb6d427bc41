//! What can go wrong with a call, and how AWS words it.

use super::cbor;
use super::http::Response;

/// Which calls of one operation: the n-th (from 1), or every one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum At {
    Nth(String, usize),
    Every(String),
}

impl At {
    pub(crate) fn first(op: &str) -> At {
        At::Nth(op.to_owned(), 1)
    }

    pub(crate) fn matches(&self, op: &str, nth: usize) -> bool {
        match self {
            At::Nth(wanted, n) => wanted == op && *n == nth,
            At::Every(wanted) => wanted == op,
        }
    }
}

/// Before the call is carried out, or after it was, when only its answer is lost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum When {
    Before,
    After,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    Throttled(When),
    ServerError(When),
    ConnectionReset(When),
    /// The call is carried out. Half of the answer's body arrives, and then nothing more.
    Stalled,
    Denied,
    /// The function's process dies as soon as the call was carried out.
    Killed,
    /// The call is carried out only once `Until` holds; other faults of the same call come after
    /// that.
    Held(Until),
}

/// How long a call is held back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Until {
    /// So many calls of an operation have arrived.
    Arrived(String, usize),
    /// These calls were carried out.
    Answered(Vec<(String, usize)>),
    /// For as long as the process lives.
    Never,
}

/// The faults that a retry overcomes.
pub(crate) const PASSING: [Fault; 6] = [
    Fault::Throttled(When::Before),
    Fault::ServerError(When::Before),
    Fault::ConnectionReset(When::Before),
    Fault::Throttled(When::After),
    Fault::ServerError(When::After),
    Fault::ConnectionReset(When::After),
];

pub(crate) fn throttled(op: &str) -> Response {
    match service(op) {
        "cloudformation" | "sns" | "sts" => xml_error(400, "Throttling", "Rate exceeded"),
        "layer" => Response::new(503, "application/xml", "<Error><Code>SlowDown</Code></Error>"),
        "dynamodb" => {
            json_error(400, "com.amazonaws.dynamodb.v20120810#ThrottlingException", "Rate exceeded")
        }
        "cloudwatch" => cbor_error(400, "ThrottlingException", "Rate exceeded"),
        _ => json_error(400, "ThrottlingException", "Rate exceeded"),
    }
}

pub(crate) fn server_error(op: &str) -> Response {
    match service(op) {
        "cloudformation" | "sns" | "sts" => {
            xml_error(500, "InternalFailure", "We encountered an internal error.")
        }
        "layer" => {
            Response::new(500, "application/xml", "<Error><Code>InternalError</Code></Error>")
        }
        "ecr" | "ecs" => json_error(500, "ServerException", "Service call has failed"),
        "cloudwatch" => cbor_error(500, "InternalServiceFault", "Service call has failed"),
        _ => json_error(500, "InternalServerError", "We encountered an internal error."),
    }
}

pub(crate) fn denied(op: &str, account: &str) -> Response {
    let action = missing_action(op);
    let message = format!(
        "User: arn:aws:sts::{account}:assumed-role/ecr-promoter/ecr-promoter is not authorized to \
         perform: {action} on \
         resource: arn:aws:{}:us-east-1:{account}:web because no identity-based policy allows the \
         {action} action",
        service(op),
    );
    match service(op) {
        "cloudformation" | "sts" => xml_error(403, "AccessDenied", &message),
        "sns" => xml_error(403, "AuthorizationError", &message),
        "layer" => {
            Response::new(403, "application/xml", "<Error><Code>AccessDenied</Code></Error>")
        }
        "cloudwatch" => cbor_error(403, "AccessDeniedException", &message),
        _ => json_error(400, "AccessDeniedException", &message),
    }
}

/// The action that IAM checks: not always the operation's name, and Amazon SNS spells its prefix in
/// capitals.
pub(crate) fn missing_action(op: &str) -> &str {
    match op {
        "dynamodb:TransactWriteItems" => "dynamodb:PutItem",
        "sns:Publish" => "SNS:Publish",
        _ => op,
    }
}

pub(crate) fn json_error(status: u16, code: &str, message: &str) -> Response {
    let body = serde_json::json!({ "__type": code, "message": message });
    Response::new(status, "application/x-amz-json-1.1", body.to_string())
}

pub(crate) fn cbor_error(status: u16, code: &str, message: &str) -> Response {
    let code = format!("com.amazonaws.cloudwatch#{code}");
    let body = serde_json::json!({ "__type": code, "message": message });
    let mut answer = Response::new(status, "application/cbor", cbor::written(&body));
    answer.headers.push(("smithy-protocol", "rpc-v2-cbor".to_owned()));
    answer
}

pub(crate) fn xml_error(status: u16, code: &str, message: &str) -> Response {
    let kind = if status < 500 { "Sender" } else { "Receiver" };
    let message = escape(message);
    let body = format!(
        "<ErrorResponse><Error><Type>{kind}</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>b25f48e8-84fd-11e6-80d9-574e0c4664cb</RequestId></ErrorResponse>"
    );
    Response::new(status, "text/xml", body)
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn service(op: &str) -> &str {
    op.split_once(':').map_or(op, |(service, _)| service)
}
