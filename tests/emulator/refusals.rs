//! CloudFormation's ambiguous answers: a refusal for good is `failed` with its cause, a repeated
//! request token is no failure.

use super::cloudformation::{RepeatedToken, Stack};
use super::fault::{At, Fault, When};
use super::image::Image;
use super::journey::{Journey, Trigger, for_each};
use super::world::{COMMIT, FIRST_TAG, World};

const UPDATE_STACK: &str = "cloudformation:UpdateStack";

#[tokio::test]
async fn a_refusal_for_good_is_failed_with_cloudformations_words_and_not_tried_again() {
    let refusals = [
        // Although the value differs: a transform that is not run again for the previous template.
        ("ValidationError", "No updates are to be performed."),
        (
            "ValidationError",
            "Parameter ProductionTag failed to satisfy constraint: must match pattern v[0-9]+",
        ),
        ("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_AUTO_EXPAND]"),
    ];
    for (code, message) in refusals {
        let Some(world) = World::new().await else { return };
        let image = Image::oci("new", COMMIT);
        world.push(&image, &["latest"]).await;
        world.stack(|stack| stack.refusal = Some((code.to_owned(), message.to_owned())));

        let answer = world.answer(&world.pushed(&image)).await;

        assert_eq!(answer["outcome"], "failed", "{answer}");
        let reason = answer["reason"].as_str().unwrap_or_default().to_lowercase();
        assert!(
            reason.contains(message.to_lowercase().trim_end_matches('.')),
            "{message:?} is not in: {reason}"
        );
        assert_eq!(world.stack(|stack| stack.value("ProductionTag").to_owned()), FIRST_TAG);
        assert_eq!(world.told().len(), 1, "people hear of it");

        let asked = world.cloud.count(UPDATE_STACK);
        assert_eq!(world.answer(&world.pushed(&image)).await["outcome"], "failed");
        assert_eq!(
            world.cloud.count(UPDATE_STACK),
            asked,
            "the same image is not tried again by itself"
        );
        assert_eq!(world.told().len(), 1, "people hear of it once");
    }
}

#[tokio::test]
async fn a_repeated_request_token_ends_right_whichever_way_it_is_answered() {
    let ways = [
        RepeatedToken::Accepted,
        RepeatedToken::InProgress,
        RepeatedToken::TokenAlreadyExists,
        RepeatedToken::NoUpdates,
    ];
    let lost = [
        Fault::ConnectionReset(When::After), // the SDK sends the same request again
        Fault::Killed,                       // Lambda delivers the event again
    ];
    let mut cases = vec![];
    for trigger in [Trigger::Push, Trigger::Command] {
        for way in ways {
            cases.extend(
                lost.iter()
                    .flat_map(|lost| [false, true].map(|ends| (trigger, way, lost.clone(), ends))),
            );
        }
    }
    for_each(cases, async |(trigger, way, lost, update_ends_first)| {
        let case =
            format!("{trigger:?}, {way:?}, {lost:?}, the update ends first: {update_ends_first}");
        let Some(journey) = Journey::prepare(trigger).await else { return };
        journey.world.stack(|stack| stack.repeated_token = way);
        journey.world.cloud.fault(At::first(UPDATE_STACK), lost);
        let request_id = journey.world.unused_id();
        let mut outcome = journey.world.invoke_as(&request_id, &journey.event).await;
        assert_eq!(journey.world.cloud.fired(), 1, "{case}");
        if update_ends_first && outcome.is_err() {
            journey.world.stack(Stack::finish_update);
        }
        for _ in 0..2 {
            if outcome.is_err() {
                outcome = journey.world.invoke_as(&request_id, &journey.event).await;
            }
        }
        journey.assert_ended_right(outcome, &case).await;
    })
    .await;
}

#[tokio::test]
async fn a_promotion_that_rolled_back_before_the_retry_is_failed_and_not_repeated() {
    let Some(journey) = Journey::prepare(Trigger::Push).await else { return };
    journey.world.cloud.fault(At::first(UPDATE_STACK), Fault::Killed);
    let request_id = journey.world.unused_id();
    journey.world.invoke_as(&request_id, &journey.event).await.expect_err("the process dies");
    journey.world.stack(|stack| {
        stack.fail_update("Resource handler returned message: \"tasks failed to start\"")
    });

    let answer = journey.world.invoke_as(&request_id, &journey.event).await.expect("no error");

    assert_eq!(answer["outcome"], "failed", "{answer}");
    assert!(
        answer.to_string().contains("tasks failed to start"),
        "CloudFormation's first reason: {answer}"
    );
    assert_eq!(journey.world.updates(), 1);
}

#[tokio::test]
async fn an_ssm_typed_parameter_keeps_its_value() {
    use super::cloudformation::Parameter;
    let Some(world) = World::new().await else { return };
    let image = Image::oci("new", COMMIT);
    world.push(&image, &["latest"]).await;
    let resolved = Some("ami-0abc".to_owned());
    let parameter = Parameter { resolved, ..Parameter::new("MachineImage", "/golden/ami") };
    world.stack(|stack| stack.parameters.push(parameter));

    assert_eq!(world.answer(&world.pushed(&image)).await["outcome"], "promoted");

    world.assert_runs(&image, "with an SSM-typed parameter").await;
    assert_eq!(world.stack(|stack| stack.value("MachineImage").to_owned()), "/golden/ami");
}
