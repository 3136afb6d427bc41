//! The guard, and SSM-typed parameters: the update goes out as a change set that was read, or not
//! at all, and none is left.

use serde_json::{Value, json};

use super::cloudformation::{Change, Parameter, Stack};
use super::fault::{At, Fault, PASSING};
use super::image::Image;
use super::journey::for_each;
use super::world::{COMMIT, World};

const CREATE: &str = "cloudformation:CreateChangeSet";
const EXECUTE: &str = "cloudformation:ExecuteChangeSet";
const UPDATE: &str = "cloudformation:UpdateStack";
/// What a promotion changes, as people read it.
const USUAL: [&str; 2] = [
    "Modify AWS::ECS::TaskDefinition TaskDefinition, replacement",
    "Modify AWS::ECS::Service Service",
];

/// A new image, and a guard that lets the usual changes through.
async fn guarded_world() -> Option<(World, Image)> {
    let world = World::new().await?;
    let guard =
        json!({ "allowed_changes": ["AWS::ECS::TaskDefinition:Replacement", "AWS::ECS::Service"] });
    world.configure("web", &json!({ "stack": "web", "mode": "auto", "guard": guard })).await;
    let image = Image::oci("new", COMMIT);
    world.push(&image, &["latest"]).await;
    Some((world, image))
}

/// The stack has an SSM-typed parameter, and what it means in Parameter Store is this by now.
fn add_ssm_parameter(world: &World, resolves_to: Option<&str>) {
    let resolved = Some("ami-0000000a".to_owned());
    let ami = Parameter {
        resolved,
        resolves_to: resolves_to.map(str::to_owned),
        ..Parameter::new("ImageId", "/shop/ami")
    };
    world.stack(|stack| stack.parameters.push(ami));
}

fn change_sets(world: &World) -> Vec<String> {
    world.stack(|stack| stack.change_sets())
}

