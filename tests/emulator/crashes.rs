//! The process dies right after any of its calls reached AWS, and Lambda delivers the event again.
//! Where calls are side by side, each of them is once the only one that came through, and once the
//! last.

use super::cloud::Call;
use super::fault::{At, Fault, Until};
use super::journey::{Journey, TRIGGERS, Trigger, for_each};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Among {
    /// The calls beside it never reached AWS.
    TheOnly,
    /// They all did.
    TheLast,
}

#[derive(Debug)]
struct Case {
    trigger: Trigger,
    op: String,
    nth: usize,
    /// The calls side by side with it.
    beside: Vec<(String, usize)>,
    among: Among,
    /// The stack's update ends before the event comes again.
    update_ends_first: bool,
}

#[tokio::test]
async fn a_process_that_dies_after_any_call_loses_nothing() {
    let mut cases = vec![];
    for trigger in TRIGGERS {
        let Some(trace) = Journey::trace(trigger).await else { return };
        cases.extend(trace.iter().flat_map(|call| cases_of(trigger, call, &trace)));
    }
    for_each(cases, die_and_deliver_again).await;
}

fn cases_of(trigger: Trigger, call: &Call, trace: &[Call]) -> Vec<Case> {
    let others = trace.iter().filter(|other| other.arrived != call.arrived && other.overlaps(call));
    let beside: Vec<(String, usize)> = others.map(|other| (other.op.clone(), other.nth)).collect();
    let amongs =
        if beside.is_empty() { vec![Among::TheOnly] } else { vec![Among::TheOnly, Among::TheLast] };
    let updated = trace
        .iter()
        .any(|other| other.op == "cloudformation:UpdateStack" && other.arrived <= call.arrived);
    let ends = if updated { vec![false, true] } else { vec![false] };
    let case = |among, update_ends_first| Case {
        trigger,
        op: call.op.clone(),
        nth: call.nth,
        beside: beside.clone(),
        among,
        update_ends_first,
    };
    amongs.iter().flat_map(|among| ends.iter().map(|end| case(*among, *end))).collect()
}

async fn die_and_deliver_again(case: Case) {
    let Some(journey) = Journey::prepare(case.trigger).await else { return };
    let cloud = &journey.world.cloud;
    let dying = At::Nth(case.op.clone(), case.nth);
    match case.among {
        Among::TheOnly => {
            for (op, nth) in &case.beside {
                cloud.fault(At::Nth(op.clone(), *nth), Fault::Held(Until::Never));
            }
        }
        Among::TheLast => {
            cloud.fault(dying.clone(), Fault::Held(Until::Answered(case.beside.clone())))
        }
    }
    cloud.fault(dying, Fault::Killed);

    let request_id = journey.world.unused_id();
    let first = journey.world.invoke_as(&request_id, &journey.event).await;
    assert!(
        first.is_err_and(|error| error.died) && cloud.fired() == 1,
        "{case:?}: the process did not die"
    );
    cloud.clear_faults();
    if case.update_ends_first && journey.world.updates() == 1 {
        journey.world.stack(super::cloudformation::Stack::finish_update);
    }

    let second = journey.world.invoke_as(&request_id, &journey.event).await;
    journey.assert_ended_right(second, &format!("{case:?}")).await;
}
