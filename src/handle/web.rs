//! The function URL: which path is whose. A body is never a command, and what is not known is a 4xx.

use http::Method;
use jiff::Timestamp;
use serde_json::Value;
use tracing::{Instrument, info_span};

use super::{approve, slack};
use crate::web::{Request, Response};
use crate::world::World;

/// Answers one HTTP request. Nothing here is a function error: Lambda would not tell the browser why.
pub(super) async fn answer<W: World>(world: &W, raw: &Value, now: Timestamp) -> Response {
    let request = match Request::parse(raw) {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let route = async {
        if let Some(token) = request.path.strip_prefix("/approve/") {
            return match request.method {
                Method::GET | Method::POST => approve::answer(world, &request, token, now).await,
                Method::HEAD => Response { body: String::new(), ..approve::answer(world, &request, token, now).await },
                _ => not_allowed("GET, HEAD, POST"),
            };
        }
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
