//! A small AWS in memory: what the calls of one push need of Parameter Store, DynamoDB, ECR,
//! CloudFormation and SNS. It keeps what is written and refuses what AWS refuses.

mod answer;
mod cloudformation;
mod dynamodb;
mod ecr;
mod rate;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

pub(crate) use self::answer::Answer;
use self::cloudformation::Stack;
pub(crate) use self::cloudformation::stack_id;
use self::dynamodb::Table;
pub(crate) use self::ecr::MEDIA_TYPE;
use self::ecr::Repository;
use self::rate::Rate;

pub(crate) const ACCOUNT: &str = "012345678912";
pub(crate) const REGION: &str = "us-east-1";
/// The services that the calls of a push go to, and the variable that says where each one is.
pub(crate) const SERVICES: [(&str, &str); 5] = [
    ("cloudformation", "AWS_ENDPOINT_URL_CLOUDFORMATION"),
    ("dynamodb", "AWS_ENDPOINT_URL_DYNAMODB"),
    ("ecr", "AWS_ENDPOINT_URL_ECR"),
    ("sns", "AWS_ENDPOINT_URL_SNS"),
    ("ssm", "AWS_ENDPOINT_URL_SSM"),
];

/// A request whose operation is known.
#[derive(Debug)]
pub(crate) struct Request {
    /// As in an IAM policy: `ecr:PutImage`.
    pub(crate) op: String,
    /// JSON, or the fields of a form.
    pub(crate) body: Value,
}

/// An update that CloudFormation has accepted.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) stack: String,
    pub(crate) token: String,
}

#[derive(Debug)]
pub(crate) struct Aws {
    state: Mutex<State>,
    /// What each operation is throttled above. Several operations may share a limit.
    limits: BTreeMap<&'static str, Arc<Rate>>,
    accepted: mpsc::UnboundedSender<Accepted>,
}

#[derive(Debug, Default)]
struct State {
    parameters: BTreeMap<String, String>,
    table: Table,
    repositories: BTreeMap<String, Repository>,
    stacks: BTreeMap<String, Stack>,
    published: usize,
}

impl Aws {
    /// An account with nothing in it, and the updates that it accepts.
    pub(crate) fn new() -> (Aws, mpsc::UnboundedReceiver<Accepted>) {
        let (accepted, updates) = mpsc::unbounded_channel();
        (Aws { state: Mutex::default(), limits: BTreeMap::new(), accepted }, updates)
    }

    /// Throttles these operations: together, so many calls a second after a burst of as many.
    pub(crate) fn limit(&mut self, ops: &[&'static str], per_second: u32) {
        let rate = Arc::new(Rate::new(per_second));
        self.limits.extend(ops.iter().map(|op| (*op, Arc::clone(&rate))));
    }

    /// Adds an app in mode `auto`, with a repository and a stack of its name.
    pub(crate) fn add_app(&self, name: &str) {
        let mut state = self.lock();
        let configuration = json!({ "stack": name, "mode": "auto" }).to_string();
        state.parameters.insert(format!("/ecr-promoter/apps/{name}"), configuration);
        let mut repository = Repository::default();
        let first = repository.push(name, "0000001a", "production_0000001a");
        repository.tag("latest", &first);
        state.repositories.insert(name.to_owned(), repository);
        state.stacks.insert(name.to_owned(), Stack::new(name, "production_0000001a"));
    }

    /// Pushes a new image of a commit as `latest`. Returns its digest.
    pub(crate) fn push(&self, app: &str, commit: &str) -> String {
        let mut state = self.lock();
        state
            .repositories
            .get_mut(app)
            .map_or_else(String::new, |it| it.push(app, commit, "latest"))
    }

    /// Ends the update of a stack that is in progress.
    pub(crate) fn finish_update(&self, app: &str) {
        if let Some(stack) = self.lock().stacks.get_mut(app) {
            stack.finish();
        }
    }

    /// What an app's stack runs, what its repository has as `latest`, and the production tags that
    /// were moved from one image to another.
    pub(crate) fn look(&self, app: &str) -> Look {
        let state = self.lock();
        let repository = state.repositories.get(app);
        let tag = state.stacks.get(app).map(|stack| stack.tag().to_owned()).unwrap_or_default();
        let digest_of = |tag: &str| repository.and_then(|it| it.digest_of(tag)).map(str::to_owned);
        Look {
            runs: digest_of(&tag),
            latest: digest_of("latest"),
            tag,
            is_busy: state.stacks.get(app).is_some_and(Stack::is_busy),
            updates: state.stacks.get(app).map_or(0, Stack::updates),
            moved: repository.map(|it| it.moved.clone()).unwrap_or_default(),
        }
    }

    /// Whether a call of this operation is above its limit.
    pub(crate) fn is_throttled(&self, op: &str) -> bool {
        self.limits.get(op).is_some_and(|rate| !rate.takes())
    }

    pub(crate) fn answer(&self, request: &Request) -> Answer {
        let Request { op, body } = request;
        let mut state = self.lock();
        match op.split_once(':').unwrap_or_default() {
            ("ssm", action) => state.parameter_store(action, body),
            ("dynamodb", action) => state.table.answer(action, body),
            ("ecr", action) => ecr::answer(&mut state.repositories, action, body),
            ("cloudformation", action) => {
                let answer = cloudformation::answer(&mut state.stacks, action, body);
                if action == "UpdateStack" && answer.status == 200 {
                    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
                    let stack = cloudformation::name_of(&text("StackName")).to_owned();
                    let token = text("ClientRequestToken");
                    // Nobody listens where updates are ended by hand.
                    let _ = self.accepted.send(Accepted { stack, token });
                }
                answer
            }
            ("sns", "Publish") => {
                state.published += 1;
                let id = format!("<MessageId>{:036}</MessageId>", state.published);
                Answer::xml("Publish", &id)
            }
            _ => Answer::json_error("InvalidAction", &format!("the benchmark has no {op}")),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// How things stand with an app.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) tag: String,
    pub(crate) runs: Option<String>,
    pub(crate) latest: Option<String>,
    pub(crate) is_busy: bool,
    pub(crate) updates: usize,
    pub(crate) moved: Vec<String>,
}

impl State {
    fn parameter_store(&self, action: &str, body: &Value) -> Answer {
        let row =
            |name: &str, value: &str| json!({ "Name": name, "Type": "String", "Value": value });
        match action {
            "GetParameter" => {
                let name = body["Name"].as_str().unwrap_or_default();
                match self.parameters.get(name) {
                    Some(value) => Answer::json(&json!({ "Parameter": row(name, value) })),
                    None => Answer::json_error("ParameterNotFound", ""),
                }
            }
            "GetParametersByPath" => {
                let path =
                    body["Path"].as_str().unwrap_or_default().trim_end_matches('/').to_owned()
                        + "/";
                let from = body["NextToken"].as_str().and_then(|it| it.parse().ok()).unwrap_or(0);
                let all = self.parameters.iter().filter(|(name, _)| name.starts_with(&path));
                // Ten a page, as Parameter Store has it.
                let mut page: Vec<_> = all.skip(from).take(11).collect();
                let is_more = page.len() > 10;
                page.truncate(10);
                let rows: Vec<Value> = page.into_iter().map(|(n, value)| row(n, value)).collect();
                let mut answer = Map::from_iter([("Parameters".to_owned(), rows.into())]);
                if is_more {
                    answer.insert("NextToken".to_owned(), json!((from + 10).to_string()));
                }
                Answer::json(&answer.into())
            }
            _ => Answer::json_error("InvalidAction", action),
        }
    }
}
