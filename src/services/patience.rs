//! Repeats calls that AWS throttles. The SDK tries a call three times within a second, or fewer
//! times after many retries. A call that is still throttled is repeated here, until shortly before
//! the invocation must end.
//!
//! Assumed limits for one account and region. Parameter Store: 40 calls a second for GetParameter
//! and GetParametersByPath together, unless higher throughput is enabled
//! (<https://docs.aws.amazon.com/general/latest/gr/ssm.html>). ECR: 2,000 BatchGetImage and 10
//! PutImage a second
//! (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html>). CloudFormation
//! publishes no limit; users report 5 to 10 DescribeStacks a second.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::time::{Instant, timeout_at};

use super::cache::locked;
use super::clients::{Clients, Deadline};
use crate::error::Error;
use crate::model::place::Place;

/// The time that is kept back at the end of an invocation to report a throttled call. A short
/// invocation keeps back a tenth of its time instead. Looks at many apps stop before that and
/// continue later.
const MARGIN: Duration = Duration::from_secs(3);
/// The time for which calls are repeated if the end of the invocation is not known.
const WITHOUT_DEADLINE: Duration = Duration::from_secs(10);
/// The longest pause before the first repetition, and before each later one. Pauses are random, so
/// that many sandboxes do not repeat their calls at the same moment.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The error codes with which AWS throttles calls.
const THROTTLED: [&str; 10] = [
    "BandwidthLimitExceeded",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

impl Clients {
    /// Begins an invocation of the function at `home` that has this much time, if that is known.
    pub fn begin(&self, home: &Place, time: Option<Duration>) {
        let deadline = time.map(|time| Deadline { at: Instant::now() + time, whole: time });
        *locked(&self.deadline) = deadline;
        locked(&self.home).clone_from(home);
    }

    /// The account and region of the function.
    pub(super) fn home(&self) -> Place {
        locked(&self.home).clone()
    }

    fn deadline(&self) -> Option<Deadline> {
        *locked(&self.deadline)
    }

    /// Whether the current invocation has this much time left, or at least half of its whole time.
    pub(super) fn has_time(&self, needed: Duration) -> bool {
        let left = |deadline: &Deadline| deadline.at.saturating_duration_since(Instant::now());
        self.deadline().is_none_or(|deadline| left(&deadline) >= needed.min(deadline.whole / 2))
    }

    /// Makes a call, and repeats it while AWS throttles it and the invocation has time. Throttled
    /// calls of one action wait in a queue, so that they are not all repeated at once, and each
    /// gets its turn.
    pub(super) async fn patiently<T, E, F>(
        &self,
        action: &'static str,
        call: impl Fn() -> F,
    ) -> F::Output
    where
        F: Future<Output = Result<T, E>>,
        E: Throttled,
    {
        let end = self.patience_ends();
        let line = self.line(action);
        let mut turn = None;
        if line.try_lock().is_err() {
            turn = timeout_at(end, line.lock()).await.ok();
        }
        let mut longest = FIRST_PAUSE;
        loop {
            // On the heap: the future of a call is large, and each look would contain it.
            let error = match Box::pin(call()).await {
                Err(error) if error.is_throttled() => error,
                answer => return answer,
            };
            let pause = longest.mul_f64(0.25 + 0.75 * fastrand::f64());
            if Instant::now() + pause >= end {
                return Err(error);
            }
            match turn {
                Some(_) => tokio::time::sleep(pause).await,
                None => match timeout_at(end, line.lock()).await {
                    Ok(own) => turn = Some(own),
                    Err(_) => return Err(error),
                },
            }
            self.retries.fetch_add(1, Ordering::Relaxed);
            longest = LONGEST_PAUSE.min(longest * 2);
        }
    }

    fn patience_ends(&self) -> Instant {
        let now = Instant::now();
        match self.deadline() {
            Some(deadline) => {
                deadline.at.checked_sub(MARGIN.min(deadline.whole / 10)).unwrap_or(now)
            }
            None => now + WITHOUT_DEADLINE,
        }
    }

    fn line(&self, action: &'static str) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(locked(&self.lines).entry(action).or_default())
    }
}

/// An error that may mean that a call was throttled.
pub(super) trait Throttled {
    /// Whether it says so.
    fn is_throttled(&self) -> bool;
}

impl<E: ProvideErrorMetadata> Throttled for SdkError<E, HttpResponse> {
    fn is_throttled(&self) -> bool {
        let is_by_code = self
            .as_service_error()
            .and_then(ProvideErrorMetadata::code)
            .is_some_and(|code| THROTTLED.contains(&code));
        is_by_code || self.raw_response().is_some_and(|response| response.status().as_u16() == 429)
    }
}

/// The error of a read that makes several calls. Its message begins with the code of the failed
/// call.
impl Throttled for Error {
    fn is_throttled(&self) -> bool {
        let code = if let Error::Aws { message, .. } = self {
            message.split_once(": ").map(|(code, _)| code)
        } else {
            None
        };
        code.is_some_and(|code| THROTTLED.contains(&code))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::future::join;
    use serde_json::json;

    use crate::model::place::Place;
    use crate::model::stack::EventsWanted;
    use crate::services::samples::web_app;
    use crate::services::wire::cloudformation::{answered, ask};
    use crate::services::wire::ssm::{get_parameter, parameter};
    use crate::services::wire::{Recording, connect, form_error, json_error};
    use crate::world::Web;

    const NAME: &str = "/ecr-promoter/apps/web";

    fn throttled() -> Recording {
        (get_parameter(NAME), json_error("ThrottlingException", "Rate exceeded", &json!({})))
    }

    fn found(value: &str) -> Recording {
        (get_parameter(NAME), parameter(value))
    }

    /// The SDK makes three tries, so seven throttled ones are two repetitions and a try.
    #[tokio::test]
    async fn a_call_that_is_throttled_several_times_succeeds_in_the_end() {
        let (clients, wire) =
            connect(std::iter::repeat_with(throttled).take(7).chain([found("{}")]));
        clients.begin(&Place::default(), Some(Duration::from_secs(60)));
        assert_eq!(clients.parameter(NAME).await.expect("read"), Some("{}".to_owned()));
        wire.relaxed_requests_match();
    }

    #[tokio::test]
    async fn a_throttled_read_of_a_stack_is_repeated() {
        let named = || ask("DescribeStacks", &[("StackName", "web")]);
        let throttled = || (named(), form_error(400, "Throttling", "Rate exceeded"));
        let stack = (named(), answered("DescribeStacks", ""));
        let (clients, wire) = connect(std::iter::repeat_with(throttled).take(4).chain([stack]));
        clients.begin(&Place::default(), Some(Duration::from_secs(60)));
        assert_eq!(clients.home_site().stack("web").await.expect("read"), None);
        wire.relaxed_requests_match();
    }

    #[tokio::test]
    async fn a_throttled_read_of_events_is_repeated() {
        let stack = || ask("DescribeStacks", &[("StackName", "web")]);
        let events = || ask("DescribeStackEvents", &[("StackName", "web")]);
        let throttled = || (events(), form_error(400, "Throttling", "Rate exceeded"));
        let none = answered("DescribeStackEvents", "");
        let seen = (stack(), answered("DescribeStacks", ""));
        let (clients, wire) = connect(
            [seen]
                .into_iter()
                .chain(std::iter::repeat_with(throttled).take(4))
                .chain([(events(), none)]),
        );
        clients.begin(&Place::default(), Some(Duration::from_secs(60)));
        let (stack, events) =
            clients.watch(&web_app(), &EventsWanted::default()).await.expect("read");
        assert_eq!((stack, events.list.len()), (None, 0));
        wire.relaxed_requests_match();
    }

    /// The call that was throttled first is answered first.
    #[tokio::test]
    async fn waiting_calls_queue_up() {
        let answers = ["1", "2", "3"].map(found);
        let (clients, wire) = connect(std::iter::repeat_with(throttled).take(6).chain(answers));
        clients.begin(&Place::default(), Some(Duration::from_secs(60)));
        let first = clients.parameter(NAME);
        let others = async {
            while clients.line("ssm:GetParameter").try_lock().is_ok() {
                tokio::task::yield_now().await;
            }
            join(clients.parameter(NAME), clients.parameter(NAME)).await
        };
        let (first, (second, third)) = join(first, others).await;
        let read = [first, second, third].map(|read| read.expect("read"));
        assert_eq!(read, ["1", "2", "3"].map(|value| Some(value.to_owned())));
        wire.relaxed_requests_match();
    }

    #[tokio::test]
    async fn repetitions_end_before_the_invocation_does() {
        let (clients, wire) = connect(std::iter::repeat_with(throttled).take(3));
        clients.begin(&Place::default(), Some(Duration::from_millis(20)));
        let words = clients.parameter(NAME).await.expect_err("throttled to the end").to_string();
        assert_eq!(
            words,
            format!(
                "ssm:GetParameter on parameter `{NAME}` failed: ThrottlingException: Rate exceeded"
            )
        );
        wire.relaxed_requests_match();
    }

    #[tokio::test]
    async fn a_call_that_fails_for_another_cause_is_not_repeated() {
        let (clients, wire) =
            connect([(get_parameter(NAME), json_error("InvalidKeyId", "no such key", &json!({})))]);
        clients.begin(&Place::default(), Some(Duration::from_secs(60)));
        clients.parameter(NAME).await.expect_err("it failed");
        wire.relaxed_requests_match();
    }
}
