//! Logs: JSON where Lambda asks for it, at the level that it asks for. CONTRACT: no secret at any level, so what the SDK and
//! its HTTP client say of their own wire is cut off whatever the level.

use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::prelude::*;

/// Starts logging to standard output, where Lambda reads it. `var` answers like `std::env::var(..).ok()`.
pub fn start(var: impl Fn(&str) -> Option<String>) {
    let level = ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"].iter().find_map(|name| var(name)?.parse().ok()).unwrap_or(LevelFilter::INFO);
    let is_json = var("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json"));
    let subscriber = tracing_subscriber::registry();
    let started = if is_json {
        let layer = tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false);
        try_start(subscriber.with(layer.with_filter(filter_fn(move |metadata| is_wanted(metadata, level)))))
    } else {
        let layer = tracing_subscriber::fmt::layer().with_ansi(false);
        try_start(subscriber.with(layer.with_filter(filter_fn(move |metadata| is_wanted(metadata, level)))))
    };
    if !started {
        tracing::warn!("logging was started before");
    }
}

fn try_start(subscriber: impl Subscriber + Send + Sync + 'static) -> bool {
    tracing::subscriber::set_global_default(subscriber).is_ok()
}

fn is_wanted(metadata: &Metadata<'_>, level: LevelFilter) -> bool {
    let is_own = metadata.target().starts_with("ecr_promoter");
    *metadata.level() <= if is_own { level } else { level.min(LevelFilter::WARN) }
}