/// What people read of it.
fn texts(world: &World) -> Vec<String> {
    world
        .told()
        .iter()
        .map(|told| told["Message"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn plan() -> Value {
    json!({ "action": "plan", "repository": "web" })
}

#[tokio::test]
async fn a_guard_that_would_be_broken_stops_the_update_and_every_change_is_listed() {
    let triggers: [fn(&World, &Image) -> Value; 3] = [
        |world, image| world.pushed(image),
        |world, _| world.sns("promote web"),
        |world, image| world.sns(&format!("promote web {}", image.digest())),
    ];
    let expected = [
        USUAL[0],
        USUAL[1],
        "Modify AWS::RDS::DBInstance Database, conditional replacement",
        "Remove AWS::S3::Bucket Uploads",
        "Add AWS::SQS::Queue Jobs",
    ];
    for trigger in triggers {
        let Some((world, image)) = guarded_world().await else { return };
        let other = |action, kind, resource| Change {
            action,
            replacement: None,
            ..Change::modify(kind, resource, "False")
        };
        world.stack(|stack| {
            stack.would_change.extend([
                Change::modify("AWS::RDS::DBInstance", "Database", "Conditional"),
                other("Remove", "AWS::S3::Bucket", "Uploads"),
                other("Add", "AWS::SQS::Queue", "Jobs"),
            ]);
        });
        let before = world.production().await;
        let event = trigger(&world, &image);

        let answer = world.answer(&event).await;

        assert_eq!(
            (&answer["outcome"], &answer["changes"]),
            (&json!("blocked"), &json!(expected)),
            "{event}: {answer}"
        );
        assert_eq!(world.production().await, before, "{event}: nothing that runs has changed");
        assert_eq!(change_sets(&world), [""; 0], "{event}");
        assert_eq!((world.cloud.count(EXECUTE), world.cloud.count(UPDATE)), (0, 0), "{event}");
        assert_eq!(world.told_outcomes(), ["blocked"], "{event}");
        for change in expected {
            assert!(
                texts(&world)[0].contains(change),
                "{event}: {change} is not in {}",
                texts(&world)[0]
            );
        }
        assert_eq!(world.answer(&event).await["outcome"], "blocked", "{event} again");
        assert_eq!(world.told_outcomes(), ["blocked"], "{event}: told once");
    }
}

#[tokio::test]
async fn what_a_guard_blocks_is_not_told_at_each_look_and_goes_out_once_it_is_allowed() {
    let Some((world, image)) = guarded_world().await else { return };
    world.stack(|stack| {
        stack.would_change.push(Change::modify("AWS::RDS::DBInstance", "Database", "True"))
    });
    assert_eq!(world.answer(&world.pushed(&image)).await["outcome"], "blocked");
    for _ in 0..3 {
        let looked = world.answer(&world.event("scheduled.json")).await;
        assert_eq!(looked["results"][0]["outcome"], "blocked", "{looked}");
        assert_eq!(change_sets(&world), [""; 0]);
    }
    assert_eq!(world.told_outcomes(), ["blocked"]);

    // The template is mended.
    world.stack(|stack| stack.would_change.truncate(2));
    let looked = world.answer(&world.event("scheduled.json")).await;

    assert_eq!(looked["results"][0]["outcome"], "promoted", "{looked}");
    world.assert_runs(&image, "mended").await;
}

#[tokio::test]
async fn a_guard_that_holds_is_one_update_and_plan_shows_what_it_changes() {
    for keeps_executed in [false, true] {
        let Some((world, image)) = guarded_world().await else { return };
        world.stack(|stack| stack.keeps_executed = keeps_executed);
        let before = world.production().await;

        let planned = world.answer(&plan()).await;

        assert_eq!(
            (&planned["would"], &planned["changes"]),
            (&json!("promoted"), &json!(USUAL)),
            "{planned}"
        );
        assert_eq!(world.production().await, before, "a plan changes nothing");
        assert_eq!(change_sets(&world), [""; 0], "and leaves nothing");
        assert_eq!(world.told_outcomes(), [""; 0]);

        let answer = world.answer(&world.pushed(&image)).await;

        assert_eq!(
            (&answer["outcome"], &answer["changes"]),
            (&json!("promoted"), &json!(USUAL)),
            "{answer}"
        );
        assert_eq!((world.cloud.count(EXECUTE), world.cloud.count(UPDATE)), (1, 0));
        let again = world.answer(&world.pushed(&image)).await;
        assert_eq!(again["outcome"], "promoted", "while it runs: {again}");
        world.assert_runs(&image, "the guard holds").await;
        let ended = world.answer(&world.stack_changed("web")).await;
        assert_eq!(ended["outcome"], "deployed", "{ended}");
        assert_eq!(world.told_outcomes(), ["promoted", "deployed"]);
        assert_eq!(world.cloud.count(EXECUTE), 1);
        assert_eq!(
            change_sets(&world).len(),
            usize::from(keeps_executed),
            "but for what AWS keeps itself"
        );
    }
}

#[tokio::test]
async fn a_plan_that_a_guard_would_block_says_so_and_leaves_nothing() {
    let Some((world, _)) = guarded_world().await else { return };
    world.stack(|stack| {
        stack.would_change = vec![Change::modify("AWS::RDS::DBInstance", "Database", "True")]
    });
    let before = world.production().await;

    let planned = world.answer(&plan()).await;

    let expected = json!(["Modify AWS::RDS::DBInstance Database, replacement"]);
    assert_eq!(
        (&planned["would"], &planned["changes"]),
        (&json!("blocked"), &expected),
        "{planned}"
    );
    assert_eq!(world.production().await, before);
    assert_eq!((change_sets(&world), world.told_outcomes()), (vec![], vec![]));
}

#[tokio::test]
async fn what_changes_inside_nested_stacks_is_read_and_judged() {
    let Some((world, image)) = guarded_world().await else { return };
    let table = |n: u32| Change::modify("AWS::DynamoDB::Table", &format!("Table{n}"), "False");
    let inner = Change::nested_stack(
        "Inner",
        vec![Change::modify("AWS::RDS::DBInstance", "Database", "True")],
    );
    let nested = Change::nested_stack("Data", vec![table(1), table(2), table(3), inner]);
    world.stack(|stack| stack.would_change.push(nested));
    let before = world.production().await;

    let answer = world.answer(&world.pushed(&image)).await;

    assert_eq!(answer["outcome"], "blocked", "{answer}");
    let mut listed: Vec<&str> =
        answer["changes"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    listed.sort_unstable();
    let mut expected: Vec<String> = USUAL.map(str::to_owned).to_vec();
    expected.extend(
        (1..=3).map(|n| format!("Modify AWS::DynamoDB::Table Table{n}, in nested stack Data")),
    );
    expected.push(
        "Modify AWS::RDS::DBInstance Database, replacement, in nested stack Data/Inner".to_owned(),
    );
    expected.sort();
    assert_eq!(listed, expected);
    assert_eq!(world.production().await, before);
    assert_eq!(change_sets(&world), [""; 0]);
}

#[tokio::test]
async fn a_nested_stack_in_which_only_allowed_things_change_is_no_hindrance() {
    let Some((world, image)) = guarded_world().await else { return };
    world.stack(|stack| {
        stack.would_change = vec![Change::nested_stack("Services", stack.would_change.clone())]
    });

    let answer = world.answer(&world.pushed(&image)).await;

    let expected = USUAL.map(|change| format!("{change}, in nested stack Services"));
    assert_eq!(
        (&answer["outcome"], &answer["changes"]),
        (&json!("promoted"), &json!(expected)),
        "{answer}"
    );
    world.assert_runs(&image, "nested").await;
}

/// Longer than one look waits for it.
#[tokio::test]
async fn a_change_set_that_is_long_in_the_making_is_left_to_the_schedule() {
    let Some((world, image)) = guarded_world().await else { return };
    world.stack(|stack| stack.pending_describes = usize::MAX);

    let answer = world.answer(&world.pushed(&image)).await;

    assert_eq!(answer["outcome"], "queued", "{answer}");
    assert_eq!((world.updates(), change_sets(&world).len(), world.cloud.count(CREATE)), (0, 1, 1));
    assert_eq!(world.told_outcomes(), ["queued"]);

    world.stack(|stack| stack.finish_change_sets());
    let looked = world.answer(&json!({ "action": "reconcile", "only_open_work": true })).await;

    assert_eq!(looked["results"][0]["outcome"], "promoted", "{looked}");
    assert_eq!(
        (world.cloud.count(CREATE), world.cloud.count(EXECUTE)),
        (1, 1),
        "the same change set"
    );
    world.assert_runs(&image, "the tick").await;
    assert_eq!(change_sets(&world), [""; 0]);
}

#[tokio::test]
async fn a_change_set_of_a_moment_is_waited_for() {
    let Some((world, image)) = guarded_world().await else { return };
    world.stack(|stack| stack.pending_describes = 3);

    assert_eq!(world.answer(&world.pushed(&image)).await["outcome"], "promoted");

    world.assert_runs(&image, "a moment later").await;
}

#[tokio::test]
async fn an_ssm_typed_parameter_that_would_resolve_to_something_new_blocks_without_a_guard() {
    let Some((world, image)) = guarded_world().await else { return };
    world.configure("web", &json!({ "stack": "web", "mode": "auto" })).await;
    add_ssm_parameter(&world, Some("ami-0000000b"));
    world.stack(|stack| {
        stack
            .would_change
            .push(Change::modify("AWS::EC2::Instance", "Builder", "True").caused_by("ImageId"))
    });
    let before = world.production().await;

    let answer = world.answer(&world.pushed(&image)).await;

    assert_eq!(answer["outcome"], "blocked", "{answer}");
    assert!(answer["reason"].as_str().is_some_and(|reason| reason.contains("ImageId")), "{answer}");
    assert_eq!(world.production().await, before);
    assert_eq!((world.cloud.count(EXECUTE), world.cloud.count(UPDATE)), (0, 0));
    assert_eq!(change_sets(&world), [""; 0]);
    let [text] = &texts(&world)[..] else { panic!("told once: {:?}", texts(&world)) };
    assert!(text.contains("ImageId"), "{text}");
}

#[tokio::test]
async fn after_a_cdk_bootstrap_a_promotion_and_a_rollback_go_as_before() {
    let Some((world, image)) = guarded_world().await else { return };
    world.configure("web", &json!({ "stack": "web", "mode": "auto" })).await;
    // Every CDK stack has it, and nothing in the stack depends on it.
    let version = Parameter {
        resolved: Some("20".to_owned()),
        resolves_to: Some("21".to_owned()),
        ..Parameter::new("BootstrapVersion", "/cdk")
    };
    world.stack(|stack| stack.parameters.push(version));
    assert_eq!(world.answer(&world.pushed(&image)).await["outcome"], "promoted");
    world.stack(Stack::finish_update);
    // A rollback goes back even where it would change something.
    world.stack(|stack| {
        stack.would_change.push(
            Change::modify("AWS::EC2::Instance", "Builder", "True").caused_by("BootstrapVersion"),
        )
    });
    let again = |parameter: &mut Parameter| parameter.resolves_to = Some("22".to_owned());
    world.stack(|stack| {
        stack
            .parameters
            .iter_mut()
            .filter(|parameter| parameter.key == "BootstrapVersion")
            .for_each(again)
    });
    assert_eq!(world.answer(&world.sns("rollback web")).await["outcome"], "promoted");
}

#[tokio::test]
async fn an_ssm_typed_parameter_that_stays_lets_the_promotion_through() {
    let Some((world, image)) = guarded_world().await else { return };
    world.configure("web", &json!({ "stack": "web", "mode": "auto" })).await;
    add_ssm_parameter(&world, None);

    assert_eq!(world.answer(&world.pushed(&image)).await["outcome"], "promoted");

    assert_eq!(
        (world.cloud.count(EXECUTE), world.cloud.count(UPDATE)),
        (1, 0),
        "by a change set that was read"
    );
    world.assert_runs(&image, "it stays").await;
}

#[tokio::test]
async fn change_sets_of_people_are_named_when_they_are_lost_and_only_then() {
    let names = ["add-a-cache", "bigger-database", "try-arm"];
    let Some((world, image)) = guarded_world().await else { return };
    names.iter().for_each(|name| world.stack(|stack| stack.add_foreign_change_set(name)));
    world.answer(&plan()).await;
    world.stack(|stack| {
        stack.would_change.push(Change::modify("AWS::RDS::DBInstance", "Database", "True"))
    });
    assert_eq!(world.answer(&world.pushed(&image)).await["outcome"], "blocked");
    assert_eq!(change_sets(&world), names, "neither a plan nor a blocked promotion deletes them");
    world.stack(|stack| stack.would_change.truncate(2));

    let answer = world.answer(&world.pushed(&image)).await;

    assert_eq!(answer["outcome"], "promoted", "{answer}");
    let texts = texts(&world);
    for name in names {
        assert!(
            answer["reason"].as_str().is_some_and(|reason| reason.contains(name)),
            "{name}: {answer}"
        );
        assert!(texts.last().is_some_and(|text| text.contains(name)), "{name} is not in {texts:?}");
    }
    world.assert_runs(&image, "promoted").await;
}

#[tokio::test]
async fn a_template_that_does_not_see_the_parameter_is_a_failure_that_is_told() {
    let Some((world, image)) = guarded_world().await else { return };
    world.stack(|stack| stack.would_change.clear());

    let answer = world.answer(&world.pushed(&image)).await;

    assert_eq!(answer["outcome"], "failed", "{answer}");
    assert_eq!((world.updates(), change_sets(&world)), (0, vec![]));
    assert_eq!(world.told_outcomes(), ["failed"]);
}

/// Its process died with the change set made, and the stack is another by then.
#[tokio::test]
async fn a_change_set_that_became_obsolete_is_made_anew() {
    let Some((world, image)) = guarded_world().await else { return };
    world.cloud.fault(At::first(CREATE), Fault::Killed);
    let request_id = world.unused_id();
    world.invoke_as(&request_id, &world.pushed(&image)).await.expect_err("the process dies");
    world.stack(|stack| stack.update_by_somebody_else("DesiredCount", "5"));
    assert_eq!(change_sets(&world).len(), 1);

    let answer = world.invoke_as(&request_id, &world.pushed(&image)).await.expect("no error");

    assert_eq!(answer["outcome"], "promoted", "{answer}");
    assert_eq!(world.cloud.count(EXECUTE), 1);
    world.settle().await;
    world.assert_in_production(&image).await;
    assert_eq!(world.stack(|stack| stack.value("DesiredCount").to_owned()), "5", "theirs stays");
    assert_eq!((world.updates(), change_sets(&world)), (2, vec![]), "theirs and ours");
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Promoted,
    Blocked,
    Planned,
}

/// A guarded world in which the event comes to this end when nothing goes wrong.
async fn world_that_ends(end: End) -> Option<(World, Image, Value)> {
    let (world, image) = guarded_world().await?;
    if end == End::Blocked {
        world.stack(|stack| {
            stack.would_change.push(Change::modify("AWS::RDS::DBInstance", "Database", "True"))
        });
    }
    let event = if end == End::Planned { plan() } else { world.pushed(&image) };
    Some((world, image, event))
}

async fn calls_of(end: End) -> Option<Vec<(String, usize)>> {
    let (world, _, event) = world_that_ends(end).await?;
    world.answer(&event).await;
    Some(world.cloud.calls().into_iter().map(|call| (call.op, call.nth)).collect())
}

#[tokio::test]
async fn a_process_that_dies_at_any_call_leaves_one_update_and_no_change_set() {
    let mut cases = vec![];
    for end in [End::Promoted, End::Blocked, End::Planned] {
        let Some(calls) = calls_of(end).await else { return };
        assert!(calls.iter().any(|(op, _)| op == CREATE), "{calls:?}");
        cases.extend(calls.into_iter().map(|(op, nth)| (end, At::Nth(op, nth), Fault::Killed)));
    }
    for_each(cases, async |(end, at, fault)| go_wrong(end, at, fault).await).await;
}

#[tokio::test]
async fn a_change_set_call_that_fails_once_stops_nothing() {
    let mut cases = vec![];
    for end in [End::Promoted, End::Blocked, End::Planned] {
        let Some(mut calls) = calls_of(end).await else { return };
        calls.retain(|(op, _)| op.contains("ChangeSet"));
        for (op, nth) in calls {
            cases.extend(PASSING.map(|fault| (end, At::Nth(op.clone(), nth), fault)));
        }
    }
    for_each(cases, async |(end, at, fault)| go_wrong(end, at, fault).await).await;
}

async fn go_wrong(end: End, at: At, fault: Fault) {
    let case = format!("{end:?}, {at:?} {fault:?}");
    let Some((world, image, event)) = world_that_ends(end).await else { return };
    world.cloud.fault(at, fault.clone());

    let answer = world.deliver(&event).await.unwrap_or_else(|e| panic!("{case}: {}", e.message));

    assert_eq!(world.cloud.fired(), 1, "{case}: nothing went wrong");
    match end {
        End::Promoted => {
            assert_eq!(answer["outcome"], "promoted", "{case}: {answer}");
            world.assert_runs(&image, &case).await;
        }
        End::Blocked => assert_eq!(
            (&answer["outcome"], world.updates()),
            (&json!("blocked"), 0),
            "{case}: {answer}"
        ),
        End::Planned => assert_eq!(
            (&answer["would"], world.updates()),
            (&json!("promoted"), 0),
            "{case}: {answer}"
        ),
    }
    world.answer(&json!({ "action": "reconcile", "only_open_work": true })).await;
    assert_eq!(change_sets(&world), [""; 0], "{case}");
}
