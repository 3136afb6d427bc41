//! ECS services as they were just read, and the names of the images that their containers run. No
//! I/O here.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html>

pub mod known;
pub mod verdict;

use jiff::Timestamp;

use crate::model::config::App;
use crate::model::place::Place;
use crate::model::{Digest, Repository, Tag};

/// One ECS service that runs images of the app's repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its ARN.
    pub arn: String,
    /// How many tasks it should have.
    pub desired: u32,
    /// Its newest deployment, if that was read.
    pub deployment: Option<Deployment>,
    /// What its tasks run: an entry for each revision, or for each task definition.
    pub workloads: Vec<Workload>,
}

impl Service {
    /// Its name.
    pub fn name(&self) -> &str {
        name_of(&self.arn)
    }
}

/// The name of a service, from its ARN.
pub fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// Tasks that run the same images.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Workload {
    /// The service revision; `None` if the tasks were read one by one.
    pub revision: Option<String>,
    /// How many of its tasks run.
    pub tasks: u32,
    /// The images of the app's repository in one task. Other images are left out.
    pub images: Vec<ContainerImage>,
}

/// The image of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerImage {
    /// The container's name in the task definition.
    pub container: String,
    /// The tag in the image's name.
    pub tag: Option<String>,
    /// The digest that ECS reports: that of an index, or of the index's image for the platform.
    pub digest: Option<Digest>,
}

/// The newest deployment of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// How far it has come.
    pub status: DeploymentStatus,
    /// The status in ECS's own word.
    pub status_word: String,
    /// Its stage, in ECS's own word.
    pub stage: Option<String>,
    /// What it deploys.
    pub target: Workload,
    /// How many tasks it is to have.
    pub requested: u32,
    /// The share of the traffic that it gets, in percent.
    pub traffic: Option<u8>,
    /// What it went back to.
    pub back_to: Option<Workload>,
    /// Whether ECS's circuit breaker or an alarm has stopped it.
    pub is_tripped: bool,
    /// ECS's reasons: of the status, of the rollback, the alarms.
    pub reasons: Vec<String>,
}

/// How far a deployment has come.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeployment.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeploymentStatus {
    /// It goes on by itself.
    UnderWay,
    /// It is complete.
    Successful,
    /// A person or ECS stopped it. Nothing goes on.
    Stopped,
    /// ECS is rolling it back.
    GoingBack,
    /// ECS has rolled it back, or tried to.
    WentBack,
}

impl DeploymentStatus {
    /// Reads `ServiceDeployment.status`. A status that this version does not know counts as under
    /// way.
    pub fn of(word: &str) -> Self {
        match word {
            "SUCCESSFUL" => Self::Successful,
            "STOPPED" => Self::Stopped,
            "ROLLBACK_REQUESTED" | "ROLLBACK_IN_PROGRESS" => Self::GoingBack,
            "ROLLBACK_SUCCESSFUL" | "ROLLBACK_FAILED" => Self::WentBack,
            _ => Self::UnderWay,
        }
    }
}

/// A task of a service that has stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoppedTask {
    /// When it stopped.
    pub at: Option<Timestamp>,
    /// Why, in ECS's words.
    pub reason: Option<String>,
    /// Its containers.
    pub containers: Vec<StoppedContainer>,
}

/// A container of a stopped task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoppedContainer {
    /// Its name.
    pub name: String,
    /// Its image, if that is of the app's repository.
    pub image: Option<ContainerImage>,
    /// The exit code of its process.
    pub exit_code: Option<i32>,
    /// Why it stopped or did not start, in ECS's words.
    pub reason: Option<String>,
}

/// The ECR registries and the repository that an app's images come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source<'a> {
    /// The function's own registry, and the one that the stack pulls from.
    registries: Vec<Place>,
    repository: &'a Repository,
}

impl<'a> Source<'a> {
    /// The repository of an app, where the function is at `home` and the stack has this ARN.
    pub fn of(app: &'a App, home: &Place, stack_id: &str) -> Self {
        let registries = match &app.config.target {
            None => vec![Place::of_arn(stack_id)],
            Some(target) => [home.clone()].into_iter().chain(target.registry_place()).collect(),
        };
        Self { registries, repository: &app.repository }
    }

