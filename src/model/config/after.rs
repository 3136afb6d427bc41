//! The keys `verify` and `bake` of a configuration: what happens after CloudFormation has finished.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::check::{Wrong, ensure, is_alarm};

/// Whether ECS is asked if it runs the image, and how long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verify {
    /// The most minutes, 1-1440; `None` if ECS is not asked.
    pub minutes: Option<u32>,
}

impl Default for Verify {
    fn default() -> Self {
        Self { minutes: Some(30) }
    }
}

/// `true`, `false`, or an object with `minutes`.
impl<'de> Deserialize<'de> for Verify {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Limit {
            minutes: u32,
        }
        struct Choice;
        impl<'de> Visitor<'de> for Choice {
            type Value = Verify;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`true`, `false` or an object with `minutes`")
            }
            fn visit_bool<E>(self, is_on: bool) -> Result<Verify, E> {
                Ok(if is_on { Verify::default() } else { Verify { minutes: None } })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Verify, A::Error> {
                let Limit { minutes } = Limit::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Verify { minutes: Some(minutes) })
            }
        }
        json.deserialize_any(Choice)
    }
}

impl Verify {
    pub(super) fn check(self) -> Result<(), Wrong> {
        ensure(
            self.minutes.is_none_or(|minutes| (1..=1440).contains(&minutes)),
            "verify.minutes",
            "expected 1-1440 minutes",
        )
    }
}

/// The alarms that are watched after a promotion.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BakeRule {
    /// How long, 1-1440 minutes.
    pub minutes: u32,
    /// 1-10 CloudWatch alarms, metric or composite, by name or ARN.
    pub alarms: Vec<String>,
    /// The effect of an alarm that goes off.
    #[serde(default)]
    pub on_alarm: OnAlarm,
}

/// The effect of an alarm that goes off during the bake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnAlarm {
    /// It goes back to what ran before, and holds the app.
    #[default]
    Rollback,
    /// It holds the app.
    Hold,
    /// It notifies people.
    Tell,
}

impl BakeRule {
    pub(super) fn check(&self) -> Result<(), Wrong> {
        ensure((1..=1440).contains(&self.minutes), "bake.minutes", "expected 1-1440 minutes")?;
        ensure((1..=10).contains(&self.alarms.len()), "bake.alarms", "expected 1-10 alarms")?;
        ensure(
            self.alarms.iter().all(|alarm| is_alarm(alarm)),
            "bake.alarms",
            "expected the names or the ARNs of CloudWatch alarms",
        )
    }
}
