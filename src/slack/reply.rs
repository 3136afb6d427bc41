//! Answers in words, for somebody who asked in Slack.

use crate::model::answer::Answer;
use crate::model::approval::{ApprovalRequest, Progress};
use crate::model::report::{BoardLink, History, PromotionPlan, Reply, Report, Status};
use crate::model::{Digest, Repository, Tag};
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
        Reply::Report(Report::Status(status)) => of_status(status),
        Reply::Report(Report::History(history)) => of_history(history),
        Reply::Report(Report::Plan(plan)) => of_plan(plan),
        Reply::Report(Report::Board(link)) => of_board(link),
        Reply::Report(Report::Looks(looks)) => {
            looks.results.iter().map(words).collect::<Vec<_>>().join("\n")
        }
    }
}

/// The same for somebody who may look but not command: what runs and what is pending, without a
/// word from AWS.
pub fn words_for_outsiders(reply: &Reply) -> String {
    match reply {
        Reply::Report(Report::Status(status)) => status_for_outsiders(status),
        Reply::Report(Report::History(history)) => of_history(history),
        Reply::Report(Report::Plan(plan)) => {
            format!("{}. Only people who may command the app can see why.", would_answer(plan))
        }
        Reply::Report(Report::Board(_) | Report::Looks(_)) | Reply::Answer(_) => {
            NOT_SHOWN.to_owned()
        }
    }
}

const NOT_SHOWN: &str = "Only people who may command the app can see that.";
const UNKNOWN: &str = "unknown";

fn of_answer(answer: &Answer) -> String {
    let app = answer.repository.as_ref().map(ToString::to_string).unwrap_or_default();
    let what = image_name(answer.commit.as_ref(), answer.digest.as_ref())
        .map(|name| format!(" {name}"))
        .unwrap_or_default();
    let mut lines = vec![format!("{app}{what}: {}. {}", answer.outcome, answer.reason)];
    lines.extend(answer.changes.iter().map(|change| format!("• {change}")));
    lines.join("\n")
}

/// What runs, and since when, if that is known.
fn what_runs(status: &Status) -> Vec<String> {
    let running = status.running.as_ref();
    let tag = running.map_or(UNKNOWN, |running| running.tag.as_str());
    let mut lines = vec![format!("{} runs {tag} (mode {})", status.repository, status.mode)];
    lines.extend(
        running
            .and_then(|running| Some(format!("• since {:.0}, by {}", running.since?, running.by))),
    );
    lines
}

fn pending(status: &Status) -> Option<&ApprovalRequest> {
    status.request.as_ref().filter(|request| request.progress == Progress::Pending)
}

fn of_status(status: &Status) -> String {
    let mut lines = what_runs(status);
    lines.push(format!("• stack {} is in {}", status.stack.name, status.stack.status));
    let newest = status.newest.digest.as_ref();
    if newest != status.running.as_ref().and_then(|running| running.digest.as_ref()) {
        let digest = newest.map_or(UNKNOWN, Digest::as_str);
        lines.push(format!("• newest: {digest} ({})", status.newest.tag));
    }
    lines.extend(
        status
            .open
            .iter()
            .map(|open| format!("• under way: {} by {}, since {:.0}", open.tag, open.by, open.at)),
    );
    if let Some(hold) = &status.hold {
        lines.push(format!("• held by {} since {:.0}: {}", hold.by, hold.at, hold.reason));
    }
    if let Some(request) = pending(status) {
        let (digest, until) = (&request.digest, request.expires_at);
        lines.push(format!("• waits for approval: {digest} until {until:.0}"));
    }
    if let Some(waiting) = &status.waiting {
        lines.push(format!("• {}: {}", waiting.outcome, waiting.reason));
    }
    lines.join("\n")
}

