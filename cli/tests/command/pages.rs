//! What comes in pages: history, check, audit; and how much memory a long audit needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use serde_json::{Value, json};

use super::cloud::{Cloud, Said};
use super::samples::{NEW, ended, promotion, with};

const PAGES: u32 = 30;
const ON_A_PAGE: u32 = 100;

/// A function with thousands of promotions, in pages.
async fn long_history() -> Cloud {
    Cloud::new(|command| {
        assert_eq!(command["action"], "history");
        let page = command["after"].as_u64().map_or(0, |at| u32::try_from(at).expect("a page"));
        let entries: Vec<Value> = (0..ON_A_PAGE)
            .map(|at| {
                let name = format!("production_{}", page * ON_A_PAGE + at);
                ended("deployed", "it runs", promotion(&name, &name, NEW))
            })
            .collect();
        let next = (page + 1 < PAGES).then(|| json!(page + 1));
        let answer = json!({"action": "history", "app": "web", "promotions": entries});
        Said::Json(match next {
            Some(next) => with(answer, json!({"next": next})),
            None => answer,
        })
    })
    .await
}

#[tokio::test]
async fn history_shows_a_page_and_says_that_there_is_more() {
    let cloud = long_history().await;
    let ran = cloud.run(&["history", "web"]).await;
    ran.exits(0).says("There is more: add --all");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 101);
    assert!(lines[0].starts_with("when "), "{}", lines[0]);
    assert!(lines[1].contains("deployed  production_0 "), "{}", lines[1]);
    assert!(lines[1].contains("2 m 10 s  alice  it runs"), "{}", lines[1]);
    assert_eq!(cloud.commands().len(), 1);
}

#[tokio::test]
async fn history_follows_the_pages_as_far_as_it_is_told() {
    let cloud = long_history().await;
    let ran = cloud.run(&["history", "web", "--all"]).await;
    let lines: Vec<&str> = ran.exits(0).stdout.lines().collect();
    assert_eq!(lines.len(), 3_001);
    assert!(lines[3_000].contains(" production_2999 "), "{}", lines[3_000]);
    assert_eq!(lines.iter().filter(|line| line.starts_with("when ")).count(), 1);

    let cloud = long_history().await;
    let ran = cloud.run(&["history", "web", "--limit", "150"]).await;
    assert_eq!(ran.exits(0).stdout.lines().count(), 151);
    assert_eq!(cloud.commands().len(), 2, "two pages are enough");

    let cloud = long_history().await;
    let ran = cloud.run(&["history", "web", "--all", "--json"]).await;
    assert_eq!(ran.exits(0).stdout.lines().count(), 30, "a line for each page");
}

#[tokio::test]
async fn a_check_lists_what_to_mend_and_fails_on_a_problem() {
    let finding = |level: &str, mend: Option<&str>| {
        let finding = json!({"level": level, "about": "service-role", "says": "it says"});
        mend.map_or(finding.clone(), |mend| with(finding, json!({"mend": mend})))
    };
    let cloud = Cloud::new(move |command| {
        let of = |app: &str, problems: u32, findings: Value| {
            json!({"action": "check", "app": app, "repository": app, "problems": problems,
                "warnings": 1, "findings": findings})
        };
        let bad = json!([finding("ok", None), finding("problem", Some("add a role"))]);
        Said::Json(match (command["app"].as_str(), command["after"].as_str()) {
            (Some("good"), _) => of("good", 0, json!([finding("warning", Some("look"))])),
            (Some(app), _) => of(app, 1, bad),
            (None, None) => json!({"results": [of("good", 0, json!([]))], "next": "good"}),
            (None, Some(after)) => {
                assert_eq!(after, "good");
                json!({"results": [{"app": "web", "problems": 1, "findings": [{
                    "level": "problem", "about": "stack", "says": "there is no stack",
                    "mend": "make it",
                }]}]})
            }
        })
    })
    .await;
    cloud
        .run(&["check", "good"])
        .await
        .exits(0)
        .prints("good\nwarning  service-role  it says\n         look\n");
    cloud.run(&["check", "web"]).await.exits(1).prints(
        "web\nok       service-role  it says\nproblem  service-role  it says\n         add a role\n",
    );
    let ran = cloud.run(&["check"]).await;
    ran.exits(1).prints("good\nweb\nproblem  stack  there is no stack\n         make it\n");
}

#[tokio::test]
async fn an_audit_names_its_time_and_ends_with_a_refusal() {
    let cloud = Cloud::new(|command| {
        assert_eq!(command["from"], "2026-10-01T00:00:00Z");
        assert_eq!(command["to"], "2026-11-01T00:00:00Z");
        assert_eq!(command["app"], "web");
        Said::Json(json!({"outcome": "refused", "app": "web", "reason": "too long ago"}))
    })
    .await;
    let words = ["audit", "web", "--since", "2026-10-01", "--until", "2026-11-01"];
    cloud.run(&words).await.exits(2).prints("").says("refused: too long ago");
}

/// The most memory that a process has had, in kilobytes.
#[cfg(target_os = "linux")]
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    peak.trim().strip_suffix(" kB").expect("kilobytes").parse().expect("a number")
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_long_audit_is_written_as_it_comes_in_little_memory() {
    const AUDIT_PAGES: u32 = 60;
    const RECORDS: usize = 1_000;
    let process = Arc::new(AtomicU32::new(0));
    let most = Arc::new(AtomicU64::new(0));
    let cloud = {
        let (process, most) = (process.clone(), most.clone());
        // A megabyte a page: all of them together would not fit.
        let record = json!({"at": "2026-10-01T00:00:00Z", "reason": "x".repeat(1_000)});
        Cloud::new(move |command| {
            let page: u32 = command["after"].as_str().map_or(0, |at| at.parse().expect("a page"));
            if page + 1 == AUDIT_PAGES {
                most.store(peak(process.load(Ordering::SeqCst)), Ordering::SeqCst);
            }
            let answer = json!({"action": "audit", "records": vec![&record; RECORDS]});
            Said::Json(if page + 1 < AUDIT_PAGES {
                with(answer, json!({"next": (page + 1).to_string()}))
            } else {
                answer
            })
        })
        .await
    };
    let mut command = cloud.command(&["audit", "--since", "1d"]);
    let child = command.spawn().expect("it runs");
    process.store(child.id().expect("it runs"), Ordering::SeqCst);
    let output = child.wait_with_output().await.expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let read = |line: &[u8]| serde_json::from_slice::<Value>(line).expect("one object a line");
    assert_eq!(lines.map(read).filter(|it| it["at"].is_string()).count(), 60_000);
    let most = most.load(Ordering::SeqCst);
    assert!((1..64 * 1024).contains(&most), "{most} kB");
}
