//! Writes the figures into the documents, between comments that mark the places.

use std::error::Error;
use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::chart;
use crate::instructions::{self, Counts};
use crate::report::{origin, short_table, tables};
use crate::results::Results;
use crate::scale::{self, Report};
use crate::second_build;
use crate::targets::{self, Size};
use crate::variants::OURS;

/// Where the figures of the comparison are kept.
pub(crate) const RESULTS: &str = "bench/results.json";
const CHART: &str = "docs/pictures/bench.svg";
/// The variants in README.
const IN_README: [&str; 5] = [OURS, "node-bundled", "python", "bash", second_build::NAME];

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Writes the chart, and the tables of each document that has a place for them, from what is kept.
pub(crate) fn documents(root: &Path) -> Outcome<()> {
    let (chart, blocks) = rendered(root)?;
    fs::write(root.join(CHART), chart)?;
    for (document, name, text) in blocks {
        let path = root.join(document);
        let filled = filled(&fs::read_to_string(&path)?, name, &text);
        let filled = filled.ok_or_else(|| format!("{document} has no place for `{name}`"))?;
        fs::write(path, filled)?;
    }
    Ok(())
}

/// The document, the name of a place in it, and what stands there.
type Block = (&'static str, &'static str, String);

/// The chart, and what stands where.
fn rendered(root: &Path) -> Outcome<(String, Vec<Block>)> {
    let results: Results = kept(root, RESULTS)?;
    let counts: Counts = kept(root, instructions::KEPT)?;
    let report: Report = kept(root, scale::KEPT)?;
    let size: Size = kept(root, targets::SIZE)?;
    let full = format!("{}\n\n{}", origin(&results), tables(&results));
    let short = |is_shown: fn(&str) -> bool| {
        format!("{}\n{}\n", short_table(&results, is_shown), origin(&results))
    };
    let blocks = vec![
        ("README.md", "table", short(|name| IN_README.contains(&name))),
        ("bench/README.md", "table", full),
        ("docs/performance.md", "table", short(|_| true)),
        ("docs/performance.md", "instructions", counts.words()),
        ("docs/performance.md", "scale", report.words()),
        ("docs/performance.md", "targets", targets::table(&results, &counts, &size)),
    ];
    Ok((chart::draw(&results), blocks))
}

fn kept<T: DeserializeOwned>(root: &Path, file: &str) -> Outcome<T> {
    let text = fs::read_to_string(root.join(file)).map_err(|error| format!("{file}: {error}"))?;
    Ok(serde_json::from_str(&text).map_err(|error| format!("{file}: {error}"))?)
}

/// The document with this text at the place of this name; `None` where it has no such place.
pub(crate) fn filled(document: &str, name: &str, text: &str) -> Option<String> {
    let (start, end) = (format!("<!-- bench: {name} -->\n"), "<!-- /bench -->");
    let (before, rest) = document.split_once(&start)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{start}\n{}\n\n{end}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::{CHART, filled, rendered};

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").to_owned()
    }

    fn read(path: &str) -> String {
        fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    #[test]
    fn a_place_is_filled_and_the_rest_stays() {
        let document = "a\n<!-- bench: table -->\nold\n<!-- /bench -->\nz\n";
        let expected = "a\n<!-- bench: table -->\n\nnew\n\n<!-- /bench -->\nz\n";
        assert_eq!(filled(document, "table", "new\n").as_deref(), Some(expected));
        assert_eq!(filled(expected, "table", "new\n").as_deref(), Some(expected));
        assert_eq!(filled(document, "chart", "new"), None);
    }

    /// Nothing is claimed that was not measured: `./scripts/bench --render` writes them again.
    #[test]
    fn the_documents_hold_what_was_measured() {
        let (chart, blocks) = rendered(&root()).expect("kept figures");
        for (document, name, text) in blocks {
            let now = read(document);
            assert_eq!(filled(&now, name, &text).as_deref(), Some(now.as_str()), "{document}");
        }
        assert_eq!(read(CHART), chart);
    }
}
