//! Parameter Store's wire.

use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use serde_json::json;

use super::{Recording, json_request, ok_json};

/// The request for a parameter.
pub(in crate::services) fn get_parameter(name: &str) -> Request<SdkBody> {
    json_request("AmazonSSM.GetParameter", &json!({ "Name": name }))
}

/// The request for a secret.
pub(in crate::services) fn get_secret(name: &str) -> Request<SdkBody> {
    json_request("AmazonSSM.GetParameter", &json!({ "Name": name, "WithDecryption": true }))
}

/// The answer with a parameter that has only its value.
pub(in crate::services) fn parameter(value: &str) -> Response<SdkBody> {
    ok_json(&json!({ "Parameter": { "Value": value } }))
}

/// Reads a secret, which has this value.
pub(in crate::services) fn secret(name: &str, value: &str) -> Recording {
    let parameter = json!({ "Name": name, "Type": "SecureString", "Value": value, "Version": 1 });
    (get_secret(name), ok_json(&json!({ "Parameter": parameter })))
}
