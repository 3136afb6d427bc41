//! One run of the command: the function that it asks, and how far it is.

use std::cell::RefCell;

use crate::answer::Said;
use crate::args::Watch;
use crate::cloud::aws::Aws;
use crate::cloud::function::Function;
use crate::command::Command;
use crate::exit::Exit;
use crate::exit::failure::Failure;
use crate::follow::target::Target;
use crate::follow::{self, Followed};
use crate::records::{reported, write_raw};
use crate::words::Named;
use crate::{mismatch, out, records};

/// How far a command has come, for whoever presses Ctrl-C.
#[derive(Debug, Default)]
pub enum Phase {
    /// Nothing was changed.
    #[default]
    Reading,
    /// The command to this app is on its way, or has acted.
    Sent(String),
    /// A promotion of this app is followed.
    Following(String),
}

/// One run: what it asks, and how far it is.
pub struct Run<'a> {
    /// The function.
    pub function: Function<'a>,
    /// Who asks it.
    pub aws: &'a Aws,
    /// Whether the answers are printed as they are.
    pub is_json: bool,
    /// How far it is.
    pub phase: &'a RefCell<Phase>,
}

impl Run<'_> {
    /// Asks for a report, and shows it.
    pub async fn show<T: serde::de::DeserializeOwned>(
        &self,
        command: &Command,
        show: impl Fn(&T) -> String,
    ) -> Result<Exit, Failure> {
        let bytes = self.function.invoke(command).await?;
        let said = self.read::<Said<T>>(command, &bytes)?;
        if self.is_json {
            write_raw(&bytes)?;
        }
        let report = reported(command.action, said)?;
        if self.is_json { Ok(Exit::Done) } else { self.write(&show(&report)) }
    }

    /// Reads an answer. With `--json`, one that cannot be read is printed all the same.
    pub fn read<T: serde::de::DeserializeOwned>(
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

    /// Writes a result.
    pub fn write(&self, text: &str) -> Result<Exit, Failure> {
        records::write(text).map(|_| Exit::Done)
    }

    /// The ARN of the caller. Without the right to ask for it, the function gets no name.
    pub async fn caller(&self) -> Option<String> {
        match self.aws.caller().await {
            Ok(arn) => Some(arn),
            Err(failure) => {
                out::say(&format!("Goes on without your name: {failure}"));
                None
            }
        }
    }

    /// Follows a promotion, and says how it ended.
    pub async fn follow(&self, app: &str, target: Target, watch: &Watch) -> Result<Exit, Failure> {
        *self.phase.borrow_mut() = Phase::Following(app.to_owned());
        let followed = follow::follow(&self.function, app, target, watch.timeout).await?;
        let Followed { end, .. } = &followed;
        if self.is_json {
            write_raw(followed.json(app).to_string().as_bytes())?;
        } else {
            let (word, rest) = end.words.split_once(':').unwrap_or((end.words.as_str(), ""));
            let style = out::style_of_exit(end.exit);
            let rest = crate::text::table::plain(rest);
            self.write(&format!("{style}{word}{style:#}:{rest}\n"))?;
        }
        Ok(end.exit)
    }
}

/// The command `plan`.
pub fn plan_of(app: &str, image: Option<&Named>, is_rollback: bool) -> Command {
    let of = is_rollback.then_some("rollback");
    Command::new("plan").with("app", Some(app)).with("of", of).naming(image)
}
