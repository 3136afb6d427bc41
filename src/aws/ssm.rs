//! Parameter Store: configuration. Reads may be stale, which is why no state is kept there.

use super::{Aws, failed};
use crate::error::Error;

impl Aws {
    /// A parameter's value; `None` if there is no such parameter.
    pub(super) async fn parameter(&self, name: &str) -> Result<Option<String>, Error> {
        match self.ssm.get_parameter().name(name).send().await {
            Ok(output) => Ok(output.parameter.and_then(|parameter| parameter.value)),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_parameter_not_found()) => Ok(None),
            Err(error) => Err(failed("ssm:GetParameter", format!("parameter `{name}`"), &error)),
        }
    }
}