fn status_for_outsiders(status: &Status) -> String {
    let mut lines = what_runs(status);
    let open = status.open.iter();
    lines.extend(open.map(|open| format!("• under way: {}, since {:.0}", open.tag, open.at)));
    lines.extend(status.hold.as_ref().map(|_| "• held".to_owned()));
    lines
        .extend(pending(status).map(|request| format!("• waits for approval: {}", request.digest)));
    lines.extend(status.waiting.as_ref().map(|waiting| format!("• {}", waiting.outcome)));
    lines.join("\n")
}

fn of_history(history: &History) -> String {
    const MOST: usize = 10;
    let mut lines = vec![format!("{}: the last promotions, newest first", history.repository)];
    lines.extend(history.promotions.iter().take(MOST).map(|entry| {
        let promotion = entry.promotion();
        let (tag, by, at) = (&promotion.tag, &promotion.by, promotion.at);
        format!("• {tag} {} by {by}, {at:.0}", entry.outcome)
    }));
    lines.join("\n")
}

fn would_answer(plan: &PromotionPlan) -> String {
    format!(
        "{}: promote would answer {} ({} → {})",
        plan.repository.as_ref().map_or(UNKNOWN, Repository::as_str),
        plan.would,
        plan.previous_tag.as_deref().unwrap_or(UNKNOWN),
        plan.tag.as_ref().map_or(UNKNOWN, Tag::as_str),
    )
}

fn of_plan(plan: &PromotionPlan) -> String {
    let mut lines = vec![format!("{}. {}", would_answer(plan), plan.reason)];
    lines.extend(plan.changes.iter().flatten().map(|change| format!("• {change}")));
    lines.extend(plan.warnings.iter().map(|warning| format!("• Warning: {warning}")));
    lines.join("\n")
}

