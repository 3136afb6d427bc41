//! Asks a person before something changes.

use std::io;

use crate::command::Command;
use crate::exit::failure::Failure;
use crate::out;

/// The question about a command.
pub fn question(command: &Command) -> String {
    match command.app() {
        Some(_) => format!("Run `{}` now? [y/N] ", command.words()),
        None => format!("Run `{}` for all apps now? [y/N] ", command.words()),
    }
}

/// Whether this answer means yes.
pub fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Why nothing was done without a terminal.
pub fn needs_yes(command: &Command) -> Failure {
    Failure::misuse(format!(
        "Nothing was changed: nobody can be asked without a terminal. Add --yes: promote {} --yes",
        command.words()
    ))
}

/// Asks, and reads one line. An end of the input means no.
pub async fn ask(command: &Command) -> Result<(), Failure> {
    out::ask(&question(command));
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    });
    let line = read.await.ok().and_then(Result::ok).unwrap_or_default();
    if is_yes(&line) {
        return Ok(());
    }
    Err(Failure::misuse("Nothing was changed."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        for yes in ["y", "Y", "yes", " YES \n"] {
            assert!(is_yes(yes), "{yes:?}");
        }
        for no in ["", "\n", "n", "no", "yep", "y y", "ja"] {
            assert!(!is_yes(no), "{no:?}");
        }
    }

    #[test]
    fn the_question_names_the_command_and_the_app() {
        let command = Command::new("rollback").with("app", Some("web"));
        assert_eq!(question(&command), "Run `rollback web` now? [y/N] ");
        assert!(needs_yes(&command).words.ends_with("promote rollback web --yes"));
    }
}
