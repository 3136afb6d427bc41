//! Runs one command line: finds the function, asks it, shows what it answers.

use std::cell::RefCell;

use clap::CommandFactory;

use crate::args::{Cli, Report, Verb};
use crate::change::Change;
use crate::cloud::aws::Aws;
use crate::cloud::function::Function;
use crate::exit::Exit;
use crate::exit::failure::Failure;
use crate::records::write_raw;
use crate::session::{Phase, Run};
use crate::{follow, out, report};

/// Runs the command line. Ctrl-C ends the looking, and nothing else.
pub async fn run(cli: Cli) -> Exit {
    let phase = RefCell::new(Phase::Reading);
    let ended = tokio::select! {
        ended = carry_out(cli, &phase) => ended,
        pressed = tokio::signal::ctrl_c() => match pressed {
            Ok(()) => return interrupted(&phase.borrow()),
            Err(error) => Err(Failure::failed(format!("Ctrl-C cannot be watched: {error}"))),
        },
    };
    ended.unwrap_or_else(|failure| {
        out::fail(&failure.words);
        failure.exit
    })
}

fn interrupted(phase: &Phase) -> Exit {
    match phase {
        Phase::Reading => out::say("\nNothing was changed."),
        Phase::Sent(app) => {
            let look = format!("promote status {app}");
            out::say(&format!("\nThe command was sent. Look: {}", look.trim_end()));
        }
        Phase::Following(app) => {
            out::say(&format!("\nThe promotion goes on. Follow it: {}", follow::again(app)));
        }
    }
    Exit::Interrupted
}

async fn carry_out(cli: Cli, phase: &RefCell<Phase>) -> Result<Exit, Failure> {
    let todo = match cli.verb {
        Verb::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "promote", &mut script);
            return write_raw(&script).map(|_| Exit::Done);
        }
        Verb::Report(report) => Todo::Report(report::checked(report)?),
        Verb::Change(change) => Todo::Change(Change::new_checked(change)?),
    };
    let aws = Aws::new(&cli.connection).await?;
    let function = Function::find(&aws, &cli.connection).await?;
    let run = Run { function, aws: &aws, is_json: cli.json, phase };
    match todo {
        Todo::Report(report) => run.report(report).await,
        Todo::Change(change) => run.change(change).await,
    }
}

/// What needs the function.
enum Todo {
    Report(Report),
    Change(Change),
}
