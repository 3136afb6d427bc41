//! AWS as the function sees it: a reverse proxy that notes every call in order, lets chosen ones go
//! wrong. Stacks are modelled in `cloudformation`, services in `ecs` and alarms in `cloudwatch`; the
//! rest is the emulator's, whose ECR is as strict as AWS's.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::{Notify, watch};

use super::backend::{Emulator, REGION};
use super::cbor;
use super::cloudformation::{self, CloudFormation};
use super::cloudwatch::{self, CloudWatch};
use super::ecr::Registry;
use super::ecs::{self, Ecs};
use super::fault::{self, At, Fault, Until, When};
use super::http::{self, Request, Reset, Response};
use super::large::{Fleet, LargeRepository};
use super::sts::Sts;

use self::rate::Rate;

/// AWS's rates: what comes faster is throttled.
#[path = "../../bench/src/aws/rate.rs"]
mod rate;

/// One call, as the log has it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// As in an IAM policy, `ecr:PutImage`; the download of a layer is `layer:Get`.
    pub(crate) op: String,
    /// The how-many-eth of its operation, from 1.
    pub(crate) nth: usize,
    /// JSON, or a form's fields.
    pub(crate) body: Value,
    /// The access key and the region that it is signed with.
    pub(crate) key: String,
    pub(crate) region: String,
    /// Ticks of a clock that goes on with each arrival and each answer.
    pub(crate) arrived: u64,
    pub(crate) answered: Option<u64>,
    /// Not so where a fault came before.
    pub(crate) carried_out: bool,
}

impl Call {
    /// Whether the two were under way at the same time.
    pub(crate) fn overlaps(&self, other: &Call) -> bool {
        let before = |a: &Call, b: &Call| a.answered.is_some_and(|end| end < b.arrived);
        !before(self, other) && !before(other, self)
    }
}

pub(crate) struct Cloud {
    pub(crate) account: String,
    pub(crate) registry: Registry,
    pub(crate) cloudformation: Mutex<CloudFormation>,
    pub(crate) cloudwatch: Mutex<CloudWatch>,
    pub(crate) ecs: Mutex<Ecs>,
    pub(crate) sts: Mutex<Sts>,
    emulator: Emulator,
    calls: Mutex<Vec<Call>>,
    clock: AtomicU64,
    /// Told after each arrival and each answer.
    changed: watch::Sender<()>,
    faults: Mutex<Vec<(At, Fault)>>,
    fired: Mutex<usize>,
    delay: Mutex<Duration>,
    /// How long calls of these operations take besides.
    slow: Mutex<HashMap<String, Duration>>,
    /// What each of these operations is throttled above; several may share one.
    rates: Mutex<HashMap<String, Arc<Rate>>>,
    pub(crate) fleet: Mutex<Fleet>,
    pub(crate) large_repository: Mutex<Option<Arc<LargeRepository>>>,
    /// Requests that are wrong whatever comes of them.
    violations: Mutex<Vec<String>>,
    /// How to kill the process behind an endpoint.
    killers: Mutex<HashMap<usize, Arc<Notify>>>,
}

impl Cloud {
    pub(crate) fn new(account: &str, emulator: Emulator) -> Arc<Cloud> {
        Arc::new(Cloud {
            account: account.to_owned(),
            registry: Registry::new(emulator.clone()),
            cloudformation: Mutex::new(CloudFormation::new(account)),
            cloudwatch: Mutex::new(CloudWatch::new(account)),
            ecs: Mutex::new(Ecs::new(account)),
            sts: Mutex::new(Sts::new(account, REGION)),
            emulator,
            calls: Mutex::default(),
            clock: AtomicU64::new(0),
            changed: watch::Sender::new(()),
            faults: Mutex::default(),
            fired: Mutex::default(),
            delay: Mutex::default(),
            slow: Mutex::default(),
            rates: Mutex::default(),
            fleet: Mutex::default(),
            large_repository: Mutex::default(),
            violations: Mutex::default(),
            killers: Mutex::default(),
        })
    }

    /// An address of its own for each process, so that a fault knows whom to kill.
    pub(crate) async fn endpoint(
        self: &Arc<Cloud>,
        process: usize,
        kill: Arc<Notify>,
    ) -> SocketAddr {
        lock(&self.killers).insert(process, kill);
        let cloud = Arc::clone(self);
        http::serve(move |request| Arc::clone(&cloud).handle(process, request)).await
    }

