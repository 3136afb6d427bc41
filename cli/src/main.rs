//! The executable `promote`: reads the command line and runs it.

use std::process::ExitCode;

use promote_cli::args;
use promote_cli::{out, run};

fn main() -> ExitCode {
    let cli = args::parse(std::env::args_os()).unwrap_or_else(|error| {
        if let Some(hint) = args::hint(&error) {
            // Nothing can be done where stderr is closed.
            let _ = error.print();
            out::say(&format!("\n{hint}"));
            std::process::exit(error.exit_code());
        }
        error.exit()
    });
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            anstream::eprintln!("promote: the operating system gives no event loop: {error}");
            return ExitCode::FAILURE;
        }
    };
    let exit = runtime.block_on(run::run(cli));
    // A question that nobody answered still reads from the terminal.
    runtime.shutdown_background();
    exit.into()
}
