//! People in Slack: asked once, decide by a click that is signed, and see in the same message how
//! it ended. Whoever else calls the function URL gets a 4xx and changes nothing.

mod people;
mod secrets;
mod several_processes;
mod trouble;
mod turned_away;

use serde_json::Value;

use super::fake_slack::Message;
use super::image::Image;
use super::slack_request::{Click, slash};
use super::world::{COMMIT, World};

const INTERACTIONS: &str = "/slack/interactions";

/// An image waits for approval, and people were asked in Slack; `approval` is merged into the
/// configuration.
pub(super) async fn asked(approval: Value) -> Option<(World, Image)> {
    let world = World::new().await?;
    world.configure_slack(approval).await;
    let image = Image::oci("new", COMMIT);
    push(&world, &image).await;
    Some((world, image))
}

/// Pushed, and its event delivered.
async fn push(world: &World, image: &Image) -> Value {
    world.push(image, &["latest"]).await;
    world.answer(&world.pushed(image)).await
}

/// The newest message in the channel.
fn newest(world: &World) -> Message {
    world.slack.messages().pop().expect("a message in the channel")
}

/// A click on that button of that message; the status that Slack gets.
async fn click(world: &World, user: &str, button: &str, message: &Message) -> Value {
    let event = Click::new(world, user, button, &message.button(button)).event(world);
    world.answer(&event).await["statusCode"].clone()
}

/// A click on a button that the message had.
async fn click_on(world: &World, user: &str, button: &str, request: &str) -> Value {
    world.answer(&Click::new(world, user, button, request).event(world)).await["statusCode"].clone()
}

/// What a slash command answers to whoever wrote it.
async fn say(world: &World, user: &str, text: &str) -> String {
    let answer = world.answer(&slash(world, user, text)).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let body: Value =
        serde_json::from_str(answer["body"].as_str().unwrap_or_default()).expect("JSON");
    assert_eq!(body["response_type"], "ephemeral");
    body["text"].as_str().unwrap_or_default().to_owned()
}

/// The stack's event.
async fn stack_changed(world: &World) -> Value {
    world.answer(&world.event("cfn-update-complete.json")).await
}
