//! What the state keeps about a stack's services, so that a routine look asks ECS little. No I/O
//! here.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::verdict::Wanted;
use super::{ContainerImage, Service, Workload, name_of};
use crate::model::Digest;
use crate::model::limits::SERVICES;

/// The services of a stack that run the app's images.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KnownServices {
    /// When the stack was last updated before its resources were listed. Another time means that
    /// the list may be out of date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// The services.
    pub list: Vec<KnownService>,
    /// Whether the promotion of what the stack names has failed, since ECS did not come to run it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub has_failed: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(it: &bool) -> bool {
    !it
}

/// One service, and what it was last seen running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownService {
    /// Its ARN.
    pub arn: String,
    /// The revision that all its tasks ran; `None` where it has none, or several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The digest that ECS reported. Absent if no task ran, or tasks of several images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Whether that is the image that the stack names. Kept, since ECS may report the digest of the
    /// index or that of one of its images.
    #[serde(default)]
    pub is_promoted: bool,
}

impl KnownServices {
    /// Whether the list is still that of the stack's present resources.
    pub fn is_current(&self, stack_updated_at: Option<Timestamp>) -> bool {
        self.as_of.is_some() && self.as_of == stack_updated_at
    }

    /// What a revision was seen to run, if it is known.
    pub fn images_of(&self, revision: &str) -> Option<Vec<ContainerImage>> {
        let known = self.list.iter().find(|known| known.revision.as_deref() == Some(revision))?;
        let digest = known.digest.clone()?;
        Some(vec![ContainerImage { container: String::new(), tag: None, digest: Some(digest) }])
    }

    /// Whether a service runs what it was last seen running.
    pub fn has_seen(&self, service: &Service) -> bool {
        let known = self.list.iter().find(|known| known.arn == service.arn);
        known.zip(runs(service)).is_some_and(|(known, workload)| known.is_of(workload))
    }

    /// Remembers what was seen. Of a service that is between two images, what was known stays.
    pub fn seen(
        &self,
        stack_updated_at: Option<Timestamp>,
        services: &[Service],
        wanted: Wanted<'_>,
    ) -> Self {
        let list = services.iter().take(SERVICES).map(|service| {
            let known = self.list.iter().find(|known| known.arn == service.arn);
            match runs(service) {
                Some(workload) => KnownService {
                    arn: service.arn.clone(),
                    revision: workload.revision.clone(),
                    digest: workload.digest().cloned(),
                    is_promoted: match known.filter(|known| known.is_of(workload)) {
                        Some(known) => known.is_promoted,
                        None => wanted.is_of(workload),
                    },
                },
                None => known.cloned().unwrap_or_else(|| KnownService {
                    arn: service.arn.clone(),
                    revision: None,
                    digest: None,
                    is_promoted: false,
                }),
            }
        });
        // A list that was cut is read again each time.
        let as_of = stack_updated_at.filter(|_| services.len() <= SERVICES);
        Self { as_of, list: list.collect(), has_failed: self.has_failed }
    }

    /// Whether an event of this service may be about the stack. Of a list that was cut, any may be.
    pub fn may_have(&self, service: &str) -> bool {
        self.list.len() >= SERVICES || self.list.iter().any(|known| known.arn == service)
    }

    /// The services that run another image than the stack names.
    pub fn elsewhere(&self) -> impl Iterator<Item = &KnownService> {
        self.list.iter().filter(|known| known.digest.is_some() && !known.is_promoted)
    }
}

impl KnownService {
    /// Says what it runs.
    pub fn words(&self) -> String {
        let name = name_of(&self.arn);
        match &self.digest {
            Some(digest) => format!("ECS service `{name}` runs {digest}"),
            None => format!("ECS service `{name}` runs no task"),
        }
    }

    fn is_of(&self, workload: &Workload) -> bool {
        self.digest.is_some()
            && self.revision == workload.revision
            && self.digest.as_ref() == workload.digest()
    }
}

/// What a service runs, if all its tasks run the same and none is being replaced.
fn runs(service: &Service) -> Option<&Workload> {
    let mut with_tasks = service.workloads.iter().filter(|workload| workload.tasks > 0);
    let only = with_tasks.next()?;
    with_tasks.next().is_none().then_some(only)
}

#[cfg(test)]
mod tests;
