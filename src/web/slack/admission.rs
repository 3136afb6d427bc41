//! Who may come in: Slack's signature, the sender's team, and the answers to everybody else.

use http::Method;
use jiff::Timestamp;
use tracing::error;

use crate::error::Error;
use crate::function_url::{Request, Response};
use crate::model::command::Standing;
use crate::model::config::App;
use crate::settings::Secret;
use crate::slack::signature::signed;
use crate::slack::team;
use crate::world::Web;

/// The longest form of a certificate check, which has two short fields.
const LONGEST_CHECK: usize = 4 * 1024;
/// The answer when nobody's right can be checked.
pub(super) const UNKNOWN_TEAM: &str = "Nothing was done. Slack did not say in time which team this \
                                       app is installed in, so nobody's rights could be checked. \
                                       Try again in a few seconds. If it happens again, the \
                                       function's log says why.";

/// Whether this is Slack's check of the certificate. It has no signature and expects just a 200.
/// <https://docs.slack.dev/interactivity/implementing-slash-commands/>
pub(crate) fn is_ssl_check(request: &Request) -> bool {
    let is_check = |form: &[u8]| {
        let mut checks = form_urlencoded::parse(form).filter(|(name, _)| name == "ssl_check");
        form.len() <= LONGEST_CHECK
            && checks.next().is_some_and(|(_, value)| value == "1")
            && checks.next().is_none()
    };
    match request.method {
        Method::POST => is_check(&request.body),
        Method::GET | Method::HEAD => is_check(request.query.as_bytes()),
        _ => false,
    }
}

/// Checks that Slack signed the request. The headers are checked first, so that a malformed
/// signature costs no call.
pub(super) async fn authenticate<W: Web>(
    world: &W,
    request: &Request,
    now: Timestamp,
) -> Result<(), Response> {
    let refused = |why: &'static str| {
        Response::text(401, "This request has no valid Slack signature.").because(why)
    };
    let signed = signed(request, now).map_err(|unsigned| refused(unsigned.words()))?;
    let secret =
        world.secret(Secret::SlackSigningSecret).await.map_err(|failure| failed(&failure))?;
    let is_slacks = secret.is_some_and(|secret| signed.is_by(&secret));
    if is_slacks {
        Ok(())
    } else {
        Err(refused("the signature is not Slack's, or no signing secret is configured"))
    }
}

/// Refuses a request whose `response_url` is not an address of Slack's.
pub(super) fn check_response_url<W: Web>(world: &W, url: Option<&str>) -> Result<(), Response> {
    if url.is_none_or(|url| world.is_response_url(url)) {
        return Ok(());
    }
    Err(Response::text(400, "The `response_url` is not an address of Slack's.")
        .because("the response_url is not an address of Slack's"))
}

/// Why a sender is not accepted.
pub(super) enum Stranger {
    /// They belong to another team or organisation.
    Foreign,
    /// Slack did not say where the app is installed.
    Unknown,
}

/// How the sender belongs to the installation.
pub(super) async fn standing<W: Web>(
    world: &W,
    sender: team::Sender<'_>,
) -> Result<Standing, Stranger> {
    let installation = world.installation().await.ok_or(Stranger::Unknown)?;
    installation.standing(sender).ok_or(Stranger::Foreign)
}

/// Whether a person's votes and commands can count for this app: members of other teams must be
/// listed.
pub(super) fn counts(app: &App, standing: Standing, user: &str) -> bool {
    match standing {
        Standing::Team => true,
        Standing::Organisation => app.config.approval.approvers.iter().any(|listed| listed == user),
    }
}

/// The answer to a member of another team.
pub(super) fn foreign() -> Response {
    Response::text(403, "Guests from other teams cannot decide here.")
        .because("the sender belongs to another team")
}

/// The answer when nobody's right can be checked.
pub(super) fn unknown_team() -> Response {
    Response::text(503, UNKNOWN_TEAM)
}

/// The answer to a body that cannot be read.
pub(super) fn unreadable(problem: &str) -> Response {
    Response::text(400, problem).because("the body is not what Slack sends")
}

/// The answer when this function itself failed.
pub(super) fn failed(failure: &Error) -> Response {
    error!(%failure, "an HTTP request failed");
    Response::text(500, "Something went wrong on our side. The function's log says why.")
}
