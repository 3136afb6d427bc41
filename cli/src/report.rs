//! The commands that change nothing.

use jiff::Timestamp;

use crate::answer::{Board, Places, Plan, Status};
use crate::args::Report;
use crate::command::Command;
use crate::exit::Exit;
use crate::exit::failure::Failure;
use crate::follow::target::Target;
use crate::session::{Run, plan_of};
use crate::{out, records, show};

/// Checks what was typed before AWS is called.
pub fn checked(report: Report) -> Result<Report, Failure> {
    if let Report::Status { app: None, watch } = &report
        && watch.watch
    {
        return Err(Failure::misuse("--watch follows one app: promote status web --watch"));
    }
    Ok(report)
}

impl Run<'_> {
    /// Shows a report.
    pub async fn report(&self, report: Report) -> Result<Exit, Failure> {
        match report {
            Report::Status { app: Some(app), watch } if watch.watch => {
                self.follow(&app, Target::whatever(), &watch).await
            }
            Report::Status { app: Some(app), .. } => self.status(&app).await,
            Report::Status { app: None, .. } => self.statuses().await,
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

    async fn status(&self, app: &str) -> Result<Exit, Failure> {
        let command = Command::new("status").with("app", Some(app));
        self.show(&command, |it: &Status| show::status::one(it, Timestamp::now())).await
    }

    async fn statuses(&self) -> Result<Exit, Failure> {
        let command = Command::new("status");
        let (apps, left) = records::statuses(&self.function, &command, self.is_json).await?;
        if self.is_json {
            return Ok(Exit::Done);
        }
        let table = show::status::all(&apps, Timestamp::now());
        self.write(&match left {
            Some(left) => format!("{table}and {left} more apps, for which there was no time\n"),
            None => table,
        })
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
}
