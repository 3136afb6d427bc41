use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use serde_json::{Value, json};

use super::*;
use crate::samples::{COMMIT, OTHER_COMMIT};
use crate::services::samples::app;
use crate::services::wire::ssm::{get_secret, secret};
use crate::services::wire::{Recording, answer, ok_json, replay};

const TOKEN_NAME: &str = "/ecr-promoter/git-token";

fn web() -> App {
    app(&json!({ "stack": "web", "repository_url": "https://github.com/acme/web" }))
}

fn asked() -> Request<SdkBody> {
    asked_at("")
}

fn asked_at(page: &str) -> Request<SdkBody> {
    let url =
        format!("https://api.github.com/repos/acme/web/compare/{OTHER_COMMIT}...{COMMIT}{page}");
    let request = Request::get(url)
        .header("accept", "application/vnd.github+json")
        .header("authorization", "Bearer github_pat_1")
        .header("user-agent", "ecr-promoter")
        .header("x-github-api-version", "2022-11-28");
    request.body(SdkBody::empty()).expect("a request")
}

fn commit(sha: &str, message: &str) -> Value {
    json!({ "sha": sha, "commit": { "message": message, "author": {
        "name": "Ada", "email": "ada@example.com", "date": "2026-03-17T09:00:00Z",
    } }, "author": { "login": "ada" } })
}

fn token() -> Recording {
    secret(TOKEN_NAME, "github_pat_1")
}

/// The `n`-th commit of a long branch; the last one is the head.
fn nth(n: usize, of: usize) -> Value {
    let sha = if n == of { COMMIT.to_owned() } else { format!("{n:040x}") };
    commit(&sha, &format!("change {n}\n\nIn full"))
}

async fn compare(answers: Vec<Recording>, app: &App) -> Option<ChangeNotes> {
    let (base, head) = (OTHER_COMMIT.parse().expect("a commit"), COMMIT.parse().expect("a commit"));
    replay(answers, async |clients| clients.compare(app, &base, &head).await).await
}

async fn compared(body: &Value) -> Option<ChangeNotes> {
    let token = token();
    compare(vec![token, (asked(), ok_json(body))], &web()).await
}

#[tokio::test]
async fn the_commits_come_newest_first_by_their_first_lines() {
    let body = json!({
        "status": "ahead", "ahead_by": 2, "behind_by": 0, "total_commits": 2,
        "commits": [
            commit(&"a".repeat(40), "Fix rounding\n\nThe long story"),
            commit(COMMIT, "Add <b>x</b>\u{202e}"),
        ],
        "files": [{ "filename": "src/lib.rs", "patch": "@@" }],
    });
    let notes = compared(&body).await.expect("notes");
    assert_eq!((notes.more, notes.direction), (0, Direction::Forward));
    let of = |n: usize| {
        let note = &notes.commits[n];
        (note.subject.as_deref().expect("one"), note.author.as_deref().expect("one"))
    };
    assert_eq!(of(0), ("Add <b>x</b>", "Ada"), "a reversal is not kept");
    assert_eq!(of(1), ("Fix rounding", "Ada"));
}

#[tokio::test]
async fn of_many_commits_the_newest_are_listed_and_the_rest_counted() {
    let commits: Vec<Value> = (1..=250).map(|n| nth(n, 250)).collect();
    let body =
        json!({ "status": "ahead", "ahead_by": 250, "total_commits": 250, "commits": commits });
    let notes = compared(&body).await.expect("notes");
    assert_eq!((notes.commits.len(), notes.more), (20, 230));
    assert_eq!(notes.commits[0].subject.as_deref(), Some("change 250"));
}

#[tokio::test]
async fn the_last_page_is_read_where_the_newest_commits_are_left_out() {
    let listed = |range: std::ops::RangeInclusive<usize>| -> Value {
        let commits: Vec<Value> = range.map(|n| nth(n, 300)).collect();
        json!({ "status": "ahead", "ahead_by": 300, "total_commits": 300, "commits": commits })
    };
    let last = asked_at("?per_page=100&page=3");
    let answers =
        vec![token(), (asked(), ok_json(&listed(1..=250))), (last, ok_json(&listed(201..=300)))];
    let notes = compare(answers, &web()).await.expect("notes");
    assert_eq!((notes.commits.len(), notes.more), (20, 280));
    assert_eq!(notes.commits[0].subject.as_deref(), Some("change 300"));
}

#[tokio::test]
async fn a_way_back_and_diverged_histories_are_said() {
    let behind = json!({ "status": "behind", "ahead_by": 0, "behind_by": 3, "commits": [] });
    let notes = compared(&behind).await.expect("notes");
    assert_eq!(notes.summary().as_deref(), Some("goes back 3 commits"));
    let diverged = json!({
        "status": "diverged", "ahead_by": 1, "behind_by": 2, "total_commits": 1,
        "commits": [commit(COMMIT, "Hotfix")],
    });
    let words = compared(&diverged).await.expect("notes").summary().expect("words");
    assert!(
        words.contains("diverged") && words.contains("brings 1 commit, takes away 2 commits"),
        "{words}"
    );
}

#[tokio::test]
async fn a_host_that_does_not_answer_well_is_left_out() {
    for (status, body) in [(403, "{}"), (404, "{}"), (500, ""), (302, ""), (200, "not JSON")] {
        let token = token();
        let response =
            Response::builder().status(status).header("location", "https://evil.example/");
        let response = response.body(SdkBody::from(body)).expect("an answer");
        assert_eq!(compare(vec![token, (asked(), response)], &web()).await, None, "{status}");
    }
}

#[tokio::test]
async fn nobody_is_asked_without_a_token_or_for_another_host() {
    let missing = answer(400, r#"{"__type":"ParameterNotFound"}"#);
    assert_eq!(compare(vec![(get_secret(TOKEN_NAME), missing)], &web()).await, None);
    for other in [
        "https://gitlab.com/acme/web",
        "https://github.com.evil.example/acme/web",
        "https://github.com/acme",
        "https://github.com/acme/web/tree/main",
        "https://github.com/acme/..",
    ] {
        let app = app(&json!({ "stack": "web", "repository_url": other }));
        assert_eq!(compare(vec![], &app).await, None, "{other}");
    }
    let none = app(&json!({ "stack": "web" }));
    assert_eq!(compare(vec![], &none).await, None);
}

#[test]
fn the_repository_is_named_by_its_address() {
    let of = |url: &str, api: &str| {
        repository(&app(&json!({ "stack": "web", "repository_url": url })), api)
    };
    let api = "https://api.github.com/";
    for url in [
        "https://github.com/acme/web",
        "https://github.com/acme/web/",
        "https://github.com/acme/web.git",
    ] {
        assert_eq!(of(url, api).as_deref(), Some("acme/web"), "{url}");
    }
    let own = "https://ghe.acme.example/api/v3/";
    assert_eq!(of("https://ghe.acme.example/acme/web", own).as_deref(), Some("acme/web"));
    assert_eq!(of("https://ghe.other.example/acme/web", own), None);
}
