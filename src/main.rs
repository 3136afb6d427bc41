//! The Lambda executable: settings, logs, clients, and the runtime's loop.

// One invocation is one future made of many, deeper than the compiler looks by default.
#![recursion_limit = "256"]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use ecr_promoter::aws::Aws;
use ecr_promoter::config::Settings;
use ecr_promoter::event::Invocation;
use ecr_promoter::{handle, logging};
use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use tracing::{Instrument, error, info_span};

fn main() -> ExitCode {
    match drop_empty_variables().map_err(lambda_runtime::Error::from).and_then(|()| run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ecr-promoter: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Makes every empty environment variable an unset one. `sam local` passes a variable that the template leaves out as an empty
/// one, and the SDK, which reads dozens, takes an empty `AWS_ENDPOINT_URL` for an address. A running process cannot change its
/// environment safely, so where there is an empty variable the executable starts anew without it.
fn drop_empty_variables() -> io::Result<()> {
    let (empty, set): (Vec<_>, Vec<_>) = std::env::vars_os().partition(|(_, value)| value.is_empty());
    if empty.is_empty() {
        return Ok(());
    }
    let arguments = std::env::args_os().skip(1);
    Err(Command::new(std::env::current_exe()?).args(arguments).env_clear().envs(set).exec())
}

// One thread: a look is a handful of calls side by side, and Lambda gives one invocation at a time a fraction of a core.
#[tokio::main(flavor = "current_thread")]
async fn run() -> Result<(), lambda_runtime::Error> {
    let var = |name: &str| std::env::var(name).ok();
    logging::start(var);
    let aws = Aws::from_env(Settings::from_vars(var)?).await;
    let aws = &aws;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let LambdaEvent { payload, context } = event;
        let span = info_span!("invocation", request_id = %context.request_id);
        let invocation = Invocation::new(context.request_id, &context.invoked_function_arn, Timestamp::now());
        let result = handle::handle(aws, &payload, &invocation).instrument(span.clone()).await;
        result.map_err(|failure| {
            span.in_scope(|| error!("{failure}"));
            Diagnostic::from(failure)
        })
    }))
    .await
}
