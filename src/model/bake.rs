//! The time after a promotion in which alarms are watched. No I/O here.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::console;
use crate::model::promotion::Promotion;
use crate::model::{Digest, Tag, Token};

/// A promotion that bakes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bake {
    /// The promotion's token.
    pub token: Token,
    /// Its image.
    pub digest: Digest,
    /// Its tag.
    pub tag: Tag,
    /// When it was deployed.
    pub since: Timestamp,
    /// When the bake ends.
    pub until: Timestamp,
    /// The alarms, as they were last seen.
    #[serde(default)]
    pub alarms: Vec<WatchedAlarm>,
    /// What people were told about alarms that cannot be watched, or do not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<String>,
    /// How many looks in a row could not read the alarms.
    #[serde(default)]
    pub failed_reads: u32,
}

/// An alarm of a bake, for people to see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedAlarm {
    /// Its name.
    pub name: String,
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`; absent if it does not exist.
    pub state: Option<String>,
}

/// An alarm as it was just read.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// `StateValue`.
    pub state: String,
    /// `StateReason`.
    pub reason: String,
    /// When the state last became another one.
    pub since: Option<Timestamp>,
}

impl Bake {
    /// Begins the bake of a promotion that was just deployed.
    pub fn begin(promotion: &Promotion, minutes: u32, now: Timestamp) -> Self {
        Self {
            token: promotion.token.clone(),
            digest: promotion.digest.clone(),
            tag: promotion.tag.clone(),
            since: now,
            until: now + SignedDuration::from_mins(minutes.into()),
            alarms: Vec::new(),
            told: Vec::new(),
            failed_reads: 0,
        }
    }

    /// Says until when it bakes, and what each alarm shows.
    pub fn words(&self) -> String {
        let alarms = self.alarms.iter().map(|alarm| {
            format!("`{}` {}", alarm.name, alarm.state.as_deref().unwrap_or("does not exist"))
        });
        let alarms = alarms.collect::<Vec<_>>().join(", ");
        let until = self.until.strftime("until %H:%M UTC");
        if alarms.is_empty() { until.to_string() } else { format!("{until}: {alarms}") }
    }

    /// The alarms that are on, as they were last seen. Those that people were told about were on
    /// before the bake, and count for nothing.
    pub fn counted(&self) -> impl Iterator<Item = &WatchedAlarm> {
        let is_on = |alarm: &&WatchedAlarm| alarm.state.as_deref() == Some("ALARM");
        self.alarms.iter().filter(is_on).filter(|alarm| !self.told.contains(&alarm.name))
    }

    /// Finds the first alarm that went off during the bake and is still on.
    pub fn tripped<'a>(&self, alarms: &'a [Alarm]) -> Option<&'a Alarm> {
        let in_time = |at: Timestamp| self.is_after_start(at) && at <= self.until;
        alarms.iter().find(|alarm| alarm.is_on() && alarm.since.is_some_and(in_time))
    }

    /// Finds the alarms that were on before the bake began, and are still on: they count for
    /// nothing.
    pub fn on_before<'a>(&'a self, alarms: &'a [Alarm]) -> impl Iterator<Item = &'a Alarm> {
        let is_before = |at: Timestamp| !self.is_after_start(at);
        alarms.iter().filter(move |alarm| alarm.is_on() && alarm.since.is_none_or(is_before))
    }

    /// Whether something happened after the bake began. A time in whole seconds may be up to a
    /// second too early.
    fn is_after_start(&self, at: Timestamp) -> bool {
        let is_whole = at.subsec_nanosecond() == 0;
        if is_whole { at.as_second() >= self.since.as_second() } else { at > self.since }
    }
}

impl Alarm {
    /// Whether it is in ALARM.
    pub fn is_on(&self) -> bool {
        self.state == "ALARM"
    }

    /// Whether a name or an ARN of a configuration means this alarm.
    pub fn is_called(&self, text: &str) -> bool {
        self.name == alarm_name(text)
    }

    /// The address of its page in the console.
    pub fn console_url(&self) -> Option<String> {
        console::alarm_page(&self.arn, &self.name)
    }
}

/// The name of an alarm that a configuration names by its name or its ARN.
pub fn alarm_name(text: &str) -> &str {
    match text.strip_prefix("arn:") {
        Some(rest) => rest.splitn(6, ':').nth(5).unwrap_or(text),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn alarm(state: &str, since: &str) -> Alarm {
        Alarm {
            name: "web 5xx/rate".to_owned(),
            arn: "arn:aws:cloudwatch:us-east-1:012345678912:alarm:web 5xx/rate".to_owned(),
            state: state.to_owned(),
            reason: "Threshold Crossed".to_owned(),
            since: Some(samples::at(since)),
        }
    }

    /// From half a second after 10:00 to 11:00.
    fn bake() -> Bake {
        Bake::begin(&samples::promotion(), 60, samples::at("2026-03-17T10:00:00.5Z"))
    }

    #[test]
    fn only_an_alarm_that_went_off_during_the_bake_and_is_on_counts() {
        let counts = |alarm: &Alarm| bake().tripped(std::slice::from_ref(alarm)).is_some();
        assert!(counts(&alarm("ALARM", "2026-03-17T10:30:00Z")));
        assert!(counts(&alarm("ALARM", "2026-03-17T11:00:00Z")));
        assert!(counts(&alarm("ALARM", "2026-03-17T10:00:00Z")), "a time in whole seconds");
        for other in [
            alarm("OK", "2026-03-17T10:30:00Z"),
            alarm("INSUFFICIENT_DATA", "2026-03-17T10:30:00Z"),
            alarm("ALARM", "2026-03-17T09:59:00Z"),
            alarm("ALARM", "2026-03-17T10:00:00.2Z"),
            alarm("ALARM", "2026-03-17T11:00:01Z"),
            Alarm { since: None, ..alarm("ALARM", "2026-03-17T10:30:00Z") },
        ] {
            assert!(!counts(&other), "{other:?}");
        }
        let before = [alarm("ALARM", "2026-03-17T09:59:00Z"), alarm("OK", "2026-03-17T09:59:00Z")];
        assert_eq!(bake().on_before(&before).count(), 1);
    }

    #[test]
    fn a_name_and_an_arn_name_the_same_alarm() {
        for (text, name) in [
            ("web-5xx", "web-5xx"),
            ("arn:aws:cloudwatch:us-east-1:012345678912:alarm:web-5xx", "web-5xx"),
            ("arn:aws:cloudwatch:us-east-1:012345678912:alarm:a:b", "a:b"),
        ] {
            assert_eq!(alarm_name(text), name);
        }
    }
}
