//! The function URL: which path is whose. A body is never a command, and what is not known is a 4xx.

use http::Method;
use jiff::Timestamp;
use serde_json::Value;
use tracing::{Instrument, error, info_span};

use super::{approve, board, slack};
use crate::error::Error;
use crate::link::{Invalid, Purpose, verify};
use crate::page::notice;
use crate::web::{Request, Response};
use crate::world::{Secret, World};

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
        if let Some(rest) = request.path.strip_prefix("/board/") {
            return match board::Route::parse(rest) {
                Some(route) if route.takes(&request.method) => {
                    let answer = board::answer(world, &request, &route, now).await;
                    if request.method == Method::HEAD { Response { body: String::new(), ..answer } } else { answer }
                }
                Some(route) => not_allowed(route.methods()),
                None => Response::text(404, "There is nothing here."),
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

/// What a link is for, and until when, if it is one of ours and not too old.
pub(super) async fn link<W: World, P: Purpose>(world: &W, token: &str, now: Timestamp) -> Result<Result<(P, Timestamp), Invalid>, Error> {
    let secret = world.secret(Secret::Links, false).await?;
    match secret.map(|secret| verify(token, now, &secret)) {
        Some(verified @ (Ok(_) | Err(Invalid::Expired))) => Ok(verified),
        // Perhaps signed with a key that this sandbox has not read yet.
        Some(Err(Invalid::Forged)) | None => {
            let secret = world.secret(Secret::Links, true).await?;
            Ok(secret.map_or(Err(Invalid::Forged), |secret| verify(token, now, &secret)))
        }
    }
}

/// Whether a form came from a page of ours.
pub(super) async fn is_own_form<W: World>(world: &W, request: &Request) -> Result<bool, Error> {
    Ok(request.is_same_origin(None) || request.is_same_origin(world.public_url().await?.as_deref()))
}

/// What a browser is told of our own failures.
pub(super) fn failed(failure: &Error) -> Response {
    error!(%failure, "an HTTP request failed");
    notice(500, "That failed", "Something went wrong on our side; the function's log says what. Nothing is lost: try again.")
}
