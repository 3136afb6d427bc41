//! `--watch`: through the stages to each end.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use super::cloud::{Cloud, Said};
use super::samples::{NEW, NEWER, OLD, answer, ended, history, promotion, request, status, with};

/// A function that answers `first` to the command, then these statuses, the last one for ever.
async fn story(first: Value, statuses: &[Value], ends: &[Value]) -> Cloud {
    let left = Mutex::new(VecDeque::from(statuses.to_vec()));
    let history = history(ends);
    Cloud::new(move |command| {
        Said::Json(match command["action"].as_str() {
            Some("status") => {
                let mut left = left.lock().expect("no panic");
                if left.len() > 1 { left.pop_front() } else { left.front().cloned() }
                    .expect("a status")
            }
            Some("history") => history.clone(),
            _ => first.clone(),
        })
    })
    .await
}

fn new() -> Value {
    promotion("token-new", "production_new", NEW)
}

fn updating() -> Value {
    let mut open = new();
    open["accepted_at"] = json!("2026-10-01T00:00:10Z");
    with(
        status("production_old", OLD),
        json!({"open": [open], "stack": {"name": "web", "status": "UPDATE_IN_PROGRESS"}}),
    )
}

fn deployed() -> Value {
    status("production_new", NEW)
}

#[tokio::test]
async fn a_promotion_is_followed_through_all_stages() {
    let queued = with(
        status("production_old", OLD),
        json!({"open": [new()], "stack": {"name": "web", "status": "UPDATE_IN_PROGRESS"}}),
    );
    let progress = "ECS service `web`: IN_PROGRESS, 1 of 2 tasks";
    let verifying = with(
        deployed(),
        json!({"verifying": {"promotion": new(), "since": "2026-10-01T00:01:00Z",
            "until": "2026-10-01T00:31:00Z", "progress": progress}}),
    );
    let baking = with(
        deployed(),
        json!({"bake": {"token": "token-new", "digest": NEW, "tag": "production_new",
            "since": "2026-10-01T00:02:10Z", "until": "2030-10-01T00:12:10Z",
            "alarms": [{"name": "errors", "state": "OK"}]}}),
    );
    let cloud = story(
        answer("promoted", "CloudFormation accepted the update"),
        &[queued, updating(), verifying, baking, deployed()],
        &[ended("deployed", "it runs", new())],
    )
    .await;
    let ran = cloud.run(&["promote", "web", "--yes", "--watch"]).await;
    ran.exits(0).prints("deployed: production_new (sha256:bbbbbbbbbbbb…) runs in web, 2 m 10 s\n");
    let mut rest = ran.stderr.as_str();
    for stage in [
        "promoted: web production_new: CloudFormation accepted the update",
        "queued: stack web is in UPDATE_IN_PROGRESS",
        "web production_new  CloudFormation UPDATE_IN_PROGRESS",
        "ECS: ECS service `web`: IN_PROGRESS, 1 of 2 tasks",
        "runs and bakes until 00:12 UTC",
    ] {
        let at = rest.find(stage).unwrap_or_else(|| panic!("{stage:?} is missing: {ran:#?}"));
        rest = &rest[at + stage.len()..];
    }
    assert!(ran.stderr.contains("errors OK"), "{ran:#?}");
    assert!(!ran.stderr.contains('\r'), "one line for each change without a terminal: {ran:#?}");
}

