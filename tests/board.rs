//! The board, as a person uses it: by its address in a browser, over an AWS in memory.

mod support;

use ecr_promoter::link::Signer;
use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::approval::ApprovalLink;
use ecr_promoter::model::session::BoardLink;
use ecr_promoter::model::state::{Hold, State};
use ecr_promoter::model::{Digest, Proof, SessionId};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::Sha256;
use support::{LINK_SECRET, Memory, PUBLIC_URL, push_event, sns};

const HOST: &str = "example.lambda-url.us-east-1.on.aws";

/// What a browser got.
struct Page {
    status: u64,
    body: String,
    headers: Value,
}

impl Page {
    #[track_caller]
    fn says(&self, words: &str) -> &Self {
        assert!(self.text().contains(words), "{words:?} is not in:\n{}", self.text());
        self
    }

    /// What people read: without tags, style and empty lines; entities are left as they are.
    fn text(&self) -> String {
        let main = self.body.split_once("<main>").map_or(self.body.as_str(), |(_, main)| main);
        let mut text = String::new();
        let blocks = [
            "<p", "<h", "<dt", "<li", "<tr", "<td", "<th", "<dd", "<button", "<section", "<label",
            "<nav", "<caption",
        ];
        for (at, part) in main.split('<').enumerate() {
            let (tag, words) =
                if at == 0 { ("", part) } else { part.split_once('>').unwrap_or((part, "")) };
            let opens = format!("<{tag}");
            if blocks.iter().any(|block| opens.starts_with(block)) {
                text.push('\n');
            }
            text.push_str(words);
        }
        text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    }

    fn acts(&self) -> Vec<String> {
        self.links().into_iter().filter(|link| link.contains("/act/")).collect()
    }

    fn links(&self) -> Vec<String> {
        self.body
            .split("href=\"")
            .skip(1)
            .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
            .collect()
    }

    #[track_caller]
    fn link(&self, words: &str) -> String {
        self.links()
            .into_iter()
            .find(|link| link.contains(words))
            .unwrap_or_else(|| panic!("no link with {words:?}: {:?}", self.links()))
    }

    fn is_refreshed(&self) -> bool {
        self.body.contains("http-equiv=\"refresh\"")
    }

    #[track_caller]
    fn once(&self) -> String {
        let (_, rest) = self.body.split_once("name=\"once\" value=\"").expect("a form");
        rest.split_once('"').expect("a value").0.to_owned()
    }
}

/// An app in this mode whose approvers are alice and bob.
fn with_approvers(mode: &str) -> Memory {
    let world = Memory::new(mode);
    world.get_mut().config["approval"] =
        json!({ "slack_channel": "C1", "approvers": ["UALICE", "UBOB"] });
    world
}

fn pushed(world: &Memory, commit: &str) -> Digest {
    let digest = world.push(commit);
    world.invoke(&push_event(&digest), "push").expect("an answer");
    digest
}

/// The path of the board that somebody gets by a direct invocation.
fn board_by_invocation(world: &Memory) -> String {
    path(&world.invoke(&json!({ "action": "board", "by": "carol" }), "board").expect("a link"))
}

/// The path of the board that this user gets in Slack.
fn board_in_slack(world: &Memory, user: &str) -> String {
    let answer = world.invoke(&slash(world, user, "board"), "slash").expect("an answer");
    let body: Value = serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON");
    assert_eq!(body["response_type"], "ephemeral", "nobody else sees it");
    let text = body["text"].as_str().expect("a text");
    let (_, path) = text.split_once(HOST).unwrap_or_else(|| panic!("no link in {text}"));
    path.trim().to_owned()
}

fn path(answer: &Value) -> String {
    assert_eq!(answer["action"], "board");
    let url = answer["url"].as_str().expect("an address");
    url.strip_prefix("https://")
        .and_then(|url| url.strip_prefix(HOST))
        .expect("at the public address")
        .to_owned()
}

/// What makes links with the world's key.
fn signer() -> Signer {
    Signer::new(&SecretString::from(LINK_SECRET), PUBLIC_URL.parse().expect("an address"))
        .expect("a key")
}

/// A slash command, signed now; each is another one.
fn slash(world: &Memory, user: &str, text: &str) -> Value {
    let trigger = format!("1.{}", world.get().calls.len());
    let fields = [
        ("team_id", "T1"),
        ("channel_id", "C9"),
        ("user_id", user),
        ("user_name", "someone"),
        ("text", text),
        ("trigger_id", &trigger),
    ];
    let body = form(&fields);
    let timestamp = world.get().now.as_second().to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"signing-secret").expect("a key of any length");
    mac.update(format!("v0:{timestamp}:{body}").as_bytes());
    let hex: String =
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let headers =
        json!({ "x-slack-request-timestamp": timestamp, "x-slack-signature": format!("v0={hex}") });
    http("POST", "/slack/commands", &headers, &body)
}

fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn http(method: &str, address: &str, headers: &Value, body: &str) -> Value {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    json!({
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": { "http": { "method": method } },
        "body": body,
        "isBase64Encoded": false,
    })
}

