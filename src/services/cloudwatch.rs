//! Amazon CloudWatch: the alarms of a bake.

use aws_sdk_cloudwatch::types::{AlarmType, StateValue};
use aws_smithy_types::DateTime;

use super::cloudformation::timestamp;
use super::failure::failed;
use super::site::Site;
use crate::error::Error;
use crate::model::bake::Alarm;

impl Site<'_> {
    /// Reads the alarms of these names, metric and composite. One that does not exist is missing.
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>
    pub(super) async fn alarms(&self, names: &[String]) -> Result<Vec<Alarm>, Error> {
        let call = self
            .cloudwatch
            .describe_alarms()
            .set_alarm_names(Some(names.to_vec()))
            // Without the types, CloudWatch returns metric alarms only.
            .alarm_types(AlarmType::MetricAlarm)
            .alarm_types(AlarmType::CompositeAlarm);
        let found = Box::pin(call.send()).await.map_err(|error| {
            failed("cloudwatch:DescribeAlarms", format!("alarm `{}`", names.join("`, `")), &error)
        })?;
        let metric = found.metric_alarms.unwrap_or_default().into_iter().map(|it| {
            let since = it.state_transitioned_timestamp;
            alarm(it.alarm_name, it.alarm_arn, it.state_value, it.state_reason, since)
        });
        let composite = found.composite_alarms.unwrap_or_default().into_iter().map(|it| {
            let since = it.state_transitioned_timestamp;
            alarm(it.alarm_name, it.alarm_arn, it.state_value, it.state_reason, since)
        });
        Ok(metric.chain(composite).collect())
    }
}

/// Reads an alarm of either type. `StateUpdatedTimestamp` would not do for `since`: it also moves
/// when only the reason of a state changes.
fn alarm(
    name: Option<String>,
    arn: Option<String>,
    state: Option<StateValue>,
    reason: Option<String>,
    since: Option<DateTime>,
) -> Alarm {
    Alarm {
        name: name.unwrap_or_default(),
        arn: arn.unwrap_or_default(),
        state: state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
        reason: reason.unwrap_or_default(),
        since: since.as_ref().and_then(timestamp),
    }
}

#[cfg(test)]
mod tests;
