//! The rules, one by one. `step` is the only place that calls `decide`.

mod approve;
mod catch_up;
mod change_set;
mod promote;
mod report;
mod rights;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::model::Tag;
use crate::model::answer::Answer;
use crate::model::change_set::{Change, ChangeSet, Changes, Listed, Replacement};
use crate::model::command::{Choice, ImageRef};
use crate::model::image::{Image, MEDIA_TYPES, TagMutability, Tags};
use crate::model::promotion::{End, Update};
use crate::model::report::Reply;
use crate::model::stack::{EventsWanted, Parameter, Stack, StackEvent, StackEvents};
use crate::model::state::{Hold, Running};
use crate::samples::app;
use crate::world::action::Action;
use crate::world::snapshot::{Learned, Version};

const NOW: &str = "2026-03-17T09:41:30Z";

fn auto() -> App {
    app(r#"{"stack":"web","mode":"auto","commit_from":["annotation"],"verify":false}"#)
}

fn asking() -> App {
    app(r#"{"stack":"web","commit_from":["annotation"],"verify":false}"#)
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
            updated_at: None,
            parent: None,
            role: None,
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
    let app = "web".parse().expect("valid");
    Trigger::Command(Command {
        id: "1".to_owned(),
        act: Act::Promote(image),
        app,
        names_repository: false,
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

const PROMOTES: &str = "SaveState + PutTag\nUpdateStack\nTell\nMarkTold";

/// The source tag is on a Helm chart.
fn pushed_chart() -> (Digest, Snapshot) {
    let blob = Digest::of(b"chart");
    let manifest = format!(
        r#"{{"config":{{
            "mediaType":"application/vnd.cncf.helm.config.v1+json","digest":"{blob}"
        }}}}"#
    );
    let digest = Digest::of(manifest.as_bytes());
    let chart =
        Image::parse(&digest, manifest, Some(MEDIA_TYPES[2].to_owned())).expect("a manifest");
    let seen = seen();
    let images = seen.images.clone().into_iter().chain([(digest.clone(), Ok(chart))]).collect();
    (digest.clone(), Snapshot { newest: Some(digest), images, ..seen })
}
