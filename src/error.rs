//! The errors of an invocation. Lambda retries a failed asynchronous invocation twice, and then
//! sends it with the error's message to the on-failure queue. A message is one line that names the
//! operation, the resource and the cause, and never a secret.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>

use lambda_runtime::Diagnostic;

use crate::event::NotUnderstood;
use crate::model::config::ConfigError;
use crate::model::report::Reply;
use crate::text::plain;

/// The longest message, in characters.
const LONGEST: usize = 20_000;

/// Why an invocation failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The payload is not an event or a command that this version understands.
    #[error(transparent)]
    NotUnderstood(#[from] NotUnderstood),
    /// A configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The role of a call may not make it.
    #[error("{action} on {resource} was denied: give {role} `{action}` for it ({message})")]
    Denied {
        /// The role, in words.
        role: String,
        /// The IAM action that is missing.
        action: String,
        /// The resource of the call.
        resource: String,
        /// The service's message.
        message: String,
    },
    /// A call failed. It may succeed later.
    #[error("{action} on {resource} failed: {message}")]
    Aws {
        /// The IAM action of the call.
        action: &'static str,
        /// The resource of the call.
        resource: String,
        /// The service's error code and message, or why there is no answer.
        message: String,
    },
    /// An answer is not what the service's documentation promises.
    #[error("{resource}: {problem}")]
    Unexpected {
        /// The resource that was read.
        resource: String,
        /// The problem with the answer.
        problem: String,
    },
    /// The event was carried out, but people could not be notified.
    #[error(
        "`{outcome}`, but people have not been notified yet: {cause}",
        outcome = reply.outcome()
    )]
    Untold {
        /// The result.
        reply: Box<Reply>,
        /// Why people were not notified.
        cause: Box<Error>,
    },
    /// The event was carried out, but ECS could not be asked whether it runs the image.
    #[error(
        "`{outcome}`, but ECS could not be asked whether it runs the image: {problem}",
        outcome = reply.outcome()
    )]
    Unverified {
        /// The result.
        reply: Box<Reply>,
        /// Why ECS could not be asked.
        problem: String,
    },
    /// Other invocations kept changing the app's state.
    #[error(
        "the state of `{repository}` kept changing (read {rounds} times); the next look continues"
    )]
    Contended {
        /// The app.
        repository: String,
        /// The number of reads of the state.
        rounds: u32,
    },
    /// The invocation's time ran out.
    #[error("{what} did not finish in time: {next}")]
    OutOfTime {
        /// The work that was cut off.
        what: String,
        /// When the work continues.
        next: &'static str,
    },
    /// Some of several apps or records failed; the others were carried out.
    #[error("{failed} of {all} failed: {messages}")]
    Several {
        /// The number of failures.
        failed: usize,
        /// The number of all apps or records.
        all: usize,
        /// The messages of the failures.
        messages: String,
    },
}

impl Error {
    /// A short name for metrics and the on-failure queue.
    fn kind(&self) -> &'static str {
        match self {
            Error::NotUnderstood(_) => "NotUnderstood",
            Error::Config(_) => "Configuration",
            Error::Denied { .. } => "AccessDenied",
            Error::Aws { .. } => "AwsCall",
            Error::Unexpected { .. } => "UnexpectedAnswer",
            Error::Untold { cause, .. } => cause.kind(),
            Error::Unverified { .. } => "Unverified",
            Error::Contended { .. } => "Contended",
            Error::OutOfTime { .. } => "OutOfTime",
            Error::Several { .. } => "Several",
        }
    }
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        Diagnostic {
            error_type: error.kind().to_owned(),
            error_message: plain(&error.to_string(), LONGEST),
        }
    }
}
