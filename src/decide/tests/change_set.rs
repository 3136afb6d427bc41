//! Updates that are reviewed by their change set before they go out.

use super::*;

fn guarded() -> App {
    app(r#"{"stack":"web","mode":"auto","verify":false,"commit_from":["annotation"],
            "guard":{"allowed_changes":["AWS::ECS::Service"]}}"#)
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
    assert_eq!(names(&stages), "SaveState\nCreateChangeSet\nMarkTold");
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
}

#[test]
fn a_change_set_with_other_parameters_than_those_that_were_sent_is_not_executed() {
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
    assert_eq!(names(&stages), "SaveState\nCreateChangeSet\nMarkTold");
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
        "SaveState\nTell\nMarkTold",
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
        "SaveState + PutTag\nExecuteChangeSet\nTell\nMarkTold",
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
            "SaveState\nTell + DeleteChangeSet\nMarkTold",
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
        "SaveState\nTell + DeleteChangeSet\nMarkTold",
    );
    check(
        &guarded(),
        &push('b'),
        &reviewed(ChangeSet::Failed("no".to_owned())),
        Outcome::Failed,
        "SaveState\nTell + DeleteChangeSet\nMarkTold",
    );
}

#[test]
fn an_ssm_typed_parameter_asks_for_a_review_without_a_guard() {
    let with_ssm =
        with_stack(pushed_b(), |stack| stack.parameters[1].resolved = Some("ami-1".to_owned()));
    let Step::LookAgain(stages) = step(&auto(), &push('b'), &with_ssm) else {
        panic!("it is prepared")
    };
    assert_eq!(names(&stages), "SaveState\nCreateChangeSet\nMarkTold");
}
