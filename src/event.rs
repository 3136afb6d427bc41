//! Events, parsed from raw payloads. [`payload`] is the only router; each sender has a file of its
//! own, which alone knows its wire format. No I/O here.

mod cloudformation;
mod cloudwatch;
pub mod command;
mod ecr;
mod ecs;
mod envelope;
mod examine;
pub mod overview;
pub mod payload;
mod sns;

use jiff::Timestamp;

use crate::model::audit::AuditWanted;
use crate::model::checkup::CheckWanted;
use crate::model::command::{Command, ImageRef};
use crate::model::place::Place;
use crate::model::{AppName, Digest, Repository, Tag};

/// An event, or a wish of a person or a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A valid event that is not for this function.
    Ignored {
        /// The repository it names, if it names one.
        repository: Option<Repository>,
        /// Why it is ignored.
        reason: String,
    },
    /// An image was pushed, or tagged.
    ImagePushed {
        /// The repository.
        repository: Repository,
        /// The image.
        digest: Digest,
        /// The tag it got.
        tag: Tag,
        /// The account and region of the registry.
        at: Place,
    },
    /// A stack changed its status.
    StackChanged {
        /// The stack's ARN.
        stack_id: String,
        /// The account and region that the event comes from.
        at: Place,
    },
    /// ECS deploys a service, or has done something with it.
    ServiceChanged {
        /// The service's ARN.
        service: String,
        /// The account and region that the event comes from.
        at: Place,
    },
    /// An alarm changed its state.
    AlarmChanged {
        /// The alarm's name.
        alarm: String,
        /// The account and region that the event comes from.
        at: Place,
    },
    /// It is time to look at the configured apps.
    Due {
        /// Whether to look only at apps with open work.
        only_open_work: bool,
    },
    /// A command for one app.
    Command(Command),
    /// A command that asks for the status of all apps.
    Statuses {
        /// The app with which the page before ended.
        after: Option<AppName>,
    },
    /// A command that asks which apps have this image.
    Where(ImageRef),
    /// A command that asks what was decided in a span of time.
    Audit(AuditWanted),
    /// A command that asks what will not work.
    Check(CheckWanted),
    /// A command that asks for a link to the board.
    Board {
        /// The name that the sender claims. IAM only proves that the sender may invoke the
        /// function.
        by: Option<String>,
    },
}

/// Facts about one invocation that the payload does not contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The request id; the same when an asynchronous invocation is tried again.
    pub request_id: String,
    /// The function's own account and region, if the ARN of the invocation contains them.
    pub home: Place,
    /// The present time.
    pub now: Timestamp,
    /// When Lambda ends it, where that is known.
    pub deadline: Option<Timestamp>,
}

impl Invocation {
    /// Reads account and region from the function's ARN,
    /// `arn:aws:lambda:<region>:<account>:function:<name>`. A tool that runs the function locally
    /// may have none, and then there is nothing to compare an event with.
    pub fn new(request_id: String, function_arn: &str, now: Timestamp) -> Self {
        let is_whole = function_arn.split(':').count() >= 7
            && function_arn.starts_with("arn:")
            && function_arn.split(':').nth(2) == Some("lambda");
        let home = if is_whole { Place::of_arn(function_arn) } else { Place::default() };
        Self { request_id, home, now, deadline: None }
    }
}

/// A payload that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{problem} For example: `promote web 9fceb02`, or in JSON {{\"action\": \"promote\", \
     \"app\": \"web\", \"commit\": \"9fceb02\"}}"
)]
pub struct NotUnderstood {
    /// A sentence that describes the mistake and suggests the nearest right word.
    pub problem: String,
    /// The id of the SNS message, whose sender hears of it.
    pub message: Option<String>,
    /// Whether it can never succeed, so that no retry is needed: it is answered and no error.
    pub is_refused: bool,
}

impl NotUnderstood {
    /// `problem` is a sentence; a full stop is added where it is missing.
    fn new(problem: impl Into<String>) -> Self {
        let problem: String = problem.into();
        let problem = if problem.ends_with(['.', '?']) { problem } else { problem + "." };
        Self { problem, message: None, is_refused: false }
    }
}

#[cfg(test)]
mod tests;
