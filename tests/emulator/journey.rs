//! What the crash and fault tests do again and again: a trigger, the calls that it leads to when
//! nothing goes wrong, and how it has to end when something did.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};

use super::cloud::Call;
use super::image::Image;
use super::lambda::FunctionError;
use super::world::{COMMIT, World};

/// Long enough that calls which do not wait for each other overlap, on a busy machine too.
pub(crate) const DELAY: Duration = Duration::from_millis(60);

#[derive(Debug, Clone, Copy)]
pub(crate) enum Trigger {
    /// A push in `auto` mode.
    Push,
    /// `promote web` by SNS.
    Command,
    /// A push in `approval` mode.
    PushThatAsks,
}

pub(crate) const TRIGGERS: [Trigger; 3] = [Trigger::Push, Trigger::Command, Trigger::PushThatAsks];

pub(crate) struct Journey {
    pub(crate) world: World,
    pub(crate) image: Image,
    pub(crate) event: Value,
    trigger: Trigger,
}

impl Journey {
    /// The moment before the trigger: the image was pushed. Its commit is in the config, which
    /// takes the most calls.
    pub(crate) async fn prepare(trigger: Trigger) -> Option<Journey> {
        let world = World::new().await?;
        let image = Image::oci_without_media_type("new", COMMIT);
        world.push(&image, &["latest"]).await;
        if !matches!(trigger, Trigger::Push) {
            world.configure("web", &json!({ "stack": "web" })).await;
        }
        let event = match trigger {
            Trigger::Push | Trigger::PushThatAsks => world.pushed(&image),
            Trigger::Command => world.sns("promote web"),
        };
        Some(Journey { world, image, event, trigger })
    }

    /// The calls of a cold process where nothing goes wrong, slowed down to show which are side by
    /// side.
    pub(crate) async fn trace(trigger: Trigger) -> Option<Vec<Call>> {
        let journey = Journey::prepare(trigger).await?;
        journey.world.cloud.slow_down(DELAY);
        journey.world.answer(&journey.event).await;
        let calls = journey.world.cloud.calls();
        assert!(calls.len() > 4, "{trigger:?} leads to calls: {:?}", journey.world.cloud.ops());
        Some(calls)
    }

    /// Whatever went wrong: the image runs by one update under one tag (or was asked for, and
    /// nothing else), and people know.
    pub(crate) async fn assert_ended_right(
        &self,
        outcome: Result<Value, FunctionError>,
        case: &str,
    ) {
        let answer = outcome.unwrap_or_else(|e| panic!("{case}: {}", e.message));
        if matches!(self.trigger, Trigger::PushThatAsks) {
            assert_eq!(answer["outcome"], "approval_requested", "{case}: {answer}");
            assert_eq!(self.world.updates(), 0, "{case}");
            assert_eq!(self.world.tags(&self.image).await, ["latest"], "{case}");
        } else {
            let outcome = answer["outcome"].as_str().unwrap_or_default();
            assert!(["promoted", "deployed", "unchanged"].contains(&outcome), "{case}: {answer}");
            self.world.assert_runs(&self.image, case).await;
        }
        self.assert_token_was_kept_first(case);
        let told: Vec<String> = self.world.told().iter().map(Value::to_string).collect();
        assert!(
            told.iter().any(|message| message.contains(COMMIT)),
            "{case}: people were told of it: {told:?}"
        );
    }

    /// All tries of one promotion carry one token, which was in the state before the first was
    /// sent.
    fn assert_token_was_kept_first(&self, case: &str) {
        let calls = self.world.cloud.calls();
        let updates: Vec<&Call> =
            calls.iter().filter(|call| call.op == "cloudformation:UpdateStack").collect();
        let Some(token) =
            updates.first().and_then(|first| first.body["ClientRequestToken"].as_str())
        else {
            return;
        };
        for update in &updates {
            assert_eq!(
                update.body["ClientRequestToken"], token,
                "{case}: one promotion, one token"
            );
        }
        let kept = |call: &Call| {
            let is_write =
                ["dynamodb:PutItem", "dynamodb:TransactWriteItems"].contains(&call.op.as_str());
            is_write
                && call.carried_out
                && call.answered < Some(updates[0].arrived)
                && call.body.to_string().contains(token)
        };
        assert!(
            calls.iter().any(kept),
            "{case}: the token was not in the state when the update was sent"
        );
    }
}

/// Runs the cases a few at a time: most of their time is waiting for the SDK's own retries.
pub(crate) async fn for_each<T>(cases: Vec<T>, run: impl AsyncFn(T)) {
    assert!(!cases.is_empty(), "no cases");
    futures_util::stream::iter(cases).for_each_concurrent(8, |case| run(case)).await;
}

/// Runs all cases at once: they only wait.
pub(crate) async fn at_once<T>(cases: Vec<T>, run: impl AsyncFn(T)) {
    assert!(!cases.is_empty(), "no cases");
    futures_util::stream::iter(cases).for_each_concurrent(None, |case| run(case)).await;
}
