//! The function URL: which file answers which path. A body is never a command, and an unknown
//! address is a 4xx. Refused requests are counted and logged with their network address, and with
//! nothing else that their sender chose.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use http::Method;
use jiff::Timestamp;
use serde_json::Value;
use tracing::{Instrument, error, info_span, warn};

use super::{approve, board, slack};
use crate::error::Error;
use crate::event::command::Trace;
use crate::link::{Claim, Invalid, Purpose};
use crate::page::notice;
use crate::web::{Request, Response};
use crate::world::World;

/// How many requests this sandbox has refused.
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// Answers one HTTP request. Nothing here is a function error: Lambda would not tell the browser
/// why.
pub(super) async fn answer<W: World>(world: &W, raw: &Value, now: Timestamp) -> Response {
    let request = match Request::parse(raw) {
        Ok(request) => request,
        Err(refused) => {
            log_refusal(Request::address_of(raw), None, &refused);
            return refused;
        }
    };
    let answer = route(world, &request, now).instrument(info_span!("http")).await;
    if answer.is_refusal() {
        log_refusal(request.address, Some(&request.method), &answer);
    }
    if request.method == Method::HEAD { Response { body: String::new(), ..answer } } else { answer }
}

async fn route<W: World>(world: &W, request: &Request, now: Timestamp) -> Response {
    if let Some(token) = request.path.strip_prefix("/approve/") {
        return match request.method {
            Method::GET | Method::HEAD | Method::POST => {
                approve::answer(world, request, token, now).await
            }
            _ => not_allowed("GET, HEAD, POST"),
        };
    }
    if let Some(rest) = request.path.strip_prefix("/board/") {
        return match board::Route::parse(rest) {
            Some(route) if route.takes(&request.method) => {
                board::answer(world, request, &route, now).await
            }
            Some(route) => not_allowed(route.methods()),
            None => not_found(),
        };
    }
    match request.path.as_str() {
        "/slack/interactions" | "/slack/commands" if slack::is_ssl_check(request) => Response::ok(),
        "/slack/interactions" if request.method == Method::POST => {
            slack::interaction(world, request, now).await
        }
        "/slack/commands" if request.method == Method::POST => {
            slack::command(world, request, now).await
        }
        "/slack/interactions" | "/slack/commands" => not_allowed("POST"),
        _ => not_found(),
    }
}

fn not_found() -> Response {
    Response::text(404, "Not found.").because("there is no such address")
}

fn not_allowed(allow: &str) -> Response {
    let mut response = Response::text(405, "This method is not for this address.")
        .because("the method is not for this address");
    response.headers.push(("allow", allow.to_owned()));
    response
}

/// Logs a line for each refused request. Its path, headers and body are left out, since any of them
/// may hold a secret.
fn log_refusal(address: Option<IpAddr>, method: Option<&Method>, answer: &Response) {
    let refused = REFUSED.fetch_add(1, Ordering::Relaxed) + 1;
    let address = address.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
    let method = method.map_or("unknown", Method::as_str);
    let why = answer.why.unwrap_or("the request is not one that this address takes");
    warn!(address, method, status = answer.status, why, refused, "refused an HTTP request");
}

/// Returns what a link is for and until when, if this function made it and it is not too old.
pub(super) async fn link<W: World, P: Purpose>(
    world: &W,
    token: &str,
    now: Timestamp,
) -> Result<Result<(P, Timestamp), Invalid>, Error> {
    let claim = match Claim::parse(token, now) {
        Ok(claim) => claim,
        Err(invalid) => return Ok(Err(invalid)),
    };
    let signer = world.signer().await?;
    Ok(signer.map_or(Err(Invalid::Forged), |signer| claim.verify(&signer)))
}

/// Whether a form came from a page of ours.
pub(super) async fn is_own_form<W: World>(world: &W, request: &Request) -> Result<bool, Error> {
    Ok(request.is_same_origin(None)
        || request.is_same_origin(world.public_url().await?.as_ref().map(|url| url.as_str())))
}

/// Where a request came from: kept with the decision that it makes.
pub(super) fn trace(request: &Request) -> Trace {
    Trace {
        address: request.address.map(|address| address.to_string()),
        agent: request.agent.clone(),
    }
}

/// The answer to a link that is not valid.
pub(super) fn forged() -> Response {
    notice(404, "Not found", "This link is not valid.").because("the link is not valid")
}

/// The answer to a form that another site's page sent.
pub(super) fn foreign_form() -> Response {
    notice(403, "Not from here", "This form was sent from another page than its own.")
        .because("the form was sent from another site")
}

/// The answer where this function itself failed.
pub(super) fn failed(failure: &Error) -> Response {
    error!(%failure, "an HTTP request failed");
    notice(
        500,
        "That failed",
        "Something went wrong on our side; the function's log says what. Nothing is lost: try \
         again.",
    )
}
