//! The Lambda executable: settings, logs, clients, and the runtime's loop.

// The futures of one invocation are nested deeper than the compiler's default limit.
#![recursion_limit = "256"]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::{Duration, SystemTime};

use ecr_promoter::error::Error;
use ecr_promoter::event::Invocation;
use ecr_promoter::services::clients::Clients;
use ecr_promoter::settings::Settings;
use ecr_promoter::{handle, logging};
use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use tracing::{Instrument, error, info_span};

/// The time that is kept back at the end of an invocation for its answer. A short invocation keeps
/// back a twelfth of its time instead.
const MARGIN: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    match drop_empty_variables().map_err(lambda_runtime::Error::from).and_then(|()| run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ecr-promoter: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Removes empty environment variables. `sam local` sets a variable that the template leaves out to
/// the empty text, and the SDK reads an empty `AWS_ENDPOINT_URL` as an address. A running process
/// cannot change its environment safely, so the executable restarts itself without the empty ones.
fn drop_empty_variables() -> io::Result<()> {
    let (empty, set): (Vec<_>, Vec<_>) =
        std::env::vars_os().partition(|(_, value)| value.is_empty());
    if empty.is_empty() {
        return Ok(());
    }
    let arguments = std::env::args_os().skip(1);
    Err(Command::new(std::env::current_exe()?).args(arguments).env_clear().envs(set).exec())
}

// One thread is enough: an invocation waits for a handful of calls at the same time, and Lambda
// gives it a fraction of a core.
#[tokio::main(flavor = "current_thread")]
async fn run() -> Result<(), lambda_runtime::Error> {
    let var = |name: &str| std::env::var(name).ok();
    logging::start(var);
    let clients = Clients::from_env(Settings::from_vars(var)?).await;
    let clients = &clients;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let LambdaEvent { payload, context } = event;
        let span = info_span!("invocation", request_id = %context.request_id);
        // A tool that runs the function locally may set a deadline in the past.
        let time = context.deadline().duration_since(SystemTime::now()).ok();
        let now = Timestamp::now();
        let mut invocation =
            Invocation::new(context.request_id, &context.invoked_function_arn, now);
        clients.begin(&invocation.home, time);
        invocation.deadline = time.and_then(|time| now.checked_add(time).ok());
        let handled = handle::handle(clients, &payload, &invocation).instrument(span.clone());
        let result = match time {
            // If Lambda itself stops the function, the function cannot report an error, and its
            // sandbox is lost.
            Some(time) => tokio::time::timeout(time - MARGIN.min(time / 12), handled)
                .await
                .unwrap_or_else(|_| Err(out_of_time())),
            None => handled.await,
        };
        clients.measure_retries();
        result.map_err(|failure| {
            span.in_scope(|| error!("{failure}"));
            Diagnostic::from(failure)
        })
    }))
    .await
}

fn out_of_time() -> Error {
    Error::OutOfTime {
        what: "the invocation".to_owned(),
        next: "the next attempt or the next look continues",
    }
}
