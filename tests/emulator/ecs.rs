//! A small Amazon ECS: services, which a test deploys to, and what it says of them. Deployments go
//! on only when the test says so.

mod answers;

use serde_json::{Value, json};

use super::backend::REGION;
use super::image::Image;

/// A revision of a service: the images of its containers.
#[derive(Debug, Clone)]
struct Revision {
    containers: Vec<Container>,
    tasks: u32,
}

#[derive(Debug, Clone)]
struct Container {
    name: &'static str,
    image: String,
    digest: String,
}

/// The newest deployment of a service.
#[derive(Debug, Clone)]
struct Deployment {
    status: &'static str,
    stage: &'static str,
    reason: String,
    target: usize,
    back_to: Option<usize>,
}

/// Who deploys a service's tasks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Controller {
    Ecs,
    /// ECS knows no revisions and no deployments.
    External,
}

#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) cluster: &'static str,
    pub(crate) desired: u32,
    pub(crate) controller: Controller,
    repository: String,
    revisions: Vec<Revision>,
    deployment: Deployment,
    /// The revision of the last deployment that was complete.
    stable: Option<usize>,
    /// Tasks that stopped: of which revision, and why.
    stopped: Vec<(usize, String)>,
}

#[derive(Debug)]
pub(crate) struct Ecs {
    account: String,
    region: String,
    /// The account of the registry that the tasks pull from.
    registry: String,
    pub(crate) services: Vec<Service>,
}

impl Service {
    /// Two tasks run this image of the repository `web`.
    pub(crate) fn new(name: &str, tag: &str, image: &Image) -> Service {
        let mut service = Service {
            name: name.to_owned(),
            cluster: "production",
            desired: 2,
            controller: Controller::Ecs,
            repository: "web".to_owned(),
            revisions: vec![],
            deployment: Deployment {
                status: "PENDING",
                stage: "",
                reason: String::new(),
                target: 0,
                back_to: None,
            },
            stable: None,
            stopped: vec![],
        };
        service.deploy(tag, &image.digest());
        service.complete();
        service
    }

    /// A deployment of this image begins: none of its tasks runs yet.
    pub(crate) fn deploy(&mut self, tag: &str, digest: &str) {
        let app = Container {
            name: "app",
            // The registry is known only when it is shown.
            image: format!("{}:{tag}", self.repository),
            digest: digest.to_owned(),
        };
        self.revisions.push(Revision { containers: vec![app], tasks: 0 });
        self.deployment = Deployment {
            status: "IN_PROGRESS",
            stage: "SCALE_UP",
            reason: String::new(),
            target: self.revisions.len() - 1,
            back_to: None,
        };
    }

    /// So many tasks of the deployment run, and so many fewer of what was complete before.
    pub(crate) fn move_tasks(&mut self, tasks: u32) {
        let target = self.deployment.target;
        self.revisions.iter_mut().for_each(|revision| revision.tasks = 0);
        self.revisions[target].tasks = tasks;
        if let Some(before) = self.stable.filter(|stable| *stable != target) {
            self.revisions[before].tasks = self.desired.saturating_sub(tasks);
        }
    }

    /// The deployment is complete.
    pub(crate) fn complete(&mut self) {
        self.move_tasks(self.desired);
        (self.deployment.status, self.deployment.stage) = ("SUCCESSFUL", "");
        self.stable = Some(self.deployment.target);
    }

    /// The deployment's tasks stop again and again, and ECS's circuit breaker goes back.
    pub(crate) fn trip(&mut self, reason: &str) {
        let target = self.deployment.target;
        let back_to = self.stable.expect("a deployment that was complete");
        self.move_tasks(0);
        self.stopped.push((target, "Essential container in task exited".to_owned()));
        self.deployment.status = "ROLLBACK_SUCCESSFUL";
        self.deployment.reason = reason.to_owned();
        self.deployment.back_to = Some(back_to);
    }

    fn tasks(&self) -> impl Iterator<Item = (usize, u32)> {
        let each = self.revisions.iter().enumerate();
        each.flat_map(|(number, revision)| (0..revision.tasks).map(move |task| (number, task)))
    }
}

impl Ecs {
    pub(crate) fn new(account: &str) -> Ecs {
        Ecs::in_region(account, REGION)
    }

    pub(crate) fn in_region(account: &str, region: &str) -> Ecs {
        let (account, region) = (account.to_owned(), region.to_owned());
        Ecs { registry: account.clone(), account, region, services: vec![] }
    }

    /// The tasks pull from the registry of another account.
    pub(crate) fn that_pulls_from(self, account: &str) -> Ecs {
        Ecs { registry: account.to_owned(), ..self }
    }

    fn arn(&self, kind: &str, service: &Service, rest: &str) -> String {
        let (account, region) = (&self.account, &self.region);
        let (cluster, name) = (service.cluster, &service.name);
        format!("arn:aws:ecs:{region}:{account}:{kind}/{cluster}/{name}{rest}")
    }

    pub(crate) fn service_arn(&self, service: &Service) -> String {
        self.arn("service", service, "")
    }

    /// ECS's event for a change of this service's deployment.
    pub(crate) fn event(&self, service: &Service) -> Value {
        json!({
            "version": "0",
            "id": "ddca6449-b258-46c0-8653-e0e3a6EXAMPLE",
            "detail-type": "ECS Deployment State Change",
            "source": "aws.ecs",
            "account": self.account,
            "time": "2026-03-17T09:42:00Z",
            "region": self.region,
            "resources": [self.service_arn(service)],
            "detail": {
                "eventType": "INFO",
                "eventName": "SERVICE_DEPLOYMENT_COMPLETED",
                "deploymentId": "ecs-svc/123",
                "updatedAt": "2026-03-17T09:42:00Z",
                "reason": "ECS deployment deploymentID completed.",
            },
        })
    }
}

/// What is wrong with a request whatever comes of it.
pub(crate) fn violations(action: &str, body: &Value) -> Vec<String> {
    let (key, most) = match action {
        "DescribeServices" => ("services", 10),
        "DescribeServiceDeployments" => ("serviceDeploymentArns", 20),
        "DescribeServiceRevisions" => ("serviceRevisionArns", 20),
        "DescribeTasks" => ("tasks", 100),
        _ => return vec![],
    };
    let count = body[key].as_array().map_or(0, Vec::len);
    let is_wrong = count == 0 || count > most;
    is_wrong.then(|| format!("{action} of {count}, at most {most}")).into_iter().collect()
}
