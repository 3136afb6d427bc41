//! Many apps on one board, in all states.

use ecr_promoter::model::Digest;
use ecr_promoter::model::answer::Outcome;
use ecr_promoter::model::notes::CommitNote;
use ecr_promoter::model::soaking::{SeenStage, Soaking};
use ecr_promoter::model::state::{Hold, Running, State, Waiting};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::world::Memory;

/// Adds this many apps to the one that is there. Of ten, one is blocked, one queued, one held and
/// one never looked at; the others run.
pub(crate) fn add_apps(world: &Memory, count: usize) {
    let now = world.get().now;
    for number in 0..count {
        let name = format!("team/service-{number:03}");
        let mut state = running(&name, number, now - SignedDuration::from_hours(5));
        match number % 10 {
            0 => state.waiting = Some(waits(now, Outcome::Blocked, "the stack must be mended")),
            1 => state.waiting = Some(waits(now, Outcome::Queued, "the stack is busy")),
            2 => {
                let reason = "release freeze until Monday".to_owned();
                state.hold = Some(Hold { by: "dora".to_owned(), at: now, reason });
            }
            _ => {}
        }
        let state = (number % 10 != 3).then_some(state);
        let config = json!({ "stack": name.replace('/', "-") });
        world.get_mut().others.insert(name.parse().expect("a name"), (config, state));
    }
}

/// Adds this many repositories with three stages each. Of four, one has an image that soaks, one is
/// blocked in its second stage, and two run the same image in all stages.
pub(crate) fn add_groups(world: &Memory, count: usize) {
    let now = world.get().now;
    for number in 0..count {
        let repository = format!("team/shop-{number:03}");
        let name = |stage: &str| format!("{repository}-{stage}");
        for (stage, after) in [("staging", None), ("us", Some("staging")), ("eu", Some("us"))] {
            let image = if number % 4 < 2 && after.is_none() { 1_000 + number } else { number };
            let mut state = running(&repository, image, now - SignedDuration::from_hours(5));
            state.stack = name(stage).replace('/', "-");
            match (stage, number % 4) {
                ("us", 0) => state.stage = Some(soaks(&name("staging"), 1_000 + number, now)),
                ("us", 1) => state.waiting = Some(waits(now, Outcome::Blocked, "mend the stack")),
                _ => {}
            }
            let mut config = json!({ "repository": repository, "stack": state.stack });
            if let Some(after) = after {
                config["after"] = json!({ "app": name(after), "soak_minutes": 60 });
            }
            let name = name(stage).parse().expect("a name");
            world.get_mut().others.insert(name, (config, Some(state)));
        }
    }
}

fn soaks(after: &str, number: usize, now: Timestamp) -> SeenStage {
    let soaking = Soaking {
        digest: Digest::of(commit(number).as_bytes()),
        commit: commit(number).parse().ok(),
        until: now + SignedDuration::from_mins(40),
        is_baking: false,
    };
    SeenStage { after: after.parse().expect("a name"), ended: 1, soaking: Some(soaking) }
}

fn commit(number: usize) -> String {
    format!("{:07x}{:033x}", 0xabc_d000 + number * 0x1357, number)
}

fn running(name: &str, number: usize, since: Timestamp) -> State {
    let commit = commit(number);
    State {
        running: Some(Running {
            tag: format!("production_{commit}"),
            digest: Some(Digest::of(commit.as_bytes())),
            note: Some(CommitNote {
                commit: commit.parse().ok(),
                subject: Some(format!("Change number {number}, in words that fill a line or more")),
                author: Some("alice".to_owned()),
                at: Some(since),
                url: None,
            }),
            commit: commit.parse().ok(),
            since: Some(since),
            by: "push of `latest`".to_owned(),
        }),
        ..State::new(&name.replace('/', "-"), "ProductionTag")
    }
}

fn waits(since: Timestamp, outcome: Outcome, reason: &str) -> Waiting {
    Waiting { since, outcome, reason: reason.to_owned() }
}
