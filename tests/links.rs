//! Approval links over the AWS in memory: what is shown, what decides, and what never does.

mod support;

use ecr_promoter::model::Digest;
use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::approval::{ApprovalLink, Progress};
use ecr_promoter::model::config::App;
use ecr_promoter::notification::{self, message};
use ecr_promoter::slack::card::card;
use jiff::SignedDuration;
use serde_json::{Value, json};
use support::browser::{HOST, Page, browse, signer};
use support::payloads::push_event;
use support::world::{LINK_SECRET, Memory, PUBLIC_URL};

/// The address that the message about the present request carries.
fn link(world: &Memory) -> String {
    let inner = world.get();
    let (state, _) = inner.state.as_ref().expect("a state");
    let request = state.request.as_ref().expect("a request");
    let link = ApprovalLink { request: request.id.clone(), digest: request.digest.clone() };
    format!(
        "/approve/{}",
        signer(PUBLIC_URL).mint(&link, request.expires_at).expect("a key").expose()
    )
}

fn asked(config: &Value) -> (Memory, Digest) {
    let world = Memory::new("approval");
    world.get_mut().config["approval"] = config.clone();
    let digest = world.push("abc1234");
    world.invoke(&push_event(&digest), "request").expect("an answer");
    (world, digest)
}

/// What a browser gets that sends these headers.
#[track_caller]
fn send(world: &Memory, method: &str, path: &str, more: &[(&str, &str)], body: &str) -> Page {
    let mut headers = json!({ "host": HOST, "content-type": "application/x-www-form-urlencoded" });
    for (name, value) in more {
        headers[*name] = (*value).into();
    }
    browse(world, method, path, &headers, body)
}

#[track_caller]
fn get(world: &Memory, path: &str) -> Page {
    send(world, "GET", path, &[], "")
}

#[track_caller]
fn post(world: &Memory, path: &str, body: &str) -> Page {
    let own = format!("https://{HOST}");
    send(world, "POST", path, &[("origin", own.as_str()), ("sec-fetch-site", "same-origin")], body)
}

const APPROVE: &str = "decision=approve&name=Alice";
const REJECT: &str = "decision=reject&name=Alice";

#[track_caller]
fn says(page: &Page, status: u64, words: &[&str]) {
    assert_eq!(page.status, status, "{}", page.body);
    for words in words {
        assert!(page.body.contains(words), "{words:?} is not in {}", page.body);
    }
}

#[test]
fn opening_a_link_shows_and_changes_nothing_however_often() {
    let (world, digest) = asked(&json!({}));
    let path = link(&world);
    let before = world.get().state.clone();
    for _ in 0..3 {
        let page = get(&world, &path);
        says(
            &page,
            200,
            &[
                "abc1234",
                digest.as_str(),
                "production_old",
                "Approve",
                "Reject",
                "Stored and shown as “claimed”",
            ],
        );
        let head = send(&world, "HEAD", &path, &[], "");
        assert_eq!((head.status, head.body.as_str()), (200, ""));
    }
    assert_eq!((world.updates(), &world.get().state), (0, &before));
}

#[test]
fn the_form_decides_once_under_a_claimed_name() {
    let (world, digest) = asked(&json!({}));
    let path = link(&world);
    says(
        &post(&world, &path, APPROVE),
        200,
        &["On its way", "Alice (claimed, by the approval link)"],
    );
    assert_eq!((world.updates(), world.value().as_str()), (1, "production_abc1234"));
    says(&post(&world, &path, APPROVE), 200, &["Alice (claimed, by the approval link)"]);
    says(&post(&world, &path, REJECT), 409, &["approved it before"]);
    world.finish_update();
    world.invoke(&push_event(&digest), "request").expect("an answer");
    says(&get(&world, &path), 200, &["in production"]);
    says(&post(&world, &path, APPROVE), 200, &["Alice (claimed, by the approval link)"]);
    assert_eq!(world.updates(), 1);
}

#[test]
fn a_rejection_stands_against_an_approval() {
    let (world, _) = asked(&json!({}));
    let path = link(&world);
    says(&post(&world, &path, REJECT), 200, &["rejected"]);
    says(&post(&world, &path, APPROVE), 409, &["rejected"]);
    says(&get(&world, &path), 200, &["Rejected by Alice (claimed, by the approval link)"]);
    assert_eq!((world.updates(), world.value().as_str()), (0, "production_old"));
}

