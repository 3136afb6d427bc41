//! The pictures in docs/pictures. Each shows a page that is made here, from a fixed story at a
//! fixed time. The digests of the pages and of the pictures are in `pages.sha256`, so a picture is
//! never older than its page. Pixels are not compared, since fonts differ between machines.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ecr_promoter::link::Signer;
use ecr_promoter::model::Digest as ImageDigest;
use ecr_promoter::model::approval::ApprovalLink;
use ecr_promoter::model::notes::{ChangeNotes, CommitNote, Direction};
use ecr_promoter::model::soaking::{SeenStage, Soaking};
use ecr_promoter::model::state::{Running, State};
use jiff::SignedDuration;
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::chromium::{Browser, Scheme};
use crate::emulator::http::{self, Response};
use crate::support::browser::post;
use crate::support::many::add_apps;
use crate::support::payloads::{push_event, stack_changed};
use crate::support::world::{LINK_SECRET, Memory, PUBLIC_URL};

/// A page, the width of the window, and whether it is light or dark.
const PICTURES: [(&str, u32, Scheme); 7] = [
    ("approve", 390, Scheme::Light),
    ("after", 390, Scheme::Dark),
    ("board", 390, Scheme::Dark),
    ("board", 1280, Scheme::Light),
    ("app", 1280, Scheme::Dark),
    ("rollback", 390, Scheme::Dark),
    ("rollback", 1280, Scheme::Light),
];

/// What was built: commit, subject and author.
const BUILDS: [(&str, &str, &str); 3] = [
    ("4b825dc642cb6eb9a060e54bf8d69288fbee4904", "Round totals the way the invoice does", "dora"),
    ("e83c5163316f89bfbde7d9ab23ca2e25604af290", "Cache prices per region", "bob"),
    ("9fceb02d0ae598e95dc970b74767f19372d61af8", "Fix checkout rounding for JPY", "alice"),
];

#[tokio::test]
async fn the_pictures_in_docs_show_the_pages_as_they_are_now() {
    let pages = pages();
    if std::env::var_os("UPDATE_PICTURES").is_some_and(|value| !value.is_empty()) {
        take_pictures(&pages).await;
        fs::write(list(), digests(&pages)).expect("the list is written");
    }

    let (now, committed) = (digests(&pages), fs::read_to_string(list()).unwrap_or_default());

    let is_new = |line: &&str| !committed.lines().any(|other| other == *line);
    let differs: Vec<&str> = now.lines().filter(is_new).collect();
    assert!(
        now == committed,
        "these are not as {} says:\n{}\nTo take the pictures again: UPDATE_PICTURES=1 \
         ./scripts/test --test pages pictures",
        list().display(),
        differs.join("\n")
    );
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures")
}

fn list() -> PathBuf {
    folder().join("pages.sha256")
}

fn file_name((page, width, scheme): &(&str, u32, Scheme)) -> String {
    format!("{page}-{width}-{}.png", scheme.name())
}

