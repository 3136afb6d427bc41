//! The interleaved run: in each round every variant promotes the same pushes, in another order.

use std::error::Error;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::aws::Aws;
use crate::endpoint::tls::Authority;
use crate::endpoint::{Endpoint, Log};
use crate::lambda::Sandbox;
use crate::machine::{memory_of_group, peak_memory, processor_time, time_of_ended_children};
use crate::processor::Share;
use crate::results::{Processor, Samples};
use crate::variants::{Kind, Variant};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The app of all pushes.
pub(crate) const APP: &str = "web";
/// How long a call takes, in milliseconds.
pub(crate) const DELAYS: [u64; 3] = [0, 20, 50];
/// The delay at which what does not depend on it is counted: calls, bytes, memory.
const COUNTED_AT: u64 = 20;
/// Warm promotions of a process.
const WARM: usize = 5;
const UPDATE: &str = "cloudformation:UpdateStack";
const PUSH: &str = include_str!("../../events/ecr-push.json");

/// A variant with an AWS of its own.
pub(crate) struct Contestant<'a> {
    pub(crate) variant: &'a Variant,
    pub(crate) endpoint: Arc<Endpoint>,
    authority: &'a Authority,
    pushes: u32,
}

/// One promotion, as it was measured.
struct Promotion {
    took: Duration,
    /// Until CloudFormation had accepted the update.
    to_update: Duration,
    /// The same, without the time that the calls of the longest chain took.
    own: Duration,
    log: Log,
}

impl Promotion {
    fn new(started: Instant, took: Duration, log: Log) -> Self {
        let to_update = log.answered_after(started, UPDATE).unwrap_or_default();
        let held = log.chain(UPDATE).map(|chain| chain.held).unwrap_or_default();
        Self { took, to_update, own: to_update.saturating_sub(held), log }
    }
}

/// ECR's event for a push of this image.
pub(crate) fn pushed(app: &str, digest: &str, id: &str) -> Outcome<Value> {
    let mut event: Value = serde_json::from_str(PUSH)?;
    event["id"] = json!(id);
    event["detail"]["repository-name"] = json!(app);
    event["detail"]["image-digest"] = json!(digest);
    event["detail"]["manifest-media-type"] = json!(crate::aws::MEDIA_TYPE);
    Ok(event)
}

impl<'a> Contestant<'a> {
    pub(crate) async fn new(variant: &'a Variant, authority: &'a Authority) -> Outcome<Self> {
        let (aws, _) = Aws::new();
        aws.add_app(APP);
        let endpoint = Endpoint::start(aws, &authority.acceptor, true).await?;
        Ok(Contestant { variant, endpoint, authority, pushes: 0 })
    }

    /// Promotes twice, unmeasured: files are in memory and the app is known from then on.
    pub(crate) async fn warm_up(&mut self) -> Outcome<()> {
        self.endpoint.set_delay(Duration::ZERO);
        match self.variant.kind {
            Kind::Function => {
                let mut sandbox = self.start(None).await?;
                self.promote(&mut sandbox).await?;
                self.promote(&mut sandbox).await?;
            }
            Kind::Script => {
                self.run_script(None).await?;
            }
        }
        Ok(())
    }

    async fn start(&self, share: Option<&Share>) -> Outcome<Sandbox> {
        let mut command = self.variant.command(&self.endpoint, self.authority);
        command.stderr(Stdio::null());
        let sandbox = Sandbox::start(&mut command, share).await;
        sandbox.map_err(|error| format!("{}: {error}", self.variant.name).into())
    }

    /// Measures a process at each delay, or a run of the script.
    pub(crate) async fn measure(
        &mut self,
        share: Option<&Share>,
        samples: &mut Samples,
    ) -> Outcome<()> {
        for delay in DELAYS {
            self.endpoint.set_delay(Duration::from_millis(delay));
            match self.variant.kind {
                Kind::Function => self.measure_function(share, delay, samples).await?,
                // With the share of 128 MB a script takes a minute.
                Kind::Script if share.is_some() && delay != COUNTED_AT => {}
                Kind::Script => self.measure_script(share, delay, samples).await?,
            }
        }
        Ok(())
    }

    async fn measure_function(
        &mut self,
        share: Option<&Share>,
        delay: u64,
        samples: &mut Samples,
    ) -> Outcome<()> {
        let name = self.variant.name;
        let processor = processor(share);
        let mut add = |figure: &str, value: f64| samples.add(name, processor, figure, value);
        let mut sandbox = self.start(share).await?;
        add("ready ms", ms(sandbox.ready));
        let first = self.promote(&mut sandbox).await?;
        add(&format!("first ms at {delay}"), ms(first.took));
        add(&format!("cold ms at {delay}"), ms(sandbox.ready + first.took));
        add(&format!("cold to update ms at {delay}"), ms(sandbox.ready + first.to_update));
        let after_first = processor_time(sandbox.pid);
        let mut last = first.log;
        if delay == COUNTED_AT {
            add("processor ms cold", ms(after_first));
            count(&last, "first", &mut add);
        }
        for _ in 0..WARM {
            let warm = self.promote(&mut sandbox).await?;
            add(&format!("warm ms at {delay}"), ms(warm.took));
            add(&format!("warm to update ms at {delay}"), ms(warm.to_update));
            add(&format!("warm own ms at {delay}"), ms(warm.own));
            last = warm.log;
        }
        if delay == COUNTED_AT {
            count(&last, "warm", &mut add);
            let warm = processor_time(sandbox.pid).saturating_sub(after_first);
            add("processor ms warm", ms(warm) / WARM as f64);
            add("peak MB", peak_memory(sandbox.pid).unwrap_or_default() as f64 / 1e6);
        }
        Ok(())
    }

