//! The JSON of the commands that change nothing, whole: their keys are what others build on.

use serde_json::Value;

use super::approve::{decided_so_far, request};
use super::*;
use crate::model::approval::Progress;
use crate::model::promotion::Ended;
use crate::model::state::Waiting;

fn asked_for(act: Act) -> Trigger {
    let Trigger::Command(command) = promote(None) else { panic!("a command") };
    Trigger::Command(Command { act, ..command })
}

/// The reply, as the function answers it.
fn json_of(app: &App, act: Act, seen: &Snapshot) -> Value {
    let plan = decided(app, &asked_for(act), seen);
    serde_json::to_value(plan.reply.expect("a reply")).expect("JSON")
}

/// `a` runs, an update to `b` is under way, the app is held, and something waits.
fn busy() -> Snapshot {
    let mut seen = decided_so_far(Some(request(Progress::Approved)));
    let at = "2026-03-17T09:40:00.123456789Z".parse().expect("a time");
    let state = seen.state.as_mut().expect("a state");
    state.running.as_mut().expect("it runs").since = Some(at);
    let mut open = after_intent().state.expect("a state").open.remove(0);
    (open.at, open.accepted_at) = (at, Some(at));
    state.open = vec![open];
    state.hold = Some(Hold { by: "bob".to_owned(), at, reason: "freeze".to_owned() });
    let reason = "busy".to_owned();
    state.waiting = Some(Waiting { since: at, outcome: Outcome::Queued, reason });
    state.failed = vec![digest('c')];
    state.passed_over = Some(digest('d'));
    with_stack(seen, |stack| stack.status = "UPDATE_IN_PROGRESS".to_owned())
}

const STATUS: &str = r#"{
    "action": "status", "app": "web", "repository": "web", "mode": "approval",
    "stack": {"name": "web", "status": "UPDATE_IN_PROGRESS"}, "parameter": "ProductionTag",
    "value": "production_aaaaaaa",
    "running": {
        "tag": "production_aaaaaaa",
        "digest": "sha256:1d63c24f1da1c38127673b50c79e239de6cda6a1dd66729190eb2fa3fe10ff23",
        "commit": null, "since": "2026-03-17T09:40:00Z", "by": "x"
    },
    "newest": {
        "tag": "latest",
        "digest": "sha256:e261e6031007a5639f202278fb973daba5daacf24e1617fc69b23b8e679182fb"
    },
    "open": [
        {
            "token": "ecr-promoter-df8e5a9d7ba83c9803e51cc4124d6915baf117af",
            "digest": "sha256:e261e6031007a5639f202278fb973daba5daacf24e1617fc69b23b8e679182fb",
            "commit": "bbbbbbb", "tag": "production_bbbbbbb",
            "previous_tag": "production_aaaaaaa", "previous_commit": "aaaaaaa",
            "previous_digest":
                "sha256:1d63c24f1da1c38127673b50c79e239de6cda6a1dd66729190eb2fa3fe10ff23",
            "stack": "web", "by": "push of `latest`", "via": "push", "basis": "automation",
            "pushed_at": "2026-03-17T09:41:30Z",
            "at": "2026-03-17T09:40:00Z", "sent_at": "2026-03-17T09:41:30Z",
            "accepted_at": "2026-03-17T09:40:00Z", "command": null, "rolls_back": null,
            "cancelled_by": null
        }
    ],
    "hold": {"by": "bob", "at": "2026-03-17T09:40:00Z", "reason": "freeze"},
    "request": {
        "id": "req-0123456789abcdef0123456789abcdef",
        "digest": "sha256:e261e6031007a5639f202278fb973daba5daacf24e1617fc69b23b8e679182fb",
        "commit": "bbbbbbb", "tag": "production_bbbbbbb", "running_tag": null,
        "running_commit": null, "running_since": null, "at": "2026-03-17T09:41:30Z",
        "expires_at": "2026-03-20T09:41:30Z", "why": "mode",
        "votes": [
            {
                "by": "bob", "user": "UBOB", "via": "slack", "approves": true,
                "at": "2026-03-17T09:41:30Z"
            }
        ],
        "is_approved": true, "progress": "approved", "channel": null, "posted": null,
        "shown": null
    },
    "waiting": {"since": "2026-03-17T09:40:00Z", "outcome": "queued", "reason": "busy"},
    "failed": ["sha256:5a030cb4fddd5b4980fdd52fb7229295d382afb4c8516ec96b52bcd02174fd5d"],
    "passed_over": "sha256:940a4ac5b9e16ee04740702106e2adfee0bd0100958899fd6557e1fea53a554e"
}"#;

