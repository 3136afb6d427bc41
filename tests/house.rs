//! Checks that the code keeps to ARCHITECTURE.md, and that of the command to cli/README.md: files
//! import each other in one direction, along the floors of the table of rooms, and no file, line or
//! function is too long.

use std::fs;
use std::path::Path;

use house::imports::{Files, end_of_item, without_words, wrong_imports};

const LONGEST_FILE: usize = 450;
const LONGEST_TEST_FILE: usize = 500;
const LONGEST_LINE: usize = 100;
const LONGEST_FUNCTION: usize = 50;

mod house {
    pub(crate) mod imports;
}

/// Names what is too long in a file, one sentence each. Functions count in `src` only.
fn too_long(path: &str, text: &str) -> Vec<String> {
    let is_test = path.starts_with("tests/") || path.contains("/tests");
    let most = if is_test { LONGEST_TEST_FILE } else { LONGEST_FILE };
    let count = text.lines().count();
    let mut wrong = Vec::new();
    if count > most {
        wrong.push(format!("{path}: {count} lines, at most {most}. Split it: one job a file"));
    }
    if path.starts_with("tests/") || path.starts_with("cli/tests/") {
        return wrong;
    }
    for (number, line) in text.lines().enumerate() {
        let columns = line.chars().count();
        if columns > LONGEST_LINE {
            wrong.push(format!(
                "{path}:{}: {columns} columns, at most {LONGEST_LINE}. Break the line",
                number + 1
            ));
        }
    }
    let code = without_words(text);
    let lines: Vec<&str> = code.lines().map(str::trim_end).collect();
    for (start, line) in lines.iter().enumerate() {
        let is_function = line.split('(').next().unwrap_or_default().contains("fn ");
        let length = end_of_item(&lines, start) + 1 - start;
        if is_function && length > LONGEST_FUNCTION {
            wrong.push(format!(
                "{path}:{}: a function of {length} lines, at most {LONGEST_FUNCTION}. Give each \
                 step a function",
                start + 1
            ));
        }
    }
    wrong
}

/// Reads all files under a folder of the repository, by their paths.
fn read(folder: &str) -> Files {
    let mut files = Files::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("inside");
                let text = fs::read_to_string(&path).expect("text");
                files.insert(name.to_str().expect("UTF-8").to_owned(), text);
            }
        }
    }
    files
}

/// Reads the files of a folder `src` by their names without it and `.rs`: all but lib.rs and the
/// files that only tests use.
fn house(folder: &str) -> Files {
    let is_for_tests = |part: &str| ["tests", "wire", "samples"].contains(&part);
    let files = read(folder).into_iter().filter_map(|(path, text)| {
        let name = path.strip_prefix(folder)?.strip_prefix('/')?.strip_suffix(".rs")?.to_owned();
        let is_in = name != "lib" && !name.split('/').any(is_for_tests);
        is_in.then_some((name, text))
    });
    files.collect()
}

#[track_caller]
fn is_right(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn imports_go_one_way() {
    for (folder, document) in [("src", "ARCHITECTURE.md"), ("cli/src", "cli/README.md")] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
        let table = fs::read_to_string(path).expect("a document");
        is_right(&wrong_imports(&house(folder), &table));
    }
}

#[test]
fn nothing_is_too_long() {
    let files =
        ["src", "tests", "bench/src", "cli/src", "cli/tests"].map(read).into_iter().flatten();
    is_right(&files.flat_map(|(path, text)| too_long(&path, &text)).collect::<Vec<_>>());
}

const TABLE: &str = "| floor | room | its job |\n|---|---|---|\n\
    | 3 | `top` | decides |\n| 2 | `middle/` | knows |\n| 1 | `low`, `base` | says |\n";

/// Checks the complaints about these files.
#[track_caller]
fn says<const N: usize>(files: [(&str, &str); N], expected: &[&str]) {
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    assert_eq!(wrong_imports(&files, TABLE), expected);
}

