//! The ECS of the AWS in memory: one service of two tasks, which follows the stack as it is told to,
//! and what CloudWatch's alarms show.

use ecr_promoter::model::Digest;
use ecr_promoter::model::bake::Alarm;
use ecr_promoter::model::ecs::{
    ContainerImage, Deployment, DeploymentStatus, Service, StoppedContainer, StoppedTask, Workload,
};

use super::payloads::tag;
use super::world::{Inner, Memory};

pub(crate) const SERVICE: &str = "arn:aws:ecs:us-east-1:012345678912:service/main/web";

/// How many tasks the service wants.
const TASKS: u32 = 2;

/// What the task definition of the stack's value makes tasks run.
pub(crate) fn image(digest: &Digest, name: &str) -> ContainerImage {
    let (container, digest) = ("app".to_owned(), Some(digest.clone()));
    ContainerImage { container, tag: Some(name.to_owned()), digest }
}

pub(crate) fn workload(digest: &Digest, name: &str, tasks: u32) -> Workload {
    let revision = Some(format!("{SERVICE}/{name}-{}", digest.short()));
    Workload { revision, tasks, images: vec![image(digest, name)] }
}

fn deployment(status: &str, target: Workload) -> Deployment {
    Deployment {
        status: DeploymentStatus::of(status),
        status_word: status.to_owned(),
        stage: None,
        target,
        requested: TASKS,
        traffic: None,
        back_to: None,
        is_tripped: false,
        reasons: Vec::new(),
    }
}

impl Memory {
    /// The stack gets a service, which runs what the stack names.
    pub(crate) fn with_service(self) -> Self {
        let target = self.get().named_by_the_stack(TASKS);
        self.get_mut().services = vec![Service {
            arn: SERVICE.to_owned(),
            desired: TASKS,
            deployment: Some(deployment("SUCCESSFUL", target.clone())),
            workloads: vec![target],
        }];
        self
    }

    /// The service is changed.
    pub(crate) fn in_ecs(&self, change: impl FnOnce(&mut Service)) {
        change(&mut self.get_mut().services[0]);
    }

    /// ECS begins to deploy what the stack names.
    pub(crate) fn ecs_begins(&self) {
        self.get_mut().ecs_begins();
    }

    /// One of the two tasks is replaced.
    pub(crate) fn ecs_is_halfway(&self) {
        self.in_ecs(|service| {
            let deployment = service.deployment.as_mut().expect("a deployment");
            deployment.target.tasks = 1;
            service.workloads.truncate(1);
            service.workloads[0].tasks = 1;
            service.workloads.push(deployment.target.clone());
        });
    }

    /// Both tasks run what was deployed.
    pub(crate) fn ecs_is_done(&self) {
        self.get_mut().ecs_is_done();
    }

    /// The circuit breaker goes back to what ran before.
    pub(crate) fn ecs_goes_back(&self) {
        self.get_mut().ecs_goes_back();
    }

    /// Somebody deploys another image to ECS.
    pub(crate) fn ecs_is_set_to(&self, digest: &Digest) {
        let target = workload(digest, "by-hand", TASKS);
        self.in_ecs(|service| {
            service.deployment = Some(deployment("SUCCESSFUL", target.clone()));
            service.workloads = vec![target];
        });
    }

    /// The service's last task of this image stopped.
    pub(crate) fn a_task_stopped(&self, digest: &Digest, name: &str) {
        let mut inner = self.get_mut();
        let container = StoppedContainer {
            name: "app".to_owned(),
            image: Some(image(digest, name)),
            exit_code: Some(1),
            reason: None,
        };
        let task = StoppedTask {
            at: Some(inner.now),
            reason: Some("Essential container in task exited".to_owned()),
            containers: vec![container],
        };
        inner.stopped = vec![(SERVICE.to_owned(), vec![task])];
    }

    /// The alarm shows this state from now on.
    pub(crate) fn alarm(&self, name: &str, state: &str) {
        let mut inner = self.get_mut();
        let alarm = Alarm {
            name: name.to_owned(),
            arn: format!("arn:aws:cloudwatch:us-east-1:012345678912:alarm:{name}"),
            state: state.to_owned(),
            reason: format!("Threshold Crossed: {name}"),
            since: Some(inner.now),
        };
        inner.alarms.retain(|other| other.name != name);
        inner.alarms.push(alarm);
    }
}

impl Inner {
    /// What the stack's value makes tasks run.
    fn named_by_the_stack(&self, tasks: u32) -> Workload {
        let name = self.parameters["ProductionTag"].clone();
        let digest = self.tags.get(&tag(&name)).cloned().unwrap_or(Digest::of(b"no image"));
        workload(&digest, &name, tasks)
    }

    pub(super) fn ecs_begins(&mut self) {
        let target = self.named_by_the_stack(0);
        for service in &mut self.services {
            // What it runs already is no change.
            let runs = service.workloads.iter().find(|its| its.revision == target.revision);
            service.deployment = Some(match runs.filter(|its| its.tasks == TASKS) {
                Some(runs) => deployment("SUCCESSFUL", runs.clone()),
                None => deployment("IN_PROGRESS", target.clone()),
            });
        }
    }

    pub(super) fn ecs_is_done(&mut self) {
        for service in &mut self.services {
            let Some(deployment) = service.deployment.as_mut() else { continue };
            if deployment.status == DeploymentStatus::UnderWay {
                deployment.target.tasks = TASKS;
                deployment.status = DeploymentStatus::Successful;
                deployment.status_word = "SUCCESSFUL".to_owned();
                service.workloads = vec![deployment.target.clone()];
            }
        }
    }

    pub(super) fn ecs_goes_back(&mut self) {
        for service in &mut self.services {
            service.workloads.truncate(1);
            service.workloads[0].tasks = TASKS;
            let Some(its) = service.deployment.take() else { continue };
            service.deployment = Some(Deployment {
                back_to: service.workloads.first().cloned(),
                is_tripped: true,
                reasons: vec!["ECS deployment circuit breaker: tasks failed to start".to_owned()],
                ..deployment("ROLLBACK_SUCCESSFUL", Workload { tasks: 0, ..its.target })
            });
        }
    }
}
