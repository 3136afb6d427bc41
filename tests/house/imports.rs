//! Finds imports that go the wrong way.
//!
//! The imports are read from the code's own paths: `use` lines and what starts with `crate::`,
//! `super::` or a child module. Code that only tests see does not count. The code is formatted by
//! rustfmt, so a function ends at the first `}` that stands as far left as its `fn`.

use std::collections::BTreeMap;

const MOST_ROOMS: usize = 25;
const MOST_ARROWS: usize = 75;

/// From each file to the files that it imports, with the line.
type Graph = BTreeMap<String, BTreeMap<String, usize>>;

/// The room of a file: `model` for `model/config`.
fn room(file: &str) -> &str {
    file.split('/').next().unwrap_or(file)
}

/// Reads the table of rooms: the floor of each room.
fn floors(architecture: &str) -> BTreeMap<&str, u32> {
    let rows = architecture.lines().filter_map(|line| {
        let mut cells = line.strip_prefix('|')?.split('|');
        Some((cells.next()?.trim().parse::<u32>().ok()?, cells.next()?))
    });
    rows.flat_map(|(floor, rooms)| {
        let names = rooms.split('`').skip(1).step_by(2);
        names.map(move |name| (name.trim_end_matches('/'), floor))
    })
    .collect()
}

/// Removes comments and literals, and keeps the lines.
pub(crate) fn without_words(text: &str) -> String {
    let (mut code, mut rest) = (String::new(), text);
    while let Some(c) = rest.chars().next() {
        let hashes =
            rest.strip_prefix('r').map(|raw| raw.len() - raw.trim_start_matches('#').len());
        let is_raw = hashes.is_some_and(|n| rest[1 + n..].starts_with('"'))
            && !code.ends_with(|before: char| before.is_alphanumeric() || before == '_');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(n) = hashes.filter(|_| is_raw) {
            let end = format!("\"{}", "#".repeat(n));
            rest[n + 2..].find(&end).map_or(rest.len(), |at| n + 2 + at + end.len())
        } else if c == '"' {
            quoted(rest, '"')
        } else if c == '\'' && (rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'')) {
            quoted(rest, '\'')
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        code.extend(rest[..length].chars().filter(|c| *c == '\n'));
        rest = &rest[length..];
    }
    code
}

/// The length of a literal with its quotes.
fn quoted(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let is_end = *c == quote && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        is_end
    });
    end.map_or(text.len(), |(at, _)| at + 1)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The line at which the item that starts here ends.
pub(crate) fn end_of_item(lines: &[&str], start: usize) -> usize {
    let ends = |line: &&str| {
        indent(line) == indent(lines[start])
            && (line.ends_with('}') || line.ends_with(';') && !line.trim_start().starts_with('#'))
    };
    lines[start..].iter().position(ends).map_or(lines.len() - 1, |at| start + at)
}

/// Removes comments, literals and code that only tests see, and keeps the lines.
fn visible(text: &str) -> String {
    let code = without_words(text);
    let mut lines: Vec<&str> = code.lines().map(str::trim_end).collect();
    while let Some(start) = lines.iter().position(|line| line.trim() == "#[cfg(test)]") {
        let end = end_of_item(&lines, start);
        lines[start..=end].fill("");
    }
    lines.join("\n")
}

/// Splits code into words, `::` and single signs, each with its line.
fn tokens(code: &str) -> Vec<(&str, usize)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(c) = rest.chars().next() {
            let length = match c {
                _ if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                ':' if rest.starts_with("::") => 2,
                _ => c.len_utf8(),
            };
            found.push((&rest[..length], number + 1));
            rest = rest[length..].trim_start();
        }
    }
    found
}

/// Reads all paths: `use a::{b, c::d}` gives `a::b` and `a::c::d`.
fn paths(code: &str) -> Vec<(Vec<&str>, usize)> {
    let tokens = tokens(code);
    let (mut found, mut prefix, mut open): (Vec<_>, Vec<&str>, Vec<usize>) = Default::default();
    let mut is_use = false;
    for (at, (token, line)) in tokens.iter().enumerate() {
        let is_name = token.starts_with(|c: char| c.is_alphabetic() || c == '_');
        let before = at.checked_sub(1).map_or("", |before| tokens[before].0);
        let next = tokens.get(at + 1).map_or("", |(next, _)| next);
        match *token {
            "use" => (is_use, prefix, open) = (true, Vec::new(), vec![0]),
            ";" => is_use = false,
            "{" if is_use => open.push(prefix.len()),
            "}" if is_use => drop(open.pop()),
            "::" | "as" => {}
            // What `mod` declares is no import, and neither is a new name.
            name if is_name && !matches!(before, "mod" | "as") || name == "*" && is_use => {
                if before != "::" {
                    let start = open.last().filter(|_| is_use);
                    prefix.truncate(start.copied().unwrap_or_default());
                }
                prefix.push(name);
                if next != "::" && (is_use || prefix.len() > 1) {
                    found.push((prefix.clone(), *line));
                }
            }
            _ => {}
        }
    }
    found
}

