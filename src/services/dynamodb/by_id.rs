//! Records that are found by an id alone, without the app's name: approval requests and board
//! sessions.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use jiff::Timestamp;
use serde::Serialize;

use super::if_unchanged;
use crate::error::Error;
use crate::model::approval::{ApprovalRequest, RequestIndex};
use crate::model::session::Session;
use crate::model::{AppName, RequestId, SessionId};
use crate::services::clients::Clients;
use crate::world::Applied;
use crate::world::snapshot::Version;

/// The item of an approval request in its own partition.
const ASKED: &str = "request";
/// The item of a board's session in its own partition.
const SESSION: &str = "session";
/// The number of days after its end for which a request can still be found.
const ASKED_DAYS: i64 = 90;

/// The item of an SNS message in its own partition.
const ANSWERED: &str = "answered";
/// For how many days it is known that a message was answered. Lambda retries for some hours.
const ANSWERED_DAYS: i64 = 7;

/// The record of an SNS message whose sender was answered.
#[derive(Serialize)]
struct Answered {
    at: Timestamp,
}

impl Clients {
    /// Reads the app and digest of a request by the request's id.
    pub(in super::super) async fn asked(
        &self,
        id: &RequestId,
    ) -> Result<Option<RequestIndex>, Error> {
        self.record(&asked_partition(id), ASKED).await
    }

    /// Makes the write of a request's index entry. The entry is kept longer than the request can be
    /// approved, so that a click on an old button still gets an answer.
    pub(super) fn put_asked(
        &self,
        app: &AppName,
        request: &ApprovalRequest,
        nonce: &str,
    ) -> Result<PutBuilder, Error> {
        let asked = RequestIndex { app: app.clone(), digest: request.digest.clone() };
        let expires_at = request.expires_at.as_second() + ASKED_DAYS * 24 * 60 * 60;
        let put = self.put(&asked_partition(&request.id), ASKED, &asked, nonce)?;
        Ok(put.item("expires_at", AttributeValue::N(expires_at.to_string())))
    }

    /// Whether the sender of an SNS message was answered.
    pub(in super::super) async fn is_answered(&self, message: &str) -> Result<bool, Error> {
        Ok(self.item(&message_partition(message), ANSWERED).await?.is_some())
    }

    /// Notes that the sender of an SNS message was answered.
    pub(in super::super) async fn note_answered(
        &self,
        message: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let nonce = (self.nonce)()?;
        let partition = message_partition(message);
        let resource = self.resource(&partition, ANSWERED);
        let put = self.put(&partition, ANSWERED, &Answered { at: now }, &nonce)?;
        let expires_at = now.as_second() + ANSWERED_DAYS * 24 * 60 * 60;
        let put = put.item("expires_at", AttributeValue::N(expires_at.to_string()));
        self.write(vec![put], &nonce, &resource).await.map(drop)
    }

    /// Reads a board's session. The read is strongly consistent, so a session is found right after
    /// it was written.
    pub(in super::super) async fn read_session(
        &self,
        id: &SessionId,
    ) -> Result<Option<Session>, Error> {
        self.record(&session_partition(id), SESSION).await
    }

    /// Writes a board's session, unless one with this id exists. So a command that is delivered
    /// twice gets one link.
    pub(in super::super) async fn write_session(
        &self,
        session: &Session,
    ) -> Result<Applied, Error> {
        let nonce = (self.nonce)()?;
        let partition = session_partition(&session.id);
        let resource = self.resource(&partition, SESSION);
        let put = self.put(&partition, SESSION, session, &nonce)?;
        let put = put.item("expires_at", AttributeValue::N(session.until.as_second().to_string()));
        let put = if_unchanged(put, &Version::default());
        Ok(if self.write(vec![put], &nonce, &resource).await? {
            Applied::Done
        } else {
            Applied::Conflict
        })
    }
}

/// The partition of an SNS message. No app can have such a name.
fn message_partition(id: &str) -> String {
    format!("#message-{id}")
}

/// The partition of a session. No app can have such a name.
fn session_partition(id: &SessionId) -> String {
    format!("#session-{id}")
}

/// The partition of an approval request. No app can have such a name.
fn asked_partition(id: &RequestId) -> String {
    format!("#{id}")
}

#[cfg(test)]
mod tests;