    pub(crate) fn fault(&self, at: At, fault: Fault) {
        lock(&self.faults).push((at, fault));
    }

    pub(crate) fn clear_faults(&self) {
        lock(&self.faults).clear();
    }

    /// How many calls went wrong on purpose; a test whose fault never came has tested nothing.
    pub(crate) fn fired(&self) -> usize {
        *lock(&self.fired)
    }

    /// Every call takes this long, so that those that do not wait for each other overlap.
    pub(crate) fn slow_down(&self, delay: Duration) {
        *lock(&self.delay) = delay;
    }

    /// Calls of this operation take this long.
    pub(crate) fn slow_down_only(&self, op: &str, delay: Duration) {
        lock(&self.slow).insert(op.to_owned(), delay);
    }

    /// So many calls of these operations together are taken in a second.
    pub(crate) fn limit(&self, ops: &[&str], per_second: u32) {
        let rate = Arc::new(Rate::new(per_second));
        lock(&self.rates).extend(ops.iter().map(|op| ((*op).to_owned(), Arc::clone(&rate))));
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        lock(&self.calls).clone()
    }

    /// The calls so far are no longer of interest; operations are counted from 1 again.
    pub(crate) fn forget_calls(&self) {
        lock(&self.calls).clear();
    }

    pub(crate) fn ops(&self) -> Vec<String> {
        lock(&self.calls).iter().map(|call| call.op.clone()).collect()
    }

    pub(crate) fn count(&self, op: &str) -> usize {
        lock(&self.calls).iter().filter(|call| call.op == op).count()
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        let mut all = lock(&self.violations).clone();
        all.extend(self.registry.violations());
        all.extend(lock(&self.sts).violations());
        all
    }

    async fn handle(self: Arc<Cloud>, process: usize, request: Request) -> Result<Response, Reset> {
        let (op, body) = identify(&request);
        let (arrived, nth) = self.arrive(&op, &body, signed_with(&request));
        lock(&self.violations).extend(violations(&op, &body));
        let (holds, faults): (Vec<Fault>, Vec<Fault>) = lock(&self.faults)
            .iter()
            .filter(|(at, _)| at.matches(&op, nth))
            .map(|(_, fault)| fault.clone())
            .partition(|fault| matches!(fault, Fault::Held(_)));
        for hold in holds {
            if let Fault::Held(until) = hold {
                self.wait(&until).await;
            }
        }
        let own = lock(&self.slow).get(&op).copied().unwrap_or_default();
        let delay = *lock(&self.delay) + own;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let mut fault = faults.into_iter().next();
        *lock(&self.fired) += usize::from(fault.is_some());
        if lock(&self.rates).get(&op).is_some_and(|rate| !rate.takes()) {
            fault = Some(Fault::Throttled(When::Before));
        }

        let mut carried_out = false;
        let answer = match &fault {
            Some(Fault::Throttled(When::Before)) => Ok(fault::throttled(&op)),
            Some(Fault::ServerError(When::Before)) => Ok(fault::server_error(&op)),
            Some(Fault::ConnectionReset(When::Before)) => Err(Reset),
            Some(Fault::Denied) => Ok(fault::denied(&op, &self.account)),
            _ => {
                carried_out = true;
                Ok(self.carry_out(&op, &body, &request).await)
            }
        };
        self.answer(arrived, carried_out);
        match fault {
            Some(Fault::Throttled(When::After)) => Ok(fault::throttled(&op)),
            Some(Fault::ServerError(When::After)) => Ok(fault::server_error(&op)),
            Some(Fault::ConnectionReset(When::After)) => Err(Reset),
            Some(Fault::Stalled) => answer.map(|answer| Response { is_stalled: true, ..answer }),
            Some(Fault::Killed) => {
                if let Some(kill) = lock(&self.killers).get(&process) {
                    kill.notify_one();
                }
                std::future::pending().await
            }
            _ => answer,
        }
    }

