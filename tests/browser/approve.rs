//! The page behind the link of a mail.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::stage::{Stage, on_stage};
use crate::emulator::fake_slack::CHANNEL;
use crate::emulator::http::{self, Response};
use crate::emulator::image::Image;
use crate::emulator::world::{COMMIT, FIRST_TAG, OLDER_COMMIT};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// People are asked about this image, and have this link.
async fn asked(stage: &Stage) -> (Image, String) {
    stage.configure(json!({})).await;
    let image = Image::oci("new", COMMIT);
    let link = stage.ask(&image).await;
    (image, link)
}

/// Says no, and nothing came of it.
async fn assert_no_update(stage: &Stage) {
    assert_eq!(stage.world.updates(), 0, "nothing was promoted");
    assert_eq!(stage.world.stack(|stack| stack.value("ProductionTag").to_owned()), FIRST_TAG);
}

#[tokio::test]
async fn the_link_in_the_mail_shows_what_would_happen_and_changes_nothing() {
    on_stage(async |stage| {
        let (image, link) = asked(stage).await;
        let before = stage.world.production().await;
        let writes = |stage: &Stage| {
            let ops = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:TransactWriteItems"];
            ops.map(|op| stage.world.cloud.count(op)).iter().sum::<usize>()
        };
        let written = writes(stage);

        for _ in 0..3 {
            assert_eq!(stage.send("HEAD", &link, &[], "").await, (200, String::new()));
            let (status, page) = stage.send("GET", &link, &[], "").await;
            assert!(status == 200 && page.contains("Waits for approval"), "{status}: {page}");
            stage.browser.open(&link).await;
        }

        let digest = image.digest();
        stage.browser.unfold().await;
        stage
            .browser
            .says(&[
                &format!("Put web {} into production?", &COMMIT[..7]),
                "Waits for approval",
                COMMIT,
                &digest,
                FIRST_TAG,
                "web (ProductionTag)",
            ])
            .await;
        let title = stage.browser.client.title().await.expect("a title");
        let own = format!("Approve web {}? · production · ", &COMMIT[..7]);
        assert!(title.starts_with(&own), "{title}");
        stage.browser.check().await;
        assert_eq!((stage.world.production().await, writes(stage)), (before, written));
    })
    .await;
}

#[tokio::test]
async fn who_approves_by_the_page_promotes_once_under_the_name_that_was_typed() {
    on_stage(async |stage| {
        let (image, link) = asked(stage).await;
        let browser = &stage.browser;
        browser.open(&link).await;
        browser.use_width(1280).await;

        browser.fill("Your name", "Ada Lovelace").await;
        browser.press("Approve").await;

        browser.wait_for("CloudFormation updates the stack").await;
        browser.says(&["On its way", "Ada Lovelace (claimed"]).await;
        assert_eq!(browser.count("form").await, 0, "nothing is left to decide");
        browser.check().await;
        stage.world.assert_runs(&image, "approved").await;

        stage.world.answer(&stage.world.event("cfn-update-complete.json")).await;
        browser.open(&link).await;
        browser.says(&["in production", "Ada Lovelace (claimed"]).await;
        browser.check().await;
    })
    .await;
}

#[tokio::test]
async fn a_link_that_was_used_decides_nothing_more() {
    on_stage(async |stage| {
        let (image, link) = asked(stage).await;
        let browser = &stage.browser;
        browser.open(&link).await;
        let first = browser.client.window().await.expect("a window");
        let second = browser.client.new_window(true).await.expect("another window").handle;
        browser.client.switch_to_window(second.clone()).await.expect("switched");
        browser.open(&link).await;
        browser.fill("Your name", "Ada").await;
        browser.press("Approve").await;
        browser.wait_for("Approved by Ada").await;

        browser.client.switch_to_window(first).await.expect("switched");
        browser.fill("Your name", "Mallory").await;
        browser.press("Reject").await;

        browser.wait_for("Ada (claimed, by the approval link) approved it before").await;
        assert_eq!(stage.gateway.posts(), 2);
        browser.check().await;
        let (status, _) = stage.send("POST", &link, &[FORM], "name=Eve&decision=approve").await;
        assert!([200, 409].contains(&status), "{status}");
        stage.world.assert_runs(&image, "three forms").await;
    })
    .await;
}

