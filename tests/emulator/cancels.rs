//! `cancel` and `rollback` while an update runs: our own is cancelled within the call, somebody
//! else's never.

use serde_json::{Value, json};

use super::cloudformation::Stack;
use super::fault::{At, Fault, Until, When};
use super::image::Image;
use super::world::World;

const CANCEL: &str = "cloudformation:CancelUpdateStack";

/// One build runs, deployed by us, and the update to the next one is under way.
async fn world_under_way() -> Option<(World, Image, Image)> {
    let world = World::new().await?;
    let (earlier, newest) = (Image::build(0), Image::build(1));
    world.deploy(&earlier).await;
    world.push(&newest, &["latest"]).await;
    assert_eq!(world.answer(&world.pushed(&newest)).await["outcome"], "promoted");
    world.cloud.forget_calls();
    Some((world, earlier, newest))
}

fn command(action: &str) -> Value {
    json!({ "action": action, "repository": "web" })
}

#[tokio::test]
async fn cancel_and_rollback_end_our_own_update_at_once() {
    for action in ["cancel", "rollback"] {
        let Some((world, earlier, newest)) = world_under_way().await else { return };
        let order = world.sns(&format!("{action} web"));

        let answer = world.answer(&order).await;

        assert_eq!(
            (&answer["outcome"], &answer["digest"]),
            (&json!("cancelled"), &json!(newest.digest())),
            "{action}: {answer}"
        );
        assert_eq!(world.answer(&order).await, answer, "{action}: the same message again");
        assert_eq!(world.cloud.count(CANCEL), 1, "{action}");
        assert_eq!(world.told_outcomes(), [""; 0], "{action}: it is not so yet");

        world.stack(Stack::finish_cancel);
        let ended = world.answer(&world.stack_changed("web")).await;

        let closed = &ended["closed"][0];
        assert_eq!(
            (&closed["outcome"], &closed["digest"]),
            (&json!("cancelled"), &json!(newest.digest())),
            "{action}: {ended}"
        );
        world.assert_in_production(&earlier).await;
        let told = world.told_outcomes();
        for late in
            [world.stack_changed("web"), world.event("scheduled.json"), world.pushed(&newest)]
        {
            world.answer(&late).await;
        }
        world.assert_in_production(&earlier).await;
        assert_eq!(
            told.iter().filter(|outcome| *outcome == "cancelled").count(),
            1,
            "{action}: {told:?}"
        );
        assert_eq!(world.told_outcomes(), told, "{action}: told once");
        assert_eq!(
            world.stack(|stack| (stack.updates.len(), stack.cancels.len())),
            (2, 1),
            "{action}: no more updates"
        );
    }
}

#[tokio::test]
async fn a_rollback_to_a_third_image_goes_out_when_the_cancelled_update_has_ended() {
    let Some(world) = World::new().await else { return };
    let images: Vec<Image> = (0..3).map(Image::build).collect();
    world.deploy(&images[0]).await;
    world.deploy(&images[1]).await;
    world.push(&images[2], &["latest"]).await;
    assert_eq!(world.answer(&world.pushed(&images[2])).await["outcome"], "promoted");

    let order = world.sns(&format!("rollback web {:040x}", 0x00c0_ffee_0000_u64));
    let answer = world.answer(&order).await;

    assert_eq!(answer["outcome"], "cancelled", "{answer}");
    assert_eq!(world.cloud.count(CANCEL), 1);
    world.stack(Stack::finish_cancel);
    world.assert_in_production(&images[1]).await;
    let went_on = world.answer(&world.stack_changed("web")).await;
    assert_eq!(
        (&went_on["outcome"], &went_on["digest"]),
        (&json!("promoted"), &json!(images[0].digest())),
        "{went_on}"
    );
    assert_eq!(went_on["closed"][0]["outcome"], "cancelled", "{went_on}");
    world.settle().await;
    world.assert_in_production(&images[0]).await;
    assert_eq!(world.updates(), 4, "three promotions and the rollback");
}

#[tokio::test]
async fn the_update_of_somebody_else_is_never_cancelled() {
    for action in ["cancel", "rollback"] {
        let Some(world) = World::new().await else { return };
        world.deploy(&Image::build(0)).await;
        world.deploy(&Image::build(1)).await;
        world.stack(Stack::start_foreign_update);

        let answer = world.answer(&command(action)).await;

        let expected = if action == "cancel" { "refused" } else { "queued" };
        assert_eq!(answer["outcome"], expected, "{action}: {answer}");
        assert_eq!(world.cloud.count(CANCEL), 0, "{action}");
        assert_eq!(world.stack(|stack| stack.status.clone()), "UPDATE_IN_PROGRESS", "{action}");
    }
}

