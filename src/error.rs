//! Everything that makes an invocation a function error: Lambda tries it again twice and then hands
//! it, with this message, to the on-failure queue. One line that names the operation, the resource
//! and the cause; never a secret.

use lambda_runtime::Diagnostic;

use crate::event::NotUnderstood;
use crate::model::config::ConfigError;
use crate::model::report::Reply;
use crate::text::plain;

/// What the on-failure queue and a log line may carry.
const LONGEST: usize = 20_000;

/// Why an event was not carried out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The payload is not understood.
    #[error(transparent)]
    NotUnderstood(#[from] NotUnderstood),
    /// A configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The function may not make a call.
    #[error(
        "{action} on {resource} was denied: give the function's role `{action}` for it ({message})"
    )]
    Denied {
        /// The IAM action that is missing.
        action: String,
        /// What it was for.
        resource: String,
        /// What the service said.
        message: String,
    },
    /// A call failed, and might succeed later.
    #[error("{action} on {resource} failed: {message}")]
    Aws {
        /// The IAM action of the call.
        action: &'static str,
        /// What it was for.
        resource: String,
        /// The service's code and words, or what happened on the way.
        message: String,
    },
    /// What a service answered is not what it promises.
    #[error("{resource}: {problem}")]
    Unexpected {
        /// What was read.
        resource: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It was carried out, and people could not be told.
    #[error("`{outcome}`, but people were not told of it yet: {cause}", outcome = reply.outcome())]
    Untold {
        /// What was done.
        reply: Box<Reply>,
        /// Why nobody was told.
        cause: Box<Error>,
    },
    /// Other invocations kept changing the app's state.
    #[error(
        "`{repository}` kept changing while it was looked at ({rounds} times); the next look goes \
         on"
    )]
    Contended {
        /// The app.
        repository: String,
        /// How often it was looked at.
        rounds: u32,
    },
    /// The invocation's time ran out.
    #[error("{what} did not end in time: {next}")]
    OutOfTime {
        /// What was cut off.
        what: String,
        /// What finishes it.
        next: &'static str,
    },
    /// Some of several apps or records failed; the others were carried out.
    #[error("{failed} of {all} failed: {messages}")]
    Several {
        /// How many failed.
        failed: usize,
        /// Of how many.
        all: usize,
        /// Each one's message.
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