#[tokio::test]
async fn who_rejects_by_the_page_stops_it_for_good() {
    on_stage(async |stage| {
        let (_, link) = asked(stage).await;
        let browser = &stage.browser;
        browser.open(&link).await;

        browser.fill("Your name", "Grace Hopper").await;
        browser.press("Reject").await;

        browser.wait_for("Rejected by Grace Hopper").await;
        browser.says(&["Nothing was promoted"]).await;
        browser.check().await;
        assert_no_update(stage).await;

        let (status, page) = stage.send("POST", &link, &[FORM], "name=Eve&decision=approve").await;
        assert_eq!(status, 409, "{page}");
        assert_no_update(stage).await;
    })
    .await;
}

#[tokio::test]
async fn without_a_name_and_by_the_enter_key_nothing_is_decided() {
    on_stage(async |stage| {
        let (_, link) = asked(stage).await;
        let browser = &stage.browser;
        browser.open(&link).await;

        browser.press("Approve").await;
        assert_eq!(
            browser.run("return document.querySelector('#name').matches(':invalid')").await,
            true
        );
        // Whoever has typed a name and hits Enter has not said yes.
        browser.fill("Your name", "Ada\u{e007}").await;

        browser.says(&["Waits for approval"]).await;
        assert_eq!(stage.gateway.posts(), 0);
        assert_no_update(stage).await;
    })
    .await;
}

#[tokio::test]
async fn a_keyboard_reaches_all_that_a_mouse_does_and_shows_where_it_is() {
    on_stage(async |stage| {
        let (image, link) = asked(stage).await;
        let browser = &stage.browser;
        browser.open(&link).await;
        let focus = "const at = document.activeElement; return [at.textContent || at.id, \
                     getComputedStyle(at).outlineStyle]";

        let mut seen = vec![];
        for _ in 0..4 {
            browser
                .client
                .active_element()
                .await
                .expect("an element")
                .send_keys("\u{e004}")
                .await
                .expect("a key");
            seen.push(browser.run(focus).await);
        }

        let expected =
            ["Skip to content", "name", "Approve", "Reject"].map(|stop| json!([stop, "solid"]));
        assert_eq!(seen, expected);
        browser.find("#name").await.send_keys("Ada\u{e004} ").await.expect("keys");
        browser
            .client
            .active_element()
            .await
            .expect("a button")
            .send_keys(" ")
            .await
            .expect("a key");
        browser.wait_for("Approved by Ada").await;
        stage.world.assert_runs(&image, "by keyboard").await;
    })
    .await;
}

#[tokio::test]
async fn a_link_with_one_character_changed_is_nothing() {
    on_stage(async |stage| {
        let (_, link) = asked(stage).await;
        let token = link.rfind('/').expect("a path") + 1;
        for at in [token, link.len() - 1, (token + link.len()) / 2] {
            let other = if link.as_bytes()[at] == b'A' { "B" } else { "A" };
            let forged = format!("{}{other}{}", &link[..at], &link[at + 1..]);
            let (status, _) =
                stage.send("POST", &forged, &[FORM], "name=Eve&decision=approve").await;
            assert_eq!(status, 404, "the character at {at}");
            stage.browser.open(&forged).await;
            stage.browser.says(&["Not found"]).await;
            assert_eq!((stage.gateway.last().status, stage.browser.count("form").await), (404, 0));
        }
        stage.browser.check().await;
        assert_no_update(stage).await;
    })
    .await;
}

