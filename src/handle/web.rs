//! The function URL: which path is whose. A body is never a command, and what is not known is a 4xx.

use http::Method;
use jiff::Timestamp;
use serde_json::Value;
use tracing::{Instrument, info_span};

use super::slack;
use crate::web::{Request, Response};
use crate::world::World;

/// Answers one HTTP request. Nothing here is a function error: Lambda would not tell the browser why.
pub(super) async fn answer<W: World>(world: &W, raw: &Value, now: Timestamp) -> Response {
    let request = match Request::parse(raw) {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let route = async {
        match request.path.as_str() {
            "/slack/interactions" if request.method == Method::POST => slack::interaction(world, &request, now).await,
            "/slack/commands" if request.method == Method::POST => slack::command(world, &request, now).await,
            "/slack/interactions" | "/slack/commands" => not_allowed("POST"),
            _ => Response::text(404, "There is nothing here."),
        }
    };
    route.instrument(info_span!("http")).await
}

fn not_allowed(allow: &str) -> Response {
    let mut response = Response::text(405, "This method is not for this address.");
    response.headers.push(("allow", allow.to_owned()));
    response
}