    /// One push, from the event to the answer.
    async fn promote(&mut self, sandbox: &mut Sandbox) -> Outcome<Promotion> {
        let digest = self.push();
        let id = format!("8f507cfc-0000-4000-8000-{:012}", self.pushes);
        let event = pushed(APP, &digest, &id)?;
        let outcome = sandbox.invoke(&event, &id).await;
        let outcome = outcome.map_err(|error| format!("{}: {error}", self.variant.name))?;
        let log = self.endpoint.take_log();
        self.check(&digest, &outcome.answer, &log)?;
        Ok(Promotion::new(outcome.started, outcome.took, log))
    }

    /// A push of a new image. The update of the one before has ended.
    fn push(&mut self) -> String {
        self.pushes += 1;
        self.endpoint.aws.finish_update(APP);
        let digest = self
            .endpoint
            .aws
            .push(APP, &format!("{:040x}", 0xc0ff_ee00_u64 + u64::from(self.pushes)));
        self.endpoint.take_log();
        digest
    }

    /// What was not promoted was not measured.
    fn check(&self, digest: &str, answer: &Result<Value, String>, log: &Log) -> Outcome<()> {
        let look = self.endpoint.aws.look(APP);
        if look.runs.as_deref() == Some(digest) && look.is_busy && answer.is_ok() {
            return Ok(());
        }
        let calls: Vec<String> = log
            .calls
            .iter()
            .map(|call| format!("{} {}", call.op, call.problem.as_deref().unwrap_or("ok")))
            .collect();
        let name = self.variant.name;
        Err(format!("{name} did not promote {digest}: {answer:?}, {look:?}, {calls:#?}").into())
    }

    async fn measure_script(
        &mut self,
        share: Option<&Share>,
        delay: u64,
        samples: &mut Samples,
    ) -> Outcome<()> {
        let (promotion, memory, processor_time) = self.run_script(share).await?;
        let (name, processor) = (self.variant.name, processor(share));
        let mut add = |figure: &str, value: f64| samples.add(name, processor, figure, value);
        // A script is always cold.
        for time in ["first", "cold", "warm"] {
            add(&format!("{time} ms at {delay}"), ms(promotion.took));
        }
        for time in ["cold", "warm"] {
            add(&format!("{time} to update ms at {delay}"), ms(promotion.to_update));
        }
        if delay == COUNTED_AT {
            for time in ["first", "warm"] {
                count(&promotion.log, time, &mut add);
            }
            add("processor ms cold", ms(processor_time));
            add("processor ms warm", ms(processor_time));
            add("peak MB", memory as f64 / 1e6);
        }
        Ok(())
    }

    async fn run_script(&mut self, share: Option<&Share>) -> Outcome<(Promotion, u64, Duration)> {
        let digest = self.push();
        let group = share.map(Share::group).transpose()?.flatten();
        let mut command = self.variant.command(&self.endpoint, self.authority);
        command.arg(APP).arg(&digest);
        if let Some(group) = &group {
            // The first command of the script's own shell limits it.
            command.env("BENCH_DOOR", group.door());
        }
        command.process_group(0).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let before = time_of_ended_children();
        let start = Instant::now();
        let (status, words, memory) = watch(&mut command).await?;
        let took = start.elapsed();
        let log = self.endpoint.take_log();
        let answer = if status { Ok(Value::Null) } else { Err(words) };
        self.check(&digest, &answer, &log)?;
        let processor_time = time_of_ended_children().saturating_sub(before);
        Ok((Promotion::new(start, took, log), memory, processor_time))
    }
}

/// Runs a command to its end: whether it succeeded, what it complained about, and the most memory
/// that a process of it had.
async fn watch(command: &mut Command) -> Outcome<(bool, String, u64)> {
    let child = command.spawn()?;
    let group = child.id().unwrap_or_default();
    let mut ended = std::pin::pin!(child.wait_with_output());
    let mut memory = 0;
    loop {
        tokio::select! {
            output = &mut ended => {
                let output = output?;
                let words = String::from_utf8_lossy(&output.stderr).into_owned();
                return Ok((output.status.success(), words, memory));
            }
            () = tokio::time::sleep(Duration::from_millis(25)) => {
                memory = memory.max(memory_of_group(group));
            }
        }
    }
}

fn count(log: &Log, time: &str, add: &mut impl FnMut(&str, f64)) {
    let trips = log.chain(UPDATE).map(|chain| chain.calls).unwrap_or_default();
    add(&format!("round trips {time}"), trips as f64);
    add(&format!("calls {time}"), log.calls.len() as f64);
    add(&format!("connections {time}"), log.connections as f64);
    add(&format!("kB {time}"), log.bytes as f64 / 1e3);
    add(&format!("registry kB {time}"), log.registry_bytes as f64 / 1e3);
}

fn processor(share: Option<&Share>) -> Processor {
    if share.is_some() { Processor::Share } else { Processor::Whole }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
