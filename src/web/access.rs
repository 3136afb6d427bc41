//! What the pages share: verifies links and forms, and answers those that are not valid.

use std::time::Duration;

use jiff::Timestamp;
use tracing::error;

use crate::error::Error;
use crate::function_url::{Request, Response};
use crate::link::{Claim, Invalid, Purpose};
use crate::model::command::Trace;
use crate::page::notice;
use crate::world::Web;

/// How long a page may take. A browser waits longer than Slack does, but not for ever; the schedule
/// finishes what takes longer.
pub(super) const BUDGET: Duration = Duration::from_secs(20);

/// Returns what a link is for and until when, if this function made it and it is not too old.
pub(super) async fn link<W: Web, P: Purpose>(
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

/// Whether a form was sent from a page of this function.
pub(super) async fn is_own_form<W: Web>(world: &W, request: &Request) -> Result<bool, Error> {
    Ok(request.is_same_origin(None)
        || request.is_same_origin(world.public_url().await?.as_ref().map(|url| url.as_str())))
}

/// Where a request came from. It is stored with the decision.
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
    notice(403, "Form not accepted", "This form was not sent from its own page.")
        .because("the form was sent from another site")
}

/// The answer when this function itself failed.
pub(super) fn failed(failure: &Error) -> Response {
    error!(%failure, "an HTTP request failed");
    notice(
        500,
        "Something went wrong",
        "The function had an error. Its log says which one. Nothing is lost: try again.",
    )
}
