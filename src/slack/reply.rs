//! Answers in words, for somebody who asked in Slack.

use serde_json::Value;

use crate::model::answer::{Answer, Reply};
use crate::notification::image_name;

/// The answer to `help`.
pub const HELP: &str = "\
`/promote <app>` promotes the newest image; `/promote <app> <commit>` promotes the image of that \
commit.
`/promote approve <app> <digest or commit>` and `/promote reject <app> <digest or commit>` decide \
on the candidate.
`/promote rollback <app>` goes back to the previous image; `/promote rollback <app> <commit>` goes \
back to the image of that commit. From then on pushes ask for approval.
`/promote cancel <app>` cancels what is under way. `/promote ask <app>` asks for approval of the \
newest image again.
`/promote hold <app> <reason>` makes pushes ask for approval instead of deploying; \
`/promote resume <app>` ends that.
`/promote board` gives you a link to a page of all apps. It has your rights, for 15 minutes.
`/promote status <app>`, `/promote history <app>` and `/promote plan <app> [<commit>]` show how \
things are and change nothing.";

/// Says the answer to a command in words.
pub fn words(reply: &Reply) -> String {
    match reply {
        Reply::Answer(answer) => of_answer(answer),
        Reply::Report(report) => match report["action"].as_str() {
            Some("status") => of_status(report),
            Some("history") => of_history(report),
            Some("plan") => of_plan(report),
            Some("board") => of_board(report),
            _ => report.to_string(),
        },
    }
}

/// The same for somebody who may look but not command: what runs and what is pending, without a
/// word from AWS.
pub fn words_for_outsiders(reply: &Reply) -> String {
    match reply {
        Reply::Report(report) => match report["action"].as_str() {
            Some("status") => status_for_outsiders(report),
            Some("history") => of_history(report),
            Some("plan") => {
                let (app, would) = (text(&report["repository"]), text(&report["would"]));
                let (before, tag) = (text(&report["previous_tag"]), text(&report["tag"]));
                format!(
                    "{app}: promote would answer {would} ({before} → {tag}). Only people who may \
                     command the app can see why."
                )
            }
            _ => NOT_SHOWN.to_owned(),
        },
        Reply::Answer(_) => NOT_SHOWN.to_owned(),
    }
}

const NOT_SHOWN: &str = "Only people who may command the app can see that.";

fn status_for_outsiders(report: &Value) -> String {
    let app = text(&report["repository"]);
    let mut lines = vec![format!(
        "{app} runs {} (mode {})",
        text(&report["running"]["tag"]),
        text(&report["mode"])
    )];
    lines.extend(
        report["running"]["since"]
            .as_str()
            .map(|since| format!("• since {since}, by {}", text(&report["running"]["by"]))),
    );
    lines.extend(
        list(&report["open"]).map(|open| {
            format!("• under way: {}, since {}", text(&open["tag"]), text(&open["at"]))
        }),
    );
    if report["hold"].is_object() {
        lines.push("• held".to_owned());
    }
    if report["request"]["progress"] == "pending" {
        lines.push(format!("• waits for approval: {}", text(&report["request"]["digest"])));
    }
    if report["waiting"].is_object() {
        lines.push(format!("• {}", text(&report["waiting"]["outcome"])));
    }
    lines.join("\n")
}

fn of_answer(answer: &Answer) -> String {
    let app = answer.repository.as_ref().map(ToString::to_string).unwrap_or_default();
    let what = image_name(answer.commit.as_ref(), answer.digest.as_ref())
        .map(|name| format!(" {name}"))
        .unwrap_or_default();
    let mut lines = vec![format!("{app}{what}: {}. {}", answer.outcome, answer.reason)];
    lines.extend(answer.changes.iter().map(|change| format!("• {change}")));
    lines.join("\n")
}

fn of_status(report: &Value) -> String {
    let app = text(&report["repository"]);
    let running = &report["running"];
    let mut lines =
        vec![format!("{app} runs {} (mode {})", text(&running["tag"]), text(&report["mode"]))];
    if let Some(since) = running["since"].as_str() {
        lines.push(format!("• since {since}, by {}", text(&running["by"])));
    }
    lines.push(format!(
        "• stack {} is in {}",
        text(&report["stack"]["name"]),
        text(&report["stack"]["status"])
    ));
    if report["newest"]["digest"] != running["digest"] {
        lines.push(format!(
            "• newest: {} ({})",
            text(&report["newest"]["digest"]),
            text(&report["newest"]["tag"])
        ));
    }
    for open in list(&report["open"]) {
        lines.push(format!(
            "• under way: {} by {}, since {}",
            text(&open["tag"]),
            text(&open["by"]),
            text(&open["at"])
        ));
    }
    let hold = &report["hold"];
    if hold.is_object() {
        lines.push(format!(
            "• held by {} since {}: {}",
            text(&hold["by"]),
            text(&hold["at"]),
            text(&hold["reason"])
        ));
    }
    let request = &report["request"];
    if request["progress"] == "pending" {
        lines.push(format!(
            "• waits for approval: {} until {}",
            text(&request["digest"]),
            text(&request["expires_at"])
        ));
    }
    if report["waiting"].is_object() {
        lines.push(format!(
            "• {}: {}",
            text(&report["waiting"]["outcome"]),
            text(&report["waiting"]["reason"])
        ));
    }
    lines.join("\n")
}

