//! Thousands of pushes for hundreds of apps at once, through many processes, against an AWS with
//! its rate limits. At the end each app must run its newest image, and no tag may have moved.

mod crowd;
mod queue;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::json;

use self::crowd::Crowd;
use self::queue::{Counts, Queue};
use crate::Place;
use crate::aws::Aws;
use crate::endpoint::Endpoint;
use crate::endpoint::tls::Authority;
use crate::machine::Machine;
use crate::report::line;
use crate::variants::OURS;

/// Where the figures are kept.
pub(crate) const KEPT: &str = "bench/scale.json";
/// The most looks at open work after the last event.
const MOST_LOOKS: usize = 40;

/// How much is sent, and how AWS behaves.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) apps: usize,
    pub(crate) pushes: usize,
    pub(crate) processes: usize,
    /// Pushes that arrive in a second.
    pub(crate) pushes_per_second: u32,
    /// How long a call takes, in milliseconds.
    pub(crate) call_ms: u64,
    /// How long an update of a stack takes, in milliseconds.
    pub(crate) update_ms: u64,
    /// How long Lambda waits before it tries a failed event again: the first and the second time.
    pub(crate) retry_seconds: [u64; 2],
    /// The longest that all of it may take, in seconds.
    pub(crate) most_seconds: u64,
}

const WHOLE: Plan = Plan {
    apps: 200,
    pushes: 10_000,
    processes: 50,
    pushes_per_second: 100,
    call_ms: 20,
    update_ms: 2_000,
    retry_seconds: [60, 120],
    most_seconds: 3_600,
};

/// Small enough for each change to the code.
const QUICK: Plan = Plan {
    apps: 20,
    pushes: 500,
    processes: 12,
    pushes_per_second: 100,
    call_ms: 5,
    update_ms: 500,
    retry_seconds: [1, 2],
    most_seconds: 120,
};

/// Calls a second that AWS takes, and which operations share a limit. ECR and Parameter Store
/// publish theirs; CloudFormation does not, and users report 5 to 10.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html>
/// <https://docs.aws.amazon.com/general/latest/gr/ssm.html>
const LIMITS: [(&[&str], u32); 7] = [
    (&["ecr:PutImage"], 10),
    (&["ecr:BatchGetImage"], 2000),
    (&["ssm:GetParameter", "ssm:GetParametersByPath"], 40),
    (&["cloudformation:DescribeStacks"], 10),
    (&["cloudformation:DescribeStackEvents"], 10),
    (&["cloudformation:ListStackResources"], 10),
    (&["cloudformation:UpdateStack"], 5),
];

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) date: String,
    pub(crate) commit: String,
    pub(crate) machine: Machine,
    pub(crate) plan: Plan,
    /// From the first push until every app had ended.
    pub(crate) seconds: u64,
    /// From the last push on.
    pub(crate) seconds_after_the_last_push: u64,
    pub(crate) invocations: u64,
    pub(crate) function_errors: u64,
    /// Events whose three tries all failed.
    pub(crate) on_failure_queue: u64,
    pub(crate) looks: usize,
    pub(crate) updates: usize,
    pub(crate) calls: usize,
    /// Throttled calls by operation.
    pub(crate) throttled: Vec<(String, usize)>,
    /// Apps that needed the hourly look, since all events about their newest image had failed.
    pub(crate) found_by_the_hourly_look: usize,
}

impl Report {
    /// What the documents say about it.
    pub(crate) fn words(&self) -> String {
        let Report { plan, machine, .. } = self;
        let mut text = String::new();
        line!(text, "| | |\n|---|--:|");
        line!(
            text,
            "| pushes, apps, processes | {}, {}, {} |",
            plan.pushes,
            plan.apps,
            plan.processes
        );
        line!(text, "| until every app had ended right | {} s |", self.seconds);
        line!(text, "| from the last push on | {} s |", self.seconds_after_the_last_push);
        line!(text, "| updates of stacks | {} |", self.updates);
        line!(
            text,
            "| invocations, of them function errors | {}, {} |",
            self.invocations,
            self.function_errors
        );
        line!(text, "| events that failed three times | {} |", self.on_failure_queue);
        line!(
            text,
            "| apps that the hourly look had to find | {} |",
            self.found_by_the_hourly_look
        );
        line!(text, "| looks at open work at the end | {} |", self.looks);
        line!(text, "| calls of AWS | {} |", self.calls);
        for (op, count) in &self.throttled {
            line!(text, "| throttled: `{op}` | {count} |");
        }
        line!(
            text,
            "\nMeasured at {} on {} cores of {} by commit {}; {} ms a call, {} ms an update, {} \
             pushes a second.",
            self.date,
            machine.cores,
            machine.processor,
            self.commit,
            plan.call_ms,
            plan.update_ms,
            plan.pushes_per_second,
        );
        text
    }
}

