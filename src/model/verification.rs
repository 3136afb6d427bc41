//! A promotion that CloudFormation has finished, while it is verified that ECS runs its image. No
//! I/O here.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::limits::kept_reason;
use crate::model::promotion::Promotion;

/// The longest time that a traffic shift or ECS's own bake may take.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// A promotion that is being verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// The promotion.
    pub promotion: Promotion,
    /// When CloudFormation's end was seen.
    pub since: Timestamp,
    /// Until when ECS may take. It moves while a traffic shift or ECS's bake lasts.
    pub until: Timestamp,
    /// Since when a traffic shift or ECS's bake lasts, which does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts_since: Option<Timestamp>,
    /// How far ECS has come, in words.
    #[serde(default)]
    pub progress: String,
    /// Why ECS could not be read at the last look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Verification {
    /// Begins to verify a promotion.
    pub fn begin(promotion: Promotion, minutes: u32, now: Timestamp) -> Self {
        Self {
            promotion,
            since: now,
            until: now + SignedDuration::from_mins(minutes.into()),
            lasts_since: None,
            progress: "CloudFormation finished the update; ECS has not been asked yet".to_owned(),
            problem: None,
        }
    }

    /// Cuts it to the limits of what is kept.
    pub fn within_limits(self) -> Self {
        Self {
            promotion: self.promotion.within_limits(),
            progress: kept_reason(&self.progress),
            problem: self.problem.as_deref().map(kept_reason),
            ..self
        }
    }

    /// Notes what ECS shows now. The time in which a deployment `may_last` does not count.
    pub fn note(&mut self, progress: &str, may_last: bool, now: Timestamp) {
        self.progress = kept_reason(progress);
        self.problem = None;
        match (self.lasts_since, may_last) {
            (None, true) => self.lasts_since = Some(now),
            (Some(since), false) => {
                self.until += now.duration_since(since);
                self.lasts_since = None;
            }
            (None, false) | (Some(_), true) => {}
        }
    }

    /// Notes that ECS could not be read: whether a stage lasts is not known any more.
    pub fn cannot_be_read(&mut self, now: Timestamp) {
        if let Some(since) = self.lasts_since.take() {
            self.until += now.duration_since(since);
        }
    }

    /// Says how far ECS has come, or why it could not be asked.
    pub fn words(&self) -> String {
        match &self.problem {
            Some(problem) => format!("CloudFormation finished the update; not verified: {problem}"),
            None => self.progress.clone(),
        }
    }

    /// How many tasks of all services run the image, and of how many, where ECS said so.
    pub fn tasks(&self) -> Option<(u32, u32)> {
        let of_service = |words: &str| -> Option<(u32, u32)> {
            let (before, after) = words.split_once(" of ")?;
            let own = before.rsplit(' ').next()?.parse().ok()?;
            let (all, _) = after.split_once(" tasks")?;
            Some((own, all.parse().ok()?))
        };
        let services = self.progress.split("; ").filter_map(of_service);
        services.reduce(|(own, all), (its_own, its_all)| {
            (own.saturating_add(its_own), all.saturating_add(its_all))
        })
    }

    /// The share of the traffic that the image gets, in percent, where ECS said so.
    pub fn traffic(&self) -> Option<u8> {
        let (before, _) = self.progress.split_once(" % of the traffic")?;
        before.rsplit(' ').next()?.parse().ok()
    }

    /// Whether ECS has had its time.
    pub fn is_over(&self, now: Timestamp) -> bool {
        let is_too_long = now.duration_since(self.since) >= LONGEST;
        is_too_long || self.lasts_since.is_none() && now >= self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn the_words_of_ecs_say_how_many_tasks_run_the_image() {
        let start = samples::at("2026-03-17T10:00:00Z");
        let mut verification = Verification::begin(samples::promotion(), 30, start);
        assert_eq!((verification.tasks(), verification.traffic()), (None, None));
        let words = "ECS service `web`: IN_PROGRESS, 2 of 3 tasks, 67 % of the traffic";
        verification.note(words, false, start);
        assert_eq!((verification.tasks(), verification.traffic()), (Some((2, 3)), Some(67)));
        verification.note(&format!("{words}; ECS service `b`: 1 of 4 tasks"), false, start);
        assert_eq!(verification.tasks(), Some((3, 7)));
    }

    #[test]
    fn a_traffic_shift_does_not_count_and_a_day_is_the_most() {
        let start = samples::at("2026-03-17T10:00:00Z");
        let at = |minutes: i64| start + SignedDuration::from_mins(minutes);
        let mut verification = Verification::begin(samples::promotion(), 30, start);
        assert!(!verification.is_over(at(29)));
        assert!(verification.is_over(at(30)));

        verification.note("SCALE_UP", false, at(10));
        verification.note("BAKE_TIME", true, at(20));
        verification.note("BAKE_TIME", true, at(60));
        assert!(!verification.is_over(at(80)));
        assert!(verification.is_over(at(24 * 60)), "whatever ECS says");

        verification.note("CLEAN_UP", false, at(80));
        assert!(!verification.is_over(at(89)), "an hour of bake did not count");
        assert!(verification.is_over(at(90)));
    }
}
