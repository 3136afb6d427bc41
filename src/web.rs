//! The function URL: which file answers which path. A body is never a command, and an unknown
//! address is a 4xx. Refused requests are counted and logged with their network address, but with
//! nothing that the sender could choose.

mod access;
mod approve;
mod board;
pub mod board_link;
mod notes;
pub mod places;
mod slack;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use http::Method;
use jiff::Timestamp;
use serde_json::Value;
use tracing::{Instrument, info_span, warn};

use crate::function_url::{Request, Response};
use crate::model::measure::Measure;
use crate::world::Web;

/// How many requests this sandbox has refused.
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// Answers one HTTP request. No failure here becomes a function error, because Lambda would not
/// show the browser the reason.
pub async fn answer<W: Web>(world: &W, raw: &Value, now: Timestamp) -> Response {
    let request = match Request::parse(raw) {
        Ok(request) => request,
        Err(refused) => {
            log_refusal(world, Request::address_of(raw), None, &refused);
            return refused;
        }
    };
    let answer = route(world, &request, now).instrument(info_span!("http")).await;
    if answer.is_refusal() {
        log_refusal(world, request.address, Some(&request.method), &answer);
    }
    if request.method == Method::HEAD { Response { body: String::new(), ..answer } } else { answer }
}

async fn route<W: Web>(world: &W, request: &Request, now: Timestamp) -> Response {
    if let Some(token) = request.path.strip_prefix("/approve/") {
        return match request.method {
            Method::GET | Method::HEAD | Method::POST => {
                approve::answer(world, request, token, now).await
            }
            _ => not_allowed("GET, HEAD, POST"),
        };
    }
    if let Some(rest) = request.path.strip_prefix("/board/") {
        return match board::route::Route::parse(rest) {
            Some(route) if route.takes(&request.method) => {
                board::answer(world, request, &route, now).await
            }
            Some(route) => not_allowed(route.methods()),
            None => access::not_found(world),
        };
    }
    match request.path.as_str() {
        "/slack/interactions" | "/slack/commands" if slack::admission::is_ssl_check(request) => {
            Response::ok()
        }
        "/slack/interactions" if request.method == Method::POST => {
            slack::click::answer(world, request, now).await
        }
        "/slack/commands" if request.method == Method::POST => {
            slack::command::answer(world, request, now).await
        }
        "/slack/interactions" | "/slack/commands" => not_allowed("POST"),
        _ => access::not_found(world),
    }
}

fn not_allowed(allow: &str) -> Response {
    let mut response = Response::text(405, "This address does not accept this method.")
        .because("the address does not accept this method");
    response.headers.push(("allow", allow.to_owned()));
    response
}

/// Logs a line for each refused request. Its path, headers and body are left out, since any of them
/// may hold a secret.
fn log_refusal<W: Web>(
    world: &W,
    address: Option<IpAddr>,
    method: Option<&Method>,
    answer: &Response,
) {
    world.measure(&Measure::RefusedRequest);
    let refused = REFUSED.fetch_add(1, Ordering::Relaxed) + 1;
    let address = address.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
    let method = method.map_or("unknown", Method::as_str);
    let why = answer.why.unwrap_or("the address does not accept this request");
    warn!(address, method, status = answer.status, why, refused, "refused an HTTP request");
}