const STATUS_AT_FIRST_SIGHT: &str = r#"{
    "action": "status", "app": "web", "repository": "web", "mode": "approval",
    "stack": {"name": "web", "status": "UPDATE_COMPLETE"}, "parameter": "ProductionTag",
    "value": "production_aaaaaaa",
    "running": {
        "tag": "production_aaaaaaa",
        "digest": "sha256:1d63c24f1da1c38127673b50c79e239de6cda6a1dd66729190eb2fa3fe10ff23",
        "commit": "aaaaaaa", "since": null, "by": "before ecr-promoter"
    },
    "newest": {"tag": "latest", "digest": null}, "open": [], "hold": null, "request": null,
    "waiting": null, "failed": [], "passed_over": null
}"#;

const HISTORY: &str = r#"{
    "action": "history", "app": "web", "repository": "web",
    "promotions": [
        {
            "token": "ecr-promoter-df8e5a9d7ba83c9803e51cc4124d6915baf117af",
            "digest": "sha256:e261e6031007a5639f202278fb973daba5daacf24e1617fc69b23b8e679182fb",
            "commit": "bbbbbbb", "tag": "production_bbbbbbb",
            "previous_tag": "production_aaaaaaa", "previous_commit": "aaaaaaa",
            "previous_digest":
                "sha256:1d63c24f1da1c38127673b50c79e239de6cda6a1dd66729190eb2fa3fe10ff23",
            "stack": "web", "by": "push of `latest`", "via": "push", "basis": "automation",
            "pushed_at": "2026-03-17T09:41:30Z",
            "at": "2026-03-17T09:40:00Z", "sent_at": "2026-03-17T09:41:30Z",
            "accepted_at": "2026-03-17T09:40:00Z", "command": null, "rolls_back": null,
            "cancelled_by": null, "outcome": "promoted"
        },
        {
            "number": 3, "token": "ecr-promoter-df8e5a9d7ba83c9803e51cc4124d6915baf117af",
            "digest": "sha256:e261e6031007a5639f202278fb973daba5daacf24e1617fc69b23b8e679182fb",
            "commit": "bbbbbbb", "tag": "production_bbbbbbb",
            "previous_tag": "production_aaaaaaa", "previous_commit": "aaaaaaa",
            "previous_digest":
                "sha256:1d63c24f1da1c38127673b50c79e239de6cda6a1dd66729190eb2fa3fe10ff23",
            "stack": "web", "by": "push of `latest`", "via": "push", "basis": "automation",
            "pushed_at": "2026-03-17T09:41:30Z",
            "at": "2026-03-17T09:40:00Z", "sent_at": "2026-03-17T09:41:30Z",
            "accepted_at": "2026-03-17T09:40:00Z", "command": null, "rolls_back": null,
            "cancelled_by": null, "end": "deployed",
            "reason": "CloudFormation finished the update", "ended_at": "2026-03-17T09:41:00Z",
            "outcome": "deployed"
        }
    ]
}"#;

const PLAN: &str = r#"{
    "action": "plan", "would": "promoted", "app": "web", "repository": "web",
    "digest": "sha256:e261e6031007a5639f202278fb973daba5daacf24e1617fc69b23b8e679182fb",
    "commit": "bbbbbbb", "tag": "production_bbbbbbb", "previous_tag": "production_aaaaaaa",
    "stack": "web", "parameter": "ProductionTag", "reason": "ready to promote", "changes": null,
    "warnings": []
}"#;

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).expect("JSON")
}

