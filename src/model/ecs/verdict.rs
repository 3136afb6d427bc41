//! What the services of a stack say about a promotion: whether ECS runs the image. Pure.

use super::{
    ContainerImage, Deployment, DeploymentStatus, Service, StoppedTask, Workload, name_of,
};
use crate::model::Digest;

/// The image that should run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Its digest, and those of the images of its index: ECS may report either.
    pub digests: &'a [Digest],
    /// The tag that the stack names.
    pub tag: &'a str,
}

/// Whether ECS runs an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every service runs it. `progress` says how many tasks.
    Running {
        /// How many tasks of which services run it.
        progress: String,
    },
    /// No service has a task that should run it: the next task uses it.
    NextTask,
    /// A deployment is under way.
    NotYet {
        /// The stage, the tasks and the traffic.
        progress: String,
        /// Whether traffic is being shifted, or the deployment bakes: that may take hours.
        may_last: bool,
    },
    /// ECS gave the deployment up.
    Failed {
        /// Why, in ECS's words.
        words: String,
    },
    /// No deployment is under way, and another image runs.
    Elsewhere {
        /// What runs, and where.
        progress: String,
    },
}

/// Judges what ECS shows. The first failure counts, then what is under way, then another image.
pub fn judge(services: &[Service], wanted: Wanted<'_>) -> Verdict {
    let each: Vec<Verdict> =
        services.iter().map(|service| judge_service(service, wanted)).collect();
    let mut failures = each.iter().filter(|one| matches!(one, Verdict::Failed { .. }));
    if let Some(failed) = failures.next() {
        return failed.clone();
    }
    let under_way: Vec<_> = each
        .iter()
        .filter_map(|one| match one {
            Verdict::NotYet { progress, may_last } => Some((progress.as_str(), *may_last)),
            Verdict::Running { .. } | Verdict::NextTask => None,
            Verdict::Failed { .. } | Verdict::Elsewhere { .. } => None,
        })
        .collect();
    if !under_way.is_empty() {
        let progress = under_way.iter().map(|(progress, _)| *progress).collect::<Vec<_>>();
        let may_last = under_way.iter().any(|(_, may_last)| *may_last);
        return Verdict::NotYet { progress: progress.join("; "), may_last };
    }
    if let Some(elsewhere) = each.iter().find(|one| matches!(one, Verdict::Elsewhere { .. })) {
        return elsewhere.clone();
    }
    let running: Vec<&str> = each
        .iter()
        .filter_map(|one| match one {
            Verdict::Running { progress } => Some(progress.as_str()),
            Verdict::NextTask | Verdict::NotYet { .. } => None,
            Verdict::Failed { .. } | Verdict::Elsewhere { .. } => None,
        })
        .collect();
    if running.is_empty() {
        return Verdict::NextTask;
    }
    Verdict::Running { progress: running.join(", ") }
}

fn judge_service(service: &Service, wanted: Wanted<'_>) -> Verdict {
    if service.desired == 0 {
        return Verdict::NextTask;
    }
    match &service.deployment {
        Some(deployment) => judge_deployment(service, deployment, wanted),
        None => judge_tasks(service, wanted),
    }
}

fn judge_deployment(service: &Service, deployment: &Deployment, wanted: Wanted<'_>) -> Verdict {
    let is_target = wanted.is_of(&deployment.target);
    let under_way = || Verdict::NotYet {
        progress: progress(service, deployment),
        may_last: may_last(deployment),
    };
    match deployment.status {
        DeploymentStatus::UnderWay | DeploymentStatus::GoingBack => under_way(),
        DeploymentStatus::Successful if is_target && others_run(service, wanted) => under_way(),
        DeploymentStatus::Successful if is_target => running(service),
        DeploymentStatus::Successful => elsewhere(service, Some(&deployment.target)),
        DeploymentStatus::Stopped if is_target && deployment.is_tripped => {
            failed(service, deployment)
        }
        DeploymentStatus::Stopped => under_way(),
        // An earlier deployment of the same image had another tag: its end says nothing about this.
        DeploymentStatus::WentBack if is_target && wanted.has_tag_of(&deployment.target) => {
            failed(service, deployment)
        }
        DeploymentStatus::WentBack => match &deployment.back_to {
            Some(back_to) if wanted.is_of(back_to) => running(service),
            back_to => elsewhere(service, back_to.as_ref()),
        },
    }
}

/// Judges a service by its tasks, where no deployment says how far it has come.
fn judge_tasks(service: &Service, wanted: Wanted<'_>) -> Verdict {
    let tasks = |is_it: bool| -> u32 {
        let of = service.workloads.iter().filter(|workload| wanted.is_of(workload) == is_it);
        of.map(|workload| workload.tasks).sum()
    };
    let (own, others) = (tasks(true), tasks(false));
    if own >= service.desired && others == 0 {
        return running(service);
    }
    if own == 0 && others > 0 {
        return elsewhere(service, None);
    }
    let progress = format!("{}: {own} of {} tasks", called(service), service.desired);
    Verdict::NotYet { progress, may_last: false }
}