#[track_caller]
fn browse(world: &Memory, method: &str, address: &str, headers: &Value, body: &str) -> Page {
    let answer =
        world.invoke(&http(method, address, headers, body), "http").expect("an HTTP answer");
    let page = Page {
        status: answer["statusCode"].as_u64().expect("a status"),
        body: answer["body"].as_str().expect("a body").to_owned(),
        headers: answer["headers"].clone(),
    };
    let policy = page.headers["content-security-policy"].as_str().expect("a policy");
    for part in
        ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"]
    {
        assert!(policy.contains(part), "{method} {}: {policy}", page.status);
    }
    assert_eq!(page.headers["cache-control"], "no-store");
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
    if page.headers["content-type"] == "text/html; charset=utf-8" && method != "HEAD" {
        is_for_everybody(&page.body);
    }
    page
}

/// What a screen reader and a narrow window need, as far as the text of a page shows it.
#[track_caller]
fn is_for_everybody(body: &str) {
    for absent in ["<script", " style=", " onclick", "javascript:"] {
        assert!(!body.contains(absent), "{absent} is in {body}");
    }
    let levels: Vec<u32> =
        body.split("<h").skip(1).filter_map(|rest| rest.chars().next()?.to_digit(10)).collect();
    assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1, "one title: {levels:?}");
    assert!(
        levels[0] == 1 && levels.windows(2).all(|pair| pair[1] <= pair[0] + 1),
        "headings in order: {levels:?}"
    );
    let count = |words: &str| body.matches(words).count();
    assert_eq!(count("<table"), count("<caption"), "{body}");
    assert_eq!(count("<th>") + count("<th "), count("scope=\""), "{body}");
    assert_eq!(count("<input type=\"text\""), count("<label "), "{body}");
    assert_eq!((count("<main>"), count("<html lang=\"en\">")), (1, 1));
    let mut ids: Vec<&str> =
        body.split(" id=\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "an id is there twice: {body}");
    for label in
        body.split("aria-labelledby=\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0))
    {
        assert!(ids.contains(&label), "nothing has the id {label}");
    }
}

#[track_caller]
fn get(world: &Memory, address: &str) -> Page {
    browse(world, "GET", address, &json!({ "host": HOST }), "")
}

/// The form of the page, as a browser sends it.
#[track_caller]
fn post(world: &Memory, address: &str, fields: &[(&str, &str)]) -> Page {
    let headers = json!({
        "host": HOST, "origin": format!("https://{HOST}"), "sec-fetch-site": "same-origin",
    });
    browse(world, "POST", address, &headers, &form(fields))
}

/// Opens an act's page, and does it.
#[track_caller]
fn does(world: &Memory, address: &str, more: &[(&str, &str)]) -> Page {
    let page = get(world, address);
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(!page.is_refreshed(), "a form that goes away while somebody types");
    let once = page.once();
    let fields: Vec<(&str, &str)> =
        [("once", once.as_str())].into_iter().chain(more.iter().copied()).collect();
    post(world, address, &fields)
}

/// A form that no page offered.
#[track_caller]
fn forces(world: &Memory, address: &str, more: &[(&str, &str)]) -> Page {
    let once = "0123456789abcdef0123456789abcdef";
    let fields: Vec<(&str, &str)> =
        [("once", once)].into_iter().chain(more.iter().copied()).collect();
    post(world, address, &fields)
}

/// Everything that an act can change.
fn everything(world: &Memory) -> (Option<State>, String, usize, Vec<Outcome>) {
    let state = world.get().state.clone().map(|(state, _)| state);
    (state, world.value(), world.updates(), world.told())
}

fn fifteen_minutes_and_a_second_go_by(world: &Memory) {
    world.get_mut().now += SignedDuration::from_secs(15 * 60 + 1);
}

fn two_deployed(world: &Memory) -> (Digest, Digest) {
    let mut deployed = ["aaaaaaa", "bbbbbbb"].into_iter().map(|commit| {
        let digest = pushed(world, commit);
        world.finish_update();
        world.invoke(&push_event(&digest), "again").expect("an answer");
        digest
    });
    (deployed.next().expect("one"), deployed.next().expect("two"))
}

// The link

#[test]
fn a_board_is_given_for_fifteen_minutes_to_whoever_may_invoke() {
    let world = Memory::new("approval");
    let answer = world.invoke(&json!({ "action": "board" }), "board").expect("a link");
    assert_eq!(answer["expires_at"], "2026-03-17T09:56:30Z");
    assert_eq!(answer.as_object().map(|fields| fields.len()), Some(3), "{answer}");
    let board = path(&answer);
    assert_eq!(get(&world, &board).status, 200);
    get(&world, &board)
        .says("You are viewing this as somebody who may invoke the function, until 2026-03-17 09:56:30 UTC");
    get(&world, &board_by_invocation(&world))
        .says("You are viewing this as carol (claimed), who may invoke the function");
}

#[test]
fn a_board_without_its_parameters_says_how_to_make_them() {
    let error = |change: fn(&Memory)| {
        let world = Memory::new("approval");
        change(&world);
        world.invoke(&json!({ "action": "board" }), "board").expect_err("no link").to_string()
    };
    insta::assert_snapshot!(error(|world| world.get_mut().link_secret = None), @"configuration error in Parameter Store /ecr-promoter/link-secret: there is no such parameter, but links are signed with it. Create it with: aws ssm put-parameter --type SecureString --name /ecr-promoter/link-secret --value \"$(openssl rand -hex 32)\"");
    insta::assert_snapshot!(error(|world| world.get_mut().public_url = None), @"configuration error in Parameter Store /ecr-promoter/public-url: expected the function's own address, which ends with `/`; template.yaml creates it, or run: aws ssm put-parameter --type String --name /ecr-promoter/public-url --value https://….lambda-url.<region>.on.aws/");
}

#[test]
fn a_board_is_not_for_sns_and_takes_nothing_else() {
    let world = Memory::new("approval");
    let now = world.get().now;
    for message in ["board", "board web", r#"{"action":"board"}"#] {
        let error = world
            .invoke(&sns(message, "1", now), "sns")
            .expect_err("nobody would get it")
            .to_string();
        assert!(error.contains("SNS answers nobody"), "{error}");
    }
    for payload in [
        json!({ "action": "board", "repository": "web" }),
        json!({ "action": "board", "by": null }),
    ] {
        world.invoke(&payload, "direct").expect_err("not understood");
    }
}

#[test]
fn a_board_that_expired_neither_shows_nor_acts() {
    let world = with_approvers("approval");
    let digest = pushed(&world, "abc1234");
    let board = board_in_slack(&world, "UALICE");
    let act = format!("{board}/act/approve/web?image={digest}");
    fifteen_minutes_and_a_second_go_by(&world);
    let before = everything(&world);
    for address in [board.clone(), format!("{board}/app/web"), act.clone()] {
        let page = get(&world, &address);
        assert_eq!(page.status, 410);
        page.says("too old");
    }
    assert_eq!(forces(&world, &act, &[]).status, 410);
    assert_eq!(everything(&world), before);
}

#[test]
fn a_board_with_another_character_is_no_board() {
    let world = Memory::new("approval");
    let digest = pushed(&world, "abc1234");
    let board = board_by_invocation(&world);
    let last = if board.ends_with('A') { "B" } else { "A" };
    let forged = format!("{}{last}", &board[..board.len() - 1]);
    let before = everything(&world);
    for address in [
        forged.clone(),
        format!("{forged}/app/web"),
        format!("{forged}/act/hold/web"),
        "/board/x".to_owned(),
    ] {
        assert_eq!(get(&world, &address).status, 404, "{address}");
    }
    assert_eq!(
        forces(&world, &format!("{forged}/act/approve/web?image={digest}"), &[]).status,
        404
    );
    assert_eq!(everything(&world), before);
}

#[test]
fn an_approval_links_token_is_no_board() {
    let world = Memory::new("approval");
    pushed(&world, "abc1234");
    let request =
        world.get().state.as_ref().and_then(|(state, _)| state.request.clone()).expect("a request");
    let link = ApprovalLink { request: request.id, digest: request.digest };
    let token = signer().mint(&link, request.expires_at).expect("a key");
    assert_eq!(get(&world, &format!("/board/{}", token.expose())).status, 404);
}

#[test]
fn the_link_secret_alone_makes_nobody() {
    let world = with_approvers("approval");
    let digest = pushed(&world, "abc1234");
    let board = board_in_slack(&world, "UALICE");
    let known = world.get().sessions.values().next().cloned().expect("a session");
    assert_eq!(
        (known.slack.as_ref().map(|origin| origin.user.as_str()), known.by.as_str()),
        (Some("UALICE"), "someone")
    );
    // Whoever has the secret signs what they like: of a session that was never written, or whose
    // proof they cannot know.
    let until = world.get().now + SignedDuration::from_mins(15);
    let made_up = [
        BoardLink { session: SessionId::of("mallory"), proof: Proof::of([1; 16]) },
        BoardLink { session: known.id.clone(), proof: Proof::of([0; 16]) },
    ];
    let before = everything(&world);
    for link in &made_up {
        let forged = format!("/board/{}", signer().mint(link, until).expect("a key").expose());
        for address in [
            forged.clone(),
            format!("{forged}/app/web"),
            format!("{forged}/act/approve/web?image={digest}"),
        ] {
            assert_eq!(get(&world, &address).status, 404, "{address}");
        }
        assert_eq!(
            forces(&world, &format!("{forged}/act/approve/web?image={digest}"), &[]).status,
            404
        );
    }
    assert_eq!(everything(&world), before);
    // And a session ends when it was said to, whatever the link says.
    assert_eq!(get(&world, &board).status, 200);
    let longer = format!(
        "/board/{}",
        signer()
            .mint(&known.link(), until + SignedDuration::from_hours(1))
            .expect("a key")
            .expose()
    );
    fifteen_minutes_and_a_second_go_by(&world);
    assert_eq!(get(&world, &longer).status, 404);
}

#[test]
fn a_command_that_comes_again_gets_no_second_link() {
    let world = with_approvers("approval");
    let command = slash(&world, "UALICE", "board");
    let said = |request: &str| {
        let answer = world.invoke(&command, request).expect("an answer");
        answer["body"].as_str().expect("a body").to_owned()
    };
    assert!(said("1").contains("/board/"));
    for request in ["1", "2"] {
        let again = said(request);
        assert!(again.contains("it gives only one") && !again.contains("/board/"), "{again}");
    }
    assert_eq!(world.get().sessions.len(), 1);
    assert!(
        board_in_slack(&world, "UALICE").starts_with("/board/"),
        "another command gets another one"
    );
}

#[test]
fn a_board_of_another_deployment_with_the_same_secret_is_none_here() {
    let world = with_approvers("approval");
    let board = board_in_slack(&world, "UALICE");
    world.get_mut().public_url = Some("https://another.lambda-url.us-east-1.on.aws/".to_owned());
    assert_eq!(get(&world, &board).status, 404);
    world.get_mut().public_url = None;
    assert_eq!(get(&world, &board).status, 404);
    world.get_mut().public_url = Some(PUBLIC_URL.to_owned());
    assert_eq!(get(&world, &board).status, 200);
}

#[test]
fn what_cannot_be_a_link_causes_no_call() {
    let world = Memory::new("approval");
    let board = board_by_invocation(&world);
    let calls = world.get().calls.len();
    let expired = format!(
        "{}.1.{}",
        &board["/board/".len()..][..8],
        board.splitn(3, '.').nth(2).expect("the rest")
    );
    for token in [
        "x",
        "x.y.z.a",
        "AAAAAAAA.9999999999.e30.AAAA",
        &"a".repeat(3_000),
        &board["/board/".len() + 1..],
        "%00",
        "../..",
    ] {
        for address in [
            format!("/board/{token}"),
            format!("/board/{token}/app/web"),
            format!("/approve/{token}"),
        ] {
            assert_eq!(get(&world, &address).status, 404, "{address}");
        }
    }
    assert_eq!(get(&world, &format!("/board/{expired}")).status, 410);
    assert_eq!(world.get().calls.len(), calls);
}

#[test]
fn a_link_secret_that_can_be_guessed_is_an_error_that_says_the_mend() {
    let world = Memory::new("approval");
    let board = board_by_invocation(&world);
    for secret in ["short", &format!("{LINK_SECRET}\nshort")] {
        world.get_mut().link_secret = Some(secret.to_owned());
        let error =
            world.invoke(&json!({ "action": "board" }), "board").expect_err("no link").to_string();
        for words in
            ["/ecr-promoter/link-secret", "fewer than 32 characters", "openssl rand -hex 32"]
        {
            assert!(error.contains(words), "{words} is not in {error}");
        }
        assert_eq!(get(&world, &board).status, 500, "closed, also for links of the other key");
    }
}

// The list

#[test]
fn the_list_shows_all_apps_and_what_waits_comes_first() {
    let world = Memory::new("approval");
    let held = State {
        hold: Some(Hold {
            by: "alice".to_owned(),
            at: world.get().now,
            reason: "release freeze".to_owned(),
        }),
        ..State::new("held", "ProductionTag")
    };
    world.get_mut().others = [
        ("a/quiet", json!({ "stack": "quiet" }), None),
        ("team/held", json!({ "stack": "held" }), Some(held)),
        ("wrong", json!({ "stack": 5 }), None),
    ]
    .map(|(name, config, state)| (name.parse().expect("a name"), (config, state)))
    .into();
    pushed(&world, "abc1234");
    let calls = world.get().calls.len();
    let page = get(&world, &board_by_invocation(&world));
    insta::assert_snapshot!(page.text(), @r"
    The board
    You are viewing this as carol (claimed), who may invoke the function, until 2026-03-17 09:56:30 UTC. Anyone with this address can act as you.
    Apps
    4 apps; those that need somebody come first
    App
    Runs
    Pending
    Stack
    Last promotion
    wrong
    cannot be used configuration error in Parameter Store /ecr-promoter/apps/wrong, key stack: found 5; expected a text in quotes. Write for example &quot;stack&quot;: &quot;web&quot;
    web
    production_old (before ecr-promoter)
    waits for approval commit abc1234, until 2026-03-20 09:41:30 UTC
    web
    none yet
    team/held
    not looked at yet
    held by alice: release freeze
    held
    none yet
    a/quiet
    not looked at yet
    nothing
    quiet
    none yet
    ecr-promoter
    ");
    assert!(!page.is_refreshed(), "nothing is under way");
    let calls: Vec<String> = world.get().calls[calls..]
        .iter()
        .filter(|call| *call != "GetParameter secret")
        .cloned()
        .collect();
    assert_eq!(
        calls,
        ["PutItem session", "GetItem session", "GetParametersByPath", "BatchGetItem"],
        "nothing is under way"
    );
    assert_eq!(get(&world, &page.link("/app/team/held")).status, 200);
    get(&world, &page.link("/app/wrong")).says("cannot be used").says("expected a text in quotes");
}

#[test]
fn what_is_under_way_is_shown_with_its_progress_and_looked_at_anew() {
    let world = Memory::new("auto");
    pushed(&world, "abc1234");
    let board = board_by_invocation(&world);
    let page = get(&world, &board);
    page.says("on its way").says("UPDATE_IN_PROGRESS");
    assert!(page.is_refreshed());
    let still = get(&world, &page.link("?still"));
    assert!(!still.is_refreshed());
    let app = get(&world, &format!("{board}/app/web"));
    assert!(app.is_refreshed());
    app.says("Under way").says("Commit abc1234 is on its way: production_abc1234");
    world.finish_update();
    world.invoke(&support::event("scheduled"), "tick").expect("an answer");
    let page = get(&world, &board);
    assert!(!page.is_refreshed());
    page.says("abc1234 since").says("deployed abc1234");
}

#[test]
fn somebody_elses_operation_is_shown_as_such() {
    let world = Memory::new("auto");
    world.foreign_update("production_old");
    let page = get(&world, &format!("{}/app/web", board_by_invocation(&world)));
    assert!(page.is_refreshed());
    page.says("Somebody else started this operation");
}

// One app

#[test]
fn an_app_is_shown_in_full() {
    let world = with_approvers("auto");
    world.get_mut().config["repository_url"] = json!("https://github.com/acme/web");
    two_deployed(&world);
    world.get_mut().config["mode"] = json!("approval");
    pushed(&world, "abc1234");
    let page = get(&world, &format!("{}/app/web", board_in_slack(&world, "UALICE")));
    insta::assert_snapshot!(page.text(), @r"
    All apps
    web
    You are viewing this as someone (UALICE) in Slack, until 2026-03-17 09:56:31 UTC. Anyone with this address can act as you.
    Runs now
    Commit
    bbbbbbb
    Tag
    production_bbbbbbb
    Digest
    sha256:211096c9fbba0c9e3c88f92300c10a8b20e5d6ebb411ade5aaceb844910cfe29
    Since
    2026-03-17 09:41:30 UTC
    By
    push of `latest`
    Mode
    approval
    Stack
    web UPDATE_COMPLETE
    Parameter
    ProductionTag: production_bbbbbbb
    Pending
    waits for approval commit abc1234, until 2026-03-20 09:41:30 UTC
    Candidate
    Commit
    abc1234 (compare with what runs)
    Digest
    sha256:0ea7a6e077dbcee6a4c9bde618d3c6af8137fad99f4954db7e059674cf17f9af
    Asked
    2026-03-17 09:41:30 UTC, because the app's mode is approval
    Open until
    2026-03-20 09:41:30 UTC
    What you can do
    Approve
    Reject
    Promote
    Roll back
    Hold
    Each of these opens a page that asks you to confirm.
    History
    The last 2 promotions that ended, newest first
    Image
    Ended
    How
    By
    Why
    production_bbbbbbb
    2026-03-17 09:41:30 UTC
    deployed
    push of `latest`, through a push
    CloudFormation finished the update
    production_aaaaaaa
    2026-03-17 09:41:30 UTC
    deployed
    push of `latest`, through a push
    CloudFormation finished the update Roll back to production_aaaaaaa
    ecr-promoter
    ");
    assert_eq!(page.link("compare"), "https://github.com/acme/web/compare/bbbbbbb...abc1234");
    let acts: Vec<String> = page
        .acts()
        .iter()
        .map(|act| act.split_once("/act/").expect("an act").1.to_owned())
        .collect();
    let kinds: Vec<&str> =
        acts.iter().map(|act| act.split_once('/').expect("a repository").0).collect();
    assert_eq!(kinds, ["approve", "reject", "promote", "rollback", "hold", "rollback"]);
}

#[test]
fn what_is_remembered_of_another_stack_is_not_shown_as_the_apps_own() {
    let world = Memory::new("auto");
    two_deployed(&world);
    let board = board_by_invocation(&world);
    get(&world, &board).says("bbbbbbb since");
    world.get_mut().config["parameter"] = json!("AppName");
    get(&world, &board).says("not looked at yet");
    get(&world, &format!("{board}/app/web")).says("not looked at yet");
}

#[test]
fn an_app_that_was_never_looked_at_has_a_page() {
    let world = Memory::new("auto");
    let page = get(&world, &format!("{}/app/web", board_by_invocation(&world)));
    assert_eq!(page.status, 200);
    page.says("production_old").says("not looked at yet").says("No promotion has ended yet");
}

// Acts

#[test]
fn a_listed_user_approves_and_rejects() {
    for (act, want) in [("approve", "promoted"), ("reject", "rejected")] {
        let world = with_approvers("approval");
        let digest = pushed(&world, "abc1234");
        let app = get(&world, &format!("{}/app/web", board_in_slack(&world, "UALICE")));
        let before = everything(&world);
        let address = app.link(&format!("/act/{act}/"));
        for method in ["GET", "HEAD", "GET"] {
            assert_eq!(browse(&world, method, &address, &json!({ "host": HOST }), "").status, 200);
        }
        assert_eq!(everything(&world), before, "looking changes nothing");
        let page = does(&world, &address, &[]);
        assert_eq!(page.status, 200);
        page.says(want);
        let state = world.get().state.clone().expect("kept").0;
        let votes = state.request.as_ref().expect("a request").votes.clone();
        assert_eq!(
            votes.iter().map(|vote| vote.user.as_deref()).collect::<Vec<_>>(),
            [Some("UALICE")]
        );
        let sent: Vec<&Digest> = state.open.iter().map(|open| &open.digest).collect();
        assert_eq!(sent, if act == "approve" { vec![&digest] } else { vec![] });
        assert_eq!(world.updates(), sent.len());
    }
}

#[test]
fn a_listed_user_promotes_rolls_back_holds_resumes_and_cancels() {
    let world = with_approvers("auto");
    let (first, _) = two_deployed(&world);
    let board = board_in_slack(&world, "UALICE");
    let app = format!("{board}/app/web");

    let held = does(&world, &get(&world, &app).link("/act/hold/"), &[("reason", "release freeze")]);
    held.says("held");
    get(&world, &app).says("release freeze").says("someone (Slack, UALICE)");
    does(&world, &get(&world, &app).link("/act/resume/"), &[]).says("resumed");

    let back =
        does(&world, &get(&world, &app).link(&format!("/act/rollback/web?image={first}")), &[]);
    back.says("promoted");
    assert_eq!(world.value(), "production_aaaaaaa");
    does(&world, &get(&world, &app).link("/act/cancel/"), &[]).says("cancelled");
    world.fail_update("User Initiated rollback");
    world.invoke(&support::event("scheduled"), "tick").expect("an answer");
    assert_eq!(world.value(), "production_bbbbbbb");

    does(&world, &get(&world, &app).link("/act/rollback/web"), &[]).says("promoted");
    assert_eq!(world.value(), "production_aaaaaaa");
}

#[test]
fn a_rollback_that_names_nothing_goes_to_what_was_deployed_before() {
    let world = with_approvers("auto");
    let (_, second) = two_deployed(&world);
    let board = board_in_slack(&world, "UBOB");
    assert_eq!(does(&world, &format!("{board}/act/rollback/web"), &[]).status, 200);
    assert_eq!(world.value(), "production_aaaaaaa");
    world.finish_update();
    world.invoke(&support::event("scheduled"), "tick").expect("an answer");
    let again = does(&world, &get(&world, &format!("{board}/app/web")).link("/act/promote/"), &[]);
    again.says("promoted");
    assert_eq!(world.get().state.clone().expect("kept").0.open[0].digest, second);
}

#[test]
fn another_ones_board_shows_and_cannot_act() {
    let world = with_approvers("approval");
    let (first, _) = {
        world.get_mut().config["mode"] = json!("auto");
        two_deployed(&world)
    };
    world.get_mut().config["mode"] = json!("approval");
    let digest = pushed(&world, "abc1234");
    let board = board_in_slack(&world, "UMALLORY");
    let app = get(&world, &format!("{board}/app/web"));
    assert_eq!(app.status, 200);
    app.says("abc1234").says(
        "You can look, but not change anything: UMALLORY is not one of the app's `approval.approvers`.",
    );
    assert_eq!(app.acts(), [""; 0]);
    let before = everything(&world);
    let acts = [
        format!("approve/web?image={digest}"),
        format!("reject/web?image={digest}"),
        format!("promote/web?image={digest}"),
        format!("promote/web?image={first}"),
        format!("rollback/web?image={first}"),
        "rollback/web".to_owned(),
        "hold/web".to_owned(),
        "resume/web".to_owned(),
        "cancel/web".to_owned(),
    ];
    for act in acts {
        let address = format!("{board}/act/{act}");
        let page = get(&world, &address);
        assert_eq!(page.status, 403, "{act}");
        page.says("You are not allowed to do this");
        assert!(!page.body.contains("<form"), "{act}");
        let reason: &[(&str, &str)] =
            if act.starts_with("hold") { &[("reason", "x")] } else { &[] };
        let forced = forces(&world, &address, reason);
        assert_eq!(forced.status, 409, "{act}");
        forced.says("refused");
        assert_eq!(everything(&world), before, "{act}");
    }
}

#[test]
fn who_is_let_in_by_iam_may_do_all_but_decide_where_slack_proves_who_decides() {
    let world = with_approvers("approval");
    let digest = pushed(&world, "abc1234");
    let board = board_by_invocation(&world);
    let app = get(&world, &format!("{board}/app/web"));
    app.says("You cannot approve or reject");
    assert!(
        !app.acts().iter().any(|act| act.contains("approve") || act.contains("reject")),
        "{:?}",
        app.acts()
    );
    let before = everything(&world);
    for act in ["approve", "reject"] {
        let address = format!("{board}/act/{act}/web?image={digest}");
        assert_eq!(get(&world, &address).status, 403);
        let forced = forces(&world, &address, &[]);
        assert_eq!(forced.status, 409);
        forced.says("refused");
        world.get_mut().commands.clear();
    }
    assert_eq!(everything(&world), before);
    does(&world, &app.link("/act/promote/"), &[]).says("promoted");
    let open = world.get().state.clone().expect("kept").0.open[0].clone();
    assert_eq!((open.digest, open.by.as_str()), (digest, "carol (claimed, by the board)"));
}

#[test]
fn who_is_let_in_by_iam_approves_where_nobody_asks_for_identities() {
    let world = Memory::new("approval");
    let digest = pushed(&world, "abc1234");
    let app = get(&world, &format!("{}/app/web", board_by_invocation(&world)));
    does(&world, &app.link(&format!("/act/approve/web?image={digest}")), &[]).says("promoted");
    assert_eq!(world.value(), "production_abc1234");
}

#[test]
fn a_vote_on_the_board_is_one_of_several() {
    let world = with_approvers("approval");
    world.get_mut().config["approval"]["required"] = json!(2);
    let digest = pushed(&world, "abc1234");
    let address = |user: &str, act: &str| {
        format!("{}/act/{act}/web?image={digest}", board_in_slack(&world, user))
    };
    get(&world, &address("UALICE", "promote"))
        .says("This is your vote for commit abc1234: 2 people must approve it.");
    does(&world, &address("UALICE", "approve"), &[]).says("approved").says("1 of 2 people");
    does(&world, &address("UALICE", "promote"), &[]).says("1 of 2 people");
    assert_eq!(world.updates(), 0);
    does(&world, &address("UBOB", "approve"), &[]).says("promoted");
    assert_eq!(world.updates(), 1);
}

#[test]
fn a_form_that_is_sent_twice_acts_once() {
    let world = Memory::new("auto");
    two_deployed(&world);
    let address = format!("{}/act/rollback/web", board_by_invocation(&world));
    let page = get(&world, &address);
    let once = page.once();
    post(&world, &address, &[("once", &once)]).says("promoted");
    world.finish_update();
    world.invoke(&support::event("scheduled"), "tick").expect("an answer");
    let before = everything(&world);
    let again = post(&world, &address, &[("once", &once)]);
    assert_eq!(again.status, 200);
    again.says("promoted");
    assert_eq!(everything(&world), before, "it does not go one further back");
    assert_ne!(get(&world, &address).once(), once, "a page that is opened anew is another wish");
}

#[test]
fn an_approval_of_what_was_replaced_meanwhile_is_superseded() {
    let world = Memory::new("approval");
    let older = pushed(&world, "aaaaaaa");
    let address = format!("{}/act/approve/web?image={older}", board_by_invocation(&world));
    let once = get(&world, &address).once();
    pushed(&world, "bbbbbbb");
    get(&world, &address).says("is no longer the candidate");
    let page = post(&world, &address, &[("once", &once)]);
    assert_eq!(page.status, 409);
    page.says("superseded");
    assert_eq!(world.updates(), 0);
}

#[test]
fn a_form_of_another_site_or_of_no_page_does_nothing() {
    let world = Memory::new("approval");
    let digest = pushed(&world, "abc1234");
    let board = board_by_invocation(&world);
    let approve = format!("{board}/act/approve/web?image={digest}");
    let once = "0123456789abcdef0123456789abcdef";
    let before = everything(&world);
    for headers in [
        json!({ "host": HOST, "origin": "https://evil.example" }),
        json!({ "host": HOST, "sec-fetch-site": "cross-site" }),
        json!({ "host": HOST, "origin": "null" }),
    ] {
        assert_eq!(
            browse(&world, "POST", &approve, &headers, &form(&[("once", once)])).status,
            403,
            "{headers}"
        );
    }
    let twice = [("once", once), ("once", once)];
    for fields in [
        &[][..],
        &[("once", "")],
        &[("once", "X123456789abcdef0123456789abcdef")],
        &twice,
        &[("once", once), ("reason", "x")],
        &[("once", once), ("x", "1")],
    ] {
        assert_eq!(post(&world, &approve, fields).status, 400, "{fields:?}");
    }
    let hold = format!("{board}/act/hold/web");
    for fields in [&[("once", once)][..], &[("once", once), ("reason", " ")]] {
        assert_eq!(post(&world, &hold, fields).status, 400, "{fields:?}");
    }
    assert_eq!(everything(&world), before);
}

#[test]
fn an_address_that_means_nothing_is_an_error_of_whoever_made_it() {
    let world = Memory::new("approval");
    let digest = pushed(&world, "abc1234");
    let board = board_by_invocation(&world);
    let check = |want: u64, method: &str, rest: &str| {
        let page = browse(&world, method, &format!("{board}{rest}"), &json!({ "host": HOST }), "");
        assert_eq!(page.status, want, "{method} {rest}");
        page
    };
    for rest in [
        "/",
        "/app",
        "/app/",
        "/app/Web",
        "/app/web/",
        "/apps/web",
        "/act",
        "/act/hold",
        "/act/hold/",
        "/act/destroy/web",
        "/act/HOLD/web",
        "/app/none",
    ] {
        check(404, "GET", rest);
    }
    for rest in [
        "?x",
        "?still=1",
        "?still&still",
        "/app/web?x=1",
        "/act/hold/web?image=1",
        "/act/approve/web",
        "/act/approve/web?image=latest",
        "/act/rollback/web?image=",
    ] {
        check(400, "GET", rest);
    }
    check(400, "GET", &format!("/act/approve/web?image={digest}&image={digest}"));
    for (method, rest, allow) in [
        ("POST", "", "GET, HEAD"),
        ("POST", "/app/web", "GET, HEAD"),
        ("PUT", "/act/hold/web", "GET, HEAD, POST"),
        ("DELETE", "", "GET, HEAD"),
    ] {
        assert_eq!(check(405, method, rest).headers["allow"], allow);
    }
    for path in ["/", "/board", "/board/", "/board//app/web"] {
        assert_eq!(get(&world, path).status, 404, "{path}");
    }
    assert_eq!(check(200, "HEAD", "").body, "");
    assert_eq!(check(200, "HEAD", "/app/web").body, "");
    assert_eq!(check(404, "HEAD", "/app/none").body, "");
}

#[test]
fn markup_in_what_comes_from_outside_is_text() {
    let world = with_approvers("approval");
    let evil = "<img src=x onerror=alert(1)>\"'&";
    pushed(&world, "abc1234");
    {
        let mut inner = world.get_mut();
        let (state, _) = inner.state.as_mut().expect("a state");
        let request = state.request.as_mut().expect("a request");
        request.why = evil.to_owned();
        request.changes = vec![evil.to_owned()];
        state.hold =
            Some(Hold { by: evil.to_owned(), at: Timestamp::UNIX_EPOCH, reason: evil.to_owned() });
        state.running.as_mut().expect("something runs").by = evil.to_owned();
        state.running.as_mut().expect("something runs").tag = evil.to_owned();
        state.trouble = Some(evil.to_owned());
        inner.parameters.insert("ProductionTag".to_owned(), evil.to_owned());
        inner.others =
            [("wrong".parse().expect("a name"), (json!({ "stack": "x", evil: 1 }), None))].into();
    }
    let board = board_in_slack(&world, "UALICE");
    world.get_mut().sessions.values_mut().for_each(|session| session.by = evil.to_owned());
    for address in [
        board.clone(),
        format!("{board}/app/web"),
        format!("{board}/app/wrong"),
        format!("{board}/act/hold/web"),
    ] {
        let page = get(&world, &address);
        assert!(page.body.contains("&lt;img"), "{address}: it is shown");
        assert!(
            !page.body.contains("<img") && !page.body.contains("\"'&"),
            "{address}: {}",
            page.body
        );
    }
    let held = does(&world, &format!("{board}/act/hold/web"), &[("reason", evil)]);
    assert!(held.body.contains("&lt;img") && !held.body.contains("<img"), "{}", held.body);
}

#[test]
fn a_board_in_slack_is_for_its_reader_alone_and_carries_their_rights() {
    let world = Memory::new("approval");
    world.get_mut().config["approval"] = json!({ "slack_channel": "C9" });
    let digest = pushed(&world, "abc1234");
    let here = board_in_slack(&world, "UANYBODY");
    get(&world, &here).says("You are viewing this as someone (UANYBODY) in Slack");
    does(&world, &format!("{here}/act/approve/web?image={digest}"), &[]).says("promoted");

    let elsewhere = Memory::new("approval");
    elsewhere.get_mut().config["approval"] = json!({ "slack_channel": "C2" });
    pushed(&elsewhere, "abc1234");
    let app = get(&elsewhere, &format!("{}/app/web", board_in_slack(&elsewhere, "UANYBODY")));
    app.says("abc1234").says("`web` is commanded from the channel C2 only");
    assert_eq!(app.acts(), [""; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(11),
        failure_persistence: None,
        ..ProptestConfig::with_cases(600)
    })]

    #[test]
    fn no_address_makes_it_panic_and_every_unknown_one_is_a_4xx(
        method in "GET|HEAD|POST|PUT|OPTIONS|[A-Z]{1,6}",
        rest in prop_oneof![any::<String>(), "[/a-z0-9._%-]{0,30}", "/(app|act)/(hold|approve|rollback|[a-z]{1,6})/[a-z/]{0,8}"],
        query in prop_oneof![Just(String::new()), any::<String>(), "(image|still|x)(=[a-z0-9:]{0,9})?"],
        body in any::<String>(),
    ) {
        let world = Memory::new("approval");
        let board = board_by_invocation(&world);
        let before = everything(&world);
        let mut request = http(&method, "", &json!({ "host": HOST }), &body);
        request["rawPath"] = format!("{board}{rest}").into();
        request["rawQueryString"] = query.clone().into();
        let answer = world.invoke(&request, "http").expect("an HTTP answer");
        let status = answer["statusCode"].as_u64().expect("a status");
        let is_known = rest.is_empty() || rest == "/app/web" || rest.starts_with("/act/") && rest.ends_with("/web");
        prop_assert!((400..500).contains(&status) || is_known && status == 200, "{} {}{}?{}: {}", method, board, rest, query, status);
        prop_assert_eq!(everything(&world), before);
    }
}