fn of_history(report: &Value) -> String {
    const MOST: usize = 10;
    let mut lines =
        vec![format!("{}: the last promotions, newest first", text(&report["repository"]))];
    let entry = |entry: &Value| {
        format!(
            "• {} {} by {}, {}",
            text(&entry["tag"]),
            text(&entry["outcome"]),
            text(&entry["by"]),
            text(&entry["at"])
        )
    };
    lines.extend(list(&report["promotions"]).take(MOST).map(entry));
    lines.join("\n")
}

fn of_plan(report: &Value) -> String {
    let mut lines = vec![format!(
        "{}: promote would answer {} ({} → {}). {}",
        text(&report["repository"]),
        text(&report["would"]),
        text(&report["previous_tag"]),
        text(&report["tag"]),
        text(&report["reason"])
    )];
    lines.extend(list(&report["changes"]).map(|change| format!("• {}", text(change))));
    lines.extend(list(&report["warnings"]).map(|warning| format!("• Warning: {}", text(warning))));
    lines.join("\n")
}

fn of_board(report: &Value) -> String {
    format!(
        "The board, until {}. Anyone with this address can act as you, so do not share it:\n{}",
        text(&report["expires_at"]),
        text(&report["url"])
    )
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_reads_at_a_glance() {
        let report = json!({
            "action": "status", "repository": "web", "mode": "auto",
            "stack": { "name": "web", "status": "UPDATE_COMPLETE" },
            "running": {
                "tag": "production_9fceb02", "digest": "sha256:1", "since": "2026-03-17T09:41:30Z",
                "by": "alice",
            },
            "newest": { "tag": "latest", "digest": "sha256:2" },
            "open": [], "waiting": null,
            "hold": { "by": "bob", "at": "2026-03-17T10:00:00Z", "reason": "release freeze" },
            "request": {
                "progress": "pending", "digest": "sha256:2", "expires_at": "2026-03-20T10:00:00Z",
            },
        });
        insta::assert_snapshot!(words(&Reply::Report(report)), @r"
        web runs production_9fceb02 (mode auto)
        • since 2026-03-17T09:41:30Z, by alice
        • stack web is in UPDATE_COMPLETE
        • newest: sha256:2 (latest)
        • held by bob since 2026-03-17T10:00:00Z: release freeze
        • waits for approval: sha256:2 until 2026-03-20T10:00:00Z
        ");
    }

    #[test]
    fn outsiders_see_what_runs_and_nothing_from_aws() {
        let secret = "arn:aws:ecs:us-east-1:012345678912:service/web did not stabilize";
        let status = json!({
            "action": "status", "repository": "web", "mode": "auto",
            "stack": { "name": "web", "status": "UPDATE_ROLLBACK_FAILED" },
            "running": {
                "tag": "production_9fceb02", "digest": "sha256:1", "since": "2026-03-17T09:41:30Z",
                "by": "alice",
            },
            "newest": { "tag": "latest", "digest": "sha256:2" },
            "open": [{ "tag": "production_abc1234", "by": "bob", "at": "2026-03-17T10:00:00Z" }],
            "waiting": { "outcome": "blocked", "reason": secret },
            "hold": { "by": "bob", "at": "2026-03-17T10:00:00Z", "reason": secret },
            "request": {
                "progress": "pending", "digest": "sha256:2", "expires_at": "2026-03-20T10:00:00Z",
            },
        });
        insta::assert_snapshot!(words_for_outsiders(&Reply::Report(status)), @r"
        web runs production_9fceb02 (mode auto)
        • since 2026-03-17T09:41:30Z, by alice
        • under way: production_abc1234, since 2026-03-17T10:00:00Z
        • held
        • waits for approval: sha256:2
        • blocked
        ");
        let plan = json!({
            "action": "plan", "repository": "web", "would": "blocked",
            "previous_tag": "production_old", "tag": "production_9fceb02",
            "reason": secret, "changes": [secret],
        });
        assert_eq!(
            words_for_outsiders(&Reply::Report(plan)),
            "web: promote would answer blocked (production_old → production_9fceb02). Only people \
             who may command the app can see why."
        );
        let refused = Answer { reason: secret.to_owned(), ..Answer::ignored(None, "") };
        assert!(!words_for_outsiders(&refused.into()).contains("arn:"));
    }

    #[test]
    fn a_board_is_a_link_with_its_time() {
        let report = json!({
            "action": "board", "url": "https://x.example/board/t.1-_a",
            "expires_at": "2026-03-17T09:56:30Z",
        });
        assert_eq!(
            words(&Reply::Report(report)),
            "The board, until 2026-03-17T09:56:30Z. Anyone with this address can act as you, so \
             do not share it:\nhttps://x.example/board/t.1-_a"
        );
    }

    #[test]
    fn a_history_and_a_plan_are_lists() {
        let promotion = json!({
            "tag": "production_9fceb02", "outcome": "deployed", "by": "alice",
            "at": "2026-03-17T09:41:30Z",
        });
        let history =
            json!({ "action": "history", "repository": "web", "promotions": [promotion] });
        assert_eq!(
            words(&Reply::Report(history)),
            "web: the last promotions, newest first\n• production_9fceb02 deployed by alice, \
             2026-03-17T09:41:30Z"
        );
        let plan = json!({
            "action": "plan", "repository": "web", "would": "blocked",
            "previous_tag": "production_e83c516", "tag": "production_9fceb02",
            "reason": "the guard", "changes": ["Modify AWS::RDS::DBInstance Database, replacement"],
            "warnings": ["The image says no commit."],
        });
        assert_eq!(
            words(&Reply::Report(plan)),
            "web: promote would answer blocked (production_e83c516 → production_9fceb02). the \
             guard\n\
             • Modify AWS::RDS::DBInstance Database, replacement\n\
             • Warning: The image says no commit."
        );
    }
}
