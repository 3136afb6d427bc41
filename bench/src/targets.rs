//! What was aimed at, beside what was measured.

use serde::Deserialize;

use crate::instructions::Counts;
use crate::report::{line, short};
use crate::results::{Processor, Results};
use crate::second_build;
use crate::variants::OURS;

/// Where `scripts/size` keeps the size of the binary.
pub(crate) const SIZE: &str = "bench/size.json";

#[derive(Debug, Deserialize)]
pub(crate) struct Size {
    binary: f64,
    zip: f64,
}

/// A figure, and the most that it may be, or the least.
struct Target {
    what: &'static str,
    unit: &'static str,
    measured: Option<f64>,
    bound: Bound,
}

enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// A table with a line for each target.
pub(crate) fn table(results: &Results, counts: &Counts, size: &Size) -> String {
    let mut text = String::new();
    line!(text, "| figure | target | measured | met |\n|---|--:|--:|---|");
    for target in compared(results).into_iter().chain(counted(results, counts, size)) {
        let Target { what, unit, measured, bound } = target;
        let (words, is_met) = match bound {
            Bound::AtMost(most) => {
                (format!("at most {}", short(most)), measured.map(|it| it <= most))
            }
            Bound::AtLeast(least) => {
                (format!("at least {}", short(least)), measured.map(|it| it >= least))
            }
        };
        let met = match is_met {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "not measured",
        };
        let measured = measured.map_or_else(|| "–".to_owned(), short);
        line!(text, "| {what} | {words}{unit} | {measured}{unit} | {met} |");
    }
    text
}

fn compared(results: &Results) -> Vec<Target> {
    let whole = |name: &str| Some(results.find(OURS, Processor::Whole, name)?.median);
    // The function writes its state before the update, and the others after it. So all six calls
    // are done when its update is accepted, and when theirs have answered.
    let times = |variant: &str, processor, time: &str| {
        let ours = results.find(OURS, processor, &format!("{time} to update ms at 20"))?;
        let theirs = results.find(variant, processor, &format!("{time} ms at 20"))?;
        Some(theirs.median / ours.median)
    };
    let cold = |what, variant: &str, least| Target {
        what,
        unit: "×",
        measured: times(variant, Processor::Share, "cold"),
        bound: Bound::AtLeast(least),
    };
    let warm = |what, variant: &str| Target {
        what,
        unit: "×",
        measured: times(variant, Processor::Whole, "warm"),
        bound: Bound::AtLeast(2.0),
    };
    let most =
        |what, unit, measured, most| Target { what, unit, measured, bound: Bound::AtMost(most) };
    vec![
        most("round trips to `UpdateStack`, warm", "", whole("round trips warm"), 3.0),
        most("the same, cold", "", whole("round trips first"), 4.0),
        most(
            "warm to `UpdateStack`, beyond what its three calls took",
            " ms",
            whole("warm own ms at 20"),
            3.0,
        ),
        cold(
            "cold at 128 MB until the six calls are done: faster than `node-bundled`",
            "node-bundled",
            8.0,
        ),
        cold("the same: faster than `python`", "python", 15.0),
        warm("warm until the six calls are done: faster than `node-bundled`", "node-bundled"),
        warm("the same: faster than `python`", "python"),
        most("peak memory of a push", " MB", whole("peak MB"), 20.0),
    ]
}

fn counted(results: &Results, counts: &Counts, size: &Size) -> Vec<Target> {
    let most = |what, unit, measured, most| Target {
        what,
        unit,
        measured: Some(measured),
        bound: Bound::AtMost(most),
    };
    let fewer = |name| results.find(second_build::NAME, Processor::Whole, name)?.ratio;
    vec![
        most("instructions until ready", " million", counts.until_ready, 20.0),
        most("instructions of the first promotion", " million", counts.first_promotion, 25.0),
        most("instructions of a warm promotion", " million", counts.warm_promotion, 8.0),
        most("binary", " MB", size.binary / 1e6, 20.0),
        most("zip", " MB", size.zip / 1e6, 8.0),
        Target {
            what: "bytes moved, state and messages included: fewer than by a second build",
            unit: "×",
            measured: fewer("kB warm"),
            bound: Bound::AtLeast(1000.0),
        },
    ]
}
