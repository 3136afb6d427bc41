//! Where an app's stack is: the clients for its account and region, with the credentials of the
//! role that leads there.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_terms-and-concepts.html>: chaining

use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_sdk_sts::config::{Credentials, Region};
use aws_sdk_sts::primitives::DateTime;

use super::clients::{Clients, ecr_client};
use super::failure::failed;
use super::session::{Session, SessionKey};
use crate::error::Error;
use crate::model::config::App;
use crate::model::config::target::Target;
use crate::model::identity::SourceIdentity;
use crate::model::place::Place;

/// The name of all sessions. CloudTrail shows it beside the source identity.
const SESSION_NAME: &str = "ecr-promoter";
/// A role that was assumed with the credentials of another role gives a session of at most an hour.
const SESSION_SECONDS: i32 = 3600;

/// The clients for the stack of one app.
pub(super) struct Site<'a> {
    pub(super) clients: &'a Clients,
    pub(super) cloudformation: aws_sdk_cloudformation::Client,
    pub(super) cloudwatch: aws_sdk_cloudwatch::Client,
    pub(super) ecs: aws_sdk_ecs::Client,
    session: Option<(SessionKey, Session)>,
}

impl Clients {
    /// The clients for the stack of an app.
    pub(super) async fn site(
        &self,
        app: &App,
        identity: &SourceIdentity,
    ) -> Result<Site<'_>, Error> {
        let Some(target) = &app.config.target else { return Ok(self.home_site()) };
        if target.role.is_none() && target.region.is_none() {
            return Ok(self.home_site());
        }
        let session = self.session(target, identity).await?;
        let its = session.as_ref().map(|(_, session)| session);
        let sdk = self.sdk_at(its, target.region.as_deref());
        Ok(Site {
            clients: self,
            cloudformation: aws_sdk_cloudformation::Client::new(&sdk),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&sdk),
            ecs: aws_sdk_ecs::Client::new(&sdk),
            session,
        })
    }

    /// The clients for a stack in the function's own account and region.
    pub(super) fn home_site(&self) -> Site<'_> {
        Site {
            clients: self,
            cloudformation: self.cloudformation.clone(),
            cloudwatch: self.cloudwatch.clone(),
            ecs: self.ecs.clone(),
            session: None,
        }
    }

    /// The session of a target's role, kept until shortly before it expires; `None` for a target
    /// without a role.
    async fn session(
        &self,
        target: &Target,
        identity: &SourceIdentity,
    ) -> Result<Option<(SessionKey, Session)>, Error> {
        let Some(role) = &target.role else { return Ok(None) };
        let key = SessionKey {
            role: role.clone(),
            external_id: target.external_id.clone(),
            region: target.region.clone(),
            identity: identity.clone(),
        };
        let cache = self.sessions.of(key.clone());
        let session = cache.get(
            |session: &Session, _| session.is_good(),
            async || {
                self.sessions.forget(|session| !session.is_good());
                self.assume(role, target, identity).await
            },
        );
        Ok(Some((key, session.await?)))
    }

    /// Assumes a role. The caller's own region answers, whatever region the stack is in.
    async fn assume(
        &self,
        role: &str,
        target: &Target,
        identity: &SourceIdentity,
    ) -> Result<Session, Error> {
        let request = aws_sdk_sts::Client::new(&self.sdk)
            .assume_role()
            .role_arn(role)
            .role_session_name(SESSION_NAME)
            .duration_seconds(SESSION_SECONDS)
            .set_external_id(target.external_id.clone())
            .source_identity(identity.as_str());
        let resource = || format!("role `{role}`");
        let answer = self.patiently("sts:AssumeRole", || request.clone().send()).await;
        let answer =
            answer.map_err(|error| mended(failed("sts:AssumeRole", resource(), &error)))?;
        let its = answer.credentials.ok_or_else(|| Error::Unexpected {
            resource: resource(),
            problem: "sts:AssumeRole answered no credentials".to_owned(),
        })?;
        let expires_at = expiry(&its.expiration);
        let credentials = Credentials::new(
            its.access_key_id,
            its.secret_access_key,
            Some(its.session_token),
            Some(expires_at),
            "AssumeRole",
        );
        Ok(Session { credentials, expires_at })
    }

    /// The SDK's configuration for a session and a region.
    fn sdk_at(&self, session: Option<&Session>, region: Option<&str>) -> SdkConfig {
        let mut sdk = self.sdk.to_builder();
        if let Some(session) = session {
            let provider =
                aws_sdk_sts::config::SharedCredentialsProvider::new(session.credentials.clone());
            sdk = sdk
                .credentials_provider(provider)
                .identity_cache(aws_config::identity::IdentityCache::no_cache());
        }
        if let Some(region) = region {
            sdk = sdk.region(Region::new(region.to_owned()));
        }
        sdk.build()
    }
}