    async fn carry_out(&self, op: &str, body: &Value, request: &Request) -> Response {
        if let Some(answer) = lock(&self.fleet).answer(op, body) {
            return answer;
        }
        let large_repository = lock(&self.large_repository).clone();
        if let Some(answer) = large_repository.and_then(|repository| repository.answer(op, body)) {
            return answer;
        }
        if let Some(answer) = lock(&self.sts).answer(op, body, signed_with(request)) {
            return answer;
        }
        match op.split_once(':').unwrap_or_default() {
            ("ecr", action) => self.registry.answer(action, body, request).await,
            ("cloudformation", action) => lock(&self.cloudformation).answer(action, body),
            ("cloudwatch", action) => lock(&self.cloudwatch).answer(action, body),
            ("ecs", action) => lock(&self.ecs).answer(action, body),
            _ => self.emulator.forward(request).await,
        }
    }

    fn arrive(&self, op: &str, body: &Value, (key, region): (&str, &str)) -> (u64, usize) {
        let arrived = self.tick();
        let nth = {
            let mut calls = lock(&self.calls);
            let before = calls.iter().rev().find(|call| call.op == op);
            let nth = before.map_or(0, |call| call.nth) + 1;
            calls.push(Call {
                op: op.to_owned(),
                nth,
                body: body.clone(),
                key: key.to_owned(),
                region: region.to_owned(),
                arrived,
                answered: None,
                carried_out: false,
            });
            nth
        };
        self.changed.send_replace(());
        (arrived, nth)
    }

    fn answer(&self, arrived: u64, carried_out: bool) {
        let now = self.tick();
        if let Some(call) = lock(&self.calls).iter_mut().rev().find(|call| call.arrived == arrived)
        {
            (call.answered, call.carried_out) = (Some(now), carried_out);
        }
        self.changed.send_replace(());
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Returns once it holds.
    pub(crate) async fn wait(&self, until: &Until) {
        let holds = || {
            let calls = lock(&self.calls);
            match until {
                Until::Never => false,
                Until::Arrived(op, n) => calls.iter().filter(|call| call.op == *op).count() >= *n,
                Until::Answered(wanted) => wanted.iter().all(|(op, nth)| {
                    calls
                        .iter()
                        .any(|call| call.op == *op && call.nth == *nth && call.answered.is_some())
                }),
            }
        };
        let mut changed = self.changed.subscribe();
        while !holds() {
            let _ = changed.changed().await;
        }
    }
}

/// A test that panicked with the lock held has failed already; the others may go on reading.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What the emulator would let pass, and what no answer shows.
fn violations(op: &str, body: &Value) -> Vec<String> {
    match op.split_once(':').unwrap_or_default() {
        ("cloudformation", action) => cloudformation::violations(action, body),
        ("cloudwatch", _) => cloudwatch::violations(body),
        ("ecs", action) => ecs::violations(action, body),
        ("dynamodb", "GetItem" | "Query") if body["ConsistentRead"] != true => {
            vec![format!("{op} may read what is old: {body}")]
        }
        _ => vec![],
    }
}

/// The access key and the region of a request's signature; nothing for the download of a layer.
fn signed_with(request: &Request) -> (&str, &str) {
    let scope = request.header("authorization").split_once("Credential=");
    let mut parts = scope.map_or("", |(_, scope)| scope).split('/');
    (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default())
}

/// The operation, by the service that the signature names and `X-Amz-Target`, the path of a call in
/// CBOR or the form's `Action`.
fn identify(request: &Request) -> (String, Value) {
    let Some(service) = request.header("authorization").split('/').nth(3) else {
        return ("layer:Get".to_owned(), Value::from(request.path.clone()));
    };
    if let Some((_, action)) = request.header("x-amz-target").rsplit_once('.') {
        return (
            format!("{service}:{action}"),
            serde_json::from_slice(&request.body).unwrap_or_default(),
        );
    }
    if let Some((_, action)) = request.path.split_once("/operation/") {
        // CloudWatch signs as `monitoring`.
        return (format!("cloudwatch:{action}"), cbor::read(&request.body));
    }
    let fields: Map<String, Value> = form_urlencoded::parse(&request.body)
        .map(|(key, value)| (key.into_owned(), Value::from(value)))
        .collect();
    let action = fields.get("Action").and_then(Value::as_str).unwrap_or_default();
    (format!("{service}:{action}"), Value::Object(fields))
}