#[test]
fn a_link_to_what_was_superseded_says_so_and_decides_nothing() {
    let (world, _) = asked(&json!({}));
    let path = link(&world);
    let newer = world.push("bcd2345");
    world.invoke(&push_event(&newer), "request").expect("an answer");
    says(&get(&world, &path), 200, &["superseded"]);
    says(&post(&world, &path, APPROVE), 409, &["superseded"]);
    assert_eq!(world.updates(), 0);
}

#[test]
fn a_link_that_may_only_look_cannot_decide() {
    for config in [
        json!({ "slack_channel": "C1", "approvers": ["ALICE"] }),
        json!({ "required": 2, "slack_channel": "C1" }),
        json!({ "links": false }),
        json!({ "slack_channel": "C1", "approvers": ["ALICE"], "links": true }),
    ] {
        let (world, _) = asked(&config);
        let path = link(&world);
        let page = get(&world, &path);
        says(&page, 200, &["abc1234", "This link cannot decide"]);
        assert!(!page.body.contains("<form"), "{config}: {}", page.body);
        for body in [APPROVE, REJECT] {
            says(&post(&world, &path, body), 403, &["cannot decide"]);
        }
        let inner = world.get();
        let (state, _) = inner.state.as_ref().expect("a state");
        assert_eq!(
            (inner.updates.len(), &state.request.as_ref().expect("a request").progress),
            (0, &Progress::Pending),
            "{config}"
        );
    }
}

#[test]
fn a_changed_link_is_none_and_an_old_one_is_too_old() {
    let (world, _) = asked(&json!({}));
    let path = link(&world);
    let last = if path.ends_with('A') { "B" } else { "A" };
    let changed = format!("{}{last}", &path[..path.len() - 1]);
    for path in [changed.as_str(), "/approve/", "/approve/x", "/approve/x.y.z.a"] {
        for method in ["GET", "POST"] {
            says(&send(&world, method, path, &[], APPROVE), 404, &[]);
        }
    }
    world.get_mut().now += SignedDuration::from_hours(24 * 4);
    says(&get(&world, &path), 410, &["too old"]);
    says(&post(&world, &path, APPROVE), 410, &["too old"]);
    assert_eq!(world.updates(), 0);
}

#[test]
fn a_form_of_another_site_or_without_a_decision_decides_nothing() {
    let (world, _) = asked(&json!({}));
    let path = link(&world);
    for headers in [
        vec![("origin", "https://evil.example")],
        vec![("origin", "null")],
        vec![("sec-fetch-site", "cross-site")],
        vec![
            ("sec-fetch-site", "same-site"),
            ("origin", "https://example.lambda-url.us-east-1.on.aws"),
        ],
    ] {
        says(&send(&world, "POST", &path, &headers, APPROVE), 403, &["its own page"]);
    }
    for body in
        ["", "decision=maybe", "name=Alice", "{\"action\":\"promote\",\"repository\":\"web\"}"]
    {
        says(&post(&world, &path, body), 400, &[]);
    }
    assert_eq!(world.updates(), 0);
}

#[test]
fn a_form_that_something_handed_on_is_our_own_by_the_written_address() {
    let (world, _) = asked(&json!({}));
    let own = format!("https://{HOST}");
    let through = [("host", "10.0.0.1:8080"), ("origin", own.as_str())];
    says(&send(&world, "POST", &link(&world), &through, APPROVE), 200, &["On its way"]);
}

#[test]
fn every_answer_carries_the_headers_that_keep_it_to_itself() {
    let (world, _) = asked(&json!({}));
    let path = link(&world);
    let pages = [
        get(&world, &path),
        post(&world, &path, "decision=maybe"),
        get(&world, "/approve/x"),
        get(&world, "/"),
        get(&world, "/board"),
        send(&world, "DELETE", &path, &[], ""),
        send(&world, "GET", "/slack/commands", &[], ""),
    ];
    // `browse` looks for them on every page.
    assert_eq!(pages.map(|page| page.status), [200, 400, 404, 404, 404, 405, 405]);
}

#[test]
fn a_link_of_another_deployment_with_the_same_secret_is_none_here() {
    let (world, _) = asked(&json!({}));
    let path = link(&world);
    for other in [Some("https://another.lambda-url.us-east-1.on.aws/".to_owned()), None] {
        world.get_mut().public_url = other;
        says(&get(&world, &path), 404, &[]);
        says(&post(&world, &path, APPROVE), 404, &[]);
    }
    // Written down by hand, without its last `/`.
    world.get_mut().public_url = Some(format!("https://{HOST}"));
    says(&post(&world, &path, APPROVE), 200, &["Alice (claimed, by the approval link)"]);
}

