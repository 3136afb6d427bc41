//! Logs in the format and at the level that Lambda's settings name. No level shows a secret: the
//! SDK and its HTTP client would log requests and answers, so they log warnings at most. Each event
//! is one plain line, even if it quotes text from outside.
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html>

use std::io::{self, Write};

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use crate::text::{is_control, is_printable};

/// Starts logging to standard output, which Lambda reads. `var` answers like
/// `std::env::var(..).ok()`.
pub fn start(var: impl Fn(&str) -> Option<String>) {
    let level = ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"]
        .iter()
        .find_map(|name| var(name)?.parse().ok())
        .unwrap_or(LevelFilter::INFO);
    let is_json =
        var("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json"));
    let subscriber = tracing_subscriber::registry().with(wanted(level));
    let started = if is_json {
        let layer = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .with_writer(|| PlainLines(io::stdout()));
        try_start(subscriber.with(layer))
    } else {
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(|| PlainLines(io::stdout()));
        try_start(subscriber.with(layer))
    };
    if !started {
        tracing::warn!("logging was already started");
    }
}

fn try_start(subscriber: impl Subscriber + Send + Sync + 'static) -> bool {
    tracing::subscriber::set_global_default(subscriber).is_ok()
}

/// The events of this crate at this level, and warnings of others.
fn wanted(level: LevelFilter) -> Targets {
    Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("ecr_promoter", level)
}

/// A writer that gets one event a call, and replaces the characters that end a line or change its
/// direction.
struct PlainLines<W>(W);

impl<W: Write> Write for PlainLines<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        if event.strip_suffix(b"\n").is_some_and(is_printable) {
            self.0.write_all(event)?;
            return Ok(event.len());
        }
        let text = String::from_utf8_lossy(event);
        let line: String = text
            .trim_end_matches('\n')
            .chars()
            .map(|c| if is_control(c) { ' ' } else { c })
            .chain(['\n'])
            .collect();
        self.0.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn others_log_warnings_at_most() {
        let wanted_of = |level: LevelFilter, target: &str| {
            let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
            let wanted = wanted(level);
            levels.iter().filter(|level| wanted.would_enable(target, level)).count()
        };
        for (level, own, others) in [
            (LevelFilter::OFF, 0, 0),
            (LevelFilter::ERROR, 1, 1),
            (LevelFilter::INFO, 3, 2),
            (LevelFilter::TRACE, 5, 2),
        ] {
            assert_eq!(wanted_of(level, "ecr_promoter::reconcile"), own, "{level}");
            for other in ["aws_smithy_runtime::client", "hyper", "lambda_runtime"] {
                assert_eq!(wanted_of(level, other), others, "{other} at {level}");
            }
        }
    }

    #[test]
    fn an_event_is_one_plain_line() {
        let mut lines = PlainLines(Vec::new());
        for event in
            ["reason=\u{202e}a\nERROR b\u{2028}c\u{1b}[31m\n", "{\"reason\":\"\u{2066}d\"}\n"]
        {
            lines.write_all(event.as_bytes()).expect("written");
        }
        assert_eq!(
            String::from_utf8(lines.0).expect("text"),
            "reason= a ERROR b c [31m\n{\"reason\":\" d\"}\n"
        );
    }
}
