//! Values of the model that the tests of several services share.

use serde_json::{Value, json};

use crate::model::Tag;
use crate::model::answer::Outcome;
use crate::model::approval::ApprovalRequest;
use crate::model::config::App;
use crate::model::notice::Notice;
use crate::model::promotion::Update;
use crate::samples::{DIGEST, at, request, web};

/// The token of the promotion.
pub(super) const TOKEN: &str = "ecr-promoter-0f4d7c2b91e65a38d0c7be54f1a29386";
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
        identity: None,
        rollback: None,
    }
}

/// An approval request that nobody has decided on, of an image that names no commit.
pub(super) fn approval_request() -> ApprovalRequest {
    ApprovalRequest {
        digest: DIGEST.parse().expect("a digest"),
        commit: None,
        tag: None,
        running_tag: None,
        running_commit: None,
        running_since: None,
        why: "mode".to_owned(),
        votes: Vec::new(),
        channel: None,
        ..request()
    }
}

/// A notice that concerns no image.
pub(super) fn notice(outcome: Outcome, by: &str, reason: &str) -> Notice {
    Notice::new(outcome, by, reason, at("2026-03-17T09:41:30Z"))
}
