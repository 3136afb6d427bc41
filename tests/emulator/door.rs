//! What strangers can cause at the function URL, which is open to everybody: next to nothing. And
//! what of a secret, a link or a person counts there.

mod cost;
mod links;
mod people;
mod secrets;

use serde_json::{Value, json};

use super::image::Image;
use super::world::World;

const LINK_SECRET: &str = "link-secret-7d14-0123456789abcdef0123456789";
pub(super) const HOST: &str = "promoter.example";

/// A request to the function URL, as whoever it is sends it.
pub(super) fn http(method: &str, path: &str, body: &str, is_base64: bool) -> Value {
    json!({
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": { "host": HOST, "content-type": "application/x-www-form-urlencoded" },
        "requestContext": {
            "http": {
                "method": method, "path": path, "sourceIp": "198.51.100.23",
                "userAgent": "curl/8.5.0",
            },
        },
        "body": body,
        "isBase64Encoded": is_base64,
    })
}

pub(super) async fn status(world: &World, event: &Value) -> u64 {
    world.answer(event).await["statusCode"].as_u64().expect("a status")
}

/// People are asked in a mail with a link; its path.
pub(super) async fn asked_by_link(world: &World, image: &Image) -> String {
    world.configure("web", &json!({ "stack": "web" })).await;
    asked_by_link_about(world, image).await
}

/// The same, of an app that is configured to ask.
pub(super) async fn asked_by_link_about(world: &World, image: &Image) -> String {
    world.put_parameter("/ecr-promoter/link-secret", "SecureString", LINK_SECRET).await;
    // Written by hand, without its last slash.
    world.put_parameter("/ecr-promoter/public-url", "String", &format!("https://{HOST}\n")).await;
    world.push(image, &["latest"]).await;
    assert_eq!(world.answer(&world.pushed(image)).await["outcome"], "approval_requested");
    let told = world.told().pop().expect("people are told");
    let forms: Value =
        serde_json::from_str(told["Message"].as_str().expect("a message")).expect("forms");
    let mail = forms["email"].as_str().expect("a mail");
    let link = mail
        .lines()
        .find_map(|line| line.strip_prefix(&format!("https://{HOST}/")))
        .unwrap_or_else(|| panic!("no link in {mail}"));
    format!("/{link}")
}

/// The lines of the log that say what was refused.
fn refusals(world: &World) -> Vec<Value> {
    let lines = world.logs.text();
    let events = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.filter(|event| event["message"] == "refused an HTTP request").collect()
}
