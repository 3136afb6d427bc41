//! What goes to the terminal: results to stdout, everything else to stderr. No other module writes.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};

use crate::answer::Outcome;
use crate::exit::Exit;
use crate::text::table::plain;

/// Writes a result to stdout. Says `false` where nobody reads any more.
pub fn result(text: &str) -> io::Result<bool> {
    let mut stdout = anstream::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes bytes of the function to stdout as they are, and ends the line.
pub fn raw(bytes: &[u8]) -> io::Result<bool> {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(bytes)
        .and_then(|()| stdout.write_all(b"\n"))
        .and_then(|()| stdout.flush());
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// Says something to the person.
pub fn say(text: &str) {
    // Nothing can be done where stderr is closed.
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Says what failed.
pub fn fail(text: &str) {
    let red = RED.bold();
    say(&format!("{red}promote:{red:#} {}", plain(text)));
}

/// Asks without ending the line.
pub fn ask(text: &str) {
    let mut stderr = anstream::stderr().lock();
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}

/// Whether a person types and reads: stdin and stderr are terminals.
pub fn is_person() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Good news.
pub const GREEN: Style = AnsiColor::Green.on_default();
/// What waits.
pub const YELLOW: Style = AnsiColor::Yellow.on_default();
/// What failed.
pub const RED: Style = AnsiColor::Red.on_default();
/// What is under way.
pub const BLUE: Style = AnsiColor::Cyan.on_default();
/// Titles.
pub const BOLD: Style = Style::new().bold();
/// What matters less.
pub const DIM: Style = Style::new().dimmed();

/// The colour of an outcome.
pub fn style(outcome: &Outcome) -> Style {
    match outcome {
        Outcome::Promoted | Outcome::Queued => BLUE,
        Outcome::Deployed | Outcome::Resumed | Outcome::Unchanged => GREEN,
        Outcome::Failed | Outcome::Blocked | Outcome::Refused => RED,
        Outcome::ApprovalRequested | Outcome::Approved | Outcome::Held | Outcome::Cancelled => {
            YELLOW
        }
        Outcome::Rejected
        | Outcome::Superseded
        | Outcome::Expired
        | Outcome::Ignored
        | Outcome::Unknown(_) => DIM,
    }
}

/// The colour of an end.
pub fn style_of_exit(exit: Exit) -> Style {
    match exit {
        Exit::Done => GREEN,
        Exit::Failed => RED,
        Exit::Refused | Exit::Waits | Exit::TimedOut | Exit::Interrupted => YELLOW,
    }
}
