//! The live line: one line on a terminal that is written over; elsewhere one line for each change.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use jiff::SignedDuration;

use crate::text::moment;
use crate::text::table::{cut, plain};

/// The width where the terminal does not say it.
const WIDTH: usize = 80;

/// The live line. It is removed when it is dropped.
pub struct Live {
    is_terminal: bool,
    is_shown: bool,
    last: String,
}

impl Live {
    /// A line on stderr.
    pub fn new() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { is_terminal, is_shown: false, last: String::new() }
    }

    /// Shows how far it is, and for how long it has been followed.
    pub fn show(&mut self, words: &str, elapsed: Duration) {
        let words = plain(words);
        let elapsed = SignedDuration::try_from(elapsed).map(moment::length).unwrap_or_default();
        let mut stderr = std::io::stderr().lock();
        // Nothing can be done where stderr is closed.
        let _ = if self.is_terminal {
            let width = terminal_size::terminal_size().map_or(WIDTH, |(width, _)| width.0.into());
            let line = cut(&format!("{elapsed:>9}  {words}"), width.saturating_sub(1));
            self.is_shown = true;
            write!(stderr, "\r{line}\u{1b}[K")
        } else if self.last == words {
            Ok(())
        } else {
            writeln!(stderr, "{elapsed:>9}  {words}")
        };
        let _ = stderr.flush();
        self.last = words;
    }

    /// Whether the line is to be written again while nothing changes.
    pub fn ticks(&self) -> bool {
        self.is_terminal
    }
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if self.is_shown {
            let mut stderr = std::io::stderr().lock();
            let _ = write!(stderr, "\r\u{1b}[K").and_then(|()| stderr.flush());
        }
    }
}
