//! What the pages share: verifies links and forms, and answers those that are not valid.

use std::time::Duration;

use jiff::Timestamp;
use tracing::error;

use crate::error::Error;
use crate::function_url::{Request, Response};
use crate::link::{Claim, Invalid, Purpose};
use crate::model::command::Trace;
use crate::page;
use crate::page::frame::Place;
use crate::page::notice::WayOn;
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

/// A page of a few sentences. It says which environment this is, and nothing about any app.
pub(super) fn notice<W: Web>(
    world: &W,
    status: u16,
    words: (&str, &str),
    way_on: WayOn,
) -> Response {
    let environment = world.environment();
    let place = Place::without_account(environment.as_deref());
    page::notice::notice(status, &place, world.now(), words, way_on)
}

/// The answer to an address that does not exist.
pub(super) fn not_found<W: Web>(world: &W) -> Response {
    let words = "The address is incomplete, or the app was removed. Mail programs sometimes cut \
                 long links: copy it whole.";
    notice(world, 404, ("Not found: there is no such page", words), WayOn::FreshLink)
        .because("there is no such address")
}

/// The answer to a link that is not valid.
pub(super) fn forged<W: Web>(world: &W) -> Response {
    let words = "This link is not valid. Mail programs sometimes cut long links: copy it whole.";
    notice(world, 404, ("Not found", words), WayOn::FreshLink).because("the link is not valid")
}

/// The answer to a link that is too old.
pub(super) fn expired<W: Web>(world: &W, words: &str) -> Response {
    notice(world, 410, ("This link has expired", words), WayOn::FreshLink)
        .because("the link is too old")
}

/// The answer to a request that a page of this function does not make.
pub(super) fn bad<W: Web>(world: &W, words: &str) -> Response {
    notice(world, 400, ("Not a valid request", words), WayOn::TryAgain)
}

/// The answer to a form that another site's page sent.
pub(super) fn foreign_form<W: Web>(world: &W) -> Response {
    let words = "This form was not sent from its own page.";
    notice(world, 403, ("Form not accepted", words), WayOn::TryAgain)
        .because("the form was sent from another site")
}

/// The answer when this function itself failed.
pub(super) fn failed<W: Web>(world: &W, failure: &Error) -> Response {
    error!(%failure, "an HTTP request failed");
    let words = "The function had an error. Its log says which one. Nothing is lost: try again.";
    notice(world, 500, ("Something went wrong", words), WayOn::TryAgain)
}
