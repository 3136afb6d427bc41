//! Commands about all apps: `board`, `where`, and `status` and `reconcile` without an app; and
//! those about one or all.

use serde::Deserialize;
use serde_json::Value;

use super::command::{not_null, read};
use super::{Event, NotUnderstood, examine};
use crate::model::command::ImageRef;
use crate::model::{AppName, Commit, Digest};
use crate::text::brief;

/// Reads a JSON command that is about all apps; `None` if it is about one.
pub(super) fn from_json(raw: &Value) -> Option<Result<Event, NotUnderstood>> {
    let names_app = raw.get("app").is_some() || raw.get("repository").is_some();
    match raw.get("action")?.as_str()? {
        "board" => Some(board(raw)),
        "where" => Some(place(raw)),
        "audit" => Some(examine::audit(raw)),
        "check" => Some(examine::check(raw)),
        "reconcile" if !names_app => Some(due(raw)),
        "status" if !names_app => Some(statuses(raw)),
        _ => None,
    }
}

/// Reads words that are about all apps; `None` if they are about one.
pub fn from_words(text: &str) -> Option<Result<Event, NotUnderstood>> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (action, rest) = words.split_first()?;
    match (action.to_ascii_lowercase().as_str(), rest) {
        ("board", []) => Some(Ok(Event::Board { by: None })),
        ("status", []) => Some(Ok(Event::Statuses { after: None })),
        ("reconcile", []) => Some(Ok(Event::Due { only_open_work: false })),
        ("audit", [] | [_]) => Some(examine::named(rest, text, examine::audit_of)),
        ("check", [] | [_]) => Some(examine::named(rest, text, examine::check_of)),
        ("audit" | "check", _) => Some(Err(NotUnderstood::new(format!(
            "`{}`: one app at most was expected",
            brief(text)
        )))),
        ("where", [image]) => Some(named(image)),
        ("where", _) => Some(Err(NotUnderstood::new(format!(
            "`{}`: `where` takes one commit or digest",
            brief(text)
        )))),
        _ => None,
    }
}

/// Reads the word that names an image.
fn named(word: &str) -> Result<Event, NotUnderstood> {
    if let Ok(digest) = word.parse() {
        return Ok(Event::Where(ImageRef::Digest(digest)));
    }
    let commit = word.parse::<Commit>().map_err(|error| {
        NotUnderstood::new(format!("`where {}`: {error}, nor a digest", brief(word)))
    })?;
    Ok(Event::Where(ImageRef::Commit(commit)))
}

/// `reconcile` without an app: all apps, or those with open work.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reconcile {
    #[serde(rename = "action")]
    _action: String,
    #[serde(default)]
    only_open_work: bool,
}

fn due(raw: &Value) -> Result<Event, NotUnderstood> {
    let Reconcile { only_open_work, .. } = read(raw)?;
    Ok(Event::Due { only_open_work })
}

/// `board`: about all apps, so it names none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Board {
    #[serde(rename = "action")]
    _action: String,
    #[serde(default, deserialize_with = "not_null")]
    by: Option<String>,
}

fn board(raw: &Value) -> Result<Event, NotUnderstood> {
    let Board { by, .. } = read(raw)?;
    Ok(Event::Board { by: by.map(|name| brief(name.trim())).filter(|name| !name.is_empty()) })
}

/// `status` without an app. Whoever asks and the command's id change nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statuses {
    #[serde(rename = "action")]
    _action: String,
    #[serde(default, deserialize_with = "not_null")]
    after: Option<AppName>,
    #[serde(rename = "by", default)]
    _by: Option<String>,
    #[serde(rename = "id", default)]
    _id: Option<String>,
}

fn statuses(raw: &Value) -> Result<Event, NotUnderstood> {
    let Statuses { after, .. } = read(raw)?;
    Ok(Event::Statuses { after })
}

/// `where`: the apps that have an image, named by its commit or digest.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    #[serde(rename = "action")]
    _action: String,
    #[serde(default, deserialize_with = "not_null")]
    digest: Option<Digest>,
    #[serde(default, deserialize_with = "not_null")]
    commit: Option<Commit>,
    #[serde(rename = "by", default)]
    _by: Option<String>,
    #[serde(rename = "id", default)]
    _id: Option<String>,
    #[serde(default)]
    app: Option<AppName>,
}

fn place(raw: &Value) -> Result<Event, NotUnderstood> {
    match read(raw)? {
        Place { app: Some(_), .. } => {
            Err(NotUnderstood::new("`where` is about all apps: it takes no app"))
        }
        Place { digest: Some(digest), commit: None, .. } => {
            Ok(Event::Where(ImageRef::Digest(digest)))
        }
        Place { digest: None, commit: Some(commit), .. } => {
            Ok(Event::Where(ImageRef::Commit(commit)))
        }
        Place { digest: Some(_), commit: Some(_), .. } => {
            Err(NotUnderstood::new("`where` names a digest and a commit; one is enough"))
        }
        Place { digest: None, commit: None, .. } => {
            Err(NotUnderstood::new("`where` names no commit and no digest"))
        }
    }
}
