//! A repository as a check sees it: its mutability and its lifecycle policy. Reads only.

use super::mutability::tag_mutability;
use crate::error::Error;
use crate::model::Repository;
use crate::model::image::TagMutability;
use crate::services::clients::Clients;
use crate::services::failure::failed;

impl Clients {
    /// Reads which tags of a repository can be moved; `None` if there is no such repository.
    pub(in crate::services) async fn repository(
        &self,
        repository: &Repository,
    ) -> Result<Option<TagMutability>, Error> {
        const ACTION: &str = "ecr:DescribeRepositories";
        let request = self.ecr.describe_repositories().repository_names(repository.as_str());
        match self.patiently(ACTION, || request.clone().send()).await {
            Ok(output) => Ok(output.repositories().first().map(tag_mutability)),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_repository_not_found_exception()) =>
            {
                Ok(None)
            }
            Err(error) => Err(failed(ACTION, format!("repository `{repository}`"), &error)),
        }
    }

    /// Reads a repository's lifecycle policy, as JSON; `None` if there is none.
    pub(in crate::services) async fn lifecycle(
        &self,
        repository: &Repository,
    ) -> Result<Option<String>, Error> {
        const ACTION: &str = "ecr:GetLifecyclePolicy";
        let request = self.ecr.get_lifecycle_policy().repository_name(repository.as_str());
        match self.patiently(ACTION, || request.clone().send()).await {
            Ok(output) => Ok(output.lifecycle_policy_text),
            Err(error)
                if error.as_service_error().is_some_and(|e| {
                    e.is_lifecycle_policy_not_found_exception()
                        || e.is_repository_not_found_exception()
                }) =>
            {
                Ok(None)
            }
            Err(error) => Err(failed(ACTION, format!("repository `{repository}`"), &error)),
        }
    }
}
