use crate::model::Digest;
use crate::model::approval::Posted;
use crate::model::notes::CommitNote;

use super::*;
use crate::samples::{self, COMMIT, REQUEST, STACK_ID, at, vote, wrapped};

mod limits;

fn app(more: &str) -> App {
    let json = format!(
        r#"{{"stack":"web-production","repository_url":"https://github.com/acme/web/"{more}}}"#
    );
    App::parse(&"web".parse().expect("valid"), "test", &json).expect("valid")
}

fn request(progress: Progress) -> ApprovalRequest {
    ApprovalRequest { progress, ..samples::request() }
}

/// Every text of the message, with what Slack takes at its place.
fn texts(blocks: &Value) -> Vec<(String, usize)> {
    let text =
        |value: &Value, most: usize| (value["text"].as_str().expect("a text").to_owned(), most);
    let mut all = Vec::new();
    let blocks = blocks.as_array().expect("a list");
    assert!(blocks.len() <= 50);
    for block in blocks {
        match block["type"].as_str().expect("a type") {
            "header" => all.push(text(&block["text"], 150)),
            "section" => {
                let fields = block["fields"].as_array().map_or(&[][..], Vec::as_slice);
                assert!(fields.len() <= 10, "{fields:?}");
                assert_ne!(fields.is_empty(), block["text"].is_null());
                all.extend(fields.iter().map(|field| text(field, 2_000)));
                all.extend(block.get("text").map(|its| text(its, 3_000)));
            }
            "context" => {
                let elements = block["elements"].as_array().expect("a list");
                assert!((1..=10).contains(&elements.len()));
                all.extend(elements.iter().map(|element| text(element, 3_000)));
            }
            "actions" => {
                for button in block["elements"].as_array().expect("a list") {
                    all.push(text(&button["text"], 75));
                    if let Some(confirm) = button.get("confirm") {
                        let places = [("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)];
                        all.extend(places.map(|(place, most)| text(&confirm[place], most)));
                    }
                    assert!(button["value"].as_str().is_some_and(|value| value.len() <= 2_000));
                    assert!(button["action_id"].as_str().is_some_and(|id| id.len() <= 255));
                }
            }
            other => panic!("{other} is no block of ours"),
        }
    }
    all
}

#[track_caller]
fn assert_within_limits(app: &App, request: &ApprovalRequest) {
    let (text, blocks) = card(app, request, "production");
    assert!(!text.is_empty() && text.len() <= 3_000);
    for (text, most) in texts(&blocks) {
        assert!(
            (1..=most).contains(&text.chars().count()),
            "{} of {most}: {text}",
            text.chars().count()
        );
    }
}

/// What a reader sees first: the headline, how it stands, who said what, and the buttons.
fn essence(app: &App, request: &ApprovalRequest) -> String {
    assert_within_limits(app, request);
    let (text, blocks) = card(app, request, "production");
    let mut lines = vec![text];
    let (last, blocks) = blocks.as_array().and_then(|blocks| blocks.split_last()).expect("a list");
    assert_eq!(last["type"], "context", "the names for machines are at the end");
    for block in blocks {
        match block["type"].as_str() {
            Some("section") => lines.extend(block["text"]["text"].as_str().map(str::to_owned)),
            Some("context") => {
                lines.extend(block["elements"][0]["text"].as_str().map(str::to_owned))
            }
            Some("actions") => {
                let buttons = block["elements"].as_array().expect("a list");
                let ids: Vec<&str> =
                    buttons.iter().filter_map(|button| button["action_id"].as_str()).collect();
                lines.push(format!("[{}]", ids.join("] [")));
            }
            _ => {}
        }
    }
    lines.join("\n")
}

#[test]
fn a_request_without_an_approval_has_its_message() {
    let app = app("");
    let all = [
        ApprovalRequest { votes: Vec::new(), ..request(Progress::Pending) },
        ApprovalRequest { votes: vec![vote("UBOB", false)], ..request(Progress::Rejected) },
        request(Progress::Superseded),
        ApprovalRequest { votes: Vec::new(), ..request(Progress::Expired) },
    ];
    insta::assert_snapshot!(all.map(|request| essence(&app, &request)).join("\n\n"), @r"
    web → production: 9fceb02 waits for approval
    Why: the app's mode is `approval`.
    [approve] [reject]

    web → production: 9fceb02 was rejected
    Nothing was promoted. A promote command still works for this image.
    Rejected by <@UBOB>

    web → production: 9fceb02 was superseded
    A newer image or a newer request took its place.
    Approved by <@UALICE>

    web → production: nobody decided on 9fceb02 in time
    Approval can be requested again.
    [ask_again]
    ");
}

#[test]
fn each_step_of_an_approved_request_has_its_message() {
    let app = app("");
    let all = [
        request(Progress::Approved),
        request(Progress::Waiting("stack `web` is in UPDATE_IN_PROGRESS".to_owned())),
        request(Progress::Deploying),
        request(Progress::Verifying("1 of 2 tasks of ECS service `web` run it".to_owned())),
        request(Progress::Baking("Baking until 11:00 UTC: `web-5xx` OK.".to_owned())),
    ];
    insta::assert_snapshot!(all.map(|request| essence(&app, &request)).join("\n\n"), @r"
    web → production: 9fceb02 was approved
    The deployment starts now.
    Approved by <@UALICE>

    web → production: 9fceb02 was approved and is waiting
    stack `web` is in UPDATE_IN_PROGRESS
    Approved by <@UALICE>

    web → production: 9fceb02 is on its way to production
    CloudFormation is updating the stack.
    Approved by <@UALICE>

    web → production: 9fceb02 is on its way in ECS
    1 of 2 tasks of ECS service `web` run it
    Approved by <@UALICE>

    web → production: 9fceb02 is in production and bakes
    Baking until 11:00 UTC: `web-5xx` OK.
    Approved by <@UALICE>
    [roll_back]
    ");
}

#[test]
fn each_end_of_an_approved_request_has_its_message() {
    let app = app("");
    let all = [
        request(Progress::Deployed(Some(130))),
        request(Progress::Deployed(Some(9))),
        request(Progress::Deployed(None)),
        request(Progress::Failed("Service (AWS::ECS::Service): circuit breaker".to_owned())),
        request(Progress::Cancelled("cancelled by bob (Slack, UBOB)".to_owned())),
    ];
    insta::assert_snapshot!(all.map(|request| essence(&app, &request)).join("\n\n"), @r"
    web → production: 9fceb02 is in production after 2 m 10 s
    CloudFormation finished the update.
    Approved by <@UALICE>
    [roll_back]

    web → production: 9fceb02 is in production after 9 s
    CloudFormation finished the update.
    Approved by <@UALICE>
    [roll_back]

    web → production: 9fceb02 is in production
    CloudFormation finished the update.
    Approved by <@UALICE>
    [roll_back]

    web → production: 9fceb02 did not reach production
    Service (AWS::ECS::Service): circuit breaker
    Approved by <@UALICE>

    web → production: the promotion of 9fceb02 was cancelled
    cancelled by bob (Slack, UBOB)
    Approved by <@UALICE>
    ");
}

#[test]
fn a_question_names_what_would_run_and_what_runs() {
    let asked = ApprovalRequest { votes: Vec::new(), ..request(Progress::Pending) };
    let (_, blocks) = card(&app(""), &asked, "production");
    let fields: Vec<&str> = blocks[1]["fields"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|field| field["text"].as_str())
        .collect();
    let fields = fields.join("\n").replace(COMMIT, "9fceb02…");
    let end = blocks.as_array().and_then(|blocks| blocks.last()).expect("a block");
    let end = end["elements"][0]["text"].as_str().expect("a text").replace(COMMIT, "9fceb02…");
    insta::assert_snapshot!(wrapped(&format!("{fields}\n\n{end}")), @r"
    *Runs now*
    `production_e83c516` since <!date^1773654090^{date_short_pretty}
        {time}|2026-03-16T09:41:30Z>
    *All changes*
    <https://github.com/acme/web/compare/e83c516...9fceb02…|compare>
    *Can be approved until*
    <!date^1773999690^{date_short_pretty} {time}|2026-03-20T09:41:30Z>

    `9fceb02…` · `production_9fceb02…` ·
        `sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881` ·
        stack `web-production` (`ProductionTag`) · the board: `/promote board`
    ");
    for button in buttons(&blocks) {
        assert_eq!(button["value"], REQUEST);
    }
}

#[test]
fn the_stack_links_to_its_page_in_the_console() {
    let stack_id = Some(STACK_ID.to_owned());
    let linked = ApprovalRequest { stack_id, ..request(Progress::Pending) };
    let (_, blocks) = card(&app(""), &linked, "production");
    let end = blocks.as_array().and_then(|blocks| blocks.last()).expect("a block").to_string();
    assert!(end.contains("console.aws.amazon.com/cloudformation/home"), "{end}");
    assert!(end.contains("|stack> `web-production`"), "{end}");
}

#[test]
fn the_ci_run_is_linked_below_the_repository_and_nowhere_else() {
    let end = |url: &str| {
        let note = CommitNote { url: Some(url.to_owned()), ..commit(1, "Fix") };
        let asked = ApprovalRequest { note: Some(note), ..request(Progress::Pending) };
        assert_within_limits(&app(""), &asked);
        let (_, blocks) = card(&app(""), &asked, "production");
        let end = blocks.as_array().and_then(|blocks| blocks.last()).expect("a block");
        end["elements"][0]["text"].as_str().expect("a text").to_owned()
    };
    let own = end("https://github.com/acme/web/actions/runs/1?a=b&c=d");
    let link = "<https://github.com/acme/web/actions/runs/1?a=b&amp;c=d|CI>";
    assert!(
        own.contains(&format!("stack `web-production` (`ProductionTag`) · {link} · ")),
        "{own}"
    );
    for foreign in ["https://evil.example/1", "https://github.com/acme/web/../x", "https://x|a>"] {
        let end = end(foreign);
        assert!(!end.contains("CI>") && !end.contains(foreign), "{end}");
    }
}

/// The buttons of a message.
fn buttons(blocks: &Value) -> Vec<Value> {
    let blocks = blocks.as_array().expect("a list");
    let actions = blocks.iter().filter(|block| block["type"] == "actions");
    actions.flat_map(|block| block["elements"].as_array().cloned().unwrap_or_default()).collect()
}

/// What the dialogues of a message ask: title, text and the word of the button.
fn dialogues(app: &App, request: &ApprovalRequest) -> String {
    let (_, blocks) = card(app, request, "production");
    let dialogue = |button: &Value| {
        let part = |place: &str| button["confirm"][place]["text"].as_str().unwrap_or_default();
        let value = button["value"].as_str().unwrap_or_default().replace(REQUEST, "<request>");
        format!("{} / {} [{}] {value}", part("title"), part("text"), part("confirm"))
    };
    buttons(&blocks).iter().map(dialogue).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_button_that_acts_asks_first_and_names_the_images() {
    let back = |way_back_commit: Option<&str>| ApprovalRequest {
        way_back: Some(Digest::of(b"b")),
        way_back_commit: way_back_commit.map(|commit| commit.parse().expect("a commit")),
        ..request(Progress::Deployed(None))
    };
    let two = app(r#","approval":{"slack_channel":"C1","required":2}"#);
    let all = [
        dialogues(&app(""), &request(Progress::Pending)),
        dialogues(&two, &request(Progress::Pending)),
        dialogues(&app(""), &request(Progress::Deployed(None))),
        dialogues(&app(""), &back(None)),
        dialogues(&app(""), &back(Some("bbbbbbb"))),
        dialogues(
            &app(""),
            &ApprovalRequest {
                progress: Progress::Baking("Baking until 11:00 UTC.".to_owned()),
                ..back(Some("bbbbbbb"))
            },
        ),
    ];
    insta::assert_snapshot!(wrapped(&all.join("\n\n")), @r"
    Deploy 9fceb02 to production? / web runs e83c516 now. [Approve] <request>
    Reject 9fceb02? / web stays as it is, and nobody is asked about this image again.
        [Reject] <request>

    Deploy 9fceb02 to production? / web runs e83c516 now. 2 people must approve.
        [Approve] <request>
    Reject 9fceb02? / web stays as it is, and nobody is asked about this image again.
        [Reject] <request>

    Roll back? / web goes back from 9fceb02 to the image before in production. From then
        on pushes ask for approval, until somebody resumes. [Roll back] <request>

    Roll back? / web goes back from 9fceb02 to image 3e23e8160039 in production. From
        then on pushes ask for approval, until somebody resumes. [Roll back] <request>
        sha256:3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d

    Roll back? / web goes back from 9fceb02 to bbbbbbb in production. From then on
        pushes ask for approval, until somebody resumes. [Roll back] <request>
        sha256:3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d

    Roll back? / web goes back from 9fceb02 to bbbbbbb in production. From then on
        pushes ask for approval, until somebody resumes. [Roll back] <request>
        sha256:3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d
    ");
}

#[test]
fn approvers_are_mentioned_once_when_they_are_asked() {
    let app = app(r#","approval":{"slack_channel":"C1","approvers":["UALICE","UBOB"]}"#);
    let asks = |request: &ApprovalRequest| {
        card(&app, request, "production").1.to_string().contains("<@UALICE>, <@UBOB>: please")
    };
    let asked = ApprovalRequest { votes: Vec::new(), ..request(Progress::Pending) };
    assert!(asks(&asked));
    let posted = Posted { channel: "C1".to_owned(), ts: "1".to_owned(), team: None };
    assert!(!asks(&ApprovalRequest { posted: Some(posted), ..asked.clone() }));
    assert!(!asks(&ApprovalRequest { progress: Progress::Superseded, ..asked }));
}

fn commit(n: usize, subject: &str) -> CommitNote {
    CommitNote {
        commit: Some(format!("{n:07x}").parse().expect("a commit")),
        subject: Some(subject.to_owned()),
        author: Some("alice".to_owned()),
        at: Some(at("2026-03-17T08:00:00Z")),
        url: None,
    }
}

/// The sections about commits, which stand between the headline and the facts.
fn listed(request: &ApprovalRequest) -> Vec<String> {
    assert_within_limits(&app(""), request);
    let (_, blocks) = card(&app(""), request, "production");
    let blocks = blocks.as_array().expect("a list").iter().skip(1);
    let texts = blocks.map_while(|block| block["text"]["text"].as_str().map(str::to_owned));
    texts.collect()
}

#[test]
fn the_commits_are_listed_after_the_headline() {
    let with = |notes: ChangeNotes| ApprovalRequest { notes: Some(notes), ..samples::request() };
    let two = || [commit(2, "Fix checkout rounding"), commit(1, "Add *tax* <!here>")];
    let alone = ApprovalRequest { note: Some(commit(3, "Alone")), ..samples::request() };
    let bare = CommitNote { subject: None, author: None, at: None, commit: None, url: None };
    let all = [
        listed(&with(ChangeNotes::new(two(), Direction::Forward))),
        listed(&with(ChangeNotes::new(two(), Direction::Back))),
        listed(&with(ChangeNotes::new(two(), Direction::Diverged(3)))),
        listed(&with(ChangeNotes::new([bare], Direction::Forward))),
        listed(&with(ChangeNotes::new((0..22).map(|n| commit(n, "x")), Direction::Forward)))
            .into_iter()
            .map(|text| text.lines().last().unwrap_or_default().to_owned())
            .collect(),
        listed(&alone),
        listed(&samples::request()),
    ];
    let all: Vec<String> = all.iter().map(|texts| texts.join("\n")).collect();
    insta::assert_snapshot!(all.join("\n\n"), @r"
    • 0000002 Fix checkout rounding (alice, 17 Mar 08:00 UTC)
    • 0000001 Add *tax* &lt;!here&gt; (alice, 17 Mar 08:00 UTC)

    Goes back 2 commits:
    • 0000002 Fix checkout rounding (alice, 17 Mar 08:00 UTC)
    • 0000001 Add *tax* &lt;!here&gt; (alice, 17 Mar 08:00 UTC)

    Diverged (another branch, or a force push): brings 2 commits, takes away 3 commits:
    • 0000002 Fix checkout rounding (alice, 17 Mar 08:00 UTC)
    • 0000001 Add *tax* &lt;!here&gt; (alice, 17 Mar 08:00 UTC)

    • (no commit)

    and 2 more

    • 0000003 Alone (alice, 17 Mar 08:00 UTC)
    ");
}

#[test]
fn votes_are_counted_where_several_are_needed() {
    let app =
        app(r#","approval":{"slack_channel":"C1","approvers":["UALICE","UBOB"],"required":2}"#);
    let one = essence(&app, &request(Progress::Pending));
    assert!(
        one.contains("1 of 2 people approved it") && one.contains("Approved by <@UALICE> (1 of 2)"),
        "{one}"
    );
    let not_listed = ApprovalRequest {
        votes: vec![vote("UALICE", true), vote("UFORMER", true)],
        ..request(Progress::Pending)
    };
    assert!(essence(&app, &not_listed).contains("Approved by <@UALICE>, <@UFORMER> (1 of 2)"));
    let both = ApprovalRequest {
        votes: vec![vote("UALICE", true), vote("UBOB", false)],
        ..request(Progress::Rejected)
    };
    assert!(essence(&app, &both).contains("Approved by <@UALICE> (1 of 2) · Rejected by <@UBOB>"));
}

#[test]
fn an_image_without_a_commit_tells_how_to_add_the_label() {
    let unlabelled = ApprovalRequest { commit: None, ..request(Progress::Pending) };
    let (text, blocks) = card(&app(""), &unlabelled, "production");
    assert_eq!(
        text,
        format!("web → production: image {} waits for approval", Digest::of(b"x").short())
    );
    assert!(
        blocks.to_string().contains("--label org.opencontainers.image.revision=&lt;commit&gt;")
    );
    assert!(!blocks.to_string().contains("/compare/"));
}
