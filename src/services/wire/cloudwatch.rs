//! CloudWatch's wire: RPC v2, in CBOR.

use aws_smithy_cbor::Encoder;
use aws_smithy_types::DateTime;
use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use serde_json::{Value, json};

use super::{answer, not_authorized};

/// The request for alarms of these names, of both types.
pub(in crate::services) fn describe_alarms(names: &[&str]) -> Request<SdkBody> {
    let mut body = Encoder::new(Vec::new());
    body.begin_map();
    let types: &[&str] = &["MetricAlarm", "CompositeAlarm"];
    for (key, list) in [("AlarmNames", names), ("AlarmTypes", types)] {
        body.str(key).array(list.len());
        for item in list {
            body.str(item);
        }
    }
    body.end();
    let operation = "service/GraniteServiceVersion20100801/operation/DescribeAlarms";
    Request::post(format!("https://monitoring.us-east-1.amazonaws.com/{operation}"))
        .header("smithy-protocol", "rpc-v2-cbor")
        .header("Content-Type", "application/cbor")
        .body(SdkBody::from(body.into_writer()))
        .expect("a request")
}

/// The answer with this body.
pub(in crate::services) fn answered(status: u16, body: &Value) -> Response<SdkBody> {
    let mut written = Encoder::new(Vec::new());
    write(&mut written, "", body);
    let mut response = answer(status, written.into_writer());
    let headers = response.headers_mut();
    for (name, value) in [("smithy-protocol", "rpc-v2-cbor"), ("Content-Type", "application/cbor")]
    {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    response
}

/// The refusal of a call that the function's role may not make.
pub(in crate::services) fn denied_answer() -> Response<SdkBody> {
    let message = not_authorized("cloudwatch:DescribeAlarms", "*");
    let code = "com.amazonaws.cloudwatch#AccessDeniedException";
    answered(403, &json!({ "__type": code, "message": message }))
}

/// Writes JSON as CBOR. A number whose key says so is a time.
fn write(to: &mut Encoder, key: &str, value: &Value) {
    match value {
        Value::Null => {
            to.null();
        }
        Value::Bool(is) => {
            to.boolean(*is);
        }
        Value::String(text) => {
            to.str(text);
        }
        Value::Number(number) => {
            let number = number.as_f64().expect("a number");
            if key.ends_with("Timestamp") {
                to.timestamp(&DateTime::from_secs_f64(number));
            } else {
                to.double(number);
            }
        }
        Value::Array(list) => {
            to.array(list.len());
            list.iter().for_each(|item| write(to, "", item));
        }
        Value::Object(map) => {
            to.map(map.len());
            for (key, value) in map {
                to.str(key);
                write(to, key, value);
            }
        }
    }
}
