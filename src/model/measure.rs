//! Measurements for CloudWatch, as lines in its embedded metric format: CloudWatch reads them from
//! the log, so they need no call and no right.
//! No I/O here.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/>, *Embedding metrics within
//! logs*

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::model::AppName;
use crate::model::answer::Outcome;
use crate::model::notice::Notice;
use crate::model::state::State;

/// The namespace of all metrics.
const NAMESPACE: &str = "ecr-promoter";

/// One measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measure {
    /// An app's outcome changed to this one.
    Outcome(AppName, Outcome),
    /// The seconds from the first sight of an image as the candidate until CloudFormation accepted
    /// its update.
    PushToPromoted(AppName, i64),
    /// The seconds from the decision to promote until ECS ran the image.
    PromotedToDeployed(AppName, i64),
    /// The seconds for which a question to people has been open.
    WaitingForPeople(AppName, i64),
    /// The seconds for which a promotion has waited for its stack, for replication or to soak.
    Queued(AppName, i64),
    /// The number of throttled calls that were repeated in an invocation.
    Retries(u32),
    /// A request at the function URL was refused.
    RefusedRequest,
}

impl Measure {
    /// The measurements of a notice that is sent for the first time.
    pub fn of_notice(app: &AppName, notice: &Notice) -> Vec<Self> {
        if notice.tries > 0 || notice.is_answer() {
            return Vec::new();
        }
        let mut all = vec![Measure::Outcome(app.clone(), notice.outcome)];
        let pushed = notice.pushed_at.filter(|_| notice.outcome == Outcome::Promoted);
        all.extend(pushed.map(|at| Measure::PushToPromoted(app.clone(), seconds(at, notice.at))));
        let took = notice.took_seconds.filter(|_| notice.outcome == Outcome::Deployed);
        all.extend(took.map(|took| Measure::PromotedToDeployed(app.clone(), took)));
        all
    }

    /// The measurements of what an app waits for.
    pub fn of_waiting(app: &AppName, state: &State, now: Timestamp) -> Vec<Self> {
        let asked = state.request.as_ref().filter(|request| request.is_undecided(now));
        let asked =
            asked.map(|request| Measure::WaitingForPeople(app.clone(), seconds(request.at, now)));
        // What automation waits for, and what people's promotions wait for.
        let waits = state.waiting.iter().filter(|waiting| waiting.outcome == Outcome::Queued);
        let waits = waits.filter(|waiting| !waiting.reason.is_empty()).map(|waiting| waiting.since);
        let open = state.open.iter().filter(|open| open.sent_at.is_none()).map(|open| open.at);
        let queued = waits.chain(open).min();
        let queued = queued.map(|since| Measure::Queued(app.clone(), seconds(since, now)));
        asked.into_iter().chain(queued).collect()
    }

    /// Writes the line for CloudWatch.
    pub fn line(&self, function: &str, now: Timestamp) -> Value {
        let (name, unit, value) = self.metric();
        let mut line = json!({ "function": function, name: value });
        let dimensions = match self {
            Measure::Outcome(app, outcome) => {
                line["app"] = json!(app);
                line["outcome"] = json!(outcome);
                json!([["function", "app", "outcome"], ["function", "outcome"]])
            }
            Measure::PushToPromoted(app, _)
            | Measure::PromotedToDeployed(app, _)
            | Measure::WaitingForPeople(app, _)
            | Measure::Queued(app, _) => {
                line["app"] = json!(app);
                json!([["function", "app"], ["function"]])
            }
            Measure::Retries(_) | Measure::RefusedRequest => json!([["function"]]),
        };
        line["_aws"] = json!({
            "Timestamp": now.as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": dimensions,
                "Metrics": [{ "Name": name, "Unit": unit }],
            }],
        });
        line
    }

    /// Its name, its unit and its value.
    fn metric(&self) -> (&'static str, &'static str, i64) {
        match self {
            Measure::Outcome(..) => ("Outcome", "Count", 1),
            Measure::PushToPromoted(_, seconds) => ("PushToPromoted", "Seconds", *seconds),
            Measure::PromotedToDeployed(_, seconds) => ("PromotedToDeployed", "Seconds", *seconds),
            Measure::WaitingForPeople(_, seconds) => ("WaitingForPeople", "Seconds", *seconds),
            Measure::Queued(_, seconds) => ("Queued", "Seconds", *seconds),
            Measure::Retries(count) => ("Retries", "Count", i64::from(*count)),
            Measure::RefusedRequest => ("RefusedRequests", "Count", 1),
        }
    }
}

/// The seconds between two times; clocks that differ make none below 0.
fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs().max(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{at, promotion, web};

    fn notice(outcome: Outcome) -> Notice {
        let promotion = crate::model::promotion::Promotion {
            pushed_at: Some(at("2026-03-17T09:40:00Z")),
            ..promotion()
        };
        promotion.notice(outcome, "why", at("2026-03-17T09:41:30Z"))
    }

    #[test]
    fn a_notice_is_measured_when_it_is_first_sent() {
        let own = Measure::of_notice(&web(), &notice(Outcome::Promoted));
        let outcome = Measure::Outcome(web(), Outcome::Promoted);
        assert_eq!(own, [outcome, Measure::PushToPromoted(web(), 90)]);
        let deployed = Notice { took_seconds: Some(7), ..notice(Outcome::Deployed) };
        let own = Measure::of_notice(&web(), &deployed);
        assert_eq!(own[1..], [Measure::PromotedToDeployed(web(), 7)]);
        let again = Notice { tries: 1, ..notice(Outcome::Promoted) };
        assert_eq!(Measure::of_notice(&web(), &again), []);
    }

    #[test]
    fn a_line_names_its_dimensions_and_its_metric() {
        let measure = Measure::Outcome(web(), Outcome::Failed);
        let line = measure.line("promoter", at("2026-03-17T09:41:30Z"));
        assert_eq!(
            line,
            json!({
                "_aws": { "Timestamp": 1773740490000_i64, "CloudWatchMetrics": [{
                    "Namespace": "ecr-promoter",
                    "Dimensions": [["function", "app", "outcome"], ["function", "outcome"]],
                    "Metrics": [{ "Name": "Outcome", "Unit": "Count" }],
                }] },
                "function": "promoter", "app": "web", "outcome": "failed", "Outcome": 1,
            })
        );
    }
}
