//! The rules, one by one. `decided` is the only place that calls `decide`.

mod approve;
mod report;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::model::Tag;
use crate::model::answer::Answer;
use crate::model::change_set::{Change, ChangeSet, Changes, Listed, Replacement};
use crate::model::image::{Image, MEDIA_TYPES, TagMutability, Tags};
use crate::model::promotion::{End, Update};
use crate::model::stack::{EventsWanted, Parameter, StackEvent, StackEvents};
use crate::model::state::{Hold, Running};
use crate::world::snapshot::{Learned, Version};

const NOW: &str = "2026-03-17T09:41:30Z";

fn app(json: &str) -> App {
    App::parse(&"web".parse().expect("valid"), "/ecr-promoter/apps/web", json).expect("valid")
}

fn auto() -> App {
    app(r#"{"stack":"web","mode":"auto","commit_from":["annotation"]}"#)
}

fn asking() -> App {
    app(r#"{"stack":"web","commit_from":["annotation"]}"#)
}

/// An image whose commit is seven times this letter.
fn image(letter: char) -> Image {
    let commit = letter.to_string().repeat(7);
    let manifest =
        format!(r#"{{"annotations":{{"org.opencontainers.image.revision":"{commit}"}}}}"#);
    Image::parse(&Digest::of(manifest.as_bytes()), manifest, Some(MEDIA_TYPES[2].to_owned()))
        .expect("an image")
}

fn digest(letter: char) -> Digest {
    image(letter).digest
}

fn tag(letter: char) -> Tag {
    format!("production_{}", letter.to_string().repeat(7)).parse().expect("a tag")
}

/// `a` runs and is the newest; `b` is there too. Nothing is remembered.
fn seen() -> Snapshot {
    Snapshot {
        stack: Some(Stack {
            id: "arn".to_owned(),
            name: "web".to_owned(),
            status: "UPDATE_COMPLETE".to_owned(),
            parent: None,
            parameters: [("ProductionTag", tag('a').as_str()), ("Secret", "****")]
                .map(|(key, value)| Parameter {
                    key: key.to_owned(),
                    value: value.to_owned(),
                    resolved: None,
                })
                .into(),
            capabilities: vec!["CAPABILITY_IAM".to_owned()],
        }),
        tags: tags([(tag('a'), digest('a'))]),
        is_configuration_newer: true,
        mutability: Some(TagMutability { is_immutable: true, exclusions: Vec::new() }),
        newest: Some(digest('a')),
        images: ['a', 'b'].map(|letter| (digest(letter), Ok(image(letter)))).into(),
        ..Snapshot::at(NOW.parse().expect("a time"), "00112233445566778899aabbccddeeff".to_owned())
    }
}

fn tags<const N: usize>(pairs: [(Tag, Digest); N]) -> Option<Tags> {
    Some(pairs.into_iter().collect())
}

/// `b` has been pushed.
fn pushed_b() -> Snapshot {
    Snapshot { newest: Some(digest('b')), ..seen() }
}

fn with_stack(seen: Snapshot, change: impl FnOnce(&mut Stack)) -> Snapshot {
    let mut stack = seen.stack.clone().expect("a stack");
    change(&mut stack);
    Snapshot { stack: Some(stack), ..seen }
}

/// `a` runs, and what a push of `b` wrote is remembered.
fn after_intent() -> Snapshot {
    let plan = decided(&auto(), &push('b'), &pushed_b());
    let Some(Action::SaveState(records)) = plan.stages.first().and_then(|stage| stage.first())
    else {
        panic!("the state is written first")
    };
    Snapshot { state: records.state.clone(), version: Version(Some("1".to_owned())), ..pushed_b() }
}

fn push(letter: char) -> Trigger {
    Trigger::Pushed(digest(letter))
}

fn promote(image: Option<ImageRef>) -> Trigger {
    let repository = "web".parse().expect("valid");
    Trigger::Command(Command {
        id: "1".to_owned(),
        act: Act::Promote(image),
        repository,
        by: "alice".to_owned(),
        via: Via::Direct,
        slack: None,
        sent_at: None,
        trace: None,
    })
}

#[track_caller]
fn step(app: &App, trigger: &Trigger, seen: &Snapshot) -> Step {
    let mut seen = seen.clone();
    if let Some(state) = &mut seen.state {
        // Who decides has not changed, where a test does not say so.
        state.policy.get_or_insert(app.policy());
    }
    decide(app, trigger, &seen)
}

#[track_caller]
fn decided(app: &App, trigger: &Trigger, seen: &Snapshot) -> Plan {
    match step(app, trigger, seen) {
        Step::Finish(plan) => plan,
        other @ (Step::Read(_) | Step::LookAgain(_)) => panic!("not decided: {other:?}"),
    }
}

#[track_caller]
fn answer(plan: &Plan) -> &Answer {
    match &plan.reply {
        Ok(Reply::Answer(answer)) => answer,
        other @ (Ok(Reply::Report(_)) | Err(_)) => panic!("no answer: {other:?}"),
    }
}

/// The names of the actions, a stage a line.
fn names(stages: &[Vec<Action>]) -> String {
    stages
        .iter()
        .map(|stage| stage.iter().map(Action::name).collect::<Vec<_>>().join(" + "))
        .collect::<Vec<_>>()
        .join("\n")
}

#[track_caller]
fn check(app: &App, trigger: &Trigger, seen: &Snapshot, outcome: Outcome, want: &str) -> Plan {
    let plan = decided(app, trigger, seen);
    assert_eq!(
        (answer(&plan).outcome, names(&plan.stages).as_str()),
        (outcome, want),
        "{}",
        answer(&plan).reason
    );
    plan
}

fn update(plan: &Plan) -> &Update {
    let update = plan.stages.iter().flatten().find_map(|action| {
        if let Action::UpdateStack(update) = action { Some(update) } else { None }
    });
    update.expect("an update")
}

const PROMOTES: &str = "Save + PutTag\nUpdateStack\nTell\nMark";

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
    let retry =
        check(&auto(), &push('b'), &unsent, Outcome::Promoted, "PutTag\nUpdateStack\nTell\nMark");
    check(&auto(), &push('b'), &tagged, Outcome::Promoted, "UpdateStack\nTell\nMark");
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
    let plan =
        check(&asking(), &push('b'), &pushed_b(), Outcome::ApprovalRequested, "Save\nTell\nMark");
    assert_eq!(answer(&plan).tag, Some(tag('b')));
}

#[test]
fn a_held_app_asks_in_auto_mode_too() {
    let running = Running {
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
    check(&auto(), &push('b'), &held, Outcome::ApprovalRequested, "Save\nTell\nMark");
    let plan = check(
        &auto(),
        &promote(None),
        &held,
        Outcome::Promoted,
        "Save + PutTag\nUpdateStack\nTell\nMark\nKeepAnswer",
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
    let plan = check(&auto(), &push('b'), &busy, Outcome::Queued, "Save\nTell\nMark");
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
        "Save\nTell\nMark",
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
        "Save + PutTag\nUpdateStack\nTell\nMark",
    );
    assert_eq!(
        Some(&update(&plan).token),
        kept.state.as_ref().and_then(|state| state.open.first()).map(|open| &open.token)
    );
}

#[test]
fn an_end_is_known_by_the_value_at_rest_or_by_the_token_in_the_events() {
    let done = with_stack(after_intent(), |stack| stack.parameters[0].value = tag('b').to_string());
    let moved = Snapshot { tags: tags([(tag('b'), digest('b'))]), ..done };
    let plan = check(&auto(), &push('b'), &moved, Outcome::Unchanged, "Save\nTell\nMark");
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
    let plan = check(&auto(), &push('b'), &failed, Outcome::Failed, "Save\nTell\nMark");
    assert_eq!(answer(&plan).closed[0].reason, "circuit breaker");
}

#[test]
fn a_known_command_answers_what_it_answered_whatever_is_so_now() {
    let plan = decided(&asking(), &promote(None), &pushed_b());
    let given = answer(&plan).clone();
    let record = CommandRecord {
        id: "1".to_owned(),
        at: seen().at,
        what: None,
        token: given.token.clone(),
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
fn another_stack_than_before_is_a_first_sight() {
    let elsewhere = app(r#"{"stack":"web2","mode":"auto","commit_from":["annotation"]}"#);
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
        "Save + PutTag\nUpdateStack\nTell + Tell + Tell\nMark",
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
    let by_arn = app(
        r#"{"stack":"arn:aws:cloudformation:us-east-1:012345678912:stack/web/1","mode":"auto","commit_from":["annotation"]}"#,
    );
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
    let theirs = Snapshot { events: Some(StackEvents::default()), ..torn };
    check(&auto(), &push('b'), &theirs, Outcome::Held, "Save\nTell + Tell\nMark");
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

fn guarded() -> App {
    app(
        r#"{"stack":"web","mode":"auto","commit_from":["annotation"],"guard":{"allowed_changes":["AWS::ECS::Service"]}}"#,
    )
}

/// `b` has been pushed, and the change set of its promotion says this.
fn reviewed(review: ChangeSet) -> Snapshot {
    let made = made();
    assert_eq!(
        step(&guarded(), &push('b'), &made),
        Step::Read(Question::ChangeSet(ARN.to_owned()))
    );
    Snapshot { change_sets_read: BTreeMap::from([(ARN.to_owned(), review)]), ..made }
}

const ARN: &str = "arn:aws:cloudformation:us-east-1:012345678912:changeSet/ecr-promoter-1/1";

/// `b` has been pushed, and the change set of its promotion was made.
fn made() -> Snapshot {
    let Step::LookAgain(stages) = step(&guarded(), &push('b'), &pushed_b()) else {
        panic!("it is prepared")
    };
    assert_eq!(names(&stages), "Save\nCreateChangeSet\nMark");
    let Action::MarkTold(records) = &stages[2][0] else { panic!("a mark") };
    let mut state = records.state.clone().expect("a state");
    state.change_sets[0].arn = Some(ARN.to_owned());
    Snapshot {
        state: Some(state),
        events: Some(StackEvents::default()),
        version: Version(Some("1".to_owned())),
        ..pushed_b()
    }
}

#[test]
fn only_the_change_set_that_was_made_here_is_executed() {
    let name = |seen: &Snapshot| {
        let Step::LookAgain(stages) = step(&guarded(), &push('b'), seen) else {
            panic!("it is prepared")
        };
        let Action::CreateChangeSet { name, .. } = &stages[1][0] else { panic!("it is made") };
        name.clone()
    };
    let again = Snapshot { nonce: "ffeeddccbbaa99887766554433221100".to_owned(), ..pushed_b() };
    assert_ne!(name(&pushed_b()), name(&again), "nobody can know its name before");
    assert!(name(&again).starts_with("ecr-promoter-") && name(&again).len() <= 128);

    // Whoever made one of our name, whose ARN we were not told: it is not looked at, and another
    // one is made.
    let mut lost = made();
    let own = &mut lost.state.as_mut().expect("a state").change_sets[0];
    own.arn = None;
    lost.learned.lost_change_sets.insert(own.name().to_owned());
    assert!(matches!(step(&guarded(), &push('b'), &lost), Step::LookAgain(_)));
    // Another sandbox may be about to write its ARN down: that is waited for, and not for ever.
    lost.learned.lost_change_sets.clear();
    assert_eq!(step(&guarded(), &push('b'), &lost), Step::LookAgain(Vec::new()));
    lost.at += jiff::SignedDuration::from_secs(31);
    assert!(matches!(step(&guarded(), &push('b'), &lost), Step::LookAgain(_)));

    // With other parameters than those that were sent it is not executed, whoever's it is.
    let sent = |key: &str, value: &str| (key.to_owned(), Some(Digest::of(value.as_bytes())));
    let ChangeSet::Ready(changes) = changes("AWS::ECS::Service") else { panic!("ready") };
    for (parameters, outcome) in [
        (vec![sent("ProductionTag", tag('b').as_str()), sent("Secret", "****")], Outcome::Promoted),
        (
            vec![sent("ProductionTag", tag('b').as_str()), ("Secret".to_owned(), None)],
            Outcome::Promoted,
        ),
        (
            vec![sent("ProductionTag", tag('b').as_str()), sent("Secret", "stolen")],
            Outcome::Blocked,
        ),
        (vec![sent("ProductionTag", tag('a').as_str()), sent("Secret", "****")], Outcome::Blocked),
        (vec![sent("ProductionTag", tag('b').as_str()), sent("Another", "x")], Outcome::Blocked),
    ] {
        let seen = reviewed(ChangeSet::Ready(Changes {
            parameters: parameters.clone(),
            ..changes.clone()
        }));
        assert_eq!(
            answer(&decided(&guarded(), &push('b'), &seen)).outcome,
            outcome,
            "{parameters:?}"
        );
    }
}

#[test]
fn change_sets_of_this_apps_prefix_that_nobody_remembers_are_removed_once_they_are_old() {
    let listed = |name: &str, minutes: i64| Listed {
        name: name.to_owned(),
        arn: format!("arn:{name}"),
        at: seen().at - jiff::SignedDuration::from_mins(minutes),
    };
    let ChangeSet::Ready(ready) = changes("AWS::RDS::DBInstance") else { panic!("ready") };
    let own = vec![listed("ecr-promoter-x-old", 11), listed("ecr-promoter-x-new", 9)];
    let plan =
        decided(&guarded(), &push('b'), &reviewed(ChangeSet::Ready(Changes { own, ..ready })));
    let removed: Vec<&str> =
        plan.stages
            .iter()
            .flatten()
            .filter_map(|action| {
                if let Action::DeleteChangeSet(id) = action { Some(id.as_str()) } else { None }
            })
            .collect();
    assert_eq!(removed, [ARN, "arn:ecr-promoter-x-old"]);
}

fn changes(kind: &str) -> ChangeSet {
    let change = Change {
        action: "Modify".to_owned(),
        kind: kind.to_owned(),
        resource: "Thing".to_owned(),
        within: None,
        replacement: Replacement::No,
    };
    ChangeSet::Ready(Changes {
        list: vec![change],
        others: vec!["by-hand".to_owned()],
        ..Changes::default()
    })
}

#[test]
fn a_guarded_update_is_reviewed_before_anything_of_it_is_done() {
    check(&guarded(), &push('a'), &seen(), Outcome::Unchanged, "");
    let Step::LookAgain(stages) = step(&guarded(), &push('b'), &reviewed(ChangeSet::Absent)) else {
        panic!("it is prepared")
    };
    assert_eq!(names(&stages), "Save\nCreateChangeSet\nMark");
    assert_eq!(
        step(&guarded(), &push('b'), &reviewed(ChangeSet::Executing)),
        Step::LookAgain(Vec::new())
    );
    let Step::LookAgain(stages) = step(&guarded(), &push('b'), &reviewed(ChangeSet::Outdated))
    else {
        panic!("it is prepared")
    };
    assert_eq!(names(&stages), "DeleteChangeSet");
    check(
        &guarded(),
        &push('b'),
        &reviewed(ChangeSet::Pending),
        Outcome::Queued,
        "Save\nTell\nMark",
    );
}

#[test]
fn what_a_guard_allows_is_executed_and_what_it_does_not_is_not() {
    let allowed = reviewed(changes("AWS::ECS::Service"));
    let plan = check(
        &guarded(),
        &push('b'),
        &allowed,
        Outcome::Promoted,
        "Save + PutTag\nExecuteChangeSet\nTell\nMark",
    );
    assert_eq!(answer(&plan).changes, ["Modify AWS::ECS::Service Thing"]);
    assert!(
        answer(&plan).reason.ends_with("deleted the stack's others: by-hand"),
        "{}",
        answer(&plan).reason
    );
    for trigger in [push('b'), promote(None)] {
        let plan = check(
            &guarded(),
            &trigger,
            &reviewed(changes("AWS::RDS::DBInstance")),
            Outcome::Blocked,
            "Save\nTell + DeleteChangeSet\nMark",
        );
        assert_eq!(
            answer(&plan).reason,
            "`guard.allowed_changes` does not allow: Modify AWS::RDS::DBInstance Thing"
        );
        assert_eq!(answer(&plan).changes, ["Modify AWS::RDS::DBInstance Thing"]);
    }
    check(
        &guarded(),
        &push('b'),
        &reviewed(ChangeSet::Empty),
        Outcome::Failed,
        "Save\nTell + DeleteChangeSet\nMark",
    );
    check(
        &guarded(),
        &push('b'),
        &reviewed(ChangeSet::Failed("no".to_owned())),
        Outcome::Failed,
        "Save\nTell + DeleteChangeSet\nMark",
    );
}

#[test]
fn an_ssm_typed_parameter_asks_for_a_review_without_a_guard() {
    let with_ssm =
        with_stack(pushed_b(), |stack| stack.parameters[1].resolved = Some("ami-1".to_owned()));
    let Step::LookAgain(stages) = step(&auto(), &push('b'), &with_ssm) else {
        panic!("it is prepared")
    };
    assert_eq!(names(&stages), "Save\nCreateChangeSet\nMark");
}

#[test]
fn tags_are_read_whatever_else_is_on_the_image() {
    let tagged = app(r#"{"stack":"web","mode":"auto","commit_from":["tag"]}"#);
    let tags = tags([("staging_9fceb02".parse().expect("a tag"), digest('b'))]);
    let plan =
        check(&tagged, &push('b'), &Snapshot { tags, ..pushed_b() }, Outcome::Promoted, PROMOTES);
    assert_eq!(update(&plan).tag.as_str(), "production_9fceb02");
}

// What is no container image

/// The source tag is on a Helm chart.
fn pushed_chart() -> (Digest, Snapshot) {
    let blob = Digest::of(b"chart");
    let manifest = format!(
        r#"{{"config":{{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":"{blob}"}}}}"#
    );
    let digest = Digest::of(manifest.as_bytes());
    let chart =
        Image::parse(&digest, manifest, Some(MEDIA_TYPES[2].to_owned())).expect("a manifest");
    let seen = seen();
    let images = seen.images.clone().into_iter().chain([(digest.clone(), Ok(chart))]).collect();
    (digest.clone(), Snapshot { newest: Some(digest), images, ..seen })
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
        check(&app, &promote(None), &seen, Outcome::Refused, "Save");
        check(
            &app,
            &promote(Some(ImageRef::Digest(digest.clone()))),
            &seen,
            Outcome::Refused,
            "Save",
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

// Plans

fn report(plan: &Plan) -> serde_json::Value {
    match &plan.reply {
        Ok(Reply::Report(report)) => serde_json::to_value(report).expect("JSON"),
        other @ (Ok(Reply::Answer(_)) | Err(_)) => panic!("no report: {other:?}"),
    }
}

fn plan_of(seen: &Snapshot) -> serde_json::Value {
    let Trigger::Command(command) = promote(None) else { panic!("a command") };
    report(&decided(
        &asking(),
        &Trigger::Command(Command { act: Act::Plan(None), ..command }),
        seen,
    ))
}

#[test]
fn a_plan_says_whether_it_looked_at_changes_and_what_is_odd_about_the_image() {
    let mut known = Snapshot { events: Some(StackEvents::default()), ..after_intent() };
    let state = known.state.as_mut().expect("a state");
    state.open.clear();
    let plan = plan_of(&known);
    assert_eq!(
        (&plan["would"], &plan["changes"], &plan["warnings"]),
        (&"promoted".into(), &serde_json::Value::Null, &serde_json::json!([]))
    );

    known.state.as_mut().expect("a state").first_seen = Some(digest('b'));
    let warnings = plan_of(&known)["warnings"].to_string();
    assert!(warnings.contains("before ecr-promoter looked"), "{warnings}");

    let unlabelled = Image { annotation: None, ..image('b') };
    known.images.insert(digest('b'), Ok(unlabelled));
    let warnings = plan_of(&known)["warnings"].clone();
    assert_eq!(warnings.as_array().map(Vec::len), Some(2), "{warnings}");
    assert!(warnings[0].as_str().is_some_and(|words| words.contains("--label")), "{warnings}");

    let (_, chart) = pushed_chart();
    let plan = plan_of(&chart);
    assert_eq!((&plan["would"], &plan["warnings"]), (&"refused".into(), &serde_json::json!([])));
}

#[test]
fn times_in_answers_are_to_the_second() {
    let mut seen = after_intent();
    let state = seen.state.as_mut().expect("a state");
    state.hold = Some(Hold {
        by: "alice".to_owned(),
        at: "2026-03-17T09:41:30.123456789Z".parse().expect("a time"),
        reason: "1.5".to_owned(),
    });
    seen.events = Some(StackEvents::default());
    let Trigger::Command(command) = promote(None) else { panic!("a command") };
    let status =
        decided(&asking(), &Trigger::Command(Command { act: Act::Status, ..command }), &seen);
    let hold = &report(&status)["hold"];
    assert_eq!((&hold["at"], &hold["reason"]), (&"2026-03-17T09:41:30Z".into(), &"1.5".into()));
}
