//! The Lambda executable: settings, logs, clients, and the runtime's loop.

// The futures of one invocation are nested deeper than the compiler follows by default.
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

/// How much of the invocation's time is kept back for its answer; a twelfth of a short one.
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

/// Makes every empty environment variable an unset one. `sam local` passes a variable that the
/// template leaves out as an empty one, and the SDK, which reads dozens, takes an empty
/// `AWS_ENDPOINT_URL` for an address. A running process cannot change its environment safely, so
/// where there is an empty variable the executable starts anew without it.
fn drop_empty_variables() -> io::Result<()> {
    let (empty, set): (Vec<_>, Vec<_>) =
        std::env::vars_os().partition(|(_, value)| value.is_empty());
    if empty.is_empty() {
        return Ok(());
    }
    let arguments = std::env::args_os().skip(1);
    Err(Command::new(std::env::current_exe()?).args(arguments).env_clear().envs(set).exec())
}

// One thread: a look is a handful of calls side by side, and Lambda gives one invocation at a time
// a fraction of a core.
#[tokio::main(flavor = "current_thread")]
async fn run() -> Result<(), lambda_runtime::Error> {
    let var = |name: &str| std::env::var(name).ok();
    logging::start(var);
    let clients = Clients::from_env(Settings::from_vars(var)?).await;
    let clients = &clients;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let LambdaEvent { payload, context } = event;
        let span = info_span!("invocation", request_id = %context.request_id);
        // A tool that runs the function locally may name a time long past.
        let time = context.deadline().duration_since(SystemTime::now()).ok();
        clients.begin(time);
        let now = Timestamp::now();
        let mut invocation =
            Invocation::new(context.request_id, &context.invoked_function_arn, now);
        invocation.deadline = time.and_then(|time| now.checked_add(time).ok());
        let handled = handle::handle(clients, &payload, &invocation).instrument(span.clone());
        let result = match time {
            // A function that Lambda stops gives no error of its own, and loses its sandbox.
            Some(time) => tokio::time::timeout(time - MARGIN.min(time / 12), handled)
                .await
                .unwrap_or_else(|_| Err(out_of_time())),
            None => handled.await,
        };
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
        next: "the next attempt or the next look goes on",
    }
}
