//! The board: what it shows, each act on it, and whose acts it lets through.

use ecr_promoter::link::Claim;
use ecr_promoter::model::session::BoardLink;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::stage::{Stage, on_stage};
use crate::emulator::cloudformation::{Parameter, Stack};
use crate::emulator::fake_slack::CHANNEL;
use crate::emulator::image::Image;
use crate::emulator::slack_request::slash;
use crate::emulator::world::FIRST_TAG;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const COMMITS: [&str; 3] = [
    "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "e83c5163316f89bfbde7d9ab23ca2e25604af290",
    "9fceb02d0ae598e95dc970b74767f19372d61af8",
];

/// The board that `{"action": "board"}` gives.
async fn board(stage: &Stage) -> String {
    let answer = stage.world.answer(&json!({ "action": "board", "by": "Grace" })).await;
    answer["url"].as_str().expect("an address").to_owned()
}

/// The board that this Slack user gets by `/promote board`.
async fn board_of(stage: &Stage, user: &str) -> String {
    let answer = stage.world.answer(&slash(&stage.world, user, "board")).await;
    let body: Value = serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON");
    let text = body["text"].as_str().expect("a text");
    text.lines()
        .find(|line| line.starts_with(&stage.gateway.url()))
        .unwrap_or_else(|| panic!("no link in {text}"))
        .to_owned()
}

/// The same board as if it had been given 16 minutes ago.
fn expired(stage: &Stage, board: &str) -> String {
    let (now, token) = (Timestamp::now(), board.rsplit('/').next().expect("a token"));
    let (link, until) = Claim::<BoardLink>::parse(token, now)
        .and_then(|claim| claim.verify(&stage.signer()))
        .expect("a link of ours");
    stage.signer().address(&link, until - SignedDuration::from_mins(16)).expect("a key")
}

/// The n-th build.
fn build(number: usize) -> Image {
    Image::oci(&format!("build {number}"), COMMITS[number])
}

/// The tag that it gets.
fn tag(number: usize) -> String {
    format!("production_{}", COMMITS[number])
}

/// Pushed, promoted by a command whatever the mode, and deployed.
async fn deploy(stage: &Stage, image: &Image) {
    stage.world.push(image, &["latest"]).await;
    let promoted = stage
        .world
        .answer(&json!({ "action": "promote", "repository": "web", "by": "Linus" }))
        .await;
    assert_eq!(promoted["outcome"], "promoted", "{promoted}");
    assert!(stage.world.finish());
    stack_changed(stage).await;
}

/// The short name of the n-th build, as pages show it.
fn short(number: usize) -> &'static str {
    &COMMITS[number][..7]
}

/// Goes from the list to the app, presses this there, and this where that is asked.
async fn act(stage: &Stage, link: &str, button: &str) {
    stage.browser.press("web").await;
    stage.browser.press(link).await;
    stage.browser.says(&["Go back without changes"]).await;
    stage.browser.check().await;
    stage.browser.press(button).await;
    stage.browser.wait_until_gone("Go back without changes").await;
    assert_eq!(stage.gateway.last().method, "POST");
}

async fn stack_changed(stage: &Stage) {
    stage.world.answer(&stage.world.stack_changed("web")).await;
}

#[tokio::test]
async fn the_board_shows_every_app_and_one_in_full() {
    on_stage(async |stage| {
        stage.configure(json!({})).await;
        stage.world.configure("tools/mailer", &json!({ "stack": "mailer" })).await;
        stage.world.configure("broken", &json!({ "stac": "broken" })).await;
        deploy(stage, &build(0)).await;
        deploy(stage, &build(1)).await;
        stage.ask(&build(2)).await;
        let browser = &stage.browser;

        browser.open(&board(stage).await).await;
        browser
            .says(&[
                "web",
                "tools/mailer",
                "broken",
                "Configuration error",
                "stac",
                "Waits for approval",
                short(2),
                "Grace",
            ])
            .await;
        assert_eq!(
            browser.count("form[method=post], meta[http-equiv=refresh]").await,
            0,
            "nothing is under way"
        );
        browser.check().await;
        browser.press("web").await;
        browser.check().await;
        browser.unfold().await;
        browser
            .says(&[
                "waits for approval",
                COMMITS[2],
                "compare with what runs",
                short(0),
                &tag(1),
                "UPDATE_COMPLETE",
            ])
            .await;
        browser.check().await;
        browser.press("Board").await;
        browser.press("broken").await;
        browser.says(&["Configuration error", "stac"]).await;
        browser.check().await;
    })
    .await;
}

