//! A notice in the forms that SNS delivers: a mail for people, JSON for machines. Text from outside
//! (commits, names, CloudFormation's reasons) becomes one plain line of limited length. No I/O
//! here.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::model::answer::Outcome;
use crate::model::config::App;
use crate::model::notice::Notice;
use crate::model::{Commit, Digest};
use crate::text::plain;

/// The longest subject, in characters. SNS refuses a longer one, and one that is not plain ASCII.
/// <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
const SUBJECT: usize = 100;
/// The most changes that one message lists. SNS takes 256 KB for all forms together, and a stack
/// has at most 500 resources.
const CHANGES: usize = 100;
/// The longest reason, in characters. CloudFormation's reasons may be several pages long.
const REASON: usize = 1_000;

/// A notice in the forms that SNS delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The subject of the mail.
    pub subject: String,
    /// The text of the mail.
    pub text: String,
    /// The notice for machines.
    pub json: Value,
}

/// Writes a notice in all forms. `link` is the address of the page of the approval request; it is
/// for people only.
pub fn message(app: &App, notice: &Notice, link: Option<&str>) -> Message {
    let headline = headline(app, notice);
    let mut lines = vec![plain(&headline, 400), String::new(), plain(&notice.reason, REASON)];
    lines.extend(facts(app, notice));
    lines.extend(changes(notice));
    lines.extend(next_step(app, notice));
    if let Some(link) = link {
        lines.extend([
            String::new(),
            "The page of this request. Anyone who has the address can use it, so do not share it:"
                .to_owned(),
            link.to_owned(),
        ]);
    }
    Message { subject: subject(&headline), text: lines.join("\n"), json: machine(app, notice) }
}

/// The first line of the text and, in plain ASCII, the subject.
fn headline(app: &App, notice: &Notice) -> String {
    let name = app.repository.as_str();
    let what = image_name(notice.commit.as_ref(), notice.digest.as_ref())
        .unwrap_or_else(|| "the app".to_owned());
    match notice.outcome {
        Outcome::Promoted if notice.rolls_back.is_some() => {
            format!("{name}: rolling back to {what}")
        }
        Outcome::Promoted => format!("{name}: {what} is on its way to production"),
        Outcome::Deployed if notice.rolls_back.is_some() => {
            format!("{name}: rolled back to {what}{}", took(notice))
        }
        Outcome::Deployed => format!("{name}: {what} is in production{}", took(notice)),
        Outcome::Failed => format!("{name}: {what} did not reach production"),
        Outcome::Queued => format!("{name}: {what} waits for the stack"),
        Outcome::ApprovalRequested => format!("{name}: {what} waits for approval"),
        Outcome::Held => format!("{name}: held"),
        Outcome::Blocked => format!("{name}: {what} is blocked"),
        Outcome::Cancelled => format!("{name}: the promotion of {what} was cancelled"),
        Outcome::Superseded => format!("{name}: {what} was superseded"),
        Outcome::Ignored => format!("{name}: no longer configured"),
        Outcome::Approved => format!("{name}: {what} was approved, and needs more approvals"),
        Outcome::Rejected => format!("{name}: {what} was rejected"),
        Outcome::Expired => format!("{name}: nobody decided on {what} in time"),
        Outcome::Unchanged if notice.digest.is_none() => {
            format!("{name}: its configuration has changed")
        }
        other @ (Outcome::Unchanged | Outcome::Refused | Outcome::Resumed) => {
            format!("{name}: {other}")
        }
    }
}

/// One line for each known fact, with the labels aligned.
fn facts(app: &App, notice: &Notice) -> Vec<String> {
    let mut lines = Vec::new();
    let mut fact = |label: &str, value: Option<String>| {
        if let Some(value) = value {
            lines.push(format!("{label:<9} {}", plain(&value, 300)));
        }
    };
    let is_known = !app.config.stack.is_empty();
    fact("stack", is_known.then(|| format!("{} ({})", app.config.stack, app.config.parameter)));
    fact("commit", notice.commit.as_ref().map(ToString::to_string));
    fact("digest", notice.digest.as_ref().map(ToString::to_string));
    fact("tag", notice.tag.as_ref().map(ToString::to_string));
    let before = if matches!(
        notice.outcome,
        Outcome::ApprovalRequested
            | Outcome::Approved
            | Outcome::Rejected
            | Outcome::Expired
            | Outcome::Queued
            | Outcome::Blocked
    ) {
        "runs now"
    } else {
        "before"
    };
    fact(before, notice.previous_tag.clone());
    fact("changes", compare(app, notice));
    fact("until", notice.expires_at.map(|at| format!("{at:.0}")));
    fact("by", Some(notice.by.clone()));
    lines
}