/// Runs it, says what came of it, and fails where an app did not end right.
pub(crate) async fn run(
    place: &Place,
    authority: &Authority,
    is_quick: bool,
    is_written: bool,
) -> Result<(), Box<dyn Error>> {
    let plan = if is_quick { QUICK } else { WHOLE };
    let ran = tokio::time::timeout(
        Duration::from_secs(plan.most_seconds),
        measure(place, authority, plan),
    );
    let late = |_| format!("it was not over after {} seconds", plan.most_seconds);
    let report = ran.await.map_err(late)??;
    let json = serde_json::to_string_pretty(&report)? + "\n";
    eprint!("{json}");
    if is_written {
        fs::write(place.root.join(KEPT), json)?;
        crate::write::documents(&place.root)?;
    }
    Ok(())
}

async fn measure(
    place: &Place,
    authority: &Authority,
    plan: Plan,
) -> Result<Report, Box<dyn Error>> {
    let (mut aws, updates) = Aws::new();
    for (ops, per_second) in LIMITS {
        aws.limit(ops, per_second);
    }
    let apps: Vec<String> = (0..plan.apps).map(|n| format!("app-{n:03}")).collect();
    apps.iter().for_each(|app| aws.add_app(app));
    let endpoint = Endpoint::start(aws, &authority.acceptor, false).await?;
    endpoint.set_delay(Duration::from_millis(plan.call_ms));
    let queue = Arc::new(Queue::new(plan.retry_seconds));
    let ending = end_updates(updates, Arc::clone(&endpoint), Arc::clone(&queue), plan);
    let ending = tokio::spawn(ending).abort_handle();
    let (variants, _) = place.tools.variants();
    let ours = variants.iter().find(|it| it.name == OURS).ok_or("no function")?;
    let crowd = Crowd::start(plan.processes, ours, &endpoint, authority, &queue).await?;
    let ran = drive(&apps, &endpoint, &queue, plan).await?;
    drop(crowd);
    ending.abort();
    check(&apps, &endpoint)?;
    Ok(report(place, plan, &ran, &queue.counts(), (&apps, &endpoint)))
}

/// What is known at the end without asking anybody.
struct Ran {
    all: Duration,
    after_the_last_push: Duration,
    looks: usize,
    behind: usize,
}

/// Pushes, and waits until every app is at rest.
async fn drive(
    apps: &[String],
    endpoint: &Endpoint,
    queue: &Queue,
    plan: Plan,
) -> Result<Ran, Box<dyn Error>> {
    let start = Instant::now();
    push(apps, endpoint, queue, plan).await?;
    let last_push = Instant::now();
    queue.until_empty().await;
    let mut looks = until_at_rest(queue, apps, endpoint).await;
    let behind = apps.iter().filter(|app| !is_newest(endpoint, app)).count();
    if behind > 0 {
        queue.add(json!({ "action": "reconcile" }));
        queue.until_empty().await;
        looks += 1 + until_at_rest(queue, apps, endpoint).await;
    }
    Ok(Ran { all: start.elapsed(), after_the_last_push: last_push.elapsed(), looks, behind })
}