    /// Reads the image of a container, if it is of this repository. ECS names images as the task
    /// definition does: `<registry>/<repository>:<tag>`, perhaps with `@<digest>`.
    pub fn image(
        &self,
        container: &str,
        name: &str,
        digest: Option<&str>,
    ) -> Option<ContainerImage> {
        let (name, pinned) = match name.split_once('@') {
            Some((name, pinned)) => (name, Some(pinned)),
            None => (name, None),
        };
        let (registry, path) = name.split_once('/')?;
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        if !self.is_own(registry) || repository != self.repository.as_str() {
            return None;
        }
        let digest = digest.filter(|digest| !digest.is_empty()).or(pinned);
        Some(ContainerImage {
            container: container.to_owned(),
            tag: tag.and_then(|tag| tag.parse::<Tag>().ok()).map(String::from),
            digest: digest.and_then(|digest| digest.parse().ok()),
        })
    }

    /// Whether this host is the registry's, in any partition and over IPv4 or both protocols.
    /// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html>
    fn is_own(&self, host: &str) -> bool {
        let services = [".dkr.ecr.", ".dkr-ecr.", ".dkr.ecr-fips.", ".dkr-ecr-fips."];
        let Some((account, rest)) = services.into_iter().find_map(|it| host.split_once(it)) else {
            return false;
        };
        let region = rest.split('.').next().map(str::to_owned);
        let its = Place { account: Some(account.to_owned()), region };
        self.registries.iter().any(|registry| registry.is_at(&its))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{DIGEST, STACK_ID, app};

    const HOME: &str = "012345678912.dkr.ecr.us-east-1.amazonaws.com";

    #[test]
    fn only_images_of_the_repository_in_its_registry_count() {
        let web = app(r#"{"stack": "web"}"#);
        let source = Source::of(&web, &Place::default(), STACK_ID);
        let tag_of = |name: &str| source.image("app", name, None).map(|image| image.tag);
        let own = Some(Some("production_1".to_owned()));
        let fips = "012345678912.dkr.ecr-fips.us-east-1.amazonaws.com";
        for host in [HOME, fips, "012345678912.dkr-ecr.us-east-1.on.aws"] {
            assert_eq!(tag_of(&format!("{host}/web:production_1")), own, "{host}");
        }
        assert_eq!(tag_of(&format!("{HOME}/web:production_1@{DIGEST}")), own);
        assert_eq!(tag_of(&format!("{HOME}/web@{DIGEST}")), Some(None));
        for other in [
            "web:production_1".to_owned(),
            "nginx".to_owned(),
            format!("{HOME}/web/worker:production_1"),
            format!("{HOME}/webs:production_1"),
            "999999999999.dkr.ecr.us-east-1.amazonaws.com/web:production_1".to_owned(),
            "012345678912.dkr.ecr.eu-west-1.amazonaws.com/web:production_1".to_owned(),
            "012345678912.dkr.ecr.us-east-1.evil/other:1".to_owned(),
        ] {
            assert_eq!(tag_of(&other), None, "{other}");
        }
    }

    #[test]
    fn the_digest_that_ecs_reports_counts_before_the_one_in_the_name() {
        let web = app(r#"{"stack": "web"}"#);
        let source = Source::of(&web, &Place::default(), STACK_ID);
        let other = Digest::of(b"other");
        let image = |digest| source.image("app", &format!("{HOME}/web@{DIGEST}"), digest);
        let digest_of = |digest| image(digest).and_then(|image| image.digest);
        assert_eq!(digest_of(Some(other.as_str())), Some(other.clone()));
        assert_eq!(digest_of(None), Some(DIGEST.parse().expect("a digest")));
        assert_eq!(digest_of(Some("")), Some(DIGEST.parse().expect("a digest")));
    }

    #[test]
    fn a_service_is_called_by_the_last_part_of_its_arn() {
        for arn in [
            "arn:aws:ecs:us-east-1:012345678912:service/production/web",
            "arn:aws:ecs:us-east-1:012345678912:service/web",
            "web",
        ] {
            assert_eq!(name_of(arn), "web");
        }
    }
}
