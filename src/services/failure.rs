//! Turns a failed call of an AWS SDK into an [`Error`].

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::error::Error;
use crate::text::brief;

/// Turns a failed call into an error. If the call was denied, the error names the action that the
/// role may not use.
pub(super) fn failed<E>(
    action: &'static str,
    resource: impl Into<String>,
    error: &SdkError<E, HttpResponse>,
) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let resource = resource.into();
    let (code, message) = match error.as_service_error() {
        Some(service) => (
            service.code().unwrap_or("no error code"),
            service.message().unwrap_or("no message").to_owned(),
        ),
        None => return Error::Aws { action, resource, message: on_the_way(error) },
    };
    if matches!(
        code,
        "AccessDenied"
            | "AccessDeniedException"
            | "AuthorizationError"
            | "AuthorizationErrorException"
            | "UnauthorizedOperation"
    ) {
        return Error::Denied {
            role: "the function's role".to_owned(),
            action: missing_action(&message).unwrap_or(action).to_owned(),
            resource,
            message,
        };
    }
    Error::Aws { action, resource, message: format!("{code}: {message}") }
}

/// Says in one sentence why a call got no answer, followed by the causes.
fn on_the_way<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: std::error::Error + 'static,
{
    let happened = match error {
        SdkError::ConstructionFailure(_) => "the request could not be made",
        SdkError::TimeoutError(_) => "no answer came in time",
        SdkError::DispatchFailure(_) => "the service could not be reached",
        SdkError::ResponseError(_) => "the answer could not be read",
        SdkError::ServiceError(_) | _ => "the call failed",
    };
    let mut sentence = happened.to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let words = error.to_string();
        // Some errors repeat the message of their cause.
        if !sentence.contains(&words) {
            sentence = sentence + ": " + &words;
        }
        cause = error.source();
    }
    brief(&sentence)
}

/// Reads the action from `… is not authorized to perform: ecr:PutImage on resource: …`. It may be
/// another action than the call's own, such as `kms:Decrypt` for `ssm:GetParameter`.
fn missing_action(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("not authorized to perform: ")?;
    let action = rest.split_whitespace().next()?;
    action.contains(':').then_some(action)
}

#[cfg(test)]
mod tests;