#[tokio::test]
async fn an_approval_on_the_board_of_a_listed_person_counts() {
    on_stage(async |stage| {
        stage.configure(json!({ "slack_channel": CHANNEL, "approvers": ["U0ADA0001"] })).await;
        let image = build(1);
        stage.ask(&image).await;
        stage.browser.open(&board_of(stage, "U0ADA0001").await).await;

        act(stage, "Approve…", &format!("Approve {}", short(1))).await;

        stage.browser.says(&["On its way"]).await;
        stage.browser.check().await;
        stage.world.assert_runs(&image, "approved").await;
    })
    .await;
}

#[tokio::test]
async fn a_rejection_on_the_board_stops_the_candidate() {
    on_stage(async |stage| {
        stage.configure(json!({})).await;
        stage.ask(&build(1)).await;
        stage.browser.open(&board(stage).await).await;

        act(stage, "Reject…", &format!("Reject {}", short(1))).await;

        stage.browser.says(&["Rejected"]).await;
        stage.browser.press("Follow web").await;
        stage.browser.says(&["rejected", "Grace"]).await;
        stage.browser.check().await;
        assert_eq!(stage.world.updates(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_promotion_is_seen_through_to_its_end_without_touching_the_page() {
    on_stage(async |stage| {
        stage.configure(json!({})).await;
        let image = build(1);
        stage.ask(&image).await;
        let browser = &stage.browser;
        browser.open(&board(stage).await).await;

        let promote = format!("Promote {}", short(1));
        act(stage, &format!("{promote}…"), &promote).await;

        browser.says(&["On its way"]).await;
        browser.press("Follow web").await;
        browser
            .says(&["On its way: updating", "CloudFormation updates the stack", "Refreshes every"])
            .await;
        browser.check().await;
        browser.press("Pause").await;
        assert_eq!(browser.count("meta[http-equiv=refresh]").await, 0);
        browser.press("Refresh every 5 s").await;
        assert!(stage.world.finish());
        stack_changed(stage).await;
        // Nobody presses anything.
        browser.wait_until_gone("On its way").await;
        browser.unfold().await;
        browser.says(&["UPDATE_COMPLETE", &tag(1)]).await;
        assert_eq!(
            browser.count("meta[http-equiv=refresh]").await,
            0,
            "and then the page comes to rest"
        );
        browser.check().await;
        stage.world.assert_in_production(&image).await;
        assert_eq!(stage.world.updates(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_list_too_comes_to_rest_by_itself() {
    on_stage(async |stage| {
        let image = build(1);
        stage.world.push(&image, &["latest"]).await;
        stage.world.answer(&stage.world.pushed(&image)).await;
        stage.browser.open(&board(stage).await).await;
        stage.browser.says(&["Updating", "CloudFormation"]).await;

        assert!(stage.world.finish());
        stack_changed(stage).await;

        stage.browser.wait_until_gone("Updating").await;
        stage.browser.says(&["Running"]).await;
        assert_eq!(stage.browser.count("meta[http-equiv=refresh]").await, 0);
    })
    .await;
}

#[tokio::test]
async fn what_is_under_way_is_cancelled_on_the_board() {
    on_stage(async |stage| {
        let (earlier, newest) = (build(0), build(1));
        deploy(stage, &earlier).await;
        stage.world.push(&newest, &["latest"]).await;
        stage.world.answer(&stage.world.pushed(&newest)).await;
        stage.browser.open(&board(stage).await).await;

        let cancel = format!("Cancel {}", short(1));
        act(stage, &format!("{cancel}…"), &cancel).await;

        stage.browser.says(&["Cancelled"]).await;
        assert_eq!(stage.world.stack(|stack| stack.cancels.len()), 1);
        stage.world.stack(Stack::finish_cancel);
        stack_changed(stage).await;
        stage.world.assert_in_production(&earlier).await;
        stage.browser.press("Follow web").await;
        stage.browser.says(&["Cancelled", "Grace"]).await;
        stage.browser.check().await;
    })
    .await;
}

#[tokio::test]
async fn a_rollback_goes_to_the_one_that_was_chosen_from_the_history() {
    on_stage(async |stage| {
        let builds: Vec<Image> = (0..3).map(build).collect();
        for build in &builds {
            deploy(stage, build).await;
        }
        stage.browser.open(&board(stage).await).await;

        stage.browser.press("web").await;
        stage.browser.check().await;
        stage.browser.press(&format!("Roll back to this: {}", short(0))).await;
        stage.browser.says(&["Production goes from", short(2), short(0), "Will run"]).await;
        stage.browser.check().await;
        stage.browser.press(&format!("Roll back to {}", short(0))).await;

        stage.browser.wait_until_gone("Will run").await;
        stage.browser.says(&["Rolling back"]).await;
        stage.browser.check().await;
        assert!(stage.world.finish());
        stack_changed(stage).await;
        stage.world.assert_in_production(&builds[0]).await;
        stage.browser.press("Follow web").await;
        stage.browser.says(&["Held by", "Rolled back", "not offered again", "Resume…"]).await;
        stage.browser.check().await;
    })
    .await;
}

#[tokio::test]
async fn a_hold_shows_its_reason_as_text_and_ends_by_resume() {
    on_stage(async |stage| {
        deploy(stage, &build(0)).await;
        let browser = &stage.browser;
        browser.open(&board(stage).await).await;
        let reason = "<script>window.hit=1</script><b>a freeze</b> & more";

        browser.press("web").await;
        browser.press("Hold…").await;
        browser.fill("Why", reason).await;
        browser.press("Hold web").await;

        browser.wait_until_gone("Go back without changes").await;
        for page in ["Follow web", "Board"] {
            browser.press(page).await;
            browser.says(&["Held by", "Grace", reason]).await;
            assert_eq!(
                (
                    browser.count("script, main .box b, main .what b").await,
                    browser.run("return typeof window.hit").await
                ),
                (0, json!("undefined"))
            );
            browser.check().await;
        }
        let (held, after) = (build(1), build(2));
        stage.world.push(&held, &["latest"]).await;
        assert_eq!(
            stage.world.answer(&stage.world.pushed(&held)).await["outcome"],
            "approval_requested"
        );

        act(stage, "Resume…", "Resume web").await;

        stage.browser.press("Follow web").await;
        assert!(!browser.text().await.contains("Held by"));
        stage.world.push(&after, &["latest"]).await;
        assert_eq!(stage.world.answer(&stage.world.pushed(&after)).await["outcome"], "promoted");
    })
    .await;
}

/// The part of a page that says what happened.
fn main_of(page: &str) -> &str {
    let (_, rest) = page.split_once("<main").expect("a page");
    rest.split_once("</main>").expect("a whole page").0
}

#[tokio::test]
async fn a_form_that_is_sent_twice_acts_once() {
    on_stage(async |stage| {
        stage.configure(json!({})).await;
        let image = build(1);
        stage.ask(&image).await;
        stage.browser.open(&board(stage).await).await;
        let browser = &stage.browser;
        browser.press("web").await;
        browser.press(&format!("Promote {}…", short(1))).await;
        let address =
            browser.run("return location.href").await.as_str().expect("an address").to_owned();
        let form =
            browser.run("return `${new URLSearchParams(new FormData(document.forms[0]))}`").await;
        browser.press(&format!("Promote {}", short(1))).await;
        browser.wait_until_gone("Go back without changes").await;
        let first = stage.gateway.last();

        let (status, again) =
            stage.send("POST", &address, &[FORM], form.as_str().expect("a form")).await;

        // The foot says the second of each answer.
        assert_eq!((u64::from(status), main_of(&again)), (first.status, main_of(&first.body)));
        stage.world.assert_runs(&image, "twice").await;
    })
    .await;
}

#[tokio::test]
async fn the_board_of_somebody_else_shows_and_cannot_act() {
    on_stage(async |stage| {
        stage.configure(json!({ "slack_channel": CHANNEL, "approvers": ["U0ADA0001"] })).await;
        let image = build(1);
        stage.ask(&image).await;
        let browser = &stage.browser;
        let strangers = board_of(stage, "U0EVE0666").await;
        browser.open(&strangers).await;
        browser.press("web").await;
        browser.says(&["waits for approval", "You can look, but not change anything"]).await;
        assert_eq!(browser.count("main a.btn, form, button").await, 0);
        browser.check().await;

        for act in ["approve", "reject", "promote", "rollback", "hold", "resume", "cancel"] {
            let image = if ["approve", "reject", "promote"].contains(&act) {
                format!("?image={}", image.digest())
            } else {
                String::new()
            };
            let page = format!("{strangers}/act/{act}/web{image}");
            browser.open(&page).await;
            browser.says(&["You are not allowed to do this"]).await;
            assert_eq!(
                (stage.gateway.last().status, browser.count("form, button").await),
                (403, 0),
                "{act}"
            );
            let reason = if act == "hold" { "&reason=x" } else { "" };
            let form = format!("once={}{reason}", "0f".repeat(16));
            let (status, _) = stage.send("POST", &page, &[FORM], &form).await;
            assert!((400..500).contains(&status), "{act}: {status}");
        }
        browser.check().await;
        assert_eq!(
            (
                stage.world.updates(),
                stage.world.stack(|stack| stack.value("ProductionTag").to_owned())
            ),
            (0, FIRST_TAG.to_owned())
        );
    })
    .await;
}

#[tokio::test]
async fn a_board_that_is_too_old_or_forged_neither_shows_nor_acts() {
    on_stage(async |stage| {
        stage.configure(json!({ "slack_channel": CHANNEL, "approvers": ["U0ADA0001"] })).await;
        let image = build(1);
        stage.ask(&image).await;
        let board = board_of(stage, "U0ADA0001").await;
        let expired = expired(stage, &board);
        let forged = format!(
            "{}{}",
            &board[..board.len() - 1],
            if board.ends_with('A') { "B" } else { "A" }
        );
        for (board, said, expected) in [(expired, "too old", 410), (forged, "Not found", 404)] {
            let act = format!("/act/approve/web?image={}", image.digest());
            for page in ["", "/app/web", &act] {
                stage.browser.open(&format!("{board}{page}")).await;
                stage.browser.says(&[said]).await;
                let text = stage.browser.text().await;
                assert!(
                    !text.contains("web") && !text.contains("approval"),
                    "it says nothing of any app: {text}"
                );
                assert_eq!(
                    (stage.gateway.last().status, stage.browser.count("form").await),
                    (expected, 0)
                );
            }
            stage.browser.check().await;
            let (status, _) = stage
                .send("POST", &format!("{board}{act}"), &[], &format!("once={}", "0f".repeat(16)))
                .await;
            assert_eq!(u64::from(status), expected);
        }
        assert_eq!(stage.world.updates(), 0);
    })
    .await;
}

#[tokio::test]
async fn the_stages_of_a_repository_are_a_group() {
    on_stage(async |stage| {
        stage.configure(json!({})).await;
        for (name, after) in [("web-us", "web"), ("web-eu", "web-us")] {
            let after = json!({ "app": after, "soak_minutes": 60 });
            let config = json!({ "repository": "web", "stack": name, "after": after });
            stage.world.configure(name, &config).await;
            let parameter = Parameter::new("ProductionTag", FIRST_TAG);
            stage.world.add_stack(Stack::new(name, vec![parameter]));
        }
        deploy(stage, &build(0)).await;
        stage.world.answer(&stage.world.event("scheduled.json")).await;
        let browser = &stage.browser;

        browser.open(&board(stage).await).await;
        browser.says(&["3 stages", "Soaking until", short(0), "1, and 2 beside them"]).await;
        assert_eq!(browser.count("ol.track > li.row").await, 3);
        assert_eq!(browser.count("code.lead").await, 2, "it runs in one, and soaks for the next");
        browser.check().await;
        browser.press("web-us").await;
        browser
            .says(&["Comes after web", "Next: soaks in web until", "web-eu comes after it"])
            .await;
        browser.check().await;
        browser.press("web-eu").await;
        browser.says(&["Comes after web-us", "first run there for 1 h"]).await;
        browser.check().await;
    })
    .await;
}
