//! Values of the model that the tests of several services share.

use serde_json::{Value, json};

use crate::model::answer::Outcome;
use crate::model::approval::{ApprovalRequest, Progress};
use crate::model::config::App;
use crate::model::notice::Notice;
use crate::model::promotion::Update;
use crate::model::{Repository, Tag};

/// The digest of `hello`.
pub(super) const DIGEST: &str =
    "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
/// A commit, and another one.
pub(super) const COMMIT: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";
pub(super) const OTHER_COMMIT: &str = "e83c5163316f89bfbde7d9ab23ca2e25604af290";
/// The token of the promotion.
pub(super) const TOKEN: &str = "ecr-promoter-0f4d7c2b91e65a38d0c7be54f1a29386";
/// The id of the approval request.
pub(super) const REQUEST: &str = "req-0123456789abcdef0123456789abcdef";

/// The repository of the app.
pub(super) fn web() -> Repository {
    "web".parse().expect("a repository")
}

/// The app with this configuration.
pub(super) fn app(config: &Value) -> App {
    App::parse(&web(), "test", &config.to_string()).expect("a configuration")
}

/// The app with the shortest configuration.
pub(super) fn web_app() -> App {
    app(&json!({ "stack": "web" }))
}

/// A tag.
pub(super) fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}

/// The update of the promotion.
pub(super) fn update() -> Update {
    Update {
        token: TOKEN.parse().expect("a token"),
        tag: tag("production_9fceb02"),
        others: vec!["AppName".to_owned(), "Secret".to_owned()],
        capabilities: vec![],
        rollback: None,
    }
}

/// An approval request that nobody has decided on.
pub(super) fn approval_request() -> ApprovalRequest {
    ApprovalRequest {
        id: REQUEST.parse().expect("an id"),
        digest: DIGEST.parse().expect("a digest"),
        commit: None,
        tag: None,
        running_tag: None,
        running_commit: None,
        running_since: None,
        at: "2026-03-17T09:41:30Z".parse().expect("a time"),
        expires_at: "2026-03-20T09:41:30Z".parse().expect("a time"),
        why: "mode".to_owned(),
        changes: Vec::new(),
        repository: None,
        shown_changes: None,
        policy: None,
        votes: Vec::new(),
        promoted_by: None,
        is_approved: false,
        progress: Progress::Pending,
        channel: None,
        posted: None,
        shown: None,
    }
}

/// A notice that concerns no image.
pub(super) fn notice(outcome: Outcome, by: &str, reason: &str) -> Notice {
    Notice {
        outcome,
        digest: None,
        commit: None,
        tag: None,
        previous_tag: None,
        previous_commit: None,
        by: by.to_owned(),
        reason: reason.to_owned(),
        at: "2026-03-17T09:41:30Z".parse().expect("a time"),
        took_seconds: None,
        rolls_back: None,
        changes: Vec::new(),
        request: None,
        expires_at: None,
        tries: 0,
        tried_at: None,
    }
}
