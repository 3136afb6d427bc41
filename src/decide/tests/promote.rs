//! What a push, a look and `promote` lead to.

use super::*;
use crate::world::snapshot::TagsWanted;

#[test]
fn a_push_is_recorded_beside_the_tag_then_sent_then_told() {
    let plan = check(&auto(), &push('b'), &pushed_b(), Outcome::Promoted, PROMOTES);
    let update = update(&plan);
    assert_eq!((update.tag.clone(), update.others.clone()), (tag('b'), vec!["Secret".to_owned()]));
    assert_eq!(answer(&plan).token.as_ref(), Some(&update.token), "the answer names the request");
}

#[test]
fn the_retry_after_a_crash_sends_the_same_token() {
    let first = decided(&auto(), &push('b'), &pushed_b());
    let unsent = Snapshot { events: Some(StackEvents::default()), ..after_intent() };
    let tagged = Snapshot {
        tags: tags([(tag('a'), digest('a')), (tag('b'), digest('b'))]),
        ..unsent.clone()
    };
    let retry = check(
        &auto(),
        &push('b'),
        &unsent,
        Outcome::Promoted,
        "PutTag\nUpdateStack\nTell\nMarkTold",
    );
    check(&auto(), &push('b'), &tagged, Outcome::Promoted, "UpdateStack\nTell\nMarkTold");
    assert_eq!(update(&first), update(&retry));
}

#[test]
fn whether_an_intent_was_sent_is_asked_of_the_stacks_events() {
    assert!(matches!(
        step(&auto(), &push('b'), &after_intent()),
        Step::Read(Question::Events(EventsWanted { since: Some(_), .. }))
    ));
}

#[test]
fn what_runs_already_is_left_alone() {
    check(&auto(), &push('a'), &seen(), Outcome::Unchanged, "");
    check(&asking(), &push('a'), &seen(), Outcome::Unchanged, "");
}

#[test]
fn only_the_newest_is_promoted_by_a_push() {
    check(&auto(), &push('a'), &pushed_b(), Outcome::Superseded, "");
    check(&auto(), &push('b'), &Snapshot { newest: None, ..seen() }, Outcome::Superseded, "");
}

#[test]
fn in_approval_mode_a_push_asks_and_sends_nothing() {
    let plan = check(
        &asking(),
        &push('b'),
        &pushed_b(),
        Outcome::ApprovalRequested,
        "SaveState\nTell\nMarkTold",
    );
    assert_eq!(answer(&plan).tag, Some(tag('b')));
}

#[test]
fn a_held_app_asks_in_auto_mode_too() {
    let running = Running {
        note: None,
        tag: tag('a').to_string(),
        digest: Some(digest('a')),
        commit: None,
        since: None,
        by: "x".to_owned(),
    };
    let mut held = after_intent();
    let state = held.state.as_mut().expect("a state");
    state.open.clear();
    state.running = Some(running);
    state.hold = Some(Hold { by: "bob".to_owned(), at: held.at, reason: "freeze".to_owned() });
    check(&auto(), &push('b'), &held, Outcome::ApprovalRequested, "SaveState\nTell\nMarkTold");
    let plan = check(
        &auto(),
        &promote(None),
        &held,
        Outcome::Promoted,
        "SaveState + PutTag\nUpdateStack\nTell\nMarkTold\nKeepAnswer",
    );
    let Action::SaveState(records) = &plan.stages[0][0] else { panic!("a save") };
    assert_eq!(
        records.state.as_ref().expect("a state").hold,
        None,
        "promoting the newest ends the hold"
    );
}

#[test]
fn a_busy_stack_queues_and_that_is_told_once() {
    let busy = with_stack(pushed_b(), |stack| stack.status = "UPDATE_IN_PROGRESS".to_owned());
    let plan = check(&auto(), &push('b'), &busy, Outcome::Queued, "SaveState\nTell\nMarkTold");
    let Action::MarkTold(told) = &plan.stages[2][0] else { panic!("a mark") };
    check(
        &auto(),
        &push('b'),
        &Snapshot { state: told.state.clone(), ..busy },
        Outcome::Queued,
        "",
    );
}

#[test]
fn what_a_person_wants_waits_behind_a_busy_stack_with_its_own_token() {
    let busy = with_stack(pushed_b(), |stack| stack.status = "UPDATE_IN_PROGRESS".to_owned());
    let plan = check(
        &asking(),
        &promote(Some(ImageRef::Digest(digest('b')))),
        &busy,
        Outcome::Queued,
        "SaveState\nTell\nMarkTold",
    );
    let Action::MarkTold(kept) = &plan.stages[2][0] else { panic!("a mark") };
    let queued =
        Snapshot { state: kept.state.clone(), events: Some(StackEvents::default()), ..pushed_b() };
    assert_eq!(
        step(&asking(), &push('b'), &queued),
        Step::Read(Question::Availability(digest('b'))),
        "it may be archived since"
    );
    let free = Snapshot { unavailable: [(digest('b'), None)].into(), ..queued };
    let plan = check(
        &asking(),
        &push('b'),
        &free,
        Outcome::Promoted,
        "SaveState + PutTag\nUpdateStack\nTell\nMarkTold",
    );
    assert_eq!(
        Some(&update(&plan).token),
        kept.state.as_ref().and_then(|state| state.open.first()).map(|open| &open.token)
    );
}

