//! The processes: each takes one event after another, and is replaced where it dies.

use std::error::Error;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::queue::Queue;
use crate::endpoint::Endpoint;
use crate::endpoint::tls::Authority;
use crate::lambda::Sandbox;
use crate::variants::Variant;

/// How often the state of things is said.
const SAID_EVERY: Duration = Duration::from_secs(30);

/// The processes, which end when it is dropped.
pub(super) struct Crowd(#[expect(dead_code, reason = "ends its tasks when dropped")] JoinSet<()>);

impl Crowd {
    pub(super) async fn start(
        processes: usize,
        variant: &Variant,
        endpoint: &Arc<Endpoint>,
        authority: &Authority,
        queue: &Arc<Queue>,
    ) -> Result<Crowd, Box<dyn Error>> {
        let mut crowd = JoinSet::new();
        for _ in 0..processes {
            let start = || {
                let mut command = variant.command(endpoint, authority);
                command.stderr(Stdio::null());
                command
            };
            let sandbox = Sandbox::start(&mut start(), None).await?;
            crowd.spawn(work(sandbox, start(), Arc::clone(queue)));
        }
        let queue = Arc::clone(queue);
        crowd.spawn(async move {
            loop {
                tokio::time::sleep(SAID_EVERY).await;
                eprintln!("{} events open, {:?}", queue.open(), queue.counts());
            }
        });
        Ok(Crowd(crowd))
    }
}

async fn work(mut sandbox: Sandbox, mut again: tokio::process::Command, queue: Arc<Queue>) {
    loop {
        let job = queue.next().await;
        let outcome = sandbox.invoke(&job.event, &job.request_id).await;
        let is_gone = outcome.is_err();
        let answer = outcome.map_err(|error| error.to_string()).and_then(|it| it.answer);
        queue.ended(job, answer);
        if is_gone {
            match Sandbox::start(&mut again, None).await {
                Ok(new) => sandbox = new,
                Err(error) => {
                    eprintln!("a process could not be replaced: {error}");
                    return;
                }
            }
        }
    }
}
