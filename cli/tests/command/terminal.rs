//! A person at a terminal: the question before a change, and the live line.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::{Value, json};

use super::cloud::{Cloud, Said};
use super::samples::{NEW, OLD, answer, ended, history, promotion, request, status, with};

/// A command at a terminal of its own. Its stdout is no terminal.
struct Terminal {
    child: Child,
    keys: std::fs::File,
    shown: Receiver<Vec<u8>>,
    text: String,
}

impl Terminal {
    fn new(cloud: &Cloud, words: &[&str]) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let own = openpt(flags).expect("a terminal");
        grantpt(&own).expect("a terminal");
        unlockpt(&own).expect("a terminal");
        let name = ptsname(&own, Vec::new()).expect("its name");
        let other: OwnedFd = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty())
            .expect("it opens");
        let mut command = cloud.command(words);
        let command = command.as_std_mut();
        command.stdin(Stdio::from(other.try_clone().expect("a copy"))).stderr(Stdio::from(other));
        command.env("TERM", "xterm").stdout(Stdio::piped());
        let child = command.spawn().expect("it runs");
        // The command holds the terminal open: without it, reading ends when the child does.
        command.stdin(Stdio::null()).stderr(Stdio::null());
        let mut screen = std::fs::File::from(own.try_clone().expect("a copy"));
        let (send, shown) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = screen.read(&mut bytes) {
                if send.send(bytes[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, keys: std::fs::File::from(own), shown, text: String::new() }
    }

    /// Waits until the terminal shows this.
    fn shows(&mut self, words: &str) {
        while !self.text.contains(words) {
            let more = self.shown.recv_timeout(Duration::from_secs(30));
            let more = more.unwrap_or_else(|_| panic!("{words:?} is missing: {:?}", self.text));
            self.text.push_str(&String::from_utf8_lossy(&more));
        }
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("it reads");
    }

    /// Waits for the end: the exit code, stdout, and all that the terminal showed.
    fn ends(mut self) -> (Option<i32>, String, String) {
        let mut stdout = String::new();
        self.child.stdout.take().expect("a pipe").read_to_string(&mut stdout).expect("UTF-8");
        let code = self.child.wait().expect("it ends").code();
        while let Ok(more) = self.shown.recv_timeout(Duration::from_secs(30)) {
            self.text.push_str(&String::from_utf8_lossy(&more));
        }
        (code, stdout, self.text)
    }
}

fn plan(would: &str) -> Value {
    json!({
        "action": "plan", "would": would, "app": "web", "repository": "web", "digest": NEW,
        "commit": null, "tag": "production_new", "previous_tag": "production_old",
        "stack": "web", "parameter": "ProductionTag", "reason": "so it is", "changes": null,
        "warnings": []
    })
}

/// Actions that the function got.
fn actions(cloud: &Cloud) -> Vec<String> {
    let action = |command: &Value| command["action"].as_str().expect("an action").to_owned();
    cloud.commands().iter().map(action).collect()
}

