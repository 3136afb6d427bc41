//! How promotions have ended, and what others changed in the meantime.

use super::*;

#[test]
fn an_end_is_known_by_the_value_at_rest_or_by_the_token_in_the_events() {
    let done = with_stack(after_intent(), |stack| stack.parameters[0].value = tag('b').to_string());
    let moved = Snapshot { tags: tags([(tag('b'), digest('b'))]), ..done };
    let plan = check(&auto(), &push('b'), &moved, Outcome::Unchanged, "SaveState\nTell\nMarkTold");
    assert_eq!(answer(&plan).closed[0].outcome, Outcome::Deployed);

    let token = after_intent().state.expect("a state").open[0].token.to_string();
    let event = |status: &str, reason: Option<&str>| StackEvent {
        at: NOW.parse().expect("a time"),
        token: Some(token.clone()),
        is_stack: true,
        resource: "web".to_owned(),
        status: status.to_owned(),
        reason: reason.map(str::to_owned),
    };
    let rolled_back = vec![
        event("UPDATE_ROLLBACK_COMPLETE", None),
        event("UPDATE_ROLLBACK_IN_PROGRESS", Some("circuit breaker")),
    ];
    let failed = Snapshot { events: Some(rolled_back.into()), ..after_intent() };
    let plan = check(&auto(), &push('b'), &failed, Outcome::Failed, "SaveState\nTell\nMarkTold");
    assert_eq!(answer(&plan).closed[0].reason, "circuit breaker");
}

#[test]
fn another_stack_than_before_is_a_first_sight() {
    let elsewhere =
        app(r#"{"stack":"web2","mode":"auto","verify":false,"commit_from":["annotation"]}"#);
    let moved = with_stack(after_intent(), |stack| stack.id = "another arn".to_owned());
    let moved = Snapshot { is_configuration_newer: false, ..moved };
    assert_eq!(
        step(&elsewhere, &push('b'), &moved),
        Step::Read(Question::Configuration),
        "a sandbox may know an old one"
    );
    let moved = Snapshot { is_configuration_newer: true, ..moved };
    let plan = check(
        &elsewhere,
        &push('b'),
        &moved,
        Outcome::Promoted,
        "SaveState + PutTag\nUpdateStack\nTell + Tell + Tell\nMarkTold",
    );
    let Action::SaveState(records) = &plan.stages[0][0] else { panic!("a save") };
    let state = records.state.as_ref().expect("a state");
    assert_eq!(
        (state.stack.as_str(), state.stack_id.as_deref(), state.open.len()),
        ("web2", Some("another arn"), 1)
    );
    assert_eq!(
        (records.history.len(), records.history[0].end),
        (1, End::Superseded),
        "what was begun there has an end"
    );
}

#[test]
fn the_stack_by_its_name_and_by_its_arn_is_the_same_stack() {
    let by_arn = app(r#"{"stack":"arn:aws:cloudformation:us-east-1:012345678912:stack/web/1",
            "mode":"auto","verify":false,"commit_from":["annotation"]}"#);
    let mut held = after_intent();
    let state = held.state.as_mut().expect("a state");
    state.open.clear();
    state.hold = Some(Hold { by: "alice".to_owned(), at: held.at, reason: "freeze".to_owned() });
    let plan = decided(&by_arn, &push('b'), &held);
    assert_eq!(answer(&plan).outcome, Outcome::ApprovalRequested);
    // Another stack is promoted to by people only, too, until they say otherwise.
    let moved = Snapshot {
        is_configuration_newer: true,
        ..with_stack(held, |stack| stack.id = "another arn".to_owned())
    };
    assert_eq!(answer(&decided(&by_arn, &push('b'), &moved)).outcome, Outcome::ApprovalRequested);
}

#[test]
fn a_change_that_only_one_of_two_reads_saw_is_looked_at_again() {
    let done = with_stack(after_intent(), |stack| stack.parameters[0].value = tag('b').to_string());
    let moved = Snapshot { tags: tags([(tag('b'), digest('b')), (tag('a'), digest('a'))]), ..done };
    let plan = decided(&auto(), &push('b'), &moved);
    let Action::SaveState(records) = &plan.stages[0][0] else { panic!("a save") };
    let token = records.state.as_ref().expect("a state").recent[0].token.to_string();
    // The state says that `b` runs; the stack was read before that.
    let torn = Snapshot { state: records.state.clone(), ..pushed_b() };
    assert!(matches!(step(&auto(), &push('b'), &torn), Step::Read(Question::Events(_))));
    let ours = StackEvent {
        at: NOW.parse().expect("a time"),
        token: Some(token),
        is_stack: true,
        resource: String::new(),
        status: "UPDATE_COMPLETE".to_owned(),
        reason: None,
    };
    assert_eq!(
        step(&auto(), &push('b'), &Snapshot { events: Some(vec![ours].into()), ..torn.clone() }),
        Step::LookAgain(Vec::new())
    );
    let events = Some(StackEvents::default());
    let theirs = Snapshot { events, history: Some(Vec::new()), ..torn };
    check(&auto(), &push('b'), &theirs, Outcome::Held, "SaveState\nTell + Tell\nMarkTold");
}

#[test]
fn a_request_that_is_newer_than_the_tags_is_not_taken_for_superseded() {
    let asked = decided(&asking(), &push('b'), &pushed_b());
    let Action::SaveState(records) = &asked.stages[0][0] else { panic!("a save") };
    let earlier = |seconds: i64| {
        NOW.parse::<jiff::Timestamp>().expect("a time") - jiff::SignedDuration::from_secs(seconds)
    };
    // The state says that people are asked about `b`; the tags were read before that.
    let torn = |seconds| Snapshot { state: records.state.clone(), at: earlier(seconds), ..seen() };
    assert_eq!(step(&asking(), &Trigger::Due("schedule"), &torn(1)), Step::LookAgain(Vec::new()));
    assert!(
        matches!(step(&asking(), &Trigger::Due("schedule"), &torn(-1)), Step::Finish(_)),
        "`latest` was moved back since"
    );
}