fn running(service: &Service) -> Verdict {
    let tasks: u32 = service.workloads.iter().map(|workload| workload.tasks).sum();
    let progress = match tasks {
        0 => called(service),
        1 => format!("1 task of {}", called(service)),
        tasks => format!("{tasks} tasks of {}", called(service)),
    };
    Verdict::Running { progress }
}

fn elsewhere(service: &Service, what: Option<&Workload>) -> Verdict {
    let shown = what.or(service.workloads.iter().max_by_key(|workload| workload.tasks));
    let progress = match shown.and_then(Workload::digest) {
        Some(digest) => format!("{} runs {digest}", called(service)),
        None => format!("{} runs another image", called(service)),
    };
    Verdict::Elsewhere { progress }
}

fn failed(service: &Service, deployment: &Deployment) -> Verdict {
    let reasons = deployment.reasons.join("; ");
    let words = format!("{} is in {}", called(service), deployment.status_word);
    let words = if reasons.is_empty() { words } else { format!("{words}: {reasons}") };
    Verdict::Failed { words }
}

fn called(service: &Service) -> String {
    format!("ECS service `{}`", service.name())
}

/// Whether tasks of other images still run.
fn others_run(service: &Service, wanted: Wanted<'_>) -> bool {
    service.workloads.iter().any(|workload| workload.tasks > 0 && !wanted.is_of(workload))
}

/// The stage, the tasks and the traffic of a deployment.
fn progress(service: &Service, deployment: &Deployment) -> String {
    let mut words = format!("{}: {}", called(service), deployment.status_word);
    if let Some(stage) = &deployment.stage {
        words += &format!(", {stage}");
    }
    words += &format!(", {} of {} tasks", deployment.target.tasks, deployment.requested);
    if let Some(traffic) = deployment.traffic {
        words += &format!(", {traffic} % of the traffic");
    }
    if deployment.status != DeploymentStatus::UnderWay && !deployment.reasons.is_empty() {
        words += &format!(" ({})", deployment.reasons.join("; "));
    }
    words
}

/// The stages in which a deployment can last for hours on purpose.
const LASTING_STAGES: [&str; 5] = [
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
    "BAKE_TIME",
];

fn may_last(deployment: &Deployment) -> bool {
    deployment.status_word == "IN_PROGRESS"
        && deployment.stage.as_deref().is_some_and(|stage| LASTING_STAGES.contains(&stage))
}

impl Wanted<'_> {
    /// Whether these tasks run the image, in all their containers of its repository.
    pub fn is_of(&self, workload: &Workload) -> bool {
        !workload.images.is_empty() && workload.images.iter().all(|image| self.is(image))
    }

    /// Where ECS reports no digest, the tag that the task definition names must do: ecr-promoter
    /// never moves one.
    fn is(&self, image: &ContainerImage) -> bool {
        match &image.digest {
            Some(digest) => self.digests.contains(digest),
            None => image.tag.as_deref() == Some(self.tag),
        }
    }

    /// Whether these tasks name the image by the tag that the stack names, or by no tag.
    fn has_tag_of(&self, workload: &Workload) -> bool {
        workload.images.iter().any(|image| image.tag.as_deref().is_none_or(|tag| tag == self.tag))
    }
}

impl Workload {
    /// The digest that ECS reports for the first container that has one.
    pub fn digest(&self) -> Option<&Digest> {
        self.images.iter().find_map(|image| image.digest.as_ref())
    }
}

/// Says why the last task of this image stopped, with the container's exit code; `None` if ECS
/// remembers no such task. ECS forgets a stopped task after about an hour.
pub fn why_it_stopped(
    stopped: &[(String, Vec<StoppedTask>)],
    wanted: Wanted<'_>,
) -> Option<String> {
    let is_own = |task: &StoppedTask| {
        let own =
            |image: &ContainerImage| wanted.is(image) || image.tag.as_deref() == Some(wanted.tag);
        task.containers.iter().filter_map(|container| container.image.as_ref()).any(own)
    };
    let all = stopped
        .iter()
        .flat_map(|(service, tasks)| tasks.iter().map(move |task| (service, task)))
        .filter(|(_, task)| is_own(task));
    let (service, task) = all.max_by_key(|(_, task)| task.at)?;
    let ended = task.containers.iter().find(|container| {
        container.exit_code.is_some_and(|code| code != 0) || container.reason.is_some()
    });
    let reason = task.reason.as_deref().unwrap_or("ECS gives no reason");
    let words = match ended {
        Some(container) => {
            let exit = container
                .exit_code
                .map(|code| format!("exited with {code}"))
                .unwrap_or_else(|| "did not start".to_owned());
            let why = container.reason.as_deref().unwrap_or(reason);
            format!("container `{}` {exit}: {why}", container.name)
        }
        None => format!("the last task stopped: {reason}"),
    };
    Some(format!("{words} (service `{}`)", name_of(service)))
}

#[cfg(test)]
mod tests;