async fn function(would: &'static str) -> Cloud {
    Cloud::new(move |command| {
        Said::Json(match command["action"].as_str() {
            Some("plan") => plan(would),
            Some("status") => with(status("production_old", OLD), json!({"request": request()})),
            Some("approve") => answer("approved", "one more is needed"),
            _ => answer("promoted", "yes"),
        })
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_the_plan_and_is_asked() {
    let cloud = function("promoted").await;
    let mut terminal = Terminal::new(&cloud, &["rollback", "web"]);
    terminal.shows("Run `rollback web` now? [y/N] ");
    assert!(terminal.text.contains("production_old"), "{}", terminal.text);
    assert_eq!(cloud.commands()[0], json!({"action": "plan", "app": "web", "of": "rollback"}));
    terminal.types("y\n");
    let (code, stdout, _) = terminal.ends();
    assert_eq!(code, Some(0));
    assert!(stdout.starts_with("promoted: web production_new: yes\n"), "{stdout}");
    assert_eq!(actions(&cloud), ["plan", "rollback"]);
    let sent = json!({"action": "rollback", "app": "web", "digest": NEW});
    assert_eq!(cloud.commands()[1], sent, "it goes where it was said to go");
}

#[tokio::test(flavor = "multi_thread")]
async fn anything_but_yes_changes_nothing() {
    for keys in ["n\n", "\n", "yep\n", "\u{4}"] {
        let cloud = function("promoted").await;
        let mut terminal = Terminal::new(&cloud, &["promote", "web"]);
        terminal.shows("[y/N] ");
        terminal.types(keys);
        let (code, stdout, shown) = terminal.ends();
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{keys:?}");
        assert!(shown.contains("Nothing was changed."), "{shown}");
        assert_eq!(actions(&cloud), ["plan"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_refused_is_not_asked() {
    for would in ["refused", "ignored"] {
        let cloud = function(would).await;
        let (ended, _, shown) = Terminal::new(&cloud, &["promote", "web"]).ends();
        assert_eq!(ended, Some(2), "{shown}");
        assert!(shown.contains("so it is"), "{shown}");
        assert_eq!(actions(&cloud), ["plan"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_open_request_is_shown_and_then_named() {
    let cloud = function("promoted").await;
    let mut terminal = Terminal::new(&cloud, &["approve", "web"]);
    let id = format!("req-{}", "0".repeat(32));
    terminal.shows(&format!("Run `approve web {id}` now? [y/N] "));
    assert!(terminal.text.contains("a push in mode `approval`"), "{}", terminal.text);
    terminal.types("yes\n");
    assert_eq!(terminal.ends().0, Some(3));
    let sent = cloud.commands();
    let expected = json!({"action": "approve", "app": "web", "request": id});
    assert_eq!(sent.last(), Some(&expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_line_is_one_line_and_goes_away() {
    let new = promotion("token-new", "production_new", NEW);
    let mut open = new.clone();
    open["accepted_at"] = json!("2026-10-01T00:00:10Z");
    let stack = json!({"name": "web", "status": "UPDATE_IN_PROGRESS"});
    let updating = with(status("production_old", OLD), json!({"open": [open], "stack": stack}));
    let looks = std::sync::atomic::AtomicU32::new(0);
    let cloud = Cloud::new(move |command| {
        Said::Json(match command["action"].as_str() {
            Some("history") => history(&[ended("deployed", "it runs", new.clone())]),
            Some("status") => match looks.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
                0 => updating.clone(),
                _ => status("production_new", NEW),
            },
            _ => answer("promoted", "yes"),
        })
    })
    .await;
    let words = ["rollback", "web", "--yes", "--watch"];
    let mut terminal = Terminal::new(&cloud, &words);
    terminal.shows("CloudFormation UPDATE_IN_PROGRESS");
    let (code, stdout, shown) = terminal.ends();
    assert_eq!(code, Some(0));
    let last = "deployed: production_new (sha256:bbbbbbbbbbbb…) runs in web, 2 m 10 s\n";
    assert_eq!(stdout, last);
    let (_, live) = shown.split_once('\n').expect("the answer, then the live line");
    assert!(!live.contains('\n'), "more than one line: {shown:?}");
    assert!(live.ends_with("\r\u{1b}[K"), "the line stays: {shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_at_the_question_changes_nothing() {
    let cloud = function("promoted").await;
    let mut terminal = Terminal::new(&cloud, &["promote", "web"]);
    terminal.shows("[y/N] ");
    let id = terminal.child.id().to_string();
    let kill = std::process::Command::new("kill").args(["-INT", &id]).status();
    assert!(kill.expect("kill runs").success());
    let (code, _, shown) = terminal.ends();
    assert_eq!(code, Some(130), "{shown}");
    assert!(shown.contains("Nothing was changed."), "{shown}");
    assert_eq!(actions(&cloud), ["plan"]);
}