/// The changes in the stack, one a line and at most [`CHANGES`]; empty if they are not known.
fn changes(notice: &Notice) -> Vec<String> {
    if notice.changes.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), "Changes in the stack:".to_owned()];
    let listed = notice.changes.iter().take(CHANGES);
    lines.extend(listed.map(|change| format!("- {}", plain(change, 300))));
    if let Some(more @ 1..) = notice.changes.len().checked_sub(CHANGES) {
        lines.push(format!("- and {more} more"));
    }
    lines
}

/// The lines that tell the reader what to do next.
fn next_step(app: &App, notice: &Notice) -> Vec<String> {
    let name = app.repository.as_str();
    let mut lines = Vec::new();
    match (notice.outcome, &notice.digest) {
        (Outcome::ApprovalRequested, Some(digest)) => {
            lines.push(String::new());
            if app.config.approval.needs_identity() {
                let need = app.config.approval.required;
                let people = if need > 1 {
                    format!("{need} people")
                } else {
                    "one of the app's approvers".to_owned()
                };
                lines.push(format!("It needs approval from {people} in Slack."));
            } else {
                lines.push("To decide, publish one of these to the approval topic:".to_owned());
                lines.push(format!("  approve {name} {digest}"));
                lines.push(format!("  reject {name} {digest}"));
            }
        }
        (Outcome::Expired, _) => {
            lines.push(String::new());
            lines
                .push(format!("To be asked again, publish this to the approval topic: ask {name}"));
        }
        (Outcome::Failed, Some(digest)) => {
            lines.push(String::new());
            lines.push(format!(
                "It is not retried automatically. Push a fixed image, or send: promote {name} \
                 {digest}"
            ));
        }
        _ => {}
    }
    let asks = matches!(notice.outcome, Outcome::ApprovalRequested | Outcome::Promoted);
    if asks && notice.commit.is_none() && notice.digest.is_some() {
        lines.push(String::new());
        lines.push(
            "The image does not name the commit it was built from, so its tag is made from its \
             digest. Build it with \
             `docker build --label org.opencontainers.image.revision=$(git rev-parse HEAD)`."
                .to_owned(),
        );
    }
    lines
}

/// The form for machines. It always has all keys; unknown values are `null`.
fn machine(app: &App, notice: &Notice) -> Value {
    let changes = notice.changes.iter().take(CHANGES).map(|change| plain(change, 300));
    json!({
        "outcome": notice.outcome,
        "repository": app.repository,
        "digest": notice.digest,
        "commit": notice.commit,
        "tag": notice.tag,
        "previous_tag": notice.previous_tag.as_deref().map(|tag| plain(tag, 300)),
        "previous_commit": notice.previous_commit,
        "stack": app.config.stack,
        "parameter": app.config.parameter,
        "reason": plain(&notice.reason, REASON),
        "by": plain(&notice.by, 300),
        "at": notice.at,
        "took_seconds": notice.took_seconds,
        "rolls_back": notice.rolls_back.as_deref().map(|tag| plain(tag, 300)),
        "compare_url": compare(app, notice),
        "request": notice.request,
        "expires_at": notice.expires_at,
        "changes": changes.collect::<Vec<_>>(),
    })
}

/// A short name of an image: its abbreviated commit, or `image` and the first digits of its digest.
pub(crate) fn image_name(commit: Option<&Commit>, digest: Option<&Digest>) -> Option<String> {
    commit
        .map(|commit| commit.short().to_owned())
        .or_else(|| digest.map(|digest| format!("image {}", digest.short())))
}

fn took(notice: &Notice) -> String {
    notice.took_seconds.map(after).unwrap_or_default()
}

