//! The documents for people: their links lead somewhere, and README stays short.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The Markdown files at the top and in docs/.
fn documents() -> Vec<PathBuf> {
    [root(), root().join("docs")]
        .iter()
        .flat_map(|folder| fs::read_dir(folder).expect("a folder"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

/// The text without blocks of code.
fn prose(text: &str) -> String {
    let parts = text.split("\n```").enumerate().filter(|(at, _)| at % 2 == 0);
    parts.map(|(_, part)| part).collect()
}

/// What Markdown links and images of HTML lead to.
fn links(text: &str) -> Vec<&str> {
    let after = |start: &'static str, end: char| {
        text.split(start).skip(1).filter_map(move |rest| Some(rest.split_once(end)?.0))
    };
    after("](", ')').chain(after("src=\"", '"')).collect()
}

/// The anchors that GitHub makes of a document's headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let kept = |letter: &char| letter.is_alphanumeric() || " -_".contains(*letter);
        let words: String = heading.trim_start_matches('#').trim().chars().filter(kept).collect();
        words.to_lowercase().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut broken = Vec::new();
    for document in documents() {
        let text = prose(&read(&document));
        for link in links(&text).iter().filter(|link| !link.starts_with("https://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => document.clone(),
                file => document.parent().expect("a folder").join(file),
            };
            let is_there = target.exists()
                && (anchor.is_empty() || anchors(&prose(&read(&target))).contains(anchor));
            if !is_there {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "these lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn every_page_and_picture_is_reachable_from_the_readme() {
    let readme = root().join("README.md");
    let (mut seen, mut open) = (BTreeSet::new(), vec![readme]);
    while let Some(path) = open.pop() {
        // Addresses of the web are no files.
        let Ok(document) = path.canonicalize() else { continue };
        let is_markdown = document.extension().is_some_and(|extension| extension == "md");
        if seen.insert(document.clone()) && is_markdown {
            let text = prose(&read(&document));
            let folder = document.parent().expect("a folder");
            let files = links(&text).into_iter().filter_map(|link| link.split('#').next());
            open.extend(files.filter(|file| !file.is_empty()).map(|file| folder.join(file)));
        }
    }
    let pictures = fs::read_dir(root().join("docs/pictures")).expect("a folder");
    let pictures = pictures.map(|entry| entry.expect("an entry").path());
    let is_shown = |path: &PathBuf| path.extension().is_some_and(|extension| extension != "sha256");
    for page in documents().into_iter().chain(pictures.filter(is_shown)) {
        assert!(seen.contains(&page), "no page leads to {}", page.display());
    }
}

#[test]
fn the_readme_has_at_most_250_lines() {
    let lines = read(&root().join("README.md")).lines().count();
    assert!(lines <= 250, "{lines} lines: move something to docs/");
}

/// The number of a constant `VERSION` in a source file.
fn version_in(file: &str) -> Option<u64> {
    let text = read(&root().join(file));
    let line = text.lines().find(|line| line.starts_with("pub const VERSION: "))?.to_owned();
    line.split_once(" = ")?.1.trim_end_matches(';').parse().ok()
}

#[test]
fn the_function_and_its_command_speak_the_same_version() {
    let function = version_in("src/event/command.rs");
    assert!(function.is_some());
    assert_eq!(version_in("cli/src/command.rs"), function);
}

/// The command recognises an older function by its words.
#[test]
fn the_command_knows_the_functions_words_about_versions() {
    let command = read(&root().join("cli/src/mismatch.rs"));
    for (file, words) in [
        ("src/json/problem.rs", "there is no such key"),
        ("src/event/command.rs", "the command has version"),
        ("src/event/command.rs", "is not a command"),
    ] {
        assert!(read(&root().join(file)).contains(words), "{file}: {words}");
        assert!(command.contains(words), "{words}");
    }
}
