//! Limits the size of answers. ECR repeats each manifest in full, once for each tag, and a manifest
//! may contain anything. An answer that could fill the process's memory becomes an error.

use std::error::Error as StdError;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use http_body_util::{LengthLimitError, Limited};

/// The largest answer, in bytes. While it is read it is in memory twice: as bytes and as parsed
/// text.
pub(super) const MOST_BYTES: usize = 12 * 1024 * 1024;

/// A connector whose answers are no larger than [`MOST_BYTES`].
#[derive(Debug)]
pub(super) struct Bounded(pub(super) SharedHttpConnector);

impl HttpConnector for Bounded {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let mut answer = answer.await?;
            let body = std::mem::replace(answer.body_mut(), SdkBody::taken());
            *answer.body_mut() = SdkBody::from_body_1_x(Limited::new(body, MOST_BYTES));
            Ok(answer)
        })
    }
}

/// Whether a call failed because its answer is larger than [`MOST_BYTES`].
pub(super) fn is_too_large(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}