#[test]
fn a_link_of_a_secret_that_was_replaced_is_none() {
    let (world, _) = asked(&json!({}));
    let path = link(&world);
    world.get_mut().link_secret = Some("another-secret-0123456789abcdef0123456789".to_owned());
    says(&post(&world, &path, APPROVE), 404, &[]);
    world.get_mut().link_secret =
        Some(format!("another-secret-0123456789abcdef0123456789\n{LINK_SECRET}"));
    says(&post(&world, &path, APPROVE), 200, &["Alice (claimed, by the approval link)"]);
}

#[test]
fn whoever_decides_gives_a_name() {
    let (world, _) = asked(&json!({}));
    let path = link(&world);
    for name in [
        "decision=approve",
        "decision=approve&name=",
        "decision=reject&name=%20%09",
        "decision=approve&name=%E2%80%8B%0A",
    ] {
        says(&post(&world, &path, name), 400, &["the name is missing", "<form"]);
    }
    let inner = world.get();
    assert_eq!((inner.updates.len(), inner.commands.len()), (0, 0));
}

#[test]
fn a_decision_keeps_where_it_came_from_and_that_its_name_is_claimed() {
    let (world, digest) = asked(&json!({}));
    let path = link(&world);
    let name = format!("Alice\u{202e} (Slack, UALICE){}", "x".repeat(500));
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("decision", "approve")
        .append_pair("name", &name)
        .finish();
    says(&post(&world, &path, &body), 200, &["On its way"]);
    let status = world
        .invoke(&json!({ "action": "status", "repository": "web" }), "status")
        .expect("a report");
    let vote = &status["request"]["votes"][0];
    let by = vote["by"].as_str().expect("a name");
    assert!(
        by.starts_with("Alice (Slack, UALICE)xx")
            && by.ends_with("… (claimed, by the approval link)"),
        "{by}"
    );
    assert_eq!(vote["trace"], json!({ "address": "203.0.113.9", "agent": "Mozilla/5.0 (test)" }));
    // Whoever is asked about it later finds it in the history, and on every message the mark.
    world.finish_update();
    world.invoke(&push_event(&digest), "request").expect("an answer");
    let history = world
        .invoke(&json!({ "action": "history", "repository": "web" }), "history")
        .expect("a report");
    assert_eq!(history["promotions"][0]["votes"][0]["trace"]["address"], "203.0.113.9");
    let app = App::parse(&"web".parse().expect("a name"), "test", &world.get().config.to_string())
        .expect("valid");
    for notice in
        world.get().told.iter().filter(|notice| notice.outcome != Outcome::ApprovalRequested)
    {
        let told = message(&app, notice, "production", &notification::Page::None);
        assert!(
            told.text.contains("(claimed, by the approval link)")
                && !told.text.contains('\u{202e}'),
            "{}",
            told.text
        );
    }
    let (state, _) = world.get().state.clone().expect("a state");
    let (_, blocks) = card(&app, state.request.as_ref().expect("a request"), "production");
    assert!(blocks.to_string().contains("(claimed, by the approval link)"), "{blocks:#}");
}

#[test]
fn a_name_with_html_in_it_is_text() {
    let (world, _) = asked(&json!({}));
    let path = link(&world);
    let page = post(&world, &path, "decision=reject&name=%3Cscript%3Ealert(1)%3C%2Fscript%3E");
    says(&page, 200, &["&lt;script&gt;alert(1)&lt;/script&gt;"]);
    assert!(!page.body.contains("<script>"), "{}", page.body);
}

#[test]
fn the_page_links_to_the_ci_run_below_the_repository_and_nowhere_else() {
    let own = "https://github.com/acme/web/actions/runs/1";
    for (url, is_linked) in [(own, true), ("https://evil.example/acme/web/1", false)] {
        let world = Memory::new("approval");
        world.get_mut().config["repository_url"] = json!("https://github.com/acme/web");
        let digest = world.push_with_run("abc1234", url);
        world.invoke(&push_event(&digest), "push").expect("an answer");
        let path = link(&world);
        let has_link = |page: Page| page.links().iter().any(|link| link == url);
        assert_eq!(has_link(get(&world, &path)), is_linked, "{url}");
        post(&world, &path, APPROVE);
        assert_eq!(has_link(get(&world, &path)), is_linked, "{url}, after the decision");
    }
}