fn report(
    place: &Place,
    plan: Plan,
    ran: &Ran,
    counts: &Counts,
    (apps, endpoint): (&[String], &Endpoint),
) -> Report {
    let log = endpoint.take_log();
    let mut throttled: BTreeMap<String, usize> = BTreeMap::new();
    for call in log.calls.iter().filter(|call| call.is_throttled) {
        *throttled.entry(call.op.clone()).or_default() += 1;
    }
    Report {
        date: crate::now(),
        commit: place.commit.clone(),
        machine: Machine::here(),
        plan,
        seconds: ran.all.as_secs(),
        seconds_after_the_last_push: ran.after_the_last_push.as_secs(),
        invocations: counts.invocations,
        function_errors: counts.errors,
        on_failure_queue: counts.given_up,
        looks: ran.looks,
        updates: apps.iter().map(|app| endpoint.aws.look(app).updates).sum(),
        calls: log.calls.len(),
        throttled: throttled.into_iter().collect(),
        found_by_the_hourly_look: ran.behind,
    }
}

/// Pushes images of random apps, each with its event.
async fn push(
    apps: &[String],
    endpoint: &Endpoint,
    queue: &Queue,
    plan: Plan,
) -> Result<(), Box<dyn Error>> {
    let mut random = fastrand::Rng::with_seed(24);
    let mut tick = tokio::time::interval(Duration::from_secs(1) / plan.pushes_per_second);
    for number in 0..plan.pushes {
        tick.tick().await;
        // Each app at least once, then any.
        let app = if number < apps.len() { number } else { random.usize(..apps.len()) };
        let app = &apps[app];
        let digest = endpoint.aws.push(app, &format!("{:040x}", 0xc0de_0000 + number));
        let id = format!("13cde686-328b-6117-af20-{number:012}");
        queue.add(crate::compare::pushed(app, &digest, &id)?);
    }
    Ok(())
}

/// Ends each update when its time has come, and sends the stack's event.
async fn end_updates(
    mut updates: tokio::sync::mpsc::UnboundedReceiver<crate::aws::Accepted>,
    endpoint: Arc<Endpoint>,
    queue: Arc<Queue>,
    plan: Plan,
) {
    while let Some(accepted) = updates.recv().await {
        let (endpoint, queue) = (Arc::clone(&endpoint), Arc::clone(&queue));
        let coming = queue.expect_one();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(plan.update_ms)).await;
            endpoint.aws.finish_update(&accepted.stack);
            queue.add(stack_event(&accepted));
            drop(coming);
        });
    }
}

fn stack_event(accepted: &crate::aws::Accepted) -> serde_json::Value {
    let id = crate::aws::stack_id(&accepted.stack);
    json!({
        "version": "0",
        "id": "0b7e9d34-f861-2ca5-b07d-45e3c91f6a82",
        "detail-type": "CloudFormation Stack Status Change",
        "source": "aws.cloudformation",
        "account": crate::aws::ACCOUNT,
        "time": "2026-03-17T09:45:12Z",
        "region": crate::aws::REGION,
        "resources": [id],
        "detail": {
            "stack-id": id,
            "status-details": { "status": "UPDATE_COMPLETE", "status-reason": "" },
            "client-request-token": accepted.token,
        },
    })
}

/// Looks at open work as the five-minute schedule does, until there is none. Returns the looks.
async fn until_at_rest(queue: &Queue, apps: &[String], endpoint: &Endpoint) -> usize {
    for look in 1..=MOST_LOOKS {
        let before: usize = apps.iter().map(|app| endpoint.aws.look(app).updates).sum();
        queue.add(json!({ "action": "reconcile", "only_open_work": true }));
        queue.until_empty().await;
        let after: usize = apps.iter().map(|app| endpoint.aws.look(app).updates).sum();
        let is_busy = apps.iter().any(|app| endpoint.aws.look(app).is_busy);
        if !is_busy && after == before && queue.last_look_was_idle() {
            return look;
        }
    }
    MOST_LOOKS
}

fn is_newest(endpoint: &Endpoint, app: &str) -> bool {
    let look = endpoint.aws.look(app);
    look.runs.is_some() && look.runs == look.latest && !look.is_busy
}

/// Names each app that does not run its newest image, and each tag that was to be moved.
fn check(apps: &[String], endpoint: &Endpoint) -> Result<(), Box<dyn Error>> {
    let mut wrong = Vec::new();
    for app in apps {
        let look = endpoint.aws.look(app);
        if !is_newest(endpoint, app) || !look.tag.starts_with("production_") {
            wrong.push(format!("{app} does not run its newest image: {look:?}"));
        }
        wrong.extend(look.moved.iter().map(|tag| format!("{app}: {tag} was to be moved")));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}
