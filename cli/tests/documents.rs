//! Each command line in a help, in the documents and in the examples can be typed. CONTRIBUTING.md
//! states the rule.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use promote_cli::args::Cli;

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").to_owned()
}

/// Splits a command line as a shell does, as far as the documents need it: quotes, and the end at a
/// comment, a pipe, a redirection or another command.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut is_in_word) = (Vec::new(), String::new(), false);
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (Some(end), letter) if end == letter => quote = None,
            (Some(_), letter) => word.push(letter),
            (None, '\'' | '"') => (quote, is_in_word) = (Some(letter), true),
            (None, '#' | '|' | '>' | '&' | ';') => break,
            (None, letter) if letter.is_whitespace() => {
                if is_in_word {
                    words.push(std::mem::take(&mut word));
                }
                is_in_word = false;
            }
            (None, letter) => {
                word.push(letter);
                is_in_word = true;
            }
        }
    }
    if is_in_word {
        words.push(word);
    }
    words
}

/// Whether this is the word of a command.
fn is_command(word: &str) -> bool {
    Cli::command().find_subcommand(word).is_some()
}

/// Parses a command line; the error says which one. `…` stands for the rest of a digest.
fn parse(line: &str) -> Result<(), String> {
    let whole = line.replace("sha256:…", &format!("sha256:{}", "0".repeat(64)));
    let mut words = words(&whole);
    if words.first().is_some_and(|word| word != "promote") {
        words.insert(0, "promote".to_owned());
    }
    // Words for SNS and Slack: `promote web 9fceb02`.
    let second = words.get(1).map(String::as_str).unwrap_or_default();
    if !is_command(second) && !second.starts_with('-') {
        words.insert(0, "promote".to_owned());
    }
    match Cli::try_parse_from(&words) {
        Ok(_) => Ok(()),
        Err(error) if error.exit_code() == 0 => Ok(()),
        Err(error) => Err(format!("`{line}`: {error}")),
    }
}

/// The command lines of a document: lines of `sh` blocks that start with `promote `, and code spans
/// of two words or more that start with a command's word.
fn command_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, part) in text.split("\n```").enumerate() {
        if at % 2 == 1 {
            let (kind, block) = part.split_once('\n').unwrap_or((part, ""));
            let block = block.lines().map(str::trim).filter(|line| line.starts_with("promote "));
            lines.extend(block.filter(|_| kind == "sh").map(str::to_owned));
            continue;
        }
        let spans = part.split('`').skip(1).step_by(2);
        let is_line = |span: &&str| {
            let mut words = span.split_whitespace();
            words.next().is_some_and(|word| word == "promote" || is_command(word))
                && words.next().is_some()
        };
        lines.extend(spans.filter(is_line).map(str::to_owned));
    }
    lines
}

fn files(folder: &Path, ends: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default();
        if ends.contains(&end) {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_help_ends_with_examples_that_can_be_typed() {
    let command = Cli::command();
    let mut all = vec![&command];
    all.extend(command.get_subcommands());
    let mut wrong = Vec::new();
    for command in all {
        let name = command.get_name();
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let Some(examples) = help.strip_prefix("Examples:\n") else {
            wrong.push(format!("`{name} --help` has no `Examples:`"));
            continue;
        };
        let examples: Vec<&str> =
            examples.lines().map_while(|line| line.strip_prefix("  ")).collect();
        if examples.is_empty() {
            wrong.push(format!("`{name} --help` has no example"));
        }
        for example in examples {
            // What an example does stands after two spaces.
            let line = example.split("  ").next().unwrap_or_default();
            let is_own = name == "promote" || line.starts_with(&format!("promote {name}"));
            if !is_own {
                wrong.push(format!("`{name} --help`: `{line}` is another command"));
            }
            wrong.extend(parse(line).err());
        }
        let is_report = matches!(name, "completions");
        if !is_report && !help.contains("Exit codes:") {
            wrong.push(format!("`{name} --help` names no exit codes"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_line_of_the_documents_can_be_typed() {
    let root = root();
    let mut documents = files(&root.join("docs"), &["md"]);
    documents.push(root.join("README.md"));
    let (mut wrong, mut count) = (Vec::new(), 0);
    for document in documents {
        let text = fs::read_to_string(&document).expect("text");
        for line in command_lines(&text) {
            count += 1;
            let name = document.file_name().unwrap_or_default().to_string_lossy();
            wrong.extend(parse(&line).err().map(|error| format!("{name}: {error}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 50, "only {count} command lines were found");
}

#[test]
fn every_command_line_of_the_examples_can_be_typed() {
    let examples = root().join("examples");
    let mut paths = files(&examples, &["md", "yaml", "yml", "sh"]);
    paths.extend(files(&examples.join("ci"), &["md", "yaml", "yml", "sh"]));
    let mut wrong = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("text");
        let lines = text.lines().map(|line| line.trim().trim_start_matches("- "));
        let lines = lines.map(|line| line.trim_start_matches("run: "));
        for line in lines.filter(|line| line.starts_with("promote ")) {
            wrong.extend(parse(line).err().map(|error| format!("{}: {error}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_cannot_be_typed_is_found() {
    let text = "Use `rollback web 9fceb02`, `hold`, `plan nothing here` or `aws lambda`.\n```sh\n\
        promote promote web --yes | cat  # go\naws promote x\n```\n```yaml\npromote bad line\n```\n";
    let lines = command_lines(text);
    assert_eq!(
        lines,
        ["rollback web 9fceb02", "plan nothing here", "promote promote web --yes | cat  # go"]
    );
    assert_eq!(words("a 'b c' \"d\" ''  # e"), ["a", "b c", "d", ""]);
    for good in ["promote web", "promote web sha256:…", "promote status", "hold web a b"] {
        assert_eq!(parse(good), Ok(()), "{good}");
    }
    for bad in ["promote web a b", "rollback", "promote status --wach", "where latest"] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}
