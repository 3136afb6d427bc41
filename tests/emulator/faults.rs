//! Any call is throttled, answered with a 500, loses its connection or stalls, before or after it
//! took effect: once, which the SDK tries again, or for a whole invocation, which Lambda tries
//! again. A denied call is told by the action that is missing.

use super::fault::{At, Fault, PASSING, missing_action};
use super::journey::{Journey, TRIGGERS, Trigger, for_each};

#[tokio::test]
async fn a_call_that_fails_once_stops_nothing() {
    for trigger in TRIGGERS {
        let Some(trace) = Journey::trace(trigger).await else { return };
        let mut cases = vec![];
        for call in &trace {
            cases.extend(PASSING.map(|fault| (At::Nth(call.op.clone(), call.nth), fault)));
        }
        for_each(cases, async |(at, fault)| fail(trigger, at, fault).await).await;
    }
}

/// Each try has its own limit, in which the whole body must arrive.
#[tokio::test]
async fn an_answer_that_stalls_halfway_stops_nothing() {
    let trigger = Trigger::Push;
    let Some(trace) = Journey::trace(trigger).await else { return };
    let cases = trace.iter().map(|call| (At::Nth(call.op.clone(), call.nth), Fault::Stalled));
    for_each(cases.collect(), async |(at, fault)| fail(trigger, at, fault).await).await;
}

/// Throttling, which takes the whole time of the invocation, is in `a_minute`.
#[tokio::test]
async fn an_operation_that_fails_for_a_whole_invocation_stops_nothing() {
    for trigger in TRIGGERS {
        let Some(ops) = operations(trigger).await else { return };
        let mut cases = vec![];
        for op in &ops {
            let faults = PASSING.into_iter().filter(|fault| !matches!(fault, Fault::Throttled(_)));
            cases.extend(faults.map(|fault| (At::Every(op.clone()), fault)));
        }
        for_each(cases, async |(at, fault)| fail(trigger, at, fault).await).await;
    }
}

pub(super) async fn fail(trigger: Trigger, at: At, fault: Fault) {
    let case = format!("{trigger:?}, {at:?} {fault:?}");
    let Some(journey) = Journey::prepare(trigger).await else { return };
    journey.world.cloud.fault(at, fault);

    let request_id = journey.world.unused_id();
    let mut outcome = journey.world.invoke_as(&request_id, &journey.event).await;
    assert!(journey.world.cloud.fired() > 0, "{case}: nothing failed");
    journey.world.cloud.clear_faults();
    if outcome.is_err() {
        outcome = journey.world.invoke_as(&request_id, &journey.event).await;
    }
    journey.assert_ended_right(outcome, &case).await;
}

#[tokio::test]
async fn a_denied_call_names_the_missing_action() {
    for trigger in TRIGGERS {
        let Some(ops) = operations(trigger).await else { return };
        let mut actions: Vec<&str> = ops.iter().map(|op| missing_action(op)).collect();
        actions.sort_unstable();
        actions.dedup();
        actions.retain(|action| *action != "layer:Get"); // a signed address: nothing to allow
        // A push reads all apps; one parameter is a secret then, without which people are asked
        // all the same.
        actions
            .retain(|action| *action != "ssm:GetParameter" || matches!(trigger, Trigger::Command));
        for_each(actions, async |action| deny(trigger, action, &ops).await).await;
    }
}

async fn deny(trigger: Trigger, action: &str, ops: &[String]) {
    let Some(journey) = Journey::prepare(trigger).await else { return };
    for op in ops.iter().filter(|op| missing_action(op) == action) {
        journey.world.cloud.fault(At::Every(op.clone()), Fault::Denied);
    }

    let case = format!("{trigger:?} without {action}");
    match journey.world.deliver(&journey.event).await {
        // Where nobody may say which tags can be moved, all count as movable, and the log says
        // which action is missing. Where an item may not be updated, it is put as a whole.
        Ok(_) if ["ecr:DescribeRepositories", "dynamodb:UpdateItem"].contains(&action) => {
            assert!(journey.world.logs.text().contains(action), "{case}: not in the log")
        }
        Ok(answer) => panic!("{case}: {answer}"),
        Err(error) => {
            let said = error.message.to_lowercase().contains(&action.to_lowercase());
            assert!(said, "{case}: the action is not in: {}", error.message);
        }
    }
    journey.world.cloud.clear_faults();
    let allowed = journey.world.deliver(&journey.event).await;
    journey.assert_ended_right(allowed, &format!("{case}, then with it")).await;
}

/// The operations that a trigger leads to.
pub(super) async fn operations(trigger: Trigger) -> Option<Vec<String>> {
    let mut ops: Vec<String> =
        Journey::trace(trigger).await?.into_iter().map(|call| call.op).collect();
    ops.sort();
    ops.dedup();
    Some(ops)
}