#[tokio::test]
async fn each_end_has_its_exit_code_and_says_what_runs() {
    let old = || status("production_old", OLD);
    let newer = || status("production_newer", NEWER);
    let held = with(
        deployed(),
        json!({"hold": {"by": "alarm `errors`", "at": "2026-10-01T00:05:00Z",
            "reason": "alarm `errors` went off"}}),
    );
    let back = {
        let mut back = promotion("token-back", "production_old", OLD);
        back["via"] = json!("alarm");
        back["rolls_back_digest"] = json!(NEW);
        back["why"] = json!("alarm `errors` went off: 5 > 1");
        ended("deployed", "it runs", back)
    };
    let asked = with(old(), json!({"request": request()}));
    let runs_old = "production_old (sha256:aaaaaaaaaaaa…) runs in web";
    let runs_newer = "production_newer (sha256:cccccccccccc…) runs in web";
    let gone = |outcome: &str| vec![ended(outcome, "so it is", new())];
    for (last, ends, code, line) in [
        (old(), gone("failed"), 1, format!("failed: production_new: so it is. {runs_old}")),
        (old(), gone("blocked"), 1, format!("blocked: production_new: so it is. {runs_old}")),
        (old(), gone("cancelled"), 1, format!("cancelled: production_new: so it is. {runs_old}")),
        (
            newer(),
            gone("superseded"),
            2,
            format!("superseded: production_new: so it is. {runs_newer}"),
        ),
        (
            newer(),
            gone("deployed"),
            2,
            format!("superseded: production_new was deployed. {runs_newer}"),
        ),
        (
            held,
            gone("deployed"),
            3,
            "held: alarm `errors` went off. production_new (sha256:bbbbbbbbbbbb…) runs in web"
                .to_owned(),
        ),
        (asked, vec![], 3, format!("approval_requested: a push in mode `approval`. {runs_old}")),
        (
            old(),
            [vec![back], gone("deployed")].concat(),
            1,
            format!("failed: alarm `errors` went off: 5 > 1. {runs_old}"),
        ),
    ] {
        let cloud = story(answer("promoted", "yes"), &[last], &ends).await;
        let ran = cloud.run(&["promote", "web", "--yes", "--watch"]).await;
        ran.exits(code).prints(&format!("{line}\n"));
    }
}

#[tokio::test]
async fn a_rollback_that_cancels_ends_when_the_stack_is_back() {
    let cancelling = {
        let mut open = new();
        open["accepted_at"] = json!("2026-10-01T00:00:10Z");
        open["cancelled_by"] = json!("alice");
        let mut back = promotion("token-back", "production_old", OLD);
        back["rolls_back"] = json!("production_new");
        let stack = json!({"name": "web", "status": "UPDATE_ROLLBACK_IN_PROGRESS"});
        with(status("production_old", OLD), json!({"open": [open, back], "stack": stack}))
    };
    let cloud = story(
        answer("cancelled", "the update is being cancelled"),
        &[cancelling, status("production_old", OLD)],
        &[ended("cancelled", "cancelled by alice", new())],
    )
    .await;
    let ran = cloud.run(&["rollback", "web", "--yes", "--watch"]).await;
    ran.exits(0).prints(
        "cancelled: production_new did not reach production. production_old \
         (sha256:aaaaaaaaaaaa…) runs in web\n",
    );
    ran.says("being cancelled: CloudFormation UPDATE_ROLLBACK_IN_PROGRESS");
}

#[tokio::test]
async fn a_rollback_goes_on_where_the_update_was_faster_than_its_cancel() {
    let mut back = promotion("token-back", "production_old", OLD);
    back["rolls_back"] = json!("production_new");
    back["accepted_at"] = json!("2026-10-01T00:00:10Z");
    let stack = json!({"name": "web", "status": "UPDATE_IN_PROGRESS"});
    let going = with(deployed(), json!({"open": [back], "stack": stack}));
    let cloud = story(
        answer("cancelled", "the update is being cancelled"),
        &[going.clone(), going, status("production_old", OLD)],
        &[ended("deployed", "it runs", back), ended("deployed", "it runs", new())],
    )
    .await;
    let ran = cloud.run(&["rollback", "web", "--yes", "--watch"]).await;
    ran.exits(0).prints("deployed: production_old (sha256:aaaaaaaaaaaa…) runs in web, 2 m 10 s\n");
}

#[tokio::test]
async fn a_status_is_followed_without_a_command() {
    let ends = [ended("deployed", "it runs", new())];
    let cloud = story(Value::Null, &[updating(), deployed()], &ends).await;
    let ran = cloud.run(&["status", "web", "--watch"]).await;
    ran.exits(0).prints("deployed: production_new (sha256:bbbbbbbbbbbb…) runs in web, 2 m 10 s\n");
    let cloud = story(Value::Null, &[deployed()], &[]).await;
    let ran = cloud.run(&["status", "web", "--watch"]).await;
    let line = "nothing is under way: production_new (sha256:bbbbbbbbbbbb…) runs in web\n";
    ran.exits(0).prints(line);
}

