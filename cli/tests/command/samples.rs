//! Answers of the function, as short as they can be.

use serde_json::{Value, json};

pub(crate) const OLD: &str =
    "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub(crate) const NEW: &str =
    "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
pub(crate) const NEWER: &str =
    "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";

/// The answer to a command.
pub(crate) fn answer(outcome: &str, reason: &str) -> Value {
    json!({
        "outcome": outcome, "app": "web", "repository": "web", "digest": NEW, "commit": null,
        "tag": "production_new", "previous_tag": "production_old", "stack": "web",
        "reason": reason, "token": "token-new"
    })
}

/// A status in which nothing is under way.
pub(crate) fn status(tag: &str, digest: &str) -> Value {
    json!({
        "action": "status", "app": "web", "repository": "web", "mode": "auto",
        "stack": {"name": "web", "status": "UPDATE_COMPLETE"},
        "parameter": "ProductionTag", "value": tag,
        "running": {
            "tag": tag, "digest": digest, "commit": null,
            "since": "2026-10-01T00:00:00Z", "by": "alice"
        },
        "newest": {"tag": "latest", "digest": NEW},
        "open": [], "hold": null, "request": null, "waiting": null, "failed": [],
        "passed_over": null
    })
}

/// A status with other values of some keys.
pub(crate) fn with(mut status: Value, keys: Value) -> Value {
    let target = status.as_object_mut().expect("an object");
    target.extend(keys.as_object().expect("an object").clone());
    status
}

/// A promotion.
pub(crate) fn promotion(token: &str, tag: &str, digest: &str) -> Value {
    json!({
        "token": token, "digest": digest, "commit": null, "tag": tag,
        "previous_tag": "production_old", "stack": "web", "by": "alice", "via": "direct",
        "at": "2026-10-01T00:00:00Z", "accepted_at": null, "rolls_back": null
    })
}

/// A promotion in the history, that took 2 minutes and 10 seconds.
pub(crate) fn ended(outcome: &str, reason: &str, promotion: Value) -> Value {
    let end = json!({
        "outcome": outcome, "reason": reason, "number": 1, "ended_at": "2026-10-01T00:02:10Z"
    });
    with(promotion, end)
}

/// The history.
pub(crate) fn history(promotions: &[Value]) -> Value {
    json!({"action": "history", "app": "web", "repository": "web", "promotions": promotions})
}

/// An open request about the new image.
pub(crate) fn request() -> Value {
    json!({
        "id": format!("req-{}", "0".repeat(32)), "digest": NEW, "commit": null,
        "tag": "production_new", "at": "2026-10-01T00:00:00Z",
        "expires_at": "2026-10-04T00:00:00Z", "why": "a push in mode `approval`",
        "progress": "pending", "votes": []
    })
}