/// Follows a path from a file; `None` where it leads out of the crate or to the file itself.
fn target<'a>(file: &str, path: &[&str], children: &[&str], files: &'a Files) -> Option<&'a str> {
    let mut at: Vec<&str> = file.split('/').collect();
    let mut rest = path;
    match path.first()? {
        &"crate" | &"ecr_promoter" => (at, rest) = (Vec::new(), &path[1..]),
        &"super" | &"self" => {
            while let Some((first @ (&"super" | &"self"), more)) = rest.split_first() {
                at.truncate(at.len() - usize::from(*first == "super"));
                rest = more;
            }
        }
        first => {
            children.contains(first).then_some(())?;
        }
    }
    let longest = (0..=rest.len()).rev().map(|n| [&at[..], &rest[..n]].concat().join("/"));
    let (found, _) = longest.filter_map(|name| files.get_key_value(&name)).next()?;
    (found != file).then_some(found)
}

/// The text of each file by its name without `.rs`.
pub(crate) type Files = BTreeMap<String, String>;

fn graph(files: &Files) -> Graph {
    let imports = |file: &str, text: &str| {
        let code = visible(text);
        let children: Vec<&str> = code
            .lines()
            .filter_map(|line| line.strip_suffix(';')?.rsplit_once("mod ").map(|(_, name)| name))
            .collect();
        let mut found = BTreeMap::new();
        for (path, line) in paths(&code) {
            if let Some(to) = target(file, &path, &children, files) {
                found.entry(to.to_owned()).or_insert(line);
            }
        }
        found
    };
    files.iter().map(|(file, text)| (file.clone(), imports(file, text))).collect()
}

/// Finds a circle: drops files that import nothing, again and again, until each file that is left
/// leads to a circle.
fn circle(graph: &Graph) -> Option<Vec<String>> {
    let mut left = graph.clone();
    loop {
        let done: Vec<String> =
            left.iter().filter(|(_, to)| to.is_empty()).map(|(file, _)| file.clone()).collect();
        if done.is_empty() {
            break;
        }
        left.retain(|file, _| !done.contains(file));
        left.values_mut().for_each(|to| to.retain(|file, _| !done.contains(file)));
    }
    let mut way = vec![left.keys().next()?];
    loop {
        let next = left[way[way.len() - 1]].keys().next()?;
        if let Some(start) = way.iter().position(|file| *file == next) {
            return Some(way[start..].iter().map(|file| (*file).clone()).collect());
        }
        way.push(next);
    }
}

/// The arrows between rooms; the line is that of the first import.
fn rooms(graph: &Graph) -> Graph {
    let mut rooms = Graph::new();
    for (file, imports) in graph {
        let to = imports.iter().filter(|(to, _)| room(to) != room(file));
        let own = rooms.entry(room(file).to_owned()).or_default();
        own.extend(to.map(|(to, line)| (room(to).to_owned(), *line)));
    }
    rooms
}

/// Names wrong imports, one sentence each.
pub(crate) fn wrong_imports(files: &Files, architecture: &str) -> Vec<String> {
    let (graph, floors) = (graph(files), floors(architecture));
    let rooms = rooms(&graph);
    let mut wrong = Vec::new();
    for room in rooms.keys().filter(|room| !floors.contains_key(room.as_str())) {
        wrong.push(format!("src/{room}: not in the table of ARCHITECTURE.md. Add a row for it"));
    }
    for room in floors.keys().filter(|room| !rooms.contains_key(**room)) {
        wrong.push(format!("ARCHITECTURE.md: src has no room `{room}`. Remove it from the table"));
    }
    for (file, imports) in &graph {
        for (to, line) in imports {
            let (own, its) = (floors.get(room(file)), floors.get(room(to)));
            if own.zip(its).is_some_and(|(own, its)| own < its) {
                wrong.push(format!(
                    "src/{file}.rs:{line}: imports `{to}` from a higher floor. Move what both \
                     need to a lower room"
                ));
            }
        }
    }
    for (kind, graph) in [("files", &graph), ("rooms", &rooms)] {
        let Some(circle) = circle(graph) else { continue };
        let next = circle.iter().cycle().skip(1);
        let arrows: Vec<String> = circle
            .iter()
            .zip(next)
            .map(|(from, to)| format!("{from} imports {to} (line {})", graph[from][to]))
            .collect();
        wrong.push(format!(
            "src: a circle of {kind}: {}. Move what both need to a file of its own",
            arrows.join(", ")
        ));
    }
    let inner = rooms.iter().filter(|(room, _)| *room != "main");
    let (count, arrows) = inner.fold((0, 0), |(n, all), (_, to)| (n + 1, all + to.len()));
    if count > MOST_ROOMS || arrows > MOST_ARROWS {
        wrong.push(format!(
            "src: {count} rooms and {arrows} arrows between them; at most {MOST_ROOMS} and \
             {MOST_ARROWS}. Put rooms together, or let one room do without another"
        ));
    }
    wrong
}