/// A duration as the end of a sentence: ` after 2 m 10 s`.
pub(crate) fn after(seconds: i64) -> String {
    let took = SignedDuration::from_secs(seconds);
    if took.as_secs() < 60 {
        format!(" after {} s", took.as_secs())
    } else {
        format!(" after {} m {:02} s", took.as_mins(), took.as_secs() % 60)
    }
}

fn compare(app: &App, notice: &Notice) -> Option<String> {
    app.compare_url(notice.previous_commit.as_ref(), notice.commit.as_ref())
}

fn subject(headline: &str) -> String {
    headline
        .chars()
        .map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' })
        .take(SUBJECT)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> App {
        App::parse(
            &"web".parse().expect("valid"),
            "test",
            r#"{"stack":"web","repository_url":"https://github.com/acme/web/"}"#,
        )
        .expect("valid")
    }

    fn notice(outcome: Outcome, reason: &str) -> Notice {
        Notice {
            digest: Some(Digest::of(b"x")),
            commit: Some("9fceb02".parse().expect("valid")),
            tag: Some("production_9fceb02".parse().expect("valid")),
            previous_tag: Some("production_e83c516".to_owned()),
            previous_commit: Some("e83c516".parse().expect("valid")),
            took_seconds: Some(130),
            ..Notice::new(outcome, "push of `latest`", reason, jiff::Timestamp::UNIX_EPOCH)
        }
    }

    #[test]
    fn a_request_names_what_waits_what_runs_and_how_to_promote() {
        let text = message(&app(), &notice(Outcome::ApprovalRequested, "mode"), None).text;
        for words in [
            "9fceb02 waits for approval",
            "runs now  production_e83c516",
            Digest::of(b"x").as_str(),
            &format!("approve web {}", Digest::of(b"x")),
            "https://github.com/acme/web/compare/e83c516...9fceb02",
        ] {
            assert!(text.contains(words), "{words:?} is not in {text}");
        }
    }

    fn sent(app: &App, notice: &Notice) -> Message {
        message(app, notice, None)
    }

    #[test]
    fn it_tells_who_may_decide_and_only_words_that_work() {
        let app = |approval: &str| {
            App::parse(
                &"web".parse().expect("valid"),
                "test",
                &format!(r#"{{"stack":"web","approval":{approval}}}"#),
            )
            .expect("valid")
        };
        let asked = Notice {
            request: Some("req-0123456789abcdef0123456789abcdef".parse().expect("an id")),
            expires_at: Some("2026-03-20T09:41:30Z".parse().expect("a time")),
            ..notice(Outcome::ApprovalRequested, "the app's mode is `approval`")
        };
        let anybody = sent(&app("{}"), &asked);
        for words in ["approve web sha256:", "reject web sha256:", "until     2026-03-20T09:41:30Z"]
        {
            assert!(anybody.text.contains(words), "{words:?} is not in {}", anybody.text);
        }
        assert_eq!(anybody.json["request"], "req-0123456789abcdef0123456789abcdef");
        assert_eq!(anybody.json["expires_at"], "2026-03-20T09:41:30Z");
        let listed = sent(&app(r#"{"slack_channel":"C1","approvers":["UALICE"]}"#), &asked).text;
        assert!(listed.contains("approval from one of the app's approvers in Slack"), "{listed}");
        let several = sent(&app(r#"{"slack_channel":"C1","required":2}"#), &asked).text;
        assert!(several.contains("approval from 2 people in Slack"), "{several}");
        assert!(
            !listed.contains("approve web") && !several.contains("approve web"),
            "that would be refused"
        );
    }

    #[test]
    fn the_end_of_a_request_is_told_in_one_line() {
        let told = |outcome, reason: &str| {
            let notice = Notice { took_seconds: None, ..notice(outcome, reason) };
            let message = sent(&app(), &notice);
            assert!(message.text.contains("\nruns now  production_e83c516\n"), "{}", message.text);
            assert_eq!(message.json["outcome"], json!(outcome));
            let last = message.text.lines().last().unwrap_or_default().to_owned();
            [message.subject, message.text.lines().nth(2).unwrap_or_default().to_owned(), last]
                .join("\n")
        };
        let all = [
            told(Outcome::Approved, "approved by alice (Slack, UALICE): 1 of 2 people"),
            told(
                Outcome::Rejected,
                "bob (Slack, UBOB) rejected it; an explicit `promote` still works",
            ),
            told(
                Outcome::Expired,
                "nobody decided on it until 2026-03-20T09:41:30Z: `ask web` asks again",
            ),
        ];
        insta::assert_snapshot!(all.join("\n\n"), @r"
        web: 9fceb02 was approved, and needs more approvals
        approved by alice (Slack, UALICE): 1 of 2 people
        by        push of `latest`

        web: 9fceb02 was rejected
        bob (Slack, UBOB) rejected it; an explicit `promote` still works
        by        push of `latest`

        web: nobody decided on 9fceb02 in time
        nobody decided on it until 2026-03-20T09:41:30Z: `ask web` asks again
        To be asked again, publish this to the approval topic: ask web
        ");
    }

    #[test]
    fn a_deployment_tells_its_duration() {
        assert_eq!(
            message(&app(), &notice(Outcome::Deployed, ""), None).subject,
            "web: 9fceb02 is in production after 2 m 10 s"
        );
    }

    #[test]
    fn changes_are_listed_one_a_line_up_to_a_limit() {
        let changes: Vec<String> = (0..102)
            .map(|n| format!("Modify AWS::RDS::DBInstance Database{n}, replacement"))
            .collect();
        let sent = message(&app(), &Notice { changes, ..notice(Outcome::Blocked, "") }, None);
        assert!(
            sent.text.contains("\n- Modify AWS::RDS::DBInstance Database0, replacement\n"),
            "{}",
            sent.text
        );
        assert!(sent.text.ends_with("Database99, replacement\n- and 2 more"), "{}", sent.text);
        assert_eq!(sent.json["changes"].as_array().map(Vec::len), Some(100));
    }

    #[test]
    fn a_rollback_is_called_a_rollback() {
        let back = Notice {
            rolls_back: Some("production_bad".to_owned()),
            ..notice(Outcome::Promoted, "")
        };
        assert_eq!(message(&app(), &back, None).subject, "web: rolling back to 9fceb02");
        assert_eq!(message(&app(), &back, None).json["rolls_back"], "production_bad");
    }

    #[test]
    fn an_image_without_a_commit_tells_how_to_add_the_label() {
        let unlabelled = Notice { commit: None, ..notice(Outcome::ApprovalRequested, "") };
        assert!(
            message(&app(), &unlabelled, None)
                .text
                .contains("--label org.opencontainers.image.revision=")
        );
        assert!(
            !message(&app(), &notice(Outcome::ApprovalRequested, ""), None)
                .text
                .contains("--label")
        );
    }

    #[test]
    fn no_form_has_control_characters() {
        let turned = "a\u{202e}b\u{2066}c\u{2028}d\u{85}e\u{200f}f";
        let hostile = Notice {
            by: turned.to_owned(),
            previous_tag: Some(turned.to_owned()),
            rolls_back: Some(turned.to_owned()),
            changes: vec![turned.to_owned()],
            ..notice(Outcome::Failed, turned)
        };
        let sent = message(&app(), &hostile, None);
        for (form, text) in
            [("subject", &sent.subject), ("text", &sent.text), ("JSON", &sent.json.to_string())]
        {
            assert!(
                !text.contains(|c| crate::text::is_control(c) && c != '\n'),
                "{form}: {text:?}"
            );
        }
        assert!(sent.text.contains("a b c d e f"), "{}", sent.text);
    }

    #[test]
    fn text_from_outside_stays_on_its_line_and_within_limits() {
        let hostile = format!("bad\r\nSubject: x\u{1b}[31m {}", "y".repeat(5_000));
        let sent = message(&app(), &notice(Outcome::Failed, &hostile), None);
        assert!(!sent.text.contains("\nSubject") && !sent.text.contains('\u{1b}'));
        assert!(sent.text.len() < 3_000);
        assert!(sent.subject.len() <= 100 && sent.subject.is_ascii());
        assert_eq!(sent.json["outcome"], "failed");
    }
}
