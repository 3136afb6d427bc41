//! Runs one command line: finds the function, asks it, shows what it answers.

use std::cell::RefCell;

use clap::CommandFactory;
use jiff::Timestamp;

use crate::answer::{Board, Places, Plan, Said, Several, Status};
use crate::args::{Cli, Report, Verb, Watch};
use crate::aws::Aws;
use crate::command::Command;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::follow::target::Target;
use crate::follow::{self, Followed};
use crate::function::Function;
use crate::records::{self, answered, write_raw};
use crate::{mismatch, out, show};

mod change;

use change::Change;

/// How far a command has come, for whoever presses Ctrl-C.
#[derive(Debug, Default)]
enum Phase {
    /// Nothing was changed.
    #[default]
    Reading,
    /// The command to this app is on its way, or has acted.
    Sent(String),
    /// A promotion of this app is followed.
    Following(String),
}

/// One run: what was typed, and how far it is.
struct Run<'a> {
    function: Function<'a>,
    aws: &'a Aws,
    is_json: bool,
    phase: &'a RefCell<Phase>,
}

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
            out::say(&format!("\nThe command was sent. Look: promote status {app}"));
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
        Verb::Report(report) => Todo::Report(report),
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

impl Run<'_> {
    async fn report(&self, report: Report) -> Result<Exit, Failure> {
        match report {
            Report::Status { app, watch } => match (app, watch.watch) {
                (Some(app), true) => self.follow(&app, Target::whatever(), &watch).await,
                (Some(app), false) => self.status(&app).await,
                (None, false) => self.statuses().await,
                (None, true) => {
                    Err(Failure::misuse("--watch follows one app: promote status web --watch"))
                }
            },
            Report::Plan { app, image, rollback } => {
                let plan = plan_of(&app.app, image.image.as_ref(), rollback);
                let word = if rollback { "rollback" } else { "promote" };
                let show = |it: &Plan| show::plan(&app.app, word, it);
                self.show(&plan, show).await
            }
            Report::History { app, all, limit } => {
                let command = Command::new("history").with("app", Some(&app.app));
                let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
                let most = if all { Some(usize::MAX) } else { limit };
                records::history(&self.function, &command, most, self.is_json).await
            }
            Report::Where { image } => {
                let command = Command::new("where").naming(Some(&image));
                self.show(&command, |it: &Places| show::places(it, Timestamp::now())).await
            }
            Report::Check { app } => {
                let command = Command::new("check").with("app", app.as_deref());
                records::check(&self.function, &command, self.is_json).await
            }
            Report::Audit { app, since, until } => {
                let now = Timestamp::now();
                let from = since.before(now).to_string();
                let to = until.map_or(now, |until| until.before(now)).to_string();
                let command = Command::new("audit").with("app", app.as_deref());
                let command = command.with("from", Some(&from)).with("to", Some(&to));
                records::audit(&self.function, &command).await
            }
            Report::Board => self.board().await,
        }
    }

    /// Asks for a report, and shows it.
    async fn show<T: serde::de::DeserializeOwned>(
        &self,
        command: &Command,
        show: impl Fn(&T) -> String,
    ) -> Result<Exit, Failure> {
        let bytes = self.function.invoke(command).await?;
        match self.read::<Said<T>>(command, &bytes)? {
            Said::Report(report) if !self.is_json => self.write(&show(&report)),
            Said::Report(_) => write_raw(&bytes).map(|_| Exit::Done),
            Said::Answer(answer) => {
                if self.is_json {
                    write_raw(&bytes)?;
                }
                Err(answered(command.action, &answer))
            }
        }
    }

    fn read<T: serde::de::DeserializeOwned>(
        &self,
        command: &Command,
        bytes: &[u8],
    ) -> Result<T, Failure> {
        serde_json::from_slice(bytes).map_err(|error| {
            if self.is_json {
                // Whoever reads JSON gets what there is.
                let _ = write_raw(bytes);
            }
            mismatch::unreadable(command.action, &error.to_string())
        })
    }

    fn write(&self, text: &str) -> Result<Exit, Failure> {
        let written = out::result(text);
        written
            .map(|_| Exit::Done)
            .map_err(|error| Failure::failed(format!("stdout cannot be written: {error}")))
    }

    async fn status(&self, app: &str) -> Result<Exit, Failure> {
        let command = Command::new("status").with("app", Some(app));
        self.show(&command, |it: &Status| show::status::one(it, Timestamp::now())).await
    }

    async fn statuses(&self) -> Result<Exit, Failure> {
        let show = |it: &Several<Said<Status>>| {
            let table = show::status::all(&it.results, Timestamp::now());
            match it.left {
                Some(left) => format!("{table}and {left} more apps, for which there was no time\n"),
                None => table,
            }
        };
        self.show(&Command::new("status"), show).await
    }

    async fn board(&self) -> Result<Exit, Failure> {
        let by = self.caller().await;
        let command = Command::new("board").with("by", by.as_deref());
        let exit = self
            .show(&command, |board: &Board| {
                // The link alone on stdout, so that a browser can be given it.
                out::say(&show::board_holds(board, Timestamp::now()));
                format!("{}\n", board.url)
            })
            .await?;
        Ok(exit)
    }

    /// The ARN of the caller. Without the right to ask for it, the function gets no name.
    async fn caller(&self) -> Option<String> {
        match self.aws.caller().await {
            Ok(arn) => Some(arn),
            Err(failure) => {
                out::say(&format!("Goes on without your name: {failure}"));
                None
            }
        }
    }

    /// Follows a promotion, and says how it ended.
    async fn follow(&self, app: &str, target: Target, watch: &Watch) -> Result<Exit, Failure> {
        *self.phase.borrow_mut() = Phase::Following(app.to_owned());
        let followed = follow::follow(&self.function, app, target, watch.timeout).await?;
        let Followed { end, .. } = &followed;
        if self.is_json {
            write_raw(followed.json(app).to_string().as_bytes())?;
        } else {
            let (word, rest) = end.words.split_once(':').unwrap_or((end.words.as_str(), ""));
            let style = out::style_of_exit(end.exit);
            let rest = crate::table::plain(rest);
            self.write(&format!("{style}{word}{style:#}:{rest}\n"))?;
        }
        Ok(end.exit)
    }
}

/// The command `plan`.
fn plan_of(app: &str, image: Option<&crate::words::Named>, is_rollback: bool) -> Command {
    let of = is_rollback.then_some("rollback");
    Command::new("plan").with("app", Some(app)).with("of", of).naming(image)
}