#[tokio::test]
async fn a_link_whose_time_is_over_says_so_and_decides_nothing() {
    on_stage(async |stage| {
        let (_, link) = asked(stage).await;
        let ended = Timestamp::now() - SignedDuration::from_mins(1);
        let expired = stage.signer().address(&stage.read(&link), ended).expect("a key");

        let (status, _) = stage.send("POST", &expired, &[FORM], "name=Eve&decision=approve").await;
        stage.browser.open(&expired).await;

        assert_eq!((status, stage.gateway.last().status), (410, 410));
        stage.browser.says(&["This link has expired", "too old"]).await;
        stage.browser.check().await;
        assert_no_update(stage).await;
    })
    .await;
}

#[tokio::test]
async fn after_a_newer_push_the_link_says_superseded() {
    on_stage(async |stage| {
        stage.configure(json!({})).await;
        let older = stage.ask(&Image::oci("older", OLDER_COMMIT)).await;
        stage.browser.open(&older).await;
        let newer = stage.ask(&Image::oci("newer", COMMIT)).await;

        // The page was open all the time.
        stage.browser.fill("Your name", "Ada").await;
        stage.browser.press("Approve").await;

        stage.browser.wait_for("superseded").await;
        assert_eq!(stage.gateway.last().status, 409);
        stage.browser.check().await;
        stage.browser.open(&older).await;
        stage.browser.says(&["superseded"]).await;
        assert_eq!(stage.browser.count("form").await, 0);
        stage.browser.check().await;
        assert_no_update(stage).await;
        stage.browser.open(&newer).await;
        stage.browser.says(&["Waits for approval", &COMMIT[..7]]).await;
    })
    .await;
}

#[tokio::test]
async fn where_approvers_are_named_the_link_shows_and_cannot_decide() {
    on_stage(async |stage| {
        stage.configure(json!({ "slack_channel": CHANNEL, "approvers": ["U0ADA0001"] })).await;
        let link = stage.ask(&Image::oci("new", COMMIT)).await;

        stage.browser.open(&link).await;

        stage
            .browser
            .says(&[
                "Waits for approval",
                &COMMIT[..7],
                "This link cannot decide, it only shows the request",
            ])
            .await;
        assert_eq!(stage.browser.count("form, input, button").await, 0);
        stage.browser.check().await;
        let (status, _) = stage.send("POST", &link, &[FORM], "name=Eve&decision=approve").await;
        assert_eq!(status, 403);
        assert_no_update(stage).await;
    })
    .await;
}

#[tokio::test]
async fn a_form_on_another_site_decides_nothing() {
    on_stage(async |stage| {
        let (_, link) = asked(stage).await;
        let form = format!(
            "<!DOCTYPE html><title>A prize</title><form method='post' action='{link}'><input \
             name='name' value='Ada'>\
             <button name='decision' value='approve'>Claim it</button></form>"
        );
        let evil = http::serve(move |_| {
            let form = form.clone();
            async move { Ok(Response::new(200, "text/html", form)) }
        })
        .await;
        // Another site, and another port of the same one.
        for (tries, host) in ["localhost", "127.0.0.1"].iter().enumerate() {
            stage.browser.open(&format!("http://{host}:{}/", evil.port())).await;
            stage.browser.press("Claim it").await;
            stage.browser.wait_for("Form not accepted").await;
            assert_eq!((stage.gateway.posts(), stage.gateway.last().status), (tries + 1, 403));
        }
        stage.browser.check().await;
        assert_no_update(stage).await;
    })
    .await;
}

#[tokio::test]
async fn markup_in_a_name_is_text() {
    on_stage(async |stage| {
        let (image, link) = asked(stage).await;
        let browser = &stage.browser;
        let name = "<script>window.hit=1</script><img src=x onerror=window.hit=1>\"'&amp;";
        browser.open(&link).await;

        browser.fill("Your name", name).await;
        browser.press("Approve").await;

        browser.wait_for("CloudFormation updates the stack").await;
        browser.says(&[name]).await;
        assert_eq!(
            (browser.count("script, img").await, browser.run("return typeof window.hit").await),
            (0, json!("undefined"))
        );
        browser.check().await;
        stage.world.assert_runs(&image, "approved").await;
    })
    .await;
}
