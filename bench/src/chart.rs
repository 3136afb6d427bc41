//! The chart for the README: bars in an SVG that reads well on light and dark pages.

use crate::report::{line, short};
use crate::results::{Processor, Results};
use crate::variants::OURS;

const WIDTH: usize = 760;
const LABELS: usize = 150;
const BAR: usize = 16;
const ROW: usize = 24;
const HEAD: usize = 34;
/// The room for a figure beside its bar.
const FIGURE: usize = 90;

const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.head { font-weight: 600 }
.bar { fill: #8c959f }
.own { fill: #1a7f37 }
.cut { fill: #8c959f; opacity: .55 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.bar, .cut { fill: #7d8590 }
.own { fill: #3fb950 }
}";

/// Draws the chart.
pub(crate) fn draw(results: &Results) -> String {
    let panels = [
        (
            "From the start of the process to the accepted UpdateStack, 128 MB, 20 ms a call",
            Processor::Share,
            "cold to update ms at 20",
            "ms",
        ),
        (
            "From a push to the accepted UpdateStack, warm, a whole core, 20 ms a call",
            Processor::Whole,
            "warm to update ms at 20",
            "ms",
        ),
        ("Peak memory", Processor::Whole, "peak MB", "MB"),
    ];
    let (mut body, mut top) = (String::new(), 0);
    for (head, processor, figure, unit) in panels {
        body += &panel(results, head, top, (processor, figure, unit));
        top += HEAD + ROW * results.variants.len() + 12;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {top}\" width=\"{WIDTH}\" \
         height=\"{top}\" role=\"img\" aria-labelledby=\"title\">\n\
         <title id=\"title\">Time and memory of a promotion: ecr-promoter beside the same work in \
         Node.js, Python and bash, measured {}</title>\n<style>\n{STYLE}\n</style>\n{body}</svg>\n",
        results.date
    )
}

fn panel(
    results: &Results,
    head: &str,
    top: usize,
    (processor, figure, unit): (Processor, &str, &str),
) -> String {
    let value = |name: &str| results.find(name, processor, figure).map(|it| it.median);
    let rows: Vec<(&str, Option<f64>)> =
        results.variants.iter().map(|it| (it.name.as_str(), value(&it.name))).collect();
    // A bar that is far longer than all others is cut off: the others could not be told apart.
    let mut sorted: Vec<f64> = rows.iter().filter_map(|(_, value)| *value).collect();
    sorted.sort_by(f64::total_cmp);
    let longest = match sorted[..] {
        [.., second, first] if first > 3.0 * second => second * 1.25,
        [.., first] => first,
        [] => 1.0,
    };
    let room = (WIDTH - LABELS - FIGURE) as f64;
    let mut text = String::new();
    line!(text, "<text class=\"head\" x=\"0\" y=\"{}\">{head}</text>", top + 20);
    for (at, (name, value)) in rows.iter().enumerate() {
        let y = top + HEAD + at * ROW;
        let baseline = y + 13;
        line!(text, "<text x=\"0\" y=\"{baseline}\">{name}</text>");
        let Some(value) = value else {
            line!(text, "<text x=\"{LABELS}\" y=\"{baseline}\">not measured</text>");
            continue;
        };
        let is_cut = *value > longest;
        let width = (room * value.min(longest) / longest).max(1.0).round();
        let class = match *name {
            OURS => "own",
            _ if is_cut => "cut",
            _ => "bar",
        };
        line!(
            text,
            "<rect class=\"{class}\" x=\"{LABELS}\" y=\"{y}\" width=\"{width}\" height=\"{BAR}\" \
             rx=\"2\"/>"
        );
        let end = LABELS as f64 + width + 6.0;
        let cut = if is_cut { " →" } else { "" };
        let figure = short(*value);
        line!(text, "<text x=\"{end}\" y=\"{baseline}\">{figure} {unit}{cut}</text>");
    }
    text
}
