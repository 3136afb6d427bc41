//! Values that the tests of several rooms share.

use jiff::Timestamp;

use crate::model::approval::{ApprovalRequest, Progress, Vote};
use crate::model::command::Via;
use crate::model::config::App;
use crate::model::promotion::{Basis, Promotion};
use crate::model::stack::Stack;
use crate::model::{AppName, Digest, Repository};

/// The digest of `hello`.
pub(crate) const DIGEST: &str =
    "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/// A whole commit.
pub(crate) const COMMIT: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";

/// Another commit.
pub(crate) const OTHER_COMMIT: &str = "e83c5163316f89bfbde7d9ab23ca2e25604af290";

/// The id of [`request`].
pub(crate) const REQUEST: &str = "req-0123456789abcdef0123456789abcdef";

/// The ARN of the stack `web`.
pub(crate) const STACK_ID: &str = "arn:aws:cloudformation:us-east-1:012345678912:stack/web/\
                                   6a1f4e30-b3f8-11f0-9d2c-0e7a5c2f9b41";

/// The name of the app `web`.
pub(crate) fn web() -> AppName {
    "web".parse().expect("a name")
}

/// The repository `web`.
pub(crate) fn repository() -> Repository {
    "web".parse().expect("a name")
}

/// The app `web` with this configuration.
pub(crate) fn app(json: &str) -> App {
    App::parse(&web(), "/ecr-promoter/apps/web", json).expect("a configuration")
}

/// The stack `web` with this status and no parameters.
pub(crate) fn stack(status: &str) -> Stack {
    Stack {
        id: STACK_ID.to_owned(),
        name: "web".to_owned(),
        status: status.to_owned(),
        updated_at: None,
        parent: None,
        role: None,
        parameters: Vec::new(),
        capabilities: Vec::new(),
    }
}

/// A time.
pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// A promotion of the image [`DIGEST`] by a push, which was sent.
pub(crate) fn promotion() -> Promotion {
    Promotion {
        token: "ecr-promoter-0f4d7c2b91e65a38d0c7be54f1a29386".parse().expect("a token"),
        digest: DIGEST.parse().expect("a digest"),
        commit: Some(COMMIT.parse().expect("a commit")),
        note: None,
        notes: None,
        tag: format!("production_{COMMIT}").parse().expect("a tag"),
        previous_tag: "production_e83c516".to_owned(),
        previous_commit: None,
        previous_digest: None,
        stack: "web".to_owned(),
        by: "push of `latest`".to_owned(),
        via: Via::Push,
        identity: None,
        replica: None,
        basis: Some(Basis::Automation),
        pushed_at: None,
        at: at("2026-03-17T09:41:30Z"),
        sent_at: Some(at("2026-03-17T09:41:30Z")),
        accepted_at: None,
        command: None,
        rolls_back: None,
        rolls_back_digest: None,
        why: None,
        cancelled_by: None,
        request: None,
        votes: Vec::new(),
        change_set: None,
        deletes_change_sets: Vec::new(),
    }
}

/// A vote in Slack.
pub(crate) fn vote(user: &str, approves: bool) -> Vote {
    Vote {
        by: format!("{user} (Slack)"),
        user: Some(user.to_owned()),
        via: Via::Slack,
        approves,
        at: at("2026-03-17T10:00:00Z"),
        trace: None,
    }
}

/// A pending request for the image [`COMMIT`], with one vote, in the channel `C1`.
pub(crate) fn request() -> ApprovalRequest {
    ApprovalRequest {
        id: REQUEST.parse().expect("an id"),
        digest: Digest::of(b"x"),
        commit: Some(COMMIT.parse().expect("a commit")),
        note: None,
        notes: None,
        way_back: None,
        stack_id: None,
        way_back_commit: None,
        tag: Some(format!("production_{COMMIT}").parse().expect("a tag")),
        running_tag: Some("production_e83c516".to_owned()),
        running_commit: Some("e83c516".parse().expect("a commit")),
        running_since: Some(at("2026-03-16T09:41:30Z")),
        at: at("2026-03-17T09:41:30Z"),
        expires_at: at("2026-03-20T09:41:30Z"),
        why: "the app's mode is `approval`".to_owned(),
        changes: Vec::new(),
        app: None,
        shown_changes: None,
        policy: None,
        votes: vec![vote("UALICE", true)],
        promoted_by: None,
        is_approved: false,
        progress: Progress::Pending,
        channel: Some("C1".to_owned()),
        posted: None,
        shown: None,
    }
}

/// Breaks long lines at spaces, so that a snapshot of them fits into a test.
pub(crate) fn wrapped(text: &str) -> String {
    const WIDTH: usize = 84;
    let length = |text: &str| text.chars().count();
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut now = String::new();
        for word in line.split(' ').filter(|_| length(line) > WIDTH) {
            if now.is_empty() {
                word.clone_into(&mut now);
            } else if length(&now) + 1 + length(word) > WIDTH {
                lines.push(std::mem::replace(&mut now, format!("    {word}")));
            } else {
                now += &format!(" {word}");
            }
        }
        lines.push(if length(line) > WIDTH { now } else { line.to_owned() });
    }
    lines.join("\n")
}