#[tokio::test]
async fn a_resume_is_followed_to_what_then_goes_out() {
    let since = "2026-10-01T00:00:00Z";
    let waiting = with(
        status("production_old", OLD),
        json!({"waiting": {"since": since, "outcome": "queued", "reason": ""}}),
    );
    let ends = [ended("deployed", "it runs", new())];
    let mut resumed = answer("resumed", "the hold was lifted");
    resumed["token"] = Value::Null;
    let cloud = story(resumed, &[waiting, updating(), deployed()], &ends).await;
    let ran = cloud.run(&["resume", "web", "--yes", "--watch"]).await;
    ran.exits(0).prints("deployed: production_new (sha256:bbbbbbbbbbbb…) runs in web, 2 m 10 s\n");
    ran.says("queued: the next look comes within 5 minutes");
}

#[tokio::test]
async fn what_starts_nothing_is_not_followed() {
    for (outcome, code) in [("approval_requested", 3), ("unchanged", 0), ("refused", 2)] {
        let cloud = story(answer(outcome, "so it is"), &[], &[]).await;
        cloud.run(&["promote", "web", "--yes", "--watch"]).await.exits(code);
        assert_eq!(cloud.commands().len(), 1, "no status was asked for");
    }
}

#[tokio::test]
async fn after_the_timeout_the_promotion_goes_on() {
    let cloud = story(answer("promoted", "yes"), &[updating()], &[]).await;
    let began = Instant::now();
    let ran = cloud.run(&["promote", "web", "--yes", "--watch", "--timeout", "3s"]).await;
    ran.exits(4);
    assert!(began.elapsed() >= Duration::from_secs(3), "{ran:?}");
    assert!(ran.stdout.starts_with("timed out: production_new has not ended after 3 s"), "{ran:?}");
    assert!(ran.stdout.contains("It goes on. Follow it: promote status web --watch"), "{ran:?}");
}

#[tokio::test]
async fn a_look_that_fails_is_shown_and_made_again() {
    let looks = Mutex::new(0);
    let cloud = Cloud::new(move |command| {
        if command["action"] == "history" {
            return Said::Json(history(&[ended("deployed", "it runs", new())]));
        }
        if command["action"] == "promote" {
            return Said::Json(answer("promoted", "yes"));
        }
        let mut looks = looks.lock().expect("no panic");
        *looks += 1;
        match *looks {
            1 => Said::Failed("Contended", "the state of `web` kept changing".to_owned()),
            _ => Said::Json(deployed()),
        }
    })
    .await;
    let ran = cloud.run(&["promote", "web", "--yes", "--watch"]).await;
    ran.exits(0).says("tries again: The function failed (Contended)");
}

#[tokio::test]
async fn json_ends_with_one_object() {
    let ends = [ended("failed", "so it is", new())];
    let last = status("production_old", OLD);
    let cloud = story(answer("promoted", "yes"), &[updating(), last.clone()], &ends).await;
    let ran = cloud.run(&["promote", "web", "--yes", "--watch", "--json"]).await;
    let printed: Value = serde_json::from_str(&ran.exits(1).stdout).expect("one object");
    let expected = json!({
        "action": "watch", "app": "web", "outcome": "failed", "exit": 1, "stage": "updating",
        "words": "failed: production_new: so it is. production_old (sha256:aaaaaaaaaaaa…) runs \
            in web",
        "token": "token-new", "digest": NEW, "tag": "production_new", "took_seconds": 130,
        "status": last
    });
    assert_eq!(printed, expected);
}

#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_leaves_the_promotion_going() {
    let cloud = story(answer("promoted", "yes"), &[updating()], &[]).await;
    let mut command = cloud.command(&["promote", "web", "--yes", "--watch"]);
    let mut child = command.spawn().expect("it runs");
    let mut stderr = child.stderr.take().expect("a pipe");
    let mut said = String::new();
    while !said.contains("CloudFormation UPDATE_IN_PROGRESS") {
        let mut bytes = [0; 1024];
        let read = stderr.read(&mut bytes).await.expect("words");
        assert!(read > 0, "it ended: {said}");
        said.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    let id = child.id().expect("it runs").to_string();
    let kill = std::process::Command::new("kill").args(["-INT", &id]).status();
    assert!(kill.expect("kill runs").success());
    stderr.read_to_string(&mut said).await.expect("words");
    let status = child.wait().await.expect("it ends");
    assert_eq!(status.code(), Some(130), "{said}");
    let words = "The promotion goes on. Follow it: promote status web --watch";
    assert!(said.contains(words), "{said}");
    let actions: Vec<Value> = cloud.commands().iter().map(|it| it["action"].clone()).collect();
    assert!(!actions.contains(&json!("cancel")), "{actions:?}");
}
