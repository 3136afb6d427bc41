//! The tag mutability of a repository: which tags can be moved.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html>

use std::time::Duration;

use aws_sdk_ecr::types::{self as ecr, ImageTagMutability};
use tokio::time::timeout;
use tracing::warn;

use crate::model::Repository;
use crate::model::image::TagMutability;
use crate::services::clients::{CONFIGURATION_AGE, Clients};
use crate::services::failure::failed;

/// The longest time to read which tags can be moved. Without the answer a promotion only needs one
/// more round trip.
const MUTABILITY_WITHIN: Duration = Duration::from_secs(2);

impl Clients {
    /// Returns which tags of a repository can be moved, at most 60 s old. If that cannot be read,
    /// all tags count as movable, and a promotion needs one more round trip.
    pub(in super::super) async fn mutability(&self, repository: &Repository) -> TagMutability {
        let cache = self.mutability.of(repository.clone());
        let known = cache
            .get(
                |_, age| age < CONFIGURATION_AGE,
                async || Ok(self.read_mutability(repository).await),
            )
            .await;
        known.unwrap_or_default()
    }

    async fn read_mutability(&self, repository: &Repository) -> TagMutability {
        let asked = self.ecr.describe_repositories().repository_names(repository.as_str()).send();
        let read = match timeout(MUTABILITY_WITHIN, asked).await {
            Ok(Ok(output)) => {
                Ok(output.repositories().first().map(tag_mutability).unwrap_or_default())
            }
            Ok(Err(error)) => Err(failed(
                "ecr:DescribeRepositories",
                format!("repository `{repository}`"),
                &error,
            )
            .to_string()),
            Err(_) => Err("ecr:DescribeRepositories was not answered in time".to_owned()),
        };
        read.unwrap_or_else(|problem| {
            warn!(%repository, %problem, "all tags count as movable");
            TagMutability::default()
        })
    }
}

pub(super) fn tag_mutability(repository: &ecr::Repository) -> TagMutability {
    let is_immutable = match &repository.image_tag_mutability {
        Some(ImageTagMutability::Immutable | ImageTagMutability::ImmutableWithExclusion) => true,
        // A value that this version does not know counts as mutable, which is always safe.
        Some(_) | None => false,
    };
    let exclusions = repository
        .image_tag_mutability_exclusion_filters()
        .iter()
        .map(|filter| filter.filter().to_owned());
    TagMutability { is_immutable, exclusions: exclusions.collect() }
}

#[cfg(test)]
mod tests;
