//! The figures as tables, for the terminal and for the documents.

use crate::results::{Figure, Processor, Results};
use crate::variants::OURS;

/// What a document or a terminal is written to never fails.
macro_rules! line {
    ($to:expr, $($words:tt)*) => {{
        use std::fmt::Write as _;
        let _ = writeln!($to, $($words)*);
    }};
}
pub(crate) use line;

const BOTH: [Processor; 2] = [Processor::Whole, Processor::Share];

/// Prints all tables.
pub(crate) fn print(results: &Results) {
    eprintln!("\n{}\n{}", origin(results), tables(results));
}

/// Where and when the figures were measured.
pub(crate) fn origin(results: &Results) -> String {
    let machine = &results.machine;
    let runs = match results.runs {
        1 => "one round".to_owned(),
        more => format!("{more} rounds"),
    };
    format!(
        "Measured at {} on {} cores of {}, {} GB, {}, by commit {}; {runs}. \
         Load before and after: {} and {}. \
         The share of 128 MB: {}. Clients read {} root certificates.",
        results.date,
        machine.cores,
        machine.processor,
        machine.memory_gb,
        machine.system,
        results.commit,
        machine.load_before,
        machine.load_after,
        results.share,
        results.roots,
    )
}

/// All tables, one below the other.
pub(crate) fn tables(results: &Results) -> String {
    let mut text = String::new();
    for processor in BOTH {
        line!(
            text,
            "Milliseconds with {processor}: median, (least–most), and how many times ours.\n"
        );
        let columns = [
            ("until ready", "ready ms"),
            ("first promotion, 20 ms a call", "first ms at 20"),
            ("cold: both", "cold ms at 20"),
            ("cold to `UpdateStack`, 20 ms", "cold to update ms at 20"),
            ("warm, 0 ms", "warm ms at 0"),
            ("warm, 20 ms", "warm ms at 20"),
            ("warm, 50 ms", "warm ms at 50"),
            ("warm to `UpdateStack`, 20 ms", "warm to update ms at 20"),
            ("of it not waiting for AWS", "warm own ms at 20"),
        ];
        text += &table(results, &columns, |name| cell(results, name.0, processor, name.1));
        text.push('\n');
    }
    line!(text, "Counted at 20 ms a call, with {}.\n", Processor::Whole);
    let columns = [
        ("round trips to `UpdateStack`, first / warm", "round trips"),
        ("calls", "calls"),
        ("new connections", "connections"),
        ("kB on the wire", "kB"),
        ("of it with the registry", "registry kB"),
    ];
    text += &table(results, &columns, |(variant, name)| {
        let at = |time: &str| {
            let figure = results.find(variant, Processor::Whole, &format!("{name} {time}"));
            figure.map_or_else(|| "–".to_owned(), |figure| short(figure.median))
        };
        format!("{} / {}", at("first"), at("warm"))
    });
    text.push('\n');
    let columns = [
        ("processor ms, cold", "processor ms cold"),
        ("processor ms, warm", "processor ms warm"),
        ("peak memory, MB", "peak MB"),
        ("a deploy uploads", ""),
    ];
    text += &table(results, &columns, |(variant, name)| match name {
        "" => uploaded(results, variant),
        name => cell(results, variant, Processor::Whole, name),
    });
    for absent in &results.absent {
        line!(text, "\nNot measured: {}, since {}.", absent.what, absent.why);
    }
    text
}

/// The table of the figures that matter most.
pub(crate) fn short_table(results: &Results, is_shown: impl Fn(&str) -> bool) -> String {
    let columns = [
        ("cold to `UpdateStack`, 128 MB", Processor::Share, "cold to update ms at 20", " ms"),
        ("warm to `UpdateStack`", Processor::Whole, "warm to update ms at 20", " ms"),
        ("warm, until the answer", Processor::Whole, "warm ms at 20", " ms"),
        ("peak memory", Processor::Whole, "peak MB", " MB"),
    ];
    let mut text = String::new();
    let heads: String = columns.iter().map(|(head, ..)| format!(" {head} |")).collect();
    line!(text, "| |{heads}\n|---|{}", "--:|".repeat(columns.len()));
    for variant in results.variants.iter().filter(|variant| is_shown(&variant.name)) {
        let cell = |(_, processor, name, unit): &(&str, Processor, &str, &str)| {
            let figure = results.find(&variant.name, *processor, name);
            figure.map_or_else(|| " – |".to_owned(), |it| format!(" {}{unit} |", short(it.median)))
        };
        let cells: String = columns.iter().map(cell).collect();
        line!(text, "| {} |{cells}", label(&variant.name, &variant.words));
    }
    text
}

fn table<F>(results: &Results, columns: &[(&str, &str)], cell: F) -> String
where
    F: Fn((&str, &str)) -> String,
{
    let mut text = String::new();
    let heads: String = columns.iter().map(|(head, _)| format!(" {head} |")).collect();
    line!(text, "| |{heads}");
    line!(text, "|---|{}", "--:|".repeat(columns.len()));
    for variant in &results.variants {
        let cells: String =
            columns.iter().map(|(_, name)| format!(" {} |", cell((&variant.name, name)))).collect();
        line!(text, "| {} |{cells}", label(&variant.name, &variant.words));
    }
    text
}

fn label(name: &str, words: &str) -> String {
    if name == OURS { format!("**{name}**") } else { format!("`{name}`: {words}") }
}

fn cell(results: &Results, variant: &str, processor: Processor, name: &str) -> String {
    let Some(figure) = results.find(variant, processor, name) else { return "–".to_owned() };
    let Figure { median, min, max, ratio, .. } = figure;
    let ratio = match ratio {
        Some(ratio) if variant != OURS => format!(" **{}×**", short(*ratio)),
        Some(_) | None => String::new(),
    };
    format!("{} ({}–{}){ratio}", short(*median), short(*min), short(*max))
}

fn uploaded(results: &Results, variant: &str) -> String {
    let measured = results.variants.iter().find(|it| it.name == variant);
    match measured.and_then(|it| it.zipped) {
        Some(bytes) if bytes >= 1_000_000 => format!("{} MB", short(bytes as f64 / 1e6)),
        Some(bytes) => format!("{} kB", short(bytes as f64 / 1e3)),
        None => "–".to_owned(),
    }
}

/// A figure with as many digits as it deserves.
pub(crate) fn short(value: f64) -> String {
    if value == 0.0 || value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        let text = format!("{value:.1}");
        text.strip_suffix(".0").unwrap_or(&text).to_owned()
    } else {
        let text = format!("{value:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn figures_have_few_digits() {
        let shown = [0.0, 0.5, 3.0, 3.147, 12.34, 20.0, 99.96, 723.4].map(short);
        assert_eq!(shown, ["0", "0.5", "3", "3.15", "12.3", "20", "100", "723"]);
    }
}
