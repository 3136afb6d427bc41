//! An answer of AWS, in the form that each service has.

use serde_json::{Value, json};

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

const JSON: &str = "application/x-amz-json-1.1";

impl Answer {
    pub(crate) fn json(body: &Value) -> Answer {
        Answer { status: 200, content_type: JSON, body: body.to_string() }
    }

    pub(crate) fn json_error(code: &str, message: &str) -> Answer {
        Answer::json_failure(&json!({ "__type": code, "message": message }))
    }

    pub(crate) fn json_failure(body: &Value) -> Answer {
        Answer { status: 400, ..Answer::json(body) }
    }

    pub(crate) fn xml(action: &str, result: &str) -> Answer {
        let body = format!(
            "<{action}Response><{action}Result>{result}</{action}Result></{action}Response>"
        );
        Answer { status: 200, content_type: "text/xml", body }
    }

    pub(crate) fn xml_error(code: &str, message: &str) -> Answer {
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>\
             <Message>{message}</Message></Error><RequestId>0</RequestId></ErrorResponse>"
        );
        Answer { status: 400, content_type: "text/xml", body }
    }

    /// What AWS answers to a call that comes too fast.
    pub(crate) fn throttled(op: &str) -> Answer {
        match op.split_once(':').unwrap_or_default().0 {
            "cloudformation" | "sns" => Answer::xml_error("Throttling", "Rate exceeded"),
            _ => Answer::json_error("ThrottlingException", "Rate exceeded"),
        }
    }
}
