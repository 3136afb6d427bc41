use std::io;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::result::ConnectorError;

use super::*;
use crate::services::wire::sdk;

type Failure = SdkError<aws_sdk_ssm::operation::get_parameter::GetParameterError, HttpResponse>;

#[test]
fn a_call_without_an_answer_is_one_sentence() {
    let refused = ConnectorError::io(
        io::Error::new(io::ErrorKind::ConnectionRefused, "Connection refused (os error 111)")
            .into(),
    );
    let cases: [(Failure, &str); 4] = [
        (
            SdkError::dispatch_failure(refused),
            "the service could not be reached: io error: Connection refused (os error 111)",
        ),
        (
            SdkError::timeout_error("the operation took longer than 15 s"),
            "no answer came in time: the operation took longer than 15 s",
        ),
        (SdkError::construction_failure("no region"), "the request could not be made: no region"),
        (
            SdkError::dispatch_failure(ConnectorError::other("a\nb".into(), None)),
            "the service could not be reached: other: a b",
        ),
    ];
    for (failure, want) in cases {
        let error = failed("ssm:GetParameter", "parameter `x`", &failure).to_string();
        let sentence = error
            .strip_prefix("ssm:GetParameter on parameter `x` failed: ")
            .expect("it names the call");
        assert!(sentence.starts_with(want), "{sentence}");
        assert!(!sentence.contains(['{', '\n']), "no dump: {sentence}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_one_sentence() {
    let sdk = sdk()
        .into_builder()
        .retry_config(RetryConfig::disabled())
        .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(
            aws_smithy_async::rt::sleep::TokioSleep::new(),
        ))
        .timeout_config(TimeoutConfig::builder().operation_timeout(Duration::from_secs(5)).build())
        .http_client(Builder::new().build_http())
        // Nothing listens on port 1.
        .endpoint_url("http://127.0.0.1:1")
        .build();
    let client = aws_sdk_ssm::Client::new(&sdk);
    let failure = client.get_parameter().name("x").send().await.expect_err("nobody is there");
    let error = failed("ssm:GetParameter", "parameter `x`", &failure).to_string();
    assert!(
        error.contains("the service could not be reached: ") && error.contains("refused"),
        "{error}"
    );
    assert!(!error.contains('{') && error.len() < 300, "{error}");
}