#[test]
fn a_status_says_all_that_is_known_of_an_app() {
    assert_eq!(json_of(&asking(), Act::Status, &busy()), parsed(STATUS));
    let untagged = Snapshot { newest: None, ..seen() };
    assert_eq!(json_of(&asking(), Act::Status, &untagged), parsed(STATUS_AT_FIRST_SIGHT));
}

#[test]
fn a_history_lists_what_is_under_way_then_what_ended() {
    let mut seen = busy();
    let promotion = seen.state.as_ref().expect("a state").open[0].clone();
    seen.history = Some(vec![Ended {
        number: 3,
        promotion,
        end: End::Deployed,
        reason: "CloudFormation finished the update".to_owned(),
        ended_at: "2026-03-17T09:41:00.5Z".parse().expect("a time"),
    }]);
    assert_eq!(json_of(&asking(), Act::History(None), &seen), parsed(HISTORY));
}

#[test]
fn a_plan_says_what_promote_would_answer() {
    assert_eq!(json_of(&asking(), Act::Plan(None), &decided_so_far(None)), parsed(PLAN));
}

fn report(plan: &Plan) -> serde_json::Value {
    match &plan.reply {
        Ok(Reply::Report(report)) => serde_json::to_value(report).expect("JSON"),
        other @ (Ok(Reply::Answer(_)) | Err(_)) => panic!("no report: {other:?}"),
    }
}

fn plan_of(seen: &Snapshot) -> serde_json::Value {
    let Trigger::Command(command) = promote(None) else { panic!("a command") };
    report(&decided(
        &asking(),
        &Trigger::Command(Command { act: Act::Plan(None), ..command }),
        seen,
    ))
}

#[test]
fn a_plan_says_whether_it_looked_at_changes_and_what_is_odd_about_the_image() {
    let mut known = Snapshot { events: Some(StackEvents::default()), ..after_intent() };
    let state = known.state.as_mut().expect("a state");
    state.open.clear();
    let plan = plan_of(&known);
    assert_eq!(
        (&plan["would"], &plan["changes"], &plan["warnings"]),
        (&"promoted".into(), &serde_json::Value::Null, &serde_json::json!([]))
    );

    known.state.as_mut().expect("a state").first_seen = Some(digest('b'));
    let warnings = plan_of(&known)["warnings"].to_string();
    assert!(warnings.contains("before ecr-promoter looked"), "{warnings}");

    let unlabelled = Image { annotation: None, ..image('b') };
    known.images.insert(digest('b'), Ok(unlabelled));
    let warnings = plan_of(&known)["warnings"].clone();
    assert_eq!(warnings.as_array().map(Vec::len), Some(2), "{warnings}");
    assert!(warnings[0].as_str().is_some_and(|words| words.contains("--label")), "{warnings}");

    let (_, chart) = pushed_chart();
    let plan = plan_of(&chart);
    assert_eq!((&plan["would"], &plan["warnings"]), (&"refused".into(), &serde_json::json!([])));
}

#[test]
fn times_in_answers_are_to_the_second() {
    let mut seen = after_intent();
    let state = seen.state.as_mut().expect("a state");
    state.hold = Some(Hold {
        by: "alice".to_owned(),
        at: "2026-03-17T09:41:30.123456789Z".parse().expect("a time"),
        reason: "1.5".to_owned(),
    });
    seen.events = Some(StackEvents::default());
    let Trigger::Command(command) = promote(None) else { panic!("a command") };
    let status =
        decided(&asking(), &Trigger::Command(Command { act: Act::Status, ..command }), &seen);
    let hold = &report(&status)["hold"];
    assert_eq!((&hold["at"], &hold["reason"]), (&"2026-03-17T09:41:30Z".into(), &"1.5".into()));
}