impl Site<'_> {
    /// Takes the result of a call that was made here. If it was denied, the error names the
    /// target's role. A session that AWS refuses is not used again: somebody may have revoked it.
    pub(super) fn made_here<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        let Some((key, _)) = &self.session else { return result };
        result.map_err(|error| {
            if is_refused(&error) {
                self.clients.sessions.remove(key);
            }
            name_role(error, &key.role)
        })
    }

    /// A client for another registry, with this site's credentials.
    pub(super) fn ecr_of(&self, registry: &Place) -> aws_sdk_ecr::Client {
        let session = self.session.as_ref().map(|(_, session)| session);
        let sdk = self.clients.sdk_at(session, registry.region.as_deref());
        ecr_client(&sdk, &self.clients.http)
    }
}

/// Whether AWS takes the credentials of a call for invalid, or may have revoked the session.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html>
fn is_refused(error: &Error) -> bool {
    let codes = ["ExpiredToken", "InvalidClientTokenId", "UnrecognizedClient", "InvalidToken"];
    match error {
        // A right that the role lacks is read anew with each call. An explicit denial may be that
        // of older sessions alone.
        Error::Denied { message, .. } => message.contains("explicit deny"),
        Error::Aws { message, .. } => codes.iter().any(|code| message.starts_with(code)),
        Error::NotUnderstood(_) | Error::Config(_) | Error::Unexpected { .. } => false,
        Error::Untold { .. } | Error::Unverified { .. } | Error::Contended { .. } => false,
        Error::OutOfTime { .. } | Error::Several { .. } => false,
    }
}

/// Says of a denied call that the target's role lacks the right.
fn name_role(error: Error, role: &str) -> Error {
    let Error::Denied { action, resource, message, .. } = error else { return error };
    Error::Denied { role: format!("the target's role `{role}`"), action, resource, message }
}

fn expiry(at: &DateTime) -> SystemTime {
    SystemTime::try_from(*at).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Adds what to do about a role that cannot be assumed.
fn mended(error: Error) -> Error {
    let mend = "its trust policy must allow this function's role sts:AssumeRole, with the external \
                id of the configuration, and sts:SetSourceIdentity (examples/target-role.yaml \
                does), and the parameter TargetRoles of this function's stack must name it";
    match error {
        Error::Denied { role, action, resource, message } => {
            Error::Denied { role, action, resource, message: format!("{message}; {mend}") }
        }
        Error::Aws { action, resource, message } => {
            Error::Aws { action, resource, message: format!("{message}; {mend}") }
        }
        other @ (Error::NotUnderstood(_) | Error::Config(_) | Error::Unexpected { .. }) => other,
        other @ (Error::Untold { .. } | Error::Unverified { .. }) => other,
        other @ (Error::Contended { .. } | Error::OutOfTime { .. } | Error::Several { .. }) => {
            other
        }
    }
}

#[cfg(test)]
mod tests;