#[test]
fn a_known_command_answers_what_it_answered_whatever_is_so_now() {
    let plan = decided(&asking(), &promote(None), &pushed_b());
    let given = answer(&plan).clone();
    let record = CommandRecord {
        id: "1".to_owned(),
        at: seen().at,
        what: None,
        by: Some("alice".to_owned()),
        via: Some(Via::Direct),
        user: None,
        trace: None,
        token: given.token.clone(),
        began: false,
        answer: Some(given.clone()),
    };
    let plan = check(
        &asking(),
        &promote(None),
        &Snapshot { command: Some(record), ..seen() },
        Outcome::Promoted,
        "",
    );
    assert_eq!(*answer(&plan), given);
}

#[test]
fn a_tag_that_ecr_refused_is_not_tried_again() {
    let taken = Learned { taken: BTreeSet::from([tag('b')]), ..Learned::default() };
    let plan = check(
        &auto(),
        &push('b'),
        &Snapshot { learned: taken, ..pushed_b() },
        Outcome::Promoted,
        PROMOTES,
    );
    assert_eq!(update(&plan).tag.as_str(), format!("{}-{}", tag('b'), digest('b').short()));
}

#[test]
fn before_an_image_is_tried_under_the_same_tag_again_ecr_is_asked_who_has_it() {
    let mut state = after_intent().state.expect("a state");
    let replaced = state.open.remove(0);
    let reason = "another promotion replaced it before it was sent";
    state.end(&replaced, End::Superseded, reason, NOW.parse().expect("a time"));
    let mut read = Tags::default();
    read.insert_all_of(&digest('a'), [tag('a')]);
    read.insert_all_of(&digest('b'), []);
    let again = Snapshot { state: Some(state), tags: Some(read), ..pushed_b() };
    let asked = step(&auto(), &push('b'), &again);
    let is_asked = |wanted: &TagsWanted| wanted.named.contains(&tag('b'));
    assert!(matches!(&asked, Step::Read(Question::Tags(wanted)) if is_asked(wanted)), "{asked:?}");
    let held = tags([(tag('a'), digest('a')), (tag('b'), digest('c'))]);
    let plan = decided(&auto(), &push('b'), &Snapshot { tags: held, ..again });
    assert_eq!(update(&plan).tag.as_str(), format!("{}-{}", tag('b'), digest('b').short()));
}

#[test]
fn a_stack_that_cannot_be_promoted_to_is_a_configuration_error() {
    let cases: [(Snapshot, &[&str]); 4] = [
        (
            Snapshot { tags: None, ..seen() },
            &["/ecr-promoter/apps/web", "ECR repository `web` does not exist"],
        ),
        (
            Snapshot { stack: None, ..seen() },
            &["/ecr-promoter/apps/web", "`stack`", "does not exist"],
        ),
        (
            with_stack(seen(), |stack| stack.parent = Some("arn:root".to_owned())),
            &["`stack`", "nested", "arn:root"],
        ),
        (
            with_stack(seen(), |stack| stack.parameters.remove(0).key.clear()),
            &["`parameter`", "`ProductionTag`", "Secret"],
        ),
    ];
    for (seen, words) in cases {
        let error = decided(&auto(), &push('a'), &seen).reply.expect_err("an error");
        words.iter().for_each(|word| assert!(error.to_string().contains(word), "{error}"));
    }
}

#[test]
fn tags_are_read_whatever_else_is_on_the_image() {
    let tagged = app(r#"{"stack":"web","mode":"auto","verify":false,"commit_from":["tag"]}"#);
    let tags = tags([("staging_9fceb02".parse().expect("a tag"), digest('b'))]);
    let plan =
        check(&tagged, &push('b'), &Snapshot { tags, ..pushed_b() }, Outcome::Promoted, PROMOTES);
    assert_eq!(update(&plan).tag.as_str(), "production_9fceb02");
}

#[test]
fn what_is_no_container_image_is_no_candidate() {
    let (digest, seen) = pushed_chart();
    for app in [auto(), asking()] {
        let plan = check(&app, &Trigger::Pushed(digest.clone()), &seen, Outcome::Ignored, "");
        assert!(
            answer(&plan).reason.contains("application/vnd.cncf.helm.config.v1+json"),
            "{}",
            answer(&plan).reason
        );
        check(&app, &promote(None), &seen, Outcome::Refused, "SaveState");
        check(
            &app,
            &promote(Some(ImageRef::Digest(digest.clone()))),
            &seen,
            Outcome::Refused,
            "SaveState",
        );
    }
}

#[test]
fn a_look_at_what_is_no_container_image_tells_what_ended_meanwhile() {
    let (_, seen) = pushed_chart();
    let state = after_intent().state;
    let done = Snapshot { state, tags: tags([(tag('b'), digest('b'))]), ..seen };
    let done = with_stack(done, |stack| stack.parameters[0].value = tag('b').to_string());
    let plan = decided(&auto(), &Trigger::Due("schedule"), &done);
    assert_eq!((answer(&plan).outcome, answer(&plan).closed.len()), (Outcome::Deployed, 1));
}
