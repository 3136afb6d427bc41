//! What people read.

use serde_json::json;

use super::*;
use crate::answer::Status;

/// The text as a file gets it, without colours.
fn without_colour(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn commits_and_digests_are_short_and_everything_else_stays() {
    let commit = "9fceb02d0ae598e95dc970b74767f19372d61af8";
    assert_eq!(short_tag(&format!("production_{commit}")), "production_9fceb02");
    assert_eq!(
        short_tag(&format!("production_{commit}-0123456789ab")),
        "production_9fceb02-0123456789ab"
    );
    assert_eq!(short_tag("production_initial"), "production_initial");
    assert_eq!(short_digest(&format!("sha256:{}", "ab".repeat(32))), "sha256:abababababab…");
    assert_eq!(short_digest("sha256:12"), "sha256:12");
    assert_eq!(image(Some(commit), Some("sha256:12")), "9fceb02");
    assert_eq!(image(None, Some("sha256:12")), "sha256:12");
}

#[test]
fn an_answer_says_what_to_type_next() {
    let shown = |outcome: &str| {
        let json = json!({"outcome": outcome, "app": "web", "tag": "production_x",
            "reason": "bad\nnews\u{1b}[31m", "changes": ["Modify Task"]});
        without_colour(&answer(&serde_json::from_value(json).expect("an answer")))
    };
    assert_eq!(
        shown("promoted"),
        "promoted: web production_x: bad news [31m\n  Modify Task\n\
         Follow it: promote status web --watch\n"
    );
    assert!(shown("approval_requested").ends_with("Decide: promote approve web\n"));
    assert!(shown("failed").ends_with("Look: promote status web\n"));
    assert!(shown("refused").ends_with("Modify Task\n"));
}

#[test]
fn the_table_of_all_apps_says_first_who_needs_people() {
    let status = |keys: serde_json::Value| -> Status {
        let mut json = json!({
            "app": "web", "mode": "auto", "stack": {"name": "web", "status": "UPDATE_COMPLETE"},
            "parameter": "P", "value": "x", "running": null,
            "newest": {"tag": "latest", "digest": null}, "open": []
        });
        json.as_object_mut().expect("an object").extend(keys.as_object().expect("keys").clone());
        serde_json::from_value(json).expect("a status")
    };
    let now: Timestamp = "2026-10-01T12:00:00Z".parse().expect("a time");
    let at = "2026-10-01T11:00:00Z";
    let hold = json!({"by": "bob", "at": at, "reason": "r"});
    let request = json!({"id": "req-1", "digest": "sha256:1", "commit": "9fceb02d",
        "progress": "pending", "expires_at": at});
    let decided = json!({"id": "req-1", "digest": "sha256:1", "progress": {"failed": "no"},
        "expires_at": at});
    let open = json!([{"token": "t", "digest": "d", "tag": "production_x", "at": at}]);
    let blocked = json!({"since": at, "outcome": "blocked", "reason": "r"});
    for (keys, what) in [
        (json!({}), "runs"),
        (json!({"hold": hold}), "held 1 h ago"),
        (json!({"hold": hold, "request": request}), "asks about 9fceb02"),
        (json!({"hold": hold, "request": decided}), "held 1 h ago"),
        (json!({"open": open}), "queued production_x"),
        (json!({"open": open, "waiting": blocked}), "blocked"),
    ] {
        let app = crate::answer::Said::Report(status(keys));
        let table = without_colour(&status::all(&[app], now));
        let row = table.lines().nth(1).expect("a row");
        assert!(row.starts_with(&format!("web  {what}")), "{row:?}: {what}");
    }
    assert_eq!(status::all(&[], now), "no app is configured\n");
}