/// While our own waits behind it: what CloudFormation is at is theirs.
#[tokio::test]
async fn the_update_of_somebody_else_is_not_cancelled_for_what_waits_behind_it() {
    let Some(world) = World::new().await else { return };
    let earlier = Image::build(0);
    world.deploy(&earlier).await;
    world.push(&Image::build(1), &["latest"]).await;
    world.stack(Stack::start_foreign_update);
    assert_eq!(world.answer(&world.sns("promote web")).await["outcome"], "queued");

    assert_eq!(world.answer(&command("cancel")).await["outcome"], "cancelled");

    assert_eq!(world.cloud.count(CANCEL), 0);
    world.settle().await;
    world.assert_in_production(&earlier).await;
    assert_eq!(world.updates(), 2, "ours before, and theirs");
}

#[tokio::test]
async fn a_cancel_that_goes_wrong_once_is_made_good_by_the_same_command() {
    let faults = [
        Fault::Killed,
        Fault::ConnectionReset(When::Before),
        Fault::ConnectionReset(When::After),
        Fault::Throttled(When::Before),
        Fault::Throttled(When::After),
    ];
    for action in ["cancel", "rollback"] {
        for fault in &faults {
            let case = format!("{action}, {fault:?}");
            let Some((world, earlier, newest)) = world_under_way().await else { return };
            world.cloud.fault(At::first(CANCEL), fault.clone());

            let order = world.sns(&format!("{action} web"));
            let answer =
                world.deliver(&order).await.unwrap_or_else(|e| panic!("{case}: {}", e.message));

            assert_eq!(world.cloud.fired(), 1, "{case}");
            assert_eq!(
                (&answer["outcome"], &answer["digest"]),
                (&json!("cancelled"), &json!(newest.digest())),
                "{case}: {answer}"
            );
            world.stack(Stack::finish_cancel);
            world.answer(&world.stack_changed("web")).await;
            world.assert_in_production(&earlier).await;
            let told = world.told_outcomes();
            assert_eq!(
                told.iter().filter(|outcome| *outcome == "cancelled").count(),
                1,
                "{case}: {told:?}"
            );
            assert_eq!(
                world.stack(|stack| (stack.updates.len(), stack.cancels.len())),
                (2, 1),
                "{case}"
            );
        }
    }
}

/// The update goes through between the last look and the cancel.
#[tokio::test]
async fn what_comes_too_late_to_cancel_says_so_and_a_rollback_goes_back_all_the_same() {
    for (action, outcome) in [("cancel", "deployed"), ("rollback", "promoted")] {
        let Some((world, earlier, newest)) = world_under_way().await else { return };
        // The cancel is on its way until another process asks for its configuration.
        world.cloud.fault(
            At::first(CANCEL),
            Fault::Held(Until::Arrived("ssm:GetParameter".to_owned(), 1)),
        );
        let order = world.sns(&format!("{action} web"));
        let late = world.answer(&order);
        let ended = async {
            world.cloud.wait(&Until::Arrived(CANCEL.to_owned(), 1)).await;
            world.finish();
            let status = json!({ "action": "status", "repository": "web" });
            world.start().await.invoke(status.to_string().as_bytes(), "status").await
        };

        let (answer, status) = tokio::join!(late, ended);

        assert!(status.is_ok(), "{action}");
        assert_eq!(answer["outcome"], outcome, "{action}: {answer}");
        assert_eq!(world.cloud.count(CANCEL), 1, "{action}");
        world.settle().await;
        world.assert_in_production(if action == "cancel" { &newest } else { &earlier }).await;
        assert_eq!(world.stack(|stack| stack.cancels.len()), 0, "{action}");
    }
}

/// A cancel names only the stack: whose update it would hit is looked at right before.
#[tokio::test]
async fn an_update_of_somebody_else_that_begins_in_between_is_not_cancelled() {
    const EVENTS: &str = "cloudformation:DescribeStackEvents";
    for action in ["cancel", "rollback"] {
        let Some((untouched, ..)) = world_under_way().await else { return };
        untouched.answer(&untouched.sns(&format!("{action} web"))).await;
        let last_look = untouched.cloud.count(EVENTS);

        let Some((world, ..)) = world_under_way().await else { return };
        world.cloud.fault(
            At::Nth(EVENTS.to_owned(), last_look),
            Fault::Held(Until::Arrived("ssm:GetParameter".to_owned(), 1)),
        );
        let order = world.sns(&format!("{action} web"));
        let late = world.answer(&order);
        let theirs = async {
            world.cloud.wait(&Until::Arrived(EVENTS.to_owned(), last_look)).await;
            world.stack(|stack| {
                stack.finish_update();
                stack.start_foreign_update();
            });
            let status = json!({ "action": "status", "repository": "web" });
            world.start().await.invoke(status.to_string().as_bytes(), "status").await
        };

        let (answer, status) = tokio::join!(late, theirs);

        assert!(status.is_ok(), "{action}");
        assert_eq!(world.cloud.count(CANCEL), 0, "{action}: {answer}");
        assert_ne!(answer["outcome"], "cancelled", "{action}: {answer}");
        world.settle().await;
        assert_eq!(world.stack(|stack| stack.cancels.len()), 0, "{action}");
    }
}
