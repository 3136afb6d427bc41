//! Amazon CloudWatch: the alarms of a bake.

use aws_sdk_cloudwatch::types::AlarmType;

use super::clients::Clients;
use super::cloudformation::timestamp;
use super::failure::failed;
use crate::error::Error;
use crate::model::bake::Alarm;

impl Clients {
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
        let metric = found.metric_alarms.unwrap_or_default().into_iter().map(|alarm| Alarm {
            name: alarm.alarm_name.unwrap_or_default(),
            arn: alarm.alarm_arn.unwrap_or_default(),
            state: alarm.state_value.map(|state| state.as_str().to_owned()).unwrap_or_default(),
            reason: alarm.state_reason.unwrap_or_default(),
            since: alarm
                .state_transitioned_timestamp
                .or(alarm.state_updated_timestamp)
                .as_ref()
                .and_then(timestamp),
        });
        let composite = found.composite_alarms.unwrap_or_default().into_iter().map(|alarm| Alarm {
            name: alarm.alarm_name.unwrap_or_default(),
            arn: alarm.alarm_arn.unwrap_or_default(),
            state: alarm.state_value.map(|state| state.as_str().to_owned()).unwrap_or_default(),
            reason: alarm.state_reason.unwrap_or_default(),
            since: alarm
                .state_transitioned_timestamp
                .or(alarm.state_updated_timestamp)
                .as_ref()
                .and_then(timestamp),
        });
        Ok(metric.chain(composite).collect())
    }
}

#[cfg(test)]
mod tests;
