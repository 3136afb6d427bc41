//! Aligned tables. The width of a text is what a terminal shows. No I/O here.

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

/// The space between two columns.
const GAP: &str = "  ";

/// One cell.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell with a style.
    pub fn styled(text: &str, style: Style) -> Self {
        Self { text: plain(text), style }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text.as_ref(), Style::new())
    }
}

/// Makes one line of a text from outside: what ends a line, moves the cursor or reverses the text
/// becomes a space.
pub fn plain(text: &str) -> String {
    let is_control = |c: char| {
        let reverses = matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}');
        c.is_control() || reverses || matches!(c, '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{206f}')
    };
    text.chars().map(|c| if is_control(c) { ' ' } else { c }).collect()
}

/// Cuts a text to so many columns of a terminal.
pub fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut cut = String::new();
    for c in text.chars() {
        if format!("{cut}{c}…").width() > columns {
            break;
        }
        cut.push(c);
    }
    cut + "…"
}

/// Aligns the rows; each ends with a line break.
pub fn aligned(rows: &[Vec<Cell>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|c| c.text.width()).max();
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
    let mut table = String::new();
    for row in rows {
        let filled = row.iter().rposition(|cell| !cell.text.is_empty()).map_or(0, |last| last + 1);
        for (at, cell) in row.iter().take(filled).enumerate() {
            let Cell { text, style } = cell;
            table.push_str(&format!("{style}{text}{style:#}"));
            if at + 1 < filled {
                table.push_str(&" ".repeat(widths[at] - text.width()));
                table.push_str(GAP);
            }
        }
        table.push('\n');
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_what_a_terminal_shows() {
        let rows = [
            vec![Cell::from("app"), Cell::from("by")],
            vec![Cell::from("日本"), Cell::from("é\u{1b}[31m\nx")],
            vec![Cell::from("web"), Cell::from("")],
        ];
        assert_eq!(aligned(&rows), "app   by\n日本  é [31m x\nweb\n");
    }

    #[test]
    fn a_cut_text_fits() {
        assert_eq!(cut("production", 10), "production");
        assert_eq!(cut("production", 5), "prod…");
        assert_eq!(cut("日本語", 4), "日…");
    }
}