fn of_board(link: &BoardLink) -> String {
    format!(
        "The board, until {}. Anyone with this address can act as you, so do not share it:\n{}",
        link.expires_at, link.url
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::answer::Outcome;
    use crate::model::config::Mode;
    use crate::model::promotion::{End, Ended, Promotion};
    use crate::model::report::{HistoryEntry, Newest, StackStatus};
    use crate::model::state::{Hold, Running, Waiting};

    /// A value of a type that only JSON makes.
    fn parsed<T: serde::de::DeserializeOwned>(json: serde_json::Value) -> T {
        serde_json::from_value(json).expect("it parses")
    }

    /// Words with the digests of [`digest`] cut short.
    fn shortened(words: &str) -> String {
        words.replace(&"0".repeat(63), "")
    }

    fn digest(n: u8) -> Digest {
        format!("sha256:{n:064}").parse().expect("a digest")
    }

    fn promotion(tag: &str, by: &str, at: &str) -> Promotion {
        parsed(json!({
            "token": "t", "digest": digest(1), "commit": null, "tag": tag, "previous_tag": "x",
            "previous_commit": null, "stack": "web", "by": by, "via": "direct", "at": at,
        }))
    }

    /// `reason` is the reason of all that has one.
    fn status(reason: &str) -> Status {
        let request = json!({
            "id": "req-0123456789abcdef0123456789abcdef", "digest": digest(2), "commit": null,
            "tag": null, "running_tag": null, "running_commit": null, "running_since": null,
            "at": "2026-03-17T10:00:00Z", "expires_at": "2026-03-20T10:00:00.5Z", "why": reason,
            "votes": [], "is_approved": false, "progress": "pending", "channel": null,
            "posted": null, "shown": null,
        });
        let at = "2026-03-17T10:00:00.123Z".parse().expect("a time");
        let running = Running {
            note: None,
            tag: "production_9fceb02".to_owned(),
            digest: Some(digest(1)),
            commit: None,
            since: Some("2026-03-17T09:41:30.9Z".parse().expect("a time")),
            by: "alice".to_owned(),
        };
        Status {
            repository: "web".parse().expect("a name"),
            mode: Mode::Auto,
            stack: StackStatus { name: "web".to_owned(), status: "UPDATE_COMPLETE".to_owned() },
            parameter: "ProductionTag".to_owned(),
            value: "production_9fceb02".to_owned(),
            running: Some(running),
            newest: Newest { tag: "latest".parse().expect("a tag"), digest: Some(digest(2)) },
            open: Vec::new(),
            verifying: None,
            bake: None,
            services: Vec::new(),
            hold: Some(Hold { by: "bob".to_owned(), at, reason: reason.to_owned() }),
            request: Some(parsed(request)),
            waiting: None,
            failed: Vec::new(),
            passed_over: None,
        }
    }

    fn plan(reason: &str, changes: &[&str]) -> PromotionPlan {
        PromotionPlan {
            of: None,
            way_back: None,
            would: Outcome::Blocked,
            repository: Some("web".parse().expect("a name")),
            digest: None,
            commit: None,
            tag: Some("production_9fceb02".parse().expect("a tag")),
            previous_tag: Some("production_e83c516".to_owned()),
            stack: None,
            parameter: "ProductionTag".to_owned(),
            reason: reason.to_owned(),
            changes: Some(changes.iter().map(|change| (*change).to_owned()).collect()),
            warnings: vec!["The image says no commit.".to_owned()],
        }
    }

    #[test]
    fn a_status_reads_at_a_glance() {
        let status = Report::Status(Box::new(status("release freeze")));
        insta::assert_snapshot!(shortened(&words(&Reply::Report(status))), @r"
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
        let at = "2026-03-17T10:00:00Z".parse().expect("a time");
        let waiting = Waiting { since: at, outcome: Outcome::Blocked, reason: secret.to_owned() };
        let status = Status {
            open: vec![promotion("production_abc1234", "bob", "2026-03-17T10:00:00Z")],
            waiting: Some(waiting),
            ..status(secret)
        };
        let status = Reply::Report(Report::Status(Box::new(status)));
        insta::assert_snapshot!(shortened(&words_for_outsiders(&status)), @r"
        web runs production_9fceb02 (mode auto)
        • since 2026-03-17T09:41:30Z, by alice
        • under way: production_abc1234, since 2026-03-17T10:00:00Z
        • held
        • waits for approval: sha256:2
        • blocked
        ");
        let plan = Report::Plan(Box::new(plan(secret, &[secret])));
        assert_eq!(
            words_for_outsiders(&Reply::Report(plan)),
            "web: promote would answer blocked (production_e83c516 → production_9fceb02). Only \
             people who may command the app can see why."
        );
        let refused = Answer { reason: secret.to_owned(), ..Answer::ignored(None, "") };
        assert!(!words_for_outsiders(&refused.into()).contains("arn:"));
    }

    #[test]
    fn a_board_is_a_link_with_its_time() {
        let expires_at = "2026-03-17T09:56:30Z".parse().expect("a time");
        let link = BoardLink { url: "https://x.example/board/t.1-_a".to_owned(), expires_at };
        assert_eq!(
            words(&Reply::Report(Report::Board(link))),
            "The board, until 2026-03-17T09:56:30Z. Anyone with this address can act as you, so \
             do not share it:\nhttps://x.example/board/t.1-_a"
        );
    }

    #[test]
    fn a_history_and_a_plan_are_lists() {
        let ended = Ended {
            number: 0,
            promotion: promotion("production_9fceb02", "alice", "2026-03-17T09:41:30Z"),
            end: End::Deployed,
            reason: String::new(),
            ended_at: "2026-03-17T09:45:00Z".parse().expect("a time"),
        };
        let repository = "web".parse().expect("a name");
        let history = History { repository, promotions: vec![HistoryEntry::ended(ended)] };
        assert_eq!(
            words(&Reply::Report(Report::History(history))),
            "web: the last promotions, newest first\n• production_9fceb02 deployed by alice, \
             2026-03-17T09:41:30Z"
        );
        let plan = plan("the guard", &["Modify AWS::RDS::DBInstance Database, replacement"]);
        assert_eq!(
            words(&Reply::Report(Report::Plan(Box::new(plan)))),
            "web: promote would answer blocked (production_e83c516 → production_9fceb02). the \
             guard\n\
             • Modify AWS::RDS::DBInstance Database, replacement\n\
             • Warning: The image says no commit."
        );
    }
}