/// One line for each page as it is now and each picture in the folder, as `sha256sum` writes them.
fn digests(pages: &[(&'static str, String)]) -> String {
    let pages = pages.iter().map(|(name, html)| (format!("{name}.html"), html.clone().into()));
    let pictures = PICTURES.iter().map(file_name).map(|name| {
        let png = fs::read(folder().join(&name)).unwrap_or_default();
        (name, png)
    });
    pages
        .chain(pictures)
        .map(|(name, bytes)| {
            let digest = Sha256::digest(&bytes);
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{hex}  {name}\n")
        })
        .collect()
}

async fn take_pictures(pages: &[(&'static str, String)]) {
    let browser = Browser::start().await.expect("pictures need Chromium and its driver");
    fs::create_dir_all(folder()).expect("a folder for the pictures");
    for picture in &PICTURES {
        let (page, width, scheme) = *picture;
        let (_, html) = pages.iter().find(|(name, _)| *name == page).expect("a page of that name");
        let html = html.clone();
        let server = http::serve(move |_| {
            let page = Response::new(200, "text/html; charset=utf-8", html.clone());
            async move { Ok(page) }
        })
        .await;
        browser.use_scheme(scheme).await;
        browser.open(&format!("http://{server}/")).await;
        browser.use_width(width).await;
        let file = folder().join(file_name(picture));
        fs::write(&file, browser.picture().await).expect("the picture is written");
        // A third of the size, where it is installed.
        let _ = Command::new("pngquant").args(["--force", "--ext=.png"]).arg(&file).status();
    }
    browser.close().await;
}

/// The pages that are pictured, byte for byte the same in every run.
fn pages() -> [(&'static str, String); 5] {
    let world = Memory::new("approval");
    world.get_mut().config["repository_url"] = "https://github.com/acme/web".into();
    world.get_mut().config["approval"] = json!({ "expires_hours": 72 });
    add_apps(&world, 9);
    add_group(&world, STORY_MINUTES);
    let broken = "broken".parse().expect("an app");
    world.get_mut().others.insert(broken, (json!({ "stac": "mailer" }), None));
    for build in &BUILDS[..2] {
        deploy(&world, build);
    }
    let board = board(&world);
    let (_, token) = board.rsplit_once('/').expect("a token");
    // The board's address and the ids of forms are the only random parts of these pages.
    let board_page = |path: &str| {
        let page = get(&world, &format!("{board}{path}")).replace(token, "TOKEN");
        match page.split_once("name=\"once\" value=\"") {
            Some((before, rest)) => {
                format!("{before}name=\"once\" value=\"{:0>32}{}", "", &rest[32..])
            }
            None => page,
        }
    };
    world.get_mut().git_notes = Some(notes(&world, &BUILDS[1..2]));
    let rollback = board_page("/act/rollback/web");
    world.get_mut().git_notes = Some(notes(&world, &BUILDS[2..]));
    let candidate = push(&world, &BUILDS[2]);
    world.invoke(&push_event(&candidate), "push").expect("people are asked");
    later(&world, 3);
    let link = approval_link(&world);
    let (approve, list, app) = (get(&world, &link), board_page(""), board_page("/app/web"));
    decide(&world, &link);
    later(&world, 1);
    let after = get(&world, &link).replace(link.rsplit('/').next().expect("a token"), "TOKEN");
    [("approve", approve), ("after", after), ("board", list), ("app", app), ("rollback", rollback)]
}

/// How long the story goes on after the group was added.
const STORY_MINUTES: i64 = 2 * (2 + 23 * 60) + 3;

/// Adds three stages of `search`: the newest image runs in the first one, and soaks for the second.
fn add_group(world: &Memory, later: i64) {
    let then = world.get().now + SignedDuration::from_mins(later);
    let new = ("d41e6b831d3f34aa9a0f88d7202243ff46ead59f", "Index titles without accents", 22);
    let old = ("6a0f3c593c0d1fb308b039783cad65422a8b91d9", "Boost what is in stock", 3 * 24 * 60);
    let stages = [("staging", None, new), ("us", Some("staging"), old), ("eu", Some("us"), old)];
    for (stage, after, (commit, subject, minutes)) in stages {
        let name = format!("search-{stage}");
        let mut state = State::new(&name, "ProductionTag");
        state.running = Some(Running {
            tag: format!("production_{commit}"),
            digest: Some(ImageDigest::of(commit.as_bytes())),
            commit: commit.parse().ok(),
            note: Some(CommitNote {
                commit: commit.parse().ok(),
                subject: Some(subject.to_owned()),
                author: Some("erin".to_owned()),
                at: None,
                url: None,
            }),
            since: Some(then - SignedDuration::from_mins(minutes)),
            by: "push of `latest`".to_owned(),
        });
        let mut config = json!({ "repository": "search", "stack": name });
        if let Some(after) = after {
            config["after"] = json!({ "app": format!("search-{after}"), "soak_minutes": 64 });
        }
        if stage == "us" {
            let soaking = Soaking {
                digest: ImageDigest::of(new.0.as_bytes()),
                commit: new.0.parse().ok(),
                until: then + SignedDuration::from_mins(42),
                is_baking: false,
            };
            let after = "search-staging".parse().expect("a name");
            state.stage = Some(SeenStage { after, ended: 1, soaking: Some(soaking) });
        }
        world.get_mut().others.insert(name.parse().expect("a name"), (config, Some(state)));
    }
}

/// The address of a board that lasts as long as the story does.
fn board(world: &Memory) -> String {
    let answer = world.invoke(&json!({ "action": "board", "by": "Grace" }), "board");
    answer.expect("a link")["url"].as_str().expect("an address").to_owned()
}

fn notes(world: &Memory, builds: &[(&str, &str, &str)]) -> ChangeNotes {
    let now = world.get().now;
    let note = |(age, (commit, subject, author)): (i64, &(&str, &str, &str))| CommitNote {
        commit: commit.parse().ok(),
        subject: Some((*subject).to_owned()),
        author: Some((*author).to_owned()),
        at: Some(now - SignedDuration::from_hours(age * 5 + 1)),
        url: None,
    };
    ChangeNotes::new((0..).zip(builds.iter().rev()).map(note), Direction::Forward)
}

/// Pushes an image that says which commit it was built from.
fn push(world: &Memory, (commit, subject, author): &(&str, &str, &str)) -> ImageDigest {
    let digest = world.push(commit);
    let mut inner = world.get_mut();
    let image = inner.images.get_mut(&digest).expect("the image");
    image.description = Some((*subject).to_owned());
    image.authors = Some((*author).to_owned());
    digest
}

/// Promotes an image; CloudFormation takes two minutes for it.
fn deploy(world: &Memory, build: &(&str, &str, &str)) {
    push(world, build);
    let promote = json!({ "action": "promote", "repository": "web", "by": "Linus" });
    world.invoke(&promote, build.0).expect("an update");
    later(world, 2);
    world.finish_update();
    world.invoke(&stack_changed(), "stack event").expect("a look");
    later(world, 23 * 60);
}

/// Approves by the link.
fn decide(world: &Memory, address: &str) {
    let path = address.strip_prefix(PUBLIC_URL).expect("an address of the function");
    let fields = [("decision", "approve"), ("name", "Grace")];
    assert_eq!(post(world, &format!("/{path}"), &fields).status, 200);
}

fn later(world: &Memory, minutes: i64) {
    world.get_mut().now += SignedDuration::from_mins(minutes);
}

/// The link that the mail about the present request carries.
fn approval_link(world: &Memory) -> String {
    let inner = world.get();
    let (state, _) = inner.state.as_ref().expect("a state");
    let request = state.request.as_ref().expect("a request");
    let link = ApprovalLink { request: request.id.clone(), digest: request.digest.clone() };
    let address = PUBLIC_URL.parse().expect("an address");
    let signer = Signer::new(&SecretString::from(LINK_SECRET), address).expect("a key");
    signer.address(&link, request.expires_at).expect("a key").to_string()
}

/// The page at this address.
fn get(world: &Memory, address: &str) -> String {
    let path = address.strip_prefix(PUBLIC_URL).expect("an address of the function");
    let payload = json!({
        "version": "2.0",
        "rawPath": format!("/{path}"),
        "rawQueryString": "",
        "headers": { "host": "example.lambda-url.us-east-1.on.aws" },
        "requestContext": { "http": { "method": "GET" } },
        "body": "",
        "isBase64Encoded": false,
    });
    let answer: Value = world.invoke(&payload, "page").expect("an HTTP answer");
    assert_eq!(answer["statusCode"], 200, "{answer}");
    answer["body"].as_str().expect("a page").to_owned()
}