#[test]
fn a_house_in_order_is_right() {
    says(
        [
            ("top", "use crate::{base::plain, middle::{self, Noun}};\nmod own;"),
            ("top/own", "fn f() { super::super::low::go() }"),
            ("middle", "pub mod inner;\nuse inner::Noun;"),
            ("middle/inner", "use crate::low;\n// crate::top\nconst A: &str = r#\"crate::top\"#;"),
            ("low", "use std::fmt;\n#[cfg(test)]\nmod tests {\n    use crate::top;\n}\n"),
            ("base", "const QUOTE: char = '\"';\nuse external::top::Thing;"),
        ],
        &[],
    );
}

#[test]
fn an_import_that_goes_up_is_named() {
    says(
        [
            ("top", ""),
            ("middle", ""),
            ("low", ""),
            ("base", "\nfn f() {\n    crate::middle::go()\n}"),
        ],
        &["src/base.rs:3: imports `middle` from a higher floor. Move what both need to a lower \
           room"],
    );
}

#[test]
fn circles_are_named() {
    says(
        [
            ("top", ""),
            ("middle", "mod a;\nmod b;\nfn f() {\n    a::go()\n}"),
            ("middle/a", "use super::b::B;"),
            ("middle/b", "use std::fmt;\nuse super::Parent;"),
            ("low", "use crate::base;"),
            ("base", ""),
        ],
        &["src: a circle of files: middle imports middle/a (line 4), middle/a imports middle/b \
           (line 1), middle/b imports middle (line 2). Move what both need to a file of its own"],
    );
    says(
        [
            ("top", ""),
            ("middle", ""),
            ("low", "use crate::base::own;"),
            ("low/own", ""),
            ("base", ""),
            ("base/own", "use crate::low::own;"),
        ],
        &["src: a circle of rooms: base imports low (line 1), low imports base (line 1). Move \
           what both need to a file of its own"],
    );
}

#[test]
fn rooms_and_table_must_agree() {
    says(
        [("top", ""), ("middle", ""), ("low", ""), ("attic", "")],
        &[
            "src/attic: not in the table of ARCHITECTURE.md. Add a row for it",
            "ARCHITECTURE.md: src has no room `base`. Remove it from the table",
        ],
    );
}

#[test]
fn too_many_rooms_are_counted() {
    let names: Vec<String> = (0..26).map(|n| format!("room{n:02}")).collect();
    let table: String = names.iter().map(|name| format!("| 1 | `{name}` | is one |\n")).collect();
    let files = names.iter().enumerate().map(|(n, name)| {
        let imports = names[..n].iter().map(|to| format!("use crate::{to};\n"));
        (name.clone(), imports.collect())
    });
    assert_eq!(
        wrong_imports(&files.collect(), &table),
        ["src: 26 rooms and 325 arrows between them; at most 25 and 75. Put rooms together, or \
          let one room do without another"]
    );
}

#[test]
fn long_files_lines_and_functions_are_named() {
    let function = |lines: usize| format!("    fn long() {{\n{}    }}\n", "\n".repeat(lines - 2));
    assert!(too_long("src/a.rs", &function(50)).is_empty());
    assert_eq!(
        too_long("src/a.rs", &function(51)),
        ["src/a.rs:1: a function of 51 lines, at most 50. Give each step a function"]
    );
    assert_eq!(
        too_long("src/a.rs", &format!("{}\n{}\n", "é".repeat(100), "é".repeat(101))),
        ["src/a.rs:2: 101 columns, at most 100. Break the line"]
    );
    assert!(too_long("tests/a.rs", &"\n".repeat(500)).is_empty());
    for (path, lines) in [("src/a.rs", 451), ("src/a/tests.rs", 501), ("tests/a.rs", 501)] {
        assert_eq!(
            too_long(path, &"\n".repeat(lines)),
            [format!("{path}: {lines} lines, at most {}. Split it: one job a file", lines - 1)]
        );
    }
}
