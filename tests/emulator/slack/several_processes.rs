//! Several processes.

use serde_json::json;

use super::{asked, click, newest};
use crate::emulator::fault::{At, Fault, Until};
use crate::emulator::image::Image;
use crate::emulator::journey::for_each;
use crate::emulator::slack_request::Click;
use crate::emulator::world::OLDER_COMMIT;

#[tokio::test]
async fn four_clicks_at_once_in_four_processes_make_one_update() {
    for user in [Some("UALICE"), None] {
        let Some((world, image)) = asked(json!({})).await else { return };
        let request = newest(&world).button("approve");
        let mut sandboxes = Vec::new();
        for _ in 0..4 {
            sandboxes.push(world.start().await);
        }
        world.cloud.forget_calls();
        // All four have read the same before one of them writes.
        world.cloud.fault(
            At::Every("ecr:ListImages".to_owned()),
            Fault::Held(Until::Arrived("ecr:ListImages".to_owned(), 4)),
        );
        let clicks = sandboxes.iter().zip(["UALICE", "UBOB", "UCAROL", "UDAVE"]).map(
            async |(sandbox, own)| {
                let event =
                    Click::new(&world, user.unwrap_or(own), "approve", &request).event(&world);
                let id = world.unused_id();
                sandbox.invoke(event.to_string().as_bytes(), &id).await.expect("no function error")
                    ["statusCode"]
                    .clone()
            },
        );
        assert_eq!(futures_util::future::join_all(clicks).await, [200, 200, 200, 200]);

        world.assert_runs(&image, "four clicks").await;
        let votes = newest(&world).text().matches("<@U").count();
        assert_eq!(votes, 1, "the first one decided: {}", newest(&world).text());
        assert!(world.told_outcomes().contains(&"promoted".to_owned()));
    }
}

#[tokio::test]
async fn an_approval_and_a_rejection_at_once_leave_one_decision() {
    let Some((world, _)) = asked(json!({})).await else { return };
    let request = newest(&world).button("approve");
    let sandboxes = [world.start().await, world.start().await];
    world.cloud.forget_calls();
    world.cloud.fault(
        At::Every("ecr:ListImages".to_owned()),
        Fault::Held(Until::Arrived("ecr:ListImages".to_owned(), 2)),
    );
    let clicks = sandboxes.iter().zip([("UALICE", "approve"), ("UBOB", "reject")]).map(
        async |(sandbox, (user, button))| {
            let event = Click::new(&world, user, button, &request).event(&world);
            sandbox.invoke(event.to_string().as_bytes(), user).await.expect("no function error")
                    ["statusCode"]
                    .clone()
        },
    );
    assert_eq!(futures_util::future::join_all(clicks).await, [200, 200]);

    let outcomes = world.told_outcomes();
    // Both processes may tell of it: at least once, whatever happens in between.
    let is_told = |decision: &str| outcomes.iter().any(|outcome| outcome == decision);
    assert_ne!(is_told("promoted"), is_told("rejected"), "{outcomes:?}");
    assert_eq!(world.updates(), usize::from(is_told("promoted")), "{outcomes:?}");
}

/// The click's process stops before any one of its calls, and goes on when the newer push has
/// asked.
#[tokio::test]
async fn a_newer_push_that_overtakes_a_click_is_asked_about_and_never_approved_by_it() {
    let Some((world, _)) = asked(json!({})).await else { return };
    world.restart().await;
    world.cloud.forget_calls();
    click(&world, "UALICE", "approve", &newest(&world)).await;
    let calls = world.cloud.calls();
    let update =
        calls.iter().position(|call| call.op == "cloudformation:UpdateStack").expect("an update");
    let cases: Vec<(String, usize)> =
        calls[..=update].iter().map(|call| (call.op.clone(), call.nth)).collect();
    assert!(cases.iter().any(|(op, _)| op == "dynamodb:TransactWriteItems"), "{cases:?}");
    for_each(cases, async |(op, nth)| overtake(&op, nth).await).await;
}

async fn overtake(op: &str, nth: usize) {
    let case = format!("stopped before {op} {nth}");
    let Some((world, older)) = asked(json!({})).await else { return };
    let question = newest(&world);
    let newer = Image::oci("newer", OLDER_COMMIT);
    let (clicked, pushed) = (world.start().await, world.start().await);
    world.cloud.forget_calls();
    // The push's last call: it remembers what it told.
    let told = ("dynamodb:UpdateItem".to_owned(), 1);
    world.cloud.fault(At::Nth(op.to_owned(), nth), Fault::Held(Until::Answered(vec![told])));

    let event = Click::new(&world, "UALICE", "approve", &question.button("approve")).event(&world);
    let overtaken = async {
        clicked.invoke(event.to_string().as_bytes(), "click").await.expect("no function error")
    };
    let overtaking = async {
        world.cloud.wait(&Until::Arrived(op.to_owned(), nth)).await;
        world.push(&newer, &["latest"]).await;
        pushed
            .invoke(world.pushed(&newer).to_string().as_bytes(), "push")
            .await
            .expect("no function error")
    };
    let (click, push) = tokio::join!(overtaken, overtaking);

    assert_eq!(click["statusCode"], 200, "{case}");
    world.settle().await;
    // The push may find the approved image on its way, and sees it off: what a person approved goes
    // first.
    let is_older = push["digest"] == older.digest();
    assert!(
        push["outcome"] == "approval_requested" || is_older && push["outcome"] == "promoted",
        "{case}: {push}"
    );
    let running = world.stack(|stack| stack.value("ProductionTag").to_owned());
    assert!(!running.contains(OLDER_COMMIT), "{case}: what nobody approved runs");
    assert!(world.updates() <= 1, "{case}");
    if world.updates() == 1 {
        world.assert_in_production(&older).await;
    }
    let asked = newest(&world);
    assert!(
        asked.text().contains(OLDER_COMMIT) && asked.buttons().len() == 2,
        "{case}: {}",
        asked.text()
    );
}

// Secrets
